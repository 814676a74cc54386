# SPDX-License-Identifier: BSD-3-Clause
"""Tables of prices as vendors write them, from text to frames."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from broadpeak._core import check
from broadpeak.data.dates import DateOptions, dated, find_column, word
from broadpeak.data.schema import field_of
from broadpeak.errors import DataError, MissingDataError, UnreadableDataError, broken_rule, shown

_SYMBOLS = ["symbol", "ticker", "sym", "instrument", "pair", "asset", "tic"]
_BINANCE = [
    *("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume"),
    *("count", "taker_volume", "taker_quote_volume", "ignore"),
]
_METATRADER = ["date", "time", "open", "high", "low", "close", "volume"]
_PLAIN = ["date", "open", "high", "low", "close", "volume"]
_HEAD = 20_000  # characters in which header and delimiter are looked for
_THOUSANDS = {"K": 1e3, "M": 1e6, "B": 1e9}
_BLANK = ["", "nan", "None", "null", "N/A", "-"]


def read_frames(
    path: Any,
    symbol: Any,
    options: DateOptions,
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
            if isinstance(each, (list, tuple, Mapping)):
                rule = "be a list of files, none of them a list"
                raise DataError(broken_rule("path", rule, path))
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
    remedy = "Pass the path of a file, an open file, or a list or dict of paths."
    if hasattr(path, "read") and not isinstance(path, type):
        raw = path.read()
    else:
        raw = _unpacked(check.path("path", path, remedy))
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else str(raw)
    except UnicodeDecodeError:
        # MetaTrader writes two bytes a character.
        text = (
            raw.decode("utf-16") if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} else raw.decode("latin-1")
        )
    return parse_table(text, _shown(path))


def _shown(path: Any) -> str:
    """Return how messages call a file."""
    return str(getattr(path, "name", "the file")) if hasattr(path, "read") else str(path)


def not_there(path: Any) -> MissingDataError:
    """Return the error for a path where nothing is."""
    remedy = "Check the path; relative ones begin at the working directory."
    return MissingDataError(broken_rule("path", "be a file that exists", str(path), remedy))


def not_readable(path: Any, error: Exception) -> UnreadableDataError:
    """Return the error for a file that is there and cannot be read."""
    got = str(getattr(error, "strerror", None) or error)
    got = got if len(got) < 300 else shown(got)
    return UnreadableDataError(
        f"{shown(str(path))} must be a file that can be read, got: {got}. "
        "Open it with the program that wrote it, and save it again."
    )


def _unpacked(path: Path) -> bytes:
    """Return what is in a file, whose packing may be broken."""
    try:
        return _bytes(path)
    except UnreadableDataError:
        raise
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise not_readable(path, error) from error


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        remedy = "Pass its files: Data.from_csv(sorted(Path(folder).glob('*.csv')))"
        raise DataError(broken_rule("path", "be a file, not a folder", str(path), remedy))
    if not path.exists():
        raise not_there(path)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return archive.read(archive.namelist()[0])
    raw = path.read_bytes()
    unpack = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
    return unpack[path.suffix](raw) if path.suffix in unpack else raw


def parse_table(text: str, path: str) -> pd.DataFrame:
    """Return the table in `text`; `path` names it in messages."""
    text = text.removeprefix("\ufeff")
    lines = text[:_HEAD].splitlines()
    start, delimiter = _first_row(lines, path)
    if _has_two_headers(lines[start : start + 3], delimiter):
        return _unstacked(pd.read_csv(io.StringIO(text), header=None, skiprows=start))
    cells = [cell.strip().strip('"') for cell in lines[start].split(delimiter)]
    header = any(field_of(cell) == "close" for cell in cells)
    names = None if header else _names(cells, path)
    comma = delimiter == ";" and any("," in line for line in lines[start + 1 : start + 3])
    try:
        return pd.read_csv(
            io.StringIO(text),
            sep=delimiter,
            skiprows=start,
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


def _has_two_headers(lines: list[str], delimiter: str) -> bool:
    """Return whether fields and symbols stand above each other, as yfinance leaves them."""
    rows = [[cell.strip() for cell in line.split(delimiter)] for line in lines]
    if len(rows) < 3 or delimiter != ",":
        return False
    last = rows[2]
    return word(last[0]) in {"date", "datetime"} and len(last) > 1 and not any(last[1:])


def _unstacked(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with two rows of header, fields and symbols, as one with a symbol column."""
    heads = [table.iloc[row].tolist() for row in (0, 1)]
    fields, symbols = heads if any(field_of(x) == "close" for x in heads[0][1:]) else heads[::-1]
    body = table.iloc[3:]
    parts = []
    for symbol in dict.fromkeys(symbols[1:]):
        own = [place for place, name in enumerate(symbols) if name == symbol and place]
        part = body[own].apply(_number_or_text)
        part.columns = pd.Index([str(fields[place]) for place in own])
        part.insert(0, "symbol", symbol)
        part.insert(0, "date", body[0])
        # A row of the union of calendars that is not this symbol's own.
        parts.append(part[part.iloc[:, 2:].notna().any(axis=1)])
    return pd.concat(parts, ignore_index=True)


def _number_or_text(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return numbers where all are; a text that is none is for the check of prices to tell."""
    numbers = pd.to_numeric(column, errors="coerce")
    return column if (numbers.isna() & column.notna()).any() else numbers


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
    table: pd.DataFrame, path: Any, symbol: Any, options: DateOptions
) -> dict[Any, pd.DataFrame]:
    """Return the frames by symbol of a table, its dates as index."""
    if isinstance(table.index, pd.MultiIndex):
        table = table.reset_index()
    for name in symbol if isinstance(symbol, (list, tuple)) else [symbol]:
        check.identifier("symbol", name)
    table = _plain_numbers(table)
    tidy = find_column(table, _SYMBOLS)
    wanted = None if symbol is None else [symbol] if isinstance(symbol, str) else symbol
    if tidy is None:
        if isinstance(symbol, (list, tuple)) and len(symbol) != 1:
            rule = "be one name, as the file has no column of symbols"
            raise DataError(broken_rule("symbol", rule, symbol))
        first = symbol[0] if isinstance(symbol, (list, tuple)) else symbol
        name = first if first is not None else _stem(path)
        return {name: dated(table, _shown(path), options)}
    parts = {name: part.drop(columns=tidy) for name, part in table.groupby(tidy, sort=False)}
    if wanted is not None:
        if len(parts) == 1 and isinstance(symbol, str):
            parts = {symbol: next(iter(parts.values()))}
        missing = [name for name in wanted if name not in parts]
        if missing:
            remedy = check.did_you_mean(missing[0], parts)
            raise DataError(broken_rule("symbol", f"be one of {list(parts)}", missing[0], remedy))
        parts = {name: parts[name] for name in wanted}
    return {name: dated(part, f"{_shown(path)} ({name})", options) for name, part in parts.items()}


def _stem(path: Any) -> str:
    name = Path(getattr(path, "name", "prices") if hasattr(path, "read") else path).name
    return name.split(".")[0] or "prices"


def _plain_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Turn prices with currency signs and thousands commas into numbers, and pick the volume."""
    table = table.copy(deep=False)
    for label in table.columns:
        column = table[label]
        if field_of(label) and not pd.api.types.is_numeric_dtype(column.dtype):
            bare = column.astype(str).str.replace(r"[$€£,\s]", "", regex=True)
            numbers = pd.to_numeric(bare.str.rstrip("KMB"), errors="coerce")
            numbers = numbers * bare.str[-1:].map(_THOUSANDS).fillna(1.0)
            if (numbers.isna() <= (column.isna() | bare.isin(_BLANK))).all():
                table[label] = numbers
    fields = {field_of(label): label for label in table.columns}
    ticks = find_column(table, ["tickvol", "tickvolume"])
    volume = fields.get("volume")
    if volume is None and ticks is None:
        # "Volume BTC" beside "Volume USDT": the first is in units of what is traded.
        named = [label for label in table.columns if word(label).startswith("volume")]
        table = table.rename(columns=dict.fromkeys(named[:1], "volume"))
    if ticks is not None and (volume is None or not (table[volume] != 0).any()):
        # MetaTrader counts ticks where the market tells no volume.
        table = table.drop(columns=[] if volume is None else volume).rename(
            columns={ticks: "volume"}
        )
    return table
