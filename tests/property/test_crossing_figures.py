# SPDX-License-Identifier: BSD-3-Clause
"""Columns that trade crossings are those whose signals are given bar by bar, to the last bit."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from broadpeak._metrics._kernels.summary import DOWNSIDE, DRAWDOWN, MOMENTS, SUMMARY, TRADES
from broadpeak._signals.crossing import Crossing
from broadpeak._simulation._kernels.layout import Groups
from broadpeak._simulation.rules import Prices, SharedRows, no_signal
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
    assert simulation.plan(EVERYTHING).evaluator == "crossings"
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
    simulation = replace(simulation, rules=replace(simulation.rules, size=size, stops=stops))
    assert simulation.plan(EVERYTHING).evaluator == "events"
    want = simulation.expanded().summary(EVERYTHING, start)
    same(simulation.summary(EVERYTHING, start), want)
    assert SUMMARY.names
