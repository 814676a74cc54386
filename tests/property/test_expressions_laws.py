# SPDX-License-Identifier: BSD-3-Clause
"""The vectorised evaluator agrees with Python, value for value, or refuses."""

from __future__ import annotations

import contextlib
import itertools
import math
import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

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


@settings(max_examples=1500)
@given(expression_texts, st.tuples(column, column, column))
def test_arrays_agree_with_python_or_refuse(text: str, columns: tuple[list[object], ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = tame(text, columns)
        expression = parse(text)
        values = {name: Values(items) for name, items in zip(NAMES, columns, strict=True)}
        axes = {name: i for i, name in enumerate(NAMES)}
        grids = np.ix_(*(np.arange(len(items)) for items in columns))
        shape = tuple(len(items) for items in columns)
        try:
            true, raised = Vectorised(expression, values, axes).truth(dict(enumerate(grids)))
        except NotVectorised:
            return
        true = np.broadcast_to(true, shape)
        raised = np.broadcast_to(False if raised is None else raised, shape)
        for place in itertools.product(*map(range, shape)):
            row = {n: columns[i][place[i]] for i, n in enumerate(NAMES)}
            expected = python_says(text, row)
            assert expected is None if raised[place] else expected is bool(true[place]), row


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
