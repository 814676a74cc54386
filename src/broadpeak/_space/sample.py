# SPDX-License-Identifier: BSD-3-Clause
"""Drawing combinations without building the grid: uniform, exact in number, without duplicates.

Groups of axes are independent, so a uniform draw from the grid is a uniform draw from each group. A
group is drawn from in one of three ways, the cheapest that is known to work. If it is small or
tallied, its combinations have numbers, and a number is drawn. If not, cells are drawn at random and
those that fail the conditions are rejected: what is left is uniform, and costs one over the share
that passes. If after a million draws nearly nothing has passed, the group is solved after all, with
sixteen times the budget at every new attempt, so that neither way ever takes much longer than the
other would.

Without replacement, rows are drawn until enough of them differ. Dropping repetitions keeps the rest
uniform, since every set of distinct rows is as likely as any other. That gets slow where most of
what passes is wanted; then every group is solved, and distinct numbers are drawn.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from broadpeak._space.axes import INT64_MAX, Axes, code_type
from broadpeak._space.conditions import CELLS, check_rows
from broadpeak._space.solve import MOST_ROWS, MOST_TALLIED, Solver, TooManyError, positions
from broadpeak.errors import ParamError, warn
from broadpeak.types import AnyArray, BoolArray, IntArray

_SMALL: Final = 1 << 16
"""Cells up to which a group is solved at once: that costs less than drawing and rejecting."""

_QUICK: Final = 1 << 21
"""Cells up to which a group is tallied at once: about what drawing costs."""

_FIRST_TRIES: Final = 1 << 20
"""Draws that may be rejected before an attempt to solve the group instead."""

_FIRST_CELLS: Final = 1 << 28
"""Combinations looked at before that attempt is given up for more drawing."""

_MOST_SHUFFLED: Final = 1 << 27
"""Numbers that are shuffled to take some of them.
"""


def draw_rows(total: int, n: int, replace: bool, rng: np.random.Generator) -> AnyArray:
    """Return `n` numbers below `total`, in random order; distinct unless `replace`."""
    if replace:
        return _draw_below(total, n, rng)
    if total <= _MOST_SHUFFLED or n > total // 2:
        return rng.choice(total, n, replace=False)
    drawn = _draw_below(total, n, rng)
    while True:
        drawn = drawn[np.sort(np.unique(drawn, return_index=True)[1])]
        if len(drawn) >= n:
            return drawn[:n]
        # At least half of what is drawn now is new.
        more = _draw_below(total, 2 * (n - len(drawn)), rng)
        drawn = np.concatenate([drawn, more])


def _draw_below(total: int, n: int, rng: np.random.Generator) -> AnyArray:
    """Return `n` numbers below `total`, of any size."""
    if total <= INT64_MAX:
        return rng.integers(0, total, n)
    n_bytes = (total.bit_length() + 7) // 8
    surplus = 8 * n_bytes - total.bit_length()
    found = np.empty(n, dtype=object)
    for i in range(n):
        number = total
        while number >= total:
            number = int.from_bytes(rng.bytes(n_bytes), "little") >> surplus
        found[i] = number
    return found


def too_many_error(n: int, total: int) -> ParamError:
    """Return the error for a request of `n` out of `total` combinations."""
    msg = (
        f"random_subset must be at most the number of combinations that pass, got {n} of {total}. "
        f"Ask for {total} or fewer; combine_params can also draw with random_replace=True."
    )
    return ParamError(msg)


class GroupSampler:
    """Draws from one group of axes: from its solution if it is known, else by rejection."""

    def __init__(
        self, axes: Axes, solver: Solver, rng: np.random.Generator, max_misses: int | None
    ) -> None:
        self._axes = axes
        self.solver = solver
        self._rng = rng
        self._max_misses = max_misses
        self._misses = 0
        self.gave_up = False
        if solver.conditions and not self._tabulate(_SMALL):
            solver.tallied(_QUICK)

    @property
    def count(self) -> int | None:
        """How many combinations of the group pass, if that is known."""
        return self.solver.count() if self.solver.solved else None

    def draw(self, n: int) -> list[IntArray]:
        """Return `n` draws with replacement, one array of codes an axis; fewer if it gave up."""
        tries, cells = _FIRST_TRIES, _FIRST_CELLS
        drawn: list[list[IntArray]] = []
        missing = n
        while missing and not self.gave_up:
            if self.solver.solved:
                drawn.append(self._from_solution(missing))
                break
            drawn.append(self._by_rejection(missing, tries))
            missing -= len(drawn[-1][0])
            if missing and self._max_misses is None:
                # Rare combinations are better built than met by luck; else draw on, for longer.
                self.solve(cells)
            tries, cells = tries * 16, cells * 16
        return [np.concatenate(column) for column in zip(*drawn, strict=True)]

    def solve(self, most_cells: int | None = None) -> bool:
        """Try to make all passing combinations available: by a tally, or else in memory."""
        most_tallied = MOST_TALLIED if most_cells is None else min(most_cells, MOST_TALLIED)
        return self.solver.tallied(most_tallied) or self._tabulate(most_cells)

    def _tabulate(self, most_cells: int | None) -> bool:
        if not self.solver.solved:
            with contextlib.suppress(TooManyError):
                self.solver.table(MOST_ROWS, most_cells)
        return self.solver.solved

    def _length(self, axis: int) -> int:
        return self._axes.lengths[axis]

    def _by_rejection(self, n: int, most_tries: int) -> list[IntArray]:
        axes = self.solver.axes
        found: list[list[IntArray]] = [[] for _ in axes]
        n_found = tries = 0
        batch = max(256, min(2 * n, CELLS))
        while n_found < n and not self.gave_up:
            if self._max_misses is None and tries >= most_tries * max(1, n_found):
                break
            codes = [self._rng.integers(0, self._length(axis), batch) for axis in axes]
            passed = np.flatnonzero(self._check(codes))
            passed = self._cut_at_misses(passed, batch)[: n - n_found]
            for column, code in zip(found, codes, strict=True):
                column.append(code[passed])
            n_found += len(passed)
            tries += batch
            batch = min(2 * batch, CELLS)
        return [np.concatenate(column) for column in found]

    def _check(self, codes: list[IntArray]) -> BoolArray:
        n = len(codes[0])
        everywhere = [np.zeros(n, dtype=np.int64)] * len(self._axes.lengths)
        for axis, code in zip(self.solver.axes, codes, strict=True):
            everywhere[axis] = code
        return check_rows(self._axes, self.solver.conditions, everywhere)

    def _cut_at_misses(self, passed: IntArray, batch: int) -> IntArray:
        """Return the hits before the first run of more than `max_misses` misses."""
        if self._max_misses is None:
            return passed
        marks = np.concatenate(([-1 - self._misses], passed, [batch]))
        runs = np.diff(marks) - 1
        long = np.flatnonzero(runs > self._max_misses)
        self._misses = int(runs[-1])
        if len(long):
            self.gave_up = True
            return passed[: long[0]]
        return passed

    def _from_solution(self, n: int) -> list[IntArray]:
        total = self.solver.count()
        return self.solver.rows_at(_draw_below(max(total, 1), n if total else 0, self._rng))


class Sampler:
    """Draws combinations of a grid whose groups of axes are independent."""

    def __init__(
        self,
        axes: Axes,
        solvers: Sequence[Solver],
        rng: np.random.Generator,
        max_misses: int | None = None,
    ) -> None:
        self._axes = axes
        self._rng = rng
        self._groups = [GroupSampler(axes, solver, rng, max_misses) for solver in solvers]

    def total(self) -> int | None:
        """Return how many combinations pass, if that is known without work."""
        counts = [group.count for group in self._groups]
        if 0 in counts:
            return 0
        known = [count for count in counts if count is not None]
        return math.prod(known) if len(known) == len(counts) else None

    def draw(self, n: int, *, replace: bool) -> list[IntArray]:
        """Return `n` combinations in random order, one array of codes an axis.

        Raises
        ------
        ParamError
            If fewer than `n` pass and `replace` is false; the message holds their number.
        """
        total = self.total()
        if total == 0:
            return self._columns([group.solver.no_rows() for group in self._groups])
        if total is not None and not replace and n > total:
            raise too_many_error(n, total)
        if total is not None and not replace and total <= INT64_MAX:
            return self._draw_distinct(draw_rows(total, n, replace, self._rng))
        codes = self._draw_iid(n)
        if not replace:
            codes = self._until_distinct(codes, n)
        self._warn_if_short(len(codes[0]), n)
        return codes

    def _draw_distinct(self, numbers: IntArray) -> list[IntArray]:
        """Return combinations by their number: mixed radix over the solutions of the groups."""
        found = []
        for group in reversed(self._groups):
            count = group.count or 1
            numbers, rows = np.divmod(numbers, count)
            found.append(group.solver.rows_at(rows))
        return self._columns(found[::-1])

    def _draw_iid(self, n: int) -> list[IntArray]:
        drawn = [group.draw(n) for group in self._groups]
        shortest = min(len(columns[0]) for columns in drawn)
        return self._columns([[code[:shortest] for code in columns] for columns in drawn])

    def _until_distinct(self, codes: list[IntArray], n: int) -> list[IntArray]:
        """Return `n` different rows: repeated draws are dropped, which keeps the rest uniform."""
        codes = self._distinct(codes)
        while len(codes[0]) < n and not any(group.gave_up for group in self._groups):
            missing = n - len(codes[0])
            more = self._draw_iid(missing + missing // 8 + 8)
            if not len(more[0]):
                break
            before = len(codes[0])
            joined = [np.concatenate(pair) for pair in zip(codes, more, strict=True)]
            codes = self._distinct(joined)
            if len(codes[0]) - before < len(more[0]) // 2 and self._solve_all():
                return self.draw(n, replace=False)
        return [code[:n] for code in codes]

    def _solve_all(self) -> bool:
        """Try to solve every group: most of what can be drawn is drawn, so that it pays."""
        return all(group.solve() for group in self._groups) and self.total() is not None

    def _distinct(self, codes: list[IntArray]) -> list[IntArray]:
        if self._axes.size <= INT64_MAX:
            keys = positions(codes, self._axes.lengths)
            _, first = np.unique(keys, return_index=True)
        else:
            order = np.lexsort(codes)
            changes = np.zeros(len(order), dtype=bool)
            changes[:1] = True
            for code in codes:
                changes[1:] |= code[order][1:] != code[order][:-1]
            # lexsort is stable, so the first of equal rows is the one that was drawn first.
            first = order[changes]
        first = np.sort(first)
        return [code[first] for code in codes]

    def _columns(self, found: Sequence[Sequence[IntArray]]) -> list[IntArray]:
        columns: list[IntArray] = [np.zeros(0, dtype=np.int64)] * len(self._axes.lengths)
        for group, codes in zip(self._groups, found, strict=True):
            for axis, code in zip(group.solver.axes, codes, strict=True):
                columns[axis] = code.astype(code_type(self._axes.lengths[axis]), copy=False)
        return columns

    def _warn_if_short(self, found: int, wanted: int) -> None:
        if found < wanted:
            msg = (
                f"drawing stopped at max_misses with {found} of {wanted} combinations. Raise "
                "max_misses, or leave it out to draw until all are found."
            )
            warn(msg, UserWarning)
