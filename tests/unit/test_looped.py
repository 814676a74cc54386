# SPDX-License-Identifier: BSD-3-Clause
"""Compiled functions run in a compiled loop, and nobody can tell but by the clock."""

import contextlib
import math
import struct
from typing import NamedTuple

import numba
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak import Param, parameterized
from broadpeak._core.threads import share
from broadpeak._run import batches, looped
from broadpeak._run.looped import LoopRun, ResultColumns, _is_pure, typed
from broadpeak._run.sinks import ResultList


class Pair(NamedTuple):
    ratio: float
    count: int


@numba.njit
def mixed(a, b, scale=2.0):
    return math.exp(-a * 0.37) * math.sin(b) / (b + scale) + a**b


@numba.njit(fastmath=True)
def summed(prices, window, factor):
    total = 0.0
    for i in range(window, len(prices)):
        total += prices[i] / prices[i - window] * factor
    return total


@numba.njit
def whole(a, b):
    return (a * 2654435761 + b * 40503) % 1000003 // 7


@numba.njit
def truth(a, b):
    return a > b


@numba.njit
def short(a, b):
    return np.float32(a) / np.float32(b)


@numba.njit
def figures(a, b):
    return Pair(a / b, a * b)


@numba.njit
def three(a, b):
    return a, a > b, a / b


@numba.njit
def picky(a, b):
    if (a + b) % 5 == 3:
        raise ValueError("not this one")
    if (a * b) % 7 == 6:
        raise KeyError
    return a / b


@numba.njit
def counting(seen, a):
    seen[0] += 1
    if a % 4 == 3:
        raise ValueError("three")
    return seen[0] * 100 + a


@numba.njit
def drawing(a, b):
    return a + b * np.random.random()  # noqa: NPY002


@numba.njit
def nothing(a, b):
    a + b


@pytest.fixture(autouse=True)
def runs(monkeypatch):
    """Loops for the smallest runs; the batches that ran in one."""
    made = []
    plain = LoopRun.run

    def run(self):
        made.append(self._n - self.done)
        return plain(self)

    monkeypatch.setattr(batches, "FEWEST_CALLS", 0)
    monkeypatch.setattr(LoopRun, "run", run)
    return made


def bits(value):
    """Return a result as what it is to the last bit, with its type."""
    if isinstance(value, tuple):
        return type(value), tuple(map(bits, value))
    return type(value), struct.pack("d", value) if isinstance(value, float) else value


def singly(func, *columns):
    return [bits(func(*row)) for row in columns and zip(*columns, strict=True)]


PRICES = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, 300)))


@pytest.mark.parametrize(
    ("func", "kind"),
    [
        *((mixed, int), (mixed, float), (mixed, np.float32), (whole, int), (truth, bool)),
        *((short, float), (figures, int), (three, np.float64)),
    ],
)
def test_results_are_those_of_single_calls(runs, func, kind):
    values = [kind(one) for one in ([1, 0, 1] if kind is bool else [1, 3, 7, 2, 9])]
    others = [3, 4, 5, 11]
    found = parameterized(func)(Param(values), Param(others))
    rows = [(a, b) for a in values for b in others]
    assert list(map(bits, found)) == singly(func, *zip(*rows, strict=True))
    assert sum(runs) == len(rows)


def test_arrays_defaults_and_constants(runs):
    windows, factors = [1, 2, 5, 20], [0.1, 1 / 3, 7.5]
    found = parameterized(summed)(PRICES, Param(windows), factor=Param(factors))
    expected = [summed(PRICES, window, factor) for window in windows for factor in factors]
    assert list(map(bits, found)) == list(map(bits, expected))
    found = parameterized(mixed)(3, Param(windows))
    assert list(map(bits, found)) == [bits(mixed(3, window)) for window in windows]
    found = parameterized(mixed)(Param(windows), 2, 1)
    assert list(map(bits, found)) == [bits(mixed(window, 2, 1)) for window in windows]
    assert sum(runs) == 12 + 4 + 4


def test_the_compiler_does_not_see_several_calls(runs):
    """Merged into the loop it would divide by a constant once, and multiply from then on."""
    ratio = numba.njit(fastmath=True)(lambda a, divisor: a / divisor)
    values = np.linspace(0.1, 10, 400).tolist()
    found = parameterized(ratio)(Param(values), 3.7)
    assert found == [ratio(value, 3.7) for value in values]
    assert runs


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.floats(), st.sampled_from([0.0, -0.0])), min_size=1, max_size=8),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=8),
)
def test_any_numbers(lefts, rights):
    found = parameterized(scaled)(Param(lefts), Param(rights))
    rows = [(left, right) for left in lefts for right in rights]
    assert list(map(bits, found)) == singly(scaled, *zip(*rows, strict=True))


@numba.njit
def scaled(a, b):
    return a * b, b // 3 + b, math.sin(a) if abs(a) < 1e9 else a


@pytest.mark.parametrize(
    "call",
    [
        lambda: parameterized(mixed)(Param([1, 2.5]), 3),
        lambda: parameterized(truth)(Param([2**63, 2**63 + 1]), 3),
        lambda: parameterized(nothing)(Param([1, 2]), 3),
        lambda: parameterized(numba.njit(lambda a: a + 1j))(Param([1, 2])),
        lambda: parameterized(numba.njit(lambda a, *b: a + len(b)))(Param([1, 2]), 1),
        lambda: parameterized(numba.njit(lambda a: np.uint64(2**63) + np.uint64(a)))(Param([1, 2])),
        lambda: parameterized(numba.njit(["f8(f8)"])(lambda a: a / 2))(Param([1, 2])),
        lambda: parameterized(numba.njit(lambda a: len(a) + 1))(Param(["x", "yy"])),
        lambda: parameterized(numba.njit(lambda a: a[0]))(Param([(1, 2), (3, 4)])),
    ],
    ids=["mixed", "large", "none", "complex", "args", "unsigned", "declared", "text", "tuples"],
)
def test_what_is_not_plain_is_called_singly(runs, call):
    assert len(call()) == 2
    assert runs == []


def test_a_failure_names_its_combination(runs):
    area = parameterized(picky)
    with pytest.raises(
        bp.TaskError, match=r"^Call 4 \(a=2, b=1\) failed: ValueError: not this one"
    ):
        area(Param([1, 2, 3]), Param([1, 5, 10, 5]))
    assert runs


@pytest.mark.parametrize("engine", ["serial", "threadpool"])
def test_failures_are_those_of_single_calls(runs, engine):
    grid = Param(list(range(1, 12))), Param(list(range(1, 9)))
    plain = [(a, b) for a in range(1, 12) for b in range(1, 9)]
    expected = {}
    for position, (a, b) in enumerate(plain):
        try:
            expected[position] = picky(a, b)
        except (ValueError, KeyError) as error:
            expected[position] = type(error)
    area = parameterized(picky, on_error="skip", engine=engine)
    with pytest.warns(bp.errors.SkippedWarning, match="calls failed"):
        found, index = area(*grid, _return_param_index=True)
    good = {at: value for at, value in expected.items() if isinstance(value, float)}
    assert found == list(good.values())
    assert index.to_list() == [plain[at] for at in good]
    assert runs
    recorded = area(*grid, _on_error="record")
    assert [type(one.error) if isinstance(one, bp.Outcome) else one for one in recorded] == list(
        expected.values()
    )


def test_what_is_written_to_an_array_is_written_in_order(runs):
    seen, twin, expected = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), []
    with pytest.warns(bp.errors.SkippedWarning, match="3 of 12 calls"):
        found = parameterized(counting, on_error="skip")(seen, Param(range(12)))
    for a in range(12):
        with contextlib.suppress(ValueError):
            expected.append(counting(twin, a))
    assert (found, seen[0]) == (expected, 12)
    assert runs


@numba.njit
def seeded(seed):
    np.random.seed(seed)  # noqa: NPY002


def test_random_numbers_come_in_order(runs):
    seeded(5)
    found = parameterized(drawing)(Param([1.0, 2.0]), Param([1.0, 3.0, 5.0]))
    seeded(5)
    assert found == [drawing(a, b) for a in (1.0, 2.0) for b in (1.0, 3.0, 5.0)]
    assert runs


@pytest.mark.parametrize("func", [whole, picky])
def test_in_threads(runs, monkeypatch, func):
    started = []

    def shared(work, n_parts):
        started.append(n_parts)
        share(work, n_parts)

    monkeypatch.setattr(looped, "_BEGIN_SECONDS", 0)
    monkeypatch.setattr(looped, "parts_for", lambda nanoseconds: 3 if nanoseconds > 0 else 1)
    monkeypatch.setattr(looped, "share", shared)
    grid = Param(list(range(1, 30))), Param(list(range(1, 9)))
    rows = [(a, b) for a in range(1, 30) for b in range(1, 9)]
    expected = []
    for row in rows:
        try:
            expected.append(bits(func(*row)))
        except (ValueError, KeyError):
            expected.append(None)
    area = parameterized(func, on_error="skip")
    if None in expected:
        with pytest.warns(bp.errors.SkippedWarning, match="calls failed"):
            found = area(*grid)
    else:
        found = area(*grid)
    assert list(map(bits, found)) == [one for one in expected if one is not None]
    assert 3 in started


def test_which_functions_are_pure():
    from_random = np.random.normal
    pure = numba.njit(lambda a: math.sqrt(a) + np.abs(a) + max(a, 2) + whole(a, 3))
    assert _is_pure(pure, set())
    assert _is_pure(figures, set())
    for impure in (
        drawing,
        numba.njit(lambda a: drawing(a, a)),
        numba.njit(lambda a: from_random() + a),
        numba.njit(lambda a: print(a + 1)),  # noqa: T201
        numba.njit(parallel=True)(lambda a: a),
        numba.njit(lambda a: _python(a + 1)),
    ):
        assert not _is_pure(impure, set())


def _python(a):
    return a


@pytest.mark.parametrize("engine", ["serial", "threadpool"])
def test_the_best_of_a_compiled_function(runs, engine):
    grid = Param(range(40)), Param(range(1, 30))
    found = parameterized(whole, engine=engine)(*grid, _keep=bp.top(5))
    every = parameterized(_slow_whole, merge_func="concat")(*grid)
    expected = every.sort_values(ascending=False, kind="stable")[:5]
    pd.testing.assert_series_equal(found, expected)
    found = parameterized(figures, engine=engine)(*grid, _keep=bp.bottom(4, by="ratio"))
    every = parameterized(lambda a, b: {"ratio": a / b, "count": a * b})(
        *grid, _keep=bp.bottom(4, by="ratio")
    )
    pd.testing.assert_frame_equal(found, every)
    assert runs


def _slow_whole(a, b):
    return (a * 2654435761 + b * 40503) % 1000003 // 7


def test_a_reducer_of_the_user_gets_what_single_calls_return(runs):
    class List:
        def start(self):
            return {}

        def add(self, state, position, value):
            return {**state, position: value}

        def merge(self, left, right):
            return {**left, **right}

    found = parameterized(figures)(Param([4, 6]), 2, _keep=List())
    assert found == {0: Pair(2.0, 8), 1: Pair(3.0, 12)}
    assert [type(value) for value in found.values()] == [Pair, Pair]
    found = parameterized(whole)(Param([4, 6]), 2, _keep=List())
    assert set(map(type, found.values())) == {int}
    assert runs


def test_a_store_gets_numbers_of_python(runs, tmp_path):
    area = parameterized(
        whole, store=tmp_path / "x.db", store_key="1", distribute="chunks", chunk_len=9
    )
    found = area(Param(range(3)), Param(range(3)))
    assert set(map(type, found)) == {int}
    assert area(Param(range(3)), Param(range(3))) == found


def test_merges_and_chunks(runs):
    def chunks(chunk_results, seen=[]):  # noqa: B006
        seen.append(chunk_results)

    found = parameterized(
        truth, merge_func="concat", chunk_len=4, post_chunk_func=chunks,
        post_chunk_kwargs={"chunk_results": bp.Rep("chunk_results")},
    )(Param(range(3)), Param(range(3)))  # fmt: skip
    assert found.dtype == bool
    assert chunks.__defaults__[0][0] == [False, False, False, True]
    assert runs


@pytest.mark.parametrize(
    "merge", ["concat", ("concat", "row_stack", "concat"), len, "row_stack", None]
)
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.filterwarnings("ignore::broadpeak.errors.SkippedWarning")
def test_merges(runs, merge, fails):
    """A merge gets what it would get of single calls, or what is as good."""
    func = picky if fails else three if isinstance(merge, tuple) else whole
    if fails and isinstance(merge, tuple):
        merge = "concat"
    grid = Param(range(1, 40)), Param(range(1, 30))
    found = parameterized(func, merge_func=merge, on_error="skip")(*grid)
    assert runs
    expected = parameterized(func.py_func, merge_func=merge, on_error="skip")(*grid)
    for one, other in zip(
        found if isinstance(found, tuple) else [found],
        expected if isinstance(expected, tuple) else [expected],
        strict=True,
    ):
        if isinstance(one, pd.Series):
            pd.testing.assert_series_equal(one, other)
        elif isinstance(one, pd.DataFrame):
            pd.testing.assert_frame_equal(one, other)
        else:
            assert one == other
            assert type(one) is type(other)


def test_results_in_arrays_stay_arrays(runs, monkeypatch):
    """Merged by concat, no number of them becomes an object of its own."""
    monkeypatch.setattr("broadpeak._run.execute.resolve_merge_func", None)
    found = parameterized(whole, merge_func="concat")(Param(range(40)), Param(range(30)))
    assert found.dtype == np.int64
    assert len(runs) > 2
    results = ResultList()
    results.put(range(2), np.array([1.0, 2.0]), 0)
    results.put(range(2, 3), np.array([3.0]), 0)
    assert results.finish(3).value.tolist() == [1.0, 2.0, 3.0]
    results.put(range(4, 5), np.array([5.0]), 0)
    found = results.finish(5)
    assert (found.value, found.kept.tolist()) == ([1.0, 2.0, 3.0, 5.0], [0, 1, 2, 4])
    assert set(map(type, found.value)) == {float}
    results = ResultList()
    results.put(range(2), np.array([1, 2]), 0)
    results.put(range(2, 3), np.array([3.0]), 0)
    results.put([3], [True], 0)
    assert list(map(type, results.finish(4).value)) == [int, int, float, bool]


def test_a_function_that_was_compiled_again(runs):
    func = numba.njit(lambda a: a + OFFSET)
    area = parameterized(func)
    assert area(Param([1, 2])) == [11, 12]
    globals()["OFFSET"] = 20
    func.recompile()
    assert area(Param([1, 2])) == [21, 22] == [func(1), func(2)]
    globals()["OFFSET"] = 10
    assert runs


OFFSET = 10


def test_small_runs_compile_nothing(monkeypatch, runs):
    monkeypatch.setattr(batches, "FEWEST_CALLS", looped.FEWEST_CALLS)
    assert len(parameterized(whole)(Param(range(100)), Param(range(100)))) == 10_000
    assert runs == []


def test_typed():
    assert typed([1, 2]).dtype == np.int64
    assert typed(range(3)).tolist() == [0, 1, 2]
    assert typed([1.0, np.float64(2)]).dtype == np.float64
    for wrong in ([1, 2.0], [2**63], ["a"], [], [True, 1], np.array(["a"]), [None], {1: 2}):
        assert typed(wrong) is None


def test_columns_are_a_sequence():
    columns = ResultColumns([np.array([1.0, 2.0]), np.array([3, 4])], Pair)
    assert list(columns) == [Pair(1.0, 3), Pair(2.0, 4)]
    assert (columns[1], len(columns[1:])) == (Pair(2.0, 4), 1)
    assert columns.by_name()["count"].tolist() == [3, 4]
    assert ResultColumns([np.array([1.0])], tuple).by_name() is None
