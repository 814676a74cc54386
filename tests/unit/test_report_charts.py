# SPDX-License-Identifier: BSD-3-Clause
"""Charts: what they show, at every size and with every kind of gap."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from broadpeak._report import theme
from broadpeak._report.charts.heatmap import MOST_CELLS, heatmap_figure, line_figure, surface_figure
from broadpeak._report.charts.lines import Line, Span, drawdown_figure, equity_figure, fall, thin
from broadpeak._report.charts.parameter import describe, is_geometric, parameter_figure
from broadpeak._report.charts.trade_chart import trade_figure
from broadpeak._report.charts.walk_chart import walk_forward_figure
from broadpeak._training.result import StepCurve

LINEAR = np.arange(10.0, 101.0, 5.0)
PERCENT = np.array([1.1**k for k in range(17)] + [5.0])


def curve(values: np.ndarray, **changes: Any) -> StepCurve:
    n = len(values)
    settings: dict[str, Any] = {
        "component": "AAPL",
        "parameter": "cycle",
        "pass_number": 2,
        "values": values,
        "objective": np.linspace(0.5, 1.5, n),
        "wins": np.full(n, 30.0),
        "losses": np.full(n, 20.0),
        "chosen": float(values[n // 2]) * 1.01,
        "score": 1.1,
        "default": float(values[0]),
        "window": (float(values[n // 3]), float(values[-1])),
        "at_edge": False,
        "objective_name": "prr",
    }
    return StepCurve(**{**settings, **changes})


def traces(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data}


@pytest.mark.parametrize("values", [LINEAR, PERCENT], ids=["linear", "percent"])
def test_the_parameter_chart_shows_what_the_seed_shows(values: np.ndarray) -> None:
    steps = curve(values)
    figure = parameter_figure(steps)
    shown = traces(figure)
    for name, heights, colour in (
        ("winners", steps.wins, theme.WINNERS),
        ("losers", steps.losses, theme.LOSERS),
    ):
        assert shown[name].type == "bar"
        assert shown[name].marker.color == colour
        np.testing.assert_array_equal(shown[name].x, values)
        np.testing.assert_array_equal(shown[name].y, heights)
    line = shown["prr"]
    assert line.mode == "lines+markers"
    assert line.line.color == theme.OBJECTIVE
    np.testing.assert_array_equal(line.y, steps.objective)
    # Trades on the right, the objective on the left.
    assert figure.layout.yaxis.side == "right"
    assert line.yaxis == "y2"
    assert figure.layout.yaxis2.side == "left"
    chosen = next(trace for name, trace in shown.items() if name.startswith("chosen"))
    assert list(chosen.x) == [steps.chosen] * 2
    band = figure.layout.shapes[0]
    assert (band.x0, band.x1) == steps.window
    assert "AAPL" in figure.layout.title.text
    assert "cycle" in figure.layout.title.text
    assert "pass 2" in figure.layout.title.text


def test_percent_steps_stand_on_a_log_axis_with_bars_of_equal_look() -> None:
    figure = parameter_figure(curve(PERCENT))
    assert figure.layout.xaxis.type == "log"
    bars = traces(figure)["losers"]
    looks = np.log(np.asarray(bars.x) + np.asarray(bars.width)) - np.log(np.asarray(bars.x))
    np.testing.assert_allclose(looks, looks[0])
    # The label is placed in logarithms, the line in values.
    label = figure.layout.annotations[0]
    assert label.x == pytest.approx(math.log10(curve(PERCENT).chosen))


def test_an_edge_is_marked() -> None:
    assert "edge" in parameter_figure(curve(LINEAR, at_edge=True)).layout.annotations[0].text
    assert "edge" not in parameter_figure(curve(LINEAR)).layout.annotations[0].text


@pytest.mark.parametrize("n", [1, 2, 3, 1000])
def test_any_number_of_steps_is_drawn(n: int) -> None:
    values = np.arange(1.0, n + 1.0)
    figure = parameter_figure(curve(values))
    assert len(figure.layout.xaxis.tickvals) <= 14
    assert figure.to_json()


def test_no_step_and_no_usable_step_say_so() -> None:
    none = np.empty(0)
    empty = curve(LINEAR)
    empty = replace(empty, values=none, objective=none, wins=none, losses=none)
    assert "No step" in parameter_figure(empty).layout.annotations[0].text
    gaps = np.full(len(LINEAR), np.nan)
    unusable = curve(LINEAR, objective=gaps, chosen=30.0, score=0.0, window=None)
    figure = parameter_figure(unusable)
    assert len(figure.layout.shapes) == 0
    assert "no step gave a usable objective" in describe(unusable)


def test_names_of_the_user_are_escaped() -> None:
    text = "<script>alert(1)</script>"
    figure = parameter_figure(curve(LINEAR, component=text, objective_name=text, parameter=text))
    assert "<script" not in str(figure.to_dict())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (PERCENT, True),
        (LINEAR, False),
        ([1, 2, 4, 8], True),
        ([0, 1, 2, 4], False),
        ([1, 2], False),
        ([1, 2, 4, 10], False),
    ],
)
def test_percent_grids_are_recognised(values: Any, expected: bool) -> None:
    assert is_geometric(values) is expected


def cells(n_rows: int, n_columns: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        rng.normal(size=(n_rows, n_columns)),
        index=pd.Index(np.arange(n_rows, dtype=float), name="slow"),
        columns=pd.Index(np.arange(n_columns, dtype=float), name="fast"),
    )


def test_a_heat_map_keeps_its_axes_apart_and_its_gaps_empty() -> None:
    table = cells(5, 5)
    table.iloc[1, 2] = np.nan
    table.iloc[2, 2] = np.inf
    figure = heatmap_figure(table, objective="prr", chosen={"fast": 2.0, "slow": 3.0})
    assert figure.layout.xaxis.title.text == "fast"
    assert figure.layout.yaxis.title.text == "slow"
    drawn = np.asarray(figure.data[0].z)
    assert np.isnan(drawn[1, 2])
    assert np.isnan(drawn[2, 2])
    assert (figure.data[1].x[0], figure.data[1].y[0]) == (2.0, 3.0)


def test_a_huge_heat_map_is_drawn_in_blocks_and_says_so() -> None:
    table = cells(700, 900)
    figure = heatmap_figure(table, objective="prr")
    drawn = np.asarray(figure.data[0].z)
    assert drawn.size <= MOST_CELLS
    assert "630,000 cells" in figure.layout.title.text
    assert np.nanmean(drawn) == pytest.approx(table.to_numpy().mean(), abs=0.01)


def test_one_row_of_cells_is_a_heat_map_too() -> None:
    assert heatmap_figure(cells(1, 4)).data[0].type == "heatmap"
    assert heatmap_figure(cells(1, 200_000)).data[0].z.size <= MOST_CELLS


def test_maps_without_a_usable_cell_say_so() -> None:
    empty = cells(3, 3) * np.nan
    for figure in (heatmap_figure(empty), surface_figure(empty)):
        assert "No usable" in figure.layout.annotations[0].text


def test_a_surface_has_the_names_of_its_axes() -> None:
    scene = surface_figure(cells(4, 3), objective="prr").layout.scene
    names = (scene.xaxis.title.text, scene.yaxis.title.text, scene.zaxis.title.text)
    assert names == ("fast", "slow", "prr")


def test_one_parameter_is_a_line() -> None:
    values = pd.Series([1.0, np.nan, 3.0], index=pd.Index([10.0, 20.0, 30.0], name="fast"))
    figure = line_figure(values, objective="prr")
    assert list(figure.data[0].x) == [10.0, 30.0]
    assert "No usable" in line_figure(values * np.nan).layout.annotations[0].text


def days(n: int) -> pd.DatetimeIndex:
    return pd.date_range("2001-01-01", periods=n)


def test_thinning_keeps_ends_and_extremes() -> None:
    values = np.zeros(100_000)
    values[54_321] = 9.0
    values[12_345] = -9.0
    keep = thin(values, 1000)
    assert len(keep) <= 1002
    assert {0, 12_345, 54_321, 99_999} <= set(keep.tolist())
    assert thin(np.full(5000, np.nan), 100).tolist() == [0, 4999]


def test_equity_shades_the_training_and_starts_at_the_first_bar() -> None:
    value = pd.Series(np.linspace(100, 120, 50), index=days(50))
    figure = equity_figure(
        [Line("chosen", value)], spans=[Span("training", value.index[5], value.index[20])]
    )
    assert figure.data[0].x[0] == "2001-01-01"
    assert figure.layout.shapes[0].x0 == "2001-01-06"
    assert "no bar" in equity_figure([]).layout.annotations[0].text
    assert "no bar" in drawdown_figure([]).layout.annotations[0].text


def test_drawdown_falls_from_the_last_peak() -> None:
    value = pd.Series([100.0, 110.0, 99.0, 120.0])
    np.testing.assert_allclose(fall(value), [0, 0, -0.1, 0])
    figure = drawdown_figure([Line("chosen", value)])
    np.testing.assert_allclose(figure.data[0].y, [0, 0, -0.1, 0])
    assert fall(pd.Series([-1.0, -2.0])).isna().all()


def records(n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "column": "AAPL",
            "direction": np.where(np.arange(n) % 2, "short", "long"),
            "entry_time": days(n + 5)[:n],
            "exit_time": days(n + 5)[2 : n + 2],
            "entry_price": 100.0,
            "exit_price": 101.0,
            "pnl": np.where(np.arange(n) % 3, 1.0, -1.0),
            "status": ["closed"] * (n - 1) + ["open"] if n else [],
        }
    )


@pytest.mark.parametrize("n", [0, 1, 7])
def test_the_trade_chart_shows_entries_exits_and_plots(n: int) -> None:
    close = pd.Series(np.linspace(90, 110, 30), index=days(30))
    plots = pd.concat({(0, "MA1"): close, (2, "rsi"): close}, axis=1)
    shown = traces(trade_figure(close, records(n), plots))
    assert shown["rsi"].yaxis == "y2"
    assert shown["close"].yaxis is None
    entries = sum(len(shown[name].x) for name in ("long entry", "short entry") if name in shown)
    assert entries == n
    assert (len(shown["exit"].x) if "exit" in shown else 0) == max(n - 1, 0)


def test_the_trade_chart_without_bars_says_so() -> None:
    figure = trade_figure(pd.Series(dtype=float), records(0), pd.DataFrame())
    assert "no bar" in figure.layout.annotations[0].text


def test_walk_forward_shows_both_objectives_and_the_cycles() -> None:
    equity = pd.Series(np.linspace(100, 130, 40), index=days(40))
    cycles = pd.DataFrame(
        {
            "test_start": [equity.index[0], equity.index[20], pd.NaT],
            "test_end": [equity.index[19], equity.index[39], pd.NaT],
            "in_sample": [1.5, 1.4, 1.2],
            "out_of_sample": [1.1, 0.9, math.nan],
        },
        index=pd.RangeIndex(1, 4, name="number"),
    )
    figure = walk_forward_figure(equity, cycles, objective="prr")
    shown = traces(figure)
    assert list(shown["in sample"].y) == [1.5, 1.4, 1.2]
    assert [shape.type for shape in figure.layout.shapes] == ["line", "line"]  # and no bands
    assert figure.layout.yaxis2.range is None
    assert (
        "no out-of-sample" in walk_forward_figure(equity[:0], cycles[:0]).layout.annotations[0].text
    )
