# SPDX-License-Identifier: BSD-3-Clause
"""`Verdict`: what a validation found, and the rule by which its tests become one word."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from broadpeak._core.arrays import read_only
from broadpeak.types import FloatArray

PASS, DOUBTFUL, FAIL, TOO_LITTLE, UNTESTED = "pass", "doubtful", "fail", "too little data", "-"
STATUSES = (PASS, DOUBTFUL, FAIL, TOO_LITTLE)

FEWEST_TRADES = 20
"""Trades below which a result is a handful of lucky ones."""

FEWEST_BARS = 100
"""Bars below which a Sharpe ratio says nothing."""

LARGEST_EDGE = 2.0
"""Annual Sharpe ratio that hardly anything earns: data that shows no smaller one shows nothing."""

_WORST_FIRST = {FAIL: 0, DOUBTFUL: 1, PASS: 2, UNTESTED: 3}
_INDENT = " " * 10
_NOTHING = read_only(np.empty(0))


class VerdictRow(NamedTuple):
    """One test of a verdict.

    Attributes
    ----------
    test : str
        Its name.
    figure, threshold : float
        What was found, and what it was held against; NaN where there is none.
    status : str
        "pass", "doubtful", "fail", or "-" where it was not tested.
    meaning : str
        One sentence for a trader.
    role : str
        What it does to the verdict: "gate" (a fail fails it), "doubt" (a fail or doubt makes a pass
        doubtful), "robustness" (several fails do), or "shown" (nothing).
    """

    test: str
    figure: float
    threshold: float
    status: str
    meaning: str
    role: str = "shown"


def overall_status(
    p_value: float,
    alpha: float,
    rows: Sequence[VerdictRow] = (),
    *,
    enough: bool = True,
    visible: bool = True,
) -> str:
    """Return the one word for a p value and the rows beside it.

    Parameters
    ----------
    p_value : float
        Of the gate; NaN counts as 1.
    alpha : float
        Level of significance.
    rows : sequence of VerdictRow
        Those with role "gate", "doubt" or "robustness" count.
    enough : bool
        There are trades and bars enough to say anything.
    visible : bool
        An edge of the size that edges have would have been seen.

    Examples
    --------
    >>> overall_status(0.01, 0.05), overall_status(0.08, 0.05), overall_status(0.3, 0.05)
    ('pass', 'doubtful', 'fail')
    >>> overall_status(0.3, 0.05, visible=False)
    'too little data'
    """
    if not enough:
        return TOO_LITTLE
    p_value = 1.0 if math.isnan(p_value) else p_value
    if p_value > alpha:
        if not visible:
            return TOO_LITTLE
        if p_value > 2.0 * alpha:
            return FAIL
    of_role: dict[str, list[str]] = {}
    for row in rows:
        of_role.setdefault(row.role, []).append(row.status)
    if FAIL in of_role.get("gate", ()):
        return FAIL
    doubts = set(of_role.get("doubt", ())) & {FAIL, DOUBTFUL}
    if p_value > alpha or doubts or of_role.get("robustness", []).count(FAIL) > 1:
        return DOUBTFUL
    return PASS


def row_table(rows: Sequence[VerdictRow]) -> pd.DataFrame:
    """Return the rows as the table of a verdict: worst first, else in the order given."""
    ordered = sorted(rows, key=lambda row: _WORST_FIRST[row.status])
    return pd.DataFrame(
        {
            "figure": np.array([row.figure for row in ordered], dtype=np.float64),
            "threshold": np.array([row.threshold for row in ordered], dtype=np.float64),
            "status": pd.Series([row.status for row in ordered], dtype=object).to_numpy(),
            "meaning": pd.Series([row.meaning for row in ordered], dtype=object).to_numpy(),
        },
        index=pd.Index([row.test for row in ordered], name="test", dtype=object),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """Whether a result is more than luck, and what that answer rests on; see `validate`.

    Sharpe ratios are annual here; NaN where the bars have no dates.

    Attributes
    ----------
    status : str
        "pass", "doubtful", "fail" or "too little data".
    tests : DataFrame
        One row a test, worst first. Index ``test``; columns ``figure``, ``threshold`` (NaN where
        there is none), ``status`` ("pass", "doubtful", "fail", or "-": not tested) and ``meaning``,
        a sentence.
    n_trials : int
        Trials known for these prices: of this result, and of others in the store.
    p_value : float
        Probability of a result this good by luck, after all searches known: the gate.
    alpha : float
        Level of significance.
    min_detectable_sharpe : float
        Smallest edge that this data could have shown, with a power of 80 %.
    missing : str or None
        What "too little data" lacks, such as "6.5 more years".
    sharpe : float
        In sample; of a walk-forward out of sample.
    expected_sharpe : float
        What to expect out of sample.
    expected_interval : tuple of two floats
        80 % interval of `expected_sharpe`.
    summary : str
        One or two sentences.
    name : str
        What was judged.
    gate : str
        How the p value was found: "permutation", "walk-forward permutation" or "returns".
    n_bars, n_trades : int, int or None
        What it rests on; None where trades are not known.
    statistic : float
        What was compared: a t statistic.
    null : float64 array, shape (n_run,)
        The same of permuted prices, or of resampled returns.
    n_searches : int
        Searches on these prices that the p value counts, this one included.

    Examples
    --------
    >>> import numpy as np
    >>> import broadpeak as bp
    >>> noise = np.random.default_rng(1).normal(0.0, 0.01, size=(1000, 20))
    >>> bp.validate(returns=noise).status
    'fail'
    """

    status: str
    tests: pd.DataFrame
    n_trials: int
    p_value: float
    alpha: float
    min_detectable_sharpe: float
    missing: str | None
    sharpe: float
    expected_sharpe: float
    expected_interval: tuple[float, float]
    summary: str
    name: str = ""
    gate: str = "returns"
    n_bars: int = 0
    n_trades: int | None = None
    statistic: float = math.nan
    null: FloatArray = field(default_factory=lambda: _NOTHING, repr=False)
    n_searches: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values that JSON can hold; NaN becomes None.

        Returns
        -------
        dict
            Keys as the attributes, without ``null``; ``tests`` is a list of dicts with ``test``,
            ``figure``, ``threshold``, ``status`` and ``meaning``, ``expected_interval`` a list.
        """
        rows = [
            {"test": str(name), **{key: _plain(value) for key, value in row.items()}}
            for name, row in zip(self.tests.index, self.tests.to_dict("records"), strict=True)
        ]
        return {
            "status": self.status,
            "name": self.name,
            "summary": self.summary,
            "p_value": _plain(self.p_value),
            "alpha": _plain(self.alpha),
            "gate": self.gate,
            "statistic": _plain(self.statistic),
            "n_permutations": len(self.null) if self.gate != "returns" else 0,
            "n_trials": int(self.n_trials),
            "n_searches": int(self.n_searches),
            "n_bars": int(self.n_bars),
            "n_trades": None if self.n_trades is None else int(self.n_trades),
            "min_detectable_sharpe": _plain(self.min_detectable_sharpe),
            "missing": self.missing,
            "sharpe": _plain(self.sharpe),
            "expected_sharpe": _plain(self.expected_sharpe),
            "expected_interval": [_plain(value) for value in self.expected_interval],
            "tests": rows,
        }

    def __str__(self) -> str:
        lines = [f"{self._title()}: {self.status}", *textwrap.wrap(self.summary, 98), ""]
        width = max(map(len, self.tests.index), default=0)
        columns = (self.tests[name] for name in ("status", "figure", "threshold", "meaning"))
        for name, status, value, least, meaning in zip(self.tests.index, *columns, strict=True):
            compared = "" if math.isnan(least) else f"  against {figure(least)}"
            lines.append(f"{status:9} {name:{width}}  {figure(value)}{compared}".rstrip())
            lines += textwrap.wrap(meaning, 98, initial_indent=_INDENT, subsequent_indent=_INDENT)
        return "\n".join(lines)

    def _title(self) -> str:
        return f"Verdict on {self.name!r}" if self.name else "Verdict"

    def __repr__(self) -> str:
        name = f" on {self.name!r}" if self.name else ""
        return f"<Verdict{name}: {self.status}, p {figure(self.p_value)}, {self.n_trials:,} trials>"

    def _repr_html_(self) -> str:
        shown = self.tests.assign(
            figure=[figure(value) for value in self.tests["figure"]],
            threshold=[figure(value) for value in self.tests["threshold"]],
        )
        with pd.option_context("display.max_colwidth", None):
            table = shown.to_html()
        title = html.escape(f"{self._title()}: {self.status}")
        return f"<p><b>{title}</b></p><p>{html.escape(self.summary)}</p>{table}"


def figure(value: float, digits: int = 3) -> str:
    """Return a number as people read it, "–" for NaN.

    Examples
    --------
    >>> figure(0.03412), figure(1234.5), figure(20.0), figure(float("nan"))
    ('0.0341', '1,234', '20', '–')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:,.0f}" if abs(value) >= 10.0 ** (digits - 1) else f"{value:.{digits}g}"


def percent(share: float) -> str:
    """Return a share as people read it.

    Examples
    --------
    >>> percent(0.005), percent(0.0347), percent(0.43), percent(1.0)
    ('0.5 %', '3.5 %', '43 %', '100 %')
    """
    value = 100.0 * share
    return f"{value:.0f} %" if value >= 9.95 else f"{value:.2g} %"


def _plain(value: Any) -> Any:
    """Return a value of a table as JSON has it."""
    if isinstance(value, str) or value is None:
        return value
    number = float(value)
    return number if math.isfinite(number) else None
