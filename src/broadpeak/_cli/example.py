# SPDX-License-Identifier: BSD-3-Clause
"""The example strategy of the documentation: two moving averages and a stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import broadpeak as bp


def make_trend() -> Callable[..., object]:
    """Return the trend strategy, one component a symbol.

    Made on demand: decorating loads pandas, which `broadpeak --help` has no use for.
    """
    return bp.strategy(lookback=540, name="trend")(trend)


def trend(s: Any) -> None:
    """Follow the crossing of a fast and a slow average, with a stop a few mean ranges away."""
    for _ in s.loop():
        cycle = s.optimize(30, 10, 100, 5, name="cycle")
        factor = s.optimize(3, 1, 5, name="factor")
        distance = s.optimize(3, 1, 10, 0.5, -3, name="stop")
        s.stop = bp.atr(s.high, s.low, s.close, 10) * distance
        fast, slow = bp.sma(s.price, cycle), bp.sma(s.price, cycle * factor)
        s.plot("MA1", fast)
        s.plot("MA2", slow)
        s.enter_long(bp.crossed_above(fast, slow))
        s.enter_short(bp.crossed_below(fast, slow))
