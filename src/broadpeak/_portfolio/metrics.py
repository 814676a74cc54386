# SPDX-License-Identifier: BSD-3-Clause
"""The scalar figures of a portfolio by name: what each asks of the simulation, and its formula."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from broadpeak._core import check
from broadpeak._core.check import did_you_mean
from broadpeak._metrics import ratios
from broadpeak._simulation._kernels import layout as at
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import AnyArray, FloatArray


@dataclass(frozen=True, slots=True)
class Basis:
    """What formulas stand on: figures of each unit, and the frame of the portfolio.

    Attributes
    ----------
    figures : float64 array, shape (units, N_FIGURES)
    start : float64 array, shape (units,)
    per_year : float64 array, shape (units,)
        Bars a year, of the bars that a unit has; NaN where not known.
    """

    figures: FloatArray
    start: FloatArray
    per_year: FloatArray

    def __getitem__(self, k: int) -> FloatArray:
        column: FloatArray = self.figures[:, k]
        return column


@dataclass(frozen=True, slots=True)
class Figure:
    """One scalar figure: the asks it needs, whether it is annualised, its formula."""

    asks: int
    annual: bool
    formula: Callable[[Basis], AnyArray]


def _annual(b: Basis) -> FloatArray:
    return ratios.annual_return(b[at.F_END], b.start, b[at.F_BARS], b.per_year)


FIGURES: dict[str, Figure] = {
    "total_return": Figure(0, False, lambda b: b[at.F_END] / b.start - 1.0),
    "annual_return": Figure(0, True, _annual),
    "annual_volatility": Figure(at.ASK_RETURNS, True, lambda b: b[at.F_STD] * np.sqrt(b.per_year)),
    "sharpe_ratio": Figure(
        at.ASK_RETURNS,
        True,
        lambda b: ratios.sharpe_ratio(b[at.F_MEAN], b[at.F_STD], b.per_year, b[at.F_RETURN_TERM]),
    ),
    "sortino_ratio": Figure(
        at.ASK_DOWNSIDE,
        True,
        lambda b: ratios.sortino_ratio(b[at.F_MEAN], b[at.F_DOWN], b.per_year, b[at.F_RETURN_TERM]),
    ),
    "calmar_ratio": Figure(
        at.ASK_DRAWDOWN, True, lambda b: ratios.calmar_ratio(_annual(b), b[at.F_DEEPEST])
    ),
    "max_drawdown": Figure(at.ASK_DRAWDOWN, False, lambda b: b[at.F_DEEPEST]),
    "win_rate": Figure(at.ASK_TRADES, False, lambda b: ratios.share(b[at.F_WINS], b[at.F_CLOSED])),
    "profit_factor": Figure(
        at.ASK_TRADES,
        False,
        lambda b: ratios.profit_factor(
            b[at.F_GAINS], b[at.F_LOSSES], b[at.F_CLOSED], b[at.F_TRADE_TERM]
        ),
    ),
    "expectancy": Figure(at.ASK_TRADES, False, lambda b: b[at.F_PNL_MEAN]),
    "sqn": Figure(
        at.ASK_TRADES,
        False,
        lambda b: ratios.system_quality(
            b[at.F_PNL_MEAN], b[at.F_PNL_STD], b[at.F_CLOSED], b[at.F_TRADE_TERM]
        ),
    ),
    "num_trades": Figure(at.ASK_TRADES, False, lambda b: b[at.F_TRADES].astype(np.int64)),
    "exposure": Figure(at.ASK_TRADES, False, lambda b: ratios.share(b[at.F_EXPOSED], b[at.F_BARS])),
}
"""Every scalar figure, in the order of `stats()`."""

ASK_ALL = at.ASK_RETURNS | at.ASK_DOWNSIDE | at.ASK_DRAWDOWN | at.ASK_TRADES


def check_names(names: Any) -> list[str]:
    """Return one or several names of figures as a list.

    Raises
    ------
    ParamError
        If one is unknown.
    """
    listed: Any = [names] if isinstance(names, str) else names
    chosen = list(check.iterable("names", listed, "be names of figures"))
    for name in chosen:
        if not isinstance(name, str) or name not in FIGURES:
            hint = did_you_mean(name, FIGURES) or f"Known names: {', '.join(FIGURES)}."
            raise ParamError(broken_rule("names", "be names of figures", name, hint))
    return chosen


def all_asks(names: Iterable[str]) -> int:
    """Return what these figures together ask of the simulation."""
    asks = 0
    for name in names:
        asks |= FIGURES[name].asks
    return asks
