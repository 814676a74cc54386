# SPDX-License-Identifier: BSD-3-Clause
"""`train`: the rules of simulated orders, warm-up, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from strategy_cases import DATA, N, make_data, make_trend, quiet

import broadpeak as bp


class TestRules:
    def test_slippage_is_left_out(self):
        plain = quiet(make_trend(), min_trades=1, costs=bp.Costs(spread=0.1))
        slipping = quiet(make_trend(), min_trades=1, costs=bp.Costs(spread=0.1, slippage=0.01))
        pd.testing.assert_frame_equal(plain.trials, slipping.trials)

    def test_costs_and_rollover_count(self):
        free = quiet(make_trend(), min_trades=1)
        for costs in (bp.Costs(spread=0.5), bp.Costs(commission=0.5), bp.Costs(roll_long=0.1)):
            paid = quiet(make_trend(), min_trades=1, costs=costs)
            assert paid.trials["net"].iloc[0] < free.trials["net"].iloc[0]

    def test_costs_by_asset(self):
        paid = quiet(make_trend(), min_trades=1, costs={"X": bp.Costs(spread=0.5)})
        same = quiet(make_trend(), min_trades=1, costs=bp.Costs(spread=0.5))
        pd.testing.assert_frame_equal(paid.trials, same.trials)

    def test_unit_lots(self):
        @bp.strategy(lookback=20)
        def sized(s):
            days = s.optimize(3, 2, 9, 1, name="days")
            s.lots = 10
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))
            s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, days)))

        unit = quiet(sized).trials["net"]
        script = quiet(sized, sizing="script").trials["net"]
        np.testing.assert_allclose(unit * 10, script)

    def test_open_position_is_closed_and_counted(self):
        @bp.strategy(lookback=20)
        def holding(s):
            s.optimize(3, 2, 9, 1, name="days")
            s.enter_long(np.ones(len(s.close), dtype=bool))

        training = quiet(holding, objective="profit", min_trades=0, costs=bp.Costs(fees=0.01))
        trials = training.trials
        assert (trials["wins"] + trials["losses"] == 1).all()
        entry, last = DATA.open.iloc[21], DATA.close.iloc[-1]
        expected = last - entry - 0.01 * (last + entry)
        np.testing.assert_allclose(trials["net"], expected)

    def test_trades_on_every_bar(self):
        @bp.strategy(lookback=20)
        def busy(s):
            days = s.optimize(3, 2, 6, 1, name="days")
            up = s.close > bp.sma(s.close, days)
            s.enter_long(up)
            s.enter_short(~up)

        assert quiet(busy).trials["num_win"].min() > 0

    def test_all_steps_see_the_same_bars(self):
        trials = quiet(make_trend(), method="brute", min_trades=1).trials
        assert (trials["bars"] == N - 100).all()

    def test_period(self):
        start, end = DATA.index[150], DATA.index[299]
        training = quiet(make_trend(), min_trades=1, start=start, end=end)
        found = training.components["X"]
        assert (found.first, found.last, found.n_bars) == (start, end, 150)
        # The same bars, cut out by hand with their look-back.
        cut = DATA[DATA.index[50] : end]
        pd.testing.assert_frame_equal(
            quiet(make_trend(), cut, min_trades=1).trials, training.trials
        )

    def test_later_bars_do_not_matter(self):
        end = DATA.index[299]
        later = {
            name: getattr(DATA, name).where(DATA.index <= end, getattr(DATA, name) * 2)
            for name in ("open", "high", "low", "close", "volume")
        }
        changed = bp.Data.from_frames({"X": pd.DataFrame(later)})
        one = quiet(make_trend(), min_trades=1, end=end)
        other = quiet(make_trend(), changed, min_trades=1, end=end)
        pd.testing.assert_frame_equal(one.trials, other.trials)

    def test_recency_changes_sums_and_not_counts(self):
        plain = quiet(make_trend(), min_trades=1).trials
        recent = quiet(make_trend(), min_trades=1, recency=3).trials
        assert (plain["num_win"].iloc[:5] == recent["num_win"].iloc[:5]).all()
        assert (plain["win_total"].iloc[:5] != recent["win_total"].iloc[:5]).all()

    def test_detrend_trades(self):
        @bp.strategy(lookback=20)
        def holding(s):
            s.optimize(3, 2, 9, 1, name="days")
            s.enter_long(np.ones(len(s.close), dtype=bool))

        training = quiet(holding, detrend="trades", objective="profit", min_trades=0, curves=True)
        first, last = DATA.close.iloc[20], DATA.close.iloc[-1]
        slope = (last - first) / (N - 1 - 20)
        expected = last - DATA.open.iloc[21] - slope * (N - 1 - 21)
        np.testing.assert_allclose(training.trials["net"], expected)
        np.testing.assert_allclose(training.curves.sum(axis=1), expected)

    @pytest.mark.parametrize("fill", ["nextopen", "close"])
    def test_detrended_equity_takes_no_trend_of_the_entry_bar(self, fill):
        """The trend is taken for each bar held: of the bars after the entry up to the exit."""

        @bp.strategy(lookback=20, fill=fill)
        def twice(s):
            s.optimize(3, 2, 9, 1, name="days")
            bars = np.arange(len(s.close))
            s.enter_long((bars == 50) | (bars == 200))
            s.exit_long((bars == 60) | (bars == 204))

        settings = {"objective": "profit", "min_trades": 0, "curves": True}
        raw = quiet(twice, **settings).curves.iloc[0].cumsum().to_numpy()
        flat = quiet(twice, detrend="trades", **settings).curves.iloc[0].cumsum().to_numpy()
        slope = (DATA.close.iloc[-1] - DATA.close.iloc[20]) / (N - 1 - 20)
        later = 1 if fill == "nextopen" else 0
        held = np.zeros(N)
        for entry, leave in ((50, 60), (200, 204)):
            held[entry + later + 1 : leave + later + 1] = 1
        np.testing.assert_allclose(raw - flat, slope * np.cumsum(held[20:]), atol=1e-9)

    def test_detrend_prices(self):
        seen = []

        @bp.strategy(lookback=20)
        def looking(s):
            seen.append((s.close.copy(), s.high.copy(), s.low.copy()))
            s.optimize(3, 2, 9, 1, name="days")

        quiet(looking, detrend="prices")
        close, high, low = seen[0]
        assert close[20] == pytest.approx(DATA.close.iloc[20])
        assert close[-1] == pytest.approx(close[20])
        assert (high >= close).all()
        assert (low <= close).all()
        assert (close > 0).all()

    @staticmethod
    def stopped(bias):
        @bp.strategy(lookback=100)
        def trend(s):
            fast, slow = bp.sma(s.price, 5), bp.sma(s.price, 15)
            s.stop = bp.atr(s.high, s.low, s.close, 10) * s.optimize(3, 1, 10, 0.5, bias, name="x")
            s.enter_long(bp.crossed_above(fast, slow))
            s.enter_short(bp.crossed_below(fast, slow))

        return trend

    def test_bias_prefers_a_tighter_stop(self):
        exact, tight = (quiet(self.stopped(bias)).components["X"] for bias in (0, -30))
        steps = exact.steps["x"]
        np.testing.assert_array_equal(steps.objective, tight.steps["x"].objective)
        assert tight.params["x"] < exact.params["x"]
        assert tight.steps["x"].score >= 0.7 * steps.score

    @pytest.mark.parametrize("method", ["brute", "genetic"])
    def test_bias_is_for_ascent(self, method):
        found = [quiet(self.stopped(bias), method=method).params for bias in (0, -30, 30)]
        assert found[0] == found[1] == found[2]

    def test_negative_parameters_by_a_shift(self):
        levels = []

        @bp.strategy(lookback=20)
        def shifted(s):
            levels.append(s.optimize(20, 0, 40, 10, name="level") - 20)
            s.enter_long(s.close > s.open * (1 + levels[-1] / 1e4))
            s.exit_long(s.close < s.open * (1 + levels[-1] / 1e4))

        found = quiet(shifted, check=False).params["X"]["level"]
        assert levels[1:-1] == [-20, -10, 0, 10, 20]
        assert levels[-1] == found - 20

    def test_seed(self):
        one = quiet(make_trend(), method="genetic", seed=3, population=10, generations=4)
        two = quiet(make_trend(), method="genetic", seed=3, population=10, generations=4)
        pd.testing.assert_frame_equal(one.trials, two.trials)

    def test_any_searcher(self):
        class Two:
            def start(self, space, seed):
                return 0

            def ask(self, state):
                return [(2.0, 3.0, 3.0), (4.0, 3.0, 3.0)] if state == 0 else []

            def tell(self, state, points, scores):
                return state + 1

        training = quiet(make_trend(), method=Two(), min_trades=1)
        assert len(training.trials) == 2
        assert len(quiet(make_trend(), method=Two(), n_evaluations=1, min_trades=1).trials) == 1


class TestSamples:
    hours = pd.date_range("2020-01-01", periods=2000, freq="h")
    close = 100 * np.exp(np.random.default_rng(1).normal(0, 0.003, 2000).cumsum())
    fine = bp.Data.from_frames({"X": pd.DataFrame({"close": close}, index=hours)})

    @staticmethod
    @bp.strategy(lookback=30)
    def swing(s):
        days = s.optimize(10, 5, 25, 5, name="days")
        s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))
        s.enter_short(bp.crossed_below(s.close, bp.sma(s.close, days)))

    def test_statistics_are_means_over_the_cuts(self):
        pooled = quiet(self.swing, self.fine, samples=("4h", 4)).trials
        alone = [
            quiet(self.swing, self.fine.resample("4h", offset=f"{k}h")).trials for k in range(4)
        ]
        for name in ("num_win", "win_total", "loss_max", "return_mean", "drawdown_max"):
            mean = np.mean([one[name] for one in alone], axis=0)
            np.testing.assert_allclose(pooled[name], mean)

    def test_one_cut_is_the_plain_training(self):
        one = quiet(self.swing, self.fine, samples=("4h", 1))
        plain = quiet(self.swing, self.fine.resample("4h"))
        assert one.params == plain.params
        np.testing.assert_allclose(one.trials["objective"], plain.trials["objective"])

    @pytest.mark.parametrize(
        ("samples", "error", "match"),
        [
            (4, bp.ParamError, r"samples must be \(bar, number of cuts\)"),
            (("W", 4), bp.ParamError, "samples must name a bar"),
            (("4h", 0), bp.ParamError, "the number of samples must be"),
            (("4h", 8), bp.DataError, "data must have bars of at most"),
        ],
    )
    def test_bad_samples(self, samples, error, match):
        with pytest.raises(error, match=match):
            bp.train(self.swing, self.fine, samples=samples)


class TestWarmUp:
    def test_entry_with_an_unknown_stop_warns(self):
        @bp.strategy(lookback=5)
        def hasty(s):
            s.optimize(3, 2, 6, 1, name="days")
            s.stop = bp.atr(s.high, s.low, s.close, 30)
            s.enter_long(np.arange(len(s.close)) % 9 == 0)
            s.exit_long(np.arange(len(s.close)) % 9 == 5)

        with pytest.warns(UserWarning, match="its stop was NaN because of warm-up"):
            bp.train(hasty, DATA)


class TestErrors:
    def test_number_of_calls_changes(self):
        state = []

        @bp.strategy(lookback=20)
        def fickle(s):
            s.optimize(3, 1, 9, 1, name="a")
            state.append(1)
            if len(state) > 3:
                s.optimize(3, 1, 9, 1, name="b")

        with pytest.raises(
            bp.StrategyError, match="must be the same in every run, but call number 2"
        ):
            bp.train(fickle, DATA)

    def test_fewer_calls(self):
        state = []

        @bp.strategy(lookback=20)
        def fickle(s):
            s.optimize(3, 1, 9, 1, name="a")
            state.append(1)
            if len(state) < 3:
                s.optimize(3, 1, 9, 1, name="b")

        with pytest.raises(bp.StrategyError, match=r"there were 2 and are 1, without b\("):
            bp.train(fickle, DATA)

    def test_order_or_range_changes(self):
        state = []

        @bp.strategy(lookback=20)
        def fickle(s):
            state.append(1)
            s.optimize(3, 1, 9 if len(state) < 4 else 8, 1, name="a")

        with pytest.raises(
            bp.StrategyError, match=r"was a\(3, 1, 9, 1, 0\) and is a\(3, 1, 8, 1, 0\)"
        ):
            bp.train(fickle, DATA)

    @pytest.mark.parametrize(
        ("arguments", "match"),
        [
            ((3, -1, 9, 1), "min of p1 must be at least 0"),
            ((3, 9, 1, 1), "max of p1 must be at least its min"),
            ((3, 0, 9), "min of p1 must be above 0 where its step is a percentage"),
            ((3, 1, 1e6, 1), "steps of p1 must be at most 1,000"),
            ((float("nan"), 1, 9, 1), "default of p1 must be a finite number"),
            (("x", 1, 9, 1), "default of p1 must be a finite number"),
        ],
    )
    def test_ranges(self, arguments, match):
        @bp.strategy(lookback=20)
        def bad(s):
            s.optimize(*arguments)

        with pytest.raises(bp.ParamError, match=match):
            bp.train(bad, DATA)

    @pytest.mark.parametrize("name", ["objective", "step", "win_total", "component"])
    def test_reserved_names(self, name):
        @bp.strategy(lookback=20)
        def bad(s):
            s.optimize(3, 1, 9, 1, name=name)

        with pytest.raises(
            bp.ParamError, match="must not be the name of a column of trials or cycles"
        ):
            bp.train(bad, DATA)

    def test_name_twice(self):
        @bp.strategy(lookback=20)
        def bad(s):
            s.optimize(3, 1, 9, 1, name="a")
            s.optimize(3, 1, 9, 1, name="a")

        with pytest.raises(bp.ParamError, match="used by one optimize"):
            bp.train(bad, DATA)

    def test_no_parameter(self):
        @bp.strategy(lookback=20)
        def fixed(s):
            s.enter_long(s.close > 0)

        with pytest.raises(bp.StrategyError, match=r"must call s\.optimize\(\) at least once"):
            bp.train(fixed, DATA)

    @pytest.mark.parametrize("n", [1, 21])
    def test_too_little_history(self, n):
        @bp.strategy(lookback=20)
        def short(s):
            s.optimize(3, 1, 9, 1)

        with pytest.raises(bp.DataError, match=r"at least lookback \+ 2 = 22 bars"):
            bp.train(short, make_data(n))
        bp.test(short, make_data(22))

    def test_own_errors_come_through(self):
        @bp.strategy(lookback=20)
        def bad(s):
            s.optimize(3, 1, 9, 1)
            s.enter_long(np.zeros(3, dtype=bool))

        with pytest.raises(bp.DataError, match=r"enter_long\(when\) must be an array"):
            bp.train(bad, DATA)

    def test_other_errors_name_component_and_values(self):
        @bp.strategy(lookback=20)
        def failing(s):
            a = s.optimize(3, 1, 9, 1, name="a")
            if a == 5:
                raise KeyError("lost")

        with pytest.raises(bp.TaskError, match=r"component=X, a=5.*KeyError"):
            bp.train(failing, DATA)

    def test_errors_of_the_first_call(self):
        @bp.strategy(lookback=20)
        def failing(s):
            raise KeyError("lost")

        with pytest.raises(
            bp.TaskError, match=r"failed \(component=X, defaults\): KeyError"
        ) as info:
            bp.train(failing, DATA)
        assert "on_error" not in str(info.value)  # there is nothing to go on with
        assert isinstance(info.value.__cause__, KeyError)
        with pytest.raises(KeyError, match="lost"):
            info.value.rerun()

    def test_changed_arrays(self):
        @bp.strategy(lookback=20)
        def rude(s):
            s.optimize(3, 1, 9, 1)
            s.close[0] = 1

        with pytest.raises(bp.StrategyError, match="must not be changed"):
            bp.train(rude, DATA)

        @bp.strategy(lookback=20)
        def determined(s):
            s.optimize(3, 1, 9, 1)
            s.close.flags.writeable = True
            s.close[0] = 1

        with pytest.raises(bp.StrategyError, match="must not be changed"):
            bp.train(determined, DATA)

    def test_no_stop_distance(self):
        @bp.strategy(lookback=20)
        def bad(s):
            s.stop = s.optimize(0, 0, 4, 1)
            s.enter_long(np.ones(len(s.close), dtype=bool))

        with pytest.raises(bp.StrategyError, match="stop must be positive where a position is"):
            bp.train(bad, DATA)

    @pytest.mark.parametrize(
        ("options", "error", "match"),
        [
            ({"method": "ascend"}, bp.ParamError, "method must be one of .*'ascent'"),
            ({"method": object()}, bp.ParamError, "methods start, ask and tell"),
            ({"objective": "pr"}, bp.ParamError, "objective must be one of"),
            ({"select": "hil"}, bp.ParamError, "hill"),
            ({"select": ""}, bp.ParamError, "the selector must be one of"),
            ({"passes": 0}, bp.ParamError, "passes must be"),
            ({"min_trades": -1}, bp.ParamError, "min_trades must be"),
            ({"recency": 0.5}, bp.ParamError, "recency must be a finite number of at least 1"),
            ({"detrend": "yes"}, bp.ParamError, "detrend must be one of"),
            ({"sizing": "lots"}, bp.ParamError, "sizing must be one of"),
            ({"costs": 3}, bp.ParamError, "costs must be a Costs"),
            ({"costs": {"Y": bp.Costs()}}, bp.ParamError, "costs must name assets of the data"),
            ({"engin": "serial"}, TypeError, "unknown option 'engin'.*'engine'"),
            ({"on_step": 3}, bp.ParamError, "on_step must be callable"),
            ({"population": 0}, bp.ParamError, "population must be an integer"),
            ({"mutation_rate": 5}, bp.ParamError, "mutation_rate must be a share from 0 to 1"),
            ({"crossover_rate": "x"}, bp.ParamError, "crossover_rate must be a share from 0 to 1"),
            ({"seed": -1}, bp.ParamError, "seed must be an integer of at least 0"),
            ({"n_evaluations": 0}, bp.ParamError, "n_evaluations must be an integer"),
            ({"start": "2030"}, bp.DataError, "at least lookback"),
            ({"engine": "quantum"}, bp.EngineError, "quantum"),
        ],
    )
    def test_bad_options(self, options, error, match):
        with pytest.raises(error, match=match):
            bp.train(make_trend(), DATA, **options)

    @pytest.mark.parametrize("method", ["genetic", "random", bp.searchers.Random(3)])
    def test_number_of_evaluations(self, method):
        training = quiet(make_trend(), method=method, n_evaluations=7)
        assert len(training.trials) == 7

    def test_data_must_be_data(self):
        with pytest.raises(bp.ParamError, match=r"data must be a bp\.Data"):
            bp.train(make_trend(), DATA.close)

    def test_skipping_failures(self):
        @bp.strategy(lookback=20)
        def failing(s):
            a = s.optimize(3, 1, 9, 1, name="a")
            if a == 5:
                raise KeyError("lost")
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, a)))
            s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, a)))

        with pytest.warns(UserWarning, match="1 of 9 calls failed"):
            training = quiet_but_skips(failing)
        assert np.isnan(training.trials["objective"][4])


def quiet_but_skips(strategy):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The values chosen|What was chosen")
        return bp.train(strategy, DATA, on_error="skip", method="brute", select="peak")
