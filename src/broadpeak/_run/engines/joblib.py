# SPDX-License-Identifier: BSD-3-Clause
"""joblib: its backends, its configuration, and the workers that other joblib code keeps warm."""

from __future__ import annotations

import inspect
import itertools
import multiprocessing
import os
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from queue import Empty, SimpleQueue
from typing import Any

import joblib
from joblib.parallel import BatchedCalls

from broadpeak._core import check
from broadpeak._core.threads import Nesting, nesting
from broadpeak._run import worker
from broadpeak._run.batches import Batch, BatchResult, nested, run_batch
from broadpeak._run.dispatch import Answer, FutureEngine, Ticket, WorkItem
from broadpeak._run.remote import run_remotely
from broadpeak._run.starting import ErrorsOf

_OURS = (
    "n_jobs",
    "return_as",
    "return_generator",
    "timeout",
    "batch_size",
    "pre_dispatch",
    "verbose",
)
_ON_THIS_MACHINE = ("LokyBackend", "MultiprocessingBackend")
_SEQUENTIAL = "SequentialBackend"
_POLL_SECONDS = 0.5  # some systems notice Ctrl-C only between waits
_PAUSE_SECONDS, _PAUSES = 0.001, 1000
_LIBRARY = ErrorsOf("joblib")


class JoblibEngine(FutureEngine):
    """Runs batches on a backend of joblib.

    A task that takes too long is left behind in its worker, not ended with it. With one worker
    joblib runs in this process. Workers end with this process, even if it is killed; for that they
    are started with an initializer, hence are others than those that joblib keeps warm for calls
    without it.

    Parameters
    ----------
    n_workers : int
        Passed as `n_jobs`.
    **options
        Options of `joblib.Parallel`, such as `backend`, `prefer`, `temp_folder`. What
        `joblib.parallel_config` says holds, too.

    Raises
    ------
    TypeError
        For an option that `joblib.Parallel` does not have, or that is set here.
    """

    def __init__(self, n_workers: int, **options: object) -> None:
        known = [
            name for name in inspect.signature(joblib.Parallel).parameters if name not in _OURS
        ]
        for name in options:
            if name not in known:
                raise check.unknown_option("engine 'joblib'", name, known)
        super().__init__(n_workers)
        self._options = options

    def start(self) -> None:
        """Let joblib choose its backend and start it."""
        self._answers: SimpleQueue[tuple[Ticket, Answer]] = SimpleQueue()
        self._numbers = itertools.count()
        self._futures: list[Future[object]] = []
        with _LIBRARY:
            self._parallel = self._configured({})
            backend = self._parallel._backend  # noqa: SLF001  # nothing public says which it is
            if type(backend).__name__ in _ON_THIS_MACHINE:
                # The number of this process also keeps a fork of it from taking the workers of its
                # parent, which would never answer: other arguments are other workers.
                theirs = getattr(backend, "backend_kwargs", {})
                initargs = (os.getpid(), theirs.get("initializer"), theirs.get("initargs", ()))
                ours = {"initializer": _start_worker, "initargs": initargs}
                self._parallel = self._configured(ours)
            self._parallel.__enter__()
            self._backend = self._parallel._backend  # noqa: SLF001  # it may fall back to another
            self._backend.start_call()
        kind = type(self._backend).__name__
        self._is_sequential = kind == _SEQUENTIAL
        self.pickles = not (
            self._is_sequential or getattr(self._backend, "supports_sharedmem", False)
        )
        self.files = kind in _ON_THIS_MACHINE

    def _configured(self, ours: dict[str, object]) -> Any:
        options = {**ours, **self._options}
        return joblib.Parallel(
            n_jobs=self.n_workers, return_as="generator_unordered", batch_size=1, **options
        )

    def submit(self, item: WorkItem) -> Ticket:
        """Pass a batch to the backend, in the wrapping that every backend of joblib expects."""
        number = next(self._numbers)
        if self._is_sequential:
            self._answers.put((number, _work_here(item.batch, nesting.get())))
            return number
        if self.pickles:
            todo = joblib.delayed(run_remotely)(item.payload, nesting.get(), sys.path[:])
        else:
            todo = joblib.delayed(_work_here)(item.batch, nesting.get())

        def note(out: object) -> None:  # called in a thread of the backend
            try:
                (answer,) = self._backend.retrieve_result_callback(out)
            except BaseException as error:  # noqa: BLE001  # raised in the thread that waits
                answer = error
            self._answers.put((number, answer))

        # Inside of the task, joblib is to do what it does inside any call of its own.
        inner = self._backend.get_nested_backend()
        with _LIBRARY:
            future = self._backend.submit(BatchedCalls([todo], inner), callback=note)
        if isinstance(future, Future):
            self._futures = [one for one in self._futures if not one.done()]
            self._futures.append(future)
        return number

    def wait(self) -> list[tuple[Ticket, Answer]]:
        """Wait for the backend to call back."""
        while True:
            try:
                number, answer = self._answers.get(timeout=_POLL_SECONDS)
            except Empty:
                continue
            if isinstance(answer, BaseException) and not isinstance(answer, BrokenExecutor):
                with _LIBRARY:
                    raise answer
            return [(number, answer)]

    def close(self, *, abandoned: bool) -> None:
        """Give the backend back; end its workers if they are at abandoned tasks."""
        backend = self._backend
        # What `atexit` knows, and loky relies on, is not called in a process that `multiprocessing`
        # made: it would wait for idle workers for ever.
        is_child = multiprocessing.parent_process() is not None and self.files and self.pickles
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that results are lost which are not wanted
            if abandoned or is_child:
                self._wait_until_underway()
                backend.abort_everything(ensure_ready=False)
            backend.stop_call()
            self._parallel.__exit__(None, None, None)

    def _wait_until_underway(self) -> None:
        """Wait a moment for batches that are submitted but not yet taken by a worker.

        When loky kills its workers it forgets such calls but not their numbers, and its thread
        ends with a traceback over the first number it finds. There are never more of them than fit
        its queue, hence it hands them all on at once.
        """
        pause = threading.Event()
        for _ in range(_PAUSES):
            if all(future.running() or future.done() for future in self._futures):
                return
            pause.wait(_PAUSE_SECONDS)


def _start_worker(parent: int, initializer: Callable[..., object] | None, args: Any) -> None:
    """Prepare a process of joblib: it must not outlive the one that wants its results.

    Then do what `joblib.parallel_config` says.
    """
    if parent != os.getpid():
        worker.Parent(parent).watch()
    if initializer is not None:
        initializer(*args)


def _work_here(batch: Batch, inside: Nesting) -> BatchResult:
    with nested(inside):
        try:
            return run_batch(batch)
        except KeyboardInterrupt:
            return BatchResult(interrupted=True)
