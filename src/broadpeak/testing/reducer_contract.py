# SPDX-License-Identifier: BSD-3-Clause
"""The contract of reducers, as a test class that pytest runs for any of them."""

from __future__ import annotations

import math
import pickle
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._run.calls import Task
from broadpeak._run.execute import execute
from broadpeak._run.keeping import check_reducer


class ReducerContract(ABC):
    """What every reducer must do: subclass it in a test module, and pytest finds the tests.

    Results of a run come in any order and from several workers, each of which reduces what it
    computed. Whether a reducer gives the same then as one result after another can be tested with
    some results alone.

    Examples
    --------
    >>> import broadpeak as bp
    >>> class Range:
    ...     def start(self):
    ...         return (float("inf"), float("-inf"))
    ...
    ...     def add(self, state, position, value):
    ...         return min(state[0], value), max(state[1], value)
    ...
    ...     def merge(self, left, right):
    ...         return min(left[0], right[0]), max(left[1], right[1])
    >>> class TestRange(bp.testing.ReducerContract):
    ...     def make(self):
    ...         return Range()
    ...
    ...     def results(self):
    ...         return [3.0, -1.5, 8.25, 8.25, 0.0, 2.0]
    >>> TestRange().test_states_may_be_joined_in_any_grouping()
    """

    @abstractmethod
    def make(self) -> Any:
        """Return the reducer under test."""

    @abstractmethod
    def results(self) -> Sequence[Any]:
        """Return results of calls, a dozen or more: ties and missing figures among them."""

    def same(self, left: Any, right: Any) -> bool:
        """Return whether two answers are the same: by default up to the rounding of floats."""
        return alike(left, right)

    def test_has_the_methods(self) -> None:
        """`start`, `add` and `merge` are there."""
        check_reducer("make", self.make())

    def test_begins_with_nothing_every_time(self) -> None:
        """What one state takes in is in no other: `start` returns no object twice."""
        reducer = self.make()
        expected = _finished(reducer, reducer.start())
        self._added(reducer, range(len(self.results())))
        self._expect(_finished(reducer, reducer.start()), expected, "start() after other results")

    def test_states_and_reducer_can_be_pickled(self) -> None:
        """A state travels from a worker, the reducer to it; both go on as they were."""
        reducer, n = self.make(), len(self.results())
        there = cloudpickle.loads(cloudpickle.dumps(reducer))
        left = pickle.loads(pickle.dumps(self._added(there, range(n // 2))))
        right = pickle.loads(pickle.dumps(self._added(there, range(n // 2, n))))
        found = _finished(reducer, reducer.merge(left, right))
        self._expect(found, self._one_by_one(), "states that were pickled")

    def test_states_may_be_joined_in_any_grouping(self) -> None:
        """Merge is associative: cut anywhere, and joined in order, results give one answer."""
        reducer, n, expected = self.make(), len(self.results()), self._one_by_one()
        for seed in range(20):
            draw = random.Random(seed)
            cuts = sorted(draw.sample(range(1, n), draw.randint(1, n - 1)))
            bounds = zip([0, *cuts], [*cuts, n], strict=True)
            states = [self._added(reducer, range(*pair)) for pair in bounds]
            while len(states) > 1:
                at = draw.randrange(len(states) - 1)
                states[at : at + 2] = [reducer.merge(states[at], states[at + 1])]
            self._expect(_finished(reducer, states[0]), expected, f"results cut at {cuts}")

    def test_many_at_a_time_give_what_single_results_give(self) -> None:
        """`add_many`, where it is there, takes lists, and arrays where results are numbers."""
        reducer, results = self.make(), list(self.results())
        if not hasattr(reducer, "add_many"):
            return
        positions, expected = np.arange(len(results)), self._one_by_one()
        forms: list[Any] = [results]
        if all(type(result) in {int, float, bool} for result in results):
            forms.append(np.array(results))
        for values in forms:
            state = reducer.add_many(reducer.start(), positions, values)
            kind = type(values).__name__
            self._expect(_finished(reducer, state), expected, f"add_many with values in a {kind}")

    def test_runs_give_what_a_loop_gives(self) -> None:
        """A run keeps what one result after another gives."""
        tasks = [Task(_itself, result) for result in self.results()]
        for engine in ("serial", "threadpool"):
            found = execute(tasks, keep=self.make(), engine=engine, n_workers=2)
            self._expect(found, self._one_by_one(), f"a run on {engine!r}")

    def _added(self, reducer: Any, positions: range) -> Any:
        state, results = reducer.start(), self.results()
        for position in positions:
            state = reducer.add(state, position, results[position])
        return state

    def _one_by_one(self) -> Any:
        reducer = self.make()
        return _finished(reducer, self._added(reducer, range(len(self.results()))))

    def _expect(self, found: Any, expected: Any, what: str) -> None:
        assert self.same(found, expected), (
            f"{what} must give what results one after another give, {expected!r}, got {found!r}"
        )


def alike(left: Any, right: Any) -> bool:
    """Return whether two values are the same up to the rounding of floats."""
    if isinstance(left, (pd.Series, pd.DataFrame)):
        is_same = type(left) is type(right) and left.index.equals(right.index)
        return is_same and alike(left.to_numpy(), right.to_numpy())
    if isinstance(left, np.ndarray):
        return left.shape == np.shape(right) and alike(left.tolist(), np.asarray(right).tolist())
    if check.real(left) is not None and check.real(right) is not None:
        one, other = float(left), float(right)
        both_nan = math.isnan(one) and math.isnan(other)
        return both_nan or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(left, Mapping):
        return left.keys() == right.keys() and all(alike(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(alike, left, right))
    if hasattr(left, "__dict__"):
        return type(left) is type(right) and alike(vars(left), vars(right))
    return bool(left == right)


def _finished(reducer: Any, state: Any) -> Any:
    finish = getattr(reducer, "finish", None)
    return state if finish is None else finish(state)


def _itself(value: Any) -> Any:
    return value
