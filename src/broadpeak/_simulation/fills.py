# SPDX-License-Identifier: BSD-3-Clause
"""What a simulation leaves: the order log, and trades and paths made from it on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from broadpeak._core.arrays import read_only
from broadpeak._metrics._kernels.summary import N_FIGURES, as_summary
from broadpeak._simulation._kernels.layout import (
    L_BAR,
    L_COLUMN,
    ROLL_LONG,
    ROLL_SHORT,
    Groups,
    OrderLog,
    SettingsPool,
)
from broadpeak._simulation._kernels.run import summarize_log, summarize_long_log
from broadpeak._simulation._kernels.trades import all_trades, pnl_paths, position_paths
from broadpeak._simulation.rules import NO_CHARGES, Prices
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray

NO_DAYS = read_only(np.zeros(1, dtype=np.int64))


@dataclass(frozen=True)
class Fills:
    """The order log of one simulation and what follows from it, computed on first use.

    Attributes
    ----------
    prices : Prices
    price_rows : int64 array, shape (columns,)
        Row of `prices` of each column.
    log : OrderLog
        Column after column, as ``_kernels/layout`` names it.
    costs : float64 array, shape (1 or columns, 4)
        Unit cost, rollover long and short, lot amount.
    long : bool array, shape (columns,), optional
        Which columns are long or out, with all their cash; None: that is not known of any.
    charges : SettingsPool
        Settings of the simulation; those of fees are read where `long` is given.
    """

    prices: Prices
    price_rows: IntArray
    log: OrderLog
    costs: FloatArray
    long: BoolArray | None = None
    charges: SettingsPool = NO_CHARGES

    @property
    def n_columns(self) -> int:
        """Number of columns simulated."""
        return len(self.log.starts)

    @cached_property
    def rolls(self) -> bool:
        """Whether rollover is paid anywhere."""
        return bool(self.costs[:, ROLL_LONG : ROLL_SHORT + 1].any())

    @property
    def _days(self) -> IntArray:
        return self.prices.days if self.rolls else NO_DAYS  # kernels do not look without

    @cached_property
    def trades(self) -> AnyArray:
        """Trade records (dtype `TRADE`), column after column, in order of exit."""
        return self._records(*map(self.prices.on_own_bars, self.prices.filled), extremes=True)

    @cached_property
    def results(self) -> AnyArray:
        """The same records without their extremes (mae and mfe), whose search takes longest."""
        close = self.prices.own.close
        return self._records(close, close, close, extremes=False)

    def _records(
        self, open_: FloatArray, high: FloatArray, low: FloatArray, *, extremes: bool
    ) -> AnyArray:
        found: AnyArray = all_trades(
            self.log, self.price_rows, open_, high, low, self.prices.own, self.costs, self._days,
            extremes,
        )  # fmt: skip
        return found

    def pnl(self) -> FloatArray:
        """Return profit and loss of each column at each close, marked to market, costs paid."""
        return self.values(np.zeros(self.n_columns), np.arange(self.n_columns))

    def values(self, start: FloatArray, groups: IntArray) -> FloatArray:
        """Return the value of each group at each close.

        Parameters
        ----------
        start : float64 array, shape (groups,)
            Value before the first bar.
        groups : int64 array, shape (columns,)
            Group of each column.

        Returns
        -------
        float64 array, shape (groups, bars)
            On a bar that a column does not have it is worth what it was.
        """
        n_bars = self.prices.shape[1]
        out = np.repeat(np.asarray(start, dtype=np.float64)[:, np.newaxis], n_bars, axis=1)
        pnl_paths(out, self.log, self.price_rows, groups, self.prices.own, self.costs, self._days)
        return out

    def value(self, capital: float) -> FloatArray:
        """Return ``capital`` plus the profit and loss of all columns, shape (bars,)."""
        path: FloatArray = self.values(np.array([capital]), np.zeros(self.n_columns, np.int64))[0]
        return path

    def summary(self, needs: int, groups: Groups, start: FloatArray, capital: float) -> AnyArray:
        """Return the summary (dtype `SUMMARY`) of each group."""
        found = np.zeros((len(groups.bounds) - 1, N_FIGURES))
        own, start, n_bars = self.prices.own, np.ascontiguousarray(start), self.prices.shape[1]
        long = groups.alone(self.long)
        if long.any():
            summarize_long_log(
                found, needs, groups, self.log, self.price_rows, n_bars, own, start, long,
                self.charges, self.prices.table_for(needs),
            )  # fmt: skip
        if not long.all():
            summarize_log(
                found, needs, groups, self.log, self.price_rows, n_bars, own, self.costs,
                self._days, start, capital, long,
            )  # fmt: skip
        return as_summary(found)

    def single(self, column: int) -> Fills:
        """Return the fills of one column alone."""
        first, last = int(self.log.starts[column]), int(self.log.ends[column])
        orders = self.log.orders[first:last].copy()
        orders[:, L_COLUMN] = 0
        bounds = np.zeros(1, dtype=np.int64), np.array([last - first], dtype=np.int64)
        row = self.price_rows[column : column + 1]
        costs = self.costs[column : column + 1] if len(self.costs) > 1 else self.costs
        return Fills(self.prices, row, OrderLog(orders, *bounds), costs)

    def positions(self) -> FloatArray:
        """Return signed units at each close, shape (columns, bars)."""
        out = np.empty((self.n_columns, self.prices.shape[1]))
        position_paths(out, self.log)
        return out


def stack_fills(parts: Sequence[Fills]) -> Fills:
    """Return the fills of several simulations of one column each, all on the same prices."""
    begin = np.cumsum([0, *(len(part.log.orders) for part in parts)])
    orders = np.concatenate([part.log.orders for part in parts])
    orders[:, L_COLUMN] = np.repeat(np.arange(len(parts)), np.diff(begin))
    return Fills(
        parts[0].prices,
        np.concatenate([part.price_rows for part in parts]),
        OrderLog(
            orders,
            np.concatenate([p.log.starts + k for p, k in zip(parts, begin, strict=False)]),
            np.concatenate([p.log.ends + k for p, k in zip(parts, begin, strict=False)]),
        ),
        np.concatenate([part.costs for part in parts]),
    )


def join_fills(
    parts: Sequence[Fills], bars: Sequence[IntArray], n_bars: int, days: IntArray | None = None
) -> Fills:
    """Return the fills of several simulations on one time axis, one column after another.

    Parameters
    ----------
    parts : sequence of Fills
    bars : sequence of int64 arrays
        For each part the positions of its bars on the common axis, increasing.
    n_bars : int
        Length of the common axis; a part has no price on bars that it does not have.
    days : int64 array, shape (n_bars,), optional
        Calendar day of each bar, for rollover.
    """
    prices = [np.full((4, len(part.prices.close), n_bars), np.nan) for part in parts]
    for own, part, position in zip(prices, parts, bars, strict=True):
        for k, given in enumerate((*part.prices.filled, part.prices.close)):
            own[k][:, position] = given
    shift = np.cumsum([0, *(len(part.prices.close) for part in parts)])
    begin = np.cumsum([0, *(len(part.log.orders) for part in parts)])
    columns = np.cumsum([0, *(part.n_columns for part in parts)])
    orders = [part.log.orders.copy() for part in parts]
    for own_orders, position, first in zip(orders, bars, columns, strict=False):
        own_orders[:, L_BAR] = np.asarray(position)[own_orders[:, L_BAR].astype(np.int64)]
        own_orders[:, L_COLUMN] += first
    open_, high, low, close = np.concatenate(prices, axis=1)
    return Fills(
        Prices(open_, high, low, close, days),
        np.concatenate([p.price_rows + k for p, k in zip(parts, shift, strict=False)]),
        OrderLog(
            np.concatenate(orders),
            np.concatenate([p.log.starts + k for p, k in zip(parts, begin, strict=False)]),
            np.concatenate([p.log.ends + k for p, k in zip(parts, begin, strict=False)]),
        ),
        np.concatenate([np.repeat(p.costs, p.n_columns // len(p.costs), axis=0) for p in parts]),
    )
