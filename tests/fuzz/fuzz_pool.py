# SPDX-License-Identifier: BSD-3-Clause
"""Values that nobody means to pass: each of them goes to every argument of the public table."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import fractions
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Maker = Callable[[Path], Any]


class Bomb(Exception):  # noqa: N818  # what a user's own object raises
    """Raised by the objects of the pool that break whatever is asked of them."""


class NeverEqual:
    """Cannot be compared."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise Bomb("no comparison")


class NoTruth:
    """Is neither true nor false."""

    def __bool__(self) -> bool:
        raise Bomb("no truth")


class NoLength:
    """Claims to be a sequence and has no length."""

    def __len__(self) -> int:
        raise Bomb("no length")

    def __getitem__(self, place: Any) -> Any:
        raise Bomb("no items")


class NoArray:
    """Cannot become an array."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise Bomb("no array")


class NoNumber:
    """Cannot become a number."""

    def __float__(self) -> float:
        raise Bomb("no number")

    def __int__(self) -> int:
        raise Bomb("no number")

    def __index__(self) -> int:
        raise Bomb("no number")


class NoText:
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise Bomb("no text")


class NoIteration:
    """Begins to be iterated over, and breaks."""

    def __iter__(self) -> Any:
        raise Bomb("no iteration")


class Plain:
    """A class that takes nothing."""


class Colour(enum.Enum):
    """A plain enumeration."""

    RED = 1


def nested(depth: int) -> list[Any]:
    """Return lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def own_item() -> list[Any]:
    """Return a list that holds itself."""
    value: list[Any] = [1]
    value.append(value)
    return value


def bars(**columns: Any) -> pd.DataFrame:
    """Return a small frame of daily prices; `columns` replace some."""
    index = pd.date_range("2020-01-01", periods=6, freq="D")
    prices = pd.DataFrame(
        {"open": 2.0, "high": 3.0, "low": 1.0, "close": [2.0, 2.5, 2, 2.5, 2, 2.5]}, index=index
    )
    return prices.assign(**columns)


def file(folder: Path, name: str, content: bytes) -> Path:
    """Return the path of a file with that content."""
    path = folder / name
    if not path.exists():
        path.write_bytes(content)
    return path


def categorical() -> pd.Series[Any]:
    """Return labels of a category."""
    return pd.Series(pd.Categorical(["b", "a", "b"]))


def shuffled(values: Any) -> Any:
    """Return the rows of `values` from last to first."""
    return values.iloc[::-1]


NUMBERS: dict[str, Maker] = {
    "True": lambda _: True,
    "nan": lambda _: math.nan,
    "inf": lambda _: math.inf,
    "-inf": lambda _: -math.inf,
    "-1": lambda _: -1,
    "0": lambda _: 0,
    "-0.0": lambda _: -0.0,
    "1": lambda _: 1,
    "1.5": lambda _: 1.5,
    "1e300": lambda _: 1e300,
    "5e-324": lambda _: 5e-324,
    "2**31": lambda _: 2**31,
    "2**63": lambda _: 2**63,
    "10**400": lambda _: 10**400,
    "-10**400": lambda _: -(10**400),
    "10**5000": lambda _: 10**5000,  # too long for Python to print
    "complex": lambda _: 1 + 2j,
    "Decimal": lambda _: decimal.Decimal("1.5"),
    "Decimal NaN": lambda _: decimal.Decimal("NaN"),
    "Fraction": lambda _: fractions.Fraction(1, 3),
    "np.int8": lambda _: np.int8(3),
    "np.float32 nan": lambda _: np.float32("nan"),
    "np.bool": lambda _: np.True_,
    "np.datetime64": lambda _: np.datetime64("2020-01-01"),
    "np.datetime64 NaT": lambda _: np.datetime64("NaT"),
    "np.timedelta64": lambda _: np.timedelta64(3, "D"),
    "pd.NA": lambda _: pd.NA,
    "pd.NaT": lambda _: pd.NaT,
}
TEXTS: dict[str, Maker] = {
    "''": lambda _: "",
    "'a'": lambda _: "a",
    "'close'": lambda _: "close",
    "'1'": lambda _: "1",
    "'1.5'": lambda _: "1.5",
    "'nan'": lambda _: "nan",
    "null byte": lambda _: "a\0b",
    "'0D'": lambda _: "0D",
    "'-1D'": lambda _: "-1D",
    "'D'": lambda _: "D",
    "'2020-13-45'": lambda _: "2020-13-45",
    "surrogate": lambda _: "\ud800",
    "long text": lambda _: "x" * 100_000,
    "spaces": lambda _: "  \n\t",
    "expression": lambda _: "(" * 300,
    "template": lambda _: "$a ${ %s {0} {",
    "__class__": lambda _: "__class__",
    "path up": lambda _: "../../x",
    "bytes": lambda _: b"a",
    "bytearray": lambda _: bytearray(b"a"),
}
LISTS: dict[str, Maker] = {
    "[]": lambda _: [],
    "()": lambda _: (),
    "{}": lambda _: {},
    "set": lambda _: {1, "a"},
    "frozenset()": lambda _: frozenset(),
    "[None]": lambda _: [None],
    "['a', 1]": lambda _: ["a", 1],
    "[1, 2]": lambda _: [1, 2],
    "[nan]": lambda _: [math.nan],
    "[10**400]": lambda _: [10**400],
    "[[1], [2, 3]]": lambda _: [[1], [2, 3]],
    "[{}]": lambda _: [{}],
    "(1, 2, 3)": lambda _: (1, 2, 3),
    "deep list": lambda _: nested(3_000),
    "own item": lambda _: own_item(),
    "{'a': 1}": lambda _: {"a": 1},
    "{1: None}": lambda _: {1: None},
    "{'a': {'b': 'c'}}": lambda _: {"a": {"b": "c"}},
    "range(0)": lambda _: range(0),
    "range": lambda _: range(3, 0, -1),
    "slice": lambda _: slice("a", 1.5, 0),
    "generator": lambda _: (i for i in "ab"),
    "iterator": lambda _: iter(()),
    "zip": lambda _: zip("ab", "cd", strict=True),
}
OBJECTS: dict[str, Maker] = {
    "None": lambda _: None,
    "Ellipsis": lambda _: ...,
    "object": lambda _: object(),
    "class": lambda _: Plain,
    "module": lambda _: math,
    "enum": lambda _: Colour.RED,
    "exception": lambda _: ValueError("x"),
    "lambda: 1": lambda _: lambda: 1,
    "lambda a, b, c": lambda _: lambda a, b, c: None,
    "lambda *a": lambda _: lambda *a, **k: None,
    "callable": lambda _: callable,
    "never equal": lambda _: NeverEqual(),
    "no truth": lambda _: NoTruth(),
    "no length": lambda _: NoLength(),
    "no array": lambda _: NoArray(),
    "no number": lambda _: NoNumber(),
    "no text": lambda _: NoText(),
    "no iteration": lambda _: NoIteration(),
    "date": lambda _: dt.date(2020, 1, 1),
    "datetime tz": lambda _: dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
    "Timestamp": lambda _: pd.Timestamp("2020-01-03"),
    "Timedelta": lambda _: pd.Timedelta("3h"),
    "offset": lambda _: pd.offsets.BusinessDay(2),
    "no file": lambda _: Path("no such folder") / "no such file",
    "folder": lambda tmp: tmp,
    "empty file": lambda tmp: file(tmp, "empty.csv", b""),
    "broken gz": lambda tmp: file(tmp, "broken.csv.gz", b"\x1f\x8b\x08\x00 cut short"),
    "broken zip": lambda tmp: file(tmp, "broken.zip", b"PK\x03\x04 cut short"),
    "broken parquet": lambda tmp: file(tmp, "broken.parquet", b"PAR1 cut PAR1"),
    "binary file": lambda tmp: file(tmp, "binary.db", bytes(range(256)) * 20),
}
ARRAYS: dict[str, Maker] = {
    "0-d": lambda _: np.array(3.0),
    "0-d object": lambda _: np.array(None, dtype=object),
    "empty": lambda _: np.array([]),
    "empty 2-d": lambda _: np.empty((0, 3)),
    "no column": lambda _: np.empty((3, 0)),
    "3-d": lambda _: np.ones((2, 2, 2)),
    "one": lambda _: np.ones(1),
    "ints": lambda _: np.arange(5),
    "bools": lambda _: np.array([True, False, True]),
    "nans": lambda _: np.full(3, np.nan),
    "inf": lambda _: np.array([1.0, np.inf, -np.inf]),
    "huge": lambda _: np.array([1e308, -1e308, 1e308, 1e308]),
    "object": lambda _: np.array([1, "a", None, []], dtype=object),
    "texts": lambda _: np.array(["1", "b"]),
    "complex": lambda _: np.array([1j, 2.0]),
    "structured": lambda _: np.zeros(3, dtype=[("a", float), ("b", int)]),
    "datetime64": lambda _: np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"),
    "timedelta64": lambda _: np.array([1, 2], dtype="timedelta64[h]"),
    "masked": lambda _: np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False]),
    "float16": lambda _: np.ones(3, np.float16),
    "uint64": lambda _: np.array([2**64 - 1, 0], np.uint64),
    "readonly": lambda _: np.broadcast_to(np.float64(1.0), (4, 2)),
    "array of 120": lambda _: np.linspace(1.0, 2.0, 120),
}
PANDAS: dict[str, Maker] = {
    "empty Series": lambda _: pd.Series([], dtype=float),
    "Series of 1": lambda _: pd.Series([1.0]),
    "Series of texts": lambda _: pd.Series(["a", None]),
    "Series of objects": lambda _: pd.Series([1, "a", None, [1]], dtype=object),
    "Series of bools": lambda _: pd.Series([True, False], index=["a", "a"]),
    "Series complex": lambda _: pd.Series([1j, 2]),
    "Series Int64": lambda _: pd.Series([1, None], dtype="Int64"),
    "Series category": lambda _: categorical(),
    "Series dates": lambda _: pd.Series(pd.date_range("2020", periods=3)),
    "Series shuffled": lambda _: shuffled(bars()["close"]),
    "Series doubled": lambda _: pd.concat([bars()["close"]] * 2),
    "Series tz": lambda _: bars()["close"].tz_localize("Europe/Berlin"),
    "Series NaT index": lambda _: pd.Series([1.0, 2.0], index=pd.to_datetime(["2020", None])),
    "Series MultiIndex": lambda _: pd.Series(
        [1.0, 2.0, 3.0], index=pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])
    ),
    "Series names": lambda _: pd.Series(
        [1.0, 2.0], index=pd.MultiIndex.from_tuples([(1, 1), (1, 2)], names=["x", "x"])
    ),
    "Series nan": lambda _: pd.Series([np.nan, np.nan], index=pd.Index([1, np.nan], name="x")),
    "Series intervals": lambda _: pd.Series(pd.interval_range(0, 3)),
    "Series periods": lambda _: pd.Series(1.0, index=pd.period_range("2020", periods=4, freq="M")),
    "empty frame": lambda _: pd.DataFrame(),
    "frame without rows": lambda _: bars().iloc[:0],
    "frame of 1 row": lambda _: bars().iloc[:1],
    "frame of bars": lambda _: bars(),
    "frame shuffled": lambda _: shuffled(bars()),
    "frame doubled": lambda _: pd.concat([bars(), bars()]),
    "frame columns twice": lambda _: pd.concat([bars(), bars()], axis=1),
    "frame of texts": lambda _: bars(close="a"),
    "frame of nan": lambda _: bars(close=np.nan),
    "frame of bools": lambda _: bars() > 2.0,
    "frame complex": lambda _: bars() * 1j,
    "frame of lists": lambda _: pd.DataFrame({"close": [[1], [2]]}),
    "frame negative": lambda _: -bars(),
    "frame tz": lambda _: bars().tz_localize("UTC"),
    "frame MultiIndex": lambda _: pd.concat({"a": bars(), "b": bars()}, axis=1),
    "frame rows MultiIndex": lambda _: pd.concat({"a": bars(), "b": bars()}),
    "frame numbered": lambda _: bars().reset_index(drop=True),
    "Index": lambda _: pd.Index([1, 2, 2], name="x"),
    "empty Index": lambda _: pd.Index([]),
    "MultiIndex": lambda _: pd.MultiIndex.from_product([[1, 2], ["a"]]),
    "DatetimeIndex": lambda _: pd.date_range("2020", periods=3),
    "pd.array": lambda _: pd.array([1, None]),
}
POOL: dict[str, Maker] = {
    **NUMBERS,
    **TEXTS,
    **LISTS,
    **OBJECTS,
    **{f"array {name}": maker for name, maker in ARRAYS.items()},
    **PANDAS,
}

PACKS: dict[str, Callable[[Any], Any]] = {
    "in a list": lambda value: [value],
    "in a tuple": lambda value: (value, 1),
    "among numbers": lambda value: [1, value, 2],
    "in a dict": lambda value: {"a": value},
    "in a dict of more": lambda value: {"X": value, "close": value},
    "as a key": lambda value: {_hashable(value): 1},
    "as a key of a field": lambda value: {_hashable(value): "close"},
}


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return repr(type(value))
    return value


def make(name: str, folder: Path) -> Any:
    """Return a fresh value of the pool."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return POOL[name](folder)
