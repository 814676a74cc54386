# SPDX-License-Identifier: BSD-3-Clause
"""What the kernels share: their inputs as tuples, positions inside arrays, and codes.

Notation: `seen` is the signal bar, `bar` the fill bar, `raw` the price before slippage, `d` the
direction of an order (+1 buys, -1 sells). A *column* is one simulation. What several columns read
is held once, as a *row* of an array rows × bars: `price_rows` and `Signals.rows` say which row a
column reads. A *group* is columns that are valued together; these are its *members*.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from broadpeak._simulation.stops import EXIT_REASONS, STOPS
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray


class Market(NamedTuple):
    """Prices, price columns × bars, and the calendar day of each bar, for rollover."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    days: IntArray


class OwnPrices(NamedTuple):
    """Closes without the bars that a price column does not have, one column after another.

    Column p has ``close[bounds[p]:bounds[p + 1]]``, on these `bars`; `bars` is empty where no
    price is missing anywhere.
    """

    close: FloatArray
    bars: IntArray
    bounds: IntArray


class PriceSums(NamedTuple):
    """Running sums of each price's own changes, price columns first, as `held.py` makes them.

    Of changes and their squares, per bar and before each block, and bounds of their rounding; of
    squared losses likewise, and the range of each block. No rows: not made.
    """

    sums: FloatArray
    bases: FloatArray
    limits: FloatArray
    downs: FloatArray
    down_bases: FloatArray
    ranges: FloatArray


class Signals(NamedTuple):
    """Signals as bytes, rows × bars, and `rows` (columns × 6): what each column reads.

    `rows` holds the row of the price, of the four signals, and of flatten.
    """

    long_entries: AnyArray
    long_exits: AnyArray
    short_entries: AnyArray
    short_exits: AnyArray
    flatten: AnyArray
    rows: IntArray


class SettingsPool(NamedTuple):
    """Settings in one flat array, read as ``values[offsets[column, k] + bar * steps[k]]``."""

    values: FloatArray
    offsets: IntArray
    steps: IntArray


class Terms(NamedTuple):
    """What holds for all columns and bars: modes, and costs per unit."""

    next_open: bool
    size_type: int
    by_price: bool
    accumulate: bool
    limited: bool
    has_distances: bool
    has_lifetime: bool
    unit_cost: float
    roll_long: float
    roll_short: float
    lot: float
    whole: bool


class Groups(NamedTuple):
    """Columns that are valued together: those of group g are ``order[bounds[g]:bounds[g + 1]]``.

    `shared` says whether the columns of a group share their cash.
    """

    order: IntArray
    bounds: IntArray
    shared: bool = False

    @classmethod
    def single(cls, n_columns: int) -> Groups:
        """Return every column as its own group."""
        numbers = np.arange(n_columns + 1, dtype=np.int64)
        return cls(numbers[:-1], numbers)

    @classmethod
    def of_codes(cls, codes: IntArray, n_groups: int, *, shared: bool) -> Groups:
        """Return groups from the group number of each column."""
        order = np.argsort(codes, kind="stable").astype(np.int64)
        bounds = np.zeros(n_groups + 1, dtype=np.int64)
        np.cumsum(np.bincount(codes, minlength=n_groups), out=bounds[1:])
        return cls(order, bounds, shared)

    def codes(self) -> IntArray:
        """Return the group number of each column."""
        codes = np.empty(len(self.order), dtype=np.int64)
        codes[self.order] = np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))
        return codes

    def alone(self, columns: BoolArray | None) -> BoolArray:
        """Return which groups are one column each, and that one of `columns`."""
        if columns is None:
            return np.zeros(len(self.bounds) - 1, np.bool_)
        sizes = np.diff(self.bounds)
        if not sizes.all():  # a group without columns has no first one
            return np.zeros(len(sizes), np.bool_)
        found: BoolArray = columns[self.order[self.bounds[:-1]]] & (sizes == 1)
        return found


ONE_COLUMN = Groups.single(1)


class OrderLog(NamedTuple):
    """The orders of all columns, and where those of each column begin and end."""

    orders: FloatArray
    starts: IntArray
    ends: IntArray


# Bits of an action: one byte per bar, conflicts already resolved.
LONG_IN, LONG_OUT, SHORT_IN, SHORT_OUT, FLATTEN = 1, 2, 4, 8, 16

# Settings: the size, each stop by its table (`STOP` and so on of `stops.py`), then costs.
SIZE = 0
FIRST_STOP = 1
FEES, FIXED, SLIP = (FIRST_STOP + len(STOPS) + k for k in range(3))
N_SETTINGS = SLIP + 1

SIZE_TYPES = ("amount", "value", "percent")
# Only strategy runs know these: money with all costs of the entry inside, and a share of what the
# account is worth, with them inside, too.
ALL_SIZE_TYPES = (*SIZE_TYPES, "budget", "equity")
AMOUNT, VALUE, PERCENT, BUDGET, EQUITY = range(5)

# Costs of a column (float64): per unit at the entry, rollover per unit and day.
UNIT_COST, ROLL_LONG, ROLL_SHORT, LOT = range(4)

# Order log (float64): one row an order, column after column.
L_COLUMN, L_BAR, L_REASON, L_WHEN, L_UNITS, L_PRICE, L_FEES, L_FLOW, L_POS = range(9)
N_LOG = 9
AT_OPEN, INSIDE, AT_CLOSE = 0, 1, 2

ENTRY, SIGNAL, REVERSE = 0, 1, 2
STILL_OPEN = len(EXIT_REASONS) - 1

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
"""One trade. direction: 1 long, -1 short; status: 1 closed, 0 open; exit_reason: `EXIT_REASONS`."""
