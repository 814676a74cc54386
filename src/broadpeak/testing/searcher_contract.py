# SPDX-License-Identifier: BSD-3-Clause
"""The contract of searchers, as a test class that pytest runs for any of them."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from broadpeak._search.protocol import (
    Point,
    SearchResult,
    SearchStep,
    StoppingScore,
    check_searcher,
    maximise,
)
from broadpeak._search.searchspace import Dimension, SearchSpace

MOST_ASKS = 5_000


class SearcherContract(ABC):
    """What every searcher must do: subclass it in a test module, and pytest finds the tests.

    Examples
    --------
    >>> import broadpeak as bp
    >>> class TestRandom(bp.testing.SearcherContract):
    ...     def make(self):
    ...         return bp.searchers.Random(20)
    >>> TestRandom().test_restart_changes_nothing()
    """

    @abstractmethod
    def make(self) -> Any:
        """Return the searcher under test, with a budget that ends within seconds."""

    space = SearchSpace(
        [
            Dimension("fast", 5, 2, 12, 1),
            Dimension("computed", 7, 0, 0),
            Dimension("slow", 30, 10, 60, 10, integer=True),
            Dimension("share", 0.5, 0.2, 1.0, 0.1),
        ]
    )

    def test_has_the_methods(self) -> None:
        """The three methods are there."""
        check_searcher(self.make())

    def test_asks_for_points_of_the_space(self) -> None:
        """Every point has a value in range for each dimension; those not searched stay."""
        for point in self._asked(self.make(), seed=1):
            _expect(len(point) == len(self.space), f"{point} does not fit {self.space.names}")
            for dim, value in zip(self.space, point, strict=True):
                low, high = (dim.min, dim.max) if dim.searched else (dim.default, dim.default)
                fits = low <= value <= high or value == dim.default
                _expect(fits, f"{dim.name}={value} is outside [{low}, {high}]")

    def test_ends(self) -> None:
        """The search ends, and then asks for nothing."""
        searcher = self.make()
        state = searcher.start(self.space, 1)
        for _ in range(MOST_ASKS):
            points = list(searcher.ask(state))
            if not points:
                break
            state = searcher.tell(state, points, list(map(hill, points)))
        _expect(not list(searcher.ask(state)), f"still asks after {MOST_ASKS} rounds")

    def test_same_seed_same_points(self) -> None:
        """A seed fixes every point."""
        first, second = (self._asked(self.make(), seed=3) for _ in range(2))
        _expect(first == second, "the same seed gave other points")

    def test_asking_and_telling_change_no_state(self) -> None:
        """A state stays what it was, so that a search can go on from it twice."""
        searcher = self.make()
        state = searcher.start(self.space, 2)
        for _ in range(4):
            before = pickle.dumps(state)
            points = list(searcher.ask(state))
            if not points:
                break
            _expect(points == list(searcher.ask(state)), "a second ask gave other points")
            scores = list(map(hill, points))
            after = searcher.tell(state, points, scores)
            again = searcher.tell(state, points, scores)
            asked = list(searcher.ask(after)), list(searcher.ask(again))
            _expect(asked[0] == asked[1], "telling the same twice led to other points")
            _expect(pickle.dumps(state) == before, "ask or tell changed the state it was given")
            state = after

    def test_restart_changes_nothing(self) -> None:
        """A new searcher goes on from a stored state as the old one would have."""
        whole = self._asked(self.make(), seed=4)
        parts: list[Point] = []
        state = self.make().start(self.space, 4)
        for _ in range(MOST_ASKS):
            searcher = self.make()
            state = pickle.loads(pickle.dumps(state))  # our own bytes
            points = list(searcher.ask(state))
            if not points:
                break
            parts += points
            state = searcher.tell(state, points, list(map(hill, points)))
        _expect(parts == whole, "a search that was restarted asked for other points")

    def test_state_is_plain(self) -> None:
        """The state is a frozen dataclass that JSON can hold."""
        searcher = self.make()
        state = searcher.start(self.space, 1)
        state = searcher.tell(state, points := list(searcher.ask(state)), [1.0] * len(points))
        _expect(dataclasses.is_dataclass(state), f"the state is a {type(state).__name__}")
        _expect(bool(json.dumps(dataclasses.asdict(state))), "the state is empty")

    def test_no_combination_twice(self) -> None:
        """The function never sees a combination again."""
        found, steps = self._run(hill)
        points = [step.point for step in steps]
        _expect(len(points) == len(set(points)), "a combination was evaluated twice")
        _expect(found.n_evaluations == len(points), "the count of evaluations is wrong")

    def test_finds_something_better(self) -> None:
        """On one broad hill the choice beats the defaults, and its score is its own."""
        found, _ = self._run(hill)
        _expect(found.score == hill(found.values), "the score is not that of the chosen point")
        start = hill(self.space.defaults)
        _expect(found.score > start, f"found {found.score}, the defaults have {start}")

    def test_nothing_usable_keeps_the_defaults(self) -> None:
        """Scores that are NaN, infinite, negative or zero never win."""
        for bad in (math.nan, math.inf, -math.inf, -1.0, 0.0):
            found, _ = self._run(lambda _, bad=bad: bad)
            _expect(found.values == self.space.defaults, f"{bad} won at {found.values}")
            _expect(found.score == 0, f"the score is {found.score}, not 0")

    def test_unusable_scores_are_survived(self) -> None:
        """A search with holes ends, and its choice is finite."""
        found, _ = self._run(lambda point: math.nan if point[0] > 9 else hill(point))
        _expect(math.isfinite(found.score), f"the score is {found.score}")

    def test_empty_space(self) -> None:
        """Nothing to search: one evaluation."""
        found = maximise(self.make(), SearchSpace(()), lambda steps: [2.0 for _ in steps])
        _expect(found.values == (), f"found {found.values} in an empty space")
        _expect(found.score == 2, f"the score is {found.score}, not 2")
        _expect(found.n_evaluations == 1, "not one evaluation")

    def test_stop_is_obeyed(self) -> None:
        """A stop at the first step of every batch still ends with a choice."""
        found, _ = self._run(lambda point: StoppingScore(hill(point)))
        _expect(found.score == hill(found.values), "the score is not that of the chosen point")

    def _asked(self, searcher: Any, seed: int) -> list[Point]:
        asked: list[Point] = []
        state = searcher.start(self.space, seed)
        for _ in range(MOST_ASKS):
            points = list(searcher.ask(state))
            if not points:
                break
            asked += points
            state = searcher.tell(state, points, list(map(hill, points)))
        return asked

    def _run(self, score: Any) -> tuple[SearchResult, list[SearchStep]]:
        seen: list[SearchStep] = []

        def evaluate_many(steps: Sequence[SearchStep]) -> list[float]:
            seen.extend(steps)
            return [score(step.point) for step in steps]

        return maximise(self.make(), self.space, evaluate_many, seed=5), seen


def hill(point: Sequence[float]) -> float:
    """Return the height at `point` of one broad hill over the space of the contract.

    Examples
    --------
    >>> hill((8, 7, 40, 0.6))
    10.0
    """
    fast, _, slow, share = point
    return 10.0 - abs(fast - 8) / 2 - abs(slow - 40) / 20 - 2 * abs(share - 0.6)


def _expect(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)
