# SPDX-License-Identifier: BSD-3-Clause
"""Memory of whole runs: this process and its workers together, on real workers of every engine."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from broadpeak import Task, engines, execute
from broadpeak._run.registry import create
from broadpeak.engines import WorkItem

ROOT = Path(__file__).resolve().parents[2]
MOST = 400  # MB, of 2 GB that pass through
ENGINES = engines.available()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.engine,
    pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads files of Linux"),
]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that measures a case in a process of its own."""
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setattr(sys, "path", list(sys.path))
    spawn = importlib.import_module("benchmarks.measuring").spawn

    def measure(engine: str, case: str) -> dict[str, float]:
        line = ["--child", "--engine", engine, "--case", case, "--workers", "2"]
        found: dict[str, float] = spawn("benchmarks.memory", *line)
        return found

    return measure


@pytest.mark.parametrize("case", ["tasks", "surprise", "results", "in_turn"])
@pytest.mark.parametrize("engine", ENGINES)
def test_large_tasks_and_results_pass_through(engine: str, case: str, measured: Any) -> None:
    found = measured(engine, case)
    assert found["peak"] < MOST, found


@pytest.mark.parametrize("engine", [one for one in ENGINES if one not in ("serial", "threadpool")])
def test_what_all_tasks_share_is_there_once_for_all_workers(engine: str, measured: Any) -> None:
    found = measured(engine, "shared")
    assert found["peak"] < 200 + 1.3 * 200, found  # the array of the caller, and that of workers


@pytest.mark.parametrize("engine", ENGINES)
def test_few_tasks_are_on_the_way(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million tasks are never a million futures."""
    kind = type(create(engine, 2))
    out: set[Any] = set()
    most = 0
    submit, wait = kind.submit, kind.wait

    def submit_counted(self: Any, item: WorkItem) -> Any:
        nonlocal most
        ticket = submit(self, item)
        if ticket is not None:
            out.add(ticket)
            most = max(most, len(out))
        return ticket

    def wait_counted(self: Any) -> Any:
        for ticket, answer in wait(self):
            out.discard(ticket)
            yield ticket, answer

    monkeypatch.setattr(kind, "submit", submit_counted)
    monkeypatch.setattr(kind, "wait", wait_counted)
    # With a time limit every task is a batch of its own.
    done = execute(
        (Task(np.abs, -number) for number in range(1000)), engine=engine, n_workers=2, timeout=60.0
    )
    assert done == list(range(1000))
    assert 1 <= most <= 4
    assert not out
