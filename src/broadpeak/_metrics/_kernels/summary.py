# SPDX-License-Identifier: BSD-3-Clause
"""What a simulation leaves of each group of columns, for metrics to be computed from."""

from __future__ import annotations

import numpy as np

from broadpeak.types import AnyArray, FloatArray

MOMENTS, DOWNSIDE, DRAWDOWN, TRADES = 1, 2, 4, 8
"""What a summary may hold besides the end value, as bits."""

SUMMARY = np.dtype(
    [
        ("start", np.float64),
        ("end", np.float64),
        # The bars that the columns have, and the span of them.
        ("bars", np.float64),
        ("first", np.float64),
        ("last", np.float64),
        # MOMENTS and DOWNSIDE: of bar returns, and the size of the values they are changes of.
        ("mean", np.float64),
        ("std", np.float64),
        ("return_term", np.float64),
        ("downside", np.float64),
        # DRAWDOWN
        ("drawdown", np.float64),
        # TRADES: of all trades their number, results and fees; the rest of closed trades.
        ("trades", np.float64),
        ("net", np.float64),
        ("fees", np.float64),
        ("closed", np.float64),
        ("wins", np.float64),
        ("gains", np.float64),
        ("losses", np.float64),
        ("largest_win", np.float64),
        ("largest_loss", np.float64),
        ("bars_held", np.float64),
        ("pnl_mean", np.float64),
        ("pnl_std", np.float64),
        ("trade_term", np.float64),
        # TRADES: bars at whose close something is held.
        ("exposed", np.float64),
    ]
)
"""What is left of a group of columns once it is simulated; 0 where it was not needed."""

FIELDS = SUMMARY.names or ()
"""Places in a row of numbers, which is how kernels write a summary: every field is a float64."""

START, END, BARS, FIRST, LAST, MEAN, STD, RETURN_TERM, DOWN, DEPTH = range(10)
TRADE_COUNT, NET, FEES_PAID, CLOSED, WINS, GAINS, LOSSES, LARGEST_WIN, LARGEST_LOSS = range(10, 19)
BARS_HELD, PNL_MEAN, PNL_STD, TRADE_TERM, EXPOSED = range(19, 24)
N_FIGURES = len(FIELDS)
N_MOMENTS = RETURN_TERM + 1
"""Width of rows that end with MOMENTS: those of very many columns take a third of the memory."""

_NARROW = np.dtype(SUMMARY.descr[:N_MOMENTS])


def as_summary(rows: FloatArray) -> AnyArray:
    """Return rows of numbers (n × `N_FIGURES`, C order) as records of dtype `SUMMARY`.

    Those of n × `N_MOMENTS` lack the fields after MOMENTS.
    """
    return rows.reshape(-1).view(SUMMARY if rows.shape[1] == N_FIGURES else _NARROW)
