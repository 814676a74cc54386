# SPDX-License-Identifier: BSD-3-Clause
"""Moments of many pairs from one pass over crossings are those of their trades, bit by bit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadpeak._core import threads
from broadpeak._metrics._kernels.summary import DRAWDOWN, MOMENTS, N_MOMENTS
from broadpeak._signals.crossing import Crossing
from broadpeak._simulation import events, passage
from broadpeak._simulation import simulation as module
from broadpeak._simulation._kernels.layout import Groups
from broadpeak._simulation.rules import Prices, Rules, SharedRows, no_signal
from broadpeak._simulation.simulation import Simulation

sys.path.insert(0, str(Path(__file__).parent))
from hostile import KINDS, hostile_prices, random_rules


@contextmanager
def passed_over(n_threads: int, keys: int = 1 << 21, large: int = 1 << 17) -> Iterator[list[bool]]:
    """Have crossings passed over wherever that can be; say of every simulation whether it was."""
    known = module.pass_over
    ran: list[bool] = []

    def noted(*args, **kwargs):
        found = known(*args, **kwargs)
        ran.append(found is not None)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PASSED", 0)
        patch.setattr(module, "TRADES_KEPT", 0)
        patch.setattr(module, "RESULTS_PASSED", 7)
        patch.setattr(module, "pass_over", noted)
        patch.setattr(passage, "KEYS", keys)
        patch.setattr(passage, "LARGE", large)
        patch.setattr(events, "_cost_of_comparing", lambda _: 1e18)
        patch.setattr(threads, "parts_for", lambda _: n_threads)
        yield ran


def averages(close: np.ndarray, windows: np.ndarray) -> np.ndarray:
    sums = np.concatenate([[0.0], np.cumsum(close)])
    rows = np.full((len(windows), len(close)), np.nan)
    for row, w in zip(rows, windows, strict=True):
        row[w - 1 :] = (sums[w:] - sums[:-w]) / w
    return rows


def simulation_of(
    prices: tuple[np.ndarray, ...], entries: Crossing, exits: Crossing, rules: Rules
) -> Simulation:
    n_columns, nothing = entries.shape[0], no_signal(len(prices[3]))
    return Simulation(
        Prices(*prices), np.zeros(n_columns, np.int64), [entries, exits, *[nothing] * 3], rules,
        Groups.single(n_columns),
    )  # fmt: skip


def same_bits(one: np.ndarray, other: np.ndarray) -> None:
    np.testing.assert_array_equal(one.view(np.int64), other.view(np.int64))


def same_moments(rows: np.ndarray, want: np.ndarray) -> None:
    """Rows of one pass end with the moments, and nothing else is there."""
    same_bits(rows[:, :N_MOMENTS], want[:, :N_MOMENTS])
    assert not want[:, N_MOMENTS:].any()
    assert not rows[:, N_MOMENTS:].any()


def check(simulation: Simulation, n_threads: int, keys: int, *, may_fail: bool) -> None:
    start = simulation.start()
    want = simulation.expanded().rows_of_summary(MOMENTS, start)
    same_bits(simulation.by_events(MOMENTS, start), want)
    for large in (1 << 17, 0):  # places as they are, and in blocks
        with passed_over(n_threads, keys, large) as ran:
            same_moments(simulation.rows_of_summary(MOMENTS, start), want)
            found = [*simulation.stream(MOMENTS, start)]
        assert may_fail or ran == [True, True]
        rows = np.concatenate([rows for _, rows in found])
        same_moments(rows.view(np.float64).reshape(len(rows), -1), want)
        places = np.concatenate([at for at, _ in found])
        np.testing.assert_array_equal(places, np.arange(len(start)))


@settings(max_examples=80)
@given(st.sampled_from(KINDS), st.integers(0, 2**31), st.integers(1, 3))
def test_one_pass_finds_what_trades_are_worth(kind: str, seed: int, n_threads: int) -> None:
    """Ties, flat prices, jumps, gaps inside averages, small orders, one bar, no trade at all."""
    rng = np.random.default_rng(seed)
    prices = hostile_prices(kind, rng)
    close = prices[3]
    n = len(close)
    rows = averages(close, np.unique(rng.integers(1, max(2, min(n, 60)), 9)))
    if rng.random() < 0.3:
        rows = np.round(rows)
    if rng.random() < 0.2:
        rows[rng.random(rows.shape) < 0.01] = np.nan
    others = rows
    if rng.random() < 0.3:
        others = np.array([[np.median(close)], [close[0]], [close.max()]])
    columns = int(rng.integers(2, 60))
    left, right = rng.integers(0, len(rows), columns), rng.integers(0, len(others), columns)
    above = bool(rng.random() < 0.5)
    entries = Crossing(rows, left, others, right, above)
    exits = Crossing(rows, left, others, right, not above)
    if others is rows and rng.random() < 0.5:
        exits = Crossing(rows, right, rows, left, above)
    rules = random_rules(rng, stops=False)
    if rng.random() < 0.2:
        rules = replace(rules, fees=SharedRows(rng.uniform(0, 0.01, (1, n))))
    if rng.random() < 0.3:
        rules = replace(rules, init_cash=rng.choice([1e-6, 1e-3, 100.0, 1e6], columns))
    check(simulation_of(prices, entries, exits, rules), n_threads, 20, may_fail=True)


@pytest.mark.parametrize("price", ["close", "nextopen"])
@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("keys", [50, 1 << 21])
def test_all_pairs_of_averages_in_all_directions(price: str, n_threads: int, keys: int) -> None:
    rng = np.random.default_rng(5)
    prices = hostile_prices("usual", np.random.default_rng(9))
    rows = averages(prices[3], np.arange(2, 22))
    a, b = np.triu_indices(20, 1)
    for left, right in ((a, b), (b, a), np.array([[*a, *b, *a, 3], [*b, *a, *b, 3]])):
        order = rng.permutation(len(left))
        up, down = (Crossing(rows, left[order], rows, right[order], side) for side in (True, False))
        rules = Rules(fees=0.001, slippage=0.002, price=price)
        for entries, exits in ((up, down), (down, up)):
            one = simulation_of(prices, entries, exits, rules)
            check(one, n_threads, keys, may_fail=False)


def test_orders_that_shrink_until_none_is_sent_go_another_way() -> None:
    """With fees of 30 % a trade takes half of the money, so that at last an order is too small."""
    rng = np.random.default_rng(5)
    close = 100.0 + rng.normal(0, 1, 3000)
    rows = averages(close, np.arange(2, 12))
    a, b = np.triu_indices(10, 1)
    up, down = (Crossing(rows, a, rows, b, side) for side in (True, False))
    prices = (close, close + 5, close - 5, close)
    one = simulation_of(prices, up, down, Rules(fees=0.3))
    worth = one.expanded().summary(MOMENTS, one.start())["end"]
    assert (worth < 1e-6).any()
    check(one, 2, 1 << 21, may_fail=False)


def test_what_has_no_moments_or_other_costs_is_not_passed_over() -> None:
    rng = np.random.default_rng(5)
    prices = hostile_prices("usual", np.random.default_rng(9))
    rows = averages(prices[3], np.arange(2, 12))
    a, b = np.triu_indices(10, 1)
    up, down = (Crossing(rows, a, rows, b, side) for side in (True, False))
    one = simulation_of(prices, up, down, Rules())
    costs = SharedRows(rng.uniform(0, 0.01, (len(a), 1)))
    several = simulation_of(prices, up, down, Rules(fees=costs))
    with passed_over(2) as ran:
        one.rows_of_summary(DRAWDOWN, one.start())
        several.rows_of_summary(MOMENTS, one.start())
        simulation_of(prices, up, up, Rules()).rows_of_summary(MOMENTS, one.start())
    assert ran == [False]
