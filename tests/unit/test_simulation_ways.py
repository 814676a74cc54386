# SPDX-License-Identifier: BSD-3-Clause
"""Ways to a summary: which is taken, and that nothing depends on rooms, parts and threads."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from broadpeak._core import threads
from broadpeak._metrics._kernels.summary import DOWNSIDE, DRAWDOWN, MOMENTS, TRADES
from broadpeak._simulation import figures, rules, simulation, tables
from broadpeak._simulation._kernels.layout import Groups
from broadpeak._simulation.plans import Floor
from broadpeak._simulation.rules import ExitAxis, Prices, Rules, SharedRows, no_signal
from broadpeak._simulation.simulation import Simulation

sys.path.insert(0, str(Path(__file__).parents[1] / "property"))
from hostile import same
from test_crossing_figures import crossing_simulation, stopped_simulation
from test_fill_laws import by_paths, random_simulation

EVERYTHING = MOMENTS | DOWNSIDE | DRAWDOWN | TRADES


def one_trade(close: np.ndarray, entry: int, leave: int, **settings) -> Simulation:
    n = len(close)
    signals = np.zeros((2, 1, n), np.uint8)
    signals[0, 0, entry] = signals[1, 0, leave] = 1
    nothing = no_signal(n)
    return Simulation(
        Prices(None, None, None, close),
        np.zeros(1, np.int64),
        [SharedRows(signals[0]), SharedRows(signals[1]), nothing, nothing, nothing],
        Rules(**settings),
        Groups.single(1),
    )


def test_sums_that_rounding_spoils_are_not_relied_on():
    """A jump of a million beside returns of 1e-9 leaves nothing of a difference of sums."""
    noise = np.random.default_rng(0).normal(0, 1e-9, 64)
    close = np.where(np.arange(64) < 21, 1.0, 1e6) * np.exp(np.cumsum(noise))
    run = one_trade(close, 22, 30, fees=0.0)
    got, want = run.summary(EVERYTHING, run.start()), by_paths(run)
    for name in ("mean", "std", "downside"):
        np.testing.assert_allclose(got[name], want[name], rtol=1e-9, atol=1e-16)
    # A long time of constant growth: the squares of its returns all but cancel.
    close = 100 * 1.0001 ** np.arange(200_000)
    run = one_trade(close[:100_000], 0, 99_999, fees=0.0)
    got, want = run.summary(MOMENTS, run.start()), by_paths(run)
    np.testing.assert_allclose(got["std"], want["std"], rtol=1e-9)


def results(run: Simulation) -> np.ndarray:
    return run.summary(EVERYTHING, run.start())


@pytest.mark.parametrize("seed", range(4))
def test_rooms_and_threads_change_nothing(monkeypatch, seed):
    rng = np.random.default_rng(seed)
    runs = [random_simulation("usual", rng, stops=False) for _ in range(3)]
    runs += [crossing_simulation("usual", rng) for _ in range(4)]
    runs += [stopped_simulation("usual", rng) for _ in range(4)]
    want = [results(run) for run in runs]
    streamed = [{**by_position(run)} for run in runs]
    monkeypatch.setattr(threads, "_WORTH_A_THREAD", 1)
    monkeypatch.setattr(figures, "WORTH_KEEPING", 1)
    monkeypatch.setattr(figures, "TRADES_KEPT", 40)
    monkeypatch.setattr(figures, "TRADE_ROOM", 3)
    monkeypatch.setattr(tables, "ROWS", 2)
    monkeypatch.setattr(tables, "TABLE_ROOM", 1)
    monkeypatch.setattr(simulation, "RESULTS", 2)
    monkeypatch.setattr(simulation, "CHUNK", 1)
    for run, one, rows in zip(runs, want, streamed, strict=True):
        fresh = replace(run, prices=copied(run.prices))
        same(results(fresh), one)
        assert by_position(fresh) == rows
    monkeypatch.setattr(figures, "ROOM", 1)
    monkeypatch.setattr(rules, "ROOM", 1)
    monkeypatch.setattr(simulation, "ROOM", 1)
    for run, one in zip(runs, want, strict=True):
        same(results(replace(run, prices=copied(run.prices))), one)


def copied(prices: Prices) -> Prices:
    return Prices(*prices.filled, prices.close)


def by_position(run: Simulation) -> dict[int, bytes]:
    start = replace(run, axis=None).start()
    found = {}
    for positions, rows in run.stream(EVERYTHING, start):
        found |= {int(p): row.tobytes() for p, row in zip(positions, rows, strict=True)}
    assert len(found) == len(run.start())
    return found


def test_plans_say_what_decided():
    rng = np.random.default_rng(1)
    run = crossing_simulation("usual", rng)
    run = replace(run, rules=Rules(), price_rows=np.zeros(len(run.price_rows), np.int64))
    assert run.plan().evaluator == "crossings"
    given = run.expanded()
    assert "entries are given bar by bar" in given.plan().why
    held = replace(run, rules=Rules(size=2.0))
    assert held.plan().evaluator == "events"
    assert "does not take all the cash" in held.plan().why
    assert replace(run, rules=Rules(accumulate=True)).plan().evaluator == "dense"
    shared = replace(
        run, groups=Groups.of_codes(np.zeros(len(run.price_rows), int), 1, shared=True)
    )
    assert shared.plan().evaluator == "dense"
    stopped = replace(run, axis=ExitAxis({"stop": np.array([0.01, 0.02])}))
    assert "stop" in stopped.plan().why
    by_column = {"stop": SharedRows(np.linspace(0.01, 0.1, len(run.price_rows))[:, np.newaxis])}
    other = replace(run, rules=Rules(stops=by_column)).plan()
    if len(run.price_rows) > 1:
        assert other.why == "From order to order, since stop differs from column to column."


def test_a_floor_that_rises_lets_fewer_through():
    rng = np.random.default_rng(3)
    run = stopped_simulation("usual", rng)
    start = replace(run, axis=None).start()
    every = sum(len(rows) for _, rows in run.stream(MOMENTS, start, Floor("end")))
    assert every == len(run.start())
    assert [*run.stream(MOMENTS, start, Floor("end", "high", 1e300))] == []
    assert [*run.stream(MOMENTS, start, Floor("end", "low", -1.0))] == []
