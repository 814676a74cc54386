# SPDX-License-Identifier: BSD-3-Clause
"""Strings of dates and times, a whole column in one format, as nanoseconds since 1970."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._prices.reading.compact import digits_as_days, numbers_as_moments
from broadpeak._prices.reading.deciding import DAY, DateColumn, Moments, Reading, civil, decide
from broadpeak._prices.reading.tokens import Group, cut
from broadpeak.types import AnyArray, IntArray

_SECOND = 1_000_000_000

_MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "jan january januar jänner janvier janv januari enero ene gennaio gen janeiro sty",
            "feb february februar février fevrier févr fév februari febrero febbraio fevereiro lut",
            "mar march märz maerz mär mrz mars marzo março marco maart mrt",
            "apr april avril avr abril abr aprile kwi",
            "may mai mayo maggio mag maio maj mei",
            "jun june juni juin junio giugno giu junho cze",
            "jul july juli juillet juil juill julio luglio lug julho lip",
            "aug august août aout aoû augusti augustus agosto ago sie",
            "sep sept september septembre septiembre settembre set setembro wrz",
            "oct october oktober okt octobre octubre ottobre ott outubro out paź",
            "nov november novembre noviembre novembro lis",
            "dec december dezember dez décembre decembre déc diciembre dic dicembre dezembro gru",
        ],
        start=1,
    )
    for name in names.split()
}
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        [
            "mon monday",
            "tue tues tuesday",
            "wed wednesday",
            "thu thur thurs thursday",
            "fri friday",
            "sat saturday",
            "sun sunday",
        ]
    )
    for name in names.split()
}
_ZONES = {"z", "utc", "gmt", "ut"}

# In a mask every number is one "#" and every word one "A".
_DATE = re.compile(
    r"""(?:(?P<a>\#)(?P<sep>[-./ ]|-[ ]|[.][ ])(?P<b>\#)(?P=sep)(?P<c>\#)(?P<dot>[.]?)
      |(?P<left>\#)(?:[-./ ,]|[.][ ])?(?P<word>A)(?:[-./ ,]|[.][ ]?|,[ ])?(?P<right>\#)
      |(?P<name>A)[.]?[ -]?(?P<nth>\#)A?(?:,[ ]?|[ ]|-)(?P<year>\#)(?!:)
      |(?P<month>A)[.]?[- /']{1,2}(?P<of>\#)
      |(?P<one>\#)[-/.](?P<two>\#)(?![:.\#])
      |(?P<digits>\#))(?P<rest>.*)$""",
    re.VERBOSE,
)
_TIME = re.compile(
    r"""(?:(?:[ ,;_:-]*|[ ]*(?P<t>A)[ ]*)
      (?:(?P<hour>\#):(?P<minute>\#)(?::(?P<second>\#)(?:[.,:](?P<part>\#))?)?
        |(?P<packed>\#)(?:[.](?P<packed_part>\#))?)
      (?:[ ]?(?P<half>A(?:[.]A[.])?))?)?
    (?:[ ]*(?P<zone>A(?:[/_]A)*(?P<etc>\#)?))?
    (?:[ ]*(?P<sign>[+-])(?P<off>\#)(?::(?P<off2>\#))?)?
    [ ]*(?:\(A(?:[ ]A)*\))?$""",
    re.VERBOSE,
)


@dataclass
class _DatePart:
    """What one group of rows says: tokens of the date, time of day, zone."""

    group: Group
    kind: str
    date: list[Any]
    lengths: list[int]
    moment: IntArray | None
    zone: AnyArray | None


def read_moments(column: DateColumn) -> Moments:
    """Return the moments that strings mean.

    Raises
    ------
    DataError
        If they are no dates, not in one format, or mean two things.
    """
    groups = cut(column.strings)
    if groups is None:
        raise column.unreadable(column.row(0))
    n = len(column.strings)
    if not groups:
        if n:
            raise column.unreadable(column.row(0))
        return Moments(np.zeros(0, np.int64))
    if all(_is_number(group) for group in groups):
        return _numbers(groups, column)
    parts = [_part(group, column) for group in groups]
    _same_kind(parts, column)
    moment = _whole([part.moment for part in parts], parts, n)
    timed = replace(column, intraday=column.intraday or bool(moment.any()))
    reading = _date_of(parts, n, timed)
    return _zoned(reading.days * DAY + moment, parts, n, column)


def _is_number(group: Group) -> bool:
    """Return whether rows are numbers, with a fraction where they are too long for 2024.01."""
    mask = group.mask.strip().removeprefix("-").removesuffix(".")
    return mask == "#" or (mask == "#.#" and group.lengths[0] >= 5)


def _numbers(groups: list[Group], column: DateColumn) -> Moments:
    n = len(column.strings)
    whole, lengths = np.zeros(n, np.int64), np.zeros(n, np.int64)
    share = np.zeros(n)
    for group in groups:
        sign = -1 if group.mask.strip().startswith("-") else 1
        whole[group.rows], lengths[group.rows] = sign * group.tokens[0], group.lengths[0]
        if len(group.tokens) > 1:
            share[group.rows] = sign * (group.tokens[1] / 10.0 ** group.lengths[1])
    return numbers_as_moments(whole, share, lengths, column)


def is_time_of_day(column: DateColumn) -> bool:
    """Return whether strings hold a time of day and no date."""
    groups = cut(column.strings[:1000])
    return bool(groups) and all(re.match(r"#:#", group.mask) for group in groups or [])


def _part(group: Group, column: DateColumn) -> _DatePart:
    position = int(group.rows[0])
    mask = group.mask.strip()
    if mask.startswith("A") and _all_words(group.tokens[0], _WEEKDAYS):
        mask = mask[1:].lstrip(" .,")
        group = Group(group.rows, mask, group.tokens[1:], group.lengths[1:])
    found = _DATE.match(mask)
    if found is None:
        raise column.unreadable(column.row(position), _weeks_remedy(group))
    names = {
        "a": ("a", "b", "c"),
        "left": ("left", "word", "right"),
        "name": ("nth", "name", "year"),
        "month": ("month", "of"),
        "one": ("one", "two"),
        "digits": ("digits",),
    }
    key = next(key for key in names if found[key])
    date = [_token(group, mask, found, name) for name in names[key]]
    lengths = [_length(group, mask, found, name) for name in names[key]]
    kind = {"a": f"three {found['sep']}", "name": "named", "left": "named"}.get(key, key)
    if key == "left" and _all_words(date[1], {"q": 1}):
        kind = "quarter"
    rest = found["rest"]
    if key == "left" and _all_words(date[1], {"t": 1}):
        # 20240102T093000: the word divides date from time.
        kind, date, lengths = "digits", date[:1], lengths[:1]
        rest = mask[found.start("word") :]
    if key == "month" and _all_words(date[0], {f"q{k}": k for k in range(1, 5)} | {"q": 1}):
        raise column.unreadable(column.row(position), _weeks_remedy(group))
    moment, zone = _time_of(group, mask, rest, column)
    return _DatePart(group, kind, date, lengths, moment, zone)


def _weeks_remedy(group: Group) -> str:
    words = {word for token in group.tokens if token.dtype.kind == "S" for word in set(token)}
    return (
        "Weeks must be written as dates, and quarters as 2024Q1 or as dates."
        if words & {b"w", b"q"}
        else ""
    )


def _index(mask: str, end: int) -> int:
    return mask.count("#", 0, end) + mask.count("A", 0, end)


def _token(group: Group, mask: str, found: re.Match[str], name: str, shift: int = 0) -> Any:
    return group.tokens[_index(mask, found.start(name) + shift)]


def _length(group: Group, mask: str, found: re.Match[str], name: str, shift: int = 0) -> int:
    return group.lengths[_index(mask, found.start(name) + shift)]


def _all_words(token: Any, known: Any) -> bool:
    if token.dtype.kind != "S":
        return False
    return all(word.decode(errors="replace") in known for word in np.unique(token))


def _time_of(
    group: Group, mask: str, rest: str, column: DateColumn
) -> tuple[IntArray | None, AnyArray | None]:
    """Return the nanoseconds into the day and the zones that stand after a date."""
    if not rest.strip():
        return None, None
    found = _TIME.match(rest.rstrip())
    position = int(group.rows[0])
    if found is None:
        raise column.unreadable(column.row(position))
    shift = len(mask) - len(rest)

    def token(name: str) -> Any:
        return _token(group, mask, found, name, shift)

    def length(name: str) -> int:
        return _length(group, mask, found, name, shift)

    if found["t"] and not _all_words(token("t"), {"t": 1, "at": 1}):
        raise column.unreadable(column.row(position))
    moment = None
    if found["hour"]:
        parts = [token(name) if found[name] else 0 for name in ("hour", "minute", "second")]
        fraction = _fraction(token("part"), length("part")) if found["part"] else 0
        moment = _moment(group, parts, fraction, column)
    elif found["packed"]:
        part = _fraction(token("packed_part"), length("packed_part")) if found["packed_part"] else 0
        digits = np.full(len(group.rows), length("packed"))
        moment = packed_times(token("packed"), digits, group.rows, column) + part
    zone_words = token("zone") if found["zone"] else None
    half = token("half") if found["half"] else None
    if half is not None and not _all_words(half, {"a", "p", "am", "pm"}):
        half, zone_words = None, half
    if half is not None and moment is not None:
        moment = _halves(moment, half, group, column)
    return moment, _zones(group, found, zone_words, token, length, column)


def _fraction(token: IntArray, length: int) -> IntArray:
    return np.asarray(token * 10 ** max(9 - length, 0) // 10 ** max(length - 9, 0), np.int64)


def _moment(group: Group, parts: list[Any], fraction: Any, column: DateColumn) -> IntArray:
    """Return the nanoseconds into the day; 24:00 is the end of the day."""
    hour, minute, second = (np.broadcast_to(part, len(group.rows)) for part in parts)
    moment = (hour * 3600 + minute * 60 + second) * _SECOND + fraction
    wrong = (minute > 59) | (second > 59) | (moment > DAY)
    if wrong.any():
        raise column.unreadable(column.row(int(group.rows[int(np.argmax(wrong))])))
    return np.asarray(moment, np.int64)


def _halves(moment: IntArray, half: AnyArray, group: Group, column: DateColumn) -> IntArray:
    """Return times of a clock of 12 hours as those of one of 24."""
    noon = DAY // 2
    wrong = (moment >= 13 * 3600 * _SECOND) | (moment < 3600 * _SECOND)
    if wrong.any():
        raise column.unreadable(column.row(int(group.rows[int(np.argmax(wrong))])))
    return moment % noon + np.where(np.char.startswith(half, b"p"), noon, 0)


def packed_times(
    digits: IntArray, lengths: IntArray, rows: IntArray, column: DateColumn
) -> IntArray:
    """Return times without colons: 931 is half past nine and one minute, 93000 half past nine.

    Whether they count seconds is decided by the whole column: by the longest of them.
    """
    longest = int(lengths.max()) if len(lengths) else 0
    if longest > 9 or longest == 0:
        raise column.unreadable(column.row(int(rows[0])))
    if longest > 6:
        whole, rest = digits // 1000, digits % 1000 * 1_000_000
    elif longest > 4:
        whole, rest = digits, np.zeros_like(digits)
    else:
        whole, rest = digits * 100, np.zeros_like(digits)
    if longest <= 2 and digits.max() > 0:
        # Hours, or minutes past midnight?
        raise column.unreadable(column.row(int(rows[int(np.argmax(digits))])))
    parts = [whole // 10_000, whole // 100 % 100, whole % 100]
    group = Group(rows, "", [], [])
    return _moment(group, parts, rest, column)


def _zones(
    group: Group,
    found: re.Match[str],
    words: AnyArray | None,
    token: Any,
    length: Any,
    column: DateColumn,
) -> AnyArray | None:
    """Return the zone of each row: minutes east of Greenwich, or a name."""
    n = len(group.rows)
    position = int(group.rows[0])
    if found["sign"]:
        if words is not None and not _all_words(words, _ZONES):
            raise column.unreadable(column.row(position))
        off = token("off")
        minutes = token("off2") if found["off2"] else 0
        if not found["off2"] and length("off") > 2:
            off, minutes = off // 100, off % 100
        if (off > 15).any() or np.any(np.asarray(minutes) > 59):
            raise column.unreadable(column.row(position))
        east = (off * 60 + minutes) * (1 if found["sign"] == "+" else -1)
        return np.asarray(east, dtype=object)
    if words is None:
        return None
    if _all_words(words, _ZONES):
        return np.zeros(n, dtype=object)
    # Interactive Brokers writes the name of a zone behind each time.
    names = {str(column.strings[row]).rsplit(" ", 1)[-1] for row in group.rows}
    if len(names) == 1 and "/" in (name := names.pop()):
        return np.full(n, name, dtype=object)
    remedy = "Cut off the name of the zone and pass tz='America/New_York' or the like."
    raise column.unreadable(column.row(position), "" if column.in_frame else remedy)


def _whole(pieces: list[IntArray | None], parts: list[_DatePart], n: int) -> IntArray:
    """Return one array a column from those of its groups."""
    out = np.zeros(n, np.int64)
    for piece, part in zip(pieces, parts, strict=True):
        if piece is not None:
            out[part.group.rows] = piece
    return out


def _same_kind(parts: list[_DatePart], column: DateColumn) -> None:
    """Refuse rows of which some write dates in another order than the others, or without a zone."""
    first = parts[0]
    for part in parts[1:]:
        if part.kind != first.kind or (part.zone is None) != (first.zone is None):
            raise column.two_formats(int(first.group.rows[0]), int(part.group.rows[0]))


def _date_of(parts: list[_DatePart], n: int, column: DateColumn) -> Reading:
    kind = parts[0].kind
    tokens = [
        _whole([_as_numbers(part, k, column) for part in parts], parts, n)
        for k in range(len(parts[0].date))
    ]
    lengths = [
        _whole([np.full(len(p.group.rows), p.lengths[k]) for p in parts], parts, n)
        for k in range(len(parts[0].date))
    ]
    if kind == "digits":
        return digits_as_days(tokens[0], lengths[0], column)
    if kind.startswith("three"):
        return _three(tokens, lengths, kind.removeprefix("three "), column)
    ones = np.ones(n, np.int64)
    if kind == "named":
        # 2 Jan 2024, or 2024 Jan 2: the year has four digits.
        year_first = bool((lengths[0] == 4).all())
        day, year = (tokens[2], tokens[0]) if year_first else (tokens[0], tokens[2])
        width = lengths[0] if year_first else lengths[2]
        readings = [
            _reading("day, month, year", "%d %b %Y", _years(year, width, column), tokens[1], day)
        ]
    elif kind == "quarter":
        year, quarter = (
            (tokens[0], tokens[2]) if (lengths[0] == 4).all() else (tokens[2], tokens[0])
        )
        quarter = np.where((quarter >= 1) & (quarter <= 4), quarter, 99)
        readings = [_reading("year and quarter", "%Y", year, quarter * 3 - 2, ones)]
    elif kind == "month":
        readings = [
            _reading(
                "month and year", "%b %Y", _years(tokens[1], lengths[1], column), tokens[0], ones
            )
        ]
    else:
        year_first = bool((lengths[0] == 4).all())
        year, month = tokens if year_first else tokens[::-1]
        width, other = lengths if year_first else lengths[::-1]
        wrong = (width != 4) | (other > 2)  # 2024-001 counts days of the year
        if wrong.any():
            raise column.unreadable(column.row(int(np.argmax(wrong))))
        readings = [_reading("year and month", "%Y-%m", year, month, ones)]
    return decide(readings, column, convention=True)


def _as_numbers(part: _DatePart, k: int, column: DateColumn) -> IntArray:
    """Return a token of dates as numbers; names of months by their order."""
    token = part.date[k]
    if token.dtype.kind != "S":
        return np.asarray(token, np.int64)
    if part.kind == "quarter":
        return np.zeros(len(token), np.int64)
    words, positions = np.unique(token, return_inverse=True)
    numbers = [_MONTHS.get(word.decode(errors="replace"), 0) for word in words]
    if 0 in numbers:
        wrong = int(np.argmax(np.asarray(numbers)[positions] == 0))
        raise column.unreadable(column.row(int(part.group.rows[wrong])), _weeks_remedy(part.group))
    return np.asarray(numbers, np.int64)[positions]


def _years(year: IntArray, width: IntArray, column: DateColumn) -> IntArray:
    """Return years of two digits as those of four, as POSIX does: 69 is 1969, 68 is 2068."""
    wrong = (width != 2) & (width != 4)
    if wrong.any():
        raise column.unreadable(column.row(int(np.argmax(wrong))))
    other = width != width[0]
    if other.any():
        raise column.two_formats(0, int(np.argmax(other)))
    return year if width[0] == 4 else year + np.where(year >= 69, 1900, 2000)


def _reading(name: str, written: str, year: IntArray, month: IntArray, day: IntArray) -> Reading:
    days, valid = civil(year, month, day)
    return Reading(name, written, days, day, valid)


def _three(
    tokens: list[IntArray], lengths: list[IntArray], sep: str, column: DateColumn
) -> Reading:
    """Return the reading of three numbers: which is the day, which the month, which the year."""
    year_first, year_last = (bool((lengths[k] > 2).any()) for k in (0, 2))
    if (year_first and year_last) or (lengths[1] > 2).any():
        wrong = np.maximum.reduce([lengths[1], np.minimum(lengths[0], lengths[2])]) > 2
        raise column.unreadable(column.row(int(np.argmax(wrong))))
    a, b, c = tokens
    # A year has two digits or four: 2/1/24 begins with none, 24/1/2 ends with none.
    may_lead = year_first or (not year_last and bool((lengths[0] == 2).all()))
    may_end = year_last or (not year_first and bool((lengths[2] == 2).all()))
    if not may_lead and not may_end:
        raise column.unreadable(column.row(int(np.argmax(lengths[2] != 2))))
    early = _years(a, lengths[0], column) if may_lead else a
    late = _years(c, lengths[2], column) if may_end else c
    # An intraday column has few dates: each is read once.
    positions, key = pd.factorize(((early * 100 + b) * 10_000 + late) * 10_000 + tokens[0])
    first, late = key % 10_000, key // 10_000 % 10_000
    b, early = key // 100_000_000 % 100, key // 10_000_000_000
    mark = sep.strip() or " "
    year = "%Y" if year_first or year_last else "%y"
    readings = []
    if may_end:
        readings = [
            _reading("month first", f"%m{mark}%d{mark}{year}", late, first, b),
            _reading("day first", f"%d{mark}%m{mark}{year}", late, b, first),
        ]
        if mark == "." or column.european:
            readings.reverse()
        if column.day_first is not None:
            kept = "day first" if column.day_first else "month first"
            readings = [reading for reading in readings if reading.name == kept]
    if may_lead and (year_first or column.day_first is None or not may_end):
        day = late if year_first else late % 100
        readings.append(_reading("year first", f"{year}{mark}%m{mark}%d", early, b, day))
    return decide(
        [_expanded(reading, positions) for reading in readings],
        column,
        # With hyphens some mean the day first, some the month, and of two digits some the year.
        convention=mark != "-" or year_first or (column.european and year_last),
        sure=mark == "." and readings[0].name != "year first",
    )


def _expanded(reading: Reading, positions: IntArray) -> Reading:
    """Return a reading of the different dates as one of all rows."""
    return replace(
        reading,
        days=reading.days[positions],
        day=reading.day[positions],
        valid=reading.valid[positions],
    )


def _zoned(ns: IntArray, parts: list[_DatePart], n: int, column: DateColumn) -> Moments:
    zones = [part.zone for part in parts]
    if zones[0] is None:
        return Moments(ns)
    names = {zone for array in zones if array is not None for zone in set(array.tolist())}
    strings = {name for name in names if isinstance(name, str)}
    if strings:
        if len(names) > 1:
            first, other = int(parts[0].group.rows[0]), int(parts[-1].group.rows[0])
            raise column.two_formats(first, other)
        return Moments(ns, strings.pop())
    east = _whole([np.asarray(zone, np.int64) for zone in zones], parts, n)
    # Offsets that change, as summer time does, fit no single zone but UTC.
    return Moments(ns - east * 60 * _SECOND, names.pop() if len(names) == 1 else 0)


def read_times(column: DateColumn) -> IntArray:
    """Return times of day as nanoseconds, in one format for the whole column.

    Raises
    ------
    DataError
        If they are no times of day.
    """
    groups = cut(column.strings)
    if groups is None:
        raise column.unreadable(column.row(0))
    n = len(column.strings)
    out = np.zeros(n, np.int64)
    plain = [group.mask.strip() == "#" for group in groups]
    if any(plain) and not all(plain):
        first, other = (int(groups[plain.index(kind)].rows[0]) for kind in (True, False))
        raise column.two_formats(min(first, other), max(first, other))
    if plain and all(plain):
        digits, lengths = np.zeros(n, np.int64), np.zeros(n, np.int64)
        for group in groups:
            digits[group.rows], lengths[group.rows] = group.tokens[0], group.lengths[0]
        return packed_times(digits, lengths, np.arange(n), column)
    for group in groups:
        if group.mask.strip() == "#.#":
            out[group.rows] = _shares_of_a_day(group, column)
            continue
        mask = group.mask.strip()
        moment, zone = _time_of(group, mask, mask, column)
        if moment is None or zone is not None or not mask.startswith("#"):
            raise column.unreadable(column.row(int(group.rows[0])))
        out[group.rows] = moment
    return out


def _shares_of_a_day(group: Group, column: DateColumn) -> IntArray:
    """Return times as spreadsheets keep them: 0.395833333 is half past nine."""
    share = group.tokens[1] / 10.0 ** group.lengths[1]
    if group.tokens[0].any():
        raise column.unreadable(column.row(int(group.rows[int(np.argmax(group.tokens[0]))])))
    return np.asarray(np.rint(share * 86_400_000), np.int64) * 1_000_000
