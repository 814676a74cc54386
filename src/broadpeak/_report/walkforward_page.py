# SPDX-License-Identifier: BSD-3-Clause
"""The page about a walk-forward test: what came out of sample, cycle by cycle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._report.charts.walk_chart import Cycle, walk_forward_figure
from broadpeak._report.html import (
    BAD,
    DOUBT,
    OK,
    Card,
    Cards,
    Chart,
    Check,
    Paragraph,
    Section,
    write_page,
)
from broadpeak._report.sections import account_section, footer, how_it_was_made, trade_section
from broadpeak._report.statistics import frame_table
from broadpeak._report.tables import Table
from broadpeak._report.views import AccountView, RunView
from broadpeak._report.wording import DASH, count, moment, number, percent

_BOUNDS = ("train_start", "train_end", "test_start", "test_end")
KEPT = 0.5  # share of the in-sample objective that should be left out of sample
WINNING = 0.5  # share of cycles that should win


def write_walk_forward_page(
    path: str | Path,
    run: RunView,
    account: AccountView,
    cycles: Sequence[Cycle],
    table: pd.DataFrame,
    *,
    objective: str,
) -> Path:
    """Write the page and return its path; `table` holds one row a cycle, as the user sees it."""
    chart = walk_forward_figure(account.value, cycles, objective=objective)
    words = (
        f"Account value over the {count(len(cycles))} cycles, none of its bars seen in training; "
        f"below, {objective} of each cycle in and out of sample."
    )
    sections = [
        _headline(account, cycles, objective),
        account_section([account], title="Out of sample", equity=Chart(chart, words)),
        Section("Cycles", [_cycle_table(table)]),
        trade_section(account, []),
        how_it_was_made(run),
    ]
    tested = [cycle for cycle in cycles if cycle.test_first is not None]
    period = (
        f", tested {moment(tested[0].test_first)} to {moment(tested[-1].test_last)}"
        if tested
        else ""
    )
    title = f"{run.strategy}: walk-forward test"
    return write_page(path, title, f"{count(len(cycles))} cycles{period}", sections, footer(run))


def _cycle_table(table: pd.DataFrame) -> Table:
    """Return the cycles; bounds in two columns instead of four."""
    keys = table.index.to_frame(index=False)
    keys.columns = pd.Index(["cycle", "component"][: keys.shape[1]])
    spans = {
        "trained": _span(table["train_start"], table["train_end"]),
        "tested": _span(table["test_start"], table["test_end"]),
    }
    rest = table.drop(columns=list(_BOUNDS)).reset_index(drop=True)
    parts = [frame_table(keys), frame_table(pd.DataFrame(spans)), frame_table(rest)]
    rows = [
        [cell for row in together for cell in row]
        for together in zip(*(part.rows for part in parts), strict=True)
    ]
    columns = [name for part in parts for name in part.columns]
    align = [side for part in parts for side in part.align]
    return Table(columns, rows, align)


def _span(first: pd.Series[Any], last: pd.Series[Any]) -> list[str]:
    return [
        f"{moment(a)} to {moment(b)}" if pd.notna(a) else DASH
        for a, b in zip(first, last, strict=True)
    ]


def _headline(account: AccountView, cycles: Sequence[Cycle], objective: str) -> Section:
    figures = account.figures
    sharpe, fall = number(figures.get("sharpe_ratio"), 3), percent(figures.get("max_drawdown"))
    card = Card(
        "All test segments",
        f"{percent(figures.get('total_return'))} on capital",
        [
            f"Sharpe ratio {sharpe}, largest drawdown {fall}",
            f"{count(figures.get('num_trades'))} trades",
        ],
        [*_checks(account, cycles, objective)],
    )
    rule = (
        f"Good: a positive result, at least {percent(KEPT, 0)} of the {objective} of training "
        f"left out of sample, and more than {percent(WINNING, 0)} of the test segments winning."
    )
    return Section("What came out", [Cards([card]), Paragraph(rule)])


def _checks(account: AccountView, cycles: Sequence[Cycle], objective: str) -> list[Check]:
    net = account.figures.get("net", np.nan)
    checks = [
        Check(OK, "The sum of all test segments is positive.")
        if net > 0
        else Check(BAD, "The sum of all test segments is not positive.")
    ]
    pairs = np.array([(c.inside, c.outside) for c in cycles], dtype=np.float64).reshape(-1, 2)
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    if len(pairs) and pairs[:, 0].mean() > 0:
        kept = float(pairs[:, 1].mean() / pairs[:, 0].mean())
        text = f"{objective} out of sample is {percent(kept, 0)} of that in training."
        checks.append(Check(OK if kept >= KEPT else DOUBT if kept > 0 else BAD, text))
    results = _segment_results(account.value, cycles)
    if results:
        won = sum(result > 0 for result in results)
        level = OK if won > WINNING * len(results) else DOUBT
        checks.append(Check(level, f"{won} of {len(results)} test segments won."))
    return checks


def _segment_results(value: pd.Series[float], cycles: Sequence[Cycle]) -> list[float]:
    """Return the change of the account over each test segment."""
    results = []
    for cycle in cycles:
        if cycle.test_first is None:
            continue
        segment = value.loc[cycle.test_first : cycle.test_last]
        before = value.loc[: cycle.test_first].iloc[:-1]
        start = before.iloc[-1] if len(before) else segment.iloc[0]
        if len(segment):
            results.append(float(segment.iloc[-1] - start))
    return results
