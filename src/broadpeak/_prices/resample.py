# SPDX-License-Identifier: BSD-3-Clause
"""Longer bars from shorter ones."""

from __future__ import annotations

import datetime as dt
from typing import Any, TypeAlias

import pandas as pd
from pandas.tseries.frequencies import to_offset

from broadpeak._core import check
from broadpeak._core.aliases import Index, Series
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import FloatArray

_MOST = 10**8
_RULES = {"open": "first", "high": "max", "low": "min", "close": "last"}


MOST = 2**28
"""Spans from the first bar to the last, empty ones included, that memory can hold."""

Rule: TypeAlias = "str | dt.timedelta | pd.offsets.BaseOffset"
"""A span of time."""

OPTIONS = ("label", "closed", "origin", "offset")


def _check_rule(rule: object, index: pd.DatetimeIndex) -> None:
    """Refuse what is no span of time that goes forward."""
    offset: Any = None
    if isinstance(rule, (str, dt.timedelta, pd.offsets.BaseOffset)):
        try:
            offset = pd.tseries.frequencies.to_offset(rule)
        except (TypeError, ValueError, OverflowError):
            offset = None
    if offset is None or offset.n <= 0:
        remedy = "Type a pandas offset such as '1h', '1D', 'W', 'ME'."
        raise ParamError(broken_rule("rule", "be a span of time", rule, remedy))
    span = getattr(offset, "nanos", None) if isinstance(offset, pd.offsets.Tick) else None
    if span is not None and len(index) and (index[-1] - index[0]) // pd.Timedelta(span) > MOST:
        remedy = "Type a longer one, such as '1h'."
        raise ParamError(broken_rule("rule", "be at least as long as the bars", rule, remedy))


def _check_counted(rule: Rule, options: dict[str, Any]) -> None:
    """Refuse where counting begins, for spans that the calendar counts: weeks and months."""
    if isinstance(to_offset(rule), (pd.offsets.Tick, pd.offsets.Day)):
        return
    for name, usual in (("origin", "start_day"), ("offset", None)):
        value = options.get(name)
        if name in options and not (isinstance(value, str) and value == usual):
            rule_ = f"be left out where rule is {rule!r}, which the calendar counts"
            raise ParamError(broken_rule(name, rule_, value, "Type for example rule='7D'."))


def resample_bars(
    index: Index, fields: dict[str, FloatArray], rule: Rule, options: dict[str, Any]
) -> tuple[Index, dict[str, FloatArray]]:
    """Return the bars of `rule`: first open, highest high, lowest low, last close, summed volume.

    Spans without a bar give none.
    """
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError(broken_rule("resample", "have bars with dates", type(index).__name__))
    _check_rule(rule, index)
    for name in options:
        if name not in OPTIONS:
            raise check.unknown_option("resample", name, OPTIONS)
    for name in ("label", "closed"):
        check.one_of(name, options.get(name), (None, "left", "right"))
    for name in ("origin", "offset"):
        value = options.get(name)
        if value is not None and not isinstance(value, (str, dt.timedelta, dt.datetime)):
            raise ParamError(broken_rule(name, "be a string, a time or a span of time", value))
    options = {name: value for name, value in options.items() if value is not None}
    _check_counted(rule, options)
    frame = pd.DataFrame(fields, index=index, copy=False)
    try:
        _check_pieces(index, rule)
        groups = frame.resample(rule, **options)
    except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
        # What pandas raises for spans of nothing and of more than it can count, too.
        remedy = f"Type a pandas offset such as '1h', '1D', 'W', 'ME'. ({error})"
        raise ParamError(broken_rule("rule", "be a span of time", rule, remedy)) from error
    columns: dict[str, Series] = {}
    for field in fields:
        if field == "volume":
            columns[field] = groups[field].sum(min_count=1)
        else:
            columns[field] = getattr(groups[field], _RULES[field])()
    result = pd.DataFrame(columns)
    result = result[result["close"].notna()]
    return result.index, {field: result[field].to_numpy(copy=True) for field in fields}


def _check_pieces(index: pd.DatetimeIndex, rule: Rule) -> None:
    """Refuse a span that cuts the time of the bars into more pieces than memory holds."""
    step = to_offset(rule)
    if step is None:
        raise ValueError("no span")
    seconds = 0.0
    if isinstance(step, pd.offsets.Day):
        seconds = step.n * 86_400.0
    elif isinstance(step, pd.offsets.Tick):
        seconds = step.nanos / 1e9
    if seconds and len(index) > 1 and (index[-1] - index[0]).total_seconds() > _MOST * seconds:
        raise ValueError(f"more than {_MOST:,} bars")
