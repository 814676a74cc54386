# SPDX-License-Identifier: BSD-3-Clause
"""Strategies over several assets and algos: trained alone, tested together."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp


def frame(n=300, seed=1, start="2020-01-01"):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    open_ = close * np.exp(rng.normal(0, 0.003, n))
    return pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) * 1.004,
            "low": np.minimum(open_, close) * 0.996,
            "close": close,
        },
        index=pd.date_range(start, periods=n, freq="D"),
    )


X, Y = frame(seed=1), frame(seed=2)
BOTH = bp.Data.from_frames({"X": X, "Y": Y})


def crossing(s, days, algo=None):
    above = bp.crossed_above(s.close, bp.sma(s.close, days))
    below = bp.crossed_below(s.close, bp.sma(s.close, days))
    s.enter_long(above)
    s.exit_long(below)
    if algo != "long":
        s.enter_short(below)
        s.exit_short(above)


@bp.strategy(lookback=60)
def single(s):
    crossing(s, s.optimize(20, 5, 50, 5, name="days"))


@bp.strategy(lookback=60, name="single")
def looped(s):
    for _ in s.loop():
        crossing(s, s.optimize(20, 5, 50, 5, name="days"))


@bp.strategy(lookback=60)
def algos(s):
    for _, algo in s.loop(algos=["both", "long"]):
        days = s.optimize(20, 5, 50, 5, name="days")
        if algo == "long":
            s.stop = s.close * s.optimize(0.05, 0.01, 0.1, 0.01, name="risk")
        crossing(s, days, algo)


@bp.strategy(lookback=60)
def shared(s):
    days = s.optimize(20, 5, 50, 5, name="days")
    for _ in s.loop():
        s.stop = s.close * s.optimize(0.05, 0.01, 0.1, 0.01, name="risk")
        crossing(s, days)


def quiet(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return bp.train(*arguments, **options)


class TestTraining:
    def test_each_component_alone(self):
        together = quiet(looped, BOTH)
        assert list(together.params) == ["X", "Y"]
        for symbol in ("X", "Y"):
            alone = quiet(single, BOTH.select(symbol))
            assert together.params[symbol] == alone.params[symbol]
            assert together.components[symbol].objective == alone.components[symbol].objective
            mine = together.trials[together.trials["component"] == symbol].reset_index(drop=True)
            pd.testing.assert_frame_equal(mine, alone.trials)

    def test_one_component_at_a_time(self):
        seen = []

        @bp.strategy(lookback=60)
        def watching(s):
            seen.append([(asset, algo) for asset, algo in s.loop(algos=["a", "b"])])
            for _ in s.loop(algos=["a", "b"]):
                s.optimize(20, 5, 50, 5, name="days")

        quiet(watching, BOTH)
        assert all(len(one) == 1 for one in seen)
        keys = list(dict.fromkeys(one[0] for one in seen))
        assert keys == [("X", "a"), ("X", "b"), ("Y", "a"), ("Y", "b")]

    def test_algos_have_parameters_of_their_own(self, tmp_path):
        training = quiet(algos, BOTH)
        assert list(training.params) == ["X:both", "X:long", "Y:both", "Y:long"]
        assert list(training.params["X:both"]) == ["days"]
        assert list(training.params["X:long"]) == ["days", "risk"]
        assert training.components["X:long"].algo == "long"
        back = bp.read_par(training.to_par(tmp_path / "algos.par"))
        assert back.params == training.params

    def test_long_and_short_have_parameters_of_their_own(self):
        @bp.strategy(lookback=60)
        def sides(s):
            for _, side in s.loop(algos=["long", "short"]):
                mean = bp.sma(s.close, s.optimize(20, 5, 50, 5, name="days"))
                if side == "long":
                    s.enter_long(bp.crossed_above(s.close, mean))
                    s.exit_long(bp.crossed_below(s.close, mean))
                else:
                    s.enter_short(bp.crossed_below(s.close, mean))
                    s.exit_short(bp.crossed_above(s.close, mean))

        training = quiet(sides, BOTH)
        assert training.params["X:long"] != training.params["X:short"]
        trades = bp.test(sides, BOTH, training).trades
        assert (trades["direction"] == trades["column"].str.partition(":")[2]).all()

    def test_calls_in_functions_of_the_strategy(self):
        def period(s):
            return s.optimize(20, 5, 50, 5, name="days")

        @bp.strategy(lookback=60)
        def calling(s):
            crossing(s, period(s))

        one = BOTH.select("X")
        assert quiet(calling, one).params == quiet(single, one).params

    def test_common_parameters(self):
        training = quiet(shared, BOTH)
        first, second = training.params.values()
        assert first["days"] == second["days"]
        assert list(first) == list(second) == ["days", "risk"]
        assert training.components["X"].common == ("days",)
        trials = training.trials
        mine = trials[trials["component"] == "Y"]
        assert set(mine["parameter"]) == {"risk"}
        assert set(mine["days"]) == {first["days"]}

    def test_common_after_the_loop(self):
        @bp.strategy(lookback=60)
        def after(s):
            for _ in s.loop():
                crossing(s, s.optimize(20, 5, 50, 5, name="days"))
            s.optimize(3, 1, 5, 1, name="tail")

        training = quiet(after, BOTH)
        assert list(training.params["Y"]) == ["days", "tail"]
        assert bp.test(after, BOTH, training).components.keys() == {"X", "Y"}

    def test_own_calendars(self):
        data = bp.Data.from_frames({"X": X, "Y": Y[::2]})
        training = quiet(looped, data)
        assert training.components["X"].n_bars == 240
        assert training.components["Y"].n_bars == 90
        alone = quiet(single, bp.Data.from_frames({"Y": Y[::2]}))
        assert training.params["Y"] == alone.params["Y"]

    def test_several_symbols_without_a_loop(self):
        with pytest.raises(bp.StrategyError, match=r"for asset, algo in s\.loop\(\)"):
            bp.train(single, BOTH)

        @bp.strategy(lookback=60)
        def idle(s):
            s.optimize(1, 1, 5, 1)

        with pytest.raises(bp.StrategyError, match=r"must loop over its assets.*got no s\.loop"):
            bp.train(idle, BOTH)

    def test_loop_that_changes(self):
        state = []

        @bp.strategy(lookback=60)
        def fickle(s):
            state.append(1)
            for _ in s.loop(["X"] if len(state) < 3 else ["Y"]):
                s.optimize(20, 5, 50, 5, name="days")

        with pytest.raises(bp.StrategyError, match="must list the same components in every run"):
            bp.train(fickle, BOTH)

    def test_several_loops_one_after_the_other(self):
        @bp.strategy(lookback=60)
        def two(s):
            for _ in s.loop(algos="fast"):
                crossing(s, s.optimize(10, 5, 20, 5, name="days"))
            for _ in s.loop(algos="slow"):
                days = s.optimize(40, 30, 50, 5, name="days")
                s.stop = s.close * s.optimize(0.05, 0.01, 0.1, 0.01, name="risk")
                crossing(s, days)

        training = quiet(two, BOTH)
        assert {key: list(found) for key, found in training.params.items()} == {
            "X:fast": ["days"],
            "Y:fast": ["days"],
            "X:slow": ["days", "risk"],
            "Y:slow": ["days", "risk"],
        }
        assert list(bp.test(two, BOTH, training).components) == list(training.params)

    def test_a_component_may_be_without_parameters(self, tmp_path):
        @bp.strategy(lookback=60)
        def held(s):
            for asset, _ in s.loop():
                crossing(s, 20 if asset == "X" else s.optimize(20, 5, 50, 5, name="days"))

        training = quiet(held, BOTH)
        assert training.params["X"] == {}
        assert training.components["X"].objective > 0
        path = training.to_par(tmp_path / "held.par")
        tested, again = bp.test(held, BOTH, training), bp.test(held, BOTH, path)
        pd.testing.assert_series_equal(tested.value, again.value)

    def test_errors_name_the_component(self):
        @bp.strategy(lookback=60)
        def failing(s):
            for asset, _ in s.loop():
                days = s.optimize(20, 5, 50, 5, name="days")
                if asset == "Y" and days == 25:
                    raise OSError("gone")
                crossing(s, days)

        with pytest.raises(bp.TaskError, match=r"component=Y, days=25.*OSError: gone"):
            quiet(failing, BOTH)


class TestTest:
    def test_equity_is_the_sum(self):
        training = quiet(looped, BOTH)
        together = bp.test(looped, BOTH, training)
        parts = [
            bp.test(single, BOTH.select(s), {s: training.params[s]}, capital=5_000)
            for s in ("X", "Y")
        ]
        total = sum(one.value for one in parts)
        pd.testing.assert_series_equal(together.value, total, check_names=False)
        for symbol, alone in zip(("X", "Y"), parts, strict=True):
            mine = together.components[symbol]
            pd.testing.assert_series_equal(mine.value, alone.value, check_names=False)
        assert len(together.trades) == sum(len(one.trades) for one in parts)
        assert set(together.trades["column"]) == {"X", "Y"}

    def test_different_calendars(self):
        late = frame(200, seed=3, start="2020-03-01")[::2]
        data = bp.Data.from_frames({"X": X, "Y": late})
        together = bp.test(looped, data)
        assert together.value.notna().all()
        gains = [one.value.iloc[-1] - one.value.iloc[0] for one in together.components.values()]
        assert together.value.iloc[-1] - together.value.iloc[0] == pytest.approx(sum(gains))
        assert len(together.components["Y"].value) == 40

    def test_costs_by_asset(self):
        free = bp.test(looped, BOTH, sizing="unit")
        costs = {"Y": bp.Costs(spread=1.0)}
        paid = bp.test(looped, BOTH, costs=costs, sizing="unit")
        assert paid.components["X"].value.equals(free.components["X"].value)
        n_trades = (free.trades["column"] == "Y").sum()
        assert free.value.iloc[-1] - paid.value.iloc[-1] == pytest.approx(n_trades)

    def test_capital(self):
        default = bp.test(looped, BOTH, sizing="unit")
        first = X["close"].iloc[60] + Y["close"].iloc[60]
        assert default.value.iloc[0] == pytest.approx(first)
        given = bp.test(looped, BOTH, capital=5000, sizing="unit")
        assert given.value.iloc[0] == 5000
        assert given.trades["pnl"].sum() == pytest.approx(default.trades["pnl"].sum())
        parts = sum(one.value.iloc[0] for one in given.components.values())
        assert parts == pytest.approx(5000)

    def test_capital_of_lots_that_change(self):
        """Price by lots at the first tested bar; where that bar has none, those of the entry."""

        def sized(lots):
            @bp.strategy(lookback=60)
            def run(s):
                bars = np.arange(len(s.close))
                s.lots = lots(bars)
                s.enter_long(bars == 100)

            return bp.test(run, BOTH.select("X")).value.iloc[0] / X["close"].iloc[60]

        assert sized(lambda bars: np.where(bars < 80, 2.0, 5.0)) == pytest.approx(2)
        assert sized(lambda bars: np.where(bars < 80, 0.0, 5.0)) == pytest.approx(5)

    @pytest.mark.parametrize("capital", [0, -1, float("nan"), "1000"])
    def test_bad_capital(self, capital):
        with pytest.raises(bp.ParamError, match="capital must be a positive number"):
            bp.test(looped, BOTH, capital=capital)

    def test_function_is_called_once(self):
        calls = []

        @bp.strategy(lookback=60)
        def counting(s):
            calls.append([asset for asset, _ in s.loop()])

        bp.test(counting, BOTH, check=False)
        assert calls == [["X", "Y"]]

    def test_final_training_run_equals_the_test(self):
        training = quiet(looped, BOTH, costs=bp.Costs(spread=0.1, roll_long=0.01))
        costs = bp.Costs(spread=0.1, roll_long=0.01)
        tested = bp.test(looped, BOTH, training, costs=costs, sizing="unit")
        for key, found in training.components.items():
            value = tested.components[key].value
            assert value.iloc[-1] - value.iloc[0] == pytest.approx(found.stats.net)

    def test_script_lots_and_unit(self):
        @bp.strategy(lookback=60)
        def big(s):
            s.lots = 10
            crossing(s, 20)

        one = BOTH.select("X")
        assert (bp.test(big, one).trades["size"] == 10).all()
        assert (bp.test(big, one, sizing="unit").trades["size"] == 1).all()
        assert bp.test(big, one).value.iloc[0] == pytest.approx(10 * X["close"].iloc[60])
        costs = bp.Costs(lot_amount=100)
        assert (bp.test(big, one, costs=costs).trades["size"] == 1000).all()

    def test_slippage_counts(self):
        one = BOTH.select("X")
        assert (
            bp.test(single, one, costs=bp.Costs(slippage=0.01)).total_return
            < bp.test(single, one).total_return
        )

    def test_period(self):
        one = BOTH.select("X")
        part = bp.test(single, one, start=X.index[100], end=X.index[199])
        assert (part.value.index[0], part.value.index[-1]) == (X.index[100], X.index[199])
        assert part.trades["entry_time"].min() > X.index[100]

    def test_open_position_stays_open(self):
        @bp.strategy(lookback=60)
        def holding(s):
            s.enter_long(np.ones(len(s.close), dtype=bool))

        tested = bp.test(holding, BOTH.select("X"))
        assert tested.trades["status"].tolist() == ["open"]
        assert tested.trades["entry_time"].tolist() == [X.index[61]]


class TestParameters:
    def test_every_form(self, tmp_path):
        training = quiet(looped, BOTH)
        path = training.to_par(tmp_path / "single.par")
        expected = bp.test(looped, BOTH, training).value
        for params in (bp.read_par(path), path, str(path), training.params):
            pd.testing.assert_series_equal(bp.test(looped, BOTH, params).value, expected)

    def test_defaults_without_parameters(self):
        one = BOTH.select("X")
        given = {"X": {"days": 20}}
        plain, same = bp.test(single, one), bp.test(single, one, given)
        pd.testing.assert_series_equal(plain.value, same.value)
        pd.testing.assert_frame_equal(bp.signals(single, one), bp.signals(single, one, given))

    def test_file_without_names(self, tmp_path):
        path = tmp_path / "other.par"
        path.write_text(
            "X:both +25 => 1.1\nX:long 10.5 0.03 => 1.2\nY:both 30 => 1\nY:long 5 .05=>1"
        )
        tested = bp.test(algos, BOTH, bp.read_par(path))
        named = {
            "X:both": {"days": 25},
            "X:long": {"days": 10.5, "risk": 0.03},
            "Y:both": {"days": 30},
            "Y:long": {"days": 5, "risk": 0.05},
        }
        pd.testing.assert_series_equal(tested.value, bp.test(algos, BOTH, named).value)

    def test_common_by_position(self, tmp_path):
        path = tmp_path / "other.par"
        path.write_text("X 25 0.03 => 1.1\nY 25 0.05 => 1.2")
        tested = bp.test(shared, BOTH, path)
        named = {"X": {"days": 25, "risk": 0.03}, "Y": {"days": 25, "risk": 0.05}}
        pd.testing.assert_series_equal(tested.value, bp.test(shared, BOTH, named).value)

    def test_missing_component(self, tmp_path):
        path = tmp_path / "other.par"
        path.write_text("X 25 => 1.1")
        with pytest.raises(bp.ParFileError, match="parameters of component 'Y', got those of X"):
            bp.test(looped, BOTH, path)
        with pytest.raises(bp.ParamError, match="parameters of component 'Y', got those of X"):
            bp.test(looped, BOTH, {"X": {"days": 25}})

    def test_missing_component_without_a_loop(self):
        """The values of one asset are never taken for those of another."""
        trained = {name: quiet(single, BOTH.select(name)) for name in ("X", "Y")}
        with pytest.raises(bp.ParamError, match="parameters of component 'Y', got those of X"):
            bp.test(single, BOTH.select("Y"), trained["X"])
        both = {**trained["X"].params, **trained["Y"].params}
        own = bp.test(single, BOTH.select("Y"), trained["Y"])
        pd.testing.assert_series_equal(bp.test(single, BOTH.select("Y"), both).value, own.value)

    def test_common_values_are_those_of_the_assets_that_run(self):
        table = {"X": {"days": 10, "risk": 0.05}, "Y": {"days": 40, "risk": 0.05}}
        only = bp.test(shared, BOTH.select("Y"), {"Y": table["Y"]})
        pd.testing.assert_series_equal(bp.test(shared, BOTH.select("Y"), table).value, only.value)

    def test_another_strategy(self, tmp_path):
        training = quiet(looped, BOTH)
        path = training.to_par(tmp_path / "single.par")
        with pytest.raises(bp.ParFileError, match="of strategy 'shared', got one of 'single'"):
            bp.test(shared, BOTH, path)
        with pytest.raises(bp.ParamError, match=r"a value of 'risk' in component 'X', got: days"):
            bp.test(shared, BOTH, training)

    def test_too_many_values(self, tmp_path):
        path = tmp_path / "other.par"
        path.write_text("X 25 3 => 1.1\nY 25 3 => 1.1")
        with pytest.raises(bp.ParFileError, match="no value 'p2', which the strategy never"):
            bp.test(looped, BOTH, path)

    def test_too_few_values(self, tmp_path):
        path = tmp_path / "other.par"
        path.write_text("X 25 => 1.1\nY 25 => 1.1")
        with pytest.raises(bp.ParFileError, match="at least 2 values in component 'X'"):
            bp.test(shared, BOTH, path)

    @pytest.mark.parametrize(
        ("params", "match"),
        [
            ({"days": 3}, "params must be"),
            ({}, "at least one component"),
            ({"X": {"days": float("nan")}}, "must be a finite number"),
            ({"X": {"days": "3"}}, "must be a finite number"),
            (3, "params must hold parameters"),
        ],
    )
    def test_bad_params(self, params, match):
        with pytest.raises(bp.ParamError, match=match):
            bp.test(looped, BOTH, params)

    def test_no_file(self, tmp_path):
        with pytest.raises(bp.ParFileError, match="there is none"):
            bp.test(looped, BOTH, tmp_path / "missing.par")

    def test_integers_are_rounded_from_files(self):
        seen = []

        @bp.strategy(lookback=60)
        def whole(s):
            seen.append(s.optimize(5, 1, 9, 1, name="days", integer=True))

        bp.test(whole, BOTH.select("X"), {"X": {"days": 3.5}}, check=False)
        assert seen == [4.0]


class TestSignals:
    @staticmethod
    def at_last(**calls):
        """A strategy that orders at its last bar only, and holds what `held` says before."""

        @bp.strategy(lookback=10)
        def last(s):
            n = len(s.close)
            bars = np.arange(n)
            if "held" in calls:
                getattr(s, f"enter_{calls['held']}")(bars == 20, lifetime=calls.get("lifetime"))
            for name in ("enter_long", "enter_short", "exit_long", "exit_short"):
                if name in calls:
                    getattr(s, name)(bars == n - 1, **calls[name])

        return last

    def row(self, **calls):
        """Return the only row, sized in lots unless told otherwise."""
        found = bp.signals(self.at_last(**calls), BOTH.select("X"), sizing="script")
        assert len(found) == 1
        return found.iloc[0]

    def test_columns(self):
        assert list(bp.signals(self.at_last(), BOTH.select("X")).columns) == [
            *("component", "asset", "algo", "last_bar", "close", "position", "since"),
            *("entry_price", "stop", "trail", "target", "bars_left", "next_order", "reason"),
            *("lots", "order_stop", "order_trail", "order_target", "order_lifetime"),
            *("member", "weight", "trained"),
        ]

    def test_nothing_held_and_nothing_due(self):
        row = self.row()
        assert (row["component"], row["asset"], row["algo"]) == ("X", "X", None)
        assert row["last_bar"] == X.index[-1]
        assert row["close"] == pytest.approx(X["close"].iloc[-1])
        assert (row["position"], row["since"], row["next_order"], row["reason"]) == (
            0,
            None,
            None,
            None,
        )
        assert (row["member"], row["weight"], row["trained"]) == (1, 1, "")
        assert row["entry_price":"bars_left"].isna().all()
        assert row["lots":"order_lifetime"].isna().all()

    def test_entry(self):
        row = self.row(enter_long={"stop": 3.0, "lots": 2, "trail": 5.0, "lifetime": 7})
        assert (row["next_order"], row["reason"], row["position"]) == ("enter_long", "signal", 0)
        assert (row["lots"], row["order_stop"], row["order_trail"]) == (2, 3, 5)
        assert row["order_lifetime"] == 7
        assert np.isnan(row["order_target"])
        assert np.isnan(row["stop"])

    def test_entry_in_the_direction_held_is_no_order(self):
        row = self.row(held="long", enter_long={})
        assert (row["position"], row["next_order"]) == (1, None)

    def test_reversal(self):
        row = self.row(held="long", enter_short={"lots": 3})
        assert (row["next_order"], row["position"], row["lots"]) == ("enter_short", 1, 3)

    def test_exit(self):
        row = self.row(held="short", exit_short={})
        assert (row["next_order"], row["position"], row["lots"]) == ("exit_short", -1, 1)
        assert self.row(exit_short={})["next_order"] is None
        assert self.row(held="long", exit_short={})["next_order"] is None

    def test_conflicts(self):
        assert self.row(enter_long={}, enter_short={})["next_order"] is None
        assert self.row(held="long", enter_long={}, exit_long={})["next_order"] is None

    def test_zero_lots_only_close(self):
        assert self.row(held="short", enter_long={"lots": 0})["next_order"] == "exit_short"
        assert self.row(enter_long={"lots": 0})["next_order"] is None

    def test_lifetime(self):
        # Entered at bar 21; due at the open of bar 300, the one after the last.
        row = self.row(held="long", lifetime=300 - 21)
        assert (row["next_order"], row["reason"], row["bars_left"]) == ("exit_long", "lifetime", 1)
        row = self.row(held="long", lifetime=300 - 20)
        assert (row["next_order"], row["bars_left"]) == (None, 2)

    @pytest.mark.parametrize("side", ["long", "short"])
    def test_levels(self, side):
        sign = 1 if side == "long" else -1

        @bp.strategy(lookback=10)
        def plan(s):
            enter = s.enter_long if side == "long" else s.enter_short
            enter(np.arange(len(s.close)) == 295, stop=50.0, trail=60.0, take_profit=70.0)

        row = bp.signals(plan, BOTH.select("X"), sizing="unit").iloc[0]
        price = X["open"].iloc[296]
        assert row["position"] == sign
        assert (row["since"], row["entry_price"]) == (X.index[296], pytest.approx(price))
        assert row["stop"] == pytest.approx(price - sign * 50)
        assert row["target"] == pytest.approx(price + sign * 70)
        best = X["high"].iloc[296:].max() if sign > 0 else X["low"].iloc[296:].min()
        assert row["trail"] == pytest.approx(best - sign * 60)
        assert np.isnan(row["bars_left"])

    def test_money(self):
        row = bp.signals(self.at_last(enter_long={}), BOTH.select("X"), capital=5_000.0).iloc[0]
        assert row["lots"] == pytest.approx(5_000 / row["close"])
        told = {"capital": 5_000.0, "whole": True, "sizing": "equity"}
        row = bp.signals(self.at_last(enter_long={}), BOTH.select("X"), **told).iloc[0]
        assert row["lots"] == np.floor(5_000 / row["close"])
        costs = bp.Costs(fees=0.01, lot_amount=2)
        row = bp.signals(self.at_last(enter_long={}), BOTH.select("X"), costs=costs).iloc[0]
        assert row["lots"] == pytest.approx(10_000 / row["close"] / 1.01 / 2)

    def test_end(self):
        one = BOTH.select("X")
        for day in (100, 150, 220):
            cut = bp.signals(single, one[: X.index[day]])
            pd.testing.assert_frame_equal(bp.signals(single, one, end=X.index[day]), cut)
            assert cut["last_bar"].iloc[0] == X.index[day]

    def test_what_parameters_know_is_used(self, tmp_path):
        one = BOTH.select("X")
        training = quiet(single, one, costs=bp.Costs(slippage=0.01), end=X.index[200])
        path = training.to_par(tmp_path / "single.par")
        told = {"costs": bp.Costs(slippage=0.01)}
        for day in range(210, 300, 10):
            free = bp.signals(single, one, training.params, **told, end=X.index[day])
            for params in (training, path):
                found = bp.signals(single, one, params, end=X.index[day])
                assert found["trained"].iloc[0] == training.provenance.trained
                pd.testing.assert_frame_equal(
                    found.drop(columns="trained"), free.drop(columns="trained")
                )

    def test_mode_and_components(self):
        modes = []

        @bp.strategy(lookback=60)
        def trading(s):
            for _ in s.loop():
                modes.append(s.mode)
                s.enter_long(np.arange(len(s.close)) == len(s.close) - 1)

        found = bp.signals(trading, BOTH)
        assert modes == ["trade", "trade"]
        assert found["component"].tolist() == ["X", "Y"]

    def test_it_is_what_the_next_bar_fills(self):
        """Signals of every day together are the trades of the test."""
        one = BOTH.select("X")
        whole = bp.test(single, one, {"X": {"days": 15}})
        entries = []
        for n in range(150, 300):
            due = bp.signals(single, one[: X.index[n - 1]], {"X": {"days": 15}})
            entries += [X.index[n] for one in due["next_order"] if one and one.startswith("enter")]
        filled = whole.trades["entry_time"]
        assert entries == filled[(filled >= X.index[150]) & (filled <= X.index[299])].tolist()
