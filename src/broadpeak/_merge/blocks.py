# SPDX-License-Identifier: BSD-3-Clause
"""Merging of results that hold many combinations each, labelled as single calls would have been.

A *piece* is what one call on m combinations returned. It has m *blocks* of k entries along the
merge axis (entries under `concat`, rows under `row_stack`, columns under `column_stack`), in order
of combinations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Index
from broadpeak._merge.keys import is_default, joined, prepend, split_levels
from broadpeak._merge.named import NAMED, positions
from broadpeak._merge.result_kinds import refuse_objects
from broadpeak.errors import ParamError
from broadpeak.types import COMBINATION, AnyArray, IntArray

_ALONG = {"concat": "entry", "row_stack": "row"}
Constants: TypeAlias = Callable[[IntArray], Sequence[object]]


def _no_constants(_: IntArray) -> Sequence[object]:
    return ()


def merge_blocks(
    how: str,
    pieces: Sequence[Any],
    sizes: Sequence[int],
    *,
    keys: Index,
    constants: Constants = _no_constants,
    wrap: bool | None = None,
) -> Any:
    """Merge one piece a chunk into what single calls, merged, would have given.

    Parameters
    ----------
    how : str
        Name of the merge.
    pieces : sequence
        Result of every chunk.
    sizes : sequence of int
        Number of combinations of every chunk.
    keys : Index
        Label of every combination, chunk after chunk.
    constants : callable
        Positions of combinations -> values of the parameters that are the same in all of them.
    wrap : bool, optional
        False: NumPy without labels.

    Raises
    ------
    ParamError
        If a piece does not hold m blocks of equal length.

    Notes
    -----
    Own levels that a function adds because it got lists of values are dropped: those that do not
    change within a block, and either differ between blocks or repeat a constant parameter.

    Examples
    --------
    >>> keys = pd.Index([10, 20, 30], name="fast")
    >>> merge_blocks("concat", [np.array([0.1, 0.2]), np.array([0.3])], [2, 1], keys=keys)
    fast
    10    0.1
    20    0.2
    30    0.3
    dtype: float64
    """
    bare_pieces = [piece for piece in pieces if not isinstance(piece, (pd.Series, pd.DataFrame))]
    refuse_objects(bare_pieces, how)
    if how not in _ALONG and all(map(_is_one_entry_each, pieces, sizes)):
        pieces = [piece.to_numpy() for piece in pieces]
    counts = np.empty(len(pieces), dtype=np.int64)
    shaped: list[object] = []
    some_flat = any(_is_flat(how, *pair) for pair in zip(pieces, sizes, strict=True))
    for number, (piece, size) in enumerate(zip(pieces, sizes, strict=True)):
        part = _shaped(how, piece, size)
        if some_flat:
            part = _unlabelled(how, part)
        length = _length(how, part)
        if length is None or length % size or (length == 0 and size > 0):
            raise _not_covered(how, number, size, piece)
        shaped.append(part)
        counts[number] = length // size
    if wrap is False and (how != "row_stack" or not isinstance(shaped[0], pd.Series)):
        return NAMED[how](shaped, wrap=False)
    labels = _labels(keys, shaped, sizes, counts, _index_reader(how), constants)
    if wrap is False:
        bare = NAMED[how](shaped, wrap=False)
        return bare[:, np.newaxis] if labels is keys else bare  # single calls: scalars, or Series
    whole = NAMED[how]([_without_labels(how, part) for part in shaped], wrap=True)
    if labels is keys and isinstance(whole, pd.Series):  # single calls would have given scalars
        whole.name = None
        whole = whole if how == "concat" else whole.to_frame(0)
    if how in _ALONG:
        whole.index = labels
    else:
        whole.columns = labels
    return whole


def _shaped(how: str, piece: Any, size: int) -> Any:
    """Return `piece` with its blocks along the merge axis, where a flat one leaves no doubt."""
    if isinstance(piece, (list, pd.Index)):
        refuse_objects(list(piece), how)
        piece = pd.Series(piece).to_numpy()
    if how == "concat":
        return np.array([piece]) if _is_flat(how, piece, size) else piece
    if np.ndim(piece) > 1 or (how == "row_stack" and isinstance(piece, pd.Series)):
        return piece
    if isinstance(piece, pd.Series) and size == 1:
        return piece.to_frame(0)
    array = np.atleast_1d(np.asarray(piece))
    across = array[np.newaxis, :] if (size == 1) == (how == "row_stack") else array[:, np.newaxis]
    return across if size in {1, len(array)} else array


def _is_one_entry_each(piece: Any, size: int) -> bool:
    """Whether a Series holds one entry a combination, and not the bars of a single one."""
    is_entries = isinstance(piece, pd.Series) and len(piece) == size
    return is_entries and not isinstance(piece.index, pd.DatetimeIndex)


def _is_flat(how: str, piece: Any, size: int) -> bool:
    """Whether one combination gave a result that shows what a single call gives."""
    if how == "concat" or (how == "row_stack" and isinstance(piece, pd.Series)):
        return size == 1 and np.ndim(piece) == 0
    return size == 1 and np.ndim(piece) <= 1


def _unlabelled(how: str, part: object) -> Any:
    """Return `part` without labels along the merge axis: single calls give none there."""
    if isinstance(part, pd.DataFrame) and how not in _ALONG:
        return part.set_axis(pd.RangeIndex(part.shape[1]), axis=1)
    if isinstance(part, pd.Series) and how == "row_stack":
        return part.to_numpy()[:, np.newaxis]
    return part.to_numpy() if isinstance(part, (pd.Series, pd.DataFrame)) else part


def _length(how: str, part: Any) -> int | None:
    if np.ndim(part) == 0:
        return None
    if how == "concat" or isinstance(part, pd.Series):
        return len(part) if how in _ALONG else None
    if np.ndim(part) != 2:
        return None
    return int(part.shape[0 if how == "row_stack" else 1])


def _not_covered(how: str, number: int, size: int, piece: Any) -> ParamError:
    along = _ALONG.get(how, "column")
    shape = f"shape {np.shape(piece)}" if np.ndim(piece) else repr(piece)[:60]
    return ParamError(
        f"The merged result must cover every combination once: mono-chunk {number} has {size} "
        f"combinations, so {how} needs one {along} (or the same number of them) for each, "
        f"got {type(piece).__name__} of {shape}. Let the function return {along} after {along} in "
        "order of combinations, or pass your own function as merge_func."
    )


def _index_reader(how: str) -> Callable[[object], Index | None]:
    """Return a function that gives the labels of a piece along the merge axis, None for none."""

    def labels_of_part(part: object) -> Index | None:
        if not isinstance(part, (pd.Series, pd.DataFrame)):
            return None
        labels = part.index if how in _ALONG else part.columns
        return None if is_default(labels) else labels

    return labels_of_part


def _without_labels(how: str, part: object) -> Any:
    if not isinstance(part, (pd.Series, pd.DataFrame)):
        return part
    if how in _ALONG:
        return part.set_axis(pd.RangeIndex(len(part)))
    return part.set_axis(pd.RangeIndex(part.shape[1]), axis=1)


def _labels(
    keys: Index,
    pieces: Sequence[object],
    sizes: Sequence[int],
    counts: IntArray,
    labels_of: Callable[[object], Index | None],
    constants: Constants,
) -> Index:
    """Return the label of every entry along the merge axis.

    Pieces that have the same own levels show together which of them lists of values have added.
    """
    repeats = np.repeat(counts, sizes)
    indexes = [labels_of(piece) for piece in pieces]
    inner: list[Index | None] = [None] * len(pieces)
    groups: dict[object, list[int]] = {}
    for number, index in enumerate(indexes):
        if index is not None:
            groups.setdefault(tuple(index.names), []).append(number)
    starts = np.cumsum(sizes) - sizes
    for numbers in groups.values():
        whole = joined([indexes[number] for number in numbers], "mono-chunks")  # type: ignore[misc]  # none is None
        rows = np.concatenate([np.arange(sizes[n]) + starts[n] for n in numbers])
        kept = _kept_levels(whole, repeats[rows], constants(rows))
        ends = np.cumsum([sizes[n] * counts[n] for n in numbers])
        for number, end in zip(numbers, ends, strict=True):
            length = sizes[number] * counts[number]
            inner[number] = None if kept is None else kept[end - length : end]
    found = [index for index in inner if index is not None]
    if len(found) == len(pieces):
        return prepend(keys, repeats, joined(found, "mono-chunks"))
    return keys if (counts == 1).all() else prepend(keys, repeats, positions(repeats))


def _kept_levels(index: Index, counts: IntArray, constants: Sequence[object]) -> Index | None:
    levels, codes = split_levels(index)
    kept = [
        position
        for position, code in enumerate(codes)
        if not _was_added(index.names[position], code, levels[position], counts, constants)
    ]
    if not kept:
        return None
    if not isinstance(index, pd.MultiIndex):
        return index
    return index.droplevel([position for position in range(index.nlevels) if position not in kept])


def _was_added(
    name: object, codes: AnyArray, level: Index, counts: IntArray, constants: Sequence[object]
) -> bool:
    """Whether a level exists only because the function got lists of parameter values."""
    codes = np.asarray(codes, dtype=np.int64)
    starts = np.cumsum(counts) - counts
    firsts = codes[starts]
    if not np.array_equal(np.repeat(firsts, counts), codes):
        return False
    if name == COMBINATION or (firsts != firsts[0]).any():
        return True
    return firsts[0] >= 0 and any(_equal(constant, level[firsts[0]]) for constant in constants)


def _equal(left: object, right: object) -> bool:
    try:
        return bool(left == right)
    except (TypeError, ValueError):  # arrays have no single answer
        return False
