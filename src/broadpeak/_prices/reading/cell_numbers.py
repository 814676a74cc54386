# SPDX-License-Identifier: BSD-3-Clause
"""Numbers as vendors write them: which mark is the decimal one is a property of the whole file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from broadpeak._prices.reading.tokens import MOST_CHARS, as_bytes, longest
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import AnyArray, BoolArray, FloatArray

Label = TypeVar("Label", bound=Hashable)

BLANKS = {"", "-", "--", ".", "null", "NULL", "None", "nan", "NaN", "NAN", "N/A", "n/a", "NA"}
BLANKS |= {"#N/A", "#N/A N/A", "N.A.", "n.a.", "nil", "—", "–", "NaT", "<NA>", "-nan", "-NaN"}

_PLAIN = frozenset(b"\x000123456789+-.eE")
_DIGITS = frozenset(b"\x000123456789,.")
_SCALES = {
    "k": 1e3,
    "m": 1e6,
    "mn": 1e6,
    "mio": 1e6,
    "b": 1e9,
    "bn": 1e9,
    "mrd": 1e9,
    "t": 1e12,
    "万": 1e4,
    "亿": 1e8,
}
_UNITS = re.compile(
    r"^(?:US|CA|AU|HK|NZ|C|A|R)?[$€£¥₹₩₽₺₫฿₿₪₱¢]|[$€£¥₹₩₽₺₫฿₿₪₱¢%]$"
    r"|^(?:USD|EUR|GBP|JPY|CHF|INR|Rs\.?|kr\.?)(?=[\s\d-])"
    r"|(?<=[\d\s.])(?:USDT?|EUR|GBP|GBX|JPY|CHF|CAD|AUD|INR|SEK|NOK|DKK|PLN|zł|kr|BTC)$"
)
_SCALED = re.compile(r"^(.*\d)\s*(k|mn?|mio\.?|bn?|mrd\.?|t|万|亿)$", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:[\d.,' ]*\d[\d.,' ]*(?:e[+-]?\d+)?|inf|infinity)", re.IGNORECASE)
# Groups of three; of two above the thousands as in India.
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:([,.' ])\d{3})(?:\1\d{3})*|[+-]?\d{1,2}(?:,\d{2})*,\d{3}")


@dataclass
class CellStrings:
    """A column as strings of plain marks.

    Attributes
    ----------
    strings : array of bytes
        Its different cells, without units; empty for what is missing.
    places : array of int or None
        Which of `strings` each row holds; None if they are the rows themselves.
    scale : array or None
        What each string is multiplied by.
    numbers : array or None
        Its cells as numbers, where a dot is the only mark in it.
    """

    label: Hashable
    strings: AnyArray
    positions: AnyArray | None = None
    scale: FloatArray | None = None
    numbers: FloatArray | None = None
    in_frame: bool = False

    def remedy(self, of_file: str) -> str:
        """Return what to do about ambiguous marks, `of_file` for a file."""
        if not self.in_frame:
            return of_file
        column = f"frame[{self.label!r}]"
        return (
            f"Make numbers of its strings: {column}.str.replace(',', '').astype(float) if commas"
            f" divide thousands, {column}.str.replace(',', '.').astype(float) if fractions follow."
        )

    def row_of(self, position: int) -> int:
        """Return the first row that holds a string."""
        return position if self.positions is None else int(np.argmax(self.positions == position))


def read_numbers(
    columns: Mapping[Label, AnyArray],
    owner: str,
    decimal: str | None = None,
    thousands: str | None = None,
    labels: Mapping[Label, Hashable] | None = None,
    *,
    in_frame: bool = False,
) -> tuple[dict[Label, FloatArray], str]:
    """Return columns of strings as numbers, and the mark before fractions.

    Columns that hold other strings as well are left out.

    Parameters
    ----------
    columns : dict of label to array of str
        The columns of one file.
    owner : str
        The file, for messages.
    decimal, thousands : str, optional
        The marks, where they are known.
    labels : dict, optional
        How messages call the columns.
    in_frame : bool
        Whether they came in memory, where the arguments of file readers do not exist.

    Raises
    ------
    DataError
        If two cells write numbers in different ways, or all could be read in two.
    """
    known_as = labels or {}
    found = {key: _cells(known_as.get(key, key), strings) for key, strings in columns.items()}
    known = [each for each in found.values() if each is not None]
    for each in known:
        each.in_frame = in_frame
    if decimal is None:
        decimal = _decimal_mark(known, owner, thousands)
    values = {
        key: _values(each, decimal, thousands, owner)
        for key, each in found.items()
        if each is not None
    }
    return values, decimal


def _cells(label: Hashable, strings: AnyArray) -> CellStrings | None:
    """Return a column as plain strings, or None if any of them is not a number."""
    if longest(strings) > MOST_CHARS:
        return None
    raw = as_bytes(strings)
    chars = _chars(raw)
    used = frozenset(np.flatnonzero(np.bincount(chars.ravel(), minlength=256)).tolist())
    if used <= _PLAIN:
        try:
            return CellStrings(label, raw, numbers=_floats(raw, chars))
        except ValueError:
            pass  # two dots, a hyphen for what is missing
    elif used <= _DIGITS:
        marks = (chars == ord(",")) | (chars == ord("."))
        if (marks.sum(axis=1) < np.minimum(2, (chars != 0).sum(axis=1))).all():
            return CellStrings(label, raw)
    positions, uniques = pd.factorize(strings)
    cleaned = [_clean(str(text)) for text in uniques]
    pairs = [each for each in cleaned if each is not None]
    if len(pairs) < len(cleaned):
        return None
    scale = np.array([number for _, number in pairs], dtype=np.float64)
    return CellStrings(label, np.array([text for text, _ in pairs], dtype="S"), positions, scale)


def _floats(raw: AnyArray, chars: AnyArray) -> FloatArray:
    blank = chars[:, 0] == 0
    return (np.where(blank, b"nan", raw) if blank.any() else raw).astype(np.float64)


def _chars(raw: AnyArray) -> AnyArray:
    """Return strings as a table of bytes, a row each."""
    if not len(raw):
        return np.zeros((0, 1), np.uint8)
    return np.ascontiguousarray(raw).view(np.uint8).reshape(len(raw), -1)


def _clean(text: str) -> tuple[bytes, float] | None:
    """Return a cell without currency, percent and scale, and its scale; None if no number."""
    bare = unicodedata.normalize("NFKC", text).strip().strip("\"'").strip()
    if bare in BLANKS or text.strip() in BLANKS:
        return b"", 1.0
    scale = 1.0
    bare = bare.replace("−", "-").replace("’", "'").replace("`", "'").replace("_", "")
    if bare.startswith("(") and bare.endswith(")"):
        bare, scale = bare[1:-1].strip(), -1.0
    sign = -1.0 if bare.startswith("-") else 1.0
    bare = bare.lstrip("+-").strip() if sign < 0 or bare.startswith("+") else bare
    for _ in range(2):
        bare = _UNITS.sub("", bare).strip()
    if bare.endswith("-") and len(bare) > 1:
        bare, sign = bare[:-1].strip(), -1.0
    scaled = _SCALED.match(bare)
    if scaled:
        bare, scale = scaled[1], scale * _SCALES[scaled[2].lower().rstrip(".")]
    if not bare.isascii() or not _NUMBER.fullmatch(bare):
        return None
    return bare.encode(), scale * sign


def _decimal_mark(columns: list[CellStrings], owner: str, thousands: str | None) -> str:
    """Return the mark before fractions: what all columns together leave possible.

    A mark that comes last of two kinds, or with other than three digits behind it, is the decimal
    one; a mark that comes twice, or before another, is not.
    """
    if all(column.numbers is not None for column in columns):
        return "."
    says: dict[str, tuple[str, int, Hashable]] = {}
    doubtful = [(column, _evidence(column, says)) for column in columns]
    if thousands in {",", "."}:
        return "." if thousands == "," else ","
    if len(says) == 2:
        rule = "write all its numbers with the same decimal mark"
        got = " beside ".join(
            f"{text} (column {label!r}, row {row + 1})"
            for text, row, label in (says["."], says[","])
        )
        said = "Pass decimal=',' or decimal='.' if one of them has thousands marks."
        remedy = columns[0].remedy(said)
        raise DataError(broken_rule(owner, rule, got, remedy))
    if says:
        return next(iter(says))
    return _undecided(doubtful, owner)


def _evidence(column: CellStrings, says: dict[str, tuple[str, int, Hashable]]) -> BoolArray:
    """Note which decimal mark the cells of a column show; return which could be either."""
    strings, chars = column.strings, _chars(column.strings)
    at = {mark: chars == ord(mark) for mark in ",.e"}
    commas, dots = at[","].sum(axis=1), at["."].sum(axis=1)
    width = chars.shape[1]
    last_comma, last_dot = (
        np.where(n > 0, width - 1 - np.argmax(at[mark][:, ::-1], axis=1), -1)
        for mark, n in ((",", commas), (".", dots))
    )
    length = (chars != 0).sum(axis=1)
    last = np.maximum(last_comma, last_dot)
    single = (commas + dots) == 1
    # Thousands stand in groups of three behind one to three digits that begin with no zero.
    doubt = single & (length - last == 4) & (last >= 1) & (last <= 3) & (chars[:, 0] != ord("0"))
    doubt &= ~at["e"].any(axis=1)
    both = (commas > 0) & (dots > 0)
    shown = {
        ",": (single & ~doubt & (commas == 1)) | (both & (last_comma > last_dot)) | (dots > 1),
        ".": (single & ~doubt & (dots == 1)) | (both & (last_dot > last_comma)) | (commas > 1),
    }
    for mark, rows in shown.items():
        if rows.any() and mark not in says:
            position = int(np.argmax(rows))
            says[mark] = (strings[position].decode(), column.row_of(position), column.label)
    return np.asarray(doubt)


def _undecided(doubtful: list[tuple[CellStrings, BoolArray]], owner: str) -> str:
    """Return the decimal mark where every number has three digits behind its only mark.

    A dot is what it mostly is. A comma is what makes neighbours alike: 999 beside 1,002 are
    thousands, 185 beside 186,500 are not.
    """
    for column, doubt in doubtful:
        has_comma = (_chars(column.strings) == ord(",")).any(axis=1)
        commas = doubt & has_comma
        if not commas.any():
            continue
        plain = ~has_comma & (column.strings != b"")
        marked = column.strings[commas]
        if plain.any():
            usual = float(np.median(column.strings[plain].astype(np.float64)))
            small = float(np.median(np.char.replace(marked, b",", b".").astype(np.float64)))
            far = [abs(np.log10(max(x, 1e-9) / max(usual, 1e-9))) for x in (small, small * 1000)]
            if abs(far[0] - far[1]) > 1.0:
                return "," if far[0] < far[1] else "."
        position = int(np.argmax(commas))
        rule = f"show which of its marks is the decimal one in column {column.label!r}"
        said = "Pass decimal='.' if commas divide thousands, or decimal=','."
        remedy = column.remedy(said)
        raise DataError(
            broken_rule(
                owner, rule, marked[0].decode(), f"{remedy} (row {column.row_of(position) + 1})"
            )
        )
    return "."


def _values(column: CellStrings, decimal: str, thousands: str | None, owner: str) -> FloatArray:
    """Return the numbers of a column, its thousands checked and taken away."""
    if column.numbers is not None and decimal == ".":
        return column.numbers
    strings, chars = column.strings, _chars(column.strings)
    marks = [mark for mark in ",.' " if mark != decimal and (chars == ord(mark)).any()]
    if marks:
        strings = _ungrouped(column, decimal, thousands, owner)
    elif decimal == ",":
        strings = np.where(chars == ord(","), np.uint8(ord(".")), chars).view(strings.dtype).ravel()
    try:
        numbers = _floats(strings, _chars(strings))
    except ValueError as error:
        rule = f"hold numbers in column {column.label!r}"
        raise DataError(broken_rule(owner, rule, str(error))) from error
    if column.scale is not None:
        numbers = numbers * column.scale
    return (
        numbers if column.positions is None else np.asarray(numbers[column.positions], np.float64)
    )


def _ungrouped(column: CellStrings, decimal: str, thousands: str | None, owner: str) -> AnyArray:
    """Return numbers without thousands marks; wrong groups are an error."""
    out = []
    for position, raw in enumerate(column.strings.tolist()):
        text = raw.decode()
        whole, mark, fraction = text.partition(decimal)
        bare = re.sub(r"[,.' ]", "", whole)
        if bare != whole:
            used = set(re.findall(r"[,.' ]", whole))
            if not _GROUPED.fullmatch(whole) or (thousands and used != {thousands}):
                rule = f"hold numbers with {decimal!r} before fractions in column {column.label!r}"
                got = f"{text} (row {column.row_of(position) + 1})"
                said = "Pass decimal= and thousands= if it writes them otherwise."
                remedy = column.remedy(said)
                raise DataError(broken_rule(owner, rule, got, remedy))
        out.append((bare + ("." if mark else "") + fraction).encode())
    return np.array(out, dtype="S")
