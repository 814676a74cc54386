# SPDX-License-Identifier: BSD-3-Clause
"""Crossings of two series, of a series and a level, and of whole frames."""

from __future__ import annotations

from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core.arrays import Wrapping, check_index, lane, unwrap
from broadpeak._signals._kernels import cross
from broadpeak._signals.levels import (
    is_levels,
    level_index,
    level_number,
    level_numbers,
    pair_levels,
)
from broadpeak._signals.pairing import pair_columns
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import BoolArray, FloatArray, IntArray


def crossed_above(left: Any, right: Any) -> Any:
    """Return where `left` has crossed above `right`.

    Parameters
    ----------
    left : array, Series or DataFrame, shape (bars,) or (bars, columns)
        Any numbers, bar by bar. A number is allowed where `right` is none.
    right : float, list of float, array, Series or DataFrame
        A level, or values bar by bar. Columns meet one to one if they are equal; a single column
        meets every column; otherwise columns meet by the labels of shared level names, or, if there
        are as many, by position. A list, tuple, range or pandas Index beside an array or pandas
        object holds levels: each gives a column (for every asset of a frame), or meets its
        combination where the columns are combinations of parameters already.

    Returns
    -------
    array, Series or DataFrame of bool
        True at the bars of a crossing.

    Raises
    ------
    DataError
        If lengths, indexes or columns do not fit.

    Notes
    -----
    True at bar t if ``left > right`` at t and ``left < right`` at the last earlier bar where they
    differed. Bars of equality are neither above nor below: touching and turning back is no
    crossing, touching and going on is one. A bar where either side is NaN forgets what was
    before. Nothing is looked ahead.

    Examples
    --------
    >>> import numpy as np
    >>> crossed_above(np.array([1.0, 2.0, 3.0, 1.0]), 2.0)
    array([False, False,  True, False])
    >>> crossed_above(pd.Series([1.0, 2.0, 3.0, 1.0]), [1.5, 2.5]).sum()
    crossed_above
    1.5    1
    2.5    1
    dtype: int64
    """
    return _crossed(left, right, above=True)


def crossed_below(left: Any, right: Any) -> Any:
    """Return where `left` has crossed below `right`: `crossed_above` with the sides exchanged.

    Parameters
    ----------
    left : array, Series or DataFrame, shape (bars,) or (bars, columns)
        Any numbers, bar by bar. A number is allowed where `right` is none.
    right : float, list of float, array, Series or DataFrame
        A level, or values bar by bar; columns and lists of levels meet as in `crossed_above`.

    Returns
    -------
    array, Series or DataFrame of bool
        True at the bars of a crossing.

    Raises
    ------
    DataError
        If lengths, indexes or columns do not fit.

    Notes
    -----
    Equality and NaN are treated as in `crossed_above`.

    Examples
    --------
    >>> import numpy as np
    >>> crossed_below(np.array([3.0, 2.0, 1.0]), np.array([2.0, 2.0, 2.0]))
    array([False, False,  True])
    """
    return _crossed(left, right, above=False)


def _crossed(left: Any, right: Any, *, above: bool) -> Any:
    one, other = lane(left), lane(right)
    if one is not None and other is not None and one.size == other.size:
        return cross_pair(one, other, above=above)
    if isinstance(right, np.ndarray) and right.ndim == 0:
        right = right.item()
    name = "crossed_above" if above else "crossed_below"
    if isinstance(left, (Real, np.number)) or (is_levels(left) and not _is_plain(right)):
        left, right, one, above = right, left, other, not above
    if isinstance(right, (Real, np.number)):
        return _crossed_level(left, one, level_number(right), above=above)
    if is_levels(right) and not is_levels(left):
        return _crossed_levels(left, level_index(right, name), above=above)
    return _crossed_frames(left, right, above=above)


def _is_plain(value: Any) -> bool:
    return is_levels(value) or isinstance(value, (Real, np.number))


def _crossed_level(values: Any, one: FloatArray | None, level: float, *, above: bool) -> Any:
    if one is not None:
        hits = np.empty(one.size, np.bool_)
        cross.crossed_level(one, level, above, hits)
        return hits
    lanes, wrapping = unwrap("left", values)
    out = np.empty(lanes.shape, np.bool_)
    for row, target in zip(lanes, out, strict=True):
        cross.crossed_level(row, level, above, target)
    return wrapping.wrap(out)


def _crossed_levels(values: Any, levels: pd.Index[Any], *, above: bool) -> Any:
    lanes, wrapping = unwrap("left", values)
    heights = level_numbers(levels)
    n = len(lanes)
    if wrapping.columns is not None:
        take, level_take, columns = pair_levels(wrapping.columns, levels)
    else:
        # Columns without labels are assets: every level meets all of them.
        take = np.tile(np.arange(n), len(levels))
        level_take = np.repeat(np.arange(len(levels)), n)
        columns = levels
    out = np.empty((len(take), lanes.shape[1]), np.bool_)
    for target, column, level in zip(out, take, level_take, strict=True):
        cross_level(lanes[column], heights[level], target, above=above)
    if wrapping.index is None:
        return Wrapping("array2d").wrap(out)
    return Wrapping("frame", index=wrapping.index, columns=columns).wrap(out)


def _crossed_frames(left: Any, right: Any, *, above: bool) -> Any:
    mine, labels = unwrap("left", left)
    others, other_labels = unwrap("right", right)
    if mine.shape[1] != others.shape[1]:
        rule = f"have as many bars as the left side, {mine.shape[1]}"
        remedy = "Pass a list for several levels."
        raise DataError(broken_rule("right", rule, others.shape[1], remedy))
    check_index("right", other_labels, "left", labels)
    take, other_take, wrapping = pair_lanes((len(mine), labels), (len(others), other_labels))
    return wrapping.wrap(cross_lanes(mine, take, others, other_take, above=above))


_Side: TypeAlias = tuple[int, Wrapping]


def pair_lanes(left: _Side, right: _Side) -> tuple[IntArray, IntArray, Wrapping]:
    """Return which lane of each side makes every pair, and how the pairs are labelled.

    Parameters
    ----------
    left, right
        Number of lanes of a side, and its labels.

    Raises
    ------
    DataError
        If columns do not fit.
    """
    (n_left, labels), (n_right, other_labels) = left, right
    columns: pd.Index[Any] | None
    if labels.columns is not None and other_labels.columns is not None:
        take, other_take, columns = pair_columns(labels.columns, other_labels.columns)
    else:
        take, other_take = _pair_counts(n_left, n_right)
        columns = other_labels.columns if labels.columns is None else labels.columns
        if columns is not None and len(columns) != len(take):
            columns = pd.RangeIndex(len(take))
    return take, other_take, _wrapping(labels, other_labels, columns)


def _pair_counts(n_left: int, n_right: int) -> tuple[IntArray, IntArray]:
    n = n_left if n_right == 1 else n_right
    if n_left not in {1, n}:
        rule = f"have one column, or as many as the left side, {n_left}"
        raise DataError(broken_rule("right", rule, n_right))
    return (
        np.arange(n) if n_left == n else np.zeros(n, np.int64),
        np.arange(n) if n_right == n else np.zeros(n, np.int64),
    )


def _wrapping(left: Wrapping, right: Wrapping, columns: pd.Index[Any] | None) -> Wrapping:
    index = left.index if left.index is not None else right.index
    kinds = {left.kind, right.kind}
    if columns is not None:
        return Wrapping("frame", index=index, columns=columns)
    if index is None:
        return Wrapping("array2d" if "array2d" in kinds else "array1d")
    if "array2d" in kinds:
        return Wrapping("frame", index=index)
    name = left.name if left.kind == "series" else right.name
    return Wrapping("series", index=index, name=name)


def cross_level(values: FloatArray, level: float, out: BoolArray, *, above: bool) -> None:
    """Mark in `out` where one lane has crossed a level."""
    cross.crossed_level(values, level, above, out)


def cross_pair(left: FloatArray, right: FloatArray, *, above: bool) -> BoolArray:
    """Return where one lane has crossed another of the same length."""
    out = np.empty(left.size, np.bool_)
    if above:
        cross.crossed(left, right, out)
    else:
        cross.crossed(right, left, out)
    return out


def cross_lanes(
    left: FloatArray,
    left_take: IntArray,
    right: FloatArray,
    right_take: IntArray,
    *,
    above: bool,
) -> BoolArray:
    """Return bool lanes, shape (n_pairs, n_bars), of the crossings of taken lanes."""
    out = np.empty((len(left_take), left.shape[1]), np.bool_)
    if above:
        cross.crossed_pairs(left, left_take, right, right_take, out)
    else:
        cross.crossed_pairs(right, right_take, left, left_take, out)
    return out
