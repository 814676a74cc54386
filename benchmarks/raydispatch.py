# SPDX-License-Identifier: BSD-3-Clause
"""What a call costs through engine "ray", beside Ray's own pool of processes, in one run.

Run: ``python benchmarks/raydispatch.py``
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.util.multiprocessing import Pool

import broadpeak as bp
from broadpeak._run.calls import Calls

N = 100_000
N_WORKERS = 2


def no_op(number: int) -> int:
    return number


def cpu_seconds() -> float:
    """Return what this process and all of Ray's in its session have used."""
    ticks = 0
    session = os.getsid(0)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measured(name: str, work: Callable[[], Any]) -> float:
    """Print the shortest of three times, with the seconds that cores were busy; return it."""
    best, cpu = float("inf"), 0.0
    for _ in range(3):
        begun, used = time.perf_counter(), cpu_seconds()
        found = work()
        seconds = time.perf_counter() - begun
        assert found == list(range(N))
        if seconds < best:
            best, cpu = seconds, cpu_seconds() - used
    print(f"{name:<40}{N / best:12,.0f} calls/s{best:8.2f} s{cpu:8.2f} CPU s")
    return best


def main() -> None:
    """Start one cluster, and let both use it."""
    options: dict[str, Any] = {"engine": "ray", "n_workers": N_WORKERS, "show_progress": False}
    calls = Calls(no_op, varying={0: (range(N), np.arange(N))})
    tasks = [bp.Task(no_op, number) for number in range(N)]
    bp.execute(tasks[:100], **options)
    ours = [
        measured("Calls, chunks", lambda: bp.execute(calls, distribute="chunks", **options)),
        measured("Calls", lambda: bp.execute(calls, **options)),
        measured("list of Task", lambda: bp.execute(tasks, **options)),
        measured("generator of Task", lambda: bp.execute(iter(tasks), **options)),
    ]
    with Pool(N_WORKERS) as pool:  # on the same cluster, whose CPUs are free now
        pool.map(no_op, range(100))
        theirs = measured("Ray's pool.map", lambda: pool.map(no_op, range(N)))
    for name, seconds in zip(("chunks", "Calls", "list", "generator"), ours, strict=True):
        print(f"{name}: {seconds / theirs:.2f} of pool.map's time")
    ray.shutdown()


if __name__ == "__main__":
    main()
