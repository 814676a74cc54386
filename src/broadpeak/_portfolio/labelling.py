# SPDX-License-Identifier: BSD-3-Clause
"""Labels of results: those of columns are made when somebody looks at them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Index
from broadpeak._core.labels import as_index, factorize, from_codes
from broadpeak._space.combine import Combos
from broadpeak.types import AnyArray, IntArray


class StopColumns:
    """The labels of columns that stops multiply: base columns × combinations, these fastest.

    Parameters
    ----------
    base : pd.Index or None
        Labels of the columns without the stops; None for one column without labels.
    n_base : int
    combos : Combos
        Values of the stops.
    """

    __slots__ = ("_base", "_combos", "_count", "_made")

    def __init__(self, base: Index | None, n_base: int, combos: Combos) -> None:
        self._base = base
        self._combos = combos
        self._count = n_base * len(combos)
        self._made: Index | None = None

    def __len__(self) -> int:
        return self._count

    def index(self) -> Index:
        """Return the labels of all columns."""
        if self._made is None:
            self._made = self.take(np.arange(self._count))
        return self._made

    def take(self, positions: IntArray) -> Index:
        """Return the labels of some columns, of however many there are."""
        combos, base = self._combos, self._base
        rows, chosen = np.divmod(positions, len(combos))
        part = combos.take(chosen)
        if base is None:
            index = part.index()
            return index if part.levels else pd.RangeIndex(self._count, name="param")[positions]
        if not part.levels:
            return base.take(rows)
        levels, codes, names = _level_parts(base, rows)
        for level in part.levels:
            unique, code = factorize(as_index(level.labels))
            levels.append(unique)
            codes.append(code[part.columns[level.param].codes])
            names.append(level.name)
        return from_codes(levels, codes, names)


def _level_parts(labels: Index, rows: IntArray) -> tuple[list[Index], list[AnyArray], list[Any]]:
    """Return levels, codes and names of the labels of `rows`."""
    if isinstance(labels, pd.MultiIndex):
        return list(labels.levels), [codes[rows] for codes in labels.codes], list(labels.names)
    unique, codes = factorize(labels)
    return [unique], [codes[rows]], [labels.name]


class Labels:
    """How results are labelled.

    Parameters
    ----------
    index : pd.Index or None
        Bars; None without pandas input.
    columns : pd.Index, StopColumns or None
        None for one column without labels.
    groups : pd.Index, StopColumns or None
        Columns, or groups of them.
    name : object
        Name of a single column.
    single : bool
        Whether metrics are scalars and paths are Series: one-dimensional input, or one account.
    """

    __slots__ = ("_columns", "_groups", "index", "name", "single")

    def __init__(
        self,
        index: pd.Index | None,
        columns: Index | StopColumns | None,
        groups: Index | StopColumns | None,
        name: Hashable = None,
        single: bool = True,
    ) -> None:
        self.index = index
        self._columns = columns
        self._groups = groups
        self.name = name
        self.single = single

    @property
    def columns(self) -> Index:
        """Labels of the columns; for one without labels the name of the close, or 0."""
        columns = self._columns
        if columns is None:
            return pd.Index([0 if self.name is None else self.name])
        return columns.index() if isinstance(columns, StopColumns) else columns

    @property
    def groups(self) -> Index:
        """Labels of the groups; without groups those of the columns."""
        groups = self._groups
        if groups is None:
            return self.columns[:1]
        return groups.index() if isinstance(groups, StopColumns) else groups

    def groups_at(self, positions: IntArray) -> Index:
        """Return the labels of some groups without making the others."""
        groups = self._groups
        return groups.take(positions) if groups is not None else self.columns.take(positions)

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return 1 if self._groups is None else len(self._groups)

    @property
    def has_columns(self) -> bool:
        """Whether columns have labels of their own."""
        return self._columns is not None

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return 1 if self._columns is None else len(self._columns)
