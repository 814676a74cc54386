# SPDX-License-Identifier: BSD-3-Clause
"""Indicators that swing around a level."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar, overload

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Alike, ArrayLike, Many, Plain, Table, Values
from broadpeak._core.arrays import read_only
from broadpeak._indicators._kernels import recursive, windowed
from broadpeak._indicators.columnwise import over_many, over_one, takes_lists
from broadpeak._indicators.volatility import check_ddof
from broadpeak.types import FloatArray

T_co = TypeVar("T_co", covariant=True)


class Macd(NamedTuple, Generic[T_co]):
    """The three lines of `macd`, each like the values passed."""

    macd: T_co
    signal: T_co
    hist: T_co


class Stochastic(NamedTuple, Generic[T_co]):
    """The two lines of `stoch`, each like the prices passed."""

    k: T_co
    d: T_co


@overload
def rsi(values: Alike, window: float = ...) -> Alike: ...
@overload
def rsi(values: Plain, window: float | Many = ...) -> FloatArray: ...
@overload
def rsi(values: Table, window: Many) -> pd.DataFrame: ...
@takes_lists
def rsi(values: ArrayLike, window: float | Many = 14) -> Values:
    """Return Wilder's relative strength index, between 0 and 100.

    Parameters
    ----------
    values : array, Series or DataFrame, shape (bars,) or (bars, columns)
        Prices, bar by bar.
    window : float or list of float
        Length in bars, rounded half up; a list gives a column each.

    Returns
    -------
    array, Series or DataFrame
        As `values`; NaN for the first `window` bars.

    Raises
    ------
    ParamError
        If `window` is NaN or less than 1.
    DataError
        If `values` are not one- or two-dimensional numbers.

    Notes
    -----
    ``100 · gain / (gain + loss)`` with the means of rises and falls smoothed as in `rma`, seeded
    with the mean of the first `window` changes. Where nothing has moved yet the result is 0, as
    `RSI` of TA-Lib has it. A bar without a finite value gives NaN and is passed over; the next
    change is against the last value there was.

    Examples
    --------
    >>> import numpy as np
    >>> rsi(np.array([1.0, 2.0, 1.5, 3.0]), 2).round(2)
    array([  nan,   nan, 66.67, 88.89])
    """
    return over_one(recursive.relative_strength, values, check.window("window", window))


@overload
def macd(
    values: Alike, fast: float = ..., slow: float = ..., signal: float = ...
) -> Macd[Alike]: ...
@overload
def macd(
    values: Plain, fast: float | Many = ..., slow: float | Many = ..., signal: float | Many = ...
) -> Macd[FloatArray]: ...
@overload
def macd(
    values: ArrayLike,
    fast: float | Many = ...,
    slow: float | Many = ...,
    signal: float | Many = ...,
) -> Macd[Values]: ...
@takes_lists
def macd(
    values: ArrayLike, fast: float | Many = 12, slow: float | Many = 26, signal: float | Many = 9
) -> Macd[Values]:
    """Return the difference of two exponential averages, its own average, and their difference.

    Parameters
    ----------
    values : array, Series or DataFrame, shape (bars,) or (bars, columns)
        Prices, bar by bar.
    fast, slow : float or list of float
        Lengths of the two averages in bars, rounded half up.
    signal : float
        Length of the average of their difference in bars, rounded half up.

    Returns
    -------
    Macd
        ``(macd, signal, hist)``, each as `values`; NaN before value number
        ``max(fast, slow) + signal - 1``.

    Raises
    ------
    ParamError
        If a length is NaN or less than 1.
    DataError
        If `values` are not one- or two-dimensional numbers.

    Notes
    -----
    ``macd = ema(fast) - ema(slow)``, ``signal = ema(macd)``, ``hist = macd - signal``. Both
    averages begin at the same bar: the shorter one is seeded with the last values of the longer
    one's seed, and all lines begin with the signal. These are the numbers of `MACD` of TA-Lib,
    which however swaps `fast` and `slow` where fast is longer; here the sign turns, as the formula
    says. A bar without a finite value gives NaN and is passed over.

    Examples
    --------
    >>> import numpy as np
    >>> macd(np.array([1.0, 2.0, 4.0, 8.0]), 1, 2, 2).hist.round(3)
    array([  nan,   nan, 0.167, 0.315])
    """
    lengths = [
        check.window(name, value)
        for name, value in (("fast", fast), ("slow", slow), ("signal", signal))
    ]
    return Macd(*over_many(_macd, {"values": values}, *lengths))


def _macd(
    x: FloatArray, fast: int, slow: int, signal: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    start = max(fast, slow)
    line, other, smooth = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    recursive.smoothed(x, fast, 2.0 / (fast + 1), start - fast, line)
    recursive.smoothed(x, slow, 2.0 / (slow + 1), start - slow, other)
    line -= other
    recursive.smoothed(read_only(line), signal, 2.0 / (signal + 1), 0, smooth)
    line[np.isnan(smooth)] = np.nan
    return line, smooth, line - smooth


@overload
def stoch(
    high: Alike,
    low: Alike,
    close: Alike,
    window: float = ...,
    smooth_k: float = ...,
    smooth_d: float = ...,
) -> Stochastic[Alike]: ...
@overload
def stoch(
    high: Plain,
    low: Plain,
    close: Plain,
    window: float | Many = ...,
    smooth_k: float | Many = ...,
    smooth_d: float | Many = ...,
) -> Stochastic[FloatArray]: ...
@overload
def stoch(
    high: ArrayLike,
    low: ArrayLike,
    close: ArrayLike,
    window: float | Many = ...,
    smooth_k: float | Many = ...,
    smooth_d: float | Many = ...,
) -> Stochastic[Values]: ...
@takes_lists
def stoch(
    high: ArrayLike,
    low: ArrayLike,
    close: ArrayLike,
    window: float | Many = 14,
    smooth_k: float | Many = 3,
    smooth_d: float | Many = 3,
) -> Stochastic[Values]:
    """Return the stochastic oscillator: where the close lies in the range of the last bars.

    Parameters
    ----------
    high, low, close : arrays, Series or DataFrames, shape (bars,) or (bars, columns)
        Prices of one asset a column; the same shape and labels.
    window : float or list of float
        Length of the range in bars, rounded half up.
    smooth_k, smooth_d : float
        Lengths of the simple averages that make `k` of the raw line and `d` of `k`.

    Returns
    -------
    Stochastic
        ``(k, d)`` between 0 and 100, each as the inputs; NaN for the first
        ``window + smooth_k + smooth_d - 3`` bars.

    Raises
    ------
    ParamError
        If a length is NaN or less than 1.
    DataError
        If shapes or labels of the inputs differ.

    Notes
    -----
    The raw line is ``100 · (close - lowest) / (highest - lowest)``, and 0 where the range is 0.
    The same numbers as `STOCH` of TA-Lib: both lines are given where both exist. NaN and infinite
    values are missing and leave with the windows that hold them.

    Examples
    --------
    >>> import numpy as np
    >>> close = np.array([1.0, 2.0, 4.0, 3.0])
    >>> stoch(close, close, close, 3, 1, 2)
    Stochastic(k=array([nan, nan, nan, 50.]), d=array([nan, nan, nan, 75.]))
    """
    inputs = {"high": high, "low": low, "close": close}
    lengths = [
        check.window(name, value)
        for name, value in (("window", window), ("smooth_k", smooth_k), ("smooth_d", smooth_d))
    ]
    return Stochastic(*over_many(_stoch, inputs, *lengths))


def _stoch(
    high: FloatArray, low: FloatArray, close: FloatArray, w: int, smooth_k: int, smooth_d: int
) -> tuple[FloatArray, FloatArray]:
    top, bottom, d = np.empty_like(close), np.empty_like(close), np.empty_like(close)
    windowed.extreme(high, w, 1.0, top)
    windowed.extreme(low, w, -1.0, bottom)
    reach = top - bottom
    flat = reach == 0.0
    reach[flat] = 1.0
    raw = 100.0 * (close - bottom) / reach
    raw[flat & np.isfinite(close)] = 0.0
    k = np.empty_like(close)
    windowed.mean(read_only(raw), smooth_k, k)
    windowed.mean(read_only(k), smooth_d, d)
    k[np.isnan(d)] = np.nan
    return k, d


@overload
def roc(values: Alike, window: float = ...) -> Alike: ...
@overload
def roc(values: Plain, window: float | Many = ...) -> FloatArray: ...
@overload
def roc(values: Table, window: Many) -> pd.DataFrame: ...
@takes_lists
def roc(values: ArrayLike, window: float | Many = 10) -> Values:
    """Return the rate of change against the value `window` bars ago, in percent.

    Parameters
    ----------
    values : array, Series or DataFrame, shape (bars,) or (bars, columns)
        Prices, bar by bar.
    window : float or list of float
        Distance in bars, rounded half up.

    Returns
    -------
    array, Series or DataFrame
        As `values`; NaN for the first `window` bars.

    Raises
    ------
    ParamError
        If `window` is NaN or less than 1.
    DataError
        If `values` are not one- or two-dimensional numbers.

    Notes
    -----
    ``100 · (x[t] / x[t - window] - 1)``, and 0 where the earlier value is 0, as `ROC` of TA-Lib
    has it. NaN where one of the two values is missing.

    Examples
    --------
    >>> import numpy as np
    >>> roc(np.array([100.0, 110.0, 99.0]), 1).round(6)
    array([ nan,  10., -10.])
    """
    return over_one(windowed.rate_of_change, values, check.window("window", window))


@overload
def zscore(values: Alike, window: float = ..., *, ddof: int = ...) -> Alike: ...
@overload
def zscore(values: Plain, window: float | Many = ..., *, ddof: int = ...) -> FloatArray: ...
@overload
def zscore(values: Table, window: Many, *, ddof: int = ...) -> pd.DataFrame: ...
@takes_lists
def zscore(values: ArrayLike, window: float | Many = 30, *, ddof: int = 1) -> Values:
    """Return how many standard deviations a value lies above the mean of the last `window` ones.

    Parameters
    ----------
    values : array, Series or DataFrame, shape (bars,) or (bars, columns)
        Any numbers, bar by bar.
    window : float or list of float
        Length in bars, rounded half up; a list gives a column each.
    ddof : int
        The deviation is divided by ``window - ddof``; 1 is the sample deviation of pandas.

    Returns
    -------
    array, Series or DataFrame
        As `values`; NaN for the first ``window - 1`` bars.

    Raises
    ------
    ParamError
        If `window` is NaN or less than 1, or `ddof` is neither 0 nor 1.
    DataError
        If `values` are not one- or two-dimensional numbers.

    Notes
    -----
    ``(x - mean) / deviation``; NaN where the window is flat (0 / 0). NaN and infinite values are
    missing: a result is NaN exactly while one is in its window, or the window is flat.

    Examples
    --------
    >>> import numpy as np
    >>> zscore(np.array([1.0, 2.0, 3.0]), 3)
    array([nan, nan,  1.])
    """
    length = check.window("window", window)
    return over_many(_zscore, {"values": values}, length, check_ddof(ddof))[0]


def _zscore(x: FloatArray, w: int, ddof: int) -> tuple[FloatArray]:
    mean, spread = np.empty_like(x), np.empty_like(x)
    windowed.mean(x, w, mean)
    windowed.deviation(x, w, ddof, spread)
    spread[spread == 0.0] = np.nan
    return ((x - mean) / spread,)
