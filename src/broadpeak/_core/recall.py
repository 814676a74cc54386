# SPDX-License-Identifier: BSD-3-Clause
"""Results of array functions, remembered by the identity of the arrays they were made from.

The evaluations of a training see the same price arrays again and again, which nobody can change. An
indicator of them with the same settings is the same array, and so is what is made of such results.
While a thread has such a memory, functions of this library look there before they compute.
"""

from __future__ import annotations

import itertools
import operator
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from broadpeak.types import AnyArray

LIMIT = 64 * 2**20
"""Bytes of results that are kept; the older half goes when there are more."""

NOTHING: Any = object()
"""Stands for a result that is not remembered."""

_N_BYTES = operator.attrgetter("nbytes")
_NUMBERS = frozenset({int, float, np.float64, np.int64})


class _Here(threading.local):
    memory: Recall | None = None


here = _Here()
"""`here.memory`: that of the calling thread, where it has one."""

n_active = 0
"""How many threads have a memory: at 0, which is cheap to see, nobody looks further."""

_lock = threading.Lock()


class Recall:
    """What was made of a few arrays that never change, and of what was made of those.

    Results are handed out read-only. Whoever writes to one gets a `ValueError`, and is called again
    without a memory.

    Parameters
    ----------
    limit : int
        Bytes of results that are kept.
    watches : bool
        Nothing is handed out twice, nor read-only: see `is_changed`.

    Attributes
    ----------
    known : dict of int to array
        By their ids the arrays themselves, and what was handed out.
    """

    __slots__ = ("_bytes", "_limit", "_lock", "_old", "_sources", "_watched", "_young", "known")

    def __init__(self, limit: int = LIMIT, *, watches: bool = False) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._sources: tuple[AnyArray, ...] = ()
        self.known: dict[int, AnyArray] = {}
        # An entry keeps the arrays of its key, so that no other array can have their ids.
        self._young: dict[tuple[Any, ...], _Entry] = {}
        self._old: dict[tuple[Any, ...], _Entry] = {}
        self._bytes = 0
        self._watched: list[tuple[AnyArray, bytes]] | None = [] if watches else None

    def __reduce__(self) -> tuple[type[Recall], tuple[int]]:
        return Recall, (self._limit,)  # what is remembered stays in its process

    def learn(self, sources: Iterable[AnyArray]) -> None:
        """Know these arrays, as far as they cannot be changed."""
        if not self._sources:
            self._sources = tuple(array for array in sources if not array.flags.writeable)
            self.known.update((id(array), array) for array in self._sources)

    def also(self, source: AnyArray) -> None:
        """Know one more array, which cannot be changed."""
        if id(source) not in self.known:
            with self._lock:
                self._sources = (*self._sources, source)
                self.known[id(source)] = source

    def get(self, key: tuple[Any, ...]) -> Any:
        """Return what was put under a key, or `NOTHING`."""
        found = self._young.get(key)
        if found is not None:
            return found[0]
        found = self._old.get(key)
        return NOTHING if found is None else self._put(key, found)

    def put(self, key: tuple[Any, ...], value: Any, inputs: Iterable[AnyArray], size: int) -> Any:
        """Keep a value of `size` bytes; return it, or the one that another thread kept before.

        The key names arrays by their ids, and `inputs` are these arrays.
        """
        return self._put(key, (value, tuple(inputs), size))

    def result(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Return ``function(*args, **kwargs)``, or `NOTHING` where it cannot be remembered.

        That is so unless the first arguments are arrays that are known, and all others are numbers.
        """
        n_arrays = 0 if kwargs else _N_ARRAYS.get(tuple(map(type, args)), 0)
        numbers = args[n_arrays:]
        if n_arrays and all(numbers):
            # Their number tells ids from settings.
            key: tuple[Any, ...] = (function, n_arrays, *map(id, args[:n_arrays]), *numbers)
        else:
            n_arrays, found = _any_key(args, kwargs)
            if not n_arrays:
                return NOTHING
            key = (function, *found)
        entry = self._young.get(key)
        if entry is not None:
            return entry[0]
        entry = self._old.get(key)
        if entry is not None:
            return self._put(key, entry)
        inputs, known = args[:n_arrays], self.known
        for array in inputs:
            if id(array) not in known:
                return NOTHING
        made = function(*args, **kwargs)
        if type(made) is np.ndarray:
            if self._watched is None:
                return self._put(key, (_sealed(made), inputs, made.nbytes))
            arrays: tuple[AnyArray, ...] = (made,)
        elif isinstance(made, tuple) and {*map(type, made)} == {np.ndarray}:
            arrays = made
        else:
            return made
        if self._watched is not None:
            self._watched += [(array, array.tobytes()) for array in arrays]
            with self._lock:
                self.known.update((id(array), array) for array in arrays)
            return made
        value = _sealed(made) if arrays is not made else _like(made, [*map(_sealed, arrays)])
        return self._put(key, (value, inputs, sum(map(_N_BYTES, arrays))))

    @property
    def shares(self) -> bool:
        """Whether the same array is handed out again."""
        return self._watched is None

    def is_changed(self) -> bool:
        """Return whether something that was handed out has been written to since."""
        return any(array.tobytes() != known for array, known in self._watched or ())

    def _put(self, key: tuple[Any, ...], entry: _Entry) -> Any:
        with self._lock:
            first = self._young.setdefault(key, entry)
            if first is not entry:
                return first[0]
            self._note(entry[0])
            self._bytes += entry[2]
            if self._bytes > self._limit // 2:
                self._old, self._young, self._bytes = self._young, {}, 0
                self.known = {id(array): array for array in self._sources}
                for value, _, _ in self._old.values():
                    self._note(value)
        return entry[0]

    def _note(self, value: Any) -> None:
        if type(value) is np.ndarray:
            self.known[id(value)] = value
        elif isinstance(value, tuple):
            self.known.update((id(array), array) for array in value)


_Entry = tuple[Any, tuple[AnyArray, ...], int]
"""Value, the arrays that its key names, and its size in bytes."""


_N_ARRAYS = {
    (*[np.ndarray] * n_arrays, *kinds): n_arrays
    for n_arrays in range(1, 5)
    for n_numbers in range(4)
    for kinds in itertools.product(_NUMBERS, repeat=n_numbers)
}
"""Number of arrays by types of arguments, of most calls."""


def _any_key(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[int, tuple[object, ...]]:
    """Return the number of arrays, and what tells such a call from others; 0 for other calls."""
    n_arrays = 0
    while n_arrays < len(args) and type(args[n_arrays]) is np.ndarray:
        n_arrays += 1
    numbers = (*args[n_arrays:], *kwargs.values())
    if not _NUMBERS.issuperset(map(type, numbers)):
        return 0, ()
    # 0.0 is equal to -0.0, and not the same.
    shown = [number or repr(number) for number in numbers]
    return n_arrays, (-n_arrays, *map(id, args[:n_arrays]), *shown, *kwargs)


def _like(made: tuple[Any, ...], arrays: list[AnyArray]) -> tuple[Any, ...]:
    return type(made)(*arrays) if hasattr(made, "_fields") else tuple(arrays)


def _sealed(array: AnyArray) -> AnyArray:
    """Return a view that cannot be made writeable, of an array that nobody else has."""
    array.setflags(write=False)
    owner = array.base
    while isinstance(owner, np.ndarray):
        owner.setflags(write=False)
        owner = owner.base
    return array.view()


def swap(memory: Recall | None) -> Recall | None:
    """Give the calling thread a memory, or none; return the one that it had."""
    global n_active  # noqa: PLW0603  # it is one for the process
    before = here.memory
    if before is not memory:
        here.memory = memory
        change = (memory is not None) - (before is not None)
        if change:
            with _lock:
                n_active += change
    return before
