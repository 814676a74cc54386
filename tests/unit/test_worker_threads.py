# SPDX-License-Identifier: BSD-3-Clause
"""Numeric libraries in workers have one thread, or as many as the user says, on every engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from multiprocessing import get_context
from typing import Any, ClassVar

import numba
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from broadpeak import Task, execute
from broadpeak._run.starting import environment
from broadpeak.engines import FutureEngine, WorkItem, nesting, run_remotely

VARIABLES = [
    f"{name}_NUM_THREADS"
    for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMBA", "NUMEXPR", "LOKY_MAX_CPU")
]
pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]
ROWS = {
    "processpool": ["fresh", "fork", "spawn", "forkserver"],
    "pathos": ["fork", "spawn", "forkserver"],
    "mpire": ["fork", "spawn", "forkserver"],
    "joblib": ["loky"],
    "dask": [""],
    "ray": [""],
}
QUICK = {("processpool", "fresh"), ("processpool", "fork"), ("mpire", "fork"), ("joblib", "loky")}
OPTION = {"joblib": "backend"}
rows = pytest.mark.parametrize(
    ("engine", "method"),
    [
        pytest.param(engine, method, marks=[] if (engine, method) in QUICK else pytest.mark.slow)
        for engine, methods in ROWS.items()
        for method in methods
    ],
)


@pytest.fixture(autouse=True)
def four_threads_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the libraries of this process have more threads than any worker is to have."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with threadpool_limits(4):
        yield


def library_threads(_: int = 0) -> dict[str, int]:
    np.dot(np.ones((8, 8)), np.ones((8, 8)))
    found = {info["internal_api"]: info["num_threads"] for info in threadpool_info()}
    return {**found, "numba": numba.get_num_threads()}


def measured(engine: Any, method: str, **options: Any) -> list[dict[str, int]]:
    if method:
        options[OPTION.get(engine, "start_method")] = method
    tasks = [Task(library_threads, number) for number in range(4)]
    return list(execute(tasks, engine=engine, n_workers=2, engine_options=options))


@rows
def test_a_worker_has_one_thread(engine: str, method: str) -> None:
    assert library_threads()["openblas"] == 4
    for found in measured(engine, method):
        assert set(found.values()) == {1}, found
    assert library_threads()["openblas"] == 4


@rows
def test_a_worker_has_what_the_environment_says(
    engine: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine in {"joblib", "ray"}:
        pytest.skip("has rules of its own, by the number of workers or of CPUs a task")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    for found in measured(engine, method):
        # A library that starts with the number takes no more than there are cores.
        assert found["openblas"] in {3, min(3, os.cpu_count() or 1)}
        assert found["numba"] == (min(3, numba.config.NUMBA_NUM_THREADS) if method == "fork" else 3)
    if engine != "dask":
        for found in measured(engine, method, threads_per_worker=2):
            assert found["openblas"] == 2


class OthersEngine(FutureEngine):
    """An executor of somebody else, whose workers have loaded everything."""

    files = False

    def executor_of(self, n_workers: int) -> Executor:
        return ProcessPoolExecutor(n_workers, mp_context=get_context("fork"))

    def start(self) -> None:
        self.executor = self.executor_of(self.n_workers)
        self.futures: set[Future[bytes]] = set()

    def submit(self, item: WorkItem) -> Future[bytes]:
        future = self.executor.submit(run_remotely, item.payload, nesting.get())
        self.futures.add(future)
        return future

    def wait(self) -> list[tuple[Any, Any]]:
        done, self.futures = wait(self.futures, return_when="FIRST_COMPLETED")
        return [(future, future.exception() or future.result()) for future in done]

    def close(self, *, abandoned: bool) -> None:
        self.executor.shutdown()


class OthersThreads(OthersEngine):
    """The same in this process, as a cluster may be, too."""

    pids: ClassVar[list[int]] = []

    def executor_of(self, n_workers: int) -> Executor:
        return ThreadPoolExecutor(n_workers)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_workers_of_third_parties_are_limited() -> None:
    for found in measured(OthersEngine, ""):
        assert set(found.values()) == {1}, found


def test_libraries_of_this_process_are_the_user_s() -> None:
    library_threads()  # Numba loads OpenMP
    before = library_threads()
    for found in measured(OthersThreads, ""):
        assert found["openblas"] == before["openblas"]
        assert found["numba"] == before["numba"]
    assert library_threads() == before
    assert "OMP_NUM_THREADS" not in os.environ


NUMBA_PROGRAM = """
import sys
import numba
import numpy as np
import broadpeak as bp

@numba.njit
def total(x):
    return x.sum()

def work(n):
    return total(np.arange(float(n))), numba.get_num_threads()

if "launched" in sys.argv:
    numba.get_num_threads()
tasks = [bp.Task(work, n) for n in (3, 5)]
for engine, method in [("processpool", "fork"), ("pathos", "fork"), ("mpire", "fork")]:
    options = {"start_method": method}
    found = bp.execute(tasks, engine=engine, n_workers=2, engine_options=options)
    assert found == [(3.0, 1), (10.0, 1)], found
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
@pytest.mark.parametrize("when", ["launched", "later"])
def test_a_fork_compiles_whether_its_parent_had_threads_of_numba_or_not(when: str) -> None:
    variables = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", NUMBA_PROGRAM, when]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_a_start_leaves_numba_s_variable_alone() -> None:
    library_threads()  # from here on it refuses to compile where the variable says something else
    with environment({"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}):
        assert os.environ["OMP_NUM_THREADS"] == "1"
        assert "NUMBA_NUM_THREADS" not in os.environ
    assert "OMP_NUM_THREADS" not in os.environ
