# SPDX-License-Identifier: BSD-3-Clause
"""Taking apart what one call on many combinations returned: into what single calls return.

A *piece* holds its combinations along its last axis: entries of a Series, columns of a frame, one
or a block of them for each. What a single call returned shows the type, the labels and the name of
every part. Nothing is guessed: where a piece does not fit the sample, that is an error.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pandas as pd

from broadpeak.types import AnyArray

_SCALARS = {float: np.dtype(np.float64), int: np.dtype(np.int64), bool: np.dtype(np.bool_)}
_KINDS = "biuf"
_UINTS = {2: np.uint16, 4: np.uint32, 8: np.uint64}


class UnlikePieceError(ValueError):
    """A piece does not hold what single calls return; the text says what is different."""


def split_piece(piece: Any, n: int, sample: Any) -> list[Any]:
    """Return the results of the `n` combinations in `piece`.

    Parameters
    ----------
    piece : object
        What a call on lists returned.
    n : int
        Number of combinations.
    sample : object
        What a single call returned: a number, an array, a Series, a frame, or a tuple of these.

    Raises
    ------
    UnlikePieceError
        If `piece` does not hold `n` of these.

    Examples
    --------
    >>> split_piece(pd.Series([0.1, 0.2]), 2, 0.5)
    [0.1, 0.2]
    """
    if type(sample) is tuple:
        if type(piece) is not tuple or len(piece) != len(sample):
            raise UnlikePieceError(f"it returns {_shape(piece)}, not a tuple of {len(sample)}")
        parts = [split_piece(*pair) for pair in zip(piece, [n] * len(piece), sample, strict=True)]
        return list(zip(*parts, strict=True))
    if isinstance(sample, (pd.Series, pd.DataFrame)):
        return _split_labelled(piece, n, sample)
    if type(sample) is np.ndarray:
        if type(piece) is not np.ndarray or piece.ndim != 2:
            raise _unlike(piece, sample)
        return _columns(piece, n, sample)
    return _split_entries(piece, n, sample)


def _split_entries(piece: Any, n: int, sample: Any) -> list[Any]:
    """Return numbers: one entry each."""
    dtype = sample.dtype if isinstance(sample, np.generic) else _SCALARS.get(type(sample))
    is_flat = isinstance(piece, pd.Series) or (type(piece) is np.ndarray and piece.ndim == 1)
    if dtype is None or not is_flat or len(piece) != n or piece.dtype != dtype:
        raise _unlike(piece, sample)
    array = piece.to_numpy() if isinstance(piece, pd.Series) else piece
    return list(array) if isinstance(sample, np.generic) else array.tolist()


def _split_labelled(piece: Any, n: int, sample: Any) -> list[Any]:
    """Return Series or frames: one column, or a block of them, each; or a block of entries."""
    if isinstance(piece, pd.Series) and isinstance(sample, pd.Series):
        array, size = piece.to_numpy(), len(sample)
        if piece.dtype != sample.dtype or len(array) != n * size or array.dtype.kind not in _KINDS:
            raise _unlike(piece, sample)
        parts = [array[at : at + size].copy() for at in range(0, len(array), max(size, 1))]
        if len(parts) != n:
            raise _unlike(piece, sample)
    elif isinstance(piece, pd.DataFrame):
        if piece.index is not sample.index and not piece.index.equals(sample.index):
            raise UnlikePieceError("it returns other rows for a list")
        dtypes = {sample.dtype} if isinstance(sample, pd.Series) else set(sample.dtypes)
        if set(piece.dtypes) != dtypes or len(dtypes) != 1:
            raise _unlike(piece, sample)
        parts = _columns(piece.to_numpy(), n, sample.to_numpy())
    else:
        raise _unlike(piece, sample)
    if isinstance(sample, pd.Series):
        index, name = sample.index, sample.name
        return [pd.Series(part, index=index, name=name, copy=False) for part in parts]
    index, columns = sample.index, sample.columns
    return [pd.DataFrame(part, index=index, columns=columns, copy=False) for part in parts]


def _columns(piece: AnyArray, n: int, sample: AnyArray) -> list[AnyArray]:
    """Return copies of the columns of each combination, which nothing else holds."""
    size = 1 if sample.ndim == 1 else sample.shape[1]
    fits = piece.shape == (len(sample), n * size) and piece.dtype == sample.dtype
    if not fits or sample.ndim > 2 or piece.dtype.kind not in _KINDS:
        raise _unlike(piece, sample)
    rows = np.ascontiguousarray(piece.T)
    if sample.ndim == 1:
        return [row.copy() for row in rows]
    return [rows[at : at + size].copy().T for at in range(0, n * size, size)] if size else []


def _unlike(piece: object, sample: object) -> UnlikePieceError:
    return UnlikePieceError(
        f"it returns {_shape(piece)} for a list, {_shape(sample)} for one combination"
    )


def _shape(value: object) -> str:
    shape = np.shape(value) if isinstance(value, (pd.Series, pd.DataFrame, np.ndarray)) else ()
    return f"{type(value).__name__} {shape}" if shape else type(value).__name__


def same_bits(one: Any, other: Any) -> bool:
    """Return whether two results are the same: type, values to the bit, labels, names.

    Examples
    --------
    >>> same_bits(0.0, -0.0), same_bits(float("nan"), float("nan"))
    (False, True)
    """
    if operator.ne(type(one), type(other)):  # classes of lazy objects are equal to the plain ones
        return False
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same_bits, one, other))
    if isinstance(one, pd.Series):
        return (
            _same_labels(one.index, other.index)
            and _same_names([one.name], [other.name])
            and one.dtype == other.dtype
            and _same_arrays(one.to_numpy(), other.to_numpy())
        )
    if isinstance(one, pd.DataFrame):
        return (
            _same_labels(one.index, other.index)
            and _same_labels(one.columns, other.columns)
            and one.dtypes.tolist() == other.dtypes.tolist()
            and _same_arrays(one.to_numpy(), other.to_numpy())
        )
    if isinstance(one, (float, int, bool, np.generic, np.ndarray)):
        return _same_arrays(np.asarray(one), np.asarray(other))
    return False


def _same_names(names: list[Any], others: list[Any]) -> bool:
    return names == others and list(map(type, names)) == list(map(type, others))


def _same_labels(index: Any, other: Any) -> bool:
    return index is other or (
        type(index) is type(other)
        and index.dtype == other.dtype
        and _same_names(list(index.names), list(other.names))
        and bool(index.equals(other))
        and getattr(index, "freq", None) == getattr(other, "freq", None)
    )


def _same_arrays(array: AnyArray, other: AnyArray) -> bool:
    if array.dtype != other.dtype or array.shape != other.shape or array.dtype.kind not in _KINDS:
        return False
    if array.dtype.kind != "f":
        return bool((array == other).all())
    uint = _UINTS.get(array.dtype.itemsize)
    if uint is None:
        return bool(np.array_equal(array, other, equal_nan=True))
    bits = np.ascontiguousarray(array).view(uint) == np.ascontiguousarray(other).view(uint)
    return bool((bits | (np.isnan(array) & np.isnan(other))).all())
