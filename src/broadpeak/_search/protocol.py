# SPDX-License-Identifier: BSD-3-Clause
"""The ask/tell protocol of searchers, and `maximise`, the one loop that drives them.

A searcher takes three methods and no base class::

    class Halving:
        def start(self, space, seed): ...          # -> state, a frozen dataclass of plain values
        def ask(self, state): ...                  # -> list of points; empty: finished
        def tell(self, state, points, scores): ... # -> the next state

The state holds everything, the searcher object only settings: so the same calls give the same
points, in any process, and after a restart. A point is a tuple of floats, one a dimension, in the
order of the space; a score is a float, higher is better, and NaN marks an unusable one
(`finite_scores` says what it counts as). Three more methods are used where a searcher has them:

``choice(state)``
    The `Choice` of a finished search. Without it the best point seen is taken.
``position(state)``
    The `SearchPosition` of the next points (pass, cycle, first step, parameter).
``stop(state, points, scores)``
    As `tell`, but the current parameter ends with these points. Without it the search ends.

`broadpeak.testing.SearcherContract` checks a searcher against all this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from operator import attrgetter
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from broadpeak._core import check
from broadpeak._search.searchspace import SearchSpace, check_space
from broadpeak.errors import ParamError, broken_rule

Point: TypeAlias = tuple[float, ...]

MAX_IDLE_ASKS = 1000
"""Batches in a row without a new point after which a search counts as finished."""


@runtime_checkable
class Searcher(Protocol):
    """The three methods of a searcher; there is no base class.

    The state that they pass on holds everything, and the searcher only its settings: so the same
    calls give the same points, in any process and after a restart. A point is a tuple of floats,
    one per dimension; a score is a float, higher is better, and NaN marks an unusable one. Three
    more methods are used if a searcher has them: ``choice(state)`` returns the result of a finished
    search, in place of the best point seen; ``position(state)`` says where in the search the next
    points are; ``stop(state, points, scores)`` is `tell` where the user ended the parameter.
    """

    def start(self, space: SearchSpace, seed: int | None) -> Any:
        """Return the first state of a search over `space`."""

    def ask(self, state: Any) -> Sequence[Point]:
        """Return the points to evaluate next; none where the search is finished."""

    def tell(self, state: Any, points: Sequence[Point], scores: Sequence[float]) -> Any:
        """Return the state after `points` got `scores`."""


class SearchPosition(NamedTuple):
    """Where in its search a searcher is.

    Attributes
    ----------
    train_cycle : int
        Pass, from 1.
    par_cycle : int
        Number of the parameter (ascent) or of the generation (genetic), from 1.
    first_step : int
        Number of the next step within that cycle, from 1.
    parameter : str
        Name of the parameter that moves alone; empty where several move together.
    """

    train_cycle: int = 1
    par_cycle: int = 1
    first_step: int = 1
    parameter: str = ""


class SearchStep(NamedTuple):
    """One evaluation of a search.

    Attributes
    ----------
    point : tuple of float
        Values the function gets: integer parameters are already rounded.
    train_cycle, par_cycle, step_cycle : int
        Pass, parameter (or generation) and step, from 1. Par and step cycle are 0 for the final
        evaluation of the chosen combination.
    parameter : str
        Name of the parameter that moves alone; empty where several move together.
    """

    point: Point
    train_cycle: int
    par_cycle: int
    step_cycle: int
    parameter: str


class StoppingScore(float):
    """A score after which the current parameter ends.

    Examples
    --------
    >>> StoppingScore(1.5) + 1
    2.5
    """

    __slots__ = ()


class EndingScore(StoppingScore):
    """A score after which the whole search ends: what was not searched yet keeps its default.

    Examples
    --------
    >>> isinstance(EndingScore(1.5), StoppingScore)
    True
    """

    __slots__ = ()


class Stop(IntEnum):
    """What ends after a step: nothing, the search of its parameter, or the whole search."""

    NO = 0
    PARAMETER = 1
    SEARCH = 2

    def marked(self, score: float) -> float:
        """Return `score` as one that says so."""
        if self is Stop.NO:
            return score
        return StoppingScore(score) if self is Stop.PARAMETER else EndingScore(score)

    @classmethod
    def of(cls, score: float) -> Stop:
        """Return what a score says."""
        if not isinstance(score, StoppingScore):
            return cls.NO
        return cls.SEARCH if isinstance(score, EndingScore) else cls.PARAMETER


class _Ended(tuple[float, ...]):
    """No scores: of a type of its own, as there is only one empty tuple."""

    __slots__ = ()


ENDED: Sequence[float] = _Ended()
"""The answer to steps that are not evaluated, because the search ends before them."""


@dataclass(frozen=True, slots=True)
class SearchCurve:
    """The scores of one parameter while all others were held, and what was chosen from them.

    Attributes
    ----------
    pass_ : int
        Pass of the search, from 1.
    parameter : str
        Name of the parameter.
    values, scores : tuple of float
        Steps and their scores. NaN: not usable.
    value : float
        Chosen value, often between two steps; the default where no score was usable.
    score : float
        Smoothed score at the chosen value; 0 where no score was usable.
    window : tuple of int or None
        First and last step, from 0, that carried the choice; None where no score was usable.
    at_edge : bool
        Whether the best or the chosen step is the first or last of the range. False where all
        scores are equal: no wider range would matter.
    members : tuple of (float, float)
        Values and weights of an ensemble, the best first; weights sum to 1. Empty where one value
        was chosen.
    robustness : float
        Share of the lead over the median score that the neighbours of the choice keep: 0 for a lone
        spike. NaN where there is nothing to compare.
    """

    pass_: int
    parameter: str
    values: tuple[float, ...]
    scores: tuple[float, ...]
    value: float
    score: float
    window: tuple[int, int] | None
    at_edge: bool
    members: tuple[tuple[float, float], ...] = ()
    robustness: float = math.nan


@dataclass(frozen=True, slots=True)
class Choice:
    """The outcome of a search.

    Attributes
    ----------
    values : tuple of float
        Chosen point, before integers are rounded.
    score : float
        The score the choice was made by, smoothed where a selector smooths; 0 if not `usable`.
    at_edge : tuple of bool
        For each dimension, whether its best or chosen value is at the end of the range. False where
        the dimension made no difference: its default is kept.
    usable : bool
        Whether any score was above 0 (of an ascent: in its last pass); if not, `values` are the
        defaults.
    curves : tuple of SearchCurve
        One curve a parameter and pass, where the searcher moves one parameter at a time.
    members : tuple of (tuple of float, float)
        Points and weights of an ensemble, before integers are rounded, the best first; weights sum
        to 1. Empty where one point was chosen, or the defaults were kept.
    robustness : float
        As of a curve, of parameters that were searched together: 0 for a lone spike. NaN where it
        is not known, as in a search of one parameter at a time.
    """

    values: Point
    score: float
    at_edge: tuple[bool, ...]
    usable: bool = True
    curves: tuple[SearchCurve, ...] = ()
    members: tuple[tuple[Point, float], ...] = ()
    robustness: float = math.nan


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Result of `maximise`.

    Attributes
    ----------
    values : tuple of float
        Chosen values as the function sees them.
    score : float
        Score of the function at these values: an evaluation of its own, not an interpolation.
    choice : Choice
        The outcome as the searcher reports it.
    n_evaluations : int
        Evaluations, each of another combination.
    state : object
        Last state of the searcher.
    """

    values: Point
    score: float
    choice: Choice
    n_evaluations: int
    state: Any


EvaluateMany: TypeAlias = Callable[[list[SearchStep]], Sequence[float]]
OnStep: TypeAlias = Callable[[SearchStep, float, bool], object]
Identity: TypeAlias = Callable[[SearchStep], Hashable]
Proposals: TypeAlias = Generator[list[SearchStep], Sequence[float], SearchResult]


def maximise(
    searcher: Searcher,
    space: SearchSpace,
    evaluate_many: EvaluateMany,
    *,
    seed: int | None = 0,
    on_step: OnStep | None = None,
    identity: Identity | None = None,
) -> SearchResult:
    """Let `searcher` look for the best point of `space`; no combination is evaluated twice.

    Parameters
    ----------
    searcher : object
        Anything with the ask/tell methods described in this module.
    space : SearchSpace
        What to search.
    evaluate_many : callable
        Gets the list of new `SearchStep` and returns one score for each, in order. A score that is
        not finite is unusable. A `StoppingScore` ends the current parameter after its step: what
        follows it in the list is ignored, and may be left out of the returned sequence. An
        `EndingScore` ends the search.
    seed : int or None
        For searchers that draw; None: fresh entropy.
    on_step : callable, optional
        Called as ``on_step(step, score, repeated)`` for every step in order, also for those whose
        combination was known.
    identity : callable, optional
        ``identity(step)`` is equal for steps that must give the same score; of those only the first
        is evaluated. Default: the combination. A function that depends on the position in the
        search needs the rest of the step too.

    Returns
    -------
    SearchResult

    Raises
    ------
    ParamError
        If `searcher` lacks a method or asks for points that do not fit the space, or
        `evaluate_many` returns another number of scores.

    Notes
    -----
    A searcher sees a score that is not finite as NaN; it counts as ``min(0, worst finite score)``.
    If no score of the whole search is above 0, the choice is the point of all defaults, with score
    0. The chosen point is always evaluated itself in the end, unless it was before.

    Examples
    --------
    >>> from broadpeak.searchers import Ascent, Dimension, SearchSpace, maximise
    >>> space = SearchSpace([Dimension("x", 3, 1, 9, 1)])
    >>> def evaluate_many(steps):
    ...     return [10 - abs(step.point[0] - 5) for step in steps]
    >>> maximise(Ascent(), space, evaluate_many).values
    (5.0,)
    """
    check_searcher(searcher)
    check_space(space)
    check.function("evaluate_many", evaluate_many)
    for name, func in (("on_step", on_step), ("identity", identity)):
        if func is not None:
            check.function(name, func)
    proposals = propose(searcher, space, seed=seed, on_step=on_step, identity=identity)
    return finish(proposals, evaluate_many)


def finish(proposals: Proposals, evaluate_many: EvaluateMany) -> SearchResult:
    """Have evaluated whatever is proposed, and return the result."""
    scores: Any = None
    while True:
        try:
            steps = proposals.send(scores)
        except StopIteration as end:
            found: SearchResult = end.value
            return found
        scores = evaluate_many(steps)


def propose(
    searcher: Searcher,
    space: SearchSpace,
    *,
    seed: int | None = 0,
    on_step: OnStep | None = None,
    identity: Identity | None = None,
) -> Proposals:
    """Do what `maximise` does, step by step for a caller that leads several searches at once.

    Yields the steps to evaluate, is sent their scores, and returns the result.
    """
    evaluations = _Evaluations(space, on_step, identity)
    state = searcher.start(space, seed)
    n_asks = idle = 0
    while idle < MAX_IDLE_ASKS:
        points = _checked_points(searcher.ask(state), space)
        if not points:
            break
        n_asks += 1
        n_before = len(evaluations.known)
        if hasattr(searcher, "position"):
            position = searcher.position(state)
        else:
            position = SearchPosition(par_cycle=n_asks)
        scores, stop = yield from evaluations.run(points, position)
        points = points[: len(scores)]
        if stop is Stop.NO:
            state = searcher.tell(state, points, scores)
        elif points:
            state = getattr(searcher, "stop", searcher.tell)(state, points, scores)
        if stop is Stop.SEARCH or (stop is Stop.PARAMETER and not hasattr(searcher, "stop")):
            break
        idle = 0 if len(evaluations.known) > n_before else idle + 1
    # A search that was ended before it began has nothing to choose from.
    if hasattr(searcher, "choice") and (evaluations.known or not n_asks):
        choice = searcher.choice(state)
    else:
        choice = evaluations.best()
    score = yield from evaluations.final(choice)
    n_evaluations = len(evaluations.known)
    return SearchResult(space.rounded(choice.values), score, choice, n_evaluations, state)


def check_searcher(searcher: object) -> None:
    """Raise a `ParamError` unless `searcher` has the ask/tell methods."""
    if isinstance(searcher, type) or not isinstance(searcher, Searcher):
        rule = "be an object with the methods start, ask and tell"
        remedy = "Pass bp.searchers.Ascent(), or a searcher of your own."
        raise ParamError(broken_rule("searcher", rule, searcher, remedy))


LARGEST = 1e300
"""A score beyond this counts as infinite: the sum of several would be."""


def finite_scores(scores: Iterable[float]) -> list[float]:
    """Return `scores` with each one that is not finite as ``min(0, worst finite)``.

    One beyond 1e300 in size counts as infinite.

    Examples
    --------
    >>> finite_scores([2.0, float("nan"), -1.0])
    [2.0, -1.0, -1.0]
    """
    values = list(map(float, scores))
    finite = [value for value in values if abs(value) <= LARGEST]
    if len(finite) == len(values):
        return values
    worst = min(finite, default=0.0)
    return [value if abs(value) <= LARGEST else min(0.0, worst) for value in values]


class _Evaluations:
    """The evaluations of one search: made once for each combination, and remembered."""

    def __init__(
        self,
        space: SearchSpace,
        on_step: OnStep | None,
        identity: Identity | None,
    ) -> None:
        self.known: dict[Hashable, float] = {}
        self._seen: dict[Point, float] = {}
        self._space = space
        self._on_step = on_step
        self._identity: Identity = identity or attrgetter("point")
        self._train_cycle = 1

    def run(
        self, points: list[Point], position: SearchPosition
    ) -> Generator[list[SearchStep], Sequence[float], tuple[list[float], Stop]]:
        """Return the scores of `points` up to a stop, NaN where unusable, and what it ends."""
        cycles = (position.train_cycle, position.par_cycle)
        self._train_cycle = position.train_cycle
        steps = []
        for number, point in enumerate(points, position.first_step):
            values = self._space.rounded(point)
            steps.append(SearchStep(values, *cycles, number, position.parameter))
        # Taken once: `identity` may learn from evaluations to distinguish more steps later on.
        keys = list(map(self._identity, steps))
        new: dict[Hashable, SearchStep] = {}
        for key, step in zip(keys, steps, strict=True):
            if key not in self.known:
                new.setdefault(key, step)
        fresh, stop, stop_at = (yield from self._evaluate(new)) if new else ({}, Stop.NO, None)
        scores: list[float] = []
        for step, key, point in zip(steps, keys, points, strict=True):
            repeated = key in self.known
            if not repeated:
                if key not in fresh:
                    break  # the search ended before this step
                self.known[key] = fresh[key]
            score = self.known[key]
            scores.append(score)
            self._seen.setdefault(point, score)
            if self._on_step is not None:
                self._on_step(step, score, repeated)
            if stop is not Stop.NO and not repeated and key == stop_at:
                break
        return scores, stop

    def _evaluate(
        self, new: dict[Hashable, SearchStep]
    ) -> Generator[list[SearchStep], Sequence[float], tuple[dict[Hashable, float], Stop, Hashable]]:
        """Return the scores of new steps by identity, what is to end, and after which of them."""
        answer = yield list(new.values())
        if answer is ENDED:
            return {}, Stop.SEARCH, None
        scores = list(check.iterable("evaluate_many", answer, "return a list of scores"))
        fresh: dict[Hashable, float] = {}
        for key, score in zip(new, scores, strict=False):
            if type(score) is float:  # none that ends anything
                fresh[key] = score if math.isfinite(score) else math.nan
                continue
            value = check.number("every score of evaluate_many", score, finite=False)
            fresh[key] = value if math.isfinite(value) else math.nan
            if (stop := Stop.of(score)) is not Stop.NO:
                return fresh, stop, key
        if len(scores) != len(new):
            rule = f"return one score for each of its {len(new)} steps"
            raise ParamError(broken_rule("evaluate_many", rule, len(scores)))
        return fresh, Stop.NO, None

    def best(self) -> Choice:
        """Return the best point seen, for a searcher that does not choose itself."""
        space = self._space
        points = list(self._seen)
        scores = finite_scores(self._seen.values())
        best = max(scores, default=0.0)
        if best <= 0:
            return Choice(space.defaults, 0.0, (False,) * len(space), usable=False)
        values = points[scores.index(best)]
        at_edge = [
            dim.searched and dim.min < dim.max and value in {dim.min, dim.max}
            for dim, value in zip(space, values, strict=True)
        ]
        return Choice(values, best, tuple(at_edge))

    def final(self, choice: Choice) -> Generator[list[SearchStep], Sequence[float], float]:
        """Return the score of the chosen point itself."""
        step = SearchStep(self._space.rounded(choice.values), self._train_cycle, 0, 0, "")
        key = self._identity(step)
        if key not in self.known:
            self.known |= (yield from self._evaluate({key: step}))[0]
            if self._on_step is not None:
                self._on_step(step, self.known[key], False)
        score = self.known[key]
        if not math.isfinite(score):
            worst = min((s for s in self.known.values() if math.isfinite(s)), default=0.0)
            score = min(0.0, worst)
        return score if choice.usable or score > 0 else 0.0


def _checked_points(points: object, space: SearchSpace) -> list[Point]:
    """Return the points that a searcher wants; each must have a finite value a dimension."""
    checked = []
    n, plain = len(space.dimensions), {float}
    for point in check.iterable("a searcher", points, "ask for a list of points"):
        is_plain = type(point) is tuple and len(point) == n and plain.issuperset(map(type, point))
        if is_plain and all(map(math.isfinite, point)):
            checked.append(point)
            continue
        # An array without dimensions counts as iterable, and is not.
        listed = isinstance(point, Iterable) and getattr(point, "ndim", 1) == 1
        values = list(map(check.as_float, point)) if listed else []
        if len(values) != n or not all(map(math.isfinite, values)):
            rule = f"ask for points of {len(space)} finite values, one for each of {space.names}"
            raise ParamError(broken_rule("a searcher", rule, point))
        checked.append(tuple(values))
    return checked
