# SPDX-License-Identifier: BSD-3-Clause
"""A sink that keeps results in a store.

A result is in the store before it counts as finished, where the end of this process cannot take it;
from the next `sync` on a power cut cannot, either. Those that are there already are there from the
start.
"""

from __future__ import annotations

import hashlib
import math
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from importlib.metadata import version
from typing import Any, TypeAlias

import pandas as pd

from broadpeak._core.aliases import Index
from broadpeak._core.labels import plain
from broadpeak._core.threads import nesting
from broadpeak._run.batches import Outcome
from broadpeak._run.calls import Calls, Task
from broadpeak._run.claiming import ClaimSize, awaited, counting
from broadpeak._run.options import Settings
from broadpeak._run.sinks import Finished, Sink
from broadpeak._run.taskqueue import Claims
from broadpeak._store.claims import Owner
from broadpeak._store.fingerprint import Fingerprints, fingerprint, name_of, under_key
from broadpeak._store.store import Record, Store, open_temporary
from broadpeak.errors import StoreError

TaskLabels: TypeAlias = Callable[[Sequence[int]], list[dict[str, Any]]]

_PACKAGES = ("broadpeak", "numpy", "pandas", "numba")  # what results come from in every run
_MOMENT_SECONDS = 0.1  # what is claimed at a time
_GROWTH = 4  # at most so much larger than the last claim


class StoredResults:
    """What a store knows of one run, and a sink in front of another one that keeps the rest.

    Several processes may work on one run. Each claims a few tasks at a time, as many as take a
    moment, and finds in the store what the others have finished.

    Parameters
    ----------
    store : Store or path
        Where results are kept.
    tasks : sequence of Task
        All tasks of the run. Those of the same function and arguments are told apart by their
        order, since a function may draw random numbers.
    sink : Sink
        Gets every result once it is kept, also those of earlier runs and of other processes.
    labels : callable
        Positions of tasks -> a dict a task that names its combination.
    store_key : str, optional
        Stands for what the functions reach.

    Attributes
    ----------
    found : set of int
        Positions of the tasks that were finished before.
    """

    def __init__(
        self,
        store: Store | str | os.PathLike[str],
        tasks: Sequence[Task],
        sink: Sink,
        labels: TaskLabels,
        store_key: str | None = None,
    ) -> None:
        head, keys = _identify(tasks, store_key)
        self._is_own = not isinstance(store, Store)
        self._store = store if isinstance(store, Store) else Store(store)
        self._sink = sink
        self._labels = labels
        self._keys = _distinct_keys(keys)
        self._run = self._store.begin(
            head,
            name=run_name(tasks),
            data=data_key(tasks),
            settings={"tasks": len(tasks), **search_of(tasks)},
        )
        self._positions = {key: position for position, key in enumerate(self._keys)}
        self._n_known = self._store.count(self._run)
        self._news = self._by_position(self._store.find(self._run, self._keys))
        self.found = set(self._news)
        # A run inside a task must not wait for its own outer run: it may run what that holds.
        self._owner = Owner() if nesting.get().depth == 0 else None
        self._mine: set[int] = set()
        self._has_asked = False
        self._claim_size = ClaimSize(_MOMENT_SECONDS, _GROWTH)
        self._n_saved = 0

    @property
    def claims(self) -> Claims | None:
        """Says which tasks are for this run; None if all are."""
        return None if self._owner is None else self

    def claim(self, positions: Sequence[int], *, whole: bool) -> tuple[int, list[int]]:
        """Ask for the first of `positions`, with `whole` for all of them."""
        asked = list(positions)
        if not whole:  # some are left for others
            asked = asked[: min(self._claim_size.next(), -(-len(asked) // 2))]
        granted = self._claim_next(asked)
        self._claim_size.n_granted = len(granted)
        return len(asked), granted

    def news(self) -> list[int]:
        """Pass on what others have finished since the last call; return the positions of it."""
        if not self._news:
            return []
        news, self._news = self._news, {}
        positions = sorted(news)
        self._sink.put(positions, [news[position] for position in positions], math.nan)
        return positions

    def wait(self, positions: Sequence[int]) -> tuple[list[int], list[int]]:
        """Wait for other processes that work on `positions`.

        Returns which tasks they have finished, and which nobody works on any more: these are for
        this run.
        """
        self.sync()

        def look() -> tuple[list[int], list[int]] | None:
            granted = self._claim_next(list(positions))
            news = self.news()
            return (news, granted) if news or granted else None

        return awaited(look)

    def put(self, positions: Sequence[int], values: Sequence[object], seconds: float) -> None:
        """Keep results and pass them on; where another process was first, its own."""
        positions = positions[: len(values)]
        if not positions:
            return
        each = seconds / len(values)
        rows = zip(positions, self._labels(positions), values, strict=True)
        with self._counting():
            late = self._store.add(
                self._run,
                [
                    Record(self._keys[position], label, value, each)
                    for position, label, value in rows
                ],
            )
        self._mine.difference_update(positions)
        self._n_known += len(positions) - len(late)
        self._n_saved += len(positions)
        if late:
            stored = self._by_position(self._store.find(self._run, late))
            values = [
                stored.get(position, one) for position, one in zip(positions, values, strict=True)
            ]
        self._sink.put(positions, values, seconds)

    def fail(self, outcome: Outcome) -> None:
        """Let another process try the task, and pass the failure on."""
        self._mine.discard(outcome.index)
        self._sink.fail(outcome)

    def finish(self, n_tasks: int) -> Finished:
        """Return what the next sink returns, of results that a power cut can no longer take."""
        self.sync()
        return self._sink.finish(n_tasks)

    def sync(self) -> None:
        """Wait until a power cut can no longer take what was put."""
        with self._counting():
            self._store.sync()

    def check(self) -> None:
        """Raise if the store is no longer where it was opened."""
        with self._counting():
            self._store.check_place()

    def close(self) -> None:
        """Release what was claimed."""
        if self._owner is not None:
            self._owner.leave()
            if self._has_asked:
                # On a full disk the results that are there still count.
                with suppress(StoreError):
                    self._store.sync()  # of a run that failed, or was ended by hand
                with suppress(StoreError):
                    self._store.release(self._run, self._owner.name)
        if self._is_own:
            self._store.close()

    def _counting(self) -> AbstractContextManager[None]:
        return counting(lambda: len(self.found) + self._n_saved, len(self._keys))

    def _by_position(self, results: Iterable[tuple[bytes, Any]]) -> dict[int, Any]:
        return {self._positions[key]: value for key, value in results}

    def _claim_next(self, positions: list[int]) -> list[int]:
        owner = self._owner
        if owner is None:
            return positions
        self._has_asked = True
        keys = self._keys
        with self._counting():
            answer = self._store.claim(
                self._run,
                owner.name,
                [keys[position] for position in positions],
                [keys[position] for position in self._mine],
                self._n_known,
            )
        self._news |= self._by_position(answer.finished.items())
        granted = [position for position in positions if keys[position] in answer.granted]
        self._mine.update(granted)
        return granted


@contextmanager
def open_stored(
    settings: Settings, tasks: Any, sink: Sink, keys: Index | None, label: Any
) -> Iterator[StoredResults]:
    """Yield the sink of a stored run in front of `sink`.

    A store that is only a cache is removed when the run is complete.
    """
    labels, store_key = partial(_labels, keys, label), settings.store_key
    if settings.store is not None:
        stored = StoredResults(settings.store, tasks, sink, labels, store_key)
        with closing(stored):
            yield stored
            stored.check()
        return
    with (
        open_temporary(fingerprint(*_identify(tasks, store_key))) as temporary,
        closing(StoredResults(temporary, tasks, sink, labels, store_key)) as stored,
    ):
        yield stored


def _labels(
    keys: Index | None, label: Callable[[int], str] | None, positions: Sequence[int]
) -> list[dict[str, Any]]:
    """Return what names each task: its key, a string, or its position."""
    if keys is None:
        return [{"call": position if label is None else label(position)} for position in positions]
    names = [f"level_{at}" if name is None else str(name) for at, name in enumerate(keys.names)]
    rows = [keys[position] for position in positions]
    if not isinstance(keys, pd.MultiIndex):
        return [{names[0]: plain(row)} for row in rows]
    return [dict(zip(names, map(plain, row), strict=True)) for row in rows]


def _identify(tasks: Sequence[Task], store_key: str | None) -> tuple[bytes, list[bytes]]:
    """Return a digest of what all tasks share, and one for each task of what it alone has.

    Looked at before the first call is made: what a function changes while it runs does not count.
    """
    digest = Fingerprints()
    function = ByFunction(digest, store_key)
    if isinstance(tasks, Calls):
        shared, keys = tasks.fingerprints(digest)
        return joined_digest([environment(), function(tasks.func), shared]), keys
    keys = keys_of_tasks(tasks, digest, function)
    functions = sorted({function(task.func) for task in tasks})
    return joined_digest([environment(), *functions]), keys


def keys_of_tasks(tasks: Sequence[Task], digest: Fingerprints, function: ByFunction) -> list[bytes]:
    """Return a digest of every task, of its function and its arguments."""
    return [
        joined_digest([function(task.func), digest(*task.args), *_parts_of(task, digest)])
        for task in tasks
    ]


def _parts_of(task: Task, digest: Callable[[Any], bytes]) -> Iterable[bytes]:
    for name, value in sorted(task.kwargs.items()):
        yield name.encode()
        yield digest(value)


class ByFunction:
    """Digests of functions, each computed once; with a store key, of their names alone."""

    def __init__(self, digest: Callable[..., bytes], store_key: str | None) -> None:
        self._digest = digest
        self._store_key = store_key
        self._known: dict[int, bytes] = {}

    def __call__(self, func: object) -> bytes:
        if self._store_key is not None:
            return self._digest(*under_key(func, self._store_key))
        if id(func) not in self._known:
            self._known[id(func)] = self._digest(func)
        return self._known[id(func)]


def environment() -> bytes:
    """Return the digest of the versions that every result depends on."""
    return fingerprint(platform.python_version(), *((name, version(name)) for name in _PACKAGES))


def joined_digest(parts: Iterable[bytes]) -> bytes:
    total = hashlib.blake2b(digest_size=16)
    for part in parts:
        total.update(len(part).to_bytes(4, "little"))
        total.update(part)
    return total.digest()


def _distinct_keys(keys: list[bytes]) -> list[bytes]:
    """Return `keys` with the number of its occurrence behind every repeated one."""
    if len(set(keys)) == len(keys):
        return keys
    seen: Counter[bytes] = Counter()
    unique = []
    for key in keys:
        unique.append(key if not seen[key] else key + seen[key].to_bytes(4, "little"))
        seen[key] += 1
    return unique


def run_name(tasks: Sequence[Task]) -> str:
    func: Any = tasks.func if isinstance(tasks, Calls) else tasks[0].func if tasks else None
    return name_of(func)


def data_key(tasks: Sequence[Task]) -> str | None:
    """Return the fingerprint of the prices that the tasks have in common, for the ledger."""
    return _note(tasks, "data_key")


def search_of(tasks: Sequence[Task]) -> dict[str, str]:
    """Return which search the run is a part of, where it says so: a training is several runs."""
    key, name = _note(tasks, "search_key"), _note(tasks, "search_name")
    return {} if key is None else {"search": key, "strategy": name or ""}


def _note(tasks: Sequence[Task], name: str) -> str | None:
    if not tasks:
        return None
    first = tasks[0]
    for value in (*first.args, *first.kwargs.values()):
        note = getattr(value, name, None)
        if isinstance(note, str) and note:
            return note
    return None
