# SPDX-License-Identifier: BSD-3-Clause
"""Which bars `data[…]` means."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Index
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import AnyArray


def positions(index: Index, key: Any) -> slice | AnyArray:
    """Return the bars that `key` means, as pandas would for a frame's rows.

    A slice of dates holds both ends, a string such as "2005" its whole span; a slice of integers
    counts bars; a mask or an index takes bars in order.
    """
    if isinstance(key, slice):
        return _slice(index, key)
    if isinstance(key, pd.Series) and key.dtype == bool and not key.index.equals(index):
        raise DataError(broken_rule("the mask", "have the index of the data", key.index[:3]))
    values = None
    if isinstance(key, (list, np.ndarray, pd.Series)):
        try:
            values = np.asarray(key)
        except ValueError:  # lists of lengths that differ
            values = np.array(None)
    if values is not None and values.dtype == bool:
        if values.shape != (len(index),):
            rule = f"have one value a bar, {len(index)}"
            raise DataError(broken_rule("the mask", rule, values.shape))
        return np.flatnonzero(values)
    if isinstance(key, pd.Index):
        found = index.get_indexer(key)
        if (found < 0).any() or (np.diff(found) <= 0).any():
            rule = "hold labels of the data, in order"
            raise DataError(broken_rule("data[index]", rule, key[:3].tolist()))
        return found
    if isinstance(index, pd.DatetimeIndex) and not isinstance(key, (int, np.integer, tuple)):
        return _slice(index, slice(key, key))
    rule = "be given dates, a slice, a mask or an index"
    raise DataError(broken_rule("data[…]", rule, key, "Type: data['2005':'2009']"))


def _slice(index: Index, key: slice) -> slice:
    step = key.step
    if step is not None and not (isinstance(check.real(step), int) and 1 <= step < 2**62):
        raise DataError(broken_rule("the step of a slice", "be a positive integer", step))
    ends = [end for end in (key.start, key.stop) if end is not None]
    if all(isinstance(end, (int, np.integer)) for end in ends):
        return key
    for end in ends:
        if not is_label(end):
            raise _not_dates_error(key)
    # A day without a time means the whole day, as its string does.
    start, stop = (
        end.isoformat() if type(end) is dt.date else end for end in (key.start, key.stop)
    )
    try:
        return index.slice_indexer(start, stop, None if step is None else int(step))
    except (TypeError, KeyError, ValueError) as error:
        raise _not_dates_error(key) from error


_LABELS = (str, dt.date, np.datetime64, np.number, int, float, pd.Period, tuple)


def is_label(value: object) -> bool:
    """Return whether `value` can stand in an index: "nan" and "NaT" name no time."""
    if isinstance(value, str):
        return value.strip().lower() not in {"", "nan", "nat", "none"}
    if not isinstance(value, _LABELS):
        return False
    return bool(value == value)  # noqa: PLR0124  # NaN and NaT are not equal to themselves


def _not_dates_error(key: slice) -> DataError:
    remedy = "Type: data['2005':'2009'] for dates, data.select('SPX') for symbols."
    return DataError(broken_rule("data[…]", "be given dates", key, remedy))
