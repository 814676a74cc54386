# SPDX-License-Identifier: BSD-3-Clause
"""Values wrapped with the rule that cuts them, for use at the call; or that rule alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from broadpeak._core import check
from broadpeak._sweep.chunk_rules import Wrapper
from broadpeak._sweep.takers import (
    ArraySlicer,
    ByType,
    CountAdapter,
    ShapeSlicer,
    Taker,
    as_taker,
    taker_by_type,
)
from broadpeak.types import MISSING


@dataclass(frozen=True, eq=False)
class Chunked(Wrapper):
    """A value that is cut by its type, or, without a value, the rule to do so.

    Arrays, Series and frames are sliced along their first axis, lists, tuples, ranges and other
    sequences as they are; a whole number counts items.

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

    def taker_of(self, value: Any) -> Taker | None:
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

    def __init__(self, value: Any = MISSING, axis: int = 0) -> None:
        super().__init__(value)
        object.__setattr__(self, "axis", check.axis("axis", axis))

    def taker_of(self, value: Any) -> Taker | None:
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

    def __init__(self, value: Any = MISSING) -> None:
        super().__init__(value)

    def taker_of(self, value: Any) -> Taker | None:
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

    def __init__(self, value: Any = MISSING, axis: int = 0) -> None:
        super().__init__(value)
        object.__setattr__(self, "axis", check.axis("axis", axis))

    def taker_of(self, value: Any) -> Taker | None:
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

    def __init__(self, value: Any = MISSING) -> None:
        super().__init__(value)

    def taker_of(self, value: Any) -> Taker | None:
        """Return None: not cut."""
        return None
