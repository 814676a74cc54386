# SPDX-License-Identifier: BSD-3-Clause
"""Means, deviations and extremes over a sliding window, without a running sum.

Notation: x, out (n_bars,) float64; w window in bars; a value that is not finite is missing.

The series is cut into blocks of w bars. A window that ends in one block is the end of the block
before and the beginning of its own, so a sum over it is one partial sum from the right plus one
from the left. Nothing is ever subtracted again: a result holds the values of its window and no
trace of earlier ones, a missing value leaves with its window, and the cost does not grow with w.

Sums are of d = x - r, where r is the first value of the window's own block, which lies in every
window that ends there. A flat window hence gives its value exactly, whatever w is, and squares of
d lose at most a factor w of precision, however far the prices are from 0.
"""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak.types import FloatArray


@kernel
def _drop_infinite(out: FloatArray) -> None:
    for t in range(out.size):
        out[t] = out[t] if abs(out[t]) < math.inf else math.nan


@kernel
def mean(x: FloatArray, w: int, out: FloatArray) -> None:
    """Arithmetic mean of the last w values."""
    n = x.size
    for t in range(min(n, w - 1)):
        out[t] = math.nan
    if n < w:
        return
    total = 0.0
    for t in range(w):
        total += x[t] - x[0]
    out[w - 1] = x[0] + total / w
    left = np.empty(w)
    right = np.empty(w)
    for start in range(w, n, w):
        r = x[start]
        before = x[start - w : start]
        block = x[start : min(start + w, n)]
        m = block.size
        head = 0.0
        tail = 0.0
        # The two sums do not wait for each other, which halves the time of this loop.
        for j in range(m):
            head += block[j] - r
            left[j] = head
            tail += before[w - 1 - j] - r
            right[w - 1 - j] = tail
        for j in range(m, w - 1):
            tail += before[w - 1 - j] - r
            right[w - 1 - j] = tail
        # right[j] is the sum of before[j:], of which the window of bar j holds before[j + 1:].
        for j in range(m - 1 if m == w else m):
            out[start + j] = r + (left[j] + right[j + 1]) / w
        if m == w:
            out[start + w - 1] = r + left[w - 1] / w
    _drop_infinite(out)


@kernel
def weighted_mean(x: FloatArray, w: int, out: FloatArray) -> None:
    """Mean of the last w values with the weights 1 … w, the newest heaviest."""
    n = x.size
    for t in range(min(n, w - 1)):
        out[t] = math.nan
    if n < w:
        return
    weights = 0.5 * w * (w + 1.0)
    right = np.zeros(w)
    for start in range(0, n, w):
        r = x[start]
        tail = 0.0
        ramp = 0.0
        if start > 0:
            # ramp after step j is the sum of (i - j) d[i] over i > j of the block before.
            for j in range(w - 2, -1, -1):
                tail += x[start - w + j + 1] - r
                ramp += tail
                right[j] = ramp
            right[w - 1] = 0.0
        head = 0.0
        slope = 0.0
        for j in range(min(w, n - start)):
            d = x[start + j] - r
            head += d
            slope += j * d
            if start > 0 or j == w - 1:
                out[start + j] = r + ((w - j) * head + slope + right[j]) / weights
    _drop_infinite(out)


@kernel
def deviation(x: FloatArray, w: int, ddof: int, out: FloatArray) -> None:
    """Take the standard deviation of the last w values with the divisor w - ddof."""
    n = x.size
    for t in range(min(n, w - 1)):
        out[t] = math.nan
    if n < w:
        return
    left, left2 = np.empty(w), np.empty(w)
    right, right2 = np.zeros(w + 1), np.zeros(w + 1)
    for start in range(0, n, w):
        r = x[start]
        block = x[start : min(start + w, n)]
        m = block.size
        head = 0.0
        head2 = 0.0
        for j in range(m):
            d = block[j] - r
            head += d
            head2 += d * d
            left[j] = head
            left2[j] = head2
        if start > 0:
            before = x[start - w : start]
            tail = 0.0
            tail2 = 0.0
            for j in range(w):
                d = before[w - 1 - j] - r
                tail += d
                tail2 += d * d
                right[w - 1 - j] = tail
                right2[w - 1 - j] = tail2
        # In the first block only the last bar has a full window, and nothing to its left.
        for j in range(0 if start > 0 else w - 1, m):
            # right[w] stays 0: nothing of the block before is in the window of its last bar.
            total = left[j] + right[j + 1]
            # One d of the window is 0, so that total² is at most w - 1 times the sum of squares:
            # rounding makes nothing negative of the difference.
            spread = left2[j] + right2[j + 1] - total * total / w
            out[start + j] = math.sqrt(spread / (w - ddof)) if w > ddof else math.nan
    _drop_infinite(out)


@kernel
def extreme(x: FloatArray, w: int, sign: float, out: FloatArray) -> None:
    """Largest (sign 1) or smallest (sign -1) of the last w values."""
    n = x.size
    for t in range(min(n, w - 1)):
        out[t] = math.nan
    if n < w:
        return
    # A missing value counts as the largest of all: it wins, and is recognised at the end.
    y = np.empty(n)
    for t in range(n):
        v = sign * x[t]
        y[t] = v if abs(v) < math.inf else math.inf
    best = -math.inf
    for t in range(w):
        best = max(best, y[t])
    out[w - 1] = best
    left = np.empty(w)
    right = np.empty(w)
    for start in range(w, n, w):
        before = y[start - w : start]
        block = y[start : min(start + w, n)]
        m = block.size
        head = -math.inf
        tail = -math.inf
        for j in range(m):
            head = max(head, block[j])
            left[j] = head
            tail = max(tail, before[w - 1 - j])
            right[w - 1 - j] = tail
        for j in range(m, w - 1):
            tail = max(tail, before[w - 1 - j])
            right[w - 1 - j] = tail
        for j in range(m - 1 if m == w else m):
            out[start + j] = max(left[j], right[j + 1])
        if m == w:
            out[start + w - 1] = left[w - 1]
    for t in range(w - 1, n):
        out[t] = sign * out[t] if out[t] < math.inf else math.nan


@kernel
def rate_of_change(x: FloatArray, w: int, out: FloatArray) -> None:
    """Change against the value w bars ago in percent; 0 where that value is 0, as in TA-Lib."""
    for t in range(min(x.size, w)):
        out[t] = math.nan
    for t in range(w, x.size):
        past = x[t - w]
        change = (x[t] / past - 1.0) * 100.0 if past != 0.0 else 0.0 * x[t]
        out[t] = change if abs(past) < math.inf and abs(change) < math.inf else math.nan
