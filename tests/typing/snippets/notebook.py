# SPDX-License-Identifier: BSD-3-Clause
"""What an editor knows in a researcher's notebook. Nothing here runs: mypy reads it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt
import pandas as pd

import broadpeak as bp

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

data = bp.Data.sample("IBM")
assert_type(data, bp.Data)
assert_type(data.symbols, list[Hashable])
assert_type(data.index, pd.Index[Any])
assert_type(data.select("IBM"), bp.Data)
assert_type(data["2005":"2009"], bp.Data)
assert_type(data.resample("W"), bp.Data)
assert_type(data.close, "pd.Series[Any] | pd.DataFrame")
assert_type(data.returns, "pd.Series[Any] | pd.DataFrame")
assert_type(bp.Data.from_frames({"X": pd.DataFrame({"close": [1.0, 2.0]})}), bp.Data)
assert_type(bp.Data.from_csv("prices.csv", symbol="X"), bp.Data)

series = pd.Series([1.0, 2.0, 3.0])
frame = series.to_frame("X")
array: Floats = np.array([1.0, 2.0, 3.0])

assert_type(bp.sma(series, 3), "pd.Series[Any]")
assert_type(bp.sma(frame, 3), pd.DataFrame)
assert_type(bp.sma(array, 3), Floats)
assert_type(bp.ema(series, [3, 5]), pd.DataFrame)
assert_type(bp.atr(series, series, series, 10), "pd.Series[Any]")
assert_type(bp.bbands(series, 20).upper, "pd.Series[Any]")
assert_type(bp.macd(array, 12, 26, 9).hist, Floats)
assert_type(bp.crossed_above(series, 2.0), "pd.Series[Any]")
assert_type(bp.crossed_above(array, array), Bools)

entries = bp.crossed_above(bp.sma(series, 2), bp.sma(series, 3))
exits = bp.crossed_below(bp.sma(series, 2), bp.sma(series, 3))
pf = bp.PF.from_signals(data, entries, exits, fees=0.001, sl_stop=[0.05, 0.1])
assert_type(pf, bp.Portfolio)
assert_type(pf.sharpe_ratio, "float | pd.Series[Any]")
assert_type(pf.total_return, "float | pd.Series[Any]")
assert_type(pf.max_drawdown, "float | pd.Series[Any]")
assert_type(pf.win_rate, "float | pd.Series[Any]")
assert_type(pf.value, "pd.Series[Any] | pd.DataFrame")
assert_type(pf.returns, "pd.Series[Any] | pd.DataFrame")
assert_type(pf.trades, pd.DataFrame)
assert_type(pf.drawdowns, pd.DataFrame)
assert_type(pf.stats(), "pd.Series[Any] | pd.DataFrame")

luck = bp.stats.spa(frame)
assert_type(luck, bp.stats.Significance)
assert_type(luck.p_value, float)
assert_type(bp.stats.pbo(frame).pbo, float)
assert_type(bp.stats.deflated_sharpe_ratio(0.1, 500, n_trials=100, variance=0.01), float)

assert_type(bp.flush(), None)
assert_type(bp.engines.available(), list[str])
