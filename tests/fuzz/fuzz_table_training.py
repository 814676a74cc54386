# SPDX-License-Identifier: BSD-3-Clause
"""Strategies, trainings, walk-forward, and the files they leave."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from fuzz_rows import EXECUTE_OPTIONS, Table, figures
from fuzz_world import swing

import broadpeak as bp
from broadpeak._training.strategy import StrategyRun

TABLE = Table()
row, method = TABLE.row, TABLE.method

# ------------------------------------------------------------------ training

_trade = lambda w: {"strategy": swing, "data": w.one}


@bp.strategy(lookback=15)
def both_ways(s: Any) -> None:
    """Trade each asset by a common and an own parameter."""
    days = s.optimize(4, 2, 6, 2, name="days")
    for _ in s.loop():
        change = bp.roc(s.close, days * s.optimize(1, 1, 2, 1, name="scale"))
        s.enter_long(bp.crossed_above(change, 0.0))
        s.exit_long(bp.crossed_below(change, 0.0))


_train_options = (*EXECUTE_OPTIONS, "no_such")
row(
    "strategy",
    {"func": swing.func, "lookback": 15},
    then=lambda w, s: callable(s) and bp.test(s, w.one),
)
row(
    "strategy(options)",
    {"lookback": 15},
    lambda w: lambda **o: bp.test(bp.strategy(**o)(swing.func), w.one),
    of=bp.strategy,
)
row("train", _trade, then=lambda w, t: (t.trials, t.curves, t.summary()), more=_train_options)
row(
    "train(genetic)",
    lambda w: {**_trade(w), "method": "genetic", "population": 4, "generations": 2},
    lambda _: bp.train,
)
row(
    "train(random)",
    lambda w: {**_trade(w), "method": "random", "n_evaluations": 3, "seed": 1},
    lambda _: bp.train,
)
row(
    "train(borrow)",
    lambda w: {"data": w.data, "method": "brute", "borrow": 0.5},
    lambda _: lambda **k: bp.train(both_ways, **k),
    then=lambda w, t: (t.trials, t.summary()),
)
row(
    "train(samples)",
    lambda w: {**_trade(w), "bar": "2D", "m": 2},
    lambda w: lambda bar, m, **k: bp.train(**k, samples=(bar, m)),
)
row("test", lambda w: {**_trade(w), "params": w.training}, then=figures)
row(
    "test(values)",
    {"days": 3.0, "scale": 1.0},
    lambda w: lambda **v: bp.test(swing, w.one, {"X": v}),
)
row("signals", lambda w: {**_trade(w), "params": w.training})
row(
    "walk_forward",
    lambda w: {**_trade(w), "cycles": 3},
    then=lambda w, r: (r.stats, repr(r)),
    more=("n_evaluations", *_train_options),
)
row(
    "stats.permutation_test",
    lambda w: {**_trade(w), "n": 2},
    more=("n_evaluations", *_train_options),
)
row(
    "validate",
    lambda w: {"result": w.training, "n_permutations": 2},
    then=lambda w, v: (str(v), repr(v), v.to_dict(), v._repr_html_()),
    more=_train_options,
)
for _owner in ("Training", "WalkForward"):
    row(
        f"{_owner}.verdict",
        {"n_permutations": 2, "alpha": 0.4},
        lambda w, name=_owner: (w.training if name == "Training" else w.walk).verdict,
        of=bp.validate,
    )
row(
    "validate(returns)",
    lambda w: {"returns": w.first["close"].pct_change(), "n_permutations": 2},
    lambda _: bp.validate,
    then=lambda w, v: (str(v), v.to_dict()),
)


def _inside(name: str) -> Callable[..., Any]:
    def call(*args: Any, **words: Any) -> Any:
        def own(s: Any) -> None:
            getattr(s, name)(*args, **words)

        bp.test(bp.strategy(lookback=5)(own), WORLD.one)
        bp.train(bp.strategy(lookback=5)(_with_parameter(own)), WORLD.one)

    return call


def _with_parameter(own: Callable[[Any], None]) -> Callable[[Any], None]:
    def strategy(s: Any) -> None:
        s.optimize(2, 1, 3, 1)
        own(s)

    return strategy


def _assigned(name: str) -> Callable[..., Any]:
    def call(value: Any) -> Any:
        def own(s: Any) -> None:
            setattr(s, name, value)
            s.enter_long(s.close > s.open)

        return bp.test(bp.strategy(lookback=5)(own), WORLD.one)

    return call


WORLD = SimpleNamespace()

_when = lambda w: {"when": w.entries.to_numpy()}
for _name in ("enter_long", "enter_short", "exit_long", "exit_short"):
    row(f"s.{_name}", _when, lambda w, n=_name: _inside(n), of=getattr(StrategyRun, _name))
row(
    "s.optimize",
    {"default": 3, "min": 1, "max": 5, "step": 1},
    lambda w: _inside("optimize"),
    of=StrategyRun.optimize,
)
row("s.loop", {"assets": ["X"], "algos": ["a"]}, lambda w: _looped, of=StrategyRun.loop)
row(
    "s.plot",
    lambda w: {"name": "a", "values": w.close.to_numpy()},
    lambda w: _inside("plot"),
    of=StrategyRun.plot,
)
row("s.fit", {"key": "a", "func": len}, lambda w: _fitted, of=StrategyRun.fit)
row("s.column", {"name": "close"}, lambda w: _inside("column"), of=StrategyRun.column)
row("s.other", {"symbol": "X"}, lambda w: _inside("other"), of=StrategyRun.other)
row("s.resample", {"rule": "W"}, lambda w: _inside("resample"), of=StrategyRun.resample)
row("s.stop_search", {}, lambda w: _inside("stop_search"), of=StrategyRun.stop_search)
for _name in ("stop", "take_profit", "trail", "lots", "lifetime"):
    row(f"s.{_name} =", {0: 1.0}, lambda w, n=_name: _assigned(n))


def _fitted(key: Any, func: Any) -> Any:
    def own(s: Any) -> None:
        s.fit(key, func)

    with_one = bp.strategy(lookback=5)(_with_parameter(own))
    return bp.test(with_one, WORLD.one, bp.train(with_one, WORLD.one))


def _looped(assets: Any, algos: Any) -> Any:
    def own(s: Any) -> None:
        for _ in s.loop(assets, algos):
            s.enter_long(s.close > s.open)

    return bp.test(bp.strategy(lookback=5)(own), WORLD.data)


for _name in ("chart", "step_curve"):
    method(
        f"Training.{_name}",
        getattr(bp.Training, _name),
        lambda w: w.training,
        {"parameter": "days"},
    )
for _name in ("heatmap", "surface", "table"):
    method(
        f"Training.{_name}",
        getattr(bp.Training, _name),
        lambda w: w.training,
        {"x": "days", "y": "scale"},
    )
for _name in ("to_par", "to_csv"):
    method(f"Training.{_name}", None, lambda w: w.training, lambda w: {"path": w.folder / "out.x"})
method(
    "Training.report",
    None,
    lambda w: w.training,
    lambda w: {"path": w.folder / "out.x", "verdict": False},
)
for _name in ("default_objective", "ensemble", "tables"):
    method(f"Training.{_name}", None, lambda w: w.training, {"component": None})
for _name in ("charts", "summary", "parameters"):
    method(f"Training.{_name}", None, lambda w: w.training, {})
method("WalkForward.step_curve", None, lambda w: w.walk, {"parameter": "days", "component": None})
method("WalkForward.chart", None, lambda w: w.walk, {"parameter": "days", "component": None})
method("WalkForward.to_par", None, lambda w: w.walk, lambda w: {"folder": w.folder / "pars"})
method(
    "WalkForward.report",
    None,
    lambda w: w.walk,
    lambda w: {"path": w.folder / "walk.html", "verdict": False},
)

# ------------------------------------------------------------------ files

row("read_par", lambda w: {"path": w.par})
row("Parameters[]", {0: "X"}, lambda w: w.parameters.__getitem__)
row("Parameters.write", lambda w: {"path": w.folder / "again.par"}, lambda w: w.parameters.write)
row("Parameters.text", {}, lambda w: w.parameters.text)
row(
    "Parameters",
    lambda w: {"components": w.parameters.components, "strategy": "x"},
    then=lambda w, p: p.text(),
)


def _with_store(name: str) -> Callable[..., Any]:
    def call(*args: Any, **words: Any) -> Any:
        store = bp.Store(WORLD.store)
        try:
            return getattr(store, name)(*args, **words)
        finally:
            store.close()

    return call


row("Store", lambda w: {"path": w.store}, then=lambda w, s: (s.runs(), s.close()))
row("Store.trials", {"run": 1}, lambda w: _with_store("trials"), of=bp.Store.trials)
row(
    "Store.searches",
    lambda w: {"data": w.one},
    lambda w: _with_store("searches"),
    of=bp.Store.searches,
)
row("Store.ledger", {"data": None}, lambda w: _with_store("ledger"), of=bp.Store.ledger)
row(
    "Store.export",
    lambda w: {"path": w.folder / "out.csv"},
    lambda w: _with_store("export"),
    of=bp.Store.export,
)
row("Store.runs", {}, lambda w: _with_store("runs"))
