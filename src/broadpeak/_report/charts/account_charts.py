# SPDX-License-Identifier: BSD-3-Clause
"""What else is drawn of an account: years, moving Sharpe ratio, its trades, its components."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from broadpeak._core import drawing
from broadpeak._report import theme
from broadpeak._report.charts.lines import Line, line_trace
from broadpeak.types import FloatArray

MOST_LINES = drawing.MOST_LINES
MOST_POINTS = 1_500  # trades in a picture


def years_figure(years: Mapping[str, pd.Series[float]]) -> go.Figure:
    """Return a bar for each year and account."""
    colours = (theme.TRAINED, theme.HELD, theme.DEFAULTS)
    traces: list[theme.Spec] = [
        {
            "type": "bar",
            "name": html.escape(name),
            "x": [str(year) for year in values.index],
            "y": values.to_numpy(dtype=np.float64),
            "marker": {"color": colour},
            "hovertemplate": "%{y:.1%}",
        }
        for (name, values), colour in zip(years.items(), colours, strict=False)
    ]
    return theme.figure(
        traces,
        "<b>Return of each year</b>",
        height=280,
        barmode="group",
        bargap=0.3,
        hovermode="x unified",
        xaxis=theme.axis(showgrid=False, type="category"),
        yaxis=theme.axis("return", tickformat=".0%"),
    )


def moving_figure(lines: Sequence[Line], bars: str) -> go.Figure:
    """Return the moving Sharpe ratio of accounts, and a line at 0."""
    return theme.figure(
        [line_trace(line, hovertemplate="%{y:.2f}") for line in lines],
        f"<b>Sharpe ratio of the last {html.escape(bars)}</b>",
        height=260,
        hovermode="x unified",
        xaxis=theme.axis(showgrid=False),
        yaxis=theme.axis("a year", zeroline=True, zerolinecolor=theme.MUTED),
    )


def spread_figure(trades: pd.DataFrame) -> go.Figure:
    """Return how many trades gave how much, gains and losses in their colours."""
    returns = trades["return"].to_numpy(dtype=np.float64)
    parts = (
        ("gain", returns[returns > 0], theme.GAINS),
        ("loss", returns[returns <= 0], theme.FALLS),
    )
    low, high = float(returns.min(initial=0.0)), float(returns.max(initial=0.0))
    traces: list[theme.Spec] = [
        {
            "type": "histogram",
            "name": name,
            "x": values,
            "xbins": {"start": _first_edge(low, step), "end": high + step, "size": step},
            "marker": {"color": colour, "line": {"width": 0}},
            "hovertemplate": f"%{{y}} trades with a {name} of %{{x}}<extra></extra>",
        }
        for step in [_step_of(returns, high - low)]
        for name, values, colour in parts
        if len(values)
    ]
    return theme.figure(
        traces,
        "<b>Results of trades</b>",
        height=280,
        barmode="stack",
        bargap=0.06,
        hovermode="closest",
        xaxis=theme.axis("result of a trade, share of what was bought", tickformat=".0%"),
        yaxis=theme.axis("trades"),
    )


def _step_of(returns: FloatArray, width: float) -> float:
    """Return the width of a bar: a few trades far out do not decide it."""
    inner = float(np.subtract(*np.quantile(returns, [0.95, 0.05])))
    return nice_step(max(inner, width * 0.15))


def nice_step(width: float, most: int = 30) -> float:
    """Return a round width of bars, so that at most about `most` of them cover `width`.

    Examples
    --------
    >>> nice_step(1.3), nice_step(0.09), nice_step(0.0)
    (0.05, 0.005, 0.01)
    """
    if not width > 0:
        return 0.01
    rough = width / most
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(factor for factor in (1.0, 2.5, 5.0, 10.0) if factor * power >= rough * (1 - 1e-9))
    return float(f"{step * power:.6g}")


def _first_edge(low: float, step: float) -> float:
    """Return the edge at or below `low` that is a multiple of the step: 0 is an edge, too."""
    return float(np.floor(low / step) * step)


def excursion_figure(trades: pd.DataFrame, what: str) -> go.Figure:
    """Return the worst (`mae`) or best (`mfe`) price of each trade against what it gave."""
    title, axis = {
        "mae": ("Worst moment against result (MAE)", "worst price on the way, from the entry"),
        "mfe": ("Best moment against result (MFE)", "best price on the way, from the entry"),
    }[what]
    shown = trades if len(trades) <= MOST_POINTS else trades.iloc[:: -(-len(trades) // MOST_POINTS)]
    x, y = shown[what].to_numpy(dtype=np.float64), shown["return"].to_numpy(dtype=np.float64)
    parts = (("gain", y > 0, theme.GAINS), ("loss", ~(y > 0), theme.FALLS))
    traces: list[theme.Spec] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": x[which],
            "y": y[which],
            "marker": {"color": colour, "size": 5, "opacity": 0.6},
            "hovertemplate": "%{x:.1%} on the way, %{y:.1%} in the end<extra></extra>",
        }
        for name, which, colour in parts
        if which.any()
    ]
    return theme.figure(
        traces,
        f"<b>{title}</b>",
        height=320,
        hovermode="closest",
        xaxis=theme.axis(axis, tickformat=".0%"),
        yaxis=theme.axis("result", tickformat=".0%", zerolinecolor=theme.MUTED),
    )


def profits_figure(profits: pd.DataFrame) -> go.Figure:
    """Return the profit and loss of each component over time."""
    names = [*profits.columns[:MOST_LINES]]
    lines = [
        Line(str(name), profits[name], theme.LINES[place % len(theme.LINES)], dash)
        for place, name in enumerate(names)
        for dash in ["solid" if place < len(theme.LINES) else "dot"]
    ]
    return theme.figure(
        [line_trace(line, hovertemplate="%{y:,.0f}") for line in lines],
        "<b>Profit and loss of each component</b>",
        height=340,
        hovermode="x unified",
        xaxis=theme.axis(showgrid=False),
        yaxis=theme.axis("money", zerolinecolor=theme.MUTED),
    )


def drift_figure(
    values: Mapping[str, FloatArray], cycles: Sequence[str], name: str, bounds: tuple[float, float]
) -> go.Figure:
    """Return what each cycle chose for a parameter, one line a component, over its whole range."""
    low, high = bounds
    room = 0.06 * (high - low) or 1.0
    traces: list[theme.Spec] = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": html.escape(component),
            "x": list(cycles),
            "y": chosen,
            "line": {"color": theme.LINES[place % len(theme.LINES)], "width": 1.8, "shape": "hv"},
            "marker": {"size": 6},
            "hovertemplate": f"cycle %{{x}}: %{{y:.5g}}<extra>{html.escape(component)}</extra>",
        }
        for place, (component, chosen) in enumerate(values.items())
    ]
    return theme.figure(
        traces,
        f"<b>{html.escape(name)}</b>",
        height=240,
        showlegend=len(values) > 1,
        hovermode="closest",
        xaxis=theme.axis("cycle", showgrid=False, type="category"),
        yaxis=theme.axis(html.escape(name), range=[low - room, high + room]),
    )
