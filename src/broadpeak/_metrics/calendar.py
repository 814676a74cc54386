# SPDX-License-Identifier: BSD-3-Clause
"""How many bars make a year."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.identity import ByIdentity
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import AnyArray, FloatArray

_known_spans: ByIdentity[tuple[tuple[int, int, int], float]] = ByIdentity()
_YEAR = 365.25 * 86400.0
_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def bars_per_year(index: pd.Index | None) -> float:
    """Return ``(n − 1) / years between the first and last bar``; NaN without dates or span.

    Examples
    --------
    >>> round(bars_per_year(pd.date_range("2020-01-01", periods=731)), 2)
    365.25
    """
    n = 0 if index is None else len(index)
    return _per_year(index, 0, n - 1, n)


def bars_per_year_of(index: pd.Index | None, spans: AnyArray) -> FloatArray:
    """Return the bars a year of spans: records of the number of bars, the first and the last.

    Examples
    --------
    >>> days = pd.date_range("2020-01-01", periods=731)
    >>> spans = np.array([(731, 0, 730), (366, 0, 730)], dtype="i8,i8,i8")
    >>> spans.dtype.names = ("bars", "first", "last")
    >>> bars_per_year_of(days, spans).round(2)
    array([365.25, 182.62])
    """
    first, last, bars = spans["first"], spans["last"], spans["bars"]
    a, b, n = int(first[0]), int(last[0]), int(bars[0])
    if len(spans) == 1 or ((first == a) & (last == b) & (bars == n)).all():
        return np.full(len(spans), _per_year(index, a, b, n))
    unique, which = np.unique(np.stack([bars, first, last], axis=1), axis=0, return_inverse=True)
    found = [_per_year(index, int(a), int(b), int(n)) for n, a, b in unique.tolist()]
    return np.array(found)[which.ravel()]


def per_year(index: pd.Index | None, first: int, last: int, count: int) -> float:
    """Return the bars a year of a span of an index, which is worked out once for its last span.

    Examples
    --------
    >>> round(per_year(pd.date_range("2020-01-01", periods=731), 0, 730, 366), 2)
    182.62
    """
    known = _known_spans.get(index)
    span = (first, last, count)
    if known is not None and known[0] == span:
        return known[1]
    found = _per_year(index, first, last, count)
    if index is not None:
        _known_spans.put(index, (span, found))
    return found


def _per_year(index: pd.Index | None, first: int, last: int, count: int) -> float:
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if not isinstance(index, pd.DatetimeIndex) or count < 2:
        return math.nan
    stamps = index.asi8
    seconds = (int(stamps[last]) - int(stamps[first])) / _PER_SECOND[index.unit]
    return (count - 1) / (seconds / _YEAR) if seconds > 0.0 else math.nan


def has_dates(index: pd.Index | None) -> bool:
    """Return whether an index can tell the length of a year."""
    return isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex))


def check_bars_per_year(value: object) -> float:
    """Return a user's number of bars per year, checked.

    Raises
    ------
    ParamError
        If it is not a positive finite number.
    """
    number = check.real(value)
    if number is None or not 0 < number < 2**1023:
        remedy = "Pass 252 for daily bars, or None to infer it from the index."
        raise ParamError(broken_rule("bars_per_year", "be a positive number", value, remedy))
    return float(number)
