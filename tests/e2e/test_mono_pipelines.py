# SPDX-License-Identifier: BSD-3-Clause
"""A pipeline on one combination and on a mono-chunk of real prices: same values, same labels."""

from __future__ import annotations

import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import Param

PRICES = bp.Data.sample()["2005":"2006"]


def with_hidden_levels(data, fast, slow):
    left = data.run("bp:ma", window=fast, hide_params=True)
    right = data.run("bp:ma", window=slow, hide_params=True)
    pf = bp.PF.from_signals(data, left.ma_crossed_above(right), left.ma_crossed_below(right))
    return pf.total_return


def with_levels(data, fast, slow):
    left = data.run("bp:ma", window=fast)
    right = data.run("bp:ma", window=slow)
    pf = bp.PF.from_signals(data, left.ma_crossed_above(right), left.ma_crossed_below(right))
    return pf.total_return


def against_the_close(data, fast, slow):
    average = data.run("bp:ma", window=fast, hide_params=True)
    entries, exits = average.ma_crossed_below(data.close), average.ma_crossed_above(data.close)
    return bp.PF.from_signals(data, entries, exits, sl_stop=0.1, fees=0.001).total_return


def signals(data, fast, slow):
    left = data.run("talib:sma", fast, unpack=True)
    return left.bp.crossed_above(data.run("talib:ema", slow, unpack=True))


GRIDS = {
    "product": {"fast": Param([5, 10, 20], condition="fast < slow"), "slow": Param([10, 20, 30])},
    "repeated": {"fast": Param([5, 5, 10], level=0), "slow": Param([30, 30, 30], level=0)},
    "one value": {"fast": Param([7]), "slow": Param([20, 40])},
    "hidden": {"fast": Param([5, 10], hide=True), "slow": Param([20, 30], hide=True)},
    "labels": {"fast": Param([5, 10], keys=["x", "y"]), "slow": Param([20, 30], name="long")},
}


@pytest.mark.parametrize("symbols", ["IBM", ["MSFT", "AAPL"]], ids=["one", "two"])
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(
    ("pipeline", "merge"),
    [
        (with_hidden_levels, "concat"),
        (with_levels, "concat"),
        (against_the_close, "concat"),
        (signals, "column_stack"),
    ],
)
def test_a_mono_chunk_gives_what_single_calls_give(pipeline, merge, grid, symbols):
    data = PRICES.select(symbols)
    run = bp.parameterized(pipeline, merge_func=merge)
    single = run(data, **GRIDS[grid])
    same = pd.testing.assert_series_equal if merge == "concat" else pd.testing.assert_frame_equal
    for rule in ({"_mono_chunk_len": 1}, {"_mono_chunk_len": 2}, {"_mono_n_chunks": 1}):
        same(run(data, **GRIDS[grid], **rule), single, check_freq=False)
