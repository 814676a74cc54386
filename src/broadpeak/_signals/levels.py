# SPDX-License-Identifier: BSD-3-Clause
"""Lists of levels to be crossed: parameters, one column each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Index
from broadpeak._core.labels import index_of_objects
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import FloatArray

LISTS: Final = (list, tuple, range, pd.Index)
"""What holds values of a parameter; an array or a Series holds values bar by bar."""

Listed: TypeAlias = "Sequence[object] | Index"


def level_number(value: object, owner: str = "A level", rule: str = "be a number") -> float:
    """Return one level as a float: a number beyond all floats is infinite.

    Raises
    ------
    DataError
        If it is no number; strings and spans of time are none.
    """
    if isinstance(value, (bool, np.bool_)):
        return float(value)
    if check.real(value) is None:
        remedy = "Values bar by bar must be an array or a Series."
        raise DataError(broken_rule(owner, rule, value, remedy))
    return check.as_float(value)


def level_numbers(labels: Listed) -> FloatArray:
    """Return the levels as float64.

    Raises
    ------
    DataError
        If there are none, or one is no number.
    """
    owner, rule = "A list of levels", "be a list of at least one number"
    if len(labels) == 0:
        raise DataError(broken_rule(owner, rule, list(labels)))
    if set(map(type, labels)) <= {int, float}:
        with contextlib.suppress(OverflowError):  # an int that no float can hold
            return np.array(labels, np.float64)
    return np.array([level_number(label, owner, rule) for label in labels])


def plain_labels(values: Iterable[object]) -> list[object]:
    """Return values as labels: an array without dimensions, which has no hash, as what it holds."""
    return [
        value.item() if isinstance(value, np.ndarray) and not value.ndim else value
        for value in values
    ]


def level_index(labels: Listed, name: str) -> Index:
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
        index: Index = pd.Index(plain)
    except OverflowError:  # pandas 2 makes floats of an int that none can hold
        index = index_of_objects(plain)
    index.name = name if own is None else own
    return index
