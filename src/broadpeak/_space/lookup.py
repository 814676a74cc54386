# SPDX-License-Identifier: BSD-3-Clause
"""From values back to their place on an axis."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from broadpeak._core.labels import identity


class Lookup:
    """Finds the first place on an axis where its parameters have given values.

    Parameters
    ----------
    columns : list of sequences
        The values of each parameter of the axis; a single value stands for all places.
    length : int
        Length of the axis.
    """

    def __init__(self, columns: Sequence[Sequence[Any]], length: int) -> None:
        self._columns = columns
        self._length = length

    def find(self, values: Sequence[Any]) -> int | None:
        """Return the first place, or None. Equal values of equal type come before equal ones."""
        for column, value in zip(self._columns, values, strict=True):
            if isinstance(column, range) and len(column) == self._length:
                return self._find_in_range(column, value, values)
        keys = tuple(identity(value) for value in values)
        place = self._places.get(keys)
        if place is not None:
            return place
        return next((i for i in range(self._length) if self._holds(i, values)), None)

    def _find_in_range(self, column: range, value: Any, values: Sequence[Any]) -> int | None:
        try:
            place = column.index(value)
        except (ValueError, TypeError):
            return None
        return place if self._holds(place, values) else None

    @cached_property
    def _places(self) -> dict[tuple[Hashable, ...], int]:
        places: dict[tuple[Hashable, ...], int] = {}
        for i in range(self._length):
            places.setdefault(tuple(identity(self._at(column, i)) for column in self._columns), i)
        return places

    def _holds(self, i: int, values: Sequence[Any]) -> bool:
        pairs = zip(self._columns, values, strict=True)
        return all(same_value(self._at(column, i), value) for column, value in pairs)

    @staticmethod
    def _at(column: Sequence[Any], i: int) -> Any:
        return column[0] if len(column) == 1 else column[i]


def same_value(left: Any, right: Any) -> bool:
    """Return whether two values are one, equal, or both NaN; arrays item by item."""
    if left is right:
        return True
    equals = getattr(left, "equals", None)
    if callable(equals) and type(left) is type(right):
        return bool(equals(right))
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return type(left) is type(right) and bool(np.array_equal(left, right))
    try:
        return bool(left == right) or bool(left != left and right != right)  # noqa: PLR0124
    except (TypeError, ValueError):
        return False
