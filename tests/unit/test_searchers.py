# SPDX-License-Identifier: BSD-3-Clause
"""Brute force, genetic and random search."""

from __future__ import annotations

import itertools
import math

import pytest

import broadpeak as bp
from broadpeak._search.protocol import StoppingScore, maximise
from broadpeak._search.searchspace import Dimension, SearchSpace
from broadpeak.errors import ParamError
from broadpeak.searchers import Brute, Genetic, Random

SPACE = SearchSpace([Dimension("a", 3, 1, 9, 1), Dimension("b", 2, 0, 5)])


def cone(point):
    return 20 - 2 * abs(point[0] - 6) - abs(point[1] - 3)


def spiked(point):
    return 40.0 if point == (2.0, 1.0) else cone(point)


def run(searcher, score, space=SPACE, seed=0):
    asked = []

    def evaluate_many(steps):
        asked.extend(steps)
        return [score(step.point) for step in steps]

    return maximise(searcher, space, evaluate_many, seed=seed), asked


def test_brute_takes_every_combination_in_order():
    _, asked = run(Brute(), cone)
    b_values = [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]
    assert [s.point for s in asked] == list(itertools.product(range(1, 10), b_values))
    assert asked[-1][1:] == (1, 1, 99, "")


def test_brute_counts_of_the_example():
    space = SearchSpace(
        [
            Dimension("cycle", 30, 10, 100, 5),
            Dimension("factor", 3, 1, 5),
            Dimension("stop", 3, 1, 10, 0.5, -3),
        ]
    )
    found, _ = run(Brute(), lambda point: 1.0, space)
    assert found.n_evaluations == 19 * 11 * 19


@pytest.mark.parametrize("select", ["hill", "plateau"])
def test_brute_passes_over_a_lone_peak(select):
    found, _ = run(Brute(select), spiked)
    assert found.values == (6, 3)
    assert found.score == 20


def test_brute_peak_takes_it():
    found, _ = run(Brute("peak"), spiked)
    assert found.values == (2, 1)
    assert found.score == 40


def test_brute_at_the_edge_of_one_parameter():
    found, _ = run(Brute(), lambda point: point[0] - abs(point[1] - 3) + 10)
    assert found.values == (9, 3)
    assert found.choice.at_edge == (True, False)


def test_brute_never_chooses_an_unusable_combination():
    found, _ = run(Brute(), lambda point: math.nan if point == (6.0, 3.0) else cone(point))
    assert found.values != (6, 3)
    assert found.score > 15


def test_brute_stopped_chooses_from_what_there_is():
    def score(point):
        return StoppingScore(cone(point)) if point == (4.0, 2.0) else cone(point)

    found, asked = run(Brute("peak"), score)
    assert found.values == (4, 2)
    assert found.n_evaluations == len([s for s in asked if s.point <= (4.0, 2.0)])


class Repeating:
    """A searcher whose only batch holds one point twice."""

    def start(self, space, seed):
        return False

    def ask(self, state):
        return [] if state else [(2.0, 1.0), (6.0, 3.0), (2.0, 1.0)]

    def tell(self, state, points, scores):
        return True


@pytest.mark.parametrize("stop_at", [None, (2.0, 1.0), (6.0, 3.0)])
def test_a_point_twice_in_a_batch_is_evaluated_once_where_it_first_stands(stop_at):
    def score(point):
        return StoppingScore(cone(point)) if point == stop_at else cone(point)

    found, asked = run(Repeating(), score)
    assert [step.point for step in asked][:2] == [(2.0, 1.0), (6.0, 3.0)]
    assert found.n_evaluations == (1 if stop_at == (2.0, 1.0) else 2)
    assert found.values == ((2, 1) if stop_at == (2.0, 1.0) else (6, 3))


def test_brute_refuses_what_cannot_end():
    space = SearchSpace([Dimension(f"p{k}", 5, 1, 100, 1) for k in range(4)])
    with pytest.raises(ParamError, match=r'at most 20,000,000 .* 100,000,000.*method="genetic"'):
        run(Brute(), cone, space)


def test_genetic_finds_the_top_of_a_cone():
    found, asked = run(Genetic(population=40), cone)
    assert found.values == (6, 3)
    assert len(asked) < 99
    assert asked[0].point == (3, 2)  # the defaults are the first individual


def test_genetic_is_the_same_under_a_seed():
    first, asked = run(Genetic(population=10), cone, seed=4)
    second, again = run(Genetic(population=10), cone, seed=4)
    assert (first, asked) == (second, again)
    assert [s.point for s in run(Genetic(population=10), cone, seed=5)[1]] != [
        s.point for s in asked
    ]


def test_genetic_without_a_seed_runs():
    found, _ = run(Genetic(population=10), cone, seed=None)
    assert found.score >= cone((3, 2))


def test_genetic_stops_after_ten_generations_without_gain():
    space = SearchSpace([Dimension(name, 5, 1, 100, 1) for name in "abc"])
    _, asked = run(Genetic(population=10), lambda point: 1.0, space)
    assert asked[-1].par_cycle <= 11


def test_genetic_keeps_to_its_generations():
    space = SearchSpace([Dimension(name, 5, 1, 100, 1) for name in "abc"])
    _, asked = run(Genetic(population=10, generations=3), sum, space)
    assert {s.par_cycle for s in asked if s.par_cycle} == {1, 2, 3}
    assert len(asked) <= 30


def test_genetic_on_a_huge_space():
    space = SearchSpace([Dimension(f"p{k}", 5, 1, 1000, 1) for k in range(16)])
    found, _ = run(Genetic(population=20, generations=5), sum, space)
    assert found.score > 16 * 5


def test_random_draws_distinct_points():
    _, asked = run(Random(50), cone, seed=3)
    points = [s.point for s in asked if s.par_cycle]
    assert len(points) == len(set(points)) == 50
    assert points == [s.point for s in run(Random(50), cone, seed=3)[1] if s.par_cycle]


def test_random_takes_all_where_there_are_no_more():
    found, _ = run(Random(1000), cone)
    assert found.n_evaluations == 99
    assert found.values == (6, 3)


def test_random_on_a_space_larger_than_an_integer():
    space = SearchSpace([Dimension(f"p{k}", 5, 1, 1000, 1) for k in range(10)])
    found, _ = run(Random(100), sum, space)
    assert found.n_evaluations == 100


@pytest.mark.parametrize("searcher", [Brute(), Genetic(20), Random(60)])
def test_equal_integers_are_evaluated_once(searcher):
    space = SearchSpace([Dimension("n", 3, 1, 5, 0.25, integer=True)])
    found, asked = run(searcher, lambda point: point[0], space)
    assert len({s.point for s in asked}) == len(asked) <= 5
    assert found.values == (5,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Genetic(population=0), "population must be an integer"),
        (lambda: Genetic(generations="many"), "generations must be an integer"),
        (lambda: Genetic(mutation_rate=5), "mutation_rate must be a share"),
        (lambda: Genetic(crossover_rate=-1), "crossover_rate must be a share"),
        (lambda: Random(0), "n_evaluations must be an integer"),
        (lambda: Brute("best"), "the selector must be one of"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ParamError, match=message):
        make()


def test_public_names():
    names = ("Ascent", "Brute", "Genetic", "Random", "Optuna")
    assert all(hasattr(bp.searchers, name) for name in names)


@pytest.mark.parametrize("population", [1, 2, 5, 30])
def test_genetic_lets_the_best_individual_live_on(population):
    space = SearchSpace([Dimension(name, 5, 1, 40, 1) for name in "abc"])
    searcher = Genetic(population=population, mutation_rate=0.9)
    state = searcher.start(space, seed=2)
    generations = 0
    while points := searcher.ask(state):
        before = state.generation
        state = searcher.tell(state, points, [sum(point) for point in points])
        assert len(state.population) <= population
        if state.generation > before and not state.finished:
            generations += 1
            best = max(state.scores)
            assert best in [sum(state.grid.point(genes)) for genes in state.population]
    assert generations >= (0 if population == 1 else 5)
