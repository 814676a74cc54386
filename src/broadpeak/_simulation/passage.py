# SPDX-License-Identifier: BSD-3-Clause
"""Moments of very many pairs in one pass over their crossings, of which none is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from broadpeak._core import threads
from broadpeak._core.arrays import read_only
from broadpeak._metrics._kernels.summary import MOMENTS
from broadpeak._signals.crossing import Crossing
from broadpeak._simulation._kernels.held import CLEARLY
from broadpeak._simulation._kernels.kinetic import FINE
from broadpeak._simulation._kernels.layout import MIN_ORDER, SettingsPool
from broadpeak._simulation._kernels.tracked import keep_wanted, terms_of_bars, track, write_tracked
from broadpeak._simulation.events import SortedLists, listed_pairs
from broadpeak._simulation.rules import Prices
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray

KEYS = 1 << 19  # crossings that a core holds at a time
_SAMPLED = 4096  # of them say where pairs are cut
_COLUMN = 15  # nanoseconds that one is written in
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
    found = listed_pairs(entries, exits, KEYS)
    if found is None:
        return None
    lists, codes, wanted, n_pairs, rises = found
    share = n_pairs / (0.5 * lists.series.n * (lists.series.n - 1))
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
    shape = 2 if 0 < n_turned < len(codes) else 1, len(wanted)
    passed = Passed(
        codes, terms, np.empty(shape, np.int32), np.empty((*shape, 4)), np.empty(shape, np.bool_)
    )
    late = int(next_open)
    some = wanted if share < _MOST else None
    return passed if _track_all(passed, lists, some, thin, late, rises=rises) else None


def _track_all(
    passed: Passed,
    lists: SortedLists,
    wanted: BoolArray | None,
    thin: float,
    late: int,
    *,
    rises: bool,
) -> bool:
    """Take in all crossings, some stretches of bars at a time; return whether that went well.

    Those of places that are not `wanted` are left out, where it says which.
    """
    n_places = passed.since.shape[1]
    terms = passed.terms
    n_parts = len(lists.seams)
    step = min(threads.parts_for(1e12), n_parts)
    cuts: IntArray | None = None
    for begin in range(0, n_parts, step):
        some = range(begin, min(begin + step, n_parts))
        found: list[tuple[AnyArray, IntArray, int]] = [(passed.codes, lists.entering, 0)] * len(
            some
        )

        def look(k: int) -> None:
            found[k] = keys, ends, how = lists.look(some[k])  # noqa: B023
            if how == FINE and wanted is not None:
                keep_wanted(keys, ends, wanted)

        threads.share(look, len(some))
        if any(how != FINE for _, _, how in found):
            return False
        if cuts is None:
            cuts = _cuts([codes[: ends[-1]] for codes, ends, _ in found], n_places, step)

        def take(part: int) -> None:
            if some.start == 0:  # noqa: B023
                own = slice(cuts[part], cuts[part + 1])  # noqa: B023
                passed.since[:, own] = -1
                passed.totals[:, own] = _BEFORE
                passed.doubtful[:, own] = not thin < 1.0
            for k, (codes, ends, _) in zip(some, found, strict=True):  # noqa: B023
                for side in range(len(passed.since)):
                    track(
                        codes, ends, lists.bounds[k] + late, cuts[part], cuts[part + 1],  # noqa: B023
                        side ^ (not rises), terms.entries, terms.leaves, terms.bases, thin,
                        passed.since[side], passed.totals[side], passed.doubtful[side],
                    )  # fmt: skip

        threads.share(take, len(cuts) - 1)
    return True


def _cuts(codes: list[AnyArray], n_places: int, n_parts: int) -> IntArray:
    """Return where places are cut into parts with about as many crossings each, ends included."""
    step = max(1, sum(map(len, codes)) // _SAMPLED)
    sample = np.sort(np.concatenate([some[::step] for some in codes])) >> 1
    inner = sample[len(sample) * np.arange(1, n_parts) // n_parts] if len(sample) else sample
    return np.unique(np.array([0, *inner, n_places], np.int64))
