# SPDX-License-Identifier: BSD-3-Clause
"""Brute force: every combination, and the best one that is no lone peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from broadpeak._search.protocol import Choice, Point, SearchPosition
from broadpeak._search.searchspace import SearchSpace
from broadpeak._search.selectors import Selector, resolve_selector
from broadpeak._search.stepgrid import StepGrid, choose, even_grid
from broadpeak.errors import ParamError
from broadpeak.types import IntArray

MAX_COMBINATIONS = 20_000_000
"""More than this would neither fit in memory nor end; other searchers are for that."""

BATCH = 65_536


@dataclass(frozen=True, slots=True)
class BruteState:
    """Scores of the first combinations of `grid`, in its order (the last dimension is fastest)."""

    grid: StepGrid
    scores: tuple[tuple[float, ...], ...] = ()
    n_scores: int = 0
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Brute:
    """Evaluate all combinations.

    Parameters with a constant step use it; all others are divided into ten equal intervals.

    Parameters
    ----------
    select : "hill", "plateau", "peak", "ensemble" or a selector
        How the combination is chosen. "hill" smooths over three steps of every parameter and takes
        the best combination of the smoothed scores; "peak" takes the best one.

    Raises
    ------
    ParamError
        If `select` is unknown; at the start, if there are more than 20 million combinations.

    Examples
    --------
    >>> Brute().select
    Hill(width=3, edges='include', clip=True)
    """

    select: str | Selector = "hill"

    def __post_init__(self) -> None:
        object.__setattr__(self, "select", resolve_selector(self.select, several=True))

    def start(self, space: SearchSpace, seed: int | None = 0) -> BruteState:
        """Return the state before the first combination; `seed` is not needed."""
        grid = even_grid(space)
        if grid.size > MAX_COMBINATIONS:
            msg = (
                f"brute force must have at most {MAX_COMBINATIONS:,} combinations, got "
                f'{grid.size:,}. Pass larger steps, or method="genetic".'
            )
            raise ParamError(msg)
        return BruteState(grid, stopped=not grid.searched)

    def ask(self, state: BruteState) -> list[Point]:
        """Return the next combinations in order, many at once."""
        if state.stopped:
            return []
        last = min(state.n_scores + BATCH, state.grid.size)
        codes = _codes(state.grid, state.n_scores, last)
        columns = [
            np.array(values)[codes[:, axis]].tolist()
            for axis, values in enumerate(state.grid.values)
        ]
        return list(zip(*columns, strict=True))

    def tell(
        self, state: BruteState, points: Sequence[Point], scores: Sequence[float]
    ) -> BruteState:
        """Return the state with the next `scores`."""
        batch = tuple(map(float, scores))
        n_scores = state.n_scores + len(batch)
        finished = n_scores >= state.grid.size
        return replace(state, scores=(*state.scores, batch), n_scores=n_scores, stopped=finished)

    def stop(
        self, state: BruteState, points: Sequence[Point], scores: Sequence[float]
    ) -> BruteState:
        """Return the state after the search was ended with `points`."""
        return replace(self.tell(state, points, scores), stopped=True)

    def position(self, state: BruteState) -> SearchPosition:
        """Return the number of the next combination."""
        return SearchPosition(first_step=state.n_scores + 1)

    def choice(self, state: BruteState) -> Choice:
        """Return the combination chosen from those evaluated."""
        scores = np.array([score for batch in state.scores for score in batch])
        codes = _codes(state.grid, 0, state.n_scores)
        return choose(state.grid, codes, scores, resolve_selector(self.select, several=True))


def _codes(grid: StepGrid, first: int, last: int) -> IntArray:
    if not grid.shape:
        return np.empty((last - first, 0), dtype=np.int64)
    return np.column_stack(np.unravel_index(np.arange(first, last), grid.shape)).astype(np.int64)
