# SPDX-License-Identifier: BSD-3-Clause
"""Tables of prices as vendors write them, from files to frames."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Series
from broadpeak._prices.reading import names
from broadpeak._prices.reading.cell_numbers import BLANKS, read_numbers
from broadpeak._prices.reading.column_order import named_by_content
from broadpeak._prices.reading.dates import (
    DateOptions,
    as_strings,
    dates_of,
    is_dated,
    oldest_first,
    reads,
)
from broadpeak._prices.reading.deciding import DateColumn
from broadpeak._prices.reading.layout import parse_table
from broadpeak._prices.reading.names import field_of, find_column, ranked_field, split_labels, word
from broadpeak._prices.reading.opening import read_text, shown
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import AnyArray, BoolArray, IntArray

Columns: TypeAlias = "Mapping[Any, str] | Sequence[str | None] | None"
"""What columns hold: by their names, or in order."""

ROLES = ("open", "high", "low", "close", "volume", "adjclose", "date", "time", "symbol")


@dataclass(frozen=True)
class TableOptions:
    """What the caller knows about a table.

    Attributes
    ----------
    dates : DateOptions
        About its dates.
    columns : dict of label to field, or list of fields
        What its columns hold.
    sep, decimal, thousands : str, optional
        How its text is written.
    symbol_column : str, optional
        Which column says what symbol a row is of.
    """

    dates: DateOptions = field(default_factory=DateOptions)
    columns: Columns = None
    sep: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    symbol_column: str | None = None

    def __post_init__(self) -> None:
        for name in ("decimal", "thousands"):
            mark = getattr(self, name)
            allowed = [None, ".", ","] + ([] if name == "decimal" else [" ", "'"])
            check.one_of(name, mark, allowed)
        if self.decimal is not None and self.decimal == self.thousands:
            rule = "differ from decimal"
            raise ParamError(broken_rule("thousands", rule, self.thousands))
        check_columns(self.columns)
        given: object = self.sep
        if given is not None and not (isinstance(given, str) and len(given) == 1):
            raise ParamError(broken_rule("sep", "be one character", self.sep))
        if self.symbol_column is not None:
            check.string("symbol_column", self.symbol_column)


def check_columns(columns: object) -> None:
    """Refuse what does not say what columns hold, whichever table it is said of.

    Raises
    ------
    ParamError
        If it is no dict and no list, or holds what nothing can be called.
    """
    if columns is None:
        return
    if not isinstance(columns, (Mapping, list, tuple)):
        rule = "be a dict of a column's name to what it holds, or a list of names for all"
        raise ParamError(broken_rule("columns", rule, columns))
    names_said = [*columns, *columns.values()] if isinstance(columns, Mapping) else columns
    for name in names_said:
        if name is not None:
            check.identifier("a name in columns", name)


def read_table(path: object, options: TableOptions) -> pd.DataFrame:
    """Return the table in a text file, its header and delimiter recognised."""
    text, owner = read_text(path), shown(path)
    said = options.columns
    listed = isinstance(said, (list, tuple))
    wanted = (
        [str(label) for pair in said.items() for label in pair] if isinstance(said, Mapping) else []
    )
    named = (options.dates.date_column, options.symbol_column)
    wanted += [str(label) for label in named if label is not None]
    table = parse_table(text, owner, options.sep, wanted, listed, options.decimal)
    if table.columns.inferred_type == "integer" and not listed:
        table = named_by_content(table, owner, options.dates, options.decimal, options.thousands)
    return table


def with_labels(table: pd.DataFrame, columns: Columns, owner: str) -> pd.DataFrame:
    """Return a table whose columns are called as the caller says.

    Raises
    ------
    DataError
        If there is no such column, or the list has another length than the table.
    """
    if columns is None:
        return table
    if not isinstance(columns, Mapping):
        if len(columns) != table.shape[1]:
            rule = f"name all {table.shape[1]} columns of {owner}"
            raise DataError(broken_rule("columns", rule, list(columns), "Name others '-'."))
        keep = [position for position, name in enumerate(columns) if name not in {"-", "", None}]
        out = table.iloc[:, keep]
        return out.set_axis(
            pd.Index([columns[position] for position in keep], dtype=object), axis=1
        )
    known = list(table.columns)
    # A dict the other way round says the same, unless its keys are no fields but slips.
    turned = all(label in ROLES and label not in known for label in columns)
    if turned and all(label in known for label in columns.values()):
        columns = {label: str(role) for role, label in columns.items()}
    for label, role in columns.items():
        if label not in known:
            shown_labels = list(map(str, known))
            remedy = check.did_you_mean(label, shown_labels)
            raise DataError(
                broken_rule("columns", f"name columns of {shown_labels}", label, remedy)
            )
        if role not in ROLES:
            raise ParamError(broken_rule("columns", f"say one of {', '.join(ROLES)}", role))
    # What the caller says wins over what another column is called.
    said = set(columns.values())
    others = [x for x in known if x not in columns and (field_of(x) in said or word(x) in said)]
    return table.drop(columns=others).rename(columns=dict(columns))


def frames_of_table(
    table: pd.DataFrame, owner: str, name: Hashable, symbol: Hashable, options: TableOptions
) -> dict[Hashable, pd.DataFrame]:
    """Return the frames by symbol of a table, its dates as index.

    Parameters
    ----------
    table : DataFrame
        One row a bar.
    owner, name : str
        How messages call it, and the symbol of a table that names none.
    symbol : str or list, optional
        The symbol, or those to take.
    options : TableOptions
        What the caller knows.

    Raises
    ------
    DataError
        If it is no table of prices.
    """
    table, decimal = tidied(table, owner, options)
    tidy, runs, found = _symbols_of_rows(table, owner)
    dates = dates_of(table, owner, options.dates, runs, european=decimal == ",")
    if dates is None:
        known = list(map(str, table.columns))
        remedy = "Pass its name: date_column='…'."
        raise DataError(broken_rule(owner, "have a column of dates", known, remedy))
    table = other_numbers(table.set_axis(dates, axis=0), owner, decimal, options)
    if tidy is None or runs is None:
        _refuse_long(table, owner, in_frame=options.dates.in_frame)
        if isinstance(symbol, (list, tuple)):
            if len(symbol) != 1:
                rule = "be one name where there is no column of symbols"
                raise DataError(broken_rule("symbol", rule, symbol))
            symbol = symbol[0]
        return {name if symbol is None else symbol: oldest_first(table)}
    body = table.drop(columns=tidy)
    positions: Any = body.groupby(runs, sort=True)
    parts: dict[Hashable, pd.DataFrame] = {
        found[position]: oldest_first(part) for position, part in positions
    }
    return _selected(parts, symbol)


def tidied(table: pd.DataFrame, owner: str, options: TableOptions) -> tuple[pd.DataFrame, str]:
    """Return a table with its columns called as the caller says, in numbers, and the decimal mark.

    Raises
    ------
    DataError
        If it has no such columns, or numbers that can be read in two ways.
    """
    table = to_long_table(index_to_columns(table, owner), owner)
    table = with_labels(table, options.columns, owner)
    table = _with_symbol_column(table, options.symbol_column, owner)
    table, decimal = plain_numbers(_without_notes(table), owner, options)
    return _with_volume(table), decimal


def _symbols_of_rows(
    table: pd.DataFrame, owner: str
) -> tuple[Hashable | None, IntArray | None, pd.Index]:
    """Return the column of symbols if there is one, which symbol each row is of, and all of them.

    Raises
    ------
    DataError
        If a row has none.
    """
    tidy = _symbol_column(table)
    if tidy is None:
        return None, None, pd.Index([])
    runs, found = pd.factorize(pd.Index(table[tidy]))
    if (runs < 0).any():
        rule = f"have a symbol in every row of column {tidy!r}"
        raise DataError(broken_rule(owner, rule, f"none in row {int(np.argmin(runs)) + 1}"))
    return tidy, runs, found


def check_dates_of_parts(
    tables: Mapping[str, pd.DataFrame], what: str, options: TableOptions
) -> None:
    """Refuse parts of one table whose dates mean something else when they are read together.

    A file of the fifth of February alone may be one of the second of May.

    Parameters
    ----------
    tables : dict of name to DataFrame
        The parts by the names of their files.
    what : str
        How messages call all of them.
    options : TableOptions
        What the caller knows.

    Raises
    ------
    DataError
        If they do, or cannot be read together.
    """
    dates = replace(options.dates, tz=None)
    if dates.date_format is not None or dates.day_first is not None:
        return
    parts = {name: tidied(table, name, options) for name, table in tables.items()}
    first = next(iter(parts.values()))[0]
    if any(list(part.columns) != list(first.columns) for part, _ in parts.values()):
        return  # they come from several places, and may well differ
    alone, runs, n_runs, zoned = [], [], 0, set()
    for name, (part, decimal) in parts.items():
        own = _symbols_of_rows(part, name)[1]
        unsaid = replace(dates, notes=[])  # of each alone, which is not the last word
        found = dates_of(part, name, unsaid, own, european=decimal == ",")
        zoned.add(getattr(found, "tz", None) is not None)
        alone.append(_instants(found))
        runs.append((np.zeros(len(part), np.int64) if own is None else own) + n_runs)
        n_runs += int(runs[-1].max(initial=0)) + 1
    if len(zoned) > 1:
        return  # written in two ways, as anybody can see
    is_labelled = all(is_dated(part.index) for part, _ in parts.values())
    whole = pd.concat([part for part, _ in parts.values()], ignore_index=not is_labelled)
    european = any(decimal == "," for _, decimal in parts.values())
    together = dates_of(whole, what, dates, np.concatenate(runs), european=european)
    each, joint = pd.concat(alone, ignore_index=True), _instants(together)
    if not each.equals(joint):
        row = int(np.argmax((each != joint).to_numpy()))
        sizes = np.cumsum([len(part) for part, _ in parts.values()])
        name = list(parts)[int(np.searchsorted(sizes, row, side="right"))]
        got = f"{each[row].date()} in {name}, which beside the others is {joint[row].date()}"
        remedy = "Type: dayfirst=True, or dayfirst=False, or date_format='%d/%m/%Y'."
        raise DataError(broken_rule(what, "show how dates are written", got, remedy))


def _instants(dates: pd.DatetimeIndex | None) -> Series:
    """Return dates in one zone and unit, to be compared."""
    index = pd.DatetimeIndex([] if dates is None else dates)
    utc = index.tz_localize("UTC") if index.tz is None else index.tz_convert("UTC")
    return pd.Series(utc.as_unit("ns"))


def _with_symbol_column(table: pd.DataFrame, said: str | None, owner: str) -> pd.DataFrame:
    """Return a table whose column of symbols, as the caller says, is called so.

    Raises
    ------
    DataError
        If there is no such column, or a row of it is empty.
    """
    if said is None:
        return table
    known = {str(label): label for label in table.columns}
    if said not in known:
        remedy = check.did_you_mean(said, known)
        rule = f"be one of {list(known)}"
        raise DataError(broken_rule("symbol_column", rule, said, remedy))
    blank = _is_blank(table[known[said]])
    if blank.all():
        rule = f"have a symbol in every row of column {said!r}"
        raise DataError(broken_rule(owner, rule, "none"))
    return with_labels(table, {known[said]: "symbol"}, owner)


def _selected(
    parts: dict[Hashable, pd.DataFrame], symbol: Hashable
) -> dict[Hashable, pd.DataFrame]:
    """Return the symbols that are wanted."""
    if symbol is None:
        return parts
    wanted = symbol if isinstance(symbol, (list, tuple)) else [symbol]
    if len(parts) == 1 and not isinstance(symbol, (list, tuple)):
        parts = {symbol: next(iter(parts.values()))}
    missing = [name for name in wanted if name not in parts]
    if missing:
        remedy = check.did_you_mean(missing[0], parts)
        rule = f"be one of {', '.join(map(repr, parts))}"
        raise DataError(broken_rule("symbol", rule, missing[0], remedy))
    return {name: parts[name] for name in wanted}


def index_to_columns(table: pd.DataFrame, owner: str) -> pd.DataFrame:
    """Return a table whose index of several levels stands in columns, symbols named as such.

    Raises
    ------
    DataError
        If two of them have one name.
    """
    index = table.index
    if not isinstance(index, pd.MultiIndex):
        return table
    if index.nlevels == 2 and index.names == [None, None] and not {"date", "symbol"} & set(table):
        dated = [is_dated(index.levels[k]) for k in (0, 1)]
        if sum(dated) == 1:
            # What groupby and concat leave: symbols beside dates, both without a name.
            index = index.set_names(["date" if each else "symbol" for each in dated])
            table = table.set_axis(index, axis=0)
    try:
        return table.reset_index()
    except (TypeError, ValueError) as error:
        rule = "have index levels whose names differ from each other and from the columns"
        remedy = "Type: frame.index.names = ['date', 'symbol'], or frame.reset_index()."
        raise DataError(broken_rule(owner, rule, list(table.index.names), remedy)) from error


def holds_symbols(table: pd.DataFrame) -> bool:
    """Return whether a table says which symbol its rows are of."""
    return _symbol_column(table) is not None


def _symbol_column(table: pd.DataFrame) -> Hashable | None:
    """Return the label of the column that says which symbol a row is of, or None."""
    for words in (names.SYMBOLS, names.WEAK_SYMBOLS):
        for name in words:
            label = find_column(table, [name])
            if label is None or table[label].ndim > 1:
                continue
            different = table[label].nunique(dropna=False)
            if words is names.WEAK_SYMBOLS and (different < 2 or different > len(table) // 2):
                continue
            if not _is_blank(table[label]).all():
                return label
    return None


def _is_blank(values: Series) -> Series:
    return (
        values.isna() | (values.astype(str).str.strip() == "")
        if values.dtype == object
        else values.isna()
    )


def distinguishing_label(table: pd.DataFrame) -> Hashable | None:
    """Return the label of the column that may name symbols: it differs where dates are equal."""
    again = table.index.duplicated(keep=False)
    for position, label in enumerate(table.columns):
        values = table.iloc[:, position]
        if field_of(label) or values.nunique() < 2:
            continue
        number = pd.api.types.is_numeric_dtype(values.dtype)
        if pd.api.types.is_float_dtype(values.dtype) or word(label) in {*names.DATES, *names.TIMES}:
            continue
        strings = as_strings(values[again])
        number = number or any(not _LETTER.search(text) for text in strings)
        if number and values.nunique() > len(table) // 2:
            continue
        if pd.MultiIndex.from_arrays([table.index[again], strings]).is_unique:
            return label
    return None


_LETTER = re.compile(r"[^\W\d_]")


def _refuse_long(table: pd.DataFrame, owner: str, *, in_frame: bool) -> None:
    """Say that a table holds several symbols, where dates come again with another name beside."""
    if not len(table) or table.index.is_unique:
        return
    label = distinguishing_label(table)
    if label is None:
        return
    some = list(map(str, table[label].unique()[:4]))
    got = f"{table.index[table.index.duplicated()][0]} twice, with {some} in {label!r}"
    said = f"symbol_column={label!r}"
    if in_frame or not isinstance(label, str):
        said = f"columns={{{label!r}: 'symbol'}}"
    remedy = f"It looks like a long table of several symbols: {said}."
    raise DataError(broken_rule(owner, "have every bar once", got, remedy))


def to_long_table(table: pd.DataFrame, owner: str) -> pd.DataFrame:
    """Return a table with fields and symbols above each other as one with a symbol column."""
    labels = table.columns
    if not isinstance(labels, pd.MultiIndex):
        pairs = split_labels([str(label) for label in labels])
        if pairs is None:
            return table
        labels = pd.MultiIndex.from_tuples(pairs)
    if labels.nlevels != 2:
        rule = "have one or two header rows"
        raise DataError(broken_rule(owner, rule, labels.nlevels))
    level = _level_of_fields(labels)
    if level is None:
        rule = "have a column 'close' in one of two header rows"
        raise DataError(broken_rule(owner, rule, [str(label) for label in labels[:6]]))
    fields, symbols = labels.get_level_values(level), labels.get_level_values(1 - level)
    known = {
        symbols[position]
        for position, name in enumerate(fields)
        if field_of(name) and str(symbols[position])
    }
    own = [
        position for position, name in enumerate(fields) if symbols[position] in known and str(name)
    ]
    others = {
        name: position for position in range(len(labels)) if (name := _unpaired(labels[position]))
    }
    parts: list[pd.DataFrame] = []
    places_of: dict[Any, list[int]] = {}
    for position in own:
        places_of.setdefault(symbols[position], []).append(position)
    for symbol, positions in places_of.items():
        part = table.iloc[:, positions]
        part = part.set_axis(pd.Index([str(fields[k]) for k in positions], dtype=object), axis=1)
        prices = [x for x in part.columns if field_of(x) not in {"volume", None}]
        if not prices:
            continue
        traded = _traded(part[prices], f"{symbol} in {owner}")
        for label, position in others.items():
            if label in part.columns:
                continue  # a field of this symbol, and one of none
            part.insert(0, label, table.iloc[:, position].to_numpy())
        part.insert(0, "symbol", symbol)
        parts.append(part[traded])
    return pd.concat(parts, ignore_index=not isinstance(table.index, pd.DatetimeIndex))


def _traded(prices: pd.DataFrame, owner: str) -> BoolArray:
    """Return which rows of the union of calendars are a symbol's own."""
    blank = prices.isna() | prices.isin(list(BLANKS))
    traded = ~blank.all(axis=1).to_numpy()
    if len(traded) and not traded.any():
        remedy = "Its download failed, or nothing was traded: leave it out."
        raise DataError(broken_rule(owner, "have prices in some row", "none", remedy))
    return np.asarray(traded)


def _unpaired(label: Iterable[object]) -> str:
    """Return the name of a column that belongs to no symbol, such as the dates; else nothing."""
    parts = [str(part) for part in label if str(part)]
    when = [part for part in parts if word(part) in {*names.DATES, *names.TIMES}]
    return when[0] if when else parts[0] if len(parts) == 1 else ""


def _level_of_fields(labels: pd.MultiIndex) -> int | None:
    counts = [sum(field_of(x) is not None for x in labels.get_level_values(k)) for k in (0, 1)]
    closes = [any(field_of(x) == "close" for x in labels.get_level_values(k)) for k in (0, 1)]
    found = [k for k in (0, 1) if closes[k]]
    return max(found, key=lambda k: counts[k]) if found else None


def _without_notes(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without empty rows, and without the notes below it."""
    if not len(table) or not table.shape[1]:
        return table
    blank = _is_blank(table.iloc[:, 0])
    if blank.any():
        rows = table[blank]
        empty = pd.concat([_is_blank(rows.iloc[:, k]) for k in range(rows.shape[1])], axis=1)
        keep = ~blank.to_numpy()
        keep[~keep] = ~empty.all(axis=1).to_numpy()
        table = table[keep]
    fields = [position for position, label in enumerate(table.columns) if field_of(label)]
    table = _without_dividends(table, fields)
    end = len(table)
    prices = [position for position in fields if field_of(table.columns[position]) != "volume"]
    dated = _begins_with_dates(table)
    while end > 1 and len(table) - end < 40:
        row = table.iloc[end - 1].tolist()
        if not (_is_note(row, fields) or (dated and _is_summary(row, prices))):
            break
        end -= 1
    return table.iloc[:end] if end < len(table) else table


_EVENTS = ("dividend", "split", "distribution")


def _without_dividends(table: pd.DataFrame, fields: list[int]) -> pd.DataFrame:
    """Return a table without the rows in which Yahoo notes dividends and splits."""
    if len(fields) < 2:
        return table
    event = np.zeros(len(table), bool)
    for position in fields:
        values = table.iloc[:, position]
        if values.dtype == object:
            cells = [x.lower() if isinstance(x, str) else "" for x in values]
            together = "\n".join(cells)  # one look at all cells is quick
            for event_word in _EVENTS:
                if event_word in together:
                    event |= [event_word in cell for cell in cells]
    return table[~event] if event.any() and not event.all() else table


def _begins_with_dates(table: pd.DataFrame) -> bool:
    """Return whether the first column holds the dates: no symbols, nor prices."""
    label, cell = word(table.columns[0]), table.iloc[0, 0]
    others = {word(each) for each in table.columns[1:]} & {*names.DATES} - names.WEAK_DATES
    known = label in {*names.DATES} - names.WEAK_DATES
    symbols = {*names.SYMBOLS, *names.WEAK_SYMBOLS}
    if label in symbols or field_of(table.columns[0]) or not _has_digit(cell):
        return False
    return known or (not others and _is_date(str(cell)))


def _is_summary(row: list[Any], prices: list[int]) -> bool:
    """Return whether a row sums up those above.

    Where they have their date it has a word or, without any price, nothing.
    """
    if _has_digit(row[0]):
        return False
    cell = "" if pd.isna(row[0]) else str(row[0]).strip()
    if cell in BLANKS or not cell:
        return bool(prices) and not any(_has_digit(row[position]) for position in prices)
    return cell[:1].isalpha()


def _has_digit(cell: object) -> bool:
    return any(char.isdigit() for char in str(cell))


def _is_note(row: list[Any], fields: list[int]) -> bool:
    """Return whether a row holds words only, neither a date nor a price."""
    cells = ["" if pd.isna(cell) else str(cell).strip() for cell in row]
    words = any(cell[:1].isalpha() or cell[:1] in {"*", "(", "©"} for cell in cells)
    return (
        words
        and not any(cell[:1].isdigit() or _is_date(cell) for cell in cells)
        and not any(any(char.isdigit() for char in cells[position]) for position in fields)
    )


def _is_date(cell: str) -> bool:
    column = DateColumn("", "", np.zeros(0))
    digits = any(char.isdigit() for char in cell)
    return digits and reads(column, "", pd.Series([cell], dtype=object))


def plain_numbers(
    table: pd.DataFrame, owner: str, options: TableOptions
) -> tuple[pd.DataFrame, str]:
    """Return a table whose columns of prices and volume are numbers, and their decimal mark.

    Columns with other strings stay, for the check of prices to name the bar.
    """
    strings = {}
    for position, label in enumerate(table.columns):
        values = table.iloc[:, position]
        plain = values.dtype == object or pd.api.types.is_string_dtype(values.dtype)
        if (
            field_of(label) or word(label).startswith("volume") or word(label) in names.TICKS
        ) and plain:
            strings[position] = _cells_of(values)
    if not strings:
        return table, "."
    labels = list(table.columns)
    named = {position: labels[position] for position in strings}
    numbers, decimal = read_numbers(
        strings, owner, options.decimal, options.thousands, named, in_frame=options.dates.in_frame
    )
    out = table.copy(deep=False)
    for position, array in numbers.items():
        out.isetitem(position, array)
    return out, decimal


def other_columns(table: pd.DataFrame) -> dict[str, int]:
    """Return by name where columns stand that may be kept beside the prices.

    Dates and symbols are none, an adjusted close serves `adjust` alone, and a name that occurs
    twice says nothing.
    """
    labels = [str(label) for label in table.columns]
    counts = Counter(labels)
    return {
        label: position
        for position, label in enumerate(labels)
        if counts[label] == 1
        and table.columns[position] != table.index.name
        and label not in _PRICE_NAMES
        and word(label) not in _NO_NUMBERS
        and field_of(label) != "adjclose"
    }


_PRICE_NAMES = {"open", "high", "low", "close", "volume"}
_NO_NUMBERS = {*names.DATES, *names.TIMES, *names.SYMBOLS, ""}


def other_numbers(
    table: pd.DataFrame, owner: str, decimal: str, options: TableOptions
) -> pd.DataFrame:
    """Return a table, its dates read, in which strings of other columns are numbers if they can be.

    The prices have decided how numbers are written; what does not fit stays as it is.
    """
    out = table
    for label, position in other_columns(table).items():
        values = table.iloc[:, position]
        plain = values.dtype == object or pd.api.types.is_string_dtype(values.dtype)
        if not plain or field_of(label):
            continue
        cells = _cells_of(values)
        head = [cell for cell in cells[:_LOOKED_AT] if cell.strip() not in BLANKS]
        if head and not any(map(_has_digit, head)):
            continue  # words
        in_frame = options.dates.in_frame
        try:
            found, _ = read_numbers(
                {label: cells}, owner, decimal, options.thousands, in_frame=in_frame
            )
        except DataError:
            continue
        if label in found:
            out = table.copy(deep=False) if out is table else out
            out.isetitem(position, found[label])
    return out


_LOOKED_AT = 1000


def _cells_of(values: Series) -> AnyArray:
    cells = values.astype(object).where(values.notna(), "").to_numpy(object)
    if pd.api.types.infer_dtype(cells, skipna=False) == "string":
        return cells
    return np.array([str(cell) for cell in cells], dtype=object)


def _with_volume(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the volume that counts what is traded."""
    fields: dict[str, tuple[int, Hashable]] = {}
    for label in table.columns:
        ranked = ranked_field(label)
        if ranked and (ranked[0] not in fields or ranked[1] < fields[ranked[0]][0]):
            fields[ranked[0]] = ranked[1], label
    ticks = find_column(table, names.TICKS)
    volume = fields["volume"][1] if "volume" in fields else None
    if volume is None and ticks is None:
        # "Volume BTC" beside "Volume USDT": the first is in units of what is traded.
        named = [label for label in table.columns if word(label).startswith("volume")]
        return table.rename(columns=dict.fromkeys(named[:1], "volume"))
    if ticks is not None and (volume is None or not (table[volume] != 0).any()):
        # MetaTrader counts ticks where the market reports no volume.
        table = table.drop(columns=[] if volume is None else volume)
        return table.rename(columns={ticks: "volume"})
    return table
