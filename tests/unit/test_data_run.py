# SPDX-License-Identifier: BSD-3-Clause
"""`Data.run`: names, combinations, labels, crossings of results, what is remembered."""

from __future__ import annotations

import itertools
import pickle
import sys

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._core import memo
from broadpeak._indicators import talib

pytest.importorskip("talib")
ALL = bp.Data.sample()[:400]
IBM = ALL.select("IBM")


def frame_of(data):
    columns = ("open", "high", "low", "close")
    return pd.DataFrame({name: getattr(data, name) for name in columns})


def levels(frame):
    return list(frame.columns.names)


def test_one_value_adds_no_level() -> None:
    series = IBM.run("bp:ma", 10).ma
    pd.testing.assert_series_equal(series, bp.sma(IBM.close, 10))
    frame = ALL.run("bp:ma", window=10).ma
    pd.testing.assert_frame_equal(frame, bp.sma(ALL.close, 10))


def test_a_list_adds_a_level_also_with_one_value() -> None:
    frame = IBM.run("bp:ma", window=[10]).ma
    assert levels(frame) == ["ma_window"]
    assert list(frame.columns) == [10]
    both = ALL.run("talib:sma", [10, 20], unpack=True)
    assert levels(both) == ["sma_timeperiod", "symbol"]
    assert both.columns[1] == (10, "IBM")
    assert both.columns[3] == (20, "AAPL")
    for (window, symbol), column in both.items():
        expected = bp.sma(ALL.close[symbol], window)
        np.testing.assert_allclose(column, expected, rtol=1e-12)


def test_a_list_of_one_symbol_keeps_the_symbol_level() -> None:
    frame = ALL.select(["IBM"]).run("bp:ma", window=[10, 20], unpack=True)
    assert frame.columns.tolist() == [(10, "IBM"), (20, "IBM")]
    assert levels(frame) == ["ma_window", "symbol"]


@pytest.mark.parametrize(
    "values",
    [[5, 7], (5, 7), range(5, 9, 2), np.array([5, 7]), pd.Index([5, 7]), pd.Series([5, 7])],
    ids=lambda values: type(values).__name__,
)
def test_every_kind_of_list(values) -> None:
    frame = IBM.run("bp:ma", window=values, unpack=True)
    assert list(frame.columns) == [5, 7]


def test_lists_are_zipped_or_multiplied() -> None:
    zipped = IBM.run("bp:bbands", window=[5, 10], width=[1.0, 2.0])
    assert zipped.levels == ["bbands_window", "bbands_width"]
    assert zipped.upper.columns.tolist() == [(5, 1.0), (10, 2.0)]
    repeated = IBM.run("bp:bbands", window=[5, 10], width=[2.0])
    assert repeated.upper.columns.tolist() == [(5, 2.0), (10, 2.0)]
    product = IBM.run("bp:bbands", window=[5, 10], width=[1.0, 2.0, 3.0], param_product=True)
    assert product.upper.columns.tolist() == list(itertools.product([5, 10], [1.0, 2.0, 3.0]))
    pd.testing.assert_series_equal(product.upper[10, 2.0], zipped.upper[10, 2.0], check_names=False)
    with pytest.raises(bp.ParamError, match="param_product=True"):
        IBM.run("bp:bbands", window=[5, 10], width=[1.0, 2.0, 3.0])
    with pytest.raises(bp.ParamError, match="at least one value"):
        IBM.run("bp:ma", window=[])
    with pytest.raises(bp.ParamError, match="one-dimensional"):
        IBM.run("bp:ma", window=np.ones((2, 2)))


def test_several_outputs_unpack_to_a_tuple() -> None:
    upper, middle, lower = IBM.run("talib:bbands", timeperiod=20, unpack=True)
    assert (upper.iloc[30:] > middle.iloc[30:]).all()
    assert (lower.iloc[30:] < middle.iloc[30:]).all()
    macd = ALL.run("bp:macd", 5, 9, 3)
    assert macd.outputs == ("macd", "signal", "hist")
    pd.testing.assert_frame_equal(macd.hist, bp.macd(ALL.close, 5, 9, 3).hist)


@pytest.mark.parametrize("name", ["rsi", "atr", "stoch", "roc", "zscore", "ema", "wma", "rma"])
def test_our_own_are_the_functions_of_the_same_name(name: str) -> None:
    function = getattr(bp, name)
    inputs = [IBM.close] if name not in {"atr", "stoch"} else [IBM.high, IBM.low, IBM.close]
    expected = function(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    ours = IBM.run(f"bp:{name}", unpack=True)
    for one, other in zip(ours if isinstance(ours, tuple) else (ours,), expected, strict=True):
        pd.testing.assert_series_equal(one, other)


def test_names() -> None:
    plain = IBM.run("bp:ma", 10, unpack=True)
    for name in ("vbt:ma", "ma", "BP:MA", "vbt:sma", "bp:sma"):
        pd.testing.assert_series_equal(IBM.run(name, 10, unpack=True), plain)
    upper = IBM.run("talib:SMA", 10, unpack=True)
    pd.testing.assert_series_equal(upper, IBM.run("talib:sma", 10, unpack=True))
    with pytest.raises(bp.ParamError, match="Did you mean 'bp:stoch'"):
        IBM.run("bp:stock")
    with pytest.raises(bp.ParamError, match=r"function of TA-Lib.*Did you mean 'sma'"):
        IBM.run("talib:smma")
    for wrong in ("pandas:sma", "", 3, None):
        with pytest.raises(bp.ParamError, match="be an indicator"):
            IBM.run(wrong)


def test_arguments_that_do_not_fit() -> None:
    with pytest.raises(TypeError, match=r"unknown option 'windw'. Did you mean 'window'"):
        IBM.run("bp:ma", windw=10)
    with pytest.raises(TypeError, match="two values for 'window'"):
        IBM.run("bp:ma", 10, window=10)
    with pytest.raises(TypeError, match="takes 1 arguments"):
        IBM.run("bp:ma", 10, 20)
    with pytest.raises(bp.ParamError, match="length of at least 1 bar"):
        IBM.run("bp:ma", window=[10, 0])
    with pytest.raises(bp.ParamError, match="Bad Parameter"):
        IBM.run("talib:rsi", 1)
    for wrong in ("ten", None, np.nan, {1: 2}):
        with pytest.raises(bp.ParamError, match="finite number"):
            IBM.run("talib:sma", wrong)
    with pytest.raises(bp.DataError, match="have the price 'volume'"):
        bp.Data.from_frames({"A": IBM.close.to_frame("close")}).run("talib:obv")


def test_hidden_parameters() -> None:
    hidden = IBM.run("bp:ma", window=[10, 20], hide_params=True).ma
    assert hidden.columns.equals(pd.RangeIndex(2))
    assert hidden.columns.name is None
    several = ALL.run("bp:ma", window=[10, 20], hide_params=True).ma
    assert several.columns.tolist() == ["AAPL", "IBM", "MSFT"] * 2
    assert several.columns.name == "symbol"
    half = IBM.run("bp:bbands", window=[5, 6], width=[1, 2], hide_params=["width"])
    assert half.levels == ["bbands_window"]
    with pytest.raises(bp.ParamError, match="hide_params must be True, False or among"):
        IBM.run("bp:ma", window=[5], hide_params=["timeperiod"])


def test_other_inputs() -> None:
    expected = bp.sma(IBM.ohlc4, 10)
    pd.testing.assert_series_equal(
        IBM.run("bp:ma", 10, price="ohlc4", unpack=True), expected.rename("IBM")
    )
    given = IBM.run("talib:sma", 10, real=IBM.open, unpack=True)
    np.testing.assert_allclose(given, bp.sma(IBM.open, 10), rtol=1e-12)
    spread = ALL.run("talib:sub", real0="high", real1="low", unpack=True)
    np.testing.assert_allclose(spread, ALL.high - ALL.low)
    assert ALL.run("bp:ma", 10, price=IBM.close.to_numpy(), unpack=True).shape == (400, 3)
    with pytest.raises(bp.DataError, match="have the index of the data"):
        IBM.run("bp:ma", 10, price=IBM.close.iloc[1:])
    with pytest.raises(bp.DataError, match="400 bars and 1 or 3 columns"):
        ALL.run("bp:ma", 10, price=np.ones((400, 2)))
    with pytest.raises(bp.DataError, match=r"a column for each of \['AAPL', 'IBM', 'MSFT'\]"):
        ALL.run("bp:ma", 10, price=ALL.close[["IBM", "AAPL", "MSFT"]])
    with pytest.raises(bp.DataError, match="have the price 'typical'"):
        IBM.run("bp:ma", 10, price="typical")


# Crossings of results


def test_single_values_cross_to_a_series() -> None:
    fast, slow = IBM.run("bp:ma", 10), IBM.run("bp:ma", 30)
    entries = fast.ma_crossed_above(slow)
    pd.testing.assert_series_equal(entries, bp.crossed_above(fast.ma, slow.ma))
    pd.testing.assert_series_equal(fast.ma_crossed_below(slow), bp.crossed_below(fast.ma, slow.ma))
    both = ALL.run("bp:ma", 10).ma_crossed_above(ALL.run("bp:ma", 30))
    pd.testing.assert_series_equal(both["IBM"], entries)


def test_lists_cross_pair_by_pair() -> None:
    fast = ALL.run("bp:ma", window=[5, 10, 5]).rename_levels({"ma_window": "fast"})
    slow = ALL.run("bp:ma", window=[20, 20, 30]).rename_levels({"ma_window": "slow"})
    entries = fast.ma_crossed_above(slow)
    assert levels(entries) == ["fast", "slow", "symbol"]
    assert entries.dtypes.eq(bool).all()
    for (a, b, symbol), column in entries.items():
        expected = bp.crossed_above(bp.sma(ALL.close[symbol], a), bp.sma(ALL.close[symbol], b))
        np.testing.assert_array_equal(column, expected)


def test_one_combination_crosses_all_others() -> None:
    fast, slow = IBM.run("bp:ma", window=[5, 10, 20]), IBM.run("bp:ma", 30)
    above = fast.ma_crossed_above(slow)
    assert list(above.columns) == [5, 10, 20]
    pd.testing.assert_frame_equal(above, bp.crossed_above(fast.ma, slow.ma))
    mirrored = slow.ma_crossed_below(fast)
    pd.testing.assert_frame_equal(mirrored, above)
    listed = IBM.run("bp:ma", [30]).rename_levels({"ma_window": "slow"})
    assert levels(fast.ma_crossed_above(listed)) == ["ma_window", "slow"]
    assert levels(listed.ma_crossed_above(fast)) == ["slow", "ma_window"]


def test_a_level_that_is_the_same_on_both_sides_is_there_once() -> None:
    fast = IBM.run("bp:ma", window=[5, 10])
    entries = fast.ma_crossed_above(
        IBM.run("bp:ema", window=[5, 10]).rename_levels({"ema_window": "ma_window"})
    )
    assert levels(entries) == ["ma_window"]


def test_crossing_numbers_and_frames() -> None:
    rsi = ALL.run("bp:rsi", window=[5, 10])
    pd.testing.assert_frame_equal(rsi.rsi_crossed_above(70), bp.crossed_above(rsi.rsi, 70))
    pd.testing.assert_frame_equal(
        rsi.rsi_crossed_below(np.float64(30)), bp.crossed_below(rsi.rsi, 30.0)
    )
    moving = ALL.run("bp:ma", window=[5, 10])
    pd.testing.assert_frame_equal(
        moving.ma_crossed_above(ALL.close), bp.crossed_above(moving.ma, ALL.close)
    )
    stoch = ALL.run("bp:stoch")
    pd.testing.assert_frame_equal(
        stoch.k_crossed_above(stoch.d), bp.crossed_above(stoch.k, stoch.d)
    )
    patterns = IBM.run("talib:cdldoji")
    expected = bp.crossed_above(patterns.integer, 50)
    pd.testing.assert_series_equal(patterns.integer_crossed_above(50), expected)
    talib_sma = IBM.run("talib:sma", 10)
    assert talib_sma.real_crossed_above(IBM.run("talib:sma", 20)).sum() > 0


@pytest.mark.parametrize(
    "listed", [[65, 70], (65, 70), np.array([65, 70]), pd.Series([65, 70]), range(65, 71, 5)]
)
def test_crossing_lists_of_levels(listed) -> None:
    for data in (IBM, ALL):
        rsi = data.run("bp:rsi", 9)
        above = rsi.rsi_crossed_above(listed)
        symbols = [] if data is IBM else ["symbol"]
        assert levels(above) == ["rsi_crossed_above", *symbols]
        for level in (65, 70):
            want = rsi.rsi_crossed_above(level)
            np.testing.assert_array_equal(above[level], want)
        many = data.run("bp:rsi", window=[5, 9])
        zipped = many.rsi_crossed_above(listed)
        assert levels(zipped) == ["rsi_window", "rsi_crossed_above", *symbols]
        np.testing.assert_array_equal(zipped[9, 70], rsi.rsi_crossed_above(70))
        one = many.rsi_crossed_above([70])
        np.testing.assert_array_equal(one[9, 70], rsi.rsi_crossed_above(70))
        hidden = data.run("bp:rsi", 9, hide_params=True).rsi_crossed_above(listed)
        assert levels(hidden) == (symbols or [None])
        np.testing.assert_array_equal(hidden, above)
    with pytest.raises(bp.DataError, match="one combination or as many as the left side, 2, got 3"):
        many.rsi_crossed_above([60, 65, 70])
    with pytest.raises(bp.DataError, match="list of at least one number"):
        many.rsi_crossed_above(["high"])


def test_values_cross_on_the_bars_of_each_symbol() -> None:
    holed = bp.Data.from_frames({
        "A": frame_of(IBM), "B": frame_of(ALL.select("AAPL")).iloc[::2],
    })  # fmt: skip
    ma = holed.run("bp:ma", [5, 9])
    above = ma.ma_crossed_above(holed.close)
    alone = holed.select("B")
    want = alone.run("bp:ma", 9).ma_crossed_above(alone.close)
    np.testing.assert_array_equal(above[9, "B"].loc[alone.index], want)
    assert above[9, "B"].sum() == want.sum() > 0


def test_crossings_that_do_not_fit() -> None:
    three, two = IBM.run("bp:ma", window=[5, 6, 7]), IBM.run("bp:ma", window=[5, 6])
    with pytest.raises(bp.DataError, match="one combination or as many as the left side, 3, got 2"):
        three.ma_crossed_above(two)
    with pytest.raises(bp.DataError, match="same bars and symbols"):
        three.ma_crossed_above(ALL.run("bp:ma", window=[5, 6, 7]))
    with pytest.raises(bp.DataError, match="same bars and symbols"):
        three.ma_crossed_above(IBM[:100].run("bp:ma", window=[5, 6, 7]))
    with pytest.raises(bp.DataError, match=r"one output.*other\.k"):
        three.ma_crossed_above(IBM.run("bp:stoch"))
    with pytest.raises(AttributeError, match="Did you mean 'ma_crossed_above'"):
        three.ma_crossd_above(two)
    assert not hasattr(three, "upper")


def test_a_mono_chunk_gives_the_columns_of_single_runs() -> None:
    def signals(data, fast, slow):
        one = data.run("vbt:ma", window=fast, hide_params=True)
        other = data.run("vbt:ma", window=slow, hide_params=True)
        return one.ma_crossed_above(other), one.ma_crossed_below(other)

    def unpacked(data, fast, slow):
        one = data.run("talib:sma", fast, unpack=True)
        other = data.run("talib:sma", slow, unpack=True)
        return one.bp.crossed_above(other), one.bp.crossed_below(other)

    fasts, slows = [5, 10, 10, 20, 5], [10, 5, 10, 20, 30]
    for pipeline, data in itertools.product((signals, unpacked), (IBM, ALL)):
        together = pipeline(data, fasts, slows)
        for i, (fast, slow) in enumerate(zip(fasts, slows, strict=True)):
            for chunk, alone in zip(together, pipeline(data, fast, slow), strict=True):
                n = alone.shape[1] if alone.ndim > 1 else 1
                part = chunk.iloc[:, i * n : (i + 1) * n]
                np.testing.assert_array_equal(part, np.atleast_2d(alone.T).T)


# Results


def test_renaming() -> None:
    result = IBM.run("bp:ma", window=[5, 6]).rename_levels({"ma_window": "fast"})
    assert result.levels == ["fast"]
    with pytest.raises(bp.ParamError, match=r"be one of 'fast', got 'ma_window'"):
        result.rename_levels({"ma_window": "slow"})
    single = IBM.run("bp:ma", 5).rename_levels({"ma_window": "fast"})
    assert single.levels == []


def test_splitting() -> None:
    items, labels = ALL.run("bp:ma", window=[5, 6]).split_params()
    assert labels.equals(pd.Index([5, 6], name="ma_window"))
    pd.testing.assert_frame_equal(items[1].ma, bp.sma(ALL.close, 6))
    by_symbol, symbols = ALL.run("bp:ma", 5).split_params()
    assert symbols.name == "symbol"
    pd.testing.assert_series_equal(by_symbol[1].ma, bp.sma(IBM.close, 5))
    with pytest.raises(bp.ParamError, match="listed parameters or several symbols"):
        IBM.run("bp:ma", 5).split_params()


def test_pickle_and_repr() -> None:
    result = ALL.run("bp:ma", window=[5, 6])
    again = pickle.loads(pickle.dumps(result))
    pd.testing.assert_frame_equal(again.ma, result.ma)
    assert repr(result) == "IndicatorResult(ma; combinations=2, symbols=3)"
    assert {"ma", "ma_crossed_above", "rename_levels"} <= set(dir(result))


def test_repeated_combinations_are_computed_once() -> None:
    result = IBM.run("bp:ma", window=[5, 6, 5, 6, 5.0])
    five, six = result.panel().shape.take[:2]
    assert five != six
    assert result.panel().shape.take.tolist() == [five, six, five, six, five]
    assert result.ma.columns.tolist() == [5, 6, 5, 6, 5]


def test_results_are_remembered_until_flush(monkeypatch) -> None:
    data = ALL.select("AAPL")
    bp.flush()
    first = data.run("bp:ma", 17).panel().array
    assert data.run("bp:ma", 17.0).panel().array is first
    assert ALL.select("AAPL").run("vbt:ma", window=17).panel().array is first
    assert data.run("bp:ma", 17, price="open").panel().array is not first
    bp.flush()
    assert data.run("bp:ma", 17).panel().array is not first
    monkeypatch.setattr(memo, "LIMIT", 4 * first.nbytes + 100)
    bp.flush()
    kept = [data.run("bp:ma", n).panel().array for n in range(2, 8)]
    assert data.run("bp:ma", 7).panel().array is kept[-1]
    assert data.run("bp:ma", 2).panel().array is not kept[0]


# TA-Lib's functions alone


def test_talib_functions() -> None:
    close = IBM.close.to_numpy().copy()
    sma = bp.talib_func("sma")
    np.testing.assert_allclose(sma(close, 10), bp.sma(close, 10), rtol=1e-12)
    pd.testing.assert_series_equal(sma(IBM.close, timeperiod=10), bp.sma(IBM.close, 10))
    assert sma(ALL.close, 10).shape == (400, 3)
    assert sma.__name__ == "SMA"
    assert "Simple Moving Average" in sma.__doc__
    assert pickle.loads(pickle.dumps(sma)) is sma
    atr = bp.talib_func("ATR")(IBM.high, IBM.low, IBM.close, 10)
    np.testing.assert_allclose(atr, bp.atr(IBM.high, IBM.low, IBM.close, 10), rtol=1e-12)
    bands = bp.talib_func("bbands")(close, 10)
    assert bands._fields == ("upperband", "middleband", "lowerband")
    assert sma(close, 9.5).tobytes() == sma(close, 10).tobytes()
    assert bp.talib_func("cdldoji")(*([close] * 4)).dtype.kind == "i"
    assert sma(np.empty(0), 5).shape == (0,)


def test_talib_functions_that_do_not_fit() -> None:
    with pytest.raises(bp.ParamError, match="Did you mean 'sma'"):
        bp.talib_func("smaa")
    with pytest.raises(TypeError, match="unknown option 'window'"):
        bp.talib_func("sma")(np.ones(3), window=2)
    with pytest.raises(bp.DataError, match="be given high, low, close"):
        bp.talib_func("atr")(np.ones(3))
    with pytest.raises(AttributeError, match="NOT_ONE"):
        _ = talib.NOT_ONE


def test_without_talib_the_message_says_what_to_type(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "talib", None)
    monkeypatch.setitem(sys.modules, "talib.abstract", None)
    for cached in (talib._names, talib.definition, talib._function):
        cached.cache_clear()
    with pytest.raises(bp.MissingExtraError, match=r'pip install "broadpeak\[talib\]"'):
        bp.talib_func("sma")


@pytest.mark.parametrize("product", [False, True])
def test_empty_lists_are_refused_in_every_way(product: bool) -> None:
    data = bp.Data.sample("IBM")[:50]
    rule = "must have at least one value"
    with pytest.raises(bp.ParamError, match=f"window {rule}"):
        bp.sma(data.close, [])
    with pytest.raises(bp.ParamError, match=f"fast {rule}"):
        data.run("bp:macd", fast=[], slow=[20, 30], param_product=product)
