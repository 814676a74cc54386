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

    In this order: equal columns meet one to one; a single column meets every column; columns
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
        return here, np.zeros(len(left), np.int64), left
    if len(left) == 1:
        return np.zeros(len(right), np.int64), there, right
    return None


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


def _text(labels: pd.Index[Any]) -> bool:
    levels = labels.levels if isinstance(labels, pd.MultiIndex) else [labels]
    return any(not pd.api.types.is_numeric_dtype(level.dtype) for level in levels)


def _describe(labels: pd.Index[Any]) -> str:
    names = ", ".join(str(name) for name in labels.names)
    return f"{len(labels)} on ({names}): {list(labels[:3])}{'…' if len(labels) > 3 else ''}"
