# SPDX-License-Identifier: BSD-3-Clause
"""Which columns belong together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core.check import did_you_mean
from broadpeak.errors import ParamError, ParamTypeError, broken_rule
from broadpeak.types import IntArray


def group_columns(
    group_by: object, labels: pd.Index | None, count: int
) -> tuple[IntArray, pd.Index]:
    """Return the group number of each column and the labels of the groups.

    Parameters
    ----------
    group_by : None, True, level name(s) or number(s), or one label a column
        None and True put all columns into one group.

    Raises
    ------
    ParamError
        If a level is unknown, or there is not one label a column.
    """
    if group_by is None or group_by is True:
        return np.zeros(count, dtype=np.int64), pd.Index(["group"], name="group")
    values = _labels_of(group_by, labels, count)
    try:
        codes, groups = pd.factorize(values)
    except TypeError as error:
        raise ParamError(broken_rule("group_by", "be labels, not lists", group_by)) from error
    if (codes < 0).any():
        raise ParamError(broken_rule("group_by", "have no missing labels", group_by))
    return codes.astype(np.int64), groups.set_names(values.names)


def _labels_of(group_by: Any, labels: pd.Index | None, count: int) -> pd.Index:
    columns = pd.RangeIndex(count) if labels is None else labels
    named = isinstance(group_by, (list, tuple)) and len(group_by) > 0
    if named and all(isinstance(item, str) and item in columns.names for item in group_by):
        return pd.MultiIndex.from_arrays([columns.get_level_values(name) for name in group_by])
    if isinstance(group_by, (str, int)):
        known = group_by in columns.names or (
            isinstance(group_by, int) and -columns.nlevels <= group_by < columns.nlevels
        )
        if not known:
            names = [name for name in columns.names if name is not None]
            hint = did_you_mean(group_by, names) or f"Column levels: {names}."
            raise ParamError(broken_rule("group_by", "name a column level", group_by, hint))
        return columns.get_level_values(group_by)
    if isinstance(group_by, pd.Series):
        group_by = group_by.to_numpy()
    try:
        values = group_by if isinstance(group_by, pd.Index) else pd.Index(group_by, name="group")
        hash(tuple(values))  # labels that cannot be told apart make no groups
    except (TypeError, ValueError, NotImplementedError) as error:
        rule = "be True, a column level, or one label a column"
        raise ParamTypeError(broken_rule("group_by", rule, group_by)) from error
    if len(values) != count:
        rule = f"have one label for each of the {count} columns"
        raise ParamError(broken_rule("group_by", rule, len(values)))
    return values
