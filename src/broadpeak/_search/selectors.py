# SPDX-License-Identifier: BSD-3-Clause
"""The three ways to pick from scores, as small values: `Hill`, `Plateau` and `Peak`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from broadpeak._core import check
from broadpeak.errors import ParamError, broken_rule

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
        return tuple(half + 1 - abs(offset) for offset in range(-half, half + 1))


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
