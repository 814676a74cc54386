# SPDX-License-Identifier: BSD-3-Clause
"""Processes that stay warm between runs; cloudpickle carries notebook functions and lambdas."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

from broadpeak._core import check
from broadpeak._run import pool as pools
from broadpeak._run import worker
from broadpeak._run.dispatch import Answer, FutureEngine, Ticket, WorkItem
from broadpeak._run.fresh import FreshProcess
from broadpeak.errors import EngineError, ParamError, broken_rule, described

_THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)

_starting = threading.Lock()


def _renew_lock() -> None:
    """Make a new lock in a forked worker, in which the old one is held for ever."""
    global _starting  # noqa: PLW0603
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


class ProcessEngine(FutureEngine):
    """Runs batches in worker processes.

    Parameters
    ----------
    n_workers : int
        Number of processes.
    start_method : {"fresh", "fork", "spawn", "forkserver"}, optional
        How a worker starts. "fresh", the default where the system is no Windows, starts an
        interpreter of its own, also where `multiprocessing` refuses to: in daemonic processes,
        without standard streams, in a folder that was removed. "spawn", the default on Windows,
        does it by `multiprocessing`, and "forkserver" forks one that is nearly fresh; none of them
        imports the main script, so it needs no guard. "fork" copies this process and is for those
        who know that nothing in it minds.
    threads_per_worker : int, optional
        Limit of BLAS, OpenMP and Numba threads in a worker. Default: 1, or what the environment
        says. A forked worker keeps the limits of libraries that are loaded already.
    reuse : bool
        Use the workers of the last run, and keep them for the next.

    Raises
    ------
    ParamError
        If an option is not what it must be.
    """

    ends_late = True
    mark = worker.BATCH
    name = "processpool"
    library = "multiprocessing"
    methods: tuple[str, ...] = ("fresh", "fork", "spawn", "forkserver")

    def __init__(
        self,
        n_workers: int,
        *,
        start_method: str | None = None,
        threads_per_worker: int | None = None,
        reuse: bool = True,
    ) -> None:
        super().__init__(n_workers)
        if start_method is None:
            start_method = "fresh" if os.name == "posix" else "spawn"
        self.start_method = check.one_of("start_method", start_method, self.methods)
        here = multiprocessing.get_all_start_methods()
        if start_method not in (["fresh", *here] if os.name == "posix" else here):
            raise ParamError(broken_rule("start_method", "exist on this system", start_method))
        if threads_per_worker is not None:
            threads_per_worker = check.integer("threads_per_worker", threads_per_worker)
        self._reuse = reuse
        self._limits = thread_limits(threads_per_worker)

    def start(self) -> None:
        """Take the workers of the last run, if there are any."""
        key = (self.library, self.start_method, self.n_workers, tuple(self._limits.items()))
        self._key = key
        self._pool = pools.check_out(key, self._make_pool) if self._reuse else self._make_pool()
        self._pool.begin_run()

    def submit(self, item: WorkItem) -> Ticket | None:
        """Give a batch to a worker."""
        ticket = self._pool.submit(item)
        self.n_workers = self._pool.n_workers  # the system may give fewer
        return ticket

    def wait(self) -> Iterator[tuple[Ticket, Answer]]:
        """Wait for the workers."""
        return self._pool.wait()

    def close(self, *, abandoned: bool) -> None:
        """Keep the workers for the next run, except those that are at work."""
        del abandoned  # the pool knows better who holds what
        self._pool.end_run("" if self.shared is None else self.shared.name)
        if self._reuse:
            pools.check_in(self._key, self._pool)
        else:
            self._pool.shutdown()

    def context(self) -> Any:
        """Return what makes processes and pipes."""
        return multiprocessing.get_context(self.start_method)

    def _make_pool(self) -> pools.WorkerPool:
        # Workers must be ended before the library waits for them at the end of the interpreter.
        util = importlib.import_module(f"{self.library}.util")
        util.Finalize(None, pools.shutdown, exitpriority=100)
        return pools.WorkerPool(self._start, self.n_workers)

    def _start(self) -> tuple[pools.WorkerProcess, Connection]:
        """Return a process and the pipe to it."""
        try:
            with _starting, _no_interrupt():
                if self.start_method == "fresh":
                    process = FreshProcess(self._limits)
                    return process, process.pipe
                return self._start_by_library()
        except EngineError:
            raise
        except Exception as error:
            other = "" if self.start_method == "fresh" else "engine='processpool' as it is, or "
            msg = (
                f"A worker process must start, but engine={self.name!r} with "
                f"start_method={self.start_method!r} met {described(error).rstrip('.')}. "
                f"Pass {other}engine='threadpool' or 'serial', which need no processes."
            )
            raise EngineError(msg) from error

    def _start_by_library(self) -> tuple[pools.WorkerProcess, Connection]:
        context = self.context()
        util = importlib.import_module(f"{self.library}.util")
        folder = util.get_temp_dir() if self.start_method == "forkserver" else None
        parent = worker.Parent(os.getpid(), self.library, folder)
        here, there = context.Pipe()
        try:
            args = (there, self._limits, parent)
            process = context.Process(target=worker.main, args=args, name="broadpeak-worker")
            with environment(self._limits), _without_main():
                process.start()
        except BaseException:
            here.close()
            raise
        finally:
            there.close()
        return process, here


def thread_limits(threads: int | None) -> dict[str, str]:
    """Return the variables that limit the threads of numeric libraries in a worker."""
    return {name: str(threads or os.environ.get(name) or 1) for name in _THREAD_LIMITS}


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables while a process starts, which reads them before it loads anything."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _without_main() -> Iterator[None]:
    """Start processes that do not import the main script.

    Its functions and classes travel by value, so nothing needs the import, and a script without
    ``if __name__ == "__main__":`` would start itself again in every worker. `multiprocessing` looks
    up the file of the main module; while a process starts, an empty module stands in its place, as
    it does when `runpy` runs a module. Other threads see that, too. Few look up the main module by
    name, though, and the default start method needs none of this.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Hold Ctrl-C back: the new process inherits that until it has its own way to ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
