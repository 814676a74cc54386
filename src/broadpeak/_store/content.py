# SPDX-License-Identifier: BSD-3-Clause
"""What plain values count by in the key of a run: arrays, tables, dates, containers."""

from __future__ import annotations

import types
from collections.abc import Callable, ItemsView, Iterable, KeysView, Mapping, Set, ValuesView
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Index, Series, Table
from broadpeak._store.writing import PLAIN, KeyWriter, token
from broadpeak.types import AnyArray

Feeder = Callable[[KeyWriter, Any], None]
_PADDED = "gG"  # long doubles have bytes that mean nothing


def array(writer: KeyWriter, value: AnyArray) -> None:
    """Write an array: type, shape, items."""
    dtype = value.dtype
    writer.mark("array", f"{dtype!r} {value.shape}")
    if type(value) is not np.ndarray and not isinstance(value, np.memmap):
        writer.feed(dict(getattr(value, "__dict__", {})))
    if isinstance(value, np.ma.MaskedArray):
        array(writer, np.ma.getmaskarray(value))
        array(writer, np.asarray(value.fill_value))
        value = value.data
    value = np.asarray(value)
    if dtype.names is not None:  # field by field: there may be gaps between them
        for name in dtype.names:
            writer.mark("field", name)
            array(writer, value[name])
    elif dtype.hasobject or dtype.kind == "T":
        writer.feed(value.ravel().tolist())
    elif dtype.char in _PADDED:
        writer.feed([repr(item) for item in value.ravel()])
    else:
        writer.raw(token("data", np.ascontiguousarray(value).tobytes()))


def _scalar(writer: KeyWriter, value: np.generic) -> None:
    writer.mark("scalar", type(value).__name__)
    array(writer, np.asarray(value))


def _dtype(writer: KeyWriter, value: np.dtype[Any]) -> None:
    writer.mark("dtype", repr(value))


def index(writer: KeyWriter, value: Index) -> None:
    """Write an index: names, type, labels, frequency."""
    writer.mark("index", type(value).__qualname__)
    writer.feed(tuple(value.names))
    if isinstance(value, pd.MultiIndex):
        for level, codes in zip(value.levels, value.codes, strict=True):
            index(writer, level)
            array(writer, np.asarray(codes, dtype=np.int64))
    elif isinstance(value, pd.RangeIndex):
        writer.feed((value.start, value.stop, value.step))
    else:
        column(writer, value.array)
        writer.feed(getattr(value, "freq", None))


def column(writer: KeyWriter, value: Any) -> None:
    """Write what pandas keeps a column in."""
    dtype = value.dtype
    writer.mark("column", f"{type(value).__qualname__} {dtype!r}")
    if isinstance(dtype, np.dtype):
        array(writer, np.asarray(value))
    elif isinstance(value, pd.Categorical):
        index(writer, value.categories)
        array(writer, np.asarray(value.codes))
        writer.feed(value.ordered)
    elif isinstance(dtype, pd.IntervalDtype):
        index(writer, value.left)
        index(writer, value.right)
        writer.feed(value.closed)
    elif hasattr(value, "asi8"):
        array(writer, np.asarray(value.asi8))
    elif hasattr(value, "_data") and hasattr(value, "_mask"):  # what a mask hides means nothing
        data = np.array(value._data)  # noqa: SLF001  # NaN and NA differ only there
        hidden = np.asarray(value._mask)  # noqa: SLF001
        data[hidden] = np.zeros(1, dtype=data.dtype)[0]
        array(writer, data)
        array(writer, hidden)
    else:
        writer.feed(list(value))


def series(writer: KeyWriter, value: Series) -> None:
    """Write a Series: name, index, values, and what is attached to it."""
    writer.mark("series")
    writer.feed(value.name)
    index(writer, value.index)
    column(writer, value.array)
    _attached(writer, value)


def frame(writer: KeyWriter, value: pd.DataFrame) -> None:
    """Write a frame: labels, values, and what is attached to it."""
    writer.mark("frame", f"{value.shape}")
    index(writer, value.columns)
    index(writer, value.index)
    kinds = set(value.dtypes)
    if len(kinds) == 1 and isinstance(next(iter(kinds)), np.dtype):  # wide frames in one go
        array(writer, value.to_numpy())
    else:
        for position in range(value.shape[1]):
            column(writer, value.iloc[:, position].array)
    _attached(writer, value)


def _attached(writer: KeyWriter, value: Table) -> None:
    writer.feed(dict(value.attrs))
    writer.feed(value.flags.allows_duplicate_labels)
    writer.feed({name: getattr(value, name, None) for name in value._metadata if name != "name"})  # noqa: SLF001  # the documented way to add attributes


def items(writer: KeyWriter, value: Iterable[object]) -> None:
    """Write a list or tuple."""
    parts = list(value)
    writer.mark("items", str(len(parts)))
    for position, part in enumerate(parts):
        encoder = PLAIN.get(type(part))
        if encoder is not None:
            writer.raw(encoder(part))
        else:
            writer.named(str(position), part)


def pairs(writer: KeyWriter, value: Mapping[Any, object]) -> None:
    """Write the entries of a dict in their order, which code can see."""
    writer.mark("pairs", str(len(value)))
    for key, item in value.items():
        writer.feed(key)
        encoder = PLAIN.get(type(item))
        if encoder is not None:
            writer.raw(encoder(item))
        else:
            writer.named(key if isinstance(key, str) else "…", item)


def _moment(writer: KeyWriter, value: datetime | time) -> None:
    writer.mark("moment", repr(value.replace(tzinfo=None)))
    writer.feed(value.tzinfo)


def _timestamp(writer: KeyWriter, value: pd.Timestamp) -> None:
    naive = value.tz_localize(None)
    writer.mark("timestamp", f"{naive.isoformat()} {value.unit} {value.fold}")
    writer.feed(value.value)
    writer.feed(value.tzinfo)


def _offset(writer: KeyWriter, value: Any) -> None:
    writer.mark("offset", f"{type(value).__qualname__} {value.n} {value.normalize}")
    rules = {name: rule for name, rule in sorted(value.kwds.items()) if name != "calendar"}
    writer.feed(rules)


def _by_repr(writer: KeyWriter, value: object) -> None:
    writer.mark("repr", f"{type(value).__qualname__} {value!r}")


def _view(writer: KeyWriter, value: memoryview) -> None:
    writer.mark("view", f"{value.format} {value.shape}")
    writer.feed(value.tobytes())


def _sequence(writer: KeyWriter, value: Iterable[object]) -> None:
    writer.mark(type(value).__name__)
    items(writer, value)


def _mutable_bytes(writer: KeyWriter, value: bytearray) -> None:
    writer.mark("bytearray")
    writer.feed(bytes(value))


def _proxy(writer: KeyWriter, value: Mapping[Any, object]) -> None:
    writer.mark("proxy")
    pairs(writer, value)


def _bounds(writer: KeyWriter, value: slice | range) -> None:
    writer.mark(type(value).__name__)
    items(writer, (value.start, value.stop, value.step))


def _path(writer: KeyWriter, value: PurePath) -> None:
    writer.mark("path", str(value))


EXACT: dict[type, Feeder] = {
    **dict.fromkeys((list, tuple), _sequence),
    dict: pairs,
    bytearray: _mutable_bytes,
    memoryview: _view,
    types.MappingProxyType: _proxy,
    **dict.fromkeys((slice, range), _bounds),
    **dict.fromkeys((datetime, time), _moment),
    pd.Timestamp: _timestamp,
    **dict.fromkeys((date, timedelta, Decimal, Fraction), _by_repr),
    **dict.fromkeys((pd.Timedelta, pd.Period, type(pd.NaT), type(pd.NA)), _by_repr),
}
"""Kinds that count by content alone, if a value is exactly of the kind."""

KINDS: tuple[tuple[Any, Feeder], ...] = (
    (np.ndarray, array),
    (np.generic, _scalar),
    (np.dtype, _dtype),
    (pd.Index, index),
    (pd.Series, series),
    (pd.DataFrame, frame),
    (pd.api.extensions.ExtensionArray, column),
    (pd.offsets.BaseOffset, _offset),
    (PurePath, _path),
    ((KeysView, ItemsView, ValuesView), items),
)
"""Kinds that count by class and content."""


WITHOUT_IDENTITY = (
    *(tuple, frozenset, str, bytes, int, float, complex, slice, range, Decimal, Fraction),
    *(date, time, timedelta, tzinfo, PurePath, KeysView, ItemsView, ValuesView),
    *(np.generic, np.dtype, pd.Index, pd.offsets.BaseOffset, pd.api.extensions.ExtensionDtype),
    *(pd.Period, pd.Interval, type(pd.NaT), type(pd.NA)),
)
"""Kinds of which two equal ones are as good as one and the same."""


def is_unordered(value: object) -> bool:
    """Return whether `value` is a set of any kind, whose order means nothing."""
    return isinstance(value, (set, frozenset)) or (
        isinstance(value, Set) and not isinstance(value, (KeysView, ItemsView))
    )
