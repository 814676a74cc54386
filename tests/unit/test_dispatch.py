# SPDX-License-Identifier: BSD-3-Clause
"""The dispatch loop: how much is on the way, what waits, what runs again, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from typing import Any, ClassVar

import numpy as np
import pytest

import broadpeak as bp
from broadpeak import EngineError, Rep, Task, execute
from broadpeak._run import dispatch
from broadpeak._run.batches import Batch, BatchResult, lost, run_batch
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


@pytest.mark.parametrize(
    ("seconds", "ahead", "most"), [(0.001, 1, 4), (0.001, 3, 8), (0.001, 0, 2), (1.0, 3, 2)]
)
def test_short_batches_go_out_ahead(
    seconds: float, ahead: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        dispatch.BatchSizes, "record", lambda sizes, *_: setattr(sizes, "seconds", seconds)
    )
    engine = ScriptedEngine()
    engine.ahead = ahead
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


class RepeatingEngine(ScriptedEngine):
    """Reports again what it has reported before, as what `repeats` says, beside what is new."""

    repeats: Any = None

    def submit(self, item: WorkItem) -> Any:
        super().submit(item)
        return id(item)  # items of the run are held below, so that no two tickets are equal

    def wait(self) -> Iterator[tuple[Any, Any]]:
        self.all = [*getattr(self, "all", []), *self.held]
        item = self.held.pop(0)
        payload = item.payload
        for old in self.all:
            if old not in self.held and old is not item:
                yield id(old), self.repeats or bytes(serve([old.payload], old.objects))
        answer = bytes(serve([payload], item.objects))
        yield id(item), answer
        yield id(item), self.repeats or answer


@pytest.mark.parametrize(
    "repeats",
    [
        None,
        NOT_BEGUN,
        b"",
        b"no pickle",
        BrokenExecutor("gone"),
        KeyboardInterrupt(),
        BatchResult(interrupted=True),
        lost("died", EngineError("gone")),
    ],
    ids=repr,
)
def test_a_second_report_of_an_executor_is_ignored(repeats: Any) -> None:
    engine = RepeatingEngine()
    engine.repeats = repeats
    taken = drain(engine, queue_of([Task(abs, -n) for n in range(9)]))
    assert taken == [([n], [n]) for n in range(9)]
    assert engine.starts == 1


class OwnLoop:
    """An engine that is no `FutureEngine`: it does with its batches what `reports` says."""

    n_workers = 2

    def __init__(self, reports: Any, n_taken: int = 100) -> None:
        self.reports = reports
        self.n_taken = n_taken

    def run(self, queue: TaskQueue) -> Iterator[tuple[Batch, BatchResult]]:
        while self.n_taken and (batch := queue.take()) is not None:
            self.n_taken -= 1
            yield from self.reports(batch)


def twice(batch: Batch) -> Sequence[tuple[Batch, BatchResult]]:
    done = batch, run_batch(batch)
    return [done, (batch, BatchResult([99])), (batch, lost("died", EngineError("gone"))), done]


@pytest.mark.parametrize("kind", ["list", "iterator", "store", "keep", "retries", "callback"])
def test_a_batch_counts_once_however_often_it_is_reported(kind: str, tmp_path: Any) -> None:
    engine = OwnLoop(twice)
    tasks: Any = [Task(abs, -n) for n in range(9)]
    options: dict[str, Any] = {"engine": engine, "timeout": 60.0}
    if kind == "keep":
        counted = execute(tasks, keep=bp.histogram(bins=9, range=(0.0, 9.0)), **options)
        assert counted.counts.tolist() == [1] * 9
        return
    seen: list[list[int]] = []
    if kind == "store":
        options["store"] = tmp_path / "a.db"
    elif kind == "retries":
        options["retries"] = 3
    elif kind == "callback":
        templates = {"results": bp.Rep("chunk_results")}
        options |= {"chunk_len": 3, "post_chunk_kwargs": templates}
        options["post_chunk_func"] = lambda results: seen.append(results)  # noqa: PLW0108
    results = execute(iter(tasks) if kind == "iterator" else tasks, **options)
    assert results == list(range(9))
    if kind == "store":
        assert bp.Store(tmp_path / "a.db").trials(1)["value"].tolist() == list(range(9))
    if kind == "callback":
        assert seen == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def copied(batch: Batch) -> Sequence[tuple[Batch, BatchResult]]:
    return [(batch.part(range(len(batch)), 0), run_batch(batch))]


@pytest.mark.parametrize("on_error", ["raise", "skip", "record"])
@pytest.mark.parametrize("is_iterator", [False, True])
@pytest.mark.parametrize(
    ("engine", "first"),
    [
        (OwnLoop(copied), 0),  # not the batch that it took
        (OwnLoop(lambda batch: []), 0),
        (OwnLoop(lambda batch: [] if 4 in batch.positions else [(batch, run_batch(batch))]), 4),
        (OwnLoop(lambda batch: [(batch, run_batch(batch))], n_taken=5), 5),
    ],
    ids=["copied", "none", "one is missing", "ends early"],
)
def test_an_engine_that_loses_calls_is_an_error(
    engine: OwnLoop, first: int, is_iterator: bool, on_error: Any, tmp_path: Any
) -> None:
    """Never a gap in the results that nobody sees; what has come is in the store."""
    engine = OwnLoop(engine.reports, engine.n_taken)
    tasks = [Task(abs, -n) for n in range(9)]
    with pytest.raises(EngineError, match=rf"one result for each batch.* none for call {first}\."):
        execute(
            iter(tasks) if is_iterator else tasks,
            engine=engine,
            on_error=on_error,
            store=tmp_path / "a.db",
        )
    kept = bp.Store(tmp_path / "a.db").trials(1)
    whole = {0: 0, 4: 8, 5: 5}[first]
    assert len(kept) == whole


def test_an_error_of_a_call_comes_before_one_of_the_engine() -> None:
    def fails_at_two(batch: Batch) -> Sequence[tuple[Batch, BatchResult]]:
        return [] if 3 in batch.positions else [(batch, run_batch(batch))]

    tasks = [Task(divmod, 1, 2 - n) for n in range(9)]
    with pytest.raises(bp.TaskError, match="Call 2 failed"):
        execute(tasks, engine=OwnLoop(fails_at_two))
