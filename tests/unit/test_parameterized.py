# SPDX-License-Identifier: BSD-3-Clause
# ruff: noqa: F821, F722, B008  # merges as annotations, which are no types
"""`parameterized` against plain loops, option by option."""

import inspect
import itertools
from collections import namedtuple
from functools import partial

import numba
import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import MergeFunc, NoResult, Param, Rep, RepFunc, parameterized

FAST, SLOW = [1, 2, 3], [2, 3]
GRID = list(itertools.product(FAST, SLOW))
BELOW = [(a, b) for a, b in GRID if a < b]


def index_of(pairs, names=("fast", "slow")):
    return pd.MultiIndex.from_tuples(pairs, names=names)


def spread(fast, slow):
    """Say how far apart they are."""
    return slow - fast


def test_a_list_of_results_in_order_of_combinations():
    run = parameterized(spread)
    assert run(Param(FAST), Param(SLOW)) == [b - a for a, b in GRID]
    assert run(slow=Param(SLOW), fast=Param(FAST)) == [b - a for a, b in GRID]
    assert run(Param(FAST), 10) == [9, 8, 7]


def test_bare_with_options_and_later():
    @parameterized
    def bare(fast, slow):
        return slow - fast

    @parameterized(merge_func="concat")
    def merged(fast, slow):
        return slow - fast

    expected = pd.Series([b - a for a, b in GRID], index=index_of(GRID))
    assert bare(Param(FAST), Param(SLOW)) == expected.to_list()
    pd.testing.assert_series_equal(merged(Param(FAST), Param(SLOW)), expected)
    later = parameterized(spread, merge_func="concat")
    pd.testing.assert_series_equal(later(Param(FAST), Param(SLOW)), expected)


def test_the_face_of_the_function_is_kept():
    run = parameterized(spread)
    assert (run.__name__, run.__doc__) == ("spread", spread.__doc__)
    assert inspect.signature(run) == inspect.signature(spread)
    assert run.__wrapped__ is spread


def test_without_a_param_the_function_is_called_once():
    run = parameterized(spread, merge_func="concat", return_param_index=True)
    assert run(1, 5) == 4
    sentinel = object()
    assert parameterized(lambda x: x)(sentinel) is sentinel


def test_return_param_index():
    results, index = parameterized(spread, return_param_index=True)(Param(FAST), Param(SLOW))
    assert results == [b - a for a, b in GRID]
    pd.testing.assert_index_equal(index, index_of(GRID))
    results, index = parameterized(spread)(Param(FAST), 1, _return_param_index=True)
    pd.testing.assert_index_equal(index, pd.Index(FAST, name="fast"))


def test_conditions_levels_keys_and_hidden_parameters():
    run = parameterized(spread, merge_func="concat")
    got = run(Param(FAST, condition="fast < slow"), Param(SLOW))
    pd.testing.assert_series_equal(got, pd.Series([1, 2, 1], index=index_of(BELOW)))
    got = run(Param([1, 2], level=0), Param([5, 6], level=0, keys=pd.Index(["x", "y"], name="k")))
    expected = pd.Series([4, 4], index=index_of([(1, "x"), (2, "y")], ["fast", "k"]))
    pd.testing.assert_series_equal(got, expected)
    got = run(Param([1, 2]), Param([5, 6], hide=True))
    expected = pd.Series([4, 5, 3, 4], index=pd.Index([1, 1, 2, 2], name="fast"))
    pd.testing.assert_series_equal(got, expected)
    got = run(Param([1, 2], hide=True), 3)
    pd.testing.assert_series_equal(got, pd.Series([2, 1], index=pd.RangeIndex(2, name="param")))


def test_random_subsets_and_grid_indices():
    run = parameterized(spread, merge_func="concat", random_subset=3, seed=7)
    got = run(Param(range(100)), Param(range(100)))
    again = run(Param(range(100)), Param(range(100)))
    pd.testing.assert_series_equal(got, again)
    assert len(got) == 3
    assert (got == [b - a for a, b in got.index]).all()
    assert len(run(Param(range(10)), 0, _random_subset=0.5)) == 5
    picked = parameterized(spread, grid_indices=slice(1, 3))(Param(FAST), Param(SLOW))
    assert picked == [b - a for a, b in GRID[1:3]]


def test_variable_arguments_come_after_declared_ones():
    @parameterized(return_param_index=True)
    def run(a, *args, key, **kwargs):
        return (a, args, key, kwargs)

    results, index = run(Param([1, 2]), 5, Param([7, 8]), z=Param([0]), key=Param(["k"]))
    assert index.names == ["a", "key", "args_1", "z"]
    assert results == [(a, (5, c), "k", {"z": 0}) for a in (1, 2) for c in (7, 8)]


def test_a_param_as_default_is_a_parameter():
    @parameterized(merge_func="concat")
    def run(a, b=Param([1, 2])):
        return a * b

    pd.testing.assert_series_equal(run(10), pd.Series([10, 20], index=pd.Index([1, 2], name="b")))
    assert run(10, 3) == 30


def test_positional_only_arguments_and_methods():
    @parameterized
    def run(a, b, /, c=3):
        return (a, b, c)

    assert run(Param([1, 2]), 5) == [(1, 5, 3), (2, 5, 3)]

    class Pipeline:
        factor = 10

        @parameterized(merge_func="concat")
        def scaled(self, x):
            return x * self.factor

        @classmethod
        @parameterized
        def named(cls, x):
            return cls.__name__, x

        @staticmethod
        @parameterized
        def alone(x):
            return -x

    pipeline = Pipeline()
    assert pipeline.scaled(Param([1, 2])).to_list() == [10, 20]
    assert Pipeline.named(Param([1, 2])) == [("Pipeline", 1), ("Pipeline", 2)]
    assert pipeline.alone(Param([1, 2])) == [-1, -2]
    assert parameterized(pipeline.scaled.__wrapped__)(pipeline, Param([3])) == [30]


def test_other_callables():
    assert parameterized(np.add)(Param([1, 2]), 1) == [2, 3]
    assert parameterized(partial(spread, 1))(Param([1, 2])) == [0, 1]
    assert parameterized(max)(Param([1, 2]), 2) == [2, 2]

    class Callable:
        def __call__(self, x: Param):
            return x + 1

    assert parameterized(Callable())([1, 2]) == [2, 3]


def test_compiled_functions():
    @parameterized(merge_func="concat")
    @numba.njit(nogil=True)
    def run(a, b=2):
        return a * b

    assert run.__name__ == "run"
    assert run(Param([1, 2])).to_list() == [2, 4]
    assert run(a=Param([1.5, 2]), b=Param([3])).to_list() == [4.5, 6.0]
    assert run(3, 4) == 12


def test_options_at_the_call_win():
    run = parameterized(spread, merge_func="concat")
    assert run(Param([1, 2]), 3, _merge_func=None) == [2, 1]
    frame = run(Param([1, 2]), 3, _merge_func="column_stack")
    assert frame.columns.to_list() == [1, 2]


def test_dicts_are_merged_and_atomic_dicts_replace():
    seen = []

    def note(**kwargs):
        seen.append(kwargs)

    run = parameterized(
        spread,
        execute_kwargs={"pre_execute_func": note, "pre_execute_kwargs": {"a": 1}},
    )
    run(Param([1]), 2, _execute_kwargs={"pre_execute_kwargs": {"b": 2}})
    run(Param([1]), 2, _pre_execute_kwargs={"c": 3})
    run(Param([1]), 2, _pre_execute_kwargs=bp.atomic_dict(c=3))
    assert seen == [{"a": 1, "b": 2}, {"a": 1, "c": 3}, {"c": 3}]
    run(Param([1]), 2, _execute_kwargs=bp.atomic_dict(engine="serial"))
    assert len(seen) == 3


def test_a_declared_underscore_name_belongs_to_the_function():
    @parameterized
    def run(a, _engine):
        return (a, _engine)

    assert run(Param([1, 2]), _engine="own") == [(1, "own"), (2, "own")]


def test_unknown_options_name_the_nearest():
    with pytest.raises(TypeError, match=r"unknown option 'merge_fun'.*Did you mean 'merge_func'"):
        parameterized(spread, merge_fun="concat")
    with pytest.raises(TypeError, match="Did you mean 'random_subset'"):
        parameterized(random_subst=3)
    with pytest.raises(TypeError, match="Did you mean 'engine'"):
        parameterized(spread)(Param([1]), 2, _engin="serial")
    with pytest.raises(TypeError, match="execute_kwargs got an unknown option 'egnine'"):
        parameterized(spread, execute_kwargs={"egnine": "serial"})


def test_what_is_not_a_function():
    with pytest.raises(TypeError, match="the function that parameterized decorates"):
        parameterized("concat")
    with pytest.raises(TypeError, match="Put @classmethod above it"):
        parameterized(classmethod(spread))


def test_wrong_calls_fail_before_anything_runs():
    with pytest.raises(TypeError, match="missing a required argument: 'slow'"):
        parameterized(spread)(Param([1]))


# Annotations -----------------------------------------------------------------------------------


def test_param_annotations_wrap_what_is_passed():
    @parameterized
    def run(data, fast: Param(condition="fast < slow"), slow: Param, extra: Param = 5) -> "concat":
        assert extra == 5
        return (slow - fast) * data

    got = run(10, FAST, SLOW)
    pd.testing.assert_series_equal(got, pd.Series([10, 20, 10], index=index_of(BELOW)))
    assert run(10, 1, 2).to_list() == [10]


def test_the_caller_s_own_settings_win():
    @parameterized(return_param_index=True)
    def run(x: Param(name="annotated", condition="x > 1")):
        return x

    assert run([1, 2])[1].names == ["annotated"]
    results, index = run(Param([1, 2], name="own"))
    assert results == [2]
    assert index.names == ["own"]


def test_merge_annotations():
    @parameterized
    def two(x) -> ("concat", "column_stack"):
        return x, np.array([x, x])

    first, second = two(Param([1, 2]))
    assert isinstance(first, pd.Series)
    assert isinstance(second, pd.DataFrame)

    @parameterized
    def bare(x) -> (MergeFunc("concat", wrap=False), MergeFunc("column_stack", wrap=False)):
        return x, np.array([x, x])

    first, second = bare(Param([1, 2]))
    assert isinstance(first, np.ndarray)
    np.testing.assert_array_equal(second, [[1, 2], [1, 2]])

    @parameterized
    def typed(x) -> pd.Series:
        return x

    assert typed(Param([1, 2])) == [1, 2]

    @parameterized(merge_func="row_stack")
    def explicit(x) -> "concat":
        return x

    assert isinstance(explicit(Param([1, 2])), pd.DataFrame)


def test_annotations_that_mean_nothing_are_ignored():
    @parameterized
    def run(x: "NotDefinedAnywhere", y: "1 +", z: "Param") -> "no merge at all":
        return x + y + z

    assert run(Param([1, 2]), 1, [0]) == [2, 3]


# Nesting ---------------------------------------------------------------------------------------


def test_eval_id_takes_only_its_own():
    run = parameterized(lambda a, b: (a, b), eval_id="outer")
    inner = Param([1], eval_id="inner")
    assert run(Param([1, 2], eval_id="outer"), inner) == [(1, inner), (2, inner)]
    assert run(5, inner) == (5, inner)


def test_stacked_decorators_nest():
    @parameterized(merge_func="concat", eval_id="outer")
    @parameterized(merge_func="concat", eval_id="inner")
    def run(a, b, c):
        return a * 100 + b * 10 + c

    got = run(
        Param([1, 2], eval_id="outer"),
        Param([3, 4], eval_id="inner", condition="b > c"),
        Param([3, 2], eval_id="inner"),
    )
    rows = [(a, b, c) for a in (1, 2) for b in (3, 4) for c in (3, 2) if b > c]
    expected = pd.Series(
        [a * 100 + b * 10 + c for a, b, c in rows], index=index_of(rows, ["a", "b", "c"])
    )
    pd.testing.assert_series_equal(got, expected)


def test_one_function_calls_another():
    @parameterized(merge_func="concat", eval_id="inner")
    def inner(data, x):
        return data + x

    @parameterized(merge_func="concat", eval_id="outer")
    def outer(data, xs):
        return inner(data, xs)

    got = outer(Param([10, 20], eval_id="outer"), Param([1, 2], eval_id="inner"))
    assert got.index.names == ["data", "x"]
    assert got.to_list() == [11, 12, 21, 22]


# Skipping --------------------------------------------------------------------------------------


def test_no_result_drops_the_combination():
    @parameterized(return_param_index=True)
    def run(fast, slow):
        return slow - fast if fast < slow else NoResult

    results, index = run(Param(FAST), Param(SLOW))
    assert results == [b - a for a, b in BELOW]
    assert index.to_list() == BELOW
    merged, index = run(Param(FAST), Param(SLOW), _merge_func="concat")
    pd.testing.assert_index_equal(merged.index, index)


def test_all_dropped():
    run = parameterized(lambda x: NoResult, merge_func="concat")
    with pytest.raises(bp.NoResultsError, match="Pass raise_no_results=False"):
        run(Param([1, 2]))
    assert run(Param([1, 2]), _raise_no_results=False) is NoResult
    got = run(Param([1, 2]), _raise_no_results=False, _return_param_index=True)
    assert got is NoResult


def test_no_combination_left():
    with pytest.raises(bp.ParamError, match="combination"):
        parameterized(spread)(Param([5], condition="fast < slow"), Param([1]))


# Templates and callbacks -----------------------------------------------------------------------


def test_a_custom_merge_gets_what_it_asks_for():
    def merge(results, param_index, param_product, n):
        assert param_product == {"fast": [1, 2], "slow": [3, 3]}
        assert n == 2
        return pd.Series(results, index=param_index)

    run = parameterized(
        lambda fast, slow: slow - fast if fast < 3 else NoResult,
        merge_func=merge,
        merge_kwargs={
            "param_index": Rep("param_index"),
            "param_product": Rep("param_product"),
            "n": RepFunc(lambda results: len(results) + 0),
        },
    )
    got = run(Param([1, 2, 3]), Param([3]))
    pd.testing.assert_series_equal(got, pd.Series([2, 1], index=index_of([(1, 3), (2, 3)])))


def test_callbacks_of_chunks():
    seen = []
    run = parameterized(
        spread,
        post_chunk_func=lambda chunk_idx, results: seen.append((chunk_idx, results)),
        post_chunk_kwargs={
            "chunk_idx": Rep("chunk_idx", eval_id="post_chunk_kwargs"),
            "results": Rep("chunk_results"),
        },
        chunk_len=2,
    )
    run(Param(FAST), 10)
    assert seen == [(0, [9, 8]), (1, [7])]


def test_a_failure_names_its_combination():
    def run(fast, slow):
        return 1 / (slow - fast)

    with pytest.raises(bp.TaskError, match=r"Call 2 \(fast=2, slow=2\) failed: ZeroDivisionError"):
        parameterized(run)(Param(FAST), Param(SLOW))
    with pytest.raises(bp.TaskError, match=r"fast=array_0, slow=hidden") as caught:
        parameterized(lambda fast, slow: slow.none)(
            Param([np.ones(3)]), Param(["hidden"], hide=True)
        )
    with pytest.raises(AttributeError, match="none"):
        caught.value.rerun()


def test_results_that_are_named_tuples():
    Pair = namedtuple("Pair", "low high")
    low, high = parameterized(lambda x: Pair(x, x + 1), merge_func="concat")(Param([1, 2]))
    assert (low.to_list(), high.to_list()) == ([1, 2], [2, 3])


# Mono-chunks -----------------------------------------------------------------------------------


def sums(fast, slow):
    assert isinstance(fast, list)
    return np.array(fast) + np.array(slow)


@pytest.mark.parametrize(
    "rule",
    [
        {"mono_n_chunks": 2},
        {"mono_n_chunks": 100},
        {"mono_n_chunks": "auto"},
        {"mono_chunk_len": 4},
        {"mono_chunk_len": "auto"},
        {"mono_chunk_meta": [[0, 1], [2, 3, 4, 5]]},
        {"mono_chunk_meta": [range(4), slice(4, 6)]},
    ],
)
def test_mono_chunks_give_the_same_labels(rule):
    expected = pd.Series([a + b for a, b in GRID], index=index_of(GRID))
    got = parameterized(sums, merge_func="concat", **rule)(Param(FAST), Param(SLOW))
    pd.testing.assert_series_equal(got, expected)


def test_mono_chunks_in_another_order_keep_their_labels():
    run = parameterized(sums, merge_func="concat", mono_chunk_meta=[[5, 0], [3, 1, 2, 4]])
    got, index = run(Param(FAST), Param(SLOW), _return_param_index=True)
    assert got.to_dict() == {(a, b): a + b for a, b in GRID}
    pd.testing.assert_index_equal(got.index, index)


def test_mono_results_without_a_merge_are_one_a_chunk():
    run = parameterized(sums, mono_chunk_len=4, return_param_index=True)
    results, index = run(Param(FAST), Param(SLOW))
    assert [len(result) for result in results] == [4, 2]
    assert index.to_list() == GRID


def test_mono_forms_of_arguments():
    seen = []

    def run(a, b, c, d, e, f, g):
        seen.append((a, b, c, d, e, f, g))
        return np.zeros(2)

    rows = [np.array([1, 2]), np.array([3, 4])]
    parameterized(run, merge_func="concat", mono_n_chunks=1)(
        Param([1, 2], level=0),
        Param([7, 7], level=0, mono_reduce=True),
        Param([1, 2], level=0, mono_merge_func="concat"),
        Param(rows, level=0, mono_merge_func="row_stack"),
        Param(rows, level=0, mono_merge_func="column_stack"),
        Param(
            [1, 2], level=0, mono_merge_func=MergeFunc(lambda values, by: sum(values) * by, by=3)
        ),
        Param(
            [1, 2],
            level=0,
            mono_merge_func=lambda values, n: (tuple(values), n),
            mono_merge_kwargs={"n": Rep("n_chunks")},
        ),
    )
    a, b, c, d, e, f, g = seen[0]
    assert (a, b, f, g) == ([1, 2], 7, 9, ((1, 2), 1))
    assert isinstance(c, np.ndarray)
    np.testing.assert_array_equal(d, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(e, [[1, 3], [2, 4]])
    np.testing.assert_array_equal(c, [1, 2])


def test_mono_reduce_leaves_different_values():
    run = parameterized(lambda x: (x,), mono_n_chunks=2)
    assert run(Param([1, 1, 2, 3], mono_reduce=True)) == [(1,), ([2, 3],)]


def test_mono_frames_and_tuples():
    index = pd.date_range("2020-01-01", periods=3)

    def run(windows):
        frame = pd.DataFrame(np.outer(range(3), windows), index=index, columns=windows)
        return frame.sum(), frame

    total, frame = parameterized(run, merge_func=("concat", "column_stack"), mono_chunk_len=2)(
        Param([1, 2, 5])
    )
    level = pd.Index([1, 2, 5], name="windows")
    pd.testing.assert_series_equal(total, pd.Series([3, 6, 15], index=level))
    expected = pd.DataFrame(np.outer(range(3), [1, 2, 5]), index=index, columns=level)
    pd.testing.assert_frame_equal(frame, expected)


def test_mono_no_result_drops_the_chunk():
    def run(x):
        return NoResult if 3 in x else np.array(x)

    got, index = parameterized(run, merge_func="concat", mono_chunk_len=2, return_param_index=True)(
        Param([1, 2, 3, 4, 5])
    )
    assert got.to_dict() == {1: 1, 2: 2, 5: 5}
    assert index.to_list() == [1, 2, 5]


def test_mono_custom_merge():
    run = parameterized(
        sums,
        merge_func=lambda results, index: pd.Series(np.concatenate(results), index=index),
        merge_kwargs={"index": Rep("keys")},
        mono_n_chunks=2,
    )
    pd.testing.assert_series_equal(
        run(Param(FAST), Param(SLOW)), pd.Series([a + b for a, b in GRID], index=index_of(GRID))
    )


def test_a_rule_of_the_call_stands_in_for_that_of_the_decorator():
    run = parameterized(sums, mono_chunk_len=2, chunk_len=1)
    assert len(run(Param(FAST), Param(SLOW))) == 3
    assert len(run(Param(FAST), Param(SLOW), _mono_n_chunks=2, _n_chunks=2)) == 2


def test_mono_errors():
    run = parameterized(sums, merge_func="concat")
    both = (Param(FAST), Param(SLOW))
    with pytest.raises(bp.ParamError, match="mono_n_chunks and mono_chunk_len"):
        run(*both, _mono_n_chunks=2, _mono_chunk_len=2)
    with pytest.raises(bp.ParamError, match="mono_n_chunks must be 'auto' or an integer"):
        run(*both, _mono_n_chunks=0)
    with pytest.raises(bp.ParamError, match="hold each of the 6 items once"):
        run(*both, _mono_chunk_meta=[[0, 1], [1, 2, 3, 4, 5]])
    with pytest.raises(bp.ParamError, match="hold each of the 6 items once"):
        run(*both, _mono_chunk_meta=[[0, 1]])
    with pytest.raises(bp.ParamError, match="or lists of positions"):
        run(*both, _mono_chunk_meta=[0, 1])
    with pytest.raises(ValueError, match="must cover every combination once: mono-chunk 0 has 6"):
        parameterized(lambda fast, slow: np.zeros(4), merge_func="concat", mono_n_chunks=1)(*both)


def test_mono_failures_name_the_chunk():
    with pytest.raises(bp.TaskError, match=r"4 combinations from fast=1, slow=2 to fast=2, slow=3"):
        parameterized(lambda fast, slow: 1 / 0, mono_chunk_len=4)(Param(FAST), Param(SLOW))


def test_an_option_without_its_underscore_is_reported():
    def double(fast):
        return fast * 2

    for decorator, argument in ((parameterized, Param(FAST)), (bp.iterated, FAST), (bp.chunked, 1)):
        for name in ("engine", "execute_kwargs"):
            with pytest.raises(TypeError, match=f"begin with an underscore at .*Type: _{name}="):
                decorator(double)(argument, **{name: "serial"})
    with pytest.raises(bp.ParamError, match="Type: _random_subset="):
        parameterized(double)(Param(FAST), random_subset=2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'speed'"):
        parameterized(double)(Param(FAST), speed=2)


def test_a_function_may_take_arguments_that_are_called_like_options():
    def timed(fast, timeout, **rest):
        return fast, timeout, rest

    assert parameterized(timed)(Param([1]), timeout=5, seed=3) == [(1, 5, {"seed": 3})]
