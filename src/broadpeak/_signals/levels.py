# SPDX-License-Identifier: BSD-3-Clause
"""Lists of levels to be crossed: parameters, one column each, that meet the columns of a frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.labels import index_of_objects
from broadpeak._signals.pairing import join_levels, sorted_levels
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import COMBINATION, FloatArray, IntArray

LISTS = (list, tuple, range, pd.Index)


def is_levels(value: Any) -> bool:
    """Return whether `value` is a list of levels: an array or a Series is values bar by bar."""
    return isinstance(value, LISTS)


def level_number(value: Any, owner: str = "A level", rule: str = "be a number") -> float:
    """Return one level as a float: what is beyond all floats is infinite.

    Raises
    ------
    DataError
        If it is no number; texts and spans of time are none.
    """
    if isinstance(value, (bool, np.bool_)):
        return float(value)
    if check.real(value) is None:
        remedy = "Values bar by bar must be an array or a Series."
        raise DataError(broken_rule(owner, rule, value, remedy))
    return check.as_float(value)


def level_numbers(labels: Any) -> FloatArray:
    """Return the levels as float64.

    Raises
    ------
    DataError
        If there are none, or one is no number.
    """
    owner, rule = "A list of levels", "be a list of at least one number"
    if len(labels) == 0:
        raise DataError(broken_rule(owner, rule, list(labels)))
    return np.array([level_number(label, owner, rule) for label in labels])


def plain_labels(values: Any) -> list[Any]:
    """Return values as labels: an array without dimensions, which has no hash, as what it holds."""
    return [one.item() if isinstance(one, np.ndarray) and not one.ndim else one for one in values]


def level_index(labels: Any, name: str) -> pd.Index[Any]:
    """Return the labels of a list of levels: a named Index brings its own name.

    Raises
    ------
    DataError
        If there are none, or one is no number.
    """
    level_numbers(labels)  # before pandas makes numbers of what is none
    own = labels.name if isinstance(labels, pd.Index) else None
    plain = plain_labels(labels)
    try:
        index: pd.Index[Any] = pd.Index(plain)
    except OverflowError:  # pandas 2 makes floats of an int that none can hold
        index = index_of_objects(plain)
    index.name = name if own is None else own
    return index


def pair_levels(
    columns: pd.Index[Any], levels: pd.Index[Any]
) -> tuple[IntArray, IntArray, pd.Index[Any]]:
    """Return, for every column of the result, its column and its level, and the labels.

    Raises
    ------
    DataError
        As in `pair_combinations`.
    """
    take, number = pair_combinations(columns, len(levels))
    return take, number, with_levels(columns, take, [levels.take(number)])


def pair_combinations(columns: pd.Index[Any], n: int) -> tuple[IntArray, IntArray]:
    """Return, for every column of the result, its column and its place in lists of `n` values.

    Columns that are assets alone meet every value, the values slowest. Columns of parameters are
    combinations: one value meets all of them, as many values meet them one to one.

    Raises
    ------
    DataError
        If there is another number of values.
    """
    n_columns = len(columns)
    n_combinations = _combinations(columns, *sorted_levels(columns))
    if n_combinations == 1:
        return np.tile(np.arange(n_columns), n), np.repeat(np.arange(n), n_columns)
    if n in {1, n_combinations}:
        return np.arange(n_columns), np.repeat(np.arange(n), n_columns // n)
    rule = f"be one, or as many as the columns have combinations, {n_combinations}"
    remedy = f"Zip the lists. Columns: {list(columns[:3])}{'…' if n_columns > 3 else ''}."
    raise DataError(broken_rule("The values of a list", rule, n, remedy))


def with_levels(
    columns: pd.Index[Any], take: IntArray | None, levels: list[pd.Index[Any]]
) -> pd.Index[Any]:
    """Return the labels of taken columns with more levels, those of assets last."""
    params, assets = sorted_levels(columns)
    if take is not None:
        params, assets = [one.take(take) for one in params], [one.take(take) for one in assets]
    return join_levels([*params, *levels, *assets])


def _combinations(
    columns: pd.Index[Any], params: list[pd.Index[Any]], assets: list[pd.Index[Any]]
) -> int:
    """Return how many combinations of parameters the columns are; 1 where they are assets alone."""
    n = len(columns)
    if not assets:
        return n
    for level in params:
        if level.name == COMBINATION:
            return level.nunique()
    labels = assets[0] if len(assets) == 1 else pd.MultiIndex.from_arrays(assets)
    block = labels.unique()
    # Parameters repeat the assets block after block, also where their levels are hidden.
    is_regular = n % len(block) == 0 and block.take(np.arange(n) % len(block)).equals(labels)
    return n // len(block) if is_regular else n
