# SPDX-License-Identifier: BSD-3-Clause
"""Dates as vendors write them: where they stand in a table, and what they mean."""

from __future__ import annotations

import datetime as dt
import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak.errors import DataError, ParamError, broken_rule

# Where a bar's label stands, best first. A `time` beside a `date` is joined to it.
_DATES = [
    *("datetime", "timestamp", "gmttime", "localtime", "opentime", "date", "dt", "day"),
    *("tradedate", "time", "unix", "windowstart", "unnamed0", "index"),
]


@dataclass(frozen=True)
class DateOptions:
    """What the caller knows about the dates of a table."""

    tz: Any = None
    date_column: str | None = None
    date_format: str | None = None

    def __post_init__(self) -> None:
        for name in ("date_column", "date_format"):
            if getattr(self, name) is not None:
                check.text(name, getattr(self, name))
        if self.tz is not None:
            _check_zone(self.tz)


def _check_zone(tz: Any) -> None:
    known = isinstance(tz, (str, dt.tzinfo))
    try:
        if known:
            pd.DatetimeIndex([]).tz_localize(tz)
    # A name that is none is a key, a path or a text to those who look it up.
    except (LookupError, TypeError, ValueError, OSError):
        known = False
    if not known:
        remedy = "Type for example tz='America/New_York' or tz='UTC'."
        raise ParamError(broken_rule("tz", "be the name of a time zone", tz, remedy))


def word(label: object) -> str:
    """Return a column label without case and punctuation."""
    return "".join(char for char in str(label).lower() if char.isalnum())


def find_column(table: pd.DataFrame, words: list[str]) -> Any:
    """Return the label of the first column that is called like one of `words`, or None."""
    found = {word(label): label for label in reversed(table.columns)}
    return next((found[name] for name in words if name in found), None)


def dated(table: pd.DataFrame, owner: str, options: DateOptions) -> pd.DataFrame:
    """Return `table` with its dates as index; one that is written newest first is turned round.

    Raises
    ------
    DataError
        If there is no column of dates, or it cannot be read; the message names `owner`.
    """
    index = _dates(table, owner, options)
    frame = table.set_axis(index, axis=0)
    if len(index) > 1 and index[0] > index[-1] and index.is_monotonic_decreasing:
        frame = frame.iloc[::-1]
    return frame


def _dates(table: pd.DataFrame, owner: str, options: DateOptions) -> pd.DatetimeIndex:
    label = options.date_column
    if label is None and isinstance(table.index, pd.DatetimeIndex):
        return _zoned(table.index, options.tz)
    known = list(map(str, table.columns))
    if label is None:
        label = find_column(table, _DATES)
    elif label not in table.columns:
        remedy = check.did_you_mean(label, known)
        raise DataError(broken_rule("date_column", f"be one of {known}", label, remedy))
    if label is None:
        remedy = "Pass its name: date_column='…'."
        raise DataError(broken_rule(owner, "have a column of dates", known, remedy))
    values = table[label]
    time = find_column(table, ["time"])
    if time is not None and time != label and word(label) in {"date", "day", "dt"}:
        values = _with_time(values, table[time])
    try:
        return _zoned(parse_dates(values, options.date_format), options.tz)
    except (TypeError, ValueError, OverflowError) as error:
        remedy = "Pass date_format='%d.%m.%Y', or the column: date_column='…'."
        rule = f"have readable dates in column {label!r}"
        raise DataError(broken_rule(owner, rule, str(error).splitlines()[0], remedy)) from error


def _with_time(dates: pd.Series[Any], times: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.is_numeric_dtype(times.dtype):
        # Stooq: 93000 is half past nine.
        times = times.astype(int).astype(str).str.zfill(6)
        times = times.str.replace(r"(..)(..)(..)", r"\1:\2:\3", regex=True)
    return dates.astype(str) + " " + times.astype(str)


def parse_dates(values: pd.Series[Any], date_format: str | None = None) -> pd.DatetimeIndex:
    """Return texts, numbers or dates as dates."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return pd.DatetimeIndex(values)
    if date_format is not None:
        return pd.DatetimeIndex(pd.to_datetime(values.astype(str), format=date_format))
    if pd.api.types.is_numeric_dtype(values.dtype):
        return _from_numbers(values)
    text = _year_first(values.astype(str).str.strip())
    offsets = text.str.extract(r"\d([+-]\d\d:?\d\d|Z)$")[0]
    if offsets.notna().any():
        # Offsets that change, as summer time does, fit no single zone but UTC.
        one = len(offsets.unique()) == 1
        return pd.DatetimeIndex(pd.to_datetime(text) if one else pd.to_datetime(text, utc=True))
    with warnings.catch_warnings():
        # One date that is none makes pandas guess the format of each: the error says enough.
        warnings.filterwarnings("ignore", "Could not infer format", UserWarning)
        return pd.DatetimeIndex(pd.to_datetime(text))


def _year_first(text: pd.Series[Any]) -> pd.Series[Any]:
    """Rewrite dates whose parts pandas would guess from the first row alone."""
    first = text.iloc[0] if len(text) else ""
    if re.match(r"\d{8}( |$)", first):
        return text.str.replace(r"^(\d{4})(\d\d)(\d\d)", r"\1-\2-\3", regex=True)
    if re.match(r"\d{4}[./]\d\d?[./]\d\d?", first):
        return text.str.replace(r"^(\d{4})[./](\d\d?)[./](\d\d?)", r"\1-\2-\3", regex=True)
    parts = r"^(\d\d?)([./-])(\d\d?)[./-](\d{4})"
    found = text.str.extract(parts)
    if not first or found.isna().any(axis=None):
        return text
    # Dots are European, and no month is above 12; else the month comes first, as in America.
    day_first = found[1].iloc[0] == "." or (found[0].astype(int) > 12).any()
    return text.str.replace(parts, r"\4-\3-\1" if day_first else r"\4-\1-\3", regex=True)


def _from_numbers(values: pd.Series[Any]) -> pd.DatetimeIndex:
    numbers = values.to_numpy(np.float64)
    largest = float(np.nanmax(np.abs(numbers))) if len(numbers) else 0.0
    if 1.7e7 < largest < 2.2e7:
        days = values.astype(int).astype(str)
        return pd.DatetimeIndex(pd.to_datetime(days, format="%Y%m%d"))
    # Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size.
    unit: Any = ("s", "ms", "us", "ns")[sum(largest > limit for limit in (1e11, 1e14, 1e17))]
    return pd.DatetimeIndex(pd.to_datetime(values.to_numpy(np.int64), unit=unit, utc=True))


def _zoned(index: pd.DatetimeIndex, tz: Any) -> pd.DatetimeIndex:
    if tz is None:
        return index
    return index.tz_localize(tz) if index.tz is None else index.tz_convert(tz)
