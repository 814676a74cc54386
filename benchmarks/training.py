# SPDX-License-Identifier: BSD-3-Clause
"""What training costs: the example strategy on 3,270 daily bars, beside pandas and a loop.

Run: ``python benchmarks/training.py``
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import broadpeak as bp

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
from trend import trend

DATA = bp.Data.sample("AAPL")


def times(func: Callable[[], Any], repeat: int) -> tuple[float, float]:
    """Return the shortest and the median of `repeat` times, in seconds, after one warm call."""
    func()
    found = []
    for _ in range(repeat):
        start = time.perf_counter()
        func()
        found.append(time.perf_counter() - start)
    return min(found), statistics.median(found)


def in_turn(funcs: list[Callable[[], Any]], rounds: int) -> list[tuple[float, float]]:
    """Return the shortest and the median time of each, taken in turn, so that all share noise."""
    for func in funcs:
        func()
    found: list[list[float]] = [[] for _ in funcs]
    for _ in range(rounds):
        for func, seconds in zip(funcs, found, strict=True):
            start = time.perf_counter()
            func()
            seconds.append(time.perf_counter() - start)
    return [(min(seconds), statistics.median(seconds)) for seconds in found]


def show(name: str, found: tuple[float, float], limit: float | None = None) -> None:
    best, median = found
    goal = "" if limit is None else f"   goal {limit * 1e3:7.0f} ms"
    print(f"{name:<52}{best * 1e3:9.1f} ms  median {median * 1e3:9.1f} ms{goal}")


def in_pandas(cycle: float, factor: float, stop: float) -> float:
    """The same strategy as most people write it first: pandas columns and a loop over bars."""
    frame = {name: getattr(DATA, name) for name in ("open", "high", "low", "close")}
    price = sum(frame.values()) / 4
    slow_period = int(cycle * factor + 0.5)
    fast, slow = price.rolling(int(cycle + 0.5)).mean(), price.rolling(slow_period).mean()
    up = (fast > slow) & (fast.shift() <= slow.shift())
    down = (fast < slow) & (fast.shift() >= slow.shift())
    close = frame["close"].shift()
    ranges = np.maximum(frame["high"], close) - np.minimum(frame["low"], close)
    distance = ranges.ewm(alpha=0.1, adjust=False).mean() * stop
    position, entry, level, total = 0, 0.0, 0.0, 0.0
    for bar in range(541, len(price)):
        o, h, low = (frame[name].iloc[bar] for name in ("open", "high", "low"))
        side = 1 if up.iloc[bar - 1] else -1 if down.iloc[bar - 1] else 0
        if side and side != position:
            total += position * (o - entry)
            position, entry, level = side, o, o - side * distance.iloc[bar - 1]
        if position and (low <= level if position > 0 else h >= level):
            total += position * ((min(o, level) if position > 0 else max(o, level)) - entry)
            position = 0
    return float(total)


def main() -> None:
    warnings.simplefilter("ignore", UserWarning)
    options = {"min_trades": 30}
    ascent = times(lambda: bp.train(trend, DATA, **options), 9)
    brute, two = in_turn(
        [
            lambda: bp.train(trend, DATA, method="brute", **options),
            lambda: bp.train(
                trend, DATA, method="brute", engine="processpool", n_workers=2, **options
            ),
        ],
        6,
    )
    walk = times(lambda: bp.walk_forward(trend, DATA, cycles=10, **options), 5)
    show("ascent, 57 evaluations", ascent, 0.040)
    show("brute force, 3,971 combinations", brute, 2.0)
    show("walk-forward, 10 ascent cycles", walk, 0.6)
    show("test with given parameters", times(lambda: bp.test(trend, DATA), 9))
    show("brute force, two processes", two)
    print(f"two processes against one core: {brute[0] / two[0]:.2f} times (goal 1.7)")
    peer = times(lambda: in_pandas(30.0, 3.0, 3.0), 3)
    show("one evaluation written in pandas and a loop", peer)
    each = brute[0] / 3971
    print(f"one evaluation here: {each * 1e6:.0f} µs, {peer[0] / each:.0f} times faster")


if __name__ == "__main__":
    main()
