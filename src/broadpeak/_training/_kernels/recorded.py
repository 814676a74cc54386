# SPDX-License-Identifier: BSD-3-Clause
"""From recorded orders to statistics, one evaluation after the other, with the steps of a test.

Notation: m rows of actions, eight bars a word; n evaluations, each of which reads one of them, and
its settings as ``values[at[i, k] + bar * steps[i, k]]``.
"""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak._simulation._kernels.columns import encode, next_action, run_column
from broadpeak._simulation._kernels.layout import (
    FEES,
    FIRST_STOP,
    FLATTEN,
    L_BAR,
    L_POS,
    LONG_IN,
    N_LOG,
    SHORT_IN,
    SIZE,
    TRADE,
    Terms,
)
from broadpeak._simulation._kernels.stops import LIFE, STOP
from broadpeak._simulation._kernels.trades import add_pnl, make_trades
from broadpeak._training._kernels.stats import write_stats
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray

FINE, ODD = 0, 1


@kernel
def encode_orders(
    le: BoolArray, lx: BoolArray, se: BoolArray, sx: BoolArray, first: int, words: AnyArray
) -> None:
    """Write the actions of bars from `first` on; conflicting signals cancel."""
    n = le.shape[0]
    none = np.zeros(n - first, np.uint8)
    encode(
        words.view(np.uint8)[first:n],
        le.view(np.uint8)[first:],
        lx.view(np.uint8)[first:],
        se.view(np.uint8)[first:],
        sx.view(np.uint8)[first:],
        none,
    )


@kernel
def looks_odd(
    words: AnyArray, n_bars: int, values: FloatArray, at: IntArray, step: IntArray
) -> bool:
    """Return whether a setting is out of its range at an entry, or a stop is not known there."""
    enters = np.uint64(0x0101010101010101) * np.uint64(LONG_IN | SHORT_IN)
    t = next_action(words, 0, enters, n_bars)
    while t < n_bars:
        size = values[at[SIZE] + t * step[SIZE]]
        if not (size >= 0.0 and size < math.inf):
            return True
        for k in range(FIRST_STOP, FEES):
            value = values[at[k] + t * step[k]]
            if value < (0.5 if k == LIFE else 5e-324):  # NaN is no distance
                return True
            if k == STOP and step[k] != 0 and math.isnan(value):
                return True
        t = next_action(words, t + 1, enters, n_bars)
    return False


@kernel
def evaluate_recorded(
    out: AnyArray,
    curves: FloatArray,
    state: AnyArray,
    begin: int,
    end: int,
    words: AnyArray,
    word_rows: IntArray,
    flatten: IntArray,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    days: IntArray,
    values: FloatArray,
    at: IntArray,
    steps: IntArray,
    terms: Terms,
    costs: FloatArray,
    first: int,
    slope: float,
    recency: float,
    capital: float,
    tiny: float,
) -> None:
    """Write the statistics of evaluations begin..end-1, and their profit at each evaluated close.

    `curves` has no rows if nobody wants them; `state` becomes ODD where settings must be looked at.
    """
    n_bars = close.shape[0]
    scratch = np.zeros(words.shape[1], np.uint64)
    codes = scratch.view(np.uint8)
    log = np.empty((64, N_LOG), np.float64)
    trades = np.empty(64, TRADE)
    equity = np.empty(n_bars)
    all_bars = np.empty(0, np.int64)
    for i in range(begin, end):
        scratch[:] = words[word_rows[i]]
        if looks_odd(scratch, n_bars, values, at[i], steps[i]):
            state[i] = ODD
        for j in range(flatten.shape[0]):
            codes[flatten[j]] = FLATTEN
        log, n = run_column(
            0, open_, high, low, close, days, scratch, 0.0, values, at[i], steps[i], terms, log, 0
        )
        if trades.shape[0] <= n:
            trades = np.empty(2 * n + 1, TRADE)
        k = make_trades(
            log[:n], 0, close, close, close, close, costs, days, all_bars, trades, 0, False
        )
        equity[:] = 0.0
        add_pnl(equity, log[:n], close, costs, days)
        if slope != 0.0:
            take_out_trend(equity, log[:n], slope)
        write_stats(
            out[i : i + 1], trades[:k], equity[first:], first, slope, recency, capital, 0.0, tiny
        )
        if curves.shape[0] > 0:
            curves[i] = equity[first:]


@kernel
def take_out_trend(equity: FloatArray, log: FloatArray, slope: float) -> None:
    """Take from the profit at each close what a trend per bar gave to the units held before."""
    held = 0.0
    units = 0.0
    i = 0
    for t in range(equity.shape[0]):
        equity[t] -= slope * held
        while i < log.shape[0] and int(log[i, L_BAR]) <= t:
            units = log[i, L_POS]
            i += 1
        held += units
