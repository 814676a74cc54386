# SPDX-License-Identifier: BSD-3-Clause
"""Parameters → the combinations of one run, stored by column, and their index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._space.axes import IndexLevel
from broadpeak._space.grid import ParamGrid
from broadpeak._space.index import build_index
from broadpeak.types import IntArray

_LONG_RUN: Final = 64
_SEEN: Final = 1024  # codes that must come again for it to look like a period
_INT64: Final = 2**63


@dataclass(frozen=True, eq=False)
class Column:
    """One parameter of a run: value of combination i is ``values[codes[i]]``.

    Attributes
    ----------
    values : sequence
        Each value of the parameter once.
    codes : integer array, shape (n_combinations,)
        Of the smallest integer type that fits.
    """

    values: Sequence[Any]
    codes: IntArray

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, i: int) -> Any:
        return self.values[int(self.codes[i])]

    def list(self) -> list[Any]:
        """Return the values of all combinations; equal values are one object."""
        if len(self.values) > len(self.codes):
            return [self.values[code] for code in self.codes.tolist()]
        period = _period(self.codes)
        if period is not None:  # a fast parameter of a product: copied, not looked up
            once = Column(self.values, self.codes[:period]).list()
            return once * (len(self.codes) // period)
        starts = np.flatnonzero(self.codes[1:] != self.codes[:-1]) + 1
        if len(starts) * _LONG_RUN < len(self.codes):
            return self._repeated(starts)  # type: ignore[no-any-return]
        if self._are_int64():
            numbers = np.array(self.values, dtype=np.int64)
            return numbers[self.codes].tolist()  # type: ignore[no-any-return]
        boxed = np.fromiter(self.values, dtype=object, count=len(self.values))
        return boxed[self.codes].tolist()  # type: ignore[no-any-return]

    def _are_int64(self) -> bool:
        if set(map(type, self.values)) != {int}:
            return False
        return bool(min(self.values) >= -_INT64 and max(self.values) < _INT64)

    def _repeated(self, starts: IntArray) -> Any:  # `list` is the method here
        """Return the values of a slow parameter run by run, which costs next to nothing."""
        edges = [0, *starts.tolist(), len(self.codes)]
        result = []
        for start, stop in pairwise(edges):
            if stop > start:
                result += [self.values[int(self.codes[start])]] * (stop - start)
        return result


def _period(codes: IntArray) -> int | None:
    """Return after how many codes they begin again, if that is seen at once."""
    if len(codes) < 4 * _SEEN:
        return None
    raw = codes[: len(codes) // 2 + _SEEN].tobytes()
    place = raw.find(raw[: _SEEN * codes.itemsize], codes.itemsize)
    period, rest = divmod(place, codes.itemsize)
    if place < 0 or rest or len(codes) % period:
        return None
    return period if np.array_equal(codes[period:], codes[:-period]) else None


@dataclass(frozen=True, eq=False)
class Combos:
    """The combinations of one run, in order.

    Attributes
    ----------
    columns : dict of Column
        By parameter, in the order of parameters.
    levels : tuple of IndexLevel
        The visible index levels.
    size : int
        Number of combinations.
    """

    columns: dict[str, Column]
    levels: tuple[IndexLevel, ...]
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, i: Any) -> Any:
        """Return combination i as a dict, or, for a slice, those combinations."""
        if isinstance(i, slice):
            return self.take(np.arange(self.size)[i])
        if not -self.size <= i < self.size:
            msg = f"combination {i} must be one of {self.size}"
            raise IndexError(msg)
        return {name: column[i] for name, column in self.columns.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        names = tuple(self.columns)
        for row in zip(*(column.list() for column in self.columns.values()), strict=True):
            yield dict(zip(names, row, strict=True))

    def take(self, rows: IntArray) -> Combos:
        """Return the combinations at positions `rows`, in that order."""
        columns = {
            name: Column(column.values, column.codes[rows]) for name, column in self.columns.items()
        }
        return Combos(columns, self.levels, len(rows))

    def index(self) -> pd.Index[Any]:
        """Return the index: a MultiIndex, an Index for one visible level, a RangeIndex for none."""
        return build_index(
            [level.name for level in self.levels],
            [level.labels for level in self.levels],
            [self.columns[level.param].codes for level in self.levels],
            self.size,
        )

    def lists(self) -> dict[str, list[Any]]:
        """Return the values of all combinations by parameter."""
        return {name: column.list() for name, column in self.columns.items()}


def select_combos(
    params: Mapping[str, Any],
    *,
    grid_indices: slice | Sequence[int] | IntArray | None = None,
    random_subset: float | None = None,
    random_replace: bool = False,
    random_sort: bool = True,
    seed: int | None = None,
    max_misses: int | None = None,
    raise_empty: bool = True,
) -> Combos:
    """Return the combinations of `params` by column; arguments as in `combine_params`."""
    grid = ParamGrid(params)
    codes = grid.select(
        grid_indices=grid_indices,
        random_subset=random_subset,
        random_replace=random_replace,
        random_sort=random_sort,
        seed=seed,
        max_misses=max_misses,
        raise_empty=raise_empty,
    )
    layout = grid.layout
    columns = {
        name: Column(param.values, layout.param_codes(name, codes))
        for name, param in layout.params.items()
    }
    visible = tuple(level for level in layout.levels if not level.hidden)
    return Combos(columns, visible, len(codes[0]))


def combine_params(
    params: Mapping[str, Any],
    *,
    grid_indices: slice | Sequence[int] | IntArray | None = None,
    random_subset: float | None = None,
    random_replace: bool = False,
    random_sort: bool = True,
    seed: int | None = None,
    build_index: bool = True,
    max_misses: int | None = None,
    raise_empty: bool = True,
) -> Any:
    """Return all combinations of parameters, and their index.

    Parameters
    ----------
    params : dict of Param
        By name; plain sequences count as Params. The first parameter is the slowest.
    grid_indices : slice or integer array, optional
        Positions of the grid before conditions, negative ones from its end; conditions filter
        afterwards. An array keeps its order and its repetitions.
    random_subset : int or float, optional
        A number of combinations, or a share in (0, 1], drawn from those that pass the conditions.
        A share is rounded to the nearest number, halves upwards, at least 1.
    random_replace : bool
        Whether a combination may be drawn twice.
    random_sort : bool
        Whether what was drawn is put back into grid order.
    seed : int, optional
        The same seed draws the same combinations.
    build_index : bool
        Whether the index is returned as well.
    max_misses : int, optional
        Where conditions can only be met by drawing and rejecting: the most misses in a row. One
        more, and drawing ends with what was found and a warning. Default: it does not end.
    raise_empty : bool
        Whether it is an error if no combination passes.

    Returns
    -------
    product : dict of lists
        The values by parameter, one a combination.
    index : pd.MultiIndex
        Their labels; an Index for one visible parameter, a RangeIndex named ``param`` for none.
        Only with `build_index`.

    Raises
    ------
    ParamError
        If values are empty, lengths on a level differ, only some parameters have a level, no
        combination is left, or more are asked for than pass.
    ConditionError
        If a condition is not allowed, uses an unknown name, or raises for a combination that the
        other conditions let pass.

    Examples
    --------
    >>> from broadpeak import Param
    >>> product, index = combine_params(
    ...     dict(fast=Param([10, 20], condition="fast < slow"), slow=Param([10, 20, 30]))
    ... )
    >>> product
    {'fast': [10, 10, 20], 'slow': [20, 30, 30]}
    >>> index.to_list()
    [(10, 20), (10, 30), (20, 30)]
    """
    check.flag("build_index", build_index)
    combos = select_combos(
        params,
        grid_indices=grid_indices,
        random_subset=random_subset,
        random_replace=random_replace,
        random_sort=random_sort,
        seed=seed,
        max_misses=max_misses,
        raise_empty=raise_empty,
    )
    return (combos.lists(), combos.index()) if build_index else combos.lists()
