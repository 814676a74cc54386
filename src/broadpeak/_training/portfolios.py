# SPDX-License-Identifier: BSD-3-Clause
"""From played components to a portfolio: each on its own bars, their profits summed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._simulation.costs import Costs
from broadpeak._simulation.fills import join_fills
from broadpeak._training.backtest import Account, Result, days_of, simulate_orders
from broadpeak._training.components import Bars, Component
from broadpeak._training.orders import Merged
from broadpeak._training.playing import capital_of, cut_orders, trading_account
from broadpeak._training.strategy_run import Curve
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class ComponentTest:
    """One component's simulated test.

    Attributes
    ----------
    component : Component
    bars : Bars
        Tested bars, without the look-back.
    orders : Merged
        Its orders, counted in those bars.
    account : Account
    result : Result
    curves : dict of str to Curve
        What the strategy plotted, over the tested bars.
    """

    component: Component
    bars: Bars
    orders: Merged
    account: Account
    result: Result
    curves: dict[str, Curve] = field(default_factory=dict)


def part_of(
    component: Component,
    bars: Bars,
    orders: Merged,
    first: int,
    fill: str,
    costs: Costs,
    *,
    flatten: BoolArray | None = None,
    curves: dict[str, Curve] | None = None,
) -> ComponentTest:
    """Simulate merged `orders` on the bars from `first` on."""
    tested = bars.window(first, len(bars))
    mask = None if flatten is None else flatten[first:]
    account = trading_account(tested, fill, costs, flatten=mask)
    cut = cut_orders(orders, first)
    lines = {
        name: Curve(name, np.asarray(curve.values)[first:], curve.panel)
        for name, curve in (curves or {}).items()
    }
    return ComponentTest(component, tested, cut, account, simulate_orders(cut, account), lines)


def strategy_portfolio(parts: Sequence[ComponentTest], capital: float | None) -> Portfolio:
    """Return the portfolio of all components: each on its own bars, equity on all of them.

    Parameters
    ----------
    parts : sequence of Part
    capital : float or None
        Start of the equity; None: price · lots · lot amount at each component's first bar, summed.

    Raises
    ------
    ParamError
        If `capital` is not a positive number.
    """
    own = np.array([capital_of(part.orders, part.account) for part in parts])
    total = float(own.sum()) if capital is None else check_capital(capital)
    # A capital that was given is shared out as the components would have asked for it.
    shares = own * (total / own.sum())
    components = {
        part.component.key: Portfolio.from_fills(
            part.result.fills,
            part.bars.index,
            capital=float(share),
            columns=pd.Index([part.component.key], name="component"),
            name=part.component.key,
        )
        for part, share in zip(parts, shares, strict=True)
    }
    index = parts[0].bars.index
    for part in parts[1:]:
        if not part.bars.index.equals(index):
            index = index.union(part.bars.index)
    fills = parts[0].result.fills
    if len(parts) > 1:
        places = [index.get_indexer(part.bars.index).astype(np.int64) for part in parts]
        joined = [part.result.fills for part in parts]
        fills = join_fills(joined, places, len(index), days_of(index))
    keys = pd.Index(list(components), name="component")
    return Portfolio.from_fills(fills, index, capital=total, columns=keys, components=components)


def check_capital(capital: Any) -> float:
    """Return `capital` as a float, or raise `ParamError` unless it is a positive number."""
    money = check.real(capital)
    if money is None or not 1e-100 < money < 1e100:
        raise ParamError(broken_rule("capital", "be a positive number of money", capital))
    return float(money)
