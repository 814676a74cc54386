# SPDX-License-Identifier: BSD-3-Clause
"""The page about a walk-forward test: the result out of sample, cycle by cycle."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from broadpeak._report.charts.walk_chart import walk_forward_figure
from broadpeak._report.page import (
    BAD,
    DOUBT,
    OK,
    Card,
    Cards,
    Chart,
    Check,
    Paragraph,
    Section,
    Table,
    write_page,
)
from broadpeak._report.sections import (
    account_section,
    footer,
    frame_table,
    how_it_was_made,
    one_line,
    trade_section,
)
from broadpeak._report.wording import DASH, count, moment, number, percent
from broadpeak._validation.walked import WalkForward

_BOUNDS = ("train_start", "train_end", "test_start", "test_end")
KEPT = 0.5  # share of the in-sample objective that should remain out of sample
WINNING = 0.5  # share of cycles that should win


def walk_forward_report(walked: WalkForward, *, path: str | Path) -> Path:
    """Write the page and return its path."""
    cycles, objective = walked.by_cycle, walked.objective_name
    environment = walked.trainings[-1].environment if walked.trainings else {}
    chart = walk_forward_figure(one_line(walked.portfolio.value), cycles, objective=objective)
    words = (
        f"Account value over the {count(len(cycles))} cycles, none of its bars seen in training; "
        f"below, {objective} of each cycle in and out of sample."
    )
    sections = [
        _headline(walked),
        account_section(
            {"Out of sample": walked.portfolio}, title="Out of sample", equity=Chart(chart, words)
        ),
        Section("Cycles", [_cycle_table(walked.cycles)]),
        trade_section(walked.portfolio),
        how_it_was_made(
            walked.strategy, walked.settings, environment, walked.notes, seconds=walked.seconds
        ),
    ]
    subtitle = f"{count(len(cycles))} cycles"
    tested = cycles[cycles["test_start"].notna()]
    if len(tested):
        first, last = tested["test_start"].iloc[0], tested["test_end"].iloc[-1]
        subtitle += f", tested {moment(first)} to {moment(last)}"
    title = f"{walked.name}: walk-forward test"
    return write_page(path, title, subtitle, sections, footer(environment))


def _cycle_table(table: pd.DataFrame) -> Table:
    """Return the cycles; bounds in two columns instead of four."""
    keys = table.index.to_frame(index=False)
    keys.columns = pd.Index(["cycle", "component"][: keys.shape[1]])
    spans = {
        "trained": _spans(table["train_start"], table["train_end"]),
        "tested": _spans(table["test_start"], table["test_end"]),
    }
    rest = table.drop(columns=list(_BOUNDS)).reset_index(drop=True)
    return frame_table(pd.concat([keys, pd.DataFrame(spans), rest], axis=1))


def _spans(first: pd.Series, last: pd.Series) -> list[str]:
    return [
        f"{moment(a)} to {moment(b)}" if pd.notna(a) else DASH
        for a, b in zip(first, last, strict=True)
    ]


def _headline(walked: WalkForward) -> Section:
    stats, objective = walked.stats, walked.objective_name
    sharpe, fall = number(stats["sharpe_ratio"], 3), percent(stats["max_drawdown"])
    card = Card(
        "All test segments",
        f"{percent(stats['total_return'])} on capital",
        [
            f"Sharpe ratio {sharpe}, largest drawdown {fall}",
            f"{count(stats['num_trades'])} trades",
        ],
        _checks(walked),
    )
    rule = (
        f"Good: a positive result, at least {percent(KEPT, 0)} of the training's {objective} kept "
        f"out of sample, and more than {percent(WINNING, 0)} of the test segments winning."
    )
    return Section("Result", [Cards([card]), Paragraph(rule)])


def _checks(walked: WalkForward) -> list[Check]:
    stats = walked.stats
    checks = [
        Check(OK, "The sum of all test segments is positive.")
        if stats["net"] > 0
        else Check(BAD, "The sum of all test segments is not positive.")
    ]
    kept, tested, won = stats["efficiency"], stats["tested_cycles"], stats["profitable_cycles"]
    if pd.notna(kept):
        words = f"{walked.objective_name} out of sample is {percent(kept, 0)} of that in training."
        checks.append(Check(OK if kept >= KEPT else DOUBT if kept > 0 else BAD, words))
    if tested:
        level = OK if won > WINNING * tested else DOUBT
        checks.append(Check(level, f"{won} of {tested} test segments won."))
    return checks
