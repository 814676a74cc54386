# SPDX-License-Identifier: BSD-3-Clause
"""Array functions and prices."""

from __future__ import annotations

from typing import Any

import pandas as pd
from fuzz_rows import Table
from fuzz_world import Exchange

import broadpeak as bp

TABLE = Table()
row, method = TABLE.row, TABLE.method

# ------------------------------------------------------------------ array functions

for _name in ("sma", "ema", "wma", "rma", "rsi", "roc", "zscore", "highest", "lowest"):
    row(_name, lambda w: {"values": w.close, "window": 5})
row("macd", lambda w: {"values": w.close, "fast": 3, "slow": 5, "signal": 2})
row("bbands", lambda w: {"values": w.close, "window": 5, "width": 2.0})
_hlc = lambda w: {"high": w.first["high"], "low": w.first["low"], "close": w.close}
row("atr", lambda w: {**_hlc(w), "window": 5})
row("stoch", lambda w: {**_hlc(w), "window": 5, "smooth_k": 2, "smooth_d": 2})
row("crossed_above", lambda w: {"left": w.close, "right": w.close.rolling(5).mean()})
row("crossed_below", lambda w: {"left": w.close, "right": 100.0})
row("talib_func", {"name": "sma"}, then=lambda w, f: f(w.close, 5))
row("talib_func()", lambda w: {0: w.close, "timeperiod": 5}, lambda _: bp.talib_func("sma"))
_accessor = lambda w: w.entries.bp
row("bp.crossed_above", lambda w: {"other": 100.0}, lambda w: w.close.bp.crossed_above)
row("bp.crossed_below", lambda w: {"other": 100.0}, lambda w: w.close.bp.crossed_below)
row("bp.clean", lambda w: {"exits": w.exits}, lambda w: w.entries.bp.clean)
row("bp.delay", {"bars": 2}, lambda w: w.entries.bp.delay)
row("bp.rank", {}, lambda w: w.entries.bp.rank)
row("bp.first", {}, lambda w: w.entries.bp.first)
row("optimal_f", lambda w: {"trades": [3.0, -1.0, 2.0, -1.5, 4.0]})
row("flush", {})
row("register_accessor", {"name": "fuzzed"})

# ------------------------------------------------------------------ data

_look = lambda w, d: (d.symbols, d.close, d.returns, len(d))
row("Data", lambda w: {"source": w.data._table}, then=_look)
row("Data.from_frames", lambda w: {"frames": w.frames}, then=_look)
row("Data.from_frames(value)", lambda w: {"frame": w.first}, lambda w: _from_frame, then=_look)
row("Data.from_frames(index)", lambda w: {"index": w.first.index}, lambda w: _on_index, then=_look)
row("Data.from_csv", lambda w: {"path": w.csv}, then=_look)
row("Data.from_parquet", lambda w: {"path": w.parquet}, then=_look)
row("Data.from_yfinance", {"symbols": ["X"]}, then=_look)
row("Data.from_ccxt", {"symbols": ["X"], "exchange": Exchange(), "end": "2020-02-01"}, then=_look)
row("Data.sample", {"symbols": "IBM"}, then=_look)
method("Data.select", bp.Data.select, lambda w: w.data, {"symbols": "X"}, then=_look)
method("Data.chart", bp.Data.chart, lambda w: w.data, {"symbols": "X"})
method(
    "Data.resample",
    bp.Data.resample,
    lambda w: w.data,
    {"rule": "W"},
    then=_look,
    more=("label", "closed", "origin", "offset"),
)
method("Data.array", bp.Data.array, lambda w: w.data, {"name": "close"})
method("Data.column", bp.Data.column, lambda w: w.data, {"name": "close"})
row("Data[]", {0: slice("2020-01-10", "2020-02-01")}, lambda w: w.data.__getitem__, then=_look)
row("Data[a:b]", {0: "2020-01-10", 1: "2020-02-01", 2: 1}, lambda w: lambda *a: w.data[slice(*a)])
method(
    "Data.run",
    bp.Data.run,
    lambda w: w.data,
    {"name": "bp:ma", "window": [3, 5]},
    then=lambda w, r: r.ma if hasattr(r, "outputs") else r,
    more=("price", "no_such"),
)
row("Data.run(talib)", {0: "talib:sma", "timeperiod": [3, 5]}, lambda w: w.data.run)
row("Data.run(talib bbands)", {0: "talib:bbands", "nbdevup": 2.0, "matype": 0}, lambda w: w.one.run)
row("Data.run(stoch)", {0: "bp:stoch", 1: 5, 2: 2, 3: 2}, lambda w: w.one.run)
row("Data.run(zscore)", {0: "bp:zscore", "window": 5, "ddof": 1}, lambda w: w.one.run)
row("Data.split_params", {}, lambda w: w.data.split_params)
row("Data.fingerprint", {}, lambda w: w.data.fingerprint)
row("IndicatorResult.crossed_above", {0: 100.0}, lambda w: w.result.ma_crossed_above)
row("IndicatorResult.crossed_below", lambda w: {0: w.result}, lambda w: w.result.ma_crossed_below)
row("IndicatorResult.rename_levels", {0: {"ma_window": "fast"}}, lambda w: w.result.rename_levels)
row("IndicatorResult.panel", {"output": "ma"}, lambda w: w.result.panel)
row("IndicatorResult.split_params", {}, lambda w: w.result.split_params)
row("IndicatorResult.unpack", {}, lambda w: w.result.unpack)


def _from_frame(frame: Any) -> Any:
    return bp.Data.from_frames({"X": frame})


def _on_index(index: Any) -> Any:
    return bp.Data.from_frames({"X": pd.DataFrame({"close": 1.0}, index=index)})
