# SPDX-License-Identifier: BSD-3-Clause
"""Whole trainings and tests of the example strategy against the twin in plain Python."""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from strategy_twin import (
    NAN,
    Account,
    average_true_range,
    crossings,
    figures,
    moving_mean,
)

import broadpeak as bp

LOOKBACK, MIN_TRADES = 60, 3
PLAIN = bp.Costs(slippage=0.02)
COSTLY = bp.Costs(
    spread=0.03,
    commission=0.01,
    fees=0.0005,
    roll_long=0.004,
    roll_short=-0.002,
    slippage=0.01,
    lot_amount=3,
)
KINDS = ("stop", "target", "trail", "trail alone", "lots", "exits", "lots and exits",
         "several entries")  # fmt: skip


def prices(seed, n=300):
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.012, n)))
    open_ = close * np.exp(rng.normal(0, 0.008, n))
    return pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.006, n))),
            "low": np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.006, n))),
            "close": close,
        },
        index=pd.date_range("2011-03-01", periods=n, freq="B"),
    )


def example(kind, fill):
    @bp.strategy(lookback=LOOKBACK, fill=fill)
    def run(s):
        cycle = s.optimize(8, 4, 16, 3, name="cycle")
        factor = s.optimize(2, 1, 3, name="factor")
        atr = bp.atr(s.high, s.low, s.close, 10)
        s.stop = atr * s.optimize(2, 1, 5, 1.3, -3, name="stop")
        if kind == "target":
            s.take_profit = atr * 2
        elif kind == "trail":
            s.trail, s.lifetime = atr * 1.5, 7
        elif kind == "trail alone":
            s.stop, s.trail, s.take_profit, s.lifetime = None, atr * 2, atr * 3, 3.5
        elif kind in {"lots", "lots and exits"}:
            s.lots = np.where(np.arange(len(s.close)) % 3 == 0, 0.0, 2.0)
        fast, slow = bp.sma(s.price, cycle), bp.sma(s.price, cycle * factor)
        s.enter_long(bp.crossed_above(fast, slow))
        s.enter_short(bp.crossed_below(fast, slow))
        if kind == "lots and exits":
            s.exit_long(s.close > s.open)
            s.exit_short(s.close < s.open)
        elif kind == "exits":
            s.exit_long(s.close > bp.sma(s.close, 20) * 1.03)
            s.exit_short(s.close < bp.sma(s.close, 20) * 0.97)
        elif kind == "several entries":
            s.enter_long(s.close > s.open, stop=atr * 0.5)
            s.enter_short((s.close < s.open) & (s.close < fast), lifetime=3)

    return run


def played(frame, kind, fill, costs, values, *, train):
    """Return the twin's account of the example at `values`."""
    bars = [frame[name].tolist() for name in ("open", "high", "low", "close")]
    n, (open_, high, low, close) = len(frame), bars
    atr = average_true_range(high, low, close, 10)
    mean = [sum(four) / 4 for four in zip(*bars, strict=True)]
    fast = moving_mean(mean, values["cycle"])
    long, short = crossings(fast, moving_mean(mean, values["cycle"] * values["factor"]))
    stop = [one * values["stop"] for one in atr]
    orders = {"long": long, "short": short, "out_long": [False] * n, "out_short": [False] * n}
    nothing = [NAN] * n
    settings = {"stop": stop, "target": nothing, "trail": nothing, "lifetime": nothing}
    settings["lots"] = [1.0] * n
    if kind == "target":
        settings["target"] = [2 * one for one in atr]
    elif kind == "trail":
        settings |= {"trail": [1.5 * one for one in atr], "lifetime": [7] * n}
    elif kind == "trail alone":
        settings |= {"stop": nothing, "trail": [2 * one for one in atr]}
        settings |= {"target": [3 * one for one in atr], "lifetime": [3.5] * n}
    elif kind in {"lots", "lots and exits"}:
        settings["lots"] = [0.0 if t % 3 == 0 else 2.0 for t in range(n)]
    elif kind == "exits":
        middle = moving_mean(close, 20)
        orders["out_long"] = [close[t] > middle[t] * 1.03 for t in range(n)]
        orders["out_short"] = [close[t] < middle[t] * 0.97 for t in range(n)]
    elif kind == "several entries":
        up = [close[t] > open_[t] for t in range(n)]
        down = [close[t] < open_[t] and close[t] < fast[t] for t in range(n)]
        orders |= {"long": [a or b for a, b in zip(long, up, strict=True)]}
        orders |= {"short": [a or b for a, b in zip(short, down, strict=True)]}
        settings["stop"] = [
            atr[t] * 0.5 if up[t] and not long[t] and not orders["short"][t] else stop[t]
            for t in range(n)
        ]
        settings["lifetime"] = [
            3 if down[t] and not short[t] and not orders["long"][t] else NAN for t in range(n)
        ]
    if kind == "lots and exits":
        orders["out_long"] = [close[t] > open_[t] for t in range(n)]
        orders["out_short"] = [close[t] < open_[t] for t in range(n)]
    days = [day.toordinal() for day in frame.index]
    table = dataclasses.asdict(costs)
    return Account(bars, orders, settings, table, days, LOOKBACK, fill=fill, train=train).run()


@pytest.mark.parametrize("fill", ["nextopen", "close"])
@pytest.mark.parametrize("costs", [PLAIN, COSTLY], ids=["plain", "costly"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_and_test_are_those_of_the_twin(kind, costs, fill):
    frame = prices(KINDS.index(kind))
    data, strategy = bp.Data.from_frames({"X": frame}), example(kind, fill)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        training = bp.train(strategy, data, costs=costs, min_trades=MIN_TRADES)
    for row in training.trials.to_dict("records"):
        expected = figures(played(frame, kind, fill, costs, row, train=True), MIN_TRADES)
        got = {name: row[name] for name in expected}
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-9)
    found = training.components["X"]
    chosen = played(frame, kind, fill, costs, found.params, train=True)
    assert found.usable
    assert found.objective == pytest.approx(figures(chosen, MIN_TRADES)["objective"], rel=1e-9)

    twin = played(frame, kind, fill, costs, found.params, train=False)
    tested = bp.test(strategy, data, training, costs=costs, sizing="script")
    closed = tested.trades[tested.trades["status"] == "closed"]
    assert closed["exit_reason"].tolist() == [trade["reason"] for trade in twin.trades]
    np.testing.assert_allclose(closed["pnl"], [trade["pnl"] for trade in twin.trades], atol=1e-9)
    change = tested.value.to_numpy() - tested.value.iloc[0]
    np.testing.assert_allclose(change, np.array(twin.equity) - twin.equity[0], atol=1e-9)
    assert math.isfinite(change[-1])
