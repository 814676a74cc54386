# SPDX-License-Identifier: BSD-3-Clause
"""Takers and sizers one by one."""

from __future__ import annotations

import re
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._run.chunks import Chunk
from broadpeak._sweep.decorating import Arguments
from broadpeak._sweep.takers import ChunkRules, as_taker, rules_in, taker_by_type

FIRST = Chunk(0, range(2))
PICKED = Chunk(1, np.array([2, 0]))
TABLE = np.arange(12).reshape(3, 4)


@pytest.mark.parametrize("value", [[1, 2, 3], (1, 2, 3), range(1, 4)])
def test_slicer_keeps_the_type_of_sequences(value):
    taker = bp.ChunkSlicer()
    assert taker.sizes(value) == [3]
    assert taker.take(value, FIRST) == value[:2]
    assert list(taker.take(value, PICKED)) == [3, 1]


def test_array_slicer_cuts_values_with_their_labels():
    frame = pd.DataFrame(TABLE, index=list("abc"), columns=list("wxyz"))
    rows, columns = bp.ArraySlicer(), bp.ArraySlicer(axis=1)
    assert (rows.sizes(frame), columns.sizes(frame)) == ([3], [4])
    pd.testing.assert_frame_equal(rows.take(frame, FIRST), frame.iloc[:2])
    pd.testing.assert_frame_equal(columns.take(frame, FIRST), frame.iloc[:, :2])
    pd.testing.assert_frame_equal(columns.take(frame, PICKED), frame.iloc[:, [2, 0]])
    pd.testing.assert_series_equal(rows.take(frame["w"], FIRST), frame["w"].iloc[:2])
    np.testing.assert_array_equal(bp.ArraySlicer(axis=-1).take(TABLE, FIRST), TABLE[:, :2])
    np.testing.assert_array_equal(rows.take([5, 6, 7], FIRST), [5, 6])
    assert rows.take(pd.Index([5, 6, 7]), FIRST).to_list() == [5, 6]


def test_selectors_go_by_the_number_of_the_chunk():
    second = Chunk(1, range(1, 2))
    assert bp.ChunkSelector().take("abc", second) == "b"
    np.testing.assert_array_equal(bp.ArraySelector().take(TABLE, second), TABLE[1])
    kept = bp.ArraySelector(axis=1, keep_dims=True).take(TABLE, second)
    np.testing.assert_array_equal(kept, TABLE[:, 1:2])
    frame = pd.DataFrame(TABLE)
    pd.testing.assert_series_equal(bp.ArraySelector(axis=1).take(frame, second), frame[1])
    assert bp.ShapeSelector(axis=1).take((3, 4), second) == (3,)
    assert bp.ShapeSelector(axis=0, keep_dims=True).take((3, 4), second) == (1, 4)
    with pytest.raises(bp.ParamError, match="have one item a chunk, so at least 6, got 3"):
        bp.ChunkSelector().take("abc", Chunk(5, range(5, 6)))


def test_counts_and_shapes():
    assert bp.CountAdapter().sizes(7) == [7]
    assert bp.CountAdapter().take(7, FIRST) == 2
    assert bp.ShapeSlicer(axis=1).sizes((3, 4)) == [4]
    assert bp.ShapeSlicer(axis=-1).take((3, 4), FIRST) == (3, 2)
    for bad in (-1, 1.5, True, "3"):
        with pytest.raises(bp.ParamError, match="A chunked count must be"):
            bp.CountAdapter().sizes(bad)


def test_flexible_arrays_pass_whole_where_they_broadcast():
    taker = bp.FlexArraySlicer(axis=1)
    for whole in (5.0, np.ones(3), np.ones((3, 1))):
        assert taker.sizes(whole) == []
        assert taker.take(whole, FIRST) is whole
    assert taker.sizes(TABLE) == [4]
    np.testing.assert_array_equal(taker.take(TABLE, FIRST), TABLE[:, :2])


def test_nested_takers():
    slicer = bp.ChunkSlicer()
    deep = bp.SequenceTaker([bp.SequenceTaker(slicer), None])
    assert deep.sizes([[[1, 2], [3, 4]], "kept"]) == [2, 2]
    assert deep.take([[[1, 2], [3, 4]], "kept"], Chunk(0, range(1))) == [[[1], [3]], "kept"]
    Pair = namedtuple("Pair", "left right")
    cut = bp.SequenceTaker(slicer).take(Pair([1, 2], None), Chunk(0, range(1)))
    assert cut == Pair([1], None)
    repeated = bp.SequenceTaker([None, slicer, ...])
    assert repeated.take([9, [1, 2], [3, 4]], Chunk(0, range(1))) == [9, [1], [3]]
    assert bp.ArgsTaker(slicer).take(([1, 2],), Chunk(0, range(1))) == ([1],)
    assert bp.KwargsTaker(x=slicer).take({"x": [1, 2]}, Chunk(0, range(1))) == {"x": [1]}
    assert bp.MappingTaker(slicer).sizes({"a": [1], "b": [1, 2]}) == [1, 2]
    assert as_taker({"a": [slicer, None]}).take({"a": [[1, 2], 5]}, Chunk(0, range(1))) == {
        "a": [[1], 5]
    }
    with pytest.raises(bp.ParamError, match="have one rule for each of 2 items"):
        bp.SequenceTaker([slicer]).take([1, 2], FIRST)
    with pytest.raises(bp.ParamError, match="name keys of the dict"):
        bp.MappingTaker({"z": slicer}).take({"a": [1]}, FIRST)


def test_takers_by_type():
    assert isinstance(taker_by_type(np.ones(2)), bp.ArraySlicer)
    assert isinstance(taker_by_type(pd.Series([1])), bp.ArraySlicer)
    assert isinstance(taker_by_type([1]), bp.ChunkSlicer)
    assert isinstance(taker_by_type(np.int64(3)), bp.CountAdapter)
    assert taker_by_type(None) is None
    with pytest.raises(TypeError, match="Type NotChunked"):
        taker_by_type(2.5)
    with pytest.raises(TypeError, match="MappingTaker"):
        taker_by_type({"a": 1})
    with pytest.raises(TypeError, match="A chunking rule must be a taker, got 3"):
        as_taker(3)


def test_axis_that_is_not_there():
    with pytest.raises(bp.ParamError, match=r"have an axis 1 to be cut along.*It has 1\."):
        bp.ArraySlicer(axis=1).sizes(np.ones(3))


def test_wrappers_are_values_and_rules():
    assert as_taker(bp.ChunkedArray(axis=1)) == bp.ArraySlicer(1)
    assert as_taker(bp.ChunkedArray) == bp.ArraySlicer(0)
    assert as_taker(bp.ChunkedShape(axis=1)) == bp.ShapeSlicer(1)
    assert as_taker(bp.ChunkedCount()) == bp.CountAdapter()
    assert as_taker(bp.NotChunked) is None
    assert as_taker(bp.Chunked).take([1, 2, 3], FIRST) == [1, 2]
    assert as_taker(bp.Chunked(taker=bp.ArraySlicer(1))) == bp.ArraySlicer(1)
    assert repr(bp.ChunkedArray([1])) == "ChunkedArray([1])"


def test_rules_are_joined_by_a_bar():
    both = bp.ChunkedArray(axis=1) | bp.ArraySizer(axis=1)
    assert isinstance(both, ChunkRules)
    assert [type(rule) for rule in rules_in(both)] == [bp.ChunkedArray, bp.ArraySizer]
    assert rules_in(bp.ChunkedCount | bp.CountSizer()) == (bp.ChunkedCount, bp.CountSizer())
    assert rules_in(bp.ChunkedCount | bp.CountSizer) == (bp.ChunkedCount, bp.CountSizer)
    assert len(rules_in(both | None)) == 3


def arguments(*args, **kwargs):
    return Arguments(lambda array, shape=None, n=None: None).bind(args, kwargs)


def test_sizers_find_their_argument():
    passed = arguments(TABLE, shape=(3, 4), n=5)
    assert bp.ArraySizer("array", axis=1).size(passed) == 4
    assert bp.ArraySizer(arg_query=0).size(passed) == 3
    assert bp.ShapeSizer(re.compile("^sh"), axis=1).size(passed) == 4
    assert bp.CountSizer("n").size(passed) == 5
    assert bp.ArgSizer().size(passed, own="n") == 5
    assert bp.LenSizer("array").size(passed) == 3
    with pytest.raises(bp.ParamError, match="Did you mean 'array'"):
        bp.ArraySizer("arrray").size(passed)
    with pytest.raises(bp.ParamError, match="give a size of at least 0"):
        bp.ArgSizer("shape").size(passed)
    with pytest.raises(bp.ParamError, match="have an axis 2"):
        bp.ArraySizer("array", axis=2).size(passed)
