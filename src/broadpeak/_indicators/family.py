# SPDX-License-Identifier: BSD-3-Clause
"""The outputs of one indicator over many settings, remembered in one piece.

A list of settings is a list of rows of it. What is asked for later is added at the end, so that
rows keep their numbers and lists with settings in common share their arrays.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from broadpeak._core import memo as memory
from broadpeak._core.memo import Memo
from broadpeak.types import AnyArray, IntArray

Outputs = tuple[AnyArray, ...]
"""One array an output: of one combination, shape (symbols, bars), or of several, one below the
other."""


class FamilyRows(NamedTuple):
    """Outputs, and which combination of them each asked for is.

    Those of one family share `owner`, by identity, and the numbers of their rows.
    """

    arrays: Outputs
    take: IntArray
    owner: object


class _Room:
    """Memory for more combinations than are there yet."""

    def __init__(self, family: Outputs, count: int, capacity: int) -> None:
        self._capacity = capacity
        self._used = count
        self._lock = threading.Lock()
        self._writers: list[AnyArray] = []
        self.wholes: list[AnyArray] = []
        for output in family:
            width = output.shape[0] // count
            whole = np.empty((capacity * width, output.shape[1]), output.dtype)
            whole[: count * width] = output
            self._writers.append(whole[:])
            whole.setflags(write=False)  # for good: what it hands out are views of it
            self.wholes.append(whole)

    def add(self, outputs: Outputs, count: int) -> int | None:
        """Write outputs of `count` combinations and return where they begin; None without room."""
        with self._lock:
            start = self._used
            if start + count > self._capacity:
                return None
            self._used += count
        for writer, output in zip(self._writers, outputs, strict=True):
            width = output.shape[0] // count
            writer[start * width : (start + count) * width] = output
        return start


class _Family(tuple[AnyArray, ...]):
    """The arrays of a family; what is asked for later makes another one of them.

    `rows` says which combination is where, `room` where more of them go.
    """

    rows: dict[Hashable, int]
    room: _Room | None
    owner: object


def stack(found: Sequence[Outputs]) -> Outputs:
    """Return outputs of combinations, one below the other; nobody can write to them."""
    if len(found) == 1:
        return found[0]
    return tuple([unchangeable(np.concatenate(parts)) for parts in zip(*found, strict=True)])


def unchangeable(array: AnyArray) -> AnyArray:
    """Return an array of ours, in C order, to which nobody can write from now on."""
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


def first_places(column: AnyArray) -> tuple[IntArray, IntArray]:
    """Return where each value of an array comes first, in this order, and which of them each is."""
    n = len(column)
    if column.dtype == np.int64:
        low, high = int(column.min()), int(column.max())
        if high - low < 4 * n + 1000:
            # A table of all values in between instead of sorting.
            offset = column - low
            first = np.full(high - low + 1, -1)
            first[offset[::-1]] = np.arange(n - 1, -1, -1)
            firsts = np.sort(first[first >= 0])
            first[offset[firsts]] = np.arange(len(firsts))
            return firsts, first[offset]
    _, firsts, codes = np.unique(column, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return firsts[order], rank[codes]


def rows_of(
    memo: Memo,
    key: Hashable,
    combinations: Sequence[Hashable],
    compute: Callable[[Sequence[Any]], Outputs],
) -> FamilyRows:
    """Return the rows of distinct combinations in the family `key`, computing what is missing."""
    while True:
        old = memo.get(key)
        if isinstance(old, _Family):
            known = old.rows
            missing = [one for one in combinations if one not in known]
            family = _grown(old, missing, compute(missing)) if missing else old
        else:
            family = None
        if family is None:
            outputs = compute(combinations)
            family = _family(outputs, {one: i for i, one in enumerate(combinations)}, object())
        if family is old or memo.replace(key, old, family):
            take = np.array([family.rows[one] for one in combinations], np.int64)
            return FamilyRows(tuple(family), take, family.owner)


def _family(
    arrays: Outputs, rows: dict[Hashable, int], owner: object, room: _Room | None = None
) -> _Family:
    family = _Family(arrays)
    family.rows, family.owner, family.room = rows, owner, room
    return family


def _grown(family: _Family, missing: Sequence[Hashable], outputs: Outputs) -> _Family | None:
    """Return the family with more combinations; None if it would be too large, or of two types."""
    if any(here.dtype != there.dtype for here, there in zip(family, outputs, strict=True)):
        return None
    count, width = len(missing), outputs[0].shape[0] // len(missing)
    room = family.room
    start = None if room is None else room.add(outputs, count)
    if room is None or start is None:
        present = family[0].shape[0] // width
        capacity = present + count + max(16, (present + count) // 4)
        row_bytes = sum(array.nbytes // present for array in family)
        if capacity * row_bytes > memory.LIMIT // 2:
            return None
        room = _Room(family, present, capacity)
        start = present
        room.add(outputs, count)
    rows = {**family.rows, **{one: start + i for i, one in enumerate(missing)}}
    arrays = tuple([whole[: (start + count) * width] for whole in room.wholes])
    return _family(arrays, rows, family.owner, room)
