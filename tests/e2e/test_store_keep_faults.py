# SPDX-License-Identifier: BSD-3-Clause
"""Runs with `keep=` and a store: the state and what it is made of are one, whatever fails when."""

from __future__ import annotations

import sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._store import file

pytest.importorskip("apsw")
sys.path.insert(0, str(Path(__file__).parent))
from fault_files import KINDS, Disk, power_cuts, through

N_TASKS, N_CHUNKS = 12, 4
CALLS: list[int] = []


def score(a: int) -> float:
    CALLS.append(a)
    return (a * 7 % N_TASKS) / 3


RIGHT = bp.execute([bp.Task(score, a) for a in range(N_TASKS)], keep=bp.top(3))


def _run(store: Any, tell: Any = print) -> pd.Series:  # type: ignore[type-arg]
    CALLS.clear()
    tasks = [bp.Task(score, a) for a in range(N_TASKS)]
    options: dict[str, Any] = {
        "n_chunks": N_CHUNKS,
        "post_chunk_func": lambda at: tell(list(at)),
        "post_chunk_kwargs": {"at": bp.Rep("chunk_meta")},
    }
    return bp.execute(tasks, store=store, store_key="3", keep=bp.top(3), **options)


def _check_promise(path: Path, told: set[int], when: object) -> None:
    """Read the file with the SQLite of Python, and finish the run."""
    done: set[int] = set()
    if path.exists():
        with bp.Store(path) as store:
            runs = store.runs()
            if len(runs):
                done = set(store.kept_run(1).done())
                assert runs["trials"].tolist() == [len(done)], when
                kept = sorted((score(a) for a in done), reverse=True)[:3]
                if done:
                    assert sorted(store.trials(1)["value"], reverse=True) == kept, when
    assert done >= told, when
    pd.testing.assert_series_equal(_run(path), RIGHT, check_exact=True)
    assert sorted(CALLS) == [a for a in range(N_TASKS) if a not in done], when
    with bp.Store(path) as store:
        assert store.runs()["trials"].tolist() == [N_TASKS]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "step", [17, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "every"]
)
def test_an_operation_fails(quick_path: Path, kind: str, step: int) -> None:
    step = min(step, {"locked": 4, "unsynced": 3}.get(kind, step))
    for lasting in (False, True):
        for at in count(1, step):
            told: set[int] = set()
            path = quick_path / f"{at}{lasting}" / "a.db"
            path.parent.mkdir()
            disk = Disk(path.parent)
            with through(disk, pages=4):
                disk.arm(kind, at, lasting=lasting)
                with suppress(bp.StoreError):
                    pd.testing.assert_series_equal(_run(path, told.update), RIGHT)
                    told.update(range(N_TASKS))
                disk.disarm()
            if not disk.n_hit:
                break
            _check_promise(path, told, (kind, at, lasting))
        assert at > 4


@pytest.mark.parametrize(
    ("step", "seeds"), [(29, 1), pytest.param(1, 4, marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_the_power_is_cut(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, seeds: int
) -> None:
    monkeypatch.setattr(file, "_MOST_SYNCING", 1e-12)  # only what is told waits for the disk
    (quick_path / "first").mkdir()
    disk = Disk(quick_path / "first", remembers=True)
    with through(disk, pages=6):
        results = _run(disk.folder / "a.db", lambda at: disk.note("reported", at))
        disk.note("reported", list(range(N_TASKS)))
    monkeypatch.undo()
    pd.testing.assert_series_equal(results, RIGHT)
    assert sum(event[0] == "reported" for event in disk.events) == N_CHUNKS + 1
    for cut, path, told in power_cuts(disk.events, quick_path / "cut", step, seeds):
        _check_promise(path, told, cut)
