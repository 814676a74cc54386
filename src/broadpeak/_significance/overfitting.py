# SPDX-License-Identifier: BSD-3-Clause
"""The probability of backtest overfitting: whether choosing adds anything out of sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import ArrayLike
from broadpeak._significance.returns import Returns, return_table
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import FloatArray, IntArray

_MOST_BLOCKS = 20  # 184,756 ways to halve them
_AT_ONCE = 4_000_000  # values held at a time


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
        scores = _metric_of(values, halves, blocks, metric)
    else:
        name: object = metric
        if not isinstance(name, str) or name not in _SUMMED:
            names = ", ".join(map(repr, _SUMMED))
            raise ParamError(broken_rule("metric", f"be one of {names}, or a function", metric))
        scores = _SUMMED[name](values, halves, blocks)
    if np.isnan(scores).all(axis=1).any():
        rule = "be a number for some configuration in every half"
        raise DataError(broken_rule("metric", rule, metric))
    # The other half of the i-th way is that of the i-th way from the end.
    return _pbo_of(scores, scores[::-1])


def _blocks(n_blocks: object) -> int:
    number = check.real(n_blocks)
    if number is None or number % 2 or not 2 <= number <= _MOST_BLOCKS:
        rule = f"be an even number from 2 to {_MOST_BLOCKS}"
        raise ParamError(broken_rule("n_blocks", rule, n_blocks))
    return int(number)


def _pbo_of(inside: FloatArray, outside: FloatArray) -> PBO:
    usable = np.where(np.isnan(inside), -np.inf, inside)
    chosen = usable.argmax(axis=1)
    ways = np.arange(len(chosen))
    logits = np.empty(len(chosen))
    step = max(1, _AT_ONCE // inside.shape[1])
    for start in range(0, len(chosen), step):
        part = slice(start, start + step)
        ranked = np.where(np.isnan(outside[part]), -np.inf, outside[part])
        own = ranked[np.arange(len(ranked)), chosen[part]][:, np.newaxis]
        rank = (ranked < own).sum(axis=1) + ((ranked == own).sum(axis=1) + 1) / 2
        share = rank / (inside.shape[1] + 1)
        logits[part] = np.log(share / (1.0 - share))
    x, y = inside[ways, chosen], outside[ways, chosen]
    slope, intercept = _least_squares(x, y)
    share_below = float((logits <= 0.0).mean())
    loss = float((y < 0.0).mean())
    return PBO(share_below, logits, slope, intercept, loss, _dominance(y, outside))


def _least_squares(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Return slope and intercept of the least-squares line; NaN where x does not vary."""
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    if len(x) < 2 or np.ptp(x) <= 1e-12 * np.abs(x).max():
        return math.nan, math.nan
    centred = x - x.mean()
    slope = float((centred * (y - y.mean())).sum() / (centred**2).sum())
    return slope, float(y.mean() - slope * x.mean())


def _dominance(chosen: FloatArray, everything: FloatArray) -> pd.DataFrame:
    chosen = np.sort(chosen[np.isfinite(chosen)])
    whole = np.sort(everything[np.isfinite(everything)])
    if not len(chosen):
        return pd.DataFrame({"chosen": [], "all": [], "second_order": []}, dtype=np.float64)
    grid = np.linspace(min(chosen[0], whole[0]), max(chosen[-1], whole[-1]), 101)
    ours = np.searchsorted(chosen, grid, side="right") / len(chosen)
    theirs = np.searchsorted(whole, grid, side="right") / len(whole)
    gap = theirs - ours
    area = np.concatenate([[0.0], np.cumsum((gap[1:] + gap[:-1]) / 2 * np.diff(grid))])
    index = pd.Index(grid, name="metric")
    return pd.DataFrame({"chosen": ours, "all": theirs, "second_order": area}, index=index)


def _sums(
    values: FloatArray, halves: IntArray, blocks: int
) -> tuple[FloatArray, Callable[[FloatArray], FloatArray], int]:
    """Return the sums of each half, a function that adds up further values, and its bars."""
    size = len(values) // blocks
    picked = np.zeros((len(halves), blocks))
    np.put_along_axis(picked, halves, 1.0, axis=1)

    def add(table: FloatArray) -> FloatArray:
        result: FloatArray = picked @ table.reshape(blocks, size, -1).sum(axis=1)
        return result

    return add(values), add, size * blocks // 2


def _mean(values: FloatArray, halves: IntArray, blocks: int) -> FloatArray:
    total, _, n = _sums(values, halves, blocks)
    return total / n


def _sharpe(values: FloatArray, halves: IntArray, blocks: int) -> FloatArray:
    """Return mean over standard deviation (ddof 1) of each half and configuration."""
    # Squares are summed around the overall mean, so that nothing cancels.
    middle = values.mean(axis=0)
    centred, add, n = _sums(values - middle, halves, blocks)
    squares = add((values - middle) ** 2)
    mean = centred / n + middle
    variance = (squares - centred**2 / n) / (n - 1)
    largest = np.abs(values).max(axis=0)
    deviation = np.sqrt(np.maximum(variance, 0.0))
    still = deviation <= 1e-9 * largest  # what is left of squares that cancel
    with np.errstate(divide="ignore", invalid="ignore"):
        scores: FloatArray = np.where(still, np.nan, mean / deviation)
    scores[still & (np.abs(mean) <= 1e-12 * largest)] = 0.0
    return scores


_SUMMED: dict[str, Callable[[FloatArray, IntArray, int], FloatArray]] = {
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
