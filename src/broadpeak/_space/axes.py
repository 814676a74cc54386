# SPDX-License-Identifier: BSD-3-Clause
"""Parameters → axes of a grid: which are zipped, which are multiplied, and in which order.

A *code* is the position of a value on its axis, from 0; one code for every axis is a combination.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

import numpy as np

from broadpeak._core.labels import identity
from broadpeak._space.param import IndexLevel, Param
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import MISSING, IntArray

CodeT = TypeVar("CodeT", int, IntArray)

INT64_MAX: Final = 2**63 - 1


@dataclass(frozen=True)
class Axes:
    """The axes of a grid. An axis is one parameter, or all parameters of one level."""

    params: dict[str, Param]  # in the order given
    axis_of: dict[str, int]  # the axis of each parameter
    lengths: tuple[int, ...]  # length of each axis, slowest first
    levels: tuple[IndexLevel, ...]  # in the order of parameters

    @property
    def size(self) -> int:
        """Number of grid positions, before conditions."""
        return math.prod(self.lengths)

    def decode(self, position: int) -> tuple[int, ...]:
        """Return the codes, one an axis, of a grid position: mixed radix, last axis fastest."""
        codes = []
        for length in reversed(self.lengths):
            position, code = divmod(position, length)
            codes.append(code)
        return tuple(reversed(codes))

    def encode(self, codes: Sequence[int]) -> int:
        """Return the grid position of codes."""
        position = 0
        for length, code in zip(self.lengths, codes, strict=True):
            position = position * length + code
        return position

    def decode_many(self, positions: Sequence[int] | IntArray) -> list[IntArray]:
        """Return one array of codes an axis, of its `code_type`, for positions of any size."""
        if self.size > INT64_MAX:
            rows = np.array([self.decode(int(p)) for p in positions], dtype=np.int64)
            columns = rows.reshape(-1, len(self.lengths)).T
            return [
                column.astype(code_type(length))
                for column, length in zip(columns, self.lengths, strict=True)
            ]
        rest = np.asarray(positions, dtype=np.int64)
        codes: list[IntArray] = []
        for length in reversed(self.lengths):
            rest, code = np.divmod(rest, length)
            codes.append(code.astype(code_type(length)))
        return codes[::-1]

    def param_codes(self, name: str, codes: Sequence[CodeT]) -> CodeT:
        """Return the codes of parameter `name` from those of all axes (arrays or numbers)."""
        axis = self.axis_of[name]
        code = codes[axis]
        if len(self.params[name].values) == 1 < self.lengths[axis]:
            return code * 0  # one value, repeated along its level
        return code


def lay_out(params: Mapping[str, object]) -> Axes:
    """Return the axes of `params`; plain sequences count as Params.

    Raises
    ------
    ParamError
        If there is no parameter, only some have a level, or lengths on a level differ.
    """
    passed: object = params
    if not isinstance(passed, Mapping):
        remedy = "Type dict(fast=Param([…]), slow=Param([…]))."
        raise ParamError(broken_rule("params", "be a dict of parameters by name", params, remedy))
    if not params:
        msg = "params must hold at least one parameter, got none. Type dict(fast=Param([…]))."
        raise ParamError(msg)
    wrapped: dict[str, Param] = {}
    levels: list[IndexLevel] = []
    has_level = False
    for name, value in params.items():
        if not isinstance(name, str):
            raise ParamError(broken_rule("a parameter name", "be a string", name))
        wrapped[name] = param = value if isinstance(value, Param) else _bare_param(name, value)
        if param.value is MISSING or param.value is Param:
            msg = f"parameter {name!r} must have values, got none. Type {name}=Param([…])."
            raise ParamError(msg)
        has_level |= param.level is not None
        levels += param.index_levels(name)
    groups = _zipped(wrapped) if has_level else [(name,) for name in wrapped]
    axis_of: dict[str, int] = {}
    lengths: list[int] = []
    for axis, group in enumerate(groups):
        for name in group:
            axis_of[name] = axis
        lengths.append(_common_length(group, wrapped) if has_level else len(wrapped[name].values))
    return Axes(wrapped, axis_of, tuple(lengths), tuple(levels))


def _bare_param(name: str, value: object) -> Param:
    """Return the Param of values without settings; errors call it by its name."""
    try:
        return Param(value)
    except ParamError as error:
        rest = str(error).removeprefix("Param ")
        raise type(error)(f"parameter {name!r} {rest}") from None


def _zipped(params: dict[str, Param]) -> list[tuple[str, ...]]:
    """Return the parameters of each level, lowest level first."""
    without = [name for name, param in params.items() if param.level is None]
    if without:
        having = [name for name in params if name not in without]
        msg = (
            f"level must be given to all parameters or to none, got it for {', '.join(having)} "
            f"but not for {', '.join(without)}. Add level= to these."
        )
        raise ParamError(msg)
    levels: dict[int, list[str]] = {}
    for name, param in params.items():
        levels.setdefault(param.level or 0, []).append(name)
    return [tuple(levels[level]) for level in sorted(levels)]


def _common_length(group: Sequence[str], params: dict[str, Param]) -> int:
    lengths = {name: len(params[name]) for name in group}
    longest = max(lengths.values())
    if any(length not in {1, longest} for length in lengths.values()):
        shown = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        msg = (
            f"parameters on level {params[group[0]].level} must have equal lengths (or length 1), "
            f"got {shown}. Make them equally long, or give them different levels."
        )
        raise ParamError(msg)
    return longest


def code_type(length: int) -> np.dtype[Any]:
    """Return the smallest integer type for codes of an axis of `length`."""
    return np.min_scalar_type(-max(length, 1))


class AxisLookup:
    """Finds the first code of an axis at which its parameters have certain values.

    Parameters
    ----------
    columns : list of sequences
        The values of each parameter of the axis; a single value stands for all codes.
    length : int
        Length of the axis.
    """

    def __init__(self, columns: Sequence[Sequence[object]], length: int) -> None:
        self._columns = columns
        self._length = length

    def find(self, values: Sequence[object]) -> int | None:
        """Return the first code, or None. Values of the same type come before merely equal ones."""
        for column, value in zip(self._columns, values, strict=True):
            if isinstance(column, range) and len(column) == self._length:
                return self._find_in_range(column, value, values)
        keys = tuple(identity(value) for value in values)
        code = self._codes.get(keys)
        if code is not None:
            return code
        return next((i for i in range(self._length) if self._holds(i, values)), None)

    def _find_in_range(self, column: range, value: Any, values: Sequence[object]) -> int | None:
        try:
            code = column.index(value)
        except (ValueError, TypeError):
            return None
        return code if self._holds(code, values) else None

    @cached_property
    def _codes(self) -> dict[tuple[Hashable, ...], int]:
        codes: dict[tuple[Hashable, ...], int] = {}
        for i in range(self._length):
            codes.setdefault(
                tuple(identity(self._value_at(column, i)) for column in self._columns), i
            )
        return codes

    def _holds(self, i: int, values: Sequence[object]) -> bool:
        pairs = zip(self._columns, values, strict=True)
        return all(same_value(self._value_at(column, i), value) for column, value in pairs)

    @staticmethod
    def _value_at(column: Sequence[object], i: int) -> object:
        return column[0] if len(column) == 1 else column[i]


def same_value(left: Any, right: Any) -> bool:
    """Return whether two values are one, equal, or both NaN; arrays item by item."""
    if left is right:
        return True
    equals = getattr(left, "equals", None)
    if callable(equals) and type(left) is type(right):
        return bool(equals(right))
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return type(left) is type(right) and bool(np.array_equal(left, right))
    try:
        return bool(left == right) or bool(left != left and right != right)  # noqa: PLR0124
    except (TypeError, ValueError):
        return False
