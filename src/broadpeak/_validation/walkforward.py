# SPDX-License-Identifier: BSD-3-Clause
"""`walk_forward`: train on the past, test on what follows, again and again."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from broadpeak._core import check
from broadpeak._data.data import Data
from broadpeak._training.components import Bars, BarWindow, Component, check_enough, window
from broadpeak._training.result import Training
from broadpeak._training.strategy import Strategy, as_strategy
from broadpeak._training.test import StrategyOrders, check_capital, strategy_orders
from broadpeak._training.train import (
    TrainingPlan,
    TrainingTask,
    TrainOptions,
    joined_notes,
    plan_training,
    train_many,
)
from broadpeak._training.values import TrainedValues
from broadpeak._validation import splitters as splits
from broadpeak._validation.splitters import split_walk_forward
from broadpeak._validation.stitch import BORDERS, Segment
from broadpeak._validation.walked import WalkForward, assembled
from broadpeak.errors import DataError, ParamError, broken_rule

__all__ = ["WalkForward", "split_walk_forward", "walk_forward"]

CYCLES = 10


def walk_forward(
    strategy: Strategy | Callable[[Any], object],
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
    **train_options: Any,
) -> WalkForward:
    """Train on a window of history, test on the bars after it, and move on.

    The tests follow one another without gap, so that together they are one test in which no bar
    was ever trained on before it was traded. The last cycle only trains: its parameters are those
    to trade with.

    Parameters
    ----------
    strategy : Strategy or function
        What to train and test.
    data : Data
        Prices.
    cycles : int >= 2, optional
        Number of trainings. Default: 10, or what `period` says.
    period : float, optional
        Bars of one training and test together, instead of `cycles`; the number of cycles that
        comes nearest is taken.
    split : float in (0, 1), default 0.85
        Share of the training in a cycle.
    anchored : bool, default False
        Let every training begin at the first bar, instead of moving its begin along.
    horizon : int, default 0
        Bars at the begin of each test in which no position is opened (exits go on).
    border : "carry" or "close"
        Whether positions are carried into the next cycle, which then rules their exit, or closed
        at the last close of a cycle.
    capital : float, optional
        As for `test`.
    retrain_last : bool, default True
        Whether the last cycle is trained, on the most recent bars.
    **train_options
        As of `train`, `start`, `end` and options of `execute` included. With an engine other than
        serial, whole cycles go to workers.

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
        What the trainings warn of, once for all cycles.

    Notes
    -----
    With T bars after the look-back, N cycles and split s, tests have Q = floor((1 - s) P + 0.5)
    bars where P = T / (s + (N - 1)(1 - s)), and trainings what is left, T - (N - 1) Q. A training
    sees nothing after its end, and its own look-back before its begin. In the tests indicators run
    on the whole history with the cycle's parameters, so a border makes no false crossing.

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
    start, end = train_options.pop("start", None), train_options.pop("end", None)
    options = TrainOptions.of("walk_forward", train_options, _own_names())
    if options.samples is not None:
        remedy = "Resample the data, or train each window with bp.train(…, start=, end=, samples=)."
        rule = "be left out of a walk-forward run"
        raise ParamError(broken_rule("samples", rule, options.samples, remedy))
    plan = plan_training(as_strategy(strategy), data, options)
    layout = _layout(plan, (start, end), cycles, period, split, anchored=anchored)
    n_trained = len(layout.trains) - (0 if retrain_last else 1)
    trainings = train_many(
        [TrainingTask(plan, windows) for windows in layout.trains[:n_trained]],
        options.execute,
        label=lambda at: f"cycle={at + 1}",
    )
    played = _played(plan, trainings[: len(layout.tests)], layout)
    settings = {
        "cycles": len(layout.trains),
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
    result = assembled(
        plan,
        trainings,
        played,
        layout.trains[:n_trained],
        layout.tests,
        settings=settings,
        notes=joined_notes(trainings),
        seconds=time.perf_counter() - began,
    )
    for note in result.notes:
        warnings.warn(note, stacklevel=2)
    return result


class _FoldPlan(NamedTuple):
    """Windows of every cycle in bars of each asset."""

    trains: list[dict[str, BarWindow]]
    tests: list[dict[str, Segment]]
    last: dict[str, int]


def _layout(
    plan: TrainingPlan,
    period_asked: tuple[Any, Any],
    cycles: int | None,
    period: float | None,
    split: float,
    *,
    anchored: bool,
) -> _FoldPlan:
    """Cut the common calendar into cycles, and those into bars of each asset."""
    master = _calendar(plan.bars)
    lookback = plan.strategy.lookback
    whole = window(master, lookback, *period_asked)
    n_bars = whole.last - whole.first
    if cycles is not None and period is not None:
        rule = "be given by one of cycles and period"
        raise ParamError(broken_rule("The number of cycles", rule, (cycles, period)))
    if period is not None:
        cycles = splits.cycles_for_period(n_bars, period, split)
    cut = split_walk_forward(n_bars, CYCLES if cycles is None else cycles, split, anchored)
    place = _Places(master, plan.bars, whole.first)
    trains = [place.windows(one.train_start, one.train_end, lookback) for one in cut]
    tests = [
        place.segments(one.test_start, one.test_end)
        for one in cut
        if one.test_start is not None and one.test_end is not None
    ]
    return _FoldPlan(trains, tests, place.at(n_bars))


def _calendar(bars: Mapping[str, Bars]) -> Bars:
    """Return bars whose index holds every bar of any asset."""
    longest = max(bars.values(), key=len)
    index = longest.index
    for other in bars.values():
        if not other.index.equals(index):
            index = index.union(other.index)
    if index is longest.index:
        return longest
    nothing = np.empty(len(index))
    return Bars("the data", index, *(nothing,) * 6)


class _Places:
    """From bars of the common calendar to bars of each asset."""

    def __init__(self, master: Bars, bars: Mapping[str, Bars], first: int) -> None:
        self._index = master.index
        self._bars = bars
        self._first = first

    def at(self, bar: int) -> dict[str, int]:
        """Return the first bar of each asset that is not before evaluated bar `bar`."""
        bar += self._first
        if bar >= len(self._index):
            return {symbol: len(own) for symbol, own in self._bars.items()}
        label = self._index[bar]
        return {
            symbol: bar if own.index is self._index else int(own.index.searchsorted(label))
            for symbol, own in self._bars.items()
        }

    def windows(self, start: int, end: int, lookback: int) -> dict[str, BarWindow]:
        """Return a training window of each asset, with its look-back before it."""
        firsts, lasts = self.at(start), self.at(end)
        found = {}
        for symbol, own in self._bars.items():
            first = max(firsts[symbol], lookback)
            check_enough(symbol, lasts[symbol] - first, lookback, len(own))
            found[symbol] = BarWindow(first, lasts[symbol])
        return found

    def segments(self, start: int, end: int) -> dict[str, Segment]:
        """Return a test segment of each asset."""
        firsts, lasts = self.at(start), self.at(end)
        for symbol, own in self._bars.items():
            if lasts[symbol] <= firsts[symbol]:
                msg = (
                    f"{symbol} must have bars in every test, got none in one of them "
                    f"({len(own)} bars in all). Pass fewer cycles or another period."
                )
                raise DataError(msg)
        return {symbol: Segment(firsts[symbol], lasts[symbol]) for symbol in self._bars}


def _played(
    plan: TrainingPlan, trainings: Sequence[Training], layout: _FoldPlan
) -> dict[Component, list[StrategyOrders]]:
    """Return, for each component, a run over the whole history with each cycle's parameters."""
    views = {symbol: own.window(0, layout.last[symbol]) for symbol, own in plan.bars.items()}
    found: dict[Component, list[StrategyOrders]] = {}
    for training in trainings:
        values = TrainedValues(training.params, named=True, source="The training", error=ParamError)
        for played in strategy_orders(plan.strategy, views, values, mode="test"):
            found.setdefault(played.component, []).append(played)
    return found


def _own_names() -> list[str]:
    return [*inspect.signature(walk_forward).parameters, "start", "end"]
