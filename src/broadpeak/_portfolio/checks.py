# SPDX-License-Identifier: BSD-3-Clause
"""What prices and settings of a simulation must be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._portfolio.argument import MarketArgument
from broadpeak._prices.schema import inconsistent
from broadpeak._simulation.rules import Lanes, Prices, Setting
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import FloatArray, IntArray

STOPS = ("sl_stop", "tp_stop", "tsl_stop")
COSTS = ("fees", "fixed_fees", "slippage")
MANY = 0.01  # share of bars beyond which a rule is not broken by single bad bars


def check_bars(column: Any, index: pd.Index[Any] | None, fields: Mapping[str, FloatArray]) -> None:
    """Refuse prices of one column that contradict each other, such as a high below the close.

    Raises
    ------
    DataError
        With column, bar, value and limit.
    """
    for field, rule, bound, broken in inconsistent(fields):
        if not broken.any():
            continue
        bar, count = int(np.argmax(broken)), int(broken.sum())
        at = "" if index is None else f" at {index[bar]}"
        remedy = f"{count - 1} more bars break this rule. " if count > 1 else ""
        if count > max(1.0, MANY * len(broken)):
            remedy += (
                "These prices seem to be adjusted in different ways: an adjusted close must stand "
                "beside open, high and low times adjusted close / close. "
                "Type: data = bp.Data.from_frames({symbol: frame}, adjust=True)"
            )
        else:
            remedy += "Drop or correct these bars."
        owner = f"{field} of column {column}{at} (bar {bar})"
        got = float(fields[field][bar])
        raise DataError(broken_rule(owner, f"be {rule} ({bound[bar]:g})", got, remedy))


def check_costs(settings: Mapping[str, Setting], prices: Prices, price_rows: IntArray) -> None:
    """Refuse costs that are not known on a bar on which a column could trade.

    Raises
    ------
    ParamError
        With the bar.
    """
    for name in COSTS:
        given = settings[name]
        if not isinstance(given, Lanes):
            continue
        unknown = np.isnan(given.values)
        if not unknown.any():
            continue
        rows = given.row_numbers(len(price_rows))
        for row, price in np.unique([rows, price_rows], axis=1).T:
            bad = unknown[row] & ~np.isnan(prices.close[price])
            if bad.any():
                rule = f"be known on every bar with a price (bar {int(bad.argmax())})"
                remedy = f"Type: {name} = {name}.ffill().fillna(0), if that is meant."
                raise ParamError(broken_rule(name, rule, math.nan, remedy))


_RANGES = {
    "size": (0.0, math.inf, "be 0 or more"),
    "fees": (0.0, None, "be 0 or more and finite"),
    "fixed_fees": (0.0, None, "be 0 or more and finite"),
    "slippage": (0.0, 1.0, "be at least 0 and below 1, a share of price"),
    "init_cash": (None, None, "be positive and finite"),
    "sl_stop": (None, math.inf, "be above 0; None is no stop"),
    "tp_stop": (None, math.inf, "be above 0; None is no target"),
    "tsl_stop": (None, math.inf, "be above 0; None is no stop"),
}


USUAL: dict[str, float | None] = {
    "size": math.inf,
    "fees": 0.0,
    "fixed_fees": 0.0,
    "slippage": 0.0,
    "sl_stop": None,
    "tp_stop": None,
    "tsl_stop": None,
    "init_cash": 100.0,
}
"""Default settings, which need no check; None is the default."""


def check_range(name: str, value: MarketArgument | float, size_type: str) -> None:
    """Raise `ParamError` if a value of a setting is out of its range.

    NaN is no stop, and at a bar no size. Costs over bars may be NaN where there is no price, as
    `check_costs` sees to.

    Raises
    ------
    ParamError
        With the rule and the first wrong value.
    """
    wrong: Any
    if isinstance(value, MarketArgument):
        outside = _outside(name, value.lanes, size_type)
        if name not in STOPS and value.lanes.shape[1] == 1:
            outside |= np.isnan(value.lanes)
        bad = value.lanes[outside]
        if bad.size == 0:
            return
        wrong = float(bad.flat[0])
    elif not _outside(name, value, size_type) and (name in STOPS or not math.isnan(value)):
        return
    else:
        wrong = value
    rule = _RANGES[name][2]
    if name == "size" and size_type == "percent":
        rule = "be a share above 0 and up to 1 with size_type='percent'"
    raise ParamError(broken_rule(name, rule, wrong))


def _outside(name: str, value: Any, size_type: str) -> Any:
    if name == "size" and size_type == "percent":
        return (value <= 0.0) | (value > 1.0)
    low, high, _ = _RANGES[name]
    below = value <= 0.0 if low is None else value < low
    if high is None:
        return below | (value == math.inf)
    return below | (value >= high) if math.isfinite(high) else below
