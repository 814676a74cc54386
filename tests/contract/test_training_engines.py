# SPDX-License-Identifier: BSD-3-Clause
"""Trainings give the same numbers on every engine, byte for byte."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import warnings

import pandas as pd
import pytest

import broadpeak as bp

DATA = bp.Data.sample(["IBM", "MSFT"])["2006":"2009"]


def make_trend():
    # Made inside a function, as in a notebook: workers get it by value.
    scale = 1.0

    @bp.strategy(lookback=120)
    def trend(s):
        for _ in s.loop():
            cycle = s.optimize(10, 5, 20, 5, name="cycle")
            factor = s.optimize(3, 2, 5, 1, name="factor")
            s.stop = (
                bp.atr(s.high, s.low, s.close, 10) * s.optimize(3, 1, 5, 1, name="stop") * scale
            )
            fast, slow = bp.sma(s.price, cycle), bp.sma(s.price, cycle * factor)
            s.enter_long(bp.crossed_above(fast, slow))
            s.enter_short(bp.crossed_below(fast, slow))

    return trend


def quiet(func, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return func(*arguments, **options)


ENGINES = [
    pytest.param({"engine": "threadpool", "n_workers": 3}, id="threadpool"),
    pytest.param(
        {"engine": "processpool", "n_workers": 2}, id="processpool", marks=pytest.mark.engine
    ),
    pytest.param(
        {"engine": "processpool", "n_workers": 2, "distribute": "chunks", "n_chunks": 5},
        id="processpool, chunks",
        marks=pytest.mark.engine,
    ),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "method",
    [
        {"method": "ascent", "passes": 2},
        {"method": "brute"},
        {"method": "genetic", "population": 12, "generations": 4},
        {"method": "random", "n_evaluations": 20},
    ],
    ids=lambda options: options["method"],
)
def test_training(method, engine):
    serial = quiet(bp.train, make_trend(), DATA, curves=True, **method)
    other = quiet(bp.train, make_trend(), DATA, curves=True, **method, **engine)
    assert other.params == serial.params
    pd.testing.assert_frame_equal(other.trials, serial.trials, check_exact=True)
    pd.testing.assert_frame_equal(other.curves, serial.curves, check_exact=True)


@pytest.mark.parametrize(
    ("method", "engine"),
    [
        pytest.param("ascent", {"engine": "threadpool", "n_workers": 3}, id="threadpool"),
        pytest.param(
            "brute",
            {"engine": "processpool", "n_workers": 2},
            id="processpool",
            marks=pytest.mark.engine,
        ),
    ],
)
def test_ensembles(method, engine):
    """Also the members that an ascent did not evaluate while it searched."""
    options = {"method": method, "select": bp.Ensemble(0.3)}
    serial = quiet(bp.train, make_trend(), DATA, **options)
    other = quiet(bp.train, make_trend(), DATA, **options, **engine)
    for key, found in serial.components.items():
        assert len(found.members) > 1
        assert other.components[key].members == found.members
    pd.testing.assert_frame_equal(other.portfolio.trades, serial.portfolio.trades, check_exact=True)
    walked = quiet(bp.walk_forward, make_trend(), DATA, cycles=2, **options)
    again = quiet(bp.walk_forward, make_trend(), DATA, cycles=2, **options, **engine)
    pd.testing.assert_frame_equal(again.cycles, walked.cycles, check_exact=True)
    pd.testing.assert_series_equal(again.portfolio.value, walked.portfolio.value, check_exact=True)


def make_shared():
    @bp.strategy(lookback=120)
    def shared(s):
        cycle = s.optimize(10, 5, 20, 5, name="cycle")
        for _ in s.loop():
            factor = s.optimize(3, 2, 5, 1, name="factor")
            fast, slow = bp.sma(s.price, cycle), bp.sma(s.price, cycle * factor)
            s.enter_long(bp.crossed_above(fast, slow))
            s.enter_short(bp.crossed_below(fast, slow))

    return shared


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("borrow", [0, 0.5, "auto", 1])
@pytest.mark.parametrize("method", ["ascent", "brute"])
def test_components_trained_together(method, borrow, engine):
    options = {"method": method, "borrow": borrow, "curves": True, "passes": 2}
    serial = quiet(bp.train, make_shared(), DATA, **options)
    other = quiet(bp.train, make_shared(), DATA, **options, **engine)
    assert other.params == serial.params
    pd.testing.assert_frame_equal(other.trials, serial.trials, check_exact=True)
    pd.testing.assert_frame_equal(other.curves, serial.curves, check_exact=True)
    assert [one.borrowed for one in other.components.values()] == [
        one.borrowed for one in serial.components.values()
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_walk_forward_of_components_trained_together(engine):
    for borrow in (0.5, 1):
        options = {"cycles": 3, "borrow": borrow}
        serial = quiet(bp.walk_forward, make_shared(), DATA, **options)
        other = quiet(bp.walk_forward, make_shared(), DATA, **options, **engine)
        pd.testing.assert_frame_equal(other.cycles, serial.cycles, check_exact=True)


@pytest.mark.parametrize("engine", ENGINES)
def test_walk_forward(engine):
    serial = quiet(bp.walk_forward, make_trend(), DATA, cycles=4)
    other = quiet(bp.walk_forward, make_trend(), DATA, cycles=4, **engine)
    pd.testing.assert_frame_equal(other.cycles, serial.cycles, check_exact=True)
    pd.testing.assert_series_equal(other.portfolio.value, serial.portfolio.value, check_exact=True)
    assert [one.settings["engine"] for one in other.trainings] == [engine["engine"]] * 4
    assert other.trainings[0].data is DATA
    assert other.trainings[0].environment == serial.trainings[0].environment


@pytest.mark.parametrize("engine", ENGINES)
def test_stop_search(engine):
    @bp.strategy(lookback=120)
    def stopping(s):
        for _ in s.loop():
            days = s.optimize(10, 5, 50, 5, name="days")
            if s.step_cycle == 4:
                s.stop_search()
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))
            s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, days)))

    serial = quiet(bp.train, stopping, DATA)
    other = quiet(bp.train, stopping, DATA, **engine)
    assert len(serial.trials) == 8
    pd.testing.assert_frame_equal(other.trials, serial.trials, check_exact=True)


@pytest.mark.parametrize("engine", ENGINES)
def test_errors(engine):
    @bp.strategy(lookback=120)
    def failing(s):
        for _ in s.loop(["IBM"]):
            days = s.optimize(10, 5, 50, 5, name="days")
            if days == 25:
                raise KeyError("lost")

    with pytest.raises(bp.TaskError, match=r"component=IBM, days=25.*KeyError"):
        bp.train(failing, DATA, **engine)
    with pytest.raises(bp.TaskError, match=r"component=IBM, days=25.*KeyError"):
        bp.walk_forward(failing, DATA, cycles=3, **engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_own_errors_come_through(engine):
    @bp.strategy(lookback=120)
    def failing(s):
        for _ in s.loop(["IBM"]):
            s.stop = 20 - s.optimize(10, 5, 50, 5, name="days")
            s.enter_long(s.close > 0)

    with pytest.raises(bp.StrategyError, match="stop must be positive where"):
        bp.train(failing, DATA, **engine)


@pytest.mark.slow
@pytest.mark.engine
def test_script_of_the_user(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        textwrap.dedent(
            """
            import warnings
            import broadpeak as bp

            LEVEL = 2

            @bp.strategy(lookback=60)
            def mine(s):
                days = s.optimize(10, 5, 50, 5, name="days") * LEVEL
                s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))
                s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, days)))

            if __name__ == "__main__":
                warnings.simplefilter("ignore")
                data = bp.Data.sample("IBM")["2008":]
                one = bp.train(mine, data)
                two = bp.train(mine, data, engine="processpool", n_workers=2)
                print(one.trials.equals(two.trials))
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == "True", done.stderr
