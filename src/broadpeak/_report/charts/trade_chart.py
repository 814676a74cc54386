# SPDX-License-Identifier: BSD-3-Clause
"""The trade chart: prices, what the strategy plots, entries and exits."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._report import theme
from broadpeak._report.charts.lines import Line, is_wide, line_trace
from broadpeak._report.wording import axis_values


def account_trades(account: Portfolio, title: str) -> go.Figure:
    """Return the trades of one account on its closing prices, with what its strategy plots."""
    close = account.close
    if isinstance(close, pd.DataFrame):  # the members of an ensemble, all at the same prices
        close = close.iloc[:, 0]
    return trade_figure(close, account.trades, account.plots, title)


def trade_figure(
    close: pd.Series[float],
    trades: pd.DataFrame,
    plots: pd.DataFrame,
    title: str = "Trades",
) -> go.Figure:
    """Return prices with the trades on them, and below them a panel for each number plotted on.

    `trades` holds trade records: direction, entry_time, exit_time, entry_price, exit_price, pnl,
    status. `plots` has a column (panel, name) for each line; those of panel 0 are over the prices.
    """
    if len(close) == 0:
        return theme.empty(f"<b>{html.escape(title)}</b>", "There is no bar to draw.")
    labels: list[tuple[int, str]] = [*plots.columns]
    lines = [(panel, name, plots[panel, name]) for panel, name in labels]
    panels = sorted({0, *(panel for panel, _, _ in lines)})
    axes = {panel: "y" if row == 0 else f"y{row + 1}" for row, panel in enumerate(panels)}
    traces = [line_trace(Line("close", close, theme.MUTED), hovertemplate="%{y:,.2f}")]
    for order, (panel, name, values) in enumerate(lines):
        line = Line(name, values, theme.LINES[order % len(theme.LINES)])
        traces.append(line_trace(line, yaxis=axes[panel], hovertemplate="%{y:,.4g}"))
    traces += _fills(trades)
    return theme.figure(
        traces,
        f"<b>{html.escape(title)}</b>",
        height=420 + 140 * (len(panels) - 1),
        hovermode="x unified",
        xaxis=theme.axis(showgrid=False, anchor=axes[panels[-1]]),
        **_panel_axes(panels, log=is_wide([close])),
    )


def _panel_axes(panels: Sequence[int], *, log: bool) -> theme.Spec:
    """Return the y axes: prices take what the panels below leave, a quarter each at most."""
    below = len(panels) - 1
    share = min(0.25, 0.6 / below) if below else 0.0
    settings = {"type": "log", "dtick": "D2", "tickformat": ",~g"} if log else {}
    price = theme.axis("price", domain=[share * below, 1.0], **settings)
    axes: theme.Spec = {"yaxis": price}
    for row in range(below):
        top = share * (below - row)
        axes[f"yaxis{row + 2}"] = theme.axis(
            f"panel {panels[row + 1]}", domain=[top - share, top - 0.04]
        )
    return axes


def _fills(trades: pd.DataFrame) -> list[theme.Spec]:
    if trades.empty:
        return []
    traces = [_holds(trades, trades["pnl"] > 0, "gain", theme.GAINS)]
    traces.append(_holds(trades, ~(trades["pnl"] > 0), "loss", theme.FALLS))
    for side, symbol in (("long", "triangle-up"), ("short", "triangle-down")):
        rows = trades[trades["direction"] == side]
        if len(rows):
            traces.append(_marks(rows, "entry", f"{side} entry", symbol, theme.INK))
    closed = trades[trades["status"] == "closed"]
    if len(closed):
        traces.append(_marks(closed, "exit", "exit", "x-thin", theme.INK))
    return traces


def _holds(trades: pd.DataFrame, which: pd.Series[bool], name: str, colour: str) -> theme.Spec:
    """Return one trace with a line from entry to exit of each trade, broken between trades."""
    rows = trades[which]
    gap = np.full(len(rows), np.nan)
    times = np.column_stack(
        [
            axis_values(rows["entry_time"]).astype(object),
            axis_values(rows["exit_time"]).astype(object),
            np.full(len(rows), None, dtype=object),
        ]
    )
    prices = np.column_stack([rows["entry_price"], rows["exit_price"], gap])
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": times.ravel(),
        "y": prices.ravel().astype(np.float64),
        "line": {"color": colour, "width": 1.6},
        "connectgaps": False,
        "hoverinfo": "skip",
    }


def _marks(trades: pd.DataFrame, what: str, name: str, symbol: str, colour: str) -> theme.Spec:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": axis_values(trades[f"{what}_time"]),
        "y": trades[f"{what}_price"].to_numpy(dtype=np.float64),
        "marker": {
            "symbol": symbol,
            "size": 7,
            "color": colour,
            "line": {"width": 1.4 if symbol == "x-thin" else 0, "color": colour},
        },
        "hovertemplate": f"{name} %{{y:,.2f}}<extra></extra>",
    }
