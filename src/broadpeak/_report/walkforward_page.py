# SPDX-License-Identifier: BSD-3-Clause
"""The page about a walk-forward test: the result out of sample, cycle by cycle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._report.charts.account_charts import MOST_LINES, drift_figure
from broadpeak._report.charts.walk_chart import walk_forward_figure
from broadpeak._report.page import (
    Beside,
    Chart,
    Fold,
    Part,
    Section,
    Table,
    write_page,
)
from broadpeak._report.performance_sections import (
    components_section,
    costs_section,
    falls_section,
    months_section,
)
from broadpeak._report.sections import (
    account_section,
    footer,
    frame_table,
    how_it_was_made,
    meaning,
    one_line,
    parameter_section,
    result_section,
    trade_section,
)
from broadpeak._report.verdict_section import judged, verdict_section
from broadpeak._report.wording import count, number, period
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
        f"Account value over the {count(len(cycles))} cycles, a dotted line where a cycle begins; "
        f"below, {objective} of each cycle in and out of sample."
    )
    sections = [
        verdict_section(*judged(walked, wanted=verdict), "out of sample"),
        _headline(walked, held),
        account_section(
            {"Out of sample": walked.portfolio, "Buy and hold": held},
            title="Out of sample",
            lead="No bar of this section was seen by the training that traded it.",
            equity=Chart(chart, words),
        ),
        *months_section("Out of sample", walked.portfolio, held),
        falls_section({"Out of sample": walked.portfolio, "Buy and hold": held}),
        Section("Cycles", [_cycle_table(walked.cycles), *_drift(walked)], _DRIFT),
        trade_section(walked.portfolio),
        *components_section(walked.portfolio),
        costs_section(walked.portfolio),
        _last_parameters(walked),
        how_it_was_made(
            walked.strategy, walked.settings, environment, walked.notes, seconds=walked.seconds
        ),
    ]
    subtitle = f"{count(len(cycles))} cycles"
    tested = cycles[cycles["test_start"].notna()]
    if len(tested):
        first, last = tested["test_start"].iloc[0], tested["test_end"].iloc[-1]
        subtitle += f", tested {period(first, last)}"
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
    frame = pd.concat([keys, pd.DataFrame(spans), rest], axis=1)
    return frame_table(frame, minor=["trained", "tested", "in sample", "trades", "members"])


def _spans(first: pd.Series, last: pd.Series) -> list[str]:
    return [period(*bounds) for bounds in zip(first, last, strict=True)]


def _headline(walked: WalkForward, held: Portfolio) -> Section:
    stats = walked.stats
    won, tested = stats["profitable_cycles"], stats["tested_cycles"]
    lines = [f"{won} of {tested} test segments won"]
    section = result_section("All test segments, out of sample", walked.portfolio, held, lines)
    words = meaning(walked.objective_name, walked.objective_meaning)
    return Section(section.title, [*section.parts, *words])


_DRIFT = (
    "Values that stay where they are from cycle to cycle were found; values that jump from end to "
    "end of their range were drawn."
)
OPEN_DRIFTS = 4  # parameters whose drift is open


def _drift(walked: WalkForward) -> list[Part]:
    """Return what each cycle chose for each parameter, over the range that was searched."""
    dimensions = {
        dim.name: dim
        for found in walked.trainings[-1].components.values()
        for dim in found.dimensions
        if dim.searched
    }
    cycles = [str(number) for number in range(1, len(walked.trainings) + 1)]
    charts: list[Part] = []
    for name, dim in dimensions.items():
        values = {
            key: np.array([one.params[key].get(name, np.nan) for one in walked.trainings])
            for key, found in walked.trainings[-1].params.items()
            if name in found
        }
        drawn = dict(list(values.items())[:MOST_LINES])
        words = f"{name} as each cycle chose it, between {number(dim.min)} and {number(dim.max)}."
        charts.append(Chart(drift_figure(drawn, cycles, name, (dim.min, dim.max)), words))
    if len(charts) < 2:
        return charts
    parts: list[Part] = [Beside(charts[:OPEN_DRIFTS])]
    if len(charts) > OPEN_DRIFTS:
        parts.append(Fold("More parameters", [Beside(charts[OPEN_DRIFTS:])], is_open=False))
    return parts


def _last_parameters(walked: WalkForward) -> Section:
    lead = f"Of the last training, on {period(*walked.trainings[-1].period)}: those to trade with."
    origin = walked.provenance.rows()
    return parameter_section(walked.params, origin, title="Parameters to trade", lead=lead)
