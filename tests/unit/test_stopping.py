# SPDX-License-Identifier: BSD-3-Clause
"""Threads are stopped inside code of the user, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress

import numba
import pytest
from numba.core.compiler_lock import global_compiler_lock

import broadpeak as bp
from broadpeak._core.compile import kernel
from broadpeak._core.stopping import Stops, TaskStopped, Unstopped
from broadpeak._run import batches
from broadpeak._run.batches import Batch, run_batch

SECONDS = 30.0


class Worker:
    """A thread that runs `work`; `waits` in it lets the test go on until `go` is set."""

    def __init__(self, work):
        self.stops = Stops()
        self.is_there, self.go = threading.Event(), threading.Event()
        self.ended_by = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)

    def _run(self, work):
        self.stops.adopt()
        try:
            work(self)
        except BaseException as error:
            self.ended_by = type(error)

    def waits(self):
        self.is_there.set()
        assert self.go.wait(SECONDS)
        steps()

    def stop_while_it_waits(self):
        self._thread.start()
        assert self.is_there.wait(SECONDS)
        self.stops.stop()
        self.go.set()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()


def steps(n=20_000):
    """Take so many steps that a stop that was sent has to arrive."""
    for number in range(n):
        len(str(number))


def one_task(func):
    return Batch([0], [bp.Task(func)])


def test_a_stop_arrives_in_the_function_of_the_user():
    ended = []

    def work(worker):
        def task():
            worker.waits()
            ended.append(1)

        run_batch(one_task(task))

    worker = Worker(work)
    worker.stop_while_it_waits()
    assert worker.ended_by is TaskStopped
    assert ended == []


def test_a_stop_waits_until_a_failure_is_noted(monkeypatch):
    noted = []

    def work(worker):
        def slow(error):
            worker.waits()
            noted.append(error)
            return ""

        monkeypatch.setattr(batches, "traceback_text", slow)
        run_batch(one_task(lambda: 1 / 0))
        noted.append("went on")

    worker = Worker(work)
    worker.stop_while_it_waits()
    assert [type(one) for one in noted] == [ZeroDivisionError]
    assert worker.ended_by is TaskStopped


def test_a_stop_does_not_arrive_after_the_batch():
    done = []

    def work(worker):
        run_batch(one_task(int))
        worker.waits()
        done.append(1)
        with pytest.raises(TaskStopped):  # but no other batch is begun
            run_batch(one_task(lambda: steps() or done.append(2)))

    worker = Worker(work)
    worker.stop_while_it_waits()
    assert worker.ended_by is None
    assert done == [1]


def test_a_stop_waits_for_the_end_of_a_block_of_our_own():
    done = []

    def work(worker):
        def task():
            with Unstopped():
                worker.waits()
                done.append(1)
            steps()
            done.append(2)

        run_batch(one_task(task))

    worker = Worker(work)
    worker.stop_while_it_waits()
    assert worker.ended_by is TaskStopped
    assert done == [1]


def test_a_stop_waits_for_the_end_of_a_compilation():
    """A compiler that is stopped half-way frees parts of LLVM twice."""
    assert kernel  # where kernels are, Numba says when it compiles
    done = []

    def work(worker):
        def task():
            with global_compiler_lock, global_compiler_lock:  # as where a kernel calls another one
                worker.waits()
                done.append(1)
            steps()
            done.append(2)

        run_batch(one_task(task))

    worker = Worker(work)
    worker.stop_while_it_waits()
    assert worker.ended_by is TaskStopped
    assert done == [1]


def test_blocks_do_nothing_in_a_thread_that_nobody_stops():
    with Unstopped(), global_compiler_lock:
        steps(10)


def test_a_run_inside_a_task_is_stopped_too():
    done = []

    def work(worker):
        def inner():
            worker.waits()
            done.append(1)

        def task():
            bp.execute([bp.Task(inner)], engine="serial")
            done.append(2)

        run_batch(one_task(task))

    worker = Worker(work)
    worker.stop_while_it_waits()
    assert worker.ended_by is TaskStopped
    assert done == []


def test_after_a_run_inside_it_a_task_can_still_be_stopped():
    done = []

    def work(worker):
        def task():
            bp.execute([bp.Task(int)], engine="serial")
            worker.waits()
            done.append(1)

        run_batch(one_task(task))

    worker = Worker(work)
    worker.stop_while_it_waits()
    assert worker.ended_by is TaskStopped
    assert done == []


def test_stops_at_any_moment_leave_nothing_half_done():
    """Threads enter and leave code of the user; stops come when they come."""
    rounds, half = 100, []
    for number in range(rounds):
        entered = [0, 0]
        stops, ready = Stops(), threading.Event()

        def work(entered=entered, stops=stops, ready=ready):
            stops.adopt()
            ready.set()
            while not stops.is_asked:
                with suppress(TaskStopped):
                    try:
                        stops.open()
                        len("x")
                    finally:
                        stops.close()
                # Our own code: both lines are reached, or none.
                entered[0] += 1
                len(str(entered))
                entered[1] += 1

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        assert ready.wait(SECONDS)
        steps(number % 37 * 3)
        stops.stop()
        thread.join(SECONDS)
        assert not thread.is_alive()
        if entered[0] != entered[1]:
            half.append(number)
    assert half == []


def test_failures_of_many_threads_are_noted_in_full(monkeypatch):
    """The first failure ends a run, while other threads note theirs."""
    begun, ended = [], []

    def noting(error):
        begun.append(1)
        steps(60_000 if error.args[0] else 100)
        ended.append(1)
        return ""

    monkeypatch.setattr(batches, "traceback_text", noting)

    def fails(number, together):
        together.wait(SECONDS)
        raise OSError(number)

    for _ in range(10):
        together = threading.Barrier(4)
        with pytest.raises(bp.TaskError, match="OSError"):
            bp.execute(
                [bp.Task(fails, number, together) for number in range(4)],
                engine="threadpool",
                n_workers=4,
            )
    assert len(begun) > 20  # others were stopped before they failed
    assert len(begun) == len(ended)


def test_threads_that_compile_are_stopped_unharmed():
    """First calls of many kernels, in threads that a failure ends."""

    def compiled(number):
        if number == 3:
            raise OSError(number)
        return numba.njit(lambda x: x * number + 1)(2.0)

    for _ in range(3):
        with pytest.raises(bp.TaskError, match="OSError"):
            bp.execute(
                [bp.Task(compiled, number) for number in range(6)], engine="threadpool", n_workers=4
            )
    assert compiled(5) == 11.0


PROFILED = """
import sys, threading
from broadpeak._core.stopping import Stops, TaskStopped

for number in range(200):
    stops, ready = Stops(), threading.Event()

    def work():
        stops.adopt()
        try:
            stops.open()
            ready.set()
            for step in range(number * 10):
                len("x")
        except TaskStopped:
            pass
        finally:
            stops.close()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    stops.stop()
    thread.join()

sys.setprofile(lambda *_: None)
(lambda: len("x"))()
sys.setprofile(None)
print("ended")
"""


def test_no_stop_is_left_behind():
    """Up to Python 3.12 one that never arrives makes code under a profiler hang."""
    done = subprocess.run(
        [sys.executable, "-c", PROFILED], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "ended"


IN_KERNELS = """
import threading
from time import monotonic

import numpy as np

import broadpeak as bp
from broadpeak._core.stopping import Stops, TaskStopped
from broadpeak._simulation import simulation

kept = []
fills = simulation.Simulation.fills
simulation.Simulation.fills = lambda self: kept.append(self) or fills(self)
enter = np.arange(200) % 20 == 0
bp.PF.from_signals(bp.Data.sample("IBM")[:200], enter, np.roll(enter, 10)).trades
stops, n_stopped = Stops(), 0


def work():
    global n_stopped
    stops.adopt()
    while n_stopped < 400:
        try:
            stops.open()
            while True:
                fills(kept[0])
        except TaskStopped:
            n_stopped += 1
        finally:
            stops.close()
        stops.is_asked = False


thread = threading.Thread(target=work, daemon=True)
thread.start()
last = monotonic() + 60
while thread.is_alive() and monotonic() < last:
    stops.stop()
    thread.join(0.0005)
print("stopped", n_stopped)
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="stops are those of CPython")
def test_a_kernel_is_left_before_its_thread_is_stopped():
    """Numba goes on where making a named tuple failed: that ended the interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", IN_KERNELS], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "stopped 400"), done.stderr[-2000:]
