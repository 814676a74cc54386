# SPDX-License-Identifier: BSD-3-Clause
"""Ray: clusters that are joined, machines that are lost, heads that are gone, what is left."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import ray

from broadpeak import Outcome, Store, Task, execute
from broadpeak._run import raycluster
from broadpeak._run.calls import Calls
from broadpeak.engines import shutdown
from broadpeak.errors import EngineError, ParamTypeError
from broadpeak.testing import EngineContract

pytestmark = pytest.mark.engine


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Return whether `condition` came true in time."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return True
        pause.wait(0.05)
    return condition()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def let_in() -> None:
    """Have Ray make its token, and use it here and in what is started from here.

    Newer versions do that on their own for a cluster on this machine, and for no other.
    """
    execute([Task(abs, -1)], engine="ray", n_workers=2)


class Cluster:
    """A head and more machines, as a user would start them."""

    def __init__(self, n_cpus: int = 2, *more: int) -> None:
        self.folder = tempfile.mkdtemp(prefix="r", dir="/tmp")  # names of sockets are short
        self.address = f"127.0.0.1:{free_port()}"
        port = self.address.partition(":")[2]
        head = ("--head", f"--port={port}", f"--temp-dir={self.folder}")
        self.start(*head, "--include-dashboard=false", f"--num-cpus={n_cpus}")
        for number in more:
            self.start(f"--address={self.address}", f"--num-cpus={number}")

    def start(self, *words: str) -> None:
        command = [str(Path(sys.executable).parent / "ray"), "start", *words]
        command += ["--object-store-memory=90000000", "--disable-usage-stats"]
        with Path(self.folder, "start.log").open("ab") as log:
            subprocess.run(command, check=True, stdout=log, stderr=log, timeout=120)

    def pids(self, name: str = "") -> list[int]:
        """Return the processes of this cluster, oldest first."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
                if self.folder in command and name in command:
                    found.append(int(entry.name))
        return sorted(found)

    def kill(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        shutdown()
        for pid in self.pids("raylet"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not self.pids("raylet/raylet"), 10.0)
        for pid in self.pids():
            self.kill(pid)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    let_in()
    made = Cluster()
    try:
        yield made
    finally:
        made.close()


def run(address: str, tasks: Any, **options: Any) -> Any:
    options = {"show_progress": False, **options}
    return execute(tasks, engine="ray", engine_options={"address": address}, **options)


@pytest.mark.slow
class TestJoined(EngineContract):
    engine = "ray"

    @pytest.fixture(autouse=True)
    def _join(self, cluster: Cluster) -> None:
        type(self).engine_options = {"address": cluster.address}


@pytest.mark.slow
class TestOtherMachines(EngineContract):
    """The same where workers do not see the files of this machine."""

    engine = "ray"
    engine_options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def _join(self, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
        type(self).engine_options = {"address": cluster.address}
        hide_files(monkeypatch)


def hide_files(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = raycluster.enter

    def entered(*arguments: Any) -> raycluster.RayCluster:
        made = enter(*arguments)
        made.files = False
        return made

    monkeypatch.setattr(raycluster, "enter", entered)


LARGE = np.arange(2_000_000.0)  # 16 MB


def look(array: np.ndarray, place: int) -> tuple[float, bool]:
    return float(array[place]), array.flags.writeable


def test_arrays_lie_in_the_object_store_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_files(monkeypatch)
    sizes: list[int] = []
    put = ray.put
    monkeypatch.setattr(ray, "put", lambda data: sizes.append(data.nbytes) or put(data))
    calls = Calls(look, (LARGE, None), varying={1: (range(40), range(40))})
    found = execute(calls, engine="ray", n_workers=2, timeout=60.0)
    assert found == [(float(place), False) for place in range(40)]  # seen where it lies
    assert sizes == [LARGE.nbytes]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "ray start --head"),
        ("nonsense", "'auto', 'host:port'"),
        ("ray://127.0.0.1:1", "ray start --head"),
    ],
)
def test_an_address_where_nothing_answers_is_an_error(address: str, words: str) -> None:
    shutdown()
    begun = time.monotonic()
    with pytest.raises(EngineError, match=words):
        run(address, [Task(abs, -1)])
    assert time.monotonic() - begun < 10.0


def test_unknown_options_are_named() -> None:
    with pytest.raises(ParamTypeError, match="object_store_memory"):
        execute([Task(abs, -1)], engine="ray", engine_options={"object_store_mem": 1})


def slow_once(mark: Path, number: int) -> int:
    """Say that it runs, and wait until somebody has looked."""
    (mark / str(number)).touch()
    wait_for((mark / "go").exists)
    return number


def kill_when(mark: Path, n_running: int, kill: Callable[[], None]) -> threading.Thread:
    """Kill something when as many tasks run."""

    def work() -> None:
        wait_for(lambda: len(list(mark.iterdir())) >= n_running)
        kill()
        (mark / "go").touch()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.slow
def test_the_user_s_connection_is_used_and_stays(cluster: Cluster) -> None:
    shutdown()
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        assert execute([Task(abs, -1)] * 3, engine="ray") == [1, 1, 1]
        shutdown()
        assert ray.is_initialized()
        with pytest.raises(EngineError, match=r"ray\.shutdown"):
            run("127.0.0.1:1", [Task(abs, -1)])
        assert run("auto", [Task(abs, -1)]) == [1]
    finally:
        ray.shutdown()


@pytest.mark.slow
def test_a_machine_is_lost(tmp_path: Path) -> None:
    """What ran there has died; the rest is in the store, and the next call runs what is missing."""
    mark, store = tmp_path / "marks", tmp_path / "store.db"
    mark.mkdir()
    let_in()
    cluster = Cluster(1, 2)
    try:
        raylet = max(cluster.pids("raylet/raylet"))
        killer = kill_when(mark, 3, lambda: cluster.kill(raylet))
        tasks = [Task(slow_once, mark, number) for number in range(12)]
        results = run(cluster.address, tasks, store=store, on_error="record", n_workers=3)
        killer.join()
        dead = [one.index for one in results if isinstance(one, Outcome)]
        assert {one.status for one in results if isinstance(one, Outcome)} <= {"died"}
        assert len(dead) <= 2
        assert len(Store(store).trials(1)) == 12 - len(dead)
        assert run(cluster.address, tasks, store=store, n_workers=3) == list(range(12))
    finally:
        cluster.close()


@pytest.mark.slow
def test_the_head_is_gone(tmp_path: Path) -> None:
    """The run ends in words, and this process lives: Ray would end it after a minute."""
    mark, store = tmp_path / "marks", tmp_path / "store.db"
    mark.mkdir()
    let_in()
    cluster = Cluster(2)
    try:
        head = cluster.pids("gcs_server")[0]
        tasks = [Task(abs, -1), Task(slow_once, mark, 1)]
        killer = threading.Thread(
            target=lambda: (wait_for((mark / "1").exists), cluster.kill(head))
        )
        killer.start()
        with pytest.raises(EngineError, match="head does not answer any more"):
            run(cluster.address, tasks, store=store, n_workers=2)
        killer.join()
        assert not ray.is_initialized()
        assert len(Store(store).trials(1)) == 1
        (mark / "go").touch()
        assert execute(tasks, store=store, show_progress=False) == [1, 1]
    finally:
        cluster.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["raylet/raylet", "gcs_server"])
def test_ray_on_this_machine_ends_and_is_started_anew(name: str, tmp_path: Path) -> None:
    shutdown()
    assert execute([Task(abs, -1)], engine="ray", n_workers=2) == [1]
    made = Cluster.__new__(Cluster)
    assert raycluster._ours is not None
    made.folder = str(raycluster._ours.folder)
    kill_when(tmp_path, 2, lambda: made.kill(made.pids(name)[0]))
    tasks = [Task(slow_once, tmp_path, number) for number in range(6)]
    assert execute(tasks, engine="ray", n_workers=2, show_progress=False) == list(range(6))
    shutdown()
    assert not Path(made.folder).exists()


@pytest.mark.slow
def test_a_connection_that_cannot_be_closed_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the next run would take it for the user's, and nobody would ever close it."""
    assert execute([Task(abs, -1)], engine="ray", n_workers=2) == [1]
    made = raycluster._ours
    assert made is not None
    assert made.folder is not None
    errors = [OSError("head is gone")] * 5
    close = ray.shutdown
    monkeypatch.setattr(ray, "shutdown", lambda: close() if not errors else raised(errors.pop()))
    shutdown()
    assert raycluster._ours is made
    assert not made.ended.is_set()
    with pytest.raises(EngineError, match=r"head is gone.*ray\.shutdown"):
        execute([Task(abs, -1)], engine="ray", n_workers=2)
    shutdown()  # fails once, and is tried again
    assert not errors
    assert raycluster._ours is None
    assert not ray.is_initialized()
    assert not made.folder.exists()


def raised(error: Exception) -> None:
    raise error


def test_a_cluster_that_answers_too_late_is_left() -> None:
    answers, is_left = threading.Event(), threading.Event()

    def join() -> None:
        answers.wait(60)

    error = raycluster._in_time(join, 0.0, undo=is_left.set)
    assert isinstance(error, TimeoutError)
    assert not is_left.is_set()
    answers.set()
    assert is_left.wait(60)


@pytest.mark.slow
def test_a_cluster_that_was_given_up_is_not_joined_after_all(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutdown()
    was_connected: list[bool] = []
    is_left = threading.Event()
    close = ray.shutdown

    def closed() -> None:
        was_connected.append(ray.is_initialized())
        close()
        is_left.set()

    monkeypatch.setattr(ray, "shutdown", closed)
    monkeypatch.setattr(raycluster, "_JOIN_SECONDS", 0.0)
    with pytest.raises(EngineError, match="got TimeoutError"):
        run(cluster.address, [Task(abs, -1)])
    assert is_left.wait(60)
    assert was_connected == [True]
    assert not ray.is_initialized()
    monkeypatch.undo()
    assert run(cluster.address, [Task(abs, -1)]) == [1]


@pytest.mark.parametrize("error", [None, OSError("refused")])
def test_what_is_done_in_time_is_not_taken_back(error: Exception | None) -> None:
    def work() -> None:
        if error is not None:
            raise error

    undone = threading.Event()
    assert raycluster._in_time(work, 60.0, undo=undone.set) is error
    assert not undone.is_set()


SCRIPT = """
import sys, pathlib, time
import broadpeak as bp

def work(folder, number):
    pathlib.Path(folder, str(number)).touch()
    time.sleep(0.2)
    return number

options = {"address": sys.argv[2]}
tasks = [bp.Task(work, sys.argv[1], number) for number in range(300)]
bp.execute(tasks, engine="ray", engine_options=options)
"""


@pytest.mark.slow
def test_a_killed_program_leaves_no_work_on_the_cluster(cluster: Cluster, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen([sys.executable, str(script), str(marks), cluster.address]) as process:
        assert wait_for(lambda: len(list(marks.iterdir())) > 3)
        process.kill()
    n_before = -1

    def rests() -> bool:
        nonlocal n_before
        n_now, n_last = len(list(marks.iterdir())), n_before
        n_before = n_now
        threading.Event().wait(1.0)
        return n_now == n_last

    assert wait_for(rests, 1.0)
    assert n_before < 100


def chatter(number: int) -> int:
    sys.stdout.write("x" * 1_000_000 + "\n")
    sys.stderr.write("y" * 1000 + "\n")
    return number


@pytest.mark.slow
def test_nothing_is_printed_and_logs_are_cut(capfd: pytest.CaptureFixture[str]) -> None:
    shutdown()
    tasks = [Task(chatter, number) for number in range(60)]
    assert execute(tasks, engine="ray", n_workers=2, show_progress=False) == list(range(60))
    with pytest.raises(Exception, match="lost its worker"):
        execute([Task(os._exit, 3)], engine="ray", n_workers=2, show_progress=False)
    assert raycluster._ours is not None
    folder = raycluster._ours.folder
    assert folder is not None
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size < 60_000_000
    shutdown()
    assert not folder.exists()
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
