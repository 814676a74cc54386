# SPDX-License-Identifier: BSD-3-Clause
"""Crossings of two series, of a series and a level, and of whole frames."""

from __future__ import annotations

from numbers import Real
from typing import TypeAlias, overload

import numpy as np
import pandas as pd

from broadpeak._core.aliases import ArrayLike, Index, Many, Plain, Series, Values
from broadpeak._core.arrays import Wrapping, check_labels, read_only, single_column, unwrap
from broadpeak._core.columns import pair_columns, pair_counts, pair_values, with_levels
from broadpeak._core.lazyframe import is_frozen
from broadpeak._signals._kernels import cross
from broadpeak._signals.crossing import Crossing
from broadpeak._signals.levels import LISTS, level_index, level_number, level_numbers
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import BoolArray, FloatArray, IntArray

Side: TypeAlias = "ArrayLike | float | Many"


@overload
def crossed_above(left: pd.DataFrame, right: Side) -> pd.DataFrame: ...
@overload
def crossed_above(left: Series, right: Series | float) -> Series: ...
@overload
def crossed_above(left: Plain, right: Plain | float) -> BoolArray: ...
@overload
def crossed_above(left: Side, right: Side) -> Values: ...
def crossed_above(left: Side, right: Side) -> Values:
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


@overload
def crossed_below(left: pd.DataFrame, right: Side) -> pd.DataFrame: ...
@overload
def crossed_below(left: Series, right: Series | float) -> Series: ...
@overload
def crossed_below(left: Plain, right: Plain | float) -> BoolArray: ...
@overload
def crossed_below(left: Side, right: Side) -> Values: ...
def crossed_below(left: Side, right: Side) -> Values:
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


def _crossed(left: object, right: object, *, above: bool) -> Values:
    left_column, right_column = single_column(left), single_column(right)
    if (
        left_column is not None
        and right_column is not None
        and left_column.size == right_column.size
    ):
        return cross_pair(left_column, right_column, above=above)
    if isinstance(right, np.ndarray) and right.ndim == 0:
        right = right.item()
    name = "crossed_above" if above else "crossed_below"
    number = isinstance(right, (Real, np.number))
    plain = number or isinstance(right, LISTS)
    if isinstance(left, (Real, np.number)) or (isinstance(left, LISTS) and not plain):
        left, right, left_column, above = right, left, right_column, not above
        number = isinstance(right, (Real, np.number))
    if number:
        level = level_number(right)
        if left_column is not None:
            hits = np.empty(left_column.size, np.bool_)
            cross.crossed_level(left_column, level, above, hits)
            return hits
        columns, wrapping = unwrap("left", left)
        if wrapping.index is not None and is_frozen(columns):
            every, first = pair_counts(len(columns), 1)
            return wrapping.lazy(Crossing(columns, every, _as_rows([level]), first, above))
        out = np.empty(columns.shape, np.bool_)
        for column, target in zip(columns, out, strict=True):
            cross.crossed_level(column, level, above, target)
        return wrapping.wrap(out)
    if isinstance(right, LISTS) and not isinstance(left, LISTS):
        return _crossed_levels(left, level_index(right, name), above=above)
    left_values, labels = unwrap("left", left)
    right_values, other_labels = unwrap("right", right)
    if left_values.shape[1] != right_values.shape[1]:
        rule = f"have as many bars as the left side, {left_values.shape[1]}"
        remedy = "Pass a list for several levels."
        raise DataError(broken_rule("right", rule, right_values.shape[1], remedy))
    check_labels("right", other_labels, "left", labels, columns=False)
    take, other_take, wrapping = pair_tables(
        (len(left_values), labels), (len(right_values), other_labels)
    )
    if wrapping.index is not None and is_frozen(left_values) and is_frozen(right_values):
        # Prices of a `Data`, say: nobody can change them before somebody looks.
        return wrapping.lazy(Crossing(left_values, take, right_values, other_take, above))
    return wrapping.wrap(cross_pairs(left_values, take, right_values, other_take, above=above))


def _crossed_levels(values: object, levels: Index, *, above: bool) -> Values:
    columns, wrapping = unwrap("left", values)
    heights = level_numbers(levels)
    n = len(columns)
    labels: Index | None = None
    if wrapping.columns is not None:
        take, number = pair_values(wrapping.columns, len(levels))
        labels = with_levels(wrapping.columns, [levels.take(number)], take)
    else:
        # Columns without labels are assets: every level meets all of them.
        take = np.tile(np.arange(n), len(levels))
        number = np.repeat(np.arange(len(levels)), n)
        labels = levels
    if wrapping.index is not None and is_frozen(columns):
        crossing = Crossing(columns, take, _as_rows(heights), number, above)
        return Wrapping("frame", wrapping.index, labels).lazy(crossing)
    out = np.empty((len(take), columns.shape[1]), np.bool_)
    for target, column, level in zip(out, take, number, strict=True):
        cross.crossed_level(columns[column], heights[level], above, target)
    if wrapping.index is None:
        return Wrapping("array2d").wrap(out)
    return Wrapping("frame", wrapping.index, labels).wrap(out)


def _as_rows(levels: list[float] | FloatArray) -> FloatArray:
    """Return levels as series of one bar, which stands for all."""
    return read_only(np.array(levels, np.float64)[:, np.newaxis])


def pair_tables(
    left: tuple[int, Wrapping], right: tuple[int, Wrapping]
) -> tuple[IntArray, IntArray, Wrapping]:
    """Return which column of each side makes every pair, and how the pairs are labelled.

    A side is its number of columns and its labels.

    Raises
    ------
    DataError
        If columns do not fit.
    """
    (n_left, labels), (n_right, other_labels) = left, right
    columns: Index | None
    if labels.columns is not None and other_labels.columns is not None:
        take, other_take, columns = pair_columns(labels.columns, other_labels.columns)
    else:
        take, other_take = pair_counts(n_left, n_right)
        columns = other_labels.columns if labels.columns is None else labels.columns
        if columns is not None and len(columns) != len(take):
            columns = pd.RangeIndex(len(take))
    index = labels.index if labels.index is not None else other_labels.index
    wide = "array2d" in {labels.kind, other_labels.kind}
    if index is None:
        wrapping = Wrapping("array2d" if wide else "array1d")
    elif wide or columns is not None:
        wrapping = Wrapping("frame", index, columns)
    else:
        name = labels.name if labels.kind == "series" else other_labels.name
        wrapping = Wrapping("series", index, None, name)
    return take, other_take, wrapping


def cross_pair(left: FloatArray, right: FloatArray, *, above: bool) -> BoolArray:
    """Return where one column has crossed another of the same length."""
    out = np.empty(left.size, np.bool_)
    if above:
        cross.crossed(left, right, out)
    else:
        cross.crossed(right, left, out)
    return out


def cross_pairs(
    left: FloatArray,
    left_take: IntArray,
    right: FloatArray,
    right_take: IntArray,
    *,
    above: bool,
) -> BoolArray:
    """Return where taken columns have crossed one another, shape (n_pairs, n_bars)."""
    out = np.empty((len(left_take), left.shape[1]), np.bool_)
    if above:
        cross.crossed_pairs(left, left_take, right, right_take, out)
    else:
        cross.crossed_pairs(right, right_take, left, left_take, out)
    return out
