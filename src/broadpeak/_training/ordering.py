# SPDX-License-Identifier: BSD-3-Clause
"""One run of a strategy over all of its components: what it orders with known values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from broadpeak._training.components import Bars, Component
from broadpeak._training.evaluation import labelled
from broadpeak._training.guard import MOST_CHECKED, Subject, check_subject
from broadpeak._training.mistakes import order_notes
from broadpeak._training.orders import OrderBook
from broadpeak._training.strategy import PlotLine, RunState, Strategy, run_strategy
from broadpeak._training.values import Defaults, TrainedValues
from broadpeak.errors import StrategyError


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
    state = RunState(
        views, tuple(views), values, mode, chosen, lookback=strategy.lookback, models=values.models
    )
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
