# SPDX-License-Identifier: BSD-3-Clause
"""A simulation that is ready to run: lanes, which lane each column reads, and units of columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from broadpeak._core.arrays import read_only
from broadpeak._simulation._kernels.layout import N_FIGURES
from broadpeak._simulation._kernels.units import run_units, summarize_units
from broadpeak._simulation.fills import NO_DAYS, Fills
from broadpeak._simulation.rules import Lanes, Prices, Rules, pool_settings
from broadpeak.types import FloatArray, IntArray

CHUNK = 1 << 22  # values of one input that are copied at a time, where copying is needed


@dataclass(frozen=True, slots=True)
class Units:
    """Columns that are looked at together: each alone, or the columns of a group.

    Attributes
    ----------
    order : int64 array, shape (columns,)
        Columns, unit after unit.
    bounds : int64 array, shape (units + 1,)
        Where the columns of each unit begin in `order`.
    shared : bool
        Whether the columns of a unit share their cash.
    """

    order: IntArray
    bounds: IntArray
    shared: bool = False

    @classmethod
    def single(cls, n_columns: int) -> Units:
        """Return every column as its own unit."""
        if n_columns == 1:
            return _ONE_UNIT
        numbers = np.arange(n_columns + 1, dtype=np.int64)
        return cls(numbers[:-1], numbers)

    @classmethod
    def grouped(cls, codes: IntArray, n_units: int, *, shared: bool) -> Units:
        """Return units from the unit number of each column."""
        order = np.argsort(codes, kind="stable").astype(np.int64)
        bounds = np.zeros(n_units + 1, dtype=np.int64)
        np.cumsum(np.bincount(codes, minlength=n_units), out=bounds[1:])
        return cls(order, bounds, shared)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def codes(self) -> IntArray:
        """Return the unit number of each column."""
        codes = np.empty(len(self.order), dtype=np.int64)
        codes[self.order] = np.repeat(np.arange(len(self)), np.diff(self.bounds))
        return codes


_ONE_ROW = read_only(np.zeros((1, 6), dtype=np.int64))
_ONE_UNIT = Units(np.zeros(1, dtype=np.int64), np.array([0, 1], dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Simulation:
    """One simulation, checked and ready.

    Attributes
    ----------
    prices : Prices
    price_rows : int64 array, shape (columns,)
    signals : list of five Lanes of bytes
        Long entries and exits, short entries and exits, flatten.
    rules : Rules
        Settings are numbers or Lanes; `init_cash` is an array, one value a column, or one a unit
        where cash is shared.
    units : Units
    """

    prices: Prices
    price_rows: IntArray
    signals: list[Lanes]
    rules: Rules
    units: Units

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self.price_rows)

    def start(self) -> FloatArray:
        """Return the value of each unit before the first bar."""
        given = self.rules.init_cash
        if isinstance(given, float) and len(self.units) in {1, self.n_columns}:
            share = self.units.shared or len(self.units) == self.n_columns
            return np.full(len(self.units), given if share else given * self.n_columns)
        cash = np.asarray(given, dtype=np.float64)
        if self.units.shared:
            return np.broadcast_to(cash, (len(self.units),))
        cash = np.broadcast_to(cash, (self.n_columns,))
        if len(self.units) == self.n_columns:
            return cash
        return np.add.reduceat(cash[self.units.order], self.units.bounds[:-1])

    def fills(self) -> Fills:
        """Run everything and keep the order log."""
        log, starts, ends = run_units(
            self.units.order, self.units.bounds, self.units.shared, *self._inputs()
        )
        return Fills(
            self.prices,
            self.price_rows,
            log,
            starts,
            ends,
            self.rules.money()[np.newaxis, :],
        )

    def figures(self, ask: int) -> FloatArray:
        """Run and keep the figures of each unit only, shape (units, N_FIGURES)."""
        parts = [chunk.figures_at_once(ask) for chunk in self._chunks()]
        return np.concatenate(parts) if parts else np.empty((0, N_FIGURES))

    def figures_at_once(self, ask: int) -> FloatArray:
        """Return the figures of a job that is small enough, or needs no copies."""
        open_, high, low, close, le, lx, se, sx, flat, rows, cash, *rest = self._inputs()
        pool, offsets, steps, modes, money, days = rest
        # A copy is writable, whatever cash was given: kernels compile for one kind of array.
        return summarize_units(
            ask, self.units.order, self.units.bounds, self.units.shared, open_, high, low, close,
            le, lx, se, sx, flat, rows, cash,
            np.array(self.start()), pool, offsets, steps, modes, money, days,
            self.prices.own_close, self.prices.own.bars, self.prices.own.bounds,
        )  # fmt: skip

    def _inputs(self) -> tuple[Any, ...]:
        prices, rules, n = self.prices, self.rules, self.n_columns
        rows = _ONE_ROW
        lone = n == 1 and len(prices.close) == 1
        if not (lone and all(len(lanes.values) == 1 for lanes in self.signals)):
            rows = np.empty((n, 6), dtype=np.int64)
            rows[:, 0] = self.price_rows
            for k, lanes in enumerate(self.signals):
                rows[:, k + 1] = lanes.row_numbers(n)
            rows = read_only(rows)
        pool = pool_settings(rules.settings(), n, prices.shape[1])
        cash = np.empty(len(self.units) if self.units.shared else n)
        cash[:] = rules.init_cash
        costs = rules.costs
        days = prices.days if costs.roll_long or costs.roll_short else NO_DAYS
        bare = rules.price == "close" and not rules.has_stops()
        ohl = (prices.close,) * 3 if bare else (prices.open, prices.high, prices.low)
        return (
            *ohl, prices.close, *(read_only(lanes.values) for lanes in self.signals), rows,
            cash, read_only(pool.values), read_only(pool.offsets), read_only(pool.steps),
            rules.modes(), rules.money(), days,
        )  # fmt: skip

    def _large(self) -> bool:
        """Return whether inputs would be copied as a whole."""
        signals = any(
            not lanes.values.flags.c_contiguous and lanes.values.size > CHUNK
            for lanes in self.signals
        )
        settings = self.rules.settings()
        return signals or any(
            isinstance(value, Lanes) and value.values.size > CHUNK for value in settings
        )

    def _chunks(self) -> Iterator[Simulation]:
        n_units = len(self.units)
        if not self._large():
            yield self
            return
        step = max(1, CHUNK // max(1, self.prices.shape[1]))
        bounds = self.units.bounds
        first = 0
        while first < n_units:
            last = first + 1
            while last < n_units and bounds[last + 1] - bounds[first] <= step:
                last += 1
            yield self.part(first, last)
            first = last

    def part(self, first: int, last: int) -> Simulation:
        """Return the job of units first..last-1."""
        bounds = self.units.bounds[first : last + 1]
        columns = self.units.order[bounds[0] : bounds[-1]]
        units = Units(
            np.arange(len(columns), dtype=np.int64), bounds - bounds[0], self.units.shared
        )
        cash = np.asarray(self.rules.init_cash)
        if cash.ndim:
            cash = cash[first:last] if self.units.shared else cash[columns]
        return Simulation(
            self.prices,
            self.price_rows[columns],
            [lanes.part(columns) for lanes in self.signals],
            replace(self.rules, init_cash=cash, **_settings_part(self.rules, columns)),
            units,
        )


_NAMES = (
    "size",
    "short_size",
    "stop",
    "short_stop",
    "target",
    "short_target",
    "trail",
    "short_trail",
    "lifetime",
    "short_lifetime",
    "fees",
    "fixed_fees",
    "slippage",
)


def _settings_part(rules: Rules, columns: IntArray) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for name in _NAMES:
        value = getattr(rules, name)
        if not isinstance(value, Lanes):
            continue
        rows = value.row_numbers(int(columns.max()) + 1)[columns]
        first, end = int(rows.min()), int(rows.max()) + 1
        parts[name] = Lanes(value.values[first:end], rows - first)
    return parts
