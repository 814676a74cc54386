# SPDX-License-Identifier: BSD-3-Clause
"""What has been computed from one `PriceTable`, remembered up to a number of bytes."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from weakref import WeakSet

from broadpeak._core import caches
from broadpeak.types import AnyArray

LIMIT = 256 * 2**20
_lock = threading.Lock()


class Memo:
    """Arrays by key; the oldest go first when there are more than `LIMIT` bytes.

    Readers take no lock: a dict lookup is atomic, and a lost race only costs a computation.
    """

    __slots__ = ("__weakref__", "_arrays", "_bytes")

    def __init__(self) -> None:
        self._arrays: dict[Hashable, tuple[AnyArray, ...]] = {}
        self._bytes = 0
        _memos.add(self)

    def get(self, key: Hashable) -> tuple[AnyArray, ...] | None:
        """Return what is stored under `key`, or None."""
        return self._arrays.get(key)

    def put(self, key: Hashable, arrays: tuple[AnyArray, ...]) -> None:
        """Store `arrays` under `key`, unless they alone would take a quarter of the room."""
        size = sum(array.nbytes for array in arrays)
        if size > LIMIT // 4:
            return
        with _lock:
            if key in self._arrays:
                return
            self._arrays[key] = arrays
            self._bytes += size
            self._trim()

    def replace(
        self, key: Hashable, old: tuple[AnyArray, ...] | None, new: tuple[AnyArray, ...]
    ) -> bool:
        """Store `new` where `old` is, which may be nothing; False where another thread was first.

        What alone would take half of the room is not stored.
        """
        size = sum(array.nbytes for array in new)
        with _lock:
            if self._arrays.get(key) is not old:
                return False
            if old is not None:
                self._bytes -= sum(array.nbytes for array in self._arrays.pop(key))
            if size <= LIMIT // 2:
                self._arrays[key] = new
                self._bytes += size
                self._trim()
            return True

    def _trim(self) -> None:
        while self._bytes > LIMIT:
            oldest = self._arrays.pop(next(iter(self._arrays)))
            self._bytes -= sum(array.nbytes for array in oldest)

    def clear(self) -> None:
        """Forget everything."""
        with _lock:
            self._arrays = {}
            self._bytes = 0


_memos: WeakSet[Memo] = WeakSet()


def _clear_all() -> None:
    for memo in list(_memos):
        memo.clear()


caches.register(_clear_all)
