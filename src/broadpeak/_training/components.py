# SPDX-License-Identifier: BSD-3-Clause
"""What a component trades: one symbol's bars as the arrays that strategies see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from broadpeak._core.arrays import frozen
from broadpeak._data.data import Data
from broadpeak._prices.slicing import is_label
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import FloatArray

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
    """Prices of one symbol on its own calendar; every array is float64 (n_bars,) and read-only."""

    asset: str
    index: pd.Index[Any]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    price: FloatArray

    def __len__(self) -> int:
        return len(self.close)

    def window(self, first: int, last: int) -> Bars:
        """Return the bars [first, last)."""
        if first == 0 and last == len(self):
            return self
        cut = slice(first, last)
        columns = {name: getattr(self, name)[cut] for name in (*COLUMNS, "price")}
        return Bars(self.asset, self.index[cut], **columns)

    def tilted(self, factors: FloatArray) -> Bars:
        """Return the bars with prices multiplied by `factors`, one a bar."""
        columns = {name: frozen(getattr(self, name) * factors) for name in COLUMNS[:4]}
        price = _mean_price(**columns)
        return Bars(self.asset, self.index, **columns, volume=self.volume, price=price)


def bars_of(data: Any) -> dict[str, Bars]:
    """Return the bars of every symbol, each on the bars where that symbol has prices.

    Raises
    ------
    ParamError
        If `data` is no `Data`.
    """
    if not isinstance(data, Data):
        remedy = "Wrap frames with bp.Data.from_frames({symbol: frame}), or use bp.Data.sample()."
        raise ParamError(broken_rule("data", "be a bp.Data", data, remedy))
    return {str(symbol): _bars(data, symbol) for symbol in data.symbols}


def _bars(data: Data, symbol: Any) -> Bars:
    one = data.select(symbol)
    close = one.array("close")[0]
    open_ = _lane(one, "open", close)
    raw = {
        "open": open_,
        "high": _lane(one, "high", np.maximum(open_, close)),
        "low": _lane(one, "low", np.minimum(open_, close)),
        "close": close,
    }
    index = one.index
    volume = _lane(one, "volume", np.full(len(one), np.nan))
    there = ~np.isnan(raw["close"])
    if not there.all():
        raw = {name: values[there] for name, values in raw.items()}
        index, volume = index[there], volume[there]
    columns = {name: frozen(values) for name, values in raw.items()}
    return Bars(str(symbol), index, **columns, volume=frozen(volume), price=_mean_price(**columns))


def _lane(one: Data, name: str, missing: FloatArray) -> FloatArray:
    try:
        lane: FloatArray = one.array(name)[0]
    except DataError:  # prices may be closes only
        return missing
    return lane


def _mean_price(
    open: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray
) -> FloatArray:
    return frozen((open + high + low + close) / 4)


class BarWindow(NamedTuple):
    """Bars [first − lookback, last) of a symbol; signals count from `first` on."""

    first: int
    last: int


def window(bars: Bars, lookback: int, start: Any = None, end: Any = None) -> BarWindow:
    """Return where to evaluate: from `start` (after the look-back) to `end`, both included.

    Raises
    ------
    DataError
        If fewer than two bars remain after the look-back.
    """
    cut = _cut(bars, start, end)
    first = max(cut.start, lookback)
    check_enough(bars.asset, cut.stop - first, lookback, len(bars))
    return BarWindow(first, cut.stop)


def _cut(bars: Bars, start: Any, end: Any) -> slice:
    if start is None and end is None:
        return slice(0, len(bars))
    for name, label in (("start", start), ("end", end)):
        if label is not None and not is_label(label):
            rule = f"be a label of the index ({bars.index.dtype})"
            raise DataError(broken_rule(name, rule, label, "Type for example '2005-01-31'."))
    # A day without a time means the whole day, as its text does.
    start, end = (one.isoformat() if type(one) is dt.date else one for one in (start, end))
    try:
        return bars.index.slice_indexer(start, end)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        rule = f"be labels of the index ({bars.index.dtype})"
        raise DataError(broken_rule("start and end", rule, (start, end))) from error


def check_enough(asset: str, n_after: int, lookback: int, n_bars: int) -> None:
    """Raise `DataError` unless two bars remain after the look-back."""
    if n_after < 2:
        msg = (
            f"{asset} must have at least lookback + 2 = {lookback + 2} bars up to the end of the "
            f"period asked for, with two of them in it, got {max(n_after, 0)} after the look-back "
            f"({n_bars} bars in all). Pass more history, another period or a smaller lookback."
        )
        raise DataError(msg)


def per_asset(name: str, value: Any, symbols: Mapping[str, Any], default: Any, kind: type) -> Any:
    """Return {symbol: value of `kind`} from one value or a dict per asset.

    Raises
    ------
    ParamError
        If a dict names an unknown asset, or a value is not a `kind`.
    """
    table = value if isinstance(value, Mapping) else dict.fromkeys(symbols, value)
    unknown = [key for key in table if key not in symbols]
    if unknown:
        rule = f"name assets of the data ({', '.join(symbols)})"
        raise ParamError(broken_rule(name, rule, unknown[0]))
    result = {}
    for symbol in symbols:
        given = table.get(symbol)
        if given is not None and not isinstance(given, kind):
            raise ParamError(broken_rule(name, f"be a {kind.__name__} or a dict of them", given))
        result[symbol] = default if given is None else given
    return result
