# SPDX-License-Identifier: BSD-3-Clause
"""Crossings as events: on which bars each column gets which signals."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from broadpeak._core import threads
from broadpeak._signals.crossing import Crossing
from broadpeak._simulation._kernels.compared import compare, deal, joined, place, split_events
from broadpeak._simulation._kernels.kinetic import (
    FINE,
    codes_of_columns,
    families_of,
    first_values,
    inversions,
    pair_table,
    scatter,
    swaps,
    tally,
)
from broadpeak._simulation._kernels.layout import LONG_IN, LONG_OUT, SHORT_IN, SHORT_OUT
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray

MOST = 1 << 24  # events that are held at a time
_UP, _DOWN = 1, 2

# Measured, in nanoseconds: which of two ways is quicker.
_SWAP, _LARGE_SWAP, _BAR_OF_SERIES = 9.5, 12.0, 2.0
_BAR_OF_PAIR, _LARGE_BAR_OF_PAIR, _PAIR, _EVENT = 0.2, 0.4, 80.0, 3.5
_LARGE = 600  # series whose tables outgrow the cache of a core

_MOST_SERIES = 4096  # pairs of series have a table of their own
_FEW = 1 << 18  # bars of all pairs below which no choice is worth its time
_PAIRS_OF_FAMILY = 64  # on average, to look at families one by one
_SAMPLES, _SAMPLED = 8, 512
_NEAR = 64  # bars in which a seam is looked for
_TILE = 4  # series whose pairs have places one after the other
_BLOCKS = 4  # the places of a tile are of 2 to the power of it
_CODE = 2  # nanoseconds that one is written in


class Events(NamedTuple):
    """Signals column after column: those of column c stand at ``starts[c]:starts[c + 1]``.

    Attributes
    ----------
    starts : int64 array, shape (columns + 1,)
    bars : int32 array, shape (events,)
        Ascending within a column.
    actions : uint8 array, shape (events,)
        Bits of `layout.py`, conflicts resolved; never 0.
    """

    starts: IntArray
    bars: AnyArray
    actions: AnyArray


def _resolved(action: int) -> int:
    """Return what is left of the signals of one bar, as `encode` does it."""
    entry, leave = action & LONG_IN, action & LONG_OUT
    short, cover = action & SHORT_IN, action & SHORT_OUT
    if entry and leave:
        entry = leave = 0
    if short and cover:
        short = cover = 0
    if entry and short:
        entry = short = 0
    return entry | leave | short | cover


_LEFT_OF = [_resolved(action) for action in range(16)]
_RESOLVED = np.array(_LEFT_OF, np.uint8)
_AS_IT_IS = np.arange(16, dtype=np.uint8)


class _SeriesPairs(NamedTuple):
    """Pairs of series, one a column, and what it means that left rises above right, or falls."""

    left: FloatArray
    left_rows: IntArray
    right: FloatArray
    right_rows: IntArray
    up: int
    down: int


def crossing_events(
    long_entries: Crossing | None = None,
    long_exits: Crossing | None = None,
    short_entries: Crossing | None = None,
    short_exits: Crossing | None = None,
) -> Events:
    """Return the events of columns whose signals are crossings.

    Parameters
    ----------
    long_entries, long_exits, short_entries, short_exits : Crossing, optional
        Each of as many columns as there are, or of 1 that all share; at least one.

    Returns
    -------
    Events

    Notes
    -----
    How they are found, and by how many threads, depends on what is there; what is found does not.
    """
    groups = _groups((long_entries, long_exits, short_entries, short_exits))
    if len(groups) == 1:
        one = groups[0]
        return _events_of_pairs(one._replace(up=_LEFT_OF[one.up], down=_LEFT_OF[one.down]))
    found = _events_of_pairs(groups[0])
    n = max(len(one.left_rows) for one in groups)
    for one in groups[1:]:
        last = one is groups[-1]
        found = _join(found, _events_of_pairs(one), n, _RESOLVED if last else _AS_IT_IS)
    return found


def event_blocks(
    long_entries: Crossing | None = None,
    long_exits: Crossing | None = None,
    short_entries: Crossing | None = None,
    short_exits: Crossing | None = None,
    most: int = MOST,
) -> Iterator[tuple[int, int, Events]]:
    """Yield first column, last column + 1, and the events of columns, about `most` at a time."""
    given = (long_entries, long_exits, short_entries, short_exits)
    n, n_bars = max(one.shape for one in given if one is not None)
    step = n
    if n * n_bars > most and n > 1:
        # Some columns say how many there are: crossings of neighbours in a list are alike.
        sample = np.unique(np.linspace(0, n - 1, 64).astype(np.int64))
        seen = crossing_events(*(_taken(one, sample) for one in given))
        step = max(1, int(most * len(sample) / max(len(seen.bars), 1)))
    for first in range(0, n, step):
        last = min(first + step, n)
        part = given
        if last - first < n:
            columns = np.arange(first, last)
            part = tuple(_taken(one, columns) for one in given)  # type: ignore[assignment]
        yield first, last, crossing_events(*part)


def _taken(one: Crossing | None, columns: IntArray) -> Crossing | None:
    return one if one is None or one.shape[0] == 1 else one.take(columns)


def _groups(given: tuple[Crossing | None, ...]) -> list[_SeriesPairs]:
    """Return signals by their pairs: rising and falling of one pair are found together."""
    groups: list[_SeriesPairs] = []
    for one, bit in zip(given, (LONG_IN, LONG_OUT, SHORT_IN, SHORT_OUT), strict=True):
        if one is None:
            continue
        sides = one.left, one.left_rows, one.right, one.right_rows
        for k, group in enumerate(groups):
            turned = not _same(sides, group[:4])
            if not turned or _same(sides, (*group[2:4], *group[:2])):
                if one.above != turned:
                    groups[k] = group._replace(up=group.up | bit)
                else:
                    groups[k] = group._replace(down=group.down | bit)
                break
        else:
            up, down = (bit, 0) if one.above else (0, bit)
            groups.append(_SeriesPairs(*sides, up, down))
    return groups


_Sides: TypeAlias = tuple[FloatArray, IntArray, FloatArray, IntArray]


def _same(one: _Sides, other: _Sides) -> bool:
    if one[0] is not other[0] or one[2] is not other[2]:
        return False
    return all(a is b or np.array_equal(a, b) for a, b in zip(one[1::2], other[1::2], strict=True))


def _join(one: Events, other: Events, n: int, resolved: AnyArray) -> Events:
    size = 1
    for events in (one, other):
        size += len(events.bars) * (n if len(events.starts) == 2 else 1)
    starts = np.empty(n + 1, np.int64)
    bars, actions = np.empty(size, np.int32), np.empty(size, np.uint8)
    n_events = joined(*one, *other, resolved, starts, bars, actions)
    return Events(starts, bars[:n_events], actions[:n_events])


def _events_of_pairs(pairs: _SeriesPairs) -> Events:
    """Return the events of pairs, each different one found once."""
    n_columns, n_bars = len(pairs.left_rows), pairs.left.shape[1]
    if n_columns * n_bars <= _FEW or n_bars < 2:
        return _compared(pairs, 1)
    series = _Series.of(pairs)
    n_series = series.n
    family = np.empty(n_series, np.int64)
    n_families = families_of(series.high, series.low, family)
    if n_families > 1 and n_columns >= n_families * _PAIRS_OF_FAMILY:
        return _events_of_families(pairs, family[series.high], n_families)
    if n_series > _MOST_SERIES:
        return _compared(pairs, threads.parts_for(_cost_of_comparing(pairs)))
    firsts, seconds, n_places = _places(n_series)
    table, codes = np.full(2 * n_places, -1, np.int32), np.empty(len(series.high), np.int32)
    n_pairs = pair_table(series.high, series.low, firsts, seconds, table, codes)
    is_plain = n_pairs == len(codes) and bool(pairs.up) and bool(pairs.down)
    dense = _cost_of_comparing(pairs) * n_pairs / len(codes)
    found = _kinetic(series, n_pairs, table, dense)
    if found is None:
        if n_pairs == len(codes):
            return _compared(pairs, threads.parts_for(dense))
        first = np.full(n_pairs + 1, -1, np.int64)
        first[codes[::-1] >> 1] = np.arange(len(codes))[::-1]
        first = first[:n_pairs]
        some = pairs._replace(
            left_rows=pairs.left_rows[first],
            right_rows=pairs.right_rows[first],
            up=_UP,
            down=_DOWN,
        )
        starts, bars, actions = _compared(some, threads.parts_for(dense))
        found = starts, 2 * bars + (actions == _DOWN)
    starts, events = found
    if is_plain:
        actions = np.empty(len(events), np.uint8)
        split_events(events, actions, pairs.up, pairs.down)
        return Events(starts, events, actions)
    counts = np.append(np.diff(starts), 0)[codes >> 1]
    out_starts, n_events = np.empty(len(codes) + 1, np.int64), int(counts.sum())
    bars, actions = np.empty(n_events, np.int32), np.empty(n_events, np.uint8)
    n_events = deal(starts, events, codes, pairs.up, pairs.down, out_starts, bars, actions)
    return Events(out_starts, bars[:n_events], actions[:n_events])


class ListedPairs(NamedTuple):
    """Pairs of columns, and the lists in which they cross.

    Attributes
    ----------
    lists : SortedLists
    codes : int32 array, shape (columns,)
        Keys of columns, with places inside of one block after those inside of another.
    n_blocks : int
        How many there are; the lowest bits of a place say which one it is of.
    wanted : bool array, shape (places,)
        Which places are pairs.
    n_pairs : int
        How many are.
    rises : bool
        Whether even keys, which are those of a rise, are entries.
    """

    lists: SortedLists
    codes: AnyArray
    n_blocks: int
    wanted: BoolArray
    n_pairs: int
    rises: bool


def listed_pairs(
    entries: Crossing, exits: Crossing, keys_at_a_time: float, large: float
) -> ListedPairs | None:
    """Return sorted lists of all series of entries and exits that are the reverse of each other.

    There are blocks of places where these are more than `large`. None where another way is quicker.
    """
    groups = _groups((entries, exits, None, None))
    pairs = groups[0]
    if len(groups) > 1 or {pairs.up, pairs.down} != {LONG_IN, LONG_OUT} or pairs.left.shape[1] < 2:
        return None
    series = _Series.of(pairs)
    n = series.n
    if n > _MOST_SERIES:
        return None
    firsts, seconds, n_places = _places(n)
    codes, wanted = np.empty(len(series.high), np.int32), np.zeros(n_places, np.bool_)
    blocks = _BLOCKS if n_places > large else 0
    n_parts = threads.parts_for(_CODE * len(codes))
    bounds = threads.bounds_of(len(codes), n_parts)

    def work(part: int) -> None:
        at = slice(bounds[part], bounds[part + 1])
        high, low = series.high[at], series.low[at]
        codes_of_columns(high, low, firsts, seconds, blocks, wanted, codes[at])

    threads.share(work, n_parts)
    n_pairs = int(np.count_nonzero(wanted))
    # More pairs leave no series alone, nor in families of their own.
    are_all = 2 * n_pairs > (n - 1) * (n - 2)
    if not are_all and families_of(series.high, series.low, np.empty(n, np.int64)) > 1:
        return None
    dense = _cost_of_comparing(pairs) * n_pairs / len(codes)
    lists = SortedLists.of(series, n_pairs, dense, keys_at_a_time) if n_pairs else None
    if lists is None:
        return None
    return ListedPairs(lists, codes, 1 << blocks, wanted, n_pairs, pairs.up == LONG_IN)


def _events_of_families(pairs: _SeriesPairs, family: IntArray, n_families: int) -> Events:
    """Return events of pairs whose series form families, such as symbols, that never meet."""
    order = np.argsort(family, kind="stable")
    cuts = np.searchsorted(family[order], np.arange(n_families + 1))
    parts: list[tuple[IntArray, Events]] = []
    counts = np.zeros(len(family) + 1, np.int64)
    for first, last in itertools.pairwise(cuts):
        columns = order[first:last]
        left_rows, right_rows = pairs.left_rows[columns], pairs.right_rows[columns]
        one = _events_of_pairs(pairs._replace(left_rows=left_rows, right_rows=right_rows))
        counts[columns + 1] = np.diff(one.starts)
        parts.append((columns, one))
    starts = np.cumsum(counts)
    bars, actions = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.uint8)
    for columns, one in parts:
        place(columns, *one, starts, bars, actions)
    return Events(starts, bars, actions)


def _places(n_series: int) -> tuple[AnyArray, AnyArray, int]:
    """Return what the keys of pairs are sums of, one a series, and how many places there are.

    Pairs are in tiles, those of some series and some others, and tiles row after row, without those
    below the diagonal. On it are places that are nobody's.
    """
    series = np.arange(n_series)
    row, inside = series // _TILE, series % _TILE
    n_rows = -(-n_series // _TILE)
    before = row * n_rows - row * (row - 1) // 2 - row  # tiles, of those of column 0
    firsts = 2 * _TILE * (_TILE * before + inside)
    seconds = 2 * (_TILE * _TILE * row + inside)
    n_places = _TILE * _TILE * (n_rows * (n_rows + 1) // 2)
    return firsts.astype(np.int32), seconds.astype(np.int32), n_places


def _cost_of_comparing(pairs: _SeriesPairs) -> float:
    n_pairs, n_bars = len(pairs.left_rows), pairs.left.shape[1]
    large = pairs.left.nbytes + pairs.right.nbytes > _LARGE * 8 * 5000
    bar = _LARGE_BAR_OF_PAIR if large else _BAR_OF_PAIR
    return float(n_pairs * (n_bars * bar + _PAIR))


def _compared(pairs: _SeriesPairs, n_parts: int) -> Events:
    """Return the events of pairs that are compared bar by bar."""
    n = len(pairs.left_rows)
    if n_parts == 1:
        starts = np.empty(n + 1, np.int64)
        return Events(starts, *compare(*pairs, starts))
    none = np.empty(0, np.int64)
    bounds = threads.bounds_of(n, n_parts)
    found: list[Events] = [Events(none, none, none)] * n_parts

    def work(part: int) -> None:
        columns = slice(bounds[part], bounds[part + 1])
        starts = np.empty(bounds[part + 1] - bounds[part] + 1, np.int64)
        bars, actions = compare(
            pairs.left, pairs.left_rows[columns], pairs.right, pairs.right_rows[columns],
            pairs.up, pairs.down, starts,
        )  # fmt: skip
        found[part] = Events(starts, bars, actions)

    threads.share(work, n_parts)
    before = list(itertools.accumulate((len(one.bars) for one in found), initial=0))
    moved = [one.starts[:-1] + offset for one, offset in zip(found, before, strict=False)]
    return Events(
        np.concatenate([*moved, np.array([before[-1]])]),
        np.concatenate([one.bars for one in found]),
        np.concatenate([one.actions for one in found]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """The series that pairs are made of, each once: some rows of left, then some of right.

    Attributes
    ----------
    left, right : float64 array
        As in `Crossing`.
    left_used, right_used : int64 array
        Their rows.
    starts : int64 array, shape (series,)
        The first bar of each.
    high, low : int64 array, shape (columns,)
        The series of each column that rises, and the other one.
    """

    left: FloatArray
    left_used: IntArray
    right: FloatArray
    right_used: IntArray
    starts: IntArray
    high: IntArray
    low: IntArray

    @property
    def n(self) -> int:
        return len(self.starts)

    @classmethod
    def of(cls, pairs: _SeriesPairs) -> _Series:
        """Return the series of pairs."""
        left, right = pairs.left, pairs.right
        used = np.zeros(len(left), np.bool_)
        used[pairs.left_rows] = True
        if left is right:
            used[pairs.right_rows] = True
        number = np.cumsum(used) - 1
        left_used = np.flatnonzero(used)
        are_all = len(left_used) == len(left)  # and so have the numbers of their rows
        high = pairs.left_rows if are_all else number[pairs.left_rows]
        right_used = left_used[:0]
        if left is right:
            low = pairs.right_rows if are_all else number[pairs.right_rows]
        else:
            # A row that both families have is one series.
            own = np.zeros(len(right), np.bool_)
            own[pairs.right_rows] = True
            twins = _twins(left, left_used, right, np.flatnonzero(own))
            own[list(twins)] = False
            right_used = np.flatnonzero(own)
            place = len(left_used) + np.cumsum(own) - 1
            for row, twin in twins.items():
                place[row] = number[twin]
            low = place[pairs.right_rows]
        starts = np.zeros(len(left_used) + len(right_used), np.int64)
        first_values(left, left_used, starts[: len(left_used)])
        first_values(right, right_used, starts[len(left_used) :])
        return cls(left, left_used, right, right_used, starts, high, low)

    def at(self, bar: int) -> FloatArray:
        """Return the values of a bar."""
        right = self.right[self.right_used, bar if self.right.shape[1] > 1 else 0]
        return np.concatenate([self.left[self.left_used, bar], right])

    def swaps_of_a_bar(self) -> float:
        """Return about how many pairs cross on a bar, wanted or not."""
        n_bars = self.left.shape[1]
        step, n_swaps = -(-self.n // _SAMPLED), 0
        for bar in np.linspace(1, n_bars - 1, _SAMPLES).astype(np.int64):
            before, after = self.at(bar - 1)[::step], self.at(bar)[::step]
            n_swaps += inversions(before, after)
        return float(n_swaps * step * step) / _SAMPLES

    def seams(self, n_parts: int) -> list[tuple[int, IntArray]]:
        """Return where time may be cut, and the series there by the values of the bar before.

        That is where no two of them are equal, for then their order says which was below.
        """
        n_bars = self.left.shape[1]
        found: list[tuple[int, IntArray]] = [(0, self.left_used[:0])]
        for part in range(1, n_parts):
            middle = n_bars * part // n_parts
            for bar in range(max(middle, found[-1][0] + 1), min(middle + _NEAR, n_bars)):
                values = np.where(self.starts < bar, self.at(bar - 1), np.inf)
                n_there = int(np.count_nonzero(self.starts < bar))
                order = np.lexsort((self.starts >= bar, values))[:n_there]
                values = values[order]
                if bool(np.all(values[1:] > values[:-1])):
                    found.append((bar, order))
                    break
        return found


def _twins(
    left: FloatArray, left_used: IntArray, right: FloatArray, right_used: IntArray
) -> dict[int, int]:
    """Return the rows of right that are rows of left, too, to the last bit."""
    n_bars = left.shape[1]
    if right.shape[1] != n_bars:
        return {}
    some = np.linspace(n_bars // 2, n_bars - 1, 4).astype(np.int64)
    seen = left[left_used[:, np.newaxis], some]
    keys = {values.tobytes(): int(row) for values, row in zip(seen, left_used, strict=True)}
    found = {}
    seen = right[right_used[:, np.newaxis], some]
    for values, row in zip(seen, right_used, strict=True):
        twin = keys.get(values.tobytes())
        if twin is not None and np.array_equal(
            left[twin].view(np.int64), right[row].view(np.int64)
        ):
            found[int(row)] = twin
    return found


@dataclass(frozen=True, slots=True, eq=False)
class SortedLists:
    """Sorted lists of series, one for each stretch of bars; what changes places has crossed.

    Attributes
    ----------
    series : _Series
    entering : int64 array, shape (series,)
        The series by their starts.
    seams : list of int, int64 array
        The first bar of each stretch, and the series by their values on the bar before.
    bounds : list of int
        Where stretches begin and end.
    n_keys : int
        About how many pairs change places on one stretch.
    most : int
        How many are too many.
    """

    series: _Series
    entering: IntArray
    seams: list[tuple[int, IntArray]]
    bounds: list[int]
    n_keys: int
    most: int

    @classmethod
    def of(
        cls, series: _Series, n_pairs: int, dense: float, keys_at_a_time: float = np.inf
    ) -> SortedLists | None:
        """Return the lists of series; None where comparing, which costs `dense`, is quicker.

        There is one for each core that is free, and as many times that as hold so many keys.
        """
        n_bars = series.left.shape[1]
        swap = _LARGE_SWAP if series.n > _LARGE else _SWAP
        n_swaps = series.swaps_of_a_bar() * n_bars
        fixed = series.n * n_bars * _BAR_OF_SERIES
        share = min(1.0, n_pairs / (0.5 * series.n * (series.n - 1)))
        cost = n_swaps * swap + fixed
        dense += n_swaps * share * _EVENT
        if cost > dense:
            return None
        n_parts = threads.parts_for(cost)
        n_parts *= max(1, min(round(n_swaps / n_parts / keys_at_a_time), n_bars // _NEAR))
        seams = series.seams(n_parts)
        n_parts = len(seams)
        # What was seen of it may say little of the rest: it ends where it has cost more than
        # comparing.
        most = int(min(2.0 * dense / swap / n_parts, 2.0**30 / n_parts))
        return cls(
            series, np.argsort(series.starts, kind="stable"), seams,
            [*(bar for bar, _ in seams), n_bars], int(n_swaps / n_parts), most,
        )  # fmt: skip

    def look(self, part: int) -> tuple[AnyArray, IntArray, int]:
        """Return the keys of a stretch, where those of each bar end, and how it went."""
        one = self.series
        keys = np.empty(int(1.25 * self.n_keys) + 1024, np.int32)
        firsts, seconds, _ = _places(one.n)
        return swaps(
            one.left, one.left_used, one.right, one.right_used, one.starts, self.entering,
            self.seams[part][1], self.bounds[part], self.bounds[part + 1], firsts, seconds, keys,
            self.most,
        )  # fmt: skip


def _kinetic(
    series: _Series, n_pairs: int, table: AnyArray, dense: float
) -> tuple[IntArray, AnyArray] | None:
    """Return where the events of each pair begin, and events as `scatter` makes them.

    None where comparing, which costs `dense`, is quicker, or a series has gaps.
    """
    if n_pairs == 0:
        return np.zeros(1, np.int64), np.zeros(0, np.int32)
    lists = SortedLists.of(series, n_pairs, dense)
    if lists is None:
        return None
    n_parts = len(lists.seams)
    counts = np.zeros((n_parts, n_pairs + 1), np.int32)
    found: list[tuple[AnyArray, IntArray, int]] = [(counts[0], lists.entering, 0)] * n_parts

    def look(part: int) -> None:
        found[part] = lists.look(part)
        keys, ends, how = found[part]
        if how == FINE:
            tally(keys, ends, table, counts[part])

    threads.share(look, n_parts)
    if any(how != FINE for _, _, how in found):
        return None
    starts = np.zeros(n_pairs + 1, np.int64)
    np.cumsum(counts[:, :-1].sum(axis=0), out=starts[1:])
    events = np.empty(starts[-1], np.int32)
    nexts = starts[:-1] + np.cumsum(counts[:, :-1], axis=0) - counts[:, :-1]
    nexts = nexts.astype(np.int32)

    def put(part: int) -> None:
        keys, ends, _ = found[part]
        scatter(keys[: ends[-1]], ends, lists.bounds[part], nexts[part], events)

    threads.share(put, n_parts)
    return starts, events
