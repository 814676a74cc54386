# SPDX-License-Identifier: BSD-3-Clause
"""A column on its own bars: those on which it has a price.

All metrics of a column are computed on its own bars, so that they are those it would have alone.
`own` are the positions of these bars among all; it is empty where no price is missing anywhere.
"""

from __future__ import annotations

import numpy as np

from broadpeak._core.compile import kernel, reads_only
from broadpeak._simulation._kernels.layout import L_BAR, N_LOG
from broadpeak.types import FloatArray, IntArray


@kernel
def own_orders(log: FloatArray, first: int, last: int, own: IntArray) -> FloatArray:
    """Return log entries first..last-1, their bars counted among the column's own."""
    if own.shape[0] == 0:
        return log[first:last]
    out = np.empty((last - first, N_LOG))
    k = 0
    for i in range(last - first):
        for j in range(N_LOG):
            out[i, j] = log[first + i, j]
        while own[k] < log[first + i, L_BAR]:
            k += 1
        out[i, L_BAR] = k
    return out


@kernel
def own_days(days: IntArray, own: IntArray) -> IntArray:
    """Return the calendar day of each own bar; `days` too short to cover them are not needed."""
    if own.shape[0] == 0 or days.shape[0] <= own[own.shape[0] - 1]:
        return days
    out = np.empty(own.shape[0], np.int64)
    for k in range(own.shape[0]):
        out[k] = days[own[k]]
    return out


@kernel
def joint_bars(
    members: IntArray, price_rows: IntArray, bars: IntArray, bounds: IntArray, out: IntArray
) -> int:
    """Write the bars on which any member has a price; return how many there are."""
    out[:] = 0
    for c in members:
        p = price_rows[c]
        for k in range(bounds[p], bounds[p + 1]):
            out[bars[k]] = 1
    n = 0
    for t in range(out.shape[0]):
        if out[t] == 1:
            out[n] = t
            n += 1
    return n


@kernel
def add_path(out: FloatArray, axis: IntArray, path: FloatArray, own: IntArray) -> None:
    """Add a path over own bars to `out` over the bars `axis`; between own bars it stands still."""
    k = 0
    for i in range(axis.shape[0]):
        while k < own.shape[0] and own[k] <= axis[i]:
            k += 1
        if k > 0:
            out[i] += path[k - 1]


reads_only(add_path, "axis")
