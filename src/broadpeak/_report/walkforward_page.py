# SPDX-License-Identifier: BSD-3-Clause
"""The page about a walk-forward test: the result out of sample, cycle by cycle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._report.charts.walk_chart import walk_forward_figure
from broadpeak._report.page import (
    Card,
    Cards,
    Chart,
    Section,
    Table,
    write_page,
)
from broadpeak._report.sections import (
    account_section,
    footer,
    frame_table,
    how_it_was_made,
    metrics_of,
    one_line,
    trade_section,
)
from broadpeak._report.verdict_section import judged, verdict_section
from broadpeak._report.wording import DASH, count, moment, percent, ratio
from broadpeak._validation.walked import WalkForward

_BOUNDS = ("train_start", "train_end", "test_start", "test_end")


def walk_forward_report(walked: WalkForward, *, path: str | Path, verdict: bool) -> Path:
    """Write the page and return its path; with `verdict` the result is judged unless it is."""
    cycles, objective = walked.by_cycle, walked.objective_name
    environment = walked.trainings[-1].environment if walked.trainings else {}
    held = walked.held
    value = one_line(walked.portfolio.value)
    chart = walk_forward_figure(value, cycles, objective=objective, held=one_line(held.value))
    words = (
        f"Account value over the {count(len(cycles))} cycles, none of its bars seen in training; "
        f"below, {objective} of each cycle in and out of sample."
    )
    sections = [
        verdict_section(*judged(walked, wanted=verdict), "out of sample"),
        _headline(walked, held),
        account_section(
            {"Out of sample": walked.portfolio},
            more={"Buy and hold": held},
            title="Out of sample",
            equity=Chart(chart, words),
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


def _headline(walked: WalkForward, held: Portfolio) -> Section:
    stats = walked.stats
    won, tested = stats["profitable_cycles"], stats["tested_cycles"]
    traded = Card(
        "All test segments, out of sample",
        f"{percent(stats['total_return'])} on capital",
        [
            _sharpe_and_fall(metrics_of(walked.portfolio)),
            f"{count(stats['num_trades'])} trades; {won} of {tested} test segments won",
        ],
    )
    metrics = metrics_of(held)
    beside = Card(
        "Buy and hold on the same bars",
        f"{percent(metrics['total_return'])} on capital",
        [_sharpe_and_fall(metrics), "the same symbols, equal amounts, the same costs"],
    )
    return Section("Result", [Cards([traded, beside])])


def _sharpe_and_fall(metrics: Mapping[str, float]) -> str:
    sharpe, fall = ratio(metrics["sharpe_ratio"]), percent(metrics["max_drawdown"])
    return f"Sharpe ratio on capital {sharpe}, largest drawdown {fall}"
