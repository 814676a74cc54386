# SPDX-License-Identifier: BSD-3-Clause
"""Oversampling: one history cut into bars in several ways."""

from __future__ import annotations

from typing import Any

import pandas as pd

from broadpeak._core import check
from broadpeak._data.data import Data
from broadpeak.errors import DataError, ParamError, broken_rule


def offset_cuts(data: Data, samples: Any) -> list[Data]:
    """Return `data` itself, or its cuts into bars with offsets 0, bar / m and so on.

    Raises
    ------
    ParamError
        If `samples` is no pair of a bar and a number, or the bar has no fixed length.
    DataError
        If the bars of `data` are too long to be shifted like this.
    """
    if samples is None:
        return [data]
    if not isinstance(samples, (tuple, list)) or len(samples) != 2:
        remedy = 'Pass finer data and samples=("4h", 4), say.'
        raise ParamError(broken_rule("samples", "be (bar, number of cuts)", samples, remedy))
    bar, number = _length(samples[0]), check.integer("the number of samples", samples[1], 1)
    if not isinstance(data, Data):
        raise ParamError(broken_rule("data", "be a bp.Data", data))
    if not isinstance(data.index, pd.DatetimeIndex) or len(data) < 2:
        raise DataError(broken_rule("data", "have bars with dates to be sampled", len(data)))
    finest = (data.index[1:] - data.index[:-1]).min()
    if finest > bar / number:
        rule = f"have bars of at most {bar / number}, a {number}th of {bar}"
        raise DataError(broken_rule("data", rule, str(finest), "Pass finer data or fewer cuts."))
    return [data.resample(samples[0], offset=bar * k / number) for k in range(number)]


def _length(bar: Any) -> pd.Timedelta:
    try:
        length = pd.Timedelta(bar)
    except (TypeError, ValueError, OverflowError):
        length = pd.Timedelta(0)
    if not length > pd.Timedelta(0):  # NaT is not above it either
        remedy = "Weeks and months have no fixed length."
        raise ParamError(broken_rule("samples", 'name a bar such as "4h"', bar, remedy))
    return length
