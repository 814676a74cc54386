# SPDX-License-Identifier: BSD-3-Clause
"""How each kind of result is drawn; importing this registers it with the drawing seam."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from broadpeak._core import drawing
from broadpeak._report import pages
from broadpeak._report.charts.heatmap import heatmap_figure, line_figure, surface_figure
from broadpeak._report.charts.parameter import parameter_figure
from broadpeak._report.charts.walk_chart import walk_forward_figure
from broadpeak._report.from_portfolio import account_view
from broadpeak._report.from_walkforward import cycle_views
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


def _is_one(x: Any, y: Any) -> bool:
    """Return whether a map is asked for of one parameter against itself."""
    return isinstance(x, str) and isinstance(y, str) and x == y


def _line(training: Training, name: str, component: str | None) -> go.Figure:
    """Return what a map of one parameter against itself can mean: its curve."""
    curve = training.step_curve(name, component)
    values = curve.table().set_index("value")["objective"].rename_axis(name)
    title = f"{curve.component}: {training.objective_name} over {name}"
    return line_figure(values, objective=training.objective_name, title=title)


def _walk_forward(walked: WalkForward) -> go.Figure:
    value = account_view(walked.portfolio, walked.name).value
    title = f"{walked.name}: walk-forward, out of sample"
    return walk_forward_figure(
        value, cycle_views(walked), objective=walked.objective_name, title=title
    )


drawing.register("parameter-chart", parameter_figure)
drawing.register("heatmap", _heatmap)
drawing.register("surface", _surface)
drawing.register("walk-forward-chart", _walk_forward)
drawing.register("training-report", pages.training_report)
drawing.register("test-report", pages.test_report)
drawing.register("walk-forward-report", pages.walk_forward_report)
