# SPDX-License-Identifier: BSD-3-Clause
"""A search space as data: one `Dimension` an ``optimize()`` call, with its grid of steps.

`Param` and `ParamGrid` list values of any type, which are tried as they are; a `Dimension` is a
range of numbers, in which a searcher may choose between two steps and must know where the ends are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np

from broadpeak._core import check
from broadpeak.errors import ParamError, ParamTypeError, broken_rule
from broadpeak.types import FloatArray

MAX_STEPS = 1000
"""The most steps one parameter may have."""

DEFAULT_PERCENT = 10.0
"""Growth per step, in percent, where the step is omitted."""

N_EVEN_STEPS = 11
"""Values of a parameter without a constant step, where all combinations count (ten intervals)."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One parameter of a search: its default, its range and how the range is walked.

    Parameters
    ----------
    name : str
        Name of the parameter.
    default : float, >= 0
        Best guess. Held while other parameters are searched, kept where nothing is usable.
    min, max : float, 0 <= min <= max
        Range, both ends included. Both 0: the default is stored and never searched.
    step : float
        Positive: added at every step. Negative: its magnitude is added as a percentage.
        0: 10 % at every step.
    bias : float
        Tolerance in percent for preferring high (positive) or low (negative) values; ascent only.
    integer : bool
        Round half up what the searched function gets. The search itself runs on the unrounded grid.

    Raises
    ------
    ParamError
        If a limit or the default is negative or not finite, `max` is below `min`, or a constant
        step would give more than 1,000 steps.

    Examples
    --------
    >>> Dimension("cycle", 30, 10, 100, 5).steps()[:3]
    array([10., 15., 20.])
    >>> Dimension("stop", 30, 25, 35).steps()
    array([25.   , 27.5  , 30.25 , 33.275, 35.   ])
    """

    name: str
    default: float
    min: float
    max: float
    step: float = 0.0
    bias: float = 0.0
    integer: bool = False

    def __post_init__(self) -> None:
        name: Any = self.name
        if not isinstance(name, str) or not name:
            raise ParamError(broken_rule("the name of a parameter", "be a string", name))
        short = name if len(name) <= check.LONGEST_NAME else f"{name[: check.LONGEST_NAME]}…"
        for field_name in ("default", "min", "max", "step", "bias"):
            number = check.number(f"{field_name} of {short}", getattr(self, field_name))
            object.__setattr__(self, field_name, number)
        object.__setattr__(self, "integer", check.flag("integer", self.integer))
        for field_name, number in (("default", self.default), ("min", self.min)):
            if number < 0:
                remedy = "Shift the range to zero or above, and shift it back in the strategy."
                raise ParamError(
                    broken_rule(f"{field_name} of {short}", "be at least 0", number, remedy)
                )
        if self.max < self.min:
            rule = f"be at least its min ({self.min:g})"
            raise ParamError(broken_rule(f"max of {short}", rule, self.max, "Swap them."))
        if self.step > 0 and (self.max - self.min) / self.step > MAX_STEPS - 1:
            _check_count(short, (self.max - self.min) / self.step)

    @property
    def searched(self) -> bool:
        """Whether the parameter is searched; a range of 0 to 0 only stores its default."""
        return self.max > 0

    def steps(self) -> FloatArray:
        """Return the values an ascent tries, ascending; `max` is always the last.

        Returns
        -------
        array of float, shape (n_steps,)
            A constant step gives ``min + k * step`` in decimal arithmetic, so that steps of 0.1
            are exact; a percentage grows geometrically. The last interval may be shorter. Empty
            where the parameter is not searched.

        Raises
        ------
        ParamError
            If a percentage starts from 0, or there would be more than 1,000 steps.
        """
        if not self.searched:
            return np.empty(0)
        if self.step > 0:
            return np.array(_linear_grid(self.min, self.max, self.step))
        percent = -self.step or DEFAULT_PERCENT
        if self.min == 0:
            remedy = f"Pass step={self.max / 10:g}, or a min above 0."
            rule = f"be above 0 where its step is a percentage ({percent:g} %)"
            raise ParamError(broken_rule(f"min of {self.name}", rule, self.min, remedy))
        growth = math.log1p(percent / 100)
        # A percentage too small to move a float would never reach the end.
        intervals = math.log(self.max / self.min) / growth if growth > 0 else math.inf
        _check_count(self.name, intervals)
        return np.array(_percent_grid(self.min, self.max, percent))

    def even_steps(self) -> FloatArray:
        """Return the values tried where all combinations count (brute force, genetic, random).

        Returns
        -------
        array of float, shape (n_steps,)
            The grid of `steps` for a constant step, else 11 values at equal distances, from 0 too.
        """
        if not self.searched or self.step > 0:
            return self.steps()
        if self.min == self.max:
            return np.array([self.min])
        low, high = Decimal(repr(self.min)), Decimal(repr(self.max))
        width = (high - low) / (N_EVEN_STEPS - 1)
        return np.array([float(low + k * width) for k in range(N_EVEN_STEPS)])

    def rounded(self, value: float) -> float:
        """Return `value` as the searched function sees it.

        Examples
        --------
        >>> Dimension("period", 5, 1, 10, integer=True).rounded(2.5)
        3.0
        """
        return float(math.floor(value + 0.5)) if self.integer else value


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """The dimensions of one search, in the order of their ``optimize()`` calls.

    Parameters
    ----------
    dimensions : sequence of Dimension
        Names must be unique.

    Attributes
    ----------
    names : tuple of str
        Names in order.
    defaults : tuple of float
        The point of all defaults.

    Raises
    ------
    ParamError
        If a name occurs twice or an item is no `Dimension`.

    Examples
    --------
    >>> space = SearchSpace([Dimension("fast", 5, 2, 10, 1), Dimension("slow", 20, 10, 50, 10)])
    >>> space.names, space.defaults
    (('fast', 'slow'), (5.0, 20.0))
    """

    dimensions: Sequence[Dimension]
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    defaults: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _has_integers: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        items = check.iterable(
            "the dimensions of a search space", self.dimensions, "be a list of Dimension"
        )
        dimensions: list[Dimension] = []
        names: list[str] = []
        for item in items:
            if not isinstance(item, Dimension):
                raise ParamError(
                    broken_rule("every item of a search space", "be a Dimension", item)
                )
            dimensions.append(item)
            names.append(item.name)
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            rule = "have distinct names"
            raise ParamError(broken_rule("the parameters of a search", rule, twice))
        object.__setattr__(self, "dimensions", tuple(dimensions))
        object.__setattr__(self, "names", tuple(names))
        object.__setattr__(self, "defaults", tuple(map(attrgetter("default"), dimensions)))
        object.__setattr__(self, "_has_integers", any(map(attrgetter("integer"), dimensions)))

    def rounded(self, point: tuple[float, ...]) -> tuple[float, ...]:
        """Return `point` as the searched function sees it: integers rounded half up."""
        if not self._has_integers:
            return point
        return tuple([dim.rounded(value) for dim, value in zip(self, point, strict=True)])

    def __len__(self) -> int:
        return len(self.dimensions)

    def __iter__(self) -> Iterator[Dimension]:
        return iter(self.dimensions)


def check_space(space: object) -> SearchSpace:
    """Return `space` if it is a search space, or raise a `ParamTypeError`."""
    if not isinstance(space, SearchSpace):
        remedy = "Type: SearchSpace([Dimension('x', 3, 1, 9, 1)])"
        raise ParamTypeError(broken_rule("space", "be a SearchSpace", space, remedy))
    return space


def _check_count(name: str, intervals: float) -> None:
    if intervals > MAX_STEPS - 1 + 1e-9:
        shown = f"{math.ceil(intervals) + 1:,}" if intervals < 1e15 else "too many to count"
        msg = (
            f"the steps of {name} must be at most {MAX_STEPS:,}, got {shown}. "
            "Pass a larger step; 10 to 15 steps are plenty."
        )
        raise ParamError(msg)


@lru_cache(maxsize=1024)
def _linear_grid(low: float, high: float, step: float) -> tuple[float, ...]:
    # Decimals of the shortest form of each number: 0.2 + 7 * 0.1 is 0.9, not 0.8999999999999999.
    start, end, width = (Decimal(repr(number)) for number in (low, high, step))
    reached = end - width * Decimal("1e-9")
    values = [low]
    while low < high:
        value = start + len(values) * width
        if value >= reached:
            values.append(high)
            break
        values.append(float(value))
    return tuple(values)


@lru_cache(maxsize=1024)
def _percent_grid(low: float, high: float, percent: float) -> tuple[float, ...]:
    factor = 1 + Decimal(repr(percent)) / 100
    reached = Decimal(repr(high)) * (1 - Decimal("1e-9"))
    value = Decimal(repr(low))
    values = [low]
    while low < high:
        value *= factor
        if value >= reached:
            values.append(high)
            break
        values.append(float(value))
    return tuple(values)
