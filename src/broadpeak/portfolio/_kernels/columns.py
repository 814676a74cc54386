# SPDX-License-Identifier: BSD-3-Clause
"""Simulation of one column, from event to event: between signals and stops nothing is decided."""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import inlined, kernel
from broadpeak.portfolio._kernels.layout import (
    AT_CLOSE,
    AT_OPEN,
    CASH,
    DUE,
    ENTRY,
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
from broadpeak.portfolio._kernels.step import next_stop, send
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


@inlined
def next_event(words: AnyArray, first: int, n_bars: int, mask: int) -> int:
    """Return the first bar from `first` on whose action has a bit of `mask`, or n_bars."""
    bar = n_bars
    if first < n_bars:
        wide = np.uint64(mask) * np.uint64(0x0101010101010101)
        w = first >> 3
        skip = np.uint64(8 * (first & 7))
        x = ((words[w] >> skip) << skip) & wide
        n_words = words.shape[0]
        while x == 0 and w + 1 < n_words:
            w += 1
            x = words[w] & wide
        if x != 0:  # the lowest byte that is not empty
            bar = w << 3
            if x & np.uint64(0xFFFFFFFF) == 0:
                x >>= np.uint64(32)
                bar += 4
            if x & np.uint64(0xFFFF) == 0:
                x >>= np.uint64(16)
                bar += 2
            if x & np.uint64(0xFF) == 0:
                bar += 1
    return bar


@inlined
def watch_ruin(
    s: FloatArray, acc: FloatArray, modes: IntArray, close: FloatArray, bar: int
) -> None:
    """Mark the account if its value was not positive at a close before `bar` not yet watched."""
    first = int(s[WATCHED])
    s[WATCHED] = bar
    if s[POS] < 0.0 and modes[M_LIMITED] == 1:  # a long that was paid for cannot fall to zero
        limit = acc[CASH] / -s[POS]
        lost = False
        for t in range(first, bar):
            lost |= close[t] >= limit
        if lost:
            acc[RUINED] = 1.0


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
    code = words.view(np.uint8)
    s = np.zeros(N_STATE)
    acc = np.zeros(N_ACCOUNT)
    acc[CASH] = init_cash
    s[DUE] = math.inf
    next_open = modes[M_NEXT_OPEN] == 1
    stops = modes[M_STOPS] == 1
    at_order = AT_OPEN if next_open else AT_CLOSE
    in_long = SHORT_IN | LONG_OUT | FLATTEN
    in_short = LONG_IN | SHORT_OUT | FLATTEN
    if modes[M_ACCUMULATE] == 1:
        in_long |= LONG_IN
        in_short |= SHORT_IN
    sig = 0  # first bar whose signal was not looked at
    chk = 0  # first bar whose stops were not looked at
    seen = 0
    bar = -1
    raw = 0.0
    when = AT_CLOSE
    while True:
        if n + 4 > log.shape[0]:
            log = grown(log)
        pos = s[POS]
        reason = -1
        if pos != 0.0 and s[DUE] <= bar:
            reason = EXPIRED  # what the order of this bar left open
        else:
            mask = LONG_IN | SHORT_IN if pos == 0.0 else (in_long if pos > 0.0 else in_short)
            seen = next_event(words, sig, n_bars, mask)
            if pos != 0.0:
                last = min(seen, n_bars - 1)
                while s[DUE] < n_bars and math.isnan(close[int(s[DUE])]):
                    s[DUE] += 1.0
                early = seen < n_bars and not next_open  # a signal at the same close comes first
                expires = s[DUE] <= (last - 1 if early else last)
                if expires:
                    last = int(s[DUE]) - (1 if next_open else 0)
                if stops and chk <= last:
                    hit, why, level, moment = next_stop(s, modes, open_, high, low, chk, last)
                    if hit >= 0:
                        bar, reason, raw, when = hit, why, level, moment
                chk = last + 1
                if reason < 0 and expires:
                    bar = int(s[DUE])
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
        watch_ruin(s, acc, modes, close, bar)
        n = send(
            reason, int(code[seen]) if reason == ENTRY else 0, s, acc, pool, at, step, modes,
            money, days, log, n, col, seen, bar, raw, when,
        )  # fmt: skip
        sig = bar if next_open and when != AT_CLOSE else bar + 1
        chk = sig
    return log, n
