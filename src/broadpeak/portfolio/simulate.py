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

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from broadpeak.errors import ParamError, broken_rule
from broadpeak.portfolio._kernels.columns import run_columns
from broadpeak.portfolio._kernels.layout import REASONS
from broadpeak.portfolio._kernels.trades import all_trades, pnl_paths, position_paths
from broadpeak.portfolio.rules import Orders, Pool, Prices, Rules, lanes_of, pool_settings, sealed
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray

EXIT_REASONS = REASONS
"""Names of the codes in `exit_reason`."""

TRADE = np.dtype(
    [
        ("column", np.int64),
        ("direction", np.int8),
        ("size", np.float64),
        ("entry_index", np.int64),
        ("exit_index", np.int64),
        ("entry_price", np.float64),
        ("exit_price", np.float64),
        ("entry_fees", np.float64),
        ("exit_fees", np.float64),
        ("roll", np.float64),
        ("pnl", np.float64),
        ("return", np.float64),
        ("status", np.int8),
        ("exit_reason", np.int8),
        ("bars", np.int64),
        ("mae", np.float64),
        ("mfe", np.float64),
    ],
    align=True,
)
"""One trade. direction: 1 long, -1 short; status: 1 closed, 0 open; exit_reason: `EXIT_REASONS`."""

_ONE = np.zeros((1, 6), dtype=np.int64)
_ONE.flags.writeable = False


@dataclass(frozen=True)
class Fills:
    """The order log of one simulation and what follows from it, computed when asked for.

    Attributes
    ----------
    prices : Prices
    price_rows : int64 array, shape (columns,)
        Row of `prices` of each column.
    ints, floats : arrays, shape (orders, 4) and (orders, 5)
        The log, column after column, as ``_kernels/layout`` names it.
    starts : int64 array, shape (columns + 1,)
        Where the orders of each column begin.
    money : float64 array
        Unit cost, rollover long and short, lot amount.
    """

    prices: Prices
    price_rows: IntArray
    ints: IntArray
    floats: FloatArray
    starts: IntArray
    money: FloatArray

    @property
    def n_columns(self) -> int:
        """Number of columns simulated."""
        return len(self.starts) - 1

    @cached_property
    def trades(self) -> AnyArray:
        """Trade records (dtype `TRADE`), column after column, in order of exit."""
        prices = self.prices
        out = np.empty(len(self.ints) + self.n_columns, dtype=TRADE)
        n = all_trades(
            self.ints, self.floats, self.starts, self.price_rows, prices.open, prices.high,
            prices.low, prices.mark, self.money, prices.days, out,
        )  # fmt: skip
        return out[:n]

    def pnl(self, groups: IntArray | None = None) -> FloatArray:
        """Return profit and loss at each close, marked to market, costs paid.

        Parameters
        ----------
        groups : int64 array, shape (columns,), optional
            Lane that each column is added to; default one lane a column.

        Returns
        -------
        float64 array, shape (lanes, bars)
        """
        groups = np.arange(self.n_columns) if groups is None else groups
        lanes = int(groups.max()) + 1 if len(groups) else 0
        out = np.zeros((lanes, self.prices.shape[1]))
        pnl_paths(
            out, self.ints, self.floats, self.starts, self.price_rows, groups, self.prices.mark,
            self.money, self.prices.days,
        )  # fmt: skip
        return out

    def value(self, capital: float) -> FloatArray:
        """Return ``capital`` plus the profit and loss of all columns, shape (bars,)."""
        path: FloatArray = capital + self.pnl(np.zeros(self.n_columns, dtype=np.int64))[0]
        return path

    def positions(self) -> FloatArray:
        """Return signed units at each close, shape (columns, bars)."""
        out = np.empty((self.n_columns, self.prices.shape[1]))
        position_paths(out, self.ints, self.floats, self.starts)
        return out


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
    nothing = sealed(np.zeros((1, n_bars), dtype=np.uint8))
    lanes = [nothing if array is None else signal_lanes(array) for array in arrays]
    n_columns = max(n_prices, *(lane.shape[0] for lane in lanes))
    for lane in (prices.close, *lanes):
        if lane.shape[0] not in {1, n_columns} or lane.shape[1] != n_bars:
            rule = f"have {n_bars} bars and 1 or {n_columns} columns"
            raise ParamError(broken_rule("prices and orders", rule, lane.shape))
    rows = _ONE
    if n_columns > 1:
        every = np.arange(n_columns, dtype=np.int64)
        rows = np.zeros((n_columns, 6), dtype=np.int64)
        for k, lane in enumerate((prices.close, *lanes)):
            if lane.shape[0] > 1:
                rows[:, k] = every
    pool = pool_settings(rules.settings(), n_columns, n_bars)
    return run(prices, lanes, rows, rules, pool)


def signal_lanes(array: BoolArray) -> AnyArray:
    """Return a bool array as sealed byte lanes."""
    return sealed(lanes_of(np.asarray(array, dtype=np.bool_))).view(np.uint8)


def run(prices: Prices, lanes: list[AnyArray], rows: IntArray, rules: Rules, pool: Pool) -> Fills:
    """Run the kernel on checked lanes; `rows` says which row of each input a column reads."""
    n_columns = len(rows)
    cash = np.empty(n_columns)
    cash[:] = rules.init_cash
    money = rules.money()
    le, lx, se, sx, flat = lanes
    ints, floats, starts = run_columns(
        prices.open, prices.high, prices.low, prices.close, le, lx, se, sx, flat,
        sealed(rows), cash, sealed(pool.values), sealed(pool.offsets), sealed(pool.steps),
        rules.modes(), money,
        prices.days,
    )  # fmt: skip
    return Fills(prices, np.ascontiguousarray(rows[:, 0]), ints, floats, starts, money)
