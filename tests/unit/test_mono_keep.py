# SPDX-License-Identifier: BSD-3-Clause
"""Sweeps with `keep=` that run as lists: the answer is that of single calls, to the bit."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import PF, Param
from broadpeak._merge.pieces import same_bits
from broadpeak._run.execute import run as run_tasks
from broadpeak._sweep import streaming
from broadpeak._sweep.mono import ListedCalls
from broadpeak.errors import NoResultsError, ParamError, TaskError

IBM = bp.Data.sample()["2008":"2009"].select("IBM")
GRID = {
    "fast": Param(range(3, 23), condition="fast < slow"),
    "slow": Param(range(5, 30, 2)),
}
N = 170
STOPS = [0.01, 0.03, 0.05]


def crossings(data, fast, slow):
    quick = data.run("bp:ma", fast, hide_params=True)
    calm = data.run("bp:ma", slow, hide_params=True)
    return quick.ma_crossed_above(calm), quick.ma_crossed_below(calm)


def plain(data, fast, slow):
    return PF.from_signals(data, *crossings(data, fast, slow), fees=0.001).sharpe_ratio


def counted(data, fast, slow):
    return PF.from_signals(data, *crossings(data, fast, slow)).num_trades


def importing(data, fast, slow):
    import math as mathematics

    import numpy.linalg  # noqa: F401

    from broadpeak import PF as Book  # noqa: N811

    up, down = crossings(data, fast, slow)
    return Book.from_signals(data, up, down, fees=mathematics.pi / 1000).sharpe_ratio


def portfolio(data, fast, slow):
    return PF.from_signals(data, *crossings(data, fast, slow), fees=0.001)


def stopped(data, fast, slow):
    up, down = crossings(data, fast, slow)
    return PF.from_signals(data, up, down, fees=0.001, sl_stop=bp.Param(STOPS))


def twice_stopped(data, fast, slow):
    up, down = crossings(data, fast, slow)
    stops = {"sl_stop": Param((0.02, 0.1)), "tp_stop": bp.Param([0.05, None, 0.3], name="target")}
    return PF.from_signals(data, up, down, **stops)


def ratios(data, fast, slow):
    return stopped(data, fast, slow).sharpe_ratio


def table(data, fast, slow):
    return stopped(data, fast, slow).metrics(["sharpe_ratio", "num_trades"])


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many combinations each call on lists had."""
    seen: list[int] = []
    real = ListedCalls._listed

    def listed(calls: ListedCalls) -> Any:
        seen.append(len(calls))
        return real(calls)

    monkeypatch.setattr(ListedCalls, "_listed", listed)
    return seen


def same(got: Any, want: Any) -> None:
    if isinstance(want, (pd.Series, pd.DataFrame)):
        assert same_bits(got, want), f"{got!r} is not {want!r}"
    else:
        assert repr(got) == repr(want)
        np.testing.assert_array_equal(got.counts, want.counts)


def reducers(by):
    return [
        bp.top(7, by=by),
        bp.bottom(1000, by=by),
        bp.histogram(9, range=(-2, 20), by=by),
    ]


@pytest.mark.parametrize(
    ("body", "by"),
    [
        (plain, None),
        (counted, None),
        (importing, None),
        (ratios, None),
        (portfolio, "sharpe_ratio"),
        (portfolio, "num_trades"),
        (stopped, "total_return"),
        (twice_stopped, "sharpe_ratio"),
    ],
)
def test_lists_keep_what_single_calls_keep(body, by, lists, caplog):
    caplog.set_level(logging.DEBUG, "broadpeak")
    for keep in reducers(by):
        del lists[:]
        sweep = bp.parameterized(body, keep=keep)
        got = sweep(IBM, **GRID)
        assert sum(lists) >= N
        assert not caplog.records
        same(got, sweep(IBM, **GRID, _mono=False))


@pytest.mark.parametrize(
    "engine", ["threadpool", pytest.param("processpool", marks=pytest.mark.engine)]
)
@pytest.mark.parametrize(("body", "by"), [(plain, None), (stopped, "sharpe_ratio"), (ratios, None)])
def test_every_engine_keeps_the_same(body, by, engine):
    for keep in reducers(by):
        sweep = bp.parameterized(body, keep=keep, n_workers=2)
        same(sweep(IBM, **GRID, _engine=engine), sweep(IBM, **GRID, _mono=False))


def test_what_is_kept_are_the_first_of_all_results(lists):
    for body, by in [
        (plain, None),
        (ratios, None),
        (stopped, "sharpe_ratio"),
        (table, "num_trades"),
    ]:
        figures = {plain: plain, table: lambda *args, **named: stopped(*args, **named).num_trades}
        every = bp.parameterized(figures.get(body, ratios), merge_func="concat")(IBM, **GRID)
        order = every[np.isfinite(every)].sort_values(ascending=False, kind="stable")[:9]
        got = bp.parameterized(body, keep=bp.top(9, by=by))(IBM, **GRID)
        got = got[by] if isinstance(got, pd.DataFrame) else got
        pd.testing.assert_series_equal(got, order.rename(by), check_exact=True)
    assert lists


def test_the_grid_comes_in_blocks(lists, monkeypatch):
    monkeypatch.setattr(bp._space.lazycombos, "MOST_HELD", 50)
    monkeypatch.setattr(bp._space.lazycombos, "_BLOCK", 16)
    held = []
    monkeypatch.setattr(bp._space.lazycombos.ComboBlocks, "_hold", lambda *_: held.append(1))
    grid = {"fast": Param(range(3, 18)), "slow": Param(range(18, 30))}
    sweep = bp.parameterized(plain, keep=bp.top(5))
    got = sweep(IBM, **grid)
    assert sum(lists) >= 180
    assert not held
    same(got, sweep(IBM, **grid, _mono=False))


def test_combinations_are_returned_too(lists):
    sweep = bp.parameterized(stopped, keep=bp.top(5, by="sharpe_ratio"), return_param_index=True)
    found, index = sweep(IBM, **GRID)
    assert index.equals(found.index)
    assert index.names == ["fast", "slow", "sl_stop"]
    assert lists


def test_true_and_mono_rules(lists):
    sweep = bp.parameterized(plain, keep=bp.top(5))
    want = sweep(IBM, **GRID, _mono=False)
    same(sweep(IBM, **GRID, _mono=True), want)
    assert lists
    with pytest.raises(ParamError, match="mono must not be False beside mono_chunk_len"):
        sweep(IBM, **GRID, _mono=False, _mono_chunk_len=3)
    with pytest.raises(ParamError, match="mono=True must get the same"):
        bp.parameterized(lambda x: 1.0 if x > 3 else 0.0, keep=bp.top(2), mono=True)(
            Param(range(20))
        )


def test_lists_that_differ_are_left(lists, caplog, monkeypatch):
    """A chunk whose results are not those of single calls ends it, and nothing of it is kept."""
    caplog.set_level(logging.DEBUG, "broadpeak")
    real = ListedCalls.part

    def part(calls):
        found = real(calls)
        if len(calls) > 20:
            state = found[0].state
            found[0] = found[0]._replace(state=state._replace(figures=state.figures + 1e-9))
        return found

    monkeypatch.setattr(ListedCalls, "part", part)
    sweep = bp.parameterized(stopped, keep=bp.top(1000, by="sharpe_ratio"))
    same(sweep(IBM, **GRID), sweep(IBM, **GRID, _mono=False))
    assert "other results" in caplog.text


def test_sums_that_differ_are_left(lists, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG, "broadpeak")
    real = PF._state_of

    def state_of(self, by, keep):
        state, n = real(self, by, keep)
        return (state._replace(missing=state.missing + (n == 2 * len(STOPS)))), n

    monkeypatch.setattr(PF, "_state_of", state_of)
    sweep = bp.parameterized(stopped, keep=bp.histogram(5, range=(-1, 1), by="sharpe_ratio"))
    same(sweep(IBM, **GRID), sweep(IBM, **GRID, _mono=False))
    assert "other results" in caplog.text


def test_the_second_run_begins_with_nothing(lists, monkeypatch):
    """Results of lists that are not to be trusted have left nothing behind."""
    states = []

    def do(*args, sink, **options):
        states.append(sink._reduction.state())
        return run_tasks(*args, sink=sink, **options)

    monkeypatch.setattr(streaming, "run", do)
    monkeypatch.setattr(ListedCalls, "_compare", lambda *_: (_ for _ in ()).throw(_unequal()))
    sweep = bp.parameterized(plain, keep=bp.histogram(5, range=(-1, 1)))
    got = sweep(IBM, **GRID)
    assert [int(state.counts.sum()) for state in states] == [0, 0]
    assert got.counts.sum() + got.below + got.above + got.missing == N


def _unequal():
    from broadpeak._sweep.mono import UnequalListError

    return UnequalListError("different")


def test_an_error_names_its_combination(lists):
    def stop_of(data, stop, slow):
        return PF.from_signals(data, *crossings(data, 3, slow), sl_stop=stop).sharpe_ratio

    def raised(**options):
        with pytest.raises(TaskError, match="sl_stop must be above 0") as caught:
            bp.parameterized(stop_of, keep=bp.top(3), **options)(IBM, **grid)
        return str(caught.value)

    stops = [0.1 + number / 100 for number in range(40)]
    stops[7] = -1.0
    grid = {"stop": Param(stops), "slow": Param(range(5, 10))}
    assert raised() == raised(mono=False)
    assert len(lists) > 1  # after the trial


# Results with several entries each --------------------------------------------------------------


def test_entries_of_a_series_and_a_frame():
    labels = pd.Index([0.1, 0.2], name="stop")

    def series(a):
        return pd.Series([a, -a], index=labels)

    def frame(a):
        return pd.DataFrame({"gain": [a, -a], "loss": [2.0 * a, 0.0]}, index=labels)

    values = Param([3, 1, 2])
    got = bp.parameterized(series, keep=bp.top(3))(a=values)
    want = pd.MultiIndex.from_tuples([(3, 0.1), (2, 0.1), (1, 0.1)], names=["a", "stop"])
    pd.testing.assert_series_equal(got, pd.Series([3, 2, 1], index=want))
    got = bp.parameterized(frame, keep=bp.bottom(2, by="gain"))(a=values)
    want = pd.MultiIndex.from_tuples([(3, 0.2), (2, 0.2)], names=["a", "stop"])
    pd.testing.assert_frame_equal(
        got, pd.DataFrame({"gain": [-3, -2], "loss": [0.0, 0.0]}, index=want)
    )
    got = bp.execute([bp.Task(series, n) for n in (1, 2)], keep=bp.top(2))
    assert got.index.tolist() == [(1, 0.1), (0, 0.1)]
    found = bp.parameterized(series, keep=bp.histogram([-5, 0, 5]))(a=values)
    assert found.counts.tolist() == [3, 3]


def test_ties_go_to_the_earlier_call_and_then_to_the_earlier_entry():
    def flat(a):
        return pd.Series([1.0, 1.0, math.nan], index=["x", "y", "z"])

    got = bp.parameterized(flat, keep=bp.top(3))(a=Param([7, 5]))
    assert got.index.tolist() == [(7, "x"), (7, "y"), (5, "x")]


@pytest.mark.parametrize(
    "results",
    [
        [pd.Series([1.0, 2.0]), pd.Series([1.0])],
        [pd.Series([1.0, 2.0]), pd.Series([1.0, 2.0], index=[1, 2])],
        [pd.Series([1.0, 2.0]), 1.0],
        [1.0, pd.Series([1.0, 2.0])],
        [1.0, pd.Series([1.0])],
        [pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]})],
    ],
)
def test_all_calls_have_the_same_entries(results):
    tasks = [bp.Task(results.__getitem__, at) for at in range(len(results))]
    by = "a" if isinstance(results[0], pd.DataFrame) else None
    for chunk_len in (1, 2):
        with pytest.raises((ParamError, bp.errors.ParamTypeError), match="result"):
            bp.execute(tasks, keep=bp.top(2, by=by), chunk_len=chunk_len)


def test_calls_without_a_result_leave_no_gap():
    def some(a):
        return bp.NoResult if a == 2 else pd.Series([a, 10 * a])

    got = bp.parameterized(some, keep=bp.top(4))(a=Param([1, 2, 3]))
    assert got.index.tolist() == [(3, 1), (1, 1), (3, 0), (1, 0)]
    with pytest.raises(NoResultsError, match="At least one call"):
        bp.parameterized(lambda a: bp.NoResult, keep=bp.top(4))(a=Param([1, 2, 3]))


def test_own_reducers_get_whole_results():
    class All:
        def start(self):
            return []

        def add(self, state, position, value):
            return [*state, (position, value.tolist())]

        def merge(self, left, right):
            return [*left, *right]

    got = bp.parameterized(lambda a: pd.Series([a, -a]), keep=All())(a=Param([1, 2]))
    assert sorted(got) == [(0, [1, -1]), (1, [2, -2])]


def test_a_sweep_streams_what_one_portfolio_of_all_pairs_streams(lists):
    windows = range(3, 18)
    pairs = [(fast, slow) for fast in windows for slow in windows if fast < slow]
    fast, slow = (list(side) for side in zip(*pairs, strict=True))
    want = stopped(IBM, fast, slow).metrics("sharpe_ratio", keep=bp.top(50))["sharpe_ratio"]
    grid = Param(windows, condition="fast < slow"), Param(windows)
    got = bp.parameterized(stopped, keep=bp.top(50, by="sharpe_ratio"))(IBM, *grid)
    np.testing.assert_array_equal(got.to_numpy(), want.to_numpy())
    assert [one[-1] for one in got.index] == [one[-1] for one in want.index]
    assert sum(lists) >= len(pairs)


@pytest.mark.slow
def test_memory_does_not_grow_with_combinations():
    """Twenty times as many results take no more memory than a list does."""
    code = """if 1:
        import resource
        import numpy as np
        import broadpeak as bp
        from tests.unit.test_mono_keep import IBM, crossings
        def body(data, fast, slow):
            up, down = crossings(data, fast, slow)
            return bp.PF.from_signals(data, up, down, sl_stop=bp.Param(stops))
        stops = np.linspace(0.01, 0.2, 200)
        sweep = bp.parameterized(body, keep=bp.top(100, by="sharpe_ratio"))
        peaks = []
        for n in (30, 200):
            windows = bp.Param(range(2, n), condition="fast < slow"), bp.Param(range(2, n))
            assert len(sweep(IBM, *windows)) == 100
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        print(peaks[1] - peaks[0])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 100  # their figures alone would be 31 MB, their summaries 500
