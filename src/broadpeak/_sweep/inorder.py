# SPDX-License-Identifier: BSD-3-Clause
"""Chunks that do not lie in order: what they give is put back to where the whole call has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._merge.merge_func import ByName, Fill, MergeFunc
from broadpeak._merge.named import NAMED
from broadpeak._sweep.chunk_rules import Piece
from broadpeak.types import IntArray

_ROWS = {"concat", "row_stack"}  # merges that join along the first axis


class InOrder(MergeFunc):
    """A merge whose named parts undo the order of the chunks.

    Parameters
    ----------
    merge : MergeFunc
        The merge.
    pieces : sequence of Piece
        The chunks.
    """

    def __init__(self, merge: MergeFunc, pieces: Sequence[Piece]) -> None:
        super().__init__(merge)
        self._inner = merge
        self._pieces = pieces
        self._kept: IntArray | None = None

    def keep(self, kept: IntArray | None) -> dict[str, Any]:
        """Take note of which chunks have a result; there are no names for templates."""
        self._kept = kept
        return {}

    def apply(
        self,
        results: list[Any],
        *,
        keys: Any = None,
        kwargs: Mapping[str, Any] | None = None,
        fill: Fill | None = None,
        by_name: ByName | None = None,
    ) -> Any:
        """Merge the results of all chunks."""
        return self._inner.apply(
            results, keys=keys, kwargs=kwargs, fill=fill, by_name=by_name or self._by_name
        )

    def _by_name(self, how: str, results: list[Any], **kwargs: Any) -> Any:
        whole = NAMED[how](results, **kwargs)
        pieces = self._pieces
        if self._kept is not None:
            pieces = [pieces[number] for number in self._kept]
        axis = 0 if how in _ROWS else 1
        order = _order(pieces, [_length(one, axis) for one in results])
        if order is None or order.size != whole.shape[axis]:
            return whole
        return _taken(whole, order, axis)


def lie_in_order(pieces: Sequence[Piece]) -> bool:
    """Return whether the items of all chunks, one after another, are in order."""
    if all(isinstance(piece.rows, range) for piece in pieces):
        pairs = pairwise(piece.rows for piece in pieces if len(piece))
        return all(rows[-1] < later[0] for rows, later in pairs)
    rows = np.concatenate([np.asarray(piece.rows) for piece in pieces])
    return bool((rows[1:] > rows[:-1]).all())


def _length(result: Any, axis: int) -> int:
    shape = np.shape(result)
    return shape[axis] if len(shape) > axis else 0


def _order(pieces: Sequence[Piece], lengths: Sequence[int]) -> IntArray | None:
    """Return where the entries in order lie; None if the items do not give as many each."""
    counts = {length / len(piece) for piece, length in zip(pieces, lengths, strict=True)}
    each = counts.pop()
    if counts or each != int(each) or each < 1:
        return None
    rows = np.concatenate([np.asarray(piece.rows) for piece in pieces])
    entries: IntArray = np.arange(len(rows) * int(each)).reshape(len(rows), -1)
    return entries[np.argsort(rows, kind="stable")].ravel()


def _taken(whole: Any, order: IntArray, axis: int) -> Any:
    if isinstance(whole, np.ndarray):
        return whole.take(order, axis)
    labels = whole.axes[axis]
    taken = whole.iloc[order] if axis == 0 else whole.iloc[:, order]
    # Positions are no labels: they count what is there, in whatever order.
    return taken.set_axis(labels, axis=axis) if isinstance(labels, pd.RangeIndex) else taken
