# SPDX-License-Identifier: BSD-3-Clause
# ruff: noqa: F821, F722, UP037  # merges as annotations, which are no types
"""Annotations that are text, because of the future import, mean what they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import MergeFunc, Param, chunked, parameterized
from broadpeak._sweep.decorating import Annotations


def test_params_and_merges():
    @parameterized
    def run(fast: Param(condition="fast < slow"), slow: Param) -> "concat":
        return slow - fast

    assert run([1, 2, 3], [2, 3]).to_dict() == {(1, 2): 1, (1, 3): 2, (2, 3): 1}


def test_tuples_and_merge_funcs():
    @parameterized
    def run(x) -> (MergeFunc("concat", wrap=False), "column_stack"):
        return x, np.array([x])

    first, second = run(Param([1, 2]))
    np.testing.assert_array_equal(first, [1, 2])
    assert isinstance(second, pd.DataFrame)


def test_names_from_where_it_was_decorated():
    limit = 2
    rule = Param(condition="x < limit", context={"limit": limit})

    @parameterized
    def bare(x: rule):
        return x

    @parameterized(merge_func="concat")
    def with_options(x: rule):
        return x

    def undecorated(x: rule):
        return x

    assert bare([1, 2, 3]) == [1]
    assert with_options([1, 2, 3]).to_list() == [1]
    assert parameterized(undecorated)([1, 2, 3]) == [1]

    class Inside:
        own = Param(name="inner")

        @parameterized(return_param_index=True)
        def run(self, x: own):
            return x

    assert Inside().run([1, 2])[1].names == ["inner"]


def test_a_name_that_is_defined_later():
    @parameterized
    def run(x: _Later):
        return x

    assert run([1, 2]) == [1, 2]


_Later = bp.Param(name="later")


def test_chunking_rules():
    @chunked(n_chunks=2)
    def run(
        x: bp.ChunkedArray(axis=1) | bp.ArraySizer(axis=1), y: bp.ChunkedCount | None = 4
    ) -> "column_stack":
        assert x.shape[1] == y == 2
        return x

    table = np.ones((3, 4))
    np.testing.assert_array_equal(run(table), table)


def test_what_cannot_be_resolved_is_no_annotation():
    def run(a: Nowhere, b: "no type", c: len([]) / 0) -> Nowhere:
        return a, b, c

    seen = Annotations(run, {})
    assert [seen.get(name) for name in ("a", "c", "return")] == [None] * 3
    assert seen.get("b") == "no type"
    assert seen.as_written("return") == "Nowhere"
    assert Annotations(len, {}).get("return") is None


def test_conditions_may_name_a_parameter_left_at_its_default():
    @parameterized
    def run(fast: Param(condition="fast < slow"), slow: Param = 3) -> "concat":
        return slow * 10 + fast

    alone = run([1, 2, 3, 4])
    assert alone.to_dict() == {1: 31, 2: 32}
    assert alone.index.name == "fast"
    assert run([1, 2, 3, 4], 4).to_dict() == {(1, 4): 41, (2, 4): 42, (3, 4): 43}
    own = Param([1, 2], condition="fast < slow", context={"slow": 2})
    assert run(own).to_dict() == {1: 31}


def test_a_default_is_no_value_for_a_parameter_of_another_decorator():
    @parameterized(merge_func="concat", eval_id="outer")
    @parameterized(merge_func="concat", eval_id="inner")
    def run(fast: Param(eval_id="inner"), slow: Param(eval_id="outer") = 3):
        return slow * 10 + fast

    with pytest.raises(bp.ConditionError, match="known names only, got 'fast'"):
        run([1, 2], Param([2, 3], condition="fast < slow"))
    assert run([1, 2], [2, 3]).to_list() == [21, 22, 31, 32]


def test_a_condition_on_a_plain_argument_says_what_to_do():
    @parameterized
    def run(fast, slow):
        return fast, slow

    with pytest.raises(bp.ConditionError, match=r"'slow' is no parameter of this run: .*Param\("):
        run(Param([1, 2], condition="fast < slow"), 3)
    with pytest.raises(bp.ConditionError, match=r"got 'slo'. Check the spelling.*x\.$"):
        run(Param([1, 2], condition="fast < slo"), 3)


@pytest.mark.parametrize(
    ("annotation", "remedy"),
    [
        (("concat", None), "merge_func="),
        (["concat", None], "merge_func="),
        (("concat", len), "merge_func="),
        (("concat", "colum_stack"), "Did you mean 'column_stack'"),
        ((bp.MergeFunc("concat"), int), "Names: 'concat'"),
    ],
)
def test_merges_beside_what_is_none_are_refused(annotation, remedy):
    def pair(x):
        return x, x

    pair.__annotations__["return"] = annotation
    for run in (bp.parameterized(pair), bp.iterated(pair)):
        with pytest.raises(TypeError, match=f"return annotation must name a merge.*{remedy}"):
            run(bp.Param([1, 2]))
    assert bp.parameterized(pair)(1) == (1, 1)
    assert len(bp.parameterized(pair, merge_func="concat")(bp.Param([1, 2]))) == 2


@pytest.mark.parametrize("annotation", [(int, float), ("a", "b"), (None, None), int, pd.Series])
def test_annotations_without_any_merge_are_for_type_checkers(annotation):
    def pair(x):
        return x, x

    pair.__annotations__["return"] = annotation
    assert bp.parameterized(pair)(bp.Param([1, 2])) == [(1, 1), (2, 2)]
