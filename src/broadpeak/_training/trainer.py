# SPDX-License-Identifier: BSD-3-Clause
"""Training of one component: a searcher asks, evaluations answer through the one run path."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from broadpeak._run.batches import Outcome
from broadpeak._run.calls import Calls
from broadpeak._run.execute import run
from broadpeak._run.options import Settings
from broadpeak._run.sinks import Finished
from broadpeak._search.protocol import (
    Point,
    SearchCurve,
    SearchResult,
    SearchStep,
    StoppingScore,
    maximise,
)
from broadpeak._search.searchspace import SearchSpace
from broadpeak._training.evaluation import (
    OWN_MISTAKES,
    Evaluation,
    EvaluationSetup,
    Order,
    evaluate,
    label_of,
)
from broadpeak._training.performance import Stats
from broadpeak._training.settings import TrainOptions
from broadpeak.types import NoResult


class StepInfo(NamedTuple):
    """What `on_step` is told about an evaluation.

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


@dataclass(slots=True)
class Log:
    """Evaluations of one component in order, and by point."""

    steps: list[SearchStep] = field(default_factory=list)
    fresh: list[bool] = field(default_factory=list)
    by_step: dict[SearchStep, Evaluation] = field(default_factory=dict)
    by_point: dict[Point, Evaluation] = field(default_factory=dict)

    def note(self, step: SearchStep, score: float, repeated: bool) -> None:  # on_step
        """Note a step that the search went through."""
        self.by_step.setdefault(step, self.by_point[step.point])
        self.steps.append(step)
        self.fresh.append(not repeated)

    def trials(self) -> list[tuple[SearchStep, Evaluation]]:
        """Return the steps that were evaluated, without the final run of the chosen values."""
        return [
            (step, self.by_step[step])
            for step, fresh in zip(self.steps, self.fresh, strict=True)
            if fresh and step.par_cycle > 0
        ]

    def of_curve(self, curve: SearchCurve) -> list[Evaluation]:
        """Return the evaluations of the steps of one curve."""
        return [
            self.by_step[step]
            for step in self.steps
            if step.train_cycle == curve.pass_ and step.parameter == curve.parameter
        ]


class Trained(NamedTuple):
    """A component's search, finished."""

    found: SearchResult
    final: Evaluation
    log: Log
    seconds: float


def train_component(
    job: EvaluationSetup, space: SearchSpace, searcher: Any, options: TrainOptions
) -> Trained:
    """Search the parameters of one component."""
    began = time.perf_counter()
    log = Log()
    asker = _Asker(job, space, options, log, watched=job.watched)
    found = maximise(
        searcher,
        space,
        asker.scores,
        seed=options.seed,
        on_step=log.note,
        identity=asker.identity,
    )
    final = log.by_point[found.values]
    return Trained(found, final, log, time.perf_counter() - began)


class _Asker:
    """Evaluates batches of steps through `execute`."""

    def __init__(
        self,
        job: EvaluationSetup,
        space: SearchSpace,
        options: TrainOptions,
        log: Log,
        *,
        watched: bool,
    ) -> None:
        self._job = job
        self._names = space.names
        self._options = options
        self._log = log
        self._n_batches = 0
        self._watched = watched
        self._settings = Settings(raise_no_results=False, **options.execute)
        self._stored = options.execute.get("store") is not None

    def identity(self, step: SearchStep) -> SearchStep | Point:
        """Return what makes two steps the same: their values, unless the strategy looks around."""
        return step if self._watched else step.point

    def scores(self, steps: list[SearchStep]) -> list[float]:
        """Return the scores of `steps`, up to the one that ends the parameter."""
        self._n_batches += 1
        orders: list[Order] = [(tuple(step), self._n_batches, at) for at, step in enumerate(steps)]
        calls = Calls(evaluate, (self._job, None), varying={1: (orders, np.arange(len(orders)))})
        key = self._job.component.key
        label = lambda at: label_of(key, self._names, steps[at].point)  # noqa: E731
        keys = self._keys(steps) if self._stored else None
        finished = run(calls, self._settings, keys=keys, label=label, passthrough=OWN_MISTAKES)
        scores: list[float] = []
        for step, found in zip(steps, _evaluations(finished, len(steps)), strict=True):
            self._log.by_step[step] = self._log.by_point[step.point] = found
            self._watched |= found.watched
            stop = found.stopped | self._told(step, found)
            scores.append(StoppingScore(found.score) if stop else found.score)
            if stop:
                break
        return scores

    def _keys(self, steps: list[SearchStep]) -> pd.Index[Any]:
        """Return what a store writes beside each result."""
        columns: list[Any] = [[self._job.component.key] * len(steps)]
        columns += zip(*(step.point for step in steps), strict=True)
        return pd.MultiIndex.from_arrays(columns, names=["component", *self._names])

    def _told(self, step: SearchStep, found: Evaluation) -> bool:
        """Tell `on_step`; whether it wants the search of this parameter to end."""
        if self._options.on_step is None:
            return False
        info = StepInfo(
            self._job.component.key,
            step.train_cycle,
            step.par_cycle,
            step.step_cycle,
            step.parameter,
            dict(zip(self._names, step.point, strict=True)),
            found.score,
            found.stats,
        )
        return self._options.on_step(info) is False


def _evaluations(finished: Finished, n: int) -> list[Evaluation]:
    """Return one evaluation a step; those that failed and were skipped are unusable."""
    found = [Evaluation(np.nan)] * n
    places = range(n) if finished.kept is None else finished.kept.tolist()
    values = [] if finished.value is NoResult else finished.value
    for place, value in zip(places, values, strict=True):
        if not isinstance(value, Outcome):
            found[place] = Evaluation.of(value)
    return found
