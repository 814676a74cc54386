# SPDX-License-Identifier: BSD-3-Clause
"""What becomes of orders: tests of components, and the account that they are together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._simulation.costs import Costs, scaled
from broadpeak._simulation.fills import join_fills, stack_fills
from broadpeak._training.components import Bars, Component
from broadpeak._training.ordering import StrategyOrders
from broadpeak._training.orders import (
    Account,
    Entry,
    OrderArrays,
    OrderBook,
    SimulatedOrders,
    account_on,
    days_of,
    simulate_members,
)
from broadpeak._training.sizing import Budget, Sizing
from broadpeak._training.strategy import PlotLine
from broadpeak.types import BoolArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class PlannedTest:
    """A test of one component, or of one member of its ensemble, that is not simulated yet.

    Attributes
    ----------
    component : Component
    member : int
        Number of the member, from 1; 0 where the component trades one combination.
    bars : Bars
        Tested bars, without the look-back.
    orders : OrderArrays
        Its orders, counted in those bars, at the lots that the strategy set.
    traded : OrderArrays
        The same at the lots of the member.
    account : Account
    lines : dict of str to PlotLine
        What the strategy plotted, over the tested bars.
    weights : float or array
        The member's share of the lots: the same at every bar, or one a bar.
    """

    component: Component
    member: int
    bars: Bars
    orders: OrderArrays
    traded: OrderArrays
    account: Account
    lines: Mapping[str, PlotLine]
    weights: float | FloatArray

    def weight_at(self, bar: int) -> float:
        """Return the member's share of the lots at a bar."""
        return float(self.weights[bar]) if isinstance(self.weights, np.ndarray) else self.weights

    def own_capital(self) -> float:
        """Return price · lots · lot amount at the first bar (or lots of the first entry)."""
        lots = self.orders.settings["lots"]
        if isinstance(lots, np.ndarray):
            entering = self.orders.enter_long | self.orders.enter_short
            first = float(lots[0])
            # Lots that are made of prices may not be known yet at the first bar.
            lots = first if first > 0 else float(lots[entering.argmax()]) if entering.any() else 1.0
        capital = self.account.capital * (lots if lots is not None and lots > 0 else 1.0)
        return capital * self.weight_at(0)


@dataclass(frozen=True, slots=True, eq=False)
class ComponentTest:
    """A planned test, and what became of its orders at the lots of the member."""

    plan: PlannedTest
    simulated: SimulatedOrders

    @property
    def component(self) -> Component:
        """What was tested."""
        return self.plan.component

    @property
    def bars(self) -> Bars:
        """Tested bars, without the look-back."""
        return self.plan.bars

    @property
    def account(self) -> Account:
        """How its orders became trades."""
        return self.plan.account


def planned_test(
    ordered: StrategyOrders,
    orders: OrderArrays,
    first: int,
    fill: str,
    costs: Costs,
    *,
    flatten: BoolArray | None = None,
    weights: float | FloatArray = 1.0,
    budget: Budget | None = None,
) -> PlannedTest:
    """Return the test of merged `orders` of a component on its bars from `first` on.

    `weights` are the shares of the lots that the member trades: one, or one for each of `orders`.
    """
    tested = ordered.bars.window(first, len(ordered.bars))
    flatten = None if flatten is None else flatten[first:]
    account = account_on(tested, 0, fill, costs, flatten=flatten, budget=budget)
    orders = traded = orders.since(first)
    if isinstance(weights, np.ndarray):
        weights = weights[first:]
        traded = orders.scaled(weights)
    elif weights != 1:
        traded = orders.scaled(weights)
    lines = {
        name: line._replace(values=np.asarray(line.values)[first:])
        for name, line in ordered.lines.items()
    }
    component, member = ordered.component, ordered.member
    return PlannedTest(component, member, tested, orders, traded, account, lines, weights)


def simulated_tests(plans: Sequence[PlannedTest]) -> list[ComponentTest]:
    """Simulate tests; those of one component are the members of its ensemble."""
    members: dict[str, list[PlannedTest]] = {}
    for plan in plans:
        members.setdefault(plan.component.key, []).append(plan)
    found: dict[int, SimulatedOrders] = {}
    for ones in members.values():
        simulated = simulate_members([one.traded for one in ones], [one.account for one in ones])
        found |= zip(map(id, ones), simulated, strict=True)
    return [ComponentTest(plan, found[id(plan)]) for plan in plans]


def strategy_portfolio(
    tests: Sequence[ComponentTest], sizing: Sizing, *, is_held: bool = False
) -> Portfolio:
    """Return the portfolio of all components: each on its own bars, equity on all of them.

    Parameters
    ----------
    tests : sequence of ComponentTest
    sizing : Sizing
        Its `capital` is the start of the equity; None: price · lots · lot amount at each
        component's first bar, summed.
    is_held : bool
        These are the symbols held, with nothing to be held against.
    """
    sets: dict[str, list[ComponentTest]] = {}
    keys, numbers = [], []
    for test in tests:
        sets.setdefault(test.component.key, []).append(test)
        keys.append(test.component.key)
        numbers.append(test.plan.member or 1)
    has_members = len(tests) > len(sets)
    shares = _capitals(sets, sizing)
    total = float(sum(shares.values())) if sizing.capital is None else sizing.capital
    compounds = sizing.kind == "equity"
    components, parts, indexes = {}, [], []
    for key, (first, *others) in sets.items():
        fills, lines = first.simulated.fills, first.plan.lines
        if others:  # what was plotted belongs to a member, not to the whole
            fills, lines = stack_fills([one.simulated.fills for one in sets[key]]), {}
        parts.append(fills)
        indexes.append(first.bars.index)
        components[key] = Portfolio.from_fills(
            fills,
            first.bars.index,
            capital=shares[key],
            compounds=compounds,
            columns=pd.Index([key] * (1 + len(others)), name="component"),
            name=key,
            plots={(line.panel, line.name): line.values for line in lines.values()},
            members=range(1, 2 + len(others)) if has_members else None,
            hold=None if is_held else Holding.of([first], shares[key], sizing),
            retrade=Retrading.of(sets[key], shares[key], sizing, key),
            facts=_facts(sizing, shares[key]),
        )
    index = indexes[0]
    for each in indexes[1:]:
        if not each.equals(index):
            index = index.union(each)
    fills = parts[0]
    if len(parts) > 1:
        positions = [index.get_indexer(each).astype(np.int64) for each in indexes]
        fills = join_fills(parts, positions, len(index), days_of(index))
    return Portfolio.from_fills(
        fills,
        index,
        capital=total,
        compounds=compounds,
        columns=pd.Index(keys, name="component"),
        components=components,
        members=numbers if has_members else None,
        hold=None if is_held else Holding.of(tests, total, sizing),
        retrade=Retrading.of(tests, total, sizing),
        facts=_facts(sizing, total),
    )


def _facts(sizing: Sizing, capital: float) -> dict[str, object]:
    return {"sizing": sizing.kind, "capital": capital, "whole": sizing.whole}


def _capitals(sets: Mapping[str, Sequence[ComponentTest]], sizing: Sizing) -> dict[str, float]:
    """Return the capital of every component."""
    budget = sizing.budget(len(sets))
    if budget is not None:
        return dict.fromkeys(sets, budget.amount)
    own = np.array([sum(one.plan.own_capital() for one in members) for members in sets.values()])
    if sizing.capital is not None:
        # A capital that was passed is divided in the proportion that components have by default.
        own = own * (sizing.capital / own.sum())
    return dict(zip(sets, own.tolist(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Holding:
    """Symbols bought at the first tested close and held to the last one, when asked for.

    Attributes
    ----------
    assets : tuple of (Bars, Costs)
    capital : float
        Money of all symbols together, in equal parts.
    whole : bool
        Only whole lots are bought.
    """

    assets: tuple[tuple[Bars, Costs], ...]
    capital: float
    whole: bool

    @classmethod
    def of(cls, tests: Iterable[ComponentTest], capital: float, sizing: Sizing) -> Holding:
        """Return the holding of the symbols that were tested."""
        assets = {one.component.asset: (one.bars, one.account.costs) for one in tests}
        return cls((*assets.values(),), capital, sizing.whole)

    def __call__(self) -> Portfolio:
        """Return the portfolio."""
        sizing = Sizing("equity", self.whole, self.capital)
        budget = sizing.budget(len(self.assets))
        plans = []
        for bars, costs in self.assets:
            book = OrderBook(len(bars))
            book.enter("long", Entry(np.arange(len(bars)) == 0, {"lots": 1.0}))
            orders = book.merged(0, len(bars), unit_lots=True)
            held = StrategyOrders(Component(bars.asset), bars, book, {})
            plans.append(planned_test(held, orders, 0, "close", costs, budget=budget))
        return strategy_portfolio(simulated_tests(plans), sizing, is_held=True)


@dataclass(frozen=True, slots=True, eq=False)
class Retrading:
    """The orders of a test, to be traded again at other costs when that is asked for.

    Attributes
    ----------
    plans : tuple of PlannedTest
    sizing : Sizing
        With the capital of then, which may have followed from the prices.
    component : str
        The key of the one component that is wanted; empty: all of them as one.
    """

    plans: tuple[PlannedTest, ...]
    sizing: Sizing
    component: str = ""

    @classmethod
    def of(
        cls, tests: Iterable[ComponentTest], capital: float, sizing: Sizing, component: str = ""
    ) -> Retrading:
        """Return what is needed of some tests."""
        plans = tuple(one.plan for one in tests)
        return cls(plans, replace(sizing, capital=capital), component)

    def __call__(self, factor: float) -> Portfolio:
        """Return the portfolio at `factor` times the costs."""
        plans = [
            replace(one, account=replace(one.account, costs=scaled(one.account.costs, factor)))
            for one in self.plans
        ]
        made = strategy_portfolio(simulated_tests(plans), self.sizing)
        return made.components[self.component] if self.component else made


def traded_assets(tests: Iterable[ComponentTest]) -> list[str]:
    """Return the assets of all components, each once."""
    return [*dict.fromkeys(one.component.asset for one in tests)]


def state_facts(made: Portfolio, find: Callable[[], Mapping[str, Any]], **facts: Any) -> None:
    """Write down in a portfolio and in those of its components what was tested and how.

    What takes a while is found by `find`, once for all of them, when somebody asks.
    """
    found = cache(lambda: {**facts, **find()})
    for one in (made, *made.components.values()):
        one.tell(found)


def decided_sizing(sizing: Sizing, ordered: Iterable[StrategyOrders]) -> Sizing:
    """Return how trades are sized, now that it is known whether the strategy sets lots."""
    return sizing.decided(sets_lots=any(one.book.sets_lots for one in ordered))


def n_components(ordered: Iterable[StrategyOrders]) -> int:
    """Return how many components there are, an ensemble as one."""
    return len({one.component for one in ordered})
