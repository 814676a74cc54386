# SPDX-License-Identifier: BSD-3-Clause
"""Walk-forward: windows, stitching, borders, what a training may see."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp

N = 500


def frame(n=N, seed=1, start="2020-01-01"):
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


X = frame()
DATA = bp.Data.from_frames({"X": X})
LOOKBACK = 40


@bp.strategy(lookback=LOOKBACK)
def crossing(s):
    for _ in s.loop():
        days = s.optimize(10, 4, 20, 2, name="days")
        s.stop = s.close * 0.03
        s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))
        s.enter_short(bp.crossed_below(s.close, bp.sma(s.close, days)))


def walk(strategy=crossing, data=DATA, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return bp.walk_forward(strategy, data, **options)


def quiet(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return bp.train(*arguments, **options)


def constant(lookback=10, **orders):
    """A strategy whose orders stand at fixed bars of the whole history."""

    @bp.strategy(lookback=lookback)
    def fixed(s):
        s.optimize(2, 1, 3, 1, name="level")
        # Bars are identified by their date, since a training sees only a part of them.
        bars = (s.index - X.index[0]).days.to_numpy()
        for name, at in orders.items():
            getattr(s, name)(np.isin(bars, at))

    return fixed


class TestWindows:
    @pytest.mark.parametrize("anchored", [False, True])
    @pytest.mark.parametrize("cycles", [2, 5])
    def test_bounds_follow_the_formula(self, cycles, anchored):
        wf = walk(cycles=cycles, split=0.8, anchored=anchored)
        cut = bp.split_walk_forward(N - LOOKBACK, cycles, 0.8, anchored)
        index = X.index[LOOKBACK:]
        table = wf.cycles
        assert table.index.tolist() == list(range(1, cycles + 1))
        assert len(wf.trainings) == cycles
        for (_, row), one in zip(table.iterrows(), cut, strict=True):
            assert (row["train_start"], row["train_end"]) == (
                index[one.train_start],
                index[one.train_end - 1],
            )
            if one.test_start is None:
                assert pd.isna(row["test_start"])
                assert pd.isna(row["net"])
            else:
                assert (row["test_start"], row["test_end"]) == (
                    index[one.test_start],
                    index[one.test_end - 1],
                )
        assert table["train_end"].iloc[-1] == X.index[-1]

    def test_tests_follow_without_gap(self):
        table = walk(cycles=6).cycles.iloc[:-1]
        for one, other in itertools.pairwise(table.itertuples()):
            assert X.index.get_loc(other.test_start) == X.index.get_loc(one.test_end) + 1
        assert (table["train_end"] < table["test_start"]).all()
        assert table["test_end"].iloc[-1] == X.index[-1]

    def test_ten_cycles_by_default(self):
        assert len(walk().cycles) == 10

    def test_period(self):
        by_period = walk(period=200, split=0.8)
        cycles = bp.splits.cycles_for_period(N - LOOKBACK, 200, 0.8)
        assert len(by_period.cycles) == cycles
        assert by_period.settings["cycles"] == cycles

    def test_start_and_end(self):
        wf = walk(cycles=3, start=X.index[100], end=X.index[399])
        assert wf.cycles["train_start"].iloc[0] == X.index[100]
        assert wf.cycles["train_end"].iloc[-1] == X.index[399]
        assert wf.portfolio.index[-1] == X.index[399]

    def test_last_cycle_need_not_be_trained(self):
        full, short = walk(cycles=4), walk(cycles=4, retrain_last=False)
        assert len(short.trainings) == 3
        assert len(short.cycles) == 3
        pd.testing.assert_series_equal(short.portfolio.value, full.portfolio.value)


class TestTrainings:
    def test_each_is_a_training_of_its_window(self):
        wf = walk(cycles=4, min_trades=1)
        for training, (_, row) in zip(wf.trainings, wf.cycles.iterrows(), strict=True):
            own = quiet(
                crossing, DATA, start=row["train_start"], end=row["train_end"], min_trades=1
            )
            assert own.params == training.params
            pd.testing.assert_frame_equal(own.trials, training.trials)
            assert row["in_sample"] == own.components["X"].objective
            assert row["days"] == own.params["X"]["days"]

    def test_sees_its_lookback_and_nothing_later(self):
        seen = []

        @bp.strategy(lookback=LOOKBACK)
        def looking(s):
            s.optimize(2, 1, 3, 1, name="level")
            if s.mode == "train":
                seen.append((s.index[0], s.index[-1]))

        wf = walk(looking, cycles=4, check=False)
        windows = list(dict.fromkeys(seen))
        expected = [
            (X.index[X.index.get_loc(row.train_start) - LOOKBACK], row.train_end)
            for row in wf.cycles.itertuples()
        ]
        assert windows == expected

    def test_later_bars_change_nothing_before(self):
        """Other prices after the third test leave three trainings and three tests as they were."""
        wf = walk(cycles=5)
        border = wf.cycles["test_end"].iloc[2]
        other = X.copy()
        later = other.index > border
        other.loc[later] *= np.linspace(1, 3, later.sum())[:, None]
        changed = walk(cycles=5, data=bp.Data.from_frames({"X": other}))
        for one, two in zip(wf.trainings[:4], changed.trainings[:4], strict=True):
            assert one.params == two.params
        pd.testing.assert_series_equal(
            wf.portfolio.value[:border], changed.portfolio.value[:border]
        )
        pd.testing.assert_frame_equal(wf.cycles.iloc[:3], changed.cycles.iloc[:3])

    def test_options_of_training(self):
        wf = walk(cycles=3, method="brute", select="peak", objective="profit_factor")
        assert wf.objective_name == "profit_factor"
        training = wf.trainings[0]
        best = training.trials.loc[training.trials["objective"].idxmax(), "days"]
        assert training.params["X"]["days"] == best


class TestStitched:
    def test_starts_flat_at_the_first_test(self):
        wf = walk(cycles=4)
        assert wf.portfolio.index[0] == wf.cycles["test_start"].iloc[0]
        assert wf.portfolio.positions.iloc[0] == 0

    def test_one_set_of_parameters_is_one_test(self):
        """Where all cycles choose the same values, borders leave no trace."""

        @bp.strategy(lookback=LOOKBACK)
        def same(s):
            s.optimize(10, 0, 0, name="days")
            s.stop = s.close * 0.03
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, 10)))
            s.enter_short(bp.crossed_below(s.close, bp.sma(s.close, 10)))

        wf = walk(same, cycles=5)
        start = wf.cycles["test_start"].iloc[0]
        tested = bp.test(same, DATA, start=start)
        pd.testing.assert_series_equal(wf.portfolio.value, tested.value, check_names=False)
        pd.testing.assert_frame_equal(wf.portfolio.trades, tested.trades)

    def test_each_bar_obeys_the_cycle_that_holds_it(self):
        """Entries of a segment are those that this cycle's parameters give on the whole history."""
        wf = walk(cycles=5)
        entered = set(wf.portfolio.trades["entry_time"])
        for training, row in zip(wf.trainings, wf.cycles.iloc[:-1].itertuples(), strict=False):
            days = training.params["X"]["days"]
            close = X["close"].to_numpy()
            mean = bp.sma(close, days)
            signal = bp.crossed_above(close, mean) | bp.crossed_below(close, mean)
            first, last = (X.index.get_loc(day) for day in (row.test_start, row.test_end))
            due = [bar + 1 for bar in range(first, min(last + 1, N - 1)) if signal[bar]]
            assert all(X.index[bar] in entered for bar in due)

    def test_position_is_carried(self):
        cut = bp.split_walk_forward(N - 10, 3, 0.5)
        border = 10 + cut[1].test_start
        strategy = constant(enter_long=[border - 5], exit_long=[border + 5])
        wf = walk(strategy, cycles=3, split=0.5, sizing="unit")
        trade = wf.portfolio.trades.iloc[0]
        assert (trade["entry_time"], trade["exit_time"]) == (
            X.index[border - 4],
            X.index[border + 6],
        )
        table = wf.cycles
        # Booked by exit, marked to market at the border.
        assert table["trades"].iloc[:2].tolist() == [0, 1]
        at_border = X["close"].iloc[border - 1]
        assert table["net"].iloc[0] == pytest.approx(at_border - trade["entry_price"])
        assert table["net"].iloc[1] == pytest.approx(trade["exit_price"] - at_border)

    def test_what_is_carried_in_is_no_balance_of_the_cycle(self):
        """Prices only rise: a trade that began before the border never falls below its balance."""
        rising = X.assign(**{name: 100.0 + np.arange(N) for name in X})
        data = bp.Data.from_frames({"X": rising})
        cut = bp.split_walk_forward(N - 10, 3, 0.5)
        border = 10 + cut[1].test_start
        strategy = constant(enter_long=[border - 5], exit_long=[border + 5])
        wf = walk(strategy, data, cycles=3, split=0.5, objective=lambda stats: -stats.drawdown_max)
        assert wf.cycles["trades"].iloc[1] == 1
        assert wf.cycles["out_of_sample"].iloc[1] == 0

    def test_an_objective_sees_the_costs_of_a_test_as_it_does_those_of_a_training(self):
        def paid(stats):
            return 1.0 + stats.cost_total + abs(stats.points_total)

        costs = bp.Costs(spread=0.2, commission=0.1)
        wf = walk(cycles=3, objective=paid, costs=costs, sizing="unit")
        trades = wf.portfolio.trades
        for number, cycle in wf.cycles.loc[:2].iterrows():
            dates = trades["exit_time"]
            mine = trades[(dates >= cycle["test_start"]) & (dates <= cycle["test_end"])]
            mine = mine[mine["status"] == "closed"]
            assert len(mine) == cycle["trades"] > 0, number
            points = np.where(mine["direction"] == "long", 1, -1) * (
                mine["exit_price"] - mine["entry_price"]
            )
            fees = (mine["entry_fees"] + mine["exit_fees"]).sum()
            assert fees > 0
            assert cycle["out_of_sample"] == pytest.approx(1 + fees + abs(points.sum()))

    def test_an_objective_is_of_the_same_size_in_both_samples(self):
        """In money, too: what the tests trade with changes net, and not what cycles score."""
        small, large = (
            walk(cycles=3, objective="profit", sizing="unit"),
            walk(cycles=3, objective="profit"),
        )
        columns = ["in_sample", "out_of_sample", "trades"]
        pd.testing.assert_frame_equal(small.cycles[columns], large.cycles[columns])
        assert (large.cycles["net"].dropna().abs() > 10 * small.cycles["net"].dropna().abs()).all()
        money = walk(cycles=3, objective="profit", train_sizing="money")
        tested = money.cycles["out_of_sample"].dropna()
        carried = money.cycles["net"].dropna()
        assert tested.sum() == pytest.approx(
            money.portfolio.trades.query("status == 'closed'")["pnl"].sum()
        )
        assert len(tested) == len(carried)

    def test_position_is_closed_at_the_border(self):
        cut = bp.split_walk_forward(N - 10, 3, 0.5)
        border = 10 + cut[1].test_start
        strategy = constant(enter_long=[border - 5, border - 1], exit_long=[border + 5])
        wf = walk(strategy, cycles=3, split=0.5, border="close")
        trades = wf.portfolio.trades
        assert len(trades) == 1
        assert trades["exit_time"].iloc[0] == X.index[border - 1]
        assert trades["exit_price"].iloc[0] == pytest.approx(X["close"].iloc[border - 1])
        assert wf.cycles["trades"].iloc[:2].tolist() == [1, 0]

    def test_order_of_the_last_bar_fills_in_the_next_segment(self):
        cut = bp.split_walk_forward(N - 10, 3, 0.5)
        border = 10 + cut[1].test_start
        strategy = constant(enter_long=[border - 1], exit_long=[border + 5])
        trades = walk(strategy, cycles=3, split=0.5).portfolio.trades
        assert trades["entry_time"].tolist() == [X.index[border]]
        assert walk(strategy, cycles=3, split=0.5, border="close").portfolio.trades.empty

    def test_horizon_leaves_out_entries_and_not_exits(self):
        cut = bp.split_walk_forward(N - 10, 3, 0.5)
        border = 10 + cut[1].test_start
        strategy = constant(
            enter_long=[border - 5, border + 1, border + 3], exit_long=[border + 2, border + 9]
        )
        trades = walk(strategy, cycles=3, split=0.5, horizon=3).portfolio.trades
        assert trades["entry_time"].tolist() == [X.index[border - 4], X.index[border + 4]]
        assert trades["exit_time"].iloc[0] == X.index[border + 3]

    def test_net_is_the_change_of_equity(self):
        wf = walk(cycles=5, costs=bp.Costs(spread=0.05, roll_long=0.001, slippage=0.001))
        value = wf.portfolio.value
        assert wf.cycles["net"].sum() == pytest.approx(value.iloc[-1] - value.iloc[0])
        closed = (wf.portfolio.trades["status"] == "closed").sum()
        assert wf.cycles["trades"].sum() == closed

    def test_capital(self):
        wf = walk(cycles=3, capital=1234)
        assert wf.portfolio.value.iloc[0] == 1234


class TestComponents:
    BOTH = bp.Data.from_frames({"X": X, "Y": frame(seed=2)})

    def test_rows_by_component(self):
        wf = walk(data=self.BOTH, cycles=3)
        assert wf.cycles.index.tolist() == [(k, s) for k in (1, 2, 3) for s in ("X", "Y")]
        assert list(wf.portfolio.components) == ["X", "Y"]
        alone = walk(cycles=3, capital=5_000)
        mine = wf.cycles.xs("X", level="component")
        pd.testing.assert_frame_equal(mine, alone.cycles)
        pd.testing.assert_series_equal(
            wf.portfolio.components["X"].value,
            alone.portfolio.components["X"].value,
        )

    def test_own_calendars(self):
        data = bp.Data.from_frames({"X": X, "Y": frame(seed=2)[::2]})
        wf = walk(data=data, cycles=3)
        table = wf.cycles
        assert (table.xs("Y", level=1)["train_end"] <= table.xs("X", level=1)["train_end"]).all()
        for training in wf.trainings:
            one, two = training.components["X"], training.components["Y"]
            assert abs(one.n_bars - 2 * two.n_bars) <= 2 * LOOKBACK

    def test_asset_without_history(self):
        data = bp.Data.from_frames({"X": X, "Y": frame(seed=2)[300:]})
        with pytest.raises(bp.DataError, match="Y must have at least lookback"):
            walk(data=data, cycles=4)


class TestResult:
    def test_stats(self):
        wf = walk(cycles=5)
        stats = wf.stats
        assert stats["cycles"] == 5
        assert stats["tested_cycles"] == 4
        assert stats["in_sample"] == pytest.approx(wf.cycles["in_sample"].iloc[:4].mean())
        assert stats["net"] == pytest.approx(wf.cycles["net"].sum())
        assert stats["num_trades"] == wf.portfolio.num_trades
        assert "5 cycles" in repr(wf)
        assert "<table" in wf._repr_html_()

    def test_files(self, tmp_path):
        wf = walk(cycles=3)
        files = wf.to_par(tmp_path / "runs")
        assert [path.name for path in files] == ["crossing_1.par", "crossing_2.par", "crossing.par"]
        assert bp.read_par(files[-1]).params == wf.params == wf.trainings[-1].params
        short = walk(cycles=3, retrain_last=False).to_par(tmp_path / "short")
        assert [path.name for path in short] == ["crossing_1.par", "crossing_2.par"]
        bp.signals(crossing, DATA, files[-1])

    def test_files_stay_in_their_folder(self, tmp_path):
        named = bp.strategy(crossing.func, name="../a/b", lookback=crossing.lookback)
        files = walk(named, cycles=2).to_par(tmp_path)
        assert [path.relative_to(tmp_path).as_posix() for path in files] == [
            "_._a_b_1.par",
            "_._a_b.par",
        ]

    def test_mean_steps(self):
        wf = walk(cycles=3, min_trades=1)
        curve = wf.step_curve("days")
        columns = [one.components["X"].steps["days"].objective for one in wf.trainings]
        np.testing.assert_allclose(curve.objective, np.mean(columns, axis=0))
        chosen = [one.params["X"]["days"] for one in wf.trainings]
        assert curve.chosen == pytest.approx(np.mean(chosen))
        assert curve.window == (min(chosen), max(chosen))

    @pytest.mark.parametrize("engine", ["serial", "threadpool"])
    def test_warnings_come_once(self, engine):
        with pytest.warns(UserWarning, match="In 4 of 4 cycles: .*usable objective") as caught:
            wf = bp.walk_forward(
                crossing, DATA, cycles=4, objective=lambda stats: -1.0, engine=engine
            )
        assert [str(one.message) for one in caught] == list(wf.notes)
        assert len(caught) == 1


class TestErrors:
    @pytest.mark.parametrize(
        ("options", "error", "match"),
        [
            ({"cycles": 1}, bp.ParamError, "cycles must be"),
            ({"cycles": 2.5}, bp.ParamError, "cycles must be"),
            ({"cycles": 3, "period": 100}, bp.ParamError, "either cycles or period"),
            ({"period": -3}, bp.ParamError, "period must be a positive number"),
            ({"split": 1.0}, bp.ParamError, "split must be a share"),
            ({"horizon": -1}, bp.ParamError, "horizon must be"),
            ({"border": "keep"}, bp.ParamError, "border must be one of"),
            ({"cycles": 5000}, bp.DataError, "5000 cycles"),
            ({"capital": 0}, bp.ParamError, "capital must be a positive number"),
            ({"metod": "brute"}, TypeError, "unknown option 'metod'.*'method'"),
        ],
    )
    def test_bad_options(self, options, error, match):
        with pytest.raises(error, match=match):
            walk(**options)

    def test_errors_of_the_strategy(self):
        @bp.strategy(lookback=LOOKBACK)
        def failing(s):
            if s.index[-1] > X.index[400]:
                raise OSError("gone")
            s.optimize(2, 1, 3, 1)

        with pytest.raises(bp.TaskError, match="OSError: gone"):
            walk(failing, cycles=4)
