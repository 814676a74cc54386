# SPDX-License-Identifier: BSD-3-Clause
"""The ways to pick from scores, `Hill`, `Plateau`, `Peak`, and what they pick for one parameter.

Notation: x values ascending, shape (n,); y their scores; S smoothed scores; w weights of a window.
`cells` has the same for several parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from broadpeak._core import check
from broadpeak._search.protocol import finite_scores
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import BoolArray, FloatArray

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

    Raises
    ------
    ParamError
        If `width` is no odd positive number or `edges` is unknown.

    Notes
    -----
    One parameter: the value is the centroid of the winning window, weighted with scores, usually
    between two steps. Several: the combination with the best smoothed score.

    Examples
    --------
    >>> Hill().weights
    (1, 2, 3, 2, 1)
    """

    width: int = 5
    edges: str = "include"

    def __post_init__(self) -> None:
        width = check.integer("width", self.width)
        if width % 2 == 0:
            rule = "be an odd number of steps"
            raise ParamError(broken_rule("width", rule, width, "Type Hill(width=5)."))
        object.__setattr__(self, "width", width)
        check.one_of("edges", self.edges, ("include", "inner"))

    @property
    def weights(self) -> tuple[int, ...]:
        """Triangular weights of the window."""
        half = self.width // 2
        return (*range(1, half + 2), *range(half, 0, -1))


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


Selector: TypeAlias = Hill | Plateau | Peak

_NAMES = ("hill", "plateau", "peak")


def resolve_selector(method: str | Selector, *, several: bool = False) -> Selector:
    """Return the selector that `method` names.

    Parameters
    ----------
    method : "hill", "plateau", "peak" or a selector
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
    Hill(width=3, edges='include')
    """
    if isinstance(method, (Hill, Plateau, Peak)):
        return method
    name = check.one_of("the selector", method, _NAMES)
    if name == "hill":
        return Hill(width=3) if several else Hill()
    return Plateau() if name == "plateau" else Peak()


@dataclass(frozen=True, slots=True)
class StepChoice:
    """What was chosen from a curve of scores."""

    value: float
    score: float  # the smoothed score at the value
    step: int  # the chosen step, from 0; of a value between two steps the nearest one
    peak: int  # the step with the best score
    window: tuple[int, int]  # first and last step that carried the choice


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
    selector : Hill, Plateau or Peak
        The rule.
    bias : float
        Percent; `Hill` only. Among steps whose smoothed score is within ``|bias|`` percent of the
        best, the one with the highest (positive) or lowest (negative) value is taken.
    """
    y = np.array(finite_scores(scores.tolist()))
    peak = lowest_best(y)
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


def _hill(x: FloatArray, y: FloatArray, peak: int, hill: Hill, bias: float) -> StepChoice:
    n, half = len(y), hill.width // 2
    w = np.array(hill.weights, dtype=np.float64)
    weight_sums = np.convolve(np.ones(n), w)[half : half + n]
    smooth = np.convolve(y, w)[half : half + n] / weight_sums
    first = half if hill.edges == "inner" and n >= hill.width else 0
    inner = smooth[first : n - first]
    best = float(inner.max())
    band = np.flatnonzero(inner >= best - abs(bias) / 100 * abs(best) - tie_width(y))
    step = first + int(band[-1] if bias > 0 else band[0])
    low, high = max(step - half, 0), min(step + half, n - 1)
    window = slice(low, high + 1)
    w = w[low - step + half : high - step + half + 1]
    value = centroid(x[window], y[window], w, float(x[step]))
    return StepChoice(value, float(smooth[step]), step, peak, (low, high))


def _plateau(x: FloatArray, y: FloatArray, peak: int, plateau: Plateau) -> StepChoice:
    c = despiked(y)
    best = float(c.max())
    # For a positive best this is `level * best`; below zero the same share of its size.
    reached = c >= best - (1 - plateau.level) * abs(best) - tie_width(y)
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
