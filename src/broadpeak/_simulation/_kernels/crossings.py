# SPDX-License-Identifier: BSD-3-Clause
"""Figures of columns that buy and sell at crossings: a cost per crossing, none per bar."""

from __future__ import annotations

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak._simulation._kernels.columns import lowest_byte
from broadpeak._simulation._kernels.held import add_moments
from broadpeak._simulation._kernels.layout import FEES, LONG_IN, LONG_OUT, SLIP
from broadpeak._simulation._kernels.stops import setting
from broadpeak.types import AnyArray, FloatArray, IntArray


@kernel
def event_trades(
    at_bars: AnyArray,
    actions: AnyArray,
    first: int,
    last: int,
    late: int,
    price: FloatArray,
    close: FloatArray,
    values: FloatArray,
    at: IntArray,
    step: IntArray,
    bars: IntArray,
    money: FloatArray,
    m: int,
) -> int:
    """Write the trades that events first..last-1 make, from number `m` on; return the next number.

    They are filled `late` bars later.
    """
    n = close.shape[0]
    held = False
    wanted = np.uint8(LONG_IN)
    slip = values[at[SLIP]]
    rate = values[at[FEES]]
    varies = step[SLIP] != 0 or step[FEES] != 0
    for i in range(first, last):
        if actions[i] & wanted == 0:
            continue
        t = int(at_bars[i]) + late
        if t >= n:
            break
        if varies:
            slip = setting(values, at, step, SLIP, t)
            rate = setting(values, at, step, FEES, t)
        if held:
            bars[m, 1] = t
            money[m, 2] = price[t] * (1.0 - slip)
            money[m, 3] = rate
            m += 1
        else:
            bars[m, 0] = t
            money[m, 0] = price[t] * (1.0 + slip)
            money[m, 1] = rate
        held = not held
        wanted = np.uint8(LONG_OUT if held else LONG_IN)
    if held:
        bars[m, 1] = n
        money[m, 2] = close[n - 1]
        money[m, 3] = 0.0
        m += 1
    return m


@kernel
def trades_of_events(
    first: int,
    end: int,
    starts: IntArray,
    at_bars: AnyArray,
    actions: AnyArray,
    late: int,
    price: FloatArray,
    close: FloatArray,
    rows: IntArray,
    values: FloatArray,
    offsets: IntArray,
    step: IntArray,
    begin: IntArray,
    bars: IntArray,
    money: FloatArray,
) -> int:
    """Write the trades of columns from `first` on while there is room; return the column after.

    They are before `end`. There is room for those of one column at least. `begin` is where those of
    each column begin.
    """
    c = first
    k = int(np.int64(0))  # typed, so that what it calls compiles once
    begin[0] = 0
    many = offsets.shape[0] > 1
    while c < end:
        # Slices are made where a row is another one, for each costs as much as a trade.
        p = rows[c]
        fills, marks, at = price[p], close[p], offsets[c if many else 0]
        while c < end and rows[c] == p:
            if k + (starts[c + 1] - starts[c]) // 2 + 1 > bars.shape[0]:
                return c
            k = event_trades(
                at_bars, actions, starts[c], starts[c + 1], late, fills, marks, values, at, step,
                bars, money, k,
            )  # fmt: skip
            c += 1
            begin[c - first] = k
            if many:
                break
    return c


@kernel
def pair_sides(left: FloatArray, right: FloatArray, sides: AnyArray) -> None:
    """Write 1 where `left` is above `right`, 2 where below, 0 where they are equal or missing."""
    for t in range(left.shape[0]):
        sides[t] = np.uint8(left[t] > right[t]) | (np.uint8(left[t] < right[t]) << np.uint8(1))


@kernel
def pair_trades(
    left: FloatArray,
    right: FloatArray,
    enters: int,
    late: int,
    price: FloatArray,
    close: FloatArray,
    slip: float,
    rate: float,
    bars: IntArray,
    money: FloatArray,
) -> int:
    """Write the trades of a pair that is held while on side `enters`; return their number.

    Entries and exits are changes of side. Equality keeps the side, a missing value forgets it.
    """
    n = close.shape[0]
    words = np.zeros((n + 7) >> 3, np.uint64)
    sides = words.view(np.uint8)
    pair_sides(left, right, sides)
    every = np.uint64(0x0101010101010101)
    m = 0
    held = False
    side = 0
    t = 0
    while t < n:
        # Eight bars a word: the next bar that is not on the side of before.
        usual = every * np.uint64(side)
        w = t >> 3
        skip = np.uint64(8 * (t & 7))
        word = ((words[w] ^ usual) >> skip) << skip
        while word == 0 and w + 1 < words.shape[0]:
            w += 1
            word = words[w] ^ usual
        if word == 0:
            break
        t = (w << 3) + lowest_byte(word)
        if t >= n:
            break
        now = int(sides[t])
        if now == 0:
            if left[t] != right[t]:
                side = 0
        elif side == 0:
            side = now
        else:
            side = now
            u = t + late
            if held != (now == enters) and u < n:
                if held:
                    bars[m, 1] = u
                    money[m, 2] = price[u] * (1.0 - slip)
                    money[m, 3] = rate
                    m += 1
                else:
                    bars[m, 0] = u
                    money[m, 0] = price[u] * (1.0 + slip)
                    money[m, 1] = rate
                held = not held
        t += 1
    if held:
        bars[m, 1] = n
        money[m, 2] = close[n - 1]
        money[m, 3] = 0.0
        m += 1
    return m


@kernel
def pair_moments(
    left: FloatArray,
    right: FloatArray,
    enters: int,
    late: int,
    price: FloatArray,
    close: FloatArray,
    slip: float,
    rate: float,
    cash: float,
    sums: FloatArray,
    bases: FloatArray,
    limits: FloatArray,
    out: FloatArray,
) -> int:
    """Write the moments of one column whose exit is the reverse of its entry, as `add_moments`."""
    n = close.shape[0]
    bars = np.empty((n // 2 + 1, 2), np.int64)
    money = np.empty((n // 2 + 1, 4))
    m = pair_trades(left, right, enters, late, price, close, slip, rate, bars, money)
    none = int(np.int64(0))  # typed, as in lists of columns
    return add_moments(out, none, bars, money, none, m, close, sums, bases, limits, cash)
