# SPDX-License-Identifier: BSD-3-Clause
"""What a component trades: one symbol's bars as the arrays that strategies see."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.arrays import frozen
from broadpeak._data.data import Data
from broadpeak._prices.slicing import is_label
from broadpeak._store.fingerprint import fingerprint
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import FloatArray

T = TypeVar("T")
COLUMNS = ("open", "high", "low", "close", "volume")


class Component(NamedTuple):
    """An asset, traded by an algo where the strategy loops over algos."""

    asset: str
    algo: str | None = None

    @property
    def key(self) -> str:
        """Name in results and parameter files: ``ASSET`` or ``ASSET:ALGO``."""
        return self.asset if self.algo is None else f"{self.asset}:{self.algo}"


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Prices of one symbol on its own calendar; every array is float64 (n_bars,) and read-only.

    Attributes
    ----------
    asset : str
    index : pandas.Index
        Time of each bar.
    open, high, low, close, volume, price : array
    extra : dict of str to array
        Other columns of the data.
    market : MarketBars, optional
        Bars of all symbols, by which other series are known here.
    made : dict
        Series that were made to fit these bars, so that each is made once.
    """

    asset: str
    index: pd.Index
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    price: FloatArray
    extra: Mapping[str, FloatArray] = field(default_factory=dict)
    market: MarketBars | None = None
    made: dict[Hashable, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.close)

    @property
    def arrays(self) -> tuple[FloatArray, ...]:
        """All columns."""
        prices = self.open, self.high, self.low, self.close, self.volume, self.price
        return (*prices, *self.extra.values())

    def window(self, first: int, last: int) -> Bars:
        """Return the bars [first, last)."""
        return self if first == 0 and last == len(self) else self._cut(first, last, self.market)

    def _cut(self, first: int, last: int, market: MarketBars | None) -> Bars:
        if first == 0 and last == len(self):
            return self.within(market)
        cut, extra = slice(first, last), self.extra
        if extra:
            extra = {name: values[cut] for name, values in extra.items()}
        return Bars(
            self.asset, self.index[cut], self.open[cut], self.high[cut], self.low[cut],
            self.close[cut], self.volume[cut], self.price[cut], extra, market,
        )  # fmt: skip

    def window_within(self, where: BarWindow, market: MarketBars) -> Bars:
        """Return the bars of a window, among those of other symbols."""
        return self._cut(*where, market)

    def within(self, market: MarketBars | None) -> Bars:
        """Return the same bars among those of other symbols, or (None) alone."""
        return Bars(
            self.asset, self.index, self.open, self.high, self.low, self.close, self.volume,
            self.price, self.extra, market,
        )  # fmt: skip

    def longer(self) -> Bars:
        """Return the bars and one more, with the last label, on which every price is the close."""
        columns = {name: np.append(getattr(self, name), self.close[-1]) for name in COLUMNS[:4]}
        index = self.index.append(self.index[-1:])
        return frozen_bars(self.asset, index, {**columns, "volume": np.append(self.volume, np.nan)})

    def tilted(self, factors: FloatArray) -> Bars:
        """Return the bars alone, with prices multiplied by `factors`, one a bar."""
        return self.with_prices({name: getattr(self, name) * factors for name in COLUMNS[:4]})

    def with_prices(self, prices: Mapping[str, FloatArray]) -> Bars:
        """Return the bars alone, with other prices and nothing else changed."""
        return frozen_bars(self.asset, self.index, {**self.extra, "volume": self.volume, **prices})

    def followed_by(self, last: Bars) -> Bars:
        """Return bars alone of which the last ones are others."""
        first, columns = self.window(0, len(self) - len(last)), {}
        for name in (*COLUMNS, *self.extra):
            parts = [
                one.extra[name] if name in self.extra else getattr(one, name)
                for one in (first, last)
            ]
            columns[name] = np.concatenate(parts)
        return frozen_bars(self.asset, self.index, columns)

    def fingerprint(self) -> dict[str, object]:
        """Return what a run on these bars depends on."""
        prices = {name: getattr(self, name) for name in COLUMNS}
        return {
            "asset": self.asset,
            "index": self.index,
            **prices,
            "extra": dict(self.extra),
            "market": self.market,
        }

    def __reduce__(self) -> tuple[object, ...]:
        columns = (getattr(self, name) for name in (*COLUMNS, "price"))
        return Bars, (self.asset, self.index, *columns, self.extra, self.market)


class MarketBars:
    """Bars of all symbols, each up to the last one that a run may see; found when asked for.

    Parameters
    ----------
    symbols : sequence of str
    find : callable
        Symbol → its bars, from the first of the data on.
    """

    __slots__ = ("_find", "_found", "_key", "symbols")

    def __init__(self, symbols: Iterable[str], find: Callable[[str], Bars]) -> None:
        self.symbols = tuple(symbols)
        self._find = find
        self._found: dict[str, Bars] = {}
        self._key = b""

    def bars(self, symbol: str) -> Bars:
        """Return all bars of a symbol: always the same object."""
        found = self._found.get(symbol)
        return self._found.setdefault(symbol, self._find(symbol)) if found is None else found

    def changed(self, change: Callable[[Bars], Bars]) -> MarketBars:
        """Return a market whose bars are made of these."""
        return MarketBars(self.symbols, lambda symbol: change(self.bars(symbol)))

    def fingerprint(self) -> bytes:
        """Return what the bars of all symbols count by in the key of a run."""
        self._key = self._key or fingerprint([self.bars(symbol) for symbol in self.symbols])
        return self._key

    def __reduce__(self) -> tuple[object, ...]:
        return _market_of, ({symbol: self.bars(symbol) for symbol in self.symbols},)


def _market_of(bars: Mapping[str, Bars]) -> MarketBars:
    return MarketBars(bars, bars.__getitem__)


def windows_of(bars: Mapping[str, Bars], spans: Mapping[str, BarWindow]) -> dict[str, Bars]:
    """Return the bars of each symbol in its span, among all bars up to the ends of the spans."""
    market = MarketBars(spans, lambda symbol: bars[symbol].window(0, spans[symbol].last))
    return {symbol: bars[symbol].window_within(span, market) for symbol, span in spans.items()}


def frozen_bars(asset: str, index: pd.Index, columns: Mapping[str, FloatArray]) -> Bars:
    """Return bars that nobody can change, with their mean price; other columns are extra."""
    arrays = {name: frozen(values) for name, values in columns.items()}
    open_, high, low, close, volume = map(arrays.pop, COLUMNS)
    mean = frozen((open_ + high + low + close) / 4)
    return Bars(asset, index, open_, high, low, close, volume, mean, arrays)


def bars_of(data: Data) -> dict[str, Bars]:
    """Return the bars of every symbol, each on the bars where that symbol has prices.

    Raises
    ------
    ParamError
        If `data` is no `Data`.
    """
    passed: object = data
    if not isinstance(passed, Data):
        remedy = "Wrap frames with bp.Data.from_frames({symbol: frame}), or use bp.Data.sample()."
        if isinstance(passed, (str, os.PathLike)) and Path(passed).suffix:
            remedy = f"Read the file first: data = bp.Data.from_csv({str(passed)!r})"
        raise ParamError(broken_rule("data", "be a bp.Data", data, remedy))
    fields, extra, found = data.fields, data.extra, {}
    for place, symbol in enumerate(data.symbols):
        has_price = ~np.isnan(fields["close"][place])
        is_whole = has_price.all()
        columns: dict[str, FloatArray] = {}
        for name in COLUMNS:
            if name in fields:  # prices may be closes only
                values = fields[name][place]
                columns[name] = values if is_whole else values[has_price]
        close = columns["close"]
        open_ = columns.setdefault("open", close)
        columns.setdefault("high", np.maximum(open_, close))
        columns.setdefault("low", np.minimum(open_, close))
        columns.setdefault("volume", np.full(len(close), np.nan))
        for name, rows in extra.items():
            columns[name] = rows[place] if is_whole else rows[place][has_price]
        index = data.index if is_whole else data.index[has_price]
        found[str(symbol)] = frozen_bars(str(symbol), index, columns)
    return found


class BarWindow(NamedTuple):
    """Bars [first − lookback, last) of a symbol; signals count from `first` on."""

    first: int
    last: int


class TooFewBarsError(DataError):
    """A symbol has too few bars to be traded; `last` is the end of those there are."""

    last = 0


def only_seen(last: int, lookback: int) -> BarWindow:
    """Return the window of a symbol with too few bars up to `last`: none to be evaluated."""
    return BarWindow(max(last, lookback), last)


def windows_in(
    bars: Mapping[str, Bars], lookback: int, start: Hashable = None, end: Hashable = None
) -> dict[str, BarWindow]:
    """Return where to evaluate each symbol; see `window`.

    A symbol with too few bars can still be looked at by strategies that trade others: its window
    is empty, and `check_traded` refuses it to those that trade it.

    Raises
    ------
    DataError
        If no symbol has enough bars.
    """
    found: dict[str, BarWindow] = {}
    refused: TooFewBarsError | None = None
    for symbol, one in bars.items():
        try:
            found[symbol] = window(one, lookback, start, end)
        except TooFewBarsError as error:
            refused = refused or error
            found[symbol] = only_seen(error.last, lookback)
    if refused is not None and all(one.first >= one.last for one in found.values()):
        raise refused
    return found


def window(bars: Bars, lookback: int, start: Hashable = None, end: Hashable = None) -> BarWindow:
    """Return where to evaluate: from `start` (after the look-back) to `end`, both included.

    Raises
    ------
    DataError
        If fewer than two bars remain after the look-back.
    """
    cut = slice(0, len(bars))
    if start is not None or end is not None:
        for name, label in (("start", start), ("end", end)):
            if label is not None and not is_label(label):
                rule = f"be a label of the index ({bars.index.dtype})"
                raise DataError(broken_rule(name, rule, label, "Type for example '2005-01-31'."))
        # A date without a time means the whole day, as its ISO string does.
        start, end = (one.isoformat() if type(one) is dt.date else one for one in (start, end))
        for name, label in (("start", start), ("end", end)):
            _check_label(name, label, bars.index)
        cut = bars.index.slice_indexer(start, end)
    first = max(cut.start, lookback)
    index = bars.index
    if cut.stop <= cut.start and len(index):
        rule = f"leave bars of {bars.asset}, which has them{_span(index)}"
        if start is None or end is None:
            name, label = ("start", start) if end is None else ("end", end)
            none = TooFewBarsError(broken_rule(name, rule, label, "Pass a label between these."))
        else:
            remedy = "Pass labels between these, the earlier one as start."
            none = TooFewBarsError(broken_rule("start and end", rule, (start, end), remedy))
        none.last = cut.stop
        raise none
    try:
        check_enough(bars.asset, cut.stop - first, lookback, bars.index)
    except TooFewBarsError as error:
        error.last = cut.stop
        raise
    return BarWindow(first, cut.stop)


def check_traded(view: Bars, lookback: int) -> None:
    """Raise `DataError` unless a symbol that is traded has look-back and two bars in its view."""
    index = view.index if view.market is None else view.market.bars(view.asset).index
    check_enough(view.asset, len(view) - lookback, lookback, index)


def _check_label(name: str, label: Hashable, index: pd.Index) -> None:
    """Refuse what is no label of the index, or, among dates, no date that there is."""
    try:
        index.slice_indexer(label, None)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        rule, example = f"be a label of the index ({index.dtype})", str(index[0])
        if isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex)):
            rule, example = "be a date that there is", example[:10]
            if isinstance(label, int) and _is_date(str(label)):
                example = str(label)
        remedy = f"Type for example {name}={example!r}."
        raise DataError(broken_rule(name, rule, label, remedy)) from error


def _is_date(text: str) -> bool:
    try:
        return 1900 <= pd.Timestamp(text).year <= 2200
    except (ValueError, OverflowError):
        return False


def check_enough(asset: str, n_after: int, lookback: int, index: pd.Index) -> None:
    """Raise `DataError` unless two bars remain after the look-back; `index` has all there are."""
    if n_after < 2:
        msg = (
            f"{asset} must have at least lookback + 2 = {lookback + 2} bars up to the end of the "
            f"requested period, with two of them in it, got {max(n_after, 0)} after the look-back "
            f"({len(index)} bars in all{_span(index)}). Pass more history, another period or a "
            "smaller lookback."
        )
        raise TooFewBarsError(msg)


def per_asset(
    name: str, value: T | Mapping[str, T] | None, symbols: Iterable[str], default: T, kind: type[T]
) -> dict[str, T]:
    """Return {symbol: value of `kind`} from one value or a dict per asset.

    Raises
    ------
    ParamError
        If a dict names an unknown asset, or a value is not a `kind`.
    """
    known = list(symbols)
    table: Mapping[str, Any] = value if isinstance(value, Mapping) else dict.fromkeys(known, value)
    for key in table:
        if key not in known:
            rule = f"name assets of the data ({', '.join(known)})"
            remedy = check.did_you_mean(key, known)
            if name == "costs" and key in getattr(kind, "__dataclass_fields__", {}):
                remedy = f"Type: costs=bp.Costs({key}={table[key]!r})"
            raise ParamError(broken_rule(name, rule, key, remedy))
    result = {}
    for symbol in known:
        of_symbol = table.get(symbol)
        if of_symbol is not None and not isinstance(of_symbol, kind):
            rule = f"be a {kind.__name__} or a dict of them"
            remedy = "Type: costs=bp.Costs(fees=0.001)" if name == "costs" else ""
            raise ParamError(broken_rule(name, rule, of_symbol, remedy))
        result[symbol] = default if of_symbol is None else of_symbol
    return result


def _span(index: pd.Index) -> str:
    """Return how a message shows which bars there are; days without their midnight."""
    if not len(index):
        return ""
    first, last = (str(label).removesuffix(" 00:00:00") for label in (index[0], index[-1]))
    return f" from {first} to {last}"
