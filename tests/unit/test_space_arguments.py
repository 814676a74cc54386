# SPDX-License-Identifier: BSD-3-Clause
"""What a caller asks of a grid, and what comes back: shares, seeds, bare values, long lists."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import broadpeak as bp
from broadpeak import ParamError


@pytest.mark.parametrize(
    ("share", "passed", "n"), [(0.5, 5, 3), (0.35, 10, 4), (0.25, 10, 3), (0.3, 5, 2), (0.29, 5, 1)]
)
def test_halves_of_a_share_are_rounded_upwards(share: float, passed: int, n: int) -> None:
    product = bp.combine_params({"a": range(passed)}, random_subset=share, build_index=False)
    assert len(product["a"]) == n


@pytest.mark.parametrize("seed", ["x", 1.5, True, -1])
def test_seeds_are_integers(seed: object) -> None:
    with pytest.raises(ParamError, match="seed must be an integer of at least 0, or None"):
        bp.combine_params({"a": [1, 2]}, random_subset=1, seed=seed)  # type: ignore[call-overload]


def test_errors_of_bare_values_name_the_parameter() -> None:
    for make in (bp.ParamGrid, bp.combine_params):
        with pytest.raises(ParamError, match=r"parameter 'fast' must hold at least one value"):
            make({"slow": [1], "fast": []})
        with pytest.raises(
            ParamError, match=r"parameter 'fast' must have values in a definite order"
        ):
            make({"slow": [1], "fast": {1, 2}})


@pytest.mark.parametrize("condition", [None, "not (a == 2 and b == 299 and c == 'y')", "a < b"])
def test_long_lists_hold_every_combination(condition: str | None) -> None:
    values = {"a": [0, 1, 2], "b": range(300), "c": ["w", "x", "w", "y"], "d": [1.5, None, 2.5]}
    params = {**values, "a": bp.Param(values["a"], condition=condition)}
    product = bp.combine_params(params, build_index=False)
    kept = [
        (a, b, c, d)
        for a, b, c, d in itertools.product(*values.values())
        if condition is None or eval(condition, {"a": a, "b": b, "c": c})
    ]
    assert list(zip(*product.values(), strict=True)) == kept


def test_a_param_holds_no_param() -> None:
    with pytest.raises(ParamError, match="Param must hold values, got Param"):
        bp.Param(bp.Param([1, 2]))


def test_unknown_settings_name_the_nearest() -> None:
    with pytest.raises(ParamError, match=r"Param got an unknown option 'conditon'.*'condition'"):
        bp.Param([1], conditon="x > 0")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unknown option 'conditon'"):  # whatever else is wrong
        bp.Param([1], level="x", conditon="x > 0")  # type: ignore[call-arg, arg-type]
    with pytest.raises(TypeError, match="unknown option 'hid'"):
        bp.Param([1], hid=True)  # type: ignore[call-arg]
    with pytest.raises(bp.BroadpeakError, match="Did you mean 'merge_func'"):
        bp.parameterized(merge_fun="concat")


HUGE = 10**400


TOLD = [
    (lambda: bp.Param([1], condition="x < \0"), "be one expression"),
    (lambda: bp.Param([1], condition="x < '\ud800'"), "be one expression"),
    (lambda: bp.Param([1], condition="not " * 300 + "x"), "nest at most"),
    (lambda: bp.Param([1], condition="(" * 300 + "x" + ")" * 300), "be one expression"),
    (lambda: bp.Param([1], condition="x < " + "9" * 5000), "be one expression"),
    (
        lambda: bp.combine_params({"a": bp.Param([9], condition="x ** 9 ** 9 > 0")}),
        "stay small",
    ),
]


@pytest.mark.parametrize(("call", "text"), TOLD, ids=map(str, range(len(TOLD))))
def test_the_message_says_what_is_wrong(call: Any, text: str) -> None:
    with pytest.raises(ParamError, match=text):
        call()


def test_integers_beyond_floats_are_values_like_others() -> None:
    product = bp.combine_params(
        {"a": bp.Param([HUGE, 1], condition="a > b"), "b": [2, HUGE - 1]}, build_index=False
    )
    assert product == {"a": [HUGE, HUGE], "b": [2, HUGE - 1]}
