# SPDX-License-Identifier: BSD-3-Clause
"""Batches of tasks, what becomes of them, and running one where it has arrived.

The same code runs a batch in this process, in a thread and in a worker process.
"""

from __future__ import annotations

import bisect
import contextvars
import math
import reprlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from time import perf_counter
from typing import Any, Literal, Protocol, TypeAlias

from broadpeak._core import check
from broadpeak._core.stopping import Stops, TaskStopped, Unstopped, here
from broadpeak._core.threads import Nesting, nesting
from broadpeak._run.calls import Calls, Task
from broadpeak._run.footprint import BATCH_BYTES, PLAIN, Footprint
from broadpeak._run.looped import FEWEST_CALLS
from broadpeak.errors import EngineError, ParamTypeError, described, traceback_text

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
            shown = f"value={reprlib.repr(self.value)}".replace("\n", " ")
        else:
            try:
                shown = f"error={self.error!r}"
            except Exception:  # noqa: BLE001  # a class of the user may raise anything
                shown = f"error=<{described(self.error)}>"
        return f"Outcome({self.index}, {self.status!r}, {shown})"


class Reduces(Protocol):
    """How results are reduced: `Reducing`, as it is seen from here."""

    def begin(self) -> Any:
        """Return what takes results and knows nothing yet."""

    def take(self, reduction: Any, positions: Sequence[int], result: BatchResult) -> None:
        """Let it see the results of calls, but those that failed."""

    def reduced(self, positions: Sequence[int], result: BatchResult) -> Any:
        """Return what is to travel in place of the values of `result`."""

    def ended(self, reduction: Any, n: int, failed: dict[int, Outcome]) -> Any:
        """Return what stands in place of `n` results, of which some failed."""


@dataclass(slots=True)
class Batch:
    """Tasks that are dispatched in one piece.

    Attributes
    ----------
    positions : range or list of int
        Where the results belong in the run.
    tasks : sequence of Task, or iterator of Task for a lazy batch
        What is to be called.
    chunk : int
        Number of the chunk that the tasks belong to.
    attempt : int
        How often these tasks have been tried before.
    whole : bool
        A chunk that is retried and lost as a whole; other batches may be split.
    stop : bool
        Leave the rest of the batch undone after a task failed.
    timed : bool
        Measure every task.
    timeout : float, optional
        Seconds the batch may take.
    reducing : Reducing, optional
        Reduces results that would have to leave the process in which they were computed, and those
        of a whole chunk, which may be too many to be held.
    n_bytes : float
        Memory of the tasks, where it was estimated.
    """

    positions: Sequence[int]
    tasks: Sequence[Task] | Iterator[Task]
    chunk: int = 0
    attempt: int = 0
    whole: bool = False
    stop: bool = False
    timed: bool = False
    timeout: float | None = None
    reducing: Reduces | None = None
    n_bytes: float = 0.0

    def __len__(self) -> int:
        return len(self.positions)

    def part(self, offsets: Sequence[int], attempt: int) -> Batch:
        """Return the batch of the tasks at `offsets`, for another attempt."""
        if isinstance(self.tasks, Calls):
            tasks: Sequence[Task] = self.tasks.pick(offsets)
        elif isinstance(self.tasks, Sequence):
            tasks = [self.tasks[offset] for offset in offsets]
        else:
            msg = "A lazy batch has no parts; its failed tasks are in its result."
            raise TypeError(msg)
        positions = [self.positions[offset] for offset in offsets]
        return replace(self, positions=positions, tasks=tasks, attempt=attempt)

    def split(self, n: int) -> tuple[Batch, Batch]:
        """Return the batch of the first `n` tasks, and that of the others."""
        if not isinstance(self.tasks, Sequence):
            msg = "A lazy batch has no parts."
            raise TypeError(msg)
        cuts = slice(None, n), slice(n, None)
        first, rest = (
            replace(self, positions=self.positions[cut], tasks=self.tasks[cut]) for cut in cuts
        )
        return first, rest

    def failed_tasks(self, result: BatchResult) -> list[Task]:
        """Return the tasks that failed, in order."""
        if isinstance(self.tasks, Sequence):
            return [self.tasks[offset] for offset in result.failures]
        return result.failed_tasks

    def retry(self, result: BatchResult) -> Batch:
        """Return the batch of the tasks that failed, for another attempt."""
        if isinstance(self.tasks, Sequence):
            return self.part(result.failures, self.attempt + 1)
        positions = [self.positions[offset] for offset in result.failures]
        return replace(
            self, positions=positions, tasks=result.failed_tasks, attempt=self.attempt + 1
        )


@dataclass(slots=True)
class BatchResult:
    """What became of one batch.

    Attributes
    ----------
    values : list, array, ResultColumns or ReducedResults
        One result a task, in order; an `Outcome` where `failures` says so. Shorter than the batch
        if that was to stop at a failure, if it is cut, or if a lazy batch came to the end of its
        tasks. What a compiled loop gave is no list. With `reducing`, what a reducer made of the
        results may stand in their place.
    failures : list of int
        Offsets of failed tasks in `values`, ascending.
    failed_tasks : list of Task
        The failed tasks of a lazy batch, for another attempt.
    seconds : float
        Time the whole batch took.
    status : {"ok", "failed", "timeout", "died"}
        Other than "ok" if the batch was lost as a whole; `values` is empty then.
    error : Exception, optional
        Why the batch was lost.
    interrupted : bool
        A task raised `KeyboardInterrupt`, which is meant for the run.
    is_cut : bool
        The batch ended early, for its results are many bytes: the rest of it has not been run.
    n_bytes : float
        Memory of the results, estimated.
    """

    values: Any = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    failed_tasks: list[Task] = field(default_factory=list)
    seconds: float = 0.0
    status: Status = "ok"
    error: BaseException | None = None
    interrupted: bool = False
    is_cut: bool = False
    n_bytes: float = 0.0


def lost(status: Status, error: BaseException, seconds: float = math.nan) -> BatchResult:
    """Return the result of a batch that was lost as a whole."""
    return BatchResult(status=status, error=error, seconds=seconds)


@contextmanager
def nested(inside: Nesting) -> Iterator[None]:
    """Let code inside see that it runs there."""
    token = nesting.set(inside)
    try:
        yield
    finally:
        nesting.reset(token)


# Whatever else a task raises is its own failure, SystemExit included: the same on every engine.
_REDUCED_SECONDS = 0.05
_MOST_IN_PIECE = 100_000
_FOR_THE_RUN = (KeyboardInterrupt, TaskStopped)
_UNFINISHED = frozenset(check.UNFINISHED_TYPES)
_PIECE_SECONDS = 25e-6  # looking at the types of a piece takes 1 µs, and 0.02 µs a result
_LONGEST_PIECE = 512
_SMALL = 64 * 1024  # bytes of a result


def run_batch(batch: Batch) -> BatchResult:
    """Run the tasks of `batch` one after another.

    Raises
    ------
    KeyboardInterrupt
        If a task raised it: it is meant for the run.
    """
    if batch.timeout is not None:
        return _run_in_time(batch, batch.timeout)
    started = perf_counter()
    result = BatchResult()
    stops: Stops | None = getattr(here, "stops", None)
    run_calls = _run_calls if batch.reducing is None or not batch.whole else _run_in_pieces
    if stops is None:
        run_calls(batch, result)
    else:
        was_open = stops.close()  # a run inside a task of another one
        try:
            stops.open()
            run_calls(batch, result)
        finally:
            stops.close()
            if was_open:
                stops.open()
        if stops.is_asked:  # too late to be raised in the user's code
            raise TaskStopped
    result.seconds = perf_counter() - started
    return result


def _run_calls(batch: Batch, result: BatchResult) -> None:
    """Make the calls of `batch`; the thread may be stopped, but not while it notes a failure."""
    values = result.values
    if isinstance(batch.tasks, Calls) and not batch.timed:
        if batch.tasks.template.total >= FEWEST_CALLS and _run_loop(batch, batch.tasks, result):
            return
        _run_columns(batch, batch.tasks, result)
    else:
        is_lazy, begun = not isinstance(batch.tasks, Sequence), math.nan
        weighed: _Weighed | None = None
        for task in batch.tasks:
            if batch.timed:
                begun = perf_counter()
            try:
                value = task()
                if type(value) in PLAIN:
                    values.append(value)
                else:
                    values.append(check.finished(value))
                    weighed = weighed or _Weighed(batch, result)
                    if weighed.is_full(value):
                        break
            except _FOR_THE_RUN:
                raise
            except BaseException as error:  # noqa: BLE001  # SystemExit and the like are failures, too
                _note_failure(batch, result, error, perf_counter() - begun)
                if is_lazy:
                    result.failed_tasks.append(task)
                if batch.stop:
                    break


def _run_columns(batch: Batch, calls: Calls, result: BatchResult) -> None:
    """Make calls by column, a piece after the other.

    A C loop makes those of a piece, at 0.05 µs each. It ends at a call that raised, which is found
    by counting the results, and goes on with the call after it. Pieces are long against looking
    at their results, which are what may fill the memory, and short, as sizes are not known before.
    """
    n, results, values = len(calls), calls.results(), result.values
    size, is_refused = 1, False
    weighed: _Weighed | None = None
    while (start := len(values)) < n:
        stop = min(start + size, n)
        begun = perf_counter()
        try:
            values.extend(islice(results, stop - start))
            if len(values) < stop:  # the loop took an exception for the end of the results
                _raise_stop_iteration()
        except _FOR_THE_RUN:
            raise
        except BaseException as error:  # noqa: BLE001  # SystemExit and the like are failures, too
            _note_failure(batch, result, error, perf_counter() - begun)
            if batch.stop:
                break
        seconds = perf_counter() - begun
        if seconds < _PIECE_SECONDS:
            size = min(2 * size, _LONGEST_PIECE)
        elif seconds > 4 * _PIECE_SECONDS and size > 1:
            size //= 2
        piece = values[start:]
        if not PLAIN.issuperset(map(type, piece)):
            is_refused = is_refused or not _UNFINISHED.isdisjoint(map(type, piece))
            weighed = weighed or _Weighed(batch, result)
            size = min(size, weighed.more_than(piece))
            if not size:
                break
    if is_refused:
        _refuse_unfinished(batch, result)


class _Weighed:
    """Says when the results of a batch are as many bytes as may travel together."""

    def __init__(self, batch: Batch, result: BatchResult) -> None:
        self._n = None if batch.whole else len(batch)  # a chunk is one piece
        self._result = result
        self._footprint = Footprint()
        self._stride, self._left = 1, 0  # of small results every eighth is looked at

    def is_full(self, value: object) -> bool:
        """Take the last result, unless it is one of many small ones; whether that was enough."""
        if self._left:
            self._left -= 1
            return False
        found = self._footprint.of(value)
        self._result.n_bytes += self._stride * found
        self._stride = 1 if found > _SMALL else min(2 * self._stride, 8)
        self._left = self._stride - 1
        return self.more_than(()) == 0

    def more_than(self, piece: Sequence[object]) -> int:
        """Take results; return how many more may follow, none if that was enough."""
        result = self._result
        result.n_bytes += self._footprint.of_some(piece)
        n_done = len(result.values)
        if self._n is None or n_done == self._n:
            return self._n or _LONGEST_PIECE
        if result.n_bytes >= BATCH_BYTES:
            result.is_cut = True
            return 0
        fitting = (BATCH_BYTES - result.n_bytes) * n_done / max(result.n_bytes, 1.0)
        return int(max(1.0, min(fitting, _LONGEST_PIECE)))


def _run_in_pieces(batch: Batch, result: BatchResult) -> None:
    """Make the calls of a whole chunk and reduce their results as they come."""
    reducing, tasks = batch.reducing, batch.tasks
    if reducing is None or not isinstance(tasks, Sequence):
        _run_calls(batch, result)
        return
    try:
        reduction = reducing.begin()
        failed: dict[int, Outcome] = {}
        start, size = 0, 1
        while start < len(tasks):
            rows = slice(start, start + size)
            # Not whole: it ends early where its results are many bytes.
            piece = replace(batch, positions=batch.positions[rows], tasks=tasks[rows], whole=False)
            part, begun = BatchResult(), perf_counter()
            _run_calls(piece, part)
            reducing.take(reduction, piece.positions, part)
            failed |= {start + offset: part.values[offset] for offset in part.failures}
            start += len(part.values)
            if batch.stop and failed:
                break
            if perf_counter() - begun < _REDUCED_SECONDS:
                size = min(8 * size, _MOST_IN_PIECE)
            elif size > 1:
                size //= 2
        result.values = reducing.ended(reduction, start, failed)
        result.failures = sorted(failed)
    except _FOR_THE_RUN:
        raise
    except Exception:  # noqa: BLE001  # of a reducer: met again where it is the run's, with all results
        _run_calls(batch, result)


def _run_loop(batch: Batch, calls: Calls, result: BatchResult) -> bool:
    """Make the calls of `batch` in a compiled loop, which ends at one that raised; False if not."""
    loop = calls.loop()
    if loop is None:
        return False
    n, start, values = len(calls), 0, result.values
    while loop.done < n:
        begun = perf_counter()
        try:
            loop.run()
        except _FOR_THE_RUN:
            raise
        except BaseException as error:  # noqa: BLE001  # as of single calls
            values.extend(loop.results(start, loop.done).tolist())
            _note_failure(batch, result, error, perf_counter() - begun)
            loop.skip()
            start = loop.done
            if batch.stop:
                return True
    if result.failures:
        values.extend(loop.results(start, n).tolist())
    else:
        result.values = loop.results(0, n)
    return True


def _raise_stop_iteration() -> None:
    msg = "the function raised StopIteration"
    raise StopIteration(msg)


def _note_failure(batch: Batch, result: BatchResult, error: BaseException, seconds: float) -> None:
    offset = len(result.values)
    result.failures.append(offset)
    result.values.append(_failure(batch, offset, error, seconds))


def _failure(batch: Batch, offset: int, error: BaseException, seconds: float) -> Outcome:
    with Unstopped():  # it reads files
        text = traceback_text(error)
    return Outcome(batch.positions[offset], "failed", error=error, seconds=seconds, traceback=text)


def _refuse_unfinished(batch: Batch, result: BatchResult) -> None:
    """Turn results that are calls that have only begun, such as coroutines, into failures."""
    for offset, value in enumerate(result.values):
        try:
            check.finished(value)
        except ParamTypeError as error:
            result.values[offset] = _failure(batch, offset, error, math.nan)
            bisect.insort(result.failures, offset)


def _run_in_time(batch: Batch, timeout: float) -> BatchResult:
    """Run `batch` in a thread of its own and leave it behind when its time is up."""
    ended: list[BatchResult | BaseException] = []
    untimed, stops = replace(batch, timeout=None), Stops()

    def work() -> None:
        stops.adopt()
        try:
            ended.append(run_batch(untimed))
        except BaseException as error:  # noqa: BLE001  # carried to the thread that waits
            ended.append(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(work,), name="broadpeak-task", daemon=True)
    started, outer = perf_counter(), getattr(here, "stops", None)
    thread.start()
    try:
        if outer is not None:
            outer.pass_on(stops)
        thread.join(timeout)
    finally:
        if outer is not None:
            outer.pass_on(None)
        if thread.is_alive():
            stops.stop()
    if not ended:
        return lost("timeout", late(timeout), perf_counter() - started)
    result = ended[0]
    if isinstance(result, BaseException):
        raise result
    return result


def late(timeout: float) -> TimeoutError:
    """Return the error of a task that took longer than `timeout` seconds."""
    return TimeoutError(
        f"must end within timeout={timeout:g} seconds, but was still running. Pass a larger "
        "timeout=, or retries= to try it again"
    )


def died_text(how: str) -> str:
    """Return the message for a task whose worker is gone; `how` says how it ended."""
    return (
        f"The worker process must live, but it {how}. Pass retries= to run the task again, or a "
        "smaller n_workers= if memory ran out."
    )


def out_of_memory(when: str) -> EngineError:
    """Return the error of a process that had no memory left at a batch."""
    return EngineError(
        "Memory must suffice for the tasks that run at the same time and for their results, but it "
        f"ran out {when}. Pass a smaller n_workers=, or tasks that carry or return less."
    )
