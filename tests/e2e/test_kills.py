# SPDX-License-Identifier: BSD-3-Clause
"""SIGKILL at every state of a run and at random moments: nothing finished is lost or run again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import broadpeak as bp

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        not Path("/proc/self/stat").exists(), reason="reads the process table of Linux"
    ),
]
SECONDS = 60.0

STATES = textwrap.dedent(
    """
    import json, os, signal, sqlite3, struct, sys
    import broadpeak as bp

    folder, engine = sys.argv[1:]
    N = 24
    hits = 0


    def come_to(name):
        global hits
        if name == state:
            hits += 1
            if hits == at:
                os.kill(os.getpid(), signal.SIGKILL)


    class Watched(sqlite3.Connection):
        kind = ""

        def execute(self, sql, *args):
            if sql.startswith("BEGIN"):
                self.kind = ""
            elif sql.startswith("INSERT"):
                self.kind = "claimed" if "INTO claims" in sql else "committed"
            elif sql == "COMMIT" and self.kind == "committed":
                come_to("written")
            result = super().execute(sql, *args)
            if sql == "COMMIT" and self.kind:
                come_to(self.kind)
            return result


    def append(name, text):
        with open(f"{path}.{name}", "a") as file:
            file.write(text)


    def seventh(number, path):
        import os, pathlib, signal  # no global name: what it refers to is part of the call

        with open(f"{path}.ran", "a") as file:
            file.write(f"{number} ")
        fatal = pathlib.Path(f"{path}.fatal").read_text().split()
        if fatal[0] == str(number):
            os.kill(int(fatal[1]), signal.SIGKILL)  # the driver, which waits for this worker
        return number / 7


    def report(positions):
        append("told", "".join(f"{position} " for position in positions))
        come_to("reported")


    def merge(results):
        come_to("merged")
        return struct.pack(f"<{len(results)}d", *results).hex()


    def run():
        fatal = at if state == "computed" else -1
        with open(f"{path}.fatal", "w") as file:
            file.write(f"{fatal} {os.getpid()}")
        tasks = [bp.Task(seventh, number, path) for number in range(N)]
        append("answer", bp.execute(
            tasks, engine=engine, n_workers=2, store=path, merge_func=merge, chunk_len=3,
            post_chunk_func=report, post_chunk_kwargs={"positions": bp.Rep("chunk_meta")},
        ))


    # What a run imports is imported before the first fork.
    bp.execute([bp.Task(pow, 2, 3)], store=f"{folder}/first.db")
    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **kwargs: connect(*args, factory=Watched, **kwargs)
    for line in sys.stdin:
        path, state, at = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                run()
                bp.engines.shutdown()
            finally:
                sys.stdout.flush()
                os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    """
)


def numbers(path: Path, name: str) -> list[int]:
    file = Path(f"{path}.{name}")
    return [int(number) for number in file.read_text().split()] if file.exists() else []


def stored(path: Path) -> dict[Any, Any]:
    """Return what the store holds: call -> value."""
    if not path.exists():
        return {}
    with bp.Store(path) as store:
        if not store.runs()["trials"].sum():
            return {}
        trials = store.trials(1)
    found = dict(zip(trials[trials.columns[0]], trials["value"], strict=True))
    assert len(found) == len(trials)
    return found


@pytest.mark.parametrize(
    "engine",
    [
        "serial",
        "threadpool",
        pytest.param("processpool", marks=pytest.mark.slow),
        pytest.param("joblib", marks=pytest.mark.slow),
    ],
)
def test_killed_at_every_state(engine: str, tmp_path: Path) -> None:
    script = tmp_path / "states.py"
    script.write_text(STATES)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", str(script), str(tmp_path), engine]
    states = ["claimed", "computed", "written", "committed", "reported"]
    kills = [(state, at) for state in states for at in (1, 2, 7)] + [("merged", 1)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def run(path: Path, state: str, at: int) -> int:
            process.stdin.write(json.dumps([str(path), state, at]) + "\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        expected = np.array([number / 7 for number in range(24)]).tobytes().hex()
        for state, at in kills:
            path = tmp_path / f"{state}{at}.db"
            assert run(path, state, at) == -signal.SIGKILL, (state, at)
            kept = stored(path)
            assert set(numbers(path, "told")) <= set(kept), (state, at)
            if state == "merged":
                assert len(kept) == 24
            ran = numbers(path, "ran")
            # A worker may still end the call that it was at.
            assert set(kept) <= set(ran), (state, at)
            Path(f"{path}.ran").unlink(missing_ok=True)
            assert run(path, "", 0) == 0, (state, at)
            left = Counter(numbers(path, "ran"))
            missing = set(range(24)) - set(kept)
            assert missing <= set(left), (state, at)
            assert Path(f"{path}.answer").read_text() == expected, (state, at)
            if engine in {"serial", "threadpool"}:
                assert left == Counter(missing), (state, at)
        process.stdin.close()


# --- random moments ---------------------------------------------------------------------------

SWEEP = textwrap.dedent(
    """
    import os, sys
    import broadpeak as bp

    def work(a, b):
        log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(log, b"%8d" % (200 * a + b))
        os.close(log)
        return (a + 0.1) / (b + 0.7)

    if __name__ == "__main__":
        options = {"distribute": "chunks", "chunk_len": 40} if sys.argv[4] == "chunks" else {}
        sweep = bp.parameterized(
            work, merge_func="concat", store=sys.argv[1], engine=sys.argv[3], n_workers=2,
            retries=int(sys.argv[5]), **options
        )
        found = sweep(bp.Param(range(100)), bp.Param(range(200)))
        sys.stdout.buffer.write(found.to_numpy().tobytes())
    """
)
N = 20_000


class Sweep:
    """The sweep, in a process of its own that may be killed."""

    def __init__(self, folder: Path, engine: str, how: str, retries: int = 0) -> None:
        script = folder / "sweep.py"
        script.write_text(SWEEP)
        self.store, self.log = folder / "a.db", folder / "log"
        options = [str(self.store), str(self.log), engine, how, str(retries)]
        self.command = [sys.executable, str(script), *options]
        self.seen = 0

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    def size(self) -> int:
        """Return how many calls have begun, in all runs."""
        return self.log.stat().st_size // 8 if self.log.exists() else 0

    def begun(self) -> list[int]:
        """Return which calls have begun since this was asked last."""
        numbers = [int(number) for number in self.log.read_text().split()] if self.size() else []
        new, self.seen = numbers[self.seen :], len(numbers)
        return new

    def kept(self) -> set[int]:
        """Return which calls are finished, once their values are looked at."""
        if not self.store.exists():
            return set()
        with bp.Store(self.store) as store:
            if not store.runs()["trials"].sum():
                return set()
            trials = store.trials(1)
        a, b = trials["a"].to_numpy(), trials["b"].to_numpy()
        assert (trials["value"].to_numpy() == (a + 0.1) / (b + 0.7)).all()
        kept = {int(number) for number in 200 * a + b}
        assert len(kept) == len(trials)
        return kept


def wait_for(condition: Any, seconds: float = SECONDS) -> bool:
    """Return whether `condition` came true in time."""
    tick = threading.Event()
    for _ in range(int(seconds / 0.005)):
        if condition():
            return True
        tick.wait(0.005)
    return False


def members(session: int) -> list[int]:
    """Return all processes that run in `session`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, _, its = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its) == session and state != "Z":
                found.append(int(folder.name))
    return found


def answer() -> bytes:
    a, b = np.divmod(np.arange(N), 200)
    found: bytes = ((a + 0.1) / (b + 0.7)).tobytes()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processpool", "threadpool"])
@pytest.mark.parametrize("how", ["tasks", "chunks"])
def test_twenty_kills_of_twenty_thousand_combinations(
    how: str, engine: str, tmp_path: Path
) -> None:
    chance = random.Random(f"{how} {engine}")
    sweep = Sweep(tmp_path, engine, how)
    before: set[int] = set()
    for kill in range(20):
        goal = sweep.size() + chance.choice([0, 1, 30, 300, 900]) * chance.random()
        with sweep.start() as process:
            tick = threading.Event()
            wait_for(lambda goal=goal: sweep.size() > goal or process.poll() is not None)
            tick.wait(chance.random() * 0.02)
            assert process.poll() is None, (kill, process.stderr.read())
            process.kill()
        # No orphan goes on: workers end with what they are at.
        assert wait_for(lambda pid=process.pid: not members(pid)), members(process.pid)
        begun, kept = sweep.begun(), sweep.kept()
        assert before <= kept
        assert not before.intersection(begun)  # nothing finished ran again
        assert kept - before <= set(begun)
        assert len(begun) == len(set(begun))
        # What was on the way, and no more: two batches a worker.
        assert len(begun) - len(kept - before) <= 4 * (40 if how == "chunks" else 1)
        before = kept
    assert 0 < len(before) < N
    with sweep.start() as process:
        found, errors = process.communicate()
    assert process.returncode == 0, errors
    assert found == answer()
    begun = sweep.begun()
    assert sorted(begun) == sorted(set(range(N)) - before)
    assert sweep.kept() == set(range(N))
    with sweep.start() as process:
        assert process.communicate()[0] == answer()
    assert sweep.begun() == []


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processpool", "pathos"])
@pytest.mark.parametrize("how", ["tasks", "chunks"])
def test_workers_killed_at_random_moments(how: str, engine: str, tmp_path: Path) -> None:
    """With a second try for what died, the run itself goes on to its end."""
    chance = random.Random(f"{how} {engine}")
    sweep = Sweep(tmp_path, engine, how, retries=20)
    n_killed = 0
    with sweep.start() as process:
        for goal in sorted(chance.sample(range(100, N - 2000), 10)):
            wait_for(lambda goal=goal: sweep.size() > goal or process.poll() is not None)
            workers = [pid for pid in members(process.pid) if pid != process.pid]
            for pid in chance.sample(workers, min(len(workers), chance.randint(1, 2))):
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    n_killed += 1
        found, errors = process.communicate()
    assert process.returncode == 0, errors
    assert n_killed >= 10
    assert found == answer()
    times = Counter(sweep.begun())
    assert set(times) == set(range(N))
    assert sum(times.values()) - N <= n_killed * (40 if how == "chunks" else 1)
    assert sweep.kept() == set(range(N))
    assert wait_for(lambda: not members(process.pid))
