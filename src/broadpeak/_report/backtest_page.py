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


_PARTLY = (
    "The values were chosen on some of these bars, which tell nothing about luck. Test them on the "
    "others alone (start=…), or judge the training: training.report(path)."
)
MOST_NAMED = 5  # columns of an account in the line under its title
_HELD = "the same symbols, equal amounts, the same costs"
_HELD_CLOSE = "all cash at the first close, in equal amounts, without costs"


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
    ends = (judged, made)
    return _write(path, tested, tested.held, strategy.name, ends, defaults, environment)


def portfolio_report(
    account: Portfolio,
    *,
    path: str | Path,
    held: Portfolio | None,
    title: str,
    verdict: bool,
    environment: Mapping[str, str],
) -> Path:
    """Write the page of any account and return its path."""
    name = title or str(account.facts.get("strategy", "")) or "Portfolio"
    made = settings_section({name: str(text) for name, text in environment.items()})
    judged = verdict_section(*_judged(account, wanted=verdict), _sample(account), is_alone=True)
    return _write(path, account, held, name, (judged, made), None, environment)


def _judged(account: Portfolio, *, wanted: bool) -> tuple[Verdict | None, str]:
    if not wanted:
        return None, WITHOUT
    if _sample(account) in {"in sample", "partly in sample"}:
        return None, IN_SAMPLE if _sample(account) == "in sample" else _PARTLY
    try:
        return drawing.draw("verdict-on-account", account), ""
    except BroadpeakError as error:  # a page is not lost for want of a verdict
        return None, f"The verdict could not be reached: {error}"


def _sample(account: Portfolio) -> str:
    return str(account.facts.get("sample", ""))


def _write(
    path: str | Path,
    tested: Portfolio,
    held: Portfolio | None,
    name: str,
    ends: tuple[Section, Section],
    defaults: Portfolio | None,
    environment: Mapping[str, str],
) -> Path:
    facts, sample = tested.facts, _sample(tested)
    origin = facts.get("provenance")
    called = "Parameters" if facts.get("params") else "Account"
    shown = {called: tested}
    if held is not None:
        shown["Buy and hold"] = held
    beside = dict(shown)
    if defaults is not None:
        shown["Defaults"] = defaults
    # A walk-forward run traded again has bars of its last training, but trades each of them with
    # the values of an earlier one.
    is_unseen = sample == "out of sample"
    spans = [] if origin is None or is_unseen else sample_spans(origin.period, tested.index)
    trained = next((span for span in spans if span.colour), None)
    lead = IN_SAMPLE if sample == "in sample" else ""
    if sample == "partly in sample":
        lead = "The shaded bars are in sample: the values were chosen on them."
    sections = [
        ends[0],
        result_section(called, tested, held, _terms(facts), how=_HELD if facts else _HELD_CLOSE),
        account_section(shown, spans=spans, lead=lead, title=_title(sample)),
        *months_section(called, tested, held, trained=trained),
        falls_section(beside),
        trade_section(tested),
        *components_section(tested, defaults),
        costs_section(tested),
    ]
    if facts.get("params"):
        sections.append(parameter_section(facts["params"], {} if origin is None else origin.rows()))
    sections.append(ends[1])
    columns = [
        " / ".join(map(str, one if isinstance(one, tuple) else (one,))) for one in tested.columns
    ]
    more = f" and {len(columns) - MOST_NAMED} more" if len(columns) > MOST_NAMED else ""
    who = ", ".join(tested.components) or f"{', '.join(columns[:MOST_NAMED])}{more}"
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
    if facts.get("same_prices") is False:
        lines.append("the bars of the training have other prices here than it had")
    return lines
