# SPDX-License-Identifier: BSD-3-Clause
"""Workers and drivers of Dask killed in the middle: nothing finished is lost or done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import broadpeak as bp

N = 20_000
SCRIPT = """
import os, sys
from pathlib import Path
import numpy as np
import broadpeak as bp

folder, how = Path(sys.argv[1]), sys.argv[2]

options = {"engine": "dask", "n_workers": 2, "store": folder / "store.db"}
options |= {"distribute": "chunks", "chunk_len": 100, "retries": 3, "store_key": "1"}
if how == "serial":
    options = {}

@bp.parameterized(merge_func="concat", show_progress=False, **options)
def score(a, b):
    # One line for each call, written at once: it tells what ran, and how often.
    handle = os.open(folder / f"ran-{os.getpid()}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, b"%d\\n" % (a * 100 + b))
    os.close(handle)
    return float(np.exp(np.sin(a * 1.1) + np.cos(b * 0.7) * 1e-3))

found = score(bp.Param(range(200)), bp.Param(range(100)))
(folder / f"{how}.bytes").write_bytes(found.to_numpy().tobytes())
found.index.to_frame().to_csv(folder / f"{how}.csv")
"""


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> bool:
    """Return whether `condition` came true in time."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if condition():
            return True
        pause.wait(0.01)
    return condition()


def ran(folder: Path) -> list[int]:
    """Return the number of every call that was made, as often as it was."""
    return [int(n) for path in folder.glob("ran-*") for n in path.read_text().split()]


def n_calls(folder: Path) -> int:
    """Return how many calls were made."""
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("ran-*"))


def start(folder: Path, how: str = "dask") -> subprocess.Popen[bytes]:
    script = folder / "script.py"
    script.write_text(SCRIPT)
    return subprocess.Popen([sys.executable, str(script), str(folder), how])


def finished(folder: Path) -> set[int]:
    """Return the numbers of the combinations that the store holds."""
    if not (folder / "store.db").exists():
        return set()
    store = bp.Store(folder / "store.db")
    trials = store.trials(int(store.runs()["run"].iloc[0]))
    return set((trials["a"].astype(int) * 100 + trials["b"].astype(int)).tolist())


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    folder = tmp_path_factory.mktemp("serial")
    assert start(folder, "serial").wait(120) == 0
    return (folder / "serial.bytes").read_bytes(), (folder / "serial.csv").read_text()


def check(folder: Path, expected: tuple[bytes, str]) -> None:
    assert (folder / "dask.bytes").read_bytes() == expected[0]
    assert (folder / "dask.csv").read_text() == expected[1]
    assert finished(folder) == set(range(N))


@pytest.mark.engine
@pytest.mark.slow
def test_a_worker_is_killed_in_the_middle(tmp_path: Path, expected: tuple[bytes, str]) -> None:
    process = start(tmp_path)
    pids: list[int] = []
    for n_before in (2_000, 7_000, 12_000):
        assert wait_for(lambda n=n_before: n_calls(tmp_path) >= n)
        paths = sorted(tmp_path.glob("ran-*"), key=lambda path: path.stat().st_mtime)
        pids.append(int(paths[-1].name.partition("-")[2]))
        with suppress(ProcessLookupError):
            os.kill(pids[-1], signal.SIGKILL)
    assert process.wait(240) == 0
    check(tmp_path, expected)
    counts = np.bincount(ran(tmp_path), minlength=N)
    assert counts.min() == 1
    # At most what was on the way was made again: two chunks for each of two workers. A worker takes
    # along the results that nobody has fetched from it.
    assert (counts > 1).sum() <= 400 * len(pids)
    assert counts.max() <= 1 + len(pids)


@pytest.mark.engine
@pytest.mark.slow
def test_the_program_is_killed_in_the_middle(tmp_path: Path, expected: tuple[bytes, str]) -> None:
    kept: set[int] = set()
    before = np.zeros(N, dtype=int)
    starts = sorted(np.random.default_rng(7).integers(1, N - 2_000, 4).tolist())
    for n_before in [*starts, None]:
        process = start(tmp_path)
        if n_before is None:
            assert process.wait(240) == 0
        else:
            assert wait_for(lambda n=n_before: n_calls(tmp_path) >= n)
            process.kill()
            process.wait()
            # No orphan goes on: soon no further call is made.
            wait_for_rest(tmp_path)
        after = np.bincount(ran(tmp_path), minlength=N)
        again = set(np.flatnonzero(after - before).tolist())
        assert not again.intersection(kept)  # what was finished did not run again
        kept, before = finished(tmp_path), after
    check(tmp_path, expected)
    assert before.min() == 1
    # Of each program that was killed, at most what was on the way ran again: a chunk for each of
    # two workers, and one ahead for each.
    assert before.sum() - N <= 400 * len(starts)


def wait_for_rest(folder: Path) -> None:
    """Wait until no call is made for a second."""
    pause, n_before = threading.Event(), -1
    while (n_now := n_calls(folder)) != n_before:
        n_before = n_now
        pause.wait(1.0)
