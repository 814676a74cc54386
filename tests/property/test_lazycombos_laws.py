# SPDX-License-Identifier: BSD-3-Clause
"""Combinations that come in blocks are those that are held, in the same order."""

import contextlib
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadpeak import ConditionError, Param, ParamError, parameterized, top
from broadpeak._run.calls import Calls, CallStream, CodeWindow
from broadpeak._space import lazycombos
from broadpeak._space.combine import select_combos
from broadpeak._space.lazycombos import ComboBlocks

CONDITIONS = [None, "a < b", "a + b != c", "c > 1", "a == b", "a > 100", "a % 2 == 0", "10 / a > b"]
CALLABLES = [None, lambda a, b: a <= b, lambda c: c != 2]


@contextlib.contextmanager
def tiny():
    """Let five combinations be many."""
    names = {"MOST_HELD": 5, "_BLOCK": 3, "_TABLE_ROWS": 4, "_TABLE_CELLS": 40}
    with contextlib.ExitStack() as stack:
        for name, value in names.items():
            stack.enter_context(patch.object(lazycombos, name, value))
        yield


@st.composite
def spaces(draw):
    """Draw parameters a, b and c with conditions; sometimes two are zipped, or one is hidden."""
    lengths = [draw(st.integers(1, 6)) for _ in "abc"]
    conditions = [None] * 3
    if draw(st.booleans()):
        conditions = [draw(st.sampled_from(CONDITIONS + CALLABLES)) for _ in "abc"]
    zipped = draw(st.booleans())
    if zipped:
        lengths[2] = lengths[0]
    levels = [0, 1, 0] if zipped else [None] * 3
    hide = draw(st.sampled_from([(), ("a",), ("a", "b", "c")]))
    return {
        name: Param(
            draw(st.lists(st.integers(-2, 4), min_size=length, max_size=length)),
            condition=condition, level=level, hide=name in hide,
        )
        for name, length, condition, level in zip("abc", lengths, conditions, levels, strict=True)
    }  # fmt: skip


@st.composite
def choices(draw):
    kind = draw(st.sampled_from(["all", "slice", "list", "random", "both"]))
    chosen = {}
    if kind in {"slice", "both"}:
        numbers = st.one_of(st.none(), st.integers(-50, 50))
        step = draw(st.sampled_from([None, 1, 2, 5, -1, -3]))
        chosen["grid_indices"] = slice(draw(numbers), draw(numbers), step)
    if kind == "list":
        chosen["grid_indices"] = draw(st.lists(st.integers(0, 0), min_size=1, max_size=3))
    if kind in {"random", "both"}:
        chosen |= {"random_subset": draw(st.sampled_from([1, 0.5, 1.0])), "seed": 1}
    return chosen


def outcome(call):
    try:
        return call()
    except (ParamError, ConditionError) as error:
        return type(error), str(error)


@given(spaces(), choices())
def test_blocks_hold_what_select_combos_selects(params, chosen):
    expected = outcome(lambda: select_combos(params, **chosen))
    with tiny():
        found = outcome(lambda: ComboBlocks(params, **chosen))
        if isinstance(expected, tuple):
            assert found == expected
            return
        assert len(found) == expected.size
        codes = [np.concatenate(column) for column in zip(*found, strict=True)]
        for name, column in expected.columns.items():
            assert found.axes.param_codes(name, codes).tolist() == column.codes.tolist()
        numbers = np.array([*range(expected.size - 1, -1, -1), *range(0, expected.size, 3)])
        some = found.combos(numbers)
        assert some.lists() == expected.take(numbers).lists()
        pd.testing.assert_index_equal(
            found.index(numbers), expected.index()[numbers], exact="equiv"
        )


@given(spaces(), choices(), st.sampled_from([None, 1, 3, 7]))
def test_a_sweep_that_keeps_is_one_that_holds(params, chosen, mono):
    options = {} if mono is None else {"mono_chunk_len": mono}

    def score(a, b, c):
        if isinstance(a, list):
            return list(map(score, a, b, c))
        return (a * 7 + b * 3 + c * 5) % 11

    sweep = parameterized(score, **chosen)
    every = outcome(lambda: sweep(**params, _merge_func="concat"))
    with tiny():
        found = outcome(
            lambda: sweep(**params, _keep=top(4), **{f"_{k}": v for k, v in options.items()})
        )
    if isinstance(every, tuple):
        assert found == every
        return
    best = every.sort_values(ascending=False, kind="stable")[:4]
    pd.testing.assert_series_equal(found, best, check_index_type="equiv")


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12),
)
def test_a_window_gives_any_rows_in_any_order(sizes, asked):
    whole = np.arange(sum(sizes))
    blocks = [[part, -part] for part in np.split(whole, np.cumsum(sizes)[:-1])]
    window = CodeWindow(blocks)
    stream = CallStream(
        Calls(pow, varying={0: (range(500), []), 1: ([2], [])}), _Pairs(blocks), len(whole)
    )
    for first, second in asked:
        start, stop = min(first, second, len(whole) - 1), min(max(first, second) + 1, len(whole))
        left, right = window.between(start, stop)
        assert left.tolist() == whole[start:stop].tolist()
        assert right.tolist() == (-whole[start:stop]).tolist()
        tasks = stream[start:stop]
        assert [task() for task in tasks] == [k * k for k in range(start, stop)]
        assert stream[start]() == start * start
        assert [task() for task in stream[stop - 1 : start : -2]] == [
            k * k for k in range(stop - 1, start, -2)
        ]


class _Pairs:
    """The first column of blocks, and zeros."""

    def __init__(self, blocks):
        self._blocks = blocks

    def __iter__(self):
        return iter([[block[0], block[0] * 0] for block in self._blocks])


@pytest.mark.parametrize("condition", [None, "a < b * 3", lambda a, b: (a + b) % 3 > 0])
def test_grids_beyond_what_is_held(condition):
    calls = []

    def area(a, b):
        calls.append(1)
        return (a * 31 + b * 17) % 101

    grid = Param(range(40), condition=condition), Param(range(30))
    every = parameterized(area, merge_func="concat")(*grid)
    n_all = len(calls)
    with tiny():
        found = parameterized(area, keep=top(20))(*grid)
    assert len(calls) == 2 * n_all
    pd.testing.assert_series_equal(found, every.sort_values(ascending=False, kind="stable")[:20])
