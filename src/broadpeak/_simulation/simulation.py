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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from broadpeak._core.arrays import read_only
from broadpeak._metrics._kernels.summary import N_FIGURES, as_summary
from broadpeak._signals.crossing import Crossing
from broadpeak._simulation._kernels.layout import (
    ONE_COLUMN,
    Groups,
    Market,
    PriceSums,
    SettingsPool,
    Signals,
    Terms,
)
from broadpeak._simulation._kernels.longs import summarize_long_signals
from broadpeak._simulation._kernels.run import run_groups, summarize_groups
from broadpeak._simulation.fills import NO_DAYS, Fills
from broadpeak._simulation.plans import Floor, Plan
from broadpeak._simulation.rules import (
    NO_TABLE,
    ExitAxis,
    Orders,
    Prices,
    Rules,
    SharedRows,
    are_given,
    as_rows,
    settings_pool,
)
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray

CHUNK = 1 << 22  # values of one input that are copied at a time, where copying is needed
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

    def start(self) -> FloatArray:
        """Return the value of each group before the first bar."""
        n_columns, n_groups = len(self.price_rows), len(self.groups.bounds) - 1
        cash = np.asarray(self.rules.init_cash, dtype=np.float64)
        if self.groups.shared or n_groups == n_columns:
            return np.full(n_groups, cash)
        if cash.ndim == 0 and n_groups == 1:
            return np.full(1, cash * n_columns)
        cash = np.broadcast_to(cash, (n_columns,))
        return np.add.reduceat(cash[self.groups.order], self.groups.bounds[:-1])

    @property
    def is_described(self) -> bool:
        """Whether signals or stops are descriptions that no kernel reads as they are."""
        return self.axis is not None or any(isinstance(one, Crossing) for one in self.signals)

    def expanded(self) -> Simulation:
        """Return the same simulation with a row of signals and stops for every result column."""
        signals = [
            SharedRows(one.bools().view(np.uint8)) if isinstance(one, Crossing) else one
            for one in self.signals
        ]
        if self.axis is None:
            return replace(self, signals=signals)
        n, n_values = len(self.price_rows), len(self.axis)
        base, value = np.repeat(np.arange(n), n_values), np.tile(np.arange(n_values), n)
        settings: dict[str, Any] = {
            name: given.repeated(base)
            for name in ("size", "fees", "fixed_fees", "slippage")
            if isinstance(given := getattr(self.rules, name), SharedRows)
        }
        stops = {
            name: given.repeated(base) if isinstance(given, SharedRows) else given
            for name, given in self.rules.stops.items()
        }
        for name, values in self.axis.stops.items():
            stops[name] = SharedRows(values[:, np.newaxis], value)
        cash = np.asarray(self.rules.init_cash)
        if cash.ndim:
            settings["init_cash"] = cash[base]
        return Simulation(
            self.prices,
            self.price_rows[base],
            [one.repeated(base) for one in signals],
            replace(self.rules, stops=stops, **settings),
            Groups.single(n * n_values),
        )

    def fills(self) -> Fills:
        """Run everything and keep the order log."""
        if self.is_described:
            return self.expanded().fills()
        inputs = self.kernel_inputs()
        log = run_groups(self.groups, *inputs)
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
        for signal in self.signals[2:]:
            if isinstance(signal, SharedRows):
                long &= np.logical_not(are_given(signal, n))
            else:
                long[:] = False
        return long

    def summary(self, needs: int, start: FloatArray) -> AnyArray:
        """Run, and keep of each group only its summary (dtype `SUMMARY`)."""
        if self.is_described:
            if self.axis is not None:
                start = np.repeat(start, len(self.axis))
            return self.expanded().summary(needs, start)
        # Kernels take signals in C order and settings in one array; what is large is copied part
        # by part, so that never all of it is there twice.
        copied = 0
        for rows in self.signals:
            if not rows.values.flags.c_contiguous:
                copied = max(copied, rows.values.size)
        for value in self.rules.settings():
            if isinstance(value, SharedRows):
                copied = max(copied, value.values.size)
        parts = [self] if copied <= CHUNK else self._parts()
        found: list[AnyArray] = []
        begin = 0
        for part in parts:
            end = begin + len(part.groups.bounds) - 1
            found.append(part.rows_of_summary(needs, start[begin:end]))
            begin = end
        return as_summary(found[0] if len(found) == 1 else np.concatenate(found))

    def rows_of_summary(self, needs: int, start: FloatArray) -> FloatArray:
        """Return the summary as rows of numbers, by the shortest way that finds it."""
        inputs = self.kernel_inputs()
        long = self.are_long()
        table = self.prices.table_for(needs) if long.any() else NO_TABLE
        market, signals, cash, settings, terms = inputs
        watches = terms.has_distances or terms.has_lifetime
        if not long.all() or watches or self.prices.has_nan or not self._are_single:
            return self.by_loop(needs, start, long, table)
        n_columns = len(self.price_rows)
        out = np.zeros((n_columns, N_FIGURES))
        doubt = np.zeros(n_columns, np.bool_)
        summarize_long_signals(
            needs, 0, n_columns, market.open, market.close, signals.long_entries,
            signals.long_exits, signals.rows, cash, settings, terms.next_open, table, out, doubt,
        )  # fmt: skip
        if doubt.any():
            unsure = np.flatnonzero(doubt)
            out[unsure] = self.take(unsure).by_loop(needs, start[unsure], long[unsure], table)
        return out

    def by_loop(
        self, needs: int, start: FloatArray, long: BoolArray, table: PriceSums
    ) -> FloatArray:
        """Return the summary as rows of numbers, from the orders of every column."""
        found: FloatArray = summarize_groups(
            needs, self.groups, *self.kernel_inputs(), self.prices.own, self.costs(), start, long,
            table,
        )  # fmt: skip
        return found

    @property
    def _are_single(self) -> bool:
        """Whether every column is a group, in order."""
        order = self.groups.order
        n = len(order)
        return n == len(self.groups.bounds) - 1 and (n == 1 or bool((order == np.arange(n)).all()))

    def take(self, columns: IntArray) -> Simulation:
        """Return the simulation of some columns, each on its own account."""
        rules, n = self.rules, len(self.price_rows)
        changed: dict[str, Any] = {
            name: value.taken(columns, n)
            for name in ("size", "fees", "fixed_fees", "slippage")
            if isinstance(value := getattr(rules, name), SharedRows)
        }
        cash = np.asarray(rules.init_cash)
        if cash.ndim:
            changed["init_cash"] = cash[columns]
        changed["stops"] = {
            name: value.taken(columns, n) if isinstance(value, SharedRows) else value
            for name, value in rules.stops.items()
        }
        signals = [
            one.taken(columns, n) if isinstance(one, SharedRows) else one.take(columns)
            for one in self.signals
        ]
        return Simulation(
            self.prices, self.price_rows[columns], signals, replace(rules, **changed),
            Groups.single(len(columns)), self.axis,
        )  # fmt: skip

    def plan(self, needs: int) -> Plan:
        """Return which evaluator runs for figures of these needs."""
        del needs
        return Plan("dense", "every bar of every column is looked at")

    def stream(
        self, needs: int, start: FloatArray, floor: Floor | None = None
    ) -> Iterator[tuple[IntArray, AnyArray]]:
        """Yield positions of result columns and their summaries, block by block."""
        del floor
        n_values = 1 if self.axis is None else len(self.axis)
        if self.axis is None:
            yield np.arange(len(start)), self.summary(needs, start)
            return
        for k in range(len(start)):
            part = replace(self, axis=None).part(k, k + 1)
            rows = replace(part, axis=self.axis).summary(needs, start[k : k + 1])
            yield np.arange(k * n_values, (k + 1) * n_values), rows

    def costs(self) -> FloatArray:
        """Return what every column pays per unit, shape (1, 4), as the kernels read it."""
        costs = self.rules.costs
        row = (costs.spread + costs.commission, costs.roll_long, costs.roll_short, costs.lot_amount)
        return np.array([row], dtype=np.float64)

    def kernel_inputs(self) -> tuple[Market, Signals, FloatArray, SettingsPool, Terms]:
        """Return what the kernels take, as they take it."""
        prices, rules, groups = self.prices, self.rules, self.groups
        n_columns = len(self.price_rows)
        signals = list(map(read_only, map(_VALUES, self.signals)))
        numbers = _ONE_ROW
        if max(n_columns, len(prices.close), *map(len, signals)) > 1:
            numbers = np.empty((n_columns, 6), dtype=np.int64)
            numbers[:, 0] = self.price_rows
            for k, rows in enumerate(self.signals):
                numbers[:, k + 1] = rows.of_columns(n_columns)
            numbers = read_only(numbers)
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
            Signals(signals[0], signals[1], signals[2], signals[3], signals[4], numbers),
            cash,
            settings_pool(rules.settings(), n_columns, prices.close.shape[1]),
            terms,
        )

    def _parts(self) -> list[Simulation]:
        """Return simulations of some groups each, `CHUNK` values an input unless one has more."""
        step = max(1, CHUNK // max(1, self.prices.close.shape[1]))
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
        """Return the simulation of groups first..last-1; with an axis of these result columns."""
        if self.axis is not None:
            return self.expanded().part(first, last)
        bounds = self.groups.bounds[first : last + 1]
        columns = self.groups.order[bounds[0] : bounds[-1]]
        rules = self.rules
        changed: dict[str, Any] = {
            name: value.part(columns)
            for name in ("size", "fees", "fixed_fees", "slippage")
            if isinstance(value := getattr(rules, name), SharedRows)
        }
        cash = np.asarray(rules.init_cash)
        if cash.ndim:
            changed["init_cash"] = cash[first:last] if self.groups.shared else cash[columns]
        changed["stops"] = {
            name: value.part(columns) if isinstance(value, SharedRows) else value
            for name, value in rules.stops.items()
        }
        return Simulation(
            self.prices,
            self.price_rows[columns],
            [_part_of(signal, columns) for signal in self.signals],
            replace(rules, **changed),
            Groups(np.arange(len(columns), dtype=np.int64), bounds - bounds[0], self.groups.shared),
        )


def _part_of(signal: SharedRows | Crossing, columns: IntArray) -> SharedRows | Crossing:
    """Return what some columns read of a signal."""
    if isinstance(signal, Crossing):
        return signal if signal.shape[0] == 1 else signal.take(columns)
    return signal.part(columns)


def simulate(prices: Prices, orders: Orders, rules: Rules) -> Fills:
    """Simulate every column on its own account.

    Parameters
    ----------
    prices : Prices
        One price column for all, or one each.
    orders : Orders
    rules : Rules

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
    return Simulation(prices, price_rows, signals, rules, groups).fills()
