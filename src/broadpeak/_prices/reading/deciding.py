# SPDX-License-Identifier: BSD-3-Clause
"""One column has one format of dates: which of the possible ones, by all its rows.

A format that some row contradicts is out. Between those left over, what the rows say together
decides: bars are in order of time, days of a market are a few days apart and not on weekends. Where
that settles nothing, conventions do; where two readings are equally good, the user has to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from broadpeak.errors import DataError, broken_rule, warn
from broadpeak.types import AnyArray, BoolArray, IntArray

DAY = 86_400_000_000_000  # nanoseconds
FIRST_YEAR, LAST_YEAR = 1800, 2199
_REMEDY = "Pass date_format='%d.%m.%Y', or the column: date_column='…'."
_FRAME_REMEDY = "Type: frame.index = pd.to_datetime(frame.pop('Date'), format='%d.%m.%Y')"


@dataclass(frozen=True)
class DateColumn:
    """A column of dates as messages name it, and what is known besides its cells.

    Attributes
    ----------
    owner, label : str
        The file or frame, and the column in it.
    strings : array
        Its cells as they were written.
    runs : array of int, optional
        Which symbol each row belongs to: time runs on within one.
    in_frame : bool
        Whether it came in memory, where the arguments of file readers do not exist.
    intraday : bool
        Whether a time of day stands beside it.
    day_first : bool, optional
        What the caller says of it.
    european : bool
        Whether numbers beside it have decimal commas: the month is never written first there.
    is_tried : bool
        Whether it is only asked if these may be dates, so that nobody is told of anything.
    notes : list of str, optional
        Takes what there is to tell, for the caller to tell it once more is known.
    """

    owner: str
    label: object
    strings: AnyArray
    runs: IntArray | None = None
    in_frame: bool = False
    intraday: bool = False
    day_first: bool | None = None
    european: bool = False
    is_tried: bool = False
    notes: list[str] | None = None

    def unreadable(self, got: object, remedy: str = "") -> DataError:
        """Return the error for dates that cannot be read."""
        rule = f"have readable dates in column {self.label!r}"
        remedy = " ".join(x for x in (remedy, _FRAME_REMEDY if self.in_frame else _REMEDY) if x)
        return DataError(broken_rule(self.owner, rule, got, remedy))

    def row(self, position: int) -> str:
        """Return how a message shows one cell."""
        return f"{self.strings[position]} (row {position + 1})"

    def two_formats(self, one: int, other: int) -> DataError:
        """Return the error for two rows that no single format reads."""
        rule = f"have readable dates in one format in column {self.label!r}"
        got = f"{self.row(one)} beside {self.row(other)}"
        return DataError(broken_rule(self.owner, rule, got, "Write all of them alike."))

    def ambiguous(self, one: Reading, other: Reading) -> DataError:
        """Return the error for dates that make sense in two ways."""
        rule = f"have dates in column {self.label!r} that mean one thing only"
        remedy = f"They may be written {one.name} or {other.name}: "
        if self.in_frame:
            remedy += f"type pd.to_datetime(…, format={one.format!r}) or {other.format!r}."
        else:
            remedy += f"pass date_format={one.format!r} or {other.format!r}."
            if {"%d", "%m"} <= {one.format[:2], other.format[:2]}:
                remedy += " dayfirst=True and dayfirst=False say the same."
        last = len(self.strings) - 1
        return DataError(
            broken_rule(self.owner, rule, f"{self.row(0)} to {self.row(last)}", remedy)
        )

    def tell_of_convention(self, taken: Reading, other: Reading) -> None:
        """Warn that the month was taken to come first, where the rows make sense in two ways.

        Dots and decimal commas say plainly enough that the day does.
        """
        if self.is_tried or (taken.format[:2], other.format[:2]) != ("%m", "%d"):
            return
        remedy = "pass dayfirst=True; dayfirst=False says that this is right"
        if self.in_frame:
            remedy = f"type pd.to_datetime(…, format={other.format!r})"
        note = (
            f"The dates in column {self.label!r} of {self.owner}, {self.row(0)} to "
            f"{self.row(len(self.strings) - 1)}, can be read in two ways and are taken as "
            f"{taken.name}. If they are {other.name}, {remedy}."
        )
        if self.notes is None:
            warn(note, UserWarning)
        else:
            self.notes.append(note)


@dataclass(frozen=True)
class Moments:
    """Nanoseconds since 1970, and the zone they are in: a name, minutes east, or None."""

    ns: IntArray
    zone: Any = None


@dataclass(frozen=True)
class Reading:
    """What the rows mean in one format.

    Attributes
    ----------
    name, format : str
        As a message calls it, and as `date_format` writes it.
    days : array of int
        Days since 1970.
    day : array of int
        Day of the month.
    valid : array of bool
        Whether the row is a date in this format.
    """

    name: str
    format: str
    days: IntArray
    day: IntArray
    valid: BoolArray


def civil(year: IntArray, month: IntArray, day: IntArray) -> tuple[IntArray, BoolArray]:
    """Return the days since 1970 of dates, and whether they are dates.

    Howard Hinnant's days_from_civil: years begin in March, so that leap days come last.
    """
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    longest = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])[np.clip(month, 0, 12)]
    valid = (month >= 1) & (month <= 12) & (day >= 1) & (day <= longest + (leap & (month == 2)))
    valid &= (year >= FIRST_YEAR) & (year <= LAST_YEAR)
    shifted = np.clip(year, 0, 9999) - (month <= 2)
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468, valid


@dataclass(frozen=True)
class _Evidence:
    """How well a reading makes a history of prices: 0 out of order, up to 3 for days of trade."""

    rank: int
    short: bool
    long: bool


def _evidence(reading: Reading, runs: IntArray | None) -> _Evidence | None:
    """Return how the rows follow each other, or None if all are on one day."""
    order = np.arange(len(reading.days)) if runs is None else np.argsort(runs, kind="stable")
    days, day = reading.days[order], reading.day[order]
    steps = np.diff(days)
    if runs is not None:
        steps = steps[np.diff(runs[order]) == 0]
    steps = steps[steps != 0]
    if not len(steps):
        return None
    if not ((steps > 0).all() or (steps < 0).all()):
        return _Evidence(0, short=False, long=False)
    sizes = np.abs(steps)
    short = bool((sizes <= 5).mean() >= 0.9)
    weekends = bool(((days + 3) % 7 >= 5).any())
    even = [(6, 8), (28, 31), (89, 92), (365, 366)]
    regular = short or any(((sizes >= a) & (sizes <= b)).all() for a, b in even)
    # Bars of months bear their first or their last day.
    long = bool((sizes >= 28).all()) and bool((day == 1).all() or (day >= 26).all())
    if not regular:
        # Bars are not years apart now and then.
        return _Evidence(1 if sizes.max() <= 400 else 0, short=False, long=long)
    return _Evidence(2 if weekends or not short else 3, short=short, long=long)


def decide(
    readings: list[Reading], column: DateColumn, *, convention: bool, sure: bool = False
) -> Reading:
    """Return the one of `readings`, the most usual first, that the rows mean.

    `convention` says that the first is what most people mean, `sure` that nobody writes the others
    so, and only the order of rows may speak for them.

    Raises
    ------
    DataError
        If rows contradict each other, or nothing settles which one is meant.
    """
    possible = [reading for reading in readings if reading.valid.all()]
    if not possible:
        raise _contradiction(readings, column)
    if len(possible) == 1:
        return possible[0]
    usual = possible[0]
    seen = [_evidence(reading, column.runs) for reading in possible]
    known = seen[0]
    if known is None or any(each is None for each in seen):
        if convention:
            # Bars within one day are the usual sample of a vendor.
            n_runs = 1 if column.runs is None else len(np.unique(column.runs))
            if len(usual.days) == n_runs and len(str(column.strings[0])) <= len("01/02/2024"):
                column.tell_of_convention(usual, possible[1])
            return usual
        raise column.ambiguous(usual, possible[1])
    ranks = [each.rank if each else 0 for each in seen]
    best = max(ranks)
    winners = [position for position, rank in enumerate(ranks) if rank == best]
    rivals = [
        reading
        for reading, each in zip(possible[1:], seen[1:], strict=True)
        if each
        and (
            (each.short and known.long)
            or (each.long and known.short and not (convention and known.rank == 3))
        )
    ]
    if sure:
        return possible[winners[0]] if known.rank == 0 and best >= 2 else usual
    if rivals:
        # Months by their first day, or the first days of one month?
        raise column.ambiguous(usual, rivals[0])
    if 0 in winners or (convention and best < 2):
        if convention or len(winners) == 1:
            others = [position for position in winners if position]
            if others:
                column.tell_of_convention(usual, possible[others[0]])
            return usual
        raise column.ambiguous(usual, possible[winners[1]])
    if len(winners) > 1:
        raise column.ambiguous(*[possible[position] for position in winners[:2]])
    return possible[winners[0]]


def _contradiction(readings: list[Reading], column: DateColumn) -> DataError:
    """Return the error for rows of which each fits a format, but not all of them the same one."""
    failing = [int(np.argmin(reading.valid)) for reading in readings]
    never = ~np.logical_or.reduce([reading.valid for reading in readings])
    if never.any():
        return column.unreadable(column.row(int(np.argmax(never))))
    # The row that rules out the format most rows have, and one that rules out the next.
    best = sorted(range(len(readings)), key=lambda k: -int(readings[k].valid.sum()))
    one, other = failing[best[0]], failing[best[1]]
    return column.two_formats(min(one, other), max(one, other))
