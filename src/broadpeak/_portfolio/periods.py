# SPDX-License-Identifier: BSD-3-Clause
"""What a broker's report shows of an account: its months and years, its moving Sharpe ratio, sides.

Arrays are accounts × bars. Labels are put on by `Portfolio`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from broadpeak._metrics.formulas import is_zero, profit_factor, share, sharpe_ratio
from broadpeak._metrics.measures import Own
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import AnyArray, FloatArray

SIDES = ("all", "long", "short")
MONTHS = range(1, 13)


def dates_of(index: pd.Index, what: str) -> pd.DatetimeIndex:
    """Return the dates of an index, or say that `what` needs some.

    Raises
    ------
    DataError
        If the labels of the bars are no dates.
    """
    if isinstance(index, pd.PeriodIndex):
        return index.to_timestamp()
    if not isinstance(index, pd.DatetimeIndex):
        remedy = "Pass prices whose index is a DatetimeIndex: close.index = pd.to_datetime(dates)."
        raise DataError(broken_rule("index", f"have dates for {what}", index, remedy))
    return index


def period_returns(
    value: FloatArray,
    start: FloatArray,
    codes: AnyArray,
    *,
    capital: float = 0.0,
    own: Own | None = None,
) -> FloatArray:
    """Return the change of value over each run of equal `codes`.

    Parameters
    ----------
    value : float64 array, shape (accounts, bars)
    start : float64 array, shape (accounts,)
        Value before the first bar.
    codes : int array, shape (bars,)
        Which period each bar is in; never falling.
    capital : float
        If not 0, changes are over this fixed amount, else over the value before the period.
    own : sequence of int64 arrays or None, optional
        Bars that an account has.

    Returns
    -------
    float64 array, shape (accounts, periods)
        NaN where the value before was not positive, and in a period of which an account has no bar.

    Examples
    --------
    >>> period_returns(np.array([[110.0, 99.0, 198.0]]), np.array([100.0]), np.array([0, 0, 1]))
    array([[-0.01,  1.  ]])
    """
    lasts = np.flatnonzero(np.append(codes[1:] != codes[:-1], True))[: len(codes)]
    ends = value[:, lasts]
    before = np.column_stack([start, ends[:, :-1]]) if len(lasts) else ends
    base = before if capital == 0.0 else np.full_like(before, capital)
    result: FloatArray = np.full_like(ends, np.nan)
    np.divide(ends - before, base, out=result, where=before > 0.0)
    for account, bars in enumerate(own or ()):
        if bars is not None:
            there = np.zeros(len(codes), dtype=bool)
            there[bars] = True
            firsts = np.append(0, lasts[:-1] + 1)
            result[account, ~np.logical_or.reduceat(there, firsts)] = np.nan
    return result


def rolling_sharpe(returns: FloatArray, bars: int, per_year: FloatArray) -> FloatArray:
    """Return the annualised Sharpe ratio of the last `bars` returns that an account has.

    Parameters
    ----------
    returns : float64 array, shape (accounts, bars)
        NaN on bars that an account does not have.
    bars : int
        Length of the window.
    per_year : float64 array, shape (accounts,)

    Returns
    -------
    float64 array, shape (accounts, bars)
        NaN before the first full window, and where returns do not vary.

    Examples
    --------
    >>> rolling_sharpe(np.array([[0.1, 0.2, 0.3]]), 2, np.array([1.0])).round(6)
    array([[     nan, 2.12132 , 3.535534]])
    """
    out = np.full_like(returns, np.nan)
    for account, path in enumerate(returns):
        there = np.flatnonzero(~np.isnan(path))
        # Pandas adds and takes away with care for rounding, and knows windows of equal numbers.
        moving = pd.Series(path[there]).rolling(bars, min_periods=bars)
        mean, std = moving.mean().to_numpy(), moving.std().to_numpy()
        out[account, there] = sharpe_ratio(mean, std, float(per_year[account]))
    return out


def side_table(trades: pd.DataFrame) -> pd.DataFrame:
    """Return what trades of each side gave: a row for all of them, one for long, one for short."""
    rows = [trades if side == "all" else trades[trades["direction"] == side] for side in SIDES]
    return pd.DataFrame([_side(part) for part in rows], index=pd.Index(SIDES, name="direction"))


def _side(trades: pd.DataFrame) -> dict[str, float]:
    closed = trades[trades["status"] == "closed"]
    profit, returned = closed["pnl"].to_numpy(float), closed["return"].to_numpy(float)
    n = np.array([float(len(closed))])
    gains = np.array([profit[profit > 0].sum()])
    losses = np.array([-profit[profit <= 0].sum()])
    largest = np.abs(profit).max(initial=0.0)
    some = len(closed) > 0
    return {
        "num_trades": len(trades),
        "closed": len(closed),
        "win_rate": share(np.array([float((profit > 0).sum())]), n)[0],
        "net": float(trades["pnl"].sum()),
        "expectancy": float(profit.mean()) if some else np.nan,
        "profit_factor": float(profit_factor(gains, losses, n, largest)[0]),
        "mean_return": float(returned.mean()) if some else np.nan,
        "median_return": float(np.median(returned)) if some else np.nan,
        "best_return": float(returned.max()) if some else np.nan,
        "worst_return": float(returned.min()) if some else np.nan,
        "mean_bars": float(closed["bars"].mean()) if some else np.nan,
        "mean_mae": float(closed["mae"].mean()) if some else np.nan,
        "mean_mfe": float(closed["mfe"].mean()) if some else np.nan,
    }


def correlation(returns: pd.DataFrame) -> pd.DataFrame:
    """Return the correlation of columns on the bars that both have; NaN where one does not move."""
    found = returns.corr(min_periods=3)
    largest = returns.abs().max()
    still = is_zero(returns.std().to_numpy(float), largest.to_numpy(float))
    dead = returns.columns[still | returns.std().isna().to_numpy()]
    found.loc[dead, :] = np.nan
    found.loc[:, dead] = np.nan
    return found


def joined(paths: Sequence[pd.Series[float]], names: pd.Index, index: pd.Index) -> pd.DataFrame:
    """Return paths over bars of their own as columns over `index`, NaN on bars they do not have."""
    columns = [path.reindex(index).to_numpy(float) for path in paths]
    values = np.column_stack(columns) if columns else np.empty((len(index), 0))
    return pd.DataFrame(values, index=index, columns=names)
