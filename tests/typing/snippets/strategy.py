# SPDX-License-Identifier: BSD-3-Clause
"""What an editor knows in a strategy file. Nothing here runs: mypy reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt
import pandas as pd

import broadpeak as bp

Floats = npt.NDArray[np.float64]


@bp.strategy(lookback=540)
def trend(s: bp.StrategyRun) -> None:
    assert_type(s.close, Floats)
    assert_type(s.price, Floats)
    assert_type(s.index, pd.Index[Any])
    assert_type(s.mode, str)
    assert_type(s.asset, str | None)
    cycle = s.optimize(30, 10, 100, 5, name="cycle")
    assert_type(cycle, float)
    s.stop = bp.atr(s.high, s.low, s.close, 10) * s.optimize(3, 1, 10, 0.5, -3, name="stop")
    s.lots = 2
    fast, slow = bp.sma(s.price, cycle), bp.sma(s.price, cycle * 3)
    assert_type(fast, Floats)
    s.plot("fast", fast)
    s.enter_long(bp.crossed_above(fast, slow), take_profit=3.0)
    s.enter_short(bp.crossed_below(fast, slow), lifetime=20)
    assert_type(s.stop_search(), None)


@bp.strategy
def by_component(s: bp.StrategyRun) -> None:
    for asset, algo in s.loop(["A", "B"], ["long", "short"]):
        assert_type(asset, str)
        assert_type(algo, str | None)


def steady(stats: bp.Stats) -> float:
    assert_type(stats.net, float)
    assert_type(stats.num_trades, int)
    return stats.net / max(1.0, stats.drawdown_max)


data = bp.Data.sample("IBM")
training = bp.train(trend, data, passes=2, min_trades=30, objective=steady, select=bp.Hill(width=3))
assert_type(training, bp.Training)
assert_type(training.params, dict[str, dict[str, float]])
assert_type(training.components["IBM"].objective, float)
assert_type(training.components["IBM"].at_edge, dict[str, bool])
assert_type(training.trials, pd.DataFrame)
assert_type(training.summary(), pd.DataFrame)
assert_type(training.to_par("trend.par"), Path)
assert_type(training.report("trend.html"), Path)

tested = bp.test(trend, data, training, costs=bp.Costs(spread=0.02))
assert_type(tested, bp.Portfolio)
assert_type(bp.test(trend, data, "trend.par"), bp.Portfolio)
assert_type(tested.sharpe_ratio, "float | pd.Series[Any]")
assert_type(bp.signals(trend, data, "trend.par"), pd.DataFrame)
assert_type(bp.read_par("trend.par"), bp.Parameters)

walk = bp.walk_forward(trend, data, cycles=6, split=0.85, engine="processpool")
assert_type(walk.cycles, pd.DataFrame)
assert_type(walk.portfolio, bp.Portfolio)
assert_type(walk.trainings, tuple[bp.Training, ...])

objective: dict[str, Any] = {name: bp.objectives[name] for name in bp.objectives}
permuted = bp.stats.permutation_test(trend, data, n=100)
assert_type(permuted.p_value, float)
assert_type(permuted.stopped, bool)
