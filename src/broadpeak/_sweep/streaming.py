# SPDX-License-Identifier: BSD-3-Clause
"""`parameterized` with `keep=`: combinations come in blocks, and only what is kept has labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any, Final

import numpy as np
import pandas as pd

from broadpeak._run.batches import Outcome
from broadpeak._run.calls import Calls, CallStream, Coded, CodeWindow
from broadpeak._run.chunks import Chunk, in_order, order_of
from broadpeak._run.execute import run
from broadpeak._run.keeping import OneFigure, Values, named_figure
from broadpeak._run.options import Settings
from broadpeak._run.parquet import FileResults, label_column, level_names, sink_of
from broadpeak._run.reducing import ReducedResults, Reducing, Reduction
from broadpeak._run.sinks import Finished, KeptResults, close_sink
from broadpeak._space.combine import Column, Combos
from broadpeak._space.lazycombos import MOST_HELD, ComboBlocks
from broadpeak._sweep.mono import LEAST, Mono, run_listed
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import AnyArray, IntArray, Keywords, NoResult, Reducer

_NONE: Final = np.empty(0, dtype=np.int64)


@dataclass
class Wanted:
    """A run with `keep` or `to`: what `parameterized` knows of it."""

    combos: ComboBlocks
    values: Mapping[str, Sequence[Any]]  # the values of each parameter
    settings: Settings
    calls: Callable[[Mapping[str, Coded], int], Calls]  # what varies, and how many calls
    describe: Callable[[Combos, int], str]  # a combination in words

    def sink(self) -> KeptResults | FileResults:
        """Return a sink that has seen nothing."""
        return sink_of(self.settings, self.combos.index, partial(ComboLabels, self.combos))

    def label(self, position: int) -> str:
        """Return the combination at `position` in words."""
        return self.describe(self.combos.combos(np.array([position])), 0)

    def names(self, kept: IntArray | None) -> Keywords:
        """Return names for templates: of what is kept; of all combinations if they are few."""
        if kept is None:
            if len(self.combos) > MOST_HELD:
                return {}
            kept = np.arange(len(self.combos))
        lists = self.combos.combos(kept).lists()
        return {"param_index": self.combos.index(kept), "param_product": lists}


@dataclass
class AxisCodes:
    """The codes of some parameters, block after block."""

    combos: ComboBlocks
    names: Sequence[str]

    def __iter__(self) -> Iterator[list[IntArray]]:
        for codes in self.combos:
            yield [self.combos.axes.param_codes(name, codes) for name in self.names]

    def at(self, numbers: IntArray) -> list[IntArray]:
        """Return the codes of the combinations with these numbers."""
        codes = self.combos.codes_at(numbers)
        return [self.combos.axes.param_codes(name, codes) for name in self.names]

    def identity(self, digest: Callable[..., bytes]) -> bytes:
        """Return a digest of which combinations these are, in which order."""
        return digest(list(self.names), self.combos.identity(digest))


class ComboLabels:
    """The labels of combinations as columns of a file, block after block."""

    def __init__(self, combos: ComboBlocks) -> None:
        levels = [level for level in combos.axes.levels if not level.hidden]
        self._is_numbered = not levels  # what no parameter shows goes by its number
        self.names = level_names([level.name for level in levels] or [combos.index(_NONE).name])
        self._columns = [label_column(level.labels) for level in levels]
        self._window = CodeWindow(AxisCodes(combos, [level.param for level in levels]))

    def between(self, start: int, stop: int) -> list[Any]:
        """Return the labels of the combinations from `start` to `stop`."""
        if self._is_numbered:
            return [np.arange(start, stop)]
        codes = self._window.between(start, stop)
        return [column(code) for column, code in zip(self._columns, codes, strict=True)]


def run_kept(wanted: Wanted, mono: Mono = False) -> Finished:
    """Call the function on every combination, as lists where `mono` allows; return what is kept.

    With `to` that is the path of the file, unless something is kept besides.
    """
    combos, settings = wanted.combos, wanted.settings
    calls = wanted.calls({name: (values, _NONE) for name, values in wanted.values.items()}, 0)
    tasks: Calls | CallStream = CallStream(
        calls, AxisCodes(combos, list(wanted.values)), len(combos)
    )
    identity, keys = tasks.identity, None  # however they are cut
    if settings.to is not None and (settings.store is not None or settings.cache_chunks):
        tasks, keys = tasks[:], combos.index(np.arange(len(combos)))  # every result is stored
    elif settings.chunk_meta is not None:
        tasks = tasks[:]  # calls are asked for in any order

    def do(tasks: Calls | CallStream, **options: Any) -> Finished:
        sink = wanted.sink()  # every run begins with nothing
        label, names = wanted.label, wanted.names
        options |= {"label": label, "names": names, "sink": sink, "identity": identity}
        return run(tasks, settings, keys=keys, **options)

    if mono is False or len(combos) < (2 if mono is True else LEAST):
        return do(tasks)
    params = {name: combos.axes.params[name] for name in wanted.values}
    return run_listed(do, tasks, mono, params, settings)


def run_mono_kept(
    wanted: Wanted,
    chunks: Sequence[Chunk],
    mono_values: Callable[[str, Column, Sequence[range]], Sequence[Any]],
) -> Finished:
    """Call the function on every mono-chunk, and return what is kept of their combinations.

    ``mono_values(name, column, stretches)`` is what a parameter passes to each chunk.
    """
    combos, names = wanted.combos, list(wanted.values)
    sizes = [len(chunk) for chunk in chunks]
    stretches = [range(end - size, end) for size, end in zip(sizes, accumulate(sizes), strict=True)]
    order = None if in_order(chunks) else order_of(chunks)
    columns: dict[str, Any] = {}
    if order is None:
        window = CodeWindow(AxisCodes(combos, names))
        for at, name in enumerate(names):
            columns[name] = _LazyColumn(wanted.values[name], _LazyCodes(window, at))
    else:
        columns.update(combos.combos(order).columns)
    numbers = np.arange(len(chunks))
    varying = {name: (mono_values(name, columns[name], stretches), numbers) for name in names}

    def positions(rows: range) -> range | IntArray:
        return rows if order is None else order[rows.start : rows.stop]

    def label(number: int) -> str:
        rows = positions(stretches[number])
        first, last = wanted.label(rows[0]), wanted.label(rows[-1])
        return first if len(rows) == 1 else f"{len(rows)} combinations from {first} to {last}"

    return run(
        wanted.calls(varying, len(chunks)),
        wanted.settings,
        label=label,
        names=wanted.names,
        weights=sizes,
        sink=PieceSink(
            wanted.sink(), [positions(rows) for rows in stretches], wanted.settings.keep
        ),
    )


@dataclass
class _LazyCodes:
    """The codes of one parameter, by stretches."""

    window: CodeWindow
    at: int

    def __getitem__(self, rows: slice) -> IntArray:
        return self.window.between(rows.start, rows.stop)[self.at]


@dataclass
class _LazyColumn:
    """Stands for a `Column` whose codes are asked for by stretches."""

    values: Sequence[Any]
    codes: _LazyCodes


class PieceSink:
    """A sink for the results of mono-chunks: takes each apart for the combinations in it.

    Parameters
    ----------
    inner : KeptResults or FileResults
        Takes the results of combinations.
    positions : sequence
        The combinations of every chunk.
    reducer : Reducer, optional
        What keeps them.
    """

    def __init__(
        self,
        inner: KeptResults | FileResults,
        positions: Sequence[Sequence[int] | IntArray],
        reducer: Reducer | None,
    ) -> None:
        self._inner, self._positions, self._reducer = inner, positions, reducer
        self.kept = inner if isinstance(inner, KeptResults) else None
        self.reducing: PieceReducing | None = None
        if reducer is not None and self.kept is not None:
            self.reducing = PieceReducing(reducer, positions)

    def put(self, positions: Sequence[int], values: Any, seconds: float) -> None:
        """Take pieces apart and pass them on, unless a worker has done so."""
        if type(values) is ReducedResults:
            self._inner.put(positions, values, seconds)
            return
        for rows, entries in taken_apart(self._positions, positions, values, self._reducer):
            if entries is NoResult:
                self._inner.drop(rows)
            elif isinstance(entries, list):
                self._inner.put(rows, entries, seconds)
            else:
                self._inner.put_many(rows, entries)

    def fail(self, outcome: Outcome) -> None:
        """Leave a failed chunk out."""
        self._inner.drop(self._positions[outcome.index])

    def finish(self, n_tasks: int) -> Finished:
        """Return what is kept."""
        del n_tasks  # that of chunks
        return self._inner.finish(sum(map(len, self._positions)))

    def close(self) -> None:
        """Give up what the next sink has not completed."""
        close_sink(self._inner)


class PieceReducing(Reducing):
    """How a worker reduces the results of mono-chunks: a second argument says what is in which."""

    def put(self, reduction: Reduction, positions: Any, values: Any) -> None:
        """Let `reduction` see the results of the combinations in some chunks."""
        for rows, entries in taken_apart(self.more[0], positions, values, self.reducer):
            if entries is NoResult:
                reduction.drop(rows)
            elif isinstance(entries, list):
                reduction.put(rows, entries)
            else:
                reduction.put_many(rows, entries)


def taken_apart(
    stretches: Sequence[Sequence[int] | IntArray],
    numbers: Sequence[int],
    pieces: Sequence[Any],
    reducer: Reducer | None,
) -> Iterator[tuple[Any, Any]]:
    """Yield the combinations of every chunk, and their entries or `NoResult`."""
    for number, piece in zip(numbers, pieces, strict=False):
        rows = stretches[number]
        if piece is NoResult:
            yield rows, NoResult
        else:
            yield rows, entries_of(piece, len(rows), reducer, number)


def entries_of(piece: Any, size: int, reducer: Reducer | None, number: int) -> Values | OneFigure:
    """Return the result of a mono-chunk as one entry a combination, `size` of them.

    Raises
    ------
    ParamError
        If it is not that.
    """
    by = getattr(reducer, "by", None)
    if size == 1 and _is_one(piece, by):
        return [piece]
    if isinstance(piece, (Mapping, pd.DataFrame)):
        columns = {name: np.asarray(piece[name]) for name in piece}
        if columns and all(column.shape == (size,) for column in columns.values()):
            return columns
    elif isinstance(piece, (pd.Series, pd.Index, np.ndarray)):
        found: AnyArray = np.asarray(piece)
        if found.shape == (size,):
            return found
    elif isinstance(piece, (list, tuple)):
        if len(piece) == size:
            return list(piece)
    elif by is not None:  # an object that has it for all combinations
        found = np.atleast_1d(np.asarray(named_figure(piece, by, reducer)))
        if found.shape == (size,):
            return OneFigure(found)
    option = "to" if reducer is None else "keep"
    rule = f"give one entry for each of the {size} combinations of mono-chunk {number}"
    rule += f" with {option}="
    remedy = "Return an array, a list, or a dict or frame of figures, in order of combinations."
    raise ParamError(broken_rule("The result", rule, piece, remedy))


def _is_one(piece: Any, by: str | None) -> bool:
    """Whether the result of a mono-chunk of one combination is that of a single call."""
    if isinstance(piece, Mapping):
        return all(np.ndim(value) == 0 for value in piece.values())
    if isinstance(piece, pd.Series):
        return by is not None and by in piece.index
    if isinstance(piece, tuple) and hasattr(piece, "_fields"):
        return all(np.ndim(value) == 0 for value in piece)
    return np.ndim(piece) == 0 and by is None
