# SPDX-License-Identifier: BSD-3-Clause
"""Numbers as NumPy arrays that remember what Python would have computed with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from broadpeak.types import AnyArray, BoolArray, IntArray

INT64: Final = 2**63 - 1
EXACT: Final = 2**53
"""Up to here every integer is a float64."""


class NotVectorised(Exception):  # noqa: N818  # a signal, never an error the user sees
    """NumPy cannot be shown to agree with Python here; the caller goes row by row."""


@dataclass(frozen=True, slots=True)
class Vector:
    """Many values of one kind.

    Attributes
    ----------
    kind : "b", "i", "f" or "m"
        Booleans, integers (int64), floats (float64), or integers and floats mixed (float64, the
        integers within ±2**53).
    data : array
        Of any shape that broadcasts with its peers.
    low, high : int
        Bounds of the integers in it ("b", "i", "m"), never exceeded: they prove that nothing wraps.
    raised : bool array or None
        Where Python would have raised; the data mean nothing there.
    """

    kind: str
    data: AnyArray
    low: int = 0
    high: int = 1
    raised: BoolArray | None = None

    @property
    def reach(self) -> int:
        """The largest magnitude of its integers."""
        return max(abs(self.low), abs(self.high))

    def take(self, codes: IntArray) -> Vector:
        """Return the values at `codes`."""
        raised = None if self.raised is None else self.raised[codes]
        return Vector(self.kind, self.data[codes], self.low, self.high, raised)


def either(*masks: BoolArray | None) -> BoolArray | None:
    """Return where any of the masks is set; None stands for nowhere."""
    result: BoolArray | None = None
    for mask in masks:
        if mask is not None:
            result = mask if result is None else result | mask
    return result


def vector_of(items: Sequence[Any], raised: BoolArray | None = None) -> Vector:
    """Return plain Python numbers as a vector.

    Raises
    ------
    NotVectorised
        If they are anything but booleans, integers within 64 bits, and floats.
    """
    kinds = set(map(type, items))
    if kinds <= {bool}:
        return Vector("b", np.array(items, dtype=bool), raised=raised)
    if kinds <= {bool, int}:
        low, high = int(min(items)), int(max(items))
        if low >= -INT64 and high <= INT64:
            return Vector("i", np.array(items, dtype=np.int64), low, high, raised)
    elif kinds == {float}:
        return Vector("f", np.array(items, dtype=np.float64), raised=raised)
    elif kinds <= {bool, int, float}:
        whole = [int(item) for item in items if not isinstance(item, float)]
        low, high = min(whole), max(whole)
        if low >= -EXACT and high <= EXACT:
            return Vector("m", np.array(items, dtype=np.float64), low, high, raised)
    raise NotVectorised


class Values:
    """The values a name runs through, and their vector if they have one."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def _vector(self) -> Vector | None:
        try:
            return vector_of(self.items)
        except NotVectorised:
            return None

    def is_numeric(self) -> bool:
        """Whether all values are numbers of moderate size."""
        if isinstance(self.items, range):
            return max(abs(self.items[0]), abs(self.items[-1])) <= EXACT
        vector = self._vector
        return vector is not None and vector.reach <= EXACT

    @cached_property
    def bounds(self) -> tuple[float, float] | None:
        """The smallest and the largest of moderate, finite numbers; None if they are not."""
        if isinstance(self.items, range):
            low, high = sorted((float(self.items[0]), float(self.items[-1])))
        elif self._vector is not None:
            low, high = float(self._vector.data.min()), float(self._vector.data.max())
        else:
            return None
        return (low, high) if max(-low, high) <= EXACT else None

    def take(self, codes: IntArray | None) -> Vector:
        """Return the values at `codes`; None takes the only one there is.

        Raises
        ------
        NotVectorised
            If the values are not numbers, or too large.
        """
        if isinstance(self.items, range):
            return self._take_range(self.items, codes)
        if self._vector is None:
            raise NotVectorised
        if codes is None:
            codes = np.zeros((), dtype=np.int64)
        return self._vector.take(codes)

    @staticmethod
    def _take_range(items: range, codes: IntArray | None) -> Vector:
        # A range may be far too long to hold: compute only what is taken.
        low, high = sorted((items[0], items[-1]))
        if max(-low, high, abs(items.step)) > INT64 // 2:
            raise NotVectorised
        place = np.zeros((), dtype=np.int64) if codes is None else codes.astype(np.int64)
        return Vector("i", items.start + items.step * place, low, high)
