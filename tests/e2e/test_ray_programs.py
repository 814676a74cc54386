# SPDX-License-Identifier: BSD-3-Clause
"""Ray in programs as people type them: unguarded scripts, standard input, `python -c`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
def double(number):
    return 2 * number
"""
SCRIPT = """
import os, threading
import broadpeak as bp
import beside

class Box:
    def __init__(self, content):
        self.content = content

def odd(number):
    return beside.double(number) + 1

def boxed(box):
    return Box(box.content + 1)

def outer(number):
    tasks = [bp.Task(odd, number)] * 3
    return bp.execute(tasks, engine="ray"), bp.execute(tasks, engine="threadpool", n_workers=2)

def in_thread():
    options = dict(engine="ray", n_workers=2, show_progress=False)
    assert bp.execute([bp.Task(odd, n) for n in range(5)], **options) == [1, 3, 5, 7, 9]

thread = threading.Thread(target=in_thread)  # the cluster outlives the thread that started it
thread.start()
thread.join()
options = dict(engine="ray", n_workers=2, show_progress=False)
assert bp.execute([bp.Task(boxed, Box(3))], **options)[0].content == 4
assert bp.execute([bp.Task(outer, n) for n in range(3)], **options) == [
    ([2 * n + 1] * 3, [2 * n + 1] * 3) for n in range(3)
]
limits = bp.execute([bp.Task(os.getenv, "NUMBA_NUM_THREADS")], **options)
print("done", limits)
"""


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("how", ["script", "stdin", "-c"])
def test_ray_in_a_program(how: str, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text(MODULE)
    (tmp_path / "script.py").write_text(SCRIPT)
    words = {"script": ["script.py"], "stdin": [], "-c": ["-c", SCRIPT]}[how]
    done = subprocess.run(
        [sys.executable, *words],
        input=SCRIPT if how == "stdin" else "",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("done ['1']\n", "")
