# SPDX-License-Identifier: BSD-3-Clause
"""The plain loop in C: what a programmer gets who writes this one backtest by hand.

Moving averages are given. Each pair is one pass over the bars: which average is above, an order
where that changes, the value, and the sums for the Sharpe ratio. It is compiled here, with the
compiler of the machine, into a temporary folder, and runs in as many threads as there are cores.
"""

from __future__ import annotations

import ctypes
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import CORES

FLAGS = ["-O3", "-march=native", "-fPIC", "-shared"]
SOURCE = r"""
#include <math.h>
#include <stdint.h>

void sharpe(const double *averages, int64_t bars, const int64_t *fast, const int64_t *slow,
            int64_t first, int64_t last, const double *close, double fees, double year,
            double *found)
{
    for (int64_t pair = first; pair < last; pair++) {
        const double *a = averages + fast[pair] * bars, *b = averages + slow[pair] * bars;
        double cash = 100.0, units = 0.0, before = 100.0, sum = 0.0, squares = 0.0;
        int side = 0; /* 1: a is above, -1: it is below, 0: not known yet */
        for (int64_t t = 0; t < bars; t++) {
            int now = a[t] > b[t] ? 1 : a[t] < b[t] ? -1 : a[t] == b[t] ? side : 0;
            if (now != side) {
                if (now > 0 && side < 0 && units == 0.0) {
                    units = cash / (close[t] * (1.0 + fees));
                    cash = 0.0;
                } else if (now < 0 && side > 0 && units > 0.0) {
                    cash = units * close[t] * (1.0 - fees);
                    units = 0.0;
                }
                side = now;
            }
            double value = cash + units * close[t], change = value / before - 1.0;
            before = value;
            sum += change;
            squares += change * change;
        }
        double mean = sum / bars, variance = (squares - bars * mean * mean) / (bars - 1);
        found[pair] = variance > 1e-24 ? mean / sqrt(variance) * sqrt(year) : NAN;
    }
}
"""

Loop = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def compiler() -> str:
    """Return the path of the C compiler of this machine, or nothing."""
    return shutil.which(os.environ.get("CC", "gcc")) or shutil.which("cc") or ""


def library(source: str) -> Any:
    """Compile and load C source; None without a compiler."""
    program = compiler()
    if not program:
        return None
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        text, built = folder / "loop.c", folder / "loop.so"
        text.write_text(source, encoding="ascii")
        subprocess.run([program, *FLAGS, str(text), "-o", str(built), "-lm"], check=True)
        return ctypes.CDLL(str(built))
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a loaded library stays mapped


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    """Return the address of an array's first value."""
    return ctypes.c_void_p(array.ctypes.data)


@cache
def pool() -> ThreadPoolExecutor:
    """Return as many threads as there are cores, the same at every call."""
    return ThreadPoolExecutor(CORES)


def in_threads(part: Callable[[int, int], None], count: int) -> Callable[[], None]:
    """Return a job that calls `part` for equal ranges of a count, a core each."""
    ends = [count * number // CORES for number in range(CORES + 1)]

    def job() -> None:
        for waiting in [pool().submit(part, *ends[k : k + 2]) for k in range(CORES)]:
            waiting.result()

    return job


def loop(fees: float, year: float) -> Loop | None:
    """Compile the loop; None without a compiler.

    It takes averages (rows, bars), the rows of both sides (pairs,) and closes (bars,), and returns
    Sharpe ratios (pairs,).
    """
    built = library(SOURCE)
    if built is None:
        return None

    def run(
        averages: np.ndarray, fast: np.ndarray, slow: np.ndarray, close: np.ndarray
    ) -> np.ndarray:
        averages, close = np.ascontiguousarray(averages), np.ascontiguousarray(close)
        fast, slow = (np.ascontiguousarray(rows, dtype=np.int64) for rows in (fast, slow))
        found = np.full(len(fast), math.nan)

        def part(first: int, last: int) -> None:
            built.sharpe(
                pointer(averages), ctypes.c_int64(averages.shape[1]), pointer(fast), pointer(slow),
                ctypes.c_int64(first), ctypes.c_int64(last), pointer(close),
                ctypes.c_double(fees), ctypes.c_double(year), pointer(found),
            )  # fmt: skip

        in_threads(part, len(fast))()
        return found

    return run
