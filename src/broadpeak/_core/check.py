# SPDX-License-Identifier: BSD-3-Clause
"""Argument rules: one function a rule, each with a message that says what to type."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import numbers
import types
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final, TypeVar

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


def as_float(value: object) -> float:
    """Return a real number as a float; NaN for anything else, also for bools and text.

    Examples
    --------
    >>> as_float(3), as_float("3"), as_float(True)
    (3.0, nan, nan)
    """
    if isinstance(value, bool) or not isinstance(value, (numbers.Real, Decimal)):
        return math.nan
    number: Any = value
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def one_of(name: str, value: T, allowed: Iterable[T]) -> T:
    """Return `value` if it is one of `allowed`.

    Raises
    ------
    ParamError
        If it is not; the message names the allowed values and the nearest one.
    """
    choices = list(allowed)
    for choice in choices:
        # Of another type it may be an array, whose comparison is neither true nor false.
        if value is choice or (isinstance(value, type(choice)) and value == choice):
            return value
    names = ", ".join(repr(choice) for choice in choices)
    raise ParamError(broken_rule(name, f"be one of {names}", value, did_you_mean(value, choices)))


def plain_function(name: str, func: Any) -> None:
    """Refuse a function whose calls only begin something: nobody would ever finish it.

    Raises
    ------
    TypeError
        For coroutine and generator functions, also behind a partial, a method or `__call__`.

    Examples
    --------
    >>> plain_function("func", len)
    """
    target = getattr(func, "py_func", func)
    while isinstance(target, functools.partial):
        target = target.func
    if not inspect.isroutine(target) and not isinstance(target, type):
        target = getattr(target, "__call__", target)  # noqa: B004  # the method, not whether it is
    for kind, is_kind in _UNFINISHED.items():
        if is_kind(target):
            rule = "be a plain function that returns its result"
            text = f"{name} must {rule}, got the {kind} function {_called(target)!r}. "
            raise ParamTypeError(text + _FINISH[kind])


def finished(value: Any) -> Any:
    """Return `value` unless it is a call that has only begun.

    Raises
    ------
    TypeError
        For a coroutine or a generator.
    """
    kind = UNFINISHED_TYPES.get(type(value))
    if kind is None:
        return value
    if kind == "coroutine":
        value.close()  # or Python would warn that nobody has awaited it
    kind_of = f"an {kind}" if kind.startswith("a") else f"a {kind}"
    text = f"A call must return its result, got {kind_of} of {_called(value)!r}. "
    raise ParamTypeError(text + _FINISH[kind])


def _called(value: Any) -> str:
    return str(getattr(value, "__qualname__", value)).rpartition(".")[2]


_UNFINISHED = {
    "coroutine": inspect.iscoroutinefunction,
    "async generator": inspect.isasyncgenfunction,
    "generator": inspect.isgeneratorfunction,
}
UNFINISHED_TYPES: Final[dict[type, str]] = {
    types.CoroutineType: "coroutine",
    types.AsyncGeneratorType: "async generator",
    types.GeneratorType: "generator",
}
"""Types of calls that have only begun, and what they are called."""
_FINISH = {
    "coroutine": "Type: lambda *args: asyncio.run(func(*args)).",
    "async generator": "Collect its items in a plain function, and return them.",
    "generator": "Return a list: type return list(…) in a plain function around it.",
}


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
