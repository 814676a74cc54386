# SPDX-License-Identifier: BSD-3-Clause
"""The statistics of an account as rows of text, and trades and settings as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._report.tables import LEFT, RIGHT, Table
from broadpeak._report.views import AccountView
from broadpeak._report.wording import DASH, count, moment, money, number, percent, ratio

# name of the figure → how it is called and written
FIGURES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "net": ("Net result", money),
    "total_return": ("Return on capital", percent),
    "annual_return": ("Return per year", percent),
    "annual_volatility": ("Volatility per year", percent),
    "max_drawdown": ("Largest drawdown", percent),
    "sharpe_ratio": ("Sharpe ratio", ratio),
    "sortino_ratio": ("Sortino ratio", ratio),
    "calmar_ratio": ("Calmar ratio", ratio),
    "num_trades": ("Trades", count),
    "win_rate": ("Winning trades", percent),
    "profit_factor": ("Profit factor", ratio),
    "expectancy": ("Result per trade", money),
    "sqn": ("SQN", ratio),
    "largest_win": ("Largest win", money),
    "largest_loss": ("Largest loss", money),
    "mean_bars": ("Bars per trade", ratio),
    "fees": ("Costs paid", money),
    "exposure": ("Bars in the market", percent),
}
MOST_TRADES = 50


def statistics_table(accounts: Sequence[AccountView]) -> Table:
    """Return the figures of accounts side by side."""
    rows = []
    for name, (label, write) in FIGURES.items():
        values = [account.figures.get(name, math.nan) for account in accounts]
        if any(not math.isnan(value) for value in values):
            rows.append([label, *(write(value) for value in values)])
    note = "Ratios are annualised from returns on capital, without a risk-free rate."
    return Table(["", *(account.name for account in accounts)], rows, note=note)


def trade_figures(trades: pd.DataFrame) -> dict[str, float]:
    """Return the figures that come from trade records alone; NaN without closed trades."""
    closed = trades[trades["status"] == "closed"]
    pnl = closed["pnl"].to_numpy(dtype=np.float64)
    some = len(pnl) > 0
    return {
        "net": float(trades["pnl"].sum()),
        "largest_win": float(max(pnl.max(), 0.0)) if some else math.nan,
        "largest_loss": float(min(pnl.min(), 0.0)) if some else math.nan,
        "mean_bars": float(closed["bars"].mean()) if some else math.nan,
        "fees": float(trades["entry_fees"].sum() + trades["exit_fees"].sum()),
    }


def component_table(chosen: AccountView, defaults: AccountView | None) -> Table:
    """Return net result and trades of each component, chosen beside defaults."""
    columns = ["Component", "Net result", "Trades", "Winning", "Profit factor"]
    if defaults is not None:
        columns += ["Net, defaults", "Trades, defaults"]
    rows = []
    for key, account in chosen.components.items():
        figures = account.figures
        row = [
            key,
            money(figures.get("net")),
            count(figures.get("num_trades")),
            percent(figures.get("win_rate")),
            ratio(figures.get("profit_factor")),
        ]
        if defaults is not None:
            other = defaults.components[key].figures if key in defaults.components else {}
            row += [money(other.get("net")), count(other.get("num_trades"))]
        rows.append(row)
    return Table(columns, rows)


def trade_table(trades: pd.DataFrame) -> Table:
    """Return trade records by time of entry; of many only the first and the last are shown."""
    total = len(trades)
    trades = shown = trades.sort_values("entry_time", kind="stable")
    note = ""
    if total > MOST_TRADES:
        half = MOST_TRADES // 2
        shown = pd.concat([trades.iloc[:half], trades.iloc[-half:]])
        note = f"The first and the last {half} of {count(total)} trades."
    rows = [_trade(row) for row in shown.to_dict(orient="records")]
    if len(shown) < total:
        left_out = f"{count(total - len(shown))} more"
        rows.insert(len(rows) // 2, ["…", left_out, *[""] * (len(rows[0]) - 2)])
    columns = ["Component", "Side", "Entry", "at", "Exit", "at", "Size", "Bars", "Result", "Return"]
    align = [LEFT, LEFT, LEFT, RIGHT, LEFT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, LEFT]
    return Table([*columns, "Ended by"], rows, align, note=note)


def _trade(row: dict[Any, Any]) -> list[str]:
    is_open = row["status"] == "open"
    return [
        str(row["column"]),
        str(row["direction"]),
        moment(row["entry_time"]),
        number(row["entry_price"], 5),
        DASH if is_open else moment(row["exit_time"]),
        number(row["exit_price"], 5),
        number(row["size"]),
        count(row["bars"]),
        money(row["pnl"]),
        percent(row["return"]),
        "still open" if is_open else str(row["exit_reason"]),
    ]


def settings_table(settings: Mapping[str, str]) -> Table:
    """Return names and values, two columns of text."""
    return Table(["Setting", "Value"], [list(item) for item in settings.items()], [LEFT, LEFT])


def frame_table(frame: pd.DataFrame) -> Table:
    """Return a frame as a table; numbers in few digits, moments without their midnight."""
    columns = [str(name).replace("_", " ") for name in frame.columns]
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    numeric = [kind.kind in "iuf" for kind in frame.dtypes]
    return Table(columns, rows, [RIGHT if right else LEFT for right in numeric])


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_cell(item)}" for name, item in value.items())
    if isinstance(value, (str, bool)):
        return str(value)
    if isinstance(value, (int, float, np.number)) or value is None:
        return number(value)
    return moment(value)
