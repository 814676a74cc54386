# SPDX-License-Identifier: BSD-3-Clause
"""Portfolio against the open-source vectorised library, figure by figure.

    python benchmarks/portfolio_agreement.py --peer /path/to/python/with/vectorbt

The peer runs in its own interpreter on the same generated prices and signals. Where conventions
are the same, every figure must agree to 1e-9; docs/portfolio.md lists where they are not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

N_BARS, N_COLUMNS, N_SETS = 400, 10, 20
FIGURES = ["total_return", "sharpe_ratio", "max_drawdown", "win_rate"]

# Orders of finite size that cash can always pay, so that limits (a difference) do not bind.
CASES = {
    "long, all cash": {},
    "long, all cash, fees and slippage": {"fees": 0.001, "fixed_fees": 0.1, "slippage": 0.001},
    "short, small size": {"direction": "shortonly", "size": 0.1, "fees": 0.001},
    "both, small size": {"direction": "both", "size": 0.1, "fees": 0.001, "fixed_fees": 0.01},
    "long, stop-loss": {"fees": 0.001, "sl_stop": 0.04},
    "long, take-profit": {"fees": 0.001, "tp_stop": 0.05},
    "long, both stops": {"fees": 0.001, "sl_stop": 0.04, "tp_stop": 0.05},
    "long, stop-loss with slippage": {"slippage": 0.002, "sl_stop": 0.04},
    "short, both stops": {
        "direction": "shortonly",
        "size": 0.1,
        "sl_stop": 0.04,
        "tp_stop": 0.05,
    },
    "long, trailing stop": {"fees": 0.001, "tsl_stop": 0.05},
}


def make(seed: int):
    rng = np.random.default_rng(seed)
    index = pd.date_range("2020-01-01", periods=N_BARS)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.015, N_BARS)))
    open_ = np.roll(close, 1) * np.exp(rng.normal(0, 0.006, N_BARS))
    open_[0] = close[0]
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.006, N_BARS)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.006, N_BARS)))
    bars = pd.DataFrame({"open": open_, "high": high, "low": low, "close": close}, index=index)
    density = [0.02, 0.1, 0.3][seed % 3]
    entries = rng.random((N_BARS, N_COLUMNS)) < density
    exits = (rng.random((N_BARS, N_COLUMNS)) < density) & ~entries  # no conflicts: see docs
    frames = [pd.DataFrame(x, index=index) for x in (entries, exits)]
    return bars, frames[0], frames[1]


def ours(bars, entries, exits, options):
    import broadpeak as bp

    pf = bp.PF.from_signals(
        bars["close"], entries, exits, open=bars["open"], high=bars["high"], low=bars["low"],
        bars_per_year=365, **options,
    )  # fmt: skip
    # The peer's first peak is the first value, ours the cash before it: see docs/portfolio.md.
    figures = pf.metrics(FIGURES)
    value = pf.value
    figures["max_drawdown"] = (value / value.cummax() - 1).min()
    trades = pf.trades
    records = trades[["entry_index", "exit_index", "size", "entry_price", "exit_price", "pnl"]]
    return value.to_numpy(), figures.to_numpy(), records.to_numpy(float)


def theirs(bars, entries, exits, options):
    import vectorbt as vbt

    if "tsl_stop" in options:
        options.update(sl_stop=options.pop("tsl_stop"), sl_trail=True)
    pf = vbt.Portfolio.from_signals(
        bars["close"], entries, exits, open=bars["open"], high=bars["high"], low=bars["low"],
        freq="1D", stop_entry_price="fillprice", stop_exit_price="stopmarket", **options,
    )  # fmt: skip
    figures = np.column_stack(
        [pf.total_return(), pf.sharpe_ratio(), pf.max_drawdown(), pf.trades.closed.win_rate()]
    )
    r = pf.trades.records
    names = ["entry_idx", "exit_idx", "size", "entry_price", "exit_price", "pnl"]
    return pf.value().to_numpy(), figures, r[names].to_numpy(float)


def collect(func) -> dict[str, np.ndarray]:
    out = {}
    for case, options in CASES.items():
        for seed in range(N_SETS):
            for name, array in zip(
                ("value", "figures", "trades"), func(*make(seed), dict(options)), strict=True
            ):
                out[f"{case}|{seed}|{name}"] = array
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default="")
    parser.add_argument("--write", default="")
    args = parser.parse_args()
    if args.write:
        np.savez(args.write, **collect(theirs))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "peer.npz"
        subprocess.run([args.peer, __file__, "--write", str(path)], check=True)
        other = dict(np.load(path))
    mine = collect(ours)
    failed = 0
    for case in CASES:
        worst = {}
        for key, array in mine.items():
            if key.startswith(case + "|"):
                name, peer = key.split("|")[2], other[key]
                gap = np.inf
                if array.shape == peer.shape:
                    same = (array == peer) | (np.isnan(array) & np.isnan(peer))
                    # Figures that are not defined are NaN here, and may be 0 or inf there.
                    known = np.isnan(array) if name == "figures" else np.zeros_like(same)
                    gap = np.max(
                        np.where(
                            same | known, 0, np.abs(array - peer) / np.maximum(1, np.abs(peer))
                        )
                    )
                worst[name] = max(worst.get(name, 0.0), float(gap))
        good = all(gap < 1e-9 for gap in worst.values())
        failed += not good
        shown = ", ".join(f"{name} {gap:.1e}" for name, gap in worst.items())
        print(f"{'same ' if good else 'OTHER'}  {case:36s} {shown}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
