# SPDX-License-Identifier: BSD-3-Clause
"""Law: what a sweep keeps does not depend on whether it ran as lists, nor on the engine."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._merge.pieces import same_bits

DATES = pd.date_range("2020-01-01", periods=120, freq="D")
STEPS = st.sampled_from([0.0, 0.0, 0.01, -0.01, 0.3, -0.25, 1e-9])
WINDOWS = st.lists(st.integers(1, 30), min_size=4, max_size=7, unique=True)
STOPS = st.lists(
    st.sampled_from([0.001, 0.01, 0.03, 0.2, None]), min_size=1, max_size=4, unique=True
)


def crossings(data, fast, slow):
    quick = data.run("bp:ma", fast, hide_params=True)
    calm = data.run("bp:ma", slow, hide_params=True)
    return quick.ma_crossed_above(calm), quick.ma_crossed_below(calm)


def plain(data, fast, slow, stops):
    return bp.PF.from_signals(data, *crossings(data, fast, slow), sl_stop=0.05)


def stopped(data, fast, slow, stops):
    up, down = crossings(data, fast, slow)
    return bp.PF.from_signals(data, up, down, fees=0.001, tp_stop=bp.Param(stops))


def ratios(data, fast, slow, stops):
    return stopped(data, fast, slow, stops).sharpe_ratio


def reducers(by):
    few = st.integers(1, 5) | st.just(10_000)
    bins = st.just(bp.histogram(7, range=(-1, 3), by=by))
    return st.builds(bp.top, few, st.just(by)) | st.builds(bp.bottom, few, st.just(by)) | bins


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.data(), WINDOWS, STOPS, st.sampled_from([1e-6, 1.0, 1e9]))
def test_lists_and_engines_keep_the_same(data, windows, stops, scale):
    body, by = data.draw(
        st.sampled_from(
            [(plain, "sharpe_ratio"), (plain, "num_trades"), (ratios, None)]
            + [(stopped, by) for by in ("sharpe_ratio", "total_return", "max_drawdown")]
        )
    )
    steps = data.draw(st.lists(STEPS, min_size=60, max_size=120))
    prices = scale * np.cumprod(1.0 + np.array(steps))
    names = ("open", "high", "low", "close")
    bars = pd.DataFrame(dict.fromkeys(names, prices), index=DATES[: len(prices)])
    close = bp.Data.from_frames({"A": bars}).select("A")
    sweep = bp.parameterized(body, keep=data.draw(reducers(by)), n_workers=2)
    grid = close, bp.Param(windows), bp.Param(windows), stops
    want = sweep(*grid, _mono=False)
    for engine in ("serial", "threadpool"):
        got = sweep(*grid, _engine=engine)
        if hasattr(want, "counts"):
            assert repr(got) == repr(want)
            assert got.counts.tolist() == want.counts.tolist()
        else:
            assert same_bits(got, want)
