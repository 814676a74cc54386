# SPDX-License-Identifier: BSD-3-Clause
"""The page about a test of chosen parameters, beside one of the defaults if there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._report.page import write_page
from broadpeak._report.sections import account_section, footer, how_it_was_made, trade_section
from broadpeak._report.verdict_section import verdict_section
from broadpeak._report.wording import moment
from broadpeak._training.strategy import Strategy
from broadpeak._validation.verdict import Verdict


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
    accounts = {"Defaults": tested}
    if defaults is not None:
        accounts = {"Parameters": tested, "Defaults": defaults}
    sections = [
        verdict_section(verdict, why_not, ""),
        account_section(accounts),
        trade_section(tested),
        how_it_was_made(strategy, settings, environment, notes),
    ]
    period = f"{moment(tested.index[0])} to {moment(tested.index[-1])}"
    subtitle = f"{', '.join(tested.components)}, {period}"
    return write_page(path, f"{strategy.name}: test", subtitle, sections, footer(environment))
