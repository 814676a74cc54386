# SPDX-License-Identifier: BSD-3-Clause
"""Longer bars from shorter ones."""

from __future__ import annotations

from typing import Any

import pandas as pd

from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import FloatArray

_RULES = {"open": "first", "high": "max", "low": "min", "close": "last"}


def resample_bars(
    index: pd.Index[Any], fields: dict[str, FloatArray], rule: Any, options: dict[str, Any]
) -> tuple[pd.Index[Any], dict[str, FloatArray]]:
    """Return the bars of `rule`: first open, highest high, lowest low, last close, summed volume.

    Spans without a bar give none.
    """
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError(broken_rule("resample", "have bars with dates", type(index).__name__))
    frame = pd.DataFrame(fields, index=index, copy=False)
    try:
        groups = frame.resample(rule, **options)
    except (TypeError, ValueError) as error:
        remedy = "Type a pandas offset such as '1h', '1D', 'W', 'ME'."
        raise ParamError(broken_rule("rule", "be a span of time", rule, remedy)) from error
    columns: dict[str, pd.Series[Any]] = {}
    for field in fields:
        if field == "volume":
            columns[field] = groups[field].sum(min_count=1)
        else:
            columns[field] = getattr(groups[field], _RULES[field])()
    result = pd.DataFrame(columns)
    result = result[result["close"].notna()]
    return result.index, {field: result[field].to_numpy(copy=True) for field in fields}
