# SPDX-License-Identifier: BSD-3-Clause
"""Every operation on its file may fail: what a store has reported is there all the same.

As SQLite is tested: let the first operation fail, then the second, until a run needs no more. After
each of them the promise holds: what was reported is there, once, and is right; the error says what
to do; and the same call finishes with the same bytes, without running anything that was kept.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import textwrap
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import broadpeak as bp
from broadpeak._run.sinks import ResultList

pytest.importorskip("apsw")
sys.path.insert(0, str(Path(__file__).parent))
from fault_files import KINDS, Disk, through

N_TASKS = 6
CALLS: list[int] = []
SAYS_WHAT_TO_DO = re.compile(
    "free some space|check the disk|Restore it from|end that one|folder that exists|"
    "choose a new file name|put it back|can be read"
)


def third(a: int) -> Any:
    CALLS.append(a)
    return np.array([a / 3, -0.0, np.nan]) if a % 2 else a / 3


RIGHT = [np.array([a / 3, -0.0, np.nan]) if a % 2 else a / 3 for a in range(N_TASKS)]


def _bytes(results: Any) -> list[bytes]:
    return [np.asarray(one).tobytes() for one in results]


def _run(store: Any, n: int = N_TASKS, **options: Any) -> Any:
    # By a word: what the function counts its calls in is not what this is about.
    CALLS.clear()
    return bp.execute([bp.Task(third, a) for a in range(n)], store=store, store_key="3", **options)


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> dict[int, object]:
    """Position -> what was reported of it, and is therefore not to be lost any more."""
    seen: dict[int, object] = {}
    put = ResultList.put

    def noted(self: Any, positions: Any, values: Any, seconds: float) -> None:
        seen.update(zip(positions, values, strict=True))
        put(self, positions, values, seconds)

    monkeypatch.setattr(ResultList, "put", noted)
    return seen


def _check_promise(path: Path, reported: dict[int, object]) -> None:
    """Read the file with the SQLite of Python, and finish the run."""
    kept: dict[int, Any] = {}
    if path.exists():
        with bp.Store(path) as store:
            for run in store.runs()["run"]:
                trials = store.trials(run)
                if len(trials):
                    assert trials["call"].is_unique
                    kept |= dict(zip(trials["call"], trials["value"], strict=True))
    assert set(kept) >= set(reported)
    for position, value in kept.items():
        assert _bytes([value]) == _bytes([RIGHT[position]])
    for position, value in dict(reported).items():
        assert _bytes([value]) == _bytes([RIGHT[position]])
    assert _bytes(_run(path)) == _bytes(RIGHT)
    assert sorted(CALLS) == [a for a in range(N_TASKS) if a not in kept]
    with bp.Store(path) as store:
        assert store.runs()["trials"].tolist() == [N_TASKS]
        assert sorted(store.trials(1)["call"]) == list(range(N_TASKS))


def _is_right_or_told(store: Any, disk: Disk) -> None:
    """Run; an error must come of the fault and say what to do."""
    told = None
    try:
        results = _run(store)
    except bp.StoreError as error:
        told = str(error)
    if told is None:
        assert _bytes(results) == _bytes(RIGHT)
    else:
        assert disk.n_hit, told
        assert SAYS_WHAT_TO_DO.search(told), told


def _at_each(
    folder: Path,
    reported: dict[int, object],
    kind: str,
    *,
    lasting: bool,
    step: int,
    n_kept: int,
) -> int:
    """Let one operation after another fail; return how many there are."""
    for at in count(1, step):
        path = folder / str(at) / "a.db"
        path.parent.mkdir()
        disk = Disk(path.parent)
        with through(disk, pages=4):
            if n_kept:
                _run(path, n_kept)
            reported.clear()
            disk.arm(kind, at, lasting=lasting)
            _is_right_or_told(path, disk)
            disk.disarm()
        if not disk.n_hit:
            return at
        _check_promise(path, reported)
    raise AssertionError


MODES = [False, True]


@pytest.mark.parametrize("lasting", MODES, ids=["once", "for good"])
@pytest.mark.parametrize("kind", KINDS)
def test_some_operations_fail(
    quick_path: Path, reported: dict[int, object], kind: str, lasting: bool
) -> None:
    step = {"error": 29, "locked": 5, "unsynced": 4}.get(kind, 13)
    assert _at_each(quick_path, reported, kind, lasting=lasting, step=step, n_kept=0) > step


@pytest.mark.slow
@pytest.mark.parametrize("n_kept", [0, 3], ids=["new", "resumed"])
@pytest.mark.parametrize("lasting", MODES, ids=["once", "for good"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_fails(
    quick_path: Path, reported: dict[int, object], kind: str, lasting: bool, n_kept: int
) -> None:
    assert _at_each(quick_path, reported, kind, lasting=lasting, step=1, n_kept=n_kept) > 4


def _goes_on(folder: Path, kind: str, step: int) -> None:
    """Let an operation of an open store fail, and use the same store again."""
    for at in count(1, step):
        path = folder / str(at) / "a.db"
        path.parent.mkdir()
        disk = Disk(path.parent)
        with through(disk, pages=4), bp.Store(path) as store:
            disk.arm(kind, at, lasting=False)
            _is_right_or_told(store, disk)
            disk.disarm()
            assert _bytes(_run(store)) == _bytes(RIGHT)
            assert store.runs()["trials"].tolist() == [N_TASKS]
        if not disk.n_hit:
            return
        _check_promise(path, {})


@pytest.mark.parametrize("kind", KINDS)
def test_an_open_store_goes_on_after_a_fault(quick_path: Path, kind: str) -> None:
    _goes_on(quick_path, kind, {"error": 19, "locked": 3, "unsynced": 2}.get(kind, 9))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_open_store_goes_on_after_every_fault(quick_path: Path, kind: str) -> None:
    _goes_on(quick_path, kind, 1)


LIMITED = textwrap.dedent(
    """
    import resource, sys
    import broadpeak as bp

    if sys.argv[2] == "limited":
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    tasks = [bp.Task(bytes, 3000 + a) for a in range(40)]
    try:
        print(len(bp.execute(tasks, store=sys.argv[1])))
    except bp.StoreError as error:
        print(error)
    """
)


@pytest.mark.skipif(os.name != "posix", reason="such limits are of POSIX")
def test_a_file_that_may_not_grow_is_told_and_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    def run(limit: str) -> str:
        command = [sys.executable, "-c", LIMITED, str(path), limit]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    told = run("limited")
    match = re.search(r"check the disk, its quota.* ([1-9]\d?) of 40 results of this run", told)
    assert match is not None, told
    with bp.Store(path) as store:
        assert len(store.trials(1)) >= int(match[1])
    assert run("free") == "40\n"


def test_a_result_that_is_too_large_is_told(tmp_path: Path) -> None:
    with bp.Store(tmp_path / "a.db") as store:
        connection = store._file._connected().connection
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000)
        tasks = [bp.Task(bytes, n) for n in (10, 20_000)]
        with pytest.raises(bp.StoreError, match=r"less than a gigabyte each.*1 of 2 results"):
            bp.execute(tasks, store=store)
        assert store.runs()["trials"].tolist() == [1]
