# SPDX-License-Identifier: BSD-3-Clause
"""Loops over boolean columns: alternation of entries and exits, positions in runs.

Notation: entries, exits, signals (n_bars,) bool.
"""

from __future__ import annotations

from broadpeak._core.compile import kernel
from broadpeak.types import BoolArray, IntArray


@kernel
def alternate(
    entries: BoolArray, exits: BoolArray, kept_entries: BoolArray, kept_exits: BoolArray
) -> None:
    """Keep the first entry, the first exit after it, the first entry after that, and so on."""
    inside = False
    for t in range(entries.size):
        # An entry and an exit on one bar cancel each other.
        enter = entries[t] and not exits[t] and not inside
        leave = exits[t] and not entries[t] and inside
        kept_entries[t] = enter
        kept_exits[t] = leave
        inside = (inside or enter) and not leave


@kernel
def position_in_run(signals: BoolArray, out: IntArray) -> None:
    """Count the bars since a run of true values began, from 1; 0 where false."""
    count = 0
    for t in range(signals.size):
        count = count + 1 if signals[t] else 0
        out[t] = count
