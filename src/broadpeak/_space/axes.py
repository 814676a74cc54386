# SPDX-License-Identifier: BSD-3-Clause
"""Parameters → axes of a grid: which are zipped, which are multiplied, and in which order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._space.param import Param, as_param
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import IntArray


@dataclass(frozen=True)
class IndexLevel:
    """One level of the index: its name, its labels (one a value) and its parameter."""

    name: str
    labels: Sequence[Any] | pd.Index[Any]
    param: str
    hidden: bool


@dataclass(frozen=True)
class Axes:
    """The axes of a grid. An axis is one parameter, or all parameters of one level.

    Attributes
    ----------
    params : dict of Param
        In the order given.
    axis_of : dict of int
        The axis of each parameter.
    lengths : tuple of int
        Length of each axis, slowest first.
    levels : tuple of IndexLevel
        In the order of parameters.
    """

    params: dict[str, Param]
    axis_of: dict[str, int]
    lengths: tuple[int, ...]
    levels: tuple[IndexLevel, ...]

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
        """Return one array of codes an axis, for positions of any size."""
        if self.size <= np.iinfo(np.int64).max:
            rest = np.asarray(positions, dtype=np.int64)
            columns = []
            for length in reversed(self.lengths):
                rest, code = np.divmod(rest, length)
                columns.append(code)
            return columns[::-1]
        rows = np.array([self.decode(int(p)) for p in positions], dtype=np.int64)
        return list(rows.reshape(-1, len(self.lengths)).T)

    def param_codes(self, name: str, codes: Sequence[Any]) -> Any:
        """Return the codes of parameter `name` given those of all axes (arrays or numbers)."""
        axis = self.axis_of[name]
        code = codes[axis]
        if len(self.params[name]) == 1 < self.lengths[axis]:
            return code * 0  # one value, repeated along its level
        return code


def lay_out(params: Mapping[str, Any]) -> Axes:
    """Return the layout of `params`; plain sequences count as Params.

    Raises
    ------
    ParamError
        If there is no parameter, only some have a level, or lengths on a level differ.
    """
    given: Any = params
    if not isinstance(given, Mapping):
        remedy = "Type dict(fast=Param([…]), slow=Param([…]))."
        raise ParamError(broken_rule("params", "be a dict of parameters by name", params, remedy))
    if not params:
        msg = "params must hold at least one parameter, got none. Type dict(fast=Param([…]))."
        raise ParamError(msg)
    wrapped: dict[str, Param] = {}
    for name, value in params.items():
        if not isinstance(name, str):
            raise ParamError(broken_rule("a parameter name", "be a text", name))
        wrapped[name] = param = as_param(value, f"parameter {name!r}")
        if not param.has_value or param.value is Param:
            msg = f"parameter {name!r} must have values, got none. Type {name}=Param([…])."
            raise ParamError(msg)
    groups = _groups(wrapped)
    axis_of = {name: axis for axis, group in enumerate(groups) for name in group}
    lengths = tuple(_axis_length(group, wrapped) for group in groups)
    return Axes(wrapped, axis_of, lengths, tuple(_index_levels(wrapped)))


def _groups(params: dict[str, Param]) -> list[list[str]]:
    levels = {name: param.level for name, param in params.items()}
    without = [name for name, level in levels.items() if level is None]
    if len(without) == len(params):
        return [[name] for name in params]
    if without:
        having = [name for name, level in levels.items() if level is not None]
        msg = (
            f"level must be given to all parameters or to none, got it for {', '.join(having)} "
            f"but not for {', '.join(without)}. Add level= to these."
        )
        raise ParamError(msg)
    ordered = sorted({level for level in levels.values() if level is not None})
    return [[name for name in params if levels[name] == level] for level in ordered]


def _axis_length(group: list[str], params: dict[str, Param]) -> int:
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


def _index_levels(params: dict[str, Param]) -> list[IndexLevel]:
    levels = []
    for argument, param in params.items():
        for name, labels in zip(param.level_names(argument), param.level_labels(), strict=True):
            levels.append(IndexLevel(name, labels, argument, bool(param.hide)))
    return levels
