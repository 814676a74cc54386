# SPDX-License-Identifier: BSD-3-Clause
"""The steps of a simulation: what an order, a stop, a fill does to one column and its account.

Single columns and groups with shared cash run on these same functions.
"""

from __future__ import annotations

import math

from broadpeak._core.compile import inlined
from broadpeak.portfolio._kernels.layout import (
    AMOUNT,
    AT_OPEN,
    BASIS,
    CASH,
    DUE,
    DUST,
    ENTRY,
    FEES,
    FIXED,
    INSIDE,
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
    M_PRICE_UNIT,
    M_SIZE_TYPE,
    M_STOPS,
    MIN_ORDER,
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
    SHORT_OUT,
    SHORTS,
    SIGNAL,
    SINCE,
    SIZE,
    SLIP,
    STOP,
    STOPPED,
    TARGET,
    TARGETED,
    TRAIL,
    TRAILED,
    UNIT_COST,
)
from broadpeak.types import FloatArray, IntArray


@inlined
def setting(pool: FloatArray, at: IntArray, step: IntArray, k: int, bar: int) -> float:
    """Return setting `k` of the column whose offsets are `at`, at `bar`."""
    value: float = pool[at[k] + bar * step[k]]
    return value


@inlined
def rollover(pos: float, since: int, bar: int, money: FloatArray, days: IntArray) -> float:
    """Return the rollover of holding `pos` from bar `since` to `bar`, in money paid."""
    rate = money[ROLL_LONG] if pos > 0.0 else money[ROLL_SHORT]
    paid = 0.0
    if pos != 0.0 and rate != 0.0:
        paid = abs(pos) * rate * (days[bar] - days[since])
    return paid


@inlined
def anchor(
    s: FloatArray,
    pool: FloatArray,
    at: IntArray,
    step: IntArray,
    modes: IntArray,
    seen: int,
    bar: int,
    price: float,
    fresh: bool,
) -> None:
    """Set stop, target and trail of the open position from its last fill."""
    d = 1.0 if s[POS] > 0.0 else -1.0
    side = 0 if d > 0.0 else 1
    if modes[M_STOPS] == 1:
        stop = setting(pool, at, step, STOP + side, seen)
        target = setting(pool, at, step, TARGET + side, seen)
        trail = setting(pool, at, step, TRAIL + side, seen)
        if modes[M_PRICE_UNIT] == 1:
            stop = d * price - stop
            target = d * price + target
        else:
            stop = d * price * (1.0 - d * stop)
            target = d * price * (1.0 + d * target)
            trail = 1.0 - d * trail  # a factor of the peak
        s[S_STOP] = -math.inf if math.isnan(stop) else stop
        s[S_TARGET] = math.inf if math.isnan(target) else target
        s[S_TRAIL] = trail
        s[PEAK] = d * price
    if fresh and modes[M_LIVES] == 1:
        life = setting(pool, at, step, LIFE + side, seen)
        s[DUE] = bar + life if life > 0.0 else math.inf


@inlined
def book(
    s: FloatArray,
    acc: FloatArray,
    money: FloatArray,
    days: IntArray,
    log: FloatArray,
    n: int,
    col: int,
    bar: int,
    d: float,
    closing: float,
    opening: float,
    price: float,
    rate: float,
    fixed: float,
    reason: int,
    when: int,
) -> None:
    """Fill one order: `closing` units of the position, `opening` new ones; log it at row `n`."""
    pos = s[POS]
    units = closing + opening
    held = abs(pos)
    basis = s[BASIS]
    if pos < 0.0:
        acc[SHORTS] -= basis
    if closing > 0.0:
        if held - closing < DUST:
            units += held - closing
            held = 0.0
            basis = 0.0
        else:
            basis *= (held - closing) / held
            held -= closing
    paid = rollover(pos, int(s[SINCE]), bar, money, days)
    fees = units * price * rate + fixed
    flow = -d * units * price - fees - opening * money[UNIT_COST] - paid
    after = -d * held
    if opening > 0.0:
        basis += opening * price
        after = d * (held + opening)
    if after < 0.0:
        acc[SHORTS] += basis
    s[POS] = after
    s[BASIS] = basis
    s[SINCE] = bar
    acc[CASH] += flow
    log[n, L_COLUMN] = col
    log[n, L_BAR] = bar
    log[n, L_REASON] = reason
    log[n, L_WHEN] = when
    log[n, L_UNITS] = d * units
    log[n, L_PRICE] = price
    log[n, L_FEES] = fees
    log[n, L_FLOW] = flow
    log[n, L_POS] = after


@inlined
def free_units(
    s: FloatArray,
    acc: FloatArray,
    money: FloatArray,
    modes: IntArray,
    d: float,
    closing: float,
    raw: float,
    price: float,
    rate: float,
    fixed: float,
) -> float:
    """Return how many units may be opened after `closing` units are closed."""
    free = math.inf
    if modes[M_LIMITED] == 1:
        if acc[RUINED] != 0.0 or acc[CASH] + acc[OTHERS] + s[POS] * raw <= 0.0:
            acc[RUINED] = 1.0
            free = 0.0
        else:
            cash = acc[CASH] - closing * price * (d + rate)
            shorts = acc[SHORTS] - (s[BASIS] if s[POS] < 0.0 and closing > 0.0 else 0.0)
            free = (cash - 2.0 * shorts - fixed) / (price * (1.0 + rate) + money[UNIT_COST])
            free = max(free, 0.0)
    return free


@inlined
def wanted(size: float, size_type: int, raw: float, lot: float) -> float:
    """Return a size as units; percent sizes are handled by the caller."""
    return size * lot if size_type == AMOUNT else size / raw * lot


@inlined
def way_of(action: int, pos: float, more: bool) -> float:
    """Return the direction of an action's order: 1 buys, -1 sells, 0 sends nothing."""
    up = action & LONG_IN != 0 and (pos <= 0.0 or more)
    down = action & SHORT_IN != 0 and (pos >= 0.0 or more)
    if not (up or down):
        up = pos < 0.0 and action & SHORT_OUT != 0
        down = pos > 0.0 and action & LONG_OUT != 0
    return 1.0 if up else (-1.0 if down else 0.0)


@inlined
def sized(
    action: int,
    d: float,
    s: FloatArray,
    acc: FloatArray,
    pool: FloatArray,
    at: IntArray,
    step: IntArray,
    modes: IntArray,
    money: FloatArray,
    seen: int,
    raw: float,
    price: float,
    rate: float,
    fixed: float,
) -> tuple[float, float]:
    """Return how many units the order of an action closes and opens."""
    pos = s[POS]
    more = modes[M_ACCUMULATE] == 1
    size_type = modes[M_SIZE_TYPE]
    held = abs(pos)
    closing = held if pos * d < 0.0 else 0.0
    opening = 0.0
    if action & (LONG_IN if d > 0.0 else SHORT_IN) != 0:
        free = free_units(s, acc, money, modes, d, closing, raw, price, rate, fixed)
        size = setting(pool, at, step, SIZE + (0 if d > 0.0 else 1), seen)
        reach = closing if more else 0.0  # accumulating, the size pays for the closing half too
        if size_type == PERCENT:
            units = size * (reach + free)
        else:
            units = wanted(size, size_type, raw, money[LOT])
        if more:
            units = units if units > 0.0 else 0.0  # NaN and 0 trade nothing
            closing = min(closing, units)
            units -= closing
        opening = min(units, free)
        if not opening >= MIN_ORDER:
            opening = 0.0
    elif more:
        size = setting(pool, at, step, SIZE + (0 if pos > 0.0 else 1), seen)
        if size_type == PERCENT:
            closing = size * held
        else:
            closing = min(wanted(size, size_type, raw, money[LOT]), held)
    if math.isnan(closing) or (closing < MIN_ORDER and held - closing >= DUST):
        closing = 0.0
    return closing, opening


@inlined
def send(
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
    """Send one order and return the log's length: that of `action`, or one that closes all.

    With reason ENTRY the action decides; any other reason closes the position in full.
    """
    pos = s[POS]
    if reason == ENTRY:
        d = way_of(action, pos, modes[M_ACCUMULATE] == 1)
    else:
        d = -1.0 if pos > 0.0 else 1.0
    slip = 0.0 if reason == TARGETED else setting(pool, at, step, SLIP, bar)
    price = raw * (1.0 + d * slip)
    rate = setting(pool, at, step, FEES, bar)
    fixed = setting(pool, at, step, FIXED, bar)
    closing = abs(pos)
    opening = 0.0
    if reason == ENTRY and d == 0.0:
        closing = 0.0
    elif reason == ENTRY:
        closing, opening = sized(
            action, d, s, acc, pool, at, step, modes, money, seen, raw, price, rate, fixed
        )
    if closing + opening > 0.0:
        why = reason
        if reason == ENTRY and closing > 0.0:
            why = REVERSE if opening > 0.0 else SIGNAL
        book(
            s, acc, money, days, log, n, col, bar, d, closing, opening, price, rate, fixed, why,
            when,
        )  # fmt: skip
        if s[POS] != 0.0:
            anchor(s, pool, at, step, modes, seen, bar, price, pos * s[POS] <= 0.0)
        n += 1
    return n


@inlined
def next_stop(
    s: FloatArray,
    modes: IntArray,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    first: int,
    last: int,
) -> tuple[int, int, float, int]:
    """Return bar (-1: none), reason, raw price and timing of the first stop in first..last."""
    long = s[POS] > 0.0
    d = 1.0 if long else -1.0
    stop = s[S_STOP]
    target = s[S_TARGET]
    trail = s[S_TRAIL]
    peak = s[PEAK]
    trailing = not math.isnan(trail)
    by_price = modes[M_PRICE_UNIT] == 1
    bar = -1
    reason = STOPPED
    fill = 0.0
    when = AT_OPEN
    for t in range(first, last + 1):
        level = stop
        reason = STOPPED
        if trailing:
            moved = peak - trail if by_price else peak * trail
            if moved > level:
                level = moved
                reason = TRAILED
        o = d * open_[t]
        worst = low[t] if long else -high[t]
        best = high[t] if long else -low[t]
        if o <= level or o >= target:
            bar = t
            fill = o
            reason = reason if o <= level else TARGETED
            break
        if worst <= level or best >= target:
            bar = t
            when = INSIDE
            fill = level if worst <= level else target
            reason = reason if worst <= level else TARGETED
            break
        if best > peak:
            peak = best
    s[PEAK] = peak
    return bar, reason, d * fill, when
