# SPDX-License-Identifier: BSD-3-Clause
"""Series that fit the bars of a strategy, made of bars that do not: of other symbols, or longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from broadpeak._core import recall
from broadpeak._core.arrays import frozen
from broadpeak._core.check import did_you_mean
from broadpeak._prices.resample import Rule, Spans, completed_spans
from broadpeak._training.components import COLUMNS, Bars, MarketBars, frozen_bars
from broadpeak._training.orders import OrderError
from broadpeak.errors import StrategyError, broken_rule, shown
from broadpeak.types import AnyArray, FloatArray, IntArray

T = TypeVar("T")
PRICES = (*COLUMNS, "price")


class AlignedBars:
    """Bars of another symbol, or longer bars, as far as they are known at each bar of a strategy.

    Made by `StrategyRun.other` and `StrategyRun.resample`. Every value is that of the last bar
    that has ended with the current one or before it, NaN before the first. It is decided by the
    bars up to the current one: those that follow never change it.

    Parameters
    ----------
    source : Bars
        The bars themselves.
    at : array of int, shape (bars,)
        Which of them is the last one known; -1 before the first.
    is_longer : bool
        They were resampled already.

    Attributes
    ----------
    open, high, low, close, volume, price : array of float, shape (bars,)
        Read-only, as those of `s`.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=100)
    ... def pullback(s):
    ...     week = s.resample("W-FRI")
    ...     trend = week.apply(lambda bars: bars.close > bp.sma(bars.close, 10))
    ...     s.enter_long(trend & bp.crossed_below(s.close, bp.sma(s.close, 10)))
    ...     s.exit_long(~trend)
    >>> bp.test(pullback, bp.Data.sample("IBM")).trades.empty
    False
    """

    __slots__ = ("_at", "_found", "_is_longer", "_source")

    def __init__(self, source: Bars, at: IntArray, *, is_longer: bool = False) -> None:
        self._source, self._at, self._is_longer = source, at, is_longer
        self._found: dict[str, FloatArray] = {}

    @property
    def open(self) -> FloatArray:
        """Opening prices, shape (bars,)."""
        return self._prices("open")

    @property
    def high(self) -> FloatArray:
        """Highest prices, shape (bars,)."""
        return self._prices("high")

    @property
    def low(self) -> FloatArray:
        """Lowest prices, shape (bars,)."""
        return self._prices("low")

    @property
    def close(self) -> FloatArray:
        """Closing prices, shape (bars,)."""
        return self._prices("close")

    @property
    def volume(self) -> FloatArray:
        """Traded units, shape (bars,); NaN where the data has none."""
        return self._prices("volume")

    @property
    def price(self) -> FloatArray:
        """Mean of open, high, low and close, shape (bars,)."""
        return self._prices("price")

    def column(self, name: str) -> FloatArray:
        """Return another column of the data, shape (bars,); see `StrategyRun.column`."""
        values = column_of(self._source, name)
        return self._known(name if name in self._source.extra else f"prices {name}", values)

    def apply(self, func: Callable[[Bars], Any]) -> Any:
        """Compute something on the bars themselves; return it as it is known at each bar of `s`.

        So an average of ten weeks is one of ten weekly closes. Of ``close`` as it stands here it
        would be one of the last two weeks, each day counted.

        Parameters
        ----------
        func : callable
            Gets an object with ``open, high, low, close, volume, price``, ``extra`` (dict of other
            columns) and ``index``. Returns an array with one value for each of its bars, or a tuple
            of such arrays.

        Returns
        -------
        array of float or bool, shape (bars,), or tuple of them
            NaN (false) before the first bar.

        Raises
        ------
        StrategyError
            If `func` is no function, or returns something else.
        """
        passed: object = func
        if not callable(passed):
            remedy = "Write: .apply(lambda bars: bp.sma(bars.close, 10))"
            raise OrderError(broken_rule("func of apply()", "be a function of bars", func, remedy))
        memory = recall.here.memory
        if memory is not None:
            for array in self._source.arrays:
                memory.also(array)
        made = func(self._source)
        if isinstance(made, tuple):
            aligned = [self._aligned(one) for one in made]
            return type(made)(*aligned) if hasattr(made, "_fields") else tuple(aligned)
        return self._aligned(made)

    def resample(self, rule: Rule) -> AlignedBars:
        """Return longer bars of the same symbol; see `StrategyRun.resample`."""
        if self._is_longer:
            msg = (
                f"Bars must be resampled once, got resample({shown(rule)}) of longer bars. "
                f"Write: s.resample({shown(rule)})."
            )
            raise StrategyError(msg)
        return _longer(self._source, rule, self._at)

    def __len__(self) -> int:
        return len(self._at)

    def __repr__(self) -> str:
        return f"<{len(self._source)} bars of {self._source.asset} on {len(self)} bars>"

    def _prices(self, name: str) -> FloatArray:
        return self._known(f"prices {name}", getattr(self._source, name))

    def _known(self, name: str, values: FloatArray) -> FloatArray:
        found = self._found.get(name)
        if found is None:
            found = self._found.setdefault(name, frozen(self._aligned(values)))
        memory = recall.here.memory
        if memory is not None:
            memory.also(found)
        return found

    def _aligned(self, values: object) -> AnyArray:
        array = values.to_numpy() if isinstance(values, pd.Series) else np.asarray(values)
        if array.shape != (len(self._source),) or array.dtype.kind not in "biuf":
            rule = f"return one number for each of its {len(self._source)} bars"
            got = f"an array of {array.dtype} with shape {array.shape}"
            remedy = "Return an array such as bp.sma(bars.close, 10)."
            raise OrderError(broken_rule("func of apply()", rule, got, remedy))
        is_known = self._at >= 0
        if not len(array):
            nothing = False if array.dtype == np.bool_ else np.nan
            return np.full(len(self._at), nothing)
        taken = array[np.maximum(self._at, 0)]
        if array.dtype == np.bool_:
            return taken & is_known
        return np.where(is_known, taken, np.nan)


# ------------------------------------------------------------------ what a run asks for


def other_bars(view: Bars, symbol: str) -> AlignedBars:
    """Return the bars of another symbol, as far as they are known at each bar of `view`.

    Raises
    ------
    StrategyError
        If there is no such symbol.
    """
    market = _market(view, "other", symbol)
    passed: object = symbol
    if not isinstance(passed, str) or passed not in market.symbols:
        rule = f"be one of the data ({', '.join(market.symbols)})"
        hint = did_you_mean(symbol, market.symbols)
        raise OrderError(broken_rule("the symbol of s.other()", rule, symbol, hint))

    def make() -> AlignedBars:
        other, whole = market.bars(passed), market.bars(view.asset)
        return AlignedBars(other, known_at(whole.index, other.index)[_own(view, whole)])

    return _made_once(view, ("other", passed), make)


def longer_bars(view: Bars, rule: Rule) -> AlignedBars:
    """Return the bars of `rule` that are complete at each bar of `view`.

    Raises
    ------
    ParamError, DataError
        If `rule` is no span of time, or the bars have no dates.
    """
    whole = _market(view, "resample", rule).bars(view.asset)

    def make() -> AlignedBars:
        return _longer(whole, rule, np.arange(len(whole))[_own(view, whole)])

    return _made_once(view, ("longer", rule), make)


def _made_once(bars: Bars, key: tuple[str, object], make: Callable[[], T]) -> T:
    """Return what was made for these bars under a key: series of many evaluations are the same."""
    if not isinstance(key[1], str):
        return make()
    found: T | None = bars.made.get(key)
    return bars.made.setdefault(key, make()) if found is None else found


def column_of(bars: Bars, name: str) -> FloatArray:
    """Return another column of the data, or one of the prices.

    Raises
    ------
    StrategyError
        If there is no such column.
    """
    passed: object = name
    if isinstance(passed, str):
        if passed in bars.extra:
            return bars.extra[passed]
        if passed in PRICES:
            return getattr(bars, passed)  # type: ignore[no-any-return]  # a field by its name
    known = [*bars.extra, *PRICES]
    rule = f"be a column of the data ({', '.join(known)})"
    remedy = did_you_mean(name, known) or (
        "Columns of numbers are kept when data is read: see data.extra."
    )
    raise OrderError(broken_rule("the name of s.column()", rule, name, remedy))


def _market(view: Bars, name: str, argument: object) -> MarketBars:
    if view.market is None:
        msg = (
            "s.other() and s.resample() must be called in every run, or in none, got "
            f"s.{name}({shown(argument)}) in a run after one with the defaults that called "
            "neither. Call it above the condition."
        )
        raise StrategyError(msg)
    return view.market


def _own(view: Bars, whole: Bars) -> slice:
    """Return where the bars of a window stand among all of their symbol."""
    first = int(whole.index.searchsorted(view.index[0])) if len(view) else 0
    return slice(first, first + len(view))


def _longer(bars: Bars, rule: Rule, at: IntArray) -> AlignedBars:
    def make() -> tuple[Bars, Spans]:
        spans = completed_spans(bars.index, rule)
        return resampled(bars, spans), spans

    longer, spans = _made_once(bars, ("spans", rule), make)
    if not len(bars):
        return AlignedBars(longer, at, is_longer=True)
    known = np.where(at >= 0, spans.known[np.maximum(at, 0)], -1)
    return AlignedBars(longer, known, is_longer=True)


def resampled(bars: Bars, spans: Spans) -> Bars:
    """Return the longer bars that are complete, each at the label of its last bar."""
    n_complete = int(spans.known[-1]) + 1 if len(bars) else 0
    ends = np.append(spans.starts, len(bars))[1 : n_complete + 1]
    starts, n_bars = spans.starts[:n_complete], int(ends[-1]) if n_complete else 0
    if not n_complete:
        empty = dict.fromkeys((*COLUMNS, *bars.extra), np.empty(0))
        return frozen_bars(bars.asset, bars.index[:0], empty)
    volume = bars.volume[:n_bars]
    has_volume = ~np.isnan(volume)
    traded = np.add.reduceat(np.where(has_volume, volume, 0.0), starts)
    columns = {
        "open": bars.open[starts],
        "high": np.maximum.reduceat(bars.high[:n_bars], starts),
        "low": np.minimum.reduceat(bars.low[:n_bars], starts),
        "close": bars.close[ends - 1],
        "volume": np.where(np.logical_or.reduceat(has_volume, starts), traded, np.nan),
    }
    for name, values in bars.extra.items():
        at = np.where(np.isnan(values[:n_bars]), -1, np.arange(n_bars))
        last = np.maximum.reduceat(at, starts)  # the last value that is known
        columns[name] = np.where(last < 0, np.nan, values[last])
    return frozen_bars(bars.asset, bars.index[ends - 1], columns)


def known_at(index: pd.Index, other: pd.Index) -> IntArray:
    """Return the last bar of another symbol that has ended with each bar; -1 before the first.

    Labels are beginnings. A bar has ended with one of the same label or a later one if it is no
    longer, by the shortest time between two bars of each so far; a longer one has ended when
    the next of its symbol has begun.
    """
    if other is index or other.equals(index):
        return np.arange(len(index))
    if not len(other):  # it begins after the last bar of a run
        return np.full(len(index), -1)
    own, theirs = _stamps(index), _stamps(other)
    at = np.searchsorted(theirs, own, side="right") - 1
    length, lengths = _shortest(own), _shortest(theirs)
    if len(theirs) and theirs[0] != own[0]:
        lengths[0] = np.inf  # nothing shows yet how long it is; else the two first bars do
    at = np.maximum(at - (lengths[np.maximum(at, 0)] > length), -1)
    return np.maximum.accumulate(at)  # what is known stays known


def _stamps(index: pd.Index) -> AnyArray:
    return index.asi8 if isinstance(index, pd.DatetimeIndex) else index.to_numpy()


def _shortest(stamps: AnyArray) -> FloatArray:
    """Return the shortest time between two bars up to each; of the first that to the second."""
    between = np.diff(stamps).astype(np.float64)
    if not len(between):
        return np.full(len(stamps), np.inf)
    return np.minimum.accumulate(np.concatenate([between[:1], between]))
