# SPDX-License-Identifier: BSD-3-Clause
"""Loops behind `Stats`: one over trades, one over bars.

Notation: n bars; trade k has result pnl[k], side[k] (> 0 long), and is in the market in the bars
enter[k] … leave[k], both included, counted from the first evaluated bar. Trades are in time order:
that of one position after the other, or, where several components are pooled, that of exits.
equity[t] is the profit at the close of bar t, counted from 0 before the first bar.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak.types import AnyArray, FloatArray, IntArray

STATS = np.dtype(
    [
        *((name, np.int64) for name in (
            "num_win", "num_loss", "num_win_long", "num_win_short", "num_loss_long",
            "num_loss_short", "win_streak", "loss_streak", "bars_in_trades", "bars_longest_trade",
            "bars", "bars_in_market", "drawdown_bars", "drawdown_bars_max",
        )),
        *((name, np.float64) for name in (
            "win_total", "loss_total", "win_total_long", "win_total_short", "loss_total_long",
            "loss_total_short", "win_max", "loss_max", "win_max_long", "win_max_short",
            "loss_max_long", "loss_max_short", "win_streak_total", "loss_streak_total",
            "trade_mean", "trade_std", "drawdown_max", "drawdown_equity", "drawdown_share",
            "return_mean", "return_std", "return_r2", "return_lr", "return_ulcer",
            "cost_total", "roll_total", "points_total",
        )),
    ]
)  # fmt: skip
"""What the loops find, by the names and in the order of the fields of `Stats`."""


class TradeColumns(NamedTuple):
    """Trades as the loops read them; `worth` is the larger value each bought or sold, or empty."""

    pnl: FloatArray
    side: IntArray
    enter: IntArray
    leave: IntArray
    worth: FloatArray

    def ordered(self, order: IntArray) -> TradeColumns:
        """Return the same trades in another order."""
        pnl, side, enter, leave, worth = self
        return TradeColumns(pnl[order], side[order], enter[order], leave[order], worth[order])


@kernel
def columns_of(trades: AnyArray, first: int, slope: float) -> tuple[TradeColumns, FloatArray]:
    """Return records of trades as columns, bars counted from `first`, a trend taken out.

    With them, in three rows, what each paid and won: costs of fills, rollover, price difference.
    """
    n = trades.shape[0]
    pnl, worth = np.empty(n), np.empty(n)
    side, enter, leave = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    paid = np.empty((3, n))
    for k in range(n):
        row = trades[k]
        d = row["direction"]
        pnl[k] = row["pnl"]
        if slope != 0.0:
            pnl[k] -= slope * d * row["bars"] * row["size"]
        side[k] = d
        enter[k] = row["entry_index"] - first
        leave[k] = row["exit_index"] - first
        worth[k] = row["size"] * max(row["entry_price"], row["exit_price"])
        paid[0, k] = row["entry_fees"] + row["exit_fees"]
        paid[1, k] = row["roll"]
        paid[2, k] = d * (row["exit_price"] - row["entry_price"])
    return TradeColumns(pnl, side, enter, leave, worth), paid


@kernel
def stats_of_pool(
    trades: TradeColumns,
    opened: TradeColumns,
    equity: FloatArray,
    recency: float,
    capital: float,
    balance: float,
    tiny: float,
    compounds: bool = False,
) -> AnyArray:
    """Return the statistics as `stats_of` of trades that overlap, as those of several components.

    `trades` are in the order of their exits, `opened` are the same in the order of their entries.
    What they paid is left out. Where the account `compounds`, returns are shares of what it was
    worth before.
    """
    out = np.zeros(1, STATS)
    add_trades(out, trades, recency, len(equity), tiny)
    add_equity(out, trades, opened, equity, capital, balance, tiny)
    if compounds:
        add_compounded(out, opened, equity, capital, tiny)
    return out


@kernel
def stats_of(
    trades: TradeColumns,
    equity: FloatArray,
    recency: float,
    capital: float,
    balance: float,
    tiny: float,
) -> AnyArray:
    """Return the statistics (dtype `STATS`) of trades and the equity they made, one record.

    A deviation below `tiny` times the largest value it is made of is rounding, and 0. `balance` is
    that of trades closed before.
    """
    return stats_of_pool(trades, trades, equity, recency, capital, balance, tiny)


@kernel
def stats_of_records(
    trades: AnyArray,
    equity: FloatArray,
    first: int,
    slope: float,
    recency: float,
    capital: float,
    balance: float,
    tiny: float,
    compounds: bool,
) -> AnyArray:
    """Return the statistics of records as `stats_of`, and what trades paid and won."""
    out = np.zeros(1, STATS)
    columns, paid = columns_of(trades, first, slope)
    add_trades(out, columns, recency, len(equity), tiny)
    add_equity(out, columns, columns, equity, capital, balance, tiny)
    if compounds:
        add_compounded(out, columns, equity, capital, tiny)
    add_paid(out, paid)
    return out


@kernel
def add_paid(out: AnyArray, paid: FloatArray) -> None:
    """Write what trades paid and won, of which `columns_of` has the rows."""
    s = out[0]
    s["cost_total"] = sum_of(paid[0])
    s["roll_total"] = sum_of(paid[1])
    s["points_total"] = sum_of(paid[2])


@kernel
def sum_of(values: FloatArray) -> float:
    """Return the sum, added as NumPy adds: in pairs of halves down to 128 values."""
    if values.shape[0] <= 128:
        return 0.0 + sum_of_few(values)
    firsts = np.empty(64, np.int64)
    sizes = np.empty(64, np.int64)
    knows_left = np.empty(64, np.int64)
    lefts = np.empty(64)
    depth = 0
    firsts[0] = 0
    sizes[0] = values.shape[0]
    while True:
        if sizes[depth] > 128:
            half = sizes[depth] // 2
            half -= half % 8
            knows_left[depth] = 0
            firsts[depth + 1] = firsts[depth]
            sizes[depth + 1] = half
            depth += 1
            continue
        total = sum_of_few(values[firsts[depth] : firsts[depth] + sizes[depth]])
        while depth > 0 and knows_left[depth - 1] != 0:
            depth -= 1
            total = lefts[depth] + total
        if depth == 0:
            return 0.0 + total
        half = sizes[depth]
        whole = sizes[depth - 1]
        lefts[depth - 1] = total
        knows_left[depth - 1] = 1
        firsts[depth] = firsts[depth - 1] + half
        sizes[depth] = whole - half


@kernel
def sum_of_few(values: FloatArray) -> float:
    """Return the sum of at most 128 values, eight of them side by side."""
    n = values.shape[0]
    if n < 8:
        few = 0.0
        for i in range(n):
            few += values[i]
        return few
    r, s, t, u = values[0], values[1], values[2], values[3]
    v, w, x, y = values[4], values[5], values[6], values[7]
    whole = n - n % 8
    for i in range(8, whole, 8):
        r += values[i]
        s += values[i + 1]
        t += values[i + 2]
        u += values[i + 3]
        v += values[i + 4]
        w += values[i + 5]
        x += values[i + 6]
        y += values[i + 7]
    total: float = ((r + s) + (t + u)) + ((v + w) + (x + y))
    for i in range(whole, n):
        total += values[i]
    return total


@kernel
def add_trades(
    out: AnyArray, trades: TradeColumns, recency: float, n_bars: int, tiny: float
) -> None:
    """Write wins and losses: their numbers, sums, largest, and streaks, by direction too."""
    s = out[0]
    pnl, side, enter, leave, worth = trades
    span = n_bars - 1 if n_bars > 1 else 1
    wins = 0
    losses = 0
    win_run = 0.0
    loss_run = 0.0
    mean = 0.0
    square = 0.0
    term = 0.0
    for value in worth:
        term = max(term, value)
    for k in range(len(pnl)):
        # Linear in the time of the exit, mean 1 over the period, last over first = recency.
        when = min(max(leave[k] / span, 0.0), 1.0)
        weight = 2.0 / (1.0 + recency) * (1.0 + (recency - 1.0) * when)
        result = weight * pnl[k]
        if pnl[k] > 0.0:
            s["num_win"] += 1
            s["win_total"] += result
            s["win_max"] = max(s["win_max"], result)
            if side[k] > 0:
                s["num_win_long"] += 1
                s["win_total_long"] += result
                s["win_max_long"] = max(s["win_max_long"], result)
            else:
                s["num_win_short"] += 1
                s["win_total_short"] += result
                s["win_max_short"] = max(s["win_max_short"], result)
            wins += 1
            losses = 0
            win_run += result
            loss_run = 0.0
        else:
            s["num_loss"] += 1
            s["loss_total"] -= result
            s["loss_max"] = max(s["loss_max"], -result)
            if side[k] > 0:
                s["num_loss_long"] += 1
                s["loss_total_long"] -= result
                s["loss_max_long"] = max(s["loss_max_long"], -result)
            else:
                s["num_loss_short"] += 1
                s["loss_total_short"] -= result
                s["loss_max_short"] = max(s["loss_max_short"], -result)
            losses += 1
            wins = 0
            loss_run -= result
            win_run = 0.0
        s["win_streak"] = max(s["win_streak"], wins)
        s["loss_streak"] = max(s["loss_streak"], losses)
        s["win_streak_total"] = max(s["win_streak_total"], win_run)
        s["loss_streak_total"] = max(s["loss_streak_total"], loss_run)
        held = leave[k] - enter[k]
        s["bars_in_trades"] += held
        s["bars_longest_trade"] = max(s["bars_longest_trade"], held)
        term = max(term, abs(pnl[k]))
        step = pnl[k] - mean
        mean += step / (k + 1)
        square += step * (pnl[k] - mean)
    s["trade_mean"] = mean
    deviation = math.sqrt(square / (len(pnl) - 1)) if len(pnl) > 1 else 0.0
    s["trade_std"] = deviation if deviation >= tiny * term else 0.0


@kernel
def add_equity(
    out: AnyArray,
    trades: TradeColumns,
    opened: TradeColumns,
    equity: FloatArray,
    capital: float,
    balance: float,
    tiny: float,
) -> None:
    """Write drawdowns, returns of the bars in the market, and the regression line of equity."""
    # Bars between two fills are alike: loops over them ask only what may differ, and add to numbers
    # of their own, for what is written to a record waits for the write before it.
    s = out[0]
    pnl, leave = trades.pnl, trades.leave
    enter, held_to = opened.enter, opened.leave
    n = len(equity)
    n_trades = len(pnl)
    peak = 0.0
    under = 0
    n_under = 0
    longest = 0
    deepest = 0.0
    largest = 0.0
    balance_peak = max(balance, 0.0)
    fall = 0.0
    retreat = 0.0
    total = 0.0
    lean = 0.0
    half = 0.5 * (n - 1)
    # The regression line is the same from any level, and more exact from the first one.
    base = equity[0] if n > 0 else 0.0
    term = capital
    closed = 0
    previous = 0.0
    in_market = 0
    change_sum = 0.0
    entered = 0
    until = -1
    first = 0
    while first < n:
        while closed < n_trades and leave[closed] <= first:
            balance += pnl[closed]
            closed += 1
        balance_peak = max(balance_peak, balance)
        while entered < n_trades and enter[entered] <= first:
            until = max(until, held_to[entered])
            entered += 1
        last = n
        if closed < n_trades:
            last = min(last, leave[closed])
        if entered < n_trades:
            last = min(last, enter[entered])
        if first <= until:
            last = min(last, until + 1)
            in_market += last - first
            for t in range(first, last):
                change_sum += equity[t] - previous
                previous = equity[t]
        low = equity[first]
        high = equity[first]
        for t in range(first, last):
            value = equity[t]
            if value < low:
                low = value
            if value > high:
                high = value
            if value >= peak:
                peak = value
                if under > longest:
                    longest = under
                under = 0
            else:
                under += 1
                n_under += 1
                depth = peak - value
                if depth > deepest:
                    deepest = depth
                share = depth / (capital + peak)
                if share > largest:
                    largest = share
                retreat += share * share
            total += value - base
            lean += (t - half) * (value - base)
        term = max(term, high, -low)
        fall = max(fall, balance_peak - low)
        previous = equity[last - 1]
        first = last
    s["bars"] = n
    s["bars_in_market"] = in_market
    s["drawdown_max"] = fall
    s["drawdown_bars"] = n_under
    s["drawdown_bars_max"] = max(longest, under)
    s["drawdown_equity"] = deepest
    s["drawdown_share"] = largest
    mean_rise = total / n if n > 0 else 0.0
    mean_change = change_sum / in_market if in_market > 0 else 0.0
    # A second pass for the two variances: a difference of large sums would lose all digits.
    spread = 0.0
    square = 0.0
    previous = 0.0
    entered = 0
    until = -1
    first = 0
    while first < n:
        while entered < n_trades and enter[entered] <= first:
            until = max(until, held_to[entered])
            entered += 1
        last = n
        if entered < n_trades:
            last = min(last, enter[entered])
        is_held = first <= until
        if is_held:
            last = min(last, until + 1)
        for t in range(first, last):
            rise = equity[t] - base - mean_rise
            spread += rise * rise
        for t in range(first, last if is_held else first):
            off = equity[t] - previous - mean_change
            square += off * off
            previous = equity[t]
        previous = equity[last - 1]
        first = last
    s["return_mean"] = mean_change / capital
    deviation = math.sqrt(square / (in_market - 1)) if in_market > 1 else 0.0
    s["return_std"] = deviation / capital if deviation >= tiny * term else 0.0
    width = n * (n * n - 1.0) / 12.0
    slope = lean / width if n > 1 else 0.0
    moves = spread > 0.0 and math.sqrt(spread / n) >= tiny * term
    s["return_r2"] = slope * lean / spread if lean > 0.0 and moves else 0.0
    s["return_lr"] = slope * (n - 1)
    s["return_ulcer"] = math.sqrt(retreat / n) if n > 0 else 0.0


@kernel
def add_compounded(
    out: AnyArray, opened: TradeColumns, equity: FloatArray, capital: float, tiny: float
) -> None:
    """Write mean and deviation of returns as shares of what the account was worth before.

    Of the bars in the market, as in `add_equity`. What was worth nothing has no return.
    """
    s = out[0]
    n = len(equity)
    total = 0.0
    square = 0.0
    largest = 0.0
    mean = 0.0
    count = 0
    for is_second in (False, True):
        entered = 0
        until = -1
        before = capital
        for t in range(n):
            while entered < len(opened.enter) and opened.enter[entered] <= t:
                until = max(until, opened.leave[entered])
                entered += 1
            value = capital + equity[t]
            if t <= until:
                change = (value - before) / before if before > 0.0 else 0.0
                if is_second:
                    square += (change - mean) * (change - mean)
                else:
                    total += change
                    count += 1
                    largest = max(largest, abs(change))
            before = value
        if not is_second and count > 0:
            mean = total / count
    s["return_mean"] = mean
    deviation = math.sqrt(square / (count - 1)) if count > 1 else 0.0
    # A change is a difference of values, so that its rounding is a share of 1.
    s["return_std"] = deviation if deviation >= tiny * max(1.0, largest) else 0.0
