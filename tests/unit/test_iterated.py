# SPDX-License-Identifier: BSD-3-Clause
"""`iterated` against for-loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import NoResult, iterated


def shifted(arr, by):
    return arr + by


ARR = np.arange(3.0)


def test_a_number_is_a_range():
    run = iterated(lambda i: i * i)
    assert run(4) == [0, 1, 4, 9]
    assert run(np.int64(2)) == [0, 1]
    assert run(0) == []


def test_over_another_argument_by_name_and_position():
    expected = pd.concat(
        [pd.Series(ARR + by) for by in range(20, 50, 5)],
        axis=1,
        keys=pd.Index(range(20, 50, 5), name="by"),
    )
    for over_arg in ("by", 1, -1):
        run = iterated(shifted, over_arg=over_arg, merge_func="column_stack")
        pd.testing.assert_frame_equal(run(ARR, range(20, 50, 5)), expected)
        pd.testing.assert_frame_equal(run(ARR, by=range(20, 50, 5)), expected)
    got = iterated(shifted, merge_func="column_stack")(ARR, range(20, 50, 5), _over_arg="by")
    pd.testing.assert_frame_equal(got, expected)


@pytest.mark.parametrize(
    "items",
    [[3, 1, 1], (3, 1), np.array([3, 1]), pd.Series([3, 1]), iter([3, 1]), {3: "a", 1: "b"}],
)
def test_whatever_a_for_loop_takes(items):
    values = list(items) if not hasattr(items, "__next__") else [3, 1]
    assert iterated(lambda i: i)(items) == values


def test_a_text_gives_its_letters():
    assert iterated(lambda letter: letter.upper())("ab") == ["A", "B"]


def test_a_named_index_names_the_level():
    run = iterated(shifted, over_arg="by", merge_func="column_stack")
    got = run(ARR, pd.Index([1, 2], name="step"))
    assert got.columns.names == ["step"]
    pairs = pd.MultiIndex.from_tuples([(1, 2), (3, 4)], names=["a", "b"])
    got = iterated(sum, merge_func="concat")(pairs)
    assert got.to_dict() == {(1, 2): 3, (3, 4): 7}
    assert got.index.names == ["a", "b"]


def test_objects_are_labelled_by_their_kind():
    got = iterated(lambda f: f(2.0), merge_func="concat")([np.sqrt, np.square])
    assert got.index.to_list() == ["sqrt", "square"]


def test_stacked_loops_nest():
    @iterated(over_arg="fast", merge_func="concat")
    @iterated(over_arg="slow", merge_func="concat", raise_no_results=False)
    def run(fast, slow):
        return NoResult if fast >= slow else slow - fast

    got = run(range(4), range(3))
    pairs = [(a, b) for a in range(4) for b in range(3) if a < b]
    expected = pd.Series(
        [b - a for a, b in pairs],
        index=pd.MultiIndex.from_tuples(pairs, names=["fast", "slow"]),
    )
    pd.testing.assert_series_equal(got, expected)


def test_methods_do_not_loop_over_themselves():
    class Body:
        @iterated
        def run(self, i):
            return i + 1

    assert Body().run(2) == [1, 2]


def test_return_annotations_and_options_at_the_call():
    @iterated
    def run(i) -> concat:  # noqa: F821
        return i

    assert run(2).to_list() == [0, 1]
    assert run(2, _merge_func=None) == [0, 1]
    with pytest.raises(TypeError, match="Did you mean 'over_arg'"):
        run(2, _overarg="i")
    with pytest.raises(TypeError, match="Did you mean 'merge_func'"):
        iterated(merge_fnc="concat")


def test_a_default_can_be_looped_over():
    assert iterated(lambda x, n=3: x * n, over_arg="n")(2) == [0, 2, 4]


def test_nothing_to_loop_over():
    with pytest.raises(TypeError, match="i must be a number of iterations or something to loop"):
        iterated(lambda i: i)(2.5)
    with pytest.raises(TypeError, match="Name the argument of the loop"):
        iterated(lambda i: i)(None)
    with pytest.raises(bp.ParamError, match="Did you mean 'slow'"):
        iterated(lambda fast, slow: 0, over_arg="slw")(1, 2)
    with pytest.raises(bp.NoResultsError, match="At least one call must return a result"):
        iterated(lambda i: i, merge_func="concat")(0, _raise_no_results=True)
    assert iterated(lambda i: i, merge_func="concat", raise_no_results=False)(0) is NoResult


def test_failures_name_the_item():
    with pytest.raises(bp.TaskError, match=r"Call 1 \(i=1\) failed: ZeroDivisionError"):
        iterated(lambda i: 1 / (1 - i))(2)
