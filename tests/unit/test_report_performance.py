# SPDX-License-Identifier: BSD-3-Clause
"""Sections of an account: what they show is what the account says, in and out of sample."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._report.charts.account_charts import (
    MOST_POINTS,
    drift_figure,
    excursion_figure,
    nice_step,
    profits_figure,
    spread_figure,
    years_figure,
)
from broadpeak._report.charts.lines import Span
from broadpeak._report.charts.walk_chart import walk_forward_figure
from broadpeak._report.page import Cell, Chart, Paragraph, Section, Table
from broadpeak._report.performance_sections import (
    components_section,
    costs_section,
    falls_section,
    months_section,
    sample_spans,
)
from broadpeak._report.sections import side_table
from broadpeak._report.wording import percent

DAYS = pd.bdate_range("2003-11-03", periods=700)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@bp.strategy(lookback=60)
def momentum(s: Any) -> None:
    for _ in s.loop():
        change = bp.roc(s.close, s.optimize(20, 10, 50, 10, name="days"))
        s.enter_long(bp.crossed_above(change, 0.0))
        s.enter_short(bp.crossed_below(change, 0.0))


@pytest.fixture(scope="module")
def data() -> bp.Data:
    return bp.Data.sample(["IBM", "MSFT"])["2004":"2008"]


@pytest.fixture(scope="module")
def tested(data: bp.Data) -> bp.Portfolio:
    return bp.test(momentum, data, costs=bp.Costs(fees=0.001))


def table(section: Section, place: int = 0) -> Table:
    tables: list[Table] = [part for part in section.parts if isinstance(part, Table)]
    return tables[place]


def values(cells: Any) -> list[Any]:
    return [cell.value if isinstance(cell, Cell) else cell for cell in cells]


def test_months_are_those_of_the_account_and_years_say_their_sample(tested: bp.Portfolio) -> None:
    trained = Span("in sample", "2005-01-01", "2006-06-30")
    (section,) = months_section("Account", tested, tested.held, trained=trained)
    shown = table(section)
    assert shown.columns[:4] == ["Year", "Sample", "Total", "Hold"]
    assert [row[1] for row in shown.rows] == ["out", "in", "partly", "out", "out"]
    months, years = tested.monthly_returns(), tested.yearly_returns()
    held = tested.held
    assert held is not None
    for row in shown.rows:
        year = int(row[0])
        assert values(row)[2] == pytest.approx(years[year] * 100)
        assert values(row)[3] == pytest.approx(held.yearly_returns()[year] * 100)
        expected = [None if math.isnan(one) else one * 100 for one in months.loc[year]]
        assert values(row)[4:] == pytest.approx(expected)
    assert "of the capital, not compounded; Hold: of the value before" in shown.note
    losses = [cell for row in shown.rows for cell in row[4:] if cell.value and cell.value < 0]
    assert losses
    assert all(cell.shade < 0 for cell in losses)


def test_a_year_of_which_only_trained_bars_were_traded_is_in_sample(tested: bp.Portfolio) -> None:
    """The account begins in the middle of a year, and so does the training."""
    first, *_, last = tested.index
    assert first.day_of_year > 60
    trained = Span("in sample", first, pd.Timestamp("2006-12-31"))
    (section,) = months_section("Account", tested, None, trained=trained)
    assert [row[1] for row in table(section).rows] == ["in", "in", "in", "out", "out"]
    trained = Span("in sample", first + pd.Timedelta(days=20), last)
    (section,) = months_section("Account", tested, None, trained=trained)
    assert [row[1] for row in table(section).rows] == ["partly", "in", "in", "in", "in"]


def test_a_walk_forward_that_is_traded_again_has_no_bar_in_sample(
    data: bp.Data, tmp_path: Path
) -> None:
    """Its last training saw most of these bars, but its values trade none of them."""
    walk = bp.walk_forward(momentum, data, cycles=3, min_trades=0)
    replayed = bp.test(momentum, data, walk)
    text = replayed.report(tmp_path / "page.html", verdict=False).read_text(encoding="utf-8")
    assert "momentum: test, out of sample" in text
    assert "Months and years" in text
    assert ">Sample<" not in text
    text = bp.test(momentum, data, walk.trainings[0]).report(tmp_path / "page.html", verdict=False)
    assert ">Sample<" in text.read_text(encoding="utf-8")


def test_one_account_of_several_is_named_by_all_of_them(
    tested: bp.Portfolio, tmp_path: Path
) -> None:
    assert set(tested.worst_drawdowns()["column"]) == {"group"}
    assert set(tested.components["IBM"].worst_drawdowns()["column"]) == {"IBM"}
    close = bp.Data.sample().close["2010":"2011"]  # type: ignore[misc]
    pf = bp.Portfolio.from_signals(close, close > close.shift(20), group_by=True)
    text = pf.report(tmp_path / "page.html", verdict=False).read_text(encoding="utf-8")
    assert "AAPL, IBM, MSFT, 2010-01-04 to" in text


def test_one_account_is_judged_as_one_trial_and_its_page_says_so(tmp_path: Path) -> None:
    """Whoever chose it after a sweep must not read "pass" as if nothing else had been tried."""
    close = bp.Data.sample("IBM").close["2004":"2012"]  # type: ignore[misc]
    pf = bp.Portfolio.from_signals(close, close > close.shift(60), close < close.shift(60))
    text = pf.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Judged as the only one that was tried" in text
    text = pf.report(tmp_path / "page.html", verdict=False).read_text(encoding="utf-8")
    assert "Judged as the only one" not in text


def test_years_have_no_sample_where_all_are_alike(tested: bp.Portfolio) -> None:
    for trained in (None, Span("in sample", "2000-01-01", "2010-01-01")):
        (section,) = months_section("Account", tested, None, trained=trained)
        assert table(section).columns[:3] == ["Year", "Total", "Jan"]


def test_bars_without_dates_have_no_months(tmp_path: Path) -> None:
    close = np.exp(np.random.default_rng(1).normal(0, 0.02, 300).cumsum())
    pf = bp.Portfolio.from_signals(close, close > 1, close < 1)
    assert months_section("Account", pf, None) == []
    text = pf.report(tmp_path / "page.html", verdict=False).read_text(encoding="utf-8")
    assert "Worst drawdowns" in text
    assert "Months and years" not in text


def test_both_samples_are_named_and_only_what_was_trained_on_is_shaded() -> None:
    spans = sample_spans((DAYS[100], DAYS[300]), DAYS)
    assert [(one.name, one.first, one.last, bool(one.colour)) for one in spans] == [
        ("before the training", DAYS[0], DAYS[99], False),
        ("in sample", DAYS[100], DAYS[300], True),
        ("out of sample", DAYS[301], DAYS[-1], False),
    ]
    assert [one.name for one in sample_spans((DAYS[0], DAYS[-1]), DAYS)] == ["in sample"]
    assert sample_spans((DAYS[-1] + pd.Timedelta(days=5), pd.Timestamp("2030-01-01")), DAYS) == []
    assert sample_spans(None, DAYS) == []


def test_the_worst_falls_of_each_account_stand_below_each_other(tested: bp.Portfolio) -> None:
    held = tested.held
    assert held is not None
    section = falls_section({"Account": tested, "Held": held})
    rows = table(section).rows
    expected = tested.worst_drawdowns(5)
    assert [values(row)[1] for row in rows if row[0] == "Account"] == expected["depth"].tolist()
    assert [values(row)[3] for row in rows if row[0] == "Account"] == expected["days"].tolist()
    assert {row[0] for row in rows} == {"Account", "Held"}
    moving = next(part for part in section.parts if isinstance(part, Chart))
    drawn = moving.figure.data[0]
    np.testing.assert_allclose(drawn.y, tested.rolling_sharpe())


def test_costs_are_shown_without_as_charged_and_at_twice(tested: bp.Portfolio) -> None:
    shown = table(costs_section(tested))
    assert list(shown.columns) == ["", "Without costs", "As charged", "At twice the costs"]
    for row, name in zip(shown.rows, ("net", "total_return"), strict=False):
        expected = [tested.at_costs(factor).metrics(name).iloc[0, 0] for factor in (0, 1, 2)]
        assert values(row[1:]) == pytest.approx(expected)


def test_a_run_without_costs_is_told_what_to_pass(data: bp.Data) -> None:
    (part,) = costs_section(bp.test(momentum, data)).parts
    assert isinstance(part, Paragraph)
    assert "costs=bp.Costs(" in part.text


def test_components_stand_side_by_side(tested: bp.Portfolio) -> None:
    (section,) = components_section(tested)
    figures, related = table(section), table(section, 1)
    for row in figures.rows:
        component = tested.components[str(row[0])]
        assert values(row)[2] == pytest.approx(component.sharpe_ratio)
    assert values(related.rows[0])[2] == pytest.approx(tested.correlation().iloc[0, 1])
    assert related.rows[0][1].shade == 0  # everything moves like itself
    assert components_section(tested.components["IBM"]) == []


def test_sides_are_those_of_the_account(tested: bp.Portfolio) -> None:
    sides = tested.trade_stats()
    shown = side_table(tested)
    assert list(shown.columns) == ["", "All trades", "Long", "Short"]
    assert values(shown.rows[1])[1:] == pytest.approx(sides["net"].tolist())
    close = np.array([1.0, 2.0, 3.0, 2.0])
    long = bp.Portfolio.from_signals(close, [True, False, False, False])
    assert list(side_table(long).columns) == ["", "Long"]
    never = bp.Portfolio.from_signals(close, [False] * 4)
    assert list(side_table(never).columns) == ["", "All trades"]


def test_results_of_trades_are_drawn_once_each(tested: bp.Portfolio) -> None:
    trades = tested.trades
    figure = spread_figure(trades)
    assert sum(len(trace.x) for trace in figure.data) == len(trades)
    assert {trace.name for trace in figure.data} == {"gain", "loss"}
    start, step = figure.data[0].xbins.start, figure.data[0].xbins.size
    assert math.isclose(start / step, round(start / step), abs_tol=1e-9)  # 0 is an edge
    assert all(trace.xbins == figure.data[0].xbins for trace in figure.data)
    for what in ("mae", "mfe"):
        points = excursion_figure(trades, what).data
        assert sum(len(trace.x) for trace in points) == len(trades)
    many = pd.concat([trades] * (MOST_POINTS // len(trades) + 2))
    assert sum(len(trace.x) for trace in excursion_figure(many, "mae").data) <= MOST_POINTS


@pytest.mark.parametrize("width", [1e-9, 0.003, 0.07, 1.0, 17.0, 1e6])
def test_steps_are_round_and_neither_few_nor_many(width: float) -> None:
    step = nice_step(width)
    digits = f"{step:.6e}".split("e")[0].rstrip("0").rstrip(".")
    assert digits in {"1", "2.5", "5"}
    assert 10 <= width / step <= 30 * (1 + 1e-6)


def test_years_and_profits_are_drawn_by_name(tested: bp.Portfolio) -> None:
    bars = years_figure({"a": tested.yearly_returns(), "<b>": tested.yearly_returns()}).data
    assert [trace.name for trace in bars] == ["a", "&lt;b&gt;"]
    lines = profits_figure(tested.profits()).data
    np.testing.assert_allclose(lines[0].y[-1], tested.profits()["IBM"].iloc[-1])


def test_drift_is_drawn_over_the_whole_range() -> None:
    figure = drift_figure({"IBM": np.array([2.0, 3.0])}, ["1", "2"], "days", (1.0, 11.0))
    assert list(figure.data[0].y) == [2.0, 3.0]
    low, high = figure.layout.yaxis.range
    assert low < 1.0 < 11.0 < high


def test_one_lucky_cycle_leaves_room_for_the_others_and_says_its_figure() -> None:
    equity = pd.Series(np.linspace(100, 130, 80), index=DAYS[:80])
    cycles = pd.DataFrame(
        {
            "test_start": DAYS[[0, 20, 40, 60]],
            "test_end": DAYS[[19, 39, 59, 79]],
            "in_sample": [1.5, 1.4, 1.2, 1.3],
            "out_of_sample": [1.1, 73.5, 0.9, 0.7],
            "net": [1.0, 2.0, 3.0, 4.0],
        },
        index=pd.RangeIndex(1, 5, name="number"),
    )
    figure = walk_forward_figure(equity, cycles, objective="prr")
    assert 1.5 < figure.layout.yaxis2.range[1] < 10
    assert [note.text for note in figure.layout.annotations] == ["73.5 ↑"]
    assert list(figure.data[2].y) == [1.1, 73.5, 0.9, 0.7]


def test_the_title_says_the_sample(data: bp.Data, tmp_path: Path) -> None:
    training = bp.train(momentum, data, end="2006-12-29")
    for start, end, sample in (
        (None, "2006-12-29", "in sample"),
        (None, None, "partly in sample"),
        ("2007-01-03", None, "out of sample"),
    ):
        tested = bp.test(momentum, data, training, start=start, end=end)
        path = tested.report(tmp_path / "page.html", verdict=False)
        text = path.read_text(encoding="utf-8")
        assert f"<title>momentum: test, {sample}</title>" in text
        assert percent(tested.total_return) in text.replace("\u00a0", " ")
        assert text.count('"text":"in sample"') == (sample != "out of sample")
        assert "Where the values come from" in text
        assert "2006-12-29" in text


def test_values_that_saw_the_bars_are_not_judged_by_them(data: bp.Data, tmp_path: Path) -> None:
    training = bp.train(momentum, data.select("IBM"))
    tested = bp.test(momentum, data.select("IBM"), training)
    text = tested.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "not judged" in text
    assert "only bars can tell that the training did not see" in text


def test_a_page_of_signals_is_judged_and_held_against_holding(tmp_path: Path) -> None:
    close = bp.Data.sample("IBM").close["2008":]
    pf = bp.Portfolio.from_signals(close, close > close.shift(20), close < close.shift(20))
    text = pf.report(tmp_path / "page.html", title="Mine").read_text(encoding="utf-8")
    assert "<h1>Mine: test</h1>" in text
    assert "could not be reached" not in text
    assert "Sharpe ratio" in text
    held = percent(close.iloc[-1] / close.iloc[0] - 1)
    assert held in text.replace("\u00a0", " ")


def test_of_several_accounts_one_is_named(tmp_path: Path) -> None:
    close = bp.Data.sample().close["2009":]
    pf = bp.Portfolio.from_signals(close, close > close.shift(20), close < close.shift(20))
    with pytest.raises(bp.ParamError, match=r"Choose one: pf.report\(path, 'AAPL'\)"):
        pf.report(tmp_path / "page.html")
    text = pf.report(tmp_path / "page.html", "IBM", verdict=False).read_text(encoding="utf-8")
    assert "<h1>IBM: test</h1>" in text
    whole = bp.Portfolio.from_signals(close, close > 0, group_by=True, cash_sharing=True)
    assert whole.report(tmp_path / "whole.html", verdict=False).exists()


def test_the_meaning_of_an_objective_is_said_once(data: bp.Data, tmp_path: Path) -> None:
    def thrift(stats: Any) -> float:
        """Net profit for each trade."""
        return float(stats.net / max(1, stats.num_trades))

    training = bp.train(momentum, data.select("IBM"), objective=thrift)
    assert training.objective_meaning == "Net profit for each trade"
    text = training.report(tmp_path / "page.html", verdict=False).read_text(encoding="utf-8")
    assert text.count("Net profit for each trade") == 1
    for name in bp.objectives:
        assert bp.train(momentum, data.select("IBM"), objective=name).objective_meaning
