# SPDX-License-Identifier: BSD-3-Clause
"""Runs with a store: what is finished is read back, what finishes is durable before it counts."""

from __future__ import annotations

import hashlib
import os
import platform
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.metadata import version
from time import perf_counter, sleep
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._run.batches import nesting
from broadpeak._run.calls import Calls, Task
from broadpeak._run.taskqueue import Claims
from broadpeak._store.claims import Owner
from broadpeak._store.fingerprint import Fingerprints, fingerprint, name_of, under_key
from broadpeak._store.store import Record, Store, open_temporary
from broadpeak.errors import StoreError

StoreLike: TypeAlias = "Store | str | os.PathLike[str] | None"

_PACKAGES = ("broadpeak", "numpy", "pandas", "numba")  # what results come from in every run
_MOMENT_SECONDS = 0.1  # what is claimed at a time: long against a claim, short to wait for
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 0.5  # seconds between looks at what others have done


class Resumed:
    """What a store knows of one run, and where its new results go.

    Several processes may work on one run. Each claims a few tasks at a time, as many as take it a
    moment, and finds in the store what the others have finished.

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
        head, keys = _identify(tasks, store_key)
        self._is_own = not isinstance(store, Store)
        self._store = store if isinstance(store, Store) else Store(store)
        self._labels = labels
        self._keys = _told_apart(keys)
        self._run = self._store.begin(
            head,
            name=_name(tasks),
            data=_data(tasks),
            settings={"tasks": len(tasks)},
        )
        self._places = {key: place for place, key in enumerate(self._keys)}
        self._n_known = self._store.count(self._run)
        self.found = self._placed(dict(self._store.find(self._run, self._keys)))
        # A run inside of a task must not wait for its own outer run: it may run what that holds.
        self._owner = Owner() if nesting.get().depth == 0 else None
        self._mine: set[int] = set()
        self._news: dict[int, Any] = {}
        self._has_asked = False
        self._batch, self._n_granted, self._since = 1, 0, perf_counter()
        self._lock = threading.Lock()  # some engines ask from threads of their own
        self._n_saved = 0

    @property
    def claims(self) -> Claims | None:
        """Who may run which tasks; None if this run asks nobody."""
        return None if self._owner is None else self

    def claim(self, positions: Sequence[int], *, whole: bool) -> tuple[int, list[int]]:
        """Ask for the first of `positions`, with `whole` for all of them."""
        with self._lock:
            asked = list(positions if whole else positions[: self._next_batch(len(positions))])
            granted = self._ask(asked)
            self._n_granted = len(granted)
            return len(asked), granted

    def news(self) -> dict[int, Any]:
        """Return what other processes finished since this was last asked."""
        with self._lock:
            news, self._news = self._news, {}
            return news

    def wait(self, positions: Sequence[int]) -> tuple[dict[int, Any], list[int]]:
        """Wait for other processes that work on `positions`.

        Returns new results, and tasks that nobody works on any more: they are for this run.
        """
        pause = _SHORTEST_PAUSE
        while True:
            with self._lock:
                granted = self._ask(list(positions))
            news = self.news()
            if news or granted:
                return news, granted
            sleep(pause)
            pause = min(_LONGEST_PAUSE, 1.5 * pause)

    def save(self, positions: Sequence[int], values: Sequence[Any], seconds: float) -> list[Any]:
        """Make the results of the tasks at `positions` durable; the time is that of all.

        Returns
        -------
        list
            The results. Where another process was first, its result stays.
        """
        if not positions:
            return []
        each = seconds / len(values)
        rows = zip(positions, self._labels(positions), values, strict=True)
        try:
            late = self._store.add(
                self._run,
                [Record(self._keys[place], label, value, each) for place, label, value in rows],
            )
        except StoreError as error:
            n_kept = len(self.found) + self._n_saved
            msg = f"{error} {n_kept:,} of {len(self._keys):,} results of this run had been kept."
            raise StoreError(msg) from error
        with self._lock:
            self._mine.difference_update(positions)
            self._n_known += len(positions) - len(late)
        self._n_saved += len(positions)
        stored = self._placed(dict(self._store.find(self._run, late))) if late else {}
        return [stored.get(place, one) for place, one in zip(positions, values, strict=True)]

    def drop(self, position: int) -> None:
        """Note that the task at `position` failed: another process may try it."""
        with self._lock:
            self._mine.discard(position)

    def close(self) -> None:
        """Let go of what was claimed."""
        if self._owner is not None:
            self._owner.leave()
            if self._has_asked:
                # On a full disk the results that are there still count.
                with suppress(StoreError):
                    self._store.release(self._run, self._owner.name)
        if self._is_own:
            self._store.close()

    def finish(self) -> None:
        """Raise if what was kept is not where it should be."""
        self._store.check_place()

    def _placed(self, results: dict[bytes, Any]) -> dict[int, Any]:
        return {self._places[key]: value for key, value in results.items()}

    def _next_batch(self, n_left: int) -> int:
        """Return how many tasks to ask for: what takes a moment, and leaves others some."""
        now = perf_counter()
        fitting = self._n_granted * _MOMENT_SECONDS / max(now - self._since, 1e-6)
        self._since = now
        self._batch = max(1, min(int(fitting), 4 * self._batch))
        return min(self._batch, -(-n_left // 2))

    def _ask(self, positions: list[int]) -> list[int]:
        owner = self._owner
        if owner is None:
            return positions
        self._has_asked = True
        keys = self._keys
        answer = self._store.claim(
            self._run,
            owner.name,
            [keys[place] for place in positions],
            [keys[place] for place in self._mine],
            self._n_known,
        )
        self._news |= self._placed(answer.finished)
        granted = [place for place in positions if keys[place] in answer.granted]
        self._mine.update(granted)
        return granted


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
        with closing(Resumed(store, tasks, labels, store_key)) as resumed:
            yield resumed
            resumed.finish()
        return
    if not cached:
        yield None
        return
    with (
        open_temporary(fingerprint(*_identify(tasks, store_key))) as temporary,
        closing(Resumed(temporary, tasks, labels, store_key)) as resumed,
    ):
        yield resumed


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
