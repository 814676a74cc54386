# SPDX-License-Identifier: BSD-3-Clause
"""Simulation of columns that share cash: bars outer, columns inner, orders that free cash first."""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import inlined, kernel
from broadpeak.portfolio._kernels.columns import grown
from broadpeak.portfolio._kernels.layout import (
    AT_CLOSE,
    AT_OPEN,
    CASH,
    DUE,
    ENTRY,
    EXPIRED,
    FLATTEN,
    L_COLUMN,
    LONG_IN,
    LOT,
    M_ACCUMULATE,
    M_LIMITED,
    M_NEXT_OPEN,
    M_SIZE_TYPE,
    M_STOPS,
    N_ACCOUNT,
    N_LOG,
    N_STATE,
    OTHERS,
    PERCENT,
    POS,
    RUINED,
    SHORT_IN,
    SIGNAL,
    SIZE,
)
from broadpeak.portfolio._kernels.step import next_stop, send, setting, wanted
from broadpeak.types import AnyArray, FloatArray, IntArray


@inlined
def may_open(
    action: int,
    pos: float,
    pool: FloatArray,
    at: IntArray,
    step: IntArray,
    modes: IntArray,
    money: FloatArray,
    seen: int,
    raw: float,
) -> bool:
    """Return whether an action can open a position, so that it waits for orders that free cash."""
    opposite = SHORT_IN if pos > 0.0 else LONG_IN
    same = LONG_IN if pos > 0.0 else SHORT_IN
    opens = True
    if pos != 0.0 and modes[M_ACCUMULATE] == 0:
        opens = action & opposite != 0
    elif pos != 0.0 and action & same == 0:
        opens = action & opposite != 0
        if opens and modes[M_SIZE_TYPE] != PERCENT:
            size = setting(pool, at, step, SIZE + (1 if pos > 0.0 else 0), seen)
            opens = not wanted(size, modes[M_SIZE_TYPE], raw, money[LOT]) <= abs(pos)
    return opens


@inlined
def worth_of(states: FloatArray, prices: FloatArray) -> float:
    """Return the value of all positions."""
    total = 0.0
    for j in range(states.shape[0]):
        if states[j, POS] != 0.0:
            total += states[j, POS] * prices[j]
    return total


@kernel
def send_one(
    reason: int,
    action: int,
    s: FloatArray,
    acc: FloatArray,
    pool: FloatArray,
    at: IntArray,
    step: IntArray,
    modes: IntArray,
    money: FloatArray,
    days: IntArray,
    log: FloatArray,
    n: int,
    col: int,
    seen: int,
    bar: int,
    raw: float,
    when: int,
) -> int:
    """Send one order of a group; compiled once for its several callers."""
    return send(
        reason, action, s, acc, pool, at, step, modes, money, days, log, n, col, seen, bar, raw,
        when,
    )  # fmt: skip


@kernel
def run_group(
    members: IntArray,
    price_rows: IntArray,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    codes: AnyArray,
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
    """Append the fills of one group to the log, bar by bar; return the log and its end."""
    n_bars = close.shape[1]
    k = members.shape[0]
    states = np.zeros((k, N_STATE))
    acc = np.zeros(N_ACCOUNT)
    acc[CASH] = init_cash
    next_open = modes[M_NEXT_OPEN] == 1
    stops = modes[M_STOPS] == 1
    last = np.zeros(k)  # last known price
    raw = np.zeros(k)  # price at which this bar's orders fill
    order = np.full(k, -1, np.int64)  # signal bar of the order that is due
    stopped = np.zeros(k, np.bool_)
    offsets = at.shape[0] - 1
    states[:, DUE] = math.inf
    nothing = int(np.int64(0))
    at_close = int(np.int64(AT_CLOSE))  # typed, so that one version of send_one serves all callers
    at_order = int(np.int64(AT_OPEN)) if next_open else at_close
    by_entry, by_signal, by_life = (
        int(np.int64(ENTRY)),
        int(np.int64(SIGNAL)),
        int(np.int64(EXPIRED)),
    )
    for t in range(n_bars):
        while n + 3 * k + 4 > log.shape[0]:
            log = grown(log)
        stopped[:] = False
        for phase in range(2):  # at the open, then at the close
            orders_now = (phase == 0) == next_open
            for j in range(k):
                price = close[price_rows[members[j]], t]
                if not math.isnan(price):
                    last[j] = open_[price_rows[members[j]], t] if phase == 0 else price
                raw[j] = last[j] if not math.isnan(price) else math.nan
            if phase == 1 and stops:
                for j in range(k):
                    s = states[j]
                    if s[POS] == 0.0 or math.isnan(raw[j]):
                        continue
                    p = price_rows[members[j]]
                    c = members[j]
                    bar, reason, level, when = next_stop(s, modes, open_[p], high[p], low[p], t, t)
                    if bar >= 0:
                        n = send_one(
                            int(reason), nothing, s, acc, pool, at[min(c, offsets)], step, modes,
                            money, days, log, n, c, t, t, level, int(when),
                        )  # fmt: skip
                        stopped[j] = True
            if phase == 1:
                for j in range(k):
                    c = members[j]
                    if math.isnan(raw[j]):
                        if not next_open:
                            order[j] = -1
                    elif codes[j, t] & FLATTEN != 0:
                        order[j] = -1
                        if states[j, POS] != 0.0:
                            n = send_one(
                                by_signal, nothing, states[j], acc, pool, at[min(c, offsets)],
                                step, modes, money, days, log, n, c, t, t, raw[j], at_close,
                            )  # fmt: skip
                    elif not next_open:
                        order[j] = -1 if stopped[j] or codes[j, t] == 0 else t
            if orders_now:
                for turn in range(2):  # what frees cash, then what may need it
                    for j in range(k):
                        seen = order[j]
                        if seen < 0 or math.isnan(raw[j]):
                            continue
                        c = members[j]
                        s = states[j]
                        action = int(codes[j, seen])
                        offset = at[min(c, offsets)]
                        opens = may_open(
                            action, s[POS], pool, offset, step, modes, money, seen, raw[j]
                        )
                        if opens != (turn == 1):
                            continue
                        acc[OTHERS] = worth_of(states, last) - s[POS] * last[j]
                        n = send_one(
                            by_entry, action, s, acc, pool, offset, step, modes, money, days, log,
                            n, c, seen, t, raw[j], at_order,
                        )  # fmt: skip
                        order[j] = -1
                for j in range(k):
                    if states[j, POS] != 0.0 and states[j, DUE] <= t and not math.isnan(raw[j]):
                        c = members[j]
                        n = send_one(
                            by_life, nothing, states[j], acc, pool, at[min(c, offsets)], step,
                            modes, money, days, log, n, c, t, t, raw[j], at_order,
                        )  # fmt: skip
        if next_open:
            for j in range(k):
                if not math.isnan(raw[j]) and codes[j, t] & FLATTEN == 0:
                    order[j] = t if codes[j, t] != 0 else -1
        if modes[M_LIMITED] == 1 and acc[CASH] + worth_of(states, last) <= 0.0:
            acc[RUINED] = 1.0
    return log, n


@kernel
def sort_log(
    log: FloatArray, first: int, last: int, members: IntArray, starts: IntArray, ends: IntArray
) -> None:
    """Put log entries first..last-1 column after column, each in order of time."""
    old = np.empty((last - first, N_LOG))
    for c in members:
        ends[c] = 0
    for i in range(last - first):
        for k in range(N_LOG):
            old[i, k] = log[first + i, k]
        ends[int(old[i, L_COLUMN])] += 1
    here = first
    for c in members:
        starts[c] = here
        here += ends[c]
        ends[c] = starts[c]
    for i in range(last - first):
        c = int(old[i, L_COLUMN])
        for k in range(N_LOG):
            log[ends[c], k] = old[i, k]
        ends[c] += 1
