# SPDX-License-Identifier: BSD-3-Clause
"""Threads: for functions that release the interpreter lock, as compiled ones and NumPy do."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeAlias

from broadpeak._run.batching import Batcher
from broadpeak._run.running import TaskStopped, run_unit, stop_thread
from broadpeak._run.task import Batch, BatchResult, TaskQueue
from broadpeak.errors import EngineError

_Answers: TypeAlias = "SimpleQueue[tuple[Batch, BatchResult | BaseException]]"

_NO_THREAD = (
    "A thread must start, but the system gives none. Pass engine='serial', or end what has many."
)
_POLL_SECONDS = 0.5  # some systems notice Ctrl-C only between waits
_PATIENCE_SECONDS = 1.0


class ThreadEngine:
    """Runs units in threads of this process.

    A task that holds the interpreter lock in C code can be neither timed out nor interrupted before
    it returns.

    Parameters
    ----------
    n_workers : int
        Number of threads.
    """

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers

    def run(self, source: TaskQueue) -> Iterator[tuple[Batch, BatchResult]]:
        """Yield the report of every unit as it finishes."""
        units: SimpleQueue[Batch | None] = SimpleQueue()
        answers: _Answers = SimpleQueue()
        batcher = Batcher(self.n_workers)
        threads: list[threading.Thread] = []
        running = 0
        try:
            while True:
                while running < self.n_workers:
                    unit = source.take(batcher.size(source.n_left))
                    if unit is None:
                        break
                    units.put(unit)
                    running += 1
                    if running > len(threads) and not _start_one_of(threads, units, answers):
                        break
                if not running:
                    return
                unit, report = _next(answers)
                running -= 1
                if isinstance(report, BaseException):
                    raise report
                batcher.record(len(report.values), report.seconds)
                yield unit, report
        finally:
            _end(threads, units, is_abandoned=running > 0)


def _start_one_of(
    threads: list[threading.Thread], units: SimpleQueue[Batch | None], answers: _Answers
) -> bool:
    """Start one more of `threads`; False if the system gives no more, and those there must do."""
    try:
        threads.append(_start(units, answers))
    except RuntimeError as error:
        if not threads:
            raise EngineError(_NO_THREAD) from error
        return False
    return True


def _start(units: SimpleQueue[Batch | None], answers: _Answers) -> threading.Thread:
    """Start one worker; it sees the context variables of the run, such as NumPy's error state."""
    context = contextvars.copy_context()
    thread = threading.Thread(
        target=context.run, args=(_work, units, answers), name="broadpeak-worker", daemon=True
    )
    thread.start()
    return thread


def _work(units: SimpleQueue[Batch | None], answers: _Answers) -> None:
    with suppress(TaskStopped):
        while (unit := units.get()) is not None:
            try:
                answers.put((unit, run_unit(unit)))
            except TaskStopped:
                return
            except BaseException as error:  # noqa: BLE001  # carried to the thread that waits
                answers.put((unit, error))


def _next(answers: _Answers) -> tuple[Batch, BatchResult | BaseException]:
    while True:
        with suppress(Empty):
            return answers.get(timeout=_POLL_SECONDS)


def _end(
    threads: list[threading.Thread], units: SimpleQueue[Batch | None], *, is_abandoned: bool
) -> None:
    if is_abandoned:
        with suppress(Empty):
            while True:
                units.get_nowait()
        for thread in threads:
            stop_thread(thread)
    for _ in threads:
        units.put(None)
    for thread in threads:
        thread.join(_PATIENCE_SECONDS if not is_abandoned else _PATIENCE_SECONDS / len(threads))
