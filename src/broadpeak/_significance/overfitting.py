# SPDX-License-Identifier: BSD-3-Clause
"""The probability of backtest overfitting: whether choosing adds anything out of sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import ArrayLike
from broadpeak._significance.returns import Returns, in_own_units, return_table
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import FloatArray, IntArray

_MOST_BLOCKS = 20  # 184,756 ways to halve them
_AT_ONCE = 100_000  # scores held at a time: they stay in the cache
_TIE = 1e-12  # relative; the same returns in another size differ by rounding

_Scores: TypeAlias = Callable[[int, int], FloatArray]
"""The metric in some of the halves, shape (halves, configurations)."""


@dataclass(frozen=True, slots=True)
class PBO:
    """What choosing the best is worth out of sample.

    Attributes
    ----------
    pbo : float
        Share of all ways to halve the history in which the best of one half is below the median
        of the other. 0.5 is what choosing among equals gives.
    logits : float64 array
        One a way: log odds of the rank out of sample; 0 is the median.
    slope, intercept : float
        Of the straight line of the metric out of sample over that in sample, of the chosen; NaN
        where all values in sample are the same.
    prob_loss : float
        Share of the ways in which the chosen one lost out of sample.
    dominance : DataFrame
        By metric out of sample: the cumulative distributions ``chosen`` and ``all``, and
        ``second_order``, the area between them up to there. Nowhere below 0: every risk-averse
        investor prefers choosing over drawing a configuration at random.
    """

    pbo: float
    logits: FloatArray
    slope: float
    intercept: float
    prob_loss: float
    dominance: pd.DataFrame = field(repr=False)


def pbo(
    returns: Returns,
    *,
    n_blocks: int = 16,
    metric: str | Callable[[FloatArray], ArrayLike] = "sharpe",
) -> PBO:
    """Return the probability of backtest overfitting, by symmetric cross-validation (CSCV).

    The history is cut into blocks. In every half of them the best configuration is chosen, and its
    rank among all is looked up in the other half.

    Parameters
    ----------
    returns : frame or array of shape (bars, configurations), or Portfolio
        At least two configurations. NaN as everywhere in `broadpeak.stats`.
    n_blocks : int
        Number of blocks, even, from 2 to 20; bars that do not fill them are left out at the start.
    metric : "sharpe", "mean" or callable
        What to choose by: array (bars, configurations) → one value a configuration. NaN ranks
        last. "sharpe" is 0 for one that did not trade.

    Returns
    -------
    PBO
        ``pbo``, ``logits``, ``slope``, ``intercept``, ``prob_loss`` and ``dominance``.

    Raises
    ------
    DataError
        If there are fewer than two columns, or fewer than two bars a block.
    ParamError
        If an option is out of its range, or the callable does not give one value a configuration.

    Notes
    -----
    D. Bailey, J. Borwein, M. López de Prado, Q. Zhu, "The probability of backtest overfitting",
    J. of Computational Finance 20(4), 2017. Ranks are over N + 1, ties share their mean rank; in
    sample the first of several best is taken. It measures what choosing adds, not whether there is
    an edge: 0.5 where all configurations are equally good. On noise a single value scatters by
    about 0.14.

    Examples
    --------
    >>> import numpy as np
    >>> import broadpeak as bp
    >>> returns = np.random.default_rng(1).normal(0.0, 0.01, size=(1000, 50))
    >>> returns[:, 7] += 0.003
    >>> bp.stats.pbo(returns).pbo
    0.0
    """
    blocks = _blocks(n_blocks)
    table = return_table(returns, least_bars=2 * blocks, least_columns=2)
    values = table.values[len(table.values) % blocks :]
    halves = np.array(list(combinations(range(blocks), blocks // 2)))
    if callable(metric):
        known = _metric_of(values, halves, blocks, metric)
        return _pbo_of(lambda start, stop: known[start:stop], *known.shape)
    name: object = metric
    if not isinstance(name, str) or name not in _SUMMED:
        names = ", ".join(map(repr, _SUMMED))
        raise ParamError(broken_rule("metric", f"be one of {names}, or a function", metric))
    scores = _SUMMED[name](values, halves, blocks)
    return _pbo_of(scores, len(halves), values.shape[1])


def _blocks(n_blocks: object) -> int:
    number = check.real(n_blocks)
    if number is None or number % 2 or not 2 <= number <= _MOST_BLOCKS:
        rule = f"be an even number from 2 to {_MOST_BLOCKS}"
        raise ParamError(broken_rule("n_blocks", rule, n_blocks))
    return int(number)


def _pbo_of(scores: _Scores, n_ways: int, n_columns: int) -> PBO:
    step = max(1, _AT_ONCE // n_columns)
    parts = [(start, min(start + step, n_ways)) for start in range(0, n_ways, step)]
    x, y, ranks = np.empty(n_ways), np.empty(n_ways), np.empty(n_ways)
    least, most = math.inf, -math.inf
    for start, stop in parts:
        inside = scores(start, stop)
        # The other half of the i-th way is that of the i-th way from the end.
        outside = scores(n_ways - stop, n_ways - start)[::-1]
        chosen = _best(inside)
        ways = np.arange(stop - start)
        x[start:stop], y[start:stop] = inside[ways, chosen], outside[ways, chosen]
        ranks[start:stop] = _rank(outside, y[start:stop])
        finite = inside[np.isfinite(inside)]
        if len(finite):
            least, most = min(least, finite.min()), max(most, finite.max())
    share = ranks / (n_columns + 1)
    logits = np.log(share / (1.0 - share))
    share_below = float((logits <= 0.0).mean())
    loss = float((y < 0.0).mean())
    drawn = y[np.isfinite(y)]
    grid = np.linspace(least, most, 101) if len(drawn) else np.empty(0)
    at_most = np.zeros(len(grid), dtype=np.int64)
    n_finite = 0
    for start, stop in parts if len(grid) else ():
        part = scores(start, stop)
        finite = np.sort(part[np.isfinite(part)])
        at_most += np.searchsorted(finite, grid, side="right")
        n_finite += len(finite)
    dominance = _dominance(grid, np.sort(drawn), at_most / max(n_finite, 1))
    return PBO(share_below, logits, *_least_squares(x, y), loss, dominance)


def _best(scores: FloatArray) -> IntArray:
    """Return the first of the best columns of each row."""
    usable = np.where(np.isnan(scores), -np.inf, scores)
    most = usable.max(axis=1)
    if (most == -np.inf).any() and np.isnan(scores).all(axis=1).any():
        rule = "be a number for some configuration in every half"
        raise DataError(f"metric must {rule}, got NaN for all of them in one.")
    first: IntArray = (usable >= _less_rounding(most)[:, np.newaxis]).argmax(axis=1)
    return first


def _rank(scores: FloatArray, own: FloatArray) -> FloatArray:
    """Return the rank of `own` in each row, from 1 for the least; ties share their mean."""
    own = np.where(np.isnan(own), -np.inf, own)
    ranked = np.where(np.isnan(scores), -np.inf, scores)
    below = (ranked < _less_rounding(own)[:, np.newaxis]).sum(axis=1)
    up_to = (ranked <= -_less_rounding(-own)[:, np.newaxis]).sum(axis=1)
    result: FloatArray = (below + up_to + 1) / 2
    return result


def _less_rounding(values: FloatArray) -> FloatArray:
    """Return the least number that counts as equal to each of `values`."""
    return values - np.where(np.isfinite(values), _TIE * np.abs(values), 0.0)


def _least_squares(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Return slope and intercept of the least-squares line; NaN where x does not vary."""
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    if len(x) < 2 or np.ptp(x) <= 1e-12 * np.abs(x).max():
        return math.nan, math.nan
    exponent = int(np.frexp(np.abs(x).max())[1])  # so that squares stay within the floats
    x = np.ldexp(x, -exponent)
    centred = x - x.mean()
    slope = float((centred * (y - y.mean())).sum() / (centred**2).sum())
    return math.ldexp(slope, -exponent), float(y.mean() - slope * x.mean())


def _dominance(grid: FloatArray, chosen: FloatArray, theirs: FloatArray) -> pd.DataFrame:
    """Return both distributions on a grid: of sorted chosen values, and the shares of all."""
    ours = np.searchsorted(chosen, grid, side="right") / max(len(chosen), 1)
    gap = theirs - ours
    area = np.concatenate(
        [np.zeros(len(grid))[:1], np.cumsum((gap[1:] + gap[:-1]) / 2 * np.diff(grid))]
    )
    index = pd.Index(grid, name="metric")
    return pd.DataFrame({"chosen": ours, "all": theirs, "second_order": area}, index=index)


def _sums(values: FloatArray, halves: IntArray, blocks: int) -> _Scores:
    """Return the sums of any halves.

    Of the sums of all subsets of the first and of the last blocks: a column's do not depend on
    where it stands, as those of a product of matrices do, and equal columns stay equal.
    """
    of_blocks = values.reshape(blocks, len(values) // blocks, -1).sum(axis=1)
    few = blocks // 2
    subsets = (_subset_sums(of_blocks[:few]), _subset_sums(of_blocks[few:]))
    codes = (
        np.where(halves < few, 1 << halves, 0).sum(axis=1),
        np.where(halves < few, 0, 1 << np.maximum(halves - few, 0)).sum(axis=1),
    )

    def of(start: int, stop: int) -> FloatArray:
        result: FloatArray = subsets[0][codes[0][start:stop]]
        result += subsets[1][codes[1][start:stop]]
        return result

    return of


def _subset_sums(blocks: FloatArray) -> FloatArray:
    """Return the sum of each subset of the rows; bit k of its number stands for row k."""
    sums = np.zeros((1, blocks.shape[1]))
    for row in blocks:
        sums = np.concatenate([sums, sums + row])
    return sums


def _mean(values: FloatArray, halves: IntArray, blocks: int) -> _Scores:
    total = _sums(values, halves, blocks)
    return lambda start, stop: total(start, stop) / (len(values) // 2)


def _sharpe(values: FloatArray, halves: IntArray, blocks: int) -> _Scores:
    """Return mean over standard deviation (ddof 1) of any halves."""
    n = len(values) // 2
    values = in_own_units(values)  # a ratio has no unit
    # Squares are summed around the overall mean, so that nothing cancels.
    middle = values.mean(axis=0)
    centred = _sums(values - middle, halves, blocks)
    squares = _sums((values - middle) ** 2, halves, blocks)
    largest = np.abs(values).max(axis=0)

    def of(start: int, stop: int) -> FloatArray:
        mean = centred(start, stop) / n
        deviation = squares(start, stop)
        deviation -= n * mean**2
        mean += middle
        deviation /= n - 1
        np.sqrt(np.maximum(deviation, 0.0, out=deviation), out=deviation)
        still = deviation <= 1e-9 * largest  # what is left of squares that cancel
        if not still.any():
            return np.divide(mean, deviation, out=mean)
        deviation[still] = np.nan
        scores: FloatArray = mean / deviation
        scores[still & (np.abs(mean) <= 1e-12 * largest)] = 0.0
        return scores

    return of


_SUMMED: dict[str, Callable[[FloatArray, IntArray, int], _Scores]] = {
    "sharpe": _sharpe,
    "mean": _mean,
}


def _metric_of(
    values: FloatArray, halves: IntArray, blocks: int, metric: Callable[[FloatArray], ArrayLike]
) -> FloatArray:
    pieces = values.reshape(blocks, -1, values.shape[1])
    scores = np.empty((len(halves), values.shape[1]))
    for way, half in enumerate(halves):
        answer = np.asarray(metric(pieces[half].reshape(-1, values.shape[1])))
        if answer.shape != (values.shape[1],) or answer.dtype.kind not in "fiub":
            rule = f"give one number for each of the {values.shape[1]} columns"
            raise ParamError(broken_rule("metric", rule, answer.shape or answer.item()))
        scores[way] = answer
    return scores
