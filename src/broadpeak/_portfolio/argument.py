# SPDX-License-Identifier: BSD-3-Clause
"""One argument as the user gave it, unwrapped: lanes, and which axis they lie on."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core.arrays import as_bools, as_floats
from broadpeak._core.check import as_float
from broadpeak._core.labels import span
from broadpeak._prices.schema import check_index
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import AnyArray, FloatArray


@dataclass(slots=True)
class MarketArgument:
    """An array argument.

    Attributes
    ----------
    name : str
    lanes : array, shape (lanes, bars) or (lanes, 1)
    columns : pd.Index or None
        Labels of the lanes, where the user gave any.
    kind : str
        "table" lies over bars; "list" holds values of a parameter, which make or match columns;
        "across" is an array over columns, or a list where it does not fit them; "labelled" is a
        Series over columns.
    wide : bool
        Whether the user gave columns, be it one.

    Raises
    ------
    DataError
        If there are no lanes.
    """

    name: str
    lanes: AnyArray
    columns: pd.Index[Any] | None = None
    kind: str = "table"
    wide: bool = False

    def __post_init__(self) -> None:
        if not len(self.lanes):
            raise DataError(broken_rule(self.name, "hold at least one value or column", "none"))


class SharedIndex:
    """The bars of one portfolio: how many, and their labels once a pandas object brought them."""

    __slots__ = ("count", "index", "owner")

    def __init__(self, count: int, index: pd.Index[Any] | None = None) -> None:
        self.count = count
        self.index = index
        self.owner = "close"

    def check(self, name: str, index: pd.Index[Any]) -> None:
        """Take the labels of the first pandas object; those of the others must be the same.

        Raises
        ------
        DataError
            If they are not; the message shows both. If labels are not sorted, come twice, or are
            neither dates nor numbers.
        """
        if index is self.index:
            return
        if self.index is None:
            self.check_length(name, len(index))
            stamps = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
            check_index(name, stamps)
            self.index = index
            self.owner = name
        elif not index.equals(self.index):
            msg = (
                f"{name} must have the index of {self.owner}, got {span(index)} against "
                f"{span(self.index)}. Type: {name} = {name}.reindex({self.owner}.index)"
            )
            raise DataError(msg)

    def check_length(self, name: str, length: int) -> None:
        """Raise `DataError` if an array has another number of bars."""
        if length != self.count:
            raise DataError(broken_rule(name, f"have {self.count} bars, as close has", length))


def prices(name: str, value: Any, bars: SharedIndex) -> MarketArgument:
    """Return price lanes.

    Raises
    ------
    DataError
        If the value is not numbers over bars, or its index is not that of the close.
    """
    return _table(name, value, bars, as_floats)


def signals(name: str, value: Any, bars: SharedIndex) -> MarketArgument:
    """Return signal lanes of bool; one bool stands for every bar.

    Raises
    ------
    DataError
        If the value does not fit the bars, or holds anything but true, false and missing.
    """
    if isinstance(value, (bool, np.bool_)):
        return MarketArgument(name, np.full((1, bars.count), bool(value)))
    return _table(name, value, bars, as_bools)


def setting(
    name: str, value: Any, bars: SharedIndex, *, over_bars: bool = True
) -> MarketArgument | float:
    """Return a setting: a number (NaN for None), or lanes.

    A list, tuple, range or pandas Index holds values of a parameter. A one-dimensional array is
    over bars if it has their number, else over columns. A Series is over bars if it has their
    index, else over columns by label. ``over_bars=False`` leaves out the bars.

    Raises
    ------
    ParamError
        If the value is not a number or an array of numbers.
    DataError
        If a Series or frame has another index, or an array another shape.
    """
    if value is None:
        return math.nan
    if not isinstance(value, bool) and isinstance(value, numbers.Real):
        return as_float(value)
    if isinstance(value, (list, tuple, range, pd.Index)):
        return _listed(name, value)
    if isinstance(value, (pd.Series, pd.DataFrame)):
        return _labelled(name, value, bars, over_bars=over_bars)
    if isinstance(value, (bool, np.bool_, str, bytes)):
        raise ParamError(broken_rule(name, "be a number or an array of numbers", value))
    return _plain(name, as_floats(name, value), bars, over_bars=over_bars)


def _labelled(name: str, value: Any, bars: SharedIndex, *, over_bars: bool) -> MarketArgument:
    """Return a Series over bars if it has their index, else over columns; a frame over both."""
    if isinstance(value, pd.DataFrame):
        return _table(name, value, bars, as_floats)
    lane = as_floats(name, value)
    if not over_bars or (bars.index is not None and not value.index.equals(bars.index)):
        return MarketArgument(name, lane[:, np.newaxis], value.index, "labelled")
    bars.check(name, value.index)
    return MarketArgument(name, lane[np.newaxis, :])


def _plain(
    name: str, array: FloatArray, bars: SharedIndex, *, over_bars: bool
) -> MarketArgument | float:
    """Return an array over bars if it has their number, else over columns."""
    if array.ndim == 0:
        return float(array)
    if array.ndim == 1 and (len(array) != bars.count or not over_bars):
        return MarketArgument(name, array[:, np.newaxis], kind="across")
    if array.ndim == 2 and len(array) == 1 != bars.count:
        return MarketArgument(name, array.T, wide=True)
    return _table(name, array, bars, as_floats)


def _listed(name: str, value: Any) -> MarketArgument | float:
    try:
        array = as_floats(name, [math.nan if item is None else item for item in value])
    except DataError as error:
        raise ParamError(broken_rule(name, "be a list of numbers", value)) from error
    if array.ndim != 1 or len(array) == 0:
        raise ParamError(broken_rule(name, "be a list of at least one number", value))
    return MarketArgument(name, array[:, np.newaxis], kind="list")


def _table(name: str, value: Any, bars: SharedIndex, convert: Any) -> MarketArgument:
    columns = None
    if isinstance(value, (pd.Series, pd.DataFrame)):
        bars.check(name, value.index)
        columns = value.columns if isinstance(value, pd.DataFrame) else None
    array = convert(name, value)
    if array.ndim not in {1, 2}:
        rule = "be one-dimensional (bars) or two-dimensional (bars × columns)"
        raise DataError(broken_rule(name, rule, array.shape))
    bars.check_length(name, len(array))
    lanes = array[np.newaxis, :] if array.ndim == 1 else array.T
    return MarketArgument(name, lanes, columns, wide=array.ndim == 2)
