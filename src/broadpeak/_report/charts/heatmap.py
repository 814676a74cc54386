# SPDX-License-Identifier: BSD-3-Clause
"""Two parameters against the objective: heat map and surface; one parameter: a line."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from broadpeak._report import theme
from broadpeak._report.wording import count, number

MOST_CELLS = 100_000


def heatmap_figure(
    cells: pd.DataFrame,
    *,
    objective: str = "objective",
    chosen: Mapping[str, float] | None = None,
    highest: Mapping[str, float] | None = None,
    ticks: Mapping[str, Sequence[str]] | None = None,
    title: str = "",
    most_cells: int = MOST_CELLS,
) -> go.Figure:
    """Return the objective as colour over two parameters.

    `chosen` and `highest` are combinations to mark. `ticks` names the steps of a parameter that has
    no numbers; they stand at 0, 1, ….

    `cells` has one parameter on its index (drawn upwards) and one on its columns, both named.
    Combinations that were never evaluated are NaN and stay empty. More than `most_cells` are joined
    to blocks.
    """
    x, y = str(cells.columns.name), str(cells.index.name)
    heading = title or f"{objective} over {x} and {y}"
    shown, note = _drawable(cells, most_cells)
    if shown.empty:
        return theme.empty(f"<b>{html.escape(heading)}</b>", "No usable objective to draw.")
    names = [html.escape(name) for name in (x, y, objective)]
    traces: list[theme.Spec] = [
        {
            "type": "heatmap",
            "x": shown.columns.to_numpy(dtype=np.float64),
            "y": shown.index.to_numpy(dtype=np.float64),
            "z": shown.to_numpy(dtype=np.float64),
            "colorscale": theme.SCALE,
            "hoverongaps": False,
            "colorbar": {"title": {"text": names[2]}, "outlinewidth": 0, "len": 0.9},
            "hovertemplate": (
                f"{names[0]} %{{x:.6g}}<br>{names[1]} %{{y:.6g}}<br>"
                f"{names[2]} %{{z:.4g}}<extra></extra>"
            ),
        }
    ]
    for marked, mark in ((chosen, _ring), (highest, _cross)):
        position = (marked or {}).get(x, math.nan), (marked or {}).get(y, math.nan)
        if all(math.isfinite(value) for value in position):
            traces.append(
                mark(*position, [_tick(ticks, x, position[0]), _tick(ticks, y, position[1])])
            )
    return theme.figure(
        traces,
        _heading(heading, note),
        height=460,
        hovermode="closest",
        xaxis=theme.axis(names[0], showgrid=False, **_named_steps(shown.columns, ticks, x)),
        yaxis=theme.axis(names[1], showgrid=False, **_named_steps(shown.index, ticks, y)),
    )


def surface_figure(
    cells: pd.DataFrame, *, objective: str = "objective", title: str = ""
) -> go.Figure:
    """Return the objective as height over two parameters; `cells` as for `heatmap_figure`."""
    x, y = str(cells.columns.name), str(cells.index.name)
    heading = title or f"{objective} over {x} and {y}"
    shown, note = _drawable(cells, MOST_CELLS)
    if shown.empty:
        return theme.empty(f"<b>{html.escape(heading)}</b>", "No usable objective to draw.")
    surface: theme.Spec = {
        "type": "surface",
        "x": shown.columns.to_numpy(dtype=np.float64),
        "y": shown.index.to_numpy(dtype=np.float64),
        "z": shown.to_numpy(dtype=np.float64),
        "colorscale": theme.SCALE,
        "colorbar": {"title": {"text": html.escape(objective)}, "outlinewidth": 0, "len": 0.8},
    }
    scene = {
        "xaxis": {"title": {"text": html.escape(x)}},
        "yaxis": {"title": {"text": html.escape(y)}},
        "zaxis": {"title": {"text": html.escape(objective)}},
        "camera": {"eye": {"x": -1.5, "y": -1.6, "z": 0.9}},
    }
    return theme.figure([surface], _heading(heading, note), height=540, scene=scene)


def line_figure(
    curve: pd.Series[float],
    *,
    objective: str = "objective",
    title: str = "",
    chosen: tuple[float, float] | None = None,
    highest: tuple[float, float] | None = None,
    ticks: Sequence[str] | None = None,
) -> go.Figure:
    """Return the objective over one parameter, which is on the index of `curve`, by its name.

    `chosen` and `highest` are points (value, objective) to mark; `ticks` as for `heatmap_figure`.
    """
    name = str(curve.index.name)
    x = html.escape(name)
    heading = title or f"{objective} over {name}"
    known = curve[np.isfinite(curve.to_numpy(dtype=np.float64))]
    if known.empty:
        return theme.empty(f"<b>{html.escape(heading)}</b>", "No usable objective to draw.")
    named = None if ticks is None else {name: ticks}
    traces: list[theme.Spec] = [
        {
            "type": "scatter",
            "mode": "lines+markers" if len(known) <= 200 else "lines",
            "name": html.escape(objective),
            "x": known.index.to_numpy(),
            "y": known.to_numpy(dtype=np.float64),
            "line": {"color": theme.OBJECTIVE, "width": 2.2},
            "hovertemplate": f"{x} %{{x:.6g}}<br>%{{y:.4g}}<extra></extra>",
        }
    ]
    traces += [
        mark(*point, [_tick(named, name, point[0])])
        for point, mark in ((chosen, _ring), (highest, _cross))
        if point is not None
    ]
    return theme.figure(
        traces,
        _heading(heading, ""),
        showlegend=len(traces) > 1,
        xaxis=theme.axis(x, **(_named_steps(curve.index, named, name) if named else {})),
        yaxis=theme.axis(html.escape(objective)),
    )


def _drawable(cells: pd.DataFrame, most: int) -> tuple[pd.DataFrame, str]:
    """Return what can be drawn, infinities left out, and a note where cells were joined."""
    finite = cells.where(np.isfinite(cells.to_numpy(dtype=np.float64)))
    if not finite.notna().to_numpy().any():
        return pd.DataFrame(), ""
    if finite.size <= most:
        return finite, ""
    joined = _coarser(finite, most)
    return joined, f"{count(finite.size)} cells drawn as the means of {count(joined.size)} blocks"


def _coarser(cells: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the means of blocks of neighbouring rows and columns, few enough to draw."""
    factor = math.sqrt(cells.size / most)
    rows = min(len(cells.index), max(1, math.floor(len(cells.index) / factor)))
    columns = min(len(cells.columns), max(1, math.floor(most / rows)))
    by_row = np.arange(len(cells.index)) * rows // len(cells.index)
    by_column = np.arange(len(cells.columns)) * columns // len(cells.columns)
    values = cells.to_numpy(dtype=np.float64)
    there = np.isfinite(values)
    shape = (rows, columns)
    block = (by_row[:, np.newaxis] * columns + by_column[np.newaxis, :])[there]
    sums = np.bincount(block, weights=values[there], minlength=rows * columns).reshape(shape)
    counts = np.bincount(block, minlength=rows * columns).reshape(shape)
    means = np.divide(sums, counts, out=np.full(shape, np.nan), where=counts > 0)
    return pd.DataFrame(
        means,
        index=pd.Series(cells.index).groupby(by_row).mean().rename_axis(None).to_numpy(),
        columns=pd.Series(cells.columns).groupby(by_column).mean().to_numpy(),
    )


def _ring(x: float, y: float, named: Sequence[str]) -> theme.Spec:
    marker: theme.Spec = {
        "symbol": "circle-open",
        "size": 15,
        "color": theme.OBJECTIVE,
        "line": {"width": 3},
    }
    return _mark(x, y, f"chosen {' / '.join(named)}", marker)


def _cross(x: float, y: float, named: Sequence[str]) -> theme.Spec:
    marker: theme.Spec = {
        "symbol": "x-thin",
        "size": 9,
        "line": {"width": 2.5, "color": theme.INK},
    }
    return _mark(x, y, f"highest {' / '.join(named)}", marker)


def _mark(x: float, y: float, name: str, marker: theme.Spec) -> theme.Spec:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": html.escape(name),
        "x": [x],
        "y": [y],
        "marker": marker,
        "hoverinfo": "name",
        "showlegend": True,
    }


def _tick(ticks: Mapping[str, Sequence[str]] | None, name: str, value: float) -> str:
    """Return a step in words."""
    named = (ticks or {}).get(name)
    return number(value) if named is None else named[round(value)]


def _heading(heading: str, note: str) -> str:
    text = f"<b>{html.escape(heading)}</b>"
    return (
        f"{text}<span style='color:{theme.MUTED}'>  ·  {html.escape(note)}</span>" if note else text
    )


def _named_steps(
    values: pd.Index[Any], ticks: Mapping[str, Sequence[str]] | None = None, name: str = ""
) -> theme.Spec:
    """Name every step when there are few of them, and always those that have no numbers."""
    named = (ticks or {}).get(name)
    if named is not None and len(named) == len(values):
        texts = [html.escape(text) for text in named]
        return {"tickvals": list(values), "ticktext": texts}
    if len(values) > 20 or named is not None:
        return {}
    return {"tickvals": list(values), "ticktext": [number(value) for value in values]}
