# SPDX-License-Identifier: BSD-3-Clause
"""Lists of settings for array functions: one column a value, entry by entry."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.arrays import Wrapping, unwrap_all
from broadpeak._signals.levels import LISTS, pair_combinations, plain_labels, with_levels
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import AnyArray

Func = TypeVar("Func", bound=Callable[..., Any])


def takes_lists(function: Func) -> Func:
    """Let an array function take lists for its settings, as `Data.run` does.

    Arguments without a default are its inputs, all others are settings. Lists, tuples, ranges and
    pandas Indexes are zipped: equal lengths, or one value. Every asset among the columns meets
    every value; columns that are combinations of parameters meet as many values one to one.
    """
    parameters = inspect.signature(function).parameters
    inputs = [key for key, one in parameters.items() if one.default is one.empty]
    n_inputs = len(inputs)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        for value in args[n_inputs:]:
            if isinstance(value, LISTS):
                return spread(args, kwargs)
        for key, value in kwargs.items():
            if isinstance(value, LISTS) and key not in inputs:
                return spread(args, kwargs)
        return function(*args, **kwargs)

    def spread(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        given = inspect.signature(function).bind(*args, **kwargs).arguments
        settings = {key: value for key, value in given.items() if key not in inputs}
        return _spread(function, {key: given[key] for key in inputs}, settings)

    return cast(Func, call)


def _spread(
    function: Callable[..., Any], inputs: dict[str, Any], settings: Mapping[str, Any]
) -> Any:
    given = {key: _values(key, one) for key, one in settings.items() if isinstance(one, LISTS)}
    columns = zipped(given, "Zip the lists.")
    n = len(next(iter(columns.values())))
    short = function.__name__.lower()
    levels = [pd.Index(values, name=f"{short}_{key}") for key, values in columns.items()]
    lanes, wrapping = unwrap_all(inputs)
    if wrapping.columns is not None:
        take, number = pair_combinations(wrapping.columns, n)
        labels = with_levels(wrapping.columns, take, [level.take(number) for level in levels])
    else:
        # Columns without labels are assets: every combination of settings meets all of them.
        take = np.tile(np.arange(len(lanes[0])), n)
        number = np.repeat(np.arange(n), len(lanes[0]))
        labels = with_levels(pd.RangeIndex(len(take)), None, [one.take(number) for one in levels])
    outs: list[AnyArray] = []
    kind: Any = None
    for one in range(n):
        places = np.flatnonzero(number == one)
        values = {**settings, **{key: column[one] for key, column in columns.items()}}
        result = function(*(lane[take[places]].T for lane in lanes), **values)
        kind = type(result) if isinstance(result, tuple) else None
        for k, output in enumerate(result if isinstance(result, tuple) else (result,)):
            if k == len(outs):
                outs.append(np.empty((len(take), lanes[0].shape[1]), output.dtype))
            outs[k][places] = output.T
    shape = Wrapping("array2d")
    if wrapping.index is not None:
        shape = Wrapping("frame", index=wrapping.index, columns=labels)
    wrapped = [shape.wrap(out) for out in outs]
    return wrapped[0] if kind is None else kind(*wrapped)


def _values(name: str, given: Any) -> list[Any]:
    column = plain_labels(given)
    for one in column:
        if isinstance(one, LISTS):  # among them the labels of several levels
            rule = "be a list of single values"
            raise ParamError(broken_rule(name, rule, one, "Zip the lists."))
        check.identifier(f"each of {name}", one)
    return column


def zipped(
    columns: Mapping[str, list[Any]], remedy: str, length: int | None = None
) -> dict[str, list[Any]]:
    """Return lists of one length; one value is repeated.

    Parameters
    ----------
    columns : mapping
        The values of each parameter.
    remedy : str
        What to type if lengths differ.
    length : int, optional
        The length, of the combinations of a mono-chunk. Default: that of the longest list.

    Raises
    ------
    ParamError
        If a list is empty, or of another length.
    """
    for key, column in columns.items():
        if not column:
            raise ParamError(broken_rule(key, "have at least one value", column))
    rule = "have one value or as many as the longest list"
    if length is None:
        length = max(map(len, columns.values()))
    else:
        rule = "have one value a combination of the mono-chunk"
    for key, column in columns.items():
        if len(column) not in {1, length}:
            raise ParamError(broken_rule(key, f"{rule}, {length}", len(column), remedy))
    return {key: column * length if len(column) == 1 else column for key, column in columns.items()}
