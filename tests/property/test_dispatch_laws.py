# SPDX-License-Identifier: BSD-3-Clause
"""Whatever an engine does with batches, results are those of a loop over the tasks."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadpeak import EngineError, NoResult, Outcome, Rep, TaskError, execute
from broadpeak._run.batches import Batch, BatchResult, lost, run_batch
from broadpeak._run.calls import Calls
from broadpeak._run.taskqueue import TaskQueue
from broadpeak.errors import SkippedWarning


class HostileEngine:
    """Takes batches of any size, reports them in any order, some twice, and loses others."""

    def __init__(self, n_workers: int, seed: int, deadly: frozenset[int]) -> None:
        self.n_workers = n_workers
        self._random = random.Random(seed)
        self._deadly = deadly

    def run(self, queue: TaskQueue) -> Iterator[tuple[Batch, BatchResult]]:
        taken: list[Batch] = []
        reported: list[tuple[Batch, BatchResult]] = []
        while True:
            while reported and self._random.random() < 0.3:
                batch, result = self._random.choice(reported)
                died = lost("died", EngineError("gone long ago"))
                yield batch, self._random.choice([result, died, BatchResult(interrupted=True)])
            for _ in range(self._random.randint(1, 4)):
                batch = queue.take(self._random.randint(1, 5))
                if batch is not None:
                    taken.append(batch)
            if not taken:
                return
            self._random.shuffle(taken)
            batch = taken.pop()
            if self._deadly.intersection(batch.positions):
                result = lost("died", EngineError("gone"))
            else:
                result = run_batch(batch)
            if self._random.random() < 0.2:
                queue.put_back(batch)  # it was given up, and yet a report of it comes
                queue.put_back(batch)
                yield batch, result
                continue
            yield batch, result
            reported.append((batch, result))


def work(number: int, bad: frozenset[int], dropped: frozenset[int]) -> Any:
    if number in bad:
        msg = f"bad {number}"
        raise ValueError(msg)
    return NoResult if number in dropped else number * 10


def as_given(kind: str, n: int, bad: frozenset[int], dropped: frozenset[int]) -> Any:
    calls = Calls(work, (None, bad, dropped), varying={0: (range(n), range(n))})
    return {"calls": calls, "list": list(calls), "iterator": iter(list(calls))}[kind]


@st.composite
def runs(draw: st.DrawFn) -> dict[str, Any]:
    n = draw(st.integers(0, 25))
    some = st.frozensets(st.integers(0, max(n - 1, 0)), max_size=3)
    chunks: dict[str, Any] = draw(
        st.sampled_from([{}, {"chunk_len": 1}, {"chunk_len": 4}, {"n_chunks": 3}])
    )
    return {
        "n": n,
        "bad": draw(some),
        "dropped": draw(some),
        "deadly": draw(some),
        "seed": draw(st.integers(0, 10**6)),
        "kind": draw(st.sampled_from(["calls", "list", "iterator"])),
        "options": {
            **chunks,
            "warmup": draw(st.booleans()),
            "retries": draw(st.integers(0, 2)),
            "distribute": draw(st.sampled_from(["tasks", "chunks"])),
        },
    }


@settings(max_examples=300)
@given(runs())
def test_results_are_those_of_a_loop(case: dict[str, Any]) -> None:
    n, bad, dropped, deadly = case["n"], case["bad"], case["dropped"], case["deadly"]
    closed: list[tuple[int, list[int]]] = []
    outcomes = execute(
        as_given(case["kind"], n, bad, dropped),
        engine=HostileEngine(3, case["seed"], deadly),
        on_error="record",
        raise_no_results=False,
        post_chunk_func=lambda number, meta: closed.append((number, meta)),
        post_chunk_kwargs={"number": Rep("chunk_idx"), "meta": Rep("chunk_meta")},
        **case["options"],
    )
    assert [number for number, _ in closed] == list(range(len(closed)))
    assert [place for _, meta in closed for place in meta] == list(range(n))
    lost_places = set(deadly)
    if case["options"]["distribute"] == "chunks":
        # The first task of a run that warms up is dispatched alone.
        cut = [meta for _, meta in closed]
        if case["options"]["warmup"] and cut and cut[0]:
            cut = [cut[0][:1], cut[0][1:], *cut[1:]]
        lost_places = {place for meta in cut if deadly.intersection(meta) for place in meta}
    expected = []
    for place in range(n):
        if place in lost_places:
            expected.append((place, "died"))
        elif place in bad:
            expected.append((place, "failed"))
        elif place not in dropped:
            expected.append(place * 10)
    found = [] if outcomes is NoResult else outcomes
    assert [(o.index, o.status) if isinstance(o, Outcome) else o for o in found] == expected


@settings(max_examples=200)
@given(runs())
def test_the_error_is_that_of_a_loop(case: dict[str, Any]) -> None:
    n, bad, dropped = case["n"], case["bad"], case["dropped"]
    engine = HostileEngine(3, case["seed"], frozenset())

    def call(**options: Any) -> Any:
        tasks = as_given(case["kind"], n, bad, dropped)
        return execute(tasks, raise_no_results=False, **case["options"], **options)

    places = sorted(place for place in bad if place < n)
    if places:
        with pytest.raises(TaskError, match=f"bad {places[0]}") as caught:
            call(engine=engine)
        assert caught.value.index == places[0]
    else:
        assert call(engine=engine) == call()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkippedWarning)
        skipped = call(engine=HostileEngine(3, case["seed"], frozenset()), on_error="skip")
        assert skipped == call(on_error="skip")
