# SPDX-License-Identifier: BSD-3-Clause
"""Numbers of workers, times and attempts at their ends, and what is tried after a failure."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from broadpeak import BroadpeakError, EngineError, ParamError, Task, TaskError, execute
from broadpeak._run.batches import Batch
from broadpeak._run.chunks import Chunk
from broadpeak._run.taskqueue import TaskQueue

ENGINES = ["serial", "threadpool", pytest.param("processpool", marks=pytest.mark.engine)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "timeout", [math.inf, np.float32(np.inf), 1e300, 10**40, threading.TIMEOUT_MAX], ids=repr
)
def test_a_timeout_longer_than_any_wait_is_none(engine: str, timeout: Any) -> None:
    assert execute([Task(abs, -1)] * 2, engine=engine, n_workers=1, timeout=timeout) == [1, 1]


@pytest.mark.parametrize("timeout", [math.nan, -math.inf, 0.0, -1, True, "1", 1j, np.array([1, 2])])
def test_what_is_no_timeout_is_refused(timeout: Any) -> None:
    with pytest.raises(ParamError, match="timeout must be a positive number of seconds"):
        execute([Task(abs, -1)], timeout=timeout)


@pytest.mark.parametrize("engine", ["serial", "threadpool", "processpool", "joblib", "pathos"])
@pytest.mark.parametrize("n_workers", [0, -1, True, 1.5, math.inf, math.nan, "2", [2], 10**9, 4097])
def test_what_is_no_number_of_workers_is_refused(engine: str, n_workers: Any) -> None:
    with pytest.raises(ParamError, match=r"n_workers must be (an? .* of at least|at most)"):
        execute([Task(abs, -1)], engine=engine, n_workers=n_workers)


@pytest.mark.parametrize("name", ["retries", "chunk_len", "n_chunks", "size"])
@pytest.mark.parametrize("value", [-1, True, 1.5, math.inf, math.nan, "2", [2], 1j])
def test_what_is_no_count_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ParamError, match=f"{name} must be"):
        execute([Task(abs, -1)], **{name: value})


@pytest.mark.parametrize("name", ["retries", "chunk_len", "n_chunks"])
def test_huge_counts_mean_all(name: str) -> None:
    assert execute([Task(abs, -1)] * 3, **{name: 10**30}) == [1, 1, 1]


@pytest.mark.parametrize("engine", ["procespool", "", "SERIAL", None, 3, [], object, dict, len])
def test_what_is_no_engine_is_refused(engine: Any) -> None:
    with pytest.raises(BroadpeakError, match="engine"):
        execute([Task(abs, -1)], engine=engine)


def test_a_run_goes_on_with_as_many_threads_as_the_system_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, started = threading.Thread.start, []

    def only(most: int) -> Any:
        def starts(thread: threading.Thread) -> None:
            if len(started) == most:
                raise RuntimeError("can't start new thread")
            started.append(thread)
            start(thread)

        return starts

    monkeypatch.setattr(threading.Thread, "start", only(1))
    assert execute([Task(abs, -n) for n in range(9)], engine="threadpool", n_workers=4) == [
        *range(9)
    ]
    started.clear()
    monkeypatch.setattr(threading.Thread, "start", only(0))
    with pytest.raises(EngineError, match="thread must start"):
        execute([Task(abs, -1)], engine="threadpool", n_workers=4)


def batches(queue: TaskQueue) -> list[Batch]:
    return list(iter(queue.take, None))


def test_no_second_attempt_after_the_failure_that_ends_the_run() -> None:
    queue = TaskQueue([Task(abs, n) for n in range(6)], [Chunk(0, range(6))], single=True)
    first = [queue.take() for _ in range(6)]
    for batch in first:
        assert batch is not None
        queue.finish(batch, 1, [batch.part([0], 1)])
    queue.stop_after(3)
    assert [batch.positions[0] for batch in batches(queue)] == [0, 1, 2]
    # A batch that was taken and given back is handed out again only before the failure, too.
    queue = TaskQueue([Task(abs, n) for n in range(6)], [Chunk(0, range(6))], single=True)
    taken = [queue.take() for _ in range(4)]
    for batch in reversed(taken):
        assert batch is not None
        queue.put_back(batch)
    queue.stop_after(2)
    assert [batch.positions[0] for batch in batches(queue)] == [0, 1]


def test_a_timed_task_is_stopped_with_its_run(tmp_path: Path) -> None:
    """Its thread, which only waits for the time limit, passes the stop on."""
    beat = tmp_path / "beat"

    def go_on() -> None:
        for count in range(10**6):
            beat.write_text(str(count))

    def fail() -> None:
        while not beat.exists():
            pass
        raise ValueError

    with pytest.raises(TaskError, match="ValueError"):
        execute([Task(fail), Task(go_on)], engine="threadpool", n_workers=2, timeout=600.0)
    names = [thread.name for thread in threading.enumerate()]
    assert "broadpeak-task" not in names
