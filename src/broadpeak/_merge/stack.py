# SPDX-License-Identifier: BSD-3-Clause
"""`row_stack`, `column_stack` and `reset_column_stack`: results become frames."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._merge.concat import concat_series
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
from broadpeak._merge.scalars import (
    is_plain,
    join_arrays,
    join_bare,
    plain_array,
    same_lengths,
    scalar_series,
    share_dtype,
)
from broadpeak.errors import ParamError, ParamTypeError, broken_rule
from broadpeak.types import AnyArray


def row_stack(results: Sequence[Any], *, keys: Any = None, wrap: bool | None = None) -> Any:
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


def _rows(kind: Kind, values: list[Any], labels: pd.Index[Any] | None, wrap: bool | None) -> Any:
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


def _frames_below(frames: list[pd.DataFrame], labels: pd.Index[Any] | None) -> pd.DataFrame:
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


def column_stack(results: Sequence[Any], *, keys: Any = None, wrap: bool | None = None) -> Any:
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
    results: Sequence[Any], *, keys: Any = None, wrap: bool | None = None
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


def _side_by_side(results: Sequence[Any], keys: Any, wrap: bool | None, how: str) -> Any:
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
    arrays = [one if isinstance(one, np.ndarray) else one.to_numpy() for one in values]
    same_lengths(arrays, 0, how)
    return np.column_stack(arrays)


def _one_row(values: list[Any], labels: pd.Index[Any] | None) -> pd.DataFrame:
    array = plain_array(values)
    if array is not None:
        return pd.DataFrame(array[np.newaxis, :], columns=labels, copy=False)
    row = pd.concat([pd.Series([value]) for value in values], axis=1)
    row.columns = pd.RangeIndex(len(values)) if labels is None else labels
    return row


def _series_beside(
    series: list[pd.Series[Any]], labels: pd.Index[Any] | None, how: str
) -> pd.DataFrame:
    indexes = [one.index for one in series]
    if labels is None:
        return _aligned(series, 1, how)  # names become columns, as in pandas
    if all_same(indexes) and share_dtype(series):
        return pd.DataFrame(
            np.stack([one.to_numpy() for one in series]).T,
            index=indexes[0].set_names(shared_names(indexes)),
            columns=labels,
            copy=False,
        )
    whole = _aligned(series, 1, how)
    whole.columns = labels
    return whole


def _frames_beside(
    frames: list[pd.DataFrame], labels: pd.Index[Any] | None, how: str
) -> pd.DataFrame:
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
    differ = axis == 1 and not all_same([one.index for one in objects])
    try:
        with warnings.catch_warnings():
            # Labels of mixed types have no order; they then stay as they come.
            warnings.simplefilter("ignore", RuntimeWarning)
            whole: pd.DataFrame = pd.concat(list(objects), axis=axis, sort=differ)  # type: ignore[call-overload]  # axis is 0 or 1
    except (TypeError, NotImplementedError) as error:
        rule = "be of one kind, as in dates with one time zone"
        got = [one.index.dtype for one in objects]
        raise ParamTypeError(broken_rule(f"Labels under {how}", rule, got)) from error
    except (ValueError, AssertionError) as error:
        other = "rows" if axis else "columns"
        raise ParamError(
            f"Labels of {other} must be unique to be matched under {how}, but they repeat "
            f"({error}). Drop the repeated labels, or match by position: 'reset_column_stack'."
        ) from error
    return whole
