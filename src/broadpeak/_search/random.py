# SPDX-License-Identifier: BSD-3-Clause
"""Random search: distinct combinations drawn from the grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from broadpeak._core import check, rng
from broadpeak._search.protocol import Choice, Point, SearchPosition
from broadpeak._search.searchspace import SearchSpace
from broadpeak._search.selectors import Selector, resolve_selector
from broadpeak._search.stepgrid import Codes, StepGrid, choose, code_array, draw, even_grid


@dataclass(frozen=True, slots=True)
class RandomState:
    """The combinations that were drawn, and the scores of the first of them."""

    grid: StepGrid
    codes: tuple[Codes, ...]
    scores: tuple[float, ...] = ()
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Random:
    """Evaluate combinations drawn at random, none twice.

    Parameters
    ----------
    n_evaluations : int
        How many; all of them where the grid has no more.
    select : "hill", "plateau", "peak", "ensemble" or a selector
        How one is chosen from those evaluated. With "hill", neighbours that were not evaluated are
        left out, so that it smooths little where the draw is thin.

    Raises
    ------
    ParamError
        If `n_evaluations` is less than 1 or `select` is unknown.

    Examples
    --------
    >>> Random(50).select
    Peak()
    """

    n_evaluations: int = 200
    select: str | Selector = "peak"

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "n_evaluations", check.integer("n_evaluations", self.n_evaluations)
        )
        object.__setattr__(self, "select", resolve_selector(self.select, several=True))

    def start(self, space: SearchSpace, seed: int | None = 0) -> RandomState:
        """Return the state with the combinations drawn under `seed`."""
        grid = even_grid(space)
        codes = draw(grid, self.n_evaluations, rng.generator(seed)) if grid.searched else ()
        return RandomState(grid, codes)

    def ask(self, state: RandomState) -> list[Point]:
        """Return the combinations that have no score yet."""
        if state.stopped:
            return []
        return [state.grid.point(codes) for codes in state.codes[len(state.scores) :]]

    def tell(
        self, state: RandomState, points: Sequence[Point], scores: Sequence[float]
    ) -> RandomState:
        """Return the state with the next `scores`."""
        return replace(state, scores=(*state.scores, *map(float, scores)))

    def stop(
        self, state: RandomState, points: Sequence[Point], scores: Sequence[float]
    ) -> RandomState:
        """Return the state after the search was ended with `points`."""
        return replace(self.tell(state, points, scores), stopped=True)

    def position(self, state: RandomState) -> SearchPosition:
        """Return the number of the next combination."""
        return SearchPosition(first_step=len(state.scores) + 1)

    def choice(self, state: RandomState) -> Choice:
        """Return the combination chosen from those evaluated."""
        codes = code_array(state.codes[: len(state.scores)], len(state.grid.values))
        selector = resolve_selector(self.select, several=True)
        return choose(state.grid, codes, np.array(state.scores), selector)
