# SPDX-License-Identifier: BSD-3-Clause
"""Chunk + merge = whole, for every taker and every merge."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp

LAWS = settings(max_examples=30)


@st.composite
def cuts(draw):
    n = draw(st.integers(1, 9))
    rule = draw(st.sampled_from(["n_chunks", "chunk_len", "chunk_meta"]))
    if rule != "chunk_meta":
        return n, {rule: draw(st.integers(1, 10))}
    inner = sorted(draw(st.sets(st.integers(1, max(n - 1, 1)), max_size=3)) & set(range(1, n)))
    edges = [0, *inner, n]
    stretches = [range(a, b) for a, b in itertools.pairwise(edges)]
    shuffled = draw(st.permutations(range(n)))
    scattered = [[shuffled[place] for place in one] for one in stretches]
    return n, {rule: draw(st.sampled_from([stretches, scattered]))}


@LAWS
@given(cuts())
def test_sequences_and_counts(case):
    n, options = case
    for items in (list(range(n)), tuple(range(n)), range(n)):
        run = bp.chunked(lambda x: np.array(x) * 2, merge_func="concat", **options)
        np.testing.assert_array_equal(run(bp.Chunked(items)), np.array(items) * 2)
    ones = bp.chunked(np.ones, merge_func="concat", **options)
    np.testing.assert_array_equal(ones(bp.ChunkedCount(n)), np.ones(n))
    tables = bp.chunked(np.ones, merge_func="row_stack", **options)
    np.testing.assert_array_equal(tables(bp.ChunkedShape((n, 2))), np.ones((n, 2)))
    tables = bp.chunked(np.ones, merge_func="column_stack", **options)
    np.testing.assert_array_equal(tables(bp.ChunkedShape((2, n), axis=1)), np.ones((2, n)))


@LAWS
@given(cuts(), st.sampled_from(["float64", "int64", "bool", "object"]))
def test_arrays_and_frames_along_both_axes(case, dtype):
    n, options = case
    table = (np.arange(n * 3) % 5).reshape(n, 3).astype(dtype)
    frame = pd.DataFrame(table, index=pd.date_range("2020", periods=n), columns=list("abc"))
    for axis, merge in ((0, "row_stack"), (1, "column_stack")):
        run = bp.chunked(lambda x: x, merge_func=merge, **options)
        array = table if axis == 0 else table.T
        got = run(bp.ChunkedArray(array, axis=axis))
        np.testing.assert_array_equal(got, array)
        assert got.dtype == array.dtype
        labelled = frame if axis == 0 else frame.T
        again = run(bp.ChunkedArray(labelled, axis=axis))
        pd.testing.assert_frame_equal(again, labelled, check_freq=False)
    run = bp.chunked(lambda x: x, merge_func="concat", **options)
    pd.testing.assert_series_equal(run(bp.Chunked(frame["a"])), frame["a"], check_freq=False)


@LAWS
@given(st.integers(1, 6))
def test_selectors(n):
    table = np.arange(n * 2).reshape(n, 2)
    rows = bp.chunked(
        lambda row, one: row + one,
        arg_take_spec=[bp.ArraySelector(keep_dims=True), bp.ArraySelector()],
        merge_func="row_stack",
    )
    np.testing.assert_array_equal(rows(table, np.arange(n)), table + np.arange(n)[:, None])
    columns = bp.chunked(
        lambda column: column * 2,
        arg_take_spec=[bp.ArraySelector(axis=1)],
        merge_func="column_stack",
    )
    np.testing.assert_array_equal(columns(table.T), table.T * 2)
    ones = bp.chunked(
        np.ones, arg_take_spec={0: bp.ShapeSelector(axis=1)}, merge_func="column_stack"
    )
    np.testing.assert_array_equal(ones((2, n)), np.ones((2, n)))


@LAWS
@given(cuts(), st.booleans())
def test_flexible_arrays(case, wide):
    n, options = case
    table = np.arange(2.0 * n).reshape(2, n)
    other = np.arange(float(n))[None, :] if wide else np.array([[3.0]])
    run = bp.chunked(
        lambda left, right: left + right,  # functions of an older NumPy do not tell their arguments
        arg_take_spec=[bp.ArraySlicer(axis=1), bp.FlexArraySlicer(axis=1)],
        merge_func="column_stack",
        **options,
    )
    np.testing.assert_array_equal(run(table, other), table + other)
    np.testing.assert_array_equal(run(table, 5.0), table + 5.0)


@LAWS
@given(cuts())
def test_nested(case):
    n, options = case
    slicer = bp.ChunkSlicer()
    run = bp.chunked(
        lambda pair, named: np.array(pair[0]) + np.array(pair[1]) + np.array(named["x"]),
        arg_take_spec={"pair": bp.SequenceTaker(slicer), "named": bp.MappingTaker({"x": slicer})},
        merge_func="concat",
        **options,
    )
    items = list(range(n))
    np.testing.assert_array_equal(run((items, items), {"x": items}), np.array(items) * 3)
