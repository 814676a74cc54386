# SPDX-License-Identifier: BSD-3-Clause
"""Dates written as one number: 20240102, 240102, 202401, days of spreadsheets, epochs.

What a number may mean follows from how many digits the column has; what it does mean, from all
rows. A number is never taken for an epoch that would put prices into 1970 or far into the future.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from broadpeak._prices.reading.deciding import DAY, DateColumn, Moments, Reading, civil, decide
from broadpeak.types import BoolArray, IntArray

# Units of epochs by the seconds they hold. The bounds are those of prices there are: before 1973
# an epoch is as small as other numbers are, and a bar is not in the future.
_UNITS = ((1, "s"), (10**3, "ms"), (10**6, "us"), (10**9, "ns"))
_YEAR = 31_556_952
_EARLIEST, _LATEST = -70 * _YEAR, 70 * _YEAR
_LEAST = 10**8
# Other counts have the size of nanoseconds: ticks of 100 ns since the year 1 (.NET), or 1601.
_TICKS = ((10**17, 315_532_800 * 10**9), (620_000_000 * 10**9, 650_000_000 * 10**9))
_NOT_EPOCHS = "They have the size of no date: see date_format=."
_LAST_YEAR = 2050  # of a number that is taken for a date by its size
_DAY_ZERO = 25_569  # the spreadsheet's number of 1970-01-01
_SPREADSHEET = (10_000, 54_789)  # 1927-05-18 to 2050-01-01: five digits


def numbers_as_moments(
    whole: IntArray, share: np.ndarray, lengths: IntArray, column: DateColumn
) -> Moments:
    """Return the moments that numbers mean: their integers, what follows the point, their digits.

    Raises
    ------
    DataError
        If they are no dates, or dates in two ways.
    """
    if not len(whole):
        return Moments(whole)
    epochs = _epochs(whole, share, column)
    longest, shortest = int(lengths.max()), int(lengths.min())
    if longest == shortest and not share.any() and (whole >= 0).all():
        fits = _with_time(whole, longest)
        if fits and (epochs is None or len(whole) > 2 or fits[0][0]):
            return fits[0][1]
        if fits:
            rule = "It may be an epoch or a date and a time in digits. " + _NOT_EPOCHS
            raise column.unreadable(column.row(0), rule)
    if epochs is not None:
        return epochs
    if (whole < 0).any() or longest > 8:
        raise column.unreadable(column.row(int(np.argmax(lengths))), _NOT_EPOCHS)
    if longest == shortest == 5 and not column.intraday and _are_spreadsheet_days(whole):
        # A day's fractions have ten digits at most; none means less than a millisecond.
        moment = np.rint(share * 86_400_000).astype(np.int64) * 1_000_000
        return Moments((whole - _DAY_ZERO) * DAY + moment)
    if share.any():
        raise column.unreadable(column.row(int(np.argmax(share != 0))), _NOT_EPOCHS)
    return Moments(digits_as_days(whole, lengths, column).days * DAY)


def _are_spreadsheet_days(whole: IntArray) -> bool:
    low, high = _SPREADSHEET
    return bool(((whole >= low) & (whole <= high)).all())


def _epochs(whole: IntArray, share: np.ndarray, column: DateColumn) -> Moments | None:
    """Return the moments of counts since 1970, or None if they are not such counts."""
    sizes = np.abs(whole)
    largest = int(sizes.max())
    for per_second, _ in _UNITS:
        if not _LEAST * per_second <= largest <= _LATEST * per_second:
            continue
        if (whole < _EARLIEST * per_second).any():
            return None
        year = _YEAR * per_second
        if (sizes < year).any() and not ((sizes >= year) & (sizes < 3 * year)).any():
            # Rows in 1970 without any in 1971 or 1972: they count in another unit.
            small = int(np.argmax(sizes < year))
            raise column.two_formats(*sorted((small, int(np.argmax(sizes)))))
        if per_second == 10**9 and any(
            ((sizes >= low) & (sizes < high)).any() for low, high in _TICKS
        ):
            return None
        ns = whole * (10**9 // per_second) + np.rint(share * (10**9 / per_second)).astype(np.int64)
        return Moments(ns, 0)
    return None


def _with_time(whole: IntArray, length: int) -> list[tuple[bool, Moments]]:
    """Return the readings of digits that hold date and time, if all rows are valid.

    The first of each pair says that the year is written out: as epochs such numbers would lie in
    1976 or after 2030.
    """
    shapes = {
        10: ["yyyymmddHH", "yymmddHHMM"],
        12: ["yyyymmddHHMM", "yymmddHHMMSS"],
        14: ["yyyymmddHHMMSS"],
        17: ["yyyymmddHHMMSSfff"],
    }
    fits = []
    for shape in shapes.get(length, []):
        part = {char: _digits(whole, shape, char) for char in "ymdHMSf"}
        year = part["y"] if "yyyy" in shape else _four_digits(part["y"])
        days, valid = civil(year, part["m"], part["d"])
        seconds = (part["H"] * 60 + part["M"]) * 60 + part["S"]
        valid &= (part["M"] < 60) & (part["S"] < 60) & (seconds <= 86_400)
        valid &= (year >= 1900) & (year <= _LAST_YEAR)
        if valid.all():
            moment = (seconds * 1000 + part["f"]) * 1_000_000
            fits.append(("yyyy" in shape, Moments(days * DAY + moment)))
    return fits


def _digits(whole: IntArray, shape: str, char: str) -> IntArray:
    """Return the digits of numbers at the positions of `char` in their shape; 0 if it is absent."""
    count = shape.count(char)
    after = len(shape) - shape.rfind(char) - 1
    return whole // 10**after % 10**count if count else np.zeros_like(whole)


def _four_digits(year: IntArray) -> IntArray:
    return year + np.where(year >= 69, 1900, 2000)


def digits_as_days(whole: IntArray, lengths: IntArray, column: DateColumn) -> Reading:
    """Return the reading of digits that hold a date and no time.

    Raises
    ------
    DataError
        If they are no dates, or dates in two ways.
    """
    longest, shortest = int(lengths.max()), int(lengths.min())
    eight: dict[str, tuple[str, str]] = {
        "yyyymmdd": ("year first", "%Y%m%d"),
        "ddmmyyyy": ("day first", "%d%m%Y"),
        "mmddyyyy": ("month first", "%m%d%Y"),
    }
    six = {
        "yymmdd": ("year first", "%y%m%d"),
        "ddmmyy": ("day first", "%d%m%y"),
        "mmddyy": ("month first", "%m%d%y"),
        "yyyymm": ("as months", "%Y%m"),
    }
    # Leading zeros are lost where somebody took the dates for numbers.
    shapes = {8: eight, 7: eight, 6: six, 5: six, 4: {"yyyy": ("as years", "%Y")}}
    allowed = shapes.get(longest)
    if allowed is None or (longest > 4 and shortest < longest - 1) or (longest == 4 != shortest):
        raise column.unreadable(column.row(int(np.argmin(lengths))), _NOT_EPOCHS)
    readings = []
    for shape, (name, written) in allowed.items():
        if "d" not in shape and (column.intraday or shortest < len(shape)):
            continue
        if shape == "yyyymmdd" and shortest < 8:
            continue
        readings.append(_shaped(whole, shape, name, written))
    if column.day_first is not None:
        wanted = "day first" if column.day_first else "month first"
        named = [reading for reading in readings if reading.name == wanted]
        readings = named if named and not readings[0].valid.all() else readings
    if not readings:
        raise column.unreadable(column.row(0), _NOT_EPOCHS)
    return decide(readings, column, convention=False)


def _shaped(whole: IntArray, shape: str, name: str, written: str) -> Reading:
    part: Callable[[str], IntArray] = lambda char: _digits(whole, shape, char)  # noqa: E731
    ones = np.ones_like(whole)
    year = part("y") if "yyyy" in shape else _four_digits(part("y"))
    month = part("m") if "m" in shape else ones
    day = part("d") if "d" in shape else ones
    days, valid = civil(year, month, day)
    valid = _plausible(year, valid)
    return Reading(name, written, days, day, valid)


def _plausible(year: IntArray, valid: BoolArray) -> BoolArray:
    return valid & (year <= _LAST_YEAR)
