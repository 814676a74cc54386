# SPDX-License-Identifier: BSD-3-Clause
"""`walk_forward`: train on the past, test on what follows, again and again."""

from __future__ import annotations

import inspect
import itertools
import math
import time
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, Unpack

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._data.data import Data
from broadpeak._training.components import Bars, BarWindow, Component, check_enough, window
from broadpeak._training.evaluation import discover_all
from broadpeak._training.guard import check_discovered
from broadpeak._training.mistakes import order_notes
from broadpeak._training.objective import resolve_objective
from broadpeak._training.orders import (
    SETTINGS,
    OrderArrays,
    OrderBook,
    Setting,
    SimulatedOrders,
    simulate_orders,
)
from broadpeak._training.result import ComponentTraining, Training
from broadpeak._training.strategy import Strategy, StrategyFunction, as_strategy
from broadpeak._training.test import (
    ComponentTest,
    StrategyOrders,
    check_capital,
    component_test,
    strategy_orders,
    strategy_portfolio,
    trained_values,
)
from broadpeak._training.train import (
    TrainArguments,
    TrainingPlan,
    TrainingTask,
    TrainOptions,
    joined_notes,
    plan_training,
    train_many,
)
from broadpeak._validation.splitters import cycles_for_period, split_walk_forward
from broadpeak._validation.walked import WalkForward
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import BoolArray, FloatArray

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
    retrain_last: bool = True,
    start: Any = None,
    end: Any = None,
    **train_options: Unpack[TrainArguments],
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
    capital : float, optional
        As for `test`.
    retrain_last : bool, default True
        Whether the last cycle is trained, on the most recent bars.
    start, end : labels of the index, optional
        First and last bar of the whole run, both included. Bars before `start` serve as look-back.
    **train_options
        As of `train`, including those of `execute`. With an engine other than serial, workers train
        whole cycles.

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
    if capital is not None:
        check_capital(capital)
    own_names = inspect.signature(walk_forward).parameters
    options = TrainOptions.of("walk_forward", train_options, own_names)
    if options.samples is not None:
        remedy = "Resample the data, or train each window with bp.train(…, start=, end=, samples=)."
        rule = "be left out of a walk-forward run"
        raise ParamError(broken_rule("samples", rule, options.samples, remedy))
    plan = plan_training(as_strategy(strategy), data, options)
    spans = _cycle_spans(plan, (start, end), cycles, period, split, anchored=anchored)
    checked = _checked(plan, spans) if options.check else {}
    trainings = train_many(
        [TrainingTask(plan, one.train) for one in spans if retrain_last or one.test is not None],
        options.execute,
        label=lambda at: f"cycle={at + 1}",
    )
    tests = _cycle_tests(plan, trainings, spans, horizon=horizon, border=border)
    settings = {
        "cycles": len(spans),
        "period": period,
        "split": split,
        "anchored": anchored,
        "horizon": horizon,
        "border": border,
        "capital": capital,
        "retrain_last": retrain_last,
        "start": start,
        "end": end,
        **options.settings(),
    }
    result = WalkForward(
        table=_cycle_table(plan, trainings, spans, tests),
        portfolio=strategy_portfolio([one.test for one in tests], capital),
        trainings=tuple(trainings),
        strategy=plan.strategy,
        data=data,
        settings=settings,
        notes=(*checked.values(), *joined_notes(trainings)),
        seconds=time.perf_counter() - began,
    )
    for note in result.notes:
        warnings.warn(note, stacklevel=2)
    return result


def _checked(plan: TrainingPlan, spans: Sequence[_CycleSpans]) -> dict[str, str]:
    """Check the strategy once, on the bars of all cycles; return what to warn about."""
    lookback = plan.strategy.lookback
    first, last = spans[0].train, spans[-1].train
    views = {
        symbol: bars.window(first[symbol].first - lookback, last[symbol].last)
        for symbol, bars in plan.bars.items()
    }
    found = discover_all(plan.strategy, views)
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
    whole = window(calendar, lookback, *bounds)
    n_bars = whole.last - whole.first
    if period is not None:
        cycles = cycles_for_period(n_bars, period, split)

    def at(bar: int) -> dict[str, int]:
        """Return the first bar of each asset that is not before evaluated bar `bar`."""
        bar += whole.first
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
        for symbol, bars in plan.bars.items():
            first = max(begin[symbol], lookback)
            check_enough(symbol, end[symbol] - first, lookback, bars.index)
            train[symbol] = BarWindow(first, end[symbol])
            if until is not None:
                if until[symbol] <= end[symbol]:
                    msg = (
                        f"{symbol} must have bars in every test, got none in one of them "
                        f"({len(bars)} bars in all). Pass fewer cycles or another period."
                    )
                    raise DataError(msg)
                test[symbol] = BarWindow(end[symbol], until[symbol])
        spans.append(_CycleSpans(train, None if until is None else test))
    return spans


class _PlaceTest(NamedTuple):
    """The test of one component, or of one place in its ensembles, over all cycles.

    `weights` has the share of the lots in each tested cycle, 0 where nobody takes the place; `full`
    is what becomes of the orders at full lots.
    """

    test: ComponentTest
    weights: list[float]
    full: SimulatedOrders


def _cycle_tests(
    plan: TrainingPlan,
    trainings: Sequence[Training],
    spans: Sequence[_CycleSpans],
    *,
    horizon: int,
    border: str,
) -> list[_PlaceTest]:
    """Return one test of each component, in which every cycle's values rule its own bars.

    The strategy runs over the whole history with each cycle's values, so that indicators are warm
    and make no false crossing at a border; of its orders those of the cycle's bars are taken.
    Of ensembles there is one test for each place in them.
    """
    ends = spans[-1].train
    views = {symbol: bars.window(0, ends[symbol].last) for symbol, bars in plan.bars.items()}
    runs: list[tuple[dict[str, BarWindow], Training, dict[Component, list[StrategyOrders]]]] = []
    for span, training in zip(spans, trainings, strict=False):
        if span.test is not None:
            of_component: dict[Component, list[StrategyOrders]] = {}
            values = trained_values(training, "The training")
            # Chosen values may look ahead where the defaults do not.
            notes: list[str] | None = [] if plan.options.check else None
            ordered_all = strategy_orders(plan.strategy, views, values, mode="test", notes=notes)
            for ordered in ordered_all:
                of_component.setdefault(ordered.component, []).append(ordered)
            runs.append((span.test, training, of_component))
    found = []
    for component in runs[0][2]:
        segments = [test[component.asset] for test, _, _ in runs]
        sets = [orders[component] for _, _, orders in runs]
        points = [_points(training.components[component.key]) for _, training, _ in runs]
        places = place_orders(sets, points, segments, horizon, border)
        found += [_place_test(plan, place, segments[0].first) for place in places]
    return found


class PlaceOrders(NamedTuple):
    """The orders of those who take a place in the ensembles of a component, one after the other.

    `shares` has the share of the lots in each segment, 0 where nobody takes the place, and
    `weights` the same at each bar, or one number for all; positions end at the bars of `flatten`.
    """

    ordered: StrategyOrders
    orders: OrderArrays
    flatten: BoolArray | None
    weights: float | FloatArray
    shares: list[float]


def place_orders(
    sets: Sequence[Sequence[StrategyOrders]],
    points: Sequence[Sequence[tuple[float, ...]]],
    segments: Sequence[BarWindow],
    horizon: int,
    border: str,
) -> list[PlaceOrders]:
    """Return the orders of each place of a component, of which there is one without ensembles.

    Parameters
    ----------
    sets : sequence of sequences of StrategyOrders
        For each segment the orders of its members, on all bars.
    points : sequence of sequences of tuple
        Their values.
    segments : sequence of BarWindow
        The bars that each set rules.
    horizon : int
        Bars at the start of each segment on which nothing is entered.
    border : "carry" or "close"
    """
    places: list[list[int | None]] = [[0] * len(sets)]
    if max(map(len, sets)) > 1:
        places = _places(points)
    n_bars = len(sets[0][0].bars)
    found = []
    for number, place in enumerate(places, 1):
        books, bounds, cuts, shares = [], [], [], []
        weights = np.zeros(n_bars)
        flatten = np.zeros(n_bars, dtype=np.bool_)
        for cycle, (at, segment) in enumerate(zip(place, segments, strict=True)):
            shares.append(0.0 if at is None else sets[cycle][at].weight)
            if at is not None:
                weights[segment.first : segment.last] = shares[-1]
                # What nobody takes over ends with its cycle, whatever the border.
                ends = border == "close" or place[cycle + 1 :][:1] == [None]
                cuts.append(ends and segment is not segments[-1])
                flatten[segment.last - 1] = cuts[-1]
                books.append(sets[cycle][at].book)
                bounds.append(segment)
        member = number if len(places) > 1 else 0
        found.append(
            PlaceOrders(
                # What was plotted belongs to a cycle, not to the whole.
                sets[0][0]._replace(lines={}, member=member),
                _stitched_orders(books, bounds, cuts, n_bars, horizon),
                flatten if any(cuts) else None,
                weights if len(set(shares)) > 1 else shares[0],
                shares,
            )
        )
    return found


def _place_test(plan: TrainingPlan, place: PlaceOrders, first: int) -> _PlaceTest:
    """Return the test of a place, on its bars from `first` on."""
    costs = plan.costs[place.ordered.component.asset]
    test = component_test(
        place.ordered,
        place.orders,
        first,
        plan.strategy.fill,
        costs,
        flatten=place.flatten,
        weights=place.weights,
    )
    full = test.simulated
    if set(place.shares) != {1.0}:
        full = simulate_orders(test.orders, test.account)
    return _PlaceTest(test, place.shares, full)


def _points(found: ComponentTraining) -> list[tuple[float, ...]]:
    """Return the values of each member of what was chosen, or those of the only one."""
    if not found.members:
        return [tuple(found.params.values())]
    return [tuple(member.params.values()) for member in found.members]


def _places(sets: Sequence[Sequence[tuple[float, ...]]]) -> list[list[int | None]]:
    """Return who takes the places: for each place the number of its member in each cycle.

    A combination that is in the next set too keeps its place, and with it its position. The others
    take the places of those that left, in order of rank; None where nobody takes one.
    """
    places: list[list[int | None]] = []
    for cycle, members in enumerate(sets):
        left: dict[tuple[float, ...], list[int]] = {}
        empty = []
        for place, held in enumerate(places):
            before = held[-1]
            if before is None:
                empty.append(place)
            else:
                left.setdefault(sets[cycle - 1][before], []).append(place)
            held.append(None)
        stays = {
            number: left[values].pop(0) for number, values in enumerate(members) if left.get(values)
        }
        free = [*itertools.chain(*left.values()), *empty]
        for number in range(len(members)):
            place = stays[number] if number in stays else free.pop(0) if free else len(places)
            if place == len(places):
                places.append([None] * (cycle + 1))
            places[place][-1] = number
    return places


def _stitched_orders(
    books: Sequence[OrderBook],
    segments: Sequence[BarWindow],
    cuts: Sequence[bool],
    n_bars: int,
    horizon: int,
) -> OrderArrays:
    """Join orders: bar t obeys the cycle whose segment holds it.

    Entries of the first `horizon` bars of each segment are left out; exits are not. Where a segment
    is cut, so that its close ends the position, the orders of its last bar are dropped.
    """
    masks = {name: np.zeros(n_bars, dtype=np.bool_) for name in _MASKS}
    parts: dict[str, list[Setting]] = {name: [] for name in SETTINGS}
    n_unprotected = 0
    for book, segment, is_cut in zip(books, segments, cuts, strict=True):
        merged = book.merged(segment.first, segment.last - is_cut, unit_lots=False)
        for name in _MASKS:
            masks[name] |= getattr(merged, name)
        for name in ("enter_long", "enter_short"):
            masks[name][segment.first : segment.first + horizon] = False
        for name, values in parts.items():
            values.append(merged.settings[name])
        n_unprotected += merged.n_unprotected
    settings = {name: _joined_setting(values, segments, n_bars) for name, values in parts.items()}
    return OrderArrays(**masks, settings=settings, n_unprotected=n_unprotected)


_MASKS = ("enter_long", "exit_long", "enter_short", "exit_short")


def _joined_setting(
    values: Sequence[Setting], segments: Sequence[BarWindow], n_bars: int
) -> Setting:
    """Return one setting for all segments: a number where it is the same in all of them."""
    if not any(isinstance(value, np.ndarray) for value in values) and len(set(values)) == 1:
        return values[0]
    joined: FloatArray = np.full(n_bars, np.nan)
    for value, (first, last) in zip(values, segments, strict=True):
        if value is not None:
            joined[first:last] = value[first:last] if isinstance(value, np.ndarray) else value
    return joined


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
    for number, (training, span) in enumerate(zip(trainings, spans, strict=False), 1):
        for component, of_component in places.items():
            asset = component.asset
            index = plan.bars[asset].index
            train = span.train[asset]
            found = training.components[component.key]
            row: dict[str, Any] = {
                "train_start": index[train.first],
                "train_end": index[train.last - 1],
                "test_start": None,
                "test_end": None,
                "in_sample": found.traded_objective,
                "out_of_sample": math.nan,
                "trades": math.nan,
                "net": math.nan,
            }
            if span.test is not None:
                first, last = span.test[asset]
                start = spans[0].train[asset].last  # where the test begins
                score, n_trades, net = 0.0, 0, 0.0
                for test, weights, full in of_component:
                    if weight := weights[number - 1]:
                        bars = (first - start, last - start)
                        stats, _ = full.segment(test.account, *bars)
                        score += weight * objective(stats)
                        n_trades += stats.num_trades
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
    dates = table["train_start"].dtype
    if isinstance(dates, pd.DatetimeTZDtype) or dates.kind == "M":
        # Dates stay dates where a cycle has no test: NaT instead of None.
        table = table.astype({"test_start": dates, "test_end": dates})
    return table


def _segment_net(equity: FloatArray, first: int, last: int) -> float:
    """Return the profit of bars [first, last), marked to market at both borders."""
    return float(equity[last - 1] - (equity[first - 1] if first else 0.0))
