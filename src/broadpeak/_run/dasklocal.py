# SPDX-License-Identifier: BSD-3-Clause
"""A Dask cluster of this machine: the scheduler in this process, workers that are fresh processes.

`distributed.LocalCluster` would start its workers by `multiprocessing`: they would import the main
script, and a worker that dies would be started again at any time, by a thread. So it is asked for
none, and workers join it as ``dask worker ADDRESS`` would: interpreters of their own that serve a
`distributed.Worker`.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import shutil
import tempfile
import threading
import warnings
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from time import perf_counter, time
from typing import Any

import distributed
from loky.backend import resource_tracker

from broadpeak._run import pool as pools
from broadpeak._run.daskworker import LEFT, OVER
from broadpeak._run.fresh import FreshProcess
from broadpeak._run.starting import never_began, no_interrupt
from broadpeak._run.streams import streams_taken

_START_SECONDS = 120.0
_FAILED_STARTS = 3
_PATIENCE_SECONDS = 1.0
_CLOSE_SECONDS = 5.0
_LOGGERS = ("scheduler", "core", "batched", "worker", "http.proxy", "diskutils")

_disowned: list[LocalDask] = []  # held, for what is left of them in a fork must not be closed


class LocalDask:
    """A scheduler, a client of it, and worker processes that outlive a run.

    Parameters
    ----------
    environment : mapping
        Variables of the workers.

    Attributes
    ----------
    client : distributed.Client
        What submits.
    marks : Path
        The folder in which batches that run have a file.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._n_workers = 0
        self._environment = environment
        self._names = itertools.count()
        self._workers: list[FreshProcess] = []
        self._ready: set[int] = set()
        self._failed_starts = 0
        self.client: Any = None
        self._cluster: Any = None
        self._quiet = Quiet(_LOGGERS)
        with streams_taken():
            self.marks = Path(tempfile.mkdtemp(prefix=f"broadpeak-{os.getpid()}-"))
            # Somebody must remove it should this process be killed.
            with suppress(Exception):
                resource_tracker.register(str(self.marks), "folder")
        try:
            self._start_scheduler()
        except BaseException:
            self.shutdown()
            raise

    def _start_scheduler(self) -> None:
        with streams_taken():
            self._cluster = distributed.LocalCluster(
                name=f"broadpeak-{self.marks.name}",
                n_workers=0,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                silence_logs=False,
                dashboard_address=None,
                # A batch that kills its worker is not tried on another, which it would kill, too.
                # And a worker that holds the interpreter lock for long is not lost.
                scheduler_kwargs={
                    "allowed_failures": 0,
                    "worker_ttl": 0,
                    "dashboard_address": "127.0.0.1:0",
                    "local_directory": str(self.marks),
                },
            )
            self.client = distributed.Client(
                self._cluster, set_as_default=False, direct_to_workers=True
            )
        self._quiet.thread = self.client.run_on_scheduler(threading.get_ident)

    @property
    def n_ready(self) -> int:
        """How many workers there are."""
        return len(self._ready)

    def begin_run(self, n_workers: int) -> None:
        """Have `n_workers` started, and wait until the first is there.

        Workers of a run that had more of them stay.
        """
        self._n_workers, self._failed_starts = n_workers, 0
        self.replace_ended()
        until = perf_counter() + _START_SECONDS
        while not self._ready:
            self._wait_for_ready(until - perf_counter())
            if perf_counter() > until:
                self._failed_starts = _FAILED_STARTS
            self.replace_ended()

    def replace_ended(self) -> None:
        """Start a worker for each that has ended, and note which have come."""
        for process in list(self._workers):
            if not process.is_alive():
                self._failed_starts += process.pid not in self._ready
                self._remove(process)
        if self._failed_starts >= _FAILED_STARTS:
            raise never_began(self._failed_starts)
        while len(self._workers) < self._n_workers:
            self._start()
        self._wait_for_ready(0.0)

    def worked(self) -> None:
        """Note that a worker has finished a batch."""
        self._failed_starts = 0

    def kill(self, pid: int) -> None:
        """End a worker now, whatever it is doing."""
        for process in self._workers:
            if process.pid == pid:
                with suppress(OSError):
                    process.kill()
                process.join(_PATIENCE_SECONDS)

    def how_it_ended(self, pid: int) -> str:
        """Return what became of a worker, as the end of a sentence."""
        for process in self._workers:
            if process.pid == pid:
                return pools.how_it_ended(process)
        return "ended"

    def forbid(self, run: str) -> None:
        """Let no batch of `run` begin any more: one that does finds the file, and returns."""
        (self.marks / f"{OVER}{run}").touch()

    def end_abandoned(self, marks: list[Path]) -> None:
        """Kill the workers that do not stop what nobody waits for any more.

        They get a moment for it. Those in which a task was left behind that took too long get none.
        """
        pause, until = threading.Event(), perf_counter() + _PATIENCE_SECONDS
        while any(mark.exists() for mark in marks) and perf_counter() < until:
            pause.wait(0.01)
        for mark in marks:
            pid = held_by(mark)
            if pid is not None:
                self.kill(pid)
            mark.unlink(missing_ok=True)
        for mark in self.marks.glob(f"{LEFT}*"):
            self.kill(int(mark.name.removeprefix(LEFT)))
            mark.unlink(missing_ok=True)

    def shutdown(self) -> None:
        """End workers and scheduler."""
        for process in self._workers:
            with suppress(OSError):
                process.terminate()
        for process in list(self._workers):
            process.join(_PATIENCE_SECONDS)
            if process.is_alive():
                process.kill()
                process.join(_PATIENCE_SECONDS)
            self._remove(process)
        for one in (self.client, self._cluster):
            if one is not None:
                with suppress(Exception), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    one.close(timeout=_CLOSE_SECONDS)
        self._quiet.end()
        shutil.rmtree(self.marks, ignore_errors=True)
        with suppress(Exception):
            resource_tracker.unregister(str(self.marks), "folder")

    def disown(self) -> None:
        """Forget it: it belongs to the process that this one was forked from."""
        _disowned.append(self)
        for process in self._workers:
            process.disown()

    def _start(self) -> None:
        options = {
            "name": f"broadpeak-{next(self._names)}",
            "nthreads": 1,
            "host": "127.0.0.1",
            "dashboard_address": "127.0.0.1:0",
            "dashboard": False,
            "memory_limit": 0,
            "local_directory": str(self.marks),
        }
        with no_interrupt():
            process = FreshProcess(self._environment, home="broadpeak._run.daskworker")
        self._workers.append(process)
        with suppress(OSError):  # it has ended, which shows at the next look
            process.pipe.send((self._cluster.scheduler_address, options))

    def _wait_for_ready(self, seconds: float) -> None:
        """Note which workers have come; wait for the next at most `seconds`."""
        signals: dict[Any, FreshProcess] = {}
        for process in self._workers:
            if process.pid not in self._ready:
                signals[process.pipe] = process
        if not signals:
            return
        for one in wait(list(signals), max(0.0, seconds)):
            process = signals[one]
            try:
                process.pipe.recv_bytes()
                self._ready.add(process.pid)
            except (EOFError, OSError):  # it has ended, which shows at the next look
                process.join(_PATIENCE_SECONDS)

    def _remove(self, process: FreshProcess) -> None:
        self._workers.remove(process)
        self._ready.discard(process.pid)
        process.pipe.close()
        process.close()


def held_by(mark: Path) -> int | None:
    """Return the number of the process that runs the batch of `mark`; None if it has not begun."""
    try:
        return int(mark.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def seconds_of(mark: Path) -> float:
    """Return how long the batch of `mark` has run; 0 if it has not begun."""
    try:
        return max(0.0, time() - mark.stat().st_mtime)
    except OSError:
        return 0.0


class Quiet(logging.Filter):
    """Drops what Dask logs in a thread that is ours: what there is to say the engine says.

    Parameters
    ----------
    loggers : tuple of str
        Parts of Dask.
    thread : int, optional
        That thread; all of them while it is not known.
    """

    def __init__(self, loggers: tuple[str, ...], thread: int | None = None) -> None:
        super().__init__()
        self.thread = thread
        self._loggers = [logging.getLogger(f"distributed.{name}") for name in loggers]
        for logger in self._loggers:
            logger.addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether `record` is of another thread."""
        return self.thread is not None and record.thread != self.thread

    def end(self) -> None:
        """Let everything be logged again."""
        for logger in self._loggers:
            logger.removeFilter(self)


atexit.register(pools.shutdown)  # before what `distributed` has registered for the same moment
