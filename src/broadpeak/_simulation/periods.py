# SPDX-License-Identifier: BSD-3-Clause
"""The bars that each column or group of a portfolio has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from broadpeak._metrics.calendar import bars_per_year_of
from broadpeak._simulation._kernels import layout as at
from broadpeak._simulation.rules import Prices
from broadpeak._simulation.simulation import Units
from broadpeak.types import FloatArray, IntArray


def bars_of_units(
    prices: Prices, price_rows: IntArray, units: Units
) -> list[IntArray | None] | None:
    """Return the bars on which each unit has a price; None: each has all of them."""
    if not prices.has_nan:
        return None
    present = ~np.isnan(prices.close)
    found: list[IntArray | None] = []
    for first, last in zip(units.bounds[:-1], units.bounds[1:], strict=True):
        rows = np.unique(price_rows[units.order[first:last]])
        there = present[rows].any(axis=0)
        found.append(None if there.all() else np.flatnonzero(there))
    return found


def per_year_of_units(
    index: pd.Index[Any] | None, given: float | None, figures: FloatArray
) -> FloatArray:
    """Return the bars a year of each unit: the given number, or what its own bars say."""
    if given is not None:
        return np.full(len(figures), given)
    return bars_per_year_of(index, figures[:, at.F_BARS : at.F_LAST + 1])
