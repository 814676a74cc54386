# SPDX-License-Identifier: BSD-3-Clause
"""Crossings of two columns.

Notation: left, right (n_bars,) float64; out (n_bars,) bool. Crossed above at t: left > right at t,
and left < right at the last earlier bar where they differed, with no missing value in between.
"""

from __future__ import annotations

from broadpeak._core.compile import kernel
from broadpeak.types import BoolArray, FloatArray, IntArray


@kernel
def _rises(left: FloatArray, right: FloatArray, out: BoolArray) -> int:
    """Mark where `left > right` begins; return the number of bars of equality or NaN.

    Both loops are vectorised by the compiler, which an index like ``left[t - 1]`` would prevent: it
    could be negative and count from the end.
    """
    odd = 0
    for t in range(left.size):
        above = left[t] > right[t]
        out[t] = above
        odd += above == (left[t] < right[t])
    for t in range(out.size - 1, 0, -1):
        out[t] = out[t] & (not out[t - 1])
    return odd


@kernel
def crossed(left: FloatArray, right: FloatArray, out: BoolArray) -> None:
    """Mark the bars at which `left` rises above `right`."""
    n = left.size
    start = 0
    while start < n and (left[start] != left[start] or right[start] != right[start]):
        out[start] = False
        start += 1
    if start == n:
        return
    odd = _rises(left[start:], right[start:], out[start:])
    out[start] = False
    if odd == 0:
        return
    below = False
    for t in range(start, n):
        if left[t] > right[t]:
            out[t] = below
            below = False
        elif left[t] != right[t]:
            # NaN compares false: it forgets what was before.
            below = left[t] < right[t]


@kernel
def crossed_level(values: FloatArray, level: float, above: bool, out: BoolArray) -> None:
    """Mark the bars at which `values` rises above `level`, or falls below it."""
    n = values.size
    for t in range(n):
        out[t] = (values[t] > level) if above else (values[t] < level)
    odd = 0
    for t in range(n):
        odd += not ((values[t] > level) | (values[t] < level))
    for t in range(n - 1, 0, -1):
        out[t] = out[t] & (not out[t - 1])
    if n > 0:
        out[0] = False
    if odd == 0:
        return
    armed = False
    for t in range(n):
        v = values[t]
        hit = (v > level) if above else (v < level)
        out[t] = hit and armed
        if v != level:
            armed = (v < level) if above else (v > level)


@kernel
def crossed_pairs(
    left: FloatArray,
    left_take: IntArray,
    right: FloatArray,
    right_take: IntArray,
    out: BoolArray,
) -> None:
    """Row i of `out`: bars at which column left_take[i] rises above column right_take[i]."""
    for i in range(out.shape[0]):
        crossed(left[left_take[i]], right[right_take[i]], out[i])
