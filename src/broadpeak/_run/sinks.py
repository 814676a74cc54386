# SPDX-License-Identifier: BSD-3-Clause
"""Where a run puts its results.

The loop itself holds no results: it passes them to a sink as they come, and at the end returns what
the sink has made of them. So a run may hold a list, only the best hundred, or nothing but a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from broadpeak._core.aliases import Index
from broadpeak._run.batches import Outcome
from broadpeak._run.keeping import (
    OneFigure,
    Part,
    Values,
    finished,
    inner_labels,
    kept_positions,
)
from broadpeak._run.reducing import ReducedResults, Reducing, reduction_of
from broadpeak.types import AnyArray, IntArray, NoResult, Reducer


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of a run.

    Attributes
    ----------
    value : object
        The merged results; the list of results without a merge, or an array of them before they
        are merged; `NoResult` if all were dropped.
    kept : int64 array, optional
        Positions of the tasks that have a result; None if all have one, or where these make one.
    """

    value: Any
    kept: IntArray | None


class Sink(Protocol):
    """Takes the results of one run.

    Results come in any order, batch by batch; each task is put, or fails, at most once. One that
    `takes_arrays` may get the results of a compiled loop as they are, and one that has a
    `Reducing` by the name `reducing` may get `ReducedResults` from workers. A sink that
    returns anything but a list of one result a task has nothing that could be merged. One that
    has a method `close` gives up there what it has not completed; it is called however a run ends.
    """

    def put(self, positions: Sequence[int], values: Sequence[object], seconds: float) -> None:
        """Take the results of the tasks at `positions`, which took `seconds` together.

        There may be more positions than values: those at the end have not been run. A value may be
        `NoResult`.
        """

    def fail(self, outcome: Outcome) -> None:
        """Take note of a task that failed for good."""

    def finish(self, n_tasks: int) -> Finished:
        """Return what the run of `n_tasks` tasks returns, and which tasks it covers."""


def close_sink(sink: Sink | None) -> None:
    """Let `sink` give up what it has not completed."""
    close = getattr(sink, "close", None)
    if close is not None:
        close()


class ResultList:
    """The usual sink: a list in the order of tasks.

    Parameters
    ----------
    record : bool
        Whether a failed task leaves its `Outcome`; else it leaves nothing.
    """

    takes_arrays = True

    def __init__(self, *, record: bool = False) -> None:
        self._results: list[object] = []
        self._arrays: list[AnyArray] = []  # while all results come in arrays, in order
        self._record = record

    def put(self, positions: Sequence[int], values: Any, seconds: float) -> None:
        """Put every result where its task is."""
        results = self._results
        if self._arrays or type(values) is not list:
            if self._has_appended(positions, values):
                return
            values = values if isinstance(values, (list, tuple)) else values.tolist()
        if isinstance(positions, range) and positions.step == 1:
            start = positions.start
            if start > len(results):
                results.extend([NoResult] * (start - len(results)))
            results[start : start + len(values)] = values
            return
        for position, value in zip(positions, values, strict=False):
            if position >= len(results):
                results.extend([NoResult] * (position + 1 - len(results)))
            results[position] = value

    def _has_appended(self, positions: Sequence[int], values: Any) -> bool:
        """Take an array that follows the others; make a list of them if this is none."""
        arrays, results = self._arrays, self._results
        fits = isinstance(values, np.ndarray) and isinstance(positions, range) and not results
        if (
            fits
            and positions[:1] == range(n := sum(map(len, arrays)), n + 1)
            and (not arrays or arrays[0].dtype == values.dtype)
        ):
            arrays.append(values)
            return True
        self._arrays = []
        for array in arrays:
            results.extend(array.tolist())
        return False

    def fail(self, outcome: Outcome) -> None:
        """Put the outcome where a result would be, if failures are recorded."""
        if self._record:
            if outcome.error is not None:  # its frames would keep their data alive
                outcome.error.__traceback__ = None
            self.put([outcome.index], [outcome], outcome.seconds)

    def finish(self, n_tasks: int) -> Finished:
        """Return the results other than `NoResult`; one array if they came in arrays."""
        if self._arrays and sum(map(len, self._arrays)) == n_tasks:
            return Finished(np.concatenate(self._arrays), None)
        if self._arrays:
            self._has_appended((), [])
        results = self._results
        results.extend([NoResult] * (n_tasks - len(results)))
        mark = id(NoResult)
        if mark not in map(id, results):
            return Finished(results, None)
        ids = np.fromiter(map(id, results), dtype=np.uint64, count=len(results))
        kept = np.flatnonzero(ids != mark)
        return Finished([results[position] for position in kept.tolist()], kept)


class KeptResults:
    """A sink that holds no results: a reducer takes them as they come.

    Parameters
    ----------
    reducer : Reducer
        What to keep.
    labels : callable
        Positions of tasks -> their labels.
    """

    takes_arrays = True

    def __init__(self, reducer: Reducer, labels: Callable[[IntArray], Index]) -> None:
        self.reducer, self._labels = reducer, labels
        self._reduction = reduction_of(reducer)
        self.reducing = Reducing(reducer)

    def put(self, positions: Sequence[int], values: Any, seconds: float) -> None:
        """Let the reducer see all results but `NoResult`, unless a worker has let it."""
        del seconds
        if type(values) is ReducedResults:
            self._reduction.take(values.parts)
        else:
            self._reduction.put(positions, values)

    def put_many(self, positions: Sequence[int], values: Values | OneFigure) -> None:
        """Let the reducer see results, none of which is `NoResult`, also as arrays."""
        self._reduction.put_many(positions, values)

    def drop(self, positions: Sequence[int] | IntArray) -> None:
        """Take note that calls have no result."""
        self._reduction.drop(positions)

    def parts(self) -> list[Part]:
        """Return all that is known: another such sink may take it up, and go on from there."""
        return self._reduction.parts()

    def restore(self, parts: Iterable[Part]) -> None:
        """Take up what was known of other calls."""
        self._reduction.take(parts)

    @property
    def kept(self) -> KeptResults:
        """The sink that reduces, as of every sink in front of it."""
        return self

    def forget(self) -> None:
        """Begin anew."""
        self._reduction = reduction_of(self.reducer)

    def labels_of(self, positions: IntArray) -> Index:
        """Return the labels of what is kept."""
        inner = self._reduction.labels
        if inner is None:
            return self._labels(positions)
        rows, at = np.divmod(positions, max(len(inner), 1))
        return inner_labels(self._labels(rows), inner.take(at))

    def fail(self, outcome: Outcome) -> None:
        """Leave a failed task out."""
        self.drop([outcome.index])

    def finish(self, n_tasks: int) -> Finished:
        """Return what the reducer makes of its state."""
        state, inner = self._reduction.state(), self._reduction.labels
        if n_tasks and not self._reduction.n:
            return Finished([], np.empty(0, dtype=np.int64))
        kept = kept_positions(self.reducer, state)
        if kept is not None and inner is not None:
            kept = kept // max(len(inner), 1)
        return Finished(finished(self.reducer, state, self.labels_of), kept)


class ChunkResults:
    """A sink before another one, which holds the results of open chunks for callbacks.

    Parameters
    ----------
    inner : Sink
        Where results go.
    record : bool
        Whether a failed task leaves its `Outcome` among them.
    """

    def __init__(self, inner: Sink, *, record: bool = False) -> None:
        self._inner = inner
        self.kept: KeptResults | None = getattr(inner, "kept", None)
        self._record = record
        self._open: dict[int, object] = {}

    def put(self, positions: Sequence[int], values: Sequence[object], seconds: float) -> None:
        """Hold the results, and pass them on."""
        self._open.update(zip(positions, values, strict=False))
        self._inner.put(positions, values, seconds)

    def fail(self, outcome: Outcome) -> None:
        """Hold the outcome, if failures are recorded, and pass it on."""
        if self._record:
            self._open[outcome.index] = outcome
        self._inner.fail(outcome)

    def finish(self, n_tasks: int) -> Finished:
        """Return what the next sink returns."""
        return self._inner.finish(n_tasks)

    def close(self) -> None:
        """Give up what the next sink has not completed."""
        close_sink(self._inner)

    def taken(self, positions: Sequence[int]) -> list[object]:
        """Return the results of a chunk that is done, and hold them no longer."""
        return [self._open.pop(position, NoResult) for position in positions]
