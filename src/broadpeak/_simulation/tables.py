# SPDX-License-Identifier: BSD-3-Clause
"""Tables of exits: every column meets every level of its stops, at the cost of a few additions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from broadpeak._core.threads import share
from broadpeak._metrics._kernels.summary import MOMENTS, N_FIGURES
from broadpeak._simulation._kernels import exits
from broadpeak._simulation._kernels.held import SMALL, UNSURE
from broadpeak._simulation._kernels.layout import FEES, Market, SettingsPool
from broadpeak._simulation.events import Events
from broadpeak._simulation.figures import (
    ColumnTrades,
    EventBlock,
    add_figures,
    column_parts,
    trades_from_events,
)
from broadpeak._simulation.plans import Floor
from broadpeak._simulation.rules import ExitAxis, Prices, Rules, SharedRows
from broadpeak._simulation.stops import STOPS
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray

TABLE_ROOM = 1 << 27  # bytes of a table
ROWS = 1 << 14  # rows of summaries that are made at a time
_CELL = 28  # bytes of a table for each entry and level
_KINDS = [kind.name for kind in STOPS if kind.unit == "distance"]


def tables_fit(rules: Rules) -> str:
    """Return what keeps stops from being the same for every column; "" for nothing."""
    for name, value in (*rules.stops.items(), ("slippage", rules.slippage)):
        if isinstance(value, SharedRows) and len(value.values) > 1:
            return f"{name} differs from column to column"
    if isinstance(rules.fees, (SharedRows, np.ndarray)):
        return "stops meet fees that are no single number"
    return ""


class ExitLevels(NamedTuple):
    """Stops of each level as ``_kernels/exits.py`` reads them."""

    axis: tuple[FloatArray, FloatArray, FloatArray]
    numbers: IntArray
    lives: FloatArray

    @classmethod
    def of(cls, rules: Rules, levels: Mapping[str, FloatArray], count: int) -> ExitLevels:
        """Return the levels of an axis, and of the stops that are the same for all of them."""
        numbers = np.full((len(_KINDS), count), -1, np.int64)
        axis = []
        for k, name in enumerate(_KINDS):
            if name in levels:
                given = levels[name]
                distances = np.unique(given[~np.isnan(given)])
                found = np.searchsorted(distances, given)
                numbers[k] = np.where(np.isnan(given), -1, found)
            elif rules.stops.get(name) is not None:
                distances = np.full(1, np.nan)
                numbers[k] = 0
            else:
                distances = np.empty(0)
            axis.append(np.ascontiguousarray(distances, np.float64))
        lives = levels.get("lifetime", np.empty(0))
        stops, targets, trails = axis
        return cls((stops, targets, trails), numbers, np.ascontiguousarray(lives, np.float64))


@dataclass(frozen=True, slots=True)
class ExitWorld:
    """What tables are made from: prices, rules, the cash of each column, and an axis."""

    prices: Prices
    market: Market
    price_rows: IntArray
    cash: FloatArray
    rules: Rules
    settings: SettingsPool
    axis: ExitAxis | None

    @property
    def late(self) -> int:
        """Bars from a signal to its fill."""
        return int(self.rules.price == "nextopen")

    @property
    def count(self) -> int:
        """Number of levels."""
        return 1 if self.axis is None else len(self.axis)

    def trades(self, block: EventBlock) -> Iterator[ColumnTrades]:
        """Yield the trades that signals alone make."""
        columns = (0, len(block.rows))
        return trades_from_events(self.market, block, columns, next_open=bool(self.late))


class ExitTable(NamedTuple):
    """The exits of every entry that occurs, at some levels."""

    places: AnyArray
    bars: AnyArray
    prices: FloatArray
    totals: FloatArray
    squares: FloatArray
    growths: FloatArray


def until_when(world: ExitWorld, block: EventBlock) -> AnyArray:
    """Return the last bar on which a stop matters of each price and entry bar; -1: no entry."""
    until = np.full(world.market.close.shape, -1, np.int32)
    for first, last, starts, bars, _ in world.trades(block):
        exits.mark_entries(
            starts[: last - first + 1], bars, block.rows[first:last], world.late, until
        )
    return until


def table_of(world: ExitWorld, until: AnyArray, levels: ExitLevels, count: int) -> ExitTable:
    """Return the exits of all entries at some levels."""
    rows, entries = np.nonzero(until >= 0)
    places = np.full(until.shape, -1, np.int32)
    places[rows, entries] = np.arange(len(rows), dtype=np.int32)
    shape = (len(rows), count)
    table = ExitTable(
        places, np.empty(shape, np.int32), np.empty(shape), np.empty(shape), np.empty(shape),
        np.empty(len(rows)),
    )  # fmt: skip
    open_, high, low = world.prices.filled
    close, settings = world.market.close, world.settings
    sums = world.prices.table_for(0)
    limits = until[rows, entries]
    for p in np.unique(rows):
        first, last = (int(x) for x in np.searchsorted(rows, [p, p + 1]))
        exits.fill_exits(
            first, last, entries, limits, world.late, world.rules.stop_unit == "price", open_[p],
            high[p], low[p], close[p], levels.axis, levels.numbers, levels.lives, settings.values,
            settings.offsets[0], settings.steps, sums.sums[p], sums.bases[p], table.bars,
            table.prices, table.totals, table.squares, table.growths,
        )  # fmt: skip
    return table


class ExitRows(NamedTuple):
    """Rows of summaries, what they are of (column · levels + level), and which are in doubt."""

    positions: IntArray
    rows: FloatArray
    doubtful: BoolArray


def exit_rows(
    world: ExitWorld, needs: int, blocks: Iterator[tuple[int, int, Events]], floor: Floor | None
) -> Iterator[ExitRows]:
    """Yield the summaries of every column at every level, but of those that a floor leaves out.

    Doubtful are rows that only the loop over orders can tell: of columns that would buy again
    after a stop, and of orders that may be too small.
    """
    axis, count = world.axis, world.count
    for first, last, events in blocks:
        block = EventBlock.of((first, last, events), world.price_rows, world.settings)
        cash = world.cash[first:last]
        again = np.empty(last - first, np.bool_)
        exits.enters_again(events.starts, events.actions, again)
        until = until_when(world, block)
        n_entries = max(1, int((until >= 0).sum()))
        step = max(1, min(count, TABLE_ROOM // (_CELL * n_entries)))
        for low in range(0, count, step):
            high = min(low + step, count)
            given = {} if axis is None else {k: v[low:high] for k, v in axis.stops.items()}
            levels = ExitLevels.of(world.rules, given, high - low)
            table = table_of(world, until, levels, high - low)
            for trades in world.trades(block):
                some = slice(trades.first, trades.last)
                desk = _Desk(world, table, trades, block.rows[some], cash[some], again[some])
                for positions, rows, doubtful in desk.rows_of_trades(needs, floor):
                    column, level = np.divmod(positions, high - low)
                    places = (first + trades.first + column) * count + low + level
                    yield ExitRows(places, rows, doubtful)
        unsure = np.flatnonzero(again) + first
        places = (unsure[:, np.newaxis] * count + np.arange(count)).reshape(-1)
        for begin in range(0, len(places), ROWS):
            one = places[begin : begin + ROWS]
            yield ExitRows(one, np.zeros((len(one), N_FIGURES)), np.ones(len(one), np.bool_))


class _Desk(NamedTuple):
    """The trades of some columns, counted from 0, before a table of exits."""

    world: ExitWorld
    table: ExitTable
    trades: ColumnTrades
    rows: IntArray
    cash: FloatArray
    skipped: BoolArray

    def rows_of_trades(self, needs: int, floor: Floor | None) -> Iterator[ExitRows]:
        """Yield the summaries of the columns at every level, parts of them in threads."""
        world, table = self.world, self.table
        _, _, starts, bars, money = self.trades
        n, count = len(self.rows), table.bars.shape[1]
        starts = starts[: n + 1]
        sums = world.prices.table_for(0)
        own = np.empty((int(starts[n]), 3))
        exits.sums_of_trades(
            starts, bars, money, self.rows, world.market.close, sums.sums, sums.bases, own
        )
        costs = np.diff(starts) * (count // 2 + 10) + count
        todo = [[a, b] for a, b in column_parts(costs, n)]
        while todo:
            found: list[ExitRows | None] = [None] * len(todo)

            def work(part: int, todo: list[list[int]] = todo, found: Any = found) -> None:
                a, b = todo[part]
                todo[part][0], found[part] = self._some_rows(a, b, own, needs, floor)

            share(work, len(todo))
            todo = [part for part in todo if part[0] < part[1]]
            yield from (one for one in found if one is not None and len(one.positions))

    def _some_rows(
        self, first: int, last: int, own: FloatArray, needs: int, floor: Floor | None
    ) -> tuple[int, ExitRows]:
        """Return the column after those that there was room for, and their summaries."""
        world, table = self.world, self.table
        _, _, starts, bars, money = self.trades
        count = table.bars.shape[1]
        room = max(count, min(ROWS, count * (last - first)))
        out, state = np.zeros((room, N_FIGURES)), np.empty(room, np.uint8)
        positions = np.empty(room, np.int64)
        kind, bound = exits.NO_FLOOR, 0.0
        if floor is not None and floor.bound is not None:
            kind = exits.BY_SHARPE if floor.figure == "sharpe" else exits.BY_END
            bound = float(floor.bound)
        rate = float(world.settings.values[FEES])
        done, n = exits.exit_moments(
            first, last, starts, bars, money, own, self.rows, table.places, world.late, rate,
            world.market.close.shape[1], world.prices.table_for(0).limits, table.bars,
            table.prices, table.totals, table.squares, table.growths, self.cash, kind,
            floor is not None and floor.best == "low", bound, self.skipped, out, positions, state,
        )  # fmt: skip
        out, positions, state = out[:n], positions[:n], state[:n]
        doubtful = (state & SMALL) != 0
        again = np.full(n, needs & ~MOMENTS != 0) | ((state & UNSURE) != 0)
        again &= ~doubtful
        if again.any():
            which = np.flatnonzero(again)
            out[which] = self._walked(needs, positions[which])
        return done, ExitRows(positions, out, doubtful)

    def _walked(self, needs: int, positions: IntArray) -> FloatArray:
        """Return the summaries of single levels from their trades, one by one."""
        world, table = self.world, self.table
        _, _, starts, bars, money = self.trades
        rate = float(world.settings.values[FEES])
        column = positions // table.bars.shape[1]
        most = int((starts[column + 1] - starts[column]).max(initial=1))
        room = max(most, ROWS)
        out = np.zeros((len(positions), N_FIGURES))
        cell_bars, cell_money = np.empty((room, 2), np.int64), np.empty((room, 4))
        done = 0
        while done < len(positions):
            cell_starts = np.empty(len(positions) - done + 1, np.int64)
            end = exits.trades_of_cells(
                done, positions, starts, bars, money, self.rows, table.places, world.late, rate,
                table.bars, table.prices, cell_starts, cell_bars, cell_money,
            )  # fmt: skip
            part = ColumnTrades(done, end, cell_starts, cell_bars, cell_money)
            add_figures(out, needs, part, world.prices, self.rows[column], self.cash[column])
            done = end
        return out
