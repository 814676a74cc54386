# SPDX-License-Identifier: BSD-3-Clause
"""Given signals: arrays that are there already, dense ones with stops, and sparse ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import workloads
from benchmarks.cases import Case, Result, gap
from benchmarks.measuring import best, in_turn
from benchmarks.workloads import FEES, YEAR


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
    return {**times._asdict(), "n": columns, "bars": bars, "check": check}


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


def one(quick: bool) -> Result:
    """One column of given signals to its Sharpe ratio, a thousand calls of it."""
    import pandas as pd

    import broadpeak as bp

    close = pd.Series(workloads.closes(), index=workloads.index(workloads.N_BARS))
    entries, exits = workloads.dense_signals(1, len(close))
    up, down = pd.Series(entries[0], index=close.index), pd.Series(exits[0], index=close.index)

    def job() -> None:
        for _ in range(1000):
            _ = bp.PF.from_signals(close, up, down, fees=FEES).sharpe_ratio

    job()
    return {**best(job, 0.5 if quick else 2.0)._asdict(), "n": 1000}


CASES: dict[str, Case] = {
    "dense": dense, "sparse": sparse, "doubled_given": doubled_given, "one": one,
}  # fmt: skip
