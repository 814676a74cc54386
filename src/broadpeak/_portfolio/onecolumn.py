# SPDX-License-Identifier: BSD-3-Clause
"""The short way for one column: plain prices, two signals, settings that are numbers.

What it takes it describes as `simulation_of` does, without matching columns; everything else, and
everything that is wrong, it leaves to that way, which says so.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import numpy as np
import pandas as pd

from broadpeak._core import caches
from broadpeak._core.aliases import Index
from broadpeak._core.check import as_float
from broadpeak._core.lazyframe import recipe_of
from broadpeak._data.data import Data
from broadpeak._portfolio.argument import DEFAULTS, RANGES
from broadpeak._portfolio.known import check_bars, prices_of_close, prices_of_table
from broadpeak._portfolio.labelling import Labels
from broadpeak._signals.crossing import Crossing
from broadpeak._simulation._kernels.layout import ONE_COLUMN
from broadpeak._simulation.rules import Prices, Rules, SharedRows, no_signal
from broadpeak._simulation.simulation import Simulation
from broadpeak._simulation.stops import STOPS
from broadpeak.errors import DataError
from broadpeak.types import IntArray

_FIRST: IntArray = np.zeros(1, dtype=np.int64)
_FIRST.setflags(write=False)
_FLOAT64, _BOOL = np.dtype(np.float64), np.dtype(np.bool_)


def one_column(
    close: object, entries: object, exits: object, settings: tuple[object, ...]
) -> tuple[Simulation, Labels] | None:
    """Return the simulation of one column and its labels; None where the long way must look.

    `settings`: price, size_type, stop_unit, then the settings in the order of `DEFAULTS`.
    """
    try:
        rules = _rules(*settings)
    except (TypeError, ValueError):  # arrays have no hash, lists and wrong numbers no short way
        return None
    index: Index | None = None
    name: Any = None
    prices: Prices | None
    if type(close) is Data:
        table = close._table  # noqa: SLF001  # its frame would be made only to be taken apart
        if not table.single or table.codes is not None or not len(table.index):
            return None
        prices = prices_of_table(table)
        index, name = table.index, table.symbols[0]
    else:
        if type(close) is pd.Series:
            values: Any = close._values  # noqa: SLF001  # without the copy of a view
            index, name = close.index, close.name
        else:
            values = close
        if (
            type(values) is not np.ndarray
            or values.ndim != 1
            or values.dtype != _FLOAT64
            or not values.flags.c_contiguous
            or not len(values)
        ):
            return None
        prices = prices_of_close(values)
        if prices is None:
            return None
        if index is not None:
            try:
                check_bars("close", index)
            except DataError:
                return None
    n_bars = prices.close.shape[1]
    nothing = no_signal(n_bars)
    signals: list[SharedRows | Crossing] = []
    for given in (entries, exits):
        row = nothing if given is None else _row(given, index, n_bars)
        if row is None:
            return None
        signals.append(row)
    return (
        Simulation(prices, _FIRST, (*signals, nothing, nothing, nothing), rules, ONE_COLUMN, None),
        Labels(index, None, None, name, True),  # a keyword costs a tenth more
    )


def _row(given: object, index: Index | None, n_bars: int) -> SharedRows | Crossing | None:
    """Return a signal of one column over these bars, or None where it is none."""
    values: Any = given
    if isinstance(given, pd.Series):
        own = given.index
        if index is None or (own is not index and not own.equals(index)):
            return None
        recipe = recipe_of(given)
        if isinstance(recipe, Crossing):
            return recipe
        if type(given) is not pd.Series:
            return None
        values = given._values  # noqa: SLF001
    if type(values) is not np.ndarray or values.shape != (n_bars,) or values.dtype != _BOOL:
        return None
    return SharedRows(values.view(np.uint8).reshape(1, n_bars))


@lru_cache(maxsize=256, typed=True)
def _rules(price: str, size_type: str, stop_unit: str, *settings: float | None) -> Rules:
    """Return checked rules; `ValueError` where a number is none of a single column's.

    Typed, since True is no number of units, though it equals 1.
    """
    given: dict[str, float | None] = {}
    for (key, default), value in zip(DEFAULTS.items(), settings, strict=True):
        if value is None:
            given[key] = default
            continue
        low, high, _ = RANGES[key]
        number = as_float(value) if type(value) in {float, int} else np.nan
        good = number > 0.0 if low is None else number >= low
        if high is None or np.isfinite(high):
            good = good and number < (np.inf if high is None else high)
        if not good:
            raise ValueError(key)
        given[key] = number
    if size_type == "percent" or not {type(price), type(size_type), type(stop_unit)} <= {str}:
        raise ValueError(size_type)
    stops = {kind.name: given[kind.argument] for kind in STOPS if kind.argument is not None}
    return Rules(
        price=price,
        size=given["size"],
        size_type=size_type,
        stops=stops,
        stop_unit=stop_unit,
        fees=given["fees"],
        fixed_fees=given["fixed_fees"],
        slippage=given["slippage"],
        init_cash=cast("float", given["init_cash"]),
    )


caches.register(_rules.cache_clear)
