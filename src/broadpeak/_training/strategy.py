# SPDX-License-Identifier: BSD-3-Clause
"""A strategy: a function of a run `s`, and what that run offers it."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, update_wrapper
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict, overload

import numpy as np
import pandas as pd

from broadpeak._core import check, recall
from broadpeak._core.aliases import ArrayLike
from broadpeak._core.check import did_you_mean
from broadpeak._core.recall import Recall
from broadpeak._data.data import Data
from broadpeak._prices.resample import Rule
from broadpeak._run.carried import Carried, by_name
from broadpeak._search.protocol import Stop
from broadpeak._training.components import Bars, Component, check_traded
from broadpeak._training.fits import FitFunction, FittedModels, ModelKey, no_models
from broadpeak._training.orders import (
    SETTINGS,
    Entry,
    OrderBook,
    OrderError,
    Setting,
    setting,
    signal,
)
from broadpeak._training.series import AlignedBars, column_of, longer_bars, other_bars
from broadpeak._training.values import OptimizeCall, ValueSource
from broadpeak.errors import BroadpeakError, ParamError, StrategyError, broken_rule
from broadpeak.types import FloatArray

StrategyFunction: TypeAlias = "Callable[[StrategyRun], object]"
"""What a user writes: it gets the run `s`, and what it returns is ignored."""

EntrySetting: TypeAlias = "float | FloatArray | pd.Series | None"
"""A setting as users pass it: a number, or one a bar; None: the default of `s`."""

FILLS = ("nextopen", "close")
MOST_PANELS = 100


class StrategySettings(TypedDict):
    """What a strategy is made with, besides its function."""

    name: str
    lookback: int
    unstable_period: int
    fill: str


class UnknownMemberError(StrategyError, AttributeError):
    """A strategy used a name that the run `s` does not have."""


class WrittenResultError(Exception):
    """A strategy wrote to a result that other runs are given, too."""


class Strategy:
    """A function that places orders on a run `s`, and its settings.

    Made by `strategy`; calling it calls the function.

    Attributes
    ----------
    func : callable
        The function of one argument, the run.
    name : str
        Stem of files and title of reports; the function's name unless given.
    lookback : int
        Bars before the first signal that counts.
    unstable_period : int
        Bars a recursive indicator needs to settle.
    fill : "nextopen" or "close"
        When an order is filled.
    """

    def __init__(
        self,
        func: StrategyFunction,
        *,
        name: str | None = None,
        lookback: int = 80,
        unstable_period: int = 40,
        fill: str = "nextopen",
    ) -> None:
        passed: object = func
        if not callable(passed):
            rule = "be a function of one argument, the run"
            remedy = "Write @strategy above the function, or @strategy(lookback=…)."
            if isinstance(passed, (Data, pd.DataFrame)):
                remedy = "The strategy comes first, then the data, as in bp.train(strategy, data)."
            raise ParamError(broken_rule("func", rule, func, remedy))
        check.plain_function("A strategy", func)
        if name is None:
            known = str(getattr(func, "__name__", type(func).__name__))
            name = "strategy" if known == "<lambda>" else known
        typed: object = name
        if not isinstance(typed, str) or not typed.strip():
            raise ParamError(broken_rule("name", "be a string that is not empty", name))
        self.func: StrategyFunction = func
        self.name = typed
        self.lookback = _n_bars("lookback", lookback)
        self.unstable_period = _n_bars("unstable_period", unstable_period)
        self.fill = check.one_of("fill", fill, FILLS)
        update_wrapper(self, func, updated=())

    def __call__(self, s: StrategyRun) -> object:
        """Call the function with the run `s`."""
        passed: object = s
        if isinstance(passed, (Data, pd.DataFrame)):
            remedy = "Type: bp.train(strategy, data) or bp.test(strategy, data)"
            raise ParamError(broken_rule("s", "be a run of the strategy", passed, remedy))
        return self.func(s)

    @property
    def settings(self) -> StrategySettings:
        """What it was made with, besides its function."""
        return {
            "name": self.name,
            "lookback": self.lookback,
            "unstable_period": self.unstable_period,
            "fill": self.fill,
        }

    def reduce_by_value(self) -> tuple[object, ...]:
        """Return what engines rebuild the strategy from: its function goes to workers by value."""
        return _rebuilt, (self.func, self.settings)

    def __reduce_ex__(self, protocol: object) -> str | tuple[object, ...]:
        if by_name(self):
            return str(self.__qualname__)  # type: ignore[attr-defined]  # taken from the function
        return _rebuilt, (Carried(self.func), self.settings)

    def __copy__(self) -> Strategy:
        return Strategy(self.func, **self.settings)

    def __deepcopy__(self, memo: object) -> Strategy:
        return self.__copy__()  # a function is its own copy

    def __repr__(self) -> str:
        return (
            f"<strategy {self.name!r} lookback={self.lookback} "
            f"unstable_period={self.unstable_period} fill={self.fill!r}>"
        )


@overload
def strategy(func: StrategyFunction, /) -> Strategy: ...
@overload
def strategy(
    func: None = None,
    *,
    name: str | None = None,
    lookback: int = 80,
    unstable_period: int = 40,
    fill: str = "nextopen",
) -> Callable[[StrategyFunction], Strategy]: ...
def strategy(
    func: StrategyFunction | None = None,
    *,
    name: str | None = None,
    lookback: int = 80,
    unstable_period: int = 40,
    fill: str = "nextopen",
) -> Strategy | Callable[[StrategyFunction], Strategy]:
    """Turn a function of a run into a strategy that can be trained, tested and traded.

    The function is called once per evaluation with a run `s`. Prices are whole columns, so it is
    written with array functions instead of a loop over bars: it gets parameters from
    ``s.optimize(…)``, sets ``s.stop`` and its like, and places orders with ``s.enter_long(when)``,
    ``s.exit_long(when)`` and their short twins. What it returns is ignored.

    Parameters
    ----------
    func : callable, optional
        The function; missing when the decorator is used with arguments.
    name : str, optional
        Stem of parameter files and title of reports. Default: the function's name.
    lookback : int, default 80
        Bars before the first signal that counts, the same for every parameter value. Set it to the
        longest indicator period that any value can lead to, plus `unstable_period`: otherwise a
        longer period would be tested on fewer bars, and steps could not be compared.
    unstable_period : int, default 40
        Bars that recursive indicators (exponential means, average true range) need to settle.
    fill : "nextopen" or "close", default "nextopen"
        Orders fill at the next bar's open, or at the close of their own bar.

    Returns
    -------
    Strategy
        Callable like the function. A function of a notebook or of ``__main__`` travels to worker
        processes by value.

    Raises
    ------
    ParamError
        If `func` is not callable, a length is negative or not whole, or `fill` is unknown.

    Notes
    -----
    State that the function keeps outside of itself is not reset between evaluations, and every
    worker process has its own copy of it. A function that depends on it can give different results
    on different engines.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=60)
    ... def breakout(s):
    ...     days = s.optimize(20, 10, 50, 5, name="days")
    ...     high, low = bp.highest(s.high, days), bp.lowest(s.low, days)
    ...     s.enter_long(bp.crossed_above(s.close, high * 0.999))
    ...     s.exit_long(bp.crossed_below(s.close, low * 1.001))
    >>> breakout
    <strategy 'breakout' lookback=60 unstable_period=40 fill='nextopen'>
    """
    made = partial(
        Strategy, name=name, lookback=lookback, unstable_period=unstable_period, fill=fill
    )
    return made if func is None else made(func)


def as_strategy(value: Strategy | StrategyFunction) -> Strategy:
    """Return `value` as a strategy; a plain function gets the default settings."""
    return value if isinstance(value, Strategy) else Strategy(value)


def _rebuilt(func: StrategyFunction, settings: StrategySettings) -> Strategy:
    return Strategy(func, **settings)


def _n_bars(name: str, value: object) -> int:
    number = check.real(value)
    if number is None or not 0 <= number < 2**31 or number != math.floor(number):
        raise ParamError(broken_rule(name, "be an integer of at least 0, in bars", value))
    return int(number)


# ------------------------------------------------------------------ the run `s`


class OptimizePosition(NamedTuple):
    """Where the search stands."""

    par_cycle: int = 0
    step_cycle: int = 0
    num_parameters: int = 0
    train_cycle: int = 0


_NO_SEARCH = OptimizePosition()


class PlotLine(NamedTuple):
    """A line that the strategy wants in the trade chart."""

    name: str
    values: FloatArray
    panel: int


@dataclass(slots=True, eq=False)
class RunState:
    """What one call of a strategy is given and leaves behind, behind its `StrategyRun`.

    Attributes
    ----------
    bars : mapping of str to Bars
        Prices by symbol.
    symbols : tuple of str
        All symbols of the data; in a training, `bars` holds only that of `chosen`.
    values : ValueSource
        What `s.optimize` returns.
    mode : "train", "test" or "trade"
    chosen : Component, optional
        The one component that a run loops over; None: all of them, and in a training the first.
    position : OptimizePosition
        Where the search stands.
    current : Component, optional
        Whose prices and orders `s` shows now.
    phase : "before", "inside" or "after"
        Where the strategy is, seen from its `s.loop()`.
    settings : dict
        Defaults of the entries that follow.
    books, lines : dict of Component
        Orders and plotted lines.
    components : list of Component
        What the loops named so far.
    n_common, n_inside
        How many `optimize` calls were made outside of the loop, and inside for each component.
    looped : tuple of list of str and list of (str or None)
        Assets and algos of the last loop.
    looks_around : bool
        It asked for other symbols or for longer bars.
    stopped : int
        What the strategy ended, as in `Stop`.
    watched : bool
        Whether the strategy looked at where the search stands.
    is_first_look : bool
        A later run may order something else: the strategy asked for the number of parameters,
        which a discovery does not know, or its loops name the first component where a discovery
        does not look for it.
    models : FittedModels
        What `s.fit` returns.
    memory : Recall, optional
        What is known of these bars from earlier runs.
    asked : dict of Component or None
        Values of the parameters so far; None: those outside of the loop.
    sets_lots : bool
        The strategy set `s.lots`.
    fitted : dict of (Component, key)
        The models that were asked for, by what they are known by.
    unread : dict
        Names of the settings that were set and that no entry took yet.
    lost : list of (str, str)
        Component and name of those that the loop left behind.
    lookback : int, optional
        Of the strategy, where every symbol that is traded must have so many bars and two more.
    """

    bars: Mapping[str, Bars]
    symbols: tuple[str, ...]
    values: ValueSource
    mode: str
    chosen: Component | None = None
    position: OptimizePosition = _NO_SEARCH
    current: Component | None = None
    phase: str = "before"
    settings: dict[str, Setting] = field(default_factory=partial(dict, lots=1.0))
    books: dict[Component, OrderBook] = field(default_factory=dict)
    lines: dict[Component, dict[str, PlotLine]] = field(default_factory=dict)
    components: list[Component] = field(default_factory=list)
    n_common: int = 0
    n_inside: dict[Component, int] = field(default_factory=dict)
    looped: tuple[Sequence[str], Sequence[str | None]] = ((), ())
    looks_around: bool = False
    stopped: int = Stop.NO
    watched: bool = False
    is_first_look: bool = False
    models: FittedModels = field(default_factory=no_models)
    memory: Recall | None = None
    sets_lots: bool = False
    asked: dict[Component | None, list[float]] = field(default_factory=dict)
    fitted: dict[tuple[Component, Hashable], tuple[ModelKey, object]] = field(default_factory=dict)
    unread: dict[str, bool] = field(default_factory=dict)
    lost: list[tuple[str | None, str]] = field(default_factory=list)
    lookback: int | None = None

    def here(self) -> Component:
        """Return the current component."""
        if self.current is None:
            symbols = ", ".join(self.symbols[:4]) + (", …" if len(self.symbols) > 4 else "")
            msg = (
                "Prices and orders must belong to one asset, got data with several symbols "
                f"({symbols}) outside of a loop. Write: for asset, algo in s.loop(): …"
            )
            raise StrategyError(msg)
        return self.current

    def book(self) -> OrderBook:
        """Return where the orders of the current component are collected."""
        if self.phase == "after":
            msg = (
                "Orders must be placed inside s.loop(), got some after it. Move them into the loop."
            )
            raise StrategyError(msg)
        component = self.current or self.here()
        book = self.books.get(component)
        if book is None:
            book = self.books[component] = OrderBook(len(self.bars[component.asset]))
        return book

    def check_visited(self) -> None:
        """Raise unless a finished run with a loop went through the component it was meant for."""
        if self.components and self.chosen is not None and self.chosen not in self.components:
            msg = (
                f"s.loop() must list the same components in every run, got one without "
                f"{self.chosen.key!r}."
            )
            raise StrategyError(msg)

    def orders_of(self, component: Component) -> OrderBook:
        """Return the orders of a component of a finished run."""
        return self.books.get(component) or OrderBook(len(self.bars[component.asset]))

    def finished_components(self) -> tuple[Component, ...]:
        """Return the components that a finished run went through, or could have."""
        if self.components:
            return tuple(self.components)
        if len(self.symbols) > 1:
            msg = (
                f"A strategy must loop over its assets when the data has several "
                f"({len(self.symbols)} symbols), got no s.loop(). "
                "Write: for asset, algo in s.loop(): …, or select one symbol: data.select(…)."
            )
            raise StrategyError(msg)
        return (Component(self.symbols[0]),)


class StrategyRun:
    """The `s` of a strategy: prices, parameters and orders of one evaluation.

    Made by the library for every call of a strategy function. Price arrays are float64, shape
    (bars,), and read-only: whoever wants to change one takes a copy. In a training that holds for
    what functions of this library make of them, too, since it is made once for all evaluations; a
    strategy that writes to it is called without such help.

    Attributes
    ----------
    open, high, low, close, volume, price : array of float, shape (bars,)
        Columns of the current asset; `price` is (open + high + low + close) / 4.
    index : pandas.Index
        Time of each bar.
    mode : "train", "test" or "trade"
        What the run is for.
    asset, algo : str or None
        The current component; `algo` is None unless the strategy loops over algos.
    stop, take_profit, trail : float or array of float, shape (bars,), or None
        Default distances of entries in price units, read at the signal bar; None or NaN: none.
    lots : float or array of float, default 1
        Default size of entries; 0 is no trade, but closes the opposite position.
    lifetime : float or array of float, or None
        Default number of bars after which a position is closed.
    par_cycle, step_cycle, num_parameters, train_cycle : int
        Number of the parameter (or generation), of its step, of parameters, and of the pass; from
        1. All 0 outside of a search.

    Examples
    --------
    Use it to tell editors and type checkers what `s` is:

    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=60)
    ... def momentum(s: bp.StrategyRun) -> None:
    ...     days = s.optimize(20, 10, 50, 10, name="days")
    ...     s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    ...     s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))
    >>> bp.test(momentum, bp.Data.sample("IBM")).trades.empty
    False
    """

    __slots__ = ("_state",)
    _state: RunState
    lots: EntrySetting
    stop: EntrySetting
    take_profit: EntrySetting
    trail: EntrySetting
    lifetime: EntrySetting

    def __init__(self, state: RunState) -> None:
        if len(state.symbols) == 1:  # the only symbol is current from the start
            state.current = Component(state.symbols[0])
        object.__setattr__(self, "_state", state)

    # ------------------------------------------------------------------ prices

    @property
    def open(self) -> FloatArray:
        """Opening prices, shape (bars,)."""
        return self._bars().open

    @property
    def high(self) -> FloatArray:
        """Highest prices, shape (bars,)."""
        return self._bars().high

    @property
    def low(self) -> FloatArray:
        """Lowest prices, shape (bars,)."""
        return self._bars().low

    @property
    def close(self) -> FloatArray:
        """Closing prices, shape (bars,)."""
        return self._bars().close

    @property
    def volume(self) -> FloatArray:
        """Traded units, shape (bars,); NaN where the data has none."""
        return self._bars().volume

    @property
    def price(self) -> FloatArray:
        """Mean prices (open + high + low + close) / 4, shape (bars,)."""
        return self._bars().price

    def column(self, name: str) -> FloatArray:
        """Return another column of the data, such as ``s.column("vix")``.

        Parameters
        ----------
        name : str
            Its label in the file or frame: columns of numbers are kept beside the prices (see
            `Data.column`). The prices have their own names here too.

        Returns
        -------
        array of float, shape (bars,)
            Read-only. NaN where the current asset has no value; nothing is filled in.

        Raises
        ------
        StrategyError
            If there is no such column.

        Notes
        -----
        A value is taken to be known at the close of its bar. What is published later belongs to the
        row of the bar at which it was known.

        Examples
        --------
        >>> import pandas as pd
        >>> import broadpeak as bp
        >>> @bp.strategy(lookback=2)
        ... def calm(s):
        ...     s.enter_long(s.column("vix") < 15)
        ...     s.exit_long(s.column("vix") > 20)
        >>> days = pd.date_range("2024-01-01", periods=6)
        >>> frame = pd.DataFrame({"close": [9.0, 10, 11, 12, 13, 14], "vix": 14.0}, index=days)
        >>> len(bp.test(calm, bp.Data.from_frames({"X": frame}), check=False).trades)
        1
        """
        return column_of(self._bars(), name)

    def other(self, symbol: str) -> AlignedBars:
        """Return the bars of another symbol of the data, as far as they are known at each bar.

        Parameters
        ----------
        symbol : str
            Any symbol of the data, also one that is not traded.

        Returns
        -------
        AlignedBars
            ``open, high, low, close, volume, price`` and ``column(name)`` are arrays of shape
            (bars,), read-only: the last known value where that symbol has no bar, NaN before its
            first one. ``apply(func)`` computes on its own bars, ``resample(rule)`` gives longer
            ones.

        Raises
        ------
        StrategyError
            If there is no such symbol, or it is asked for on a condition that is not met at the
            defaults.

        Notes
        -----
        A bar of the same label is known at the close of the current one. Where bars of the other
        symbol are longer, such as days beside hours, one is known when the next one has begun:
        a bar's label is its beginning, and its close lies ahead.

        Examples
        --------
        >>> import broadpeak as bp
        >>> @bp.strategy(lookback=60)
        ... def pair(s):
        ...     for asset, algo in s.loop(["IBM"]):
        ...         ratio = s.close / s.other("MSFT").close
        ...         s.enter_long(ratio < bp.lowest(ratio, 20) * 1.001)
        ...         s.exit_long(ratio > bp.sma(ratio, 20))
        >>> bp.test(pair, bp.Data.sample()).trades.empty
        False
        """
        bars = self._bars()
        self._state.looks_around = True
        return other_bars(bars, symbol)

    def resample(self, rule: Rule) -> AlignedBars:
        """Return longer bars of the current asset, as far as they are complete at each bar.

        Parameters
        ----------
        rule : str or offset
            A span as for `Data.resample`: "W", "W-FRI", "ME", "4h".

        Returns
        -------
        AlignedBars
            ``close`` and its like are arrays of shape (bars,), read-only: those of the last
            complete longer bar, NaN before the first. ``apply(func)`` computes on the longer bars
            themselves: ``s.resample("W").apply(lambda week: bp.sma(week.close, 10))``.

        Raises
        ------
        ParamError, DataError
            If `rule` is no span of time, or the bars have no dates.
        StrategyError
            If it is asked for on a condition that is not met at the defaults.

        Notes
        -----
        A longer bar is complete with the bar that ends where it ends; otherwise when the next one
        has begun. So Friday sees its own week under "W-FRI". Under "W", which ends with Sunday,
        Monday is the first to see it, as it is after a holiday on Friday. Bars of the data before
        those of the training or test count too.

        Examples
        --------
        >>> import broadpeak as bp
        >>> @bp.strategy(lookback=60)
        ... def weekly_break(s):
        ...     week = s.resample("W-FRI")
        ...     s.enter_long(s.close > week.high)
        ...     s.exit_long(s.close < week.low)
        >>> bp.test(weekly_break, bp.Data.sample("IBM")).trades.empty
        False
        """
        bars = self._bars()
        self._state.looks_around = True
        return longer_bars(bars, rule)

    @property
    def index(self) -> pd.Index:
        """Time of each bar."""
        return self._bars().index

    @property
    def mode(self) -> str:
        """What the run is for: "train", "test" or "trade"."""
        return self._state.mode

    @property
    def asset(self) -> str | None:
        """The current symbol; None outside the loop over several."""
        current = self._state.current
        return None if current is None else current.asset

    @property
    def algo(self) -> str | None:
        """The current algo; None unless the strategy loops over algos."""
        current = self._state.current
        return None if current is None else current.algo

    # -------------------------------------------------------------- parameters

    def optimize(
        self,
        default: float,
        min: float,
        max: float,
        step: float = 0,
        bias: float = 0,
        *,
        name: str | None = None,
        integer: bool = False,
    ) -> float:
        """Return a parameter: its value in the current step, the trained one, or the default.

        Parameters are identified by the order of their calls, which must be the same in every run.

        Parameters
        ----------
        default : float, >= 0
            Best guess, normally in the middle of the range. Held until the parameter is searched,
            and kept where no value is usable.
        min, max : float, 0 <= min <= max
            Range, both included. Both 0: the default is stored and not searched.
        step : float, default 0
            Positive: added every step. Negative: its magnitude is added as a percentage. 0: 10 %
            every step (brute force, genetic and random search: ten equal intervals).
        bias : float, default 0
            Ascent only: prefer high (positive) or low (negative) values even when they are worse
            by that many percent.
        name : str, optional
            Name in tables, charts and files. Default: p1, p2, … by order.
        integer : bool, default False
            Round half up what is returned and stored.

        Returns
        -------
        float
            In ascent not necessarily a multiple of `step`.

        Raises
        ------
        ParamError
            If the range is not valid, or the name is taken.
        StrategyError
            If number, order or arguments of the calls differ between runs.
        """
        # Without the function that a named tuple has to be made with: it is made often.
        call = tuple.__new__(OptimizeCall, (default, min, max, step, bias, name, integer))
        state = self._state
        if state.phase == "inside":
            component = state.here()
            seen = state.n_inside.get(component, 0)
            state.n_inside[component] = seen + 1
            value = state.values.value(state.n_common + seen, call, component)
            state.asked.setdefault(component, []).append(value)
            return value
        # Outside of the loop: common to all components, placed as the first of them sees it.
        seen = next(iter(state.n_inside.values())) if state.n_inside else 0
        position = state.n_common + seen
        state.n_common += 1
        value = state.values.value(position, call, None)
        state.asked.setdefault(None, []).append(value)
        return value

    def fit(self, key: Hashable, func: FitFunction) -> Any:
        """Return a model that was fitted on the training window, and on nothing later.

        In training, `func` is called with the bars of the training: the arrays that `s` shows then.
        In a test, in trading and in the tests of a walk-forward the model of the training comes
        back, and `func` is not called. Anything else that is fitted inside a strategy would be
        fitted anew on whatever bars a run has, those after the signal among them.

        Parameters
        ----------
        key : hashable
            Name of the model, another one in each call of a run.
        func : callable
            Function of the bars, whose `open`, `high`, `low`, `close`, `volume`, `price` (float64,
            shape (bars,)) and `index` are those of `s`: the look-back and the training window. What
            it returns is the model. It must not depend on chance: seed what draws.

        Returns
        -------
        object
            What `func` returned. The same object comes back in other runs: do not change it.

        Raises
        ------
        StrategyError
            If the key occurs twice in a run, or a test is given no training that holds the model.
            Parameter files hold none: pass the `Training`, which can be pickled.

        Notes
        -----
        A model is fitted once for each component and for each combination of the parameters asked
        before this call, for it may depend on them. Call `fit` before `optimize` where it does not,
        and it is fitted once.

        Examples
        --------
        >>> import broadpeak as bp
        >>> @bp.strategy(lookback=60)
        ... def dips(s):
        ...     spread = s.fit("spread", lambda bars: (bars.close / bars.open - 1).std())
        ...     level = s.optimize(1, 0.5, 2, 0.5, name="level")
        ...     s.enter_long(s.close / s.open - 1 < -level * spread)
        ...     s.exit_long(s.close > s.open)
        >>> data = bp.Data.sample("IBM")
        >>> training = bp.train(dips, data, end="2008")
        >>> bp.test(dips, data, training, start="2009").trades.empty
        False
        """
        state = self._state
        component = state.here()
        passed: object = func
        if not callable(passed):
            remedy = 'Write: s.fit("model", lambda bars: …)'
            raise OrderError(broken_rule("func of s.fit()", "be a function of bars", func, remedy))
        try:
            is_new = (component, key) not in state.fitted
        except TypeError as error:
            rule = "be hashable, such as a string"
            raise OrderError(broken_rule("key of s.fit()", rule, key)) from error
        if not is_new:
            rule = "be another one in each call of a run"
            raise OrderError(broken_rule("key of s.fit()", rule, key))
        values = (*state.asked.get(None, ()), *state.asked.get(component, ()))
        known_by = ModelKey(component.key, key, values)
        model = state.models.model(known_by, self._bars(), func)
        state.fitted[component, key] = known_by, model
        return model

    def loop(
        self, assets: Iterable[str] | str | None = None, algos: Iterable[str] | str | None = None
    ) -> Iterator[tuple[str, str | None]]:
        """Iterate over components (asset, algo), each with its own prices, parameters and orders.

        In training one component comes at a time. Defaults such as `stop` that were set before the
        loop hold in it; those set inside hold for that component.

        Parameters
        ----------
        assets : symbols, optional
            Default: all of the data.
        algos : names, optional
            Default: none, and components are named after their asset alone.

        Yields
        ------
        (asset, algo) : tuple of str and (str or None)
            `s.asset`, `s.algo` and the price columns switch along.

        Raises
        ------
        StrategyError
            If a symbol is not in the data, a name occurs twice, loops are nested, or orders were
            placed before the loop.
        """
        state = self._state
        symbols = [*state.symbols] if assets is None else _names("assets", assets)
        for symbol in () if assets is None else symbols:
            if symbol not in state.symbols:
                rule = f"hold symbols of the data ({', '.join(state.symbols)})"
                hint = did_you_mean(symbol, state.symbols)
                raise OrderError(broken_rule("assets of s.loop()", rule, symbol, hint))
        names: list[str | None] = [None] if algos is None else [*_names("algos", algos)]
        if state.phase == "inside":
            outer_assets, outer_names = state.looped
            every = [*(outer_assets if assets is None else symbols)]
            shown = "" if every == [*state.symbols] else repr(every)
            if (algos_of := [*(outer_names if algos is None else names)]) != [None]:
                shown = f"{shown or None}, {algos_of}"
            msg = (
                "s.loop() must not be nested, got one inside of another. One loop goes through all "
                f"pairs. Write: for asset, algo in s.loop({shown}): …"
            )
            raise StrategyError(msg)
        if state.phase == "before" and state.books:
            msg = "Orders must be placed inside s.loop(), got some before it. Move them there."
            raise StrategyError(msg)
        state.looped = symbols, names
        return self._iterate([Component(symbol, algo) for symbol in symbols for algo in names])

    def _iterate(self, components: list[Component]) -> Iterator[tuple[str, str | None]]:
        state = self._state
        for component in components:
            if component not in state.components:
                state.components.append(component)
        visited = components
        if state.mode == "train" and state.chosen is None:
            # A first call learns about one component only, also where several loops follow.
            visited = components[:1] if components[0] == state.components[0] else []
            state.is_first_look |= state.components[0] in components[1:]
        elif state.chosen is not None:
            visited = [one for one in components if one == state.chosen]
        outside, before = state.current, dict(state.settings)
        state.phase = "inside"
        try:
            for component in visited:
                if state.lookback is not None:
                    check_traded(state.bars[component.asset], state.lookback)
                state.current = component
                state.settings = dict(before)
                waiting = dict(state.unread)
                yield component.asset, component.algo
                inside = [name for name in state.unread if name not in waiting]
                state.lost += [(component.key, name) for name in inside]
                state.unread = {name: True for name in state.unread if name in waiting}
        finally:
            state.phase = "after"
            state.current = outside
            state.settings = before

    # ------------------------------------------------------------------ orders

    def enter_long(
        self,
        when: ArrayLike,
        *,
        lots: EntrySetting = None,
        stop: EntrySetting = None,
        take_profit: EntrySetting = None,
        trail: EntrySetting = None,
        lifetime: EntrySetting = None,
    ) -> None:
        """Buy at the bars where `when` is true; an open short is closed.

        Several calls are joined by *or*; where both are true the first one's settings count. An
        entry in the direction of the open position is ignored.

        Parameters
        ----------
        when : array of bool, shape (bars,)
            Known at the bar's close. NaN is false.
        lots, stop, take_profit, trail, lifetime : float or array, optional
            Settings of this entry, read at the signal bar; default: those of `s` at this call.

        Raises
        ------
        StrategyError
            If a shape or type does not fit, or a distance is not positive where it is used.
        """
        self._enter("long", when, lots, stop, take_profit, trail, lifetime)

    def enter_short(
        self,
        when: ArrayLike,
        *,
        lots: EntrySetting = None,
        stop: EntrySetting = None,
        take_profit: EntrySetting = None,
        trail: EntrySetting = None,
        lifetime: EntrySetting = None,
    ) -> None:
        """Sell short at the bars where `when` is true; an open long is closed.

        Parameters
        ----------
        when : array of bool, shape (bars,)
            Known at the bar's close. NaN is false.
        lots, stop, take_profit, trail, lifetime : float or array, optional
            As for `enter_long`.

        Raises
        ------
        StrategyError
            As for `enter_long`.
        """
        self._enter("short", when, lots, stop, take_profit, trail, lifetime)

    def exit_long(self, when: ArrayLike) -> None:
        """Close an open long at the bars where `when` (bool, shape (bars,)) is true."""
        self._leave("long", when)

    def exit_short(self, when: ArrayLike) -> None:
        """Close an open short at the bars where `when` (bool, shape (bars,)) is true."""
        self._leave("short", when)

    def plot(self, name: str, values: EntrySetting, *, panel: int = 0) -> None:
        """Show a line in the trade chart.

        Parameters
        ----------
        name : str
            Its label.
        values : float or array of float, shape (bars,)
            One value a bar.
        panel : int, default 0
            0 draws over the prices, higher numbers below them.
        """
        if self._state.mode == "train":
            return
        if not isinstance(name, str):
            raise OrderError(broken_rule("the name of a plot", "be a string", name))
        bars = self._bars()
        line = setting(f"plot {name!r}", values, bars)
        if line is None:
            raise OrderError(broken_rule(f"plot {name!r}", "hold one number a bar", values))
        where = check.real(panel)
        if not isinstance(where, int) or not 0 <= where < MOST_PANELS:
            rule = f"be an integer from 0 to {MOST_PANELS - 1}"
            raise OrderError(broken_rule(f"panel of plot {name!r}", rule, panel))
        drawn = PlotLine(name, np.broadcast_to(np.asarray(line), len(bars)), where)
        self._state.lines.setdefault(self._state.here(), {})[name] = drawn

    def _enter(
        self,
        side: str,
        when: ArrayLike,
        lots: EntrySetting,
        stop: EntrySetting,
        take_profit: EntrySetting,
        trail: EntrySetting,
        lifetime: EntrySetting,
    ) -> None:
        state = self._state
        book, memory = state.book(), state.memory
        bars = state.bars[state.here().asset]
        settings, unread = state.settings.copy(), state.unread
        if not (lots is stop is take_profit is trail is lifetime is None):
            given = (lots, stop, take_profit, trail, lifetime)
            for name, value in zip(SETTINGS, given, strict=True):
                if value is not None:
                    settings[name] = setting(name, value, bars, memory)
                else:
                    unread.pop(name, None)
        elif unread:
            unread.clear()
        if lots is not None or state.sets_lots:
            book.sets_lots = True
        book.enter(side, Entry(signal(f"enter_{side}", when, bars, memory), settings))

    def _leave(self, side: str, when: ArrayLike) -> None:
        state = self._state
        book = state.book()
        book.leave(side, signal(f"exit_{side}", when, self._bars(), state.memory))

    def _bars(self) -> Bars:
        state = self._state
        return state.bars[(state.current or state.here()).asset]

    # --------------------------------------------------------- progress of the search

    @property
    def par_cycle(self) -> int:
        """Number of the parameter (ascent) or generation (genetic) that is searched, from 1."""
        return self._watched_position().par_cycle

    @property
    def step_cycle(self) -> int:
        """Number of the step, from 1."""
        return self._watched_position().step_cycle

    @property
    def num_parameters(self) -> int:
        """Number of parameters of the component; 0 until they are known."""
        self._state.is_first_look = True
        return self._state.position.num_parameters

    @property
    def train_cycle(self) -> int:
        """Number of the training pass, from 1."""
        return self._watched_position().train_cycle

    def stop_search(self, what: Literal["parameter", "all"] = "parameter") -> None:
        """End the search after this step: that of the current parameter, or all of it.

        Parameters
        ----------
        what : "parameter" or "all", default "parameter"
            "parameter": an ascent goes on with the next parameter; a search that moves several
            parameters together ends. "all": the search of this component ends, and of those that
            share parameters or scores with it. What it has found of the current parameter counts;
            later parameters keep their defaults. Other components are searched as ever.

        Raises
        ------
        ParamError
            If `what` is something else.
        """
        check.one_of("what", what, _STOPS)
        self._state.stopped = max(self._state.stopped, _STOPS[what])

    def _watched_position(self) -> OptimizePosition:
        # Who looks at the position may act on it, so equal parameters need not give equal results.
        self._state.watched = True
        return self._state.position

    # ------------------------------------------------------------------ members

    def __setattr__(self, name: str, value: object) -> None:
        if name in SETTINGS:
            if value is None and name == "lots":
                raise OrderError(broken_rule("lots", "be a number or an array", value))
            state = self._state
            is_number = value is None or type(value) is float or type(value) is int
            bars = None if is_number else self._bars()
            state.settings[name] = setting(name, value, bars, state.memory)
            if name == "lots":
                state.sets_lots = True
            if value is None:
                state.unread.pop(name, None)
            else:
                state.unread[name] = True
            return
        if name in _MEMBERS:
            msg = f"s.{name} cannot be assigned. Assignable are {', '.join(SETTINGS)}."
            raise UnknownMemberError(msg)
        raise _unknown_name_error(name, "be set", SETTINGS)

    def __getattr__(self, name: str) -> Any:
        if name in SETTINGS:
            value = self._state.settings.get(name)
            self._state.unread.pop(name, None)
            return value.copy() if isinstance(value, np.ndarray) else value
        if name.startswith("_"):
            raise AttributeError(name)
        raise _unknown_name_error(name, "be used", _MEMBERS)

    def __dir__(self) -> list[str]:
        return sorted(_MEMBERS)

    def __repr__(self) -> str:
        state = self._state
        what = "no asset" if state.current is None else state.current.key
        return f"<run of {what}, mode={state.mode!r}>"


_STOPS = {"parameter": Stop.PARAMETER, "all": Stop.SEARCH}
_MEMBERS = frozenset([*SETTINGS, *(name for name in vars(StrategyRun) if name[0] != "_")])


def run_strategy(strategy: Strategy, state: RunState) -> None:
    """Call the strategy with `state`; a mistake of its author is named as such.

    Raises
    ------
    StrategyError
        If it used a member that there is not, or wrote to the prices.
    """
    run = StrategyRun(state)
    before = recall.swap(state.memory)
    try:
        check.finished(strategy.func(run))
    except Exception as error:
        memory = state.memory
        if memory is not None and memory.shares and _is_about_writing(error):
            raise WrittenResultError from error
        # Prices are shared by all evaluations, hence read-only.
        is_rude = "read-only" in str(error) or "WRITEABLE" in str(error)
        is_own = isinstance(error, BroadpeakError)
        if is_rude and isinstance(error, ValueError) and not is_own:
            msg = (
                "The arrays of s must not be changed, because all evaluations share them. "
                "Work on a copy: s.close.copy()."
            )
            raise StrategyError(msg) from error
        if isinstance(error, AttributeError) and error.obj is run and not is_own:
            raise UnknownMemberError(str(error)) from error
        raise
    finally:
        recall.swap(before)


def _is_about_writing(error: BaseException | None) -> bool:
    """Return whether an error, or one that led to it, may be that of an array that is read-only."""
    while error is not None:
        text = str(error).lower()
        if any(words in text for words in _ABOUT_WRITING):
            return True
        error = error.__cause__ or error.__context__
    return False


# The last one is what Numba says where a function takes writeable arrays alone.
_ABOUT_WRITING = ("read-only", "readonly", "writeable", "writable", "no matching definition")


# What other packages call it.
_ELSEWHERE = {
    "buy": "enter_long(when)",
    "long": "enter_long(when)",
    "entry": "enter_long(when)",
    "sell": "exit_long(when), or s.enter_short(when)",
    "short": "enter_short(when)",
    "cover": "exit_short(when)",
    "data": "close, s.open, s.high, s.low, s.volume",
    "param": "optimize(default, min, max, step, name=…)",
    "size": "lots",
    "stop_loss": "stop = distance in price",
    "sl": "stop = distance in price",
    "tp": "take_profit = distance in price",
    "target": "take_profit = distance in price",
    "symbol": "asset",
    "time": "index",
    "date": "index",
    "dates": "index",
}


def _unknown_name_error(name: str, what: str, known: Iterable[str]) -> UnknownMemberError:
    meant = _ELSEWHERE.get(name)
    hint = f"Type: s.{meant}" if meant else did_you_mean(name, known)
    hint = hint or f"Known are {', '.join(sorted(known))}."
    return UnknownMemberError(f"s.{name} cannot {what}: a run has no such member. {hint}")


def _names(what: str, value: object) -> list[str]:
    names: list[object] = []
    if isinstance(value, str):
        names = [value]
    elif isinstance(value, Iterable) and getattr(value, "ndim", 1) == 1:
        names = list(value)
    usable = [name for name in names if isinstance(name, str) and name and check.is_unicode(name)]
    if not names or len(usable) < len(names):
        raise OrderError(broken_rule(f"{what} of s.loop()", "be names, at least one", value))
    if len(set(usable)) < len(usable):
        raise OrderError(broken_rule(f"{what} of s.loop()", "name each one once", value))
    return usable
