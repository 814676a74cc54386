# SPDX-License-Identifier: BSD-3-Clause
"""Trend trading with two moving averages, three of whose parameters are trained.

Run it:       python examples/trend.py
Or from the shell:
              broadpeak train examples/trend.py:trend --data sample --out runs/trend
"""

from __future__ import annotations

import broadpeak as bp


# The look-back is the longest average of any step (100 bars × 5), plus 40 bars in
# which the average true range settles. So every step is judged on the same bars.
@bp.strategy(lookback=540)
def trend(s: bp.StrategyRun) -> None:
    """Buy when the fast average crosses above the slow one, sell short when it crosses below."""
    for _asset, _algo in s.loop():
        cycle = s.optimize(30, 10, 100, 5, name="cycle")
        # A factor instead of a second period: when the cycle moves, the slow average moves along.
        factor = s.optimize(3, 1, 5, name="factor")
        # A tighter stop is preferred even where it scores up to 3 % less.
        s.stop = bp.atr(s.high, s.low, s.close, 10) * s.optimize(3, 1, 10, 0.5, -3, name="stop")
        fast, slow = bp.sma(s.price, cycle), bp.sma(s.price, cycle * factor)
        s.plot("fast", fast)
        s.plot("slow", slow)
        s.enter_long(bp.crossed_above(fast, slow))
        s.enter_short(bp.crossed_below(fast, slow))


def main() -> None:
    """Train on the sample prices, test with the result, and walk forward."""
    data = bp.Data.sample()
    training = bp.train(trend, data, passes=2, min_trades=30)
    print(training)  # noqa: T201  # this is what the example is for
    portfolio = bp.test(trend, data, training)
    print(portfolio.stats())  # noqa: T201


if __name__ == "__main__":
    main()
