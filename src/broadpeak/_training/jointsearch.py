# SPDX-License-Identifier: BSD-3-Clause
"""The searches of several components at once, where a step's score depends on more than its own.

Three rules give the score of a step: the trades of its component (*own*), the trades of all
components at that step (*pooled*: a common parameter, or ``borrow=1``), or its own score mixed with
that of the others at the same step (*blended*).

A searcher that moves one parameter at a time is led in lock-step: a component that has come to a
common parameter waits until all have, and then they take the same step together. Any other
searcher first looks for the common parameters, those of the components held at their defaults, and
then for the parameters of each component.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from broadpeak._core import rng
from broadpeak._search.ascent import Ascent
from broadpeak._search.genetic import Genetic
from broadpeak._search.protocol import (
    ENDED,
    Choice,
    Point,
    Proposals,
    Searcher,
    SearchResult,
    SearchStep,
    Stop,
    finish,
    propose,
)
from broadpeak._search.searchspace import Dimension, SearchSpace
from broadpeak._training.borrowing import blended_scores, estimated_share
from broadpeak._training.evaluation import (
    ALL_COMPONENTS,
    OWN_MISTAKES,
    Discovered,
    Evaluation,
    EvaluationSetup,
    failed_call,
    label_of,
    run_requests,
)
from broadpeak._training.evaluationbar import EvaluationBar
from broadpeak._training.objective import NamedObjective
from broadpeak._training.pooled import (
    PooledEvaluation,
    evaluate_pooled,
    evaluate_together,
    pooled_setup,
)
from broadpeak._training.values import OptimizeError
from broadpeak.errors import ParamError, broken_rule

ResultT_co = TypeVar("ResultT_co", covariant=True)


class OneSearch(Protocol[ResultT_co]):
    """The search of one component, as far as the searches of several lead it."""

    setup: EvaluationSetup
    space: SearchSpace
    blended: dict[SearchStep, float]
    borrowed: dict[str, float]
    cut: bool

    @property
    def discovered(self) -> Discovered:
        """What a call with all defaults showed."""

    def hold(self, values: Mapping[int, float]) -> None:
        """Search no longer for the parameters at these positions."""

    def proposals(self, searcher: Searcher, seed: int | None) -> Proposals:
        """Return the steps that a searcher wants."""

    def own_scores(self, steps: Sequence[SearchStep]) -> Sequence[float]:
        """Return the component's own scores, up to a stop; none is evaluated twice."""

    def found_at(self, step: SearchStep) -> Evaluation:
        """Return the evaluation of a step."""

    def take(self, step: SearchStep, own: Evaluation, shown: Evaluation, *, is_trial: bool) -> None:
        """Keep what a step that was taken together gave this component."""

    def keep(self, step: SearchStep, score: float, is_repeated: bool) -> None:
        """Put a step into the order of steps."""

    def result(self, found: SearchResult, seconds: float, prior: Choice | None) -> ResultT_co:
        """Return what was found."""


class JointSettings(NamedTuple):
    """How several components are searched.

    Attributes
    ----------
    borrow : float or "auto"
    seed : int or None
    execute : mapping
        Options of `execute`.
    here : bool
        Evaluations are plain calls, not tasks of an engine.
    watch : callable
        Gets each step that is taken together, names and evaluation; returns what to end.
    bar : EvaluationBar, optional
        Counts the steps that are taken together.
    """

    borrow: float | str
    seed: int | None
    execute: Mapping[str, Any]
    here: bool
    watch: Callable[[SearchStep, Mapping[str, float], Evaluation], Stop]
    bar: EvaluationBar | None = None


class JointLog(NamedTuple):
    """The steps whose trades were scored together, in order; NaN for what was not common."""

    names: tuple[str, ...]
    trials: list[tuple[SearchStep, Evaluation]]
    index: Any


def search_together(
    searches: Sequence[OneSearch[ResultT_co]], searcher: Searcher, settings: JointSettings
) -> tuple[list[ResultT_co], JointLog | None, list[frozenset[str]]]:
    """Search several components that share parameters, or scores.

    Returns
    -------
    list
        The result of each component.
    JointLog or None
        The steps of common parameters.
    list of frozenset of str
        For each component the parameters that were chosen for all of them at once.

    Raises
    ------
    StrategyError, ParamError
        If a common parameter is not the same for all components, components that borrow do not
        have the same parameters, or the searcher tries other points for each of them.
    """
    began = time.perf_counter()
    pooled = [_common_positions(search) for search in searches]
    _check_common(searches, pooled)
    is_whole = not any(
        dim.searched and at not in shared
        for search, shared in zip(searches, pooled, strict=True)
        for at, dim in enumerate(search.space)
    )
    share = 0.0 if is_whole else settings.borrow
    if share != 0:
        _check_same_grids(searches)
    if share == 1:
        pooled = [
            [at for at, dim in enumerate(search.space) if dim.searched] for search in searches
        ]
        share, is_whole, as_trials = 0.0, True, True
    else:
        as_trials = False
    names = [
        frozenset(search.space.names[at] for at in shared)
        for search, shared in zip(searches, pooled, strict=True)
    ]
    prior: list[Choice | None] = [None] * len(searches)
    pool = Pool(searches, pooled, settings, as_trials=as_trials)
    log = pool.log() if pooled[0] and not as_trials else None
    if pooled[0] and (is_whole or not isinstance(searcher, Ascent)):
        prior = _search_pool(pool, searcher, settings)
        pool.positions = [[] for _ in searches]
        if pool.ended:  # what was not searched yet keeps its default
            is_whole, share = True, 0.0
            for search in searches:
                search.hold(dict(enumerate(search.space.rounded(search.space.defaults))))
    if share != 0:
        _check_searcher(searcher, share)
        if settings.seed is None:  # what is drawn must be the same for all
            settings = settings._replace(seed=int(rng.generator(None).integers(2**31)))
    final = Ascent() if is_whole else searcher
    found = _Lockstep(searches, final, settings, share, pool).run()
    seconds = (time.perf_counter() - began) / len(searches)
    results = [
        search.result(one, seconds, choice)
        for search, one, choice in zip(searches, found, prior, strict=True)
    ]
    return results, log, names


# ------------------------------------------------------------------ what must be the same


def _common_positions(search: OneSearch[Any]) -> list[int]:
    return [
        at
        for at, (dim, common) in enumerate(zip(search.space, search.discovered.common, strict=True))
        if common and dim.searched
    ]


def _check_common(searches: Sequence[OneSearch[Any]], pooled: Sequence[Sequence[int]]) -> None:
    first = searches[0]
    asked = [first.discovered.calls[at] for at in pooled[0]]
    for search, positions in zip(searches, pooled, strict=True):
        calls = [search.discovered.calls[at] for at in positions]
        if calls != asked:
            keys = f"{first.setup.component.key} and {search.setup.component.key}"
            shown = [
                [call.shown(at) for call, at in zip(one, where, strict=True)]
                for one, where in ((asked, pooled[0]), (calls, positions))
            ]
            msg = (
                "Parameters asked outside s.loop() must be the same for all components, got "
                f"{', '.join(shown[0]) or 'none'} and {', '.join(shown[1]) or 'none'} for {keys}. "
                "Call them with the same arguments in every run, or inside the loop."
            )
            raise OptimizeError(msg)


def _check_same_grids(searches: Sequence[OneSearch[Any]]) -> None:
    first = searches[0]
    grid = _grid(first.space)
    for search in searches[1:]:
        if _grid(search.space) != grid:
            keys = f"{first.setup.component.key} and {search.setup.component.key}"
            names = [", ".join(one.space.names) or "none" for one in (first, search)]
            what = f"{names[0]} and {names[1]}" if names[0] != names[1] else "other ranges"
            msg = (
                "Components that borrow from one another must have the same parameters with the "
                f"same ranges and steps, got {what} for {keys}. Pass borrow=0, or train them apart."
            )
            raise OptimizeError(msg)


def _grid(space: SearchSpace) -> list[tuple[object, ...]]:
    return [(dim.name, dim.min, dim.max, dim.step, dim.integer) for dim in space]


def _check_searcher(searcher: Searcher, share: float | str) -> None:
    if isinstance(getattr(searcher, "inner", searcher), Genetic):
        raise _other_points_error(share)


def _other_points_error(share: float | str) -> ParamError:
    rule = "be 0 or 1 where the search decides by scores which points it tries"
    remedy = (
        "Every component would try others, so that there is nothing to blend. Pass "
        "method='ascent', 'brute' or 'random', or borrow=1."
    )
    return ParamError(broken_rule("borrow", rule, share, remedy))


# ------------------------------------------------------------------ steps taken together


class Pool:
    """Evaluates steps of all components together.

    `positions` are those of the pooled parameters in the space of each component. With `as_trials`
    each component's own run of a step is one of its trials; otherwise the step is one of all.
    """

    def __init__(
        self,
        searches: Sequence[OneSearch[Any]],
        positions: Sequence[Sequence[int]],
        settings: JointSettings,
        *,
        as_trials: bool,
    ) -> None:
        self.searches = searches
        self.positions = list(map(list, positions))
        self.setup = pooled_setup([search.setup for search in searches])
        self.is_watched = any(search.setup.watched for search in searches)
        self._names = searches[0].space.names
        self._logged = frozenset(self.positions[0])
        self._settings = settings
        self.as_trials = as_trials
        self._known: dict[Hashable, PooledEvaluation] = {}
        self._trials: list[tuple[SearchStep, Evaluation]] = []
        self._n_batches = 0
        self.ended = False

    def log(self) -> JointLog:
        """Return the steps that were evaluated; more may follow."""
        index = self.setup.calendars[0].index if self.setup.parts[0].curves else None
        return JointLog(self._names, self._trials, index)

    def scores(self, rows: Sequence[Sequence[SearchStep]]) -> list[float]:
        """Return the score of each step, of which a row has one for each component."""
        keys = [self._identity(row) for row in rows]
        new: dict[Hashable, Sequence[SearchStep]] = {}
        for key, row in zip(keys, rows, strict=True):
            if key not in self._known:
                new.setdefault(key, row)
        stop, stop_at = self._evaluate(new)
        self.ended |= stop is Stop.SEARCH
        scores: list[float] = []
        for key, row in zip(keys, rows, strict=True):
            if key not in self._known:
                break  # an earlier step ended the parameter
            found = self._known[key]
            is_new = new.get(key) is row
            self._hand_out(row, found, is_new=is_new)
            stops = stop is not Stop.NO and is_new and key == stop_at
            scores.append(stop.marked(found.whole.score) if stops else found.whole.score)
            if stops:
                break
        return scores

    def _identity(self, row: Sequence[SearchStep]) -> Hashable:
        return tuple(row) if self.is_watched else tuple(step.point for step in row)

    def _evaluate(self, new: Mapping[Hashable, Sequence[SearchStep]]) -> tuple[Stop, Hashable]:
        """Evaluate steps up to one that stops; return what it ends, and its key."""
        self._n_batches += 1
        rows = list(new.values())
        known = [] if self._settings.here or not rows else self._on_engine(rows)
        for number, (key, row) in enumerate(new.items()):
            found = self._here(row, number) if self._settings.here else known[number]
            if self._settings.here and self._settings.bar is not None:
                self._settings.bar.update(1)
            self._known[key] = found
            self.is_watched |= found.whole.watched
            values = {self._names[at]: row[0].point[at] for at in sorted(self._logged)}
            stop = self._settings.watch(row[0], values, found.whole)
            if stop or found.whole.stopped:
                return Stop(max(stop, found.whole.stopped)), key
        return Stop.NO, None

    def _here(self, row: Sequence[SearchStep], number: int) -> PooledEvaluation:
        try:
            return evaluate_together(self.setup, row)
        except OWN_MISTAKES:
            raise
        except (Exception, SystemExit) as error:
            rerun = lambda: evaluate_together(self.setup, row)  # noqa: E731
            raise failed_call(error, number, self._label(row), rerun) from error

    def _on_engine(self, rows: Sequence[Sequence[SearchStep]]) -> list[PooledEvaluation]:
        requests = [
            (tuple(step[:] for step in row), self._n_batches, at) for at, row in enumerate(rows)
        ]
        n_parts, at_names = len(self.searches), sorted(self._logged)
        values = run_requests(
            evaluate_pooled,
            self.setup,
            requests,
            self._settings.execute,
            lambda at: self._label(rows[at]),
            ["component", *(self._names[at] for at in at_names)],
            lambda: [
                [ALL_COMPONENTS] * len(rows),
                *([row[0].point[at] for row in rows] for at in at_names),
            ],
            bar=self._settings.bar,
        )
        skipped = PooledEvaluation(Evaluation(np.nan), (Evaluation(np.nan),) * n_parts)
        return [
            skipped if value is None else PooledEvaluation.of(value, n_parts) for value in values
        ]

    def _label(self, row: Sequence[SearchStep]) -> str:
        shown = sorted(self._logged)
        names, point = [self._names[at] for at in shown], [row[0].point[at] for at in shown]
        return label_of(ALL_COMPONENTS, names, point)

    def _hand_out(
        self, row: Sequence[SearchStep], found: PooledEvaluation, *, is_new: bool
    ) -> None:
        """Give every component what the step gave it, and log the step."""
        for search, step, own in zip(self.searches, row, found.own, strict=True):
            if self.as_trials:
                search.take(step, own, own, is_trial=is_new)
                search.blended[step] = found.whole.score
            else:
                search.take(step, own, found.whole, is_trial=False)
        if is_new and not self.as_trials:
            values = row[0].point
            point = tuple(
                value if at in self._logged else np.nan for at, value in enumerate(values)
            )
            self._trials.append((row[0]._replace(point=point), found.whole))


def _search_pool(pool: Pool, searcher: Searcher, settings: JointSettings) -> list[Choice | None]:
    """Search the pooled parameters, all others at their defaults, and hold them at the result.

    Returns what was chosen, as each component would see it.
    """
    searches, positions = pool.searches, pool.positions
    first = searches[0]
    shared = set(positions[0])
    space = SearchSpace(
        [
            dim if at in shared else Dimension(dim.name, dim.rounded(dim.default), 0, 0)
            for at, dim in enumerate(first.space)
        ]
    )
    defaults = [search.space.rounded(search.space.defaults) for search in searches]
    place = [dict(zip(positions[0], own, strict=True)) for own in positions]

    def row_of(step: SearchStep) -> list[SearchStep]:
        """Return the step of each component."""
        row = []
        for search, point, own in zip(searches, defaults, place, strict=True):
            moved = step._replace(point=_moved_point(step.point, point, own))
            if step.parameter in first.space.names:
                to = own[first.space.names.index(step.parameter)]
                moved = moved._replace(parameter=search.space.names[to], par_cycle=to + 1)
            row.append(moved)
        return row

    def keep(step: SearchStep, score: float, is_repeated: bool) -> None:
        if not step.par_cycle:
            return  # each component evaluates its own choice in the end
        for search, own in zip(searches, row_of(step), strict=True):
            search.keep(own, score, is_repeated)

    proposals = propose(
        searcher,
        space,
        seed=settings.seed,
        on_step=keep,
        identity=lambda step: step if pool.is_watched else step.point,
    )

    def evaluated(steps: Sequence[SearchStep]) -> list[float]:
        is_final = steps[0].par_cycle == 0
        return [np.nan] if is_final else pool.scores([row_of(step) for step in steps])

    found = finish(proposals, evaluated)
    choices: list[Choice | None] = []
    for search, defaults_of, own in zip(searches, defaults, place, strict=True):
        search.hold({to: found.values[at] for at, to in own.items()})
        at_edge = [False] * len(search.space)
        names = {}
        for at, to in own.items():
            at_edge[to] = found.choice.at_edge[at]
            names[first.space.names[at]] = search.space.names[to]
        curves = tuple(
            replace(curve, parameter=names[curve.parameter]) for curve in found.choice.curves
        )
        members = tuple(
            (_moved_point(point, defaults_of, own), weight)
            for point, weight in found.choice.members
        )
        choice = replace(found.choice, at_edge=tuple(at_edge), curves=curves, members=members)
        choices.append(choice)
        if pool.as_trials:
            search.borrowed.update(dict.fromkeys(names.values(), 1.0))
    return choices


def _moved_point(point: Point, defaults: Point, place: Mapping[int, int]) -> Point:
    """Return a component's point that has the pooled values of `point` in their places."""
    values = list(defaults)
    for at, to in place.items():
        values[to] = point[at]
    return tuple(values)


# ------------------------------------------------------------------ lock-step


class _Lockstep:
    """Leads one search a component, so that those that depend on one another wait."""

    def __init__(
        self,
        searches: Sequence[OneSearch[Any]],
        searcher: Searcher,
        settings: JointSettings,
        share: float | str,
        pool: Pool,
    ) -> None:
        self._searches = searches
        self._pool = pool
        self._share = share
        self._kept_share: float | None = None
        self._pooled = [
            {search.space.names[at] for at in pool.positions[number]}
            for number, search in enumerate(searches)
        ]
        self._units = [_unit(search.setup) for search in searches]
        self._proposals = [search.proposals(searcher, settings.seed) for search in searches]
        self._asked: dict[int, list[SearchStep]] = {}
        self._found: dict[int, SearchResult] = {}
        self._ended = False

    def run(self) -> list[SearchResult]:
        """Search to the end."""
        for number in range(len(self._searches)):
            self._send(number, None)
        while self._asked:
            ready = [number for number in self._asked if not self._waits(number)]
            if self._ended:
                self._end()
            elif not ready:
                self._together()
            elif self._share != 0:
                self._blend(ready)
            else:
                for number in ready:
                    while number in self._asked and not self._waits(number):
                        if not self._send_own(number):
                            break
        return [self._found[number] for number in range(len(self._searches))]

    def _waits(self, number: int) -> bool:
        return self._asked[number][0].parameter in self._pooled[number]

    def _send(self, number: int, scores: Sequence[float] | None) -> None:
        """Send a component its scores, and remember which steps it wants next."""
        self._asked.pop(number, None)
        try:
            self._asked[number] = self._proposals[number].send(scores)  # type: ignore[arg-type]  # the first one is None
        except StopIteration as end:
            self._found[number] = end.value

    def _send_own(self, number: int) -> bool:
        """Let a component take its steps; return whether the search goes on."""
        if not self._ended:
            self._send(number, self._own_scores(number))
        return not self._ended

    def _own_scores(self, number: int) -> Sequence[float]:
        scores = self._searches[number].own_scores(self._asked[number])
        self._ended |= any(Stop.of(score) is Stop.SEARCH for score in scores[-1:])
        return scores

    def _end(self) -> None:
        """End all searches, since one of them was: only what they chose is evaluated yet."""
        for number, steps in list(self._asked.items()):
            is_final = steps[0].par_cycle == 0
            self._searches[number].cut |= not is_final
            self._send(number, self._own_scores(number) if is_final else ENDED)

    def _together(self) -> None:
        """Let all components take the steps of a common parameter."""
        rows = list(zip(*self._asked.values(), strict=True))
        scores = self._pool.scores(rows)
        for number in list(self._asked):
            self._send(number, scores)

    def _blend(self, ready: Sequence[int]) -> None:
        """Let components take their steps, and blend the scores of those that are no final ones."""
        own = {number: self._own_scores(number) for number in ready}
        moving = [number for number in ready if self._asked[number][0].par_cycle > 0]
        scores: dict[int, Sequence[float]] = {number: own[number] for number in ready}
        if len(moving) > 1:
            names, points = zip(*(self._moved(number) for number in moving), strict=True)
            if any(one != points[0] for one in points):
                raise _other_points_error(self._share)
            curves = [own[number] for number in moving]
            units = [self._units[number] for number in moving]
            share = self._share_of(moving, curves, units)
            mixed = blended_scores(curves, share, units)
            for number, moved, values in zip(moving, names, mixed, strict=True):
                search = self._searches[number]
                search.blended.update(zip(self._asked[number], values, strict=False))
                search.borrowed.update(dict.fromkeys(moved, share))
                scores[number] = [
                    Stop.of(score).marked(value)
                    for score, value in zip(own[number], values, strict=True)
                ]
        for number in ready:
            self._send(number, scores[number])

    def _moved(self, number: int) -> tuple[list[str], list[tuple[float, ...]]]:
        """Return which parameters of a component move, and their values at each step it takes."""
        space, steps = self._searches[number].space, self._asked[number]
        alone = steps[0].parameter
        at = [
            place
            for place, dim in enumerate(space)
            if dim.searched and (not alone or dim.name == alone)
        ]
        names = [space.names[place] for place in at]
        return names, [tuple([step.point[place] for place in at]) for step in steps]

    def _share_of(
        self,
        moving: Sequence[int],
        curves: Sequence[Sequence[float]],
        units: Sequence[float],
    ) -> float:
        """Return the share to borrow: that of the user, or what is estimated from the curves."""
        if not isinstance(self._share, str):
            return self._share
        if self._kept_share is not None:
            return self._kept_share
        halves = [
            [
                self._searches[number].found_at(step).halves or (np.nan, np.nan)
                for step, _ in zip(self._asked[number], curve, strict=False)
            ]
            for number, curve in zip(moving, curves, strict=True)
        ]
        share = estimated_share(curves, halves, units)
        if not self._asked[moving[0]][
            0
        ].parameter:  # one surface, even where its scores come in several batches
            self._kept_share = share
        return share


def _unit(setup: EvaluationSetup) -> float:
    """Return what scores of a component are multiples of: its capital where they are money."""
    objective = setup.objective
    is_money = isinstance(objective, NamedObjective) and objective.name == "profit"
    return setup.account.capital if is_money else 1.0
