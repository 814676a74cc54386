# SPDX-License-Identifier: BSD-3-Clause
"""What searchers over combinations share: the grid, and the choice from evaluated combinations.

A *gene* is the position of a value on its grid; genes of all dimensions name a combination.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from broadpeak._search.cells import choose_cell, edges, make_cells
from broadpeak._search.protocol import Choice, Point
from broadpeak._search.searchspace import SearchSpace, check_space
from broadpeak._search.selectors import Plateau, Selector
from broadpeak.types import FloatArray, IntArray

Genes: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """The values of every dimension; one that is not searched has its default alone.

    Attributes
    ----------
    defaults : tuple of float
        Point of all defaults.
    values : tuple of tuple of float
        Values of each dimension, ascending.
    """

    defaults: Point
    values: tuple[tuple[float, ...], ...]

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

    def point(self, genes: Genes) -> Point:
        """Return the point that `genes` name."""
        return tuple([values[gene] for values, gene in zip(self.values, genes, strict=True)])

    def default_genes(self) -> Genes:
        """Return the genes nearest to the defaults; of two equally near ones the lower."""
        return tuple(
            min(range(len(values)), key=lambda gene: abs(values[gene] - default))
            for values, default in zip(self.values, self.defaults, strict=True)
        )


def even_grid(space: SearchSpace) -> Grid:
    """Return the grid of `space` for searches over combinations."""
    values = tuple(
        tuple(dim.even_steps().tolist()) if dim.searched else (dim.default,)
        for dim in check_space(space)
    )
    return Grid(space.defaults, values)


def choose(grid: Grid, genes: IntArray, scores: FloatArray, selector: Selector) -> Choice:
    """Return what `selector` picks from evaluated combinations, in any order.

    Parameters
    ----------
    grid : Grid
        The grid they lie on.
    genes : array of int, shape (n, n_dimensions)
        Evaluated combinations, without duplicates.
    scores : array of float, shape (n,)
        Their scores; NaN: unusable.
    selector : Hill, Plateau or Peak
        The rule.
    """
    if not np.any(scores > 0):
        usable = not grid.searched
        return Choice(grid.defaults, 0.0, (False,) * len(grid.values), usable=usable)
    order = np.lexsort(genes.T[::-1]) if genes.shape[1] else np.arange(len(scores))
    cells = make_cells(genes[order], grid.shape, scores[order])
    choice = choose_cell(cells, selector)
    region = choice.region if isinstance(selector, Plateau) else ()
    values = grid.point(tuple(cells.codes[choice.cell].tolist()))
    return Choice(values, choice.score, edges(cells, (choice.cell, choice.peak, *region)))


def gene_array(genes: Sequence[Genes], n_dimensions: int) -> IntArray:
    """Return `genes` as an array of shape (n, n_dimensions)."""
    return np.array(genes, dtype=np.int64).reshape(len(genes), n_dimensions)
