# SPDX-License-Identifier: BSD-3-Clause
"""`Data`: checked prices of one or several symbols."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._data.making import Made
from broadpeak._indicators.by_name import run
from broadpeak._prices.resample import resample_bars
from broadpeak._prices.slicing import positions
from broadpeak._prices.table import PriceTable, read_only
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import FloatArray, ParamValues


class Data(Made):
    """Prices of one or several symbols, checked on entry and never changed afterwards.

    Made by `from_frames`, `from_csv`, `from_parquet`, `from_yfinance`, `from_ccxt` or `sample`.

    Attributes
    ----------
    symbols : list
        Names of the symbols.
    index : pd.Index
        Labels of the bars, sorted and unique.
    open, high, low, close, volume, hlc3, ohlc4 : Series or DataFrame
        A Series for one symbol, a frame with the column level `symbol` for several. `hlc3` is the
        mean of high, low and close, `ohlc4` that of all four.
    returns : Series or DataFrame
        Change of the close against the close of the symbol's bar before, as a fraction.

    Notes
    -----
    Rules checked on entry: the index is sorted and unique; prices are finite and positive; high is
    at least and low at most open and close, up to a share of 1e-8 for rounding; volume is at least
    0 or missing. A broken rule is a `DataError` that names symbol, bar and value.

    Symbols with different calendars stand on the union of their bars; a symbol is NaN where it has
    no bar, and whatever is computed of it is computed on its own bars. ``calendar="intersection"``
    keeps the bars that all have.

    Examples
    --------
    >>> data = Data.sample()
    >>> data
    Data(['AAPL', 'IBM', 'MSFT'], 3270 bars, 2000-03-01 to 2013-03-01)
    >>> data.select("IBM").close.iloc[-1].round(2)
    np.float64(175.27)
    >>> len(data["2005":"2009"])
    1259
    """

    __slots__ = ()
    __iter__ = None

    # Looking

    @property
    def symbols(self) -> list[Any]:
        """Names of the symbols."""
        source = self._table
        names = list(source.symbols)
        return names if source.codes is None else [names[code] for code in source.codes]

    @property
    def index(self) -> pd.Index[Any]:
        """Labels of the bars."""
        return self._table.index

    @property
    def open(self) -> Any:
        """Prices at the open of each bar."""
        return self._table.prices("open")

    @property
    def high(self) -> Any:
        """Highest prices of each bar."""
        return self._table.prices("high")

    @property
    def low(self) -> Any:
        """Lowest prices of each bar."""
        return self._table.prices("low")

    @property
    def close(self) -> Any:
        """Prices at the close of each bar."""
        return self._table.prices("close")

    @property
    def volume(self) -> Any:
        """Units traded in each bar."""
        return self._table.prices("volume")

    @property
    def hlc3(self) -> Any:
        """Mean of high, low and close."""
        return self._table.prices("hlc3")

    @property
    def ohlc4(self) -> Any:
        """Mean of open, high, low and close."""
        return self._table.prices("ohlc4")

    @property
    def returns(self) -> Any:
        """Change of the close against the symbol's bar before, as a fraction."""
        close = self._table.array("close")
        out = np.full(close.shape, np.nan)
        for row, values, own in zip(out, close, self._table.own_bars, strict=True):
            bars = slice(None) if own is None else own
            mine = values[bars]
            row[bars] = np.concatenate([[np.nan], mine[1:] / mine[:-1] - 1.0])[: mine.size]
        return self._table.wrap(out)

    def array(self, name: str) -> FloatArray:
        """Return the prices `name` as a read-only array of shape (symbols, bars).

        Raises
        ------
        DataError
            If there are no such prices.

        Examples
        --------
        >>> Data.sample().array("close").shape
        (3, 3270)
        """
        lanes, codes = self._table.array(name), self._table.codes
        return read_only(lanes if codes is None else lanes[codes])

    def __len__(self) -> int:
        return len(self._table.index)

    def __repr__(self) -> str:
        names = self.symbols
        shown = f"{names}" if len(names) <= 5 else f"[{len(names)} symbols from {names[0]!r}]"
        span = ""
        if len(self):
            span = f", {_day(self.index[0])} to {_day(self.index[-1])}"
        return f"Data({shown}, {len(self)} bars{span})"

    @property
    def data_key(self) -> str:
        """The fingerprint, as a property: by it a store counts the trials on these prices."""
        return self.fingerprint()

    def fingerprint(self) -> str:
        """Return a hash of symbols, index and prices: equal for equal content, in any process.

        Examples
        --------
        >>> Data.sample("IBM").fingerprint() == Data.sample("IBM").fingerprint()
        True
        """
        if not self._fingerprint:
            self._fingerprint = _digest(self._table)
        return self._fingerprint

    # Cutting

    def select(self, symbols: Any) -> Data:
        """Return the prices of some symbols.

        Parameters
        ----------
        symbols : symbol or list of symbols
            A symbol gives Series, a list (also of one) frames. What a mono-chunk passes for a
            parameter is one symbol a combination, also repeated: frames have a column a
            combination, and lists of other parameters meet them one to one.

        Returns
        -------
        Data
            Without the bars at which none of these symbols has a price.

        Raises
        ------
        DataError
            If a symbol is not there, or is named twice.

        Examples
        --------
        >>> Data.sample().select(["IBM"]).close.columns.to_list()
        ['IBM']
        """
        without_axis = isinstance(symbols, np.ndarray) and symbols.ndim == 0
        single = isinstance(symbols, str) or not isinstance(symbols, Iterable) or without_axis
        if single and check.identifier("symbols", symbols) in self._selected:
            found: Data = self._selected[symbols]
            return found
        wanted = [symbols] if single else list(symbols)
        places = [self._place(symbol) for symbol in wanted]
        if isinstance(symbols, ParamValues) and places:
            return Data(self._table.zipped(places))
        if not places or len(set(places)) < len(places):
            raise DataError(broken_rule("symbols", "name each symbol once, at least one", wanted))
        if single and self._table.single:
            return self
        source = self._table
        result = Data(source.part(places[0]) if single else source.take(places, single=False))
        if single:
            # One object a symbol, so that what was computed from it is found again.
            self._selected[symbols] = result
        return result

    def _place(self, symbol: Any) -> int:
        if check.identifier("symbol", symbol) in self._table.symbols:
            return self._table.symbols.index(symbol)
        remedy = check.did_you_mean(symbol, self.symbols)
        raise DataError(broken_rule("symbol", f"be one of {self.symbols}", symbol, remedy))

    def __getitem__(self, bars: Any) -> Data:
        if isinstance(bars, str) and bars in self._table.symbols:
            remedy = f"Type: data.select({bars!r})"
            raise DataError(broken_rule("data[…]", "be given dates, not symbols", bars, remedy))
        places = positions(self._table.index, bars)
        fields = {
            name: np.ascontiguousarray(lanes[:, places])
            for name, lanes in self._table.fields.items()
        }
        source = self._table
        cut = PriceTable(source.index[places], source.symbols, fields, source.single, source.codes)
        return Data(cut)

    def resample(self, rule: Any, **options: Any) -> Data:
        """Return longer bars.

        Parameters
        ----------
        rule : str or offset
            A span as pandas writes it: "1h", "1D", "W", "ME".
        **options
            `label`, `closed`, `origin`, `offset` of ``DataFrame.resample``.

        Returns
        -------
        Data
            First open, highest high, lowest low, last close, sum of volume. Spans without a bar
            give none.

        Raises
        ------
        DataError
            If the bars have no dates.
        ParamError
            If `rule` is no span.

        Examples
        --------
        >>> Data.sample("IBM").resample("YE").close.round(2).iloc[:2]
        Date
        2000-12-31    62.69
        2001-12-31    89.64
        Freq: YE-DEC, Name: IBM, dtype: float64
        """
        source = self._table
        bars = {}
        for place, (symbol, own) in enumerate(zip(source.symbols, source.own_bars, strict=True)):
            keep = slice(None) if own is None else own
            fields = {name: lanes[place][keep] for name, lanes in source.fields.items()}
            bars[symbol] = resample_bars(source.index[keep], fields, rule, options)
        longer = self._of(bars, calendar="union", single=source.single)
        if source.codes is None:
            return longer
        return longer.select(ParamValues(self.symbols))

    def run(
        self,
        name: str,
        *args: Any,
        unpack: bool = False,
        hide_params: bool | Sequence[str] = False,
        param_product: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Run an indicator on every symbol and every combination of parameters.

        Parameters
        ----------
        name : str
            ``"bp:ma"`` (also written ``"vbt:ma"``; the simple moving average), ``"bp:sma"``,
            ``"bp:rsi"`` and so on for the functions of this library; ``"talib:sma"`` and so on for
            those of TA-Lib.
        *args, **kwargs
            Parameters of the indicator by position or name, each a value or a list of values.
            Inputs can be replaced by name: ``price="ohlc4"``, ``high=frame``.
        unpack : bool
            Return Series or frames (a tuple for several outputs) instead of the result object.
        hide_params : bool or list of str
            Parameters that give no column level.
        param_product : bool
            Combine every value of each list with every value of the others, the first list
            slowest. Otherwise lists are zipped: equal lengths, or one value.

        Returns
        -------
        IndicatorResult, Series, DataFrame, or tuple of them
            Columns have a level ``<short name>_<parameter>`` for each list, also of one value, and
            then `symbol` for several symbols.

        Raises
        ------
        ParamError
            If there is no such indicator, lists do not fit, or a value is out of range.
        DataError
            If a price the indicator needs is missing.
        MissingExtraError
            If it is one of TA-Lib and the package is not installed.

        Notes
        -----
        An indicator sees the bars of its own symbol only. What was computed once is remembered
        with the data, up to 256 MiB, until `flush`.

        Examples
        --------
        >>> Data.sample("IBM").run("bp:ma", window=[10, 20], unpack=True).iloc[-1].round(2)
        ma_window
        10    173.00
        20    173.38
        Name: 2013-03-01 00:00:00, dtype: float64
        """
        check.flag("unpack", unpack)
        result = run(
            self._table, name, args, kwargs, hide_params=hide_params, param_product=param_product
        )
        return result.unpack() if unpack else result

    def split_params(self) -> tuple[Sequence[Data], pd.Index[Any]]:
        """Return one `Data` a symbol and their labels, for use in a `Param`.

        Examples
        --------
        >>> items, labels = Data.sample().split_params()
        >>> items[1], list(labels)
        (Data(['IBM'], 3270 bars, 2000-03-01 to 2013-03-01), ['AAPL', 'IBM', 'MSFT'])
        """
        return [self.select(symbol) for symbol in self.symbols], self._table.columns

    # Travelling

    def __reduce__(self) -> tuple[Any, ...]:
        return Data, (self._table,)


def _day(label: Any) -> str:
    text = str(label)
    return text.removesuffix(" 00:00:00")


def _digest(source: PriceTable) -> str:
    digest = hashlib.sha256()
    index = source.index
    labels = index.to_numpy()
    if isinstance(index, pd.DatetimeIndex):
        digest.update(str(index.tz).encode())
        labels = index.as_unit("ns").asi8
    digest.update(np.ascontiguousarray(labels).data)
    # Any kind of text is the same symbol; a number is another one than its text.
    names = [repr(str(name) if isinstance(name, str) else name) for name in source.symbols]
    digest.update(f"{names} {source.single}".encode())
    if source.codes is not None:
        digest.update(source.codes.tobytes())
    for name in sorted(source.fields):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(source.fields[name]).reshape(-1).data)
    return digest.hexdigest()
