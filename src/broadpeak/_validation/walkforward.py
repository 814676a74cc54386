# SPDX-License-Identifier: BSD-3-Clause
"""`walk_forward`: train on the past, test on what follows, again and again."""

from __future__ import annotations

import inspect
import math
import time
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Unpack

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._data.data import Data
from broadpeak._training.accounts import (
    ComponentTest,
    PlannedTest,
    decided_sizing,
    planned_test,
    simulated_tests,
    state_facts,
    strategy_portfolio,
)
from broadpeak._training.components import (
    Bars,
    BarWindow,
    Component,
    TooFewBarsError,
    check_enough,
    only_seen,
    window,
    windows_in,
    windows_of,
)
from broadpeak._training.evaluation import discover_all
from broadpeak._training.guard import check_discovered
from broadpeak._training.mistakes import order_notes
from broadpeak._training.objective import resolve_objective
from broadpeak._training.ordering import strategy_orders
from broadpeak._training.orders import Account, SimulatedOrders, simulate_orders
from broadpeak._training.result import Training
from broadpeak._training.sizing import OF_MONEY, SIZINGS, Budget, Sizing
from broadpeak._training.stitching import PlaceOrders, Turn, stitched_orders
from broadpeak._training.strategy import Strategy, StrategyFunction, as_strategy
from broadpeak._training.train import (
    TrainingPlan,
    TrainingTask,
    offset_cuts,
    plan_training,
    train_many,
)
from broadpeak._training.trained import points_of, trained_values
from broadpeak._training.trainingnotes import joined_notes
from broadpeak._training.trainoptions import SearchArguments, TrainOptions
from broadpeak._validation.splitters import cycles_for_period, split_walk_forward
from broadpeak._validation.walked import WalkForward, cycle_provenance
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import AnyArray, FloatArray

__all__ = ["WalkForward", "split_walk_forward", "walk_forward"]

CYCLES = 10
BORDERS = ("carry", "close")


def walk_forward(
    strategy: Strategy | StrategyFunction,
    data: Data,
    *,
    cycles: int | None = None,
    period: float | None = None,
    split: float = 0.85,
    anchored: bool = False,
    horizon: int = 0,
    border: str = "carry",
    capital: float | None = None,
    sizing: str | None = None,
    whole: bool = False,
    train_sizing: str = "unit",
    retrain_last: bool = True,
    start: Any = None,
    end: Any = None,
    **train_options: Unpack[SearchArguments],
) -> WalkForward:
    """Train on a window of history, test on the bars after it, and move on.

    The tests follow one another without a gap. Together they are one test in which no bar had been
    trained on before it was traded. The last cycle only trains: its parameters are those to trade
    with.

    Parameters
    ----------
    strategy : Strategy or function
        What to train and test.
    data : Data
        Prices.
    cycles : int >= 2, optional
        Number of trainings. Default: 10, or what `period` says.
    period : float, optional
        Bars of one training and its test together, instead of `cycles`; the nearest number of
        cycles is taken.
    split : float in (0, 1), default 0.85
        Share of the training in a cycle.
    anchored : bool, default False
        Let every training start at the first bar, instead of moving its start along.
    horizon : int, default 0
        Bars at the start of each test on which no position is opened (exits go on).
    border : "carry" or "close"
        Whether positions are carried into the next cycle, which then rules their exit, or closed
        at the last close of a cycle.
    capital, sizing, whole
        How large the trades of the tests are: as for `test`. The tests are one account, from the
        first tested bar to the last.
    train_sizing : "unit", "script", "money" or "equity", default "unit"
        How large the trades of the trainings are: ``sizing`` of `train`. With "money" and "equity"
        `capital` and `whole` count for them, too.
    retrain_last : bool, default True
        Whether the last cycle is trained, on the most recent bars.
    start, end : labels of the index, optional
        First and last bar of the whole run, both included. Bars before `start` serve as look-back.
    **train_options
        As of `train`, including those of `execute`. With an engine other than serial, workers train
        whole cycles. With ``samples=`` each cycle trains on all cuts of the finer data, and trades
        the one without a shift; cycles are counted in its bars.

    Returns
    -------
    WalkForward

    Raises
    ------
    ParamError, StrategyError, DataError
        If an argument, the strategy or the prices break a rule, or there is too little history.
    TaskError
        If the strategy raises anything else.

    Warns
    -----
    UserWarning
        The warnings of the trainings, each once for all cycles.

    Notes
    -----
    With T bars after the look-back, N cycles and split s, tests have Q = floor((1 - s) P + 0.5)
    bars where P = T / (s + (N - 1)(1 - s)), and trainings the rest, T - (N - 1) Q. A training
    sees nothing after its end, and its own look-back before its start. In the tests indicators run
    on the whole history with the cycle's parameters, so that a border makes no false crossing.

    With ``select=Ensemble(share)`` each cycle trades a set of its own, and the stitched result is
    the sum of its members, each at its weight. With border "carry", a combination that is in the
    next set too keeps its position, at the size it was opened with. The positions of those that
    leave are ruled by the new ones, in order of rank; a position that nobody takes over, because
    the next set is smaller, is closed at the last close of its cycle.

    Examples
    --------
    >>> import warnings
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=60)
    ... def momentum(s):
    ...     days = s.optimize(20, 10, 50, 10, name="days")
    ...     s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    ...     s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))
    >>> wf = bp.walk_forward(momentum, bp.Data.sample("IBM"), cycles=3)
    >>> len(wf.cycles), len(wf.trainings)
    (3, 3)
    """
    began = time.perf_counter()
    check.one_of("border", border, BORDERS)
    check.flag("retrain_last", retrain_last)
    horizon = check.integer("horizon", horizon, 0)
    size = Sizing.of(sizing, capital=capital, whole=whole)
    own_names = inspect.signature(walk_forward).parameters
    check.one_of("train_sizing", train_sizing, SIZINGS)
    of_trades: dict[str, Any] = {"sizing": train_sizing}
    if train_sizing in OF_MONEY:
        of_trades |= {"capital": capital, "whole": whole}
    options = TrainOptions.of("walk_forward", {**train_options, **of_trades}, own_names)
    cuts = [data] if options.samples is None else offset_cuts(data, options.samples)
    plan, *others = (plan_training(as_strategy(strategy), cut, options) for cut in cuts)
    spans = _cycle_spans(plan, (start, end), cycles, period, split, anchored=anchored)
    checked = _checked(plan, spans) if options.check else {}
    trainings = train_many(
        [
            TrainingTask(plan, one.train, samples=_sample_windows(plan, others, one.train))
            for one in spans
            if retrain_last or one.test is not None
        ],
        options.execute,
        label=lambda at: f"cycle={at + 1}",
    )
    tests, size = _cycle_tests(plan, trainings, spans, size, horizon=horizon, border=border)
    settings = {
        "cycles": len(spans),
        "period": period,
        "split": split,
        "anchored": anchored,
        "horizon": horizon,
        "border": border,
        "retrain_last": retrain_last,
        "start": start,
        "end": end,
        **options.settings(),
        "train_sizing": train_sizing,
        "sizing": sizing,
        "capital": capital,
        "whole": whole,
    }
    portfolio = strategy_portfolio([one.test for one in tests], size)
    result = WalkForward(
        table=_cycle_table(plan, trainings, spans, tests),
        portfolio=portfolio,
        trainings=tuple(trainings),
        strategy=plan.strategy,
        data=cuts[0],
        settings=settings,
        notes=(*checked.values(), *joined_notes(trainings)),
        seconds=time.perf_counter() - began,
    )
    origin = partial(cycle_provenance, trainings[-1], len(trainings), settings, portfolio.facts)
    state_facts(
        portfolio,
        lambda: {"provenance": origin()},
        strategy=plan.strategy.name,
        sample="out of sample",
        costs={one.test.component.asset: one.test.account.costs for one in tests},
        costs_from="none" if options.costs is None else "argument",
        sizing_from="strategy" if sizing is None else "argument",
        params=result.params,
        same_prices=True,
    )
    for note in result.notes:
        warnings.warn(note, stacklevel=2)
    return result


def _checked(plan: TrainingPlan, spans: Sequence[_CycleSpans]) -> dict[str, str]:
    """Check the strategy once, on the bars of all cycles; return what to warn about."""
    lookback = plan.strategy.lookback
    first, last = spans[0].train, spans[-1].train
    seen = {s: BarWindow(first[s].first - lookback, last[s].last) for s in plan.bars}
    found = discover_all(plan.strategy, windows_of(plan.bars, seen))
    checked = check_discovered(plan.strategy, found)
    return checked | order_notes(plan.strategy, (one.run for one in found))


class _CycleSpans(NamedTuple):
    """The bars of one cycle, by asset: those it trains on, and those its values then trade.

    The last cycle has no test.
    """

    train: dict[str, BarWindow]
    test: dict[str, BarWindow] | None


def _cycle_spans(
    plan: TrainingPlan,
    bounds: tuple[Any, Any],
    cycles: int | None,
    period: float | None,
    split: float,
    *,
    anchored: bool,
) -> list[_CycleSpans]:
    """Cut the common calendar into cycles, and those into bars of each asset."""
    if cycles is not None and period is not None:
        rule = "be set by either cycles or period"
        raise ParamError(broken_rule("The number of cycles", rule, (cycles, period)))
    calendar = max(plan.bars.values(), key=len)
    index = calendar.index
    for bars in plan.bars.values():
        if not bars.index.equals(index):
            index = index.union(bars.index)
    if index is not calendar.index:
        calendar = Bars("the data", index, *(np.empty(len(index)),) * 6)
    lookback = plan.strategy.lookback
    span = window(calendar, lookback, *bounds)
    n_bars = span.last - span.first
    if period is not None:
        cycles = cycles_for_period(n_bars, period, split)

    def at(bar: int) -> dict[str, int]:
        """Return the first bar of each asset that is not before evaluated bar `bar`."""
        bar += span.first
        if bar >= len(index):
            return {symbol: len(bars) for symbol, bars in plan.bars.items()}
        return {
            symbol: bar if bars.index is index else int(bars.index.searchsorted(index[bar]))
            for symbol, bars in plan.bars.items()
        }

    spans = []
    for cycle in split_walk_forward(n_bars, CYCLES if cycles is None else cycles, split, anchored):
        begin, end = at(cycle.train_start), at(cycle.train_end)
        until = None if cycle.test_end is None else at(cycle.test_end)
        train, test = {}, {}
        refused: TooFewBarsError | None = None
        for symbol, bars in plan.bars.items():
            first = max(begin[symbol], lookback)
            try:
                check_enough(symbol, end[symbol] - first, lookback, bars.index)
                train[symbol] = BarWindow(first, end[symbol])
            except TooFewBarsError as error:  # it may be looked at, not traded
                refused = refused or error
                train[symbol] = only_seen(end[symbol], lookback)
            if until is not None:
                test[symbol] = BarWindow(end[symbol], until[symbol])
        if refused is not None and all(one.first >= one.last for one in train.values()):
            raise refused
        spans.append(_CycleSpans(train, None if until is None else test))
    return spans


def _sample_windows(
    plan: TrainingPlan, others: Sequence[TrainingPlan], windows: Mapping[str, BarWindow]
) -> tuple[tuple[TrainingPlan, dict[str, BarWindow]], ...]:
    """Return the bars of other cuts of the data, from the first label of a training to its last.

    They begin earlier than its last bar does, so that none of them ends after it.
    """
    found = []
    for other in others:
        spans: dict[str, BarWindow] = {}
        lookback = other.strategy.lookback
        for symbol, one in windows.items():
            index = plan.bars[symbol].index
            own = {symbol: other.bars[symbol]}
            if one.first < one.last:
                labels = index[one.first], index[one.last - 1]
                spans |= windows_in(own, lookback, *labels)
            else:  # it is only looked at
                last = own[symbol].index.searchsorted(index[one.last - 1], side="right")
                spans[symbol] = only_seen(int(last) if one.last else 0, lookback)
        found.append((other, spans))
    return tuple(found)


class _PlaceTest(NamedTuple):
    """The test of one component, or of one place in its ensembles, over all cycles.

    `weights` has the share of the lots in each tested cycle, 0 where nobody takes the place. `full`
    is what becomes of the orders at full size and that of the training, on `account`, so that
    objectives in and out of sample are of the same trades.
    """

    test: ComponentTest
    weights: list[float]
    full: SimulatedOrders
    account: Account


def _cycle_tests(
    plan: TrainingPlan,
    trainings: Sequence[Training],
    spans: Sequence[_CycleSpans],
    sizing: Sizing,
    *,
    horizon: int,
    border: str,
) -> tuple[list[_PlaceTest], Sizing]:
    """Return one test of each component, in which every cycle's values rule its own bars.

    The strategy runs over the whole history with each cycle's values, so that indicators are warm
    and make no false crossing at a border; of its orders those of the cycle's bars are taken.
    Of ensembles there is one test for each place in them. With them comes the sizing that was
    decided on.
    """
    ends = spans[-1].train
    views = windows_of(plan.bars, {s: BarWindow(0, ends[s].last) for s in plan.bars})
    turns = []
    for span, training in zip(spans, trainings, strict=False):
        if span.test is not None:
            values = trained_values(training, "The training")
            # Chosen values may look ahead where the defaults do not.
            notes: list[str] | None = [] if plan.options.check else None
            ordered = strategy_orders(plan.strategy, views, values, mode="test", notes=notes)
            turns.append(Turn(ordered, points_of(training.components), span.test))
    every = [one for turn in turns for one in turn.orders]
    for asset in dict.fromkeys(one.component.asset for one in every):
        if any(turn.segments[asset].first >= turn.segments[asset].last for turn in turns):
            msg = (
                f"{asset} must have bars in every test, got none in one of them "
                f"({len(plan.bars[asset])} bars in all). Pass fewer cycles or another period."
            )
            raise DataError(msg)
    sizing, trained = decided_sizing(sizing, every), plan.options.size()
    stitched = partial(stitched_orders, turns, horizon, border)
    traded = full = stitched(unit_lots=sizing.unit_lots)
    if sizing.unit_lots != trained.unit_lots:
        full = stitched(unit_lots=trained.unit_lots)
    budgets = sizing.budget(len(traded)), trained.budget(len(traded))
    found = []
    for component, places in traded.items():
        segments = [turn.segments[component.asset] for turn in turns]
        if any(one.first >= one.last for one in segments):
            msg = (
                f"{component.asset} must have bars in every test, got none in one of them "
                f"({len(plan.bars[component.asset])} bars in all). Pass fewer cycles or another "
                "period."
            )
            raise DataError(msg)
        first = segments[0].first
        found += _place_tests(plan, places, full[component], first, budgets)
    return found, sizing


def _place_tests(
    plan: TrainingPlan,
    places: Sequence[PlaceOrders],
    trained: Sequence[PlaceOrders],
    first: int,
    budgets: tuple[Budget | None, Budget | None],
) -> list[_PlaceTest]:
    """Return the tests of the places of a component, on its bars from `first` on.

    `trained` are the places with the lots of the training; `budgets` are those of the tests and of
    the training.
    """

    def planned(place: PlaceOrders, budget: Budget | None) -> PlannedTest:
        return planned_test(
            place.ordered,
            place.orders,
            first,
            plan.strategy.fill,
            plan.costs[place.ordered.component.asset],
            flatten=place.flatten,
            weights=place.weights,
            budget=budget,
        )

    of_tests, of_training = budgets
    tests = simulated_tests([planned(place, of_tests) for place in places])
    found = []
    for place, full, test in zip(places, trained, tests, strict=True):
        simulated, account = test.simulated, test.account
        if full is not place or of_training != of_tests or set(place.shares) != {1.0}:
            again = planned(full, of_training)
            account = again.account
            simulated = simulate_orders(again.orders, account)
        found.append(_PlaceTest(test, place.shares, simulated, account))
    return found


def _cycle_table(
    plan: TrainingPlan,
    trainings: Sequence[Training],
    spans: Sequence[_CycleSpans],
    tests: Sequence[_PlaceTest],
) -> pd.DataFrame:
    """Return one row a cycle and component, as `WalkForward.cycles` documents them."""
    # A test of a few months has few trades; its objective is shown as it is.
    objective = resolve_objective(plan.options.objective, 0)
    places: dict[Component, list[_PlaceTest]] = {}
    for one in tests:
        places.setdefault(one.test.component, []).append(one)
    rows, keys, has_members = [], [], False
    dates = next(iter(plan.bars.values())).index.dtype
    has_dates = isinstance(dates, pd.DatetimeTZDtype) or dates.kind == "M"
    never = pd.NaT if has_dates else None  # dates stay dates where a cycle has no test
    for number, (training, span) in enumerate(zip(trainings, spans, strict=False), 1):
        for component, of_component in places.items():
            asset = component.asset
            index = plan.bars[asset].index
            train = span.train[asset]
            found = training.components[component.key]
            row: dict[str, Any] = {
                "train_start": index[train.first],
                "train_end": index[train.last - 1],
                "test_start": never,
                "test_end": never,
                "in_sample": found.traded_objective,
                "out_of_sample": math.nan,
                "trades": math.nan,
                "net": math.nan,
            }
            if span.test is not None:
                first, last = span.test[asset]
                start = spans[0].train[asset].last  # where the test begins
                score, n_trades, net = 0.0, 0, 0.0
                for test, weights, full, account in of_component:
                    if weight := weights[number - 1]:
                        bars = (first - start, last - start)
                        stats, _ = full.segment(account, *bars)
                        score += weight * objective(stats)
                        n_trades += _n_closed(test.simulated.trades, *bars)
                        net += _segment_net(test.simulated.equity, *bars)
                row |= {
                    "test_start": index[first],
                    "test_end": index[last - 1],
                    "out_of_sample": score,
                    "trades": n_trades,
                    "net": net,
                }
            row["members"] = max(len(found.members), 1)
            has_members |= bool(found.members)
            rows.append({**row, **found.params})
            keys.append((number, component.key))
    labels: pd.Index[Any] = pd.MultiIndex.from_tuples(keys, names=["number", "component"])
    if len(places) == 1:
        labels = pd.Index([number for number, _ in keys], name="number")
    table = pd.DataFrame(rows, index=labels)
    if not has_members:
        del table["members"]
    if has_dates:
        dates = table["train_start"].dtype
        other = {name: dates for name in ("test_start", "test_end") if table[name].dtype != dates}
        table = table.astype(other) if other else table
    return table


def _n_closed(trades: AnyArray, first: int, last: int) -> int:
    """Return how many trades were closed on bars [first, last)."""
    ended = (trades["exit_index"] >= first) & (trades["exit_index"] < last)
    return int((ended & (trades["status"] == 1)).sum())


def _segment_net(equity: FloatArray, first: int, last: int) -> float:
    """Return the profit of bars [first, last), marked to market at both borders."""
    return float(equity[last - 1] - (equity[first - 1] if first else 0.0))
