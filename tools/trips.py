# SPDX-License-Identifier: BSD-3-Clause
"""Count the functions and files of the library that a call walks through, warm.

    python tools/trips.py            all trips as a table
    python tools/trips.py train      one of them, with every function that is entered

A trip is long when many hands pass one thing on. Comprehensions count as functions (up to Python
3.11 they are); a compiled kernel counts as one, whatever kernels it calls itself.
tests/architecture/test_trips.py holds the ceilings.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
import pandas as pd

import broadpeak as bp

HOME = str(Path(bp.__file__).resolve().parent)


def walked(call: Callable[[], object]) -> Counter[CodeType]:
    """Return how often each function of the library is entered by the second of two calls."""
    seen: Counter[CodeType] = Counter()

    def look(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        # Once threads can be stopped, a step before every kernel sees to it; it is not counted.
        if code.co_filename.endswith("compile.py"):
            return
        if event == "call" and code.co_filename.startswith(HOME):
            seen[code] += 1

    call()
    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(None)
    return seen


@bp.strategy(lookback=30)
def crossing(s: Any) -> None:
    """Cross two averages; five steps of one parameter."""
    fast = s.optimize(5, 3, 7, 1, name="fast")
    up = bp.crossed_above(bp.sma(s.close, fast), bp.sma(s.close, 20))
    s.enter_long(up)
    s.exit_long(bp.crossed_below(bp.sma(s.close, fast), bp.sma(s.close, 20)))


@bp.parameterized(merge_func="concat")
def total(x: int, y: int) -> int:
    """Return one number of two."""
    return x + y


def trips() -> dict[str, Callable[[], object]]:
    """Return the calls by name."""
    data = bp.Data.sample("IBM")
    rng = np.random.default_rng(1)
    days = pd.bdate_range("2020", periods=500)
    close = pd.Series(100 * np.exp(np.cumsum(rng.normal(0, 0.01, 500))), days, name="close")
    entries, exits = close > close.shift(1), close < close.shift(1)
    training = bp.train(crossing, data)
    return {
        "sma": lambda: bp.sma(close, 10),
        "select": lambda: bp.select(pd.Series([1.0, 2, 3, 2], pd.Index([1, 2, 3, 4], name="n"))),
        "from_signals": lambda: bp.PF.from_signals(close, entries, exits).sharpe_ratio,
        "execute": lambda: bp.execute([bp.Task(abs, -1), bp.Task(abs, -2)]),
        "parameterized": lambda: total(
            bp.Param([1, 2, 3], condition="x != 3 or y > 2"), bp.Param([1, 2])
        ),
        "train": lambda: bp.train(crossing, data),
        "test": lambda: bp.test(crossing, data, training),
        "walk_forward": lambda: bp.walk_forward(crossing, data, cycles=3),
    }


def main() -> None:
    """Print the table, or one trip in full."""
    chosen = sys.argv[1:]
    print(f"{'call':<14} {'functions':>9} {'files':>6} {'calls':>7}")
    for name, call in trips().items():
        if chosen and name not in chosen:
            continue
        seen = walked(call)
        files = Counter(code.co_filename for code in seen)
        print(f"{name:<14} {len(seen):>9} {len(files):>6} {sum(seen.values()):>7}")
        if chosen:
            for file in sorted(files):
                print(f"  {Path(file).relative_to(HOME)}")
                for code in sorted(seen, key=lambda code: code.co_firstlineno):
                    if code.co_filename == file:
                        print(f"    {code.co_qualname} {seen[code]}")


if __name__ == "__main__":
    main()
