# SPDX-License-Identifier: BSD-3-Clause
"""Which combinations a run takes: positions first, then conditions, then sampling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, TypeAlias

import numpy as np

from broadpeak._core import check
from broadpeak._core.expressions import Expression
from broadpeak._core.rng import generator
from broadpeak._space.axes import INT64_MAX, Axes, code_type
from broadpeak._space.conditions import check_rows
from broadpeak._space.product import Product
from broadpeak._space.sample import Sampler, draw_rows, too_many_error
from broadpeak._space.solve import (
    MOST_TALLIED,
    Problem,
    Solver,
    TooManyError,
    grid_order,
    positions,
)
from broadpeak.errors import ConditionError, ParamError, broken_rule, shown
from broadpeak.types import AnyArray, BoolArray, IntArray

Positions: TypeAlias = slice | Sequence[int] | IntArray
"""Grid positions to take: of the whole grid, before conditions."""

MOST_COMBINATIONS: Final = 1 << 29
"""Combinations that are ever built at once; beyond, a run must draw from the grid."""

_LOOKED_AT_WHOLE: Final = 1 << 12  # cells up to which a solver costs more than it saves
_CHECKED_ONE_BY_ONE: Final = 1 << 22
_CELLS_PER_POSITION: Final = 4  # that may be looked at to solve a grid instead of checking each


@dataclass(frozen=True)
class SubsetRule:
    """Which combinations are wanted; the fields are arguments of `combine_params`."""

    grid_indices: Positions | None = None
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
        for name, value in (("max_misses", self.max_misses), ("seed", self.seed)):
            if value is not None and (not is_integer(value) or value < 0):
                rule = "be an integer of at least 0, or None"
                raise ParamError(broken_rule(name, rule, value))

    def number(self, passed: int) -> int:
        """Return how many of `passed` combinations are wanted; shares are rounded."""
        subset = self.random_subset
        if subset is None:
            return passed
        if is_integer(subset):
            return int(subset)
        share = Fraction(str(float(subset)))  # as it was typed: 0.35 of 10 is 3.5, rounded up
        return max(1, math.floor(share * passed + Fraction(1, 2)))


def is_integer(value: object) -> bool:
    """Return whether `value` is an integer of any library, and no boolean."""
    return isinstance(check.real(value), int)


def _is_subset(value: Any) -> bool:
    if is_integer(value):
        return bool(value >= 1)
    return isinstance(value, (float, np.floating)) and bool(0 < value <= 1)


def select_codes(problem: Problem, rule: SubsetRule, *, raise_empty: bool) -> list[IntArray]:
    """Return the chosen combinations as codes, one array an axis.

    Raises
    ------
    ParamError
        If none is left, more are wanted than pass, or too many would have to be built.
    """
    size = problem.axes.size
    if rule.grid_indices is not None:
        codes = _subset_of_rows(_codes_at_positions(problem, rule.grid_indices), rule)
    elif rule.random_subset is not None:
        codes = _random_codes(problem, rule)
    elif size <= _LOOKED_AT_WHOLE and all(
        # A function of the user's may be slow; a solver calls it no more often than it must.
        isinstance(condition.whole.source, Expression)
        for condition in problem.conditions
    ):
        codes = _passing_positions(problem, np.arange(size))
    else:
        codes = _everything(problem)
    if check.flag("raise_empty", raise_empty) and not len(codes[0]):
        raise nothing_left_error(problem.axes)
    return codes


def _everything(problem: Problem) -> list[IntArray]:
    tables = {}
    try:
        for solver in problem.solvers:
            if solver.conditions:
                _check_count(solver)
                tables[solver.axes] = solver.table(MOST_COMBINATIONS)
    except TooManyError:
        raise _too_many_error(f"more than {MOST_COMBINATIONS}") from None
    except ConditionError:
        if problem.nothing_passes():
            return _no_rows(problem.axes)
        raise
    total = problem.count()
    if total > MOST_COMBINATIONS:
        raise _too_many_error(str(total))
    return Product(tables, problem.axes.lengths).whole()


def _check_count(solver: Solver) -> None:
    """Raise for what can be counted before it is built, and is too much."""
    if solver.cells > MOST_COMBINATIONS and solver.tallied(MOST_TALLIED):
        count = solver.count()
        if count > MOST_COMBINATIONS:
            raise _too_many_error(str(count))


def _random_codes(problem: Problem, rule: SubsetRule) -> list[IntArray]:
    axes = problem.axes
    n = rule.number(1)
    if not is_integer(rule.random_subset):
        n = rule.number(problem.count())
    if n > MOST_COMBINATIONS:
        raise _too_many_error(str(n) if n < 10**18 else "more than 10**18")
    try:
        sampler = Sampler(axes, problem.solvers, generator(rule.seed), rule.max_misses)
        codes = sampler.draw(n, replace=rule.random_replace)
    except ConditionError:
        if problem.nothing_passes():
            return _no_rows(axes)
        raise
    if rule.random_sort:
        order = grid_order(codes, axes.lengths)
        codes = [code[order] for code in codes]
    return codes


def _subset_of_rows(codes: list[IntArray], rule: SubsetRule) -> list[IntArray]:
    n_rows = len(codes[0])
    if rule.random_subset is None or not n_rows:
        return codes
    n = rule.number(n_rows)
    if n > n_rows and not rule.random_replace:
        raise too_many_error(n, n_rows)
    rows = draw_rows(n_rows, n, rule.random_replace, generator(rule.seed))
    rows = np.sort(rows) if rule.random_sort else rows
    return [code[rows] for code in codes]


def _codes_at_positions(problem: Problem, indices: Positions) -> list[IntArray]:
    size = problem.axes.size
    at: range | Sequence[int] | IntArray
    if isinstance(indices, slice):
        try:
            at = range(size)[indices]
        except (TypeError, ValueError) as error:
            rule = "be a slice of integers whose step is not 0"
            raise ParamError(broken_rule("grid_indices", rule, indices)) from error
        n_positions = max(0, -((at.start - at.stop) // at.step))  # len() ends at 2**63
        if n_positions > _CHECKED_ONE_BY_ONE and problem.conditions:
            codes = _solved_within(problem, at, n_positions)
            if codes is not None:
                return codes
        if n_positions > MOST_COMBINATIONS:
            raise _too_many_error(str(n_positions))
    else:
        at = _checked_positions(indices, size)
        n_positions = len(at)
    pieces = [
        _passing_positions(problem, at[start : start + _CHECKED_ONE_BY_ONE])
        for start in range(0, max(n_positions, 1), _CHECKED_ONE_BY_ONE)
    ]
    return [np.concatenate(columns) for columns in zip(*pieces, strict=True)]


def _passing_positions(problem: Problem, at: Sequence[int] | IntArray) -> list[IntArray]:
    """Return the combinations at some positions that meet all conditions, each looked at."""
    codes = problem.axes.decode_many(at)
    if problem.conditions:
        kept = check_rows(problem.axes, problem.conditions, codes)
        if not kept.all():
            codes = [code[kept] for code in codes]
    return codes


def _solved_within(problem: Problem, at: range, n_positions: int) -> list[IntArray] | None:
    """Return what passes at many positions, cut from all that passes; None if that costs more."""
    most_rows = min(n_positions, MOST_COMBINATIONS)
    try:
        for solver in problem.solvers:
            counted = solver.cells > n_positions and solver.tallied(n_positions)
            if counted and solver.count() > most_rows:
                return None
            if solver.conditions:
                solver.table(most_rows, _CELLS_PER_POSITION * n_positions)
        if problem.count() > most_rows:
            return None
    except (TooManyError, ConditionError):  # what raises may be at another position
        return None
    return _within(_everything(problem), problem.axes, at)


def _within(codes: list[IntArray], axes: Axes, wanted: range) -> list[IntArray]:
    """Return the rows of a table in grid order whose positions a slice names."""
    at: AnyArray
    if axes.size <= INT64_MAX:
        at = positions(codes, axes.lengths)
    else:
        at = np.zeros(len(codes[0]), dtype=object)
        for code, length in zip(codes, axes.lengths, strict=True):
            at = at * length + code
    low, high = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
    inside: BoolArray = (at >= low) & (at <= high)
    inside[inside] = (at[inside] - low) % abs(wanted.step) == 0
    rows = np.flatnonzero(inside)
    return [code[rows if wanted.step > 0 else rows[::-1]] for code in codes]


def _checked_positions(indices: object, size: int) -> Sequence[int] | IntArray:
    """Return positions from 0 to `size` - 1; negative ones count from the end."""
    try:
        array = np.atleast_1d(np.asarray(indices))
    except ValueError:  # lists of lengths that differ
        array = np.array([None], dtype=object)
    if not array.size:
        return np.zeros(0, dtype=np.int64)
    if array.dtype == bool and len(array) == size:
        return np.flatnonzero(array)
    whole = array.dtype.kind in "iu" or (
        array.dtype == object and all(is_integer(item) for item in array.ravel())
    )
    if not whole or array.ndim != 1:
        remedy = "Type a slice or an array of integers."
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


def _no_rows(axes: Axes) -> list[IntArray]:
    return [np.zeros(0, dtype=code_type(length)) for length in axes.lengths]


def nothing_left_error(axes: Axes) -> ParamError:
    """Return the error of a run whose conditions nothing passes."""
    conditions = [shown(p.condition) for p in axes.params.values() if p.condition is not None]
    named = f" Conditions: {', '.join(conditions)}." if conditions else ""
    msg = (
        f"at least one combination must be left, got none of {axes.size} positions.{named} "
        "Relax a condition, or pass raise_empty=False."
    )
    return ParamError(msg)


def _too_many_error(number: str) -> ParamError:
    msg = (
        f"a run must hold at most {MOST_COMBINATIONS} combinations, got {number}. "
        "Draw some with random_subset, tighten the conditions, or iterate over a ParamGrid."
    )
    return ParamError(msg)
