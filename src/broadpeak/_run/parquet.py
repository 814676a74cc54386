# SPDX-License-Identifier: BSD-3-Clause
"""A sink that writes results to a Parquet file: a row a call, in order of calls, none held.

Results come in any order. They are put together in groups of 65,536 calls; a group is written once
all groups before it are, and waits in a file of its own where these take long. So the file is the
same, byte by byte, on every engine. It gets its name when it is complete.
"""

from __future__ import annotations

import datetime as dt
import decimal
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, cast

import numpy as np
import pandas as pd

from broadpeak._core import optional
from broadpeak._core.aliases import Index
from broadpeak._core.files import writing
from broadpeak._run.batches import Outcome
from broadpeak._run.keeping import OneFigure, Values
from broadpeak._run.looped import ResultColumns
from broadpeak._run.options import Settings
from broadpeak._run.sinks import Finished, KeptResults
from broadpeak._run.stretches import Piece, Positions, between, length, rows_of, stretches, together
from broadpeak.errors import FileError, ParamError, ParamTypeError, broken_rule, shown
from broadpeak.types import AnyArray, IntArray, NoResult

Arrow: TypeAlias = Any  # whatever pyarrow makes: it has no types of its own

_GROUP: Final = 1 << 16  # calls
_MOST_READY: Final = 8  # groups that wait in memory
_ROW: Final = "\0row"  # where in its group a result belongs; no name of a figure
_VALUE: Final = "value"

_WHOLE: Final = frozenset(
    (int, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)
)
_FLOAT: Final = frozenset((float, np.float64, np.float32, np.float16))
_TRUTH: Final = frozenset((bool, np.bool_))
_TEXT: Final = frozenset((str, np.str_))
_TIME: Final = frozenset((dt.datetime, pd.Timestamp, np.datetime64))
_SPAN: Final = frozenset((dt.timedelta, pd.Timedelta, np.timedelta64))
_EXACT: Final = frozenset((dt.date, dt.time, decimal.Decimal, bytes))  # Arrow has each as it is
_ABSENT: Final = frozenset((type(None), type(pd.NaT), type(pd.NA)))
_PLAIN: Final = _WHOLE | _FLOAT | _TRUTH | _TEXT | _TIME | _SPAN | _EXACT | _ABSENT


class LabelColumns(Protocol):
    """The columns that say which call a row is of."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns."""

    def between(self, start: int, stop: int) -> list[AnyArray | Arrow]:
        """Return the labels of the calls from `start` to `stop`; asked for in ascending order."""


class CallNumbers:
    """Labels of calls that have none."""

    names = ("call",)

    def between(self, start: int, stop: int) -> list[AnyArray | Arrow]:
        """Return the numbers of calls."""
        return [np.arange(start, stop)]


class KeyLabels:
    """Labels of calls that have keys."""

    def __init__(self, keys: Index) -> None:
        self._keys = keys
        self.names = level_names(keys.names)
        levels = keys.levels if isinstance(keys, pd.MultiIndex) else [keys]
        self._columns = [label_column(level) for level in levels]

    def between(self, start: int, stop: int) -> list[AnyArray | Arrow]:
        """Return the keys of some calls."""
        keys = self._keys
        if stop > len(keys):
            rule = f"have one label a task, {stop} or more"
            raise ParamError(broken_rule("keys", rule, len(keys)))
        if isinstance(keys, pd.MultiIndex):
            codes = [np.asarray(code[start:stop], dtype=np.int64) for code in keys.codes]
        else:
            codes = [np.arange(start, stop)]
        return [column(code) for column, code in zip(self._columns, codes, strict=True)]


def level_names(names: Iterable[object]) -> list[str]:
    """Return names of columns for levels of an index."""
    found = [f"level_{at}" if name is None else str(name) for at, name in enumerate(names)]
    for name in found:
        if found.count(name) > 1:
            rule = "have names that differ, for each is a column of the file"
            raise ParamError(broken_rule("Levels of the labels", rule, found))
    return found


def label_column(labels: Sequence[object] | Index) -> Callable[[IntArray], AnyArray | Arrow]:
    """Return what gives labels by their codes. What Parquet has no type for is written as text."""
    if isinstance(labels, range):
        return lambda codes: labels.start + np.asarray(codes, dtype=np.int64) * labels.step
    if isinstance(labels, (pd.Index, np.ndarray)) and labels.dtype.kind in "iufb":
        numbers = np.asarray(labels)
        return lambda codes: _taken(numbers, codes)
    column = _column(list(labels), or_text=True)
    return lambda codes: column.take(_arrow().array(codes, mask=codes < 0))


def _taken(numbers: AnyArray, codes: IntArray) -> AnyArray | Arrow:
    if len(codes) and codes.min() < 0:  # a missing label of an index
        return _arrow().array(numbers[codes], mask=codes < 0)
    return numbers[codes]


class FileResults:
    """The sink of ``to="scores.parquet"``.

    Parameters
    ----------
    path : Path
        The file.
    labels : LabelColumns
        What stands beside the results.
    inner : KeptResults, optional
        What keeps some of the results besides.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    FileError
        If nothing can be written there.
    """

    takes_arrays = True

    def __init__(self, path: Path, labels: LabelColumns, inner: KeptResults | None = None) -> None:
        _arrow()
        self._target, self._labels, self._inner = path, labels, inner
        with self._writing():
            if path.is_dir() or not os.access(path.parent, os.W_OK):
                raise FileError(broken_rule("to", "be a file that can be written", str(path)))
        self._folder: Path | None = None  # of files that are not complete
        self._open: dict[int, list[Piece]] = {}  # group -> what is there of it
        self._counts: dict[int, int] = {}
        self._ready: dict[int, Arrow | Path | None] = {}  # groups that wait for those before them
        self._next = 0
        self._writer: Arrow | None = None
        self._parts: list[Path] = []  # a part for every schema
        self._schema: Arrow | None = None
        self._n_rows = 0

    def put(self, positions: Positions, values: Any, seconds: float = 0.0) -> None:
        """Take results; some may be `NoResult`."""
        if self._inner is not None:
            self._inner.put(cast("Sequence[int]", positions), values, seconds)
        self._take(positions, values)

    def put_many(self, positions: Positions, values: Values | OneFigure) -> None:
        """Take results, none of which is `NoResult`, also as arrays."""
        if self._inner is not None:
            self._inner.put_many(cast("Sequence[int]", positions), values)
        self._take(positions, values)

    def drop(self, positions: Positions) -> None:
        """Take note that calls have no result."""
        if self._inner is not None:
            self._inner.drop(positions)
        self._take(positions, [NoResult] * len(positions))

    def fail(self, outcome: Outcome) -> None:
        """Leave a failed task out."""
        self.drop([outcome.index])

    def finish(self, n_tasks: int) -> Finished:
        """Return the path of the file, which is there now; what is kept besides comes first."""
        for group in sorted(self._open):
            self._close_group(group)
        for group in sorted(self._ready):
            self._next = group
            self._write_ready()
        kept = None if self._inner is None else self._inner.finish(n_tasks)
        if not self._n_rows:
            return Finished([], np.empty(0, dtype=np.int64))
        self._complete()
        return Finished(self._target, None) if kept is None else kept

    def close(self) -> None:
        """Remove what is not complete."""
        writer, self._writer = self._writer, None
        folder, self._folder = self._folder, None
        if folder is not None:
            try:
                if writer is not None:
                    writer.close()
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    # --- groups -------------------------------------------------------------------------------

    def _take(self, positions: Positions, values: Any) -> None:
        if isinstance(values, OneFigure):
            reducer: Any = None if self._inner is None else self._inner.reducer
            values = {getattr(reducer, "by", None) or _VALUE: values.figures}
        for first, piece in stretches(positions, values):
            at, n = 0, length(piece)
            while at < n:
                group, start = divmod(first + at, _GROUP)
                count = min(_GROUP - start, n - at)
                self._open.setdefault(group, []).append(
                    (first + at, between(piece, at, at + count))
                )
                self._counts[group] = self._counts.get(group, 0) + count
                if self._counts[group] == _GROUP:
                    self._close_group(group)
                    self._write_ready()
                at += count

    def _close_group(self, group: int) -> None:
        """Make a table of what is there of a group."""
        del self._counts[group]
        positions, values = together(self._open.pop(group))
        if not len(positions):
            self._ready[group] = None
            return
        columns = {_ROW: positions - group * _GROUP, **_figures(values, self._labels.names)}
        table = _arrow().table(columns)
        if len(self._ready) >= _MOST_READY and group != self._next:
            self._ready[group] = self._spilled(table, f"group-{group}")
        else:
            self._ready[group] = table

    def _write_ready(self) -> None:
        """Write the groups whose turn it is."""
        while self._next in self._ready:
            table = self._ready.pop(self._next)
            if isinstance(table, Path):
                path = table
                with self._writing(), _arrow().memory_map(str(path)) as source:
                    table = _arrow().ipc.open_file(source).read_all()
                self._write(self._next, table)
                path.unlink()
            elif table is not None:
                self._write(self._next, table)
            self._next += 1

    def _write(self, group: int, table: Arrow) -> None:
        rows, start = np.asarray(table.column(_ROW)), group * _GROUP
        labels = self._labels.between(start, start + int(rows[-1]) + 1)
        arrow = _arrow()
        columns = [arrow.array(label).take(arrow.array(rows)) for label in labels]
        figures = table.drop_columns([_ROW])
        whole = arrow.table(
            [*columns, *figures.columns], names=[*self._labels.names, *figures.column_names]
        )
        schema = whole.schema if self._schema is None else widened(self._schema, whole.schema)
        if schema != self._schema:
            self._begin_part(schema)
        self._n_rows += len(whole)
        self._write_table(cast_to(whole, schema))

    # --- files --------------------------------------------------------------------------------

    def _begin_part(self, schema: Arrow) -> None:
        """Begin another file, for rows of other columns or types; in the end there is one."""
        with self._writing():
            if self._writer is not None:
                self._writer.close()
            path = self._path(f"part-{len(self._parts)}")
            texts = [field.name for field in schema if str(field.type) == "string"]
            self._writer = _arrow().parquet.ParquetWriter(
                path, schema, use_dictionary=[*self._labels.names, *texts]
            )
        self._parts.append(path)
        self._schema = schema

    def _write_table(self, table: Arrow) -> None:
        with self._writing():
            assert self._writer is not None  # noqa: S101  # a part has begun
            self._writer.write_table(table, row_group_size=_GROUP)

    def _complete(self) -> None:
        """Give the file its name; write it anew where results changed their type on the way."""
        if len(self._parts) > 1:
            parts, schema = self._parts, self._schema
            self._begin_part(schema)
            for part in parts[:-1]:
                with self._writing(), _arrow().parquet.ParquetFile(part) as file:
                    for at in range(file.num_row_groups):
                        self._write_table(cast_to(file.read_row_group(at), schema))
        with self._writing():
            assert self._writer is not None  # noqa: S101  # there are rows
            self._writer.close()
            self._writer = None
            with self._parts[-1].open("rb") as file:
                os.fsync(file.fileno())
            self._parts[-1].replace(self._target)

    def _spilled(self, table: Arrow, name: str) -> Path:
        path = self._path(name)
        arrow = _arrow()
        with self._writing(), arrow.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
        return path

    def _path(self, name: str) -> Path:
        if self._folder is None:
            with self._writing():
                # Beside the file, for only there it can be renamed at once.
                prefix = f".{self._target.name}-"
                self._folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self._target.parent))
        return self._folder / name

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with writing(self._target, "to"):
            yield


def sink_of(
    settings: Settings,
    labels: Callable[[IntArray], Index],
    columns: Callable[[], LabelColumns],
) -> KeptResults | FileResults:
    """Return the sink of a run with `keep` or `to`.

    Parameters
    ----------
    settings : Settings
        Options of the run.
    labels : callable
        Positions of calls -> their labels.
    columns : callable
        Returns the columns of labels, if a file is to have them.
    """
    kept = None if settings.keep is None else KeptResults(settings.keep, labels)
    if settings.to is None:
        assert kept is not None  # noqa: S101  # that is why this is called
        return kept
    return FileResults(Path(settings.to), columns(), kept)


# --- results as columns --------------------------------------------------------------------------


def _figures(values: Any, taken: Sequence[str]) -> dict[str, AnyArray | Arrow]:
    """Return many results by figure."""
    columns: dict[str, Any]
    if isinstance(values, ResultColumns):
        columns = dict(values.by_name() or _numbered(values.arrays))
    elif isinstance(values, dict):
        columns = values
    elif isinstance(values, np.ndarray) and values.dtype != object:
        columns = {_VALUE: values}
    else:
        columns = _columns_of(rows_of(values))
    found: dict[str, AnyArray | Arrow] = {}
    for name, column in columns.items():
        word = str(name)
        if word in found or word in taken:
            rule = "have a name that no parameter and no other figure has"
            raise ParamError(broken_rule("A figure with to=", rule, word))
        if isinstance(column, np.ndarray) and column.dtype.kind in "iufb":
            found[word] = column
        else:
            found[word] = _column(list(column), name=word)
    return found


def _numbered(columns: Iterable[Any]) -> dict[str, Any]:
    return {f"{_VALUE}_{at}": column for at, column in enumerate(columns)}


def _columns_of(rows: Sequence[Any]) -> dict[Any, Sequence[Any]]:
    """Return results, one a call, by figure."""
    kinds = set(map(type, rows))
    if kinds <= _PLAIN:
        return {_VALUE: rows}
    named = [_by_name(row) for row in rows]
    names = list(dict.fromkeys(name for row in named for name in row))
    return {name: [row.get(name) for row in named] for name in names}


def _by_name(row: Any) -> Mapping[Any, Any]:
    """Return the figures of one result."""
    if isinstance(row, (Mapping, pd.Series)):
        return dict(row.items())
    if isinstance(row, tuple):
        fields = getattr(row, "_fields", None)
        return _numbered(row) if fields is None else dict(zip(fields, row, strict=True))
    if isinstance(row, np.ndarray) and row.ndim == 0:
        return {_VALUE: row[()]}
    if type(row) in _PLAIN:  # beside others with several; None has none
        return {} if row is None else {_VALUE: row}
    raise _no_figure(row)


def _no_figure(value: object, name: str | None = None) -> ParamTypeError:
    what = "A result with to=" if name is None else f"The figure {shown(name)} with to="
    rule = "be a number, a flag, a text or a date"
    remedy = "Return one of these, or several by name: a mapping, a Series or a named tuple."
    return ParamTypeError(broken_rule(what, rule, value, remedy))


def _column(items: Sequence[Any], *, name: str | None = None, or_text: bool = False) -> Arrow:
    """Return values as a column of one type; with `or_text` as text where they have none."""
    kinds = set(map(type, items))
    absent, kinds = kinds & _ABSENT, kinds - _ABSENT
    if absent - {type(None)}:
        items = [None if type(item) in _ABSENT else item for item in items]
    try:
        return _typed_column(items, kinds)
    except (ValueError, TypeError, OverflowError):  # what Arrow raises derives from these
        if or_text:
            texts = [None if item is None else str(item) for item in items]
            return _arrow().array(texts, _arrow().string())
    found = sorted(kind.__name__ for kind in kinds)
    if kinds <= _PLAIN and len(kinds) > 1:
        raise _mixed(name, " and ".join(found))
    raise _no_figure(next(item for item in items if type(item) not in _ABSENT), name)


def _typed_column(items: Sequence[Any], kinds: set[type]) -> Arrow:
    arrow = _arrow()
    if not kinds:
        return arrow.nulls(len(items))
    if kinds <= _TRUTH:
        return arrow.array(items, arrow.bool_())
    if kinds <= _TEXT:
        return arrow.array(items, arrow.string())
    if kinds <= _WHOLE and len(kinds) == 1:
        return arrow.array(items)
    if kinds <= _WHOLE:
        return arrow.array([None if item is None else int(item) for item in items])
    if kinds <= _WHOLE | _FLOAT:
        if len(kinds) > 1:
            items = [None if item is None else float(item) for item in items]
        return arrow.array(items)
    if kinds <= _TIME or kinds <= _SPAN:
        found = pd.Series(items)  # None is NaT beside what has a date
        if found.dtype.kind not in "mM":
            raise TypeError
        return arrow.array(found)
    if len(kinds) == 1 and kinds <= _EXACT:
        return arrow.array(items)
    raise TypeError


def _mixed(name: str | None, got: str) -> ParamTypeError:
    rule = "be of one kind in all results"
    return ParamTypeError(broken_rule(f"The figure {shown(name or _VALUE)} with to=", rule, got))


def widened(left: Arrow, right: Arrow) -> Arrow:
    """Return the schema that holds rows of both."""
    arrow = _arrow()
    types = {field.name: field.type for field in left}
    for field in right:
        known = types.get(field.name)
        types[field.name] = field.type if known is None else _wider(known, field.type, field.name)
    return arrow.schema(list(types.items()))


def _wider(left: Arrow, right: Arrow, name: str) -> Arrow:
    if left == right:
        return left
    arrow = _arrow()
    kinds = arrow.types
    is_number = [kinds.is_integer(one) or kinds.is_floating(one) for one in (left, right)]
    if kinds.is_null(left) or kinds.is_null(right):
        return right if kinds.is_null(left) else left
    if all(is_number):
        return arrow.from_numpy_dtype(
            np.result_type(left.to_pandas_dtype(), right.to_pandas_dtype())
        )
    for is_kind in (kinds.is_timestamp, kinds.is_duration):
        if is_kind(left) and is_kind(right) and getattr(left, "tz", 0) == getattr(right, "tz", 0):
            return max(left, right, key=lambda one: ("s", "ms", "us", "ns").index(one.unit))
    raise _mixed(name, f"{left} and {right}")


def cast_to(table: Arrow, schema: Arrow) -> Arrow:
    """Return the rows of `table` in the columns of `schema`."""
    if table.schema == schema:
        return table
    names = set(table.column_names)
    columns = [
        table.column(field.name).cast(field.type, safe=False)
        if field.name in names
        else _arrow().nulls(len(table), field.type)
        for field in schema
    ]
    return _arrow().table(columns, schema=schema)


def _arrow() -> Arrow:
    """Return pyarrow."""
    optional.load("pyarrow.parquet", extra="parquet", purpose="to='….parquet'")
    return optional.load("pyarrow", extra="parquet", purpose="to='….parquet'")
