# SPDX-License-Identifier: BSD-3-Clause
"""From the arguments of a training to the searcher they mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from broadpeak._core import check
from broadpeak._search.ascent import Ascent
from broadpeak._search.brute import Brute
from broadpeak._search.genetic import Genetic
from broadpeak._search.protocol import Point, SearchPosition, check_searcher
from broadpeak._search.random import Random
from broadpeak._search.searchspace import SearchSpace
from broadpeak._training.settings import TrainOptions
from broadpeak.errors import ParamError, broken_rule


def searcher_for(options: TrainOptions) -> Any:
    """Return the searcher that `method` and the settings next to it mean.

    Raises
    ------
    ParamError
        If the method is unknown, is no searcher, or does not take a setting that was given.
    """
    method = options.method
    if isinstance(method, str):
        return _MAKERS[check.one_of("method", method, _MAKERS)](options)
    check_searcher(method)
    if options.select is not None:
        remedy = "Give it to the searcher."
        rule = "be left out where method is a searcher"
        raise ParamError(broken_rule("select", rule, options.select, remedy))
    if options.n_evaluations is None:
        return method
    if dataclasses.is_dataclass(method) and hasattr(method, "n_evaluations"):
        return dataclasses.replace(cast(Any, method), n_evaluations=options.n_evaluations)
    return _Limited(method, options.n_evaluations)


def _select(options: TrainOptions, default: str) -> Any:
    return default if options.select is None else options.select


def _ascent(options: TrainOptions) -> Ascent:
    return Ascent(_select(options, "hill"), options.passes)


def _brute(options: TrainOptions) -> Brute:
    return Brute(_select(options, "hill"))


def _genetic(options: TrainOptions) -> Any:
    genetic = Genetic(
        options.population,
        options.generations,
        options.mutation_rate,
        options.crossover_rate,
        _select(options, "peak"),
    )
    return genetic if options.n_evaluations is None else _Limited(genetic, options.n_evaluations)


def _random(options: TrainOptions) -> Random:
    select = _select(options, "peak")
    if options.n_evaluations is None:
        return Random(select=select)
    return Random(options.n_evaluations, select)


_MAKERS: dict[str, Callable[[TrainOptions], Any]] = {
    "ascent": _ascent,
    "brute": _brute,
    "genetic": _genetic,
    "random": _random,
}


class _Counted(NamedTuple):
    inner: Any
    n_told: int


class _Limited:
    """A searcher that ends after a number of points."""

    def __init__(self, inner: Any, n_evaluations: int) -> None:
        if n_evaluations < 1:
            raise ParamError(broken_rule("n_evaluations", "be at least 1", n_evaluations))
        self._inner = inner
        self._most = n_evaluations
        # What the inner searcher can do besides is passed on, and only then.
        for name in ("choice", "position"):
            if hasattr(inner, name):
                setattr(self, name, _passed_on(getattr(inner, name)))

    def start(self, space: SearchSpace, seed: int | None) -> _Counted:
        """Return the first state."""
        return _Counted(self._inner.start(space, seed), 0)

    def ask(self, state: _Counted) -> Sequence[Point]:
        """Return what the inner searcher asks for, up to the limit."""
        left = self._most - state.n_told
        return list(self._inner.ask(state.inner))[:left] if left > 0 else []

    def tell(self, state: _Counted, points: Sequence[Point], scores: Sequence[float]) -> _Counted:
        """Return the next state."""
        return _Counted(self._inner.tell(state.inner, points, scores), state.n_told + len(points))


def _passed_on(method: Callable[[Any], Any]) -> Callable[[_Counted], Any]:
    def call(state: _Counted) -> SearchPosition | Any:
        return method(state.inner)

    return call
