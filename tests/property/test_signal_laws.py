# SPDX-License-Identifier: BSD-3-Clause
"""`signals` of a day is what `test` does once the next bar is appended, day after day."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp

N, LOOKBACK, DAYS = 330, 40, 210
COSTS = bp.Costs(spread=0.05, commission=0.01, fees=0.001, slippage=0.0005, lot_amount=2)
RULED = {"signal", "reverse", "lifetime"}  # exits by an order; others are in the market


def make_prices(seed: int, n: int = N) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 80 * np.exp(np.cumsum(rng.normal(0.0002, 0.02, n)))
    open_ = close * np.exp(rng.normal(0, 0.008, n))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.006, n)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.006, n)))
    table = {"open": open_, "high": high, "low": low, "close": close, "volume": np.ones(n)}
    return pd.DataFrame(table, index=pd.bdate_range("2020-01-01", periods=n))


def make_data(seed: int, symbols: str = "X") -> bp.Data:
    frames = {name: make_prices(seed + place) for place, name in enumerate(symbols)}
    if len(symbols) > 1:  # calendars differ
        frames[symbols[-1]] = frames[symbols[-1]].drop(frames[symbols[0]].index[[90, 150, 151]])
    return bp.Data.from_frames(frames)


def order(s, kind: str) -> None:
    """Place the orders of one component: what `kind` names, in words."""
    days = s.optimize(8, 4, 16, 4, name="days")
    change = bp.roc(s.close, days)
    far = bp.atr(s.high, s.low, s.close, 10)
    if "stop" in kind:
        s.stop = 1.5 * far
    if "trail" in kind:
        s.trail = 2.0 * far
    if "target" in kind:
        s.take_profit = 2.5
    if "life" in kind:
        s.lifetime = 5
    if "lots" in kind:
        s.lots = np.where(s.close > s.close[0], 3.0, 1.0)
    s.enter_long(bp.crossed_above(change, 0.0))
    if "short" in kind:
        s.enter_short(bp.crossed_below(change, 0.0), stop=2.0 if "own" in kind else None)
    if "zero" in kind:
        s.enter_short(bp.crossed_below(change, -5.0), lots=0)
    if "exit" in kind:
        s.exit_long(bp.crossed_below(change, 2.0))
        s.exit_short(bp.crossed_above(change, -2.0))


def make_strategy(kind: str) -> bp.Strategy:
    fill = "close" if "at-close" in kind else "nextopen"

    @bp.strategy(lookback=LOOKBACK, unstable_period=10, fill=fill)
    def plan(s):
        if "loop" in kind:
            for _ in s.loop(algos=["a", "b"] if "algos" in kind else None):
                order(s, kind)
        else:
            order(s, kind)

    return plan


def quiet(func, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return func(*args, **kwargs)


def trades_of(portfolio: bp.Portfolio, row: pd.Series) -> pd.DataFrame:
    trades = portfolio.components[row["component"]].trades
    return trades[trades["member"] == row["member"]] if "member" in trades else trades


def held_in(trades: pd.DataFrame, day: object, *, at_close: bool) -> pd.DataFrame:
    """Return the trade that is open when the orders of `day` are sent."""
    left, came = trades["exit_time"], trades["entry_time"]
    is_open = (left > day) | (trades["status"] == "open")
    if at_close:
        is_open |= (left == day) & trades["exit_reason"].isin(RULED)
        return trades[is_open & (came < day)]
    return trades[is_open & (came <= day)]


def check_position(row: pd.Series, held: pd.DataFrame) -> None:
    assert len(held) <= 1
    if held.empty:
        assert row["position"] == 0
        assert row["since"] is None
        assert row[["entry_price", "stop", "trail", "target", "bars_left"]].isna().all()
        return
    trade = held.iloc[0]
    side = 1 if trade["direction"] == "long" else -1
    assert row["position"] == pytest.approx(side * trade["size"], rel=1e-12)
    assert row["since"] == trade["entry_time"]
    assert row["entry_price"] == trade["entry_price"]


def index_of(data: bp.Data, symbol: str) -> pd.Index:
    return data.select(symbol).close.index


def check_life(row: pd.Series, trades: pd.DataFrame, index: pd.Index) -> None:
    """A trade that its lifetime ends, in the end, has the bars left that are told."""
    trade = trades[trades["entry_time"] == row["since"]].iloc[0]
    if trade["exit_reason"] == "lifetime":
        left = index.get_loc(trade["exit_time"]) - index.get_loc(row["last_bar"])
        assert row["bars_left"] == left


def check_order(
    row: pd.Series, trades: pd.DataFrame, held: pd.DataFrame, filled: object, facts: dict
) -> None:
    """Compare the next order with what was filled at bar `filled`, after all."""
    entered = trades[trades["entry_time"] == filled]
    left = trades[(trades["exit_time"] == filled) & (trades["status"] == "closed")]
    left = left[left.index.isin(held.index) & left["exit_reason"].isin(RULED)]
    if len(entered):
        trade = entered.iloc[0]
        assert row["next_order"] == f"enter_{trade['direction']}"
        assert row["reason"] == "signal"
        units = row["lots"] * COSTS.lot_amount
        if facts["sizing"] in {"script", "unit"} or units == trade["size"]:
            assert units == pytest.approx(trade["size"], rel=1e-12)
        elif not facts["whole"] and len(left) == 0:  # the same money, at a price known later
            side = 1 if trade["direction"] == "long" else -1
            per_unit = COSTS.spread + COSTS.commission
            fill = row["close"] * (1 + side * COSTS.slippage)
            guess = units * (fill * (1 + COSTS.fees) + per_unit)
            spent = trade["size"] * (trade["entry_price"] * (1 + COSTS.fees) + per_unit)
            assert guess == pytest.approx(spent, rel=1e-9)
    elif len(left):
        trade = left.iloc[0]
        assert row["next_order"] == f"exit_{trade['direction']}"
        assert row["reason"] == ("lifetime" if trade["exit_reason"] == "lifetime" else "signal")
        assert row["lots"] * COSTS.lot_amount == pytest.approx(trade["size"], rel=1e-12)
    else:
        assert row["next_order"] is None
        assert row["reason"] is None
        assert math.isnan(row["lots"])


def check_levels(
    row: pd.Series, bar: pd.Series, trades: pd.DataFrame, held: pd.DataFrame, *, at_close: bool
) -> None:
    """What the next bar does to a position without an order is what its levels say."""
    side = 1 if row["position"] > 0 else -1
    level = np.nanmax(np.array([side * row["stop"], side * row["trail"], -np.inf]))
    target = np.nanmin(np.array([side * row["target"], np.inf]))
    opened = side * bar["open"]
    best, worst = (bar["high"], bar["low"]) if side > 0 else (-bar["low"], -bar["high"])
    trade = trades.loc[held.index[0]]
    closed = trade["status"] == "closed" and trade["exit_time"] == bar.name
    if closed and at_close and trade["exit_reason"] in RULED:
        closed = False  # by an order of the next close, that nobody knows yet
    is_stopped, has_won = worst <= level, best >= target
    assert closed == (is_stopped or has_won)
    if not closed:
        return
    slip = 1 - side * COSTS.slippage
    first = opened if opened <= level or opened >= target else level if is_stopped else target
    if first == target or (first == opened >= target):
        assert trade["exit_reason"] == "target"
        assert trade["exit_price"] == pytest.approx(side * first, rel=1e-12)
    else:
        nearer = (
            "trail"
            if side * row["trail"] > np.nan_to_num(side * row["stop"], nan=-np.inf)
            else "stop"
        )
        assert trade["exit_reason"] == nearer
        assert trade["exit_price"] == pytest.approx(side * first * slip, rel=1e-12)


def check_days(strategy, data, params, sizing, days) -> dict[str, int]:
    """Compare `signals` of each day with `test` on one bar more; return how often what was seen."""
    at_close = strategy.fill == "close"
    seen = dict.fromkeys(("held", "enter", "exit", "lifetime", "levels"), 0)
    given = {"costs": COSTS, **sizing}
    whole = quiet(bp.test, strategy, data, params, check=False, **given)
    for day in days:
        due = quiet(bp.signals, strategy, data[: data.index[day]], params, **given)
        later = data[: data.index[day + 1]]
        tested = quiet(bp.test, strategy, later, params, check=False, **given)
        assert sorted(set(due["component"])) == sorted(tested.components)
        for _, row in due.iterrows():
            own = later.select(row["asset"])
            index = own.close.index
            last = index[index <= data.index[day]][-1]
            assert row["last_bar"] == last
            assert row["close"] == own.close[last]
            trades = trades_of(tested, row)
            held = held_in(trades, last, at_close=at_close)
            check_position(row, held)
            if len(held):
                check_life(row, trades_of(whole, row), index_of(data, row["asset"]))
            following = index[index > last]
            filled = last if at_close else following[0] if len(following) else None
            if filled is None:
                continue  # this asset has no bar on that day
            check_order(row, trades, held, filled, tested.facts)
            if row["position"] and row["next_order"] is None and len(following):
                bar = pd.Series(
                    {name: getattr(own, name)[following[0]] for name in ("open", "high", "low")},
                    name=following[0],
                )
                check_levels(row, bar, trades, held, at_close=at_close)
                seen["levels"] += 1
            seen["held"] += row["position"] != 0
            action = str(row["next_order"])
            seen["enter"] += action.startswith("enter")
            seen["exit"] += action.startswith("exit")
            seen["lifetime"] += row["reason"] == "lifetime"
    return seen


KINDS = [
    "long exit",
    "short stop trail target",
    "short life own stop",
    "short trail exit zero",
    "short stop target lots exit",
    "at-close short stop trail target life",
    "at-close exit zero lots",
    "loop short stop trail exit",
    "loop algos short target life",
]
SIZINGS = [
    {"sizing": "money"},
    {"sizing": "equity", "capital": 5_000.0},
    {"sizing": "script"},
    {"sizing": "unit"},
    {"sizing": "money", "capital": 2_000.0, "whole": True},
    {"sizing": "equity", "whole": True},
    {},
]
FIRST = LOOKBACK + 5
QUICK = [(KINDS[1], SIZINGS[0]), (KINDS[5], SIZINGS[1])]


def run_case(kind: str, sizing: dict, seed: int) -> None:
    data = make_data(seed, "XY" if "loop" in kind else "X")
    seen = check_days(make_strategy(kind), data, None, sizing, range(FIRST, FIRST + DAYS))
    assert min(seen["held"], seen["enter"], seen["levels"]) > 5
    assert seen["exit"] > 0 or "exit" not in kind
    assert seen["lifetime"] > 0 or "life" not in kind


@pytest.mark.parametrize(("kind", "sizing"), QUICK)
def test_signals_of_a_day_are_what_the_next_bar_does(kind, sizing):
    run_case(kind, sizing, seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("sizing", SIZINGS, ids=lambda one: "-".join(map(str, one.values())))
@pytest.mark.parametrize("kind", KINDS)
def test_of_many_strategies_and_sizes(kind, sizing):
    run_case(kind, sizing, seed=KINDS.index(kind) * 10 + SIZINGS.index(sizing))
