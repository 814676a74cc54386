# SPDX-License-Identifier: BSD-3-Clause
"""The steps of a simulation: what an order, a stop, a fill does to one column and its account.

Single columns and groups with shared cash run on these same functions.
"""

from __future__ import annotations

import math

from broadpeak._core.compile import kernel
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
    M_PRICE_UNIT,
    M_SIZE_TYPE,
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


@kernel
def setting(pool: FloatArray, at: IntArray, step: IntArray, k: int, bar: int) -> float:
    """Return setting `k` of the column whose offsets are `at`, at `bar`."""
    value: float = pool[at[k] + bar * step[k]]
    return value


@kernel
def rollover(pos: float, since: int, bar: int, money: FloatArray, days: IntArray) -> float:
    """Return the rollover of holding `pos` from bar `since` to `bar`, in money paid."""
    rate = money[ROLL_LONG] if pos > 0.0 else money[ROLL_SHORT]
    if pos == 0.0 or rate == 0.0:
        return 0.0
    paid: float = abs(pos) * rate * (days[bar] - days[since])
    return paid


@kernel
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
    if fresh:
        life = setting(pool, at, step, LIFE + side, seen)
        s[DUE] = bar + life if life > 0.0 else math.inf


@kernel
def book(
    s: FloatArray,
    acc: FloatArray,
    money: FloatArray,
    days: IntArray,
    ints: IntArray,
    floats: FloatArray,
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
) -> int:
    """Fill one order: `closing` units of the position, `opening` new ones; return the log's end."""
    pos = s[POS]
    units = closing + opening
    held = abs(pos)
    basis = s[BASIS]
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
    if pos < 0.0:
        acc[SHORTS] -= s[BASIS]
    if opening > 0.0:
        basis += opening * price
        s[POS] = d * (held + opening)
    else:
        s[POS] = -d * held
    s[BASIS] = basis
    s[SINCE] = bar
    if s[POS] < 0.0:
        acc[SHORTS] += basis
    acc[CASH] += flow
    ints[n, L_COLUMN] = col
    ints[n, L_BAR] = bar
    ints[n, L_REASON] = reason
    ints[n, L_WHEN] = when
    floats[n, L_UNITS] = d * units
    floats[n, L_PRICE] = price
    floats[n, L_FEES] = fees
    floats[n, L_FLOW] = flow
    floats[n, L_POS] = s[POS]
    return n + 1


@kernel
def close_all(
    s: FloatArray,
    acc: FloatArray,
    pool: FloatArray,
    at: IntArray,
    step: IntArray,
    money: FloatArray,
    days: IntArray,
    ints: IntArray,
    floats: FloatArray,
    n: int,
    col: int,
    bar: int,
    raw: float,
    reason: int,
    when: int,
) -> int:
    """Close the position in full; targets fill without slippage."""
    d = -1.0 if s[POS] > 0.0 else 1.0
    slip = 0.0 if reason == TARGETED else setting(pool, at, step, SLIP, bar)
    return book(
        s, acc, money, days, ints, floats, n, col, bar, d, abs(s[POS]), 0.0,
        raw * (1.0 + d * slip), setting(pool, at, step, FEES, bar),
        setting(pool, at, step, FIXED, bar), reason, when,
    )  # fmt: skip


@kernel
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
    if modes[M_LIMITED] == 0:
        return math.inf
    worth = acc[CASH] + acc[OTHERS] + s[POS] * raw
    if acc[RUINED] != 0.0 or worth <= 0.0:
        acc[RUINED] = 1.0
        return 0.0
    cash = acc[CASH] - closing * price * (d + rate)
    shorts = acc[SHORTS] - (s[BASIS] if s[POS] < 0.0 and closing > 0.0 else 0.0)
    free: float = (cash - 2.0 * shorts - fixed) / (price * (1.0 + rate) + money[UNIT_COST])
    return max(free, 0.0)


@kernel
def wanted(size: float, size_type: int, raw: float, lot: float) -> float:
    """Return a size as units; percent sizes are handled by the caller."""
    if size_type == AMOUNT:
        return size * lot
    return size / raw * lot


@kernel
def act(
    action: int,
    s: FloatArray,
    acc: FloatArray,
    pool: FloatArray,
    at: IntArray,
    step: IntArray,
    modes: IntArray,
    money: FloatArray,
    days: IntArray,
    ints: IntArray,
    floats: FloatArray,
    n: int,
    col: int,
    seen: int,
    bar: int,
    raw: float,
    when: int,
) -> int:
    """Send the order of `action`, if it makes one; return the log's length."""
    pos = s[POS]
    more = modes[M_ACCUMULATE] == 1
    d = 0.0
    if action & LONG_IN != 0 and (pos <= 0.0 or more):
        d = 1.0
    elif action & SHORT_IN != 0 and (pos >= 0.0 or more):
        d = -1.0
    entering = d != 0.0
    if not entering:
        if pos > 0.0 and action & LONG_OUT != 0:
            d = -1.0
        elif pos < 0.0 and action & SHORT_OUT != 0:
            d = 1.0
        else:
            return n
    price = raw * (1.0 + d * setting(pool, at, step, SLIP, bar))
    rate = setting(pool, at, step, FEES, bar)
    fixed = setting(pool, at, step, FIXED, bar)
    size_type = modes[M_SIZE_TYPE]
    held = abs(pos)
    closing = held if pos * d < 0.0 else 0.0
    opening = 0.0
    if entering:
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
    if not closing + opening > 0.0:
        return n
    reason = ENTRY
    if closing > 0.0:
        reason = REVERSE if opening > 0.0 else SIGNAL
    n = book(
        s, acc, money, days, ints, floats, n, col, bar, d, closing, opening,
        price, rate, fixed, reason, when,
    )  # fmt: skip
    if s[POS] != 0.0:
        fresh = pos * s[POS] <= 0.0
        anchor(s, pool, at, step, modes, seen, bar, price, fresh)
    return n


@kernel
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
        if o <= level:
            return t, reason, d * o, AT_OPEN
        if o >= target:
            return t, TARGETED, d * o, AT_OPEN
        if worst <= level:
            return t, reason, d * level, INSIDE
        if best >= target:
            return t, TARGETED, d * target, INSIDE
        if best > peak:
            peak = best
    s[PEAK] = peak
    return -1, 0, 0.0, 0
