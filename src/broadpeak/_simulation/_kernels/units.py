# SPDX-License-Identifier: BSD-3-Clause
"""Units: one column each, or the columns of a group. Run them, and reduce their logs to figures."""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak._metrics._kernels.measures import bar_returns, deepest, downside_of, mean_of, std_of
from broadpeak._simulation._kernels.columns import encode, run_column
from broadpeak._simulation._kernels.groups import run_group, sort_log
from broadpeak._simulation._kernels.layout import (
    ASK_DOWNSIDE,
    ASK_DRAWDOWN,
    ASK_RETURNS,
    ASK_TRADES,
    F_BARS,
    F_CLOSED,
    F_DEEPEST,
    F_DOWN,
    F_END,
    F_EXPOSED,
    F_FIRST,
    F_GAINS,
    F_LAST,
    F_LOSSES,
    F_MEAN,
    F_PNL_MEAN,
    F_PNL_STD,
    F_RETURN_TERM,
    F_STD,
    F_TRADE_TERM,
    F_TRADES,
    F_WINS,
    L_BAR,
    L_POS,
    N_FIGURES,
    N_LOG,
    ROLL_LONG,
    ROLL_SHORT,
    TRADE,
)
from broadpeak._simulation._kernels.own import joint_bars, own_days, own_orders
from broadpeak._simulation._kernels.returns import held_returns, price_changes
from broadpeak._simulation._kernels.trades import add_column, add_pnl, last_pnl, make_trades
from broadpeak.types import AnyArray, FloatArray, IntArray


@kernel
def run_unit(
    unit: int,
    members: IntArray,
    shared: bool,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    le: AnyArray,
    lx: AnyArray,
    se: AnyArray,
    sx: AnyArray,
    flat: AnyArray,
    rows: IntArray,
    init_cash: FloatArray,
    pool: FloatArray,
    at: IntArray,
    step: IntArray,
    modes: IntArray,
    money: FloatArray,
    days: IntArray,
    words: AnyArray,
    log: FloatArray,
    n: int,
    starts: IntArray,
    ends: IntArray,
) -> tuple[FloatArray, int]:
    """Append the fills of one unit to the log, column after column."""
    codes = words.view(np.uint8)
    for j in range(members.shape[0]):
        c = members[j]
        w = j if shared else 0
        encode(
            codes[w], le[rows[c, 1]], lx[rows[c, 2]], se[rows[c, 3]], sx[rows[c, 4]],
            flat[rows[c, 5]],
        )  # fmt: skip
        if not shared:
            p = rows[c, 0]
            starts[c] = n
            log, n = run_column(
                c, open_[p], high[p], low[p], close[p], words[0], init_cash[c], pool,
                at[min(c, at.shape[0] - 1)], step, modes, money, days, log, n,
            )  # fmt: skip
            ends[c] = n
    if shared:
        first = n
        log, n = run_group(
            members, rows[:, 0], open_, high, low, close, codes, init_cash[unit], pool, at, step,
            modes, money, days, log, n,
        )  # fmt: skip
        sort_log(log, first, n, members, starts, ends)
    return log, n


@kernel
def largest(bounds: IntArray) -> int:
    """Return the size of the largest unit."""
    most = 0
    for u in range(bounds.shape[0] - 1):
        most = max(most, bounds[u + 1] - bounds[u])
    return most


@kernel
def run_units(
    order: IntArray,
    bounds: IntArray,
    shared: bool,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    le: AnyArray,
    lx: AnyArray,
    se: AnyArray,
    sx: AnyArray,
    flat: AnyArray,
    rows: IntArray,
    init_cash: FloatArray,
    pool: FloatArray,
    at: IntArray,
    step: IntArray,
    modes: IntArray,
    money: FloatArray,
    days: IntArray,
) -> tuple[FloatArray, IntArray, IntArray]:
    """Return the log of all units, and where the entries of each column begin and end.

    The columns of unit u are order[bounds[u]:bounds[u+1]]; `rows` (columns × 6) holds the rows of
    price, the four signals and flatten that a column reads.
    """
    n_bars = close.shape[1]
    words = np.zeros((largest(bounds) if shared else 1, (n_bars + 7) >> 3), np.uint64)
    log = np.empty((64, N_LOG), np.float64)
    starts = np.zeros(rows.shape[0], np.int64)
    ends = np.zeros(rows.shape[0], np.int64)
    n = int(np.int64(0))  # typed, so that run_unit compiles once
    for u in range(bounds.shape[0] - 1):
        log, n = run_unit(
            u, order[bounds[u] : bounds[u + 1]], shared, open_, high, low, close, le, lx, se, sx,
            flat, rows, init_cash, pool, at, step, modes, money, days, words, log, n,
            starts, ends,
        )  # fmt: skip
    return log[:n], starts, ends


@kernel
def add_trades(
    figures: FloatArray, trades: AnyArray, n: int, total: float, squares: float
) -> tuple[float, float]:
    """Add trade records to the figures of a unit; return mean and squares of P&L so far."""
    for i in range(n):
        figures[F_TRADES] += 1.0
        if trades[i]["status"] == 0:
            continue
        pnl = trades[i]["pnl"]
        figures[F_CLOSED] += 1.0
        if pnl > 0.0:
            figures[F_WINS] += 1.0
            figures[F_GAINS] += pnl
        else:
            figures[F_LOSSES] -= pnl
        worth = trades[i]["size"] * max(trades[i]["entry_price"], trades[i]["exit_price"])
        figures[F_TRADE_TERM] = max(figures[F_TRADE_TERM], worth, abs(pnl))
        step = pnl - total
        total += step / figures[F_CLOSED]
        squares += step * (pnl - total)
    return total, squares


@kernel
def mark_exposed(exposed: AnyArray, log: FloatArray, first: int, last: int) -> None:
    """Mark the bars, of all, at whose close a column has a position."""
    for i in range(first, last):
        if log[i, L_POS] != 0.0:
            end = int(log[i + 1, L_BAR]) if i + 1 < last else exposed.shape[0]
            exposed[int(log[i, L_BAR]) : end] = 1


@kernel
def share_exposed(exposed: AnyArray, bars: IntArray, n: int) -> float:
    """Return at how many of the unit's own bars, all where `bars` is empty, one is held."""
    total = 0.0
    for k in range(n):
        total += exposed[bars[k]] if bars.shape[0] > 0 else exposed[k]
    return total


@kernel
def reduce_unit(
    figures: FloatArray,
    ask: int,
    members: IntArray,
    log: FloatArray,
    starts: IntArray,
    ends: IntArray,
    price_rows: IntArray,
    closes: FloatArray,
    bars: IntArray,
    bounds: IntArray,
    changes: FloatArray,
    money: FloatArray,
    days: IntArray,
    start: float,
    capital: float,
    scratch: FloatArray,
    places: IntArray,
    exposed: AnyArray,
) -> None:
    """Write the figures of one unit from its log, on the bars on which it has a price.

    `closes` and `bars` are those of own bars, price after price as `bounds` say. `scratch` (three
    rows), `places` and `exposed` are as long as all bars.
    """
    figures[:] = 0.0
    c = members[0]
    p = price_rows[c]
    a, b = bounds[p], bounds[p + 1]
    n = b - a
    mine = bars[a:b]
    if members.shape[0] > 1 and bars.shape[0] > 0:
        n = joint_bars(members, price_rows, bars, bounds, places)
        mine = places[:n]
    figures[F_BARS] = n
    if n > 0:
        figures[F_FIRST] = mine[0] if mine.shape[0] > 0 else 0
        figures[F_LAST] = mine[n - 1] if mine.shape[0] > 0 else n - 1
    value = scratch[0, :n]
    buffer = scratch[1, :n]
    cost = money[min(c, money.shape[0] - 1)]
    alone = members.shape[0] == 1 and capital == 0.0
    alone &= cost[ROLL_LONG] == 0.0 and cost[ROLL_SHORT] == 0.0
    moments = ask & (ASK_RETURNS | ASK_DOWNSIDE) != 0
    path = ask & ASK_DRAWDOWN != 0 or (moments and not alone)
    figures[F_END] = start
    if path:
        value[:] = start
    for c in members:
        p = price_rows[c]
        own = bars[bounds[p] : bounds[p + 1]]
        close = closes[bounds[p] : bounds[p + 1]]
        cost = money[min(c, money.shape[0] - 1)]
        orders = own_orders(log, starts[c], ends[c], own)
        own_day = own_days(days, own)
        figures[F_END] += last_pnl(orders, close, cost, own_day)
        if path and members.shape[0] == 1:
            add_pnl(value, orders, close, cost, own_day)
        elif path:
            add_column(value, mine, orders, own, close, cost, own_day, scratch[2])
    if moments:
        k = n
        figures[F_RETURN_TERM] = 1.0
        if alone:
            change = changes[a:b]
            orders = own_orders(log, starts[c], ends[c], mine)
            k = held_returns(orders, closes[a:b], change, start, buffer)
        else:
            bar_returns(value, start, capital, buffer)
            if capital != 0.0:
                for t in range(n):
                    figures[F_RETURN_TERM] = max(figures[F_RETURN_TERM], abs(value[t]) / capital)
        mean = mean_of(buffer[:k], n - k)
        figures[F_MEAN] = mean
        figures[F_STD] = std_of(buffer[:k], mean, n - k)
        if ask & ASK_DOWNSIDE != 0:
            figures[F_DOWN] = downside_of(buffer[:k], n - k)
    if ask & ASK_DRAWDOWN != 0:
        figures[F_DEEPEST] = deepest(value, start)
    if ask & ASK_TRADES == 0:
        return
    total = 0.0
    squares = 0.0
    exposed[:] = 0
    for c in members:
        p = price_rows[c]
        own = bars[bounds[p] : bounds[p + 1]]
        close = closes[bounds[p] : bounds[p + 1]]
        trades = np.empty(ends[c] - starts[c] + 1, TRADE)
        m = make_trades(
            own_orders(log, starts[c], ends[c], own), c, close, close, close, close,
            money[min(c, money.shape[0] - 1)], own_days(days, own), own, trades, 0, False,
        )  # fmt: skip
        total, squares = add_trades(figures, trades, m, total, squares)
        mark_exposed(exposed, log, starts[c], ends[c])
    closed = figures[F_CLOSED]
    figures[F_PNL_MEAN] = total if closed > 0.0 else math.nan
    figures[F_PNL_STD] = math.sqrt(squares / (closed - 1.0)) if closed > 1.0 else math.nan
    figures[F_EXPOSED] = share_exposed(exposed, mine, n)


@kernel
def summarize_units(
    ask: int,
    order: IntArray,
    bounds: IntArray,
    shared: bool,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    le: AnyArray,
    lx: AnyArray,
    se: AnyArray,
    sx: AnyArray,
    flat: AnyArray,
    rows: IntArray,
    init_cash: FloatArray,
    start: FloatArray,
    pool: FloatArray,
    at: IntArray,
    step: IntArray,
    modes: IntArray,
    money: FloatArray,
    days: IntArray,
    closes: FloatArray,
    bars: IntArray,
    bounds_of_prices: IntArray,
) -> FloatArray:
    """Return the figures of each unit; the log of a unit is dropped once it is reduced."""
    n_bars = close.shape[1]
    n_units = bounds.shape[0] - 1
    out = np.empty((n_units, N_FIGURES))
    words = np.zeros((largest(bounds) if shared else 1, (n_bars + 7) >> 3), np.uint64)
    log = np.empty((64, N_LOG), np.float64)
    starts = np.zeros(rows.shape[0], np.int64)
    ends = np.zeros(rows.shape[0], np.int64)
    scratch = np.empty((3, n_bars))
    places = np.empty(n_bars, np.int64)
    exposed = np.empty(n_bars, np.uint8)
    changes = price_changes(closes, bounds_of_prices, n_units)
    none = int(np.int64(0))  # typed, so that run_unit compiles once
    for u in range(n_units):
        members = order[bounds[u] : bounds[u + 1]]
        log, _n = run_unit(
            u, members, shared, open_, high, low, close, le, lx, se, sx, flat, rows, init_cash,
            pool, at, step, modes, money, days, words, log, none, starts, ends,
        )  # fmt: skip
        reduce_unit(
            out[u], ask, members, log, starts, ends, rows[:, 0], closes, bars, bounds_of_prices,
            changes, money.reshape(1, -1), days, start[u], 0.0, scratch, places, exposed,
        )  # fmt: skip
    return out


@kernel
def summarize_log(
    ask: int,
    order: IntArray,
    bounds: IntArray,
    log: FloatArray,
    starts: IntArray,
    ends: IntArray,
    price_rows: IntArray,
    n_bars: int,
    closes: FloatArray,
    bars: IntArray,
    bounds_of_prices: IntArray,
    money: FloatArray,
    days: IntArray,
    start: FloatArray,
    capital: float,
) -> FloatArray:
    """Return the figures of each unit from a log that is already there."""
    n_units = bounds.shape[0] - 1
    out = np.empty((n_units, N_FIGURES))
    scratch = np.empty((3, n_bars))
    places = np.empty(n_bars, np.int64)
    exposed = np.empty(n_bars, np.uint8)
    changes = price_changes(closes, bounds_of_prices, n_units)
    for u in range(n_units):
        reduce_unit(
            out[u], ask, order[bounds[u] : bounds[u + 1]], log, starts, ends, price_rows, closes,
            bars, bounds_of_prices, changes, money, days, start[u], capital, scratch, places,
            exposed,
        )  # fmt: skip
    return out
