# SPDX-License-Identifier: BSD-3-Clause
"""A power cut at any moment: what was reported is there, however the disk ordered its writes.

A run is recorded, operation by operation. Then the disk is built as it may be after any of them:
what was never synced is lost, or there, or there in part, by sectors and in any order, and the
newest names of files may be missing.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import broadpeak as bp
from broadpeak._run.sinks import ResultList
from broadpeak._store import file

pytest.importorskip("apsw")
sys.path.insert(0, str(Path(__file__).parent))
from fault_files import MARKS, Disk, after_power_cut, power_cuts, through

N_TASKS, N_CHUNKS = 8, 4
CALLS: list[int] = []


def third(a: int) -> Any:
    CALLS.append(a)
    return np.full(300, a / 3) if a % 3 == 0 else a / 3


RIGHT = [np.asarray(third(a)).tobytes() for a in range(N_TASKS)]


def _run(store: Any, **options: Any) -> list[bytes]:
    CALLS.clear()
    tasks = [bp.Task(third, a) for a in range(N_TASKS)]
    results = bp.execute(tasks, store=store, store_key="3", **options)
    return [np.asarray(one).tobytes() for one in results]


def _recorded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, share: float, pages: int = 6, fault: int = 0
) -> list[Any]:
    """Return what happened in a run, and when what was reported.

    With `share` 1 every result is safe before it is passed on, with 0 only before a callback gets
    it and before the run returns. A `fault` makes that sync fail, and the run is repeated.
    """
    monkeypatch.setattr(file, "_MOST_SYNCING", share or 1e-12)
    folder.mkdir()
    disk = Disk(folder, remembers=True)
    path = folder / "a.db"
    options: dict[str, Any] = {}
    with through(disk, pages=pages):
        bp.execute([bp.Task(abs, -1)], store=path)
    if share:
        put = ResultList.put

        def noted(self: Any, positions: Any, values: Any, seconds: float) -> None:
            disk.note("reported", list(positions))
            put(self, positions, values, seconds)

        monkeypatch.setattr(ResultList, "put", noted)
    else:
        options = {
            "n_chunks": N_CHUNKS,
            "post_chunk_func": lambda at: disk.note("reported", list(at)),
            "post_chunk_kwargs": {"at": bp.Rep("chunk_meta")},
        }
    with through(disk, pages=pages):
        with bp.Store(path) as store:
            if fault:
                disk.arm("unsynced", fault, lasting=False)
                with suppress(bp.StoreError):
                    _run(store, **options)
                disk.disarm()
            assert _run(store, **options) == RIGHT
            disk.note("reported", list(range(N_TASKS)))
            disk.note("open")
        disk.note("closed")
    monkeypatch.undo()
    # With few pages there is a checkpoint in mid-run, which moves the log into the file.
    moves = [event[0] == "write" and event[1] == "a.db" for event in disk.events]
    assert pages > 100 or any(moves[: disk.events.index(("open",))])
    return disk.events


def _is_kept(path: Path, reported: set[int]) -> bool:
    """Return whether the promise holds for what a power cut left."""
    kept: dict[int, bytes] = {}
    if path.exists():
        with bp.Store(path) as store:
            for run in store.runs()["run"]:
                head = store.runs().set_index("run").loc[run]
                if head["name"] == "abs":
                    continue
                trials = store.trials(run)
                for _, row in trials.iterrows():
                    kept[row["call"]] = np.asarray(row["value"]).tobytes()
                assert len(kept) == head["trials"] == len(trials)
    if not set(kept) >= reported:
        return False
    assert all(RIGHT[at] == value for at, value in kept.items())
    assert _run(path) == RIGHT
    assert sorted(CALLS) == [a for a in range(N_TASKS) if a not in kept]
    return True


@pytest.mark.parametrize("share", [1, 0], ids=["each result", "each callback"])
@pytest.mark.parametrize(
    ("step", "seeds"), [(23, 1), pytest.param(1, 6, marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_what_was_reported_survives_a_power_cut(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, step: int, seeds: int
) -> None:
    events = _recorded(quick_path / "first", monkeypatch, share)
    for cut, path, told in power_cuts(events, quick_path / "cut", step, seeds):
        assert _is_kept(path, told), cut


@pytest.mark.parametrize(
    ("pages", "step"),
    [
        (1000, 5),
        pytest.param(1000, 1, marks=pytest.mark.slow),
        pytest.param(6, 1, marks=pytest.mark.slow),
    ],
)
def test_what_is_reported_after_a_failed_sync_survives_a_power_cut(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, pages: int, step: int
) -> None:
    for fault in count(1, step):
        folder = quick_path / str(fault)
        events = _recorded(folder, monkeypatch, 1, pages, fault)
        if not any(event[0] == "lost" for event in events):
            break
        told: set[int] = set()
        for at, event in enumerate(events):
            if event[0] == "reported" and not told.issuperset(event[1]):
                told.update(event[1])
                place = folder / f"cut {at}"
                place.mkdir()
                happened = [event for event in events[:at] if event[0] not in MARKS]
                after_power_cut(happened, place, "synced")
                assert _is_kept(place / "a.db", told), (fault, at)
    assert fault > 8


def test_without_syncing_a_power_cut_takes_what_was_reported(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk here does lose what a careless store would lose."""
    events = _recorded(quick_path / "first", monkeypatch, 1)
    careless = [event for event in events if event[:2] != ("sync", "a.db-wal")]
    lost = 0
    for at in [at for at, event in enumerate(careless) if event[0] == "reported"]:
        place = quick_path / f"cut {at}"
        place.mkdir()
        happened = [event for event in careless[:at] if event[0] != "reported"]
        after_power_cut(happened, place, "synced")
        lost += not _is_kept(place / "a.db", set(careless[at][1]))
    assert lost > 2


@pytest.mark.parametrize("share", [1, 0])
def test_claims_wait_for_no_disk(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    events = _recorded(quick_path / "first", monkeypatch, share, pages=1000)
    began = next(at for at, event in enumerate(events) if event[0] == "reported")
    during = events[began : events.index(("open",))]
    n_syncs = sum(event[:2] == ("sync", "a.db-wal") for event in during)
    assert n_syncs == (N_TASKS if share else N_CHUNKS) - 1
