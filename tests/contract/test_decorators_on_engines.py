# SPDX-License-Identifier: BSD-3-Clause
"""Decorated functions travel to workers, also nested ones, and give the same results there."""

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import Chunked, NoResult, Param, chunked, iterated, parameterized

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
