# SPDX-License-Identifier: BSD-3-Clause
"""Argument rules: one function a rule, each with a message that says what to type."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any, TypeVar

from broadpeak.errors import ParamError, ParamTypeError, broken_rule

T = TypeVar("T")


def window(name: str, value: float) -> int:
    """Return a window length in bars: `value` rounded half up.

    Every window of the library passes here, so that 2.5 means 3 everywhere.

    Raises
    ------
    ParamError
        If `value` is NaN, infinite or less than 1 after rounding.

    Examples
    --------
    >>> window("window", 2.5), window("window", 10)
    (3, 10)
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0.5:
        raise ParamError(broken_rule(name, "be a length of at least 1 bar", value))
    # Longer than any data is all the same; the bound is one that kernels can hold.
    return math.floor(min(number, 2.0**53) + 0.5)


def whole(name: str, value: Any, least: int = 1) -> int:
    """Return `value` as a whole number of at least `least`; 2.0 is one, True and "2" are not.

    Raises
    ------
    ParamError
        If it is not.

    Examples
    --------
    >>> whole("passes", 2.0)
    2
    """
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = least - 1
    if isinstance(value, (bool, str)) or number != value or number < least:
        raise ParamError(broken_rule(name, f"be a whole number of at least {least}", value))
    return number


def one_of(name: str, value: T, allowed: Iterable[T]) -> T:
    """Return `value` if it is one of `allowed`.

    Raises
    ------
    ParamError
        If it is not; the message names the allowed values and the nearest one.
    """
    choices = list(allowed)
    if value in choices:
        return value
    names = ", ".join(repr(choice) for choice in choices)
    raise ParamError(broken_rule(name, f"be one of {names}", value, did_you_mean(value, choices)))


def did_you_mean(value: object, known: Iterable[object]) -> str:
    """Return "Did you mean …?" for the known name nearest to `value`, or an empty text.

    Examples
    --------
    >>> did_you_mean("engnie", ["engine", "seed"])
    "Did you mean 'engine'?"
    """
    near = difflib.get_close_matches(str(value), [str(name) for name in known], n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else ""


def unknown_option(owner: str, name: str, known: Iterable[str]) -> ParamTypeError:
    """Return the `TypeError` for an option that `owner` does not have; it names the nearest one."""
    names = sorted(known)
    hint = did_you_mean(name, names) or f"Known options: {', '.join(names)}."
    return ParamTypeError(f"{owner} got an unknown option {name!r}. {hint}")
