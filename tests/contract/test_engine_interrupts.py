# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C ends a run on every engine: the error goes on, and no worker stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
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


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the process table of Linux")
@pytest.mark.parametrize("engine", ["processpool", "pathos"])
def test_killed_parent_leaves_no_worker(engine: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    folder = tmp_path / "marks"
    folder.mkdir()
    command = [sys.executable, str(script), str(folder), engine, ""]
    with subprocess.Popen(command, start_new_session=True) as process:
        assert wait_for(lambda: len(list(folder.iterdir())) >= 2, 60.0)
        pids = {int(mark.name.partition("-")[2]) for mark in folder.iterdir()}
        process.kill()
    assert wait_for(lambda: not any(map(is_alive, pids)), SECONDS)
