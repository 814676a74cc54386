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
from pathlib import Path

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


def loop(fees: float, year: float, threads: int = CORES) -> Loop | None:
    """Compile the loop; None without a compiler.

    It takes averages (rows, bars), the rows of both sides (pairs,) and closes (bars,), and returns
    Sharpe ratios (pairs,).
    """
    program = compiler()
    if not program:
        return None
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        source, library = folder / "loop.c", folder / "loop.so"
        source.write_text(SOURCE, encoding="ascii")
        subprocess.run([program, *FLAGS, str(source), "-o", str(library), "-lm"], check=True)
        sharpe = ctypes.CDLL(str(library)).sharpe
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a loaded library stays mapped
    pool = ThreadPoolExecutor(threads)

    def pointer(array: np.ndarray) -> ctypes.c_void_p:
        return ctypes.c_void_p(array.ctypes.data)

    def run(
        averages: np.ndarray, fast: np.ndarray, slow: np.ndarray, close: np.ndarray
    ) -> np.ndarray:
        averages, close = np.ascontiguousarray(averages), np.ascontiguousarray(close)
        fast, slow = (np.ascontiguousarray(rows, dtype=np.int64) for rows in (fast, slow))
        found = np.full(len(fast), math.nan)
        ends = np.linspace(0, len(fast), threads + 1).astype(int).tolist()

        def part(number: int) -> None:
            sharpe(
                pointer(averages), ctypes.c_int64(averages.shape[1]), pointer(fast), pointer(slow),
                ctypes.c_int64(ends[number]), ctypes.c_int64(ends[number + 1]), pointer(close),
                ctypes.c_double(fees), ctypes.c_double(year), pointer(found),
            )  # fmt: skip

        list(pool.map(part, range(threads)))
        return found

    return run
