# SPDX-License-Identifier: BSD-3-Clause
"""What a simulation leaves: the order log, and trades and paths made from it on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from broadpeak._core.arrays import read_only
from broadpeak._simulation._kernels.layout import (
    L_BAR,
    L_COLUMN,
    REASONS,
    ROLL_LONG,
    ROLL_SHORT,
    TRADE,
)
from broadpeak._simulation._kernels.trades import all_trades, pnl_paths, position_paths
from broadpeak._simulation._kernels.units import summarize_log
from broadpeak._simulation.rules import Prices
from broadpeak.types import AnyArray, FloatArray, IntArray

EXIT_REASONS = REASONS
"""Names of the codes in `exit_reason`."""


NO_DAYS = read_only(np.zeros(1, dtype=np.int64))


def days_needed(prices: Prices, money: FloatArray) -> IntArray:
    """Return the day of each bar where there is rollover; kernels do not look without."""
    return prices.days if money[..., ROLL_LONG : ROLL_SHORT + 1].any() else NO_DAYS


@dataclass(frozen=True)
class Fills:
    """The order log of one simulation and what follows from it, computed when asked for.

    Attributes
    ----------
    prices : Prices
    price_rows : int64 array, shape (columns,)
        Row of `prices` of each column.
    log : float64 array, shape (orders, 9)
        The log, column after column, as ``_kernels/layout`` names it.
    starts, ends : int64 arrays, shape (columns,)
        Where the orders of each column begin and end.
    money : float64 array, shape (1 or columns, 4)
        Unit cost, rollover long and short, lot amount.
    """

    prices: Prices
    price_rows: IntArray
    log: FloatArray
    starts: IntArray
    ends: IntArray
    money: FloatArray

    @property
    def n_columns(self) -> int:
        """Number of columns simulated."""
        return len(self.starts)

    @cached_property
    def trades(self) -> AnyArray:
        """Trade records (dtype `TRADE`), column after column, in order of exit."""
        prices = self.prices
        open_, high, low = map(prices.on_own_bars, (prices.open, prices.high, prices.low))
        out = np.empty(len(self.log) + self.n_columns, dtype=TRADE)
        n = all_trades(
            self.log, self.starts, self.ends, self.price_rows,
            open_, high, low, prices.own_close, prices.own.bars, prices.own.bounds,
            self.money, days_needed(prices, self.money), out,
        )  # fmt: skip
        return out[:n]

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
        prices = self.prices
        out = np.repeat(np.asarray(start, dtype=np.float64)[:, np.newaxis], prices.shape[1], axis=1)
        pnl_paths(
            out, self.log, self.starts, self.ends, self.price_rows, groups, prices.own_close,
            prices.own.bars, prices.own.bounds, self.money, days_needed(prices, self.money),
        )  # fmt: skip
        return out

    def value(self, capital: float) -> FloatArray:
        """Return ``capital`` plus the profit and loss of all columns, shape (bars,)."""
        path: FloatArray = self.values(np.array([capital]), np.zeros(self.n_columns, np.int64))[0]
        return path

    def figures(
        self, asks: int, order: IntArray, bounds: IntArray, start: FloatArray, capital: float
    ) -> FloatArray:
        """Return the figures of each unit, whose columns are ``order[bounds[u]:bounds[u + 1]]``."""
        prices = self.prices
        found: FloatArray = summarize_log(
            asks, order, bounds, self.log, self.starts, self.ends, self.price_rows,
            prices.shape[1], prices.own_close, prices.own.bars, prices.own.bounds, self.money,
            days_needed(prices, self.money), np.ascontiguousarray(start), capital,
        )  # fmt: skip
        return found

    def positions(self) -> FloatArray:
        """Return signed units at each close, shape (columns, bars)."""
        out = np.empty((self.n_columns, self.prices.shape[1]))
        position_paths(out, self.log, self.starts, self.ends)
        return out


def join_fills(
    parts: Sequence[Fills], bars: Sequence[IntArray], n_bars: int, days: IntArray | None = None
) -> Fills:
    """Return the fills of several simulations on one time axis, one column after another.

    Parameters
    ----------
    parts : sequence of Fills
    bars : sequence of int64 arrays
        For each part the place of its bars on the common axis, increasing.
    n_bars : int
        Length of the common axis; a part has no price on bars that it does not have.
    days : int64 array, shape (n_bars,), optional
        Calendar day of each bar, for rollover.
    """
    lanes = [np.full((4, len(part.prices.close), n_bars), np.nan) for part in parts]
    for lane, part, place in zip(lanes, parts, bars, strict=True):
        prices = part.prices
        for k, given in enumerate((prices.open, prices.high, prices.low, prices.close)):
            lane[k][:, place] = given
    shift = np.cumsum([0, *(len(part.prices.close) for part in parts)])
    begin = np.cumsum([0, *(len(part.log) for part in parts)])
    columns = np.cumsum([0, *(part.n_columns for part in parts)])
    logs = [part.log.copy() for part in parts]
    for log, place, first in zip(logs, bars, columns, strict=False):
        log[:, L_BAR] = np.asarray(place)[log[:, L_BAR].astype(np.int64)]
        log[:, L_COLUMN] += first
    open_, high, low, close = np.concatenate(lanes, axis=1)
    return Fills(
        Prices(open_, high, low, close, days),
        np.concatenate([p.price_rows + k for p, k in zip(parts, shift, strict=False)]),
        np.concatenate(logs),
        np.concatenate([p.starts + k for p, k in zip(parts, begin, strict=False)]),
        np.concatenate([p.ends + k for p, k in zip(parts, begin, strict=False)]),
        np.concatenate([np.broadcast_to(part.money, (part.n_columns, 4)) for part in parts]),
    )
