# SPDX-License-Identifier: BSD-3-Clause
"""The SQLite file behind a store: made whole, opened only if it is ours, watched while in use.

Every row carries a digest of all that is in it. A row that holds many (a run, the list of runs)
carries the sum of theirs as well, by which a lost row is missed, in whatever order they were added.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
import stat
import struct
import tempfile
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeAlias, TypeVar

from broadpeak.errors import StoreError, broken_rule, shown

APPLICATION: Final = 0x62706B73  # "bpks", where SQLite says whose file it is
FORMAT: Final = 3  # the newest; a store of a later one is refused
_PLAIN_FORMAT: Final = 2  # without spans: what older versions read, too, so long as it will do
DIGEST_SIZE: Final = 16
NO_DIGESTS: Final = bytes(DIGEST_SIZE)
"""The sum of no digests."""
_WAIT = 60.0  # seconds to wait for another process that is writing
_MOST_SYNCING = 0.05  # of the time goes at most into waiting for the disk, while a run goes on
_MAGIC = b"SQLite format 3\0"
_TRIES = 5  # to read a file that others write and this process may not
_CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"
_RESTORE = "Restore it from a copy, or choose a new file name."

TABLES: Final = {
    "meta": """CREATE TABLE meta (
    id INTEGER PRIMARY KEY,
    runs INTEGER NOT NULL,
    total BLOB NOT NULL,
    digest BLOB NOT NULL
)""",
    # No index by key: a damaged one would hide a run, and there are few.
    "runs": """CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    name TEXT NOT NULL,
    data TEXT,
    settings TEXT NOT NULL,
    version TEXT NOT NULL,
    created TEXT NOT NULL,
    trials INTEGER NOT NULL,
    seconds REAL NOT NULL,
    total BLOB NOT NULL,
    digest BLOB NOT NULL
)""",
    "trials": """CREATE TABLE trials (
    run INTEGER NOT NULL REFERENCES runs (id),
    key BLOB NOT NULL,
    number INTEGER NOT NULL,
    label BLOB NOT NULL,
    value BLOB NOT NULL,
    seconds REAL,
    created TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (run, key)
) WITHOUT ROWID""",
    "claims": """CREATE TABLE claims (
    run INTEGER NOT NULL,
    owner TEXT NOT NULL,
    keys BLOB NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (run, owner)
) WITHOUT ROWID""",
    "spans": """CREATE TABLE spans (
    run INTEGER NOT NULL REFERENCES runs (id),
    owner TEXT NOT NULL,
    places BLOB NOT NULL,
    trials INTEGER NOT NULL,
    seconds REAL NOT NULL,
    created TEXT NOT NULL,
    content BLOB NOT NULL,
    digest BLOB NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (run, owner)
) WITHOUT ROWID""",
}
_SINCE: Final = {"spans": 3}
"""Table -> the first format that has it; a file is of the lowest that will do."""

T = TypeVar("T")
FileIdentity: TypeAlias = tuple[int, int]
"""Device and number of a file, which a rename does not change."""


class Text(bytes):
    """TEXT of SQLite as raw bytes, so that its digest is checked before it is decoded.

    It is a type of its own, since one flipped bit turns a blob into a text, which would read
    the same and no longer be found by its key.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Opened:
    """A connection, and what was true when it was made."""

    pid: int
    connection: sqlite3.Connection
    stamp: tuple[int, ...] | None  # of a file that can only be read, else None
    copy: Any = None  # the folder of the copy that is read in its place
    syncs: list[bool] = field(default_factory=list)  # whether it does when it commits, if known


class StoreFile:
    """One file with the tables of a store.

    What is written survives this process at once, and a power cut from the next `sync` on at the
    latest: a disk takes long to promise that, so that not every result waits for it.

    Parameters
    ----------
    path : path
        The file; it is made when missing.
    lasting : bool
        It is an error when the file is moved or deleted while it is in use.

    Raises
    ------
    StoreError
        If it is no store, damaged, of another format, or cannot be made.
    """

    def __init__(self, path: Path, *, lasting: bool = True) -> None:
        self.path = path
        self._shown = shown(str(path))
        self._lasting = lasting
        self._opened: _Opened | None = None
        self._lock = threading.RLock()
        self._has_unsynced = self._doubts_log = False
        self._synced_at, self._sync_seconds = -float("inf"), 0.0
        with _opening:
            _files.add(self)
        with self._guarded():
            if not os.path.lexists(path):
                _make(path)
            self._place = self._present_identity()
            self._connected()

    def __del__(self) -> None:
        # From Python 3.13 on, a connection that nobody closed is warned of.
        if "_lock" in self.__dict__:
            self.close()

    @property
    def is_read_only(self) -> bool:
        """Whether this process may not write to the file."""
        with self._guarded():
            return self._connected().stamp is not None

    @property
    def identity(self) -> FileIdentity:
        """What distinguishes this file from every other one on this machine."""
        return self._place

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` reads, all of it from one state of the file."""
        with self._guarded():
            for _ in range(_TRIES):
                opened = self._connected()
                self._check_place()
                result, _ = _in_transaction(opened.connection, "BEGIN", work)
                if opened.stamp is None or opened.stamp == self._change_stamp():
                    return result
                self.close()
            msg = (
                f"The store {self._shown} must not change while a process reads it that may not "
                "write to it, got one change after another. Copy the file, or wait for the run."
            )
            raise StoreError(msg)

    def write(self, work: Callable[[sqlite3.Connection], T], *, passing: bool = False) -> T:
        """Do `work` and keep it, all of it or nothing; a power cut may take what is `passing`."""
        wait = self._sync_seconds * (1 / _MOST_SYNCING - 1)
        is_synced = not passing and perf_counter() - self._synced_at >= wait
        return self._write(work, is_synced=is_synced, passing=passing)

    def sync(self) -> None:
        """Wait until a power cut can no longer take anything that was written."""
        if self._has_unsynced:
            # To write what is there already is what makes SQLite wait for the disk once more.
            sql = f"PRAGMA application_id = {APPLICATION}"
            self._write(lambda connection: connection.execute(sql), is_synced=True)

    def _write(
        self,
        work: Callable[[sqlite3.Connection], T],
        *,
        is_synced: bool,
        passing: bool = False,
    ) -> T:
        with self._guarded():
            opened = self._connected()
            if opened.stamp is not None:
                rule = "be a file in a folder, both of which can be written"
                remedy = "Copy it to where you may write, or choose a new file name."
                msg = broken_rule(f"The store {self._shown}", rule, "read-only", remedy)
                raise StoreError(msg)
            self._check_place()
            if not (is_synced or passing):
                self._has_unsynced = True
            connection = opened.connection
            if opened.syncs != [is_synced]:
                connection.execute(f"PRAGMA synchronous = {'FULL' if is_synced else 'NORMAL'}")
                opened.syncs[:] = [is_synced]
            if self._doubts_log:
                # A system that could not sync forgets what it could not write, and the next time
                # says that all is well. So nothing is put behind it in the log.
                busy, n_logged, n_moved = connection.execute(_CHECKPOINT).fetchone()
                self._doubts_log = bool(busy) or n_moved < n_logged
            try:
                result, seconds = _in_transaction(connection, "BEGIN IMMEDIATE", work)
            except sqlite3.Error as error:
                self._doubts_log |= _code_of(error) == sqlite3.SQLITE_IOERR
                raise
            if is_synced:
                self._has_unsynced = False
                self._synced_at, self._sync_seconds = perf_counter(), seconds
            self._check_place()
            return result

    def grow(self) -> None:
        """Give the file the tables of the newest format, if it has not got them."""

        def has_all(connection: sqlite3.Connection) -> bool:
            return _format_of(connection) == FORMAT

        def add(connection: sqlite3.Connection) -> None:
            found = _format_of(connection)  # another process may have been first
            for name, since in _SINCE.items():
                if found < since:
                    connection.execute(TABLES[name])
            connection.execute(f"PRAGMA user_version = {FORMAT}")

        if not self.read(has_all):
            self.write(add, passing=True)  # what needs them comes behind it in the log

    def close(self) -> None:
        """Close the file; it opens again on the next use."""
        with self._lock:
            opened, self._opened = self._opened, None
            if opened is None:
                return
            if opened.pid != os.getpid():
                _abandoned.append(opened)
                return
            opened.connection.close()
            if opened.copy is not None:
                opened.copy.cleanup()

    def before_fork(self) -> None:
        """Close the file, and keep others from opening it until `after_fork`."""
        self._lock.acquire()
        with suppress(sqlite3.Error, OSError):
            self.close()

    def after_fork(self) -> None:
        """Let the file be used again."""
        self._lock.release()

    def has_open(self, place: FileIdentity) -> bool:
        """Return whether this process has the file `place` open here."""
        opened = self._opened
        return opened is not None and opened.pid == os.getpid() and self._place == place

    def damaged(self, what: str) -> StoreError:
        """Return the error for a part of the file that is not as it was written."""
        msg = f"The store {self._shown} must be an undamaged store, got {what}. {_RESTORE}"
        return StoreError(msg)

    def _present_identity(self) -> FileIdentity:
        found = self.path.stat()
        if not stat.S_ISREG(found.st_mode):
            got = "a folder" if stat.S_ISDIR(found.st_mode) else "no plain file"
            rule = f"be a file, got {got}"
            raise StoreError(f"The store {self._shown} must {rule}. Choose a file name.")
        return found.st_dev, found.st_ino

    def check_place(self) -> None:
        """Raise if the file was moved, deleted or replaced since it was opened."""
        with self._guarded():
            self._check_place()

    def _check_place(self) -> None:
        if not self._lasting:
            return
        try:
            place = self._present_identity()
        except FileNotFoundError:
            place = None
        if place != self._place:
            got = "none" if place is None else "another file"
            msg = (
                f"The store {self._shown} must stay where it is while it is in use, got {got} "
                "there now: it was moved, deleted or replaced. What was finished is in the file "
                "that was there: put it back, and the same call goes on; without it, all is run "
                "again."
            )
            raise StoreError(msg)

    def _connected(self) -> _Opened:
        # A connection must not cross a fork: every process opens its own.
        opened = self._opened
        if opened is None or opened.pid != os.getpid():
            self.close()
            with _opening:
                # Whoever closes a file takes away the locks that his process has on it, those of
                # SQLite included. So it is not opened to look at while SQLite has it open: it was
                # looked at then.
                place = self._present_identity()
                if not any(file.has_open(place) for file in list(_files)):
                    _check_header(self.path, self._shown)
                opened = self._opened = self._connect()
            try:
                self._check_tables(opened.connection)
            except BaseException:
                self.close()
                raise
        return opened

    def _connect(self) -> _Opened:
        if os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK):
            return _Opened(os.getpid(), _open(self.path, "rw"), None)
        # SQLite wants to write even when it reads: it keeps readers in a file beside the store.
        # A file nobody writes is read without; one with a log of commits beside it, in a copy.
        stamp = self._change_stamp()
        if stamp[-1] <= 0:
            return _Opened(os.getpid(), _open(self.path, "ro&immutable=1"), stamp)
        folder = tempfile.TemporaryDirectory(prefix="broadpeak-")
        copy = Path(folder.name) / "copy.db"
        for suffix in ("", "-wal"):
            content = Path(f"{self.path}{suffix}").read_bytes()
            Path(f"{copy}{suffix}").write_bytes(content)
        return _Opened(os.getpid(), _open(copy, "rw"), stamp, folder)

    def _change_stamp(self) -> tuple[int, ...]:
        """Return what changes with the file or its log; the size of the log is the last."""
        found, log = self.path.stat(), Path(f"{self.path}-wal")
        beside = log.stat() if log.exists() else None
        return (
            *(found.st_ino, found.st_mtime_ns, found.st_size),
            *((0, -1) if beside is None else (beside.st_mtime_ns, beside.st_size)),
        )

    def _check_tables(self, connection: sqlite3.Connection) -> None:
        """Refuse tables that are not those above: a trigger or a view would be code in the file."""
        found = {
            name.decode(errors="replace"): (sql or b"").decode(errors="replace")
            for name, sql in connection.execute("SELECT name, sql FROM sqlite_master")
            if not name.startswith(b"sqlite_")
        }
        tables = _tables_of(_format_of(connection))
        if found != tables:
            wrong = sorted(
                name for name in {*found, *tables} if found.get(name) != tables.get(name)
            )
            raise self.damaged(f"tables that are not those of a store ({', '.join(wrong)})")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Use the file alone; turn what SQLite and the system report into errors in words."""
        with self._lock:
            try:
                yield
            # SQLite quotes damaged names in its errors, which need not be decodable.
            except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
                raise StoreError(f"The store {self._shown} {_explain(error)} ({error}).") from error
            except OSError as error:
                rule = "must be a file in a folder that exists and can be read"
                if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                    rule = _NO_ROOM
                got = error.strerror or error
                raise StoreError(f"The store {self._shown} {rule} ({got}).") from error


_files: weakref.WeakSet[StoreFile] = weakref.WeakSet()  # all that this process has
_opening = threading.Lock()
_abandoned: list[_Opened] = []
"""Connections of a parent that forked in a way unknown to Python: even to close one would hurt."""


def _before_fork() -> None:
    """Let no connection cross a fork: a child would count the locks of its parent as its own."""
    with _opening:
        held = list(_files)
    for file in held:
        file.before_fork()
    _opening.acquire()
    _forking.append(held)


def _after_fork() -> None:
    _opening.release()
    for file in _forking.pop():
        file.after_fork()


_forking: list[list[StoreFile]] = []  # those that wait for a fork to be over
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork
    )


def _format_of(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def _tables_of(found: int) -> dict[str, str]:
    """Return the tables of a format."""
    return {name: sql for name, sql in TABLES.items() if _SINCE.get(name, 0) <= found}


def _make(path: Path) -> None:
    """Make a store that is whole from the moment its name exists."""
    fresh = path.with_name(f".{uuid.uuid4().hex}.new")
    try:
        with closing(_meet(f"{fresh.as_uri()}?mode=rwc")) as connection:
            connection.execute("BEGIN")
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_PLAIN_FORMAT}")
            for table in _tables_of(_PLAIN_FORMAT).values():
                connection.execute(table)
            digest = digest_of_meta(0, NO_DIGESTS)
            connection.execute("INSERT INTO meta VALUES (1, 0, ?, ?)", (NO_DIGESTS, digest))
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass  # another process was first
        except OSError:  # a file system without links
            if not path.exists():
                fresh.rename(path)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(f"{fresh}{suffix}").unlink(missing_ok=True)


def _meet(address: str) -> sqlite3.Connection:
    """Open what `address` names. This is the one place where a store meets SQLite."""
    return sqlite3.connect(
        address, uri=True, timeout=_WAIT, isolation_level=None, check_same_thread=False
    )


def _open(path: Path, mode: str) -> sqlite3.Connection:
    connection = _meet(f"{path.as_uri()}?mode={mode}")
    connection.text_factory = Text
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_header(path: Path, shown: str) -> None:
    """Refuse a file that is not ours by its first bytes, before SQLite opens it and writes."""
    with path.open("rb") as file:
        head = file.read(100)
    name = f"The store {shown}"
    if not head:
        remedy = f"Delete it if it never held anything. {_RESTORE}"
        raise StoreError(f"{name} must be a store, got an empty file. {remedy}")
    if len(head) < 100 or not head.startswith(_MAGIC):
        msg = f"{name} must be a store, got a file of another kind, or a damaged one. {_RESTORE}"
        raise StoreError(msg)
    if int.from_bytes(head[68:72], "big") != APPLICATION:
        if _is_first_format(path):
            remedy = "Choose a new file name; what was run is run again."
            rule = f"be of format {FORMAT}: an older one kept no digests, and holds what is not"
            raise StoreError(f"{name} must {rule} read any more; got format 1. {remedy}")
        msg = f"{name} must be a store, got a database of another program. Choose a new file name."
        raise StoreError(msg)
    found = int.from_bytes(head[60:64], "big")
    if found > FORMAT:
        rule = f"be of format {FORMAT} or older"
        raise StoreError(broken_rule(name, rule, found, "Upgrade: pip install -U broadpeak"))
    if found < _PLAIN_FORMAT:
        rule = f"be of format {_PLAIN_FORMAT} or {FORMAT}"
        raise StoreError(broken_rule(name, rule, found, _RESTORE))


def _is_first_format(path: Path) -> bool:
    """Return whether `path` has the tables of a store as they were before formats had a number."""
    with suppress(sqlite3.Error), closing(_open(path, "ro&immutable=1")) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        return {b"meta", b"runs", b"trials"} <= names
    return False


def _in_transaction(
    connection: sqlite3.Connection, begin: str, work: Callable[[sqlite3.Connection], T]
) -> tuple[T, float]:
    """Return what `work` returns, and how many seconds it took to commit it."""
    try:
        connection.execute(begin)
        result = work(connection)
        start = perf_counter()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result, perf_counter() - start


def _code_of(error: Exception) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


_NO_ROOM = "must have room on its disk; what was finished is kept: free some space and resume"


def _explain(error: Exception) -> str:
    code = _code_of(error)
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}:
        return f"must not be locked for {_WAIT:.0f} seconds by another process; end that one"
    if code == sqlite3.SQLITE_FULL:
        return _NO_ROOM
    if code == sqlite3.SQLITE_IOERR:
        return (
            "must be on a disk that keeps what is written and gives it back; what was finished is "
            "kept: check the disk, its quota and its network, and repeat the call"
        )
    if code == sqlite3.SQLITE_TOOBIG or isinstance(error, OverflowError):
        return "must be given results of less than a gigabyte each; return less, or write files"
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return "must be a file in a folder that exists and can be written"
    return "must be an undamaged store; restore it from a copy, or choose a new file name"


def digest_of(kind: bytes, *parts: bytes | None) -> bytes:
    """Return the digest of `parts`, the lengths before them."""
    lengths = struct.pack(f"<{len(parts)}q", *[-1 if one is None else len(one) for one in parts])
    total = hashlib.blake2b(lengths, digest_size=DIGEST_SIZE, person=kind)
    for part in parts:
        if part:
            total.update(part)
    return total.digest()


def digest_of_meta(runs: int, total: bytes) -> bytes:
    """Return the digest of the row that counts the runs."""
    return digest_of(b"meta", struct.pack("<q", runs), total)


def added(total: bytes, digest: bytes) -> bytes:
    """Return `total` with one more digest; the order in which they come does not matter."""
    number = int.from_bytes(total, "little") + int.from_bytes(digest, "little")
    return (number % (1 << 8 * DIGEST_SIZE)).to_bytes(DIGEST_SIZE, "little")
