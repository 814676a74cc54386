# SPDX-License-Identifier: BSD-3-Clause
"""Exact counts of what passes, and the combination of any number, without building the others.

Bucket elimination (Dechter 1999), which is what summing a product of factors does when each sum is
pushed as far inwards as it goes. The number of combinations that pass is

    sum over p0, p1, …, pn of  c1(p0, p1) · c2(p1, p2) · …      with conditions of value 0 or 1

and the sum over p0 needs only the factors with p0 in them. It leaves a table over the axes that
these factors link p0 with: how many values of p0 pass for each combination of those. The table is a
factor of the remaining sum like any other, and the next axis follows. Of a chain ``p0 < p1 < … <
p9`` of 100 values each, every table has one axis and every sum looks at 10,000 cells, where the
grid has 10**20. What passes is counted exactly, in Python's integers where 64 bits do not hold
it.

Backwards the same tables name a combination by its number: at each axis they say how many
combinations lie behind each of its values, so that a running sum over the values and a bisection
find the value in whose stretch the number falls, and what is left of the number goes on to the axes
behind it. So a uniform draw from all that passes is a uniform number below the total.

The cost of an axis is the cells of its table times its length, and tables grow with what is linked:
the order matters, and some problems (one condition on ten axes) have no good one. That is known
from the shapes before anything is evaluated, and refused with `TooCostlyError`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from broadpeak._core.expressions import NotVectorised
from broadpeak._space.axes import INT64_MAX
from broadpeak._space.conditions import CELLS, Conjunct
from broadpeak.types import AnyArray, BoolArray, IntArray

MOST_STATES: Final = 1 << 22
"""Cells of the largest table that is kept."""

_MOST_MASKED: Final = 1 << 22
_MOST_CALLS: Final = 1 << 16  # of a condition that NumPy cannot look at


class TooCostlyError(Exception):
    """Counting would look at, or keep, more than it may."""


@dataclass(eq=False)
class TallyStep:
    """One axis that is summed out."""

    axis: int
    rest: tuple[int, ...]  # the axes its conditions link it with, all summed out later
    conjuncts: list[Conjunct]  # the factors with values 0 and 1
    # The factors that are tables of earlier steps; each is used by one step only.
    below: list[TallyStep]
    # Over the combinations of `rest`, in C order: how many combinations of this axis and all axes
    # below it pass.
    counts: AnyArray = field(init=False)


class Tally:
    """The number of combinations that pass, and each of them by its number.

    Parameters
    ----------
    lengths : sequence of int
        Length of every axis of the grid.
    axes : sequence of int
        Those of one group.
    conjuncts : sequence of Conjunct
        What must be true of them, each with at least one axis.
    most_cells : int
        How many combinations of linked axes may be looked at.
    raising : Conjunct, optional
        One of them: only where it raises is counted.

    Attributes
    ----------
    total : int
        Combinations at which every conjunct is true or raises.
    suspects : dict
        The conjuncts that raise somewhere, as its keys.

    Raises
    ------
    TooCostlyError
        If more would have to be looked at or kept.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        axes: Sequence[int],
        conjuncts: Sequence[Conjunct],
        most_cells: int,
        raising: Conjunct | None = None,
    ) -> None:
        self._lengths = lengths
        self._raising = raising
        self.suspects: dict[Conjunct, None] = {}
        self._masks: dict[Conjunct, BoolArray] = {}
        self._steps, n_cells = _planned(lengths, axes, conjuncts)
        if n_cells > most_cells or not all(map(self._is_cheap, conjuncts)):
            raise TooCostlyError
        for step in self._steps:
            step.counts = self._summed(step)
        # The last axis of each connected part leaves a table without axes: a single number.
        used = {id(step) for later in self._steps for step in later.below}
        self._roots = [step for step in self._steps if id(step) not in used]
        self.total = math.prod(int(root.counts[0]) for root in self._roots)

    def rows_at(self, numbers: AnyArray) -> dict[int, IntArray]:
        """Return the combinations with these numbers, each below the total: codes by axis.

        Steps are gone through backwards, so that the axes a table depends on are known by then. A
        step gets a rank: the number among all combinations that lie behind what is fixed so far.
        """
        ranks: dict[int, AnyArray] = {}
        for root in self._roots:
            numbers, ranks[id(root)] = _split(numbers, root.counts)
        codes: dict[int, IntArray] = {}
        for step in reversed(self._steps):
            code, rest = self._descend(step, ranks.pop(id(step)), codes)
            codes[step.axis] = code
            for child in step.below:
                rest, ranks[id(child)] = _split(rest, self._count_behind(child, codes))
        return codes

    def _is_cheap(self, conjunct: Conjunct) -> bool:
        """Whether NumPy can evaluate it, which one cell shows, or few calls of Python can."""
        if conjunct.vectorised is not None:
            with contextlib.suppress(NotVectorised):
                conjunct.vectorised.truth({a: np.zeros(1, dtype=np.int64) for a in conjunct.axes})
                return True
        return self._cells(conjunct.axes) <= _MOST_CALLS

    def _cells(self, axes: Sequence[int]) -> int:
        return math.prod(self._lengths[axis] for axis in axes)

    def _row_numbers(self, axes: Sequence[int], codes: Mapping[int, IntArray]) -> AnyArray:
        """Return where combinations of `axes` stand in a table over them, in C order."""
        place: AnyArray = np.zeros((), dtype=np.int64)
        for axis in axes:
            place = place * self._lengths[axis] + codes[axis]
        return place

    def _count_behind(self, step: TallyStep, codes: Mapping[int, IntArray]) -> AnyArray:
        """Return how many combinations lie behind each of some combinations of the other axes."""
        counts: AnyArray = step.counts[self._row_numbers(step.rest, codes)]
        return counts

    def _summed(self, step: TallyStep) -> AnyArray:
        """Return the table that an axis leaves: rows of `rest`, summed over the axis.

        Python's integers are used only where a product of the largest counts below may exceed 64
        bits, which costs 20 times as much; a table that turned out smaller goes back to int64.
        """
        length = self._lengths[step.axis]
        n_rows = self._cells(step.rest)
        most = length * math.prod(int(child.counts.max()) for child in step.below)
        counts = np.empty(n_rows, dtype=np.int64 if most <= INT64_MAX else object)
        rows = max(1, CELLS // length)
        for start in range(0, n_rows, rows):
            block = np.arange(start, min(start + rows, n_rows))
            counts[block] = self._weights(step, block, counts.dtype).sum(axis=1)
        return counts if counts.max() > INT64_MAX else counts.astype(np.int64)

    def _weights(self, step: TallyStep, states: IntArray, dtype: np.dtype[Any]) -> AnyArray:
        """Return, for combinations `states` of the rest, what lies behind each value of the axis.

        Shape (n_states, length).
        """
        shape = [self._lengths[axis] for axis in step.rest]
        rest = np.unravel_index(states, shape) if shape else ()
        codes = {axis: code[:, np.newaxis] for axis, code in zip(step.rest, rest, strict=True)}
        length = self._lengths[step.axis]
        codes[step.axis] = np.arange(length)[np.newaxis, :]
        kept = np.ones((len(states), length), dtype=bool)
        for conjunct in step.conjuncts:
            kept &= self._truth(conjunct, codes)
        weights = kept.astype(dtype)
        for child in step.below:
            weights = weights * self._count_behind(child, codes)
        return weights

    def _truth(self, conjunct: Conjunct, codes: Mapping[int, IntArray]) -> BoolArray:
        """Return where a conjunct is true or raises: from a mask over its axes where that fits.

        `rows_at` looks at the same cells once more; with a mask it evaluates nothing.
        """
        if conjunct not in self._masks and self._cells(conjunct.axes) <= _MOST_MASKED:
            grids = np.ix_(*(np.arange(self._lengths[axis]) for axis in conjunct.axes))
            everywhere = dict(zip(conjunct.axes, grids, strict=True))
            self._masks[conjunct] = self._tested(conjunct, everywhere).ravel()
        if conjunct not in self._masks:
            return self._tested(conjunct, codes)
        truth: BoolArray = self._masks[conjunct][self._row_numbers(conjunct.axes, codes)]
        return truth

    def _tested(self, conjunct: Conjunct, codes: Mapping[int, IntArray]) -> BoolArray:
        true, raised = conjunct.test({axis: codes[axis] for axis in conjunct.axes})
        if raised is None:
            raised = np.zeros((), dtype=bool)
        elif raised.any():
            self.suspects[conjunct] = None
        # Both spread over the same shape, also where only one of them is an array.
        return raised | (true & (conjunct is not self._raising))

    def _descend(
        self, step: TallyStep, ranks: AnyArray, codes: Mapping[int, IntArray]
    ) -> tuple[IntArray, AnyArray]:
        """Return the value of the axis that each rank falls to, and its rank behind that value.

        Rows that agree on `rest` share one running sum, so they are gone through state by state.
        """
        n_rows = len(ranks)
        at = np.broadcast_to(self._row_numbers(step.rest, codes), n_rows)
        states, state_of = np.unique(at, return_inverse=True)
        order = np.argsort(state_of, kind="stable")
        ends = np.searchsorted(state_of[order], np.arange(len(states)), side="right")
        found = np.empty(n_rows, dtype=np.int64)
        left = ranks.copy()
        block = max(1, CELLS // self._lengths[step.axis])
        for start in range(0, len(states), block):
            stop = min(start + block, len(states))
            upto = np.cumsum(self._weights(step, states[start:stop], step.counts.dtype), axis=1)
            rows = order[ends[start - 1] if start else 0 : ends[stop - 1]]
            state = state_of[rows] - start
            code = _first_above(upto, state, ranks[rows])
            before = np.where(code > 0, upto[state, np.maximum(code, 1) - 1], 0)
            found[rows] = code
            left[rows] = ranks[rows] - before
        return found, left


def _planned(
    lengths: Sequence[int], axes: Sequence[int], conjuncts: Sequence[Conjunct]
) -> tuple[list[TallyStep], int]:
    """Return the steps in order, and how many cells they will look at.

    The best order is NP-hard to find. Greedily the axis comes next whose sum looks at the fewest
    cells: that is the best one for chains and trees, which is what conditions mostly are.

    Raises
    ------
    TooCostlyError
        If a table gets too large to be kept.
    """
    factors: list[tuple[tuple[int, ...], Conjunct | TallyStep]] = [(c.axes, c) for c in conjuncts]
    left = list(axes)
    steps: list[TallyStep] = []
    n_cells = 0
    while left:
        linked = {axis: _linked(axis, [touched for touched, _ in factors]) for axis in left}
        sizes = {axis: math.prod([lengths[one] for one in linked[axis]]) for axis in left}
        axis = min((sizes[one] * lengths[one], one) for one in left)[1]
        if sizes[axis] > MOST_STATES:
            raise TooCostlyError
        n_cells += sizes[axis] * lengths[axis]
        here = [one for touched, one in factors if axis in touched]
        step = TallyStep(
            axis,
            linked[axis],
            [one for one in here if isinstance(one, Conjunct)],
            [one for one in here if isinstance(one, TallyStep)],
        )
        factors = [pair for pair in factors if axis not in pair[0]]
        if step.rest:
            factors.append((step.rest, step))
        steps.append(step)
        left.remove(axis)
    return steps, n_cells


def _linked(axis: int, groups: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the other axes of the groups that an axis is in."""
    touched = {other for group in groups if axis in group for other in group}
    return tuple(sorted(touched - {axis}))


def _split(numbers: AnyArray, sizes: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Return quotient and remainder; large integers that have become small go on as int64."""
    rest, remainder = numbers // sizes, numbers % sizes
    return rest, remainder if sizes.dtype == object else remainder.astype(np.int64)


def _first_above(upto: AnyArray, rows: IntArray, ranks: AnyArray) -> IntArray:
    """Return for each rank the first position in its row of `upto` that is above it: bisection."""
    low = np.zeros(len(rows), dtype=np.int64)
    high = np.full(len(rows), upto.shape[1] - 1, dtype=np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        above = (upto[rows, middle] > ranks).astype(bool)
        high = np.where(above, middle, high)
        low = np.where(above, low, np.minimum(middle + 1, high))
    return low
