# SPDX-License-Identifier: BSD-3-Clause
"""Templates: what is replaced, where, and what a wrong one says."""

from __future__ import annotations

from collections import namedtuple

import pytest

from broadpeak import ConditionError, ParamError, Rep, RepEval, RepFunc, Sub, atomic_dict
from broadpeak._run.templates import Template, substitute

CONTEXT = {"chunk_idx": 2, "n_chunks": 5, "keys": None}
Pair = namedtuple("Pair", "left right")


@pytest.mark.parametrize(
    ("template", "value"),
    [
        (Rep("chunk_idx"), 2),
        (Rep("keys"), None),
        (Rep("mine", context={"mine": 7}), 7),
        (Rep("chunk_idx", context={"chunk_idx": 7}), 7),
        (RepEval("chunk_idx + 1 == n_chunks - 2"), True),
        (RepEval("n_chunks ** 2 - extra", {"extra": 5}), 20),
        (RepFunc(lambda n_chunks: n_chunks * 2), 10),
        (RepFunc(lambda n_chunks, other=3: n_chunks + other), 8),
        (RepFunc(lambda **known: sorted(known)), ["chunk_idx", "keys", "n_chunks"]),
        (RepFunc(lambda chunk_idx, /, *, n_chunks: (chunk_idx, n_chunks)), (2, 5)),
        (Sub("$chunk_idx/${n_chunks} $$"), "2/5 $"),
    ],
)
def test_value_of_a_template(template: Template, value: object) -> None:
    assert substitute(template, CONTEXT) == value


def test_containers_are_searched_at_any_depth() -> None:
    rep = Rep("chunk_idx")
    nested = {"a": [rep, (rep, {"b": rep})], "c": Pair(rep, 1), "d": frozenset([rep]), "e": {rep}}
    assert substitute(nested, CONTEXT) == {
        "a": [2, (2, {"b": 2})],
        "c": Pair(2, 1),
        "d": frozenset([2]),
        "e": {2},
    }
    assert isinstance(substitute(atomic_dict(a=rep), CONTEXT), atomic_dict)


def test_the_original_is_not_changed_and_returned_if_nothing_is() -> None:
    original = {"a": [Rep("chunk_idx")], "b": [1]}
    filled = substitute(original, CONTEXT)
    assert isinstance(original["a"][0], Rep)
    assert filled["b"] is original["b"]
    plain = {"a": [1, (2,)]}
    assert substitute(plain, CONTEXT) is plain


def test_eval_id_names_the_point() -> None:
    template = Rep("chunk_idx", eval_id="post_chunk_kwargs")
    assert substitute(template, CONTEXT, eval_id="merge_kwargs") is template
    assert substitute(template, CONTEXT) is template
    assert substitute(template, CONTEXT, eval_id="post_chunk_kwargs") == 2
    assert substitute(Rep("chunk_idx", eval_id=["a", "b"]), CONTEXT, eval_id="b") == 2


@pytest.mark.parametrize(
    "template",
    [Rep("chunk_id"), RepFunc(lambda chunk_id: 0), Sub("$chunk_id"), RepEval("chunk_id")],
)
def test_an_unknown_name_is_answered_with_the_nearest(template: Template) -> None:
    with pytest.raises(ParamError, match="Did you mean 'chunk_idx'"):
        substitute(template, CONTEXT)


def test_wrong_templates_are_refused_where_they_are_written() -> None:
    with pytest.raises(ConditionError, match="Remove"):
        RepEval("__import__('os').system('id')")
    with pytest.raises(TypeError, match="Rep must be made of a string"):
        Rep(3)
    with pytest.raises(TypeError, match="RepFunc must get a function"):
        RepFunc("name")
    with pytest.raises(ParamError, match="after every dollar sign"):
        substitute(Sub("100$"), CONTEXT)


def test_repr_shows_how_it_was_made() -> None:
    assert repr(Rep("x", eval_id="y")) == "Rep('x', eval_id='y')"
