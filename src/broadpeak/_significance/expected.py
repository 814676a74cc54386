# SPDX-License-Identifier: BSD-3-Clause
"""What a chosen configuration may be expected to earn, once what choosing overstates is gone."""

from __future__ import annotations

import math
from collections.abc import Hashable
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._significance.resampling import block_or_best, resampled_means
from broadpeak._significance.returns import MOST_DRAWS, Returns, return_table, varies
from broadpeak.errors import ParamError, broken_rule

_LEAST_DRAWS = 100
_CLEAR = 3.0
"""Errors of a difference, at most, that count as luck; between 0 and this, alike often."""
_WIDER = 1.08
"""What the interval is stretched by, because who is poorer than the best is only estimated."""


class ExpectedSharpe(NamedTuple):
    """Sharpe ratios per bar.

    Attributes
    ----------
    expected : float
        What the chosen one may be expected to have out of sample.
    low, high : float
        80 % interval of its true ratio.
    in_sample : float
        What it had in the history.
    """

    expected: float
    low: float
    high: float
    in_sample: float


def expected_sharpe(
    returns: Returns,
    chosen: Hashable,
    *,
    n: int = 1000,
    block: float | None = None,
    seed: int | None = 0,
) -> ExpectedSharpe:
    """Return the Sharpe ratio to expect of a configuration that was chosen among others.

    Parameters
    ----------
    returns : frame, array of shape (bars, configurations), Series or Portfolio
        Of all that was tried. NaN as everywhere in `broadpeak.stats`.
    chosen : label
        Column that was chosen; a position where columns have no labels.
    n : int
        Number of resampled histories, at least 100.
    block : float, optional
        Mean length of the blocks in bars; None: the mean `optimal_block_length` of the columns.
    seed : int or None
        None: different each time.

    Returns
    -------
    ExpectedSharpe
        ``(expected, low, high, in_sample)``, per bar. All are 0 for a column of zeros, and NaN for
        another one that does not vary.

    Raises
    ------
    DataError
        If there are fewer than two bars, or infinite returns.
    ParamError
        If `chosen` is no column, or an option is out of its range.

    Notes
    -----
    The best of many is best by luck as well (the winner's curse). Let z be the means of the columns
    in units of their errors. In each resampled history luck is added to what the columns are worth
    at most, a column is chosen again, the one of the same rank, and its luck is what choosing
    overstates::

        worth  = -max(0, z[best] - z - c * error of the difference)     c from 0 to 3
        luck   = means of the history less means of the returns, in errors
        chosen = the column of the same rank by worth + luck
        expected = z[chosen] - mean of luck[chosen]

    and the interval reaches from ``z`` less the 90 % quantile of that luck to ``z`` less its 10 %
    quantile. The bias correction of the bootstrap [1]_, with the recentring of a test of superior
    predictive ability [2]_: without it (c = 0, columns are as unlike as they look) the curse of
    equals is underrated, with c infinite (all are alike) that of a lone winner is overrated. With a
    single column nothing is corrected. By simulation the interval holds the true ratio in 75 to
    85 % of histories, whether no column has an edge, a tenth or all have.

    References
    ----------
    .. [1] B. Efron, R. Tibshirani, "An introduction to the bootstrap", 1993, chapter 10.
    .. [2] P. R. Hansen, "A test for superior predictive ability", J. of Business and Economic
       Statistics 23(4), 2005.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(1).normal(0.0, 0.01, size=(1000, 200))
    >>> best = int(noise.mean(axis=0).argmax())
    >>> found = expected_sharpe(noise, best)
    >>> round(found.in_sample, 2), round(found.expected, 2), found.low < 0 < found.high
    (0.07, -0.02, True)
    """
    check.integer("n", n, _LEAST_DRAWS, MOST_DRAWS)
    table = return_table(returns)
    place = _place(table.labels, chosen)
    used = varies(table.values)
    if not used[place]:
        ratio = math.nan if table.values[:, place].any() else 0.0
        return ExpectedSharpe(ratio, ratio, ratio, ratio)
    gains = table.values[:, used]
    own = int(used[:place].sum())
    mean, deviation = gains.mean(axis=0), gains.std(axis=0, ddof=1)
    luck = resampled_means(gains, int(n), block_or_best(block, gains), seed) - mean
    error = np.maximum(luck.std(axis=0), 1e-3 * deviation / math.sqrt(len(gains)))
    luck /= error
    scores = mean / error
    best = int(scores.argmax())
    # Both have unit variance: that of their difference is known from their correlation.
    spread = np.sqrt(np.maximum(2.0 - 2.0 * (luck[:, best] @ luck) / len(luck), 0.0))
    clear = np.linspace(0.0, _CLEAR, len(luck))[:, np.newaxis] * spread
    again = luck - np.maximum(scores[best] - scores - clear, 0.0)
    # Those who choose look at ratios; errors count memory too, and come from finitely many draws.
    ratios = mean / deviation
    rank = min(int((values > values[own]).sum()) for values in (scores, ratios))
    picked = np.argpartition(-again, rank, axis=1)[:, rank]
    overstated = luck[np.arange(len(luck)), picked]
    middle = float(overstated.mean())
    low, high = np.quantile(overstated, [0.1, 0.9]) - middle
    wider = 1.0 if gains.shape[1] == 1 else _WIDER
    unit = float(error[own] / deviation[own])
    expected = (float(scores[own]) - middle) * unit
    return ExpectedSharpe(
        expected=expected,
        low=expected - wider * float(high) * unit,
        high=expected - wider * float(low) * unit,
        in_sample=float(ratios[own]),
    )


def _place(labels: pd.Index[Any], chosen: Hashable) -> int:
    """Return the position of the column with that label."""
    found: object = None
    with suppress(KeyError, TypeError, ValueError, pd.errors.InvalidIndexError):
        found = labels.get_loc(chosen)
    if not isinstance(found, int):  # none, or several
        rule = "be the label of one column of returns"
        raise ParamError(broken_rule("chosen", rule, chosen))
    return found
