# SPDX-License-Identifier: BSD-3-Clause
"""Two parameters against the objective: heat map and surface; one parameter: a line."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from broadpeak._report import theme
from broadpeak._report.wording import count, number
from broadpeak._search.scoregrid import ScoreAxis, ScoreGrid, ScoreMark
from broadpeak.types import FloatArray

MOST_CELLS = 100_000


def heatmap_figure(
    cells: pd.DataFrame,
    *,
    objective: str = "objective",
    chosen: Mapping[str, float] | None = None,
    title: str = "",
    most_cells: int = MOST_CELLS,
) -> go.Figure:
    """Return the objective as colour over two parameters; `chosen` is a combination to mark.

    `cells` has one parameter on its index (drawn upwards) and one on its columns, both named.
    Combinations that were never evaluated are NaN and stay empty. More than `most_cells` are joined
    to blocks.
    """
    x, y = str(cells.columns.name), str(cells.index.name)
    heading = title or f"{objective} over {x} and {y}"
    shown, note = _drawable(cells, most_cells)
    if shown.empty:
        return nothing(heading, "")
    sides = _numbered(x, shown.columns), _numbered(y, shown.index)
    position = (chosen or {}).get(x, math.nan), (chosen or {}).get(y, math.nan)
    marks = []
    if all(math.isfinite(value) for value in position):
        words = number(position[0]), number(position[1])
        marks.append(ScoreMark("chosen", position, words, math.nan))
    return _map(sides, shown.to_numpy(dtype=np.float64), objective, heading, note, marks)


def grid_figure(grid: ScoreGrid) -> go.Figure:
    """Return the scores of a grid as colour over two parameters, or as a line over one."""
    if not np.isfinite(grid.values).any():
        return nothing(grid.title, grid.note)
    if len(grid.axes) == 1:
        return _line(grid)
    sides = grid.axes[0], grid.axes[1]
    return _map(sides, grid.values, grid.score, grid.title, grid.note, grid.marks)


def surface_figure(
    cells: pd.DataFrame, *, objective: str = "objective", title: str = ""
) -> go.Figure:
    """Return the objective as height over two parameters; `cells` as for `heatmap_figure`."""
    x, y = str(cells.columns.name), str(cells.index.name)
    heading = title or f"{objective} over {x} and {y}"
    shown, note = _drawable(cells, MOST_CELLS)
    if shown.empty:
        return nothing(heading, "")
    sides = _numbered(x, shown.columns), _numbered(y, shown.index)
    return _hill(sides, shown.to_numpy(dtype=np.float64), objective, heading, note, ())


def grid_surface(grid: ScoreGrid) -> go.Figure:
    """Return the scores of a grid as height over two parameters."""
    if not np.isfinite(grid.values).any():
        return nothing(grid.title, grid.note)
    wide = [axis for axis in grid.axes if len(axis.places) > 1]
    if len(wide) < 2:  # no surface, but still a curve
        return _line(along_one(grid))
    sides = grid.axes[0], grid.axes[1]
    return _hill(sides, grid.values, grid.score, grid.title, grid.note, grid.marks)


def line_figure(
    curve: pd.Series[float], *, objective: str = "objective", title: str = ""
) -> go.Figure:
    """Return the objective over one parameter, which is on the index of `curve`, by its name."""
    side = _numbered(str(curve.index.name), curve.index)
    grid = ScoreGrid((side,), np.array(curve, dtype=np.float64), objective, "", ())
    if not np.isfinite(grid.values).any():
        return nothing(title or grid.title, "")
    return _line(grid, title)


def nothing(heading: str, note: str) -> go.Figure:
    """Return a figure that says that no score is usable."""
    text = f"{heading} ({note})" if note else heading
    return theme.empty(f"<b>{html.escape(text)}</b>", "No usable score to draw.")


def along_one(grid: ScoreGrid) -> ScoreGrid:
    """Return a grid of which but one axis has one step as one over that axis."""
    longest = max(range(len(grid.axes)), key=lambda number: len(grid.axes[number].places))
    others = [
        f"{axis.name}={_word(axis.places[0])}"
        for number, axis in enumerate(grid.axes)
        if number != longest
    ]
    marks = tuple(
        replace(mark, at=(mark.at[longest],), words=(mark.words[longest],)) for mark in grid.marks
    )
    note = "; ".join([*others, grid.note] if grid.note else others)
    return replace(
        grid, axes=(grid.axes[longest],), values=grid.values.ravel(), note=note, marks=marks
    )


def _numbered(name: str, values: pd.Index[Any]) -> ScoreAxis:
    return ScoreAxis(name, tuple(values.to_numpy(dtype=np.float64).tolist()))


def heat_trace(
    sides: tuple[ScoreAxis, ScoreAxis], values: FloatArray, score: str, **options: object
) -> theme.Spec:
    """Return the trace of a heat map, values (y, x)."""
    names = [html.escape(name) for name in (sides[0].name, sides[1].name, score)]
    forms = ["" if side.is_named else ":.6g" for side in sides]
    return {
        "type": "heatmap",
        "x": steps_on(sides[0]),
        "y": steps_on(sides[1]),
        "z": values,
        "colorscale": theme.SCALE,
        "hoverongaps": False,
        "colorbar": theme.colour_bar(),
        "hovertemplate": (
            f"{names[0]} %{{x{forms[0]}}}<br>{names[1]} %{{y{forms[1]}}}<br>"
            f"{names[2]} %{{z:.4g}}<extra></extra>"
        ),
        **options,
    }


def steps_on(side: ScoreAxis) -> FloatArray | list[str]:
    """Return where the steps of an axis are drawn."""
    if side.is_named:
        # No array: a page would take "2020" for a date.
        return [html.escape(str(place)) for place in side.places]
    return np.array(side.places, dtype=np.float64)


def axis_of(side: ScoreAxis, **options: object) -> theme.Spec:
    """Return the settings of the axis of a parameter."""
    if side.is_named:
        order = [html.escape(str(place)) for place in side.places]
        options |= {"type": "category", "categoryorder": "array", "categoryarray": order}
    elif len(side.places) <= 20 and not side.is_joined:
        options |= {
            "tickvals": list(side.places),
            "ticktext": [number(place) for place in side.places],
        }
    return theme.axis(html.escape(side.name), **options)


def mark_trace(mark: ScoreMark, **options: object) -> theme.Spec:
    """Return the trace of a mark on a map or a curve; the last place may be the score."""
    x, y = (html.escape(place) if isinstance(place, str) else place for place in mark.at)
    shape = _RING if mark.kind == "chosen" else _CROSS
    return {
        "type": "scatter",
        "mode": "markers",
        "name": html.escape(f"{mark.kind} {' / '.join(mark.words)}"),
        "x": [x],
        "y": [y],
        "marker": shape,
        "hoverinfo": "name",
        "showlegend": True,
        **options,
    }


_RING: theme.Spec = {
    "symbol": "circle-open",
    "size": 15,
    "color": theme.OBJECTIVE,
    "line": {"width": 3},
}
_CROSS: theme.Spec = {
    "symbol": "x-thin",
    "size": 9,
    "color": theme.OBJECTIVE,
    "line": {"width": 2.5, "color": theme.OBJECTIVE},
}


def _map(
    sides: tuple[ScoreAxis, ScoreAxis],
    values: FloatArray,
    score: str,
    heading: str,
    note: str,
    marks: Sequence[ScoreMark],
) -> go.Figure:
    return theme.headed(
        [heat_trace(sides, values, score), *(mark_trace(mark) for mark in marks)],
        heading,
        note,
        height=340,
        hovermode="closest",
        xaxis=axis_of(sides[0], showgrid=False),
        yaxis=axis_of(sides[1], showgrid=False),
    )


def _hill(
    sides: tuple[ScoreAxis, ScoreAxis],
    values: FloatArray,
    score: str,
    heading: str,
    note: str,
    marks: Sequence[ScoreMark],
) -> go.Figure:
    names = [html.escape(name) for name in (sides[0].name, sides[1].name, score)]
    surface: theme.Spec = {
        "type": "surface",
        "x": _heights_at(sides[0]),
        "y": _heights_at(sides[1]),
        "z": values,
        "colorscale": theme.SCALE,
        "colorbar": theme.colour_bar(),
        "hovertemplate": "<br>".join(
            f"{name} %{{{key}{form}}}"
            for name, key, form in zip(names, "xyz", ("", "", ":.4g"), strict=True)
        )
        + "<extra></extra>",
    }
    scene = {
        "xaxis": _edge(sides[0]),
        "yaxis": _edge(sides[1]),
        "zaxis": theme.edge(names[2]),
        "camera": {
            "eye": {"x": -1.15, "y": -1.25, "z": 0.75},
            "center": {"x": 0, "y": 0, "z": -0.12},
        },
        "aspectmode": "manual",
        "aspectratio": {"x": 1, "y": 1, "z": 0.7},
    }
    points = [_point(mark, sides) for mark in marks if math.isfinite(mark.score)]
    return theme.headed(
        [surface, *points],
        heading,
        note,
        height=480,
        below=16,
        scene=scene,
        hovermode="closest",
        sides={"l": 8, "r": 8},
        narrow={"scene": {**scene, "camera": {"eye": {"x": -1.95, "y": -2.05, "z": 1.25}}}},
        narrow_trace={"showscale": False},
    )


def _heights_at(side: ScoreAxis) -> FloatArray:
    """Return where the steps of an axis in space are; names there stand at 0, 1, …."""
    if side.is_named:
        return np.arange(float(len(side.places)))
    return np.array(side.places, dtype=np.float64)


def _edge(side: ScoreAxis) -> theme.Spec:
    ticks: theme.Spec = {}
    if side.is_named:
        every = max(1, math.ceil(len(side.places) / 10))
        texts = [html.escape(str(place)) for place in side.places]
        ticks = {
            "tickvals": list(range(0, len(texts), every)),
            "ticktext": texts[::every],
        }
    return theme.edge(html.escape(side.name), **ticks)


def _point(mark: ScoreMark, sides: tuple[ScoreAxis, ScoreAxis]) -> theme.Spec:
    x, y = (
        float(side.places.index(place)) if isinstance(place, str) else place
        for place, side in zip(mark.at, sides, strict=True)
    )
    return {
        "type": "scatter3d",
        "mode": "markers",
        "name": html.escape(f"{mark.kind} {' / '.join(mark.words)}"),
        "x": [x],
        "y": [y],
        "z": [mark.score],
        "marker": {
            "symbol": "circle" if mark.kind == "chosen" else "diamond",
            "size": 7 if mark.kind == "chosen" else 5,
            "color": theme.OBJECTIVE if mark.kind == "chosen" else theme.HELD,
        },
        "hoverinfo": "name",
        "showlegend": True,
    }


def _line(grid: ScoreGrid, title: str = "") -> go.Figure:
    (side,) = grid.axes
    known = np.isfinite(grid.values)
    name, score = html.escape(side.name), html.escape(grid.score)
    mode = "lines+markers" if known.sum() <= 200 else "lines"
    traces: list[theme.Spec] = [
        {
            "type": "scatter",
            "mode": "markers" if side.is_named else mode,
            "name": score,
            "x": [place for place, there in zip(steps_on(side), known, strict=True) if there],
            "y": grid.values[known],
            "line": {"color": theme.TRAINED, "width": 2.2},
            "marker": {"color": theme.TRAINED, "size": 9 if side.is_named else 6},
            "hovertemplate": (
                f"{name} %{{x{'' if side.is_named else ':.6g'}}}<br>%{{y:.4g}}<extra></extra>"
            ),
        }
    ]
    traces += [
        mark_trace(replace(mark, at=(mark.at[0], mark.score)))
        for mark in grid.marks
        if math.isfinite(mark.score)
    ]
    return theme.headed(
        traces,
        title or grid.title,
        grid.note,
        height=240,
        showlegend=len(traces) > 1,
        hovermode="closest",
        xaxis=axis_of(side) if side.is_named else theme.axis(name),
        yaxis=theme.axis(score),
    )


def _word(place: object) -> str:
    return place if isinstance(place, str) else number(place)


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
