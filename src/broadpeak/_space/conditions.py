# SPDX-License-Identifier: BSD-3-Clause
"""Conditions bound to the axes of a grid, taken apart so that each part is applied early."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from broadpeak._core import expressions, labels
from broadpeak._core.expressions import NotVectorised, Values, Vectorised
from broadpeak._space.axes import Axes
from broadpeak.errors import ConditionError, broken_rule
from broadpeak.types import BoolArray, IntArray

CELLS: Final = 1 << 20
"""Combinations looked at in one step: enough to keep NumPy busy, little enough for any memory."""

_TRIED_ROW_BY_ROW: Final = 1 << 14


@dataclass(eq=False)
class Conjunct:
    """Something that must be true of a combination.

    Attributes
    ----------
    function : callable
        Takes the values of its variables by position, with Python's semantics.
    values, axes : tuples
        What each variable runs through, and along which axis (None: a constant).
    vectorised : Vectorised or None
        The same over arrays; None where that cannot be.
    """

    function: Callable[..., Any]
    values: tuple[Values, ...]
    variable_axes: tuple[int | None, ...]
    vectorised: Vectorised | None
    axes: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.axes = tuple(sorted({axis for axis in self.variable_axes if axis is not None}))

    def test(self, codes: Mapping[int, IntArray]) -> tuple[BoolArray, BoolArray | None]:
        """Return where it is true, and where it raises (None: nowhere), for broadcast codes."""
        shape = np.broadcast_shapes(*(codes[axis].shape for axis in self.axes), ())
        if self.vectorised is not None:
            try:
                true, raised = self.vectorised.truth(codes)
            except NotVectorised:
                self.vectorised = None  # what NumPy can do depends on the values, not on the rows
            else:
                spread = None if raised is None else np.broadcast_to(raised, shape)
                return np.broadcast_to(true, shape), spread
        rows = {axis: np.broadcast_to(codes[axis], shape).ravel() for axis in self.axes}
        true, errors = self.row_by_row(rows, math.prod(shape))
        raised = np.zeros(len(true), dtype=bool)
        raised[list(errors)] = True
        return true.reshape(shape), raised.reshape(shape) if errors else None

    def row_by_row(
        self, rows: Mapping[int, IntArray], n_rows: int
    ) -> tuple[BoolArray, dict[int, Exception]]:
        """Return where it is true, and what it raised by row: plain Python, one row at a time."""
        columns = [
            [values.items[0]] * n_rows
            if axis is None
            else [values.items[code] for code in rows[axis].tolist()]
            for values, axis in zip(self.values, self.variable_axes, strict=True)
        ]
        true = np.zeros(n_rows, dtype=bool)
        errors: dict[int, Exception] = {}
        for i in range(n_rows):
            try:
                true[i] = bool(self.function(*(column[i] for column in columns)))
            except Exception as error:  # noqa: BLE001  # a user's condition may raise anything
                errors[i] = error
        return true, errors


@dataclass(frozen=True, eq=False)
class Condition:
    """A condition with its names resolved.

    Attributes
    ----------
    text : str
        How messages call it.
    whole : Part
        The condition as it was written.
    parts : tuple of Part
        Parts that are all true exactly where the whole is. Only the last may raise, and it raises
        where the whole would, if the parts before it are true.
    """

    text: str
    whole: Conjunct
    parts: tuple[Conjunct, ...]


def bind_conditions(layout: Axes) -> list[Condition]:
    """Return the conditions of all parameters.

    Raises
    ------
    ConditionError
        If a condition uses a name it does not know.
    """
    bound: list[Condition] = []
    for owner, param in layout.params.items():
        if isinstance(param.condition, str):
            bound += _bind_text(owner, param.condition, layout)
        elif param.condition is not None:
            bound.append(_bind_callable(owner, param.condition, layout))
    return bound


def check_rows(
    layout: Axes, conditions: Sequence[Condition], codes: Sequence[IntArray]
) -> BoolArray:
    """Return which rows, one array of codes an axis, meet all conditions.

    Raises
    ------
    ConditionError
        If a condition raises on a row that no other condition excludes.
    """
    kept = np.ones(len(codes[0]), dtype=bool)
    for start in range(0, len(kept), CELLS):
        stop = start + CELLS
        block = {axis: code[start:stop] for axis, code in enumerate(codes)}
        _check_block(layout, conditions, block, kept[start:stop])
    return kept


def _check_block(
    layout: Axes,
    conditions: Sequence[Condition],
    codes: Mapping[int, IntArray],
    kept: BoolArray,
) -> None:
    suspects = []
    rows = np.arange(len(kept))
    for condition in conditions:
        part = condition.whole
        true, raised = part.test({axis: codes[axis][rows] for axis in part.axes})
        true = np.broadcast_to(true, rows.shape)
        if raised is not None:
            suspects.append(condition)
            true = true | raised
        rows = rows[true]
    kept[:] = False
    kept[rows] = True
    survivors = {axis: code[rows] for axis, code in codes.items()}
    report_raised(layout, suspects, survivors)


def report_raised(
    layout: Axes, suspects: Iterable[Condition], codes: Mapping[int, IntArray]
) -> None:
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
    if first is not None:
        row, condition = first
        at = {axis: code[row : row + 1] for axis, code in codes.items()}
        _, errors = condition.whole.row_by_row(at, 1)
        raise _raised_error(layout, condition, errors[0], at)


def _raised_error(
    layout: Axes, condition: Condition, error: Exception, at: Mapping[int, IntArray]
) -> ConditionError:
    place = {axis: int(code[0]) for axis, code in at.items()}
    shown = ", ".join(
        f"{name}={param.values[0 if len(param) == 1 else place[layout.axis_of[name]]]!r}"
        for name, param in layout.params.items()
        if layout.axis_of[name] in place or len(param) == 1
    )
    msg = (
        f"{condition.text} must be computable for every combination, but it raised "
        f"{type(error).__name__}: {error} for {shown}. Exclude that combination first, as in "
        "'b != 0 and a / b > 1'."
    )
    result = ConditionError(msg)
    result.__cause__ = error
    return result


def _bind_text(owner: str, text: str, layout: Axes) -> list[Condition]:
    """Return the condition; one for each side of its `and`s if none of them can raise."""
    expression = expressions.parse(text, "condition")
    known = _known(owner, layout)
    expression.check_names(known, f"the condition of parameter {owner!r},")
    resolved = {name: known[name](True) for name in expression.names}

    def part(piece: expressions.Expression) -> Conjunct:
        values = {name: resolved[name][0] for name in piece.names}
        axes = {name: resolved[name][1] for name in piece.names}
        vectorised = Vectorised(piece, values, axes)
        return Conjunct(piece.function, tuple(values.values()), tuple(axes.values()), vectorised)

    name = f"condition {text!r}"
    safe: list[Conjunct] = []
    for i, conjunct in enumerate(expression.conjuncts):
        candidate = part(conjunct)
        if not _never_raises(candidate, layout):
            # From here on Python's order counts: the rest stays together.
            safe.append(part(expressions.Expression.all_of(expression.conjuncts[i:])))
            return [Condition(name, part(expression), tuple(safe))]
        safe.append(candidate)
    # Independent of one another, they may belong to different groups of parameters.
    return [Condition(name, one, (one,)) for one in safe]


def _never_raises(part: Conjunct, layout: Axes) -> bool:
    """Whether `part` is seen to raise nowhere: looked at everywhere, or made of safe operations."""
    cells = math.prod(layout.lengths[axis] for axis in part.axes)
    vectorised = part.vectorised
    if vectorised is not None and vectorised.is_plain_arithmetic():
        return True
    if cells > _TRIED_ROW_BY_ROW:
        return False
    codes = dict(
        zip(
            part.axes,
            np.ix_(*(np.arange(layout.lengths[axis]) for axis in part.axes)),
            strict=True,
        )
    )
    _, raised = part.test(codes)
    return raised is None or not raised.any()


def _bind_callable(owner: str, function: Callable[..., Any], layout: Axes) -> Condition:
    known = _known(owner, layout)
    text = f"condition {getattr(function, '__name__', type(function).__name__)!r}"
    positional, named = _arguments(function, text, owner, layout.params, known)
    n = len(positional)

    def call(*values: Any) -> Any:
        return function(*values[:n], **dict(zip(named, values[n:], strict=True)))

    resolved = [known[argument](False) for argument in (*positional, *named)]
    whole = Conjunct(call, tuple(v for v, _ in resolved), tuple(a for _, a in resolved), None)
    return Condition(text, whole, (whole,))


def _arguments(
    function: Callable[..., Any],
    text: str,
    owner: str,
    params: Iterable[str],
    known: Mapping[str, Any],
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
            named += [other for other in params if other not in taken]
        elif argument.name in known:
            by_name = argument.kind is argument.KEYWORD_ONLY
            (named if by_name else positional).append(argument.name)
        elif argument.default is argument.empty:
            where = f"{text} of parameter {owner!r}"
            raise expressions.unknown_name(argument.name, known, where)
    return positional, named


_Resolver = Callable[[bool], tuple[Values, int | None]]


def _known(owner: str, layout: Axes) -> dict[str, _Resolver]:
    """Return, by name, how to get its values and axis (argument: whether to unwrap NumPy scalars).

    A parameter comes before ``x``, an index level and the context.
    """
    known: dict[str, _Resolver] = {
        key: partial(_constant, value)
        for key, value in (layout.params[owner].context or {}).items()
    }
    names = [level.name for level in layout.levels]
    for level in layout.levels:
        if names.count(level.name) > 1:
            continue  # which one is meant cannot be told: an unknown name
        known[f"__{level.name}__"] = partial(_along_axis, layout, level.param, level.labels)
    for name in ("x", *layout.params):
        source = owner if name == "x" and "x" not in layout.params else name
        known[name] = partial(_along_axis, layout, source, layout.params[source].values)
    return known


def _constant(value: Any, plain: bool) -> tuple[Values, int | None]:
    return Values([labels.plain(value) if plain else value]), None


def _along_axis(layout: Axes, param: str, values: Any, plain: bool) -> tuple[Values, int | None]:
    if isinstance(values, pd.Index):
        values = values.tolist()
    if plain and not isinstance(values, range):
        # Conditions promise Python's arithmetic.
        values = [labels.plain(value) for value in values]
    return Values(values), None if len(values) == 1 else layout.axis_of[param]
