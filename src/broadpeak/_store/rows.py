# SPDX-License-Identifier: BSD-3-Clause
"""The rows of a store: written with their digests, and never read without a look at them."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from broadpeak._core import check
from broadpeak._store.file import (
    DIGEST_SIZE,
    NO_DIGESTS,
    FileIdentity,
    StoreFile,
    Text,
    added,
    digest_of,
    digest_of_meta,
)
from broadpeak.errors import StoreError, broken_rule

_LOOKUP = 500  # keys a query, under SQLite's oldest limit on variables
_HEAD = "id, key, name, data, settings, version, created, trials, seconds, total, digest"
_ROW = "key, number, label, value, seconds, created, digest"
_INSERT_TRIAL = f"INSERT OR IGNORE INTO trials (run, {_ROW}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

_MOST_SEEN = 100_000  # rows of a run: remembered for runs that are read again and again


@dataclass(slots=True)
class _Seen:
    """What a process has checked in full, so that it need not do so again and again."""

    n: int  # how many rows there were
    total: bytes  # the sum of their digests
    keys: set[bytes]  # their keys: one of these that is not found any more is damage


_seen: dict[tuple[FileIdentity, int | None], _Seen] = {}
"""File and run (or None, for the list of runs) -> what this process has seen of it."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """The row of one run."""

    id: int
    key: bytes
    name: bytes
    data: bytes | None
    settings: bytes
    version: bytes
    created: bytes
    trials: int = 0
    seconds: float = 0.0
    total: bytes = NO_DIGESTS

    def digest(self) -> bytes:
        """Return the digest of the whole row."""
        counts = struct.pack("<qqd", self.id, self.trials, self.seconds)
        fields = (self.name, self.data, self.settings, self.version, self.created)
        return digest_of(b"run", counts, self.key, *fields, self.total)

    def origin(self) -> bytes:
        """Return the digest of what never changes."""
        return replace(self, trials=0, seconds=0.0, total=NO_DIGESTS).digest()


@dataclass(frozen=True, slots=True)
class TrialRow:
    """The row of one finished task."""

    key: bytes
    number: int
    label: bytes
    value: bytes
    seconds: float | None
    created: bytes

    def digest(self, run: bytes) -> bytes:
        """Return the digest of the whole row, of the run with key `run`."""
        seconds = None if self.seconds is None else struct.pack("<d", self.seconds)
        number = struct.pack("<q", self.number)
        return digest_of(
            b"trial", run, self.key, number, self.label, self.value, seconds, self.created
        )


class Rows:
    """The rows of one file; every method works in the transaction of its connection.

    Parameters
    ----------
    file : StoreFile
        The file.
    """

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    def new_run(self, connection: sqlite3.Connection, head: RunRow) -> RunRow:
        """Add a run; return it with its number."""
        n, total_before = self.count(connection)
        head = replace(head, id=n + 1)
        fields = (head.name, head.data, head.settings, head.version, head.created)
        shown = [None if text is None else text.decode() for text in fields]
        counts = (head.trials, head.seconds, head.total, head.digest())
        connection.execute(
            f"INSERT INTO runs ({_HEAD}) VALUES ({_placeholders(11)})",
            (head.id, head.key, *shown, *counts),
        )
        total = added(total_before, head.origin())
        connection.execute(
            "UPDATE meta SET runs = ?, total = ?, digest = ? WHERE id = 1",
            (n + 1, total, digest_of_meta(n + 1, total)),
        )
        seen = self._seen(None, n, total_before)
        if seen is not None:
            seen.n, seen.total = n + 1, total
            seen.keys.add(head.key)
        return head

    def add(
        self, connection: sqlite3.Connection, run: int, rows: Sequence[TrialRow]
    ) -> list[bytes]:
        """Add finished tasks; return the keys of those that are there already, which stay."""
        head = self.head(connection, run)
        seen = self._seen(run, head.trials, head.total)
        trials, seconds, total = head.trials, head.seconds, head.total
        taken = []
        for record in rows:
            row = TrialRow(
                record.key, trials, record.label, record.value, record.seconds, record.created
            )
            digest = row.digest(head.key)
            n_created = connection.execute(
                _INSERT_TRIAL,
                (
                    *(run, row.key, row.number, row.label, row.value, row.seconds),
                    *(row.created.decode(), digest),
                ),
            ).rowcount
            if n_created != 1:
                taken.append(row.key)
                continue
            trials += 1
            seconds += row.seconds or 0.0
            total = added(total, digest)
        head = replace(head, trials=trials, seconds=seconds, total=total)
        self.save_counts(connection, head)
        if seen is not None:
            seen.n, seen.total = head.trials, head.total
            seen.keys.update(row.key for row in rows)
        return taken

    def save_counts(self, connection: sqlite3.Connection, head: RunRow) -> None:
        """Write what `head` says of the rows of its run."""
        connection.execute(
            "UPDATE runs SET trials = ?, seconds = ?, total = ?, digest = ? WHERE id = ?",
            (head.trials, head.seconds, head.total, head.digest(), head.id),
        )

    def search(
        self, connection: sqlite3.Connection, run: int, keys: Sequence[bytes]
    ) -> tuple[RunRow, list[TrialRow]]:
        """Return those of `keys` that are finished.

        The first time a process reads a run, all of its rows are checked, then only those.
        """
        head = self.head(connection, run)
        seen = self._seen(run, head.trials, head.total)
        if seen is not None:
            rows = self.rows_of(connection, head, keys)
            if len(rows) == len(seen.keys.intersection(keys)):
                return head, rows
        return self.all_rows(connection, run, set(keys))

    def _seen(self, run: int | None, n: int, total: bytes) -> _Seen | None:
        """Return what this process has seen of a run, if that is all there is."""
        seen = _seen.get((self._file.identity, run))
        return seen if seen is not None and (seen.n, seen.total) == (n, total) else None

    def count(self, connection: sqlite3.Connection) -> tuple[int, bytes]:
        """Return the number of runs and the sum of their digests, as the file says."""
        rows = connection.execute("SELECT id, runs, total, digest FROM meta").fetchall()
        if len(rows) == 1:
            position, runs, total, digest = rows[0]
            plain = type(runs) is int and _is_sum(total) and position == 1
            if plain and _fits_int64(runs) and digest == digest_of_meta(runs, total):
                return runs, total
        raise self._file.damaged("a damaged list of runs")

    def heads(self, connection: sqlite3.Connection) -> list[RunRow]:
        """Return all runs; none may be damaged or missing."""
        n, total = self.count(connection)
        rows = connection.execute(f"SELECT {_HEAD} FROM runs ORDER BY id").fetchall()
        heads = [self._read_head(row) for row in rows]
        found = NO_DIGESTS
        for head in heads:
            found = added(found, head.origin())
        if len(heads) != n or found != total:
            raise self._file.damaged(f"{len(heads)} runs where {n} were written")
        _seen[self._file.identity, None] = _Seen(n, total, {head.key for head in heads})
        return heads

    def head_of(self, connection: sqlite3.Connection, key: bytes) -> RunRow | None:
        """Return the run of the call `key`, if there is one."""
        query = f"SELECT {_HEAD} FROM runs WHERE key = ?"
        row = connection.execute(query, (key,)).fetchone()
        if row is not None:
            return self._read_head(row)
        # A damaged file must not look like a new run.
        seen = self._seen(None, *self.count(connection))
        if seen is None or key in seen.keys:
            self.heads(connection)
        return None

    def head(self, connection: sqlite3.Connection, run: object) -> RunRow:
        """Return the run of that number."""
        number = check.real(run)
        row = None
        if isinstance(number, int) and _fits_int64(number):
            query = f"SELECT {_HEAD} FROM runs WHERE id = ?"
            row = connection.execute(query, (number,)).fetchone()
        if row is not None:
            return self._read_head(row)
        known = [head.id for head in self.heads(connection)]
        rule = f"be one of {known}" if len(known) < 20 else f"be from 1 to {len(known)}"
        raise StoreError(broken_rule("run", rule, run))

    def _read_head(self, row: tuple[Any, ...]) -> RunRow:
        number, key, name, data, settings, release, created, trials, seconds, total, digest = row
        is_plain = (
            all(type(part) is Text for part in (name, settings, release, created))
            and (data is None or type(data) is Text)
            and type(key) is bytes
            and all(type(part) is int and _fits_int64(part) for part in (number, trials))
            and type(seconds) is float
            and _is_sum(total)
        )
        if is_plain:
            head = RunRow(*row[:-1])
            if head.digest() == digest:
                return head
        raise self._file.damaged(f"a damaged row in the list of runs (run {number!r})")

    def rows_of(
        self, connection: sqlite3.Connection, head: RunRow, keys: Sequence[bytes]
    ) -> list[TrialRow]:
        """Return those of `keys` that are there."""
        found: list[TrialRow] = []
        for start in range(0, len(keys), _LOOKUP):
            some = keys[start : start + _LOOKUP]
            query = (
                f"SELECT {_ROW} FROM trials WHERE run = ? AND key IN ({_placeholders(len(some))})"
            )
            rows = connection.execute(query, (head.id, *some))
            found += [self._read_row(head, row)[0] for row in rows]
        return found

    def all_rows(
        self, connection: sqlite3.Connection, run: int, wanted: set[bytes] | None = None
    ) -> tuple[RunRow, list[TrialRow]]:
        """Return the `wanted` rows of a run (None: all); none of it may be damaged or missing."""
        head = self.head(connection, run)
        total, n = NO_DIGESTS, 0
        rows: list[TrialRow] = []
        keys: set[bytes] = set()
        for found in connection.execute(f"SELECT {_ROW} FROM trials WHERE run = ?", (head.id,)):
            row, digest = self._read_row(head, found)
            total, n = added(total, digest), n + 1
            keys.add(row.key)
            if wanted is None or row.key in wanted:
                rows.append(row)
        if (n, total) != (head.trials, head.total):
            got = f"{n:,} rows where {head.trials:,} were written"
            raise self._file.damaged(f"{got} in run {head.id}")
        if n <= _MOST_SEEN:
            _seen[self._file.identity, head.id] = _Seen(n, total, keys)
        return head, rows

    def _read_row(self, head: RunRow, row: tuple[Any, ...]) -> tuple[TrialRow, bytes]:
        key, number, label, value, seconds, created, digest = row
        is_plain = (
            all(type(part) is bytes for part in (key, label, value))
            and type(created) is Text
            and type(number) is int
            and _fits_int64(number)
            and (seconds is None or type(seconds) is float)
        )
        if is_plain:
            made = TrialRow(*row[:-1])
            if made.digest(head.key) == digest:
                return made, digest
        raise self._file.damaged(f"a damaged row in run {head.id}, row {number!r}")


def _placeholders(n: int) -> str:
    return ",".join("?" * n)


def _fits_int64(number: int) -> bool:
    return 0 <= number < 1 << 62


def _is_sum(value: object) -> bool:
    return type(value) is bytes and len(value) == DIGEST_SIZE
