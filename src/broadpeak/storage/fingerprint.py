# SPDX-License-Identifier: BSD-3-Clause
"""Content hashes that are the same in every process: of values, data and functions."""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import inspect
import textwrap
import types
from collections.abc import Callable, Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import cached_property
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from broadpeak.errors import StoreError, broken_rule

_SIZE = 16  # bytes of a digest: 2**64 results before a collision is to be expected
_CHANGERS = frozenset(
    [
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "popitem",
        "clear",
        "sort",
        "reverse",
        "add",
        "discard",
        "update",
        "setdefault",
        "appendleft",
        "extendleft",
        "write",
        "writelines",
        "put",
        "put_nowait",
        "set",
    ]
)
_BY_REPR = (
    *(type(None), bool, int, float, complex, str, bytes, range, slice, type(...)),
    *(datetime, date, time, timedelta, Decimal, Fraction, PurePath),
    *(pd.Timestamp, pd.Timedelta, pd.Period, pd.Interval, pd.DateOffset, type(pd.NaT), type(pd.NA)),
)


def fingerprint(*values: Any) -> bytes:
    """Return a digest of the content of `values`, 16 bytes.

    Two values have the same digest if they are of the same type and content; it does not depend on
    the process, on hash seeds or on where an object lies in memory. A function is known by its
    name, its compiled code, its defaults, the values it closes over, and the functions and plain
    values of its own package that it names; what it changes, such as a counter or a log, is left
    out. An object is known by its ``fingerprint()`` method if it has one, else by its attributes.

    Raises
    ------
    StoreError
        If a value has no content to go by, such as an open file or a lock.

    Examples
    --------
    >>> fingerprint(1, "a") == fingerprint(1, "a")
    True
    >>> fingerprint(1) == fingerprint(1.0)
    False
    """
    return _Hasher().digest(values)


class _Hasher:
    """Feeds values into one hash; remembers what it is inside of, for cycles."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=_SIZE)
        self._inside: dict[int, int] = {}

    def digest(self, values: tuple[Any, ...]) -> bytes:
        """Feed `values` and return the digest."""
        self.feed(values)
        return self._hash.digest()

    def _text(self, *parts: str) -> None:
        for part in parts:
            raw = part.encode("utf-8", "surrogatepass")
            self._hash.update(len(raw).to_bytes(8, "little"))
            self._hash.update(raw)

    def feed(self, value: Any) -> None:
        """Feed one value, whatever it is."""
        if type(value) in _BY_REPR or isinstance(value, (PurePath, pd.DateOffset)):
            self._text(type(value).__name__, repr(value))
            return
        if id(value) in self._inside:
            self._text("again", str(self._inside[id(value)]))
            return
        self._inside[id(value)] = len(self._inside)
        try:
            self._feed_object(value)
        finally:
            del self._inside[id(value)]

    def _feed_object(self, value: Any) -> None:
        self._text(type(value).__module__, type(value).__qualname__)
        for kinds, feed in _FEEDERS:
            if isinstance(value, kinds):
                feed(self, value)
                return
        own = getattr(value, "fingerprint", None)
        if callable(own):
            self.feed(own())
        elif hasattr(value, "py_func"):  # a compiled function: its source is what counts
            self.feed(value.py_func)
        elif dataclasses.is_dataclass(value):
            self.feed(
                {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            )
        else:
            self.feed(_state(value))

    def array(self, value: np.ndarray[Any, Any]) -> None:
        """Feed an array: type, shape, content."""
        self._text(value.dtype.str, str(value.shape))
        if value.dtype.hasobject:
            for item in value.ravel():
                self.feed(item)
        else:
            self._hash.update(np.ascontiguousarray(value).tobytes())

    def index(self, value: pd.Index[Any]) -> None:
        """Feed an index: names, type, content."""
        self.feed(tuple(value.names))
        if isinstance(value, pd.MultiIndex):
            for level, codes in zip(value.levels, value.codes, strict=True):
                self.feed(level)
                self.feed(np.asarray(codes, dtype=np.int64))
        else:
            self._text(str(value.dtype))
            self.feed(value.to_numpy())

    def series(self, value: pd.Series[Any]) -> None:
        """Feed a Series: name, type, index, content."""
        self.feed(value.name)
        self._text(str(value.dtype))
        self.feed(value.index)
        self.feed(value.to_numpy())

    def frame(self, value: pd.DataFrame) -> None:
        """Feed a frame: labels, then column by column."""
        self.feed(value.columns)
        self.feed(value.index)
        for place in range(value.shape[1]):
            column = value.iloc[:, place]
            self._text(str(column.dtype))
            self.feed(column.to_numpy())

    def mapping(self, value: Mapping[Any, Any]) -> None:
        """Feed a mapping in its order."""
        for key, item in value.items():
            self.feed(key)
            self.feed(item)
        self._text("end")

    def sequence(self, value: Any) -> None:
        """Feed a list or tuple."""
        for item in value:
            self.feed(item)
        self._text("end")

    def group(self, value: Set[Any]) -> None:
        """Feed a set, whose order means nothing."""
        for digest in sorted(fingerprint(item) for item in value):
            self._hash.update(digest)

    def function(self, value: types.FunctionType) -> None:
        """Feed a function: code, defaults, closure, and what it names in its own package."""
        self._text(value.__module__ or "", value.__qualname__)
        self.code(value.__code__)
        self.feed(value.__defaults__)
        self.feed(value.__kwdefaults__)
        written = _written(value)
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            if name not in written:
                self.feed(_cell_content(cell))
        wrapped = getattr(value, "__wrapped__", None)
        if wrapped is not None:
            self.feed(wrapped)
        for name in sorted(_names(value.__code__)):
            if name in value.__globals__ and name not in written:
                self._named(value, name, value.__globals__[name])

    def _named(self, owner: types.FunctionType, name: str, value: Any) -> None:
        """Feed a global that `owner` names, if it is part of what the user wrote."""
        plain = type(value) in _BY_REPR or isinstance(value, (tuple, list, dict, np.ndarray))
        target = getattr(value, "py_func", value)
        package = (owner.__module__ or "").partition(".")[0]
        own = isinstance(target, types.FunctionType) and (
            (target.__module__ or "").partition(".")[0] == package
        )
        self._text(name)
        if plain or own:
            self.feed(value)

    def code(self, value: types.CodeType) -> None:
        """Feed compiled code without file names and line numbers."""
        self._hash.update(value.co_code)
        self.feed((value.co_names, value.co_varnames, value.co_freevars, value.co_argcount))
        for constant in value.co_consts:
            if isinstance(constant, types.CodeType):
                self.code(constant)
            elif isinstance(constant, frozenset):
                self.group(constant)
            else:
                self.feed(constant)

    def method(self, value: types.MethodType) -> None:
        """Feed a bound method: function and owner."""
        self.feed(value.__func__)
        self.feed(value.__self__)

    def partial(self, value: functools.partial[Any]) -> None:
        """Feed a partial: function and arguments."""
        self.feed((value.func, value.args, value.keywords))

    def named(self, value: Any) -> None:
        """Feed a class, a module or a builtin by its name, and a class by its functions too."""
        self._text(
            getattr(value, "__module__", "") or "", getattr(value, "__qualname__", repr(value))
        )
        if isinstance(value, type):
            for name, item in sorted(vars(value).items()):
                if isinstance(item, types.FunctionType):
                    self._text(name)
                    self.feed(item)


def _names(code: types.CodeType) -> set[str]:
    """Return the global names that `code` and the code inside of it mention."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


@functools.lru_cache(maxsize=1024)
def _written(function: types.FunctionType) -> frozenset[str]:
    """Return the outer names whose objects `function` changes: its output, not part of what it is.

    Without its source nothing is known to be written.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return frozenset()
    targets = [
        node.func.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _CHANGERS
    ]
    targets += [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(node.ctx, ast.Load)
    ]
    declared = [
        name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Global, ast.Nonlocal))
        for name in node.names
    ]
    return frozenset([node.id for node in targets if isinstance(node, ast.Name)] + declared)


def _cell_content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a function that closes over itself before it is bound
        return None


def _state(value: Any) -> Any:
    """Return what an object consists of: what it is rebuilt from, else its attributes."""
    kind = type(value)
    if any("__reduce__" in vars(base) for base in kind.__mro__[:-1]):
        return value.__reduce__()[1:]
    state = getattr(value, "__dict__", None)
    if state is not None:  # what is derived on first use is no part of it
        derived = {name for name in state if isinstance(getattr(kind, name, None), cached_property)}
        state = {name: item for name, item in state.items() if name not in derived}
    slots = [
        name
        for base in kind.__mro__
        for name in getattr(base, "__slots__", ())
        if hasattr(value, name)
    ]
    if state is None and not slots:
        rule = "have content that can be compared between processes"
        remedy = "Give its class a method fingerprint() that returns plain values."
        raise StoreError(broken_rule("An argument of a stored run", rule, value, remedy))
    return {**(state or {}), **{name: getattr(value, name) for name in slots}}


_FEEDERS: tuple[tuple[Any, Callable[[_Hasher, Any], None]], ...] = (
    (np.ndarray, _Hasher.array),
    (np.generic, lambda hasher, value: hasher.array(np.asarray(value))),
    (pd.Index, _Hasher.index),
    (pd.Series, _Hasher.series),
    (pd.DataFrame, _Hasher.frame),
    (Enum, lambda hasher, value: hasher._text(str(value))),  # noqa: SLF001  # its own class
    (Mapping, _Hasher.mapping),
    ((list, tuple), _Hasher.sequence),
    (Set, _Hasher.group),
    (types.FunctionType, _Hasher.function),
    (types.MethodType, _Hasher.method),
    (functools.partial, _Hasher.partial),
    (
        (type, types.ModuleType, types.BuiltinFunctionType, types.BuiltinMethodType, np.ufunc),
        _Hasher.named,
    ),
)
