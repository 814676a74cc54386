# SPDX-License-Identifier: BSD-3-Clause
"""Whether a Sharpe ratio is more than luck, and how long a record must be to tell.

All of it follows from one fact: the estimate of a Sharpe ratio S from n periods is about normal,
with variance ``(1 - skew * S + (kurtosis - 1) / 4 * S**2) / n`` [1]_. The papers differ in two
places, so that the convention is an argument: "2012" [2]_ and "2014" [3]_ take the variance at the
ratio that was *observed* and divide by n - 1; "2025" [4]_ takes it at the ratio that is *tested
against*, divides by n, and narrows it for the best of many trials.

.. [1] E. Mertens, "Comments on variance of the IID estimator in Lo (2002)", 2002.
.. [2] D. Bailey, M. López de Prado, "The Sharpe ratio efficient frontier", J. of Risk 15(2), 2012.
.. [3] D. Bailey, M. López de Prado, "The deflated Sharpe ratio", J. of Portfolio Management 40(5),
       2014.
.. [4] M. López de Prado, A. Lipton, V. Zoonekynd, "How to use the Sharpe ratio", 2025.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from broadpeak._core import check
from broadpeak._significance.returns import observed_ratio, probability
from broadpeak.errors import ParamError, broken_rule

_EULER = 0.5772156649015329  # the constant of Euler and Mascheroni
_CLASSIC, _RECENT = "2012", "2025"


def probabilistic_sharpe_ratio(
    sharpe: float,
    n: float,
    *,
    benchmark: float = 0.0,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    convention: str = "2012",
) -> float:
    """Return the probability that the true Sharpe ratio is above `benchmark`.

    Parameters
    ----------
    sharpe : float
        Observed ratio, per period.
    n : float
        Number of periods it was estimated from, more than 1.
    benchmark : float
        Ratio to beat, per period.
    skew, kurtosis : float
        Of the returns; the kurtosis of the normal distribution is 3.
    convention : "2012" or "2025"
        "2012": variance at `sharpe`, over n - 1. "2025": variance at `benchmark`, over n.

    Returns
    -------
    float
        From 0 to 1; one minus the p value of the test that the ratio is at most `benchmark`.

    Raises
    ------
    ParamError
        If a value is not finite, or the moments are not those of any distribution.

    Notes
    -----
    D. Bailey, M. López de Prado, "The Sharpe ratio efficient frontier", J. of Risk 15(2), 2012;
    M. López de Prado, A. Lipton, V. Zoonekynd, "How to use the Sharpe ratio", 2025.

    Examples
    --------
    >>> import broadpeak as bp
    >>> psr = bp.stats.probabilistic_sharpe_ratio(0.458, 24, skew=-2.448, kurtosis=10.164)
    >>> round(psr, 3)
    0.913
    """
    check.one_of("convention", convention, (_CLASSIC, _RECENT))
    sharpe, benchmark = observed_ratio(sharpe), check.number("benchmark", benchmark)
    periods = check.number("n", n, above=1.0)
    return float(ndtr(_score(sharpe, benchmark, periods, skew, kurtosis, convention)))


def deflated_sharpe_ratio(
    sharpe: float,
    n: float,
    *,
    n_trials: float,
    variance: float,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    convention: str = "2014",
) -> float:
    """Return the probability that the best of many trials has a true Sharpe ratio above luck.

    The ratio to beat is the one that the best of `n_trials` without any skill is expected to show.

    Parameters
    ----------
    sharpe : float
        Observed ratio of the best trial, per period.
    n : float
        Number of periods it was estimated from, more than 1.
    n_trials : float
        How many independent trials there were, at least 1; see `effective_trials`.
    variance : float
        Variance of the ratios of all trials, per period squared.
    skew, kurtosis : float
        Of the returns of the best trial; the kurtosis of the normal distribution is 3.
    convention : "2014" or "2025"
        "2014": `probabilistic_sharpe_ratio` of 2012 against the expected maximum. "2025": that of
        2025, its variance times the variance of the largest of `n_trials` normal draws.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ParamError
        As `probabilistic_sharpe_ratio`; if there is less than one trial, or `variance` is negative.

    Notes
    -----
    D. Bailey, M. López de Prado, "The deflated Sharpe ratio", J. of Portfolio Management 40(5),
    2014; M. López de Prado, A. Lipton, V. Zoonekynd, "How to use the Sharpe ratio", 2025. Where
    trials resemble each other, as the cells of a grid do, it is nearly blind: prefer `spa`.

    Examples
    --------
    >>> import math
    >>> import broadpeak as bp
    >>> year = 250
    >>> dsr = bp.stats.deflated_sharpe_ratio(
    ...     2.5 / math.sqrt(year), 1250, n_trials=100, variance=0.5 / year, skew=-3, kurtosis=10
    ... )
    >>> round(dsr, 4)
    0.9004
    """
    check.one_of("convention", convention, ("2014", _RECENT))
    benchmark = expected_max_sharpe(n_trials, variance)
    sharpe, periods = observed_ratio(sharpe), check.number("n", n, above=1.0)
    if convention == "2014":
        return float(ndtr(_score(sharpe, benchmark, periods, skew, kurtosis, _CLASSIC)))
    score = _score(sharpe, benchmark, periods, skew, kurtosis, _RECENT)
    return float(ndtr(score / math.sqrt(max_normal_variance(float(n_trials)))))


def expected_max_sharpe(n_trials: float, variance: float) -> float:
    """Return the Sharpe ratio that the best of `n_trials` without skill is expected to show.

    Parameters
    ----------
    n_trials : float
        How many independent trials there were, at least 1.
    variance : float
        Variance of their ratios, in the square of the unit that the result shall have.

    Returns
    -------
    float
        0 for one trial.

    Raises
    ------
    ParamError
        If there is less than one trial or `variance` is negative.

    Notes
    -----
    ``sqrt(variance) * ((1 - g) * q(1 - 1/N) + g * q(1 - 1/(N*e)))`` with the quantile function q of
    the normal distribution and Euler's constant g, an approximation from extreme value theory:
    2.531 instead of 2.508 at 100 trials. D. Bailey, J. Borwein, M. López de Prado, Q. Zhu,
    "Pseudo-mathematics and financial charlatanism", Notices of the AMS 61(5), 2014.

    Examples
    --------
    >>> import broadpeak as bp
    >>> round(bp.stats.expected_max_sharpe(100, 0.5 / 250), 4)
    0.1132
    """
    trials = check.number("n_trials", n_trials, least=1.0)
    spread = math.sqrt(check.number("variance", variance, least=0.0))
    if trials == 1.0:
        return 0.0
    tail = 1.0 / trials
    # q(1 - p) is -q(p), which keeps its digits where p is small. Below two trials, which only an
    # estimate of effective trials has, the approximation falls under the 0 of a single one.
    expected = -(1.0 - _EULER) * float(ndtri(tail)) - _EULER * float(ndtri(tail / math.e))
    return spread * max(expected, 0.0)


def min_track_record_length(
    sharpe: float,
    *,
    benchmark: float = 0.0,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    confidence: float = 0.95,
    convention: str = "2012",
) -> float:
    """Return how many periods a record must have for `sharpe` to be above `benchmark`.

    Parameters
    ----------
    sharpe : float
        Observed ratio, per period.
    benchmark : float
        Ratio to beat, per period.
    skew, kurtosis : float
        Of the returns; the kurtosis of the normal distribution is 3.
    confidence : float
        Probability that `probabilistic_sharpe_ratio` shall reach, between 0 and 1.
    convention : "2012" or "2025"
        As there.

    Returns
    -------
    float
        Number of periods, not rounded; inf where `sharpe` is not above `benchmark`.

    Raises
    ------
    ParamError
        As `probabilistic_sharpe_ratio`.

    Notes
    -----
    D. Bailey, M. López de Prado, "The Sharpe ratio efficient frontier", J. of Risk 15(2), 2012.

    Examples
    --------
    >>> import math
    >>> import broadpeak as bp
    >>> day = 1 / math.sqrt(250)
    >>> periods = bp.stats.min_track_record_length(2 * day, benchmark=day)
    >>> round(periods / 250, 2)
    2.73
    """
    check.one_of("convention", convention, (_CLASSIC, _RECENT))
    sharpe, benchmark = observed_ratio(sharpe), check.number("benchmark", benchmark)
    recent = convention == _RECENT
    spread = _variance(benchmark if recent else sharpe, skew, kurtosis)
    quantile = float(ndtri(probability("confidence", confidence)))
    if sharpe <= benchmark:
        return math.inf
    errors = quantile / (sharpe - benchmark)
    return (0.0 if recent else 1.0) + spread * errors * errors  # inf where no float is enough


def min_backtest_length(n_trials: float, *, target: float = 1.0) -> float:
    """Return the years of history below which the best of `n_trials` reaches `target` by luck.

    Parameters
    ----------
    n_trials : float
        How many independent trials there were, at least 1.
    target : float
        Annual Sharpe ratio, above 0.

    Returns
    -------
    float
        Years.

    Raises
    ------
    ParamError
        If there is less than one trial or `target` is not positive.

    Notes
    -----
    D. Bailey, J. Borwein, M. López de Prado, Q. Zhu, "Pseudo-mathematics and financial
    charlatanism", Notices of the AMS 61(5), 2014. It is at most ``2 * log(n_trials) / target**2``.

    Examples
    --------
    >>> import broadpeak as bp
    >>> round(bp.stats.min_backtest_length(45), 1)  # five years of history: at most 45 trials
    5.0
    """
    ratio = expected_max_sharpe(n_trials, 1.0) / check.number("target", target, above=0.0)
    return ratio * ratio


def max_normal_variance(n_draws: float) -> float:
    """Return the variance of the largest of `n_draws` independent standard normal draws.

    Integrated, for any real number of at least one draw.

    Examples
    --------
    >>> round(max_normal_variance(1.0), 6), round(max_normal_variance(2.0), 6)  # 1 - 1 / pi
    (1.0, 0.68169)
    """
    # The density n φ Φ^(n-1) is smooth and dies out at both ends, where the trapezoidal rule is
    # exact to rounding; in logarithms a million draws do not underflow.
    end = max(12.0, 8.0 - float(ndtri(1.0 / n_draws)))
    x = np.arange(-4800, math.ceil(400.0 * end) + 1) / 400.0
    logs = math.log(n_draws) - 0.5 * x * x - 0.5 * math.log(2.0 * math.pi)
    density = np.exp(logs + (n_draws - 1.0) * log_ndtr(x)) * (x[1] - x[0])
    mean = float((x * density).sum())
    return float(((x - mean) ** 2 * density).sum())


def _score(
    sharpe: float, benchmark: float, periods: float, skew: float, kurtosis: float, convention: str
) -> float:
    """Return how many standard errors `sharpe` lies above `benchmark`."""
    recent = convention == _RECENT
    spread = _variance(benchmark if recent else sharpe, skew, kurtosis)
    return (sharpe - benchmark) * math.sqrt((periods if recent else periods - 1.0) / spread)


def _variance(sharpe: float, skew: float, kurtosis: float) -> float:
    """Return the variance of the estimate of a ratio `sharpe`, times the number of periods."""
    skew, kurtosis = check.number("skew", skew), check.number("kurtosis", kurtosis, least=1.0)
    if kurtosis < (1.0 + skew * skew) * (1.0 - 1e-9):
        rule = f"be at least 1 + skew², {1.0 + skew * skew:.6g}, as for every distribution"
        remedy = "Pass the kurtosis that is 3 for normal returns, not the excess over it."
        raise ParamError(broken_rule("kurtosis", rule, kurtosis, remedy))
    variance = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe
    if variance <= 1e-12:  # a coin with two sides, at the ratio where its estimate is exact
        rule = "leave the Sharpe ratio some variance"
        raise ParamError(broken_rule("skew and kurtosis", rule, (skew, kurtosis)))
    return variance
