# SPDX-License-Identifier: BSD-3-Clause
"""The accessor `.bp` of Series and frames."""

from __future__ import annotations

from broadpeak._core.aliases import Table, Values
from broadpeak._signals import clean, cross
from broadpeak._signals.cross import Side


class SignalAccessor:
    """Crossings and signals as methods of a Series or DataFrame.

    Examples
    --------
    >>> import pandas as pd
    >>> pd.Series([1.0, 3.0, 2.0]).bp.crossed_above(2.5)
    0    False
    1     True
    2    False
    dtype: bool
    """

    def __init__(self, obj: Table) -> None:
        self._obj = obj

    def crossed_above(self, other: Side) -> Values:
        """Return where this has crossed above `other`; see `broadpeak.crossed_above`."""
        return cross.crossed_above(self._obj, other)

    def crossed_below(self, other: Side) -> Values:
        """Return where this has crossed below `other`; see `broadpeak.crossed_below`."""
        return cross.crossed_below(self._obj, other)

    def clean(self, exits: Values) -> clean.Cleaned:
        """Return these entries and `exits`, each without those that do not alternate.

        An entry stays, then the first exit after it, then the next entry; an entry and an exit on
        the same bar cancel each other.
        """
        return clean.clean(self._obj, exits)

    def delay(self, bars: int = 1) -> Values:
        """Return these signals `bars` later; at least 0, for less would look ahead."""
        return clean.delay(self._obj, bars)

    def rank(self) -> Values:
        """Return the position of each signal in its run: 1 for the first, 0 where there is none."""
        return clean.rank(self._obj)

    def first(self) -> Values:
        """Return the first signal of each run, and false elsewhere."""
        return clean.first(self._obj)
