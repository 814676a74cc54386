# SPDX-License-Identifier: BSD-3-Clause
"""One simulation: prices, orders and rules in; fills, trades and paths out.

>>> import numpy as np
>>> close = np.array([10.0, 11.0, 12.0, 13.0])
>>> orders = Orders(long_entries=np.array([True, False, False, False]))
>>> fills = simulate(Prices(None, None, None, close), orders, Rules(size=1.0, limited=False))
>>> fills.trades["pnl"]
array([3.])
>>> fills.value(100.0)
array([100., 101., 102., 103.])
"""

from __future__ import annotations

import numpy as np

from broadpeak._core.arrays import read_only
from broadpeak._simulation._kernels.layout import TRADE
from broadpeak._simulation.fills import EXIT_REASONS, Fills
from broadpeak._simulation.rules import Lanes, Orders, Prices, Rules, lanes_of
from broadpeak._simulation.simulation import Simulation, Units
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import AnyArray, BoolArray

__all__ = ["EXIT_REASONS", "TRADE", "Fills", "Orders", "Prices", "Rules", "simulate"]


def simulate(prices: Prices, orders: Orders, rules: Rules) -> Fills:
    """Simulate every column on its own account.

    Parameters
    ----------
    prices : Prices
        One price column for all, or one each.
    orders : Orders
    rules : Rules

    Returns
    -------
    Fills

    Raises
    ------
    ParamError
        If shapes do not fit.

    Notes
    -----
    One column costs about what its events cost: between signals and stops nothing is decided.
    """
    n_prices, n_bars = prices.shape
    arrays = (
        orders.long_entries,
        orders.long_exits,
        orders.short_entries,
        orders.short_exits,
        orders.flatten,
    )
    nothing = read_only(np.zeros((1, n_bars), dtype=np.uint8))
    lanes = [nothing if array is None else signal_lanes(array) for array in arrays]
    n_columns = max(n_prices, *(lane.shape[0] for lane in lanes))
    for lane in (prices.close, *lanes):
        if lane.shape[0] not in {1, n_columns} or lane.shape[1] != n_bars:
            rule = f"have {n_bars} bars and 1 or {n_columns} columns"
            raise ParamError(broken_rule("prices and orders", rule, lane.shape))
    return Simulation(
        prices,
        Lanes(prices.close).row_numbers(n_columns),
        [Lanes(lane) for lane in lanes],
        rules,
        Units.single(n_columns),
    ).fills()


def signal_lanes(array: BoolArray) -> AnyArray:
    """Return a bool array as read-only byte lanes."""
    return read_only(lanes_of(np.asarray(array, dtype=np.bool_))).view(np.uint8)
