# SPDX-License-Identifier: BSD-3-Clause
"""The tasks of one run as engines want them: cut into batches, held at barriers, tried again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Protocol

from broadpeak._run.batches import Batch, Reduces
from broadpeak._run.calls import Calls, Task
from broadpeak._run.chunks import Chunk
from broadpeak._run.footprint import BATCH_BYTES, Footprint
from broadpeak.errors import ParamTypeError, broken_rule

_MOST_CLAIMED = 2000  # tasks that are looked at in one go


class Claims(Protocol):
    """Who may run which tasks, where several processes share a run."""

    def claim(self, positions: Sequence[int], *, whole: bool) -> tuple[int, list[int]]:
        """Ask for the first of `positions`, with `whole` for all of them.

        Returns how many were looked at, and which of those are for this run. The others are
        finished, or another process works on them.
        """


@dataclass(slots=True)
class OpenChunk:
    """A chunk that has begun."""

    chunk: Chunk
    positions: Sequence[int]
    taken: int = 0  # tasks that were given out
    left: int = 0  # of these, how many have not finished
    full: bool = False  # all were given out


class TaskQueue:
    """Cuts the tasks of a run into batches, and keeps count of what is on the way.

    It may be empty for now (a barrier between chunks, a failed task that comes again): an engine
    ends only when `take` returned None while nothing of its own was on the way. All of it is used
    from one thread, the one that iterates over `Engine.run`.

    Parameters
    ----------
    tasks : Calls, list, tuple or iterator of Task
        A sequence is sliced; an iterator is advanced only when a batch is taken.
    chunks : iterable of Chunk
        Tasks between two barriers. Those of an iterator may end before their chunk does.
    n_tasks : int, optional
        Number of tasks, if known.
    whole : bool
        A chunk is one batch. Otherwise chunk follows chunk, with a barrier between them.
    single : bool
        A task is one batch, however quick it is: its result is available as soon as it has ended.
    claims : Claims, optional
        Says which tasks of a sequence are for this run; the others are away until they have arrived
        or are offered.
    stop, timed, timeout, reducing
        Put on every batch.
    warmup : bool
        The first task is finished before any other is given out.
    on_open, on_close : callable, optional
        Called with a chunk before its first task is given out, and with it and its positions after
        its last has finished, in order of chunks.

    Attributes
    ----------
    n_left : int or None
        How many tasks have never been given out; None if that is not known.
    n_taken, n_chunks : int
        How many tasks and chunks have been given out.
    seconds : float
        How long a batch is to take.
    """

    def __init__(
        self,
        tasks: Sequence[Task] | Iterator[Task],
        chunks: Iterable[Chunk],
        *,
        n_tasks: int | None = None,
        whole: bool = False,
        single: bool = False,
        claims: Claims | None = None,
        stop: bool = False,
        timed: bool = False,
        timeout: float | None = None,
        reducing: Reduces | None = None,
        warmup: bool = False,
        on_open: Callable[[Chunk], object] | None = None,
        on_close: Callable[[Chunk, Sequence[int]], object] | None = None,
    ) -> None:
        self.n_left = n_tasks
        self.n_taken = self.n_chunks = 0
        self.seconds: float = getattr(tasks, "seconds", Calls.seconds)
        self._tasks: Sequence[Task] = tasks if isinstance(tasks, Sequence) else ()
        self._items = None if isinstance(tasks, Sequence) else checked_tasks(tasks)
        self._held: list[Task] = []  # the next item, if it was read to learn whether there is one
        self._position = 0  # of the next item
        self._chunks = iter(chunks)
        self._whole = whole
        self._marks = whole, stop, timed, timeout, reducing
        self._single = (single or timeout is not None) and not whole
        self._claims = claims
        self._claimed: deque[int] = deque()  # tasks of the current chunk that are for this run
        self._away: dict[int, OpenChunk] = {}  # position of a task that is not -> its chunk
        self._on_open, self._on_close = on_open, on_close
        self._is_cold, self._is_warming = warmup, False
        self._again: deque[Batch] = deque()
        self._pending: dict[int, Batch] = {}  # id -> batch on the way
        self._open: dict[int, OpenChunk] = {}  # in order of chunks
        self._current: OpenChunk | None = None
        self._limit: int | None = None

    def take(self, n: int = 1, *, lazy: bool = False) -> Batch | None:
        """Return the next batch of at most `n` tasks, or None if there is none now.

        With `lazy` the tasks may be an iterator, which must be used up before the next call.
        """
        batch: Batch | None = None
        while self._again:
            another = self._again.popleft()
            if self._limit is None or another.positions[0] < self._limit:
                batch = another
                if not batch.whole and len(batch) > n:
                    batch, rest = batch.split(n)
                    self._again.appendleft(rest)
                break
        if batch is None and self._limit is None and not (self._is_warming and self._pending):
            batch = self._cut(n, lazy=lazy)
        if batch is not None:
            self._pending[id(batch)] = batch
        return batch

    def is_out(self, batch: Batch) -> bool:
        """Return whether `batch` was taken, and has neither finished nor been put back."""
        return self._pending.get(id(batch)) is batch

    def lost(self) -> list[int]:
        """Return the positions of batches on the way, once no engine is at work any more."""
        if not self._pending:
            return []
        return sorted(chain.from_iterable(batch.positions for batch in self._pending.values()))

    def n_waiting(self) -> int | None:
        """Return how many tasks are there for the next batch; None if that is not known."""
        if self.n_left is None or not self._again:
            return self.n_left
        return self.n_left + len(self._again[0])

    def cut(self, batch: Batch, n: int) -> Batch:
        """Return the first `n` tasks of a batch that was taken; the others come again at once."""
        first, rest = batch.split(n)
        del self._pending[id(batch)]
        self._pending[id(first)] = first
        self._again.appendleft(rest)
        return first

    def put_back(self, batch: Batch) -> None:
        """Return a batch that was taken but never started; nothing, if it is not on the way."""
        if self.is_out(batch):
            del self._pending[id(batch)]
            self._again.appendleft(batch)

    def finish(
        self, batch: Batch, n_done: int, again: Sequence[Batch] = (), n_lost: int = 0
    ) -> None:
        """Note that `n_done` tasks of `batch` were run.

        Those in `again` are given out once more. Those of `n_lost` failed for good and end the
        run: they never count as finished, hence their chunk is never shown to a callback.
        """
        del self._pending[id(batch)]
        chunk = self._open[batch.chunk]
        if not isinstance(batch.tasks, Sequence):
            # A lazy batch was counted in full. It may have come to the end of the tasks, or have
            # stopped at a failure.
            missing = len(batch) - n_done
            chunk.taken -= missing
            chunk.left -= missing
            self.n_taken -= missing
            if self.n_left is not None:
                self.n_left += missing
            self._position = batch.positions[0] + n_done
            chunk.full = chunk.taken == len(chunk.positions)
        chunk.left -= n_done - n_lost - sum(map(len, again))
        self._again.extend(again)
        self._close_finished()

    def away(self) -> list[int]:
        """Return the positions of tasks that were due but belong to another run."""
        return list(self._away)

    def arrived(self, positions: Iterable[int]) -> None:
        """Note that the results of tasks that were away have arrived."""
        for position in positions:
            self._away.pop(position).left -= 1
        self._close_finished()

    def offer(self, positions: Iterable[int]) -> None:
        """Give out tasks that were away: this run is to run them after all."""
        parts: dict[int, list[int]] = {}
        for position in positions:
            parts.setdefault(self._away.pop(position).chunk.number, []).append(position)
        for number, part in parts.items():
            pieces = [part] if self._whole else [[position] for position in part]
            self._again.extend(self._batch(piece, number) for piece in pieces)

    def stop_after(self, position: int) -> None:
        """Give out only second attempts of tasks before `position`."""
        self._limit = position if self._limit is None else min(position, self._limit)

    def waits_before(self, position: int) -> bool:
        """Return whether any task before `position` is still on its way."""
        waiting = chain(self._pending.values(), self._again)
        return any(batch.positions[0] < position for batch in waiting)

    def _cut(self, n: int, *, lazy: bool) -> Batch | None:
        """Return the next tasks that were never tried; None at a barrier and at the end."""
        while (chunk := self._current_chunk()) is not None:
            alone = self._is_warming = self._is_cold
            self._is_cold = False
            most: int | None = n  # None: all that are left of the chunk
            if alone or self._single:
                most, lazy = 1, False
            elif self._whole:
                most, lazy = None, False
            positions: Sequence[int]
            if self._claims is not None:
                places = self._cut_claimed(chunk, most, self._claims)
                if places:
                    return self._batch(places, chunk.chunk.number)
                continue  # all that was looked at is away
            rest = len(chunk.positions) - chunk.taken
            count = rest if most is None else min(most, rest)
            tasks: Sequence[Task] | Iterator[Task]
            n_bytes = 0.0
            if self._items is None:
                positions = chunk.positions[chunk.taken : chunk.taken + count]
                if isinstance(positions, range):
                    tasks = self._tasks[positions.start : positions.stop]
                else:
                    tasks = self._tasks_at(positions)
            else:
                start = self._position
                if lazy:
                    held, self._held = self._held, []
                    tasks = chain(held, islice(self._items, count - len(held)))
                    positions = range(start, start + count)
                else:
                    tasks, n_bytes = self._read(count, whole=most is None)
                    positions = range(start, start + len(tasks))
                    self._position = positions.stop
            count = len(positions)
            chunk.taken += count
            chunk.left += count
            chunk.full = chunk.taken == len(chunk.positions)
            self.n_taken += count
            if self.n_left is not None:
                self.n_left -= count
            marks = self._marks
            return Batch(positions, tasks, chunk.chunk.number, 0, *marks, n_bytes=n_bytes)
        return None

    def _read(self, n: int, *, whole: bool) -> tuple[list[Task], float]:
        """Return at most `n` of the next tasks, of which there is one, and their bytes.

        Nobody knows what they will carry: each is looked at, and one that makes them too many is
        held. The first may carry anything, and what others share with it travels once.
        """
        held, self._held = self._held, []
        tasks = chain(held, self._items or ())
        if whole:
            return list(islice(tasks, n)), 0.0
        found = [next(tasks)]
        footprint = Footprint()
        first, more = footprint.of_task(found[0]), 0.0
        for task in islice(tasks, n - 1):
            added = footprint.of_task(task)
            if more + added > BATCH_BYTES:
                self._held = [task]
                break
            more += added
            found.append(task)
        return found, first + more

    def _current_chunk(self) -> OpenChunk | None:
        """Return the chunk that the next task is of; None at a barrier and at the end."""
        chunk = self._current
        if self._items is not None and not self._held:
            self._held = list(islice(self._items, 1))
            if not self._held and chunk is not None:
                chunk.full = True
                self._close_finished()
        if chunk is not None and not chunk.full:
            return chunk
        if self._open and not self._whole:
            return None  # the barrier between chunks
        if self._items is not None and not self._held:
            return None
        plan = next(self._chunks, None)
        if plan is None or not plan.positions:
            return None
        self._current = self._open[plan.number] = OpenChunk(plan, plan.positions)
        self.n_chunks += 1
        if self._on_open is not None:
            self._on_open(plan)
        return self._current

    def _cut_claimed(self, chunk: OpenChunk, n: int | None, claims: Claims) -> list[int]:
        """Return the positions of the next `n` tasks of `chunk` that are for this run."""
        while not self._claimed and chunk.taken < len(chunk.positions):
            end = None if n is None else chunk.taken + _MOST_CLAIMED
            seen = chunk.positions[chunk.taken : end]
            n_seen, granted = claims.claim(seen, whole=n is None)
            self._claimed.extend(granted)
            chunk.taken += n_seen
            chunk.left += n_seen
            self.n_taken += n_seen
            if self.n_left is not None:
                self.n_left -= n_seen
            self._away.update(dict.fromkeys(set(seen[:n_seen]).difference(granted), chunk))
        chunk.full = chunk.taken == len(chunk.positions) and (n is None or len(self._claimed) <= n)
        count = len(self._claimed) if n is None else min(n, len(self._claimed))
        return [self._claimed.popleft() for _ in range(count)]

    def _batch(self, positions: Sequence[int], chunk: int) -> Batch:
        return Batch(positions, self._tasks_at(positions), chunk, 0, *self._marks)

    def _tasks_at(self, positions: Sequence[int]) -> Sequence[Task]:
        tasks = self._tasks
        if isinstance(tasks, Calls):
            return tasks.pick(positions)
        return [tasks[position] for position in positions]

    def _close_finished(self) -> None:
        """Close chunks in their order: one that ended early waits for those before it."""
        for number, chunk in list(self._open.items()):
            if not (chunk.full and chunk.left == 0):
                return
            del self._open[number]
            if self._on_close is not None:
                self._on_close(chunk.chunk, chunk.positions[: chunk.taken])


def checked_tasks(items: Iterable[object]) -> Iterator[Task]:
    """Yield `items`, each of which must be a Task."""
    for position, item in enumerate(items):
        if not isinstance(item, Task):
            remedy = "Type: Task(func, *args, **kwargs)."
            raise ParamTypeError(broken_rule(f"tasks[{position}]", "be a Task", item, remedy))
        yield item
