# SPDX-License-Identifier: BSD-3-Clause
"""A sink that keeps in a store what a reducer keeps of a run, and which tasks that is made of.

Ten million results through `top(1000)` are a thousand rows and a few stretches of positions. Both
are written again and again as they grow, in one step, so that a task counts as finished exactly
when its result is in the state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np

from broadpeak._core.labels import plain
from broadpeak._core.spans import PositionSpans
from broadpeak._core.threads import nesting
from broadpeak._run.batches import Outcome
from broadpeak._run.calls import Task
from broadpeak._run.claiming import ClaimSize, awaited, counting
from broadpeak._run.keeping import Part
from broadpeak._run.options import Settings
from broadpeak._run.partstate import from_plain, to_plain
from broadpeak._run.reducing import Reducing
from broadpeak._run.sinks import Finished, KeptResults, Sink
from broadpeak._run.stored import (
    ByFunction,
    data_key,
    environment,
    joined_digest,
    keys_of_tasks,
    run_name,
    search_of,
)
from broadpeak._store.claims import Owner
from broadpeak._store.fingerprint import Fingerprints
from broadpeak._store.keptstate import pack
from broadpeak._store.spanrows import Growth
from broadpeak._store.store import Store, open_temporary, storable
from broadpeak.errors import StoreError, shown
from broadpeak.types import IntArray, Reducer

Identity = Callable[[Callable[..., bytes]], bytes]

_SHARE = 30  # times as long as the last write took, the next one waits: it costs a thirtieth
_PLAIN = frozenset({int, float, str, bool})
_MOMENT_SECONDS = 0.25  # what is claimed at a time
_GROWTH = 16  # at most so much larger than the last claim


class StoredKept:
    """What a store knows of a run with a reducer, and a sink in front of the one that reduces.

    Several processes may work on one run. Each has a row of its own: its tasks and their state.
    Nobody's state is needed by another before the end, where all are joined.

    Parameters
    ----------
    store : Store
        Where it is kept.
    key : bytes
        What the run is known by; see `key_of`.
    tasks : sequence of Task
        All tasks of the run.
    sink : Sink
        Gets every result at once.
    weights : sequence of int, optional
        How many combinations each task stands for; default 1.
    n_workers : int
        How many tasks run at a time.

    Attributes
    ----------
    found : PositionSpans
        The tasks that were finished before.
    reducing : Reducing, optional
        Of the sink.
    """

    def __init__(
        self,
        store: Store,
        key: bytes,
        tasks: Sequence[Task],
        sink: Sink,
        *,
        weights: Sequence[int] | None = None,
        n_workers: int = 1,
    ) -> None:
        self._store, self._sink = store, sink
        kept: KeptResults = sink.kept  # type: ignore[attr-defined]  # of every sink that reduces
        self._kept = kept
        self._reducer = kept.reducer
        self.takes_arrays: bool = getattr(sink, "takes_arrays", False)
        self.reducing: Reducing | None = getattr(sink, "reducing", None)
        self._n_tasks, self._weights = len(tasks), weights
        self._n_workers = n_workers
        number = store.begin_kept(
            key,
            name=run_name(tasks),
            data=data_key(tasks),
            settings={"tasks": len(tasks), "keep": _words(kept.reducer), **search_of(tasks)},
        )
        self._run = store.kept_run(number)
        self._owner = Owner()
        # A run inside a task must not wait for its own outer run: it may run what that holds.
        self._shares = nesting.get().depth == 0
        self._has_written = False
        self._mark: bytes | None = None  # of the own row
        self._done = PositionSpans()  # tasks of the own row
        self._trials, self._seconds = 0, 0.0  # of the own row, as it will be
        self._new = PositionSpans()  # tasks whose results are in the state, but not in the row
        self._mine = PositionSpans()  # claimed, and not in the row
        self._dropped = PositionSpans()  # were in the state, and could not be written
        self._is_sound = True  # the state is that of `_done` and `_new`, and of no others
        self._last, self._cost = 0.0, 0.0  # when it was written, and how long that took
        self._at_stake = 0.0  # seconds of work that are not written
        self._known = self.found = self._run.done()
        self._news = self.found.copy()
        self._claim_size = ClaimSize(_MOMENT_SECONDS, _GROWTH)
        if len(self.found) < self._n_tasks:
            self._take_up()

    def _take_up(self) -> None:
        """Go on from what processes that have ended have left."""
        if not self.found or self._store.is_read_only:
            return
        self._mark = self._run.fold(self._owner.name, self._joined, _now())
        self._reload()

    def _reload(self) -> None:
        """Begin anew with the own row as it is in the file."""
        self._kept.forget()
        row = self._run.state_of(self._owner.name)
        self._done, self._trials, self._seconds = PositionSpans(), 0, 0.0
        if row is not None:
            self._kept.restore(self._parts_of(row))
            self._done, self._trials, self._seconds = row.places, row.trials, row.seconds
        self._is_sound = True

    def claim_span(
        self, wanted: PositionSpans, *, whole: bool
    ) -> tuple[PositionSpans, PositionSpans]:
        """Claim the first of `wanted`, with `whole` all of them; return these, and what is done."""
        if not self._shares:
            return wanted.minus(self._known), self._known
        most = self._n_tasks if whole else self._claim_size.next()
        granted = self._look(wanted, most, writes=self._is_due())
        self._claim_size.n_granted = len(granted)
        return granted, self._known

    def news(self) -> PositionSpans:
        """Return what others have finished since the last call."""
        news, self._news = self._news, PositionSpans()
        return news

    def dropped(self) -> PositionSpans:
        """Return what must be run again: another process had taken it for its own meanwhile."""
        self._write()
        dropped, self._dropped = self._dropped, PositionSpans()
        return dropped.minus(self._known)

    def wait(self, away: PositionSpans) -> tuple[PositionSpans, PositionSpans]:
        """Wait for other processes that work on `away`.

        Returns which tasks they have finished, and which nobody works on any more: these are for
        this run.
        """
        self.sync()

        def look() -> tuple[PositionSpans, PositionSpans] | None:
            granted = self._look(away, max(self._claim_size.size, len(away) // 2))
            news = self.news().common(away)
            return (news, granted) if news or granted else None

        return awaited(look)

    def put(self, positions: Sequence[int], values: Any, seconds: float) -> None:
        """Let the reducer see results, and write what it keeps if it is time."""
        positions = positions[: len(values)]
        if not len(positions):
            return
        self._is_sound = False  # an error leaves half of them in the state
        self._sink.put(positions, values, seconds)
        done = PositionSpans.of(positions)
        self._new.update(done)
        self._trials += len(done) if self._weights is None else self._weight_of(positions)
        self._seconds += seconds
        self._at_stake += seconds
        self._is_sound = True
        if self._is_due():
            self._write()

    def fail(self, outcome: Outcome) -> None:
        """Let another process try the task; the reducer hears of it at the end."""
        self._mine = self._mine.minus(PositionSpans([range(outcome.index, outcome.index + 1)]))

    def finish(self, n_tasks: int) -> Finished:
        """Return what the next sink makes of what all processes have kept."""
        if self._has_written:
            self._look(PositionSpans(), 0, is_last=True)
            if self._known == self._done:  # nobody else has a part in it
                return self._finished(n_tasks)
            self._mark = self._run.fold(self._owner.name, self._whole, _now())
        self._kept.forget()
        self._done = PositionSpans()
        for one in self._run.states():
            self._kept.restore(self._parts_of(one))
            self._done.update(one.places)
        return self._finished(n_tasks)

    def sync(self) -> None:
        """Wait until a power cut can no longer take what was put."""
        self._write()
        with self._counting():
            self._store.sync()

    def _finished(self, n_tasks: int) -> Finished:
        self.sync()
        for position in PositionSpans([range(n_tasks)]).minus(self._done):
            self._sink.fail(Outcome(position, "failed"))
        return self._sink.finish(n_tasks)

    def check(self) -> None:
        """Raise if the store is no longer where it was opened."""
        with self._counting():
            self._store.check_place()

    def close(self) -> None:
        """Write what is not yet written, also after an error, and release what was claimed."""
        try:
            if self._is_sound:
                with suppress(StoreError):  # an error is on its way already, or all is written
                    self._write()
        finally:
            self._owner.leave()
            if self._has_written:
                # On a full disk the results that are there still count.
                with suppress(StoreError):
                    self._store.sync()  # of a run that failed, or was ended by hand
                with suppress(StoreError):
                    self._run.release(self._owner.name)

    def _is_due(self) -> bool:
        """Return whether to write: it pays for what is at stake, or has not been done for long.

        What took long must not wait for the next result, which may take as long; where many workers
        give results all the time, writing must not keep this thread from them.
        """
        patience = _SHARE * self._cost
        return (
            self._at_stake >= patience * self._n_workers or perf_counter() - self._last >= patience
        )

    # --- what is in the store -------------------------------------------------------------------

    def _write(self) -> None:
        if self._new:
            self._look(PositionSpans(), 0)

    def _look(
        self, wanted: PositionSpans, most: int, *, writes: bool = True, is_last: bool = False
    ) -> PositionSpans:
        """Write what is new, claim the first of `wanted`, and see what others have done."""
        begun, change, held = perf_counter(), None, self._mine
        if (self._new and writes) or is_last:
            done = self._done.copy()
            done.update(self._new)
            state = to_plain(self._reducer, self._kept.parts())
            if is_last:
                self._label(state)
            change = Growth(done, self._trials, self._seconds, state)
            held = held.minus(self._new)
        self._has_written = True
        with self._counting():
            answer = self._run.grow(
                self._owner.name, self._mark, change, wanted, most, held, _now()
            )
        self._mark = answer.mark
        if not answer.is_kept:
            # While this process was thought dead, its row was joined to another's, or its tasks
            # were run elsewhere. The state cannot be taken apart: what was not written is lost.
            self._dropped.update(self._new)
            self._mine = PositionSpans()
            self._reload()
        else:
            self._mine = held.copy()
            self._mine.update(answer.granted)
            if change is not None:
                self._done = change.places
                self._last = perf_counter()
                self._cost = self._last - begun
        if change is not None or not answer.is_kept:
            self._new, self._at_stake = PositionSpans(), 0.0
        self._news.update(answer.done.minus(self._known).minus(self._done))
        self._known = answer.done
        return answer.granted

    def _counting(self) -> AbstractContextManager[None]:
        return counting(lambda: len(self._known), self._n_tasks)

    def _parts_of(self, row: Growth) -> list[Part]:
        """Return the state of a row, or refuse it."""
        size = None if self._weights is None else sum(self._weights)
        try:
            return from_plain(self._reducer, row.state, row.places, size)
        except Exception as error:
            msg = (
                f"The store {str(self._store.path)!r} must hold states of {_words(self._reducer)} "
                "for this run, got one that is none. Restore it from a copy, or choose a new file "
                "name."
            )
            raise StoreError(msg) from error

    def _joined(self, rows: list[Growth]) -> Growth:
        """Return what several processes have done as one."""
        together = KeptResults(self._reducer, self._kept.labels_of)
        tasks = PositionSpans()
        for row in rows:
            together.restore(self._parts_of(row))
            tasks.update(row.places)
        state = to_plain(self._reducer, together.parts())
        trials, seconds = sum(row.trials for row in rows), sum(row.seconds for row in rows)
        return Growth(tasks, trials, seconds, state)

    def _whole(self, rows: list[Growth]) -> Growth:
        """Return the same with labels, for whoever looks into the store."""
        whole = self._joined(rows)
        self._kept.forget()
        self._kept.restore(self._parts_of(whole))
        self._label(whole.state)
        return whole

    def _label(self, state: dict[str, Any]) -> None:
        """Note the labels of what is kept, for whoever looks into the store."""
        if state["kind"] == "best" and len(state["positions"]):
            state["labels"] = _columns(self._kept, state["positions"])

    def _weight_of(self, positions: Iterable[int]) -> int:
        weights = self._weights
        assert weights is not None  # noqa: S101  # that is why this is called
        return sum(weights[position] for position in positions)


@contextmanager
def open_kept(
    settings: Settings,
    tasks: Any,
    sink: Sink,
    *,
    identity: Identity | None = None,
    weights: Sequence[int] | None = None,
    n_workers: int = 1,
) -> Iterator[StoredKept]:
    """Yield the sink of a stored run with a reducer in front of `sink`.

    A store that is only a cache is removed when the run is complete.
    """
    reducer = sink.kept.reducer  # type: ignore[attr-defined]  # of every sink that reduces
    key = key_of(tasks, reducer, settings.store_key, identity)
    given = settings.store

    def opened(store: Store) -> StoredKept:
        return StoredKept(store, key, tasks, sink, weights=weights, n_workers=n_workers)

    if given is None:
        with open_temporary(key) as temporary, closing(opened(temporary)) as stored:
            yield stored
        return
    store = given if isinstance(given, Store) else Store(given)
    try:
        with closing(opened(store)) as stored:
            yield stored
            stored.check()
    finally:
        if store is not given:
            store.close()


def key_of(tasks: Any, reducer: Reducer, store_key: str | None, identity: Identity | None) -> bytes:
    """Return the digest of a whole run: its function, its arguments and its reducer.

    No digest a task is held: what all tasks share, and which combinations there are, in which
    order, says as much.
    """
    digest = Fingerprints()
    function = ByFunction(digest, store_key)
    identity = identity or getattr(tasks, "identity", None)
    if identity is not None:
        parts = [function(tasks.func), identity(digest)]
    else:
        total = hashlib.blake2b(digest_size=16)
        for key in keys_of_tasks(tasks, digest, function):
            total.update(key)
        parts = [total.digest()]
    return joined_digest([b"kept", environment(), _identity_of(reducer, digest, store_key), *parts])


def _identity_of(reducer: Reducer, digest: Callable[..., bytes], store_key: str | None) -> bytes:
    """Return a digest of class, code and parameters; with a store key, of its name for the code."""
    kind = type(reducer)
    if (
        store_key is None
        or hasattr(kind, "fingerprint")
        or kind.__module__.startswith("broadpeak.")
    ):
        return digest(reducer)
    return digest(store_key, kind.__qualname__, reducer.__getstate__())


def _words(reducer: Reducer) -> str:
    return str(shown(reducer))


def _columns(kept: KeptResults, positions: IntArray) -> Any:
    """Return the labels of what is kept as plain values, by name."""
    index = kept.labels_of(np.asarray(positions))
    names = [f"level_{at}" if name is None else str(name) for at, name in enumerate(index.names)]
    if names == ["level_0"]:
        names = ["call"]
    levels = [index.get_level_values(at) for at in range(index.nlevels)]
    columns = (_storable(level) for level in levels)
    return pack([dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)])


def _storable(level: Any) -> list[object]:
    labels = [plain(label) for label in level]
    return labels if set(map(type, labels)) <= _PLAIN else [storable(label) for label in labels]


def _now() -> bytes:
    return datetime.now(UTC).isoformat().encode()
