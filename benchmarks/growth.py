# SPDX-License-Identifier: BSD-3-Clause
"""How time grows with the size of a job, over four decades, and the fitted exponents.

    python -m benchmarks.growth [curve …] [--quick] [--html FILE]

An exponent of 1 means ten times the time for ten times the size. It is the slope of a straight line
through logarithms of size and time, with its standard error; the second one is fitted to the upper
half of the sizes only, where what every call costs no longer counts.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import workloads
from benchmarks.cases import NotYetError, Result, market, to_come
from benchmarks.crossings import crossings, stop_levels
from benchmarks.measuring import FailedError, best, in_words, limit_memory, report, spawn
from benchmarks.workloads import FEES, YEAR

Jobs = Iterator[tuple[int, Callable[[], Any]]]


def sizes(first: float, last: float, quick: bool) -> list[int]:
    """Return two sizes a decade between powers of ten; two decades less if quick."""
    upper = last - 2 if quick else last
    return [round(10 ** (k / 2)) for k in range(round(2 * first), round(2 * upper) + 1)]


def given(columns: int, bars: int, orders: int) -> Callable[[], Any]:
    """Return a job: given signals to Sharpe ratios."""
    import pandas as pd

    import broadpeak as bp

    close = pd.Series(workloads.closes(bars), index=workloads.index(bars))
    signals = workloads.sparse_signals(columns, bars, orders)
    up, down = (pd.DataFrame(a.T, index=close.index, copy=False) for a in signals)
    return lambda: bp.PF.from_signals(close, up, down, fees=FEES, bars_per_year=YEAR).sharpe_ratio


def columns(quick: bool) -> Jobs:
    """Columns of given signals: 1,000 bars, 20 orders each."""
    for size in sizes(1, 5, quick):
        yield size, given(size, 1000, 20)


def bars(quick: bool) -> Jobs:
    """Bars of one column of given signals with 100 orders."""
    for size in sizes(3, 7, quick):
        yield size, given(1, size, 100)


def fills(quick: bool) -> Jobs:
    """Orders of one column of a million bars, or of ten thousand if quick."""
    for size in sizes(1, 5, quick):
        yield size, given(1, 10_000 if quick else 1_000_000, size)


def levels(quick: bool) -> Jobs:
    """Levels of a stop-loss on 45 pairs of averages."""
    import broadpeak as bp

    data, (fast, slow) = market(), workloads.pairs(range(10, 110, 10))
    with to_come():
        crossings(data, fast, slow, sl_stop=bp.Param([0.05, 0.1])).sharpe_ratio  # noqa: B018
    for size in sizes(0, 4, quick):
        values = bp.Param(stop_levels(size).tolist())
        yield (
            size,
            lambda values=values: crossings(data, fast, slow, sl_stop=values).sharpe_ratio,
        )


def pairs(quick: bool) -> Jobs:
    """Pairs of averages of windows between 2 and 1,500."""
    data = market()
    for size in sizes(1, 5, quick):
        count = round((1 + math.sqrt(1 + 8 * size)) / 2)
        windows = np.unique(np.linspace(2, 1500, count).astype(int))
        first, second = np.triu_indices(len(windows), 1)
        fast, slow = windows[first].tolist(), windows[second].tolist()
        yield len(fast), lambda fast=fast, slow=slow: crossings(data, fast, slow).sharpe_ratio


def combinations(quick: bool) -> Jobs:
    """Combinations of a compiled function, to a Series with its index."""
    import numba

    import broadpeak as bp
    from benchmarks.calls import scatter

    function = bp.parameterized(merge_func="concat", show_progress=False)(
        numba.njit(nogil=True)(scatter)
    )
    for size in sizes(2, 6, quick):
        values = bp.Param(range(size // 10))
        yield size // 10 * 10, lambda values=values: function(bp.Param(range(10)), values)


CURVES: dict[str, Callable[[bool], Jobs]] = {
    "columns": columns, "bars": bars, "fills": fills, "levels": levels, "pairs": pairs,
    "combinations": combinations,
}  # fmt: skip


def measure(name: str, quick: bool) -> Result:
    """Time a curve in this process."""
    found: Result = {"sizes": [], "wall": [], "cpu": []}
    for size, job in CURVES[name](quick):
        job()
        times = best(job, 0.2 if quick else 1.0, 200, 2)
        for key, value in (("sizes", size), ("wall", times.wall), ("cpu", times.cpu)):
            found[key].append(value)
    return found


def exponent(size: list[int], time: list[float]) -> tuple[float, float]:
    """Return the slope between logarithms, and its standard error; NaN with less than 3 points."""
    if len(size) < 3:
        return math.nan, math.nan
    x, y = np.log(size), np.log(time)
    x -= x.mean()
    slope = (x @ y) / (x @ x)
    rest = y - y.mean() - slope * x
    return float(slope), float(math.sqrt(rest @ rest / (len(x) - 2) / (x @ x)))


def run(name: str, quick: bool) -> Result:
    """Time a curve in a process of its own."""
    try:
        return spawn("benchmarks.growth", "--case", name, *(["--quick"] if quick else []))
    except FailedError as error:
        return {"failed": str(error).splitlines()[-1]}


def cells(name: str, found: Result) -> list[str]:
    """Return a row of the table of curves."""
    what = (CURVES[name].__doc__ or name).rstrip(".")
    if "sizes" not in found:
        return [what, found.get("not_yet") or found["failed"], "–", "–", "–", "–"]
    size, time = found["sizes"], found["wall"]
    half = len(size) // 2
    fits = exponent(size, time), exponent(size[half:], time[half:])
    return [
        what, f"{size[0]:,} to {size[-1]:,}", in_words(time[0]), in_words(time[-1]),
        *(f"{slope:.2f} ± {error:.2f}" for slope, error in fits),
    ]  # fmt: skip


HEAD = "| grows | from, to | first | last | exponent | upper half |\n|" + "---|" * 6


def page(results: dict[str, Result], path: str) -> None:
    """Write the curves as a page that opens offline."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    for name, found in results.items():
        if "sizes" in found:
            slope, error = exponent(found["sizes"], found["wall"])
            label = f"{name}: {slope:.2f} ± {error:.2f}"
            figure.add_trace(Scatter(x=found["sizes"], y=found["wall"], name=label))
    figure.update_xaxes(type="log", title="size")
    figure.update_yaxes(type="log", title="seconds")
    figure.update_layout(title="Growth over four decades, with fitted exponents")
    figure.write_html(path, include_plotlyjs=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("curves", nargs="*", metavar="curve", help=", ".join(CURVES))
    parser.add_argument("--quick", action="store_true", help="two decades less")
    parser.add_argument("--html", default="", metavar="FILE", help="write a page with the curves")
    parser.add_argument("--case", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        limit_memory()
        try:
            report(measure(args.case, args.quick))
        except NotYetError as error:
            report({"not_yet": f"not yet: {str(error)[:60]}"})
        return
    unknown = sorted(set(args.curves) - set(CURVES))
    if unknown:
        raise SystemExit(f"Curves must be among {', '.join(CURVES)}, got {', '.join(unknown)}.")
    print(HEAD, flush=True)
    results = {}
    for name in args.curves or CURVES:
        results[name] = run(name, args.quick)
        print(f"| {' | '.join(cells(name, results[name]))} |", flush=True)
    if args.html:
        page(results, args.html)


if __name__ == "__main__":
    main()
