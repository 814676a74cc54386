# SPDX-License-Identifier: BSD-3-Clause
"""What passes the conditions of one group of axes, built axis by axis and pruned on the way."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from broadpeak._core.expressions.vectorised import Vectorised
from broadpeak._space.axes import Axes
from broadpeak._space.conditions import CELLS, Condition, Conjunct, report_raised
from broadpeak._space.tally import NotTalliedError, Tally
from broadpeak.errors import ConditionError
from broadpeak.types import BoolArray, IntArray

MOST_ROWS: Final = 1 << 25
"""Combinations of one group that are kept in memory: a few hundred MB at worst."""

MOST_TALLIED: Final = 1 << 28
"""Combinations of linked axes that are looked at to count what passes."""

_MOST_MASKED: Final = 1 << 22
_LONG: Final = 512  # values on an axis from which on it pays to rule out stretches of them
_FAN: Final = 32  # blocks a block is cut into
_TELLING: Final = 16  # blocks from which on the share of those left tells how dense it is
_DENSE: Final = 0.2  # share of cells above which looking at all of them is quicker
_FIRST_BLOCK: Final = 1 << 14

Rows = dict[int, IntArray]
"""Codes by axis, one array each, of the smallest integer type."""


class TooManyError(Exception):
    """The passing combinations of a group do not fit into the bound that was set."""


class Solver:
    """The axes that some conditions connect, and the combinations of them that pass.

    Parameters
    ----------
    layout : Layout
    axes : sequence of int
        In grid order.
    conditions : sequence of Condition
        Those that depend on these axes and no others.
    in_grid_order : bool
        Whether axes are bound in grid order, so that `stream` yields in that order. Otherwise the
        order is chosen so that conditions apply early.
    """

    def __init__(
        self,
        layout: Axes,
        axes: Sequence[int],
        conditions: Sequence[Condition],
        *,
        in_grid_order: bool = False,
    ) -> None:
        self._layout = layout
        self.axes = tuple(axes)
        self.conditions = tuple(conditions)
        owners = {part: c for c in self.conditions for part in c.parts}
        self._owners = {part: c for part, c in owners.items() if part.axes}
        self._constants = {part: c for part, c in owners.items() if not part.axes}
        self._masks: dict[Conjunct, tuple[BoolArray, BoolArray | None]] = {}
        self._shares: dict[Conjunct, float] = {}
        self._suspects: dict[Condition, None] = {}
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
        return math.prod(self._layout.lengths[axis] for axis in self.axes)

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

    def empty(self) -> list[IntArray]:
        """Return no rows, one array of codes an axis."""
        lengths = self._layout.lengths
        return [np.zeros(0, dtype=code_type(lengths[axis])) for axis in self.axes]

    def count(self) -> int:
        """Return how many combinations pass; they are kept for later if they are not too many."""
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
        if self._tally is None and most_cells > self._tallied_with and self.conditions:
            self._tallied_with = most_cells
            if self._constants_are_true():
                with contextlib.suppress(NotTalliedError):
                    self._tally = self._made_tally(most_cells)
                    self._count = self._tally.total
        return self._tally is not None

    def _made_tally(self, most_cells: int) -> Tally:
        lengths, parts = self._layout.lengths, tuple(self._owners)
        tally = Tally(lengths, self.axes, parts, most_cells)
        for suspect in tally.suspects:
            raising = Tally(lengths, self.axes, parts, most_cells, suspect)
            if raising.total:
                self._raises = True
                first = raising.rows_at(np.zeros(1, dtype=np.int64))
                report_raised(self._layout, [self._owners[suspect]], first)
        return tally

    def _constants_are_true(self) -> bool:
        tested = [part.test({}) for part in self._constants]
        return all(true.all() and (raised is None or not raised.any()) for true, raised in tested)

    def table(self, most_rows: int | None = None, most_cells: int | None = None) -> Rows:
        """Return all that pass, in grid order.

        Raises
        ------
        TooManyError
            If more than `most_rows` pass, or more than `most_cells` had to be looked at.
        """
        if self._table is None:
            pieces: list[Rows] = []
            n_rows = 0
            block = CELLS if most_cells is None else max(1, min(CELLS, most_cells))
            for piece in self.stream(most_cells=most_cells, block=block):
                pieces.append(piece)
                n_rows += len(piece[self.axes[0]])
                if most_rows is not None and n_rows > most_rows:
                    raise TooManyError
            rows = self._join(pieces)
            self._table = rows if self.in_order else self._sorted(rows)
        return self._table

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
        budget = [math.inf if most_cells is None else most_cells]
        for part, owner in self._constants.items():
            if not self._tolerant(owner, part.test({})).all():
                return
        yield from self._deepen({}, 0, block, budget)

    def _deepen(self, rows: Rows, depth: int, block: int, budget: list[float]) -> Iterator[Rows]:
        if depth == len(self._order):
            report_raised(self._layout, self._suspects, rows)
            yield rows
            return
        for piece in self._expand(rows, depth, block, budget):
            if len(piece[self._order[depth]]):
                yield from self._deepen(piece, depth + 1, block, budget)

    def _expand(self, rows: Rows, depth: int, block: int, budget: list[float]) -> Iterator[Rows]:
        """Yield `rows` crossed with the next axis, as far as the parts that bind now are true."""
        axis = self._order[depth]
        bound = set(self._order[:depth])
        parts = [p for p in self._owners if axis in p.axes and bound.issuperset({*p.axes} - {axis})]
        length = self._layout.lengths[axis]
        n_rows = len(rows[self._order[0]]) if depth else 1
        guides = self._guides(axis) if length > _LONG else []
        step = max(1, block // (_FAN * _FAN) if guides else block // length)
        for start in range(0, n_rows, step):
            head = {a: code[start : start + step] for a, code in rows.items()}
            n_head = min(step, n_rows - start)
            cells = narrowed(guides, head, n_head, axis, length, budget) if guides else None
            if cells is not None:
                yield self._tested(parts, head, cells, axis)
            else:
                yield from self._crossed(parts, head, n_head, axis, block, budget)

    def _guides(self, axis: int) -> list[Vectorised]:
        """Return the expressions whose bounds can rule out stretches of `axis`."""
        found = [part.vectorised for part in self._owners if axis in part.axes]
        return [one for one in found if one is not None and one.has_bounds]

    def _tested(
        self, parts: list[Conjunct], head: Rows, cells: tuple[IntArray, IntArray], axis: int
    ) -> Rows:
        """Return those of the (row, code) pairs of `cells` at which all parts are true."""
        chosen, tail = cells
        piece = {a: code[chosen] for a, code in head.items()}
        piece[axis] = tail.astype(code_type(self._layout.lengths[axis]))
        for part in parts:
            true = self._tolerant(self._owners[part], part.test(piece))
            piece = {a: code[true] for a, code in piece.items()}
        return piece

    def _crossed(
        self,
        parts: list[Conjunct],
        head: Rows,
        n_head: int,
        axis: int,
        block: int,
        budget: list[float],
    ) -> Iterator[Rows]:
        """Yield all of `head` with all of the axis, as far as the parts are true."""
        length = self._layout.lengths[axis]
        step = max(1, block // length)
        for start in range(0, n_head, step):
            some = {a: code[start : start + step] for a, code in head.items()}
            n_some = min(step, n_head - start)
            for low in range(0, length, block):
                tail = np.arange(low, min(low + block, length), dtype=code_type(length))
                spend(budget, n_some * len(tail))
                yield self._filtered(parts, some, n_some, axis, tail)

    def _filtered(
        self, parts: list[Conjunct], head: Rows, n_head: int, axis: int, tail: IntArray
    ) -> Rows:
        """Return head × tail where all parts are true: first those that NumPy can look at."""
        kept = self._hopeful(head, axis, tail)
        slow: list[Conjunct] = []
        for part in parts:
            owner = self._owners[part]
            if part.vectorised is None:
                slow.append(part)
                continue
            if self._has_mask(part, n_head * len(tail)):
                true = self._tolerant(owner, self._from_mask(part, head, axis, tail))
            else:
                codes: dict[int, Any] = {a: head[a][:, np.newaxis] for a in part.axes if a != axis}
                codes[axis] = tail[np.newaxis, :]
                true = self._tolerant(owner, part.test(codes))
            kept = true if kept is None else kept & true
        if kept is None:
            piece = {a: np.repeat(code, len(tail)) for a, code in head.items()}
            piece[axis] = np.tile(tail, n_head)
        else:
            chosen, place = np.nonzero(np.broadcast_to(kept, (n_head, len(tail))))
            piece = {a: code[chosen] for a, code in head.items()}
            piece[axis] = tail[place]
        for part in slow:
            n_rows = len(piece[axis])
            by_mask = self._has_mask(part, n_rows)
            tested = self._rows_from_mask(part, piece, axis) if by_mask else part.test(piece)
            true = self._tolerant(self._owners[part], tested)
            piece = {a: code[true] for a, code in piece.items()}
        return piece

    def _hopeful(self, head: Rows, axis: int, tail: IntArray) -> BoolArray | None:
        """Return which cells may still meet the parts that wait for further axes; None: all."""
        hopeful: BoolArray | None = None
        bound = {*head, axis}
        for part in self._owners:
            if part.vectorised is None or axis not in part.axes or bound.issuperset(part.axes):
                continue
            codes: dict[int, Any] = {a: head[a][:, np.newaxis] for a in part.axes if a in head}
            codes[axis] = tail[np.newaxis, :]
            possible = part.vectorised.possible(codes)
            if possible is not None:
                hopeful = possible if hopeful is None else hopeful & possible
        return None if hopeful is None or hopeful.all() else hopeful

    def _tolerant(self, owner: Condition, tested: tuple[BoolArray, BoolArray | None]) -> BoolArray:
        """Return where the part does not exclude: raising is judged when all others have spoken."""
        true, raised = tested
        if raised is None or not raised.any():
            return true
        self._suspects[owner] = None
        return true | raised

    def _has_mask(self, part: Conjunct, n_cells: int) -> bool:
        cells = math.prod(self._layout.lengths[a] for a in part.axes)
        return part in self._masks or cells <= min(n_cells, _MOST_MASKED)

    def _from_mask(
        self, part: Conjunct, head: Rows, axis: int, tail: IntArray
    ) -> tuple[BoolArray, BoolArray | None]:
        """Look the part up in a mask over its own axes, made once."""
        true, raised = self._mask(part, axis)
        key = self._key(part, head, axis)
        whole = len(tail) == self._layout.lengths[axis]
        columns = slice(None) if whole else tail

        def look_up(mask: BoolArray) -> BoolArray:
            return np.take(mask, key, axis=0)[:, columns]

        return look_up(true), None if raised is None else look_up(raised)

    def _rows_from_mask(
        self, part: Conjunct, rows: Rows, axis: int
    ) -> tuple[BoolArray, BoolArray | None]:
        true, raised = self._mask(part, axis)
        key = self._key(part, rows, axis)
        code = rows[axis]
        return true[key, code], None if raised is None else raised[key, code]

    def _key(self, part: Conjunct, rows: Rows, axis: int) -> IntArray:
        """Return the row of the part's mask that each of `rows` looks at."""
        key: IntArray = np.zeros(1, dtype=np.intp)
        for other in part.axes:
            if other != axis:
                key = key * self._layout.lengths[other] + rows[other]
        return key

    def _mask(self, part: Conjunct, axis: int) -> tuple[BoolArray, BoolArray | None]:
        """Return the part over all combinations of its own axes: others × `axis`."""
        if part not in self._masks:
            order = [*(a for a in part.axes if a != axis), axis]
            lengths = [self._layout.lengths[a] for a in order]
            grids = np.ix_(*(np.arange(length) for length in lengths))
            true, raised = part.test(dict(zip(order, grids, strict=True)))
            true = np.ascontiguousarray(true).reshape(-1, lengths[-1])
            if raised is not None:
                raised = np.ascontiguousarray(raised).reshape(true.shape)
            self._masks[part] = true, raised
        return self._masks[part]

    def _choose_order(self) -> tuple[int, ...]:
        """Return an order in which few combinations are built before conditions cut them."""
        order: list[int] = []
        left = list(self.axes)
        while left:
            bound = set(order)

            def growth(axis: int, bound: set[int] = bound) -> tuple[float, int]:
                lengths = float(self._layout.lengths[axis])
                for part in self._owners:
                    if axis in part.axes and bound.issuperset({*part.axes} - {axis}):
                        if part not in self._shares:
                            self._shares[part] = self._share(part)
                        lengths *= self._shares[part]
                return lengths, axis

            best = min(left, key=growth)
            order.append(best)
            left.remove(best)
        return tuple(order)

    def _share(self, part: Conjunct) -> float:
        """Return the share of its cells that a part lets pass, guessed from a few of them."""
        if part.vectorised is None:
            return 0.5  # a user's function is not called for a guess
        rng = np.random.default_rng(0)
        codes = {a: rng.integers(0, self._layout.lengths[a], 256) for a in part.axes}
        true, _ = part.test(codes)
        return (float(np.count_nonzero(true)) + 0.5) / true.size

    def _join(self, pieces: list[Rows]) -> Rows:
        if not pieces:
            return dict(zip(self.axes, self.empty(), strict=True))
        if len(pieces) == 1:
            return {axis: pieces[0][axis] for axis in self.axes}
        return {axis: np.concatenate([p[axis] for p in pieces]) for axis in self.axes}

    def _sorted(self, rows: Rows) -> Rows:
        order = grid_order(
            [rows[a] for a in self.axes], [self._layout.lengths[a] for a in self.axes]
        )
        return {axis: code[order] for axis, code in rows.items()}


def narrowed(
    guides: Sequence[Vectorised],
    head: Rows,
    n_head: int,
    axis: int,
    length: int,
    budget: list[float],
) -> tuple[IntArray, IntArray] | None:
    """Return the (row, code) pairs of `head` × `axis` that bounds do not rule out, row by row.

    The axis is cut into blocks, and those that may hold something into smaller ones, down to
    single codes: where little passes, most of it is never looked at. None if that does not pay.
    """
    size = 1
    while size * _FAN < length:
        size *= _FAN
    chosen = np.zeros(1, dtype=np.intp) if not head else np.arange(n_head)
    blocks = np.zeros(len(chosen), dtype=np.intp)
    n_children = -(-length // size)
    while True:
        fan = np.arange(n_children)
        spend(budget, len(chosen) * n_children)
        chosen = np.repeat(chosen, n_children)
        blocks = (blocks[:, np.newaxis] * n_children + fan).ravel()
        inside = blocks * size < length
        known_codes = {a: code[chosen] for a, code in head.items()}
        for guide in guides:
            inside[inside] = guide.possible_in_blocks(
                {a: code[inside] for a, code in known_codes.items()}, axis, blocks[inside], size
            )
        chosen, blocks = chosen[inside], blocks[inside]
        # Of two blocks a half is the least that can be left: few of them say nothing yet.
        if n_children >= _TELLING and len(chosen) * size > _DENSE * n_head * length:
            return None
        if size == 1:
            return chosen, blocks
        size //= _FAN
        n_children = _FAN


def spend(budget: list[float], n_cells: int) -> None:
    """Take `n_cells` from what may be looked at.

    Raises
    ------
    TooManyError
        If there is not so much left.
    """
    budget[0] -= n_cells
    if budget[0] < 0:
        raise TooManyError


def code_type(length: int) -> Any:
    """Return the smallest integer type for codes of an axis of `length`."""
    return np.min_scalar_type(-max(length, 1))


def grid_order(codes: Sequence[IntArray], lengths: Sequence[int]) -> IntArray:
    """Return the order that sorts rows of codes as they lie in the grid."""
    if math.prod(lengths) <= np.iinfo(np.int64).max:
        return np.argsort(positions(codes, lengths), kind="stable")
    return np.lexsort(list(codes)[::-1])


def positions(codes: Sequence[IntArray], lengths: Sequence[int]) -> IntArray:
    """Return mixed-radix positions, for grids that fit into 64 bits."""
    place = np.zeros(len(codes[0]), dtype=np.int64)
    for code, length in zip(codes, lengths, strict=True):
        place *= length
        place += code
    return place


def make_solvers(layout: Axes, conditions: Sequence[Condition]) -> list[Solver]:
    """Return one solver a group of connected axes; they are independent of one another."""
    connected = groups(layout.lengths, conditions)
    own: list[list[Condition]] = [[] for _ in connected]
    for condition in conditions:
        axes = condition.whole.axes
        # A condition on constants alone decides over everything; any group may hold it.
        place = next((i for i, group in enumerate(connected) if axes and axes[0] in group), 0)
        own[place].append(condition)
    return [Solver(layout, axes, members) for axes, members in zip(connected, own, strict=True)]


def count_all(solvers: Sequence[Solver]) -> int:
    """Return how many combinations pass in the product of independent groups."""
    try:
        return math.prod(solver.count() for solver in solvers)
    except ConditionError:
        if nothing_passes(solvers):
            return 0
        raise


def nothing_passes(solvers: Sequence[Solver]) -> bool:
    """Return whether some group lets nothing pass: then no condition of another one counts."""
    for solver in solvers:
        with contextlib.suppress(ConditionError):
            if solver.conditions and solver.is_empty():
                return True
    return False


def groups(lengths: Sequence[int], conditions: Sequence[Condition]) -> list[list[int]]:
    """Return the axes that conditions connect, directly or through others; free axes are alone."""
    leader = list(range(len(lengths)))

    def find(axis: int) -> int:
        while leader[axis] != axis:
            leader[axis] = leader[leader[axis]]
            axis = leader[axis]
        return axis

    for condition in conditions:
        axes = condition.whole.axes
        for axis in axes[1:]:
            low, high = sorted((find(axes[0]), find(axis)))
            leader[high] = low
    found: dict[int, list[int]] = {}
    for axis in range(len(lengths)):
        found.setdefault(find(axis), []).append(axis)
    return list(found.values())
