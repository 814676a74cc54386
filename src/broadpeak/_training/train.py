# SPDX-License-Identifier: BSD-3-Clause
"""`train`: find the parameters of a strategy; `train_many`: many trainings on any engine.

A training goes through its components one after the other. For each one a searcher proposes
steps, `ComponentSearch` has them evaluated, and the searcher chooses from the scores. Components
that share parameters or scores are led together, by `search_together`.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import math
import operator
import time
import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise, repeat
from typing import Any, NamedTuple, TypeAlias, Unpack

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._data.data import Data
from broadpeak._run.calls import Calls
from broadpeak._run.execute import run
from broadpeak._run.options import ChunkOptions, DispatchOptions, Settings
from broadpeak._run.registry import is_serial
from broadpeak._search.ascent import MAX_MEMBERS, Ascent
from broadpeak._search.brute import Brute
from broadpeak._search.genetic import Genetic
from broadpeak._search.protocol import (
    ENDED,
    Choice,
    Point,
    Proposals,
    SearchCurve,
    Searcher,
    SearchResult,
    SearchStep,
    Stop,
    check_searcher,
    finite_scores,
    maximise,
    propose,
)
from broadpeak._search.random import Random
from broadpeak._search.searchspace import Dimension, SearchSpace
from broadpeak._search.selectors import Selector, is_narrow
from broadpeak._simulation.costs import Costs
from broadpeak._simulation.rules import NO_COSTS
from broadpeak._store.fingerprint import fingerprint
from broadpeak._store.par import Member
from broadpeak._training.borrowing import AUTO
from broadpeak._training.components import (
    Bars,
    BarWindow,
    Component,
    bars_of,
    per_asset,
    window,
    windows_of,
)
from broadpeak._training.evaluation import (
    ALL_COMPONENTS,
    Discovered,
    Evaluation,
    EvaluationSetup,
    SeeRun,
    by_store_key,
    discover_all,
    evaluate_here,
    evaluate_in_batches,
    evaluate_request,
    is_batched,
    label_of,
    models_at,
    run_requests,
)
from broadpeak._training.evaluationbar import CountedTrainings, EvaluationBar, evaluation_bar
from broadpeak._training.fits import ModelKey, trained_models
from broadpeak._training.guard import MOST_CHECKED, TrainingCheck, check_chosen
from broadpeak._training.jointsearch import JointSettings, search_together
from broadpeak._training.mistakes import order_notes
from broadpeak._training.objective import (
    NamedObjective,
    Objective,
    objective_name,
    resolve_objective,
)
from broadpeak._training.orders import account_on
from broadpeak._training.performance import Stats
from broadpeak._training.recorded import Workspace
from broadpeak._training.result import (
    ComponentTraining,
    StepCurve,
    Training,
    TrialLog,
    environment_of,
)
from broadpeak._training.sizing import SIZINGS, Budget, Sizing
from broadpeak._training.strategy import RunState, Strategy, StrategyFunction, as_strategy
from broadpeak._training.test import unprotected_note
from broadpeak.errors import BroadpeakError, DataError, ParamError, StrategyError, broken_rule
from broadpeak.types import IntArray

METHODS = ("ascent", "brute", "genetic", "random")
DETRENDS = (None, "trades", "prices")
MIN_TRADES_PER_PARAMETER = 20


# ------------------------------------------------------------------ options


class StepInfo(NamedTuple):
    """What `on_step` gets for an evaluation.

    Attributes
    ----------
    component : str
        Key of the component; ``"*"`` where the trades of all of them are scored together.
    train_cycle, par_cycle, step_cycle : int
        Pass, parameter (or generation) and step, from 1; the final run has par and step cycle 0.
    parameter : str
        Name of the parameter that is searched; empty where several move together.
    params : dict of str to float
        All values; of a step that all components take together the common ones.
    objective : float
        The score of these trades; NaN where unusable.
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


class SearchArguments(DispatchOptions, ChunkOptions, total=False):
    """The options of a training by name and type, but for the size of its trades.

    Those of `execute` that a training passes on are among them.
    """

    template_context: Mapping[str, Any] | None

    method: str | Searcher
    objective: str | Objective
    select: str | Selector | None
    borrow: float | str
    passes: int
    min_trades: int
    costs: Costs | Mapping[str, Costs] | None
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


class TrainArguments(SearchArguments, total=False):
    """The options of a training by name and type, for ``**options: Unpack[TrainArguments]``."""

    sizing: str
    capital: float | None
    whole: bool


_NOT_PASSED_ON = {"merge_func", "merge_kwargs", "keep", "raise_no_results"}
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
    borrow: float | str = 0.0
    passes: int = 1
    min_trades: int = 5
    costs: Costs | Mapping[str, Costs] | None = None
    sizing: str = "unit"
    capital: float | None = None
    whole: bool = False
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
        if self.sizing != "unit" or self.capital is not None or self.whole is not False:
            check.one_of("sizing", self.sizing, SIZINGS)
            Sizing.of(self.sizing, capital=self.capital, whole=self.whole)
            if self.capital is not None and self.sizing in {"unit", "script"}:
                rule = f"be left out where sizing is {self.sizing!r}"
                remedy = 'Lots cost what they cost. Pass sizing="money" or sizing="equity" with it.'
                raise ParamError(broken_rule("capital", rule, self.capital, remedy))
        check.one_of("detrend", self.detrend, DETRENDS)
        _check_borrow(self.borrow)
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

    def size(self) -> Sizing:
        """Return how large the trades of evaluations are."""
        return Sizing.of(self.sizing, capital=self.capital, whole=self.whole)

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


def _check_borrow(borrow: object) -> None:
    """Raise `ParamError` unless it is a share or "auto"."""
    share = check.real(borrow)
    if not (isinstance(borrow, str) and borrow == AUTO) and not (
        share is not None and 0 <= share <= 1
    ):
        rule = f'be a share from 0 to 1, or "{AUTO}"'
        remedy = "0.5 gives the others as much weight as the component itself."
        raise ParamError(broken_rule("borrow", rule, borrow, remedy))


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
        self.inner = inner
        self.most = n_evaluations
        # What the inner searcher can do besides is passed on, and only then.
        for name in ("choice", "position"):
            if hasattr(inner, name):
                setattr(self, name, partial(_call_inner, getattr(inner, name)))

    def start(self, space: SearchSpace, seed: int | None) -> _Counted:
        """Return the first state."""
        return _Counted(self.inner.start(space, seed), 0)

    def ask(self, state: _Counted) -> Sequence[Point]:
        """Return the next points of the inner searcher, up to the limit."""
        left = self.most - state.n_points
        return list(self.inner.ask(state.inner))[:left] if left > 0 else []

    def tell(self, state: _Counted, points: Sequence[Point], scores: Sequence[float]) -> _Counted:
        """Return the next state."""
        return _Counted(self.inner.tell(state.inner, points, scores), state.n_points + len(points))


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
        Prices. Several symbols need ``s.loop()`` in the strategy. Each component is trained alone,
        but for the parameters asked outside the loop: those are common, and each step of them is
        scored on the trades of all components together.
    method : "ascent", "brute", "genetic", "random", or a searcher
        "ascent" scans one parameter at a time, in the order of the calls. "brute" tries all
        combinations, "genetic" breeds them, "random" draws them. Any object with the ask/tell
        protocol works too, such as ``bp.searchers.Optuna("tpe")``.
    objective : str or callable
        Name in `bp.objectives`, or a function of `Stats`; higher is better, not finite is unusable.
    select : "hill", "plateau", "peak", "ensemble" or a selector, optional
        How the value is chosen from the scores. Default: "hill"; "peak" for genetic and random.
        With `Ensemble` a weighted set of combinations is chosen, and traded as a whole.
    borrow : float in [0, 1] or "auto", default 0
        With several components: the share that the mean score of the others has in the score of a
        step, so that what worked elsewhere counts too. 1 is pooled training: one value for all,
        scored on all of their trades. "auto" estimates the share: large where components differ by
        no more than luck explains. They must have the same parameters with the same ranges.
    passes : int, default 1
        Rounds of an ascent; from the second on it starts from the results of the one before.
    min_trades : int, default 5
        With fewer trades a named objective is 0, that is unusable.
    start, end : labels of the index, optional
        First and last evaluated bar, both included. Bars before `start` serve as look-back.
    costs : Costs or dict of asset to Costs, optional
        Spread, commission, fees and rollover are charged; slippage is left out in training.
    sizing : "unit", "script", "money" or "equity"
        Trade one lot, the lots that the strategy sets, the same money each time, or all that the
        component is worth by then. Lots of 0 are no trade in all of them. At one lot the years
        with the highest prices decide; a warning says so where prices changed more than three
        times.
    capital : float, optional
        With "money" and "equity": money of all components together. Default: 10,000.
    whole : bool, default False
        With "money" and "equity": round lots down to whole ones.
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
        Called with a `StepInfo` after each evaluation, in order. Returning False ends the search of
        the component, as ``s.stop_search("all")`` does: what was found of the current parameter
        counts, later parameters keep their defaults, and the next component is searched as ever. An
        error that it raises ends the training; its attribute `training` is the `Training` of what
        was finished.
    samples : (bar, m), optional
        Oversampling: `data` has finer bars, such as 15 minutes, and `bar` is the bar to trade, such
        as "4h". Every combination is evaluated on m cuts of the data into such bars, each shifted
        by bar / m, and every statistic is the mean over the cuts. A value that only works with one
        way of cutting the day does not win then. Results are those of the cut without a shift.
    **execute_options
        As of `execute`: ``engine=``, ``n_workers=``, ``show_progress=``, ``chunk_len=``, … The
        progress bar is one for the whole training, and counts evaluations.

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
        parameter, if the scores beside what was chosen do not carry it, if entries had no stop yet
        because of warm-up, or if some values need more bars than `lookback` before their first
        signal.

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
    task = TrainingTask(plan, windows, (start, end), tuple(others))
    with evaluation_bar(settings.execute, plan.strategy.name) as bar:
        training = task.run(check=settings.check, bar=bar)
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

    def search_key(self) -> str:
        """Return what tells searches apart: what evaluations depend on besides the bars."""
        settings: dict[str, object] = {
            name: getattr(self.options, name) for name in _OF_AN_EVALUATION
        }
        store_key = self.options.execute.get("store_key")
        stand_ins = by_store_key(self.strategy, self.objective, store_key)
        settings["objective"] = stand_ins.get("objective", self.objective)
        strategy = stand_ins.get("strategy", self.strategy)
        return fingerprint(strategy, self.costs, settings).hex()


_OF_AN_EVALUATION = ("min_trades", "sizing", "capital", "whole", "recency", "detrend", "samples")
"""Options that an evaluation depends on; others decide which evaluations there are."""


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

    def run(self, *, check: bool = False, bar: EvaluationBar | None = None) -> Training:
        """Train every component; `check` the strategy for look-ahead and look-back before.

        `bar` counts the evaluations.

        Raises
        ------
        StrategyError
            If the strategy breaks a rule, or has no parameter.
        TaskError
            If it raises anything that is no error of this library.
        Exception
            What `on_step` raised, with what was finished as its attribute `training`.
        """
        began = time.perf_counter()
        plan, options = self.plan, self.plan.options
        watcher = _NOBODY if options.on_step is None else StepWatcher(options.on_step)
        strategy, data = plan.strategy, plan.data
        views = _views(plan, self.windows)
        found = discover_all(strategy, views)
        if not any(one.calls for one in found):
            msg = (
                f"Strategy {strategy.name!r} must call s.optimize() at least once to be trained, "
                "got none. bp.test(strategy, data) runs it as it is."
            )
            raise StrategyError(msg)
        together = _is_joint(options, found)
        checks = [self._check(one, alone=not together) for one in found] if check else []
        checked = _joined(one.before() for one in checks)
        if check:
            checked |= order_notes(strategy, (one.run for one in found))
        searches: list[ComponentSearch] = []
        budget = options.size().budget(len(found))
        samples = [(cut, _views(cut, windows)) for cut, windows in self.samples]
        for component, one in zip(found[0].components, found, strict=True):
            setup = _setup(plan, component, views[component.asset], one, budget)
            setup = replace(setup, models=one.run.models)
            if self.samples:
                others = [
                    _setup(cut, component, cuts[component.asset], one, budget)
                    for cut, cuts in samples
                ]
                setup = replace(setup, samples=tuple(others))
            searches.append(ComponentSearch(setup, one, options, watcher, bar))
        logs: list[TrialLog] = []
        shared: list[frozenset[str]] = [frozenset()] * len(searches)
        for search, one_check in zip(searches, checks, strict=False):
            search.check = one_check
        if bar is not None:
            bar.begin(_expected_searches(plan, found, together=together))
        if together:
            settings = _joint(options, watcher, bar)
            results, joint, shared = search_together(searches, plan.searcher, settings)
            if bar is not None:
                bar.end_search()
            if joint is not None:
                logs.append(_trial_log(ALL_COMPONENTS, *joint))
        else:
            results = [*map(ComponentSearch.run, searches, repeat(plan.searcher))]
        checked = {**_joined(one.after() for one in checks), **checked}
        logs += map(ComponentSearch.log, searches)
        models: dict[ModelKey, object] = {}
        for one, search, result in zip(found, searches, results, strict=True):
            traded = [result.params, *(member.params for member in result.members)]
            points = [tuple(params.values()) for params in traded]
            if one.run.fitted:
                models |= {**dict(one.run.fitted.values()), **models_at(search.setup, points)}
            # A search of few steps can't spare the calls; a test of its values makes them.
            n_checked = 0 if search.check is None else min(search.check.n_chosen, MOST_CHECKED)
            if n_checked:
                seen = tuple(dim.rounded(dim.default) for dim in one.dimensions)
                unseen = [point for point in dict.fromkeys(points) if point != seen]
                check_chosen(strategy, one, unseen[:n_checked], trained_models(models))
        start, end = _bounds(plan, self.windows) if self.period is None else self.period
        training = Training(
            components={one.key: one for one in results},
            strategy=strategy,
            data=data,  # type: ignore[arg-type]  # on a worker `train_many` puts it in again
            settings={"start": start, "end": end, **options.settings()},
            environment=environment_of(data),
            seconds=time.perf_counter() - began,
            notes=(
                *(Note(kind, text) for kind, text in checked.items()),
                *_notes(strategy, results, searches, shared, options),
            ),
            logs=tuple(logs),
            models=trained_models(models),
        )
        if watcher.error is not None:
            raise _with_finished(watcher.error, "training", training)
        return training

    def _check(self, one: Discovered, *, alone: bool) -> TrainingCheck:
        """Return the check of a component; a search of it `alone` can help."""
        plan = self.plan
        n_evaluations, comes = _expected(plan.searcher, one.dimensions)
        helps = alone and not _needs_engine(plan.options.execute)
        spares = helps and comes and one.is_repeated
        return TrainingCheck(plan.strategy, one, n_evaluations, helps=helps, spares=spares)


def _joined(found: Iterable[dict[str, str]]) -> dict[str, str]:
    """Return the warnings about several components; of one kind the first."""
    joined: dict[str, str] = {}
    for one in found:
        joined = {**one, **joined}
    return joined


def _is_joint(options: TrainOptions, found: Sequence[Discovered]) -> bool:
    """Return whether components share parameters or scores."""
    return len(found) > 1 and (options.borrow != 0 or any(map(any, (one.common for one in found))))


def _expected_searches(
    plan: TrainingPlan, found: Sequence[Discovered], *, together: bool
) -> list[int]:
    """Return about how many evaluations each search makes, 0 where that is not known.

    Components that share parameters or scores are one search, in which a step that all of them take
    counts once.
    """
    if not together:
        return [_expected(plan.searcher, one.dimensions)[0] for one in found]
    is_pooled = plan.options.borrow == 1
    common = [
        dim
        for dim, is_common in zip(found[0].dimensions, found[0].common, strict=True)
        if is_common or is_pooled
    ]
    own = [
        [
            dim
            for dim, is_common in zip(one.dimensions, one.common, strict=True)
            if not (is_common or is_pooled)
        ]
        for one in found
    ]
    parts = [_expected(plan.searcher, dims)[0] for dims in (common, *own)]
    return [sum(parts) if all(parts) else 0]


def _expected(searcher: Searcher, dimensions: Sequence[Dimension]) -> tuple[int, bool]:
    """Return about how many evaluations a search makes, and whether it comes to the defaults.

    Nothing is known of a searcher of another kind, unless it has a limit.
    """
    if isinstance(searcher, _Limited):
        return min(searcher.most, _expected(searcher.inner, dimensions)[0] or searcher.most), False
    searched = [dim for dim in dimensions if dim.searched]
    grids = [dim.steps() if isinstance(searcher, Ascent) else dim.even_steps() for dim in searched]
    comes = [
        dim.rounded(dim.default) in map(dim.rounded, grid.tolist())
        for dim, grid in zip(searched, grids, strict=True)
    ]
    if isinstance(searcher, Ascent):  # while the first one moves, all others are at theirs
        return searcher.passes * sum(map(len, grids)) + 1, comes[:1] == [True]
    n_all = math.prod(map(len, grids))
    if isinstance(searcher, Brute):
        return n_all, all(comes)
    if isinstance(searcher, Genetic):
        return min(searcher.population * searcher.generations, n_all), False
    return min(int(getattr(searcher, "n_evaluations", 0)), n_all), False


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
        with evaluation_bar(execute, tasks[0].plan.strategy.name, len(tasks)) as bar:
            return _run_in_turn(tasks, bar)
    # Prices go to a worker once, and need not come back with every training.
    kept_options = {name: value for name, value in execute.items() if name == "store_key"}
    plans = [(task.plan, *(cut for cut, _ in task.samples)) for task in tasks]
    keys = [tuple(map(id, of_task)) for of_task in plans]
    inner = [
        tuple(
            plan._replace(data=None, options=replace(plan.options, execute=kept_options))
            for plan in of_task
        )
        for of_task in dict(zip(keys, plans, strict=True)).values()
    ]
    number_of = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    codes = np.array([number_of[key] for key in keys])
    rest = [(task.windows, task.period, [cuts for _, cuts in task.samples]) for task in tasks]
    varying: dict[int, tuple[Sequence[object], IntArray]] = {
        0: (inner, codes),
        1: (rest, np.arange(len(rest))),
    }
    calls = Calls(_run_task, (None, None), varying=varying)
    settings = replace(settings, show_progress=False)
    with evaluation_bar(execute, tasks[0].plan.strategy.name, len(tasks)) as bar:
        sink = None
        if bar is not None:
            bar.expect(_expected_length(tasks[0]))
            sink = CountedTrainings(bar)
        finished = run(calls, settings, label=label, passthrough=(BroadpeakError,), sink=sink)
    if len(finished.value) < len(tasks):
        msg = "Every training must succeed, got one that failed and was skipped."
        raise ParamError(msg)
    trainings = []
    for training, task in zip(finished.value, tasks, strict=True):
        data, settings_of = task.plan.data, {**training.settings, **execute}
        known = environment_of(data)
        trainings.append(replace(training, data=data, environment=known, settings=settings_of))
    return trainings


def _run_in_turn(tasks: Sequence[TrainingTask], bar: EvaluationBar | None) -> list[Training]:
    """Run trainings one after the other; an error of `on_step` keeps those that are finished."""
    trainings: list[Training] = []
    for task in tasks:
        try:
            trainings.append(task.run(bar=bar))
        except Exception as error:
            last = getattr(error, "training", None)
            if isinstance(last, Training):
                _with_finished(error, "trainings", (*trainings, last))
            raise
    return trainings


def _with_finished(error: Exception, name: str, finished: object) -> Exception:
    """Return what `on_step` raised, with what was finished before as an attribute."""
    try:
        setattr(error, name, finished)
    except AttributeError:  # a class of the user may refuse it
        return error
    error.add_note(f"What was finished before on_step failed is kept: error.{name}")
    return error


def _expected_length(task: TrainingTask) -> int | None:
    """Return about how many evaluations a training makes, None where that is not known."""
    plan = task.plan
    try:
        views = _views(plan, task.windows)
        found = discover_all(plan.strategy, views)
    except Exception:  # noqa: BLE001  # the training itself tells of it, and better
        return None
    parts = _expected_searches(plan, found, together=_is_joint(plan.options, found))
    return sum(parts) if all(parts) else None


_RestOfTask: TypeAlias = tuple[
    Mapping[str, BarWindow],
    tuple[Hashable, Hashable] | None,
    Sequence[Mapping[str, BarWindow]],
]


def _run_task(plans: tuple[TrainingPlan, ...], rest: _RestOfTask) -> Training:
    plan, *cuts = plans
    windows, period, of_cuts = rest
    return TrainingTask(plan, windows, period, tuple(zip(cuts, of_cuts, strict=True))).run()


def _bounds(plan: TrainingPlan, windows: Mapping[str, BarWindow]) -> tuple[Hashable, Hashable]:
    """Return first and last evaluated bar over all assets, as `train` would be given them."""
    firsts = [plan.bars[symbol].index[span.first] for symbol, span in windows.items()]
    lasts = [plan.bars[symbol].index[span.last - 1] for symbol, span in windows.items()]
    return min(firsts), max(lasts)


def _views(plan: TrainingPlan, windows: Mapping[str, BarWindow]) -> dict[str, Bars]:
    """Return look-back and evaluated bars of all symbols, detrended if the options say so."""
    lookback, bars = plan.strategy.lookback, plan.bars
    spans = {s: BarWindow(one.first - lookback, one.last) for s, one in windows.items()}
    if plan.options.detrend == "prices":
        # Of symbols that nobody asks for, too: it is a product with each price.
        bars = {s: _detrended(bars[s], one, lookback) for s, one in windows.items()}
    return windows_of(bars, spans)


def _detrended(bars: Bars, where: BarWindow, lookback: int) -> Bars:
    """Return bars up to the end of a window, level from its first evaluated close to its last.

    The look-back is tilted along; bars before it are moved as its first one is.
    """
    bars = bars.window(0, where.last)
    growth = np.log(bars.close[-1] / bars.close[where.first]) / (where.last - 1 - where.first)
    at = np.maximum(np.arange(len(bars)) - where.first, -lookback)
    return bars.tilted(np.exp(-growth * at))


def _setup(
    plan: TrainingPlan,
    component: Component,
    bars: Bars,
    discovered: Discovered,
    budget: Budget | None = None,
) -> EvaluationSetup:
    """Return what the evaluations of a component have in common."""
    strategy, options = plan.strategy, plan.options
    flatten = np.zeros(len(bars), dtype=np.bool_)
    flatten[-1] = True  # the last close ends every position
    # Slippage is chance; it is left out so that steps can be compared.
    costs = plan.costs[component.asset]
    costs = costs if costs.slippage == 0 else replace(costs, slippage=0.0)
    if not discovered.run.looks_around:
        bars = bars.within(None)  # what nobody asks for need not travel, nor be part of a key
    account = account_on(
        bars,
        strategy.lookback,
        strategy.fill,
        costs,
        unit_lots=options.sizing != "script",
        flatten=flatten,
        detrend=options.detrend == "trades",
        budget=budget,
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
        search_key="" if options.execute.get("store") is None else plan.search_key(),
        store_key=options.execute.get("store_key"),
        half_objective=_half_objective(plan) if options.borrow == AUTO else None,
        workspace=Workspace(not discovered.writes),
    )


def _half_objective(plan: TrainingPlan) -> Objective:
    """Return the objective of half the bars, in which half as many trades are enough."""
    options = plan.options
    return resolve_objective(options.objective, options.min_trades / 2)


def _joint(options: TrainOptions, watcher: StepWatcher, bar: EvaluationBar | None) -> JointSettings:
    """Return how several components are searched."""

    def watch(step: SearchStep, params: Mapping[str, float], found: Evaluation) -> Stop:
        return watcher.see(_step_info(ALL_COMPONENTS, step, params, found))

    here = not _needs_engine(options.execute)
    return JointSettings(options.borrow, options.seed, options.execute, here, watch, bar)


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


class StepWatcher:
    """Tells `on_step` of every evaluation, and what it wants to end.

    An error in it ends the search, too, so that what is finished can be kept; `error` is then
    raised in the end, and nobody is told of what follows.
    """

    def __init__(self, on_step: Callable[[StepInfo], object] | None) -> None:
        self.error: Exception | None = None
        self._on_step = on_step

    def see(self, info: StepInfo) -> Stop:
        """Tell of an evaluation."""
        if self._on_step is None:
            return Stop.NO
        if self.error is None:
            try:
                answer = self._on_step(info)
            except Exception as error:  # noqa: BLE001  # raised in the end
                self.error = error
            else:
                # A comparison of numbers of numpy gives its kind of False.
                ends = isinstance(answer, (bool, np.bool_)) and not answer
                return Stop.SEARCH if ends else Stop.NO
        return Stop.SEARCH


_NOBODY = StepWatcher(None)
"""Where nobody watches nothing can fail, so all trainings share it."""


class ComponentSearch:
    """The search of one component: evaluates what a searcher proposes, and keeps it in order."""

    def __init__(
        self,
        setup: EvaluationSetup,
        discovered: Discovered,
        options: TrainOptions,
        watcher: StepWatcher,
        bar: EvaluationBar | None = None,
    ) -> None:
        self.setup = setup
        self.discovered = discovered
        self.space = SearchSpace(discovered.dimensions)
        self.by_point: dict[Point, Evaluation] = {}
        self.check: TrainingCheck | None = None  # what is checked on the way
        self.narrow: tuple[str, ...] = ()  # what was chosen from too narrow a peak
        self.cut = False  # whether it was ended with steps that have no score
        self._discovered = discovered
        self._watcher = watcher
        self._bar = bar
        # Where steps are not judged by the component's own score alone: the scores they are judged
        # by, and the share that other components have in them, by parameter.
        self.blended: dict[SearchStep, float] = {}
        self.borrowed: dict[str, float] = {}
        self._options = options
        self._here = not _needs_engine(options.execute)
        self._watched = setup.watched
        self._n_batches = 0
        self._steps: list[tuple[SearchStep, bool]] = []
        self._by_step: dict[SearchStep, Evaluation] = {}
        self._trials: set[SearchStep] = set()
        self._known: dict[Hashable, Evaluation] = {}
        self._unseen: set[Hashable] = set()  # known from a step taken together, and no trial yet

    def run(self, searcher: Searcher) -> ComponentTraining:
        """Search this component alone, and return what was found."""
        began = time.perf_counter()
        found = maximise(
            searcher,
            self.space,
            self._scores,
            seed=self._options.seed,
            on_step=self.keep,
            identity=self._identity,
        )
        result = self.result(found, time.perf_counter() - began)
        if self._bar is not None:
            self._bar.end_search()
        return result

    def log(self) -> TrialLog:
        """Return the steps that were evaluated, without the final run of the chosen values."""
        setup, index = self.setup, None
        kept = [step for step, is_new in self._steps if is_new and step.par_cycle > 0]
        trials = [*zip(kept, map(self._by_step.__getitem__, kept), strict=True)]
        if setup.curves:
            index = setup.bars.index[setup.account.first :]
        blended = [self.blended.get(step, np.nan) for step in kept] if self.blended else None
        return _trial_log(setup.component.key, self.space.names, trials, index, blended)

    def keep(self, step: SearchStep, score: float, is_repeated: bool) -> None:
        """Put a step into the order of steps."""
        self._by_step.setdefault(step, self.by_point[step.point])
        self._steps.append((step, not is_repeated and step in self._trials))

    def _identity(self, step: SearchStep) -> Hashable:
        """Return what makes two steps the same: their values, or all if the strategy looks."""
        return step if self._watched else step.point

    @property
    def tried(self) -> bool:
        """Whether any step of the search was evaluated."""
        return any(step.par_cycle for step in self._trials)

    def _scores(self, steps: Sequence[SearchStep]) -> Sequence[float]:
        """Return the scores of `steps`, up to the one that ends the parameter, or the search."""
        if self._watcher.error is not None and steps[0].par_cycle:
            self.cut = True
            return ENDED
        self._n_batches += 1
        scores: list[float] = []
        on_step = self._options.on_step
        for step, found in zip(steps, self._evaluations(steps), strict=False):
            self._by_step[step] = self.by_point[step.point] = found
            self._trials.add(step)
            self._watched |= found.watched
            stop = found.stopped
            if on_step is not None:
                stop = max(stop, self._watcher.see(self._info(step, found)))
            if stop and step.par_cycle:  # after the last step nothing is left to end
                scores.append(Stop(stop).marked(found.score))
                break
            scores.append(found.score)
        return scores

    def _evaluations(self, steps: Sequence[SearchStep]) -> Iterable[Evaluation]:
        """Return one evaluation a step; those made here are made as they are asked for."""
        if not self._here:
            return self._on_engine(steps)
        setup, names = self.setup, self.space.names
        if self._options.on_step is not None or not is_batched(setup):
            return map(self._in_turn, steps, itertools.count())
        see = self._see
        return evaluate_in_batches(setup, steps, names, known=self._known_run, see=see)

    def _in_turn(self, step: SearchStep, number: int) -> Evaluation:
        """Return the evaluation of one step, made here, and of use for the check on the way."""
        known = self._known_run(step)
        return evaluate_here(self.setup, step, number, self.space.names, known=known, see=self._see)

    @property
    def _see(self) -> SeeRun:
        """What is shown every run of a step that is made here, as soon as it ended."""
        see = _see_nothing if self.check is None else self.check.see
        bar = self._bar
        if bar is None:
            return see

        def counted(run: RunState, step: SearchStep) -> None:
            bar.update(1)
            see(run, step)

        return counted

    def _known_run(self, step: SearchStep) -> Discovered | None:
        """Return what the strategy orders at a step, if it was called on a copy instead."""
        checked = self.check
        return self._discovered if checked is not None and checked.instead(step.point) else None

    def _on_engine(self, steps: Sequence[SearchStep]) -> list[Evaluation]:
        """Return one evaluation a step; those that failed and were skipped are unusable."""
        key, names = self.setup.component.key, self.space.names
        values = run_requests(
            evaluate_request,
            self.setup,
            [(step[:], self._n_batches, at) for at, step in enumerate(steps)],
            self._options.execute,
            lambda at: label_of(key, names, steps[at].point),
            ["component", *names],
            lambda: [[key] * len(steps), *map(list, zip(*(s.point for s in steps), strict=True))],
            bar=self._bar,
        )
        return [Evaluation(np.nan) if value is None else Evaluation.of(value) for value in values]

    # What follows is for the searches of several components at once.

    def hold(self, values: Mapping[int, float]) -> None:
        """Search no longer for the parameters at these positions."""
        dimensions = list(self.space)
        for at, value in values.items():
            dimensions[at] = Dimension(dimensions[at].name, value, 0, 0)
        self.space = SearchSpace(dimensions)

    def proposals(self, searcher: Searcher, seed: int | None) -> Proposals:
        """Return the steps that a searcher wants, each of them: scores depend on other components.

        So the same values may have another score later on; `own_scores` evaluates them once.
        """
        return propose(
            searcher, self.space, seed=seed, on_step=self.keep, identity=lambda step: step
        )

    def own_scores(self, steps: Sequence[SearchStep]) -> Sequence[float]:
        """Return the component's own scores, up to a stop; none is evaluated twice."""
        keys = [self._identity(step) for step in steps]
        new: dict[Hashable, SearchStep] = {}
        for key, step in zip(keys, steps, strict=True):
            if key not in self._known:
                new.setdefault(key, step)
        evaluated = self._scores(list(new.values())) if new else []
        if evaluated is ENDED:
            return ENDED
        fresh = dict(zip(new, evaluated, strict=False))
        self._known |= {key: self._by_step[new[key]] for key in fresh}
        scores: list[float] = []
        for key, step in zip(keys, steps, strict=True):
            if key not in self._known:
                break  # an earlier step ended the parameter
            found = self._known[key]
            self._by_step.setdefault(step, found)
            if key in self._unseen:
                self._unseen.discard(key)
                self._trials.add(step)
            scores.append(fresh.pop(key, found.score))
            if Stop.of(scores[-1]) is not Stop.NO:
                break
        return scores

    def found_at(self, step: SearchStep) -> Evaluation:
        """Return the evaluation of a step."""
        return self._by_step[step]

    def take(self, step: SearchStep, own: Evaluation, shown: Evaluation, *, is_trial: bool) -> None:
        """Keep what a step that was taken together gave this component."""
        key = self._identity(step)
        if key not in self._known:
            self._known[key] = own
            if not is_trial:
                self._unseen.add(key)
        self.by_point.setdefault(step.point, own)
        self._by_step[step] = shown
        self._watched |= own.watched
        if is_trial:
            self._trials.add(step)

    # What was found.

    def _info(self, step: SearchStep, found: Evaluation) -> StepInfo:
        params = dict(zip(self.space.names, step.point, strict=True))
        return _step_info(self.setup.component.key, step, params, found)

    def result(
        self, found: SearchResult, seconds: float, prior: Choice | None = None
    ) -> ComponentTraining:
        """Return what was found; `prior` is what was chosen for all components before."""
        discovered, setup, names = self.discovered, self.setup, self.space.names
        component, bars, first = setup.component, setup.bars, setup.account.first
        choice, score = found.choice, found.score
        if prior is not None:
            choice = _joined_choice(prior, choice, self.space, discovered.dimensions)
            score = score if choice.usable or score > 0 else 0.0
        final = self.by_point[found.values]
        n_known = len(self.by_point)
        members = self._members(choice) if choice.members else ()
        curves = tuple(self._curve(curve) for curve in choice.curves)
        n_evaluations = (len(self._known) or found.n_evaluations) + len(self.by_point) - n_known
        self.narrow = _narrow(component.key, choice, n_evaluations)
        return ComponentTraining(
            key=component.key,
            asset=component.asset,
            algo=component.algo,
            params=_named(names, found.values, final),
            objective=float(score),
            at_edge=dict(zip(names, choice.at_edge, strict=True)),
            steps={curve.parameter: curve for curve in curves},
            curves=curves,
            usable=bool(choice.usable),
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
            n_evaluations=n_evaluations,
            seconds=seconds,
            borrowed=self.borrowed,
            members=members,
        )

    def _members(self, choice: Choice) -> tuple[Member, ...]:
        """Return the ensemble that was chosen; what the search did not evaluate of it is now."""
        space = SearchSpace(self.discovered.dimensions)
        weights: dict[Point, float] = {}
        for point, weight in choice.members:
            values = space.rounded(point)  # several may be one once integers are rounded
            weights[values] = weights.get(values, 0.0) + weight
        cycle = max((step.train_cycle for step, _ in self._steps), default=1)
        new = [SearchStep(values, cycle, 0, 0, "") for values in weights]
        new = [step for step in new if step.point not in self.by_point]
        if new:
            self._scores(new)
        # An evaluation is missing only where the user stopped the search.
        evaluated = [self.by_point.get(values, Evaluation(np.nan)) for values in weights]
        scores = finite_scores(one.score for one in evaluated)
        rows = zip(weights.items(), evaluated, scores, strict=True)
        return tuple(
            Member(_named(self.space.names, values, one), weight, score)
            for (values, weight), one, score in rows
        )

    def _curve(self, curve: SearchCurve) -> StepCurve:
        """Return the steps of one parameter with the trades that each one made."""
        found = [
            self._by_step[step]
            for step, _ in self._steps
            if step.train_cycle == curve.pass_ and step.parameter == curve.parameter
        ]
        own = [one.score for one in found]
        wins, losses = zip(*(one.counts for one in found), strict=True) if found else ((), ())
        scores, blended = np.array(curve.scores), None
        if curve.parameter in self.borrowed:
            scores, blended = np.array(own), scores
        window = None
        if curve.window is not None:
            window = (curve.values[curve.window[0]], curve.values[curve.window[1]])
        dimension = next(dim for dim in self.discovered.dimensions if dim.name == curve.parameter)
        return StepCurve(
            component=self.setup.component.key,
            parameter=curve.parameter,
            pass_number=curve.pass_,
            values=np.array(curve.values),
            objective=scores,
            wins=np.array(wins, dtype=np.float64),
            losses=np.array(losses, dtype=np.float64),
            chosen=curve.value,
            score=curve.score,
            default=dimension.rounded(dimension.default),
            window=window,
            at_edge=curve.at_edge,
            objective_name=objective_name(self._options.objective),
            blended=blended,
            borrowed=self.borrowed.get(curve.parameter, 0.0),
            robustness=curve.robustness,
        )


def _narrow(key: str, choice: Choice, n_evaluations: int) -> tuple[str, ...]:
    """Return what of a component was chosen from too narrow a peak: parameters, or all of it."""
    if not choice.usable:
        return ()
    last = {curve.parameter: curve for curve in choice.curves}
    names = [
        f"{key} {name}"
        for name, curve in last.items()
        if is_narrow(curve.robustness, len(curve.values))
    ]
    return (*names, *[key] * is_narrow(choice.robustness, n_evaluations))


def _named(names: Sequence[str], values: Point, evaluation: Evaluation) -> dict[str, float]:
    """Return the values by name; those that the strategy computed in that run in their place."""
    params = dict(zip(names, values, strict=True))
    for position, value in (evaluation.computed or {}).items():
        params[names[position]] = value
    return params


def _trial_log(
    component: str,
    names: tuple[str, ...],
    trials: Sequence[tuple[SearchStep, Evaluation]],
    index: pd.Index | None,
    blended: Sequence[float] | None = None,
) -> TrialLog:
    """Return the log of trials; `index` has the evaluated bars where their profit was kept."""
    days, numbers = index, None
    if index is not None:
        numbers = np.arange(len(index))
        if isinstance(index, pd.DatetimeIndex):
            day = index.normalize()
            days = day.unique()
            numbers = days.get_indexer(day)
    return TrialLog(component, names, trials, days, numbers, blended)


def _step_info(
    component: str, step: SearchStep, params: Mapping[str, float], found: Evaluation
) -> StepInfo:
    cycles = (step.train_cycle, step.par_cycle, step.step_cycle)
    return StepInfo(component, *cycles, step.parameter, dict(params), found.score, found.stats)


def _joined_choice(
    prior: Choice, own: Choice, space: SearchSpace, dimensions: Sequence[Dimension]
) -> Choice:
    """Return what was chosen for all components, and then by one for the rest of its parameters."""
    is_searched = any(dim.searched for dim in space)
    at_edge = tuple(one or other for one, other in zip(prior.at_edge, own.at_edge, strict=True))
    usable = prior.usable or (is_searched and own.usable)
    joined = replace(own if is_searched else prior, at_edge=at_edge, usable=usable)
    members = joined.members
    if is_searched and (members or prior.members):
        held = [
            was.searched and not dim.searched for was, dim in zip(dimensions, space, strict=True)
        ]
        members = _crossed_members(prior, own, held)
    return replace(joined, curves=(*prior.curves, *own.curves), members=members)


def _crossed_members(
    prior: Choice, own: Choice, held: Sequence[bool]
) -> tuple[tuple[Point, float], ...]:
    """Return the members of common parameters, which are `held`, with all of those of the rest."""
    common = prior.members or ((own.values, 1.0),)
    rest = own.members or ((own.values, 1.0),)
    n = len(common) * len(rest)
    if n > MAX_MEMBERS:
        rule = f"make at most {MAX_MEMBERS:,} members of all parameters together"
        raise ParamError(broken_rule("share", rule, n, "Type Ensemble(share=0.05), say."))
    crossed = []
    for (shared, share), (point, weight) in itertools.product(common, rest):
        values = (
            one if is_held else other
            for one, other, is_held in zip(shared, point, held, strict=True)
        )
        crossed.append((tuple(values), share * weight))
    return tuple(crossed)


def _see_nothing(run: RunState, step: SearchStep) -> None:
    """Look at no run."""


_UNUSED_HERE = {"n_workers", "store_key", "engine", "show_progress", "pbar_kwargs"}


def _needs_engine(execute: Mapping[str, Any]) -> bool:
    """Return whether evaluations go through a run: for an engine, a store, callbacks, ….

    Otherwise they are plain calls, one after the other.
    """
    if not is_serial(execute.get("engine", "serial")):
        return True
    return any(value is not None for name, value in execute.items() if name not in _UNUSED_HERE)


# ------------------------------------------------------------------ warnings


MOST_CHANGE = 3
"""How many times prices may change within a training at one lot before a warning says so."""


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
    strategy: Strategy,
    results: Sequence[ComponentTraining],
    searches: Sequence[ComponentSearch],
    shared: Sequence[frozenset[str]],
    options: TrainOptions,
) -> tuple[Note, ...]:
    """Return the warnings about a training; `shared` rest on the trades of all components."""
    silent, unusable, few, n_unprotected = [], [], [], 0
    n_together = 0
    for found, search, others in zip(results, searches, shared, strict=True):
        n_trades = 0.0
        for evaluation in search.by_point.values():
            n_unprotected = max(n_unprotected, evaluation.n_unprotected)
            n_trades += evaluation.n_trades
        n_params = sum(dim.searched and dim.name not in others for dim in found.dimensions)
        n_chosen = found.stats.num_trades if found.stats else 0
        n_together += n_chosen
        if not n_trades:
            silent.append(found.key)
        elif not found.usable and search.cut and not search.tried:
            continue  # the search was ended before it came to this component
        elif not found.usable:
            unusable.append(f"{found.key}: {_why_unusable(search, options)}")
        elif n_chosen < MIN_TRADES_PER_PARAMETER * n_params:
            few.append(f"{found.key} {n_chosen} for {n_params}")
    if shared[0] and n_together < MIN_TRADES_PER_PARAMETER * len(shared[0]):
        few.append(f"all together {n_together} for {len(shared[0])}")
    name = repr(strategy.name)
    notes = []
    if silent:
        text = f"{name} never trades ({_and_more(silent)}): the defaults are kept. "
        notes.append(Note("silent", f"{text}Check its signals, lookback and lots."))
    if unusable:
        text = f"{name} has no step with a usable objective ({_and_more(unusable)}): the "
        text += (
            "defaults are kept, objective 0. Where none scored above 0 there is no edge to choose; "
        )
        notes.append(Note("unusable", f"{text}`bp.select` would take the least bad of them."))
    if few:
        text = (
            f"The values chosen for {name} rest on fewer than {MIN_TRADES_PER_PARAMETER} "
            f"trades per parameter ({_and_more(few)}): they may be luck. Use more history, "
            "fewer parameters, or a higher min_trades."
        )
        notes.append(Note("few", text))
    narrow = [name for search in searches for name in search.narrow]
    if narrow:
        text = (
            f"What was chosen for {name} stands alone ({_and_more(narrow)}): the scores beside it "
            "do not carry it, so it may be luck. Look at its chart, and use more history."
        )
        notes.append(Note("narrow", text))
    if n_unprotected:
        notes.append(Note("unprotected", unprotected_note(strategy, n_unprotected)))
    steep = _steep(searches)
    if steep:
        text = (
            f"{name} was trained at one lot on prices that changed more than {MOST_CHANGE} times "
            f"within the period ({_and_more(steep)}), so that the years with the highest prices "
            'decide. Pass sizing="money", in walk_forward train_sizing="money", to let all years '
            "count alike."
        )
        notes.append(Note("steep", text))
    return tuple(notes)


def _steep(searches: Sequence[ComponentSearch]) -> list[str]:
    """Return the assets that trade one lot while their prices change too much for it, and how much.

    Counted are the last close against the first, and the mean of each tenth of the bars against
    that of the others, so that a short extreme is none.
    """
    found: dict[str, str] = {}
    for search in searches:
        account = search.setup.account
        if not account.unit_lots or account.budget is not None:
            continue
        close = account.prices.close[0, account.first :]
        if close.max() < MOST_CHANGE * close.min():
            continue  # nor do means change more
        edges = _even_edges(len(close), min(10, len(close)))
        means = [np.add.reduce(close[begin:end]) / (end - begin) for begin, end in pairwise(edges)]
        times = max(max(means) / min(means), close[-1] / close[0], close[0] / close[-1])
        if times > MOST_CHANGE:
            found[search.setup.component.asset] = f"{search.setup.component.asset} {times:.3g}"
    return [*found.values()]


def _even_edges(n: int, n_parts: int) -> list[int]:
    """Return where parts of n things begin and end; the first ones are longer by one."""
    size, longer = divmod(n, n_parts)
    return [part * size + min(part, longer) for part in range(n_parts + 1)]


def _why_unusable(search: ComponentSearch, options: TrainOptions) -> str:
    """Return how many trades the steps of a search made, and why none of them counts."""
    found = search.by_point.values()
    most = max((one.n_trades for one in found), default=0.0)
    trades = f"at most {most:g} trade{'s' * (most != 1)} a step"
    if isinstance(search.setup.objective, NamedObjective) and most < options.min_trades:
        return f"{trades}, and min_trades={options.min_trades:g} wants more"
    scores = [one.score for one in found if math.isfinite(one.score)]
    best = f"the best objective is {max(scores):.4g}" if scores else "no objective is a number"
    return f"{trades}, {best}"


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
