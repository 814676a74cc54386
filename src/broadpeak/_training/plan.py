# SPDX-License-Identifier: BSD-3-Clause
"""A training, from resolved settings to its result: component after component."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import broadpeak
from broadpeak._data.data import Data
from broadpeak._search.protocol import SearchCurve
from broadpeak._search.searchspace import Dimension, SearchSpace
from broadpeak._simulation.costs import Costs
from broadpeak._training.backtest import training_account
from broadpeak._training.components import Bars, BarWindow, Component, bars_of, per_asset
from broadpeak._training.evaluation import Discovered, EvaluationSetup, by_word, discover
from broadpeak._training.notes import Notes
from broadpeak._training.objective import resolve_objective
from broadpeak._training.result import ComponentTraining, StepCurve, Training, TrialLog, called
from broadpeak._training.searching import searcher_for
from broadpeak._training.settings import TrainOptions
from broadpeak._training.strategy import Strategy
from broadpeak._training.trainer import Log, Trained, train_component
from broadpeak.errors import StrategyError


class TrainingPlan(NamedTuple):
    """What is trained on what and how."""

    strategy: Strategy
    data: Data | None
    bars: dict[str, Bars]
    costs: dict[str, Costs]
    options: TrainOptions

    def fingerprint(self) -> dict[str, object]:
        """Return what a training depends on, by which a store knows it again."""
        options = self.options
        objective = resolve_objective(options.objective, options.min_trades)
        settings = {**settings_of(options), "objective": objective}
        word = settings.pop("store_key", None)
        content = {"bars": self.bars, "costs": self.costs, "settings": settings}
        by = by_word(self.strategy, objective, word)
        settings["objective"] = by.get("objective", objective)
        return {**content, "strategy": by.get("strategy", self.strategy)}


def plan_training(strategy: Strategy, data: Data, options: TrainOptions) -> TrainingPlan:
    """Check what does not depend on the period."""
    bars = bars_of(data)
    costs = per_asset("costs", options.costs, bars, Costs(), Costs)
    resolve_objective(options.objective, options.min_trades)
    searcher_for(options)
    return TrainingPlan(strategy, data, bars, costs, options)


def run_plan(
    plan: TrainingPlan,
    windows: Mapping[str, BarWindow],
    settings: Mapping[str, Any],
    samples: Sequence[tuple[TrainingPlan, Mapping[str, BarWindow]]] = (),
) -> Training:
    """Train every component on its window, and on those of further samples of the same data."""
    began = time.perf_counter()
    views = {symbol: training_bars(plan, symbol, windows[symbol]) for symbol in plan.bars}
    first = discover(plan.strategy, views)
    found = {
        one: first if one == first.components[0] else discover(plan.strategy, views, one)
        for one in first.components
    }
    if not any(one.calls for one in found.values()):
        msg = (
            f"Strategy {plan.strategy.name!r} must call s.optimize() at least once to be trained, "
            "got none. bp.test(strategy, data) runs it as it is."
        )
        raise StrategyError(msg)
    results: dict[str, ComponentTraining] = {}
    logs: list[TrialLog] = []
    notes = Notes(plan.strategy)
    shared: dict[str, float] = {}
    for component, one in found.items():
        jobs = tuple(_sample_job(*sample, component, one) for sample in samples)
        job = replace(job_of(plan, component, views, one), samples=jobs)
        space = _space(one, shared)
        trained = train_component(job, space, searcher_for(plan.options), plan.options)
        result = _component(plan, component, one, job, space, trained)
        results[component.key] = result
        logs.append(_trial_log(job, space, trained.log))
        if not shared:
            shared = {name: result.params[name] for name in result.common}
        notes.add(result, trained.log)
    return Training(
        components=results,
        strategy=plan.strategy,
        data=plan.data,
        settings={**settings, **settings_of(plan.options)},
        environment={} if plan.data is None else environment(plan.data),
        seconds=time.perf_counter() - began,
        notes=notes.texts(),
        logs=tuple(logs),
    )


def training_bars(plan: TrainingPlan, symbol: str, where: BarWindow) -> Bars:
    """Return look-back and evaluated bars of a symbol, detrended where asked."""
    lookback = plan.strategy.lookback
    bars = plan.bars[symbol].window(where.first - lookback, where.last)
    if plan.options.detrend != "prices":
        return bars
    # Level from the first evaluated close to the last; the look-back is tilted along.
    growth = np.log(bars.close[-1] / bars.close[lookback]) / (len(bars) - 1 - lookback)
    return bars.tilted(np.exp(-growth * (np.arange(len(bars)) - lookback)))


def job_of(
    plan: TrainingPlan, component: Component, views: Mapping[str, Bars], one: Discovered
) -> EvaluationSetup:
    """Return what the evaluations of a component have in common."""
    options = plan.options
    bars = views[component.asset]
    account = training_account(
        bars,
        plan.strategy.lookback,
        plan.strategy.fill,
        # Slippage is chance; it is left out so that steps can be compared.
        replace(plan.costs[component.asset], slippage=0.0),
        unit_lots=options.sizing == "unit",
        detrend=options.detrend == "trades",
    )
    return EvaluationSetup(
        plan.strategy,
        component,
        tuple(plan.bars),
        bars,
        account,
        resolve_objective(options.objective, options.min_trades),
        one.calls,
        one.watched,
        options.recency,
        options.curves,
        data_key="" if plan.data is None else plan.data.fingerprint(),
        store_key=options.execute.get("store_key"),
    )


def _sample_job(
    plan: TrainingPlan, windows: Mapping[str, BarWindow], component: Component, one: Discovered
) -> EvaluationSetup:
    asset = component.asset
    return job_of(plan, component, {asset: training_bars(plan, asset, windows[asset])}, one)


def settings_of(options: TrainOptions) -> dict[str, Any]:
    """Return all settings by name, those of `execute` among them."""
    names = [name for name in options.__dataclass_fields__ if name != "execute"]
    return {**{name: getattr(options, name) for name in names}, **options.execute}


def environment(data: Data) -> dict[str, str]:
    """Return versions and the fingerprint of the data."""
    versions = {"broadpeak": broadpeak.__version__, "python": platform.python_version()}
    versions |= {"numpy": np.__version__, "pandas": pd.__version__, "platform": platform.platform()}
    return {**versions, "data": data.fingerprint()}


def _space(one: Discovered, shared: Mapping[str, float]) -> SearchSpace:
    """Return what is searched; common parameters stay as the first component left them."""
    return SearchSpace(
        tuple(
            Dimension(dim.name, shared[dim.name], 0, 0) if common and dim.name in shared else dim
            for dim, common in zip(one.dimensions, one.common, strict=True)
        )
    )


def _component(
    plan: TrainingPlan,
    component: Component,
    one: Discovered,
    job: EvaluationSetup,
    space: SearchSpace,
    trained: Trained,
) -> ComponentTraining:
    found = trained.found
    params = dict(zip(space.names, found.values, strict=True))
    for position, value in (trained.final.computed or {}).items():
        params[space.names[position]] = value
    defaults = {dim.name: dim.rounded(dim.default) for dim in one.dimensions}
    objective_name = called(plan.options.objective)
    curves = tuple(
        _curve(component.key, curve, trained.log, defaults, objective_name)
        for curve in found.choice.curves
    )
    lookback = job.account.first
    names = zip(one.dimensions, one.common, strict=True)
    return ComponentTraining(
        key=component.key,
        asset=component.asset,
        algo=component.algo,
        params=params,
        objective=float(found.score),
        at_edge=dict(zip(space.names, found.choice.at_edge, strict=True)),
        steps={curve.parameter: curve for curve in curves},
        curves=curves,
        usable=bool(found.choice.usable),
        dimensions=one.dimensions,
        common=tuple(dim.name for dim, common in names if common),
        stats=trained.final.stats,
        first=job.bars.index[lookback],
        last=job.bars.index[-1],
        n_bars=len(job.bars) - lookback,
        n_evaluations=found.n_evaluations,
        seconds=trained.seconds,
    )


def _curve(
    key: str, curve: SearchCurve, log: Log, defaults: Mapping[str, float], objective_name: str
) -> StepCurve:
    found = [one.stats for one in log.of_curve(curve)]
    values = np.array(curve.values)
    window = None
    if curve.window is not None:
        window = (curve.values[curve.window[0]], curve.values[curve.window[1]])
    return StepCurve(
        component=key,
        parameter=curve.parameter,
        pass_number=curve.pass_,
        values=values,
        objective=np.array(curve.scores),
        wins=np.array([np.nan if one is None else one.num_win for one in found], dtype=np.float64),
        losses=np.array(
            [np.nan if one is None else one.num_loss for one in found], dtype=np.float64
        ),
        chosen=curve.value,
        score=curve.score,
        default=defaults[curve.parameter],
        window=window,
        at_edge=curve.at_edge,
        objective_name=objective_name,
    )


def _trial_log(job: EvaluationSetup, space: SearchSpace, log: Log) -> TrialLog:
    days = numbers = None
    if job.curves:
        index = job.bars.index[job.account.first :]
        days, numbers = _days(index)
    return TrialLog(job.component.key, space.names, log.trials(), days, numbers)


def _days(index: pd.Index[Any]) -> tuple[pd.Index[Any], Any]:
    """Return the days of an index, and the number of the day of each bar."""
    if not isinstance(index, pd.DatetimeIndex):
        return index, np.arange(len(index))
    day = index.normalize()
    days = day.unique()
    return days, days.get_indexer(day)
