# SPDX-License-Identifier: BSD-3-Clause
"""Bounds of an expression when only some of its names are known: what can no longer become true.

Interval arithmetic (Moore 1966) over arrays. A number is read as an interval that holds every value
it can take, a truth value as two marks: whether it may come out true, and whether it may come out
false. That holds for names (a known one is its value, another one reaches from its smallest to its
largest) and every operation below keeps it: what it returns holds all results of all values in the
intervals it is given. So by induction over the tree, where an expression has no mark for true,
nothing can make it true, and the combination is dropped without a look at its completions.

The converse does not hold, and need not. Operands count as independent, so that ``a - a`` reaches
from a negative to a positive number; whatever keeps a mark too many is only looked at later. The
order in which Python evaluates does not matter either: only what cannot raise is read like this.
Floats are rounded, by less than 2**-52 of the result; each bound is moved outwards by 2**-50.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from broadpeak.types import AnyArray, BoolArray, FloatArray

_SLACK: Final = 2.0**-50


@dataclass(frozen=True, slots=True)
class Interval:
    """Every value lies between `low` and `high`; both are arrays that broadcast."""

    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where a truth value may come out true, and where false; one of them holds everywhere."""

    true: BoolArray
    false: BoolArray


def outlook(node: ast.expr, names: Mapping[str, Interval]) -> Outlook:
    """Return how `node` may come out. It must be plain arithmetic of finite, moderate numbers."""
    if isinstance(node, ast.BoolOp):
        return _connect(node, names)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = outlook(node.operand, names)
        return Outlook(inner.false, inner.true)
    if isinstance(node, ast.Compare):
        return _compare(node, names)
    value = _bounds(node, names)
    return Outlook((value.low != 0) | (value.high != 0), (value.low <= 0) & (value.high >= 0))


def _connect(node: ast.BoolOp, names: Mapping[str, Interval]) -> Outlook:
    parts = [outlook(value, names) for value in node.values]
    result = parts[0]
    for part in parts[1:]:
        if isinstance(node.op, ast.And):
            result = Outlook(result.true & part.true, result.false | part.false)
        else:
            result = Outlook(result.true | part.true, result.false & part.false)
    return result


def _compare(node: ast.Compare, names: Mapping[str, Interval]) -> Outlook:
    result: Outlook | None = None
    left = _bounds(node.left, names)
    for operator, right_node in zip(node.ops, node.comparators, strict=True):
        right = _bounds(right_node, names)
        part = _COMPARE[type(operator)](left, right)
        if result is not None:
            part = Outlook(result.true & part.true, result.false | part.false)
        result, left = part, right
    if result is None:
        raise AssertionError("unreachable: a comparison has an operator")
    return result


def _less(left: Interval, right: Interval) -> Outlook:
    return Outlook(left.low < right.high, left.high >= right.low)


def _less_equal(left: Interval, right: Interval) -> Outlook:
    return Outlook(left.low <= right.high, left.high > right.low)


def _equal(left: Interval, right: Interval) -> Outlook:
    meet = (left.low <= right.high) & (right.low <= left.high)
    # Equality is certain only between two single points; two intervals that meet may differ.
    one = (left.low == left.high) & (right.low == right.high) & meet
    return Outlook(meet, ~one)


def _flip(outlooks: Callable[[Interval, Interval], Outlook]) -> Callable[..., Outlook]:
    def swapped(left: Interval, right: Interval) -> Outlook:
        return outlooks(right, left)

    return swapped


def _not_equal(left: Interval, right: Interval) -> Outlook:
    equal = _equal(left, right)
    return Outlook(equal.false, equal.true)


_COMPARE: Final[dict[type[ast.cmpop], Callable[[Interval, Interval], Outlook]]] = {
    ast.Lt: _less,
    ast.LtE: _less_equal,
    ast.Gt: _flip(_less),
    ast.GtE: _flip(_less_equal),
    ast.Eq: _equal,
    ast.NotEq: _not_equal,
}


def _bounds(node: ast.expr, names: Mapping[str, Interval]) -> Interval:
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.Constant):
        number = np.asarray(float(node.value))  # type: ignore[arg-type]  # plain arithmetic
        return Interval(number, number)
    if isinstance(node, ast.BinOp):
        left, right = _bounds(node.left, names), _bounds(node.right, names)
        return _BINARY[type(node.op)](left, right)
    if isinstance(node, ast.Call):
        arguments = [_bounds(argument, names) for argument in node.args]
        return _CALLS[getattr(node.func, "id", "")](arguments)
    if isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not):
        inner = _bounds(node.operand, names)
        return Interval(-inner.high, -inner.low) if isinstance(node.op, ast.USub) else inner
    # A truth value, or one of the operands of `and`, as a number: met in odd expressions only.
    parts = [_bounds(value, names) for value in getattr(node, "values", [])]
    lows, highs = [p.low for p in parts], [p.high for p in parts]
    return Interval(_least([np.asarray(0.0), *lows]), _most([np.asarray(1.0), *highs]))


def _wider(low: FloatArray, high: FloatArray) -> Interval:
    return Interval(low - np.abs(low) * _SLACK, high + np.abs(high) * _SLACK)


def _add(left: Interval, right: Interval) -> Interval:
    return _wider(left.low + right.low, left.high + right.high)


def _subtract(left: Interval, right: Interval) -> Interval:
    return _wider(left.low - right.high, left.high - right.low)


def _multiply(left: Interval, right: Interval) -> Interval:
    # A product is linear in each factor, so its extremes lie at the corners.
    corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    return _wider(_least(corners), _most(corners))


def _divide(left: Interval, right: Interval) -> Interval:
    return _wider(left.low / right.low, left.high / right.low)  # by a positive constant


def _floor_divide(left: Interval, right: Interval) -> Interval:
    quotient = _divide(left, right)
    return Interval(np.floor(quotient.low), np.floor(quotient.high))


def _modulo(left: Interval, right: Interval) -> Interval:
    # By a positive constant: a remainder is the number itself where that is smaller.
    inside = (left.low >= 0) & (left.high < right.low)
    return Interval(np.where(inside, left.low, 0.0), np.where(inside, left.high, right.low + 0.0))


def _absolute(arguments: list[Interval]) -> Interval:
    (inner,) = arguments
    across = (inner.low <= 0) & (inner.high >= 0)
    ends = [np.abs(inner.low), np.abs(inner.high)]
    return Interval(np.where(across, 0.0, _least(ends)), _most(ends))


def _minimum(arguments: list[Interval]) -> Interval:
    return Interval(_least([a.low for a in arguments]), _least([a.high for a in arguments]))


def _maximum(arguments: list[Interval]) -> Interval:
    return Interval(_most([a.low for a in arguments]), _most([a.high for a in arguments]))


def _least(arrays: list[AnyArray]) -> FloatArray:
    result = arrays[0]
    for array in arrays[1:]:
        result = np.minimum(result, array)
    return result


def _most(arrays: list[AnyArray]) -> FloatArray:
    result = arrays[0]
    for array in arrays[1:]:
        result = np.maximum(result, array)
    return result


_BINARY: Final[dict[type[ast.operator], Callable[[Interval, Interval], Interval]]] = {
    ast.Add: _add,
    ast.Sub: _subtract,
    ast.Mult: _multiply,
    ast.Div: _divide,
    ast.FloorDiv: _floor_divide,
    ast.Mod: _modulo,
}

_CALLS: Final[dict[str, Callable[[list[Interval]], Interval]]] = {
    "abs": _absolute,
    "min": _minimum,
    "max": _maximum,
}


def known(data: AnyArray) -> Interval:
    """Return values that are known exactly."""
    exact: FloatArray = data.astype(np.float64)
    return Interval(exact, exact)
