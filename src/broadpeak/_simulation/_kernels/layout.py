# SPDX-License-Identifier: BSD-3-Clause
"""Positions inside the arrays that kernels share, and the codes they write.

Notation: `seen` is the signal bar, `bar` the fill bar, `raw` the price before slippage, `d` the
direction of an order (+1 buys, -1 sells), `pos` signed units.
"""

from __future__ import annotations

import numpy as np

# Bits of an action: one byte per bar, conflicts already resolved.
LONG_IN, LONG_OUT, SHORT_IN, SHORT_OUT, FLATTEN = 1, 2, 4, 8, 16

# Settings, each a lane in the pool: long side, then short side.
SIZE, STOP, TARGET, TRAIL, LIFE = 0, 2, 4, 6, 8
FEES, FIXED, SLIP = 10, 11, 12
N_SETTINGS = 13

# Modes (int64).
M_NEXT_OPEN, M_SIZE_TYPE, M_PRICE_UNIT, M_ACCUMULATE, M_LIMITED, M_STOPS, M_LIVES = range(7)
AMOUNT, VALUE, PERCENT = 0, 1, 2

# Money (float64): cost per unit booked at the entry, rollover per unit and day.
UNIT_COST, ROLL_LONG, ROLL_SHORT, LOT = range(4)

# State of one column (float64). Stop, target and peak are times the side, so that one
# comparison serves long and short: a short is a long on the negated price.
POS, PEAK, S_STOP, S_TARGET, S_TRAIL, DUE, BASIS, SINCE, WATCHED = range(9)
N_STATE = 9

# Account (float64): cash, entry value of open shorts, 1 after value <= 0, value of other columns.
CASH, SHORTS, RUINED, OTHERS = range(4)
N_ACCOUNT = 4

# Order log (float64): one row an order, column after column.
L_COLUMN, L_BAR, L_REASON, L_WHEN, L_UNITS, L_PRICE, L_FEES, L_FLOW, L_POS = range(9)
N_LOG = 9
AT_OPEN, INSIDE, AT_CLOSE = 0, 1, 2

ENTRY, SIGNAL, REVERSE, STOPPED, TRAILED, TARGETED, EXPIRED, STILL_OPEN = range(8)
REASONS = ("entry", "signal", "reverse", "stop", "trail", "target", "lifetime", "open")

MIN_ORDER = 1e-8  # units; a smaller order is not sent
DUST = 1e-9  # units; a smaller remainder is closed
ROUNDING = 1e-12  # an addition of less, as a share of what is held, is rounding
PAID_IN_FULL = 1e-13  # cash left, as a share of the position, that is rounding

TRADE = np.dtype(
    [
        ("column", np.int64),
        ("direction", np.int8),
        ("size", np.float64),
        ("entry_index", np.int64),
        ("exit_index", np.int64),
        ("entry_price", np.float64),
        ("exit_price", np.float64),
        ("entry_fees", np.float64),
        ("exit_fees", np.float64),
        ("roll", np.float64),
        ("pnl", np.float64),
        ("return", np.float64),
        ("status", np.int8),
        ("exit_reason", np.int8),
        ("bars", np.int64),
        ("mae", np.float64),
        ("mfe", np.float64),
    ],
    align=True,
)
"""One trade. direction: 1 long, -1 short; status: 1 closed, 0 open; exit_reason: see `REASONS`."""

# What a summary is asked for, and the figures it gives for each unit.
ASK_RETURNS, ASK_DOWNSIDE, ASK_DRAWDOWN, ASK_TRADES = 1, 2, 4, 8
(
    F_END,
    F_MEAN,
    F_STD,
    F_DOWN,
    F_DEEPEST,
    F_TRADES,
    F_CLOSED,
    F_WINS,
    F_GAINS,
    F_LOSSES,
    F_PNL_MEAN,
    F_PNL_STD,
    F_EXPOSED,
    F_BARS,  # with the two that follow the span of a unit's own bars
    F_FIRST,
    F_LAST,
    F_RETURN_TERM,
    F_TRADE_TERM,
) = range(18)
N_FIGURES = 18
