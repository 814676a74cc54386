# SPDX-License-Identifier: BSD-3-Clause
"""All timings in one run, and the table of the README: ``python -m benchmarks``.

    python -m benchmarks --peer /path/to/python/with/vectorbt   # or BROADPEAK_PEER=…
    python -m benchmarks --only-table --quick

The peer is the open-source vectorised library; it is never imported here, only run by an
interpreter of its own. Without one its rows stay empty and say so.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import runpy
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import joblib

import broadpeak as bp
from benchmarks import (
    bench_parameterized,
    dispatch,
    grids,
    indicators,
    portfolio,
    significance,
    training,
)

SCRIPTS = ["bench_parameterized", "dispatch", "grids", "indicators", "bench_search", "training"]
NONE = "–"
Row = tuple[str, str, str, str]


def seconds(value: float) -> str:
    """Return a time in the unit that reads best."""
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def row(what: str, ours: float, peer: str, theirs: float | None) -> Row:
    if theirs is None:
        return what, seconds(ours), NONE, NONE
    return what, seconds(ours), f"{seconds(theirs)} ({peer})", f"{theirs / ours:,.3g} ×"


def backtests(peer: str, quick: bool) -> list[Row]:
    """Measure the cases that the peer knows too, each in a process of its own."""
    count, columns = (31, 200) if quick else (101, 2000)
    cases = {
        "pairs": (count, f"{count * (count - 1) // 2:,} pairs of averages to Sharpe ratios"),
        "stops": (columns, f"{columns:,} columns of signals with three stops to returns"),
    }
    rows = []
    for case, (size, what) in cases.items():
        mine = portfolio.spawn(sys.executable, case, False, size, 5)
        theirs = portfolio.spawn(peer, case, True, size, 2) if peer else None
        rows.append(row(what, mine["seconds"], "vectorbt", theirs and theirs["seconds"]))
        if case == "pairs":
            # Growth after a warm-up says nothing of the peer: it read 4, 389 and 3,210 MB.
            rows.append(("… memory beyond the prices", f"{mine['mb']:,.0f} MB", NONE, NONE))
    one = portfolio.spawn(sys.executable, "single", False, 1, 3)["seconds"] / 1000
    rows.append(row("one `from_signals` to its Sharpe ratio", one, "", None))
    return rows


def sweeps() -> list[Row]:
    """Measure what the library adds to calls and grids."""
    n_fast, n_slow, no_op = 100, 1000, bench_parameterized.no_op
    sweep = bp.parameterized(no_op, merge_func="concat", show_progress=False)
    ours = dispatch.best(lambda: sweep(bp.Param(range(n_fast)), bp.Param(range(n_slow))), 5)
    pairs = list(itertools.product(range(n_fast), range(n_slow)))
    jobs = joblib.Parallel(n_jobs=1)
    theirs = dispatch.best(lambda: jobs(joblib.delayed(no_op)(a, b) for a, b in pairs))
    calls = dispatch.calls_of(dispatch.N)
    options = {"engine": "processpool", "n_workers": 2, "distribute": "chunks"}
    bp.execute(calls, **options)
    pool = dispatch.best(lambda: bp.execute(calls, **options)) / dispatch.N
    two, few = joblib.Parallel(n_jobs=2), dispatch.N_JOBLIB_PROCESSES
    two(joblib.delayed(no_op)(i, 2) for i in range(100))
    other = dispatch.best(lambda: two(joblib.delayed(no_op)(i, 2) for i in range(few)), 1) / few
    ten = range(10)
    grid = dispatch.best(lambda: bp.combine_params(grids.three_pairs(), build_index=False), 9)
    plain = dispatch.best(
        lambda: [
            (a, b, c, d, e, f)
            for a in ten for b in ten for c in ten for d in ten for e in ten for f in ten
            if a < b and c < d and e < f
        ],
        5,
    )  # fmt: skip
    return [
        row("100,000 empty calls to a Series with its index", ours, "joblib, no index", theirs),
        row("an empty call in two processes", pool, "joblib", other),
        row("10⁶ cells, three conditions, 91,125 left", grid, "list comprehension", plain),
    ]


def trainings() -> list[Row]:
    """Measure the example strategy on 3,270 bars."""
    warnings.simplefilter("ignore", UserWarning)
    strategy, data, options = training.trend, training.DATA, {"min_trades": 30}
    ascent, _ = training.times(lambda: bp.train(strategy, data, **options), 9)
    brute, _ = training.times(lambda: bp.train(strategy, data, method="brute", **options), 3)
    walk, _ = training.times(lambda: bp.walk_forward(strategy, data, cycles=10, **options), 5)
    peer, _ = training.times(lambda: training.in_pandas(30.0, 3.0, 3.0), 3)
    return [
        row("training by ascent, 57 backtests", ascent, "", None),
        row("training by brute force, 3,971 backtests", brute, "", None),
        row("walk-forward, 10 trainings by ascent", walk, "", None),
        row("one backtest of those 3,971", brute / 3971, "pandas and a loop", peer),
    ]


def choices() -> list[Row]:
    """Measure the statistics of a choice beside NumPy loops, a process each."""
    rows = []
    for case in ("pbo", "spa", "permutations, one process"):
        found = significance.spawn(sys.executable, "--case", case)
        what = significance.WHAT[case.partition(",")[0]].partition(", two")[0]
        loop = found["loop"]
        rows.append(row(what, found["cpu"], "NumPy loop", loop if loop > 0 else None))
    return rows


def averages() -> list[Row]:
    name, ours, talib, pandas = next(iter(indicators.indicators()))
    times = [indicators.best(func) * 1e-6 for func in (ours, talib, pandas)]
    what = f"{name} of 3,270 bars"
    return [row(what, times[0], "TA-Lib", times[1]), row(what, times[0], "pandas", times[2])]


def machine() -> str:
    names = ("broadpeak", "numpy", "pandas", "numba", "joblib")
    return (
        f"{os.cpu_count()} cores {platform.machine()}, {platform.system()}, "
        f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in names)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default=os.environ.get("BROADPEAK_PEER", ""))
    parser.add_argument("--only-table", action="store_true")
    parser.add_argument("--quick", action="store_true", help="fewer columns against the peer")
    args = parser.parse_args()
    if not args.only_table:
        for script in SCRIPTS:
            print(f"\n== {script}", flush=True)
            runpy.run_module(f"benchmarks.{script}", run_name="__main__")
    if not args.peer:
        print("\nvectorbt is not compared: give its interpreter with --peer or BROADPEAK_PEER.")
    elif not Path(args.peer).exists():
        raise SystemExit(f"There is no interpreter at {args.peer}.")
    rows = [*backtests(args.peer, args.quick), *sweeps(), *trainings(), *choices(), *averages()]
    print("\n| Job | broadpeak | Peer | Faster |\n|---|---|---|---|")
    print("\n".join(f"| {' | '.join(cells)} |" for cells in rows))
    print(f"\nBest of several runs, warm. {machine()}.")


if __name__ == "__main__":
    main()
