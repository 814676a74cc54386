# SPDX-License-Identifier: BSD-3-Clause
"""Time and memory of a job, measured in a fresh process of its own; used on both sides.

Nothing but the standard library is imported here, so that the interpreter of a peer can run it.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Times(NamedTuple):
    """Shortest wall and CPU time of a job in seconds, and how often it ran."""

    wall: float
    cpu: float
    runs: int


def cpu_seconds() -> float:
    """Return the CPU time of this process, its threads and its finished children."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def processes(root: int, without: int = 0) -> list[int]:
    """Return the processes that descend from `root`, itself included, `without` excluded."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(folder.name))
    found, todo = [], [root]
    while todo:
        process = todo.pop()
        if process != without:
            found.append(process)
            todo += parents.get(process, [])
    return found


def tree_cpu(without: int = 0) -> Callable[[], float]:
    """Return a function that says what CPU time this process and its descendants have used since.

    That of descendants, also of those that ended, ticks in hundredths of a second. What looking at
    them takes does not count, nor does the process `without`.
    """

    def others() -> float:
        ticks = 0
        for process in processes(os.getpid(), without)[1:]:
            with suppress(OSError):
                stat = Path(f"/proc/{process}/stat").read_text()
                ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
        return sum(os.times()[2:4]) + ticks / os.sysconf("SC_CLK_TCK")

    before, began = others(), time.process_time()

    def used() -> float:
        own = time.process_time() - began
        return own + others() - before

    return used


def once(job: Callable[[], Any]) -> Times:
    """Run a job once."""
    fine, coarse = time.process_time(), cpu_seconds() - time.process_time()
    start = time.perf_counter()
    job()
    wall = time.perf_counter() - start
    # The clock of children ticks in hundredths of a second: only they are read from it.
    children = cpu_seconds() - time.process_time() - coarse
    return Times(wall, time.process_time() - fine + (children if children > 0.015 else 0.0), 1)


def best(job: Callable[[], Any], seconds: float = 1.0, most: int = 50, least: int = 3) -> Times:
    """Run a job again and again for some seconds; return its shortest times."""
    return in_turn([job], seconds, most, least)[0]


def in_turn(
    jobs: Sequence[Callable[[], Any]], seconds: float = 2.0, most: int = 50, least: int = 3
) -> list[Times]:
    """Run jobs in turn, so that all share the noise; return the shortest times of each."""
    found: list[list[Times]] = [[] for _ in jobs]
    start = time.perf_counter()
    while len(found[0]) < least or (len(found[0]) < most and time.perf_counter() - start < seconds):
        for job, times in zip(jobs, found, strict=True):
            times.append(once(job))
    return [
        Times(min(t.wall for t in times), min(t.cpu for t in times), len(times)) for times in found
    ]


def peak_mb() -> float:
    """Return the largest resident set of this process so far, in MB.

    `getrusage` would not do: its maximum outlives `exec`, so that a child of a large process starts
    with the peak of its parent.
    """
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return math.nan
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


def limit_memory(share: float = 0.7) -> None:
    """Let this process fail instead of taking the machine down."""
    try:
        import resource

        text = Path("/proc/meminfo").read_text(encoding="ascii")
        free = int(text.partition("MemAvailable:")[2].split()[0]) * 1024
        resource.setrlimit(resource.RLIMIT_AS, (int(free * share) + 2**32,) * 2)
    except (ImportError, OSError, ValueError):
        return


def compilations() -> Callable[[], int]:
    """Return a function that says how much Numba has compiled since, nothing where it is not."""
    if "numba" not in sys.modules:
        return lambda: 0
    event = importlib.import_module("numba.core.event")
    seen = event.RecordingListener()
    event.register("numba:compile", seen)
    return lambda: sum(one.is_start for _, one in seen.buffer)


def report(result: Mapping[str, Any]) -> None:
    """Print what a process found as its last line, for `spawn`."""
    print(json.dumps(result), flush=True)


class FailedError(RuntimeError):
    """A measuring process ended with an error."""


def spawn(
    module: str, *arguments: str, python: str = "", env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run `module` in a fresh process and return what it reports.

    Raises
    ------
    FailedError
        It ended with an error; its last lines are the message.
    """
    done = subprocess.run(
        [python or sys.executable, "-m", module, *arguments],
        capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **(env or {})},
    )  # fmt: skip
    if done.returncode:
        raise FailedError(
            "\n".join(done.stderr.splitlines()[-12:]) or f"exit code {done.returncode}"
        )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def in_words(value: float) -> str:
    """Return a time in the unit that reads best."""
    if value >= 1000:
        return f"{value:,.0f} s"  # three digits would be a power of ten
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def times_as_fast(ours: Mapping[str, Any], theirs: Mapping[str, Any], scale: float = 1.0) -> str:
    """Return the ratio of wall times, and of CPU times where it is another one."""
    wall = theirs["wall"] * scale / ours["wall"]
    text = in_times(wall)
    if not (ours["cpu"] > 0 and theirs["cpu"] > 0):  # unknown, or less than the clock can tell
        return text
    cpu = theirs["cpu"] * scale / ours["cpu"]
    return text if abs(math.log(cpu / wall)) < 0.1 else f"{text} (CPU {in_times(cpu)})"


def in_times(ratio: float) -> str:
    """Return a ratio with three digits, and never as a power of ten."""
    return f"{ratio:,.0f} ×" if ratio >= 100 else f"{ratio:.3g} ×"


def put_between(path: Path, begin: str, text: str, end: str = "<!-- end of table -->") -> None:
    """Put a table between the marks of a page.

    Raises
    ------
    SystemExit
        The page has no marks.
    """
    page = path.read_text(encoding="utf-8")
    before, mark, rest = page.partition(begin)
    _, last, after = rest.partition(end)
    if not mark or not last:
        raise SystemExit(f"{path.name} must have the lines {begin} and {end}, but has not.")
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")
