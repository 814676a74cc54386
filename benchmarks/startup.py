# SPDX-License-Identifier: BSD-3-Clause
"""Start-up: the first result of a process that finds no compiled kernels, and the import."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.calls import plain_body
from benchmarks.cases import Case, Result
from benchmarks.training import example


def first(quick: bool) -> Result:
    """The first Sharpe ratio of a process: import, one crossing, one portfolio."""
    del quick
    started = time.perf_counter()
    import broadpeak as bp

    data = bp.Data.sample("AAPL")
    value = plain_body(data, 10, 50)
    return {"inside": time.perf_counter() - started, "n": 1, "figures": [float(value)]}


def first_training(quick: bool) -> Result:
    """The first training of a process."""
    del quick
    started = time.perf_counter()
    import broadpeak as bp

    strategy, data = example()
    bp.train(strategy, data, min_trades=30)
    return {"inside": time.perf_counter() - started, "n": 57}


IMPORT = """
import time
import numpy
start, spent = time.perf_counter(), time.process_time()
import broadpeak
print(time.perf_counter() - start, time.process_time() - spent)
"""


def imported() -> Result:
    """Measure what importing the library costs, NumPy being there."""
    line = [sys.executable, "-c", IMPORT]
    seen = [subprocess.run(line, capture_output=True, text=True, check=True) for _ in range(9)]
    times = [[float(text) for text in done.stdout.split()] for done in seen]
    return {"wall": min(t[0] for t in times), "cpu": min(t[1] for t in times), "n": 1}


CASES: dict[str, Case] = {"first": first, "first_training": first_training}
