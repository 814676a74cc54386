# SPDX-License-Identifier: BSD-3-Clause
"""Processes that stay warm between runs; cloudpickle carries notebook functions and lambdas."""

from __future__ import annotations

import importlib
import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from broadpeak._core import check
from broadpeak._run import pool as pools
from broadpeak._run import worker
from broadpeak._run.dispatch import Answer, FutureEngine, Ticket, WorkItem
from broadpeak._run.fresh import FreshProcess
from broadpeak._run.starting import starting, thread_limits
from broadpeak.errors import EngineError, ParamError, broken_rule, described


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
        says.
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
            is_fresh = self.start_method == "fresh"
            with starting(self._limits, by_library=not is_fresh):
                if is_fresh:
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
        if self.start_method == "fork":  # here once, not in every fork
            importlib.import_module("broadpeak._run.librarythreads")
        util = importlib.import_module(f"{self.library}.util")
        folder = util.get_temp_dir() if self.start_method == "forkserver" else None
        parent = worker.Parent(os.getpid(), self.library, folder)
        here, there = context.Pipe()
        try:
            args = (there, self._limits, parent)
            process = context.Process(target=worker.main, args=args, name="broadpeak-worker")
            process.start()
        except BaseException:
            here.close()
            raise
        finally:
            there.close()
        return process, here
