# SPDX-License-Identifier: BSD-3-Clause
"""Which column of one frame meets which column of another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from broadpeak.errors import DataError, broken_rule
from broadpeak.types import IntArray

Pairs = tuple[IntArray, IntArray, "pd.Index[Any]"]


def pair_columns(left: pd.Index[Any], right: pd.Index[Any]) -> Pairs:
    """Return positions in `left` and `right` and the labels of the pairs.

    In this order: equal columns meet one to one; a single column meets every column, and its levels
    of parameters stay; columns
    whose level names are among those of the other side meet by label, also where the other side
    repeats them (lists of parameters with hidden levels do); as many columns as the
    other side has meet by position, which is how lists of parameters are zipped, provided that
    levels of text, such as symbols, agree.

    Raises
    ------
    DataError
        If no rule fits; the message shows both.
    """
    pairs = _one_to_one(left, right)
    if pairs is None:
        pairs = _by_label(left, right)
    if pairs is None:
        pairs = _by_position(left, right)
    if pairs is None:
        rule = f"have columns that fit those of the left side, {_describe(left)}"
        remedy = (
            "Pass one column, equal columns, columns on level names of the left side, or as many "
            "columns with the same symbols."
        )
        raise DataError(broken_rule("the right side", rule, _describe(right), remedy))
    return pairs


def _one_to_one(left: pd.Index[Any], right: pd.Index[Any]) -> Pairs | None:
    here, there = np.arange(len(left)), np.arange(len(right))
    if len(left) == len(right) and list(left.names) == list(right.names) and left.equals(right):
        return here, there, left
    if len(right) == 1:
        none = np.zeros(len(left), np.int64)
        return here, none, _beside(left, right.take(none), left_first=True)
    if len(left) == 1:
        none = np.zeros(len(right), np.int64)
        return none, there, _beside(right, left.take(none), left_first=False)
    return None


def _beside(labels: pd.Index[Any], single: pd.Index[Any], *, left_first: bool) -> pd.Index[Any]:
    """Return `labels` with the levels of parameters of the single column that meets them all."""
    mine, assets = sorted_levels(labels)
    extra = [level for level in sorted_levels(single)[0] if level.name is not None]
    extra = [level for level in extra if not any(same_level(level, one) for one in mine)]
    if not extra or any(level.name is None for level in mine):
        return labels
    params = [*mine, *extra] if left_first else [*extra, *mine]
    return join_levels([*params, *assets])


def same_level(one: pd.Index[Any], other: pd.Index[Any]) -> bool:
    """Return whether two levels have one name and the same labels in order."""
    return one.name == other.name and one.equals(other)


def _by_label(left: pd.Index[Any], right: pd.Index[Any]) -> Pairs | None:
    mine, others = set(left.names), set(right.names)
    if None in mine | others or mine == others:
        if mine != others or not (_text(left) and _text(right)):
            return None
        if left.is_unique and right.is_unique and len(left) != len(right):
            return None
    if others <= mine and right.is_unique:  # the left side may repeat its symbols
        found = _find(left, right)
        return None if found is None else (np.arange(len(left)), found, left)
    if mine <= others:
        found = _find(right, left)
        return None if found is None else (found, np.arange(len(right)), right)
    return None


def _find(wide: pd.Index[Any], narrow: pd.Index[Any]) -> IntArray | None:
    if not narrow.is_unique:
        return None
    if isinstance(wide, pd.MultiIndex):
        # By number: a name may stand for several levels.
        extra = [i for i, name in enumerate(wide.names) if name not in narrow.names]
        wanted: pd.Index[Any] = wide.droplevel(extra) if extra else wide
    else:
        wanted = wide
    if isinstance(wanted, pd.MultiIndex):
        wanted = wanted.reorder_levels(list(narrow.names))
    found = narrow.get_indexer(wanted)
    return None if (found < 0).any() else found.astype(np.int64)


def _by_position(left: pd.Index[Any], right: pd.Index[Any]) -> Pairs | None:
    if len(left) != len(right):
        return None
    levels = [left.get_level_values(i) for i in range(left.nlevels)]
    for i in range(right.nlevels):
        level = right.get_level_values(i)
        twins = [mine for mine in levels if mine.name == level.name]
        if any(mine.equals(level) for mine in twins):
            continue
        if twins and _text(level):
            return None
        levels.append(level)
    here = np.arange(len(left))
    return here, here, join_levels(levels)


def join_levels(levels: list[pd.Index[Any]]) -> pd.Index[Any]:
    """Return one level as it is and several as a MultiIndex, the symbols last."""
    ordered = [x for x in levels if x.name != "symbol"] + [x for x in levels if x.name == "symbol"]
    if len(ordered) == 1:
        return ordered[0]
    return pd.MultiIndex.from_arrays(ordered, names=[level.name for level in ordered])


def sorted_levels(columns: pd.Index[Any]) -> tuple[list[pd.Index[Any]], list[pd.Index[Any]]]:
    """Return the levels of parameters and those of assets; mere numbers of columns are none."""
    if is_counter(columns):
        return [], []
    levels = [columns.get_level_values(i) for i in range(columns.nlevels)]
    assets = [one for one in levels if _is_asset(one)]
    return [one for one in levels if not _is_asset(one)], assets


def is_counter(columns: pd.Index[Any]) -> bool:
    """Return whether the labels only number the columns."""
    return isinstance(columns, pd.RangeIndex) and columns.name is None and columns.start == 0


def _is_asset(level: pd.Index[Any]) -> bool:
    return level.name == "symbol" or not pd.api.types.is_numeric_dtype(level.dtype)


def _text(labels: pd.Index[Any]) -> bool:
    levels = labels.levels if isinstance(labels, pd.MultiIndex) else [labels]
    return any(not pd.api.types.is_numeric_dtype(level.dtype) for level in levels)


def _describe(labels: pd.Index[Any]) -> str:
    names = ", ".join(str(name) for name in labels.names)
    return f"{len(labels)} on ({names}): {list(labels[:3])}{'…' if len(labels) > 3 else ''}"
