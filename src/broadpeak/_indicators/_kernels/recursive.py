# SPDX-License-Identifier: BSD-3-Clause
"""Indicators that carry a state from bar to bar.

Notation: x, high, low, close, out (n_bars,) float64; w window in bars. A bar whose value is not
finite is passed over: its result is NaN and the state goes on with the next bar, as if the bar
were not there. Hence f(x without gaps) put back on the bars of x is f(x).
"""

from __future__ import annotations

import math

from broadpeak._core.compile import kernel
from broadpeak.types import FloatArray


@kernel
def smoothed(x: FloatArray, w: int, alpha: float, skip: int, out: FloatArray) -> None:
    """Exponential mean with weight `alpha`, seeded with the mean of w values after `skip` ones.

    The first result stands at the last bar of the seed.
    """
    seen = -skip
    first = 0.0
    total = 0.0
    state = 0.0
    for t in range(x.size):
        v = x[t]
        out[t] = math.nan
        if not abs(v) < math.inf:
            continue
        seen += 1
        if seen < 1:
            continue
        if seen <= w:
            # Sums of differences from the first value: a flat seed is exactly that value.
            first = v if seen == 1 else first
            total += v - first
            if seen < w:
                continue
            state = first + total / w
        else:
            state += alpha * (v - state)
        out[t] = state


@kernel
def relative_strength(x: FloatArray, w: int, out: FloatArray) -> None:
    """Wilder's index: 100 · mean gain / (mean gain + mean loss); 0 where nothing moved."""
    pace = 1.0 / w
    seen = -1
    last = 0.0
    gain = 0.0
    loss = 0.0
    for t in range(x.size):
        v = x[t]
        out[t] = math.nan
        if not abs(v) < math.inf:
            continue
        seen += 1
        up = max(v - last, 0.0)
        down = max(last - v, 0.0)
        last = v
        if seen == 0:
            continue
        if seen <= w:
            gain += up
            loss += down
            if seen < w:
                continue
            gain /= w
            loss /= w
        else:
            gain += (up - gain) * pace
            loss += (down - loss) * pace
        moved = gain + loss
        out[t] = 100.0 * gain / moved if moved > 0.0 else 0.0


@kernel
def average_true_range(
    high: FloatArray, low: FloatArray, close: FloatArray, w: int, out: FloatArray
) -> None:
    """Wilder's mean of true ranges, seeded with the mean of the first w of them."""
    pace = 1.0 / w
    seen = -1
    last = 0.0
    state = 0.0
    for t in range(close.size):
        out[t] = math.nan
        h, s, c = high[t], low[t], close[t]
        if not (abs(h) < math.inf and abs(s) < math.inf and abs(c) < math.inf):
            continue
        seen += 1
        reach = max(h, last) - min(s, last)
        last = c
        if seen == 0:
            continue
        if seen <= w:
            state += reach
            if seen < w:
                continue
            state /= w
        else:
            state += (reach - state) * pace
        out[t] = state
