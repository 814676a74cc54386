# SPDX-License-Identifier: BSD-3-Clause
"""Indicators and crossings against TA-Lib and pandas: run `python benchmarks/indicators.py`."""

from __future__ import annotations

import itertools
import time
import timeit

import numpy as np
import pandas as pd
import talib

import broadpeak as bp

PRICES = bp.Data.sample("AAPL")
HIGH, LOW, CLOSE = (PRICES.array(name)[0].copy() for name in ("high", "low", "close"))
SERIES = PRICES.close


def best(func, number=500):
    """Return the microseconds of one call: the best of several rounds."""
    func()
    return min(timeit.repeat(func, number=number, repeat=7)) / number * 1e6


def indicators():
    fast, slow = bp.sma(CLOSE, 30), bp.sma(CLOSE, 100)
    fast_series, slow_series = SERIES.rolling(30).mean(), SERIES.rolling(100).mean()
    yield (
        "sma 30",
        lambda: bp.sma(CLOSE, 30),
        lambda: talib.SMA(CLOSE, 30),
        lambda: SERIES.rolling(30).mean(),
    )
    yield (
        "ema 30",
        lambda: bp.ema(CLOSE, 30),
        lambda: talib.EMA(CLOSE, 30),
        lambda: SERIES.ewm(span=30, adjust=False).mean(),
    )
    yield "wma 30", lambda: bp.wma(CLOSE, 30), lambda: talib.WMA(CLOSE, 30), None
    yield "rsi 14", lambda: bp.rsi(CLOSE, 14), lambda: talib.RSI(CLOSE, 14), None
    yield (
        "highest 30",
        lambda: bp.highest(CLOSE, 30),
        lambda: talib.MAX(CLOSE, 30),
        lambda: SERIES.rolling(30).max(),
    )
    yield (
        "zscore 30",
        lambda: bp.zscore(CLOSE, 30),
        None,
        lambda: (SERIES - SERIES.rolling(30).mean()) / SERIES.rolling(30).std(),
    )
    yield "bbands 20", lambda: bp.bbands(CLOSE, 20), lambda: talib.BBANDS(CLOSE, 20), None
    yield "macd", lambda: bp.macd(CLOSE), lambda: talib.MACD(CLOSE), None
    yield "atr 14", lambda: bp.atr(HIGH, LOW, CLOSE), lambda: talib.ATR(HIGH, LOW, CLOSE), None
    yield "stoch", lambda: bp.stoch(HIGH, LOW, CLOSE), lambda: talib.STOCH(HIGH, LOW, CLOSE), None
    yield (
        "crossed_above",
        lambda: bp.crossed_above(fast, slow),
        None,
        lambda: (fast_series > slow_series) & (fast_series.shift() < slow_series.shift()),
    )


def pairs(n_bars=5031):
    """Measure two averages and two crossings: one pair a call, and all pairs at once."""
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n_bars)))
    index = pd.date_range("1999-01-04", periods=n_bars, freq="B")
    data = bp.Data.from_frames({"SPX": pd.DataFrame({"close": close}, index=index)})

    def pipeline(fast, slow):
        one = data.run("bp:ma", window=fast, hide_params=True)
        other = data.run("bp:ma", window=slow, hide_params=True)
        return one.ma_crossed_above(other), one.ma_crossed_below(other)

    combinations = list(itertools.combinations(range(2, 103), 2))
    turn = itertools.cycle(combinations)
    each = best(lambda: pipeline(*next(turn)))
    print(f"two averages, two crossings, {n_bars:,} bars: {each:.0f} µs")
    fast, slow = (list(side) for side in zip(*combinations, strict=True))
    rounds = []
    for _ in range(7):
        bp.flush()
        start = time.perf_counter()
        pipeline(fast, slow)
        rounds.append(time.perf_counter() - start)
    each = min(rounds) / len(combinations) * 1e6
    print(f"{len(combinations):,} pairs at once: {min(rounds) * 1e3:.0f} ms, {each:.1f} µs a pair")


def main():
    print(f"{len(CLOSE):,} bars, µs a call")
    print(f"{'':14} {'broadpeak':>10} {'TA-Lib':>8} {'pandas':>8}")
    for name, *funcs in indicators():
        times = ["-" if func is None else f"{best(func):.1f}" for func in funcs]
        print(f"{name:14} {times[0]:>10} {times[1]:>8} {times[2]:>8}")
    pairs()


if __name__ == "__main__":
    main()
