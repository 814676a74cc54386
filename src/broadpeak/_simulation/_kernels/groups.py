# SPDX-License-Identifier: BSD-3-Clause
"""Simulation of columns that share cash: bars outer, columns inner, orders that free cash first."""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak._simulation._kernels.columns import grown
from broadpeak._simulation._kernels.layout import (
    AT_CLOSE,
    AT_OPEN,
    BASIS,
    CASH,
    DUE,
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
    LOT,
    M_ACCUMULATE,
    M_LIMITED,
    M_NEXT_OPEN,
    M_PRICE_UNIT,
    M_SIZE_TYPE,
    M_STOPS,
    MIN_ORDER,
    N_ACCOUNT,
    N_LOG,
    N_STATE,
    OTHERS,
    PEAK,
    PERCENT,
    POS,
    REVERSE,
    ROLL_LONG,
    ROLL_SHORT,
    RUINED,
    S_STOP,
    S_TARGET,
    S_TRAIL,
    SHORT_IN,
    SHORTS,
    SIGNAL,
    SINCE,
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
    wanted,
    way_of,
)
from broadpeak.types import AnyArray, FloatArray, IntArray


@kernel
def may_open(action: int, pos: float, more: bool, size: float, size_type: int, raw: float) -> bool:
    """Return whether an action can open a position, so that it waits for orders that free cash.

    `size` is that of the side opposite to the position, in units where it is an amount.
    """
    opposite = SHORT_IN if pos > 0.0 else LONG_IN
    same = LONG_IN if pos > 0.0 else SHORT_IN
    if pos == 0.0 or (more and action & same != 0):
        return True
    if not more or action & opposite == 0 or size_type == PERCENT:
        return action & opposite != 0
    return not wanted(size, size_type, raw, 1.0) <= abs(pos)


@kernel
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
    close: FloatArray,
    log: FloatArray,
    n: int,
    col: int,
    seen: int,
    bar: int,
    raw: float,
    when: int,
) -> int:
    """Send one order and return the log's length.

    With reason ENTRY the action decides; any other reason closes the position in full.
    """
    pos = s[POS]
    basis = s[BASIS]
    more = modes[M_ACCUMULATE] == 1
    size_type = modes[M_SIZE_TYPE]
    held = abs(pos)
    closing = held
    opening = 0.0
    d = -1.0 if pos > 0.0 else 1.0
    slip = 0.0 if reason == TARGETED else pool[at[SLIP] + bar * step[SLIP]]
    rate = pool[at[FEES] + bar * step[FEES]]
    fixed = pool[at[FIXED] + bar * step[FIXED]]
    if reason == ENTRY:
        d = way_of(action, pos, more)
        closing = held if pos * d < 0.0 else 0.0
        k = SIZE if d > 0.0 else SIZE + 1
        if d == 0.0:
            closing = 0.0
        elif action & (LONG_IN if d > 0.0 else SHORT_IN) != 0:
            free = math.inf
            if modes[M_LIMITED] == 1:
                if acc[CASH] + acc[OTHERS] + pos * raw <= 0.0:
                    acc[RUINED] = 1.0
                shorts = 0.0  # only a further short must leave the others' proceeds alone
                if d < 0.0:
                    shorts = acc[SHORTS] - (basis if pos < 0.0 and closing > 0.0 else 0.0)
                free = 0.0
                if acc[RUINED] == 0.0:
                    free = free_units(
                        acc[CASH], shorts, d, held - closing, closing,
                        raw * (1.0 + d * slip), rate, fixed, money[UNIT_COST],
                    )  # fmt: skip
            closing, opening = opened(
                pool[at[k] + seen * step[k]], size_type, more, closing, free, raw, money[LOT],
                fixed / (raw * (1.0 + d * slip) * (1.0 + rate) + money[UNIT_COST]),
            )  # fmt: skip
        elif more and closing > 0.0:
            k = SIZE if pos > 0.0 else SIZE + 1
            closing = reduced(pool[at[k] + seen * step[k]], size_type, held, raw, money[LOT])
        if closing < MIN_ORDER and held - closing >= DUST:
            closing = 0.0
        if closing > 0.0:
            reason = REVERSE if opening > 0.0 else SIGNAL
    if not closing + opening > 0.0:
        return n
    price = raw * (1.0 + d * slip)
    paid = 0.0
    if pos != 0.0:
        roll = money[ROLL_LONG] if pos > 0.0 else money[ROLL_SHORT]
        if roll != 0.0:
            paid = held * roll * (days[bar] - days[int(s[SINCE])])
    units, fees, flow, after, kept = booked(
        pos, basis, d, closing, opening, price, rate, fixed, money[UNIT_COST]
    )
    acc[SHORTS] += (kept if after < 0.0 else 0.0) - (basis if pos < 0.0 else 0.0)
    acc[CASH] += flow - paid
    s[POS] = after
    s[BASIS] = kept
    s[SINCE] = bar
    log[n, L_COLUMN] = col
    log[n, L_BAR] = bar
    log[n, L_REASON] = reason
    log[n, L_WHEN] = when
    log[n, L_UNITS] = d * units
    log[n, L_PRICE] = price
    log[n, L_FEES] = fees
    log[n, L_FLOW] = flow - paid
    log[n, L_POS] = after
    if opening > 0.0:  # what only reduces leaves the stops alone
        side = 0 if after > 0.0 else 1
        fresh = pos * after <= 0.0
        s[S_STOP], s[S_TARGET], s[S_TRAIL], s[PEAK] = anchored(
            1.0 if after > 0.0 else -1.0, price, modes[M_PRICE_UNIT] == 1, fresh,
            pool[at[STOP + side] + seen * step[STOP + side]],
            pool[at[TARGET + side] + seen * step[TARGET + side]],
            pool[at[TRAIL + side] + seen * step[TRAIL + side]],
            s[S_STOP], s[S_TARGET], s[S_TRAIL], s[PEAK],
        )  # fmt: skip
        if fresh:
            s[DUE] = end_of_life(close, bar, pool[at[LIFE + side] + seen * step[LIFE + side]])
    return n + 1


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
    more = modes[M_ACCUMULATE] == 1
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
                    long = s[POS] > 0.0
                    d = 1.0 if long else -1.0
                    worst = low[p, t] if long else -high[p, t]
                    best = high[p, t] if long else -low[p, t]
                    reason, level, when = touched(
                        d * open_[p, t], worst, best, s[S_STOP], s[S_TARGET], s[S_TRAIL],
                        s[PEAK], modes[M_PRICE_UNIT] == 1,
                    )  # fmt: skip
                    if reason >= 0:
                        n = send_one(
                            int(reason), nothing, s, acc, pool, at[min(c, offsets)], step, modes,
                            money, days, close[p], log, n, c, t, t, d * level, int(when),
                        )  # fmt: skip
                        stopped[j] = True
                    elif best > s[PEAK]:
                        s[PEAK] = best
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
                                step, modes, money, days, close[price_rows[c]], log, n, c,
                                t, t, raw[j], at_close,
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
                        side = SIZE + 1 if s[POS] > 0.0 else SIZE
                        size = pool[offset[side] + seen * step[side]] * money[LOT]
                        opens = may_open(action, s[POS], more, size, modes[M_SIZE_TYPE], raw[j])
                        if opens != (turn == 1):
                            continue
                        acc[OTHERS] = worth_of(states, last) - s[POS] * last[j]
                        n = send_one(
                            by_entry, action, s, acc, pool, offset, step, modes, money, days,
                            close[price_rows[c]], log, n, c, seen, t, raw[j], at_order,
                        )  # fmt: skip
                        order[j] = -1
                for j in range(k):
                    if states[j, POS] != 0.0 and states[j, DUE] <= t and not math.isnan(raw[j]):
                        c = members[j]
                        n = send_one(
                            by_life, nothing, states[j], acc, pool, at[min(c, offsets)], step,
                            modes, money, days, close[price_rows[c]], log, n, c, t, t, raw[j],
                            at_order,
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
