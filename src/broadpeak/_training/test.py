# SPDX-License-Identifier: BSD-3-Clause
"""`test`: a strategy with parameters that are already known."""

from __future__ import annotations

import os
import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.check import flag, one_of
from broadpeak._data.data import Data
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._simulation.costs import Costs
from broadpeak._simulation.fills import join_fills, stack_fills
from broadpeak._simulation.rules import NO_COSTS
from broadpeak._store.par import Parameters, read_par
from broadpeak._training.components import Bars, Component, bars_of, per_asset, window
from broadpeak._training.evaluation import labelled
from broadpeak._training.fits import FittedModels
from broadpeak._training.guard import MOST_CHECKED, Subject, check_subject
from broadpeak._training.mistakes import order_notes
from broadpeak._training.orders import (
    Account,
    OrderArrays,
    OrderBook,
    SimulatedOrders,
    account_on,
    days_of,
    simulate_orders,
)
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

SIZINGS = ("unit", "script")


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
    sizing: str = "script",
    check: bool = True,
) -> Portfolio:
    """Simulate a strategy with trained parameters, or with its defaults.

    Unlike in training, slippage counts, sizes are those the strategy sets, and a position that is
    open at the end stays an open record.

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
        Start of the equity. Default: price · lots · lot amount at the first tested bar, summed
        over components. It never limits what is traded.
    sizing : "script" or "unit"
        Trade the lots that the strategy sets, or one lot.
    check : bool, default True
        Call the strategy on a few copies of the prices as well, to see that no order depends on
        later bars, nor on more bars before it than `lookback`.

    Returns
    -------
    Portfolio
        Equity of all components together: capital + profit and loss. ``.components`` holds one
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
    The members of an ensemble are separate positions on one account: the strategy runs once for
    each, for one component at a time as in training, its lots are multiplied by the member's
    weight, and profits, costs and equity are the sums. Nothing is netted: where one member is long
    and another short, both positions are held and both pay their costs.

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
    one_of("sizing", sizing, SIZINGS)
    tests = component_tests(
        as_strategy(strategy),
        data,
        params,
        (start, end),
        costs,
        mode="test",
        unit_lots=sizing == "unit",
        guarded=flag("check", check),
    )
    return strategy_portfolio(tests, capital)


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
    unit_lots: bool,
    guarded: bool = False,
) -> list[ComponentTest]:
    """Run the strategy and simulate every component from its first evaluated bar on."""
    lookback = strategy.lookback
    views = bars_of(data)
    table = per_asset("costs", costs, views, NO_COSTS, Costs)
    for symbol, bars in views.items():
        where = window(bars, lookback, *period)
        views[symbol] = bars.window(where.first - lookback, where.last)
    tests, n_unprotected = [], 0
    notes: list[str] | None = [] if guarded else None
    values = values_for(strategy, params)
    for ordered in strategy_orders(strategy, views, values, mode=mode, notes=notes):
        orders = ordered.book.merged(lookback, len(ordered.bars), unit_lots=unit_lots)
        n_unprotected = max(n_unprotected, orders.n_unprotected)
        costs_of = table[ordered.component.asset]
        tests.append(
            component_test(
                ordered, orders, lookback, strategy.fill, costs_of, weights=ordered.weight
            )
        )
    if n_unprotected:
        notes = [*(notes or ()), unprotected_note(strategy, n_unprotected)]
    for note in notes or ():
        warnings.warn(note, stacklevel=3)
    return tests


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
        notes += order_notes(strategy, [state]).values()
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
    """

    component: Component
    bars: Bars
    orders: OrderArrays
    account: Account
    simulated: SimulatedOrders
    lines: dict[str, PlotLine] = field(default_factory=dict)
    member: int = 0
    weight: float = 1.0

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
    """Simulate merged `orders` of a component on its bars from `first` on.

    `weights` are the shares of the lots that the member trades: one, or one for each of `orders`.
    """
    tested = ordered.bars.window(first, len(ordered.bars))
    flatten = None if flatten is None else flatten[first:]
    account = account_on(tested, 0, fill, costs, flatten=flatten)
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
    return ComponentTest(
        ordered.component,
        tested,
        orders,
        account,
        simulate_orders(traded, account),
        lines,
        ordered.member,
        float(weights[0]) if isinstance(weights, np.ndarray) else weights,
    )


def strategy_portfolio(tests: Sequence[ComponentTest], capital: float | None) -> Portfolio:
    """Return the portfolio of all components: each on its own bars, equity on all of them.

    Parameters
    ----------
    tests : sequence of ComponentTest
    capital : float or None
        Start of the equity; None: price · lots · lot amount at each component's first bar, summed.

    Raises
    ------
    ParamError
        If `capital` is not a positive number.
    """
    sets: dict[str, list[ComponentTest]] = {}
    own: dict[str, float] = {}
    keys, numbers = [], []
    for test in tests:
        key = test.component.key
        sets.setdefault(key, []).append(test)
        own[key] = own.get(key, 0.0) + test.own_capital()
        keys.append(key)
        numbers.append(test.member or 1)
    has_members = len(tests) > len(sets)
    capitals = np.array([*own.values()])
    total = float(capitals.sum()) if capital is None else check_capital(capital)
    # A capital that was passed is divided in the proportion that components have by default.
    shares = capitals * (total / capitals.sum())
    components, parts, indexes = {}, [], []
    for (key, (first, *others)), share in zip(sets.items(), shares, strict=True):
        fills, lines = first.simulated.fills, first.lines
        if others:  # what was plotted belongs to a member, not to the whole
            fills, lines = stack_fills([one.simulated.fills for one in sets[key]]), {}
        parts.append(fills)
        indexes.append(first.bars.index)
        components[key] = Portfolio.from_fills(
            fills,
            first.bars.index,
            capital=float(share),
            columns=pd.Index([key] * (1 + len(others)), name="component"),
            name=key,
            plots={(line.panel, line.name): line.values for line in lines.values()},
            members=range(1, 2 + len(others)) if has_members else None,
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
        columns=pd.Index(keys, name="component"),
        components=components,
        members=numbers if has_members else None,
    )


def check_capital(capital: object) -> float:
    """Return `capital` as a float, or raise `ParamError` unless it is a positive number."""
    money = check.real(capital)
    if money is None or not 1e-100 < money < 1e100:
        raise ParamError(broken_rule("capital", "be a positive number of money", capital))
    return float(money)


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
