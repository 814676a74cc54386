# SPDX-License-Identifier: BSD-3-Clause
"""`train`: what is evaluated, and what comes out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from strategy_cases import DATA, N, make_trend, quiet

import broadpeak as bp
from broadpeak._training.performance import FIELDS


class TestCalls:
    def test_discovery_then_steps_then_the_choice(self):
        calls = []
        training = quiet(make_trend(calls=calls), min_trades=1, check=False)
        found = training.params["X"]
        assert calls[0] == (5, 3, 3)
        grids = [2, 4, 6, 8, 10], [2, 3, 4, 5], [1, 2, 3, 4, 5]
        steps = [(x, 3, 3) for x in grids[0]]
        steps += [(found["fast"], x, 3) for x in grids[1]]
        steps += [(found["fast"], found["factor"], x) for x in grids[2]]
        assert calls[1:15] == steps
        assert calls[15:] == [tuple(found.values())]
        assert training.components["X"].n_evaluations == 15

    def test_second_pass_starts_from_the_first(self):
        calls = []
        training = quiet(make_trend(calls=calls), min_trades=1, passes=2, check=False)
        one = {c.parameter: c.chosen for c in training.components["X"].curves if c.pass_number == 1}
        again = calls[15:20]
        assert [call[1:] for call in again] == [(one["factor"], one["stop"])] * 5

    def test_nothing_is_evaluated_twice(self):
        for method in ("brute", "genetic", "random"):
            calls = []
            options = {"generations": 5, "population": 20, "check": False}
            quiet(make_trend(calls=calls), method=method, **options)
            assert len(set(calls[1:])) == len(calls[1:])

    def test_brute_tries_everything(self):
        training = quiet(make_trend(), method="brute", select="peak", min_trades=1)
        trials = training.trials
        assert len(trials) == 100
        best = trials.loc[trials["objective"].idxmax()]
        assert training.params["X"] == {name: best[name] for name in ("fast", "factor", "stop")}
        assert training.components["X"].objective == best["objective"]

    def test_integers_are_rounded_and_evaluated_once(self):
        seen = []

        @bp.strategy(lookback=20)
        def whole(s):
            days = s.optimize(3, 1, 5, -10, name="days", integer=True)
            seen.append(days)
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days + 1)))
            s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, days + 1)))

        training = quiet(whole, check=False)
        assert sorted(set(seen)) == [1, 2, 3, 4, 5]
        assert len(seen) <= 1 + 5 + 1
        assert training.params["X"]["days"] in {1, 2, 3, 4, 5}
        curve = training.components["X"].steps["days"]
        assert len(curve.values) == 18
        assert len(training.trials) == 5

    def test_index_into_an_array(self):
        periods = [10, 20, 50, 100, 200]
        seen = set()

        @bp.strategy(lookback=200)
        def choice(s):
            period = periods[round(s.optimize(1, 0, 4, 1, name="which"))]
            seen.add(period)
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, period)))
            s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, period)))

        quiet(choice, min_trades=1)
        assert seen == set(periods)

    def test_stop_search_ends_the_parameter(self):
        calls = []

        @bp.strategy(lookback=20)
        def stopping(s):
            a = s.optimize(3, 1, 9, 1, name="a")
            b = s.optimize(3, 1, 4, 1, name="b")
            calls.append((a, b, s.par_cycle, s.step_cycle))
            if s.par_cycle == 1 and s.step_cycle == 4:
                s.stop_search()
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, a + b)))
            s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, a + b)))

        training = quiet(stopping, check=False)
        assert [call[0] for call in calls[1:5]] == [1, 2, 3, 4]
        assert [call[2:] for call in calls[1:9]] == [(1, k) for k in (1, 2, 3, 4)] + [
            (2, k) for k in (1, 2, 3, 4)
        ]
        assert len(training.components["X"].steps["a"].values) == 4

    def test_progress_members(self):
        seen = []

        @bp.strategy(lookback=20)
        def watching(s):
            a = s.optimize(3, 1, 3, 1, name="a")
            s.optimize(3, 1, 3, 1, name="b")
            seen.append((s.train_cycle, s.par_cycle, s.step_cycle, s.num_parameters))
            s.enter_long(s.close > np.roll(s.close, int(a)))

        quiet(watching, passes=2, check=False)
        assert seen[0] == (0, 0, 0, 0)
        assert seen[1:4] == [(1, 1, 1, 2), (1, 1, 2, 2), (1, 1, 3, 2)]
        assert all(one[3] == 2 for one in seen[1:])

    def test_simple_exit_while_the_entry_is_trained(self):
        # What depends on the progress is evaluated again where the progress differs.
        seen = []

        @bp.strategy(lookback=20)
        def staged(s):
            a = s.optimize(3, 2, 8, 1, name="a")
            b = s.optimize(2, 1, 3, 1, name="b")
            simple = s.mode == "train" and s.par_cycle <= s.num_parameters - 1
            seen.append((a, b, simple))
            s.stop = 50.0 if simple else b
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, a)))
            s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, a)))

        options = {"select": "peak", "min_trades": 1, "check": False}
        training = quiet(staged, objective=lambda stats: 1 + stats.net, **options)
        found = training.components["X"]
        a = found.params["a"]
        assert [one[2] for one in seen[1:]] == [True] * 7 + [False] * 4
        assert seen[8:11] == [(a, b, False) for b in (1, 2, 3)]
        trials = training.trials
        assert len(trials) == 10
        before, after = (
            trials[(trials["parameter"] == name) & (trials["a"] == a)] for name in "ab"
        )
        assert before["net"].item() != after["net"].iloc[1]
        tested = bp.test(staged, DATA, training, sizing="unit")
        net = tested.value.iloc[-1] - tested.value.iloc[0]
        assert net == pytest.approx(found.stats.net)

    def test_on_step(self):
        seen = []
        quiet(make_trend(), min_trades=1, on_step=seen.append)
        assert len(seen) == 15
        first = seen[0]
        assert (first.component, first.parameter, first.par_cycle, first.step_cycle) == (
            "X",
            "fast",
            1,
            1,
        )
        assert first.params == {"fast": 2, "factor": 3, "stop": 3}
        assert first.stats.num_trades > 0
        assert seen[-1].par_cycle == 0

    def test_on_step_can_end_a_parameter(self):
        training = quiet(
            make_trend(),
            min_trades=1,
            on_step=lambda info: not (info.parameter == "fast" and info.step_cycle == 2),
        )
        curves = training.components["X"].steps
        assert [len(curves[name].values) for name in ("fast", "factor", "stop")] == [2, 4, 5]


class TestResult:
    def test_components(self):
        training = quiet(make_trend(), min_trades=1)
        found = training.components["X"]
        assert (found.key, found.asset, found.algo) == ("X", "X", None)
        assert list(found.params) == ["fast", "factor", "stop"]
        assert set(found.at_edge) == set(found.params)
        assert found.defaults == {"fast": 5, "factor": 3, "stop": 3}
        assert found.n_bars == N - 100
        assert found.first == DATA.index[100]
        assert found.last == DATA.index[-1]
        assert found.stats.bars == N - 100
        assert "fast" in repr(training)
        assert "<table" in training._repr_html_()

    def test_trials(self):
        training = quiet(make_trend(), min_trades=1)
        trials = training.trials
        head = ["component", "pass", "parameter", "step", "fast", "factor", "stop"]
        assert list(trials.columns) == [*head, "objective", "wins", "losses", *FIELDS]
        assert len(trials) == 14
        assert trials["parameter"].tolist() == ["fast"] * 5 + ["factor"] * 4 + ["stop"] * 5
        assert trials["step"].tolist() == [1, 2, 3, 4, 5, 1, 2, 3, 4, 1, 2, 3, 4, 5]
        assert (trials["wins"] + trials["losses"] == trials["num_win"] + trials["num_loss"]).all()
        np.testing.assert_allclose(trials["net"], trials["win_total"] - trials["loss_total"])

    def test_curve_of_steps(self):
        training = quiet(make_trend(), min_trades=1)
        curve = training.components["X"].steps["factor"]
        trials = training.trials[training.trials["parameter"] == "factor"]
        np.testing.assert_array_equal(curve.values, trials["factor"])
        np.testing.assert_array_equal(curve.objective, trials["objective"])
        np.testing.assert_array_equal(curve.wins, trials["wins"])
        assert curve.default == 3
        assert curve.chosen == training.params["X"]["factor"]
        assert curve.table().shape == (4, 4)

    def test_final_objective_is_a_run_of_its_own(self):
        training = quiet(make_trend(), min_trades=1)
        found = training.components["X"]
        assert found.objective == bp.objectives["prr"](found.stats, 1)

    def test_curves(self):
        training = quiet(make_trend(), min_trades=1, curves=True)
        assert training.curves.shape == (14, N - 100)
        np.testing.assert_allclose(
            training.curves.sum(axis=1), training.trials["net"], rtol=0, atol=1e-9
        )
        assert training.curves.columns[0] == DATA.index[100]
        assert quiet(make_trend(), min_trades=1).curves is None

    def test_par_round_trip(self, tmp_path):
        training = quiet(make_trend(), min_trades=1)
        path = training.to_par(tmp_path / "trend.par")
        back = bp.read_par(path)
        assert back.params == training.params
        assert back.strategy == "trend"
        assert back.components["X"].objective == training.components["X"].objective

    def test_csv(self, tmp_path):
        training = quiet(make_trend(), min_trades=1)
        path = training.to_csv(tmp_path / "new" / "trials.csv")
        pd.testing.assert_frame_equal(
            pd.read_csv(path), training.trials, check_dtype=False, check_exact=False
        )

    def test_table_cuts_through_the_choice(self):
        training = quiet(make_trend(), method="brute", min_trades=1)
        table = training.table("fast", "stop")
        assert table.shape == (5, 5)
        chosen = training.params["X"]
        trials = training.trials
        same = trials[trials["factor"] == chosen["factor"]]
        expected = same.pivot(index="stop", columns="fast", values="objective")
        pd.testing.assert_frame_equal(table, expected)
        curve = training.step_curve("fast")
        np.testing.assert_array_equal(curve.objective, expected.loc[chosen["stop"]])

    def test_unknown_names(self):
        training = quiet(make_trend(), min_trades=1)
        with pytest.raises(bp.ParamError, match=r"parameter must be one of .*Did you mean 'stop'"):
            training.step_curve("stopp")
        with pytest.raises(bp.ParamError, match="component must be one of 'X'"):
            training.step_curve("stop", "Y")
        with pytest.raises(bp.ParamError, match="x and y must be two parameters"):
            training.table("stop", "stop")

    def test_no_chart_of_a_genetic_search(self):
        training = quiet(make_trend(), method="random", n_evaluations=3)
        with pytest.raises(bp.ParamError, match="at least two of its values"):
            training.step_curve("fast")

    def test_settings_and_environment(self):
        training = quiet(make_trend(), min_trades=7, n_workers=1, engine="serial")
        assert training.settings["min_trades"] == 7
        assert training.settings["engine"] == "serial"
        assert training.environment["data"] == DATA.fingerprint()
        assert training.seconds > 0


class TestDefaultsKept:
    def test_never_trades(self):
        @bp.strategy(lookback=20)
        def never(s):
            s.optimize(3, 1, 9, 1, name="a")
            s.enter_long(np.zeros(len(s.close), dtype=bool))

        with pytest.warns(UserWarning, match="never trades"):
            training = bp.train(never, DATA)
        assert training.params == {"X": {"a": 3}}
        assert training.components["X"].objective == 0
        assert not training.components["X"].usable

    def test_a_strategy_that_returns_something_instead_of_placing_orders(self):
        @bp.strategy(lookback=20)
        def idle(s):
            return s.optimize(3, 1, 9, 1)

        with pytest.warns(UserWarning, match="never trades"):
            assert bp.train(idle, DATA).params == {"X": {"p1": 3}}

    def test_nothing_usable(self):
        with pytest.warns(UserWarning, match="no step with a usable objective"):
            training = bp.train(make_trend(), DATA, objective=lambda stats: -1.0)
        assert training.params["X"] == {"fast": 5, "factor": 3, "stop": 3}
        assert training.components["X"].objective == 0

    def test_nothing_above_zero_is_said_in_words(self):
        with pytest.warns(UserWarning, match="no edge to choose; `bp.select` would take the least"):
            bp.train(make_trend(), DATA, objective=lambda stats: -1.0 - stats.num_win)

    @pytest.mark.parametrize("method", ["ascent", "brute", "genetic", "random"])
    def test_an_unused_parameter_keeps_its_default_and_gets_no_plus(self, method, tmp_path):
        @bp.strategy(lookback=20)
        def unused(s):
            days = s.optimize(3, 2, 9, 1, name="days")
            s.optimize(7, 1, 9, 1, name="idle")
            s.optimize(1, 1, 5, 1, name="low")
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))
            s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, days)))

        training = quiet(unused, method=method, objective=lambda stats: 1.0 + stats.num_win)
        found = training.components["X"]
        assert (found.params["idle"], found.params["low"]) == (7, 1)
        assert not found.at_edge["idle"]
        assert not found.at_edge["low"]  # its default is the first step, and that is no edge
        line = training.to_par(tmp_path / "x.par").read_text().splitlines()[-1]
        assert "+1" not in line.split("=>")[0]

    @pytest.mark.parametrize("options", [{"select": "peak"}, {"method": "brute", "select": "peak"}])
    def test_a_choice_that_stands_alone_is_said(self, options):
        tried = []

        @bp.strategy(lookback=20)
        def spiked(s):
            tried.append(s.optimize(3, 2, 12, 1, name="days"))
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, 3)))
            s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, 3)))

        heights = {days: 1 + 0.1 * (days % 3) for days in range(2, 13)}
        broad = {**heights, 6: 1.8, 7: 2.0, 8: 1.9}
        with pytest.warns(UserWarning, match=r"chosen for 'spiked' stands alone \(X") as caught:
            training = bp.train(
                spiked, DATA, objective=lambda stats: {**heights, 7: 9}[tried[-1]], **options
            )
        assert [note.kind for note in training.notes].count("narrow") == 1
        assert training.params["X"] == {"days": 7}
        assert len(caught) == len(training.notes)
        for curve in training.components["X"].curves:
            assert curve.robustness == 0
        training = quiet(spiked, objective=lambda stats: broad[tried[-1]], **options)
        assert "narrow" not in [note.kind for note in training.notes]

    def test_not_finite_is_unusable(self):
        def odd(stats):
            return stats.net if stats.num_trades % 2 else float("nan")

        training = quiet(make_trend(), objective=odd, method="brute", select="peak")
        assert training.trials["objective"].isna().any()

    def test_few_trades_warn(self):
        with pytest.warns(UserWarning, match="fewer than 20 trades per parameter"):
            bp.train(make_trend(), DATA, min_trades=1)

    @pytest.mark.parametrize(("entries", "warns"), [(19, True), (20, False), (21, False)])
    def test_twenty_trades_for_a_parameter_are_enough(self, entries, warns):
        @bp.strategy(lookback=20)
        def counting(s):
            s.optimize(3, 1, 9, 1, name="a")
            bars = np.arange(len(s.close)) - 30
            s.enter_long((bars % 10 == 0) & (bars >= 0) & (bars < 10 * entries))
            s.exit_long(bars % 10 == 5)

        training = quiet(counting, objective="binary", min_trades=1, select="peak")
        assert training.components["X"].stats.num_trades == entries
        few = [note for note in map(str, training.notes) if "fewer than 20 trades" in note]
        assert bool(few) == warns

    def test_zero_lots(self):
        @bp.strategy(lookback=20)
        def broke(s):
            s.lots = 0
            s.optimize(3, 1, 9, 1, name="a")
            s.enter_long(np.ones(len(s.close), dtype=bool))

        with pytest.warns(UserWarning, match="never trades"):
            assert bp.train(broke, DATA).params == {"X": {"a": 3}}

    def test_stored_and_not_searched(self):
        calls = []

        @bp.strategy(lookback=20)
        def stored(s):
            calls.append(1)
            days = s.optimize(3, 2, 6, 1, name="days")
            level = s.optimize(float(np.std(s.close)) * days, 0, 0, name="level")
            assert level == float(np.std(s.close)) * days
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))
            s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, days)))

        training = quiet(stored, check=False)
        found = training.params["X"]
        spread = np.std(DATA.close.to_numpy()[0:])
        assert found["level"] == pytest.approx(spread * found["days"])
        levels = spread * training.trials["days"]
        np.testing.assert_allclose(training.trials["level"], levels)
        assert len(calls) <= 7
