# SPDX-License-Identifier: BSD-3-Clause
"""The ways to pick from scores, and what they pick for one parameter.

Notation: x values ascending, shape (n,); y their scores; c scores cut to their best neighbour; S
smoothed scores; w weights of a window. `cells` has the same for several parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from broadpeak._core import check
from broadpeak._search.protocol import LARGEST, finite_scores
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import BoolArray, FloatArray, IntArray

TIE = 1e-12
"""Scores closer than this share of the largest one are equal; the lowest index wins."""


@dataclass(frozen=True, slots=True)
class Hill:
    """Pick the middle of the best hill: triangular smoothing, then its highest point.

    Parameters
    ----------
    width : int, odd
        Steps in the window. 5 weighs them (1, 2, 3, 2, 1), 3 weighs them (1, 2, 1).
    edges : "include" or "inner"
        What happens at the ends of a range: the weights that are left are scaled up, or only steps
        with a full window are candidates (as the platform seems to do whose manual describes this
        search). Ranges shorter than the window are treated as with "include".
    clip : bool
        Count a score no more than its best direct neighbour before smoothing, so that a lone spike
        carries nothing, however high it is. False smooths the scores as they are: it reproduces the
        numbers of that manual, and there a spike wins from about three times a hill.

    Raises
    ------
    ParamError
        If `width` is no odd positive number, `edges` is unknown or `clip` is no flag.

    Notes
    -----
    One parameter: the value is the centroid of the winning window, weighted with scores, usually
    between two steps. Several: the combination with the best smoothed score.

    Where smoothed scores tie after clipping, those without clipping decide, then the lowest step:
    of two steps alone, which both count as the lower one, the better one is taken.

    Examples
    --------
    >>> Hill().weights
    (1, 2, 3, 2, 1)
    """

    width: int = 5
    edges: str = "include"
    clip: bool = True

    def __post_init__(self) -> None:
        width = check.integer("width", self.width)
        if width % 2 == 0:
            rule = "be an odd number of steps"
            raise ParamError(broken_rule("width", rule, width, "Type Hill(width=5)."))
        object.__setattr__(self, "width", width)
        check.one_of("edges", self.edges, ("include", "inner"))
        object.__setattr__(self, "clip", check.flag("clip", self.clip))

    @property
    def weights(self) -> tuple[int, ...]:
        """Triangular weights of the window."""
        half = self.width // 2
        return (*range(1, half + 2), *range(half, 0, -1))


HILL, HILL_OF_SEVERAL = Hill(), Hill(width=3)
"""What "hill" means: five steps of one parameter, three of each of several."""


@dataclass(frozen=True, slots=True)
class Plateau:
    """Pick the centre of the largest stretch of scores near the best.

    Parameters
    ----------
    level : float in (0, 1]
        Share of the best score that a step must reach to belong to the plateau.

    Raises
    ------
    ParamError
        If `level` is outside (0, 1].

    Notes
    -----
    A step counts no more than its better neighbour, so that a lone spike carries nothing. The
    stretch with the largest sum wins: broad beats high.

    Examples
    --------
    >>> Plateau(level=0.95)
    Plateau(level=0.95)
    """

    level: float = 0.9

    def __post_init__(self) -> None:
        level = check.real(self.level)
        if level is None or not 0 < level <= 1:
            rule = "be a share of the best score, above 0 and at most 1"
            raise ParamError(broken_rule("level", rule, self.level, "Type Plateau(level=0.9)."))


@dataclass(frozen=True, slots=True)
class Peak:
    """Pick the single highest score.

    Examples
    --------
    >>> Peak()
    Peak()
    """


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Take the best share of all combinations together, each with the same weight.

    Parameters
    ----------
    share : float in (0, 1]
        Share of the usable combinations that belong to it, rounded half up; at least one.
    hill : Hill, optional
        How combinations are ranked. Default: as "hill" does.

    Raises
    ------
    ParamError
        If `share` is outside (0, 1], or `hill` is no `Hill`.

    Notes
    -----
    Combinations are ranked by their smoothed scores. Those that tie for the last places
    share them. Where one combination is asked for, it is the one that `Hill` picks.

    An ascent takes the best share of the steps of each parameter; its ensemble is the cross product
    of them, with weights multiplied.

    Examples
    --------
    >>> Ensemble(share=0.25).share
    0.25
    """

    share: float = 0.1
    hill: Hill | None = None

    def __post_init__(self) -> None:
        share = check.real(self.share)
        if share is None or not 0 < share <= 1:
            rule = "be a share of the combinations, above 0 and at most 1"
            raise ParamError(broken_rule("share", rule, self.share, "Type Ensemble(share=0.1)."))
        object.__setattr__(self, "share", float(share))
        hill: object = self.hill
        if hill is not None and not isinstance(hill, Hill):
            rule = "be a Hill, or left out"
            raise ParamError(broken_rule("hill", rule, hill, "Type hill=bp.Hill(width=5)."))


Selector: TypeAlias = Hill | Plateau | Peak | Ensemble

Members: TypeAlias = tuple[tuple[int, float], ...]
"""Positions and weights of an ensemble, the best first; weights sum to 1."""

SELECTORS = ("hill", "plateau", "peak", "ensemble")


def resolve_selector(method: str | Selector, *, several: bool = False) -> Selector:
    """Return the selector that `method` names.

    Parameters
    ----------
    method : "hill", "plateau", "peak", "ensemble" or a selector
        What the user passed. A name stands for its defaults.
    several : bool
        Whether several parameters are chosen at once; "hill" is then three steps wide, not five.

    Raises
    ------
    ParamError
        If it is neither.

    Examples
    --------
    >>> resolve_selector("hill", several=True)
    Hill(width=3, edges='include', clip=True)
    """
    if isinstance(method, (Hill, Plateau, Peak, Ensemble)):
        return method
    name = check.one_of("the selector", method, SELECTORS)
    if name == "hill":
        return HILL_OF_SEVERAL if several else HILL
    if name == "ensemble":
        return Ensemble()
    return Plateau() if name == "plateau" else Peak()


@dataclass(frozen=True, slots=True)
class StepChoice:
    """What was chosen from a curve of scores."""

    value: float
    score: float  # the smoothed score at the value
    step: int  # the chosen step, from 0; of a value between two steps the nearest one
    peak: int  # the step with the best score
    window: tuple[int, int]  # first and last step that carried the choice
    members: Members = ()  # steps and weights of an `Ensemble`; empty for any other selector


def choose_step(
    x: FloatArray, scores: FloatArray, selector: Selector, bias: float = 0.0
) -> StepChoice:
    """Return what `selector` picks from the `scores` of the steps `x`.

    Parameters
    ----------
    x : array of float, shape (n_steps,), ascending
        Values of the parameter.
    scores : array of float, shape (n_steps,)
        Higher is better; one that is not finite counts as ``min(0, worst finite)``.
    selector : Hill, Plateau, Peak or Ensemble
        The rule.
    bias : float
        Percent; `Hill` and `Ensemble` only. Among steps whose smoothed score is within ``|bias|``
        percent of the best, the one with the highest (positive) or lowest (negative) value is
        taken.
    """
    y = np.array(finite_scores(scores.tolist()))
    peak = lowest_best(y)
    if isinstance(selector, Ensemble):
        usable = np.abs(scores) <= LARGEST
        return _ensemble(x, y, usable, peak, selector, bias)
    if isinstance(selector, Hill):
        return _hill(x, y, peak, selector, bias)
    if isinstance(selector, Plateau):
        return _plateau(x, y, peak, selector)
    return StepChoice(float(x[peak]), float(y[peak]), peak, peak, (peak, peak))


def lowest_best(y: FloatArray) -> int:
    """Return the first index whose value ties with the largest."""
    return int(np.argmax(y >= y.max() - tie_width(y)))


def tie_width(y: FloatArray) -> float:
    """Return the difference up to which two values of `y` are equal."""
    return TIE * float(np.abs(y).max())


def centroid(x: FloatArray, y: FloatArray, w: FloatArray, middle: float) -> float:
    """Return the mean of `x` weighted with ``w * y``, or `middle` where the weights vanish.

    Scores with one at or below zero cannot weigh; their height above the lowest one does.
    """
    heights = y if y.min() > 0 else y - y.min()
    weights = w * heights
    total = float(weights.sum())
    if total <= 0:
        return middle
    # Distances from the middle cancel exactly on a symmetric hill: its centre stays a round number.
    value = middle + float((weights * (x - middle)).sum()) / total
    return min(max(value, float(x[0])), float(x[-1]))


def _smoothed(y: FloatArray, hill: Hill) -> tuple[FloatArray, FloatArray]:
    """Return the scores as the hill counts them, and these smoothed."""
    c = despiked(y) if hill.clip else y
    n, half = len(y), hill.width // 2
    w = np.array(hill.weights, dtype=np.float64)
    weight_sums = np.convolve(np.ones(n), w)[half : half + n]
    return c, np.convolve(c, w)[half : half + n] / weight_sums


def _hill(x: FloatArray, y: FloatArray, peak: int, hill: Hill, bias: float) -> StepChoice:
    n, half = len(y), hill.width // 2
    c, smooth = _smoothed(y, hill)
    first = half if hill.edges == "inner" and n >= hill.width else 0
    inner = smooth[first : n - first]
    best = float(inner.max())
    band = np.flatnonzero(inner >= best - abs(bias) / 100 * abs(best) - tie_width(c))
    if hill.clip and len(band) > 1 and bias == 0:
        # Of two steps both count as the lower one: what was cut off decides between equals.
        uncut = _smoothed(y, replace(hill, clip=False))[1][first : n - first][band]
        band = band[[lowest_best(uncut)]]
    step = first + int(band[-1] if bias > 0 else band[0])
    low, high = max(step - half, 0), min(step + half, n - 1)
    window = slice(low, high + 1)
    w = np.array(hill.weights, dtype=np.float64)[low - step + half : high - step + half + 1]
    value = centroid(x[window], c[window], w, float(x[step]))
    return StepChoice(value, float(smooth[step]), step, peak, (low, high))


def _ensemble(
    x: FloatArray, y: FloatArray, usable: BoolArray, peak: int, ensemble: Ensemble, bias: float
) -> StepChoice:
    hill = ensemble.hill or HILL
    one = _hill(x, y, peak, hill, bias)
    uncut = _smoothed(y, replace(hill, clip=False))[1]
    return replace(one, members=best_share(_smoothed(y, hill)[1], uncut, usable, ensemble.share))


def best_share(smooth: FloatArray, uncut: FloatArray, usable: BoolArray, share: float) -> Members:
    """Return the best `share` of the usable positions, by `smooth`, between equals by `uncut`."""
    at = np.flatnonzero(usable)
    if not len(at):
        return ()
    places = max(1, math.floor(share * len(at) + 0.5))
    rank = tied_ranks(smooth[at], uncut[at])
    last = np.partition(rank, places - 1)[places - 1]
    # What ties for the last places shares them, so that no order of the rows counts.
    ahead, level = at[rank < last], at[rank == last]
    ahead = ahead[np.argsort(rank[rank < last], kind="stable")]
    left = (places - len(ahead)) / len(level)
    weights = [1 / places] * len(ahead) + [left / places] * len(level)
    return tuple(zip([*ahead.tolist(), *level.tolist()], weights, strict=True))


def tied_ranks(smooth: FloatArray, uncut: FloatArray) -> IntArray:
    """Return the rank of each position, 0 the best; equals (within `TIE`) have the same rank."""
    levels = _tied_levels(smooth)
    order = np.lexsort((-_tied_levels(uncut), -levels))
    keys = np.stack((levels, _tied_levels(uncut)))[:, order]
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.cumsum(np.append(False, (np.diff(keys, axis=1) != 0).any(axis=0)))
    return ranks


def _tied_levels(values: FloatArray) -> IntArray:
    """Return a number for each value, ascending, the same for those closer than `TIE`."""
    order = np.argsort(values)
    levels = np.empty(len(order), dtype=np.int64)
    levels[order] = np.cumsum(np.append(False, np.diff(values[order]) > tie_width(values)))
    return levels


def _plateau(x: FloatArray, y: FloatArray, peak: int, plateau: Plateau) -> StepChoice:
    c = despiked(y)
    best = float(c.max())
    # For a positive best this is `level * best`; below zero the same share of its size.
    reached = c >= best - (1 - plateau.level) * abs(best) - tie_width(c)
    low, high = _largest_run(c, _runs(reached))
    run = slice(low, high + 1)
    value = centroid(x[run], c[run], np.ones(high - low + 1), float(x[(low + high) // 2]))
    step = int(np.argmin(np.abs(x - value)))
    return StepChoice(value, float(c[run].mean()), step, peak, (low, high))


def despiked(y: FloatArray) -> FloatArray:
    """Return `y` with every step cut to its better neighbour."""
    if len(y) == 1:
        return y
    padded = np.concatenate(([-np.inf], y, [-np.inf]))
    return np.minimum(y, np.maximum(padded[:-2], padded[2:]))


def curve_robustness(y: FloatArray, step: int) -> float:
    """Return `kept_lead` for a `step` of a curve of finite scores; NaN where it is alone."""
    if len(y) < 2:
        return math.nan
    c = despiked(y)
    near = c[max(step - 1, 0) : step + 2].tolist()
    del near[min(step, 1)]
    return kept_lead(sum(near) / len(near), y, float(y[step]), float(c.max()))


def kept_lead(around: float, y: FloatArray, own: float, best: float) -> float:
    """Return the share of a choice's lead over the median score that its neighbours keep.

    `around` is the mean of the neighbours, `own` the score of the choice, `best` the best score
    that has a neighbour as high: a spike elsewhere does not count against a choice.
    """
    usual = _median(y)
    lead = max(own, best) - usual
    if math.isnan(around):
        return math.nan
    if lead <= tie_width(np.append(usual, own)):
        return 1.0
    return min(max((around - usual) / lead, 0.0), 1.0)


def _median(y: FloatArray) -> float:
    """Return the median of numbers: of few of them quicker than NumPy does, and the same."""
    n = len(y)
    if n > MOST_SORTED:
        return float(np.median(y))
    ordered = sorted(y.tolist())
    middle: float = ordered[n // 2]
    return middle if n % 2 else (ordered[n // 2 - 1] + middle) / 2


MOST_SORTED = 100
"""Up to so many numbers Python sorts as fast as NumPy is called."""

LOW_ROBUSTNESS = 0.2
"""Below it the neighbours of a choice do not carry it.

Simulated, 300 surfaces a case: of independent noise it finds 75 to 90 % of the peaks on 8 to 30
steps or 10 x 10 combinations, and 7 to 36 % of what "hill" chooses there; of what "hill" picks
from real hills it accuses 2 % or less from 13 steps or 5 x 5 combinations on.
"""

MIN_JUDGED = 8
"""With fewer scores robustness is not judged: half of the real hills would be accused."""


def is_narrow(robustness: float, n_scores: int) -> bool:
    """Return whether the surroundings of a choice from `n_scores` scores do not carry it."""
    return n_scores >= MIN_JUDGED and robustness < LOW_ROBUSTNESS


def _runs(inside: BoolArray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], inside, [False])).astype(np.int8)))
    return [(int(low), int(high) - 1) for low, high in edges.reshape(-1, 2)]


def _largest_run(c: FloatArray, runs: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the run of the largest sum; one step alone only where there is nothing else."""
    broad = [run for run in runs if run[1] > run[0]] or runs
    sums = np.array([c[low : high + 1].sum() for low, high in broad])
    means = np.array([c[low : high + 1].mean() for low, high in broad])
    ties = np.flatnonzero(sums >= sums.max() - tie_width(sums))
    best = ties[lowest_best(means[ties])]
    return broad[int(best)]
