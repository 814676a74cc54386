# SPDX-License-Identifier: BSD-3-Clause
"""Parts that several pages have: account, trades, how the result was made."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Table as TablePath
from broadpeak._metrics.formulas import METRICS
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._report import theme
from broadpeak._report.charts.account_charts import excursion_figure, spread_figure
from broadpeak._report.charts.lines import Line, Span, drawdown_figure, equity_figure
from broadpeak._report.charts.trade_chart import account_trades
from broadpeak._report.page import (
    LEFT,
    RIGHT,
    TEXT,
    Beside,
    Card,
    Cards,
    Caution,
    Cell,
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
WIDE = 9  # columns that fit a page; more of them stand closer
FEWEST_DRAWN = 5  # closed trades in a picture
MOST_TRADES = 1_000
SHOWN_TRADES = 20  # before a button shows the others

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

    `equity` is a chart to take instead of the plain one. The second account is what the first is
    held against.
    """
    styles = ((theme.TRAINED, "solid"), (theme.HELD, "solid"), (theme.DEFAULTS, "dot"))
    values = {name: one_line(account.value) for name, account in accounts.items()}
    # What was not seen in training comes first: on a narrow screen nobody looks further.
    metrics = {name: metrics_of(one) for name, one in {**(more or {}), **accounts}.items()}
    lines = [
        Line(name, value, *style)
        for (name, value), style in zip(values.items(), styles, strict=False)
    ]
    ends = "; ".join(f"{name}: {money(value.iloc[-1])}" for name, value in values.items())
    falls = "; ".join(f"{name}: {percent(metrics[name]['max_drawdown'])}" for name in accounts)
    parts: list[Part] = [
        equity or Chart(equity_figure(lines, spans=spans), f"Account value at the end. {ends}."),
        Chart(drawdown_figure(lines), f"Largest fall below the last peak. {falls}."),
        metrics_table(metrics, {name: one.compounds for name, one in accounts.items()}),
    ]
    return Section(title, parts, lead)


def result_section(
    name: str,
    account: Portfolio,
    held: Portfolio | None,
    lines: Sequence[str] = (),
    *,
    how: str = "the same symbols, equal amounts, the same costs",
) -> Section:
    """Return what came out, beside buying and holding; `how` says how that was done."""
    cards = [result_card(name, account, lines)]
    if held is not None:
        cards.append(result_card("Buy and hold on the same bars", held, [how]))
    return Section("Result", [Cards(cards)])


_BASES = {True: "the value before each bar", False: "the capital, which do not compound"}


def trades_text(number: float) -> str:
    """Return a number of trades in words."""
    return f"{count(number)} trade{'' if number == 1 else 's'}"


def result_card(title: str, account: Portfolio, lines: Sequence[str]) -> Card:
    metrics = metrics_of(account)
    sharpe, fall = ratio(metrics["sharpe_ratio"]), percent(metrics["max_drawdown"])
    yearly = f", {percent(metrics['annual_return'])} a year"
    text = [f"Sharpe ratio {sharpe}, largest drawdown {fall}"]
    if lines or len(account.trades) > 1:
        text.append(trades_text(metrics["num_trades"]))
    total = f"{percent(metrics['total_return'])} on capital"
    return Card(
        title, total + (yearly if math.isfinite(metrics["annual_return"]) else ""), [*text, *lines]
    )


def metrics_table(
    accounts: Mapping[str, Mapping[str, float]], compounds: Mapping[str, bool]
) -> Table:
    """Return the metrics of accounts side by side; a row without any number is left out.

    `compounds` says of some of them whether their returns are shares of the value before.
    """
    rows: list[list[str | Cell]] = []
    for name, metric in METRICS.items():
        values = [metrics[name] for metrics in accounts.values()]
        if any(not math.isnan(value) for value in values):
            write = WRITE[metric.form]
            rows.append([metric.label, *(Cell(write(value), float(value)) for value in values)])
    (_, first_compounds), *others = compounds.items()
    base = _BASES[first_compounds]
    for name, its in others:
        if its is not first_compounds and name.startswith("Buy and hold"):
            base += f"; of buying and holding, on {_BASES[its]}"
    note = f"Ratios are annualised from returns on {base}; without a risk-free rate."
    minor = [name for name in accounts if name.startswith("Defaults")]
    return Table(["", *accounts], rows, note=note, minor=minor if len(accounts) > 3 else [])


def component_table(chosen: Portfolio, defaults: Portfolio | None) -> Table:
    """Return net result and trades of each component, chosen beside defaults."""
    names = ("net", "sharpe_ratio", "max_drawdown", "num_trades", "win_rate", "profit_factor")
    columns = ["Component", *(METRICS[name].label for name in names)]
    if defaults is not None:
        columns.append("Net, defaults")
    rows: list[list[str | Cell]] = []
    for key, component in chosen.components.items():
        metrics = metrics_of(component)
        row: list[str | Cell] = [
            key,
            *(Cell(WRITE[METRICS[name].form](metrics[name]), metrics[name]) for name in names),
        ]
        if defaults is not None:
            other = metrics_of(defaults.components[key]) if key in defaults.components else {}
            net = other.get("net", math.nan)
            row.append(Cell(money(net), net))
        rows.append(row)
    minor = ["Profit factor", "Winning trades", "Trades", "Net, defaults"]
    return Table(columns, rows, minor=minor, title="Each component")


def trade_section(account: Portfolio) -> Section:
    """Return what trades gave, a price chart with them for each component, and their table."""
    components = list(account.components.items())
    parts: list[Part] = [
        Fold(key, [_price_chart(key, component)], is_open=position == 0)
        for position, (key, component) in enumerate(components[:PRICE_CHARTS])
    ]
    if len(components) > PRICE_CHARTS:
        text = f"Charts of the first {PRICE_CHARTS} of {len(components)} components."
        parts.append(Paragraph(text))
    return Section("Trades", [*_trade_pictures(account), *parts, trade_table(account.trades)])


def _trade_pictures(account: Portfolio) -> list[Part]:
    """Return how results are spread, how far trades went on the way, and both sides in a table."""
    trades = account.trades
    closed = trades[trades["status"] == "closed"]
    parts: list[Part] = [side_table(account)]
    if len(closed) < FEWEST_DRAWN:
        return parts
    returns = closed["return"]
    words = (
        f"{count(len(closed))} closed trades: the middle one gave {percent(returns.median())}, the "
        f"best {percent(returns.max())}, the worst {percent(returns.min())}."
    )
    parts.append(Chart(spread_figure(closed), words))
    parts.append(
        Beside(
            [
                Chart(
                    excursion_figure(closed, "mae"),
                    "How far each trade went against its entry before it ended: where winners "
                    "never go, a stop costs little.",
                ),
                Chart(
                    excursion_figure(closed, "mfe"),
                    "How far each trade went in favour of its entry: what lies below the diagonal "
                    "was given back.",
                ),
            ]
        )
    )
    return parts


_SIDES = {
    "num_trades": ("Trades", count),
    "net": ("Net result", money),
    "win_rate": ("Winning trades", percent),
    "profit_factor": ("Profit factor", ratio),
    "expectancy": ("Result per trade", money),
    "mean_return": ("Mean return", percent),
    "median_return": ("Median return", percent),
    "best_return": ("Best return", percent),
    "worst_return": ("Worst return", percent),
    "mean_bars": ("Bars per trade", ratio),
    "mean_mae": ("Worst moment, mean", percent),
    "mean_mfe": ("Best moment, mean", percent),
}


def side_table(account: Portfolio) -> Table:
    """Return what long and short trades gave, side by side."""
    sides = account.trade_stats()
    sides = sides[sides["num_trades"] > 0] if sides["num_trades"].any() else sides.iloc[:1]
    if len(sides) == 2:  # all of them are of one side
        sides = sides.iloc[1:]
    rows: list[list[str | Cell]] = [
        [label, *(Cell(write(value), float(value)) for value in sides[name])]
        for name, (label, write) in _SIDES.items()
    ]
    names = {"all": "All trades", "long": "Long", "short": "Short"}
    note = "Returns are shares of what was bought; the net result counts open trades, too."
    return Table(["", *(names[str(side)] for side in sides.index)], rows, note=note)


def _price_chart(key: str, component: Portfolio) -> Chart:
    figure = account_trades(component, f"{key}: prices and trades")
    words = f"{count(len(component.trades))} trades of {key} on its closing prices."
    return Chart(figure, words)


def trade_table(trades: pd.DataFrame) -> Table:
    """Return trade records by time of entry; of many only the first and the last are shown."""
    total = len(trades)
    trades = shown = trades.sort_values("entry_time", kind="stable")
    note = ""
    if total > MOST_TRADES:
        half = MOST_TRADES // 2
        shown = pd.concat([trades.iloc[:half], trades.iloc[-half:]])
        note = f"The first and the last {half} of {count(total)} trades."
    rows: list[list[str | Cell]] = [_trade(row) for row in shown.to_dict(orient="records")]
    if len(shown) < total:
        left_out = f"{count(total - len(shown))} more"
        rows.insert(len(rows) // 2, ["…", left_out, *[""] * (len(rows[0]) - 2)])
    columns = ["Component", "Side", "Entry", "Result", "Return", "Exit", "Ended by"]
    align = [LEFT, LEFT, LEFT, RIGHT, RIGHT, LEFT, LEFT]
    minor = ["Member", "Exit", "Ended by", "Bars", "Size", "Entry price", "Exit price", *_MOMENTS]
    columns += ["Bars", "Size", "Entry price", "Exit price", *_MOMENTS]
    align += [RIGHT] * (len(columns) - len(align))
    if "member" in trades.columns:
        columns.insert(1, "Member")
        align.insert(1, RIGHT)
    return Table(
        columns,
        rows,
        align,
        note=note,
        title="All trades",
        minor=minor,
        shown=SHOWN_TRADES,
        dense=True,
    )


_MOMENTS = ("MAE", "MFE")


def _trade(row: Mapping[Hashable, Any]) -> list[str | Cell]:
    is_open = row["status"] == "open"
    member: list[str | Cell] = [count(row["member"])] if "member" in row else []
    return [
        str(row["column"]),
        *member,
        str(row["direction"]),
        moment(row["entry_time"]),
        Cell(money(row["pnl"]), float(row["pnl"])),
        Cell(percent(row["return"]), float(row["return"])),
        DASH if is_open else moment(row["exit_time"]),
        "still open" if is_open else str(row["exit_reason"]),
        count(row["bars"]),
        Cell(number(row["size"]), float(row["size"])),
        Cell(number(row["entry_price"], 5), float(row["entry_price"])),
        Cell(number(row["exit_price"], 5), float(row["exit_price"])),
        Cell(percent(row["mae"]), float(row["mae"])),
        Cell(percent(row["mfe"]), float(row["mfe"])),
    ]


def frame_table(frame: pd.DataFrame, *, minor: Sequence[str] = ()) -> Table:
    """Return a frame as a table; numbers in few digits, moments without their midnight.

    `minor` are columns that give way on narrow screens.
    """
    columns = [str(name).replace("_", " ") for name in frame.columns]
    rows: list[list[str | Cell]] = [
        [
            Cell(_text(value), float(value)) if isinstance(value, float) else _text(value)
            for value in row
        ]
        for row in frame.itertuples(index=False, name=None)
    ]
    numeric = [kind.kind in "iuf" for kind in frame.dtypes]
    align = [RIGHT if right else LEFT for right in numeric]
    return Table(columns, rows, align, minor=minor, dense=len(columns) > WIDE)


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    if isinstance(value, (str, bool)):
        return str(value)
    if isinstance(value, (int, float, np.number)) or value is None:
        return number(value)
    return moment(value)


def parameter_section(
    params: Mapping[str, Mapping[str, float]],
    origin: Mapping[str, str],
    *,
    title: str = "Parameters",
    lead: str = "",
) -> Section:
    """Return the values of each component, and where they come from.

    `origin` is `Provenance.rows`, or what is said in its place.
    """
    names = [*dict.fromkeys(name for values in params.values() for name in values)]
    rows: list[list[str | Cell]] = [
        [
            key,
            *(
                Cell(number(values[name], 6), float(values[name])) if name in values else DASH
                for name in names
            ),
        ]
        for key, values in params.items()
    ]
    parts: list[Part] = []
    if names:
        parts.append(Table(["Component", *names], rows, title="Values"))
    else:
        parts.append(Paragraph("This strategy has no parameter."))
    if origin:
        parts.append(provenance_table(origin))
    return Section(title, parts, lead)


def provenance_table(origin: Mapping[str, str]) -> Table:
    """Return where values come from, as `Provenance.rows` tells it."""
    rows: list[list[str | Cell]] = [[name, text] for name, text in origin.items()]
    return Table(["Trained", "as"], rows, [LEFT, TEXT], title="Where the values come from")


def meaning(objective: str, words: str) -> list[Part]:
    """Return what an objective is, for the one place of a page that says it."""
    return [Paragraph(f"{objective}: {words}.")] if words else []


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
    versions = _versions(environment)
    cautions: list[Part] = [Caution(note) for note in dict.fromkeys(notes)]
    return Section(
        "How it was made",
        [
            *(cautions or [Paragraph("No warning was raised.")]),
            _settings_table(shown),
            Fold("Versions", [_settings_table(versions)], is_open=False),
        ],
    )


def settings_section(environment: Mapping[str, str]) -> Section:
    """Return the versions alone, where nothing else is known of a result."""
    return Section("How it was made", [_settings_table(_versions(environment))])


def _versions(environment: Mapping[str, str]) -> dict[str, str]:
    versions = dict(environment)
    if "platform" in versions:  # the build of a system may show whose it is
        versions["platform"] = versions["platform"].partition("-")[0]
    return versions


def _settings_table(settings: Mapping[str, str]) -> Table:
    return Table(["Setting", "Value"], [list(item) for item in settings.items()], [LEFT, TEXT])


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
        f"Made by {f'broadpeak {version}'.strip()}. Past results say little about future ones; "
        "nothing here is investment advice."
    )
