# SPDX-License-Identifier: BSD-3-Clause
"""Trades of columns that are long or out, with stops, from signals that are given.

What a stop does depends on the entry bar and its distances, so columns that share a price and
distances share what was found: how far the bars after an entry were looked at, the peak until
there, and what was touched.
"""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak._simulation._kernels.columns import first_touch, next_action
from broadpeak._simulation._kernels.layout import FEES, LONG_IN, LONG_OUT, SLIP, Market, Terms
from broadpeak._simulation._kernels.longs import encode_long
from broadpeak._simulation._kernels.stops import (
    STOP,
    TARGET,
    TARGETED,
    TRAIL,
    at_peak,
    distances_at,
    levels_after_fill,
    no_levels,
    setting,
)
from broadpeak.types import AnyArray, FloatArray, IntArray


@kernel
def stopped_trades(
    first: int,
    last: int,
    market: Market,
    entries: AnyArray,
    exits: AnyArray,
    rows: IntArray,
    values: FloatArray,
    offsets: IntArray,
    step: IntArray,
    terms: Terms,
    starts: IntArray,
    bars: IntArray,
    money: FloatArray,
) -> int:
    """Write the trades of columns first..last-1 while there is room; return the column after.

    There is room for those of one column at least, one a bar.
    """
    n = market.close.shape[1]
    words = np.zeros((n + 7) >> 3, np.uint64)
    code = words.view(np.uint8)
    enters = np.uint64(0x0101010101010101) * np.uint64(LONG_IN)
    leaves = np.uint64(0x0101010101010101) * np.uint64(LONG_OUT)
    late = 1 if terms.next_open else 0
    # Of the entry on each bar: in which generation it was looked at, up to which bar, the peak
    # until there, and reason, bar and price of what was touched.
    seen = np.zeros(n, np.int64)
    looked = np.empty(n, np.int64)
    peaks = np.empty(n)
    reasons = np.empty(n, np.int64)
    touches = np.empty(n, np.int64)
    raws = np.empty(n)
    generation = 0
    p_before, at_before = -1, offsets[0]
    c = first
    k = 0
    starts[0] = 0
    while c < last and k + n <= bars.shape[0]:
        p = rows[c, 0]
        at = offsets[min(c, offsets.shape[0] - 1)]
        same = p == p_before and at[STOP] == at_before[STOP] and at[TARGET] == at_before[TARGET]
        if not (same and at[TRAIL] == at_before[TRAIL] and at[SLIP] == at_before[SLIP]):
            generation += 1
            p_before, at_before = p, at
        open_, high, low, close = market.open[p], market.high[p], market.low[p], market.close[p]
        price = open_ if terms.next_open else close
        encode_long(code, entries[rows[c, 1]], exits[rows[c, 2]])
        t = 0
        while True:
            t = next_action(words, t, enters, n) + late
            if t >= n:
                break
            paid = price[t] * (1.0 + setting(values, at, step, SLIP, t))
            bars[k, 0] = t
            money[k, 0] = paid
            money[k, 1] = setting(values, at, step, FEES, t)
            # A fill at the open has the rest of its bar to come: its stops, and its own signal.
            signal = next_action(words, t + 1 - late, leaves, n)
            until = min(signal, n - 1)
            if seen[t] != generation:
                seen[t] = generation
                looked[t] = t - late
                peaks[t] = paid
                reasons[t] = -1
                touches[t] = n
            if reasons[t] < 0 and looked[t] < until:
                levels = levels_after_fill(
                    no_levels(), 1.0, paid, True, distances_at(values, at, step, t - late),
                    math.inf, terms,
                )  # fmt: skip
                reason, raw, _when, touch, peak = first_touch(
                    open_, high, low, looked[t] + 1, until, True, at_peak(levels, peaks[t]),
                    terms.by_price,
                )  # fmt: skip
                looked[t] = until
                peaks[t] = peak
                if reason >= 0:
                    reasons[t] = reason
                    touches[t] = touch
                    raws[t] = raw
            if touches[t] <= until:
                out = touches[t]
                slip = 0.0 if reasons[t] == TARGETED else setting(values, at, step, SLIP, out)
                sold = raws[t] * (1.0 - slip)
            else:
                out = signal + late
                if out >= n:
                    bars[k, 1] = n
                    money[k, 2] = close[n - 1]
                    money[k, 3] = 0.0
                    k += 1
                    break
                sold = price[out] * (1.0 - setting(values, at, step, SLIP, out))
            bars[k, 1] = out
            money[k, 2] = sold
            money[k, 3] = setting(values, at, step, FEES, out)
            k += 1
            # With fills at opens a stop leaves the signal of its bar, and so does a sale.
            t = out + 1 - late
        c += 1
        starts[c - first] = k
    return c
