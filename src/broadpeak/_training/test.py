# SPDX-License-Identifier: BSD-3-Clause
"""`test`: a strategy with parameters that are already known."""

from __future__ import annotations

import os
import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.check import flag
from broadpeak._data.data import Data
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._simulation.costs import Costs, scaled
from broadpeak._simulation.fills import join_fills, stack_fills
from broadpeak._simulation.rules import NO_COSTS
from broadpeak._store.par import Parameters, read_par
from broadpeak._training.components import Bars, Component, bars_of, per_asset, window
from broadpeak._training.evaluation import labelled
from broadpeak._training.fits import FittedModels
from broadpeak._training.guard import MOST_CHECKED, Subject, check_subject
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
from broadpeak._training.strategy import (
    PlotLine,
    RunState,
    Strategy,
    StrategyFunction,
    as_strategy,
    run_strategy,
)
from broadpeak._training.values import Defaults, TrainedValues
from broadpeak.errors import (
    BroadpeakError,
    ParamError,
    ParFileError,
    StrategyError,
    broken_rule,
)
from broadpeak.types import BoolArray, FloatArray


class _Trained(Protocol):
    """An object with chosen values, such as a `Training`; components may have `members`."""

    @property
    def params(self) -> Mapping[str, Mapping[str, float]]: ...
    @property
    def components(self) -> Mapping[str, object]: ...


ParamsLike: TypeAlias = (
    "_Trained | Parameters | Defaults | str | os.PathLike[str] | "
    "Mapping[str, Mapping[str, float]] | None"
)
"""A training, what `read_par` returns, a path, ``{component: {name: value}}``, or the defaults."""


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
        training or a file is traded as a whole: each member with its weight.
    start, end : labels of the index, optional
        First and last tested bar, both included. Bars before `start` serve as look-back.
    costs : Costs or dict of asset to Costs, optional
        Default: none. They are not taken over from a training.
    capital : float, optional
        Start of the equity, shared by the components. Default: 10,000; with "unit" and "script"
        price · lots · lot amount at the first tested bar, summed over components.
    sizing : "money", "equity", "script" or "unit", optional
        "money": each trade costs its component's share of `capital`, fees and spread inside.
        "equity": it costs all that the component is worth by then, so that profits compound.
        "script": the lots that the strategy sets. "unit": one lot. Default: "script" if the
        strategy sets lots, else "money".
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
    size = Sizing.of(sizing, capital=capital, whole=whole)
    tests, size = component_tests(
        as_strategy(strategy),
        data,
        params,
        (start, end),
        costs,
        mode="test",
        sizing=size,
        guarded=flag("check", check),
    )
    return strategy_portfolio(tests, size)


# A test runner that imports this name must not take it for a test of its own.
test.__test__ = False  # type: ignore[attr-defined]


def component_tests(
    strategy: Strategy,
    data: Data,
    params: ParamsLike,
    period: tuple[Hashable, Hashable],
    costs: Costs | Mapping[str, Costs] | None,
    *,
    mode: str,
    sizing: Sizing,
    guarded: bool = False,
) -> tuple[list[ComponentTest], Sizing]:
    """Run the strategy and simulate every component from its first evaluated bar on.

    With them comes the sizing that was decided on.
    """
    lookback = strategy.lookback
    views = bars_of(data)
    table = per_asset("costs", costs, views, NO_COSTS, Costs)
    for symbol, bars in views.items():
        where = window(bars, lookback, *period)
        views[symbol] = bars.window(where.first - lookback, where.last)
    notes: list[str] | None = [] if guarded else None
    values = values_for(strategy, params)
    ordered_all = strategy_orders(strategy, views, values, mode=mode, notes=notes)
    sizing = decided_sizing(sizing, ordered_all)
    budget = sizing.budget(n_components(ordered_all))
    plans, n_unprotected = [], 0
    for ordered in ordered_all:
        orders = ordered.book.merged(lookback, len(ordered.bars), unit_lots=sizing.unit_lots)
        n_unprotected = max(n_unprotected, orders.n_unprotected)
        costs_of = table[ordered.component.asset]
        plans.append(
            planned_test(
                ordered,
                orders,
                lookback,
                strategy.fill,
                costs_of,
                weights=ordered.weight,
                budget=budget,
            )
        )
    if n_unprotected:
        notes = [*(notes or ()), unprotected_note(strategy, n_unprotected)]
    for note in notes or ():
        warnings.warn(note, stacklevel=3)
    return simulated_tests(plans), sizing


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


# ------------------------------------------------------------------ one run over all components


class StrategyOrders(NamedTuple):
    """What a strategy ordered and plotted for one component; not simulated yet.

    `bars` are the look-back and the evaluated bars. Of an ensemble it is one `member`, from 1, with
    its `weight`; 0 where a component trades one combination.
    """

    component: Component
    bars: Bars
    book: OrderBook
    lines: dict[str, PlotLine]
    member: int = 0
    weight: float = 1.0


def strategy_orders(
    strategy: Strategy,
    views: Mapping[str, Bars],
    values: TrainedValues | Defaults,
    *,
    mode: str,
    notes: list[str] | None = None,
) -> list[StrategyOrders]:
    """Call the strategy once over all its components; of ensembles once for each member.

    Where there are `notes`, it is checked for look-ahead, and warnings about it are added to them.

    Raises
    ------
    ParamError, ParFileError, StrategyError, DataError
        If the strategy or its parameters break a rule.
    TaskError
        If it raises anything else.
    """
    label = f"component={', '.join(views)}"
    if isinstance(values, TrainedValues) and values.sets:
        return labelled(label, partial(_ensemble_orders, strategy, views, values, mode, notes))
    return labelled(label, partial(_strategy_orders, strategy, views, values, mode, notes))


def _strategy_orders(
    strategy: Strategy,
    views: Mapping[str, Bars],
    values: TrainedValues | Defaults,
    mode: str,
    notes: list[str] | None = None,
    chosen: Component | None = None,
) -> list[StrategyOrders]:
    if isinstance(values, TrainedValues):
        values.belongs_to(views)
    state = RunState(views, tuple(views), values, mode, chosen, models=values.models)
    run_strategy(strategy, state)
    components = state.finished_components()
    if isinstance(values, TrainedValues):
        ran = components if chosen is None else [one for one in components if one == chosen]
        values.check_complete(ran)
    if notes is not None:
        notes += check_subject(Subject(strategy, state, views, chosen, lambda: values)).values()
    return [
        StrategyOrders(
            component,
            views[component.asset],
            state.orders_of(component),
            state.lines.get(component, {}),
        )
        for component in components
    ]


def _ensemble_orders(
    strategy: Strategy,
    views: Mapping[str, Bars],
    values: TrainedValues,
    mode: str,
    notes: list[str] | None,
) -> list[StrategyOrders]:
    """Run the strategy once for each member of each component, that component alone.

    So each member has all of its own values, the common ones and the models for them, too. The
    first few members of each component are checked.
    """
    first = values.first_component(views)
    known = _strategy_orders(strategy, views, values.at(0, first.key), mode, notes, first)
    found = []
    others: list[str] = []
    for at, ordered in enumerate(known):
        component = ordered.component
        for rank, (_, weight) in enumerate(values.members(component.key)):
            own = ordered
            if rank or component != first:
                source = values.at(rank, component.key)
                checked = notes if rank == 0 or notes is None else others
                checked = checked if rank < MOST_CHECKED else None
                runs = _strategy_orders(strategy, views, source, mode, checked, component)
                if [one.component for one in runs] != [one.component for one in known]:
                    msg = (
                        "s.loop() must list the same components in every run, got others for "
                        f"member {rank + 1} of {component.key!r}."
                    )
                    raise StrategyError(msg)
                own = runs[at]
            found.append(own._replace(member=rank + 1, weight=weight))
    if notes is not None and not notes:
        notes += others[:1]  # what is said of one member need not be said of all
    return found


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


# ------------------------------------------------------------------ parameters as users pass them

_REMEDY = "Pass a Training, bp.read_par(path), or {component: {name: value}}."


def values_for(strategy: Strategy, params: ParamsLike) -> TrainedValues | Defaults:
    """Return the source of values that `params` means; None means the defaults.

    Raises
    ------
    ParamError, ParFileError
        If `params` is nothing that holds parameters, or belongs to another strategy.
    """
    if params is None:
        return Defaults()
    if isinstance(params, Defaults):
        return params
    if isinstance(params, (str, os.PathLike)):
        params = read_par(check.path("params", params, _REMEDY))
    if isinstance(params, Parameters):
        if params.strategy and params.strategy != strategy.name:
            msg = (
                f"The parameter file must be of strategy {strategy.name!r}, got one of "
                f"{params.strategy!r}. Train this strategy, or correct the line '# strategy' if it "
                "was renamed."
            )
            raise ParFileError(msg)
        named = all(line.named for line in params.components.values())
        return trained_values(params, "The parameter file", named=named, error=ParFileError)
    if hasattr(params, "params") and hasattr(params, "components"):  # a Training
        return trained_values(params, "The training")
    if not isinstance(params, Mapping):
        raise ParamError(broken_rule("params", "hold parameters", params, _REMEDY))
    for key, values in params.items():
        typed: tuple[object, object] = (key, values)
        if not isinstance(typed[0], str) or not isinstance(typed[1], Mapping):
            rule = "be {component: {name: value}}"
            raise ParamError(broken_rule("params", rule, params, _REMEDY))
        for name, value in values.items():
            check.number(f"params[{key!r}][{name!r}]", value)
    if not params:
        raise ParamError(broken_rule("params", "name at least one component", params, _REMEDY))
    return TrainedValues(dict(params), named=True, source="params", error=ParamError)


def trained_values(
    trained: _Trained,
    source: str,
    *,
    named: bool = True,
    error: type[BroadpeakError] = ParamError,
) -> TrainedValues:
    """Return the values of a training or a file; of an ensemble all members."""
    table = dict(trained.params)
    sets = {}
    for key, one in trained.components.items():
        if members := getattr(one, "members", ()):
            table[key] = members[0].params
            sets[key] = [(member.params, member.weight) for member in members]
    if sets:
        sets = {key: sets.get(key) or [(values, 1.0)] for key, values in table.items()}
    models = getattr(trained, "models", None)
    return TrainedValues(
        table,
        named=named,
        source=source,
        error=error,
        sets=sets,
        models=models if isinstance(models, FittedModels) else None,
    )
