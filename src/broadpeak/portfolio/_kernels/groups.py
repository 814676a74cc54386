# SPDX-License-Identifier: BSD-3-Clause
"""Simulation of columns that share cash: bars outer, columns inner, orders that free cash first."""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak.portfolio._kernels.columns import grown_floats, grown_ints
from broadpeak.portfolio._kernels.layout import (
    AT_CLOSE,
    AT_OPEN,
    CASH,
    DUE,
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
    N_STATE,
    OTHERS,
    PERCENT,
    POS,
    RUINED,
    SHORT_IN,
    SIGNAL,
    SIZE,
)
from broadpeak.portfolio._kernels.step import act, close_all, next_stop, setting, wanted
from broadpeak.types import AnyArray, FloatArray, IntArray


@kernel
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
    if pos == 0.0:
        return True
    opposite = SHORT_IN if pos > 0.0 else LONG_IN
    same = LONG_IN if pos > 0.0 else SHORT_IN
    if modes[M_ACCUMULATE] == 0:
        return action & opposite != 0
    if action & same != 0:
        return True
    if action & opposite == 0:
        return False
    if modes[M_SIZE_TYPE] == PERCENT:
        return True
    size = setting(pool, at, step, SIZE + (1 if pos > 0.0 else 0), seen)
    return not wanted(size, modes[M_SIZE_TYPE], raw, money[LOT]) <= abs(pos)


@kernel
def worth_of(states: FloatArray, prices: FloatArray) -> float:
    """Return the value of all positions."""
    total = 0.0
    for j in range(states.shape[0]):
        if states[j, POS] != 0.0:
            total += states[j, POS] * prices[j]
    return total


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
    ints: IntArray,
    floats: FloatArray,
    n: int,
) -> tuple[IntArray, FloatArray, int]:
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
    for t in range(n_bars):
        while n + 3 * k + 4 > ints.shape[0]:
            ints = grown_ints(ints)
            floats = grown_floats(floats)
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
                        n = close_all(
                            s, acc, pool, at[min(c, offsets)], step, money, days, ints, floats, n,
                            c, t, level, reason, when,
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
                            n = close_all(
                                states[j], acc, pool, at[min(c, offsets)], step, money, days,
                                ints, floats, n, c, t, raw[j], SIGNAL, AT_CLOSE,
                            )  # fmt: skip
                    elif not next_open:
                        order[j] = -1 if stopped[j] or codes[j, t] == 0 else t
            if orders_now:
                when = AT_OPEN if phase == 0 else AT_CLOSE
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
                        n = act(
                            action, s, acc, pool, offset, step, modes, money, days, ints, floats,
                            n, c, seen, t, raw[j], when,
                        )  # fmt: skip
                        order[j] = -1
                for j in range(k):
                    if states[j, POS] != 0.0 and states[j, DUE] <= t and not math.isnan(raw[j]):
                        c = members[j]
                        n = close_all(
                            states[j], acc, pool, at[min(c, offsets)], step, money, days, ints,
                            floats, n, c, t, raw[j], EXPIRED, when,
                        )  # fmt: skip
        if next_open:
            for j in range(k):
                if not math.isnan(raw[j]) and codes[j, t] & FLATTEN == 0:
                    order[j] = t if codes[j, t] != 0 else -1
        if modes[M_LIMITED] == 1 and acc[CASH] + worth_of(states, last) <= 0.0:
            acc[RUINED] = 1.0
    return ints, floats, n


@kernel
def sort_log(
    ints: IntArray, floats: FloatArray, first: int, last: int, members: IntArray,
    starts: IntArray, ends: IntArray,
) -> None:  # fmt: skip
    """Put log entries first..last-1 column after column, each in order of time."""
    old_ints = ints[first:last].copy()
    old_floats = floats[first:last].copy()
    for c in members:
        ends[c] = 0
    for i in range(last - first):
        ends[old_ints[i, L_COLUMN]] += 1
    here = first
    for c in members:
        starts[c] = here
        here += ends[c]
        ends[c] = starts[c]
    for i in range(last - first):
        c = old_ints[i, L_COLUMN]
        ints[ends[c]] = old_ints[i]
        floats[ends[c]] = old_floats[i]
        ends[c] += 1
