# SPDX-License-Identifier: BSD-3-Clause
"""`train`: find the parameters of a strategy; `train_many`: many trainings on any engine.

A training goes through its components one after the other. For each one a searcher proposes
steps, `ComponentSearch` has them evaluated, and the searcher chooses from the scores.
"""

from __future__ import annotations

import dataclasses
import inspect
import operator
import time
import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias, Unpack

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._data.data import Data
from broadpeak._run.batches import Outcome
from broadpeak._run.calls import Calls
from broadpeak._run.execute import run
from broadpeak._run.options import ChunkOptions, DispatchOptions, Settings
from broadpeak._run.progress import is_watched
from broadpeak._run.registry import is_serial
from broadpeak._search.ascent import Ascent
from broadpeak._search.brute import Brute
from broadpeak._search.genetic import Genetic
from broadpeak._search.protocol import (
    Point,
    SearchCurve,
    Searcher,
    SearchResult,
    SearchStep,
    StoppingScore,
    check_searcher,
    maximise,
)
from broadpeak._search.random import Random
from broadpeak._search.searchspace import Dimension, SearchSpace
from broadpeak._search.selectors import Selector
from broadpeak._simulation.costs import Costs
from broadpeak._simulation.rules import NO_COSTS
from broadpeak._training.components import Bars, BarWindow, Component, bars_of, per_asset, window
from broadpeak._training.evaluation import (
    OWN_MISTAKES,
    Discovered,
    Evaluation,
    EvaluationSetup,
    StepRequest,
    by_store_key,
    discover_all,
    evaluate_here,
    evaluate_request,
    label_of,
    models_at,
)
from broadpeak._training.fits import ModelKey, trained_models
from broadpeak._training.guard import check_discovered
from broadpeak._training.objective import Objective, objective_name, resolve_objective
from broadpeak._training.orders import account_on
from broadpeak._training.performance import Stats
from broadpeak._training.result import (
    VERSIONS,
    ComponentTraining,
    StepCurve,
    Training,
    TrialLog,
)
from broadpeak._training.strategy import Strategy, StrategyFunction, as_strategy
from broadpeak._training.test import SIZINGS, unprotected_note
from broadpeak.errors import BroadpeakError, DataError, ParamError, StrategyError, broken_rule
from broadpeak.types import IntArray, NoResult

METHODS = ("ascent", "brute", "genetic", "random")
DETRENDS = (None, "trades", "prices")
MIN_TRADES_PER_PARAMETER = 20


# ------------------------------------------------------------------ options


class StepInfo(NamedTuple):
    """What `on_step` gets for an evaluation.

    Attributes
    ----------
    component : str
        Key of the component.
    train_cycle, par_cycle, step_cycle : int
        Pass, parameter (or generation) and step, from 1; the final run has par and step cycle 0.
    parameter : str
        Name of the parameter that is searched; empty where several move together.
    params : dict of str to float
        All values.
    objective : float
        The score; NaN where unusable.
    stats : Stats or None
        Everything else known about the run.
    """

    component: str
    train_cycle: int
    par_cycle: int
    step_cycle: int
    parameter: str
    params: dict[str, float]
    objective: float
    stats: Stats | None


class TrainArguments(DispatchOptions, ChunkOptions, total=False):
    """The options of a training by name and type, for ``**options: Unpack[TrainArguments]``.

    Those of `execute` that a training passes on are among them.
    """

    template_context: Mapping[str, Any] | None

    method: str | Searcher
    objective: str | Objective
    select: str | Selector | None
    passes: int
    min_trades: int
    costs: Costs | Mapping[str, Costs] | None
    sizing: str
    recency: float
    detrend: str | None
    population: int
    generations: int
    mutation_rate: float
    crossover_rate: float
    n_evaluations: int | None
    seed: int | None
    curves: bool
    samples: tuple[str, int] | None
    check: bool
    on_step: Callable[[StepInfo], object] | None


_NOT_PASSED_ON = {"merge_func", "merge_kwargs", "raise_no_results"}
EXECUTE_OPTIONS = frozenset(Settings.__dataclass_fields__) - _NOT_PASSED_ON
"""Options of `execute` that a training passes on."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How to train: the options of `train` with their defaults, checked.

    `execute` holds the options of `execute` among them.
    """

    method: str | Searcher = "ascent"
    objective: str | Objective = "prr"
    select: str | Selector | None = None
    passes: int = 1
    min_trades: int = 5
    costs: Costs | Mapping[str, Costs] | None = None
    sizing: str = "unit"
    recency: float = 1.0
    detrend: str | None = None
    population: int = 100
    generations: int = 50
    mutation_rate: float = 0.05
    crossover_rate: float = 0.8
    n_evaluations: int | None = None
    seed: int | None = 0
    curves: bool = False
    samples: tuple[str, int] | None = None
    check: bool = True
    on_step: Callable[[StepInfo], object] | None = None
    execute: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, owner: str, options: Mapping[str, Any], also: Iterable[str] = ()) -> TrainOptions:
        """Return the options that a user gave `owner`, those of `execute` gathered.

        Raises
        ------
        TypeError
            If neither knows an option; one of `also`, arguments of `owner`, may have been meant.
        """
        training_options: dict[str, Any] = {}
        execute: dict[str, Any] = {}
        for name, value in options.items():
            if name in _NAMES:
                training_options[name] = value
            elif name not in EXECUTE_OPTIONS:
                raise check.unknown_option(owner, name, {*EXECUTE_OPTIONS, *_NAMES, *also})
            elif name != "store" or value is not None:  # no store is what there is without one
                execute[name] = value
        return cls(**training_options, execute=execute)

    def __post_init__(self) -> None:
        check.one_of("sizing", self.sizing, SIZINGS)
        check.one_of("detrend", self.detrend, DETRENDS)
        remedy = "1 weighs all trades alike, 2 the last ones twice as much as the first."
        check.number("recency", self.recency, 1, remedy)
        check.number("min_trades", self.min_trades, 0)
        check.integer("passes", self.passes)
        check.flag("curves", self.curves)
        check.flag("check", self.check)
        # The settings of a method are checked even where another one is used.
        genetic = _genetic_of(self)
        if any(map(operator.is_not, genetic, _GENETIC)):
            Genetic(*genetic)
        for name, least in (("n_evaluations", 1), ("seed", 0)):
            if getattr(self, name) is not None:
                check.integer(name, getattr(self, name), least)
        if self.on_step is not None and not callable(self.on_step):
            raise ParamError(broken_rule("on_step", "be callable", self.on_step))
        for name in self.execute:
            if name not in EXECUTE_OPTIONS:
                raise check.unknown_option("train", name, {*EXECUTE_OPTIONS, *_NAMES})
        if self.execute:
            Settings(**self.execute)

    def settings(self) -> dict[str, Any]:
        """Return all options by name, those of `execute` among them."""
        return {**dict(zip(_NAMES, _values_of(self), strict=True)), **self.execute}

    def searcher(self) -> Searcher:
        """Return the searcher that `method` and the settings next to it mean.

        Raises
        ------
        ParamError
            If the method is unknown, is no searcher, or does not take a setting that was given.
        """
        select, n_evaluations = self.select, self.n_evaluations
        method: Any = self.method
        if isinstance(method, str):
            check.one_of("method", method, METHODS)
            if select is None:
                select = "hill" if method in {"ascent", "brute"} else "peak"
            if method == "ascent":
                return Ascent(select, self.passes)
            if method == "brute":
                return Brute(select)
            if method == "random":
                return (
                    Random(select=select)
                    if n_evaluations is None
                    else Random(n_evaluations, select)
                )
            genetic = Genetic(*_genetic_of(self), select)
            return genetic if n_evaluations is None else _Limited(genetic, n_evaluations)
        check_searcher(method)
        if select is not None:
            rule = "be left out where method is a searcher"
            raise ParamError(broken_rule("select", rule, select, "Give it to the searcher."))
        if n_evaluations is not None:
            has_limit = dataclasses.is_dataclass(method) and hasattr(method, "n_evaluations")
            if not has_limit:
                return _Limited(method, n_evaluations)
            method = replace(method, n_evaluations=n_evaluations)
        searcher: Searcher = method
        return searcher


_NAMES = [name for name in TrainOptions.__dataclass_fields__ if name != "execute"]
_values_of = operator.attrgetter(*_NAMES)
_OF_GENETIC = ("population", "generations", "mutation_rate", "crossover_rate")
_genetic_of = operator.attrgetter(*_OF_GENETIC)
_GENETIC = [TrainOptions.__dataclass_fields__[name].default for name in _OF_GENETIC]


class _Counted(NamedTuple):
    """The state of the inner searcher, and how many points it has had evaluated."""

    inner: Any
    n_points: int


class _Limited:
    """A searcher that ends after a number of points."""

    def __init__(self, inner: Searcher, n_evaluations: int) -> None:
        self._inner = inner
        self._most = n_evaluations
        # What the inner searcher can do besides is passed on, and only then.
        for name in ("choice", "place"):
            if hasattr(inner, name):
                setattr(self, name, partial(_call_inner, getattr(inner, name)))

    def start(self, space: SearchSpace, seed: int | None) -> _Counted:
        """Return the first state."""
        return _Counted(self._inner.start(space, seed), 0)

    def ask(self, state: _Counted) -> Sequence[Point]:
        """Return the next points of the inner searcher, up to the limit."""
        left = self._most - state.n_points
        return list(self._inner.ask(state.inner))[:left] if left > 0 else []

    def tell(self, state: _Counted, points: Sequence[Point], scores: Sequence[float]) -> _Counted:
        """Return the next state."""
        return _Counted(self._inner.tell(state.inner, points, scores), state.n_points + len(points))


def _call_inner(method: Callable[[Any], object], state: _Counted) -> object:
    return method(state.inner)


# ------------------------------------------------------------------ train


def train(
    strategy: Strategy | StrategyFunction,
    data: Data,
    *,
    start: Hashable = None,
    end: Hashable = None,
    **options: Unpack[TrainArguments],
) -> Training:
    """Find the parameters of a strategy: evaluate many, and choose robust ones.

    Every evaluation runs the strategy on the same bars, simulates its orders one lot at a time
    with costs but without slippage, closes open positions at the end, and scores the trades.

    Parameters
    ----------
    strategy : Strategy or function
        What to train; see `strategy`.
    data : Data
        Prices. Several symbols need ``s.loop()`` in the strategy; each component is trained alone.
    method : "ascent", "brute", "genetic", "random", or a searcher
        "ascent" scans one parameter at a time, in the order of the calls. "brute" tries all
        combinations, "genetic" breeds them, "random" draws them. Any object with the ask/tell
        protocol works too, such as ``bp.searchers.Optuna("tpe")``.
    objective : str or callable
        Name in `bp.objectives`, or a function of `Stats`; higher is better, not finite is unusable.
    select : "hill", "plateau", "peak" or a selector, optional
        How the value is chosen from the scores. Default: "hill"; "peak" for genetic and random.
    passes : int, default 1
        Rounds of an ascent; from the second on it starts from the results of the one before.
    min_trades : int, default 5
        With fewer trades a named objective is 0, that is unusable.
    start, end : labels of the index, optional
        First and last evaluated bar, both included. Bars before `start` serve as look-back.
    costs : Costs or dict of asset to Costs, optional
        Spread, commission, fees and rollover are charged; slippage is left out in training.
    sizing : "unit" or "script"
        Trade one lot, or the lots that the strategy sets. Lots of 0 are no trade in both.
    recency : float >= 1, default 1
        Weight of the last trades over the first in the sums of wins and losses.
    detrend : None, "trades" or "prices"
        Take the trend of the evaluated period out of the results of trades, or out of the prices
        before the strategy sees them.
    population, generations, mutation_rate, crossover_rate
        Settings of the genetic search.
    n_evaluations : int, optional
        How many combinations random and genetic search, or a searcher of your own, may try. Ascent
        and brute force do not look at it: their number follows from the steps.
    seed : int or None
        For searches that draw. The same seed gives the same result on every engine.
    curves : bool, default False
        Keep the profit and loss of every day of every evaluation in `Training.curves`.
    check : bool, default True
        Call the strategy on a few copies of the prices as well, to see that no order depends on
        later bars, nor on more bars before it than `lookback`.
    on_step : callable, optional
        Called with a `StepInfo` after each evaluation, in order; returning False ends the search
        of the current parameter.
    samples : (bar, m), optional
        Oversampling: `data` has finer bars, such as 15 minutes, and `bar` is the bar to trade, such
        as "4h". Every combination is evaluated on m cuts of the data into such bars, each shifted
        by bar / m, and every statistic is the mean over the cuts. A value that only works with one
        way of cutting the day does not win then. Results are those of the cut without a shift.
    **execute_options
        As of `execute`: ``engine=``, ``n_workers=``, ``show_progress=``, ``chunk_len=``, …

    Returns
    -------
    Training

    Raises
    ------
    ParamError, StrategyError, DataError
        If an argument, the strategy or the prices break a rule.
    TaskError
        If the strategy raises anything else; the message names component and values.

    Warns
    -----
    UserWarning
        If nothing was usable and the defaults were kept, if there are fewer than 20 trades per
        parameter, if entries had no stop yet because of warm-up, or if some values need more bars
        than `lookback` before their first signal.

    Notes
    -----
    The strategy is called once to learn its parameters, a few times for `check`, once for each
    distinct combination, and once with the chosen values. Source: the manual of a trading platform
    whose optimiser this follows; docs/optimizer-reference.md goes through it sentence by sentence.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=60)
    ... def momentum(s):
    ...     days = s.optimize(20, 10, 50, 5, name="days")
    ...     s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    ...     s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))
    >>> training = bp.train(momentum, bp.Data.sample("IBM"), objective="sharpe")
    >>> training.components["IBM"].n_evaluations
    10
    """
    settings = TrainOptions.of("train", options, ("start", "end"))
    samples = settings.samples
    cuts = [data] if samples is None else offset_cuts(data, samples)
    trained = []
    for cut in cuts:
        plan = plan_training(as_strategy(strategy), cut, settings)
        trained.append((plan, plan.windows(start, end)))
    (plan, windows), *others = trained
    training = TrainingTask(plan, windows, (start, end), tuple(others)).run(check=settings.check)
    for note in training.notes:
        warnings.warn(note, stacklevel=2)
    return training


def _with_options(func: Callable[..., object]) -> inspect.Signature:
    """Return the signature of `func` with all options in place of ``**options``."""
    *named, rest = inspect.signature(func).parameters.values()
    table = TrainOptions.__dataclass_fields__
    shown = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=table[name].default,
            annotation=table[name].type,
        )
        for name in _NAMES
    ]
    return inspect.Signature([*named, *shown, rest.replace(name="execute_options", annotation=Any)])


train.__signature__ = _with_options(train)  # type: ignore[attr-defined]  # what `help` shows


# ------------------------------------------------------------------ one training, many trainings


class TrainingPlan(NamedTuple):
    """What is trained on what and how; good for any window of the prices."""

    strategy: Strategy
    data: Data | None
    bars: dict[str, Bars]
    costs: dict[str, Costs]
    options: TrainOptions
    objective: Objective
    searcher: Searcher

    def windows(self, start: Hashable, end: Hashable) -> dict[str, BarWindow]:
        """Return the bars of each symbol from label `start` to label `end`."""
        lookback = self.strategy.lookback
        return {symbol: window(bars, lookback, start, end) for symbol, bars in self.bars.items()}

    def fingerprint(self) -> dict[str, object]:
        """Return what a training depends on, by which a store recognises it."""
        settings = {**self.options.settings(), "objective": self.objective}
        settings.pop("check")  # it changes no result
        store_key = settings.pop("store_key", None)
        content = {"bars": self.bars, "costs": self.costs, "settings": settings}
        stand_ins = by_store_key(self.strategy, self.objective, store_key)
        settings["objective"] = stand_ins.get("objective", self.objective)
        return {**content, "strategy": stand_ins.get("strategy", self.strategy)}


def plan_training(strategy: Strategy, data: Data, options: TrainOptions) -> TrainingPlan:
    """Check what does not depend on the window."""
    bars = bars_of(data)
    costs = per_asset("costs", options.costs, bars, NO_COSTS, Costs)
    objective = resolve_objective(options.objective, options.min_trades)
    return TrainingPlan(strategy, data, bars, costs, options, objective, options.searcher())


class TrainingTask(NamedTuple):
    """One training that can run anywhere: strategy, prices with their window, and options.

    Attributes
    ----------
    plan : TrainingPlan
    windows : mapping of str to BarWindow
        The evaluated bars of every symbol.
    period : tuple of labels, optional
        ``start`` and ``end`` as its settings show them; None: first and last evaluated bar.
    samples : sequence of (TrainingPlan, windows)
        Further cuts of the same data, whose statistics are averaged with those of `plan`.
    """

    plan: TrainingPlan
    windows: Mapping[str, BarWindow]
    period: tuple[Hashable, Hashable] | None = None
    samples: tuple[tuple[TrainingPlan, Mapping[str, BarWindow]], ...] = ()

    def run(self, *, check: bool = False) -> Training:
        """Train every component; `check` the strategy for look-ahead and look-back before.

        Raises
        ------
        StrategyError
            If the strategy breaks a rule, or has no parameter.
        TaskError
            If it raises anything that is no error of this library.
        """
        began = time.perf_counter()
        plan, options = self.plan, self.plan.options
        strategy, data = plan.strategy, plan.data
        views = {symbol: _view(plan, symbol, one) for symbol, one in self.windows.items()}
        found = discover_all(strategy, views)
        if not any(one.calls for one in found):
            msg = (
                f"Strategy {strategy.name!r} must call s.optimize() at least once to be trained, "
                "got none. bp.test(strategy, data) runs it as it is."
            )
            raise StrategyError(msg)
        checked = check_discovered(strategy, found) if check else {}
        models: dict[ModelKey, object] = {}
        results: dict[str, ComponentTraining] = {}
        searches: list[ComponentSearch] = []
        logs: list[TrialLog] = []
        shared: dict[str, float] = {}
        for component, one in zip(found[0].components, found, strict=True):
            setup = _setup(plan, component, views[component.asset], one)
            setup = replace(setup, models=one.run.models)
            if self.samples:
                others = [
                    _setup(cut, component, _view(cut, component.asset, cuts[component.asset]), one)
                    for cut, cuts in self.samples
                ]
                setup = replace(setup, samples=tuple(others))
            search = ComponentSearch(setup, one, shared, options)
            results[component.key] = found_for = search.run(plan.searcher)
            searches.append(search)
            logs.append(search.log())
            if one.run.fitted:
                chosen = tuple(found_for.params.values())
                models |= {**dict(one.run.fitted.values()), **models_at(setup, [chosen])}
            if not shared:
                shared = {name: found_for.params[name] for name in found_for.common}
        start, end = _bounds(plan, self.windows) if self.period is None else self.period
        return Training(
            components=results,
            strategy=strategy,
            data=data,  # type: ignore[arg-type]  # on a worker `train_many` puts it in again
            settings={"start": start, "end": end, **options.settings()},
            environment={} if data is None else {**VERSIONS, "data": data.fingerprint()},
            seconds=time.perf_counter() - began,
            notes=(
                *(Note(kind, text) for kind, text in checked.items()),
                *_notes(strategy, list(results.values()), searches),
            ),
            logs=tuple(logs),
            models=trained_models(models),
        )


def train_many(
    tasks: Sequence[TrainingTask],
    execute: Mapping[str, Any],
    *,
    label: Callable[[int], str],
) -> list[Training]:
    """Run many trainings, on any engine.

    Parameters
    ----------
    tasks : sequence of TrainingTask
        What their plans have in common goes to a worker once.
    execute : mapping
        Options of `execute`. With an engine other than serial whole trainings are its tasks, each
        of which runs serially. With a store, and where `on_step` watches, the trainings run one
        after the other, and the options serve the evaluations inside them.
    label : callable
        Position of a task → the name it has in errors.

    Returns
    -------
    list of Training
        In order. Their warnings are in their `notes`.

    Raises
    ------
    ParamError
        If one failed and was to be skipped.
    """
    settings = Settings(**execute)
    in_turn = settings.store is not None or settings.cache_chunks
    in_turn |= any(task.plan.options.on_step is not None for task in tasks)
    in_turn |= is_serial(settings.engine)
    if in_turn:
        return [task.run() for task in tasks]
    # Prices go to a worker once, and need not come back with every training.
    kept_options = {name: value for name, value in execute.items() if name == "store_key"}
    plans = {id(task.plan): task.plan for task in tasks}
    inner = [
        plan._replace(data=None, options=replace(plan.options, execute=kept_options))
        for plan in plans.values()
    ]
    number_of = {key: number for number, key in enumerate(plans)}
    codes = np.array([number_of[id(task.plan)] for task in tasks])
    rest = [task[1:] for task in tasks]
    varying: dict[int, tuple[Sequence[object], IntArray]] = {
        0: (inner, codes),
        1: (rest, np.arange(len(rest))),
    }
    calls = Calls(_run_task, (None, None), varying=varying)
    finished = run(calls, settings, label=label, passthrough=(BroadpeakError,))
    if len(finished.value) < len(tasks):
        msg = "Every training must succeed, got one that failed and was skipped."
        raise ParamError(msg)
    trainings = []
    for training, task in zip(finished.value, tasks, strict=True):
        data, settings_of = task.plan.data, {**training.settings, **execute}
        known = {} if data is None else {**VERSIONS, "data": data.fingerprint()}
        trainings.append(replace(training, data=data, environment=known, settings=settings_of))
    return trainings


_RestOfTask: TypeAlias = tuple[
    Mapping[str, BarWindow],
    tuple[Hashable, Hashable] | None,
    tuple[tuple[TrainingPlan, Mapping[str, BarWindow]], ...],
]


def _run_task(plan: TrainingPlan, rest: _RestOfTask) -> Training:
    return TrainingTask(plan, *rest).run()


def _bounds(plan: TrainingPlan, windows: Mapping[str, BarWindow]) -> tuple[Hashable, Hashable]:
    """Return first and last evaluated bar over all assets, as `train` would be given them."""
    firsts = [plan.bars[symbol].index[span.first] for symbol, span in windows.items()]
    lasts = [plan.bars[symbol].index[span.last - 1] for symbol, span in windows.items()]
    return min(firsts), max(lasts)


def _view(plan: TrainingPlan, symbol: str, where: BarWindow) -> Bars:
    """Return look-back and evaluated bars of a symbol, detrended if the options say so."""
    lookback = plan.strategy.lookback
    bars = plan.bars[symbol].window(where.first - lookback, where.last)
    if plan.options.detrend != "prices":
        return bars
    # Level from the first evaluated close to the last; the look-back is tilted along.
    growth = np.log(bars.close[-1] / bars.close[lookback]) / (len(bars) - 1 - lookback)
    return bars.tilted(np.exp(-growth * (np.arange(len(bars)) - lookback)))


def _setup(
    plan: TrainingPlan, component: Component, bars: Bars, discovered: Discovered
) -> EvaluationSetup:
    """Return what the evaluations of a component have in common."""
    strategy, options = plan.strategy, plan.options
    flatten = np.zeros(len(bars), dtype=np.bool_)
    flatten[-1] = True  # the last close ends every position
    # Slippage is chance; it is left out so that steps can be compared.
    costs = plan.costs[component.asset]
    costs = costs if costs.slippage == 0 else replace(costs, slippage=0.0)
    account = account_on(
        bars,
        strategy.lookback,
        strategy.fill,
        costs,
        unit_lots=options.sizing == "unit",
        flatten=flatten,
        detrend=options.detrend == "trades",
    )
    return EvaluationSetup(
        strategy,
        component,
        tuple(plan.bars),
        bars,
        account,
        plan.objective,
        discovered.calls,
        discovered.watched,
        options.recency,
        options.curves,
        data_key="" if plan.data is None else plan.data.fingerprint(),
        store_key=options.execute.get("store_key"),
    )


def offset_cuts(data: Data, samples: object) -> list[Data]:
    """Return `data` cut into bars with offsets 0, bar / m and so on.

    Raises
    ------
    ParamError
        If `samples` is no pair of a bar and a number, or the bar has no fixed length.
    DataError
        If the bars of `data` are too long to be shifted like this.
    """
    if not isinstance(samples, (tuple, list)) or len(samples) != 2:
        remedy = 'Pass finer data and samples=("4h", 4), say.'
        raise ParamError(broken_rule("samples", "be (bar, number of cuts)", samples, remedy))
    try:
        bar = pd.Timedelta(samples[0])
    except (TypeError, ValueError, OverflowError):
        bar = pd.Timedelta(0)
    if not bar > pd.Timedelta(0):  # NaT is not above it either
        remedy = "Weeks and months have no fixed length."
        raise ParamError(broken_rule("samples", 'name a bar such as "4h"', samples[0], remedy))
    number = check.integer("the number of samples", samples[1], 1)
    if not isinstance(data, Data):
        raise ParamError(broken_rule("data", "be a bp.Data", data))
    if not isinstance(data.index, pd.DatetimeIndex) or len(data) < 2:
        raise DataError(broken_rule("data", "have bars with dates to be sampled", len(data)))
    finest = (data.index[1:] - data.index[:-1]).min()
    if finest > bar / number:
        rule = f"have bars of at most {bar / number}, a {number}th of {bar}"
        raise DataError(broken_rule("data", rule, str(finest), "Pass finer data or fewer cuts."))
    return [data.resample(samples[0], offset=bar * k / number) for k in range(number)]


# ------------------------------------------------------------------ the search of one component


class ComponentSearch:
    """The search of one component: evaluates what a searcher proposes, and keeps it in order."""

    def __init__(
        self,
        setup: EvaluationSetup,
        discovered: Discovered,
        shared: Mapping[str, float],
        options: TrainOptions,
    ) -> None:
        dimensions = discovered.dimensions
        if shared:
            # Common parameters stay as the first component left them.
            dimensions = tuple(
                Dimension(dim.name, shared[dim.name], 0, 0)
                if common and dim.name in shared
                else dim
                for dim, common in zip(discovered.dimensions, discovered.common, strict=True)
            )
        self.setup = setup
        self.space = SearchSpace(dimensions)
        self.by_point: dict[Point, Evaluation] = {}
        self._discovered = discovered
        self._options = options
        self._here = not _needs_engine(options.execute)
        self._watched = setup.watched
        self._n_batches = 0
        self._steps: list[tuple[SearchStep, bool]] = []
        self._by_step: dict[SearchStep, Evaluation] = {}

    def run(self, searcher: Searcher) -> ComponentTraining:
        """Search, and return what was found."""
        began = time.perf_counter()
        found = maximise(
            searcher,
            self.space,
            self._scores,
            seed=self._options.seed,
            on_step=self._keep,
            identity=self._identity,
        )
        return self._result(found, time.perf_counter() - began)

    def log(self) -> TrialLog:
        """Return the steps that were evaluated, without the final run of the chosen values."""
        setup, days, numbers = self.setup, None, None
        if setup.curves:
            days = setup.bars.index[setup.account.first :]
            numbers = np.arange(len(days))
            if isinstance(days, pd.DatetimeIndex):
                day = days.normalize()
                days = day.unique()
                numbers = days.get_indexer(day)
        trials = [
            (step, self._by_step[step])
            for step, is_new in self._steps
            if is_new and step.par_cycle > 0
        ]
        return TrialLog(setup.component.key, self.space.names, trials, days, numbers)

    def _identity(self, step: SearchStep) -> Hashable:
        """Return what makes two steps the same: their values, or all if the strategy looks."""
        return step if self._watched else step.point

    def _keep(self, step: SearchStep, score: float, is_repeated: bool) -> None:
        self._by_step.setdefault(step, self.by_point[step.point])
        self._steps.append((step, not is_repeated))

    def _scores(self, steps: list[SearchStep]) -> list[float]:
        """Return the scores of `steps`, up to the one that ends the parameter."""
        self._n_batches += 1
        known = [] if self._here else self._on_engine(steps)
        scores: list[float] = []
        for number, step in enumerate(steps):
            if self._here:
                found = evaluate_here(self.setup, step, number, self.space.names)
            else:
                found = known[number]
            self._by_step[step] = self.by_point[step.point] = found
            self._watched |= found.watched
            stop = found.stopped
            if self._options.on_step is not None:
                stop |= self._options.on_step(self._info(step, found)) is False
            scores.append(StoppingScore(found.score) if stop else found.score)
            if stop:
                break
        return scores

    def _on_engine(self, steps: list[SearchStep]) -> list[Evaluation]:
        """Return one evaluation a step; those that failed and were skipped are unusable."""
        requests: list[StepRequest] = [
            (step[:], self._n_batches, at) for at, step in enumerate(steps)
        ]
        numbers = np.arange(len(requests))
        calls = Calls(evaluate_request, (self.setup, None), varying={1: (requests, numbers)})
        settings = Settings(raise_no_results=False, **self._options.execute)
        key, names = self.setup.component.key, self.space.names
        keys = None
        if settings.store is not None:  # what a store writes beside each result
            columns: list[Any] = [[key] * len(steps)]
            columns += zip(*(step.point for step in steps), strict=True)
            keys = pd.MultiIndex.from_arrays(columns, names=["component", *names])
        finished = run(
            calls,
            settings,
            keys=keys,
            label=lambda at: label_of(key, names, steps[at].point),
            passthrough=OWN_MISTAKES,
        )
        found = [Evaluation(np.nan)] * len(steps)
        positions = range(len(steps)) if finished.kept is None else finished.kept.tolist()
        values = [] if finished.value is NoResult else finished.value
        for position, value in zip(positions, values, strict=True):
            if not isinstance(value, Outcome):
                found[position] = Evaluation.of(value)
        return found

    def _info(self, step: SearchStep, found: Evaluation) -> StepInfo:
        return StepInfo(
            self.setup.component.key,
            step.train_cycle,
            step.par_cycle,
            step.step_cycle,
            step.parameter,
            dict(zip(self.space.names, step.point, strict=True)),
            found.score,
            found.stats,
        )

    def _result(self, found: SearchResult, seconds: float) -> ComponentTraining:
        discovered, setup, names = self._discovered, self.setup, self.space.names
        component, bars, first = setup.component, setup.bars, setup.account.first
        final = self.by_point[found.values]
        params = dict(zip(names, found.values, strict=True))
        for position, value in (final.computed or {}).items():
            params[names[position]] = value
        curves = tuple(self._curve(curve) for curve in found.choice.curves)
        return ComponentTraining(
            key=component.key,
            asset=component.asset,
            algo=component.algo,
            params=params,
            objective=float(found.score),
            at_edge=dict(zip(names, found.choice.at_edge, strict=True)),
            steps={curve.parameter: curve for curve in curves},
            curves=curves,
            usable=bool(found.choice.usable),
            dimensions=discovered.dimensions,
            common=tuple(
                dim.name
                for dim, common in zip(discovered.dimensions, discovered.common, strict=True)
                if common
            ),
            stats=final.stats,
            first=bars.index[first],
            last=bars.index[-1],
            n_bars=len(bars) - first,
            n_evaluations=found.n_evaluations,
            seconds=seconds,
        )

    def _curve(self, curve: SearchCurve) -> StepCurve:
        """Return the steps of one parameter with the trades that each one made."""
        wins, losses = [], []
        for step, _ in self._steps:
            if step.train_cycle == curve.pass_ and step.parameter == curve.parameter:
                stats = self._by_step[step].stats
                wins.append(np.nan if stats is None else stats.num_win)
                losses.append(np.nan if stats is None else stats.num_loss)
        window = None
        if curve.window is not None:
            window = (curve.values[curve.window[0]], curve.values[curve.window[1]])
        dimension = next(dim for dim in self._discovered.dimensions if dim.name == curve.parameter)
        return StepCurve(
            component=self.setup.component.key,
            parameter=curve.parameter,
            pass_number=curve.pass_,
            values=np.array(curve.values),
            objective=np.array(curve.scores),
            wins=np.array(wins, dtype=np.float64),
            losses=np.array(losses, dtype=np.float64),
            chosen=curve.value,
            score=curve.score,
            default=dimension.rounded(dimension.default),
            window=window,
            at_edge=curve.at_edge,
            objective_name=objective_name(self._options.objective),
        )


_UNUSED_HERE = {"n_workers", "store_key", "engine", "show_progress"}


def _needs_engine(execute: Mapping[str, Any]) -> bool:
    """Return whether evaluations go through a run: for an engine, a store, callbacks, a bar, ….

    Otherwise they are plain calls, one after the other.
    """
    shown = execute.get("show_progress")
    if not is_serial(execute.get("engine", "serial")) or (is_watched() if shown is None else shown):
        return True
    return any(value is not None for name, value in execute.items() if name not in _UNUSED_HERE)


# ------------------------------------------------------------------ warnings


class Note(str):
    """A warning and its kind, so that those of several trainings can be joined."""

    __slots__ = ("kind",)
    kind: str

    def __new__(cls, kind: str, text: str) -> Note:
        """Make a note of this kind."""
        note = super().__new__(cls, text)
        note.kind = kind
        return note

    def __reduce__(self) -> tuple[type[Note], tuple[str, str]]:
        return Note, (self.kind, str(self))


def _notes(
    strategy: Strategy, results: Sequence[ComponentTraining], searches: Sequence[ComponentSearch]
) -> tuple[Note, ...]:
    """Return the warnings about a training."""
    silent, unusable, few, n_unprotected = [], [], [], 0
    for found, search in zip(results, searches, strict=True):
        n_trades = 0.0
        for evaluation in search.by_point.values():
            n_unprotected = max(n_unprotected, evaluation.n_unprotected)
            n_trades += evaluation.n_trades
        n_params = sum(dim.searched for dim in found.dimensions)
        n_chosen = found.stats.num_trades if found.stats else 0
        if not n_trades:
            silent.append(found.key)
        elif not found.usable:
            unusable.append(found.key)
        elif n_chosen < MIN_TRADES_PER_PARAMETER * n_params:
            few.append(f"{found.key} {n_chosen} for {n_params}")
    name = repr(strategy.name)
    notes = []
    if silent:
        text = f"{name} never trades ({_and_more(silent)}): the defaults are kept. "
        notes.append(Note("silent", f"{text}Check its signals, lookback and lots."))
    if unusable:
        text = f"{name} has no step with a usable objective ({_and_more(unusable)}): the "
        notes.append(Note("unusable", f"{text}defaults are kept, objective 0."))
    if few:
        text = (
            f"The values chosen for {name} rest on fewer than {MIN_TRADES_PER_PARAMETER} "
            f"trades per parameter ({_and_more(few)}): they may be luck. Use more history, "
            "fewer parameters, or a higher min_trades."
        )
        notes.append(Note("few", text))
    if n_unprotected:
        notes.append(Note("unprotected", unprotected_note(strategy, n_unprotected)))
    return tuple(notes)


def _and_more(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def joined_notes(trainings: Sequence[Training]) -> tuple[str, ...]:
    """Return the notes of several trainings, those of one kind as one."""
    by_kind: dict[str, list[str]] = {}
    for training in trainings:
        for note in training.notes:
            by_kind.setdefault(getattr(note, "kind", note), []).append(note)
    return tuple(
        Note(kind, f"In {len(notes)} of {len(trainings)} cycles: {notes[0]}")
        for kind, notes in by_kind.items()
    )
