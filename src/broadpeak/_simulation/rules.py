# SPDX-License-Identifier: BSD-3-Clause
"""Prices, orders and rules of one simulation: arrays of columns × bars and plain settings."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from broadpeak._core import threads
from broadpeak._core.arrays import read_only
from broadpeak._core.check import one_of
from broadpeak._metrics._kernels.summary import DOWNSIDE, DRAWDOWN
from broadpeak._simulation._kernels.held import BLOCK, add_price_falls, add_price_sums
from broadpeak._simulation._kernels.layout import (
    ALL_SIZE_TYPES,
    N_SETTINGS,
    OwnPrices,
    PriceSums,
    SettingsPool,
    Terms,
)
from broadpeak._simulation._kernels.prices import any_nan, fill_missing
from broadpeak._simulation.costs import MOST_SLIPPAGE, Costs, scaled
from broadpeak._simulation.stops import STOPS
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray

Setting: TypeAlias = "float | FloatArray | SharedRows | None"
"""One number, an array (bars,), or rows (columns, bars), (columns, 1); None or NaN: none."""

NO_COSTS = Costs()
_PLAIN: tuple[tuple[str, Callable[[Any, float], Any], float], ...] = (
    ("size", operator.eq, math.inf),
    ("fixed_fees", operator.eq, 0.0),
    ("fees", operator.lt, 1.0),
)
"""What settings are where an entry is all cash and an exit everything that is held."""
BAR_OF_SUMS = 1.5  # nanoseconds, about
ROOM = 1 << 21  # values of prices whose running sums are kept
_STOP_NAMES = tuple(kind.name for kind in STOPS)
_CHOICES = (
    ("price", ("close", "nextopen")),
    ("size_type", ALL_SIZE_TYPES),
    ("stop_unit", ("fraction", "price")),
)


def as_rows(array: AnyArray) -> AnyArray:
    """Return (bars,) as (1, bars)."""
    return array[np.newaxis, :] if array.ndim == 1 else array


class SharedRows(NamedTuple):
    """An array of rows × bars (or × 1), and for each column the row it reads.

    `numbers` None: row i is column i, or the one row is every column's.
    """

    values: AnyArray
    numbers: IntArray | None = None

    def of_columns(self, n_columns: int) -> IntArray:
        """Return the row of every column."""
        if self.numbers is not None:
            return self.numbers
        if len(self.values) == 1:
            return np.zeros(n_columns, dtype=np.int64)
        return np.arange(n_columns, dtype=np.int64)

    def repeated(self, columns: IntArray) -> SharedRows:
        """Return what the columns in this order read, of the same rows."""
        return SharedRows(self.values, self.of_columns(int(columns.max()) + 1)[columns])

    def taken(self, columns: IntArray, n_columns: int) -> SharedRows:
        """Return what some of `n_columns` columns read, of the same rows."""
        if self.numbers is None and len(self.values) == 1:
            return self
        return SharedRows(self.values, self.of_columns(n_columns)[columns])

    def part(self, columns: IntArray) -> SharedRows:
        """Return the rows of some columns, and only those."""
        numbers = self.of_columns(int(columns.max()) + 1)[columns]
        first, last = int(numbers.min()), int(numbers.max()) + 1
        return SharedRows(np.ascontiguousarray(self.values[first:last]), numbers - first)


@lru_cache(maxsize=8)
def no_signal(n_bars: int) -> SharedRows:
    """Return the row of a signal that is never given, always the same one for a length."""
    return SharedRows(read_only(np.zeros((1, n_bars), dtype=np.uint8)))


def are_given(signal: SharedRows, n_columns: int) -> BoolArray | bool:
    """Return for each column whether a signal is given to it at all; False: to none."""
    if not signal.values.any():
        return False
    given = np.asarray(signal.values.any(axis=1))
    return given[signal.of_columns(n_columns)]


@dataclass(frozen=True, slots=True)
class ExitAxis:
    """Values of stops that multiply the columns: every column meets every value.

    Attributes
    ----------
    stops : dict of str to float64 array, shape (values,)
        By the names of `stops.STOPS`, all of one length, NaN for none. Result columns are columns
        × values, values fastest.
    """

    stops: Mapping[str, FloatArray]

    def __len__(self) -> int:
        return len(next(iter(self.stops.values())))


class Prices:
    """Price columns, what is missing filled in on first use.

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
    complete : bool
        Open, high and low are known to be there on every bar of close: nothing is to be filled in.
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
        complete: bool = False,
    ) -> None:
        close = np.asarray(close, dtype=np.float64)
        self.close = read_only(close if close.ndim == 2 else as_rows(close))
        self.has_nan = bool(any_nan(self.close)) if has_nan is None else has_nan
        found: list[FloatArray | None] = []
        for prices in (open, high, low):
            if prices is None:
                found.append(None)
                continue
            rows = as_rows(np.asarray(prices, dtype=np.float64))
            if rows.shape != self.close.shape:
                rule = f"have the shape of close, {self.close.shape}"
                raise ParamError(broken_rule("open, high and low", rule, rows.shape))
            found.append(rows)
        self._passed = tuple(found)
        self._days = days
        self._complete = complete

    def __reduce__(self) -> tuple[type[Prices], tuple[Any, ...]]:
        # Arrays lose their seal in a pickle, so prices are made again, and look for gaps.
        return Prices, (*self._passed, self.close, self._days)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of price columns and of bars."""
        return self.close.shape

    @cached_property
    def filled(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Open, high and low without gaps."""
        given_open, given_high, given_low = self._passed
        if given_open is given_high is given_low is None:
            return self.close, self.close, self.close
        if self._complete and not (given_open is None or given_high is None or given_low is None):
            return read_only(given_open), read_only(given_high), read_only(given_low)
        open_ = self.close if given_open is None else np.array(given_open)
        plain = given_high is None or given_low is None
        high = np.maximum(open_, self.close) if given_high is None else np.array(given_high)
        low = np.minimum(open_, self.close) if given_low is None else np.array(given_low)
        if self.has_nan or plain or any(any_nan(prices) for prices in (open_, high, low)):
            open_ = np.array(open_)
            fill_missing(open_, high, low, self.close)
        return read_only(open_), read_only(high), read_only(low)

    @cached_property
    def own(self) -> OwnPrices:
        """Closes on the bars that each price column has."""
        if not self.has_nan:
            n, n_bars = self.close.shape
            bounds = np.arange(n + 1, dtype=np.int64) * n_bars
            return OwnPrices(self.close.reshape(-1), _NO_BARS, bounds)
        present = ~np.isnan(self.close)
        bounds = np.zeros(len(self.close) + 1, dtype=np.int64)
        np.cumsum(present.sum(axis=1), out=bounds[1:])
        bars = np.nonzero(present)[1].astype(np.int64)
        return OwnPrices(self.on_own_bars(self.close), read_only(bars), bounds)

    def on_own_bars(self, prices: FloatArray) -> FloatArray:
        """Return prices without the bars that a column does not have, one after another."""
        return read_only(prices[~np.isnan(self.close)] if self.has_nan else prices.reshape(-1))

    def table_for(self, needs: int) -> PriceSums:
        """Return the running sums of price changes, made once; no rows where they are too many.

        With those of losses and the ranges of prices where `needs` (``_kernels/summary.py``) asks.
        """
        if self.close.size > ROOM:
            return NO_TABLE
        return self._falls if needs & (DOWNSIDE | DRAWDOWN) else self._sums

    @cached_property
    def _sums(self) -> PriceSums:
        if "_falls" in self.__dict__:
            return self._falls
        return _table(self, falls=False)

    @cached_property
    def _falls(self) -> PriceSums:
        return _table(self, falls=True, known=self.__dict__.get("_sums"))

    @cached_property
    def days(self) -> IntArray:
        """Calendar day of each bar."""
        if self._days is None:
            return read_only(np.arange(self.close.shape[1], dtype=np.int64))
        return read_only(np.asarray(self._days, dtype=np.int64))


def _table(prices: Prices, *, falls: bool, known: PriceSums | None = None) -> PriceSums:
    n, n_bars = prices.shape
    if not prices.has_nan:
        return sums_of_prices([*prices.close], n_bars, falls=falls, known=known)
    close, _, bounds = prices.own
    rows = [close[bounds[row] : bounds[row + 1]] for row in range(n)]
    return sums_of_prices(rows, n_bars, falls=falls, known=known)


def sums_of_prices(
    prices: Sequence[FloatArray], n_bars: int, *, falls: bool, known: PriceSums | None = None
) -> PriceSums:
    """Return the running sums of prices, each of at most `n_bars` bars; `known`: all but falls."""
    n, n_blocks = len(prices), (n_bars + BLOCK - 1) // BLOCK
    if known is None:
        sums = np.empty((n, n_bars, 2)), np.empty((n, n_blocks, 4)), np.empty((n, 2))
    else:
        sums = known.sums, known.bases, known.limits
    downs, down_bases, ranges = NO_TABLE[3:]
    if falls:
        downs, down_bases = np.empty((n, n_bars)), np.empty((n, n_blocks, 2))
        ranges = np.empty((n, n_blocks, 3))
    if n == 1 and known is None and not falls:
        add_price_sums(prices[0], sums[0][0], sums[1][0], sums[2][0])
        return PriceSums(*sums, downs, down_bases, ranges)
    n_sums = n if known is None else 0
    n_jobs = n_sums + (n if falls else 0)

    def work(part: int) -> None:
        for job in range(part, n_jobs, n_parts):
            row = job if job < n_sums else job - n_sums
            if job < n_sums:
                add_price_sums(prices[row], sums[0][row], sums[1][row], sums[2][row])
            else:
                add_price_falls(prices[row], downs[row], down_bases[row], ranges[row])

    n_parts = max(1, min(threads.parts_for(n_jobs * n_bars * BAR_OF_SUMS), n_jobs))
    threads.share(work, n_parts)
    return PriceSums(*sums, downs, down_bases, ranges)


_NO_BARS = read_only(np.empty(0, dtype=np.int64))
NO_TABLE = PriceSums(
    np.empty((0, 0, 2)),
    np.empty((0, 0, 4)),
    np.empty((0, 2)),
    np.empty((0, 0)),
    np.empty((0, 0, 2)),
    np.empty((0, 0, 3)),
)


class Orders(NamedTuple):
    """Signals: bool arrays of shape (bars,), (1, bars) or (columns, bars); None is false.

    `flatten` marks bars at whose close any position is closed (exit reason "signal") and whose
    signals are dropped.
    """

    long_entries: BoolArray | None = None
    long_exits: BoolArray | None = None
    short_entries: BoolArray | None = None
    short_exits: BoolArray | None = None
    flatten: BoolArray | None = None


class PlainRules(NamedTuple):
    """Rules that are numbers, with entries of all cash and without stops."""

    next_open: bool
    fees: float
    slippage: float
    cash: float
    settings: SettingsPool


@dataclass(frozen=True)
class Rules:
    """How orders become fills.

    Parameters
    ----------
    price : "close" or "nextopen"
        Where an order fills: at the close of its signal bar, or at the next open.
    size : Setting
        Read at the signal bar.
    size_type : "amount", "value", "percent", "budget" or "equity"
        "budget" is money with all costs of the entry inside; "equity" a share of what the account
        is worth when the order fills, costs inside, too. Both need ``limited=False``.
    whole : bool
        Lots are rounded down, with "budget" and "equity".
    stops : dict of str to Setting
        By the names of `stops.STOPS`, read at the signal bar; a missing name, None and NaN are
        none. Distances are fractions of the entry price (of the peak, for a trailing stop), or
        distances in price with ``stop_unit="price"``. A lifetime of n bars ends at the open of bar
        entry + n, with close fills at its close.
    stop_unit : "fraction" or "price"
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
    size_type: str = "amount"
    stops: Mapping[str, Setting] = field(default_factory=dict)
    stop_unit: str = "fraction"
    fees: Setting = None
    fixed_fees: Setting = 0.0
    slippage: Setting = None
    accumulate: bool = False
    limited: bool = True
    init_cash: float | FloatArray = 100.0
    costs: Costs = NO_COSTS
    whole: bool = False

    def at_costs(self, factor: float) -> Rules:
        """Return these rules at a multiple of all that is paid."""
        slippage = _scaled(self.slippage, factor, MOST_SLIPPAGE)
        return replace(
            self,
            fees=_scaled(self.fees, factor),
            fixed_fees=_scaled(self.fixed_fees, factor),
            slippage=slippage,
            costs=scaled(self.costs, factor),
        )

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES:
            if getattr(self, name) not in allowed:
                one_of(name, getattr(self, name), allowed)
        if self.limited:
            if self.size_type in {"budget", "equity"}:
                remedy = "Pass limited=False: the money is the limit."
                raise ParamError(broken_rule("limited", "be False", True, remedy))
            if self.costs.roll_long or self.costs.roll_short:
                remedy = "Pass limited=False, or costs without rollover."
                raise ParamError(broken_rule("limited", "be False with rollover", True, remedy))
            return
        if self.size_type == "percent":
            raise ParamError(broken_rule("size_type", "be an amount or value", self.size_type))
        if isinstance(self.size, (int, float)) and math.isinf(self.size):
            rule = "be finite when cash does not limit it"
            raise ParamError(broken_rule("size", rule, self.size, "Pass the units of a trade."))

    def settings(self) -> list[Setting]:
        """Return the settings in the order of the kernels' layout."""
        costs = self.costs
        return [
            self.size,
            *map(self.stops.get, _STOP_NAMES),
            costs.fees if self.fees is None else self.fees,
            self.fixed_fees,
            costs.slippage if self.slippage is None else self.slippage,
        ]

    @cached_property
    def plain(self) -> PlainRules | None:
        """These rules as numbers, where entries are all cash and nothing but signals closes."""
        numbers: list[float] = []
        for value in (
            self.costs.fees if self.fees is None else self.fees,
            self.costs.slippage if self.slippage is None else self.slippage,
            self.init_cash, self.size, self.fixed_fees,
        ):  # fmt: skip
            if not isinstance(value, (int, float)):
                return None
            numbers.append(float(value))
        if any(stop is not None for stop in self.stops.values()) or not self.invests_all(1).all():
            return None
        settings = settings_pool(self.settings(), 1, 1)
        fees, slippage, cash = numbers[:3]
        return PlainRules(self.price == "nextopen", fees, slippage, cash, settings)

    def invests_all(self, n_columns: int) -> BoolArray:
        """Return for each column whether an entry is all its cash and an exit all it holds."""
        costs = self.costs
        plain = self.size_type == "amount" and self.limited and not self.accumulate
        plain &= costs.spread == 0.0 and costs.commission == 0.0
        every = np.full(n_columns, plain)
        if not plain:
            return every
        for name, fits, bound in _PLAIN:
            value = getattr(self, name)
            if value is None:
                value = getattr(costs, name, math.nan)
            if isinstance(value, (int, float)):
                if not fits(value, bound):
                    every[:] = False
            else:
                rows = value if isinstance(value, SharedRows) else SharedRows(as_rows(value))
                every &= fits(rows.values, bound).all(axis=1)[rows.of_columns(n_columns)]
        return every

    def why_not_all(self, n_columns: int) -> str:
        """Return what keeps some column from entering with all its cash, in words."""
        if replace(self, fixed_fees=0.0, fees=0.0).invests_all(n_columns).all():
            return "an order has a fixed fee, or costs as much as it is worth"
        return "an entry does not take all the cash"

    def terms(self) -> Terms:
        """Return what the kernels take as single numbers."""
        costs = self.costs
        units = set()
        for kind in STOPS:
            if self.stops.get(kind.name) is not None:
                units.add(kind.unit)
        return Terms(
            self.price == "nextopen", ALL_SIZE_TYPES.index(self.size_type),
            self.stop_unit == "price", self.accumulate, self.limited, "distance" in units,
            "bars" in units, float(costs.spread + costs.commission), float(costs.roll_long),
            float(costs.roll_short), float(costs.lot_amount), self.whole,
        )  # fmt: skip


_OWN_SETTING = read_only(np.arange(N_SETTINGS, dtype=np.int64)[np.newaxis, :])
_CONSTANT = read_only(np.zeros(N_SETTINGS, dtype=np.int64))


def settings_pool(settings: list[Setting], n_columns: int, n_bars: int) -> SettingsPool:
    """Return settings as the kernels read them, of 1 or `n_columns` rows and 1 or `n_bars` bars."""
    head: list[float] = []
    arrays: list[tuple[int, SharedRows]] = []
    for k, value in enumerate(settings):
        if isinstance(value, (SharedRows, np.ndarray)):
            arrays.append(
                (k, value if isinstance(value, SharedRows) else SharedRows(as_rows(value)))
            )
            head.append(math.nan)
        else:
            head.append(math.nan if value is None else value)
    values = np.array(head, dtype=np.float64)
    if not arrays:
        return SettingsPool(read_only(values), _OWN_SETTING, _CONSTANT)
    parts: list[FloatArray] = [values]
    offsets = np.repeat(_OWN_SETTING, n_columns, axis=0)
    steps = _CONSTANT.copy()
    length = N_SETTINGS
    for k, rows in arrays:
        n_rows, width = rows.values.shape
        if (rows.numbers is None and n_rows not in {1, n_columns}) or width not in {1, n_bars}:
            rule = f"have shape (1 or {n_columns}, 1 or {n_bars})"
            raise ParamError(broken_rule("a setting", rule, rows.values.shape))
        steps[k] = width > 1
        offsets[:, k] = length
        if n_rows > 1:
            offsets[:, k] += rows.of_columns(n_columns) * width
        parts.append(rows.values.ravel())
        length += rows.values.size
    return SettingsPool(
        read_only(np.concatenate(parts, dtype=np.float64)), read_only(offsets), read_only(steps)
    )


NO_CHARGES = settings_pool([0.0] * N_SETTINGS, 1, 1)
"""Settings of a simulation that has none to tell."""


def _scaled(setting: Setting, factor: float, most: float = math.inf) -> Setting:
    """Return a multiple of a cost, at most `most`."""
    if setting is None:
        return None
    if isinstance(setting, SharedRows):
        return setting._replace(values=np.minimum(setting.values * factor, most))
    found: float | FloatArray = np.minimum(setting * factor, most)
    return found if isinstance(setting, np.ndarray) else float(found)
