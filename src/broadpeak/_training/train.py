# SPDX-License-Identifier: BSD-3-Clause
"""`train`: find the parameters of a strategy; `train_many`: many trainings on any engine.

A training goes through its components one after the other. For each one a searcher proposes
steps, `ComponentSearch` has them evaluated, and the searcher chooses from the scores. Components
that share parameters or scores are led together, by `search_together`.
"""

from __future__ import annotations

import inspect
import math
import time
import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any, NamedTuple, TypeAlias, Unpack

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._data.data import Data
from broadpeak._run.calls import Calls
from broadpeak._run.execute import run
from broadpeak._run.options import Settings
from broadpeak._run.registry import is_serial
from broadpeak._search.ascent import Ascent
from broadpeak._search.brute import Brute
from broadpeak._search.genetic import Genetic
from broadpeak._search.protocol import Searcher, SearchStep, Stop
from broadpeak._search.searchspace import Dimension
from broadpeak._simulation.costs import Costs
from broadpeak._simulation.rules import NO_COSTS
from broadpeak._store.fingerprint import fingerprint
from broadpeak._training.borrowing import AUTO
from broadpeak._training.components import (
    Bars,
    BarWindow,
    Component,
    bars_of,
    per_asset,
    windows_in,
    windows_of,
)
from broadpeak._training.componentsearch import (
    NOBODY,
    ComponentSearch,
    StepWatcher,
    step_info,
    trial_log,
)
from broadpeak._training.evaluation import (
    ALL_COMPONENTS,
    Discovered,
    Evaluation,
    EvaluationSetup,
    by_store_key,
    discover_all,
    models_at,
)
from broadpeak._training.evaluationbar import CountedTrainings, EvaluationBar, evaluation_bar
from broadpeak._training.fits import ModelKey, trained_models
from broadpeak._training.guard import MOST_CHECKED, TrainingCheck, check_chosen
from broadpeak._training.jointsearch import JointSettings, search_together
from broadpeak._training.mistakes import order_notes
from broadpeak._training.objective import Objective, resolve_objective
from broadpeak._training.orders import account_on
from broadpeak._training.recorded import Workspace
from broadpeak._training.result import Training, TrialLog, environment_of
from broadpeak._training.sizing import Budget
from broadpeak._training.strategy import Strategy, StrategyFunction, as_strategy
from broadpeak._training.trainingnotes import Note, notes_of
from broadpeak._training.trainoptions import (
    OPTION_NAMES,
    LimitedSearcher,
    TrainArguments,
    TrainOptions,
    needs_engine,
)
from broadpeak.errors import BroadpeakError, DataError, ParamError, StrategyError, broken_rule
from broadpeak.types import IntArray

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
        for name in OPTION_NAMES
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
        return windows_in(self.bars, lookback, start, end)

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
        watcher = NOBODY if options.on_step is None else StepWatcher(options.on_step)
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
                logs.append(trial_log(ALL_COMPONENTS, *joint))
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
                *notes_of(strategy, results, searches, shared, options),
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
        helps = alone and not needs_engine(plan.options.execute)
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
    if isinstance(searcher, LimitedSearcher):
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
    spans = [(plan.bars[s].index, one) for s, one in windows.items() if one.first < one.last]
    firsts = [index[span.first] for index, span in spans]
    return min(firsts), max(index[span.last - 1] for index, span in spans)


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
    if where.first >= where.last:  # no bar is evaluated
        return bars
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
        return watcher.see(step_info(ALL_COMPONENTS, step, params, found))

    here = not needs_engine(options.execute)
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
