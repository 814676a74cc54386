# SPDX-License-Identifier: BSD-3-Clause
"""Clusters of Dask that are joined: what fails, what is lost, and what stays behind."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import distributed
import numpy as np
import pytest
from loky.backend import resource_tracker

import broadpeak as bp
from broadpeak import Task, execute
from broadpeak._run import daskworker
from broadpeak._run.calls import Calls
from broadpeak._run.engines import dask as engine_module
from broadpeak.engines import shutdown
from broadpeak.errors import EngineError, ParamError, TaskError
from broadpeak.testing import EngineContract

QUIET = {"DASK_LOGGING__DISTRIBUTED": "critical"}
SECONDS = 20.0


def wait_for(condition: Callable[[], bool], seconds: float = SECONDS) -> bool:
    """Return whether `condition` came true in time."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return True
        pause.wait(0.02)
    return condition()


class Cluster:
    """A scheduler and workers, started as a user would type it."""

    def __init__(
        self,
        folder: Path,
        n_workers: int = 2,
        config: dict[str, str] | None = None,
        nanny: str = "--no-nanny",
    ) -> None:
        self.nanny = nanny
        self.folder = folder
        self.environment = {**os.environ, **QUIET, **(config or {}), "TMPDIR": str(folder)}
        self.processes: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        self.scheduler = self.type("scheduler", "--scheduler-file", str(file), "--port", "0")
        assert wait_for(file.exists, 60.0)
        with distributed.Client(scheduler_file=str(file), set_as_default=False) as client:
            self.address = client.scheduler.address
            self.workers = [self.worker() for _ in range(n_workers)]
            client.wait_for_workers(n_workers, timeout=60)

    def type(self, what: str, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", what, *words, "--host", "127.0.0.1"]
        command += ["--no-dashboard"] if what == "worker" else ["--dashboard-address", ":0"]
        process = subprocess.Popen(command, env=self.environment, cwd=self.folder)
        self.processes.append(process)
        return process

    def worker(self) -> subprocess.Popen[bytes]:
        words = ("--nthreads", "1", self.nanny, "--memory-limit", "0")
        return self.type("worker", self.address, *words)

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()


@contextmanager
def cluster_of(folder: Path, **options: Any) -> Iterator[Cluster]:
    cluster = Cluster(folder, **options)
    try:
        yield cluster
    finally:
        shutdown()
        cluster.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_of(tmp_path_factory.mktemp("dask")) as made:
        yield made


def run(cluster: Cluster, tasks: Any, **options: Any) -> Any:
    return execute(tasks, engine="dask", engine_options={"address": cluster.address}, **options)


pytestmark = pytest.mark.engine


@pytest.mark.slow
class TestJoined(EngineContract):
    engine = "dask"
    cluster: ClassVar[Cluster]

    @pytest.fixture(autouse=True)
    def _join(self, cluster: Cluster) -> None:
        type(self).engine_options = {"address": cluster.address}

    def test_worker_that_dies(self) -> None:  # type: ignore[override]
        """It would end all workers of this cluster: it has a test of its own."""

    def test_worker_that_dies_keeps_what_is_finished(self, tmp_path: Path) -> None:
        """It would, too."""


def where(number: int) -> tuple[int, int]:
    return number, os.getpid()


def test_a_cluster_is_joined_by_its_address(cluster: Cluster) -> None:
    found = run(cluster, [Task(where, number) for number in range(20)])
    assert [number for number, _ in found] == list(range(20))
    assert {pid for _, pid in found} <= {worker.pid for worker in cluster.workers}
    metas: list[int] = []
    run(
        cluster,
        [Task(abs, -number) for number in range(20)],
        distribute="chunks",
        pre_chunk_func=lambda meta: metas.append(len(meta)),
        pre_chunk_kwargs={"meta": bp.Rep("chunk_meta")},
    )
    assert metas == [10, 10]  # a chunk for each of the two workers


def test_a_client_of_this_process_is_used_and_stays_open(cluster: Cluster) -> None:
    pids = {worker.pid for worker in cluster.workers}
    with distributed.Client(cluster.address) as client:
        assert {pid for _, pid in execute([Task(where, 1)] * 3, engine="dask")} <= pids
        shutdown()
        assert client.status == "running"
    with distributed.Client(cluster.address, set_as_default=False) as client:
        options = {"client": client}
        found = execute([Task(where, 1)] * 3, engine="dask", engine_options=options)
        assert {pid for _, pid in found} <= pids
        assert client.status == "running"


@pytest.mark.parametrize("seconds", [1.0, pytest.param(None, marks=pytest.mark.slow)])
def test_an_address_where_nothing_answers_is_an_error(
    seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seconds is not None:
        monkeypatch.setattr(engine_module, "_CONNECT_SECONDS", seconds)
    assert engine_module._CONNECT_SECONDS <= 8  # of 10 that it may take in all
    with pytest.raises(EngineError, match=r"must be that of a Dask scheduler.*dask scheduler"):
        execute([Task(abs, -1)], engine="dask", engine_options={"address": "tcp://127.0.0.1:9"})
    with pytest.raises(EngineError, match="must be that of a Dask scheduler"):
        execute([Task(abs, -1)], engine="dask", engine_options={"address": "no address"})


@pytest.fixture
def threads() -> Iterator[distributed.Client]:
    """Two workers with two threads each, all in this process."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0"
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client


def test_a_batch_that_was_stopped_but_is_waited_for_runs_again(
    threads: distributed.Client, tmp_path: Path
) -> None:
    def work(number: int) -> int:
        this = distributed.get_worker().address
        if number == 2 and not (tmp_path / "began").exists():
            (tmp_path / "began").touch()
            daskworker.StopDropped(this).teardown(None)  # as if it closed, but then it does not
        for _ in range(1_000):  # steps at which it could be stopped
            number += 0
        return number

    assert execute([Task(work, number) for number in range(4)], engine="dask") == [0, 1, 2, 3]
    assert not daskworker._running


def test_a_worker_that_closes_stops_no_batch_of_another_one(
    threads: distributed.Client, tmp_path: Path
) -> None:
    def work(number: int) -> int:
        if not (tmp_path / f"{number}").exists():
            (tmp_path / f"{number}").touch()
            others = [one for one in addresses if one != distributed.get_worker().address]
            daskworker.StopDropped(*others).teardown(None)
        else:
            (tmp_path / f"{number}-again").touch()
        return number

    addresses = sorted(threads.nthreads())
    # One at a time: none is on the other worker.
    assert execute([Task(work, n) for n in range(4)], engine="dask", n_workers=1) == [0, 1, 2, 3]
    assert len(list(tmp_path.iterdir())) == 4


def test_a_result_that_went_with_its_worker_is_made_again(
    threads: distributed.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, workers = engine_module.DaskEngine._answers, threads.cluster.workers
    n_looks = 0

    def work(number: int) -> int:
        if (tmp_path / "lost").exists():  # made again: not before the engine has looked
            while not (tmp_path / "looked").exists():
                threading.Event().wait(0.001)
        return number

    def lossy(self: Any, numbers: list[int]) -> Iterator[Any]:
        nonlocal n_looks
        n_looks += bool(numbers)
        if n_looks == 1 and numbers and not (tmp_path / "lost").exists():
            (tmp_path / "lost").touch()
            futures = [self._flight[number][1] for number in numbers]
            held = threads.who_has(futures)
            (holder,) = held[futures[0].key]
            (worker,) = (one for one in workers.values() if one.address == holder)
            threads.sync(worker.close)
            gone = [future for future in futures if holder in held[future.key]]
            assert wait_for(lambda: not any(future.done() for future in gone))
        yield from found(self, numbers)
        if (tmp_path / "lost").exists():
            (tmp_path / "looked").touch()

    monkeypatch.setattr(engine_module.DaskEngine, "_answers", lossy)
    monkeypatch.setattr(engine_module, "_POLL_SECONDS", 0.01)
    assert execute([Task(work, number) for number in range(9)], engine="dask") == list(range(9))
    assert (tmp_path / "lost").exists()


def test_a_client_that_is_closed_is_told_as_such(
    threads: distributed.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = engine_module.DaskEngine._answers

    def closing(self: Any, numbers: list[int]) -> Iterator[Any]:
        if any(self._flight[number][1].status == "finished" for number in numbers):
            statuses = [self._flight[number][1]._state.status for number in numbers]
            threads.close()
            for number, status in zip(numbers, statuses, strict=True):  # as seen a moment before
                self._flight[number][1]._state.status = status
        yield from found(self, numbers)

    monkeypatch.setattr(engine_module.DaskEngine, "_answers", closing)
    with pytest.raises(EngineError, match="the connection to it was lost"):
        execute([Task(abs, -1)], engine="dask")


def test_threads_that_begin_together_set_up_one_plugin(
    threads: distributed.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn: list[object] = []
    monkeypatch.setattr(daskworker.StopDropped, "teardown", lambda *_, **__: torn.append(1))

    async def ask_twice(dask_worker: distributed.Worker) -> None:
        await asyncio.gather(*(daskworker._watch_drops(dask_worker) for _ in range(2)))

    assert len(threads.run(ask_twice)) == 2
    assert not torn


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"\0" * 90])
def test_an_address_where_something_else_listens_is_an_error(
    greeting: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_CONNECT_SECONDS", 1.0)
    n_before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            with suppress(OSError), server.accept()[0] as held:
                held.sendall(greeting)
                while held.recv(1024):
                    pass

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(EngineError, match="does not answer as Dask does"):
            execute([Task(abs, -1)], engine="dask", engine_options={"address": address})
        thread.join(SECONDS)
    assert threading.active_count() <= n_before


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"adress": "tcp://127.0.0.1:1"}, "Did you mean 'address'"),
        ({"client": 3}, "distributed.Client"),
        ({"address": 3}, "address"),
        ({"threads_per_worker": 0}, "threads_per_worker"),
    ],
)
def test_options_that_are_none(options: dict[str, Any], match: str) -> None:
    with pytest.raises((ParamError, TypeError), match=match):
        execute([Task(abs, -1)], engine="dask", engine_options=options)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"broadpeak": None}, r"must have broadpeak .* has none. There, pip install broadpeak=="),
        ({"broadpeak": "0.0.1"}, r"has 0\.0\.1"),
        ({"python": "3.9.1.final.0"}, r"must have python 3\.\d+.*has 3\.9"),
    ],
)
@pytest.mark.parametrize("first", [0, 1])
def test_workers_that_could_not_read_what_they_are_sent(
    change: dict[str, Any],
    match: str,
    first: int,
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutdown()
    honest = distributed.Client.get_versions

    def versions(self: Any, **options: Any) -> Any:
        found = honest(self, **options)
        for worker in [found["scheduler"], *found["workers"].values()][first:]:
            worker["packages"].update(change)
        return found

    monkeypatch.setattr(distributed.Client, "get_versions", versions)
    with pytest.raises(EngineError, match=match):
        run(cluster, [Task(abs, -1)])


OWN = """
class Pair:
    def __init__(self, first):
        self.first = first

class OwnError(Exception):
    pass

FACTOR = 3

def triple(pair):
    return Pair(FACTOR * helped(pair.first))

def helped(number):
    return number

def fail(number):
    raise OwnError(number)
"""


def test_modules_of_the_user_travel(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules_of_the_user.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    import rules_of_the_user as own

    found = run(cluster, [Task(own.triple, own.Pair(number)) for number in range(4)])
    assert [pair.first for pair in found] == [0, 3, 6, 9]
    assert all(type(pair) is own.Pair for pair in found)
    with pytest.raises(TaskError, match="OwnError") as caught:
        run(cluster, [Task(own.fail, 5)])
    assert type(caught.value.__cause__) is own.OwnError
    monkeypatch.setattr(own, "FACTOR", 5)  # what is changed here counts there, too
    assert run(cluster, [Task(own.triple, own.Pair(2))])[0].first == 10


def test_runs_inside_of_tasks_do_not_block(cluster: Cluster) -> None:
    def outer_in_a_run(number: int) -> list[int]:
        return bp.execute([bp.Task(pow, number, 2)] * 3, engine="dask")

    assert run(cluster, [Task(outer_in_a_run, n) for n in range(4)]) == [
        [n * n] * 3 for n in range(4)
    ]
    local = execute([Task(outer_in_a_run, n) for n in range(4)], engine="dask", n_workers=2)
    assert local == [[n * n] * 3 for n in range(4)]
    # Tasks of the user's own: more of them than there are threads.
    with distributed.Client(cluster.address, set_as_default=False) as client:
        futures = client.map(outer_in_a_run, range(6), pure=False)
        assert client.gather(futures) == [[n * n] * 3 for n in range(6)]
        # Dask starts tasks in the context of others: none may take itself for one of a run.
        depths = client.map(
            lambda n: (outer_in_a_run(n), bp.engines.nesting.get().depth)[1], range(6), pure=False
        )
        assert client.gather(depths) == [0] * 6


def mark_and_wait(folder: str, number: int) -> None:
    path = Path(folder, f"{number}-{os.getpid()}")
    path.touch()
    for beat in range(3000):
        time.sleep(0.02)
        path.write_text(str(beat))


def is_beating(folder: Path) -> bool:
    """Return whether a task of `mark_and_wait` goes on."""
    before = {path: path.read_text() for path in folder.iterdir()}
    threading.Event().wait(0.3)
    return any(path.read_text() != text for path, text in before.items())


@pytest.mark.parametrize("timeout", [None, 50.0])
def test_abandoned_work_stops_on_the_cluster(
    timeout: float | None, cluster: Cluster, tmp_path: Path
) -> None:
    def fail_when_the_other_runs() -> None:
        while not any(tmp_path.iterdir()):
            time.sleep(0.01)
        raise ValueError

    tasks = [Task(mark_and_wait, str(tmp_path), 1), Task(fail_when_the_other_runs)]
    with pytest.raises(TaskError, match="ValueError"):
        run(cluster, tasks[::-1], timeout=timeout, distribute="chunks", chunk_len=1)
    assert wait_for(lambda: not is_beating(tmp_path))
    assert run(cluster, [Task(abs, -1)] * 4) == [1] * 4


@pytest.mark.parametrize("is_joined", [True, False])
def test_nothing_of_an_abandoned_run_goes_on_or_begins_after_it(
    is_joined: bool, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if a worker is told late that a batch is cancelled, or gets it late."""

    def fail_when_another_runs() -> None:
        while not any(tmp_path.iterdir()):
            time.sleep(0.01)
        raise ValueError

    sent: list[tuple[Any, ...]] = []
    submit, cancel = distributed.Client.submit, distributed.Client.cancel

    def note(*args: Any, **options: Any) -> Any:
        sent.append(args)
        return submit(*args, **options)

    cancelled: list[Any] = []
    monkeypatch.setattr(distributed.Client, "submit", note)
    if is_joined:
        monkeypatch.setattr(distributed.Client, "cancel", lambda *args, **_: cancelled.append(args))
    tasks = [Task(fail_when_another_runs)]
    tasks += [Task(mark_and_wait, str(tmp_path), number) for number in range(8)]
    with pytest.raises(TaskError, match="ValueError"):
        execute(
            tasks,
            engine="dask",
            n_workers=2,
            engine_options={"address": cluster.address} if is_joined else {},
            distribute="chunks",
            chunk_len=1,
        )
    begun = sorted(tmp_path.iterdir())
    assert not is_beating(tmp_path)
    for client, futures in cancelled:
        cancel(client, futures, force=True)
    for worker in sent[-1][0].nthreads():
        late = submit(*sent[-1], pure=False, workers=[worker])
        assert late.result(SECONDS) == b""
    assert sorted(tmp_path.iterdir()) == begun


@pytest.mark.slow  # workers start four times
def test_a_worker_of_a_cluster_that_is_lost(tmp_path: Path) -> None:
    """Its batch is tried elsewhere; one that ends every worker is lost, and it alone."""
    config = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    with cluster_of(tmp_path, config=config, nanny="--nanny") as own:
        marker = tmp_path / "once"

        def die_once(number: int) -> int:
            if number == 3 and not marker.exists():
                marker.touch()
                os._exit(7)
            return number

        assert run(own, [Task(die_once, number) for number in range(8)], timeout=60) == [*range(8)]

        def die_at(number: int) -> int:
            if number == 3:
                os._exit(7)
            return number

        tasks = [Task(die_at, number) for number in range(6)]
        results = run(own, tasks, timeout=60, on_error="record")
        assert [r for r in results if isinstance(r, int)] == [0, 1, 2, 4, 5]
        assert results[3].status == "died"
        assert "workers" in str(results[3].error)


@pytest.mark.slow
def test_a_scheduler_that_is_gone(tmp_path: Path) -> None:
    """The run ends with what to type; what was finished is in the store, and the rest follows."""
    store = tmp_path / "store.db"
    folder = tmp_path / "beats"
    folder.mkdir()
    target = str(tmp_path / "stop")

    def work(number: int) -> int:
        if number < 10 or Path(target).exists():
            return number * number
        mark_and_wait(str(folder), number)
        return -1

    tasks = [Task(work, number) for number in range(12)]
    cluster_folder = tmp_path / "one"
    cluster_folder.mkdir()
    with cluster_of(cluster_folder) as own:

        def end() -> None:
            assert wait_for(lambda: len(list(folder.iterdir())) == 2)
            own.scheduler.kill()

        ender = threading.Thread(target=end)
        ender.start()
        with pytest.raises(EngineError, match=r"scheduler .* must be there.*with store="):
            run(own, tasks, store=store, store_key="1")
        ender.join()
        assert wait_for(lambda: not is_beating(folder))  # no orphan goes on with it
        with pytest.raises(EngineError, match="must be that of a Dask scheduler"):
            run(own, tasks, store=store, store_key="1")
    assert len(bp.Store(store).trials(1)) == 10
    Path(target).touch()
    results = execute(tasks, store=store, store_key="1")
    assert results == [number * number for number in range(12)]


DRIVER = """
import os, sys, time
from pathlib import Path
import broadpeak as bp

address, folder = sys.argv[1:]

def beat(number):
    path = Path(folder, f"{number}-{os.getpid()}")
    for count in range(3000):
        path.write_text(str(count))
        time.sleep(0.02)

options = {"address": address} if address else {}
tasks = [bp.Task(beat, number) for number in range(2)]
how = {"distribute": "chunks", "chunk_len": 1, "engine_options": options}
bp.execute(tasks, engine="dask", n_workers=2, **how)
"""


@pytest.mark.parametrize("is_joined", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_no_work_goes_on_for_a_program_that_was_killed(
    is_joined: bool, cluster: Cluster, tmp_path: Path
) -> None:
    folder = tmp_path / "beats"
    folder.mkdir()
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    address = cluster.address if is_joined else ""
    with subprocess.Popen([sys.executable, str(script), address, str(folder)]) as process:
        try:
            assert wait_for(lambda: len(list(folder.iterdir())) == 2, 60.0)
        finally:
            process.kill()
    assert wait_for(lambda: not is_beating(folder))
    assert run(cluster, [Task(abs, -1)] * 4) == [1] * 4


@pytest.mark.slow
def test_an_array_is_held_once_on_a_machine(cluster: Cluster) -> None:
    """Workers map one file, which is gone when the run has ended."""
    array = np.arange(25_000_000.0)  # 200 MB
    calls = Calls(held, (array, None), varying={1: (range(40), range(40))})
    pids = {worker.pid for worker in cluster.workers}
    for options in ({"address": cluster.address}, {}):
        warm = execute([Task(held, np.ones(1000), 0)] * 4, engine="dask", engine_options=options)
        found = execute(calls, engine="dask", n_workers=2, engine_options=options, timeout=60)
        assert [value for value, *_ in found] == [float(place) for place in range(40)]
        assert ({pid for _, pid, _ in found} <= pids) == bool(options)
        # The share that each has of what it maps together with others: that of the file is one.
        most = {pid: max(n for _, one, n in found if one == pid) for _, pid, _ in found}
        before = min(n for *_, n in warm)
        assert sum(most.values()) - len(most) * before < 1.3 * array.nbytes
        assert wait_for(lambda: not list(cluster.folder.rglob("broadpeak-*")))


def held(array: np.ndarray, place: int) -> tuple[float, int, int]:
    """Return an item, the process, and the bytes that it holds after it has seen all of them."""
    assert array.sum() > 0
    threading.Event().wait(0.02)
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    (kilobytes,) = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    return float(array[place]), os.getpid(), 1024 * kilobytes


@pytest.mark.slow
def test_a_task_that_hangs_with_the_interpreter_lock_ends_its_worker_alone() -> None:
    tasks = [Task(abs, -1), Task(sum, range(10**11)), *[Task(abs, -n) for n in range(2, 6)]]
    results = execute(tasks, engine="dask", n_workers=2, timeout=0.5, on_error="record")
    assert [results[0], *results[2:]] == [1, 2, 3, 4, 5]
    assert results[1].status == "timeout"
    assert execute([Task(abs, -1)] * 4, engine="dask", n_workers=2) == [1] * 4


def test_workers_of_this_machine_follow_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warm workers look for files and modules where the program does now, with its limits."""
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        (folder / "file.txt").write_text(name)
        found = execute([Task(Path.read_text, Path("file.txt"))], engine="dask", n_workers=1)
        assert found == [name]
    assert execute([Task(os.getenv, "OMP_NUM_THREADS")], engine="dask", n_workers=1) == ["1"]


def test_what_waits_behind_a_batch_that_ends_its_worker_is_not_blamed() -> None:
    def die_at(number: int) -> int:
        if number == 7:
            time.sleep(0.2)  # the next one has come, and waits
            os._exit(7)
        return number

    tasks = [Task(die_at, number) for number in range(12)]
    results = execute(tasks, engine="dask", n_workers=1, timeout=60, on_error="record")
    assert [r for r in results if isinstance(r, int)] == [n for n in range(12) if n != 7]
    assert results[7].status == "died"
    assert "ended with exit code 7" in str(results[7].error)


def pipes(_: int) -> list[tuple[str, bool]]:
    """Return the pipes that this process holds, and whether its children get them."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append((str(entry.readlink()), os.get_inheritable(int(entry.name))))
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads the file table of Linux")
def test_workers_hold_the_pipe_of_who_removes_their_folder() -> None:
    """It waits for them: while they wrote there it would give up, and leave files behind."""
    (held,) = execute([Task(pipes, 0)], engine="dask", n_workers=2)
    pipe = f"pipe:[{os.fstat(resource_tracker.getfd()).st_ino}]"
    assert [inherits for name, inherits in held if name == pipe] == [False]
