# SPDX-License-Identifier: BSD-3-Clause
"""The goals of the library's speed, each measured through the public API in a fresh process.

    python -m benchmarks.goals                      # all of them
    python -m benchmarks.goals pairs stops --quick  # some, with fewer columns
    python -m benchmarks.goals --list
    python -m benchmarks.goals --peer vectorbt=/path/to/its/python

Every job runs once before it is timed (but for the first result), and then as often as a few
seconds allow; its shortest wall and CPU times count. Memory is the peak of the process above its
imports. Where figures can be checked they are, and a row that fails its check says so. With
``--quick`` the sizes are smaller, so that "met" says little about goals that are not per
combination.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peers, workloads
from benchmarks.measuring import (
    CORES,
    ROOT,
    FailedError,
    best,
    compilations,
    in_turn,
    in_words,
    limit_memory,
    once,
    peak_mb,
    report,
    spawn,
)
from benchmarks.workloads import FEES, N_BARS, YEAR

Result = dict[str, Any]
TOLERANCE = 1e-9


class NotYetError(Exception):
    """The library can't do this yet."""


@contextmanager
def to_come() -> Iterator[None]:
    """Turn the library's refusal of something to come into `NotYetError`."""
    try:
        yield
    except (AttributeError, TypeError, ValueError) as error:
        raise NotYetError(f"{type(error).__name__}: {error}") from error


# -- pieces of the cases ---------------------------------------------------------------------------


def market(bars: int = N_BARS) -> Any:
    """Return one asset with four prices a bar."""
    import pandas as pd

    import broadpeak as bp

    frame = pd.DataFrame(workloads.ohlc(bars), index=workloads.index(bars))
    return bp.Data.from_frames({"X": frame})


def crossings(data: Any, fast: list[int], slow: list[int], **options: Any) -> Any:
    """Return the portfolio of pairs of averages: long while the first is above the second."""
    import broadpeak as bp

    left, right = data.run("bp:ma", window=fast), data.run("bp:ma", window=slow)
    up, down = left.ma_crossed_above(right), left.ma_crossed_below(right)
    return bp.PF.from_signals(data, up, down, fees=FEES, bars_per_year=YEAR, **options)


def gap(ours: Any, theirs: Any) -> float:
    """Return the largest difference, relative where values are above 1; inf if one is NaN."""
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    if ours.shape != theirs.shape:
        return math.inf
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    off = np.where(same, 0.0, np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs)))
    return float(np.nan_to_num(off, nan=math.inf).max(initial=0.0))


def stop_levels(count: int) -> np.ndarray:
    return np.linspace(0.005, 0.25, count)


# -- the cases: each returns times, and what makes it met ------------------------------------------


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


def dense(quick: bool) -> Result:
    """Given signals with three stops."""
    import pandas as pd

    import broadpeak as bp

    columns, bars = (200 if quick else 2000), 5000
    entries, exits = workloads.dense_signals(columns, bars)
    index = workloads.index(bars)
    prices = pd.DataFrame(workloads.ohlc(bars), index=index)
    up, down = (pd.DataFrame(array.T, index=index, copy=False) for array in (entries, exits))
    job = lambda: (  # noqa: E731
        bp.PF.from_signals(
            prices["close"], up, down, open=prices["open"], high=prices["high"], low=prices["low"],
            fees=FEES, sl_stop=0.05, tp_stop=0.1, tsl_stop=0.07, bars_per_year=YEAR,
        ).total_return
    )  # fmt: skip
    found = job()
    times = best(job, 2.0)
    return {**times._asdict(), "n": columns, "figures": found.iloc[:20].tolist()}


def sparse(quick: bool, bars: int = 0, columns: int = 8, orders: int = 1000) -> Result:
    """A few long columns with few orders."""
    import pandas as pd

    import broadpeak as bp

    bars = bars or (100_000 if quick else 1_000_000)
    close = pd.Series(workloads.closes(bars), index=workloads.index(bars))
    entries, exits = workloads.sparse_signals(columns, bars, orders)
    up, down = (pd.DataFrame(a.T, index=close.index, copy=False) for a in (entries, exits))

    def job() -> tuple[Any, Any, Any]:
        pf = bp.PF.from_signals(close, up, down, fees=FEES, bars_per_year=YEAR)
        return pf.total_return, pf.sharpe_ratio, pf.max_drawdown

    found = job()
    times = best(job, 2.0)
    value = bp.PF.from_signals(close, up, down, fees=FEES, bars_per_year=YEAR).value.to_numpy()
    before = np.vstack([np.full(columns, 100.0), value[:-1]])
    returns = value / before - 1
    peaks = np.maximum.accumulate(np.maximum(value, 100.0))
    twins = (
        value[-1] / 100 - 1,
        returns.mean(0) / returns.std(0, ddof=1) * YEAR**0.5,
        (value / peaks - 1).min(0),
    )
    check = max(gap(one, twin) for one, twin in zip(found, twins, strict=True))
    return {**times._asdict(), "n": columns, "check": check}


def plain_body(data: Any, fast: int, slow: int) -> Any:
    """The function of the README for one combination, unchanged."""
    import broadpeak as bp

    quick = data.run("bp:ma", fast, hide_params=True)
    calm = data.run("bp:ma", slow, hide_params=True)
    up, down = quick.ma_crossed_above(calm), quick.ma_crossed_below(calm)
    return bp.PF.from_signals(data, up, down, fees=0.001).sharpe_ratio


def single_body(data: Any, fast: int, slow: int) -> Any:
    """The same with a line that no list survives."""
    return plain_body(data, fast, slow) if slow / fast >= 1 else math.nan


def sweep(body: Callable[..., Any], quick: bool) -> Result:
    import broadpeak as bp

    windows = range(2, 42 if quick else 302)
    data = market()
    function = bp.parameterized(merge_func="concat")(body)
    results = []

    def job(values: range = windows) -> None:
        results[:] = [function(data, bp.Param(values, condition="x < slow"), bp.Param(values))]

    job(range(2, 12))
    times = once(job)
    peak, found = peak_mb(), results[0]
    if times.wall < 3:
        times = best(job, 3.0, 10)
    fast, slow = (found.index.get_level_values(k).tolist() for k in (0, 1))
    at = range(0, len(fast), max(1, len(fast) // 50))
    twins = [body(data, fast[k], slow[k]) for k in at]
    check = gap(found.to_numpy()[list(at)], np.array(twins, dtype=float))
    return {**times._asdict(), "peak": peak, "n": len(found), "check": check}


def plain(quick: bool) -> Result:
    """The plain function under `parameterized`."""
    return sweep(plain_body, quick)


def single(quick: bool) -> Result:
    """The plain function with a body that can't take lists."""
    return sweep(single_body, quick)


def scatter(a: int, b: int) -> float:
    """Return a number that looks random: what a compiled function of two parameters may cost."""
    return float((a * 2654435761 + b * 40503 + a * b) % 1000003)


def compiled(quick: bool) -> Result:
    """Ten million combinations of a compiled function, the best thousand kept."""
    import numba

    import broadpeak as bp

    rows, columns = (1000, 200) if quick else (10_000, 1000)
    with to_come():
        function = bp.parameterized(keep=bp.top(1000))(numba.njit(nogil=True)(scatter))
        function(bp.Param(range(50)), bp.Param(range(50)))
    results = []
    times = once(lambda: results.append(function(bp.Param(range(rows)), bp.Param(range(columns)))))
    peak, found = peak_mb(), np.asarray(results[0], dtype=float).reshape(-1)
    a, b = np.arange(rows)[:, None], np.arange(columns)
    every = ((a * 2654435761 + b * 40503 + a * b) % 1000003).ravel().astype(float)
    check = gap(np.sort(found)[::-1], np.sort(every)[::-1][:1000])
    return {**times._asdict(), "peak": peak, "n": rows * columns, "check": check}


def example() -> tuple[Any, Any]:
    """Return the example strategy, and its prices: 3,270 daily bars."""
    import broadpeak as bp

    sys.path.insert(0, str(ROOT / "examples"))
    from trend import trend

    warnings.simplefilter("ignore", UserWarning)
    return trend, bp.Data.sample("AAPL")


def brute(quick: bool) -> Result:
    """Brute force of the example strategy."""
    import broadpeak as bp

    strategy, data = example()
    job = lambda: bp.train(strategy, data, method="brute", min_trades=30)  # noqa: E731
    job()
    return {**best(job, 1.0 if quick else 4.0, 20)._asdict(), "n": 3971}


def walk(quick: bool) -> Result:
    """Walk-forward of the example strategy."""
    import broadpeak as bp

    strategy, data = example()
    job = lambda: bp.walk_forward(strategy, data, cycles=10, min_trades=30)  # noqa: E731
    job()
    return {**best(job, 1.0 if quick else 4.0, 20)._asdict(), "n": 10}


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


def doubled_given(quick: bool) -> Result:
    """Given signals: twice the bars with the same orders, twice as far apart."""
    import pandas as pd

    import broadpeak as bp

    half, jobs = (50_000 if quick else 500_000), []
    for bars in (half, 2 * half):
        close = pd.Series(workloads.closes(bars), index=workloads.index(bars))
        signals = workloads.sparse_signals(8, bars, 1000)
        up, down = (pd.DataFrame(a.T, index=close.index, copy=False) for a in signals)
        job = lambda close=close, up=up, down=down: (  # noqa: E731
            bp.PF.from_signals(close, up, down, fees=FEES, bars_per_year=YEAR).sharpe_ratio
        )
        job()
        jobs.append(job)
    one, two = in_turn(jobs, 3.0, 30)
    return {
        **two._asdict(), "n": 8, "ratio": two.wall / one.wall, "cpu_ratio": two.cpu / one.cpu,
        "fills": 1.0,
    }  # fmt: skip


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


CASES: dict[str, Callable[[bool], Result]] = {
    "pairs": pairs, "many": many, "stops": stops, "billion": billion, "dense": dense,
    "sparse": sparse, "plain": plain, "single": single, "compiled": compiled, "brute": brute,
    "walk": walk, "doubled": doubled, "doubled_given": doubled_given, "first": first,
    "first_training": first_training,
}  # fmt: skip
COLD = {"first", "first_training"}


def child(case: str, quick: bool) -> None:
    """Measure one case in this process."""
    limit_memory()
    if case in COLD:
        report(CASES[case](quick))
        return
    import numba
    import pandas as pd

    import broadpeak as bp

    _ = numba, pd, bp.PF, bp.Data, bp.Param, bp.train, bp.parameterized, bp.sma
    before, seen = peak_mb(), compilations()
    try:
        result = CASES[case](quick)
    except NotYetError as error:
        report({"not_yet": str(error)})
        return
    except MemoryError:
        report({"failed": "out of memory"})
        return
    report({**result, "mb": result.get("peak", peak_mb()) - before, "compiled": seen()})


# -- what is asked of them -------------------------------------------------------------------------


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


def run(case: str, quick: bool) -> Result:
    """Run a case in a process of its own; twice if that one had to compile."""
    if case == "import":
        return imported()
    line = ["--case", case, *(["--quick"] if quick else [])]
    try:
        if case in COLD:
            with tempfile.TemporaryDirectory() as folder:
                env = {"NUMBA_CACHE_DIR": folder, "BROADPEAK_CACHE": folder}
                results: list[Result] = []
                job = lambda: results.append(spawn("benchmarks.goals", *line, env=env))  # noqa: E731
                times = once(job)
                return {**results[0], **times._asdict()}
        result = spawn("benchmarks.goals", *line)
        if result.get("compiled"):  # LLVM needs memory of its own
            result = spawn("benchmarks.goals", *line)
    except FailedError as error:
        return {"failed": str(error)}
    return result


Judge = Callable[[Result, dict[str, float]], tuple[str, bool | None]]


def within(seconds: float, mb: float = math.inf) -> Judge:
    def judge(found: Result, rates: dict[str, float]) -> tuple[str, bool]:
        del rates
        text = in_words(found["wall"])
        if mb < math.inf:
            text += f", {found['mb']:,.0f} MB"
        return text, found["wall"] <= seconds and found.get("mb", 0.0) <= mb

    return judge


def each_within(seconds: float, all_within: float = math.inf) -> Judge:
    def judge(found: Result, rates: dict[str, float]) -> tuple[str, bool]:
        del rates
        each = found["wall"] / found["n"]
        text = f"{in_words(found['wall'])}, {in_words(each)} each"
        return text, each <= seconds and found["wall"] <= all_within

    return judge


def rate(most: float, mb: float) -> Judge:
    def judge(found: Result, rates: dict[str, float]) -> tuple[str, bool]:
        del rates
        reached = found["n"] / found["wall"]
        return f"{reached:,.0f}/s, {found['mb']:,.0f} MB", reached >= most and found["mb"] <= mb

    return judge


def growth(limit: float) -> Judge:
    def judge(found: Result, rates: dict[str, float]) -> tuple[str, bool]:
        del rates
        text = f"{found['ratio']:.2f} × (CPU {found['cpu_ratio']:.2f} ×)"
        if not math.isclose(found.get("fills", 1.0), 1.0, rel_tol=0.02):
            text += f", fills {found['fills']:.2f} ×"
        return text, found["ratio"] <= limit

    return judge


def beside_c(times: float, of_peer: dict[str, float]) -> Judge:
    def judge(found: Result, rates: dict[str, float]) -> tuple[str, bool | None]:
        parts, met = [f"{found['n'] / found['wall']:,.0f}/s"], []
        if "c" in found:
            reached = found["c"] / found["wall"]
            parts.append(f"{reached:.3g} × C (CPU {found['c_cpu'] / found['cpu']:.3g} ×)")
            met.append(reached >= times)
        return judged_by_peers(found, rates, of_peer, parts, met)

    return judge


def beside(of_peer: dict[str, float]) -> Judge:
    def judge(found: Result, rates: dict[str, float]) -> tuple[str, bool | None]:
        return judged_by_peers(found, rates, of_peer, [in_words(found["wall"])], [])

    return judge


def judged_by_peers(
    found: Result, rates: dict[str, float], goals: dict[str, float], parts: list[str],
    met: list[bool],
) -> tuple[str, bool | None]:  # fmt: skip
    """Compare with the backtests a second of the peers that are there."""
    for name, times in goals.items():
        if name not in rates:
            parts.append(f"{name} –")
            continue
        reached = found["n"] / found["wall"] / rates[name]
        parts.append(f"{reached:,.3g} × {name}")
        met.append(reached >= times)
    return ", ".join(parts), None if not met else all(met)


ROWS: dict[str, tuple[str, str, Judge]] = {
    "pairs": (
        "300 windows, 44,850 pairs, 5,031 bars, fees, to Sharpe",
        "≥ 6 × the C loop, ≥ 3,000 × vectorbt",
        beside_c(6, {"vectorbt": 3000}),
    ),
    "many": ("1,000 windows, 499,500 pairs", "≤ 5 × 300 windows", growth(5)),
    "stops": ("142 windows × 100 stops, 1,001,100", "≤ 0.4 s, ≤ 150 MB", within(0.4, 150)),
    "billion": (
        "1,415 windows × 1,000 stops, 10⁹, best 1,000",
        "≤ 15 s, ≤ 600 MB",
        within(15, 600),
    ),
    "dense": (
        "2,000 columns × 5,000 bars, given signals, three stops",
        "≥ 100 × vectorbt, ≥ 10 × RaptorBT, phasor",
        beside({"vectorbt": 100, "raptorbt": 10, "phasor": 10}),
    ),
    "sparse": (
        "8 columns × 10⁶ bars, 1,000 orders each, three figures",
        "≤ 15 ms",
        within(0.015),
    ),
    "plain": ("the plain function, 44,850 combinations", "≤ 1 s", each_within(22e-6, 1)),
    "single": ("… with a body that can't take lists", "≤ 60 µs each", each_within(60e-6)),
    "compiled": (
        "10⁷ combinations of a compiled function, best 1,000",
        "≥ 10⁶/s, ≤ 500 MB",
        rate(1e6, 500),
    ),
    "brute": ("brute force of the example strategy, 3,971", "≤ 150 ms", within(0.15)),
    "walk": ("walk-forward of it, 10 ascent cycles", "≤ 60 ms", within(0.06)),
    "doubled": ("twice the bars, the same fills: crossings", "≤ 1.25 ×", growth(1.25)),
    "doubled_given": ("twice the bars, the same fills: given signals", "≤ 1.25 ×", growth(1.25)),
    "first": ("first Sharpe ratio in a fresh cache", "≤ 8 s", within(8)),
    "first_training": ("first training in a fresh cache", "≤ 8 s", within(8)),
    "import": ("`import broadpeak` beyond NumPy", "≤ 30 ms", within(0.03)),
}
PEER_CASES = {"pairs": ["vectorbt"], "dense": ["vectorbt", "raptorbt", "phasor"]}


def peer_rates(case: str, pythons: dict[str, str], quick: bool) -> dict[str, float]:
    """Return the backtests a second of each peer that is there and knows the case."""
    rates = {}
    for name in PEER_CASES.get(case, []):
        if name in pythons:
            found = peers.run(name, case, pythons[name], quick)
            if "wall" in found:
                rates[name] = found["n"] / found["wall"]
    return rates


def line(row: str, found: Result, rates: dict[str, float]) -> list[str]:
    """Return the cells of a row of the table."""
    work, goal, judge = ROWS[row]
    if "not_yet" in found:
        return [work, goal, "not yet", "–", "–", "–", "no"]
    if "failed" in found:
        return [work, goal, f"failed: {found['failed'].splitlines()[-1]}", "–", "–", "–", "no"]
    measured, met = judge(found, rates)
    if found.get("check", 0.0) > TOLERANCE:
        measured, met = f"{measured} WRONG by {found['check']:.1e}", False
    mb = f"{found['mb']:,.0f}" if "mb" in found else "–"
    said = {True: "yes", False: "no", None: "–"}[met]
    return [work, goal, measured, in_words(found["wall"]), in_words(found["cpu"]), mb, said]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="row", help=", ".join(ROWS))
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument("--json", default="", metavar="FILE", help="write what was measured")
    parser.add_argument("--case", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        child(args.case, args.quick)
        return
    if args.list:
        print("\n".join(f"{name:15}{work}: {goal}" for name, (work, goal, _) in ROWS.items()))
        return
    unknown = sorted(set(args.rows) - set(ROWS))
    if unknown:
        raise SystemExit(f"Rows must be among {', '.join(ROWS)}, got {', '.join(unknown)}.")
    pythons, every = peers.given(args.peer), {}
    print(f"{CORES} cores{', quick' if args.quick else ''}")
    print("| work | goal | measured | wall | CPU | MB | met |\n|" + "---|" * 7, flush=True)
    for row in args.rows or ROWS:
        found = run(row, args.quick)
        rates = peer_rates(row, pythons, args.quick) if "wall" in found else {}
        every[row] = {**found, "peers": rates}
        print(f"| {' | '.join(line(row, found, rates))} |", flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps(every, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
