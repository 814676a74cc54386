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
