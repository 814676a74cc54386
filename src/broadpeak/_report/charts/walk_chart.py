# SPDX-License-Identifier: BSD-3-Clause
"""The walk-forward chart: stitched out-of-sample equity over the cycles that made it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from broadpeak._report import theme
from broadpeak._report.charts.lines import Line, line_trace
from broadpeak._report.wording import axis_values


@dataclass(frozen=True, slots=True)
class Cycle:
    """One cycle: its test bounds as labels (None: no test), and objective in and out of sample."""

    number: int
    test_first: Any
    test_last: Any
    inside: float
    outside: float


def walk_forward_figure(
    equity: pd.Series[Any],
    cycles: Sequence[Cycle],
    *,
    objective: str = "objective",
    title: str = "Walk-forward, out of sample",
) -> go.Figure:
    """Return equity above, objective in and out of sample for each cycle below."""
    if len(equity) == 0:
        return theme.empty(f"<b>{html.escape(title)}</b>", "There is no out-of-sample bar to draw.")
    line = Line("equity out of sample", equity, theme.TRAINED)
    return theme.figure(
        [line_trace(line, hovertemplate="%{y:,.2f}"), *_scores(cycles)],
        f"<b>{html.escape(title)}</b>",
        height=560,
        barmode="group",
        bargap=0.35,
        xaxis=theme.axis(showgrid=False, anchor="y", domain=[0, 1]),
        yaxis=theme.axis("value", domain=[0.42, 1]),
        xaxis2=theme.axis("cycle", anchor="y2", dtick=max(1, len(cycles) // 20), showgrid=False),
        yaxis2=theme.axis(html.escape(objective), domain=[0, 0.27]),
        shapes=[
            _stripe(cycle) for cycle in cycles if cycle.number % 2 and cycle.test_first is not None
        ],
    )


def _scores(cycles: Sequence[Cycle]) -> list[dict[str, Any]]:
    numbers = [cycle.number for cycle in cycles]
    series = (
        ("in sample", [cycle.inside for cycle in cycles], theme.DEFAULTS),
        ("out of sample", [cycle.outside for cycle in cycles], theme.TRAINED),
    )
    return [
        {
            "type": "bar",
            "name": name,
            "x": numbers,
            "y": values,
            "xaxis": "x2",
            "yaxis": "y2",
            "marker": {"color": colour},
            "hovertemplate": f"cycle %{{x}}: %{{y:.3g}} {name}<extra></extra>",
        }
        for name, values, colour in series
    ]


def _stripe(cycle: Cycle) -> dict[str, Any]:
    first, last = axis_values(pd.Index([cycle.test_first, cycle.test_last]))
    return {
        "type": "rect",
        "xref": "x",
        "yref": "y domain",
        "x0": first,
        "x1": last,
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"width": 0},
        "fillcolor": theme.SHADE,
    }
