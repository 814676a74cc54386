# SPDX-License-Identifier: BSD-3-Clause
"""What is left of a Sharpe ratio once the number of trials is taken into account."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import psi, stdtr, stdtrit

from broadpeak._core import arrays, check
from broadpeak._significance.returns import observed_ratio
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import FloatArray


class Haircut(NamedTuple):
    """A Sharpe ratio after its haircut.

    Attributes
    ----------
    sharpe : float
        What is left, per period.
    haircut : float
        Share that was cut off, from 0 to 1.
    p_value : float
        Two-sided p value after the correction for the number of trials.
    """

    sharpe: float
    haircut: float
    p_value: float


def haircut_sharpe(
    sharpe: float,
    n: float,
    *,
    n_trials: int,
    method: str = "bonferroni",
    autocorrelation: float = 0.0,
    p_values: Sequence[float] | None = None,
) -> Haircut:
    """Return the Sharpe ratio that a single trial would need for the same significance.

    Parameters
    ----------
    sharpe : float
        Observed ratio, per period.
    n : float
        Number of periods it was estimated from, more than 2.
    n_trials : int
        How many trials there were, this one included.
    method : "bonferroni", "holm" or "bhy"
        How p values are corrected: for any false discovery ("bonferroni", "holm"), or for the share
        of false ones among the discoveries ("bhy": Benjamini, Hochberg, Yekutieli).
    autocorrelation : float
        Of returns one period apart, between -1 and 1. Positive: the ratio is overstated.
    p_values : sequence of float, optional
        Two-sided p values of all `n_trials` trials, or of all others, for "holm" and "bhy". Without
        them this one is taken for the only one with anything to show, the strictest case.

    Returns
    -------
    Haircut
        ``(sharpe, haircut, p_value)``; a haircut of 1 leaves nothing.

    Raises
    ------
    ParamError
        If a value is out of its range, or the number of p values does not fit.

    Notes
    -----
    Ratio → t statistic → p value → corrected p value → t statistic → ratio, with n - 1 degrees of
    freedom. "bhy" leaves the largest p value of all as it is, so that it says little where only
    trials that did well are passed. Under autocorrelation r the standard error of the mean of n
    periods grows by
    ``sqrt(1 + 2 r / (1 - r) * (1 - (1 - r**n) / (n * (1 - r))))``. C. Harvey, Y. Liu,
    "Backtesting", J. of Portfolio Management 42(1), 2015; they take the periods of a year for n
    there. A. Lo, "The statistics of Sharpe ratios", Financial Analysts J. 58(4), 2002.

    Examples
    --------
    >>> import math
    >>> import broadpeak as bp
    >>> cut = bp.stats.haircut_sharpe(0.75 / math.sqrt(12), 240, n_trials=200)
    >>> round(cut.sharpe * math.sqrt(12), 2), round(cut.haircut, 2)
    (0.3, 0.6)
    """
    check.one_of("method", method, tuple(_CORRECTIONS))
    sharpe, periods = observed_ratio(sharpe), check.number("n", n, above=2.0)
    trials = check.integer("n_trials", n_trials)
    rho = check.number("autocorrelation", autocorrelation)
    if not -1.0 < rho < 1.0:
        raise ParamError(broken_rule("autocorrelation", "lie between -1 and 1", autocorrelation))
    root = math.sqrt(periods)
    freedom = periods - 1.0
    honest = sharpe / math.sqrt(_inflation(rho, periods))
    p = 2.0 * float(stdtr(freedom, -abs(honest) * root))
    if p_values is None:
        corrected = min(1.0, p * trials * (_harmonic(trials) if method == "bhy" else 1.0))
    else:
        corrected = _CORRECTIONS[method](p, _family(p, trials, p_values))
    left = math.copysign(max(-float(stdtrit(freedom, corrected / 2.0)), 0.0) / root, sharpe)
    # A quantile of a p value that no trial has corrected comes back with its last digits changed.
    left = honest if corrected == p else left
    return Haircut(left, 1.0 - left / sharpe if sharpe else 0.0, corrected)


def _inflation(rho: float, periods: float) -> float:
    if rho == 0.0:
        return 1.0
    rest = (1.0 - math.pow(rho, round(periods))) / (periods * (1.0 - rho))
    return 1.0 + 2.0 * rho / (1.0 - rho) * (1.0 - rest)


def _harmonic(n: int) -> float:
    """Return 1 + 1/2 + … + 1/n, by which trials under any dependence are corrected."""
    return float(psi(n + 1.0)) - float(psi(1.0))


def _family(p: float, trials: int, p_values: Sequence[float]) -> FloatArray:
    """Return the p values of all trials in ascending order, `p` among them."""
    try:
        columns, _ = arrays.unwrap("p_values", p_values)
        other_p_values = np.sort(columns.ravel())
    except DataError:
        other_p_values = np.array([math.nan])
    if not ((other_p_values >= 0.0) & (other_p_values <= 1.0)).all() or len(other_p_values) not in {
        trials,
        trials - 1,
    }:
        rule = f"be the {trials} values of all trials, or those of the others, from 0 to 1"
        raise ParamError(broken_rule("p_values", rule, p_values))
    if (
        len(other_p_values) == trials
    ):  # this one is among them: its place is taken by its exact value
        other_p_values = np.delete(other_p_values, int(np.abs(other_p_values - p).argmin()))
    return np.sort(np.append(other_p_values, p))


def _bonferroni(p: float, family: FloatArray) -> float:
    return min(1.0, p * len(family))


def _holm(p: float, family: FloatArray) -> float:
    """Return the largest of all smaller p values, each times the number not yet rejected."""
    rank = int(np.searchsorted(family, p, side="left"))
    stepped = (len(family) - np.arange(rank + 1)) * family[: rank + 1]
    return min(1.0, float(stepped.max()))


def _bhy(p: float, family: FloatArray) -> float:
    """Return the smallest of all larger p values, each times the number of trials over its rank.

    The largest of all keeps its value, as in the papers of Harvey and Liu; by the procedure of
    Benjamini and Yekutieli it, too, would be multiplied.
    """
    n = len(family)
    penalty = n * _harmonic(n)
    rank = int(np.searchsorted(family, p, side="left"))
    stepped = family[rank:-1] * penalty / np.arange(rank + 1, n)
    return min(float(family[-1]), float(stepped.min(initial=1.0)))


_CORRECTIONS: dict[str, Callable[[float, FloatArray], float]] = {
    "bonferroni": _bonferroni,
    "holm": _holm,
    "bhy": _bhy,
}
