# SPDX-License-Identifier: BSD-3-Clause
"""The catalog of metrics: what each needs of a simulation, its formula, how pages write it.

`Portfolio` computes by it, reports write by it. A new metric is a row of `METRICS` (and an
attribute of `Portfolio`, so that editors know it); only one that no summary holds yet needs a field
of `SUMMARY` (``_kernels/summary.py``), too.

Formulas take moments that are already there, element by element: float64 arrays of one shape, NaN
where a metric is not defined. One rule for all denominators, `is_zero`: what is below 1e-12 of the
largest term it is made of is rounding, and counts as zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, overload

import numpy as np

from broadpeak._metrics._kernels.summary import DOWNSIDE, DRAWDOWN, MOMENTS, SUMMARY, TRADES
from broadpeak.types import AnyArray, BoolArray, FloatArray

SummaryRow: TypeAlias = Sequence[float]
"""The summary of one account as numbers, in the order of `SUMMARY`."""

PLACES = {name: place for place, name in enumerate(SUMMARY.names or ())}
"""Where each field stands in a `SummaryRow`."""

_START, _END, _MEAN, _STD, _RETURN_TERM, _DRAWDOWN = (
    PLACES[name] for name in ("start", "end", "mean", "std", "return_term", "drawdown")
)


@dataclass(frozen=True, slots=True)
class MetricFormula:
    """One metric of an account.

    Attributes
    ----------
    needs : int
        What it needs of the simulation, as bits of ``_kernels/summary.py``.
    formula : callable
        From summaries (dtype `SUMMARY`, one a group) and bars a year to one value a group.
    label, form : str
        Its name on a page, and how it is written: money, percent, ratio, count.
    annual : bool
        Whether it depends on the bars a year.
    in_stats : bool
        Whether `Portfolio.stats` shows it; the others are known to `Portfolio.metrics` and pages.
    single : callable, optional
        The formula of one account, for numbers instead of arrays: the same bits for a tenth of the
        time, which is what a loop over single backtests asks for.
    """

    needs: int
    formula: Callable[[AnyArray, FloatArray], AnyArray]
    label: str
    form: str
    annual: bool = False
    in_stats: bool = True
    single: Callable[[SummaryRow, float], float] | None = None


Numbers: TypeAlias = "float | FloatArray"
"""One number, or one a group."""

TINY = 1e-12
"""Share of its largest term below which a sum or deviation is rounding."""


@overload
def is_zero(denominator: float, term: float) -> bool: ...
@overload
def is_zero(denominator: FloatArray, term: Numbers) -> BoolArray: ...
def is_zero(denominator: Any, term: Any) -> Any:
    """Return whether a denominator is zero, apart from rounding of the terms it is made of.

    Parameters
    ----------
    denominator : float or array
    term : float or array
        Size of the largest term it was added or subtracted from.

    Examples
    --------
    >>> is_zero(1.4e-17, 0.1), is_zero(1e-9, 0.1), is_zero(0.0, 0.0)
    (True, False, True)
    """
    # At 0 of 0 "below" would be false, and a share of the smallest floats would be 0.
    return (abs(denominator) < TINY * abs(term)) | (denominator == 0.0)


def ratio(top: FloatArray, bottom: FloatArray, term: Numbers) -> FloatArray:
    """Return ``top / bottom``, NaN where the denominator is zero against `term`."""
    safe = np.where(is_zero(bottom, term), np.nan, bottom)
    result: FloatArray = top / safe
    return result


def ratio_or_inf(top: FloatArray, bottom: FloatArray, term: Numbers) -> FloatArray:
    """Return ``top / bottom``; with a zero denominator inf where there are gains, else NaN."""
    gains = is_zero(bottom, term) & (top > 0.0) & ~is_zero(top, term)
    result: FloatArray = np.where(gains, np.inf, ratio(top, bottom, term))
    return result


def annual_return(
    end: FloatArray, start: FloatArray, n_bars: Numbers, per_year: Numbers
) -> FloatArray:
    """Return ``(end/start)^(per_year/n_bars) − 1``.

    NaN where the end is not positive, and without bars or bars a year.

    Examples
    --------
    >>> annual_return(np.array([121.0]), np.array([100.0]), 20, 10.0).round(6)
    array([0.1])
    """
    power = np.asarray(per_year) / np.where(np.asarray(n_bars) > 0, n_bars, np.nan)
    growth = np.where(end > 0.0, end, np.nan) / start
    with np.errstate(over="ignore"):  # a few bars can annualise beyond any float
        # 1 to the power of NaN is 1.
        result: FloatArray = np.where(np.isnan(power), np.nan, growth**power - 1.0)
    return result


def sharpe_ratio(
    mean: FloatArray, std: FloatArray, per_year: Numbers, term: Numbers = 1.0
) -> FloatArray:
    """Return mean over standard deviation (ddof 1) of bar returns, annualised.

    `term`: the size of the values whose change over their own size a return is, 1 where returns
    compound. A return is such a value less 1, and so is rounded as 1 is.

    Examples
    --------
    >>> sharpe_ratio(np.array([0.001, 0.001]), np.array([0.01, 0.0]), 256.0)
    array([1.6, nan])
    """
    result: FloatArray = ratio(mean, std, np.maximum(np.abs(mean), term)) * np.sqrt(per_year)
    return result


def _sharpe_of_one(row: SummaryRow, per_year: float) -> float:
    """Return `sharpe_ratio` of one account, operation by operation."""
    mean, std, size = row[_MEAN], row[_STD], row[_RETURN_TERM]
    # `max` would pass over NaN, which np.maximum does not.
    term = math.nan if math.isnan(mean) or math.isnan(size) else max(abs(mean), size)
    if is_zero(std, term):
        return math.nan
    return mean / std * math.sqrt(per_year)


def sortino_ratio(
    mean: FloatArray, downside: FloatArray, per_year: Numbers, term: Numbers = 1.0
) -> FloatArray:
    """Return mean over the root mean of min(r, 0) squared, annualised; inf without any loss."""
    terms = np.maximum(np.abs(mean), term)
    result: FloatArray = ratio_or_inf(mean, downside, terms) * np.sqrt(per_year)
    return result


def calmar_ratio(annual: FloatArray, max_drawdown: FloatArray) -> FloatArray:
    """Return annual return over the size of the largest drawdown, a ratio of values less 1."""
    return ratio(annual, np.abs(max_drawdown), 1.0)


def system_quality(
    mean: FloatArray, std: FloatArray, n_trades: FloatArray, term: Numbers = 0.0
) -> FloatArray:
    """Return mean over standard deviation (ddof 1) of trade P&L times the root of their number.

    `term`: the largest amount that a profit is the difference of.

    Examples
    --------
    >>> equal = np.full(7, 0.1)
    >>> system_quality(equal.mean(), equal.std(ddof=1), 7)
    np.float64(nan)
    """
    return ratio(mean, std, np.maximum(np.abs(mean), term)) * np.sqrt(n_trades)


def profit_factor(
    gains: FloatArray, losses: FloatArray, n_trades: FloatArray, term: Numbers = 0.0
) -> FloatArray:
    """Return gains over losses (positive); inf without losses, NaN without trades."""
    terms = np.maximum(np.maximum(gains, losses), term)
    result: FloatArray = np.where(n_trades > 0, ratio_or_inf(gains, losses, terms), np.nan)
    return result


def share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Return ``part / whole``, NaN where the whole is 0.

    Examples
    --------
    >>> share(np.array([1.0, 0.0]), np.array([4.0, 0.0]))
    array([0.25,  nan])
    """
    result: FloatArray = part / np.where(whole > 0, whole, np.nan)
    return result


def _annual(s: AnyArray, per_year: FloatArray) -> FloatArray:
    return annual_return(s["end"], s["start"], s["bars"], per_year)


METRICS: dict[str, MetricFormula] = {
    "net": MetricFormula(TRADES, lambda s, _: s["net"], "Net result", "money", in_stats=False),
    "total_return": MetricFormula(
        0,
        lambda s, _: s["end"] / s["start"] - 1.0,
        "Return on capital",
        "percent",
        single=lambda row, _: row[_END] / row[_START] - 1.0,
    ),
    "annual_return": MetricFormula(0, _annual, "Return per year", "percent", annual=True),
    "annual_volatility": MetricFormula(
        MOMENTS,
        lambda s, per_year: s["std"] * np.sqrt(per_year),
        "Volatility per year",
        "percent",
        annual=True,
    ),
    "sharpe_ratio": MetricFormula(
        MOMENTS,
        lambda s, per_year: sharpe_ratio(s["mean"], s["std"], per_year, s["return_term"]),
        "Sharpe ratio",
        "ratio",
        annual=True,
        single=_sharpe_of_one,
    ),
    "sortino_ratio": MetricFormula(
        DOWNSIDE,
        lambda s, per_year: sortino_ratio(s["mean"], s["downside"], per_year, s["return_term"]),
        "Sortino ratio",
        "ratio",
        annual=True,
    ),
    "calmar_ratio": MetricFormula(
        DRAWDOWN,
        lambda s, per_year: calmar_ratio(_annual(s, per_year), s["drawdown"]),
        "Calmar ratio",
        "ratio",
        annual=True,
    ),
    "max_drawdown": MetricFormula(
        DRAWDOWN,
        lambda s, _: s["drawdown"],
        "Largest drawdown",
        "percent",
        single=lambda row, _: row[_DRAWDOWN],
    ),
    "win_rate": MetricFormula(
        TRADES, lambda s, _: share(s["wins"], s["closed"]), "Winning trades", "percent"
    ),
    "profit_factor": MetricFormula(
        TRADES,
        lambda s, _: profit_factor(s["gains"], s["losses"], s["closed"], s["trade_term"]),
        "Profit factor",
        "ratio",
    ),
    "expectancy": MetricFormula(TRADES, lambda s, _: s["pnl_mean"], "Result per trade", "money"),
    "sqn": MetricFormula(
        TRADES,
        lambda s, _: system_quality(s["pnl_mean"], s["pnl_std"], s["closed"], s["trade_term"]),
        "SQN",
        "ratio",
    ),
    "num_trades": MetricFormula(
        TRADES, lambda s, _: s["trades"].astype(np.int64), "Trades", "count"
    ),
    "exposure": MetricFormula(
        TRADES, lambda s, _: share(s["exposed"], s["bars"]), "Bars in the market", "percent"
    ),
    "largest_win": MetricFormula(
        TRADES,
        lambda s, _: np.where(s["closed"] > 0, s["largest_win"], np.nan),
        "Largest win",
        "money",
        in_stats=False,
    ),
    "largest_loss": MetricFormula(
        TRADES,
        lambda s, _: np.where(s["closed"] > 0, s["largest_loss"], np.nan),
        "Largest loss",
        "money",
        in_stats=False,
    ),
    "mean_bars": MetricFormula(
        TRADES,
        lambda s, _: share(s["bars_held"], s["closed"]),
        "Bars per trade",
        "ratio",
        in_stats=False,
    ),
    "fees_paid": MetricFormula(
        TRADES, lambda s, _: s["fees"], "Costs paid", "money", in_stats=False
    ),
}
"""Every metric of a portfolio, in the order of pages and of `Portfolio.stats()`."""

IN_STATS = tuple(name for name, metric in METRICS.items() if metric.in_stats)


def needs_of(names: Iterable[str]) -> int:
    """Return what these metrics together need of a simulation."""
    needs = 0
    for name in names:
        needs |= METRICS[name].needs
    return needs
