# SPDX-License-Identifier: BSD-3-Clause
"""Simulation of columns that share cash: bars outer, columns inner, orders that free cash first."""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak._simulation._kernels.layout import (
    AT_CLOSE,
    AT_OPEN,
    ENTRY,
    EQUITY,
    FLATTEN,
    L_COLUMN,
    LONG_IN,
    N_LOG,
    PERCENT,
    SHORT_IN,
    SIGNAL,
    SIZE,
    Market,
    SettingsPool,
    Terms,
)
from broadpeak._simulation._kernels.orders import (
    Funds,
    Order,
    Position,
    charges_at,
    grown_log,
    nothing_held,
    send_order,
    size_in_units,
    with_levels,
    write_order,
)
from broadpeak._simulation._kernels.stops import (
    EXPIRED,
    at_peak,
    distances_at,
    end_of_life,
    levels_after_fill,
    setting,
    stop_touched,
)
from broadpeak.types import AnyArray, FloatArray, IntArray

# What happens at one price of a bar, one after the other. Stops come first, since they were in
# the market during the bar. Orders that can only free cash come before those that may need it.
# Lifetimes end last: an order at the same price may have closed the position already.
BY_STOP, BY_FLATTEN, FREEING, OPENING, BY_LIFETIME = range(5)
N_TURNS = 5


@kernel
def may_open(action: int, held: float, size: float, raw: float, terms: Terms) -> bool:
    """Return whether an action can open a position, so that it waits for orders that free cash.

    `size` is that of the action.
    """
    opposite = SHORT_IN if held > 0.0 else LONG_IN
    same = LONG_IN if held > 0.0 else SHORT_IN
    if held == 0.0 or (terms.accumulate and action & same != 0):
        return True
    if not terms.accumulate or action & opposite == 0 or terms.size_type >= PERCENT:
        return action & opposite != 0
    return not size_in_units(size, terms.size_type, raw, terms.lot) <= abs(held)


@kernel
def worth_of(units: FloatArray, prices: FloatArray) -> float:
    """Return the value of all positions."""
    total = 0.0
    for j in range(units.shape[0]):
        if units[j] != 0.0:
            total += units[j] * prices[j]
    return total


@kernel
def due_rollover(
    positions: list[Position], but: int, days: IntArray, bar: int, terms: Terms
) -> float:
    """Return the rollover that is due on all positions `but` one, booked at their next fill."""
    total = 0.0
    for j in range(len(positions)):
        held = positions[j].units
        if j != but and held != 0.0:
            rate = terms.roll_long if held > 0.0 else terms.roll_short
            total += abs(held) * rate * (days[bar] - days[positions[j].since])
    return total


@kernel
def run_group(
    members: IntArray,
    price_rows: IntArray,
    market: Market,
    codes: AnyArray,
    cash: float,
    settings: SettingsPool,
    terms: Terms,
    log: FloatArray,
    n: int,
) -> tuple[FloatArray, int]:
    """Append the fills of one group to the log, bar by bar; return the log and its end."""
    open_, high, low, close, days = market
    values, offsets, step = settings
    rolls = terms.roll_long != 0.0 or terms.roll_short != 0.0
    watches = terms.has_distances or terms.has_lifetime
    k = members.shape[0]
    positions = [nothing_held() for _ in range(k)]
    units = np.zeros(k)  # what they hold, signed
    shorts = 0.0  # entry value of what is sold short
    ruined = False
    next_open = terms.next_open
    last = np.zeros(k)  # last known price
    raw = np.zeros(k)  # price at which orders fill now; NaN where the column does not trade
    order = np.full(k, -1, np.int64)  # signal bar of the order that waits
    # Columns that share cash cannot be run one after the other, from event to event: what one of
    # them may buy depends on what all others did up to that moment. So every bar is visited, its
    # open and its close, and at each price all columns take their turns together.
    for t in range(close.shape[1]):
        while n + 3 * k + 4 > log.shape[0]:  # more than one bar can send
            log = grown_log(log)
        for at_close in (False, True):
            for j in range(k):
                p = price_rows[members[j]]
                raw[j] = close[p, t] if at_close else open_[p, t]
                if math.isnan(close[p, t]):
                    raw[j] = math.nan
                else:
                    last[j] = raw[j]
                if at_close and not next_open:
                    order[j] = t if codes[j, t] != 0 else -1
            # Orders fill once a bar, at the open or at the close. At a close what happened inside
            # of the bar comes before them. What frees cash comes before what may need it, so that
            # the order of columns decides only among the latter.
            for turn in range(BY_STOP if at_close else FREEING, N_TURNS):
                if turn == BY_STOP and not terms.has_distances:
                    continue
                if turn >= FREEING and at_close == next_open:
                    continue
                if turn == BY_LIFETIME and not terms.has_lifetime:
                    continue
                for j in range(k):
                    if math.isnan(raw[j]):
                        continue
                    # Most columns have nothing to do: they are passed over before anything is
                    # looked up.
                    held = units[j]
                    ordered = turn in (FREEING, OPENING)
                    if ordered and order[j] < 0:
                        continue
                    if turn == BY_FLATTEN:
                        if codes[j, t] & FLATTEN == 0:
                            continue
                        order[j] = -1
                    if held == 0.0 and not ordered:
                        continue
                    column = members[j]
                    p = price_rows[column]
                    at = offsets[min(column, offsets.shape[0] - 1)]
                    position = positions[j]
                    reason = -1
                    action = 0
                    seen = t
                    price = raw[j]
                    when = AT_CLOSE if at_close else AT_OPEN
                    others = 0.0
                    if turn == BY_STOP:
                        d = 1.0 if held > 0.0 else -1.0
                        worst = low[p, t] if held > 0.0 else -high[p, t]
                        best = high[p, t] if held > 0.0 else -low[p, t]
                        levels = position.levels
                        reason, price, when = stop_touched(
                            d * open_[p, t], worst, best, levels, levels.peak, terms.by_price
                        )
                        price *= d
                        if reason >= 0:
                            # One order a bar: where orders fill at closes, the stop used it up.
                            order[j] = order[j] if next_open else -1
                        elif best > levels.peak:
                            positions[j] = with_levels(position, at_peak(levels, best))
                    elif turn == BY_FLATTEN:
                        reason = SIGNAL
                    elif ordered:
                        seen = order[j]
                        action = int(codes[j, seen])
                        size = setting(values, at, step, SIZE, seen)
                        if may_open(action, held, size, price, terms) == (turn == OPENING):
                            reason = ENTRY
                            # The account is worth what all columns hold, at last known prices.
                            others = worth_of(units, last) - held * last[j]
                            if rolls:
                                others -= due_rollover(positions, j, days, t, terms)
                            order[j] = -1
                    elif position.levels.due <= t:
                        reason = EXPIRED
                    if reason < 0:
                        continue
                    fill, after, ruined = send_order(
                        Order(reason, action, seen, t, price),
                        position,
                        Funds(cash, shorts, others, ruined),
                        charges_at(values, at, step, seen, t),
                        days[t] - days[position.since] if rolls else 0.0,
                        terms,
                    )
                    if fill.units == 0.0:
                        continue
                    write_order(log, n, column, t, when, fill, after.units)
                    n += 1
                    cash += fill.flow
                    shorts += (after.basis if after.units < 0.0 else 0.0) - (
                        position.basis if held < 0.0 else 0.0
                    )
                    # Anchored anew by what opens or adds, as in `run_column`.
                    if fill.opens and watches:
                        d = 1.0 if after.units > 0.0 else -1.0
                        away = distances_at(values, at, step, seen)
                        life = away.lifetime
                        due = end_of_life(close[p], t, life) if terms.has_lifetime else math.inf
                        levels = levels_after_fill(
                            after.levels, d, fill.price, held * d <= 0.0, away, due, terms
                        )
                        after = with_levels(after, levels)
                    positions[j] = after
                    units[j] = after.units
        if next_open:
            for j in range(k):
                if not math.isnan(raw[j]) and codes[j, t] & FLATTEN == 0:
                    order[j] = t if codes[j, t] != 0 else -1
        # Ruin is judged at closes and lasts: no column opens a position again.
        if terms.limited or terms.size_type == EQUITY:
            worth = cash + worth_of(units, last)
            if rolls:
                worth -= due_rollover(positions, -1, days, t, terms)
            ruined |= worth <= 0.0
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
