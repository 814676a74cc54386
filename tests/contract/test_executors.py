# SPDX-License-Identifier: BSD-3-Clause
"""Engines of third parties: an executor in a dozen lines keeps the contract of all engines.

The executors here are those of the standard library. They stand for clusters: workers do not see
the files of this machine, and what many batches refer to must still cross once a worker.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import Any, ClassVar

import numpy as np
import pytest

from broadpeak import Task, execute
from broadpeak._run.calls import Calls
from broadpeak.engines import FutureEngine, WorkItem, nesting, run_remotely
from broadpeak.testing import EngineContract


class ClusterEngine(FutureEngine):
    """Processes without files to share: a worker asks for what it has not got."""

    files = False
    n_bytes: ClassVar[list[int]] = []

    def start(self) -> None:
        self.executor = ProcessPoolExecutor(self.n_workers, mp_context=get_context("fork"))
        self.futures: set[Future[bytes]] = set()

    def submit(self, item: WorkItem) -> Future[bytes]:
        self.n_bytes.append(len(item.payload))
        tokens, data = tuple(item.objects), self.fetched(item.objects)
        future = self.executor.submit(
            run_remotely, item.payload, nesting.get(), sys.path[:], tokens, *data
        )
        self.futures.add(future)
        return future

    def fetched(self, objects: dict[Any, Any]) -> list[bytes]:
        return []

    def wait(self) -> list[tuple[Any, Any]]:
        done, self.futures = wait(self.futures, return_when=FIRST_COMPLETED)
        return [(future, future.exception() or future.result()) for future in done]

    def close(self, *, abandoned: bool) -> None:
        workers = list((self.executor._processes or {}).values())
        self.executor.shutdown(wait=not abandoned, cancel_futures=True)
        for worker in workers if abandoned else ():
            worker.kill()
            worker.join()


class StoreEngine(ClusterEngine):
    """The same with a place for what batches share, as Dask and Ray have one."""

    n_put: ClassVar[list[int]] = []

    def start(self) -> None:
        super().start()
        self.stored: dict[int, bytes] = getattr(self, "stored", {})

    def put(self, data: bytes) -> int:
        self.n_put.append(len(data))
        self.stored[len(self.stored)] = data
        return len(self.stored) - 1

    def fetched(self, objects: dict[Any, Any]) -> list[bytes]:
        return [self.stored[reference] for reference in objects.values()]


@pytest.mark.engine
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
class TestCluster(EngineContract):
    engine = ClusterEngine


@pytest.mark.engine
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
class TestStore(EngineContract):
    engine = StoreEngine


LARGE = np.arange(2_000_000.0)  # 16 MB


def look(array: np.ndarray, place: int, pause: int) -> tuple[float, int]:
    array[0] = 0.0  # its own copy, to be written to
    return float(array[place]), os.getpid()


def shared_work(kind: str) -> Any:
    if kind == "calls":
        return Calls(look, (LARGE, None, 0), varying={1: (range(40), range(40))})
    return [Task(look, LARGE, place, 0) for place in range(40)]


@pytest.mark.engine
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("kind", ["calls", "tasks"])
def test_what_batches_share_crosses_once_a_worker(kind: str) -> None:
    ClusterEngine.n_bytes.clear()
    results = execute(shared_work(kind), engine=ClusterEngine, n_workers=2, timeout=60)
    assert [value for value, _ in results] == [float(place) for place in range(40)]
    full = [size for size in ClusterEngine.n_bytes if size > LARGE.nbytes]
    # A task that is the first to show an array carries it, too; and two batches that are before
    # one worker may both find it empty-handed.
    assert len(full) <= 5
    assert sum(ClusterEngine.n_bytes) - sum(full) < 200_000
    assert len(ClusterEngine.n_bytes) >= 40


@pytest.mark.engine
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_what_batches_share_is_put_once() -> None:
    ClusterEngine.n_bytes.clear()
    StoreEngine.n_put.clear()
    results = execute(shared_work("calls"), engine=StoreEngine, n_workers=2, timeout=60)
    assert [value for value, _ in results] == [float(place) for place in range(40)]
    assert [size // LARGE.nbytes for size in StoreEngine.n_put] == [1]
    assert sum(ClusterEngine.n_bytes) < 100_000
