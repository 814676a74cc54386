# SPDX-License-Identifier: BSD-3-Clause
"""How many bars make a year."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
import pandas as pd

from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import FloatArray, IntArray

_YEAR = 365.25 * 86400.0
_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def bars_per_year(index: pd.Index[Any] | None) -> float:
    """Return ``(n − 1) / years between the first and last bar``; NaN without dates or span.

    Examples
    --------
    >>> round(bars_per_year(pd.date_range("2020-01-01", periods=731)), 2)
    365.25
    """
    n = 0 if index is None else len(index)
    ends = np.array([0]), np.array([n - 1]), np.array([n])
    return float(bars_per_year_between(index, *ends)[0])


def bars_per_year_between(
    index: pd.Index[Any] | None, first: IntArray, last: IntArray, count: IntArray
) -> FloatArray:
    """Return the bars a year of spans: `count` bars, the first and last of them by number.

    Examples
    --------
    >>> days = pd.date_range("2020-01-01", periods=731)
    >>> bars_per_year_between(days, np.array([0]), np.array([730]), np.array([366])).round(2)
    array([182.62])
    """
    found = np.full(len(count), np.nan)
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if not isinstance(index, pd.DatetimeIndex):
        return found
    known = count > 1
    stamps = index.asi8
    seconds = (stamps[last[known]] - stamps[first[known]]) / _PER_SECOND[index.unit]
    years = np.where(seconds > 0.0, seconds, np.nan) / _YEAR
    found[known] = (count[known] - 1) / years
    return found


def has_dates(index: pd.Index[Any] | None) -> bool:
    """Return whether an index can tell the length of a year."""
    return isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex))


def check_bars_per_year(value: Any) -> float:
    """Return a given number of bars per year.

    Raises
    ------
    ParamError
        If it is not a positive finite number.
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    number = float(value) if real else math.nan
    if not (math.isfinite(number) and number > 0.0):
        remedy = "Pass 252 for daily bars, or None to infer it from the index."
        raise ParamError(broken_rule("bars_per_year", "be a positive number", value, remedy))
    return number
