# SPDX-License-Identifier: BSD-3-Clause
"""Ranges and bands."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar, overload

import numpy as np

from broadpeak._core import check
from broadpeak._core.aliases import Alike, ArrayLike, Many, Plain, Values
from broadpeak._indicators._kernels import recursive, windowed
from broadpeak._indicators.columnwise import over_many, takes_lists
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import FloatArray

T_co = TypeVar("T_co", covariant=True)


class Bands(NamedTuple, Generic[T_co]):
    """The three lines of `bbands`, each like the values passed."""

    upper: T_co
    middle: T_co
    lower: T_co


@overload
def atr(high: Alike, low: Alike, close: Alike, window: float = ...) -> Alike: ...
@overload
def atr(high: Plain, low: Plain, close: Plain, window: float | Many = ...) -> FloatArray: ...
@overload
def atr(
    high: ArrayLike, low: ArrayLike, close: ArrayLike, window: float | Many = ...
) -> Values: ...
@takes_lists
def atr(high: ArrayLike, low: ArrayLike, close: ArrayLike, window: float | Many = 14) -> Values:
    """Return the average true range in price units, smoothed as Wilder does.

    Parameters
    ----------
    high, low, close : arrays, Series or DataFrames, shape (bars,) or (bars, columns)
        Prices of one asset a column; the same shape and labels.
    window : float or list of float
        Length in bars, rounded half up; a list gives a column each.

    Returns
    -------
    array, Series or DataFrame
        As the inputs; NaN for the first `window` bars.

    Raises
    ------
    ParamError
        If `window` is NaN or less than 1.
    DataError
        If shapes or labels of the inputs differ.

    Notes
    -----
    The true range is ``max(high, close before) - min(low, close before)``. The first bar has no
    close before it and no true range. ``atr[t] = atr[t-1] + (range[t] - atr[t-1]) / window``,
    seeded with the mean of the first `window` true ranges, that is at bar number `window` counted
    from 0. This is `ATR` of TA-Lib. Libraries that take ``high - low`` as the true range of the
    first bar start one bar earlier and differ by a share ``(1 - 1/window) ** bars`` that fades.
    A bar at which one of the three prices is missing gives NaN and is passed over.

    Examples
    --------
    >>> import numpy as np
    >>> close = np.array([10.0, 11.0, 13.0, 12.0])
    >>> atr(close + 1, close - 1, close, 2)
    array([ nan,  nan, 2.5 , 2.25])
    """
    inputs = {"high": high, "low": low, "close": close}
    return over_many(_atr, inputs, check.window("window", window))[0]


def _atr(high: FloatArray, low: FloatArray, close: FloatArray, w: int) -> tuple[FloatArray]:
    out = np.empty_like(close)
    recursive.average_true_range(high, low, close, w, out)
    return (out,)


@overload
def bbands(
    values: Alike, window: float = ..., width: float = ..., *, ddof: int = ...
) -> Bands[Alike]: ...
@overload
def bbands(
    values: Plain, window: float | Many = ..., width: float | Many = ..., *, ddof: int = ...
) -> Bands[FloatArray]: ...
@overload
def bbands(
    values: ArrayLike, window: float | Many = ..., width: float | Many = ..., *, ddof: int = ...
) -> Bands[Values]: ...
@takes_lists
def bbands(
    values: ArrayLike, window: float | Many = 20, width: float | Many = 2.0, *, ddof: int = 0
) -> Bands[Values]:
    """Return Bollinger bands: a moving average and lines `width` standard deviations around it.

    Parameters
    ----------
    values : array, Series or DataFrame, shape (bars,) or (bars, columns)
        Any numbers, bar by bar.
    window : float or list of float
        Length in bars, rounded half up; a list gives a column each.
    width : float or list of float
        Distance of the outer lines in standard deviations, at least 0.
    ddof : int
        The deviation is divided by ``window - ddof``; 0 is Bollinger's and TA-Lib's choice.

    Returns
    -------
    Bands
        ``(upper, middle, lower)``, each as `values`; NaN for the first ``window - 1`` bars.

    Raises
    ------
    ParamError
        If `window` is NaN or less than 1, or `width` is negative or not finite.
    DataError
        If `values` are not one- or two-dimensional numbers.

    Notes
    -----
    NaN and infinite values are missing: a result is NaN exactly while one is in its window.
    The middle line is `sma`, bit for bit. The same numbers as `BBANDS` of TA-Lib, but for the
    rounding of its running sums.

    Examples
    --------
    >>> import numpy as np
    >>> bbands(np.array([1.0, 3.0, 3.0]), 2)
    Bands(upper=array([nan,  4.,  3.]), middle=array([nan,  2.,  3.]), lower=array([nan,  0.,  3.]))
    """
    length = check.window("window", window)
    reach = check.number("width", width, 0)
    return Bands(*over_many(_bbands, {"values": values}, length, reach, check_ddof(ddof)))


def check_ddof(ddof: int) -> int:
    """Return `ddof` if it is a count that can be taken from a number of values."""
    if check.real(ddof) not in {0, 1}:
        raise ParamError(broken_rule("ddof", "be 0 or 1", ddof))
    return int(ddof)


def _bbands(
    x: FloatArray, w: int, width: float, ddof: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    middle, spread = np.empty_like(x), np.empty_like(x)
    windowed.mean(x, w, middle)
    windowed.deviation(x, w, ddof, spread)
    spread *= width
    return middle + spread, middle, middle - spread
