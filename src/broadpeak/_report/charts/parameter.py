# SPDX-License-Identifier: BSD-3-Clause
"""The parameter chart: what each step of one parameter did, and which one was chosen.

Winners are bright blue bars, losers dark blue ones (right axis), the objective is the red line
(left axis). A band marks the steps that decided, a green line the chosen value.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from broadpeak._report import theme
from broadpeak._report.wording import count, number
from broadpeak._training.result import StepCurve
from broadpeak.types import FloatArray


def parameter_figure(chart: StepCurve) -> go.Figure:
    """Return the Plotly figure of one parameter's steps."""
    title = (
        f"<b>{html.escape(chart.component)}</b>  ·  {html.escape(chart.parameter)}"
        f"<span style='color:{theme.MUTED}'>{_pass(chart)}</span>"
    )
    if len(chart.values) == 0:
        return theme.empty(title, "No step was evaluated.")
    log = is_geometric(chart.values)
    ticks = _ticks(chart.values, log=log)
    top = _bar_room(chart)
    return theme.figure(
        [*_bars(chart, log=log), _objective(chart), *_markers(chart)],
        title,
        barmode="overlay",
        xaxis=theme.axis(
            html.escape(chart.parameter),
            type="log" if log else "linear",
            tickmode="array",
            tickvals=ticks,
            ticktext=[number(tick, 3 if log else 4) for tick in ticks],
            showgrid=False,
            range=_range(chart.values, log=log),
            tickangle=0,
        ),
        # The bars own the base axis: what overlays it, the red line, is then drawn above them.
        yaxis=theme.axis(
            "trades", side="right", showgrid=False, range=[0, top], rangemode="tozero"
        ),
        yaxis2=theme.axis(
            html.escape(chart.objective_name),
            side="left",
            overlaying="y",
            range=_objective_range(chart),
            tickmode="auto",
            nticks=6,
        ),
        yaxis3={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        shapes=_band(chart),
        annotations=[_label(chart, log=log)] if math.isfinite(chart.chosen) else [],
    )


def _pass(chart: StepCurve) -> str:
    """Return which pass it was; a cut through combinations belongs to none."""
    one_of_a_kind = chart.window is None and chart.pass_number == 1
    return "" if one_of_a_kind else f"  ·  pass {chart.pass_number}"


def is_geometric(values: Sequence[float] | FloatArray) -> bool:
    """Return whether the steps grow by a percentage; the last one may be cut by the maximum.

    Examples
    --------
    >>> is_geometric([1, 1.1, 1.21, 1.331, 1.4]), is_geometric([1, 2, 3, 4])
    (True, False)
    """
    steps = np.asarray(values, dtype=np.float64)
    if len(steps) < 4 or steps[0] <= 0 or not np.all(np.diff(steps) > 0):
        return False
    ratios = steps[1:] / steps[:-1]
    return bool(np.allclose(ratios[:-1], ratios[0], rtol=1e-6) and ratios[-1] <= ratios[0] + 1e-6)


def _bars(chart: StepCurve, *, log: bool) -> list[theme.Spec]:
    left, right = _bar_widths(chart.values, log=log)
    return [
        {
            "type": "bar",
            "name": name,
            "x": chart.values,
            "y": heights,
            "yaxis": "y",
            "offset": offset,
            "width": width,
            "marker": {"color": colour, "line": {"width": 0}},
            "hovertemplate": f"%{{y:,.0f}} {name}<extra></extra>",
        }
        for name, heights, colour, offset, width in (
            ("winners", chart.wins, theme.WINNERS, -left, left),
            ("losers", chart.losses, theme.LOSERS, np.zeros_like(right), right),
        )
    ]


def _bar_widths(values: FloatArray, *, log: bool) -> tuple[FloatArray, FloatArray]:
    """Return the room left and right of each step, in data units, so that bars look equally wide.

    Plotly would take one width in data units, which shrinks along a logarithmic axis.
    """
    share = 0.39
    if len(values) == 1:
        half = np.array([max(abs(float(values[0])) * 0.03, 0.15)])
        return half, half
    if log:
        ratio = float(np.min(values[1:] / values[:-1])) ** share
        return values - values / ratio, values * ratio - values
    half = np.full(len(values), float(np.min(np.diff(values))) * share)
    return half, half


def _objective(chart: StepCurve) -> theme.Spec:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": html.escape(chart.objective_name),
        "x": chart.values,
        "y": chart.objective,
        "yaxis": "y2",
        "line": {"color": theme.OBJECTIVE, "width": 2.4},
        "marker": {"color": theme.OBJECTIVE, "size": 6, "line": {"color": "#ffffff", "width": 1}},
        "hovertemplate": "objective %{y:.4g}<extra></extra>",
    }


def _markers(chart: StepCurve) -> list[theme.Spec]:
    """Return the vertical lines: the chosen value, and faintly the default."""
    lines: list[theme.Spec] = []
    for name, value, colour, width, dash in (
        ("default", chart.default, theme.DEFAULTS, 1.3, "dot"),
        ("chosen", chart.chosen, theme.CHOSEN, 2.4, "solid"),
    ):
        if not math.isfinite(value):
            continue
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"{name} {number(value)}",
                "x": [value, value],
                "y": [0, 1],
                "yaxis": "y3",
                "line": {"color": colour, "width": width, "dash": dash},
                "hoverinfo": "skip",
            }
        )
    return lines


def _band(chart: StepCurve) -> list[theme.Spec]:
    if chart.window is None:
        return []
    low, high = chart.window
    return [
        {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "x0": low,
            "x1": high,
            "y0": 0,
            "y1": 1,
            "layer": "below",
            "line": {"width": 0},
            "fillcolor": theme.WINDOW,
            "name": "steps that decided",
            "showlegend": True,
        }
    ]


def _label(chart: StepCurve, *, log: bool) -> theme.Spec:
    text = f"<b>{number(chart.chosen)}</b>"
    if chart.window is not None:
        smoothed = " smoothed" if chart.window[0] < chart.window[1] else ""
        text += f"  ·  {html.escape(chart.objective_name)} {number(chart.score, 3)}{smoothed}"
    if chart.at_edge:
        text += "  ⚠ at the edge"
    low, high = float(chart.values[0]), float(chart.values[-1])
    right_half = _axis_fraction(chart.chosen, low, high, log=log) > 0.45
    return {
        "text": text,
        # Annotations, unlike traces and shapes, want the logarithm on a log axis.
        "x": math.log10(chart.chosen) if log else chart.chosen,
        "xref": "x",
        "y": 0.985,
        "yref": "paper",
        "yanchor": "top",
        "xanchor": "right" if right_half else "left",
        "xshift": -6 if right_half else 6,
        "showarrow": False,
        "font": {"size": 12, "color": theme.CHOSEN},
        "bgcolor": "#ffffff",
        "borderpad": 2,
        "opacity": 0.92,
    }


def _axis_fraction(value: float, low: float, high: float, *, log: bool) -> float:
    """Return where `value` stands between `low` and `high`, as a fraction of the axis."""
    if high <= low:
        return 0.5
    if log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _ticks(values: FloatArray, *, log: bool, most: int = 13) -> list[float]:
    """Return the steps that get a label: all if they fit, else every n-th; rounded when linear."""
    stride = max(1, math.ceil(len(values) / most))
    ticks = [float(value) for value in values[::stride]]
    last = float(values[-1])
    if ticks[-1] != last:
        # The last step is always named; its neighbour gives way when the two would touch.
        close = _axis_fraction(ticks[-1], float(values[0]), last, log=log) > 1 - 0.9 / most
        ticks = [*ticks[:-1], last] if close and len(ticks) > 1 else [*ticks, last]
    return ticks


def _range(values: FloatArray, *, log: bool) -> list[float]:
    """Return the axis range: half a step of air on both sides."""
    positions = np.log10(values) if log else values
    if len(positions) == 1:
        air = max(abs(float(positions[0])) * 0.1, 0.5)
        return [float(positions[0]) - air, float(positions[0]) + air]
    air = float(np.min(np.diff(positions))) * 0.7
    return [float(positions[0]) - air, float(positions[-1]) + air]


def _bar_room(chart: StepCurve) -> float:
    """Return the top of the trades axis: bars fill the lower two thirds."""
    heights = np.concatenate([chart.wins, chart.losses])
    heights = heights[np.isfinite(heights)]
    tallest = float(heights.max()) if len(heights) else 0.0
    return max(tallest, 1.0) * 1.45


def _objective_range(chart: StepCurve) -> list[float] | None:
    """Return a range from zero up (or around zero) with air for the label."""
    known = chart.objective[np.isfinite(chart.objective)]
    if len(known) == 0:
        return [0.0, 1.0]
    low, high = min(0.0, float(known.min())), max(0.0, float(known.max()))
    span = (high - low) or 1.0
    return [low - (0.06 * span if low < 0 else 0.0), high + 0.2 * span]


def describe(chart: StepCurve) -> str:
    """Return the chart in one sentence, for readers who do not see it."""
    known = np.isfinite(chart.objective)
    if not known.any():
        return f"{chart.parameter}: no step gave a usable objective."
    best = int(np.nanargmax(np.where(known, chart.objective, -np.inf)))
    trades = chart.wins[best] + chart.losses[best]
    return (
        f"{chart.parameter} of {chart.component}: {count(len(chart.values))} steps from "
        f"{number(chart.values[0])} to {number(chart.values[-1])}; chosen {number(chart.chosen)}; "
        f"highest single step {number(chart.values[best])} with objective "
        f"{number(chart.objective[best], 3)} and {count(trades)} trades."
    )
