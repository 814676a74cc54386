# SPDX-License-Identifier: BSD-3-Clause
"""Moments of very many pairs while their crossings are found: no trade is written down.

A pair is out, or in since a bar. The crossing that ends a trade adds it to the sums of its pair, in
the order of bars and with the arithmetic of `held.py`, so that figures are the same to the last
bit. What a crossing needs of its bar is worked out once a bar: `entries` (bars × 4) are the first
return of a trade that begins there, its cost, and the running sums of the price; `leaves` (bars +
1, × 4) the last return of one that ends there, its proceeds, and the sums up to the bar before; the
one after the last bar ends what is still open.

Of each pair `since` is the bar of its entry, -1: out, and `totals` (× 4) are the sums of returns
and of their squares, the worth of 1, and the number of trades.
"""

from __future__ import annotations

import numpy as np

from broadpeak._core.compile import inline_kernel, kernel
from broadpeak._simulation._kernels.held import SHIFT, sum_apart, write_moments
from broadpeak._simulation._kernels.layout import FEES, SLIP
from broadpeak._simulation._kernels.stops import setting
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray


@kernel
def terms_of_bars(
    price: FloatArray,
    close: FloatArray,
    values: FloatArray,
    at: IntArray,
    step: IntArray,
    sums: FloatArray,
    entries: FloatArray,
    leaves: FloatArray,
) -> float:
    """Write what trades that begin or end on each bar need of it; return the largest cost."""
    n = close.shape[0]
    most = 0.0
    for t in range(n + 1):
        k = max(t - 1, 0)
        if t < n:
            slip = setting(values, at, step, SLIP, t)
            rate = setting(values, at, step, FEES, t)
            cost = price[t] * (1.0 + slip) * (1.0 + rate)
            proceeds = price[t] * (1.0 - slip) * (1.0 - rate)
            entries[t, 0] = close[t] / cost - 1.0
            entries[t, 1] = cost
            entries[t, 2] = sums[t, 0]
            entries[t, 3] = sums[t, 1]
            most = max(most, cost)
        else:
            proceeds = close[k]
        leaves[t, 0] = proceeds / close[k] - 1.0
        leaves[t, 1] = proceeds
        leaves[t, 2] = sums[k, 0]
        leaves[t, 3] = sums[k, 1]
    return most


@inline_kernel
def stretch(
    first: float,
    last: float,
    start: float,
    end: float,
    base_start: float,
    lost_start: float,
    base_end: float,
    lost_end: float,
) -> float:
    """Return the sum over a trade of what is `first` and `last` of it, and of the bars between."""
    total: float = (
        first + sum_apart(start, end, base_start, lost_start, base_end, lost_end)
    ) + last
    return total


@kernel
def keep_wanted(codes: AnyArray, ends: IntArray, wanted: BoolArray) -> None:
    """Write codes over codes, without those of pairs that nobody wants."""
    n = np.uint64(0)
    e = np.uint64(0)
    for t in range(ends.shape[0]):
        last = np.uint64(ends[t])
        while e < last:
            code = np.uint32(codes[e])
            codes[n] = codes[e]
            n += np.uint64(wanted[code >> np.uint32(1)])
            e += np.uint64(1)
        ends[t] = n


@kernel
def deal_blocks(
    codes: AnyArray, ends: IntArray, out: AnyArray, starts: IntArray, of_blocks: IntArray
) -> None:
    """Put crossings, in the order of bars, to their blocks, with codes inside of these.

    `starts` (blocks + 1, 0 at first) is where those of each block begin, `of_blocks` (blocks ×
    bars) where those of each bar end, from there on. There are 2^k blocks, of which the lowest bits
    of a place say which: neighbours are of different ones, for to count two of one block one after
    the other is to wait for memory.
    """
    n_blocks = of_blocks.shape[0]
    mask = np.uint32(n_blocks - 1)
    down = np.uint32(1)
    while n_blocks >> int(down) > 0:
        down += np.uint32(1)
    for e in range(ends[ends.shape[0] - 1]):
        starts[((np.uint32(codes[np.uint64(e)]) >> np.uint32(1)) & mask) + np.uint32(1)] += 1
    for k in range(n_blocks):
        starts[k + 1] += starts[k]
    nexts = starts.astype(np.uint64)
    first = np.uint64(0)
    for t in range(ends.shape[0]):
        last = np.uint64(ends[t])
        while first < last:
            code = np.uint32(codes[first])
            block = (code >> np.uint32(1)) & mask
            at = nexts[block]
            out[at] = (code >> down) << np.uint32(1) | code & np.uint32(1)
            nexts[block] = at + np.uint64(1)
            first += np.uint64(1)
        for i in range(n_blocks):
            of_blocks[i, t] = nexts[i] - starts[i]


@kernel
def track(
    codes: AnyArray,
    ends: IntArray,
    begin: int,
    first: int,
    enters: int,
    entries: FloatArray,
    leaves: FloatArray,
    bases: FloatArray,
    thin: float,
    since: AnyArray,
    totals: FloatArray,
    doubtful: BoolArray,
) -> None:
    """Take in the crossings of the bars from `begin` on, of pairs from `first` on.

    A code is twice the pair, and 1 more where it crosses the other way; those whose lowest bit is
    `enters` are entries. `since` and the like are those of these pairs, others are left out. Pairs
    whose worth falls below `thin` become `doubtful`.
    """
    n = entries.shape[0]
    low, width = np.uint32(2 * first), np.uint32(2 * since.shape[0])
    flip = np.uint32(enters)
    room = np.uint64(64)
    opened, closed = np.empty(room, np.int32), np.empty(room, np.int32)
    begun, worths = np.empty(room, np.int32), np.empty(room)
    e = np.uint64(0)
    for b in range(ends.shape[0]):
        t = begin + b
        last = np.uint64(ends[b])
        if t >= n:
            break
        if last - e > room:
            room = np.uint64(2) * (last - e)
            opened, closed = np.empty(room, np.int32), np.empty(room, np.int32)
            begun, worths = np.empty(room, np.int32), np.empty(room)
        # No pair crosses twice on a bar. Entries and exits are told apart without a branch, which
        # would be guessed wrongly half of the time.
        n_opened, n_closed = np.uint64(0), np.uint64(0)
        while e < last:
            code = np.uint32(np.uint32(codes[e]) - low)
            is_here = np.uint64(code < width)
            leaves_now = np.uint64((code ^ flip) & np.uint32(1))
            pair = np.int32(code >> np.uint32(1))
            opened[n_opened] = pair
            closed[n_closed] = pair
            n_closed += is_here & leaves_now
            n_opened += is_here & ~leaves_now
            e += np.uint64(1)
        final, proceeds = leaves[t, 0], leaves[t, 1]
        end, end_squares = leaves[t, 2], leaves[t, 3]
        j = max(t - 1, 0) >> SHIFT
        base, lost, base_squares, lost_squares = bases[j, 0], bases[j, 1], bases[j, 2], bases[j, 3]
        # What is far away in memory is asked for first, as much of it at a time as there is.
        for i in range(n_closed):
            pair = closed[i]
            begun[i] = since[pair]
            since[pair] = -1
            worths[i] = totals[pair, 2]
        for i in range(n_closed):
            pair, x = closed[i], begun[i]
            if x < 0:
                continue
            k = x >> SHIFT
            start = entries[x, 0]
            totals[pair, 0] += stretch(
                start, final, entries[x, 2], end, bases[k, 0], bases[k, 1], base, lost
            )
            totals[pair, 1] += stretch(
                start * start, final * final, entries[x, 3], end_squares, bases[k, 2], bases[k, 3],
                base_squares, lost_squares,
            )  # fmt: skip
            worth = worths[i] * (proceeds / entries[x, 1])
            totals[pair, 2] = worth
            totals[pair, 3] += 1.0
            if not worth >= thin:
                doubtful[pair] = True
        for i in range(n_opened):
            pair = opened[i]
            if since[pair] < 0:
                since[pair] = t


@kernel
def write_tracked(
    out: FloatArray,
    codes: AnyArray,
    since: AnyArray,
    totals: FloatArray,
    doubtful: BoolArray,
    entries: FloatArray,
    leaves: FloatArray,
    bases: FloatArray,
    limits: FloatArray,
    cash: FloatArray,
    left: BoolArray,
) -> None:
    """Write end value, mean and deviation of columns, and which of them are `left` to others.

    Those are columns whose orders may be too small, and those of which rounding leaves too little.
    `since`, `totals` and `doubtful` have two rows where columns of both directions are there.
    """
    n = entries.shape[0]
    final, proceeds, end, end_squares = leaves[n, 0], leaves[n, 1], leaves[n, 2], leaves[n, 3]
    j = max(n - 1, 0) >> SHIFT
    for c in range(codes.shape[0]):
        side, pair = codes[c] & 1, codes[c] >> 1
        s, q = totals[side, pair, 0], totals[side, pair, 1]
        worth, m = totals[side, pair, 2], int(totals[side, pair, 3])
        x = since[side, pair]
        if x >= 0:
            k = x >> SHIFT
            first = entries[x, 0]
            s += stretch(
                first, final, entries[x, 2], end, bases[k, 0], bases[k, 1], bases[j, 0],
                bases[j, 1],
            )  # fmt: skip
            q += stretch(
                first * first, final * final, entries[x, 3], end_squares, bases[k, 2], bases[k, 3],
                bases[j, 2], bases[j, 3],
            )  # fmt: skip
            worth *= proceeds / entries[x, 1]
            m += 1
        sure = write_moments(out, c, n, m, s, q, worth, limits, cash[c])
        left[c] = doubtful[side, pair] or not sure
