# SPDX-License-Identifier: BSD-3-Clause
"""Portfolio against the open-source vectorised library, in one run on one machine.

    python benchmarks/portfolio.py [--peer /path/to/python/with/vectorbt] [--quick]

The peer runs in its own interpreter, warm: each case runs once before it is timed. Memory is the
growth of the peak resident set over the case, each case in a fresh process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

N_BARS = 5031
FEES = 0.001


def closes(n: int = N_BARS) -> pd.Series:
    rng = np.random.default_rng(7)
    index = pd.date_range("2000-01-03", periods=n, freq="B", name="Date")
    return pd.Series(100 * np.exp(np.cumsum(rng.normal(0.0003, 0.012, n))), index=index)


def ohlc(n: int = N_BARS) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    close = closes(n)
    open_ = close.shift(1, fill_value=100.0) * np.exp(rng.normal(0, 0.003, n))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.006, n)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.006, n)))
    return pd.DataFrame({"open": open_, "high": high, "low": low, "close": close})


def random_signals(columns: int, n: int = N_BARS) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(9)
    index = closes(n).index
    frames = [
        pd.DataFrame((rng.random((columns, n)) < 0.02).T, index=index, copy=False) for _ in range(2)
    ]
    return frames[0], frames[1]


# -- the cases, once for each library ------------------------------------------------------------


def pairs_broadpeak(count: int):
    import broadpeak as bp

    data = bp.Data.from_frames({"X": ohlc()})
    windows = list(range(2, 2 + count))

    def run():
        fast, slow = [], []
        for i, a in enumerate(windows):
            for b in windows[i + 1 :]:
                fast.append(a)
                slow.append(b)
        left = data.run("bp:ma", window=fast)
        right = data.run("bp:ma", window=slow)
        entries = left.ma_crossed_above(right)
        exits = left.ma_crossed_below(right)
        return bp.PF.from_signals(data.close, entries, exits, fees=FEES).sharpe_ratio

    return run


def pairs_vectorbt(count: int):
    import vectorbt as vbt

    close = closes()
    windows = list(range(2, 2 + count))

    def run():
        fast, slow = vbt.MA.run_combs(close, window=windows, r=2, short_names=["fast", "slow"])
        entries = fast.ma_crossed_above(slow)
        exits = fast.ma_crossed_below(slow)
        pf = vbt.Portfolio.from_signals(close, entries, exits, fees=FEES, freq="1D")
        return pf.sharpe_ratio()

    return run


def pairs_signals_broadpeak(count: int):
    """Only from_signals and the ratio, the signals made before."""
    import broadpeak as bp

    close = closes()
    lanes = {w: bp.sma(close.to_numpy(), w) for w in range(2, 2 + count)}
    names = [(a, b) for a in lanes for b in lanes if a < b]
    up = np.array([bp.crossed_above(lanes[a], lanes[b]) for a, b in names])
    down = np.array([bp.crossed_below(lanes[a], lanes[b]) for a, b in names])
    columns = pd.MultiIndex.from_tuples(names, names=["fast", "slow"])
    entries = pd.DataFrame(up.T, index=close.index, columns=columns, copy=False)
    exits = pd.DataFrame(down.T, index=close.index, columns=columns, copy=False)
    return lambda: bp.PF.from_signals(close, entries, exits, fees=FEES).sharpe_ratio


def stops_broadpeak(columns: int):
    import broadpeak as bp

    bars = ohlc()
    entries, exits = random_signals(columns)
    return lambda: (
        bp.PF.from_signals(
            bars["close"], entries, exits, open=bars["open"], high=bars["high"], low=bars["low"],
            fees=FEES, sl_stop=0.05, tp_stop=0.1, tsl_stop=0.07,
        ).total_return
    )  # fmt: skip


def stops_vectorbt(columns: int):
    import vectorbt as vbt

    bars = ohlc()
    entries, exits = random_signals(columns)

    # One stop distance at a time is all that library takes beside a trailing one: the nearer.
    return lambda: (
        vbt.Portfolio.from_signals(
            bars["close"], entries, exits, open=bars["open"], high=bars["high"], low=bars["low"],
            fees=FEES, sl_stop=0.05, tp_stop=0.1, sl_trail=True, freq="1D",
        ).total_return()
    )  # fmt: skip


def single_broadpeak(_: int):
    import broadpeak as bp

    close = closes()
    entries, exits = random_signals(1)
    entries, exits = entries[0], exits[0]

    def run():
        for _ in range(1000):
            _ = bp.PF.from_signals(close, entries, exits, fees=FEES).sharpe_ratio

    return run


def wide_broadpeak(columns: int):
    import broadpeak as bp

    close = closes(2500)
    entries, exits = random_signals(columns, 2500)
    return lambda: bp.PF.from_signals(close, entries, exits, fees=FEES).sharpe_ratio


def long_broadpeak(bars: int):
    import broadpeak as bp

    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, bars)))
    entries, exits = (rng.random(bars) < 0.01 for _ in range(2))

    def run():
        pf = bp.PF.from_signals(close, entries, exits, fees=FEES, sl_stop=0.02, bars_per_year=1e5)
        return pf.stats()

    return run


CASES = {
    "pairs": (pairs_broadpeak, pairs_vectorbt),
    "pairs_signals": (pairs_signals_broadpeak, None),
    "stops": (stops_broadpeak, stops_vectorbt),
    "single": (single_broadpeak, None),
    "wide": (wide_broadpeak, None),
    "long": (long_broadpeak, None),
}


class PeakMemory:
    """Largest resident set while it runs, sampled; the process maximum cannot be reset."""

    def __enter__(self):
        self.peak = self.start = self.now()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def watch(self):
        while not self.stop.wait(0.002):
            self.peak = max(self.peak, self.now())

    @staticmethod
    def now() -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize()


def measure(case: str, peer: bool, size: int, repeat: int) -> dict:
    run = CASES[case][1 if peer else 0](size)
    if case != "wide":
        run()  # warm: compiled, caches filled
    best = min(timed(run) for _ in range(repeat))
    with PeakMemory() as memory:
        run()
    return {"seconds": best, "mb": (memory.peak - memory.start) / 2**20}


def timed(run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def spawn(python: str, case: str, peer: bool, size: int, repeat: int) -> dict:
    line = [python, __file__, "--case", case, "--size", str(size), "--repeat", str(repeat)]
    done = subprocess.run(
        line + (["--as-peer"] if peer else []), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default="")
    parser.add_argument("--case", default="")
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--as-peer", action="store_true")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if args.size:
        print(json.dumps(measure(args.case, args.as_peer, args.size, args.repeat)))
        return
    sizes = {"pairs": 101, "pairs_signals": 101, "stops": 2000, "single": 1,
             "wide": 50_000, "long": 10_000_000}  # fmt: skip
    if args.quick:
        sizes.update(pairs=31, pairs_signals=31, stops=200, wide=2000, long=500_000)
    for case in [args.case] if args.case else CASES:
        size = sizes[case]
        mine = spawn(sys.executable, case, False, size, args.repeat)
        print(f"{case:14s} {size:>9d}: {mine['seconds'] * 1e3:10.2f} ms {mine['mb']:9.1f} MB")
        if args.peer and CASES[case][1]:
            theirs = spawn(args.peer, case, True, size, 2)
            times = theirs["seconds"] / mine["seconds"]
            ratio = theirs["mb"] / max(mine["mb"], 1e-9)
            print(
                f"{'  peer':14s} {size:>9d}: {theirs['seconds'] * 1e3:10.2f} ms "
                f"{theirs['mb']:9.1f} MB   {times:.0f} times slower, {ratio:.0f} times the memory"
            )


if __name__ == "__main__":
    main()
