# SPDX-License-Identifier: BSD-3-Clause
"""The lazy grid: size, i-th combination, position of a combination, samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from broadpeak._core import check
from broadpeak._space.axes import Axes, AxisLookup
from broadpeak._space.lazycombos import grid_pieces
from broadpeak._space.solve import pose
from broadpeak._space.subset import Positions, SubsetRule, is_integer, select_codes
from broadpeak.errors import (
    ParamError,
    ParamTypeError,
    PositionError,
    broken_rule,
    shown,
)
from broadpeak.types import IntArray

_ITERATED_BLOCK: Final = 1 << 14


class ParamGrid:
    """The grid of all combinations of some parameters, never built.

    ``grid[i]`` is the combination at grid position `i` (before conditions) as a dict; iteration
    yields the combinations that pass the conditions, in grid order.

    Parameters
    ----------
    params : dict of Param
        By name; plain sequences count as Params. The first parameter is the slowest, unless levels
        say otherwise.

    Raises
    ------
    ParamError
        If there are no values, lengths on a level differ, or only some parameters have a level.
    ConditionError
        If a condition is not allowed or uses an unknown name.

    Notes
    -----
    Only `count` and iteration cost more than what they return. Conditions that touch different
    parameters are solved apart from one another; each is applied as soon as its parameters are
    bound.

    Examples
    --------
    >>> from broadpeak import Param
    >>> grid = ParamGrid({"a": Param([1, 2], condition="a < b"), "b": [1, 2, 3]})
    >>> grid.size, grid.count(), grid[-1]
    (6, 3, {'a': 2, 'b': 3})
    >>> list(grid)
    [{'a': 1, 'b': 2}, {'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """

    def __init__(self, params: Mapping[str, object]) -> None:
        self._problem = pose(params)
        self._axes = self._problem.axes
        self._params = dict(params)

    def __reduce__(self) -> tuple[type[ParamGrid], tuple[dict[str, object]]]:
        return ParamGrid, (self._params,)

    @property
    def axes(self) -> Axes:
        """The axes of the grid: which parameters are zipped, and in which order they vary."""
        return self._axes

    @property
    def size(self) -> int:
        """Number of grid positions before conditions, exact however large."""
        return self._axes.size

    def __len__(self) -> int:
        return self.size

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"ParamGrid({', '.join(self._axes.params)}: {self.size} positions)"

    def __getitem__(self, position: int) -> dict[str, Any]:
        """Return the combination at a grid position; negative positions count from the end.

        Raises
        ------
        PositionError
            If there is no such position; it is an IndexError.
        """
        i = check.real(position)
        if not isinstance(i, int):
            remedy = "For several, type combine_params(…, grid_indices=…)."
            rule = "be an integer"
            raise ParamTypeError(broken_rule("a grid position", rule, position, remedy))
        if not -self.size <= i < self.size:
            rule = f"lie in a grid of {self.size} combinations"
            raise PositionError(broken_rule("grid position", rule, position))
        return self._combination(self._axes.decode(i % self.size))

    def index_of(self, combo: Mapping[str, Any]) -> int:
        """Return the grid position of a combination: the first, if values repeat.

        Parameters
        ----------
        combo : dict
            A value for every parameter.

        Raises
        ------
        ParamError
            If a parameter is missing or unknown, or no position holds these values.

        Examples
        --------
        >>> ParamGrid({"a": [1, 2], "b": [5, 6, 7]}).index_of({"a": 2, "b": 5})
        3
        """
        params = self._axes.params
        if set(check.mapping("combo", combo, "Type dict(fast=10, slow=20).")) != set(params):
            rule = f"hold a value for each of {', '.join(params)}"
            raise ParamError(broken_rule("combo", rule, combo))
        codes = []
        for axis, lookup in enumerate(self._lookups):
            members = [name for name in params if self._axes.axis_of[name] == axis]
            code = lookup.find([combo[name] for name in members])
            if code is None:
                got = ", ".join(f"{name}={shown(combo[name])}" for name in members)
                msg = f"combo must be in the grid, but no position has {got}. See .size and [i]."
                raise ParamError(msg)
            codes.append(code)
        return self._axes.encode(codes)

    def count(self) -> int:
        """Return how many combinations pass the conditions.

        Raises
        ------
        ConditionError
            If a condition raises for a combination that the others let pass.
        """
        return self._problem.count()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        names = tuple(self._axes.params)
        for codes in grid_pieces(self._problem, _ITERATED_BLOCK):
            columns = [
                [param.values[code] for code in self._axes.param_codes(name, codes).tolist()]
                for name, param in self._axes.params.items()
            ]
            for row in zip(*columns, strict=True):
                yield dict(zip(names, row, strict=True))

    def sample(
        self, n: int, *, seed: int | None = None, replace: bool = False, sort: bool = True
    ) -> list[dict[str, Any]]:
        """Return `n` combinations drawn uniformly from those that pass the conditions.

        Parameters
        ----------
        n : int
            How many.
        seed : int, optional
            The same seed draws the same combinations.
        replace : bool
            Whether a combination may be drawn twice.
        sort : bool
            Whether they come in grid order; otherwise in the order in which they were drawn.

        Raises
        ------
        ParamError
            If fewer than `n` pass.

        Examples
        --------
        >>> grid = ParamGrid({name: range(100) for name in "abcdefghij"})
        >>> grid.size == 10**20, len(grid.sample(10, seed=1))
        (True, 10)
        """
        if not is_integer(n) or n < 0:
            raise ParamError(broken_rule("n", "be an integer of at least 0", n))
        if n == 0:
            return []
        codes = self.select(random_subset=n, seed=seed, random_replace=replace, random_sort=sort)
        return [self._combination([int(code[i]) for code in codes]) for i in range(len(codes[0]))]

    def select(
        self,
        *,
        grid_indices: Positions | None = None,
        random_subset: float | None = None,
        random_replace: bool = False,
        random_sort: bool = True,
        seed: int | None = None,
        max_misses: int | None = None,
        raise_empty: bool = True,
    ) -> list[IntArray]:
        """Return chosen combinations as codes, one array an axis; see `combine_params`."""
        rule = SubsetRule(
            grid_indices, random_subset, random_replace, random_sort, seed, max_misses
        )
        return select_codes(self._problem, rule, raise_empty=raise_empty)

    @cached_property
    def _lookups(self) -> list[AxisLookup]:
        axes = self._axes
        columns: list[list[Sequence[object]]] = [[] for _ in axes.lengths]
        for name, param in axes.params.items():
            columns[axes.axis_of[name]].append(param.values)
        return [AxisLookup(*pair) for pair in zip(columns, axes.lengths, strict=True)]

    def _combination(self, codes: Sequence[int]) -> dict[str, Any]:
        params = self._axes.params
        return {name: p.values[self._axes.param_codes(name, codes)] for name, p in params.items()}
