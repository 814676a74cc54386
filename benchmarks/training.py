# SPDX-License-Identifier: BSD-3-Clause
"""Training: the example strategy on 3,270 daily bars, beside pandas and a loop.

Run: ``python -m benchmarks.training``
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np

from benchmarks.cases import Case, Result
from benchmarks.measuring import ROOT, best, in_turn, in_words

OPTIONS = {"min_trades": 30}


def example() -> tuple[Any, Any]:
    """Return the example strategy, and its prices: 3,270 daily bars."""
    import broadpeak as bp

    sys.path.insert(0, str(ROOT / "examples"))
    from trend import trend

    warnings.simplefilter("ignore", UserWarning)
    return trend, bp.Data.sample("AAPL")


def trained(quick: bool, n: int, **options: Any) -> Result:
    """Measure a training of the example strategy."""
    import broadpeak as bp

    strategy, data = example()
    job = lambda: bp.train(strategy, data, **OPTIONS, **options)  # noqa: E731
    job()
    return {**best(job, 1.0 if quick else 4.0, 20)._asdict(), "n": n}


def brute(quick: bool) -> Result:
    """Brute force."""
    return trained(quick, 3971, method="brute")


def ascent(quick: bool) -> Result:
    """The ascent, from parameter to parameter."""
    return trained(quick, 57)


def walk(quick: bool) -> Result:
    """Ten trainings by ascent, each tested on the bars after it."""
    import broadpeak as bp

    strategy, data = example()
    job = lambda: bp.walk_forward(strategy, data, cycles=10, **OPTIONS)  # noqa: E731
    job()
    return {**best(job, 1.0 if quick else 4.0, 20)._asdict(), "n": 10}


def in_pandas(data: Any, cycle: float, factor: float, stop: float) -> float:
    """The same strategy as most people write it first: pandas columns and a loop over bars."""
    frame = {name: getattr(data, name) for name in ("open", "high", "low", "close")}
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


def in_pandas_case(quick: bool) -> Result:
    """One of those backtests in pandas."""
    del quick
    data = example()[1]
    return {**best(lambda: in_pandas(data, 30.0, 3.0, 3.0), 1.0)._asdict(), "n": 1}


CASES: dict[str, Case] = {
    "brute": brute, "ascent": ascent, "walk": walk, "in_pandas": in_pandas_case,
}  # fmt: skip


def main() -> None:
    import broadpeak as bp

    for name, case in CASES.items():
        found = case(False)
        each = in_words(found["wall"] / found["n"])
        print(f"{name:10} {in_words(found['wall']):>10}, {each} each of {found['n']:,}")
    strategy, data = example()
    one = lambda: bp.train(strategy, data, method="brute", **OPTIONS)  # noqa: E731
    pool = {"engine": "processpool", "n_workers": 2}
    two = lambda: bp.train(strategy, data, method="brute", **pool, **OPTIONS)  # noqa: E731
    two()
    alone, both = in_turn([one, two], 5.0)
    print(f"brute force in two processes: {alone.wall / both.wall:.2f} times as fast as in one")


if __name__ == "__main__":
    main()
