# SPDX-License-Identifier: BSD-3-Clause
"""`Data`: checked prices of one or several symbols."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal, Self, TypeAlias, overload

import numpy as np
import pandas as pd

from broadpeak._core import check, drawing, optional
from broadpeak._core.aliases import Index, Table
from broadpeak._core.arrays import read_only
from broadpeak._data import bundled, feeds
from broadpeak._indicators.by_name import run
from broadpeak._indicators.output import IndicatorResult
from broadpeak._prices.align import Bars, align
from broadpeak._prices.reading import many_files, vendor_table
from broadpeak._prices.reading.dates import DateOptions, is_dated
from broadpeak._prices.reading.names import field_of
from broadpeak._prices.reading.opening import checked_path
from broadpeak._prices.reading.vendor_table import Columns
from broadpeak._prices.resample import Rule, resample_bars
from broadpeak._prices.schema import FIELDS, bars_of, frames_of
from broadpeak._prices.slicing import positions
from broadpeak._prices.table import PriceTable
from broadpeak.errors import DataError, ParamTypeError, broken_rule, warn
from broadpeak.types import AnyArray, FloatArray, ParamValues

File: TypeAlias = "str | Path | IO[Any]"
"""What a table is read from."""

Files: TypeAlias = "File | Sequence[File] | Mapping[Any, File]"
"""One file, several, or one a symbol."""

Symbols: TypeAlias = "Hashable | Sequence[Hashable]"
"""One symbol, which gives Series, or several, which give frames."""

Day: TypeAlias = "str | dt.date | np.datetime64 | None"
"""A bar, by its date."""


class Data:
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
    fields : dict of str to array, shape (symbols, bars)
        The prices that were given, by name; read-only.
    extra : dict of str to array, shape (symbols, bars)
        Other columns of numbers that were given, by name; read-only, and NaN where a symbol has
        none. `column` gives them with labels.
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

    __slots__ = ("__weakref__", "_fingerprint", "_selected", "_table")
    __iter__ = None

    def __init__(self, source: PriceTable) -> None:
        passed: object = source
        if not isinstance(passed, PriceTable):
            rule = "be made by one of its constructors"
            remedy = "Type: Data.from_frames({'SPX': frame}), or Data.from_csv(path)."
            raise ParamTypeError(broken_rule("Data", rule, passed, remedy))
        self._table = passed
        self._selected: dict[Hashable, Data] = {}
        self._fingerprint = ""

    # Making

    @classmethod
    def from_frames(
        cls,
        frames: Mapping[Any, Table] | pd.DataFrame,
        *,
        calendar: str = "union",
        adjust: bool = False,
        missing: str = "raise",
        columns: Columns = None,
    ) -> Self:
        """Take one frame of prices a symbol.

        Parameters
        ----------
        frames : dict of symbol to DataFrame (or Series of closes), or one DataFrame
            Columns open, high, low, close, volume in any case and order; only close must be
            there. Other columns of numbers (or true and false) are kept as they are, see `column`;
            those of words and dates are left out. Bars are labelled by a sorted index of dates
            (with or without time zone) or numbers, or by a column of dates (``time``, ``date``,
            ``unix`` …), strings and numbers of which are read as `from_csv` reads them. Without
            dates bars are numbered. One frame must name its symbols: in a column of symbols, or
            above or below the fields, as ``yfinance.download`` returns it.
        calendar : "union" or "intersection"
            How bars of symbols with different calendars are joined; see the class.
        adjust : bool
            Multiply open, high, low and close by adjusted close / close, so that splits and
            dividends make no jumps. Volume is left as it is. Without it a column of adjusted closes
            is ignored.
        missing : "raise" or "drop"
            What to do with bars that have no open, high, low and close at all.
        columns : dict, optional
            What columns hold that are called otherwise: ``{"Schluss": "close"}``. Fields are open,
            high, low, close, volume, adjclose, date, time and symbol.

        Returns
        -------
        Data
            With Series for one symbol and frames for several.

        Raises
        ------
        DataError
            If a rule for prices is broken; the message names symbol, bar and value.

        Examples
        --------
        >>> from broadpeak import Data
        >>> days = pd.date_range("2024-01-01", periods=3)
        >>> Data.from_frames({"X": pd.DataFrame({"Close": [1.0, 2.0, 3.0]}, index=days)}).close
        2024-01-01    1.0
        2024-01-02    2.0
        2024-01-03    3.0
        Freq: D, Name: X, dtype: float64
        """
        vendor_table.check_columns(columns)
        if isinstance(frames, pd.DataFrame):
            named = frames_of(frames, columns)
            frames, columns = (frames, columns) if named is None else (named, None)
        passed: Any = frames
        if not isinstance(passed, Mapping) or not passed:
            rule = "be a dict of at least one symbol and its frame"
            remedy = "Type: Data.from_frames({'SPX': frame})"
            if isinstance(frames, pd.DataFrame) and not any(map(field_of, frames.columns)):
                remedy = (
                    "If its columns are closes of symbols, type:"
                    " Data.from_frames({name: frame[name] for name in frame})"
                )
            raise DataError(broken_rule("frames", rule, frames, remedy))
        return cls(_checked(passed, len(passed) == 1, calendar, adjust, missing, columns))

    @classmethod
    def from_csv(
        cls,
        path: Files,
        *,
        symbol: Symbols | None = None,
        calendar: str = "union",
        adjust: bool = False,
        missing: str = "raise",
        tz: str | dt.tzinfo | None = None,
        date_column: str | None = None,
        date_format: str | None = None,
        dayfirst: bool | None = None,
        symbol_column: str | None = None,
        columns: Columns = None,
        sep: str | None = None,
        decimal: str | None = None,
        thousands: str | None = None,
    ) -> Self:
        """Read prices from text files as the usual vendors write them.

        Parameters
        ----------
        path : path, file, pattern, list of them, or dict of symbol to path
            A pattern such as ``"prices/*.csv"`` names all files that match, in the order of their
            names. Packed files (zip, gz, bz2, xz) are unpacked. Notes above and below the table,
            header, delimiter, decimal mark, thousands, dates, a time beside them, and a column of
            symbols are recognised; ``docs/market-data.md`` lists what is. A column has one format,
            decided by all its rows; where two are possible, it is an error. Files written newest
            first are turned round.
        symbol : str or list, optional
            Name of the symbol of a file without a column of symbols (default: the name of the
            file), or those to take from a file with one. Of several files: those to take, where
            they are known by these names; otherwise one name for each file, in order; one name for
            all says that they are parts of one series.
        calendar, adjust, missing
            As in `from_frames`.
        tz : str, optional
            Time zone: dates without one are taken to be in it, dates with one are converted.
            Without it, zones are kept as they are; offsets that change (summer time) and epoch
            numbers give UTC.
        date_column, date_format : str, optional
            Where the date stands and how it is written, where this is not recognised.
        symbol_column : str, optional
            Which column says what symbol a row is of, where this is not recognised. Files that hold
            the same symbols of different times, one a year perhaps, are joined.
        dayfirst : bool, optional
            Whether 01/02/2024 is the first of February, where the file does not show it.
        columns : dict or list, optional
            What columns hold that are called otherwise, as in `from_frames`; or the names of all
            columns of a file without header, ``"-"`` for one to leave out.
        sep, decimal, thousands : str, optional
            The marks between columns, before fractions and between thousands, where they are not
            recognised.

        Returns
        -------
        Data
            With Series for one symbol and frames for several.

        Raises
        ------
        MissingDataError
            If there is no such file.
        DataError
            If the file is not a table of prices, can be read in two ways, or a rule for prices is
            broken.

        Examples
        --------
        >>> import io
        >>> from broadpeak import Data
        >>> lines = ["Date;Close;Volume", "02.01.2024;185,64;100", "03.01.2024;184,25;90"]
        >>> Data.from_csv(io.StringIO(chr(10).join(lines)), symbol="AAPL").close
        Date
        2024-01-02    185.64
        2024-01-03    184.25
        Name: AAPL, dtype: float64
        """
        dates = DateOptions(tz, date_column, date_format, dayfirst)
        options = vendor_table.TableOptions(
            dates, columns, sep, decimal, thousands, symbol_column=symbol_column
        )
        frames = many_files.read_frames(path, symbol, options)
        table = _checked(frames, len(frames) == 1, calendar, adjust, missing)
        if symbol is None:
            _tell_of_parts(table)
        return cls(table)

    @classmethod
    def from_parquet(
        cls,
        path: Files,
        *,
        symbol: Symbols | None = None,
        calendar: str = "union",
        adjust: bool = False,
        missing: str = "raise",
        tz: str | dt.tzinfo | None = None,
        date_column: str | None = None,
        date_format: str | None = None,
        dayfirst: bool | None = None,
        symbol_column: str | None = None,
        columns: Columns = None,
    ) -> Self:
        """Read prices from Parquet files.

        Parameters
        ----------
        path : path, pattern, list of them, or dict of symbol to path
            Tables as in `from_csv`; dates may also be the index that pandas stored.
        symbol, calendar, adjust, missing, tz, date_column, date_format, dayfirst, \
symbol_column
            As in `from_csv`.
        columns : dict, optional
            As in `from_frames`.

        Returns
        -------
        Data
            With Series for one symbol and frames for several.

        Raises
        ------
        MissingExtraError
            If pyarrow is not installed.
        MissingDataError
            If there is no such file.
        DataError
            If the file is not a table of prices, or a rule for prices is broken.

        Examples
        --------
        >>> from broadpeak import Data
        >>> Data.from_parquet({"AAPL": "aapl.parquet"})  # doctest: +SKIP
        Data(['AAPL'], 3270 bars, 2000-03-01 to 2013-03-01)
        """
        optional.load("pyarrow", extra="parquet", purpose="Data.from_parquet")
        dates = DateOptions(tz, date_column, date_format, dayfirst)
        options = vendor_table.TableOptions(dates, columns, symbol_column=symbol_column)
        frames = many_files.read_frames(path, symbol, options, read=_read_parquet)
        table = _checked(frames, len(frames) == 1, calendar, adjust, missing)
        if symbol is None:
            _tell_of_parts(table)
        return cls(table)

    @classmethod
    def from_yfinance(
        cls,
        symbols: str | Sequence[str],
        *,
        start: Day = None,
        end: Day = None,
        interval: str = "1d",
        adjust: bool = True,
        calendar: str = "union",
        **options: object,
    ) -> Self:
        """Download prices from Yahoo Finance through the package yfinance.

        Parameters
        ----------
        symbols : str or list of str
            Names at Yahoo; a string gives Series, a list frames.
        start, end, interval, **options
            Passed to ``yfinance.download``.
        adjust : bool
            Multiply prices by adjusted close / close.
        calendar : "union" or "intersection"
            As in `from_frames`.

        Returns
        -------
        Data
            In the time zone Yahoo gives.

        Raises
        ------
        MissingExtraError
            If yfinance is not installed.
        DataError
            If Yahoo has no prices of a symbol, or a rule for prices is broken.

        Examples
        --------
        >>> from broadpeak import Data
        >>> Data.from_yfinance(["AAPL", "MSFT"], start="2020-01-01")  # doctest: +SKIP
        Data(['AAPL', 'MSFT'], 1258 bars, 2020-01-02 to 2024-12-31)
        """
        options = {"start": start, "end": end, "interval": interval, **options}
        frames = feeds.yfinance_frames(feeds.names(symbols), options)
        return cls(_checked(frames, isinstance(symbols, str), calendar, adjust, "drop"))

    @classmethod
    def from_ccxt(
        cls,
        symbols: str | Sequence[str],
        *,
        exchange: object = "binance",
        timeframe: str = "1d",
        start: Day = None,
        end: Day = None,
        limit: int = 1000,
        calendar: str = "union",
        **config: object,
    ) -> Self:
        """Download prices from a crypto exchange through the package ccxt.

        Parameters
        ----------
        symbols : str or list of str
            Pairs as ccxt writes them: "BTC/USDT"; a string gives Series, a list frames.
        exchange : str or ccxt exchange
            Its name, or an object that was made with keys.
        timeframe : str
            Length of a bar: "1m", "1h", "1d".
        start, end : date, optional
            First and last bar, UTC where no zone is given. Without a start, the newest `limit`
            bars.
        limit : int
            Bars a request.
        calendar : "union" or "intersection"
            As in `from_frames`.
        **config
            Settings of the exchange.

        Returns
        -------
        Data
            In UTC. The newest bar may be incomplete.

        Raises
        ------
        MissingExtraError
            If ccxt is not installed.
        ParamError
            If ccxt does not know the exchange.
        DataError
            If there are no bars, or a rule for prices is broken.

        Examples
        --------
        >>> from broadpeak import Data
        >>> Data.from_ccxt("BTC/USDT", timeframe="1h", start="2024-01-01")  # doctest: +SKIP
        Data(['BTC/USDT'], 8784 bars, 2024-01-01 00:00:00+00:00 to 2024-12-31 23:00:00+00:00)
        """
        frames = feeds.ccxt_frames(
            feeds.names(symbols), exchange, timeframe, (start, end), limit, config
        )
        return cls(_checked(frames, isinstance(symbols, str), calendar))

    @classmethod
    def sample(cls, symbols: str | Sequence[str] | None = None) -> Self:
        """Return the daily prices that are shipped with the package.

        Parameters
        ----------
        symbols : str or list of str, optional
            Any of AAPL, IBM and MSFT; all three by default.

        Returns
        -------
        Data
            Open, high, low and close adjusted for splits and dividends, and volume, from 2000-03-01
            to 2013-03-01 (3,270 bars each).

        Raises
        ------
        DataError
            If a symbol is not among the three, or the shipped file was altered.

        Notes
        -----
        Source: Quandl WIKI, public domain; see ``broadpeak/_data/prices/PROVENANCE.md``.

        Examples
        --------
        >>> from broadpeak import Data
        >>> Data.sample("AAPL")
        Data(['AAPL'], 3270 bars, 2000-03-01 to 2013-03-01)
        """
        frames = bundled.read_frames()
        names = list(frames) if symbols is None else feeds.names(symbols)
        for name in names:
            if name not in frames:
                remedy = check.did_you_mean(name, frames)
                rule = f"be one of {', '.join(map(repr, frames))}"
                raise DataError(broken_rule("symbol", rule, name, remedy))
        frames = {name: frames[name] for name in names}
        return cls(_checked(frames, isinstance(symbols, str), adjust=True))

    # Looking

    @property
    def symbols(self) -> list[Hashable]:
        """Names of the symbols."""
        names, codes = list(self._table.symbols), self._table.codes
        return names if codes is None else [names[code] for code in codes]

    @property
    def index(self) -> Index:
        """Labels of the bars."""
        return self._table.index

    @property
    def open(self) -> Table:
        """Prices at the open of each bar."""
        return self._table.prices("open")

    @property
    def high(self) -> Table:
        """Highest prices of each bar."""
        return self._table.prices("high")

    @property
    def low(self) -> Table:
        """Lowest prices of each bar."""
        return self._table.prices("low")

    @property
    def close(self) -> Table:
        """Prices at the close of each bar."""
        return self._table.prices("close")

    @property
    def volume(self) -> Table:
        """Units traded in each bar."""
        return self._table.prices("volume")

    @property
    def hlc3(self) -> Table:
        """Mean of high, low and close."""
        return self._table.prices("hlc3")

    @property
    def ohlc4(self) -> Table:
        """Mean of open, high, low and close."""
        return self._table.prices("ohlc4")

    @property
    def returns(self) -> Table:
        """Change of the close against the symbol's bar before, as a fraction."""
        close = self._table.array("close")
        out = np.full(close.shape, np.nan)
        for row, values, own in zip(out, close, self._table.own_bars, strict=True):
            bars = slice(None) if own is None else own
            closes = values[bars]
            row[bars] = np.concatenate([[np.nan], closes[1:] / closes[:-1] - 1.0])[: closes.size]
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
        array, codes = self._table.array(name), self._table.codes
        return array if codes is None else read_only(array[codes])

    @property
    def fields(self) -> dict[str, FloatArray]:
        """All prices that there are by name, as arrays symbols × bars; they are read-only."""
        fields, codes = self._table.fields, self._table.codes
        if codes is None:
            return dict(fields)
        return {name: read_only(array[codes]) for name, array in fields.items()}

    @property
    def extra(self) -> dict[str, FloatArray]:
        """Other columns by name, as arrays symbols × bars; they are read-only."""
        extra, codes = self._table.extra, self._table.codes
        if codes is None:
            return dict(extra)
        return {name: read_only(array[codes]) for name, array in extra.items()}

    def column(self, name: str) -> Table:
        """Return a column as it was given: one of the prices, or any other one of numbers.

        Parameters
        ----------
        name : str
            Its label in the frame or file.

        Returns
        -------
        Series or DataFrame
            A Series for one symbol, a frame for several; NaN where a symbol has no value.

        Raises
        ------
        DataError
            If there is no such column, or it does not hold numbers.

        Notes
        -----
        Other columns follow the bars: into `select`, slices and `resample`, which takes the last
        known value of a span, and into the fingerprint. ``adjust=True`` leaves them as they are.

        Examples
        --------
        >>> from broadpeak import Data
        >>> days = pd.date_range("2024-01-01", periods=3)
        >>> frame = pd.DataFrame({"Close": [1.0, 2.0, 3.0], "vix": [14, 13, 15]}, index=days)
        >>> Data.from_frames({"X": frame}).column("vix").to_list()
        [14.0, 13.0, 15.0]
        """
        return self._table.column(name)

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

    def select(self, symbols: Symbols) -> Data:
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
        passed: Any = symbols
        without_axis = isinstance(passed, np.ndarray) and passed.ndim == 0
        single = isinstance(passed, str) or not isinstance(passed, Iterable) or without_axis
        if single and check.identifier("symbols", symbols) in self._selected:
            return self._selected[symbols]
        wanted = [passed] if single else list(passed)
        positions = [self._position_of(symbol) for symbol in wanted]
        if isinstance(symbols, ParamValues) and positions:
            return Data(self._table.zipped(positions))
        if not positions or len(set(positions)) < len(positions):
            raise DataError(broken_rule("symbols", "name each symbol once, at least one", wanted))
        if single and self._table.single:
            return self
        table = self._table
        result = Data(table.part(positions[0]) if single else table.take(positions, single=False))
        if single:
            # One object a symbol, so that what was computed from it is found again.
            self._selected[symbols] = result
        return result

    def chart(self, symbols: Symbols | None = None) -> Any:
        """Draw the prices.

        Parameters
        ----------
        symbols : one symbol or several, optional
            Default: all of them.

        Returns
        -------
        plotly.graph_objects.Figure
            One symbol: candles for up to 260 bars where there are open, high and low, else a line
            of closes; volume below where it is known. Several: closes as multiples of those at the
            first bar that all have, or each of its own first bar where there is no such bar.

        Raises
        ------
        DataError
            If a symbol is unknown, or there are more than 12.

        Examples
        --------
        >>> [trace.name for trace in Data.sample().chart().data]
        ['AAPL', 'IBM', 'MSFT']
        >>> Data.sample("IBM")["2012"].chart().data[0].type
        'candlestick'
        """
        part = self if symbols is None else self.select(symbols)
        names = part.symbols
        if len(names) > drawing.MOST_LINES:
            rule = f"be at most {drawing.MOST_LINES} symbols to be drawn together"
            remedy = f"Choose some: data.chart({names[:2]!r})."
            raise DataError(broken_rule("symbols", rule, len(names), remedy))
        if len(names) == 1:
            fields = {name: array[0] for name, array in part.fields.items()}
            bars = pd.DataFrame(fields, index=part.index)
            bars = bars[bars["close"].notna()]
            return drawing.draw("prices", bars, title=f"{names[0]}: prices")
        closes = pd.DataFrame(part.array("close").T, index=part.index, columns=pd.Index(names))
        shared = closes.notna().all(axis=1).to_numpy()
        base, note = closes.bfill().iloc[:1], "Each from its own first bar"
        if shared.any():
            base = closes.iloc[[int(np.argmax(shared))]]
            note = f"From {_day(base.index[0])}, the first bar that all have"
        growth = closes / base.to_numpy() if len(base) else closes
        return drawing.draw("growth", growth, title="Prices", note=note)

    def _position_of(self, symbol: Hashable) -> int:
        if check.identifier("symbol", symbol) in self._table.symbols:
            return self._table.symbols.index(symbol)
        remedy = check.did_you_mean(symbol, self.symbols)
        rule = f"be one of {', '.join(map(repr, self.symbols))}"
        raise DataError(broken_rule("symbol", rule, symbol, remedy))

    def __getitem__(self, bars: slice | str | dt.date | AnyArray | Table | Index) -> Data:
        if isinstance(bars, str) and bars in self._table.symbols:
            remedy = f"Type: data.select({bars!r})"
            raise DataError(broken_rule("data[…]", "be given dates, not symbols", bars, remedy))
        table = self._table
        return Data(table.rows(positions(table.index, bars)))

    def resample(self, rule: Rule, **options: object) -> Data:
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
            First open, highest high, lowest low, last close, sum of volume, and the last known
            value of other columns. Spans without a bar give none.

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
        table = self._table
        bars = {
            symbol: resample_bars(*table.own(position), rule, options)
            for position, symbol in enumerate(table.symbols)
        }
        longer = Data(_aligned(bars, "union", single=table.single))
        if table.codes is None:
            return longer
        return longer.select(ParamValues(self.symbols))

    @overload
    def run(
        self,
        name: str,
        *args: object,
        unpack: Literal[False] = ...,
        hide_params: bool | Sequence[str] = ...,
        param_product: bool = ...,
        **kwargs: object,
    ) -> IndicatorResult: ...
    @overload
    def run(
        self,
        name: str,
        *args: object,
        unpack: Literal[True],
        hide_params: bool | Sequence[str] = ...,
        param_product: bool = ...,
        **kwargs: object,
    ) -> Table | tuple[Table, ...]: ...
    def run(
        self,
        name: str,
        *args: object,
        unpack: bool = False,
        hide_params: bool | Sequence[str] = False,
        param_product: bool = False,
        **kwargs: object,
    ) -> IndicatorResult | Table | tuple[Table, ...]:
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

    def split_params(self) -> tuple[Sequence[Data], Index]:
        """Return one `Data` a symbol and their labels, for use in a `Param`.

        Examples
        --------
        >>> items, labels = Data.sample().split_params()
        >>> items[1], list(labels)
        (Data(['IBM'], 3270 bars, 2000-03-01 to 2013-03-01), ['AAPL', 'IBM', 'MSFT'])
        """
        return [self.select(symbol) for symbol in self.symbols], self._table.columns

    # Travelling

    def __reduce__(self) -> tuple[object, ...]:
        return Data, (self._table,)


def _day(label: object) -> str:
    text = str(label)
    return text.removesuffix(" 00:00:00")


def _digest(table: PriceTable) -> str:
    digest = hashlib.sha256()
    index = table.index
    labels = index.to_numpy()
    if isinstance(index, pd.DatetimeIndex):
        digest.update(str(index.tz).encode())
        labels = index.as_unit("ns").asi8
    digest.update(np.ascontiguousarray(labels).data)
    # Any kind of string is the same symbol; a number is another one than its string.
    names = [repr(str(name) if isinstance(name, str) else name) for name in table.symbols]
    digest.update(f"{names} {table.single}".encode())
    if table.codes is not None:
        digest.update(table.codes.tobytes())
    for name in sorted(table.fields):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(table.fields[name]).reshape(-1).data)
    for name in sorted(table.extra):
        digest.update(repr(name).encode())
        digest.update(np.ascontiguousarray(table.extra[name]).reshape(-1).data)
    return digest.hexdigest()


def _checked(
    frames: Mapping[Any, Table],
    single: bool,
    calendar: str = "union",
    adjust: bool = False,
    missing: str = "raise",
    columns: Columns = None,
) -> PriceTable:
    """Return the prices of frames, one a symbol, once they have passed all rules."""
    check.one_of("missing", missing, ["raise", "drop"])
    check.flag("adjust", adjust)
    drop = missing == "drop"
    bars = {
        symbol: bars_of(symbol, frame, adjust=adjust, drop=drop, columns=columns)
        for symbol, frame in frames.items()
    }
    return _aligned(bars, calendar, single=single)


def _tell_of_parts(table: PriceTable) -> None:
    """Warn of symbols of which no two have a bar in common: parts of one series, most likely."""
    close = table.fields["close"]
    if len(close) > 1 and (np.isfinite(close).sum(axis=0) == 1).all():
        names = ", ".join(map(str, table.symbols[:5])) + (", …" if len(table.symbols) > 5 else "")
        warn(
            f"No two of the {len(close)} symbols ({names}) have a bar in common. If the files are "
            "parts of one series, name it: pass symbol='SPX'.",
            UserWarning,
        )


def _aligned(bars: dict[Hashable, Bars], calendar: str, *, single: bool) -> PriceTable:
    index, columns = align(bars, calendar)
    fields = {name: array for name, array in columns.items() if name in FIELDS}
    extra = {name: array for name, array in columns.items() if name not in FIELDS}
    return PriceTable(index, tuple(bars), fields, single, extra=extra)


def _read_parquet(path: File) -> pd.DataFrame:
    file = path if hasattr(path, "read") else checked_path(path, "from_parquet")
    try:
        table = pd.read_parquet(file)
    except (ValueError, OSError, NotImplementedError, KeyError) as error:
        # What pyarrow raises for a file of another kind, or a damaged one.
        raise DataError(broken_rule(str(path), "be a Parquet file", str(error))) from error
    index = table.index
    plain = isinstance(index, (pd.RangeIndex, pd.MultiIndex)) or is_dated(index)
    # Epochs and strings that pandas stored as an index are a column as others.
    return table if plain or index.name in table.columns else table.reset_index()
