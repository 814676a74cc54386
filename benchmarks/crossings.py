# SPDX-License-Identifier: BSD-3-Clause
"""Crossings: long while one moving average is above another, for all pairs of many averages."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import workloads
from benchmarks.cases import Case, Result, gap, market, to_come
from benchmarks.measuring import best, in_turn, once, peak_mb
from benchmarks.workloads import FEES, YEAR


def crossings(data: Any, fast: list[int], slow: list[int], **options: Any) -> Any:
    """Return the portfolio of pairs of averages: long while the first is above the second."""
    import broadpeak as bp

    left, right = data.run("bp:ma", window=fast), data.run("bp:ma", window=slow)
    up, down = left.ma_crossed_above(right), left.ma_crossed_below(right)
    return bp.PF.from_signals(data, up, down, fees=FEES, bars_per_year=YEAR, **options)


def stop_levels(count: int) -> np.ndarray:
    return np.linspace(0.005, 0.25, count)


def pairs(quick: bool) -> Result:
    """All pairs of averages to Sharpe ratios, beside the plain loop in C."""
    import broadpeak as bp
    from benchmarks import cloop

    windows = range(2, 62 if quick else 302)
    fast, slow = workloads.pairs(windows)
    data = market()
    ours = lambda: crossings(data, fast, slow).sharpe_ratio  # noqa: E731
    found = ours().to_numpy()
    alone, peak = best(ours, 2.0, 20), peak_mb()
    result: Result = {"wall": alone.wall, "cpu": alone.cpu, "peak": peak, "n": len(fast)}
    loop = cloop.loop(FEES, YEAR)
    if loop is not None:
        close = workloads.closes()
        averages = np.array([bp.sma(close, window) for window in windows])
        rows = np.array(fast) - windows[0], np.array(slow) - windows[0]
        result["check"] = gap(found, loop(averages, *rows, close))
        mine, theirs = in_turn([ours, lambda: loop(averages, *rows, close)], 4.0, 20)
        result |= {"wall": mine.wall, "cpu": mine.cpu, "c": theirs.wall, "c_cpu": theirs.cpu}
    return result


def many(quick: bool) -> Result:
    """Eleven times the pairs, whose averages have eleven times fewer crossings each."""
    data = market()
    few, more = (60, 200) if quick else (300, 1000)
    times = []
    for count in (few, more):
        fast, slow = workloads.pairs(range(2, 2 + count))
        job = lambda: crossings(data, fast, slow).sharpe_ratio  # noqa: B023, E731
        job()
        times.append(best(job, 2.0, 10, 2))
    n = more * (more - 1) // 2
    ratio, cpu_ratio = times[1].wall / times[0].wall, times[1].cpu / times[0].cpu
    return {**times[1]._asdict(), "n": n, "ratio": ratio, "cpu_ratio": cpu_ratio}


def stops(quick: bool) -> Result:
    """Pairs of averages times levels of a stop-loss."""
    import broadpeak as bp

    windows, count = range(2, 32 if quick else 144), 20 if quick else 100
    fast, slow = workloads.pairs(windows)
    levels = stop_levels(count)
    data = market()
    with to_come():
        values = bp.Param(levels.tolist())
        crossings(data, fast[:3], slow[:3], sl_stop=values).sharpe_ratio  # noqa: B018
    job = lambda: crossings(data, fast, slow, sl_stop=values).sharpe_ratio  # noqa: E731
    found = job().to_numpy().reshape(len(fast), count)
    times, peak = best(job, 3.0, 10, 2), peak_mb()
    checks = []
    for place in (0, count // 3, count - 1):
        twin = crossings(data, fast, slow, sl_stop=float(levels[place])).sharpe_ratio
        checks.append(gap(found[:, place], twin))
    return {**times._asdict(), "peak": peak, "n": found.size, "check": max(checks)}


def billion(quick: bool) -> Result:
    """A billion backtests with stops, of which the best thousand are kept."""
    import broadpeak as bp

    windows, count = range(2, 102 if quick else 1417), 50 if quick else 1000
    fast, slow = workloads.pairs(windows)
    levels = stop_levels(count).tolist()
    data = market()

    def job(fast: list[int], slow: list[int]) -> Any:
        pf = crossings(data, fast, slow, sl_stop=bp.Param(levels))
        return pf.metrics(["sharpe_ratio"], keep=bp.top(1000, by="sharpe_ratio"))

    with to_come():
        job(fast[:3], slow[:3])
    results = []
    times = once(lambda: results.append(job(fast, slow)))
    peak, table = peak_mb(), results[0]
    checks = []
    for label, value in table["sharpe_ratio"].iloc[[0, 1, 9, 99, 999]].items():
        one = crossings(data, [label[0]], [label[1]], sl_stop=label[2]).sharpe_ratio
        checks.append(gap(value, np.asarray(one).reshape(())))
    return {
        **times._asdict(), "peak": peak, "n": len(fast) * count, "check": max(checks),
        "kept": len(table),
    }  # fmt: skip


def doubled(quick: bool) -> Result:
    """Crossings: every bar twice and windows twice as long have the same fills."""
    import pandas as pd

    import broadpeak as bp

    count, jobs, fills = (60 if quick else 300), [], []
    for times in (1, 2):
        close = workloads.stretched() if times == 2 else workloads.closes()
        frame = pd.DataFrame({"close": close}, index=workloads.index(len(close)))
        data = bp.Data.from_frames({"X": frame})
        fast, slow = workloads.pairs(range(2 * times, (2 + count) * times, times))
        job = lambda data=data, fast=fast, slow=slow: crossings(data, fast, slow).sharpe_ratio  # noqa: E731
        job()
        jobs.append(job)
        some = crossings(data, fast[::97], slow[::97])
        fills.append(float(some.metrics(["num_trades"]).to_numpy().sum()))
    one, two = in_turn(jobs, 4.0, 20)
    result = {**two._asdict(), "n": len(fast), "ratio": two.wall / one.wall}
    return {**result, "cpu_ratio": two.cpu / one.cpu, "fills": fills[1] / fills[0]}


CASES: dict[str, Case] = {
    "pairs": pairs, "many": many, "stops": stops, "billion": billion, "doubled": doubled,
}  # fmt: skip
