# SPDX-License-Identifier: BSD-3-Clause
"""Optimal f: the bet size that makes a sequence of trades grow fastest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core.arrays import unwrap
from broadpeak._metrics.formulas import is_zero
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import FloatArray

LEAST, MOST = 0.001, 0.999


def optimal_f(trades: Any) -> float:
    """Return the fraction of capital to risk on each trade for the fastest growth.

    Parameters
    ----------
    trades : array of float, shape (n_trades,), or a frame with a column ``pnl``
        Results per lot, costs included.

    Returns
    -------
    float
        0 without a profit in sum, 1 without any loss, else from 0.001 to 0.999.

    Raises
    ------
    ParamError
        If a result is not finite or `trades` is no sequence of numbers.

    Notes
    -----
    The f in (0, 1) with the largest product of ``1 + f * r / |largest loss|`` over the results r.
    Use at most half of it: it is the edge beyond which growth falls and drawdowns are ruinous.
    R. Vince, "Portfolio Management Formulas" (1990).

    Examples
    --------
    >>> round(optimal_f([10, -5, 8, -4, 12, -6, 7, -5, 9, -3]), 3)
    0.313
    """
    results = _results(trades)
    total, worst = float(results.sum()), float(results.min(initial=0.0))
    largest = float(np.abs(results).max(initial=0.0))
    if total <= 0 or is_zero(total, largest):
        return 0.0
    if is_zero(worst, largest):
        return 1.0
    ratios = results / -worst
    # The growth rate is concave in f, so its slope crosses zero once: bisection cannot miss it.
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if float((ratios / (1 + middle * ratios)).sum()) > 0:
            low = middle
        else:
            high = middle
    return min(max(0.5 * (low + high), LEAST), MOST)


def _results(trades: Any) -> FloatArray:
    framed = isinstance(trades, pd.DataFrame) and "pnl" in trades.columns
    try:
        columns, _ = unwrap("trades", trades["pnl"] if framed else trades)
    except DataError:
        columns = np.empty((0, 0))
    if len(columns) != 1 or not (np.abs(columns) < 1e300).all():
        rule = 'be a sequence of finite results, or a frame with a column "pnl"'
        raise ParamError(broken_rule("trades", rule, trades))
    results: FloatArray = columns[0]
    return results
