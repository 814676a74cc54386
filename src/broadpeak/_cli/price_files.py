# SPDX-License-Identifier: BSD-3-Clause
"""What `--data` and the options beside it mean: files of prices, read as `Data.from_csv` reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

import broadpeak as bp
from broadpeak._cli import flags
from broadpeak._cli.usage import READING, in_options, is_file, one_of, option_of
from broadpeak._core.check import did_you_mean
from broadpeak._prices.reading.patterns import expanded
from broadpeak.errors import shown

SAMPLE = "sample"
PARQUET = {".parquet", ".pq"}
OF_TEXT = ("sep", "decimal", "thousands")


@dataclass(frozen=True)
class PriceSource:
    """Prices that the command line names, not yet read.

    Attributes
    ----------
    files : tuple of str
        Files and patterns, or the word "sample".
    symbols : tuple of str
        Symbols to take, or names of the files.
    options : dict
        Those of `Data.from_csv` that were given.
    """

    files: tuple[str, ...]
    symbols: tuple[str, ...]
    options: Mapping[str, Any]

    def read(self) -> bp.Data:
        """Return the prices.

        Raises
        ------
        typer.BadParameter
            If a file is missing, or an option does not fit the files.
        DataError
            If a file is no table of prices, or breaks a rule for them.
        """
        if self.files == (SAMPLE,):
            return self._sample()
        files = self._found()
        texts = [file for file in files if Path(file).suffix not in PARQUET]
        tables = [file for file in files if Path(file).suffix in PARQUET]
        try:
            if not tables:
                return bp.Data.from_csv(files, symbol=self._symbol, **self.options)
            for name in OF_TEXT:
                if name in self.options:
                    msg = "is for text files, and Parquet files have none."
                    raise typer.BadParameter(msg, param_hint=option_of(name))
            if not texts:
                return bp.Data.from_parquet(files, symbol=self._symbol, **self.options)
            return self._mixed(texts, tables)
        except (bp.DataError, bp.ParamError) as error:
            raise _in_options(error) from error

    @property
    def _symbol(self) -> Any:
        # One name may also be that of the series in several files.
        return self.symbols[0] if len(self.symbols) == 1 else list(self.symbols) or None

    def _sample(self) -> bp.Data:
        if self.options:
            msg = "is for files; the prices that come with broadpeak are ready for use."
            raise typer.BadParameter(msg, param_hint=option_of(next(iter(self.options))))
        # One symbol gives Series, as one file does.
        return bp.Data.sample(self._symbol)

    def _found(self) -> list[str]:
        try:
            files = expanded(list(self.files))
        except bp.errors.MissingDataError:
            files = list(self.files)
        for file in files:
            if not is_file(file):
                what = "file that matches" if any(mark in file for mark in "*?[") else "file"
                hint = f"Use --data {SAMPLE} for the prices that come with broadpeak."
                msg = f"there is no {what} {shown(file)}. {hint}"
                raise typer.BadParameter(msg, param_hint="--data")
        return files

    def _mixed(self, texts: Sequence[str], tables: Sequence[str]) -> bp.Data:
        """Return the prices of text files and Parquet files together."""
        read = (
            bp.Data.from_csv(texts, **self.options),
            bp.Data.from_parquet(tables, **self.options),
        )
        both = [name for name in read[0].symbols if name in read[1].symbols]
        if both:
            msg = f"must hold different symbols, got {both[0]} twice."
            raise typer.BadParameter(msg, param_hint="--data")
        frames = {name: _frame(data.select(name)) for data in read for name in data.symbols}
        missing = [name for name in self.symbols if name not in frames]
        if missing:
            hint = did_you_mean(missing[0], frames)
            msg = f"must be some of {', '.join(map(str, frames))}, got {missing[0]!r}. {hint}"
            raise typer.BadParameter(msg.rstrip(), param_hint="--symbol")
        wanted: Sequence[Any] = self.symbols or list(frames)
        calendar = self.options.get("calendar", "union")
        return bp.Data.from_frames({name: frames[name] for name in wanted}, calendar=calendar)


def price_settings(
    data: flags.PriceFiles,
    *,
    symbol: flags.Symbols = None,
    symbol_column: flags.SymbolColumn = None,
    date_column: flags.DateColumn = None,
    date_format: flags.DateFormat = None,
    dayfirst: flags.DayFirst = None,
    tz: flags.TimeZone = None,
    columns: flags.ColumnList = None,
    adjust: flags.Adjust = False,
    missing: flags.Missing = "raise",
    calendar: flags.Calendar = "union",
    sep: flags.Separator = None,
    decimal: flags.DecimalMark = None,
    thousands: flags.ThousandsMark = None,
) -> PriceSource:
    """Return the prices that the command line names; they are read later.

    Raises
    ------
    typer.BadParameter
        If an option has a value that it cannot have.
    """
    one_of("--missing", missing, ("raise", "drop"))
    one_of("--calendar", calendar, ("union", "intersection"))
    options = {
        "symbol_column": symbol_column,
        "date_column": date_column,
        "date_format": date_format,
        "dayfirst": dayfirst,
        "tz": tz,
        "columns": columns_of(columns or []),
        "adjust": adjust or None,
        "missing": None if missing == "raise" else missing,
        "calendar": None if calendar == "union" else calendar,
        "sep": {"tab": "\t", "\\t": "\t"}.get(sep or "", sep),  # no shell types a tab
        "decimal": decimal,
        "thousands": thousands,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return PriceSource(tuple(data), tuple(symbol or ()), given)


def some_price_settings(
    data: flags.SomePriceFiles = None,
    **options: Any,
) -> PriceSource | None:
    """Return the prices that the command line names, or None without any."""
    if data is None:
        given = [name for name, value in options.items() if value not in _DEFAULTS]
        if given:
            raise typer.BadParameter("needs --data.", param_hint=option_of(given[0]))
        return None
    return price_settings(data, **options)


_DEFAULTS = (None, False, "raise", "union")


def columns_of(settings: Sequence[str]) -> dict[str, str] | list[str] | None:
    """Return what columns hold: by name from ``NAME=FIELD``, or in order from ``date,open,close``.

    Raises
    ------
    typer.BadParameter
        If a string is neither, or one of each is given.
    """
    if not settings:
        return None
    named = [setting for setting in settings if "=" in setting]
    if len(named) < len(settings):
        if len(settings) > 1:
            msg = f"must be NAME=FIELD each time, or all columns once, got {list(settings)}."
            raise typer.BadParameter(msg, param_hint="--columns")
        return [name.strip() for name in settings[0].split(",")]
    pairs: dict[str, str] = {}
    for setting in named:
        parts = setting.split(",")
        # A comma divides pairs; elsewhere it belongs to the name of a column.
        for pair in parts if all("=" in part for part in parts) else [setting]:
            name, _, role = pair.rpartition("=")
            if not name.strip() or not role.strip():
                msg = f"must be NAME=FIELD, as in Schluss=close, got {pair!r}."
                raise typer.BadParameter(msg, param_hint="--columns")
            pairs[name.strip()] = role.strip()
    return pairs


def _in_options(error: bp.DataError | bp.ParamError) -> Exception:
    """Return an error about prices in the words of the command line; bad usage where it is that."""
    text = in_options(str(error))
    name, _, rest = text.partition(" ")
    if name in READING and rest.startswith("must "):
        return typer.BadParameter(rest, param_hint=option_of(name))
    return type(error)(text)


def _frame(data: bp.Data) -> Any:
    """Return the prices of a one-symbol `Data` as a frame."""
    columns = {}
    for name in ("open", "high", "low", "close", "volume"):
        with suppress(bp.DataError):  # closes alone are prices too
            columns[name] = getattr(data, name)
    extra = {name: array[0] for name, array in data.extra.items()}
    return columns["close"].to_frame("close").assign(**columns, **extra)
