# SPDX-License-Identifier: BSD-3-Clause
"""Strategies, `train` and `test`: where trading meets search.

Searchers themselves are in `_search`, the simulation of orders in `_simulation`.
"""
