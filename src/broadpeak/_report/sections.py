# SPDX-License-Identifier: BSD-3-Clause
"""Parts that several pages have: account, trades, how it was made."""

from __future__ import annotations

from collections.abc import Sequence

from broadpeak._report import theme
from broadpeak._report.charts.lines import Line, Span, drawdown_figure, equity_figure
from broadpeak._report.charts.trade_chart import trade_figure
from broadpeak._report.html import DOUBT, OK, Chart, Check, Fold, Paragraph, Section
from broadpeak._report.statistics import (
    component_table,
    settings_table,
    statistics_table,
    trade_table,
)
from broadpeak._report.views import AccountView, PriceView, RunView
from broadpeak._report.wording import count, money, percent

PRICE_CHARTS = 6


def account_section(
    accounts: Sequence[AccountView],
    *,
    spans: Sequence[Span] = (),
    more: Sequence[AccountView] = (),
    title: str = "Test",
    equity: Chart | None = None,
) -> Section:
    """Return equity, drawdown and figures of up to two accounts; `more` add columns of figures.

    `equity` is a chart to take instead of the plain one.
    """
    styles = ((theme.TRAINED, "solid"), (theme.DEFAULTS, "dot"))
    lines = [
        Line(account.name, account.value, *style)
        for account, style in zip(accounts, styles, strict=False)
    ]
    ends = "; ".join(f"{account.name}: {money(_last(account))}" for account in accounts)
    falls = "; ".join(
        f"{account.name}: {percent(account.figures.get('max_drawdown'))}" for account in accounts
    )
    parts: list[object] = [
        equity or Chart(equity_figure(lines, spans=spans), f"Account value at the end. {ends}."),
        Chart(drawdown_figure(lines), f"Largest fall below the last peak. {falls}."),
        statistics_table([*accounts, *more]),
    ]
    if len(accounts[0].components) > 1:
        parts.append(component_table(accounts[0], accounts[1] if len(accounts) > 1 else None))
    return Section(title, parts)


def trade_section(account: AccountView, prices: Sequence[PriceView]) -> Section:
    """Return price charts with trades, and the table of trades."""
    parts: list[object] = [
        Fold(price.key, [price_chart(account, price)], is_open=position == 0)
        for position, price in enumerate(prices[:PRICE_CHARTS])
    ]
    if len(prices) > PRICE_CHARTS:
        parts.append(Paragraph(f"Charts of the first {PRICE_CHARTS} of {len(prices)} components."))
    return Section("Trades", [*parts, trade_table(account.trades)])


def price_chart(account: AccountView, price: PriceView) -> Chart:
    """Return the price chart of one component with its trades."""
    owner = account.components.get(price.key, account)
    title = f"{price.key}: prices and trades"
    figure = trade_figure(price.close, owner.trades, price.plotted, title)
    return Chart(figure, f"{count(len(owner.trades))} trades of {price.key} on its closing prices.")


def how_it_was_made(run: RunView) -> Section:
    """Return warnings, settings and versions."""
    notes = [Check(DOUBT, note) for note in run.notes] or [Check(OK, "No warning was raised.")]
    return Section(
        "How it was made",
        [
            *notes,
            settings_table(run.settings),
            Fold("Versions", [settings_table(run.environment)], is_open=False),
        ],
    )


def footer(run: RunView) -> str:
    """Return the last line of every page."""
    version = run.environment.get("broadpeak", "")
    return (
        f"Made by broadpeak {version}. Results of the past say little about the future; "
        "this page is no advice."
    )


def _last(account: AccountView) -> float:
    return float(account.value.iloc[-1]) if len(account.value) else float("nan")
