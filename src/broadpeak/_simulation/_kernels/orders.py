# SPDX-License-Identifier: BSD-3-Clause
"""What one order does to a column and its account: the rules of a fill, for every simulation.

Columns on their own accounts and columns that share cash send their orders here. All of it becomes
part of the loop that calls it, so that a position stays in registers from order to order.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from broadpeak._core.compile import inline_kernel, kernel
from broadpeak._simulation._kernels.layout import (
    AMOUNT,
    BUDGET,
    DUST,
    ENTRY,
    EQUITY,
    FEES,
    FIXED,
    L_BAR,
    L_COLUMN,
    L_FEES,
    L_FLOW,
    L_POS,
    L_PRICE,
    L_REASON,
    L_UNITS,
    L_WHEN,
    LONG_IN,
    LONG_OUT,
    MIN_ORDER,
    PERCENT,
    REVERSE,
    ROUNDING,
    SHORT_IN,
    SHORT_OUT,
    SIGNAL,
    SIZE,
    SLIP,
    Terms,
)
from broadpeak._simulation._kernels.stops import TARGETED, Levels, no_levels, setting
from broadpeak.types import FloatArray, IntArray


class Position(NamedTuple):
    """What one column holds: signed units, their value at entry prices, bar of the last fill."""

    units: float
    basis: float
    since: int
    levels: Levels


class Order(NamedTuple):
    """An order: decided on bar `seen`, filled on `bar` at `raw`, before slippage.

    With reason ENTRY the action decides what is bought or sold; any other reason closes the
    position in full.
    """

    reason: int
    action: int
    seen: int
    bar: int
    raw: float


class Funds(NamedTuple):
    """What pays for orders: cash, entry value of all shorts, value of what other columns hold.

    An account that was worth nothing once is `ruined`: it never opens a position again.
    """

    cash: float
    shorts: float
    others: float
    ruined: bool


class Charges(NamedTuple):
    """The settings of one order: its size, slippage and fees as shares of price, the fixed fee."""

    size: float
    slip: float
    rate: float
    fixed: float


class FilledOrder(NamedTuple):
    """An order that was filled; `flow` is what it added to cash. With 0 units nothing was sent."""

    reason: int
    units: float
    price: float
    fees: float
    flow: float
    opens: bool


@inline_kernel
def charges_at(values: FloatArray, at: IntArray, step: IntArray, seen: int, bar: int) -> Charges:
    """Return the settings of an order: the size of its signal bar, the costs of its fill bar."""
    return Charges(
        setting(values, at, step, SIZE, seen),
        setting(values, at, step, SLIP, bar),
        setting(values, at, step, FEES, bar),
        setting(values, at, step, FIXED, bar),
    )


@inline_kernel
def nothing_held() -> Position:
    """Return the position of a column before its first order."""
    return Position(0.0, 0.0, 0, no_levels())


@inline_kernel
def direction_of(action: int, held: float, more: bool) -> float:
    """Return the direction of an action's order: 1 buys, -1 sells, 0 sends nothing."""
    up = action & LONG_IN != 0 and (held <= 0.0 or more)
    down = action & SHORT_IN != 0 and (held >= 0.0 or more)
    if not (up or down):
        up = held < 0.0 and action & SHORT_OUT != 0
        down = held > 0.0 and action & LONG_OUT != 0
    return 1.0 if up else (-1.0 if down else 0.0)


@inline_kernel
def size_in_units(size: float, size_type: int, raw: float, lot: float) -> float:
    """Return a size as units; percent sizes are handled by the caller."""
    return size * lot if size_type == AMOUNT else size / raw * lot


@inline_kernel
def bought_units(money: float, each: float, terms: Terms) -> float:
    """Return how many units `money` buys at `each`, costs included; whole lots if asked for."""
    units = money / each
    if terms.whole:
        # A number of lots that only rounding keeps from being whole is whole.
        units = np.floor(units / terms.lot * (1.0 + ROUNDING)) * terms.lot
    return units


@inline_kernel
def entry_units(
    size: float, terms: Terms, closing: float, free: float, raw: float, each: float, fixed: float
) -> tuple[float, float]:
    """Return how many units an entry closes and how many it opens, at most `free`.

    `each` is what a unit costs, and `fixed` the fee of the order; `free` leaves room for it. A
    share of what the account is worth comes here as money.
    """
    if terms.size_type >= BUDGET:
        units = bought_units(size, each, terms)
    elif terms.size_type == PERCENT:
        # The fixed fee is paid out of the share, not on top of it. While entries accumulate, the
        # share counts the position too; that part is free of the fee, since what closes always
        # fills in full.
        fixed_units = fixed / each
        units = max(size * (free + fixed_units) - fixed_units, 0.0)
        if terms.accumulate:
            units += size * closing
    else:
        units = size_in_units(size, terms.size_type, raw, terms.lot)
    if not units > 0.0:  # NaN and 0 trade nothing
        units = 0.0
    if terms.accumulate:
        # An opposite entry trades its size and no more: it reduces the position first, and only
        # what is left of the size crosses zero. Without accumulation `closing` is the whole
        # position, whatever the size, and the size is what opens on the other side.
        closing = min(closing, units)
        units -= closing
    # Cash cuts the opening half alone. An exit must never fail for want of cash.
    opening = min(units, free)
    return closing, opening if opening >= MIN_ORDER else 0.0


@inline_kernel
def exit_units(size: float, terms: Terms, held: float, raw: float) -> float:
    """Return how many units an exit closes while entries accumulate."""
    percent = terms.size_type == PERCENT
    units = size * held if percent else size_in_units(size, terms.size_type, raw, terms.lot)
    return min(units, held) if units > 0.0 else 0.0


@inline_kernel
def free_units(
    cash: float,
    shorts: float,
    d: float,
    held: float,
    closing: float,
    price: float,
    charges: Charges,
    terms: Terms,
) -> float:
    """Return how many units cash can open after `closing` units are closed.

    `cash` is from before that, `shorts` the entry value of the shorts that stay open, `held` the
    units that the order may add to: what rounding left of cash spent in full adds nothing to
    them, and so moves no stop.
    """
    # The order is one, so what it closes pays for what it opens: cash is counted as it is after
    # the closing half. Twice the entry value of open shorts is kept back: the proceeds of their
    # sale, which are owed, and as much again as margin.
    cash -= closing * price * (d + charges.rate)
    each = price * (1.0 + charges.rate) + terms.unit_cost
    free = (cash - 2.0 * shorts - charges.fixed) / each
    return free if free > ROUNDING * held else 0.0


@inline_kernel
def book_order(
    position: Position,
    d: float,
    closing: float,
    opening: float,
    price: float,
    charges: Charges,
    unit_cost: float,
) -> tuple[float, float, float, float, float]:
    """Return units, fees, cash flow, position and its entry value after one order."""
    basis = position.basis
    units = closing + opening
    held = abs(position.units)
    if closing > 0.0:
        # Dust: a remainder too small to trade goes with the order that left it. Kept, it would make
        # a column look invested for ever, so that its next entry would add instead of opening.
        if held - closing < DUST:
            units += held - closing
            held = 0.0
            basis = 0.0
        else:
            # What stays keeps its average price, as records of partial exits state it.
            basis *= (held - closing) / held
            held -= closing
    fees = units * price * charges.rate + charges.fixed
    flow = -d * units * price - fees - opening * unit_cost
    if opening > 0.0:
        return units, fees, flow, d * (held + opening), basis + opening * price
    return units, fees, flow, -d * held, basis


@inline_kernel
def with_levels(position: Position, levels: Levels) -> Position:
    """Return a position with other stops."""
    return Position(position.units, position.basis, position.since, levels)


@inline_kernel
def send_order(
    order: Order,
    position: Position,
    account: Funds,
    charges: Charges,
    nights: float,
    terms: Terms,
) -> tuple[FilledOrder, Position, bool]:
    """Return the fill of an order, the position after it, and whether the account is ruined.

    `nights` are the days since the last fill, for which rollover comes due. Only numbers come in
    and go out: an array handed to a call costs a reference count, which an order would feel.
    """
    held = abs(position.units)
    reason = order.reason
    ruined = account.ruined
    closing = held
    opening = 0.0
    d = -1.0 if position.units > 0.0 else 1.0
    paid = 0.0
    if nights != 0.0 and held > 0.0:
        paid = held * (terms.roll_long if position.units > 0.0 else terms.roll_short) * nights
    # A target is a limit order, which fills at its price or better; all others slip.
    slip = 0.0 if reason == TARGETED else charges.slip
    if reason == ENTRY:
        d = direction_of(order.action, position.units, terms.accumulate)
        # A reversal is one order, which closes what stands against it and opens with the rest: one
        # fixed fee, percentage fees on all of its units, one row of the log.
        closing = held if position.units * d < 0.0 else 0.0
        if d != 0.0 and order.action & (LONG_IN if d > 0.0 else SHORT_IN) != 0:
            # An entry. Only cash limits it.
            price = order.raw * (1.0 + d * slip)
            free = math.inf
            size = charges.size
            if terms.limited or terms.size_type == EQUITY:
                worth = account.cash + account.others + position.units * order.raw - paid
                ruined |= worth <= 0.0
            if terms.size_type == EQUITY:
                # What the account is worth once the order has closed what stands against it.
                left = account.cash + account.others - closing * price * (d + charges.rate) - paid
                size = 0.0 if ruined else size * left
            if terms.limited:
                # A ruined account, worth nothing or less at any close or at this price, closes
                # positions but never opens one again. A further short leaves the proceeds of open
                # shorts alone, and as much again as margin; a purchase may spend them.
                free = 0.0 if ruined else free_units(
                    account.cash, account.shorts if d < 0.0 else 0.0, d, held - closing, closing,
                    price, charges, terms,
                )  # fmt: skip
            closing, opening = entry_units(
                size, terms, closing, free, order.raw,
                price * (1.0 + charges.rate) + terms.unit_cost, charges.fixed,
            )  # fmt: skip
        elif terms.accumulate and closing > 0.0:
            closing = exit_units(charges.size, terms, held, order.raw)
        # An order too small to be sent is dropped, unless it would close all that is left.
        if closing < MIN_ORDER and held - closing >= DUST:
            closing = 0.0
        if closing > 0.0:
            reason = REVERSE if opening > 0.0 else SIGNAL
    if not closing + opening > 0.0:
        return FilledOrder(reason, 0.0, 0.0, 0.0, 0.0, False), position, ruined
    price = order.raw * (1.0 + d * slip)
    units, fees, flow, after, basis = book_order(
        position, d, closing, opening, price, charges, terms.unit_cost
    )
    fill = FilledOrder(reason, d * units, price, fees, flow - paid, opening > 0.0)
    return fill, Position(after, basis, order.bar, position.levels), ruined


@inline_kernel
def write_order(
    log: FloatArray, n: int, column: int, bar: int, when: int, fill: FilledOrder, after: float
) -> None:
    """Write row `n` of the log; `after` are the units held after the fill."""
    log[n, L_COLUMN] = column
    log[n, L_BAR] = bar
    log[n, L_REASON] = fill.reason
    log[n, L_WHEN] = when
    log[n, L_UNITS] = fill.units
    log[n, L_PRICE] = fill.price
    log[n, L_FEES] = fill.fees
    log[n, L_FLOW] = fill.flow
    log[n, L_POS] = after


@kernel
def grown_log(log: FloatArray) -> FloatArray:
    """Return the log with room for twice as many orders."""
    new = np.empty((log.shape[0] * 2, log.shape[1]), np.float64)
    for i in range(log.shape[0]):
        for k in range(log.shape[1]):
            new[i, k] = log[i, k]
    return new
