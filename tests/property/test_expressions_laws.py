# SPDX-License-Identifier: BSD-3-Clause
"""The vectorised evaluator agrees with Python, value for value, or refuses."""

from __future__ import annotations

import contextlib
import itertools
import math
import operator
import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadpeak import Param, ParamGrid, combine_params
from broadpeak._core.expressions import NotVectorised, Values, Vectorised, parse
from broadpeak.errors import ConditionError

NAMES = ("a", "b", "c")
FUNCTIONS = {
    "abs": abs, "min": min, "max": max, "round": round, "len": len, "int": int, "float": float,
}  # fmt: skip

small = st.integers(-4, 4)
large = st.sampled_from([2**31, 2**53 - 1, 2**53 + 1, 2**62, 2**63 - 1, -(2**63), 2**64, 10**30])
floats = st.one_of(
    st.floats(-5, 5),
    st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 0.5, 2.5, 1e308, 2.0**53]),
)
texts = st.sampled_from(["", "a", "b", "ab"])
column = st.one_of(
    st.lists(small, min_size=1, max_size=4),
    st.lists(st.one_of(small, large), min_size=1, max_size=4),
    st.lists(floats, min_size=1, max_size=4),
    st.lists(st.booleans(), min_size=1, max_size=3),
    st.lists(st.one_of(small, st.sampled_from([0.5, -1.5, 2.0])), min_size=1, max_size=4),
    st.lists(texts, min_size=1, max_size=3),
    st.lists(st.one_of(small, texts, st.none(), floats, large), min_size=1, max_size=4),
    st.builds(range, st.integers(-3, 0), st.integers(1, 4)),
)

atoms = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.sampled_from(
        ["0", "1", "2", "3", "-1", "2.5", "0.1", "True", "None", "'a'", "9007199254740993"]
    ),
)


def _wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.sampled_from(["+", "-", "*", "/", "//", "%", "&", "|", "^"])
    compare = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    return st.one_of(
        st.builds("({} {} {})".format, inner, binary, inner),
        st.builds("({} ** {})".format, inner, st.sampled_from(["0", "1", "2", "3", "-1", "0.5"])),
        st.builds("({} {} {})".format, inner, compare, inner),
        st.builds("({} {} {} {} {})".format, inner, compare, inner, compare, inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("({} in ({}, {}))".format, inner, inner, inner),
        st.builds("({} not in [1, 2, 0.5])".format, inner),
        st.builds("(not {})".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("(+{})".format, inner),
        st.builds("{}({})".format, st.sampled_from(["abs", "int", "float", "round", "len"]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
        st.builds("round({}, {})".format, inner, st.sampled_from(["-1", "0", "1"])),
        st.builds("({} is None)".format, st.sampled_from(NAMES)),
    )


expression_texts = st.recursive(atoms, _wider, max_leaves=8)


def tame(text: str, columns: object) -> str:
    """Return `text` without repetition of texts: one of 2**62 letters is no test."""
    if "*" in text and ("'" in text or "'" in repr(columns)):
        return text.replace("**", "-").replace("*", "-")
    return text


def python_says(text: str, row: dict[str, object]) -> bool | None:
    """The truth of `text` by Python itself; None where it raises."""
    try:
        return bool(eval(text, {"__builtins__": FUNCTIONS}, row))
    except Exception:
        return None


def check_arrays(text: str, columns: tuple[Sequence[object], ...]) -> bool:
    """Compare the whole grid with Python, row by row; False if the arrays refused."""
    expression = parse(text)
    values = {name: Values(items) for name, items in zip(NAMES, columns, strict=True)}
    axes = {name: i for i, name in enumerate(NAMES)}
    grids = np.ix_(*(np.arange(len(items)) for items in columns))
    shape = tuple(len(items) for items in columns)
    try:
        true, raised = Vectorised(expression, values, axes).truth(dict(enumerate(grids)))
    except NotVectorised:
        return False
    true = np.broadcast_to(true, shape)
    raised = np.broadcast_to(False if raised is None else raised, shape)
    for place in itertools.product(*map(range, shape)):
        row = {n: columns[i][place[i]] for i, n in enumerate(NAMES)}
        expected = python_says(text, row)
        assert expected is None if raised[place] else expected is bool(true[place]), row
    return True


@settings(max_examples=1500)
@given(expression_texts, st.tuples(column, column, column))
def test_arrays_agree_with_python_or_refuse(text: str, columns: tuple[list[object], ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_arrays(tame(text, columns), columns)


# Numbers at which floats and integers part: beyond 2**53, quotients of them, NaN.
edge = st.integers(-3, 3).flatmap(
    lambda d: st.sampled_from([2**53, 2**54, 2**62, -(2**53), 3 * 2**53, 10**17]).map(
        lambda n: n + d
    )
)
odd_floats = st.sampled_from([math.nan, 2.0**53, 2.0**54, 1e17, 2.0**62, -(2.0**53), 0.5, math.inf])
hard_column = st.one_of(
    st.lists(edge, min_size=1, max_size=4),
    st.lists(st.one_of(edge, odd_floats), min_size=2, max_size=4),
    st.lists(st.one_of(small, odd_floats), min_size=1, max_size=4),
    st.lists(st.one_of(small, edge), min_size=1, max_size=4),
    # Whole numbers that are floats, beside floats; their sums and products are none.
    st.lists(
        st.sampled_from([2**53 - 1, 2**52 + 1, 1 - 2**53, 2**27 + 1, 3, 0.5, 2.0**53]),
        min_size=2,
        max_size=4,
    ),
)
hard_texts = st.recursive(
    st.sampled_from(
        [
            "a / b == c", "a / b < c", "c >= a / b", "a / b == b / a", "c == a / 3",
            "a / 7 != c / 7", "a == b", "a < b", "b <= c", "a + b == c", "a + b > c",
            "a + b - 1 == c", "a - b > 0", "a * b == c", "a % b == c", "a // b == c",
            "a == 9007199254740993", "a in (b, c)", "a not in [b, 1, c]", "a in (b, 0.5)",
            "(a or b) in (c, 9007199254740992)", "min(a, b) == c", "max(a, b) <= c",
            "abs(a) == b", "int(a) == b", "float(a) == b", "round(a) == b", "float(a) / b == c",
            "-a == b", "a == b == c", "a in {b, c} or a != a",
        ]
    ),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("(not {})".format, inner),
    ),
    max_leaves=3,
)  # fmt: skip


@st.composite
def hard_cases(draw: st.DrawFn) -> tuple[str, tuple[list[object], ...]]:
    """An expression and columns of which the last holds what Python computes from the others."""
    a, b = draw(hard_column), draw(hard_column)
    computed: list[object] = []
    for one, other in itertools.product(a, b):
        for operation in (operator.truediv, operator.add, operator.mul, operator.mod):
            with contextlib.suppress(ArithmeticError, ValueError):
                computed.append(operation(one, other))
    pool = [*computed, *a, *b]
    c = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=6))
    return draw(hard_texts), (a, b, c)


@settings(max_examples=1200)
@given(hard_cases())
def test_arrays_agree_beyond_what_floats_hold(case: tuple[str, tuple[list[object], ...]]) -> None:
    text, columns = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_arrays(text, columns)


@settings(max_examples=200)
@given(hard_cases())
def test_sweeps_agree_beyond_what_floats_hold(case: tuple[str, tuple[list[object], ...]]) -> None:
    text, columns = case
    params = dict(zip(NAMES, columns, strict=True))
    rows = [dict(zip(NAMES, row, strict=True)) for row in itertools.product(*columns)]
    said = [python_says(text, row) for row in rows]
    conditioned = {**params, "a": Param(columns[0], condition=text)}
    if None in said:
        with pytest.raises(ConditionError, match="must be computable"):
            combine_params(conditioned, build_index=False)
        return
    product = combine_params(conditioned, build_index=False, raise_empty=False)
    expected = {
        name: [row[name] for row, true in zip(rows, said, strict=True) if true] for name in NAMES
    }
    assert repr(product) == repr(expected)
    assert ParamGrid(conditioned).count() == len(expected["a"])


@pytest.mark.parametrize(
    ("text", "values", "other"),
    [
        ("a / b == c", [2**53 + 1, 2**60 + 1], [3, 7, 2**53 + 3]),
        ("a / b == c", [10**17 + 1, 2**62 - 1], [10**17 + 3, 2**61 + 1]),
        ("a == b", [2**53 + 1, 0.5], [2.0**53, 1]),
        ("b < a", [2**53 + 1, 0.5], [2.0**53, 2]),
        ("a in (b, 5)", [math.nan, 1.0], [math.nan, 2.0]),
        ("a not in [b]", [math.nan, 1], [math.nan, 2.0]),
    ],
)
def test_large_grids_agree_too(text: str, values: list[object], other: list[object]) -> None:
    # As many rows as a sweep has, so that no short way round the arrays is taken.
    exact = [one / two for one in values for two in other]  # type: ignore[operator]
    params = {
        "a": Param(values * 12, condition=text),
        "b": other * 12,
        "c": [*exact, 0.25] * 3,
    }
    found = combine_params(params, build_index=False, raise_empty=False)
    rows = itertools.product(*(getattr(p, "values", p) for p in params.values()))
    expected = [row for row in rows if python_says(text, dict(zip("abc", row, strict=True)))]
    assert list(zip(*found.values(), strict=True)) == expected


@settings(max_examples=500)
@given(expression_texts, st.tuples(column, column, column))
def test_rows_agree_with_python(text: str, columns: tuple[list[object], ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = tame(text, columns)
        row = {name: items[0] for name, items in zip(NAMES, columns, strict=True)}
        try:
            found: bool | None = bool(parse(text).evaluate(row))
        except ConditionError:
            found = None
        assert found is python_says(text, row)


@settings(max_examples=300)
@given(expression_texts, st.tuples(column, column, column))
def test_conjuncts_are_all_true_exactly_where_the_whole_is(
    text: str, columns: tuple[list[object], ...]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = tame(text, columns)
        row = {name: items[0] for name, items in zip(NAMES, columns, strict=True)}
        expected: bool | None = True
        for part in parse(text).conjuncts:
            found = python_says(part.text, row)
            if found is not True:
                expected = found
                break
        assert python_says(text, row) is expected


@settings(max_examples=500)
@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_a_condition_error(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(ConditionError):
            parse(text).evaluate({})


plain_texts = st.recursive(
    st.sampled_from([*NAMES, *NAMES, "0", "1", "2", "-3", "2.5"]),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*"]), inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["//", "%", "/"]), st.just("3")),
        st.builds("({} {} {})".format, inner, st.sampled_from(["<", "<=", "==", "!=", ">"]), inner),
        st.builds("({} < {} <= {})".format, inner, inner, inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("(not {})".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
        st.builds("abs({})".format, inner),
    ),
    max_leaves=8,
)
finite = st.one_of(
    st.lists(small, min_size=1, max_size=4),
    st.lists(st.floats(-3, 3), min_size=1, max_size=4),
    st.lists(st.booleans(), min_size=1, max_size=2),
    st.builds(range, st.integers(-3, 0), st.integers(1, 4)),
)


@settings(max_examples=800)
@given(plain_texts, st.tuples(finite, finite, finite), st.sets(st.integers(0, 2)))
def test_what_is_called_impossible_is_never_true(
    text: str, columns: tuple[list[object], ...], known: set[int]
) -> None:
    values = {name: Values(items) for name, items in zip(NAMES, columns, strict=True)}
    axes = {name: i for i, name in enumerate(NAMES)}
    grids = np.ix_(*(np.arange(len(items)) for items in columns))
    vectorised = Vectorised(parse(text), values, axes)
    possible = vectorised.possible({i: grids[i] for i in known})
    assert possible is not None or not vectorised.is_plain_arithmetic()
    if possible is None:
        return
    shape = tuple(len(items) for items in columns)
    possible = np.broadcast_to(possible, shape)
    for place in itertools.product(*map(range, shape)):
        row = {n: columns[i][place[i]] for i, n in enumerate(NAMES)}
        assert possible[place] or not python_says(text, row)


LARGE = st.one_of(
    st.integers(0, 3).map(lambda d: 2**31 + d),
    st.integers(-3, 3).map(lambda d: 2**26 + d),
    st.integers(-2, 2).map(lambda d: 3**30 + d),
)
large_texts = st.sampled_from(
    [
        "a * b < c * c", "a * b == c * c - 1", "a * b != c * c", "c * c - a * b == 1",
        "a * a * b < c * c * c", "a * b // 3 < c * c // 3", "(a * b) / 3 < (c * c) / 3",
        "abs(a * b - c * c) == 1", "max(a * b, 1) < c * c", "(a * b + 1) // 7 == c * c // 7",
        "a * b % 5 == 4 and a * b + 1 == c * c",
    ]
)  # fmt: skip


@settings(max_examples=600)
@given(
    large_texts,
    st.tuples(*[st.lists(LARGE, min_size=1, max_size=3)] * 3),
    st.sets(st.integers(0, 2)),
)
def test_bounds_are_wide_enough_for_what_floats_round(
    text: str, columns: tuple[list[int], ...], known: set[int]
) -> None:
    # a * b is one less than c * c, and both are the same float.
    test_what_is_called_impossible_is_never_true.hypothesis.inner_test(text, columns, known)


def test_what_floats_round_is_not_pruned() -> None:
    one = 2**31  # its square is an int64, but not a float
    params = {
        "a": Param([one - 1, one], condition="a * b < c * d"),
        "b": [one + 1, one + 2],
        "c": [one, one - 5],
        "d": [one, one - 7],
    }
    rows = itertools.product(*(getattr(p, "values", p) for p in params.values()))
    expected = [(a, b, c, d) for a, b, c, d in rows if a * b < c * d]
    assert expected == [(one - 1, one + 1, one, one)]
    assert list(zip(*combine_params(params, build_index=False).values(), strict=True)) == expected
