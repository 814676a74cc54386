# SPDX-License-Identifier: BSD-3-Clause
"""Trainings that remember and simulate many runs together, beside one plain call after the other.

The twin has no memory, calls the strategy, merges its orders, simulates them and makes `Stats`, one
evaluation at a time. Every bit of the result is the same, and so are errors.
"""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._training import componentsearch, evaluation, recorded
from broadpeak._training._kernels.stats import STATS
from broadpeak._training.objective import NamedObjective
from broadpeak._training.performance import RecordBlock
from broadpeak._training.recorded import Workspace

LOOKBACK = 20
COSTS = bp.Costs(spread=0.05, commission=0.01, fees=0.001, roll_long=0.002, roll_short=-0.001)


def make_data(seed, n, kind):
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, n)))
    if kind == "steps":  # equal prices, equal averages
        close = np.round(close / 2) * 2
    if kind == "flat":
        close[:] = 50.0
    if kind == "jumps":
        close[n // 2 :] *= 1e6
    if kind == "tiny":
        close *= 1e-9
    open_ = np.round(close * np.exp(rng.normal(0, 0.01, n)), 12)
    frame = pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close),
            "low": np.minimum(open_, close),
            "close": close,
        },
        index=pd.date_range("2020-01-01", periods=n, freq="D"),
    )
    return bp.Data.from_frames({"X": frame, "Y": frame.iloc[3:] * 1.5})


def one_by_one(setup, step, *, known=None, see=None):
    """Evaluate as before: merged orders, a simulation, statistics, a score."""
    runs = evaluation.run_samples(setup, step, known)
    if see is not None:
        see(runs[0].state, step)
    return evaluation.evaluation_of(setup, runs)


@pytest.fixture(scope="module")
def plainly():
    """Return a function that trains as the twin does, for all examples of a test."""

    def call(func):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(componentsearch, "is_batched", lambda setup: False)
            patch.setattr(evaluation, "evaluate", one_by_one)
            patch.setattr(Workspace, "memory", lambda self, bars: None)
            return func()

    return call


def outcome(func):
    """Return all that a training shows, or its error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = func()
        except (bp.errors.BroadpeakError, RuntimeError) as error:
            return type(error), str(error)
    trials, curves = found.trials, found.curves
    shown = {
        name: (str(trials[name].dtype), trials[name].tolist().__repr__()) for name in trials.columns
    }
    components = {
        key: (one.params, one.objective, one.stats, one.n_evaluations, one.usable)
        for key, one in found.components.items()
    }
    return shown, repr(components), found.notes, None if curves is None else curves.to_csv()


SIGNALS = ("averages", "close", "bands", "level", "numpy", "both", "series", "held")
STOPS = ("none", "range", "range", "share", "number", "series", "unknown", "sometimes none")
MANNERS = (
    "plain", "plain", "plain", "writes", "writes at some", "raises", "bad distance", "counts",
    "watches", "ends", "fits", "computes",
)  # fmt: skip


@st.composite
def cases(draw):
    """Draw a strategy by its parts, and how it is trained."""
    return {
        "seed": draw(st.integers(0, 10_000)),
        "n": draw(st.integers(60, 200)),
        "kind": draw(st.sampled_from(["walk", "walk", "steps", "flat", "jumps", "tiny"])),
        "signals": draw(st.lists(st.sampled_from(SIGNALS), min_size=1, max_size=3)),
        "sides": draw(st.lists(st.booleans(), min_size=3, max_size=3)),
        "stop": draw(st.sampled_from(STOPS)),
        "target": draw(st.sampled_from(STOPS)),
        "trail": draw(st.sampled_from(["none", "none", "share", "range"])),
        "lifetime": draw(st.sampled_from([None, None, 3, 0.7, 3, "array", 0.4])),
        "lots": draw(st.sampled_from([1, 2.5, "array", "zero"])),
        "manner": draw(st.sampled_from(MANNERS)),
        "fill": draw(st.sampled_from(["nextopen", "close"])),
        "n_together": draw(st.sampled_from([1, 3, 128])),
        "n_threads": draw(st.sampled_from([1, 3])),
        "options": {
            "method": draw(st.sampled_from(["brute", "ascent", "random", "genetic"])),
            "objective": draw(st.sampled_from([*bp.objectives])),
            "sizing": draw(st.sampled_from(["unit", "script"])),
            "recency": draw(st.sampled_from([1, 3])),
            "detrend": draw(st.sampled_from([None, "trades", "prices"])),
            "curves": draw(st.booleans()),
            "costs": draw(st.sampled_from([None, COSTS])),
            "min_trades": draw(st.sampled_from([0, 5])),
            "borrow": draw(st.sampled_from([0.0, 0.0, 1.0])),
            "population": 8, "generations": 2, "mutation_rate": 0.2,
        },
    }  # fmt: skip


def distance(s, kind, factor):
    ranges = bp.atr(s.high, s.low, s.close, 5)
    return {
        "none": None,
        "range": ranges * factor,
        "share": s.close * 0.02 * factor,
        "number": factor,
        "series": pd.Series(ranges, s.index) * factor,
        "unknown": np.where(np.arange(len(ranges)) < 40, np.nan, ranges),
        "sometimes none": np.where(s.close > bp.sma(s.close, 9), np.nan, ranges),
    }[kind]


def signal_of(s, kind, days):
    fast, slow = bp.sma(s.close, days), bp.ema(s.price, days * 2)
    if kind == "averages":
        return bp.crossed_above(fast, slow), bp.crossed_below(fast, slow)
    if kind == "close":
        return bp.crossed_above(s.close, slow), bp.crossed_below(s.close, slow)
    if kind == "bands":
        upper, _, lower = bp.bbands(s.close, days, 1.5)
        return bp.crossed_above(s.close, upper), bp.crossed_below(s.close, lower)
    if kind == "level":
        strength = bp.rsi(s.close, days)
        return bp.crossed_above(strength, 50.0), bp.crossed_below(strength, 50)
    if kind == "numpy":
        return (s.close > fast) & (s.high > slow), s.close < slow * 0.99
    if kind == "both":
        both = bp.crossed_above(fast, slow) | bp.crossed_below(fast, slow)
        return both, bp.crossed_below(fast, slow)
    if kind == "series":
        above = pd.Series(bp.highest(s.high, days), s.index).shift() < s.close
        return above, ~above
    if kind == "never":
        return s.close < 0, s.close < 0
    return np.ones(len(s.close), dtype=bool), bp.crossed_below(fast, slow)


def strategy_of(case):
    """Return the strategy of a case; what it keeps is its own."""
    manner, calls = case["manner"], []

    @bp.strategy(lookback=LOOKBACK, fill=case["fill"])
    def drawn(s):
        common = s.optimize(1, 1, 2, 1, name="common") if case["seed"] % 2 else 1.0
        for _ in s.loop():
            days = s.optimize(6, 4, 12, 2, name="days", integer=True)
            factor = s.optimize(1.5, 1, 3, 1, name="factor") * common
            calls.append((s.asset, days, factor))
            if manner == "computes":
                s.optimize(days / 2, 0, 0, name="stored")
            s.stop = distance(s, case["stop"], factor)
            s.take_profit = distance(s, case["target"], factor)
            s.trail = distance(s, case["trail"], factor)
            fast = bp.sma(s.close, days)
            if manner == "writes" or (manner == "writes at some" and days > 9):
                fast[:5] = 0.0
                bp.crossed_above(s.close, fast)[3] = True
            if manner == "raises" and days > 9 and factor > 2:
                raise RuntimeError("no more")
            if manner == "bad distance" and days > 9:
                s.stop = bp.sma(s.close, days) - s.close
            if manner == "counts":
                s.trail = 0.5 + len(calls) % 3
            if manner == "watches" and s.step_cycle % 2:
                s.stop = 1.0
            if manner == "ends" and days > 9:
                s.stop_search()
            if manner == "fits":
                s.trail = 2 * s.fit("spread", lambda bars: float(np.std(bars.close)) + 1e-12)
            if case["lifetime"] is not None:
                given = case["lifetime"]
                s.lifetime = np.full(len(s.close), 4.4) if given == "array" else given
            if case["lots"] == "array":
                s.lots = np.where(s.close > s.open, 2.0, 0.5)
            elif case["lots"] == "zero":
                s.lots = np.where(s.close > s.open, 2.0, 0.0)
            else:
                s.lots = case["lots"]
            for kind, is_long in zip(case["signals"], case["sides"], strict=False):
                enter, leave = signal_of(s, kind, days)
                (s.enter_long if is_long else s.enter_short)(enter)
                (s.exit_long if is_long else s.exit_short)(leave)

    return drawn, calls


def case_with(**changes):
    """Return a plain case with some parts replaced, those of its options too."""
    options = {
        "method": "brute", "objective": "prr", "sizing": "script", "recency": 1, "detrend": None,
        "curves": False, "costs": COSTS, "min_trades": 0, "borrow": 0.0, "population": 8,
        "generations": 2, "mutation_rate": 0.2,
    }  # fmt: skip
    case = {
        "seed": 2, "n": 150, "kind": "walk", "signals": ["averages", "numpy"],
        "sides": [True, False, True], "stop": "range", "target": "none", "trail": "none",
        "lifetime": None, "lots": 1, "manner": "plain", "fill": "nextopen", "n_together": 3,
        "n_threads": 3,
    }  # fmt: skip
    options.update({name: value for name, value in changes.items() if name in options})
    case.update({name: value for name, value in changes.items() if name in case})
    assert {*changes} <= {*options, *case}
    return {**case, "options": options}


def check_case(plainly, case):
    """Train in both ways and compare."""
    data = make_data(case["seed"], case["n"], case["kind"])
    found = []

    def together(func):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recorded, "MOST_ROWS", case["n_together"])
            patch.setattr(recorded, "parts_for", lambda cost: case["n_threads"])
            return func()

    for way in (together, plainly):
        drawn, calls = strategy_of(case)
        options = {**case["options"], "check": case["manner"] != "counts"}
        training = partial(bp.train, drawn, data, **options)
        found.append((way(partial(outcome, training)), calls))
    (ours, our_calls), (theirs, their_calls) = found
    assert ours == theirs
    if case["manner"] != "writes at some":  # a call that found it cannot write is made again
        is_error = isinstance(ours[0], type)
        assert (our_calls[: len(their_calls)] if is_error else our_calls) == their_calls
    return ours


@pytest.mark.parametrize("n_together", [1, 2, 7, 128])
@pytest.mark.parametrize("manner", [*dict.fromkeys(MANNERS)])
def test_every_manner_gives_what_plain_calls_give(plainly, manner, n_together):
    found = check_case(plainly, case_with(manner=manner, n_together=n_together))
    fails = {"raises": "no more", "bad distance": "stop must be positive"}
    assert (fails[manner] in found[1]) if manner in fails else not isinstance(found[0], type)


@pytest.mark.parametrize("stop", [*dict.fromkeys(STOPS)])
def test_every_stop_gives_what_plain_calls_give(plainly, stop):
    *_, notes, _ = check_case(plainly, case_with(stop=stop, lots="array", curves=True))
    assert any("no stop" in note or "without a stop" in note for note in notes) is (
        stop == "unknown"
    )


@pytest.mark.parametrize("lots", [1, 2.5, "array", "zero"])
@pytest.mark.parametrize("lifetime", [3, 0.7, "array", 0.4])
def test_every_size_and_lifetime_gives_what_plain_calls_give(plainly, lots, lifetime):
    check_case(plainly, case_with(lots=lots, lifetime=lifetime, target="range", trail="share"))


@pytest.mark.parametrize("lots", [1e307, float("inf"), float("nan"), -1.0, 0])
@pytest.mark.parametrize("sizing", ["unit", "script"])
@pytest.mark.parametrize("signals", [["averages"], ["never"]])
def test_what_no_float_can_hold_is_refused_as_by_plain_calls(plainly, lots, sizing, signals):
    found = check_case(plainly, case_with(lots=lots, sizing=sizing, signals=signals))
    if lots == 1e307 and signals == ["averages"] and sizing == "script":
        assert "hold finite numbers" in found[1]


@settings(max_examples=25)
@given(cases())
def test_every_bit_is_that_of_plain_calls(plainly, case):
    check_case(plainly, case)


@pytest.mark.slow
@settings(max_examples=300)
@given(cases())
def test_every_bit_is_that_of_plain_calls_for_long(plainly, case):
    check_case(plainly, case)


@given(st.integers(0, 100_000), st.sampled_from([*bp.objectives]), st.sampled_from([0, 1, 5, 2.5]))
def test_scores_of_records_are_those_of_their_statistics(seed, name, min_trades):
    rng = np.random.default_rng(seed)
    records = np.zeros(50, STATS)
    for field in STATS.names:
        if records.dtype[field].kind == "i":
            records[field] = rng.integers(0, rng.choice([3, 30]), 50)
        else:
            scale = 10.0 ** rng.integers(-12, 9)
            values = rng.standard_normal(50) * scale
            if "mean" not in field and "lr" not in field:
                values = abs(values)
            records[field] = np.where(rng.random(50) < 0.3, 0.0, values)
    objective = NamedObjective(name, min_trades)
    scores = objective.of_records(records)
    block = RecordBlock(records, 3.0)
    singly = [objective(block.stats(row)) for row in range(len(records))]
    assert np.array(scores).tobytes() == np.array(singly).tobytes()
