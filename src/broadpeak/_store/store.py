# SPDX-License-Identifier: BSD-3-Clause
"""`Store`: results of runs in one SQLite file that survives a killed process."""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from broadpeak._core import check, env, optional
from broadpeak._core.aliases import Series
from broadpeak._core.files import writing
from broadpeak._store import claims, codec
from broadpeak._store.file import StoreFile
from broadpeak._store.keptstate import rows_of
from broadpeak._store.rows import Rows, RunRow, TrialRow
from broadpeak._store.spanrows import KeptNote, KeptRun
from broadpeak.errors import ParamTypeError, StoreError, broken_rule

_OWN_COLUMNS = ("value", "seconds", "created", "run")  # of the table of trials


@dataclass(frozen=True, slots=True)
class Record:
    """One finished task on its way into the store."""

    key: bytes  # digest of what makes this task differ from the others of its run
    label: dict[str, object]  # the combination, by parameter
    value: object  # the result
    seconds: float  # time it took; NaN if unknown


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer to a claim."""

    granted: set[bytes] = field(default_factory=set)  # keys of tasks that are now the claimant's
    # Key of a task that was finished elsewhere -> its result.
    finished: dict[bytes, Any] = field(default_factory=dict)


class Store:
    """Results of runs, kept in one file.

    Parameters
    ----------
    path : str or path
        The file; it is made when missing. Several processes may use it at the same time. A file
        that can only be read is read.
    trust : bool
        Keep and read results that only pickle can hold. Reading a pickle runs what it says: use
        this only for files that you wrote.

    Raises
    ------
    StoreError
        If the file is not a store, is damaged, or of another format.

    Notes
    -----
    Without `trust`, reading a file runs nothing that stands in it, whoever wrote it. Every row
    carries a digest, so that a damaged one is an error and never another number; a run knows how
    many rows it has.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import broadpeak as bp
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "runs.db"
    >>> @bp.parameterized(merge_func="concat", store=path)
    ... def area(width, height):
    ...     return width * height
    >>> areas = area(bp.Param([1, 2]), bp.Param([3, 4]))
    >>> bp.Store(path).trials(1)[["width", "height", "value"]]
       width  height  value
    0      1       3      3
    1      1       4      4
    2      2       3      6
    3      2       4      8
    """

    _lasting: ClassVar[bool] = True

    def __init__(self, path: str | os.PathLike[str], *, trust: bool = False) -> None:
        self.path = check.path("path", path, "Type the name of a file, as in 'runs.db'.")
        self.trust = check.flag("trust", trust)
        self._file = StoreFile(Path(os.path.realpath(self.path)), lasting=self._lasting)
        self._rows = Rows(self._file)

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def __reduce__(self) -> tuple[Callable[[Path, bool], Store], tuple[Path, bool]]:
        return _reopen, (self._file.path, self.trust)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def runs(self) -> pd.DataFrame:
        """Return the runs in the store, oldest first.

        Returns
        -------
        DataFrame
            Columns ``run``, ``name``, ``trials`` (finished tasks), ``seconds``, ``version``,
            ``created``, and ``keep``: empty, or the reducer in words where the run holds only what
            that keeps. Then ``trials`` counts combinations, of which no others are held.

        Raises
        ------
        StoreError
            If the list of runs is damaged.
        """
        heads = self._file.read(self._rows.heads)
        return pd.DataFrame(
            {
                "run": pd.Series([head.id for head in heads], dtype="int64"),
                "name": _strings(head.name for head in heads),
                "trials": pd.Series([head.trials for head in heads], dtype="int64"),
                "seconds": pd.Series([head.seconds for head in heads], dtype="float64"),
                "version": _strings(head.version for head in heads),
                "created": _strings(head.created for head in heads),
                "keep": _strings(_raw(_keep_of(head)) for head in heads),
            }
        )

    def trials(self, run: int) -> pd.DataFrame:
        """Return the finished tasks of one run.

        Parameters
        ----------
        run : int
            A number from `runs`.

        Returns
        -------
        DataFrame
            One column a parameter, then ``value``, ``seconds`` and ``created``, in the order in
            which the tasks finished. A parameter of one of these names has a ``_`` behind it. Of a
            run with ``keep=``: what is kept so far, best first, where parameters are there once the
            run is complete, and before it the number of the ``call``; of a histogram one row a bin
            (``left``, ``right``); of your own reducer its states for the calls from ``first`` to
            ``last``.

        Raises
        ------
        StoreError
            If there is no such run, a row is damaged or missing, or one is a pickle and the store
            was opened without `trust`.
        """
        head = self._file.read(lambda connection: self._rows.head(connection, run))
        if KeptNote.of(head) is not None:
            return self._kept_trials(head)
        head, rows = self._file.read(lambda connection: self._rows.all_rows(connection, run))
        rows.sort(key=lambda row: row.number)
        labels = [self._value(row.label, head, row) for row in rows]
        for row, label in zip(rows, labels, strict=True):
            if type(label) is not dict or any(type(name) is not str for name in label):
                raise self._file.damaged(f"a label that is none in run {head.id}, row {row.number}")
        return _table(
            labels,
            [self._value(row.value, head, row) for row in rows],
            [math.nan if row.seconds is None else row.seconds for row in rows],
            (row.created for row in rows),
        )

    def _kept_trials(self, head: RunRow) -> pd.DataFrame:
        """Return what a reducer has kept so far."""
        growths = self.kept_run(head.id).dated_states()
        try:
            rows = rows_of(growths) if growths else []
            labels = [label for label, _, _ in rows]
            if not all(type(name) is str for label in labels for name in label):
                raise TypeError  # noqa: TRY301  # as whatever else a crafted state raises
            values = [value for _, value, _ in rows]
            created = [when if isinstance(when, bytes) else b"" for _, _, when in rows]
        except Exception as error:
            raise self._file.damaged(f"a state that is none in run {head.id}") from error
        return _table(labels, values, [math.nan] * len(rows), created)

    def ledger(self, data: object = None) -> pd.DataFrame:
        """Return how many tasks were ever finished on each data set.

        The number of trials is what makes the best of them look good: statistics that separate luck
        from skill start from it.

        Parameters
        ----------
        data : Data, optional
            Only the runs on these prices.

        Returns
        -------
        DataFrame
            Columns ``data`` (fingerprint), ``runs``, ``trials``.

        Raises
        ------
        StoreError
            If the list of runs is damaged.
        """
        wanted = None if data is None else getattr(data, "data_key", None)
        if data is not None and not isinstance(wanted, str):
            raise ParamTypeError(broken_rule("data", "be a bp.Data", data))
        runs: Counter[str] = Counter()
        trials: Counter[str] = Counter()
        for head in self._file.read(self._rows.heads):
            key = None if head.data is None else head.data.decode(errors="replace")
            if key is not None and wanted in {None, key}:
                runs[key] += 1
                trials[key] += head.trials
        keys = sorted(runs)
        return pd.DataFrame(
            {
                "data": pd.Series(keys, dtype=object if not keys else None),
                "runs": pd.Series([runs[key] for key in keys], dtype="int64"),
                "trials": pd.Series([trials[key] for key in keys], dtype="int64"),
            }
        )

    def searches(self, data: object) -> pd.DataFrame:
        """Return what was searched on these prices: the more there is, the luckier the best.

        A training is one search, whatever its components, windows and cycles, and so is another
        method on the same strategy, which adds trials. Other code of the strategy, another
        objective or other costs are another search. Any other run counts as one.

        Parameters
        ----------
        data : Data
            The prices.

        Returns
        -------
        DataFrame
            Columns ``search`` (a key), ``name`` (of the strategy, or of the function), ``runs`` and
            ``trials`` (finished tasks), in the order in which they began.

        Raises
        ------
        StoreError
            If the list of runs is damaged.
        """
        wanted = getattr(data, "data_key", None)
        if not isinstance(wanted, str):
            raise ParamTypeError(broken_rule("data", "be a bp.Data", data))
        found: dict[str, list[Any]] = {}
        for head in self._file.read(self._rows.heads):
            if head.data is None or head.data.decode(errors="replace") != wanted:
                continue
            note = _search_note(head)
            row = found.setdefault(note[0], [note[1], 0, 0])
            row[1] += 1
            row[2] += head.trials
        rows = found.values()
        return pd.DataFrame(
            {
                "search": pd.Series(list(found), dtype=object),
                "name": pd.Series([row[0] for row in rows], dtype=object),
                "runs": pd.Series([row[1] for row in rows], dtype="int64"),
                "trials": pd.Series([row[2] for row in rows], dtype="int64"),
            }
        )

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write all trials of all runs to a ``.csv`` or ``.parquet`` file.

        Parameters
        ----------
        path : str or path
            Its ending chooses the format; parquet needs the extra of that name.

        Raises
        ------
        StoreError
            For another ending, for a file that cannot be written, or for results that the format
            cannot hold.
        """
        target = check.path("path", path)
        if target.suffix not in {".csv", ".parquet"}:
            raise StoreError(broken_rule("path", "end in .csv or .parquet", str(path)))
        parts = [self.trials(run).assign(run=run) for run in self.runs()["run"]]
        parts = [part for part in parts if len(part)]
        whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
        is_csv = target.suffix == ".csv"
        if not is_csv:
            optional.load("pyarrow", extra="parquet", purpose="Export to parquet")
        try:
            with writing(target):
                whole.to_csv(target, index=False) if is_csv else whole.to_parquet(
                    target, index=False
                )
        except Exception as error:  # of pandas, pyarrow or the system
            reason = str(error).partition("\n")[0]
            msg = (
                f"The trials must fit into {target.suffix}, in a file that can "
                f"be written, got {type(error).__name__}: {reason}. "
                "Choose another file, or take them from .trials(run)."
            )
            raise StoreError(msg) from error

    def begin(self, key: bytes, *, name: str, data: str | None, settings: dict[str, object]) -> int:
        """Return the number of the run `key`, which is new or is to be resumed."""
        found = self._file.read(lambda connection: self._rows.head_of(connection, key))
        if found is not None:
            return found.id
        head = RunRow(
            id=0,
            key=key,
            name=_raw(name),
            data=None if data is None else _raw(data),
            settings=_raw(json.dumps(settings, default=str)),
            version=_raw(version("broadpeak")),
            created=_now(),
        )

        def insert(connection: sqlite3.Connection) -> RunRow:
            # Another process may have been first.
            there = self._rows.head_of(connection, key)
            return self._rows.new_run(connection, head) if there is None else there

        return self._file.write(insert).id

    def begin_kept(
        self, key: bytes, *, name: str, data: str | None, settings: dict[str, object]
    ) -> int:
        """Return the number of a run of which only what a reducer keeps is stored."""
        found = self._file.read(lambda connection: self._rows.head_of(connection, key))
        if found is None:
            self._file.grow()
        return self.begin(key, name=name, data=data, settings=settings)

    def kept_run(self, run: int) -> KeptRun:
        """Return such a run."""
        return KeptRun(self._file, self._rows, run, trust=self.trust)

    def find(self, run: int, keys: Sequence[bytes]) -> Iterator[tuple[bytes, Any]]:
        """Yield (key, result) of those of `keys` that are finished.

        The first time a process reads a run, all of its rows are checked.
        """
        head, rows = self._file.read(lambda connection: self._rows.search(connection, run, keys))
        for row in rows:
            yield row.key, self._value(row.value, head, row)

    def add(self, run: int, records: Iterable[Record]) -> list[bytes]:
        """Keep `records`, all or none: from now on for other processes, from `sync` on for all.

        Returns
        -------
        list of bytes
            Keys of tasks that another process finished first: what it found stays.
        """
        rows = [
            TrialRow(
                record.key,
                0,
                self._label(record.label),
                codec.encode(record.value, trust=self.trust),
                None if math.isnan(record.seconds) else float(record.seconds),
                _now(),
            )
            for record in records
        ]
        return self._file.write(lambda connection: self._rows.add(connection, run, rows))

    def claim(
        self, run: int, owner: str, wanted: Sequence[bytes], held: Sequence[bytes], known: int
    ) -> Claimed:
        """Claim for `owner` those of `wanted` that are neither finished nor claimed.

        It keeps what it has `held`. `known` is the number of results of the run that it has seen:
        while there are no others, none are looked for.
        """

        def take(connection: sqlite3.Connection) -> tuple[RunRow, list[TrialRow], list[bytes]]:
            head = self._rows.head(connection, run)
            done = [] if head.trials == known else self._rows.rows_of(connection, head, wanted)
            away = claims.held_by_others(connection, run, owner) | {row.key for row in done}
            granted = [key for key in wanted if key not in away]
            claims.write(connection, run, owner, [*held, *granted])
            return head, done, granted

        head, done, granted = self._file.write(take, passing=True)
        return Claimed(set(granted), {row.key: self._value(row.value, head, row) for row in done})

    def release(self, run: int, owner: str) -> None:
        """Release all that `owner`, or an owner that is gone, has claimed of `run`."""

        def forget(connection: sqlite3.Connection) -> None:
            claims.write(connection, run, owner, ())
            claims.sweep(connection, run)

        self._file.write(forget, passing=True)

    def count(self, run: int) -> int:
        """Return how many results `run` has."""
        return self._file.read(lambda connection: self._rows.head(connection, run)).trials

    def sync(self) -> None:
        """Wait until a power cut can no longer take any result that was added."""
        self._file.sync()

    @property
    def is_read_only(self) -> bool:
        """Whether this process may not write to the file."""
        return self._file.is_read_only

    def check_place(self) -> None:
        """Raise if the file was moved, deleted or replaced since it was opened."""
        self._file.check_place()

    def close(self) -> None:
        """Close the file; it opens again on the next use."""
        self._file.close()

    def _label(self, label: dict[str, object]) -> bytes:
        """Return the bytes of a label; what is no plain value is shown by its string."""
        try:
            return codec.encode(label, trust=False)
        except StoreError:
            return codec.encode(
                {name: storable(value) for name, value in label.items()}, trust=False
            )

    def _value(self, raw: bytes, head: RunRow, row: TrialRow) -> Any:
        try:
            return codec.decode(raw, trust=self.trust)
        except StoreError as error:
            msg = f"In the store {str(self.path)!r}, run {head.id}, row {row.number}: {error}"
            raise StoreError(msg) from error


class _Passing(Store):
    """A store whose file others may take away while it is in use."""

    _lasting = False


@contextmanager
def open_temporary(key: bytes) -> Iterator[Store]:
    """Yield a store of the user's cache folder, which goes away if nothing was raised."""
    folder = env.cache_folder() / "chunks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remedy = "Set BROADPEAK_CACHE to a folder of yours, or pass store= in place of it."
        msg = broken_rule("The folder of cache_chunks", f"be writable ({error})", folder, remedy)
        raise StoreError(msg) from error
    # Another process on the same run may be done first, and remove it.
    store = _Passing(folder / f"{key.hex()}.db")
    try:
        yield store
    except BaseException:
        store.close()
        raise
    store.close()
    for path in folder.glob(f"{store.path.name}*"):  # SQLite keeps its log in files beside it
        path.unlink(missing_ok=True)


def _reopen(path: Path, trust: bool) -> Store:
    return Store(path, trust=trust)


def _now() -> bytes:
    return datetime.now(UTC).isoformat().encode()


def _raw(text: str) -> bytes:
    return text.encode(errors="backslashreplace")


def _strings(raw: Iterable[bytes]) -> Series:
    strings = [item.decode(errors="replace") for item in raw]
    return pd.Series(strings, dtype=None if strings else object)


def _search_note(head: RunRow) -> tuple[str, str]:
    """Return the key and the name of the search that a run is a part of: else it is one itself."""
    try:
        settings = json.loads(head.settings)
    except ValueError:
        settings = None
    if isinstance(settings, dict) and isinstance(settings.get("search"), str):
        return settings["search"], str(settings.get("strategy", ""))
    return head.key.hex(), head.name.decode(errors="replace")


def storable(value: object) -> object:
    """Return `value`, or its string if it is of no kind that comes back the same."""
    try:
        codec.encode(value, trust=False)
    except StoreError:
        try:
            return str(value)
        except Exception:  # noqa: BLE001  # a class of the user may raise anything
            return f"<{type(value).__name__}>"
    return value


def _keep_of(head: RunRow) -> str:
    note = KeptNote.of(head)
    return "" if note is None else note.keep


def _table(
    labels: Sequence[dict[str, Any]],
    values: list[object],
    seconds: list[object],
    created: Iterable[bytes],
) -> pd.DataFrame:
    """Return the table of trials: a column a label, and the library's own."""
    columns: dict[str, list[object]] = {}
    for position, label in enumerate(labels):
        for name, value in label.items():
            columns.setdefault(name, [np.nan] * len(labels))[position] = value
    taken = {
        f"{name}_" if name in _OWN_COLUMNS else _raw(name).decode(): column
        for name, column in columns.items()
    }
    taken |= {"value": values, "seconds": seconds}
    frame = {name: _column(column) for name, column in taken.items()}
    return pd.DataFrame(frame | {"created": _strings(created)})


def _column(values: list[object]) -> Series:
    """Return a column: numbers and strings as pandas has them, anything else as objects."""
    kinds = {type(value) for value in values}
    whole = [abs(value) for value in values if type(value) is int]
    # Beside fractions integers become floats, which hold them exactly up to 2**53.
    largest = (1 << 63) - 1 if kinds == {int} else 1 << 53
    is_plain = kinds == {int, float} or (len(kinds) == 1 and kinds <= {int, float, bool, str})
    if kinds == {str}:  # pandas refuses a string that UTF-8 has no bytes for
        is_plain = all(_raw(str(value)).decode() == value for value in values)
    if is_plain and max(whole, default=0) <= largest:
        return pd.Series(values)
    if len(kinds) == 1 and isinstance(values[0], np.generic):
        return pd.Series(np.array(values))
    column = np.empty(len(values), dtype=object)
    for position, value in enumerate(values):
        column[position] = value
    return pd.Series(column, dtype=object)
