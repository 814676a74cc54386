# SPDX-License-Identifier: BSD-3-Clause
"""Running the tasks of one unit where it arrived: the same code in this process and in workers."""

from __future__ import annotations

import bisect
import contextvars
import ctypes
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import NamedTuple

from broadpeak._core import check
from broadpeak._run.calls import Calls
from broadpeak._run.task import Batch, BatchResult, Outcome, lost
from broadpeak.errors import ParamTypeError, traceback_text

_UNFINISHED = frozenset(check.UNFINISHED_TYPES)


class TaskStopped(BaseException):
    """Raised inside a thread whose result nobody waits for any more."""


# Whatever else a task raises is its failure, the same on every engine.
_FOR_THE_RUN = (KeyboardInterrupt, TaskStopped)


class Nesting(NamedTuple):
    """Where code runs.

    Attributes
    ----------
    depth : int
        How many runs it is inside of; 0 outside of any task.
    sharing : int
        How many tasks of those runs may run at the same time, and share the cores.
    """

    depth: int = 0
    sharing: int = 1


_OUTSIDE = Nesting()
_place: contextvars.ContextVar[Nesting] = contextvars.ContextVar(
    "broadpeak_place", default=_OUTSIDE
)


def place() -> Nesting:
    """Return where the calling code runs."""
    return _place.get()


def settle(where: Nesting) -> None:
    """Let all code after this see that it runs at `where`; for worker processes."""
    _place.set(where)


@contextmanager
def nested(where: Nesting) -> Iterator[None]:
    """Let code inside see that it runs at `where`."""
    token = _place.set(where)
    try:
        yield
    finally:
        _place.reset(token)


def run_unit(unit: Batch) -> BatchResult:
    """Run the tasks of `unit` one after another and report on them."""
    if unit.timeout is not None:
        return _run_in_time(unit, unit.timeout)
    started = perf_counter()
    report = BatchResult()
    if isinstance(unit.tasks, Calls) and not unit.timed:
        _run_calls(unit, unit.tasks, report)
        if not _UNFINISHED.isdisjoint(map(type, report.values)):
            _refuse_unfinished(unit, report)
    else:
        _run_tasks(unit, report)
    report.seconds = perf_counter() - started
    return report


def _run_calls(unit: Batch, calls: Calls, report: BatchResult) -> None:
    """Let one C loop make the calls; a call that raised is found by counting the results."""
    values, results, n = report.values, calls.results(), len(calls)
    while len(values) < n:
        started = perf_counter()
        try:
            values.extend(results)
            if len(values) < n:  # the loop takes this one for the end of the results
                _raise_stop_iteration()
        except _FOR_THE_RUN:
            raise
        except BaseException as error:  # noqa: BLE001  # SystemExit and the like are failures, too
            _note_failure(unit, report, error, perf_counter() - started)
            if unit.stop:
                return


def _refuse_unfinished(unit: Batch, report: BatchResult) -> None:
    """Turn results that are calls that have only begun, such as coroutines, into failures."""
    for offset, value in enumerate(report.values):
        try:
            check.finished(value)
        except ParamTypeError as error:
            report.values[offset] = _outcome(unit, offset, error, float("nan"))
            bisect.insort(report.failures, offset)


def _raise_stop_iteration() -> None:
    msg = "the function raised StopIteration"
    raise StopIteration(msg)


def _run_tasks(unit: Batch, report: BatchResult) -> None:
    values, lazy = report.values, not isinstance(unit.tasks, Sequence)
    started = 0.0
    for task in unit.tasks:
        if unit.timed:
            started = perf_counter()
        try:
            values.append(check.finished(task()))
        except _FOR_THE_RUN:
            raise
        except BaseException as error:  # noqa: BLE001  # SystemExit and the like are failures, too
            seconds = perf_counter() - started if unit.timed else float("nan")
            _note_failure(unit, report, error, seconds)
            if lazy:
                report.failed_tasks.append(task)
            if unit.stop:
                return


def _note_failure(unit: Batch, report: BatchResult, error: BaseException, seconds: float) -> None:
    offset = len(report.values)
    report.failures.append(offset)
    report.values.append(_outcome(unit, offset, error, seconds))


def _outcome(unit: Batch, offset: int, error: BaseException, seconds: float) -> Outcome:
    position, text = unit.positions[offset], traceback_text(error)
    return Outcome(position, "failed", error=error, seconds=seconds, traceback=text)


def _run_in_time(unit: Batch, timeout: float) -> BatchResult:
    """Run `unit` in a thread of its own and leave it behind when its time is up."""
    reports: list[BatchResult | BaseException] = []
    unit.timeout = None

    def work() -> None:
        try:
            reports.append(run_unit(unit))
        except BaseException as error:  # noqa: BLE001  # carried to the thread that waits
            reports.append(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(work,), name="broadpeak-task", daemon=True)
    started = perf_counter()
    thread.start()
    try:
        thread.join(timeout)
    finally:
        unit.timeout = timeout
        if thread.is_alive():
            stop_thread(thread)
    if not reports:
        return lost("timeout", late(timeout), perf_counter() - started)
    report = reports[0]
    if isinstance(report, BaseException):
        raise report
    return report


def late(timeout: float) -> TimeoutError:
    """Return the error of a task that took longer than `timeout` seconds."""
    return TimeoutError(f"must end within timeout={timeout:g} seconds")


def stop_thread(thread: threading.Thread) -> None:
    """Make Python code in `thread` raise `TaskStopped` at its next step; C code ends first."""
    if thread.ident is not None:
        target = ctypes.c_ulong(thread.ident)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(TaskStopped))
