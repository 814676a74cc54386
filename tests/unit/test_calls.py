# SPDX-License-Identifier: BSD-3-Clause
"""Task and Calls: one call, and many calls by column."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from broadpeak._run.calls import Calls, Task
from broadpeak.errors import ParamError


def describe(*args: object, **kwargs: object) -> tuple[tuple[object, ...], dict[str, object]]:
    return args, kwargs


def test_task_repr_fits_a_line() -> None:
    text = repr(Task(describe, np.zeros((1000, 3)), "x" * 500, name=list(range(1000))))
    assert "\n" not in text
    assert len(text) <= 100
    assert text.startswith("Task(describe, ")


def test_task_compares_by_content_and_survives_pickling() -> None:
    task = Task(describe, 1, two=2)
    assert pickle.loads(pickle.dumps(task)) == task
    assert task != Task(describe, 1, two=3)
    assert task != "task"


def test_task_takes_arguments_named_like_its_own() -> None:
    assert Task(describe, func=1, self=2)() == ((), {"func": 1, "self": 2})


@pytest.mark.parametrize("make", [lambda: Task(3), lambda: Calls(3, n=1)], ids=["Task", "Calls"])
def test_what_cannot_be_called_is_refused(make: object) -> None:
    with pytest.raises(TypeError, match="func must be callable, got 3"):
        make()


CASES = {
    "positions": Calls(describe, varying={0: ("ab", [0, 1, 1]), 1: ((5, 6), [1, 0, 1])}),
    "constant first": Calls(describe, ("c", None), varying={1: (range(9), [8, 0, 4])}),
    "constant last": Calls(describe, (None, "c"), varying={0: (range(9), [8, 0, 4])}),
    "names": Calls(describe, ("c",), {"k": 1}, varying={"v": ([7, 8], [1, 0, 0])}),
    "both": Calls(describe, (), {"k": 1}, varying={"v": ([7, 8], [1, 0, 0]), 0: ("xy", [0, 1, 0])}),
    "constant names": Calls(describe, (), {"k": 1}, varying={0: ("xy", [0, 1, 0])}),
    "nothing varies": Calls(describe, (1,), {"k": 2}, n=3),
    "no argument": Calls(describe, n=3),
    "empty": Calls(describe, varying={0: ([], [])}),
    "unused values": Calls(describe, varying={0: (range(10**12), [10**11, 3, 10**11])}),
}


@pytest.mark.parametrize("name", CASES)
def test_calls_are_a_sequence_of_tasks(name: str) -> None:
    calls = CASES[name]
    tasks = [calls[place] for place in range(len(calls))]
    assert list(calls) == tasks
    assert list(calls.results()) == [task() for task in tasks]
    assert list(calls[1:]) == tasks[1:]
    assert list(calls[::-2]) == tasks[::-2]
    assert list(pickle.loads(pickle.dumps(calls))) == tasks
    assert list(pickle.loads(pickle.dumps(calls[1:2]))) == tasks[1:2]
    if tasks:
        assert calls[-1] == tasks[-1]
        assert list(calls.pick([2, 0])) == [tasks[2], tasks[0]]
        assert list(calls.pick([2, 0]).results()) == [tasks[2](), tasks[0]()]
    with pytest.raises(IndexError, match="range"):
        calls[len(calls)]


def test_a_slice_carries_only_the_values_it_uses() -> None:
    arrays = [np.full(10_000, number) for number in range(20)]
    calls = Calls(describe, varying={0: (arrays, np.repeat(np.arange(20), 50))})
    assert len(pickle.dumps(calls[100:200])) < 2 * 80_000 + 2_000


def test_a_million_calls_are_cheap_to_hold_and_slice() -> None:
    codes = np.arange(1_000_000)
    calls = Calls(describe, varying={0: (range(1_000_000), codes)})
    assert calls[500_000:][3] == Task(describe, 500_003)
    assert len(pickle.dumps(calls[:1000])) < 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give one number of calls"),
        ({"varying": {0: ([1], [0, 0]), 1: ([1], [0])}}, "give one number of calls"),
        ({"varying": {0: ([1], [0])}, "n": 2}, "give one number of calls"),
        ({"varying": {0: ([1], [1])}}, "have codes from 0 to 0"),
        ({"varying": {0: ([1], [-1])}}, "have codes from 0 to 0"),
        ({"varying": {2: ([1], [0])}}, "leave no position open"),
        ({"varying": {0: ([1], [[0]])}}, "have one code a call"),
    ],
)
def test_columns_that_do_not_fit_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ParamError, match=message):
        Calls(describe, **arguments)


def test_results_go_on_after_a_call_that_raised() -> None:
    results = Calls(divmod, (12, None), varying={1: (range(4), range(4))}).results()
    with pytest.raises(ZeroDivisionError, match="zero"):
        next(results)
    assert list(results) == [(12, 0), (6, 0), (4, 0)]
