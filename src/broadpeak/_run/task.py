# SPDX-License-Identifier: BSD-3-Clause
"""What crosses between a run and its engine: calls go down in units, reports come back up."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from broadpeak._run.calls import Calls, Task
from broadpeak.errors import described

__all__ = [
    "Batch",
    "BatchResult",
    "Calls",
    "Claims",
    "Engine",
    "Outcome",
    "Status",
    "Task",
    "TaskQueue",
    "lost",
]

Status: TypeAlias = Literal["ok", "failed", "timeout", "died"]


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """How one task ended.

    Parameters
    ----------
    index : int
        Position of the task in the run.
    status : {"ok", "failed", "timeout", "died"}
        "failed": it raised, or could not cross to a worker; "timeout": it took too long; "died":
        its worker process ended.
    value : object
        The result; None unless the status is "ok".
    error : Exception, optional
        What was raised.
    seconds : float
        Time of the last attempt; NaN where it was not measured.
    traceback : str
        The traceback as the worker saw it.

    Examples
    --------
    >>> Outcome(3, "failed", error=ValueError("no trades"))
    Outcome(3, 'failed', error=ValueError('no trades'))
    """

    index: int
    status: Status
    value: Any = None
    error: BaseException | None = None
    seconds: float = math.nan
    traceback: str = field(default="", compare=False)

    def __repr__(self) -> str:
        if self.error is None:
            shown = f"value={_shorten(self.value)}"
        else:
            try:
                shown = f"error={self.error!r}"
            except Exception:  # noqa: BLE001  # a class of the user may raise anything
                shown = f"error=<{described(self.error)}>"
        return f"Outcome({self.index}, {self.status!r}, {shown})"


@dataclass(slots=True)
class Batch:
    """Tasks that are dispatched in one piece.

    Attributes
    ----------
    positions : range or list of int
        Where the results belong in the run.
    tasks : sequence of Task, or iterator of Task for a lazy unit
        What is to be called.
    chunk : int
        Number of the chunk the tasks belong to.
    attempt : int
        How often these tasks have been tried before.
    whole : bool
        A chunk that is retried and lost as a whole; other units may be split.
    stop : bool
        Leave the rest of the unit undone after a task failed.
    timed : bool
        Measure every task.
    timeout : float, optional
        Seconds the unit may take.
    """

    positions: Sequence[int]
    tasks: Sequence[Task] | Iterator[Task]
    chunk: int = 0
    attempt: int = 0
    whole: bool = False
    stop: bool = False
    timed: bool = False
    timeout: float | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def part(self, offsets: Sequence[int], attempt: int) -> Batch:
        """Return the unit of the tasks at `offsets`, for another attempt."""
        if isinstance(self.tasks, Calls):
            tasks: Sequence[Task] = self.tasks.pick(offsets)
        elif isinstance(self.tasks, Sequence):
            tasks = [self.tasks[offset] for offset in offsets]
        else:
            msg = "A lazy unit has no parts; its failed tasks are in its report."
            raise TypeError(msg)
        positions = [self.positions[offset] for offset in offsets]
        return Batch(
            positions, tasks, self.chunk, attempt, self.whole, self.stop, self.timed, self.timeout
        )


@dataclass(slots=True)
class BatchResult:
    """What became of one unit.

    Attributes
    ----------
    values : list
        One result a task, in order; an `Outcome` where `failures` says so. Shorter than the unit
        if it was told to stop at a failure, or if a lazy unit came to the end of its tasks.
    failures : list of int
        Offsets of failed tasks in `values`, ascending.
    failed_tasks : list of Task
        The failed tasks of a lazy unit, for another attempt.
    seconds : float
        Time the whole unit took.
    status : {"ok", "failed", "timeout", "died"}
        Other than "ok" if the unit was lost as a whole; `values` is empty then.
    error : Exception, optional
        Why the unit was lost.
    interrupted : bool
        A task raised `KeyboardInterrupt`, which is meant for the run.
    """

    values: list[Any] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    failed_tasks: list[Task] = field(default_factory=list)
    seconds: float = 0.0
    status: Status = "ok"
    error: BaseException | None = None
    interrupted: bool = False


def lost(status: Status, error: BaseException, seconds: float = math.nan) -> BatchResult:
    """Return the report of a unit that was lost as a whole."""
    return BatchResult(status=status, error=error, seconds=seconds)


class Claims(Protocol):
    """Who may run which tasks, where several processes share a run."""

    def claim(self, positions: Sequence[int], *, whole: bool) -> tuple[int, list[int]]:
        """Ask for the first of `positions`, with `whole` for all of them.

        Returns how many were looked at, and which of those are for this run. The others are
        finished, or somebody else works on them.
        """


class TaskQueue(Protocol):
    """Where an engine takes units from.

    It may be empty for now (a barrier between chunks, a failed task to come again): an engine ends
    only when `take` returned None while nothing of its own was on the way.
    """

    n_left: int | None

    def take(self, n: int = 1, *, lazy: bool = False) -> Batch | None:
        """Return the next unit of at most `n` tasks, or None if there is none now.

        With `lazy` the tasks may be an iterator that must be used up before the next call.
        """

    def put_back(self, unit: Batch) -> None:
        """Return a unit that was taken but never started."""


@runtime_checkable
class Engine(Protocol):
    """Runs units of tasks; every engine, serial included, is used in this one way.

    An engine is made for one run by its factory in the registry: ``factory(n_workers, **options)``.

    Attributes
    ----------
    n_workers : int
        How many units run at a time.
    """

    n_workers: int

    def run(self, source: TaskQueue) -> Iterator[tuple[Batch, BatchResult]]:
        """Yield the report of every unit as it finishes, in any order.

        A failing task never raises here; `EngineError` means that the engine itself cannot go on.
        If the iterator is closed early or an exception (`KeyboardInterrupt`) passes, whatever runs
        is stopped and no worker goes on with abandoned units.
        """


def _shorten(value: object) -> str:
    return reprlib.repr(value).replace("\n", " ")
