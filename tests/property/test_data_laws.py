# SPDX-License-Identifier: BSD-3-Clause
"""Laws of prices of several symbols and of running indicators over lists."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp

LAW = settings(max_examples=30)
NAMES = ["bp:sma", "bp:ema", "bp:rsi", "bp:atr", "bp:roc", "bp:highest", "bp:zscore"]


@st.composite
def markets(draw):
    """Return one to three symbols, each on its own days."""
    days = pd.date_range("2024-01-01", periods=40, tz=draw(st.sampled_from([None, "Asia/Tokyo"])))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    frames = {}
    for symbol in draw(st.sampled_from(["A", "AB", "ABC"])):
        close = 50 * np.exp(rng.normal(0, 0.02, 40).cumsum())
        table = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close}
        keep = rng.random(40) < draw(st.sampled_from([0.6, 1.0]))
        keep[0] = True
        frames[symbol] = pd.DataFrame(table, index=days)[keep]
    return bp.Data.from_frames(frames)


def columns(result):
    return result.to_frame() if isinstance(result, pd.Series) else result


@LAW
@given(data=markets(), name=st.sampled_from(NAMES), window=st.integers(2, 8))
def test_symbols_do_not_see_each_other(data, name, window) -> None:
    together = columns(data.run(name, window, unpack=True))
    levels = columns(
        data.run(name, window).panel().crossed(data.run("bp:sma", 3).panel(), above=True)
    )
    for symbol in data.symbols:
        alone = data.select(symbol)
        own = alone.run(name, window)
        assert together[symbol].reindex(alone.index).to_numpy().tobytes() == (
            own.unpack().to_numpy().tobytes()
        )
        assert together[symbol].drop(alone.index).isna().all()
        crossed = own.panel().crossed(alone.run("bp:sma", 3).panel(), above=True)
        np.testing.assert_array_equal(levels[symbol].reindex(alone.index), crossed)
        assert not levels[symbol].drop(alone.index).any()


@LAW
@given(
    data=markets(),
    name=st.sampled_from(NAMES),
    pairs=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=5),
)
def test_a_list_of_parameters_is_its_single_runs_side_by_side(data, name, pairs) -> None:
    fast, slow = (list(side) for side in zip(*pairs, strict=True))
    left, right = (data.run(name, windows, hide_params=True) for windows in (fast, slow))
    short = name.removeprefix("bp:")
    crossed = getattr(left, f"{short}_crossed_below")(right).to_numpy()
    n = len(data.symbols)
    for i, (one, other) in enumerate(pairs):
        part = slice(i * n, (i + 1) * n)
        single = columns(data.run(name, one, unpack=True)).to_numpy()
        assert left.unpack().to_numpy()[:, part].tobytes() == single.tobytes()
        alone = getattr(data.run(name, one), f"{short}_crossed_below")(data.run(name, other))
        np.testing.assert_array_equal(crossed[:, part], columns(alone))


@LAW
@given(data=markets(), name=st.sampled_from(NAMES), window=st.integers(1, 8), n=st.integers(0, 40))
def test_cutting_the_future_changes_nothing(data, name, window, n) -> None:
    whole = columns(data.run(name, window, unpack=True))[:n]
    part = columns(data[:n].run(name, window, unpack=True))
    assert whole.to_numpy().tobytes() == part.to_numpy().tobytes()


@LAW
@given(data=markets())
def test_data_survives_travel_and_trivial_changes(data) -> None:
    for same in (pickle.loads(pickle.dumps(data)), data[:], data.resample("1D")):
        assert same.fingerprint() == data.fingerprint()
    assert data[1:].fingerprint() != data.fingerprint()


@LAW
@given(data=markets(), rule=st.sampled_from(["W", "3D", "ME"]))
def test_longer_bars_hold_the_shorter_ones(data, rule) -> None:
    longer = data.resample(rule)
    for symbol in data.symbols:
        short, long = data.select(symbol), longer.select(symbol)
        assert long.high.max() == short.high.max()
        assert long.low.min() == short.low.min()
        assert long.open.iloc[0] == short.open.iloc[0]
        assert long.close.iloc[-1] == short.close.iloc[-1]
