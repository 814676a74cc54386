# SPDX-License-Identifier: BSD-3-Clause
"""How many bars make a year."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from broadpeak.errors import ParamError, broken_rule

_YEAR = 365.25 * 86400.0
_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def bars_per_year(index: pd.Index[Any] | None) -> float:
    """Return ``(n − 1) / years between the first and last bar``; NaN without dates or span.

    Examples
    --------
    >>> round(bars_per_year(pd.date_range("2020-01-01", periods=731)), 2)
    365.25
    """
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if not isinstance(index, pd.DatetimeIndex) or len(index) < 2:
        return math.nan
    stamps = index.asi8
    seconds = (int(stamps[-1]) - int(stamps[0])) / _PER_SECOND[index.unit]
    return (len(index) - 1) / (seconds / _YEAR) if seconds > 0.0 else math.nan


def has_dates(index: pd.Index[Any] | None) -> bool:
    """Return whether an index can tell the length of a year."""
    return isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex))


def check_bars_per_year(value: float) -> float:
    """Return a given number of bars per year.

    Raises
    ------
    ParamError
        If it is not a positive finite number.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number > 0.0):
        remedy = "Pass 252 for daily bars, or None to infer it from the index."
        raise ParamError(broken_rule("bars_per_year", "be a positive number", value, remedy))
    return number
