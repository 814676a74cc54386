# SPDX-License-Identifier: BSD-3-Clause
"""Scores over three and more parameters: a slider, parallel axes, cuts."""

from __future__ import annotations

import html
import math
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go

from broadpeak._report import theme
from broadpeak._report.charts.heatmap import (
    axis_of,
    heat_trace,
    mark_trace,
    nothing,
    steps_on,
)
from broadpeak._report.wording import number
from broadpeak._search.scoregrid import ScoreAxis, ScoreGrid, ScoreMark
from broadpeak._search.scorelines import ScoreCut, ScoreCuts, ScoreLines
from broadpeak.types import FloatArray

PANEL, GAP = 150, 64  # pixels


def volume_figure(grid: ScoreGrid) -> go.Figure:
    """Return a heat map of the first two axes, and a slider for the third."""
    if not np.isfinite(grid.values).any():
        return nothing(grid.title, grid.note)
    x, y, z = grid.axes
    low, high = float(np.nanmin(grid.values)), float(np.nanmax(grid.values))
    words = [place if isinstance(place, str) else number(place) for place in z.places]
    at = [_step(z, mark) for mark in grid.marks]
    first = at[0] if at else 0
    maps = [
        heat_trace((x, y), values, grid.score, zmin=low, zmax=high, visible=step == first)
        for step, values in enumerate(grid.values)
    ]
    marks = [
        mark_trace(replace(mark, at=mark.at[:2]), visible=step == first, showlegend=False)
        for mark, step in zip(grid.marks, at, strict=True)
    ]
    steps = [
        {
            "label": html.escape(word),
            "method": "restyle",
            "args": [{"visible": [number == step for number in (*range(len(words)), *at)]}],
        }
        for step, word in enumerate(words)
    ]
    slider = {
        "active": first,
        "steps": steps,
        "x": 0,
        "len": 1,
        "pad": {"t": 58, "b": 8},
        "currentvalue": {
            "prefix": f"{html.escape(z.name)} = ",
            "font": {"size": 13, "color": theme.INK},
            "xanchor": "left",
        },
        "font": {"size": 10, "color": theme.MUTED},
        "bgcolor": theme.GRID,
        "activebgcolor": theme.TRAINED,
        "bordercolor": theme.DEFAULTS,
        "borderwidth": 0,
        "tickcolor": theme.DEFAULTS,
        "ticklen": 4,
    }
    signs = {"chosen": "○", "highest": "×"}
    parts = [f"{signs[mark.kind]} {mark.kind} {' / '.join(mark.words)}" for mark in grid.marks]
    note = " · ".join([*parts, grid.note] if grid.note else parts)
    return theme.headed(
        [*maps, *marks],
        grid.title,
        note,
        height=360,
        below=140,
        hovermode="closest",
        showlegend=False,
        xaxis=axis_of(x, showgrid=False),
        yaxis=axis_of(y, showgrid=False),
        sliders=[slider],
    )


def _step(axis: ScoreAxis, mark: ScoreMark) -> int:
    """Return the step of the slider at which a mark is seen."""
    place = mark.at[2]
    if isinstance(place, str):
        return axis.places.index(place)
    return int(np.argmin(np.abs(np.array(axis.places, dtype=np.float64) - place)))


def lines_figure(lines: ScoreLines) -> go.Figure:
    """Return combinations as lines over parallel axes, coloured by their scores."""
    title = f"{lines.score} of each combination"
    if not len(lines.values):
        return nothing(title, lines.note)
    axes: list[theme.Spec] = []
    for side, places in zip(lines.axes, lines.places.T, strict=True):
        ticks: theme.Spec = {}
        if side.is_named:
            every = max(1, math.ceil(len(side.places) / 15))
            texts = [html.escape(str(place)) for place in side.places]
            ticks = {
                "tickvals": list(range(0, len(texts), every)),
                "ticktext": texts[::every],
                "range": [0, len(texts) - 1],
            }
        elif len(side.places) <= 12:
            ticks = {
                "tickvals": list(side.places),
                "ticktext": [number(place) for place in side.places],
            }
        axes.append({"label": html.escape(side.name), "values": places, **ticks})
    axes.append({"label": html.escape(lines.score), "values": lines.values})
    trace: theme.Spec = {
        "type": "parcoords",
        "dimensions": axes,
        "line": {
            "color": lines.values,
            "colorscale": theme.SCALE,
            "showscale": False,
        },
        "labelfont": {"size": 12, "color": theme.INK},
        "tickfont": {"size": 11, "color": theme.INK},
        "rangefont": {"size": 10, "color": "rgba(0,0,0,0)"},
        "unselected": {"line": {"color": theme.DEFAULTS, "opacity": 0.12}},
    }
    return theme.headed(
        [trace],
        title,
        lines.note,
        height=320,
        above=44,
        below=24,
        paper_bgcolor="#ffffff",  # it is drawn around the ticks, so that they are read over lines
        narrow={"margin": {"t": 150, "l": 34, "r": 62, "b": 24}, "height": 494},
        narrow_trace={"labelangle": -40},
    )


def plain_lines_figure(lines: ScoreLines) -> go.Figure:
    """Return the same without WebGL: it prints, and needs no more than the small plot library."""
    title = f"{lines.score} of each combination"
    if not len(lines.values):
        return nothing(title, lines.note)
    axes = [*lines.axes, None]
    columns = [*lines.places.T, lines.values]
    ends = [
        (0.0, len(side.places) - 1.0) if side is not None and side.is_named else _ends(column)
        for side, column in zip(axes, columns, strict=True)
    ]
    heights = np.column_stack(
        [(column - low) / (high - low) for column, (low, high) in zip(columns, ends, strict=True)]
    )
    names = [
        html.escape(side.name) if side is not None else html.escape(lines.score) for side in axes
    ]
    traces: list[theme.Spec] = []
    for shade, rows in enumerate(np.array_split(np.arange(len(heights)), len(theme.SCALE))):
        if not len(rows):
            continue
        # One trace a shade, its lines broken by a gap.
        y = np.column_stack([heights[rows], np.full(len(rows), np.nan)]).ravel()
        x = np.tile([*range(len(names)), len(names) - 1], len(rows))
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": x.astype(np.float64),
                "y": y,
                "line": {"color": theme.SCALE[shade][1], "width": 1.2},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    notes = [
        _tick(place, 0.0 if at == 0 else 1.0, number(end) if text is None else text)
        for place, (side, pair) in enumerate(zip(axes, ends, strict=True))
        for at, end in enumerate(pair)
        for text in [None if side is None or not side.is_named else str(side.places[round(end)])]
    ]
    bars = [
        {
            "type": "line",
            "x0": place,
            "x1": place,
            "y0": 0,
            "y1": 1,
            "line": {"color": theme.DEFAULTS, "width": 1},
        }
        for place in range(len(names))
    ]
    return theme.headed(
        traces,
        title,
        lines.note,
        height=300,
        above=16,
        below=64,
        narrow={"xaxis": {"tickangle": -35}, "margin": {"l": 8, "r": 8}},
        hovermode=False,
        xaxis=theme.axis(
            tickvals=list(range(len(names))),
            ticktext=names,
            showgrid=False,
            zeroline=False,
            ticks="",
            ticklabelstandoff=14,
            range=[-0.25, len(names) - 0.75],
        ),
        yaxis={"visible": False, "range": [-0.02, 1.02]},
        shapes=bars,
        annotations=notes,
    )


def _ends(column: FloatArray) -> tuple[float, float]:
    low, high = float(column.min()), float(column.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _tick(place: int, at: float, text: str) -> theme.Spec:
    return {
        "x": place,
        "y": at,
        "text": html.escape(text),
        "showarrow": False,
        "yanchor": "top" if at == 0 else "bottom",
        "font": {"size": 10, "color": theme.MUTED},
    }


def cuts_figure(cuts: ScoreCuts) -> go.Figure:
    """Return one panel a parameter: scores through one combination, and the spread of all."""
    title = f"{cuts.score} along each parameter"
    if not cuts.cuts:
        return nothing(title, cuts.note)
    n = len(cuts.cuts)
    room = n * PANEL + (n - 1) * GAP
    traces: list[theme.Spec] = []
    axes: dict[str, Any] = {}
    for position, cut in enumerate(cuts.cuts):
        mark = "" if position == 0 else str(position + 1)
        top = 1 - position * (PANEL + GAP) / room
        axes[f"xaxis{mark}"] = (
            axis_of(cut.axis, anchor=f"y{mark}", showgrid=False)
            if cut.axis.is_named
            else theme.axis(html.escape(cut.axis.name), anchor=f"y{mark}", showgrid=False)
        )
        axes[f"yaxis{mark}"] = theme.axis(
            html.escape(cuts.score) if position == 0 else "",
            anchor=f"x{mark}",
            domain=[max(0.0, top - PANEL / room), top],
            range=_range(cuts),
        )
        traces += _cut_traces(cut, mark)
    note = "; ".join(text for text in (cuts.through, cuts.note) if text)
    return theme.headed(
        traces,
        title,
        note,
        height=room,
        hovermode="x",
        **axes,
    )


def _range(cuts: ScoreCuts) -> list[float]:
    """Return one range for all panels, so that they can be compared."""
    known = np.concatenate([np.concatenate([cut.through, cut.low, cut.high]) for cut in cuts.cuts])
    known = known[np.isfinite(known)]
    low, high = float(known.min()), float(known.max())
    air = 0.08 * (high - low) or max(abs(high) * 0.1, 0.5)
    return [low - air, high + air]


def _cut_traces(cut: ScoreCut, mark: str) -> list[theme.Spec]:
    """Return band, median, the line through the combination, and the combination itself."""
    x = steps_on(cut.axis)
    on: theme.Spec = {"xaxis": f"x{mark}", "yaxis": f"y{mark}", "showlegend": not mark}
    form = "%{y:.4g}"
    spread: list[theme.Spec]
    if cut.axis.is_named:
        spread = [
            {
                **_plain("median of all", x, cut.middle, "markers"),
                "marker": {"color": theme.DEFAULTS, "symbol": "line-ew-open", "size": 12},
                "error_y": {
                    "type": "data",
                    "array": cut.high - cut.middle,
                    "arrayminus": cut.middle - cut.low,
                    "color": theme.DEFAULTS,
                    "thickness": 7,
                    "width": 0,
                },
            }
        ]
    else:
        edge = {"line": {"width": 0, "color": theme.DEFAULTS}, "hoverinfo": "skip"}
        spread = [
            {**_plain("", x, cut.low, "lines"), **edge, "showlegend": False},
            {
                **_plain("middle half of all", x, cut.high, "lines"),
                **edge,
                "fill": "tonexty",
                "fillcolor": theme.BAND,
            },
            {
                **_plain("median of all", x, cut.middle, "lines"),
                "line": {"color": theme.DEFAULTS, "width": 1.6, "dash": "dot"},
            },
        ]
        spread[0]["on"] = True
    through = _plain(f"through the {cut.mark.kind}", x, cut.through, "lines+markers")
    through["mode"] = (
        "markers" if cut.axis.is_named else "lines+markers" if len(x) <= 60 else "lines"
    )
    through |= {
        "line": {"color": theme.TRAINED, "width": 2.2},
        "marker": {"color": theme.TRAINED, "size": 9 if cut.axis.is_named else 5},
        "connectgaps": True,
        "hovertemplate": f"{form}<extra></extra>",
    }
    drawn = [*spread, through]
    for trace in drawn:
        hidden = trace.pop("on", False)
        trace |= {**on, "showlegend": on["showlegend"] and not hidden}
        trace["legendgroup"] = trace["name"]
    point = mark_trace(replace(cut.mark, at=(cut.mark.at[0], cut.mark.score), words=()), **on)
    point |= {"name": cut.mark.kind, "legendgroup": cut.mark.kind}
    return [*drawn, point]


def _plain(name: str, x: object, y: object, mode: str) -> theme.Spec:
    return {"type": "scatter", "mode": mode, "name": name, "x": x, "y": y}
