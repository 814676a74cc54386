# SPDX-License-Identifier: BSD-3-Clause
"""Money and equity sizing against `Portfolio.from_signals`, and against a slow loop of trades."""

from __future__ import annotations

import itertools
import math
import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._store.par import ComponentParameters, Member, Parameters

AAPL = bp.Data.sample("AAPL")
FIELDS = {name: AAPL.fields[name][0] for name in ("open", "high", "low", "close")}
LOOKBACK = 60
CAPITAL = 25_000.0
COSTS = {
    "free": bp.Costs(),
    "fees": bp.Costs(fees=0.002, slippage=0.001),
    "all": bp.Costs(fees=0.002, slippage=0.001, spread=0.03, commission=0.01),
    "lots": bp.Costs(fees=0.001, lot_amount=10),
}
STOPS = {
    "plain": {},
    "stopped": {"stop": 0.08, "take_profit": 0.25, "trail": 0.15},
}


# A fee of one bar would be paid twice where a stop closes what was opened on the same bar.
CASES = pytest.mark.parametrize(
    ("fill", "costs", "stops"),
    [
        pytest.param(fill, costs, stops, id=f"{fill}-{paid}-{how}")
        for fill in ("nextopen", "close")
        for paid, costs in COSTS.items()
        for how, stops in STOPS.items()
        if (fill, paid, how) != ("nextopen", "all", "stopped")
    ],
)


def quiet(func: Any, *arguments: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return func(*arguments, **options)


def signals() -> tuple[np.ndarray, np.ndarray]:
    change = bp.roc(FIELDS["close"], 20)
    return bp.crossed_above(change, 0.0), bp.crossed_below(change, 0.0)


def long_only(fill: str, stops: dict[str, float], *, both: bool = False) -> bp.Strategy:
    """Return a strategy whose stops are shares of the close of the signal bar."""

    @bp.strategy(lookback=LOOKBACK, fill=fill)
    def run(s: bp.StrategyRun) -> None:
        change = bp.roc(s.close, 20)
        enter, leave = bp.crossed_above(change, 0.0), bp.crossed_below(change, 0.0)
        distances = {name: share * s.close for name, share in stops.items()}
        s.enter_long(enter, **distances)
        if both:
            s.enter_short(leave, **distances)
        else:
            s.exit_long(leave)

    return run


def from_signals(
    fill: str,
    costs: bp.Costs,
    stops: dict[str, float],
    *,
    both: bool = False,
    tested: bp.Portfolio,
    **options: Any,
) -> bp.Portfolio:
    enter, leave = (mask[LOOKBACK:] for mask in signals())
    prices = {name: values[LOOKBACK:] for name, values in FIELDS.items()}
    close = pd.Series(prices.pop("close"), AAPL.index[LOOKBACK:])
    # Costs by the unit are a fee of the order that opens, which knows what it is going to buy.
    fixed = np.zeros(len(close))
    trades = tested.trades
    each = costs.spread + costs.commission
    fixed[trades["entry_index"]] = trades["size"] * each
    arguments = {"sl_stop": "stop", "tp_stop": "take_profit", "tsl_stop": "trail"}
    distances = {
        name: stops[key] * close.to_numpy() for name, key in arguments.items() if key in stops
    }
    sides: dict[str, Any] = {"short_entries": leave} if both else {"exits": leave}
    return bp.Portfolio.from_signals(
        close,
        enter,
        **sides,
        **prices,
        price=fill,
        fees=costs.fees,
        slippage=costs.slippage,
        fixed_fees=fixed,
        stop_unit="price",
        **distances,
        **options,
    )


def same_path(found: bp.Portfolio, known: bp.Portfolio) -> None:
    for name in ("value", "returns", "positions"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(known, name), rtol=1e-9, atol=1e-9, err_msg=name
        )


NUMBERS = ("total_return", "annual_return", "annual_volatility", "sharpe_ratio", "sortino_ratio",
           "calmar_ratio", "max_drawdown", "win_rate", "profit_factor", "expectancy", "sqn",
           "num_trades", "exposure")  # fmt: skip


@CASES
def test_equity_is_a_portfolio_of_all_cash(
    fill: str, costs: bp.Costs, stops: dict[str, float]
) -> None:
    options: dict[str, Any] = {"costs": costs, "capital": CAPITAL, "sizing": "equity"}
    found = quiet(bp.test, long_only(fill, stops), AAPL, **options)
    known = from_signals(fill, costs, stops, tested=found, init_cash=CAPITAL)
    assert found.num_trades > 50
    same_path(found, known)
    for name in NUMBERS:
        assert getattr(found, name) == pytest.approx(getattr(known, name), rel=1e-9), name
    for name in ("size", "entry_price", "exit_price", "pnl", "return"):
        np.testing.assert_allclose(found.trades[name], known.trades[name], rtol=1e-9, atol=1e-9)


@CASES
def test_money_is_the_same_amount_each_time(
    fill: str, costs: bp.Costs, stops: dict[str, float]
) -> None:
    options: dict[str, Any] = {"costs": costs, "capital": CAPITAL, "sizing": "money"}
    found = quiet(bp.test, long_only(fill, stops), AAPL, **options)
    trades = found.trades
    each = trades["entry_price"] * (1 + costs.fees) + costs.spread + costs.commission
    np.testing.assert_allclose(trades["size"] * each, CAPITAL, rtol=1e-12)
    size = np.zeros(len(AAPL) - LOOKBACK)
    bar = trades["entry_index"] - (1 if fill == "nextopen" else 0)
    size[bar] = trades["size"]
    known = from_signals(fill, costs, stops, tested=found, init_cash=1e6, size=size)
    np.testing.assert_allclose(found.value, known.value - 1e6 + CAPITAL, rtol=1e-11)
    change = np.diff(found.value, prepend=CAPITAL) / CAPITAL
    np.testing.assert_allclose(found.returns, change, rtol=0, atol=1e-15)
    assert len(trades) == len(known.trades) > 50
    np.testing.assert_allclose(trades["pnl"], known.trades["pnl"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("fill", ["nextopen", "close"])
def test_longs_and_shorts_on_equity_are_those_of_a_portfolio(fill: str) -> None:
    costs = COSTS["fees"]
    options: dict[str, Any] = {"costs": costs, "capital": CAPITAL, "sizing": "equity"}
    found = quiet(bp.test, long_only(fill, {}, both=True), AAPL, **options)
    known = from_signals(fill, costs, {}, both=True, tested=found, init_cash=CAPITAL)
    assert (found.trades["direction"] == "short").sum() > 20
    same_path(found, known)


@pytest.mark.parametrize("kind", ["money", "equity"])
def test_whole_lots_are_rounded_down(kind: str) -> None:
    costs = bp.Costs(fees=0.001, lot_amount=10)
    plan = long_only("nextopen", {})
    options: dict[str, Any] = {"costs": costs, "capital": 700.0, "sizing": kind}
    found = quiet(bp.test, plan, AAPL, whole=True, **options)
    trades = found.trades
    lots = trades["size"] / 10
    np.testing.assert_allclose(lots, lots.round(), rtol=0, atol=1e-12)
    # Twin: what is left after each trade buys the next one.
    money, total = 700.0, 700.0
    wanted = quiet(bp.test, plan, AAPL, **options).trades
    bought = iter(trades.to_dict("records"))
    n_none = 0
    for entry in wanted.to_dict("records"):
        each = entry["entry_price"] * 1.001 * 10
        n_lots = math.floor((total if kind == "equity" else money) / each)
        if n_lots == 0:
            n_none += 1
            continue
        trade = next(bought)
        assert (trade["entry_time"], trade["size"]) == (entry["entry_time"], n_lots * 10)
        total += trade["pnl"]
    assert next(bought, None) is None
    assert found.value.iloc[-1] == pytest.approx(total)
    assert n_none > 0 or kind == "equity"  # some trades were too dear


def looped(lots: bool = False) -> bp.Strategy:
    @bp.strategy(lookback=LOOKBACK)
    def both(s: bp.StrategyRun) -> None:
        for _ in s.loop():
            days = s.optimize(20, 10, 50, 10, name="days")
            change = bp.roc(s.close, days)
            size = {"lots": 2.0} if lots else {}
            s.enter_long(bp.crossed_above(change, 0.0), **size)
            s.enter_short(bp.crossed_below(change, 0.0), **size)

    return both


def uneven() -> bp.Data:
    sample = bp.Data.sample()
    frames = {}
    for symbol, first, step in (("IBM", 0, 1), ("MSFT", 300, 1), ("AAPL", 0, 2)):
        own = sample.select(symbol)
        fields = ("open", "high", "low", "close")
        frames[symbol] = pd.DataFrame({name: getattr(own, name) for name in fields}).iloc[
            first:1400:step
        ]
    return bp.Data.from_frames(frames)


@pytest.mark.parametrize("kind", ["money", "equity"])
def test_components_have_equal_parts_of_the_capital(kind: str) -> None:
    data = uneven()
    costs = {"IBM": bp.Costs(fees=0.001), "MSFT": bp.Costs(spread=0.02), "AAPL": bp.Costs()}
    options: dict[str, Any] = {"sizing": kind, "check": False}
    whole = bp.test(looped(), data, costs=costs, capital=9_000, **options)
    total: Any = 0.0
    for symbol in data.symbols:
        own = data.select(symbol)
        alone = bp.test(looped(), own, costs=costs[symbol], capital=3_000, **options)
        same_path(whole.components[symbol], alone.components[symbol])
        value = alone.value.reindex(whole.index).ffill().fillna(3_000.0)
        total = total + value
    np.testing.assert_allclose(whole.value, total, rtol=1e-12)
    before = np.concatenate([[9_000.0], whole.value.to_numpy()[:-1]])
    base = 9_000.0 if kind == "money" else before
    change = np.diff(whole.value, prepend=9_000.0) / base
    np.testing.assert_allclose(whole.returns, change, rtol=0, atol=1e-12)
    assert whole.facts["sizing"] == kind
    copy = pickle.loads(pickle.dumps(whole))
    np.testing.assert_array_equal(copy.held.value, whole.held.value)


# ------------------------------------------------------------------ ensembles: a slow twin


def twin_of_members(
    data: bp.Data, members: list[tuple[int, float]], costs: bp.Costs, capital: float
) -> list[list[tuple[int, float, float]]]:
    """Return (bar, units, price) of the fills of each member, long or short, all on one account."""
    fields = {name: data.fields[name][0] for name in ("open", "close")}
    opened, close = fields["open"], fields["close"]
    cash, held = capital, [0.0] * len(members)
    fills: list[list[tuple[int, float, float]]] = [[] for _ in members]
    due: list[int] = [0] * len(members)
    changes = [bp.roc(close, days) for days, _ in members]
    for bar in range(LOOKBACK, len(close)):
        price = opened[bar]
        for k, (_, weight) in enumerate(members):
            if not due[k] or due[k] * held[k] > 0:
                continue
            d = due[k]
            paid = price * (1 + d * costs.slippage)
            gone = -held[k]
            cash -= gone * paid + abs(gone) * paid * costs.fees
            worth = cash + sum(one * price for j, one in enumerate(held) if j != k)
            units = weight * worth / (paid * (1 + costs.fees))
            cash -= d * units * paid + units * paid * costs.fees
            held[k] = d * units
            fills[k].append((bar - LOOKBACK, d * units + gone, paid))
        for k, change in enumerate(changes):
            up = bool(bp.crossed_above(change, 0.0)[bar])
            down = bool(bp.crossed_below(change, 0.0)[bar])
            due[k] = 1 if up else -1 if down else 0
    return fills


def test_members_of_an_ensemble_spend_of_one_account() -> None:
    data = bp.Data.sample("IBM")[: bp.Data.sample("IBM").index[1200]]
    strategy = looped()
    members = [(10, 0.5), (20, 0.3), (40, 0.2)]
    chosen = tuple(Member({"days": float(days)}, weight) for days, weight in members)
    training = Parameters({"IBM": ComponentParameters({"days": 20.0}, members=chosen)}, "both")
    costs = bp.Costs(fees=0.001, slippage=0.0005)
    found = quiet(bp.test, strategy, data, training, costs=costs, sizing="equity")
    known = twin_of_members(data, members, costs, 10_000.0)
    position = np.zeros((len(found.index), len(members)))
    for k, fills in enumerate(known):
        for bar, units, _ in fills:
            position[bar:, k] += units
    np.testing.assert_allclose(found.positions, position, rtol=1e-9, atol=1e-9)
    # Money: each member its share of it, whatever the others do.
    money = quiet(bp.test, strategy, data, training, costs=costs, sizing="money").trades
    weights = money["member"].map(dict(enumerate((weight for _, weight in members), 1)))
    np.testing.assert_allclose(
        money["size"] * money["entry_price"] * 1.001, 10_000 * weights, rtol=1e-12
    )


# ------------------------------------------------------------------ walk-forward


@pytest.mark.parametrize(
    ("kind", "border"), [*itertools.product(["money", "equity"], ["carry", "close"])]
)
def test_a_walk_forward_is_one_account(kind: str, border: str) -> None:
    data = AAPL
    costs = bp.Costs(fees=0.001, spread=0.01)
    wf = quiet(
        bp.walk_forward, looped(), data, cycles=4, sizing=kind, border=border, costs=costs,
        capital=5_000,
    )  # fmt: skip
    trades = wf.portfolio.trades
    each = trades["entry_price"] * 1.001 + 0.01
    before = np.full(len(trades), 5_000.0)
    if kind == "equity":
        before[1:] += np.cumsum(trades["pnl"])[:-1]
    np.testing.assert_allclose(trades["size"] * each, before, rtol=1e-9)
    assert wf.portfolio.value.iloc[-1] == pytest.approx(5_000 + trades["pnl"].sum())
    assert wf.cycles["net"].sum() == pytest.approx(trades["pnl"].sum())
    assert wf.held.stats()["start_value"] == 5_000
    assert wf.settings["sizing"] == kind
    assert wf.trainings[0].settings["sizing"] == "unit"
    again = quiet(
        bp.walk_forward, looped(), data, cycles=4, sizing="unit", border=border, costs=costs
    )
    times = ["entry_time", "exit_time"]
    pd.testing.assert_frame_equal(again.portfolio.trades[times], trades[times])


# ------------------------------------------------------------------ training


@pytest.mark.parametrize("kind", ["money", "equity"])
@pytest.mark.parametrize("whole", [False, True])
def test_a_training_scores_what_a_test_trades(kind: str, *, whole: bool) -> None:
    data = bp.Data.sample("IBM")
    options: dict[str, Any] = {"sizing": kind, "capital": 3_000.0, "whole": whole}
    costs = bp.Costs(fees=0.001, spread=0.02)
    training = bp.train(looped(), data, costs=costs, objective="sharpe", **options)
    stats = training.components["IBM"].stats
    tested = bp.test(looped(), data, training, costs=costs, **options)
    trades = tested.trades
    # A training closes what is open at the end, and pays for it.
    last = trades.iloc[-1]
    fee = last["size"] * data.close.iloc[-1] * 0.001 if last["status"] == "open" else 0.0
    assert stats.net == pytest.approx(trades["pnl"].sum() - fee)
    value = tested.value.to_numpy().copy()
    value[-1] -= fee
    before = np.concatenate([[3_000.0], value[:-1]])
    change = (value - before) / (before if kind == "equity" else 3_000.0)
    inside = np.zeros(len(value), dtype=bool)
    for first, end in zip(trades["entry_index"], trades["exit_index"], strict=True):
        inside[first : int(end) + 1] = True
    if last["status"] == "open":
        inside[int(last["entry_index"]) :] = True
    assert stats.return_mean == pytest.approx(change[inside].mean(), rel=1e-9)
    assert stats.return_std == pytest.approx(change[inside].std(ddof=1), rel=1e-9)
    objective = training.components["IBM"].objective
    assert objective == pytest.approx(stats.return_mean / stats.return_std)
