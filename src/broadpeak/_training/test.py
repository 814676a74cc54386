# SPDX-License-Identifier: BSD-3-Clause
"""`test`: a strategy with parameters that are already known."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from broadpeak._core.check import flag
from broadpeak._data.data import Data
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._simulation.costs import Costs, scaled
from broadpeak._simulation.fills import join_fills, stack_fills
from broadpeak._simulation.rules import NO_COSTS
from broadpeak._training.components import (
    Bars,
    BarWindow,
    Component,
    bars_of,
    per_asset,
    window,
    windows_of,
)
from broadpeak._training.ordering import StrategyOrders, strategy_orders
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
from broadpeak._training.stitching import PlaceOrders, place_orders
from broadpeak._training.strategy import PlotLine, Strategy, StrategyFunction, as_strategy
from broadpeak._training.terms import (
    ParamsLike,
    Replay,
    RunTerms,
    Stretch,
    bar_after,
    prices_key,
    sample_of,
    span_of,
    terms_of,
)
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import BoolArray, FloatArray


def test(
    strategy: Strategy | StrategyFunction,
    data: Data,
    params: ParamsLike = None,
    *,
    start: Hashable = None,
    end: Hashable = None,
    costs: Costs | Mapping[str, Costs] | None = None,
    capital: float | None = None,
    sizing: str | None = None,
    whole: bool = False,
    check: bool = True,
) -> Portfolio:
    """Simulate a strategy with trained parameters, or with its defaults.

    Unlike in training, slippage counts, trades cost money instead of being one lot unless the
    strategy sets lots, and a position that is open at the end stays an open record.

    Parameters
    ----------
    strategy : Strategy or function
        What to run; it is called once, over all its components, and a few more times for `check`.
    data : Data
        Prices.
    params : Training, Parameters, path or dict, optional
        Trained values: a training, what `read_par` returns, the path of a parameter file, or
        ``{component: {name: value}}``. None: the defaults of the strategy. An ensemble of a
        training or a file is traded as a whole: each member with its weight. A walk-forward run, or
        the folder with all of its numbered files, is traded as in its tests: each bar with the
        values of the last training that ended before it, those after the last training with
        that one's.
    start, end : labels of the index, optional
        First and last tested bar, both included. Bars before `start` serve as look-back.
    costs : Costs or dict of asset to Costs, optional
        Default: those of `params`, where a training, a walk-forward run or a file with provenance
        knows them; else none.
    capital : float, optional
        Start of the equity, shared by the components. Default: 10,000; with "unit" and "script"
        price · lots · lot amount at the first tested bar, summed over components.
    sizing : "money", "equity", "script" or "unit", optional
        "money": each trade costs its component's share of `capital`, fees and spread inside.
        "equity": it costs all that the component is worth by then, so that profits compound.
        "script": the lots that the strategy sets. "unit": one lot. Default: that of `params`, with
        its `capital` and `whole`, where the tests of a walk-forward run had one or a training was
        not made at one lot; else "script" if the strategy sets lots, and "money" if not.
    whole : bool, default False
        With "money" and "equity": round lots down to whole ones.
    check : bool, default True
        Call the strategy on a few copies of the prices as well, to see that no order depends on
        later bars, nor on more bars before it than `lookback`.

    Returns
    -------
    Portfolio
        Equity of all components together: capital + profit and loss; returns are shares of
        `capital`, with sizing "equity" of the value before. ``.held`` is what holding the same
        symbols would have given, ``.facts`` says what was decided, and ``.components`` holds one
        portfolio a component, by key. Where a component trades an ensemble, columns are
        (component, member), and trades have a column ``member``.

    Raises
    ------
    ParamError, ParFileError, StrategyError, DataError
        If an argument, parameters, strategy or prices break a rule.
    TaskError
        If the strategy raises anything else.

    Notes
    -----
    A trade buys amount / (price of the fill · (1 + fees) + spread + commission) units. Cash never
    limits it: a component that has lost its money goes on with "money", as it does with lots, and
    ends with "equity".

    The members of an ensemble are separate positions on one account: the strategy runs once for
    each, for one component at a time as in training. A member trades its weight: that share of the
    lots, of the component's money, or of the component's equity when it enters. Profits, costs and
    equity are the sums. Nothing is netted: where one member is long and another short, both
    positions are held and both pay their costs.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=60)
    ... def momentum(s):
    ...     days = s.optimize(20, 10, 50, 5, name="days")
    ...     s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    ...     s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))
    >>> portfolio = bp.test(momentum, bp.Data.sample("IBM"), {"IBM": {"days": 30}})
    >>> list(portfolio.components)
    ['IBM']
    """
    plan = as_strategy(strategy)
    terms = terms_of(plan, params, costs=costs, sizing=sizing, capital=capital, whole=whole)
    notes: list[str] | None = [] if flag("check", check) else None
    run = planned_run(plan, data, terms, (start, end), mode="test", notes=notes)
    for note in (*(notes or ()), *run.notes()):
        warnings.warn(note, stacklevel=2)
    return run.portfolio(data)


# A test runner that imports this name must not take it for a test of its own.
test.__test__ = False  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, eq=False)
class PlannedRun:
    """One run of a strategy, before its orders are simulated.

    Attributes
    ----------
    strategy : Strategy
    terms : RunTerms
    sizing : Sizing
        What was decided on.
    plans : list of PlannedTest
    bars, costs : mapping of str
        By asset: all bars of the data, and what is charged.
    """

    strategy: Strategy
    terms: RunTerms
    sizing: Sizing
    plans: list[PlannedTest]
    bars: Mapping[str, Bars]
    costs: Mapping[str, Costs]

    def notes(self) -> list[str]:
        """Return what to warn about."""
        n_unprotected = max(one.orders.n_unprotected for one in self.plans)
        return [unprotected_note(self.strategy, n_unprotected)] if n_unprotected else []

    def portfolio(self, data: Data) -> Portfolio:
        """Return what becomes of the orders, and what is known of the run on `data`."""
        tests, terms = simulated_tests(self.plans), self.terms
        made = strategy_portfolio(tests, self.sizing)
        indexes = [one.bars.index for one in tests]
        state_facts(
            made,
            partial(_origin_facts, terms, self.bars, indexes, is_own=terms.data is data),
            strategy=self.strategy.name,
            costs={asset: self.costs[asset] for asset in traded_assets(tests)},
            costs_from=terms.costs_from,
            sizing_from=terms.sizing_from,
            params=terms.values.table(made.components),
        )
        return made


def _origin_facts(
    terms: RunTerms, bars: Mapping[str, Bars], indexes: Iterable[pd.Index], *, is_own: bool
) -> dict[str, Any]:
    """Return what is known of the bars that the values come from; `is_own`: these very prices."""
    origin, same_prices = terms.provenance, None
    if origin is not None and origin.prices:
        same_prices = is_own or prices_key(bars, origin.costs, origin.period) == origin.prices
    sample = "out of sample"  # each bar of a replay is ruled by a training that ended before it
    if terms.replay is None:
        sample = sample_of(indexes, origin, same_prices=same_prices)
    return {"sample": sample, "same_prices": same_prices, "provenance": origin}


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


def planned_run(
    strategy: Strategy,
    data: Data,
    terms: RunTerms,
    period: tuple[Hashable, Hashable],
    *,
    mode: str,
    notes: list[str] | None = None,
    one_more: bool = False,
) -> PlannedRun:
    """Run the strategy on all components; its orders count from the first evaluated bar on.

    Where there are `notes`, it is checked, and warnings are added to them. With `one_more` its
    orders meet one bar that it did not see, on which every price is the last close.
    """
    lookback = strategy.lookback
    bars = bars_of(data)
    costs = per_asset("costs", terms.costs_of(bars), bars, NO_COSTS, Costs)
    windows = {symbol: window(one, lookback, *period) for symbol, one in bars.items()}
    found: list[tuple[PlaceOrders, int]]
    if terms.replay is not None:
        found, sizing = _replayed(strategy, bars, windows, terms, mode=mode, notes=notes)
    else:
        spans = {s: BarWindow(first - lookback, last) for s, (first, last) in windows.items()}
        views = windows_of(bars, spans)
        ordered_all = strategy_orders(strategy, views, terms.values, mode=mode, notes=notes)
        sizing = decided_sizing(terms.sizing, ordered_all)
        found = []
        for one in ordered_all:
            orders = one.book.merged(lookback, len(one.bars), unit_lots=sizing.unit_lots)
            found.append((PlaceOrders(one, orders, None, one.weight, []), lookback))
    budget = sizing.budget(n_components(place.ordered for place, _ in found))
    plans = []
    for place, first in found:
        ordered, orders, flatten, weights, _ = place.longer() if one_more else place
        cost = costs[ordered.component.asset]
        plans.append(
            planned_test(
                ordered,
                orders,
                first,
                strategy.fill,
                cost,
                flatten=flatten,
                weights=weights,
                budget=budget,
            )
        )
    return PlannedRun(strategy, terms, sizing, plans, bars, costs)


def _replayed(
    strategy: Strategy,
    bars: Mapping[str, Bars],
    windows: Mapping[str, BarWindow],
    terms: RunTerms,
    *,
    mode: str,
    notes: list[str] | None,
) -> tuple[list[tuple[PlaceOrders, int]], Sizing]:
    """Return the orders of a walk-forward run, and the bars from which they count.

    Each bar obeys the last training that ended before it, and those after the last training obey
    that one. As in the run itself the strategy sees the whole history with each training's values.
    """
    replay = terms.replay or Replay((), "carry", 0)
    views = windows_of(bars, {s: BarWindow(0, one.last) for s, one in windows.items()})
    ends = {symbol: len(one) for symbol, one in views.items()}
    begins = [
        {symbol: bar_after(one.index, stretch.after) for symbol, one in views.items()}
        for stretch in replay.stretches
    ]
    begins.append(ends)
    runs: list[tuple[Stretch, list[StrategyOrders]]] = []
    segments: list[dict[str, BarWindow]] = []
    for stretch, first, last in zip(replay.stretches, begins, begins[1:], strict=False):
        own = {symbol: BarWindow(first[symbol], last[symbol]) for symbol in views}
        is_empty = first == last
        # Who trades knows after the last bar of a cycle what the border does with the position,
        # before there is any bar of the next one.
        if is_empty and not (mode == "trade" and runs and _is_over(views, stretch.after)):
            continue
        ordered = strategy_orders(strategy, views, stretch.values, mode=mode, notes=notes)
        runs.append((stretch, ordered))
        segments.append(own)
        if is_empty:
            break
    if not runs:
        rule = "go on after the first training of the walk-forward run"
        got = max((one.index[-1] for one in views.values()), default=None)
        raise DataError(broken_rule("data", rule, got, "Pass more prices, or a later end."))
    sizing = decided_sizing(terms.sizing, [one for _, ordered in runs for one in ordered])
    found = []
    for component in dict.fromkeys(one.component for one in runs[0][1]):
        asset = component.asset
        own_segments = [segment[asset] for segment in segments]
        first_bar = max(own_segments[0].first, windows[asset].first)
        if ends[asset] - first_bar < 2:
            msg = (
                f"{asset} must have at least two bars after the first training of the walk-forward "
                f"run, got {max(ends[asset] - first_bar, 0)}. Pass more prices, or a later end."
            )
            raise DataError(msg)
        places = place_orders(
            [[one for one in ordered if one.component == component] for _, ordered in runs],
            [stretch.points[component.key] for stretch, _ in runs],
            own_segments,
            replay.horizon,
            replay.border,
            unit_lots=sizing.unit_lots,
        )
        found += [(place, first_bar) for place in places]
    return found, sizing


def _is_over(views: Mapping[str, Bars], after: object) -> bool:
    """Return whether the bars end with the last one of a training."""
    return any(
        span_of(one.index, (after, after)) == slice(len(one) - 1, len(one))
        for one in views.values()
    )


def decided_sizing(sizing: Sizing, ordered: Iterable[StrategyOrders]) -> Sizing:
    """Return how trades are sized, now that it is known whether the strategy sets lots."""
    return sizing.decided(sets_lots=any(one.book.sets_lots for one in ordered))


def n_components(ordered: Iterable[StrategyOrders]) -> int:
    """Return how many components there are, an ensemble as one."""
    return len({one.component for one in ordered})


def unprotected_note(strategy: Strategy, n_entries: int) -> str:
    """Return the warning about entries whose stop was not known yet."""
    return (
        f"{strategy.name!r} entered up to {n_entries} trades while its stop was NaN because of "
        f"warm-up, so without a stop. Raise lookback={strategy.lookback} by the period of the stop "
        f"plus unstable_period={strategy.unstable_period}."
    )


# ------------------------------------------------------------------ what becomes of the orders


@dataclass(frozen=True, slots=True, eq=False)
class ComponentTest:
    """The simulated test of one component, or of one member of its ensemble.

    Attributes
    ----------
    component : Component
    bars : Bars
        Tested bars, without the look-back.
    orders : OrderArrays
        Its orders, counted in those bars, at the lots that the strategy set.
    account : Account
    simulated : SimulatedOrders
        What became of them at the lots of the member.
    lines : dict of str to PlotLine
        What the strategy plotted, over the tested bars.
    member : int
        Number of the member, from 1; 0 where the component trades one combination.
    weight : float
        The member's share of the lots at the first tested bar.
    traded : OrderArrays
        The orders at the lots of the member.
    """

    component: Component
    bars: Bars
    orders: OrderArrays
    account: Account
    simulated: SimulatedOrders
    lines: dict[str, PlotLine] = field(default_factory=dict)
    member: int = 0
    weight: float = 1.0
    traded: OrderArrays | None = None

    def own_capital(self) -> float:
        """Return price · lots · lot amount at the first bar (or lots of the first entry)."""
        lots = self.orders.settings["lots"]
        if isinstance(lots, np.ndarray):
            entering = self.orders.enter_long | self.orders.enter_short
            first = float(lots[0])
            # Entries with lots of their own leave the other bars without a number.
            lots = first if first > 0 else float(lots[entering.argmax()]) if entering.any() else 1.0
        capital = self.account.capital * (lots if lots is not None and lots > 0 else 1.0)
        return capital * self.weight


class PlannedTest(NamedTuple):
    """A test of a component, or of one member of its ensemble, that is not simulated yet.

    `orders` are as in `ComponentTest`, and `traded` the same at the lots of the member.
    """

    ordered: StrategyOrders
    bars: Bars
    orders: OrderArrays
    traded: OrderArrays
    account: Account
    lines: dict[str, PlotLine]
    weight: float


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
    weight = float(weights[0]) if isinstance(weights, np.ndarray) else weights
    return PlannedTest(ordered, tested, orders, traded, account, lines, weight)


def simulated_tests(plans: Sequence[PlannedTest]) -> list[ComponentTest]:
    """Simulate tests; those of one component are the members of its ensemble."""
    members: dict[str, list[PlannedTest]] = {}
    for plan in plans:
        members.setdefault(plan.ordered.component.key, []).append(plan)
    found: dict[int, SimulatedOrders] = {}
    for ones in members.values():
        simulated = simulate_members([one.traded for one in ones], [one.account for one in ones])
        found |= zip(map(id, ones), simulated, strict=True)
    return [
        ComponentTest(
            plan.ordered.component,
            plan.bars,
            plan.orders,
            plan.account,
            found[id(plan)],
            plan.lines,
            plan.ordered.member,
            plan.weight,
            plan.traded,
        )
        for plan in plans
    ]


def component_test(
    ordered: StrategyOrders,
    orders: OrderArrays,
    first: int,
    fill: str,
    costs: Costs,
    *,
    flatten: BoolArray | None = None,
    weights: float | FloatArray = 1.0,
) -> ComponentTest:
    """Simulate merged `orders` of a component on its bars from `first` on, at lots.

    `flatten` and `weights` are as for `planned_test`.
    """
    plan = planned_test(ordered, orders, first, fill, costs, flatten=flatten, weights=weights)
    return simulated_tests([plan])[0]


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
        numbers.append(test.member or 1)
    has_members = len(tests) > len(sets)
    shares = _capitals(sets, sizing)
    total = float(sum(shares.values())) if sizing.capital is None else sizing.capital
    compounds = sizing.kind == "equity"
    components, parts, indexes = {}, [], []
    for key, (first, *others) in sets.items():
        fills, lines = first.simulated.fills, first.lines
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
    own = np.array([sum(one.own_capital() for one in members) for members in sets.values()])
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
    tests : tuple of ComponentTest
        Without what was plotted.
    sizing : Sizing
        With the capital of then, which may have followed from the prices.
    component : str
        The key of the one component that is wanted; empty: all of them as one.
    """

    tests: tuple[ComponentTest, ...]
    sizing: Sizing
    component: str = ""

    @classmethod
    def of(
        cls, tests: Iterable[ComponentTest], capital: float, sizing: Sizing, component: str = ""
    ) -> Retrading:
        """Return what is needed of some tests."""
        return cls((*tests,), replace(sizing, capital=capital), component)

    def __call__(self, factor: float) -> Portfolio:
        """Return the portfolio at `factor` times the costs."""
        plans = [
            PlannedTest(
                StrategyOrders(one.component, one.bars, OrderBook(0), {}, one.member, one.weight),
                one.bars,
                one.orders,
                one.orders if one.traded is None else one.traded,
                replace(one.account, costs=scaled(one.account.costs, factor)),
                one.lines,
                one.weight,
            )
            for one in self.tests
        ]
        made = strategy_portfolio(simulated_tests(plans), self.sizing)
        return made.components[self.component] if self.component else made
