# SPDX-License-Identifier: BSD-3-Clause
"""Worker processes with a pipe each, so that it is known which unit a worker holds when it dies.

Everything happens in the thread that runs the tasks: no feeder or manager threads, hence fork is
safe and Ctrl-C arrives where it is handled.
"""

from __future__ import annotations

import atexit
import math
import os
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import connection as mp_connection
from time import perf_counter
from typing import Any

from broadpeak._run import worker as far
from broadpeak._run.batching import Batcher
from broadpeak._run.remote import load_report, not_sent
from broadpeak._run.running import late, place
from broadpeak._run.shared import Exchange
from broadpeak._run.task import Batch, BatchResult, TaskQueue, lost
from broadpeak.errors import EngineError

_SMALL = 32 * 1024  # bytes that fit a pipe while the other end is busy
_SHORT_SECONDS = 0.2  # units this short are queued one ahead, so that a worker never waits
_PATIENCE_SECONDS = 1.0
_START_SECONDS = 120.0  # a fork of a program with threads may never come to itself
_FAILED_STARTS = 3
_LONGEST_WAIT = 3600.0  # systems count milliseconds of a wait in few bits; one more wait follows


class _Worker:
    """One process and what it was given."""

    def __init__(self, process: Any, pipe: Any) -> None:
        self.process = process
        self.pipe = pipe
        self.born = perf_counter()
        self.is_ready = False  # what it is given before waits here: it may never read it
        self.held: deque[Batch] = deque()
        self.unsent: deque[bytes] = deque()
        self.has_begun = False  # with the first unit it holds
        self.started: float | None = None  # when the tasks of that unit started
        self.setting: Any = None

    def send(self, unit: Batch, payload: bytes) -> None:
        """Hand over one unit. A broken pipe shows at the next `receive`."""
        self.held.append(unit)
        self.unsent.append(payload)
        if self.is_ready:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        with suppress(OSError):
            setting = (sys.path[:], _folder(), place())
            if self.unsent and setting != self.setting:
                path, folder, where = setting
                self.pipe.send_bytes(far.SETTING + pickle.dumps((path, folder[0], where)))
                self.setting = setting
            while self.unsent:
                self.pipe.send_bytes(self.unsent.popleft())

    def tell(self, message: bytes) -> None:
        with suppress(OSError):
            self.pipe.send_bytes(message)

    def deadline(self) -> float | None:
        """Return when it, or its current unit, has run out of time."""
        if not self.is_ready:
            return self.born + _START_SECONDS
        if self.started is None or self.held[0].timeout is None:
            return None
        return self.started + self.held[0].timeout

    def seconds(self) -> float:
        """Return how long its tasks have run; NaN before they started."""
        return math.nan if self.started is None else perf_counter() - self.started


class WorkerPool:
    """Worker processes that outlive a run.

    Parameters
    ----------
    start : callable
        Starts one worker; returns its process and its pipe.
    n_workers : int
        How many there are while a run goes on.
    """

    def __init__(self, start: Callable[[], tuple[Any, Any]], n_workers: int) -> None:
        self._start = start
        self._n_workers = n_workers
        self._workers: list[_Worker] = []
        self._most = n_workers
        self._failed_starts = 0

    def run(self, source: TaskQueue, exchange: Exchange) -> Iterator[tuple[Batch, BatchResult]]:
        """Yield the report of every unit as it finishes."""
        batcher = Batcher(self._n_workers)
        self._most, self._failed_starts = self._n_workers, 0
        try:
            while True:
                yield from self._fill(source, exchange, batcher)
                if not any(worker.held for worker in self._workers):
                    return
                for worker in self._wait():
                    for unit, report in self._receive(worker, source):
                        batcher.record(len(report.values), report.seconds)
                        yield unit, report
                yield from self._late(source)
        finally:
            self._kill([worker for worker in self._workers if worker.held])
            for worker in self._workers:
                worker.tell(far.FORGET + exchange.name.encode())

    def _fill(
        self, source: TaskQueue, exchange: Exchange, batcher: Batcher
    ) -> Iterator[tuple[Batch, BatchResult]]:
        """Give work to workers that have none, then one unit ahead where units are short."""
        ahead = 2 if batcher.seconds < _SHORT_SECONDS else 1
        for n_held in range(ahead):
            slot = 0
            while slot < self._most:
                if slot < len(self._workers) and len(self._workers[slot].held) != n_held:
                    slot += 1
                    continue
                unit = source.take(batcher.size(source.n_left))
                if unit is None:
                    return
                payload = _payload(unit, exchange)
                if isinstance(payload, BatchResult):
                    yield unit, payload
                    continue
                if n_held and len(payload) > _SMALL:
                    source.put_back(unit)
                    return
                worker = self._worker(slot)
                if worker is None:
                    source.put_back(unit)
                    return
                worker.send(unit, payload)
                slot += 1

    def _worker(self, slot: int) -> _Worker | None:
        """Return the worker at `slot`, started if need be; None if those there are must do."""
        if slot < len(self._workers):
            return self._workers[slot]
        if self._failed_starts >= _FAILED_STARTS:
            msg = (
                "Worker processes must start, but they ended before they began with a task, "
                f"{self._failed_starts} times in a row. What they printed tells why; "
                "engine='threadpool' or 'serial' runs without processes."
            )
            raise EngineError(msg)
        try:
            worker = _Worker(*self._start())
        except EngineError:
            if not self._workers:
                raise
            self._most = len(self._workers)  # the system gives no more of them
            return None
        self._workers.append(worker)
        return worker

    def _wait(self) -> list[_Worker]:
        """Wait until a worker has something to say, ends, or runs out of time."""
        by_signal: dict[Any, _Worker] = {}
        for worker in self._workers:
            by_signal[worker.pipe] = worker
            if worker.process.sentinel is not None:
                by_signal[worker.process.sentinel] = worker
        deadlines = [worker.deadline() for worker in self._workers]
        known = [deadline for deadline in deadlines if deadline is not None]
        patience = min(max(0.0, min(known) - perf_counter()), _LONGEST_WAIT) if known else None
        ready = mp_connection.wait(list(by_signal), patience)
        return list({id(by_signal[item]): by_signal[item] for item in ready}.values())

    def _receive(self, worker: _Worker, source: TaskQueue) -> Iterator[tuple[Batch, BatchResult]]:
        """Yield the reports that have arrived; if the worker ended, that of its current unit."""
        try:
            while worker.pipe.poll(0):
                message = worker.pipe.recv_bytes()
                kind = message[:1]
                if kind == far.READY:
                    worker.is_ready = True
                    worker.flush()
                elif kind == far.BEGIN:
                    worker.has_begun, self._failed_starts = True, 0
                elif kind == far.LOADED:
                    # Only now: what a fresh worker has to import is no time of the task.
                    worker.started = perf_counter()
                elif kind == far.REPORT:
                    worker.has_begun, worker.started = False, None
                    report = load_report(memoryview(message)[1:])
                    del message
                    yield worker.held.popleft(), report
                elif kind == far.BYE:  # it was idle for long
                    self._remove(worker, source)
                    return
        except (EOFError, OSError):
            pass
        else:
            if worker.process.is_alive():
                return
        yield from self._ended(worker, source)

    def _ended(self, worker: _Worker, source: TaskQueue) -> Iterator[tuple[Batch, BatchResult]]:
        """Yield the report of the unit that a worker was at when it ended, if it was at one."""
        if not worker.has_begun:
            self._failed_starts += 1
            self._remove(worker, source)
            return
        unit = worker.held.popleft()
        error = EngineError(f"The worker process must live, but it {_end_of(worker.process)}.")
        self._remove(worker, source)
        yield unit, lost("died", error, worker.seconds())

    def _late(self, source: TaskQueue) -> Iterator[tuple[Batch, BatchResult]]:
        """End the workers that are late, and yield the reports of what they were at."""
        now = perf_counter()
        for worker in list(self._workers):
            deadline = worker.deadline()
            if deadline is None or deadline > now or worker.pipe.poll(0):
                continue
            if not worker.is_ready:
                self._failed_starts += 1
                self._remove(worker, source)
                continue
            unit = worker.held.popleft()
            seconds = worker.seconds()
            for waiting in reversed(worker.held):
                source.put_back(waiting)
            worker.held.clear()
            self._kill([worker])
            yield unit, lost("timeout", late(unit.timeout or 0.0), seconds)

    def _remove(self, worker: _Worker, source: TaskQueue) -> None:
        for unit in reversed(worker.held):
            source.put_back(unit)
        worker.held.clear()
        self._kill([worker])

    def _kill(self, workers: list[_Worker]) -> None:
        """End `workers` now, whatever they are doing."""
        for worker in workers:
            if worker in self._workers:
                self._workers.remove(worker)
            with suppress(Exception):
                worker.process.terminate()
        _join(workers)
        _let_go(workers)

    def drop_ended(self) -> None:
        """Forget workers that ended while nobody looked."""
        self._kill([worker for worker in self._workers if _has_ended(worker)])

    def shutdown(self) -> None:
        """End all workers, which are idle."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.tell(far.QUIT)
        _join(workers)
        _let_go(workers)

    def disown(self) -> None:
        """Forget the workers: they are children of the process that this one was forked from."""
        for worker in self._workers:
            disown = getattr(worker.process, "disown", None)
            if disown is not None:
                disown()


def _folder() -> tuple[str | None, int, int]:
    """Return the working folder, None if it is gone, and what tells it from one of that name."""
    try:
        here = os.stat(".")  # noqa: PTH116  # for every unit
        return os.getcwd(), here.st_dev, here.st_ino  # noqa: PTH109
    except OSError:
        return None, 0, 0


def _payload(unit: Batch, exchange: Exchange) -> bytes | BatchResult:
    timeout, unit.timeout = unit.timeout, None  # kept here: a worker that is late is ended
    try:
        return exchange.dumps(unit, far.UNIT)
    except (EngineError, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001  # pickle raises whatever objects raise
        return lost("failed", not_sent(error))
    finally:
        unit.timeout = timeout


def _has_ended(worker: _Worker) -> bool:
    """Return whether `worker` is gone or about to go; what a living one said is `READY`."""
    try:
        while worker.pipe.poll(0):
            if worker.pipe.recv_bytes()[:1] != far.READY:
                return True
            worker.is_ready = True
    except (EOFError, OSError):
        return True
    return not worker.process.is_alive()


def _join(workers: list[_Worker]) -> None:
    """Wait for processes that were told to end, and do not take no for an answer."""
    until = perf_counter() + _PATIENCE_SECONDS
    for worker in workers:
        worker.process.join(max(0.0, until - perf_counter()))
    for worker in workers:
        if worker.process.is_alive():
            with suppress(OSError):
                os.kill(worker.process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            worker.process.join(_PATIENCE_SECONDS)


def _let_go(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.pipe.close()
        with suppress(ValueError):  # it is still there, whatever was tried
            worker.process.close()


def _end_of(process: Any) -> str:
    process.join(_PATIENCE_SECONDS)
    code = process.exitcode
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (often: out of memory)" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"


_idle: dict[Any, WorkerPool] = {}
_lock = threading.Lock()


def check_out(key: Any, make: Callable[[], WorkerPool]) -> WorkerPool:
    """Return the idle pool of `key` if there is one, else a new one, for the caller alone."""
    with _lock:
        pool = _idle.pop(key, None)
    if pool is None:
        return make()
    pool.drop_ended()
    return pool


def check_in(key: Any, pool: WorkerPool) -> None:
    """Keep `pool` for the next run; one is kept for each key."""
    with _lock:
        other = _idle.get(key)
        _idle.setdefault(key, pool)
    if other is not None:
        pool.shutdown()


def shutdown() -> None:
    """End all idle workers."""
    with _lock:
        pools = list(_idle.values())
        _idle.clear()
    for pool in pools:
        pool.shutdown()


def _forget_after_fork() -> None:
    """Leave the workers of the parent alone: they are not ours to use or to end."""
    global _lock  # noqa: PLW0603  # it may have been held at the fork
    _lock = threading.Lock()
    for pool in _idle.values():
        pool.disown()
    _idle.clear()


atexit.register(shutdown)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
