# SPDX-License-Identifier: BSD-3-Clause
"""`chunked`: the same result in pieces, whichever way the rules are given."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import (
    ArgsTaker,
    ArraySizer,
    Chunked,
    ChunkedArray,
    ChunkedCount,
    ChunkedShape,
    ChunkSelector,
    ChunkSlicer,
    KwargsTaker,
    NotChunked,
    Param,
    Rep,
    SequenceTaker,
    chunked,
    parameterized,
)

LEFT = np.arange(12.0).reshape(3, 4)
RIGHT = LEFT * 10


def combine(array1, array2, func):
    return func(array1, array2)


def test_rules_in_a_dict():
    run = chunked(
        combine,
        arg_take_spec={
            "array1": ChunkedArray(axis=1),
            1: ChunkedArray(axis=1),
            re.compile("^f"): NotChunked,
        },
        size=ArraySizer(arg_query="array1", axis=1),
        merge_func="column_stack",
        n_chunks=3,
    )
    np.testing.assert_array_equal(run(LEFT, RIGHT, np.add), LEFT + RIGHT)


def test_rules_as_annotations():
    @chunked(n_chunks=2)
    def run(
        array1: ChunkedArray(axis=1) | ArraySizer(axis=1), array2: ChunkedArray(axis=1), func
    ) -> "column_stack":  # noqa: F821
        return func(array1, array2)

    np.testing.assert_array_equal(run(LEFT, RIGHT, np.add), LEFT + RIGHT)
    np.testing.assert_array_equal(run(LEFT, array2=RIGHT, func=np.add), LEFT + RIGHT)


@pytest.mark.parametrize(("axis", "merge"), [(0, "row_stack"), (1, "column_stack")])
def test_rules_around_values(axis, merge):
    run = chunked(combine, n_chunks=2)
    got = run(
        ChunkedArray(LEFT, axis=axis),
        ChunkedArray(RIGHT, axis=axis),
        np.add,
        _size=LEFT.shape[axis],
        _merge_func=merge,
    )
    np.testing.assert_array_equal(got, LEFT + RIGHT)
    flat = run(ChunkedArray(LEFT[0]), ChunkedArray(RIGHT[0]), np.add, _merge_func="concat")
    np.testing.assert_array_equal(flat, LEFT[0] + RIGHT[0])


def test_values_win_over_annotations():
    seen = []

    @chunked(n_chunks=2)
    def run(x: ChunkedArray, y: ChunkedArray):
        seen.append((len(x), len(y)))

    run(np.ones(4), NotChunked(np.ones(4)))
    assert seen == [(2, 4), (2, 4)]


def test_labels_are_cut_with_their_values():
    frame = pd.DataFrame(LEFT, index=pd.date_range("2020-01-01", periods=3), columns=list("abcd"))
    double = chunked(lambda x: x * 2, n_chunks=2)
    pd.testing.assert_frame_equal(double(Chunked(frame), _merge_func="row_stack"), frame * 2)
    got = double(ChunkedArray(frame, axis=1), _merge_func="column_stack")
    pd.testing.assert_frame_equal(got, frame * 2)
    got = double(Chunked(frame["a"]), _merge_func="concat")
    pd.testing.assert_series_equal(got, frame["a"] * 2)
    same = double(Chunked(pd.Series([1, 2, 3])), _merge_func="concat")
    pd.testing.assert_series_equal(same, pd.Series([2, 4, 6]))


def test_counts_and_shapes_with_arrays():
    @chunked(chunk_len=2, merge_func="row_stack")
    def run(n, shape, table):
        assert n == shape[0] == len(table)
        return np.full(shape, n) * 0 + table

    got = run(ChunkedCount(3), ChunkedShape((3, 4)), ChunkedArray(LEFT))
    np.testing.assert_array_equal(got, LEFT)


def test_nested_objects():
    @chunked(
        arg_take_spec={
            "pair": SequenceTaker([ChunkSlicer(), None]),
            "args": ArgsTaker(ChunkSlicer(), None),
            "kwargs": KwargsTaker(deep=SequenceTaker(ChunkSlicer())),
        },
        n_chunks=2,
    )
    def run(pair, *args, **kwargs):
        return pair, args, kwargs

    got = run(([1, 2], "kept"), [3, 4], "whole", deep=[[5, 6], [7, 8]])
    assert got == [
        (([1], "kept"), ([3], "whole"), {"deep": [[5], [7]]}),
        (([2], "kept"), ([4], "whole"), {"deep": [[6], [8]]}),
    ]


def test_every_variable_argument_by_one_rule():
    run = chunked(lambda *args: args, arg_take_spec={"args": ChunkSlicer()}, n_chunks=2)
    assert run([1, 2], [3, 4]) == [([1], [3]), ([2], [4])]
    run = chunked(lambda *args: args, arg_take_spec={"args_1": ChunkSlicer()}, n_chunks=2)
    assert run([1, 2], [3, 4]) == [([1, 2], [3]), ([1, 2], [4])]


def test_selectors_give_every_chunk_one_item():
    run = chunked(lambda x, y: (x, y), arg_take_spec=[ChunkSelector(), ChunkSlicer()])
    assert run(["a", "b"], [1, 2]) == [("a", [1]), ("b", [2])]
    assert run(["a"], [1]) == [("a", [1])]
    with pytest.raises(bp.ParamError, match=r"be as many as the items.*Pass n_chunks=3"):
        run(["a", "b", "c"], [1, 2, 3], _n_chunks=2)


def test_one_chunk_is_a_direct_call():
    calls = []

    def body(x):
        calls.append(len(x))
        return "raw"

    run = chunked(body, merge_func="concat")
    assert run(Chunked([1, 2]), _n_chunks=1) == "raw"
    assert run(Chunked([1, 2]), _n_chunks=2, _min_size=3) == "raw"
    assert run(Chunked([1, 2]), _n_chunks=2, _disable=True) == "raw"
    assert run(Chunked([])) == "raw"
    assert run([1, 2]) == "raw"
    assert calls == [2, 2, 2, 0, 2]
    got = run(Chunked([1, 2]), _n_chunks=1, _skip_single_chunk=False, _merge_func=None)
    assert got == ["raw"]


def test_none_passes():
    run = chunked(lambda x, y: (x, y), n_chunks=2)
    assert run(Chunked([1, 2]), Chunked(None)) == [([1], None), ([2], None)]
    assert run(Chunked(None), ChunkedArray(None)) == (None, None)


def test_ways_to_cut():
    run = chunked(list)
    items = Chunked(range(5))
    assert run(items, _n_chunks=2) == [[0, 1, 2], [3, 4]]
    assert run(items, _chunk_len=2) == [[0, 1], [2, 3], [4]]
    assert run(items, _n_chunks=99) == [[0], [1], [2], [3], [4]]
    assert run(items, _chunk_meta=[slice(3, 5), [0, 2], range(1, 2)]) == [[3, 4], [0, 2], [1]]
    assert len(run(items, _n_chunks="auto")) >= 1
    assert run(items, _chunk_len=99) == [0, 1, 2, 3, 4]
    by_length = chunked(list, chunk_len=2)
    assert by_length(items, _n_chunks=2) == [[0, 1, 2], [3, 4]]


def test_defaults_with_rules_are_cut():
    @chunked(n_chunks=2)
    def run(x: ChunkedArray, n: ChunkedCount = 4):
        return len(x), n

    assert run(np.ones(4)) == [(2, 2), (2, 2)]


def test_templates_among_the_arguments():
    run = chunked(lambda x, i, n, where, base: (x, i, n, where, base), chunk_len=2)
    got = run(
        Chunked([1, 2, 3]),
        Rep("chunk_idx"),
        Rep("n_chunks"),
        Rep("chunk_meta"),
        Rep("base"),
        _template_context={"base": 7},
    )
    assert got == [([1, 2], 0, 2, [0, 1], 7), ([3], 1, 2, [2], 7)]


def test_chunks_packed_into_super_chunks():
    seen = []

    @parameterized(merge_func="concat")
    def single(a, b):
        return a * b

    def note(meta):
        seen.append(meta)

    @chunked(
        chunk_len=2,
        merge_func="concat",
        execute_kwargs={
            "chunk_len": 2,
            "post_chunk_func": note,
            "post_chunk_kwargs": {"meta": Rep("chunk_meta")},
        },
    )
    def packed(a, b):
        return single(Param(a, level=0), Param(b, level=0))

    product = bp.combine_params({"a": [1, 2, 3], "b": [10, 20]}, build_index=False)
    got = packed(Chunked(product["a"]), Chunked(product["b"]))
    assert seen == [[0, 1], [2]]
    whole = single(Param([1, 2, 3]), Param([10, 20]))
    pd.testing.assert_series_equal(got, whole)


@pytest.mark.parametrize("engine", ["serial", "threadpool"])
def test_callbacks_see_every_portion_unless_portions_are_packed(engine):
    def hooks(seen):
        names = {name: Rep(name) for name in ("chunk_idx", "n_chunks", "chunk_results")}
        before = {name: names[name] for name in ("chunk_idx", "n_chunks")}
        return {
            "pre_chunk_func": lambda **named: seen.append(("pre", *named.values())),
            "pre_chunk_kwargs": before,
            "post_chunk_func": lambda **named: seen.append(("post", *named.values())),
            "post_chunk_kwargs": names,
        }

    seen: list[Any] = []
    run = chunked(list, chunk_len=2, engine=engine, **hooks(seen))
    assert run(Chunked(range(5))) == [[0, 1], [2, 3], [4]]
    assert [one for one in seen if one[0] == "pre"] == [("pre", i, 3) for i in range(3)]
    assert [one for one in seen if one[0] == "post"] == [
        ("post", 0, 3, [[0, 1]]), ("post", 1, 3, [[2, 3]]), ("post", 2, 3, [[4]]),
    ]  # fmt: skip
    for pack in ({"chunk_len": 2}, {"n_chunks": 2}, {"chunk_meta": [[0, 1], [2]]}):
        packed: list[Any] = []
        chunked(list, chunk_len=2, execute_kwargs=pack, **hooks(packed))(Chunked(range(5)))
        posts = [one[-1] for one in packed if one[0] == "post"]
        assert posts == [[[0, 1], [2, 3]], [[4]]]


def test_arguments_that_disagree_are_both_named():
    run = chunked(combine, n_chunks=2)
    with pytest.raises(bp.ParamError, match="'array1' gives 3 and argument 'array2' gives 2"):
        run(Chunked([1, 2, 3]), Chunked([1, 2]), None)
    with pytest.raises(bp.ParamError, match="size gives 4 and argument 'array1' gives 3"):
        run(Chunked([1, 2, 3]), 0, None, _size=4)


def test_rules_that_do_not_fit():
    run = chunked(combine)
    with pytest.raises(bp.ParamError, match="Did you mean 'array1'"):
        run(1, 2, 3, _arg_take_spec={"aray1": ChunkSlicer()})
    with pytest.raises(TypeError, match="A chunking rule must be a taker, got 3"):
        run(1, 2, 3, _arg_take_spec={"array1": 3})
    with pytest.raises(TypeError, match="be a dict of rules by argument"):
        run(1, 2, 3, _arg_take_spec=3)
    with pytest.raises(bp.ParamError, match="Chunked must wrap a value"):
        run(Chunked(), 2, 3)
    with pytest.raises(bp.ParamError, match="size must be a number of items or a sizer"):
        run(Chunked([1]), 2, 3, _size="3")
    with pytest.raises(TypeError, match="Did you mean 'chunk_len'"):
        run(Chunked([1]), 2, 3, _chunk_lne=3)
    with pytest.raises(bp.ParamError, match="n_chunks and chunk_len"):
        run(Chunked([1, 2]), 2, 3, _n_chunks=3, _chunk_len=1)
    with pytest.raises(bp.ParamError, match="hold each of the 2 items once"):
        run(Chunked([1, 2]), 2, 3, _chunk_meta=[[0, 0]])
    with pytest.raises(bp.ParamError, match="be slices, ranges or lists"):
        run(Chunked([1, 2]), 2, 3, _chunk_meta=[0, 1])


def test_a_failure_names_its_items():
    def run(x):
        return 1 / (3 - sum(x))

    with pytest.raises(bp.TaskError, match=r"Call 0 \(2 items from 0 to 1\) failed"):
        chunked(run, chunk_len=2)(Chunked([1, 2, 3]))


def test_decorating_later_keeps_the_face():
    run = chunked(combine)
    assert run.__name__ == "combine"
    assert run.__wrapped__ is combine


def test_scattered_chunks_are_put_back_in_order():
    meta = [[4, 0], [2], [1, 3]]
    items = np.arange(5.0)
    labelled = pd.Series(items, index=list("abcde"), name="q")
    run = chunked(lambda x: (x * 2, x.sum(), x), merge_func=("concat", sum, None), chunk_meta=meta)
    twice, total, pieces = run(Chunked(items))
    np.testing.assert_array_equal(twice, items * 2)
    assert total == 10
    assert [piece.tolist() for piece in pieces] == [[4, 0], [2], [1, 3]]
    twice = run(Chunked(labelled))[0]
    pd.testing.assert_series_equal(twice, labelled * 2)
    bare = chunked(lambda x: pd.Series(np.repeat(x, 2)), merge_func="concat", chunk_meta=meta)
    pd.testing.assert_series_equal(bare(Chunked(items)), pd.Series(np.repeat(items, 2)))
    dropped = chunked(
        lambda x: bp.NoResult if 0 in x else x,
        merge_func="concat",
        chunk_meta=[[3, 1], [0, 4], [2]],
    )
    np.testing.assert_array_equal(dropped(Chunked(items)), [1, 2, 3])
