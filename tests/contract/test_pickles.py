# SPDX-License-Identifier: BSD-3-Clause
"""What the library returns can be pickled and copied, here and in another process (joblib#666)."""

from __future__ import annotations

import copy
import functools
import pickle
import subprocess
import sys
import textwrap
import warnings

import cloudpickle
import joblib
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import Param

DATA = bp.Data.sample("IBM")["2005":"2007"]


@bp.strategy(lookback=60, name="known", fill="close")
def named(s):
    n = s.optimize(20, 10, 40, 10, name="n")
    s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, n)))
    s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, n)))


def closure(factor):
    @bp.strategy(lookback=60)
    def inner(s):
        n = s.optimize(20, 10, 40, 10, name="n") * factor
        s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, n)))
        s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, n)))

    return inner


class Callable:
    def __call__(self, s):
        named.func(s)


def plain(a, b):
    return 1.0 - abs(a - 2) - abs(b - 3)


swept = bp.parameterized(plain, merge_func="concat")


@bp.parameterized
def decorated(a, b=2):
    return a + b


@bp.iterated
def looped(i):
    return i


@bp.chunked(n_chunks=2)
def cut(x):
    return x


def trained(strategy, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bp.train(strategy, DATA, min_trades=1, **options)


def walked(strategy):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bp.walk_forward(strategy, DATA, cycles=2, split=0.6, min_trades=1)


@functools.cache
def training():
    return trained(closure(1), objective=lambda stats: stats.net, curves=True)


@functools.cache
def component():
    return training().components["IBM"]


RESULTS = {
    "strategy": (
        lambda: named,
        lambda one: (one.name, one.lookback, one.unstable_period, one.fill),
    ),
    "closure": (lambda: closure(2), lambda one: bp.test(one, DATA).total_return),
    "callable": (lambda: bp.strategy(Callable()), lambda one: bp.test(one, DATA).total_return),
    "training": (
        training,
        lambda one: (one.params, one.trials.to_csv(), one.settings.keys()),
    ),
    "named training": (lambda: trained(named), lambda one: (one.params, one.name)),
    "component": (component, lambda one: (one.params, one.objective)),
    "curve": (lambda: component().steps["n"], lambda one: one.table().to_csv()),
    "stats": (lambda: component().stats, repr),
    "walk-forward": (
        lambda: walked(closure(1)),
        lambda one: (one.params, one.cycles.to_csv(), one.stats.to_csv()),
    ),
    "tested": (lambda: bp.test(named, DATA), lambda one: one.stats().astype(str).to_csv()),
    "selection": (
        lambda: bp.select(swept(Param(range(5)), Param(range(5)))),
        lambda one: (one.params, one.score, one.region.to_csv()),
    ),
    "portfolio": (
        lambda: bp.PF.from_signals(DATA, DATA.close > 80, sl_stop=[0.1, 0.2]),
        lambda one: one.stats().to_csv(),
    ),
    "data": (lambda: DATA, lambda one: one.fingerprint()),
    "data of combinations": (
        lambda: bp.Data.sample().select(bp.types.ParamValues(["IBM", "AAPL", "IBM"])),
        lambda one: one.run("bp:ma", [2, 3, 4]).ma.tail().to_csv(),
    ),
    "indicator": (lambda: DATA.run("bp:ma", [3, 5]), lambda one: one.ma.to_csv()),
    "param": (lambda: Param([1, None], condition="x != 1", keys=["a", "b"]), repr),
    "grid": (lambda: bp.ParamGrid({"a": Param([1, 2], condition="a > 1"), "b": [3]}), list),
    "merge": (lambda: bp.MergeFunc("concat", wrap=False), repr),
    "rule": (lambda: bp.ChunkedArray(axis=1) | bp.ArraySizer(axis=1), repr),
    "wrapped value": (lambda: bp.Chunked([1, 2]), lambda one: one.value),
    "template": (lambda: bp.RepEval("a + 1"), repr),
    "costs": (lambda: bp.Costs(fees=0.01), repr),
    "selector": (lambda: bp.Hill(width=3), repr),
    "split": (
        lambda: bp.splits.PurgedKFold(3),
        lambda one: [fold[1].sum() for fold in one.split(range(9))],
    ),
    "task": (lambda: bp.Task(pow, 2, 3), lambda one: one()),
    "outcome": (lambda: bp.Outcome(3, "failed", error=ValueError("x")), repr),
    "error": (
        lambda: bp.TaskError("x", index=4, label="a=1"),
        lambda one: (str(one), one.index, one.label),
    ),
    "parameterized": (lambda: decorated, lambda one: one(Param([1, 2]))),
    "iterated": (lambda: looped, lambda one: one(3)),
    "chunked": (lambda: cut, lambda one: one(bp.Chunked([1, 2, 3]))),
}


@functools.cache
def made(name):
    return RESULTS[name][0]()


def by_joblib(one, folder):
    joblib.dump(one, folder / "one.joblib")
    return joblib.load(folder / "one.joblib")


WAYS = {
    "pickle": lambda one, _: pickle.loads(pickle.dumps(one)),
    "oldest protocol": lambda one, _: pickle.loads(pickle.dumps(one, 2)),
    "cloudpickle": lambda one, _: pickle.loads(cloudpickle.dumps(one)),
    "joblib": by_joblib,
    "copy": lambda one, _: copy.copy(one),
    "deepcopy": lambda one, _: copy.deepcopy(one),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", RESULTS)
def test_results_come_back_as_they_were(name, way, tmp_path):
    one, shown = made(name), RESULTS[name][1]
    again = WAYS[way](one, tmp_path)
    assert type(again) is type(one)
    assert shown(again) == shown(one)


def test_a_parameter_file_too(tmp_path):
    training().to_par(tmp_path / "one.par")
    parameters = bp.read_par(tmp_path / "one.par")
    assert pickle.loads(pickle.dumps(parameters)).params == parameters.params


def test_a_strategy_with_a_name_is_itself_again():
    assert pickle.loads(pickle.dumps(named)) is named
    assert pickle.loads(pickle.dumps(trained(named))).strategy is named
    other = copy.copy(named)
    other.lookback = 70
    assert named.lookback == 60


def test_user_functions_in_settings_come_along():
    again = pickle.loads(pickle.dumps(training()))
    assert again.settings["objective"](component().stats) == pytest.approx(component().stats.net)
    assert again.objective_name == training().objective_name
    assert copy.copy(training()).settings is training().settings


def test_a_training_survives_a_trusted_store(tmp_path):
    runs = []

    @bp.parameterized
    def train(min_trades):
        runs.append(min_trades)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bp.train(named, DATA, min_trades=min_trades)

    for _ in range(2):
        store = bp.Store(tmp_path / "runs.db", trust=True)
        # By a word, for what it counts its runs in is a part of what it reaches.
        first, second = train(Param([1, 2]), _store=store, _store_key="train")
        store.close()
    assert runs == [1, 2]
    assert first.params == trained(named).params
    assert isinstance(second, bp.Training)


WRITE = """
    import pickle, sys, warnings
    import broadpeak as bp
    from rules_of_mine import crossing

    warnings.simplefilter("ignore")
    data = bp.Data.sample("IBM")["2005":"2007"]

    @bp.strategy(lookback=60)
    def script(s):
        crossing.func(s)

    def made(n):
        return bp.strategy(lookback=60)(lambda s: crossing.func(s) if n else None)

    found = [bp.train(one, data, min_trades=1) for one in (crossing, script, made(1))]
    walk = bp.walk_forward(script, data, cycles=2, split=0.6, min_trades=1)
    with open("found.pickle", "wb") as file:
        pickle.dump((found, walk), file)
    print([one.params for one in found], walk.params)
"""
READ = """
    import pickle
    import broadpeak as bp

    with open("found.pickle", "rb") as file:
        found, walk = pickle.load(file)
    data = bp.Data.sample("IBM")["2005":"2007"]
    values = {bp.test(one.strategy, data, one).total_return for one in found}
    assert len(values) == 1, values
    bp.test(walk.strategy, data, walk.trainings[-1])
    print([one.params for one in found], walk.params)
"""
RULES = """
    import broadpeak as bp

    @bp.strategy(lookback=60)
    def crossing(s):
        n = s.optimize(20, 10, 40, 10, name="n")
        s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, n)))
        s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, n)))
"""


@pytest.mark.slow
def test_in_a_process_of_another_script(tmp_path):
    printed = []
    for name, text in {"rules_of_mine": RULES, "write": WRITE, "read": READ}.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    for name in ("write", "read"):
        line = [sys.executable, f"{name}.py"]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert printed[0] == printed[1]


@pytest.mark.engine
def test_what_the_user_changed_is_the_same_in_workers(monkeypatch):
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "LENGTH", 35, raising=False)
    here = trained(lengths)
    there = trained(lengths, engine="processpool", n_workers=1)
    pd.testing.assert_frame_equal(there.trials, here.trials)


LENGTH = 10


@bp.strategy(lookback=60)
def lengths(s):
    n = s.optimize(20, 10, 40, 10, name="n")
    s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, n + LENGTH)))
    s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, n)))
