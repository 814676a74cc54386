# SPDX-License-Identifier: BSD-3-Clause
"""The run loop: takes reports of units from an engine and puts results in task order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from broadpeak._run.batches import Batch, BatchResult, Outcome
from broadpeak._run.calls import Task
from broadpeak._run.dispatch import Engine
from broadpeak._run.taskqueue import TaskQueue
from broadpeak._sweep.progress import ProgressBar
from broadpeak._sweep.resume import Resumed
from broadpeak.errors import EngineError, SkippedWarning, TaskError, described, warn
from broadpeak.types import NoResult

OnError: TypeAlias = Literal["raise", "skip", "record"]


class Loop:
    """Collects what an engine reports.

    Parameters
    ----------
    queue : TaskQueue
        Where the engine takes its units from.
    on_error : {"raise", "skip", "record"}
        What becomes of a task that failed for good.
    retries : int
        How often a failed task is tried again.
    label : callable
        Position of a task -> text that names it.
    weights : sequence of int, optional
        How many combinations each task stands for in the progress; default 1.
    passthrough : tuple of exception types
        Raised as they are, not as `TaskError`.
    progress : Progress
        Told of every task that ended.
    resumed : Resumed, optional
        Has the results of tasks that the feed leaves out, and keeps those of the others.

    Attributes
    ----------
    results : list
        One result a task, in task order.
    recorded : list of int
        Positions whose result is the `Outcome` of a failure.
    """

    def __init__(
        self,
        queue: TaskQueue,
        *,
        on_error: OnError,
        retries: int,
        label: Callable[[int], str],
        weights: Sequence[int] | None = None,
        passthrough: tuple[type[Exception], ...],
        progress: ProgressBar,
        resumed: Resumed | None = None,
    ) -> None:
        self.results: list[Any] = []
        self.recorded: list[int] = []
        self._queue = queue
        self._on_error = on_error
        self._retries = retries
        self._label = label
        self._weights = weights
        self._passthrough = passthrough
        self._progress = progress
        self._resumed = resumed
        self._skipped = 0
        self._failure: Outcome | None = None  # under "skip" the first seen, else the lowest
        self._failed_task: Task | None = None

    def run(self, engine: Engine) -> None:
        """Run all tasks of the feed on `engine`.

        Raises
        ------
        TaskError
            Under ``on_error="raise"``, for the first failed task in task order, whichever engine.
        """
        if self._resumed is not None:
            self._place_stored(self._resumed.found)
        self._run_feed(engine)
        # What is left is worked on by other processes, until it is there or they are gone.
        while self._resumed is not None and not self._is_decided() and self._queue.away():
            self._wait(self._resumed)
            self._run_feed(engine)
        if self._failure is not None:
            if self._on_error == "raise":
                self._raise(self._failure)
            self._warn(self._failure)

    def _run_feed(self, engine: Engine) -> None:
        """Run what the feed has for this process."""
        reports = engine.run(self._queue)
        try:
            for unit, report in reports:
                self._collect(unit, report)
                if self._is_decided():
                    break
        finally:
            close = getattr(reports, "close", None)
            if close is not None:
                close()

    def _wait(self, resumed: Resumed) -> None:
        news, granted = resumed.wait(self._queue.away())
        self._place_news(news)
        self._queue.offer(granted)

    def _place_news(self, news: Mapping[int, Any]) -> None:
        """Place what other processes have finished."""
        if news:
            self._place_stored(news)
            self._queue.arrived(news)

    def _place_stored(self, stored: Mapping[int, Any]) -> None:
        for position in sorted(stored):
            self._place([position], [stored[position]])
        weights = self._weights
        self._progress.update(
            len(stored) if weights is None else sum(weights[place] for place in stored)
        )

    def _is_decided(self) -> bool:
        """Return whether a failure is final and no earlier task can change which one it is."""
        if self._failure is None or self._on_error != "raise":
            return False
        return not self._queue.waits_before(self._failure.index)

    def _collect(self, unit: Batch, report: BatchResult) -> None:
        if report.interrupted:
            raise KeyboardInterrupt
        if self._resumed is not None:
            self._place_news(self._resumed.news())
        again: list[Batch] = []
        n_failed = 0
        if report.status != "ok":
            n_done = len(unit)
            again, n_failed = self._collect_lost(unit, report)
        else:
            n_done = len(report.values)
            if self._resumed is not None:
                self._save(unit, report, self._resumed)
            self._place(unit.positions, report.values)
            if report.failures:
                again, n_failed = self._collect_failures(unit, report)
        n_again = sum(map(len, again))
        # What ends the run never finishes: its chunk has no results to show to a callback.
        n_lost = n_failed if self._on_error == "raise" else 0
        self._queue.finish(unit, n_done, again, n_lost)
        self._progress.update(self._weigh(unit, n_done, again, n_done - n_again), n_failed)

    @staticmethod
    def _save(unit: Batch, report: BatchResult, resumed: Resumed) -> None:
        failed = set(report.failures)
        kept = [offset for offset in range(len(report.values)) if offset not in failed]
        positions = [unit.positions[offset] for offset in kept]
        values = [report.values[offset] for offset in kept]
        stored = resumed.save(positions, values, report.seconds)
        for offset, value in zip(kept, stored, strict=True):
            report.values[offset] = value

    def _weigh(self, unit: Batch, n_done: int, again: list[Batch], n_ended: int) -> int:
        """Return how many combinations the ended tasks stand for."""
        weights = self._weights
        if weights is None:
            return n_ended
        ended = sum(weights[place] for place in unit.positions[:n_done])
        return ended - sum(weights[place] for one in again for place in one.positions)

    def _place(self, positions: Sequence[int], values: list[Any]) -> None:
        results = self.results
        if isinstance(positions, range) and positions.step == 1:
            start, end = positions.start, positions.start + len(values)
            if start > len(results):
                results.extend([NoResult] * (start - len(results)))
            results[start:end] = values
            return
        for position, value in zip(positions, values, strict=False):
            if position >= len(results):
                results.extend([NoResult] * (position + 1 - len(results)))
            results[position] = value

    def _collect_failures(self, unit: Batch, report: BatchResult) -> tuple[list[Batch], int]:
        if unit.attempt < self._retries:
            return [unit.retry(report)], 0
        tasks = unit.failed_tasks(report)
        for offset, task in zip(report.failures, tasks, strict=True):
            self._fail(report.values[offset], task)
        return [], len(report.failures)

    def _collect_lost(self, unit: Batch, report: BatchResult) -> tuple[list[Batch], int]:
        """Return what is to be run again of a unit that was lost, or fail all of its tasks."""
        if len(unit) > 1 and not unit.whole:
            # One of these did it; alone in a unit, it cannot take the others with it.
            return [unit.part([offset], unit.attempt) for offset in range(len(unit))], 0
        if unit.attempt < self._retries:
            return [unit.part(range(len(unit)), unit.attempt + 1)], 0
        error = report.error or EngineError(f"the engine lost the task ({report.status})")
        for position, task in zip(unit.positions, unit.tasks, strict=True):
            outcome = Outcome(position, report.status, error=error, seconds=report.seconds)
            self._place([position], [outcome])
            self._fail(outcome, task)
        return [], len(unit)

    def _fail(self, outcome: Outcome, task: Task) -> None:
        """Do what `on_error` says with a task that failed for good."""
        if self._resumed is not None:
            self._resumed.drop(outcome.index)
        if self._on_error == "record":
            self.results[outcome.index] = _light(outcome)
            self.recorded.append(outcome.index)
            return
        is_first = self._failure is None
        if self._on_error == "skip":
            self.results[outcome.index] = NoResult
            self._skipped += 1
        else:
            self._queue.stop_after(outcome.index)
            is_first = self._failure is None or outcome.index < self._failure.index
        if is_first:
            self._failure, self._failed_task = outcome, task

    def _describe(self, outcome: Outcome) -> str:
        label, error = self._label(outcome.index), outcome.error
        who = f"Call {outcome.index} ({label})" if label else f"Call {outcome.index}"
        if isinstance(error, TaskError):  # a run inside of this one: it has said what a call is
            return f"{who} {_VERBS[outcome.status]}: {str(error).removesuffix(_HINT)}"
        what = "" if error is None else described(error)
        return f"{who} {_VERBS[outcome.status]}: {what}"

    def _raise(self, outcome: Outcome) -> None:
        error = outcome.error
        if isinstance(error, self._passthrough):
            raise error
        failure = TaskError(
            self._describe(outcome) + _HINT,
            index=outcome.index,
            label=self._label(outcome.index),
            worker_traceback=outcome.traceback,
            rerun=self._failed_task,
        )
        if outcome.traceback and error is not None and error.__traceback__ is None:
            failure.add_note(f"Traceback of the worker:\n{outcome.traceback}")
        raise failure from error

    def _warn(self, outcome: Outcome) -> None:
        total = len(self.results)
        text = f"{self._skipped} of {total} calls failed and were skipped. First: "
        warn(text + self._describe(outcome), SkippedWarning)


_HINT = (
    "\nCall .rerun() on this error to repeat the call here; "
    "pass on_error='skip' or 'record' to go on without it."
)
_VERBS = {"failed": "failed", "timeout": "took too long", "died": "lost its worker"}


def _light(outcome: Outcome) -> Outcome:
    """Return `outcome` without the frames of its error, which would keep their data alive."""
    if outcome.error is not None:
        outcome.error.__traceback__ = None
    return outcome
