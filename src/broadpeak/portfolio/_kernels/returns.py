# SPDX-License-Identifier: BSD-3-Clause
"""Returns of one column from its orders.

Without a position nothing changes; a position paid for in full changes as the price does.
"""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak.metrics._kernels.lanes import bar_returns
from broadpeak.portfolio._kernels.layout import L_BAR, L_FLOW, L_POS
from broadpeak.types import FloatArray

FEW = 4  # columns a price that make it worth to compute the changes of prices beforehand
ROOM = 1 << 21  # values of such changes that are kept at most
PAID_IN_FULL = 1e-13  # cash left, as a share of the position, that is rounding


@kernel
def price_changes(mark: FloatArray, n_units: int) -> FloatArray:
    """Return the change of each price from bar to bar, without bars where it would not pay."""
    n, n_bars = mark.shape
    if n * FEW > n_units or mark.size > ROOM:
        return np.empty((n, 0))
    out = np.empty((n, n_bars))
    for p in range(n):
        bar_returns(mark[p], mark[p, 0], 0.0, out[p])
    return out


@kernel
def held_returns(
    log: FloatArray,
    first: int,
    last: int,
    mark: FloatArray,
    changes: FloatArray,
    start: float,
    out: FloatArray,
) -> int:
    """Write the returns of all bars but some on which they are 0; return how many were written.

    Between two orders value is cash + units · price. `changes` are those of the price, or empty.
    NaN where the value before was not positive.
    """
    n_bars = mark.shape[0]
    total = 0.0
    pos = 0.0
    before = start
    begin = 0
    k = 0
    for i in range(first, last + 1):
        end = int(log[i, L_BAR]) if i < last else n_bars
        if end > begin:
            value = start + (total + pos * mark[begin]) if pos != 0.0 else start + total
            out[k] = value / before - 1.0 if before > 0.0 else math.nan
            k += 1
            n = end - begin - 1
            if pos != 0.0:
                before = start + (total + pos * mark[end - 1])
                small = PAID_IN_FULL * min(value, before)
                if changes.shape[0] > 0 and abs(start + total) <= small:
                    copy(changes[begin + 1 : end], out[k : k + n])
                else:
                    write_returns(mark[begin:end], pos, total, start, out[k : k + n])
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
def copy(lane: FloatArray, out: FloatArray) -> None:
    """Copy a lane: a loop, as assigning to a slice costs more than short lanes do."""
    for t in range(lane.shape[0]):
        out[t] = lane[t]
