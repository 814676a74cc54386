# SPDX-License-Identifier: BSD-3-Clause
"""Exits by stops as tables: what a stop does depends on the entry bar and its level alone.

For every bar on which anything is bought, and every level, a table holds the bar of the exit, its
price, and the sums of returns until then. A trade takes them where the exit comes before its own
signal, over all levels in one loop that vectorises. This holds only where nothing is bought again
between a stop and the exit signal it was ahead of; `enters_again` finds the columns that would.
"""

from __future__ import annotations

import math

import numpy as np

from broadpeak._core.compile import kernel
from broadpeak._metrics._kernels.summary import BARS, END, LAST, MEAN, RETURN_TERM, START, STD
from broadpeak._simulation._kernels.held import (
    CERTAIN,
    CERTAIN_MEAN,
    CLEARLY,
    ROUNDING,
    SMALL,
    UNSURE,
    bound_of_rounding,
    trade_sums,
)
from broadpeak._simulation._kernels.layout import FEES, LONG_IN, LONG_OUT, MIN_ORDER, SLIP
from broadpeak._simulation._kernels.stops import (
    LIFE,
    STOP,
    TARGET,
    TARGETED,
    TRAIL,
    Levels,
    setting,
    stop_touched,
)
from broadpeak.types import AnyArray, FloatArray, IntArray

NEVER = (1 << 31) - 1  # bar of an exit that does not happen
NEAR = 1.0 - 1e-9  # a figure this close to a bound may reach it

# What a floor looks at, and from which side; `NO_FLOOR`: nothing is left out.
NO_FLOOR, BY_SHARPE, BY_END = range(3)


@kernel
def enters_again(starts: IntArray, actions: AnyArray, again: AnyArray) -> None:
    """Mark the columns with an entry while they are held already."""
    for c in range(starts.shape[0] - 1):
        held = False
        found = False
        for i in range(starts[c], starts[c + 1]):
            if actions[i] & LONG_IN != 0:
                found |= held
                held = True
            elif actions[i] & LONG_OUT != 0:
                held = False
        again[c] = found


@kernel
def mark_entries(
    starts: IntArray, bars: IntArray, rows: IntArray, late: int, until: AnyArray
) -> None:
    """Note for each price and entry bar the last bar on which a stop still matters."""
    n = until.shape[1]
    for c in range(starts.shape[0] - 1):
        for i in range(starts[c], starts[c + 1]):
            e = bars[i, 0]
            until[rows[c], e] = max(until[rows[c], e], min(bars[i, 1] - late, n - 1))


@kernel
def fill_exits(
    first: int,
    last: int,
    entries: IntArray,
    until: AnyArray,
    late: int,
    by_price: bool,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    axis: tuple[FloatArray, FloatArray, FloatArray],
    numbers: IntArray,
    lives: FloatArray,
    values: FloatArray,
    at: IntArray,
    step: IntArray,
    sums: FloatArray,
    bases: FloatArray,
    exit_bars: AnyArray,
    exit_prices: FloatArray,
    totals: FloatArray,
    squares: FloatArray,
    growths: FloatArray,
) -> None:
    """Write the exits of entries first..last-1 of one price.

    `axis` are the distances of stops, targets and trails, each ascending, and `numbers` which of
    them a level has, -1 for none (3 × levels). A kind of a single distance that is NaN is read from
    the settings, at the signal bar; so is a lifetime where there are no `lives` of levels.
    `growths` are the smallest of any level.
    """
    stops, targets, trails = axis[0].copy(), axis[1].copy(), axis[2].copy()
    read_stop = stops.shape[0] == 1 and math.isnan(stops[0])
    read_target = targets.shape[0] == 1 and math.isnan(targets[0])
    read_trail = trails.shape[0] == 1 and math.isnan(trails[0])
    read_life = lives.shape[0] == 0
    n_stops, n_targets, n_trails = stops.shape[0], targets.shape[0], trails.shape[0]
    stop_bars = np.empty(n_stops, np.int64)
    target_bars = np.empty(n_targets, np.int64)
    trail_bars = np.empty(n_trails, np.int64)
    peaks = np.empty(n_trails)
    n = close.shape[0]
    prices = open_ if late == 1 else close
    for k in range(first, last):
        e = entries[k]
        seen = e - late
        price = prices[e] * (1.0 + setting(values, at, step, SLIP, e))
        cost = price * (1.0 + setting(values, at, step, FEES, e))
        if read_stop:
            stops[0] = setting(values, at, step, STOP, seen)
        if read_target:
            targets[0] = setting(values, at, step, TARGET, seen)
        if read_trail:
            trails[0] = setting(values, at, step, TRAIL, seen)
        # First passages: of ascending distances the nearest are met first.
        stop_bars[:] = NEVER
        target_bars[:] = NEVER
        trail_bars[:] = NEVER
        i, j, h = 0, 0, 0
        peak = price
        for t in range(e + 1 - late, until[k] + 1):
            worst = min(low[t], open_[t])
            best = max(high[t], open_[t])
            while i < n_stops and worst <= (
                price - stops[i] if by_price else price * (1.0 - stops[i])
            ):
                stop_bars[i] = t
                i += 1
            while h < n_trails and worst <= (
                peak - trails[h] if by_price else peak * (1.0 - trails[h])
            ):
                trail_bars[h] = t
                peaks[h] = peak
                h += 1
            while j < n_targets and best >= (
                price + targets[j] if by_price else price * (1.0 + targets[j])
            ):
                target_bars[j] = t
                j += 1
            if i == n_stops and j == n_targets and h == n_trails:
                break
            if high[t] > peak:
                peak = high[t]
        least = math.inf
        for v in range(exit_bars.shape[1]):
            s, g, r = numbers[0, v], numbers[1, v], numbers[2, v]
            bar = NEVER
            stop, target, trail, top = -math.inf, math.inf, math.nan, 0.0
            if s >= 0 and stop_bars[s] != NEVER:
                stop = price - stops[s] if by_price else price * (1.0 - stops[s])
                bar = stop_bars[s]
            if r >= 0 and trail_bars[r] <= bar and trail_bars[r] != NEVER:
                bar = trail_bars[r]
            if g >= 0 and target_bars[g] <= bar and target_bars[g] != NEVER:
                bar = target_bars[g]
            if g >= 0:
                target = price + targets[g] if by_price else price * (1.0 + targets[g])
            if r >= 0 and trail_bars[r] == bar and bar != NEVER:
                # A trail that is not touched on this bar is below a stop that is.
                trail = trails[r] if by_price else 1.0 - trails[r]
                top = peaks[r]
            life = setting(values, at, step, LIFE, seen) if read_life else lives[v]
            due = NEVER
            if 0.0 < life < n and e + math.ceil(life) < n:
                due = e + math.ceil(life)
            if due < bar or (due == bar and late == 1 and due != NEVER):
                # At opens a lifetime ends before the stops of its bar, at closes after them.
                bar = due
                raw = prices[bar]
                slip = setting(values, at, step, SLIP, bar)
            elif bar != NEVER:
                levels = Levels(stop, target, trail, top, math.inf)
                reason, raw, _ = stop_touched(
                    open_[bar], low[bar], high[bar], levels, top, by_price
                )
                slip = 0.0 if reason == TARGETED else setting(values, at, step, SLIP, bar)
            else:
                exit_bars[k, v] = NEVER
                exit_prices[k, v] = 0.0
                totals[k, v] = 0.0
                squares[k, v] = 0.0
                continue
            out = raw * (1.0 - slip)
            proceeds = out * (1.0 - setting(values, at, step, FEES, bar))
            if bar > e:
                total, square = trade_sums(e, bar, cost, proceeds, close, sums, bases)
            else:
                total = proceeds / cost - 1.0
                square = total * total
            exit_bars[k, v] = bar
            exit_prices[k, v] = out
            totals[k, v] = total
            squares[k, v] = square
            least = min(least, proceeds / cost)
        growths[k] = least


@kernel
def sums_of_trades(
    starts: IntArray,
    bars: IntArray,
    money: FloatArray,
    rows: IntArray,
    close: FloatArray,
    sums: FloatArray,
    bases: FloatArray,
    out: FloatArray,
) -> None:
    """Write for each trade as signals end it the sums of returns and squares, and its growth."""
    c = 0
    while c < starts.shape[0] - 1:
        p = rows[c]
        price, price_sums, price_bases = close[p], sums[p], bases[p]
        while c < starts.shape[0] - 1 and rows[c] == p:
            for i in range(starts[c], starts[c + 1]):
                e, x = bars[i, 0], bars[i, 1]
                cost = money[i, 0] * (1.0 + money[i, 1])
                proceeds = money[i, 2] * (1.0 - money[i, 3])
                total, square = trade_sums(e, x, cost, proceeds, price, price_sums, price_bases)
                out[i, 0] = total
                out[i, 1] = square
                out[i, 2] = proceeds / cost
            c += 1


@kernel
def add_worths(
    worth: FloatArray,
    least: FloatArray,
    first: int,
    last: int,
    bars: IntArray,
    money: FloatArray,
    own: FloatArray,
    p: int,
    places: AnyArray,
    late: int,
    rate: float,
    exit_bars: AnyArray,
    exit_prices: FloatArray,
) -> None:
    """Write what trades first..last-1 of a column leave of 1 at each level, and the least units.

    That is the smallest number of units that 1 buys at any entry.
    """
    worth[:] = 1.0
    least[:] = math.inf
    for i in range(first, last):
        k = places[p, bars[i, 0]]
        x = np.int32(bars[i, 1] - late)
        cost = money[i, 0] * (1.0 + money[i, 1])
        grown = own[i, 2]
        for v in range(worth.shape[0]):
            least[v] = min(least[v], worth[v] / cost)
            stopped = exit_prices[k, v] * (1.0 - rate) / cost
            worth[v] *= stopped if exit_bars[k, v] <= x else grown


@kernel
def exit_moments(
    first: int,
    last: int,
    starts: IntArray,
    bars: IntArray,
    money: FloatArray,
    own: FloatArray,
    rows: IntArray,
    places: AnyArray,
    late: int,
    rate: float,
    n_bars: int,
    limits: FloatArray,
    exit_bars: AnyArray,
    exit_prices: FloatArray,
    totals: FloatArray,
    squares: FloatArray,
    growths: FloatArray,
    cash: FloatArray,
    floor: int,
    low: bool,
    bound: float,
    skipped: AnyArray,
    out: FloatArray,
    positions: IntArray,
    state: AnyArray,
) -> tuple[int, int]:
    """Write the moments of columns from `first` on at every level, of those a floor leaves.

    Stop before `last` where there is no room for a column; return the column after and the number
    of rows. `positions` are column · levels + level; `state` is as of `add_moments`.
    """
    levels = totals.shape[1]
    s = np.empty(levels)
    q = np.empty(levels)
    worth = np.empty(levels)
    units = np.empty(levels)
    kept = np.empty(levels, np.bool_)
    side = -1.0 if low else 1.0
    goal = side * bound
    c = first
    m = 0
    while c < last and m + levels <= positions.shape[0]:
        if skipped[c]:
            c += 1
            continue
        a, b = starts[c], starts[c + 1]
        p = rows[c]
        top, whole = limits[p, 0], limits[p, 1]
        s[:] = 0.0
        q[:] = 0.0
        least = math.inf
        lowest = 1.0
        for i in range(a, b):
            k = places[p, bars[i, 0]]
            x = np.int32(bars[i, 1] - late)
            total, square = own[i, 0], own[i, 1]
            for v in range(levels):
                hit = exit_bars[k, v] <= x
                s[v] += totals[k, v] if hit else total
                q[v] += squares[k, v] if hit else square
            least = min(least, lowest / (money[i, 0] * (1.0 + money[i, 1])))
            lowest *= min(growths[k], own[i, 2])
        n_trades = b - a
        # The worst level of every trade, one after another, is worse than any one level.
        some_small = not cash[c] * least >= MIN_ORDER * CLEARLY
        off = 0.0
        if n_trades > 0:
            off = ROUNDING * (n_trades + 8.0) * 16.0 * math.sqrt(top) * CERTAIN_MEAN
        found_worths = some_small or floor != BY_SHARPE
        if found_worths:
            add_worths(
                worth, units, a, b, bars, money, own, p, places, late, rate, exit_bars, exit_prices
            )
        # What cannot be told apart from the bound stays.
        some = floor == NO_FLOOR
        if floor == NO_FLOOR:
            kept[:] = True
        elif floor == BY_SHARPE:
            goal_squares = goal * goal * (NEAR if goal > 0.0 else 2.0 - NEAR) / (n_bars - 1)
            for v in range(levels):
                mean = s[v] / n_bars
                rest = q[v] - s[v] * mean
                unsure = not (
                    rest >= CERTAIN * bound_of_rounding(n_trades, n_bars, q[v], top, whole)
                )
                unsure |= not (rest * n_bars >= off * off)
                mean *= side
                if goal > 0.0:
                    keep = (mean > 0.0) & (mean * mean >= goal_squares * rest)
                else:
                    keep = (mean >= 0.0) | (mean * mean <= goal_squares * rest)
                kept[v] = keep | unsure
                some |= kept[v]
        else:
            goal_worth = bound / cash[c]
            for v in range(levels):
                if low:
                    kept[v] = worth[v] * NEAR <= goal_worth
                else:
                    kept[v] = worth[v] >= goal_worth * NEAR
                some |= kept[v]
        if some_small:
            for v in range(levels):
                kept[v] |= not cash[c] * units[v] >= MIN_ORDER * CLEARLY
                some |= kept[v]
        if some:
            if not found_worths:
                add_worths(
                    worth, units, a, b, bars, money, own, p, places, late, rate, exit_bars,
                    exit_prices,
                )  # fmt: skip
            for v in range(levels):
                if not kept[v]:
                    continue
                mean = s[v] / n_bars
                rest = q[v] - s[v] * mean
                out[m, START] = cash[c]
                out[m, END] = cash[c] * worth[v]
                out[m, BARS] = n_bars
                out[m, LAST] = n_bars - 1
                out[m, MEAN] = mean
                out[m, RETURN_TERM] = 1.0
                out[m, STD] = math.sqrt(max(rest, 0.0) / (n_bars - 1)) if n_bars > 1 else math.nan
                sure = rest >= CERTAIN * bound_of_rounding(n_trades, n_bars, q[v], top, whole)
                sure = sure and rest * n_bars >= off * off
                small = not cash[c] * units[v] >= MIN_ORDER * CLEARLY
                state[m] = (SMALL if small else 0) | (0 if sure else UNSURE)
                positions[m] = c * levels + v
                m += 1
        c += 1
    return c, m


@kernel
def trades_of_cells(
    first: int,
    positions: IntArray,
    starts: IntArray,
    bars: IntArray,
    money: FloatArray,
    rows: IntArray,
    places: AnyArray,
    late: int,
    rate: float,
    exit_bars: AnyArray,
    exit_prices: FloatArray,
    cell_starts: IntArray,
    cell_bars: IntArray,
    cell_money: FloatArray,
) -> int:
    """Write the trades of single levels from position number `first` on while there is room.

    Return the number after the last one. There is room for those of one column at least.
    """
    levels = exit_bars.shape[1]
    k = 0
    i = first
    cell_starts[0] = 0
    while i < positions.shape[0]:
        c, v = positions[i] // levels, positions[i] % levels
        if k + starts[c + 1] - starts[c] > cell_bars.shape[0]:
            return i
        for j in range(starts[c], starts[c + 1]):
            place = places[rows[c], bars[j, 0]]
            bar = exit_bars[place, v]
            cell_bars[k, 0] = bars[j, 0]
            cell_money[k, 0] = money[j, 0]
            cell_money[k, 1] = money[j, 1]
            if bar <= bars[j, 1] - late:
                cell_bars[k, 1] = bar
                cell_money[k, 2] = exit_prices[place, v]
                cell_money[k, 3] = rate
            else:
                cell_bars[k, 1] = bars[j, 1]
                cell_money[k, 2] = money[j, 2]
                cell_money[k, 3] = money[j, 3]
            k += 1
        i += 1
        cell_starts[i - first] = k
    return i
