# SPDX-License-Identifier: BSD-3-Clause
"""`s.fit`: models that are fitted on a training's bars, and come along into its tests."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from guard_zoo import cross, levels, walk

import broadpeak as bp

ONE = walk(5, 500)
BOTH = bp.Data.from_frames(
    {
        name: pd.DataFrame(
            {field: getattr(walk(seed, 400), field) for field in ("open", "high", "low", "close")}
        )
        for name, seed in (("A", 1), ("B", 2))
    }
)


def quiet(func, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return func(*arguments, **options)


def make_banded(fitted=None, key="mean"):
    """Return a strategy that buys below the mean of its training, as a function by value."""

    def mean(bars):
        if fitted is not None:
            fitted.append((bars.asset, bars.index[0], bars.index[-1], len(bars.close)))
        return float(np.mean(bars.close))

    @bp.strategy(lookback=30, name="banded")
    def banded(s):
        level = s.fit(key, mean)
        width = s.optimize(0.01, 0.0, 0.03, 0.01, name="width")
        levels(s, level - s.close, width * level, -width * level)

    return banded


def make_depending(fitted=None):
    @bp.strategy(lookback=30, name="depending")
    def depending(s):
        days = s.optimize(10, 5, 20, 5, name="days")

        def scale(bars):
            if fitted is not None:
                fitted.append(days)
            return float(np.nanstd(bars.close - bp.sma(bars.close, days)))

        deviation = s.fit("scale", scale)
        width = s.optimize(0.5, 0.25, 1, 0.25, name="width")
        levels(s, bp.sma(s.close, days) - s.close, width * deviation, -width * deviation)

    return depending


class TestTraining:
    def test_sees_lookback_and_window_once(self):
        fitted = []
        start, end = ONE.index[100], ONE.index[299]
        quiet(bp.train, make_banded(fitted), ONE, start=start, end=end)
        assert fitted == [("X", ONE.index[70], end, 230)]

    def test_once_for_each_value_it_may_depend_on(self):
        fitted = []
        training = quiet(bp.train, make_depending(fitted), ONE, method="brute")
        steps = set(training.trials["days"])
        assert len(training.trials) == 16
        assert sorted(fitted) == sorted(steps | {training.params["X"]["days"]})

    def test_what_was_fitted_with_other_values_is_not_used(self):
        training = quiet(bp.train, make_depending(), ONE, method="brute", select="peak")
        trials = training.trials

        for days in (5, 20):
            data = ONE.close.to_numpy()
            scale = float(np.nanstd(data - bp.sma(data, days)))

            @bp.strategy(lookback=30)
            def plain(s, days=days, scale=scale):
                width = s.optimize(0.5, 0.25, 1, 0.25, name="width")
                levels(s, bp.sma(s.close, days) - s.close, width * scale, -width * scale)

            same = quiet(bp.train, plain, ONE, method="brute", check=False).trials
            rows = trials[trials["days"] == days]
            assert rows["net"].tolist() == same["net"].tolist()

    def test_keeps_few_models_during_a_long_search(self):
        alive = []

        class Model:
            def __init__(self):
                alive.append(1)

            def __del__(self):
                alive.pop()

        most = []

        @bp.strategy(lookback=10)
        def many(s):
            days = s.optimize(10, 1, 200, 1, name="days")
            s.fit("model", lambda bars: Model())
            most.append(len(alive))
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, 5 + days / 100)))

        quiet(bp.train, many, ONE, check=False)
        assert len(most) > 190
        assert max(most) < 40

    def test_each_component_has_its_own(self):
        fitted = []

        def mean(bars):
            fitted.append(bars.asset)
            return float(np.mean(bars.close))

        @bp.strategy(lookback=30)
        def looped(s):
            for _, algo in s.loop(algos=["near", "far"]):
                level = s.fit("mean", mean)
                width = s.optimize(0.01, 0.0, 0.03, 0.01, name="width")
                width *= 2 if algo == "far" else 1
                levels(s, level - s.close, width * level, -width * level)

        training = quiet(bp.train, looped, BOTH)
        assert sorted(fitted) == ["A", "A", "B", "B"]
        tested = quiet(bp.test, looped, BOTH, training, sizing="unit")
        assert sorted(fitted) == ["A", "A", "B", "B"]
        for key, found in training.components.items():
            value = tested.components[key].value
            assert value.iloc[-1] - value.iloc[0] == pytest.approx(found.stats.net)

    def test_common_parameters_count_too(self):
        @bp.strategy(lookback=30)
        def looped(s):
            days = s.optimize(10, 5, 20, 5, name="days")
            for _ in s.loop():
                width = s.optimize(0.01, 0.0, 0.03, 0.01, name="width")
                low = s.fit("low", lambda bars, w=width: bp.lowest(bars.close, days)[-1] * (1 - w))
                levels(s, -s.close, -low, -1.5 * low)

        training = quiet(bp.train, looped, BOTH)
        tested = quiet(bp.test, looped, BOTH, training, sizing="unit")
        assert list(tested.components) == ["A", "B"]

    def test_samples_fit_on_their_own_bars(self):
        hours = pd.date_range("2020-01-01", periods=3000, freq="h")
        steps = np.random.default_rng(1).normal(0, 0.002, len(hours))
        close = pd.DataFrame({"close": 100 * np.exp(steps.cumsum())}, index=hours)
        fitted = []
        fine = bp.Data.from_frames({"X": close})
        training = quiet(bp.train, make_banded(fitted), fine, samples=("4h", 4))
        assert len({last for _, _, last, _ in fitted}) == 4
        quiet(bp.test, make_banded(), fine.resample("4h"), training)


class TestTesting:
    @pytest.mark.parametrize("make", [make_banded, make_depending])
    def test_takes_the_model_of_the_training(self, make):
        fitted = []
        plan = make(fitted)
        training = quiet(bp.train, plan, ONE, end=ONE.index[299])
        n_fitted = len(fitted)
        tested = quiet(bp.test, plan, ONE, training, end=ONE.index[299], sizing="unit")
        value = tested.value
        assert value.iloc[-1] - value.iloc[0] == pytest.approx(training.components["X"].stats.net)
        later = quiet(bp.test, plan, ONE, training, start=ONE.index[300])
        assert len(later.value) == 200
        bp.signals(plan, ONE, training)
        assert len(fitted) == n_fitted

    def test_later_bars_change_no_order(self):
        plan = make_depending()
        training = quiet(bp.train, plan, ONE, end=ONE.index[299])
        long = quiet(bp.test, plan, ONE, training).trades
        short = quiet(bp.test, plan, ONE[: ONE.index[400]], training).trades
        closed = short[short["status"] == "closed"]
        shown = ["entry_index", "exit_index", "pnl"]
        assert long[shown].iloc[: len(closed)].equals(closed[shown])

    def test_training_can_be_pickled(self):
        def closure(bars):
            level = float(np.mean(bars.close))
            return lambda x: x - level  # a model that plain pickle cannot take

        @bp.strategy(lookback=30)
        def run(s):
            model = s.fit("model", closure)
            width = s.optimize(1, 0, 3, 1, name="width")
            levels(s, -model(s.close), width, -width)

        training = quiet(bp.train, run, ONE)
        again = pickle.loads(pickle.dumps(training))
        one, two = (quiet(bp.test, run, ONE, each).value for each in (training, again))
        assert one.equals(two)

    def test_the_page_of_a_training(self):
        plan = make_depending()
        training = quiet(bp.train, plan, ONE, end=ONE.index[299])
        backtests = training.backtests
        assert backtests.chosen_unseen.value.equals(
            quiet(bp.test, plan, ONE, training, start=ONE.index[300]).value
        )
        assert len(backtests.defaults.trades) > 0

    def test_needs_a_training(self, tmp_path):
        plan = make_banded()
        training = quiet(bp.train, plan, ONE)
        path = training.to_par(tmp_path / "banded.par")
        for params in (None, path, bp.read_par(path), training.params):
            with pytest.raises(bp.StrategyError, match=r"(?s)must find a model.*got no training"):
                bp.test(plan, ONE, params)
        with pytest.raises(bp.StrategyError, match="Pass the Training itself"):
            bp.signals(plan, ONE, path)

    def test_needs_a_training_that_fitted_it(self):
        training = quiet(bp.train, make_banded(key="mean"), ONE)
        with pytest.raises(bp.StrategyError, match=r"s\.fit\('other'\) must find a model"):
            bp.test(make_banded(key="other"), ONE, training)


class TestWalkForward:
    def test_each_cycle_has_its_own_window(self):
        fitted = []
        wf = quiet(bp.walk_forward, make_banded(fitted), ONE, cycles=4, check=False)
        rows = wf.cycles
        assert [last for _, _, last, _ in fitted] == rows["train_end"].tolist()
        assert all((rows["test_start"] > rows["train_end"])[:-1])

    def test_on_random_walks_nothing_is_found(self):
        """A regression on the last 20 moves: inside the run it knows the test, in s.fit not."""

        def lags(bars):
            moves = np.diff(np.log(bars.close), prepend=np.log(bars.close[0]))
            n = len(moves)
            return np.column_stack([np.append(np.zeros(k), moves[: n - k]) for k in range(20)])

        def regression(bars):
            target = np.append(np.diff(np.log(bars.close)), 0.0)
            x = lags(bars)
            return np.linalg.solve(x.T @ x, x.T @ target)

        def trade(s, coefficients):
            threshold = s.optimize(0, 0, 0.0002, 0.0001, name="threshold")
            x = lags(s) @ coefficients
            s.enter_long(x > threshold)
            s.enter_short(x < -threshold)

        @bp.strategy(lookback=60)
        def inside(s):
            trade(s, regression(s))

        @bp.strategy(lookback=60)
        def carried(s):
            trade(s, s.fit("regression", regression))

        found = {}
        for plan in (inside, carried):
            found[plan.name] = sharpes = []
            for seed in range(6):
                data = walk(seed, 800, drift=-(0.012**2) / 2)
                wf = quiet(bp.walk_forward, plan, data, cycles=3, check=False)
                sharpes.append(float(wf.portfolio.sharpe_ratio))
        means = {name: np.mean(values) for name, values in found.items()}
        errors = {name: np.std(values, ddof=1) / 6**0.5 for name, values in found.items()}
        assert means["inside"] > 3 * errors["inside"]
        assert abs(means["carried"]) < 2 * errors["carried"]
        with pytest.raises(bp.StrategyError, match=r"must not look ahead.*s\.fit\(\) for models"):
            bp.walk_forward(inside, ONE, cycles=3)
        quiet(bp.walk_forward, carried, ONE, cycles=3)

    @pytest.mark.parametrize(
        "engine",
        [
            {"engine": "threadpool", "n_workers": 2},
            pytest.param({"engine": "processpool", "n_workers": 2}, marks=pytest.mark.engine),
        ],
        ids=lambda options: options["engine"],
    )
    def test_engines(self, engine):
        plan = make_depending()
        serial = quiet(bp.train, plan, ONE, method="brute")
        other = quiet(bp.train, plan, ONE, method="brute", **engine)
        pd.testing.assert_frame_equal(other.trials, serial.trials, check_exact=True)
        assert quiet(bp.test, plan, ONE, other).value.equals(
            quiet(bp.test, plan, ONE, serial).value
        )
        serial = quiet(bp.walk_forward, plan, ONE, cycles=3)
        other = quiet(bp.walk_forward, plan, ONE, cycles=3, **engine)
        pd.testing.assert_frame_equal(other.cycles, serial.cycles, check_exact=True)
        assert other.portfolio.value.equals(serial.portfolio.value)

    def test_store(self, tmp_path):
        plan = make_depending()
        path = tmp_path / "runs.db"
        one, two = (quiet(bp.train, plan, ONE, store=path) for _ in range(2))
        pd.testing.assert_frame_equal(one.trials, two.trials, check_exact=True)
        assert quiet(bp.test, plan, ONE, two).value.equals(quiet(bp.test, plan, ONE, one).value)


class TestRules:
    @staticmethod
    def run(body, data=ONE):
        @bp.strategy(lookback=20)
        def broken(s):
            s.optimize(1, 0, 2, 1, name="x")
            body(s)

        return bp.train(broken, data)

    def test_a_key_once_in_a_run(self):
        def twice(s):
            s.fit("model", len)
            s.fit("model", len)

        with pytest.raises(bp.StrategyError, match=r"key of s\.fit\(\) must be another one"):
            self.run(twice)

    def test_a_key_must_be_hashable(self):
        with pytest.raises(bp.StrategyError, match=r"key of s\.fit\(\) must be hashable"):
            self.run(lambda s: s.fit(["model"], len))

    def test_func_must_be_callable(self):
        with pytest.raises(bp.StrategyError, match=r"func of s\.fit\(\) must be a function"):
            self.run(lambda s: s.fit("model", 3))

    def test_func_must_end(self):
        async def later(bars):
            return bars

        with pytest.raises(bp.ParamError, match="must return its result"):
            self.run(lambda s: s.fit("model", later))

    def test_errors_of_func_are_those_of_the_strategy(self):
        with pytest.raises(bp.TaskError, match="ZeroDivisionError"):
            self.run(lambda s: s.fit("model", lambda bars: 1 / 0))

    def test_inside_the_loop_where_there_are_several_assets(self):
        with pytest.raises(bp.StrategyError, match="must belong to one asset"):
            self.run(lambda s: s.fit("model", len), BOTH)

    def test_bars_are_read_only(self):
        def writes(bars):
            bars.close[0] = 1.0

        with pytest.raises(bp.StrategyError, match="must not be changed"):
            self.run(lambda s: s.fit("model", writes))

    def test_a_model_may_be_none(self):
        def nothing(s):
            assert s.fit("model", lambda bars: None) is None
            cross(s, bp.sma(s.close, 5), bp.sma(s.close, 20))

        quiet(self.run, nothing)
