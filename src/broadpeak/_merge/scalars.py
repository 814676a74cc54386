# SPDX-License-Identifier: BSD-3-Clause
"""Values of results put together without losing their dtype: as pandas would, but at full speed."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import numpy as np
import pandas as pd

from broadpeak.errors import ParamError
from broadpeak.types import AnyArray

# Exact types of scalars whose array needs no inference, and the dtype pandas infers for them.
_PLAIN: dict[frozenset[type], type] = {
    frozenset({float}): np.float64,
    frozenset({np.float64}): np.float64,
    frozenset({float, np.float64}): np.float64,
    frozenset({bool}): np.bool_,
    frozenset({np.bool_}): np.bool_,
    frozenset({bool, np.bool_}): np.bool_,
    frozenset({int}): np.int64,
    frozenset({np.int64}): np.int64,
    frozenset({int, np.int64}): np.int64,
}


def plain_array(scalars: list[Any]) -> AnyArray | None:
    """Return `scalars` of one plain type as an array, or None if pandas has to look at them."""
    dtype = _PLAIN.get(frozenset(map(type, scalars)))
    if dtype is None:
        return None
    try:
        return np.fromiter(scalars, dtype=dtype, count=len(scalars))
    except OverflowError:  # an int beyond 64 bits
        return None


def scalar_series(scalars: list[Any], index: pd.Index[Any] | None = None) -> pd.Series[Any]:
    """Return what ``pd.Series(scalars, index)`` gives, without its detour over objects."""
    array = plain_array(scalars)
    if array is not None:
        return pd.Series(array, index=index, copy=False)
    try:
        return pd.Series(scalars, index=index)
    except OverflowError:  # pandas 2 makes floats of an int that none can hold
        return pd.Series(scalars, index=index, dtype=object)


def join_arrays(arrays: Sequence[AnyArray]) -> pd.Series[Any]:
    """Return 1-D `arrays` one after another, of the dtype that pandas finds common."""
    if is_plain({array.dtype for array in arrays}):
        return pd.Series(np.concatenate(arrays), copy=False)
    return join_series([pd.Series(array) for array in arrays])


def join_bare(arrays: Sequence[AnyArray]) -> AnyArray:
    """Return `join_arrays` as an array; arrays of one dtype keep it."""
    if len({array.dtype for array in arrays}) == 1:
        return np.concatenate(arrays)
    return join_arrays(arrays).to_numpy()


def is_plain(dtypes: Set[Any]) -> bool:
    """Return whether there is one dtype, of NumPy, in which pandas infers nothing."""
    dtype = next(iter(dtypes), None)
    return len(dtypes) == 1 and isinstance(dtype, np.dtype) and dtype.kind not in "OUSV"


def join_series(series: Sequence[pd.Series[Any]]) -> pd.Series[Any]:
    """Return `series` one after another, without labels; the name if all agree on it."""
    names = {_hashable(one.name) for one in series}
    name = series[0].name if len(names) == 1 else None
    if is_plain({one.dtype for one in series}):
        values = np.concatenate([one.to_numpy() for one in series])
        return pd.Series(values, name=name, copy=False)
    whole: pd.Series[Any] = pd.concat(list(series), ignore_index=True)
    whole.name = name
    return whole


def _hashable(name: Any) -> Any:
    return name if name == name else None  # noqa: PLR0124  # NaN names agree with one another


def share_dtype(objects: Sequence[Any]) -> bool:
    """Return whether all values in Series or frames are of one plain NumPy dtype."""
    dtypes: set[Any] = set()
    for one in objects:
        dtypes.update(one.dtypes if isinstance(one, pd.DataFrame) else (one.dtype,))
        if len(dtypes) > 1:
            return False
    return is_plain(dtypes)


def same_lengths(arrays: Sequence[AnyArray], axis: int, how: str) -> None:
    """Check that arrays fit beside one another.

    Raises
    ------
    ParamError
        If their lengths along `axis` differ.
    """
    lengths = {array.shape[axis] for array in arrays}
    if len(lengths) > 1:
        raise ParamError(
            f"Arrays must have equal lengths under {how} without labels, got lengths "
            f"{sorted(lengths)[:10]}. Return Series, so that labels can be matched, "
            f"or leave out wrap=False."
        )
