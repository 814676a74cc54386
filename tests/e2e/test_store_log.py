# SPDX-License-Identifier: BSD-3-Clause
"""The log beside a store that was not closed: damaged or cut short, it gives an earlier state.

SQLite ends its log where a checksum is wrong, for this is how a power cut leaves it. So what comes
behind is run again; nothing that is read is ever wrong.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

import broadpeak as bp

N = 2
CALLS: list[int] = []


class Hot(NamedTuple):
    """A store as it is while a run goes on, or after a kill."""

    main: bytes
    log: bytes
    states: list[pd.DataFrame]  # trials after each result


def third(a: int) -> float:
    CALLS.append(a)
    return a / 3


def _run(path: Path) -> list[float]:
    CALLS.clear()
    return bp.execute([bp.Task(third, a) for a in range(N)], store=path, store_key="3")


@pytest.fixture(scope="module")
def hot(tmp_path_factory: pytest.TempPathFactory) -> Hot:
    path = tmp_path_factory.mktemp("hot") / "a.db"
    bp.Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA page_size = 512")
    connection.execute("VACUUM")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    keeper = bp.Store(path)
    keeper.runs()
    _run(path)
    main, log = (Path(f"{path}{suffix}").read_bytes() for suffix in ("", "-wal"))
    whole = keeper.trials(1)
    keeper.close()
    return Hot(main, log, [whole.head(n) for n in range(N + 1)])


def _is_earlier_or_told(path: Path, hot: Hot) -> bool:
    """Return whether an earlier state is read, or a StoreError is raised, and a run goes on."""
    n_kept = None
    try:
        with bp.Store(path) as store:
            n_kept = 0
            if len(store.runs()):
                got = store.trials(1)
                n_kept = len(got)
                if n_kept and not got.equals(hot.states[n_kept]):
                    return False
        again = _run(path)
    except bp.StoreError:
        return True
    return again == [a / 3 for a in range(N)] and list(range(n_kept, N)) == CALLS


def _wrong(folder: Path, hot: Hot, cases: Iterable[tuple[int, bytes, bytes]]) -> list[int]:
    wrong = []
    for at, main, log in cases:
        place = folder / "x"
        place.mkdir()
        (place / "a.db").write_bytes(main)
        (place / "a.db-wal").write_bytes(log)
        if not _is_earlier_or_told(place / "a.db", hot):
            wrong.append(at)
        shutil.rmtree(place)
    return wrong


def _flipped(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :]


STEPS = pytest.mark.parametrize(
    "step", [997, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "every"]
)


def test_with_its_log_a_store_is_whole(quick_path: Path, hot: Hot) -> None:
    assert len(hot.log) > 12 * 512
    assert _wrong(quick_path, hot, [(0, hot.main, hot.log)]) == []
    (quick_path / "a.db").write_bytes(hot.main)
    (quick_path / "a.db-wal").write_bytes(hot.log)
    assert _run(quick_path / "a.db") == [a / 3 for a in range(N)]
    assert CALLS == []


def test_without_its_log_a_store_is_an_earlier_one(quick_path: Path, hot: Hot) -> None:
    (quick_path / "a.db").write_bytes(hot.main)
    assert _run(quick_path / "a.db") == [a / 3 for a in range(N)]
    assert list(range(N)) == CALLS


@STEPS
def test_a_flipped_byte_of_the_log(quick_path: Path, hot: Hot, step: int) -> None:
    places = range(5, len(hot.log), step)
    assert _wrong(quick_path, hot, ((at, hot.main, _flipped(hot.log, at)) for at in places)) == []


@STEPS
def test_a_log_cut_short(quick_path: Path, hot: Hot, step: int) -> None:
    lengths = range(0, len(hot.log), step)
    assert _wrong(quick_path, hot, ((end, hot.main, hot.log[:end]) for end in lengths)) == []


@STEPS
def test_a_flipped_byte_of_the_file_under_a_log(quick_path: Path, hot: Hot, step: int) -> None:
    places = range(3, len(hot.main), step)
    assert _wrong(quick_path, hot, ((at, _flipped(hot.main, at), hot.log) for at in places)) == []


@STEPS
def test_a_file_cut_short_under_its_log(quick_path: Path, hot: Hot, step: int) -> None:
    lengths = range(0, len(hot.main), step)
    assert _wrong(quick_path, hot, ((end, hot.main[:end], hot.log) for end in lengths)) == []
