# SPDX-License-Identifier: BSD-3-Clause
"""What it costs to tell luck from skill, beside NumPy loops of the papers and beside `arch`.

    python -m benchmarks.significance [--peer /path/to/python/with/arch]

Wall time and CPU time are the best of several runs, warm. Memory is the growth of the peak resident
set above that after the imports and the data, in a process of its own. A loop whose whole would
take minutes runs in part and is scaled up; it says so.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measuring

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

BARS, BLOCKS, DRAWS = 2500, 16, 1000


def returns(columns: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0.0, 0.01, size=(BARS, columns))


def walk(seed: int = 3, bars: int = 3270) -> Any:
    """Return a random walk with four prices a bar."""
    import broadpeak as bp

    moves = np.random.default_rng(seed).normal(0.0, 0.02 / 4, size=(bars, 4))
    path = 100 * np.exp(np.cumsum(moves.ravel())).reshape(bars, 4)
    frame = {"open": path[:, 0], "high": path.max(1), "low": path.min(1), "close": path[:, 3]}
    import pandas as pd

    index = pd.bdate_range("2000-03-01", periods=bars)
    return bp.Data.from_frames({"WALK": pd.DataFrame(frame, index=index)})


# -- the cases: what is called, the same as a loop, and by which factor the loop is shorter ------


def halves_in_numpy(values: np.ndarray, part: int) -> None:
    """The halves of CSCV as most people write them first, every `part`-th of them."""
    blocks = np.array_split(np.arange(len(values) - len(values) % BLOCKS), BLOCKS)
    ways = itertools.combinations(range(BLOCKS), BLOCKS // 2)
    for half in itertools.islice(ways, 0, None, part):
        inside = values[np.concatenate([blocks[k] for k in half])]
        outside = values[np.concatenate([blocks[k] for k in range(BLOCKS) if k not in half])]
        best = (inside.mean(0) / inside.std(0, ddof=1)).argmax()
        ratios = outside.mean(0) / outside.std(0, ddof=1)
        (ratios < ratios[best]).sum()


def histories_in_numpy(values: np.ndarray, part: int) -> None:
    """The stationary bootstrap of all means, every `part`-th history."""
    generator = np.random.default_rng(1)
    for _ in range(DRAWS // part):
        rows = np.empty(len(values), dtype=np.int64)
        row = 0
        for bar in range(len(values)):
            jump = bar == 0 or generator.random() < 0.2
            row = int(generator.integers(len(values))) if jump else (row + 1) % len(values)
            rows[bar] = row
        values[rows].mean(axis=0).max()


def cases() -> dict[str, tuple[Callable[[], Any], Callable[[], Any] | None, int]]:
    from trend import trend

    import broadpeak as bp

    few, many = returns(200), returns(1000)
    apple, noise = bp.Data.sample("AAPL"), walk()
    options: dict[str, Any] = {"engine": "processpool", "n_workers": 2, "n": 200}

    def permuted(data: Any, **more: Any) -> Any:
        return bp.stats.permutation_test(trend, data, min_trades=30, **more)

    return {
        "pbo": (lambda: bp.stats.pbo(few), lambda: halves_in_numpy(few, 100), 100),
        "spa": (
            lambda: bp.stats.spa(many, n=DRAWS, block=5.0),
            lambda: histories_in_numpy(many, 100),
            100,
        ),
        "permutations": (lambda: permuted(apple, sequential=False, **options), None, 1),
        "permutations, one process": (lambda: permuted(apple, sequential=False), None, 1),
        "permutations of a random walk": (lambda: permuted(noise, **options), None, 1),
        "one permutation": (lambda: bp.stats.bar_permutation(apple, 1), None, 1),
    }


WHAT = {
    "pbo": "`pbo`, 200 configurations × 2,500 bars × 16 blocks",
    "spa": "`spa`, 1,000 configurations × 2,500 bars × 1,000 histories",
    "permutations": "`permutation_test`, 200 trainings by ascent on 3,270 bars, two processes",
    "permutations, one process": "… in one process",
    "permutations of a random walk": "… on a random walk, where it may stop early",
    "one permutation": "`bar_permutation` of 3,270 bars",
}
GOALS = {"pbo": 0.2, "spa": 3.0, "permutations": 8.0, "permutations of a random walk": 2.0}


def measure(name: str, repeat: int) -> dict[str, float]:
    warnings.simplefilter("ignore", UserWarning)
    func, loop, part = cases()[name]
    before = measuring.peak_mb()
    func()
    grown = measuring.peak_mb() - before
    wall, cpu = math.inf, math.inf
    for _ in range(repeat):
        start, spent = time.perf_counter(), time.process_time()
        func()
        wall = min(wall, time.perf_counter() - start)
        cpu = min(cpu, time.process_time() - spent)
    peer = math.nan
    if loop is not None:
        start = time.process_time()
        loop()
        peer = part * (time.process_time() - start)
    return {"wall": wall, "cpu": cpu, "mb": grown, "loop": peer}


def by_arch() -> float:
    """Return the CPU seconds of `arch` for the test of all means, which it does not studentise."""
    from arch.bootstrap import SPA

    losses = -returns(1000)
    test = SPA(np.zeros(BARS), losses, block_size=5, reps=DRAWS, studentize=False, seed=1)
    start = time.process_time()
    test.compute()
    return time.process_time() - start


def spawn(python: str, *arguments: str) -> dict[str, float]:
    return measuring.spawn("benchmarks.significance", *arguments, python=python)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default="", help="an interpreter that has arch")
    parser.add_argument("--case", default="")
    args = parser.parse_args()
    if args.case == "arch":
        measuring.report({"cpu": by_arch()})
        return
    if args.case:
        measuring.report(measure(args.case, 3))
        return
    print("| Job | Wall | CPU | Memory | Beside | Ratio of CPU | Goal |\n" + "|---" * 7 + "|")
    for name, what in WHAT.items():
        got = spawn("", "--case", name)
        beside = [("a NumPy loop, in part", got["loop"])] if got["loop"] > 0 else []
        if name == "spa" and args.peer:
            beside.append(("arch, not studentised", spawn(args.peer, "--case", "arch")["cpu"]))
        texts = "; ".join(f"{seconds:.3g} s ({peer})" for peer, seconds in beside)
        ratios = "; ".join(f"{seconds / got['cpu']:.3g} ×" for _, seconds in beside)
        # The CPU time of worker processes is not that of this one.
        cpu = "" if "two processes" in what or "random walk" in what else f"{got['cpu']:.3g} s"
        goal = f"{GOALS[name]:g} s" if name in GOALS else ""
        cells = (what, f"{got['wall']:.3g} s", cpu, f"{got['mb']:.0f} MB", texts, ratios, goal)
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
