# SPDX-License-Identifier: BSD-3-Clause
"""Returns and drawdowns of values, arrays of columns × bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from broadpeak._metrics._kernels import measures as loops
from broadpeak.types import AnyArray, FloatArray, IntArray

DRAWDOWN = np.dtype(
    [
        ("column", np.int64),
        ("peak", np.int64),
        ("valley", np.int64),
        ("end", np.int64),
        ("recovered", np.bool_),
        ("bars", np.int64),
        ("depth", np.float64),
    ]
)
"""One drawdown: peak, valley and end (recovery, or the last bar) as bar numbers, bars from peak to
end, depth as a negative fraction. A peak before the first bar is put on it."""

Own: TypeAlias = "Sequence[IntArray | None]"
"""For each column the numbers of its own bars; None: all of them."""


def returns(
    value: FloatArray, start: FloatArray, *, capital: float = 0.0, own: Own | None = None
) -> FloatArray:
    """Return the change of each bar over the value before it.

    Parameters
    ----------
    value : float64 array, shape (columns, bars)
    start : float64 array, shape (columns,)
        Value before the first bar.
    capital : float
        If not 0, changes are over this fixed amount, not compounded.
    own : sequence of int64 arrays or None, optional
        Bars that a column has; changes are from one of them to the next.

    Returns
    -------
    float64 array, shape (columns, bars)
        NaN where the value before is not positive, and on bars that a column does not have.

    Examples
    --------
    >>> returns(np.array([[110.0, 99.0]]), np.array([100.0])).round(6)
    array([[ 0.1, -0.1]])
    """
    out = np.full_like(value, np.nan)
    for column, (bars, path) in enumerate(_on_own_bars(value, own)):
        changes = np.empty_like(path)
        loops.bar_returns(path, float(start[column]), capital, changes)
        out[column, bars] = changes
    return out


def drawdowns(value: FloatArray, start: FloatArray, *, own: Own | None = None) -> AnyArray:
    """Return every drawdown (dtype `DRAWDOWN`), column after column.

    Examples
    --------
    >>> drawdowns(np.array([[110.0, 99.0, 110.0]]), np.array([100.0]))["depth"].round(6)
    array([-0.1])
    """
    n_bars = value.shape[1]
    ints = np.empty((n_bars // 2 + 2, 3), dtype=np.int64)
    depths = np.empty(n_bars // 2 + 2)
    numbers = np.arange(n_bars)
    parts = [np.empty(0, dtype=DRAWDOWN)]
    for column, (bars, path) in enumerate(_on_own_bars(value, own)):
        k = loops.find_drawdowns(path, float(start[column]), ints, depths)
        part = np.empty(k, dtype=DRAWDOWN)
        peak, valley, recovery = ints[:k].T
        peak = np.maximum(peak, 0)
        end = np.where(recovery >= 0, recovery, len(path) - 1)
        places = numbers[bars]
        part["column"], part["recovered"], part["bars"] = column, recovery >= 0, end - peak
        part["peak"], part["valley"], part["end"] = places[peak], places[valley], places[end]
        part["depth"] = depths[:k]
        parts.append(part)
    return np.concatenate(parts)


def _on_own_bars(
    value: FloatArray, own: Own | None
) -> Iterator[tuple[slice | IntArray, FloatArray]]:
    """Yield for each column the bars it has and its values on them."""
    for column, path in enumerate(value):
        bars = None if own is None else own[column]
        if bars is None:
            yield slice(None), path
        else:
            yield bars, path[bars]
