# SPDX-License-Identifier: BSD-3-Clause
"""Crossings as events: on which bars each column gets which signals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from broadpeak._signals.crossing import Crossing
from broadpeak._simulation._kernels.layout import LONG_IN, LONG_OUT, SHORT_IN, SHORT_OUT
from broadpeak.types import AnyArray, IntArray

MOST = 1 << 24  # events that are held at a time


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
    """
    given = (long_entries, long_exits, short_entries, short_exits)
    return _events_of_bools([None if one is None else one.bools() for one in given])


def event_blocks(
    long_entries: Crossing | None = None,
    long_exits: Crossing | None = None,
    short_entries: Crossing | None = None,
    short_exits: Crossing | None = None,
    most: int = MOST,
) -> Iterator[tuple[int, int, Events]]:
    """Yield first column, last column + 1, and the events of columns, about `most` at a time."""
    given = (long_entries, long_exits, short_entries, short_exits)
    n = max(one.shape[0] for one in given if one is not None)
    if n:
        yield 0, n, crossing_events(*given)


def _events_of_bools(signals: list[AnyArray | None]) -> Events:
    """Return events from signals of shape (columns or 1, bars), as `encode` reads them."""
    first = next(one for one in signals if one is not None)
    none = np.zeros((1, first.shape[1]), np.bool_)
    le, lx, se, sx = (none if one is None else one for one in signals)
    e, x = le & ~lx, lx & ~le
    f, y = se & ~sx, sx & ~se
    e, f = e & ~f, f & ~e
    code = LONG_IN * e | LONG_OUT * x | SHORT_IN * f | SHORT_OUT * y
    columns, bars = np.nonzero(code)
    starts = np.zeros(len(code) + 1, np.int64)
    np.cumsum(np.bincount(columns, minlength=len(code)), out=starts[1:])
    return Events(starts, bars.astype(np.int32), code[columns, bars].astype(np.uint8))
