# SPDX-License-Identifier: BSD-3-Clause
"""`keep=`: results are reduced as they arrive."""

import gc
import os
import re
import subprocess
import sys
import threading
import time
import weakref
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import NoResult, Param, ParamError, Task, execute
from broadpeak.errors import NoResultsError, ParamTypeError, SkippedWarning


class Figures(NamedTuple):
    sharpe: float
    trades: int


class Total:
    def start(self):
        return 0

    def add(self, state, position, value):
        return state + position * value

    def merge(self, left, right):
        return left + right


class Seen(Total):
    """Takes many at once, and notes how they came."""

    def start(self):
        return []

    def add_many(self, state, positions, values):
        assert positions.dtype == np.int64
        return [*state, *zip(positions.tolist(), list(values), strict=True)]

    def finish(self, state):
        return sorted(state)


def tasks(func, n=6):
    return [Task(func, k) for k in range(n)]


def test_numbers_over_positions_and_over_keys():
    found = execute(tasks(float), keep=bp.top(2))
    pd.testing.assert_series_equal(found, pd.Series([5.0, 4.0], index=[5, 4]))
    keys = pd.Index([10, 11, 12, 13, 14, 15], name="k")
    found = execute(tasks(float), keep=bp.bottom(2), keys=keys)
    pd.testing.assert_series_equal(found, pd.Series([0.0, 1.0], keys[:2]))


@pytest.mark.parametrize(
    "make",
    [
        lambda k: {"sharpe": k % 3, "trades": k},
        lambda k: pd.Series({"sharpe": k % 3, "trades": k}),
        lambda k: Figures(k % 3, k),
    ],
    ids=["mapping", "series", "named tuple"],
)
def test_several_figures_are_a_frame(make):
    found = execute(tasks(make), keep=bp.top(3, by="sharpe"))
    expected = pd.DataFrame({"sharpe": [2, 2, 1], "trades": [2, 5, 1]}, index=[2, 5, 1])
    pd.testing.assert_frame_equal(found, expected)


def test_of_other_objects_the_figure_alone_is_kept():
    found = execute(
        tasks(lambda k: SimpleNamespace(score=k % 4, big=[0] * k)), keep=bp.top(2, "score")
    )
    pd.testing.assert_series_equal(found, pd.Series([3, 2], index=[3, 2], name="score"))


def test_portfolios_are_not_held():
    close = pd.Series(np.linspace(1, 2, 40) + np.sin(np.arange(40)) / 9)
    alive = []

    def backtest(window):
        gc.collect()
        assert sum(ref() is not None for ref in alive) < 4
        up = close > close.rolling(window).mean()
        pf = bp.PF.from_signals(close, up, ~up, bars_per_year=252)
        alive.append(weakref.ref(pf))
        return pf

    windows = list(range(2, 12))
    found = bp.parameterized(backtest, keep=bp.top(3, by="total_return"))(Param(windows))
    every = pd.Series(
        [backtest(window).total_return for window in windows], pd.Index(windows, name="window")
    )
    expected = every.sort_values(ascending=False, kind="stable")[:3].rename("total_return")
    pd.testing.assert_series_equal(found, expected)


def test_ties_go_to_the_lower_position_and_nan_and_inf_never_stay():
    values = [np.nan, 1.0, np.inf, 1.0, -np.inf, 1.0]
    found = execute(tasks(values.__getitem__), keep=bp.top(2))
    assert found.to_dict() == {1: 1.0, 3: 1.0}
    found = execute(tasks([np.nan, np.inf].__getitem__, 2), keep=bp.bottom(2))
    assert len(found) == 0
    assert found.dtype == float


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([1, 2, 3], "int64"), ([True, False, True], "bool"), ([0.5, 1.5, 2.5], "float64")],
)
def test_dtypes_are_those_of_a_merge(values, dtype):
    found = execute(tasks(values.__getitem__, 3), keep=bp.top(2))
    assert found.dtype == dtype


def test_a_reducer_of_the_user():
    assert execute(tasks(float), keep=Total()) == sum(k * k for k in range(6))
    found = execute(tasks(lambda k: k if k % 2 else NoResult), keep=Seen())
    assert found == [(1, 1), (3, 3), (5, 5)]


@pytest.mark.parametrize("engine", ["serial", "threadpool"])
def test_a_whole_chunk_is_reduced_as_it_is_run(engine):
    """One batch may have more results than can be held."""
    alive, most = set(), 0

    class Result:
        def __init__(self, k):
            self.k = k
            alive.add(id(self))

        def __del__(self):
            alive.discard(id(self))

    class Sum(Total):
        def add(self, state, position, value):
            nonlocal most
            most = max(most, len(alive))
            return state + value.k

    def slow(k):
        if k == 3 or k == 77:
            raise ValueError(k)
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass
        return Result(k)

    options = {"distribute": "chunks", "n_chunks": 1, "engine": engine, "n_workers": 2}
    with pytest.warns(SkippedWarning, match="2 of 400 calls failed"):
        found = execute(tasks(slow, 400), keep=Sum(), on_error="skip", **options)
    assert found == sum(range(400)) - 80
    assert most < 200
    with pytest.raises(bp.errors.TaskError, match="Call 3 failed"):
        execute(tasks(slow, 400), keep=Sum(), **options)


def test_large_results_of_a_chunk_are_reduced_one_by_one():
    """However quick they are: a piece of the chunk ends with its bytes."""
    alive, most = 0, 0

    class Large(np.ndarray):
        def __del__(self):
            nonlocal alive
            alive -= 1

    def make(k):
        nonlocal alive, most
        alive += 1
        most = max(most, alive)
        return np.full(500_000, float(k)).view(Large)

    class Highest(Total):
        def add(self, state, position, value):
            return max(state, float(value[0]))

        def merge(self, left, right):
            return max(left, right)

    found = execute(tasks(make, 150), keep=Highest(), distribute="chunks", n_chunks=1)
    assert found == 149
    assert most < 20


@pytest.mark.parametrize("distribute", ["tasks", "chunks"])
def test_an_error_of_a_reducer_is_its_own(distribute):
    class Picky(Total):
        def add(self, state, position, value):
            if position == 37:
                raise RuntimeError("picky")
            return state

    with pytest.raises(RuntimeError, match="picky"):
        execute(tasks(float, 60), keep=Picky(), distribute=distribute, n_chunks=2)


class Locked(Total):
    """Cannot be pickled, and neither can its states, if `there` says so."""

    def __init__(self, there):
        if there == "reducer":
            self.lock = threading.Lock()
        self.there = there

    def start(self):
        return [0, threading.Lock() if self.there == "state" else None]

    def add(self, state, position, value):
        state[0] += value
        return state

    def merge(self, left, right):
        return [left[0] + right[0], left[1]]

    def finish(self, state):
        return state[0]


@pytest.mark.engine
def test_what_cannot_be_pickled_is_reduced_here():
    options = {"engine": "processpool", "n_workers": 2}
    for there in ("reducer", "state"):
        assert execute(tasks(float, 60), keep=Locked(there), **options) == sum(range(60))
    with pytest.raises(bp.errors.TaskError, match="state of a reducer must be picklable"):
        execute(tasks(float, 60), keep=Locked("state"), distribute="chunks", **options)


def test_histograms_are_equal_if_all_counts_are():
    tasks = [bp.Task(float, number) for number in (0.5, 1.5, 1.5, 9.0)]
    one, same = (bp.execute(tasks, keep=bp.histogram(2, range=(0, 2))) for _ in range(2))
    assert one == same
    assert one != bp.execute(tasks[:3], keep=bp.histogram(2, range=(0, 2)))
    assert one != bp.execute(tasks, keep=bp.histogram(3, range=(0, 2)))
    assert one != "a histogram"


def test_histogram_of_a_run():
    found = execute(tasks([0.0, 1, 2, np.nan, 9, -1].__getitem__), keep=bp.histogram([0, 1, 2]))
    assert (found.counts.tolist(), found.below, found.above, found.missing) == ([1, 2], 1, 1, 1)
    assert repr(found) == "Histogram(3 in 2 bins from 0 to 2, 1 below, 1 above, 1 NaN)"


def test_no_result_and_failures_are_left_out():
    def odd(k):
        if k == 3:
            raise ValueError("three")
        return k if k % 2 else NoResult

    with pytest.warns(SkippedWarning, match="1 of 6 calls failed"):
        found = execute(tasks(odd), keep=bp.top(9), on_error="skip")
    assert found.to_dict() == {5: 5, 1: 1}
    tried = []

    def second(k):
        tried.append(k)
        if tried.count(k) == 1:
            raise ValueError("once")
        return k

    assert execute(tasks(second), keep=bp.top(2), retries=1).to_dict() == {5: 5, 4: 4}
    with pytest.raises(bp.TaskError, match="three"):
        execute(tasks(odd), keep=bp.top(9))


def test_nothing_but_no_result():
    with pytest.raises(NoResultsError, match="got NoResult"):
        execute(tasks(lambda k: NoResult), keep=bp.top(2))
    with pytest.raises(NoResultsError, match="got NoResult"):
        execute(tasks(lambda k: NoResult), keep=Total())
    assert execute(tasks(lambda k: NoResult), keep=bp.top(2), raise_no_results=False) is NoResult
    assert len(execute([], keep=bp.top(2))) == 0
    assert execute([], keep=Total()) == 0


def test_an_iterator_of_tasks_is_not_read_ahead():
    n_made, n_done = 0, 0

    def make():
        nonlocal n_made
        for k in range(3000):
            n_made += 1
            assert n_made - n_done < 2
            yield Task(work, k)

    def work(k):
        nonlocal n_done
        n_done += 1
        return k

    assert execute(make(), keep=bp.top(1)).to_dict() == {2999: 2999}


def test_a_store_keeps_what_is_kept_and_another_reducer_is_another_run(tmp_path):
    calls = []

    @bp.parameterized(store=tmp_path / "runs.db", store_key="1")
    def square(x):
        calls.append(x)
        return x * x

    for _ in range(2):
        assert square(Param([1, 2, 3]), _keep=bp.top(1)).to_dict() == {3: 9}
    assert calls == [1, 2, 3]
    assert square(Param([1, 2, 3]), _keep=bp.bottom(2)).to_dict() == {1: 1, 2: 4}
    assert square(Param([1, 2, 3])) == [1, 4, 9]
    assert calls == [1, 2, 3] * 3


def test_parameterized_and_its_index():
    @bp.parameterized(keep=bp.top(2))
    def area(width, height):
        return width * height

    found, index = area(Param([1, 2, 3]), Param([5, 4], name="h"), _return_param_index=True)
    expected = pd.MultiIndex.from_tuples([(3, 5), (3, 4)], names=["width", "h"])
    pd.testing.assert_series_equal(found, pd.Series([15, 12], expected))
    pd.testing.assert_index_equal(index, expected)


def test_return_param_index_needs_combinations():
    area = bp.parameterized(lambda x: x, keep=Total(), return_param_index=True)
    with pytest.raises(ParamError, match="return_param_index must be left out"):
        area(Param([1, 2]))


def test_iterated():
    square = bp.iterated(lambda i: i * i, keep=bp.top(2))
    found = square(4)
    pd.testing.assert_series_equal(found, pd.Series([9, 4], pd.Index([3, 2], name="i")))
    assert len(square(0)) == 0


def test_keep_and_merge_are_either_or():
    with pytest.raises(ParamError, match="merge_func must be left out with keep="):
        execute(tasks(float), keep=bp.top(1), merge_func="concat")
    with pytest.raises(ParamError, match="on_error must be 'raise' or 'skip'"):
        execute(tasks(float), keep=bp.top(1), on_error="record")
    with pytest.raises(ParamTypeError, match="keep must be a reducer"):
        execute(tasks(float), keep=10)
    with pytest.raises(ParamTypeError, match="keep must be a reducer"):
        execute(tasks(float), keep=Total)

    @bp.parameterized
    def annotated(x) -> "concat":  # noqa: F821
        return x

    assert annotated(Param([1, 2]), _keep=bp.top(1)).to_dict() == {2: 2}


def test_chunks_are_no_results():
    with pytest.raises(ParamError, match="keep must be left out of chunked"):
        bp.chunked(lambda x: x, keep=bp.top(1))(bp.Chunked([1, 2]))


@pytest.mark.parametrize(
    ("result", "keep", "words"),
    [
        ("1.0", bp.top(1), "must be a number"),
        (None, bp.top(1), "must be a number"),
        (1j, bp.top(1), "must be a number"),
        ([1.0], bp.top(1), "must be a number"),
        ({"a": 1}, bp.top(1), "name one of its figures: keep=top(1, by='…')"),
        ({"sharp": 1}, bp.top(1, by="sharpe"), "Did you mean 'sharp'"),
        ({"a": "x"}, bp.top(1, by="a"), "have one number 'a'"),
        (1.0, bp.top(1, by="a"), "Leave out by="),
        ({"a": [1.0, 2.0]}, bp.top(1, by="a"), "Return one number, or a mapping"),
        (np.ones(2), bp.top(1, by="a"), "Return one number, or a mapping"),
        (pd.Series({"b": 1}), bp.top(1, by="a"), "have the figure 'a'"),
        (Figures(1, 2), bp.histogram([0, 1], by="sharp"), "Did you mean 'sharpe'"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(result, keep, words):
    with pytest.raises(ParamError, match=re.escape(words)):
        execute(tasks(lambda k: result), keep=keep)


def test_arguments_of_reducers():
    for wrong in (0, 1.5, "3", None, True):
        with pytest.raises(ParamError, match="n must be"):
            bp.top(wrong)
    with pytest.raises(ParamError, match="range must be given"):
        bp.histogram(5)
    with pytest.raises(ParamError, match="range must be left out"):
        bp.histogram([0, 1], range=(0, 1))
    for edges in ([1], [1, 1], [2, 1], [0, np.nan], [0, np.inf], ["a", "b"], []):
        with pytest.raises(ParamError, match="bins must be"):
            bp.histogram(edges)
    with pytest.raises(ParamError, match="range must leave room"):
        bp.histogram(100, range=(1.0, np.nextafter(1.0, 2)))
    with pytest.raises(ParamError, match="by must be a string"):
        bp.top(1, by=3)
    assert repr(bp.top(3, by="x")) == "top(3, by='x')"
    assert repr(bp.bottom(3)) == "bottom(3)"
    assert repr(bp.histogram([0, 1.5])) == "histogram([0, 1.5])"


@pytest.mark.parametrize(
    "chunks", [{"mono_chunk_len": 4}, {"mono_chunk_meta": [[5, 0, 3], [1, 2, 4]]}]
)
@pytest.mark.parametrize(
    "pack",
    [
        lambda rows: np.array([one["x"] for one in rows]),
        lambda rows: [one["x"] for one in rows],
        lambda rows: tuple(one["x"] for one in rows),
        lambda rows: pd.Series([one["x"] for one in rows]),
    ],
    ids=["array", "list", "tuple", "series"],
)
def test_mono_chunks_are_taken_apart(chunks, pack):
    def scores(a, b):
        return pack([{"x": (left * 5 + right) % 7} for left, right in zip(a, b, strict=True)])

    found = bp.parameterized(scores, **chunks)(Param([1, 2, 3]), Param([4, 5]), _keep=bp.top(3))
    every = bp.parameterized(lambda a, b: (a * 5 + b) % 7, merge_func="concat")(
        Param([1, 2, 3]), Param([4, 5])
    )
    pd.testing.assert_series_equal(found, every.sort_values(ascending=False, kind="stable")[:3])


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize(
    "pack",
    [
        lambda a: {"x": np.array(a) % 3, "y": np.array(a)},
        lambda a: pd.DataFrame({"x": np.array(a) % 3, "y": np.array(a)}),
        lambda a: (
            {"x": [one % 3 for one in a], "y": a} if len(a) > 1 else {"x": a[0] % 3, "y": a[0]}
        ),
    ],
    ids=["dict", "frame", "lists"],
)
def test_figures_of_mono_chunks(size, pack):
    found = bp.parameterized(pack, mono_chunk_len=size)(Param(range(5)), _keep=bp.top(3, by="x"))
    expected = pd.DataFrame({"x": [2, 1, 1], "y": [2, 1, 4]}, pd.Index([2, 1, 4], name="a"))
    pd.testing.assert_frame_equal(found, expected)


def test_portfolios_of_mono_chunks():
    close = pd.Series(np.linspace(1, 2, 60) + np.sin(np.arange(60)) / 9)

    def backtest(fees):
        up = close > close.rolling(5).mean()
        return bp.PF.from_signals(close, up, ~up, fees=fees, bars_per_year=252)

    fees = Param([0.003, 0.001, 0.002])
    many = bp.parameterized(backtest, mono_n_chunks=1)(fees, _keep=bp.top(2, by="sharpe_ratio"))
    single = bp.parameterized(backtest)(fees, _keep=bp.top(2, by="sharpe_ratio"))
    pd.testing.assert_series_equal(many, single)
    assert many.index.to_list() == [0.001, 0.002]
    single = bp.parameterized(backtest, mono_chunk_len=1)(fees, _keep=bp.top(2, by="sharpe_ratio"))
    pd.testing.assert_series_equal(many, single)


def test_a_figure_that_portfolios_do_not_have():
    close = pd.Series(np.linspace(1, 2, 60))

    def backtest(fees):
        return bp.PF.from_signals(close, close > 1.5, close > 1.8, fees=fees)

    for options in ({}, {"mono_n_chunks": 1}):
        with pytest.raises(ParamError, match="Did you mean 'sharpe_ratio'"):
            bp.parameterized(backtest, keep=bp.top(1, by="sharp_ratio"), **options)(
                Param([0.001, 0.002])
            )


def test_mono_chunks_that_do_not_fit():
    for result in (1.0, [1.0], np.ones((2, 2)), {"x": 1.0}, None, "ab"):
        with pytest.raises(ParamError, match="one entry for each of the 2 combinations of mono-ch"):
            bp.parameterized(lambda a, r=result: r, mono_chunk_len=2)(
                Param([1, 2, 3, 4]), _keep=bp.top(1)
            )
    found = bp.parameterized(lambda a: NoResult if 1 in a else a, mono_chunk_len=2)(
        Param([1, 2, 3, 4]), _keep=bp.top(3)
    )
    assert found.to_dict() == {4: 4, 3: 3}


def test_a_failed_mono_chunk_names_its_combinations():
    def bad(a, b):
        raise ValueError("bad")

    with pytest.raises(bp.TaskError, match=r"3 combinations from a=1, b=1 to a=1, b=3"):
        bp.parameterized(bad, mono_chunk_len=3, keep=bp.top(1))(Param([1, 2]), Param([1, 2, 3]))


def test_callbacks_know_what_is_kept():
    seen = {}
    bp.parameterized(
        lambda a: a * 2,
        keep=bp.top(2),
        pre_execute_func=lambda index: seen.update(before=index),
        pre_execute_kwargs={"index": bp.Rep("param_index")},
        post_execute_func=lambda **known: seen.update(known),
        post_execute_kwargs={
            "results": bp.Rep("results"),
            "index": bp.Rep("param_index"),
            "product": bp.Rep("param_product"),
        },
    )(Param([1, 2, 3]))
    assert seen["before"].to_list() == [1, 2, 3]
    assert seen["results"].to_dict() == {3: 6, 2: 4}
    assert seen["index"].to_list() == [3, 2]
    assert seen["product"] == {"a": [3, 2]}


def test_the_bar_counts_combinations(monkeypatch):
    shown = []
    monkeypatch.setattr(
        "broadpeak._run.progress.ProgressBar.update", lambda self, n, failed=0: shown.append(n)
    )
    options = {"_show_progress": True, "_pbar_kwargs": {"disable": True}, "_keep": bp.top(1)}
    bp.parameterized(lambda a, b: 1)(Param(range(30)), Param(range(10)), **options)
    assert sum(shown) == 300
    bp.parameterized(lambda a, b: a)(
        Param(range(30)), Param(range(10)), _mono_chunk_len=7, **options
    )
    assert sum(shown) == 600


_LARGE = """
import resource, sys
import numba
import broadpeak as bp
bp.parameterized, bp.top, bp.Param

def peak():
    unit = 2**20 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit

def scatter(a, b):
    return (a * 2654435761 + b * 40503 + a * b) % 1000003

before = peak()
func = numba.njit(scatter) if sys.argv[1] == "compiled" else scatter
condition = sys.argv[2] or None
engine, folder = sys.argv[3:]
grid = bp.Param(range(10_000), condition=condition), bp.Param(range(1000))
to = f"{folder}/scores.parquet" if folder else None
sweep = bp.parameterized(func, keep=bp.top(1000), to=to, engine=engine, n_workers=2)
found = sweep(*grid)
print(len(found), found.iloc[0], peak() - before)
"""


def run_large(*arguments):
    command = [sys.executable, "-c", _LARGE, *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    n, best, added = run.stdout.split()
    assert (n, best) == ("1000", "1000002")
    assert float(added) < 300


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="peaks are known on Unix")
@pytest.mark.parametrize("condition", ["", "a < b * 11", "(a + b) % 10 > 0"])
@pytest.mark.parametrize("kind", ["compiled", "python"])
def test_ten_million_combinations_in_bounded_memory(kind, condition):
    run_large(kind, condition, "serial", "")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="peaks are known on Unix")
@pytest.mark.parametrize("engine", ["serial", "threadpool", "processpool"])
def test_ten_million_rows_of_a_file_in_bounded_memory(engine, tmp_path):
    pytest.importorskip("pyarrow")
    run_large("compiled", "", engine, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="peaks are known on Unix")
def test_ten_million_combinations_reduced_in_workers():
    run_large("compiled", "", "processpool", "")
