# SPDX-License-Identifier: BSD-3-Clause
"""Crossings of two lanes.

Notation: left, right (n_bars,) float64; out (n_bars,) bool. Crossed above at t: left > right at t,
and left < right at the last earlier bar where they differed, with no missing value in between.
"""

from __future__ import annotations

from broadpeak._core.compile import kernel
from broadpeak.types import BoolArray, FloatArray, IntArray


@kernel
def crossed(left: FloatArray, right: FloatArray, out: BoolArray) -> None:
    """Bars at which `left` rises above `right`."""
    n = left.size
    if n == 0:
        return
    out[0] = False
    ties = 0
    # Nearly always the bar before decides, and this loop is vectorised by the compiler.
    for t in range(1, n):
        out[t] = (left[t] > right[t]) & (left[t - 1] < right[t - 1])
        ties += left[t] == right[t]
    if ties == 0:
        return
    below = left[0] < right[0]
    for t in range(1, n):
        if left[t] > right[t]:
            out[t] = below
            below = False
        elif left[t] != right[t]:
            below = left[t] < right[t]


@kernel
def crossed_level(left: FloatArray, level: float, sign: float, out: BoolArray) -> None:
    """Bars at which `sign * left` rises above `sign * level`."""
    below = False
    level *= sign
    for t in range(left.size):
        v = sign * left[t]
        out[t] = (v > level) & below
        below = (v < level) | ((v == level) & below)


@kernel
def crossed_pairs(
    left: FloatArray,
    left_take: IntArray,
    right: FloatArray,
    right_take: IntArray,
    out: BoolArray,
) -> None:
    """Row i of `out`: bars at which lane left_take[i] rises above lane right_take[i]."""
    for i in range(out.shape[0]):
        crossed(left[left_take[i]], right[right_take[i]], out[i])
