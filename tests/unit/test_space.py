# SPDX-License-Identifier: BSD-3-Clause
"""Parameters, labels, the lazy grid and combine_params: behaviour and messages."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import inspect
import itertools
import math
import operator
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._space.axes import same_value
from broadpeak._space.combine import Column, select_combos
from broadpeak._space.param import label_values
from broadpeak.errors import ConditionError, ParamError


class Panel:
    """Something that can be split, as Data can."""

    def __init__(self, *symbols: str) -> None:
        self.symbols = symbols

    def split_params(self) -> tuple[list[Any], pd.Index]:
        return [Panel(s) for s in self.symbols], pd.Index(self.symbols, name="symbol")


class Run2D:
    """Splits into two levels."""

    def split_params(self) -> tuple[list[Any], pd.Index]:
        index = pd.MultiIndex.from_tuples([(1, "A"), (2, "A"), (1, "B")], names=["window", None])
        return ["1A", "2A", "1B"], index


# --- Param ------------------------------------------------------------------------------------


def test_signature_is_the_contract() -> None:
    expected = "value name level condition keys hide eval_id context mono_reduce mono_merge_func"
    names = list(inspect.signature(bp.Param).parameters)
    assert names == [*expected.split(), "mono_merge_kwargs"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, 2], [1, 2]),
        ((1, 2), [1, 2]),
        (range(3), [0, 1, 2]),
        (np.arange(3), [0, 1, 2]),
        (pd.Index([1, 2]), [1, 2]),
        (pd.Series([1, 2], index=[8, 9]), [1, 2]),
        (5, [5]),
        ("abc", ["abc"]),
        (None, [None]),
        ({"a": 1}, [{"a": 1}]),
        (np.array(2.5), [2.5]),
        (np.int8(3), [np.int8(3)]),
        ({1: 2}.keys(), [1]),
        (np.array(["a", "b"]), ["a", "b"]),
        (math.sqrt, [math.sqrt]),
        (b"ab", [b"ab"]),
        (pd.date_range("2020", periods=1), [pd.Timestamp("2020")]),
        (np.array(["2020-01-01"], dtype="M8[D]"), [pd.Timestamp("2020")]),
    ],
)
def test_values(value: Any, expected: list[Any]) -> None:
    assert list(bp.Param(value).values) == expected
    assert [type(v) for v in bp.Param(value).values] == [type(v) for v in expected]


def test_iterators_are_read_once() -> None:
    param = bp.Param(n * n for n in range(3))
    assert list(param.values) == list(param.values) == [0, 1, 4]


def test_rows_of_a_matrix_and_columns_of_a_frame_are_values() -> None:
    rows = bp.Param(np.arange(4).reshape(2, 2)).values
    assert [row.tolist() for row in rows] == [[0, 1], [2, 3]]
    frame = pd.DataFrame({"A": [1.0], "B": [2.0]}).rename_axis(columns="symbol")
    assert len(bp.Param(frame).values) == 1
    product, index = bp.combine_params({"close": bp.Param.from_columns(frame)})
    assert [column.item() for column in product["close"]] == [1.0, 2.0]
    pd.testing.assert_index_equal(index, pd.Index(["A", "B"], name="symbol"))
    with pytest.raises(ParamError, match="from_columns must get a DataFrame"):
        bp.Param.from_columns([1])


@pytest.mark.parametrize("value", [[], (), range(0), np.array([]), pd.Index([])])
def test_no_values_is_an_error(value: Any) -> None:
    with pytest.raises(ParamError, match="must hold at least one value"):
        bp.combine_params({"a": value})


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: bp.Param({1, 2}), r"in a definite order.*sorted"),
        (lambda: bp.Param([1], level="x"), "level must be an integer"),
        (lambda: bp.Param([1], level=True), "level must be an integer, got True"),
        (lambda: bp.Param([1], name=3), "name must be a string"),
        (lambda: bp.Param([1], hide="yes"), "hide must be True or False"),
        (lambda: bp.Param([1, 2], keys=["x"]), "got 1 keys for 2 values"),
        (lambda: bp.Param([1, 2], keys="xy"), "keys must be a sequence of labels"),
        (lambda: bp.Param([1], context=[1]), "context must be a dict"),
        (lambda: bp.Param(range(10**20)), "fewer than 2"),
        (lambda: bp.Param([1], condition=3), "condition must be a string or a callable"),
        (lambda: bp.Param().values, r"must have values here.*Param\(\["),
    ],
)
def test_wrong_settings(make: Any, text: str) -> None:
    with pytest.raises(ParamError, match=text):
        make()


def test_annotation_settings_yield_to_typed_ones() -> None:
    annotation = bp.Param(condition="x > 1", hide=True, level=2, name="n")
    merged = bp.Param([1, 2], hide=False, name=None).with_defaults(annotation)
    assert (merged.condition, merged.hide, merged.level, merged.name) == ("x > 1", False, 2, None)
    plain = bp.Param([1], level=1)
    assert plain.with_defaults(bp.Param) is plain
    assert not bp.Param(condition="a < b").has_value


def test_params_copy_and_pickle() -> None:
    param = bp.Param([1, 2], hide=False, keys=["a", "b"])
    for twin in (copy.copy(param), copy.deepcopy(param), pickle.loads(pickle.dumps(param))):
        assert list(twin.values) == [1, 2]
        assert twin.settings() == param.settings()
    assert repr(param) == "Param([1, 2], keys=['a', 'b'], hide=False)"


# --- labels and index -------------------------------------------------------------------------


def test_labels_of_objects() -> None:
    class SMAModel:
        pass

    values = [
        np.zeros(1),
        len,
        SMAModel(),
        SMAModel(),
        {"a": 1},
        (1, 2),
        pd.Series([1]),
        np.ones(1),
    ]
    expected = ["array_0", "len", "sma_model_0", "sma_model_1", "dict_0", "tuple_0", "series_0"]
    assert list(label_values(values)) == [*expected, "array_1"]
    plain = [1, 2.5, "a", None, decimal.Decimal(1), dt.date(2020, 1, 1), pd.NaT, True]
    assert label_values(plain) is plain


POOL: dict[str, Any] = {
    "repeated": [3, 1, 2, 1],
    "nan": [0.5, math.nan, 1.0],
    "mixed": [1, 2.5, 3],
    "text": ["b", "a", "b"],
    "flag": [True, False],
    "none": [None, 1, 2],
    "any": ["a", 1, None],
    "days": pd.date_range("2020", periods=2),
    "zone": list(pd.date_range("2020", periods=2, tz="UTC")),
    "date": [dt.date(2020, 1, 2), dt.date(2020, 1, 1)],
    "decimal": [decimal.Decimal(1), decimal.Decimal("0.5")],
    "truths": [True, 2, 0],
    "nat": [pd.NaT, pd.Timestamp(0)],
    "large": [2**70, 1],
    "category": pd.CategoricalIndex(["u", "v"]),
    "infinite": [math.inf, -math.inf],
}


AS_PANDAS = ["repeated", "nan", "text", "flag", "days", "zone", "date", "decimal", "category"]


@pytest.mark.parametrize("first", [*AS_PANDAS, "truths", "nat", "infinite"])
@pytest.mark.parametrize("second", ["repeated", "nan", "text"])
def test_index_of_labels_of_one_kind_is_what_pandas_makes_of_them(first: str, second: str) -> None:
    _, index = bp.combine_params({"p": POOL[first], "q": POOL[second]})
    labels = [list(POOL[first]), list(POOL[second])]
    product = pd.MultiIndex.from_product(labels, names=["p", "q"])
    pd.testing.assert_index_equal(index, product)
    assert index.equals(pd.MultiIndex.from_tuples(list(itertools.product(*labels))))
    _, alone = bp.combine_params({"p": POOL[first]})
    assert alone.equals(pd.Index(POOL[first]))
    assert alone.name == "p"


@pytest.mark.parametrize("kind", ["mixed", "none", "any", "large"])
def test_labels_of_several_kinds_stay_what_they_are(kind: str) -> None:
    _, index = bp.combine_params({"p": POOL[kind], "q": [1, 2]})
    labels = index.get_level_values("p").tolist()[::2]
    assert [(type(label), label) for label in labels] == [(type(v), v) for v in POOL[kind]]
    _, alone = bp.combine_params({"p": POOL[kind]})
    assert [(type(label), label) for label in alone] == [(type(v), v) for v in POOL[kind]]


def test_level_names() -> None:
    named = pd.Index([1, 2], name="fast")
    _, index = bp.combine_params(
        {
            "a": bp.Param([7, 8], keys=pd.Index(["x", "y"], name="key")),
            "b": named,
            "c": bp.Param([1], name="z"),
        }
    )
    assert list(index.names) == ["key", "fast", "z"]
    assert index[0] == ("x", 1, 1)
    _, index = bp.combine_params({"a": bp.Param(named, name="own")})
    assert index.name == "own"


def test_hidden_levels() -> None:
    shown, hidden = [1, 2], bp.Param([3, 4], hide=True)
    product, index = bp.combine_params({"a": shown, "b": hidden})
    assert product == {"a": [1, 1, 2, 2], "b": [3, 4, 3, 4]}
    pd.testing.assert_index_equal(index, pd.Index([1, 1, 2, 2], name="a"))
    _, index = bp.combine_params({"b": hidden})
    pd.testing.assert_index_equal(index, pd.RangeIndex(2, name="param"))


def test_split_objects_bring_their_levels() -> None:
    product, index = bp.combine_params({"data": bp.Param(Panel("A", "B")), "w": [1, 2]})
    assert [p.symbols for p in product["data"]] == [("A",), ("A",), ("B",), ("B",)]
    assert list(index.names) == ["symbol", "w"]
    product, index = bp.combine_params({"run": bp.Param(Run2D(), condition="__window__ == 1")})
    assert product == {"run": ["1A", "1B"]}
    assert list(index.names) == ["window", "run_1"]
    assert index.to_list() == [(1, "A"), (1, "B")]


# --- grid -------------------------------------------------------------------------------------


def test_order_and_levels() -> None:
    params = {
        "a": bp.Param([1, 2], level=1),
        "b": bp.Param(["x", "y"], level=0),
        "c": bp.Param([9], level=1),
    }
    product, index = bp.combine_params(params)
    assert product == {"a": [1, 2, 1, 2], "b": ["x", "x", "y", "y"], "c": [9, 9, 9, 9]}
    assert list(index.names) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (
            {"a": bp.Param([1, 2], level=0), "b": bp.Param([1, 2, 3], level=0)},
            "equal lengths.*a: 2, b: 3",
        ),
        (
            {"a": bp.Param([1], level=0), "b": [1]},
            "level must be given to all.*for a but not for b",
        ),
        ({}, "at least one parameter"),
        ([1, 2], "must be a dict"),
        ({"a": bp.Param}, "'a' must have values"),
        ({"a": bp.Param(hide=True)}, "'a' must have values"),
        ({1: [1]}, "name must be a string"),
        (
            {"a": bp.Param([1, 2], condition="a > 5")},
            "at least one combination must be left.*'a > 5'",
        ),
        ({f"p{i}": range(100) for i in range(10)}, "at most 536870912 combinations.*random_subset"),
    ],
)
def test_named_errors(params: Any, text: str) -> None:
    with pytest.raises(ParamError, match=text):
        bp.combine_params(params)


def test_nothing_left_can_be_allowed() -> None:
    params = {"a": bp.Param([1, 2], condition="a > 5"), "b": ["x"]}
    for options in ({}, {"random_subset": 3}, {"random_subset": 0.5}, {"grid_indices": [0]}):
        product, index = bp.combine_params(params, raise_empty=False, **options)
        assert product == {"a": [], "b": []}
        assert len(index) == 0
        assert list(index.names) == ["a", "b"]


def test_grid_access() -> None:
    grid = bp.ParamGrid({f"p{i}": range(100) for i in range(10)})
    assert grid.size == grid.count() == 10**20
    assert grid[-1] == {f"p{i}": 99 for i in range(10)}
    assert grid[10**19]["p0"] == 10
    assert grid.index_of(grid[12345678901234567890]) == 12345678901234567890
    with pytest.raises(IndexError, match="grid of 1"):
        grid[10**20]
    with pytest.raises(TypeError, match="be an integer"):
        grid[1.5]  # type: ignore[index]
    with pytest.raises(ParamError, match="hold a value for each of p0"):
        grid.index_of({"p0": 1})
    with pytest.raises(ParamError, match="no position has p0=-1"):
        grid.index_of({**grid[0], "p0": -1})
    with pytest.raises(OverflowError, match="int"):
        len(grid)
    assert len(bp.ParamGrid({"a": [1, 2]})) == 2
    assert next(iter(grid)) == grid[0]


def test_index_of_any_value() -> None:
    array = np.zeros(2)
    values = [1, True, math.nan, "a", array, None, [1], (1,), 1.0]
    grid = bp.ParamGrid({"a": values, "b": [0, 1]})
    assert [grid.index_of(grid[i]) for i in range(grid.size)] == list(range(grid.size))
    assert grid.index_of({"a": np.zeros(2), "b": 1}) == 9
    zipped = bp.ParamGrid(
        {
            "a": bp.Param(range(3), level=0),
            "b": bp.Param([5, 6, 7], level=0),
            "c": bp.Param(1, level=0),
        }
    )
    assert zipped.index_of({"a": 1, "b": 6, "c": 1}) == 1
    with pytest.raises(ParamError, match="a=1, b=7"):
        zipped.index_of({"a": 1, "b": 7, "c": 1})


def test_same_value() -> None:
    frame = pd.DataFrame({"a": [1]})
    assert same_value(frame, frame.copy())
    assert same_value(math.nan, float("nan"))
    assert not same_value(np.zeros(2), [0, 0])
    assert not same_value(1, "1")


def test_sample_sizes() -> None:
    grid = bp.ParamGrid({"a": bp.Param(range(10), condition="a < b"), "b": range(10)})
    assert grid.sample(0) == []
    assert len(grid.sample(45, seed=1)) == 45
    for n in (-1, 1.0, True, "3"):
        with pytest.raises(ParamError, match="n must be an integer"):
            grid.sample(n)  # type: ignore[arg-type]
    with pytest.raises(ParamError, match="got 46 of 45"):
        grid.sample(46)


# --- selection --------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "n"), [(0.1, 5), (0.5, 23), (1.0, 45), (1e-9, 1), (0.99, 45)])
def test_shares_count_what_passes(share: float, n: int) -> None:
    params = {"a": bp.Param(range(10), condition="a < b"), "b": range(10)}
    product = bp.combine_params(params, random_subset=share, seed=1, build_index=False)
    assert len(product["a"]) == n
    assert len(set(zip(product["a"], product["b"], strict=True))) == n


@pytest.mark.parametrize("subset", [0, -1, 0.0, 1.5, True, math.nan, "3"])
def test_subsets_that_are_none(subset: Any) -> None:
    with pytest.raises(ParamError, match="random_subset must be a number"):
        bp.combine_params({"a": [1, 2]}, random_subset=subset)


def test_subsets_of_positions() -> None:
    params = {"a": range(100), "b": range(100)}
    first = bp.combine_params(params, grid_indices=slice(50, 60), random_subset=5, seed=1)[0]
    assert first["a"] == [0] * 5
    assert first["b"] == sorted(set(first["b"]))
    assert min(first["b"]) >= 50 > 40 < 60 > max(first["b"])
    with pytest.raises(ParamError, match="got 11 of 10"):
        bp.combine_params(params, grid_indices=slice(50, 60), random_subset=11)
    many = bp.combine_params(params, grid_indices=[3], random_subset=4, random_replace=True)[0]
    assert many["b"] == [3] * 4


def test_positions() -> None:
    params = {"a": [1, 2, 3], "b": [4, 5]}
    found = bp.combine_params(params, grid_indices=[-1, 0, 0], build_index=False)
    assert found == {"a": [3, 1, 1], "b": [5, 4, 4]}
    mask = np.array([True, False, False, False, False, True])
    assert bp.combine_params(params, grid_indices=mask, build_index=False)["a"] == [1, 3]
    large = {f"p{i}": range(100) for i in range(10)}
    assert bp.combine_params(large, grid_indices=[10**20 - 1, 5])[0]["p9"] == [99, 5]
    assert bp.combine_params(large, grid_indices=slice(10**19, 10**19 + 3))[0]["p9"] == [0, 1, 2]
    for wrong, text in (
        ([6], "lie in a grid of 6"),
        ([0.5], "integer array"),
        ([[1]], "one-dimensional"),
    ):
        with pytest.raises(ParamError, match=text):
            bp.combine_params(params, grid_indices=wrong)
    with pytest.raises(ParamError, match="at most 536870912"):
        bp.combine_params(large, grid_indices=slice(None))


def test_wide_slices_of_conditional_grids() -> None:
    params = {"a": bp.Param(range(3000), condition="a == b + 1"), "b": range(3000)}
    found = bp.combine_params(params, grid_indices=slice(8_999_998, 3000, -1), build_index=False)
    assert found["a"] == list(range(2999, 1, -1))
    with pytest.raises(ParamError, match="max_misses must be"):
        bp.combine_params(params, random_subset=1, max_misses=-1)


def test_misses_end_drawing_with_a_warning() -> None:
    params = {"a": bp.Param(range(10**6), condition="a * b == 7"), "b": range(10**6)}
    with pytest.warns(UserWarning, match="stopped at max_misses with 0 of 2") as caught:
        product = bp.combine_params(
            params, random_subset=2, max_misses=1000, seed=1, raise_empty=False, build_index=False
        )
    assert product == {"a": [], "b": []}
    assert caught[0].filename == __file__  # the line that asked, not one of the library


def test_rare_combinations_are_met_directly() -> None:
    pairs = {f"a{i}": bp.Param(range(10), condition=f"a{i} == b{i} + 9") for i in range(5)}
    params = {**pairs, **{f"b{i}": range(10) for i in range(5)}, "c": range(1000)}
    drawn = bp.ParamGrid(params).sample(10, seed=1)  # one in 10**10 passes
    assert len({combo["c"] for combo in drawn}) == 10
    assert all(combo[f"a{i}"] == 9 and combo[f"b{i}"] == 0 for combo in drawn for i in range(5))


def test_rare_combinations_of_one_large_group_are_solved() -> None:
    params = {"a": bp.Param(range(6000), condition="a * 6000 + b == 35999999"), "b": range(6000)}
    assert bp.ParamGrid(params).sample(1, seed=1) == [{"a": 5999, "b": 5999}]
    with pytest.raises(ParamError, match="got 2 of 1"):
        bp.ParamGrid(params).sample(2, seed=1)


# --- conditions -------------------------------------------------------------------------------


def combos_of(**params: Any) -> list[tuple[Any, ...]]:
    return list(zip(*bp.combine_params(params, build_index=False).values(), strict=True))


def test_conditions_see_x_labels_and_context() -> None:
    assert combos_of(a=bp.Param([1, 2, 3], condition="x in ok", context={"ok": [1, 3]})) == [
        (1,),
        (3,),
    ]
    keyed = bp.Param([1, 2], keys=["lo", "hi"], name="kind", condition="__kind__ == 'hi'")
    assert combos_of(a=keyed, b=[1]) == [(2, 1)]
    # A parameter called x is that parameter, also in the condition of another.
    assert combos_of(x=[1, 2], y=bp.Param([1, 2], condition="x < y")) == [(1, 2)]


def test_callable_conditions() -> None:
    assert combos_of(a=bp.Param([1, 2], condition=lambda a, b: a < b), b=[1, 2]) == [(1, 2)]
    assert combos_of(a=bp.Param([1, 2], condition=operator.lt), b=[1, 2]) == [(1, 2)]
    assert combos_of(a=bp.Param([1, 2], condition=lambda *, x, **kw: x < kw["b"]), b=[1, 2]) == [
        (1, 2)
    ]
    assert combos_of(a=bp.Param([1, 2], condition=lambda a, limit=1: a > limit)) == [(2,)]
    with pytest.raises(ConditionError, match=r"got 'fsat'.*Did you mean 'fast'"):
        combos_of(fast=bp.Param([1], condition=lambda fsat: True))
    with pytest.raises(ConditionError, match="arguments that name parameters"):
        combos_of(a=bp.Param([1], condition=min))


def test_callables_are_called_only_where_nothing_else_excludes() -> None:
    asked = []

    def pick(a: int, b: int) -> bool:
        asked.append((a, b))
        return b % 2 == 0

    found = combos_of(
        a=bp.Param(range(40), condition=pick), b=bp.Param(range(40), condition="a == b")
    )
    assert found == [(i, i) for i in range(0, 40, 2)]
    assert len(asked) == 40


def test_unknown_names_name_the_nearest() -> None:
    with pytest.raises(ConditionError, match=r"got 'fsat'. Did you mean 'fast'"):
        combos_of(fast=bp.Param([1], condition="fsat < slow"), slow=[1])
    with pytest.raises(ConditionError, match="got '__n__'"):  # two levels of that name
        combos_of(a=bp.Param([1], name="n"), b=bp.Param([1], name="n", condition="__n__ > 0"))


def test_raising_conditions_name_the_combination() -> None:
    with pytest.raises(ConditionError, match=r"ZeroDivisionError: division by zero for a=1, b=1"):
        combos_of(a=bp.Param([1, 2], condition="1 / (a - b) > 0"), b=[1, 2])

    def bad(a: int) -> bool:
        raise KeyError("q")

    with pytest.raises(ConditionError, match=r"'bad' must be computable.*KeyError: 'q' for a=1"):
        combos_of(a=bp.Param([1, 2], condition=bad))
    with pytest.raises(ConditionError, match=r"TypeError.*a='x', b=1"):
        combos_of(a=bp.Param([2, "x"], condition="a > b"), b=[1])
    # Python never looks at the division, or another condition excludes the combination.
    assert combos_of(a=bp.Param([0, 1], condition="a != 0 and 1 / a > 0")) == [(1,)]
    guarded = {"a": bp.Param([0, 1], condition="1 / a > 0"), "b": bp.Param([5], condition="a > 0")}
    assert combos_of(**guarded) == [(1, 5)]
    with pytest.raises(ConditionError, match="ZeroDivisionError"):
        combos_of(a=bp.Param([0, 1], condition="1 / a > 0 and a > 0"))


@pytest.mark.parametrize("n_values", [2, 5000])  # the whole grid is looked at, or it is solved
def test_raising_conditions_name_only_what_they_read(n_values: int) -> None:
    params = {
        "a": bp.Param([1, 2], condition="1 / (a - b) > 0"),
        "b": [1, 2],
        "c": bp.Param(range(n_values), condition="c >= d"),
        "d": [0, 1],
    }
    with pytest.raises(ConditionError, match=r"division by zero for a=1, b=1\. Exclude"):
        combos_of(**params)


@pytest.mark.parametrize("flipped", [False, True])
def test_a_condition_does_not_count_where_another_group_excludes_everything(flipped: bool) -> None:
    params = {"a": bp.Param([0], condition="1 / a > b"), "b": [1, 2]}
    params["c"] = bp.Param([1, 2], condition="c > 5")
    if flipped:
        params = dict(reversed(params.items()))
    grid = bp.ParamGrid(params)
    assert (list(grid), grid.count()) == ([], 0)
    for options in ({}, {"random_subset": 1}, {"random_subset": 0.5}):
        assert bp.combine_params(params, raise_empty=False, **options)[0]["a"] == []
    params["c"] = [1]
    with pytest.raises(ConditionError, match="ZeroDivisionError"):
        bp.combine_params(params, random_subset=1)


def test_integers_never_wrap() -> None:
    big = 3_037_000_500  # its square is just beyond 64 bits
    assert combos_of(a=bp.Param([1, big], condition="a * b > 0"), b=[big]) == [(1, big), (big, big)]
    assert combos_of(a=bp.Param([2**63 - 1], condition="a + b > a"), b=[1]) == [(2**63 - 1, 1)]
    assert combos_of(a=bp.Param([2**53 + 1], condition="a > b"), b=[2.0**53]) == [
        (2**53 + 1, 2.0**53)
    ]
    arrays = {"a": bp.Param(np.array([100], dtype=np.int8), condition="a * 2 > 150"), "b": [1, 2]}
    assert combos_of(**arrays) == [(100, 1), (100, 2)]
    assert combos_of(a=bp.Param([np.int8(100)], condition="a * b > 150"), b=[2]) == [(100, 2)]


def test_strings_none_and_mixtures() -> None:
    params = {"m": bp.Param(["x", "y", None], condition="m == 'x' or (m is not None and f < s)")}
    found = combos_of(**params, f=[1, 2], s=[1, 2])
    python = [
        (m, f, s)
        for m in ("x", "y", None)
        for f in (1, 2)
        for s in (1, 2)
        if m == "x" or (m is not None and f < s)
    ]
    assert found == python


# --- combos -----------------------------------------------------------------------------------


def test_combos() -> None:
    combos = select_combos({"a": bp.Param([1, 2, 3], condition="a != b"), "b": [1, 2]})
    assert len(combos) == 4
    assert combos[0] == {"a": 1, "b": 2}
    assert combos[-1] == {"a": 3, "b": 2}
    assert list(combos) == [combos[i] for i in range(4)]
    assert list(combos[1:3]) == [combos[1], combos[2]]
    assert combos.take(np.array([2, 0])).lists() == {"a": [3, 1], "b": [1, 2]}
    assert combos.take(np.array([2, 0])).index().to_list() == [(3, 1), (1, 2)]
    with pytest.raises(IndexError, match="one of 4"):
        combos[4]


def test_columns_share_their_values() -> None:
    value = [1, 2]
    column = Column([value, value[:]], np.repeat(np.array([0, 1], dtype=np.int8), 50))
    assert len(column) == 100
    assert column.list()[0] is value
    assert Column(range(10**12), np.array([10**11, 3])).list() == [10**11, 3]


def test_small_codes_for_a_million() -> None:
    combos = select_combos({name: range(10) for name in "abcdef"})
    assert len(combos) == 1_000_000
    assert sum(column.codes.nbytes for column in combos.columns.values()) == 6_000_000
    assert combos[123_456] == dict(zip("abcdef", [1, 2, 3, 4, 5, 6], strict=True))


def test_rare_conditions_on_long_parameters_are_met_directly():
    # 1 in 10**10 passes: the sides of `and` are solved apart, and equal values are found by bounds.
    names = {name: bp.Param(range(100_000)) for name in ("a", "b", "c", "d")}
    names["a"] = bp.Param(range(100_000), condition="a == b and c == 99_999 - d")
    drawn = bp.ParamGrid(names).sample(10, seed=1)
    assert len(drawn) == 10
    assert all(one["a"] == one["b"] and one["c"] + one["d"] == 99_999 for one in drawn)
    assert bp.ParamGrid(names).count() == 10**10


def test_bounds_rule_out_stretches_in_grid_order():
    values = [(7 * place) % 1009 for place in range(1009)]  # not sorted
    condition = "abs(a - b) <= 1 and a != b"
    params = {"a": bp.Param(values, condition=condition), "b": bp.Param(range(0, 5000, 3))}
    product, _ = bp.combine_params(params)
    expected = [(a, b) for a in values for b in range(0, 5000, 3) if abs(a - b) <= 1 and a != b]
    assert list(zip(product["a"], product["b"], strict=True)) == expected
