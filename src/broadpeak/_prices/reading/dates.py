# SPDX-License-Identifier: BSD-3-Clause
"""Dates as vendors write them: where they stand in a table, and what they mean."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta, timezone
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Index, Series
from broadpeak._prices.reading import names
from broadpeak._prices.reading.compact import numbers_as_moments
from broadpeak._prices.reading.deciding import DateColumn, Moments
from broadpeak._prices.reading.moments import is_time_of_day, read_moments, read_times
from broadpeak._prices.reading.names import field_of, find_column, word
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import AnyArray, IntArray

Zone: TypeAlias = "str | dt.tzinfo | None"


@dataclass(frozen=True)
class DateOptions:
    """What the caller knows about the dates of a table.

    Attributes
    ----------
    tz : str or tzinfo, optional
        Zone of dates without one, or the one to convert to.
    date_column, date_format : str, optional
        Where the date stands and how it is written.
    day_first : bool, optional
        Whether 01/02 is the first of February.
    in_frame : bool
        Whether the table came in memory, where these options do not exist.
    notes : list of str, optional
        Takes what there is to tell of the dates, where it may not be told yet.
    """

    tz: Zone = None
    date_column: object = None
    date_format: str | None = None
    day_first: bool | None = None
    in_frame: bool = False
    notes: list[str] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name in ("date_column", "date_format"):
            if getattr(self, name) is not None:
                check.string(name, getattr(self, name))
        if self.day_first is not None:
            check.flag("dayfirst", self.day_first)
        if self.tz is not None:
            _check_zone(self.tz)


def _check_zone(tz: Zone) -> None:
    known = isinstance(tz, (str, dt.tzinfo))
    try:
        if known:
            pd.DatetimeIndex([]).tz_localize(tz)
    # What is no name is a key, a path or a string to those who look it up.
    except (LookupError, TypeError, ValueError, OSError):
        known = False
    if not known:
        remedy = "Type for example tz='America/New_York' or tz='UTC'."
        raise ParamError(broken_rule("tz", "be the name of a time zone", tz, remedy))


def dates_of(
    table: pd.DataFrame,
    owner: str,
    options: DateOptions,
    runs: IntArray | None = None,
    *,
    european: bool = False,
) -> pd.DatetimeIndex | None:
    """Return the dates of the rows of `table`, or None if it has no column of dates.

    `runs` says which symbol a row is of; `european` that its numbers have decimal commas.

    Raises
    ------
    DataError
        If they cannot be read; the message names `owner`.
    """
    label = options.date_column
    if label is not None and label not in table.columns:
        known = list(map(str, table.columns))
        remedy = check.did_you_mean(label, known)
        raise DataError(broken_rule("date_column", f"be one of {known}", label, remedy))
    column = DateColumn(
        owner,
        "",
        np.zeros(0),
        runs,
        options.in_frame,
        day_first=options.day_first,
        european=european,
        notes=options.notes,
    )
    if label is None and is_dated(table.index):
        dates = with_clock(as_dates(table.index), table, column)
        return zoned(dates, options.tz, owner)
    if label is None and {"year", "month", "day"} <= {word(name) for name in table.columns}:
        table = _joined_dates(table)
    if label is None:
        label = _date_label(table, column)
    if label is None:
        return None
    dates = _joined(table, label, column, options)
    index = zoned(dates, options.tz, owner)
    index.name = None if word(label) in {"unnamed0", ""} else label
    return index


def oldest_first(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame that is written newest first turned round; any other unchanged."""
    index = frame.index
    if len(index) > 1 and index[0] > index[-1] and index.is_monotonic_decreasing:
        return frame.iloc[::-1]
    return frame


def is_dated(index: Index) -> bool:
    """Return whether an index holds dates, whatever their type."""
    if isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex)):
        return True
    if isinstance(index, pd.MultiIndex) or index.dtype != object or not len(index):
        return False
    return all(isinstance(label, (date, np.datetime64)) for label in index[:100])


def as_dates(index: Index) -> pd.DatetimeIndex:
    """Return dates of any type as pandas'."""
    if isinstance(index, pd.DatetimeIndex):
        return index
    if isinstance(index, pd.PeriodIndex):
        return index.to_timestamp()
    try:
        return pd.DatetimeIndex(pd.to_datetime(index))
    except ValueError:
        # Several zones, or offsets that change, fit no single zone but UTC.
        return pd.DatetimeIndex(pd.to_datetime(index, utc=True))


def parse_dates(column: DateColumn, values: Series, date_format: str | None) -> pd.DatetimeIndex:
    """Return strings, numbers or dates as dates.

    Raises
    ------
    DataError
        If they are none.
    """
    if isinstance(values.dtype, pd.PeriodDtype) or pd.api.types.is_datetime64_any_dtype(values):
        return as_dates(pd.Index(values))
    if is_dated(pd.Index(values)):
        return as_dates(pd.Index(values))
    if date_format is not None:
        return _in_format(column, values, date_format)
    is_number = pd.api.types.is_numeric_dtype(values.dtype)
    column = replace(column, strings=values.to_numpy() if is_number else as_strings(values))
    blank = values.isna().to_numpy()
    if not is_number:
        blank = blank | (column.strings == "")
    if blank.any():
        raise column.unreadable(f"none in row {int(np.argmax(blank)) + 1}")
    if pd.api.types.is_bool_dtype(values.dtype):
        raise column.unreadable(column.row(0))
    if is_number:
        return _index(_moments_of_numbers(column, values), column)
    return _index(read_moments(column), column)


def _in_format(column: DateColumn, values: Series, date_format: str) -> pd.DatetimeIndex:
    strings = as_strings(values)
    try:
        return pd.DatetimeIndex(pd.to_datetime(strings, format=date_format))
    except (TypeError, ValueError, OverflowError) as error:
        raise column.unreadable(str(error).splitlines()[0]) from error


def as_strings(values: Series) -> AnyArray:
    """Return cells as strings, integers without a fraction."""
    if pd.api.types.is_float_dtype(values.dtype):
        numbers = values.to_numpy(np.float64, na_value=np.nan)
        if (np.isfinite(numbers) & (numbers == np.rint(numbers)) & (np.abs(numbers) < 2**63)).all():
            return np.array(numbers.astype(np.int64).astype(str), dtype=object)
    strings = values.astype(object).to_numpy()
    if pd.api.types.infer_dtype(strings, skipna=False) != "string":
        strings = np.array([str(string) for string in strings], dtype=object)
    if any(mark in string for string in strings[:1] for mark in "年년"):
        strings = np.array([_KANJI.sub(r"\1-\2-\3", string) for string in strings], dtype=object)
    return strings


_KANJI = re.compile(r"(\d{4})[年년] ?(\d{1,2})[月월] ?(\d{1,2})[日일]")


def _clocks(values: Series) -> AnyArray:
    """Return times of day as strings; those that went through floats (930.0) as integers."""
    if pd.api.types.is_timedelta64_dtype(values.dtype):
        return np.array([str(pd.Timestamp(0) + x).partition(" ")[2] for x in values], dtype=object)
    strings = as_strings(values)
    if len(strings) and all(_WHOLE.fullmatch(string) for string in strings):
        strings = np.array([string.partition(".")[0] for string in strings], dtype=object)
    return strings


_WHOLE = re.compile(r" *\d{1,6}\.0+ *")


def _moments_of_numbers(column: DateColumn, values: Series) -> Moments:
    if pd.api.types.is_integer_dtype(values.dtype):
        whole = values.to_numpy(np.int64)
        share = np.zeros(len(whole))
    else:
        numbers = values.to_numpy(np.float64, na_value=np.nan)
        if not (np.isfinite(numbers) & (np.abs(numbers) < 2.0**63)).all():
            raise column.unreadable(column.row(int(np.argmax(~np.isfinite(numbers)))))
        whole = np.trunc(numbers).astype(np.int64)
        share = numbers - whole
    sizes = np.maximum(np.abs(whole), 1)
    lengths = np.searchsorted(10 ** np.arange(1, 19, dtype=np.int64), sizes, side="right") + 1
    return numbers_as_moments(whole, share, lengths, column)


@cache
def _unit() -> Any:
    """Return the unit in which this pandas keeps dates that it reads."""
    return str(getattr(pd.to_datetime(["2024-01-01"]), "unit", "ns"))


def _index(moments: Moments, column: DateColumn) -> pd.DatetimeIndex:
    unit = "us" if _unit() != "ns" and not (moments.ns % 1000).any() else "ns"
    stamps = moments.ns // (1000 if unit == "us" else 1)
    index = pd.DatetimeIndex(stamps.astype(f"datetime64[{unit}]"))
    if moments.zone is None:
        return index
    if isinstance(moments.zone, str):
        return zoned(index, moments.zone, column.owner)
    utc = index.tz_localize("UTC")
    east = int(moments.zone)
    return utc.tz_convert(timezone(timedelta(minutes=east))) if east else utc


def zoned(index: pd.DatetimeIndex, tz: Zone, owner: str) -> pd.DatetimeIndex:
    """Return dates in `tz`: those without a zone are taken to be in it, others converted."""
    if tz is None:
        return index
    try:
        if index.tz is not None:
            return index.tz_convert(tz)
        back = len(index) > 1 and index[0] > index[-1]
        # The hour that comes twice in autumn is known by its order.
        positioned = (index[::-1] if back else index).tz_localize(tz, ambiguous="infer")
        return positioned[::-1] if back else positioned
    except (KeyError, TypeError) as error:
        raise DataError(broken_rule("tz", "be the name of a time zone", tz)) from error
    except ValueError as error:
        # zoneinfo's error for an unknown name is a KeyError; times that do not exist come here.
        rule = f"have dates that can be in the time zone {tz!r}"
        raise DataError(broken_rule(owner, rule, str(error).splitlines()[0])) from error


def _date_label(table: pd.DataFrame, column: DateColumn) -> Hashable | None:
    """Return the label of the column of dates: by its name, else by what is in it."""
    known = {word(label): label for label in reversed(table.columns)}
    for name in names.DATES:
        if name not in known:
            continue
        label = known[name]
        values = table[label]
        if values.ndim > 1 or (len(values) and (values.isna().all() or _only_blanks(values))):
            continue
        if name in names.WEAK_DATES and not reads(column, label, values):
            continue
        if name in names.TIMES and _is_time(column, values):
            continue
        return label
    time = find_column(table, names.TIMES)
    # A bar is labelled by its start, where start and end are there.
    order = sorted(range(table.shape[1]), key=lambda k: bool(_END.search(word(table.columns[k]))))
    for position in order:
        label, values = table.columns[position], table.iloc[:, position]
        if label == time or field_of(label) or word(label) in names.SYMBOLS:
            continue
        leads = position <= 1 or bool(_WHEN.search(word(label)))
        if _looks_like_dates(values, leads) and reads(column, label, values):
            return label
    if time is not None:
        rule = f"have a column of dates beside the times of day in {time!r}"
        remedy = "" if column.in_frame else "Pass its name: date_column='…'."
        raise DataError(broken_rule(column.owner, rule, list(map(str, table.columns)), remedy))
    return None


_WHEN = re.compile("time|date|stamp|epoch|unix")
_END = re.compile("close|end|expir|settle|updat")


def _only_blanks(values: Series) -> bool:
    return values.dtype == object and not any(str(cell).strip() for cell in values)


def reads(column: DateColumn, label: Hashable, values: Series) -> bool:
    """Return whether a column holds dates."""
    try:
        parse_dates(replace(column, label=label, is_tried=True), values, None)
    except DataError:
        return False
    return True


def _is_time(column: DateColumn, values: Series) -> bool:
    """Return whether a column called like a time holds times of day."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return False
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.to_numpy(np.float64, na_value=np.nan)
        return bool(np.nanmax(np.abs(numbers), initial=0.0) <= 240_000)
    if pd.api.types.is_timedelta64_dtype(values.dtype):
        return bool((values >= pd.Timedelta(0)).all() and (values < pd.Timedelta(days=1)).all())
    strings = _clocks(values)
    head = [string.strip() for string in strings[:1000]]
    if all(string.isdigit() and len(string) <= 6 for string in head):
        return True
    shares = all(string[:2] in {"0.", "0"} for string in head)
    return shares or is_time_of_day(replace(column, strings=strings))


def _looks_like_dates(values: Series, leads: bool) -> bool:
    """Return whether the first cells of a column of any name look like dates.

    Numbers of anything look like numbers: those of dates stand first or are called so (`leads`).
    """
    if pd.api.types.is_datetime64_any_dtype(values.dtype) or is_dated(pd.Index(values[:100])):
        return True
    if not len(values) or pd.api.types.is_bool_dtype(values.dtype):
        return False
    if pd.api.types.is_numeric_dtype(values.dtype):
        runs_on = values.is_monotonic_increasing or values.is_monotonic_decreasing
        return leads and runs_on and looks_like_dates(list(as_strings(values[:100])))
    head = [str(cell).strip() for cell in values[:100]]
    if all(cell.isdigit() for cell in head) and not leads:
        return False
    return looks_like_dates(head)


_LONG = re.compile(r"-?\d{8,10}|\d{12,19}|\d{9,10}\.\d*")
_JOINED = re.compile(r"\d{8}[Tt]\d{4,6}.*")
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[APap]\.?[Mm]\.?)?")


def looks_like_dates(cells: list[str]) -> bool:
    """Return whether strings look like dates: long numbers, or digits with marks between them."""
    if not cells:
        return False
    if all(cell.replace(".", "", 1).lstrip("-").isdigit() for cell in cells):
        return all(_LONG.fullmatch(cell) for cell in cells)
    if all(_JOINED.fullmatch(cell) for cell in cells):
        return True
    return all(
        cell[:1].isalnum()
        and sum(char.isdigit() for char in cell) > 2
        and any(mark in cell[1:] for mark in "-/.: ")
        and not _CLOCK.fullmatch(cell)
        for cell in cells
    )


def looks_like_times(cells: list[str], *, colons: bool) -> bool:
    """Return whether strings look like times of day, with colons or as HHMM and HHMMSS."""
    if colons:
        return all(_CLOCK.fullmatch(cell) for cell in cells)
    packed = all(cell.isdigit() and len(cell) <= 6 and int(cell[-2:]) < 60 for cell in cells)
    return packed and any(len(cell) > 2 for cell in cells)


def _joined_dates(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose columns year, month and day are one of dates."""
    columns = [find_column(table, [name]) for name in ("year", "month", "day")]
    parts = [table[label].astype(str).str.strip() for label in columns]
    joined = parts[0] + "-" + parts[1] + "-" + parts[2]
    table = table.drop(columns=columns)
    table.insert(0, "date", joined.astype(object))
    return table


def _joined(
    table: pd.DataFrame, label: Hashable, column: DateColumn, options: DateOptions
) -> pd.DatetimeIndex:
    """Return the dates of a column, with the time of day that stands beside it."""
    column = replace(column, label=label)
    values = table[label]
    if values.ndim > 1:
        raise DataError(broken_rule(column.owner, f"have one column {label!r}", values.shape[1]))
    time = _clock_label(table, column, label)
    if time is None:
        return with_clock(parse_dates(column, values, options.date_format), table, column)
    times = pd.Series(_clocks(table[time]), dtype=object)
    if options.date_format is not None and any(x in options.date_format for x in ("%H", "%I")):
        strings = pd.Series(as_strings(values), dtype=object)
        return _in_format(column, strings + " " + times, options.date_format)
    dates = parse_dates(replace(column, intraday=True), values, options.date_format)
    return _with_times(dates, table, time, column)


def _clock_label(table: pd.DataFrame, column: DateColumn, dates: Any) -> Hashable | None:
    """Return the label of the times of day that stand beside dates, or None."""
    time = find_column(table, names.TIMES)
    if time is None or time == dates or table[time].ndim > 1:
        return None
    return time if _is_time(column, table[time]) else None


def _with_times(
    dates: pd.DatetimeIndex, table: pd.DataFrame, time: Hashable, column: DateColumn
) -> pd.DatetimeIndex:
    """Return dates with the times of day in column `time`."""
    if len(dates) and (dates != dates.normalize()).any():
        return dates  # the date holds its own time
    clock = replace(column, label=time, strings=_clocks(table[time]))
    if table[time].isna().any():
        raise clock.unreadable(f"none in row {int(np.argmax(table[time].isna())) + 1}")
    return dates + pd.to_timedelta(read_times(clock), unit="ns")


def with_clock(
    dates: pd.DatetimeIndex, table: pd.DataFrame, column: DateColumn
) -> pd.DatetimeIndex:
    """Return days that come again with the times of day that distinguish their bars.

    Those stand in a column that is called so, else in the only one that looks so.
    """
    runs = np.zeros(len(dates), np.int64) if column.runs is None else column.runs
    alone = pd.MultiIndex.from_arrays([dates, runs]).is_unique
    if alone or (dates != dates.normalize()).any():
        return dates
    time = _clock_label(table, column, column.label)
    if time is None:
        found = [
            label
            for position, label in enumerate(table.columns)
            if label != column.label and _are_clocks(table.iloc[:, position])
        ]
        time = found[0] if len(found) == 1 else None
    return dates if time is None else _with_times(dates, table, time, column)


def _are_clocks(values: Series) -> bool:
    if pd.api.types.is_numeric_dtype(values.dtype) or field_of(values.name):
        return False
    return looks_like_times([str(cell).strip() for cell in values[:1000]], colons=True)
