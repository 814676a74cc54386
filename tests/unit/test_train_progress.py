# SPDX-License-Identifier: BSD-3-Clause
"""The one bar of a training and of a walk-forward run: what it counts, and when it is shown."""

import io
import re
import sys
from types import SimpleNamespace

import pytest

import broadpeak as bp
from broadpeak._run import progress
from broadpeak._training import evaluationbar
from broadpeak._training.evaluationbar import EvaluationBar

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

PRICES = bp.Data.sample(["IBM", "MSFT"])
IBM = PRICES.select("IBM")


@bp.strategy(lookback=60)
def momentum(s):
    days = s.optimize(20, 10, 50, 10, name="days")
    s.stop = s.optimize(5, 2, 8, 2, name="stop")
    s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))


@bp.strategy(lookback=60)
def looped(s):
    common = s.optimize(20, 10, 50, 20, name="days")
    for _ in s.loop():
        s.stop = s.optimize(5, 2, 8, 2, name="stop")
        s.enter_long(bp.crossed_above(bp.roc(s.close, common), 0.0))
        s.exit_long(bp.crossed_below(bp.roc(s.close, common), 0.0))


class Bars(list):
    """Stands for tqdm: every bar that is made, with what is counted on it."""

    def __call__(self, **options):
        bar = SimpleNamespace(n=0, shown=[], total=options["total"], options=options, closed=False)

        def update(n):
            bar.n += n
            bar.shown.append((bar.n, bar.total))

        bar.update = update
        bar.close = lambda: setattr(bar, "closed", True)
        bar.set_description = lambda text, refresh: setattr(bar, "text", text)
        bar.set_postfix = lambda **shown: setattr(bar, "postfix", shown)
        self.append(bar)
        return bar


@pytest.fixture
def bars(monkeypatch):
    made = Bars()
    monkeypatch.setattr(progress, "_Tqdm", made)
    return made


def n_made(*trainings):
    return sum(one.n_evaluations for each in trainings for one in each.components.values())


@pytest.mark.parametrize("method", ["ascent", "brute", "random", "genetic"])
@pytest.mark.parametrize("options", [{}, {"on_step": lambda info: None}, {"retries": 1}])
def test_a_training_has_one_bar_of_all_evaluations(bars, method, options):
    training = bp.train(momentum, IBM, show_progress=True, method=method, **options)
    (bar,) = bars
    assert bar.n == bar.total == n_made(training)
    assert bar.closed
    assert bar.options["desc"] == "momentum"
    assert bar.options["unit"] == " evaluations"
    assert all(n <= total for n, total in bar.shown)


def test_the_number_is_known_from_the_start(bars):
    bp.train(momentum, IBM, show_progress=True)
    assert bars[0].options["total"] == 5 + 4 + 1
    bp.train(momentum, IBM, show_progress=True, passes=2)
    assert bars[1].options["total"] == 2 * (5 + 4) + 1
    bp.train(momentum, IBM, show_progress=True, method="brute")
    assert bars[2].options["total"] == 20


@pytest.mark.parametrize("options", [{}, {"borrow": 0.5}, {"borrow": 1}])
def test_components_are_on_one_bar(bars, options):
    bp.train(looped, PRICES, show_progress=True, **options)
    (bar,) = bars
    assert bar.n == bar.total
    assert bar.n >= 3 + 4 + 2  # common steps count once
    assert len(bar.shown) == bar.n  # one after the other


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["threadpool", "processpool"])
def test_evaluations_on_an_engine_are_on_the_bar_of_the_training(bars, engine):
    training = bp.train(momentum, IBM, show_progress=True, engine=engine, n_workers=2)
    (bar,) = bars
    assert bar.n == bar.total == n_made(training)


def test_a_walk_forward_has_one_bar_of_all_cycles(bars):
    walked = bp.walk_forward(momentum, IBM, cycles=4, show_progress=True)
    (bar,) = bars
    assert bar.options["total"] == 4 * 10
    assert bar.n == bar.total == n_made(*walked.trainings)
    assert bar.text == "momentum 4/4"


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["threadpool", "processpool"])
def test_cycles_on_an_engine_count_their_evaluations(bars, engine):
    options = {"engine": engine, "n_workers": 2, "show_progress": True}
    walked = bp.walk_forward(momentum, IBM, cycles=4, **options)
    (bar,) = bars
    assert bar.options["total"] == 4 * 10
    assert bar.n == bar.total == n_made(*walked.trainings)
    assert len(bar.shown) == 4
    serial = bp.walk_forward(momentum, IBM, cycles=4)
    assert walked.trainings[3].params == serial.trainings[3].params


def test_a_store_counts_what_it_has(bars, tmp_path):
    options = {"store": tmp_path / "runs.db", "show_progress": True}
    for _ in range(2):
        bp.train(momentum, IBM, **options)
    assert [bar.n for bar in bars] == [bar.total for bar in bars]
    assert bars[0].n == bars[1].n


def test_a_training_that_fails_closes_its_bar(bars):
    @bp.strategy(lookback=60)
    def failing(s):
        if s.optimize(20, 10, 50, 10, name="days") == 30:
            raise KeyError("lost")

    with pytest.raises(bp.TaskError, match="lost"):
        bp.train(failing, IBM, show_progress=True, check=False)
    assert bars[0].closed
    with pytest.raises(bp.TaskError, match="lost"):
        bp.walk_forward(failing, IBM, show_progress=True, check=False, engine="threadpool")
    assert bars[1].closed


def test_an_ended_search_ends_its_bar(bars):
    bp.train(momentum, IBM, show_progress=True, on_step=lambda info: info.step_cycle < 3)
    assert bars[0].n == bars[0].total < 10


class TestShown:
    """When there is a bar, and what stands on the line."""

    def shown(self, *, run=bp.train, **options):
        out = io.StringIO()
        pbar = {"file": out, "delay": 0, "mininterval": 0, "ncols": 90}
        run(momentum, IBM, **{"show_progress": True, "pbar_kwargs": pbar, **options})
        return out.getvalue()

    def test_the_line(self):
        lines = self.shown().replace("\r", "\n").split("\n")
        assert re.search(r"momentum: 100%\|#+\| 10/10 \[00:0\d<00:0\d", lines[-2] or lines[-3])
        assert "evaluations/s" in "".join(lines)

    def test_the_line_of_a_walk_forward(self):
        text = self.shown(run=bp.walk_forward, cycles=3)
        assert "momentum 2/3:" in text
        assert "30/30" in text

    def test_a_name_of_your_own(self):
        out = io.StringIO()
        pbar = {"file": out, "delay": 0, "desc": "mine"}
        bp.walk_forward(momentum, IBM, cycles=3, show_progress=True, pbar_kwargs=pbar)
        assert "mine:" in out.getvalue()
        assert "momentum" not in out.getvalue()

    def test_silent_for_half_a_second(self):
        out = io.StringIO()
        bp.train(momentum, IBM, show_progress=True, pbar_kwargs={"file": out})
        assert out.getvalue() == ""

    def test_only_where_somebody_looks(self, bars, monkeypatch):
        bp.train(momentum, IBM)
        assert not bars
        terminal = io.StringIO()
        terminal.isatty = lambda: True
        monkeypatch.setattr(sys, "stderr", terminal)
        bp.train(momentum, IBM)
        bp.walk_forward(momentum, IBM, cycles=3)
        assert len(bars) == 2
        bp.train(momentum, IBM, show_progress=False)
        bp.walk_forward(momentum, IBM, cycles=3, show_progress=False)
        assert len(bars) == 2

    def test_not_inside_another_run(self, bars, monkeypatch):
        terminal = io.StringIO()
        terminal.isatty = lambda: True
        monkeypatch.setattr(sys, "stderr", terminal)

        @bp.parameterized(show_progress=False)
        def trained(passes):
            return bp.train(momentum, IBM, passes=passes).components["IBM"].objective

        trained(bp.Param([1, 2]))
        bp.stats.permutation_test(momentum, IBM, n=3, show_progress=False)
        assert not bars

    def test_off_costs_nothing(self, monkeypatch):
        """Without a bar none of its code runs between two evaluations."""
        touched = []
        for name in ("begin", "end_search", "update", "expect", "add_training"):
            monkeypatch.setattr(EvaluationBar, name, lambda *_, name=name: touched.append(name))
        monkeypatch.setattr(evaluationbar, "EvaluationBar", None)  # cannot be made
        bp.train(momentum, IBM, method="brute")
        bp.walk_forward(momentum, IBM, cycles=3)
        assert not touched


def test_a_slow_strategy_moves_the_bar_at_every_call(bars):
    """Many are simulated together later, but a call that has ended has ended."""
    seen = []

    @bp.strategy(lookback=60)
    def slow(s):
        momentum.func(s)
        seen.append(bars[0].n if bars else None)

    bp.train(slow, IBM, method="brute", show_progress=True, check=False)
    assert seen[1:6] == [0, 1, 2, 3, 4]


def test_a_notebook_bar_grows_with_its_number(bars):
    bar = EvaluationBar("momentum", 2, {})
    bar.begin([10])
    widget = SimpleNamespace(max=20)
    bars[0].container = SimpleNamespace(children=["", widget, ""])
    assert bars[0].total == 20
    bar.update(7)
    bar.end_search()
    assert (bars[0].total, widget.max) == (14, 14)
    bar.begin([9, 4])
    assert widget.max == 7 + 13
    bar.update(8)
    bar.end_search()
    assert widget.max == 7 + 8 + 4
    bar.update(4)
    bar.end_search()
    assert widget.max == bars[0].n == 19


def test_a_search_of_unknown_length_has_no_total(bars):
    class Few:
        def start(self, space, seed):
            return 0

        def ask(self, state):
            return [(10.0 * state + 10, 3.0)] if state < 3 else []

        def tell(self, state, points, scores):
            return state + 1

    training = bp.train(momentum, IBM, method=Few(), show_progress=True)
    assert bars[0].options["total"] is None
    assert bars[0].n == bars[0].total == n_made(training)
