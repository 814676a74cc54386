# SPDX-License-Identifier: BSD-3-Clause
"""The far side of a process boundary: a pickled unit in, its pickled report out."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle

from broadpeak.engines.base import Outcome, Report, Unit, lost
from broadpeak.engines.running import run_unit
from broadpeak.errors import EngineError


def serve(payload: bytes, *, on_loaded: Callable[[], None] | None = None) -> bytes:
    """Run the unit in `payload` and return its report; nothing a task does raises here.

    `on_loaded` is called once the unit is rebuilt, which may import modules, and before it runs.
    """
    try:
        unit: Unit = pickle.loads(payload)  # written by the process that started this one
    except Exception as error:  # noqa: BLE001  # anything may happen while foreign objects are built
        return _dumps(lost("failed", _not_rebuilt("The task", error)))
    if on_loaded is not None:
        on_loaded()
    try:
        report = run_unit(unit)
    except KeyboardInterrupt:
        report = Report(interrupted=True)
    except BaseException as error:  # noqa: BLE001  # the worker outlives its tasks
        report = lost("failed", portable(error))
    for offset in report.failures:
        _carry(report, offset)
    try:
        return _dumps(report)
    except Exception:  # noqa: BLE001  # some result cannot be pickled; find out which
        _drop_unpicklable(unit, report)
        return _dumps(report)


def load_report(data: bytes) -> Report:
    """Return the report in `data`, or that of a unit whose results cannot be rebuilt here."""
    try:
        report: Report = pickle.loads(data)  # written by a worker of this process
    except Exception as error:  # noqa: BLE001  # anything may happen while foreign objects are built
        return lost("failed", _not_rebuilt("The result", error))
    return report


def not_sent(error: BaseException) -> EngineError:
    """Return the error for a task that cannot be pickled."""
    return EngineError(
        f"A task must be picklable to reach a worker process, got {type(error).__name__}: {error}. "
        "Pass engine='threadpool' or 'serial', or build the object inside of the function."
    )


def _not_rebuilt(what: str, error: BaseException) -> EngineError:
    return EngineError(
        f"{what} must survive pickling to cross a process boundary, got {type(error).__name__} "
        f"while it was rebuilt: {error}. Pass engine='threadpool' or 'serial'."
    )


def _dumps(obj: Any) -> bytes:
    """Pickle the quick way, or by value where classes are unknown to the receiver by name."""
    try:
        return pickle.dumps(obj, pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001  # pickle raises whatever objects raise
        data: bytes = cloudpickle.dumps(obj, pickle.HIGHEST_PROTOCOL)
        return data


def portable(error: BaseException) -> BaseException:
    """Return `error`, or an `EngineError` that says the same if it would not survive pickling."""
    try:
        pickle.loads(_dumps(error))  # its own bytes
    except Exception:  # noqa: BLE001  # exceptions with required arguments are the usual case
        return EngineError(f"{type(error).__qualname__}: {error}")
    return error


def _carry(report: Report, offset: int) -> None:
    outcome: Outcome = report.values[offset]
    if outcome.error is not None:
        error = portable(outcome.error)
        report.values[offset] = Outcome(
            outcome.index, outcome.status, None, error, outcome.seconds, outcome.traceback
        )


def _drop_unpicklable(unit: Unit, report: Report) -> None:
    """Put a failure in the place of every result that cannot be pickled."""
    failures = set(report.failures)
    for offset, value in enumerate(report.values):
        try:
            _dumps(value)
        except Exception as error:  # noqa: BLE001  # pickle raises whatever objects raise
            failure = EngineError(
                f"A result must be picklable to leave a worker process, got {type(value).__name__} "
                f"({type(error).__name__}: {error}). Return arrays, pandas objects or plain values."
            )
            report.values[offset] = Outcome(unit.positions[offset], "failed", error=failure)
            failures.add(offset)
    report.failures = sorted(failures)
