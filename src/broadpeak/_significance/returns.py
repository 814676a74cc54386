# SPDX-License-Identifier: BSD-3-Clause
"""Arguments of the statistics: numbers, and returns as bars × configurations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import arrays, check
from broadpeak._core.aliases import ArrayLike, Table
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import BoolArray, FloatArray

LARGEST = 1e100
"""Returns beyond it are no returns, and their squares no floats."""

MOST_DRAWS = 10_000_000
"""Histories that nobody would wait for."""


class HasReturns(Protocol):
    """An object with returns, such as a `Portfolio`."""

    @property
    def returns(self) -> Table:
        """Returns, a Series or a frame of bars × configurations."""


Returns: TypeAlias = "ArrayLike | HasReturns"
"""Returns from anywhere, as all functions of `broadpeak.stats` take them."""


@dataclass(frozen=True, slots=True)
class ReturnTable:
    """Returns of several configurations.

    Attributes
    ----------
    values : float64 array, shape (bars, configurations)
        Finite.
    labels : Index, shape (configurations,)
    kept : bool array, shape (bars given,)
        False at the bars that were left out.
    """

    values: FloatArray
    labels: pd.Index[Any]
    kept: BoolArray


def observed_ratio(value: object) -> float:
    """Return a Sharpe ratio per period, as a number.

    Raises
    ------
    ParamError
        If it is none, such as the returns themselves.
    """
    remedy = "Of returns it is: returns.mean() / returns.std()"
    ratio = check.number("sharpe", value, remedy=remedy)
    if abs(ratio) > LARGEST:
        raise ParamError(broken_rule("sharpe", f"be a ratio below {LARGEST:g}", value, remedy))
    return ratio


def probability(name: str, value: object) -> float:
    """Return `value` if it lies strictly between 0 and 1.

    Raises
    ------
    ParamError
        If it does not.
    """
    result = check.number(name, value)
    if not 0.0 < result < 1.0:
        raise ParamError(broken_rule(name, "lie between 0 and 1", value))
    return result


def return_table(returns: Returns, *, least_bars: int = 2, least_columns: int = 1) -> ReturnTable:
    """Return `returns` as a table.

    Raises
    ------
    DataError
        If it is not one, holds infinite numbers or prices, or has too few bars or columns.
    """
    if not isinstance(returns, (pd.Series, pd.DataFrame)) and hasattr(returns, "returns"):
        returns = returns.returns  # a Portfolio
    columns, wrapping = arrays.unwrap("returns", returns)
    if (np.abs(columns) > LARGEST).any():
        raise DataError(f"returns must be numbers below {LARGEST:g}, or NaN, got a larger one.")
    missing = np.isnan(columns)
    kept: BoolArray = np.logical_not(missing.all(axis=0))
    values = np.where(missing, 0.0, columns).T[kept, :]
    if values.shape[0] < least_bars:
        raise DataError(broken_rule("returns", f"have at least {least_bars} bars", len(values)))
    if values.shape[1] < least_columns:
        rule = f"have at least {least_columns} columns, one a configuration"
        raise DataError(broken_rule("returns", rule, values.shape[1]))
    least = float(values.min(axis=0).max())
    if least > 1.0:
        rule = "be changes as fractions, not prices or values, all of which are above 1 in a column"
        raise DataError(broken_rule("returns", rule, least, "Type: prices.pct_change()"))
    labels = wrapping.columns if wrapping.columns is not None else pd.RangeIndex(values.shape[1])
    if wrapping.kind == "series" and wrapping.name is not None:
        labels = pd.Index([wrapping.name])
    return ReturnTable(np.ascontiguousarray(values), labels, kept)


def less_benchmark(table: ReturnTable, benchmark: float | ArrayLike) -> FloatArray:
    """Return the returns of `table` minus those of `benchmark`: a number, or one a bar.

    Raises
    ------
    DataError
        If it has another length.
    ParamError
        If it is neither.
    """
    if not isinstance(benchmark, (list, tuple)) and np.ndim(benchmark) == 0:
        return table.values - check.number("benchmark", benchmark)
    columns, _ = arrays.unwrap("benchmark", benchmark)
    if columns.shape != (1, len(table.kept)):
        rule = f"be a number, or hold one return for each of the {len(table.kept)} bars"
        raise DataError(broken_rule("benchmark", rule, columns.T.shape))
    line = columns[0][table.kept]
    if (np.abs(line) > LARGEST).any():
        raise DataError(f"benchmark must be numbers below {LARGEST:g}, or NaN, got a larger one.")
    result: FloatArray = table.values - np.nan_to_num(line)[:, np.newaxis]
    return result


def varies(values: FloatArray) -> BoolArray:
    """Return which columns are more than one number with rounding."""
    spread = np.ptp(values, axis=0)
    # What is left of an underflow has no digits to speak of.
    result: BoolArray = spread > np.maximum(1e-12 * np.abs(values).max(axis=0), 1e-300)
    return result


def in_own_units(values: FloatArray) -> FloatArray:
    """Return the columns times powers of two, so that no square leaves the range of floats.

    Nothing is rounded, and what does not depend on the size of a column stays what it is.
    """
    exponents = np.frexp(np.abs(values).max(axis=0, initial=0.0))[1]
    result: FloatArray = np.ldexp(values, -exponents)
    return result
