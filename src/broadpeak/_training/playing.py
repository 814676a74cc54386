# SPDX-License-Identifier: BSD-3-Clause
"""A strategy run with given values: the orders of every component, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from broadpeak._simulation.costs import Costs
from broadpeak._training.backtest import Account, prices_of, years_of
from broadpeak._training.components import Bars, Component
from broadpeak._training.evaluation import call_strategy, components_of, told
from broadpeak._training.orders import Merged, OrderBook
from broadpeak._training.strategy import Strategy
from broadpeak._training.strategy_run import Curve, StrategyRun
from broadpeak._training.values import Defaults, TrainedValues
from broadpeak.types import BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """One component of a run, before its orders are simulated.

    Attributes
    ----------
    component : Component
    bars : Bars
        Look-back and evaluated bars.
    book : OrderBook
        What was ordered.
    curves : dict of str to Curve
        What was plotted.
    """

    component: Component
    bars: Bars
    book: OrderBook
    curves: dict[str, Curve]


def play(
    strategy: Strategy,
    views: Mapping[str, Bars],
    values: TrainedValues | Defaults,
    *,
    mode: str,
) -> list[Played]:
    """Call the strategy once over all its components.

    Raises
    ------
    ParamError, ParFileError, StrategyError, DataError
        If the strategy or its parameters break a rule.
    TaskError
        If it raises anything else.
    """
    return told(", ".join(views), _play, strategy, views, values, mode)


def _play(
    strategy: Strategy, views: Mapping[str, Bars], values: TrainedValues | Defaults, mode: str
) -> list[Played]:
    if isinstance(values, TrainedValues):
        values.belongs_to(views)
    run = StrategyRun(views, tuple(views), values, mode=mode)
    call_strategy(strategy, run)
    components = components_of(run)
    if isinstance(values, TrainedValues):
        values.check_complete(components)
    return [
        Played(
            component,
            views[component.asset],
            run._books.get(component, OrderBook(len(views[component.asset]))),  # noqa: SLF001
            run._curves.get(component, {}),  # noqa: SLF001
        )
        for component in components
    ]


def trading_account(
    bars: Bars,
    fill: str,
    costs: Costs,
    *,
    flatten: BoolArray | None = None,
) -> Account:
    """Return the account of a test on `bars`, which are all evaluated."""
    return Account(
        prices=prices_of(bars),
        first=0,
        fill=fill,
        costs=costs,
        unit_lots=False,
        flatten=flatten,
        capital=float(bars.close[0]) * costs.lot_amount,
        years=years_of(bars.index),
    )


def cut_orders(orders: Merged, first: int) -> Merged:
    """Return the orders from bar `first` on, counted from there."""
    cut: dict[str, Any] = {
        name: value[first:] if isinstance(value, np.ndarray) else value
        for name, value in ((name, getattr(orders, name)) for name in _ARRAYS)
    }
    return Merged(**cut, cold_stops=orders.cold_stops)


_ARRAYS = tuple(name for name in Merged.__dataclass_fields__ if name != "cold_stops")


def capital_of(orders: Merged, account: Account) -> float:
    """Return price · lots · lot amount at the first bar, or with the lots of the first entry."""
    lots = orders.lots
    if isinstance(lots, np.ndarray):
        entering = orders.enter_long | orders.enter_short
        first = float(lots[0])
        # Entries with lots of their own leave the other bars without a number.
        lots = first if first > 0 else float(lots[entering.argmax()]) if entering.any() else 1.0
    return account.capital * (lots if lots is not None and lots > 0 else 1.0)
