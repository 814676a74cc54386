# SPDX-License-Identifier: BSD-3-Clause
"""Whatever a cluster does to a run, its results are those of a loop, and its store holds them."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import GENTLE, HARSH, SimulatedEngine

import broadpeak as bp
from broadpeak import Outcome, Rep, Task, TaskError, execute
from broadpeak._run.calls import Calls
from broadpeak.testing import EngineContract

KINDS = ["in process", "asking", "placing"]
LARGE = np.arange(5_000.0)


class TestInProcess(EngineContract):
    """In whatever order batches end and reports come, and however often."""

    engine = SimulatedEngine
    engine_options: ClassVar = {"events": GENTLE, "kind": "in process", "seed": 5}
    in_process = True
    is_parallel = False


@pytest.mark.parametrize("kind", KINDS[1:], scope="class")
class TestPickled(EngineContract):
    """The same where batches cross to workers, which here never die."""

    engine = SimulatedEngine
    is_parallel = False

    @pytest.fixture(autouse=True)
    def _kind(self, kind: str) -> None:
        type(self).engine_options = {"events": GENTLE, "kind": kind, "seed": 7}

    def test_worker_that_dies(self) -> None:  # type: ignore[override]
        """That would be this process."""

    def test_results_are_reduced_where_they_are_computed(self) -> None:
        """That is this process."""

    def test_worker_that_dies_keeps_what_is_finished(self) -> None:  # type: ignore[override]
        """That would be this process."""


def seventh(array: Any, number: int) -> Any:
    return float(array[number]) / 7


@st.composite
def schedules(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "n_workers": draw(st.integers(1, 4)),
        "engine_options": {
            "seed": draw(st.integers(0, 2**32)),
            "kind": draw(st.sampled_from(KINDS)),
        },
        "distribute": draw(st.sampled_from(["tasks", "chunks"])),
        **draw(st.sampled_from([{}, {"chunk_len": 1}, {"chunk_len": 7}, {"n_chunks": 3}])),
        "warmup": draw(st.booleans()),
    }


def work_of(kind: str, n: int) -> Any:
    calls = Calls(seventh, (LARGE, None), varying={1: (range(n), range(n))})
    return {"calls": calls, "list": list(calls), "iterator": iter(list(calls))}[kind]


FORMS = st.sampled_from(["calls", "list", "iterator"])


@settings(max_examples=150)
@given(schedules(), FORMS, st.integers(0, 40), st.booleans())
def test_results_are_those_of_a_loop(
    schedule: dict[str, Any], form: str, n: int, is_kept: bool
) -> None:
    schedule["engine_options"]["events"] = GENTLE
    seen: list[float] = []
    if is_kept:
        schedule["keep"] = bp.top(5)
    else:
        schedule["post_chunk_kwargs"] = {"iterable": Rep("chunk_results")}
        schedule["post_chunk_func"] = lambda iterable: seen.extend(iterable)  # noqa: PLW0108
    found = execute(work_of(form, n), engine=SimulatedEngine, **schedule)
    expected = [number / 7 for number in range(n)]
    if is_kept:
        assert list(found) == list(execute(work_of("list", n), keep=bp.top(5)))
    else:
        assert found == expected
        assert seen == expected


@settings(max_examples=150)
@given(schedules(), FORMS, st.integers(1, 25), st.integers(0, 3))
def test_only_what_died_is_lost(schedule: dict[str, Any], form: str, n: int, retries: int) -> None:
    engine = SimulatedEngine(
        schedule.pop("n_workers"), events=HARSH, **schedule.pop("engine_options")
    )
    engines: list[SimulatedEngine] = []

    def make(n_workers: int) -> SimulatedEngine:
        engines.append(engine)
        return engine

    found = execute(work_of(form, n), engine=make, on_error="record", retries=retries, **schedule)
    assert len(found) == n
    for position, result in enumerate(found):
        if isinstance(result, Outcome):
            assert (result.index, result.status) == (position, "died")
            assert engine.died[position] > retries
        else:
            assert result == position / 7


@settings(max_examples=15)
@given(schedules(), st.integers(1, 25))
def test_a_store_holds_what_was_finished_before_the_end(schedule: dict[str, Any], n: int) -> None:
    """Runs that die are begun again until one comes to its end."""
    schedule["engine_options"]["events"] = (*GENTLE * 4, *HARSH)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "a.db"
        found: Any = None
        for _ in range(1000):
            schedule["engine_options"]["seed"] += 1
            before = rows_of(store)
            with suppress(TaskError):
                tasks = work_of("list", n)
                found = execute(tasks, engine=SimulatedEngine, store=store, **schedule)
                break
            after = rows_of(store)
            assert before.items() <= after.items()
        assert found == [number / 7 for number in range(n)]
        assert sorted(rows_of(store).values()) == found


def rows_of(store: Path) -> dict[int, float]:
    if not store.exists():
        return {}
    with bp.Store(store) as opened:
        if not len(opened.runs()):
            return {}
        trials = opened.trials(1)
        found = {} if trials.empty else dict(zip(trials["call"], trials["value"], strict=True))
    assert len(found) == len(trials)
    return found


def test_a_schedule_can_be_repeated() -> None:
    def events(seed: int) -> Counter[str]:
        seen: list[str] = []
        engine = SimulatedEngine(2, seed=random.Random(seed), point=seen.append)
        tasks = [Task(seventh, LARGE, number) for number in range(20)]
        execute(tasks, engine=lambda n_workers: engine, on_error="record", timeout=60.0)
        return Counter(enumerate(seen))

    assert events(1) == events(1) != events(2)
