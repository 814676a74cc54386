# SPDX-License-Identifier: BSD-3-Clause
"""What a value is called in the index."""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

_PLAIN = (
    str, bytes, bool, int, float, complex, dt.date, dt.time, dt.timedelta, dt.tzinfo, enum.Enum,
    np.generic, pd.Timestamp, pd.Timedelta, pd.Period, pd.Interval, type(pd.NaT), type(pd.NA),
)  # fmt: skip


def label_values(values: Sequence[Any]) -> Sequence[Any]:
    """Return one label a value: the value itself where pandas can show it, else a name.

    Examples
    --------
    >>> import numpy as np
    >>> label_values([1, np.zeros(2), len, {"a": 1}, np.ones(3)])
    [1, 'array_0', 'len', 'dict_0', 'array_1']
    """
    if isinstance(values, range) or all(_is_plain(value) for value in values):
        return values
    running: Counter[str] = Counter()
    return [_label(value, running) for value in values]


def _is_plain(value: Any) -> bool:
    if value is None or isinstance(value, _PLAIN):
        return True
    # Decimal, Fraction and other numbers show themselves; anything that holds items does not.
    return hasattr(value, "__float__") and not hasattr(value, "__len__") and not callable(value)


def _label(value: Any, running: Counter[str]) -> Any:
    if _is_plain(value):
        return value
    name = getattr(value, "__name__", None)
    if callable(value) and isinstance(name, str):
        return name
    stem = "array" if isinstance(value, np.ndarray) else snake_case(type(value).__name__)
    number = running[stem]
    running[stem] += 1
    return f"{stem}_{number}"


def snake_case(name: str) -> str:
    """Return a class name in snake case.

    Examples
    --------
    >>> snake_case("SMAModel"), snake_case("DataFrame"), snake_case("_Rule2")
    ('sma_model', 'data_frame', 'rule2')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return spaced.strip("_").lower()
