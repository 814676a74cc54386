# SPDX-License-Identifier: BSD-3-Clause
"""Columns with stops share what was found of an entry, and give what each order gives alone."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadpeak._core import threads
from broadpeak._metrics._kernels.summary import DOWNSIDE, DRAWDOWN, MOMENTS, TRADES
from broadpeak._simulation import figures
from broadpeak._simulation._kernels.layout import Groups
from broadpeak._simulation.rules import Prices, Rules, SharedRows, no_signal
from broadpeak._simulation.simulation import Simulation

sys.path.insert(0, str(Path(__file__).parent))
from hostile import KINDS, hostile_prices, same

EVERYTHING = MOMENTS | DOWNSIDE | DRAWDOWN | TRADES


def random_setting(rng: np.random.Generator, scale: float, columns: int, n: int) -> object:
    """Return a number, rows that columns share, or values of every bar; NaN is none."""
    shape = [(1, 1), (columns, 1), (1, n), (2, 1), (2, n)][rng.integers(5)]
    values = scale * rng.choice([0.005, 0.02, 0.1, np.nan], shape)
    if shape == (1, 1):
        return float(values[0, 0])
    numbers = rng.integers(0, len(values), columns) if len(values) == 2 else None
    return SharedRows(values, numbers)


def random_simulation(kind: str, rng: np.random.Generator) -> Simulation:
    lanes = [hostile_prices(kind, rng) for _ in range(2)]
    n = min(len(one[0]) for one in lanes)
    open_, high, low, close = (np.stack([one[k][:n] for one in lanes]) for k in range(4))
    columns = int(rng.integers(1, 9))
    shares = rng.choice([0.02, 0.1, 0.5], (2, columns, 1))
    signals = [rng.random((columns, n)) < share for share in shares]
    unit = str(rng.choice(["fraction", "price"]))
    scale = float(close.min()) if unit == "price" else 1.0
    rules = Rules(
        price=str(rng.choice(["close", "nextopen"])),
        stops={
            name: random_setting(rng, scale, columns, n)
            for name in ("stop", "take_profit", "trail")
            if rng.random() < 0.6
        },
        stop_unit=unit,
        fees=random_setting(rng, 0.0 if rng.random() < 0.5 else 0.1, columns, 1),
        slippage=float(rng.choice([0.0, 0.002])),
    )
    if isinstance(rules.fees, SharedRows):
        fees = np.nan_to_num(rules.fees.values)
        rules = replace(rules, fees=SharedRows(fees, rules.fees.numbers))
    elif np.isnan(rules.fees):
        rules = replace(rules, fees=0.0)
    nothing = no_signal(n)
    return Simulation(
        Prices(open_, high, low, close),
        rng.integers(0, 2, columns),
        [*(SharedRows(one.view(np.uint8)) for one in signals), nothing, nothing, nothing],
        rules,
        Groups.single(columns),
    )


@settings(max_examples=80)
@given(st.sampled_from(KINDS), st.integers(0, 2**31))
def test_shared_stops_are_those_of_single_orders(kind: str, seed: int) -> None:
    simulation = random_simulation(kind, np.random.default_rng(seed))
    start = simulation.start()
    want = simulation.fills().summary(EVERYTHING, simulation.groups, start, 0.0)
    with pytest.MonkeyPatch.context() as patch:
        for n_parts in (1, 2, 3):
            patch.setattr(threads, "parts_for", lambda _, n_parts=n_parts: n_parts)
            same(simulation.summary(EVERYTHING, start), want)
        patch.setattr(figures, "TRADE_ROOM", 1)  # column after column
        same(simulation.summary(EVERYTHING, start), want)


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.booleans(), st.booleans())
def test_groups_in_threads_are_groups(seed: int, shared: bool, short: bool) -> None:
    """What is simulated from order to order, or with shared cash, does not see threads."""
    rng = np.random.default_rng(seed)
    simulation = random_simulation("usual", rng)
    columns, n = len(simulation.price_rows), simulation.prices.shape[1]
    if short:
        more = SharedRows((rng.random((columns, n)) < 0.05).view(np.uint8))
        simulation = replace(
            simulation, signals=[*simulation.signals[:2], more, *simulation.signals[3:]]
        )
    codes = rng.integers(0, 3, columns)
    codes = np.unique(codes, return_inverse=True)[1]
    groups = Groups.of_codes(codes, int(codes.max()) + 1, shared=shared)
    simulation = replace(simulation, groups=groups)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for n_parts in (1, 2, 3):
            patch.setattr(threads, "parts_for", lambda _, n_parts=n_parts: n_parts)
            found.append(simulation.summary(EVERYTHING, simulation.start()))
    same(found[1], found[0])
    same(found[2], found[0])


@pytest.mark.parametrize("stopped", [False, True])
def test_trades_that_are_kept_give_the_same_figures(stopped: bool) -> None:
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for worth, most in ((0, 10**6), (10**9, 10**6), (0, 5)):
            patch.setattr(figures, "WORTH_KEEPING", worth)
            patch.setattr(figures, "TRADES_KEPT", most)
            simulation = random_simulation("usual", np.random.default_rng(4))
            if not stopped:
                simulation = replace(simulation, rules=replace(simulation.rules, stops={}))
            start = simulation.start()
            ends = simulation.summary(0, start)["end"]
            assert len(simulation._kept) == ((worth, most) == (0, 10**6))
            found.append(simulation.summary(EVERYTHING, start))
            np.testing.assert_array_equal(found[-1]["end"], ends)
    same(found[1], found[0])
    same(found[2], found[0])
    assert found[0]["trades"].sum() > 5
