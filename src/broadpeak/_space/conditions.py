# SPDX-License-Identifier: BSD-3-Clause
"""Conditions bound to the axes of a grid, and where combinations meet them.

A condition must be computable wherever the other conditions hold: ``b != 0`` on one parameter lets
``a / b > 1`` stand on another. So an error is not raised where it occurs. It is kept as a mark
beside the truth value, the combination counts as passing, and only if it has passed every condition
is the condition evaluated once more, by Python, for its message.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from broadpeak._core import expressions
from broadpeak._core.expressions import Expression, NotVectorised, Values, Vectorised
from broadpeak._core.labels import plain
from broadpeak._space.axes import Axes
from broadpeak.errors import ConditionError, broken_rule
from broadpeak.types import BoolArray, IntArray

CELLS: Final = 1 << 20
"""Combinations looked at in one step: enough to keep NumPy busy, little enough for any memory."""

_FEW: Final = 48
"""Combinations up to which Python is quicker than setting NumPy to work (0.2 µs each, 15 µs)."""

_TRIED_ROW_BY_ROW: Final = 1 << 14


@dataclass(eq=False)
class Conjunct:
    """Something that must be true of a combination: a condition, or a part joined by ``and``."""

    # What decides; a callable takes its variables by position.
    source: Expression | Callable[..., object]
    # What each variable runs through, and along which axis (None: a constant).
    values: tuple[Sequence[object], ...]
    variable_axes: tuple[int | None, ...]
    axes: tuple[int, ...] = field(init=False)  # the axes it depends on, ascending

    def __post_init__(self) -> None:
        self.axes = tuple(sorted({axis for axis in self.variable_axes if axis is not None}))

    @cached_property
    def vectorised(self) -> Vectorised | None:
        """The same over arrays; None where NumPy could not be shown to agree with Python."""
        if not isinstance(self.source, Expression):
            return None
        names = self.source.names
        values = {name: Values(items) for name, items in zip(names, self.values, strict=True)}
        return Vectorised(self.source, values, dict(zip(names, self.variable_axes, strict=True)))

    def test(self, codes: Mapping[int, IntArray]) -> tuple[BoolArray, BoolArray | None]:
        """Return where it is true, and where it raises (None: nowhere), for broadcast codes."""
        shape = np.broadcast_shapes(*[codes[axis].shape for axis in self.axes], ())
        n_rows = math.prod(shape)
        if n_rows > _FEW and self.vectorised is not None:
            try:
                true, raised = self.vectorised.truth(codes)
            except NotVectorised:
                self.vectorised = None  # what NumPy can do depends on the values, not on the rows
            else:
                spread = None if raised is None else np.broadcast_to(raised, shape)
                return np.broadcast_to(true, shape), spread
        rows = {axis: np.broadcast_to(codes[axis], shape).ravel() for axis in self.axes}
        true, errors = self.row_by_row(rows, n_rows)
        if not errors:
            return true.reshape(shape), None
        raised = np.zeros(n_rows, dtype=bool)
        raised[list(errors)] = True
        return true.reshape(shape), raised.reshape(shape)

    def row_by_row(
        self, rows: Mapping[int, IntArray], n_rows: int
    ) -> tuple[BoolArray, dict[int, Exception]]:
        """Return where it is true, and what it raised by row: plain Python, one row at a time."""
        source = self.source
        function = source.function if isinstance(source, Expression) else source
        columns: list[Sequence[object]] = []
        for items, axis in zip(self.values, self.variable_axes, strict=True):
            if axis is None:
                columns.append([items[0]] * n_rows)
            else:
                columns.append([items[code] for code in rows[axis].tolist()])
        true = np.zeros(n_rows, dtype=bool)
        errors: dict[int, Exception] = {}
        for i, row in enumerate(zip(*columns, strict=True) if columns else [()] * n_rows):
            try:
                true[i] = bool(function(*row))
            except Exception as error:  # noqa: BLE001  # a user's condition may raise anything
                errors[i] = error
        return true, errors


@dataclass(frozen=True, eq=False)
class Condition:
    """A condition with its names resolved."""

    text: str  # how messages call it
    whole: Conjunct  # the condition as it was written
    # What is all true exactly where the whole is. Only the last may raise, and it raises where the
    # whole would, if those before it are true. `split_conditions` finds more than one.
    conjuncts: tuple[Conjunct, ...] = ()


def bind_conditions(axes: Axes) -> list[Condition]:
    """Return the conditions of all parameters.

    Raises
    ------
    ConditionError
        If a condition uses a name it does not know.
    """
    bound: list[Condition] = []
    for owner, param in axes.params.items():
        condition = param.condition
        if condition is None:
            continue
        if not isinstance(condition, str):
            bound.append(_bind_callable(owner, condition, axes))
            continue
        expression = expressions.parse(condition, "condition")
        values: list[Sequence[object]] = []
        variable_axes: list[int | None] = []
        for name in expression.names:
            found = _resolve(name, owner, axes, as_python=True)
            if found is None:
                where = f"the condition of parameter {owner!r}, {expression.text!r}"
                raise expressions.unknown_name(name, _known_names(owner, axes), where)
            values.append(found[0])
            variable_axes.append(found[1])
        whole = Conjunct(expression, tuple(values), tuple(variable_axes))
        bound.append(Condition(f"condition {condition!r}", whole))
    return bound


def check_rows(axes: Axes, conditions: Sequence[Condition], codes: Sequence[IntArray]) -> BoolArray:
    """Return which rows, one array of codes an axis, meet all conditions.

    Raises
    ------
    ConditionError
        If a condition raises on a row that no other condition excludes.
    """
    kept = np.zeros(len(codes[0]), dtype=bool)
    for start in range(0, len(kept), CELLS):
        block = [code[start : start + CELLS] for code in codes]
        rows = np.arange(len(block[0]))
        suspects = []
        for condition in conditions:
            conjunct = condition.whole
            true, raised = conjunct.test({axis: block[axis][rows] for axis in conjunct.axes})
            true = np.broadcast_to(true, rows.shape)
            if raised is not None:
                suspects.append(condition)
                true = true | raised
            rows = rows[true]
        kept[start + rows] = True
        if suspects:
            survivors = {axis: code[rows] for axis, code in enumerate(block)}
            report_raised(axes, suspects, survivors)
    return kept


def report_raised(axes: Axes, suspects: Iterable[Condition], codes: Mapping[int, IntArray]) -> None:
    """Raise for the first of these combinations on which one of the `suspects` raises."""
    first: tuple[int, Condition] | None = None
    if not all(map(len, codes.values())):
        return
    for condition in suspects:
        _, raised = condition.whole.test(codes)
        if raised is not None and raised.any():
            row = int(np.argmax(raised))
            if first is None or row < first[0]:
                first = row, condition
    if first is None:
        return
    row, condition = first
    at = {axis: code[row : row + 1] for axis, code in codes.items()}
    _, errors = condition.whole.row_by_row(at, 1)
    error = errors[0]
    shown = ", ".join(
        f"{name}={param.values[0 if len(param) == 1 else int(at[axes.axis_of[name]][0])]!r}"
        for name, param in axes.params.items()
        if axes.axis_of[name] in condition.whole.axes or len(param) == 1
    )
    msg = (
        f"{condition.text} must be computable for every combination, but it raised "
        f"{type(error).__name__}: {error} for {shown}. Exclude that combination first, as in "
        "'b != 0 and a / b > 1'."
    )
    raise ConditionError(msg) from error


def split_conditions(axes: Axes, conditions: Sequence[Condition]) -> list[Condition]:
    """Return the same conditions cut at their ``and``s, so that each conjunct is applied early.

    Python stops at the first false side of an ``and``: what stands behind it may be computable only
    because of what stands before. A conjunct that raises nowhere can be taken out of that order.
    From the first one that may raise on, the rest stays together. If none may raise, the sides are
    conditions of their own, which may fall into groups that are solved independently.
    """
    split: list[Condition] = []
    for condition in conditions:
        whole = condition.whole
        if not isinstance(whole.source, Expression):
            split.append(Condition(condition.text, whole, (whole,)))
            continue
        expression = whole.source
        variables = dict(
            zip(expression.names, zip(whole.values, whole.variable_axes, strict=True), strict=True)
        )

        def conjunct_of(
            part: Expression, variables: Mapping[str, tuple[Any, int | None]] = variables
        ) -> Conjunct:
            found = [variables[name] for name in part.names]
            return Conjunct(part, tuple(v for v, _ in found), tuple(axis for _, axis in found))

        safe: list[Conjunct] = []
        for i, part in enumerate(expression.conjuncts):
            candidate = conjunct_of(part)
            if not _never_raises(candidate, axes):
                rest = Expression.all_of(expression.conjuncts[i:])
                split.append(Condition(condition.text, whole, (*safe, conjunct_of(rest))))
                break
            safe.append(candidate)
        else:
            split += [Condition(condition.text, conjunct, (conjunct,)) for conjunct in safe]
    return split


def _never_raises(conjunct: Conjunct, axes: Axes) -> bool:
    """Whether it provably raises nowhere: made of safe operations, or tried everywhere."""
    cells = math.prod(axes.lengths[axis] for axis in conjunct.axes)
    vectorised = conjunct.vectorised
    if vectorised is not None and vectorised.is_plain_arithmetic():
        return True
    if cells > _TRIED_ROW_BY_ROW:
        return False
    grids = np.ix_(*(np.arange(axes.lengths[axis]) for axis in conjunct.axes))
    _, raised = conjunct.test(dict(zip(conjunct.axes, grids, strict=True)))
    return raised is None or not raised.any()


def _bind_callable(owner: str, function: Callable[..., object], axes: Axes) -> Condition:
    text = f"condition {getattr(function, '__name__', type(function).__name__)!r}"
    positional, named = _arguments(function, text, owner, axes)
    n = len(positional)

    def call(*values: object) -> object:
        return function(*values[:n], **dict(zip(named, values[n:], strict=True)))

    found = [_resolve(name, owner, axes, as_python=False) for name in (*positional, *named)]
    known = [variable for variable in found if variable is not None]
    return Condition(
        text, Conjunct(call, tuple(v for v, _ in known), tuple(axis for _, axis in known))
    )


def _arguments(
    function: Callable[..., object], text: str, owner: str, axes: Axes
) -> tuple[list[str], list[str]]:
    """Return the names a callable takes by position and by keyword."""
    positional: list[str] = []
    named: list[str] = []
    try:
        signature = inspect.signature(getattr(function, "py_func", function))
    except (TypeError, ValueError):
        rule = "have arguments that name parameters"
        remedy = "Type a lambda: condition=lambda fast, slow: fast < slow."
        raise ConditionError(broken_rule(text, rule, function, remedy)) from None
    for argument in signature.parameters.values():
        if argument.kind is argument.VAR_POSITIONAL:
            continue
        if argument.kind is argument.VAR_KEYWORD:
            taken = {*positional, *named}
            named += [other for other in axes.params if other not in taken]
        elif _resolve(argument.name, owner, axes, as_python=False) is not None:
            by_name = argument.kind is argument.KEYWORD_ONLY
            (named if by_name else positional).append(argument.name)
        elif argument.default is argument.empty:
            where = f"{text} of parameter {owner!r}"
            raise expressions.unknown_name(argument.name, _known_names(owner, axes), where)
    return positional, named


def _resolve(
    name: str, owner: str, axes: Axes, *, as_python: bool
) -> tuple[Sequence[object], int | None] | None:
    """Return what a name runs through and along which axis (None: a constant); None if unknown.

    A parameter comes before ``x``, an index level, and the context. Expressions promise Python's
    arithmetic, hence Python's numbers; a callable gets the values as they are.
    """
    source = owner if name == "x" and "x" not in axes.params else name
    values: Any
    if source in axes.params:
        values = axes.params[source].values
    else:
        # Of two levels with one name it is not known which is meant.
        levels = [level for level in axes.levels if f"__{level.name}__" == name]
        context = axes.params[owner].context or {}
        if len(levels) == 1:
            values, source = levels[0].labels, levels[0].param
        elif name in context:
            value = context[name]
            return [plain(value) if as_python else value], None
        else:
            return None
    if isinstance(values, pd.Index):
        values = values.tolist()
    if as_python and not isinstance(values, range):
        values = list(map(plain, values))
    return values, None if len(values) == 1 else axes.axis_of[source]


def _known_names(owner: str, axes: Axes) -> list[object]:
    """Return the names that a condition of parameter `owner` may use."""
    names = [level.name for level in axes.levels]
    levels = [f"__{name}__" for name in names if names.count(name) == 1]
    return list(dict.fromkeys([*(axes.params[owner].context or {}), *levels, "x", *axes.params]))
