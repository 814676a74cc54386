# SPDX-License-Identifier: BSD-3-Clause
"""From recorded orders to statistics, one evaluation after the other, with the steps of a test.

Notation: m rows of actions, eight bars a word, with entries on the bars
``entries[bounds[row]:bounds[row + 1]]``; n evaluations, each of which reads one of these rows.
Setting k of evaluation i is ``numbers[i, k]``, or ``distances[starts[i, k] + j]`` at entry j where
it is one an entry.
"""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak._simulation._kernels.columns import encode, next_action, run_column
from broadpeak._simulation._kernels.layout import (
    FLATTEN,
    L_BAR,
    L_POS,
    LONG_IN,
    N_LOG,
    N_SETTINGS,
    SHORT_IN,
    TRADE,
    Terms,
)
from broadpeak._simulation._kernels.trades import add_pnl, make_trades
from broadpeak._training._kernels.stats import (
    add_compounded,
    add_equity,
    add_paid,
    add_trades,
    columns_of,
)
from broadpeak.types import AnyArray, FloatArray, IntArray


@kernel
def encode_orders(
    le: AnyArray,
    lx: AnyArray,
    se: AnyArray,
    sx: AnyArray,
    never: AnyArray,
    first: int,
    codes: AnyArray,
    words: AnyArray,
    entries: IntArray,
) -> int:
    """Write the actions of bars from `first` on into words of zeros, and the bars of entries.

    Return how many entries there are. Signals are bytes from `first` on, and conflicting ones
    cancel; `never` is 0 on all bars. `codes` are the bytes of `words` from there on. Arrays that a
    kernel makes, cuts or returns cost more than those it is given: to compile, and in each call.
    """
    n = first + le.shape[0]
    encode(codes, le, lx, se, sx, never)
    enters = np.uint64(0x0101010101010101) * np.uint64(LONG_IN | SHORT_IN)
    k = 0
    t = next_action(words, first, enters, n)
    while t < n:
        entries[k] = t
        k += 1
        t = next_action(words, t + 1, enters, n)
    return k


@kernel
def take_checked(distances: FloatArray, bars: IntArray, out: FloatArray, is_known: bool) -> bool:
    """Write distances of some bars; return whether one is none, where that is to be looked at.

    One that is not positive always is, NaN where it should be known.
    """
    is_odd = False
    for j in range(bars.shape[0]):
        value = distances[bars[j]]
        out[j] = value
        is_odd |= value < 5e-324 or (is_known and math.isnan(value))
    return is_odd


@kernel
def evaluate_recorded(
    out: AnyArray,
    curves: FloatArray,
    scratch: AnyArray,
    codes: AnyArray,
    values: FloatArray,
    places: IntArray,
    equity: FloatArray,
    begin: int,
    end: int,
    words: AnyArray,
    word_rows: IntArray,
    entries: IntArray,
    bounds: IntArray,
    numbers: FloatArray,
    starts: IntArray,
    distances: FloatArray,
    flatten: IntArray,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    days: IntArray,
    terms: Terms,
    costs: FloatArray,
    first: int,
    slope: float,
    recency: float,
    capital: float,
    tiny: float,
    compounds: bool,
) -> None:
    """Write the statistics of evaluations begin..end-1, and their profit at each evaluated close.

    `curves` has no rows if nobody wants them. The arrays after it are room to work in: for the
    words of one evaluation, and the same as bytes; for its settings, numbers first and then those
    by bar, of which only those at entries are ever read; for where these begin and what they step
    by; for its equity.
    """
    n_bars = close.shape[0]
    at, step, all_bars = places[0], places[1], places[2, :0]
    log = np.empty((64, N_LOG), np.float64)
    trades = np.empty(64, TRADE)
    cash = capital if compounds else 0.0
    for i in range(begin, end):
        row = word_rows[i]
        for j in range(scratch.shape[0]):  # a slice would bring text for an error with it
            scratch[j] = words[row, j]
        for j in range(flatten.shape[0]):
            codes[flatten[j]] = FLATTEN
        a, b = bounds[row], bounds[row + 1]
        place = N_SETTINGS
        for k in range(N_SETTINGS):
            at[k] = k
            step[k] = 0
            values[k] = numbers[i, k]
            if starts[i, k] >= 0:
                at[k] = place
                step[k] = 1
                for j in range(a, b):
                    values[place + entries[j]] = distances[starts[i, k] + j - a]
                place += n_bars
        log, n = run_column(
            0, open_, high, low, close, days, scratch, cash, values, at, step, terms, log, 0
        )
        if trades.shape[0] <= n:
            trades = np.empty(2 * n + 1, TRADE)
        m = make_trades(
            log[:n], 0, close, close, close, close, costs, days, all_bars, trades, 0, False
        )
        for t in range(n_bars):  # an assignment to a slice compiles long
            equity[t] = 0.0
        add_pnl(equity, log[:n], close, costs, days)
        if slope != 0.0:
            take_out_trend(equity, log[:n], slope)
        # The steps of `stats_of_records`: every level of calls is compiled once more.
        one, held = out[i : i + 1], equity[first:]
        columns, paid = columns_of(trades[:m], first, slope)
        add_trades(one, columns, recency, n_bars - first, tiny)
        add_equity(one, columns, columns, held, capital, 0.0, tiny)
        if compounds:
            add_compounded(one, columns, held, capital, tiny)
        add_paid(one, paid)
        if curves.shape[0] > 0:
            for t in range(n_bars - first):
                curves[i, t] = equity[first + t]


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
