# SPDX-License-Identifier: BSD-3-Clause
"""Crossings of pairs, each compared on all bars; and lists of events taken apart and together.

A word is 64 bars, one bit a bar.
"""

from __future__ import annotations

import numpy as np

from broadpeak._core.compile import inline_kernel, kernel
from broadpeak._simulation._kernels.kinetic import first_value, with_room
from broadpeak.types import AnyArray, FloatArray, IntArray

BARS = 64
NO_SIDE, ABOVE, BELOW = 0, 1, 2


# Every six bits of this number that follow one another are different: multiplied by a power of two,
# its highest six say which.
_SEQUENCE = 0x03F79D71B4CB0A89
_POSITIONS = np.zeros(64, np.int32)
for _k in range(64):
    _POSITIONS[((_SEQUENCE << _k) & 0xFFFFFFFFFFFFFFFF) >> 58] = _k


@inline_kernel
def lowest_bit(word: np.uint64) -> int:
    """Return the position of the lowest bit of a word that is not empty."""
    alone = word & (~word + np.uint64(1))
    return int(_POSITIONS[(alone * np.uint64(_SEQUENCE)) >> np.uint64(58)])


@kernel
def compared_rows(left: FloatArray, right: FloatArray, t: int) -> tuple[np.uint64, np.uint64]:
    """Return on which of the 64 bars from `t` on left is above right, and on which below."""
    above, below = np.uint64(0), np.uint64(0)
    a, b = left[t : t + BARS], right[t : t + BARS]
    for q in range(BARS):
        above |= np.uint64(a[q] > b[q]) << np.uint64(q)
        below |= np.uint64(a[q] < b[q]) << np.uint64(q)
    return above, below


@kernel
def compared_level(left: FloatArray, level: float, t: int) -> tuple[np.uint64, np.uint64]:
    """Return on which of the 64 bars from `t` on a row is above a level, and on which below."""
    above, below = np.uint64(0), np.uint64(0)
    a = left[t : t + BARS]
    for q in range(BARS):
        above |= np.uint64(a[q] > level) << np.uint64(q)
        below |= np.uint64(a[q] < level) << np.uint64(q)
    return above, below


@kernel
def crossings_of_word(
    left: FloatArray, right: FloatArray, t: int, first: int, last: int, side: int
) -> tuple[np.uint64, np.uint64, int]:
    """Return where left rises above and falls below right, bar by bar, and the side at the end.

    Bars are t + first to t + last - 1. Equality keeps the side; a missing value forgets it.
    """
    rises, falls = np.uint64(0), np.uint64(0)
    is_row = right.shape[0] > 1
    for q in range(first, last):
        a = left[t + q]
        b = right[t + q] if is_row else right[0]
        if a > b:
            if side == BELOW:
                rises |= np.uint64(1) << np.uint64(q)
            side = ABOVE
        elif a < b:
            if side == ABOVE:
                falls |= np.uint64(1) << np.uint64(q)
            side = BELOW
        elif a != b:
            side = NO_SIDE
    return rises, falls, side


@kernel
def compare(
    left: FloatArray,
    left_rows: IntArray,
    right: FloatArray,
    right_rows: IntArray,
    up: int,
    down: int,
    starts: IntArray,
) -> tuple[AnyArray, AnyArray]:
    """Write where the events of each column begin, and return their bars and actions.

    `up` is the action where left rises above right, `down` where it falls below; 0: none.
    """
    n_bars = left.shape[1]
    n_columns = left_rows.shape[0]
    whole = n_bars - n_bars % BARS
    bars = np.empty(n_bars + 8 * n_columns, np.int32)
    actions = np.empty(bars.shape[0], np.uint8)
    rising = ~np.uint64(0) if up != 0 else np.uint64(0)
    falling = ~np.uint64(0) if down != 0 else np.uint64(0)
    left_begins = np.full(left.shape[0], -1, np.int64)  # of the rows seen so far
    right_begins = np.full(right.shape[0], -1, np.int64)
    n = 0
    starts[0] = 0
    for c in range(n_columns):
        if n + n_bars > bars.shape[0]:
            size = 2 * bars.shape[0] + n_bars
            bars, actions = with_room(bars, n, size), with_room(actions, n, size)
        i, j = left_rows[c], right_rows[c]
        a, b = left[i], right[j]
        is_row = b.shape[0] == n_bars
        if left_begins[i] < 0:
            left_begins[i] = first_value(a)
        if right_begins[j] < 0:
            right_begins[j] = first_value(b) if is_row else 0
        begin = max(left_begins[i], right_begins[j])
        t = begin - begin % BARS
        first = begin % BARS
        side = NO_SIDE
        while t < n_bars:
            if t < whole:
                above, below = compared_rows(a, b, t) if is_row else compared_level(a, b[0], t)
                if ((above | below) | ((np.uint64(1) << np.uint64(first)) - np.uint64(1))) != ~(
                    np.uint64(0)
                ):
                    rises, falls, side = crossings_of_word(a, b, t, first, BARS, side)
                else:
                    # Where it was above: a bar later, and the side before the first.
                    before = (above << np.uint64(1)) | np.uint64(side == ABOVE)
                    rises, falls = above & ~before, below & before
                    if side == NO_SIDE:
                        here = ~(np.uint64(1) << np.uint64(first))
                        rises, falls = rises & here, falls & here
                    side = ABOVE if above >> np.uint64(63) != np.uint64(0) else BELOW
            else:
                rises, falls, side = crossings_of_word(a, b, t, first, n_bars - t, side)
            events = (rises & rising) | (falls & falling)
            while events != np.uint64(0):
                q = lowest_bit(events)
                bars[n] = t + q
                actions[n] = up if (rises >> np.uint64(q)) & np.uint64(1) != np.uint64(0) else down
                n += 1
                events &= events - np.uint64(1)
            first = 0
            t += BARS
        starts[c + 1] = n
    return bars[:n], actions[:n]


@kernel
def split_events(events: AnyArray, actions: AnyArray, up: int, down: int) -> None:
    """Write bars over events as `scatter` makes them, and their actions."""
    for e in range(events.shape[0]):
        event = events[e]
        actions[e] = down if event & 1 != 0 else up
        events[e] = event >> 1


@kernel
def deal(
    starts: IntArray,
    events: AnyArray,
    codes: AnyArray,
    up: int,
    down: int,
    out_starts: IntArray,
    bars: AnyArray,
    actions: AnyArray,
) -> int:
    """Write the events of each column, whose pair and direction are its code; return how many."""
    n = 0
    for c in range(codes.shape[0]):
        pair, turned = codes[c] >> 1, codes[c] & 1
        out_starts[c] = n
        if pair < starts.shape[0] - 1:
            for e in range(starts[pair], starts[pair + 1]):
                action = down if (events[e] & 1) != turned else up
                if action != 0:
                    bars[n] = events[e] >> 1
                    actions[n] = action
                    n += 1
    out_starts[codes.shape[0]] = n
    return n


@kernel
def place(
    columns: IntArray,
    one_starts: IntArray,
    one_bars: AnyArray,
    one_actions: AnyArray,
    starts: IntArray,
    bars: AnyArray,
    actions: AnyArray,
) -> None:
    """Write the events of some columns to where they stand among those of all."""
    for k in range(columns.shape[0]):
        n = starts[columns[k]]
        for i in range(one_starts[k], one_starts[k + 1]):
            bars[n] = one_bars[i]
            actions[n] = one_actions[i]
            n += 1


@kernel
def joined(
    one_starts: IntArray,
    one_bars: AnyArray,
    one_actions: AnyArray,
    other_starts: IntArray,
    other_bars: AnyArray,
    other_actions: AnyArray,
    resolved: AnyArray,
    starts: IntArray,
    bars: AnyArray,
    actions: AnyArray,
) -> int:
    """Join two lists of actions a column; return how many are left of both.

    One list serves all columns where there is only one. Where a bar is in both, its actions are
    joined; `resolved` says what becomes of an action, 0: nothing.
    """
    n = 0
    for c in range(starts.shape[0] - 1):
        i = c if one_starts.shape[0] > 2 else 0
        j = c if other_starts.shape[0] > 2 else 0
        i, i_end = one_starts[i], one_starts[i + 1]
        j, j_end = other_starts[j], other_starts[j + 1]
        starts[c] = n
        while i < i_end or j < j_end:
            bar = one_bars[i] if i < i_end else other_bars[j]
            if j < j_end and other_bars[j] < bar:
                bar = other_bars[j]
            action = 0
            if i < i_end and one_bars[i] == bar:
                action |= one_actions[i]
                i += 1
            if j < j_end and other_bars[j] == bar:
                action |= other_actions[j]
                j += 1
            action = resolved[action]
            bars[n] = bar
            actions[n] = action
            n += action != 0
    starts[starts.shape[0] - 1] = n
    return n
