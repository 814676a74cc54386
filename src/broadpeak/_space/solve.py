# SPDX-License-Identifier: BSD-3-Clause
"""All combinations of one group of axes that pass its conditions, built axis by axis and pruned.

This is backtracking, by columns instead of by single combinations. A *prefix table* holds every way
to fix the axes bound so far that nothing has excluded: one array of codes an axis, one row a
prefix. Binding the next axis crosses the table with the values of that axis and filters the result.
Blocks of rows are carried to the last axis one after the other, so that the table of a depth is
never held as a whole and memory stays bounded by `CELLS`, however many combinations there are.

Three things prune, and none of them can lose a combination:

1. A conjunct whose axes are all bound is evaluated. Where it is false, no value of a later axis can
   make it true, so the row goes. This alone makes the result exact; the rest only saves work.
2. A conjunct that still waits for an axis is read with intervals (`_core.expressions.intervals`):
   known names stand for their value, others for all between their smallest and largest one. In
   ``a + b + c < 12`` with c from 3 to 9, a row with ``a + b >= 9`` has no completion. Bounds are
   rounded outwards, so that "can no longer become true" is a proof. "May become true" is none, and
   leaves the row to 1.
3. On a long axis the same reading is applied to stretches of it before any of its values is looked
   at (`narrowed`): of ``a + b == 7`` on two axes of 5,000 it leaves one stretch of b for each a.

Time goes with the number of cells looked at: for every depth, the rows that survive there times the
length of the next axis. So the order in which axes are bound decides (`Solver._choose_order`). For
counting alone there is a way without rows at all, see `tally`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np

from broadpeak._core.expressions import Vectorised
from broadpeak._space.axes import INT64_MAX, Axes, code_type, lay_out
from broadpeak._space.conditions import (
    CELLS,
    Condition,
    Conjunct,
    bind_conditions,
    report_raised,
    split_conditions,
)
from broadpeak._space.tally import Tally, TooCostlyError
from broadpeak.errors import ConditionError
from broadpeak.types import BoolArray, IntArray

MOST_ROWS: Final = 1 << 25
"""Combinations of one group that are kept in memory: a few hundred MB at worst."""

MOST_TALLIED: Final = 1 << 28
"""Combinations of linked axes that are looked at to count what passes."""

_MOST_MASKED: Final = 1 << 22
_LONG: Final = 512  # values on an axis from which on it pays to rule out stretches of it
_FAN: Final = 32  # blocks a block is cut into
_TELLING: Final = 16  # blocks from which on the share of those left says how dense what passes is
_DENSE: Final = 0.2  # share of cells above which looking at all of them is quicker
_FIRST_BLOCK: Final = 1 << 14

Rows: TypeAlias = dict[int, IntArray]
"""Codes by axis, one array each, of the smallest integer type."""


class TooManyError(Exception):
    """The passing combinations of a group do not fit into the bound that was set."""


@dataclass(eq=False)
class Problem:
    """The axes of a grid and the conditions on them; what a `ParamGrid` answers from.

    Solvers are made when something first needs them: a small grid never does.
    """

    axes: Axes
    conditions: list[Condition]

    @cached_property
    def solvers(self) -> list[Solver]:
        """One solver a group of connected axes; what passes is the product of what they find.

        Conditions that touch different parameters say nothing about one another. Three pairs of ten
        values with a condition each are three problems of 100 cells, not one of a million.
        """
        conditions = split_conditions(self.axes, self.conditions)
        connected = connected_axes(self.axes.lengths, conditions)
        conditions_of: list[list[Condition]] = [[] for _ in connected]
        for condition in conditions:
            touched = condition.whole.axes
            # A condition on constants alone decides over everything; any group may hold it.
            group_number = next(
                (i for i, one in enumerate(connected) if touched and touched[0] in one), 0
            )
            conditions_of[group_number].append(condition)
        pairs = zip(connected, conditions_of, strict=True)
        return [Solver(self.axes, group, members) for group, members in pairs]

    def count(self) -> int:
        """Return how many combinations pass."""
        try:
            return math.prod([solver.count() for solver in self.solvers])
        except ConditionError:
            if self.nothing_passes():
                return 0
            raise

    def nothing_passes(self) -> bool:
        """Whether some group lets nothing pass: then what another one raises does not count."""
        for solver in self.solvers:
            with contextlib.suppress(ConditionError):
                if solver.conditions and solver.is_empty():
                    return True
        return False


def pose(params: Mapping[str, object]) -> Problem:
    """Return the axes of `params` and the conditions on them.

    Raises
    ------
    ParamError, ConditionError
        As `ParamGrid` does.
    """
    axes = lay_out(params)
    return Problem(axes, bind_conditions(axes))


class Solver:
    """The axes that some conditions connect, and the combinations of them that pass.

    Parameters
    ----------
    axes : Axes
        All axes of the grid.
    group : sequence of int
        The axes to solve for, in grid order.
    conditions : sequence of Condition
        Those that depend on these axes and no others, split into conjuncts.
    in_grid_order : bool
        Whether axes are bound in grid order, so that `stream` yields in that order. Otherwise the
        order is chosen so that conditions apply early.
    """

    def __init__(
        self,
        axes: Axes,
        group: Sequence[int],
        conditions: Sequence[Condition],
        *,
        in_grid_order: bool = False,
    ) -> None:
        self._lengths = axes.lengths
        self._grid = axes
        self.axes = tuple(group)
        self.conditions = tuple(conditions)
        self._owners: dict[Conjunct, Condition] = {}
        self._constants: dict[Conjunct, Condition] = {}
        for condition in self.conditions:
            for conjunct in condition.conjuncts:
                (self._owners if conjunct.axes else self._constants)[conjunct] = condition
        self._masks: dict[Conjunct, tuple[BoolArray, BoolArray | None]] = {}
        self._suspects: dict[Condition, None] = {}  # a set that keeps its order
        self._table: Rows | None = None
        self._tally: Tally | None = None
        self._tallied_with = 0
        self._raises = False
        self._count: int | None = None
        self._order = self.axes if in_grid_order else self._choose_order()
        self.in_order = self._order == self.axes

    @property
    def cells(self) -> int:
        """Number of combinations before conditions."""
        return math.prod([self._lengths[axis] for axis in self.axes])

    @property
    def known_count(self) -> int | None:
        """How many combinations pass, if they have been counted."""
        if self._count is None and self._table is not None:
            self._count = len(self._table[self.axes[0]])
        return self._count

    @property
    def solved(self) -> bool:
        """Whether every passing combination can be had by its number."""
        return self._table is not None or self._tally is not None or not self.conditions

    def rows_at(self, numbers: IntArray) -> list[IntArray]:
        """Return the passing combinations with these numbers, one array of codes an axis."""
        if not self.conditions:
            return [numbers]  # an axis of its own
        if self._table is None and self._tally is not None:
            found = self._tally.rows_at(numbers)
            return [found[axis] for axis in self.axes]
        table = self.table()
        return [table[axis][numbers] for axis in self.axes]

    def no_rows(self) -> list[IntArray]:
        """Return no rows, one array of codes an axis."""
        return [np.zeros(0, dtype=code_type(self._lengths[axis])) for axis in self.axes]

    def count(self) -> int:
        """Return how many combinations pass; they are kept for later if they are not too many.

        Counting by tally comes first, but with no more than a quarter of the cells: on a group of
        two linked axes a tally looks at every cell, as building does, and leaves less behind.
        """
        if not self.conditions:
            return self.cells
        if self.known_count is None and not self.tallied(min(MOST_TALLIED, self.cells // 4)):
            try:
                self.table(MOST_ROWS)
            except TooManyError:
                self._count = sum(len(rows[self.axes[0]]) for rows in self.stream())
        return self.known_count or 0

    def tallied(self, most_cells: int) -> bool:
        """Return whether what passes could be counted without building it.

        That looks at no more than `most_cells` combinations of linked axes.

        Raises
        ------
        ConditionError
            If a condition raises for a combination that the others let pass.
        """
        if self._tally is not None or most_cells <= self._tallied_with or not self.conditions:
            return self._tally is not None
        self._tallied_with = most_cells
        for conjunct in self._constants:
            true, raised = conjunct.test({})
            if not true.all() or (raised is not None and raised.any()):
                return False
        conjuncts = tuple(self._owners)
        with contextlib.suppress(TooCostlyError):
            tally = Tally(self._lengths, self.axes, conjuncts, most_cells)
            for suspect in tally.suspects:
                # The total counts what raises as passing. Whether any of it passes all other
                # conditions, and is hence an error, is one more count.
                raising = Tally(self._lengths, self.axes, conjuncts, most_cells, suspect)
                if raising.total:
                    self._raises = True
                    first = raising.rows_at(np.zeros(1, dtype=np.int64))
                    report_raised(self._grid, [self._owners[suspect]], first)
            self._tally = tally
            self._count = tally.total
        return self._tally is not None

    def table(self, most_rows: int | None = None, most_cells: int | None = None) -> Rows:
        """Return all that pass, in grid order.

        Raises
        ------
        TooManyError
            If more than `most_rows` pass, or more than `most_cells` had to be looked at.
        """
        if self._table is not None:
            return self._table
        pieces: list[Rows] = []
        n_rows = 0
        block = CELLS if most_cells is None else max(1, min(CELLS, most_cells))
        for piece in self.stream(most_cells=most_cells, block=block):
            pieces.append(piece)
            n_rows += len(piece[self.axes[0]])
            if most_rows is not None and n_rows > most_rows:
                raise TooManyError
        rows: Rows
        if not pieces:
            rows = dict(zip(self.axes, self.no_rows(), strict=True))
        elif len(pieces) == 1:
            rows = pieces[0]
        else:
            rows = {axis: np.concatenate([one[axis] for one in pieces]) for axis in self.axes}
        if not self.in_order:
            # Axes were bound in the order that prunes most; the numbers of combinations, by which
            # samples and subsets name them, are those of the grid.
            lengths = [self._lengths[axis] for axis in self.axes]
            order = grid_order([rows[axis] for axis in self.axes], lengths)
            rows = {axis: rows[axis][order] for axis in self.axes}
        self._table = rows
        return rows

    def is_empty(self) -> bool:
        """Return whether nothing passes; it looks no further than the first that does."""
        if self.known_count is not None:
            return self.known_count == 0
        if self._raises:  # where nothing else excludes it
            return False
        pieces = self.stream(block=_FIRST_BLOCK)
        return not any(len(piece[self.axes[0]]) for piece in pieces)

    def stream(self, *, most_cells: int | None = None, block: int = CELLS) -> Iterator[Rows]:
        """Yield all that pass in pieces of bounded size, in the order in which axes are bound."""
        # A list, for all depths take from one budget. Conditions on constants decide at once over
        # everything, and are not evaluated again.
        budget = [math.inf if most_cells is None else most_cells]
        for conjunct, owner in self._constants.items():
            if not self._not_excluded(owner, conjunct.test({})).all():
                return
        yield from self._deepen({}, 0, block, budget)

    def _deepen(self, rows: Rows, depth: int, block: int, budget: list[float]) -> Iterator[Rows]:
        """Yield the completions of a prefix table: depth first, a block of rows at a time."""
        if depth == len(self._order):
            # Rows that raised somewhere have passed everything else by now: this is an error.
            report_raised(self._grid, self._suspects, rows)
            yield rows
            return
        # Depth first: a piece is carried to the last axis before its neighbour is made, so that at
        # any moment there is one piece a depth. Breadth first would hold every prefix of a depth.
        for piece in self._expand(rows, depth, block, budget):
            if len(piece[self._order[depth]]):
                yield from self._deepen(piece, depth + 1, block, budget)

    def _expand(self, rows: Rows, depth: int, block: int, budget: list[float]) -> Iterator[Rows]:
        """Yield `rows` crossed with the next axis where the conjuncts that bind now are true.

        A conjunct binds with the last of its axes. Rows are taken in steps, so that a step times
        the axis is about a block; where stretches of the axis can be ruled out there will be far
        fewer cells than that, so the first cut into `_FAN` blocks, and those again, sets the step.
        """
        axis = self._order[depth]
        bound = {*self._order[: depth + 1]}
        binding = [c for c in self._owners if axis in c.axes and bound.issuperset(c.axes)]
        length = self._lengths[axis]
        n_rows = len(rows[self._order[0]]) if depth else 1
        guides: list[Vectorised] = []
        if length > _LONG:
            readings = [conjunct.vectorised for conjunct in self._owners if axis in conjunct.axes]
            guides = [reading for reading in readings if reading is not None and reading.has_bounds]
        step = max(1, block // (_FAN * _FAN) if guides else block // length)
        for start in range(0, n_rows, step):
            head = {a: code[start : start + step] for a, code in rows.items()}
            n_head = min(step, n_rows - start)
            cells = narrowed(guides, head, n_head, axis, length, budget) if guides else None
            if cells is None:
                yield from self._crossed(binding, head, n_head, axis, block, budget)
                continue
            chosen, tail = cells
            piece = {a: code[chosen] for a, code in head.items()}
            piece[axis] = tail.astype(code_type(length))
            for conjunct in binding:
                true = self._not_excluded(self._owners[conjunct], conjunct.test(piece))
                piece = {a: code[true] for a, code in piece.items()}
            yield piece

    def _crossed(
        self,
        binding: list[Conjunct],
        head: Rows,
        n_head: int,
        axis: int,
        block: int,
        budget: list[float],
    ) -> Iterator[Rows]:
        """Yield all of `head` with all of the axis where the conjuncts are true."""
        length = self._lengths[axis]
        step = max(1, block // length)
        for start in range(0, n_head, step):
            some = {a: code[start : start + step] for a, code in head.items()}
            n_some = min(step, n_head - start)
            for low in range(0, length, block):
                tail = np.arange(low, min(low + block, length), dtype=code_type(length))
                spend_budget(budget, n_some * len(tail))
                yield self._filtered(binding, some, n_some, axis, tail)

    def _filtered(
        self, binding: list[Conjunct], head: Rows, n_head: int, axis: int, tail: IntArray
    ) -> Rows:
        """Return head × tail where all conjuncts are true.

        What NumPy can look at is combined on the two-dimensional grid of head × tail, where every
        operand broadcasts and nothing is copied; only what is left becomes rows. Callables come
        after that: the fewer rows there are, the fewer calls.
        """
        # First what still waits for axes, by bounds: a cheap look that often leaves few cells to
        # those conjuncts that decide now.
        kept = self._still_possible(head, axis, tail)
        calls: list[Conjunct] = []
        for conjunct in binding:
            owner = self._owners[conjunct]
            if conjunct.vectorised is None:
                calls.append(conjunct)
                continue
            if self._has_mask(conjunct, n_head * len(tail)):
                true = self._not_excluded(owner, self._from_mask(conjunct, head, axis, tail))
            else:
                codes = {a: head[a][:, np.newaxis] for a in conjunct.axes if a != axis}
                codes[axis] = tail[np.newaxis, :]
                true = self._not_excluded(owner, conjunct.test(codes))
            kept = true if kept is None else kept & true
        if kept is None:
            piece = {a: np.repeat(code, len(tail)) for a, code in head.items()}
            piece[axis] = np.tile(tail, n_head)
        else:
            chosen, columns = np.nonzero(np.broadcast_to(kept, (n_head, len(tail))))
            piece = {a: code[chosen] for a, code in head.items()}
            piece[axis] = tail[columns]
        for conjunct in calls:
            if self._has_mask(conjunct, len(piece[axis])):
                true, raised = self._mask(conjunct, axis)
                at = self._mask_rows(conjunct, piece, axis), piece[axis]
                tested = true[at], None if raised is None else raised[at]
            else:
                tested = conjunct.test(piece)
            true = self._not_excluded(self._owners[conjunct], tested)
            piece = {a: code[true] for a, code in piece.items()}
        return piece

    def _still_possible(self, head: Rows, axis: int, tail: IntArray) -> BoolArray | None:
        """Return which cells may still meet the conjuncts that wait for further axes; None: all."""
        kept: BoolArray | None = None
        bound = {*head, axis}
        for conjunct in self._owners:
            waits = axis in conjunct.axes and not bound.issuperset(conjunct.axes)
            if not waits or conjunct.vectorised is None:
                continue
            codes = {a: head[a][:, np.newaxis] for a in conjunct.axes if a in head}
            codes[axis] = tail[np.newaxis, :]
            possible = conjunct.vectorised.possible(codes)
            if possible is not None:
                kept = possible if kept is None else kept & possible
        return None if kept is None or kept.all() else kept

    def _not_excluded(
        self, owner: Condition, tested: tuple[BoolArray, BoolArray | None]
    ) -> BoolArray:
        """Return where a conjunct is true or raises; what raises is judged at the end."""
        true, raised = tested
        if raised is None or not raised.any():
            return true
        self._suspects[owner] = None
        return true | raised

    # A conjunct of few axes meets the same cells again and again, once for every value of
    # the other axes. If all its own cells are no more than those of this step, it is evaluated once
    # over all of them; from then on it is a look-up (2 ns a cell instead of 10 to 50).

    def _has_mask(self, conjunct: Conjunct, n_cells: int) -> bool:
        cells = math.prod([self._lengths[a] for a in conjunct.axes])
        return conjunct in self._masks or cells <= min(n_cells, _MOST_MASKED)

    def _mask(self, conjunct: Conjunct, axis: int) -> tuple[BoolArray, BoolArray | None]:
        """Return the conjunct over all combinations of its own axes: others × `axis`."""
        if conjunct not in self._masks:
            order = [*(a for a in conjunct.axes if a != axis), axis]
            lengths = [self._lengths[a] for a in order]
            grids = np.ix_(*(np.arange(length) for length in lengths))
            true, raised = conjunct.test(dict(zip(order, grids, strict=True)))
            true = np.ascontiguousarray(true).reshape(-1, lengths[-1])
            if raised is not None:
                raised = np.ascontiguousarray(raised).reshape(true.shape)
            self._masks[conjunct] = true, raised
        return self._masks[conjunct]

    def _mask_rows(self, conjunct: Conjunct, rows: Rows, axis: int) -> IntArray:
        """Return the row of the conjunct's mask that each of `rows` looks at."""
        at: IntArray = np.zeros(1, dtype=np.intp)
        for other in conjunct.axes:
            if other != axis:
                at = at * self._lengths[other] + rows[other]
        return at

    def _from_mask(
        self, conjunct: Conjunct, head: Rows, axis: int, tail: IntArray
    ) -> tuple[BoolArray, BoolArray | None]:
        """Return the conjunct on head × tail, looked up in its mask."""
        true, raised = self._mask(conjunct, axis)
        at = self._mask_rows(conjunct, head, axis)
        columns = slice(None) if len(tail) == self._lengths[axis] else tail
        true = np.take(true, at, axis=0)[:, columns]
        return true, None if raised is None else np.take(raised, at, axis=0)[:, columns]

    def _choose_order(self) -> tuple[int, ...]:
        """Return an order of the axes in which few rows are built before conditions cut them.

        Greedy: next comes the axis that multiplies the number of rows least, which is its length
        times the share that passes of every conjunct it completes. Shares are guessed from 256
        random cells; a wrong guess costs time and never the result. Ties go to the earlier axis.
        """
        shares: dict[Conjunct, float] = {}
        order: list[int] = []
        left = list(self.axes)
        while left:
            growths = []
            for axis in left:
                bound = {*order, axis}
                growth = float(self._lengths[axis])
                for conjunct in self._owners:
                    if axis in conjunct.axes and bound.issuperset(conjunct.axes):
                        if conjunct not in shares:
                            shares[conjunct] = self._guessed_share(conjunct)
                        growth *= shares[conjunct]
                growths.append((growth, axis))
            best = min(growths)[1]
            order.append(best)
            left.remove(best)
        return tuple(order)

    def _guessed_share(self, conjunct: Conjunct) -> float:
        """Return the share of its cells that a conjunct lets pass, guessed from a few of them."""
        # Half a pass is added, so that a conjunct that none of 256 cells met counts as rare, not
        # as impossible: a share of 0 would make its axes look free, however long they are.
        if conjunct.vectorised is None:
            return 0.5  # a user's function is not called for a guess
        rng = np.random.default_rng(0)
        codes = {a: rng.integers(0, self._lengths[a], 256) for a in conjunct.axes}
        true, _ = conjunct.test(codes)
        return (float(np.count_nonzero(true)) + 0.5) / true.size


def narrowed(
    guides: Sequence[Vectorised],
    head: Rows,
    n_head: int,
    axis: int,
    length: int,
    budget: list[float],
) -> tuple[IntArray, IntArray] | None:
    """Return the (row, code) pairs of `head` × `axis` that bounds do not rule out, row by row.

    The axis is cut into blocks of a power of `_FAN` values. With the smallest and the largest value
    of a block in place of the axis, a guide either proves that nothing in it can pass, or the block
    is cut into `_FAN` smaller ones, down to single codes. A row of ``a + b == 7`` on an axis of
    5,000 sorted values tries about 5 + 32 + 32 blocks instead of 5,000 values. Blocks of values in
    no order have wide bounds and rule out little, which is seen at once: None then, and wherever
    so much is left that looking at every cell costs less.
    """
    size = 1
    while size * _FAN < length:
        size *= _FAN
    chosen = np.zeros(1, dtype=np.intp) if not head else np.arange(n_head)
    blocks = np.zeros(len(chosen), dtype=np.intp)
    n_children = -(-length // size)
    # Invariant: the pairs (row, block of `size` values) hold every cell that may still pass.
    while True:
        fan = np.arange(n_children)
        spend_budget(budget, len(chosen) * n_children)
        chosen = np.repeat(chosen, n_children)
        blocks = (blocks[:, np.newaxis] * n_children + fan).ravel()
        inside = blocks * size < length
        known_codes = {a: code[chosen] for a, code in head.items()}
        for guide in guides:
            inside[inside] = guide.possible_in_blocks(
                {a: code[inside] for a, code in known_codes.items()}, axis, blocks[inside], size
            )
        chosen, blocks = chosen[inside], blocks[inside]
        # Of two blocks one is the least that can be left: few of them say nothing yet.
        if n_children >= _TELLING and len(chosen) * size > _DENSE * n_head * length:
            return None
        if size == 1:
            return chosen, blocks
        size //= _FAN
        n_children = _FAN


def spend_budget(budget: list[float], n_cells: int) -> None:
    """Take `n_cells` from what may be looked at.

    Raises
    ------
    TooManyError
        If there is not so much left.
    """
    budget[0] -= n_cells
    if budget[0] < 0:
        raise TooManyError


def grid_order(codes: Sequence[IntArray], lengths: Sequence[int]) -> IntArray:
    """Return the order that sorts rows of codes as they lie in the grid."""
    if math.prod(lengths) <= INT64_MAX:
        return np.argsort(positions(codes, lengths), kind="stable")
    return np.lexsort(list(codes)[::-1])


def positions(codes: Sequence[IntArray], lengths: Sequence[int]) -> IntArray:
    """Return mixed-radix positions, for grids that fit into 64 bits."""
    position = np.zeros(len(codes[0]), dtype=np.int64)
    for code, length in zip(codes, lengths, strict=True):
        position *= length
        position += code
    return position


def connected_axes(lengths: Sequence[int], conditions: Sequence[Condition]) -> list[list[int]]:
    """Return the axes that conditions connect, directly or through others; free axes are alone.

    Groups are kept as one label an axis; connecting two relabels the higher group. There are a few
    dozen axes at most, so nothing cleverer pays.
    """
    group_of = list(range(len(lengths)))
    for condition in conditions:
        touched = {group_of[axis] for axis in condition.whole.axes}
        if len(touched) > 1:
            lowest = min(touched)
            group_of = [lowest if group in touched else group for group in group_of]
    found: dict[int, list[int]] = {}
    for axis, group in enumerate(group_of):
        found.setdefault(group, []).append(axis)
    return list(found.values())
