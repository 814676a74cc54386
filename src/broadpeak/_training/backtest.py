# SPDX-License-Identifier: BSD-3-Clause
"""From merged orders to trades, equity and statistics: how strategies use the portfolio kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._simulation.costs import Costs
from broadpeak._simulation.fills import Fills
from broadpeak._simulation.rules import Orders, Prices, Rules
from broadpeak._simulation.simulation import simulate
from broadpeak._simulation.stops import STOPS
from broadpeak._training.components import Bars
from broadpeak._training.orders import Merged
from broadpeak._training.performance import Stats
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """How the orders of one component become trades.

    Attributes
    ----------
    prices : Prices
        The bars as lanes.
    first : int
        First bar whose signals count.
    fill : "nextopen" or "close"
    costs : Costs
    unit_lots : bool
        Trade one lot whatever the strategy asks for.
    flatten : array of bool (n_bars,), or None
        Bars at whose close the position is closed.
    capital : float
        What returns are shares of: one lot at the first evaluated close.
    years : float
        Length of the evaluated period; 0 without dates.
    slope : float
        Trend per bar that is taken out of the results; 0 leaves them.
    """

    prices: Prices
    first: int
    fill: str
    costs: Costs
    unit_lots: bool
    flatten: BoolArray | None
    capital: float
    years: float
    slope: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Trades of one component, and its profit at each evaluated close."""

    trades: AnyArray
    equity: FloatArray
    fills: Fills

    def stats(self, account: Account, *, recency: float = 1.0) -> Stats:
        """Return the statistics of the evaluated bars."""
        return Stats.of_records(
            self.trades,
            self.equity,
            first=account.first,
            capital=account.capital,
            years=account.years,
            recency=recency,
            slope=account.slope,
        )


def training_account(
    bars: Bars, first: int, fill: str, costs: Costs, *, unit_lots: bool, detrend: bool
) -> Account:
    """Return the account of a training, in which the last close ends every position."""
    flatten = np.zeros(len(bars), dtype=np.bool_)
    flatten[-1] = True
    slope = (bars.close[-1] - bars.close[first]) / (len(bars) - 1 - first) if detrend else 0.0
    return Account(
        prices=prices_of(bars),
        first=first,
        fill=fill,
        costs=costs,
        unit_lots=unit_lots,
        flatten=flatten,
        capital=float(bars.close[first]) * costs.lot_amount,
        years=years_of(bars.index[first:]),
        slope=float(slope),
    )


def simulate_orders(orders: Merged, account: Account) -> Result:
    """Simulate the orders of one component."""
    fills = simulate(
        account.prices,
        Orders(
            orders.enter_long,
            orders.exit_long,
            orders.enter_short,
            orders.exit_short,
            account.flatten,
        ),
        rules_of(orders, account),
    )
    equity = fills.pnl()[0]
    if account.slope:
        held = np.concatenate([[0.0], np.cumsum(fills.positions()[0])[:-1]])
        equity = equity - account.slope * held
    return Result(fills.results, equity[account.first :], fills)


def rules_of(orders: Merged, account: Account) -> Rules:
    """Return the rules of a strategy run: distances in price, never limited by cash."""
    return Rules(
        price=account.fill,
        size=orders.lots,
        stops={kind.name: getattr(orders, kind.name) for kind in STOPS},
        stop_unit="price",
        limited=False,
        init_cash=0.0,
        costs=account.costs,
    )


def prices_of(bars: Bars) -> Prices:
    """Return the bars as lanes for the simulation."""
    return Prices(bars.open, bars.high, bars.low, bars.close, days_of(bars.index))


def days_of(index: pd.Index[Any]) -> IntArray | None:
    """Return the calendar day of each bar, in the time zone of the index; None without dates."""
    if not isinstance(index, pd.DatetimeIndex):
        return None
    days: IntArray = index.tz_localize(None).to_numpy().astype("datetime64[D]").astype(np.int64)
    return days


def years_of(index: pd.Index[Any]) -> float:
    """Return the years between first and last bar; 0 without dates."""
    if not isinstance(index, pd.DatetimeIndex) or len(index) < 2:
        return 0.0
    return float((index[-1] - index[0]) / pd.Timedelta(days=365.25))
