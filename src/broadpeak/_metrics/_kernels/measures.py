# SPDX-License-Identifier: BSD-3-Clause
"""Sums over one column, several running sums a loop: shorter chains of additions, less rounding."""

from __future__ import annotations

import math

from broadpeak._core.compile import kernel, reads_only
from broadpeak.types import FloatArray, IntArray


@kernel
def bar_returns(value: FloatArray, start: float, capital: float, out: FloatArray) -> None:
    """Write value changes over the value before, or over `capital` if that is not 0."""
    n = value.shape[0]
    if n == 0:
        return
    if capital != 0.0:
        out[0] = (value[0] - start) / capital
        for t in range(1, n):
            out[t] = (value[t] - value[t - 1]) / capital
        return
    out[0] = value[0] / start - 1.0 if start > 0.0 else math.nan
    for t in range(1, n):
        change = value[t] / value[t - 1] - 1.0
        out[t] = change if value[t - 1] > 0.0 else math.nan


reads_only(bar_returns, "value")


@kernel
def mean_of(column: FloatArray, zeros: int = 0) -> float:
    """Return the mean of a column and that many further zeros, NaN for no values."""
    n = column.shape[0]
    a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    whole = n - n % 8
    for t in range(0, whole, 8):
        a += column[t]
        b += column[t + 1]
        c += column[t + 2]
        d += column[t + 3]
        e += column[t + 4]
        f += column[t + 5]
        g += column[t + 6]
        h += column[t + 7]
    for t in range(whole, n):
        a += column[t]
    mean: float = (((a + b) + (c + d)) + ((e + f) + (g + h))) / (n + zeros)
    return mean


@kernel
def std_of(column: FloatArray, mean: float, zeros: int = 0) -> float:
    """Return the standard deviation (ddof 1) about `mean`, NaN for fewer than two values."""
    n = column.shape[0]
    if n + zeros < 2:
        return math.nan
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    whole = n - n % 4
    for t in range(0, whole, 4):
        p = column[t] - mean
        q = column[t + 1] - mean
        r = column[t + 2] - mean
        s = column[t + 3] - mean
        a += p * p
        b += q * q
        c += r * r
        d += s * s
    for t in range(whole, n):
        p = column[t] - mean
        a += p * p
    return math.sqrt((((a + b) + (c + d)) + zeros * (mean * mean)) / (n + zeros - 1))


@kernel
def downside_of(column: FloatArray, zeros: int = 0) -> float:
    """Return the root mean of min(r, 0) squared over a column and that many further zeros."""
    n = column.shape[0]
    a = 0.0
    b = 0.0
    c = 0.0
    d = 0.0
    whole = n - n % 4
    for t in range(0, whole, 4):  # the comparisons let NaN in, and it stays NaN
        a += (0.0 if column[t] > 0.0 else column[t]) ** 2
        b += (0.0 if column[t + 1] > 0.0 else column[t + 1]) ** 2
        c += (0.0 if column[t + 2] > 0.0 else column[t + 2]) ** 2
        d += (0.0 if column[t + 3] > 0.0 else column[t + 3]) ** 2
    for t in range(whole, n):
        a += (0.0 if column[t] > 0.0 else column[t]) ** 2
    return math.sqrt(((a + b) + (c + d)) / (n + zeros))


@kernel
def deepest(value: FloatArray, start: float) -> float:
    """Return the largest fall from a peak as a negative fraction; the first peak is `start`."""
    peak = start
    worst = 0.0
    floor = start
    for v in value:
        if v >= peak:
            peak = v
            floor = peak * (1.0 + worst)
        elif v < floor:
            worst = v / peak - 1.0
            floor = v
    return worst


@kernel
def find_drawdowns(value: FloatArray, start: float, ints: IntArray, depths: FloatArray) -> int:
    """Write peak, valley, recovery bar and depth of each drawdown; return how many.

    A peak at bar -1 is the start itself; recovery -1 is none yet.
    """
    peak = start
    peak_bar = -1
    valley = start
    valley_bar = -1
    down = False
    k = 0
    for t in range(value.shape[0]):
        v = value[t]
        if v >= peak:
            if down:
                ints[k, 0] = peak_bar
                ints[k, 1] = valley_bar
                ints[k, 2] = t
                depths[k] = valley / peak - 1.0
                k += 1
                down = False
            peak = v
            peak_bar = t
        elif not down or v < valley:
            down = True
            valley = v
            valley_bar = t
    if down:
        ints[k, 0] = peak_bar
        ints[k, 1] = valley_bar
        ints[k, 2] = -1
        depths[k] = valley / peak - 1.0
        k += 1
    return k
