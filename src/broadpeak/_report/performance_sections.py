# SPDX-License-Identifier: BSD-3-Clause
"""What a client asks first of an account: its months and years, its falls, its moving figures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from broadpeak._metrics.formulas import METRICS
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._report import theme
from broadpeak._report.charts.account_charts import (
    MOST_LINES,
    moving_figure,
    profits_figure,
    years_figure,
)
from broadpeak._report.charts.lines import Line, Span
from broadpeak._report.page import LEFT, RIGHT, Cell, Chart, Paragraph, Part, Section, Table
from broadpeak._report.sections import WRITE, component_table
from broadpeak._report.wording import DASH, count, moment, money, percent, ratio

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WORST = 5  # drawdowns of each account
MOST_CORRELATED = 12  # components of a table of correlations


def sample_spans(trained: tuple[object, object] | None, index: pd.Index) -> list[Span]:
    """Return which bars are in sample, shaded, and which are not, named alone.

    `trained` holds the labels of the first and the last bar that values were chosen on.
    """
    if trained is None or not len(index):
        return []
    first, last = trained
    inside = (index >= first) & (index <= last)
    spans = []
    for name, bars, colour in (
        ("before the training", index[index < first], ""),
        ("in sample", index[inside], theme.SHADE),
        ("out of sample", index[index > last], ""),
    ):
        if len(bars) and inside.any():
            # What is last may be narrower than its name, which then reaches into what is before.
            side = "right" if name == "out of sample" else "left"
            spans.append(Span(name, bars[0], bars[-1], colour, side))
    return spans


def has_dates(account: Portfolio) -> bool:
    """Return whether months and years can be told."""
    return isinstance(account.index, (pd.DatetimeIndex, pd.PeriodIndex))


def months_section(
    name: str, account: Portfolio, held: Portfolio | None, *, trained: Span | None = None
) -> list[Section]:
    """Return the calendar of returns with the years beside buy and hold; none without dates.

    `trained` is the stretch of bars that the values were chosen on.
    """
    if not has_dates(account):
        return []
    months, years = account.monthly_returns(), pd.Series(account.yearly_returns())
    others = None if held is None else pd.Series(held.yearly_returns())
    columns = ["Year", "Total", *(["Hold"] if others is not None else []), *MONTHS]
    samples = (
        None
        if trained is None
        else [_sample(account.index, year, trained) for year in months.index]
    )
    if samples is not None and len(set(samples)) > 1:
        columns.insert(1, "Sample")
    else:
        samples = None
    size = _strongest(months.to_numpy(dtype=np.float64))
    rows: list[list[str | Cell]] = []
    for place, (year, row) in enumerate(months.iterrows()):
        cells: list[str | Cell] = [str(year)]
        if samples is not None:
            cells.append(samples[place])
        cells.append(_share(years.get(year), 3 * size))
        if others is not None:
            cells.append(_share(others.get(year), 0.0))
        rows.append([*cells, *(_share(value, size, 1) for value in row.to_numpy(dtype=float))])
    other = (
        f"; Hold: of {_base(held)}" if held is not None and _base(held) != _base(account) else ""
    )
    note = f"In percent of {_base(account)}{other}. A year at either end may be a part of one."
    table = Table(columns, rows, [LEFT, *[RIGHT] * (len(columns) - 1)], note=note, dense=True)
    drawn = {name: years}
    if others is not None:
        drawn["Buy and hold"] = others
    words = (
        f"Return of each year; the best {percent(years.max())}, the worst {percent(years.min())}."
    )
    return [Section("Months and years", [table, Chart(years_figure(drawn), words)])]


def _base(account: Portfolio) -> str:
    return "the value before" if account.compounds else "the capital, not compounded"


def _strongest(cells: np.ndarray) -> float:
    """Return the change that has the full colour: few months are beyond it."""
    sizes = np.abs(cells[np.isfinite(cells)])
    return float(np.quantile(sizes, 0.95)) if len(sizes) else 0.0


def _share(value: float | None, full: float, places: int = 1) -> Cell:
    if value is None or not np.isfinite(value):
        return Cell("", None)
    text = f"{value * 100:,.{places}f}".replace("-", "\N{MINUS SIGN}")
    shade = float(np.clip(value / full, -1.0, 1.0)) if full > 0 else 0.0
    return Cell(text, float(value) * 100, shade)


def _sample(index: pd.Index, year: int, trained: Span) -> str:
    """Return how many of the bars of a year that the account has were trained on."""
    dates = pd.DatetimeIndex(index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index)
    own = dates[dates.year == year]
    first, last = (_moment(label, own) for label in (trained.first, trained.last))
    inside = (own >= first) & (own <= last)
    return "in" if inside.all() else "partly" if inside.any() else "out"


def _moment(label: object, index: pd.DatetimeIndex) -> pd.Timestamp:
    moment = pd.Timestamp(str(label))
    return moment if moment.tz is not None or index.tz is None else moment.tz_localize(index.tz)


def falls_section(accounts: Mapping[str, Portfolio]) -> Section:
    """Return the worst drawdowns of each account, and the Sharpe ratio of the last year."""
    rows: list[list[str | Cell]] = []
    for name, account in accounts.items():
        for fall in account.worst_drawdowns(WORST).to_dict("records"):
            is_over = fall["status"] == "recovered"
            rows.append(
                [
                    name,
                    Cell(percent(fall["depth"]), float(fall["depth"])),
                    Cell(count(fall["bars"]), int(fall["bars"])),
                    Cell(count(fall["days"]), float(fall["days"])),
                    moment(fall["peak_time"]),
                    moment(fall["valley_time"]),
                    moment(fall["recovery_time"]) if is_over else "not yet",
                ]
            )
    columns = ["Account", "Depth", "Bars", "Days", "Peak", "Lowest", "Recovered"]
    align = [LEFT, RIGHT, RIGHT, RIGHT, LEFT, LEFT, LEFT]
    note = "Bars and days from the peak to the recovery, or to the last bar."
    table = Table(columns, rows, align, note, title="Worst drawdowns", minor=["Days", "Lowest"])
    return Section("Drawdowns and steadiness", [table, *_moving(accounts)])


def _moving(accounts: Mapping[str, Portfolio]) -> list[Part]:
    colours = ((theme.TRAINED, "solid"), (theme.HELD, "solid"), (theme.DEFAULTS, "dot"))
    lines = []
    for (name, account), (colour, dash) in zip(accounts.items(), colours, strict=False):
        if not has_dates(account):
            return []
        values = pd.DataFrame(account.rolling_sharpe()).iloc[:, 0]
        if values.notna().sum() > 1:
            lines.append(Line(name, values, colour, dash))
    if not lines:
        return []
    shown = lines[0].values.dropna()
    below = float((shown < 0).mean())
    words = (
        f"Annualised Sharpe ratio of the year before each bar: between {ratio(shown.min())} and "
        f"{ratio(shown.max())}, below 0 on {percent(below, 0)} of the bars."
    )
    return [Chart(moving_figure(lines, "year"), words)]


def components_section(account: Portfolio, defaults: Portfolio | None = None) -> list[Section]:
    """Return figures, paths and correlation of the components; none where there is only one."""
    if len(account.components) < 2:
        return []
    profits = account.profits()
    last = profits.iloc[-1].sort_values(ascending=False)
    words = (
        f"Profit and loss in money. Best {last.index[0]} with {money(last.iloc[0])}, worst "
        f"{last.index[-1]} with {money(last.iloc[-1])}."
    )
    if len(profits.columns) > MOST_LINES:
        # The largest of them, up or down: the others are in the table of components.
        largest = last.abs().nlargest(MOST_LINES).index
        profits = profits[[name for name in profits.columns if name in set(largest)]]
        words += f" The {MOST_LINES} that moved the account most are drawn."
    parts: list[Part] = [component_table(account, defaults), Chart(profits_figure(profits), words)]
    table = account.correlation()
    if len(table) <= MOST_CORRELATED:
        rows: list[list[str | Cell]] = [
            [
                str(name),
                *(
                    _correlation(value, value_of=str(name) != str(other))
                    for other, value in row.items()
                ),
            ]
            for name, row in table.iterrows()
        ]
        note = "Of bar returns: 1 moves alike, 0 has nothing to do with each other, −1 opposite."
        parts.append(
            Table(["", *map(str, table.columns)], rows, note=note, title="Correlation", dense=True)
        )
    return [Section("Components side by side", parts)]


def _correlation(value: float, *, value_of: bool) -> Cell:
    if not np.isfinite(value):
        return Cell(DASH, None)
    return Cell(ratio(value), float(value), float(value) if value_of else 0.0, is_neutral=True)


def costs_section(account: Portfolio) -> Section:
    """Return what costs took, and what is left at twice as much."""
    names = ("net", "total_return", "sharpe_ratio", "max_drawdown", "fees_paid")
    shown = {"Without costs": 0.0, "As charged": 1.0, "At twice the costs": 2.0}
    figures = {
        name: (account if factor == 1.0 else account.at_costs(factor)).metrics(list(names)).iloc[0]
        for name, factor in shown.items()
    }
    free, paid, twice = figures.values()
    if free["net"] == twice["net"] and not paid["fees_paid"]:
        return Section("Costs", [Paragraph(_NO_COSTS)])
    rows: list[list[str | Cell]] = [
        [
            METRICS[name].label,
            *(Cell(write(one[name]), float(one[name])) for one in figures.values()),
        ]
        for name in names
        for write in [WRITE[METRICS[name].form]]
    ]
    note = (
        "The same orders, traded again. Slippage is in the prices of fills, not among costs paid."
    )
    return Section("Costs", [Table(["", *figures], rows, note=note)])


_NO_COSTS = (
    "No costs were charged, so nobody would have been left with these figures. Pass "
    "costs=bp.Costs(spread=…, commission=…, fees=…) to see what they take, and what is left at "
    "twice as much."
)
