# SPDX-License-Identifier: BSD-3-Clause
"""Every searcher keeps the contract."""

from __future__ import annotations

import importlib

import pytest

from broadpeak._search import optuna as optuna_module
from broadpeak._search.protocol import MAX_IDLE_ASKS, maximise
from broadpeak._search.searchspace import Dimension, SearchSpace
from broadpeak._search.selectors import Hill, Plateau
from broadpeak.errors import MissingExtraError, ParamError
from broadpeak.searchers import Ascent, Brute, Genetic, Optuna, Random
from broadpeak.testing.searcher_contract import SearcherContract

SPACE = SearchSpace([Dimension("a", 3, 1, 5, 1), Dimension("b", 3, 1, 5, 1)])


class TestAscent(SearcherContract):
    def make(self):
        return Ascent()


class TestAscentPeakTwoPasses(SearcherContract):
    def make(self):
        return Ascent("peak", passes=2)


class TestAscentPlateau(SearcherContract):
    def make(self):
        return Ascent(Plateau(0.95))


class TestBrute(SearcherContract):
    def make(self):
        return Brute()


class TestBruteWide(SearcherContract):
    def make(self):
        return Brute(Hill(5, "inner"))


class TestGenetic(SearcherContract):
    def make(self):
        return Genetic(population=12, generations=15)


class TestGeneticHill(SearcherContract):
    def make(self):
        return Genetic(population=30, generations=15, select="hill")


class TestRandom(SearcherContract):
    def make(self):
        return Random(60)


class TestTpe(SearcherContract):
    def make(self):
        return Optuna("tpe", 24)


class TestCmaes(SearcherContract):
    def make(self):
        return Optuna("cmaes", 24, batch=4)


class TestNsgaii(SearcherContract):
    def make(self):
        return Optuna("nsgaii", 40, batch=5, options={"population_size": 10})


class TestQmc(SearcherContract):
    def make(self):
        return Optuna("qmc", 32, batch=8)


class TestOptunaRandom(SearcherContract):
    def make(self):
        return Optuna("random", 40, batch=10)


class Plain:
    """A searcher of three methods, as a third party would write it."""

    def start(self, space, seed):
        return (space.defaults, 0)

    def ask(self, state):
        point, n_told = state
        return [(point[0] + n_told, point[1])] if n_told < 3 else []

    def tell(self, state, points, scores):
        return (state[0], state[1] + len(points))


def test_three_methods_are_enough():
    found = maximise(Plain(), SPACE, lambda steps: [step.point[0] for step in steps])
    assert found.values == (5.0, 3.0)
    assert found.score == 5.0
    assert found.n_evaluations == 3
    assert found.choice.at_edge == (True, False)


def test_a_searcher_that_asks_the_same_for_ever_ends():
    class Stuck(Plain):
        n_asks = 0

        def ask(self, state):
            self.n_asks += 1
            return [(2.0, 2.0)]

    stuck = Stuck()
    found = maximise(stuck, SPACE, lambda steps: [1.0 for _ in steps])
    assert found.n_evaluations == 1
    assert stuck.n_asks == MAX_IDLE_ASKS + 1


@pytest.mark.parametrize("searcher", [Ascent, 3, None, "ascent", object()])
def test_no_searcher_is_an_error(searcher):
    with pytest.raises(ParamError, match="start, ask and tell"):
        maximise(searcher, SPACE, lambda steps: [1.0 for _ in steps])


@pytest.mark.parametrize(
    "point", [(1.0,), (1.0, 2.0, 3.0), (1.0, float("nan")), {"a": 1, "b": 2}, 5]
)
def test_points_that_do_not_fit_are_an_error(point):
    class Wrong(Plain):
        def ask(self, state):
            return [point]

    with pytest.raises(ParamError, match="2 finite values"):
        maximise(Wrong(), SPACE, lambda steps: [1.0 for _ in steps])


def test_a_missing_score_is_an_error():
    with pytest.raises(ParamError, match="one score for each of its 5 steps"):
        maximise(Ascent(), SPACE, lambda steps: [1.0])


def test_gp_says_what_to_install(monkeypatch):
    def load(module, *, extra, purpose):
        if module == "torch":
            raise MissingExtraError(module)
        return importlib.import_module(module)

    monkeypatch.setattr(optuna_module.optional, "load", load)
    with pytest.raises(MissingExtraError, match=r'pip install "broadpeak\[optuna\]" torch'):
        maximise(Optuna("gp", 5), SPACE, lambda steps: [1.0 for _ in steps])


def test_optuna_takes_every_combination_when_the_budget_allows():
    found = maximise(Optuna("tpe", 1000), SPACE, lambda steps: [sum(s.point) for s in steps])
    assert found.n_evaluations == 25
    assert found.values == (5.0, 5.0)


def test_optuna_rejects_unknown_samplers():
    with pytest.raises(ParamError, match="Did you mean 'tpe'"):
        Optuna("tpa")
