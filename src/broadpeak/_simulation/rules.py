# SPDX-License-Identifier: BSD-3-Clause
"""Prices, orders and rules of one simulation, as lanes and plain settings."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from broadpeak._core.arrays import read_only
from broadpeak._core.check import one_of
from broadpeak._simulation._kernels import layout as at
from broadpeak._simulation._kernels.prices import any_nan, fill_missing
from broadpeak._simulation.costs import Costs
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray

Setting: TypeAlias = "float | FloatArray | Lanes | None"
"""One number, an array (bars,), or lanes (columns, bars), (columns, 1); None or NaN: none."""

SIZE_TYPES = ("amount", "value", "percent")
_NO_BARS = np.empty(0, dtype=np.int64)
_NO_BARS.flags.writeable = False
_CHOICES = (
    ("price", ("close", "nextopen")),
    ("size_type", SIZE_TYPES),
    ("unit", ("fraction", "price")),
)
NO_COSTS = Costs()


def lanes_of(array: AnyArray) -> AnyArray:
    """Return (bars,) as (1, bars)."""
    return array[np.newaxis, :] if array.ndim == 1 else array


@dataclass(frozen=True, slots=True)
class Lanes:
    """Lanes and, for each column, the lane it reads.

    Attributes
    ----------
    values : array, shape (lanes, bars) or (lanes, 1)
        Any memory order.
    rows : int64 array, shape (columns,), or None
        None: lane i is column i, or the one lane is every column's.
    """

    values: AnyArray
    rows: IntArray | None = None

    def row_numbers(self, n_columns: int) -> IntArray:
        """Return the lane of every column."""
        if self.rows is not None:
            return self.rows
        if len(self.values) == 1:
            return np.zeros(n_columns, dtype=np.int64)
        return np.arange(n_columns, dtype=np.int64)

    def part(self, columns: IntArray) -> Lanes:
        """Return the lanes of some columns; copies only what is not in C order."""
        rows = self.row_numbers(int(columns.max()) + 1)[columns]
        if self.values.flags.c_contiguous:
            return Lanes(self.values, rows)
        first, last = int(rows.min()), int(rows.max()) + 1
        return Lanes(np.ascontiguousarray(self.values[first:last]), rows - first)


@dataclass(frozen=True, slots=True)
class OwnBars:
    """The bars on which each price column has a price.

    Attributes
    ----------
    bars : int64 array
        Their positions, column after column; empty where no price is missing at all.
    bounds : int64 array, shape (price columns + 1,)
        Where those of each column begin, in `bars` and in prices on own bars.
    """

    bars: IntArray
    bounds: IntArray


class Prices:
    """Price lanes, what is missing filled in on first use.

    Parameters
    ----------
    open, high, low : float64 array, shape (bars,) or (n, bars), optional
        A missing open is the close; a missing high or low is the larger or smaller of open and
        close. The same holds bar by bar for NaN.
    close : float64 array, shape (bars,) or (n, bars)
        NaN where the asset did not trade: nothing fills there, signals of that bar are ignored,
        an order waits for the next bar with a price. Such a bar does not exist for the column.
    days : int64 array, shape (bars,), optional
        Calendar day of each bar, for rollover; without it a bar is a day.
    has_nan : bool, optional
        Whether close has NaN, where that is known.
    """

    def __init__(
        self,
        open: FloatArray | None,
        high: FloatArray | None,
        low: FloatArray | None,
        close: FloatArray,
        days: IntArray | None = None,
        *,
        has_nan: bool | None = None,
    ) -> None:
        self.close = read_only(lanes_of(np.asarray(close, dtype=np.float64)))
        self.has_nan = bool(any_nan(self.close)) if has_nan is None else has_nan
        self._given = tuple(
            None if lane is None else lanes_of(np.asarray(lane, dtype=np.float64))
            for lane in (open, high, low)
        )
        for lane in self._given:
            if lane is not None and lane.shape != self.close.shape:
                rule = f"have the shape of close, {self.close.shape}"
                raise ParamError(broken_rule("open, high and low", rule, lane.shape))
        self._days = days

    def __reduce__(self) -> tuple[Any, ...]:
        # Arrays lose their seal in a pickle, so prices are made again.
        return Prices, (*self._given, self.close, self._days)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of price columns and of bars."""
        return self.close.shape

    @cached_property
    def _filled(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        given_open, given_high, given_low = self._given
        if given_open is given_high is given_low is None:
            return self.close, self.close, self.close
        open_ = self.close if given_open is None else np.array(given_open)
        plain = given_high is None or given_low is None
        high = np.maximum(open_, self.close) if given_high is None else np.array(given_high)
        low = np.minimum(open_, self.close) if given_low is None else np.array(given_low)
        if self.has_nan or plain or any(any_nan(lane) for lane in (open_, high, low)):
            open_ = np.array(open_)
            fill_missing(open_, high, low, self.close)
        return read_only(open_), read_only(high), read_only(low)

    @property
    def open(self) -> FloatArray:
        """Open lanes without gaps."""
        return self._filled[0]

    @property
    def high(self) -> FloatArray:
        """High lanes without gaps."""
        return self._filled[1]

    @property
    def low(self) -> FloatArray:
        """Low lanes without gaps."""
        return self._filled[2]

    @cached_property
    def own(self) -> OwnBars:
        """Which bars each price column has."""
        if not self.has_nan:
            n, n_bars = self.close.shape
            return OwnBars(_NO_BARS, np.arange(n + 1, dtype=np.int64) * n_bars)
        present = ~np.isnan(self.close)
        bounds = np.zeros(len(self.close) + 1, dtype=np.int64)
        np.cumsum(present.sum(axis=1), out=bounds[1:])
        return OwnBars(read_only(np.nonzero(present)[1].astype(np.int64)), bounds)

    def on_own_bars(self, lanes: FloatArray) -> FloatArray:
        """Return lanes without the bars that a column does not have, one after another."""
        flat: FloatArray = lanes[~np.isnan(self.close)] if self.has_nan else lanes.reshape(-1)
        return read_only(flat)

    @cached_property
    def own_close(self) -> FloatArray:
        """Closes of own bars, price column after price column, as `own.bounds` say."""
        return self.on_own_bars(self.close)

    @cached_property
    def days(self) -> IntArray:
        """Calendar day of each bar."""
        if self._days is None:
            return read_only(np.arange(self.close.shape[1], dtype=np.int64))
        return read_only(np.asarray(self._days, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Orders:
    """Signal lanes: bool arrays of shape (bars,), (1, bars) or (columns, bars); None is false.

    `flatten` marks bars at whose close any position is closed (exit reason "signal") and whose
    signals are dropped.
    """

    long_entries: BoolArray | None = None
    long_exits: BoolArray | None = None
    short_entries: BoolArray | None = None
    short_exits: BoolArray | None = None
    flatten: BoolArray | None = None


@dataclass(frozen=True)
class Rules:
    """How orders become fills.

    Parameters
    ----------
    price : "close" or "nextopen"
        Where an order fills: at the close of its signal bar, or at the next open.
    size, short_size : Setting
        Read at the signal bar; `short_…` None means the same as the long side.
    size_type : "amount", "value" or "percent"
    stop, short_stop, target, short_target, trail, short_trail : Setting
        Fractions of the entry price (trail: of the peak), or distances with `unit="price"`; read
        at the signal bar; None or NaN is none.
    unit : "fraction" or "price"
    lifetime, short_lifetime : Setting
        Bars after which a position is closed: at the open of bar entry + n, with close fills at
        its close; 0 or None is none.
    fees, fixed_fees, slippage : Setting
        Read at the fill bar; `fees` and `slippage` None are those of `costs`.
    accumulate : bool
        Entries add to a position, exits reduce it.
    limited : bool
        Whether cash limits what is opened. Strategy runs are not limited.
    init_cash : float or float64 array, shape (columns,) (shared cash: one per group)
    costs : Costs
        Spread, commission, rollover and lot amount; rollover needs ``limited=False``.
    """

    price: str = "close"
    size: Setting = math.inf
    short_size: Setting = None
    size_type: str = "amount"
    stop: Setting = None
    short_stop: Setting = None
    target: Setting = None
    short_target: Setting = None
    trail: Setting = None
    short_trail: Setting = None
    unit: str = "fraction"
    lifetime: Setting = None
    short_lifetime: Setting = None
    fees: Setting = None
    fixed_fees: Setting = 0.0
    slippage: Setting = None
    accumulate: bool = False
    limited: bool = True
    init_cash: float | FloatArray = 100.0
    costs: Costs = field(default=NO_COSTS)

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES:
            if getattr(self, name) not in allowed:
                one_of(name, getattr(self, name), allowed)
        if self.limited and (self.costs.roll_long or self.costs.roll_short):
            remedy = "Pass limited=False, or costs without rollover."
            raise ParamError(broken_rule("limited", "be False with rollover", True, remedy))
        if self.limited:
            return
        if self.size_type == "percent":
            raise ParamError(broken_rule("size_type", "be an amount or value", self.size_type))
        for name in ("size", "short_size"):
            size = getattr(self, name)
            if isinstance(size, (int, float)) and math.isinf(size):
                rule = "be finite when cash does not limit it"
                raise ParamError(broken_rule(name, rule, size, "Pass the units of a trade."))

    def settings(self) -> list[Setting]:
        """Return the settings in the order of the kernels' layout."""

        def other(short: Setting, long: Setting) -> Setting:
            return long if short is None else short

        return [
            self.size,
            other(self.short_size, self.size),
            self.stop,
            other(self.short_stop, self.stop),
            self.target,
            other(self.short_target, self.target),
            self.trail,
            other(self.short_trail, self.trail),
            self.lifetime,
            other(self.short_lifetime, self.lifetime),
            self.costs.fees if self.fees is None else self.fees,
            self.fixed_fees,
            self.costs.slippage if self.slippage is None else self.slippage,
        ]

    def has_stops(self) -> bool:
        """Return whether any stop, target or trail is set."""
        return any(value is not None for value in self.settings()[at.STOP : at.LIFE])

    def modes(self) -> IntArray:
        """Return the modes of the kernels."""
        return np.array(
            [
                self.price == "nextopen",
                SIZE_TYPES.index(self.size_type),
                self.unit == "price",
                self.accumulate,
                self.limited,
                self.has_stops(),
                self.lifetime is not None or self.short_lifetime is not None,
            ],
            dtype=np.int64,
        )

    def money(self) -> FloatArray:
        """Return the unit costs of the kernels."""
        costs = self.costs
        return np.array(
            [
                costs.spread + costs.commission,
                costs.roll_long,
                costs.roll_short,
                costs.lot_amount,
            ],
            dtype=np.float64,
        )


@dataclass(frozen=True, slots=True)
class SettingsPool:
    """Settings in one flat array, read as ``values[offsets[column, k] + bar * steps[k]]``."""

    values: FloatArray
    offsets: IntArray
    steps: IntArray


_SINGLE = np.arange(at.N_SETTINGS, dtype=np.int64)[np.newaxis, :]
_CONSTANT = np.zeros(at.N_SETTINGS, dtype=np.int64)
for _array in (_SINGLE, _CONSTANT):
    _array.flags.writeable = False


def pool_settings(settings: list[Setting], n_columns: int, n_bars: int) -> SettingsPool:
    """Return settings as a pool; lanes must have 1 or `n_columns` rows and 1 or `n_bars` bars."""
    plain = [math.nan if value is None else value for value in settings]
    arrays = [k for k, value in enumerate(plain) if isinstance(value, (np.ndarray, Lanes))]
    if not arrays:
        return SettingsPool(np.array(plain, dtype=np.float64), _SINGLE, _CONSTANT)
    head = [math.nan if k in arrays else value for k, value in enumerate(plain)]
    parts: list[FloatArray] = [np.array(head, dtype=np.float64)]
    offsets = _SINGLE.copy() if n_columns == 1 else np.repeat(_SINGLE, n_columns, axis=0)
    steps = _CONSTANT.copy()
    known: dict[int, int] = {}  # both sides often share one array
    length = at.N_SETTINGS
    for k in arrays:
        given: Any = plain[k]
        lanes = given if isinstance(given, Lanes) else Lanes(lanes_of(given))
        rows, width = lanes.values.shape
        if (lanes.rows is None and rows not in {1, n_columns}) or width not in {1, n_bars}:
            rule = f"have shape (1 or {n_columns}, 1 or {n_bars})"
            raise ParamError(broken_rule("a setting", rule, lanes.values.shape))
        key = id(lanes.values if isinstance(given, Lanes) else given)
        if key not in known:
            known[key] = length
            parts.append(lanes.values.ravel())
            length += lanes.values.size
        steps[k] = width > 1
        offsets[:, k] = known[key]
        if rows > 1:
            offsets[:, k] += lanes.row_numbers(n_columns) * width
    return SettingsPool(np.concatenate(parts, dtype=np.float64), offsets, steps)
