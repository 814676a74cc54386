# SPDX-License-Identifier: BSD-3-Clause
"""Bootstrap of returns that depend on each other: whole blocks are drawn, not single bars."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, cast, overload

import numpy as np
import pandas as pd

from broadpeak._core import check, rng
from broadpeak._core.aliases import Metric
from broadpeak._significance.returns import (
    MOST_DRAWS,
    Returns,
    in_own_units,
    return_table,
    varies,
)
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import AnyArray, FloatArray, IntArray

_KINDS = ("stationary", "circular", "iid")
_AT_ONCE = 4_000_000  # drawn bars held at a time: 32 MB


@overload
def optimal_block_length(returns: pd.DataFrame, *, kind: str = ...) -> pd.Series[float]: ...
@overload
def optimal_block_length(returns: pd.Series[Any], *, kind: str = ...) -> float: ...
@overload
def optimal_block_length(returns: Returns, *, kind: str = ...) -> Metric: ...
def optimal_block_length(returns: Returns, *, kind: str = "stationary") -> Metric:
    """Return the block length with the least error of a bootstrapped variance.

    Parameters
    ----------
    returns : Series, frame, array of shape (bars,) or (bars, configurations), or Portfolio
        At least 9 bars. NaN as everywhere in `broadpeak.stats`.
    kind : "stationary" or "circular"
        Blocks of random length, of which this is the mean, or of fixed length.

    Returns
    -------
    float or Series
        Length in bars, at least 1 and not rounded; 1 for a column that does not vary. A Series by
        column for several columns.

    Raises
    ------
    DataError
        If there are too few bars, or infinite returns.
    ParamError
        For another kind.

    Notes
    -----
    D. Politis, H. White, "Automatic block-length selection for the dependent bootstrap",
    Econometric Reviews 23(1), 2004, with the correction of A. Patton, D. Politis, H. White, 2009.
    Memory ends as in the authors' programs: at the first of five correlations in a row that are
    small, each in units of the two stretches that meet.

    Examples
    --------
    >>> import numpy as np
    >>> import broadpeak as bp
    >>> noise = np.random.default_rng(1).normal(size=2000)
    >>> trend = np.convolve(noise, np.ones(20), mode="valid")
    >>> bool(bp.stats.optimal_block_length(trend) > 5 * bp.stats.optimal_block_length(noise))
    True
    """
    check.one_of("kind", kind, _KINDS[:2])
    table = return_table(returns, least_bars=9)
    lengths = block_lengths(table.values, kind)
    flat = len(lengths) == 1 and not isinstance(returns, pd.DataFrame)
    return float(lengths[0]) if flat else pd.Series(lengths, index=table.labels, name="block")


def block_lengths(values: FloatArray, kind: str = "stationary") -> FloatArray:
    """Return the optimal block length of each column of `values`, shape (bars, columns)."""
    n = len(values)
    run = max(5, math.ceil(math.log10(n)))  # so many small correlations in a row end the memory
    most = math.ceil(math.sqrt(n)) + run
    longest = math.ceil(min(3.0 * math.sqrt(n), n / 3.0))
    values, moves = in_own_units(values), varies(values)
    covariances = autocovariances(values, min(most, n - 1))
    correlations = _correlations(values, covariances)
    small = 2.0 * math.sqrt(math.log10(n) / n)
    constant = 4.0 / 3.0 if kind == "circular" else 2.0
    result = np.ones(values.shape[1])
    for column, covariance in enumerate(covariances.T):
        if not moves[column]:
            continue
        width = min(2 * max(_memory(correlations[:, column], small, run), 1), most)
        lags = np.arange(1, min(width, len(covariance) - 1) + 1)
        # Weights of 1 up to half of the width, then falling to 0: no bias where memory is short.
        weights = np.minimum(1.0, 2.0 * (1.0 - lags / width)) * covariance[lags]
        spectrum = covariance[0] + 2.0 * float(weights.sum())
        slope = 2.0 * float((weights * lags).sum())
        if spectrum != 0.0:
            best = (2.0 * slope**2 / (constant * spectrum**2)) ** (1.0 / 3.0) * n ** (1.0 / 3.0)
            result[column] = min(max(best, 1.0), longest)
    return result


def _correlations(values: FloatArray, covariances: FloatArray) -> FloatArray:
    """Return the correlations of each column with itself at lags from 1, shape (lags, columns).

    In units of the two stretches that meet, as in the authors' programs: over long lags the
    variance of the whole would make them small.
    """
    n = len(values)
    squares = np.zeros((n + 1, values.shape[1]))
    np.cumsum((values - values.mean(axis=0)) ** 2, axis=0, out=squares[1:])
    lags = np.arange(1, len(covariances))
    units = np.sqrt((squares[n] - squares[lags]) * squares[n - lags]) / n
    usable = units > 1e-12 * covariances[0]
    result: FloatArray = np.divide(covariances[1:], units, out=np.zeros_like(units), where=usable)
    return result


def _memory(correlations: FloatArray, small: float, run: int) -> int:
    """Return the lag from which on `run` correlations in a row are small, else the last large one.

    Correlations begin at lag 1. The authors' programs count so, one more than their text.
    """
    large = np.abs(correlations) >= small
    for at in range(len(large) - run + 1):
        if not large[at : at + run].any():
            return at + 1
    return int(np.flatnonzero(large).max()) + 1 if large.any() else 1


def autocovariances(values: FloatArray, most: int) -> FloatArray:
    """Return the autocovariances of each column at lags 0 to `most`, shape (most + 1, columns)."""
    n = len(values)
    centred = values - values.mean(axis=0)
    size = 1 << (n + most).bit_length()
    result = np.empty((most + 1, values.shape[1]))
    step = max(1, _AT_ONCE // size)
    for start in range(0, values.shape[1], step):
        spectrum = np.fft.rfft(centred[:, start : start + step], size, axis=0)
        power = spectrum.real**2 + spectrum.imag**2
        result[:, start : start + step] = np.fft.irfft(power, size, axis=0)[: most + 1] / n
    return result


def bootstrap(
    returns: Returns,
    statistic: Callable[[FloatArray], object],
    *,
    n: int = 1000,
    block: float | None = None,
    kind: str = "stationary",
    seed: int | None = 0,
) -> AnyArray:
    r"""Return a statistic of many histories that could have been.

    Parameters
    ----------
    returns : Series, frame, array of shape (bars,) or (bars, configurations), or Portfolio
        NaN as everywhere in `broadpeak.stats`. Bars are drawn whole: what columns have in common
        stays.
    statistic : callable
        Array of the shape of `returns` → number or array.
    n : int
        Number of histories.
    block : float, optional
        Length of the blocks in bars, the mean one for "stationary"; None: `optimal_block_length`,
        the mean over the columns.
    kind : "stationary", "circular" or "iid"
        Blocks of random length [1]_, of fixed length, or single bars.
    seed : int or None
        None: different each time.

    Returns
    -------
    array, shape (n,) or (n, \*shape of the statistic)

    Raises
    ------
    DataError
        If there are too few bars, or infinite returns.
    ParamError
        If an option is out of its range.

    References
    ----------
    .. [1] D. Politis, J. Romano, "The stationary bootstrap", J. of the American Statistical
       Association 89, 1994.

    Examples
    --------
    >>> import numpy as np
    >>> import broadpeak as bp
    >>> returns = np.random.default_rng(1).normal(0.001, 0.01, size=1000)
    >>> means = bp.stats.bootstrap(returns, np.mean)
    >>> bool(np.quantile(means, 0.05) < returns.mean() < np.quantile(means, 0.95))
    True
    """
    check.one_of("kind", kind, _KINDS)
    check.integer("n", n, 1, MOST_DRAWS)
    passed: object = statistic
    if not callable(passed):
        rule = "be a function of an array of returns"
        remedy = "Type: statistic=numpy.mean"
        raise ParamError(broken_rule("statistic", rule, statistic, remedy))
    values = return_table(returns).values
    n_dims = np.ndim(cast("AnyArray", returns))  # 0 of a Portfolio
    flat = n_dims == 1 or (n_dims == 0 and values.shape[1] == 1)
    length = 1.0 if kind == "iid" else block_or_best(block, values)
    source = values[:, 0] if flat else values
    return np.array(
        [
            statistic(source[places])
            for drawn in draws(len(values), int(n), length, kind, seed)
            for places in drawn
        ]
    )


def block_or_best(block: float | None, values: FloatArray) -> float:
    """Return the block length that was given, or the mean of the optimal ones.

    Raises
    ------
    ParamError
        If it is less than one bar or longer than all bars.
    """
    if block is None:
        return float(block_lengths(values).mean()) if len(values) >= 9 else 1.0
    length = check.number("block", block, least=1.0)
    if length > len(values):
        rule = f"be at most the number of bars, {len(values)}"
        raise ParamError(broken_rule("block", rule, block))
    return length


def draws(n_bars: int, n: int, block: float, kind: str, seed: int | None) -> Iterator[IntArray]:
    """Yield drawn histories as bar numbers, shape (some, n_bars), `n` of them in all."""
    generator = rng.generator(seed)
    step = max(1, _AT_ONCE // n_bars)
    bars = np.arange(n_bars)
    for start in range(0, n, step):
        some = min(step, n - start)
        if kind == "circular":
            length = max(1, round(block))
            blocks = -(-n_bars // length)
            first = generator.integers(n_bars, size=(some, blocks))
            whole = first[:, :, np.newaxis] + np.arange(length)
            yield whole.reshape(some, -1)[:, :n_bars] % n_bars
            continue
        # A new block starts with probability 1 / length; in between the next bar follows.
        first = generator.integers(n_bars, size=(some, n_bars))
        begins = generator.random((some, n_bars)) < 1.0 / block
        begins[:, 0] = True
        latest = np.maximum.accumulate(np.where(begins, bars, 0), axis=1)
        yield (np.take_along_axis(first, latest, axis=1) + bars - latest) % n_bars


def resampled_means(values: FloatArray, n: int, block: float, seed: int | None) -> FloatArray:
    """Return the mean of each column in `n` stationary histories, shape (n, columns)."""
    n_bars = len(values)
    parts = []
    for drawn in draws(n_bars, n, block, "stationary", seed):
        # How often each bar was drawn turns the mean into one product of matrices.
        flat = (drawn + n_bars * np.arange(len(drawn))[:, np.newaxis]).ravel()
        counts = np.bincount(flat, minlength=drawn.size).reshape(drawn.shape)
        parts.append(counts @ values / n_bars)
    return np.concatenate(parts)
