# SPDX-License-Identifier: BSD-3-Clause
"""The tasks of a run of which only what a reducer keeps is stored: given out in stretches.

Nothing here has a size by the number of tasks: what is finished already, what another process works
on and what was claimed are stretches of positions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import Any, Protocol

from broadpeak._core.spans import PositionSpans
from broadpeak._run.batches import Batch
from broadpeak._run.calls import Task
from broadpeak._run.chunks import Chunk
from broadpeak._run.taskqueue import OpenChunk, TaskQueue

_MOST_LISTED = 2000  # positions of a list that are looked at in one go


class SpanClaims(Protocol):
    """Who may run which tasks, where several processes share a run: `Claims` in stretches."""

    def claim_span(
        self, wanted: PositionSpans, *, whole: bool
    ) -> tuple[PositionSpans, PositionSpans]:
        """Claim the first of `wanted`, with `whole` all of them.

        Returns which are for this run, and which are finished already. What is in neither is left
        for another call, or another process works on it.
        """


class SpanQueue(TaskQueue):
    """A queue over tasks that are claimed in stretches; the parameters are those of `TaskQueue`.

    Parameters
    ----------
    claims : SpanClaims
        Says which tasks are for this run.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        chunks: Sequence[Chunk],
        *,
        claims: SpanClaims,
        **options: Any,
    ) -> None:
        asked: Any = claims  # by `_cut_claimed` alone, which is another one here
        super().__init__(tasks, chunks, claims=asked, **options)
        self._n_planned = len(chunks)
        self._pieces: deque[range] = deque()  # of the current chunk, for this run
        self._offered: deque[tuple[range, OpenChunk]] = deque()  # were away, and are for this run
        self._spans_away: list[tuple[range, OpenChunk]] = []

    def away(self) -> PositionSpans:  # type: ignore[override]  # no list
        """Return the tasks that were due but belong to another run."""
        return PositionSpans(one for one, _ in self._spans_away)

    def arrived(self, positions: PositionSpans) -> None:  # type: ignore[override]  # of `away`
        """Note that some tasks are finished; those that were away are so no longer."""
        for one, chunk in self._taken_back(positions):
            chunk.left -= len(one)
        self._close_finished()

    def offer(self, positions: PositionSpans) -> None:  # type: ignore[override]  # of `away`
        """Give out tasks that were away: this run is to run them after all."""
        offered = self._taken_back(positions)
        self._offered.extend(offered)
        if self.n_left is not None:
            self.n_left += sum(len(one) for one, _ in offered)

    def append(self, positions: PositionSpans) -> None:
        """Give out tasks that were finished, and lost again."""
        more = [Chunk(at, one) for at, one in enumerate(positions.ranges(), self._n_planned)]
        self._n_planned += len(more)
        self._chunks = chain(self._chunks, more)
        if self.n_left is not None:
            self.n_left += len(positions)

    def _taken_back(self, positions: PositionSpans) -> list[tuple[range, OpenChunk]]:
        """Return what was away and is among `positions`; it is away no longer."""
        found: list[tuple[range, OpenChunk]] = []
        rest: list[tuple[range, OpenChunk]] = []
        for one, chunk in self._spans_away:
            own = PositionSpans([one])
            found += [(part, chunk) for part in own.common(positions).ranges()]
            rest += [(part, chunk) for part in own.minus(positions).ranges()]
        self._spans_away = rest
        return found

    def _cut(self, n: int, *, lazy: bool) -> Batch | None:
        if not self._offered:
            return super()._cut(n, lazy=lazy)
        one, chunk = self._offered.popleft()
        count = len(one) if self._whole else 1 if self._single else min(n, len(one))
        if count < len(one):
            self._offered.appendleft((one[count:], chunk))
        if self.n_left is not None:
            self.n_left -= count
        return self._batch(one[:count], chunk.chunk.number)

    def _cut_claimed(self, chunk: OpenChunk, n: int | None, claims: Any) -> Any:
        """Return the positions of the next `n` tasks of `chunk` that are for this run."""
        while not self._pieces and chunk.taken < len(chunk.positions):
            self._look(chunk, claims, whole=n is None)
        wanted, found = n, []
        while self._pieces and (wanted is None or wanted > 0):
            piece = self._pieces.popleft()
            if wanted is not None and len(piece) > wanted:
                self._pieces.appendleft(piece[wanted:])
                piece = piece[:wanted]
            found.append(piece)
            if wanted is not None:
                wanted -= len(piece)
        count = sum(map(len, found))
        if self.n_left is not None:
            self.n_left -= count
        chunk.full = chunk.taken == len(chunk.positions) and not self._pieces
        if not chunk.full or count:
            return found[0] if len(found) == 1 else list(chain.from_iterable(found))
        self._close_finished()  # all of it was finished elsewhere
        return []

    def _look(self, chunk: OpenChunk, claims: SpanClaims, *, whole: bool) -> None:
        """Claim the next tasks of `chunk`."""
        positions = chunk.positions
        end = None if whole or isinstance(positions, range) else chunk.taken + _MOST_LISTED
        seen = positions[chunk.taken : end]
        wanted = PositionSpans.of(seen)
        granted, done = claims.claim_span(wanted, whole=whole)
        if isinstance(seen, range):
            # Up to the end of what was granted, or all of it: what is beyond comes next time.
            stop = seen.stop if whole or not granted else granted.ranges()[-1].stop
            n_seen = stop - seen.start
            wanted = PositionSpans([seen[:n_seen]])
            self._pieces.extend(granted.ranges())
        else:
            n_seen = len(seen)
            self._pieces.extend(_in_order(seen, granted))
        others = wanted.minus(granted).minus(done)
        self._spans_away += [(one, chunk) for one in others.ranges()]
        chunk.taken += n_seen
        chunk.left += len(granted) + len(others)
        self.n_taken += n_seen
        if self.n_left is not None:
            self.n_left -= n_seen - len(granted)

    def _tasks_at(self, positions: Sequence[int]) -> Any:
        if isinstance(positions, range):
            return self._tasks[positions.start : positions.stop]
        return super()._tasks_at(positions)


def _in_order(positions: Sequence[int], granted: PositionSpans) -> list[range]:
    """Return which of `positions` are `granted`, as stretches in their order."""
    pieces: list[range] = []
    for position in positions:
        if position not in granted:
            continue
        if pieces and pieces[-1].stop == position:
            pieces[-1] = range(pieces[-1].start, position + 1)
        else:
            pieces.append(range(position, position + 1))
    return pieces


def left_of(chunks: Sequence[Chunk], done: PositionSpans, *, listed: bool) -> list[Chunk]:
    """Return the chunks of which some tasks are not finished, and of each no more than needed.

    Parameters
    ----------
    chunks : sequence of Chunk
        All of them.
    done : PositionSpans
        What is finished.
    listed : bool
        Callbacks are shown what is left, task by task.
    """
    left: list[range | list[int]] = []
    for chunk in chunks:
        positions = chunk.positions
        if isinstance(positions, list):
            left.append([position for position in positions if position not in done])
            continue
        unfinished = PositionSpans([positions]).minus(done)
        parts = unfinished.ranges()
        if len(parts) > 1 and not listed:  # what is finished between them is passed over
            left.append(range(parts[0].start, parts[-1].stop))
        else:
            left.append(parts[0] if len(parts) == 1 else list(unfinished))
    return [Chunk(number, rest) for number, rest in enumerate(filter(len, left))]
