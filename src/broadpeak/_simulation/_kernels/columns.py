# SPDX-License-Identifier: BSD-3-Clause
"""Simulation of one column, from event to event: between signals and stops nothing is decided."""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import inline_kernel, kernel, reads_only
from broadpeak._simulation._kernels.layout import (
    AT_CLOSE,
    AT_OPEN,
    ENTRY,
    EQUITY,
    FLATTEN,
    LONG_IN,
    LONG_OUT,
    PAID_IN_FULL,
    SHORT_IN,
    SHORT_OUT,
    SIGNAL,
    Terms,
)
from broadpeak._simulation._kernels.orders import (
    Funds,
    Order,
    charges_at,
    grown_log,
    nothing_held,
    send_order,
    with_levels,
    write_order,
)
from broadpeak._simulation._kernels.stops import (
    EXPIRED,
    Levels,
    at_peak,
    distances_at,
    end_of_life,
    levels_after_fill,
    stop_touched,
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


@inline_kernel
def next_action(words: AnyArray, first: int, mask: np.uint64, n_bars: int) -> int:
    """Return the first bar from `first` on with an action in `mask`, or `n_bars`.

    Eight bars at a time: an action is a byte of a word, and `mask` the same byte eight times.
    """
    if first >= n_bars:
        return n_bars
    w = first >> 3
    skip = np.uint64(8 * (first & 7))
    word = ((words[w] >> skip) << skip) & mask
    while word == 0 and w + 1 < words.shape[0]:
        w += 1
        word = words[w] & mask
    return (w << 3) + lowest_byte(word) if word != 0 else n_bars


@inline_kernel
def first_touch(
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    first: int,
    last: int,
    long: bool,
    levels: Levels,
    by_price: bool,
) -> tuple[int, float, int, int, float]:
    """Return reason (-1: none), price, timing and bar of what first touches a stop, and the peak.

    A loop each for long and short: prices of a short are negated, and so are stops.
    """
    peak = levels.peak
    if long:
        for t in range(first, last + 1):
            reason, raw, when = stop_touched(open_[t], low[t], high[t], levels, peak, by_price)
            if reason >= 0:
                return reason, raw, when, t, peak
            if high[t] > peak:
                peak = high[t]
    else:
        for t in range(first, last + 1):
            reason, raw, when = stop_touched(-open_[t], -high[t], -low[t], levels, peak, by_price)
            if reason >= 0:
                return reason, -raw, when, t, peak
            if -low[t] > peak:
                peak = -low[t]
    return -1, 0.0, AT_OPEN, -1, peak


@kernel
def run_column(
    column: int,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    days: IntArray,
    words: AnyArray,
    cash: float,
    values: FloatArray,
    at: IntArray,
    step: IntArray,
    terms: Terms,
    log: FloatArray,
    n: int,
) -> tuple[FloatArray, int]:
    """Append the orders of one column to the log; return the log and its length."""
    n_bars = close.shape[0]
    code = words.view(np.uint8)
    next_open = terms.next_open
    rolls = terms.roll_long != 0.0 or terms.roll_short != 0.0
    watches = terms.has_distances or terms.has_lifetime
    at_order = AT_OPEN if next_open else AT_CLOSE
    # What can matter to a column that is flat, long, short; everything else is skipped unseen.
    every = np.uint64(0x0101010101010101)
    enters = every * np.uint64(LONG_IN | SHORT_IN)
    again_long = LONG_IN if terms.accumulate else 0
    again_short = SHORT_IN if terms.accumulate else 0
    in_long = every * np.uint64(SHORT_IN | LONG_OUT | FLATTEN | again_long)
    in_short = every * np.uint64(LONG_IN | SHORT_OUT | FLATTEN | again_short)
    position = nothing_held()
    ruined = False
    unwatched = 0  # first close that was not looked at for ruin
    sig = 0  # first bar whose signal was not looked at
    chk = 0  # first bar whose stops were not looked at
    # The order of a turn: decided on bar `seen`, filled on `bar` at `raw`.
    seen = 0
    bar = -1
    raw = 0.0
    when = AT_CLOSE
    while True:
        # Each turn sends the next order, which is the earliest of three: a stop that is touched,
        # the end of a lifetime, a signal. Nothing else can change a position, so that bars between
        # two orders are only scanned: eight a word for signals, three prices each for stops.
        held = position.units
        reason = -1
        if held != 0.0 and position.levels.due <= bar:
            # The bar of the last order was also the last of a lifetime, and that order left
            # something open (a reduction while entries accumulate): the rest follows on the same
            # bar, at the same price.
            reason = EXPIRED
        else:
            # Signals that cannot matter to what is held are skipped without a look.
            seen = next_action(
                words, sig, enters if held == 0.0 else (in_long if held > 0.0 else in_short), n_bars
            )
            if held != 0.0 and watches:
                # Stops are watched up to the bar of the signal and on that bar, too: the signal is
                # known at its close and fills there or at the next open, while stops are in the
                # market during the bar. So a stop of that bar comes first, and takes the signal
                # with it where orders fill at closes: one order a bar.
                last = min(seen, n_bars - 1)
                expires = False
                if terms.has_lifetime:
                    # Where signal and lifetime meet at one close, the signal comes first: it may
                    # do more than close, and what it leaves open the next turn ends.
                    early = seen < n_bars and not next_open
                    expires = position.levels.due <= (last - 1 if early else last)
                    if expires:
                        # With fills at opens the lifetime ends before the stops of its bar can be
                        # touched, with fills at closes after all of them.
                        last = int(position.levels.due) - (1 if next_open else 0)
                if terms.has_distances:
                    reason, raw, when, touch, peak = first_touch(
                        open_, high, low, chk, last, held > 0.0, position.levels, terms.by_price
                    )
                    # The peak of all bars looked at: the next scan begins behind them.
                    position = with_levels(position, at_peak(position.levels, peak))
                    if reason >= 0:
                        bar = touch
                chk = last + 1
                if reason < 0 and expires:
                    bar = int(position.levels.due)
                    reason = EXPIRED
                    raw = open_[bar] if next_open else close[bar]
                    when = at_order
        if reason < 0:
            # Nothing ends the position before the next signal.
            if seen >= n_bars:
                break
            bar = seen
            if math.isnan(close[seen]):  # no trading: the bar does not exist for this column
                sig = seen + 1
                bar = -1
                continue
            if code[seen] & FLATTEN != 0:
                # Flattened at this close, also where orders fill at the next open.
                reason = SIGNAL
                when = AT_CLOSE
                raw = close[seen]
            else:
                reason = ENTRY
                when = at_order
                if next_open:
                    # The order waits for the next bar with a price.
                    bar = seen + 1
                    while bar < n_bars and math.isnan(close[bar]):
                        bar += 1
                    if bar == n_bars:
                        break
                raw = open_[bar] if next_open else close[bar]
        if terms.limited or terms.size_type == EQUITY:
            # An account that was worth nothing at any close opens nothing afterwards, even if
            # prices recover. Closes between orders were skipped, so they are made up for here,
            # but only where ruin is possible: a long that was paid for in full, but for rounding,
            # cannot fall to zero, and most columns never pay for this loop.
            if rolls and held != 0.0:
                # Rollover that is due counts, although it is booked with the next fill.
                each = abs(held) * (terms.roll_long if held > 0.0 else terms.roll_short)
                for t in range(unwatched, bar):
                    nights = days[t] - days[position.since]
                    ruined |= cash + held * close[t] - each * nights <= 0.0
            elif held < 0.0 or (held > 0.0 and cash < -PAID_IN_FULL * position.basis):
                lost = False
                for t in range(unwatched, bar):
                    lost |= cash + held * close[t] <= 0.0
                ruined |= lost
            unwatched = bar
        order = Order(reason, int(code[seen]) if reason == ENTRY else 0, seen, bar, raw)
        fill, position, ruined = send_order(
            order,
            position,
            Funds(cash, position.basis if held < 0.0 else 0.0, 0.0, ruined),
            charges_at(values, at, step, min(seen, n_bars - 1), bar),
            days[bar] - days[position.since] if rolls else 0.0,
            terms,
        )
        if fill.units != 0.0:
            cash += fill.flow
            if n == log.shape[0]:
                log = grown_log(log)
            write_order(log, n, column, bar, when, fill, position.units)
            n += 1
            # Stops are anchored anew by every fill that opens or adds. A reversal is a new position
            # (`held * d <= 0`), whose stops owe nothing to the old ones; what only reduces leaves
            # the stops where they stand.
            if fill.opens and watches:
                d = 1.0 if position.units > 0.0 else -1.0
                away = distances_at(values, at, step, seen)
                due = end_of_life(close, bar, away.lifetime) if terms.has_lifetime else math.inf
                levels = levels_after_fill(
                    position.levels, d, fill.price, held * d <= 0.0, away, due, terms
                )
                position = with_levels(position, levels)
        # After a fill at an open, the rest of its bar is still to come: its stops are in force at
        # once, and its signal is given at its close. A fill at a close or inside a bar used the
        # bar up.
        sig = bar if next_open and when != AT_CLOSE else bar + 1
        chk = sig
    return log, n


reads_only(run_column, "values", "at", "step")
