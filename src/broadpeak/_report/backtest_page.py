# SPDX-License-Identifier: BSD-3-Clause
"""The page about one account: a test of a strategy, or what signals would have earned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from broadpeak._core import drawing
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._report.page import Section, write_page
from broadpeak._report.performance_sections import (
    components_section,
    costs_section,
    falls_section,
    months_section,
    sample_spans,
)
from broadpeak._report.sections import (
    account_section,
    footer,
    how_it_was_made,
    parameter_section,
    result_section,
    settings_section,
    trade_section,
)
from broadpeak._report.verdict_section import WITHOUT, verdict_section
from broadpeak._report.wording import moment, money
from broadpeak._training.strategy import Strategy
from broadpeak._validation.verdict import Verdict
from broadpeak.errors import BroadpeakError

IN_SAMPLE = (
    "The values were chosen on these bars, so the figures show how well they fit the past; whether "
    "they are more than luck only bars can tell that the training did not see."
)
_SIZINGS = {
    "unit": "one lot a trade",
    "script": "the strategy's own lots",
    "money": "a fixed amount a trade",
    "equity": "a share of equity a trade, compounding",
}
_SOURCES = {
    "argument": "as passed",
    "training": "those of the training",
    "file": "those of the parameter file",
    "walk-forward": "those of the walk-forward run",
    "strategy": "as follows from the strategy",
    "none": "none were charged",
}


def backtest_report(
    tested: Portfolio,
    *,
    path: str | Path,
    strategy: Strategy,
    defaults: Portfolio | None,
    settings: Mapping[str, object],
    environment: Mapping[str, str],
    notes: Sequence[str],
    verdict: Verdict | None,
    why_not: str,
) -> Path:
    """Write the page and return its path; `why_not` says why there is no verdict."""
    made = how_it_was_made(strategy, settings, environment, notes)
    judged = verdict_section(verdict, why_not, "")
    return _write(path, tested, strategy.name, [judged], [made], defaults, environment)


def portfolio_report(
    account: Portfolio,
    *,
    path: str | Path,
    title: str,
    verdict: bool,
    environment: Mapping[str, str],
) -> Path:
    """Write the page of any account and return its path."""
    name = title or str(account.facts.get("strategy", "")) or "Portfolio"
    made = settings_section({name: str(text) for name, text in environment.items()})
    judged = verdict_section(*_judged(account, wanted=verdict), _sample(account))
    return _write(path, account, name, [judged], [made], None, environment)


def _judged(account: Portfolio, *, wanted: bool) -> tuple[Verdict | None, str]:
    if not wanted:
        return None, WITHOUT
    if _sample(account) in {"in sample", "partly in sample"}:
        return None, IN_SAMPLE
    try:
        return drawing.draw("verdict", None, returns=account), ""
    except BroadpeakError as error:  # a page is not lost for want of a verdict
        return None, f"The verdict could not be reached: {error}"


def _sample(account: Portfolio) -> str:
    return str(account.facts.get("sample", ""))


def _write(
    path: str | Path,
    tested: Portfolio,
    name: str,
    first: Sequence[Section],
    last: Sequence[Section],
    defaults: Portfolio | None,
    environment: Mapping[str, str],
) -> Path:
    facts, held, sample = tested.facts, tested.held, _sample(tested)
    origin = facts.get("provenance")
    called = "Parameters" if facts.get("params") else "Account"
    shown = {called: tested}
    if held is not None:
        shown["Buy and hold"] = held
    beside = dict(shown)
    if defaults is not None:
        shown["Defaults"] = defaults
    spans = [] if origin is None else sample_spans(origin.period, tested.index)
    trained = next((span for span in spans if span.colour), None)
    lead = IN_SAMPLE if sample == "in sample" else ""
    if sample == "partly in sample":
        lead = "The shaded bars are in sample: the values were chosen on them."
    sections = [
        *first,
        result_section(called, tested, held, _terms(facts)),
        account_section(
            shown, spans=spans if sample != "out of sample" else [], lead=lead, title=_title(sample)
        ),
        *months_section(called, tested, held, trained=trained),
        falls_section(beside),
        trade_section(tested),
        *components_section(tested, defaults),
        costs_section(tested),
    ]
    if facts.get("params"):
        sections.append(parameter_section(facts["params"], {} if origin is None else origin.rows()))
    sections += last
    who = ", ".join(tested.components) or str(tested.columns[0])
    period = f"{moment(tested.index[0])} to {moment(tested.index[-1])}"
    heading = f"{name}: test, {sample}" if sample else f"{name}: test"
    return write_page(path, heading, f"{who}, {period}", sections, footer(environment))


def _title(sample: str) -> str:
    return f"Test, {sample}" if sample else "Test"


def _terms(facts: Mapping[str, Any]) -> list[str]:
    """Return what was decided before the test, in words."""
    lines = []
    if facts.get("sizing"):
        words = _SIZINGS.get(str(facts["sizing"]), str(facts["sizing"]))
        whole = ", whole lots only" if facts.get("whole") else ""
        source = _SOURCES.get(str(facts.get("sizing_from", "")), "")
        lines.append(f"{words}{whole}{f' ({source})' if source else ''}")
        lines.append(f"capital {money(facts['capital'])}")
    if facts.get("costs_from"):
        source = str(facts["costs_from"])
        lines.append(f"costs: {_SOURCES.get(source, source)}")
    return lines
