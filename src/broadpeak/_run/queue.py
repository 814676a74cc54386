# SPDX-License-Identifier: BSD-3-Clause
"""The source of one run: cuts tasks into units, holds barriers, hands out second attempts."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from broadpeak._run.calls import Calls, Task
from broadpeak._run.task import Batch, Claims
from broadpeak.errors import ParamTypeError, broken_rule

_MOST_CLAIMED = 2000  # tasks: what is looked at in one go


@dataclass(slots=True)
class Chunk:
    """Tasks between two callbacks.

    Attributes
    ----------
    index : int
        Number of the chunk.
    positions : sequence of int, optional
        Its tasks; None for those of an iterator.
    start, length : int
        First position, and the number of tasks (None: unknown).
    taken : int
        Tasks handed out.
    left : int
        Tasks handed out and not settled.
    full : bool
        All tasks were handed out.
    """

    index: int
    positions: Sequence[int] | None
    start: int = 0
    length: int | None = None
    taken: int = 0
    left: int = 0
    full: bool = False

    def places(self) -> list[int]:
        """Return the positions of the tasks handed out so far."""
        if self.positions is not None:
            return list(self.positions)
        return list(range(self.start, self.start + self.taken))


class Feed:
    """Takes tasks from where the user has them to where an engine wants them.

    Parameters
    ----------
    tasks : Calls, list, tuple or iterator of Task
        A sequence is sliced; an iterator is advanced only when a unit is taken.
    size : int, optional
        Number of tasks, if known.
    chunks : iterable of sequences of int, optional
        Positions of every chunk of a sequence; by default all are one chunk.
    lengths : iterable of int, optional
        Lengths of the chunks of an iterator; what comes after them is one more chunk.
    whole : bool
        A chunk is one unit. Otherwise chunk follows chunk, with a barrier between them.
    single : bool
        A task is one unit, however quick it is: it is reported as soon as it ended.
    claims : Claims, optional
        Says which tasks of a sequence are for this run; the others stay away until they are
        settled or offered.
    stop, timed, timeout
        Put on every unit.
    warmup : bool
        The first task is settled before any other is handed out.
    on_open, on_close : callable
        Called with the chunk before its first task is handed out and after its last is settled,
        in order of chunks.
    """

    def __init__(
        self,
        tasks: Sequence[Task] | Iterator[Task],
        *,
        size: int | None,
        chunks: Iterable[Sequence[int]] | None = None,
        lengths: Iterable[int] = (),
        whole: bool = False,
        single: bool = False,
        claims: Claims | None = None,
        stop: bool = False,
        timed: bool = False,
        timeout: float | None = None,
        warmup: bool = False,
        on_open: Callable[[Chunk], None] | None = None,
        on_close: Callable[[Chunk], None] | None = None,
    ) -> None:
        self._tasks = tasks if isinstance(tasks, Sequence) else None
        self._items = None if isinstance(tasks, Sequence) else _Items(tasks)
        self.n_left = size
        self._chunks = iter([range(size or 0)] if chunks is None else chunks)
        self._lengths = iter(lengths)
        self._marks: dict[str, Any] = {"stop": stop, "timed": timed, "timeout": timeout}
        self._whole = whole
        self._one_by_one = (single or timeout is not None) and not whole
        self._claims = claims
        self._claimed: deque[int] = deque()  # tasks of the current chunk that are for this run
        self._away: dict[int, Chunk] = {}  # position of a task that is not -> its chunk
        self._on_open, self._on_close = on_open, on_close
        self._is_cold, self._is_warming = warmup, False
        self._again: deque[Batch] = deque()
        self._pending: dict[int, int] = {}  # id of a unit on the way -> its first position
        self._open: dict[int, Chunk] = {}  # in order of chunks
        self._current: Chunk | None = None
        self._n_chunks = 0
        self._limit: int | None = None
        # Some engines take from a thread of their own.
        self._lock = threading.RLock()

    def take(self, n: int = 1, *, lazy: bool = False) -> Batch | None:
        """Return the next unit of at most `n` tasks, or None if there is none now."""
        with self._lock:
            unit = self._second_attempt() or self._first_attempt(n, lazy)
            if unit is not None:
                self._pending[id(unit)] = unit.positions[0]
            return unit

    def put_back(self, unit: Batch) -> None:
        """Return a unit that was taken but never started."""
        with self._lock:
            del self._pending[id(unit)]
            self._again.appendleft(unit)

    def again(self, parts: Sequence[Batch]) -> None:
        """Hand out `parts` of settled units once more."""
        with self._lock:
            self._again.extend(parts)

    def settle(self, unit: Batch, n_done: int, n_again: int) -> None:
        """Note that `n_done` tasks of `unit` were run, `n_again` of which will be run again."""
        with self._lock:
            del self._pending[id(unit)]
            chunk = self._open[unit.chunk]
            if self._items is not None and not isinstance(unit.tasks, Sequence):
                self._note_taken(chunk, n_done - len(unit))  # it may have come to the end
                self._items.position = unit.positions[0] + n_done
                chunk.full = chunk.taken == chunk.length
            chunk.left -= n_done - n_again
            self._close_chunks()

    def away(self) -> list[int]:
        """Return the positions of tasks that came up and are not for this run."""
        with self._lock:
            return list(self._away)

    def settle_away(self, positions: Iterable[int]) -> None:
        """Note that the results of tasks that were away are there."""
        with self._lock:
            for position in positions:
                self._away.pop(position).left -= 1
            self._close_chunks()

    def offer(self, positions: Iterable[int]) -> None:
        """Hand out tasks that were away: they are for this run after all."""
        with self._lock:
            parts: dict[int, list[int]] = {}
            for position in positions:
                parts.setdefault(self._away.pop(position).index, []).append(position)
            for index, places in parts.items():
                units = [places] if self._whole else [[place] for place in places]
                self._again.extend(self._unit(unit, self._slice(unit), index) for unit in units)

    def stop_after(self, position: int) -> None:
        """Hand out nothing any more but second attempts of tasks before `position`."""
        with self._lock:
            self._limit = position if self._limit is None else min(position, self._limit)

    def waits_before(self, position: int) -> bool:
        """Return whether any task before `position` is still on its way."""
        with self._lock:
            firsts = chain(self._pending.values(), (unit.positions[0] for unit in self._again))
            return any(first < position for first in firsts)

    def finish(self) -> int:
        """Close what is still open at the end of the run; return the number of chunks."""
        with self._lock:
            self._close_chunks()
            return self._n_chunks

    def _second_attempt(self) -> Batch | None:
        while self._again:
            unit = self._again.popleft()
            if self._limit is None or unit.positions[0] < self._limit:
                return unit
        return None

    def _first_attempt(self, n: int, lazy: bool) -> Batch | None:
        if self._limit is not None or (self._is_warming and self._pending):
            return None
        while (chunk := self._next_chunk()) is not None:
            alone = self._is_warming = self._is_cold
            self._is_cold = False
            if alone or self._one_by_one:
                unit = self._cut(chunk, 1, lazy=False)
            else:
                unit = self._cut(chunk, None if self._whole else n, lazy=lazy and not self._whole)
            if unit is not None:
                return unit
        return None

    def _next_chunk(self) -> Chunk | None:
        """Return the chunk that the next task is of."""
        chunk = self._current
        if chunk is not None and self._items is not None and self._items.is_empty():
            chunk.full = True
            self._close_chunks()
        if chunk is not None and not chunk.full:
            return chunk
        if self._open and not self._whole:
            return None  # the barrier between chunks
        return self._open_chunk()

    def _open_chunk(self) -> Chunk | None:
        if self._items is None:
            positions = next(self._chunks, None)
            if not positions:
                return None
            chunk = Chunk(self._n_chunks, positions, 0, len(positions))
        elif self._items.is_empty():
            return None
        else:
            chunk = Chunk(self._n_chunks, None, self._items.position, next(self._lengths, None))
        self._current = self._open[chunk.index] = chunk
        self._n_chunks += 1
        if self._on_open is not None:
            self._on_open(chunk)
        return chunk

    def _cut(self, chunk: Chunk, n: int | None, *, lazy: bool) -> Batch | None:
        """Return the next `n` tasks of `chunk` (None: all the rest); None if they are away."""
        if self._claims is not None:
            return self._cut_claimed(chunk, n, self._claims)
        rest = None if chunk.length is None else chunk.length - chunk.taken
        n = rest if n is None else n if rest is None else min(n, rest)
        tasks: Sequence[Task] | Iterator[Task]
        if chunk.positions is None:
            positions, tasks = self._cut_items(n, lazy=lazy)
        else:
            positions = chunk.positions[chunk.taken : chunk.taken + (n or 0)]
            tasks = self._slice(positions)
        self._note_taken(chunk, len(positions))
        chunk.full = chunk.taken == chunk.length
        return self._unit(positions, tasks, chunk.index)

    def _cut_claimed(self, chunk: Chunk, n: int | None, claims: Claims) -> Batch | None:
        """Return the next `n` tasks of `chunk` that are for this run."""
        positions: Sequence[int] = chunk.positions or ()
        while not self._claimed and chunk.taken < len(positions):
            rest = positions[chunk.taken : None if n is None else chunk.taken + _MOST_CLAIMED]
            n_seen, granted = claims.claim(rest, whole=n is None)
            self._claimed.extend(granted)
            self._note_taken(chunk, n_seen)
            self._away.update(dict.fromkeys(set(rest[:n_seen]).difference(granted), chunk))
        chunk.full = chunk.taken == len(positions) and (n is None or len(self._claimed) <= n)
        n_there = len(self._claimed)
        places = [self._claimed.popleft() for _ in range(n_there if n is None else min(n, n_there))]
        return self._unit(places, self._slice(places), chunk.index) if places else None

    def _unit(
        self, positions: Sequence[int], tasks: Sequence[Task] | Iterator[Task], chunk: int
    ) -> Batch:
        return Batch(positions, tasks, chunk, whole=self._whole, **self._marks)

    def _slice(self, positions: Sequence[int]) -> Sequence[Task]:
        tasks: Any = self._tasks
        if isinstance(positions, range) and positions.step == 1:
            return tasks[positions.start : positions.stop]
        if isinstance(tasks, Calls):
            return tasks.pick(positions)
        return [tasks[position] for position in positions]

    def _cut_items(
        self, n: int | None, *, lazy: bool
    ) -> tuple[Sequence[int], Sequence[Task] | Iterator[Task]]:
        items: Any = self._items
        start = items.position
        if lazy and n is not None:
            return range(start, start + n), items.upto(n)
        tasks = list(items.upto(n))
        items.position += len(tasks)
        return range(start, items.position), tasks

    def _note_taken(self, chunk: Chunk, n: int) -> None:
        chunk.taken += n
        chunk.left += n
        if self.n_left is not None:
            self.n_left -= n

    def _close_chunks(self) -> None:
        for index, chunk in list(self._open.items()):
            if not (chunk.full and chunk.left == 0):
                return
            del self._open[index]
            if self._on_close is not None:
                self._on_close(chunk)


class _Items:
    """An iterator of tasks that can be asked whether it is at its end."""

    def __init__(self, items: Iterable[Task]) -> None:
        self._items = checked_tasks(items)
        self._held: list[Task] = []
        self.position = 0

    def is_empty(self) -> bool:
        if not self._held:
            self._held.extend(islice(self._items, 1))
        return not self._held

    def upto(self, n: int | None) -> Iterator[Task]:
        """Return an iterator over the next `n` tasks (None: all)."""
        held, self._held = self._held, []
        return chain(held, islice(self._items, None if n is None else n - len(held)))


def checked_tasks(items: Iterable[Any]) -> Iterator[Task]:
    """Yield `items`, each of which must be a Task."""
    for position, item in enumerate(items):
        if not isinstance(item, Task):
            remedy = "Type: Task(func, *args, **kwargs)."
            raise ParamTypeError(broken_rule(f"tasks[{position}]", "be a Task", item, remedy))
        yield item
