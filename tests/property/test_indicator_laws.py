# SPDX-License-Identifier: BSD-3-Clause
"""Laws of every indicator and signal: no look-ahead, NaN leaves, labels do not matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import broadpeak as bp
from broadpeak._signals.clean import clean, delay, first, rank

LAW = settings(max_examples=40)
WINDOWS = st.integers(1, 9)


def prices(missing: bool = True) -> st.SearchStrategy[np.ndarray]:
    values = st.floats(1.0, 100.0, width=32)
    extra = st.sampled_from([np.nan, 10.0, 10.0, 20.0]) if missing else st.just(10.0)
    return npst.arrays(np.float64, st.integers(0, 50), elements=values | extra)


def split(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple) else (result,)


# Every function as one of a price series and a window, shape (bars,) or (bars, columns).
FUNCTIONS: dict[str, Callable[[Any, int], Any]] = {
    **{
        name: (lambda x, w, name=name: getattr(bp, name)(x, w))
        for name in (
            "sma",
            "ema",
            "wma",
            "rma",
            "rsi",
            "roc",
            "highest",
            "lowest",
            "zscore",
            "bbands",
        )
    },
    "macd": lambda x, w: bp.macd(x, w, w + 3, 2),
    "atr": lambda x, w: bp.atr(x * 1.5, x * 0.5, x, w),
    "stoch": lambda x, w: bp.stoch(x * 1.5, x * 0.5, x, w, 2, 3),
    "crossed_above": lambda x, w: bp.crossed_above(x, bp.sma(x, w)),
    "crossed_below": lambda x, w: bp.crossed_below(x, float(w * 7)),
    "clean": lambda x, w: clean(x > 10 * w, x < 9 * w),
    "delay": lambda x, w: delay(x > 20, w),
    "rank": lambda x, w: rank(x > 20),
    "first": lambda x, w: first(x > 20),
}
WINDOWED = {
    "sma": 0,
    "wma": 0,
    "highest": 0,
    "lowest": 0,
    "zscore": 0,
    "bbands": 0,
    "roc": 1,
    "stoch": 3,
}
RECURSIVE = ("ema", "rma", "rsi", "atr", "macd")


@pytest.mark.parametrize("name", FUNCTIONS)
@LAW
@given(x=prices(), w=WINDOWS, cut=st.integers(0, 50))
def test_nothing_looks_ahead_bit_for_bit(name: str, x: np.ndarray, w: int, cut: int) -> None:
    for whole, part in zip(
        split(FUNCTIONS[name](x, w)), split(FUNCTIONS[name](x[:cut].copy(), w)), strict=True
    ):
        assert whole[:cut].tobytes() == part.tobytes()


@pytest.mark.parametrize("name", FUNCTIONS)
@LAW
@given(x=prices(), w=WINDOWS)
def test_pandas_columns_and_arrays_agree(name: str, x: np.ndarray, w: int) -> None:
    index = pd.date_range("2024-01-01", periods=len(x), tz="Europe/Paris")
    series = pd.Series(x, index=index, name="IBM")
    frame = pd.DataFrame({"a": x, "b": x[::-1].copy()}, index=index)
    alone, other = split(FUNCTIONS[name](x, w)), split(FUNCTIONS[name](x[::-1].copy(), w))
    both = split(FUNCTIONS[name](np.column_stack([x, x[::-1]]), w))
    of_series, of_frame = split(FUNCTIONS[name](series, w)), split(FUNCTIONS[name](frame, w))
    for i, expected in enumerate(alone):
        np.testing.assert_array_equal(both[i], np.column_stack([expected, other[i]]))
        pd.testing.assert_series_equal(of_series[i], pd.Series(expected, index=index, name="IBM"))
        pd.testing.assert_frame_equal(
            of_frame[i], pd.DataFrame({"a": expected, "b": other[i]}, index=index)
        )


@pytest.mark.parametrize("name", FUNCTIONS)
@LAW
@given(x=prices(), w=WINDOWS)
def test_the_input_is_left_alone(name: str, x: np.ndarray, w: int) -> None:
    before = x.copy()
    x.flags.writeable = False
    FUNCTIONS[name](x, w)
    assert x.tobytes() == before.tobytes()
    series = pd.Series(before.copy())
    FUNCTIONS[name](series, w)
    assert series.to_numpy().tobytes() == before.tobytes()


@pytest.mark.parametrize("name", WINDOWED)
@LAW
@given(x=prices(missing=False), w=WINDOWS, data=st.data())
def test_a_missing_value_leaves_with_its_window(
    name: str, x: np.ndarray, w: int, data: st.DataObject
) -> None:
    if len(x) == 0:
        return
    bad = data.draw(st.integers(0, len(x) - 1))
    value = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    broken = x.copy()
    broken[bad] = value
    reach = w + WINDOWED[name]
    for whole, holed in zip(
        split(FUNCTIONS[name](x, w)), split(FUNCTIONS[name](broken, w)), strict=True
    ):
        np.testing.assert_array_equal(whole[:bad], holed[:bad])
        assert np.isnan(holed[bad])
        np.testing.assert_allclose(
            whole[bad + reach :], holed[bad + reach :], rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("name", RECURSIVE)
@LAW
@given(x=prices(), w=WINDOWS)
def test_recursive_ones_pass_over_missing_bars(name: str, x: np.ndarray, w: int) -> None:
    have = np.isfinite(x)
    for whole, dense in zip(
        split(FUNCTIONS[name](x, w)), split(FUNCTIONS[name](x[have].copy(), w)), strict=True
    ):
        assert whole[have].tobytes() == dense.tobytes()
        assert np.isnan(whole[~have]).all()


@LAW
@given(x=prices(missing=False), w=WINDOWS, power=st.integers(-20, 20))
def test_prices_in_other_units_give_scaled_results(x: np.ndarray, w: int, power: int) -> None:
    k = 2.0**power
    for name in ("sma", "ema", "wma", "rma", "highest", "lowest", "atr", "bbands", "macd"):
        results = zip(split(FUNCTIONS[name](x, w)), split(FUNCTIONS[name](x * k, w)), strict=True)
        for one, scaled in results:
            np.testing.assert_array_equal(one * k, scaled)
    for name in ("rsi", "roc", "stoch", "zscore"):
        results = zip(split(FUNCTIONS[name](x, w)), split(FUNCTIONS[name](x * k, w)), strict=True)
        for one, scaled in results:
            np.testing.assert_array_equal(one, scaled)


@LAW
@given(left=prices(), right=prices())
def test_crossings_mirror(left: np.ndarray, right: np.ndarray) -> None:
    n = min(len(left), len(right))
    left, right = left[:n], right[:n]
    above = bp.crossed_above(left, right)
    np.testing.assert_array_equal(above, bp.crossed_below(right, left))
    np.testing.assert_array_equal(above, bp.crossed_below(-left, -right))
    assert not (above & bp.crossed_below(left, right)).any()


@LAW
@given(entries=npst.arrays(np.bool_, 40), exits=npst.arrays(np.bool_, 40))
def test_clean_alternates_and_is_settled(entries: np.ndarray, exits: np.ndarray) -> None:
    kept = clean(entries, exits)
    assert not (kept.entries & ~entries).any()
    assert not (kept.exits & ~exits).any()
    sides = [side for t in range(40) for side in ((kept.entries[t], "in"), (kept.exits[t], "out"))]
    order = [side for kept_here, side in sides if kept_here]
    assert order == ["in", "out"] * (len(order) // 2) + ["in"] * (len(order) % 2)
    again = clean(*kept)
    np.testing.assert_array_equal(again.entries, kept.entries)
    np.testing.assert_array_equal(again.exits, kept.exits)
