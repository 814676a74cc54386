# SPDX-License-Identifier: BSD-3-Clause
"""Costs, sizes and provenance travel with values; a walk-forward run can be tested again."""

from __future__ import annotations

import pickle
import re
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._store.provenance import CycleOfRun, Provenance
from broadpeak.errors import ParamError, ParFileError

N, LOOKBACK = 400, 20
COSTS = bp.Costs(spread=0.05, fees=0.001, slippage=0.0005)


def make_frame(seed: int, n: int = N, index: pd.Index | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0003, 0.015, n)))
    open_ = close * np.exp(rng.normal(0, 0.005, n))
    high, low = np.maximum(open_, close) * 1.004, np.minimum(open_, close) / 1.004
    table = {"open": open_, "high": high, "low": low, "close": close, "volume": np.ones(n)}
    return pd.DataFrame(
        table, index=pd.bdate_range("2019-01-01", periods=n) if index is None else index
    )


X, Y = make_frame(1), make_frame(2)
ONE = bp.Data.from_frames({"X": X})
BOTH = bp.Data.from_frames({"X": X, "Y": Y.drop(Y.index[[150, 250, 251]])})


def order(s) -> None:
    days = s.optimize(8, 4, 12, 4, name="days")
    s.stop = 3.0
    s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    s.enter_short(bp.crossed_below(bp.roc(s.close, days), -1.0), lifetime=9)


@bp.strategy(lookback=LOOKBACK, unstable_period=0)
def swing(s):
    order(s)


@bp.strategy(lookback=LOOKBACK, unstable_period=0, fill="close")
def at_close(s):
    order(s)


@bp.strategy(lookback=LOOKBACK, unstable_period=0)
def looped(s):
    for _ in s.loop():
        order(s)


@bp.strategy(lookback=LOOKBACK, unstable_period=0)
def sized(s):
    s.lots = 3.0
    order(s)


def quiet(func, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return func(*args, **kwargs)


def train(plan=swing, data=ONE, **options):
    return quiet(bp.train, plan, data, **{"min_trades": 0, "end": X.index[299], **options})


def walk(plan=swing, data=ONE, **options):
    return quiet(bp.walk_forward, plan, data, **{"min_trades": 0, "cycles": 4, **options})


def test(plan, data, *args, **options):
    return quiet(bp.test, plan, data, *args, **options)


test.__test__ = False  # type: ignore[attr-defined]


class TestFiles:
    def test_what_a_file_says(self, tmp_path):
        training = train(costs={"X": bp.Costs(fees=0.001, lot_amount=2)}, passes=2)
        text = training.to_par(tmp_path / "swing.par").read_text().splitlines()
        origin = training.provenance
        assert text[2:12] == [
            "# period: 2019-01-29 to 2020-02-24",
            '# costs: "X" fees=0.001 lot_amount=2',
            "# sizing: unit",
            "# objective: prr",
            "# method: ascent",
            "# passes: 2",
            f"# trades: {training.components['X'].stats.num_trades}",
            f"# version: {bp.__version__}",
            f"# prices: {origin.prices}",
            f"# date: {training.environment['date']}",
        ]
        assert len(origin.prices) == 16

    def test_it_is_read_as_it_was(self, tmp_path):
        for training in (
            train(),
            train(looped, BOTH, costs=COSTS, method="brute", select=bp.Ensemble(0.5)),
            train(sizing="equity", capital=500.0, whole=True),
        ):
            read = bp.read_par(training.to_par(tmp_path / "a.par"))
            assert read == training.parameters()
            assert read.provenance == training.provenance
            assert read.write(tmp_path / "b.par").read_text() == (tmp_path / "a.par").read_text()

    @pytest.mark.parametrize("name", ["two  words", " lead", "trail\t", "\u00a0n"])
    def test_white_space_of_a_name_is_no_other_strategy(self, name, tmp_path):
        plan = bp.strategy(order, name=name, lookback=LOOKBACK, unstable_period=0)
        training = train(plan)
        path = training.to_par(tmp_path / "a.par")
        known, found = test(plan, ONE, training), test(plan, ONE, path)
        pd.testing.assert_frame_equal(found.trades, known.trades)
        with pytest.raises(ParFileError, match="must be of strategy 'swing'"):
            test(swing, ONE, path)

    def test_older_files_are_read(self, tmp_path):
        path = tmp_path / "old.par"
        path.write_text('# broadpeak parameters\n# strategy swing\n# parameter "days"\nX 8 => 1\n')
        found = bp.read_par(path)
        assert found.provenance is None
        facts = test(swing, ONE, found, costs=None).facts
        assert (facts["sample"], facts["costs_from"], facts["provenance"]) == ("", "none", None)

    def test_remarks_of_others_are_remarks(self, tmp_path):
        path = tmp_path / "other.par"
        path.write_text("# costs: high\n# period: of calm\nX 8 => 1\n")  # not our header
        assert bp.read_par(path).provenance is None

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("# period: 2001-01-02", "'# period: 2001-01-02 to 2012-12-31', got '2001-01-02'"),
            ("# period: soon to late", "line 2: a line '# period:' must read such as"),
            ("# costs: X fees=0.1", "'# costs: \"AAPL\" spread=0.02 fees=0.001'"),
            ('# costs: "X" fees=much', "Correct it, delete it, or train again"),
            ('# costs: "X" fees=nan', "line 2: a line '# costs:'"),
            ("# sizing: a-b", "'# sizing: money capital=10000 whole=yes'"),
            ("# sizing: money captial=5000", "'# sizing: money capital=10000 whole=yes'"),
            ("# sizing: equity capital=5 whole=ja", "'# sizing: money capital=10000 whole=yes'"),
            ("# sizing: money capital=much", "got 'money capital=much'"),
            ("# passes: two", "'# passes: 2', got 'two'"),
            ("# trades: -1", "'# trades: 143'"),
            ("# cycle: 5 of 4", "'# cycle: 3 of 10', got '5 of 4'"),
        ],
    )
    def test_damaged_lines(self, tmp_path, line, message):
        path = tmp_path / "bad.par"
        path.write_text(f"# broadpeak parameters\n{line}\nX 8 => 1\n")
        with pytest.raises(ParFileError, match=re.escape(message)):
            bp.read_par(path)

    @pytest.mark.parametrize("line", ['"X" rent=3', '"X" fees=-1'])
    def test_costs_that_are_none(self, tmp_path, line):
        path = tmp_path / "bad.par"
        path.write_text(f"# broadpeak parameters\n# costs: {line}\nX 8 => 1\n")
        with pytest.raises(ParFileError, match="# costs:"):
            test(swing, ONE, path)

    def test_what_is_no_provenance(self):
        with pytest.raises(ParamError, match="provenance must be a Provenance or None"):
            bp.read_par.__globals__["Parameters"]({}, "s", "yesterday")

    def test_it_is_text_for_a_reader(self):
        origin = walk(costs=COSTS).provenance
        rows = origin.rows()
        assert rows["period"] == origin.trained == "2019-08-01 to 2020-07-13"
        assert rows["costs"] == '"X" spread=0.05 fees=0.001 slippage=0.0005'
        assert rows["cycle"] == "4 of 4"
        assert rows["tests"] == "border=carry horizon=0 sizing=money capital=10000"

    def test_nanoseconds_read_the_same_from_a_file(self, tmp_path):
        index = pd.date_range("2020-01-01 00:00:00.000000123", periods=N, freq="7ns")
        training = train(data=bp.Data.from_frames({"X": make_frame(1, index=index)}))
        read = bp.read_par(training.to_par(tmp_path / "a.par"))
        assert read.provenance.trained == training.provenance.trained
        assert read.provenance.trained.startswith("2020-01-01 00:00:00.000000263 to ")

    def test_numbered_bars_and_times(self, tmp_path):
        hours = pd.date_range("2020-01-01 09:30", periods=N, freq="h", tz="Europe/Berlin")
        for index in (pd.RangeIndex(N), hours, hours.tz_localize(None)):
            data = bp.Data.from_frames({"X": make_frame(1, index=index)})
            training = train(data=data, end=index[299])
            read = bp.read_par(training.to_par(tmp_path / "a.par"))
            assert read.provenance.period == (index[LOOKBACK], index[299])
            assert test(swing, data, read, end=index[299]).facts["sample"] == "in sample"
            assert test(swing, data, read, start=index[300]).facts["sample"] == "out of sample"


class TestCosts:
    def test_they_are_taken_from_a_training_and_its_file(self, tmp_path):
        training = train(costs=COSTS)
        path = training.to_par(tmp_path / "swing.par")
        told = test(swing, ONE, training.params, costs=COSTS)
        assert told.facts["costs_from"] == "argument"
        for params, source in (
            (training, "training"),
            (path, "file"),
            (bp.read_par(path), "file"),
        ):
            found = test(swing, ONE, params)
            pd.testing.assert_series_equal(found.value, told.value, check_exact=True)
            assert found.facts["costs_from"] == source
            assert found.facts["costs"] == {"X": COSTS}

    def test_what_is_passed_wins(self, tmp_path):
        training = train(costs=COSTS)
        free = test(swing, ONE, training.params)
        assert free.facts["costs_from"] == "none"
        for params in (training, training.to_par(tmp_path / "swing.par")):
            found = test(swing, ONE, params, costs=bp.Costs())
            pd.testing.assert_series_equal(found.value, free.value, check_exact=True)
            assert found.facts["costs_from"] == "argument"

    def test_of_several_assets_those_that_are_there(self, tmp_path):
        training = train(looped, BOTH, costs={"X": COSTS, "Y": bp.Costs(fees=0.002)})
        path = training.to_par(tmp_path / "looped.par")
        for params in (training, path):
            assert test(looped, BOTH, params).facts["costs"]["Y"] == bp.Costs(fees=0.002)
        first = bp.read_par(path)
        only = replace(first, components={"X": first.components["X"]})
        assert test(looped, ONE, only).facts["costs"] == {"X": COSTS}

    def test_a_training_without_costs_says_so(self, tmp_path):
        found = test(swing, ONE, train().to_par(tmp_path / "a.par"))
        assert found.facts["costs_from"] == "file"
        assert found.facts["costs"] == {"X": bp.Costs()}


class TestSizing:
    @pytest.mark.parametrize(
        "sizing",
        [
            {"sizing": "money", "capital": 5_000.0},
            {"sizing": "equity"},
            {"sizing": "equity", "capital": 3_000.0, "whole": True},
        ],
    )
    def test_it_is_taken_from_a_training_and_its_file(self, tmp_path, sizing):
        training = train(**sizing)
        told = test(swing, ONE, training.params, **sizing)
        for params, source in (
            (training, "training"),
            (training.to_par(tmp_path / "a.par"), "file"),
        ):
            found = test(swing, ONE, params)
            pd.testing.assert_series_equal(found.value, told.value, check_exact=True)
            assert found.facts["sizing_from"] == source
            for name in ("sizing", "capital", "whole"):
                assert found.facts[name] == told.facts[name]

    def test_one_lot_is_how_values_are_compared_not_traded(self, tmp_path):
        training = train()
        for params in (training, training.to_par(tmp_path / "a.par"), training.params):
            facts = test(swing, ONE, params).facts
            assert (facts["sizing"], facts["sizing_from"]) == ("money", "strategy")
        assert test(sized, ONE, train(sized)).facts["sizing"] == "script"

    def test_what_is_passed_wins(self):
        training = train(sizing="equity", capital=3_000.0, whole=True)
        facts = test(swing, ONE, training, sizing="money").facts
        assert (facts["sizing"], facts["capital"], facts["whole"]) == ("money", 10_000.0, False)
        assert facts["sizing_from"] == "argument"
        facts = test(swing, ONE, training, capital=8_000.0).facts
        assert (facts["sizing"], facts["capital"], facts["whole"]) == ("equity", 8_000.0, True)

    def test_script_is_taken_too(self):
        training = train(sizing="script")
        assert test(swing, ONE, training).facts["sizing"] == "script"


class TestSample:
    def test_by_bars(self, tmp_path):
        training = train()
        path = training.to_par(tmp_path / "swing.par")
        index = X.index
        for params in (training, path):
            assert test(swing, ONE, params, end=index[299]).facts["sample"] == "in sample"
            assert test(swing, ONE, params).facts["sample"] == "partly in sample"
            later = test(swing, ONE, params, start=index[300])
            assert later.facts["sample"] == "out of sample"
            assert later.facts["period"] == (index[300], index[-1])
            edge = test(swing, ONE, params, start=index[299])
            assert edge.facts["sample"] == "partly in sample"

    def test_figures_say_it(self):
        training = train()
        stats = test(swing, ONE, training, end=X.index[299]).stats()
        assert list(stats.index[:4]) == ["start", "end", "bars", "sample"]
        assert stats["sample"] == "in sample"
        assert "sample" not in test(swing, ONE).stats()
        assert training.portfolio.facts["sample"] == "partly in sample"
        assert training.backtests.chosen_unseen.facts["sample"] == "out of sample"
        assert walk().stats["sample"] == "out of sample"

    def test_components(self):
        found = test(looped, BOTH, train(looped, BOTH), end=X.index[299])
        for one in found.components.values():
            assert one.facts["sample"] == "in sample"
            assert one.stats()["sample"] == "in sample"

    def test_where_nobody_knows(self):
        for params in (None, {"X": {"days": 8.0}}):
            facts = test(swing, ONE, params).facts
            assert (facts["sample"], facts["same_prices"]) == ("", None)
            assert facts["params"] == {"X": {"days": 8.0}}

    def test_other_prices_of_the_same_days_were_seen_all_the_same(self, tmp_path):
        """A vendor that adjusts prices anew makes nothing unseen, but it is told."""
        path = train().to_par(tmp_path / "a.par")
        adjusted = X.copy()
        adjusted[["open", "high", "low", "close"]] *= 0.97
        facts = test(swing, bp.Data.from_frames({"X": adjusted}), path, end=X.index[299]).facts
        assert (facts["sample"], facts["same_prices"]) == ("in sample", False)
        assert test(swing, ONE, path).facts["same_prices"] is True
        for name in ("open", "high", "low", "close"):
            revised = X.copy()
            revised.iloc[200, X.columns.get_loc(name)] *= 1.0001
            data = bp.Data.from_frames({"X": revised})
            assert test(swing, data, path).facts["same_prices"] is False
        longer = bp.Data.from_frames({"X": X.assign(volume=5.0)})
        assert test(swing, longer, path).facts["same_prices"] is True

    def test_whoever_deletes_the_costs_of_a_file_hears_of_no_other_prices(self, tmp_path):
        """The lines say which assets the fingerprint is of."""
        path = train().to_par(tmp_path / "a.par")
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith("# costs:")]
        assert len(kept) == len(lines) - 1
        path.write_text("".join(kept), encoding="utf-8")
        assert test(swing, ONE, path).facts["same_prices"] is None

    def test_some_of_the_bars_of_the_training_say_nothing_of_its_prices(self, tmp_path):
        path = train().to_par(tmp_path / "a.par")
        for data in (ONE[X.index[150] :], ONE[: X.index[200]]):
            assert test(swing, data, path).facts["same_prices"] is None
            assert bp.signals(swing, data, path).attrs["same_prices"] is None
        halved = X.assign(**{name: X[name] / 2 for name in ("open", "high", "low", "close")})
        data = bp.Data.from_frames({"X": halved})
        assert bp.signals(swing, data, path).attrs["same_prices"] is False
        assert bp.signals(swing, ONE, path).attrs["same_prices"] is True
        assert bp.signals(swing, ONE).attrs["same_prices"] is None

    def test_numbers_of_bars_are_not_dates(self, tmp_path):
        data = bp.Data.from_frames({"X": make_frame(1, index=pd.RangeIndex(N))})
        other = bp.Data.from_frames({"X": make_frame(9, index=pd.RangeIndex(N))})
        path = train(data=data, end=299).to_par(tmp_path / "a.par")
        assert test(swing, data, path, end=299).facts["sample"] == "in sample"
        assert test(swing, other, path, end=299).facts["sample"] == ""
        assert test(swing, ONE, path).facts["sample"] == ""

    def test_the_unit_of_dates_changes_nothing(self, tmp_path):
        path = train().to_par(tmp_path / "a.par")
        for unit in ("s", "us", "ns"):
            data = bp.Data.from_frames({"X": X.set_axis(X.index.as_unit(unit))})
            facts = test(swing, data, path, end=X.index[299]).facts
            assert (facts["sample"], facts["same_prices"]) == ("in sample", True)

    def test_time_zones(self, tmp_path):
        path = train().to_par(tmp_path / "a.par")
        data = bp.Data.from_frames({"X": X.tz_localize("America/New_York")})
        assert test(swing, data, path, end="2020-02-24").facts["sample"] == "in sample"

    def test_it_travels(self):
        found = pickle.loads(pickle.dumps(test(swing, ONE, train(costs=COSTS))))
        assert found.facts["provenance"].costs == {
            "X": {"spread": 0.05, "fees": 0.001, "slippage": 0.0005}
        }
        assert bp.Portfolio.from_signals(X["close"], X["close"] > 100).facts == {}


REPLAYS = [
    (swing, ONE, {}),
    (swing, ONE, {"border": "close", "horizon": 4}),
    (at_close, ONE, {"border": "close", "sizing": "equity", "costs": COSTS}),
    (at_close, ONE, {"anchored": True, "retrain_last": False}),
    (sized, ONE, {"costs": COSTS, "split": 0.6}),
    (sized, ONE, {"sizing": "unit", "capital": 700.0}),
    (looped, BOTH, {"sizing": "equity", "capital": 4_000.0, "whole": True}),
    (looped, BOTH, {"border": "close", "costs": {"X": COSTS, "Y": bp.Costs(fees=0.002)}}),
    (swing, ONE, {"method": "brute", "select": bp.Ensemble(0.7), "costs": COSTS}),
    (looped, BOTH, {"method": "brute", "select": bp.Ensemble(0.7), "border": "close"}),
    (looped, BOTH, {"method": "brute", "select": bp.Ensemble(0.7), "sizing": "equity"}),
]


class TestReplay:
    @pytest.mark.parametrize(("plan", "data", "options"), REPLAYS)
    def test_it_is_the_run_to_the_bit(self, plan, data, options, tmp_path):
        wf = walk(plan, data, **options)
        wf.to_par(tmp_path)
        assert len(wf.portfolio.trades) > 3
        for params, source in ((wf, "walk-forward"), (tmp_path, "file"), (str(tmp_path), "file")):
            found = test(plan, data, params)
            pd.testing.assert_series_equal(found.value, wf.portfolio.value, check_exact=True)
            pd.testing.assert_series_equal(found.returns, wf.portfolio.returns, check_exact=True)
            pd.testing.assert_frame_equal(found.trades, wf.portfolio.trades, check_exact=True)
            pd.testing.assert_series_equal(found.held.value, wf.held.value, check_exact=True)
            for key, one in wf.portfolio.components.items():
                pd.testing.assert_series_equal(
                    found.components[key].value, one.value, check_exact=True
                )
            facts = wf.portfolio.facts
            for name in ("sizing", "capital", "whole", "costs", "sample", "period", "params"):
                assert found.facts[name] == facts[name]
            assert found.facts["sample"] == "out of sample"
            assert found.facts["costs_from"] == found.facts["sizing_from"] == source
            assert found.facts["provenance"] == wf.provenance

    def test_start_and_end(self):
        wf = walk(start=X.index[40], end=X.index[380])
        found = test(swing, ONE, wf, end=X.index[380])
        pd.testing.assert_series_equal(found.value, wf.portfolio.value, check_exact=True)
        late = test(swing, ONE, wf, start=X.index[300], end=X.index[380])
        assert late.index[0] == X.index[300]

    def test_it_goes_on_with_the_last_training(self, tmp_path):
        """Bars after the run obey its last training, and what was before stays as it was."""
        known = ONE[: X.index[349]]
        wf = walk(data=known, sizing="unit")
        wf.to_par(tmp_path)
        last = wf.trainings[-1]
        assert last.period[1] == X.index[349]
        for params in (wf, tmp_path):
            found = test(swing, ONE, params)
            pd.testing.assert_series_equal(
                found.value[: X.index[349]], wf.portfolio.value, check_exact=True
            )
            alone = test(swing, ONE, last.params, sizing="unit").trades
            fresh = alone[alone["entry_time"] > X.index[355]]
            mine = found.trades[found.trades["entry_time"] > X.index[355]]
            assert len(fresh) > 0
            assert mine["entry_time"].tolist() == fresh["entry_time"].tolist()

    def test_changed_values_are_seen(self, tmp_path):
        """It is the files that are traded: other values in one of them change its bars alone."""
        wf = walk(sizing="unit")
        paths = wf.to_par(tmp_path)
        one = bp.read_par(paths[1])
        line = one.components["X"]
        days = 4.0 if line.params["days"] > 6 else 12.0
        changed = {"X": replace(line, params={"days": days})}
        replace(one, components=changed).write(paths[1])
        found = test(swing, ONE, tmp_path)
        border = wf.cycles["test_start"].iloc[1]
        before = found.value[:border].iloc[:-1]
        pd.testing.assert_series_equal(before, wf.portfolio.value[:border].iloc[:-1])
        assert not found.value.equals(wf.portfolio.value)

    def test_prices_that_end_too_early(self):
        wf = walk()
        first = wf.trainings[0].period[1]
        with pytest.raises(bp.DataError, match="go on after the first training"):
            test(swing, ONE[:first], wf)
        with pytest.raises(bp.DataError, match=r"at least two bars after the first.*got 1"):
            test(swing, ONE[: wf.cycles["test_start"].iloc[0]], wf)

    def test_labels_of_another_kind(self):
        data = bp.Data.from_frames({"X": make_frame(1, index=pd.RangeIndex(N))})
        with pytest.raises(ParamError, match="a training must end at a label of the index"):
            test(swing, data, walk())

    def test_signals_of_a_run_are_what_its_test_does_next(self):
        """With positions that are carried over borders, and closed at them."""
        for border in ("carry", "close"):
            wf = walk(cycles=5, border=border)
            begin = ONE.index.get_loc(wf.cycles["test_start"].iloc[0]) + 2
            n_held = 0
            for day in range(begin, N - 1):
                due = bp.signals(swing, ONE[: X.index[day]], wf).iloc[0]
                later = test(swing, ONE[: X.index[day + 1]], wf, check=False)
                held = later.positions.iloc[-2]
                assert due["position"] == held
                came = later.trades["entry_time"] == X.index[day + 1]
                assert str(due["next_order"]).startswith("enter") == came.any()
                n_held += held != 0
            assert n_held > 20
            # The last training, which has seen the last bar of all, rules what comes after it.
            assert due["trained"] == wf.trainings[-2].provenance.trained
            assert bp.signals(swing, ONE, wf)["trained"].tolist() == [wf.provenance.trained]

    def test_signals_name_the_training_that_rules_their_bar(self, tmp_path):
        run = walk()
        run.to_par(tmp_path)
        periods = [one.provenance.trained for one in run.trainings]
        for params in (run, tmp_path):
            for number, row in run.cycles.dropna(subset=["test_start"]).reset_index().iterrows():
                due = quiet(
                    bp.signals, swing, ONE, params, end=row["test_start"] + pd.Timedelta(9, "D")
                )
                assert due["trained"].tolist() == [periods[number]]
            assert quiet(bp.signals, swing, ONE, params)["trained"].tolist() == periods[-1:]


class TestFolders:
    @pytest.fixture
    def folder(self, tmp_path):
        walk(cycles=3).to_par(tmp_path)
        return tmp_path

    def message(self, folder) -> str:
        with pytest.raises(ParFileError, match="must") as caught:
            test(swing, ONE, folder)
        return str(caught.value)

    def test_an_empty_one(self, tmp_path):
        assert "(swing_1.par, …), got none" in self.message(tmp_path)

    def test_a_missing_file(self, folder):
        (folder / "swing_2.par").unlink()
        assert "got none of cycle 2 of 3" in self.message(folder)

    def test_files_of_two_runs(self, folder):
        walk(cycles=5).to_par(folder / "other")
        (folder / "other" / "swing_4.par").rename(folder / "swing_4.par")
        found = self.message(folder)
        assert "got swing_4.par of cycle 4 of 5 beside" in found
        assert "Delete the files of the other run" in found

    def test_files_without_periods(self, folder):
        path = folder / "swing_1.par"
        lines = path.read_text().splitlines()
        path.write_text("\n".join(one for one in lines if not one.startswith("# period")))
        assert "must say which bars its cycle was trained on" in self.message(folder)

    def test_one_file_is_one_training(self, folder):
        facts = test(swing, ONE, folder / "swing_1.par").facts
        assert facts["provenance"].cycle.number == 1
        assert facts["sample"] == "partly in sample"

    def test_what_is_not_of_the_run_stays_outside(self, folder):
        (folder / "swing_best.par").write_text("X 8 => 1")
        (folder / "other.par").write_text("X 8 => 1")
        assert test(swing, ONE, folder).facts["sample"] == "out of sample"


def test_provenance_of_a_cycle():
    wf = walk(cycles=3, sizing="equity", border="close", horizon=2)
    assert isinstance(wf.provenance, Provenance)
    assert wf.provenance.cycle == CycleOfRun(3, 3, "close", 2, "equity", 10_000.0, whole=False)
    assert wf.trainings[0].provenance.cycle is None
    assert pickle.loads(pickle.dumps(wf)).provenance == wf.provenance
