# SPDX-License-Identifier: BSD-3-Clause
"""Batches are limited by bytes: what tasks carry, what they return, and what waits."""

from __future__ import annotations

import errno
import gc
import io
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak import Task, engines, execute
from broadpeak._run import batches, dispatch, footprint, remote, shared, taskqueue
from broadpeak._run.batches import Batch, run_batch
from broadpeak._run.calls import Calls
from broadpeak._run.chunks import Chunk
from broadpeak._run.dispatch import BatchSizes, SerialEngine
from broadpeak._run.engines.threadpool import ThreadEngine
from broadpeak._run.footprint import BATCH_BYTES, Footprint
from broadpeak._run.shared import SharedObjects
from broadpeak._run.taskqueue import TaskQueue
from broadpeak.engines import FutureEngine, WorkItem

MB = 2**20
LARGE = BATCH_BYTES // 8  # eight of them are as much as goes together


def array(number: int, n_bytes: int = LARGE) -> Any:
    """Return an array of its own."""
    return np.full(n_bytes // 8, float(number))


def first(values: Any) -> Any:
    return values[0]


# --- the estimate ---------------------------------------------------------------------------------


class Holder:
    def __init__(self, inner: object) -> None:
        self.inner = inner


class Slots:
    __slots__ = ("inner", "other")

    def __init__(self, inner: object) -> None:
        self.inner = inner


class Fussy:
    def __getattr__(self, name: str) -> Any:
        raise SystemExit(name) if name == "nbytes" else RuntimeError(name)


def closed_over(inner: object) -> Callable[[], object]:
    return lambda: inner


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: inner,
        lambda inner: [inner],
        lambda inner: {"a": {"b": (inner,)}},
        pd.Series,
        lambda inner: pd.DataFrame({"a": inner}),
        Holder,
        Slots,
        closed_over,
        lambda inner: partial(first, inner),
        lambda inner: Holder([inner]).__init__,  # type: ignore[misc]
        memoryview,
        lambda inner: inner.tobytes(),
        lambda inner: bytearray(inner.tobytes()),
        lambda inner: inner.reshape(2, -1),
        lambda inner: inner.view(np.recarray),
        lambda inner: inner.tobytes().decode("latin1"),
        lambda inner: Task(first, inner),
        lambda inner: np.array([inner, None], dtype=object),
    ],
    ids=map(str, range(18)),
)
def test_what_is_large_is_seen_wherever_it_is(wrap: Callable[[Any], Any]) -> None:
    found = Footprint().of(wrap(array(1)))
    assert LARGE <= found < 1.1 * LARGE


def test_what_is_met_twice_counts_once() -> None:
    seen, data = Footprint(), array(1)
    assert seen.of([data, data[1:], {"again": data}]) < 1.1 * LARGE
    assert seen.of((data, Holder(data))) < 1000
    assert seen.of(array(2)) == LARGE


def test_long_containers_are_judged_by_a_sample() -> None:
    many = [[float(number)] * 4 for number in range(100_000)]
    assert 10e6 < Footprint().of(many) < 40e6
    assert 0.5e6 < Footprint().of({number: str(number) for number in range(10_000)}) < 4e6
    assert Footprint().of([array(number) for number in range(100)]) == pytest.approx(
        100 * LARGE, rel=0.01
    )


def test_loops_and_foreign_objects_do_no_harm() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert Footprint().of(loop) < 100
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert Footprint().of(deep) < 1e6
    for odd in (sys, int, len, object(), type, iter([1]), ..., NotImplemented):
        assert Footprint().of(odd) < 10_000


def test_an_object_that_raises_is_small() -> None:
    class Bad:
        @property
        def nbytes(self) -> int:
            raise ValueError

    class Worse(dict):  # type: ignore[type-arg]
        def __len__(self) -> int:
            raise ValueError

    assert Footprint().of([Bad(), Worse()]) < 1000


# --- tasks of an iterator -------------------------------------------------------------------------


class Watching(SerialEngine):
    """Runs batches here, as those of threads, and notes what they held."""

    lazy = False
    held: ClassVar[list[int]] = []

    def submit(self, item: WorkItem) -> Any:
        self.held.append(len(item.batch))
        return super().submit(item)


def test_an_iterator_is_read_until_its_tasks_are_many_bytes() -> None:
    alive: list[int] = [0]

    class Counted(np.ndarray):
        def __del__(self) -> None:
            alive[0] -= self.size > 1000  # views, too

    most = 0

    def tasks() -> Iterator[Task]:
        nonlocal most
        for number in range(20_000):
            yield Task(abs, -number)
        for number in range(60):
            data = array(number).view(Counted)
            alive[0] += 1
            most = max(most, alive[0])
            yield Task(first, data)

    Watching.held.clear()
    got = execute(tasks(), engine=Watching)
    assert got == [*range(20_000), *range(60)]
    # The first one and what goes with it, the one that was too much, and the one that is made.
    assert most <= 9 + 2
    assert max(Watching.held) > 1000


def test_what_all_tasks_share_does_not_part_them() -> None:
    data, text = array(0, 3 * BATCH_BYTES), b"x" * (2 * BATCH_BYTES)
    Watching.held.clear()
    got = execute((Task(take, data, text, number) for number in range(5000)), engine=Watching)
    assert got == list(range(5000))
    assert len(Watching.held) < 50


def take(*values: Any) -> Any:
    return values[-1]


def test_a_chunk_that_goes_as_a_whole_is_not_cut() -> None:
    Watching.held.clear()
    tasks = (Task(first, array(number)) for number in range(40))
    got = execute(tasks, engine=Watching, distribute="chunks", chunk_len=20)
    assert got == list(range(40))
    assert Watching.held == [20, 20]
    calls = Calls(array, varying={0: (range(40), range(40))})
    for work in (calls, list(calls)):
        Watching.held.clear()
        execute(work, engine=Watching, distribute="chunks", chunk_len=20)
        assert Watching.held == [20, 20]


# --- payloads -------------------------------------------------------------------------------------


class Crossing(SerialEngine):
    """Runs batches here, out of their bytes, and notes these."""

    pickles = True
    lazy = False
    payloads: ClassVar[list[int]] = []

    def submit(self, item: WorkItem) -> Any:
        self.payloads.append(len(item.payload))
        self._ended = [(0, bytes(remote.serve([item.payload], item.objects)))]
        return 0


def numbered(number: int, data: Any) -> Any:
    return data[number % 2]


def test_a_payload_is_no_more_than_goes_together() -> None:
    made = [array(number) for number in range(64)]
    parts = [one[: LARGE // 80] for one in made]
    work: dict[str, Any] = {
        "list": [Task(first, one) for one in made],
        "calls": Calls(first, varying={0: (made, range(64))}),
        "bytes": [Task(first, one.tobytes()) for one in made],
        "views": (Task(first, array(0, 64 * LARGE)[number::64].copy()) for number in range(64)),
        "growing": [Task(first, one) for one in (*parts, *made, *parts)],
        "keywords": [Task(numbered, 0, data=one) for one in made],
    }
    for name, tasks in work.items():
        Crossing.payloads.clear()
        got = execute(tasks, engine=Crossing)
        expected = {
            "bytes": [0.0] * 64, "growing": [*range(64)] * 3, "views": [0] * 64
        }.get(name, list(range(64)))  # fmt: skip
        assert got == expected, name
        assert max(Crossing.payloads) <= BATCH_BYTES + LARGE + 10_000, name
        assert len(Crossing.payloads) <= 40, name


def test_what_tasks_of_a_batch_share_is_no_reason_to_cut_it() -> None:
    words = [str(number) for number in range(300_000)]  # more than goes together
    Crossing.payloads.clear()
    got = execute([Task(numbered, number, words) for number in range(1000)], engine=Crossing)
    assert got == ["0", "1"] * 500
    assert len(Crossing.payloads) < 50


def test_sizes_grow_again_when_tasks_carry_less() -> None:
    sizes = BatchSizes(1)
    for n in (1, 8, 64):
        sizes.record(n, 1e-6)
    sizes.sent(3, 0, first=MB)
    assert sizes.next(None) == 3
    sizes.sent(3, MB + BATCH_BYTES)
    assert sizes.next(None) == 3
    sizes.sent(3, MB + BATCH_BYTES // 4)
    assert sizes.next(None) == 12
    sizes.sent(12, MB + 10)
    assert sizes.next(None) == 96


def test_a_cut_batch_keeps_what_it_is() -> None:
    tasks = [Task(abs, -number) for number in range(10)]
    queue = TaskQueue(tasks, [Chunk(0, range(10))], n_tasks=10)
    batch = queue.take(6)
    assert batch is not None
    kept = queue.cut(batch, 2)
    assert (list(kept.positions), [task.args for task in kept.tasks]) == ([0, 1], [(0,), (-1,)])
    assert queue.is_out(kept)
    assert not queue.is_out(batch)
    assert queue.n_waiting() == 8
    again = queue.take(3)
    assert again is not None
    assert list(again.positions) == [2, 3, 4]
    rest = queue.take(100)
    assert rest is not None
    assert list(rest.positions) == [5]
    for one in (kept, again, rest):
        queue.finish(one, len(one))
    last = queue.take(100)
    assert last is not None
    assert list(last.positions) == [6, 7, 8, 9]


# --- results --------------------------------------------------------------------------------------


def result_of(number: int, from_: int, n_bytes: int) -> Any:
    return (number,) if number < from_ else array(number, n_bytes)


def fails_at_five(number: int) -> Any:
    if number == 5:
        raise ValueError
    return array(number)


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("kind", ["calls", "list", "iterator"])
def test_a_batch_ends_when_its_results_are_many_bytes(kind: str, timed: bool) -> None:
    calls = Calls(array, varying={0: (range(100), range(100))})
    tasks: Any = {"calls": calls, "list": list(calls), "iterator": iter(list(calls))}[kind]
    result = run_batch(Batch(range(100), tasks, timed=timed))
    assert result.is_cut
    assert [values[0] for values in result.values] == list(range(len(result.values)))
    assert 8 <= len(result.values) <= 16
    assert result.n_bytes == pytest.approx(len(result.values) * LARGE, rel=0.6)
    if kind == "iterator":  # nothing is lost of it
        assert next(tasks).args == (len(result.values),)


def test_small_results_cut_nothing() -> None:
    for func in (float, str, lambda number: (number, {"a": [number]})):
        calls = Calls(func, varying={0: (range(5000), range(5000))})
        for tasks in (calls, list(calls)):
            result = run_batch(Batch(range(5000), tasks))
            assert not result.is_cut
            assert result.values == [func(number) for number in range(5000)]


@pytest.mark.parametrize("engine", ["serial", "threadpool", Crossing])
@pytest.mark.parametrize("kind", ["calls", "list", "iterator"])
@pytest.mark.parametrize("options", [{}, {"chunk_len": 30}, {"retries": 1}, {"warmup": True}])
def test_results_that_cut_batches_are_those_of_a_loop(
    engine: Any, kind: str, options: dict[str, Any]
) -> None:
    calls = Calls(result_of, (None, 70, LARGE), varying={0: (range(130), range(130))})
    tasks: Any = {"calls": calls, "list": list(calls), "iterator": iter(list(calls))}[kind]
    seen: list[Any] = []
    if "chunk_len" in options:
        options = {
            **options,
            "post_chunk_func": lambda results: seen.append(len(results)),
            "post_chunk_kwargs": {"results": bp.Rep("chunk_results")},
        }
    got = execute(tasks, engine=engine, n_workers=2, **options)
    assert [values[0] for values in got] == list(range(130))
    assert seen in ([], [30, 30, 30, 30, 10])


@pytest.mark.parametrize("engine", ["serial", "threadpool", Crossing])
def test_failures_among_many_bytes(engine: Any) -> None:
    calls = Calls(fails_at_five, varying={0: (range(40), range(40))})
    for tasks in (calls, list(calls), iter(list(calls))):
        with pytest.warns(bp.errors.SkippedWarning, match="1 of 40"):
            got = execute(tasks, engine=engine, on_error="skip", n_workers=2, retries=1)
        assert [values[0] for values in got] == [n for n in range(40) if n != 5]


def test_the_next_batch_knows_what_results_weigh() -> None:
    sizes = BatchSizes(1)
    sizes.record(1, 1e-6, n_bytes=BATCH_BYTES / 2)
    assert sizes.next(None) == 2
    sizes.record(2, 1e-6, n_bytes=10.0 * BATCH_BYTES)
    assert sizes.next(None) == 1


# --- what is on the way ---------------------------------------------------------------------------


class Counting(ThreadEngine):
    """Notes how many batches are on the way."""

    out = most = 0

    def submit(self, item: WorkItem) -> Any:
        type(self).out += 1
        type(self).most = max(self.most, self.out)
        return super().submit(item)

    def wait(self) -> Any:
        found = super().wait()
        type(self).out -= len(found)
        return found


def test_little_memory_lets_workers_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "_FREELY", 2 * BATCH_BYTES)
    free = [1e12]
    monkeypatch.setattr(footprint, "free_memory", lambda: free[0])
    for memory, most in ((1e12, 4), (BATCH_BYTES, 2)):
        free[0] = memory
        Counting.out = Counting.most = 0
        tasks = (Task(first, array(number, BATCH_BYTES)) for number in range(20))
        assert execute(tasks, engine=Counting, n_workers=4) == list(range(20))
        assert Counting.most == most
    Counting.most = 0
    tasks = (Task(first, array(number, 3 * BATCH_BYTES)) for number in range(5))
    assert execute(tasks, engine=Counting, n_workers=4) == list(range(5))
    assert Counting.most == 1


def test_free_memory_is_known_here() -> None:
    assert 1e6 < footprint.free_memory() <= 1e15


def test_a_million_tasks_are_never_a_million_batches_on_the_way() -> None:
    made = done = most = 0

    def tasks() -> Iterator[Task]:
        nonlocal made, most
        for number in range(1_000_000):
            made += 1
            most = max(most, made - done)
            yield task
            del number

    def count(values: Any) -> None:
        nonlocal done
        done += len(values)

    class Sums:
        def start(self) -> int:
            return 0

        def add(self, state: int, position: int, value: Any) -> int:
            nonlocal done
            done += 1
            return state + value

        def merge(self, one: int, other: int) -> int:
            return one + other

        def finish(self, state: int) -> int:
            return state

    del count
    task = Task(abs, -1)
    Counting.out = Counting.most = 0
    assert execute(tasks(), engine=Counting, n_workers=2, keep=Sums()) == 1_000_000
    assert Counting.most <= 2
    assert most < 250_000


class Broken(np.ndarray[Any, Any]):
    """An array that does not say how large it is."""

    @property
    def nbytes(self) -> int:
        raise RuntimeError


def broken(number: int) -> Broken:
    return np.full(3, number).view(Broken)


@pytest.mark.parametrize("engine", ["serial", "threadpool"])
def test_a_result_that_cannot_be_weighed_is_a_result(engine: str) -> None:
    tasks = [Task(broken, number) for number in range(20)]
    calls = Calls(broken, (None,), varying={0: (range(20), range(20))})
    carrying = [Task(np.sum, broken(number)) for number in range(20)]
    for work in (tasks, calls, iter(tasks)):
        found = execute(work, engine=engine, n_workers=2)
        assert [int(one[0]) for one in found] == list(range(20))
    assert execute(iter(carrying), engine=engine, n_workers=2) == [3 * n for n in range(20)]


# --- what is shared -------------------------------------------------------------------------------


def files(objects: SharedObjects) -> list[Path]:
    return [] if objects._folder is None else list(objects._folder.iterdir())


def test_another_array_at_the_same_address_is_no_array_seen_before() -> None:
    objects = SharedObjects()
    try:
        for number in range(20):  # each is free before the next is made, often at its address
            objects.dumps([array(number)])
        assert files(objects) == []
        kept = array(1)
        sizes = [len(objects.dumps([kept[:]])[0]) for _ in range(3)]
        assert sizes[0] > LARGE > 1000 > sizes[1] == sizes[2]
        assert len(files(objects)) == 1
    finally:
        objects.close()


@pytest.mark.parametrize("n_bytes", [LARGE])
def test_what_nobody_has_any_more_is_removed(n_bytes: int) -> None:
    objects = SharedObjects()
    released: list[Any] = []
    try:
        for number in range(10):
            data = array(number, n_bytes)
            payloads = [objects.dumps([data]) for _ in range(3)]
            assert [pickle.loads(payload[0])[0][5] for payload in payloads] == [number] * 3
            for payload in payloads:
                if number != 4:  # it is on the way all the time
                    objects.release(payload[2])
                else:
                    released.append(payload)
            del data
            gc.collect()
            assert len(files(objects)) <= 1 + (number > 4)
        assert pickle.loads(released[1][0])[0][5] == 4
        held = remote._held[objects.name]
        assert len([key for key in held if isinstance(key, str) and key]) <= 2
    finally:
        objects.close()


def test_arrays_that_wait_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "_MOST_IDLE", 3 * LARGE)
    monkeypatch.setattr(shared, "free_memory", lambda: 0.0)
    objects, data = SharedObjects(), [array(number) for number in range(10)]
    common = array(99)
    try:
        for one in data:
            for _ in range(3):
                payload, _, needed = objects.dumps([one, common])
                assert [values[0] for values in pickle.loads(payload)] == [one[0], 99]
                objects.release(needed)
            assert len(files(objects)) <= 4
        assert len(objects.dumps([common])[0]) < 1000  # it was used all the time
        objects.release(objects.dumps([data[9]])[2])
        assert len(objects.dumps([data[0]])[0]) > LARGE
    finally:
        objects.close()


def test_what_all_calls_share_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "_MOST_IDLE", 0)
    monkeypatch.setattr(shared, "free_memory", lambda: 0.0)
    objects = SharedObjects()
    try:
        calls = Calls(numbered, (None, array(7)), varying={0: (range(9), range(9))})
        before = objects.dumps(calls[:2])
        objects.release(before[2])
        for number in range(5):
            data = array(number)
            for _ in range(2):
                objects.release(objects.dumps([data])[2])
        remote.forget(objects.name)
        assert [task() for task in pickle.loads(objects.dumps(calls[2:4])[0])] == [7.0, 7.0]
    finally:
        objects.close()


def test_what_all_calls_share_stays_where_it_was_sent_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "_MOST_IDLE", 0)
    monkeypatch.setattr(shared, "free_memory", lambda: 0.0)
    objects, common = SharedObjects(), array(7)
    try:
        for _ in range(2):  # from the second time on it lies where workers find it
            objects.release(objects.dumps([common])[2])
        calls = Calls(numbered, (None, common), varying={0: (range(9), range(9))})
        objects.release(objects.dumps(calls[:2])[2])
        for number in range(5):
            data = array(number)
            for _ in range(2):
                objects.release(objects.dumps([data])[2])
        remote.forget(objects.name)
        assert [task() for task in pickle.loads(objects.dumps(calls[2:4])[0])] == [7.0, 7.0]
    finally:
        objects.close()


def test_a_file_for_which_there_is_no_room_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(placed: Any, path: Path) -> None:
        path.write_bytes(b"as much as there was room for")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shared._PlacedArray, "write", write)
    objects, data = SharedObjects(), array(3)
    try:
        for _ in range(2):
            payload = objects.dumps([data])
        assert files(objects) == []
        with pytest.raises(remote._NotHeldError, match=r"^$"):
            pickle.loads(payload[0])
        assert pickle.loads(objects.dumps([data], in_full=True)[0])[0][5] == 3
    finally:
        objects.close()


def test_modules_travel_by_value_until_the_last_pickle_is_made() -> None:
    name, objects = shared.__name__, SharedObjects(files=False)
    pickles = [shared._Pickler(io.BytesIO(), objects) for _ in range(2)]  # of two runs, in threads
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "is_only_here", lambda _: True)
        for one in pickles:
            one._send_if_only_here(name)
    for one in pickles:
        assert name in cloudpickle.list_registry_pickle_by_value()
        one.close()
    assert name not in cloudpickle.list_registry_pickle_by_value()


def test_modules_that_the_user_sends_by_value_stay_so() -> None:
    name, objects = shared.__name__, SharedObjects(files=False)
    cloudpickle.register_pickle_by_value(shared)
    try:
        one = shared._Pickler(io.BytesIO(), objects)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shared, "is_only_here", lambda _: True)
            one._send_if_only_here(name)
        one.close()
        assert name in cloudpickle.list_registry_pickle_by_value()
    finally:
        cloudpickle.unregister_pickle_by_value(shared)


def test_what_was_too_large_was_not_sent() -> None:
    objects, data = SharedObjects(), [array(number) for number in range(20)]
    try:
        with pytest.raises(shared.TooLargeError, match=r"^$"):
            objects.dumps(data, most=BATCH_BYTES)
        assert objects.fitting([Task(first, one) for one in data])[0] == 8
        assert all(len(objects.dumps([one])[0]) > LARGE for one in data)
        assert files(objects) == []
    finally:
        objects.close()


# --- the law --------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    sizes=st.lists(st.sampled_from([0, 1, 100, 5000, 70_000]), max_size=40),
    back=st.lists(st.sampled_from([0, 1, 5000, 70_000]), min_size=1, max_size=5),
    limit=st.sampled_from([1, 6000, 50_000, 10**7]),
    engine=st.sampled_from(["serial", "threadpool", Crossing]),
    kind=st.sampled_from(["calls", "list", "iterator"]),
    options=st.sampled_from(
        [{}, {"chunk_len": 3}, {"retries": 1}, {"on_error": "record"}, {"warmup": True}]
    ),
)
def test_limits_of_bytes_change_no_result(
    sizes: list[int], back: list[int], limit: int, engine: Any, kind: str, options: dict[str, Any]
) -> None:
    data = [np.full(size, float(number)) for number, size in enumerate(sizes)]
    calls = Calls(returned, (None, None, back), varying={
        0: (range(len(data)), range(len(data))), 1: (data, range(len(data)))
    })  # fmt: skip
    tasks: Any = {"calls": calls, "list": list(calls), "iterator": iter(list(calls))}[kind]
    expected = [returned(number, one, back) for number, one in enumerate(data)]
    with pytest.MonkeyPatch.context() as patch:
        for module in (batches, dispatch, shared, taskqueue):
            patch.setattr(module, "BATCH_BYTES", limit)
        got = execute(
            tasks, engine=engine, n_workers=2, raise_no_results=False, show_progress=False,
            **options,
        )  # fmt: skip
    assert len(got) == len(expected)
    assert all(map(np.array_equal, got, expected))


def returned(number: int, data: Any, back: list[int]) -> Any:
    return np.full(back[number % len(back)], data.sum())


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["processpool"])
def test_large_arguments_and_results_cross(engine: str) -> None:
    tasks = (Task(np.negative, array(number)) for number in range(30))
    got = execute(tasks, engine=engine, n_workers=2)
    assert [values[-1] for values in got] == [-float(number) for number in range(30)]
    calls = Calls(array, varying={0: (range(30), range(30))})
    got = execute(calls, engine=engine, n_workers=2)
    assert [values[-1] for values in got] == list(range(30))


def test_names_that_engines_use_are_there() -> None:
    assert issubclass(Watching, FutureEngine)
    assert engines.WorkItem is WorkItem
