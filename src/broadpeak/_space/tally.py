# SPDX-License-Identifier: BSD-3-Clause
"""Exact counts of what passes, and the combination of any number, without building the others.

Bucket elimination (Dechter 1999). An axis is summed out of the conditions that touch it, and leaves
a table: how many of its values pass, for each combination of the axes it was linked with. Of a
chain ``p0 < p1 < … < p9`` each table has one axis. Backwards, the tables tell how many combinations
lie behind each value, so that a number below the total names one of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from broadpeak._space.conditions import CELLS, Conjunct
from broadpeak.types import AnyArray, BoolArray, IntArray

INT64_MAX: Final = 2**63 - 1

MOST_STATES: Final = 1 << 22
"""Cells of the largest table that is kept."""

_MOST_MASKED: Final = 1 << 22
_MOST_CALLS: Final = 1 << 16  # of a condition that NumPy cannot look at

Codes = Mapping[int, IntArray]


class NotTalliedError(Exception):
    """Counting would take more than it may."""


@dataclass(eq=False)
class TallyStep:
    """One axis that is summed out.

    Attributes
    ----------
    axis : int
    rest : tuple of int
        The axes its conditions link it with, all summed out later.
    parts : list of Part
        The conditions that are looked at here.
    below : list of Step
        Earlier steps whose tables are used up here.
    counts : integer array
        Over the combinations of `rest`, in C order: how many combinations of this axis and all
        axes below it pass.
    """

    axis: int
    rest: tuple[int, ...]
    parts: list[Conjunct]
    below: list[TallyStep]
    counts: AnyArray = field(init=False)


class Tally:
    """The number of combinations that pass, and each of them by its number.

    Parameters
    ----------
    lengths : sequence of int
        Length of every axis of the grid.
    axes : sequence of int
        Those of one group.
    parts : sequence of Part
        What must be true of them, each with at least one axis.
    most_cells : int
        How many combinations of linked axes may be looked at.
    raising : Part, optional
        One of the parts: only where it raises is counted.

    Attributes
    ----------
    total : int
        Combinations at which every part is true or raises.
    suspects : dict
        The parts that raise somewhere, as its keys.

    Raises
    ------
    NotTalliedError
        If more would have to be looked at or kept.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        axes: Sequence[int],
        parts: Sequence[Conjunct],
        most_cells: int,
        raising: Conjunct | None = None,
    ) -> None:
        self._lengths = lengths
        self._raising = raising
        self.suspects: dict[Conjunct, None] = {}
        self._masks: dict[Conjunct, BoolArray] = {}
        self._steps, n_cells = _planned(lengths, axes, parts)
        if n_cells > most_cells or not all(map(self._is_cheap, parts)):
            raise NotTalliedError
        for step in self._steps:
            step.counts = self._summed(step)
        used = {id(step) for one in self._steps for step in one.below}
        self._roots = [step for step in self._steps if id(step) not in used]
        self.total = math.prod(int(root.counts[0]) for root in self._roots)

    def rows_at(self, numbers: AnyArray) -> dict[int, IntArray]:
        """Return the combinations with these numbers, each below the total: codes by axis."""
        ranks: dict[int, AnyArray] = {}
        for root in self._roots:
            numbers, ranks[id(root)] = _split(numbers, root.counts)
        codes: dict[int, IntArray] = {}
        for step in reversed(self._steps):
            code, rest = self._descend(step, ranks.pop(id(step)), codes)
            codes[step.axis] = code
            for child in step.below:
                rest, ranks[id(child)] = _split(rest, self._behind(child, codes))
        return codes

    def _is_cheap(self, part: Conjunct) -> bool:
        if part.vectorised is not None:
            part.test({axis: np.zeros(1, dtype=np.int64) for axis in part.axes})  # can NumPy?
        return part.vectorised is not None or self._cells(part.axes) <= _MOST_CALLS

    def _cells(self, axes: Sequence[int]) -> int:
        return math.prod(self._lengths[axis] for axis in axes)

    def _places(self, axes: Sequence[int], codes: Codes) -> AnyArray:
        """Return where combinations of `axes` stand in a table over them."""
        place: AnyArray = np.zeros((), dtype=np.int64)
        for axis in axes:
            place = place * self._lengths[axis] + codes[axis]
        return place

    def _behind(self, step: TallyStep, codes: Codes) -> AnyArray:
        """Return how many combinations lie behind each of some combinations of the other axes."""
        counts: AnyArray = step.counts[self._places(step.rest, codes)]
        return counts

    def _summed(self, step: TallyStep) -> AnyArray:
        """Return the table that is left of an axis."""
        length = self._lengths[step.axis]
        n_rows = self._cells(step.rest)
        most = length * math.prod(int(child.counts.max()) for child in step.below)
        counts = np.empty(n_rows, dtype=np.int64 if most <= INT64_MAX else object)
        rows = max(1, CELLS // length)
        for start in range(0, n_rows, rows):
            block = np.arange(start, min(start + rows, n_rows))
            counts[block] = self._weights(step, block, counts.dtype).sum(axis=1)
        return counts if counts.max() > INT64_MAX else counts.astype(np.int64)

    def _weights(self, step: TallyStep, states: IntArray, dtype: Any) -> AnyArray:
        """Return, for combinations `states` of the rest, what lies behind each value of the axis.

        Shape (n_states, length).
        """
        shape = [self._lengths[axis] for axis in step.rest]
        rest = np.unravel_index(states, shape) if shape else ()
        codes = {axis: code[:, np.newaxis] for axis, code in zip(step.rest, rest, strict=True)}
        length = self._lengths[step.axis]
        codes[step.axis] = np.arange(length)[np.newaxis, :]
        kept = np.ones((len(states), length), dtype=bool)
        for part in step.parts:
            kept &= self._truth(part, codes)
        weights = kept.astype(dtype)
        for child in step.below:
            weights = weights * self._behind(child, codes)
        return weights

    def _truth(self, part: Conjunct, codes: Codes) -> BoolArray:
        """Return where a part is true or raises."""
        if part not in self._masks and self._cells(part.axes) <= _MOST_MASKED:
            grids = np.ix_(*(np.arange(self._lengths[axis]) for axis in part.axes))
            self._masks[part] = self._tested(part, dict(zip(part.axes, grids, strict=True))).ravel()
        if part not in self._masks:
            return self._tested(part, codes)
        truth: BoolArray = self._masks[part][self._places(part.axes, codes)]
        return truth

    def _tested(self, part: Conjunct, codes: Codes) -> BoolArray:
        true, raised = part.test({axis: codes[axis] for axis in part.axes})
        if raised is None:
            raised = np.zeros((), dtype=bool)
        elif raised.any():
            self.suspects[part] = None
        # Both spread over the same shape, also where only one of them is an array.
        return raised | (true & (part is not self._raising))

    def _descend(self, step: TallyStep, ranks: AnyArray, codes: Codes) -> tuple[IntArray, AnyArray]:
        """Return the value of the axis that each rank falls to, and its rank behind that value."""
        n_rows = len(ranks)
        at = np.broadcast_to(self._places(step.rest, codes), n_rows)
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
    lengths: Sequence[int], axes: Sequence[int], parts: Sequence[Conjunct]
) -> tuple[list[TallyStep], int]:
    """Return the steps, always the axis next whose table is smallest, and the cells they look at.

    Raises
    ------
    NotTalliedError
        If a table gets too large to be kept.
    """
    waiting: list[tuple[tuple[int, ...], Conjunct | TallyStep]] = [
        (part.axes, part) for part in parts
    ]
    left = list(axes)
    steps: list[TallyStep] = []
    n_cells = 0
    while left:
        linked = {axis: _linked(axis, [own for own, _ in waiting]) for axis in left}
        sizes = {axis: math.prod(lengths[one] for one in linked[axis]) for axis in left}
        axis = min((sizes[one] * lengths[one], one) for one in left)[1]
        if sizes[axis] > MOST_STATES:
            raise NotTalliedError
        n_cells += sizes[axis] * lengths[axis]
        here = [one for own, one in waiting if axis in own]
        step = TallyStep(
            axis,
            linked[axis],
            [one for one in here if isinstance(one, Conjunct)],
            [one for one in here if isinstance(one, TallyStep)],
        )
        waiting = [pair for pair in waiting if axis not in pair[0]]
        if step.rest:
            waiting.append((step.rest, step))
        steps.append(step)
        left.remove(axis)
    return steps, n_cells


def _linked(axis: int, groups: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the other axes of the groups that an axis is in."""
    touched = {other for group in groups if axis in group for other in group}
    return tuple(sorted(touched - {axis}))


def _split(numbers: AnyArray, sizes: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Return quotient and remainder; large integers that have become small go on as int64."""
    rest, own = numbers // sizes, numbers % sizes
    return rest, own if sizes.dtype == object else own.astype(np.int64)


def _first_above(upto: AnyArray, rows: IntArray, ranks: AnyArray) -> IntArray:
    """Return for each rank the first place in its row of `upto` that is above it: bisection."""
    low = np.zeros(len(rows), dtype=np.int64)
    high = np.full(len(rows), upto.shape[1] - 1, dtype=np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        above = (upto[rows, middle] > ranks).astype(bool)
        high = np.where(above, middle, high)
        low = np.where(above, low, np.minimum(middle + 1, high))
    return low
