# SPDX-License-Identifier: BSD-3-Clause
"""The search of one component: its steps evaluated, kept in order, and what was chosen."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from broadpeak._search.ascent import MAX_MEMBERS
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
    finite_scores,
    maximise,
    propose,
)
from broadpeak._search.searchspace import Dimension, SearchSpace
from broadpeak._search.selectors import is_narrow
from broadpeak._store.par import Member
from broadpeak._training.evaluation import (
    Discovered,
    Evaluation,
    EvaluationSetup,
    SeeRun,
    evaluate_here,
    evaluate_in_batches,
    evaluate_request,
    is_batched,
    label_of,
    run_requests,
)
from broadpeak._training.evaluationbar import EvaluationBar
from broadpeak._training.guard import TrainingCheck
from broadpeak._training.objective import objective_name
from broadpeak._training.result import ComponentTraining, StepCurve, TrialLog
from broadpeak._training.strategy import RunState
from broadpeak._training.trainoptions import StepInfo, TrainOptions, needs_engine
from broadpeak.errors import ParamError, broken_rule


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


NOBODY = StepWatcher(None)
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
        self._watcher = watcher
        self._bar = bar
        # Where steps are not judged by the component's own score alone: the scores they are judged
        # by, and the share that other components have in them, by parameter.
        self.blended: dict[SearchStep, float] = {}
        self.borrowed: dict[str, float] = {}
        self._options = options
        self._here = not needs_engine(options.execute)
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
        return trial_log(setup.component.key, self.space.names, trials, index, blended)

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
        return self.discovered if checked is not None and checked.instead(step.point) else None

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
        return step_info(self.setup.component.key, step, params, found)

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


def trial_log(
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


def step_info(
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
