# SPDX-License-Identifier: BSD-3-Clause
"""How a search is ended before its end, and what is kept of it then."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._search.protocol import (
    ENDED,
    EndingScore,
    Stop,
    StoppingScore,
    finish,
    maximise,
    propose,
)
from broadpeak.searchers import Ascent, Brute, Dimension, Genetic, Random, SearchSpace

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

PRICES = bp.Data.sample(["IBM", "MSFT"])
IBM = PRICES.select("IBM")
LOOKBACK = 60


def trade(s, days, risk):
    s.stop = risk * s.close
    s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))


def ending(at, what="all", calls=None):
    """Return a strategy of two parameters that ends its search where `at` says so."""

    @bp.strategy(lookback=LOOKBACK)
    def ended(s):
        days = s.optimize(20, 10, 50, 10, name="days")
        risk = s.optimize(0.05, 0.02, 0.08, 0.02, name="risk")
        if calls is not None:
            calls.append((days, risk))
        if s.mode == "train" and at(days, risk):
            s.stop_search(what)
        trade(s, days, risk)

    return ended


def looped(at=lambda *_: False, calls=None, *, common=False):
    """Return one over two assets; `days` may be common to both."""

    @bp.strategy(lookback=LOOKBACK)
    def both(s):
        days = s.optimize(20, 10, 50, 10, name="days") if common else 0
        for asset, _ in s.loop():
            own = days or s.optimize(20, 10, 50, 10, name="days")
            risk = s.optimize(0.05, 0.02, 0.08, 0.02, name="risk")
            if calls is not None:
                calls.append((asset, own, risk))
            if s.mode == "train" and at(asset, own, risk):
                s.stop_search("all")
            trade(s, own, risk)

    return both


class TestStopSearch:
    def test_all_ends_every_parameter(self):
        calls = []
        training = bp.train(ending(lambda days, _: days == 30, calls=calls), IBM, check=False)
        found = training.components["IBM"]
        assert training.trials["days"].tolist() == [10, 20, 30]
        assert list(found.steps) == ["days"]
        assert found.params["risk"] == 0.05
        assert calls[1:4] == [(10, 0.05), (20, 0.05), (30, 0.05)]
        assert len(calls) <= 5  # the first look, and what was chosen

    def test_what_was_found_of_the_parameter_counts(self):
        found = bp.train(ending(lambda days, _: days == 30), IBM).components["IBM"]
        alone = bp.train(ending(lambda days, _: days == 30, "parameter"), IBM).components["IBM"]
        assert found.steps["days"].chosen == alone.steps["days"].chosen
        assert found.steps["days"].objective.tolist() == alone.steps["days"].objective.tolist()

    def test_a_second_pass_keeps_what_the_first_one_found(self):
        @bp.strategy(lookback=LOOKBACK)
        def staged(s):
            days = s.optimize(20, 10, 50, 10, name="days")
            risk = s.optimize(0.05, 0.02, 0.08, 0.02, name="risk")
            if s.train_cycle == 2:
                s.stop_search("all")
            trade(s, days, risk)

        first = bp.train(staged, IBM, select="peak").components["IBM"]
        both = bp.train(staged, IBM, select="peak", passes=2).components["IBM"]
        assert both.params["risk"] == first.params["risk"]
        assert len(both.curves) == 3

    @pytest.mark.parametrize("method", ["brute", "random", "genetic"])
    def test_searches_that_move_all_at_once_end(self, method):
        training = bp.train(
            ending(lambda days, risk: (days, risk) == (20, 0.04)), IBM, method=method
        )
        trials = training.trials
        at = ((trials["days"] == 20) & np.isclose(trials["risk"], 0.04)).to_numpy()
        assert at.argmax() == len(trials) - 1 or method != "brute"
        best = trials.loc[trials["objective"].idxmax()]
        if method == "brute":
            assert len(trials) == 6
        elif training.components["IBM"].usable:
            assert training.components["IBM"].params["days"] == best["days"]

    def test_the_next_component_is_searched_as_ever(self):
        training = bp.train(looped(lambda asset, days, _: asset == "IBM" and days == 20), PRICES)
        whole = bp.train(looped(), PRICES)
        assert list(training.components["IBM"].steps) == ["days"]
        found, expected = training.components["MSFT"], whole.components["MSFT"]
        assert found.params == expected.params
        assert found.n_evaluations == expected.n_evaluations

    @pytest.mark.parametrize("method", ["ascent", "brute"])
    @pytest.mark.parametrize("options", [{}, {"borrow": 0.5}], ids=["common", "borrowed"])
    def test_those_searched_together_end_together(self, method, options):
        calls = []
        strategy = looped(
            lambda asset, days, _: asset == "MSFT" and days == 20, calls, common=not options
        )
        training = bp.train(strategy, PRICES, method=method, check=False, **options)
        assert max(days for _, days, _ in calls[2:]) <= (50 if options else 20)
        for found in training.components.values():
            assert found.params["risk"] == 0.05 or method == "brute"
            assert found.n_evaluations <= 25
        whole = bp.train(looped(common=not options), PRICES, method=method, **options)
        assert len(training.trials) < len(whole.trials)

    def test_something_else_is_refused(self):
        with pytest.raises(bp.ParamError, match="what must be one of 'parameter', 'all', got 3"):
            bp.train(ending(lambda *_: True, 3), IBM)

    @pytest.mark.engine
    @pytest.mark.parametrize("engine", ["threadpool", "processpool"])
    def test_an_engine_gives_the_same(self, engine):
        strategy = ending(lambda days, _: days == 30)
        serial = bp.train(strategy, IBM)
        other = bp.train(strategy, IBM, engine=engine, n_workers=2)
        pd.testing.assert_frame_equal(other.trials, serial.trials, check_exact=True)
        assert other.params == serial.params

    def test_a_stored_training_is_read_back(self, tmp_path):
        calls = []
        strategy = ending(lambda days, _: days == 30, calls=calls)
        options = {"store": tmp_path / "runs.db", "store_key": "1"}
        first = bp.train(strategy, IBM, **options)
        n = len(calls)
        again = bp.train(strategy, IBM, **options)
        pd.testing.assert_frame_equal(again.trials, first.trials, check_exact=True)
        assert len(calls) - n < n

    def test_the_result_is_whole(self, tmp_path):
        training = bp.train(ending(lambda days, _: days == 30), IBM)
        training.to_par(tmp_path / "ended.par")
        tested = bp.test(training.strategy, IBM, tmp_path / "ended.par")
        assert not tested.trades.empty
        page = tmp_path / "page.html"
        training.report(page, verdict=False)
        assert "risk" in page.read_text("utf-8")
        assert training.summary().loc["IBM", "risk"] == 0.05

    def test_a_walk_forward_ends_each_of_its_searches(self):
        walked = bp.walk_forward(ending(lambda days, _: days == 30), IBM, cycles=3)
        assert [len(one.trials) for one in walked.trainings] == [3, 3, 3]


class TestOnStep:
    def test_those_searched_together_end_together(self):
        def on_step(info):
            return not (info.component == "*" and info.params["days"] == 30)

        training = bp.train(looped(common=True), PRICES, on_step=on_step)
        assert training.trials["component"].tolist() == ["*"] * 3
        assert [one.params["risk"] for one in training.components.values()] == [0.05, 0.05]

    def test_false_after_the_last_step_ends_nothing(self):
        whole = bp.train(looped(), PRICES)
        training = bp.train(looped(), PRICES, on_step=lambda info: info.par_cycle > 0)
        assert training.params == whole.params

    @pytest.mark.parametrize("method", ["ascent", "brute"])
    @pytest.mark.parametrize("common", [False, True])
    def test_an_error_keeps_what_is_finished(self, method, common):
        seen = []

        def on_step(info):
            seen.append(info)
            if len(seen) == 3:
                raise KeyError("mine")

        with pytest.raises(KeyError, match="mine") as caught:
            bp.train(looped(common=common), PRICES, on_step=on_step, method=method)
        assert len(seen) == 3
        training = caught.value.training
        assert len(training.trials) == 3
        assert list(training.components) == ["IBM", "MSFT"]
        assert training.components["MSFT"].params["risk"] == 0.05
        assert "error.training" in caught.value.__notes__[0]
        assert not bp.test(training.strategy, PRICES, training).trades.empty

    def test_an_error_on_an_engine(self):
        def on_step(info):
            if info.step_cycle == 3:
                raise ValueError("mine")

        with pytest.raises(ValueError, match="mine") as caught:
            bp.train(ending(lambda *_: False), IBM, on_step=on_step, engine="threadpool")
        assert len(caught.value.training.trials) == 3

    def test_an_error_in_a_walk_forward_keeps_the_cycles_before(self):
        steps = []

        def on_step(info):
            steps.append(info)
            if len(steps) == 15:
                raise ValueError("mine")

        with pytest.raises(ValueError, match="mine") as caught:
            bp.walk_forward(ending(lambda *_: False), IBM, cycles=3, on_step=on_step)
        whole = bp.walk_forward(ending(lambda *_: False), IBM, cycles=3)
        kept = caught.value.trainings
        assert len(kept) == 2
        assert kept[0].params == whole.trainings[0].params
        assert len(kept[1].trials) < len(whole.trainings[1].trials)

    def test_an_error_that_takes_no_attribute_is_raised_all_the_same(self):
        class Own(Exception):  # noqa: N818
            def __setattr__(self, name, value):
                if name == "training":
                    raise AttributeError(name)
                super().__setattr__(name, value)

        def on_step(_):
            raise Own

        with pytest.raises(Own):
            bp.train(ending(lambda *_: False), IBM, on_step=on_step)

    def test_who_stops_the_program_stops_it(self):
        def on_step(_):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) as caught:
            bp.train(ending(lambda *_: False), IBM, on_step=on_step)
        assert not hasattr(caught.value, "training")


SPACE = SearchSpace([Dimension("x", 3, 1, 9, 1), Dimension("y", 2, 1, 4, 1)])


def hill(point):
    return 20 - abs(point[0] - 6) - abs(point[1] - 3)


class TestProtocol:
    @pytest.mark.parametrize("searcher", [Ascent(), Brute(), Genetic(10, 5), Random(20)])
    @given(n=st.integers(1, 12))
    def test_an_ending_score_is_the_last(self, searcher, n):
        seen = []

        def evaluate_many(steps):
            scores = []
            for step in steps:
                if step.par_cycle == 0:
                    return [hill(step.point)]
                seen.append(step.point)
                score = hill(step.point)
                scores.append(EndingScore(score) if len(seen) == n else score)
                if len(seen) >= n:
                    break
            return scores

        found = maximise(searcher, SPACE, evaluate_many)
        assert len(seen) == n
        assert found.score == hill(found.values)

    def test_a_stopping_score_goes_on_with_the_next_parameter(self):
        seen = []

        def evaluate_many(steps):
            seen.extend(step.parameter for step in steps)
            return [StoppingScore(hill(steps[0].point))]

        maximise(Ascent(), SPACE, evaluate_many)
        assert {"x", "y"} <= set(seen)

    def test_a_search_that_ends_before_it_begins_has_the_defaults(self):
        for searcher in (Ascent(), Brute(), Genetic(10, 5), Random(20)):
            proposals = propose(searcher, SPACE)

            def answer(steps):
                return ENDED if steps[0].par_cycle else [hill(steps[0].point)]

            found = finish(proposals, answer)
            assert found.values == (3, 2)
            assert not found.choice.usable

    def test_an_empty_tuple_is_a_mistake_and_ends_nothing(self):
        with pytest.raises(bp.ParamError, match="return one score for each of its 9 steps"):
            maximise(Ascent(), SPACE, lambda steps: ())

    def test_marks(self):
        for stop in Stop:
            assert Stop.of(stop.marked(1.5)) is stop
            assert stop.marked(1.5) == 1.5
