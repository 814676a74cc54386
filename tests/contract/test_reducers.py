# SPDX-License-Identifier: BSD-3-Clause
"""Reducers keep the contract that those of users must keep, and broken ones do not."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest

import broadpeak as bp
from broadpeak.testing import ReducerContract
from broadpeak.testing.reducer_contract import alike

NUMBERS = [3.0, 1, 2.5, math.nan, 3.0, -1.0, math.inf, 0, 2.5, 7.5, True, -1.0, 1e300]
FIGURES = [{"ratio": number, "trades": at} for at, number in enumerate(NUMBERS)]


class TestTop(ReducerContract):
    def make(self) -> Any:
        return bp.top(4)

    def results(self) -> Any:
        return NUMBERS


class TestBottom(TestTop):
    def make(self) -> Any:
        return bp.bottom(4)


class TestTopOfFigures(ReducerContract):
    def make(self) -> Any:
        return bp.top(4, by="ratio")

    def results(self) -> Any:
        return FIGURES


class TestHistogram(TestTop):
    def make(self) -> Any:
        return bp.histogram([-1, 0, 2.5, 4])


class Mean:
    def start(self):
        return 0, 0.0

    def add(self, state, position, value):
        return state[0] + 1, state[1] + value

    def merge(self, left, right):
        return left[0] + right[0], left[1] + right[1]

    def finish(self, state):
        return state[1] / max(state[0], 1)


class TestMean(ReducerContract):
    def make(self) -> Any:
        return Mean()

    def results(self) -> Any:
        return [0.1 * k for k in range(40)]


class Forgetful(Mean):
    """Averages averages."""

    def merge(self, left, right):
        return 1, (left[1] / left[0] + right[1] / right[0]) / 2


class Shared(Mean):
    """One state for all."""

    state: ClassVar[Any] = [0, 0.0]

    def start(self):
        return self.state

    def add(self, state, position, value):
        state[0] += 1
        state[1] += value
        return state

    def merge(self, left, right):
        return [left[0] + right[0], left[1] + right[1]]


class Jumpy(Mean):
    """Takes many in another way than one."""

    def add_many(self, state, positions, values):
        return state[0] + len(values), state[1] + float(np.max(values))


class Unpicklable(Mean):
    def __reduce__(self):
        raise TypeError("no")


class Whole(Mean):
    """Loses fractions."""

    def merge(self, left, right):
        return left[0] + right[0], float(int(left[1] + right[1]))


@pytest.mark.parametrize(
    ("reducer", "fails"),
    [
        (Forgetful, {"grouping", "runs"}),
        (Shared, {"nothing", "runs", "pickled"}),
        (Jumpy, {"many", "runs"}),
        (Unpicklable, {"pickled"}),
        (Whole, {"grouping", "runs"}),
        (Mean, set()),
    ],
)
def test_the_contract_finds_what_is_broken(reducer: Any, fails: set[str]) -> None:
    class Contract(TestMean):
        def make(self) -> Any:
            return reducer()

    words = {
        "pickled": Contract.test_states_and_reducer_can_be_pickled,
        "grouping": Contract.test_states_may_be_joined_in_any_grouping,
        "nothing": Contract.test_begins_with_nothing_every_time,
        "many": Contract.test_many_at_a_time_give_what_single_results_give,
        "runs": Contract.test_runs_give_what_a_loop_gives,
    }
    found = set()
    for word, test in words.items():
        Shared.state = [0, 0.0]
        try:
            test(Contract())
        except (AssertionError, TypeError):
            found.add(word)
    assert found == fails


def test_a_reducer_without_methods() -> None:
    class Contract(TestMean):
        def make(self) -> Any:
            return object()

    with pytest.raises(TypeError, match="start, add and merge"):
        Contract().test_has_the_methods()


def test_alike() -> None:
    pairs = [
        (1, 1.0 + 1e-12), (math.nan, math.nan), ([1, "a"], [1, "a"]), ({"a": 1.0}, {"a": 1}),
        (np.arange(3), np.arange(3)), (np.array([0.1]), np.array([0.1 + 1e-13])),
    ]  # fmt: skip
    assert all(alike(*pair) for pair in pairs)
    apart = [
        (1, 2), (1, math.nan), ([1], [1, 2]), ({"a": 1}, {"b": 1}), ("a", "b"),
        (np.arange(3), np.arange(4)), (np.array([0.1]), np.array([0.2])), (object(), 1),
    ]  # fmt: skip
    assert not any(alike(*pair) for pair in apart)
