# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C and `kill -9` end a run on every engine, and nothing of it stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

# No `if __name__ == "__main__"`: scripts must work without it, whatever starts the workers.
SCRIPT = """
import os, pathlib, sys, time
import broadpeak as bp

folder, engine, method = sys.argv[1:]

def wait(number):
    pathlib.Path(folder, f"{number}-{os.getpid()}").touch()
    for _ in range(600):
        time.sleep(0.1)

options = {"start_method": method} if method else {}
tasks = [bp.Task(wait, number) for number in range(20)]
try:
    bp.execute(tasks, engine=engine, n_workers=2, engine_options=options)
except KeyboardInterrupt:
    pathlib.Path(folder, "interrupted").touch()
    raise
"""

SECONDS = 5.0
METHODS = ["fresh", "fork", "spawn", "forkserver"]


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether `condition` came true in time."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return True
        pause.wait(0.05)
    return condition()


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that only waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the process table of Linux")
@pytest.mark.parametrize("to_group", [False, True], ids=["parent", "group"])
@pytest.mark.parametrize(
    ("engine", "method"),
    [
        ("serial", ""),
        ("threadpool", ""),
        ("processpool", "fresh"),
        ("processpool", "fork"),
        ("processpool", "spawn"),
        ("processpool", "forkserver"),
        ("joblib", ""),
        ("pathos", ""),
        ("dask", ""),
        ("ray", ""),
        ("mpire", "fork"),
        ("mpire", "spawn"),
        ("mpire", "forkserver"),
    ],
)
def test_interrupt_leaves_no_worker(
    engine: str, method: str, to_group: bool, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    folder = tmp_path / "marks"
    folder.mkdir()
    command = [sys.executable, str(script), str(folder), engine, method]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as process:
        n_running = 1 if engine == "serial" else 2
        assert wait_for(lambda: len(list(folder.iterdir())) >= n_running, 60.0)
        pids = {int(mark.name.partition("-")[2]) for mark in folder.iterdir()}
        (os.killpg if to_group else os.kill)(process.pid, signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert (folder / "interrupted").exists()
    assert b"KeyboardInterrupt" in errors
    assert wait_for(lambda: not any(map(is_alive, pids)), SECONDS)


KILLED = """
import os, pathlib, sys, threading
import numpy as np
import broadpeak as bp

folder, engine, method, state = sys.argv[1:]

def work(array, number, seconds):
    pathlib.Path(folder, str(os.getpid())).touch()
    threading.Event().wait(seconds)
    return float(array[number])

options = {"start_method": method} if method else {}
array = np.arange(500_000.0)
count, seconds = {"busy": (6, 60.0), "one busy": (1, 60.0), "idle": (6, 0.1)}[state]
tasks = [bp.Task(work, array, number, seconds) for number in range(count)]
bp.execute(tasks, engine=engine, n_workers=3, engine_options=options)
pathlib.Path(folder, "idle").touch()
threading.Event().wait(60.0)
"""


# They do no work, and notice within a minute that what they report to is gone.
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")


def members(session: int) -> list[str]:
    """Return the commands of all processes that run in `session`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, _, its = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            command = (folder / "cmdline").read_text().replace("\0", " ")
            if int(its) == session and state != "Z" and not command.startswith(AGENTS):
                found.append(command)
    return found


def files_of(pid: int, folder: Path) -> list[str]:
    """Return the names of what the process `pid` left for others to read."""
    names = [path.name for place in (Path("/dev/shm"), folder) for path in place.glob("*")]
    own = (f"-{pid}-", f"_{pid}_")
    return [name for name in names if any(mark in name for mark in own)] + [
        path.name for path in folder.iterdir()
    ]


@pytest.mark.engine
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the process table of Linux")
@pytest.mark.parametrize("state", ["busy", "one busy", "idle"])
@pytest.mark.parametrize(
    ("engine", "method"),
    [
        ("joblib", ""),
        *[pytest.param("processpool", m, marks=pytest.mark.slow) for m in METHODS],
        *[pytest.param("pathos", m, marks=pytest.mark.slow) for m in METHODS[1:]],
        pytest.param("dask", "", marks=pytest.mark.slow),
        pytest.param("ray", "", marks=pytest.mark.slow),
        *[pytest.param("mpire", m, marks=pytest.mark.slow) for m in METHODS[1:]],
    ],
)
def test_killed_parent_leaves_no_process_and_no_file(
    engine: str, method: str, state: str, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    marks, temporary = tmp_path / "marks", tmp_path / "tmp"
    marks.mkdir()
    temporary.mkdir()
    command = [sys.executable, str(script), str(marks), engine, method, state]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    n_marks = {"busy": 3, "one busy": 1, "idle": 2}[state]
    with subprocess.Popen(command, start_new_session=True, env=environment) as process:
        try:
            assert wait_for(lambda: len(list(marks.iterdir())) >= n_marks, 60.0)
            if state == "idle":
                assert wait_for((marks / "idle").exists, 60.0)
        finally:
            process.kill()
    try:
        wait_for(lambda: not members(process.pid) and not files_of(process.pid, temporary), SECONDS)
        assert members(process.pid) == []
        assert files_of(process.pid, temporary) == []
    finally:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
