# SPDX-License-Identifier: BSD-3-Clause
"""One simulation: prices, orders and rules in; fills, trades and paths out.

>>> import numpy as np
>>> close = np.array([10.0, 11.0, 12.0, 13.0])
>>> orders = Orders(long_entries=np.array([True, False, False, False]))
>>> fills = simulate(Prices(None, None, None, close), orders, Rules(size=1.0, limited=False))
>>> fills.trades["pnl"]
array([3.])
>>> fills.value(100.0)
array([100., 101., 102., 103.])
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

import numpy as np

from broadpeak._core import threads
from broadpeak._core.arrays import read_only
from broadpeak._metrics._kernels.summary import MOMENTS, N_FIGURES, N_MOMENTS, as_summary
from broadpeak._signals.crossing import Crossing
from broadpeak._simulation._kernels.layout import (
    ONE_COLUMN,
    Groups,
    Market,
    SettingsPool,
    Signals,
    Terms,
)
from broadpeak._simulation._kernels.run import (
    run_columns,
    run_groups,
    summarize_groups,
    summarize_log,
    summarize_longs,
)
from broadpeak._simulation.events import Events, event_blocks
from broadpeak._simulation.figures import (
    TRADES_KEPT,
    EventBlock,
    KeptTrades,
    add_figures,
    column_parts,
    figures_of_columns,
    moments_of_one,
    trades_from_events,
    trades_from_signals,
)
from broadpeak._simulation.fills import NO_DAYS, Fills
from broadpeak._simulation.passage import Passed, pass_over
from broadpeak._simulation.plans import Floor, Plan
from broadpeak._simulation.rules import (
    NO_TABLE,
    ROOM,
    ExitAxis,
    Orders,
    Prices,
    Rules,
    SharedRows,
    are_given,
    as_rows,
    no_signal,
    settings_pool,
)
from broadpeak._simulation.tables import ExitWorld, exit_rows, tables_fit
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray

RESULTS = 1 << 16  # result columns of an axis that are simulated at a time
COLUMNS = 1 << 19  # and columns of crossings: every block of them finds what crosses anew
COLUMNS_PASSED = 1 << 21  # where none is kept, and every column takes some bytes
RESULTS_PASSED = 1 << 17  # and columns of them that are written at a time, by all cores
PASSED = 1 << 24  # bars of columns from which on crossings are not kept, where that can be
EVENT, COLUMN = 6, 30  # what they cost, in about nanoseconds
CHUNK = 1 << 22  # values of one input that are copied at a time, where copying is needed
_SHORT = "positions may be short"
_VALUES = operator.attrgetter("values")
_ONE_ROW = read_only(np.zeros((1, 6), dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Simulation:
    """One simulation, checked and ready.

    Attributes
    ----------
    prices : Prices
    price_rows : int64 array, shape (columns,)
        Row of `prices` of each column.
    signals : five SharedRows of bytes, or crossings
        Long entries and exits, short entries and exits, flatten.
    rules : Rules
        Settings are numbers or SharedRows; `init_cash` is a number, or has one value a column,
        or one a group where cash is shared.
    groups : Groups
    axis : ExitAxis, optional
        Stops that multiply the columns, each on its own account.
    """

    prices: Prices
    price_rows: IntArray
    signals: Sequence[SharedRows | Crossing]
    rules: Rules
    groups: Groups
    axis: ExitAxis | None = None
    _kept: list[KeptTrades] = field(default_factory=list, init=False, repr=False, compare=False)

    def start(self) -> FloatArray:
        """Return the value of each group, or result column, before the first bar."""
        if self.axis is not None:
            return np.repeat(replace(self, axis=None).start(), len(self.axis))
        given = self.rules.init_cash
        if self.groups is ONE_COLUMN and type(given) is float:
            return np.array([given])
        n_columns, n_groups = len(self.price_rows), len(self.groups.bounds) - 1
        cash = np.asarray(given, dtype=np.float64)
        if self.groups.shared or n_groups == n_columns:
            return np.full(n_groups, cash)
        if cash.ndim == 0 and n_groups == 1:
            return np.full(1, cash * n_columns)
        cash = np.broadcast_to(cash, (n_columns,))
        return np.add.reduceat(cash[self.groups.order], self.groups.bounds[:-1])

    @property
    def is_described(self) -> bool:
        """Whether signals or stops are descriptions that no kernel reads as they are."""
        return self.axis is not None or Crossing in map(type, self.signals)

    def expanded(self) -> Simulation:
        """Return the same simulation with a row of signals and stops for every result column."""
        if self.axis is None:
            signals = [
                SharedRows(one.bools().view(np.uint8)) if isinstance(one, Crossing) else one
                for one in self.signals
            ]
            return replace(self, signals=signals)
        return self.cells(np.arange(len(self.price_rows) * len(self.axis)))

    def cells(self, positions: IntArray) -> Simulation:
        """Return the simulation of single result columns, each with its stops as settings."""
        if self.axis is None:
            return self.take(positions).expanded()
        column, value = np.divmod(positions, len(self.axis))
        used, base = np.unique(column, return_inverse=True)
        own = replace(self, axis=None).take(used).expanded().take(base.reshape(-1))
        stops = dict(own.rules.stops)
        for name, values in self.axis.stops.items():
            stops[name] = SharedRows(values[:, np.newaxis], value)
        return replace(own, rules=replace(own.rules, stops=stops))

    def fills(self) -> Fills:
        """Run everything and keep the order log."""
        if self.is_described:
            return self.expanded().fills()
        inputs = self.kernel_inputs()
        if self.groups.shared:
            log = run_groups(self.groups, *inputs)
        else:
            log = run_columns(self.groups.order, *inputs)
        return Fills(
            self.prices, self.price_rows, log, self.costs(), self.are_long(), inputs[3]
        )  # fmt: skip

    def are_long(self) -> BoolArray:
        """Return which columns are long or out, on their own account, with all their cash.

        What such a column earns follows from its trades in closed form.
        """
        n = len(self.price_rows)
        long = self.rules.invests_all(n)
        if self.groups.shared:
            long[:] = False
        nothing = no_signal(self.prices.close.shape[1])
        for signal in self.signals[2:]:
            if signal is nothing:
                continue
            if isinstance(signal, SharedRows):
                long &= np.logical_not(are_given(signal, n))
            else:
                long[:] = False
        return long

    def plan(self) -> Plan:
        """Return which evaluator finds a summary of this, and why."""
        if self.groups.shared:
            return Plan("dense", "Columns share cash, so that they take turns on every bar.")
        if self.rules.accumulate:
            return Plan("dense", "Entries add to what is held, and exits take from it.")
        reason = self._not_by_crossings()
        if reason:
            return Plan("events", f"From order to order, since {reason}.")
        what = "Entries and exits are crossings, of all cash and of all that is held"
        if self._watches:
            what += ", and a stop depends on the entry bar and its level alone"
        return Plan("crossings", f"{what}.")

    def _not_by_crossings(self) -> str:
        """Return what keeps figures from following from crossings alone; "" for nothing."""
        entries, exits = self.signals[:2]
        if not (isinstance(entries, Crossing) and isinstance(exits, Crossing)):
            return self._why_not_crossings()
        if self.prices.has_nan:
            return "prices have gaps"
        if not self.are_single:
            return "columns are valued in groups"
        if not self.are_long().all():
            if self._may_be_short():
                return _SHORT
            return self.rules.why_not_all(len(self.price_rows))
        if not self._watches:
            return ""
        if self.prices.close.size > ROOM:
            return "stops meet more prices than tables are made of"
        return tables_fit(self.rules)

    def _why_not_crossings(self) -> str:
        if self._may_be_short():
            return _SHORT
        for name, signal in zip(("entries", "exits"), self.signals, strict=False):
            if isinstance(signal, SharedRows):
                if signal is no_signal(signal.values.shape[1]):
                    return f"no {name} are given"
                return f"{name} are given bar by bar"
        raise AssertionError("Entries and exits are crossings.")

    def _may_be_short(self) -> bool:
        """Return whether any column has a signal of the short side."""
        n = len(self.price_rows)
        return any(
            isinstance(signal, Crossing) or bool(np.any(are_given(signal, n)))
            for signal in self.signals[2:4]
        )

    def crossings(self) -> tuple[Crossing, Crossing]:
        """Return entries and exits where both are crossings."""
        entries, exits = self.signals[:2]
        if not (isinstance(entries, Crossing) and isinstance(exits, Crossing)):
            raise ParamError("Entries and exits must be crossings.")
        return entries, exits

    @property
    def _watches(self) -> bool:
        """Whether anything but a signal closes a position."""
        stops = self.rules.stops.values()
        return self.axis is not None or any(stop is not None for stop in stops)

    def summary(self, needs: int, start: FloatArray) -> AnyArray:
        """Run, and keep of each group, or result column, only its summary (dtype `SUMMARY`)."""
        return as_summary(self.rows_of_summary(needs, start))

    def rows_of_summary(self, needs: int, start: FloatArray) -> FloatArray:
        """Return the summary as rows of numbers, by the shortest way that finds it."""
        if needs & ~MOMENTS == 0 and self._is_plain and self.rules.plain is not None:
            out = np.zeros((1, N_FIGURES))
            entries, exits = self.signals[:2]
            row = int(self.price_rows[0])
            if moments_of_one(out, entries, exits, self.prices, row, self.rules.plain):
                return out
        if not self.is_described:
            parts = self._parts() if self._copies > CHUNK else [self]
        elif self._not_by_crossings() == "":
            if not self._watches:
                return self._by_crossings(needs, start)
            out = np.zeros((len(self.price_rows) * self._n_values, N_FIGURES))
            for positions, rows in self._by_tables(needs, None):
                out[positions] = rows
            return out
        else:
            # Bools of some columns at a time, never of all.
            parts = self._parts(self._n_values)
        found: list[FloatArray] = []
        begin = 0
        for part in parts:
            one = part.expanded() if part.is_described else part
            end = begin + len(one.groups.bounds) - 1
            found.append(one.by_signals(needs, start[begin:end]))
            begin = end
        return found[0] if len(found) == 1 else np.concatenate(found)

    @property
    def _n_values(self) -> int:
        """Number of result columns of each column."""
        return 1 if self.axis is None else len(self.axis)

    def stream(
        self, needs: int, start: FloatArray, floor: Floor | None = None
    ) -> Iterator[tuple[IntArray, AnyArray]]:
        """Yield positions and summaries of groups, or result columns, some at a time.

        Parameters
        ----------
        needs : int
        start : float64 array, shape (groups,)
            Value before the first bar, of columns and not of result columns.
        floor : Floor, optional
            Rows that certainly do not reach its bound may be missing; it may move between blocks.

        Yields
        ------
        positions : int64 array, shape (rows,)
            In no particular order from block to block.
        summary : array of dtype `SUMMARY`, shape (rows,)
        """
        if self.is_described and self._watches and self._not_by_crossings() == "":
            blocks = self._by_tables(needs, floor)
        else:
            blocks = self._by_parts(needs, start)
        for positions, rows in blocks:
            summary = as_summary(rows)
            if floor is None:
                yield positions, summary
                continue
            near = floor.reached_by(summary)
            if near.any():
                yield positions[near], summary[near]

    def _by_parts(self, needs: int, start: FloatArray) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield positions and rows of numbers of some groups at a time."""
        begin = 0
        n = self._n_values
        n_groups = len(self.groups.bounds) - 1
        step = max(1, RESULTS // n)
        if self.is_described:
            if self._not_by_crossings() == "":
                yield from self._by_passes(needs, start)
                return
            step = max(1, min(step, CHUNK // max(1, self.prices.close.shape[1])))
        for first in range(0, n_groups, step):
            last = min(first + step, n_groups)
            part = self.part(first, last)
            rows = part.rows_of_summary(needs, np.repeat(start[first:last], n))
            yield np.arange(begin, begin + len(rows)), rows
            begin += len(rows)

    def _by_passes(self, needs: int, start: FloatArray) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield positions and rows of numbers of columns of crossings, some at a time."""
        n = len(self.price_rows)
        step = COLUMNS_PASSED
        for begin in range(0, n, step):
            end = min(begin + step, n)
            part = self if end - begin == n else self.part(begin, end)
            passed = part.passed_over(needs)
            block = COLUMNS if passed is None else RESULTS_PASSED
            for first in range(begin, end, block):
                last = min(first + block, end)
                if passed is None:
                    rows = self.part(first, last).by_events(needs, start[first:last])
                else:
                    rows = np.empty((last - first, N_MOMENTS))
                    part.write_passed(passed, rows, first - begin, needs, start[first:last])
                yield np.arange(first, last), rows

    def _by_tables(self, needs: int, floor: Floor | None) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield positions and rows of numbers of columns at the levels of their stops."""
        market, cash, settings, _ = self._inputs()
        world = ExitWorld(
            self.prices, market, self.price_rows, cash, self.rules, settings, self.axis
        )
        for positions, rows, doubtful in exit_rows(world, needs, self._event_blocks(), floor):
            which = np.flatnonzero(doubtful)
            step = max(1, CHUNK // max(1, self.prices.close.shape[1]))
            for begin in range(0, len(which), step):
                some = which[begin : begin + step]
                own = self.cells(positions[some])
                rows[some] = own.by_loop(needs, own.start(), own.are_long())
            yield positions, rows

    def _event_blocks(self) -> Iterator[tuple[int, int, Events]]:
        """Yield first column, last column + 1, and the events of some columns at a time."""
        entries, exits = self.crossings()
        n = len(self.price_rows)
        if len(entries.left_rows) < n and len(exits.left_rows) < n:
            entries = entries.take(np.zeros(n, np.int64))
        return event_blocks(entries, exits)

    @property
    def _is_plain(self) -> bool:
        """Whether this is one long column, without gaps or stops that are an axis."""
        if len(self.price_rows) != 1 or self.axis is not None or self.groups.shared:
            return False
        prices = self.prices
        if prices.has_nan or prices.close.size > ROOM:
            return False
        nothing = no_signal(prices.close.shape[1])
        return all(one is nothing for one in self.signals[2:])

    @property
    def _copies(self) -> int:
        """The size of the largest input of which the kernels need a copy."""
        copied = 0
        for rows in self.signals:
            if isinstance(rows, SharedRows) and not rows.values.flags.c_contiguous:
                copied = max(copied, rows.values.size)
        for value in self.rules.settings():
            if isinstance(value, SharedRows):
                copied = max(copied, value.values.size)
        return copied

    def by_signals(self, needs: int, start: FloatArray) -> FloatArray:
        """Return the summary as rows of numbers, from signals that are given."""
        long = self.are_long()
        market, signals, cash, settings, terms = self.kernel_inputs()
        if terms.has_lifetime or self.prices.has_nan or not long.all() or not self.are_single:
            return self.by_loop(needs, start, long, (market, signals, cash, settings, terms))
        if self._kept:
            return self._from_kept(needs, start, cash)
        out = np.zeros((len(long), N_FIGURES))
        kept = KeptTrades.of(len(long) * market.close.shape[1])
        trades = partial(trades_from_signals, market, signals, settings, terms)
        parts = column_parts(market.close.shape[1], len(long))
        account = self.prices, self.price_rows, cash
        small = figures_of_columns(out, needs, parts, trades, account, kept)
        if kept is not None and kept.are_all(len(out)):
            self._kept.append(kept)
        return self._checked(out, small, needs, start)

    def _from_kept(self, needs: int, start: FloatArray, cash: FloatArray) -> FloatArray:
        """Return the summary as rows of numbers, from trades that another one has found."""
        n = len(self.price_rows)
        out, small = np.zeros((n, N_FIGURES)), np.empty(n, np.bool_)
        for trades in self._kept[0].found:
            small[trades.first : trades.last] = add_figures(
                out, needs, trades, self.prices, self.price_rows, cash
            )
        return self._checked(out, small, needs, start)

    def _by_crossings(self, needs: int, start: FloatArray) -> FloatArray:
        passed = self.passed_over(needs)
        if passed is None:
            return self.by_events(needs, start)
        out = np.empty((len(self.price_rows), N_MOMENTS))
        self.write_passed(passed, out, 0, needs, start)
        return out

    def passed_over(self, needs: int) -> Passed | None:
        """Return the moments of very many crossings in one pass, where that is the quickest way."""
        n, n_bars = len(self.price_rows), self.prices.shape[1]
        rows = self.price_rows
        if needs & ~MOMENTS or self._kept or n * n_bars < PASSED or self.prices.close.size > ROOM:
            return None
        entries, exits = self.crossings()
        if len(entries.left_rows) < n or bool((rows != rows[0]).any()):
            return None
        _, cash, settings, terms = self._inputs()
        if len(settings.offsets) > 1:
            return None
        account = self.prices, int(rows[0]), cash
        return pass_over(
            entries, exits, account, settings, 2 * TRADES_KEPT, next_open=terms.next_open
        )

    def write_passed(
        self, passed: Passed, out: FloatArray, first: int, needs: int, start: FloatArray
    ) -> None:
        """Write rows of numbers of the columns from `first` on, which end with the moments."""
        last = first + len(out)
        cash = np.empty(len(out))
        given = np.asarray(self.rules.init_cash)
        cash[:] = given[first:last] if given.ndim else given
        left = np.flatnonzero(passed.write(out, first, last, cash))
        if len(left):
            found = self.take(left + first).by_events(needs, start[left])
            out[left] = found[:, :N_MOMENTS]

    def by_events(self, needs: int, start: FloatArray) -> FloatArray:
        n = len(self.price_rows)
        market, cash, settings, terms = self._inputs()
        late = terms.next_open
        if self._kept:
            return self._from_kept(needs, start, cash)
        out, kept = np.zeros((n, N_FIGURES)), KeptTrades.of(n * market.close.shape[1])
        small = np.empty(n, np.bool_)
        for first, last, events in self._event_blocks():
            if len(events.bars) > 2 * TRADES_KEPT:
                kept = None
            block = EventBlock.of((first, last, events), self.price_rows, settings)
            costs = np.diff(events.starts) * EVENT + COLUMN
            parts = column_parts(costs, last - first)
            trades = partial(trades_from_events, market, block, next_open=late)
            account = self.prices, block.rows, cash[first:last]
            small[first:last] = figures_of_columns(
                out[first:last], needs, parts, trades, account, kept, first
            )
        if kept is not None and kept.are_all(len(out)):
            self._kept.append(kept)
        return self._checked(out, small, needs, start)

    def _checked(
        self, out: FloatArray, small: BoolArray, needs: int, start: FloatArray
    ) -> FloatArray:
        """Return rows of numbers, of columns with very small orders as the loop finds them."""
        if small.any():
            columns = np.flatnonzero(small)
            part = self.take(columns)
            part = part.expanded() if part.is_described else part
            out[columns] = part.by_loop(needs, start[columns], np.ones(len(columns), np.bool_))
        return out

    def by_loop(
        self,
        needs: int,
        start: FloatArray,
        long: BoolArray,
        inputs: tuple[Market, Signals, FloatArray, SettingsPool, Terms] | None = None,
    ) -> FloatArray:
        """Return the summary as rows of numbers, from the orders of every column.

        `long`: which columns are long or out, with all their cash; `inputs`: those of the kernels,
        where they are there already.
        """
        market, signals, cash, settings, terms = inputs or self.kernel_inputs()
        own, costs, (order, bounds, shared) = self.prices.own, self.costs(), self.groups
        n_groups = len(bounds) - 1
        columns = -(-len(long) // max(n_groups, 1))
        parts = column_parts(market.close.shape[1] * columns, n_groups)
        out = np.zeros((n_groups, N_FIGURES))
        lone = self.groups.alone(long)
        table = self.prices.table_for(needs) if lone.any() else NO_TABLE

        def work(part: int) -> None:
            at = slice(*parts[part])
            groups = Groups(order, bounds[at.start : at.stop + 1], shared)
            if shared:
                log = run_groups(groups, market, signals, cash[at], settings, terms)
                summarize_log(
                    out[at], needs, groups, log, self.price_rows, market.close.shape[1], own,
                    costs, market.days, start[at], 0.0, lone[at],
                )  # fmt: skip
                return
            if lone[at].any():
                summarize_longs(
                    out[at], needs, groups, market, signals, cash, settings, terms, own, start[at],
                    lone[at], table,
                )  # fmt: skip
            if not lone[at].all():
                summarize_groups(
                    out[at], needs, groups, market, signals, cash, settings, terms, own, costs,
                    start[at], lone[at],
                )  # fmt: skip

        threads.share(work, len(parts))
        return out

    @property
    def are_single(self) -> bool:
        """Whether every column is a group, in order."""
        order = self.groups.order
        n = len(order)
        return n == len(self.groups.bounds) - 1 and (n == 1 or bool((order == np.arange(n)).all()))

    def take(self, columns: IntArray) -> Simulation:
        """Return the simulation of some columns, each on its own account."""
        n = len(self.price_rows)
        rules = self._rules_with(lambda value: value.taken(columns, n), columns)
        signals = [
            one.taken(columns, n) if isinstance(one, SharedRows) else _taken(one, columns)
            for one in self.signals
        ]
        return Simulation(
            self.prices, self.price_rows[columns], signals, rules, Groups.single(len(columns)),
            self.axis,
        )  # fmt: skip

    def _rules_with(self, pick: Callable[[SharedRows], SharedRows], cash_of: Any) -> Rules:
        """Return the rules of some columns: of settings what `pick` takes, of cash `cash_of`."""
        rules = self.rules
        changed: dict[str, Any] = {
            name: pick(value)
            for name in ("size", "fees", "fixed_fees", "slippage")
            if isinstance(value := getattr(rules, name), SharedRows)
        }
        cash = np.asarray(rules.init_cash)
        if cash.ndim:
            changed["init_cash"] = cash[cash_of]
        changed["stops"] = {
            name: pick(value) if isinstance(value, SharedRows) else value
            for name, value in rules.stops.items()
        }
        return replace(rules, **changed)

    def costs(self) -> FloatArray:
        """Return what every column pays per unit, shape (1, 4), as the kernels read it."""
        costs = self.rules.costs
        row = (costs.spread + costs.commission, costs.roll_long, costs.roll_short, costs.lot_amount)
        return np.array([row], dtype=np.float64)

    def kernel_inputs(self) -> tuple[Market, Signals, FloatArray, SettingsPool, Terms]:
        """Return what the kernels take, as they take it; signals are given bar by bar."""
        n_columns = len(self.price_rows)
        market, cash, settings, terms = self._inputs()
        given = cast("Sequence[SharedRows]", self.signals)
        signals = list(map(read_only, map(_VALUES, given)))
        numbers = _ONE_ROW
        if max(n_columns, len(market.close), *map(len, signals)) > 1:
            numbers = np.empty((n_columns, 6), dtype=np.int64)
            numbers[:, 0] = self.price_rows
            for k, rows in enumerate(given):
                numbers[:, k + 1] = rows.of_columns(n_columns)
            numbers = read_only(numbers)
        arrays = Signals(signals[0], signals[1], signals[2], signals[3], signals[4], numbers)
        return market, arrays, cash, settings, terms

    def _inputs(self) -> tuple[Market, FloatArray, SettingsPool, Terms]:
        """Return what the kernels take beside signals."""
        prices, rules, groups = self.prices, self.rules, self.groups
        n_columns = len(self.price_rows)
        terms = rules.terms()
        rolls = terms.roll_long != 0.0 or terms.roll_short != 0.0
        close = prices.close
        # Opens, highs and lows are filled in only for who looks at them.
        looks = terms.next_open or terms.has_distances
        open_, high, low = prices.filled if looks else (close, close, close)
        cash = np.empty(len(groups.bounds) - 1 if groups.shared else n_columns)
        cash[:] = rules.init_cash
        return (
            Market(open_, high, low, close, prices.days if rolls else NO_DAYS),
            cash,
            settings_pool(rules.settings(), n_columns, prices.close.shape[1]),
            terms,
        )

    def _parts(self, n_values: int = 1) -> list[Simulation]:
        """Return simulations of some groups each, `CHUNK` values an input unless one has more.

        Each of their columns is `n_values` result columns.
        """
        step = max(1, min(CHUNK // max(1, self.prices.close.shape[1]), RESULTS // n_values))
        bounds = self.groups.bounds
        parts = []
        first = 0
        while first < len(bounds) - 1:
            last = first + 1
            while last < len(bounds) - 1 and bounds[last + 1] - bounds[first] <= step:
                last += 1
            parts.append(self.part(first, last))
            first = last
        return parts

    def part(self, first: int, last: int) -> Simulation:
        """Return the simulation of groups first..last-1."""
        bounds = self.groups.bounds[first : last + 1]
        columns = self.groups.order[bounds[0] : bounds[-1]]
        cash_of = slice(first, last) if self.groups.shared else columns
        return Simulation(
            self.prices,
            self.price_rows[columns],
            [
                one.part(columns) if isinstance(one, SharedRows) else _taken(one, columns)
                for one in self.signals
            ],
            self._rules_with(lambda value: value.part(columns), cash_of),
            Groups(np.arange(len(columns), dtype=np.int64), bounds - bounds[0], self.groups.shared),
            self.axis,
        )


def _taken(crossing: Crossing, columns: IntArray) -> Crossing:
    """Return what some columns read; a crossing of one column is every column's."""
    return crossing if len(crossing.left_rows) == 1 else crossing.take(columns)


def simulate(prices: Prices, orders: Orders, rules: Rules, *, shared: bool = False) -> Fills:
    """Simulate every column on its own account, or all on one.

    Parameters
    ----------
    prices : Prices
        One price column for all, or one each.
    orders : Orders
    rules : Rules
    shared : bool
        All columns are on one account, `rules.init_cash`.

    Returns
    -------
    Fills

    Raises
    ------
    ParamError
        If shapes do not fit.

    Notes
    -----
    One column costs about what its events cost: between signals and stops nothing is decided.
    """
    n_columns, n_bars = prices.shape
    signals, shapes = [], [prices.shape]
    for array in orders:
        signal = np.zeros((1, n_bars), dtype=np.bool_) if array is None else as_rows(array)
        signals.append(SharedRows(np.asarray(signal, dtype=np.bool_).view(np.uint8)))
        shapes.append(signal.shape)
        n_columns = max(n_columns, len(signal))
    for shape in shapes:
        if shape[0] not in {1, n_columns} or shape[1] != n_bars:
            rule = f"have {n_bars} bars and 1 or {n_columns} columns"
            raise ParamError(broken_rule("prices and orders", rule, shape))
    price_rows = SharedRows(prices.close).of_columns(n_columns)
    groups = ONE_COLUMN if n_columns == 1 else Groups.single(n_columns)
    if shared and n_columns > 1:
        groups = Groups.of_codes(np.zeros(n_columns, dtype=np.int64), 1, shared=True)
    return Simulation(prices, price_rows, signals, rules, groups).fills()
