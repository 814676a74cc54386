# SPDX-License-Identifier: BSD-3-Clause
"""Tests of whether the best of many configurations is better than a benchmark, or only lucky.

The tests compare the best mean that was seen with the best mean of histories in which no
configuration is better; those are drawn in blocks from the returns themselves, so that the
resemblance of the configurations counts as it should.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import ArrayLike
from broadpeak._core.labels import plain
from broadpeak._significance.resampling import autocovariances, block_or_best, resampled_means
from broadpeak._significance.returns import (
    MOST_DRAWS,
    Returns,
    in_own_units,
    less_benchmark,
    probability,
    return_table,
    varies,
)
from broadpeak.errors import DataError
from broadpeak.types import FloatArray

_LEAST_BARS = 9  # the fewest from which a length of blocks can be estimated
_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class Significance:
    """The result of a test of the best configuration.

    Attributes
    ----------
    p_value : float
        Probability of a best one this good if none had any advantage; never 0.
    statistic : float
        What was compared.
    best : label
        Column of the best configuration.
    lower, consistent, upper : float
        Of `spa`: the p values of its three variants; `consistent` is `p_value`. None otherwise.
    """

    p_value: float
    statistic: float
    best: Hashable
    lower: float | None = None
    consistent: float | None = None
    upper: float | None = None


class StepM(NamedTuple):
    """Which configurations are better than the benchmark.

    Attributes
    ----------
    superior : list of labels
        In the order of the columns.
    p_values : Series
        By column, corrected for the number of columns; 1 for those that do not vary.
    """

    superior: list[Hashable]
    p_values: pd.Series[float]


@dataclass(frozen=True, slots=True)
class _Sample:
    """Means over the benchmark, scaled by the root of the number of bars, and what luck makes.

    Attributes
    ----------
    observed : float64 array, shape (columns,)
    luck : float64 array, shape (n, columns)
        Resampled less observed means.
    error : float64 array, shape (columns,)
        Standard deviation of the observed ones under dependence.
    labels : Index
    n_bars : int
    """

    observed: FloatArray
    luck: FloatArray
    error: FloatArray
    labels: pd.Index[Any]
    n_bars: int


def reality_check(
    returns: Returns,
    *,
    benchmark: float | ArrayLike = 0.0,
    n: int = 1000,
    block: float | None = None,
    seed: int | None = 0,
) -> Significance:
    """Test whether the best configuration has a higher mean return than the benchmark.

    Parameters
    ----------
    returns : frame, array of shape (bars, configurations), Series or Portfolio
        NaN as everywhere in `broadpeak.stats`. Columns that do not vary are left out.
    benchmark : float, array or Series of shape (bars,)
        Return to beat, the same at all bars or one a bar.
    n : int
        Number of resampled histories.
    block : float, optional
        Mean length of the blocks in bars; None: the mean `optimal_block_length` of the columns.
    seed : int or None
        None: different each time.

    Returns
    -------
    Significance
        ``p_value``, ``statistic`` (the largest mean times the root of the number of bars) and
        ``best``.

    Raises
    ------
    DataError
        If no column varies, there are fewer than nine bars, or infinite returns.
    ParamError
        If an option is out of its range.

    See Also
    --------
    spa : The same question with more power.

    Notes
    -----
    Means are not divided by their errors, so that volatile configurations decide. H. White,
    "A reality check for data snooping", Econometrica 68(5), 2000. The p value is
    ``(1 + number of histories at least as good) / (1 + n)``.

    Examples
    --------
    >>> import numpy as np
    >>> import broadpeak as bp
    >>> noise = np.random.default_rng(1).normal(0.0, 0.01, size=(500, 20))
    >>> bool(bp.stats.reality_check(noise).p_value > 0.1)
    True
    """
    sample = _sample(returns, benchmark, n, block, seed)
    best = _first_of_best(sample.observed)
    statistic = float(sample.observed[best])
    p_value = _share(sample.luck.max(axis=1), statistic)
    return Significance(p_value, statistic, plain(sample.labels[best]))


def spa(
    returns: Returns,
    *,
    benchmark: float | ArrayLike = 0.0,
    n: int = 1000,
    block: float | None = None,
    seed: int | None = 0,
) -> Significance:
    """Test whether any configuration is better than the benchmark (superior predictive ability).

    Parameters
    ----------
    returns, benchmark, n, block, seed
        As of `reality_check`.

    Returns
    -------
    Significance
        ``p_value``, ``statistic`` (the largest mean in units of its error, at least 0), ``best``.
        ``lower``, ``consistent`` (the same as ``p_value``) and ``upper`` differ in what they hold
        of configurations that did worse than the benchmark: that they are as poor as they look,
        that those are which did clearly worse, or that all are as good as the benchmark.

    Raises
    ------
    DataError, ParamError
        As `reality_check`.

    Notes
    -----
    P. R. Hansen, "A test for superior predictive ability", J. of Business and Economic Statistics
    23(4), 2005. Means are in units of their errors, and configurations that are clearly poor do not
    make the others look like luck: those below ``-sqrt(2 log log T)`` errors. The errors are those
    of the stationary bootstrap. The p value is ``(1 + number of histories at least as good) /
    (1 + n)``.

    Examples
    --------
    >>> import numpy as np
    >>> import broadpeak as bp
    >>> returns = np.random.default_rng(1).normal(0.0, 0.01, size=(500, 20))
    >>> returns[:, 3] += 0.002
    >>> found = bp.stats.spa(returns)
    >>> found.best, found.p_value < 0.05
    (3, True)
    """
    sample = _sample(returns, benchmark, n, block, seed)
    scores = sample.observed / sample.error
    best = _first_of_best(scores)
    statistic = max(float(scores[best]), 0.0)
    # With a handful of bars log log T is not positive: then none is clearly poor.
    threshold = math.sqrt(2.0 * max(math.log(math.log(max(sample.n_bars, 3))), 0.0))
    poor = scores <= -threshold
    recentred = {
        "lower": np.minimum(scores, 0.0),
        "consistent": np.where(poor, scores, 0.0),
        "upper": np.zeros_like(scores),
    }
    luck = sample.luck / sample.error
    p_values = {
        name: _share(np.maximum((luck + centre).max(axis=1), 0.0), statistic)
        for name, centre in recentred.items()
    }
    best_label = plain(sample.labels[best])
    return Significance(p_values["consistent"], statistic, best_label, **p_values)


def step_m(
    returns: Returns,
    *,
    benchmark: float | ArrayLike = 0.0,
    n: int = 1000,
    block: float | None = None,
    seed: int | None = 0,
    alpha: float = 0.05,
) -> StepM:
    """Find all configurations that are better than the benchmark, step by step.

    Parameters
    ----------
    returns, benchmark, n, block, seed
        As of `reality_check`. Columns that do not vary have a p value of 1.
    alpha : float
        Probability of a single false discovery that is accepted, between 0 and 1.

    Returns
    -------
    StepM
        ``superior`` (labels of columns) and ``p_values`` (Series by column).

    Raises
    ------
    DataError, ParamError
        As `reality_check`.

    Notes
    -----
    After each discovery the remaining ones are compared only among themselves. J. Romano, M. Wolf,
    "Stepwise multiple testing as formalized data snooping", Econometrica 73(4), 2005, with means
    in units of their errors.

    Examples
    --------
    >>> import numpy as np
    >>> import broadpeak as bp
    >>> returns = np.random.default_rng(1).normal(0.0, 0.01, size=(500, 20))
    >>> returns[:, [3, 7]] += 0.002
    >>> bp.stats.step_m(returns).superior
    [3, 7]
    """
    alpha = probability("alpha", alpha)
    table = return_table(returns)
    sample = _sample(returns, benchmark, n, block, seed)
    scores = sample.observed / sample.error
    luck = sample.luck / sample.error
    order = np.argsort(-scores, kind="stable")
    # The largest of the remaining columns at each step: running maxima from the last one back.
    largest = np.maximum.accumulate(luck[:, order[::-1]], axis=1)[:, ::-1]
    steps = [_share(largest[:, step], float(scores[at])) for step, at in enumerate(order)]
    p_values = np.ones(len(table.labels))
    tested = np.flatnonzero(varies(less_benchmark(table, benchmark)))
    p_values[tested[order]] = np.maximum.accumulate(steps)
    superior = [plain(label) for label in table.labels[p_values <= alpha]]
    return StepM(superior, pd.Series(p_values, index=table.labels, name="p_value"))


def _first_of_best(scores: FloatArray) -> int:
    """Return the first of the largest scores; equal columns differ by rounding."""
    largest = scores.max()
    return int((scores >= largest - _TIE * abs(largest)).argmax())


def _share(luck: FloatArray, statistic: float) -> float:
    """Return the p value of `statistic`: it is itself one of the histories, so never 0."""
    # Of a handful of bars many histories are the one that was seen, up to rounding.
    least = statistic - _TIE * max(abs(statistic), float(np.abs(luck).max()))
    return (1 + int((luck >= least).sum())) / (1 + len(luck))


def _sample(
    returns: Returns, benchmark: float | ArrayLike, n: int, block: float | None, seed: int | None
) -> _Sample:
    check.integer("n", n, 1, MOST_DRAWS)
    table = return_table(returns, least_bars=_LEAST_BARS)
    gains = less_benchmark(table, benchmark)
    used = varies(gains)
    if not used.any():
        raise DataError("returns must vary in at least one column, got only constant ones.")
    gains = gains[:, used]
    length = block_or_best(block, gains)
    mean = gains.mean(axis=0)
    root = math.sqrt(len(gains))
    return _Sample(
        observed=mean * root,
        luck=(resampled_means(gains, int(n), length, seed) - mean) * root,
        error=_errors(gains, length),
        labels=table.labels[used],
        n_bars=len(gains),
    )


def _errors(gains: FloatArray, block: float) -> FloatArray:
    """Return the standard deviation of root(T) times the mean, as the bootstrap would find it.

    In closed form: autocovariances, weighted by how likely two bars stay together.
    """
    n_bars = len(gains)
    stay = 1.0 - 1.0 / block
    lags = np.arange(1, n_bars)
    weights = (n_bars - lags) / n_bars * stay**lags + lags / n_bars * stay ** (n_bars - lags)
    covariances = autocovariances(in_own_units(gains), n_bars - 1)
    variances = covariances[0] + 2.0 * weights @ covariances[1:]
    # Strong negative dependence can eat up all of it in a short history.
    errors = np.sqrt(np.maximum(variances, 1e-4 * covariances[0]))
    result: FloatArray = np.ldexp(errors, np.frexp(np.abs(gains).max(axis=0))[1])
    return result
