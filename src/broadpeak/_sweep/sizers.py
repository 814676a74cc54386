# SPDX-License-Identifier: BSD-3-Clause
"""Where the number of items to chunk comes from, if it is not to be inferred."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from broadpeak._core import check
from broadpeak._sweep.decorating import Argument
from broadpeak._sweep.takers import ChunkRule, shape_of
from broadpeak.errors import ParamError, ParamTypeError, broken_rule


@dataclass(frozen=True)
class ArgSizer(ChunkRule):
    """The size is an argument itself.

    Parameters
    ----------
    arg_query : str, int or compiled pattern, optional
        Name or position of the argument, or a pattern that its name matches. As an annotation it
        can be left out: then it is the annotated argument.

    Examples
    --------
    >>> import broadpeak as bp
    >>> zeros = bp.chunked(np.zeros, size=bp.ArgSizer(0), n_chunks=2, merge_func="concat")
    >>> zeros(bp.ChunkedCount(3))
    array([0., 0., 0.])
    """

    arg_query: str | int | re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        query: object = self.arg_query
        known = query is None or isinstance(query, (str, re.Pattern))
        if not known and (isinstance(query, bool) or not isinstance(query, (int, np.integer))):
            rule = "be the name or the position of an argument, or a compiled pattern"
            raise ParamTypeError(broken_rule("arg_query", rule, query))

    def size(self, arguments: Sequence[Argument], own: str | None = None) -> int:
        """Return the size among the `arguments` of a call; `own` is the annotated one.

        Raises
        ------
        ParamError
            If no argument fits, or it does not have a size.
        """
        argument = self._find(arguments, own)
        size = self.measure(argument.value)
        found = check.real(size)
        if not isinstance(found, int) or not 0 <= found < 2**63:
            raise ParamError(
                broken_rule(
                    f"Argument {argument.name!r} for {type(self).__name__}",
                    "give a size of at least 0",
                    argument.value,
                )
            )
        return found

    def measure(self, value: object) -> Any:
        """Return the size of `value`."""
        return value

    def _find(self, arguments: Sequence[Argument], own: str | None) -> Argument:
        query = own if self.arg_query is None else self.arg_query
        if isinstance(query, (int, np.integer)) and -len(arguments) <= query < len(arguments):
            return arguments[query]
        for argument in arguments:
            if isinstance(query, re.Pattern):
                if query.search(argument.name) and argument.value is not None:
                    return argument
            elif argument.name == query:
                return argument
        names = [argument.name for argument in arguments]
        rule = f"fit one of the arguments {names}"
        remedy = check.did_you_mean(query, names)
        raise ParamError(broken_rule("arg_query", rule, query, remedy))


@dataclass(frozen=True)
class CountSizer(ArgSizer):
    """The size is a count.

    Parameters
    ----------
    arg_query : str, int or compiled pattern, optional
        As in `ArgSizer`.

    Examples
    --------
    >>> CountSizer().measure(7)
    7
    """


@dataclass(frozen=True)
class LenSizer(ArgSizer):
    """The size is the length of a sequence; a single value counts as one item.

    Parameters
    ----------
    arg_query : str, int or compiled pattern, optional
        As in `ArgSizer`.

    Examples
    --------
    >>> LenSizer().measure("abc"), LenSizer().measure([1, 2])
    (1, 2)
    """

    def measure(self, value: Any) -> Any:
        """Return the length of `value`."""
        single = isinstance(value, (str, bytes, type)) or not hasattr(value, "__len__")
        return 1 if single or getattr(value, "ndim", 1) == 0 else len(value)


@dataclass(frozen=True)
class ShapeSizer(ArgSizer):
    """The size is one axis of a shape.

    Parameters
    ----------
    arg_query : str, int or compiled pattern, optional
        As in `ArgSizer`.
    axis : int
        Position in the shape; negative counts from the last.

    Examples
    --------
    >>> ShapeSizer(axis=1).measure((10, 4))
    4
    """

    axis: int = 0

    def measure(self, value: object) -> Any:
        """Return the length of the axis."""
        if not isinstance(value, (tuple, list)):
            raise ParamTypeError(broken_rule("A sized shape", "be a tuple of lengths", value))
        return _length_along(tuple(value), self.axis, value)


@dataclass(frozen=True)
class ArraySizer(ArgSizer):
    """The size is the length of an array, Series or frame along an axis.

    Parameters
    ----------
    arg_query : str, int or compiled pattern, optional
        As in `ArgSizer`.
    axis : int
        0: rows; 1: columns; negative counts from the last.

    Examples
    --------
    >>> ArraySizer(axis=1).measure(np.ones((10, 4)))
    4
    """

    axis: int = 0

    def measure(self, value: object) -> Any:
        """Return the length along the axis."""
        return _length_along(shape_of("A sized value", value), self.axis, value)


def _length_along(shape: tuple[int, ...], axis: int, value: object) -> int:
    if not -len(shape) <= axis < len(shape):
        rule = f"have an axis {axis}"
        raise ParamError(broken_rule("A sized value", rule, value, f"It has {len(shape)}."))
    return shape[axis]
