# SPDX-License-Identifier: BSD-3-Clause
"""What a simulation leaves: the order log, and trades and paths made from it on demand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from broadpeak.portfolio._kernels.layout import REASONS, TRADE
from broadpeak.portfolio._kernels.trades import all_trades, pnl_paths, position_paths
from broadpeak.portfolio.rules import Prices
from broadpeak.types import AnyArray, FloatArray, IntArray

EXIT_REASONS = REASONS
"""Names of the codes in `exit_reason`."""


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
    starts, ends : int64 arrays, shape (columns,)
        Where the orders of each column begin and end.
    money : float64 array
        Unit cost, rollover long and short, lot amount.
    """

    prices: Prices
    price_rows: IntArray
    ints: IntArray
    floats: FloatArray
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
        out = np.empty(len(self.ints) + self.n_columns, dtype=TRADE)
        n = all_trades(
            self.ints, self.floats, self.starts, self.ends, self.price_rows,
            prices.open, prices.high, prices.low, prices.mark, self.money, prices.days, out,
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
            out, self.ints, self.floats, self.starts, self.ends, self.price_rows, groups,
            self.prices.mark, self.money, self.prices.days,
        )  # fmt: skip
        return out

    def value(self, capital: float) -> FloatArray:
        """Return ``capital`` plus the profit and loss of all columns, shape (bars,)."""
        path: FloatArray = capital + self.pnl(np.zeros(self.n_columns, dtype=np.int64))[0]
        return path

    def positions(self) -> FloatArray:
        """Return signed units at each close, shape (columns, bars)."""
        out = np.empty((self.n_columns, self.prices.shape[1]))
        position_paths(out, self.ints, self.floats, self.starts, self.ends)
        return out
