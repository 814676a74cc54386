# SPDX-License-Identifier: BSD-3-Clause
"""Pages of real results: complete, in order, with the figures of the results they are about."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import broadpeak as bp

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@bp.strategy(lookback=60, name="momentum & <more>")
def momentum(s: Any) -> None:
    for _ in s.loop():
        days = s.optimize(20, 10, 50, 10, name="days")
        limit = s.optimize(0.02, 0.01, 0.05, 0.01, name="limit")
        change = bp.roc(s.close, days)
        s.plot("change", change, panel=1)
        s.enter_long(bp.crossed_above(change, limit))
        s.enter_short(bp.crossed_below(change, -limit))


@pytest.fixture(scope="module")
def data() -> bp.Data:
    return bp.Data.sample(["IBM", "MSFT"])["2004":"2009"]


@pytest.fixture(scope="module")
def training(data: bp.Data) -> bp.Training:
    return bp.train(momentum, data, end="2007-12-31", passes=2)


@pytest.fixture(scope="module")
def page(training: bp.Training, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = training.report(tmp_path_factory.mktemp("report") / "page.html", verdict=False)
    return path.read_text(encoding="utf-8")


def figures(page: str) -> list[dict[str, Any]]:
    found = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    return [json.loads(text) for text in found]


def titles(page: str) -> list[str]:
    return [re.sub("<[^>]*>", "", figure["layout"]["title"]["text"]) for figure in figures(page)]


def test_sections_stand_in_order(page: str) -> None:
    assert re.findall(r"<h2[^>]*>([^<]*)</h2>", page) == [
        "Verdict",
        "Result",
        "What was chosen",
        "Test",
        "Months and years",
        "Drawdowns and steadiness",
        "Chosen parameters",
        "Parameter charts",
        "Trades",
        "Components side by side",
        "Costs",
        "How it was made",
    ]


def test_every_parameter_has_a_chart_of_each_pass(page: str) -> None:
    shown = titles(page)
    for component in ("IBM", "MSFT"):
        for parameter in ("days", "limit"):
            for number in (1, 2):
                assert f"{component}  ·  {parameter}  ·  pass {number}" in shown


def test_bars_after_the_training_get_columns_of_their_own(page: str) -> None:
    assert "Chosen, unseen" in page
    assert "Defaults, unseen" in page
    assert "On prices that training did not see" in page
    equity = next(f for f in figures(page) if "Equity" in f["layout"]["title"]["text"])
    inside, outside = equity["layout"]["shapes"]
    assert (inside["label"]["text"], inside["x1"]) == ("in sample", "2007-12-31")
    assert (outside["label"]["text"], outside["x0"]) == ("out of sample", "2008-01-02")
    assert outside["fillcolor"] == "rgba(0,0,0,0)"


def test_without_bars_after_the_training_the_page_says_so(data: bp.Data, tmp_path: Path) -> None:
    trained = bp.train(momentum, data)
    text = trained.report(tmp_path / "a.html", verdict=False).read_text(encoding="utf-8")
    assert "Test, in sample" in text
    assert "Buy and hold, in sample" in text
    assert "unseen" not in text


def test_bars_before_the_training_are_not_called_in_sample(data: bp.Data, tmp_path: Path) -> None:
    trained = bp.train(momentum, data, start="2006-01-01")
    text = trained.report(tmp_path / "a.html", verdict=False).read_text(encoding="utf-8")
    assert "Chosen, all bars" in text
    assert ">partly in sample<" in text
    assert "the values were chosen on them. The others were not seen.</p>" in text
    assert "before the training" in text
    assert "Test, in sample" not in text


def test_the_page_holds_the_metrics_of_the_test(
    training: bp.Training, data: bp.Data, page: str
) -> None:
    tested = bp.test(momentum, data, training)
    assert f"{tested.total_return * 100:.1f} %".replace("-", "−") in page
    assert f'<td class="right">{tested.num_trades}</td>' in page


def test_names_are_escaped_and_machines_unnamed(page: str, tmp_path: Path) -> None:
    assert "<more>" not in page
    assert "momentum &amp; &lt;more&gt;" in page
    assert str(tmp_path.parent.parent) not in page


def test_plots_of_the_strategy_have_their_panel(page: str) -> None:
    chart = next(f for f in figures(page) if "prices and trades" in f["layout"]["title"]["text"])
    plotted = next(trace for trace in chart["data"] if trace["name"] == "change")
    assert plotted["yaxis"] == "y2"


@pytest.mark.parametrize("method", ["brute", "genetic", "random"])
def test_other_searches_show_maps(method: str, data: bp.Data, tmp_path: Path) -> None:
    trained = bp.train(momentum, data, method=method, n_evaluations=12, population=6, generations=3)
    text = trained.report(tmp_path / "map.html", verdict=False).read_text(encoding="utf-8")
    assert "IBM: prr over days and limit" in titles(text)


def test_charts_of_a_training_are_figures(training: bp.Training) -> None:
    charts = training.charts()
    assert set(charts) == {(key, name) for key in ("IBM", "MSFT") for name in ("days", "limit")}
    curve = training.step_curve("days", "IBM")
    np.testing.assert_array_equal(charts["IBM", "days"].data[0].y, curve.wins)
    assert training.heatmap("days", "limit", "IBM").data[0].type == "heatmap"
    assert training.surface("days", "limit", "IBM").data[0].type == "surface"
    assert training.heatmap("days", "days", "IBM").data[0].type == "scatter"


def test_a_strategy_that_never_trades_has_a_page(data: bp.Data, tmp_path: Path) -> None:
    def idle(s: Any) -> None:
        days = s.optimize(20, 10, 50, 10, name="days")
        s.enter_long(s.close < -days)

    trained = bp.train(idle, data.select("IBM"))
    text = trained.report(tmp_path / "idle.html", verdict=False).read_text(encoding="utf-8")
    assert "No step reached an objective above 0" in text


def test_walk_forward_has_its_page_and_chart(data: bp.Data, tmp_path: Path) -> None:
    walked = bp.walk_forward(momentum, data, cycles=3)
    text = walked.report(tmp_path / "wf.html", verdict=False).read_text(encoding="utf-8")
    assert re.findall(r"<h2[^>]*>([^<]*)</h2>", text) == [
        "Verdict",
        "Result",
        "Out of sample",
        "Months and years",
        "Drawdowns and steadiness",
        "Cycles",
        "Trades",
        "Components side by side",
        "Costs",
        "Parameters to trade",
        "How it was made",
    ]
    assert text.count("pessimistic return ratio") == 1
    assert {"days", "limit"} <= set(titles(text))  # their drift
    assert {"IBM: prices and trades", "MSFT: prices and trades"} <= set(titles(text))
    figure = walked.chart()
    np.testing.assert_allclose(figure.data[0].y, np.asarray(walked.portfolio.value).ravel())
    assert {trace.name for trace in figure.data} >= {"in sample", "out of sample"}
    assert walked.chart("days", "IBM").data[0].type == "bar"
