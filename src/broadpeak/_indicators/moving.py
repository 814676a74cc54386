# SPDX-License-Identifier: BSD-3-Clause
"""Moving averages and extremes."""

from __future__ import annotations

from typing import overload

import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Alike, ArrayLike, Many, Plain, Table, Values
from broadpeak._indicators._kernels import recursive, windowed
from broadpeak._indicators.columnwise import over_one, takes_lists
from broadpeak.types import FloatArray


@overload
def sma(values: Alike, window: float = ...) -> Alike: ...
@overload
def sma(values: Plain, window: float | Many = ...) -> FloatArray: ...
@overload
def sma(values: Table, window: Many) -> pd.DataFrame: ...
@takes_lists
def sma(values: ArrayLike, window: float | Many = 30) -> Values:
    """Return the simple moving average: the mean of the last `window` values.

    Parameters
    ----------
    values : array, Series or DataFrame, shape (bars,) or (bars, columns)
        Any numbers, bar by bar.
    window : float or list of float
        Length in bars, rounded half up; a list gives a column each.

    Returns
    -------
    array, Series or DataFrame
        As `values`; NaN for the first ``window - 1`` bars.

    Raises
    ------
    ParamError
        If `window` is NaN or less than 1.
    DataError
        If `values` are not one- or two-dimensional numbers.

    Notes
    -----
    NaN and infinite values are missing: a result is NaN exactly while one is in its window.
    A result is made of the values of its window alone, never from a running sum, so that large
    values leave no trace and a flat window gives its value exactly. The same numbers as `SMA` of
    TA-Lib and ``rolling(window).mean()`` of pandas.

    Examples
    --------
    >>> import numpy as np
    >>> sma(np.array([1.0, 2.0, 3.0, 4.0]), 2)
    array([nan, 1.5, 2.5, 3.5])
    """
    return over_one(windowed.mean, values, check.window("window", window))


@overload
def ema(values: Alike, window: float = ...) -> Alike: ...
@overload
def ema(values: Plain, window: float | Many = ...) -> FloatArray: ...
@overload
def ema(values: Table, window: Many) -> pd.DataFrame: ...
@takes_lists
def ema(values: ArrayLike, window: float | Many = 30) -> Values:
    """Return the exponential moving average with the weight ``2 / (window + 1)``.

    Parameters
    ----------
    values : array, Series or DataFrame, shape (bars,) or (bars, columns)
        Any numbers, bar by bar.
    window : float or list of float
        Length in bars, rounded half up; a list gives a column each.

    Returns
    -------
    array, Series or DataFrame
        As `values`; NaN before the `window`-th value.

    Raises
    ------
    ParamError
        If `window` is NaN or less than 1.
    DataError
        If `values` are not one- or two-dimensional numbers.

    Notes
    -----
    ``ema[t] = ema[t-1] + 2 / (window + 1) · (x[t] - ema[t-1])``, seeded with the mean of the first
    `window` values, as `EMA` of TA-Lib. A bar without a finite value gives NaN and is passed over,
    so that the average goes on behind it (TA-Lib stays NaN from there on).

    Examples
    --------
    >>> import numpy as np
    >>> ema(np.array([1.0, 3.0, 5.0, 7.0]), 2)
    array([nan,  2.,  4.,  6.])
    """
    length = check.window("window", window)
    return over_one(recursive.smoothed, values, length, 2.0 / (length + 1), 0)


@overload
def rma(values: Alike, window: float = ...) -> Alike: ...
@overload
def rma(values: Plain, window: float | Many = ...) -> FloatArray: ...
@overload
def rma(values: Table, window: Many) -> pd.DataFrame: ...
@takes_lists
def rma(values: ArrayLike, window: float | Many = 14) -> Values:
    """Return Wilder's moving average: exponential with the weight ``1 / window``.

    Parameters
    ----------
    values : array, Series or DataFrame, shape (bars,) or (bars, columns)
        Any numbers, bar by bar.
    window : float or list of float
        Length in bars, rounded half up; a list gives a column each.

    Returns
    -------
    array, Series or DataFrame
        As `values`; NaN before the `window`-th value.

    Raises
    ------
    ParamError
        If `window` is NaN or less than 1.
    DataError
        If `values` are not one- or two-dimensional numbers.

    Notes
    -----
    ``rma[t] = rma[t-1] + (x[t] - rma[t-1]) / window``, seeded with the mean of the first `window`
    values. A bar without a finite value gives NaN and is passed over. Source: J. W. Wilder, New
    Concepts in Technical Trading Systems, 1978.

    Examples
    --------
    >>> import numpy as np
    >>> rma(np.array([1.0, 3.0, 5.0, 7.0]), 2)
    array([ nan, 2.  , 3.5 , 5.25])
    """
    length = check.window("window", window)
    return over_one(recursive.smoothed, values, length, 1.0 / length, 0)


@overload
def wma(values: Alike, window: float = ...) -> Alike: ...
@overload
def wma(values: Plain, window: float | Many = ...) -> FloatArray: ...
@overload
def wma(values: Table, window: Many) -> pd.DataFrame: ...
@takes_lists
def wma(values: ArrayLike, window: float | Many = 30) -> Values:
    """Return the linearly weighted moving average; weights 1 … `window`, the newest heaviest.

    Parameters
    ----------
    values : array, Series or DataFrame, shape (bars,) or (bars, columns)
        Any numbers, bar by bar.
    window : float or list of float
        Length in bars, rounded half up; a list gives a column each.

    Returns
    -------
    array, Series or DataFrame
        As `values`; NaN for the first ``window - 1`` bars.

    Raises
    ------
    ParamError
        If `window` is NaN or less than 1.
    DataError
        If `values` are not one- or two-dimensional numbers.

    Notes
    -----
    NaN and infinite values are missing: a result is NaN exactly while one is in its window.
    The same numbers as `WMA` of TA-Lib.

    Examples
    --------
    >>> import numpy as np
    >>> wma(np.array([1.0, 2.0, 4.0]), 2).round(3)
    array([  nan, 1.667, 3.333])
    """
    return over_one(windowed.weighted_mean, values, check.window("window", window))


@overload
def highest(values: Alike, window: float = ...) -> Alike: ...
@overload
def highest(values: Plain, window: float | Many = ...) -> FloatArray: ...
@overload
def highest(values: Table, window: Many) -> pd.DataFrame: ...
@takes_lists
def highest(values: ArrayLike, window: float | Many = 30) -> Values:
    """Return the largest of the last `window` values, the current one included.

    Parameters
    ----------
    values : array, Series or DataFrame, shape (bars,) or (bars, columns)
        Any numbers, bar by bar.
    window : float or list of float
        Length in bars, rounded half up; a list gives a column each.

    Returns
    -------
    array, Series or DataFrame
        As `values`; NaN for the first ``window - 1`` bars.

    Raises
    ------
    ParamError
        If `window` is NaN or less than 1.
    DataError
        If `values` are not one- or two-dimensional numbers.

    Notes
    -----
    NaN and infinite values are missing: a result is NaN exactly while one is in its window.
    The same numbers as `MAX` of TA-Lib.

    Examples
    --------
    >>> import numpy as np
    >>> highest(np.array([3.0, 1.0, 2.0]), 2)
    array([nan,  3.,  2.])
    """
    return over_one(windowed.extreme, values, check.window("window", window), 1.0)


@overload
def lowest(values: Alike, window: float = ...) -> Alike: ...
@overload
def lowest(values: Plain, window: float | Many = ...) -> FloatArray: ...
@overload
def lowest(values: Table, window: Many) -> pd.DataFrame: ...
@takes_lists
def lowest(values: ArrayLike, window: float | Many = 30) -> Values:
    """Return the smallest of the last `window` values, the current one included.

    Parameters
    ----------
    values : array, Series or DataFrame, shape (bars,) or (bars, columns)
        Any numbers, bar by bar.
    window : float or list of float
        Length in bars, rounded half up; a list gives a column each.

    Returns
    -------
    array, Series or DataFrame
        As `values`; NaN for the first ``window - 1`` bars.

    Raises
    ------
    ParamError
        If `window` is NaN or less than 1.
    DataError
        If `values` are not one- or two-dimensional numbers.

    Notes
    -----
    NaN and infinite values are missing: a result is NaN exactly while one is in its window.
    The same numbers as `MIN` of TA-Lib.

    Examples
    --------
    >>> import numpy as np
    >>> lowest(np.array([3.0, 1.0, 2.0]), 2)
    array([nan,  1.,  1.])
    """
    return over_one(windowed.extreme, values, check.window("window", window), -1.0)
