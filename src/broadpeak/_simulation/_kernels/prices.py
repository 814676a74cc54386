# SPDX-License-Identifier: BSD-3-Clause
"""Gaps in prices: found, filled, checked."""

from __future__ import annotations

import math

from broadpeak._core.compile import kernel
from broadpeak.types import FloatArray


@kernel
def any_nan(columns: FloatArray) -> bool:
    """Return whether any value is NaN."""
    for row in range(columns.shape[0]):
        column = columns[row]
        found = False
        for value in column:
            found |= math.isnan(value)
        if found:
            return True
    return False


@kernel
def fill_missing(open_: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray) -> None:
    """Fill NaN in place: open with close, high and low with the larger and smaller of the two."""
    for row in range(close.shape[0]):
        for t in range(close.shape[1]):
            if math.isnan(close[row, t]):  # no trading: nothing compares true with NaN
                open_[row, t] = high[row, t] = low[row, t] = close[row, t]
            if math.isnan(open_[row, t]):
                open_[row, t] = close[row, t]
            if math.isnan(high[row, t]):
                high[row, t] = max(open_[row, t], close[row, t])
            if math.isnan(low[row, t]):
                low[row, t] = min(open_[row, t], close[row, t])


@kernel
def check_prices(columns: FloatArray) -> tuple[int, int, bool]:
    """Return column and bar of the first price not positive and finite, and whether any is NaN."""
    missing = False
    for row in range(columns.shape[0]):
        column = columns[row]
        good = True
        endless = False
        for value in column:  # two loops without branches, so that they vectorise
            good &= value > 0.0
        for value in column:
            endless |= value == math.inf
        if good and not endless:
            continue
        for t in range(column.shape[0]):
            if column[t] <= 0.0 or column[t] == math.inf:
                return row, t, missing
            missing |= math.isnan(column[t])
    return -1, -1, missing
