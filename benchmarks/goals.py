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
from collections.abc import Callable
from pathlib import Path

from benchmarks import peers, running
from benchmarks.cases import Result
from benchmarks.measuring import CORES, in_words, times_as_fast

TOLERANCE = 1e-9


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


def stored(share: float, most: float, mb: float) -> Judge:
    def judge(found: Result, rates: dict[str, float]) -> tuple[str, bool]:
        del rates
        reached, of_it = found["n"] / found["wall"], found["wall"] / found["with_store"]
        text = f"{reached:,.0f}/s, {found['in_all']:,.0f} MB, {of_it:.3g} × with a store"
        return text, reached >= most and found["in_all"] < mb and of_it >= share

    return judge


def dispatched(most: float) -> Judge:
    def judge(found: Result, rates: dict[str, float]) -> tuple[str, bool]:
        del rates
        reached = found["n"] / found["wall"]
        parts = [f"{reached:,.0f}/s"]
        for name, theirs in found["beside"].items():
            parts.append(f"{times_as_fast(found, theirs)} {name}")
        return ", ".join(parts), reached >= most

    return judge


def peaks(mb: float) -> Judge:
    def judge(found: Result, rates: dict[str, float]) -> tuple[str, bool]:
        del rates
        parts = [f"{name} {peak:,.0f}" for name, peak in found["peaks"].items()]
        return f"{', '.join(parts)} MB", max(found["peaks"].values()) <= mb

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
    "kept": (
        "10⁷ of a compiled function, best 1,000, without and with a store of these",
        "≥ 10⁶/s, < 500 MB in all, ≥ 0.8 × with the store",
        stored(0.8, 1e6, 500),
    ),
    "dask_batches": (
        "100,000 calls that do nothing over a local Dask, in batches of 1,000",
        "≥ 20,000/s",
        dispatched(20_000),
    ),
    "ray_batches": ("… over a local Ray", "≥ 20,000/s", dispatched(20_000)),
    "large_tasks": (
        "200 tasks of 10 MB from a generator, two workers",
        "≤ 400 MB on every engine",
        peaks(400),
    ),
    "contracts": ("the contract suites of all engines", "≤ 180 s", within(180)),
    "brute": ("brute force of the example strategy, 3,971", "≤ 150 ms", within(0.15)),
    "walk": ("walk-forward of it, 10 ascent cycles", "≤ 60 ms", within(0.06)),
    "doubled": ("twice the bars, the same fills: crossings", "≤ 1.25 ×", growth(1.25)),
    "doubled_given": ("twice the bars, the same fills: given signals", "≤ 1.25 ×", growth(1.25)),
    "first": ("first Sharpe ratio in a fresh cache", "≤ 8 s", within(8)),
    "first_training": ("first training in a fresh cache", "≤ 8 s", within(8)),
    "import": ("`import broadpeak` beyond NumPy", "≤ 30 ms", within(0.03)),
}


PEER_CASES = {
    "pairs": ["vectorbt", "vectorbt-rust"],
    "dense": ["vectorbt", "vectorbt-rust", "raptorbt", "phasor"],
}


def peer_rates(case: str, pythons: dict[str, str], quick: bool) -> dict[str, float]:
    """Return the backtests a second of each peer that is there; of two engines the faster one."""
    rates: dict[str, float] = {}
    for name in PEER_CASES.get(case, []):
        if name in pythons:
            found = peers.run(name, case, pythons[name], quick)
            if "wall" in found:
                key = name.removesuffix("-rust")
                rates[key] = max(rates.get(key, 0.0), found["n"] / found["wall"])
    return rates


def line(row: str, found: Result, rates: dict[str, float]) -> list[str]:
    """Return the cells of a row of the table."""
    work, goal, judge = ROWS[row]
    if "not_yet" in found:
        return [work, goal, f"not yet: {found['not_yet'][:60]}", "–", "–", "–", "no"]
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
    args = parser.parse_args()
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
        found = running.run(row, args.quick)
        rates = peer_rates(row, pythons, args.quick) if "wall" in found else {}
        every[row] = {**found, "peers": rates}
        print(f"| {' | '.join(line(row, found, rates))} |", flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps(every, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
