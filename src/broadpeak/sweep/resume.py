# SPDX-License-Identifier: BSD-3-Clause
"""Runs with a store: what is finished is read back, what finishes is durable before it counts."""

from __future__ import annotations

import hashlib
import math
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from broadpeak.engines.calls import Calls, Task
from broadpeak.storage.fingerprint import Fingerprints, fingerprint, name_of, under_key
from broadpeak.storage.store import Record, Store, open_temporary

StoreLike: TypeAlias = "Store | str | os.PathLike[str] | None"

_PACKAGES = ("broadpeak", "numpy", "pandas", "numba")  # what results come from in every run


class Resumed:
    """What a store knows of one run, and where its new results go.

    Parameters
    ----------
    store : Store or path
        Where results are kept.
    tasks : sequence of Task
        All tasks of the run. Those of the same function and arguments are told apart by their
        order, since a function may draw random numbers.
    labels : callable
        Positions of tasks -> a dict a task that names its combination.
    store_key : str, optional
        Stands for what the functions reach.

    Attributes
    ----------
    found : dict
        Position of a task that was finished before -> its result.
    """

    def __init__(
        self,
        store: Store | str | os.PathLike[str],
        tasks: Sequence[Task],
        labels: Callable[[Sequence[int]], list[dict[str, Any]]],
        store_key: str | None = None,
    ) -> None:
        self._store = store if isinstance(store, Store) else Store(store)
        self._labels = labels
        head, keys = _identify(tasks, store_key)
        self._keys = _told_apart(keys)
        self._run = self._store.begin(
            head,
            name=_name(tasks),
            data=_data(tasks),
            settings={"tasks": len(tasks)},
        )
        places = {key: place for place, key in enumerate(self._keys)}
        known = self._store.find(self._run, self._keys)
        self.found = {places[key]: value for key, value in known}

    def save(self, positions: Sequence[int], values: Sequence[Any], seconds: float) -> None:
        """Make the results of the tasks at `positions` durable; the time is that of all."""
        each = seconds / len(values) if values else math.nan
        rows = zip(positions, self._labels(positions), values, strict=True)
        self._store.add(
            self._run,
            [Record(self._keys[place], label, value, each) for place, label, value in rows],
        )


@contextmanager
def opened(
    store: StoreLike,
    cached: bool,
    tasks: Any,
    labels: Callable[[Sequence[int]], list[dict[str, Any]]],
    store_key: str | None = None,
) -> Iterator[Resumed | None]:
    """Yield what is known of a run: nothing without a store.

    The store of a `cached` run is removed when the run is complete.
    """
    if store is not None:
        yield Resumed(store, tasks, labels, store_key)
        return
    if not cached:
        yield None
        return
    with open_temporary(fingerprint(*_identify(tasks, store_key))) as temporary:
        yield Resumed(temporary, tasks, labels, store_key)


def labels_of(
    keys: pd.Index[Any] | None, text: Callable[[int], str] | None = None
) -> Callable[[Sequence[int]], list[dict[str, Any]]]:
    """Return the function that names tasks by `keys`, by a text, or by their positions."""

    def label(positions: Sequence[int]) -> list[dict[str, Any]]:
        if keys is None:
            return [{"call": place if text is None else text(place)} for place in positions]
        names = [f"level_{at}" if name is None else str(name) for at, name in enumerate(keys.names)]
        rows = [keys[place] for place in positions]
        if not isinstance(keys, pd.MultiIndex):
            return [{names[0]: _plain(row)} for row in rows]
        return [dict(zip(names, map(_plain, row), strict=True)) for row in rows]

    return label


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _identify(tasks: Sequence[Task], store_key: str | None) -> tuple[bytes, list[bytes]]:
    """Return the digest of what all tasks share, and one a task of what they do not.

    Looked at before the first call is made: what a function changes while it runs does not count.
    """
    digest = Fingerprints()
    function = _ByFunction(digest, store_key)
    if isinstance(tasks, Calls):
        shared, keys = tasks.fingerprints(digest)
        return _joined([_environment(), function(tasks.func), shared]), keys
    keys = [
        _joined([function(task.func), digest(*task.args), *_named(task, digest)]) for task in tasks
    ]
    functions = sorted({function(task.func) for task in tasks})
    return _joined([_environment(), *functions]), keys


def _named(task: Task, digest: Callable[[Any], bytes]) -> Iterable[bytes]:
    for name, value in sorted(task.kwargs.items()):
        yield name.encode()
        yield digest(value)


class _ByFunction:
    """Digests of functions, each computed once; with a word of the user's, of their names alone."""

    def __init__(self, digest: Callable[..., bytes], store_key: str | None) -> None:
        self._digest = digest
        self._store_key = store_key
        self._known: dict[int, bytes] = {}

    def __call__(self, func: Any) -> bytes:
        if self._store_key is not None:
            return self._digest(*under_key(func, self._store_key))
        if id(func) not in self._known:
            self._known[id(func)] = self._digest(func)
        return self._known[id(func)]


def _environment() -> bytes:
    """Return the digest of the versions that every result depends on."""
    return fingerprint(platform.python_version(), *((name, version(name)) for name in _PACKAGES))


def _joined(parts: Iterable[bytes]) -> bytes:
    total = hashlib.blake2b(digest_size=16)
    for part in parts:
        total.update(len(part).to_bytes(4, "little"))
        total.update(part)
    return total.digest()


def _told_apart(keys: list[bytes]) -> list[bytes]:
    """Return `keys` with the number of its occurrence behind every repeated one."""
    if len(set(keys)) == len(keys):
        return keys
    seen: Counter[bytes] = Counter()
    unique = []
    for key in keys:
        unique.append(key if not seen[key] else key + seen[key].to_bytes(4, "little"))
        seen[key] += 1
    return unique


def _name(tasks: Sequence[Task]) -> str:
    func: Any = tasks.func if isinstance(tasks, Calls) else tasks[0].func if tasks else None
    return name_of(func)


def _data(tasks: Sequence[Task]) -> str | None:
    """Return the fingerprint of the prices that the tasks have in common, for the ledger."""
    if not tasks:
        return None
    first = tasks[0]
    for value in (*first.args, *first.kwargs.values()):
        key = getattr(value, "data_key", None)
        if isinstance(key, str) and key:
            return key
    return None
