# SPDX-License-Identifier: BSD-3-Clause
"""What a call through `execute` costs on each engine, beside joblib for the same calls.

Run: ``python benchmarks/dispatch.py``
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np

import broadpeak as bp
from broadpeak._run.calls import Calls

N = 100_000
N_JOBLIB_PROCESSES = 20_000  # joblib batches tiny tasks, but still takes seconds for more
LARGE = np.arange(5_000_000.0)


def no_op(fast: int, slow: int) -> float:
    return 1.0


def look(array: np.ndarray, place: int) -> float:
    return float(array[place])


def best(func: Callable[[], Any], repeat: int = 3) -> float:
    """Return the shortest of `repeat` times, in seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        func()
        times.append(time.perf_counter() - start)
    return min(times)


def calls_of(n: int) -> Calls:
    codes = np.arange(n)
    return Calls(no_op, varying={0: (range(1000), codes % 1000), 1: (range(n), codes // 1000)})


def line(name: str, seconds: float, n: int) -> None:
    print(f"{name:<44}{seconds / n * 1e6:9.3f} µs a call{n / seconds:14,.0f} calls/s")


def serial() -> None:
    calls, tasks = calls_of(N), list(calls_of(N))
    line("bare loop", best(lambda: [no_op(i, 2) for i in range(N)]), N)
    line("serial, Calls", best(lambda: bp.execute(calls)), N)
    line("serial, list of Task", best(lambda: bp.execute(tasks)), N)
    line("serial, generator of Task", best(lambda: bp.execute(iter(calls))), N)
    line("serial, Calls, on_error='record'", best(lambda: bp.execute(calls, on_error="record")), N)
    jobs = joblib.Parallel(n_jobs=1)
    line("joblib, n_jobs=1", best(lambda: jobs(joblib.delayed(no_op)(i, 2) for i in range(N))), N)


def parallel() -> None:
    calls = calls_of(N)
    for engine in bp.engines.available()[1:5]:
        for distribute in ("tasks", "chunks"):
            options: dict[str, Any] = {"engine": engine, "n_workers": 2, "distribute": distribute}
            bp.execute(calls, **options)  # warm
            line(f"{engine}, {distribute}", best(lambda: bp.execute(calls, **options)), N)  # noqa: B023
    n = N_JOBLIB_PROCESSES
    jobs = joblib.Parallel(n_jobs=2)
    jobs(joblib.delayed(no_op)(i, 2) for i in range(100))
    line(
        "joblib, n_jobs=2", best(lambda: jobs(joblib.delayed(no_op)(i, 2) for i in range(n)), 1), n
    )


def shared_array() -> None:
    n = 2000
    calls = Calls(look, (LARGE, None), varying={1: (range(n), range(n))})
    options: dict[str, Any] = {"engine": "processpool", "n_workers": 2}
    line("processpool, 40 MB shared", best(lambda: bp.execute(calls, **options)), n)
    jobs = joblib.Parallel(n_jobs=2)
    work = lambda: jobs(joblib.delayed(look)(LARGE, i) for i in range(n))  # noqa: E731
    line("joblib, n_jobs=2, 40 MB shared", best(work, 1), n)


def memory() -> None:
    for n in (100_000, 1_000_000):
        tracemalloc.start()
        calls = calls_of(n)
        bp.execute(calls)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        print(f"peak of {n:>9,} calls: {peak:6.1f} MB of which codes {2 * 8 * n / 1e6:.1f} MB")


if __name__ == "__main__":
    serial()
    parallel()
    shared_array()
    memory()
