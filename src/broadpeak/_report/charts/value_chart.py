# SPDX-License-Identifier: BSD-3-Clause
"""Accounts and prices in one picture each: value over drawdown, price over volume."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from broadpeak._report import theme
from broadpeak._report.charts.lines import Line, fall, line_trace, value_axis
from broadpeak._report.wording import axis_values

PRICES = ("open", "high", "low", "close")
MOST_CANDLES = 260  # a year of days; of more, bodies are thinner than a pixel


def value_figure(lines: Sequence[Line], title: str, note: str = "") -> go.Figure:
    """Return values over time, and below them the fall of each from its last peak."""
    drawn = [line for line in lines if len(line.values)]
    if not drawn:
        return theme.empty(f"<b>{html.escape(title)}</b>", "There is no bar to draw.")
    falls = [Line(line.name, fall(line.values), line.colour, line.dash) for line in drawn]
    below = [
        line_trace(line, hovertemplate="%{y:.1%}", yaxis="y2", showlegend=False) for line in falls
    ]
    if len(below) == 1 or len(drawn) == 2:
        below[0] |= {"fill": "tozeroy", "fillcolor": "rgba(23,103,201,0.14)"}
    return theme.headed(
        [*(line_trace(line, hovertemplate="%{y:,.2f}") for line in drawn), *below],
        title,
        note,
        height=440,
        hovermode="x unified",
        xaxis=theme.axis(showgrid=False, anchor="y2"),
        yaxis=value_axis([line.values for line in drawn], "value", domain=[0.34, 1]),
        yaxis2=theme.axis("below the peak", tickformat=".0%", domain=[0, 0.27]),
    )


def price_figure(bars: pd.DataFrame, title: str) -> go.Figure:
    """Return the prices of one symbol, and its volume below where that is known.

    `bars` has a column close, and may have open, high, low and volume. A year of bars or less is
    drawn as candles, more as a line.
    """
    if not len(bars):
        return theme.empty(f"<b>{html.escape(title)}</b>", "There is no bar to draw.")
    has_volume = "volume" in bars and bool(np.isfinite(bars["volume"]).any())
    is_short = len(bars) <= MOST_CANDLES and {"open", "high", "low"} <= {*bars.columns}
    traces = [
        _candles(bars)
        if is_short
        else line_trace(Line("close", bars["close"]), hovertemplate="%{y:,.2f}")
    ]
    if has_volume:
        traces.append(_volume(bars["volume"]))
    closes = [bars["low"], bars["high"]] if is_short else [bars["close"]]
    axis = value_axis(closes, "price", domain=[0.3 if has_volume else 0, 1])
    below: dict[str, Any] = {}
    if has_volume:
        below["yaxis2"] = theme.axis("volume", domain=[0, 0.22])
    return theme.headed(
        [{**trace, "showlegend": False} for trace in traces],
        title,
        height=420 if has_volume else 320,
        hovermode="x unified",
        xaxis=theme.axis(
            showgrid=False, anchor="y2" if has_volume else "y", rangeslider={"visible": False}
        ),
        yaxis=axis,
        **below,
    )


def growth_figure(closes: pd.DataFrame, title: str, note: str) -> go.Figure:
    """Return the prices of several symbols, each as a multiple of where it began."""
    lines = [
        Line(str(name), closes[name].dropna(), theme.LINES[order % len(theme.LINES)], dash)
        for order, name in enumerate(closes.columns)
        for dash in [("solid", "dot")[order // len(theme.LINES) % 2]]
    ]
    if not any(len(line.values) for line in lines):
        return theme.empty(f"<b>{html.escape(title)}</b>", "There is no bar to draw.")
    return theme.headed(
        [line_trace(line, hovertemplate="%{y:.3g}") for line in lines],
        title,
        note,
        height=380,
        hovermode="x unified",
        xaxis=theme.axis(showgrid=False),
        yaxis=value_axis([line.values for line in lines], "times the first price"),
    )


def _candles(bars: pd.DataFrame) -> theme.Spec:
    return {
        "type": "candlestick",
        "name": "price",
        "x": axis_values(bars.index),
        **{
            name: bars[name].to_numpy(dtype=np.float64) for name in ("open", "high", "low", "close")
        },
        "increasing": {"line": {"color": theme.CHOSEN, "width": 1}},
        "decreasing": {"line": {"color": theme.OBJECTIVE, "width": 1}},
    }


def _volume(volume: pd.Series[float]) -> theme.Spec:
    if len(volume) <= MOST_CANDLES:
        return {
            "type": "bar",
            "name": "volume",
            "x": axis_values(volume.index),
            "y": volume.to_numpy(dtype=np.float64),
            "yaxis": "y2",
            "marker": {"color": theme.DEFAULTS, "line": {"width": 0}},
            "hovertemplate": "%{y:,.4s}",
        }
    trace = line_trace(
        Line("volume", volume, theme.DEFAULTS), yaxis="y2", hovertemplate="%{y:,.4s}"
    )
    trace["line"] = {"color": theme.DEFAULTS, "width": 0.8}
    return trace
