# SPDX-License-Identifier: BSD-3-Clause
"""How an indicator of one column runs over whatever the user passed, and over lists of settings."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
import pandas as pd

from broadpeak._core import check, recall
from broadpeak._core.aliases import ArrayLike, Index, Values
from broadpeak._core.arrays import Wrapping, single_column, unwrap, unwrap_all
from broadpeak._core.columns import pair_values, with_levels
from broadpeak._signals.levels import LISTS, plain_labels
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import AnyArray, IntArray

Func = TypeVar("Func", bound=Callable[..., Any])
Column: TypeAlias = "list[object] | AnyArray"
"""Values of a parameter, one a combination."""
Compute = Callable[..., Sequence[AnyArray]]
"""Columns of the inputs, shape (n_bars,), then the settings, to one column an output."""


def over_one(kernel: Callable[..., None], values: ArrayLike, *settings: float) -> Values:
    """Run `kernel(x, *settings, out)` on every column of `values`."""
    if type(values) is np.ndarray and (column := single_column(values)) is not None:
        out = np.empty(column.size)
        kernel(column, *settings, out)
        return out
    columns, wrapping = unwrap("values", values)
    outs = np.empty(columns.shape)
    for column, out in zip(columns, outs, strict=True):
        kernel(column, *settings, out)
    return wrapping.wrap(outs)


def over_many(
    compute: Compute, inputs: Mapping[str, ArrayLike], *settings: float
) -> tuple[Values, ...]:
    """Run `compute(*columns, *settings)`, which returns one column an output, on every column."""
    singles = [
        column for values in inputs.values() if (column := single_column(values)) is not None
    ]
    if len(singles) == len(inputs) and len({column.size for column in singles}) == 1:
        return tuple(compute(*singles, *settings))
    arrays, wrapping = unwrap_all(inputs)
    if len(arrays[0]) == 0:
        # No column: one run over no bars shows how many outputs there are.
        outputs = compute(*(np.empty(0) for _ in arrays), *settings)
        return tuple(wrapping.wrap(arrays[0].copy()) for _ in outputs)
    results = [compute(*columns, *settings) for columns in zip(*arrays, strict=True)]
    return tuple(wrapping.wrap(np.stack(columns)) for columns in zip(*results, strict=True))


def takes_lists(function: Func, *, remembered: bool = True) -> Func:
    """Let an array function take lists for its settings, as `Data.run` does.

    Arguments without a default are its inputs, all others are settings. Lists, tuples, ranges and
    pandas Indexes are zipped: equal lengths, or one value. Every asset among the columns meets
    every value; columns that are combinations of parameters meet as many values one to one.
    `remembered` says that results depend on arguments alone.
    """
    parameters = inspect.signature(function).parameters
    inputs = [key for key, parameter in parameters.items() if parameter.default is parameter.empty]
    n_inputs = len(inputs)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if recall.n_active and remembered and (memory := recall.here.memory) is not None:
            found = memory.result(function, args, kwargs)
            if found is not recall.NOTHING:
                return found
        for value in args[n_inputs:]:
            if type(value) is not int and isinstance(value, LISTS):
                return spread(args, kwargs)
        for key, value in kwargs.items():
            if key not in inputs and isinstance(value, LISTS):
                return spread(args, kwargs)
        return function(*args, **kwargs)

    def spread(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        passed = inspect.signature(function).bind(*args, **kwargs).arguments
        settings = {key: value for key, value in passed.items() if key not in inputs}
        return _spread(function, {key: passed[key] for key in inputs}, settings)

    return cast(Func, call)


def _spread(
    function: Callable[..., Any], inputs: dict[str, ArrayLike], settings: Mapping[str, object]
) -> object:
    """Run `function` on every column and every combination of listed settings."""
    listed = {
        key: _values(key, setting)
        for key, setting in settings.items()
        if isinstance(setting, LISTS)
    }
    combinations = zip_lists(listed, "Zip the lists.")
    n = len(next(iter(combinations.values())))
    short = function.__name__.lower()
    levels: list[Index] = [
        pd.Index(values, name=f"{short}_{key}") for key, values in combinations.items()
    ]
    arrays, wrapping = unwrap_all(inputs)
    if wrapping.columns is not None:
        take, number = pair_values(wrapping.columns, n)
        labels = with_levels(wrapping.columns, [level.take(number) for level in levels], take)
    else:
        # Columns without labels are assets: every combination of settings meets all of them.
        take = np.tile(np.arange(len(arrays[0])), n)
        number = np.repeat(np.arange(n), len(arrays[0]))
        labels = with_levels(pd.RangeIndex(len(take)), [level.take(number) for level in levels])
    outs: list[AnyArray] = []
    kind: type | None = None
    for i in range(n):
        where = np.flatnonzero(number == i)
        values = {**settings, **{key: column[i] for key, column in combinations.items()}}
        result = function(*(array[take[where]].T for array in arrays), **values)
        kind = type(result) if isinstance(result, tuple) else None
        for k, output in enumerate(result if isinstance(result, tuple) else (result,)):
            if k == len(outs):
                outs.append(np.empty((len(take), arrays[0].shape[1]), output.dtype))
            outs[k][where] = output.T
    shape = Wrapping("array2d")
    if wrapping.index is not None:
        shape = Wrapping("frame", wrapping.index, labels)
    wrapped = [shape.wrap(out) for out in outs]
    return wrapped[0] if kind is None else kind(*wrapped)


def _values(name: str, listed: object) -> list[object]:
    column = plain_labels(cast(Sequence[object], listed))
    for value in column:
        if isinstance(value, LISTS):  # among them the labels of several levels
            rule = "be a list of single values"
            raise ParamError(broken_rule(name, rule, value, "Zip the lists."))
        check.identifier(f"each of {name}", value)
    return column


def taken(column: Column, codes: IntArray) -> Column:
    """Return values of a list or an array at positions."""
    if isinstance(column, np.ndarray):
        return column[codes]
    return [column[code] for code in codes.tolist()]


def zip_lists(
    columns: Mapping[str, Column], remedy: str, length: int | None = None
) -> dict[str, Column]:
    """Return lists of one length; one value is repeated.

    `remedy` says what to type if lengths differ; `length` is that of the combinations of a
    mono-chunk, by default that of the longest list.

    Raises
    ------
    ParamError
        If a list is empty, or of another length.
    """
    for key, column in columns.items():
        if not len(column):
            raise ParamError(broken_rule(key, "have at least one value", column))
    rule = "have one value or as many as the longest list"
    if length is None:
        length = max(map(len, columns.values()))
    else:
        rule = "have one value a combination of the mono-chunk"
    for key, column in columns.items():
        if len(column) not in {1, length}:
            raise ParamError(broken_rule(key, f"{rule}, {length}", len(column), remedy))
    zeros = np.zeros(length, np.int64)
    return {
        key: taken(column, zeros) if len(column) == 1 else column for key, column in columns.items()
    }
