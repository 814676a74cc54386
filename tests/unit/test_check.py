# SPDX-License-Identifier: BSD-3-Clause
"""Checks of arguments: what passes, and the text of what does not."""

from __future__ import annotations

import decimal
import fractions
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._core import check, rng
from broadpeak._core.files import make_folder, writing
from broadpeak._store.par import ComponentParameters
from broadpeak.errors import (
    FileError,
    ParamError,
    ParamTypeError,
    PositionError,
    UnknownNameError,
    broken_rule,
    shown,
)

NO_NUMBERS = [
    *(True, np.True_, "2", "", b"2", None, 1j, [2], {}, object(), float, pd.NA, pd.NaT),
    *(np.timedelta64(3, "D"), np.datetime64("2020-01-01"), np.array([2.0]), np.array("2")),
    *(pd.Timestamp("2020"), pd.Series([2.0]), np.array(1j)),
]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(value).split(" at 0x")[0])
def test_what_is_no_number(value):
    assert check.real(value) is None
    for rule in (check.integer, check.number, check.window, check.axis):
        with pytest.raises(ParamError, match=r"^x must be an? .*, got"):
            rule("x", value)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (2, 2),
        (2.5, 2.5),
        (np.int8(3), 3),
        (np.float32(0.5), 0.5),
        (np.array(3), 3),
        (decimal.Decimal("1.5"), 1.5),
        (fractions.Fraction(1, 4), 0.25),
        (10**400, 10**400),
    ],
)
def test_what_is_one(value, number):
    assert check.real(value) == number
    assert type(check.real(value)) in {int, float}


def test_limits_of_numbers():
    assert check.integer("x", 2.0) == 2
    assert check.integer("x", np.int8(-3), -5) == -3
    assert check.window("x", 10**400) == 2**53
    assert check.number("x", math.inf, finite=False) == math.inf
    for value in (1.5, math.nan, math.inf, -math.inf, 0, decimal.Decimal("NaN")):
        with pytest.raises(ParamError, match="x must be an integer of at least 1"):
            check.integer("x", value)
    with pytest.raises(ParamError, match=r"at most \d+, got an integer of 1329"):
        check.integer("x", 10**400)
    for value in (math.nan, math.inf, 10**400, -1):
        with pytest.raises(ParamError, match="x must be a finite number of at least 0"):
            check.number("x", value, 0)
    with pytest.raises(ParamError, match="x must be a number, got an integer of"):
        check.number("x", 10**400, finite=False)


def test_options_are_compared_with_their_own_kind():
    assert check.one_of("x", None, (None, "a")) is None
    assert check.one_of("x", 1, (0, 1)) == 1
    for value in (np.array(["a", "b"]), pd.Series(["a"]), ["a"], math.nan, True):
        with pytest.raises(ParamError, match=r"x must be one of 'a', 'b', 1, got"):
            check.one_of("x", value, ("a", "b", 1))
    with pytest.raises(ParamError, match="Did you mean 'engine'"):
        check.one_of("x", "engnie", ("engine", "seed"))
    assert check.did_you_mean("x" * 10**6, ["x"]) == ""


def test_flags_strings_paths_and_functions():
    assert check.flag("x", np.False_) is False
    assert check.path("x", "a/b") == Path("a/b")
    for value in (1, 0, None, "True", np.array([True]), pd.NA):
        with pytest.raises(ParamTypeError, match="x must be True or False, got"):
            check.flag("x", value)
    for value in (None, 3, ["a"]):
        with pytest.raises(ParamTypeError, match="x must be a path, got"):
            check.path("x", value)
    for value in ("", "  ", "a\0b", "\ud800"):
        with pytest.raises(ParamError, match="x must be the path of a file, got"):
            check.path("x", value)
    with pytest.raises(ParamTypeError, match="x must be a string, got 3"):
        check.string("x", 3)
    with pytest.raises(ParamError, match="x must be a string that UTF-8 can encode"):
        check.string("x", "\ud800")
    with pytest.raises(ParamTypeError, match="x must be callable, got 3"):
        check.function("x", 3)
    with pytest.raises(ParamTypeError, match="x must be a dict, got 'ab'"):
        check.mapping("x", "ab")


def test_ids_and_labels():
    assert check.identifier("x", ("a", 1)) == ("a", 1)
    for value in ([1], math.nan, np.ones(2), pd.NA, {}):
        with pytest.raises(ParamTypeError, match="x must be a string, a number or another plain"):
            check.identifier("x", value)
    for value in ("ab", 3, np.ones((2, 2)), np.array(3), np.ones(2, np.float16), None):
        with pytest.raises(ParamTypeError, match="x must be labels, got"):
            check.labels("x", value, "be labels")


def test_seconds_have_an_end():
    assert check.seconds("timeout", None) is None
    assert check.seconds("timeout", decimal.Decimal("0.5")) == 0.5
    for value in (0, -1, math.nan, "1", True):
        with pytest.raises(ParamError, match=r"timeout must be a positive number of seconds.*\.$"):
            check.seconds("timeout", value)
    for value in (math.inf, 2**63):  # longer than any wait
        assert check.seconds("timeout", value) is None


def test_a_seed_is_checked_before_it_is_drawn_from():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]  # NumPy would follow it down the C stack, and end the process
    for value in (deep, [1, 2], -1, 1.5, "a", True):
        with pytest.raises(ParamError, match="seed must be an integer of at least 0, got"):
            rng.generator(value)
    while deep:
        deep = deep[0]  # taken apart from outside, for the same reason


def test_anything_can_be_shown():
    class Broken:
        def __repr__(self) -> str:
            raise ValueError

    assert shown(Broken()) == "a Broken that cannot be shown"
    assert shown(10**5000) == "an integer of 16610 bits"
    assert " at 0x" not in shown(object())
    assert shown(pd.DataFrame({"a": [1, 2]})) == "2 × 1 values"
    assert shown(pd.Series([1.0, 2.0])) == "2 values"
    assert (shown(np.float64(0.5)), shown(np.True_), shown(np.array(3))) == ("0.5", "True", "3")
    assert len(shown("x" * 10**7)) == 120
    assert broken_rule("x", "be so", object) == "x must be so, got <class 'object'> (type)."


@pytest.mark.parametrize(
    "wrong",
    [
        lambda data, values: data.run("bp:ma", values),
        lambda data, values: bp.sma(data.close, values),
        lambda data, values: bp.crossed_above(data.close, values),
        lambda data, values: data.run("bp:ma", 5).ma_crossed_above(values),
        bp.PF.from_signals,
        lambda data, values: bp.PF.from_signals(data, price=values),
        lambda data, values: bp.PF.from_signals(data, fees=values),
    ],
    ids=["run", "indicator", "crossed", "method", "entries", "price", "fees"],
)
def test_what_takes_no_param_says_where_one_goes(wrong):
    data = bp.Data.sample("IBM")["2004":"2005"]
    with pytest.raises(bp.BroadpeakError, match=r"a function under @bp\.parameterized"):
        wrong(data, bp.Param([5, 10]))


def test_errors_are_also_those_of_python():
    with pytest.raises(IndexError, match="grid position must lie in a grid of 2 combinations"):
        bp.ParamGrid({"x": [1, 2]})[2]
    with pytest.raises(KeyError, match=r"^the component must be one of X, got 'Y'"):
        bp.Parameters({"X": ComponentParameters({"p1": 2.0})})["Y"]
    assert issubclass(PositionError, bp.ParamError)
    assert issubclass(UnknownNameError, bp.ParamError)


def test_files_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    message = r"path must be a file that can be written.*pass another"
    with (
        pytest.raises(FileError, match=message),
        writing(tmp_path / "file" / "inside.txt") as target,
    ):
        target.write_text("x")
    with pytest.raises(OSError, match="folder must be a folder that can be written"):
        make_folder(tmp_path / "file" / "inside")
    with writing(tmp_path / "new" / "a.txt") as target:
        target.write_text("x")
    assert (tmp_path / "new" / "a.txt").read_text() == "x"


def test_a_nearest_name_is_found_among_numbers_that_have_no_string() -> None:
    known = [10**5000, 12, "engine", None]
    assert check.did_you_mean("engnie", known) == "Did you mean 'engine'?"
    assert check.did_you_mean(10**5000, known) == ""
    assert check.did_you_mean(13, known) == "Did you mean '12'?"
