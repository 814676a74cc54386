# SPDX-License-Identifier: BSD-3-Clause
"""Merges by name: forms, options, bare results and every named error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._merge.merge_func import MergeFunc, resolve_merge_func
from broadpeak.errors import ParamError

KEYS = pd.Index([10, 20], name="fast")


def merged(name, results, **kwargs):
    return resolve_merge_func(name)(results, **kwargs)


def test_none_and_merge_func_pass_through():
    rule = MergeFunc("concat", wrap=False)
    assert resolve_merge_func(None) is None
    assert resolve_merge_func(rule) is rule
    assert repr(rule) == "MergeFunc('concat', wrap=False)"
    assert bp.MergeFunc is MergeFunc


def test_without_keys_arrays_stay_arrays():
    np.testing.assert_array_equal(merged("concat", [1, 2]), np.array([1, 2]))
    np.testing.assert_array_equal(
        merged("concat", [np.array([1]), np.array([2, 3])]), np.array([1, 2, 3])
    )
    pair = [np.array([1, 2]), np.array([3, 4])]
    np.testing.assert_array_equal(merged("row_stack", pair), np.array(pair))
    np.testing.assert_array_equal(merged("column_stack", pair), np.array(pair).T)
    tables = [np.ones((2, 1)), np.zeros((2, 2))]
    np.testing.assert_array_equal(merged("column_stack", tables), np.hstack(tables))
    np.testing.assert_array_equal(merged("row_stack", [t.T for t in tables]), np.hstack(tables).T)


def test_without_keys_labels_are_kept():
    whole = pd.Series([1.0, 2.0, 3.0], index=list("abc"), name="x")
    pd.testing.assert_series_equal(merged("concat", [whole[:1], whole[1:]]), whole)
    frame = pd.DataFrame(np.arange(6).reshape(3, 2), index=list("abc"), columns=["u", "v"])
    pd.testing.assert_frame_equal(merged("row_stack", [frame[:2], frame[2:]]), frame)
    pieces = [frame[["u"]], frame[["v"]]]
    pd.testing.assert_frame_equal(merged("column_stack", pieces), frame)
    columns = merged("column_stack", [frame["u"], frame["v"]])
    pd.testing.assert_frame_equal(columns, frame)


def test_without_keys_default_labels_count_on():
    pieces = [pd.Series([1, 2]), pd.Series([3])]
    pd.testing.assert_series_equal(merged("concat", pieces), pd.Series([1, 2, 3]))
    frames = [pd.DataFrame([[1, 2]]), pd.DataFrame([[3, 4]])]
    pd.testing.assert_frame_equal(merged("row_stack", frames), pd.DataFrame([[1, 2], [3, 4]]))
    beside = pd.DataFrame([[1, 2, 3, 4]])
    pd.testing.assert_frame_equal(merged("column_stack", frames), beside)


def test_wrap_true_without_keys_is_pandas():
    pd.testing.assert_series_equal(merged("concat", [1, 2], wrap=True), pd.Series([1, 2]))
    pd.testing.assert_series_equal(
        merged("concat", [np.array([1]), np.array([2])], wrap=True), pd.Series([1, 2])
    )
    frame = merged("column_stack", [np.array([1, 2]), np.array([3, 4])], wrap=True)
    pd.testing.assert_frame_equal(frame, pd.DataFrame([[1, 3], [2, 4]]))
    frame = merged("row_stack", [np.array([1, 2]), np.array([3, 4])], wrap=True)
    pd.testing.assert_frame_equal(frame, pd.DataFrame([[1, 2], [3, 4]]))
    pd.testing.assert_frame_equal(merged("column_stack", [1, 2], wrap=True), pd.DataFrame([[1, 2]]))


@pytest.mark.parametrize("name", ["concat", "row_stack", "column_stack", "reset_column_stack"])
def test_wrap_false_is_bare(name):
    series = [pd.Series([1, 2], index=[0, 1]), pd.Series([3, 4], index=[1, 2])]
    bare = merged(name, series, keys=KEYS, wrap=False)
    assert isinstance(bare, np.ndarray)
    expected = [[1, 3], [2, 4]] if "column" in name else [1, 2, 3, 4]
    np.testing.assert_array_equal(bare, expected)
    if name != "concat":
        frames = [one.to_frame() for one in series]
        bare = merged(name, frames, keys=KEYS, wrap=False)
        expected = [[1, 3], [2, 4]] if "column" in name else [[1], [2], [3], [4]]
        np.testing.assert_array_equal(bare, expected)


def test_tuples_merge_slot_by_slot():
    results = [(1, np.array([1, 2])), (2, np.array([3, 4]))]
    first, second = merged("concat", results, keys=KEYS)
    pd.testing.assert_series_equal(first, pd.Series([1, 2], index=KEYS))
    assert second.index.names == ["fast", None]
    first, second = merged(("concat", "column_stack"), results, keys=KEYS)
    pd.testing.assert_frame_equal(second, pd.DataFrame([[1, 3], [2, 4]], columns=KEYS))
    mixed = merged((MergeFunc("concat", wrap=False), len), results, keys=KEYS)
    np.testing.assert_array_equal(mixed[0], [1, 2])
    assert mixed[1] == 2
    assert merged(("concat", None), results)[1] == [results[0][1], results[1][1]]


def test_own_function_gets_the_list_and_its_arguments():
    def join(results, sep):
        return sep.join(map(str, results))

    assert merged(join, [1, 2], sep="-") == "1-2"
    assert MergeFunc(join, sep="+")([1, 2], keys=KEYS) == "1+2"
    assert MergeFunc(MergeFunc(join, sep="+"))([1, 2]) == "1+2"


def test_templates_are_filled_with_the_rule_s_context():
    seen = []

    def fill(kwargs, context, eval_id):
        seen.append((context, eval_id))
        return {name: context[value] for name, value in kwargs.items()}

    rule = MergeFunc(lambda results, x: x, context={"a": 7}, eval_id="id", x="a")
    assert rule.apply([1], fill=fill) == 7
    assert seen == [({"a": 7}, "id")]


def test_uses_keys():
    assert MergeFunc("concat").uses_keys
    assert MergeFunc((len, "concat")).uses_keys
    assert not MergeFunc(len).uses_keys
    assert MergeFunc(MergeFunc("concat")).uses_keys


def test_array_likes_count_as_arrays():
    expected = merged("concat", [np.array([1, 2]), np.array([3])], keys=KEYS)
    pd.testing.assert_series_equal(merged("concat", [[1, 2], [3]], keys=KEYS), expected)
    pd.testing.assert_series_equal(
        merged("concat", [pd.Index([1, 2]), pd.array([3], dtype="int64").to_numpy()], keys=KEYS),
        expected,
    )
    zero = [np.array(1.0), np.array(2.0)]
    pd.testing.assert_series_equal(merged("concat", zero, keys=KEYS), pd.Series([1.0, 2.0], KEYS))


@pytest.mark.filterwarnings("ignore:Results of .* are dicts")
def test_integers_beyond_64_bits_and_objects():
    huge = merged("concat", [2**70, 1], keys=KEYS)
    assert huge.to_list() == [2**70, 1]
    assert merged("concat", [{"a": 1}, {"b": 2}], keys=KEYS).to_list() == [{"a": 1}, {"b": 2}]


def test_categories_and_time_zones_survive():
    stamps = [pd.Series(pd.to_datetime(["2020-01-01"]).tz_localize("UTC")) for _ in range(2)]
    assert str(merged("concat", stamps, keys=KEYS).dtype).endswith("UTC]")
    assert str(merged("column_stack", stamps, keys=KEYS).dtypes.iloc[0]).endswith("UTC]")
    words = [pd.Series(["a"], dtype="category"), pd.Series(["a"], dtype="category")]
    assert merged("concat", words, keys=KEYS).dtype == "category"


def test_columns_keep_their_own_dtype():
    frame = merged("column_stack", [pd.Series([1, 2]), pd.Series([0.5, 1.5])], keys=KEYS)
    assert [str(dtype) for dtype in frame.dtypes] == ["int64", "float64"]
    frame = merged("column_stack", [1, 0.5], keys=KEYS)
    assert [str(dtype) for dtype in frame.dtypes] == ["int64", "float64"]


def test_inputs_are_left_alone():
    series = [pd.Series([1, 2], index=["a", "b"]), pd.Series([3, 4], index=["a", "b"])]
    whole = merged("column_stack", series, keys=KEYS)
    whole.iloc[0, 0] = 99
    assert series[0].iloc[0] == 1
    joined = merged("concat", series[:1], keys=KEYS[:1])
    joined.iloc[0] = 99
    assert series[0].iloc[0] == 1


@pytest.mark.parametrize("bad", [pd.DataFrame([[1]]), np.ones((1, 1))])
def test_concat_refuses_tables_with_the_remedy(bad):
    with pytest.raises(TypeError, match="Use merge_func='column_stack'"):
        merged("concat", [bad], keys=["a"])
    with pytest.raises(bp.BroadpeakError, match="got"):
        merged("concat", [bad], keys=["a"])


def test_kinds_do_not_mix():
    with pytest.raises(TypeError, match=r"all be of one kind, got 1-D array \(ndarray\), scalar"):
        merged("concat", [1, np.array([1, 2])])
    with pytest.raises(TypeError, match="Series"):
        merged("column_stack", [pd.Series([1]), np.array([1])])


def test_three_dimensions_are_refused():
    with pytest.raises(TypeError, match=r"at most two dimensions.*\(1, 1, 1\)"):
        merged("column_stack", [np.ones((1, 1, 1))])


def test_nothing_to_merge():
    with pytest.raises(ParamError, match="concat must have at least one result"):
        merged("concat", [])


def test_keys_must_fit():
    with pytest.raises(ParamError, match="one key a result, got 2 keys for 1 results"):
        merged("concat", [1], keys=KEYS)


def test_unknown_names_and_options_have_the_nearest():
    with pytest.raises(ParamError, match="Did you mean 'column_stack'"):
        merged("colum_stack", [1])
    with pytest.raises(TypeError, match=r"unknown option 'warp'\. Did you mean 'wrap'"):
        merged("concat", [1], warp=False)
    with pytest.raises(TypeError, match="merge_func must be a name, a function"):
        merged(3, [1])
    with pytest.raises(ParamError, match="name at least one merge"):
        merged((), [1])


def test_tuples_must_fit_the_merges():
    with pytest.raises(TypeError, match="must be a tuple of 2 objects"):
        merged(("concat", "concat"), [1, 2])
    with pytest.raises(TypeError, match="must be a tuple of 2 objects"):
        merged("concat", [(1, 2), (1, 2, 3)])


def test_repeated_labels_that_cannot_be_matched():
    left, right = pd.Series([1, 2], index=["a", "a"]), pd.Series([1], index=["b"])
    with pytest.raises(ParamError, match="match by position: 'reset_column_stack'"):
        merged("column_stack", [left, right], keys=KEYS)
    frame = merged("reset_column_stack", [left, right], keys=KEYS)
    assert frame.shape == (2, 2)


def test_bare_columns_of_different_length():
    with pytest.raises(ParamError, match=r"equal lengths under column_stack.*\[1, 2\]"):
        merged("column_stack", [np.array([1]), np.array([1, 2])])


def test_labels_of_different_depth():
    deep = pd.Series([1], index=pd.MultiIndex.from_tuples([("a", "b")]))
    with pytest.raises(ParamError, match=r"same number of levels under concat, got \[1, 2\]"):
        merged("concat", [pd.Series([1]), deep], keys=KEYS)


def test_labels_of_mixed_types_stay_in_order_of_appearance():
    left, right = pd.Series([1, 2], index=["b", 1]), pd.Series([3], index=[None])
    frame = merged("column_stack", [left, right], keys=KEYS)
    assert frame.shape == (3, 2)


def test_many_columns_of_one_index_share_one_block():
    index = pd.date_range("2020-01-01", periods=50)
    series = [pd.Series(np.arange(50.0), index=index) for _ in range(3000)]
    frame = merged("column_stack", series, keys=pd.RangeIndex(3000, name="i"))
    assert frame.shape == (50, 3000)
    assert frame.index is index or frame.index.equals(index)


@pytest.mark.parametrize("how", ["concat", "row_stack", "column_stack"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pd.Index([1, 2]), pd.Index([1.0, 2.0])),
        (pd.Index([0, 1]), pd.Index([False, True])),
        (pd.Index([1, 2]), pd.Index([1, 2], dtype=object)),
        (pd.to_datetime(["2020"]), pd.Index(pd.to_datetime(["2020"]).tolist(), dtype=object)),
        (pd.Index(["a", "b"]), pd.Index(["a", "b"], dtype=object)),
    ],
)
def test_labels_of_different_type_are_different_however_equal(how, first, second):
    # What pandas joins them to, not what the first of them happens to be.
    results = [
        pd.Series(range(len(first)), index=first),
        pd.Series(range(len(second)), index=second),
    ]
    if how == "column_stack":
        results = [pd.DataFrame([one.to_numpy()], columns=one.index) for one in results]
    whole = merged(how, results, keys=KEYS)
    index = whole.columns if how == "column_stack" else whole.index
    expected = first.append(second)
    found = index.get_level_values(1)
    assert [(type(label), label) for label in found] == [(type(label), label) for label in expected]
    turned = merged(how, results[::-1], keys=KEYS)
    index = turned.columns if how == "column_stack" else turned.index
    expected = second.append(first)
    found = index.get_level_values(1)
    assert [(type(label), label) for label in found] == [(type(label), label) for label in expected]
