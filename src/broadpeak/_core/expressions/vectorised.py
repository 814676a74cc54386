# SPDX-License-Identifier: BSD-3-Clause
"""Evaluation over arrays, taken only where it agrees with Python value for value.

Short-circuit is kept by carrying, beside each result, where Python would have raised: ``and`` and
``or`` drop that mark where Python would never have looked.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from broadpeak._core.expressions.intervals import Interval, known, outlook
from broadpeak._core.expressions.language import Expression, names_of
from broadpeak._core.expressions.vectors import (
    BINARY,
    CALLS,
    COMPARE,
    EXACT,
    NotVectorised,
    Values,
    Vector,
    either,
    negative,
    positive,
    unify,
    vector_of,
)
from broadpeak.types import BoolArray, FloatArray, IntArray

_MOST_LOOKED_UP = 1_000_000
_MOST_ALTERNATIVES = 32
_MOST_PRODUCTS = 15


@dataclass(eq=False)
class Vectorised:
    """An expression over the columns of a grid."""

    expression: Expression
    values: Mapping[str, Values]  # what each name runs through
    axes: Mapping[str, int | None]  # the axis each name varies along; None for constants
    _tables: dict[int, Vector | None] = field(default_factory=dict)
    _blocks: dict[tuple[str, int], tuple[FloatArray, FloatArray]] = field(default_factory=dict)

    def truth(self, codes: Mapping[int, IntArray]) -> tuple[BoolArray, BoolArray | None]:
        """Return where the expression is true, and where Python would have raised.

        Parameters
        ----------
        codes : dict of integer arrays
            Positions along each axis; the arrays broadcast with one another.

        Raises
        ------
        NotVectorised
            If NumPy cannot be shown to agree with Python.
        """
        with np.errstate(all="ignore"):
            return _Walk(self, codes).truth(self.expression.tree)

    def is_plain_arithmetic(self) -> bool:
        """Whether nothing in it can raise: numbers that are added, multiplied and compared.

        A division is among them if it is by a number other than zero.
        """
        if not all(values.is_numeric() for values in self.values.values()):
            return False
        nodes = list(ast.walk(self.expression.tree))
        # Few products of moderate numbers: no integer gets too large for a float.
        n_products = sum(isinstance(node, ast.Mult) for node in nodes)
        return n_products < _MOST_PRODUCTS and all(map(_cannot_raise, nodes))

    @cached_property
    def _bounds(self) -> dict[str, Interval] | None:
        """The bounds of every name, if there are any to be had for the whole expression."""
        if not self.is_plain_arithmetic():
            return None
        found = {name: values.bounds for name, values in self.values.items()}
        return (
            {
                name: Interval(np.asarray(bounds[0]), np.asarray(bounds[1]))
                for name, bounds in found.items()
                if bounds is not None
            }
            if None not in found.values()
            else None
        )

    def possible(self, codes: Mapping[int, IntArray]) -> BoolArray | None:
        """Return where the expression may still become true, with only some axes known.

        Parameters
        ----------
        codes : dict of integer arrays
            Positions along the known axes; the arrays broadcast with one another.

        Returns
        -------
        bool array or None
            None stands for everywhere.
        """
        if self._bounds is None:
            return None
        names = dict(self._bounds)
        for name, axis in self.axes.items():
            if axis is not None and axis in codes:
                names[name] = known(self.values[name].take(codes[axis]).data)
        return outlook(self.expression.tree, names).true

    @property
    def has_bounds(self) -> bool:
        """Whether `possible` and `possible_in_blocks` can exclude anything."""
        return self._bounds is not None

    def possible_in_blocks(
        self, codes: Mapping[int, IntArray], axis: int, blocks: IntArray, size: int
    ) -> BoolArray:
        """Return where it may become true with the position along `axis` somewhere in a block.

        Parameters
        ----------
        codes : dict of integer arrays
            Positions along the known axes.
        axis : int
        blocks : integer array
            Block b is the positions from ``b * size`` to ``(b + 1) * size - 1``.
        size : int

        Returns
        -------
        bool array
        """
        names = dict(self._bounds or {})
        for name, own in self.axes.items():
            if own == axis:
                low, high = self._block_bounds(name, size)
                names[name] = Interval(low[blocks], high[blocks])
            elif own is not None and own in codes:
                names[name] = known(self.values[name].take(codes[own]).data)
        return outlook(self.expression.tree, names).true

    def _block_bounds(self, name: str, size: int) -> tuple[FloatArray, FloatArray]:
        key = name, size
        if key not in self._blocks:
            values = self.values[name]
            data = known(values.take(np.arange(len(values))).data).low
            starts = np.arange(0, len(data), size)
            bounds = np.minimum.reduceat(data, starts), np.maximum.reduceat(data, starts)
            self._blocks[key] = bounds
        return self._blocks[key]

    def table(self, node: ast.expr, names: tuple[str, ...]) -> Vector:
        """Return `node`, whose names vary along one axis, for every position of that axis.

        This is how strings, None and anything else get into an array: computed by Python once a
        value instead of once a combination.
        """
        key = id(node)
        if key not in self._tables:
            try:
                self._tables[key] = self._tabulate(node, names)
            except NotVectorised:
                self._tables[key] = None
        found = self._tables[key]
        if found is None:
            raise NotVectorised
        return found

    def _tabulate(self, node: ast.expr, names: tuple[str, ...]) -> Vector:
        length = max((len(self.values[name]) for name in names), default=1)
        if length > _MOST_LOOKED_UP:
            raise NotVectorised
        function = Expression("", node, names).function
        varying = [self.axes[name] is not None for name in names]
        columns = [self.values[name].items for name in names]
        results: list[object] = []
        raised = np.zeros(length, dtype=bool)
        for i in range(length):
            row = (c[i] if v else c[0] for c, v in zip(columns, varying, strict=True))
            try:
                results.append(function(*row))
            except Exception:  # noqa: BLE001  # it is raised again, row by row, if it matters
                raised[i] = True
                results.append(None)
        if not raised.any():
            return vector_of(results)
        filler = next((r for r, bad in zip(results, raised, strict=True) if not bad), False)
        filled = [filler if bad else r for r, bad in zip(results, raised, strict=True)]
        return vector_of(filled, raised)


def _cannot_raise(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, (ast.Div, ast.FloorDiv, ast.Mod)):
            divisor = getattr(node.right, "value", 0)
            return isinstance(divisor, int) and divisor > 0
        return isinstance(node.op, (ast.Add, ast.Sub, ast.Mult))
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        n_arguments = len(node.args)
        return n_arguments == 1 if name == "abs" else name in {"min", "max"} and n_arguments > 1
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (bool, int, float)) and abs(node.value) <= EXACT
    return not isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.In, ast.NotIn))


class _Walk:
    """One evaluation: the expression with its positions."""

    def __init__(self, owner: Vectorised, codes: Mapping[int, IntArray]) -> None:
        self._owner = owner
        self._codes = codes

    def truth(self, node: ast.expr) -> tuple[BoolArray, BoolArray | None]:
        if isinstance(node, ast.BoolOp):
            return self._truth_of_chain(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            true, raised = self.truth(node.operand)
            return ~true, raised
        vector = self.value(node)
        true = vector.data if vector.kind == "b" else vector.data != 0
        return np.asarray(true, dtype=bool), vector.raised

    def _truth_of_chain(self, node: ast.BoolOp) -> tuple[BoolArray, BoolArray | None]:
        stop_at = isinstance(node.op, ast.Or)
        true, raised = self.truth(node.values[0])
        for operand in node.values[1:]:
            reached = ~true if stop_at else true
            other, other_raised = self.truth(operand)
            raised = either(raised, None if other_raised is None else other_raised & reached)
            true = true | other if stop_at else true & other
        return true, raised

    def value(self, node: ast.expr) -> Vector:
        try:
            return self._compute(node)
        except NotVectorised:
            return self._look_up(node)

    def _look_up(self, node: ast.expr) -> Vector:
        names = names_of(node)
        axes = {self._owner.axes[name] for name in names} - {None}
        if len(axes) > 1:
            raise NotVectorised
        table = self._owner.table(node, names)
        axis = axes.pop() if axes else None
        return table.take(np.zeros((), dtype=np.int64) if axis is None else self._codes[axis])

    def _compute(self, node: ast.expr) -> Vector:
        compute = _NODES.get(type(node))
        if compute is None:
            raise NotVectorised
        return compute(self, node)

    def _name(self, node: ast.Name) -> Vector:
        axis = self._owner.axes[node.id]
        return self._owner.values[node.id].take(None if axis is None else self._codes[axis])

    def _constant(self, node: ast.Constant) -> Vector:
        vector = vector_of([node.value])
        return replace(vector, data=vector.data[0])

    def _unary(self, node: ast.UnaryOp) -> Vector:
        if isinstance(node.op, ast.Not):
            true, raised = self.truth(node)
            return Vector("b", true, raised=raised)
        operand = self.value(node.operand)
        if isinstance(node.op, ast.USub):
            return negative(operand)
        if isinstance(node.op, ast.UAdd):
            return positive(operand)
        raise NotVectorised

    def _binary(self, node: ast.BinOp) -> Vector:
        operator = BINARY.get(type(node.op))
        if operator is None:
            raise NotVectorised
        return operator(self.value(node.left), self.value(node.right))

    def _choice(self, node: ast.BoolOp) -> Vector:
        """Return ``a and b`` as a value: one of its operands."""
        stop_at = isinstance(node.op, ast.Or)
        result = self.value(node.values[0])
        for operand in node.values[1:]:
            other = self.value(operand)
            left, right = unify(result, other)
            stopped = (left.data != 0) == stop_at
            raised = None if other.raised is None else other.raised & ~stopped
            result = Vector(
                left.kind,
                np.where(stopped, left.data, right.data),
                min(left.low, right.low),
                max(left.high, right.high),
                either(result.raised, raised),
            )
        return result

    def _compare(self, node: ast.Compare) -> Vector:
        left = self.value(node.left)
        true: BoolArray = np.ones((), dtype=bool)
        raised = left.raised
        for operator, right_node in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, (ast.In, ast.NotIn)):
                other, other_raised = self._membership(left, right_node)
                other = ~other if isinstance(operator, ast.NotIn) else other
            else:
                compare = COMPARE.get(type(operator))
                if compare is None:
                    raise NotVectorised
                right = self.value(right_node)
                other, other_raised = compare(left, right), right.raised
                left = right
            raised = either(raised, None if other_raised is None else other_raised & true)
            true = true & other
        return Vector("b", true, raised=raised)

    def _membership(self, left: Vector, node: ast.expr) -> tuple[BoolArray, BoolArray | None]:
        if not isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            raise NotVectorised
        if len(node.elts) > _MOST_ALTERNATIVES or np.isnan(left.data).any():
            raise NotVectorised  # NaN is found by identity, which arrays do not have
        found: BoolArray = np.zeros((), dtype=bool)
        raised = None
        for element in node.elts:
            item = self.value(element)
            found = found | COMPARE[ast.Eq](left, item)
            raised = either(raised, item.raised)
        return found, raised

    def _call(self, node: ast.Call) -> Vector:
        function = CALLS.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if function is None:
            raise NotVectorised
        return function(*(self.value(argument) for argument in node.args))


_NODES: dict[type[ast.expr], Callable[[_Walk, Any], Vector]] = {
    ast.Name: _Walk._name,  # noqa: SLF001  # a dispatch table of the class above
    ast.Constant: _Walk._constant,  # noqa: SLF001
    ast.UnaryOp: _Walk._unary,  # noqa: SLF001
    ast.BinOp: _Walk._binary,  # noqa: SLF001
    ast.BoolOp: _Walk._choice,  # noqa: SLF001
    ast.Compare: _Walk._compare,  # noqa: SLF001
    ast.Call: _Walk._call,  # noqa: SLF001
}
