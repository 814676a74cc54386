# SPDX-License-Identifier: BSD-3-Clause
"""Crossings among many series, from bar to bar: a sorted list in which neighbours change places.

The series of a bar are kept in ascending order. That of the next bar is reached from it by
insertion, and whenever a value passes another one, the pair of their series has crossed: what did
not cross is not looked at. Equal values stay where they are, which keeps the last side.

Notation: a *series* is a row of the left or right family, those that are used, left ones first. A
*pair* is one of two series that somebody asked for. Series a and b, a < b, have a *place* among all
pairs, such of near series near ones, so that what is kept of them is. A *key* is twice the place:
series a has risen above series b; and 1 more: b has risen above a. It is ``firsts[a] +
seconds[b]``, so that no table of all pairs is asked for it.
"""

from __future__ import annotations

import numpy as np

from broadpeak._core.compile import inline_kernel, kernel
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray

PANEL = 16  # bars that are transposed at a time
FINE, GAPS, TOO_MANY = 0, 1, 2


@kernel
def with_room(array: AnyArray, n: int, size: int) -> AnyArray:
    """Return an array of `size` that begins as `array` does; a loop, as slices compile long."""
    out = np.empty(size, array.dtype)
    for i in range(n):
        out[i] = array[i]
    return out


@inline_kernel
def key_of(a: int, b: int, firsts: AnyArray, seconds: AnyArray) -> int:
    """Return the key of series a above series b."""
    up: int = firsts[a] + seconds[b]
    down: int = firsts[b] + seconds[a] + 1
    return up if a <= b else down


@kernel
def fill_panel(
    panel: FloatArray, family: FloatArray, used: IntArray, starts: IntArray, first: int, t: int
) -> bool:
    """Write the next bars of series first, first + 1 and so on; return whether all are there."""
    n_bars = family.shape[1]
    good = True
    for i in range(used.shape[0]):
        row = family[used[i]]
        if n_bars == 1:
            for b in range(panel.shape[0]):
                panel[b, first + i] = row[0]
            continue
        begin = max(starts[first + i] - t, 0)
        for b in range(min(panel.shape[0], n_bars - t)):
            panel[b, first + i] = row[t + b]
        for b in range(begin, min(panel.shape[0], n_bars - t)):
            good &= row[t + b] == row[t + b]
    return good


@kernel
def swaps(
    left: FloatArray,
    left_used: IntArray,
    right: FloatArray,
    right_used: IntArray,
    starts: IntArray,
    entering: IntArray,
    order_before: IntArray,
    begin: int,
    end: int,
    firsts: AnyArray,
    seconds: AnyArray,
    keys: AnyArray,
    most: int,
) -> tuple[AnyArray, IntArray, int]:
    """Return the keys of bars begin..end-1, where those of each bar end, and how it went.

    Series i has values from bar ``starts[i]`` on; `entering` are the series by their starts.
    `order_before` are those of bar begin - 1 by their values, no two of which are equal.
    """
    n_left = left_used.shape[0]
    n_series = n_left + right_used.shape[0]
    values = np.full(n_series + 1, np.inf)
    order = np.zeros(n_series + 1, np.int32)
    ends = np.zeros(end - begin, np.int64)
    panel = np.empty((PANEL, n_series))
    n_there = order_before.shape[0]
    for i in range(n_there):
        order[i] = order_before[i]
    # Pairs that were equal since both are there have no side yet: where they part, none crosses.
    ties = np.empty(64, np.int32)
    n_ties = 0
    silent = np.zeros(0, np.bool_)
    n = np.uint64(0)
    for t in range(begin, end):
        b = (t - begin) % PANEL
        if b == 0:
            good = fill_panel(panel, left, left_used, starts, 0, t)
            good &= fill_panel(panel, right, right_used, starts, n_left, t)
            if not good:
                return keys[:0], ends, GAPS
        row = panel[b]
        room = (n_there * n_there) // 2 + 1
        if int(n) + room > keys.shape[0]:
            keys = with_room(keys, int(n), 2 * keys.shape[0] + room)
        n_before = n
        n_silent = 0
        k = 0
        for i in range(n_ties):
            p, o = ties[i] // n_series, ties[i] % n_series
            if row[p] == row[o]:
                ties[k] = ties[i]
                k += 1
            elif row[p] > row[o]:
                silent[key_of(p, o, firsts, seconds)] = True
                n_silent += 1
        n_ties = k
        # From the top down: `least` of those above is the next one, or where none is, inf.
        least = np.inf
        at = np.uint64(n_there)
        while at > np.uint64(0):
            at -= np.uint64(1)
            moved = order[at]
            value = row[np.uint32(moved)]
            if least < value:
                first, second = firsts[np.uint32(moved)], seconds[np.uint32(moved)]
                j = at
                above = at + np.uint64(1)
                passed = least
                while passed < value:
                    p = order[above]
                    # Which of the two it is would be guessed wrongly half of the time.
                    upward = first + seconds[np.uint32(p)]
                    downward = firsts[np.uint32(p)] + second + 1
                    keys[n] = upward if moved < p else downward
                    n += np.uint64(1)
                    values[j] = passed
                    order[j] = p
                    j = above
                    above += np.uint64(1)
                    passed = values[above]
                values[j] = value
                order[j] = moved
            else:
                values[at] = value
                least = value
        if n_silent > 0:
            last = n
            n = n_before
            for e in range(n_before, last):
                key = keys[e]
                if silent[key]:
                    silent[key] = False
                else:
                    keys[n] = key
                    n += np.uint64(1)
        while n_there < n_series and starts[entering[n_there]] <= t:
            s = entering[n_there]
            value = row[s]
            q = n_there
            while q > 0 and values[q - 1] > value:
                values[q] = values[q - 1]
                order[q] = order[q - 1]
                q -= 1
            values[q] = value
            order[q] = s
            n_there += 1
            while q > 0 and values[q - 1] == value:
                q -= 1
                if n_ties == ties.shape[0]:
                    ties = with_room(ties, n_ties, 2 * n_ties)
                if silent.shape[0] == 0:
                    silent = np.zeros(firsts[n_series - 1] + seconds[n_series - 1] + 2, np.bool_)
                ties[n_ties] = order[q] * n_series + s
                n_ties += 1
        ends[t - begin] = n
        if int(n) > most:
            return keys[:0], ends, TOO_MANY
    return keys[:n], ends, FINE


@kernel
def codes_of_columns(
    high: IntArray,
    low: IntArray,
    firsts: AnyArray,
    seconds: AnyArray,
    blocks: int,
    seen: BoolArray,
    codes: AnyArray,
) -> None:
    """Write the keys of columns, and which places of two series are `seen` among them.

    With 2^`blocks` blocks, places are those in which one block stands after another: the lowest
    bits of a place say which it is of.
    """
    mask, each = (1 << blocks) - 1, seen.shape[0] >> blocks
    for c in range(high.shape[0]):
        a, b = high[c], low[c]
        key = key_of(a, b, firsts, seconds)
        place = key >> 1
        if a != b:
            seen[place] = True
        codes[c] = 2 * ((place & mask) * each + (place >> blocks)) + (key & 1)


@kernel
def pair_table(
    high: IntArray,
    low: IntArray,
    firsts: AnyArray,
    seconds: AnyArray,
    table: AnyArray,
    codes: AnyArray,
) -> int:
    """Give each pair of the columns a number; return how many there are.

    `table` (of keys) and `codes` (of columns) get twice the number of the pair, and 1 more where
    the series are the other way round; what is no pair of a column gets twice their number.
    """
    n = 0
    for c in range(high.shape[0]):
        a, b = high[c], low[c]
        if a == b:
            codes[c] = -1
            continue
        key = key_of(a, b, firsts, seconds)
        code = table[key]
        if code < 0:
            code = np.int32(2 * n)
            table[key] = code
            table[key ^ 1] = code + 1
            n += 1
        codes[c] = code
    for key in range(table.shape[0]):
        if table[key] < 0:
            table[key] = 2 * n
    for c in range(codes.shape[0]):
        if codes[c] < 0:
            codes[c] = 2 * n
    return n


@kernel
def tally(keys: AnyArray, ends: IntArray, table: AnyArray, counts: AnyArray) -> None:
    """Write codes over keys, without those that nobody wants, and count the events of each pair.

    `counts` has one value more, for what nobody wants.
    """
    unwanted = 2 * (counts.shape[0] - 1)
    n = 0
    e = 0
    for t in range(ends.shape[0]):
        last = ends[t]
        while e < last:
            code = table[np.uint32(keys[e])]
            keys[n] = code
            n += code < unwanted
            counts[np.uint32(code) >> np.uint32(1)] += 1
            e += 1
        ends[t] = n


@kernel
def scatter(codes: AnyArray, ends: IntArray, begin: int, nexts: AnyArray, out: AnyArray) -> None:
    """Put events, in the order of bars, to their pairs, each at its next place.

    An event is twice its bar, and 1 more where the series are the other way round.
    """
    e = np.uint64(0)
    for t in range(ends.shape[0]):
        event = np.int32(2 * (begin + t))
        last = np.uint64(ends[t])
        while e < last:
            code = np.uint32(codes[e])
            pair = code >> np.uint32(1)
            at = np.uint64(nexts[pair])
            out[at] = event | np.int32(code & np.uint32(1))
            nexts[pair] = np.int32(at + np.uint64(1))
            e += np.uint64(1)


@kernel
def inversions(before: FloatArray, after: FloatArray) -> int:
    """Return how many pairs of values are in one order before, and in the other one after."""
    n = 0
    for i in range(before.shape[0]):
        a, b = before[i], after[i]
        for j in range(i):
            n += ((before[j] < a) & (after[j] > b)) | ((before[j] > a) & (after[j] < b))
    return n


@kernel
def families_of(high: IntArray, low: IntArray, family: IntArray) -> int:
    """Give series that are compared, directly or by way of others, one number; return how many.

    `family` gets the number of each series.
    """
    for i in range(family.shape[0]):
        family[i] = i
    for c in range(high.shape[0]):
        a, b = high[c], low[c]
        while family[a] != a:
            family[a] = family[family[a]]
            a = family[a]
        while family[b] != b:
            family[b] = family[family[b]]
            b = family[b]
        family[max(a, b)] = min(a, b)
    n = 0
    for i in range(family.shape[0]):  # the first of a family comes before all others
        if family[i] == i:
            family[i] = n
            n += 1
        else:
            family[i] = family[family[i]]
    return n


@kernel
def first_value(row: FloatArray) -> int:
    """Return the bar of the first value that is not missing; the number of bars where none is."""
    t = 0
    while t < row.shape[0] and row[t] != row[t]:
        t += 1
    return t


@kernel
def first_values(family: FloatArray, used: IntArray, out: IntArray) -> None:
    """Write the bar of the first value of some rows; 0 for a level, which is on every bar."""
    for i in range(used.shape[0]):
        out[i] = first_value(family[used[i]]) if family.shape[1] > 1 else 0
