# SPDX-License-Identifier: BSD-3-Clause
"""Figures of one column from its trades, in closed form: what they cost does not grow with bars.

Here all cash buys at an entry and everything is sold at an exit, so that between the two the
account changes as the price does. Sums over the bars held are differences of running sums of the
price's own changes, `PriceSums`. Trades come as rows of `bars` (entry, exit; an exit at the number
of bars: still open) and of `money` (entry price and fees as a share, exit price and fees), slippage
included. However trades were found, figures are made here, and so are the same to the last bit.
"""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import inline_kernel, kernel
from broadpeak._metrics._kernels.measures import downside_of, mean_of, std_of
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
from broadpeak._simulation._kernels.layout import MIN_ORDER, PriceSums
from broadpeak.types import AnyArray, FloatArray, IntArray

SHIFT = 4
BLOCK = 1 << SHIFT  # bars over which sums are plain; from block to block they are compensated
STRETCH = 1024  # changes of prices that are made at a time

ROUNDING = 2.0**-53  # of one operation
CERTAIN = 2e9  # how many times its bound of rounding a sum of squares must be, to be relied on
CERTAIN_MEAN = 1e11  # the same for a mean against its deviation
SMALL, UNSURE, UNSURE_DOWN = 1, 2, 4
NEARLY = 1.0 + 2.0**-50  # more than rounding adds to a product
CLEARLY = 1.0 + 1e-6  # how far an order must be from the smallest one for the loop to agree


@inline_kernel
def lost_in(a: float, b: float, total: float) -> float:
    """Return what rounding lost in ``total = a + b``."""
    t = total - a
    return (a - (total - t)) + (b - t)


@kernel
def add_price_sums(
    close: FloatArray, sums: FloatArray, bases: FloatArray, limits: FloatArray
) -> None:
    """Write running sums of one price's changes and of their squares.

    `sums` (bars × 2) begin anew with every block, `bases` (blocks × 4) are the sums before a block
    and what rounding lost of them. `limits`: the largest sum of squares of a block, and of all.
    """
    n = close.shape[0]
    changes = np.empty(STRETCH)
    changes[0] = 0.0
    total, lost, total_squares, lost_squares, top = 0.0, 0.0, 0.0, 0.0, 0.0
    for begin in range(0, n, STRETCH):
        end = min(begin + STRETCH, n)
        skip = 1 if begin == 0 else 0
        before = close[begin + skip - 1 : end - 1]
        after = close[begin + skip : end]
        out = changes[skip:]
        for t in range(after.shape[0]):
            out[t] = after[t] / before[t] - 1.0
        for first in range(begin, end, BLOCK):
            base = bases[first >> SHIFT]
            base[0] = total
            base[1] = lost
            base[2] = total_squares
            base[3] = lost_squares
            s = 0.0
            q = 0.0
            for t in range(first, min(first + BLOCK, end)):
                r = changes[t - begin]
                s += r
                q += r * r
                sums[t, 0] = s
                sums[t, 1] = q
            top = max(top, q)
            more = total + s
            lost += lost_in(total, s, more)
            total = more
            more = total_squares + q
            lost_squares += lost_in(total_squares, q, more)
            total_squares = more
    limits[0] = top
    limits[1] = total_squares


@kernel
def add_price_falls(
    close: FloatArray, downs: FloatArray, bases: FloatArray, ranges: FloatArray
) -> None:
    """Write running sums of squared losses of one price, and the shape of each block.

    `downs` (bars) and `bases` (blocks × 2) are as in `add_price_sums`; `ranges` (blocks × 3) hold
    the highest and lowest price of a block and the deepest fall inside it.
    """
    n = close.shape[0]
    total = 0.0
    lost = 0.0
    losses = np.empty(STRETCH)
    losses[0] = 0.0
    for begin in range(0, n, STRETCH):
        end = min(begin + STRETCH, n)
        skip = 1 if begin == 0 else 0
        before = close[begin + skip - 1 : end - 1]
        after = close[begin + skip : end]
        out = losses[skip:]
        for t in range(after.shape[0]):
            r = min(after[t] / before[t] - 1.0, 0.0)
            out[t] = r * r
        for first in range(begin, end, BLOCK):
            k = first >> SHIFT
            bases[k, 0] = total
            bases[k, 1] = lost
            d = 0.0
            high = close[first]
            low = high
            under = high  # lowest price since the highest one
            worst = 0.0
            for t in range(first, min(first + BLOCK, end)):
                d += losses[t - begin]
                downs[t] = d
                p = close[t]
                if p >= high:
                    if under < high:
                        worst = min(worst, under / high - 1.0)
                    high = p
                    under = p
                under = min(under, p)
                low = min(low, p)
            ranges[k, 0] = high
            ranges[k, 1] = low
            ranges[k, 2] = min(worst, under / high - 1.0)
            more = total + d
            lost += lost_in(total, d, more)
            total = more


@inline_kernel
def sum_apart(
    first: float,
    last: float,
    base_first: float,
    lost_first: float,
    base_last: float,
    lost_last: float,
) -> float:
    """Return the difference of two running sums: those inside blocks, and those before them."""
    total: float = (last - first) + ((base_last - base_first) + (lost_last - lost_first))
    return total


@inline_kernel
def held_sum(sums: FloatArray, bases: FloatArray, first: int, last: int, k: int) -> float:
    """Return the sum over bars first+1..last: 0 of changes, 1 of squares."""
    a = first >> SHIFT
    b = last >> SHIFT
    total: float = sum_apart(
        sums[first, k], sums[last, k], bases[a, 2 * k], bases[a, 2 * k + 1], bases[b, 2 * k],
        bases[b, 2 * k + 1],
    )  # fmt: skip
    return total


@inline_kernel
def trade_sums(
    e: int,
    x: int,
    cost: float,
    proceeds: float,
    close: FloatArray,
    sums: FloatArray,
    bases: FloatArray,
) -> tuple[float, float]:
    """Return the sums of returns and of their squares over a trade that was held at a close."""
    first = close[e] / cost - 1.0
    last = proceeds / close[x - 1] - 1.0
    s = (first + held_sum(sums, bases, e, x - 1, 0)) + last
    q = (first * first + held_sum(sums, bases, e, x - 1, 1)) + last * last
    return s, q


@inline_kernel
def bound_of_rounding(m: int, n: int, squares: float, top: float, whole: float) -> float:
    """Return how far off a sum of squares over `m` trades may be.

    Each stretch begins and ends inside a block, and ends a difference of sums over all bars.
    """
    apart = 4.0 * m * top + (m + 8.0) * squares
    return ROUNDING * (apart + (ROUNDING * 16.0 * n * whole if m > 0 else 0.0))


@kernel
def write_moments(
    out: FloatArray,
    c: int,
    n: int,
    m: int,
    s: float,
    q: float,
    worth: float,
    limits: FloatArray,
    cash: float,
) -> bool:
    """Write end value, mean and deviation; return whether rounding leaves enough digits of them.

    Over `n` bars and `m` trades `s` and `q` are the sums of returns and of their squares, and
    `worth` is the end value of 1.
    """
    mean = s / n
    squares = q - s * mean
    out[c, START] = cash
    out[c, END] = cash * worth
    out[c, BARS] = n
    out[c, FIRST] = 0.0
    out[c, LAST] = max(n - 1, 0)
    out[c, MEAN] = mean
    out[c, RETURN_TERM] = 1.0
    out[c, STD] = math.sqrt(max(squares, 0.0) / (n - 1)) if n > 1 else math.nan
    off = ROUNDING * (m + 8.0) * 16.0 * math.sqrt(limits[0]) * CERTAIN_MEAN if m > 0 else 0.0
    sure = squares >= CERTAIN * bound_of_rounding(m, n, q, limits[0], limits[1])
    return sure and squares * n >= off * off


@kernel
def add_moments(
    out: FloatArray,
    c: int,
    bars: IntArray,
    money: FloatArray,
    a: int,
    b: int,
    close: FloatArray,
    sums: FloatArray,
    bases: FloatArray,
    limits: FloatArray,
    cash: float,
) -> int:
    """Write end value, mean and deviation of trades a..b-1; return bits of what they leave open.

    SMALL: an order is so small that only the loop over orders knows its fate. UNSURE: rounding
    leaves too few digits of mean and deviation.
    """
    n = close.shape[0]
    m = b - a
    worth = 1.0
    least = math.inf
    s = 0.0
    q = 0.0
    for i in range(a, b):
        e = bars[i, 0]
        x = bars[i, 1]
        cost = money[i, 0] * (1.0 + money[i, 1])
        proceeds = money[i, 2] * (1.0 - money[i, 3])
        least = min(least, worth / cost)
        grown = proceeds / cost
        if x > e:
            more, squares = trade_sums(e, x, cost, proceeds, close, sums, bases)
        else:
            more = grown - 1.0
            squares = more * more
        s += more
        q += squares
        worth *= grown
    sure = write_moments(out, c, n, m, s, q, worth, limits, cash)
    small = 0 if cash * least >= MIN_ORDER * CLEARLY else SMALL
    return small if sure else small | UNSURE


@kernel
def add_downside(
    out: FloatArray,
    c: int,
    bars: IntArray,
    money: FloatArray,
    a: int,
    b: int,
    close: FloatArray,
    downs: FloatArray,
    bases: FloatArray,
    limits: FloatArray,
) -> bool:
    """Write the root mean square of losses of trades; return whether rounding leaves it."""
    n = close.shape[0]
    m = b - a
    d = 0.0
    for i in range(a, b):
        e = bars[i, 0]
        x = bars[i, 1]
        cost = money[i, 0] * (1.0 + money[i, 1])
        proceeds = money[i, 2] * (1.0 - money[i, 3])
        if x > e:
            first = min(close[e] / cost - 1.0, 0.0)
            last = min(proceeds / close[x - 1] - 1.0, 0.0)
            k = e >> SHIFT
            j = (x - 1) >> SHIFT
            far = (bases[j, 0] - bases[k, 0]) + (bases[j, 1] - bases[k, 1])
            d += (first * first + ((downs[x - 1] - downs[e]) + far)) + last * last
        else:
            last = min(proceeds / cost - 1.0, 0.0)
            d += last * last
    out[c, DOWN] = math.sqrt(max(d, 0.0) / n)
    return d >= CERTAIN * bound_of_rounding(m, n, d, limits[0], limits[1])


@inline_kernel
def deeper(worst: float, low: float, peak: float) -> float:
    """Return the deepest fall so far, given one more from `peak` to `low`."""
    return min(worst, low / peak - 1.0)


@kernel
def price_range(
    close: FloatArray, ranges: FloatArray, first: int, last: int, worst: float
) -> tuple[float, float, float]:
    """Return the highest and lowest close of bars first..last, and the deepest fall so far.

    A fall is the ratio of two prices, so that the result does not depend on where blocks begin.
    Most are not as deep as `worst`, which a product tells without a division.
    """
    high = close[first]
    low = high
    reach = (1.0 + worst) * NEARLY
    # Bars up to where a block begins, whole blocks, and the bars after them.
    middle = min((first + BLOCK - 1) & ~(BLOCK - 1), last + 1)
    after = max((last + 1) & ~(BLOCK - 1), middle)
    for part in range(2):
        for t in range(first if part == 0 else after, middle if part == 0 else last + 1):
            p = close[t]
            high = max(high, p)
            low = min(low, p)
            if p < high * reach:
                worst = deeper(worst, p, high)
                reach = (1.0 + worst) * NEARLY
        for k in range(middle >> SHIFT, (after if part == 0 else middle) >> SHIFT):
            under = ranges[k, 1]
            low = min(low, under)
            worst = min(worst, ranges[k, 2])
            if under < high * reach:
                worst = deeper(worst, under, high)
                reach = (1.0 + worst) * NEARLY
            high = max(high, ranges[k, 0])
    return high, low, worst


@kernel
def add_depth(
    out: FloatArray,
    c: int,
    bars: IntArray,
    money: FloatArray,
    a: int,
    b: int,
    close: FloatArray,
    ranges: FloatArray,
) -> None:
    """Write the deepest fall of the value of trades from its peak; the first is the start."""
    worth = 1.0
    peak = 1.0
    worst = 0.0
    for i in range(a, b):
        e = bars[i, 0]
        x = bars[i, 1]
        cost = money[i, 0] * (1.0 + money[i, 1])
        units = worth / cost
        if x > e:
            high, low, worst = price_range(close, ranges, e, x - 1, worst)
            worst = deeper(worst, units * low, peak)
            peak = max(peak, units * high)
        worth *= money[i, 2] * (1.0 - money[i, 3]) / cost
        worst = deeper(worst, worth, peak)
        peak = max(peak, worth)
    out[c, DEPTH] = worst


@kernel
def add_results(
    out: FloatArray, c: int, bars: IntArray, money: FloatArray, a: int, b: int, n: int, cash: float
) -> None:
    """Write the statistics of trades, as of their records; an exit at bar `n` is none."""
    worth = 1.0
    mean = 0.0
    squares = 0.0
    for i in range(a, b):
        e = bars[i, 0]
        x = bars[i, 1]
        entry = money[i, 0]
        price = money[i, 2]
        cost = entry * (1.0 + money[i, 1])
        size = cash * worth / cost
        worth *= price * (1.0 - money[i, 3]) / cost
        fees = size * entry * money[i, 1]
        exit_fees = size * price * money[i, 3]
        pnl = (price - entry) * size - fees - exit_fees
        out[c, TRADE_COUNT] += 1.0
        out[c, NET] += pnl
        out[c, FEES_PAID] += fees + exit_fees
        out[c, EXPOSED] += x - e
        if x == n:
            continue
        out[c, CLOSED] += 1.0
        if pnl > 0.0:
            out[c, WINS] += 1.0
            out[c, GAINS] += pnl
            out[c, LARGEST_WIN] = max(out[c, LARGEST_WIN], pnl)
        else:
            out[c, LOSSES] -= pnl
            out[c, LARGEST_LOSS] = min(out[c, LARGEST_LOSS], pnl)
        out[c, BARS_HELD] += x - e
        out[c, TRADE_TERM] = max(out[c, TRADE_TERM], size * max(entry, price), abs(pnl))
        step = pnl - mean
        mean += step / out[c, CLOSED]
        squares += step * (pnl - mean)
    closed = out[c, CLOSED]
    out[c, PNL_MEAN] = mean if closed > 0.0 else math.nan
    out[c, PNL_STD] = math.sqrt(squares / (closed - 1.0)) if closed > 1.0 else math.nan


@kernel
def trade_returns(
    bars: IntArray, money: FloatArray, a: int, b: int, close: FloatArray, out: FloatArray
) -> int:
    """Write the returns of the bars of trades, all others are 0; return how many."""
    k = 0
    for i in range(a, b):
        e = bars[i, 0]
        x = bars[i, 1]
        cost = money[i, 0] * (1.0 + money[i, 1])
        proceeds = money[i, 2] * (1.0 - money[i, 3])
        if x > e:
            out[k] = close[e] / cost - 1.0
            k += 1
            held = close[e:x]
            for t in range(1, held.shape[0]):
                out[k] = held[t] / held[t - 1] - 1.0
                k += 1
            if x < close.shape[0]:
                out[k] = proceeds / close[x - 1] - 1.0
                k += 1
        else:
            out[k] = proceeds / cost - 1.0
            k += 1
    return k


@kernel
def walk_moments(
    out: FloatArray,
    c: int,
    needs: int,
    bars: IntArray,
    money: FloatArray,
    a: int,
    b: int,
    close: FloatArray,
) -> None:
    """Write mean, deviation and downside of trades from the return of every bar held."""
    n = close.shape[0]
    returns = np.empty(n)
    k = trade_returns(bars, money, a, b, close, returns)
    if needs & MOMENTS != 0:
        out[c, MEAN] = mean_of(returns[:k], n - k)
        out[c, STD] = std_of(returns[:k], out[c, MEAN], n - k)
    if needs & DOWNSIDE != 0:
        out[c, DOWN] = downside_of(returns[:k], n - k)


@kernel
def add_figures(
    out: FloatArray,
    c: int,
    needs: int,
    bars: IntArray,
    money: FloatArray,
    m: int,
    close: FloatArray,
    table: PriceSums,
    row: int,
    cash: float,
) -> None:
    """Write what is needed of `m` trades, and the moments."""
    limits = table.limits[row]
    state = add_moments(
        out, c, bars, money, 0, m, close, table.sums[row], table.bases[row], limits, cash
    )
    # What the downside is of, such as the Sortino ratio, has the mean above it.
    walk = MOMENTS if state & UNSURE != 0 and needs & (MOMENTS | DOWNSIDE) != 0 else 0
    if needs & DOWNSIDE != 0:
        downs = table.downs[row]
        bases = table.down_bases[row]
        if not add_downside(out, c, bars, money, 0, m, close, downs, bases, limits):
            walk |= DOWNSIDE
    if walk != 0:
        walk_moments(out, c, walk, bars, money, 0, m, close)
    if needs & DRAWDOWN != 0:
        add_depth(out, c, bars, money, 0, m, close, table.ranges[row])
    if needs & TRADES != 0:
        add_results(out, c, bars, money, 0, m, close.shape[0], cash)


# The same for columns whose trades stand one after another, those of column c at
# ``starts[c]:starts[c + 1]``; `rows` are those of prices and `places` those of their sums. A kernel
# for each figure, so that only what is asked is compiled. Slices of arrays are made where a row is
# another one, for each costs as much as a trade.


@kernel
def moments_of_columns(
    out: FloatArray,
    starts: IntArray,
    bars: IntArray,
    money: FloatArray,
    close: FloatArray,
    rows: IntArray,
    places: IntArray,
    sums: FloatArray,
    bases: FloatArray,
    limits: FloatArray,
    cash: FloatArray,
    state: AnyArray,
) -> None:
    """Write `add_moments` of columns, and what they leave open."""
    c = int(np.int64(0))  # typed, so that what it calls compiles once
    while c < out.shape[0]:
        row, p = rows[c], places[c]
        price, price_sums, price_bases, bounds = close[row], sums[p], bases[p], limits[p]
        while c < out.shape[0] and rows[c] == row:
            state[c] = add_moments(
                out, c, bars, money, starts[c], starts[c + 1], price, price_sums, price_bases,
                bounds, cash[c],
            )  # fmt: skip
            c += 1


@kernel
def downsides_of_columns(
    out: FloatArray,
    starts: IntArray,
    bars: IntArray,
    money: FloatArray,
    close: FloatArray,
    rows: IntArray,
    places: IntArray,
    downs: FloatArray,
    bases: FloatArray,
    limits: FloatArray,
    state: AnyArray,
) -> None:
    """Write `add_downside` of columns, and add to what they leave open."""
    c = int(np.int64(0))  # typed, so that what it calls compiles once
    while c < out.shape[0]:
        row, p = rows[c], places[c]
        price, price_downs, price_bases, bounds = close[row], downs[p], bases[p], limits[p]
        while c < out.shape[0] and rows[c] == row:
            a, b = starts[c], starts[c + 1]
            if not add_downside(out, c, bars, money, a, b, price, price_downs, price_bases, bounds):
                state[c] |= UNSURE_DOWN
            c += 1


@kernel
def walk_columns(
    out: FloatArray,
    starts: IntArray,
    bars: IntArray,
    money: FloatArray,
    close: FloatArray,
    rows: IntArray,
    state: AnyArray,
) -> None:
    """Write what columns are unsure of, bar by bar."""
    for c in range(out.shape[0]):
        walk = MOMENTS if state[c] & UNSURE != 0 else 0
        walk |= DOWNSIDE if state[c] & UNSURE_DOWN != 0 else 0
        if walk != 0:
            a, b = starts[c], starts[c + 1]
            walk_moments(out, c, walk, bars, money, a, b, close[rows[c]])


@kernel
def depths_of_columns(
    out: FloatArray,
    starts: IntArray,
    bars: IntArray,
    money: FloatArray,
    close: FloatArray,
    rows: IntArray,
    places: IntArray,
    ranges: FloatArray,
) -> None:
    """Write `add_depth` of columns."""
    c = int(np.int64(0))  # typed, so that what it calls compiles once
    while c < out.shape[0]:
        row = rows[c]
        price, blocks = close[row], ranges[places[c]]
        while c < out.shape[0] and rows[c] == row:
            add_depth(out, c, bars, money, starts[c], starts[c + 1], price, blocks)
            c += 1


@kernel
def results_of_columns(
    out: FloatArray,
    starts: IntArray,
    bars: IntArray,
    money: FloatArray,
    n_bars: int,
    cash: FloatArray,
) -> None:
    """Write `add_results` of columns."""
    for c in range(out.shape[0]):
        add_results(out, c, bars, money, starts[c], starts[c + 1], n_bars, cash[c])


@kernel
def empty_table(n_rows: int, n_bars: int, falls: bool) -> PriceSums:
    """Return room for the sums of so many prices."""
    n_blocks = (n_bars + BLOCK - 1) >> SHIFT
    more = n_rows if falls else 0
    return PriceSums(
        np.empty((n_rows, n_bars, 2)),
        np.empty((n_rows, n_blocks, 4)),
        np.empty((n_rows, 2)),
        np.empty((more, n_bars)),
        np.empty((more, n_blocks, 2)),
        np.empty((more, n_blocks, 3)),
    )


@kernel
def fill_table(table: PriceSums, row: int, close: FloatArray) -> None:
    """Write the sums of one price into a row of the table, and its falls where there is room."""
    add_price_sums(close, table.sums[row], table.bases[row], table.limits[row])
    if table.downs.shape[0] > 0:
        add_price_falls(close, table.downs[row], table.down_bases[row], table.ranges[row])
