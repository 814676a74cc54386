# SPDX-License-Identifier: BSD-3-Clause
"""``mono="auto"``: which sweeps run as lists, that nothing shows it, and what ends it."""

from __future__ import annotations

import inspect
import logging
import math
import pickle
import random
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import PF, Param
from broadpeak._merge.pieces import UnlikePieceError, same_bits, split_piece
from broadpeak._run.calls import Calls
from broadpeak._run.taskqueue import TaskQueue
from broadpeak._sweep import bodies
from broadpeak._sweep import mono as mono_module
from broadpeak._sweep.listable import NotListable
from broadpeak._sweep.mono import ListedCalls, MonoPlan

SAMPLE = bp.Data.sample()["2008":"2009"]
IBM = SAMPLE.select("IBM")
TWO = SAMPLE.select(["MSFT", "AAPL"])
GRID = {
    "fast": Param(range(3, 23), condition="fast < slow"),
    "slow": Param(range(5, 30, 2)),
}
FEES = {"fees": 0.001}
SEEN: list[Any] = []
TOTALS = np.ones(3)


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many combinations each call on lists had; none is given up for its time."""
    seen: list[int] = []
    real = ListedCalls.on_lists

    def on_lists(calls: ListedCalls) -> list[Any]:
        seen.append(len(calls))
        return real(calls)

    monkeypatch.setattr(ListedCalls, "on_lists", on_lists)
    monkeypatch.setattr(mono_module, "_SLOWER", math.inf)
    monkeypatch.setattr(mono_module, "_LONGEST", math.inf)
    return seen


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage().partition(": ")[2] for record in caplog.records]


def same(got: Any, want: Any) -> None:
    if isinstance(want, (tuple, list)):
        assert type(got) is type(want)
        assert len(got) == len(want)
        for pair in zip(got, want, strict=True):
            same(*pair)
    else:
        assert same_bits(got, want), f"{got!r} is not {want!r}"


# Bodies that take lists ------------------------------------------------------------------------


def plain(data, fast, slow):
    fast_ma = data.run("bp:ma", fast, hide_params=True)
    slow_ma = data.run("bp:ma", slow, hide_params=True)
    up, down = fast_ma.ma_crossed_above(slow_ma), fast_ma.ma_crossed_below(slow_ma)
    return PF.from_signals(data, up, down, fees=0.001).sharpe_ratio


def helped(data, fast, slow, *, fees=0.001):
    return _backtest(data, fast, slow, fees)[2].total_return


def _backtest(data, fast, slow, fees):
    averages = data.run("bp:ma", window=fast), data.run("bp:ma", window=slow)
    up = averages[0].ma_crossed_above(averages[1])
    down = averages[0].ma_crossed_below(averages[1])
    return up, down, PF.from_signals(data, up, down, fees=fees)


def many(data, fast, slow):
    up, down, pf = _backtest(data, fast, slow, FEES["fees"])
    return pf.sharpe_ratio, pf.num_trades, up.sum(), down.any()


def paths(data, fast, slow):
    up, _, pf = _backtest(data, fast, slow, 0.0)
    return pf.value, up, pf.returns


def joined(data, fast, slow):
    fast_rsi = data.run("bp:rsi", fast, hide_params=True)
    low, high = fast_rsi.rsi_crossed_below(slow), fast_rsi.rsi_crossed_above(70)
    spread = data.run("bp:ma", fast, hide_params=True, unpack=True)
    spread = spread - data.run("bp:ema", slow, hide_params=True).ema
    entries = low & ~high | (spread > 0.5).shift(1, fill_value=False)
    pf = PF.from_signals(data, entries, high)
    return pf.win_rate, spread.iloc[-1], spread.max(), entries.mean()


def stops(data, fast, slow):
    up = data.run("bp:ma", 10).ma_crossed_below(data.close)
    pf = PF.from_signals(data, up, sl_stop=fast, tp_stop=slow, stop_unit="price")
    return pf.total_return * 100 - 1


def array_functions(data, fast, slow):
    average = bp.sma(data.close, fast)
    entries = average.bp.crossed_above(slow)
    bands = bp.bbands(data.close, slow, 1.5)
    return entries.sum(), bands[0].iloc[-1], bp.crossed_below(data.close, slow).any()


def branches_on_what_all_share(data, fast, slow, *, is_short=False, fees=None):
    up, down, _ = _backtest(data, fast, slow, 0.0)
    if is_short:
        up, down = down, up
    settings = {} if fees is None else {"fees": fees}
    return PF.from_signals(data, up, down, **settings).sharpe_ratio


class Shop:
    """A method is a function as well."""

    def __init__(self, fees):
        self.fees = fees

    def profit(self, data, fast, slow):
        return _backtest(data, fast, slow, self.fees)[2].total_return


BODIES = [
    plain, helped, many, paths, joined, stops, array_functions, branches_on_what_all_share,
    Shop(0.002).profit,
]  # fmt: skip


@pytest.mark.parametrize("data", [IBM, TWO], ids=["one", "two"])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_lists_give_what_single_calls_give(body, data, lists, caplog):
    caplog.set_level(logging.DEBUG, "broadpeak")
    run = bp.parameterized(body)
    got = run(data, **GRID)
    assert reasons(caplog) == []
    assert lists
    assert sum(lists) > 150
    same(got, run(data, **GRID, _mono=False))
    assert sum(lists) < 200  # it did not run as lists


@pytest.mark.parametrize("merge", ["concat", "row_stack", "column_stack", "reset_column_stack"])
@pytest.mark.parametrize("data", [IBM, TWO], ids=["one", "two"])
def test_merges_do_not_see_it(merge, data, lists):
    run = bp.parameterized(many, merge_func=merge, return_param_index=True)
    (got, index), (want, labels) = run(data, **GRID), run(data, **GRID, _mono=False)
    assert lists
    same(got, want)
    pd.testing.assert_index_equal(index, labels)
    side = bp.parameterized(paths, merge_func="column_stack")
    same(side(data, **GRID), side(data, **GRID, _mono=False))


def test_a_merge_of_the_users_gets_single_results(lists):
    got = bp.parameterized(plain, merge_func=lambda results: [type(one) for one in results])
    assert set(got(IBM, **GRID)) == {float}
    assert lists


def test_symbols_of_their_own(lists):
    def of_symbol(data, symbol, fast, slow):
        return _backtest(data.select(symbol), fast, slow, 0.001)[2].sharpe_ratio

    run = bp.parameterized(of_symbol, merge_func="concat")
    grid = {"symbol": Param(SAMPLE.symbols), **GRID}
    same(run(SAMPLE, **grid), run(SAMPLE, **grid, _mono=False))
    assert sum(lists) > 500


@pytest.mark.parametrize("engine", ["serial", "threadpool"])
def test_other_engines(engine, lists):
    run = bp.parameterized(many, merge_func="concat")
    got = run(TWO, **GRID, _engine=engine, _n_workers=2)
    assert lists
    same(got, run(TWO, **GRID, _mono=False))


@pytest.mark.engine
def test_worker_processes_get_chunks():
    run = bp.parameterized(many, merge_func="concat")
    got = run(TWO, **GRID, _engine="processpool", _n_workers=2)
    same(got, run(TWO, **GRID, _mono=False))
    side = bp.parameterized(paths, merge_func="column_stack")
    same(
        side(IBM, **GRID, _engine="processpool", _n_workers=2),
        side(IBM, **GRID, _mono=False),
    )


def test_results_are_not_shared(lists):
    got = bp.parameterized(paths)(IBM, **GRID)
    first, second = got[5][0], got[6][0].copy()
    first.iloc[:] = 0.0
    pd.testing.assert_series_equal(got[6][0], second)
    assert not np.shares_memory(got[5][2].to_numpy(), got[6][2].to_numpy())
    assert lists


# Bodies that do not ----------------------------------------------------------------------------


def _with_ma(change):
    return lambda data, fast, slow: change(data.run("bp:ma", fast, hide_params=True).ma)


def catches(data, fast, slow):
    try:
        return plain(data, fast, slow)
    except ValueError:
        return 0.0


def writes(data, fast, slow):
    global SEEN  # noqa: PLW0603
    SEEN = []
    return plain(data, fast, slow)


def appends(data, fast, slow):
    SEEN.append(fast)
    return plain(data, fast, slow)


def prints(data, fast, slow):
    print("one")  # noqa: T201
    return plain(data, fast, slow)


def draws(data, fast, slow):
    return plain(data, fast, slow) * random.random()


def branches(data, fast, slow):
    if fast > 20:
        return math.nan
    return plain(data, fast, slow)


def loops(data, fast, slow):
    total = 0.0
    for fees in (0.0, 0.001):
        total = total + helped(data, fast, slow, fees=fees)
    return total


def adds_in_place(data, fast, slow):
    total = TOTALS
    total += 1.0
    return plain(data, fast, slow)


class Counted:
    """Notes every comparison."""

    def __gt__(self, other):
        SEEN.append(other)
        return True


def sets(data, fast, slow):
    data.last = fast
    return plain(data, fast, slow)


COUNTED = Counted()
NOT_LISTABLE = {
    "a list is repeated": lambda data, fast, slow: plain(data, fast * 2, slow),
    "lists are joined": lambda data, fast, slow: plain(data, fast + slow, slow),
    "lists are compared": lambda data, fast, slow: plain(data, min(fast, slow), slow + 1),
    "one of a list": lambda data, fast, slow: plain(data, [fast][0] if fast == 3 else 5, slow),
    "a choice": lambda data, fast, slow: plain(data, fast if fast else 1, slow),
    "half": lambda data, fast, slow: plain(data, fast // 2 + 1, slow),
    "text": lambda data, fast, slow: len(f"{fast}") * plain(data, fast, slow),
    "in": lambda data, fast, slow: plain(data, fast, slow) * (fast in (3, 4)),
    "float": lambda data, fast, slow: float(plain(data, fast, slow)),
    "a list of its own": lambda data, fast, slow: data.run("bp:ma", [fast, slow]).ma.iloc[-1],
    "across columns": _with_ma(lambda ma: ma.rank(pct=True).iloc[-1]),
    "a sum of floats": _with_ma(lambda ma: ma.sum()),
    "labels meet": lambda data, fast, slow: (
        data.run("bp:ma", fast).ma - data.run("bp:ma", slow).ma
    ).iloc[-1],
    "of all": lambda data, fast, slow: np.max(plain(data, fast, slow)),
    "division": lambda data, fast, slow: 1.0 / plain(data, fast, slow),
    "groups": lambda data, fast, slow: (
        PF.from_signals(data, data.close > fast, group_by=True).sharpe_ratio
    ),
    "not of parameters": lambda data, fast, slow: plain(data, 3, 5),
    "a portfolio": lambda data, fast, slow: _backtest(data, fast, slow, 0.0)[2],
    "no result of ours": lambda data, fast, slow: fast,
    "an array is written to": lambda data, fast, slow: (
        TOTALS.cumsum(0, None, TOTALS),
        plain(data, fast, slow),
    )[1],
    "a parameter inside a dict": lambda data, fast, slow: (
        data.close.fillna({0: fast}),
        plain(data, fast, slow),
    )[1],
    "objects that are compared": lambda data, fast, slow: (
        max([COUNTED, COUNTED]),
        plain(data, fast, slow),
    )[1],
    "what may be None": lambda data, fast, slow: (
        plain(data, fast, slow) if max([None]) is not None else random.random()
    ),
    "product": lambda data, fast, slow: data.run(
        "bp:bbands", fast, slow, param_product=True
    ).upper.iloc[-1],
    **{
        one.__name__: one
        for one in (catches, writes, appends, prints, draws, branches, loops, adds_in_place, sets)
    },
}


@pytest.mark.parametrize("name", NOT_LISTABLE)
def test_whatever_is_not_certain_runs_singly(name, lists, caplog, capsys):
    caplog.set_level(logging.DEBUG, "broadpeak")
    random.seed(1)
    body = NOT_LISTABLE[name]

    def outcome(**options: Any) -> Any:
        random.seed(1)
        SEEN.clear()
        try:
            return bp.parameterized(body)(IBM, **GRID, **options), list(SEEN)
        except Exception as error:
            return f"{type(error).__name__}: {error}", list(SEEN)

    got = outcome()
    assert lists == [], "a list was tried"
    assert len(reasons(caplog)) == 1
    want = outcome(_mono=False)
    assert repr(got) == repr(want)


def test_another_python_is_not_read(monkeypatch, lists, caplog):
    """It may mean something else by an instruction of the same name."""
    caplog.set_level(logging.DEBUG, "broadpeak")
    monkeypatch.setattr(bodies, "_IS_KNOWN", False)
    same(bp.parameterized(plain)(IBM, **GRID), bp.parameterized(plain)(IBM, **GRID, _mono=False))
    assert lists == []
    assert reasons(caplog) == ["this Python is not known"]


def test_signatures_that_give_two_parameters_one_name():
    def wrapper(data, one, *, fast):
        return plain(data, one, fast)

    assert bodies.read_body(wrapper, (IBM, 3), {"fast": 5}, [1, "fast"]).n_made > 0
    wrapper.__signature__ = inspect.signature(plain)
    with pytest.raises(NotListable, match="one name"):
        bodies.read_body(wrapper, (IBM, 3), {"fast": 5}, [1, "fast"])


def test_columns_that_would_meet_by_their_labels(lists, caplog):
    """Averages of 5 and 10 bars, against those of 10 and 5, would each meet their own."""
    caplog.set_level(logging.DEBUG, "broadpeak")

    def body(data, fast, slow):
        fast_ma, slow_ma = data.run("bp:ma", fast).ma, data.run("bp:ma", slow).ma
        return bp.crossed_above(fast_ma, slow_ma).sum()

    run = bp.parameterized(body)
    both = {"fast": Param([5, 10] * 10, level=0), "slow": Param([10, 5] * 10, level=0)}
    same(run(TWO, **both), run(TWO, **both, _mono=False))
    assert lists == []
    assert reasons(caplog) == ["columns of two parameters would meet by their labels"]
    same(run(IBM, **both), run(IBM, **both, _mono=False))
    assert lists, "without symbols they meet by position"

    def nested(data, fast, slow):
        fast_rsi = data.run("bp:rsi", fast)
        return bp.crossed_above(fast_rsi.rsi, bp.sma(data.run("bp:rsi", slow).rsi, fast)).sum()

    lists.clear()
    run = bp.parameterized(nested)
    same(run(IBM, **both), run(IBM, **both, _mono=False))
    assert lists == []


def test_calls_that_could_be_counted_are_not_changed(lists):
    def body(fast, slow):
        return fast - slow

    assert len(bp.parameterized(body)(**GRID)) > 100
    assert lists == []


@pytest.mark.parametrize(
    "options",
    [
        {"_on_error": "skip"},
        {"_retries": 1},
        {"_timeout": 60},
        {"_n_chunks": 2},
        {"_chunk_len": 50},
        {"_distribute": "chunks"},
        {"_post_chunk_func": print},
        {"_pre_execute_func": print},
        {"_mono": False},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_that_are_about_single_calls(options, lists, capsys):
    run = bp.parameterized(plain, merge_func="concat")
    same(run(IBM, **GRID, **options), run(IBM, **GRID, _mono=False))
    assert lists == []


def test_a_store_holds_single_results(tmp_path, lists):
    run = bp.parameterized(plain, merge_func="concat")
    grid = {"fast": Param(range(3, 11)), "slow": Param([20, 30])}
    same(run(IBM, **grid, _store=tmp_path / "a.store"), run(IBM, **grid))
    assert sum(lists) > 16 / 2  # of the second one


def test_few_combinations_are_not_worth_a_trial(lists):
    run = bp.parameterized(plain)
    assert len(run(IBM, fast=Param(range(3, 18)), slow=30)) == 15
    assert lists == []
    assert len(run(IBM, fast=Param(range(3, 19)), slow=30)) == 16
    assert lists


@pytest.mark.parametrize(
    "values",
    [[0, 0.5, True], [0, 0.5], [False, 0.5], [np.array(0.1), 0.2], [bp.Data, 0.1], [0.0, -0.0]],
    ids=repr,
)
def test_values_that_a_list_would_mix_up(values, lists):
    def body(data, stop, slow):
        entries = data.run("bp:ma", slow).ma_crossed_below(data.close)
        return PF.from_signals(data, entries, fees=stop).total_return

    run = bp.parameterized(body)
    grid = {"stop": Param(values * 3), "slow": Param([20, 30, 40, 50])}

    def outcome(**options: Any) -> Any:
        try:
            return run(IBM, **grid, **options)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    assert repr(outcome()) == repr(outcome(_mono=False))
    assert lists == []


# What ends it ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [0, 37, 100, 239])
def test_an_error_names_its_combination(bad, lists):
    values = list(range(3, 243))
    values[bad] = -1
    run = bp.parameterized(plain)
    errors = []
    for option in ("auto", False):
        with pytest.raises(bp.TaskError, match=f"Call {bad} ") as raised:
            run(IBM, fast=Param(values), slow=30, _mono=option)
        errors.append(raised.value)
    assert str(errors[0]) == str(errors[1])
    assert errors[0].index == errors[1].index == bad
    with pytest.raises(bp.ParamError, match="window"):
        errors[0].rerun()


def test_a_chunk_that_differs_ends_it(monkeypatch, caplog, lists):
    """No rule is trusted: what a list gives is compared in every chunk."""
    caplog.set_level(logging.DEBUG, "broadpeak")
    real, n_calls = split_piece, []

    def wrong(piece, n, sample):
        n_calls.append(n)
        values = real(piece, n, sample)
        return values if len(n_calls) < 3 else [value + 1e-16 + abs(value) for value in values]

    monkeypatch.setattr(mono_module, "split_piece", wrong)
    run = bp.parameterized(plain, merge_func="concat")
    got = run(IBM, **GRID)
    assert len(n_calls) == 3
    assert reasons(caplog) == ["a list gives other results than single calls"]
    same(got, run(IBM, **GRID, _mono=False))


def test_a_trial_that_differs_ends_it(monkeypatch, caplog):
    caplog.set_level(logging.DEBUG, "broadpeak")
    monkeypatch.setattr(mono_module, "split_piece", lambda piece, n, sample: [0.0] * n)
    run = bp.parameterized(plain, merge_func="concat")
    got = run(IBM, **GRID)
    assert reasons(caplog) == ["a list gives other results than single calls"]
    same(got, run(IBM, **GRID, _mono=False))


def test_lists_that_raise_are_left(monkeypatch, caplog, lists):
    """An error of a list alone changes nothing, and after two of them no third one is tried."""
    caplog.set_level(logging.DEBUG, "broadpeak")
    real, n_calls = split_piece, []

    def raises(piece, n, sample):
        n_calls.append(n)
        if len(n_calls) > 1:
            raise RuntimeError("no room")
        return real(piece, n, sample)

    monkeypatch.setattr(mono_module, "split_piece", raises)
    run = bp.parameterized(plain, merge_func="concat")
    got = run(IBM, **GRID)
    assert len(n_calls) == 3
    assert reasons(caplog) == ["lists raise RuntimeError: no room"]
    same(got, run(IBM, **GRID, _mono=False))


def test_lists_that_are_slower_are_left():
    plan = MonoPlan("body", insists=False, bytes_each=8.0)
    plan.single_seconds = 0.001
    for n, seconds, is_on in [
        (100, 9.0, True),  # perhaps it compiled something
        (100, 0.2, True),
        (200, 0.2, True),  # half as long for each
        (100, 0.1, True),
        (1, 0.015, True),  # too short to tell
        (100, 0.4, True),
        (100, 0.2, True),
        (100, 0.2, True),
        (100, 0.2, False),
    ]:
        plan.measured(n, seconds, None)
        assert plan.is_on is is_on


def test_chunks_fit_the_memory(monkeypatch, lists):
    monkeypatch.setattr(mono_module, "_room", lambda: 8.0 * len(IBM) * 5 * 10)
    monkeypatch.setattr(mono_module, "_memory", lambda *, peak=False: None)
    run = bp.parameterized(plain, merge_func="concat")
    got = run(IBM, **GRID)
    assert max(lists) == 10  # five tables a combination
    same(got, run(IBM, **GRID, _mono=False))


def test_what_a_chunk_took_counts_for_the_next_one(monkeypatch):
    monkeypatch.setattr(mono_module, "_room", lambda: 1000.0)
    plan = MonoPlan("body", insists=False, bytes_each=100.0)
    assert plan.most() == 10
    plan.measured(10, 0.0, 200.0)
    assert plan.most() == 50
    plan.measured(
        50, 0.0, 1e9
    )  # what the process had before counts as well: no more than the guess
    assert plan.most() == 10
    plan.measured(10, 0.0, 1e4)
    assert plan.most() == 10


def test_a_batch_of_lists_may_take_longer():
    calls = ListedCalls.over(powers(), MonoPlan("pow", insists=False, bytes_each=8.0))
    assert TaskQueue(calls, []).seconds == calls.seconds > TaskQueue(powers(), []).seconds


def powers():
    return Calls(pow, varying={0: ([2, 3], [0, 1, 1]), 1: (range(5), [1, 2, 4])})


def test_calls_on_lists_are_calls():
    plan = MonoPlan("pow", insists=False, bytes_each=8.0)
    plan.is_on = False
    calls = ListedCalls.over(powers(), plan)
    assert list(calls.results()) == [2, 9, 81]
    assert [task() for task in calls] == [2, 9, 81]
    assert calls[-1]() == 81
    assert calls[1:].numbers() == calls.pick([1, 2]).numbers() == [1, 2]
    there = pickle.loads(pickle.dumps(calls[1:]))
    assert (there.numbers(), list(there.results())) == ([1, 2], [9, 81])
    again = pickle.loads(pickle.dumps(calls.pick([2])))
    assert again._plan is there._plan, "a process has one plan for a run"
    plan.known[1] = "known"
    assert list(calls.results()) == [2, "known", 81]


# The option ------------------------------------------------------------------------------------


def test_true_tries_any_function(lists):
    def body(x):
        return np.array(x) * 2.0 if isinstance(x, list) else np.float64(x) * 2.0

    got = bp.parameterized(body, mono=True, merge_func="concat")(Param(range(100)))
    assert sum(lists) > 90
    same(got, bp.parameterized(body, merge_func="concat")(Param(range(100))))
    assert bp.parameterized(body)(Param([1]), _mono=True) == [2.0]  # one alone is no list


@pytest.mark.parametrize(
    ("body", "options", "why"),
    [
        (lambda x: x * 2, {}, "it returns list for a list, int for one combination"),
        (lambda x: np.zeros(len(x)) if isinstance(x, list) else 1.0, {}, "other results"),
        (float, {}, "a list raises TypeError"),
        (lambda x: (x, x) if isinstance(x, list) else x, {}, "it returns tuple for a list"),
        (lambda x: x, {"_retries": 1}, "retries is given"),
    ],
)
def test_true_says_why_not(body, options, why):
    with pytest.raises(bp.ParamError, match=f"mono=True must get the same .*{re.escape(why)}"):
        bp.parameterized(body)(Param(range(20)), _mono=True, **options)


def test_errors_of_single_calls_do_not_show_why_there_are_no_lists(caplog):
    def body(x):
        return 1 // (x - 7)

    sweep = bp.parameterized(body)
    caplog.set_level("DEBUG", "broadpeak")
    with pytest.raises(bp.TaskError, match="Call 7 ") as found:
        sweep(Param(range(20)))
    assert "body runs one combination at a time: it does - with" in caplog.text
    told, error = [], found.value
    while error is not None:
        told.append(type(error).__name__)
        error = error.__cause__ or error.__context__
    assert told == ["TaskError", "ZeroDivisionError"]


def test_the_reason_is_in_words(caplog):
    seen = {}

    def writes(x):
        seen["x"] = 1
        return IBM.run("bp:ma", x).ma

    def walks(x):
        for _ in range(2):
            found = IBM.run("bp:ma", x).ma
        return found

    def tells(x):
        return f"{IBM}", IBM.run("bp:ma", x).ma

    with caplog.at_level("DEBUG", "broadpeak"):
        for body in (writes, walks, tells):
            bp.parameterized(body)(Param(range(2, 20)))
    said = [message.partition(": ")[2] for message in caplog.messages]
    assert said == ["it writes to an item", "it has a loop", "it makes text"]


def test_true_says_so_in_a_later_chunk():
    """The trial sees 5 of 500 combinations, and the chunks ten more of them."""

    def body(x):
        if isinstance(x, list):
            return np.array([0.0 if len(x) > 50 else one for one in x], dtype=float)
        return np.float64(x)

    with pytest.raises(bp.ParamError, match="a list gives other results"):
        bp.parameterized(body)(Param(range(1, 501)), _mono=True)

    def fails(x):
        if isinstance(x, list) and len(x) > 50:
            raise OSError("too many")
        return np.array(x, dtype=float) if isinstance(x, list) else np.float64(x)

    with pytest.raises(bp.ParamError, match="a list raises OSError: too many, and single calls"):
        bp.parameterized(fails)(Param(range(1, 501)), _mono=True)


def test_true_leaves_errors_of_single_calls_alone():
    def body(x):
        return np.array(x) / 1 if isinstance(x, list) else np.float64(1 / (x - 7))

    with pytest.raises(bp.TaskError, match="Call 7 "):
        bp.parameterized(body)(Param(range(15)), _mono=True)


@pytest.mark.parametrize("value", ["Auto", 1, None, "yes", np.array(["auto"])], ids=repr)
def test_other_values_are_refused(value):
    with pytest.raises(bp.ParamError, match="mono must be one of 'auto', True, False"):
        bp.parameterized(plain)(IBM, **GRID, _mono=value)


def test_rules_for_chunks_take_its_place(lists):
    pieces = bp.parameterized(plain, mono=False)(IBM, **GRID, _mono_chunk_len=100)
    assert [len(piece) for piece in pieces] == [100, 70]
    run = bp.parameterized(plain, mono_chunk_len=100)
    assert len(run(IBM, **GRID, _mono=False)) == 170
    assert lists == []
    assert len(run(IBM, **GRID, _mono="auto")) == 170
    assert lists
    assert len(bp.parameterized(plain, mono=True, mono_chunk_len=100)(IBM, **GRID)) == 2
    with pytest.raises(bp.ParamError, match="mono must not be False beside mono_chunk_len"):
        bp.parameterized(plain)(IBM, **GRID, _mono=False, _mono_chunk_len=3)


# Pieces ----------------------------------------------------------------------------------------


def test_pieces_that_do_not_fit_are_refused():
    index = pd.date_range("2024", periods=3)
    frame = pd.DataFrame(np.arange(6.0).reshape(3, 2), index=index)
    series = frame[0].rename("IBM")
    got = split_piece(frame, 2, series)
    assert [part.name for part in got] == ["IBM", "IBM"]
    assert [part.tolist() for part in got] == [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]
    wide = split_piece(pd.concat([frame, frame + 1], axis=1), 2, frame)
    same(wide, [frame, frame + 1])
    entries = split_piece(pd.Series([1.0, 2.0, 3.0, 4.0]), 2, pd.Series([0.0, 0.0], ["a", "b"]))
    same(entries[1], pd.Series([3.0, 4.0], ["a", "b"]))
    array = split_piece(np.arange(6.0).reshape(3, 2), 2, np.zeros(3))
    same(array[1], np.array([1.0, 3.0, 5.0]))
    for piece, n, sample in [
        (frame, 3, series),
        (frame, 2, series.astype(int)),
        (frame.set_axis([1, 2, 3]), 2, series),
        (frame.astype({0: int}), 2, series),
        (series, 3, True),
        (series, 2, 1.0),
        (series, 3, None),
        (series, 3, "a"),
        (frame, 2, 1.0),
        (frame, 2, (series, series)),
        ((frame,), 2, (series, series)),
        (pd.Series([1, 2, 3]), 3, 1.0),
        (np.zeros((3, 2)), 2, np.zeros(4)),
        (np.zeros(3), 3, np.zeros(1)),
        (np.zeros((3, 4)), 2, np.zeros((3, 3))),
        (pd.Series(["a", "b"]), 1, pd.Series(["a", "b"])),
        ([1.0, 2.0], 2, 1.0),
    ]:
        with pytest.raises(UnlikePieceError, match="returns"):
            split_piece(piece, n, sample)


def test_the_same_is_the_same_to_the_bit():
    index = pd.date_range("2024", periods=2, freq="D")
    series = pd.Series([0.1, np.nan], index=index, name="a")
    twins = [series, series.to_frame(), series.to_numpy(), (series, 1), 1, True, np.int8(3)]
    for one in twins:
        assert same_bits(one, one)
    assert same_bits(series, series.copy())
    for other in [
        series.rename("b"), series.astype(np.float32), series + 0.1, series.set_axis([0, 1]),
        series.set_axis(index._with_freq(None)), series.to_frame(), -series,
        series.rename_axis("x"),
        series[:1],
    ]:  # fmt: skip
        assert not same_bits(series, other)
    for one, other in [(0.0, -0.0), (1, 1.0), (True, 1), (1.0, np.float64(1)), ((1,), (1, 1)),
                       (1.0, math.nextafter(1.0, 2)), ("a", "a"), (None, None)]:  # fmt: skip
        assert not same_bits(one, other)
    assert same_bits(math.nan, -math.nan)
