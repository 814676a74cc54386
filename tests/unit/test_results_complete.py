# SPDX-License-Identifier: BSD-3-Clause
"""Whatever a page shows is on the result: found once, kept, and drawn without running anything."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._training.result import StepCurve

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

CALLS: list[str] = []


@bp.strategy(lookback=60, name="momentum")
def momentum(s: Any) -> None:
    CALLS.append(s.mode)
    for _ in s.loop():
        days = s.optimize(20, 10, 50, 10, name="days")
        limit = s.optimize(0.02, 0.01, 0.05, 0.01, name="limit")
        change = bp.roc(s.close, days)
        s.plot("change", change, panel=1)
        s.plot("mean", bp.sma(s.close, days))
        s.enter_long(bp.crossed_above(change, limit))
        s.enter_short(bp.crossed_below(change, -limit))


@pytest.fixture(scope="module")
def data() -> bp.Data:
    return bp.Data.sample(["IBM", "MSFT"])["2004":"2009"]


def test_a_tested_component_has_its_prices_and_plots(data: bp.Data) -> None:
    tested = bp.test(momentum, data, start="2005-01-03")
    for key, component in tested.components.items():
        assert component.close.index.equals(component.index)
        np.testing.assert_array_equal(component.close, data.select(key).close["2005-01-03":])
        assert list(component.plots) == [(1, "change"), (0, "mean")]
        assert component.plots.index.equals(component.index)
        np.testing.assert_allclose(
            component.plots[0, "mean"], bp.sma(data.select(key).close, 20)["2005-01-03":]
        )
    assert list(tested.close) == ["IBM", "MSFT"]
    assert tested.plots.shape == (len(tested.index), 0)


def test_signals_have_prices_and_no_plots(data: bp.Data) -> None:
    portfolio = bp.PF.from_signals(data, data.close > 80)
    pd.testing.assert_frame_equal(portfolio.close, data.close, check_names=False)
    one = data.select("IBM").close
    alone = bp.PF.from_signals(one, one > 80)
    pd.testing.assert_series_equal(alone.close, one)
    assert alone.plots.empty
    assert list(alone.plots.columns.names) == ["panel", "name"]


@pytest.fixture(scope="module")
def training(data: bp.Data) -> bp.Training:
    return bp.train(momentum, data, end="2007-12-31")


def test_backtests_are_those_that_test_gives(training: bp.Training, data: bp.Data) -> None:
    found = training.backtests
    unseen = data.index[data.index > "2007-12-31"][0]
    for portfolio, tested in (
        (found.chosen, bp.test(momentum, data, training)),
        (found.defaults, bp.test(momentum, data)),
        (found.chosen_unseen, bp.test(momentum, data, training, start=unseen)),
        (found.defaults_unseen, bp.test(momentum, data, start=unseen)),
    ):
        assert portfolio is not None
        pd.testing.assert_series_equal(portfolio.value, tested.value)
        pd.testing.assert_frame_equal(portfolio.trades, tested.trades)
    assert training.portfolio is found.chosen
    assert training.period == (data.index[60], pd.Timestamp("2007-12-31"))


@pytest.mark.parametrize("sizing", ["unit", "script", "money", "equity"])
def test_the_defaults_are_traded_on_the_terms_of_the_choice(data: bp.Data, sizing: str) -> None:
    """Also where lots were trained on and the strategy sets none."""
    training = bp.train(momentum, data, sizing=sizing, end="2008-12-31", costs=bp.Costs(fees=0.001))
    found = training.backtests
    assert found.chosen_unseen is not None
    assert found.defaults_unseen is not None
    for one, other in (
        (found.chosen, found.defaults),
        (found.chosen_unseen, found.defaults_unseen),
    ):
        assert one.facts["sizing"] == {"unit": "money"}.get(sizing, sizing)
        for name in ("sizing", "capital", "whole", "costs"):
            assert one.facts[name] == other.facts[name]


def test_backtests_run_once_and_again_when_something_changed(data: bp.Data) -> None:
    training = bp.train(momentum, data.select("IBM"), costs=bp.Costs(fees=0.001))
    CALLS.clear()
    first = training.backtests
    assert CALLS == ["test"] * 2
    assert first.chosen_unseen is None
    assert training.backtests is first
    assert CALLS == ["test"] * 2
    assert first.chosen.trades["entry_fees"].gt(0).all()
    training.components["IBM"].params["days"] = 12.0
    changed = training.backtests
    assert changed is not first
    other = bp.test(momentum, data.select("IBM"), training, costs=bp.Costs(fees=0.001))
    pd.testing.assert_series_equal(changed.chosen.value, other.value)


def test_what_was_derived_is_not_pickled(training: bp.Training) -> None:
    value = training.portfolio.value
    again = pickle.loads(pickle.dumps(training))
    assert "_backtests" not in vars(again)
    pd.testing.assert_series_equal(again.portfolio.value, value)


def test_warnings_of_backtests_are_kept_with_them(data: bp.Data) -> None:
    @bp.strategy(lookback=5, unstable_period=0)
    def early(s: Any) -> None:
        days = s.optimize(40, 30, 50, 10, name="days")
        s.stop = 0.3 * bp.atr(s.high, s.low, s.close, int(days))
        s.enter_long(s.close > np.roll(s.close, 1))
        s.exit_long(s.close < np.roll(s.close, 1))

    found = bp.train(early, data.select("IBM")).backtests
    assert len(found.notes) == 2
    assert all("stop was NaN" in note for note in found.notes)


def test_the_objective_of_the_defaults_is_that_of_their_trial(training: bp.Training) -> None:
    rows = training.trials.query("component == 'IBM' and days == 20 and limit == 0.02")
    assert training.default_objective("IBM") == rows["objective"].iloc[0]
    with pytest.raises(bp.ParamError, match="component must be given where there are several"):
        training.default_objective()


def test_tables_are_of_pairs_and_none_after_an_ascent(training: bp.Training, data: bp.Data) -> None:
    assert training.tables("IBM") == []
    brute = bp.train(momentum, data.select("IBM"), method="brute")
    (only,) = brute.tables()
    pd.testing.assert_frame_equal(only, brute.table("days", "limit"))


def steps(objective: list[float], chosen: float, window: Any = None) -> StepCurve:
    n = len(objective)
    zeros = np.zeros(n)
    values = np.arange(1.0, n + 1.0)
    return StepCurve(
        *("IBM", "days", 1, values, np.array(objective), zeros, zeros, chosen),
        *(1.25, 1.0, window, False),
    )


def test_breadth_is_the_neighbourhood_over_the_highest_step() -> None:
    spike = steps([1.0, 1.0, 4.0, 1.0, 1.0], chosen=3.0)
    assert spike.neighbourhood == pytest.approx((1 + 2 + 12 + 2 + 1) / 9)
    assert spike.breadth == pytest.approx(spike.neighbourhood / 4)
    smoothed = steps([1.0, 2.0, 1.0], chosen=2.0, window=(1.0, 3.0))
    assert (smoothed.neighbourhood, smoothed.breadth) == (1.25, 0.625)
    assert np.isnan(steps([np.nan, np.nan], chosen=1.0).neighbourhood)
    assert np.isnan(steps([-1.0, -2.0], chosen=1.0).breadth)


def test_the_catalog_has_every_number_of_a_page(data: bp.Data) -> None:
    tested = bp.test(momentum, data, costs=bp.Costs(fees=0.001))
    names = ["net", "largest_win", "largest_loss", "mean_bars", "fees_paid"]
    totals = tested.metrics(names).iloc[0]
    trades = tested.trades
    closed = trades[trades["status"] == "closed"]
    assert len(closed) < len(trades)
    assert totals["net"] == pytest.approx(trades["pnl"].sum())
    assert totals["net"] == pytest.approx(tested.value.iloc[-1] - tested.stats()["start_value"])
    assert totals["largest_win"] == pytest.approx(closed["pnl"].max())
    assert totals["largest_loss"] == pytest.approx(closed["pnl"].min())
    assert totals["mean_bars"] == pytest.approx(closed["bars"].mean())
    fees = trades["entry_fees"].sum() + trades["exit_fees"].sum()
    assert totals["fees_paid"] == pytest.approx(fees)


def test_a_report_runs_nothing_that_the_result_has_run(data: bp.Data, tmp_path: Path) -> None:
    training = bp.train(momentum, data, end="2007-12-31")
    CALLS.clear()
    training.report(tmp_path / "a.html", verdict=False)
    assert CALLS == ["test"] * 4  # its backtests, which nobody had looked at
    CALLS.clear()
    training.report(tmp_path / "b.html", verdict=False)
    assert CALLS == []
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    walked = bp.walk_forward(momentum, data, cycles=3)
    CALLS.clear()
    walked.report(tmp_path / "c.html", verdict=False)
    walked.chart()
    walked.chart("days", "IBM")
    assert CALLS == []


def test_cycles_are_summed_up_over_their_components(data: bp.Data) -> None:
    walked = bp.walk_forward(momentum, data, cycles=3)
    table, cycles = walked.cycles, walked.by_cycle
    assert cycles.index.tolist() == [1, 2, 3]
    first = table.loc[1]
    assert cycles.loc[1, "test_start"] == first["test_start"].min()
    assert cycles.loc[1, "test_end"] == first["test_end"].max()
    assert cycles.loc[1, "in_sample"] == first["in_sample"].mean()
    assert cycles.loc[1, "out_of_sample"] == first["out_of_sample"].mean()
    assert cycles.loc[1, "net"] == first["net"].sum()
    assert cycles.loc[3].drop("in_sample").isna().all()
    assert (cycles["net"] > 0).sum() == walked.stats["profitable_cycles"]
    # What a cycle plotted with its values is not the plot of the whole walk.
    assert all(one.plots.empty for one in walked.portfolio.components.values())
