# SPDX-License-Identifier: BSD-3-Clause
"""Parameters → the combinations of one run, stored by column, and their pandas index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from operator import lt
from typing import Any, Final, Literal, TypeAlias, overload

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Index
from broadpeak._core.labels import as_index, factorize, from_codes
from broadpeak._space.param import IndexLevel, Labels
from broadpeak._space.solve import pose
from broadpeak._space.subset import Positions, SubsetRule, select_codes
from broadpeak.types import AnyArray, IntArray

ValuesByName: TypeAlias = "dict[str, list[Any]]"
"""Values of all combinations, by parameter."""

_LONG_RUN: Final = 64
_SEEN: Final = 1024  # codes that must come again for it to look like a period
_INT64: Final = 2**63


@dataclass(frozen=True, eq=False)
class Column:
    """One parameter of a run: value of combination i is ``values[codes[i]]``."""

    values: Sequence[Any]  # each value of the parameter once
    codes: IntArray  # one a combination, of the smallest integer type that fits

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, i: int) -> Any:
        return self.values[int(self.codes[i])]

    def list(self) -> list[Any]:
        """Return the values of all combinations; equal values are one object.

        Of a product the slow parameters repeat in runs and the fast ones in periods. Both are seen
        from the codes, and then copied as blocks, an order of magnitude quicker than looked up.
        """
        values, codes = self.values, self.codes
        if len(values) > len(codes) or len(codes) < _SEEN:
            return [values[code] for code in codes.tolist()]
        period = _period(codes)
        if period is not None:
            once = Column(values, codes[:period]).list()
            return once * (len(codes) // period)
        starts = np.flatnonzero(codes[1:] != codes[:-1]) + 1
        if len(starts) * _LONG_RUN < len(codes):
            runs = []
            for start, stop in pairwise([0, *starts.tolist(), len(codes)]):
                if stop > start:
                    runs += [values[int(codes[start])]] * (stop - start)
            return runs
        as_int64 = (
            set(map(type, values)) == {int} and -_INT64 <= min(values) <= max(values) < _INT64
        )
        boxed: AnyArray
        if as_int64:
            boxed = np.array(values, dtype=np.int64)
        else:
            boxed = np.fromiter(values, dtype=object, count=len(values))
        return boxed[codes].tolist()  # type: ignore[no-any-return]  # `list` is the method here


def _period(codes: IntArray) -> int | None:
    """Return after how many codes they begin again, if that is seen at once."""
    if len(codes) < 4 * _SEEN:
        return None
    raw = codes[: len(codes) // 2 + _SEEN].tobytes()
    position = raw.find(raw[: _SEEN * codes.itemsize], codes.itemsize)
    period, rest = divmod(position, codes.itemsize)
    if position < 0 or rest or len(codes) % period:
        return None
    return period if np.array_equal(codes[period:], codes[:-period]) else None


@dataclass(frozen=True, eq=False)
class Combos:
    """The combinations of one run, in order."""

    columns: dict[str, Column]  # by parameter, in the order of parameters
    levels: tuple[IndexLevel, ...]  # the visible index levels
    size: int  # number of combinations

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, i: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, i: slice) -> Combos: ...

    def __getitem__(self, i: int | slice) -> dict[str, Any] | Combos:
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

    def index(self) -> Index:
        """Return the index: a MultiIndex, an Index for one visible level, a RangeIndex for none."""
        codes = [self.columns[level.param].codes for level in self.levels]
        return build_index(self.levels, codes, self.size)

    def lists(self) -> ValuesByName:
        """Return the values of all combinations by parameter."""
        return {name: column.list() for name, column in self.columns.items()}


def build_index(levels: Sequence[IndexLevel], codes: Sequence[IntArray], n_rows: int) -> Index:
    """Return the index whose level k shows ``levels[k].labels[codes[k]]``, without any tuple.

    One level gives a named Index, none a `RangeIndex` named ``param``. Labels keep their value and
    their type, also where they are repeated, mixed or missing.
    """
    if not levels:
        return pd.RangeIndex(n_rows, name="param")
    unique, positions = [], []
    for level, code in zip(levels, codes, strict=True):
        labels = level.labels
        if len(labels) > max(len(code), 1000):  # a long level must not cost a short run
            used, code = np.unique(code, return_inverse=True)  # noqa: PLW2901
            if isinstance(labels, pd.Index):
                labels = labels.take(used)
            else:
                labels = [labels[int(one)] for one in used]
        if len(levels) == 1:
            index: Index = as_index(labels).take(code).rename(level.name)
            return index
        if _is_sorted(labels):
            unique.append(as_index(labels))
            positions.append(code)
        else:
            unique_labels, recode = factorize(as_index(labels))
            unique.append(unique_labels)
            positions.append(recode[code])
    return from_codes(unique, positions, [level.name for level in levels])


def _is_sorted(labels: Labels) -> bool:
    """Whether labels are numbers or strings of one kind, each larger than the one before."""
    if isinstance(labels, range):
        return labels.step > 0
    if isinstance(labels, pd.Index) or len(set(map(type, labels))) != 1:
        return False
    first = labels[0]
    if type(first) not in {int, float, str} or first != first:  # noqa: PLR0124  # NaN
        return False
    return all(map(lt, labels, islice(labels, 1, None)))


def select_combos(
    params: Mapping[str, object],
    *,
    grid_indices: Positions | None = None,
    random_subset: float | None = None,
    random_replace: bool = False,
    random_sort: bool = True,
    seed: int | None = None,
    max_misses: int | None = None,
    raise_empty: bool = True,
) -> Combos:
    """Return the combinations of `params` by column; arguments as in `combine_params`."""
    problem = pose(params)
    rule = SubsetRule(grid_indices, random_subset, random_replace, random_sort, seed, max_misses)
    codes = select_codes(problem, rule, raise_empty=raise_empty)
    axes = problem.axes
    columns: dict[str, Column] = {}
    for name, param in axes.params.items():
        columns[name] = Column(param.values, axes.param_codes(name, codes))
    visible = tuple([level for level in axes.levels if not level.hidden])
    return Combos(columns, visible, len(codes[0]))


@overload
def combine_params(
    params: Mapping[str, object],
    *,
    grid_indices: Positions | None = None,
    random_subset: float | None = None,
    random_replace: bool = False,
    random_sort: bool = True,
    seed: int | None = None,
    build_index: Literal[True] = True,
    max_misses: int | None = None,
    raise_empty: bool = True,
) -> tuple[ValuesByName, Index]: ...


@overload
def combine_params(
    params: Mapping[str, object],
    *,
    grid_indices: Positions | None = None,
    random_subset: float | None = None,
    random_replace: bool = False,
    random_sort: bool = True,
    seed: int | None = None,
    build_index: Literal[False],
    max_misses: int | None = None,
    raise_empty: bool = True,
) -> ValuesByName: ...


def combine_params(
    params: Mapping[str, object],
    *,
    grid_indices: Positions | None = None,
    random_subset: float | None = None,
    random_replace: bool = False,
    random_sort: bool = True,
    seed: int | None = None,
    build_index: bool = True,
    max_misses: int | None = None,
    raise_empty: bool = True,
) -> ValuesByName | tuple[ValuesByName, Index]:
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
        combination is left, or more are requested than pass.
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
