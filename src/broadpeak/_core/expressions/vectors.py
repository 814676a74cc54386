# SPDX-License-Identifier: BSD-3-Clause
"""Numbers as NumPy arrays that agree with Python, and the operations on them, each with its proof.

NumPy wraps integers at 64 bits and turns them into floats beside floats; Python does neither. A
vector therefore carries bounds of its integers, and an operation computes the bounds of its result
first: if they fit, nothing in the arrays can wrap or be rounded. Where that cannot be shown the
operation raises `NotVectorised`, and the caller goes row by row with Python itself.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from broadpeak.types import AnyArray, BoolArray, IntArray

INT64: Final = 2**63 - 1
EXACT: Final = 2**53
"""Up to here every integer is a float64."""


class NotVectorised(Exception):  # noqa: N818  # a signal, never an error the user sees
    """NumPy cannot be shown to agree with Python here; the caller goes row by row."""


@dataclass(frozen=True, slots=True)
class Vector:
    """Many values of one kind."""

    # "b", "i", "f" or "m": booleans, integers (int64), floats (float64), or integers and floats
    # mixed (float64, the integers within ±2**53).
    kind: str
    data: AnyArray  # of any shape that broadcasts with its peers
    # Bounds of the integers in it ("b", "i", "m"), never exceeded: they prove that nothing wraps.
    low: int = 0
    high: int = 1
    raised: BoolArray | None = None  # where Python would have raised; the data mean nothing there

    @property
    def reach(self) -> int:
        """The largest magnitude of its integers."""
        return max(abs(self.low), abs(self.high))

    def take(self, codes: IntArray) -> Vector:
        """Return the values at `codes`."""
        raised = None if self.raised is None else self.raised[codes]
        return Vector(self.kind, self.data[codes], self.low, self.high, raised)


def either(*masks: BoolArray | None) -> BoolArray | None:
    """Return where any of the masks is set; None stands for nowhere."""
    result: BoolArray | None = None
    for mask in masks:
        if mask is not None:
            result = mask if result is None else result | mask
    return result


def vector_of(items: Sequence[Any], raised: BoolArray | None = None) -> Vector:
    """Return plain Python numbers as a vector.

    Raises
    ------
    NotVectorised
        If they are anything but booleans, integers within 64 bits, and floats.
    """
    kinds = set(map(type, items))
    if kinds <= {bool}:
        return Vector("b", np.array(items, dtype=bool), raised=raised)
    if kinds <= {bool, int}:
        low, high = int(min(items)), int(max(items))
        if low >= -INT64 and high <= INT64:
            return Vector("i", np.array(items, dtype=np.int64), low, high, raised)
    elif kinds == {float}:
        return Vector("f", np.array(items, dtype=np.float64), raised=raised)
    elif kinds <= {bool, int, float}:
        integers = [int(item) for item in items if not isinstance(item, float)]
        low, high = min(integers), max(integers)
        if low >= -EXACT and high <= EXACT:
            return Vector("m", np.array(items, dtype=np.float64), low, high, raised)
    raise NotVectorised


class Values:
    """The values a name runs through, and their vector if they have one."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def _vector(self) -> Vector | None:
        try:
            return vector_of(self.items)
        except NotVectorised:
            return None

    def is_numeric(self) -> bool:
        """Whether all values are numbers of moderate size."""
        if isinstance(self.items, range):
            return max(abs(self.items[0]), abs(self.items[-1])) <= EXACT
        vector = self._vector
        return vector is not None and vector.reach <= EXACT

    @cached_property
    def bounds(self) -> tuple[float, float] | None:
        """The smallest and the largest of moderate, finite numbers; None if they are not."""
        if isinstance(self.items, range):
            low, high = sorted((float(self.items[0]), float(self.items[-1])))
        elif self._vector is not None:
            low, high = float(self._vector.data.min()), float(self._vector.data.max())
        else:
            return None
        return (low, high) if max(-low, high) <= EXACT else None

    def take(self, codes: IntArray | None) -> Vector:
        """Return the values at `codes`; None takes the only one there is.

        Raises
        ------
        NotVectorised
            If the values are not numbers, or too large.
        """
        if isinstance(self.items, range):
            return self._take_range(self.items, codes)
        if self._vector is None:
            raise NotVectorised
        if codes is None:
            codes = np.zeros((), dtype=np.int64)
        return self._vector.take(codes)

    @staticmethod
    def _take_range(items: range, codes: IntArray | None) -> Vector:
        # A range may be far too long to hold: compute only what is taken.
        low, high = sorted((items[0], items[-1]))
        if max(-low, high, abs(items.step)) > INT64 // 2:
            raise NotVectorised
        position = np.zeros((), dtype=np.int64) if codes is None else codes.astype(np.int64)
        return Vector("i", items.start + items.step * position, low, high)


def unify(left: Vector, right: Vector) -> tuple[Vector, Vector]:
    """Return both operands as one kind, their values unchanged."""
    kinds = {left.kind, right.kind}
    if len(kinds) == 1:
        return left, right
    if kinds == {"b", "i"}:
        return _as_int(left), _as_int(right)
    return _as_mixed(left), _as_mixed(right)


def positive(operand: Vector) -> Vector:
    """Return ``+operand``: itself, but True is 1."""
    return _as_int(operand)


def negative(operand: Vector) -> Vector:
    """Return ``-operand``."""
    number = _as_int(operand)
    return replace(number, data=-number.data, low=-number.high, high=-number.low)


def _as_int(vector: Vector) -> Vector:
    if vector.kind != "b":
        return vector
    return replace(vector, kind="i", data=vector.data.astype(np.int64), low=0, high=1)


def _as_mixed(vector: Vector) -> Vector:
    if vector.kind == "f":
        return replace(vector, kind="m", low=0, high=0)
    if vector.kind != "m" and vector.reach > EXACT:
        raise NotVectorised
    return replace(vector, kind="m", data=vector.data.astype(np.float64))


def _numbers(left: Vector, right: Vector) -> tuple[Vector, Vector, str]:
    """Return operands of arithmetic and the kind of the result."""
    left, right = _as_int(left), _as_int(right)
    kinds = {left.kind, right.kind}
    if kinds == {"i"}:
        return left, right, "i"
    if "f" in kinds:
        # Python turns the integer into the nearest float, and so does NumPy.
        return _as_float(left), _as_float(right), "f"
    return _as_mixed(left), _as_mixed(right), "m"


def _as_float(vector: Vector) -> Vector:
    return replace(vector, data=vector.data.astype(np.float64, copy=False))


def _result(kind: str, data: AnyArray, bounds: Iterable[int], raised: BoolArray | None) -> Vector:
    bounds = list(bounds)
    low, high = min(bounds), max(bounds)
    most = {"i": INT64, "m": EXACT}.get(kind)
    if most is not None and max(-low, high) > most:
        raise NotVectorised
    return Vector(kind, data, low, high, raised)


def _corners(operation: Callable[[int, int], int], left: Vector, right: Vector) -> list[int]:
    return [operation(a, b) for a in (left.low, left.high) for b in (right.low, right.high)]


def _add(left: Vector, right: Vector) -> Vector:
    left, right, kind = _numbers(left, right)
    bounds = (left.low + right.low, left.high + right.high)
    return _result(kind, left.data + right.data, bounds, either(left.raised, right.raised))


def _subtract(left: Vector, right: Vector) -> Vector:
    left, right, kind = _numbers(left, right)
    bounds = (left.low - right.high, left.high - right.low)
    return _result(kind, left.data - right.data, bounds, either(left.raised, right.raised))


def _multiply(left: Vector, right: Vector) -> Vector:
    left, right, kind = _numbers(left, right)
    bounds = _corners(lambda a, b: a * b, left, right)
    return _result(kind, left.data * right.data, bounds, either(left.raised, right.raised))


def _divide(left: Vector, right: Vector) -> Vector:
    left, right, kind = _numbers(left, right)
    if kind != "f" and max(left.reach, right.reach) > EXACT:
        raise NotVectorised  # Python rounds the exact quotient once
    zero = right.data == 0
    quotient = np.true_divide(left.data, np.where(zero, 1, right.data))
    return Vector("f", quotient, raised=either(left.raised, right.raised, _none_if_nowhere(zero)))


def _floor_divide(left: Vector, right: Vector) -> Vector:
    left, right, kind = _numbers(left, right)
    if kind != "i":
        raise NotVectorised
    zero = right.data == 0
    quotient = np.floor_divide(left.data, np.where(zero, 1, right.data))
    bounds = (-left.reach, left.reach)
    return _result("i", quotient, bounds, either(left.raised, right.raised, _none_if_nowhere(zero)))


def _modulo(left: Vector, right: Vector) -> Vector:
    left, right, kind = _numbers(left, right)
    if kind != "i":
        raise NotVectorised
    zero = right.data == 0
    rest = np.remainder(left.data, np.where(zero, 1, right.data))
    bounds = (min(right.low, 0), max(right.high, 0))
    return _result("i", rest, bounds, either(left.raised, right.raised, _none_if_nowhere(zero)))


def _power(left: Vector, right: Vector) -> Vector:
    left, right, kind = _numbers(left, right)
    # Floats: the last bit of a power depends on the library that computes it.
    if kind != "i" or right.low < 0 or left.reach.bit_length() * right.high > 63:
        raise NotVectorised
    most = max(left.reach**right.high, 1)
    bounds = (-most, most)
    return _result("i", left.data**right.data, bounds, either(left.raised, right.raised))


def _bitwise(operation: np.ufunc) -> Callable[[Vector, Vector], Vector]:
    def compute(left: Vector, right: Vector) -> Vector:
        raised = either(left.raised, right.raised)
        if {left.kind, right.kind} == {"b"}:
            return Vector("b", operation(left.data, right.data), raised=raised)
        left, right, kind = _numbers(left, right)
        if kind != "i":
            raise NotVectorised
        most = 2 ** max(left.reach, right.reach).bit_length()
        return _result("i", operation(left.data, right.data), (-most, most - 1), raised)

    return compute


def _none_if_nowhere(mask: BoolArray) -> BoolArray | None:
    return mask if mask.any() else None


def _compare(operation: np.ufunc) -> Callable[[Vector, Vector], BoolArray]:
    def compute(left: Vector, right: Vector) -> BoolArray:
        left, right = unify(left, right)
        result: BoolArray = np.asarray(operation(left.data, right.data), dtype=bool)
        return result

    return compute


def _absolute(operand: Vector) -> Vector:
    number = _as_int(operand)
    low = 0 if number.low <= 0 <= number.high else min(abs(number.low), abs(number.high))
    return replace(number, data=np.abs(number.data), low=low, high=number.reach)


def _extreme(replaces: np.ufunc, bound: Callable[[int, int], int]) -> Callable[..., Vector]:
    """Return min or max: the first operand stays unless a later one is strictly beyond it."""

    def compute(*operands: Vector) -> Vector:
        if len(operands) < 2:
            raise NotVectorised  # min of one sequence
        result = operands[0]
        for operand in operands[1:]:
            left, right = unify(result, operand)
            low, high = left.low, left.high
            if left.kind == "m":
                # Either side may give the integer.
                low, high = min(left.low, right.low), max(left.high, right.high)
            else:
                low, high = bound(left.low, right.low), bound(left.high, right.high)
            data = np.where(replaces(right.data, left.data), right.data, left.data)
            result = Vector(left.kind, data, low, high, either(left.raised, right.raised))
        return result

    return compute


def _to_integer(rounding: np.ufunc) -> Callable[..., Vector]:
    """Return int() or round() of one argument: an integer, which NaN and infinity have not."""

    def compute(*operands: Vector) -> Vector:
        if len(operands) != 1:
            raise NotVectorised
        (operand,) = operands
        if operand.kind in {"b", "i"}:
            return _as_int(operand)
        impossible = ~np.isfinite(operand.data)
        number = rounding(np.where(impossible, 0.0, operand.data))
        if np.abs(number).max(initial=0.0) > 2.0**62:
            raise NotVectorised
        data = number.astype(np.int64)
        bounds = (int(data.min(initial=0)), int(data.max(initial=0)))
        return _result("i", data, bounds, either(operand.raised, _none_if_nowhere(impossible)))

    return compute


def _float(*operands: Vector) -> Vector:
    if len(operands) != 1:
        raise NotVectorised
    (operand,) = operands
    return Vector("f", operand.data.astype(np.float64), raised=operand.raised)


def _of_one_argument(function: Callable[[Vector], Vector]) -> Callable[..., Vector]:
    def compute(*operands: Vector) -> Vector:
        if len(operands) != 1:
            raise NotVectorised
        return function(operands[0])

    return compute


BINARY: Final[dict[type[ast.operator], Callable[[Vector, Vector], Vector]]] = {
    ast.Add: _add,
    ast.Sub: _subtract,
    ast.Mult: _multiply,
    ast.Div: _divide,
    ast.FloorDiv: _floor_divide,
    ast.Mod: _modulo,
    ast.Pow: _power,
    ast.BitAnd: _bitwise(np.bitwise_and),
    ast.BitOr: _bitwise(np.bitwise_or),
    ast.BitXor: _bitwise(np.bitwise_xor),
}

COMPARE: Final[dict[type[ast.cmpop], Callable[[Vector, Vector], BoolArray]]] = {
    ast.Eq: _compare(np.equal),
    ast.NotEq: _compare(np.not_equal),
    ast.Lt: _compare(np.less),
    ast.LtE: _compare(np.less_equal),
    ast.Gt: _compare(np.greater),
    ast.GtE: _compare(np.greater_equal),
}

CALLS: Final[dict[str, Callable[..., Vector]]] = {
    "abs": _of_one_argument(_absolute),
    "min": _extreme(np.less, min),
    "max": _extreme(np.greater, max),
    "round": _to_integer(np.rint),
    "int": _to_integer(np.trunc),
    "float": _float,
}
