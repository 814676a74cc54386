# SPDX-License-Identifier: BSD-3-Clause
"""Merging pieces of many combinations gives what merging single results gives."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadpeak._merge.blocks import merge_blocks
from broadpeak._merge.named import NAMED
from broadpeak.errors import ParamError

LAWS = settings(max_examples=40)
SYMBOLS = pd.Index(["SPX", "DJI"], name="symbol")


@st.composite
def runs(draw):
    n = draw(st.integers(1, 6))
    cuts = sorted(draw(st.sets(st.integers(1, n - 1)))) if n > 1 else []
    edges = [0, *cuts, n]
    chunks = [list(range(a, b)) for a, b in itertools.pairwise(edges)]
    fast = [10 * (i + 1) for i in range(n)]
    slow = draw(st.sampled_from([[7] * n, list(range(n))]))
    keys = pd.MultiIndex.from_arrays([fast, slow], names=["fast", "slow"])
    fixed = [7] if slow == [7] * n else []
    return chunks, keys, [*fixed, *([10] if n == 1 else []), *([0] if slow == [0] else [])]


def check(how, run, single, chunk, **options):
    """`single(i)` is the result of one combination, `chunk(rows)` that of several."""
    chunks, keys, fixed = run
    expected = NAMED[how]([single(i) for i in range(len(keys))], keys=keys)
    pieces = [chunk(rows) for rows in chunks]
    got = merge_blocks(
        how, pieces, list(map(len, chunks)), keys=keys, constants=lambda _: fixed, **options
    )
    if isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(got, expected)
    else:
        pd.testing.assert_frame_equal(got, expected)
    bare = merge_blocks(how, pieces, list(map(len, chunks)), keys=keys, wrap=False)
    assert isinstance(bare, np.ndarray)


@LAWS
@given(runs())
def test_scalars(run):
    for how in NAMED:
        check(how, run, lambda i: i * 0.5, lambda rows: np.array(rows) * 0.5)
    check("concat", run, lambda i: i * 0.5, lambda rows: [i * 0.5 for i in rows])
    for how in ("concat", "row_stack"):
        check(how, run, float, lambda rows: pd.Series(rows, dtype=float, name="ratio"))


@LAWS
@given(runs())
def test_series_with_the_levels_of_lists(run):
    keys = run[1]
    own = pd.Series([1.0, 2.0], index=SYMBOLS)

    def chunk(rows):
        index = pd.MultiIndex.from_tuples(
            [(keys[i][0], s) for i in rows for s in SYMBOLS], names=["ma_window", "symbol"]
        )
        return pd.Series([i + v for i in rows for v in own], index=index)

    for how in ("concat", "row_stack"):
        check(how, run, lambda i: own + i, chunk)


@LAWS
@given(runs())
def test_repeated_hidden_levels_are_matched_by_block(run):
    own = pd.Series([1.0, 2.0], index=SYMBOLS)

    def chunk(rows):
        index = pd.Index([s for _ in rows for s in SYMBOLS], name="symbol")
        return pd.Series([i + v for i in rows for v in own], index=index)

    check("concat", run, lambda i: own + i, chunk)
    bars = pd.date_range("2020-01-01", periods=3)

    def frame(i):
        return pd.DataFrame(np.full((3, 2), i), index=bars, columns=SYMBOLS)

    check("column_stack", run, frame, lambda rows: pd.concat([frame(i) for i in rows], axis=1))
    check("row_stack", run, frame, lambda rows: pd.concat([frame(i) for i in rows]))


@LAWS
@given(runs())
def test_columns(run):
    keys = run[1]
    bars = pd.date_range("2020-01-01", periods=4)
    values = np.arange(4 * len(keys), dtype=float).reshape(4, -1)

    def chunk(rows):
        columns = pd.Index([keys[i][0] for i in rows], name="ma_window")
        return pd.DataFrame(values[:, rows], index=bars, columns=columns)

    check("column_stack", run, lambda i: pd.Series(values[:, i], index=bars), chunk)
    for how in ("column_stack", "reset_column_stack"):
        check(how, run, lambda i: values[:, i], lambda rows: values[:, rows])
    check("row_stack", run, lambda i: values[:, i], lambda rows: values.T[rows])


@LAWS
@given(runs())
def test_a_chunk_of_one_may_give_what_a_single_call_gives(run):
    keys = run[1]
    bars = pd.date_range("2020-01-01", periods=4)

    def ratio(rows):
        index = pd.MultiIndex.from_tuples([(keys[i][0], i) for i in rows], names=["ma", "x"])
        return float(rows[0]) if len(rows) == 1 else pd.Series(rows, index=index, dtype=float)

    for how in NAMED:
        check(how, run, float, ratio)

    def column(i):
        return pd.Series([i, 2.0, 3.0, 4.0], index=bars)

    def columns(rows):
        if len(rows) == 1:
            return column(rows[0])
        return pd.concat([column(i) for i in rows], axis=1, keys=[keys[i][0] for i in rows])

    check("column_stack", run, column, columns)


@LAWS
@given(runs())
def test_arrays_of_several_entries(run):
    check(
        "concat",
        run,
        lambda i: np.arange(3) + i,
        lambda rows: np.add.outer(rows, np.arange(3)).ravel(),
    )


@pytest.mark.parametrize(
    ("how", "piece"),
    [
        ("concat", np.zeros(3)),
        ("concat", 5.0),
        ("concat", np.zeros(0)),
        ("column_stack", np.zeros((4, 3))),
        ("column_stack", pd.Series(np.zeros(4))),
        ("row_stack", np.zeros((3, 2))),
        ("row_stack", np.zeros(4)),
    ],
)
def test_what_is_not_covered_is_named(how, piece):
    keys = pd.Index([1, 2], name="a")
    with pytest.raises(ParamError, match=r"must cover every combination once: mono-chunk 0 has 2"):
        merge_blocks(how, [piece], [2], keys=keys)


def test_frames_under_concat_are_refused():
    with pytest.raises(TypeError, match="concat must get scalars"):
        merge_blocks("concat", [pd.DataFrame([[1], [2]])], [2], keys=pd.Index([1, 2]))


def test_a_flat_result_of_one_combination():
    keys = pd.Index([1, 2, 3], name="a")
    got = merge_blocks("column_stack", [np.ones((2, 2)), np.zeros(2)], [2, 1], keys=keys)
    pd.testing.assert_frame_equal(got, pd.DataFrame([[1.0, 1.0, 0.0]] * 2, columns=keys))
    got = merge_blocks("concat", [np.ones(2), 0.0], [2, 1], keys=keys)
    pd.testing.assert_series_equal(got, pd.Series([1.0, 1, 0], index=keys))
    got = merge_blocks("row_stack", [np.ones((2, 2)), np.zeros(2)], [2, 1], keys=keys)
    pd.testing.assert_frame_equal(got, pd.DataFrame([[1.0] * 2] * 2 + [[0.0] * 2], index=keys))


@pytest.mark.parametrize("constant", [5, "x", None])
def test_a_missing_label_is_no_constant(constant):
    # A level of nothing but missing labels still has a last label: the code -1 must not mean it.
    own = pd.MultiIndex(levels=[[constant], ["a", "b"]], codes=[[-1, -1], [0, 1]], names=["w", "s"])
    piece = pd.Series([1.0, 2.0], index=own)
    keys = pd.Index([10], name="fast")
    merged = merge_blocks("concat", [piece], [1], keys=keys, constants=lambda _: [constant])
    assert list(merged.index.names) == ["fast", "w", "s"]
    assert merged.index.get_level_values("w").isna().all()
    there = pd.Series(
        [1.0, 2.0], index=pd.MultiIndex.from_product([[5], ["a", "b"]], names=["w", "s"])
    )
    dropped = merge_blocks("concat", [there], [1], keys=keys, constants=lambda _: [5])
    assert list(dropped.index.names) == ["fast", "s"]


@pytest.mark.parametrize("start", [0, 1, 5, -2])
@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("how", ["concat", "row_stack", "column_stack"])
def test_only_an_index_that_counts_from_zero_is_no_label(start, step, how):
    labels = pd.RangeIndex(start, start + 2 * step, step)

    def single(i):
        one = pd.Series([i, i + 0.5], index=labels)
        return pd.DataFrame([one]).reset_index(drop=True) if how == "column_stack" else one

    def chunk(rows):
        return NAMED["column_stack" if how == "column_stack" else "concat"](
            [single(i) for i in rows]
        )

    keys = pd.Index([10, 20, 30], name="fast")
    expected = NAMED[how]([single(i) for i in range(3)], keys=keys)
    found = merge_blocks(how, [chunk([0, 1]), chunk([2])], [2, 1], keys=keys)
    index = found.columns if how == "column_stack" else found.index
    wanted = expected.columns if how == "column_stack" else expected.index
    assert index.tolist() == wanted.tolist()
    alone = merge_blocks(how, [chunk([i]) for i in range(3)], [1, 1, 1], keys=keys)
    index = alone.columns if how == "column_stack" else alone.index
    assert index.tolist() == wanted.tolist()
