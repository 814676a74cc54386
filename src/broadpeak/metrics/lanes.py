# SPDX-License-Identifier: BSD-3-Clause
"""Figures of value and return lanes, shape (lanes, bars)."""

from __future__ import annotations

import numpy as np

from broadpeak.metrics._kernels import lanes as loops
from broadpeak.types import AnyArray, FloatArray

DRAWDOWN = np.dtype(
    [
        ("column", np.int64),
        ("peak", np.int64),
        ("valley", np.int64),
        ("recovery", np.int64),
        ("depth", np.float64),
    ]
)
"""One drawdown, as bar numbers; peak -1 is the start, recovery -1 is none yet."""


def returns(value: FloatArray, start: FloatArray, *, capital: float = 0.0) -> FloatArray:
    """Return the change of each bar over the value before it.

    Parameters
    ----------
    value : float64 array, shape (lanes, bars)
    start : float64 array, shape (lanes,)
        Value before the first bar.
    capital : float
        If not 0, changes are over this fixed amount, not compounded.

    Returns
    -------
    float64 array, shape (lanes, bars)
        NaN where the value before is not positive.

    Examples
    --------
    >>> returns(np.array([[110.0, 99.0]]), np.array([100.0])).round(6)
    array([[ 0.1, -0.1]])
    """
    out = np.empty_like(value)
    for lane in range(len(value)):
        loops.bar_returns(value[lane], float(start[lane]), capital, out[lane])
    return out


def moments(lanes: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean, standard deviation (ddof 1) and downside (root mean of min(r, 0)²) of each lane.

    Examples
    --------
    >>> [round(float(x[0]), 6) for x in moments(np.array([[0.1, -0.1]]))]
    [0.0, 0.141421, 0.070711]
    """
    mean = np.array([loops.mean_of(lane) for lane in lanes])
    std = np.array([loops.std_of(lane, m) for lane, m in zip(lanes, mean, strict=True)])
    return mean, std, np.array([loops.downside_of(lane) for lane in lanes])


def max_drawdown(value: FloatArray, start: FloatArray) -> FloatArray:
    """Return the largest fall from a peak of each lane, ≤ 0; the first peak is `start`.

    Examples
    --------
    >>> max_drawdown(np.array([[90.0, 120.0, 90.0]]), np.array([100.0]))
    array([-0.25])
    """
    pairs = zip(value, start, strict=True)
    return np.array([loops.deepest(lane, float(first)) for lane, first in pairs])


def drawdowns(value: FloatArray, start: FloatArray) -> AnyArray:
    """Return every drawdown (dtype `DRAWDOWN`), lane after lane.

    Examples
    --------
    >>> drawdowns(np.array([[110.0, 99.0, 110.0]]), np.array([100.0]))["depth"].round(6)
    array([-0.1])
    """
    n_bars = value.shape[1]
    ints = np.empty((n_bars // 2 + 2, 3), dtype=np.int64)
    depths = np.empty(n_bars // 2 + 2)
    parts = [np.empty(0, dtype=DRAWDOWN)]
    for lane in range(len(value)):
        k = loops.find_drawdowns(value[lane], float(start[lane]), ints, depths)
        part = np.empty(k, dtype=DRAWDOWN)
        part["column"] = lane
        part["peak"], part["valley"], part["recovery"] = ints[:k].T
        part["depth"] = depths[:k]
        parts.append(part)
    return np.concatenate(parts)
