# SPDX-License-Identifier: BSD-3-Clause
"""Results that cannot be merged, and functions that never return one, are refused."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import functools
import pathlib

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import Param
from broadpeak._merge.named import NAMED

DATA = bp.Data.sample("IBM")[:50]


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    "value",
    [
        bp.PF.from_signals(DATA, DATA.close > 50),
        DATA,
        DATA.run("bp:ma", 3),
        range(3),
        len,
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("how", NAMED)
def test_objects_under_a_named_merge_are_refused(how, value):
    text = f"Results of {how} must be numbers.*got {type(value).__name__}.*leave out merge_func"
    for body in (lambda x: value, lambda x: [value, value], lambda x: (1.0, value)):
        with pytest.raises(TypeError, match=text):
            bp.parameterized(body, merge_func=how)(Param([1, 2]))
    for body in (lambda x: value, lambda x: [value] * len(x)):
        with pytest.raises(TypeError, match=text):
            bp.parameterized(body, merge_func=how, mono_n_chunks=1)(Param([1, 2]))
    assert bp.parameterized(lambda x: value)(Param([1, 2])) == [value, value]


@pytest.mark.parametrize(
    "value",
    [
        "text", b"x", None, True, 3, 10**40, 1.5, 2j, np.float32(1), np.int8(2), pd.NA, pd.NaT,
        pd.Timestamp("2020"), pd.Timedelta("1D"), pd.Period("2020"), np.datetime64("2020-01-01"),
        dt.date(2020, 1, 1), dt.time(3), decimal.Decimal("1.5"), Colour.RED, pathlib.Path("a"),
        {"sharpe": 1.0}, {1, 2},
    ],
    ids=lambda value: f"{type(value).__name__} {value}",
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Results of .* are (None|dicts)")
def test_plain_values_of_any_kind_are_merged(value):
    got = bp.parameterized(lambda x: value, merge_func="concat")(Param([1, 2]))
    pd.testing.assert_series_equal(got, pd.Series([value] * 2, index=pd.Index([1, 2], name="x")))


async def coroutine(x):
    return x


async def async_generator(x):
    yield x


def generator(x):
    yield x


class Callable:
    async def __call__(self, x):
        return x


UNFINISHED = [
    coroutine, async_generator, generator, Callable(), functools.partial(coroutine),
    Callable().__call__,
]  # fmt: skip


@pytest.mark.parametrize("func", UNFINISHED, ids=lambda func: repr(func).partition(" at ")[0])
def test_functions_that_only_begin_something_are_refused(func):
    for decorate in (bp.parameterized, bp.iterated, bp.chunked, bp.strategy):
        with pytest.raises(TypeError, match="must be a plain function that returns its result"):
            decorate(func)
    with pytest.raises(TypeError, match="plain function"):
        bp.parameterized(merge_func="concat")(func)


@pytest.mark.parametrize(
    ("func", "kind"),
    [(coroutine, "a coroutine"), (async_generator, "an async generator"), (generator, "a gener")],
)
def test_calls_that_only_begin_something_fail_with_a_message(func, kind):
    text = f"A call must return its result, got {kind}"

    def hidden(x):
        return func(x)  # which nobody sees before it is called

    with pytest.raises(bp.TaskError, match=text):
        bp.parameterized(hidden, merge_func="concat")(Param([1, 2]))
    for tasks in ([bp.Task(func, 1)] * 2, iter([bp.Task(func, 1)])):
        with pytest.raises(bp.TaskError, match=text):
            bp.execute(tasks)
    with pytest.raises(bp.TaskError, match=text):
        bp.execute([bp.Task(func, 1)], engine="threadpool", timeout=60)
    mixed = bp.parameterized(lambda x: func(x) if x % 2 else x, on_error="record", retries=1)
    got = mixed(Param([1, 2, 3, 4]))
    assert got[1::2] == [2, 4]
    assert [type(one.error) for one in got[::2]] == [bp.errors.ParamTypeError] * 2
    with pytest.raises(TypeError, match=text):
        bp.test(bp.strategy(hidden), bp.Data.sample("IBM"))


@pytest.mark.engine
def test_workers_say_the_same():
    def hidden(x):
        return generator(x)

    run = bp.parameterized(hidden, engine="processpool", n_workers=1)
    with pytest.raises(bp.TaskError, match="A call must return its result, got a generator"):
        run(Param([1, 2]))


def test_max_misses_reaches_the_draw():
    grid = {"a": Param([1, 2], condition="a < 3"), "b": Param([1, 2])}
    run = bp.parameterized(lambda a, b: a, random_subset=1, max_misses=-1)
    with pytest.raises(bp.ParamError, match="max_misses must be"):
        run(**grid)
    assert len(run(**grid, _max_misses=5)) == 1
    with pytest.raises(TypeError, match="Did you mean 'max_misses'"):
        bp.parameterized(len, max_mises=3)
