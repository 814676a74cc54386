# SPDX-License-Identifier: BSD-3-Clause
"""Searchers and selectors: any scores, any function, no trading."""
