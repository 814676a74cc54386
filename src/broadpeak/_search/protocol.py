# SPDX-License-Identifier: BSD-3-Clause
"""The ask/tell protocol of searchers, and `maximise`, the one loop that drives them.

Writing a searcher takes three methods and no base class::

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
``place(state)``
    The `SearchPosition` that the next points belong to (pass, cycle, first step, parameter).
``stop(state, points, scores)``
    As `tell`, but the current parameter ends with these points. Without it the search ends.

`broadpeak.testing.searcher_contract.SearcherContract` checks a searcher against all this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from broadpeak._core import check
from broadpeak._search.searchspace import SearchSpace, check_space
from broadpeak.errors import ParamError, broken_rule

Point: TypeAlias = tuple[float, ...]

MAX_IDLE_ASKS = 1000
"""Asks in a row without any new point after which a search is taken to be finished."""


@runtime_checkable
class Searcher(Protocol):
    """What every searcher has; see the head of this module."""

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
    """One evaluation that a search asks for.

    Attributes
    ----------
    point : tuple of float
        Values the function gets: integer parameters are rounded already.
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
    >>> (1.5) + 1
    2.5
    """

    __slots__ = ()


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
        Whether the best or the chosen step is the first or last of the range.
    """

    pass_: int
    parameter: str
    values: tuple[float, ...]
    scores: tuple[float, ...]
    value: float
    score: float
    window: tuple[int, int] | None
    at_edge: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """What a searcher decides on.

    Attributes
    ----------
    values : tuple of float
        Chosen point, before integers are rounded.
    score : float
        The score the choice was made by, smoothed where a selector smooths; 0 if not `usable`.
    at_edge : tuple of bool
        For each dimension, whether its best or chosen value is at the end of the range.
    usable : bool
        Whether any score was above 0, in an ascent any of its last pass; if not, `values` are the
        defaults.
    curves : tuple of StepCurve
        One curve a parameter and pass, where the searcher moves one parameter at a time.
    """

    values: Point
    score: float
    at_edge: tuple[bool, ...]
    usable: bool = True
    curves: tuple[SearchCurve, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Result of `maximise`.

    Attributes
    ----------
    values : tuple of float
        Chosen values as the function sees them.
    score : float
        Score of the function at these values: a run of its own, not an interpolation.
    choice : Choice
        What the searcher reported.
    n_evaluations : int
        Calls of the function, each with another combination.
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


def maximise(
    searcher: Any,
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
        follows it in the list is ignored, and may be left out of the returned sequence.
    seed : int or None
        For searchers that draw; None: fresh entropy.
    on_step : callable, optional
        Called as ``on_step(step, score, repeated)`` for every step in order, also for those whose
        combination was known.
    identity : callable, optional
        ``identity(step)`` is equal for steps that must give the same score; of those only the first
        is evaluated. Default: the combination. A function that depends on where its search stands
        needs the rest of the step too.

    Returns
    -------
    Found

    Raises
    ------
    ParamError
        If `searcher` lacks a method or asks for points that do not fit the space, or
        `evaluate_many` returns another number of scores.

    Notes
    -----
    A score that is not finite is told as NaN and counts as ``min(0, worst finite score)``. If no
    score of the whole search is above 0, the choice is the point of all defaults, with score 0. The
    chosen point is always evaluated itself in the end, unless it was before.

    Examples
    --------
    >>> from broadpeak._search.ascent import Ascent
    >>> from broadpeak._search.searchspace import Dimension, SearchSpace
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
    loop = _AskTellLoop(space, evaluate_many, on_step, _point_of if identity is None else identity)
    state = searcher.start(space, seed)
    idle = 0
    while idle < MAX_IDLE_ASKS:
        points = [_checked_point(point, space) for point in _asked(searcher.ask(state))]
        if not points:
            break
        n_before = len(loop.known)
        place = searcher.place(state) if hasattr(searcher, "place") else loop.place()
        scores, stopped = loop.run(points, place)
        points = points[: len(scores)]
        if not stopped:
            state = searcher.tell(state, points, scores)
        elif hasattr(searcher, "stop"):
            state = searcher.stop(state, points, scores)
        else:
            state = searcher.tell(state, points, scores)
            break
        idle = 0 if len(loop.known) > n_before else idle + 1
    choice = searcher.choice(state) if hasattr(searcher, "choice") else loop.best(space)
    score = loop.final(choice)
    return SearchResult(space.rounded(choice.values), score, choice, len(loop.known), state)


def check_searcher(searcher: Any) -> None:
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
    values = [float(score) for score in scores]
    finite = [value for value in values if abs(value) <= LARGEST]
    if len(finite) == len(values):
        return values
    worst = min(finite, default=0.0)
    return [value if abs(value) <= LARGEST else min(0.0, worst) for value in values]


class _AskTellLoop:
    """Evaluates what is asked, remembers it, and keeps the count of steps."""

    def __init__(
        self,
        space: SearchSpace,
        evaluate_many: EvaluateMany,
        on_step: OnStep | None,
        identity: Identity,
    ) -> None:
        self.known: dict[Hashable, float] = {}
        self._identity = identity
        self._asked: dict[Point, float] = {}
        self._evaluate_many = evaluate_many
        self._on_step = on_step
        self._space = space
        self._rounds = any(dim.integer for dim in space)
        self._n_asks = 0
        self._train_cycle = 1

    def place(self) -> SearchPosition:
        """Return the place of the next batch, for a searcher that does not tell it."""
        return SearchPosition(par_cycle=self._n_asks + 1)

    def run(self, points: list[Point], place: SearchPosition) -> tuple[list[float], bool]:
        """Return the scores of `points` up to a stop, NaN where unusable, and if there was one."""
        self._n_asks += 1
        self._train_cycle = place.train_cycle
        steps = [
            SearchStep(
                self._seen(point), place.train_cycle, place.par_cycle, number, place.parameter
            )
            for number, point in enumerate(points, place.first_step)
        ]
        # Taken once: the evaluations may teach `identity` to tell more apart in later batches.
        keys = [self._identity(step) for step in steps]
        pairs = zip(reversed(keys), reversed(steps), strict=True)
        new = {key: step for key, step in pairs if key not in self.known}
        fresh, stop_at = self._evaluate(dict(reversed(new.items())))
        scores = []
        stopped = False
        for step, key, point in zip(steps, keys, points, strict=True):
            repeated = key in self.known
            if not repeated:
                self.known[key] = fresh[key]
            score = self.known[key]
            scores.append(score)
            self._asked.setdefault(point, score)
            if self._on_step is not None:
                self._on_step(step, score, repeated)
            if stop_at is not None and not repeated and key == stop_at:
                stopped = True
                break
        return scores, stopped

    def _evaluate(
        self, new: dict[Hashable, SearchStep]
    ) -> tuple[dict[Hashable, float], Hashable | None]:
        if not new:
            return {}, None
        answer = self._evaluate_many(list(new.values()))
        scores = list(check.iterable("evaluate_many", answer, "return a list of scores"))
        stop = next((i for i, score in enumerate(scores) if isinstance(score, StoppingScore)), None)
        if stop is None and len(scores) != len(new):
            rule = f"return one score for each of its {len(new)} steps"
            raise ParamError(broken_rule("evaluate_many", rule, len(scores)))
        kept = list(new)[: None if stop is None else stop + 1]
        fresh = {key: _usable(score) for key, score in zip(kept, scores, strict=False)}
        return fresh, None if stop is None else kept[-1]

    def best(self, space: SearchSpace) -> Choice:
        """Return the best point seen, for a searcher that does not choose itself."""
        points = list(self._asked)
        scores = finite_scores(self._asked.values())
        best = max(scores, default=0.0)
        if best <= 0:
            return default_choice(space)
        values = points[scores.index(best)]
        return Choice(values, best, edges_of(space, values))

    def final(self, choice: Choice) -> float:
        """Return the score of the chosen point itself."""
        step = SearchStep(self._seen(choice.values), self._train_cycle, 0, 0, "")
        key = self._identity(step)
        if key not in self.known:
            self.known |= self._evaluate({key: step})[0]
            if self._on_step is not None:
                self._on_step(step, self.known[key], False)
        score = self.known[key]
        if not math.isfinite(score):
            worst = min((s for s in self.known.values() if math.isfinite(s)), default=0.0)
            score = min(0.0, worst)
        return score if choice.usable or score > 0 else 0.0

    def _seen(self, point: Point) -> Point:
        return self._space.rounded(point) if self._rounds else point


def default_choice(space: SearchSpace, curves: tuple[SearchCurve, ...] = ()) -> Choice:
    """Return the choice where no score is usable: all defaults, score 0."""
    return Choice(space.defaults, 0.0, (False,) * len(space), usable=False, curves=curves)


def edges_of(space: SearchSpace, values: Point) -> tuple[bool, ...]:
    """Return for each dimension whether its value is an end of a range of more than one value."""
    return tuple(
        dim.searched and dim.min < dim.max and value in {dim.min, dim.max}
        for dim, value in zip(space, values, strict=True)
    )


def _point_of(step: SearchStep) -> Point:
    return step.point


def _usable(score: Any) -> float:
    value = check.number("every score of evaluate_many", score, finite=False)
    return value if math.isfinite(value) else math.nan


def _asked(points: Any) -> Iterable[Any]:
    return check.iterable("a searcher", points, "ask for a list of points")


def _checked_point(point: Any, space: SearchSpace) -> Point:
    # An array without dimensions counts as iterable, and is not.
    listed = isinstance(point, Iterable) and getattr(point, "ndim", 1) == 1
    found = [check.real(value) for value in point] if listed else []
    values = tuple(float(value) for value in found if value is not None and abs(value) < 2**1023)
    if len(values) != len(space) or len(values) != len(found):
        rule = f"ask for points of {len(space)} finite values, one for each of {space.names}"
        raise ParamError(broken_rule("a searcher", rule, point))
    return values
