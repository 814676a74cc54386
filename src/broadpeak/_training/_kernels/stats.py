# SPDX-License-Identifier: BSD-3-Clause
"""Loops behind `Stats`: one over trades, one over bars.

Notation: n bars; trade k has result pnl[k], side[k] (> 0 long), and is in the market in the bars
enter[k] … leave[k], both included, counted from the first evaluated bar. Trades are in time order.
equity[t] is the profit at the close of bar t, counted from 0 before the first bar.

The order of the items written to `counts` and `sums` is that of the fields of `Stats`.
"""

from __future__ import annotations

import math

from broadpeak._core.compile import kernel
from broadpeak.types import FloatArray, IntArray


@kernel
def trade_loop(
    pnl: FloatArray,
    side: IntArray,
    enter: IntArray,
    leave: IntArray,
    worth: FloatArray,
    recency: float,
    n_bars: int,
    tiny: float,
    counts: IntArray,
    sums: FloatArray,
) -> None:
    """Write wins and losses to counts[0:9] and sums[0:15].

    `worth`, the larger value that each trade bought or sold, may be empty. A deviation below
    `tiny` times the largest of results and values is rounding, and 0.
    """
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
        short = 0 if side[k] > 0 else 1
        if pnl[k] > 0.0:
            counts[0] += 1
            counts[2 + short] += 1
            sums[0] += result
            sums[2 + short] += result
            sums[6] = max(sums[6], result)
            sums[8 + short] = max(sums[8 + short], result)
            wins += 1
            losses = 0
            win_run += result
            loss_run = 0.0
        else:
            counts[1] += 1
            counts[4 + short] += 1
            sums[1] -= result
            sums[4 + short] -= result
            sums[7] = max(sums[7], -result)
            sums[10 + short] = max(sums[10 + short], -result)
            losses += 1
            wins = 0
            loss_run -= result
            win_run = 0.0
        counts[6] = max(counts[6], wins)
        counts[7] = max(counts[7], losses)
        sums[12] = max(sums[12], win_run)
        sums[13] = max(sums[13], loss_run)
        held = leave[k] - enter[k]
        counts[8] += held
        counts[9] = max(counts[9], held)
        term = max(term, abs(pnl[k]))
        step = pnl[k] - mean
        mean += step / (k + 1)
        square += step * (pnl[k] - mean)
    sums[14] = mean
    deviation = math.sqrt(square / (len(pnl) - 1)) if len(pnl) > 1 else 0.0
    sums[15] = deviation if deviation >= tiny * term else 0.0


@kernel
def equity_loop(
    equity: FloatArray,
    pnl: FloatArray,
    enter: IntArray,
    leave: IntArray,
    capital: float,
    balance: float,
    tiny: float,
    counts: IntArray,
    sums: FloatArray,
) -> None:
    """Write drawdowns, returns and the regression line to counts[10:14] and sums[16:24].

    `balance` is that of trades closed before. A deviation below `tiny` times the largest equity, or
    the capital, is rounding, and 0.
    """
    n = len(equity)
    n_trades = len(pnl)
    counts[10] = n
    peak = 0.0
    under = 0
    balance_peak = max(balance, 0.0)
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
    for t in range(n):
        value = equity[t]
        term = max(term, abs(value))
        while closed < n_trades and leave[closed] <= t:
            balance += pnl[closed]
            closed += 1
        balance_peak = max(balance_peak, balance)
        sums[16] = max(sums[16], balance_peak - value)
        if value >= peak:
            peak = value
            under = 0
        else:
            under += 1
            counts[12] += 1
            counts[13] = max(counts[13], under)
            depth = peak - value
            sums[17] = max(sums[17], depth)
            share = depth / (capital + peak)
            sums[18] = max(sums[18], share)
            retreat += share * share
        while entered < n_trades and enter[entered] <= t:
            until = max(until, leave[entered])
            entered += 1
        if t <= until:
            in_market += 1
            change_sum += value - previous
        previous = value
        total += value - base
        lean += (t - half) * (value - base)
    counts[11] = in_market
    mean_rise = total / n if n > 0 else 0.0
    mean_change = change_sum / in_market if in_market > 0 else 0.0
    # A second pass for the two variances: a difference of large sums would lose all digits.
    spread = 0.0
    square = 0.0
    previous = 0.0
    entered = 0
    until = -1
    for t in range(n):
        value = equity[t]
        rise = value - base - mean_rise
        spread += rise * rise
        while entered < n_trades and enter[entered] <= t:
            until = max(until, leave[entered])
            entered += 1
        if t <= until:
            off = value - previous - mean_change
            square += off * off
        previous = value
    sums[19] = mean_change / capital
    deviation = math.sqrt(square / (in_market - 1)) if in_market > 1 else 0.0
    sums[20] = deviation / capital if deviation >= tiny * term else 0.0
    width = n * (n * n - 1.0) / 12.0
    slope = lean / width if n > 1 else 0.0
    moves = spread > 0.0 and math.sqrt(spread / n) >= tiny * term
    sums[21] = slope * lean / spread if lean > 0.0 and moves else 0.0
    sums[22] = slope * (n - 1)
    sums[23] = math.sqrt(retreat / n) if n > 0 else 0.0
