# SPDX-License-Identifier: BSD-3-Clause
"""Process engines in hostile environments: they work or say why not, and never hang."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# Every script ends its answer with this call; `out` is where the standard output was.
START = """
import os, sys
out = os.dup(1)
ENGINE = sys.argv[1]

def run(count=5):
    import broadpeak as bp
    try:
        tasks = [bp.Task(pow, 2, i) for i in range(count)]
        options = {"show_progress": True, "pbar_kwargs": {"delay": 0}}
        return str(bp.execute(tasks, engine=ENGINE, n_workers=2, **options))
    except bp.EngineError as error:
        return f"refused: {error}"

def tell(text):
    os.write(out, f"{text};".encode())
"""

PLACES = {
    "folder that is gone": """
import tempfile
os.chdir(folder := tempfile.mkdtemp())
os.rmdir(folder)
tell(run())
""",
    "folder that goes while workers are warm": """
import tempfile
os.chdir(folder := tempfile.mkdtemp())
tell(run())
os.rmdir(folder)
tell(run())
os.mkdir(folder)
os.chdir(folder)
tell(run())
""",
    "folder that cannot be read": """
import tempfile
os.chdir(folder := tempfile.mkdtemp())
os.chmod(folder, 0)
tell(run())
""",
    "no folders of the user": """
os.environ.update(TMPDIR="/nonexistent/tmp", HOME="/nonexistent/home", XDG_CACHE_HOME="/dev/null/x")
tell(run())
""",
    "no streams": """
sys.stdin = sys.stdout = sys.stderr = None
tell(run())
""",
    "closed streams": """
import broadpeak
sys.stdin.close(), sys.stdout.close(), sys.stderr.close()
tell(run())
""",
    "closed handles of streams": """
for handle in range(3):
    os.close(handle)
tell(run())
import numpy as np
import broadpeak as bp
if ENGINE == "processpool":  # with files, and all that watches over them
    array = np.ones(100_000)
    sums = bp.execute([bp.Task(np.sum, array)] * 4, engine=ENGINE, n_workers=2)
    assert sums == [100_000.0] * 4
    for handle in range(3):
        try:
            os.fstat(handle)
        except OSError:
            continue
        tell(f"{handle} is taken: {os.readlink(f'/proc/self/fd/{handle}')}")
""",
    "thread": """
import threading
import broadpeak
thread = threading.Thread(target=lambda: tell(run()))
thread.start()
thread.join()
""",
    "event loop": """
import asyncio

async def main():
    tell(run())

asyncio.run(main())
""",
    "daemonic process": """
import multiprocessing
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        process = context.Process(target=lambda_free, args=(out,), daemon=True)
        process.start()
        process.join()
""",
    "pool of processes": """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        tell(pool.map(run, [5])[0])
    with ProcessPoolExecutor(1) as pool:
        tell(list(pool.map(run, [5]))[0])
""",
    "task of every engine": """
import broadpeak as bp
for outer in ("threadpool", "processpool", "joblib", "pathos"):
    tell(bp.execute([bp.Task(run, 5)], engine=outer, n_workers=2)[0])
""",
}
# A child started by spawn has no `out` of its own: it writes to what its parent printed to.
PLACES["daemonic process"] = (
    "def lambda_free(out):\n    os.write(1, f'{run()};'.encode())\n" + PLACES["daemonic process"]
)

# joblib may refuse what it cannot do; that is all that is expected of it.
REFUSED = {
    ("joblib", "folder that is gone"),
    ("joblib", "no streams"),
    ("joblib", "closed streams"),
}
ANSWERS = {"folder that goes while workers are warm": 3, "daemonic process": 2}
ANSWERS |= {"pool of processes": 2, "task of every engine": 4}


def answers(engine: str, script: Path, *, flags: tuple[str, ...] = ()) -> list[str]:
    """Return what the script printed; one that hangs is ended, and fails the test."""
    command = [sys.executable, *flags, str(script), engine]
    done = subprocess.run(command, capture_output=True, timeout=90, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(";")[:-1]


SLOW = {"task of every engine"}


@pytest.mark.engine
@pytest.mark.parametrize(
    "place", [pytest.param(p, marks=[pytest.mark.slow] if p in SLOW else []) for p in PLACES]
)
@pytest.mark.parametrize(
    "engine",
    [
        "processpool",
        pytest.param("joblib", marks=pytest.mark.slow),
        pytest.param("pathos", marks=pytest.mark.slow),
        pytest.param("dask", marks=pytest.mark.slow),
    ],
)
def test_place(engine: str, place: str, tmp_path: Path) -> None:
    if (engine, place) == ("joblib", "closed handles of streams"):
        pytest.skip("its workers take the pipe for their standard output, and die")
    script = tmp_path / "script.py"
    script.write_text(START + PLACES[place])
    printed = answers(engine, script)
    assert len(printed) == ANSWERS.get(place, 1)
    if (engine, place) in REFUSED:
        assert all("threadpool" in answer for answer in printed if answer.startswith("refused"))
        assert all(answer.startswith(("refused", "[1, 2")) for answer in printed)
    else:
        assert printed == ["[1, 2, 4, 8, 16]"] * len(printed)


@pytest.mark.engine
@pytest.mark.parametrize("way", ["-c", "-", "-i", "-m"])
def test_ways_to_run_a_program(way: str, tmp_path: Path) -> None:
    script = (
        "import broadpeak as bp\n"
        "class Pair:\n    def __init__(self, x):\n        self.x = x\n\n"
        "def double(x):\n    return Pair(2 * x.x)\n\n"
        "tasks = [bp.Task(double, Pair(i)) for i in range(3)]\n"
        "pairs = bp.execute(tasks, engine='processpool', n_workers=2)\n"
        "flags = bp.execute([bp.Task(eval, '__debug__')], engine='processpool', n_workers=2)\n"
        "print([p.x for p in pairs], all(type(p) is Pair for p in pairs), flags == [__debug__])\n"
    )
    (tmp_path / "told_by_name.py").write_text(script)
    flags = {
        "-c": ["-c", script],
        "-": ["-"],
        "-i": ["-i", "-q"],
        "-m": ["-O", "-m", "told_by_name"],
    }
    if way != "-m":
        # Names of the standard library in the folder are nothing that a worker trips over.
        (tmp_path / "socket.py").write_text("raise ImportError('not the real one')\n")
        flags[way].insert(0, "-P")
    done = subprocess.run(
        [sys.executable, *flags[way]],
        input=script if way in {"-", "-i"} else None,
        cwd=tmp_path,
        capture_output=True,
        timeout=90,
        check=False,
        text=True,
    )
    assert "[0, 2, 4] True True" in done.stdout, done.stderr
