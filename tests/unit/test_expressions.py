# SPDX-License-Identifier: BSD-3-Clause
"""What the expression language refuses, and what it says then."""

from __future__ import annotations

import pytest

import broadpeak as bp
from broadpeak._core.expressions import parse
from broadpeak.errors import ConditionError

HOSTILE = {
    "__import__('os').system('id')": "call of something that is not a name",
    "().__class__": "Remove the attribute",
    "a.real": "Remove the attribute",
    "[x for x in y]": "Remove the list comp",
    "(x for x in y)": "Remove the generator exp",
    "lambda: 0": "Remove the lambda",
    "a if b else c": "Remove the if exp",
    "f'{a}'": "Remove the joined str",
    "a[0]": "Remove the subscript",
    "{1: 2}": "Remove the dict",
    "(a := 3)": "Remove the named expr",
    "print(1)": "the call of 'print'",
    "eval('1')": "the call of 'eval'",
    "abs(x=1)": "Remove the keyword arguments",
    "max(*a)": "Remove the starred",
    "1 << 9": "Remove the l shift",
    "~a": "Remove the invert",
    "a @ b": "Remove the mat mult",
    "a is b": "'is' is for None",
    "1j": "literal 1j",
    "...": "literal Ellipsis",
    "a = 1": "be one expression",
    "": "be one expression",
    "a b": "be one expression",
    "import os": "be one expression",
    "a; b": "be one expression",
    "\0": "be one expression",
    "-" * 9000 + "1": "expression|nest",
    "(" * 4000 + "1" + ")" * 4000: "be one expression",
    "not " * 2000 + "a": "nest at most 100",
    "1+" * 4000 + "1": "expression|nest",
    "[" * 90 + "]" * 90 + "+" + "[" * 150 + "]" * 150: "nest at most 100|be one expression",
    "a" * 10_000_000: "at most 10000 characters",
    "9**9**9": "must stay small",
    "9**9**9**9 > a": "must stay small",
    "a**a**a**a": "must stay small",
    "(10**5000) * (10**5000) > 0": "must stay small",
    "'a' * 10**9": "must stay small",
    "10**9 * 'a'": "must stay small",
    "[0] * 10**9": "must stay small",
    "[[0] * 9] * 9": "must stay small",
    "'%1000000000d' % 1": "between numbers",
    "round(1, -10**9)": "at least -1000 digits",
    "int('9' * 9000)": "raised ValueError",
    "exit": "known names only",
    "__builtins__": "known names only",
    "abs": "known names only",
}


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:30]))
def test_hostile_strings_are_refused_at_once(text: str) -> None:
    with pytest.raises(ConditionError, match=HOSTILE[text]):
        bp.combine_params({"a": bp.Param([9, 10], condition=text), "b": [1, 2]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 < a < 3", True),
        ("a in (1, 2) and a not in [3]", True),
        ("a in {2, 3}", True),
        ("'b' in 'abc'", True),
        ("not a == 2 or a / 2 == 1.0", True),
        ("7 // 2 % 2 * 3 ** 2", 9),
        ("min(3, a) + max(1, 2, 3) - abs(-1)", 4),
        ("round(2.5) + round(3.5)", 6),
        ("len('abc')", 3),
        ("int('7') + int(2.9) + float('1.5')", 10.5),
        ("2**200 > 10**60", True),
        ("a is None", False),
        ("None is None and True", True),
        ("0 or 'x'", "x"),
        ("(1, 2) < (1, 3)", True),
        ("  a ", 2),
        ("True & False | True ^ True", False),
        ("'ab' * 2 == 'abab'", True),
        ("round(1.25, 1)", 1.2),
        ("(a + 1\n * 2)", 4),
        ("b'x' == b'x'", True),
        ("1 / 3 == 1 / 3", True),
        ("max((1, 5, 3))", 5),
    ],
)
def test_values(text: str, expected: object) -> None:
    found = parse(text).evaluate({"a": 2})
    assert found == expected
    assert type(found) is type(expected)


def test_a_parameter_may_be_called_like_a_function() -> None:
    product = bp.combine_params(
        {"len": bp.Param([1, 2], condition="len > 1 and max(len, min) == 5"), "min": [5]},
        build_index=False,
    )
    assert product == {"len": [2], "min": [5]}


def test_errors_of_evaluation_show_the_names() -> None:
    with pytest.raises(ConditionError, match=r"'a / b' .*ZeroDivisionError.*a=1, b=0"):
        parse("a / b").evaluate({"a": 1, "b": 0})
    with pytest.raises(ConditionError, match=r"got 'n_task'. Did you mean 'n_tasks'"):
        parse("n_task + 1").evaluate({"n_tasks": 3})
    with pytest.raises(ConditionError, match="must be a string"):
        parse(3)  # type: ignore[arg-type]


def test_conjuncts() -> None:
    texts = [part.text for part in parse("a < b < c and (d or e) and f").conjuncts]
    assert texts == ["a < b", "b < c", "d or e", "f"]
