# SPDX-License-Identifier: BSD-3-Clause
"""What sweeps cost whose results are not held: rates, CPU seconds, and peaks of all processes.

Run: ``python -m benchmarks.streaming [n] [case …]``; every case is a process of its own. The peak
is the proportional memory (PSS) of that process and its workers together, imports included.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measuring import tree_cpu
from benchmarks.memory import MB, Watcher

ENGINES = ("serial", "threadpool", "processpool")
KEEPS = ("top", "mean", "mean of many", "file")
CASES = [("compiled", keep, engine) for keep in KEEPS for engine in ENGINES]
CASES += [("plain", "top", engine) for engine in ENGINES]
CASES += [("ratios", "top", "serial"), ("portfolios", "top", "serial")]


class Mean:
    """A reducer as a user would write it."""

    def start(self) -> tuple[int, float]:
        return 0, 0.0

    def add(self, state: tuple[int, float], position: int, value: float) -> tuple[int, float]:
        return state[0] + 1, state[1] + value

    def merge(self, left: tuple[int, float], right: tuple[int, float]) -> tuple[int, float]:
        return left[0] + right[0], left[1] + right[1]


class MeanOfMany(Mean):
    def add_many(self, state: tuple[int, float], positions: Any, values: Any) -> Any:
        return state[0] + len(values), state[1] + float(np.sum(np.asarray(values)))


def scatter(a: int, b: int) -> float:
    return ((a * 2654435761 + b * 40503 + a * b) % 1000003) / 7


def crossings(data: Any, fast: int, slow: int) -> Any:
    quick = data.run("bp:ma", fast, hide_params=True)
    calm = data.run("bp:ma", slow, hide_params=True)
    return quick.ma_crossed_above(calm), quick.ma_crossed_below(calm)


def ratio(data: Any, fast: int, slow: int) -> float:
    import broadpeak as bp

    return bp.PF.from_signals(data, *crossings(data, fast, slow), fees=0.001).sharpe_ratio


def stopped(data: Any, fast: int, slow: int) -> Any:
    import broadpeak as bp

    stops = bp.Param(np.linspace(0.005, 0.3, 100).tolist(), name="stop")
    up, down = crossings(data, fast, slow)
    return bp.PF.from_signals(data, up, down, fees=0.001, sl_stop=stops)


def sweep(what: str, keep: str, engine: str, folder: str) -> tuple[Callable[[int], Any], int]:
    """Return what runs `n` combinations, and a small number for the first run."""
    import numba

    import broadpeak as bp

    reducers = {"top": bp.top(1000), "mean": Mean(), "mean of many": MeanOfMany()}
    by = "sharpe_ratio" if what == "portfolios" else None
    options: dict[str, Any] = {"keep": bp.top(1000, by=by) if keep == "top" else reducers.get(keep)}
    if keep == "file":
        options = {"to": f"{folder}/scores.parquet"}
    if what in {"ratios", "portfolios"}:
        data = bp.Data.sample("IBM")
        function = bp.parameterized(ratio if what == "ratios" else stopped, **options)
        each = 1 if what == "ratios" else 100

        def run(n: int) -> int:
            side = max(2, int((n / each) ** 0.5))
            function(data, bp.Param(range(2, 2 + side)), bp.Param(range(2, 2 + side)))
            return side * side * each

        return run, 10_000
    body = numba.njit(scatter) if what == "compiled" else scatter
    function = bp.parameterized(body, engine=engine, n_workers=2, **options)

    def run(n: int) -> int:
        function(bp.Param(range(n // 1000)), bp.Param(range(1000)))
        return n // 1000 * 1000

    return run, 300_000


def measure(what: str, keep: str, engine: str, n: int) -> None:
    """Print the line of one case."""
    with tempfile.TemporaryDirectory() as folder:
        run, few = sweep(what, keep, engine, folder)
        run(few)
        with Watcher() as watcher:
            before = watcher.peak() / MB
            used, wall = tree_cpu(watcher.pid), time.perf_counter()
            done = run(n)
            wall, cpu = time.perf_counter() - wall, used()
            peak = watcher.peak() / MB
    where = f"{what}, {keep}, {engine}"
    print(
        f"{where:<40}{done:>13,} in {wall:7.2f} s, {cpu:6.2f} s of CPU, "
        f"{done / wall:>13,.0f}/s  peak {max(peak, before):4.0f} MB, {before:4.0f} MB before",
        flush=True,
    )


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--one"]:
        measure(*arguments[1:4], int(arguments[4]))
        return
    n = int(float(arguments[0])) if arguments else 10_000_000
    for case in CASES:
        if not arguments[1:] or set(arguments[1:]) & set(case):
            command = [sys.executable, "-m", "benchmarks.streaming", "--one", *case, str(n)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
