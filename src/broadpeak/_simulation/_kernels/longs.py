# SPDX-License-Identifier: BSD-3-Clause
"""Trades of a column that is long or out, with all its cash: found in orders or in signals.

They are written as `held.py` reads them. A position still open leaves at the last close, at bar
"number of bars", without slippage or fees.
"""

from __future__ import annotations

import numpy as np

from broadpeak._core.compile import inline_kernel, kernel
from broadpeak._metrics._kernels.summary import (
    BARS,
    DOWNSIDE,
    DRAWDOWN,
    LAST,
    START,
)
from broadpeak._simulation._kernels.columns import next_action
from broadpeak._simulation._kernels.held import add_figures, empty_table, fill_table
from broadpeak._simulation._kernels.layout import (
    FEES,
    L_BAR,
    L_PRICE,
    L_UNITS,
    LONG_IN,
    LONG_OUT,
    SLIP,
    PriceSums,
    SettingsPool,
)
from broadpeak._simulation._kernels.stops import setting
from broadpeak.types import AnyArray, FloatArray, IntArray


@inline_kernel
def write_entry(bars: IntArray, money: FloatArray, m: int, t: int, p: float, rate: float) -> None:
    """Begin trade `m`."""
    bars[m, 0] = t
    money[m, 0] = p
    money[m, 1] = rate


@inline_kernel
def write_exit(bars: IntArray, money: FloatArray, m: int, t: int, p: float, rate: float) -> None:
    """End trade `m`."""
    bars[m, 1] = t
    money[m, 2] = p
    money[m, 3] = rate


@kernel
def log_trades(
    orders: FloatArray,
    own: FloatArray,
    close: FloatArray,
    values: FloatArray,
    at: IntArray,
    step: IntArray,
    bars: IntArray,
    money: FloatArray,
) -> int:
    """Write the trades that orders make, and return their number.

    `own` are the same orders, their bars counted among those of `close`.
    """
    m = 0
    held = False
    for i in range(orders.shape[0]):
        t = int(own[i, L_BAR])
        rate = setting(values, at, step, FEES, int(orders[i, L_BAR]))
        held = orders[i, L_UNITS] > 0.0
        if held:
            write_entry(bars, money, m, t, orders[i, L_PRICE], rate)
        else:
            write_exit(bars, money, m, t, orders[i, L_PRICE], rate)
            m += 1
    if held:
        n = close.shape[0]
        write_exit(bars, money, m, n, close[n - 1], 0.0)
        m += 1
    return m


@kernel
def encode_long(code: AnyArray, entries: AnyArray, exits: AnyArray) -> None:
    """Write one action byte per bar; an entry and an exit on the same bar cancel."""
    for t in range(entries.shape[0]):
        code[t] = (entries[t] & (exits[t] ^ 1)) | ((exits[t] & (entries[t] ^ 1)) << 1)


@kernel
def word_trades(
    words: AnyArray,
    next_open: bool,
    open_: FloatArray,
    close: FloatArray,
    values: FloatArray,
    at: IntArray,
    step: IntArray,
    bars: IntArray,
    money: FloatArray,
) -> int:
    """Write the trades that actions make, eight bars a word, and return their number."""
    n = close.shape[0]
    every = np.uint64(0x0101010101010101)
    enters = every * np.uint64(LONG_IN)
    leaves = every * np.uint64(LONG_OUT)
    late = 1 if next_open else 0
    price = open_ if next_open else close
    m = 0
    t = 0
    while True:
        t = next_action(words, t, enters, n) + late
        if t >= n:
            return m
        raw = price[t] * (1.0 + setting(values, at, step, SLIP, t))
        write_entry(bars, money, m, t, raw, setting(values, at, step, FEES, t))
        # The bar of a fill at the open still has its own signal to come.
        t = next_action(words, t + 1 - late, leaves, n) + late
        if t >= n:
            write_exit(bars, money, m, n, close[n - 1], 0.0)
            return m + 1
        raw = price[t] * (1.0 - setting(values, at, step, SLIP, t))
        write_exit(bars, money, m, t, raw, setting(values, at, step, FEES, t))
        m += 1
        t += 1 - late


@kernel
def write_span(out: FloatArray, n: int, cash: float) -> None:
    """Write the start value of a column without gaps, and its bars."""
    out[START] = cash
    out[BARS] = n
    out[LAST] = max(n - 1, 0)


@kernel
def summarize_long_signals(
    needs: int,
    first: int,
    last: int,
    open_: FloatArray,
    close: FloatArray,
    entries: AnyArray,
    exits: AnyArray,
    rows: IntArray,
    cash: FloatArray,
    settings: SettingsPool,
    next_open: bool,
    table: PriceSums,
    out: FloatArray,
    doubt: AnyArray,
) -> None:
    """Write the summaries of columns first..last-1.

    In `doubt` are those with an order so small that only the loop over orders knows its fate.
    """
    values, offsets, step = settings
    n = close.shape[1]
    words = np.zeros((n + 7) >> 3, np.uint64)
    code = words.view(np.uint8)
    bars = np.empty((n // 2 + 1, 2), np.int64)
    money = np.empty((n // 2 + 1, 4))
    made = table.sums.shape[0] > 0
    if not made:
        table = empty_table(1, n, needs & (DOWNSIDE | DRAWDOWN) != 0)
    known = -1
    for c in range(first, last):
        p = rows[c, 0]
        if not made and p != known:
            fill_table(table, 0, close[p])
            known = p
        encode_long(code, entries[rows[c, 1]], exits[rows[c, 2]])
        at = offsets[min(c, offsets.shape[0] - 1)]
        m = word_trades(words, next_open, open_[p], close[p], values, at, step, bars, money)
        write_span(out[c], n, cash[c])
        doubt[c] = not add_figures(
            out[c], needs, bars, money, m, close[p], table, p if made else 0, cash[c]
        )
