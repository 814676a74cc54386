# SPDX-License-Identifier: BSD-3-Clause
"""The walk-forward chart: stitched out-of-sample equity over the cycles that made it."""

from __future__ import annotations

import html

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from broadpeak._report import theme
from broadpeak._report.charts.lines import Line, border_shape, line_trace, value_axis


def walk_forward_figure(
    equity: pd.Series[float],
    cycles: pd.DataFrame,
    *,
    objective: str = "objective",
    held: pd.Series[float] | None = None,
    title: str = "Walk-forward, out of sample",
) -> go.Figure:
    """Return equity above, a dotted line where a cycle begins; below the objective of each cycle.

    `cycles` is `WalkForward.by_cycle`; `held` the value of buying and holding.
    """
    if len(equity) == 0:
        return theme.empty(f"<b>{html.escape(title)}</b>", "There is no out-of-sample bar to draw.")
    lines = [Line("traded, out of sample", equity, theme.TRAINED)]
    if held is not None:
        lines.append(Line("buy and hold", held, theme.HELD))
    return theme.figure(
        [*(line_trace(line, hovertemplate="%{y:,.2f}") for line in lines), *_scores(cycles)],
        f"<b>{html.escape(title)}</b>",
        height=560,
        barmode="group",
        bargap=0.35,
        xaxis=theme.axis(showgrid=False, anchor="y", domain=[0, 1]),
        yaxis=value_axis([line.values for line in lines], "value", domain=[0.42, 1]),
        xaxis2=theme.axis("cycle", anchor="y2", dtick=max(1, len(cycles) // 20), showgrid=False),
        yaxis2=theme.axis(html.escape(objective), domain=[0, 0.27], range=_room(cycles)),
        annotations=_cut(cycles),
        # Bands would be read as what was trained on, which none of these bars is.
        shapes=[border_shape(first) for first in cycles["test_start"].dropna()],
    )


def _scores(cycles: pd.DataFrame) -> list[theme.Spec]:
    return [
        {
            "type": "bar",
            "name": name,
            "x": cycles.index.to_numpy(),
            "y": cycles[name.replace(" ", "_")].to_numpy(dtype=np.float64),
            "xaxis": "x2",
            "yaxis": "y2",
            "marker": {"color": colour},
            "hovertemplate": f"cycle %{{x}}: %{{y:.3g}} {name}<extra></extra>",
        }
        for name, colour in (("in sample", theme.DEFAULTS), ("out of sample", theme.TRAINED))
    ]


FAR = 5.0  # times what most cycles reach: a few lucky trades score without bound


def _room(cycles: pd.DataFrame) -> list[float] | None:
    """Return the range of scores that is drawn, where one would leave no room for the others."""
    scores = cycles[["in_sample", "out_of_sample"]].to_numpy(dtype=np.float64)
    sizes = np.abs(scores[np.isfinite(scores)])
    if not len(sizes):
        return None
    most = FAR * float(np.quantile(sizes, 0.75))
    if not 0 < most < sizes.max():
        return None
    seen = scores[np.isfinite(scores) & (np.abs(scores) <= most)]
    return [1.1 * float(seen.min(initial=0.0)), 1.25 * float(seen.max(initial=most / FAR))]


def _cut(cycles: pd.DataFrame) -> list[theme.Spec]:
    """Return the figures of bars that reach beyond what is drawn."""
    room = _room(cycles)
    if room is None:
        return []
    return [
        {
            "x": number,
            "y": room[1] if score > 0 else room[0],
            "xref": "x2",
            "yref": "y2",
            "text": f"{score:,.3g} ↑" if score > 0 else f"{score:,.3g} ↓",
            "showarrow": False,
            "yanchor": "bottom" if score > 0 else "top",
            "font": {"size": 11, "color": theme.MUTED},
        }
        for name in ("in_sample", "out_of_sample")
        for number, score in cycles[name].items()
        if np.isfinite(score) and not room[0] <= score <= room[1]
    ]
