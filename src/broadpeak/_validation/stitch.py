# SPDX-License-Identifier: BSD-3-Clause
"""Out-of-sample orders of walk-forward cycles, joined bar by bar for one simulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from broadpeak._training.orders import SETTINGS, OrderArrays, OrderBook, Setting
from broadpeak.types import BoolArray, FloatArray

BORDERS = ("carry", "close")


class Segment(NamedTuple):
    """Bars [first, last) of one asset that one cycle's parameters rule."""

    first: int
    last: int


class Stitched(NamedTuple):
    """Joined orders over the whole history, and the bars at whose close positions end."""

    orders: OrderArrays
    flatten: BoolArray | None


def stitch(
    books: Sequence[OrderBook],
    segments: Sequence[Segment],
    n_bars: int,
    *,
    horizon: int,
    border: str,
    unit_lots: bool,
) -> Stitched:
    """Join orders: bar t obeys the cycle whose segment holds it.

    Parameters
    ----------
    books : sequence of OrderBook
        Orders of a run over the whole history, one a cycle, with that cycle's parameters.
    segments : sequence of Segment
        Test bars of each cycle, one after the other.
    n_bars : int
        Length of the history.
    horizon : int
        Entries of so many bars after each border are left out; exits are not.
    border : "carry" or "close"
        Whether a position outlives the parameters that opened it. "close" drops the orders of a
        segment's last bar and closes at its close; the last segment has no border after it.
    unit_lots : bool
        Trade one lot whatever the strategy asks for.
    """
    masks = {name: np.zeros(n_bars, dtype=np.bool_) for name in _MASKS}
    parts: dict[str, list[tuple[Segment, Setting]]] = {name: [] for name in SETTINGS}
    flatten = np.zeros(n_bars, dtype=np.bool_)
    cold = 0
    for number, (book, segment) in enumerate(zip(books, segments, strict=True)):
        ends = border == "close" and number < len(segments) - 1
        last = segment.last - 1 if ends else segment.last
        merged = book.merged(segment.first, last, unit_lots=unit_lots)
        for name in _MASKS:
            masks[name] |= getattr(merged, name)
        for name in ("enter_long", "enter_short"):
            masks[name][segment.first : segment.first + horizon] = False
        for name, found in parts.items():
            found.append((segment, merged.settings[name]))
        flatten[segment.last - 1] = ends
        cold += merged.n_unprotected
    settings: dict[str, Any] = {name: _joined(found, n_bars) for name, found in parts.items()}
    orders = OrderArrays(**masks, settings=settings, n_unprotected=cold)
    return Stitched(orders, flatten if border == "close" else None)


_MASKS = ("enter_long", "exit_long", "enter_short", "exit_short")


def _joined(parts: Sequence[tuple[Segment, Setting]], n_bars: int) -> Setting:
    values = [value for _, value in parts]
    if not any(isinstance(value, np.ndarray) for value in values) and len(set(values)) == 1:
        return values[0]
    joined: FloatArray = np.full(n_bars, np.nan)
    for (first, last), value in parts:
        if value is not None:
            joined[first:last] = value[first:last] if isinstance(value, np.ndarray) else value
    return joined
