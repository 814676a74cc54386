# SPDX-License-Identifier: BSD-3-Clause
"""Workers of mpire that die, hang or never start, and what is large beside its queues."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from broadpeak import EngineError, ParamError, Task, engines, execute
from broadpeak._run import pool as pools
from broadpeak._run import shared
from broadpeak._run.engines import mpire
from broadpeak._run.starting import thread_limits
from broadpeak._run.worker import Parent

pytestmark = pytest.mark.engine
FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")


def run(tasks: Any, n_workers: int = 2, **options: Any) -> Any:
    return execute(tasks, engine="mpire", n_workers=n_workers, **options)


def test_only_the_batch_of_the_dead_worker_dies_and_it_runs_once(tmp_path: Path) -> None:
    def work(number: int) -> int:
        with (tmp_path / str(number)).open("a") as file:
            file.write("x")
        if number == 1:
            while not (tmp_path / "0").exists():
                threading.Event().wait(0.005)
            os.kill(os.getpid(), signal.SIGKILL)
        while number == 0 and not (tmp_path / "1").exists():
            threading.Event().wait(0.005)
        return number

    results = run(
        [Task(work, number) for number in range(8)],
        on_error="record",
        distribute="chunks",
        chunk_len=1,
    )
    assert [one for one in results if isinstance(one, int)] == [0, 2, 3, 4, 5, 6, 7]
    assert results[1].status == "died"
    assert "killed by SIGKILL (often: out of memory)" in str(results[1].error)
    calls = Counter({path.name: len(path.read_text()) for path in tmp_path.iterdir()})
    assert calls.pop("1") == 1
    assert set(calls.values()) <= {1, 2}  # what was on the way beside it runs again
    assert sum(calls.values()) <= 8


def test_a_task_that_holds_the_interpreter_lock_is_late_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mpire, "_GRACE_SECONDS", 0.5)
    tasks = [Task(abs, -1), Task(sum, range(10**13)), Task(abs, -2)]
    results = run(tasks, timeout=0.2, on_error="record")
    assert results[::2] == [1, 2]
    assert results[1].status == "timeout"
    assert "timeout=0.2" in str(results[1].error)
    assert run([Task(abs, -3)]) == [3]


def end_worker(worker_id: int, shared: Any) -> None:
    os._exit(3)


def never_begin(worker_id: int, shared: Any) -> None:
    threading.Event().wait()


wait_until_begun = mpire._Workers._wait_until_begun


def wait_until_mpire_says_so(self: mpire._Workers, begun: Any, n_workers: int) -> None:
    """Wait for what mpire says of workers that ended before the engine looks at them."""
    said: SimpleQueue[object] = SimpleQueue()
    said.put(begun.get())
    wait_until_begun(self, said, n_workers)


@FORK
def test_workers_that_cannot_start_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    engines.shutdown()
    monkeypatch.setattr(mpire, "_begin", end_worker)
    with pytest.raises(EngineError, match=r"must start.*threadpool"):
        run([Task(abs, 1)], engine_options={"reuse": False, "start_method": "fork"})
    with monkeypatch.context() as patch:  # a thread of mpire is the first to see it
        patch.setattr(mpire._Workers, "_wait_until_begun", wait_until_mpire_says_so)
        with pytest.raises(EngineError, match=r"must start.*threadpool"):
            run([Task(abs, 1)], engine_options={"reuse": False, "start_method": "fork"})
    monkeypatch.setattr(mpire, "_begin", never_begin)
    monkeypatch.setattr(mpire, "_START_SECONDS", 0.1)
    asked: list[object] = []  # to end themselves: those that have not begun would never do
    ask = partialmethod(asked.append)
    monkeypatch.setattr(mpire._Workers, "_stop", ask)
    with pytest.raises(EngineError, match=r"must start.*threadpool"):
        run([Task(abs, 1)], engine_options={"reuse": False, "start_method": "fork"})
    assert [one for one in multiprocessing.active_children() if "Worker-" in one.name] == []
    assert asked == []


@FORK
def test_a_process_of_which_another_thread_is_told_the_end_is_waited_for() -> None:
    process = multiprocessing.get_context("fork").Process(target=signal.pause)
    process.start()
    process.kill()
    _, status = os.waitpid(process.pid or 0, 0)  # as a thread of mpire that is about to note it
    assert process.is_alive()
    code = os.waitstatus_to_exitcode(status)
    note = threading.Timer(0.2, setattr, (process._popen, "returncode", code))  # type: ignore[attr-defined]
    note.start()
    assert pools.how_it_ended(process).startswith("was killed by SIGKILL")
    note.join()


def end_when_idle(number: int) -> int:
    """Let this worker be killed when it has answered."""
    timer = threading.Timer(0.2, os._exit, (9,))
    timer.daemon = True
    timer.start()
    return number


@FORK
def test_pools_that_start_at_the_same_time_know_their_own_workers() -> None:
    started: dict[int, list[int]] = {}
    gate = threading.Barrier(3)

    def start(number: int) -> None:
        gate.wait()
        pool = mpire._Workers(2, "fork", None, thread_limits(), Parent(os.getpid()))
        started[number] = [process.pid for process in pool._processes]
        pool.shutdown()

    threads = [threading.Thread(target=start, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pids = [pid for one in started.values() for pid in one]
    assert len(pids) == len(set(pids)) == 6


@FORK
def test_workers_that_end_between_batches_end_no_batch() -> None:
    def tasks() -> Any:
        for number in range(3):
            yield Task(end_when_idle, number)
            threading.Event().wait(0.4)
        yield Task(abs, -3)

    assert run(tasks(), n_workers=1, timeout=60) == [0, 1, 2, 3]


@FORK
def test_a_system_that_allows_no_process_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(multiprocessing.get_context("fork").Process, "start", refuse)
    with pytest.raises(EngineError, match=r"mpire .* must.*temporarily unavailable.*threadpool"):
        run([Task(abs, 1)], engine_options={"reuse": False, "start_method": "fork"})


def double(array: np.ndarray) -> np.ndarray:
    return 2 * array


@pytest.mark.parametrize("has_room", [True, False])
def test_what_is_large_leaves_no_file(
    has_room: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shared, "_MEMORY", tmp_path)
    seen: set[int] = set()
    if not has_room:
        monkeypatch.setattr(shared.tempfile, "mkdtemp", refuse)

    def tasks() -> Any:
        for number in range(6):
            yield Task(double, np.full(300_000, float(number)))
            seen.add(len(list(tmp_path.rglob("*"))))

    results = run(tasks(), timeout=60)
    assert [float(array.sum()) for array in results] == [600_000.0 * n for n in range(6)]
    assert max(seen) <= (1 + 2 * 2 if has_room else 0)  # a folder, and what two workers hold
    assert list(tmp_path.iterdir()) == []


def fork_and_wait(_: int) -> tuple[int, bool]:
    """Return how a fork that lives for a moment ended, and whether Ctrl-C is held back here."""
    pid = os.fork()
    if not pid:
        threading.Event().wait(0.3)
        os._exit(7)
    blocked = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), blocked


@FORK
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_a_worker_may_fork(method: str) -> None:
    options = {"start_method": method}
    assert run([Task(fork_and_wait, 1)] * 2, engine_options=options) == [(7, False)] * 2


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="has no affinity")
def test_workers_may_be_bound_to_cores() -> None:
    core = min(os.sched_getaffinity(0))
    options = {"cpu_ids": [core], "reuse": False}
    assert run([Task(os.sched_getaffinity, 0)], engine_options=options) == [{core}]
    for wrong in ([core] * 3, [10**6], ["first"]):
        with pytest.raises(ParamError, match="cpu_ids must suit"):
            run([Task(abs, 1)], engine_options={"cpu_ids": wrong})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start_method": "threading"}, "start_method must be one of"),
        ({"start_method": 3}, "start_method must be one of"),
        ({"use_dill": "yes"}, "use_dill must be"),
        ({"threads_per_worker": 0}, "threads_per_worker must be"),
        ({"n_jobs": 3}, "n_jobs"),
    ],
)
def test_what_is_no_option_is_refused(options: Any, words: str) -> None:
    with pytest.raises((ParamError, TypeError), match=words):
        run([Task(abs, 1)], engine_options=options)


def test_dill_pickles_what_cloudpickle_refuses() -> None:
    lock = threading.Lock()

    def locked(number: int) -> int:
        with lock:
            return number

    options = {"use_dill": True}
    assert run([Task(locked, 1), Task(locked, 2)], engine_options=options) == [1, 2]
    assert "mpire" in engines.available()


def test_a_message_for_which_there_is_no_room_is_removed_and_goes_through_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, path = bytes(100_000), tmp_path / "message"

    def write_bytes(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:1000])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    assert mpire._wrapped(memoryview(data), path) == data
    assert not path.exists()


def test_workers_of_another_thread_are_not_taken_for_own_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two runs may begin at once: one waits for the other to have started its workers."""
    engines.shutdown()
    others: list[Any] = []
    real = mpire.starting

    @contextmanager
    def after_others(*args: Any, **options: Any) -> Iterator[None]:
        other = multiprocessing.Process(target=signal.pause, name="Worker-0")
        other.start()
        others.append(other)
        with real(*args, **options):
            yield

    monkeypatch.setattr(mpire, "starting", after_others)
    try:
        assert run([Task(abs, -number) for number in range(4)]) == [0, 1, 2, 3]
        engines.shutdown()
        assert [other.is_alive() for other in others] == [True]
    finally:
        for other in others:
            other.kill()
            other.join()
