# SPDX-License-Identifier: BSD-3-Clause
"""How each kind of result is drawn; importing this registers it with the drawing seam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from broadpeak._core import drawing
from broadpeak._report.backtest_page import backtest_report
from broadpeak._report.charts.heatmap import heatmap_figure, line_figure, surface_figure
from broadpeak._report.charts.parameter import parameter_figure
from broadpeak._report.charts.walk_chart import walk_forward_figure
from broadpeak._report.sections import one_line
from broadpeak._report.training_page import training_report
from broadpeak._report.walkforward_page import walk_forward_report
from broadpeak._search.select import LabelLevel, Selection
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


def _selection(
    selection: Selection, *, levels: Sequence[LabelLevel], x: str, y: str | None
) -> go.Figure:
    """Return the scores of a selection over one or two of their levels, the others as chosen."""
    scores, objective = (
        selection.scores,
        "score" if selection.scores.name is None else str(selection.scores.name),
    )
    cell, peak = selection.cell, selection.peak
    by_name = {level.name: level for level in levels}
    seen = np.ones(len(scores), dtype=np.bool_)
    for level in levels:
        if level.name not in {x, y}:
            seen &= level.codes == level.codes[cell]
    shown = [by_name[name] for name in (x, y) if name is not None]
    ticks = {
        level.name: [str(label) for label in level.labels]
        for level in shown
        if level.numbers is None
    }
    steps = [
        np.arange(float(len(level.labels))) if level.numbers is None else level.numbers
        for level in shown
    ]
    values = scores.to_numpy(dtype=np.float64, na_value=np.nan)
    held = [
        f"{level.name} {level.labels[level.codes[cell]]}"
        for level in levels
        if level.name not in {x, y} and len(level.labels) > 1
    ]
    title = f"{objective} over {' and '.join(level.name for level in shown)}"
    if held:
        title += f" ({', '.join(held)})"

    def at(row: int) -> dict[str, float]:
        return {
            level.name: float(step[level.codes[row]])
            for level, step in zip(shown, steps, strict=True)
        }

    place, top = at(cell), at(peak) if seen[peak] else None
    if y is None:
        curve = pd.Series(values[seen], index=pd.Index(steps[0][shown[0].codes[seen]], name=x))
        value = selection.params[x] if x not in ticks else place[x]
        return line_figure(
            curve,
            objective=objective,
            title=title,
            chosen=(float(value), selection.score),
            highest=None if top is None else (top[x], selection.peak_score),
            ticks=ticks.get(x),
        )
    table = np.full((len(steps[1]), len(steps[0])), np.nan)
    table[shown[1].codes[seen], shown[0].codes[seen]] = values[seen]
    return heatmap_figure(
        pd.DataFrame(table, index=pd.Index(steps[1], name=y), columns=pd.Index(steps[0], name=x)),
        objective=objective,
        chosen=place,
        highest=top,
        ticks=ticks,
        title=title,
    )


def _walk_forward(walked: WalkForward) -> go.Figure:
    return walk_forward_figure(
        one_line(walked.portfolio.value),
        walked.by_cycle,
        objective=walked.objective_name,
        title=f"{walked.name}: walk-forward, out of sample",
    )


drawing.register("parameter-chart", parameter_figure)
drawing.register("heatmap", _heatmap)
drawing.register("surface", _surface)
drawing.register("selection-heatmap", _selection)
drawing.register("walk-forward-chart", _walk_forward)
drawing.register("training-report", training_report)
drawing.register("backtest-report", backtest_report)
drawing.register("walk-forward-report", walk_forward_report)
