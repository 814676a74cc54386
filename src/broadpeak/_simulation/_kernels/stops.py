# SPDX-License-Identifier: BSD-3-Clause
"""Stops: where they stand, how they move, what a bar touches. One row each in ``stops.py``.

All prices here are times the side of the position, so that one comparison serves long and short: a
short is a long on the negated price. Its worst price of a bar is the negated high.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from broadpeak._core.compile import inline_kernel, kernel
from broadpeak._simulation._kernels.layout import (
    AT_OPEN,
    FIRST_STOP,
    INSIDE,
    Terms,
)
from broadpeak._simulation.stops import EXIT_REASONS, STOPS
from broadpeak.types import FloatArray, IntArray

_KINDS = {kind.name: kind for kind in STOPS}
_NAMES = list(_KINDS)

# Where the settings of each kind stand, and the codes of what each closes.
STOP, TARGET, TRAIL, LIFE = (
    FIRST_STOP + _NAMES.index(name) for name in ("stop", "take_profit", "trail", "lifetime")
)
STOPPED, TARGETED, TRAILED, EXPIRED = (
    EXIT_REASONS.index(_KINDS[name].reason) for name in ("stop", "take_profit", "trail", "lifetime")
)


class Levels(NamedTuple):
    """Where the stops of one position stand.

    `trail` is the factor of the peak, or the distance from it; `due` the bar that ends the
    position's lifetime.
    """

    stop: float
    target: float
    trail: float
    peak: float
    due: float


class Distances(NamedTuple):
    """How far from the fill the stops of an entry stand; NaN: none. A lifetime is in bars."""

    stop: float
    target: float
    trail: float
    lifetime: float


@inline_kernel
def no_levels() -> Levels:
    """Return the levels of a column that holds nothing."""
    return Levels(-math.inf, math.inf, math.nan, 0.0, math.inf)


@inline_kernel
def setting(values: FloatArray, at: IntArray, step: IntArray, k: int, bar: int) -> float:
    """Return setting `k` of a column, whose settings begin at `at`, on a bar."""
    value: float = values[at[k] + bar * step[k]]
    return value


@inline_kernel
def distances_at(values: FloatArray, at: IntArray, step: IntArray, seen: int) -> Distances:
    """Return what the signal bar says of stops."""
    return Distances(
        setting(values, at, step, STOP, seen),
        setting(values, at, step, TARGET, seen),
        setting(values, at, step, TRAIL, seen),
        setting(values, at, step, LIFE, seen),
    )


@inline_kernel
def levels_after_fill(
    old: Levels, d: float, price: float, fresh: bool, away: Distances, due: float, terms: Terms
) -> Levels:
    """Return the levels after a fill at `price` that opened a position of side `d`, or added to it.

    Where a distance is NaN, a position that is new (`fresh`) has no such stop, and one that was
    added to keeps what stands. A lifetime counts from the first entry.
    """
    # Stops are anchored at the price of this fill, slippage included, and not at the average price
    # of the position: the last fill that opened or added moves all of them, which is what a trader
    # does who replaces the stop order after buying more. A fill that only reduces never comes here:
    # what is left was bought where it was bought.
    stop, target, trail, peak = old.stop, old.target, old.trail, old.peak
    if not math.isnan(away.stop):
        stop = d * price - away.stop if terms.by_price else d * price * (1.0 - d * away.stop)
    elif fresh:
        stop = -math.inf
    if not math.isnan(away.target):
        target = d * price + away.target if terms.by_price else d * price * (1.0 + d * away.target)
    elif fresh:
        target = math.inf
    if fresh or not math.isnan(away.trail):
        # A trailing stop starts over: its peak is this fill, whatever the position saw before.
        trail = away.trail if terms.by_price else 1.0 - d * away.trail
        peak = d * price
    return Levels(stop, target, trail, peak, due if fresh else old.due)


@inline_kernel
def at_peak(levels: Levels, peak: float) -> Levels:
    """Return the levels after a bar that reached a new peak."""
    return Levels(levels.stop, levels.target, levels.trail, peak, levels.due)


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


@inline_kernel
def stop_touched(
    open_: float, worst: float, best: float, levels: Levels, peak: float, by_price: bool
) -> tuple[int, float, int]:
    """Return reason (-1: none), price and timing of the first stop that one bar reaches."""
    # Of a fixed and a trailing stop the nearer one counts; a tie is the fixed one's. `peak` is that
    # of the bars before: this bar's best price may have come after its worst, so that it moves the
    # trailing stop from the next bar on.
    level = levels.stop
    reason = STOPPED
    moved = peak - levels.trail if by_price else peak * levels.trail
    if moved > level:  # no trail is NaN and moves nothing
        level = moved
        reason = TRAILED
    # Most bars touch nothing, and are done here.
    if worst > level and open_ > level and best < levels.target and open_ < levels.target:
        return -1, 0.0, AT_OPEN
    # A gap comes first, for the open is the one price whose time is known. Where the bar opens
    # beyond a level, nobody could trade at the level itself: a stop fills at the open, which is
    # worse, and so does a target, which is better.
    if open_ <= level:
        return reason, open_, AT_OPEN
    if open_ >= levels.target:
        return TARGETED, open_, AT_OPEN
    # Inside the bar the order of its prices is not known. A bar that reached both levels is taken
    # to have reached the stop first, for otherwise longer bars would make a strategy look better:
    # the more a bar spans, the more often it touches both. Here each fills at its level.
    if worst <= level:
        return reason, level, INSIDE
    if best >= levels.target:
        return TARGETED, levels.target, INSIDE
    return -1, 0.0, AT_OPEN  # a bar without prices
