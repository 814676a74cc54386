# SPDX-License-Identifier: BSD-3-Clause
"""Many trainings at once, and one evaluation as a plain call."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._training import evaluation as evaluation_module
from broadpeak._training import train as training_module
from broadpeak._training.train import TrainingTask, plan_training, train_many
from broadpeak._training.trainoptions import TrainOptions

DATA = bp.Data.sample("IBM")["2004":"2007"]


@bp.strategy(lookback=60)
def momentum(s):
    days = s.optimize(20, 10, 50, 10, name="days")
    s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))


@bp.strategy(lookback=60)
def reversal(s):
    days = s.optimize(5, 2, 10, 2, name="days")
    s.enter_long(bp.crossed_below(bp.roc(s.close, days), 0.0))
    s.exit_long(bp.crossed_above(bp.roc(s.close, days), 0.0))


def make_tasks(**options):
    tasks = []
    for strategy in (momentum, reversal):
        plan = plan_training(strategy, DATA, TrainOptions(**options))
        tasks += [TrainingTask(plan, plan.windows(start, None)) for start in ("2005", "2006")]
    return tasks


@pytest.mark.filterwarnings("ignore:'.*' has no step with a usable objective")
@pytest.mark.parametrize("engine", ["serial", "threadpool"])
def test_every_training_is_what_it_is_alone(engine):
    execute = {"engine": engine}
    found = train_many(make_tasks(execute=execute, min_trades=99), execute, label=str)
    assert [one.strategy.name for one in found] == ["momentum"] * 2 + ["reversal"] * 2
    for one, start in zip(found, ["2005", "2006"] * 2, strict=True):
        strategy = momentum if one.name == "momentum" else reversal
        alone = bp.train(strategy, DATA, start=start, min_trades=99)
        assert one.params == alone.params
        assert one.data is DATA
        assert one.environment == alone.environment
        assert one.settings["engine"] == engine
        assert one.settings["start"] == one.components["IBM"].first
        assert one.notes == alone.notes
        pd.testing.assert_frame_equal(one.trials, alone.trials, check_exact=True)


@bp.strategy(lookback=60)
def failing(s):
    if s.optimize(3, 1, 9, 1, name="a") == 5:
        raise OSError("gone")


@pytest.mark.parametrize("engine", ["serial", "threadpool"])
def test_an_error_names_component_and_values(engine):
    plan = plan_training(failing, DATA, TrainOptions())
    tasks = [TrainingTask(plan, plan.windows(None, None))] * 2
    with pytest.raises(bp.TaskError, match=r"component=IBM, a=5.*OSError: gone"):
        train_many(tasks, {"engine": engine}, label=lambda at: f"cycle={at + 1}")


def test_no_training_may_be_skipped():
    tasks = make_tasks()
    bad = plan_training(failing, DATA, TrainOptions())
    tasks.append(TrainingTask(bad, bad.windows(None, None)))
    with (
        pytest.warns(UserWarning, match="1 of 5 calls failed"),
        pytest.raises(bp.ParamError, match="Every training must succeed"),
    ):
        train_many(tasks, {"engine": "threadpool", "on_error": "skip"}, label=str)


def test_threads_leave_the_filters_of_warnings_alone():
    before = list(warnings.filters)
    train_many(make_tasks() * 3, {"engine": "threadpool", "n_workers": 4}, label=str)
    assert warnings.filters == before


class TestPlainCalls:
    @pytest.fixture
    def no_engine(self, monkeypatch):
        def refused(*_, **__):
            pytest.fail("an engine was used")

        for module in (training_module, evaluation_module):
            monkeypatch.setattr(module, "run", refused)

    @pytest.mark.usefixtures("no_engine")
    @pytest.mark.filterwarnings("ignore:The values chosen")
    def test_a_serial_training_needs_no_engine(self):
        training = bp.train(momentum, DATA, engine="serial", n_workers=1, show_progress=False)
        assert len(training.trials) == 5

    @pytest.mark.usefixtures("no_engine")
    @pytest.mark.parametrize(
        "options",
        [{"engine": "threadpool"}, {"retries": 1}, {"warmup": True}, {"chunk_len": 2}],
        ids=lambda options: next(iter(options)),
    )
    def test_an_option_of_a_run_is_obeyed(self, options):
        with pytest.raises(pytest.fail.Exception, match="an engine was used"):
            bp.train(momentum, DATA, **options)

    def test_options_of_a_run_are_checked_all_the_same(self):
        with pytest.raises(bp.ParamError, match="n_workers"):
            bp.train(momentum, DATA, n_workers=0)

    @pytest.mark.filterwarnings("ignore:The values chosen", "ignore:'watched'")
    def test_on_step_hears_of_each_evaluation_as_it_ends(self):
        calls = []

        @bp.strategy(lookback=60)
        def watched(s):
            calls.append(s.optimize(20, 10, 50, 10, name="days"))
            s.enter_long(bp.crossed_above(bp.roc(s.close, calls[-1]), 0.0))

        seen = []

        def on_step(info):
            seen.append((info.params["days"], len(calls)))
            return info.params["days"] < 30

        bp.train(watched, DATA, on_step=on_step, check=False)
        # One call came before the search, and the search ends with its third step.
        assert seen[:3] == [(10, 2), (20, 3), (30, 4)]
        assert 40 not in calls

    def test_a_failed_evaluation_can_be_repeated(self):
        with pytest.raises(bp.TaskError, match=r"^Call 4 \(component=IBM, a=5\) failed") as info:
            bp.train(failing, DATA)
        assert isinstance(info.value.__cause__, OSError)
        assert (info.value.index, info.value.label) == (4, "component=IBM, a=5")
        with pytest.raises(OSError, match="gone"):
            info.value.rerun()

    def test_who_ends_the_program_in_a_strategy_ends_its_evaluation(self):
        @bp.strategy(lookback=60)
        def leaving(s):
            if s.optimize(3, 1, 9, 1, name="a") == 5:
                raise SystemExit(3)

        with pytest.raises(bp.TaskError, match="SystemExit: 3"):
            bp.train(leaving, DATA)

    def test_a_sweep_inside_of_a_strategy_says_what_failed(self):
        def broken(x):
            raise OSError("gone")

        @bp.strategy(lookback=60)
        def sweeping(s):
            if s.optimize(3, 1, 9, 1, name="a") == 5:
                bp.execute([bp.Task(broken, 1)])

        with pytest.raises(bp.TaskError, match=r"a=5.*failed: Call 0 failed: OSError") as info:
            bp.train(sweeping, DATA)
        assert str(info.value).count("Call .rerun()") == 1


def test_the_signature_shows_every_option():
    shown = inspect.signature(bp.train).parameters
    defaults = TrainOptions()
    assert shown["method"].default == "ascent"
    for name, value in defaults.settings().items():
        assert shown[name].default == value or np.isnan(value)
    assert list(shown)[-1] == "execute_options"
