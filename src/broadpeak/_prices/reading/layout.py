# SPDX-License-Identifier: BSD-3-Clause
"""Where the table stands in a text: what is above and below it, its delimiter, its header."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._prices.reading import names
from broadpeak._prices.reading.cell_numbers import BLANKS
from broadpeak._prices.reading.names import field_of, split_labels, word
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import IntArray

_DELIMITERS = ("\t", ";", "|", ",", " ")
_OTHERS = {",", ";", "|"}
_HEAD = 120  # lines in which the header is looked for
_MOST_COLUMNS = 50_000
_KEPT = 100  # of a table with more columns only those that are needed are read
_NUMBER = re.compile(r"[-+(]?[$€£¥]?\s*[\d.,' ]*\d[\d.,' ]*(?:[eE][+-]?\d+)?\s*[KMB%)-]?")
_PLAIN = re.compile(r"-?\d*\.?\d*(?:[eE][+-]?\d+)?")
_KNOWN = {*names.DATES, *names.TIMES, *names.SYMBOLS, *names.WEAK_SYMBOLS, *names.TICKS} - {""}


@dataclass(frozen=True)
class Layout:
    """Where a table stands.

    Attributes
    ----------
    delimiter : str
        What divides its cells; a blank for any number of blanks.
    first : int
        The line of its first row of data.
    labels : list of str, or None
        Its header, if it has one.
    symbols : list of str, or None
        A second row of header with a symbol for each column.
    """

    delimiter: str
    first: int
    labels: list[str] | None
    symbols: list[str] | None = None


def parse_table(
    text: str,
    owner: str,
    sep: str | None,
    wanted: list[str],
    listed: bool,
    decimal: str | None,
) -> pd.DataFrame:
    """Return the table in a text as strings; columns of one without header are numbered.

    Parameters
    ----------
    text, owner : str
        The text, and the file it came from.
    sep : str, optional
        Its delimiter, where it is known.
    wanted : list of str
        Labels that the caller named, besides those that are known.
    listed : bool
        Whether the caller names all columns, so that a header is not needed.
    decimal : str, optional
        The mark before fractions, where it is known.

    Raises
    ------
    DataError
        If there is no table in it, or its rows are not of one length.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    head = text.split("\n", _HEAD)[:_HEAD]
    layout = _layout(head, owner, sep, wanted, listed)
    body = _text_after_line(text, layout.first)
    if not body.strip():
        labels = layout.labels or []
        return pd.DataFrame({label: pd.Series([], dtype=object) for label in labels if label})
    body, cells = _rows(body, layout, owner)
    return _read(body, _fitted(layout, body, cells, owner), cells, owner, wanted, decimal)


def _text_after_line(text: str, line: int) -> str:
    position = 0
    for _ in range(line):
        position = text.find("\n", position) + 1
        if position == 0:
            return ""
    return text[position:]


def _rows_of_cells(lines: list[str], delimiter: str, owner: str) -> list[list[str]]:
    if delimiter == " ":
        quoted = re.compile(r'"[^"]*"|\S+')
        found = [quoted.findall(line) for line in lines]
        # Blanks inside the quoted cells of another table divide nothing.
        found = [[] if any(x.strip('"')[:1] in _OTHERS for x in row) else row for row in found]
        return [[cell.strip('"') for cell in row] for row in found]
    try:
        rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        return [[_stripped(cell) for cell in row] for row in rows]
    except csv.Error as error:
        raise DataError(broken_rule(owner, "be a table of short cells", f"{error}")) from error


def _stripped(cell: str) -> str:
    return cell.replace("\xa0", " ").replace("\u202f", " ").strip().strip("\"'")


def _usual_cell_count(counts: IntArray, layout: Layout) -> int:
    """Return how many cells a row of the table has: as the header, else as most rows."""
    labels = layout.labels
    if labels and (counts == len(labels)).any():
        return len(labels)
    often = np.bincount(counts[counts > 0])
    return len(often) - 1 - int(np.argmax(often[::-1]))


def _layout(
    head: list[str], owner: str, sep: str | None, wanted: list[str], listed: bool
) -> Layout:
    tables = {}
    for delimiter in [sep] if sep else _DELIMITERS:
        if any(delimiter in line for line in head):
            tables[delimiter] = _rows_of_cells(head, delimiter, owner)
    if listed:
        return _without_header(tables, owner, [], named=True)
    best: tuple[int, Layout] | None = None
    for delimiter, rows in tables.items():
        for position, row in enumerate(rows):
            score = _header_score(row, wanted)
            if score > (best[0] if best else 0):
                best = score, _with_header(delimiter, rows, position)
    if best:
        return best[1]
    return _without_header(tables, owner, wanted)


def _header_score(row: list[str], wanted: list[str]) -> int:
    """Return how many labels of a row are known as those of a header; 0 if it is no header."""
    if len(row) < 2 or sum(len(cell) > 40 for cell in row) > len(row) // 2:
        return 0
    filled = [cell for cell in row if cell]
    if not filled or any(_NUMBER.fullmatch(cell) for cell in filled):
        return 0
    fields = {field_of(cell) for cell in filled} - {None}
    asked = sum(cell in wanted for cell in filled)
    known = sum(word(cell) in _KNOWN for cell in filled[:_KEPT])
    if "close" in fields or (asked and fields | {"close"}):
        return len(fields) + known + asked * 10
    if len(row) == 2 and word(row[0]) in {"date", "observationdate"} and _is_series(row[1]):
        return 1
    pairs = split_labels(row) if len(fields) <= len(row) // 2 else None
    return len(row) if pairs and any(symbol for symbol, _ in pairs) else 0


def _is_series(label: str) -> bool:
    """Return whether a label is the name of a series of FRED, such as SP500 or DEXUSEU."""
    return bool(re.fullmatch(r"[A-Z][A-Z0-9_]{2,}", label)) and field_of(label) is None


def _with_header(delimiter: str, rows: list[list[str]], position: int) -> Layout:
    labels = rows[position]
    for other in (position + 1, position - 1):
        # Fields and symbols above each other, as frames with two header rows are written.
        if 0 <= other < len(rows) and _are_symbols(rows[other], labels):
            first = max(position, other) + 1
            if first < len(rows) and len(rows[first]) > 1 and not any(rows[first][1:]):
                labels = [rows[first][0] or "date", *labels[1:]]
                first += 1
            return Layout(delimiter, first, ["date", *labels[1:]], rows[other])
    if len(labels) == 2 and field_of(labels[1]) is None and _is_series(labels[1]):
        labels = [labels[0], "close"]
    if labels[0].startswith("#"):
        labels = [labels[0].lstrip("# "), *labels[1:]]
    return Layout(delimiter, position + 1, labels)


def _are_symbols(row: list[str], labels: list[str]) -> bool:
    """Return whether a row beside a header names a symbol for each of its columns."""
    if len(row) != len(labels) or len(row) < 2 or any(char.isdigit() for char in row[0]):
        return False
    return not any(
        cell in BLANKS or _NUMBER.fullmatch(cell) or not word(cell) or field_of(cell)
        for cell in row[1:]
    )


def _without_header(
    tables: dict[str, list[list[str]]], owner: str, wanted: list[str], *, named: bool = False
) -> Layout:
    """Return the layout of a table without header: notes are above it, numbers in it."""
    labels: list[str] = []
    for delimiter, rows in tables.items():
        for position, row in enumerate(rows):
            numbers = sum(bool(cell[:1].isdigit() or _NUMBER.fullmatch(cell)) for cell in row)
            if numbers >= 2 and numbers * 2 >= len(row):
                if not named and position and not labels and len(rows[position - 1]) == len(row):
                    labels = rows[position - 1]  # a header of which no label is known
                    break
                if not labels:
                    return Layout(delimiter, position, None)
        if labels:
            break
    if labels or tables:
        shown = labels or next(row for rows in tables.values() for row in rows if row)
        if len(shown) > 1:
            rule = "have a header with a column 'close', or columns that show what they are"
            missed = bool(wanted) and not set(wanted) & set(shown)
            remedy = (
                f"{f'None of {wanted} is among them. ' if missed else ''}"
                "Name its columns: columns={'Schluss': 'close'}, or ['date', 'close', …] of all."
            )
            raise DataError(broken_rule(owner, rule, shown[:8], remedy))
    rule = "be a table of prices with tabs, semicolons, commas or bars between its columns"
    raise DataError(broken_rule(owner, rule, labels))


def _rows(body: str, layout: Layout, owner: str) -> tuple[str, IntArray]:
    """Return the rows of a table without what is below it, and how many cells each has."""
    counts, starts = _counts(body, layout.delimiter, owner)
    usual = _usual_cell_count(counts, layout)
    end = len(counts)
    letters = body.lstrip("\"' ")[:1].isalpha()
    while end > 1 and len(counts) - end < 40:
        line = body[starts[end - 1] : starts[end] if end < len(starts) else None].strip()
        bare = line.lstrip("\"' ")
        note = bare[:1] and not bare[:1].isdigit() and counts[end - 1] != usual
        if line and not (note and (not letters or (counts[end - 1] == 1 and " " in bare))):
            break
        end -= 1
    if end < len(counts):
        body = body[: starts[end]]
    return body, counts[:end]


def _counts(body: str, delimiter: str, owner: str) -> tuple[IntArray, IntArray]:
    """Return the number of cells in each line, 0 in empty ones, and where lines begin."""
    if '"' in body or delimiter == " " or not body.isascii():
        return _slow_counts(body, delimiter, owner)
    raw = np.frombuffer(body.encode(), np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    if not len(ends) or ends[-1] != len(raw) - 1:
        ends = np.append(ends, len(raw))
    starts = np.concatenate([[0], ends[:-1] + 1])
    marks = np.flatnonzero(raw == ord(delimiter))
    each = len(marks) // len(ends)
    if each and len(marks) == each * len(ends):
        # All lines alike is what files are, and quicker to see than how many each has.
        table = marks.reshape(-1, each)
        if (table[:, 0] >= starts).all() and (table[:, -1] < ends).all():
            return np.full(len(ends), each + 1), starts
    counts = np.searchsorted(marks, ends) - np.searchsorted(marks, starts) + 1
    blank = starts == ends
    for line in np.flatnonzero((counts == 1) & ~blank):
        blank[line] = not body[starts[line] : ends[line]].strip()
    counts[blank] = 0
    return counts, starts


def _slow_counts(body: str, delimiter: str, owner: str) -> tuple[IntArray, IntArray]:
    lines = body.splitlines(keepends=True) if body.count("\n") else [body]
    lines = body.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    sizes = np.array([len(line) + 1 for line in lines])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    if delimiter == " ":
        return np.array([len(line.split()) for line in lines]), starts
    counts = np.zeros(len(lines), np.int64)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    done = 0
    try:
        for row in reader:
            # A cell may go over several lines; they count as the one they belong to.
            counts[done] = len(row) if any(cell.strip() for cell in row) or len(row) > 1 else 0
            done = reader.line_num
    except csv.Error as error:
        rule = "be a table whose quotes are closed"
        raise DataError(broken_rule(owner, rule, f"{error} in row {done + 1}")) from error
    return counts, starts


def _fitted(layout: Layout, body: str, counts: IntArray, owner: str) -> Layout:
    """Return the layout with as many labels as the rows have cells."""
    widest = int(counts.max())
    filled = counts[counts > 0]
    usual = _usual_cell_count(counts, layout)
    labels = layout.labels
    if widest > _MOST_COLUMNS:
        rule = f"have at most {_MOST_COLUMNS:,} columns"
        raise DataError(broken_rule(owner, rule, widest, "Cut it into several files."))
    if labels is None:
        _same_length(counts, usual, usual, layout, owner)
        return layout
    while len(labels) > usual and not labels[-1]:
        labels = labels[:-1]
    if usual == len(labels) + 1 and (filled == usual).all():
        labels = _one_more(labels, body, layout, owner)
    least = max((k + 1 for k, label in enumerate(labels) if field_of(label)), default=usual)
    _same_length(counts, min(least, len(labels)), len(labels), layout, owner)
    symbols = layout.symbols
    return replace(layout, labels=labels, symbols=symbols and symbols[: len(labels)])


def _one_more(labels: list[str], body: str, layout: Layout, owner: str) -> list[str]:
    """Return the labels of rows that have one cell more than the header."""
    row = _rows_of_cells([body.split("\n", 1)[0]], layout.delimiter, owner)[0]
    if not row[-1]:
        return [*labels, ""]
    if re.match(r"\d{1,2}:\d\d", row[1]):
        return [labels[0], "time", *labels[1:]]  # the blank between date and time
    if not any(word(label) in names.DATES for label in labels) and row[0][:1].isdigit():
        return ["index", *labels]  # R writes no label above the names of rows
    if row[0].isdigit() and not row[1].isdigit() and row[1][:1].isdigit():
        return ["index", *labels]  # nor above their numbers
    return labels


def _same_length(counts: IntArray, least: int, most: int, layout: Layout, owner: str) -> None:
    wrong = (counts > 0) & ((counts < least) | (counts > most))
    if wrong.any():
        line = int(np.argmax(wrong))
        rule = f"have {most} cells in every row"
        remedy = f"See line {layout.first + line + 1}."
        if counts[line] > most and layout.delimiter == ",":
            remedy += (
                " Numbers with commas must stand in quotes, or another mark divide the columns."
            )
        raise DataError(broken_rule(owner, rule, int(counts[line]), remedy))


def _read(
    body: str,
    layout: Layout,
    counts: IntArray,
    owner: str,
    wanted: list[str],
    decimal: str | None,
) -> pd.DataFrame:
    width = int(counts.max())
    labels = layout.labels
    columns = list(range(width if labels is None else min(width, len(labels))))
    if labels is not None and layout.symbols is None and len(columns) > _KEPT:
        columns = [position for position in columns if _is_needed(labels[position], wanted)]
    quick = [] if decimal == "," else _quick(body, layout, columns)
    table = _parsed(body, layout, owner, columns, quick)
    if any(table[position].dtype.kind not in "iuf" for position in quick):
        # Marks of thousands, units, notes: all cells are needed as they are written.
        table = _parsed(body, layout, owner, columns, [])
    if (counts[counts > 0] < width).any():
        strings = [position for position in columns if table[position].dtype == object]
        table[strings] = table[strings].where(table[strings].notna(), "")
    if labels is None:
        return table
    if layout.symbols is not None:
        pairs = zip(layout.symbols, labels, strict=True)
        table.columns = pd.MultiIndex.from_tuples([("", "date"), *list(pairs)[1:]])
        return table
    table.columns = pd.Index(
        _unique([labels[position] for position in columns], owner), dtype=object
    )
    return table


def _quick(body: str, layout: Layout, columns: list[int]) -> list[int]:
    """Return the columns that may be read as numbers at once: plain ones, and long epochs."""
    labels = layout.labels
    if labels is None or layout.symbols is not None or layout.delimiter == " ":
        return []
    lines = body.split("\n", 50)[:50]
    rows = [row for row in csv.reader(lines, delimiter=layout.delimiter) if len(row) > columns[-1]]
    fields = [position for position in columns if field_of(labels[position])]
    if not rows or not all(
        _PLAIN.fullmatch(row[position].strip()) for row in rows for position in fields
    ):
        return []
    epochs = [
        position
        for position in columns
        if word(labels[position]) in names.DATES
        and all(re.fullmatch(r"[1-9]\d{8,18}", row[position].strip()) for row in rows)
    ]
    return sorted(fields + epochs)


def _parsed(
    body: str, layout: Layout, owner: str, columns: list[int], quick: list[int]
) -> pd.DataFrame:
    """Return the cells of a table as strings, those of `quick` columns as numbers if they are."""
    strings = [position for position in columns if position not in set(quick)]
    width = columns[-1] + 1
    missing: Any = {position: sorted(BLANKS) for position in quick}
    try:
        return pd.read_csv(
            io.BytesIO((body if body.endswith("\n") else body + "\n").encode()),
            sep=r"\s+" if layout.delimiter == " " else layout.delimiter,
            header=None,
            names=range(width),
            usecols=columns,
            dtype=dict.fromkeys(strings, object),
            na_filter=bool(quick),
            keep_default_na=False,
            na_values=missing or None,
            skipinitialspace=True,
            index_col=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OverflowError) as error:
        raise DataError(broken_rule(owner, "be a table", str(error).strip())) from error


def _is_needed(label: str, wanted: list[str]) -> bool:
    bare = word(label)
    return bool(field_of(label)) or bare in _KNOWN or label in wanted or bare.startswith("volume")


def _unique(labels: list[str], owner: str) -> list[str]:
    """Return labels, none of them twice; two of one field are an error."""
    seen: Counter[str] = Counter()
    out = []
    for label in labels:
        seen[label] += 1
        if seen[label] > 1 and field_of(label):
            rule = f"have one column {label!r}"
            remedy = "Which one is meant? Name all columns: columns=['date', 'open', …]."
            raise DataError(broken_rule(owner, rule, labels[:12], remedy))
        out.append(label if seen[label] == 1 else f"{label}.{seen[label] - 1}")
    return out
