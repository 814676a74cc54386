# SPDX-License-Identifier: BSD-3-Clause
"""Disks that fail: a file layer of SQLite that counts, refuses and remembers what it is asked for.

The store uses the SQLite of Python; here APSW brings another one, whose file layer can be written
in Python. `through` puts it in the one place where a store meets SQLite.
"""

from __future__ import annotations

import errno
import os
import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import apsw

from broadpeak._store import file

SECTOR = 512  # bytes that a disk writes as one
MARKS = {"reported", "open", "closed"}  # no operations, but what tests note among them
_names = count()
_CODES = {
    "open": apsw.SQLITE_CANTOPEN,
    "read": apsw.SQLITE_IOERR_READ,
    "write": apsw.SQLITE_IOERR_WRITE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "size": apsw.SQLITE_IOERR_FSTAT,
    "lock": apsw.SQLITE_IOERR_LOCK,
    "delete": apsw.SQLITE_IOERR_DELETE,
    "access": apsw.SQLITE_IOERR_ACCESS,
}
KINDS = {
    "error": {*_CODES, "link", "stat", "look"},  # each operation may fail
    "full": {"write", "link"},
    "torn": {"write"},  # a part is written before the error
    "unsynced": {"sync"},
    "locked": {"lock", "begin"},
}
"""Kind of fault -> the operations that it can hit."""


@dataclass
class Disk:
    """What is asked of a disk, and which of it fails.

    Attributes
    ----------
    kind, at, lasting
        The fault: of which kind, at which of the operations that it can hit, for good or once.
    n_hit : int
        How many operations have failed.
    events : list of tuple
        What happened, for `Image`, while `remembers` is set.
    """

    folder: Path
    kind: str | None = None
    at: int = 0
    lasting: bool = False
    remembers: bool = False
    n_seen: int = 0
    n_hit: int = 0
    events: list[tuple[Any, ...]] = field(default_factory=list)

    def arm(self, kind: str, at: int, *, lasting: bool) -> None:
        """Let the operation `at` of those of `kind` fail, and with `lasting` all after it."""
        self.kind, self.at, self.lasting = kind, at, lasting
        self.n_seen = self.n_hit = 0

    def disarm(self) -> None:
        """Let everything work again."""
        self.kind = None

    def fails(self, operation: str) -> bool:
        """Count an operation; return whether it is to fail."""
        if self.kind is None or operation not in KINDS[self.kind]:
            return False
        self.n_seen += 1
        hit = self.n_seen >= self.at if self.lasting else self.n_seen == self.at
        self.n_hit += hit
        return hit

    def ask(self, operation: str) -> None:
        """Raise if the operation is to fail."""
        if self.fails(operation):
            raise apsw.exception_for(
                {"full": apsw.SQLITE_FULL, "locked": apsw.SQLITE_BUSY}.get(
                    str(self.kind), _CODES.get(operation, apsw.SQLITE_IOERR)
                )
            )

    def ask_system(self, operation: str) -> None:
        """Raise as the system does if the operation is to fail."""
        if self.fails(operation):
            number = errno.ENOSPC if self.kind == "full" else errno.EIO
            raise OSError(number, os.strerror(number))

    def note(self, *event: object) -> None:
        """Remember what happened."""
        if self.remembers:
            self.events.append(event)


class _Layer(apsw.VFS):
    """A file layer on top of that of the system."""

    def __init__(self, disk: Disk) -> None:
        self.name, self.disk = f"disk{next(_names)}", disk
        super().__init__(self.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> _File:  # noqa: N802
        self.disk.ask("open")
        return _File(self.disk, name, flags)

    def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802
        self.disk.ask("delete")
        super().xDelete(name, sync)
        self.disk.note("unlink", Path(name).name)
        if sync:
            self.disk.note("sync names")

    def xAccess(self, name: str, flags: int) -> bool:  # noqa: N802
        self.disk.ask("access")
        return super().xAccess(name, flags)

    def xSleep(self, microseconds: int) -> int:  # noqa: N802
        return microseconds  # who waits for a lock that never opens need not wait here


class _File(apsw.VFSFile):
    """One open file."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        text = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._disk, self._name = disk, "" if text is None else Path(text).name
        is_new = text is not None and not os.path.lexists(text)
        super().__init__("", name, flags)
        if is_new:
            disk.note("create", self._name)
        kinds = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL
        # With a new log, SQLite syncs the folder it is in.
        self._syncs_names = bool(flags[0] & kinds and flags[0] & apsw.SQLITE_OPEN_CREATE)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._disk.ask("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        data = bytes(data)
        try:
            self._disk.ask("write")
        except apsw.Error:
            if self._disk.kind == "torn":
                super().xWrite(data[: len(data) // 2 + 1], offset)
            raise
        super().xWrite(data, offset)
        self._disk.note("write", self._name, offset, data)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._disk.ask("truncate")
        super().xTruncate(size)
        self._disk.note("truncate", self._name, size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        # Nothing more is done: it is not the disk of this machine that is tested.
        try:
            self._disk.ask("sync")
        except apsw.Error:
            self._disk.note("lost", self._name)
            raise
        self._disk.note("sync", self._name)
        if self._syncs_names:
            self._syncs_names = False
            self._disk.note("sync names")

    def xFileSize(self) -> int:  # noqa: N802
        self._disk.ask("size")
        return super().xFileSize()

    def xLock(self, level: int) -> None:  # noqa: N802
        self._disk.ask("lock")
        super().xLock(level)


class _Rows:
    """A cursor, as the store uses those of Python."""

    def __init__(self, connection: _Connection, cursor: apsw.Cursor, rowcount: int) -> None:
        self._connection, self._cursor, self.rowcount = connection, cursor, rowcount

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (row := self.fetchone()) is not None:
            yield row

    def fetchone(self) -> tuple[Any, ...] | None:
        with _translated():
            row: Any = next(self._cursor, None)
        make = self._connection.text_factory
        return row and tuple(make(one.encode()) if type(one) is str else one for one in row)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self)


class _Connection:
    """A connection of APSW, as the store uses those of Python."""

    def __init__(self, layer: _Layer, address: str, pages: int) -> None:
        self.text_factory: Any = bytes
        self._layer = layer
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        if "mode=rw&" in f"{address}&":
            flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
        with _translated():
            self._inner = apsw.Connection(address, flags, layer.name)
        self._inner.set_busy_timeout(int(file._WAIT * 1000))

        def checkpoint(connection: apsw.Connection, name: str, n_pages: int) -> int:
            # As SQLite does it on its own: it is no error of the commit if this fails. (APSW would
            # raise what its file layer raised, although SQLite went on.)
            if n_pages >= pages:
                with suppress(apsw.Error):
                    connection.wal_checkpoint(name, apsw.SQLITE_CHECKPOINT_PASSIVE)
            return apsw.SQLITE_OK

        self._inner.set_wal_hook(checkpoint)

    @property
    def in_transaction(self) -> bool:
        return self._inner.in_transaction

    def execute(self, sql: str, values: Any = ()) -> _Rows:
        with _translated():
            if sql.startswith("BEGIN IMMEDIATE"):
                self._layer.disk.ask("begin")
            cursor = self._inner.cursor()
            cursor.execute(sql, values)
        return _Rows(self, cursor, self._inner.changes())

    def close(self) -> None:
        with suppress(apsw.Error):  # that of Python says nothing, either
            self._inner.close(True)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise what the `sqlite3` of Python raises."""
    try:
        yield
    except apsw.Error as error:
        code = int(getattr(error, "extendedresult", apsw.SQLITE_ERROR))
        damage = {apsw.SQLITE_CORRUPT, apsw.SQLITE_NOTADB}
        kind = sqlite3.DatabaseError if code & 0xFF in damage else sqlite3.OperationalError
        made = kind(str(error) or type(error).__name__)
        made.sqlite_errorcode = code
        raise made from error


@contextmanager
def through(disk: Disk, *, pages: int = 1000) -> Iterator[None]:
    """Let all stores reach their files through `disk`; a checkpoint comes after `pages`."""
    layer, meet, hook = _Layer(disk), file._meet, sys.unraisablehook
    link, unlink, stat, look = os.link, Path.unlink, Path.stat, Path.open

    def is_ours(path: object) -> bool:
        return isinstance(path, Path) and path.parent == disk.folder

    def linked(source: Path, target: Path) -> None:
        disk.ask_system("link")
        link(source, target)
        disk.note("link", source.name, target.name)

    def unlinked(path: Path, missing_ok: bool = False) -> None:
        there = os.path.lexists(path)
        unlink(path, missing_ok=missing_ok)
        if there and is_ours(path):
            disk.note("unlink", path.name)

    def seen(path: Path, **kwargs: bool) -> os.stat_result:
        if is_ours(path):
            disk.ask_system("stat")
        return stat(path, **kwargs)

    def looked(path: Path, *args: Any, **kwargs: Any) -> Any:
        if is_ours(path):
            disk.ask_system("look")
        return look(path, *args, **kwargs)

    file._meet = lambda address: _Connection(layer, address, pages)  # type: ignore[assignment]
    os.link, Path.unlink, Path.stat, Path.open = linked, unlinked, seen, looked  # type: ignore[assignment]
    # Where SQLite goes on after a fault, APSW tells what its file layer raised.
    sys.unraisablehook = lambda what: None if isinstance(what.exc_value, apsw.Error) else hook(what)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        file._meet = meet
        os.link, Path.unlink, Path.stat, Path.open = link, unlink, stat, look  # type: ignore[assignment]


def after_power_cut(events: list[tuple[Any, ...]], folder: Path, keeps: str, seed: int = 0) -> None:
    """Fill `folder` with what is there when the power is cut after `events`.

    Parameters
    ----------
    events : list of tuple
        What a `Disk` remembers.
    folder : path
        An empty folder.
    keeps : {"synced", "all", "some"}
        What becomes of what was never synced. "some": any sectors of it, in any order, and any
        number of the names that were given or taken since names were synced, in their order.
    seed : int
        Chooses for "some".
    """
    draw = random.Random(seed)
    files: list[tuple[bytearray, list[tuple[int, Any]]]] = []  # what is safe, and what is not yet
    names: dict[str, int] = {}  # as the system shows them
    safe_names: dict[str, int] = {}
    pending: list[tuple[str, int | None]] = []
    for event in events:
        match event:
            case "create", name:
                names[name] = len(files)
                pending.append((name, len(files)))
                files.append((bytearray(), []))
            case "link", old, new:
                names[new] = names[old]
                pending.append((new, names[old]))
            case "unlink", name:
                pending.append((name, None))
                del names[name]
            case "write", name, offset, data:
                files[names[name]][1].append((offset, data))
            case "truncate", name, size:
                files[names[name]][1].append((size, None))
            case "sync", name:
                safe, unsafe = files[names[name]]
                for change in unsafe:
                    _apply(safe, change)
                unsafe.clear()
            case "lost", name:  # as Linux has it: what it could not write it tries no more
                files[names[name]][1].clear()
            case ("sync names",):
                safe_names = dict(names)
                pending.clear()
    n_kept = {"synced": 0, "all": len(pending)}.get(keeps, draw.randint(0, len(pending)))
    for name, number in pending[:n_kept]:
        if number is None:
            safe_names.pop(name, None)
        else:
            safe_names[name] = number
    for number, (safe, unsafe) in enumerate(files):
        changes = list(unsafe)
        if keeps == "synced":
            changes = []
        elif keeps == "some":
            changes = [part for change in changes for part in _sectors(change)]
            changes = draw.sample(changes, draw.randint(0, len(changes)))
        for change in changes:
            _apply(safe, change)
        for name, its in safe_names.items():
            if its == number:
                (folder / name).write_bytes(safe)


def _apply(content: bytearray, change: tuple[int, bytes | None]) -> None:
    place, data = change
    if data is None:
        del content[place:]
        content.extend(bytes(place - len(content)))
        return
    content.extend(bytes(max(0, place - len(content))))
    content[place : place + len(data)] = data


def _sectors(change: tuple[int, bytes | None]) -> Iterator[tuple[int, bytes | None]]:
    place, data = change
    if data is None:
        yield change
        return
    start = 0
    while start < len(data):
        end = start + SECTOR - (place + start) % SECTOR
        yield place + start, data[start:end]
        start = end


def power_cuts(
    events: list[tuple[Any, ...]], folder: Path, step: int, seeds: int
) -> Iterator[tuple[object, Path, set[int]]]:
    """Yield which moment it is, the store as a power cut leaves it, and what was reported."""
    ways = [("synced", 0), ("all", 0), *(("some", seed) for seed in range(seeds))]
    for at in range(0, len(events) + 1, step):
        happened = [event for event in events[:at] if event[0] not in MARKS]
        told = {a for event in events[:at] if event[0] == "reported" for a in event[1]}
        for keeps, seed in ways:
            place = folder / f"{at}-{keeps}-{seed}"
            place.mkdir(parents=True)
            after_power_cut(happened, place, keeps, seed=1000 * at + seed)
            yield (at, keeps, seed), place / "a.db", told
