# SPDX-License-Identifier: BSD-3-Clause
"""Returns of one column from its orders.

Without a position nothing changes; a position paid for in full changes as the price does.
"""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak._metrics._kernels.measures import bar_returns
from broadpeak._simulation._kernels.layout import L_BAR, L_FLOW, L_POS, PAID_IN_FULL
from broadpeak.types import FloatArray, IntArray

FEW = 4  # columns a price that make it worth to compute the changes of prices beforehand
ROOM = 1 << 21  # values of such changes that are kept at most


@kernel
def price_changes(close: FloatArray, bounds: IntArray, n_units: int) -> FloatArray:
    """Return the change of each price from own bar to own bar; nothing where it would not pay."""
    n = bounds.shape[0] - 1
    if n * FEW > n_units or close.size > ROOM:
        return np.empty(0)
    out = np.empty(close.shape[0])
    for p in range(n):
        a, b = bounds[p], bounds[p + 1]
        if b > a:
            bar_returns(close[a:b], close[a], 0.0, out[a:b])
    return out


@kernel
def held_returns(
    log: FloatArray, mark: FloatArray, changes: FloatArray, start: float, out: FloatArray
) -> int:
    """Write the returns of all own bars but some on which they are 0; return how many.

    Between two orders value is cash + units · price. `changes` are those of the price, or empty;
    what is computed is the same either way, to the last bit. NaN where the value before was not
    positive.
    """
    n_bars = mark.shape[0]
    total = 0.0
    pos = 0.0
    before = start
    begin = 0
    k = 0
    last = log.shape[0]
    for i in range(last + 1):
        end = int(log[i, L_BAR]) if i < last else n_bars
        if end > begin:
            value = start + (total + pos * mark[begin]) if pos != 0.0 else start + total
            out[k] = value / before - 1.0 if before > 0.0 else math.nan
            k += 1
            n = end - begin - 1
            if pos != 0.0:
                before = start + (total + pos * mark[end - 1])
                small = PAID_IN_FULL * min(value, before)
                if abs(start + total) > small:
                    write_returns(mark[begin:end], pos, total, start, out[k : k + n])
                elif changes.shape[0] > 0:
                    copy(changes[begin + 1 : end], out[k : k + n])
                else:
                    write_changes(mark[begin:end], out[k : k + n])
                k += n
            else:
                before = value
                if n > 0 and value <= 0.0:
                    out[k] = math.nan
                    k += 1
            begin = end
        if i < last:
            pos = log[i, L_POS]
            total += log[i, L_FLOW]
    return k


@kernel
def write_returns(
    mark: FloatArray, pos: float, total: float, start: float, out: FloatArray
) -> None:
    """Write the returns of a held position but that of the first bar."""
    after = mark[1:]
    for t in range(after.shape[0]):
        old = start + (total + pos * mark[t])
        change = (start + (total + pos * after[t])) / old - 1.0
        out[t] = change if old > 0.0 else math.nan


@kernel
def write_changes(mark: FloatArray, out: FloatArray) -> None:
    """Write the changes of a price but that of the first bar, as `bar_returns` computes them."""
    after = mark[1:]
    for t in range(after.shape[0]):
        out[t] = after[t] / mark[t] - 1.0


@kernel
def copy(column: FloatArray, out: FloatArray) -> None:
    """Copy a column: a loop, as assigning to a slice costs more than short columns do."""
    for t in range(column.shape[0]):
        out[t] = column[t]
