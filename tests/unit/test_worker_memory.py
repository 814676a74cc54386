# SPDX-License-Identifier: BSD-3-Clause
"""What a task held is free as soon as it ends, in its worker and here."""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from broadpeak import Task, TaskError, engines, execute
from broadpeak._run import remote
from broadpeak._run.batches import Batch
from broadpeak._run.shared import SharedObjects

N = 20_000_000  # floats, 160 MB: the allocator gives such blocks back to the system at once
LIMIT = 100_000  # kB; less than one array, more than what two workers load with their first task


def children() -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (folder / "stat").read_text().rpartition(")")[2].split()[1] == str(os.getpid()):
                yield int(folder.name)


def private() -> int:
    """Return how much memory, in kB, the processes have that this one started."""
    total = 0
    for pid in children():
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(("Private_Clean", "Private_Dirty")):
                    total += int(line.split()[1])
    return total


# Functions of NumPy alone: those of this module would make workers import what it imports.
WORK: dict[str, Callable[[np.ndarray], list[Task]]] = {
    "an argument": lambda array: [Task(np.sum, array)],
    "a shared argument": lambda array: [Task(np.sum, array)] * 4,
    "a failure": lambda array: [Task(np.reshape, array, (3, 3))] * 3,
    "a result": lambda array: [Task(np.ones, N)],
    "a result that cannot travel": lambda array: [Task(memoryview, array)] * 2,
}


@pytest.mark.engine
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads files of Linux")
@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processpool", "joblib", "pathos"])
def test_a_worker_holds_nothing_of_a_task_that_ended(engine: str) -> None:
    engines.shutdown()
    array = np.ones(N)
    options: dict[str, Any] = {"engine": engine, "n_workers": 2, "on_error": "record"}
    execute([Task(abs, -1)] * 8, **options)
    before = private()
    pause = threading.Event()
    for name, work in WORK.items():
        execute(work(array), **options)
        for _ in range(100):  # workers of joblib look once a second whether a run has ended
            if private() - before < LIMIT:
                break
            pause.wait(0.05)
        assert private() - before < LIMIT, name


class Held:
    """Something whose end can be seen."""


_seen: list[Any] = []


def make_and_fail() -> None:
    held = Held()
    _seen.append(weakref.ref(held))
    raise ValueError(str(held))


def test_what_a_task_made_goes_with_its_report_and_its_bytes_with_its_start() -> None:
    unit = Batch(range(2), [Task(make_and_fail)] * 2)
    payload: list[Any] = [pickle.dumps(unit)]
    gc.collect()
    gc.disable()
    try:
        report = remote.load_result(remote.serve(payload, mark=b"d")[1:])
        assert report.failures == [0, 1]
        assert payload == []
        assert [ref() for ref in _seen] == [None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize("engine", ["serial", "threadpool"])
def test_results_go_with_the_list_that_holds_them(engine: str) -> None:
    gc.collect()
    gc.disable()
    try:
        results = execute([Task(Held), Task(Held)], engine=engine, n_workers=2)
        seen = [weakref.ref(result) for result in results]
        del results
        assert [ref() for ref in seen] == [None, None]
    finally:
        gc.enable()


def test_what_ended_runs_shared_is_forgotten() -> None:
    ended, other = SharedObjects(), SharedObjects()
    calls = [ended.dumps(Task(np.sum, array))[0] for array in [np.ones(100_000)] * 2]
    other.dumps([kept := np.ones(100_000)])
    rest = other.dumps([kept])[0]
    for data in (calls[1], rest):
        pickle.loads(data)
    ended.close()
    remote.forget_ended()
    assert ended.name not in remote._held
    assert other.name in remote._held
    other.close()
    remote.forget_ended()
    assert other.name not in remote._held


def test_threads_of_a_worker_may_let_go_of_the_same_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held: dict[int | str, Any] = {remote._FOLDER: "f", "f/1": 1, "f/2": 2}

    def exists(path: str) -> bool:
        held.pop(path, None)  # as another thread does meanwhile
        held[f"f/{len(held) + 7}"] = 3  # and this one has come
        return False

    with monkeypatch.context() as patch:
        patch.setattr(os.path, "exists", exists)
        remote._let_go(held)
    assert not {"f/1", "f/2"} & set(held)
    assert remote._FOLDER in held


def limit_memory(more: int) -> int:
    """Let this process have only `more` bytes more than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource = importlib.import_module("resource")  # it is not everywhere
    limit = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return os.getpid()


@pytest.mark.engine
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads files of Linux")
@pytest.mark.parametrize(
    ("work", "when"),
    [
        (lambda: Task(np.sum, np.ones(N)), "while a task was received"),
        (lambda: Task(np.sum, np.ones(N // 3)), "while the task was rebuilt"),
        (lambda: Task(np.ones, 2 * N // 5), "while results were pickled"),
        (lambda: Task(np.ones, N), "MemoryError"),
    ],
    ids=["received", "rebuilt", "returned", "in the task"],
)
def test_a_worker_out_of_memory_fails_the_task_it_had(work: Callable[[], Task], when: str) -> None:
    options: dict[str, Any] = {"engine": "processpool", "n_workers": 1, "on_error": "record"}
    options["engine_options"] = {"reuse": False}
    tasks = [Task(limit_memory, 100_000_000), work(), Task(abs, -1)]
    first, failed, last = execute(tasks, timeout=60.0, **options)
    assert (type(first), last) == (int, 1)
    assert failed.status == "failed"
    assert when in repr(failed.error)
    if when != "MemoryError":
        assert "Pass a smaller n_workers=" in str(failed.error)


@pytest.mark.engine
def test_a_worker_that_was_killed_says_so_and_what_to_do() -> None:
    tasks = [Task(abs, -1), Task(kill_itself), Task(abs, -2)]
    results = execute(tasks, engine="processpool", n_workers=2, on_error="record")
    assert results[::2] == [1, 2]
    assert results[1].status == "died"
    text = str(results[1].error)
    assert "was killed by SIGKILL (often: out of memory). Pass retries=" in text
    with pytest.raises(TaskError, match=r"(?s)lost its worker.*smaller n_workers= if memory"):
        execute(tasks, engine="processpool", n_workers=2)


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["threadpool", "processpool"])
def test_a_task_that_hangs_is_named_with_what_to_do(engine: str) -> None:
    tasks = [Task(abs, -1), Task(threading.Event().wait) if engine == "threadpool" else Task(hang)]
    with pytest.raises(TaskError, match=r"(?s)Call 1 took too long.*timeout=0.3.*larger timeout="):
        execute(tasks, engine=engine, n_workers=2, timeout=0.3)


def hang() -> None:
    threading.Event().wait()
