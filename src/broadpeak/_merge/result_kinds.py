# SPDX-License-Identifier: BSD-3-Clause
"""What the results of a run are: scalars, 1-D arrays, 2-D arrays, Series or frames; never a mix."""

from __future__ import annotations

from collections.abc import Sequence, Set
from enum import Enum, StrEnum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

from broadpeak.errors import ParamError, ParamTypeError, broken_rule, warn

_HOLDERS = (np.ndarray, list, pd.Index, pd.api.extensions.ExtensionArray)
_PANDAS = (pd.Series, pd.DataFrame)
_PLAIN = (Enum, PurePath, UUID, dict, Set)  # values that pandas does not know as such
_VALUES = frozenset({float, int, bool, str, bytes, type(None), complex, np.float64, np.bool_})


class Kind(StrEnum):
    """Kind of a result; the value is its name in messages."""

    SCALAR = "scalar"
    ARRAY = "1-D array"
    TABLE = "2-D array"
    SERIES = "Series"
    FRAME = "DataFrame"


def sort_out(results: Sequence[Any], how: str) -> tuple[Kind, list[Any]]:
    """Return the one kind of all `results`, and the results with array-likes made arrays.

    Raises
    ------
    ParamError
        If there is none.
    ParamTypeError
        If they are of different kinds.
    """
    if len(results) == 0:
        raise ParamError(
            f"{how} must have at least one result to merge, got none. "
            f"Return the list instead: leave out merge_func."
        )
    values = results if isinstance(results, list) else list(results)
    types = set(map(type, values))
    if not any(issubclass(kind, (*_HOLDERS, *_PANDAS)) for kind in types):
        refuse_objects(values, how, types)
        _tell_of_objects(types, how)
        return Kind.SCALAR, values
    for value in values if list in types else ():
        if isinstance(value, list):
            refuse_objects(value, how, set(map(type, value)))
    refuse_objects([value for value in values if not isinstance(value, _PANDAS)], how)
    values = [_as_array(value) if isinstance(value, _HOLDERS) else value for value in values]
    kinds = {_kind(value): value for value in reversed(values)}
    if len(kinds) > 1:
        got = ", ".join(
            sorted(f"{kind.value} ({type(one).__name__})" for kind, one in kinds.items())
        )
        raise ParamTypeError(
            f"Results of {how} must all be of one kind, got {got}. "
            f"Return the same kind from every call (NoResult leaves a call out), or pass your own "
            f"function as merge_func."
        )
    return next(iter(kinds)), values


def refuse_objects(values: Sequence[Any], how: str, types: Set[type] | None = None) -> None:
    """Refuse results that are no values, such as portfolios: pandas would keep them as objects.

    Values are numbers, strings, dates, members of an Enum, paths, None and pandas' NA, and dicts
    and sets, which are kept as they are.

    Raises
    ------
    ParamTypeError
        If there is one; the message says what to return instead.
    """
    unknown = (set(map(type, values)) if types is None else types) - _VALUES
    for kind in unknown:
        one = next(value for value in values if type(value) is kind)
        if not (pd.api.types.is_scalar(one) or isinstance(one, (*_PLAIN, *_HOLDERS))):
            raise ParamTypeError(
                f"Results of {how} must be numbers, strings, dates, arrays, Series or DataFrames, "
                f"got {kind.__name__}. Return a value computed from it (of a Portfolio, one of its "
                "metrics: return portfolio.sharpe_ratio), or leave out merge_func to get the list "
                "of results."
            )


def _tell_of_objects(types: Set[type], how: str) -> None:
    """Warn of results that merge, but hardly into what was wanted."""
    if types == {type(None)}:
        text = (
            f"Results of {how} are None, all of them: does the function return what it computes? "
            "End it with: return result. NoResult leaves a call out."
        )
        warn(text, UserWarning)
    elif types == {dict}:
        text = (
            f"Results of {how} are dicts, which stay whole in one column. For one column a key "
            'return pd.Series(result) under "concat", and type .unstack() behind the call.'
        )
        warn(text, UserWarning)


def _as_array(value: object) -> Any:
    """Return lists, indexes and extension arrays as NumPy arrays, 0-d arrays as scalars."""
    if isinstance(value, np.ndarray):
        if value.dtype.names is not None:
            rule = "be plain arrays to be merged"
            remedy = "Return one field of the records, or a DataFrame of them."
            raise ParamTypeError(broken_rule("results", rule, value.dtype, remedy))
        return value if value.ndim else value[()]
    return value.to_numpy() if isinstance(value, pd.Index) else pd.Series(value).to_numpy()


def _kind(value: object) -> Kind:
    if isinstance(value, pd.DataFrame):
        return Kind.FRAME
    if isinstance(value, pd.Series):
        return Kind.SERIES
    if isinstance(value, np.ndarray):
        if value.ndim == 1:
            return Kind.ARRAY
        if value.ndim == 2:
            return Kind.TABLE
        raise ParamTypeError(
            f"Results must have at most two dimensions to be merged by name, got an array of "
            f"shape {value.shape}. Pass your own function as merge_func."
        )
    return Kind.SCALAR
