# SPDX-License-Identifier: BSD-3-Clause
"""The combinations of a run in blocks: as many as there are, none of them held.

A block is codes, one array an axis. Small runs, and those that draw or list their combinations,
hold the codes of all (a byte or two a combination and axis); large grids are walked, and walked
again for the few combinations that somebody asks for by number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Index
from broadpeak._space.combine import Column, Combos
from broadpeak._space.product import Product
from broadpeak._space.solve import MOST_TALLIED, Problem, Solver, TooManyError, pose
from broadpeak._space.subset import SubsetRule, nothing_left_error, select_codes
from broadpeak.errors import ConditionError
from broadpeak.types import IntArray

MOST_HELD: Final = 1 << 22
"""Combinations whose codes are held."""

_BLOCK: Final = 1 << 16
_TABLE_ROWS: Final = 1 << 22
_TABLE_CELLS: Final = 1 << 26


class ComboBlocks:
    """The combinations of one run, in order, by number or block after block.

    Parameters
    ----------
    params : dict of Param
        By name.
    **chosen
        Which combinations are wanted: fields of `SubsetRule`.

    Raises
    ------
    ParamError, ConditionError
        As `select_combos` does, and as early.
    """

    def __init__(self, params: Mapping[str, object], **chosen: Any) -> None:
        rule = SubsetRule(**chosen)
        self._problem = problem = pose(params)
        self.axes = axes = problem.axes
        self._held: list[IntArray] | None = None
        self._places: range | None = None  # in the grid, where no condition cuts them
        whole = rule.grid_indices is None and rule.random_subset is None
        if not problem.conditions and rule.random_subset is None:
            self._places = _places(rule.grid_indices, axes.size)
        self._taken = self._places  # the same, also where codes are held
        if self._places is not None and not MOST_HELD < _length(self._places) < 2**62:
            self._places = None
        if self._places is not None:
            self.size = len(self._places)
        elif whole and problem.conditions and axes.size > MOST_HELD:
            self.size = _count(problem)
            if not self.size:
                raise nothing_left_error(axes)
            if self.size <= MOST_HELD:
                self._hold(rule)
        else:
            self._hold(rule)

    def _hold(self, rule: SubsetRule) -> None:
        self._held = select_codes(self._problem, rule, raise_empty=True)
        self.size = len(self._held[0])

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[list[IntArray]]:
        if self._held is not None:
            for start in range(0, self.size, _BLOCK):
                yield [codes[start : start + _BLOCK] for codes in self._held]
        elif self._places is None or self._places == range(self.axes.size):
            yield from grid_pieces(self._problem, _BLOCK)
        else:
            for start in range(0, self.size, _BLOCK):
                yield self._decoded(self._places[start : start + _BLOCK])

    def codes_at(self, numbers: IntArray) -> list[IntArray]:
        """Return the codes of the combinations with these numbers."""
        if self._held is not None:
            return [codes[numbers] for codes in self._held]
        if self._places is not None:
            places = self._places
            return self.axes.decode_many(places.start + numbers * places.step)
        order = np.argsort(numbers, kind="stable")
        found, start = [], 0
        for codes in self:
            stop = start + len(codes[0])
            low, high = np.searchsorted(numbers[order], [start, stop])
            if high > low:
                found.append([code[numbers[order[low:high]] - start] for code in codes])
            start = stop
            if high == len(order):
                break
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        if not found:
            return [np.zeros(0, dtype=np.int64) for _ in self.axes.lengths]
        return [np.concatenate(columns)[rank] for columns in zip(*found, strict=True)]

    def identity(self, digest: Callable[..., bytes]) -> bytes:
        """Return a digest of which combinations these are, in which order; none is made for it.

        A grid is known by what decides about it: its axes and conditions, and what these look at.
        Where that is not all, or takes longer to look at, codes that are held say it.
        """
        axes, taken = self.axes, self._taken
        shape = axes.axis_of, axes.lengths
        if taken is not None:
            return digest("grid", shape, (taken.start, taken.stop, taken.step))
        if self._held is not None:
            columns = [np.ascontiguousarray(codes) for codes in self._held]
            return digest("codes", shape, [column.dtype.str for column in columns], *columns)
        rules: list[object] = []
        for name, param in axes.params.items():
            context = None if param.condition is None else param.context
            rules.append((name, param.values, param.condition, context))
        rules += [(level.name, level.labels, level.param) for level in axes.levels]
        return digest("rules", shape, rules)

    def combos(self, numbers: IntArray) -> Combos:
        """Return the combinations with these numbers."""
        codes = self.codes_at(numbers)
        columns = {
            name: Column(param.values, self.axes.param_codes(name, codes))
            for name, param in self.axes.params.items()
        }
        visible = tuple(level for level in self.axes.levels if not level.hidden)
        return Combos(columns, visible, len(numbers))

    def index(self, numbers: IntArray) -> Index:
        """Return the labels of the combinations with these numbers."""
        combos = self.combos(numbers)
        if not combos.levels:  # what no parameter shows goes by its number
            return pd.Index(numbers, name=combos.index().name)
        return combos.index()

    def _decoded(self, places: range) -> list[IntArray]:
        return self.axes.decode_many(np.arange(places.start, places.stop, places.step))


def grid_pieces(problem: Problem, block: int) -> Iterator[list[IntArray]]:
    """Yield the codes of all that pass, in grid order, in pieces of about `block` rows."""
    axes = problem.axes
    try:
        tables = {
            solver.axes: solver.table(_TABLE_ROWS, _TABLE_CELLS)
            for solver in problem.solvers
            if solver.conditions
        }
    except TooManyError:
        # What passes does not fit into memory: it is yielded as it is found, in grid order.
        every = range(len(axes.lengths))
        conditions = [condition for solver in problem.solvers for condition in solver.conditions]
        whole = Solver(axes, every, conditions, in_grid_order=True)
        for rows in whole.stream(block=block):
            yield [rows[axis] for axis in every]
    except ConditionError:
        if not problem.nothing_passes():
            raise
    else:
        yield from Product(tables, axes.lengths).pieces(block)


def _count(problem: Problem) -> int:
    """Return how many combinations pass; in contrast to `Problem.count` no table is kept."""
    total = 1
    try:
        for solver in problem.solvers:
            if not solver.conditions or solver.tallied(MOST_TALLIED):
                total *= solver.count()
            else:
                total *= sum(len(rows[solver.axes[0]]) for rows in solver.stream())
    except ConditionError:
        if problem.nothing_passes():
            return 0
        raise
    return total


def _places(grid_indices: Any, size: int) -> range | None:
    """Return the positions that a slice, or nothing, takes of the grid; None for a list of them."""
    if grid_indices is None:
        return range(size)
    if isinstance(grid_indices, slice):
        try:
            return range(size)[grid_indices]
        except (TypeError, ValueError):
            return None  # refused in words where combinations are selected
    return None


def _length(places: range) -> int:
    return max(0, -((places.start - places.stop) // places.step))  # len() ends at 2**63
