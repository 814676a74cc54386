# SPDX-License-Identifier: BSD-3-Clause
"""The far side of a process boundary: a pickled unit in, its pickled report out."""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import cloudpickle

from broadpeak._run.running import run_unit
from broadpeak._run.task import Batch, BatchResult, Outcome, lost
from broadpeak.errors import EngineError, described

Buffer: TypeAlias = "bytes | memoryview"


def serve(
    payload: list[Buffer], *, on_loaded: Callable[[], None] | None = None, mark: bytes = b""
) -> Buffer:
    """Run a pickled unit and return its pickled report; nothing a task does raises here.

    Parameters
    ----------
    payload : list of one bytes-like object
        The unit. It is taken out of the list, so that its bytes are free while it runs.
    on_loaded : callable, optional
        Called once the unit is rebuilt, which may import modules, and before it runs.
    mark : bytes
        What the answer begins with.
    """
    try:
        unit: Batch = pickle.loads(payload.pop())  # written by the process that started this one
    except BaseException as error:  # noqa: BLE001  # anything may happen while foreign objects are built
        return _dumps(lost("failed", _not_rebuilt("The task", error)), mark)
    if "pandas" in sys.modules:  # which the task may have brought along: then `.bp` is there, too
        importlib.import_module("broadpeak._signals.accessor")
    if on_loaded is not None:
        on_loaded()
    try:
        report = run_unit(unit)
    except KeyboardInterrupt:
        report = BatchResult(interrupted=True)
    except BaseException as error:  # noqa: BLE001  # the worker outlives its tasks
        report = lost("failed", portable(error))
    positions = unit.positions
    del unit  # what it holds may be as large as its results
    for offset in report.failures:
        _carry(report, offset)
    try:
        return _dumps(report, mark)
    except BaseException:  # noqa: BLE001  # some result cannot be pickled; find out which
        _drop_unpicklable(positions, report)
        return _dumps(report, mark)


def load_report(data: Buffer) -> BatchResult:
    """Return the report in `data`, or that of a unit whose results cannot be rebuilt here."""
    try:
        report: BatchResult = pickle.loads(data)  # written by a worker of this process
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # anything may happen while foreign objects are built
        return lost("failed", _not_rebuilt("The result", error))
    return report


def not_sent(error: BaseException) -> EngineError:
    """Return the error for a task that cannot be pickled."""
    return EngineError(
        f"A task must be picklable to reach a worker process, got {described(error)}. "
        "Pass engine='threadpool' or 'serial', or build the object inside of the function."
    )


def _not_rebuilt(what: str, error: BaseException) -> EngineError:
    return EngineError(
        f"{what} must survive pickling to cross a process boundary, but while it was rebuilt came "
        f"{described(error)}. Pass engine='threadpool' or 'serial'."
    )


def _dumps(obj: Any, mark: bytes = b"") -> Buffer:
    """Pickle the quick way, or by value where classes are unknown to the receiver by name."""
    # Written behind the mark, for a large report must not be copied once more.
    file = io.BytesIO(mark)
    file.seek(len(mark))
    try:
        pickle.dump(obj, file, pickle.HIGHEST_PROTOCOL)
    except BaseException:  # noqa: BLE001  # pickle raises whatever objects raise
        file.seek(len(mark))
        file.truncate()
        cloudpickle.dump(obj, file, pickle.HIGHEST_PROTOCOL)
    return file.getbuffer()


def portable(error: BaseException) -> BaseException:
    """Return `error`, or an `EngineError` that says the same if it would not survive pickling."""
    try:
        pickle.loads(_dumps(error))  # its own bytes
    except BaseException:  # noqa: BLE001  # exceptions with required arguments are the usual case
        return EngineError(described(error))
    return error


def _carry(report: BatchResult, offset: int) -> None:
    outcome: Outcome = report.values[offset]
    if outcome.error is not None:
        error = portable(outcome.error)
        # Frames stay behind in any case, and would keep alive what the task held.
        outcome.error.__traceback__ = error.__traceback__ = None
        report.values[offset] = Outcome(
            outcome.index, outcome.status, None, error, outcome.seconds, outcome.traceback
        )


def _drop_unpicklable(positions: Sequence[int], report: BatchResult) -> None:
    """Put a failure in the place of every result that cannot be pickled."""
    failures = set(report.failures)
    for offset, value in enumerate(report.values):
        try:
            _dumps(value)
        except BaseException as error:  # noqa: BLE001  # pickle raises whatever objects raise
            failure = EngineError(
                f"A result must be picklable to leave a worker process, got {type(value).__name__} "
                f"({described(error)}). Return arrays, pandas objects or plain values."
            )
            report.values[offset] = Outcome(positions[offset], "failed", error=failure)
            failures.add(offset)
    report.failures = sorted(failures)
