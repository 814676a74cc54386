# SPDX-License-Identifier: BSD-3-Clause
"""`Store`: results of runs in one SQLite file that survives a killed process."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from broadpeak._core import check, env, optional
from broadpeak._core.files import writing
from broadpeak.errors import ParamTypeError, StoreError, broken_rule, shown
from broadpeak.storage import codec

FORMAT = 1  # of the tables below; a store of a higher one is refused
_WAIT = 60.0  # seconds to wait for another process that is writing
_LOOKUP = 500  # keys a query, under SQLite's oldest limit on variables

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    data TEXT,
    settings TEXT NOT NULL,
    version TEXT NOT NULL,
    created TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS trials (
    run INTEGER NOT NULL REFERENCES runs (id),
    key BLOB NOT NULL,
    label TEXT NOT NULL,
    value BLOB NOT NULL,
    seconds REAL,
    created TEXT NOT NULL,
    PRIMARY KEY (run, key)
) WITHOUT ROWID;
"""

_NEW_RUN = """
INSERT OR IGNORE INTO runs (key, name, data, settings, version, created) VALUES (?, ?, ?, ?, ?, ?)
"""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Record:
    """One finished task on its way into the store.

    Attributes
    ----------
    key : bytes
        Digest of what makes this task differ from the others of its run.
    label : dict
        The combination, by parameter, in values that JSON can hold.
    value : object
        The result.
    seconds : float
        Time it took; NaN if unknown.
    """

    key: bytes
    label: dict[str, Any]
    value: Any
    seconds: float


class Store:
    """Results of runs, kept in one file.

    Parameters
    ----------
    path : str or path
        The file; it is made when missing. Several processes may use it at the same time.
    trust : bool
        Keep and read results that only pickle can hold. Reading a pickle runs what it says: use
        this only for files that you wrote.

    Raises
    ------
    StoreError
        If the file is not a store, is damaged, or of a newer version.

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

    def __init__(self, path: str | os.PathLike[str], *, trust: bool = False) -> None:
        self.path = check.path("path", path, "Type the name of a file, as in 'runs.db'.")
        self.trust = check.flag("trust", trust)
        self._open: tuple[int, sqlite3.Connection] | None = None
        with self._guarded():
            self._prepare()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.path, self.trust)

    def runs(self) -> pd.DataFrame:
        """Return the runs in the store, oldest first.

        Returns
        -------
        DataFrame
            Columns ``run``, ``name``, ``trials`` (finished tasks), ``seconds``, ``version``,
            ``created``.
        """
        query = """
            SELECT runs.id AS run, name, COUNT(trials.key) AS trials,
                   TOTAL(trials.seconds) AS seconds, version, runs.created AS created
            FROM runs LEFT JOIN trials ON trials.run = runs.id GROUP BY runs.id ORDER BY runs.id
        """
        return self._frame(query, ())

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
            which the tasks finished.

        Raises
        ------
        StoreError
            If there is no such run.
        """
        # A number from the frame of `runs` is NumPy's, which SQLite does not know.
        number = check.real(run)
        found = isinstance(number, int) and abs(number) < 2**63
        if not found or not self._rows("SELECT id FROM runs WHERE id = ?", (number,)):
            runs = [row[0] for row in self._rows("SELECT id FROM runs ORDER BY id", ())]
            raise StoreError(broken_rule("run", f"be one of {runs}", run))
        rows = self._rows(
            "SELECT label, value, seconds, created FROM trials WHERE run = ? ORDER BY created",
            (number,),
        )
        labels = pd.DataFrame([json.loads(row[0]) for row in rows])
        values = [codec.decode(row[1], trust=self.trust) for row in rows]
        labels["value"] = pd.Series(values, index=labels.index, dtype=None if values else object)
        return labels.assign(seconds=[row[2] for row in rows], created=[row[3] for row in rows])

    def ledger(self, data: Any = None) -> pd.DataFrame:
        """Return how many tasks were ever finished on each data set.

        The number of trials is what makes the best of them look good: statistics that tell luck
        from skill start from it.

        Parameters
        ----------
        data : Data, optional
            Only the runs on these prices.

        Returns
        -------
        DataFrame
            Columns ``data`` (fingerprint), ``runs``, ``trials``.
        """
        query = """
            SELECT data, COUNT(DISTINCT runs.id) AS runs,
                   COUNT(trials.key) AS trials
            FROM runs LEFT JOIN trials ON trials.run = runs.id
            WHERE data IS NOT NULL AND (? IS NULL OR data = ?) GROUP BY data ORDER BY data
        """
        key = None if data is None else getattr(data, "data_key", None)
        if data is not None and not isinstance(key, str):
            raise ParamTypeError(broken_rule("data", "be a bp.Data", data))
        return self._frame(query, (key, key))

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write all trials of all runs to a ``.csv`` or ``.parquet`` file.

        Parameters
        ----------
        path : str or path
            Its ending chooses the format; parquet needs the extra of that name.

        Raises
        ------
        StoreError
            For another ending.
        """
        target = check.path("path", path)
        if target.suffix not in {".csv", ".parquet"}:
            raise StoreError(broken_rule("path", "end in .csv or .parquet", str(path)))
        parts = [self.trials(run).assign(run=run) for run in self.runs()["run"]]
        whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
        if target.suffix == ".parquet":
            optional.load("pyarrow", extra="parquet", purpose="Export to parquet")
        with writing(target):
            if target.suffix == ".csv":
                whole.to_csv(target, index=False)
            else:
                whole.to_parquet(target, index=False)

    def begin(self, key: bytes, *, name: str, data: str | None, settings: dict[str, Any]) -> int:
        """Return the number of the run `key`, which is new or is to be resumed."""
        row = (key, name, data, json.dumps(settings, default=str), version("broadpeak"), _now())

        def insert(connection: sqlite3.Connection) -> int:
            columns = "(key, name, data, settings, version, created)"
            connection.execute(
                f"INSERT OR IGNORE INTO runs {columns} VALUES (?, ?, ?, ?, ?, ?)", row
            )
            found = connection.execute("SELECT id FROM runs WHERE key = ?", (key,)).fetchone()
            return int(found[0])

        return self._write(insert)

    def find(self, run: int, keys: Sequence[bytes]) -> Iterator[tuple[bytes, Any]]:
        """Yield (key, result) of those of `keys` that are finished."""
        for start in range(0, len(keys), _LOOKUP):
            some = keys[start : start + _LOOKUP]
            marks = ",".join("?" * len(some))
            query = f"SELECT key, value FROM trials WHERE run = ? AND key IN ({marks})"
            for key, raw in self._rows(query, (run, *some)):
                yield key, codec.decode(raw, trust=self.trust)

    def add(self, run: int, records: Iterable[Record]) -> None:
        """Make `records` durable, all or none; a task another process finished first stays."""
        rows = [
            (
                run,
                record.key,
                json.dumps(record.label, default=str),
                codec.encode(record.value, trust=self.trust),
                None if record.seconds != record.seconds else record.seconds,
                _now(),
            )
            for record in records
        ]
        insert = "INSERT OR IGNORE INTO trials VALUES (?, ?, ?, ?, ?, ?)"
        self._write(lambda connection: connection.executemany(insert, rows))

    def close(self) -> None:
        """Close the file; it opens again on the next use."""
        if self._open is not None and self._open[0] == os.getpid():
            self._open[1].close()
        self._open = None

    def _connection(self) -> sqlite3.Connection:
        # A connection must not cross a fork: every process opens its own.
        if self._open is None or self._open[0] != os.getpid():
            connection = sqlite3.connect(
                self.path, timeout=_WAIT, isolation_level=None, check_same_thread=False
            )
            # What is committed outlives the process; only a power cut may take the last commits.
            connection.execute("PRAGMA synchronous=NORMAL")
            self._open = (os.getpid(), connection)
        return self._open[1]

    def _prepare(self) -> None:
        connection = self._connection()
        connection.execute("PRAGMA journal_mode=WAL")
        present = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        if present and "meta" not in present:
            rule = "be a store, or not exist yet"
            raise StoreError(broken_rule("path", rule, str(self.path), "Choose another file name."))
        connection.executescript(_TABLES)
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (str(FORMAT),))
        query = "SELECT value FROM meta WHERE name = 'format'"
        found = int(connection.execute(query).fetchone()[0])
        if found > FORMAT:
            remedy = "Upgrade: pip install -U broadpeak"
            rule = f"be of format {FORMAT} or older"
            raise StoreError(broken_rule(f"The store {self.path}", rule, found, remedy))

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._guarded():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return result

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        with self._guarded():
            return self._connection().execute(query, values).fetchall()

    def _frame(self, query: str, values: tuple[Any, ...]) -> pd.DataFrame:
        with self._guarded():
            cursor = self._connection().execute(query, values)
            return pd.DataFrame(cursor.fetchall(), columns=[part[0] for part in cursor.description])

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn what SQLite reports into an error that says what to do."""
        try:
            yield
        except sqlite3.Error as error:
            name = shown(str(self.path))
            raise StoreError(f"The store {name} {_explain(error)} ({error}).") from error


@contextmanager
def open_temporary(key: bytes) -> Iterator[Store]:
    """Yield a store of the user's cache folder, which goes away if nothing was raised."""
    folder = env.cache_folder() / "chunks"
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder / f"{key.hex()}.db")
    try:
        yield store
    except BaseException:
        store.close()
        raise
    store.close()
    for path in folder.glob(f"{store.path.name}*"):  # SQLite keeps its log in files beside it
        path.unlink(missing_ok=True)


def _explain(error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return f"must not be locked for {_WAIT:.0f} seconds by another process; end that one"
    if "full" in text:
        return "must have room on its disk; what was finished is kept: free some space and resume"
    if "unable to open" in text or "readonly" in text:
        return "must be a file in a folder that exists and can be written"
    return "must be an undamaged store; restore it from a copy, or choose a new file name"


def _reopen(path: Path, trust: bool) -> Store:
    return Store(path, trust=trust)


def _now() -> str:
    return datetime.now(UTC).isoformat()
