# SPDX-License-Identifier: BSD-3-Clause
"""Simulation of one column, from event to event: between signals and stops nothing is decided."""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak._simulation._kernels.layout import (
    AT_CLOSE,
    AT_OPEN,
    DUST,
    ENTRY,
    EXPIRED,
    FEES,
    FIXED,
    FLATTEN,
    L_BAR,
    L_COLUMN,
    L_FEES,
    L_FLOW,
    L_POS,
    L_PRICE,
    L_REASON,
    L_UNITS,
    L_WHEN,
    LIFE,
    LONG_IN,
    LONG_OUT,
    LOT,
    M_ACCUMULATE,
    M_LIMITED,
    M_LIVES,
    M_NEXT_OPEN,
    M_PRICE_UNIT,
    M_SIZE_TYPE,
    M_STOPS,
    MIN_ORDER,
    PAID_IN_FULL,
    REVERSE,
    ROLL_LONG,
    ROLL_SHORT,
    SHORT_IN,
    SHORT_OUT,
    SIGNAL,
    SIZE,
    SLIP,
    STOP,
    TARGET,
    TARGETED,
    TRAIL,
    UNIT_COST,
)
from broadpeak._simulation._kernels.step import (
    anchored,
    booked,
    end_of_life,
    free_units,
    opened,
    reduced,
    touched,
    way_of,
)
from broadpeak.types import AnyArray, FloatArray, IntArray


@kernel
def encode(
    code: AnyArray, le: AnyArray, lx: AnyArray, se: AnyArray, sx: AnyArray, flat: AnyArray
) -> None:
    """Write one action byte per bar; conflicting signals cancel, a flatten bar takes all."""
    for t in range(le.shape[0]):
        e = le[t] & (lx[t] ^ 1)
        x = lx[t] & (le[t] ^ 1)
        f = se[t] & (sx[t] ^ 1)
        y = sx[t] & (se[t] ^ 1)
        both = e & f
        e ^= both
        f ^= both
        keep = flat[t] ^ 1
        code[t] = ((e | (x << 1) | (f << 2) | (y << 3)) * keep) | (flat[t] << 4)


@kernel
def lowest_byte(x: int) -> int:
    """Return the position of the lowest byte of a 64-bit word that is not empty."""
    position = 0
    word = np.uint64(x)
    if word & np.uint64(0xFFFFFFFF) == 0:
        word >>= np.uint64(32)
        position += 4
    if word & np.uint64(0xFFFF) == 0:
        word >>= np.uint64(16)
        position += 2
    if word & np.uint64(0xFF) == 0:
        position += 1
    return position


@kernel
def grown(log: FloatArray) -> FloatArray:
    """Return the log with room for twice as many orders."""
    new = np.empty((log.shape[0] * 2, log.shape[1]), np.float64)
    for i in range(log.shape[0]):
        for k in range(log.shape[1]):
            new[i, k] = log[i, k]
    return new


@kernel
def run_column(
    col: int,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    words: AnyArray,
    init_cash: float,
    pool: FloatArray,
    at: IntArray,
    step: IntArray,
    modes: IntArray,
    money: FloatArray,
    days: IntArray,
    log: FloatArray,
    n: int,
) -> tuple[FloatArray, int]:
    """Append the fills of one column to the log; return the log and its length."""
    n_bars = close.shape[0]
    n_words = words.shape[0]
    code = words.view(np.uint8)
    next_open = modes[M_NEXT_OPEN] == 1
    stops = modes[M_STOPS] == 1
    lives = modes[M_LIVES] == 1
    more = modes[M_ACCUMULATE] == 1
    limited = modes[M_LIMITED] == 1
    by_price = modes[M_PRICE_UNIT] == 1
    size_type = modes[M_SIZE_TYPE]
    unit_cost = money[UNIT_COST]
    rolls = money[ROLL_LONG] != 0.0 or money[ROLL_SHORT] != 0.0
    at_order = AT_OPEN if next_open else AT_CLOSE
    every = np.uint64(0x0101010101010101)
    enters = every * np.uint64(LONG_IN | SHORT_IN)
    in_long = every * np.uint64(SHORT_IN | LONG_OUT | FLATTEN | (LONG_IN if more else 0))
    in_short = every * np.uint64(LONG_IN | SHORT_OUT | FLATTEN | (SHORT_IN if more else 0))
    cash = init_cash
    pos = 0.0  # signed units
    basis = 0.0  # their value at entry prices
    since = 0  # bar of the last fill
    watched = 0  # first close not yet watched for ruin
    ruined = False
    due = math.inf
    stop, target, trail, peak = -math.inf, math.inf, math.nan, 0.0  # times the side
    sig = 0  # first bar whose signal was not looked at
    chk = 0  # first bar whose stops were not looked at
    seen = 0
    bar = -1
    raw = 0.0
    when = AT_CLOSE
    while True:
        # What comes next: a stop, the end of a lifetime, or a signal.
        reason = -1
        if pos != 0.0 and due <= bar:
            reason = EXPIRED  # what the order of this bar left open
        else:
            mask = enters if pos == 0.0 else (in_long if pos > 0.0 else in_short)
            seen = n_bars
            if sig < n_bars:
                w = sig >> 3
                skip = np.uint64(8 * (sig & 7))
                word = ((words[w] >> skip) << skip) & mask
                while word == 0 and w + 1 < n_words:
                    w += 1
                    word = words[w] & mask
                if word != 0:
                    seen = (w << 3) + lowest_byte(word)
            if pos != 0.0 and (stops or lives):
                last = min(seen, n_bars - 1)
                expires = False
                if lives:
                    early = seen < n_bars and not next_open  # the signal of a close comes first
                    expires = due <= (last - 1 if early else last)
                    if expires:
                        last = int(due) - (1 if next_open else 0)
                if stops:
                    if pos > 0.0:
                        for t in range(chk, last + 1):
                            reason, raw, when = touched(
                                open_[t], low[t], high[t], stop, target, trail, peak, by_price
                            )
                            if reason >= 0:
                                bar = t
                                break
                            if high[t] > peak:
                                peak = high[t]
                    else:
                        for t in range(chk, last + 1):
                            reason, raw, when = touched(
                                -open_[t], -high[t], -low[t], stop, target, trail, peak, by_price
                            )
                            if reason >= 0:
                                bar = t
                                raw = -raw
                                break
                            if -low[t] > peak:
                                peak = -low[t]
                chk = last + 1
                if reason < 0 and expires:
                    bar = int(due)
                    reason = EXPIRED
                    raw = open_[bar] if next_open else close[bar]
                    when = at_order
        if reason < 0:
            if seen >= n_bars:
                break
            bar = seen
            if math.isnan(close[seen]):  # no trading: the bar does not exist for this column
                sig = seen + 1
                bar = -1
                continue
            if code[seen] & FLATTEN != 0:
                reason = SIGNAL
                when = AT_CLOSE
                raw = close[seen]
            else:
                reason = ENTRY
                when = at_order
                if next_open:
                    bar = seen + 1
                    while bar < n_bars and math.isnan(close[bar]):
                        bar += 1
                    if bar == n_bars:
                        break
                raw = open_[bar] if next_open else close[bar]
        if limited:  # a long that was paid for in full, but for rounding, cannot fall to zero
            if pos < 0.0 or (pos > 0.0 and cash < -PAID_IN_FULL * basis):
                lost = False
                for t in range(watched, bar):
                    lost |= cash + pos * close[t] <= 0.0
                ruined |= lost
            watched = bar
        # The order: how much it closes and opens.
        held = abs(pos)
        closing = held
        opening = 0.0
        d = -1.0 if pos > 0.0 else 1.0
        slip = 0.0 if reason == TARGETED else pool[at[SLIP] + bar * step[SLIP]]
        rate = pool[at[FEES] + bar * step[FEES]]
        fixed = pool[at[FIXED] + bar * step[FIXED]]
        if reason == ENTRY:
            action = int(code[seen])
            d = way_of(action, pos, more)
            closing = held if pos * d < 0.0 else 0.0
            k = SIZE if d > 0.0 else SIZE + 1
            if action & (LONG_IN if d > 0.0 else SHORT_IN) != 0:
                free = math.inf
                if limited:
                    ruined |= cash + pos * raw <= 0.0
                    shorts = basis if pos < 0.0 and closing == 0.0 else 0.0
                    free = 0.0
                    if not ruined:
                        free = free_units(
                            cash, shorts, d, held - closing, closing, raw * (1.0 + d * slip), rate,
                            fixed, unit_cost,
                        )  # fmt: skip
                closing, opening = opened(
                    pool[at[k] + seen * step[k]], size_type, more, closing, free, raw, money[LOT],
                    fixed / (raw * (1.0 + d * slip) * (1.0 + rate) + unit_cost),
                )  # fmt: skip
            elif more and closing > 0.0:
                k = SIZE if pos > 0.0 else SIZE + 1
                closing = reduced(pool[at[k] + seen * step[k]], size_type, held, raw, money[LOT])
            if closing < MIN_ORDER and held - closing >= DUST:
                closing = 0.0
            if closing > 0.0:
                reason = REVERSE if opening > 0.0 else SIGNAL
        # The fill.
        if closing + opening > 0.0:
            price = raw * (1.0 + d * slip)
            before = pos
            paid = 0.0
            if rolls and pos != 0.0:
                roll = money[ROLL_LONG] if pos > 0.0 else money[ROLL_SHORT]
                paid = held * roll * (days[bar] - days[since])
            units, fees, flow, pos, basis = booked(
                pos, basis, d, closing, opening, price, rate, fixed, unit_cost
            )
            cash += flow - paid
            since = bar
            if n == log.shape[0]:
                log = grown(log)
            log[n, L_COLUMN] = col
            log[n, L_BAR] = bar
            log[n, L_REASON] = reason
            log[n, L_WHEN] = when
            log[n, L_UNITS] = d * units
            log[n, L_PRICE] = price
            log[n, L_FEES] = fees
            log[n, L_FLOW] = flow - paid
            log[n, L_POS] = pos
            n += 1
            if opening > 0.0 and (stops or lives):  # what only reduces leaves them alone
                side = 0 if pos > 0.0 else 1
                fresh = before * pos <= 0.0
                if stops:
                    stop, target, trail, peak = anchored(
                        1.0 if pos > 0.0 else -1.0, price, by_price, fresh,
                        pool[at[STOP + side] + seen * step[STOP + side]],
                        pool[at[TARGET + side] + seen * step[TARGET + side]],
                        pool[at[TRAIL + side] + seen * step[TRAIL + side]],
                        stop, target, trail, peak,
                    )  # fmt: skip
                if fresh and lives:
                    due = end_of_life(close, bar, pool[at[LIFE + side] + seen * step[LIFE + side]])
        sig = bar if next_open and when != AT_CLOSE else bar + 1
        chk = sig
    return log, n
