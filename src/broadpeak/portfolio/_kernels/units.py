# SPDX-License-Identifier: BSD-3-Clause
"""Units: one column each, or the columns of a group. Run them, and reduce their logs to figures."""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak.metrics._kernels.lanes import bar_returns, deepest, downside_of, mean_of, std_of
from broadpeak.portfolio._kernels.columns import encode, run_column
from broadpeak.portfolio._kernels.groups import run_group, sort_log
from broadpeak.portfolio._kernels.layout import (
    ASK_DOWNSIDE,
    ASK_DRAWDOWN,
    ASK_RETURNS,
    ASK_TRADES,
    F_CLOSED,
    F_DEEPEST,
    F_DOWN,
    F_END,
    F_EXPOSED,
    F_GAINS,
    F_LOSSES,
    F_MEAN,
    F_PNL_MEAN,
    F_PNL_STD,
    F_STD,
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
from broadpeak.portfolio._kernels.returns import held_returns, price_changes
from broadpeak.portfolio._kernels.trades import add_pnl, last_pnl, make_trades
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
        step = pnl - total
        total += step / figures[F_CLOSED]
        squares += step * (pnl - total)
    return total, squares


@kernel
def mark_exposed(exposed: AnyArray, log: FloatArray, first: int, last: int) -> None:
    """Mark the bars at whose close a column has a position."""
    for i in range(first, last):
        if log[i, L_POS] != 0.0:
            end = int(log[i + 1, L_BAR]) if i + 1 < last else exposed.shape[0]
            exposed[int(log[i, L_BAR]) : end] = 1


@kernel
def reduce_unit(
    figures: FloatArray,
    ask: int,
    members: IntArray,
    log: FloatArray,
    starts: IntArray,
    ends: IntArray,
    price_rows: IntArray,
    open_: FloatArray,
    mark: FloatArray,
    changes: FloatArray,
    money: FloatArray,
    days: IntArray,
    start: float,
    capital: float,
    value: FloatArray,
    buffer: FloatArray,
    exposed: AnyArray,
) -> None:
    """Write the figures of one unit from its log; `value`, `buffer`, `exposed` are scratch."""
    n_bars = value.shape[0]
    figures[:] = 0.0
    c = members[0]
    cost = money[min(c, money.shape[0] - 1)]
    alone = members.shape[0] == 1 and capital == 0.0
    alone &= cost[ROLL_LONG] == 0.0 and cost[ROLL_SHORT] == 0.0
    moments = ask & (ASK_RETURNS | ASK_DOWNSIDE) != 0
    if ask & ASK_DRAWDOWN == 0 and (alone or not moments):
        figures[F_END] = start
        for c in members:
            cost = money[min(c, money.shape[0] - 1)]
            figures[F_END] += last_pnl(log, starts[c], ends[c], mark[price_rows[c]], cost, days)
    else:
        value[:] = start
        for c in members:
            cost = money[min(c, money.shape[0] - 1)]
            add_pnl(value, log, starts[c], ends[c], mark[price_rows[c]], cost, days)
        figures[F_END] = value[n_bars - 1]
    if moments:
        n = n_bars
        if alone:
            p = price_rows[c]
            n = held_returns(log, starts[c], ends[c], mark[p], changes[p], start, buffer)
        else:
            bar_returns(value, start, capital, buffer)
        mean = mean_of(buffer[:n], n_bars - n)
        figures[F_MEAN] = mean
        figures[F_STD] = std_of(buffer[:n], mean, n_bars - n)
        if ask & ASK_DOWNSIDE != 0:
            figures[F_DOWN] = downside_of(buffer[:n], n_bars - n)
    if ask & ASK_DRAWDOWN != 0:
        figures[F_DEEPEST] = deepest(value, start)
    if ask & ASK_TRADES == 0:
        return
    total = 0.0
    squares = 0.0
    exposed[:] = 0
    for c in members:
        p = price_rows[c]
        trades = np.empty(ends[c] - starts[c] + 1, TRADE)
        n = make_trades(
            log, starts[c], ends[c], c, open_[p], mark[p], mark[p], mark[p],
            money[min(c, money.shape[0] - 1)], days,
            trades, 0, False,
        )  # fmt: skip
        total, squares = add_trades(figures, trades, n, total, squares)
        mark_exposed(exposed, log, starts[c], ends[c])
    closed = figures[F_CLOSED]
    figures[F_PNL_MEAN] = total if closed > 0.0 else math.nan
    figures[F_PNL_STD] = math.sqrt(squares / (closed - 1.0)) if closed > 1.0 else math.nan
    figures[F_EXPOSED] = exposed.sum()


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
    mark: FloatArray,
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
) -> FloatArray:
    """Return the figures of each unit; the log of a unit is dropped once it is reduced."""
    n_bars = close.shape[1]
    n_units = bounds.shape[0] - 1
    out = np.empty((n_units, N_FIGURES))
    words = np.zeros((largest(bounds) if shared else 1, (n_bars + 7) >> 3), np.uint64)
    log = np.empty((64, N_LOG), np.float64)
    starts = np.zeros(rows.shape[0], np.int64)
    ends = np.zeros(rows.shape[0], np.int64)
    value = np.empty(n_bars)
    buffer = np.empty(n_bars)
    exposed = np.empty(n_bars, np.uint8)
    changes = price_changes(mark, n_units)
    none = int(np.int64(0))  # typed, so that run_unit compiles once
    for u in range(n_units):
        members = order[bounds[u] : bounds[u + 1]]
        log, _n = run_unit(
            u, members, shared, open_, high, low, close, le, lx, se, sx, flat, rows, init_cash,
            pool, at, step, modes, money, days, words, log, none, starts, ends,
        )  # fmt: skip
        reduce_unit(
            out[u], ask, members, log, starts, ends, rows[:, 0], open_, mark, changes,
            money.reshape(1, -1), days, start[u], 0.0, value, buffer, exposed,
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
    open_: FloatArray,
    mark: FloatArray,
    money: FloatArray,
    days: IntArray,
    start: FloatArray,
    capital: float,
) -> FloatArray:
    """Return the figures of each unit from a log that is already there."""
    n_bars = mark.shape[1]
    n_units = bounds.shape[0] - 1
    out = np.empty((n_units, N_FIGURES))
    value = np.empty(n_bars)
    buffer = np.empty(n_bars)
    exposed = np.empty(n_bars, np.uint8)
    changes = price_changes(mark, n_units)
    for u in range(n_units):
        reduce_unit(
            out[u], ask, order[bounds[u] : bounds[u + 1]], log, starts, ends, price_rows,
            open_, mark, changes, money, days, start[u], capital, value, buffer, exposed,
        )  # fmt: skip
    return out
