# SPDX-License-Identifier: BSD-3-Clause
"""How each kind of result is drawn; importing this registers it with the drawing seam."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from broadpeak._core import drawing
from broadpeak._report import theme
from broadpeak._report.backtest_page import backtest_report, portfolio_report
from broadpeak._report.charts.heatmap import (
    grid_figure,
    grid_surface,
    heatmap_figure,
    line_figure,
    surface_figure,
)
from broadpeak._report.charts.lines import Line
from broadpeak._report.charts.parameter import parameter_figure
from broadpeak._report.charts.scores import cuts_figure, lines_figure, volume_figure
from broadpeak._report.charts.trade_chart import account_trades
from broadpeak._report.charts.value_chart import growth_figure, price_figure, value_figure
from broadpeak._report.charts.walk_chart import walk_forward_figure
from broadpeak._report.sections import one_line
from broadpeak._report.sweep_page import sweep_report
from broadpeak._report.training_page import training_report
from broadpeak._report.walkforward_page import walk_forward_report
from broadpeak._training.result import Training
from broadpeak._validation.walked import WalkForward


def _heatmap(training: Training, *, x: str, y: str, component: str | None = None) -> go.Figure:
    if _is_one(x, y):
        return _line(training, x, component)
    cells, key = training.table(x, y, component), component or next(iter(training.components))
    return heatmap_figure(
        cells,
        objective=training.objective_name,
        chosen=training.params[key],
        title=f"{key}: {training.objective_name} over {x} and {y}",
    )


def _surface(training: Training, *, x: str, y: str, component: str | None = None) -> go.Figure:
    if _is_one(x, y):
        return _line(training, x, component)
    cells, key = training.table(x, y, component), component or next(iter(training.components))
    title = f"{key}: {training.objective_name} over {x} and {y}"
    return surface_figure(cells, objective=training.objective_name, title=title)


def _is_one(x: object, y: object) -> bool:
    """Return whether one parameter is to be drawn against itself."""
    return isinstance(x, str) and isinstance(y, str) and x == y


def _line(training: Training, name: str, component: str | None) -> go.Figure:
    """Return the curve of a parameter, for a map of it against itself."""
    curve = training.step_curve(name, component)
    values = curve.table().set_index("value")["objective"].rename_axis(name)
    title = f"{curve.component}: {training.objective_name} over {name}"
    return line_figure(values, objective=training.objective_name, title=title)


def _walk_forward(walked: WalkForward) -> go.Figure:
    return walk_forward_figure(
        one_line(walked.portfolio.value),
        walked.by_cycle,
        objective=walked.objective_name,
        title=f"{walked.name}: walk-forward, out of sample",
    )


def _values(
    values: pd.DataFrame, *, title: str, held: pd.Series[float] | None, note: str
) -> go.Figure:
    """Return the value of accounts, a column each, and of holding their symbols."""
    lines = [
        Line(str(name), values.iloc[:, place], theme.LINES[place % len(theme.LINES)])
        for place, name in enumerate(values.columns)
    ]
    if held is not None:
        lines.append(Line("buy and hold", held, theme.HELD))
    return value_figure(lines, title, note)


drawing.register("parameter-chart", parameter_figure)
drawing.register("heatmap", _heatmap)
drawing.register("surface", _surface)
drawing.register("score-grid", grid_figure)
drawing.register("score-surface", grid_surface)
drawing.register("score-volume", volume_figure)
drawing.register("score-lines", lines_figure)
drawing.register("score-cuts", cuts_figure)
drawing.register("dark", theme.darkened)
drawing.register("values", _values)
drawing.register("trades", account_trades)
drawing.register("prices", price_figure)
drawing.register("growth", growth_figure)
drawing.register("selection-report", sweep_report)
drawing.register("walk-forward-chart", _walk_forward)
drawing.register("training-report", training_report)
drawing.register("backtest-report", backtest_report)
drawing.register("portfolio-report", portfolio_report)
drawing.register("walk-forward-report", walk_forward_report)
