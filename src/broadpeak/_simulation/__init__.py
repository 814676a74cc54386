# SPDX-License-Identifier: BSD-3-Clause
"""Fills of orders against prices: arrays of columns × bars, no pandas, no labels.

`Portfolio` and strategy runs both stand on this; the bar loops are in `_kernels`.
"""
