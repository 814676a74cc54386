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
def run_alone(
    c: int,
    market: Market,
    signals: Signals,
    cash: FloatArray,
    settings: SettingsPool,
    terms: Terms,
    words: AnyArray,
    orders: FloatArray,
    n: int,
) -> tuple[FloatArray, int]:
    """Append the orders of a column on its own account; `words` are the room for its actions."""
    rows = signals.rows
    encode(
        words.view(np.uint8),
        signals.long_entries[rows[c, 1]],
        signals.long_exits[rows[c, 2]],
        signals.short_entries[rows[c, 3]],
        signals.short_exits[rows[c, 4]],
        signals.flatten[rows[c, 5]],
    )
    p = rows[c, 0]
    return run_column(
        c, market.open[p], market.high[p], market.low[p], market.close[p], market.days, words,
        cash[c], settings.values, settings.offsets[min(c, settings.offsets.shape[0] - 1)],
        settings.steps, terms, orders, n,
    )  # fmt: skip


@kernel
def empty_log(n_columns: int) -> OrderLog:
    """Return a log without orders."""
    orders = np.empty((64, N_LOG), np.float64)
    return OrderLog(orders, np.zeros(n_columns, np.int64), np.zeros(n_columns, np.int64))


@kernel
def run_columns(
    columns: IntArray,
    market: Market,
    signals: Signals,
    cash: FloatArray,
    settings: SettingsPool,
    terms: Terms,
) -> OrderLog:
    """Return the orders of columns, each on its own account."""
    words = np.zeros((market.close.shape[1] + 7) >> 3, np.uint64)
    orders, starts, ends = empty_log(signals.rows.shape[0])
    n = 0
    for c in columns:
        starts[c] = n
        orders, n = run_alone(c, market, signals, cash, settings, terms, words, orders, n)
        ends[c] = n
    return OrderLog(orders[:n], starts, ends)


@kernel
def run_groups(
    groups: Groups,
    market: Market,
    signals: Signals,
    cash: FloatArray,
    settings: SettingsPool,
    terms: Terms,
) -> OrderLog:
    """Return the orders of columns that share the cash of their group."""
    order, bounds, rows = groups.order, groups.bounds, signals.rows
    most = 1
    for g in range(bounds.shape[0] - 1):
        most = max(most, bounds[g + 1] - bounds[g])
    codes = np.zeros((most, (market.close.shape[1] + 7) >> 3), np.uint64).view(np.uint8)
    orders, starts, ends = empty_log(rows.shape[0])
    n = 0
    for g in range(bounds.shape[0] - 1):
        members = order[bounds[g] : bounds[g + 1]]
        for j in range(members.shape[0]):
            c = members[j]
            encode(
                codes[j],
                signals.long_entries[rows[c, 1]],
                signals.long_exits[rows[c, 2]],
                signals.short_entries[rows[c, 3]],
                signals.short_exits[rows[c, 4]],
                signals.flatten[rows[c, 5]],
            )
        first = n
        orders, n = run_group(
            members, rows[:, 0], market, codes, cash[g], settings, terms, orders, n
        )
        sort_log(orders, first, n, members, starts, ends)
    return OrderLog(orders[:n], starts, ends)


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
    out: FloatArray,
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
) -> None:
    """Write the summary of each group that is not `long`; its orders are dropped once it is made.

    Every column is on its own account.
    """
    n_bars = market.close.shape[1]
    words = np.zeros((n_bars + 7) >> 3, np.uint64)
    orders, starts, ends = empty_log(signals.rows.shape[0])
    scratch = np.empty((3, n_bars))
    joint = np.empty(n_bars, np.int64)
    exposed = np.empty(n_bars, np.uint8)
    changes = price_changes(own.close, own.bounds, out.shape[0])
    for g in range(out.shape[0]):
        if long[g]:
            continue
        members = groups.order[groups.bounds[g] : groups.bounds[g + 1]]
        n = 0
        for c in members:
            starts[c] = n
            orders, n = run_alone(c, market, signals, cash, settings, terms, words, orders, n)
            ends[c] = n
        summarize_group(
            out[g], needs, members, OrderLog(orders, starts, ends), signals.rows[:, 0], own,
            changes, costs, market.days, start[g], 0.0, scratch, joint, exposed,
        )  # fmt: skip


@kernel
def summarize_longs(
    out: FloatArray,
    needs: int,
    groups: Groups,
    market: Market,
    signals: Signals,
    cash: FloatArray,
    settings: SettingsPool,
    terms: Terms,
    own: OwnPrices,
    start: FloatArray,
    long: BoolArray,
    table: PriceSums,
) -> None:
    """Write the summary of each group that is `long`; its orders are dropped once it is made."""
    made = table.sums.shape[0] > 0
    if not made:
        table = empty_table(1, market.close.shape[1], needs & (DOWNSIDE | DRAWDOWN) != 0)
    known = -1
    words = np.zeros((market.close.shape[1] + 7) >> 3, np.uint64)
    orders, starts, ends = empty_log(signals.rows.shape[0])
    for g in range(out.shape[0]):
        if long[g]:
            c = groups.order[groups.bounds[g]]
            orders, n = run_alone(c, market, signals, cash, settings, terms, words, orders, 0)
            p = signals.rows[c, 0]
            a, b = own.bounds[p], own.bounds[p + 1]
            if not made and p != known:
                fill_table(table, 0, own.close[a:b])
                known = p
            starts[c] = 0
            ends[c] = n
            summarize_long(
                out, g, needs, OrderLog(orders, starts, ends), c, own.bars[a:b], own.close[a:b],
                table, p if made else 0, settings, start[g],
            )  # fmt: skip


@kernel
def summarize_log(
    out: FloatArray,
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
) -> None:
    """Write the summary of each group that is not `long`, from orders that are already there."""
    scratch = np.empty((3, n_bars))
    joint = np.empty(n_bars, np.int64)
    exposed = np.empty(n_bars, np.uint8)
    changes = price_changes(own.close, own.bounds, out.shape[0])
    for g in range(out.shape[0]):
        if not long[g]:
            members = groups.order[groups.bounds[g] : groups.bounds[g + 1]]
            summarize_group(
                out[g], needs, members, log, price_rows, own, changes, costs, days, start[g],
                capital, scratch, joint, exposed,
            )  # fmt: skip


@kernel
def summarize_long_log(
    out: FloatArray,
    needs: int,
    groups: Groups,
    log: OrderLog,
    price_rows: IntArray,
    n_bars: int,
    own: OwnPrices,
    start: FloatArray,
    long: BoolArray,
    settings: SettingsPool,
    table: PriceSums,
) -> None:
    """Write the summary of each group that is `long`, from orders that are already there."""
    made = table.sums.shape[0] > 0
    if not made:
        table = empty_table(1, n_bars, needs & (DOWNSIDE | DRAWDOWN) != 0)
    known = -1
    for g in range(out.shape[0]):
        if long[g]:
            c = groups.order[groups.bounds[g]]
            p = price_rows[c]
            a, b = own.bounds[p], own.bounds[p + 1]
            if not made and p != known:
                fill_table(table, 0, own.close[a:b])
                known = p
            summarize_long(
                out, g, needs, log, c, own.bars[a:b], own.close[a:b], table, p if made else 0,
                settings, start[g],
            )  # fmt: skip
