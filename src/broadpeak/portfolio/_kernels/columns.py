# SPDX-License-Identifier: BSD-3-Clause
"""Simulation of one column, from event to event: between signals and stops nothing is decided."""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak.portfolio._kernels.layout import (
    AT_CLOSE,
    AT_OPEN,
    CASH,
    DUE,
    EXPIRED,
    FLATTEN,
    LONG_IN,
    LONG_OUT,
    M_ACCUMULATE,
    M_LIMITED,
    M_NEXT_OPEN,
    M_STOPS,
    N_ACCOUNT,
    N_STATE,
    POS,
    RUINED,
    SHORT_IN,
    SHORT_OUT,
    SIGNAL,
    WATCHED,
)
from broadpeak.portfolio._kernels.step import act, close_all, next_stop
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
def next_event(words: AnyArray, code: AnyArray, first: int, n_bars: int, mask: int) -> int:
    """Return the first bar from `first` on whose action has a bit of `mask`, or n_bars."""
    t = first
    while t < n_bars and t & 7 != 0:
        if code[t] & mask != 0:
            return t
        t += 1
    if t >= n_bars:
        return n_bars  # the last word would be scanned from its beginning
    wide = np.uint64(mask) * np.uint64(0x0101010101010101)
    w = t >> 3
    n_words = (n_bars + 7) >> 3
    while w < n_words and words[w] & wide == 0:
        w += 1
    for i in range(w << 3, n_bars):
        if code[i] & mask != 0:
            return i
    return n_bars


@kernel
def watch_ruin(
    s: FloatArray, acc: FloatArray, modes: IntArray, close: FloatArray, bar: int
) -> None:
    """Mark the account if its value was not positive at a close before `bar` not yet watched."""
    first = int(s[WATCHED])
    s[WATCHED] = bar
    if s[POS] >= 0.0 or modes[M_LIMITED] == 0:
        return  # a long that was paid for in full cannot fall to zero
    limit = acc[CASH] / -s[POS]
    lost = False
    for t in range(first, bar):
        lost |= close[t] >= limit
    if lost:
        acc[RUINED] = 1.0


@kernel
def grown_ints(old: IntArray) -> IntArray:
    """Return a copy of twice the length."""
    new = np.empty((old.shape[0] * 2, old.shape[1]), np.int64)
    new[: old.shape[0]] = old
    return new


@kernel
def grown_floats(old: FloatArray) -> FloatArray:
    """Return a copy of twice the length."""
    new = np.empty((old.shape[0] * 2, old.shape[1]), np.float64)
    new[: old.shape[0]] = old
    return new


@kernel
def run_column(
    col: int,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    words: AnyArray,
    code: AnyArray,
    init_cash: float,
    pool: FloatArray,
    at: IntArray,
    step: IntArray,
    modes: IntArray,
    money: FloatArray,
    days: IntArray,
    ints: IntArray,
    floats: FloatArray,
    n: int,
) -> tuple[IntArray, FloatArray, int]:
    """Append the fills of one column to the log; return the log and its length."""
    n_bars = close.shape[0]
    s = np.zeros(N_STATE)
    acc = np.zeros(N_ACCOUNT)
    acc[CASH] = init_cash
    next_open = modes[M_NEXT_OPEN] == 1
    stops = modes[M_STOPS] == 1
    in_long = SHORT_IN | LONG_OUT | FLATTEN
    in_short = LONG_IN | SHORT_OUT | FLATTEN
    if modes[M_ACCUMULATE] == 1:
        in_long |= LONG_IN
        in_short |= SHORT_IN
    sig = 0  # first bar whose signal was not looked at
    chk = 0  # first bar whose stops were not looked at
    while True:
        if n + 4 > ints.shape[0]:
            ints = grown_ints(ints)
            floats = grown_floats(floats)
        pos = s[POS]
        mask = LONG_IN | SHORT_IN if pos == 0.0 else (in_long if pos > 0.0 else in_short)
        seen = next_event(words, code, sig, n_bars, mask)
        if pos != 0.0:
            last = min(seen, n_bars - 1)
            expires = False
            while s[DUE] < n_bars and math.isnan(close[int(s[DUE])]):
                s[DUE] += 1.0
            if s[DUE] <= last + (0 if next_open else -1) or (s[DUE] <= last and seen == n_bars):
                expires = True
                last = int(s[DUE]) - (1 if next_open else 0)
            if stops and chk <= last:
                bar, reason, raw, when = next_stop(s, modes, open_, high, low, chk, last)
                if bar >= 0:
                    watch_ruin(s, acc, modes, close, bar)
                    n = close_all(
                        s, acc, pool, at, step, money, days, ints, floats, n, col, bar, raw,
                        reason, when,
                    )  # fmt: skip
                    sig = bar if next_open else bar + 1
                    continue
            chk = last + 1
            if expires:
                bar = int(s[DUE])
                watch_ruin(s, acc, modes, close, bar)
                raw = open_[bar] if next_open else close[bar]
                when = AT_OPEN if next_open else AT_CLOSE
                n = close_all(
                    s, acc, pool, at, step, money, days, ints, floats, n, col, bar, raw,
                    EXPIRED, when,
                )  # fmt: skip
                sig = bar if next_open else bar + 1
                continue
        if seen >= n_bars:
            break
        if math.isnan(close[seen]):  # no trading: the bar does not exist for this column
            sig = seen + 1
            continue
        if code[seen] & FLATTEN != 0:
            watch_ruin(s, acc, modes, close, seen)
            n = close_all(
                s, acc, pool, at, step, money, days, ints, floats, n, col, seen, close[seen],
                SIGNAL, AT_CLOSE,
            )  # fmt: skip
            sig = seen + 1
            continue
        bar = seen
        raw = close[seen]
        when = AT_CLOSE
        if next_open:
            bar = seen + 1
            while bar < n_bars and math.isnan(close[bar]):
                bar += 1
            if bar == n_bars:
                break
            raw = open_[bar]
            when = AT_OPEN
        watch_ruin(s, acc, modes, close, bar)
        n = act(
            int(code[seen]), s, acc, pool, at, step, modes, money, days, ints, floats, n, col,
            seen, bar, raw, when,
        )  # fmt: skip
        if s[POS] != 0.0 and s[DUE] <= bar:
            n = close_all(
                s, acc, pool, at, step, money, days, ints, floats, n, col, bar, raw, EXPIRED, when
            )
        sig = bar if next_open else bar + 1
        chk = sig
    return ints, floats, n
