# SPDX-License-Identifier: BSD-3-Clause
"""The searchers by name; `broadpeak.search.base` says how to write another one."""

from __future__ import annotations

from typing import Any

from broadpeak._core import check
from broadpeak.errors import ParamError, broken_rule
from broadpeak.search.ascent import Ascent
from broadpeak.search.base import Searcher, check_searcher, maximise
from broadpeak.search.brute import Brute
from broadpeak.search.genetic import Genetic
from broadpeak.search.optuna import Optuna
from broadpeak.search.random import Random
from broadpeak.search.selectors import Selector
from broadpeak.search.space import Dimension, SearchSpace

__all__ = [
    "Ascent",
    "Brute",
    "Dimension",
    "Genetic",
    "Optuna",
    "Random",
    "SearchSpace",
    "Searcher",
    "maximise",
    "resolve_searcher",
]

_NAMES = ("ascent", "brute", "genetic", "random")


def resolve_searcher(
    method: str | Any,
    *,
    select: str | Selector | None = None,
    passes: int = 1,
    population: int = 100,
    generations: int = 50,
    mutation_rate: float = 0.05,
    crossover_rate: float = 0.8,
    n_evaluations: int | None = None,
) -> Any:
    """Return the searcher that `method` names, with the settings that concern it.

    Parameters
    ----------
    method : "ascent", "brute", "genetic", "random" or a searcher
        An object is returned as it is; it has its settings already.
    select : str or selector, optional
        None: what is usual for the method.
    passes, population, generations, mutation_rate, crossover_rate, n_evaluations
        Settings of the searchers of the same names.

    Returns
    -------
    Searcher

    Raises
    ------
    ParamError
        If the method is unknown, or `select` is given with a searcher object.

    Examples
    --------
    >>> resolve_searcher("ascent", passes=2)
    Ascent(select=Hill(width=5, edges='include'), passes=2)
    """
    if not isinstance(method, str):
        check_searcher(method)
        if select is not None:
            remedy = f"Type method={type(method).__name__}(select=...) instead."
            rule = "be left alone where method is an object"
            raise ParamError(broken_rule("select", rule, select, remedy))
        return method
    name = check.one_of("method", method, _NAMES)
    if name == "ascent":
        return Ascent(select or "hill", passes)
    if name == "brute":
        return Brute(select or "hill")
    if name == "random":
        return Random(200 if n_evaluations is None else n_evaluations, select or "peak")
    return Genetic(population, generations, mutation_rate, crossover_rate, select or "peak")
