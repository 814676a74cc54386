# SPDX-License-Identifier: BSD-3-Clause
"""What searchers over combinations share: the grid, draws from it, and the final choice.

A *code* is the position of a value among those of its dimension; one a dimension is a combination.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from broadpeak._search.cells import choose_cell, edges, make_cells, robustness
from broadpeak._search.protocol import Choice, Point
from broadpeak._search.searchspace import SearchSpace, check_space
from broadpeak._search.selectors import TIE, Plateau, Selector
from broadpeak.types import BoolArray, FloatArray, IntArray

Codes: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StepGrid:
    """The values of every dimension; one that is not searched has its default alone."""

    defaults: Point  # point of all defaults
    values: tuple[tuple[float, ...], ...]  # values of each dimension, ascending

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of values."""
        return tuple(map(len, self.values))

    @property
    def size(self) -> int:
        """Number of combinations, exact."""
        return math.prod(self.shape)

    @property
    def searched(self) -> bool:
        """Whether there is anything to choose."""
        return bool(self.values) and any(
            steps != (default,) for steps, default in zip(self.values, self.defaults, strict=True)
        )

    def point(self, codes: Codes) -> Point:
        """Return the point that `codes` name."""
        return tuple([values[code] for values, code in zip(self.values, codes, strict=True)])

    def default_codes(self) -> Codes:
        """Return the codes nearest to the defaults; of two equally near ones the lower."""
        return tuple(
            min(range(len(values)), key=lambda code: abs(values[code] - default))
            for values, default in zip(self.values, self.defaults, strict=True)
        )


def even_grid(space: SearchSpace) -> StepGrid:
    """Return the grid of `space` for searches over combinations."""
    values = tuple(
        tuple(dim.even_steps().tolist()) if dim.searched else (dim.default,)
        for dim in check_space(space)
    )
    return StepGrid(space.defaults, values)


def choose(grid: StepGrid, codes: IntArray, scores: FloatArray, selector: Selector) -> Choice:
    """Return what `selector` picks from evaluated combinations, in any order.

    Parameters
    ----------
    grid : StepGrid
        The grid they lie on.
    codes : array of int, shape (n, n_dimensions)
        Evaluated combinations, without duplicates.
    scores : array of float, shape (n,)
        Their scores; NaN: unusable.
    selector : Hill, Plateau, Peak or Ensemble
        The rule.

    Notes
    -----
    A dimension that makes no difference keeps its default and is not looked at.
    """
    if not np.any(scores > 0):
        usable = not grid.searched
        return Choice(grid.defaults, 0.0, (False,) * len(grid.values), usable=usable)
    order = np.lexsort(codes.T[::-1]) if codes.shape[1] else np.arange(len(scores))
    codes, scores = codes[order], scores[order]
    # A score that is not above 0 is that of no trades, or of too few: it compares nothing.
    used = used_axes(codes, grid.shape, scores, scores > 0)
    if not used.any():
        return Choice(grid.defaults, float(np.nanmax(scores)), (False,) * len(grid.values))
    shape = tuple(steps for steps, is_used in zip(grid.shape, used, strict=True) if is_used)
    rows = np.arange(len(scores))
    if not used.all():  # of combinations that differ only in what is not used, one counts
        rows = np.unique(codes[:, used], axis=0, return_index=True)[1]
    cells = make_cells(codes[np.ix_(rows, used)], shape, scores[rows])
    choice = choose_cell(cells, selector, floor=0.0)
    region = choice.region if isinstance(selector, Plateau) else ()
    flags = iter(edges(cells, (choice.cell, choice.peak, *region)))
    kept = [default for default, is_used in zip(grid.defaults, used, strict=True) if not is_used]

    def point(cell: int) -> Point:
        tried, unused = iter(grid.point(tuple(codes[rows[cell]].tolist()))), iter(kept)
        return tuple(
            value if is_used else next(unused) for value, is_used in zip(tried, used, strict=True)
        )

    return Choice(
        point(choice.cell),
        choice.score,
        tuple(bool(is_used) and next(flags) for is_used in used),
        members=tuple((point(cell), weight) for cell, weight in choice.members),
        robustness=robustness(cells, choice.cell),
    )


def used_axes(
    codes: IntArray, shape: Sequence[int], scores: FloatArray, telling: BoolArray
) -> BoolArray:
    """Return for each axis whether it makes a difference; `codes` are sorted.

    It makes none where all combinations that differ in it alone have equal scores, and where every
    step that was tried, and a best combination, are compared with another one. Only those with a
    `telling` score compare. An axis of one step counts as used.
    """
    used = np.ones(codes.shape[1], dtype=np.bool_)
    full = len(scores) == math.prod(shape)
    compared_scores = np.where(telling, scores, -np.inf)
    best = np.flatnonzero(
        telling
        & (compared_scores >= compared_scores.max() - TIE * abs(compared_scores.max(initial=0.0)))
    )
    for axis, steps in enumerate(shape):
        if steps < 2:
            continue
        if full:
            block = np.moveaxis(scores.reshape(shape), axis, 0)
            before, after = block[:-1].reshape(-1), block[1:].reshape(-1)
        else:
            others = np.delete(codes, axis, axis=1)
            order = np.lexsort((codes[:, axis], *others.T))
            beside = (np.diff(others[order], axis=0) == 0).all(axis=1)
            first, second = order[:-1][beside], order[1:][beside]
            both = telling[first] & telling[second]
            compared = np.union1d(first[both], second[both])
            n_steps = len(np.unique(codes[:, axis]))
            if not np.isin(best, compared).any() or len(np.unique(codes[compared, axis])) < n_steps:
                continue
            before, after = scores[first], scores[second]
        alike = np.isnan(before) & np.isnan(after)
        with np.errstate(invalid="ignore"):
            gap = np.abs(before - after)
            used[axis] = not (alike | (gap <= TIE * np.maximum(abs(before), abs(after)))).all()
    return used


def code_array(codes: Sequence[Codes], n_dimensions: int) -> IntArray:
    """Return `codes` as an array of shape (n, n_dimensions)."""
    return np.array(codes, dtype=np.int64).reshape(len(codes), n_dimensions)


def draw(grid: StepGrid, n: int, generator: np.random.Generator) -> tuple[Codes, ...]:
    """Return `n` distinct combinations in random order, or all if there are no more."""
    if grid.size <= 50 * n:
        chosen = generator.permutation(grid.size)[:n]
        columns = [column.tolist() for column in np.unravel_index(chosen, grid.shape)]
        return tuple(zip(*columns, strict=True))
    # Repeats are rare on a grid this large, and its size may exceed any machine integer.
    found: dict[Codes, None] = {}
    while len(found) < n:
        rows = generator.integers(0, np.array(grid.shape), size=(n - len(found), len(grid.shape)))
        found.update(dict.fromkeys(map(tuple, rows.tolist())))
    return tuple(found)
