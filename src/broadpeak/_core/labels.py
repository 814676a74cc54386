# SPDX-License-Identifier: BSD-3-Clause
"""Labels → pandas index and back: what goes in comes out, in value and in type.

pandas infers one type for all labels of an index: None beside numbers becomes NaN and the numbers
floats, and True beside 1 is the same label. Here an index has a type of its own only where all
labels are of one kind that pandas holds without a change; everything else is held as objects.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Index
from broadpeak.types import AnyArray, IntArray

_NAN: Final = object()
_INT64: Final = 2**63

_KINDS: Final[dict[type, str]] = {
    bool: "truth", np.bool_: "truth", int: "whole", float: "float", np.float64: "float",
    complex: "complex", np.complex128: "complex", str: "text", np.str_: "text",
    dt.datetime: "time", pd.Timestamp: "time", np.datetime64: "time",
    dt.timedelta: "span", pd.Timedelta: "span", np.timedelta64: "span",
    pd.Period: "period", pd.Interval: "interval", np.float32: "short float",
    **dict.fromkeys(
        (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64), "whole"
    ),
}  # fmt: skip
"""The types of labels that pandas has an index for, and which of them may share one."""


def as_index(labels: Iterable[object]) -> Index:
    """Return an index of one level that gives `labels` back.

    Examples
    --------
    >>> as_index([None, 10, 20]).tolist(), as_index([10, 20]).dtype
    ([None, 10, 20], dtype('int64'))
    """
    if isinstance(labels, pd.Index):
        return labels
    if isinstance(labels, pd.Series):  # with its type: pandas 2 would look for another one
        return pd.Index(labels, dtype=labels.dtype)
    items = list(labels)
    kind = _kind_of(items)
    if kind is not None:
        # Half a character is a string to Python, but not to the type that pandas has for strings.
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            index: Index = pd.Index(items, tupleize_cols=False)
            if kind not in {"time", "span"} or _gives_back(index, items):
                return index
    return index_of_objects(items)


def index_of_objects(items: Sequence[object]) -> Index:
    """Return an index that holds `items` themselves."""
    boxed = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):  # NumPy would look into tuples
        boxed[i] = item
    return pd.Index(boxed, dtype=object, tupleize_cols=False)


def as_keys_index(keys: Iterable[object]) -> Index:
    """Return the index of any keys; tuples of one length are labels of several levels.

    Examples
    --------
    >>> as_keys_index([(1, None), (2, "a")]).to_list()
    [(1, None), (2, 'a')]
    """
    if isinstance(keys, pd.Index):
        return keys
    if isinstance(keys, (pd.Series, np.ndarray)):
        return pd.Index(keys)
    items = list(keys)
    depth = len(items[0]) if items and isinstance(items[0], tuple) else 0
    if depth and all(isinstance(item, tuple) and len(item) == depth for item in items):
        return multi_index(list(zip(*items, strict=True)), [None] * depth)
    return as_index(items)


def multi_index(columns: Sequence[Iterable[object]], names: Sequence[Hashable]) -> pd.MultiIndex:
    """Return a MultiIndex with one level a column of labels."""
    factors = [factorize(as_index(column)) for column in columns]
    return from_codes([level for level, _ in factors], [codes for _, codes in factors], names)


def from_codes(levels: Any, codes: Any, names: Any) -> pd.MultiIndex:
    """Return the MultiIndex of parts that are known to fit.

    pandas would make None and NaT of a level missing if it were asked to look at them.
    """
    return pd.MultiIndex(levels=levels, codes=codes, names=names, verify_integrity=False)


def factorize(labels: Index) -> tuple[Index, AnyArray]:
    """Return each label once, sorted if they can be, and the code of every label (-1: missing).

    Labels that pandas holds as objects are one only where they are equal and of one type, so that
    True and 1 are two, and None, NaT and NaN three; only NaN is missing.
    """
    if labels.dtype != object or set(map(type, labels)) == {str}:
        factors = pd.Categorical(labels)
        return factors.categories, np.asarray(factors.codes)
    items = labels.tolist()
    code_of: dict[Hashable, int] = {}
    unique: list[object] = []
    codes = np.empty(len(items), dtype=np.int64)
    for i, item in enumerate(items):
        key = identity(item)
        code = -1 if key == (float, _NAN) else code_of.setdefault(key, len(unique))
        if code == len(unique):
            unique.append(item)
        codes[i] = code
    ranks = _ranks(unique)
    if ranks is not None:
        unique = [unique[rank] for rank in np.argsort(ranks)]
        codes = np.append(ranks, -1)[codes]
    return index_of_objects(unique), codes


def identity(value: object) -> Hashable:
    """Return a key that is equal for equal values of one type, and for one NaN and another.

    A value that has no hash is itself alone.
    """
    if isinstance(value, float) and value != value:  # noqa: PLR0124  # NaN alone differs from itself
        return (float, _NAN)
    if type(value) is tuple:
        return (tuple, *map(identity, value))
    try:
        hash(value)
    except TypeError:
        return (type(value), id(value))
    return (type(value), value)


def plain(value: object) -> object:
    """Return a NumPy number or string as Python's own; in a tuple, too.

    Examples
    --------
    >>> plain((np.int64(5), "a"))
    (5, 'a')
    """
    if type(value) is tuple:
        return tuple(map(plain, value))
    return value.item() if isinstance(value, (np.number, np.bool_, np.str_)) else value


def _kind_of(items: Sequence[Any]) -> str | None:
    """Return the kind all `items` share, if pandas has an index for it; None: objects."""
    types = set(map(type, items))
    dates = types - {type(pd.NaT)} if len(types) > 1 else types
    kinds = {_KINDS.get(type_) for type_ in dates}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is None or (len(dates) < len(types) and kind not in {"time", "span", "period"}):
        return "time" if types == {type(pd.NaT)} else None
    if kind == "whole" and not (min(items) >= -_INT64 and max(items) < _INT64):
        return None
    return kind


def _gives_back(index: Index, items: Sequence[Any]) -> bool:
    return all(
        pd.isna(item) if label is pd.NaT else bool(label == item)
        for label, item in zip(index.tolist(), items, strict=True)
    )


def _ranks(items: Sequence[Any]) -> IntArray | None:
    """Return the rank of each of `items` in sorted order; None where they have no order."""
    try:
        order = sorted(range(len(items)), key=items.__getitem__)
    except (TypeError, ValueError, ArithmeticError):
        return None
    ranks = np.empty(len(items), dtype=np.int64)
    ranks[order] = np.arange(len(items))
    return ranks


def span(index: Index) -> str:
    """Return an index in a few words.

    Examples
    --------
    >>> span(pd.RangeIndex(3))
    '3 labels from 0 to 2'
    """
    if len(index) == 0:
        return "no labels"
    first, last = (
        label.isoformat() if isinstance(label, pd.Timestamp) else repr(label)
        for label in (*index[:1].tolist(), *index[-1:].tolist())  # 3, not np.int64(3)
    )
    return f"{len(index)} labels from {first} to {last}"
