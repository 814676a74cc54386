# SPDX-License-Identifier: BSD-3-Clause
"""Prices and a small strategy that several tests of training use."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

import broadpeak as bp

N = 400


def make_data(n=N, symbols=("X",), seed=1):
    frames = {}
    for number, symbol in enumerate(symbols):
        rng = np.random.default_rng(seed + number)
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
        open_ = close * np.exp(rng.normal(0, 0.003, n))
        frames[symbol] = pd.DataFrame(
            {
                "open": open_,
                "high": np.maximum(open_, close) * 1.004,
                "low": np.minimum(open_, close) * 0.996,
                "close": close,
                "volume": 1000.0,
            },
            index=pd.date_range("2020-01-01", periods=n, freq="D"),
        )
    return bp.Data.from_frames(frames)


DATA = make_data()


def quiet(strategy, data=DATA, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return bp.train(strategy, data, **options)


def make_trend(lookback=100, calls=None, **settings):
    """Two averages and a stop, small grids; `calls` gets what every call of the function saw."""

    @bp.strategy(lookback=lookback, **settings)
    def trend(s):
        fast = s.optimize(5, 2, 10, 2, name="fast")
        factor = s.optimize(3, 2, 5, 1, name="factor")
        stop = s.optimize(3, 1, 5, 1, name="stop")
        if calls is not None:
            calls.append((fast, factor, stop))
        s.stop = bp.atr(s.high, s.low, s.close, 10) * stop
        a, b = bp.sma(s.price, fast), bp.sma(s.price, fast * factor)
        s.enter_long(bp.crossed_above(a, b))
        s.enter_short(bp.crossed_below(a, b))

    return trend
