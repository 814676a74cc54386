# SPDX-License-Identifier: BSD-3-Clause
"""Curves over time: equity, drawdown, and the spans that belong to training."""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from broadpeak._report import theme
from broadpeak._report.wording import axis_values
from broadpeak.types import FloatArray, IntArray

MOST_POINTS = 3_000
WIDE = 8.0  # highest over lowest value from which a logarithmic axis reads better


@dataclass(frozen=True, slots=True)
class Line:
    """One curve.

    Attributes
    ----------
    name : str
        As shown in the legend.
    values : Series of float
        The curve over its own index.
    colour, dash : str
        How it is drawn.
    """

    name: str
    values: pd.Series[float]
    colour: str = theme.TRAINED
    dash: str = "solid"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of bars with a name, from the first to the last label, both inside.

    One without a colour is named only; `side` is where the name stands, "left" or "right".
    """

    name: str
    first: object
    last: object
    colour: str = theme.SHADE
    side: str = "left"


def thin(values: FloatArray, most: int = MOST_POINTS) -> IntArray:
    """Return the positions to draw: all of them, or lowest and highest of equal stretches.

    First and last position always stay, so that neither the ends nor a spike is lost.

    Examples
    --------
    >>> thin(np.array([1.0, 9.0, 2.0, 3.0, 0.0, 1.0, 1.0, 1.0]), most=4)
    array([0, 1, 4, 5, 7])
    """
    n = len(values)
    if n <= most:
        return np.arange(n)
    edges = np.linspace(0, n, max(1, most // 2) + 1).astype(np.int64)
    keep = {0, n - 1}
    for low, high in itertools.pairwise(edges):
        part = values[low:high]
        if not np.isnan(part).all():
            keep.update((low + int(np.nanargmin(part)), low + int(np.nanargmax(part))))
    return np.array(sorted(keep), dtype=np.int64)


def line_trace(line: Line, **options: object) -> theme.Spec:
    """Return the Plotly trace of one curve, thinned where it has too many points to see."""
    values = np.asarray(line.values, dtype=np.float64)
    keep = thin(values)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": html.escape(line.name),
        "x": axis_values(line.values.index[keep]),
        "y": values[keep],
        "line": {"color": line.colour, "width": 1.8, "dash": line.dash},
        **options,
    }


def span_shape(span: Span) -> theme.Spec:
    """Return the shaded rectangle behind the bars of `span`."""
    first, last = axis_values(pd.Index([span.first, span.last]))
    return {
        "type": "rect",
        "xref": "x",
        "yref": "paper",
        "x0": first,
        "x1": last,
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"width": 0},
        "fillcolor": span.colour or "rgba(0,0,0,0)",
        "name": html.escape(span.name),
        "label": {
            "text": html.escape(span.name),
            "textposition": f"top {span.side}",
            "font": {"size": 11, "color": theme.MUTED},
        },
    }


def border_shape(label: object) -> theme.Spec:
    """Return the dotted line at a bar where something begins anew."""
    (at,) = axis_values(pd.Index([label]))
    return {
        "type": "line",
        "xref": "x",
        "yref": "y domain",
        "x0": at,
        "x1": at,
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"width": 1, "dash": "dot", "color": theme.MUTED},
        "opacity": 0.6,
    }


def is_wide(values: Sequence[pd.Series[float]]) -> bool:
    """Return whether a logarithmic axis reads better, and can hold every value.

    Examples
    --------
    >>> is_wide([pd.Series([1.0, 9.0])]), is_wide([pd.Series([0.0, 9.0])])
    (True, False)
    """
    low = min((float(one.min()) for one in values), default=1.0)
    high = max((float(one.max()) for one in values), default=1.0)
    return bool(low > 0 and np.isfinite(high) and high / low > WIDE)


def value_axis(values: Sequence[pd.Series[float]], title: str, **options: object) -> theme.Spec:
    """Return the axis of money or prices, logarithmic where that helps."""
    if not is_wide(values):
        return theme.axis(title, **options)
    return theme.axis(f"{title}, logarithmic", type="log", dtick="D2", tickformat=",~g", **options)


def equity_figure(
    lines: Sequence[Line],
    title: str = "Equity",
    *,
    spans: Sequence[Span] = (),
    unit: str = "value",
    height: int = 380,
) -> go.Figure:
    """Return account values over time, one line each; spans are shaded and named."""
    drawn = [line for line in lines if len(line.values)]
    if not drawn:
        return theme.empty(title, "There is no bar to draw.")
    return theme.figure(
        [line_trace(line, hovertemplate="%{y:,.2f}") for line in drawn],
        f"<b>{html.escape(title)}</b>",
        height=height,
        hovermode="x unified",
        xaxis=theme.axis(showgrid=False),
        yaxis=value_axis([line.values for line in drawn], unit),
        shapes=[span_shape(span) for span in spans],
    )


def drawdown_figure(
    lines: Sequence[Line], title: str = "Drawdown", *, height: int = 240
) -> go.Figure:
    """Return the fall of each line from its last peak, as a share of that peak."""
    drawn = [line for line in lines if len(line.values)]
    if not drawn:
        return theme.empty(title, "There is no bar to draw.")
    falls = [Line(line.name, fall(line.values), line.colour, line.dash) for line in drawn]
    traces = [line_trace(line, hovertemplate="%{y:.1%}") for line in falls]
    traces[0] |= {"fill": "tozeroy", "fillcolor": "rgba(23,103,201,0.14)"}
    return theme.figure(
        traces,
        f"<b>{html.escape(title)}</b>",
        height=height,
        hovermode="x unified",
        xaxis=theme.axis(showgrid=False),
        yaxis=theme.axis("below the peak", tickformat=".0%"),
    )


def fall(values: pd.Series[float]) -> pd.Series[float]:
    """Return ``value / highest value so far - 1``; NaN while no peak is above zero."""
    peak = values.cummax()
    return (values / peak.where(peak > 0) - 1.0).astype(np.float64)
