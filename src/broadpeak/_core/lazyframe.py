# SPDX-License-Identifier: BSD-3-Clause
"""pandas objects whose values are made when somebody looks at them.

All that pandas does with values goes through the attribute `_mgr`. Here it is a property: the first
look makes the values, and from then on the object is a plain Series or DataFrame, of that class.
Labels are there without a look. If a version of pandas keeps its values elsewhere, they are made at
once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Index, Series, Table
from broadpeak.types import BoolArray


class Recipe(Protocol):
    """How the values of a lazy object are made."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of columns and of bars."""

    def bools(self) -> BoolArray:
        """Return the values, shape (columns, bars)."""


class LazyIndex:
    """Labels of columns, made once, when somebody looks at them; objects share them by identity."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Index]) -> None:
        self._make: Callable[[], Index] | None = make
        self._made: Index | None = None

    def index(self) -> Index:
        """Return the labels."""
        make = self._make
        if self._made is None and make is not None:
            self._made, self._make = make(), None
        assert self._made is not None  # noqa: S101  # one of the two is there
        return self._made


class _Waiting:
    """What stands in the place of values that nobody has looked at."""

    def __init__(self, recipe: Recipe, index: Index, labels: LazyIndex | None) -> None:
        self.recipe = recipe
        self.index = index
        self.labels = labels

    def columns(self) -> Index:
        """Return the labels of the columns, which one object may rename without the others."""
        inside = vars(self)
        found: Index | None = inside.get("view")
        if found is None:
            assert self.labels is not None  # noqa: S101  # it is a frame
            found = inside.setdefault("view", self.labels.index().view())
        return found

    def attributes(self, name: object) -> dict[str, Any]:
        """Return the attributes of a plain object with the values."""
        inside = vars(self)
        found: dict[str, Any] | None = inside.get("made")
        if found is None:
            # Two threads that come at once both make them; the first to be ready is taken.
            values = self.recipe.bools()
            found = inside.setdefault("made", vars(self._plain(values, name)))
        return found

    def _plain(self, values: BoolArray, name: object) -> Table:
        if self.labels is None:
            return pd.Series(values[0], index=self.index, name=name, copy=False)
        return pd.DataFrame(values.T, index=self.index, columns=self.columns(), copy=False)


_set_class: Callable[[object, type], None] = vars(object)["__class__"].__set__


def _look(lazy: Any, plain: type) -> dict[str, Any]:
    """Make the values of a lazy object, which is plain from now on; return its attributes."""
    inside: dict[str, Any] = lazy.__dict__
    waiting = inside["_mgr"]
    if type(waiting) is not _Waiting:
        _set_class(lazy, plain)  # another thread may be about to
        return inside
    found = waiting.attributes(inside.get("_name"))
    for key, value in found.items():
        if key == "_flags":  # they know whose they are
            value = type(value)(lazy, allows_duplicate_labels=True)  # noqa: PLW2901
        if key != "_mgr":
            inside.setdefault(key, value)
    if inside["_mgr"] is waiting:
        inside["_mgr"] = found["_mgr"]
    _set_class(lazy, plain)
    return inside


def _looked(name: str, plain: type) -> property:
    """Return an attribute that is there once the values are."""

    def read(lazy: Any) -> Any:
        return _look(lazy, plain)[name]

    def write(lazy: Any, value: object) -> None:
        _look(lazy, plain)[name] = value

    return property(read, write)


def _labelled(name: str, plain: type, read: Callable[[_Waiting], Index]) -> property:
    """Return labels that are there without a look at the values."""

    def get(lazy: Any) -> Index:
        waiting = lazy.__dict__["_mgr"]
        if type(waiting) is _Waiting:
            return read(waiting)
        _look(lazy, plain)
        return getattr(lazy, name)  # type: ignore[no-any-return]

    def replace(lazy: Any, labels: object) -> None:
        _look(lazy, plain)
        setattr(lazy, name, labels)

    return property(get, replace)


class _Alike(type):
    """The class of lazy classes: each is the same as the plain one, for whoever compares them."""

    plain: type

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is cls.plain

    def __hash__(cls) -> int:
        return hash(cls.plain)

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, cls.plain)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, cls.plain)


def _lazy_class(plain: type) -> Any:
    """Return the lazy class of Series or DataFrame."""

    def reduce(lazy: Any, protocol: int) -> object:
        _look(lazy, plain)
        return lazy.__reduce_ex__(protocol)

    def names(lazy: Any) -> list[str]:
        _look(lazy, plain)
        return dir(lazy)

    body: dict[str, Any] = {
        "__doc__": plain.__doc__,
        "__module__": plain.__module__,
        "__qualname__": plain.__qualname__,
        "__class__": property(lambda _: plain),
        "__dir__": names,
        "__reduce_ex__": reduce,
        "__len__": lambda lazy: len(lazy.index),
        "index": _labelled("index", plain, lambda waiting: waiting.index),
    }
    if plain is pd.DataFrame:
        body["columns"] = _labelled("columns", plain, lambda waiting: waiting.columns())
    for name in _ATTRIBUTES[plain] - {"_name"}:
        body[name] = _looked(name, plain)
    made = _Alike.__new__(_Alike, plain.__name__, (plain,), body)
    made.plain = plain
    return made


_ATTRIBUTES: dict[type, set[str]] = {
    pd.Series: set(vars(pd.Series([True]))),
    pd.DataFrame: set(vars(pd.DataFrame([[True]]))),
}
IS_POSSIBLE = all("_mgr" in names for names in _ATTRIBUTES.values())
"""Whether this version of pandas keeps values where they can wait."""

_new = object.__new__
_LazySeries = _lazy_class(pd.Series)
_LazyFrame = _lazy_class(pd.DataFrame)


def lazy_series(recipe: Recipe, index: Index, name: object) -> Series:
    """Return a Series with the values of the only column of `recipe`."""
    if not IS_POSSIBLE:
        return pd.Series(recipe.bools()[0], index=index, name=name, copy=False)
    lazy = _new(_LazySeries)
    inside = lazy.__dict__
    inside["_mgr"] = _Waiting(recipe, index, None)
    inside["_name"] = name
    return lazy  # type: ignore[no-any-return]


def lazy_frame(recipe: Recipe, index: Index, labels: LazyIndex) -> pd.DataFrame:
    """Return a frame with the values of `recipe`, its columns labelled by `labels`."""
    if not IS_POSSIBLE:
        columns = labels.index().view()
        return pd.DataFrame(recipe.bools().T, index=index, columns=columns, copy=False)
    lazy = _new(_LazyFrame)
    lazy.__dict__["_mgr"] = _Waiting(recipe, index, labels)
    return lazy  # type: ignore[no-any-return]


def _waiting_of(value: object) -> _Waiting | None:
    kind = type(value)
    if kind is _LazyFrame or kind is _LazySeries:
        waiting = value.__dict__["_mgr"]
        if type(waiting) is _Waiting:
            return waiting
    return None


def recipe_of(value: object) -> Recipe | None:
    """Return how the values of a pandas object are made, while nobody has looked at them."""
    waiting = _waiting_of(value)
    return None if waiting is None else waiting.recipe


def labels_of(value: object) -> LazyIndex | None:
    """Return the labels of the columns of a frame nobody has looked at.

    They are one object for all frames that have them in common, made when first asked for.
    """
    waiting = _waiting_of(value)
    return None if waiting is None else waiting.labels


def is_frozen(array: Any) -> bool:
    """Return whether nobody can write to an array, also not through what it is a view of."""
    while isinstance(array, np.ndarray) and not array.flags.writeable:
        if array.base is None:
            return True
        array = array.base
    return False
