# SPDX-License-Identifier: BSD-3-Clause
"""Decorated functions travel to workers, also nested ones, and give the same results there."""

import numpy as np
import pandas as pd
import pytest
from numba import njit

import broadpeak as bp
from broadpeak import Chunked, NoResult, Param, chunked, iterated, parameterized
from broadpeak._run import batches

ENGINES = ["threadpool", "processpool", "pathos"]


@parameterized
def single(data, a, b):
    return float((data * a - b).sum())


@chunked(chunk_len=2, merge_func="concat")
def packed(data, a, b):
    return np.array(single(data, Param(a, level=0), Param(b, level=0)))


@parameterized(merge_func="concat", eval_id="outer")
@parameterized(merge_func="concat", eval_id="inner")
def nested(data, a, b):
    return float((data * a - b).sum())


@iterated(over_arg="i", merge_func="concat")
@iterated(over_arg="j", merge_func="concat", raise_no_results=False)
def loops(i, j):
    return i * j if i < j else NoResult


@pytest.fixture
def data():
    return np.arange(5.0)


@pytest.mark.engine
@pytest.mark.parametrize("engine", ENGINES)
def test_super_chunks(engine, data):
    product = bp.combine_params({"a": [1, 2, 3], "b": [4, 5]}, build_index=False)
    expected = [float((data * a - b).sum()) for a in (1, 2, 3) for b in (4, 5)]
    options = {"engine": engine, "n_workers": 2, "chunk_len": "auto"}
    got = packed(data, Chunked(product["a"]), Chunked(product["b"]), _execute_kwargs=options)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.engine
@pytest.mark.parametrize("engine", ENGINES)
def test_nested_and_stacked(engine, data):
    def run(**options):
        return nested(
            data,
            Param([1, 2], eval_id="outer"),
            Param([3, 4], eval_id="inner", condition="b > 2"),
            **options,
        )

    pd.testing.assert_series_equal(run(_engine=engine, _n_workers=2), run())
    pd.testing.assert_series_equal(loops(3, 3, _engine=engine, _n_workers=2), loops(3, 3))


@pytest.mark.engine
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("distribute", ["tasks", "chunks"])
def test_closures_lambdas_and_mono_chunks(engine, distribute):
    offset = 10
    plain = parameterized(lambda x, y: x + y + offset, merge_func="concat", return_param_index=True)
    options = {"_engine": engine, "_n_workers": 2, "_distribute": distribute}
    got, index = plain(Param(range(7)), Param([1, 2]), **options)
    expected, same = plain(Param(range(7)), Param([1, 2]))
    pd.testing.assert_series_equal(got, expected)
    pd.testing.assert_index_equal(index, same)
    mono = parameterized(lambda x: np.array(x) * offset, merge_func="concat", mono_chunk_len=3)
    pd.testing.assert_series_equal(mono(Param(range(7)), **options), mono(Param(range(7))))


@parameterized
def score(a, b):
    return (a * 31 + b * 17) % 101 if (a + b) % 7 else NoResult


@njit
def compiled_score(a, b):
    return (a * 31 + b * 17) % 101


@pytest.mark.engine
@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_kept(engine):
    grid = Param(range(40)), Param(range(30))
    options = {"_engine": engine, "_n_workers": 2}
    every = score(*grid, _merge_func="concat")
    found = score(*grid, _keep=bp.top(20), **options)
    expected = every.sort_values(ascending=False, kind="stable")[:20]
    pd.testing.assert_series_equal(found, expected)
    counted = score(*grid, _keep=bp.histogram(5, range=(0, 100)), **options)
    assert counted.counts.tolist() == np.histogram(every, 5, range=(0, 100))[0].tolist()


@pytest.mark.engine
@pytest.mark.parametrize("engine", ENGINES)
def test_compiled_functions_in_loops(engine, monkeypatch):
    monkeypatch.setattr(batches, "FEWEST_CALLS", 0)  # here; workers see the number of calls
    grid = Param(range(600)), Param(range(500))
    found = parameterized(compiled_score)(*grid, _keep=bp.top(20), _engine=engine, _n_workers=2)
    expected = parameterized(compiled_score)(*grid, _keep=bp.top(20))
    pd.testing.assert_series_equal(found, expected)
    a, b = np.arange(600)[:, None], np.arange(500)
    assert found.to_list() == np.sort(((a * 31 + b * 17) % 101).ravel())[::-1][:20].tolist()
