# SPDX-License-Identifier: BSD-3-Clause
"""Sets of positions as stretches: a million neighbours are two numbers."""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise

import numpy as np

from broadpeak.types import IntArray

_PLACE = np.dtype("<i8")


class PositionSpans:
    """A set of positions, held as disjoint stretches in order.

    Parameters
    ----------
    ranges : iterable of range
        Stretches (of step 1) in any order; they may overlap.

    Examples
    --------
    >>> spans = PositionSpans([range(5, 9), range(0, 3)])
    >>> spans.add(range(3, 5))
    >>> spans, len(spans)
    (PositionSpans([range(0, 9)]), 9)
    >>> spans.minus(PositionSpans([range(2, 4)]))
    PositionSpans([range(0, 2), range(4, 9)])
    """

    __slots__ = ("_size", "_starts", "_stops")

    def __init__(self, ranges: Iterable[range] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._size = 0
        for one in ranges:
            self.add(one)

    @classmethod
    def of(cls, positions: Sequence[int]) -> PositionSpans:
        """Return the set of `positions`."""
        if isinstance(positions, range) and positions.step == 1:
            return cls([positions])
        numbers = np.unique(np.asarray(positions, dtype=np.int64))
        ends = np.flatnonzero(np.diff(numbers) != 1)
        starts = [0, *(ends + 1).tolist()] if len(numbers) else []
        stops = [*(ends + 1).tolist(), len(numbers)] if len(numbers) else []
        pairs = zip(starts, stops, strict=True)
        return cls(range(int(numbers[a]), int(numbers[b - 1]) + 1) for a, b in pairs)

    def __len__(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        return self._size > 0

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self.ranges())

    def __contains__(self, position: object) -> bool:
        if not isinstance(position, int):
            return False
        at = bisect_right(self._starts, position) - 1
        return at >= 0 and position < self._stops[at]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PositionSpans):
            return NotImplemented
        return (self._starts, self._stops) == (other._starts, other._stops)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"PositionSpans({self.ranges()})"

    def ranges(self) -> list[range]:
        """Return the stretches in order; no two of them touch."""
        return list(map(range, self._starts, self._stops))

    def copy(self) -> PositionSpans:
        """Return a set of its own."""
        made = PositionSpans()
        made._starts, made._stops, made._size = self._starts[:], self._stops[:], self._size
        return made

    def add(self, one: range) -> None:
        """Take in a stretch."""
        start, stop = one.start, one.stop
        if start >= stop:
            return
        starts, stops = self._starts, self._stops
        if stops and start > stops[-1]:  # as most do: behind all others
            first = last = len(starts)
        else:
            first = bisect_left(stops, start)  # the first that it touches
            last = bisect_right(starts, stop)  # behind the last one
        if first < last:
            start, stop = min(start, starts[first]), max(stop, stops[last - 1])
            self._size -= sum(stops[first:last]) - sum(starts[first:last])
        starts[first:last], stops[first:last] = [start], [stop]
        self._size += stop - start

    def update(self, other: PositionSpans) -> None:
        """Take in another set."""
        for one in other.ranges():
            self.add(one)

    def common(self, other: PositionSpans) -> PositionSpans:
        """Return what is in both."""
        few, many = (self, other) if len(self._starts) < len(other._starts) else (other, self)
        made = PositionSpans()
        for one in few.ranges():
            for at in many._touched(one):  # noqa: SLF001  # of this class
                start, stop = many._starts[at], many._stops[at]  # noqa: SLF001  # of this class
                made.add(range(max(one.start, start), min(one.stop, stop)))
        return made

    def minus(self, other: PositionSpans) -> PositionSpans:
        """Return what is not in `other`."""
        made = PositionSpans()
        for one in self.ranges():
            start = one.start
            for at in other._touched(one):
                made.add(range(start, other._starts[at]))
                start = other._stops[at]
            made.add(range(start, one.stop))
        return made

    def covers(self, positions: IntArray) -> bool:
        """Return whether all of many positions are in the set."""
        if not len(positions):
            return True
        at = np.searchsorted(np.array(self._starts), positions, side="right") - 1
        stops = np.array(self._stops)
        return bool(self._stops) and bool((at >= 0).all() and (positions < stops[at]).all())

    def first(self, n: int) -> PositionSpans:
        """Return the `n` lowest positions."""
        made = PositionSpans()
        for one in self.ranges():
            if len(made) >= n:
                break
            made.add(one[: n - len(made)])
        return made

    def _touched(self, one: range) -> range:
        """Return the numbers of the stretches that have a position in `one`."""
        return range(bisect_right(self._stops, one.start), bisect_left(self._starts, one.stop))

    def pack(self) -> bytes:
        """Return the set as bytes."""
        ends = np.array([self._starts, self._stops], dtype=_PLACE)
        return ends.T.tobytes()

    @classmethod
    def unpack(cls, raw: bytes, size: int = sys.maxsize) -> PositionSpans:
        """Return the set that `pack` made bytes of; all of it lies in ``range(size)``.

        Raises
        ------
        ValueError
            If these bytes are no such set.
        """
        ends = np.frombuffer(raw, dtype=_PLACE) if len(raw) % 16 == 0 else None
        if ends is None or (len(ends) and (ends[0] < 0 or ends[-1] > size)):
            msg = "no stretches of positions"
            raise ValueError(msg)
        places = ends.tolist()
        if any(low >= high for low, high in pairwise(places)):
            msg = "stretches that are not in order"
            raise ValueError(msg)
        made = cls()
        made._starts, made._stops = places[::2], places[1::2]
        made._size = sum(made._stops) - sum(made._starts)
        return made
