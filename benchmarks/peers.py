# SPDX-License-Identifier: BSD-3-Clause
"""The same jobs in other libraries, each run by an interpreter of its own.

    python -m benchmarks.peers --peer vectorbt=/path/to/python phasor=/path/to/other/python

No peer is ever imported by the library, and this file imports nothing of the library, so that it
runs where the library is not installed. Run like this it prints the rate of each peer, and how far
its figures are from ours where the rules are the same.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import workloads
from benchmarks.measuring import (
    CORES,
    FailedError,
    best,
    compilations,
    in_words,
    limit_memory,
    peak_mb,
    report,
    spawn,
)
from benchmarks.workloads import FEES, YEAR

Job = Callable[[], Any]
DAY = 86_400_000_000_000  # nanoseconds
COLUMNS, BARS = 2000, 5000


class Peer(NamedTuple):
    """A library: the job of each class, and in which rules it is not the same."""

    module: str
    cases: dict[str, Callable[[Any], Job]]
    rules: dict[str, str]
    alike: dict[str, dict[str, Any]]
    """By case: the options of `from_signals` that come closest to its rules."""


def windows_of(quick: bool) -> range:
    """Return windows spread over those of the goals; all pairs of them take part."""
    return range(2, 302, 10) if quick else range(2, 302, 3)


def size_of(case: str, quick: bool, slow: bool = False) -> Any:
    """Return what a case gets: windows, or a number of columns; a few for a slow library."""
    if case == "pairs":
        return range(2, 302, 60) if slow else windows_of(quick)
    return 20 if slow else COLUMNS // 10 if quick else COLUMNS


def averages(windows: range) -> dict[int, np.ndarray]:
    """Return a moving average for each window, as NumPy has it."""
    sums = np.concatenate([[0.0], np.cumsum(workloads.closes())])
    found = {}
    for window in windows:
        mean = (sums[window:] - sums[:-window]) / window
        found[window] = np.concatenate([np.full(window - 1, np.nan), mean])
    return found


def crossed(fast: np.ndarray, slow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the first series comes to be above the second, and below it."""
    above, below = fast > slow, fast < slow
    up, down = np.zeros(len(fast), dtype=bool), np.zeros(len(fast), dtype=bool)
    up[1:] = above[1:] & below[:-1]
    down[1:] = below[1:] & above[:-1]
    return up, down


def pairs_of(windows: range) -> list[tuple[int, int]]:
    return list(zip(*workloads.pairs(windows), strict=True))


# -- vectorbt --------------------------------------------------------------------------------------


def vectorbt_pairs(windows: range) -> Job:
    import pandas as pd
    import vectorbt as vbt

    close = pd.Series(workloads.closes(), index=workloads.index(workloads.N_BARS))

    def job() -> Any:
        fast, slow = vbt.MA.run_combs(close, window=list(windows), r=2, short_names=["a", "b"])
        entries, exits = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
        pf = vbt.Portfolio.from_signals(close, entries, exits, fees=FEES, freq="1D")
        return pf.sharpe_ratio(year_freq="252D")

    return job


def vectorbt_dense(columns: int) -> Job:
    import pandas as pd
    import vectorbt as vbt

    index = workloads.index(BARS)
    bars = pd.DataFrame(workloads.ohlc(BARS), index=index)
    entries, exits = (
        pd.DataFrame(array.T, index=index, copy=False)
        for array in workloads.dense_signals(columns, BARS)
    )
    # A trailing and a fixed stop exclude each other there: it gets the trailing one, and a target.
    return lambda: (
        vbt.Portfolio.from_signals(
            bars["close"], entries, exits, open=bars["open"], high=bars["high"], low=bars["low"],
            fees=FEES, sl_stop=0.07, tp_stop=0.1, sl_trail=True, freq="1D",
            stop_entry_price="fillprice",
        ).total_return()
    )  # fmt: skip


# -- RaptorBT --------------------------------------------------------------------------------------


def raptor_prices(bars: int) -> list[np.ndarray]:
    prices = workloads.ohlc(bars)
    stamps = np.arange(bars, dtype=np.int64) * DAY
    return [stamps, *(prices[name] for name in ("open", "high", "low", "close")), np.ones(bars)]


def raptor_run(market: list[np.ndarray], items: list[Any], config: Any, figure: str) -> Any:
    import raptorbt

    found = raptorbt.batch_single_backtest(*market, items, config)
    return [getattr(result.metrics, figure) for _, result in found]


def raptorbt_pairs(windows: range) -> Job:
    import raptorbt

    market = raptor_prices(workloads.N_BARS)
    config = raptorbt.BacktestConfig(
        initial_capital=100.0, fees=FEES, fill_timing="same_bar_close", periods_per_year=YEAR
    )
    every = pairs_of(windows)

    def job() -> Any:
        lanes = averages(windows)
        items = [
            raptorbt.BatchSingleItem(f"{a},{b}", *crossed(lanes[a], lanes[b])) for a, b in every
        ]
        return raptor_run(market, items, config, "sharpe_ratio")

    return job


def raptorbt_dense(columns: int) -> Job:
    import raptorbt

    market = raptor_prices(BARS)
    config = raptorbt.BacktestConfig(
        initial_capital=100.0, fees=FEES, fill_timing="same_bar_close", periods_per_year=YEAR
    )
    config.set_trailing_stop(0.07)
    config.set_fixed_target(0.1)
    signals = workloads.dense_signals(columns, BARS)

    def job() -> Any:
        items = [
            raptorbt.BatchSingleItem(str(column), *both)
            for column, both in enumerate(zip(*signals, strict=True))
        ]
        return np.array(raptor_run(market, items, config, "total_return_pct")) / 100

    return job


# -- phasor ----------------------------------------------------------------------------------------


def phasor_pairs(windows: range) -> Job:
    import phasor

    close = workloads.closes()
    every = pairs_of(windows)

    def job() -> Any:
        lanes = averages(windows)
        both = [crossed(lanes[a], lanes[b]) for a, b in every]
        up, down = (np.array(side).T for side in zip(*both, strict=True))
        pf = phasor.from_signals(
            close[:, None], up, down, init_cash=100.0, fees=FEES, ann_factor=YEAR,
            column_map=[0] * len(every), threads=CORES,
        )  # fmt: skip
        return pf.sharpe_ratio()

    return job


def phasor_dense(columns: int) -> Job:
    import phasor

    prices = {name: array[:, None] for name, array in workloads.ohlc(BARS).items()}
    close = prices.pop("close")
    # Its layout is (bars, columns) in C order.
    signals = [np.ascontiguousarray(a.T) for a in workloads.dense_signals(columns, BARS)]
    return lambda: (
        phasor.from_signals(
            close, *signals, **prices, init_cash=100.0, fees=FEES, sl_stop=0.05, tp_stop=0.1,
            tsl_stop=0.07, stop_entry_price="fillprice", column_map=[0] * columns, threads=CORES,
        ).total_return()
    )  # fmt: skip


# -- qrucible, tradix, backtesting.py --------------------------------------------------------------


def qrucible_pairs(windows: range) -> Job:
    import qrucible

    prices = workloads.ohlc()
    names = ("open", "high", "low", "close")
    stamps = np.arange(workloads.N_BARS) * (DAY / 1000)
    table = np.column_stack(
        [stamps, np.zeros_like(stamps), *(prices[n] for n in names), np.ones_like(stamps)]
    )
    every = pairs_of(windows)

    def job() -> Any:
        configs = [
            qrucible.StrategyConfig(
                strategy_type="MA_CROSS", fast_window=a, slow_window=b, stop_loss=0.9,
                take_profit=50.0, reduce_after_loss=False, risk_per_trade=0.9,
            )
            for a, b in every
        ]  # fmt: skip
        return [r.sharpe for r in qrucible.grid_search(table, configs, top_n=len(configs))]

    return job


def tradix_pairs(windows: range) -> Job:
    from tradix.vectorized.engine import VectorizedEngine

    close = workloads.closes()
    engine = VectorizedEngine(initialCash=1e9, commission=FEES, tax=0.0, slippage=0.0)
    every = pairs_of(windows)

    def job() -> Any:
        lanes, found = averages(windows), []
        for a, b in every:
            up, down = crossed(lanes[a], lanes[b])
            found.append(engine.run(close, up.astype(np.int8) - down).sharpeRatio)
        return found

    return job


def backtesting_pairs(windows: range) -> Job:
    import pandas as pd
    from backtesting import Backtest, Strategy
    from backtesting.lib import crossover

    frame = pd.DataFrame(workloads.ohlc(), index=workloads.index(workloads.N_BARS))
    frame.columns = [name.title() for name in frame.columns]
    frame["Close"] *= 1e-3  # whole units only: prices small beside the cash
    for name in ("Open", "High", "Low"):
        frame[name] *= 1e-3

    class Cross(Strategy):
        first, second = 10, 20

        def init(self) -> None:
            close = pd.Series(np.asarray(self.data.Close))
            self.fast = self.I(lambda: close.rolling(self.first).mean())
            self.slow = self.I(lambda: close.rolling(self.second).mean())

        def next(self) -> None:
            if crossover(self.fast, self.slow):
                self.buy()
            elif crossover(self.slow, self.fast):
                self.position.close()

    test = Backtest(frame, Cross, cash=1e6, commission=FEES, trade_on_close=True)
    every = pairs_of(windows)
    return lambda: [test.run(first=a, second=b)["Sharpe Ratio"] for a, b in every]


THREE = {"sl_stop": 0.05, "tp_stop": 0.1, "tsl_stop": 0.07}
TWO = {"tp_stop": 0.1, "tsl_stop": 0.07}
PEERS: dict[str, Peer] = {
    "vectorbt": Peer(
        "vectorbt",
        {"pairs": vectorbt_pairs, "dense": vectorbt_dense},
        {"dense": "a trailing stop and a target only"},
        {"pairs": {}, "dense": TWO},
    ),
    "vectorbt-rust": Peer(
        "vectorbt",
        {"pairs": vectorbt_pairs, "dense": vectorbt_dense},
        {"dense": "a trailing stop and a target only"},
        {"pairs": {}, "dense": TWO},
    ),
    "raptorbt": Peer(
        "raptorbt",
        {"pairs": raptorbt_pairs, "dense": raptorbt_dense},
        {"dense": "a trailing stop and a target only; skips some entries after a stop"},
        {"pairs": {}, "dense": TWO},
    ),
    "phasor": Peer(
        "phasor",
        {"pairs": phasor_pairs, "dense": phasor_dense},
        {"dense": "alike with any two of the stops, not where stop and trailing stop meet"},
        {"pairs": {}, "dense": THREE},
    ),
    "qrucible": Peer(
        "qrucible",
        {"pairs": qrucible_pairs},
        {"pairs": "sizes by risk, stops always, no fee in percent; figures are not comparable"},
        {},
    ),
    "tradix": Peer(
        "tradix",
        {"pairs": tradix_pairs},
        {"pairs": "whole units of 95 % of the cash; figures are not comparable"},
        {},
    ),
    "backtesting": Peer(
        "backtesting",
        {"pairs": backtesting_pairs},
        {"pairs": "whole units; its Sharpe ratio is of compounded annual figures"},
        {},
    ),
}
SLOW = {"backtesting"}
"""What takes a tenth of a second a backtest gets a few of them."""


# -- in the process of the peer --------------------------------------------------------------------


def child(name: str, case: str, quick: bool) -> None:
    """Measure one case of one peer in this process."""
    import importlib

    limit_memory()
    warnings.simplefilter("ignore")
    peer = PEERS[name]
    module: Any = importlib.import_module(peer.module)
    if peer.module == "vectorbt":
        module.settings["engine"] = "rust" if name.endswith("rust") else "numba"
    before, seen = peak_mb(), compilations()
    size = size_of(case, quick, name in SLOW)
    job = peer.cases[case](size)
    figures = np.asarray(job(), dtype=float).reshape(-1)
    times = best(job, 2.0 if quick else 10.0, 5, 2)
    report({
        **times._asdict(), "mb": peak_mb() - before, "compiled": seen(), "n": len(figures),
        "figures": figures.tolist(), "version": version_of(name),
    })  # fmt: skip


def version_of(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    for package in (name, f"{name}-trader"):
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return ""


# -- in the process that compares ------------------------------------------------------------------


def run(name: str, case: str, python: str, quick: bool) -> dict[str, Any]:
    """Run a case of a peer in its interpreter; a second time if that one had to compile."""
    line = ["--run", name, "--case", case, *(["--quick"] if quick else [])]
    try:
        found = spawn("benchmarks.peers", *line, python=python)
        if found["compiled"]:
            found = spawn("benchmarks.peers", *line, python=python)
    except FailedError as error:
        return {"failed": str(error)}
    return found


def given(text: list[str]) -> dict[str, str]:
    """Return interpreter by peer, from ``name=path`` and from ``BROADPEAK_PEERS``."""
    items = [*os.environ.get("BROADPEAK_PEERS", "").split(os.pathsep), *text]
    found = dict(item.split("=", 1) for item in items if item)
    for name, path in found.items():
        if not Path(path).exists():
            raise SystemExit(f"There is no interpreter at {path}, given for {name}.")
    if "vectorbt" in found:
        found.setdefault("vectorbt-rust", found["vectorbt"])
    return found


def ours(name: str, case: str, quick: bool) -> np.ndarray:
    """Return our figures for a case of a peer, by the rules that come closest to its own."""
    import pandas as pd

    import broadpeak as bp

    size, options = size_of(case, quick, name in SLOW), PEERS[name].alike[case]
    if case == "pairs":
        close = pd.Series(workloads.closes(), index=workloads.index(workloads.N_BARS), name="X")
        data = bp.Data.from_frames({"X": close.to_frame("close")})
        fast, slow = workloads.pairs(size)
        left, right = data.run("bp:ma", window=fast), data.run("bp:ma", window=slow)
        up, down = left.ma_crossed_above(right), left.ma_crossed_below(right)
        pf = bp.PF.from_signals(data, up, down, fees=FEES, bars_per_year=YEAR)
        return np.asarray(pf.sharpe_ratio, dtype=float)
    index = workloads.index(BARS)
    bars = pd.DataFrame(workloads.ohlc(BARS), index=index)
    up, down = (pd.DataFrame(a.T, index=index) for a in workloads.dense_signals(size, BARS))
    prices = {column: bars[column] for column in ("open", "high", "low")}
    pf = bp.PF.from_signals(bars["close"], up, down, **prices, fees=FEES, **options)
    return np.asarray(pf.total_return, dtype=float)


def agreement(name: str, case: str, figures: list[float], quick: bool) -> str:
    """Say in a few words how far a peer's figures are from ours."""
    peer = PEERS[name]
    note = peer.rules.get(case, "")
    if case not in peer.alike:
        return note
    theirs, mine = np.array(figures), ours(name, case, quick)
    if theirs.shape != mine.shape:
        return f"other shape: {theirs.shape}, here {mine.shape}"
    both = ~(np.isnan(theirs) | np.isnan(mine))
    off = np.abs(theirs - mine)[both]
    same = float((off < 1e-9).mean()) if len(off) else math.nan
    text = f"{same:.0%} of the figures are the same to 1e-9"
    if same < 1:
        text += f", the others differ by {np.median(off[off >= 1e-9]):.1e}"
    return f"{text}; {note}" if note else text


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", nargs="*", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--run", default="", help=argparse.SUPPRESS)
    parser.add_argument("--case", default="", help=argparse.SUPPRESS)
    parser.add_argument("--version", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.version:
        report({"version": version_of(args.version)})
        return
    if args.run:
        child(args.run, args.case, args.quick)
        return
    peers = given(args.peer)
    unknown = sorted(set(peers) - set(PEERS))
    if unknown:
        sys.exit(f"Peers must be among {', '.join(PEERS)}, got {', '.join(unknown)}.")
    print("| peer | case | backtests/s | wall | CPU | MB | agreement |\n|" + "---|" * 7)
    for name, python in peers.items():
        for case in PEERS[name].cases:
            found = run(name, case, python, args.quick)
            if "failed" in found:
                print(f"| {name} | {case} | failed: {found['failed'].splitlines()[-1]} |")
                continue
            cells = [
                f"{name} {found['version']}", case, f"{found['n'] / found['wall']:,.4g}",
                in_words(found["wall"]), in_words(found["cpu"]), f"{found['mb']:,.0f}",
                agreement(name, case, found["figures"], args.quick),
            ]  # fmt: skip
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
