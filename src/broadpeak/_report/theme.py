# SPDX-License-Identifier: BSD-3-Clause
"""Colours, fonts and chart layout shared by every figure and page."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import plotly.graph_objects as go

from broadpeak.errors import ParamTypeError, broken_rule

Spec: TypeAlias = dict[str, object]
"""A part of a Plotly figure as plain values: a trace, an axis, a shape."""

INK = "#1c2733"
MUTED = "#66727f"
GRID = "#e6eaee"
WINNERS = "#4aa8ff"  # bright blue
LOSERS = "#12407f"  # dark blue
OBJECTIVE = "#d7263d"  # red
CHOSEN = "#0b7a4b"
WINDOW = "rgba(11,122,75,0.13)"
DEFAULTS = "#8d99a6"
TRAINED = "#1767c9"
HELD = "#e08a00"
GAINS = "#0b7a4b"
FALLS = "#d7263d"
SHADE = "rgba(102,114,127,0.11)"
BAND = "rgba(102,114,127,0.25)"
LINES = ("#1767c9", "#e08a00", "#0b7a4b", "#9a3fb5", "#c2410c", "#0e7c86")
SCALE = [
    [0.0, "#e4edf7"],
    [0.25, "#bfdcf8"],
    [0.5, "#6fb2ee"],
    [0.75, "#2472c4"],
    [1.0, "#0c2f63"],
]
NARROW = 300  # pixels that the plot has on a narrow screen
FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

# What a dark screen shows instead, so that lines keep their contrast.
DARK = {
    INK: "#e6ebf0",
    MUTED: "#9aa7b4",
    GRID: "#2b343d",
    LOSERS: "#2d5aa6",
    CHOSEN: "#35c486",
    TRAINED: "#5aa2ff",
    OBJECTIVE: "#ff6b7d",
    "#ffffff": "#161c22",
    "#9a3fb5": "#c678dd",
    "#c2410c": "#f08a50",
    "#0e7c86": "#3cb8c4",
    # The scale runs the other way: low scores keep close to the ground, high ones shine.
    "#e4edf7": "#22303f",
    "#bfdcf8": "#24507f",
    "#6fb2ee": "#2b7fcb",
    "#2472c4": "#72b9f2",
    "#0c2f63": "#e9f4ff",
}


def axis(title: str = "", **options: object) -> Spec:
    """Return the settings of one axis."""
    settings: Spec = {
        "title": {"text": title, "standoff": 8, "font": {"size": 12, "color": MUTED}},
        "gridcolor": GRID,
        "linecolor": GRID,
        "zerolinecolor": GRID,
        "tickfont": {"size": 11, "color": MUTED},
        "ticks": "outside",
        "tickcolor": GRID,
        "ticklen": 4,
        "automargin": True,
    }
    settings.update(options)
    return settings


def colour_bar() -> Spec:
    """Return the settings of the bar that explains colours."""
    return {
        "outlinewidth": 0,
        "len": 0.9,
        "thickness": 14,
        "tickfont": {"size": 11, "color": MUTED},
    }


def edge(title: str, **options: object) -> Spec:
    """Return the settings of one axis in space."""
    return {
        "title": {"text": title, "font": {"size": 12, "color": MUTED}},
        "tickfont": {"size": 10, "color": MUTED},
        "gridcolor": GRID,
        "linecolor": GRID,
        "zerolinecolor": GRID,
        "showbackground": False,
        "showspikes": False,
        **options,
    }


def figure(traces: Iterable[Spec], title: str, *, height: int = 340, **layout: object) -> go.Figure:
    """Return a figure in the house style from plain traces and layout settings."""
    settings: Spec = {
        "template": "none",
        "title": {
            "text": title,
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 12},
            "font": {"size": 15, "color": INK},
        },
        "font": {"family": FONT, "size": 12, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "height": height,
        "margin": {"l": 62, "r": 58, "t": 80, "b": 46},
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.01,
            "yanchor": "bottom",
            "font": {"size": 11, "color": MUTED},
            "bgcolor": "rgba(0,0,0,0)",
        },
        "hoverlabel": {"font": {"family": FONT, "size": 12}},
        "hovermode": "x",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": DEFAULTS, "activecolor": INK},
    }
    settings.update(layout)
    return go.Figure({"data": list(traces), "layout": settings})


def headed(
    traces: Sequence[Spec],
    heading: str,
    note: str = "",
    *,
    height: int,
    below: int = 46,
    above: int = 0,
    sides: dict[str, int] | None = None,
    narrow: dict[str, Any] | None = None,
    narrow_trace: Spec | None = None,
    **layout: object,
) -> go.Figure:
    """Return a figure whose title, with a note in lines of its own below it, fits any screen.

    `height` is that of the plot, without title and axis; `above` and `below` are pixels kept free
    there, `sides` the margins beside it. On pages narrow screens get `narrow` of the layout, and
    `narrow_trace` of each trace.
    """
    names = [
        str(trace["name"])
        for trace in traces
        if trace.get("name")
        and trace.get("showlegend") is not False
        and layout.get("showlegend") is not False
    ]
    longest = max(map(len, names), default=0)
    in_a_row = max(1, NARROW // (50 + 7 * longest))  # columns are as wide as the longest name
    texts, tops = [], []
    for letters, rows in ((150, longest > 0), (44, -(-len(names) // in_a_row) * (longest > 0))):
        words = textwrap.wrap(heading, letters) or [""]
        remarks = textwrap.wrap(note, letters)
        bold = "<br>".join(f"<b>{html.escape(line)}</b>" for line in words)
        muted = "".join(
            f"<br><span style='font-size:12px;color:{MUTED}'>{html.escape(line)}</span>"
            for line in remarks
        )
        texts.append(bold + muted)
        tops.append(22 + 19 * len(words) + 17 * len(remarks) + 20 * rows + above)
    own: dict[str, Any] = {
        "title": {"text": texts[1]},
        "height": height + tops[1] + below,
        "margin": {"t": tops[1], "b": below},
        "legend": {"yref": "paper", "y": 1.01, "yanchor": "bottom"},
    }
    for name, value in (narrow or {}).items():
        # What is given of the margin is added to what was found.
        both = isinstance(value, dict) and isinstance(own.get(name), dict)
        own[name] = own[name] | value if both else value
    return figure(
        traces,
        texts[0],
        height=height + tops[0] + below,
        margin={"l": 62, "r": 58, **(sides or {}), "t": tops[0], "b": below},
        meta={"narrow": {"layout": own, "trace": narrow_trace or {}}},
        **layout,
    )


def empty(title: str, message: str) -> go.Figure:
    """Return a figure that says why there is nothing to draw."""
    note = {
        "text": message,
        "x": 0.5,
        "y": 0.5,
        "xref": "paper",
        "yref": "paper",
        "showarrow": False,
        "font": {"size": 13, "color": MUTED},
    }
    hidden = {"visible": False}
    return figure([], title, height=200, xaxis=hidden, yaxis=hidden, annotations=[note])


def darkened(drawn: object) -> go.Figure:
    """Return a copy of a figure as a dark screen shows it."""
    if not isinstance(drawn, go.Figure):
        remedy = "Pass what a function of bp.plot, or the chart() of a result, returned."
        raise ParamTypeError(broken_rule("figure", "be a Plotly figure", drawn, remedy))
    content = {
        "data": [trace.to_plotly_json() for trace in drawn.data],
        "layout": drawn.layout.to_plotly_json(),
    }
    return go.Figure(_at_night(content)).update_layout(paper_bgcolor=DARK["#ffffff"])


def _at_night(part: Any) -> Any:
    """Return a part of a figure with the colours of a dark screen; arrays stay as they are."""
    if isinstance(part, dict):
        return {name: _at_night(value) for name, value in part.items()}
    if isinstance(part, (list, tuple)):
        return [_at_night(value) for value in part]
    if isinstance(part, str):
        for light, night in DARK.items():
            part = part.replace(light, night)
    return part
