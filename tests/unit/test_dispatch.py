# SPDX-License-Identifier: BSD-3-Clause
"""The dispatch loop: how much is on the way, what waits, what runs again, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from typing import Any, ClassVar

import numpy as np
import pytest

from broadpeak import Rep, Task, execute
from broadpeak._run import dispatch
from broadpeak._run.chunks import Chunk
from broadpeak._run.engines.threadpool import ThreadEngine
from broadpeak._run.remote import serve
from broadpeak._run.taskqueue import TaskQueue
from broadpeak.engines import NOT_BEGUN, FutureEngine, WorkItem


class ScriptedEngine(FutureEngine):
    """Ends one batch at a time, the first that was submitted, and notes what the loop did."""

    def __init__(self, n_workers: int = 2, seconds: float = 0.001) -> None:
        super().__init__(n_workers)
        self.seconds = seconds
        self.held: list[WorkItem] = []
        self.most = 0
        self.large_ahead = 0
        self.ends: list[bool] = []
        self.starts = 0
        self.refused = 0
        self.unbegun = 0
        self.breaks_at: frozenset[int] = frozenset()
        self.together: list[int] = []  # how many were on the way whenever it broke

    def start(self) -> None:
        self.starts += 1
        self.held = []

    def submit(self, item: WorkItem) -> Any:
        if self.refused:
            self.refused -= 1
            return None
        if len(self.held) >= self.n_workers:
            self.large_ahead = max(self.large_ahead, len(item.payload))
        self.held.append(item)
        self.most = max(self.most, len(self.held))
        return id(item.batch)

    def wait(self) -> Iterator[tuple[Any, Any]]:
        item = self.held.pop(0)
        if self.unbegun:
            self.unbegun -= 1
            yield id(item.batch), NOT_BEGUN
        elif self.breaks_at.intersection(item.batch.positions):
            self.together.append(1 + len(self.held))
            yield id(item.batch), BrokenProcessPool("gone")
        else:
            yield id(item.batch), bytes(serve([item.payload], item.objects))

    def close(self, *, abandoned: bool) -> None:
        self.ends.append(abandoned)


def queue_of(tasks: list[Task]) -> TaskQueue:
    return TaskQueue(tasks, [Chunk(0, range(len(tasks)))], n_tasks=len(tasks), single=True)


def drain(engine: FutureEngine, queue: TaskQueue) -> list[tuple[list[int], Any]]:
    seen = []
    for batch, result in engine.run(queue):
        queue.finish(batch, len(batch))
        seen.append((list(batch.positions), result.values if result.status == "ok" else "died"))
    return seen


@pytest.mark.parametrize(("seconds", "most"), [(0.001, 4), (1.0, 2)])
def test_short_batches_go_out_one_ahead(
    seconds: float, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        dispatch.BatchSizes, "record", lambda sizes, *_: setattr(sizes, "seconds", seconds)
    )
    engine = ScriptedEngine()
    assert len(drain(engine, queue_of([Task(abs, -n) for n in range(20)]))) == 20
    assert engine.most == most
    assert engine.ends == [False]


def test_large_batches_wait_until_a_worker_is_free() -> None:
    engine = ScriptedEngine()
    tasks = [Task(np.sum, np.full(20_000, float(n))) for n in range(12)]  # 160 kB each
    results = drain(engine, queue_of(tasks))
    assert [values for _, values in results] == [[20_000.0 * n] for n in range(12)]
    assert engine.most == 2
    assert engine.large_ahead == 0


def test_what_finds_no_room_or_no_worker_comes_again() -> None:
    engine = ScriptedEngine()
    queue = queue_of([Task(abs, -n) for n in range(9)])
    engine.unbegun = 3
    taken = drain(engine, queue)
    assert sorted(taken) == [([n], [n]) for n in range(9)]
    engine = ScriptedEngine(n_workers=1)
    tickets = iter([True])
    submit = engine.submit
    engine.submit = lambda item: submit(item) if next(tickets, False) or not engine.held else None  # type: ignore[method-assign]
    assert drain(engine, queue_of([Task(abs, -n) for n in range(9)])) == [
        ([n], [n]) for n in range(9)
    ]
    assert engine.most == 1


@pytest.mark.parametrize("bad", [{0}, {3}, {8}, {2, 3}, set(range(9))], ids=repr)
def test_the_batch_that_breaks_an_executor_is_found(bad: set[int]) -> None:
    engine = ScriptedEngine()
    engine.breaks_at = frozenset(bad)
    taken = drain(engine, queue_of([Task(abs, -n) for n in range(9)]))
    assert sorted(taken, key=lambda one: one[0]) == [
        ([n], "died" if n in bad else [n]) for n in range(9)
    ]
    # One by one: each of them broke it alone at last, and was the only one that did.
    assert engine.together.count(1) >= len(bad)
    assert engine.starts == len(engine.ends) == 1 + len(engine.together)
    assert engine.ends == [True] * len(engine.together) + [False]


def test_what_is_on_the_way_is_abandoned_when_nobody_wants_more() -> None:
    engine = ScriptedEngine()
    queue = queue_of([Task(abs, -n) for n in range(9)])
    with closing(engine.run(queue)) as results:
        next(results)
    assert engine.ends == [True]


def test_an_exception_of_an_executor_ends_the_run() -> None:
    class FaultyEngine(ScriptedEngine):
        def wait(self) -> Iterator[tuple[Any, Any]]:
            yield id(self.held[0].batch), KeyboardInterrupt()

    engine = FaultyEngine()
    with pytest.raises(KeyboardInterrupt):
        drain(engine, queue_of([Task(abs, -n) for n in range(9)]))
    assert engine.ends == [True]


def nested(engine: Any, depth: int) -> list[Any]:
    task = Task(nested, engine, depth - 1) if depth else Task(abs, -1)
    results: list[Any] = execute([task, task], engine=engine)
    return results


def test_one_engine_serves_runs_inside_of_runs() -> None:
    """Each run has a copy of an engine that was made before."""
    for engine in (dispatch.SerialEngine(), ThreadEngine(2)):
        assert nested(engine, 2) == [[[1, 1], [1, 1]], [[1, 1], [1, 1]]]
    made = execute([Task(abs, -1)], engine=ScriptedEngine())
    assert made == [1]


class _CountingEngine(ThreadEngine):
    """An engine that joins workers of its own number."""

    counts_workers = True
    got: ClassVar[list[int | None]] = []

    def __init__(self, n_workers: int | None, here: int = 5) -> None:
        super().__init__(here if n_workers is None else n_workers)
        self.got.append(n_workers)


def test_an_engine_may_count_its_workers_itself() -> None:
    seen: list[int] = []
    options: dict[str, Any] = {
        "engine": _CountingEngine,
        "distribute": "chunks",
        "pre_chunk_func": lambda meta: seen.append(len(meta)),
        "pre_chunk_kwargs": {"meta": Rep("chunk_meta")},
    }
    tasks = [Task(abs, -number) for number in range(20)]
    _CountingEngine.got.clear()
    assert execute(tasks, **options) == list(range(20))
    assert seen == [4] * 5
    seen.clear()
    execute(tasks, n_workers=2, **options)
    assert seen == [10] * 2
    assert _CountingEngine.got == [None, 2]
