# SPDX-License-Identifier: BSD-3-Clause
"""How `Data` is made: from frames, files and feeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import pandas as pd

from broadpeak._core import check, optional
from broadpeak._data import bundled as sample_files
from broadpeak._data import feeds
from broadpeak._prices.align import Bars, align
from broadpeak._prices.reading import csv as csv_files
from broadpeak._prices.reading.dates import DateOptions, is_dated
from broadpeak._prices.reading.names import field_of
from broadpeak._prices.reading.opening import checked_path
from broadpeak._prices.schema import bars_of, frames_of
from broadpeak._prices.table import PriceTable
from broadpeak.errors import DataError, ParamTypeError, broken_rule


class Made:
    """The constructors of `Data`."""

    __slots__ = ("__weakref__", "_fingerprint", "_selected", "_table")

    def __init__(self, source: PriceTable) -> None:
        given: Any = source
        if not isinstance(given, PriceTable):
            rule = "be made by one of its constructors"
            remedy = "Type: Data.from_frames({'SPX': frame}), or Data.from_csv(path)."
            raise ParamTypeError(broken_rule("Data", rule, given, remedy))
        self._table = source
        self._selected: dict[Any, Any] = {}
        self._fingerprint = ""

    @classmethod
    def from_frames(
        cls,
        frames: Any,
        *,
        calendar: str = "union",
        adjust: bool = False,
        missing: str = "raise",
        columns: Any = None,
    ) -> Self:
        """Take one frame of prices a symbol.

        Parameters
        ----------
        frames : dict of symbol to DataFrame (or Series of closes), or one DataFrame
            Columns open, high, low, close, volume in any case and order; only close must be
            there, other columns are left out. Bars are labelled by a sorted index of dates (with or
            without time zone) or numbers, or by a column of dates (``time``, ``date``, ``unix`` …),
            texts and numbers of which are read as `from_csv` reads them. Without dates bars are
            numbered. One frame must name its symbols: in a column of symbols, or above or below the
            fields, as ``yfinance.download`` returns it.
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
        csv_files.check_columns(columns)
        if isinstance(frames, pd.DataFrame):
            named = frames_of(frames, columns)
            frames, columns = (frames, columns) if named is None else (named, None)
        if not isinstance(frames, Mapping) or not frames:
            rule = "be a dict of at least one symbol and its frame"
            remedy = "Type: Data.from_frames({'SPX': frame})"
            if isinstance(frames, pd.DataFrame) and not any(map(field_of, frames.columns)):
                remedy = (
                    "If its columns are closes of symbols, type:"
                    " Data.from_frames({name: frame[name] for name in frame})"
                )
            raise DataError(broken_rule("frames", rule, frames, remedy))
        return cls._checked(
            frames,
            single=len(frames) == 1,
            calendar=calendar,
            adjust=adjust,
            missing=missing,
            columns=columns,
        )

    @classmethod
    def _checked(
        cls,
        frames: Mapping[Any, pd.DataFrame],
        *,
        single: bool,
        calendar: str = "union",
        adjust: bool = False,
        missing: str = "raise",
        columns: Any = None,
    ) -> Self:
        check.one_of("missing", missing, ["raise", "drop"])
        check.flag("adjust", adjust)
        drop = missing == "drop"
        bars = {
            symbol: bars_of(symbol, frame, adjust=adjust, drop=drop, columns=columns)
            for symbol, frame in frames.items()
        }
        return cls._of(bars, calendar=calendar, single=single)

    @classmethod
    def from_csv(
        cls,
        path: Any,
        *,
        symbol: Any = None,
        calendar: str = "union",
        adjust: bool = False,
        missing: str = "raise",
        tz: Any = None,
        date_column: str | None = None,
        date_format: str | None = None,
        dayfirst: bool | None = None,
        columns: Any = None,
        sep: str | None = None,
        decimal: str | None = None,
        thousands: str | None = None,
    ) -> Self:
        """Read prices from text files as the usual vendors write them.

        Parameters
        ----------
        path : path, file, list of paths, or dict of symbol to path
            Packed files (zip, gz, bz2, xz) are unpacked. Notes above and below the table, header,
            delimiter, decimal mark, thousands, dates, a time beside them, and a column of symbols
            are recognised; ``docs/market-data.md`` lists what is. A column has one format, decided
            by all its rows; where two are possible, it is an error. Files written newest first are
            turned round.
        symbol : str or list, optional
            Name of the symbol of a file without a column of symbols (default: the name of the
            file), or those to take from a file with one.
        calendar, adjust, missing
            As in `from_frames`.
        tz : str, optional
            Time zone: dates without one are taken to be in it, dates with one are converted.
            Without it, zones are kept as they are; offsets that change (summer time) and epoch
            numbers give UTC.
        date_column, date_format : str, optional
            Where the date stands and how it is written, where this is not recognised.
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
        options = csv_files.TableOptions(dates, columns, sep, decimal, thousands)
        frames = csv_files.read_frames(path, symbol, options)
        return cls._of_files(frames, calendar=calendar, adjust=adjust, missing=missing)

    @classmethod
    def _of_files(
        cls, frames: Mapping[Any, pd.DataFrame], *, calendar: str, adjust: bool, missing: str
    ) -> Self:
        return cls._checked(
            frames, single=len(frames) == 1, calendar=calendar, adjust=adjust, missing=missing
        )

    @classmethod
    def from_parquet(
        cls,
        path: Any,
        *,
        symbol: Any = None,
        calendar: str = "union",
        adjust: bool = False,
        missing: str = "raise",
        tz: Any = None,
        date_column: str | None = None,
        date_format: str | None = None,
        dayfirst: bool | None = None,
        columns: Any = None,
    ) -> Self:
        """Read prices from Parquet files.

        Parameters
        ----------
        path : path, list of paths, or dict of symbol to path
            Tables as in `from_csv`; dates may also be the index that pandas stored.
        symbol, calendar, adjust, missing, tz, date_column, date_format, dayfirst
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
        options = csv_files.TableOptions(dates, columns)
        frames = csv_files.read_frames(path, symbol, options, read=_read_parquet)
        return cls._of_files(frames, calendar=calendar, adjust=adjust, missing=missing)

    @classmethod
    def from_yfinance(
        cls,
        symbols: Any,
        *,
        start: Any = None,
        end: Any = None,
        interval: str = "1d",
        adjust: bool = True,
        calendar: str = "union",
        **options: Any,
    ) -> Self:
        """Download prices from Yahoo Finance through the package yfinance.

        Parameters
        ----------
        symbols : str or list of str
            Names at Yahoo; a text gives Series, a list frames.
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
        single = isinstance(symbols, str)
        return cls._checked(frames, single=single, calendar=calendar, adjust=adjust, missing="drop")

    @classmethod
    def from_ccxt(
        cls,
        symbols: Any,
        *,
        exchange: Any = "binance",
        timeframe: str = "1d",
        start: Any = None,
        end: Any = None,
        limit: int = 1000,
        calendar: str = "union",
        **config: Any,
    ) -> Self:
        """Download prices from a crypto exchange through the package ccxt.

        Parameters
        ----------
        symbols : str or list of str
            Pairs as ccxt writes them: "BTC/USDT"; a text gives Series, a list frames.
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
            In UTC. The newest bar may not be finished.

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
        return cls._checked(frames, single=isinstance(symbols, str), calendar=calendar)

    @classmethod
    def sample(cls, symbols: Any = None) -> Self:
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
        Source: Quandl WIKI, public domain; see ``broadpeak/data/prices/PROVENANCE.md``.

        Examples
        --------
        >>> from broadpeak import Data
        >>> Data.sample("AAPL")
        Data(['AAPL'], 3270 bars, 2000-03-01 to 2013-03-01)
        """
        frames = sample_files.read_frames()
        names: list[Any] = list(frames) if symbols is None else feeds.names(symbols)
        for name in names:
            if not isinstance(name, str) or name not in frames:
                remedy = check.did_you_mean(name, frames)
                raise DataError(broken_rule("symbol", f"be one of {list(frames)}", name, remedy))
        frames = {name: frames[name] for name in names}
        return cls._checked(frames, single=isinstance(symbols, str), adjust=True)

    @classmethod
    def _of(cls, bars: Mapping[Any, Bars], *, calendar: str, single: bool) -> Self:
        index, fields = align(dict(bars), calendar)
        return cls(PriceTable(index, tuple(bars), fields, single))


def _read_parquet(path: Any) -> pd.DataFrame:
    source = path if hasattr(path, "read") else checked_path(path, "from_parquet")
    try:
        table = pd.read_parquet(source)
    except (ValueError, OSError, NotImplementedError, KeyError) as error:
        # What pyarrow raises for a file of another kind, or a damaged one.
        raise DataError(broken_rule(str(path), "be a Parquet file", str(error))) from error
    index = table.index
    plain = isinstance(index, (pd.RangeIndex, pd.MultiIndex)) or is_dated(index)
    # Epochs and texts that pandas stored as an index are a column as others.
    return table if plain or index.name in table.columns else table.reset_index()
