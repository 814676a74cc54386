# SPDX-License-Identifier: BSD-3-Clause
"""joblib: its backends, its configuration, and the workers that other joblib code keeps warm."""

from __future__ import annotations

import inspect
import multiprocessing
import os
import queue
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool  # loky derives its own from it
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing import util
from time import perf_counter
from typing import Any

import joblib
from joblib.externals.loky import reusable_executor

from broadpeak._core import check
from broadpeak._run import worker
from broadpeak._run.batching import Batcher
from broadpeak._run.remote import load_report, not_sent, serve
from broadpeak._run.running import Nesting, nested, place, run_unit
from broadpeak._run.shared import Exchange
from broadpeak._run.task import Batch, BatchResult, TaskQueue, lost
from broadpeak.errors import BroadpeakError, EngineError, described

_OURS = ("n_jobs", "return_as", "return_generator", "timeout", "batch_size")
_ON_THIS_MACHINE = ("LokyBackend", "MultiprocessingBackend")


_prepared: set[int] = set()  # numbers of processes, for a fork inherits this


def _end_workers_at_exit() -> None:
    """Let a process that `multiprocessing` made end its workers: it would wait for idle ones.

    What `atexit` knows, and loky relies on, is not called in such a process.
    """
    if multiprocessing.parent_process() is not None and os.getpid() not in _prepared:
        _prepared.add(os.getpid())
        util.Finalize(None, _end_workers, exitpriority=100)


def _end_workers() -> None:
    executor = reusable_executor._executor  # noqa: SLF001  # asking for it by name makes one
    if executor is not None:
        executor.shutdown(wait=True, kill_workers=True)


def _forget_after_fork() -> None:
    """Let a forked process start workers of its own: those of its parent never answer it."""
    reusable_executor._executor = None  # noqa: SLF001  # as long as loky does not do it itself
    reusable_executor._executor_lock = threading.RLock()  # noqa: SLF001  # may have been held


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


class JoblibEngine:
    """Runs units through `joblib.Parallel`.

    A task that takes too long is left behind in its worker, not ended with it. With one worker
    joblib runs in this process. Workers end with this process, even if it is killed; for that they
    are started with an initializer, hence are others than those that joblib keeps warm for calls
    without it.

    Parameters
    ----------
    n_workers : int
        Passed as `n_jobs`.
    **options
        Options of `joblib.Parallel`, such as `backend`, `prefer`, `verbose`, `temp_folder`. What
        `joblib.parallel_config` says holds, too.

    Raises
    ------
    TypeError
        For an option that `joblib.Parallel` does not have, or that is set here.
    """

    def __init__(self, n_workers: int, **options: Any) -> None:
        known = [
            name for name in inspect.signature(joblib.Parallel).parameters if name not in _OURS
        ]
        for name in options:
            if name not in known:
                raise check.unknown_option("engine 'joblib'", name, known)
        self.n_workers = n_workers
        self._options = options

    def run(self, source: TaskQueue) -> Iterator[tuple[Batch, BatchResult]]:
        """Yield the report of every unit as it finishes."""
        backend, kind = self._backend()
        in_process = getattr(backend, "supports_sharedmem", False) or (
            self.n_workers == 1 and kind in _ON_THIS_MACHINE
        )
        if not in_process:
            _end_workers_at_exit()
        exchange = None if in_process else Exchange(files=kind in _ON_THIS_MACHINE)
        batcher = Batcher(self.n_workers)
        try:
            while True:
                wave = _Wave(source, batcher, exchange)
                yield from self._run_wave(wave, batcher)
                if wave.n_taken == 0:
                    return
        finally:
            if exchange is not None:
                exchange.close()

    def _backend(self) -> tuple[Any, str]:
        """Return what joblib will use here, and the name of its class."""
        with _in_words():
            backend = joblib.Parallel(n_jobs=self.n_workers, **self._options)._backend  # noqa: SLF001  # nothing public tells
        return backend, type(backend).__name__

    def _parallel(self) -> Any:
        options = {"pre_dispatch": "2 * n_jobs", **self._options}
        backend, kind = self._backend()
        # An initializer of `joblib.parallel_config` is the user's, and stays.
        if kind in _ON_THIS_MACHINE and "initializer" not in getattr(backend, "backend_kwargs", {}):
            options = {"initializer": _start_worker, "initargs": (os.getpid(),), **options}
        with _in_words():
            return joblib.Parallel(
                n_jobs=self.n_workers, return_as="generator_unordered", batch_size=1, **options
            )

    def _run_wave(self, wave: _Wave, batcher: Batcher) -> Iterator[tuple[Batch, BatchResult]]:
        """Run what the source has now; more of it comes as calls end."""
        parallel = self._parallel()
        with _in_words():
            answers = parallel(iter(wave))
        try:
            while (pair := self._next(answers)) is not None:
                number, answer = pair
                unit = wave.units.pop(number)
                report = load_report(answer) if isinstance(answer, bytes) else answer
                del pair, answer
                batcher.record(len(report.values), report.seconds)
                yield unit, report
        except BrokenProcessPool:
            yield from self._run_apart(wave)
        finally:
            # joblib takes and submits under this lock, in threads that must not submit to workers
            # which are about to be ended.
            with getattr(parallel, "_lock", nullcontext()):
                wave.is_closed = True
            if wave.units:
                _forget_queued(parallel)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it tells of results that nobody wants any more
                answers.close()
        if wave.error is not None:
            raise wave.error
        while wave.refused:
            yield wave.refused.pop()

    @staticmethod
    def _next(answers: Iterator[Any]) -> Any:
        with _in_words():
            return next(answers, None)

    def _run_apart(self, wave: _Wave) -> Iterator[tuple[Batch, BatchResult]]:
        """Run units one at a time after a worker died: only the one that did it dies again."""
        for number in sorted(wave.units):
            unit = wave.units.pop(number)
            started = perf_counter()
            try:
                with _in_words():
                    ((_, answer),) = self._parallel()([wave.call(number, unit)])
            except BrokenProcessPool as error:
                first = str(error).strip().partition("\n")[0]
                died = EngineError(f"The worker process must live, but it ended: {first}")
                yield unit, lost("died", died, perf_counter() - started)
            else:
                yield unit, load_report(answer) if isinstance(answer, bytes) else answer


@contextmanager
def _in_words() -> Iterator[None]:
    """Turn what joblib itself raises into an `EngineError`; no error of a task comes here."""
    try:
        yield
    except (BrokenProcessPool, BroadpeakError):
        raise
    except Exception as error:
        msg = (
            f"joblib must be able to run here, but it met {described(error).rstrip('.')}. "
            "Correct engine_options, or pass engine='processpool', 'threadpool' or 'serial'."
        )
        raise EngineError(msg) from error


def _start_worker(parent: int) -> None:
    """Prepare a process of joblib: it must not outlive the one that wants its results."""
    if parent != os.getpid():
        worker.Parent(parent).watch()


def _forget_queued(parallel: Any) -> None:
    """Empty the queue of calls that no worker has yet, before joblib ends its workers.

    Loky forgets the calls but not their numbers, and its thread dies with a traceback over the
    first number it finds.
    """
    numbers = getattr(getattr(parallel._backend, "_workers", None), "_work_ids", None)  # noqa: SLF001
    with suppress(queue.Empty):
        while numbers is not None:
            numbers.get_nowait()


class _Wave:
    """The units of one `joblib.Parallel` call; taken in threads of joblib as workers are free."""

    def __init__(self, source: TaskQueue, batcher: Batcher, exchange: Exchange | None) -> None:
        self.units: dict[int, Batch] = {}
        self.refused: list[tuple[Batch, BatchResult]] = []
        self.error: BaseException | None = None
        self.n_taken = 0
        self.is_closed = False
        self._source = source
        self._batcher = batcher
        self._exchange = exchange
        self._place = place()
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Any]:
        while (call := self._next()) is not None:
            yield call

    def _next(self) -> Any:
        with self._lock:
            while not self.is_closed:
                try:
                    unit = self._source.take(self._batcher.size(self._source.n_left))
                except BaseException as error:  # noqa: BLE001  # raised where the results are read
                    self.error = error
                    return None
                if unit is None:
                    return None
                self.n_taken += 1
                try:
                    call = self.call(self.n_taken, unit)
                except (EngineError, KeyboardInterrupt) as error:
                    self.error = error
                    return None
                except BaseException as error:  # noqa: BLE001  # pickle raises whatever objects raise
                    self.refused.append((unit, lost("failed", not_sent(error))))
                    continue
                self.units[self.n_taken] = unit
                return call
            return None

    def call(self, number: int, unit: Batch) -> Any:
        """Return what joblib is to call for `unit`."""
        if self._exchange is None:
            return joblib.delayed(_work_here)(number, unit, self._place)
        payload = self._exchange.dumps(unit)
        return joblib.delayed(_work_there)(number, payload, self._place, sys.path[:])


def _work_here(number: int, unit: Batch, where: Nesting) -> tuple[int, BatchResult]:
    with nested(where):
        try:
            return number, run_unit(unit)
        except KeyboardInterrupt:
            return number, BatchResult(interrupted=True)


def _work_there(number: int, payload: bytes, where: Nesting, path: list[str]) -> tuple[int, bytes]:
    if threading.current_thread() is threading.main_thread() and os.name == "posix":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that runs us
    if sys.path != path:
        sys.path[:] = path
    with nested(where):
        return number, bytes(serve([payload]))
