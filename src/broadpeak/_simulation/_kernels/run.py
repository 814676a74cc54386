# SPDX-License-Identifier: BSD-3-Clause
"""Groups of columns, one column each or several: run them, and summarise what they did."""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak._metrics._kernels.measures import bar_returns, deepest, downside_of, mean_of, std_of
from broadpeak._metrics._kernels.summary import (
    BARS,
    BARS_HELD,
    CLOSED,
    DEPTH,
    DOWN,
    DOWNSIDE,
    DRAWDOWN,
    END,
    EXPOSED,
    FEES_PAID,
    FIRST,
    GAINS,
    LARGEST_LOSS,
    LARGEST_WIN,
    LAST,
    LOSSES,
    MEAN,
    MOMENTS,
    N_FIGURES,
    NET,
    PNL_MEAN,
    PNL_STD,
    RETURN_TERM,
    START,
    STD,
    TRADE_COUNT,
    TRADE_TERM,
    TRADES,
    WINS,
)
from broadpeak._simulation._kernels.columns import encode, run_column
from broadpeak._simulation._kernels.groups import run_group, sort_log
from broadpeak._simulation._kernels.held import add_figures, empty_table, fill_table
from broadpeak._simulation._kernels.layout import (
    L_BAR,
    L_POS,
    N_LOG,
    ROLL_LONG,
    ROLL_SHORT,
    TRADE,
    Groups,
    Market,
    OrderLog,
    OwnPrices,
    PriceSums,
    SettingsPool,
    Signals,
    Terms,
)
from broadpeak._simulation._kernels.longs import log_trades
from broadpeak._simulation._kernels.own import joint_bars, own_days, own_orders
from broadpeak._simulation._kernels.returns import held_returns, price_changes
from broadpeak._simulation._kernels.trades import add_column, add_pnl, last_pnl, make_trades
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray


@kernel
def run_members(
    group: int,
    members: IntArray,
    shared: bool,
    market: Market,
    signals: Signals,
    cash: FloatArray,
    settings: SettingsPool,
    terms: Terms,
    words: AnyArray,
    log: OrderLog,
    n: int,
) -> tuple[OrderLog, int]:
    """Append the orders of one group to the log, column after column."""
    codes = words.view(np.uint8)
    orders, starts, ends = log
    rows = signals.rows
    for j in range(members.shape[0]):
        c = members[j]
        w = j if shared else 0
        encode(
            codes[w],
            signals.long_entries[rows[c, 1]],
            signals.long_exits[rows[c, 2]],
            signals.short_entries[rows[c, 3]],
            signals.short_exits[rows[c, 4]],
            signals.flatten[rows[c, 5]],
        )
        if not shared:
            p = rows[c, 0]
            starts[c] = n
            orders, n = run_column(
                c, market.open[p], market.high[p], market.low[p], market.close[p], market.days,
                words[0], cash[c], settings.values,
                settings.offsets[min(c, settings.offsets.shape[0] - 1)], settings.steps, terms,
                orders, n,
            )  # fmt: skip
            ends[c] = n
    if shared:
        first = n
        orders, n = run_group(
            members, rows[:, 0], market, codes, cash[group], settings, terms, orders, n
        )
        sort_log(orders, first, n, members, starts, ends)
    return OrderLog(orders, starts, ends), n


@kernel
def empty_log(n_columns: int) -> OrderLog:
    """Return a log without orders."""
    orders = np.empty((64, N_LOG), np.float64)
    return OrderLog(orders, np.zeros(n_columns, np.int64), np.zeros(n_columns, np.int64))


@kernel
def room_for_actions(groups: Groups, n_bars: int) -> AnyArray:
    """Return words of actions, eight bars each, for the columns that are simulated at a time."""
    most = 1
    if groups.shared:
        for g in range(groups.bounds.shape[0] - 1):
            most = max(most, groups.bounds[g + 1] - groups.bounds[g])
    return np.zeros((most, (n_bars + 7) >> 3), np.uint64)


@kernel
def run_groups(
    groups: Groups,
    market: Market,
    signals: Signals,
    cash: FloatArray,
    settings: SettingsPool,
    terms: Terms,
) -> OrderLog:
    """Return the orders of all columns."""
    words = room_for_actions(groups, market.close.shape[1])
    log = empty_log(signals.rows.shape[0])
    n = int(np.int64(0))  # typed, so that run_members compiles once
    for g in range(groups.bounds.shape[0] - 1):
        members = groups.order[groups.bounds[g] : groups.bounds[g + 1]]
        log, n = run_members(
            g, members, groups.shared, market, signals, cash, settings, terms, words, log, n
        )
    return OrderLog(log.orders[:n], log.starts, log.ends)


@kernel
def add_trades(
    summary: FloatArray, trades: AnyArray, n: int, mean: float, squares: float
) -> tuple[float, float]:
    """Add trade records to the summary of a group; return mean and squares of P&L so far."""
    for i in range(n):
        pnl = trades[i]["pnl"]
        summary[TRADE_COUNT] += 1.0
        summary[NET] += pnl
        summary[FEES_PAID] += trades[i]["entry_fees"] + trades[i]["exit_fees"]
        if trades[i]["status"] == 0:
            continue
        summary[CLOSED] += 1.0
        if pnl > 0.0:
            summary[WINS] += 1.0
            summary[GAINS] += pnl
            summary[LARGEST_WIN] = max(summary[LARGEST_WIN], pnl)
        else:
            summary[LOSSES] -= pnl
            summary[LARGEST_LOSS] = min(summary[LARGEST_LOSS], pnl)
        summary[BARS_HELD] += trades[i]["bars"]
        worth = trades[i]["size"] * max(trades[i]["entry_price"], trades[i]["exit_price"])
        summary[TRADE_TERM] = max(summary[TRADE_TERM], worth, abs(pnl))
        step = pnl - mean
        mean += step / summary[CLOSED]
        squares += step * (pnl - mean)
    return mean, squares


@kernel
def mark_exposed(exposed: AnyArray, orders: FloatArray, first: int, last: int) -> None:
    """Mark the bars, of all, at whose close a column has a position."""
    for i in range(first, last):
        if orders[i, L_POS] != 0.0:
            end = int(orders[i + 1, L_BAR]) if i + 1 < last else exposed.shape[0]
            exposed[int(orders[i, L_BAR]) : end] = 1


@kernel
def summarize_group(
    summary: FloatArray,
    needs: int,
    members: IntArray,
    log: OrderLog,
    price_rows: IntArray,
    own: OwnPrices,
    changes: FloatArray,
    costs: FloatArray,
    days: IntArray,
    start: float,
    capital: float,
    scratch: FloatArray,
    joint: IntArray,
    exposed: AnyArray,
) -> None:
    """Write what is needed of one group from its orders, on the bars on which it has a price.

    `scratch` (three rows), `joint` and `exposed` are as long as all bars.
    """
    c = members[0]
    p = price_rows[c]
    a, b = own.bounds[p], own.bounds[p + 1]
    n = b - a
    group_bars = own.bars[a:b]
    if members.shape[0] > 1 and own.bars.shape[0] > 0:
        n = joint_bars(members, price_rows, own.bars, own.bounds, joint)
        group_bars = joint[:n]
    summary[BARS] = n
    if n > 0:
        summary[FIRST] = group_bars[0] if group_bars.shape[0] > 0 else 0
        summary[LAST] = group_bars[n - 1] if group_bars.shape[0] > 0 else n - 1
    value = scratch[0, :n]
    buffer = scratch[1, :n]
    cost = costs[min(c, costs.shape[0] - 1)]
    alone = members.shape[0] == 1 and capital == 0.0
    alone &= cost[ROLL_LONG] == 0.0 and cost[ROLL_SHORT] == 0.0
    moments = needs & (MOMENTS | DOWNSIDE) != 0
    path = needs & DRAWDOWN != 0 or (moments and not alone)
    summary[START] = start
    if path:
        value[:] = start
    end = start
    for c in members:
        p = price_rows[c]
        bars = own.bars[own.bounds[p] : own.bounds[p + 1]]
        close = own.close[own.bounds[p] : own.bounds[p + 1]]
        cost = costs[min(c, costs.shape[0] - 1)]
        orders = own_orders(log.orders, log.starts[c], log.ends[c], bars)
        own_day = own_days(days, bars)
        end += last_pnl(orders, close, cost, own_day)
        if path and members.shape[0] == 1:
            add_pnl(value, orders, close, cost, own_day)
        elif path:
            add_column(value, group_bars, orders, bars, close, cost, own_day, scratch[2])
    summary[END] = end
    if moments:
        k = n
        summary[RETURN_TERM] = 1.0
        if alone:
            orders = own_orders(log.orders, log.starts[c], log.ends[c], group_bars)
            k = held_returns(orders, own.close[a:b], changes[a:b], start, buffer)
        else:
            bar_returns(value, start, capital, buffer)
            if capital != 0.0:
                for t in range(n):
                    summary[RETURN_TERM] = max(summary[RETURN_TERM], abs(value[t]) / capital)
        mean = mean_of(buffer[:k], n - k)
        summary[MEAN] = mean
        summary[STD] = std_of(buffer[:k], mean, n - k)
        if needs & DOWNSIDE != 0:
            summary[DOWN] = downside_of(buffer[:k], n - k)
    if needs & DRAWDOWN != 0:
        summary[DEPTH] = deepest(value, start)
    if needs & TRADES == 0:
        return
    mean = 0.0
    squares = 0.0
    exposed[:] = 0
    for c in members:
        p = price_rows[c]
        bars = own.bars[own.bounds[p] : own.bounds[p + 1]]
        close = own.close[own.bounds[p] : own.bounds[p + 1]]
        trades = np.empty(log.ends[c] - log.starts[c] + 1, TRADE)
        m = make_trades(
            own_orders(log.orders, log.starts[c], log.ends[c], bars), c, close, close, close,
            close, costs[min(c, costs.shape[0] - 1)], own_days(days, bars), bars, trades, 0, False,
        )  # fmt: skip
        mean, squares = add_trades(summary, trades, m, mean, squares)
        mark_exposed(exposed, log.orders, log.starts[c], log.ends[c])
    closed = summary[CLOSED]
    summary[PNL_MEAN] = mean if closed > 0.0 else math.nan
    summary[PNL_STD] = math.sqrt(squares / (closed - 1.0)) if closed > 1.0 else math.nan
    held = 0.0
    for k in range(n):
        held += exposed[group_bars[k]] if group_bars.shape[0] > 0 else exposed[k]
    summary[EXPOSED] = held


@kernel
def summarize_long(
    out: FloatArray,
    g: int,
    needs: int,
    log: OrderLog,
    c: int,
    own: IntArray,
    close: FloatArray,
    table: PriceSums,
    row: int,
    settings: SettingsPool,
    start: float,
) -> None:
    """Write what is needed of a column that is long or out, with all its cash, from its orders.

    `own` and `close` are the bars and prices that the column has.
    """
    n = close.shape[0]
    orders = log.orders[log.starts[c] : log.ends[c]]
    room = orders.shape[0] // 2 + 1
    bars = np.empty((room, 2), np.int64)
    money = np.empty((room, 4))
    counted = own_orders(log.orders, log.starts[c], log.ends[c], own)
    at = settings.offsets[min(c, settings.offsets.shape[0] - 1)]
    m = log_trades(orders, counted, close, settings.values, at, settings.steps, bars, money)
    add_figures(out, g, needs, bars, money, m, close, table, row, start)
    if n > 0 and own.shape[0] > 0:
        out[g, FIRST] = own[0]
        out[g, LAST] = own[n - 1]


@kernel
def summarize_groups(
    needs: int,
    groups: Groups,
    market: Market,
    signals: Signals,
    cash: FloatArray,
    settings: SettingsPool,
    terms: Terms,
    own: OwnPrices,
    costs: FloatArray,
    start: FloatArray,
    long: BoolArray,
    table: PriceSums,
) -> FloatArray:
    """Return the summary of each group; the orders of a group are dropped once it is made.

    `long`: which columns are long or out, with all their cash.
    """
    n_bars = market.close.shape[1]
    n_groups = groups.bounds.shape[0] - 1
    out = np.zeros((n_groups, N_FIGURES))
    words = room_for_actions(groups, n_bars)
    log = empty_log(signals.rows.shape[0])
    scratch = np.empty((3, n_bars))
    joint = np.empty(n_bars, np.int64)
    exposed = np.empty(n_bars, np.uint8)
    changes = price_changes(own.close, own.bounds, 0 if long.all() else n_groups)
    made = table.sums.shape[0] > 0
    if not made:
        table = empty_table(1, n_bars, needs & (DOWNSIDE | DRAWDOWN) != 0)
    known = -1
    none = int(np.int64(0))  # typed, so that run_members compiles once
    for g in range(n_groups):
        members = groups.order[groups.bounds[g] : groups.bounds[g + 1]]
        log, _n = run_members(
            g, members, groups.shared, market, signals, cash, settings, terms, words, log, none
        )
        c = members[0]
        if long[c] and members.shape[0] == 1:
            p = signals.rows[c, 0]
            close = own.close[own.bounds[p] : own.bounds[p + 1]]
            if not made and p != known:
                fill_table(table, 0, close)
                known = p
            summarize_long(
                out, g, needs, log, c, own.bars[own.bounds[p] : own.bounds[p + 1]], close, table,
                p if made else none, settings, start[g],
            )  # fmt: skip
            continue
        summarize_group(
            out[g], needs, members, log, signals.rows[:, 0], own, changes, costs, market.days,
            start[g], 0.0, scratch, joint, exposed,
        )  # fmt: skip
    return out


@kernel
def summarize_log(
    needs: int,
    groups: Groups,
    log: OrderLog,
    price_rows: IntArray,
    n_bars: int,
    own: OwnPrices,
    costs: FloatArray,
    days: IntArray,
    start: FloatArray,
    capital: float,
    long: BoolArray,
    settings: SettingsPool,
    table: PriceSums,
) -> FloatArray:
    """Return the summary of each group from orders that are already there."""
    n_groups = groups.bounds.shape[0] - 1
    out = np.zeros((n_groups, N_FIGURES))
    scratch = np.empty((3, n_bars))
    joint = np.empty(n_bars, np.int64)
    exposed = np.empty(n_bars, np.uint8)
    changes = price_changes(own.close, own.bounds, 0 if long.all() else n_groups)
    made = table.sums.shape[0] > 0
    if not made:
        table = empty_table(1, n_bars, needs & (DOWNSIDE | DRAWDOWN) != 0)
    known = -1
    none = int(np.int64(0))
    for g in range(n_groups):
        members = groups.order[groups.bounds[g] : groups.bounds[g + 1]]
        c = members[0]
        if long[c] and members.shape[0] == 1:
            p = price_rows[c]
            close = own.close[own.bounds[p] : own.bounds[p + 1]]
            if not made and p != known:
                fill_table(table, 0, close)
                known = p
            summarize_long(
                out, g, needs, log, c, own.bars[own.bounds[p] : own.bounds[p + 1]], close, table,
                p if made else none, settings, start[g],
            )  # fmt: skip
            continue
        summarize_group(
            out[g], needs, members, log, price_rows, own, changes, costs, days, start[g], capital,
            scratch, joint, exposed,
        )  # fmt: skip
    return out
