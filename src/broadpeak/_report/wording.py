# SPDX-License-Identifier: BSD-3-Clause
"""Numbers as people read them: few digits, thousands separated, NaN as a dash."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from broadpeak.types import AnyArray

DASH = "–"
MINUS = "−"


def number(value: object, digits: int = 4) -> str:
    """Return `value` with about `digits` significant digits and no trailing zeros.

    Examples
    --------
    >>> number(30.0), number(1.6967), number(1234567.8), number(float("nan"))
    ('30', '1.697', '1,234,568', '–')
    """
    size = _float(value)
    if math.isnan(size):
        return DASH
    if math.isinf(size):
        return "∞" if size > 0 else f"{MINUS}∞"
    if size == 0:
        return "0"
    if abs(size) < 1e-4 or abs(size) >= 1e12:
        return f"{size:.{digits - 1}e}".replace("-", MINUS)
    places = max(0, digits - 1 - math.floor(math.log10(abs(size))))
    text = f"{size:,.{places}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", MINUS)


def percent(value: object, places: int = 1) -> str:
    """Return a fraction as a percentage.

    Examples
    --------
    >>> percent(0.1234), percent(-0.5), percent(None)
    ('12.3 %', '−50.0 %', '–')
    """
    size = _float(value)
    if not math.isfinite(size):
        return number(size)
    return f"{size * 100:,.{places}f} %".replace("-", MINUS)


def money(value: object) -> str:
    """Return an amount with two decimals, or none when they no longer matter.

    Examples
    --------
    >>> money(-12.345), money(123456.7), money(0)
    ('−12.35', '123,457', '0.00')
    """
    size = _float(value)
    if not math.isfinite(size):
        return number(size)
    text = f"{size:,.0f}" if abs(size) >= 10_000 else f"{size:,.2f}"
    return text.replace("-", MINUS) if text.strip("-0.,") else text.lstrip("-")


def ratio(value: object) -> str:
    """Return a ratio with two decimals: more of them mean nothing.

    Examples
    --------
    >>> ratio(0.7164), ratio(-0.0297), ratio(-0.001), ratio(float("inf"))
    ('0.72', '−0.03', '0.00', '∞')
    """
    return money(value)


def count(value: object) -> str:
    """Return a number without decimals.

    Examples
    --------
    >>> count(12345), count(float("nan"))
    ('12,345', '–')
    """
    size = _float(value)
    if not math.isfinite(size):
        return number(size)
    return f"{round(size):,}".replace("-", MINUS)


def moment(value: Any) -> str:
    """Return a point of time: the day alone at midnight; other labels as they are.

    Examples
    --------
    >>> moment(np.datetime64("2001-02-03T00:00")), moment(np.datetime64("2001-02-03T04:05"))
    ('2001-02-03', '2001-02-03 04:05')
    >>> moment(7)
    '7'
    """
    if value is None or pd.isna(value):
        return DASH
    if isinstance(value, (np.datetime64, date)):
        stamp = pd.Timestamp(value)
        return str(stamp.strftime("%Y-%m-%d" if stamp == stamp.normalize() else "%Y-%m-%d %H:%M"))
    return str(value)


def period(first: Any, last: Any) -> str:
    """Return a period by its first and last moment; a dash where it is missing.

    Examples
    --------
    >>> period(np.datetime64("2001-02-03"), np.datetime64("2001-03-04")), period(None, None)
    ('2001-02-03 to 2001-03-04', '–')
    """
    return DASH if pd.isna(first) else f"{moment(first)} to {moment(last)}"


def axis_values(index: Sequence[object] | pd.Index[Any] | pd.Series[Any]) -> AnyArray:
    """Return an index as positions on an axis: dates as short ISO strings, numbers as they are."""
    labels = pd.Index(index)
    if not isinstance(labels, pd.DatetimeIndex):
        return labels.to_numpy()
    if labels.tz is not None:
        labels = labels.tz_localize(None)
    stamps = labels.to_numpy()
    days = stamps.astype("datetime64[D]")
    whole = bool((days == stamps).all())
    return np.datetime_as_string(days if whole else stamps.astype("datetime64[s]"))


def _float(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # whether it is a number is the question
    except (TypeError, ValueError):
        return math.nan
