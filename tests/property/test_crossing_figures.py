# SPDX-License-Identifier: BSD-3-Clause
"""Columns that trade crossings are those whose signals are given bar by bar, to the last bit."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from broadpeak._metrics._kernels.summary import DOWNSIDE, DRAWDOWN, MOMENTS, TRADES
from broadpeak._metrics.formulas import METRICS
from broadpeak._signals.crossing import Crossing
from broadpeak._simulation._kernels.layout import Groups
from broadpeak._simulation.plans import Floor
from broadpeak._simulation.rules import ExitAxis, Prices, SharedRows, no_signal
from broadpeak._simulation.simulation import Simulation

sys.path.insert(0, str(Path(__file__).parent))
from hostile import KINDS, hostile_prices, random_rules, same

LAWS = settings(max_examples=60)
EVERYTHING = MOMENTS | DOWNSIDE | DRAWDOWN | TRADES


def averages(close: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return series of a close: with warm-ups, ties, and sometimes gaps inside."""
    n = len(close)
    windows = rng.integers(1, max(2, min(n, 40)), 5)
    sums = np.concatenate([[0.0], np.cumsum(close)])
    rows = np.full((len(windows), n), np.nan)
    for row, w in zip(rows, windows, strict=True):
        row[w - 1 :] = (sums[w:] - sums[:-w]) / w
    if rng.random() < 0.3:
        rows = np.round(rows)
    if rng.random() < 0.3:
        rows[rng.random(rows.shape) < 0.05] = np.nan
    return rows


def crossing_simulation(kind: str, rng: np.random.Generator) -> Simulation:
    open_, high, low, close = hostile_prices(kind, rng)
    n, columns = len(close), int(rng.integers(1, 7))
    series, others = averages(close, rng), averages(close, rng)
    if rng.random() < 0.3:
        others = np.array([[np.median(close)], [close[0]]])
    elif rng.random() < 0.5:
        others = series
    left, right = rng.integers(0, len(series), columns), rng.integers(0, len(others), columns)
    entries = Crossing(series, left, others, right, bool(rng.random() < 0.5))
    exits = Crossing(series, left, others, right, not entries.above)
    if rng.random() < 0.3:
        exits = Crossing(series, right % len(series), series, left, bool(rng.random() < 0.5))
    price_rows = np.zeros(columns, np.int64)
    prices = np.array([open_, high, low, close])
    if rng.random() < 0.3:
        prices = np.concatenate([prices, prices[:, ::-1]]).reshape(2, 4, n).swapaxes(0, 1).copy()
        price_rows = rng.integers(0, 2, columns)
    rules = random_rules(rng, stops=False)
    for name in ("fees", "slippage"):
        if rng.random() < 0.2:
            shape = (columns, n if rng.random() < 0.5 else 1)
            rules = replace(rules, **{name: SharedRows(rng.uniform(0, 0.01, shape))})
    nothing = no_signal(n)
    return Simulation(
        Prices(*prices), price_rows, [entries, exits, nothing, nothing, nothing], rules,
        Groups.single(columns),
    )  # fmt: skip


@LAWS
@given(st.sampled_from(KINDS), st.integers(0, 2**31))
def test_crossings_are_the_signals_that_they_describe(kind, seed):
    simulation = crossing_simulation(kind, np.random.default_rng(seed))
    start = simulation.start()
    assert simulation.plan().evaluator == "crossings"
    want = simulation.expanded().summary(EVERYTHING, start)
    same(simulation.summary(EVERYTHING, start), want)
    for column in range(len(start)):
        one = np.array([column])
        alone = simulation.take(one)
        same(alone.summary(EVERYTHING, start[one]), want[one])
        moments = alone.summary(MOMENTS, start[one])
        for name in ("end", "mean", "std"):
            np.testing.assert_array_equal(moments[name], want[one][name])


@LAWS
@given(st.sampled_from(KINDS), st.integers(0, 2**31))
def test_what_crossings_cannot_tell_goes_by_signals(kind, seed):
    rng = np.random.default_rng(seed)
    simulation = crossing_simulation(kind, rng)
    start = simulation.start()
    size = float(rng.choice([0.5, 1e-7])) if rng.random() < 0.5 else np.inf
    stops = {"stop": 0.03, "take_profit": SharedRows(rng.uniform(0.01, 0.1, (len(start), 1)))}
    if len(start) == 1:
        size = 0.5
    simulation = replace(simulation, rules=replace(simulation.rules, size=size, stops=stops))
    if rng.random() < 0.5:
        simulation = replace(simulation, axis=ExitAxis({"trail": np.array([0.01, np.nan, 0.2])}))
    start = simulation.start()
    found = [*simulation.stream(EVERYTHING, replace(simulation, axis=None).start())]
    rows = np.concatenate([rows for _, rows in found])
    assert simulation.plan().evaluator == "events"
    want = simulation.expanded().summary(EVERYTHING, start)
    same(simulation.summary(EVERYTHING, start), want)
    same(rows, want[np.concatenate([places for places, _ in found])])


def stopped_simulation(kind: str, rng: np.random.Generator) -> Simulation:
    """Return crossings with stops: of an axis, the same for all, by bar, in price or fractions."""
    simulation = crossing_simulation(kind, rng)
    n, count = simulation.prices.shape[1], int(rng.integers(1, 6))
    by_price = bool(rng.random() < 0.3)
    typical = np.median(simulation.prices.close) if by_price else 1.0
    reaches = np.array([1e-9, 0.001, 0.01, 0.03, 0.03, 0.1, 0.5, 2.0]) * typical
    levels, stops = {}, {}
    for name in ("stop", "take_profit", "trail"):
        if rng.random() < 0.5:
            levels[name] = rng.choice([*reaches, np.nan], count)
        elif rng.random() < 0.3:
            stops[name] = float(rng.choice(reaches))
        elif rng.random() < 0.3:
            by_bar = rng.choice([*reaches, np.nan], (1, n))
            stops[name] = SharedRows(by_bar)
    if rng.random() < 0.2:
        levels["lifetime"] = rng.choice([0.0, 1.0, 2.5, 7.0, np.nan], count)
    elif rng.random() < 0.2:
        stops["lifetime"] = float(rng.integers(1, 9))
    if not levels and not stops:
        stops["stop"] = 0.02
    fees = simulation.rules.fees if isinstance(simulation.rules.fees, float) else 0.001
    slippage = simulation.rules.slippage
    if isinstance(slippage, SharedRows) and len(slippage.values) > 1:
        slippage = SharedRows(slippage.values[:1])
    rules = replace(
        simulation.rules, stops=stops, stop_unit="price" if by_price else "fraction", fees=fees,
        slippage=slippage,
    )  # fmt: skip
    return replace(simulation, rules=rules, axis=ExitAxis(levels) if levels else None)


@LAWS
@given(st.sampled_from(KINDS), st.integers(0, 2**31))
def test_tables_of_exits_are_the_simulations_of_each_level(kind, seed):
    simulation = stopped_simulation(kind, np.random.default_rng(seed))
    start = simulation.start()
    assert simulation.plan().evaluator == "crossings"
    want = simulation.expanded().summary(EVERYTHING, start)
    same(simulation.summary(EVERYTHING, start), want)
    moments = simulation.summary(MOMENTS, start)
    for name in ("start", "end", "bars", "last", "mean", "std", "return_term"):
        np.testing.assert_array_equal(moments[name], want[name], err_msg=name)


@LAWS
@given(
    st.sampled_from(KINDS), st.integers(0, 2**31), st.sampled_from(["sharpe", "end"]),
    st.sampled_from(["high", "low"]),
)  # fmt: skip
def test_a_floor_leaves_out_nothing_that_reaches_it(kind, seed, figure, best):
    rng = np.random.default_rng(seed)
    simulation = stopped_simulation(kind, rng)
    want = simulation.expanded().summary(MOMENTS, simulation.start())
    with np.errstate(all="ignore"):
        values = want["mean"] / want["std"] if figure == "sharpe" else want["end"]
    known = values[np.isfinite(values)]
    bound = float(rng.choice(known)) if len(known) and rng.random() < 0.9 else None
    start = replace(simulation, axis=None).start()
    found = [*simulation.stream(MOMENTS, start, Floor(figure, best, bound))]
    positions = np.concatenate([np.empty(0, np.int64), *(one for one, _ in found)])
    assert len(np.unique(positions)) == len(positions)
    for places, rows in found:
        for name in ("start", "end", "mean", "std"):
            np.testing.assert_array_equal(rows[name], want[name][places])
    reach = np.ones(len(values), bool)
    if bound is not None:
        reach = values >= bound if best == "high" else values <= bound
        slack = 1e-6 * abs(bound)
        near = values >= bound - slack if best == "high" else values <= bound + slack
        assert near[positions].all()
    assert np.isin(np.flatnonzero(reach), positions).all()


@LAWS
@given(st.sampled_from(KINDS), st.integers(0, 2**31))
def test_a_metric_asked_alone_is_what_it_is_among_others(kind, seed):
    simulation = crossing_simulation(kind, np.random.default_rng(seed))
    start, fills = simulation.start(), simulation.fills()
    every = simulation.summary(EVERYTHING, start)
    years = np.full(len(every), 252.0)
    for name, metric in METRICS.items():
        needs, want = metric.needs, metric.formula(every, years)
        ways = {
            "crossings": simulation.summary(needs, start),
            "signals": simulation.expanded().summary(needs, start),
            "orders": fills.summary(needs, simulation.groups, start, 0.0),
        }
        for way, found in ways.items():
            np.testing.assert_array_equal(metric.formula(found, years), want, f"{name}, {way}")
