# SPDX-License-Identifier: BSD-3-Clause
"""Who works on what: processes on one run claim tasks, so that each is run by one of them.

A claim is valid as long as its process lives and may work. Where that cannot be seen (another
machine's or container's process, a system without ``/proc``, a process that was stopped by a
signal and may never be continued) it is valid for some minutes after its last renewal.
"""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

LEASE: Final = 600.0  # seconds a claim outlives its last renewal where nobody sees its process
_living: set[str] = set()  # owners of this process that have not gone away


class Owner:
    """One run of one process, by whose name tasks are claimed.

    Examples
    --------
    >>> owner = Owner()
    >>> is_alive(owner.name, until=time.time() + LEASE)
    True
    >>> owner.leave()
    >>> is_alive(owner.name, until=time.time() + LEASE)
    False
    """

    def __init__(self) -> None:
        pid = os.getpid()
        seen = _seen(pid)
        started = "" if seen is None else seen.started
        self.name = "|".join([_namespace(), str(pid), started, uuid.uuid4().hex])
        _living.add(self.name)

    def leave(self) -> None:
        """Stop claiming."""
        _living.discard(self.name)


def is_alive(name: str, until: float) -> bool:
    """Return whether the owner `name` may still be at work on what it claimed `until` a time."""
    parts = name.split("|")
    now = time.time()
    if len(parts) != 4 or not parts[1].isdecimal():
        return False
    space, pid, started, _ = parts
    if space and space == _namespace():
        if int(pid) == os.getpid():
            return name in _living
        seen = _seen(int(pid))
        if seen is None or not started or seen.started != started:
            return False
        if not seen.is_stopped:
            return True
    # A clock that was set back must not make a claim last for ever.
    return now < until <= now + 2 * LEASE


def held_by_others(connection: sqlite3.Connection, run: int, owner: str) -> set[bytes]:
    """Return the keys of `run` that living owners other than `owner` have claimed."""
    held: set[bytes] = set()
    query = "SELECT owner, keys, until FROM claims WHERE run = ?"
    for name, keys, until in connection.execute(query, (run,)):
        known = isinstance(name, bytes) and isinstance(keys, bytes) and isinstance(until, float)
        # A damaged claim is none: at worst a task is run twice, and kept once.
        text = name.decode(errors="replace") if known else owner
        if text != owner and is_alive(text, until):
            held.update(_unpacked(keys))
    return held


def at_work(connection: sqlite3.Connection, run: int) -> set[bytes]:
    """Return the living owners that have claimed something of `run`."""
    query = "SELECT owner, until FROM claims WHERE run = ?"
    return {
        bytes(name)
        for name, until in connection.execute(query, (run,))
        if isinstance(name, bytes)
        and isinstance(until, float)
        and is_alive(name.decode(errors="replace"), until)
    }


def write(connection: sqlite3.Connection, run: int, owner: str, keys: Sequence[bytes]) -> None:
    """Make `keys` of `run` all that `owner` has claimed of it."""
    if keys:
        row = (run, owner, _packed(keys), time.time() + LEASE)
        connection.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)", row)
    else:
        connection.execute("DELETE FROM claims WHERE run = ? AND owner = ?", (run, owner))


def sweep(connection: sqlite3.Connection, run: int) -> None:
    """Remove the claims on `run` of owners that are gone."""
    query = "SELECT owner, until FROM claims WHERE run = ?"
    for name, until in connection.execute(query, (run,)).fetchall():
        known = isinstance(name, bytes) and isinstance(until, float)
        if not (known and is_alive(name.decode(errors="replace"), until)):
            connection.execute(
                "DELETE FROM claims WHERE run = ? AND owner = CAST(? AS TEXT)", (run, name)
            )


def _packed(keys: Iterable[bytes]) -> bytes:
    return b"".join(bytes([len(key)]) + key for key in keys)


def _unpacked(raw: bytes) -> list[bytes]:
    keys, at = [], 0
    while at < len(raw):
        end = at + 1 + raw[at]
        keys.append(raw[at + 1 : end])
        at = end
    return keys


def _namespace() -> str:
    """Return what two processes share if one can see whether the other lives; empty if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115  # no real path
    except (OSError, ValueError):
        return ""


class _Process(NamedTuple):
    started: str  # in clock ticks
    is_stopped: bool


def _seen(pid: int) -> _Process | None:
    """Return what can be seen of the process `pid`; None if there is none that lives."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    if len(fields) < 20 or fields[0] in {"Z", "X"}:
        return None
    return _Process(fields[19], fields[0] in {"T", "t"})
