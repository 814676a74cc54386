# SPDX-License-Identifier: BSD-3-Clause
"""The promise of the store, against drivers that are killed or stopped anywhere, on a bad cluster.

A result that was reported is never lost. It is recorded exactly once. What is finished is not run
again, what nobody disturbs is run once, and the answer is always the same to the byte.
"""

from __future__ import annotations

import importlib
import random
import struct
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from simulated import GENTLE, HARSH, Driver, SimulatedEngine, forget_all, take_turns

import broadpeak as bp
from broadpeak import Outcome, Rep, Task, TaskError, execute


def first(number: int) -> float:
    importlib.import_module("simulated").RAN.append(("first", number))
    return number / 7


def second(number: int) -> list[float]:
    importlib.import_module("simulated").RAN.append(("second", number))
    return [number / 3, number / 11]


def other(number: int) -> float:
    importlib.import_module("simulated").RAN.append(("other", number))
    return -number / 7


def third(number: int) -> float:
    importlib.import_module("simulated").RAN.append(("third", number))
    return (number * 7 % 12) / 7


def fourth(number: int) -> float:
    importlib.import_module("simulated").RAN.append(("fourth", number))
    return (number * 5 % 14) / 3


@dataclass(frozen=True)
class Call:
    """One call: which function, on which numbers, and what is kept."""

    func: Any
    numbers: range
    key: str
    keep: Any = None

    @property
    def items(self) -> list[tuple[str, int]]:
        return [(self.func.__name__, number) for number in self.numbers]

    @property
    def expected(self) -> list[Any]:
        ran = importlib.import_module("simulated").RAN
        before = len(ran)
        values: Any = [self.func(number) for number in self.numbers]
        del ran[before:]
        if self.keep is not None:
            tasks = [Task(float, value) for value in values]
            values = execute(tasks, keys=pd.Index(self.numbers, name="x"), keep=self.keep)
        return values


CALLS = (
    Call(first, range(12), "1"),
    Call(first, range(6, 20), "1"),  # shares some of its results with the one before
    Call(second, range(9), "1"),
    Call(other, range(12), "1"),
    Call(third, range(16), "1", bp.top(3)),
    Call(fourth, range(12), "1", bp.histogram(5, range=(0.0, 5.0))),
)


@dataclass
class Plan:
    """How a driver makes a call, and what becomes of it."""

    call: Call
    options: dict[str, Any]
    engine: dict[str, Any]
    kill_at: int | None = None
    stall_at: int | None = None
    reported: list[tuple[str, int]] = field(default_factory=list)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing of it may be run twice."""
        return self.kill_at is None and self.stall_at is None and self.engine["events"] is GENTLE


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    is_harsh = draw(st.booleans())
    moment = st.none() | st.integers(1, 80)
    return Plan(
        call=draw(st.sampled_from(CALLS)),
        options={
            "n_workers": draw(st.integers(1, 3)),
            "distribute": draw(st.sampled_from(["tasks", "chunks"])),
            "chunk_len": draw(st.sampled_from([1, 3, 5, 100])),
            "retries": draw(st.sampled_from([0, 2])),
            "on_error": draw(st.sampled_from(["raise", "record"])),
        },
        engine={
            "seed": draw(st.integers(0, 2**32)),
            "events": (*GENTLE, *GENTLE, *HARSH) if is_harsh else GENTLE,
            "kind": draw(st.sampled_from(["in process", "asking", "placing"])),
        },
        kill_at=draw(moment),
        stall_at=draw(moment),
    )


class StoreMachine(RuleBasedStateMachine):
    """Drivers come and go; what is known of the store only grows."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "a.db"
        self.known: dict[tuple[str, int], bytes] = {}

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(
        some=st.lists(plans(), min_size=1, max_size=3),
        share=st.booleans(),
        seed=st.integers(0, 2**32),
    )
    def drive(self, some: list[Plan], share: bool, seed: int) -> None:
        """Let some drivers work at a time, in turns."""
        for plan in some if share else ():
            plan.call = some[0].call
        ran = importlib.import_module("simulated").RAN
        ran.clear()
        drivers = [
            Driver(lambda driver, plan=plan: self.work(driver, plan), plan.kill_at, plan.stall_at)
            for plan in some
        ]
        take_turns(drivers, random.Random(seed))
        before, self.known = self.known, self.rows()
        assert before.items() <= self.known.items()
        times = Counter(ran)
        note(f"ended: {[(one.is_dead, one.states[-1:], repr(one.error)) for one in drivers]}")
        again = set(times) & set(before)
        assert not again, f"ran again: {again}"
        disturbed = [plan.call.items for plan in some if not plan.is_quiet]
        for item in set(times).difference(*disturbed):
            assert times[item] == 1
        for plan, driver in zip(some, drivers, strict=True):
            assert set(plan.reported) <= set(self.known)
            if driver.is_dead:
                assert plan.kill_at is not None
            elif driver.error is not None:
                assert isinstance(driver.error, TaskError), driver.error
                assert "lost its worker" in str(driver.error)
            else:
                self.check(plan, driver.result)

    @rule(
        some=st.lists(plans(), min_size=2, max_size=3),
        share=st.booleans(),
        seed=st.integers(0, 2**32),
    )
    def drive_undisturbed(self, some: list[Plan], share: bool, seed: int) -> None:
        """Let some drivers work that nobody kills or stops, on clusters that lose nothing."""
        for plan in some:
            plan.kill_at = plan.stall_at = None
            plan.engine["events"] = GENTLE
        self.drive(some, share, seed)

    def work(self, driver: Driver, plan: Plan) -> Any:
        """Make one run, as one process."""

        def report(positions: Sequence[int], results: Sequence[object]) -> None:
            items = plan.call.items
            for position, result in zip(positions, results, strict=True):
                if not isinstance(result, Outcome):
                    plan.reported.append(items[position])
            driver.point("reported")

        def merged(results: Any) -> Any:
            driver.point("merged")
            return results

        options = dict(plan.options)
        if plan.call.keep is not None:
            options["on_error"] = "raise"
        store = bp.Store(self.path)
        try:
            return execute(
                [Task(plan.call.func, number) for number in plan.call.numbers],
                keys=pd.Index(plan.call.numbers, name="x"),
                engine=SimulatedEngine,
                engine_options={**plan.engine, "point": driver.point},
                store=store,
                store_key=plan.call.key,
                post_chunk_func=report,
                post_chunk_kwargs={
                    "positions": Rep("chunk_meta"),
                    "results": Rep("chunk_results"),
                },
                keep=plan.call.keep,
                merge_func=merged if plan.call.keep is None else None,
                **options,
            )
        finally:
            store.close()

    def check(self, plan: Plan, result: Any) -> None:
        """Compare what a run returned with what a loop does."""
        if plan.call.keep is not None:
            assert packed(result) == packed(plan.call.expected)
            assert set(plan.call.items) <= set(self.known)
            return
        assert len(result) == len(plan.call.numbers)
        for item, value, expected in zip(plan.call.items, result, plan.call.expected, strict=True):
            if isinstance(value, Outcome):
                assert value.status == "died"
                assert plan.options["on_error"] == "record"
                assert plan.engine["events"] is not GENTLE
            else:
                assert packed(value) == packed(expected)
                assert item in self.known

    def rows(self) -> dict[tuple[str, int], bytes]:
        """Return all that the store holds, as a process sees it that comes anew."""
        forget_all()
        found: dict[tuple[str, int], bytes] = {}
        with bp.Store(self.path) as store:
            runs = store.runs()
            assert runs["name"].is_unique
            for run in runs.itertuples():
                if not run.trials:
                    continue
                name = run.name.rpartition(".")[2]
                if getattr(run, "keep", None):
                    done = store.kept_run(run.run).done()
                    assert len(done) == run.trials
                    found.update(dict.fromkeys(((name, number) for number in done), b"kept"))
                    store.trials(run.run)
                    continue
                trials = store.trials(run.run)
                assert len(trials) == run.trials
                for number, value in zip(trials["x"], trials["value"], strict=True):
                    assert (name, number) not in found
                    found[name, number] = packed(value)
        return found

    @invariant()
    def values_are_those_of_a_loop(self) -> None:
        for call in CALLS:
            if call.keep is not None:
                continue
            for item, value in zip(call.items, call.expected, strict=True):
                if item in getattr(self, "known", {}):
                    assert self.known[item] == packed(value)

    @rule(call=st.sampled_from(CALLS))
    def end(self, call: Call) -> None:
        """At last nothing goes wrong: only what is missing is run, each once."""
        ran = importlib.import_module("simulated").RAN
        ran.clear()
        forget_all()

        def work(driver: Driver) -> Any:
            del driver
            return execute(
                [Task(call.func, number) for number in call.numbers],
                keys=pd.Index(call.numbers, name="x"),
                store=self.path,
                store_key=call.key,
                keep=call.keep,
            )

        driver = Driver(work)
        take_turns([driver], random.Random(0))
        assert driver.error is None
        found = driver.result
        assert packed(found) == packed(call.expected)
        missing = set(call.items).difference(self.known)
        assert Counter(ran) == Counter(missing)
        self.known = self.rows()
        assert set(call.items) <= set(self.known)


def packed(value: Any) -> bytes:
    """Return the bytes of a result, or of what is kept of many."""
    if isinstance(value, pd.Series):
        return value.index.to_numpy().tobytes() + value.to_numpy().tobytes()
    if hasattr(value, "counts"):
        return value.counts.tobytes() + value.edges.tobytes()
    if isinstance(value, list):
        return b"".join(map(packed, value)) + bytes([len(value)])
    return struct.pack("<d", value)


StoreMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=8)
TestStoreMachine = StoreMachine.TestCase


@pytest.mark.slow
class TestMoreOfIt(StoreMachine.TestCase):
    settings = settings(max_examples=60, stateful_step_count=15)
