# SPDX-License-Identifier: BSD-3-Clause
# ruff: noqa: F821  # merges as annotations, which are no types
"""Recipes of mono-chunks, chunks, tasks and loops, on real prices, against plain loops."""

import itertools

import numpy as np
import pandas as pd
import pytest

import broadpeak as vbt

FAST, SLOW = [5, 10, 20], [10, 20]
BELOW = [(a, b) for a in FAST for b in SLOW if a < b]


def index_of(rows, *names):
    return pd.MultiIndex.from_tuples(rows, names=names)


def close_enough(left, right):
    np.testing.assert_allclose(np.asarray(left, float), np.asarray(right, float), rtol=1e-9)


def sharpe(data, fast_window, slow_window):
    fast_ma = data.run("vbt:ma", window=fast_window, hide_params=True)
    slow_ma = data.run("vbt:ma", window=slow_window, hide_params=True)
    entries = fast_ma.ma_crossed_above(slow_ma)
    exits = fast_ma.ma_crossed_below(slow_ma)
    pf = vbt.PF.from_signals(data, entries, exits)
    return pf.sharpe_ratio


# Mono-chunks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        {"mono_n_chunks": "auto"},
        {"mono_chunk_len": 100},
        {"mono_chunk_len": 2},
        {"mono_chunk_meta": [[0, 1], [2]]},
    ],
)
def test_the_same_body_takes_lists(data, one, rule):
    params = vbt.Param(FAST, condition="fast_window < slow_window"), vbt.Param(SLOW)
    for prices in (data, one):
        single = vbt.parameterized(sharpe, merge_func="concat")(prices, *params)
        mono = vbt.parameterized(sharpe, merge_func="concat", **rule)(prices, *params)
        pd.testing.assert_series_equal(mono, single)


def test_levels_of_lists_that_coincide(data):
    def crossings(data, fast_window, slow_window):
        fast_ma = data.run("vbt:ma", window=fast_window)
        return fast_ma.ma_crossed_above(data.run("vbt:ma", window=slow_window))

    # Where both windows are one, the two levels of a list of one value are one as well.
    params = vbt.Param([5, 10]), vbt.Param([10, 20])
    single = vbt.parameterized(crossings, merge_func="column_stack")(data, *params)
    for length in (1, 2, 3):
        mono = vbt.parameterized(crossings, merge_func="column_stack", mono_chunk_len=length)
        pd.testing.assert_frame_equal(mono(data, *params), single)


def test_bars_at_a_time(data):
    @vbt.chunked(chunk_len=100, merge_func="row_stack")
    def spread(data):
        return data.high - data.low

    pd.testing.assert_frame_equal(spread(vbt.Chunked(data)), data.high - data.low)


def test_mono_columns(data):
    @vbt.parameterized(merge_func=("column_stack", "column_stack"))
    def signals(data, fast_window, slow_window):
        fast_ma = data.run("vbt:ma", window=fast_window, hide_params=True)
        slow_ma = data.run("vbt:ma", window=slow_window, hide_params=True)
        return fast_ma.ma_crossed_above(slow_ma), fast_ma.ma

    params = vbt.Param(FAST, condition="fast_window < slow_window"), vbt.Param(SLOW)
    for single, mono in zip(
        signals(data, *params), signals(data, *params, _mono_chunk_len=2), strict=True
    ):
        pd.testing.assert_frame_equal(mono, single)


def test_six_forms_of_a_mono_argument():
    rows = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    seen = {}

    @vbt.parameterized(mono_n_chunks=1, merge_func="concat")
    def my_pipeline(param_a, param_b, param_c, param_d, param_e, param_f):
        seen.update(a=param_a, b=param_b, c=param_c, d=param_d, e=param_e, f=param_f)
        return np.zeros(2)

    my_pipeline(
        param_a=vbt.Param([1, 2], level=0),
        param_b=vbt.Param([7], level=0, mono_reduce=True),
        param_c=vbt.Param([1, 2], level=0, mono_merge_func="concat"),
        param_d=vbt.Param(rows, level=0, mono_merge_func="row_stack"),
        param_e=vbt.Param(rows, level=0, mono_merge_func="column_stack"),
        param_f=vbt.Param([1, 2], level=0, mono_merge_func=vbt.MergeFunc(sum)),
    )
    assert (seen["a"], seen["b"], seen["f"]) == ([1, 2], 7, 3)
    np.testing.assert_array_equal(seen["c"], [1, 2])
    np.testing.assert_array_equal(seen["d"], np.array(rows))
    np.testing.assert_array_equal(seen["e"], np.array(rows).T)


# Chunks ----------------------------------------------------------------------------------------


def test_a_subset_of_values_at_a_time(one, plain_pf):
    seen = []

    @vbt.chunked(n_chunks=2)
    def my_pipeline(data, fast_windows, slow_windows):
        seen.append((fast_windows, slow_windows))
        return [sharpe(data, a, b) for a, b in zip(fast_windows, slow_windows, strict=True)]

    fast, slow = map(list, zip(*BELOW, strict=True))
    results = my_pipeline(one, vbt.Chunked(fast), vbt.Chunked(slow))
    assert seen == [(fast[:2], slow[:2]), (fast[2:], slow[2:])]
    close_enough(
        list(itertools.chain(*results)), [plain_pf(one, *pair).sharpe_ratio for pair in BELOW]
    )
    later = vbt.chunked(my_pipeline.__wrapped__, n_chunks=2)
    assert later(one, vbt.Chunked(fast), vbt.Chunked(slow)) == results


def combine_arrays(array1, array2, combine_func):
    return combine_func(array1, array2)


def test_three_ways_to_specify_chunks(data):
    array1, array2 = data.high.to_numpy(), data.low.to_numpy()
    by_dict = vbt.chunked(
        arg_take_spec={
            "array1": vbt.ChunkedArray(axis=1),
            "array2": vbt.ChunkedArray(axis=1),
            "combine_func": vbt.NotChunked,
        },
        size=vbt.ArraySizer(arg_query="array1", axis=1),
        merge_func="column_stack",
    )(combine_arrays)

    @vbt.chunked
    def annotated(
        array1: vbt.ChunkedArray(axis=1) | vbt.ArraySizer(axis=1),
        array2: vbt.ChunkedArray(axis=1),
        combine_func,
    ) -> "column_stack":
        return combine_func(array1, array2)

    for run in (by_dict, annotated):
        np.testing.assert_array_equal(run(array1, array2, np.add), array1 + array2)
    run = vbt.chunked(combine_arrays)
    flat = run(
        vbt.ChunkedArray(array1[:, 0]),
        vbt.ChunkedArray(array2[:, 0]),
        np.add,
        _size=len(array1),
        _merge_func="concat",
    )
    np.testing.assert_array_equal(flat, array1[:, 0] + array2[:, 0])
    for axis, merge in ((0, "row_stack"), (1, "column_stack")):
        whole = run(
            vbt.ChunkedArray(array1, axis=axis),
            vbt.ChunkedArray(array2, axis=axis),
            np.add,
            _size=array1.shape[axis],
            _merge_func=merge,
        )
        np.testing.assert_array_equal(whole, array1 + array2)


@vbt.parameterized
def super_pipeline(data, fast_window, slow_window):
    return sharpe(data, fast_window, slow_window)


@pytest.mark.engine
def test_super_chunks(one, plain_pf):
    @vbt.chunked(chunk_len=2, execute_kwargs={"chunk_len": "auto", "engine": "pathos"})
    def chunked_pipeline(data, fast_windows, slow_windows):
        return super_pipeline(
            data, vbt.Param(fast_windows, level=0), vbt.Param(slow_windows, level=0)
        )

    param_product = vbt.combine_params(
        {"fast_windows": vbt.Param(FAST, condition="x < slow_windows"), "slow_windows": SLOW},
        build_index=False,
    )
    results = chunked_pipeline(
        one,
        vbt.Chunked(param_product["fast_windows"]),
        vbt.Chunked(param_product["slow_windows"]),
    )
    assert [len(part) for part in results] == [2, 1]
    close_enough(
        list(itertools.chain(*results)), [plain_pf(one, *pair).sharpe_ratio for pair in BELOW]
    )


# Raw execution ---------------------------------------------------------------------------------


def test_tasks_of_several_functions(one):
    arr = one.close.to_numpy()
    sma_func, ema_func = vbt.talib_func("sma"), vbt.talib_func("ema")
    calls = [("sma", 10), ("sma", 20), ("ema", 10), ("ema", 20)]
    tasks = [vbt.Task({"sma": sma_func, "ema": ema_func}[name], arr, n) for name, n in calls]
    indicators_df = vbt.execute(
        tasks,
        keys=index_of(calls, "indicator", "timeperiod"),
        merge_func="column_stack",
        engine="threadpool",
    )
    expected = pd.concat(
        [pd.Series(task()) for task in tasks],
        axis=1,
        keys=index_of(calls, "indicator", "timeperiod"),
    )
    pd.testing.assert_frame_equal(indicators_df, expected)
    close_enough(indicators_df["sma", 10].dropna(), pd.Series(arr).rolling(10).mean().dropna())


def test_a_loop(one):
    arr = one.close.to_numpy()
    sma_func = vbt.talib_func("sma")
    results, keys = [], []
    for timeperiod in range(20, 50, 5):
        results.append(sma_func(arr, timeperiod))
        keys.append(timeperiod)
    expected = pd.concat(map(pd.Series, results), axis=1, keys=pd.Index(keys, name="timeperiod"))

    @vbt.iterated(over_arg="timeperiod", merge_func="column_stack", engine="threadpool")
    def sma(arr, timeperiod):
        return sma_func(arr, timeperiod)

    pd.testing.assert_frame_equal(sma(arr, range(20, 50, 5)), expected)
    sma = vbt.iterated(
        sma_func, over_arg="timeperiod", engine="threadpool", merge_func="column_stack"
    )
    pd.testing.assert_frame_equal(sma(arr, range(20, 50, 5)), expected)


@pytest.mark.engine
def test_a_nested_loop(one):
    arr = one.close.to_numpy()
    sma_func = vbt.talib_func("sma")
    results, keys = [], []
    for fast_window in range(20, 50, 5):
        for slow_window in range(20, 50, 5):
            if fast_window < slow_window:
                results.append(sma_func(arr, fast_window) - sma_func(arr, slow_window))
                keys.append((fast_window, slow_window))
    expected = pd.concat(
        map(pd.Series, results), axis=1, keys=index_of(keys, "fast_window", "slow_window")
    )

    @vbt.iterated(over_arg="fast_window", merge_func="column_stack", engine="pathos")
    @vbt.iterated(over_arg="slow_window", merge_func="column_stack", raise_no_results=False)
    def sma_diff(arr, fast_window, slow_window):
        if fast_window >= slow_window:
            return vbt.NoResult
        return sma_func(arr, fast_window) - sma_func(arr, slow_window)

    pd.testing.assert_frame_equal(sma_diff(arr, range(20, 50, 5), range(20, 50, 5)), expected)
