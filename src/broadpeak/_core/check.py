# SPDX-License-Identifier: BSD-3-Clause
"""Argument rules: one function per rule, each with a message that says what to type.

Every rule looks at the type of a value before it looks at the value: what is passed by mistake may
not be comparable, and an array compared with a string is a warning of NumPy. A rule raises
`ParamTypeError` where the type is wrong, `ParamError` where only the value is.
"""

from __future__ import annotations

import decimal
import difflib
import functools
import inspect
import math
import numbers
import os
import threading
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from broadpeak.errors import ParamError, ParamTypeError, broken_rule, shown

T = TypeVar("T")

LONGEST_NAME = 100


def real(value: object) -> int | float | None:
    """Return `value` as a Python number, or None if it is not a real number.

    Booleans and strings do not count, nor do spans of time, which NumPy files under integers. An
    array without dimensions is the number that it holds.

    Examples
    --------
    >>> real(2), real(1.5), real(True), real("2")
    (2, 1.5, None, None)
    """
    if isinstance(value, (bool, str)):
        return None
    if isinstance(value, (int, float)):
        return value
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind:
        item = getattr(value, "item", None)
        plain = kind in "iuf" and getattr(value, "ndim", 0) == 0 and callable(item)
        found = item() if item is not None and plain else None
        return found if isinstance(found, (int, float)) else None
    if not isinstance(value, (numbers.Real, decimal.Decimal)):
        return None
    try:
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    except (ValueError, OverflowError):
        return math.nan


def as_float(value: object) -> float:
    """Return a real number as a float, infinite if no float is that large; NaN for the rest.

    Examples
    --------
    >>> as_float(3), as_float("3"), as_float(True), as_float(10**400)
    (3.0, nan, nan, inf)
    """
    got = real(value)
    try:
        return math.nan if got is None else float(got)
    except OverflowError:
        return math.inf if got is not None and got > 0 else -math.inf


def window(name: str, value: object) -> int:
    """Return a window in bars, rounded half up; every window passes here, so 2.5 is 3 everywhere.

    Examples
    --------
    >>> window("window", 2.5), window("window", 10)
    (3, 10)
    """
    length = real(value)
    if length is None or not length >= 0.5 or length == math.inf:
        raise ParamError(broken_rule(name, "be a length of at least 1 bar", value))
    # Longer than any data is all the same; the bound is one that kernels can hold.
    return math.floor(min(length, 2**53) + 0.5)


def integer(name: str, value: object, least: int = 1, most: int = 2**63 - 1) -> int:
    """Return `value` as an integer from `least` to `most`; 2.0 is one, True and "2" are not.

    Examples
    --------
    >>> integer("passes", 2.0)
    2
    """
    got = real(value)
    if got is None or not least <= got < math.inf or got != math.floor(got):
        raise ParamError(broken_rule(name, f"be an integer of at least {least}", value))
    if got > most:
        raise ParamError(broken_rule(name, f"be an integer of at most {most}", value))
    return int(got)


def number(
    name: str,
    value: object,
    least: float = -math.inf,
    remedy: str = "",
    *,
    above: float | None = None,
    finite: bool = True,
) -> float:
    """Return `value` as a float within the bounds; infinity and NaN only with ``finite=False``.

    Examples
    --------
    >>> number("level", 2, least=0)
    2.0
    """
    got = real(value)
    try:
        found = None if got is None else float(got)
    except OverflowError:  # an integer beyond all floats
        found = None
    low = found is not None and (found < least or (above is not None and found <= above))
    if found is None or low or (finite and not math.isfinite(found)):
        rule = "be a finite number" if finite else "be a number"
        rule += f" of at least {least:g}" if least > -math.inf else ""
        rule += f" above {above:g}" if above is not None else ""
        raise ParamError(broken_rule(name, rule, value, remedy))
    return found


def seconds(name: str, value: object) -> float | None:
    """Return `value` as a positive number of seconds; None is no limit, nor is what never ends."""
    if value is None:
        return None
    got = real(value)
    if got is None or not got > 0:
        raise ParamError(broken_rule(name, "be a positive number of seconds", value))
    return got if got <= threading.TIMEOUT_MAX else None


def seed(value: object, name: str = "seed") -> int | None:
    """Return `value` as a seed: an integer of at least 0; None draws fresh entropy."""
    return None if value is None else integer(name, value, 0, 2**128)


def axis(name: str, value: object) -> int:
    """Return `value` as an axis that an array can have; negative ones count from the last."""
    return integer(name, value, -64, 63)


def flag(name: str, value: object) -> bool:
    """Return `value` if it is True or False, of Python or NumPy: truthiness hides mistakes."""
    if isinstance(value, bool):
        return value
    if getattr(getattr(value, "dtype", None), "kind", "") == "b" and not getattr(value, "ndim", 1):
        return bool(value)
    raise ParamTypeError(broken_rule(name, "be True or False", value))


def string(name: str, value: object, remedy: str = "") -> str:
    """Return `value` if it is a string that holds more than spaces and that UTF-8 can encode.

    Examples
    --------
    >>> string("store_key", "v1")
    'v1'
    """
    if not isinstance(value, str):
        raise ParamTypeError(broken_rule(name, "be a string", value, remedy))
    if not value.strip():
        raise ParamError(broken_rule(name, "be a string that is not empty", value, remedy))
    if not is_unicode(value):
        raise ParamError(broken_rule(name, "be a string that UTF-8 can encode", value, remedy))
    return value


def is_unicode(value: str) -> bool:
    """Return whether UTF-8 can encode a string: it cannot encode one half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def path(name: str, value: object, remedy: str = "") -> Path:
    """Return `value` as a path that can name a file."""
    if not isinstance(value, (str, os.PathLike)):
        raise ParamTypeError(broken_rule(name, "be a path", value, remedy))
    words = ""
    try:
        words = os.fsdecode(value)
        usable = bool(words.strip()) and b"\0" not in os.fsencode(words)
    except UnicodeError:
        usable = False
    if not usable:
        raise ParamError(broken_rule(name, "be the path of a file", value, remedy))
    return Path(words)


def identifier(name: str, value: T) -> T:
    """Return `value` if it can serve as a key: hashable, printable and equal to itself."""
    try:
        hash(value)
        str(value).encode()
        usable = bool(value == value)  # noqa: PLR0124  # NaN is not equal to itself
    except (TypeError, ValueError):
        usable = False
    if not usable:
        raise ParamTypeError(
            broken_rule(name, "be a string, a number or another plain value", value)
        )
    return value


def function(name: str, value: T, remedy: str = "") -> T:
    """Return `value` if it can be called."""
    if not callable(value):
        raise ParamTypeError(broken_rule(name, "be callable", value, remedy))
    return value


def mapping(name: str, value: object, remedy: str = "") -> Mapping[Any, Any]:
    """Return `value` if it is a dict or another mapping."""
    if not isinstance(value, Mapping):
        raise ParamTypeError(broken_rule(name, "be a dict", value, remedy))
    return value


def labels(name: str, value: object, rule: str) -> Iterable[Any]:
    """Return `value` if it is a list or a one-dimensional array; `rule` is the message."""
    items = iterable(name, value, rule)
    kind = str(getattr(value, "dtype", ""))
    if getattr(value, "ndim", 1) != 1 or kind == "float16":  # which pandas has no index of
        raise ParamTypeError(broken_rule(name, rule, value))
    return items


def iterable(name: str, value: object, rule: str, remedy: str = "") -> Iterable[Any]:
    """Return `value` if it holds items; a string is one item. `rule` is the message."""
    is_single = isinstance(value, (str, bytes, type)) or getattr(value, "ndim", 1) == 0
    if is_single or not isinstance(value, Iterable):
        raise ParamTypeError(broken_rule(name, rule, value, remedy))
    return value


def one_of(name: str, value: T, allowed: Iterable[T]) -> T:
    """Return `value` if it is one of `allowed`; the message lists them and names the nearest."""
    choices = list(allowed)
    if any(_is_option(value, choice) for choice in choices):
        return value
    names = ", ".join(repr(choice) for choice in choices)
    raise ParamError(broken_rule(name, f"be one of {names}", value, did_you_mean(value, choices)))


def _is_option(value: object, choice: object) -> bool:
    """Return whether both are one option: 1 is not True, and an array is never compared."""
    if value is choice:
        return True
    if isinstance(choice, str):
        return isinstance(value, str) and value == choice
    if (wanted := real(choice)) is not None:
        return real(value) == wanted
    return type(value) is type(choice) and bool(value == choice)


def unknown_option(owner: str, name: str, known: Iterable[str]) -> ParamTypeError:
    """Return the error for an option that `owner` does not have; it names the nearest one."""
    names = sorted(known)
    hint = did_you_mean(name, names) or f"Known options: {', '.join(names)}."
    return ParamTypeError(f"{owner} got an unknown option {shown(name)}. {hint}")


def did_you_mean(value: object, known: Iterable[object]) -> str:
    """Return "Did you mean …?" for the known name nearest to `value`, or an empty string.

    Examples
    --------
    >>> did_you_mean("engnie", ["engine", "seed"])
    "Did you mean 'engine'?"
    """
    if not _is_comparable(value):
        return ""
    names = [str(name) for name in known if not isinstance(name, int) or _is_comparable(name)]
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else ""


def _is_comparable(value: object) -> bool:
    """Return whether `value` may be a mistyped name; nobody mistypes one by a page of text."""
    if isinstance(value, int):
        return abs(value) <= 2**64  # beyond 4,300 digits there is no string of it
    return isinstance(value, (str, float)) and len(str(value)) <= LONGEST_NAME


def plain_function(name: str, func: object) -> None:
    """Refuse a function whose calls only start something: it would never be awaited or exhausted.

    Partials, methods and objects with `__call__` are looked through.

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
            text = f"{name} must {rule}, got the {kind} function {_short_name(target)!r}. "
            raise ParamTypeError(text + _FINISH[kind])


def finished(value: T) -> T:
    """Return the result of a call, unless it is a coroutine or generator that has only started."""
    kind = UNFINISHED_TYPES.get(type(value))
    if kind is None:
        return value
    if isinstance(value, types.CoroutineType):
        value.close()  # or Python would warn that it was never awaited
    kind_of = f"an {kind}" if kind.startswith("a") else f"a {kind}"
    text = f"A call must return its result, got {kind_of} of {_short_name(value)!r}. "
    raise ParamTypeError(text + _FINISH[kind])


def _short_name(value: object) -> str:
    return str(getattr(value, "__qualname__", value)).rpartition(".")[2]


_UNFINISHED: Final[dict[str, Callable[[object], bool]]] = {
    "coroutine": inspect.iscoroutinefunction,
    "async generator": inspect.isasyncgenfunction,
    "generator": inspect.isgeneratorfunction,
}
UNFINISHED_TYPES: Final[dict[type, str]] = {
    types.CoroutineType: "coroutine",
    types.AsyncGeneratorType: "async generator",
    types.GeneratorType: "generator",
}
"""Types of calls that have only started, and what they are called."""
_FINISH = {
    "coroutine": "Type: lambda *args: asyncio.run(func(*args)).",
    "async generator": "Collect its items in a plain function, and return them.",
    "generator": "Return a list: type return list(…) in a plain function around it.",
}
