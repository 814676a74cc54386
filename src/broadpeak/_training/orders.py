# SPDX-License-Identifier: BSD-3-Clause
"""What a strategy ordered, and the trades that come of it.

Calls such as ``s.enter_long(when, stop=…)`` are collected in an `OrderBook`, one a component. Its
`merged` makes one set of `OrderArrays` of them, and `simulate_orders` the trades.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.arrays import as_bools, plain_array, read_only
from broadpeak._core.recall import NOTHING, Recall
from broadpeak._simulation._kernels.layout import LONG_IN, LONG_OUT, SHORT_IN, SHORT_OUT
from broadpeak._simulation.costs import Costs
from broadpeak._simulation.fills import Fills
from broadpeak._simulation.rules import Orders, Prices, Rules, SharedRows
from broadpeak._simulation.simulation import simulate
from broadpeak._simulation.stops import STOPS
from broadpeak._training._kernels.recorded import encode_orders, take_checked
from broadpeak._training.components import Bars
from broadpeak._training.performance import Stats
from broadpeak._training.sizing import Budget
from broadpeak.errors import DataError, StrategyError, broken_rule
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray

Setting: TypeAlias = float | FloatArray | None
"""A distance, size or lifetime: none, the same at every bar, or one a bar (bars,)."""

Rule: TypeAlias = float | FloatArray | SharedRows | None
"""A setting of one column, or of several in rows."""

UNIT_OF = {**{kind.name: kind.unit for kind in STOPS}, "lots": "size"}
"""All settings of an entry, and what kind of number each one is."""

SETTINGS = ("lots", *(kind.name for kind in STOPS))
"""Their names in the order of the arguments of `s.enter_long`."""


class OrderError(StrategyError, DataError):
    """A signal, distance or size that a strategy passed does not fit."""


class Entry(NamedTuple):
    """One call of `enter_long` or `enter_short`: where, and the settings of that entry by name."""

    when: BoolArray
    settings: Mapping[str, Setting]


class OrderCall(NamedTuple):
    """One order call as the strategy wrote it.

    `name` is that of the method, and `number` counts its calls from 1; an exit has no settings.
    """

    name: str
    number: int
    when: BoolArray
    settings: Mapping[str, Setting]


@dataclass(frozen=True, slots=True, eq=False)
class OrderArrays:
    """The orders of one component, ready to be simulated: masks, and settings at signal bars.

    `n_unprotected` counts the entries whose stop was NaN because of warm-up.
    """

    enter_long: BoolArray
    exit_long: BoolArray
    enter_short: BoolArray
    exit_short: BoolArray
    settings: Mapping[str, Setting]
    n_unprotected: int

    def scaled(self, weight: float | FloatArray) -> OrderArrays:
        """Return the orders with their lots times `weight`, a number or one a bar."""
        lots = self.settings["lots"] * weight  # type: ignore[operator]  # never None
        return replace(self, settings={**self.settings, "lots": lots})

    def since(self, first: int) -> OrderArrays:
        """Return the orders from bar `first` on, counted from there."""
        settings = {
            name: value[first:] if isinstance(value, np.ndarray) else value
            for name, value in self.settings.items()
        }
        return OrderArrays(
            self.enter_long[first:],
            self.exit_long[first:],
            self.enter_short[first:],
            self.exit_short[first:],
            settings,
            self.n_unprotected,
        )

    def longer(self) -> OrderArrays:
        """Return the orders with one bar more, on which there is none."""
        none = np.zeros(1, dtype=np.bool_)
        return OrderArrays(
            np.concatenate([self.enter_long, none]),
            np.concatenate([self.exit_long, none]),
            np.concatenate([self.enter_short, none]),
            np.concatenate([self.exit_short, none]),
            {
                name: np.append(value, np.nan) if isinstance(value, np.ndarray) else value
                for name, value in self.settings.items()
            },
            self.n_unprotected,
        )

    def delayed(self, closed: BoolArray | None = None) -> OrderArrays:
        """Return every order one bar later, with the settings it was given.

        That of the last bar is dropped, and so are those that come to stand on a bar of `closed`.
        """

        def moved(mask: BoolArray) -> BoolArray:
            late = np.concatenate([[False], mask[:-1]])
            return late if closed is None else late & ~closed

        settings = {
            name: np.concatenate([value[:1], value[:-1]])
            if isinstance(value, np.ndarray)
            else value
            for name, value in self.settings.items()
        }
        return OrderArrays(
            moved(self.enter_long),
            moved(self.exit_long),
            moved(self.enter_short),
            moved(self.exit_short),
            settings,
            self.n_unprotected,
        )


class OrderRow(NamedTuple):
    """The orders of one component as the kernel of a training reads them.

    `words` are the actions, eight bars a word, before positions are closed at the end; `entries`
    the bars of entries. `settings` are those of `SETTINGS`, arrays with one value an entry.
    """

    words: AnyArray
    entries: IntArray
    settings: tuple[Setting, ...]
    n_unprotected: int

    def whole(self, n_bars: int) -> OrderArrays:
        """Return the same orders as arrays over all bars."""
        codes = self.words.view(np.uint8)[:n_bars]
        bits = (LONG_IN, LONG_OUT, SHORT_IN, SHORT_OUT)
        enter_long, exit_long, enter_short, exit_short = ((codes & bit) != 0 for bit in bits)
        settings: dict[str, Setting] = {}
        for name, value in zip(SETTINGS, self.settings, strict=True):
            settings[name] = value
            if isinstance(value, np.ndarray):
                settings[name] = over = np.full(n_bars, np.nan)
                over[self.entries] = value
        masks = enter_long, exit_long, enter_short, exit_short
        return OrderArrays(*masks, settings, self.n_unprotected)


class OrderBook:
    """The order calls of one component in one run."""

    __slots__ = ("_entries", "_exits", "_n_bars", "sets_lots")

    def __init__(self, n_bars: int) -> None:
        self._n_bars = n_bars
        self.sets_lots = False  # whether an entry was given lots
        self._entries: dict[str, list[Entry]] = {"long": [], "short": []}
        self._exits: dict[str, list[BoolArray]] = {"long": [], "short": []}

    def enter(self, side: str, entry: Entry) -> None:
        """Add an entry."""
        self._entries[side].append(entry)

    def leave(self, side: str, when: BoolArray) -> None:
        """Add an exit; several are joined by or."""
        self._exits[side].append(when)

    @property
    def has_entries(self) -> bool:
        """Whether an entry was called for."""
        return any(self._entries.values())

    def calls(self) -> list[OrderCall]:
        """Return all calls, by side."""
        found = []
        for side, entries in self._entries.items():
            name = f"enter_{side}"
            found += [OrderCall(name, at, *entry) for at, entry in enumerate(entries, 1)]
        for side, exits in self._exits.items():
            found += [OrderCall(f"exit_{side}", at, when, {}) for at, when in enumerate(exits, 1)]
        return found

    def row(self, first: int, *, unit_lots: bool, memory: Recall | None) -> OrderRow:
        """Return the orders of bars from `first` on, as `merged` does; most need no array of it.

        A `memory` knows what became of signals that it has seen before.
        """
        settings = self._plain_settings()
        if settings is None:
            return self._merged_row(first, unit_lots=unit_lots)
        (long, short), (leave_long, leave_short) = self._entries.values(), self._exits.values()
        signals = [[one.when for one in long], leave_long, [one.when for one in short], leave_short]
        inputs = [*itertools.chain(*signals)]
        key = (first, len(long), len(leave_long), len(short), *map(id, inputs))
        if memory is None or (placed := memory.get(key)) is NOTHING:
            placed = _placed([_any_of(masks, self._n_bars) for masks in signals], first)
            if memory is not None and all(map(memory.known.__contains__, map(id, inputs))):
                memory.put(key, placed, inputs, placed[0].nbytes + placed[1].nbytes)
        words, entries = placed
        if unit_lots:
            settings[0] = 1.0
        for place, of_stop in ((1, True), (2, False), (3, False)):
            value = settings[place]
            if type(value) is np.ndarray:
                settings[place] = at_entries = np.empty(len(entries))
                if take_checked(value, entries, at_entries, of_stop):
                    return self._merged_row(first, unit_lots=unit_lots)
        return OrderRow(words, entries, (*settings,), 0)

    def _merged_row(self, first: int, *, unit_lots: bool) -> OrderRow:
        """Return the orders from bar `first` on, looked at closely."""
        orders = self.merged(first, self._n_bars, unit_lots=unit_lots)
        masks = (orders.enter_long, orders.exit_long, orders.enter_short, orders.exit_short)
        words, entries = _placed(masks, first)
        settings = tuple(
            value[entries] if isinstance(value, np.ndarray) else value
            for value in map(orders.settings.__getitem__, SETTINGS)
        )
        return OrderRow(words, entries, settings, orders.n_unprotected)

    def _plain_settings(self) -> list[Setting] | None:
        """Return the settings of all entries, where they are the same and need no closer look."""
        long, short = self._entries.values()
        if len(long) > 1 or len(short) > 1:
            return None
        found = (long or short or [_NO_ENTRY])[0].settings
        if long and short and not _are_same(found, short[0].settings):
            return None
        lots, stop, target, trail, life = map(found.get, SETTINGS)
        if type(lots) is not float or not 0 < lots < math.inf or type(life) is np.ndarray:
            return None
        for distance in (stop, target, trail):
            if type(distance) is float and distance <= 0:
                return None
        if type(life) is float:
            if life < 0.5:
                return None
            life = life if math.isnan(life) else float(check.window("lifetime", life))
        return [lots, stop, target, trail, life]

    def merged(self, first: int, last: int, *, unit_lots: bool) -> OrderArrays:
        """Return the orders of bars [first, last); `unit_lots` makes every size 1, except 0."""
        bars = slice(first, last)
        placed: list[tuple[str, BoolArray, Entry]] = []
        enter, leave = {}, {}
        for side, entries in self._entries.items():
            enter[side] = np.zeros(self._n_bars, dtype=np.bool_)
            for entry in entries:
                # Where two calls of one side are true, the first one's settings count.
                mask = np.zeros(self._n_bars, dtype=np.bool_)
                np.greater(entry.when[bars], enter[side][bars], out=mask[bars])
                enter[side] |= mask
                placed.append((side, mask, entry))
            leave[side] = np.zeros(self._n_bars, dtype=np.bool_)
            for when in self._exits[side]:
                leave[side][bars] |= when[bars]
        # An entry and an exit of one side cancel, then entries of both sides: only what is left
        # enters, and only its settings matter.
        acts = {side: enter[side] & ~leave[side] for side in enter}
        entering = acts["long"] ^ acts["short"]
        for side, mask, _ in placed:
            mask &= acts[side] & entering  # noqa: PLW2901  # in place
        settings = {name: _joined_setting(name, placed, entering) for name in UNIT_OF}
        lots = settings["lots"]
        traded = entering
        if not (lots > 0 if isinstance(lots, float) else np.all(lots > 0)):  # type: ignore[operator]  # never None
            # Size 0 is no trade, but it closes the opposite position.
            nothing = entering & (np.asarray(lots) == 0)
            traded = entering & ~nothing
            leave["long"] = leave["long"] | (nothing & acts["short"])
            leave["short"] = leave["short"] | (nothing & acts["long"])
            enter = {side: mask & ~nothing for side, mask in enter.items()}
        n_unprotected = 0
        for _, mask, entry in placed:
            stop = entry.settings.get("stop")
            if isinstance(stop, np.ndarray):
                n_unprotected += _before_warm(stop, mask & traded)
        if unit_lots:
            settings["lots"] = 1.0
        return OrderArrays(
            enter["long"], leave["long"], enter["short"], leave["short"], settings, n_unprotected
        )


_NO_ENTRY = Entry(np.zeros(0, dtype=np.bool_), dict.fromkeys(SETTINGS) | {"lots": 1.0})


def _are_same(one: Mapping[str, Setting], other: Mapping[str, Setting]) -> bool:
    """Return whether two calls have the same settings: the same arrays, or equal numbers."""
    try:
        if one == other:
            return True
    except ValueError:  # different arrays
        return False
    for name in SETTINGS:
        first, second = one.get(name), other.get(name)
        if first is not second and not (type(first) is float is type(second) and first == second):
            return False
    return True


@lru_cache(maxsize=4)
def _never(n_bars: int) -> BoolArray:
    return read_only(np.zeros(n_bars, dtype=np.bool_))


def _any_of(masks: Sequence[BoolArray], n_bars: int) -> BoolArray:
    if not masks:
        return _never(n_bars)
    found = masks[0]
    for mask in masks[1:]:
        found = found | mask
    return found


def _placed(masks: Sequence[BoolArray], first: int) -> tuple[AnyArray, IntArray]:
    """Return entries and exits, long and short, as actions of eight bars a word; bars of entries.

    Only bars from `first` on count.
    """
    n_bars = len(masks[0])
    enter_long, exit_long, enter_short, exit_short, never = (
        read_only(mask).view(np.uint8)[first:] for mask in (*masks, _never(n_bars))
    )
    words, entries = np.zeros((n_bars + 7) >> 3, dtype=np.uint64), np.empty(n_bars, dtype=np.int64)
    codes = words.view(np.uint8)[first:n_bars]
    n_entries = encode_orders(
        enter_long, exit_long, enter_short, exit_short, never, first, codes, words, entries
    )
    return words, entries[:n_entries].copy()


def _joined_setting(
    name: str, placed: list[tuple[str, BoolArray, Entry]], entering: BoolArray
) -> Setting:
    """Return the setting `name` of the call that enters at each bar; checked where one does."""
    unit = UNIT_OF[name]
    value: Setting = 1.0 if unit == "size" else None
    if placed:
        value = first = placed[0][2].settings.get(name)
        for _, _, entry in placed[1:]:
            other = entry.settings.get(name)
            same = isinstance(other, float) and isinstance(first, float) and other == first
            if other is not first and not same:
                value = _spread(name, placed)  # calls differ: one value a bar
                break
    if value is None:
        return None
    # NaN is no distance and no limit, but no size either. Numbers of bars round half up, and the
    # smallest float above 0 stands for "positive".
    least = 0.5 if unit == "bars" else 5e-324
    if isinstance(value, float):
        is_bad = value < least if unit != "size" else not 0 <= value < math.inf
        bad = entering if is_bad else None
    elif unit == "size":
        bad = entering & ~((value >= 0) & (value < np.inf))
    else:
        bad = entering & (value < least)
    if bad is not None and bad.any():
        bar = int(bad.argmax())
        got = value if isinstance(value, float) else float(value[bar])
        rule, remedy = _RULES[unit]
        rule = f"be {rule} where a position is entered (bar {bar})"
        raise OrderError(broken_rule(name, rule, got, remedy))
    if unit != "bars":
        return value
    if isinstance(value, float):
        return value if math.isnan(value) else float(check.window(name, value))
    rounded: FloatArray = np.floor(value + 0.5)
    return rounded


_RULES = {
    "size": ("0 or more and finite", "0 means no trade."),
    "distance": ("positive", "Pass a distance in price units, or NaN at bars without one."),
    "bars": ("positive", "Pass a number of bars, at least 1, or NaN for no limit."),
}


def _spread(name: str, placed: list[tuple[str, BoolArray, Entry]]) -> FloatArray:
    """Return at each bar the setting of the call that enters there, else that of the first call."""
    values = np.full(len(placed[0][1]), np.nan)
    first = placed[0][2].settings.get(name)
    if first is not None:
        values[:] = first
    for _, mask, entry in placed:
        setting = entry.settings.get(name)
        np.copyto(values, np.nan if setting is None else setting, where=mask)
    return values


def _before_warm(stop: FloatArray, entering: BoolArray) -> int:
    """Return how many entries come before the first bar at which the stop is a number."""
    bars = np.flatnonzero(entering)
    if not np.isnan(stop[bars]).any():
        return 0
    known = ~np.isnan(stop)
    warm = int(known.argmax()) if known.any() else len(stop)
    return int(np.searchsorted(bars, warm))


# ------------------------------------------------------------------ what a strategy passes


def signal(name: str, when: object, bars: Bars, memory: Recall | None = None) -> BoolArray:
    """Return `when` as a bool array of its own, one value a bar; NaN is false.

    What a `memory` knows cannot be changed, and is taken as it is.
    """
    if type(when) is np.ndarray and when.dtype is _BOOL and when.shape == bars.close.shape:
        if memory is not None and id(when) in memory.known:
            return when
        return when.copy()  # the strategy may go on using its array
    index = bars.index
    truth: BoolArray = _column(f"{name}(when)", when, index, as_bools)
    return truth.copy()


_LARGE = 2.0**1000  # what is larger, or no number, is looked at closely
_BOOL, _FLOAT = np.dtype(np.bool_), np.dtype(np.float64)


def setting(name: str, value: object, bars: Bars | None, memory: Recall | None = None) -> Setting:
    """Return `value` as a float, as a read-only float array of its own (bars,), or as None.

    A Python number needs no bars. A `memory` is as for `signal`.
    """
    if value is None or (type(value) is float and abs(value) < _LARGE):
        return value
    if (
        type(value) is np.ndarray
        and value.dtype is _FLOAT
        and bars is not None
        and value.shape == bars.close.shape
    ):
        if memory is not None and id(value) in memory.known:
            return value
        own: FloatArray = value.copy()
        own.flags.writeable = False
        return own
    if isinstance(value, (bool, np.bool_, str)):
        raise OrderError(broken_rule(name, "be a number, or an array with one number a bar", value))
    if (number := check.real(value)) is not None:
        if abs(number) >= 2**1023 and math.isfinite(number):
            raise OrderError(broken_rule(name, "be a number that a float can hold", value))
        return float(number)
    if bars is None:
        raise OrderError(broken_rule(name, "be a number", value))
    raw = _column(name, value, bars.index, plain_array)
    if raw.ndim == 0 and raw.dtype != np.bool_:
        return float(raw)
    own = np.array(raw, dtype=np.float64)
    own.flags.writeable = False
    return own


def _column(
    name: str, value: object, index: pd.Index, convert: Callable[[str, object], AnyArray]
) -> AnyArray:
    if isinstance(value, pd.Series) and not value.index.equals(index):
        remedy = "Use the arrays of s, or reindex to s.index."
        raise OrderError(broken_rule(name, "have the index s.index", value.index, remedy))
    try:
        raw = convert(name, value)
    except DataError as error:
        raise OrderError(str(error)) from error
    number = raw.ndim == 0 and raw.dtype != np.bool_
    if raw.shape != (len(index),) and not number:
        rule = f"be an array with one value a bar, shape ({len(index)},)"
        got = raw.shape if raw.ndim else value
        raise OrderError(broken_rule(name, rule, got, "Arrays of s are whole columns."))
    return raw


# ------------------------------------------------------------------ what becomes of orders


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """How the orders of one component become trades.

    Attributes
    ----------
    prices : Prices
    first : int
        First bar whose signals count.
    fill : "nextopen" or "close"
    costs : Costs
    unit_lots : bool
        Trade one lot whatever size the strategy sets.
    flatten : array of bool (n_bars,), or None
        Bars at whose close the position is closed.
    capital : float
        What returns are shares of: the budget, or one lot at the first evaluated close.
    years : float
        Length of the evaluated period; 0 without dates.
    slope : float
        Trend per bar that is taken out of the results; 0 leaves them.
    budget : Budget, optional
        The money that sizes are bought with; a lot is then the share of it that a trade takes.
    """

    prices: Prices
    first: int
    fill: str
    costs: Costs
    unit_lots: bool
    flatten: BoolArray | None
    capital: float
    years: float
    slope: float = 0.0
    budget: Budget | None = None

    @property
    def compounds(self) -> bool:
        """Whether sizes, and so returns, follow what the account is worth."""
        return self.budget is not None and self.budget.compounds

    def rules(self, size: Rule, stops: Mapping[str, Rule]) -> Rules:
        """Return how orders become fills: `size` in lots, or as a share of the budget."""
        size_type, cash, whole = "amount", 0.0, False
        if self.budget is not None:
            amount, compounds, whole = self.budget
            size_type = "equity" if compounds else "budget"
            cash = amount if compounds else 0.0
        return Rules(
            price=self.fill,
            size=self.sizes(size),
            size_type=size_type,
            stops=stops,
            stop_unit="price",
            limited=False,
            init_cash=cash,
            costs=self.costs,
            whole=whole,
        )

    def sizes(self, lots: Rule) -> Rule:
        """Return lots as sizes of `rules`: money where that is spent, else as they are."""
        if lots is None or self.budget is None or self.compounds:
            return lots
        if isinstance(lots, SharedRows):
            return lots._replace(values=lots.values * self.budget.amount)
        return lots * self.budget.amount


def account_on(
    bars: Bars,
    first: int,
    fill: str,
    costs: Costs,
    *,
    unit_lots: bool = False,
    flatten: BoolArray | None = None,
    detrend: bool = False,
    budget: Budget | None = None,
) -> Account:
    """Return the account of a component whose signals count from bar `first` on."""
    slope = (bars.close[-1] - bars.close[first]) / (len(bars) - 1 - first) if detrend else 0.0
    index = bars.index
    # A component stands on its own bars, and `Data` let none in without its prices.
    prices = (bars.open, bars.high, bars.low, bars.close)
    return Account(
        prices=Prices(*prices, days_of(index), has_nan=False, complete=True),
        first=first,
        fill=fill,
        costs=costs,
        unit_lots=unit_lots,
        flatten=flatten,
        capital=float(bars.close[first]) * costs.lot_amount if budget is None else budget.amount,
        years=years_of(index, first),
        slope=float(slope),
        budget=budget,
    )


def years_of(index: pd.Index, first: int = 0) -> float:
    """Return the years from bar `first` to the last one; 0 without dates."""
    if not isinstance(index, pd.DatetimeIndex) or len(index) <= first + 1:
        return 0.0
    numbers = index.asi8  # their difference is that of the labels, without making these
    return (int(numbers[-1]) - int(numbers[first])) / _YEAR[index.unit]


def days_of(index: pd.Index) -> IntArray:
    """Return the calendar day of each bar, in the time zone of the index; of numbers their own.

    A bar has the same day whatever other bars there are, so that what components pay adds up.
    """
    if not isinstance(index, pd.DatetimeIndex):
        numbers = np.clip(np.floor(index.to_numpy(np.float64)), -(2.0**53), 2.0**53)
        return numbers.astype(np.int64)
    if index.tz is None:
        return index.asi8 // _DAY[index.unit]
    days: IntArray = index.tz_localize(None).to_numpy().astype("datetime64[D]").astype(np.int64)
    return days


_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_YEAR = {unit: 1461 * day / 4 for unit, day in _DAY.items()}  # 365.25 days


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedOrders:
    """Trades of one component, and its profit at each evaluated close."""

    trades: AnyArray
    equity: FloatArray
    fills: Fills

    def stats(self, account: Account, *, recency: float = 1.0) -> Stats:
        """Return the statistics of the evaluated bars."""
        return Stats.of_records(
            self.trades,
            self.equity,
            first=account.first,
            capital=account.capital,
            years=account.years,
            recency=recency,
            slope=account.slope,
            compounds=account.compounds,
        )

    def segment(
        self, account: Account, first: int, last: int, *, recency: float = 1.0
    ) -> tuple[Stats, float]:
        """Return the statistics of evaluated bars [first, last), and their profit.

        Trades count where they were closed; equity is marked to market at both ends.
        """
        trades, equity = self.trades, self.equity
        begin, end = account.first + first, account.first + last
        closed = trades["status"] == 1
        ended = trades[(trades["exit_index"] >= begin) & (trades["exit_index"] < end) & closed]
        earlier = trades[(trades["exit_index"] < begin) & closed]
        before = equity[first - 1] if first else 0.0
        ended["entry_index"] = np.maximum(ended["entry_index"], begin)  # a copy, as selections are
        balance = earlier["pnl"].sum() - before
        if account.slope:
            held = earlier["direction"] * earlier["bars"] * earlier["size"]
            balance -= account.slope * held.sum()
        stats = Stats.of_records(
            ended,
            equity[first:last] - before,
            first=begin,
            capital=account.capital + (before if account.compounds else 0.0),
            years=account.years * (last - first) / len(equity),
            recency=recency,
            slope=account.slope,
            balance=float(balance),
            compounds=account.compounds,
        )
        return stats, float(equity[last - 1] - before)


def simulate_orders(orders: OrderArrays, account: Account) -> SimulatedOrders:
    """Simulate the orders of one component: distances in price, never limited by cash."""
    settings = orders.settings
    fills = simulate(
        account.prices,
        _signals(orders, account.flatten),
        account.rules(settings["lots"], {kind.name: settings[kind.name] for kind in STOPS}),
    )
    return _simulated(fills, account)


def simulate_members(
    members: Sequence[OrderArrays], accounts: Sequence[Account]
) -> list[SimulatedOrders]:
    """Simulate the members of an ensemble: where equity compounds, all spend of one account.

    Their accounts differ in the bars on which positions are closed, and in nothing else.
    """
    account = accounts[0]
    if not account.compounds or len(members) == 1:
        return [*map(simulate_orders, members, accounts)]
    n_bars = account.prices.shape[1]

    def rows(name: str) -> Rule:
        """Return a setting of all members, one row each."""
        values = [one.settings[name] for one in members]
        if all(value is None for value in values):
            return None
        table = np.full((len(members), n_bars), np.nan)
        for row, value in zip(table, values, strict=True):
            if value is not None:
                row[:] = value
        return SharedRows(table)

    never = np.zeros(n_bars, dtype=np.bool_)
    signals = [
        _signals(one, never if own.flatten is None else own.flatten)
        for one, own in zip(members, accounts, strict=True)
    ]
    fills = simulate(
        account.prices,
        Orders(*(np.stack(masks) for masks in zip(*signals, strict=True))),
        account.rules(rows("lots"), {kind.name: rows(kind.name) for kind in STOPS}),
        shared=True,
    )
    return [_simulated(fills.single(column), account) for column in range(len(members))]


def _signals(orders: OrderArrays, flatten: BoolArray | None) -> Orders:
    return Orders(
        orders.enter_long, orders.exit_long, orders.enter_short, orders.exit_short, flatten
    )


def _simulated(fills: Fills, account: Account) -> SimulatedOrders:
    equity = fills.pnl()[0]
    if account.slope:
        held = np.concatenate([[0.0], np.cumsum(fills.positions()[0])[:-1]])
        equity = equity - account.slope * held
    return SimulatedOrders(fills.results, equity[account.first :], fills)
