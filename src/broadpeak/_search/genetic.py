# SPDX-License-Identifier: BSD-3-Clause
"""Genetic search: a population of combinations that breeds, for spaces too large to try out.

The manual this search follows leaves the operators open. Here the genes of an individual are its
codes on the grid. The first population is the defaults and random combinations; parents are drawn
by stochastic universal sampling on the rank of their fitness; children cross uniformly; a mutant
gets one random code anew; the best individual survives; equal individuals are one, so the
population shrinks as it converges. All evaluated combinations are remembered.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from broadpeak._core import check, rng
from broadpeak._search.protocol import Choice, Point, SearchPosition, finite_scores
from broadpeak._search.searchspace import SearchSpace
from broadpeak._search.selectors import Selector, resolve_selector
from broadpeak._search.stepgrid import Codes, StepGrid, choose, code_array, draw, even_grid
from broadpeak.errors import ParamError, broken_rule

PATIENCE = 10
"""Generations without a better best individual after which the search ends."""


@dataclass(frozen=True, slots=True)
class GeneticState:
    """The state of a genetic search."""

    grid: StepGrid  # the space
    seed: int  # seed; every generation draws from a stream of its own
    # The current generation, and those of it that have no score yet.
    population: tuple[Codes, ...]
    waiting: tuple[Codes, ...]
    # The current generation from 1, and how many have passed since the best individual was found.
    generation: int = 1
    stale: int = 0
    # Everything evaluated so far, in order.
    codes: tuple[Codes, ...] = ()
    scores: tuple[float, ...] = ()
    n_scored: int = 0  # individuals of this generation that have a score
    finished: bool = False  # whether the search has ended


@dataclass(frozen=True, slots=True)
class Genetic:
    """Evolve combinations.

    Parameters
    ----------
    population : int
        Most individuals in a generation.
    generations : int
        Most generations. The search also ends after 10 generations without a better individual, and
        when all combinations are known.
    mutation_rate : float in [0, 1]
        Share of children with a mutation.
    crossover_rate : float in [0, 1]
        Share of pairs that cross.
    select : "hill", "plateau", "peak", "ensemble" or a selector
        How one is chosen from all that were evaluated.

    Raises
    ------
    ParamError
        If a number is out of its range or `select` is unknown.

    Examples
    --------
    >>> Genetic(population=20).select
    Peak()
    """

    population: int = 100
    generations: int = 50
    mutation_rate: float = 0.05
    crossover_rate: float = 0.8
    select: str | Selector = "peak"

    def __post_init__(self) -> None:
        for name in ("population", "generations"):
            object.__setattr__(self, name, check.integer(name, getattr(self, name)))
        for name in ("mutation_rate", "crossover_rate"):
            value = check.real(getattr(self, name))
            if value is None or not 0 <= value <= 1:
                remedy = "Type 0.05 for 5 %."
                raise ParamError(
                    broken_rule(name, "be a share from 0 to 1", getattr(self, name), remedy)
                )
        object.__setattr__(self, "select", resolve_selector(self.select, several=True))

    def start(self, space: SearchSpace, seed: int | None = 0) -> GeneticState:
        """Return the state with the first population, drawn under `seed`."""
        grid = even_grid(space)
        seed = check.seed(seed)
        if seed is None:
            seed = secrets.randbits(63)
        if not grid.searched:
            return GeneticState(grid, seed, (), (), finished=True)
        drawn = draw(grid, self.population, rng.generator(seed, 0))
        population = tuple(dict.fromkeys((grid.default_codes(), *drawn)))[: self.population]
        return GeneticState(grid, seed, population, population)

    def ask(self, state: GeneticState) -> list[Point]:
        """Return the individuals of this generation that have no score yet."""
        if state.finished:
            return []
        return [state.grid.point(codes) for codes in state.waiting]

    def tell(
        self, state: GeneticState, points: Sequence[Point], scores: Sequence[float]
    ) -> GeneticState:
        """Return the state with `scores`; once all are known, the next generation is bred."""
        n = len(scores)
        state = replace(
            state,
            codes=(*state.codes, *state.waiting[:n]),
            scores=(*state.scores, *map(float, scores)),
            waiting=state.waiting[n:],
            n_scored=state.n_scored + n,
        )
        return state if state.waiting else self._next(state)

    def stop(
        self, state: GeneticState, points: Sequence[Point], scores: Sequence[float]
    ) -> GeneticState:
        """Return the state after the search was ended with `points`."""
        return replace(self.tell(state, points, scores), finished=True)

    def position(self, state: GeneticState) -> SearchPosition:
        """Return generation and number of the next individual."""
        return SearchPosition(par_cycle=state.generation, first_step=state.n_scored + 1)

    def choice(self, state: GeneticState) -> Choice:
        """Return the combination chosen from all that were evaluated."""
        codes = code_array(state.codes, len(state.grid.values))
        selector = resolve_selector(self.select, several=True)
        return choose(state.grid, codes, np.array(state.scores), selector)

    def _next(self, state: GeneticState) -> GeneticState:
        """Breed until a generation has someone new, or the search is over."""
        known = dict(zip(state.codes, finite_scores(state.scores), strict=True))
        population, generation = state.population, state.generation
        stale = 0 if self._gained(state) else state.stale + 1
        while stale < PATIENCE and generation < self.generations and len(known) < state.grid.size:
            generator = rng.generator(state.seed, generation)
            population = self._next_generation(state.grid, population, known, generator)
            generation += 1
            waiting = tuple(codes for codes in population if codes not in known)
            if waiting:
                return replace(
                    state,
                    population=population,
                    waiting=waiting,
                    generation=generation,
                    stale=stale,
                    n_scored=0,
                )
            stale += 1
        return replace(state, generation=generation, stale=stale, finished=True)

    @staticmethod
    def _gained(state: GeneticState) -> bool:
        """Return whether this generation holds a new best individual."""
        n_before = len(state.scores) - state.n_scored
        before = finite_scores(state.scores[:n_before])
        scores = finite_scores(state.scores)
        return not before or max(scores[n_before:], default=-np.inf) > max(before)

    def _next_generation(
        self,
        grid: StepGrid,
        population: tuple[Codes, ...],
        known: dict[Codes, float],
        generator: np.random.Generator,
    ) -> tuple[Codes, ...]:
        ranked = sorted(population, key=lambda codes: (known[codes], _reverse(codes)))
        best = max(known, key=lambda codes: (known[codes], _reverse(codes)))
        parents = _drawn_parents(ranked, self.population, generator)
        children = np.array(parents, dtype=np.int64)
        n_pairs = len(children) // 2
        crossing = generator.random(n_pairs) < self.crossover_rate
        swap = (generator.random((n_pairs, children.shape[1])) < 0.5) & crossing[:, np.newaxis]
        left, right = children[: 2 * n_pairs : 2], children[1 : 2 * n_pairs : 2]
        children[: 2 * n_pairs : 2] = np.where(swap, right, left)
        children[1 : 2 * n_pairs : 2] = np.where(swap, left, right)
        mutants = np.flatnonzero(generator.random(len(children)) < self.mutation_rate)
        movable = np.flatnonzero(np.array(grid.shape) > 1)
        for mutant in mutants.tolist():
            axis = int(generator.choice(movable))
            children[mutant, axis] = generator.integers(grid.shape[axis])
        bred = (best, *map(tuple, children.tolist()))
        return tuple(dict.fromkeys(bred))[: self.population]


def _drawn_parents(ranked: list[Codes], n: int, generator: np.random.Generator) -> list[Codes]:
    """Return `n` parents by stochastic universal sampling on rank, worst first, shuffled."""
    weights = np.arange(1, len(ranked) + 1, dtype=np.float64)
    ends = np.cumsum(weights)
    marks = (generator.random() + np.arange(n)) * ends[-1] / n
    at = np.minimum(np.searchsorted(ends, marks, side="right"), len(ranked) - 1)
    return [ranked[i] for i in generator.permutation(at).tolist()]


def _reverse(codes: Codes) -> Codes:
    """Return a key by which the lower of two equally fit combinations is the fitter one."""
    return tuple(-code for code in codes)
