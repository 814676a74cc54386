# SPDX-License-Identifier: BSD-3-Clause
"""The steps of a simulation: what an order, a stop, a fill does to one column and its account.

Single columns and groups with shared cash run on these same functions. They take and return plain
numbers: an array handed to a call costs a reference count, which a step of a few nanoseconds feels.
"""

from __future__ import annotations

import math

from broadpeak._core.compile import kernel
from broadpeak._simulation._kernels.layout import (
    AMOUNT,
    AT_OPEN,
    DUST,
    INSIDE,
    LONG_IN,
    LONG_OUT,
    MIN_ORDER,
    PERCENT,
    ROUNDING,
    SHORT_IN,
    SHORT_OUT,
    STOPPED,
    TARGETED,
    TRAILED,
)
from broadpeak.types import FloatArray


@kernel
def way_of(action: int, pos: float, more: bool) -> float:
    """Return the direction of an action's order: 1 buys, -1 sells, 0 sends nothing."""
    up = action & LONG_IN != 0 and (pos <= 0.0 or more)
    down = action & SHORT_IN != 0 and (pos >= 0.0 or more)
    if not (up or down):
        up = pos < 0.0 and action & SHORT_OUT != 0
        down = pos > 0.0 and action & LONG_OUT != 0
    return 1.0 if up else (-1.0 if down else 0.0)


@kernel
def wanted(size: float, size_type: int, raw: float, lot: float) -> float:
    """Return a size as units; percent sizes are handled by the caller."""
    return size * lot if size_type == AMOUNT else size / raw * lot


@kernel
def opened(
    size: float,
    size_type: int,
    more: bool,
    closing: float,
    free: float,
    raw: float,
    lot: float,
    fixed_units: float,
) -> tuple[float, float]:
    """Return how many units an entry closes and opens, at most `free` of them opened.

    `fixed_units` is what the fixed fee would buy; `free` leaves room for it.
    """
    if size_type == PERCENT:
        # The fixed fee is paid out of the share, not on top of it. Accumulating, the share counts
        # the position too, of which no fee keeps anything back: a closing half always fills.
        units = max(size * (free + fixed_units) - fixed_units, 0.0)
        if more:
            units += size * closing
    else:
        units = wanted(size, size_type, raw, lot)
    if not units > 0.0:  # NaN and 0 trade nothing
        units = 0.0
    if more:
        closing = min(closing, units)
        units -= closing
    opening = min(units, free)
    return closing, opening if opening >= MIN_ORDER else 0.0


@kernel
def reduced(size: float, size_type: int, held: float, raw: float, lot: float) -> float:
    """Return how many units an exit closes while entries accumulate."""
    units = size * held if size_type == PERCENT else wanted(size, size_type, raw, lot)
    return min(units, held) if units > 0.0 else 0.0


@kernel
def free_units(
    cash: float,
    shorts: float,
    d: float,
    held: float,
    closing: float,
    price: float,
    rate: float,
    fixed: float,
    unit_cost: float,
) -> float:
    """Return how many units cash can open after `closing` units are closed.

    `cash` is from before that, `shorts` the entry value of the shorts that stay open, `held` the
    units that the order may add to: what rounding left of cash spent in full adds nothing to
    them, and so moves no stop.
    """
    cash -= closing * price * (d + rate)
    free = (cash - 2.0 * shorts - fixed) / (price * (1.0 + rate) + unit_cost)
    return free if free > ROUNDING * held else 0.0


@kernel
def booked(
    pos: float,
    basis: float,
    d: float,
    closing: float,
    opening: float,
    price: float,
    rate: float,
    fixed: float,
    unit_cost: float,
) -> tuple[float, float, float, float, float]:
    """Return units, fees, cash flow, position and its entry value after one order."""
    units = closing + opening
    held = abs(pos)
    if closing > 0.0:
        if held - closing < DUST:
            units += held - closing
            held = 0.0
            basis = 0.0
        else:
            basis *= (held - closing) / held
            held -= closing
    fees = units * price * rate + fixed
    flow = -d * units * price - fees - opening * unit_cost
    if opening > 0.0:
        return units, fees, flow, d * (held + opening), basis + opening * price
    return units, fees, flow, -d * held, basis


@kernel
def anchored(
    d: float,
    price: float,
    by_price: bool,
    fresh: bool,
    stop: float,
    target: float,
    trail: float,
    old_stop: float,
    old_target: float,
    old_trail: float,
    old_peak: float,
) -> tuple[float, float, float, float]:
    """Return stop and target times the side, the trailing factor or distance, and its peak.

    Times the side, one comparison serves long and short: a short is a long on negated prices.
    Where a distance is NaN, a position that is new (`fresh`) has none, and one that is added to
    keeps what stands.
    """
    if math.isnan(stop):
        stop = -math.inf if fresh else old_stop
    else:
        stop = d * price - stop if by_price else d * price * (1.0 - d * stop)
    if math.isnan(target):
        target = math.inf if fresh else old_target
    else:
        target = d * price + target if by_price else d * price * (1.0 + d * target)
    if not fresh and math.isnan(trail):
        return stop, target, old_trail, old_peak
    return stop, target, trail if by_price else 1.0 - d * trail, d * price


@kernel
def end_of_life(close: FloatArray, bar: int, life: float) -> float:
    """Return the bar that ends a position of `bar` after `life` bars with a price; inf for none."""
    if not life > 0.0:
        return math.inf
    while life > 0.0:
        bar += 1
        if bar >= close.shape[0]:
            return math.inf
        if not math.isnan(close[bar]):
            life -= 1.0
    return float(bar)


@kernel
def touched(
    open_: float,
    worst: float,
    best: float,
    stop: float,
    target: float,
    trail: float,
    peak: float,
    by_price: bool,
) -> tuple[int, float, int]:
    """Return reason (-1: none), price and timing of what one bar reaches, all times the side."""
    level = stop
    reason = STOPPED
    moved = peak - trail if by_price else peak * trail
    if moved > level:  # no trail is NaN and moves nothing
        level = moved
        reason = TRAILED
    if worst > level and open_ > level and best < target and open_ < target:
        return -1, 0.0, AT_OPEN
    if open_ <= level:
        return reason, open_, AT_OPEN
    if open_ >= target:
        return TARGETED, open_, AT_OPEN
    if worst <= level:
        return reason, level, INSIDE
    if best >= target:
        return TARGETED, target, INSIDE
    return -1, 0.0, AT_OPEN  # a bar without prices
