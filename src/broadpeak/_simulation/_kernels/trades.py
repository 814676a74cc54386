# SPDX-License-Identifier: BSD-3-Clause
"""From the order log to trade records and to paths of profit and loss."""

from __future__ import annotations

import numpy as np

from broadpeak._core.compile import kernel, reads_only
from broadpeak._simulation._kernels.layout import (
    AT_CLOSE,
    AT_OPEN,
    L_BAR,
    L_FEES,
    L_FLOW,
    L_POS,
    L_PRICE,
    L_REASON,
    L_UNITS,
    L_WHEN,
    ROLL_LONG,
    ROLL_SHORT,
    STILL_OPEN,
    TRADE,
    UNIT_COST,
    OrderLog,
    OwnPrices,
)
from broadpeak._simulation._kernels.own import add_path, own_days, own_orders
from broadpeak._simulation._kernels.stops import TARGETED
from broadpeak.types import AnyArray, FloatArray, IntArray


@kernel
def rollover(pos: float, since: int, bar: int, costs: FloatArray, days: IntArray) -> float:
    """Return the rollover of holding `pos` from bar `since` to `bar`, in costs paid."""
    rate = costs[ROLL_LONG] if pos > 0.0 else costs[ROLL_SHORT]
    if pos == 0.0 or rate == 0.0:
        return 0.0
    paid: float = abs(pos) * rate * (days[bar] - days[since])
    return paid


reads_only(rollover, "costs")


@kernel
def write_trade(
    out: AnyArray,
    k: int,
    col: int,
    d: float,
    size: float,
    first: int,
    last: int,
    entry: float,
    price: float,
    entry_fees: float,
    exit_fees: float,
    roll: float,
    reason: int,
    worst: float,
    best: float,
    own: IntArray,
) -> None:
    """Write one record; `worst` and `best` are prices, `first` and `last` count own bars."""
    pnl = d * (price - entry) * size - entry_fees - exit_fees - roll
    row = out[k]
    row["column"] = col
    row["direction"] = 1 if d > 0.0 else -1
    row["size"] = size
    row["entry_index"] = own[first] if own.shape[0] > 0 else first
    row["exit_index"] = own[last] if own.shape[0] > 0 else last
    row["entry_price"] = entry
    row["exit_price"] = price
    row["entry_fees"] = entry_fees
    row["exit_fees"] = exit_fees
    row["roll"] = roll
    row["pnl"] = pnl
    row["return"] = pnl / (entry * size)
    row["status"] = 0 if reason == STILL_OPEN else 1
    row["exit_reason"] = reason
    row["bars"] = last - first
    row["mae"] = min(d * (worst / entry - 1.0), 0.0)
    row["mfe"] = max(d * (best / entry - 1.0), 0.0)


reads_only(write_trade, "own")


@kernel
def make_trades(
    log: FloatArray,
    col: int,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    mark: FloatArray,
    costs: FloatArray,
    days: IntArray,
    own: IntArray,
    out: AnyArray,
    k: int,
    extremes: bool,
) -> int:
    """Write the trade records of one column from its orders; return their end.

    Orders and prices count the column's own bars, records count all. Without `extremes` mae and
    mfe are not filled in, and open, high and low are not looked at.

    The order of prices inside a bar is not known: the adverse extreme is taken to come before a
    target, and nothing favourable before a stop, as the order of stops does.
    """
    n_bars = mark.shape[0]
    held = 0.0
    d = 1.0
    price = 0.0
    fees = 0.0
    roll = 0.0
    entry_bar = 0
    since = 0
    due = 0  # first bar whose extremes are not in worst and best
    worst = 0.0
    best = 0.0
    for i in range(log.shape[0]):
        bar = int(log[i, L_BAR])
        when = int(log[i, L_WHEN])
        reason = int(log[i, L_REASON])
        units = abs(log[i, L_UNITS])
        way = 1.0 if log[i, L_UNITS] > 0.0 else -1.0
        fill = log[i, L_PRICE]
        fee = log[i, L_FEES]
        if held > 0.0:
            # Extremes up to this fill, for mae and mfe. A bar that ends in a close fill counts as a
            # whole; of a bar filled earlier only what must have come before the fill: its open,
            # and before a target inside the bar its worst price.
            roll += rollover(d * held, since, bar, costs, days)
            end = bar + 1 if when == AT_CLOSE else bar
            for t in range(due, end if extremes else due):
                up = high[t] if d > 0.0 else low[t]
                down = low[t] if d > 0.0 else high[t]
                best = up if d * (up - best) > 0.0 else best
                worst = down if d * (down - worst) < 0.0 else worst
            due = max(due, end)
            if extremes and when != AT_CLOSE:
                o = open_[bar]
                best = o if d * (o - best) > 0.0 else best
                worst = o if d * (o - worst) < 0.0 else worst
                if reason == TARGETED and when != AT_OPEN:
                    down = low[bar] if d > 0.0 else high[bar]
                    worst = down if d * (down - worst) < 0.0 else worst
            best = fill if d * (fill - best) > 0.0 else best
            worst = fill if d * (fill - worst) < 0.0 else worst
        since = bar
        after = abs(log[i, L_POS])
        crosses = log[i, L_POS] * d < 0.0
        # An order against the position closes part of it, all of it, or reverses it. Each closing
        # makes a record at the average entry price, with its share of entry fees and rollover. The
        # fee of a reversal is split by units, and its opening half begins the next record. Units
        # are taken from the order: a difference of positions is rounded at their size.
        opening = units
        if held > 0.0 and way != d:
            closing = held if crosses or after == 0.0 else units
            opening = after if crosses else 0.0
            share = closing / held
            paid = fee * (closing / (closing + opening))
            fee -= paid
            write_trade(
                out, k, col, d, closing, entry_bar, bar, price, fill, fees * share,
                paid, roll * share, reason, worst, best, own,
            )  # fmt: skip
            k += 1
            held -= closing
            fees -= fees * share
            roll -= roll * share
            held = 0.0 if crosses else after
        if opening > 0.0:
            if held == 0.0:
                d = way
                price = fill
                fees = 0.0
                roll = 0.0
                entry_bar = bar
                due = bar + 1 if when == AT_CLOSE else bar
                worst = fill
                best = fill
            else:
                # An addition moves the average price; the entry bar stays that of the first fill.
                price = (price * held + fill * opening) / (held + opening)
            held += opening
            fees += fee + opening * costs[UNIT_COST]
    if held > 0.0:
        roll += rollover(d * held, since, n_bars - 1, costs, days)
        for t in range(due, n_bars if extremes else due):
            up = high[t] if d > 0.0 else low[t]
            down = low[t] if d > 0.0 else high[t]
            best = up if d * (up - best) > 0.0 else best
            worst = down if d * (down - worst) < 0.0 else worst
        end_price = mark[n_bars - 1]  # the exit of the record, also on the bar of a close fill
        best = end_price if d * (end_price - best) > 0.0 else best
        worst = end_price if d * (end_price - worst) < 0.0 else worst
        write_trade(
            out, k, col, d, held, entry_bar, n_bars - 1, price, mark[n_bars - 1], fees, 0.0, roll,
            STILL_OPEN, worst, best, own,
        )  # fmt: skip
        k += 1
    return k


reads_only(make_trades, "costs", "own")


@kernel
def all_trades(
    log: OrderLog,
    price_rows: IntArray,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    own: OwnPrices,
    costs: FloatArray,
    days: IntArray,
    extremes: bool,
) -> AnyArray:
    """Return the records of every column; open, high and low are on own bars as `own` is."""
    out = np.empty(log.orders.shape[0] + log.starts.shape[0], TRADE)
    k = 0
    for col in range(log.starts.shape[0]):
        p = price_rows[col]
        a, b = own.bounds[p], own.bounds[p + 1]
        bars = own.bars[a:b]
        k = make_trades(
            own_orders(log.orders, log.starts[col], log.ends[col], bars), col, open_[a:b],
            high[a:b], low[a:b], own.close[a:b], costs[min(col, costs.shape[0] - 1)],
            own_days(days, bars), bars, out, k, extremes,
        )  # fmt: skip
    return out[:k]


@kernel
def add_pnl(
    out: FloatArray, log: FloatArray, mark: FloatArray, costs: FloatArray, days: IntArray
) -> None:
    """Add to `out` the profit and loss of one column at each own close, marked to market."""
    n_bars = mark.shape[0]
    rolls = costs[ROLL_LONG] != 0.0 or costs[ROLL_SHORT] != 0.0
    pos = 0.0
    total = 0.0
    last = log.shape[0]
    start = np.uint64(0)  # unsigned: an index that cannot be negative lets the loops vectorise
    for i in range(last + 1):
        end = np.uint64(log[i, L_BAR]) if i < last else np.uint64(n_bars)
        if pos == 0.0:
            for t in range(start, end):
                out[t] += total
        elif rolls:
            for t in range(int(start), int(end)):
                out[t] += (total + pos * mark[t]) - rollover(pos, int(start), t, costs, days)
        else:
            for t in range(start, end):
                out[t] += total + pos * mark[t]
        if i < last:
            pos = log[i, L_POS]
            total += log[i, L_FLOW]
            start = end


reads_only(add_pnl, "costs")


@kernel
def last_pnl(log: FloatArray, mark: FloatArray, costs: FloatArray, days: IntArray) -> float:
    """Return the profit and loss of one column at its last close, as the path would end."""
    last = log.shape[0]
    if last == 0:
        return 0.0
    total = 0.0
    for i in range(last):
        total += log[i, L_FLOW]
    pos = log[last - 1, L_POS]
    if pos == 0.0:
        return total
    end = mark.shape[0] - 1
    paid = rollover(pos, int(log[last - 1, L_BAR]), end, costs, days)
    pnl: float = (total + pos * mark[end]) - paid
    return pnl


reads_only(last_pnl, "costs")


@kernel
def add_column(
    out: FloatArray,
    axis: IntArray,
    log: FloatArray,
    own: IntArray,
    mark: FloatArray,
    costs: FloatArray,
    days: IntArray,
    scratch: FloatArray,
) -> None:
    """Add to `out`, over the bars `axis`, the profit and loss of one column.

    `scratch` is as long as all bars. Between own bars the last known price stands.
    """
    if own.shape[0] == 0:
        add_pnl(out[: mark.shape[0]], log, mark, costs, days)
        return
    path = scratch[: mark.shape[0]]
    path[:] = 0.0
    add_pnl(path, log, mark, costs, days)
    add_path(out, axis, path, own)


reads_only(add_column, "axis", "costs")


@kernel
def pnl_paths(
    out: FloatArray,
    log: OrderLog,
    price_rows: IntArray,
    groups: IntArray,
    own: OwnPrices,
    costs: FloatArray,
    days: IntArray,
) -> None:
    """Add the profit and loss of each column to the row of its group, over all bars."""
    n_bars = out.shape[1]
    axis = np.arange(n_bars)
    scratch = np.empty(n_bars)
    for col in range(log.starts.shape[0]):
        a, b = own.bounds[price_rows[col]], own.bounds[price_rows[col] + 1]
        bars = own.bars[a:b]
        add_column(
            out[groups[col]], axis, own_orders(log.orders, log.starts[col], log.ends[col], bars),
            bars, own.close[a:b], costs[min(col, costs.shape[0] - 1)], own_days(days, bars),
            scratch,
        )  # fmt: skip


@kernel
def position_paths(out: FloatArray, log: OrderLog) -> None:
    """Write the signed units at each close of each column."""
    n_bars = out.shape[1]
    for col in range(log.starts.shape[0]):
        held = 0.0
        start = 0
        for i in range(log.starts[col], log.ends[col] + 1):
            last = i == log.ends[col]
            end = n_bars if last else int(log.orders[i, L_BAR])
            for t in range(start, end):
                out[col, t] = held
            if not last:
                held = log.orders[i, L_POS]
                start = end
