# SPDX-License-Identifier: BSD-3-Clause
"""Parts that several pages have: account, trades, how the result was made."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import PurePath

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Table as TablePath
from broadpeak._metrics.formulas import METRICS
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._report import theme
from broadpeak._report.charts.lines import Line, Span, drawdown_figure, equity_figure
from broadpeak._report.charts.trade_chart import trade_figure
from broadpeak._report.page import (
    LEFT,
    RIGHT,
    Caution,
    Chart,
    Fold,
    Paragraph,
    Part,
    Section,
    Table,
)
from broadpeak._report.wording import DASH, count, moment, money, number, percent, ratio
from broadpeak._training.strategy import Strategy

PRICE_CHARTS = 6
MOST_TRADES = 50

WRITE: dict[str, Callable[[object], str]] = {
    "money": money,
    "percent": percent,
    "ratio": ratio,
    "count": count,
}


def one_line(path: TablePath) -> pd.Series[float]:
    """Return a path of a strategy run or component, which is one line."""
    return path if isinstance(path, pd.Series) else path.sum(axis=1)


def metrics_of(portfolio: Portfolio) -> dict[str, float]:
    """Return every number that pages show of a portfolio, by name."""
    return dict(portfolio.metrics(list(METRICS)).iloc[0].astype(float))


def account_section(
    accounts: Mapping[str, Portfolio],
    *,
    spans: Sequence[Span] = (),
    more: Mapping[str, Portfolio] | None = None,
    title: str = "Test",
    lead: str = "",
    equity: Chart | None = None,
) -> Section:
    """Return equity, drawdown and metrics of up to three accounts; `more` adds columns of metrics.

    `equity` is a chart to take instead of the plain one.
    """
    styles = ((theme.TRAINED, "solid"), (theme.DEFAULTS, "dot"), (theme.HELD, "solid"))
    values = {name: one_line(account.value) for name, account in accounts.items()}
    metrics = {name: metrics_of(one) for name, one in {**accounts, **(more or {})}.items()}
    lines = [
        Line(name, value, *style)
        for (name, value), style in zip(values.items(), styles, strict=False)
    ]
    ends = "; ".join(f"{name}: {money(value.iloc[-1])}" for name, value in values.items())
    falls = "; ".join(f"{name}: {percent(metrics[name]['max_drawdown'])}" for name in accounts)
    parts: list[Part] = [
        equity or Chart(equity_figure(lines, spans=spans), f"Account value at the end. {ends}."),
        Chart(drawdown_figure(lines), f"Largest fall below the last peak. {falls}."),
        metrics_table(metrics),
    ]
    first, *others = accounts.values()
    if len(first.components) > 1:
        parts.append(component_table(first, others[0] if others else None))
    return Section(title, parts, lead)


def metrics_table(accounts: Mapping[str, Mapping[str, float]]) -> Table:
    """Return the metrics of accounts side by side; a row without any number is left out."""
    rows = []
    for name, metric in METRICS.items():
        values = [metrics[name] for metrics in accounts.values()]
        if any(not math.isnan(value) for value in values):
            rows.append([metric.label, *(WRITE[metric.form](value) for value in values)])
    note = "Ratios are annualised from returns on capital, without a risk-free rate."
    return Table(["", *accounts], rows, note=note)


def component_table(chosen: Portfolio, defaults: Portfolio | None) -> Table:
    """Return net result and trades of each component, chosen beside defaults."""
    columns = ["Component", "Net result", "Trades", "Winning", "Profit factor"]
    if defaults is not None:
        columns += ["Net, defaults", "Trades, defaults"]
    rows = []
    for key, component in chosen.components.items():
        metrics = metrics_of(component)
        row = [key, money(metrics["net"]), count(metrics["num_trades"])]
        row += [percent(metrics["win_rate"]), ratio(metrics["profit_factor"])]
        if defaults is not None:
            other = metrics_of(defaults.components[key]) if key in defaults.components else {}
            row += [money(other.get("net")), count(other.get("num_trades"))]
        rows.append(row)
    return Table(columns, rows)


def trade_section(account: Portfolio) -> Section:
    """Return a price chart with trades for each component, and the table of trades."""
    components = list(account.components.items())
    parts: list[Part] = [
        Fold(key, [_price_chart(key, component)], is_open=position == 0)
        for position, (key, component) in enumerate(components[:PRICE_CHARTS])
    ]
    if len(components) > PRICE_CHARTS:
        text = f"Charts of the first {PRICE_CHARTS} of {len(components)} components."
        parts.append(Paragraph(text))
    return Section("Trades", [*parts, trade_table(account.trades)])


def _price_chart(key: str, component: Portfolio) -> Chart:
    trades = component.trades
    title = f"{key}: prices and trades"
    close = component.close
    if isinstance(close, pd.DataFrame):  # the members of an ensemble, all at the same prices
        close = close.iloc[:, 0]
    figure = trade_figure(close, trades, component.plots, title)
    return Chart(figure, f"{count(len(trades))} trades of {key} on its closing prices.")


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
    if "member" in trades.columns:
        columns.insert(1, "Member")
        align.insert(1, RIGHT)
    return Table([*columns, "Ended by"], rows, align, note=note)


def _trade(row: Mapping[Hashable, object]) -> list[str]:
    is_open = row["status"] == "open"
    member = [count(row["member"])] if "member" in row else []
    return [
        str(row["column"]),
        *member,
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


def frame_table(frame: pd.DataFrame) -> Table:
    """Return a frame as a table; numbers in few digits, moments without their midnight."""
    columns = [str(name).replace("_", " ") for name in frame.columns]
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    numeric = [kind.kind in "iuf" for kind in frame.dtypes]
    return Table(columns, rows, [RIGHT if right else LEFT for right in numeric])


def _cell(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_cell(item)}" for name, item in value.items())
    if isinstance(value, (str, bool)):
        return str(value)
    if isinstance(value, (int, float, np.number)) or value is None:
        return number(value)
    return moment(value)


def how_it_was_made(
    strategy: Strategy,
    settings: Mapping[str, object],
    environment: Mapping[str, str],
    notes: Sequence[str],
    *,
    seconds: float | None = None,
) -> Section:
    """Return warnings, every setting of the strategy and of the run, and versions."""
    shown = {
        "strategy": strategy.name,
        "lookback": f"{strategy.lookback} bars",
        "unstable_period": f"{strategy.unstable_period} bars",
        "fill": strategy.fill,
        **{name: setting_string(value) for name, value in settings.items()},
    }
    if seconds is not None:
        shown["time"] = f"{seconds:.2f} s"
    versions = dict(environment)
    if "platform" in versions:  # the build of a system may show whose it is
        versions["platform"] = versions["platform"].partition("-")[0]
    cautions: list[Part] = [Caution(note) for note in dict.fromkeys(notes)]
    return Section(
        "How it was made",
        [
            *(cautions or [Paragraph("No warning was raised.")]),
            _settings_table(shown),
            Fold("Versions", [_settings_table(versions)], is_open=False),
        ],
    )


def _settings_table(settings: Mapping[str, str]) -> Table:
    return Table(["Setting", "Value"], [list(item) for item in settings.items()], [LEFT, LEFT])


def setting_string(value: object) -> str:
    """Return a setting as people write it; of a file only its name, of a function only its name."""
    if value is None or isinstance(value, bool):
        return {None: "not set", True: "yes", False: "no"}[value]
    if isinstance(value, (int, float)):
        return number(value, 9)
    if isinstance(value, PurePath) or (isinstance(value, str) and set(value) & {"/", "\\"}):
        return PurePath(str(value).replace("\\", "/")).name
    if isinstance(value, Mapping):
        items = (f"{key}: {setting_string(item)}" for key, item in value.items())
        return ", ".join(items) or "none"
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    return moment(value) if hasattr(value, "strftime") else str(value)


def footer(environment: Mapping[str, str]) -> str:
    """Return the last line of every page."""
    version = environment.get("broadpeak", "")
    return (
        f"Made by broadpeak {version}. Past results say little about future ones; "
        "nothing here is investment advice."
    )
