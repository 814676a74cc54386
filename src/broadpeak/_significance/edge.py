# SPDX-License-Identifier: BSD-3-Clause
"""Whether any of many configurations has an edge: the test that a verdict gates on."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from broadpeak._core import arrays, check
from broadpeak._core.aliases import ArrayLike
from broadpeak._core.labels import plain
from broadpeak._significance.resampling import block_or_best, resampled_means
from broadpeak._significance.returns import (
    LARGEST,
    MOST_DRAWS,
    Returns,
    in_own_units,
    probability,
    return_table,
    varies,
)
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import BoolArray, FloatArray, IntArray

_LEAST_DRAWS = 100  # fewer say nothing at 5 %
_PIECES, _MEMORY = 10, 2
"""Pieces of history in which exposure is measured; what follows from a bar's move ends with the
second one after its own."""
_TRIED, _HALVINGS = 200, 10  # of the search for the smallest edge: 3 % of power, 1 % of its size


@dataclass(frozen=True, slots=True)
class EdgeTest:
    """The result of `edge_test`; t values are means in units of their errors.

    Attributes
    ----------
    p_value : float
        Probability of a best configuration this good if none had an edge; never 0.
    statistic : float
        The largest t value.
    best : label
        Its column.
    critical : float
        The t value that the best would have needed for a p value of `alpha`.
    sharpe : float
        Sharpe ratio per bar of the best.
    detectable : float
        The smallest Sharpe ratio per bar that this test finds with probability `power`, if the best
        configuration alone has an edge.
    """

    p_value: float
    statistic: float
    best: Hashable
    critical: float
    sharpe: float
    detectable: float


def edge_test(
    returns: Returns,
    *,
    market: ArrayLike | None = None,
    n: int = 1000,
    block: float | None = None,
    seed: int | None = 0,
    alpha: float = 0.05,
    power: float = 0.8,
) -> EdgeTest:
    """Test whether any configuration has a mean return above 0.

    Parameters
    ----------
    returns : frame, array of shape (bars, configurations), Series or Portfolio
        NaN as everywhere in `broadpeak.stats`. Columns that do not vary are left out.
    market : array, Series or frame of shape (bars,) or (bars, symbols), optional
        Returns of what was traded. What a configuration earns because it was long or short of them
        on average is taken from its returns, so that holding a rising market is no edge.
    n : int
        Number of resampled histories, at least 100.
    block : float, optional
        Mean length of the blocks in bars; None: the mean `optimal_block_length` of the columns.
    seed : int or None
        None: different each time.
    alpha : float
        Level of ``critical`` and ``detectable``, between 0 and 1.
    power : float
        Probability of finding an edge of ``detectable``, between 0 and 1.

    Returns
    -------
    EdgeTest
        ``p_value``, ``statistic``, ``best``, ``critical``, ``sharpe``, ``detectable``.

    Raises
    ------
    DataError
        If no column varies, there are fewer than two bars, infinite returns, or `market` has
        another length.
    ParamError
        If an option is out of its range.

    See Also
    --------
    spa : The published test, which knows only absolute poorness.

    Notes
    -----
    A test of superior predictive ability [1]_ that recentres by differences. Where no configuration
    has an edge the best one is worth 0 at most, and one that is clearly below the best is worth
    less than 0 by that much; so it is no longer among those that luck chooses from. "Clearly" is
    Hansen's ``sqrt(2 log log T)``, in errors of the *difference*. Neighbours in a grid have most
    of their noise in common, so that differences are known far better than levels: an edge in a
    tenth of the cells need not pay for the search among the others. Rejecting cells first, and
    testing what is left, is the way of two-step tests of moment inequalities [2]_.

    Choosing by differences makes the share of luckier histories too small; so this share is only
    the statistic, and its own distribution is taken from the same histories, each treated as the
    observed one. That is exact where all means are 0, and conservative where some are below.

    Errors are those of the stationary bootstrap, so that they hold under autocorrelation.

    Exposure to `market` is the slope of the returns on it. At every bar that of other times counts:
    a trend follower is long after the market has risen, so that the exposure of the same time would
    take luck from it that it did not have.

    References
    ----------
    .. [1] P. R. Hansen, "A test for superior predictive ability", J. of Business and Economic
       Statistics 23(4), 2005.
    .. [2] J. Romano, A. Shaikh, M. Wolf, "A practical two-step method for testing moment
       inequalities", Econometrica 82(5), 2014.

    Examples
    --------
    >>> import numpy as np
    >>> returns = np.random.default_rng(1).normal(0.0, 0.01, size=(500, 20))
    >>> edge_test(returns).p_value > 0.1
    True
    >>> returns[:, 3] += 0.002
    >>> found = edge_test(returns)
    >>> found.best, found.p_value < 0.01, bool(found.statistic > found.critical)
    (3, True, True)
    """
    check.integer("n", n, _LEAST_DRAWS, MOST_DRAWS)
    alpha, power = probability("alpha", alpha), probability("power", power)
    table = return_table(returns)
    gains = table.values if market is None else without_market(table.values, market, table.kept)
    used = varies(gains)
    if not used.any():
        raise DataError("returns must vary in at least one column, got only constant ones.")
    gains = in_own_units(gains[:, used])  # ratios alone count
    mean, deviation = gains.mean(axis=0), gains.std(axis=0, ddof=1)
    luck = resampled_means(gains, int(n), block_or_best(block, gains), seed) - mean
    # A column with returns at one bar or two may come out alike in all histories.
    error = np.maximum(luck.std(axis=0), 1e-3 * deviation / math.sqrt(len(gains)))
    luck /= error
    scores = mean / error
    best = int(scores.argmax())
    race = _Race(luck, np.unique(np.append(luck.argmax(axis=1), best)), clearly(len(gains)))
    counts = np.array([race.overtaken(history) for history in luck])
    # Each history is one of those that are at least as good as itself, and so is the observed one.
    found = race.overtaken(scores) + 1
    better = (counts < found) | ((counts == found) & (luck.max(axis=1) >= scores[best]))
    p_value = (1 + int(better.sum())) / (1 + len(luck))
    # The count that is just significant, and the height at which the rivals of today leave it.
    just = int(np.sort(counts)[max(math.floor(alpha * (1 + len(luck))) - 1, 0)])
    heights = np.sort(race.heights(scores))[::-1]
    critical = float(heights[just - 1])
    needed = _needed(race, luck, best, just, power)
    return EdgeTest(
        p_value=p_value,
        statistic=float(scores[best]),
        best=plain(table.labels[used][best]),
        critical=critical,
        sharpe=float(mean[best] / deviation[best]),
        detectable=needed * float(error[best] / deviation[best]),
    )


def _needed(race: _Race, luck: FloatArray, best: int, just: int, power: float) -> float:
    """Return the mean, in errors, that the column `best` alone needs to be found with `power`."""
    low, high = 0.0, 2.0 * float(luck.max()) + 5.0
    some = luck[:_TRIED].copy()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        some[:, best] = luck[:_TRIED, best] + middle
        found = np.mean([race.overtaken(history) < just for history in some])
        low, high = (low, middle) if found >= power else (middle, high)
    return high


def clearly(n_bars: int) -> float:
    """Return how many errors below is clearly below, ``sqrt(2 log log T)``."""
    # With a handful of bars log log T is not positive: then everything is.
    return math.sqrt(2.0 * max(math.log(math.log(max(n_bars, 3))), 0.0))


def without_market(values: FloatArray, market: ArrayLike, kept: BoolArray) -> FloatArray:
    """Return the returns less the mean exposure of each configuration to each symbol.

    Raises
    ------
    DataError
        If `market` does not hold one return a bar, or infinite ones.
    """
    columns, _ = arrays.unwrap("market", market)
    if columns.shape[1] != len(kept):
        rule = f"hold one return for each of the {len(kept)} bars"
        raise DataError(broken_rule("market", rule, columns.T.shape))
    lines = np.nan_to_num(columns[:, kept], posinf=np.inf, neginf=-np.inf).T
    if (np.abs(lines) > LARGEST).any():
        raise DataError(f"market must be numbers below {LARGEST:g}, or NaN, got a larger one.")
    pieces = np.array_split(np.arange(len(lines)), max(min(_PIECES, len(lines) // 10), 1))
    exposures = np.array([_exposure(values[piece], lines[piece]) for piece in pieces])
    result = values.copy()
    few = len(pieces) <= _MEMORY + 1
    for number, piece in enumerate(pieces):
        # What was held in this piece and the next ones may have followed from its own moves.
        own = range(number, 0 if few else number + _MEMORY + 1)
        others = [other for other in range(len(pieces)) if other not in own]
        result[piece] -= lines[piece] @ exposures[others].mean(axis=0)
    return result


def _exposure(values: FloatArray, lines: FloatArray) -> FloatArray:
    """Return the least-squares slopes of `values` on `lines`, shape (symbols, columns)."""
    centred = lines - lines.mean(axis=0)
    result: FloatArray = np.linalg.lstsq(centred, values - values.mean(axis=0), rcond=None)[0]
    return result


class _Race:
    """How often luck overtakes: the same question for the observed t values and for each history.

    Attributes
    ----------
    histories : float64 array, shape (n, columns)
        t values of luck alone, those with the highest tops first.
    """

    def __init__(self, luck: FloatArray, leaders: IntArray, clear: float) -> None:
        tops = luck.max(axis=1)
        order = np.argsort(-tops, kind="stable")
        self.histories = luck[order]
        self._tops, self._most = -tops[order], luck.max(axis=0)
        self._row = {int(leader): row for row, leader in enumerate(leaders)}
        # Both have unit variance: that of their difference is known from their correlation.
        common = luck[:, leaders].T @ luck / len(luck)
        self._clear = clear * np.sqrt(np.maximum(2.0 - 2.0 * common, 0.0))

    def handicaps(self, scores: FloatArray) -> FloatArray:
        """Return how far below 0 each column is, if its t value is `scores` and the best is 0."""
        best = int(scores.argmax())
        result: FloatArray = np.minimum(scores - scores[best] + self._clear[self._row[best]], 0.0)
        return result

    def heights(self, scores: FloatArray) -> FloatArray:
        """Return the largest t value of each history against these."""
        result: FloatArray = (self.histories + self.handicaps(scores)).max(axis=1)
        return result

    def overtaken(self, scores: FloatArray) -> int:
        """Return how many histories have a largest t value at least as high as `scores`."""
        top, handicaps = scores.max(), self.handicaps(scores)
        # Others can't: no handicap lifts.
        last = int(np.searchsorted(self._tops, -top, side="right"))
        able = np.flatnonzero(self._most + handicaps >= top)
        if not last or not len(able):
            return 0
        rivals = self.histories[:last, able] + handicaps[able]
        return int((rivals.max(axis=1) >= top).sum())
