# SPDX-License-Identifier: BSD-3-Clause
"""Tables of prices as vendors write them, from text to frames."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak.data.schema import field_of
from broadpeak.errors import DataError, broken_rule

# Where a bar's label stands, best first. A `time` beside a `date` is joined to it.
_DATES = [
    *("datetime", "timestamp", "gmttime", "localtime", "opentime", "date", "dt", "day"),
    *("tradedate", "time", "unix", "unnamed0", "index"),
]
_SYMBOLS = ["symbol", "ticker", "sym", "instrument", "pair", "asset", "tic"]
_BINANCE = [
    *("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume"),
    *("count", "taker_volume", "taker_quote_volume", "ignore"),
]
_METATRADER = ["date", "time", "open", "high", "low", "close", "volume"]
_PLAIN = ["date", "open", "high", "low", "close", "volume"]
_BLANK = ["", "nan", "None", "null", "N/A", "-"]


@dataclass(frozen=True)
class ReadOptions:
    """What the caller knows about the dates of a table."""

    tz: Any = None
    date_column: str | None = None
    date_format: str | None = None


def read_frames(
    path: Any,
    symbol: Any,
    options: ReadOptions,
    read: Callable[[Any], pd.DataFrame] | None = None,
) -> dict[Any, pd.DataFrame]:
    """Return the frames of one file, of a list of files, or of a dict of symbol to file."""
    if isinstance(path, Mapping):
        frames: dict[Any, pd.DataFrame] = {}
        for name, each in path.items():
            frames.update(read_frames(each, name, options, read))
        return frames
    if isinstance(path, (list, tuple)):
        frames = {}
        for each in path:
            for name, frame in read_frames(each, None, options, read).items():
                if name in frames:
                    rule = "hold different symbols"
                    remedy = "Type: Data.from_csv({'SPX': path, …})"
                    raise DataError(broken_rule("the files", rule, f"{name} twice", remedy))
                frames[name] = frame
        return frames
    return frames_of_table((read or read_table)(path), path, symbol, options)


def read_table(path: Any) -> pd.DataFrame:
    """Return the table in a text file, its header and delimiter recognised."""
    raw = path.read() if hasattr(path, "read") else _bytes(Path(path))
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else str(raw)
    except UnicodeDecodeError:
        # MetaTrader writes two bytes a character.
        text = (
            raw.decode("utf-16") if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} else raw.decode("latin-1")
        )
    return parse_table(text, str(path))


def _bytes(path: Path) -> bytes:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return archive.read(archive.namelist()[0])
    raw = path.read_bytes()
    unpack = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
    return unpack[path.suffix](raw) if path.suffix in unpack else raw


def parse_table(text: str, path: str) -> pd.DataFrame:
    """Return the table in `text`; `path` names it in messages."""
    lines = text.removeprefix("\ufeff").splitlines()
    start, delimiter = _first_row(lines, path)
    cells = [cell.strip().strip('"') for cell in lines[start].split(delimiter)]
    header = any(field_of(cell) == "close" for cell in cells)
    names = None if header else _names(cells, path)
    comma = delimiter == ";" and any("," in line for line in lines[start + 1 : start + 3])
    try:
        return pd.read_csv(
            io.StringIO("\n".join(lines[start:])),
            sep=delimiter,
            header=0 if header else None,
            names=names,
            decimal="," if comma else ".",
            skipinitialspace=True,
            index_col=False,
        )
    except pd.errors.ParserError as error:
        raise DataError(broken_rule(path, "be a table", str(error))) from error


def _first_row(lines: list[str], path: str) -> tuple[int, str]:
    """Return the first line of the table and its delimiter: vendors put notes above it."""
    for place, line in enumerate(lines[:20]):
        delimiter = max("\t;,|", key=line.count)
        if line.count(delimiter) >= 1:
            return place, delimiter
    rule = "be a table of prices with tabs, semicolons, commas or bars between its columns"
    raise DataError(broken_rule(path, rule, lines[:1]))


def _names(cells: list[str], path: str) -> list[str]:
    """Return the columns of a file without header, by their number and kind."""
    if len(cells) == len(_BINANCE):
        return _BINANCE
    if len(cells) == len(_METATRADER) and ":" in cells[1]:
        return _METATRADER
    if len(cells) in {5, 6} and _is_number(cells[1]) and _is_number(cells[-1]):
        return _PLAIN[: len(cells)]
    rule = "have a header with a column 'close', or the columns of Binance or MetaTrader"
    remedy = "Type: Data.from_frames({'SPX': pd.read_csv(…)}) after naming the columns."
    raise DataError(broken_rule(path, rule, cells[:8], remedy))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def frames_of_table(
    table: pd.DataFrame, path: Any, symbol: Any, options: ReadOptions
) -> dict[Any, pd.DataFrame]:
    """Return the frames by symbol of a table, its dates as index."""
    table = _plain_numbers(table)
    tidy = _find(table, _SYMBOLS)
    wanted = None if symbol is None else [symbol] if isinstance(symbol, str) else symbol
    if tidy is None:
        name = symbol if symbol is not None else _stem(path)
        return {name: _dated(table, str(path), options)}
    parts = {name: part.drop(columns=tidy) for name, part in table.groupby(tidy, sort=False)}
    if wanted is not None:
        if len(parts) == 1 and isinstance(symbol, str):
            parts = {symbol: next(iter(parts.values()))}
        missing = [name for name in wanted if name not in parts]
        if missing:
            remedy = check.did_you_mean(missing[0], parts)
            raise DataError(broken_rule("symbol", f"be one of {list(parts)}", missing[0], remedy))
        parts = {name: parts[name] for name in wanted}
    return {name: _dated(part, f"{path} ({name})", options) for name, part in parts.items()}


def _stem(path: Any) -> str:
    name = Path(getattr(path, "name", "prices") if hasattr(path, "read") else path).name
    return name.split(".")[0] or "prices"


def _word(label: object) -> str:
    return "".join(char for char in str(label).lower() if char.isalnum())


def _find(table: pd.DataFrame, words: list[str]) -> Any:
    found = {_word(label): label for label in reversed(table.columns)}
    return next((found[word] for word in words if word in found), None)


def _plain_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Turn prices with currency signs and thousands commas into numbers, and pick the volume."""
    table = table.copy(deep=False)
    for label in table.columns:
        column = table[label]
        if field_of(label) and not pd.api.types.is_numeric_dtype(column.dtype):
            bare = column.astype(str).str.replace(r"[$€£,\s]", "", regex=True)
            numbers = pd.to_numeric(bare, errors="coerce")
            if (numbers.isna() <= (column.isna() | bare.isin(_BLANK))).all():
                table[label] = numbers
    fields = {field_of(label): label for label in table.columns}
    ticks = _find(table, ["tickvol", "tickvolume"])
    volume = fields.get("volume")
    if volume is None and ticks is None:
        # "Volume BTC" beside "Volume USDT": the first is in units of what is traded.
        named = [label for label in table.columns if _word(label).startswith("volume")]
        table = table.rename(columns=dict.fromkeys(named[:1], "volume"))
    if ticks is not None and (volume is None or not (table[volume] != 0).any()):
        # MetaTrader counts ticks where the market tells no volume.
        table = table.drop(columns=[] if volume is None else volume).rename(
            columns={ticks: "volume"}
        )
    return table


def _dated(table: pd.DataFrame, path: str, options: ReadOptions) -> pd.DataFrame:
    index = _dates(table, path, options)
    frame = table.set_axis(index, axis=0)
    if len(index) > 1 and index[0] > index[-1] and index.is_monotonic_decreasing:
        frame = frame.iloc[::-1]
    return frame


def _dates(table: pd.DataFrame, path: str, options: ReadOptions) -> pd.DatetimeIndex:
    if options.date_column is not None:
        if options.date_column not in table.columns:
            remedy = check.did_you_mean(options.date_column, map(str, table.columns))
            rule = f"be one of {list(map(str, table.columns))}"
            raise DataError(broken_rule("date_column", rule, options.date_column, remedy))
        label: Any = options.date_column
    elif isinstance(table.index, pd.DatetimeIndex):
        return _zoned(table.index, options.tz)
    else:
        label = _find(table, _DATES)
    if label is None:
        rule = "have a column of dates"
        remedy = "Pass its name: date_column='…'."
        raise DataError(broken_rule(path, rule, list(map(str, table.columns)), remedy))
    values = table[label]
    time = _find(table, ["time"])
    if time is not None and time != label and _word(label) in {"date", "day", "dt"}:
        values = _with_time(values, table[time])
    try:
        return _zoned(_parse(values, options), options.tz)
    except (TypeError, ValueError, OverflowError) as error:
        remedy = "Pass date_format='%d.%m.%Y', or the column: date_column='…'."
        rule = f"have readable dates in column {label!r}"
        raise DataError(broken_rule(path, rule, str(error).splitlines()[0], remedy)) from error


def _with_time(dates: pd.Series[Any], times: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.is_numeric_dtype(times.dtype):
        # Stooq: 93000 is half past nine.
        times = times.astype(int).astype(str).str.zfill(6)
        times = times.str.replace(r"(..)(..)(..)", r"\1:\2:\3", regex=True)
    return dates.astype(str) + " " + times.astype(str)


def _parse(values: pd.Series[Any], options: ReadOptions) -> pd.DatetimeIndex:
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return pd.DatetimeIndex(values)
    if options.date_format is not None:
        return pd.DatetimeIndex(pd.to_datetime(values.astype(str), format=options.date_format))
    if pd.api.types.is_numeric_dtype(values.dtype):
        return _from_numbers(values)
    text = values.astype(str).str.strip()
    first = text.iloc[0] if len(text) else ""
    if re.match(r"\d{8}( |$)", first):
        text = text.str.replace(r"^(\d{4})(\d\d)(\d\d)", r"\1-\2-\3", regex=True)
    elif re.match(r"\d{4}\.\d\d?\.\d\d?", first):
        text = text.str.replace(r"^(\d{4})\.(\d\d?)\.(\d\d?)", r"\1-\2-\3", regex=True)
    elif re.match(r"\d\d?\.\d\d?\.\d{4}", first):
        # Dots are European: the day comes first.
        text = text.str.replace(r"^(\d\d?)\.(\d\d?)\.(\d{4})", r"\3-\2-\1", regex=True)
    if text.str.contains(r"[+-]\d\d:?\d\d$|Z$", regex=True).any():
        offsets = text.str.extract(r"([+-]\d\d:?\d\d|Z)$")[0].unique()
        # Offsets that change, as summer time does, fit no single zone but UTC.
        return pd.DatetimeIndex(
            pd.to_datetime(text, utc=True) if len(offsets) > 1 else pd.to_datetime(text)
        )
    return pd.DatetimeIndex(pd.to_datetime(text))


def _from_numbers(values: pd.Series[Any]) -> pd.DatetimeIndex:
    numbers = values.to_numpy(np.float64)
    largest = float(np.nanmax(np.abs(numbers))) if len(numbers) else 0.0
    if 1.7e7 < largest < 2.2e7:
        days = values.astype(int).astype(str)
        return pd.DatetimeIndex(pd.to_datetime(days, format="%Y%m%d"))
    # Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size.
    unit: Any = ("s", "ms", "us", "ns")[sum(largest > limit for limit in (1e11, 1e14, 1e17))]
    return pd.DatetimeIndex(pd.to_datetime(values.to_numpy(np.int64), unit=unit, utc=True))


def _zoned(index: pd.DatetimeIndex, tz: Any) -> pd.DatetimeIndex:
    if tz is None:
        return index
    return index.tz_localize(tz) if index.tz is None else index.tz_convert(tz)
