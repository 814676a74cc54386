# SPDX-License-Identifier: BSD-3-Clause
"""The page about a test: one account, beside that of the defaults where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from broadpeak._report.html import write_page
from broadpeak._report.sections import account_section, footer, how_it_was_made, trade_section
from broadpeak._report.views import AccountView, PriceView, RunView
from broadpeak._report.wording import moment


def write_account_page(
    path: str | Path,
    run: RunView,
    account: AccountView,
    beside: AccountView | None,
    prices: Sequence[PriceView],
) -> Path:
    """Write the page and return its path."""
    first, last = account.value.index[0], account.value.index[-1]
    sections = [
        account_section([account, *([beside] if beside else [])]),
        trade_section(account, prices),
        how_it_was_made(run),
    ]
    title = f"{run.strategy}: test"
    subtitle = f"{', '.join(account.components)}, {moment(first)} to {moment(last)}"
    return write_page(path, title, subtitle, sections, footer(run))
