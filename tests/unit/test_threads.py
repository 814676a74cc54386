# SPDX-License-Identifier: BSD-3-Clause
"""Parts of a computation in threads: how many, and what becomes of errors, stops and forks."""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import loky
import pytest

import broadpeak as bp
from broadpeak._core import threads
from broadpeak._core.stopping import Stops, TaskStopped
from broadpeak._core.threads import Nesting, beside, core_count, nesting, share, spare_cores


@pytest.fixture(autouse=True)
def no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def test_cores_are_counted_as_process_pools_count_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert core_count() == loky.cpu_count()
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert core_count() == loky.cpu_count() == 1


def test_what_limits_numeric_libraries_limits_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "core_count", lambda: 8)
    assert spare_cores() == 8
    for limit, expected in (("3", 3), ("1", 1), ("0", 1), ("16", 8), ("2,4", 2), ("many", 8)):
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
        assert spare_cores() == expected, limit


def test_tasks_beside_one_another_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "core_count", lambda: 8)
    for n_beside, expected in ((1, 8), (3, 2), (8, 1), (50, 1)):
        token = nesting.set(Nesting(1, n_beside))
        assert spare_cores() == expected
        nesting.reset(token)


def test_threads_of_others_have_one_core_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "core_count", lambda: 8)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(spare_cores).result() == 1


def cores_of_a_task(_: int) -> int:
    return spare_cores()


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["threadpool", "processpool"])
def test_a_task_of_an_engine_has_its_share(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 2 * core_count()
    found = bp.execute([bp.Task(cores_of_a_task, i) for i in range(n)], engine=engine, n_workers=n)
    assert list(found) == [1] * n


def test_errors_are_raised_when_all_parts_have_ended() -> None:
    others_wait, ended = threading.Event(), []

    def work(part: int) -> None:
        if part == 1:
            others_wait.set()
            raise ValueError(part)
        assert others_wait.wait(10.0)
        ended.append(part)
        if part == 2:
            raise KeyError(part)

    with pytest.raises(ValueError, match="1"):
        share(work, 3)
    assert sorted(ended) == [0, 2]


def test_parts_run_where_no_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done: list[int] = []
    share(done.append, 3)
    assert sorted(done) == [0, 1, 2]


@pytest.mark.skipif(sys.platform == "win32", reason="signals to a thread")
def test_ctrl_c_comes_when_all_parts_have_ended() -> None:
    begun, ended = threading.Event(), []

    def work(part: int) -> None:
        if part == 0:
            assert begun.wait(10.0)
            signal.raise_signal(signal.SIGINT)
        else:
            begun.set()
            ended.append(part)

    with pytest.raises(KeyboardInterrupt):
        share(work, 2)
    assert ended == [1]


def test_a_stop_waits_for_all_parts() -> None:
    found: list[object] = []

    def thread() -> None:
        stops.adopt()
        asked = threading.Event()

        def work(part: int) -> None:
            if part == 1:
                stops.stop()
                asked.set()
            assert asked.wait(10.0)
            found.append(part)

        try:
            stops.open()
            share(work, 2)
            for _ in range(10**8):  # it comes at one of the next steps
                pass
        except TaskStopped:
            found.append("stopped")

    stops = Stops()
    running = threading.Thread(target=thread)
    running.start()
    running.join(20.0)
    assert not running.is_alive()
    assert set(found) == {0, 1, "stopped"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process")
def test_a_fork_has_threads_of_its_own() -> None:
    done: list[int] = []
    share(done.append, 3)
    child = os.fork()
    if child == 0:
        try:
            share(done.append, 3)
            os._exit(0 if sorted(done) == [0, 0, 1, 1, 2, 2] else 1)
        except BaseException:  # a child of a test must not go on as the test
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_work_goes_on_beside_its_caller() -> None:
    may_end, found = threading.Event(), []

    def work() -> None:
        assert may_end.wait(60)
        found.append(nesting.get())

    token = nesting.set(Nesting(1, 2))
    wait = beside(work)
    nesting.reset(token)
    assert found == []
    may_end.set()
    wait()
    assert found == [Nesting(1, 2)]
    wait()  # twice is no mistake


def test_an_error_beside_is_raised_where_it_is_waited_for() -> None:
    def work() -> None:
        raise KeyError("beside")

    wait = beside(work)
    with pytest.raises(KeyError, match="beside"):
        wait()


def test_work_is_done_here_where_there_are_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    found: list[int] = []
    wait = beside(lambda: found.append(1))
    assert found == [1]
    wait()
