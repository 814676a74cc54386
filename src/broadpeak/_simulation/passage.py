# SPDX-License-Identifier: BSD-3-Clause
"""Moments of very many pairs in one pass over their crossings, of which none is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from broadpeak._core import threads
from broadpeak._core.arrays import read_only
from broadpeak._metrics._kernels.summary import MOMENTS
from broadpeak._signals.crossing import Crossing
from broadpeak._simulation._kernels.held import CLEARLY
from broadpeak._simulation._kernels.kinetic import FINE
from broadpeak._simulation._kernels.layout import MIN_ORDER, SettingsPool
from broadpeak._simulation._kernels.tracked import (
    deal_blocks,
    keep_wanted,
    terms_of_bars,
    track,
    write_tracked,
)
from broadpeak._simulation.events import SortedLists, listed_pairs
from broadpeak._simulation.rules import Prices
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray

KEYS = 1 << 21  # crossings that a core holds at a time
LARGE = 1 << 17  # places whose sums outgrow what a core keeps near it
_SAMPLED = 4096  # of them say where pairs are cut
_COLUMN = 16  # nanoseconds that one is written in
_MOST = 0.8  # of all pairs, from which on those that nobody wants cost less than to sort them out
_BEFORE = np.array([0.0, 0.0, 1.0, 0.0])  # sums of returns and squares, worth, number of trades


@dataclass(frozen=True, slots=True, eq=False)
class _TermsOfBars:
    """What trades need of the bars on which they begin and end, as `_kernels/tracked.py` has it."""

    entries: FloatArray
    leaves: FloatArray
    bases: FloatArray
    limits: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """What one pass has found of all pairs, from which the columns are written.

    `codes` are those of columns; the rest is as in `_kernels/tracked.py`, with a second row where
    there are columns of both directions.
    """

    codes: AnyArray
    terms: _TermsOfBars
    since: AnyArray
    totals: FloatArray
    doubtful: BoolArray

    def write(self, out: FloatArray, first: int, last: int, cash: FloatArray) -> BoolArray:
        """Write the moments of columns first..last-1 into as many rows.

        Return which of them have to be found in another way, for orders that may be too small, or
        for rounding.
        """
        left = np.empty(last - first, np.bool_)
        codes = self.codes[first:last]
        n_parts = threads.parts_for(_COLUMN * len(codes))
        bounds = threads.bounds_of(len(codes), n_parts)
        terms = self.terms

        def work(part: int) -> None:
            at = slice(bounds[part], bounds[part + 1])
            write_tracked(
                out[at], codes[at], self.since, self.totals, self.doubtful, terms.entries,
                terms.leaves, terms.bases, terms.limits, cash[at], left[at],
            )  # fmt: skip

        threads.share(work, n_parts)
        return left


def pass_over(
    entries: Crossing,
    exits: Crossing,
    account: tuple[Prices, int, FloatArray],
    settings: SettingsPool,
    least: int,
    *,
    next_open: bool,
) -> Passed | None:
    """Return the moments of columns that buy at a crossing and sell at its reverse.

    All of them have one price, of which there are running sums, and the same settings.

    Parameters
    ----------
    entries, exits : Crossing
    account : Prices, int, float64 array
        Prices, the row of them, and the cash of each column.
    settings : SettingsPool
    least : int
        Crossings below which it is not worth while.
    next_open : bool

    Returns
    -------
    Passed or None
        None where another way is quicker, or orders may be too small.
    """
    prices, row, cash = account
    found = listed_pairs(entries, exits, KEYS, LARGE)
    if found is None:
        return None
    lists, codes, rises = found.lists, found.codes, found.rises
    share = found.n_pairs / (0.5 * lists.series.n * (lists.series.n - 1))
    if lists.n_keys * len(lists.seams) * share < least:
        return None
    close = prices.close[row]
    sums = prices.table_for(MOMENTS)
    terms = _TermsOfBars(
        np.empty((len(close), 4)), np.empty((len(close) + 1, 4)), sums.bases[row], sums.limits[row]
    )
    most = terms_of_bars(
        read_only(prices.filled[0][row]) if next_open else close, close, settings.values,
        settings.offsets[0], settings.steps, sums.sums[row], terms.entries, terms.leaves,
    )  # fmt: skip
    # Of 1, below which the smallest of the orders may be too small.
    thin = MIN_ORDER * CLEARLY**2 * most / float(cash.min())
    # Columns of one direction have sums of their own.
    n_turned = int(np.count_nonzero(codes & 1))
    if n_turned == len(codes):
        codes ^= 1
        rises = not rises
    shape = 2 if 0 < n_turned < len(codes) else 1, len(found.wanted)
    passed = Passed(
        codes, terms, np.empty(shape, np.int32), np.empty((*shape, 4)), np.empty(shape, np.bool_)
    )
    wanted = found.wanted if share < _MOST else None
    taken = _TakenIn(passed, thin, int(next_open), int(not rises))
    return passed if _track_all(taken, lists, wanted, found.n_blocks) else None


class _DealtBars(NamedTuple):
    """Crossings of some bars, those of one block after those of another, or in one piece.

    Attributes
    ----------
    begin : int
        The first bar.
    codes : int32 array
    starts : int64 array, shape (blocks + 1,)
        Where those of each block begin.
    ends : int64 array, shape (blocks, bars)
        Where those of each bar end in their block.
    """

    begin: int
    codes: AnyArray
    starts: IntArray
    ends: IntArray

    @classmethod
    def of(
        cls, lists: SortedLists, part: int, wanted: BoolArray | None, n_blocks: int
    ) -> _DealtBars | None:
        """Return what the lists find on a stretch, None where that does not go well."""
        codes, ends, how = lists.look(part)
        if how != FINE:
            return None
        if wanted is not None:
            keep_wanted(codes, ends, wanted)
        n, begin = int(ends[-1]), lists.bounds[part]
        if n_blocks == 1:
            return cls(begin, codes[:n], np.array([0, n]), ends[np.newaxis])
        starts = np.zeros(n_blocks + 1, np.int64)
        dealt, of_blocks = np.empty(n, np.int32), np.empty((n_blocks, len(ends)), np.int64)
        deal_blocks(codes, ends, dealt, starts, of_blocks)
        return cls(begin, dealt, starts, of_blocks)


class _TakenIn(NamedTuple):
    """What is taken in, and how.

    `thin` is as in `track`, `late`: how many bars after a crossing it is traded, `enters`: the
    lowest bit of codes that are entries.
    """

    passed: Passed
    thin: float
    late: int
    enters: int

    def begin(self, at: slice) -> None:
        """Begin the sums of some places."""
        self.passed.since[:, at] = -1
        self.passed.totals[:, at] = _BEFORE
        self.passed.doubtful[:, at] = not self.thin < 1.0

    def take(self, stretch: _DealtBars, block: int, at: slice) -> None:
        """Take in the crossings of a stretch of some places, which are a block where there are."""
        passed, terms = self.passed, self.passed.terms
        first = at.start
        if len(stretch.ends) > 1:  # codes are of their block
            first = 0
        else:
            block = 0
        codes = stretch.codes[stretch.starts[block] : stretch.starts[block + 1]]
        for side in range(len(passed.since)):
            track(
                codes, stretch.ends[block], stretch.begin + self.late, first, side ^ self.enters,
                terms.entries, terms.leaves, terms.bases, self.thin, passed.since[side, at],
                passed.totals[side, at], passed.doubtful[side, at],
            )  # fmt: skip


def _track_all(
    taken: _TakenIn, lists: SortedLists, wanted: BoolArray | None, n_blocks: int
) -> bool:
    """Take in all crossings, some stretches of bars at a time; return whether that went well.

    Those of places that are not `wanted` are left out, where it says which.
    """
    n_places = taken.passed.since.shape[1]
    bounds = np.arange(n_blocks + 1) * (n_places // n_blocks)
    n_parts = len(lists.seams)
    step = min(threads.parts_for(1e12), n_parts)
    for begin in range(0, n_parts, step):
        parts = range(begin, min(begin + step, n_parts))
        stretches = _looked_at(lists, parts, wanted, n_blocks)
        if stretches is None:
            return False
        if begin == 0 and n_blocks == 1:
            bounds = _cuts([one.codes for one in stretches], n_places, step)
        _take_in(taken, stretches, bounds, step, are_first=begin == 0)
    return True


def _looked_at(
    lists: SortedLists, parts: range, wanted: BoolArray | None, n_blocks: int
) -> list[_DealtBars] | None:
    """Return what the lists find on some stretches, None where that does not go well."""
    found: list[_DealtBars | None] = [None] * len(parts)

    def look(k: int) -> None:
        found[k] = _DealtBars.of(lists, parts[k], wanted, n_blocks)

    threads.share(look, len(parts))
    stretches = [one for one in found if one is not None]
    return stretches if len(stretches) == len(found) else None


def _take_in(
    taken: _TakenIn,
    stretches: list[_DealtBars],
    bounds: IntArray,
    most: int,
    *,
    are_first: bool,
) -> None:
    """Take in the crossings of some stretches, by up to `most` cores; places begin with the first.

    Who is done takes the next block: cores are not always as quick as each other.
    """
    queue = iter(range(len(bounds) - 1))

    def take(_: int) -> None:
        for block in queue:
            at = slice(bounds[block], bounds[block + 1])
            if are_first:
                taken.begin(at)
            for one in stretches:
                taken.take(one, block, at)

    threads.share(take, min(most, len(bounds) - 1))


def _cuts(codes: list[AnyArray], n_places: int, n_parts: int) -> IntArray:
    """Return where places are cut into parts with about as many crossings each, ends included."""
    step = max(1, sum(map(len, codes)) // _SAMPLED)
    sample = np.sort(np.concatenate([some[::step] for some in codes])) >> 1
    inner = sample[len(sample) * np.arange(1, n_parts) // n_parts] if len(sample) else sample
    return np.unique(np.array([0, *inner, n_places], np.int64))
