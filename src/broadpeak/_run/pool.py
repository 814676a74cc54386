# SPDX-License-Identifier: BSD-3-Clause
"""Our own executor: worker processes with a pipe each.

A pipe each shows which batch a worker holds: a worker that dies fails that batch alone, and one
that is late can be killed without harm to the others, even if it is deep in C code.
Everything happens in the thread that runs the tasks: there are no feeder or manager threads, so
fork is safe, and Ctrl-C arrives where it is handled.
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
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from time import perf_counter
from typing import Any, Protocol, TypeVar

from broadpeak._core.threads import nesting
from broadpeak._run import worker as far
from broadpeak._run.batches import died_text, late, lost
from broadpeak._run.dispatch import NOT_BEGUN, Answer, Ticket, WorkItem
from broadpeak._run.starting import never_began
from broadpeak.errors import EngineError

_NOTED_SECONDS = 0.001  # between two looks whether it is noted that a process has ended
_PATIENCE_SECONDS = 1.0
_QUIT_SECONDS = 6.0  # for a worker that is idle, but may have to end a cluster of its own
_START_SECONDS = 120.0  # a fork of a program with threads may be stuck for ever
_LOAD_SECONDS = 120.0  # on top of a timeout: a fresh worker may have to import much
_FAILED_STARTS = 3
_LONGEST_WAIT = 3600.0  # systems count milliseconds of a wait in few bits; one more wait follows


class WorkerProcess(Protocol):
    """What is used of `multiprocessing.Process`, and what a process of our own has, too."""

    @property
    def sentinel(self) -> int | None: ...
    @property
    def exitcode(self) -> int | None: ...
    def is_alive(self) -> bool: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...
    def join(self, timeout: float) -> None: ...


class _Held:
    """A batch that a worker holds."""

    __slots__ = ("payload", "ticket", "timeout")

    def __init__(self, item: WorkItem) -> None:
        self.ticket = id(item.batch)
        self.timeout = item.batch.timeout
        self.payload: bytes | None = item.payload  # until it is sent


class _Worker:
    """One process and the batches it holds.

    Its messages say how far it is. READY: it has started. BEGIN: it has a batch; if it dies from
    here on, the batch killed it, else it could not start, and its batches go to other workers.
    LOADED: the batch is rebuilt; only now its time runs, for a fresh worker may have to import
    much. RESULT: the batch has ended. BYE: it was idle for long and ends.
    """

    def __init__(self, process: WorkerProcess, pipe: Connection) -> None:
        self.process = process
        self.pipe = pipe
        self.born = perf_counter()
        self.is_ready = False
        self.held: deque[_Held] = deque()
        self.asked = self.born  # when the first batch it holds became the first
        self.has_begun = False  # with that batch
        self.started: float | None = None  # when the tasks of that batch started
        self.setting: tuple[object, ...] | None = None

    def send(self) -> None:
        """Send what it holds and has not got. A broken pipe shows at the next `receive`.

        Before it is ready nothing is written: it may never read it, and a full pipe would block.
        """
        if not self.is_ready:
            return
        with suppress(OSError):
            for held in self.held:
                if held.payload is None:
                    continue
                setting = (sys.path[:], folder_here(), nesting.get())
                if setting != self.setting:
                    path, folder, inside = setting
                    self.pipe.send_bytes(far.SETTING + pickle.dumps((path, folder[0], inside)))
                    self.setting = setting
                payload, held.payload = held.payload, None
                if held is self.held[0]:
                    self.asked = perf_counter()
                self.pipe.send_bytes(payload)

    def notify(self, message: bytes) -> None:
        with suppress(OSError):
            self.pipe.send_bytes(message)

    def deadline(self) -> float | None:
        """Return when it, or its current batch, has run out of time."""
        if not self.is_ready:
            return self.born + _START_SECONDS
        timeout = self.held[0].timeout if self.held else None
        if timeout is None:
            return None
        if self.started is None:  # stopped, or stuck in an import: it must not hang for ever
            return self.asked + _LOAD_SECONDS + timeout
        return self.started + timeout

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

    Attributes
    ----------
    n_workers : int
        How many there can be: fewer than requested, where the system allows no more.
    """

    def __init__(
        self, start: Callable[[], tuple[WorkerProcess, Connection]], n_workers: int
    ) -> None:
        self._start = start
        self._n_asked = self.n_workers = n_workers
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def begin_run(self) -> None:
        """Forget the failures of the last run, and workers that have ended since."""
        self.n_workers, self._failed_starts = self._n_asked, 0
        self._kill([worker for worker in self._workers if _has_ended(worker)])

    def submit(self, item: WorkItem) -> Ticket | None:
        """Give a batch to a worker that has none, else to one that has only one."""
        worker = next((worker for worker in self._workers if not worker.held), None)
        if worker is None and len(self._workers) < self.n_workers:
            worker = self._start_worker()
        elif worker is None:
            worker = next((worker for worker in self._workers if len(worker.held) == 1), None)
        if worker is None:
            return None
        held = _Held(item)
        worker.held.append(held)
        worker.send()
        return held.ticket

    def wait(self) -> Iterator[tuple[Ticket, Answer]]:
        """Wait until a worker has something to say, ends, or runs out of time."""
        by_signal: dict[Any, _Worker] = {}
        deadlines = []
        for worker in self._workers:
            by_signal[worker.pipe] = worker
            if worker.process.sentinel is not None:
                by_signal[worker.process.sentinel] = worker
            if (deadline := worker.deadline()) is not None:
                deadlines.append(deadline)
        patience = None
        if deadlines:
            patience = min(max(0.0, min(deadlines) - perf_counter()), _LONGEST_WAIT)
        ready = wait(list(by_signal), patience)
        for worker in {id(by_signal[one]): by_signal[one] for one in ready}.values():
            yield from self._receive(worker)
        yield from self._end_late()

    def end_run(self, run: str) -> None:
        """Kill the workers that still hold a batch; let the others forget what the run shared."""
        self._kill([worker for worker in self._workers if worker.held])
        for worker in self._workers:
            worker.notify(far.FORGET + run.encode())

    def _start_worker(self) -> _Worker | None:
        """Return a new worker; None if the system allows no more."""
        if self._failed_starts >= _FAILED_STARTS:
            raise never_began(self._failed_starts)
        try:
            worker = _Worker(*self._start())
        except EngineError:
            if not self._workers:
                raise
            self.n_workers = len(self._workers)
            return None
        self._workers.append(worker)
        return worker

    def _receive(self, worker: _Worker) -> Iterator[tuple[Ticket, Answer]]:
        """Yield the results that have arrived; if the worker ended, that of its current batch."""
        try:
            while worker.pipe.poll(0):
                # In a list, so that its bytes are released while its results are read.
                message = [worker.pipe.recv_bytes()]
                kind = message[0][:1]
                if kind == far.READY:
                    worker.is_ready = True
                    worker.send()
                elif kind == far.BEGIN:
                    worker.has_begun, self._failed_starts = True, 0
                elif kind == far.LOADED:
                    worker.started = perf_counter()
                elif kind == far.RESULT:
                    worker.has_begun, worker.started, worker.asked = False, None, perf_counter()
                    held = worker.held.popleft()
                    yield held.ticket, memoryview(message.pop())[1:]
                elif kind == far.BYE:  # it was idle for long
                    yield from self._remove(worker)
                    return
        except (EOFError, OSError):
            pass
        else:
            if worker.process.is_alive():
                return
        if worker.has_begun:
            # The batch it ran killed it. Those it had not begun go to another worker.
            held = worker.held.popleft()
            error = EngineError(died_text(how_it_ended(worker.process)))
            seconds = worker.seconds()
            yield from self._remove(worker)
            yield held.ticket, lost("died", error, seconds)
        else:
            self._failed_starts += 1
            yield from self._remove(worker)

    def _end_late(self) -> Iterator[tuple[Ticket, Answer]]:
        """Kill the workers that are late, and report a timeout for what they were running."""
        now = perf_counter()
        for worker in list(self._workers):
            deadline = worker.deadline()
            if deadline is None or deadline > now or worker.pipe.poll(0):
                continue
            if not worker.has_begun:
                self._failed_starts += 1
                yield from self._remove(worker)
                continue
            held, seconds = worker.held.popleft(), worker.seconds()
            yield from self._remove(worker)
            yield held.ticket, lost("timeout", late(held.timeout or 0.0), seconds)

    def _remove(self, worker: _Worker) -> Iterator[tuple[Ticket, Answer]]:
        """Kill `worker` and return what it holds but has not begun."""
        unbegun = [held.ticket for held in worker.held]
        worker.held.clear()
        self._kill([worker])
        for ticket in reversed(unbegun):
            yield ticket, NOT_BEGUN

    def _kill(self, workers: list[_Worker]) -> None:
        """End `workers` now, whatever they are doing."""
        for worker in workers:
            if worker in self._workers:
                self._workers.remove(worker)
            with suppress(Exception):
                worker.process.terminate()
        _join(workers)
        _close_all(workers)

    def shutdown(self) -> None:
        """End all workers, which are idle."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.notify(far.QUIT)
        _join(workers, _QUIT_SECONDS)
        _close_all(workers)

    def disown(self) -> None:
        """Forget the workers: they are children of the process that this one was forked from."""
        for worker in self._workers:
            disown = getattr(worker.process, "disown", None)
            if disown is not None:
                disown()


def folder_here() -> tuple[str | None, int, int]:
    """Return the working folder, None if it is gone, and its device and inode."""
    try:
        here = os.stat(".")  # noqa: PTH116  # for every batch
        return os.getcwd(), here.st_dev, here.st_ino  # noqa: PTH109
    except OSError:
        return None, 0, 0


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


def _join(workers: list[_Worker], seconds: float = _PATIENCE_SECONDS) -> None:
    """Wait for processes that are to end, and kill those that do not."""
    until = perf_counter() + seconds
    for worker in workers:
        worker.process.join(max(0.0, until - perf_counter()))
    for worker in workers:
        if worker.process.is_alive():
            with suppress(OSError):
                worker.process.kill()
            worker.process.join(_PATIENCE_SECONDS)


def _close_all(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.pipe.close()
        with suppress(ValueError):  # it is still there, in spite of all
            worker.process.close()


def wait_until_ended(process: WorkerProcess, seconds: float) -> None:
    """Wait until a process has ended, and is known here to have; at most `seconds`.

    If a thread of another library waits for it, too, the system tells that one, and `join` returns
    before it has noted what it was told: until then the process would pass for alive.
    """
    pause, until = threading.Event(), perf_counter() + seconds
    process.join(seconds)
    while process.is_alive() and perf_counter() < until:
        pause.wait(_NOTED_SECONDS)


def how_it_ended(process: WorkerProcess) -> str:
    """Return in words how `process` ended."""
    wait_until_ended(process, _PATIENCE_SECONDS)
    code = process.exitcode
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (often: out of memory)" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"


class Reusable(Protocol):
    """Workers that may wait for another run."""

    def shutdown(self) -> None: ...
    def disown(self) -> None: ...


_AnyPool = TypeVar("_AnyPool", bound=Reusable)
_idle: dict[Hashable, Reusable] = {}
_ends_with: set[tuple[int, Callable[[], None]]] = set()
_lock = threading.Lock()


def check_out(key: Hashable, make: Callable[[], _AnyPool]) -> _AnyPool:
    """Return the idle pool of `key` if there is one, else a new one, for the caller alone."""
    with _lock:
        pool: Any = _idle.pop(key, None)  # what was checked in with this key
    return make() if pool is None else pool


def check_in(key: Hashable, pool: Reusable) -> None:
    """Keep `pool` for the next run; one is kept for each key."""
    end_with_child(shutdown)
    with _lock:
        other = _idle.get(key)
        _idle.setdefault(key, pool)
    if other is not None:
        pool.shutdown()


def end_with_child(work: Callable[[], None]) -> None:
    """Have `work` done at the end of a worker made by `multiprocessing`, which forgets `atexit`."""
    for name in ("multiprocessing", "multiprocess"):
        library = sys.modules.get(name)
        if library is None or library.parent_process() is None:
            continue
        if (os.getpid(), work) not in _ends_with:
            _ends_with.add((os.getpid(), work))
            library.util.Finalize(None, work, exitpriority=100)


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
