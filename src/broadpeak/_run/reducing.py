# SPDX-License-Identifier: BSD-3-Clause
"""What a reducer knows so far, in whatever order and pieces results come; also in a worker.

Two ways lead to one answer. States of `Best` and `Bins` may be joined in any order and grouping
without a bit changing, so one state is enough. A reducer of the user may add floats, of which sums
depend on their grouping; so its states are joined along one tree, which only the positions of calls
decide: a node covers an aligned power of two of them, whoever computed which part, and when.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

import cloudpickle
import numpy as np

from broadpeak._core.aliases import Index
from broadpeak._run.batches import BatchResult, Outcome
from broadpeak._run.calls import CallTemplate
from broadpeak._run.keeping import (
    Best,
    Bins,
    Inner,
    OneFigure,
    Part,
    Values,
    add_many,
    inner_of,
    other_entries,
    same_labels,
)
from broadpeak._run.stretches import Piece, Positions, between, length, rows_of, stretches, together
from broadpeak.types import NoResult, Reducer

_Node: TypeAlias = "tuple[int, Any]"  # how many results, and their state

_BLOCK: Final = 1024  # results that `add_many` of a user gets at a time
_EMPTY: Final[_Node] = (0, None)


@dataclass(slots=True)
class ReducedResults:
    """What a batch answers in place of its results: what a reducer made of them.

    It has the length of the results it stands for; the failures among them are there by offset.

    Attributes
    ----------
    n : int
        Calls that were made, failed ones included.
    parts : list of Part
        States of all calls that did not fail.
    failed : dict
        Outcomes of the others, by offset.
    """

    n: int
    parts: list[Part]
    failed: dict[int, Outcome] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, offset: int) -> Outcome:
        return self.failed[offset]

    def __setitem__(self, offset: int, outcome: Outcome) -> None:
        self.failed[offset] = outcome


class Reducing:
    """How a worker reduces the results of a batch; travels once a worker.

    Parameters
    ----------
    reducer : Reducer
        What takes them.
    *more
        What else a subclass needs there.
    """

    def __init__(self, reducer: Reducer, *more: object) -> None:
        self._held = CallTemplate(reducer_itself, (reducer, *more), {}, ())

    @property
    def reducer(self) -> Reducer:
        """What takes the results."""
        return cast("Reducer", self._held.args[0])

    @property
    def more(self) -> tuple[Any, ...]:
        """What else there is."""
        return self._held.args[1:]

    def travels(self) -> bool:
        """Return whether the reducer can be sent to a worker; if not, results are sent here."""
        if isinstance(self.reducer, (Best, Bins)):
            return True
        try:
            cloudpickle.dumps(self.reducer)
        except Exception:  # noqa: BLE001  # pickle raises whatever objects raise
            return False
        return True

    def reduced(self, positions: Sequence[int], result: BatchResult) -> ReducedResults:
        """Return what is to travel in place of the values of `result`."""
        values, reduction = result.values, self.begin()
        self.take(reduction, positions, result)
        return self.ended(
            reduction, len(values), {offset: values[offset] for offset in result.failures}
        )

    def begin(self) -> Reduction:
        """Return what takes results and knows nothing yet."""
        return reduction_of(self.reducer)

    def take(self, reduction: Reduction, positions: Sequence[int], result: BatchResult) -> None:
        """Let `reduction` see the values of `result`, but those that failed."""
        values = result.values
        positions = positions[: len(values)]
        if result.failures:
            failed = set(result.failures)
            good = [offset for offset in range(len(values)) if offset not in failed]
            positions = [positions[offset] for offset in good]
            values = [values[offset] for offset in good]
        self.put(reduction, positions, values)

    def ended(self, reduction: Reduction, n: int, failed: dict[int, Outcome]) -> ReducedResults:
        """Return what stands in place of `n` results, of which some failed."""
        return ReducedResults(n, reduction.parts(), failed)

    def put(self, reduction: Reduction, positions: Positions, values: Any) -> None:
        """Let `reduction` see the results of calls."""
        reduction.put(positions, values)


def reducer_itself(reducer: Reducer, *more: object) -> Reducer:
    """Return `reducer`: what is shared with workers has the form of a call."""
    del more
    return reducer


class Reduction:
    """What a reducer knows of results; for one that may join its states in any way.

    Parameters
    ----------
    reducer : Reducer
        What takes the results.

    Attributes
    ----------
    n : int
        Calls that had a result.
    labels : Index, optional
        Of the entries of one call, if it has several.
    """

    def __init__(self, reducer: Reducer) -> None:
        self.reducer = reducer
        self.n = 0
        self.labels: Index | None = None
        self._state = reducer.start()

    def put(self, positions: Positions, values: Any) -> None:
        """Take the results of calls; some may be `NoResult`, or the `Part` of many calls."""
        if isinstance(values, list) and id(NoResult) in map(id, values):
            pairs = zip(positions, values, strict=False)
            there = [pair for pair in pairs if pair[1] is not NoResult]
            self.take(value for _, value in there if type(value) is Part)
            there = [pair for pair in there if type(pair[1]) is not Part]
            positions = [position for position, _ in there]
            values = [value for _, value in there]
        elif isinstance(values, list) and values and type(values[0]) is Part:  # a list of one
            self.take(values)
            return
        positions = positions[: len(values)]
        inner = inner_of(values, self.reducer) if isinstance(values, list) else None
        if inner is None:
            self.put_many(positions, values)
        else:
            self._put_inner(positions, inner)

    def put_many(self, positions: Positions, values: Values | OneFigure) -> None:
        """Take results, none of which is `NoResult`, also as arrays."""
        if len(positions):
            self._note(None)
            self.n += len(positions)
            self._state = add_many(self.reducer, self._state, positions, values)

    def take(self, parts: Iterable[Part]) -> None:
        """Take what is known of other calls."""
        for part in parts:
            if part.n:
                self._note(part.labels)
                self.n += part.n
                self._state = self.reducer.merge(self._state, part.state)

    def drop(self, positions: Positions) -> None:
        """Take note that calls have no result."""

    def parts(self) -> list[Part]:
        """Return all that is known, for another `Reduction` of the same reducer to take."""
        return [Part(self._state, self.n, self.labels)] if self.n else []

    def state(self) -> Any:
        """Return the state of all results, once all are there."""
        return self._state

    def _note(self, labels: Index | None) -> None:
        """See to it that all calls have the same entries."""
        if not self.n:
            self.labels = labels
        elif labels is None or self.labels is None:
            if labels is not self.labels:
                got = "one entry" if labels is None else list(labels[:5])
                raise other_entries(self.labels, got, self.reducer)
        elif not same_labels(self.labels, labels):
            raise other_entries(self.labels, list(labels[:5]), self.reducer)

    def _put_inner(self, positions: Positions, inner: Inner) -> None:
        """Take results with several entries each; these are the fastest axis."""
        self._note(inner.labels)
        n = len(inner.labels)
        self.n += len(positions)
        numbers = np.asarray(positions, dtype=np.int64)[:, np.newaxis] * n + np.arange(n)
        self._state = add_many(self.reducer, self._state, numbers.reshape(-1), inner.values)


class OrderedReduction(Reduction):
    """The same for a reducer whose states must be joined in one order and grouping.

    Leaves are single results or, where the reducer takes many at a time, blocks of 1,024 of them:
    what is there of a block that others complete is held as it is.
    """

    def __init__(self, reducer: Reducer) -> None:
        super().__init__(reducer)
        self._size = leaf_size(reducer)
        self._nodes: dict[int, tuple[int, _Node]] = {}  # first leaf -> leaves, their node
        self._open: dict[int, list[Piece]] = {}  # block -> first position, its results

    def put(self, positions: Positions, values: Any) -> None:
        """Take the results of calls; some may be `NoResult`."""
        if isinstance(values, (tuple, Iterator)):
            values = list(values)
        for first, part in stretches(positions, values):
            self._put_stretch(first, part)

    def put_many(self, positions: Positions, values: Values | OneFigure) -> None:
        """Take results, none of which is `NoResult`, also as arrays."""
        self.put(positions, values)

    def take(self, parts: Iterable[Part]) -> None:
        """Take what is known of other calls."""
        for part in parts:
            assert part.span is not None  # noqa: S101  # of this reducer
            if part.is_raw:
                self._put_stretch(part.span.start, part.state)
            else:
                self.n += part.n
                leaves = len(part.span) // self._size
                self._add(part.span.start // self._size, leaves, (part.n, part.state))

    def drop(self, positions: Positions) -> None:
        """Take note that calls have no result: their neighbours need not wait for it."""
        self.put(positions, [NoResult] * len(positions))

    def parts(self) -> list[Part]:
        """Return all that is known, for another `Reduction` of the same reducer to take."""
        size = self._size
        found = [
            Part(state, n, None, range(first * size, (first + leaves) * size))
            for first, (leaves, (n, state)) in self._nodes.items()
        ]
        found += [
            Part(values, 0, None, range(first, first + length(values)), is_raw=True)
            for pieces in self._open.values()
            for first, values in pieces
        ]
        return found

    def state(self) -> Any:
        """Return the state of all results, once all are there."""
        nodes = {first: node for first, (_, node) in self._nodes.items()}
        for block, pieces in self._open.items():  # the last one need not be full
            nodes[block] = self._leaf(pieces)
        last = _EMPTY
        for first in sorted(nodes):
            last = self._joined(last, nodes[first])
        return last[1] if last[0] else self.reducer.start()

    def _put_stretch(self, first: int, values: Any) -> None:
        """Take the results of calls that follow one another."""
        size, n = self._size, length(values)
        n_dropped = 0
        if isinstance(values, list):
            n_dropped = list(map(id, values)).count(id(NoResult))
        self.n += n - n_dropped
        if size == 1:
            self._add_singles(first, rows_of(values), is_whole=not n_dropped)
            return
        at = 0
        while at < n:
            block, start = divmod(first + at, size)
            count = min(size - start, n - at)
            pieces = self._open.setdefault(block, [])
            pieces.append((first + at, between(values, at, at + count)))
            if sum(length(piece) for _, piece in pieces) == size:
                del self._open[block]
                self._add(block, 1, self._leaf(pieces))
            at += count

    def _leaf(self, pieces: list[Piece]) -> _Node:
        """Return the node of the results of a block."""
        positions, values = together(pieces)
        if not len(positions):
            return _EMPTY
        return len(positions), add_many(self.reducer, self.reducer.start(), positions, values)

    def _add_singles(self, first: int, values: Sequence[Any], *, is_whole: bool) -> None:
        """Add the results of calls that follow one another, each of which is a leaf."""
        start, add, join = self.reducer.start, self.reducer.add, self.reducer.merge
        at, n = 0, len(values)
        while at < n:
            number = first + at
            count = 1 << (n - at).bit_length() - 1  # as many as form one node
            if number:
                count = min(count, number & -number)
            rows = enumerate(values[at : at + count], number)
            if is_whole:  # no node needs to say how many results it has
                states = [add(start(), position, value) for position, value in rows]
                while len(states) > 1:
                    states = list(map(join, states[::2], states[1::2]))
                node = count, states[0]
            else:
                level = [
                    _EMPTY if value is NoResult else (1, add(start(), position, value))
                    for position, value in rows
                ]
                while len(level) > 1:
                    level = list(map(self._joined, level[::2], level[1::2]))
                node = level[0]
            self._add(number, count, node)
            at += count

    def _add(self, first: int, leaves: int, node: _Node) -> None:
        """Add a node, and join it with its neighbour as long as both make one of the tree."""
        known = self._nodes
        while (other := known.get(first ^ leaves)) is not None and other[0] == leaves:
            del known[first ^ leaves]
            node = self._joined(other[1], node) if first & leaves else self._joined(node, other[1])
            first &= ~leaves
            leaves *= 2
        known[first] = leaves, node

    def _joined(self, left: _Node, right: _Node) -> _Node:
        if not left[0]:
            return right
        if not right[0]:
            return left
        return left[0] + right[0], self.reducer.merge(left[1], right[1])


def reduction_of(reducer: Reducer) -> Reduction:
    """Return what takes results for `reducer`, and knows nothing yet."""
    return Reduction(reducer) if isinstance(reducer, (Best, Bins)) else OrderedReduction(reducer)


def leaf_size(reducer: Reducer) -> int:
    """Return how many results a reducer of a user gets at a time."""
    return _BLOCK if hasattr(reducer, "add_many") else 1
