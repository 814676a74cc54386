# SPDX-License-Identifier: BSD-3-Clause
"""Summaries of columns that are long or out, with all their cash, from their trades."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from broadpeak._core import threads
from broadpeak._core.arrays import read_only
from broadpeak._metrics._kernels.summary import DOWNSIDE, DRAWDOWN, MOMENTS, TRADES
from broadpeak._signals.crossing import Crossing
from broadpeak._simulation._kernels import held
from broadpeak._simulation._kernels.crossings import pair_moments, trades_of_events
from broadpeak._simulation._kernels.layout import (
    Market,
    PriceSums,
    SettingsPool,
    Signals,
    Terms,
)
from broadpeak._simulation._kernels.longs import signal_moments, trades_of_signals
from broadpeak._simulation._kernels.stopped import stopped_trades
from broadpeak._simulation.events import Events
from broadpeak._simulation.rules import ROOM, PlainRules, Prices, SharedRows, sums_of_prices
from broadpeak.types import BoolArray, FloatArray, IntArray

TRADES_KEPT, WORTH_KEEPING = 1 << 17, 1 << 18  # trades at most; columns × bars at least
TRADE_ROOM = 1 << 16  # trades that are held at a time, unless one column may have more


class ColumnTrades(NamedTuple):
    """Trades of columns first..last-1, those of column c at ``starts[c - first]`` and on.

    `bars` (entry, exit) and `money` are as in ``_kernels/held.py``.
    """

    first: int
    last: int
    starts: IntArray
    bars: IntArray
    money: FloatArray

    @property
    def size(self) -> int:
        """How many trades there are."""
        return int(self.starts[self.last - self.first])

    def copied(self, offset: int) -> ColumnTrades:
        """Return the same trades, of columns `offset` further on, in memory of their own."""
        n = self.size
        return ColumnTrades(
            self.first + offset, self.last + offset,
            self.starts[: self.last - self.first + 1].copy(), self.bars[:n].copy(),
            self.money[:n].copy(),
        )  # fmt: skip


def trades_from_signals(
    market: Market,
    signals: Signals,
    settings: SettingsPool,
    terms: Terms,
    columns: tuple[int, int],
) -> Iterator[ColumnTrades]:
    """Yield the trades of columns first..last-1 with given signals, some columns at a time."""
    n_bars = market.close.shape[1]
    # Where stops are touched inside bars, there may be a trade on each of them.
    most = n_bars + 1 if terms.has_distances else n_bars // 2 + 1
    entries, exits, rows = signals.long_entries, signals.long_exits, signals.rows

    def fill(first: int, end: int, *into: Any) -> int:
        if terms.has_distances:
            return stopped_trades(
                first, end, market, entries, exits, rows, settings.values, settings.offsets,
                settings.steps, terms, *into,
            )  # fmt: skip
        return trades_of_signals(
            first, end, market.open, market.close, entries, exits, rows, settings.values,
            settings.offsets, settings.steps, terms.next_open, *into,
        )  # fmt: skip

    yield from _filled(fill, columns, (columns[1] - columns[0]) * most, most)


def _filled(
    fill: Callable[..., int], columns: tuple[int, int], n_all: int, most: int
) -> Iterator[ColumnTrades]:
    """Yield the trades of columns first..last-1, as many columns at a time as have room.

    There are at most `n_all`, and at most `most` of a column. `fill(first, end, starts, bars,
    money)` writes those of columns from first on, and returns the first whose trades have none.
    """
    first, end = columns
    room = max(min(TRADE_ROOM, n_all), most)
    bars, money = np.empty((room, 2), np.int64), np.empty((room, 4))
    while first < end:
        starts = np.empty(end - first + 1, np.int64)
        last = fill(first, end, starts, bars, money)
        yield ColumnTrades(first, last, starts, bars, money)
        first = last


class EventBlock(NamedTuple):
    """The events of some columns, and what these columns read; columns count from 0.

    Attributes
    ----------
    events : Events
    rows : int64 array, shape (columns,)
        Rows of prices.
    settings : SettingsPool
    """

    events: Events
    rows: IntArray
    settings: SettingsPool

    @classmethod
    def of(
        cls, block: tuple[int, int, Events], price_rows: IntArray, settings: SettingsPool
    ) -> EventBlock:
        """Return the block of columns first..last-1."""
        first, last, events = block
        if len(settings.offsets) > 1:
            settings = settings._replace(offsets=settings.offsets[first:last])
        return cls(events, price_rows[first:last], settings)


def trades_from_events(
    market: Market, block: EventBlock, columns: tuple[int, int], *, next_open: bool
) -> Iterator[ColumnTrades]:
    """Yield the trades of columns first..last-1 of a block, some columns at a time."""
    begin, end = columns
    events, rows, settings = block
    counts = np.diff(events.starts[begin : end + 1]) // 2 + 1

    def fill(first: int, end: int, *into: Any) -> int:
        return trades_of_events(
            first, end, events.starts, events.bars, events.actions, int(next_open),
            market.open if next_open else market.close, market.close, rows, settings.values,
            settings.offsets, settings.steps, *into,
        )  # fmt: skip

    yield from _filled(fill, columns, int(counts.sum()), int(counts.max(initial=1)))


def moments_of_one(
    out: FloatArray,
    entries: SharedRows | Crossing,
    exits: SharedRows | Crossing,
    prices: Prices,
    row: int,
    rules: PlainRules,
) -> bool:
    """Write the moments of one column in one step; return False where that leaves something open.

    `row` is that of its price, of which there are running sums.
    """
    table, close = prices.table_for(MOMENTS), prices.close[row]
    fills = prices.filled[0][row] if rules.next_open else close
    sums = table.sums[row], table.bases[row], table.limits[row]
    if isinstance(entries, SharedRows) and isinstance(exits, SharedRows):
        enter, leave = (read_only(one.values[one.of_columns(1)[0]]) for one in (entries, exits))
        values, offsets, steps = rules.settings
        state = signal_moments(
            enter, leave, rules.next_open, fills, close, values, offsets[0], steps, rules.cash,
            *sums, out,
        )  # fmt: skip
        return state == 0
    if not isinstance(entries, Crossing) or not are_reversed(entries, exits):
        return False
    left, right = entries.left[entries.left_rows[0]], entries.right[entries.right_rows[0]]
    if len(right) != len(left):
        right = np.full(len(left), right[0])
    state = pair_moments(
        read_only(left), read_only(right), 1 if entries.above else 2, int(rules.next_open), fills,
        close, rules.slippage, rules.fees, rules.cash, *sums, out,
    )  # fmt: skip
    return state == 0


def add_figures(
    out: FloatArray,
    needs: int,
    trades: ColumnTrades,
    prices: Prices,
    price_rows: IntArray,
    cash: FloatArray,
) -> BoolArray:
    """Write the summaries of the columns of trades into rows `out` of all columns.

    Return which of them have an order so small that only the loop over orders knows its fate.
    """
    first, last, starts, bars, money = trades
    n_bars = prices.shape[1]
    table = prices.table_for(needs)
    if len(table.sums):
        places = price_rows[first:last]
        return _add_figures(out, needs, trades, prices.close, (price_rows, places), table, cash)
    # Sums of all prices would be too many: those of some columns at a time.
    small = np.empty(last - first, np.bool_)
    step = max(1, ROOM // max(1, n_bars))
    for a in range(first, last, step):
        b = min(a + step, last)
        used, places = np.unique(price_rows[a:b], return_inverse=True)
        falls = bool(needs & (DOWNSIDE | DRAWDOWN))
        table = sums_of_prices([*map(read_only, prices.close[used])], n_bars, falls=falls)
        part = ColumnTrades(a, b, starts[a - first : b - first + 1], bars, money)
        small[a - first : b - first] = _add_figures(
            out, needs, part, prices.close, (price_rows, places.reshape(-1)), table, cash
        )
    return small


def _add_figures(
    out: FloatArray,
    needs: int,
    trades: ColumnTrades,
    close: FloatArray,
    rows_and_places: tuple[IntArray, IntArray],
    table: PriceSums,
    cash: FloatArray,
) -> BoolArray:
    """Write summaries; `rows_and_places`: rows of prices of all columns, of sums of these."""
    first, last, starts, bars, money = trades
    rows, places = rows_and_places
    target, rows, cash = out[first:last], rows[first:last], cash[first:last]
    state = np.empty(last - first, np.uint8)
    held.moments_of_columns(
        target, starts, bars, money, close, rows, places, table.sums, table.bases, table.limits,
        cash, state,
    )  # fmt: skip
    if needs & DOWNSIDE:
        held.downsides_of_columns(
            target, starts, bars, money, close, rows, places, table.downs, table.down_bases,
            table.limits, state,
        )  # fmt: skip
    if needs & (MOMENTS | DOWNSIDE) and (state & ~np.uint8(held.SMALL)).any():
        held.walk_columns(target, starts, bars, money, close, rows, state)
    if needs & DRAWDOWN:
        held.depths_of_columns(target, starts, bars, money, close, rows, places, table.ranges)
    if needs & TRADES:
        held.results_of_columns(target, starts, bars, money, close.shape[1], cash)
    small: BoolArray = (state & held.SMALL) != 0
    return small


def are_reversed(entries: object, exits: object) -> bool:
    """Return whether exits are the crossings of entries the other way."""
    return (
        isinstance(entries, Crossing)
        and isinstance(exits, Crossing)
        and entries.above != exits.above
        and entries.left is exits.left
        and entries.right is exits.right
        and _are_equal(entries.left_rows, exits.left_rows)
        and _are_equal(entries.right_rows, exits.right_rows)
    )


def _are_equal(one: IntArray, other: IntArray) -> bool:
    if one is other:
        return True
    if len(one) == len(other) == 1:
        return int(one[0]) == int(other[0])
    return one.shape == other.shape and bool((one == other).all())


def column_parts(costs: IntArray | int, n_columns: int) -> list[tuple[int, int]]:
    """Return ranges of columns that cost about the same, one for each core that is free.

    `costs` are those of every column, or of each, in about nanoseconds.
    """
    total = costs * n_columns if isinstance(costs, int) else int(costs.sum())
    n_parts = min(threads.parts_for(total), n_columns)
    if n_parts <= 1:
        return [(0, n_columns)]
    goals = [total * k // n_parts for k in range(1, n_parts)]
    if isinstance(costs, int):
        cuts = [goal // costs for goal in goals]
    else:
        cuts = [int(cut) for cut in np.searchsorted(np.cumsum(costs), goals)]
    return list(itertools.pairwise([0, *cuts, n_columns]))


class KeptTrades:
    """The trades of all columns from one summary to the next: few ones that took long to find."""

    __slots__ = ("columns", "found", "room")

    def __init__(self) -> None:
        self.found: list[ColumnTrades] = []
        self.columns = 0
        self.room = TRADES_KEPT

    @classmethod
    def of(cls, size: int) -> KeptTrades | None:
        """Return room for trades where so many bars of columns make it worth to keep them."""
        return cls() if size >= WORTH_KEEPING else None

    def are_all(self, n_columns: int) -> bool:
        """Return whether the trades of every column had room."""
        return self.room >= 0 and self.columns == n_columns

    def add(self, parts: list[list[ColumnTrades]]) -> None:
        """Keep the trades of further columns, or let all of them go."""
        for trades in itertools.chain.from_iterable(parts):
            self.room -= trades.size
            self.columns += trades.last - trades.first
            self.found.append(trades)
        if self.room < 0:
            self.found = []


def figures_of_columns(
    out: FloatArray,
    needs: int,
    parts: Sequence[tuple[int, int]],
    trades_of: Callable[[tuple[int, int]], Iterator[ColumnTrades]],
    account: tuple[Prices, IntArray, FloatArray],
    kept: KeptTrades | None,
    first: int = 0,
) -> BoolArray:
    """Write the summaries of all columns, each part of them in a thread.

    `trades_of` yields the trades of a range of columns, `account` are prices, rows of prices and
    cash. Trades are `kept` where there is room, their columns numbered from `first` on. Return
    which columns have an order so small that only the loop over orders knows.
    """
    prices, price_rows, cash = account
    prices.table_for(needs)  # made once, before threads meet
    small = np.empty(len(out), np.bool_)
    found: list[list[ColumnTrades]] = [[] for _ in parts]

    def work(part: int) -> None:
        room = 0 if kept is None else kept.room
        for trades in trades_of(parts[part]):
            small[trades.first : trades.last] = add_figures(
                out, needs, trades, prices, price_rows, cash
            )
            if kept is not None:
                room -= trades.size
                if room >= 0:
                    found[part].append(trades.copied(first))

    threads.share(work, len(parts))
    if kept is not None:
        kept.add(found)
    return small
