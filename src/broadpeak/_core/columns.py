# SPDX-License-Identifier: BSD-3-Clause
"""Which column meets which: one matching for crossings, lists of settings and portfolios.

Columns are combinations of parameters × assets. A level of labels is one of assets if it is called
`symbol` or does not hold numbers; every other level is a parameter. Parameters may be hidden: then
the same assets come again, block after block, and their position tells which combination they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Index
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import COMBINATION, IntArray


class Pairs(NamedTuple):
    """For every pair the position of its left and of its right column, and its label."""

    left: IntArray
    right: IntArray
    labels: Index


# Levels


def split_levels(columns: Index) -> tuple[list[Index], list[Index]]:
    """Return the levels of parameters and those of assets; mere numbers of columns are neither."""
    if isinstance(columns, pd.RangeIndex) and columns.name is None and columns.start == 0:
        return [], []
    params: list[Index] = []
    assets: list[Index] = []
    for level in map(columns.get_level_values, range(columns.nlevels)):
        (assets if level.name == "symbol" or _holds_names(level) else params).append(level)
    return params, assets


def join_levels(levels: list[Index]) -> Index:
    """Return a single level unchanged, several as a MultiIndex, the symbols last."""
    ordered = [x for x in levels if x.name != "symbol"] + [x for x in levels if x.name == "symbol"]
    if len(ordered) == 1:
        return ordered[0]
    return pd.MultiIndex.from_arrays(ordered, names=[level.name for level in ordered])


def with_levels(columns: Index, extra: Iterable[Index], take: IntArray | None = None) -> Index:
    """Return the labels of columns, or of taken ones, with more levels, those of assets last."""
    params, assets = split_levels(columns)
    if take is not None:
        params, assets = (
            [level.take(take) for level in params],
            [level.take(take) for level in assets],
        )
    return join_levels([*params, *extra, *assets])


def missing_levels(levels: list[Index], known: list[Index]) -> list[Index]:
    """Return those of `levels` that are not among `known`, by name and labels."""
    return [
        level
        for level in levels
        if not any(level.name == other.name and level.equals(other) for other in known)
    ]


def describe(columns: Index) -> str:
    """Return columns in a few words, for messages."""
    names = ", ".join(str(name) for name in columns.names)
    shown = ", ".join(repr(label) for label in columns[:3])
    more = ", …" if len(columns) > 3 else ""
    return f"{len(columns)} columns [{shown}{more}] (levels: {names})"


def _holds_names(labels: Index) -> bool:
    levels = labels.levels if isinstance(labels, pd.MultiIndex) else [labels]
    return any(not pd.api.types.is_numeric_dtype(level.dtype) for level in levels)


# One side within the other


def find_blocks(narrow: Index, wide: Index) -> IntArray | None:
    """Return the column of `narrow` for each of `wide` where they are the same again and again.

    So they are where parameters are hidden; then position tells what belongs together.
    """
    wanted = wide if wide.nlevels == narrow.nlevels else _on_levels_of(narrow, wide)
    if wanted is None or not len(narrow) or len(wanted) % len(narrow):
        return None
    found = np.tile(np.arange(len(narrow), dtype=np.int64), len(wanted) // len(narrow))
    return found if narrow.take(found).equals(wanted) else None


def find_labels(narrow: Index, wide: Index) -> IntArray | None:
    """Return the column of `narrow` for each of `wide` by the labels of the levels of `narrow`."""
    wanted = _on_levels_of(narrow, wide)
    if wanted is None or not narrow.is_unique:
        return None
    found = narrow.get_indexer(wanted)
    return None if (found < 0).any() else found.astype(np.int64)


def _on_levels_of(narrow: Index, wide: Index) -> Index | None:
    """Return the labels of `wide` on the levels of `narrow`; None if a name is not there once."""
    names = list(narrow.names)
    if list(wide.names) == names:
        return wide
    if any(name is None or list(wide.names).count(name) != 1 for name in names):
        return None
    levels = [wide.get_level_values(list(wide.names).index(name)) for name in names]
    return levels[0] if len(levels) == 1 else pd.MultiIndex.from_arrays(levels)


# Two sides


def pair_counts(
    n_left: int, n_right: int, name: str = "right", what: str = "column", remedy: str = ""
) -> tuple[IntArray, IntArray]:
    """Return which of each side makes every pair: one meets all, as many meet one to one.

    `name` is the right side, of which `what` is counted.

    Raises
    ------
    DataError
        If there are neither as many on both sides, nor one on a side.
    """
    n = n_left if n_right == 1 else n_right
    if n_left not in {1, n}:
        rule = f"have one {what} or as many as the left side, {n_left}"
        raise DataError(broken_rule(name, rule, n_right, remedy))
    every, first = np.arange(n), np.zeros(n, np.int64)
    return every if n_left == n else first, every if n_right == n else first


def pair_columns(left: Index, right: Index) -> Pairs:
    """Return which columns of two sides meet.

    In this order: equal columns meet one to one; a single column meets every column, and its levels
    of parameters stay; columns whose level names are among those of the other side meet by label,
    also where the other side repeats them, as it does where parameters are hidden; as many columns
    as the other side has meet by position, which is how lists of parameters are zipped, provided
    that levels of names, such as symbols, agree.

    Raises
    ------
    DataError
        If no rule fits; the message shows both.
    """
    n_left, n_right = len(left), len(right)
    if list(left.names) == list(right.names) and left.equals(right):
        return Pairs(*pair_counts(n_left, n_left), left)
    if n_right == 1 or n_left == 1:
        left_take, right_take = pair_counts(n_left, n_right)
        if n_right == 1:
            return Pairs(
                left_take, right_take, _beside(left, right.take(right_take), left_first=True)
            )
        return Pairs(left_take, right_take, _beside(right, left.take(left_take), left_first=False))
    pairs = _by_label(left, right) or _by_position(left, right)
    if pairs is None:
        rule = f"have columns that fit those of the left side, {describe(left)}"
        remedy = (
            "Pass one column, equal columns, columns on level names of the left side, or as many "
            "columns with the same symbols."
        )
        raise DataError(broken_rule("the right side", rule, describe(right), remedy))
    return pairs


def _beside(labels: Index, single: Index, *, left_first: bool) -> Index:
    """Return `labels` with the levels of parameters of the single column that meets them all."""
    params, assets = split_levels(labels)
    named = [level for level in split_levels(single)[0] if level.name is not None]
    extra = missing_levels(named, params)
    if not extra or any(level.name is None for level in params):
        return labels
    return join_levels([*params, *extra, *assets] if left_first else [*extra, *params, *assets])


def _by_label(left: Index, right: Index) -> Pairs | None:
    left_names, right_names = set(left.names), set(right.names)
    if None in left_names | right_names or left_names == right_names:
        if left_names != right_names or not (_holds_names(left) and _holds_names(right)):
            return None
        if left.is_unique and right.is_unique and len(left) != len(right):
            return None
    if right_names <= left_names and right.is_unique:  # the left side may repeat its symbols
        found = find_labels(right, left)
        return None if found is None else Pairs(np.arange(len(left)), found, left)
    if left_names <= right_names:
        found = find_labels(left, right)
        return None if found is None else Pairs(found, np.arange(len(right)), right)
    return None


def _by_position(left: Index, right: Index) -> Pairs | None:
    if len(left) != len(right):
        return None
    levels = [left.get_level_values(i) for i in range(left.nlevels)]
    for level in map(right.get_level_values, range(right.nlevels)):
        twins = [known for known in levels if known.name == level.name]
        if any(known.equals(level) for known in twins):
            continue
        if twins and _holds_names(level):
            return None
        levels.append(level)
    here = np.arange(len(left))
    return Pairs(here, here, join_levels(levels))


# Columns and a list of values


def pair_values(columns: Index, n: int) -> tuple[IntArray, IntArray]:
    """Return, for every column of the result, its column and its position in lists of `n` values.

    Columns that are assets alone meet every value, the values slowest. Columns of parameters are
    combinations: one value meets all of them, as many values meet them one to one.

    Raises
    ------
    DataError
        If there is another number of values.
    """
    n_columns, n_combinations = len(columns), _n_combinations(columns)
    if n_combinations == 1:
        return np.tile(np.arange(n_columns), n), np.repeat(np.arange(n), n_columns)
    if n in {1, n_combinations}:
        return np.arange(n_columns), np.repeat(np.arange(n), n_columns // n)
    rule = f"be one, or as many as the columns have combinations, {n_combinations}"
    remedy = f"Zip the lists. Columns: {list(columns[:3])}{'…' if n_columns > 3 else ''}."
    raise DataError(broken_rule("The values of a list", rule, n, remedy))


def _n_combinations(columns: Index) -> int:
    """Return how many combinations of parameters the columns are; 1 where they are assets alone."""
    params, assets = split_levels(columns)
    n = len(columns)
    if not assets:
        return n
    for level in params:
        if level.name == COMBINATION:
            return int(level.nunique())
    labels = assets[0] if len(assets) == 1 else pd.MultiIndex.from_arrays(assets)
    block = labels.unique()
    return n if find_blocks(block, labels) is None else n // len(block)
