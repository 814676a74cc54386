# SPDX-License-Identifier: BSD-3-Clause
"""All timings in one run, and the table of the README.

    python -m benchmarks                              # everything: goals, table, growth, details
    python -m benchmarks --only-table [--quick]       # the table only
    python -m benchmarks --only-table --write         # … and into the README, between its marks
    python -m benchmarks --peer vectorbt=/path/to/python --peer phasor=/path/to/other/python

Peers are other libraries. They are never imported here, only run by interpreters of their own,
given as above or in BROADPEAK_PEERS (``name=path`` with the separator of PATH between them); where
none is given the table says "–". Losses are printed like wins.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import platform
import re
import runpy
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import floors, peers, running, significance
from benchmarks.cases import Result
from benchmarks.measuring import (
    CORES,
    ROOT,
    FailedError,
    in_times,
    in_words,
    put_between,
    spawn,
    times_as_fast,
)

README = ROOT / "README.md"
BEGIN = "<!-- table: python -m benchmarks --only-table --write -->"
END = "<!-- end of table -->"
NONE = "–"
DETAILS = ["engines", "grids", "indicators", "searchers", "training"]


class Job(NamedTuple):
    """A row of the table: a case in words, the peers it is compared with, what they do less."""

    case: str
    what: str
    peers: tuple[str, ...] = ()
    each: bool = False
    """Whether to show the time of one of its backtests or calls."""


EVERY = ("vectorbt", "vectorbt-rust", "raptorbt", "phasor", "qrucible", "tradix", "backtesting")
CLASSES: dict[str, list[Job]] = {
    "Crossings": [
        Job("pairs", "{n:,} pairs of averages to Sharpe ratios", EVERY),
        Job("many", "{n:,} pairs"),
        Job("stops", "{n:,} pairs × levels of a stop-loss"),
        Job("billion", "{n:,} pairs × levels, the best 1,000 kept"),
    ],
    "Given signals": [
        Job("sparse", "{n} columns × {bars:,} bars to return, Sharpe ratio, drawdown"),
        Job("one", "one `from_signals` to its Sharpe ratio", each=True),
    ],
    "Dense with stops": [
        Job("dense", "{n:,} columns × 5,000 bars, three stops, to returns", EVERY[:4]),
    ],
    "Training": [
        Job("ascent", "training by ascent, 57 backtests"),
        Job("brute", "training by brute force, 3,971 backtests"),
        Job("walk", "walk-forward, 10 trainings by ascent"),
    ],
    "Calls and grids": [
        Job("plain", "a plain function of one combination, {n:,} of them, each", each=True),
        Job("single", "… whose body can't take lists, each", each=True),
        Job("compiled", "{n:,} combinations of a compiled function, the best 1,000 kept"),
        Job("empty", "{n:,} empty calls to a Series with its index"),
        Job("pool", "{n:,} empty calls in two processes"),
        Job("cells", "{n:,} cells, three conditions, 91,125 left"),
        Job("searches", "a step of a random search, each", each=True),
    ],
    "Start-up": [
        Job("first", "first Sharpe ratio of a machine, nothing compiled"),
        Job("first_training", "first training of a machine, nothing compiled"),
        Job("import", "`import broadpeak` beyond NumPy"),
    ],
}
TITLES = {
    "vectorbt": "vectorbt, Numba", "vectorbt-rust": "vectorbt, Rust", "raptorbt": "RaptorBT",
    "backtesting": "backtesting.py", "c": "C loop",
}  # fmt: skip


def beside(job: Job, found: Result, quick: bool, pythons: dict[str, str]) -> Iterator[list[str]]:
    """Yield name, time and ratio of everything that a job is compared with."""
    others: dict[str, Result] = dict(found.get("beside", {}))
    if "c" in found:
        others["c"] = {"wall": found["c"], "cpu": found["c_cpu"]}
    for name, theirs in others.items():
        scale = found["n"] if job.each else 1
        time = in_words(theirs["wall"] / scale)
        yield [f"{time} ({TITLES.get(name, name)})", times_as_fast(found, theirs)]
    for name in job.peers:
        title = TITLES.get(name, name)
        if name not in pythons:
            yield [f"{NONE} ({title})", NONE]
            continue
        theirs = peers.run(name, job.case, pythons[name], quick)
        if "failed" in theirs:
            yield [f"failed ({title})", NONE]
            continue
        # A peer that would take minutes for all of it gets a part: its rate counts.
        scale = found["n"] / theirs["n"]
        yield [
            f"{in_words(theirs['wall'] * scale)} ({title})",
            times_as_fast(found, theirs, scale),
        ]


def rows(quick: bool, pythons: dict[str, str]) -> Iterator[list[str]]:
    """Yield the rows of the table, class by class."""
    for title, jobs in CLASSES.items():
        yield [f"**{title}**", "", "", "", "", ""]
        for job in jobs:
            yield from rows_of(job, running.run(job.case, quick), quick, pythons)
        if title == "Training":
            one, other = running.run("brute", quick), running.run("in_pandas", quick)
            if "wall" in one and "wall" in other:
                each = {key: one[key] / one["n"] for key in ("wall", "cpu")}
                time = f"{in_words(other['wall'])} (pandas and a loop)"
                yield [
                    "one backtest of those 3,971", in_words(each["wall"]), in_words(each["cpu"]),
                    NONE, time, times_as_fast(each, other),
                ]  # fmt: skip
    yield ["**Statistics and indicators**", "", "", "", "", ""]
    yield from choices()
    yield from averages()


def rows_of(
    job: Job, found: Result, quick: bool, pythons: dict[str, str]
) -> Iterator[list[str]]:  # fmt: skip
    """Yield a row for a job, and one more for each of the others it is compared with."""
    if "wall" not in found:
        reason = "not yet" if "not_yet" in found else "failed"
        yield [re.sub(r"\{\w+:?,?\} ", "", job.what), reason, *[NONE] * 4]
        return
    what = job.what.format(**found)
    scale = found["n"] if job.each else 1
    cpu = NONE if math.isnan(found["cpu"]) else in_words(found["cpu"] / scale)
    memory = f"{found['mb']:,.0f} MB" if "mb" in found else NONE
    first = [what, in_words(found["wall"] / scale), cpu, memory]
    empty = True
    for other in beside(job, found, quick, pythons):
        yield [*first, *other]
        first, empty = ["…", "", "", ""], False
    if empty:
        yield [*first, NONE, NONE]


def choices() -> Iterator[list[str]]:
    """Yield the statistics of a choice beside NumPy loops, a process each."""
    for case in ("pbo", "spa", "permutations, one process"):
        what = significance.WHAT[case.partition(",")[0]].partition(", two")[0]
        try:
            found = significance.spawn("", "--case", case)
        except FailedError:
            yield [what, "failed", *[NONE] * 4]
            continue
        other, ratio = NONE, NONE
        if found["loop"] > 0:
            other = f"{in_words(found['loop'])} (NumPy loop)"
            ratio = in_times(found["loop"] / found["cpu"])
        memory = f"{found['mb']:,.0f} MB"
        yield [what, in_words(found["wall"]), in_words(found["cpu"]), memory, other, ratio]


def averages() -> Iterator[list[str]]:
    """Yield an average beside TA-Lib and pandas, which needs TA-Lib."""
    try:
        from benchmarks import indicators
    except ImportError:
        return
    name, ours, *others = next(iter(indicators.indicators()))
    mine = indicators.best(ours) * 1e-6
    first = [f"{name} of 3,270 bars", in_words(mine), NONE, NONE]
    for title, func in zip(("TA-Lib", "pandas"), others, strict=True):
        theirs = indicators.best(func) * 1e-6
        yield [*first, f"{in_words(theirs)} ({title})", in_times(theirs / mine)]
        first = ["…", "", "", ""]


def machine() -> str:
    """Say when and where this was measured."""
    names = ("broadpeak", "numpy", "pandas", "numba", "joblib")
    return (
        f"{dt.date.today().isoformat()}, {CORES} cores {platform.machine()} "
        f"{processor()}, {platform.system()}, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in names)
    )


def processor() -> str:
    """Return what the processor calls itself."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown processor"
    found = text.partition("model name")[2].partition(":")[2].splitlines()
    return " ".join(found[0].split()) if found else "unknown processor"


def floor_lines(quick: bool) -> Iterator[str]:
    """Yield the machine's floors, measured now, in words."""
    for case in floors.CASES:
        found: dict[str, Any] = running.run(case, quick)
        what = {
            "read": "reading both float64 series of every pair",
            "events": "touching 38 events a pair once",
            "memory": "reading memory from end to end",
        }[case]
        yield f"{what} {floors.said(case, found)}"


def table(quick: bool, pythons: dict[str, str]) -> str:
    """Measure, and return the table with what is below it."""
    lines = ["| Job | Wall | CPU | Memory | Peer | Times as fast |", "|---" * 6 + "|"]
    print("\n".join(lines), flush=True)
    measured, job = [], ""
    for cells in rows(quick, pythons):
        job = job if cells[0] == "…" else cells[0]
        measured.append([job, *cells[1:]])
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    known = ", ".join(
        f"{TITLES.get(name, name)} {found}"
        for name, found in versions(pythons).items()
        if name != "vectorbt-rust"
    )
    lines += [
        "",
        f"Best of several runs, warm but for start-up, on {machine()}. Memory is the peak of a "
        "fresh process above its imports. Peers that would take minutes ran a part, and their rate "
        f"counts. The machine's floors: {'; '.join(floor_lines(quick))}."
        + (f" Peers: {known}." if known else "")
        + (" Quick sizes." if quick else ""),
    ]
    slower = [cells for cells in measured if is_loss(cells)]
    if slower:
        said = "; ".join(f"{cells[0]}, {cells[4]}: {cells[5]}" for cells in slower)
        lines[-1] += f" **Slower than its peer**: {said}."
    print("\n".join(lines[-2:]))
    return "\n".join(lines)


def is_loss(cells: list[str]) -> bool:
    """Whether a row says that its peer is faster."""
    ratio = cells[5].partition(" ×")[0].replace(",", "")
    return ratio.replace(".", "", 1).isdecimal() and float(ratio) < 1


def versions(pythons: dict[str, str]) -> dict[str, str]:
    """Return the version of each peer that is there."""
    found = {}
    for name, python in pythons.items():
        try:
            found[name] = spawn("benchmarks.peers", "--version", name, python=python)["version"]
        except FailedError:
            found[name] = "?"
    return found


def write(text: str, path: Path = README) -> None:
    """Put the table between the marks of a page."""
    # A peer that was not run has a line in the terminal, which says so, and none on the page.
    lines = [
        line
        for line in text.split("\n")
        if not line.startswith("| … |") or f"| {NONE} (" not in line
    ]
    put_between(path, BEGIN, "\n".join(lines), END)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--only-table", action="store_true")
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    parser.add_argument("--html", default="", metavar="FILE", help="a page with growth curves")
    args = parser.parse_args()
    pythons = peers.given(args.peer)
    if not pythons:
        print("No peers: give their interpreters with --peer or BROADPEAK_PEERS.")
    if not args.only_table:
        options = ["--quick"] if args.quick else []
        given = [item for name, path in pythons.items() for item in ("--peer", f"{name}={path}")]
        for script, line in (
            ("goals", [*options, *given]),
            ("growth", [*options, *(["--html", args.html] if args.html else [])]),
            *((name, []) for name in DETAILS),
        ):
            print(f"\n== {script}", flush=True)
            run_script(script, line)
        print()
    text = table(args.quick, pythons)
    if args.write:
        write(text)


def run_script(name: str, line: list[str]) -> None:
    """Run a script of this folder as if from the shell."""
    before = sys.argv
    sys.argv = [name, *line]
    try:
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    finally:
        sys.argv = before


if __name__ == "__main__":
    main()
