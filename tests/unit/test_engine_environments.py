# SPDX-License-Identifier: BSD-3-Clause
"""Process engines in hostile environments: they work or say why not, and never hang."""

from __future__ import annotations

import os
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

EVERY = ["threadpool", "processpool", "joblib", "pathos", "mpire", "dask", "ray"]

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
    "more workers than cores": """
import broadpeak as bp
n_workers = 3 * os.cpu_count()
tasks = [bp.Task(pow, 2, i) for i in range(2 * n_workers)]
options = {"distribute": "chunks", "chunk_len": 1}
found = bp.execute(tasks, engine=ENGINE, n_workers=n_workers, **options)
assert found == [2**i for i in range(2 * n_workers)]
tell(found[:5])
""",
    "task of every engine": f"""
import broadpeak as bp
for outer in {EVERY}:
    tell(bp.execute([bp.Task(run, 5)], engine=outer, n_workers=2)[0])
""",
}
# A child started by spawn has no `out` of its own: it writes to what its parent printed to.
PLACES["daemonic process"] = (
    "def lambda_free(out):\n    os.write(1, f'{run()};'.encode())\n" + PLACES["daemonic process"]
)

# What an engine may refuse, if it says what to do; that is all that is expected of it.
REFUSED = {
    ("joblib", "folder that is gone"),
    ("joblib", "no streams"),
    ("joblib", "closed streams"),
    ("mpire", "daemonic process"),
    ("mpire", "pool of processes"),  # its workers are daemons
}
ANSWERS = {"folder that goes while workers are warm": 3, "daemonic process": 2}
ANSWERS |= {"pool of processes": 2, "task of every engine": len(EVERY)}


def answers(engine: str, script: Path, *, seconds: float = 90.0) -> list[str]:
    """Return what the script printed; one that hangs is ended, and fails the test."""
    command = [sys.executable, str(script), engine]
    done = subprocess.run(command, capture_output=True, timeout=seconds, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(";")[:-1]


SLOW = {"task of every engine", "more workers than cores"}


OTHERS = ["joblib", "pathos", "mpire", "dask", "ray"]


@pytest.mark.engine
@pytest.mark.parametrize(
    "place", [pytest.param(p, marks=[pytest.mark.slow] if p in SLOW else []) for p in PLACES]
)
@pytest.mark.parametrize(
    "engine",
    ["processpool", *(pytest.param(e, marks=pytest.mark.slow) for e in OTHERS)],
)
def test_place(engine: str, place: str, tmp_path: Path) -> None:
    if (engine, place) == ("joblib", "closed handles of streams"):
        pytest.skip("its workers take the pipe for their standard output, and die")
    script = tmp_path / "script.py"
    script.write_text(START + PLACES[place])
    # The slow ones start a cluster of every kind.
    printed = answers(engine, script, seconds=300.0 if place in SLOW else 90.0)
    assert len(printed) == ANSWERS.get(place, 1)
    if (engine, place) in REFUSED:
        assert all("threadpool" in answer for answer in printed if answer.startswith("refused"))
        assert all(answer.startswith(("refused", "[1, 2")) for answer in printed)
    else:
        assert printed == ["[1, 2, 4, 8, 16]"] * len(printed)


# A program without `if __name__ == "__main__":` that tells how often it was run.
PROGRAM = """
import os
import broadpeak as bp

print("begins")

class Pair:
    def __init__(self, x):
        self.x = x

FACTOR = 2

def double(x):
    return Pair(FACTOR * x.x)

options = {"engine": ENGINE, "n_workers": 2, "engine_options": OPTIONS}
tasks = [bp.Task(double, Pair(i)) for i in range(3)]
pairs = bp.execute(tasks, **options)
flags = bp.execute([bp.Task(eval, "__debug__"), bp.Task(os.getpid)], **options)
print([p.x for p in pairs], all(type(p) is Pair for p in pairs), flags[0] == __debug__)
print("elsewhere" if flags[1] != os.getpid() else "here")
"""

METHODS = {
    "processpool": ["fresh", "fork", "spawn", "forkserver"],
    "pathos": ["fork", "spawn", "forkserver"],
    "mpire": ["fork", "spawn", "forkserver"],
}
ROWS = [(engine, method) for engine in OTHERS for method in METHODS.get(engine, [""])]
ROWS = [("processpool", method) for method in METHODS["processpool"]] + ROWS
WAYS = ["script", "-c", "-", "-i", "-m", "ipython", "ipython -c", "notebook"]
QUICK = {
    ("processpool", "fresh"): {"-c", "-", "-i", "-m", "notebook"},
    ("mpire", "fork"): {"script"},
}

NOTEBOOK = """
import sys
import nbclient, nbformat
cells = [nbformat.v4.new_code_cell(text) for text in open(sys.argv[1]).read().split("\\n\\n")]
notebook = nbformat.v4.new_notebook(cells=cells)
nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
for cell in notebook.cells:
    for output in cell.outputs:
        print(output.get("text", output))
"""


def printed_by(way: str, program: str, folder: Path, *, hostile: bool) -> tuple[str, str]:
    """Run `program` in the way that a user does; return what it wrote to both streams."""
    (folder / "told_by_name.py").write_text(program)
    command = {
        "script": ["told_by_name.py"],
        "-c": ["-P", "-c", program],
        "-": ["-P", "-"],
        "-i": ["-P", "-i", "-q"],
        "-m": [*(["-O"] if hostile else []), "-m", "told_by_name"],
        "ipython": ["-m", "IPython", "told_by_name.py"],
        "ipython -c": ["-m", "IPython", "-c", program],
        "notebook": ["-P", "-c", NOTEBOOK, "told_by_name.py"],
    }[way]
    if command[0] == "-P" and way != "notebook" and hostile:  # a kernel looks in the folder first
        # Names of the standard library in the folder are nothing that a worker trips over.
        (folder / "socket.py").write_text("raise ImportError('not the real one')\n")
    done = subprocess.run(
        [sys.executable, *command],
        input=program if way in {"-", "-i"} else None,
        cwd=folder,
        env={
            **os.environ,
            "HOME": str(folder),
            "IPYTHONDIR": str(folder),
            "JUPYTER_PLATFORM_DIRS": "1",
        },
        capture_output=True,
        timeout=150,
        check=False,
        text=True,
    )
    return done.stdout, done.stderr


@pytest.mark.engine
@pytest.mark.parametrize(
    ("engine", "method", "way"),
    [
        pytest.param(
            engine,
            method,
            way,
            marks=[] if way in QUICK.get((engine, method), ()) else [pytest.mark.slow],
        )
        for engine, method in ROWS
        for way in WAYS
    ],
)
def test_ways_to_run_a_program(engine: str, method: str, way: str, tmp_path: Path) -> None:
    needed = {"ipython": "IPython", "ipython -c": "IPython", "notebook": "nbclient"}.get(way)
    if needed is not None:
        pytest.importorskip(needed)
    options = {"start_method": method} if method else {}
    program = PROGRAM.strip().replace("ENGINE", repr(engine)).replace("OPTIONS", repr(options))
    if way == "-i":
        program = program.replace(
            "    return Pair(FACTOR * x.x)\n", "    return Pair(FACTOR * x.x)\n\n"
        )
    # Workers of joblib have no flag of their parent.
    out, errors = printed_by(way, program + "\n", tmp_path, hostile=engine != "joblib")
    assert out.count("begins") == 1, errors
    assert "[0, 2, 4] True True" in out, errors
    assert "elsewhere" in out
    assert "Traceback" not in errors
