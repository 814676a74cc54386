# SPDX-License-Identifier: BSD-3-Clause
"""Ratios from moments that are already there: one formula each, element by element.

A denominator below 1e-12 counts as zero. Every function takes and returns float64 arrays of one
shape, and gives NaN where the figure is not defined.
"""

from __future__ import annotations

import numpy as np

from broadpeak.types import FloatArray

TINY = 1e-12


def ratio(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """Return ``top / bottom``, NaN where the denominator is zero."""
    safe = np.where(np.abs(bottom) < TINY, np.nan, bottom)
    result: FloatArray = top / safe
    return result


def ratio_or_inf(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """Return ``top / bottom``; with a zero denominator inf where there are gains, else NaN."""
    zero = np.abs(bottom) < TINY
    result: FloatArray = np.where(zero & (top >= TINY), np.inf, ratio(top, bottom))
    return result


def annual_return(end: FloatArray, start: FloatArray, n_bars: int, per_year: float) -> FloatArray:
    """Return ``(end/start)^(per_year/n_bars) − 1``.

    NaN where the end is not positive, and without bars a year.

    Examples
    --------
    >>> annual_return(np.array([121.0]), np.array([100.0]), 20, 10.0).round(6)
    array([0.1])
    """
    if n_bars == 0 or np.isnan(per_year):  # 1 to the power of NaN is 1
        return np.full(np.shape(end), np.nan)
    growth = np.where(end > 0.0, end, np.nan) / start
    with np.errstate(over="ignore"):  # a few bars can annualise beyond any float
        result: FloatArray = growth ** (per_year / n_bars) - 1.0
    return result


def sharpe_ratio(mean: FloatArray, std: FloatArray, per_year: float) -> FloatArray:
    """Return mean over standard deviation (ddof 1) of bar returns, annualised.

    Examples
    --------
    >>> sharpe_ratio(np.array([0.001, 0.001]), np.array([0.01, 0.0]), 256.0)
    array([1.6, nan])
    """
    result: FloatArray = ratio(mean, std) * np.sqrt(per_year)
    return result


def sortino_ratio(mean: FloatArray, downside: FloatArray, per_year: float) -> FloatArray:
    """Return mean over the root mean of min(r, 0) squared, annualised; inf without any loss."""
    result: FloatArray = ratio_or_inf(mean, downside) * np.sqrt(per_year)
    return result


def calmar_ratio(annual: FloatArray, max_drawdown: FloatArray) -> FloatArray:
    """Return annual return over the size of the largest drawdown."""
    return ratio(annual, np.abs(max_drawdown))


def system_quality(mean: FloatArray, std: FloatArray, n_trades: FloatArray) -> FloatArray:
    """Return mean over standard deviation (ddof 1) of trade P&L times the root of their number."""
    return ratio(mean, std) * np.sqrt(n_trades)


def profit_factor(gains: FloatArray, losses: FloatArray, n_trades: FloatArray) -> FloatArray:
    """Return gains over losses (positive); inf without losses, NaN without trades."""
    result: FloatArray = np.where(n_trades > 0, ratio_or_inf(gains, losses), np.nan)
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
