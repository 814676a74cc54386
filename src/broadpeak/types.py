# SPDX-License-Identifier: BSD-3-Clause
"""Types of arrays, markers and protocols, for annotations and for functions of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

__all__ = [
    "MISSING",
    "AnyArray",
    "BoolArray",
    "FloatArray",
    "IntArray",
    "NoResult",
    "ParamValues",
    "Reducer",
    "Splittable",
    "atomic_dict",
]

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
AnyArray: TypeAlias = npt.NDArray[Any]
Function: TypeAlias = Callable[..., Any]
"""A function of the user's, with any arguments and any result."""
Keywords: TypeAlias = Mapping[str, Any]
"""Values of the user's by name: keyword arguments, options, what templates may use."""


class _Marker:
    """A named value that is compared by identity and survives pickling as the same object."""

    __slots__ = ("_name",)
    _name: str
    _known: dict[str, _Marker] = {}  # noqa: RUF012  # one registry for all markers, by design

    def __new__(cls, name: str) -> _Marker:
        if name not in cls._known:
            marker = super().__new__(cls)
            marker._name = name
            cls._known[name] = marker
        return cls._known[name]

    def __repr__(self) -> str:
        return self._name

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> tuple[type[_Marker], tuple[str]]:
        return _Marker, (self._name,)

    def __copy__(self) -> _Marker:
        return self

    def __deepcopy__(self, memo: object) -> _Marker:
        return self


MISSING: Final = _Marker("MISSING")
"""Stands for an argument that was not passed, where None is a value."""

NoResult: Final = _Marker("NoResult")
"""Returned by a function of a sweep to drop its combination from results and index."""


class atomic_dict(dict[str, Any]):  # noqa: N801  # a kind of dict, named like one
    """A dict that replaces the dict it would otherwise be merged into.

    Examples
    --------
    >>> atomic_dict(engine="threadpool")
    {'engine': 'threadpool'}
    """


class ParamValues(list[Any]):
    """The values of one parameter, one per combination, as a mono-chunk gets them.

    A list like any other, but its type tells it apart from a list that the function itself made:
    ``data.select`` gives every combination its own symbol for the former, and every combination all
    symbols for the latter.

    Examples
    --------
    >>> ParamValues(["IBM", "IBM", "AAPL"])
    ['IBM', 'IBM', 'AAPL']
    """


COMBINATION: Final = "mono_combination"
"""Column level that numbers the combinations of a mono-chunk; merges remove it."""


@runtime_checkable
class Splittable(Protocol):
    """An object that can stand in a `Param` as several values, such as `Data` (one a symbol)."""

    def split_params(self) -> tuple[Sequence[Any], Any]:
        """Return the items and a pandas Index (or MultiIndex) that labels them."""


class Reducer(Protocol):
    """Takes results one after another and holds only what it wants of them: see ``keep=``.

    `broadpeak.top`, `bottom` and `histogram` are reducers. Your own is any object with `start`,
    `add` and `merge`. Each worker reduces what it computed, and sends states in place of results.
    States are joined in the order of calls, in a grouping that positions alone decide, so that sums
    of floats, too, are the same bits on every engine: ``merge`` must be associative, up to
    rounding. `broadpeak.testing.ReducerContract` tests that.

    Two more methods are used where they are there. ``add_many(state, positions, values)`` takes
    many results at once: `positions` is an int64 array, and `values` a list, a one-dimensional
    array, or a dict of such arrays where a result has several figures. ``finish(state)`` makes of
    the last state what the run returns; without it the state is returned.

    Examples
    --------
    >>> import broadpeak as bp
    >>> class Total:
    ...     def start(self):
    ...         return 0
    ...
    ...     def add(self, state, position, value):
    ...         return state + value
    ...
    ...     def merge(self, left, right):
    ...         return left + right
    >>> bp.execute([bp.Task(pow, 2, n) for n in range(10)], keep=Total())
    1023
    """

    def start(self) -> Any:
        """Return the state before the first result: plain values that can be pickled."""

    def add(self, state: Any, position: int, value: Any) -> Any:
        """Return `state` with the result of the call at `position` taken in."""

    def merge(self, left: Any, right: Any) -> Any:
        """Return the state that all results behind both states would have given."""
