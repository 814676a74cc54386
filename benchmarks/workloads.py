# SPDX-License-Identifier: BSD-3-Clause
"""Prices and signals of the benchmarks, the same for the library and for every peer.

Only NumPy is needed, so that the interpreter of a peer can import it. Large arrays are made row by
row: what was needed to make them must not count as the peak of what is measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np

N_BARS = 5031  # daily bars of twenty years
FEES = 0.001
YEAR = 252.0  # bars a year


def closes(bars: int = N_BARS, seed: int = 7) -> np.ndarray:
    """Return a random walk of prices."""
    rng = np.random.default_rng(seed)
    scale = (N_BARS / bars) ** 0.5 if bars > 10 * N_BARS else 1.0  # minutes move less than days
    return 100 * np.exp(np.cumsum(rng.normal(0.0003 * scale**2, 0.012 * scale, bars)))


def ohlc(bars: int = N_BARS) -> dict[str, np.ndarray]:
    """Return four prices a bar around `closes`."""
    rng = np.random.default_rng(8)
    close = closes(bars)
    open_ = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.normal(0, 0.003, bars))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.006, bars)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.006, bars)))
    return {"open": open_, "high": high, "low": low, "close": close}


def dense_signals(columns: int, bars: int, share: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
    """Return random entries and exits, (columns, bars): on one bar in fifty each."""
    rng = np.random.default_rng(9)
    entries = np.empty((columns, bars), dtype=bool)
    exits = np.empty((columns, bars), dtype=bool)
    for column in range(columns):
        entries[column] = rng.random(bars) < share
        exits[column] = rng.random(bars) < share
    return entries, exits


def sparse_signals(columns: int, bars: int, orders: int) -> tuple[np.ndarray, np.ndarray]:
    """Return entries and exits in turn, (columns, bars), so many orders a column in all."""
    rng = np.random.default_rng(10)
    entries = np.zeros((columns, bars), dtype=bool)
    exits = np.zeros((columns, bars), dtype=bool)
    # Drawn as shares of the whole, so that twice the bars have the same orders, twice as far apart.
    for column in range(columns):
        places = np.unique((np.sort(rng.random(orders)) * bars).astype(np.int64))
        entries[column, places[::2]] = True
        exits[column, places[1::2]] = True
    return entries, exits


def stretched(bars: int = N_BARS) -> np.ndarray:
    """Return `closes` with every bar twice: averages of twice the bars cross as before."""
    return np.repeat(closes(bars), 2)


def index(bars: int) -> Any:
    """Return the dates of the bars: business days, or minutes where days would not fit."""
    import pandas as pd

    if bars > 50_000:
        return pd.date_range("2000-01-03", periods=bars, freq="min", name="Date")
    return pd.date_range("2000-01-03", periods=bars, freq="B", name="Date")


def pairs(windows: range) -> tuple[list[int], list[int]]:
    """Return every pair of two windows, the shorter first."""
    first, second = np.triu_indices(len(windows), 1)
    values = np.asarray(windows)
    return values[first].tolist(), values[second].tolist()
