# SPDX-License-Identifier: BSD-3-Clause
"""What a call through `parameterized` costs, against joblib and a bare loop; memory of a million.

Run: ``python benchmarks/bench_parameterized.py``
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable

import joblib

import broadpeak as bp

N_FAST, N_SLOW = 100, 1000

MEMORY = """
import resource, time
import numba, broadpeak as bp

@bp.parameterized(merge_func="concat", show_progress=False)
@numba.njit(nogil=True)
def run(a, b):
    return a * 0.5 + b

run(bp.Param([1, 2]), bp.Param([1, 2]))
start = time.perf_counter()
result = run(bp.Param(range(1000)), bp.Param(range({n} // 1000)))
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{{len(result):>9,}} combinations: {{seconds:6.2f}} s, peak {{peak:5.0f}} MB")
"""


def no_op(fast: int, slow: int) -> float:
    return 1.0


def best_of(func: Callable[[], object], repeats: int = 5) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        func()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    pairs = list(itertools.product(range(N_FAST), range(N_SLOW)))
    sweep = bp.parameterized(no_op, merge_func="concat", show_progress=False)
    ours = best_of(lambda: sweep(bp.Param(range(N_FAST)), bp.Param(range(N_SLOW))))
    theirs = best_of(
        lambda: joblib.Parallel(n_jobs=1)(joblib.delayed(no_op)(a, b) for a, b in pairs)
    )
    bare = best_of(lambda: [no_op(a, b) for a, b in pairs])
    print(f"{len(pairs):,} calls that do nothing, results in order:")
    print(f"  bare loop                        {bare:7.3f} s")
    print(f"  parameterized + concat + index   {ours:7.3f} s")
    print(f"  joblib.Parallel(n_jobs=1)        {theirs:7.3f} s   {theirs / ours:.1f} × ours")
    print("Compiled function, results as a Series with its index:")
    for n in (100_000, 1_000_000):
        code = MEMORY.format(n=n)
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        print(f"  {done.stdout.decode().strip()}")


if __name__ == "__main__":
    main()
