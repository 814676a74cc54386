# SPDX-License-Identifier: BSD-3-Clause
"""The run `s` that a strategy is called with: its prices, parameters and orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.check import did_you_mean
from broadpeak._training.components import Bars, Component
from broadpeak._training.faults import OrderError, UnknownMemberError
from broadpeak._training.orders import Entry, OrderBook, Setting, setting, signal
from broadpeak.errors import StrategyError, broken_rule
from broadpeak.types import BoolArray, FloatArray

MOST_PANELS = 100
SETTINGS = ("lots", "stop", "take_profit", "trail", "lifetime")


class Call(NamedTuple):
    """The arguments of one `optimize` call."""

    default: float
    min: float
    max: float
    step: float
    bias: float
    name: str | None
    integer: bool


class ValueSource(Protocol):
    """Where `optimize` gets its values from."""

    def value(self, position: int, call: Call, component: Component | None) -> float:
        """Return the value of call number `position`; component None: common to all of them."""


class OptimizePosition(NamedTuple):
    """Where the search stands."""

    par_cycle: int = 0
    step_cycle: int = 0
    num_parameters: int = 0
    train_cycle: int = 0


class Curve(NamedTuple):
    """A line that the strategy wants in the trade chart."""

    name: str
    values: FloatArray
    panel: int


class StrategyRun:
    """What a strategy sees: prices, parameters and orders of one evaluation.

    Made by the library for every call of a strategy function. Price arrays are float64, shape
    (bars,), and read-only: whoever wants to change one takes a copy.

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
    """

    __slots__ = (
        "_bars",
        "_books",
        "_chosen",
        "_components",
        "_current",
        "_curves",
        "_mode",
        "_n_common",
        "_n_inside",
        "_progress",
        "_settings",
        "_source",
        "_state",
        "_stopped",
        "_symbols",
        "_watched",
    )
    _bars: Mapping[str, Bars]
    _books: dict[Component, OrderBook]
    _chosen: Component | None
    _components: list[Component]
    _current: Component | None
    _curves: dict[Component, dict[str, Curve]]
    _mode: str
    _n_common: int
    _n_inside: dict[Component, int]
    _progress: OptimizePosition
    _settings: dict[str, Setting]
    _source: ValueSource
    _state: str
    _stopped: bool
    _symbols: tuple[str, ...]
    _watched: bool

    def __init__(
        self,
        bars: Mapping[str, Bars],
        symbols: tuple[str, ...],
        source: ValueSource,
        *,
        mode: str,
        chosen: Component | None = None,
        progress: OptimizePosition = OptimizePosition(),  # noqa: B008  # immutable
    ) -> None:
        put = object.__setattr__
        put(self, "_bars", bars)
        put(self, "_symbols", symbols)
        put(self, "_source", source)
        put(self, "_mode", mode)
        put(self, "_chosen", chosen)
        put(self, "_progress", progress)
        put(self, "_settings", {"lots": 1.0})
        put(self, "_books", {})
        put(self, "_curves", {})
        put(self, "_components", [])
        # The only symbol is current from the start; several need the loop.
        put(self, "_current", Component(symbols[0]) if len(symbols) == 1 else None)
        put(self, "_state", "before")
        put(self, "_n_common", 0)
        put(self, "_n_inside", {})
        put(self, "_stopped", False)
        put(self, "_watched", False)

    # ------------------------------------------------------------------ prices

    @property
    def open(self) -> FloatArray:
        """Opening prices, shape (bars,)."""
        return self._now().open

    @property
    def high(self) -> FloatArray:
        """Highest prices, shape (bars,)."""
        return self._now().high

    @property
    def low(self) -> FloatArray:
        """Lowest prices, shape (bars,)."""
        return self._now().low

    @property
    def close(self) -> FloatArray:
        """Closing prices, shape (bars,)."""
        return self._now().close

    @property
    def volume(self) -> FloatArray:
        """Traded units, shape (bars,); NaN where the data has none."""
        return self._now().volume

    @property
    def price(self) -> FloatArray:
        """Mean prices (open + high + low + close) / 4, shape (bars,)."""
        return self._now().price

    @property
    def index(self) -> pd.Index[Any]:
        """Time of each bar."""
        return self._now().index

    @property
    def mode(self) -> str:
        """What the run is for: "train", "test" or "trade"."""
        return self._mode

    @property
    def asset(self) -> str | None:
        """The current symbol; None outside the loop over several."""
        return None if self._current is None else self._current.asset

    @property
    def algo(self) -> str | None:
        """The current algo; None unless the strategy loops over algos."""
        return None if self._current is None else self._current.algo

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
        """Return the value of a parameter: of the current step, the trained one, or the default.

        Parameters are told apart by the order of their calls, which must be the same in every run.

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
        call = Call(default, min, max, step, bias, name, integer)
        n_inside = self._n_inside
        if self._state == "inside":
            component = self._inside()
            seen = n_inside.get(component, 0)
            n_inside[component] = seen + 1
            return self._source.value(self._n_common + seen, call, component)
        # Outside of the loop: common to all components, placed as the first of them sees it.
        seen = next(iter(n_inside.values())) if n_inside else 0
        position = self._n_common + seen
        object.__setattr__(self, "_n_common", self._n_common + 1)
        return self._source.value(position, call, None)

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
        components = self._listed(assets, algos)
        if self._state == "inside":
            msg = (
                "s.loop() must not be nested. "
                "Write one loop: for asset, algo in s.loop(assets, algos)."
            )
            raise StrategyError(msg)
        if self._state == "before" and self._books:
            msg = "Orders must be placed inside of s.loop(), got some before it. Move them there."
            raise StrategyError(msg)
        return self._iterate(components)

    def _iterate(self, components: list[Component]) -> Iterator[tuple[str, str | None]]:
        put = object.__setattr__
        for component in components:
            if component not in self._components:
                self._components.append(component)
        outside, before = self._current, dict(self._settings)
        put(self, "_state", "inside")
        try:
            for component in self._yielded(components):
                put(self, "_current", component)
                put(self, "_settings", dict(before))
                yield component.asset, component.algo
        finally:
            put(self, "_state", "after")
            put(self, "_current", outside)
            put(self, "_settings", before)

    def _yielded(self, components: list[Component]) -> list[Component]:
        if self._mode != "train":
            return components
        if self._chosen is None:
            # A first call learns about one component only, also where several loops follow.
            return components[:1] if components[0] == self._components[0] else []
        return [self._chosen] if self._chosen in components else []

    def _listed(self, assets: Any, algos: Any) -> list[Component]:
        symbols = list(self._symbols) if assets is None else _names("assets", assets)
        for symbol in symbols:
            if symbol not in self._symbols:
                rule = f"hold symbols of the data ({', '.join(self._symbols)})"
                hint = did_you_mean(symbol, self._symbols)
                raise OrderError(broken_rule("assets of s.loop()", rule, symbol, hint))
        names: list[str | None] = [None] if algos is None else [*_names("algos", algos)]
        return [Component(symbol, algo) for symbol in symbols for algo in names]

    # ------------------------------------------------------------------ orders

    def enter_long(
        self,
        when: BoolArray,
        *,
        lots: Any = None,
        stop: Any = None,
        take_profit: Any = None,
        trail: Any = None,
        lifetime: Any = None,
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
        self._enter("long", when, (lots, stop, take_profit, trail, lifetime))

    def enter_short(
        self,
        when: BoolArray,
        *,
        lots: Any = None,
        stop: Any = None,
        take_profit: Any = None,
        trail: Any = None,
        lifetime: Any = None,
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
        self._enter("short", when, (lots, stop, take_profit, trail, lifetime))

    def exit_long(self, when: BoolArray) -> None:
        """Close an open long at the bars where `when` (bool, shape (bars,)) is true."""
        self._book().leave("long", signal("exit_long", when, self.index))

    def exit_short(self, when: BoolArray) -> None:
        """Close an open short at the bars where `when` (bool, shape (bars,)) is true."""
        self._book().leave("short", signal("exit_short", when, self.index))

    def plot(self, name: str, values: Any, *, panel: int = 0) -> None:
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
        if self._mode == "train":
            return
        label: Any = name
        if not isinstance(label, str):
            raise OrderError(broken_rule("the name of a plot", "be a text", label))
        index = self.index
        line = setting(f"plot {name!r}", values, index)
        if line is None:
            raise OrderError(broken_rule(f"plot {name!r}", "hold one number a bar", values))
        where = check.real(panel)
        if not isinstance(where, int) or not 0 <= where < MOST_PANELS:
            rule = f"be a whole number from 0 to {MOST_PANELS - 1}"
            raise OrderError(broken_rule(f"panel of plot {name!r}", rule, panel))
        curve = Curve(name, np.broadcast_to(np.asarray(line), len(index)), where)
        self._curves.setdefault(self._inside(), {})[curve.name] = curve

    def _enter(self, side: str, when: BoolArray, own: tuple[Any, ...]) -> None:
        book = self._book()
        index = self._now().index
        defaults = self._settings
        settings = [
            defaults.get(name) if value is None else setting(name, value, index)
            for name, value in zip(SETTINGS, own, strict=True)
        ]
        book.enter(side, Entry(signal(f"enter_{side}", when, index), *settings))

    def _inside(self) -> Component:
        if self._current is None:
            symbols = ", ".join(self._symbols[:4]) + (", …" if len(self._symbols) > 4 else "")
            msg = (
                "Prices and orders must belong to one asset, got data with several symbols "
                f"({symbols}) outside of a loop. Write: for asset, algo in s.loop(): …"
            )
            raise StrategyError(msg)
        return self._current

    def _book(self) -> OrderBook:
        if self._state == "after":
            msg = (
                "Orders must be placed inside s.loop(), got some after it. Move them into the loop."
            )
            raise StrategyError(msg)
        component = self._inside()
        book = self._books.get(component)
        if book is None:
            book = self._books[component] = OrderBook(len(self._bars[component.asset]))
        return book

    def _now(self) -> Bars:
        return self._bars[self._inside().asset]

    # --------------------------------------------------------- progress of the search

    @property
    def par_cycle(self) -> int:
        """Number of the parameter (ascent) or generation (genetic) that is searched, from 1."""
        return self._watch().par_cycle

    @property
    def step_cycle(self) -> int:
        """Number of the step, from 1."""
        return self._watch().step_cycle

    @property
    def num_parameters(self) -> int:
        """Number of parameters of the component; 0 until they are known."""
        return self._progress.num_parameters

    @property
    def train_cycle(self) -> int:
        """Number of the training pass, from 1."""
        return self._watch().train_cycle

    def stop_search(self) -> None:
        """End the search of the current parameter (ascent) or the whole search after this step."""
        object.__setattr__(self, "_stopped", True)

    def _watch(self) -> OptimizePosition:
        # Who looks at the progress may act on it, so equal parameters need not give equal results.
        object.__setattr__(self, "_watched", True)
        return self._progress

    # ------------------------------------------------------------------ members

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _ASSIGNABLE:
            object.__setattr__(self, name, value)
            return
        if name in _READABLE:
            msg = f"s.{name} cannot be assigned. Assignable are {', '.join(SETTINGS)}."
            raise UnknownMemberError(msg)
        raise _unknown(name, "be set", SETTINGS)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise _unknown(name, "be used", _READABLE)

    def __dir__(self) -> list[str]:
        return sorted(_READABLE)

    def __repr__(self) -> str:
        what = "no asset" if self._current is None else self._current.key
        return f"<run of {what}, mode={self._mode!r}>"


def _default(name: str) -> property:
    def read(s: StrategyRun) -> Setting:
        value: Setting = s._settings.get(name)  # noqa: SLF001
        return value.copy() if isinstance(value, np.ndarray) else value

    def write(s: StrategyRun, value: Any) -> None:
        if value is None and name == "lots":
            raise OrderError(broken_rule("lots", "be a number or an array", value))
        scalar = type(value) is float or type(value) is int
        index = pd.RangeIndex(0) if scalar or value is None else s.index
        s._settings[name] = setting(name, value, index)  # noqa: SLF001

    read.__doc__ = f"Default {name.replace('_', ' ')} of the entries that follow."
    return property(read, write)


for _name in SETTINGS:
    setattr(StrategyRun, _name, _default(_name))

_ASSIGNABLE = frozenset(SETTINGS)
_READABLE = frozenset(name for name in vars(StrategyRun) if not name.startswith("_"))


def _unknown(name: str, what: str, known: Iterable[str]) -> UnknownMemberError:
    hint = did_you_mean(name, known) or f"Known are {', '.join(sorted(known))}."
    return UnknownMemberError(f"s.{name} cannot {what}: a run has no such member. {hint}")


def _names(what: str, value: Any) -> list[str]:
    listed = isinstance(value, Iterable) and getattr(value, "ndim", 1) == 1
    names = [value] if isinstance(value, str) else list(value) if listed else []
    usable = all(isinstance(name, str) and name and check.is_unicode(name) for name in names)
    if not names or not usable:
        raise OrderError(broken_rule(f"{what} of s.loop()", "be names, at least one", value))
    if len(set(names)) < len(names):
        raise OrderError(broken_rule(f"{what} of s.loop()", "name each one once", value))
    return names
