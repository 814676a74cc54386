# SPDX-License-Identifier: BSD-3-Clause
"""Labels come back as the values went in: equal, and of the type they had."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import fractions
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._core.labels import as_index, factorize, from_codes, identity, multi_index
from broadpeak._merge.named import concat


class Side(enum.Enum):
    LONG = 1
    SHORT = 2


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Kind(enum.StrEnum):
    SMA = "sma"


BERLIN = pd.Timestamp("2020-03-01", tz="Europe/Berlin")

ATOMS: tuple[Any, ...] = (
    None, True, False, 0, 1, 10, -7, 2**53 + 1, 2**62, 2**63, -(2**70), 1.0, 0.5, -0.25,
    math.nan, math.inf, "", "a", "sma", "1", "None", "nan", b"a", 1j,
    Side.LONG, Side.SHORT, Level.LOW, Kind.SMA,
    dt.date(2020, 1, 1), dt.datetime(2020, 1, 1), dt.datetime(1, 1, 1, tzinfo=dt.UTC),
    dt.time(9, 30), dt.timedelta(days=1), pd.Timestamp("2020-01-02"), BERLIN, pd.NaT, pd.NA,
    pd.Timedelta("1h"), pd.Period("2020-01", "M"), pd.Interval(0, 1),
    decimal.Decimal("0.1"), decimal.Decimal(1), fractions.Fraction(1, 3),
)  # fmt: skip

KINDS: tuple[tuple[Any, ...], ...] = (
    (0, 1, 2, -5), (0.0, 0.5, math.nan, -1.0), (True, False), ("a", "b", ""),
    (2**63, 2**64, 1), (None, 10, 20), (1, 2.5, 3),
    (dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2, 3)),
    (BERLIN, BERLIN + pd.Timedelta("1D"), pd.NaT),
    (dt.date(2020, 1, 1), dt.date(2019, 1, 1)), (dt.timedelta(1), dt.timedelta(2)),
    (decimal.Decimal(2), decimal.Decimal("0.5")), (Side.LONG, Side.SHORT),
)  # fmt: skip

values = st.one_of(
    st.lists(st.sampled_from(ATOMS), min_size=1, max_size=5),
    st.sampled_from(KINDS).flatmap(
        lambda pool: st.lists(st.sampled_from(pool), min_size=1, max_size=4)
    ),
)


def same(label: Any, value: Any) -> bool:
    """Whether a label is the value it stands for; dates may come back as pandas' own."""
    if label is value:
        return True
    if isinstance(value, float) and math.isnan(value):
        return isinstance(label, float) and math.isnan(label)
    kinds = {dt.datetime: pd.Timestamp, dt.timedelta: pd.Timedelta}
    types = {type(value), kinds.get(type(value), type(value))}
    return type(label) in types and bool(label == value)


def shown(index: pd.Index[Any], level: int | str) -> list[Any]:
    return index.get_level_values(level).tolist()


def check(labels: list[Any], expected: list[Any]) -> None:
    assert len(labels) == len(expected)
    assert all(map(same, labels, expected)), (labels, expected)


@settings(max_examples=300)
@given(values, values)
def test_labels_of_a_product_are_its_values(first: list[Any], second: list[Any]) -> None:
    product, index = bp.combine_params({"p": bp.Param(first), "q": bp.Param(second)})
    check(shown(index, "p"), product["p"])
    check(shown(index, "q"), product["q"])
    check(product["p"], [value for value in first for _ in second])
    product, alone = bp.combine_params({"p": bp.Param(first)})
    check(alone.tolist(), first)
    grid = bp.ParamGrid({"p": first, "q": second})
    check([grid[i]["q"] for i in range(grid.size)], list(second) * len(first))


@settings(max_examples=150)
@given(values)
def test_zipped_levels_and_keys_are_labels_too(some: list[Any]) -> None:
    other = list(reversed(some))
    params = {"p": bp.Param(some, level=0), "q": bp.Param(other, level=0)}
    _, index = bp.combine_params(params)
    check(shown(index, "p"), some)
    check(shown(index, "q"), other)
    _, index = bp.combine_params({"p": bp.Param(range(len(some)), keys=some), "q": [1, 2]})
    check(shown(index, "p"), [key for key in some for _ in range(2)])
    pairs = list(zip(some, other, strict=True))
    _, index = bp.combine_params({"p": bp.Param(range(len(some)), keys=pairs)})
    check(shown(index, 0), some)
    check(shown(index, 1), other)


RESULTS = {
    "scalar": lambda p, n: float(n),
    "array": lambda p, n: np.arange(n, dtype=float),
    "series": lambda p, n: pd.Series([1.0, 2.0], index=["x", n]),
    "frame": lambda p, n: pd.DataFrame({"x": [1.0], n: [2.0]}),
}
MERGES = [
    ("concat", "scalar"), ("concat", "array"), ("concat", "series"), ("row_stack", "scalar"),
    ("row_stack", "series"), ("row_stack", "frame"), ("column_stack", "scalar"),
    ("column_stack", "array"), ("column_stack", "series"), ("column_stack", "frame"),
    ("reset_column_stack", "series"),
]  # fmt: skip


@pytest.mark.parametrize(("how", "kind"), MERGES)
@settings(max_examples=25)
@given(some=values)
def test_merged_results_carry_them(how: str, kind: str, some: list[Any]) -> None:
    sweep = bp.parameterized(RESULTS[kind], merge_func=how)
    for ns in ([2], [1, 2]):
        merged = sweep(bp.Param(some), bp.Param(ns))
        index = merged.columns if "column" in how else merged.index
        each = len(index) // len(some)
        found = shown(index, "p")
        if kind == "array" and how == "concat":
            each = sum(ns)
        check(found, [value for value in some for _ in range(each)])
    alone = bp.parameterized(lambda p: RESULTS[kind](p, 2), merge_func=how)(bp.Param(some))
    index = alone.columns if "column" in how else alone.index
    check(shown(index, 0), [v for v in some for _ in range(len(index) // len(some))])


@settings(max_examples=60)
@given(values, st.integers(1, 4))
def test_mono_chunks_carry_them(some: list[Any], length: int) -> None:
    def count(p: list[Any], n: list[int]) -> np.ndarray:
        return np.array(n, dtype=float)

    sweep = bp.parameterized(count, merge_func="concat", mono_chunk_len=length)
    merged = sweep(bp.Param(some), bp.Param([1, 2]))
    check(shown(merged.index, "p"), [value for value in some for _ in range(2)])


@settings(max_examples=60)
@given(values, values)
def test_own_labels_of_results_stay_what_they_are(first: list[Any], second: list[Any]) -> None:
    results = [
        pd.Series(1.0, index=multi_index([some, ["x"] * len(some)], ["own", "more"]))
        for some in (first, second)
    ]
    whole = concat(results, keys=pd.Index([1, 2], name="fast"))
    flat = [one.droplevel("more") for one in results]
    for found in (whole, concat(flat, keys=pd.Index([1, 2], name="fast"))):
        labels = shown(found.index, "own")
        if any(as_index(some).dtype == object for some in (first, second)):
            check(labels, [*first, *second])
        assert len(labels) == len(first) + len(second)


@settings(max_examples=60)
@given(values)
def test_keys_of_tasks_and_loops_carry_them(some: list[Any]) -> None:
    tasks = [bp.Task(float, i) for i in range(len(some))]
    check(bp.execute(tasks, keys=some, merge_func="concat").index.tolist(), some)
    looped = bp.iterated(lambda p: 1.0, merge_func="concat")(list(some))
    check(looped.index.tolist(), some)


@settings(max_examples=200)
@given(values)
def test_factors_put_together_are_the_labels(some: list[Any]) -> None:
    index = as_index(some)
    check(index.tolist(), some)
    level, codes = factorize(index)
    check(shown(from_codes([level, [0]], [codes, codes * 0], ["p", "q"]), "p"), some)
    assert len({*map(identity, level.tolist())}) == len(level)


def test_one_kind_has_the_type_pandas_has_for_it() -> None:
    dtypes = {
        "int64": [1, 2],
        "float64": [1.0, math.nan],
        "bool": [True, False],
        "complex128": [1j],
        str(pd.Index(["a"]).dtype): ["a", "b"],
        "object": [None, 1],
    }
    for dtype, some in dtypes.items():
        assert str(as_index(some).dtype) == dtype
    assert isinstance(as_index([dt.datetime(2020, 1, 1)]), pd.DatetimeIndex)
    assert isinstance(as_index([np.datetime64("2020-01-01"), pd.NaT]), pd.DatetimeIndex)
    assert as_index([BERLIN]).dtype == pd.Index([BERLIN]).dtype
    assert isinstance(as_index([pd.Period("2020", "Y")]), pd.PeriodIndex)
    assert as_index([np.float32(0.1)]).dtype == np.float32
    day = dt.datetime(2020, 1, 1)
    for some in ([2**63], [1, 2.5], [True, 1], ["a", None], [1, "a"], [day, None]):
        assert as_index(some).dtype == object


def test_half_a_character_is_a_label() -> None:
    _, index = bp.combine_params({"p": ["\ud800", "a"], "q": [1]})
    assert index.get_level_values("p").tolist() == ["\ud800", "a"]
