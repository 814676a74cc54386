# SPDX-License-Identifier: BSD-3-Clause
# ruff: noqa: F821  # merges as annotations, which are no types
"""Recipes of sweeping one combination at a time, on real prices, against plain loops."""

import itertools
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from numba import njit

import broadpeak as vbt

FAST, SLOW = [5, 10, 20], [10, 20]
BELOW = [(a, b) for a in FAST for b in SLOW if a < b]
GRID = list(itertools.product(FAST, SLOW))


def index_of(rows, *names):
    return pd.MultiIndex.from_tuples(rows, names=names)


def close_enough(left, right):
    np.testing.assert_allclose(np.asarray(left, float), np.asarray(right, float), rtol=1e-9)


@pytest.fixture(scope="module")
def closes(data):
    """Closing prices by symbol, as plain Series."""
    return {symbol: data.select(symbol).close for symbol in data.symbols}


def rolled(close, window):
    return close.rolling(window).mean()


# Decoration ------------------------------------------------------------------------------------


def test_one_combination_at_a_time(data):
    @vbt.parameterized
    def my_pipeline(data, fast_window, slow_window):
        fast_sma = data.run("talib:sma", fast_window, unpack=True)
        return fast_sma - data.run("talib:sma", slow_window, unpack=True)

    results = my_pipeline(data, vbt.Param(FAST), vbt.Param(SLOW))
    assert len(results) == len(GRID)
    for (fast, slow), gap in zip(GRID, results, strict=True):
        np.testing.assert_allclose(
            gap, rolled(data.close, fast) - rolled(data.close, slow), atol=1e-8
        )


def test_decorated_later(data):
    def my_pipeline(data, fast_window, slow_window):
        return data.close.iloc[-1].sum() * fast_window / slow_window

    my_param_pipeline = vbt.parameterized(my_pipeline)
    results = my_param_pipeline(data, vbt.Param(FAST), vbt.Param(SLOW))
    assert results == [my_pipeline(data, fast, slow) for fast, slow in GRID]


# Merging ---------------------------------------------------------------------------------------


def pipeline(one, fast_window, slow_window):
    fast_ma = one.run("vbt:ma", window=fast_window, hide_params=True)
    slow_ma = one.run("vbt:ma", window=slow_window, hide_params=True)
    entries = fast_ma.ma_crossed_above(slow_ma)
    exits = fast_ma.ma_crossed_below(slow_ma)
    return entries, exits, vbt.PF.from_signals(one, entries, exits)


def ask(one, func):
    return func(one, vbt.Param(FAST, condition="fast_window < slow_window"), vbt.Param(SLOW))


def test_results_with_their_index(one, plain_pf):
    @vbt.parameterized(return_param_index=True)
    def my_pipeline(one, fast_window, slow_window):
        return pipeline(one, fast_window, slow_window)[2].sharpe_ratio

    results, param_index = ask(one, my_pipeline)
    pd.testing.assert_index_equal(param_index, index_of(BELOW, "fast_window", "slow_window"))
    close_enough(results, [plain_pf(one, *pair).sharpe_ratio for pair in BELOW])


def test_concat_of_one_and_of_two(one, plain_pf):
    @vbt.parameterized(merge_func="concat")
    def ratio(one, fast_window, slow_window):
        return pipeline(one, fast_window, slow_window)[2].sharpe_ratio

    @vbt.parameterized(merge_func="concat")
    def ratios(one, fast_window, slow_window):
        pf = pipeline(one, fast_window, slow_window)[2]
        return pf.sharpe_ratio, pf.win_rate

    sharpe_ratio, win_rate = ask(one, ratios)
    pd.testing.assert_series_equal(ask(one, ratio), sharpe_ratio)
    pd.testing.assert_index_equal(win_rate.index, index_of(BELOW, "fast_window", "slow_window"))
    close_enough(sharpe_ratio, [plain_pf(one, *pair).sharpe_ratio for pair in BELOW])
    close_enough(win_rate, [plain_pf(one, *pair).win_rate for pair in BELOW])


def test_stacks(one, plain_pf, crossings):
    @vbt.parameterized(merge_func="column_stack")
    def signals(one, fast_window, slow_window):
        return pipeline(one, fast_window, slow_window)[:2]

    @vbt.parameterized(merge_func="row_stack")
    def values(one, fast_window, slow_window):
        return pipeline(one, fast_window, slow_window)[2].value

    entries, exits = ask(one, signals)
    for pair in BELOW:
        above, below = crossings(one.close, *pair)
        np.testing.assert_array_equal(entries[pair], above)
        np.testing.assert_array_equal(exits[pair], below)
    pd.testing.assert_index_equal(entries.index, one.close.index)
    value = ask(one, values)
    assert value.index.names[:2] == ["fast_window", "slow_window"]
    close_enough(value, np.concatenate([plain_pf(one, *pair).value for pair in BELOW]))


def test_a_merge_for_each_result(one, plain_pf):
    @vbt.parameterized(merge_func=("concat", "column_stack"))
    def my_pipeline(one, fast_window, slow_window):
        pf = pipeline(one, fast_window, slow_window)[2]
        return pf.sharpe_ratio, pf.value

    sharpe_ratio, value = ask(one, my_pipeline)
    assert isinstance(sharpe_ratio, pd.Series)
    pd.testing.assert_index_equal(value.columns, sharpe_ratio.index)
    close_enough(value.iloc[-1], [plain_pf(one, *pair).value.iloc[-1] for pair in BELOW])


def test_a_merge_of_one_s_own(one):
    def merge_func(results, param_index):
        return pd.Series(results, index=param_index)

    @vbt.parameterized(merge_func=merge_func, merge_kwargs={"param_index": vbt.Rep("param_index")})
    def my_pipeline(one, fast_window, slow_window):
        return pipeline(one, fast_window, slow_window)[2].sharpe_ratio

    @vbt.parameterized
    def annotated(one, fast_window, slow_window) -> "concat":
        return pipeline(one, fast_window, slow_window)[2].sharpe_ratio

    pd.testing.assert_series_equal(ask(one, my_pipeline), ask(one, annotated))


def test_merges_as_annotations(one, crossings):
    @vbt.parameterized
    def wrapped(one, fast_window, slow_window) -> ("concat", "column_stack"):
        entries, exits, _ = pipeline(one, fast_window, slow_window)
        return entries.sum(), exits

    @vbt.parameterized
    def bare(
        one, fast_window, slow_window
    ) -> (
        vbt.MergeFunc("concat", wrap=False),
        vbt.MergeFunc("column_stack", wrap=False),
    ):
        entries, exits, _ = pipeline(one, fast_window, slow_window)
        return entries.sum(), exits

    count, exits = ask(one, wrapped)
    bare_count, bare_exits = ask(one, bare)
    assert (type(bare_count), type(bare_exits)) == (np.ndarray, np.ndarray)
    np.testing.assert_array_equal(bare_count, count)
    np.testing.assert_array_equal(bare_exits, exits)
    np.testing.assert_array_equal(count, [crossings(one.close, *pair)[0].sum() for pair in BELOW])


# Generation ------------------------------------------------------------------------------------


@vbt.parameterized(merge_func="column_stack")
def sma_crossover(data, fast_window, slow_window):
    fast_sma = data.run("talib:sma", fast_window, unpack=True)
    slow_sma = data.run("talib:sma", slow_window, unpack=True)
    return fast_sma > slow_sma


def test_conditions_and_data_as_a_parameter(data, closes):
    windows = [5, 10, 20]
    got = sma_crossover(
        data=data,
        fast_window=vbt.Param(windows, condition="fast_window < slow_window"),
        slow_window=vbt.Param(windows),
    )
    pairs = list(combinations(windows, 2))
    rows = [(*pair, symbol) for pair in pairs for symbol in data.symbols]
    pd.testing.assert_index_equal(
        got.columns, index_of(rows, "fast_window", "slow_window", "symbol")
    )
    split = sma_crossover(
        data=vbt.Param(data),
        fast_window=vbt.Param(windows, condition="fast_window < slow_window"),
        slow_window=vbt.Param(windows),
    )
    rows = [(symbol, *pair) for symbol in data.symbols for pair in pairs]
    pd.testing.assert_index_equal(
        split.columns, index_of(rows, "symbol", "fast_window", "slow_window")
    )
    fast_windows, slow_windows = zip(*pairs, strict=True)
    zipped = sma_crossover(
        data=vbt.Param(data, level=0),
        fast_window=vbt.Param(fast_windows, level=1),
        slow_window=vbt.Param(slow_windows, level=1),
    )
    pd.testing.assert_frame_equal(zipped, split)
    for symbol, fast, slow in rows:
        expected = rolled(closes[symbol], fast) > rolled(closes[symbol], slow)
        assert (split[symbol, fast, slow] == expected).mean() > 0.99
        np.testing.assert_array_equal(split[symbol, fast, slow], got[fast, slow, symbol])


def test_a_random_subset_of_a_grid_with_a_hidden_parameter(one):
    timeperiods, thresholds = range(10, 60), np.arange(1, 22) / 10

    @vbt.parameterized(merge_func="concat")
    def bbands_indicator(data, timeperiod, upper_threshold, lower_threshold):
        upper, _, lower = data.run(
            "talib:bbands", timeperiod, upper_threshold, lower_threshold, unpack=True
        )
        assert upper_threshold == lower_threshold
        return (upper - lower).iloc[-1]

    got = bbands_indicator(
        data=one,
        timeperiod=vbt.Param(timeperiods, level=0),
        upper_threshold=vbt.Param(thresholds, level=1, keys=pd.Index(thresholds, name="threshold")),
        lower_threshold=vbt.Param(thresholds, level=1, hide=True),
        _random_subset=1_000,
        _seed=1,
    )
    assert len(got) == len(set(got.index)) == 1_000
    assert got.index.names == ["timeperiod", "threshold"]
    assert list(got.index) == sorted(got.index)
    for (timeperiod, threshold), width in got.iloc[::250].items():
        spread = one.close.rolling(timeperiod).std(ddof=0).iloc[-1]
        assert width == pytest.approx(2 * threshold * spread)


def test_parameters_as_annotations(data, closes, crossings):
    @vbt.parameterized
    def sma_crossover(
        data,
        fast_window: vbt.Param(condition="fast_window < slow_window"),
        slow_window: vbt.Param,
    ) -> "column_stack":
        fast_sma = data.run("talib:sma", fast_window, unpack=True)
        slow_sma = data.run("talib:sma", slow_window, unpack=True)
        upper_crossover = fast_sma.bp.crossed_above(slow_sma)
        lower_crossover = fast_sma.bp.crossed_below(slow_sma)
        return upper_crossover | lower_crossover

    signals = sma_crossover(data, FAST, SLOW)
    assert signals.columns.names == ["fast_window", "slow_window", "symbol"]
    for fast, slow in BELOW:
        for symbol in data.symbols:
            above, below = crossings(closes[symbol], fast, slow)
            np.testing.assert_array_equal(signals[fast, slow, symbol], above | below)


def test_combinations_without_a_run():
    params = {
        "fast_window": vbt.Param(FAST, condition="fast_window < slow_window"),
        "slow_window": vbt.Param(SLOW),
    }
    product, index = vbt.combine_params(params)
    assert product == {"fast_window": [a for a, _ in BELOW], "slow_window": [b for _, b in BELOW]}
    pd.testing.assert_index_equal(index, index_of(BELOW, "fast_window", "slow_window"))
    assert vbt.combine_params(params, build_index=False) == product


# Execution -------------------------------------------------------------------------------------


@njit(nogil=True)
def mean_distance(close, window):
    total = 0.0
    for t in range(window, len(close)):
        total += abs(close[t] - close[t - window])
    return total / (len(close) - window)


def plain_distances(close):
    return [np.abs(close[w:] - close[:-w]).mean() for w in FAST]


@pytest.mark.engine
def test_engines(one):
    close = one.close.to_numpy()
    plain = vbt.parameterized(mean_distance)
    threads = vbt.parameterized(execute_kwargs={"chunk_len": "auto", "engine": "threadpool"})(
        mean_distance
    )
    processes = vbt.parameterized(
        execute_kwargs={"n_chunks": "auto", "distribute": "chunks", "engine": "pathos"}
    )(mean_distance)
    for run in (plain, threads, processes):
        close_enough(run(close, vbt.Param(FAST)), plain_distances(close))
    quiet = vbt.parameterized(execute_kwargs={"show_progress": False})(mean_distance)
    options = {"chunk_len": "auto", "engine": "threadpool"}
    for given in (options, vbt.atomic_dict(**options)):
        got = quiet(close, vbt.Param(FAST), _execute_kwargs=given)
        close_enough(got, plain_distances(close))


def test_flush_every_third_chunk(monkeypatch):
    flushed = []
    monkeypatch.setattr(vbt, "flush", lambda: flushed.append(chunks[-1]))
    chunks = []

    def post_chunk_func(chunk_idx, flush_every):
        chunks.append(chunk_idx)
        if (chunk_idx + 1) % flush_every == 0:
            vbt.flush()

    @vbt.parameterized(
        post_chunk_func=post_chunk_func,
        post_chunk_kwargs={
            "chunk_idx": vbt.Rep("chunk_idx", eval_id="post_chunk_kwargs"),
            "flush_every": 3,
        },
        chunk_len=10,
    )
    def my_pipeline(x):
        return x

    assert my_pipeline(vbt.Param(range(75))) == list(range(75))
    assert chunks == list(range(8))
    assert flushed == [2, 5]


# Total or partial, flat or nested --------------------------------------------------------------


def sharpe(data, fast_window, slow_window):
    fast_ma = data.run("vbt:ma", window=fast_window, hide_params=True)
    slow_ma = data.run("vbt:ma", window=slow_window, hide_params=True)
    entries = fast_ma.ma_crossed_above(slow_ma)
    exits = fast_ma.ma_crossed_below(slow_ma)
    pf = vbt.PF.from_signals(data, entries, exits)
    return pf.sharpe_ratio


def plain_sharpes(data, plain_pf):
    return {
        (symbol, *pair): plain_pf(data.select(symbol), *pair).sharpe_ratio
        for symbol in data.symbols
        for pair in BELOW
    }


def agrees(got, expected, order):
    """Compare by label; `order` gives the place of symbol, fast and slow in the labels of `got`."""
    assert len(got) == len(expected)
    for key, value in got.items():
        assert value == pytest.approx(expected[tuple(key[place] for place in order)], nan_ok=True)


def test_total_and_partial(data, plain_pf):
    fast = vbt.Param(FAST, condition="fast_window < slow_window")
    total = vbt.parameterized(sharpe, merge_func="concat")(data, fast, vbt.Param(SLOW))

    @vbt.parameterized(merge_func="column_stack")
    def ma_crossover_signals(data, fast_window, slow_window):
        fast_ma = data.run("vbt:ma", window=fast_window, hide_params=True)
        slow_ma = data.run("vbt:ma", window=slow_window, hide_params=True)
        return fast_ma.ma_crossed_above(slow_ma), fast_ma.ma_crossed_below(slow_ma)

    entries, exits = ma_crossover_signals(data, fast, vbt.Param(SLOW))
    partial = vbt.PF.from_signals(data, entries, exits).sharpe_ratio
    assert total.index.names == ["fast_window", "slow_window", "symbol"]
    pd.testing.assert_series_equal(total, partial, check_names=False)
    agrees(total, plain_sharpes(data, plain_pf), (2, 0, 1))


def test_flat_and_nested(data, plain_pf):
    expected = plain_sharpes(data, plain_pf)

    @vbt.parameterized(merge_func="concat")
    def flat(data, symbol, fast_window, slow_window):
        return sharpe(data.select(symbol), fast_window, slow_window)

    got = flat(
        data,
        vbt.Param(data.symbols),
        vbt.Param(FAST, condition="fast_window < slow_window"),
        vbt.Param(SLOW),
    )
    assert got.index.names == ["symbol", "fast_window", "slow_window"]
    agrees(got, expected, (0, 1, 2))

    @vbt.parameterized(merge_func="concat", eval_id="inner")
    def symbol_sharpe(symbol_data, fast_window, slow_window):
        return sharpe(symbol_data, fast_window, slow_window)

    @vbt.parameterized(merge_func="concat", eval_id="outer")
    def outer(data, symbol, fast_windows, slow_windows):
        return symbol_sharpe(data.select(symbol), fast_windows, slow_windows)

    fast = vbt.Param(FAST, eval_id="inner", condition="fast_window < slow_window")
    slow = vbt.Param(SLOW, eval_id="inner")
    nested = outer(data, vbt.Param(data.symbols, eval_id="outer"), fast, slow)
    pd.testing.assert_series_equal(nested, got)

    @vbt.parameterized(merge_func="concat", eval_id="outer")
    @vbt.parameterized(merge_func="concat", eval_id="inner")
    def stacked(data, fast_window, slow_window):
        return sharpe(data, fast_window, slow_window)

    twice = stacked(vbt.Param(data, eval_id="outer"), fast, slow)
    pd.testing.assert_series_equal(twice, got)


def test_skipping(one):
    @vbt.parameterized
    def my_pipeline(data, fast_window, slow_window):
        try:
            if fast_window >= slow_window:
                raise ValueError("the fast window is not fast")
            return (data.close.iloc[-1], fast_window, slow_window)
        except Exception:
            return vbt.NoResult

    results = my_pipeline(one, vbt.Param(FAST), vbt.Param(SLOW))
    assert [result[1:] for result in results] == BELOW
