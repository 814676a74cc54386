# SPDX-License-Identifier: BSD-3-Clause
"""One step of several components: each runs at its own point, and their trades are scored as one.

Pooled are the trades, in the order of their exits, and equity, as a sum, on all bars that any of
the components has. Statistics are those of the pool; capital is the sum of capitals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._search.protocol import SearchStep
from broadpeak._training.evaluation import (
    OWN_MISTAKES,
    Evaluation,
    EvaluationSetup,
    SampleRun,
    averaged,
    evaluation_of,
    label_of,
    run_samples,
)
from broadpeak._training.orders import years_of
from broadpeak._training.performance import JointBars, PoolPart, Stats
from broadpeak.errors import TaskError, described
from broadpeak.types import FloatArray


class PooledEvaluation(NamedTuple):
    """What one step gave: all trades together, and each component alone."""

    whole: Evaluation
    own: tuple[Evaluation, ...]

    @classmethod
    def of(cls, stored: object, n_parts: int) -> PooledEvaluation:
        """Return the evaluation of plain tuples; what came out of a file may be anything."""
        if not (isinstance(stored, tuple) and len(stored) == 2 and isinstance(stored[1], tuple)):
            stored = (None, ())
        own = tuple(map(Evaluation.of, stored[1]))
        return cls(Evaluation.of(stored[0] if len(own) == n_parts else None), own)


@dataclass(frozen=True, slots=True, eq=False)
class JointCalendar:
    """All evaluated bars of several components; `parts` says where those of each one are."""

    index: pd.Index
    years: float
    parts: tuple[JointBars | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PooledSetup:
    """What the steps of several components have in common; it travels to workers once.

    Attributes
    ----------
    parts : tuple of EvaluationSetup
        One a component.
    calendars : tuple of JointCalendar
        One a cut of the prices.
    stops : dict
        As that of a part.
    """

    parts: tuple[EvaluationSetup, ...]
    calendars: tuple[JointCalendar, ...]
    stops: dict[int, int] = field(default_factory=dict)

    @property
    def data_key(self) -> str:
        """Fingerprint of the prices, under which a store counts its trials."""
        return self.parts[0].data_key

    def fingerprint(self) -> tuple[object, ...]:
        """Return what a step depends on, by which a store recognises it."""
        return self.parts


def pooled_setup(parts: Sequence[EvaluationSetup]) -> PooledSetup:
    """Return the setup of steps that are scored on the trades of all `parts`."""
    samples = zip(*((part, *part.samples) for part in parts), strict=True)
    return PooledSetup(tuple(parts), tuple(map(_joint_calendar, samples)))


def _joint_calendar(parts: Sequence[EvaluationSetup]) -> JointCalendar:
    own = [part.bars.index[part.account.first :] for part in parts]
    index = reduce(lambda one, other: one if one.equals(other) else one.union(other), own)
    places: list[JointBars | None] = []
    for one in own:
        if one.equals(index):
            places.append(None)
            continue
        at = np.asarray(index.searchsorted(one), dtype=np.int64)
        last = np.searchsorted(at, np.arange(len(index)), side="right") - 1
        places.append(JointBars(at, last))
    return JointCalendar(index, years_of(index), tuple(places))


def evaluate_together(setup: PooledSetup, steps: Sequence[SearchStep]) -> PooledEvaluation:
    """Run the strategy for every component at its step, and score the trades of all together.

    Raises
    ------
    TaskError
        If the strategy raises anything that is no error of this library; it names the component.
    """
    runs = [_named_runs(part, step) for part, step in zip(setup.parts, steps, strict=True)]
    own = tuple(map(evaluation_of, setup.parts, runs))
    first = setup.parts[0]
    samples = [
        _pooled_stats(sample, calendar, first.recency)
        for sample, calendar in zip(zip(*runs, strict=True), setup.calendars, strict=True)
    ]
    stats = averaged(samples) if len(samples) > 1 else samples[0]
    whole = Evaluation(
        first.objective(stats),
        stats.values(),
        any(one.stopped for one in own),
        any(one.watched for one in own),
        sum(one.n_unprotected for one in own),
        None,
        _summed_equity([one[0] for one in runs], setup.calendars[0]) if first.curves else None,
    )
    return PooledEvaluation(whole, own)


def _named_runs(setup: EvaluationSetup, step: SearchStep) -> list[SampleRun]:
    """Return the runs of one component; an error of the strategy names it and its values."""
    try:
        return run_samples(setup, step)
    except OWN_MISTAKES:
        raise
    except (Exception, SystemExit) as error:
        names = [call.dimension(at).name for at, call in enumerate(setup.calls)]
        label = label_of(setup.component.key, names, step.point)
        raise TaskError(f"{label}: {described(error)}", label=label) from error


def _pool_parts(runs: Sequence[SampleRun], calendar: JointCalendar) -> list[PoolPart]:
    return [
        PoolPart(
            run.simulated.trades, run.simulated.equity, run.account.first, run.account.slope, bars
        )
        for run, bars in zip(runs, calendar.parts, strict=True)
    ]


def _pooled_stats(runs: Sequence[SampleRun], calendar: JointCalendar, recency: float) -> Stats:
    capital = sum(run.account.capital for run in runs)
    parts = _pool_parts(runs, calendar)
    compounds = runs[0].account.compounds
    return Stats.of_pool(
        parts, capital=capital, years=calendar.years, recency=recency, compounds=compounds
    )


def _summed_equity(runs: Sequence[SampleRun], calendar: JointCalendar) -> FloatArray:
    curves = [part.curve() for part in _pool_parts(runs, calendar)]
    total: FloatArray = np.sum(curves, axis=0)
    return total


PooledRequest: TypeAlias = tuple[tuple[tuple[Any, ...], ...], int, int]
"""The steps of all components, their batch, and their position in it."""


def evaluate_pooled(setup: PooledSetup, request: PooledRequest) -> tuple[object, ...]:
    """Evaluate a step on an engine.

    Returns
    -------
    tuple
        The fields of a `PooledEvaluation`, as plain tuples.
    """
    steps, batch, position = request
    if position > setup.stops.get(batch, position):
        left_out = Evaluation(np.nan).travelling()  # an earlier step of the batch ended it
        return left_out, (left_out,) * len(steps)
    whole, own = evaluate_together(setup, [SearchStep(*step) for step in steps])
    if whole.stopped:
        setup.stops[batch] = position
    return whole.travelling(), tuple(one.travelling() for one in own)
