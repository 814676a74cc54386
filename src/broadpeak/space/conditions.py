# SPDX-License-Identifier: BSD-3-Clause
"""Conditions bound to the axes of a grid."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import expressions
from broadpeak.errors import ConditionError
from broadpeak.space.layout import Layout
from broadpeak.types import BoolArray, IntArray


@dataclass(frozen=True, eq=False)
class Variable:
    """What a name in a condition stands for: values along an axis, or one constant (axis None)."""

    values: Sequence[Any]
    axis: int | None


@dataclass(frozen=True, eq=False)
class Condition:
    """A condition with its names resolved.

    Attributes
    ----------
    text : str
        How messages call it.
    function : callable
        Takes the variables by position.
    variables : tuple of Variable
    axes : frozenset of int
        The axes it depends on.
    """

    text: str
    function: Callable[..., Any]
    variables: tuple[Variable, ...]
    axes: frozenset[int]


def bind_conditions(layout: Layout) -> list[Condition]:
    """Return the conditions of all parameters.

    Raises
    ------
    ConditionError
        If a condition uses a name it does not know.
    """
    bound = []
    for owner, param in layout.params.items():
        if isinstance(param.condition, str):
            bound.append(_bind_text(owner, param.condition, layout))
        elif param.condition is not None:
            bound.append(_bind_callable(owner, param.condition, layout))
    return bound


def _bind_text(owner: str, text: str, layout: Layout) -> Condition:
    expression = expressions.parse(text, "condition")
    known = _known(owner, layout)
    expression.check_names(known, f"the condition of parameter {owner!r}:")
    variables = tuple(known[name](True) for name in expression.names)
    return _condition(f"condition {text!r}", expression.function, variables)


def _bind_callable(owner: str, function: Callable[..., Any], layout: Layout) -> Condition:
    known = _known(owner, layout)
    name = getattr(function, "__name__", type(function).__name__)
    positional: list[str] = []
    named: list[str] = []
    for argument in inspect.signature(getattr(function, "py_func", function)).parameters.values():
        if argument.kind is argument.VAR_POSITIONAL:
            continue
        if argument.kind is argument.VAR_KEYWORD:
            taken = {*positional, *named}
            named += [other for other in layout.params if other not in taken]
        elif argument.name in known:
            target = named if argument.kind is argument.KEYWORD_ONLY else positional
            target.append(argument.name)
        elif argument.default is argument.empty:
            where = f"the condition {name!r} of parameter {owner!r}"
            raise expressions.unknown_name(argument.name, known, where)
    n = len(positional)

    def call(*values: Any) -> Any:
        return function(*values[:n], **dict(zip(named, values[n:], strict=True)))

    variables = tuple(known[argument](False) for argument in (*positional, *named))
    return _condition(f"condition {name!r}", call, variables)


def _condition(text: str, call: Callable[..., Any], variables: tuple[Variable, ...]) -> Condition:
    axes = frozenset(v.axis for v in variables if v.axis is not None)
    return Condition(text, call, variables, axes)


def _known(owner: str, layout: Layout) -> dict[str, Callable[[bool], Variable]]:
    """Return, by name, how to get the variable (argument: whether NumPy scalars are unwrapped)."""
    known: dict[str, Callable[[bool], Variable]] = {
        key: partial(_constant, value)
        for key, value in (layout.params[owner].context or {}).items()
    }
    for level in layout.levels:
        known[f"__{level.name}__"] = partial(_along_axis, layout, level.param, level.labels)
    for name in ("x", *layout.params):
        source = owner if name == "x" and "x" not in layout.params else name
        known[name] = partial(_along_axis, layout, source, layout.params[source].values)
    return known


def _constant(value: Any, _plain: bool) -> Variable:
    return Variable([value], None)


def _along_axis(layout: Layout, param: str, values: Any, plain: bool) -> Variable:
    if isinstance(values, pd.Index):
        values = values.tolist()
    if plain and not isinstance(values, range):
        values = [_plain(value) for value in values]
    return Variable(values, None if len(values) == 1 else layout.axis_of[param])


def _plain(value: Any) -> Any:
    """Return a NumPy number as Python's own: conditions promise Python's arithmetic."""
    return value.item() if isinstance(value, (np.number, np.bool_, np.str_)) else value


def passes(layout: Layout, conditions: Sequence[Condition], codes: Sequence[IntArray]) -> BoolArray:
    """Return which rows of codes (one array an axis) meet all conditions.

    Raises
    ------
    ConditionError
        If a condition raises on a row that no other condition excludes.
    """
    n_rows = len(codes[0])
    kept = np.ones(n_rows, dtype=bool)
    raised: list[tuple[int, Condition, Exception]] = []
    for condition in conditions:
        failed = _row_by_row(condition, codes, kept)
        raised += [(row, condition, error) for row, error in failed]
    for row, condition, error in sorted(raised, key=lambda item: item[0]):
        if kept[row]:
            raise raised_error(condition, error, layout, [int(code[row]) for code in codes])
    return kept


def _row_by_row(
    condition: Condition, codes: Sequence[IntArray], kept: BoolArray
) -> list[tuple[int, Exception]]:
    failed: list[tuple[int, Exception]] = []
    rows = np.flatnonzero(kept)
    columns = [
        [v.values[0]] * len(rows)
        if v.axis is None
        else [v.values[code] for code in codes[v.axis][rows].tolist()]
        for v in condition.variables
    ]
    for i, row in enumerate(rows.tolist()):
        try:
            kept[row] = bool(condition.function(*(column[i] for column in columns)))
        except Exception as error:  # noqa: BLE001  # a user's condition may raise anything
            failed.append((row, error))
    return failed


def raised_error(
    condition: Condition, error: Exception, layout: Layout, codes: Sequence[int]
) -> ConditionError:
    """Return the error for a condition that raised on the combination at `codes`."""
    shown = ", ".join(
        f"{name}={param.values[layout.param_codes(name, codes)]!r}"
        for name, param in layout.params.items()
    )
    msg = (
        f"{condition.text} must be computable for every combination, but it raised "
        f"{type(error).__name__}: {error} for {shown}. Exclude that combination first, as in "
        "'b != 0 and a / b > 1'."
    )
    return ConditionError(msg)
