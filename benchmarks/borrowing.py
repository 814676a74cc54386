# SPDX-License-Identifier: BSD-3-Clause
"""What borrowing is worth: simulated assets whose best parameter is alike, out of sample.

Run: ``python benchmarks/borrowing.py [histories]``

Every asset has momentum of a length around 25 days, and its own luck. A strategy is trained on 20
assets, and the value of each asset is judged by its annual Sharpe ratio on 60,000 other bars of the
same process: its true score, but for an error of 0.06 that all rows have in common.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numba
import numpy as np
import pandas as pd

import broadpeak as bp

N_ASSETS, LENGTH, WARM_UP, N_TRUE = 20, 25, 70, 60_000
DAYS = np.arange(4, 61, 4)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, "auto")


@bp.strategy(lookback=WARM_UP)
def momentum(s: Any) -> None:
    for _ in s.loop():
        above = s.close > bp.sma(s.close, s.optimize(32, 4, 60, 4, name="days"))
        s.enter_long(above)
        s.enter_short(~above)


@numba.njit
def moves(noise: np.ndarray, length: int, strength: float) -> np.ndarray:
    """Return moves of a price that follow the sum of the last `length` ones."""
    found = np.zeros(len(noise))
    total = 0.0
    for t in range(len(noise)):
        found[t] = noise[t] + (strength * total / np.sqrt(length) if t >= length else 0.0)
        total += found[t]
        if t >= length:
            total -= found[t - length]
    return found


def true_sharpes(moved: np.ndarray) -> np.ndarray:
    """Return the annual Sharpe ratio of each value of DAYS."""
    close = np.cumsum(moved)
    total = np.concatenate(([0.0], np.cumsum(close)))
    sharpes = []
    for days in DAYS:
        above = close[days - 1 :] > (total[days:] - total[:-days]) / days
        gains = np.where(above[:-1], 1.0, -1.0) * moved[days:]
        sharpes.append(gains.mean() / gains.std() * np.sqrt(252))
    return np.array(sharpes)


def history(
    seed: int, spread: float, strength: float, n_bars: int, objective: str
) -> dict[str, float]:
    """Return the mean true score of all assets for each share, and what "auto" took."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(np.round(LENGTH * np.exp(rng.normal(0, spread, N_ASSETS))), 3, 60)
    frames, truth = {}, {}
    for number, length in enumerate(lengths.astype(int)):
        moved = moves(rng.standard_normal(n_bars + WARM_UP), length, strength)
        close = 100 * np.exp(np.cumsum(0.01 * moved))
        index = pd.bdate_range("1990", periods=len(close))
        frames[f"A{number}"] = pd.DataFrame({"close": close}, index=index)
        truth[f"A{number}"] = true_sharpes(moves(rng.standard_normal(N_TRUE), length, strength))
    data, found = bp.Data.from_frames(frames), {}
    for share in SHARES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            trained = bp.train(momentum, data, objective=objective, borrow=share)
        found[f"borrow={share}"] = np.mean(
            [np.interp(one["days"], DAYS, truth[key]) for key, one in trained.params.items()]
        )
        if share == "auto":
            found["share"] = trained.components["A0"].borrowed["days"]
    found["best"] = np.mean([one.max() for one in truth.values()])
    return found


def main() -> None:
    """Print one table an objective."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    cases = [(0.0, 0.08, 1_000), (0.3, 0.08, 1_000), (0.7, 0.08, 1_000), (0.9, 0.12, 8_000)]
    for objective in ("sharpe", "prr"):
        print(f"{objective}, {n} histories: mean true Sharpe ratio ± standard error over own")
        for spread, strength, n_bars in cases:
            some = range(n if n_bars < 5_000 else max(n // 4, 2))
            rows = pd.DataFrame([history(s, spread, strength, n_bars, objective) for s in some])
            own = rows["borrow=0.0"]
            print(
                f"  lengths vary by a factor of e^{spread}, {n_bars:,} bars: own {own.mean():.3f}"
            )
            for name in rows.columns.drop(["borrow=0.0", "share"]):
                gain = rows[name] - own
                print(f"    {name:12} {gain.mean():+.3f} ± {gain.sem():.3f}")
            print(f"    share of auto {rows['share'].mean():.2f}")


if __name__ == "__main__":
    main()
