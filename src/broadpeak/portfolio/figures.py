# SPDX-License-Identifier: BSD-3-Clause
"""The scalar figures of a portfolio by name: what each asks of the simulation, and its formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from broadpeak.metrics import ratios
from broadpeak.portfolio._kernels import layout as at
from broadpeak.types import AnyArray, FloatArray


@dataclass(frozen=True, slots=True)
class Basis:
    """What formulas stand on: figures of each unit, and the frame of the portfolio.

    Attributes
    ----------
    figures : float64 array, shape (units, N_FIGURES)
    start : float64 array, shape (units,)
    n_bars : int
    per_year : float
    capital : float
        Fixed amount that returns are shares of; 0: returns compound.
    """

    figures: FloatArray
    start: FloatArray
    n_bars: int
    per_year: float
    capital: float

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
    return ratios.annual_return(b[at.F_END], b.start, b.n_bars, b.per_year)


FIGURES: dict[str, Figure] = {
    "total_return": Figure(0, False, lambda b: b[at.F_END] / b.start - 1.0),
    "annual_return": Figure(0, True, _annual),
    "annual_volatility": Figure(at.ASK_RETURNS, True, lambda b: b[at.F_STD] * np.sqrt(b.per_year)),
    "sharpe_ratio": Figure(
        at.ASK_RETURNS, True, lambda b: ratios.sharpe_ratio(b[at.F_MEAN], b[at.F_STD], b.per_year)
    ),
    "sortino_ratio": Figure(
        at.ASK_DOWNSIDE,
        True,
        lambda b: ratios.sortino_ratio(b[at.F_MEAN], b[at.F_DOWN], b.per_year),
    ),
    "calmar_ratio": Figure(
        at.ASK_DRAWDOWN, True, lambda b: ratios.calmar_ratio(_annual(b), b[at.F_DEEPEST])
    ),
    "max_drawdown": Figure(at.ASK_DRAWDOWN, False, lambda b: b[at.F_DEEPEST]),
    "win_rate": Figure(at.ASK_TRADES, False, lambda b: ratios.share(b[at.F_WINS], b[at.F_CLOSED])),
    "profit_factor": Figure(
        at.ASK_TRADES,
        False,
        lambda b: ratios.profit_factor(b[at.F_GAINS], b[at.F_LOSSES], b[at.F_CLOSED]),
    ),
    "expectancy": Figure(at.ASK_TRADES, False, lambda b: b[at.F_PNL_MEAN]),
    "sqn": Figure(
        at.ASK_TRADES,
        False,
        lambda b: ratios.system_quality(b[at.F_PNL_MEAN], b[at.F_PNL_STD], b[at.F_CLOSED]),
    ),
    "num_trades": Figure(at.ASK_TRADES, False, lambda b: b[at.F_TRADES].astype(np.int64)),
    "exposure": Figure(at.ASK_TRADES, False, lambda b: b[at.F_EXPOSED] / b.n_bars),
}
"""Every scalar figure, in the order of `stats()`."""

ASK_ALL = at.ASK_RETURNS | at.ASK_DOWNSIDE | at.ASK_DRAWDOWN | at.ASK_TRADES
