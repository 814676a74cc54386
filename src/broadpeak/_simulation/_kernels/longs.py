# SPDX-License-Identifier: BSD-3-Clause
"""Trades of a column that is long or out, with all its cash: found in orders or in signals.

They are written as `held.py` reads them. A position still open leaves at the last close, at bar
"number of bars", without slippage or fees.
"""

from __future__ import annotations

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak._simulation._kernels.columns import next_action
from broadpeak._simulation._kernels.held import add_moments
from broadpeak._simulation._kernels.layout import (
    FEES,
    L_BAR,
    L_PRICE,
    L_UNITS,
    LONG_IN,
    LONG_OUT,
    SLIP,
)
from broadpeak._simulation._kernels.stops import setting
from broadpeak.types import AnyArray, FloatArray, IntArray

# Each trade is a row of `bars` (entry, exit) and of `money` (price and fees of the entry, price and
# fees of the exit).


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
            bars[m, 0] = t
            money[m, 0] = orders[i, L_PRICE]
            money[m, 1] = rate
        else:
            bars[m, 1] = t
            money[m, 2] = orders[i, L_PRICE]
            money[m, 3] = rate
            m += 1
    if held:
        n = close.shape[0]
        bars[m, 1] = n
        money[m, 2] = close[n - 1]
        money[m, 3] = 0.0
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
        bars[m, 0] = t
        money[m, 0] = raw
        money[m, 1] = setting(values, at, step, FEES, t)
        # The bar of a fill at the open still has its own signal to come.
        t = next_action(words, t + 1 - late, leaves, n) + late
        if t >= n:
            bars[m, 1] = n
            money[m, 2] = close[n - 1]
            money[m, 3] = 0.0
            return m + 1
        raw = price[t] * (1.0 - setting(values, at, step, SLIP, t))
        bars[m, 1] = t
        money[m, 2] = raw
        money[m, 3] = setting(values, at, step, FEES, t)
        m += 1
        t += 1 - late


@kernel
def trades_of_signals(
    first: int,
    last: int,
    open_: FloatArray,
    close: FloatArray,
    entries: AnyArray,
    exits: AnyArray,
    rows: IntArray,
    values: FloatArray,
    offsets: IntArray,
    step: IntArray,
    next_open: bool,
    starts: IntArray,
    bars: IntArray,
    money: FloatArray,
) -> int:
    """Write the trades of columns from `first` on while there is room; return the column after.

    They end before `last`. There is room for those of one column at least.
    """
    n = close.shape[1]
    words = np.zeros((n + 7) >> 3, np.uint64)
    code = words.view(np.uint8)
    c = first
    k = 0
    starts[0] = 0
    while c < last and k + n // 2 + 1 <= bars.shape[0]:
        p = rows[c, 0]
        encode_long(code, entries[rows[c, 1]], exits[rows[c, 2]])
        k += word_trades(
            words, next_open, open_[p], close[p], values, offsets[min(c, offsets.shape[0] - 1)],
            step, bars[k:], money[k:],
        )  # fmt: skip
        c += 1
        starts[c - first] = k
    return c


@kernel
def signal_moments(
    entries: AnyArray,
    exits: AnyArray,
    next_open: bool,
    open_: FloatArray,
    close: FloatArray,
    values: FloatArray,
    at: IntArray,
    step: IntArray,
    cash: float,
    sums: FloatArray,
    bases: FloatArray,
    limits: FloatArray,
    out: FloatArray,
) -> int:
    """Write the moments of one column with given signals, and return what `add_moments` does."""
    n = close.shape[0]
    words = np.zeros((n + 7) >> 3, np.uint64)
    bars = np.empty((n // 2 + 1, 2), np.int64)
    money = np.empty((n // 2 + 1, 4))
    encode_long(words.view(np.uint8), entries, exits)
    m = word_trades(words, next_open, open_, close, values, at, step, bars, money)
    none = int(np.int64(0))  # typed, as in lists of columns
    return add_moments(out, none, bars, money, none, m, close, sums, bases, limits, cash)
