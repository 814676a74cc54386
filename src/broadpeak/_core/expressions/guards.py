# SPDX-License-Identifier: BSD-3-Clause
"""The operations of the expression language whose cost could explode, with a bound on each."""

from __future__ import annotations

from collections.abc import Callable, Sized
from fractions import Fraction
from typing import Any, Final

from broadpeak.errors import ConditionError

MAX_BITS: Final = 20_000
"""Largest integer an expression may compute, in bits: about 6,000 decimal digits."""

MAX_REPEAT: Final = 10_000
"""Longest string or list an expression may build by repetition."""

_SEQUENCES = (str, bytes, list, tuple)


def power(base: Any, exponent: Any) -> Any:
    """Return ``base ** exponent`` unless the result would be an integer beyond the bound."""
    if isinstance(exponent, int) and isinstance(base, (int, Fraction)):
        bits = max(_bits(base) - 1, 0) * abs(exponent)
        if bits > MAX_BITS and (exponent > 0 or isinstance(base, Fraction)):
            raise _too_large("**")
    return base**exponent


def times(left: Any, right: Any) -> Any:
    """Return ``left * right`` unless the result would be an integer or a sequence beyond bounds."""
    if isinstance(left, _SEQUENCES):
        _check_repeat(left, right)
    elif isinstance(right, _SEQUENCES):
        _check_repeat(right, left)
    elif (
        isinstance(left, (int, Fraction))
        and isinstance(right, (int, Fraction))
        and _bits(left) + _bits(right) > MAX_BITS
    ):
        raise _too_large("*")
    return left * right


def remainder(left: Any, right: Any) -> Any:
    """Return ``left % right`` for anything but a string, where it would be formatting."""
    if isinstance(left, (str, bytes)):
        msg = (
            "'%' must stand between numbers, got a string on its left. Compare strings with == or "
            "in."
        )
        raise ConditionError(msg)
    return left % right


def rounded(number: Any, digits: Any = None) -> Any:
    """Return ``round(number, digits)`` for a sane number of digits."""
    if digits is None:
        return round(number)
    if isinstance(digits, int) and digits < -1000:
        msg = f"round() must get at least -1000 digits, got {digits}."
        raise ConditionError(msg)
    return round(number, digits)


def _bits(number: int | Fraction) -> int:
    if isinstance(number, Fraction):
        return max(number.numerator.bit_length(), number.denominator.bit_length())
    return number.bit_length()


def _check_repeat(sequence: Sized, count: object) -> None:
    # Nested lists would multiply: comparing two of them costs the product of all repetitions.
    nested = isinstance(sequence, (list, tuple)) and any(
        isinstance(item, _SEQUENCES) for item in sequence
    )
    if nested or (isinstance(count, int) and len(sequence) * count > MAX_REPEAT):
        raise _too_large("*")


def _too_large(operator: str) -> ConditionError:
    msg = (
        f"an expression must stay small, but a result of {operator!r} would be an integer of more "
        f"than {MAX_BITS} bits or a sequence of more than {MAX_REPEAT} items. Use smaller operands."
    )
    return ConditionError(msg)


FUNCTIONS: Final[dict[str, Callable[..., object]]] = {
    "abs": abs,
    "min": min,
    "max": max,
    "round": rounded,
    "len": len,
    "int": int,
    "float": float,
}
"""The functions an expression may call, by name."""
