# SPDX-License-Identifier: BSD-3-Clause
"""Which combinations a run takes: positions first, then conditions, then sampling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np

from broadpeak._core import check
from broadpeak._core.rng import generator
from broadpeak._space.axes import Axes
from broadpeak._space.conditions import Condition, check_rows
from broadpeak._space.product import Product
from broadpeak._space.sample import Sampler, draw_rows, too_many
from broadpeak._space.solve import (
    MOST_TALLIED,
    Solver,
    TooManyError,
    code_type,
    count_all,
    grid_order,
    nothing_passes,
    positions,
)
from broadpeak._space.tally import INT64_MAX
from broadpeak.errors import ConditionError, ParamError, broken_rule, shown
from broadpeak.types import BoolArray, IntArray

MOST_COMBINATIONS: Final = 1 << 29
"""Combinations that are ever built at once; beyond, a run must draw from the grid."""

_CHECKED_ONE_BY_ONE: Final = 1 << 22
_CELLS_PER_PLACE: Final = 4  # that may be looked at to solve a grid instead of checking places


@dataclass(frozen=True)
class SubsetRule:
    """What a caller asked for; the fields are the arguments of `combine_params`."""

    grid_indices: Any = None
    random_subset: float | None = None
    random_replace: bool = False
    random_sort: bool = True
    seed: int | None = None
    max_misses: int | None = None

    def __post_init__(self) -> None:
        subset = self.random_subset
        if subset is not None and not _is_subset(subset):
            rule = "be a number of at least 1, or a share in (0, 1]"
            raise ParamError(broken_rule("random_subset", rule, subset))
        check.flag("random_replace", self.random_replace)
        check.flag("random_sort", self.random_sort)
        misses = self.max_misses
        if misses is not None and (not is_whole(misses) or misses < 0):
            rule = "be a whole number of at least 0, or None"
            raise ParamError(broken_rule("max_misses", rule, misses))
        seed = self.seed
        if seed is not None and (not is_whole(seed) or seed < 0):
            rule = "be a whole number of at least 0, or None"
            raise ParamError(broken_rule("seed", rule, seed))

    def number(self, passed: int) -> int:
        """Return how many of `passed` combinations are asked for: a share to the nearest."""
        subset = self.random_subset
        if subset is None:
            return passed
        if is_whole(subset):
            return int(subset)
        share = Fraction(str(float(subset)))  # as it was typed: 0.35 of 10 is 3.5, rounded up
        return max(1, math.floor(share * passed + Fraction(1, 2)))


def is_whole(value: Any) -> bool:
    """Return whether `value` is a whole number and no truth value."""
    return isinstance(check.real(value), int)


def _is_subset(value: Any) -> bool:
    if is_whole(value):
        return bool(value >= 1)
    return isinstance(value, (float, np.floating)) and bool(0 < value <= 1)


def select_codes(
    layout: Axes,
    conditions: Sequence[Condition],
    solvers: Sequence[Solver],
    choice: SubsetRule,
    *,
    raise_empty: bool,
) -> list[IntArray]:
    """Return the chosen combinations as codes, one array an axis.

    Raises
    ------
    ParamError
        If none is left, more are asked for than pass, or too many would have to be built.
    """
    if choice.grid_indices is not None:
        codes = _at_positions(layout, conditions, solvers, choice.grid_indices)
        codes = _subset_of_rows(codes, choice)
    elif choice.random_subset is None:
        codes = _everything(layout, solvers)
    else:
        codes = _drawn(layout, solvers, choice)
    if check.flag("raise_empty", raise_empty) and not len(codes[0]):
        raise _nothing_left(layout)
    return codes


def _everything(layout: Axes, solvers: Sequence[Solver]) -> list[IntArray]:
    tables = {}
    try:
        for solver in solvers:
            if solver.conditions:
                _check_count(solver)
                tables[solver.axes] = solver.table(MOST_COMBINATIONS)
    except TooManyError:
        raise _too_large(f"more than {MOST_COMBINATIONS}") from None
    except ConditionError:
        if nothing_passes(solvers):
            return _nothing(layout)
        raise
    total = count_all(solvers)
    if total > MOST_COMBINATIONS:
        raise _too_large(str(total))
    return Product(tables, layout.lengths).whole()


def _check_count(solver: Solver) -> None:
    """Raise for what can be counted before it is built, and is too much."""
    if solver.cells > MOST_COMBINATIONS and solver.tallied(MOST_TALLIED):
        count = solver.count()
        if count > MOST_COMBINATIONS:
            raise _too_large(str(count))


def _drawn(layout: Axes, solvers: Sequence[Solver], choice: SubsetRule) -> list[IntArray]:
    n = choice.number(1)
    if not is_whole(choice.random_subset):
        n = choice.number(count_all(solvers))
    if n > MOST_COMBINATIONS:
        raise _too_large(str(n) if n < 10**18 else "more than 10**18")
    try:
        sampler = Sampler(layout, solvers, generator(choice.seed), choice.max_misses)
        codes = sampler.draw(n, replace=choice.random_replace)
    except ConditionError:
        if nothing_passes(solvers):
            return _nothing(layout)
        raise
    if choice.random_sort:
        order = grid_order(codes, layout.lengths)
        codes = [code[order] for code in codes]
    return codes


def _subset_of_rows(codes: list[IntArray], choice: SubsetRule) -> list[IntArray]:
    n_rows = len(codes[0])
    if choice.random_subset is None or not n_rows:
        return codes
    n = choice.number(n_rows)
    if n > n_rows and not choice.random_replace:
        raise too_many(n, n_rows)
    rows = draw_rows(n_rows, n, choice.random_replace, generator(choice.seed))
    rows = np.sort(rows) if choice.random_sort else rows
    return [code[rows] for code in codes]


def _at_positions(
    layout: Axes, conditions: Sequence[Condition], solvers: Sequence[Solver], indices: Any
) -> list[IntArray]:
    if isinstance(indices, slice):
        try:
            places: Any = range(layout.size)[indices]
        except (TypeError, ValueError) as error:
            rule = "be a slice of whole numbers whose step is not 0"
            raise ParamError(broken_rule("grid_indices", rule, indices)) from error
        n_places = max(0, -((places.start - places.stop) // places.step))
        if n_places > _CHECKED_ONE_BY_ONE and conditions:
            codes = _solved_within(layout, solvers, places, n_places)
            if codes is not None:
                return codes
        if n_places > MOST_COMBINATIONS:
            raise _too_large(str(n_places))
    else:
        places = _positions_of(indices, layout.size)
        n_places = len(places)
    pieces = [
        _checked(layout, conditions, places[start : start + _CHECKED_ONE_BY_ONE])
        for start in range(0, max(n_places, 1), _CHECKED_ONE_BY_ONE)
    ]
    return [np.concatenate(columns) for columns in zip(*pieces, strict=True)]


def _checked(layout: Axes, conditions: Sequence[Condition], places: Any) -> list[IntArray]:
    """Return the combinations at some positions that meet all conditions, looked at one by one."""
    lengths = layout.lengths
    codes = [
        code.astype(code_type(length))
        for code, length in zip(layout.decode_many(places), lengths, strict=True)
    ]
    kept = check_rows(layout, conditions, codes)
    return codes if kept.all() else [code[kept] for code in codes]


def _solved_within(
    layout: Axes, solvers: Sequence[Solver], places: range, n_places: int
) -> list[IntArray] | None:
    """Return what passes at many positions, cut from all that passes; None if that costs more."""
    most_rows = min(n_places, MOST_COMBINATIONS)
    try:
        for solver in solvers:
            counted = solver.cells > n_places and solver.tallied(n_places)
            if counted and solver.count() > most_rows:
                return None
            if solver.conditions:
                solver.table(most_rows, _CELLS_PER_PLACE * n_places)
        if count_all(solvers) > most_rows:
            return None
    except (TooManyError, ConditionError):  # what raises may be at another position
        return None
    return _within(_everything(layout, solvers), layout, places)


def _within(codes: list[IntArray], layout: Axes, places: range) -> list[IntArray]:
    """Return the rows of a table in grid order whose positions a slice names."""
    if layout.size <= INT64_MAX:
        at: Any = positions(codes, layout.lengths)
    else:
        at = np.zeros(len(codes[0]), dtype=object)
        for code, length in zip(codes, layout.lengths, strict=True):
            at = at * length + code
    low, high = min(places[0], places[-1]), max(places[0], places[-1])
    inside: BoolArray = (at >= low) & (at <= high)
    inside[inside] = (at[inside] - low) % abs(places.step) == 0
    rows = np.flatnonzero(inside)
    return [code[rows if places.step > 0 else rows[::-1]] for code in codes]


def _positions_of(indices: Any, size: int) -> Any:
    try:
        array = np.atleast_1d(np.asarray(indices))
    except ValueError:  # lists of lengths that differ
        array = np.array([None], dtype=object)
    if not array.size:
        return np.zeros(0, dtype=np.int64)
    if array.dtype == bool and len(array) == size:
        return np.flatnonzero(array)
    whole = array.dtype.kind in "iu" or (
        array.dtype == object and all(is_whole(item) for item in array.ravel())
    )
    if not whole or array.ndim != 1:
        remedy = "Type a slice or an array of whole numbers."
        rule = "be a slice or a one-dimensional integer array"
        raise ParamError(broken_rule("grid_indices", rule, indices, remedy))
    numbers = [int(item) for item in array] if array.dtype == object else array
    low, high = int(min(numbers)), int(max(numbers))
    if low < -size or high >= size:
        wrong = low if low < -size else high
        rule = f"lie in a grid of {size} positions"
        raise ParamError(broken_rule("grid_indices", rule, wrong))
    if size > INT64_MAX:
        return [int(item) % size for item in numbers]
    return np.asarray(numbers, dtype=np.int64) % size


def _nothing(layout: Axes) -> list[IntArray]:
    return [np.zeros(0, dtype=code_type(length)) for length in layout.lengths]


def _nothing_left(layout: Axes) -> ParamError:
    texts = [shown(p.condition) for p in layout.params.values() if p.condition is not None]
    told = f" Conditions: {', '.join(texts)}." if texts else ""
    msg = (
        f"at least one combination must be left, got none of {layout.size} positions.{told} "
        "Relax a condition, or pass raise_empty=False."
    )
    return ParamError(msg)


def _too_large(number: str) -> ParamError:
    msg = (
        f"a run must hold at most {MOST_COMBINATIONS} combinations, got {number}. "
        "Draw some with random_subset, tighten the conditions, or iterate over a ParamGrid."
    )
    return ParamError(msg)
