# SPDX-License-Identifier: BSD-3-Clause
"""Runs that keep no row a task: stretches of finished tasks, and the state of a reducer for each.

A process that works on such a run has one row, which it writes again as it grows. Rows of
processes that have ended are folded into one. So a run is as large as what is kept of it, however
many tasks it has.

Exactly once: the stretches of two rows have no task in common, and nobody writes over a row that is
not as it was left. A process that was thought dead, and whose row was folded or whose tasks were
run by another, learns it when it writes next; what it has not written is then not taken.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

from broadpeak._core.spans import PositionSpans
from broadpeak._store import claims, codec
from broadpeak._store.file import NO_DIGESTS, StoreFile, Text, added, digest_of
from broadpeak._store.rows import Rows, RunRow
from broadpeak.errors import StoreError

_ROW = "owner, places, trials, seconds, created, content, digest"
_SAVE = f"INSERT OR REPLACE INTO spans (run, {_ROW}, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_CLAIM = struct.Struct("<qq")


@dataclass(frozen=True, slots=True)
class SpanRow:
    """The row of one process, without its state."""

    owner: bytes
    places: bytes  # packed `PositionSpans`
    trials: int  # combinations: a task may stand for several
    seconds: float
    created: bytes
    content: bytes  # digest of the state, which can so be left unread

    def digest(self, run: bytes) -> bytes:
        """Return the digest of the whole row, of the run with key `run`."""
        counts = struct.pack("<qd", self.trials, self.seconds)
        return digest_of(b"span", run, self.owner, self.places, counts, self.created, self.content)


class Growth(NamedTuple):
    """What a process writes of its work: all that it has done since it began."""

    places: PositionSpans
    trials: int
    seconds: float
    state: Any  # plain values and arrays, or what a pickle holds


class KnownRows(NamedTuple):
    """What is known of all rows of a run."""

    rows: dict[bytes, tuple[SpanRow, bytes, PositionSpans]]  # by owner: row, digest, tasks
    done: PositionSpans  # by all


@dataclass(frozen=True, slots=True)
class Grown:
    """What one look at a run shows."""

    is_kept: bool  # whether the own row was as it was left; if not, nothing was written
    mark: bytes | None  # of the own row as it is now, for the next look
    done: PositionSpans  # tasks that are finished, by anybody
    # Tasks that are now one's own to run:
    granted: PositionSpans = field(default_factory=PositionSpans)


Fold: TypeAlias = "Callable[[list[Growth]], Growth]"


@dataclass(frozen=True, slots=True)
class KeptNote:
    """What a run says of itself in its settings, if only what a reducer keeps is stored."""

    n_tasks: int
    keep: str  # the reducer in words

    @classmethod
    def of(cls, head: RunRow) -> KeptNote | None:
        """Return the note of a run; None if it has a row a task."""
        try:
            settings = json.loads(head.settings)
        except ValueError:
            return None
        keep = settings.get("keep") if isinstance(settings, dict) else None
        if not isinstance(keep, str):
            return None
        n_tasks = settings.get("tasks")
        is_number = type(n_tasks) is int and 0 <= n_tasks < 1 << 62
        return cls(n_tasks if is_number else 0, keep)


class KeptRun:
    """One run of which only what a reducer keeps is stored.

    Parameters
    ----------
    file, rows : StoreFile, Rows
        Where it is.
    run : int
        Its number.
    trust : bool
        Whether states may be pickles.
    """

    def __init__(self, file: StoreFile, rows: Rows, run: int, *, trust: bool) -> None:
        self._file, self._rows, self._run, self._trust = file, rows, run, trust

    def done(self) -> PositionSpans:
        """Return which tasks are finished."""
        return self._file.read(lambda connection: self._known(connection)[1].done)

    def states(self) -> list[Growth]:
        """Return what every process has done, with its state, in order of tasks."""
        return [growth for growth, _ in self.dated_states()]

    def dated_states(self) -> list[tuple[Growth, bytes]]:
        """Return the same, and when each was written."""
        found = self._file.read(self._all)
        return sorted(found, key=lambda pair: next(iter(pair[0].places), 0))

    def state_of(self, owner: str) -> Growth | None:
        """Return what `owner` has written, if it is there."""

        def find(connection: sqlite3.Connection) -> Growth | None:
            head, known = self._known(connection)
            found = known.rows.get(owner.encode())
            return None if found is None else self._whole(connection, head, *found)

        return self._file.read(find)

    def grow(
        self,
        owner: str,
        mark: bytes | None,
        change: Growth | None,
        wanted: PositionSpans,
        most: int,
        held: PositionSpans,
        created: bytes,
    ) -> Grown:
        """Write what `owner` has done, and claim more for it, in one step.

        Parameters
        ----------
        owner : str
            Who works.
        mark : bytes, optional
            Of its row as it was last; None if it had none.
        change : Growth, optional
            The row as it is to be; None: as it is.
        wanted, most
            At most so many of these tasks are claimed: those that are neither finished nor claimed
            by another.
        held : PositionSpans
            What stays claimed.
        created : bytes
            The time.
        """
        encoded = b"" if change is None else codec.encode(change.state, trust=self._trust)

        def take(connection: sqlite3.Connection) -> Grown:
            head, known = self._known(connection)
            name = owner.encode()
            own = known.rows.get(name)
            now = None if own is None else own[1]
            others = known.done if own is None else known.done.minus(own[2])
            is_kept = now == mark and (change is None or not change.places.common(others))
            if not is_kept:
                claims.write(connection, self._run, owner, ())
                return Grown(False, now, known.done)
            if change is not None:
                now = self._save(connection, head, known, name, change, encoded, created)
                known.done.update(change.places)
            granted = self._claim(connection, owner, known, wanted, most, held)
            return Grown(True, now, known.done, granted)

        return self._file.write(take, passing=change is None)

    def _claim(
        self,
        connection: sqlite3.Connection,
        owner: str,
        known: KnownRows,
        wanted: PositionSpans,
        most: int,
        held: PositionSpans,
    ) -> PositionSpans:
        """Claim the first of `wanted` that are free, and keep the claim on `held`."""
        free = wanted.minus(known.done)
        others = claims.held_by_others(connection, self._run, owner)
        granted = free.minus(_claimed(others)).first(most)
        both = held.copy()
        both.update(granted)
        keys = [_CLAIM.pack(one.start, one.stop) for one in both.ranges()]
        claims.write(connection, self._run, owner, keys)
        return granted

    def release(self, owner: str) -> None:
        """Release what `owner`, or an owner that is gone, has claimed."""

        def forget(connection: sqlite3.Connection) -> None:
            claims.write(connection, self._run, owner, ())
            claims.sweep(connection, self._run)

        self._file.write(forget, passing=True)

    def fold(self, owner: str, join: Fold, created: bytes) -> bytes | None:
        """Make one row, of `owner`, of its own and of those that nobody works on any more.

        Returns the mark of that row; None if there are no such rows.
        """

        def take(connection: sqlite3.Connection) -> bytes | None:
            head, known = self._known(connection)
            busy = claims.at_work(connection, self._run) - {owner.encode()}
            idle = {name: found for name, found in known.rows.items() if name not in busy}
            if not idle:
                return None
            parts = [self._whole(connection, head, *found) for found in idle.values()]
            parts.sort(key=lambda one: next(iter(one.places), 0))
            whole = join(parts)
            for name in idle:
                connection.execute(
                    "DELETE FROM spans WHERE run = ? AND owner = CAST(? AS TEXT)",
                    (self._run, name),
                )
            rest = KnownRows(
                {name: row for name, row in known.rows.items() if name in busy}, PositionSpans()
            )
            encoded = codec.encode(whole.state, trust=self._trust)
            return self._save(connection, head, rest, owner.encode(), whole, encoded, created)

        return self._file.write(take)

    def _save(
        self,
        connection: sqlite3.Connection,
        head: RunRow,
        known: KnownRows,
        owner: bytes,
        change: Growth,
        state: bytes,
        created: bytes,
    ) -> bytes:
        """Write the row of `owner`, and the counts of the run; return the mark of the row."""
        content = digest_of(b"state", state)
        row = SpanRow(owner, change.places.pack(), change.trials, change.seconds, created, content)
        digest = row.digest(head.key)
        connection.execute(
            _SAVE,
            (
                *(self._run, owner.decode(), row.places, row.trials, row.seconds),
                *(created.decode(), content, digest, state),
            ),
        )
        rows = [one for name, one in known.rows.items() if name != owner]
        total = digest
        for _, other, _ in rows:
            total = added(total, other)
        head = replace(
            head,
            trials=row.trials + sum(one.trials for one, _, _ in rows),
            seconds=row.seconds + sum(one.seconds for one, _, _ in rows),
            total=total,
        )
        self._rows.save_counts(connection, head)
        return digest

    def _all(self, connection: sqlite3.Connection) -> list[tuple[Growth, bytes]]:
        head, known = self._known(connection)
        rows = known.rows.values()
        return [(self._whole(connection, head, *found), found[0].created) for found in rows]

    def _known(self, connection: sqlite3.Connection) -> tuple[RunRow, KnownRows]:
        """Return the rows of the run without their states; none may be damaged or missing."""
        head = self._rows.head(connection, self._run)
        note = KeptNote.of(head)
        limit = 0 if note is None else note.n_tasks
        done, total, trials = PositionSpans(), NO_DIGESTS, 0
        rows: dict[bytes, tuple[SpanRow, bytes, PositionSpans]] = {}
        query = f"SELECT {_ROW} FROM spans WHERE run = ?"
        for found in connection.execute(query, (self._run,)):
            row, digest, places = self._read(head, limit, found)
            if done.common(places):
                raise self._file.damaged(f"tasks that were recorded twice in run {head.id}")
            done.update(places)
            total, trials = added(total, digest), trials + row.trials
            rows[row.owner] = row, digest, places
        if (total, trials) != (head.total, head.trials):
            got = f"{trials:,} combinations where {head.trials:,} were written"
            raise self._file.damaged(f"{got} in run {head.id}")
        return head, KnownRows(rows, done)

    def _read(
        self, head: RunRow, limit: int, found: Sequence[Any]
    ) -> tuple[SpanRow, bytes, PositionSpans]:
        owner, places, trials, seconds, created, content, digest = found
        is_plain = (
            type(owner) is Text
            and type(created) is Text
            and all(type(part) is bytes for part in (places, content))
            and type(trials) is int
            and 0 <= trials < 1 << 62
            and type(seconds) is float
        )
        if is_plain:
            row = SpanRow(bytes(owner), places, trials, seconds, bytes(created), content)
            if row.digest(head.key) == digest:
                try:
                    return row, digest, PositionSpans.unpack(places, limit)
                except ValueError as error:
                    raise self._file.damaged(f"{error} in run {head.id}") from error
        raise self._file.damaged(f"a damaged row in run {head.id}")

    def _whole(
        self,
        connection: sqlite3.Connection,
        head: RunRow,
        row: SpanRow,
        digest: bytes,
        done: PositionSpans,
    ) -> Growth:
        """Return a row with its state."""
        del digest
        query = "SELECT state FROM spans WHERE run = ? AND owner = CAST(? AS TEXT)"
        found = connection.execute(query, (head.id, row.owner)).fetchone()
        state = None if found is None else found[0]
        if type(state) is not bytes or digest_of(b"state", state) != row.content:
            raise self._file.damaged(f"a damaged state in run {head.id}")
        try:
            value = codec.decode(state, trust=self._trust)
        except StoreError as error:
            msg = f"In the store {str(self._file.path)!r}, run {head.id}: {error}"
            raise StoreError(msg) from error
        return Growth(done, row.trials, row.seconds, value)


def _claimed(keys: Collection[bytes]) -> PositionSpans:
    """Return the tasks that claims name; a damaged claim is none."""
    held = PositionSpans()
    for key in keys:
        if len(key) == _CLAIM.size:
            start, stop = _CLAIM.unpack(key)
            held.add(range(max(start, 0), stop))
    return held
