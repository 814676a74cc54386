# SPDX-License-Identifier: BSD-3-Clause
"""Two parameters against the objective: heat map and surface; one parameter: a line."""

from __future__ import annotations

import html
import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from broadpeak._core.check import one_of
from broadpeak.report import theme
from broadpeak.report.format import count, number

MOST_CELLS = 100_000
_REDUCERS = ("mean", "max", "min", "median")


def heatmap_figure(
    trials: pd.DataFrame,
    x: str,
    y: str | None = None,
    *,
    objective: str = "objective",
    chosen: dict[str, float] | None = None,
    reduce: str = "mean",
    title: str = "",
) -> go.Figure:
    """Return the objective as colour over two parameters.

    Combinations that were never evaluated stay empty. Where other parameters vary too, a cell
    shows their mean (`reduce`); without a second parameter the objective is drawn as a line.
    """
    one_of("reduce", reduce, _REDUCERS)
    heading = title or (f"{objective} over {x}" if y is None else f"{objective} over {x} and {y}")
    if y is None or y == x:
        return _line(trials, x, objective, reduce, heading)
    cells, note = _cells(trials, x, y, objective, reduce)
    if cells.empty:
        return theme.empty(f"<b>{html.escape(heading)}</b>", "No usable objective to draw.")
    traces: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "x": cells.columns.to_numpy(),
            "y": cells.index.to_numpy(),
            "z": cells.to_numpy(),
            "colorscale": theme.SCALE,
            "hoverongaps": False,
            "colorbar": {"title": {"text": html.escape(objective)}, "outlinewidth": 0, "len": 0.9},
            "hovertemplate": (
                f"{html.escape(x)} %{{x:.6g}}<br>{html.escape(y)} %{{y:.6g}}<br>"
                f"{html.escape(objective)} %{{z:.4g}}<extra></extra>"
            ),
        }
    ]
    if chosen and math.isfinite(chosen.get(x, math.nan)) and math.isfinite(chosen.get(y, math.nan)):
        traces.append(_ring(chosen[x], chosen[y]))
    return theme.figure(
        traces,
        _heading(heading, note),
        height=460,
        hovermode="closest",
        xaxis=theme.axis(html.escape(x), showgrid=False, **_axis_kind(cells.columns)),
        yaxis=theme.axis(html.escape(y), showgrid=False, **_axis_kind(cells.index)),
    )


def surface_figure(
    trials: pd.DataFrame,
    x: str,
    y: str | None = None,
    *,
    objective: str = "objective",
    reduce: str = "mean",
    title: str = "",
) -> go.Figure:
    """Return the objective as height over two parameters; one parameter falls back to a line."""
    one_of("reduce", reduce, _REDUCERS)
    heading = title or (f"{objective} over {x}" if y is None else f"{objective} over {x} and {y}")
    if y is None or y == x:
        return _line(trials, x, objective, reduce, heading)
    cells, note = _cells(trials, x, y, objective, reduce)
    if cells.empty:
        return theme.empty(f"<b>{html.escape(heading)}</b>", "No usable objective to draw.")
    surface = {
        "type": "surface",
        "x": cells.columns.to_numpy(),
        "y": cells.index.to_numpy(),
        "z": cells.to_numpy(),
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


def _cells(
    trials: pd.DataFrame, x: str, y: str, objective: str, reduce: str
) -> tuple[pd.DataFrame, str]:
    """Return the objective as a frame (rows `y`, columns `x`) and a note on what was reduced."""
    rows = trials[[x, y, objective]].astype(np.float64)
    rows = rows.loc[np.isfinite(rows.to_numpy()).all(axis=1)]
    if rows.empty:
        return pd.DataFrame(), ""
    notes = []
    groups = rows.groupby([y, x], sort=True)[objective]
    if groups.ngroups < len(rows):
        notes.append(f"{reduce} where other parameters vary")
    cells = pd.DataFrame(groups.agg(reduce).unstack(x))
    if cells.size > MOST_CELLS:
        full = cells.size
        cells = _coarser(cells, reduce)
        notes.append(f"{count(full)} cells drawn as {count(cells.size)} blocks")
    return cells, "; ".join(notes)


def _coarser(cells: pd.DataFrame, reduce: str) -> pd.DataFrame:
    """Return `cells` with neighbouring rows and columns joined until few enough are left."""
    factor = math.sqrt(cells.size / MOST_CELLS)
    rows = min(len(cells.index), max(1, math.floor(len(cells.index) / factor)))
    columns = min(len(cells.columns), max(1, math.floor(MOST_CELLS / rows)))
    by_row = np.arange(len(cells.index)) * rows // len(cells.index)
    by_column = np.arange(len(cells.columns)) * columns // len(cells.columns)
    joined = cells.groupby(by_row).agg(reduce).T.groupby(by_column).agg(reduce).T
    joined.index = pd.Index(pd.Series(cells.index).groupby(by_row).mean(), name=cells.index.name)
    joined.columns = pd.Index(
        pd.Series(cells.columns).groupby(by_column).mean(), name=cells.columns.name
    )
    return joined


def _line(trials: pd.DataFrame, x: str, objective: str, reduce: str, heading: str) -> go.Figure:
    rows = trials[[x, objective]].astype(np.float64)
    rows = rows.loc[np.isfinite(rows.to_numpy()).all(axis=1)]
    if rows.empty:
        return theme.empty(f"<b>{html.escape(heading)}</b>", "No usable objective to draw.")
    curve = rows.groupby(x, sort=True)[objective].agg(reduce)
    note = f"{reduce} where other parameters vary" if len(curve) < len(rows) else ""
    trace = {
        "type": "scatter",
        "mode": "lines+markers" if len(curve) <= 200 else "lines",
        "x": curve.index.to_numpy(),
        "y": curve.to_numpy(),
        "line": {"color": theme.OBJECTIVE, "width": 2.2},
        "hovertemplate": f"{html.escape(x)} %{{x:.6g}}<br>%{{y:.4g}}<extra></extra>",
    }
    return theme.figure(
        [trace],
        _heading(heading, note),
        showlegend=False,
        xaxis=theme.axis(html.escape(x)),
        yaxis=theme.axis(html.escape(objective)),
    )


def _ring(x: float, y: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"chosen {number(x)} / {number(y)}",
        "x": [x],
        "y": [y],
        "marker": {
            "symbol": "circle-open",
            "size": 15,
            "color": theme.OBJECTIVE,
            "line": {"width": 3},
        },
        "hoverinfo": "name",
        "showlegend": True,
    }


def _heading(heading: str, note: str) -> str:
    text = f"<b>{html.escape(heading)}</b>"
    return (
        f"{text}<span style='color:{theme.MUTED}'>  ·  {html.escape(note)}</span>" if note else text
    )


def _axis_kind(values: pd.Index[Any]) -> dict[str, Any]:
    """Name every step when there are few of them."""
    if len(values) > 20:
        return {}
    return {"tickvals": list(values), "ticktext": [number(value) for value in values]}
