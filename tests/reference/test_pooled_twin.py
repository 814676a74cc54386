# SPDX-License-Identifier: BSD-3-Clause
"""Common parameters against a slow version: test each asset alone, pool the trades, score them."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pandas as pd
import pytest
from test_stats import slow

import broadpeak as bp
from broadpeak._training.performance import FIELDS, Stats

LOOKBACK, STEPS = 40, (5, 15, 25, 35)
COSTS = {"A": bp.Costs(spread=0.05), "B": bp.Costs(commission=0.02, roll_long=0.003)}


def prices(seed, start="2019-01-01", n=200, level=100.0):
    rng = np.random.default_rng(seed)
    close = level * np.exp(np.cumsum(rng.normal(0, 0.012, n)))
    open_ = close * np.exp(rng.normal(0, 0.004, n))
    return pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) * 1.003,
            "low": np.minimum(open_, close) * 0.997,
            "close": close,
        },
        index=pd.date_range(start, periods=n, freq="D"),
    )


SAME = bp.Data.from_frames({"A": prices(1), "B": prices(2, level=30), "C": prices(3)})
APART = bp.Data.from_frames(
    {"A": prices(1), "B": prices(2, "2019-03-10", level=30)[::2], "C": prices(3, "2018-11-05")[3:]}
)


def trade(s, days, risk=None):
    """Cross a mean; everything is closed before the end, as in a training."""
    bars = np.arange(len(s.close))
    if risk is not None:
        s.stop = s.close * risk
    mean = bp.sma(s.close, days)
    entering = bars < len(bars) - 8
    s.enter_long(bp.crossed_above(s.close, mean) & entering)
    s.enter_short(bp.crossed_below(s.close, mean) & entering)
    s.exit_long(bars == len(bars) - 4)
    s.exit_short(bars == len(bars) - 4)


@bp.strategy(lookback=LOOKBACK)
def common(s):
    days = s.optimize(15, 5, 35, 10, name="days")
    for _ in s.loop():
        trade(s, days)


@bp.strategy(lookback=LOOKBACK)
def mixed(s):
    days = s.optimize(15, 5, 35, 10, name="days")
    for _ in s.loop():
        trade(s, days, s.optimize(0.04, 0.02, 0.08, 0.02, name="risk"))


def fixed(days, risk=None):
    return bp.strategy(lookback=LOOKBACK)(lambda s: trade(s, days, risk))


def quiet(func, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return func(*arguments, **options)


def pooled_stats(data, run, *, costs=None, recency=1.0):
    """Return the statistics of all assets' trades, in plain lists over all dates that any has."""
    tested = {
        symbol: quiet(bp.test, run, data.select(symbol), sizing="unit",
                      costs=None if costs is None else costs.get(symbol))
        for symbol in data.symbols
    }  # fmt: skip
    capital = {symbol: float(one.value.iloc[0]) for symbol, one in tested.items()}
    dates = sorted({date for one in tested.values() for date in one.value.index})
    equity = []
    for date in dates:
        known = [one.value[:date] for one in tested.values()]
        equity.append(sum(v.iloc[-1] - v.iloc[0] for v in known if len(v)))
    trades = []
    for symbol, one in tested.items():
        assert (one.trades["status"] == "closed").all()
        for row in one.trades.itertuples():
            enter, leave = dates.index(row.entry_time), dates.index(row.exit_time)
            side = 1 if row.direction == "long" else -1
            trades.append((leave, list(data.symbols).index(symbol), row.pnl, side, enter))
    trades.sort(key=lambda trade: trade[:2])
    leave, _, pnl, side, enter = zip(*trades, strict=True)
    arguments = (pnl, side, enter, leave, np.array(equity))
    return slow(*arguments, capital=sum(capital.values()), recency=recency)


@functools.cache
def on_own_calendars(days, risk=None):
    return as_stats(pooled_stats(APART, fixed(days, risk)))


def as_stats(found):
    return Stats(**{name: value for name, value in found.items() if name in FIELDS})


@pytest.mark.parametrize(
    ("data", "recency"), [(SAME, 1.0), (APART, 3.0)], ids=["one calendar", "own calendars"]
)
def test_statistics_of_a_common_step(data, recency):
    training = quiet(bp.train, common, data, costs=COSTS, recency=recency)
    rows = training.trials.set_index("days")
    assert list(rows.index) == list(STEPS)
    assert set(rows["component"]) == {"*"}
    for days in STEPS:
        expected = pooled_stats(data, fixed(days), costs=COSTS, recency=recency)
        for name, value in expected.items():
            assert rows.loc[days, name] == pytest.approx(value, rel=1e-9, abs=1e-9), (days, name)


@pytest.mark.parametrize("objective", ["prr", "sharpe", "calmar", "sqn", "r2_prr", "profit"])
@pytest.mark.parametrize("method", ["ascent", "brute", "random", "genetic"])
def test_the_step_with_the_best_score_of_all_is_chosen(objective, method):
    options = {"n_evaluations": 4} if method == "random" else {}
    training = quiet(
        bp.train, common, APART, method=method, select="peak", objective=objective, **options
    )
    score = bp.objectives[objective]
    curve = [score(on_own_calendars(days)) for days in STEPS]
    best = STEPS[int(np.argmax(curve))] if max(curve) > 0 else 15
    assert {found["days"] for found in training.params.values()} == {best}
    tried = training.trials.set_index("days")["objective"]
    np.testing.assert_allclose(tried.reindex(STEPS), curve, rtol=1e-9)


@pytest.mark.parametrize("method", ["ascent", "brute"])
def test_the_rest_is_searched_by_each_component_with_common_values_held(method):
    training = quiet(bp.train, mixed, APART, method=method, select="peak", min_trades=1)
    curve = [bp.objectives.prr(on_own_calendars(days, 0.04), 1) for days in STEPS]
    days = STEPS[int(np.argmax(curve))]
    for symbol in APART.symbols:

        @bp.strategy(lookback=LOOKBACK)
        def own(s):
            trade(s, days, s.optimize(0.04, 0.02, 0.08, 0.02, name="risk"))

        alone = quiet(
            bp.train, own, APART.select(symbol), method=method, select="peak", min_trades=1
        )
        found = training.components[symbol]
        assert found.params == {"days": days, **alone.params[symbol]}
        assert found.objective == alone.components[symbol].objective
        mine = training.trials[training.trials["component"] == symbol]
        np.testing.assert_array_equal(mine["objective"], alone.trials["objective"])


def test_a_second_pass_starts_from_the_results_of_the_first():
    training = quiet(bp.train, mixed, SAME, select="peak", passes=2, min_trades=1)
    first = {
        key: next(c.chosen for c in found.curves if c.pass_number == 1 and c.parameter == "risk")
        for key, found in training.components.items()
    }
    rows = training.trials[(training.trials["component"] == "*") & (training.trials["pass"] == 2)]
    for days, objective in zip(rows["days"], rows["objective"], strict=True):
        run = bp.strategy(lookback=LOOKBACK)(
            lambda s: trade(s, days, first[s.asset])  # noqa: B023
        )
        expected = bp.objectives.prr(as_stats(pooled_stats(SAME, run)), 1)
        assert objective == pytest.approx(expected, rel=1e-9)
