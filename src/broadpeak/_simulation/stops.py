# SPDX-License-Identifier: BSD-3-Clause
"""The table of stops: everything that closes a position without a signal of its own.

A new kind is a row here, its arithmetic in ``_kernels/stops.py``, and an argument of
`Portfolio.from_signals` and of `s.enter_long`; whatever lies between goes by this table.
"""

from __future__ import annotations

from typing import NamedTuple


class StopKind(NamedTuple):
    """One kind of stop.

    Attributes
    ----------
    name : str
        What strategies call it, and its key in `Rules.stops`.
    argument : str or None
        What `Portfolio.from_signals` calls it; None where it has no such argument.
    unit : "distance" or "bars"
        A distance from the anchor, as a fraction or in price, or a number of bars.
    reason : str
        Exit reason in trade records.
    """

    name: str
    argument: str | None
    unit: str
    reason: str


STOPS = (
    StopKind("stop", "sl_stop", "distance", "stop"),
    StopKind("take_profit", "tp_stop", "distance", "target"),
    StopKind("trail", "tsl_stop", "distance", "trail"),
    StopKind("lifetime", None, "bars", "lifetime"),
)
"""Every kind, in the order in which the kernels hold them."""

EXIT_REASONS = ("entry", "signal", "reverse", *(kind.reason for kind in STOPS), "open")
"""Names of the codes in `exit_reason`."""
