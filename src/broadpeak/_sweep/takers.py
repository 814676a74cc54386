# SPDX-License-Identifier: BSD-3-Clause
"""How an argument of a `chunked` function is cut: one class a way of cutting.

A taker is a rule; a `Chunked…` holds a value with its rule, for use at the call, or is that rule
alone. Rules for one argument are joined with ``|``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, get_args

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._run.chunks import Chunk
from broadpeak.errors import ParamError, ParamTypeError, broken_rule, shown
from broadpeak.types import MISSING, IntArray

_LABELLED = (pd.Series, pd.DataFrame)


class ChunkRule:
    """Base of takers, sizers and value wrappers; ``a | b`` holds both for one argument."""

    def __post_init__(self) -> None:
        if hasattr(self, "axis"):
            object.__setattr__(self, "axis", check.axis("axis", self.axis))
        if hasattr(self, "keep_dims"):
            check.flag("keep_dims", self.keep_dims)

    def __or__(self, other: object) -> ChunkRules:
        return ChunkRules(rules_in(self) + rules_in(other))

    def __ror__(self, other: object) -> ChunkRules:
        return ChunkRules(rules_in(other) + rules_in(self))


class ValueRule(ChunkRule, ABC):
    """Base of the rules that may hold the value they are for.

    Attributes
    ----------
    value : object
        `MISSING` where it is only a rule.
    """

    value: Any

    @abstractmethod
    def taker_of(self, value: object) -> Taker | None:
        """Return the taker of `value` (`MISSING`: of any value); None does not cut."""


class ChunkRules(ChunkRule):
    """Several rules for one argument.

    Attributes
    ----------
    members : tuple
        The rules, in the order they were written.
    """

    def __init__(self, members: tuple[Any, ...]) -> None:
        self.members = members

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.members))


def rules_in(annotation: object) -> tuple[Any, ...]:
    """Return the single rules in an annotation; anything else is returned unchanged."""
    if isinstance(annotation, ChunkRules):
        return annotation.members
    if isinstance(annotation, UnionType):
        return get_args(annotation)
    return (annotation,)


class Taker(ChunkRule, ABC):
    """Base of all takers: says how many items a value has, and takes those of one chunk."""

    by_number = False  # takes item i for chunk i

    @abstractmethod
    def sizes(self, value: Any) -> list[int]:
        """Return the sizes that `value` implies; none if it implies nothing."""

    @abstractmethod
    def take(self, value: Any, chunk: Chunk) -> Any:
        """Return what `chunk` takes of `value`."""


@dataclass(frozen=True)
class ChunkSlicer(Taker):
    """Slice a list, tuple, range or anything else that has a length and takes slices.

    Examples
    --------
    >>> import broadpeak as bp
    >>> run = bp.chunked(lambda x: x, arg_take_spec={"x": bp.ChunkSlicer()}, n_chunks=2)
    >>> run([10, 20, 30])
    [[10, 20], [30]]
    """

    def sizes(self, value: Any) -> list[int]:
        """Return the length of `value`."""
        return [_n_items(self, value)]

    def take(self, value: Any, chunk: Chunk) -> Any:
        """Return the items of `chunk`."""
        if isinstance(chunk.positions, range):
            return value[chunk.positions.start : chunk.positions.stop]
        by_place = value.iloc if isinstance(value, _LABELLED) else value
        items = [by_place[row] for row in chunk.positions]
        return tuple(items) if isinstance(value, tuple) else items


@dataclass(frozen=True)
class ChunkSelector(Taker):
    """Give chunk i the item i of a sequence; there are as many chunks as items.

    Examples
    --------
    >>> import broadpeak as bp
    >>> bp.chunked(lambda x: x, arg_take_spec={"x": bp.ChunkSelector()})(["a", "b"])
    ['a', 'b']
    """

    by_number = True

    def sizes(self, value: Any) -> list[int]:
        """Return the length of `value`."""
        return [_n_items(self, value)]

    def take(self, value: Any, chunk: Chunk) -> Any:
        """Return the item that has the number of `chunk`."""
        by_place = value.iloc if isinstance(value, _LABELLED) else value
        return by_place[_checked_number(self, chunk, len(value))]


@dataclass(frozen=True)
class CountAdapter(Taker):
    """Make a count the number of items in the chunk.

    Examples
    --------
    >>> import broadpeak as bp
    >>> bp.chunked(lambda x: x, arg_take_spec={"x": bp.CountAdapter()}, n_chunks=2)(5)
    [3, 2]
    """

    def sizes(self, value: Any) -> list[int]:
        """Return the count itself."""
        return [_checked_count(value)]

    def take(self, value: Any, chunk: Chunk) -> Any:
        """Return the number of items in `chunk`."""
        return len(chunk.positions)


@dataclass(frozen=True)
class ShapeSlicer(Taker):
    """Make one axis of a shape the number of items in the chunk.

    Parameters
    ----------
    axis : int
        Position in the shape; negative counts from the last.

    Examples
    --------
    >>> import broadpeak as bp
    >>> run = bp.chunked(lambda x: x, arg_take_spec={"x": bp.ShapeSlicer(axis=1)}, n_chunks=2)
    >>> run((10, 4))
    [(10, 2), (10, 2)]
    """

    axis: int = 0

    def sizes(self, value: Any) -> list[int]:
        """Return the length of the axis."""
        lengths = _lengths(value)
        return [_checked_count(lengths[_checked_axis(self.axis, len(lengths), value)])]

    def take(self, value: Any, chunk: Chunk) -> Any:
        """Return the shape of `chunk`."""
        axis = _checked_axis(self.axis, len(value), value)
        return (*value[:axis], len(chunk.positions), *value[axis + 1 :])


@dataclass(frozen=True)
class ShapeSelector(Taker):
    """Give chunk i the shape of item i along one axis: without that axis, or with length 1.

    Parameters
    ----------
    axis : int
        Position in the shape; negative counts from the last.
    keep_dims : bool
        Whether the axis stays, with length 1.

    Examples
    --------
    >>> import broadpeak as bp
    >>> bp.chunked(lambda x: x, arg_take_spec={"x": bp.ShapeSelector(axis=1)})((10, 2))
    [(10,), (10,)]
    """

    axis: int = 0
    keep_dims: bool = False
    by_number = True

    def sizes(self, value: Any) -> list[int]:
        """Return the length of the axis."""
        lengths = _lengths(value)
        return [_checked_count(lengths[_checked_axis(self.axis, len(lengths), value)])]

    def take(self, value: Any, chunk: Chunk) -> Any:
        """Return the shape of one item."""
        axis = _checked_axis(self.axis, len(value), value)
        _checked_number(self, chunk, _checked_count(value[axis]))
        kept = (1,) if self.keep_dims else ()
        return (*value[:axis], *kept, *value[axis + 1 :])


@dataclass(frozen=True)
class ArraySlicer(Taker):
    """Slice an array, Series or frame along an axis; labels are sliced with it.

    Parameters
    ----------
    axis : int
        0: rows; 1: columns; negative counts from the last.

    Examples
    --------
    >>> import broadpeak as bp
    >>> run = bp.chunked(lambda x: x, arg_take_spec={"x": bp.ArraySlicer(axis=1)}, n_chunks=2)
    >>> run(np.arange(6).reshape(2, 3))
    [array([[0, 1],
           [3, 4]]), array([[2],
           [5]])]
    """

    axis: int = 0

    def sizes(self, value: Any) -> list[int]:
        """Return the length along the axis."""
        shape = shape_of("A chunked value", value)
        return [shape[_checked_axis(self.axis, len(shape), value)]]

    def take(self, value: Any, chunk: Chunk) -> Any:
        """Return the items of `chunk` along the axis."""
        value = value if hasattr(value, "shape") else np.asarray(value)
        rows = chunk.positions
        where: Any = slice(rows.start, rows.stop) if isinstance(rows, range) else rows
        return _take_along(value, _checked_axis(self.axis, len(value.shape), value), where)


@dataclass(frozen=True)
class ArraySelector(Taker):
    """Give chunk i the item i of an array, Series or frame along an axis.

    Parameters
    ----------
    axis : int
        0: rows; 1: columns; negative counts from the last.
    keep_dims : bool
        Whether the axis stays, with length 1.

    Examples
    --------
    >>> import broadpeak as bp
    >>> run = bp.chunked(lambda x: x, arg_take_spec={"x": bp.ArraySelector(axis=1)})
    >>> run(np.arange(4).reshape(2, 2))
    [array([0, 2]), array([1, 3])]
    """

    axis: int = 0
    keep_dims: bool = False
    by_number = True

    def sizes(self, value: Any) -> list[int]:
        """Return the length along the axis."""
        return ArraySlicer(self.axis).sizes(value)

    def take(self, value: Any, chunk: Chunk) -> Any:
        """Return one item, without the axis unless `keep_dims`."""
        value = value if hasattr(value, "shape") else np.asarray(value)
        axis = _checked_axis(self.axis, len(value.shape), value)
        number = _checked_number(self, chunk, value.shape[axis])
        at = slice(number, number + 1) if self.keep_dims else number
        return _take_along(value, axis, at)


@dataclass(frozen=True)
class FlexArraySlicer(Taker):
    """Slice like `ArraySlicer`, but pass whole what is meant for every item.

    That is: scalars, axes of length 1, and arrays that do not have the axis.

    Parameters
    ----------
    axis : int
        0: rows; 1: columns; negative counts from the last.

    Examples
    --------
    >>> import broadpeak as bp
    >>> rule = bp.FlexArraySlicer(axis=1)
    >>> run = bp.chunked(lambda x, y: x + y, arg_take_spec={"x": rule, "y": rule}, n_chunks=2)
    >>> run(np.zeros((1, 4)), np.ones((1, 1)))
    [array([[1., 1.]]), array([[1., 1.]])]
    """

    axis: int = 0

    def sizes(self, value: Any) -> list[int]:
        """Return the length along the axis, if it is to be cut."""
        shape = shape_of("A chunked value", value)
        return [shape[self.axis]] if self._is_cut(shape) else []

    def take(self, value: Any, chunk: Chunk) -> Any:
        """Return the items of `chunk`, or all of `value`."""
        if not self._is_cut(shape_of("A chunked value", value)):
            return value
        return ArraySlicer(self.axis).take(value, chunk)

    def _is_cut(self, shape: tuple[int, ...]) -> bool:
        return -len(shape) <= self.axis < len(shape) and shape[self.axis] != 1


@dataclass(frozen=True)
class SequenceTaker(Taker):
    """Cut the items of a list or tuple.

    Parameters
    ----------
    spec : rule, or sequence of rules
        One rule for all items, or one an item (None: not cut). A final ``...`` repeats the rule
        before it.

    Examples
    --------
    >>> import broadpeak as bp
    >>> rule = bp.SequenceTaker(bp.ChunkSlicer())
    >>> bp.chunked(lambda x: x, arg_take_spec={"x": rule}, n_chunks=2)([[1, 2], [3, 4]])
    [[[1], [3]], [[2], [4]]]
    """

    spec: Any

    def sizes(self, value: Any) -> list[int]:
        """Return the sizes that the items imply."""
        takers = self.takers(value)
        return [
            size for item, taker in zip(value, takers, strict=True) for size in sizes(taker, item)
        ]

    def take(self, value: Any, chunk: Chunk) -> Any:
        """Return the sequence with every item cut."""
        pairs = zip(value, self.takers(value), strict=True)
        items = [take(taker, item, chunk) for item, taker in pairs]
        if isinstance(value, tuple):
            fields = getattr(type(value), "_make", None)
            return fields(items) if fields is not None else tuple(items)
        return items

    def takers(self, value: object) -> list[Taker | None]:
        """Return the taker of every item."""
        if not isinstance(value, (list, tuple)):
            rule = "be a list or a tuple"
            raise ParamTypeError(broken_rule(f"What {type(self).__name__} cuts", rule, value))
        if not isinstance(self.spec, (list, tuple)):
            return [as_taker(self.spec)] * len(value)
        specs = list(self.spec)
        if specs and specs[-1] is ...:
            specs[-1:] = specs[-2:-1] * (len(value) - len(specs) + 1)
        if len(specs) != len(value):
            rule = f"have one rule for each of {len(value)} items"
            remedy = "End it with ... to repeat the last one."
            raise ParamError(broken_rule(type(self).__name__, rule, list(self.spec), remedy))
        return [as_taker(spec) for spec in specs]


class ArgsTaker(SequenceTaker):
    """Cut ``*args``: one rule an argument, as in `SequenceTaker`.

    Examples
    --------
    >>> import broadpeak as bp
    >>> rule = bp.ArgsTaker(bp.ChunkSlicer(), None)
    >>> bp.chunked(lambda *args: args, arg_take_spec={"args": rule}, n_chunks=2)([1, 2], 5)
    [([1], 5), ([2], 5)]
    """

    def __init__(self, *specs: object) -> None:
        object.__setattr__(self, "spec", specs)


@dataclass(frozen=True)
class MappingTaker(Taker):
    """Cut the values of a dict.

    Parameters
    ----------
    spec : rule, or dict of rules
        One rule for all values, or rules by key; keys without a rule are not cut.

    Examples
    --------
    >>> import broadpeak as bp
    >>> rule = bp.MappingTaker({"a": bp.ChunkSlicer()})
    >>> bp.chunked(lambda x: x, arg_take_spec={"x": rule}, n_chunks=2)({"a": [1, 2], "b": 3})
    [{'a': [1], 'b': 3}, {'a': [2], 'b': 3}]
    """

    spec: Any

    def sizes(self, value: Any) -> list[int]:
        """Return the sizes that the values imply."""
        takers = self.takers(value)
        return [size for key, item in value.items() for size in sizes(takers[key], item)]

    def take(self, value: Any, chunk: Chunk) -> Any:
        """Return a dict with every value cut."""
        takers = self.takers(value)
        return {key: take(takers[key], item, chunk) for key, item in value.items()}

    def takers(self, value: object) -> dict[Any, Taker | None]:
        """Return the taker of every value."""
        if not isinstance(value, Mapping):
            rule = "be a dict"
            raise ParamTypeError(broken_rule(f"What {type(self).__name__} cuts", rule, value))
        if not isinstance(self.spec, Mapping):
            return dict.fromkeys(value, as_taker(self.spec))
        unknown = [name for name in self.spec if name not in value]
        if unknown:
            rule = f"name keys of the dict, which has {shown(list(value))}"
            raise ParamError(broken_rule(type(self).__name__, rule, unknown[0]))
        return {key: as_taker(self.spec.get(key)) for key in value}


class KwargsTaker(MappingTaker):
    """Cut ``**kwargs``: rules by name, as in `MappingTaker`.

    Examples
    --------
    >>> import broadpeak as bp
    >>> rule = bp.KwargsTaker(x=bp.ChunkSlicer())
    >>> bp.chunked(lambda **kwargs: kwargs, arg_take_spec={"kwargs": rule}, n_chunks=2)(x=[1, 2])
    [{'x': [1]}, {'x': [2]}]
    """

    def __init__(self, **specs: object) -> None:
        object.__setattr__(self, "spec", specs)


def as_taker(spec: object, value: object = MISSING) -> Taker | None:
    """Return the taker that `spec` stands for; `value` decides where it goes by type.

    Raises
    ------
    TypeError
        If `spec` is no rule for cutting.
    """
    if isinstance(spec, type) and issubclass(spec, (Taker, ValueRule)):
        spec = spec()
    if spec is None or isinstance(spec, Taker):
        return spec
    if isinstance(spec, ValueRule):
        return spec.taker_of(value)
    if isinstance(spec, (list, tuple)):
        return SequenceTaker(spec)
    if isinstance(spec, Mapping):
        return MappingTaker(spec)
    remedy = "Type for example: ChunkedArray(axis=0), ChunkSlicer() or NotChunked."
    raise ParamTypeError(broken_rule("A chunking rule", "be a taker", spec, remedy))


@dataclass(frozen=True)
class ByType(Taker):
    """`Chunked` as a rule: the taker is found when the value is known."""

    def sizes(self, value: Any) -> list[int]:
        """Return the sizes that `value` implies, cut by its type."""
        return sizes(taker_by_type(value), value)

    def take(self, value: Any, chunk: Chunk) -> Any:
        """Return what `chunk` takes of `value`, cut by its type."""
        return take(taker_by_type(value), value, chunk)


def taker_by_type(value: object) -> Taker | None:
    """Return how a value of this type is cut if nothing else is said.

    Raises
    ------
    TypeError
        If nothing is known about the type.
    """
    if value is None:
        return None
    if isinstance(check.real(value), int):
        return CountAdapter()
    if isinstance(value, (*_LABELLED, np.ndarray, pd.Index)) and np.ndim(value):
        return ArraySlicer()
    sliceable = hasattr(value, "__len__") and hasattr(value, "__getitem__")
    if sliceable and not isinstance(value, (Mapping, str, bytes, type)):
        return ChunkSlicer()
    remedy = (
        "Type for example: Chunked(value, taker=MappingTaker(ChunkSlicer()))."
        if isinstance(value, Mapping)
        else "Type NotChunked(value) to pass it whole."
    )
    rule = "be an array, a sequence or a count"
    raise ParamTypeError(broken_rule("A Chunked value", rule, value, remedy))


def sizes(taker: Taker | None, value: Any) -> list[int]:
    """Return the sizes that `value` implies under `taker`; None implies nothing."""
    return [] if taker is None or value is None else taker.sizes(value)


def take(taker: Taker | None, value: Any, chunk: Chunk) -> Any:
    """Return what `chunk` takes of `value`; None is never cut."""
    return value if taker is None or value is None else taker.take(value, chunk)


def _take_along(value: Any, axis: int, where: slice | int | IntArray) -> Any:
    position: Any = (*(slice(None) for _ in range(axis)), where) if axis else where
    return value.iloc[position] if isinstance(value, _LABELLED) else value[position]


def shape_of(name: str, value: Any) -> tuple[int, ...]:
    """Return the shape of an array, a Series, a frame or of lists that are one.

    Raises
    ------
    TypeError
        If lists are of lengths that differ.
    """
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return shape
    try:
        return np.shape(value)
    except (TypeError, ValueError, RecursionError):
        raise ParamTypeError(broken_rule(name, "be an array", value)) from None


def _n_items(taker: Taker, value: Any) -> int:
    sliceable = hasattr(value, "__len__") and hasattr(value, "__getitem__")
    array = isinstance(value, (np.ndarray, *_LABELLED))
    if not sliceable or isinstance(value, (type, Mapping)) or (array and not value.ndim):
        rule = "be a list, an array or another sequence"
        remedy = "Leave it without a rule to pass it whole."
        raise ParamTypeError(broken_rule(f"What {type(taker).__name__} cuts", rule, value, remedy))
    return len(value)


def _lengths(value: object) -> tuple[Any, ...]:
    if not isinstance(value, (tuple, list)):
        raise ParamTypeError(broken_rule("A chunked shape", "be a tuple of lengths", value))
    return tuple(value)


def _checked_axis(axis: int, n_axes: int, value: object) -> int:
    if not -n_axes <= axis < n_axes:
        rule = f"have an axis {axis} to be cut along"
        raise ParamError(broken_rule("A chunked value", rule, value, f"It has {n_axes}."))
    return axis % n_axes


def _checked_count(value: object) -> int:
    return check.integer("A chunked count", value, 0)


def _checked_number(taker: Taker, chunk: Chunk, size: int) -> int:
    if chunk.number >= size:
        name = type(taker).__name__
        rule = f"have one item a chunk, so at least {chunk.number + 1}"
        remedy = f"Pass n_chunks={size}, or use a slicer."
        raise ParamError(broken_rule(f"What {name} cuts", rule, size, remedy))
    return chunk.number


@dataclass(frozen=True, eq=False)
class Chunked(ValueRule):
    """A value that is cut by its type, or, without a value, the rule to do so.

    Arrays, Series and frames are sliced along their first axis, lists, tuples, ranges and other
    sequences as they are; an integer counts items.

    Parameters
    ----------
    value : object, optional
        What to cut.
    taker : Taker, optional
        How to cut it, if not by type.

    Examples
    --------
    >>> Chunked([1, 2, 3])
    Chunked([1, 2, 3])
    """

    value: Any = MISSING
    taker: Taker | None = None

    def taker_of(self, value: object) -> Taker | None:
        """Return the taker of `value`, by its type if none is given."""
        if self.taker is not None:
            return as_taker(self.taker)
        return ByType() if value is MISSING else taker_by_type(value)

    def __repr__(self) -> str:
        shown = "" if self.value is MISSING else repr(self.value)
        return f"{type(self).__name__}({shown})"


@dataclass(frozen=True, eq=False, repr=False)
class ChunkedArray(Chunked):
    """An array, Series or frame that is sliced along `axis`, or the rule to do so.

    Parameters
    ----------
    value : array, Series or DataFrame, optional
        What to cut.
    axis : int
        0: rows; 1: columns.

    Examples
    --------
    >>> import numpy as np
    >>> import broadpeak as bp
    >>> double = bp.chunked(lambda x: x * 2, merge_func="concat", n_chunks=2)
    >>> double(bp.ChunkedArray(np.arange(4)))
    array([0, 2, 4, 6])
    """

    axis: int = 0

    def __init__(self, value: object = MISSING, axis: int = 0) -> None:
        super().__init__(value)
        object.__setattr__(self, "axis", check.axis("axis", axis))

    def taker_of(self, value: object) -> Taker | None:
        """Return the slicer."""
        return ArraySlicer(self.axis)


@dataclass(frozen=True, eq=False, repr=False)
class ChunkedCount(Chunked):
    """A number of items that becomes the number of items in the chunk, or the rule to do so.

    Parameters
    ----------
    value : int, optional
        The number of items.

    Examples
    --------
    >>> import numpy as np
    >>> import broadpeak as bp
    >>> bp.chunked(np.ones, merge_func="concat", n_chunks=2)(bp.ChunkedCount(3))
    array([1., 1., 1.])
    """

    def __init__(self, value: object = MISSING) -> None:
        super().__init__(value)

    def taker_of(self, value: object) -> Taker | None:
        """Return the adapter."""
        return CountAdapter()


@dataclass(frozen=True, eq=False, repr=False)
class ChunkedShape(Chunked):
    """A shape one axis of which becomes that of the chunk, or the rule to do so.

    Parameters
    ----------
    value : tuple of int, optional
        The shape.
    axis : int
        Position in the shape; negative counts from the last.

    Examples
    --------
    >>> import numpy as np
    >>> import broadpeak as bp
    >>> bp.chunked(np.ones, merge_func="row_stack", n_chunks=2)(bp.ChunkedShape((3, 2))).shape
    (3, 2)
    """

    axis: int = 0

    def __init__(self, value: object = MISSING, axis: int = 0) -> None:
        super().__init__(value)
        object.__setattr__(self, "axis", check.axis("axis", axis))

    def taker_of(self, value: object) -> Taker | None:
        """Return the slicer."""
        return ShapeSlicer(self.axis)


@dataclass(frozen=True, eq=False, repr=False)
class NotChunked(Chunked):
    """A value that every chunk gets whole, or the rule to do so.

    Parameters
    ----------
    value : object, optional
        What every chunk gets.

    Examples
    --------
    >>> import numpy as np
    >>> import broadpeak as bp
    >>> scale = bp.chunked(lambda x, by: x * by, merge_func="concat", n_chunks=2)
    >>> scale(bp.Chunked(np.arange(3)), bp.NotChunked(np.array([10])))
    array([ 0, 10, 20])
    """

    def __init__(self, value: object = MISSING) -> None:
        super().__init__(value)

    def taker_of(self, value: object) -> Taker | None:
        """Return None: not cut."""
        return None
