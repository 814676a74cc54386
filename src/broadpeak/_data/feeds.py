# SPDX-License-Identifier: BSD-3-Clause
"""Prices from libraries that talk to the market: thin adapters, no network code of our own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import check, optional
from broadpeak.errors import DataError, ParamError, ParamTypeError, broken_rule


def yfinance_frames(symbols: list[str], options: dict[str, object]) -> dict[str, pd.DataFrame]:
    """Return what Yahoo Finance has, one frame a symbol, unadjusted with adjusted closes."""
    yfinance = optional.load("yfinance", extra="yfinance", purpose="Data.from_yfinance")
    answer = yfinance.download(
        symbols, group_by="ticker", auto_adjust=False, progress=False, **options
    )
    frames = {}
    for symbol in symbols:
        frame = _frame_of_ticker(answer, symbol)
        if frame is None or frame.dropna(how="all").empty:
            rule = "be known to Yahoo Finance in this span"
            raise DataError(broken_rule("symbol", rule, symbol, "Check its name and the dates."))
        # On a calendar of several tickers a missing bar is a row without any value.
        frames[symbol] = frame.dropna(how="all")
    return frames


def _frame_of_ticker(answer: Any, symbol: str) -> pd.DataFrame | None:
    if answer is None or answer.columns.nlevels == 1:
        return answer if isinstance(answer, pd.DataFrame) else None
    for level in range(answer.columns.nlevels):
        if symbol in answer.columns.get_level_values(level):
            frame: pd.DataFrame = answer.xs(symbol, axis=1, level=level)
            return frame
    return None


def ccxt_frames(
    symbols: list[str],
    exchange: object,
    timeframe: str,
    span: tuple[object, object],
    limit: int,
    config: dict[str, object],
) -> dict[str, pd.DataFrame]:
    """Return the bars of an exchange, page after page, one frame a symbol."""
    if isinstance(exchange, str):
        ccxt = optional.load("ccxt", extra="ccxt", purpose="Data.from_ccxt")
        if exchange not in ccxt.exchanges:
            raise ParamError(broken_rule("exchange", "be one that ccxt knows", exchange))
        exchange = getattr(ccxt, exchange)({"enableRateLimit": True, **config})
    elif not callable(getattr(exchange, "fetch_ohlcv", None)) or isinstance(exchange, type):
        rule = "be the name of an exchange, or an exchange of ccxt"
        raise ParamTypeError(broken_rule("exchange", rule, exchange))
    check.string("timeframe", timeframe, "Type '1d' or '1h'.")
    limit = check.integer("limit", limit)
    start, end = (None if label is None else _milliseconds(label) for label in span)
    return {symbol: _pages(exchange, symbol, timeframe, start, end, limit) for symbol in symbols}


def _pages(
    exchange: Any, symbol: str, timeframe: str, start: int | None, end: int | None, limit: int
) -> pd.DataFrame:
    rows: dict[int, list[float]] = {}
    since = start
    while True:
        page = exchange.fetch_ohlcv(symbol, timeframe, since=since, limit=limit)
        fresh = [row for row in page if row[0] not in rows]
        rows.update({int(row[0]): row for row in fresh})
        # Without a start the newest page is all that is wanted; a page without news is the last.
        if start is None or not fresh or (end is not None and fresh[-1][0] > end):
            break
        since = int(fresh[-1][0]) + 1
    kept = [rows[time] for time in sorted(rows) if end is None or time <= end]
    if not kept:
        rule = "have bars in this span"
        raise DataError(broken_rule(f"{symbol} of the exchange", rule, (start, end)))
    frame = pd.DataFrame(kept, columns=["time", "open", "high", "low", "close", "volume"])
    frame.index = pd.DatetimeIndex(
        pd.to_datetime(frame.pop("time"), unit="ms", utc=True), name="time"
    )
    return frame.astype(float)


def _milliseconds(label: Hashable) -> int:
    time: Any = pd.NaT
    if isinstance(label, (str, dt.date, np.datetime64)):
        try:
            time = pd.Timestamp(label)
        except (ValueError, OverflowError):
            time = pd.NaT
    if pd.isna(time):
        remedy = "Type for example start='2020-01-01'."
        raise ParamError(broken_rule("start and end", "be dates", label, remedy))
    time = time.tz_localize("UTC") if time.tz is None else time
    return int(time.timestamp() * 1000)


def names(symbols: Any) -> list[str]:
    """Return one symbol or several as a list."""
    passed: Any = [symbols] if isinstance(symbols, str) else symbols
    listed = list(passed) if isinstance(passed, (list, tuple, set, pd.Index, pd.Series)) else []
    usable = all(isinstance(name, str) and name and check.is_unicode(name) for name in listed)
    if not listed or not usable:
        remedy = "Type a string, or a list of strings."
        raise ParamError(broken_rule("symbols", "name at least one symbol", symbols, remedy))
    return listed
