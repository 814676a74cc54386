# SPDX-License-Identifier: BSD-3-Clause
"""A body of library calls gives the same in mono-chunks of any length as in single calls.

Values agree to the bit, labels and types too, whatever the lengths of the chunks, one included.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak import PF, Param
from broadpeak._merge.named import NAMED

LAWS = settings(max_examples=6)
MANY = settings(max_examples=60)


def calendars():
    """Return three symbols, one of which is listed later and one of which misses bars."""
    frames = {}
    for number, name in enumerate(["OLD", "NEW", "THIN"]):
        rng = np.random.default_rng(number)
        close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, 260)))
        open_ = close * np.exp(rng.normal(0, 0.005, 260))
        frame = pd.DataFrame({
            "open": open_, "high": np.maximum(open_, close) * 1.004,
            "low": np.minimum(open_, close) * 0.996, "close": close,
        }, index=pd.date_range("2020-01-01", periods=260, name="Date"))  # fmt: skip
        frames[name] = frame.iloc[90:] if name == "NEW" else frame
    frames["THIN"] = frames["THIN"][rng.random(260) < 0.8]
    return bp.Data.from_frames(frames)


EQUAL = bp.Data.sample()["2005":"2006"]
UNEQUAL = calendars()


def levels_of_a_result(data, window, lower, upper):
    rsi = data.run("bp:rsi", window)
    entries, exits = rsi.rsi_crossed_below(lower), rsi.rsi_crossed_above(upper)
    return PF.from_signals(data, entries, exits).total_return


def levels_of_one_result(data, window, lower, upper):
    rsi = data.run("bp:rsi", 9)
    return rsi.rsi_crossed_below(lower).sum(), rsi.rsi_crossed_above(upper).sum()


def hidden_levels(data, window, lower, upper):
    rsi = data.run("bp:rsi", window, hide_params=True)
    trend = data.run("bp:ma", 30, hide_params=True).ma_crossed_above(data.close)
    entries = rsi.rsi_crossed_below(lower) | rsi.rsi_crossed_above(upper)
    return PF.from_signals(data, entries, trend).total_return


def unpacked(data, window, lower, upper):
    rsi = data.run("bp:rsi", window, unpack=True)
    entries, exits = rsi.bp.crossed_below(lower), bp.crossed_above(rsi, upper)
    return PF.from_signals(data, entries, exits, fees=0.001).total_return


def levels_on_the_left(data, window, lower, upper):
    rsi = data.run("bp:rsi", window, unpack=True)
    return bp.crossed_above(lower, rsi).sum(), bp.crossed_below(upper, rsi).sum()


def array_functions(data, window, lower, upper):
    rsi = bp.rsi(data.close, 9)
    return rsi.bp.crossed_below(lower).sum(), bp.crossed_above(upper, rsi).sum()


def stops(data, window, lower, upper):
    entries = data.run("bp:ma", 10).ma_crossed_below(data.close)
    return PF.from_signals(
        data, entries, sl_stop=lower, tp_stop=upper, stop_unit="price", price="nextopen"
    ).total_return


def different_parameters(data, window, lower, upper):
    entries = data.run("bp:ma", window).ma_crossed_below(data.close)
    exits = data.run("bp:ema", lower).ema_crossed_above(data.close)
    return PF.from_signals(data, entries, exits, sl_stop=upper, stop_unit="price").value.iloc[-1]


def figures(data, window, lower, upper):
    ma = data.run("bp:ma", window)
    pf = PF.from_signals(data, ma.ma_crossed_below(data.close), ma.ma_crossed_above(data.close),
                         tsl_stop=upper, stop_unit="price")  # fmt: skip
    return pf.max_drawdown, pf.win_rate, pf.num_trades, pf.exposure


def nested_array_functions(data, window, lower, upper):
    fast = bp.ema(bp.sma(data.close, window), window)
    upper_line, middle, _ = bp.bbands(data.close, lower, 1.5)
    entries = fast.bp.crossed_above(middle)
    noisy = bp.atr(data.high, data.low, data.close, window).bp.crossed_above(upper)
    pf = PF.from_signals(data, entries, bp.crossed_above(data.close, upper_line), sl_stop=0.1)
    return pf.total_return, noisy.sum(), bp.talib_func("sma")(data.close, lower).iloc[-1]


BODIES = [
    levels_of_a_result, levels_of_one_result, hidden_levels, unpacked, levels_on_the_left,
    stops, different_parameters, figures, nested_array_functions,
]  # fmt: skip


def of_symbols(body):
    def selected(data, symbol, window, lower, upper):
        return body(data.select(symbol), window, lower, upper)

    return selected


def cut(draw, n):
    """Return chunks of random lengths over random positions; a chunk of one is likely."""
    order = draw(st.permutations(range(n)))
    chunks = []
    while order:
        length = min(draw(st.sampled_from([1, 1, 2, 3, 5, 8])), len(order))
        chunks.append(list(order[:length]))
        order = order[length:]
    return chunks


def check(draw, body, data, grid, merge="concat"):
    single = as_tuple(bp.parameterized(body, merge_func=merge)(data, **grid))
    n = len(next(iter(bp.combine_params(grid, build_index=False).values())))
    chunks = cut(draw, n)
    order = [row for chunk in chunks for row in chunk]
    rules = [
        {"_mono_chunk_meta": chunks},
        {"_mono_chunk_len": max(n - 1, 1)},
        {"_mono_n_chunks": n},
    ]
    for rule in rules:
        got = as_tuple(bp.parameterized(body, merge_func=merge)(data, **grid, **rule))
        for one, other in zip(single, got, strict=True):
            expected = one
            if "_mono_chunk_meta" in rule:
                per = one.shape[0 if merge == "concat" else 1] // n
                take = [row * per + place for row in order for place in range(per)]
                expected = one.iloc[take] if merge == "concat" else one.iloc[:, take]
            same(other, expected)


def as_tuple(results):
    return results if isinstance(results, tuple) else (results,)


def same(got, want):
    if isinstance(want, pd.Series):
        pd.testing.assert_series_equal(got, want, check_exact=True)
    else:
        pd.testing.assert_frame_equal(got, want, check_exact=True, check_freq=False)


@st.composite
def grids(draw):
    lists = {
        "window": draw(st.lists(st.integers(5, 20), min_size=1, max_size=2)),
        "lower": draw(st.lists(st.integers(30, 45), min_size=1, max_size=2)),
        "upper": draw(st.lists(st.integers(55, 70), min_size=1, max_size=3)),
    }
    return {name: Param(values) for name, values in lists.items()}


@pytest.mark.parametrize("data", [EQUAL.select("IBM"), EQUAL.select(["MSFT", "AAPL"])],
                         ids=["one", "two"])  # fmt: skip
@pytest.mark.parametrize("body", [*BODIES, array_functions], ids=lambda body: body.__name__)
@LAWS
@given(st.data(), grids())
def test_chunks_of_any_length_give_single_results(body, data, draw, grid):
    check(draw.draw, body, data, grid)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
@LAWS
@given(st.data(), grids(), st.lists(st.sampled_from(EQUAL.symbols), min_size=1, max_size=4))
def test_chunks_may_span_symbols(body, draw, grid, symbols):
    check(draw.draw, of_symbols(body), EQUAL, {"symbol": Param(symbols), **grid})


def symbol_alone(data, symbol):
    return PF.from_signals(data.select(symbol), data.select(symbol).close > 40).total_return


def prices_of_a_symbol(data, symbol, window):
    data = data.select(symbol)["2020-02":]
    ma = data.run("bp:ma", window, price="ohlc4")
    pf = PF.from_signals(
        data.close, ma.ma_crossed_below(data.close), sl_stop=window, stop_unit="price"
    )
    return pf.num_trades, data.resample("W").close.iloc[-1], data.returns.max()


def signals_of_a_symbol(data, symbol, window):
    data = data.select(symbol)
    return data.run("bp:ma", window).ma_crossed_above(data.open)


@pytest.mark.parametrize("data", [EQUAL, UNEQUAL], ids=["one calendar", "many calendars"])
@LAWS
@given(st.data())
def test_other_uses_of_a_symbol(data, draw):
    symbols = draw.draw(st.lists(st.sampled_from(data.symbols), min_size=1, max_size=5))
    windows = draw.draw(st.lists(st.integers(2, 30), min_size=1, max_size=3))
    grid = {"symbol": Param(symbols), "window": Param(windows)}
    check(draw.draw, symbol_alone, data, {"symbol": grid["symbol"]})
    if data is EQUAL:  # other calendars leave NaN where a symbol has no bar
        check(draw.draw, signals_of_a_symbol, data, grid, "column_stack")
    else:
        check(draw.draw, prices_of_a_symbol, data, grid)
        grid |= {"lower": Param([35, 40]), "upper": Param([60])}
        for body in (levels_of_a_result, hidden_levels, stops, different_parameters):
            check(draw.draw, of_symbols(body), data, grid)


def paths(data, window, lower, upper):
    ma = data.run("bp:ma", window)
    pf = PF.from_signals(data, ma.ma_crossed_below(data.close), ma.ma_crossed_above(data.open),
                         sl_stop=upper, stop_unit="price")  # fmt: skip
    return pf.value, pf.positions, ma.ma, ma.ma_crossed_above(data.high)


def scalars(data, window, lower, upper):
    return paths(data, window, lower, upper)[0].iloc[-1]


@pytest.mark.parametrize("merge", ["column_stack", "reset_column_stack"])
@pytest.mark.parametrize("symbols", ["IBM", ["IBM"], ["MSFT", "AAPL"]], ids=str)
@LAWS
@given(st.data(), grids())
def test_paths_side_by_side(merge, symbols, draw, grid):
    check(draw.draw, paths, EQUAL.select(symbols), grid, merge)


@pytest.mark.parametrize("merge", NAMED)
@pytest.mark.parametrize("last", [1, 2, 3])
def test_every_merge_takes_a_last_chunk_of_any_length(merge, last):
    grid = {"window": Param(range(5, 9 + last)), "lower": Param([30]), "upper": Param([60])}
    data = EQUAL.select("IBM")
    run = bp.parameterized(scalars, merge_func=merge)
    same(run(data, **grid, _mono_chunk_len=4), run(data, **grid))
    bare = bp.parameterized(scalars, merge_func=bp.MergeFunc(merge, wrap=False))
    got, want = bare(data, **grid, _mono_chunk_len=4), bare(data, **grid)
    np.testing.assert_array_equal(got, want)
    assert type(got) is type(want)
    pieces = bp.parameterized(scalars)(data, **grid, _mono_chunk_len=4)
    assert [type(piece) for piece in pieces] == [pd.Series] * 2
    assert [len(piece) for piece in pieces] == [4, last]


@pytest.mark.slow
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
@MANY
@given(st.data(), grids(), st.lists(st.sampled_from(EQUAL.symbols), min_size=1, max_size=5))
def test_many_grids_over_symbols(body, draw, grid, symbols):
    check(draw.draw, of_symbols(body), EQUAL, {"symbol": Param(symbols), **grid})
