# SPDX-License-Identifier: BSD-3-Clause
"""The verdict as the first section of a page: one word, why, and every test it rests on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from broadpeak._report.page import (
    BAD,
    DOUBT,
    OK,
    OPEN,
    Answer,
    Caution,
    Fact,
    Facts,
    Finding,
    Findings,
    Fold,
    Part,
    Section,
)
from broadpeak._report.wording import count, number, percent, ratio
from broadpeak._training.result import Training
from broadpeak._validation.verdict import Verdict
from broadpeak._validation.walked import WalkForward
from broadpeak.errors import BroadpeakError

NOT_JUDGED = "not judged"
NOT_TESTED, SHOWN = "not tested", "shown only"
LEVELS = {"pass": OK, "doubtful": DOUBT, "fail": BAD}


WITHOUT = (
    "Whether this result is more than luck was left open: the page was written without a verdict."
)


_ALONE = (
    "Judged as the only one that was tried. If it was chosen from others, as after a sweep, luck "
    "had as many chances, and this says too much: bp.validate(returns=…) judges them all together."
)


def judged(result: Training | WalkForward, *, wanted: bool) -> tuple[Verdict | None, str]:
    """Return the verdict, or None and why there is none."""
    if not wanted:
        return None, WITHOUT
    try:
        return result.verdict(), ""
    except BroadpeakError as error:  # a page is not lost for want of a verdict
        return None, f"The verdict could not be reached: {error}"


def verdict_section(
    verdict: Verdict | None, why_not: str, where: str, *, is_alone: bool = False
) -> Section:
    """Return the section; `why_not` is said where there is no verdict.

    `where` says of which bars the Sharpe ratio is, such as "in sample". With `is_alone` nothing is
    known of what was tried besides.
    """
    if verdict is None:
        return Section("Verdict", [Answer(NOT_JUDGED, OPEN, why_not)])
    answer = Answer(verdict.status, LEVELS.get(verdict.status, OPEN), verdict.summary)
    parts: list[Part] = [answer, Facts(_facts(verdict, where))]
    if is_alone:
        parts.insert(1, Caution(_ALONE, "one trial"))
    if len(verdict.tests):
        found = _findings(verdict)
        parts.append(Fold(_counted(found), [Findings(found)], is_open=False))
    return Section("Verdict", parts)


def _counted(findings: Sequence[Finding]) -> str:
    """Return how the tests ended, for the line that opens them."""
    words = Counter(finding.word for finding in findings)
    ends = ", ".join(
        f"{words[word]} {word}" for word in (*reversed(LEVELS), NOT_TESTED, SHOWN) if words[word]
    )
    return f"The {len(findings)} tests it rests on: {ends}"


def _facts(verdict: Verdict, where: str) -> list[Fact]:
    low, high = verdict.expected_interval
    likely = f"80 % interval: {ratio(low)} to {ratio(high)}" if not math.isnan(low) else ""
    others = verdict.n_searches - 1
    trials = "of this result"
    if others > 0:
        word = "other searches" if others > 1 else "another search"
        trials += f" and of {f'{count(others)} ' if others > 1 else ''}{word} on these prices"
    facts = [
        Fact(
            "Chance of this by luck alone",
            percent(verdict.p_value),
            f"p value; at most {percent(verdict.alpha, 0)} to pass",
        ),
        Fact(
            f"Sharpe ratio {where}".strip(),
            ratio(verdict.sharpe),
            "a year, gains on the price before",
        ),
        Fact("To expect from now on", ratio(verdict.expected_sharpe), likely),
        Fact(
            "Smallest visible edge",
            ratio(verdict.min_detectable_sharpe),
            "Sharpe ratio that this data would show in 4 of 5 cases",
        ),
        Fact("Trials counted", count(verdict.n_trials), trials),
    ]
    if verdict.missing:
        facts.append(Fact("Missing", verdict.missing, "for an answer either way"))
    return facts


def _words(row: Mapping[str, Any]) -> str:
    """Return the status as the page says it: a figure without one is shown for itself."""
    if row["status"] != "-":
        return str(row["status"])
    return NOT_TESTED if row["figure"] is None else SHOWN


def _findings(verdict: Verdict) -> list[Finding]:
    rows = verdict.to_dict()["tests"]
    return [
        Finding(
            row["test"],
            number(row["figure"], 3),
            number(row["threshold"], 3),
            _words(row),
            LEVELS.get(row["status"], OPEN),
            row["meaning"],
        )
        for row in rows
    ]
