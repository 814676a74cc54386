# SPDX-License-Identifier: BSD-3-Clause
"""Longer bars from shorter ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from broadpeak._core import check
from broadpeak._core.aliases import Index, Series
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import FloatArray, IntArray

Rule: TypeAlias = "str | dt.timedelta | pd.offsets.BaseOffset"
"""A span of time."""

MOST = 10**8
"""Spans from the first bar to the last, empty ones included, that memory can hold."""

_OPTIONS = ("label", "closed", "origin", "offset")
_HOW = {"open": "first", "high": "max", "low": "min", "close": "last"}


def resample_bars(
    index: Index, fields: Mapping[str, FloatArray], rule: Rule, options: Mapping[str, Any]
) -> tuple[Index, dict[str, FloatArray]]:
    """Return the bars of `rule`: first open, highest high, lowest low, last close, summed volume.

    Of other columns the last value that is known. Spans without a bar give none.
    """
    span = _checked_span(rule, index)
    _check_options(span, rule, options)
    frame = pd.DataFrame(dict(fields), index=index, copy=False)
    try:
        groups = frame.resample(span, **{k: v for k, v in options.items() if v is not None})
    except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise _span_error(rule, str(error)) from error
    columns: dict[str, Series] = {}
    for field in fields:
        if field == "volume":
            columns[field] = groups[field].sum(min_count=1)
        else:
            columns[field] = getattr(groups[field], _HOW.get(field, "last"))()
    result = pd.DataFrame(columns)
    result = result[result["close"].notna()]
    return result.index, {field: result[field].to_numpy(copy=True) for field in fields}


class Spans(NamedTuple):
    """Longer bars as they become known.

    Attributes
    ----------
    starts : array of int
        First bar of each.
    known : array of int, one a bar
        The last longer bar that is complete when a bar has ended; -1 before the first.
    """

    starts: IntArray
    known: IntArray


def completed_spans(index: Index, rule: Rule) -> Spans:
    """Return the spans of `rule` in which bars fall, and when each is complete.

    A span is complete with the bar that ends where it ends, or later. Otherwise, as where its last
    day is a holiday, it is known to be complete when the next span has begun. All is decided by a
    bar and those before it: more bars never change it.
    """
    span = _checked_span(rule, index)
    index = cast(pd.DatetimeIndex, index)  # as was checked
    ends = _ends(index)
    order = np.argsort(np.concatenate([index.asi8, ends.asi8]), kind="stable")
    moments = cast(pd.DatetimeIndex, index.append(ends)[order])
    if moments.tz is not None and _is_counted(span):
        # Days are those of the clock, also where there is no midnight, or an hour comes twice.
        clock = moments.tz_localize(None)
        moments = pd.DatetimeIndex(np.maximum.accumulate(clock.to_numpy()))
    try:
        sizes = pd.Series(0, index=moments).resample(span).size().to_numpy()
    except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise _span_error(rule, str(error)) from error
    codes = np.empty(2 * len(index), np.int64)
    codes[order] = np.repeat(np.arange(len(sizes)), sizes)
    own, after = codes[: len(index)], codes[len(index) :]
    is_complete = after != own
    begins = np.ones(len(index), dtype=np.bool_)
    # A bar that comes after its span was complete, where days and hours are mixed, begins another.
    begins[1:] = (own[1:] != own[:-1]) | is_complete[:-1]
    return Spans(np.flatnonzero(begins), np.cumsum(begins) - 1 - ~is_complete)


_DAY = 86_400 * 10**9


def _ends(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return when each bar has ended, or its label where that is not known.

    Labels are beginnings. A bar of dates ends with its day, another one after the shortest time
    between two bars so far, once some time between them has been seen twice.
    """
    stamps = index.as_unit("ns").asi8
    if len(index) < 2:
        return index
    between = np.diff(stamps)
    shortest = np.minimum(np.minimum.accumulate(between), _DAY)
    is_regular = np.logical_or.accumulate(pd.Index(between).duplicated())
    length = np.concatenate([[0], np.where(is_regular, shortest, 0)])
    ends = (index.as_unit("ns") + pd.to_timedelta(length, unit="ns")).as_unit(index.unit)
    clock = index.tz_localize(None)
    midnight = np.asarray(clock == clock.normalize())
    is_date = midnight & np.concatenate([[False], midnight[:-1]])
    if not is_date.any():
        return ends
    days = clock.normalize() + pd.Timedelta(days=1)
    if index.tz is not None:  # a day is as long as the clock says
        first = np.ones(len(days), dtype=np.bool_)
        days = days.tz_localize(index.tz, nonexistent="shift_forward", ambiguous=first)
    return ends.where(~is_date, days)


def _checked_span(rule: object, index: Index) -> pd.offsets.BaseOffset:
    """Return `rule` as a span of time that goes forward and is not far shorter than the bars."""
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError(broken_rule("resample", "have bars with dates", type(index).__name__))
    if not isinstance(rule, (str, dt.timedelta, pd.offsets.BaseOffset)):
        raise _span_error(rule)
    try:
        span: Any = to_offset(rule)
    except (TypeError, ValueError, OverflowError) as error:
        raise _span_error(rule) from error
    if span is None or span.n <= 0:
        raise _span_error(rule)
    seconds = 0.0  # what the calendar counts, such as months, is never too short
    if isinstance(span, pd.offsets.Day):  # no Tick since pandas 3
        seconds = span.n * 86_400.0
    elif isinstance(span, pd.offsets.Tick):
        seconds = span.nanos / 1e9
    if seconds and len(index) > 1 and (index[-1] - index[0]).total_seconds() > MOST * seconds:
        remedy = "Type a longer one, such as '1h'."
        raise ParamError(broken_rule("rule", "be at least as long as the bars", rule, remedy))
    return cast(pd.offsets.BaseOffset, span)


def _is_counted(span: pd.offsets.BaseOffset) -> bool:
    """Return whether the calendar counts a span, in days or longer; others have a fixed length."""
    return isinstance(span, pd.offsets.Day) or not isinstance(span, pd.offsets.Tick)


def _span_error(rule: object, reason: str = "") -> ParamError:
    remedy = "Type a pandas offset such as '1h', '1D', 'W', 'ME'."
    if reason:  # what pandas says of spans of nothing and of more than it can count
        remedy += f" ({reason})"
    return ParamError(broken_rule("rule", "be a span of time", rule, remedy))


def _check_options(span: pd.offsets.BaseOffset, rule: Rule, options: Mapping[str, object]) -> None:
    for name in options:
        if name not in _OPTIONS:
            raise check.unknown_option("resample", name, _OPTIONS)
    for name in ("label", "closed"):
        check.one_of(name, options.get(name), (None, "left", "right"))
    for name, usual in (("origin", "start_day"), ("offset", None)):
        value = options.get(name)
        if value is None:
            continue
        if not isinstance(value, (str, dt.timedelta, dt.datetime)):
            allowed = "be a string, a time or a span of time"
            raise ParamError(broken_rule(name, allowed, value))
        if _is_counted(span) and not isinstance(span, pd.offsets.Day) and value != usual:
            alone = f"be left out where rule is {rule!r}, which the calendar counts"
            raise ParamError(broken_rule(name, alone, value, "Type for example rule='7D'."))
