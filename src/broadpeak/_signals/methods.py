# SPDX-License-Identifier: BSD-3-Clause
"""The accessor `.bp` of Series and frames."""

from __future__ import annotations

from typing import Any

from broadpeak._signals import clean, cross


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

    def __init__(self, obj: Any) -> None:
        self._obj = obj

    def crossed_above(self, other: Any) -> Any:
        """Return where this has crossed above `other`; see `broadpeak.crossed_above`."""
        return cross.crossed_above(self._obj, other)

    def crossed_below(self, other: Any) -> Any:
        """Return where this has crossed below `other`; see `broadpeak.crossed_below`."""
        return cross.crossed_below(self._obj, other)

    def clean(self, exits: Any) -> clean.Cleaned:
        """Return these entries and `exits` so that they alternate; see `triggers.clean.clean`."""
        return clean.clean(self._obj, exits)

    def delay(self, bars: int = 1) -> Any:
        """Return these signals `bars` later; see `triggers.clean.delay`."""
        return clean.delay(self._obj, bars)

    def rank(self) -> Any:
        """Return the position of each signal in its run; see `triggers.clean.rank`."""
        return clean.rank(self._obj)

    def first(self) -> Any:
        """Return the first signal of each run; see `triggers.clean.first`."""
        return clean.first(self._obj)
