# SPDX-License-Identifier: BSD-3-Clause
"""The named merges: `concat`, `row_stack`, `column_stack` and `reset_column_stack`.

Values are put together as pandas would, without losing their dtype, but without its detours:
where all values are of one plain type, nothing is inferred and nothing is copied twice.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence, Set
from typing import Any, Final

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Index, Series
from broadpeak._merge.keys import (
    all_same,
    as_keys,
    continued,
    joined,
    prepend,
    prepend_same,
    shared_names,
)
from broadpeak._merge.result_kinds import Kind, sort_out
from broadpeak.errors import ParamError, ParamTypeError, broken_rule
from broadpeak.types import AnyArray, Function

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


def concat(results: Sequence[Any], *, keys: Any = None, wrap: bool | None = None) -> Any:
    """Put scalars, 1-D arrays or Series one after another.

    Parameters
    ----------
    results : sequence
        All scalars, all 1-D arrays (or lists), or all Series.
    keys : Index or sequence, optional
        One label a result; they become the outer levels.
    wrap : bool, optional
        False: NumPy without labels. True: pandas. None: pandas where there are keys or Series.

    Returns
    -------
    Series or array
        Scalars: one entry each. Arrays: one more unnamed level with the position. Series: their
        own levels after those of `keys`.

    Raises
    ------
    TypeError
        For DataFrames and 2-D arrays, and for results of different kinds.

    Examples
    --------
    >>> concat([1.5, 2.5], keys=pd.Index([10, 20], name="fast"))
    fast
    10    1.5
    20    2.5
    dtype: float64
    """
    labels = keys
    if not isinstance(keys, pd.Index) or len(keys) != len(results):
        labels = as_keys(keys, len(results), "concat")
    # Scalars of one plain type are what most runs return: nothing has to be looked at twice.
    array = plain_array(results) if len(results) else None
    if array is not None:
        is_bare = wrap is False or (labels is None and wrap is None)
        return array if is_bare else pd.Series(array, index=labels, copy=False)
    kind, values = sort_out(results, "concat")
    if kind in {Kind.FRAME, Kind.TABLE}:
        raise ParamTypeError(
            f"concat must get scalars, 1-D arrays or Series, got {kind.value}s. "
            f"Use merge_func='column_stack' to put them side by side, "
            f"or merge_func='row_stack' to put them one below another."
        )
    if kind is Kind.SCALAR:
        return _scalars(values, labels, wrap)
    if kind is Kind.ARRAY:
        return _arrays(values, labels, wrap)
    return concat_series(values, labels, wrap)


def _scalars(values: list[object], labels: Index | None, wrap: bool | None) -> Any:
    if wrap is False or (labels is None and wrap is None):
        return scalar_series(values).to_numpy()
    return scalar_series(values, labels)


def _arrays(values: list[Any], labels: Index | None, wrap: bool | None) -> Any:
    if wrap is False or (labels is None and wrap is None):
        return join_bare(values)
    whole = join_arrays(values)
    if labels is not None:
        lengths = np.array([len(value) for value in values], dtype=np.int64)
        whole.index = prepend(labels, lengths, positions(lengths))
    return whole


def positions(lengths: Any) -> Any:
    """Return 0, 1, … for every piece, pieces one after another."""
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return pd.Index(np.arange(len(starts)) - starts)


def concat_series(values: list[Series], labels: Index | None, wrap: bool | None) -> Any:
    """Put Series one after another, as `concat` and `row_stack` both do."""
    whole = join_series(values)
    if wrap is False:
        return whole.to_numpy()
    indexes = [value.index for value in values]
    if labels is None:
        whole.index = continued(indexes, "concat")
    elif all_same(indexes):
        whole.index = prepend_same(labels, indexes[0])
    else:
        lengths = np.array([len(value) for value in values], dtype=np.int64)
        whole.index = prepend(labels, lengths, joined(indexes, "concat"))
    return whole


def row_stack(results: Sequence[object], *, keys: object = None, wrap: bool | None = None) -> Any:
    """Put results one below another.

    Parameters
    ----------
    results : sequence
        All scalars or 1-D arrays (one row each), all Series, all DataFrames or all 2-D arrays.
    keys : Index or sequence, optional
        One label a result; they become the outer row levels.
    wrap : bool, optional
        False: NumPy without labels. True: pandas. None: pandas where there are keys or labels.

    Returns
    -------
    DataFrame, Series or array
        Series give one long Series, everything else a frame. Shorter rows end in NaN; columns
        that a frame does not have are NaN.

    Raises
    ------
    TypeError
        If the results are of different kinds.

    Examples
    --------
    >>> row_stack([np.array([1, 2]), np.array([3, 4])], keys=["a", "b"])
       0  1
    a  1  2
    b  3  4
    """
    kind, values = sort_out(results, "row_stack")
    labels = as_keys(keys, len(values), "row_stack")
    if kind is Kind.SERIES:
        return concat_series(values, labels, wrap)
    if kind in {Kind.SCALAR, Kind.ARRAY}:
        return _rows(kind, values, labels, wrap)
    if kind is Kind.TABLE:
        if wrap is False or (labels is None and wrap is None):
            same_lengths(values, 1, "row_stack")
            return np.concatenate(values)
        values = [pd.DataFrame(value) for value in values]
    if wrap is False:
        arrays = [value.to_numpy() for value in values]
        same_lengths(arrays, 1, "row_stack")
        return np.concatenate(arrays)
    return _frames_below(values, labels)


def _rows(kind: Kind, values: list[Any], labels: Index | None, wrap: bool | None) -> Any:
    bare = wrap is False or (labels is None and wrap is None)
    if kind is Kind.SCALAR:
        column = scalar_series(values, None if bare else labels)
        return column.to_numpy()[:, np.newaxis] if bare else column.to_frame(0)
    if bare:
        same_lengths(values, 0, "row_stack")
    width = len(values[0])
    if any(len(value) != width for value in values):
        beside = pd.concat([pd.Series(value) for value in values], axis=1)
        table: Any = beside.T.to_numpy()
    else:
        line = join_bare(values) if bare else join_arrays(values).to_numpy()
        table = line.reshape(len(values), width)
    return table if bare else pd.DataFrame(table, index=labels, copy=False)


def _frames_below(frames: list[pd.DataFrame], labels: Index | None) -> pd.DataFrame:
    columns = [frame.columns for frame in frames]
    if all_same(columns) and share_dtype(frames):
        whole = pd.DataFrame(
            np.concatenate([frame.to_numpy() for frame in frames]),
            columns=columns[0].set_names(shared_names(columns)),
            copy=False,
        )
    else:
        whole = _aligned(frames, 0, "row_stack")
    indexes = [frame.index for frame in frames]
    if labels is None:
        whole.index = continued(indexes, "row_stack")
    elif all_same(indexes):
        whole.index = prepend_same(labels, indexes[0])
    else:
        lengths = [len(index) for index in indexes]
        whole.index = prepend(labels, lengths, joined(indexes, "row_stack"))
    return whole


def column_stack(
    results: Sequence[object], *, keys: object = None, wrap: bool | None = None
) -> Any:
    """Put results side by side; rows are matched by label.

    Parameters
    ----------
    results : sequence
        All scalars (a one-row frame), all 1-D arrays or Series (one column each), all
        DataFrames or all 2-D arrays.
    keys : Index or sequence, optional
        One label a result; they become the outer column levels.
    wrap : bool, optional
        False: NumPy without labels, rows matched by position. True: pandas. None: pandas where
        there are keys or labels.

    Returns
    -------
    DataFrame or array
        Equal row indexes stay as they are; different ones are united and sorted, and what a
        result does not have is NaN.

    Raises
    ------
    TypeError
        If the results are of different kinds.
    ParamError
        If different row indexes cannot be matched because labels repeat.

    Examples
    --------
    >>> left, right = pd.Series([1, 2], index=["x", "y"]), pd.Series([3, 4], index=["x", "y"])
    >>> column_stack([left, right], keys=pd.Index([10, 20], name="fast"))
    fast  10  20
    x      1   3
    y      2   4
    """
    return _side_by_side(results, keys, wrap, "column_stack")


def reset_column_stack(
    results: Sequence[object], *, keys: object = None, wrap: bool | None = None
) -> Any:
    """Put results side by side; rows are matched by position, and their labels dropped.

    Parameters
    ----------
    results, keys, wrap
        As in `column_stack`.

    Returns
    -------
    DataFrame or array
        Rows 0, 1, …; shorter results end in NaN.

    Raises
    ------
    TypeError
        If the results are of different kinds.

    Examples
    --------
    >>> left, right = pd.Series([1, 2], index=[5, 6]), pd.Series([3, 4], index=[6, 7])
    >>> reset_column_stack([left, right], keys=["a", "b"])
       a  b
    0  1  3
    1  2  4
    """
    return _side_by_side(results, keys, wrap, "reset_column_stack")


def _side_by_side(results: Sequence[object], keys: object, wrap: bool | None, how: str) -> Any:
    kind, values = sort_out(results, how)
    labels = as_keys(keys, len(values), how)
    plain = kind in {Kind.SCALAR, Kind.ARRAY, Kind.TABLE}
    if wrap is False or (plain and labels is None and wrap is None):
        return _bare_columns(kind, values, how)
    if kind is Kind.SCALAR:
        return _one_row(values, labels)
    if kind is Kind.ARRAY:
        if len({len(value) for value in values}) == 1 and is_plain(
            {value.dtype for value in values}
        ):
            return pd.DataFrame(np.stack(values).T, columns=labels, copy=False)
        values = [pd.Series(value) for value in values]
    elif kind is Kind.TABLE:
        values = [pd.DataFrame(value) for value in values]
    elif how == "reset_column_stack":
        values = [value.reset_index(drop=True) for value in values]
    if isinstance(values[0], pd.Series):
        return _series_beside(values, labels, how)
    return _frames_beside(values, labels, how)


def _bare_columns(kind: Kind, values: list[Any], how: str) -> AnyArray:
    if kind is Kind.SCALAR:
        return scalar_series(values).to_numpy()[np.newaxis, :]
    arrays = [item if isinstance(item, np.ndarray) else item.to_numpy() for item in values]
    same_lengths(arrays, 0, how)
    return np.column_stack(arrays)


def _one_row(values: list[object], labels: Index | None) -> pd.DataFrame:
    array = plain_array(values)
    if array is not None:
        return pd.DataFrame(array[np.newaxis, :], columns=labels, copy=False)
    row = pd.concat([pd.Series([value]) for value in values], axis=1)
    row.columns = pd.RangeIndex(len(values)) if labels is None else labels
    return row


def _series_beside(series: list[Series], labels: Index | None, how: str) -> pd.DataFrame:
    indexes = [item.index for item in series]
    if labels is None:
        return _aligned(series, 1, how)  # names become columns, as in pandas
    if all_same(indexes) and share_dtype(series):
        return pd.DataFrame(
            np.stack([item.to_numpy() for item in series]).T,
            index=indexes[0].set_names(shared_names(indexes)),
            columns=labels,
            copy=False,
        )
    whole = _aligned(series, 1, how)
    whole.columns = labels
    return whole


def _frames_beside(frames: list[pd.DataFrame], labels: Index | None, how: str) -> pd.DataFrame:
    indexes = [frame.index for frame in frames]
    if all_same(indexes) and share_dtype(frames):
        whole = pd.DataFrame(
            np.concatenate([frame.to_numpy().T for frame in frames]).T,
            index=indexes[0].set_names(shared_names(indexes)),
            copy=False,
        )
    else:
        whole = _aligned(frames, 1, how)
    columns = [frame.columns for frame in frames]
    if labels is None:
        whole.columns = continued(columns, how)
    elif all_same(columns):
        whole.columns = prepend_same(labels, columns[0])
    else:
        counts = [len(own) for own in columns]
        whole.columns = prepend(labels, counts, joined(columns, how))
    return whole


def _aligned(objects: Sequence[Any], axis: int, how: str) -> pd.DataFrame:
    """Return `objects` along `axis`; the labels of the other axis are united.

    Rows (other axis of columns) are also sorted where they differ, if they can be.
    """
    differ = axis == 1 and not all_same([item.index for item in objects])
    try:
        with warnings.catch_warnings():
            # Labels of mixed types have no order; they then stay as they come.
            warnings.simplefilter("ignore", RuntimeWarning)
            whole: pd.DataFrame = pd.concat(list(objects), axis=axis, sort=differ)  # type: ignore[call-overload]  # axis is 0 or 1
    except (TypeError, NotImplementedError) as error:
        rule = "be of one kind, as in dates with one time zone"
        got = [item.index.dtype for item in objects]
        raise ParamTypeError(broken_rule(f"Labels under {how}", rule, got)) from error
    except (ValueError, AssertionError) as error:
        other = "rows" if axis else "columns"
        raise ParamError(
            f"Labels of {other} must be unique to be matched under {how}, but they repeat "
            f"({error}). Drop the repeated labels, or match by position: 'reset_column_stack'."
        ) from error
    return whole


def plain_array(scalars: Sequence[object]) -> AnyArray | None:
    """Return `scalars` of one plain type as an array, or None if pandas has to look at them."""
    dtype = _PLAIN.get(frozenset(map(type, scalars)))
    if dtype is None:
        return None
    try:
        return np.fromiter(scalars, dtype=dtype, count=len(scalars))
    except OverflowError:  # an int beyond 64 bits
        return None


def scalar_series(scalars: list[object], index: Index | None = None) -> Series:
    """Return what ``pd.Series(scalars, index)`` gives, without its detour over objects."""
    array = plain_array(scalars)
    if array is not None:
        return pd.Series(array, index=index, copy=False)
    try:
        return pd.Series(scalars, index=index)
    except OverflowError:  # pandas 2 makes floats of an int that none can hold
        return pd.Series(scalars, index=index, dtype=object)


def join_arrays(arrays: Sequence[AnyArray]) -> Series:
    """Return 1-D `arrays` one after another, of the dtype that pandas finds common."""
    if is_plain({array.dtype for array in arrays}):
        return pd.Series(np.concatenate(arrays), copy=False)
    return join_series([pd.Series(array) for array in arrays])


def join_bare(arrays: Sequence[AnyArray]) -> AnyArray:
    """Return `join_arrays` as an array; arrays of one dtype keep it."""
    if len({array.dtype for array in arrays}) == 1:
        return np.concatenate(arrays)
    return join_arrays(arrays).to_numpy()


def is_plain(dtypes: Set[object]) -> bool:
    """Return whether there is one dtype, of NumPy, in which pandas infers nothing."""
    dtype = next(iter(dtypes), None)
    return len(dtypes) == 1 and isinstance(dtype, np.dtype) and dtype.kind not in "OUSV"


def join_series(series: Sequence[Series]) -> Series:
    """Return `series` one after another, without labels; the name if all agree on it."""
    names = {_hashable(item.name) for item in series}
    name = series[0].name if len(names) == 1 else None
    if is_plain({item.dtype for item in series}):
        values = np.concatenate([item.to_numpy() for item in series])
        return pd.Series(values, name=name, copy=False)
    whole: Series = pd.concat(list(series), ignore_index=True)
    whole.name = name
    return whole


def _hashable(name: object) -> Any:
    return name if name == name else None  # noqa: PLR0124  # NaN names agree with one another


def share_dtype(objects: Sequence[Any]) -> bool:
    """Return whether all values in Series or frames are of one plain NumPy dtype."""
    dtypes: set[Any] = set()
    for item in objects:
        dtypes.update(item.dtypes if isinstance(item, pd.DataFrame) else (item.dtype,))
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


NAMED: Final[dict[str, Function]] = {
    "concat": concat,
    "row_stack": row_stack,
    "column_stack": column_stack,
    "reset_column_stack": reset_column_stack,
}
"""Every named merge."""
