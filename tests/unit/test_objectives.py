# SPDX-License-Identifier: BSD-3-Clause
"""The menu of objectives."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

import broadpeak as bp
from broadpeak._training.objective import resolve_objective
from broadpeak.errors import ParamError

RUN = bp.Stats(
    num_win=5, num_loss=5, win_total=100.0, loss_total=60.0, win_max=40.0, loss_max=20.0,
    drawdown_max=16.0, return_mean=0.25, return_std=0.5, return_r2=0.5, trade_mean=4.0,
    trade_std=8.0,
)  # fmt: skip


def test_prr_vectors():
    assert bp.objectives.prr(RUN) == pytest.approx(0.644313, abs=5e-7)
    few_losses = bp.Stats(
        num_win=9, num_loss=1, win_total=90, loss_total=10, win_max=20, loss_max=10
    )
    assert bp.objectives.prr(few_losses) == pytest.approx(3.313595, abs=5e-7)
    assert bp.objectives.prr(bp.Stats(num_win=12, win_total=100)) == pytest.approx(36.49, abs=0.005)
    assert bp.objectives.prr(bp.Stats(num_win=1, num_loss=9, win_total=100)) == 0


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("prr", 0.644313),
        ("profit", 40),
        ("profit_factor", 100 / 60),
        ("calmar", 2.5),
        ("sharpe", 0.5),
        ("sqn", math.sqrt(10) / 2),
        ("r2", 0.5),
        ("r2_prr", 0.3221565),
        ("binary", 1),
    ],
)
def test_menu(name, score):
    assert bp.objectives[name](RUN) == pytest.approx(score, abs=5e-7)
    assert getattr(bp.objectives, name)(RUN) == pytest.approx(score, abs=5e-7)
    assert resolve_objective(name, 5)(RUN) == pytest.approx(score, abs=5e-7)
    assert resolve_objective(name, 11)(RUN) == 0
    assert resolve_objective(name, 0)(bp.Stats()) == 0


def test_mapping():
    names = ["prr", "profit", "profit_factor", "calmar", "sharpe", "sqn", "r2", "r2_prr", "binary"]
    assert list(bp.objectives) == list(bp.objectives.keys()) == list(dict(bp.objectives)) == names
    assert len(bp.objectives) == 9
    assert "prr" in bp.objectives
    assert "best" not in bp.objectives
    assert dict(bp.objectives)["prr"] is bp.objectives.prr
    with pytest.raises(ParamError, match="Did you mean 'sharpe'") as caught:
        bp.objectives["sharp"]
    assert isinstance(caught.value, KeyError)
    assert bp.objectives.get("sharp") is None
    assert bp.objectives.get("sharp", 5) == 5


def test_edge_values():
    assert bp.objectives.profit_factor(bp.Stats(num_win=6, win_total=3)) == 10
    assert bp.objectives.profit_factor(bp.Stats(num_loss=6)) == 0
    assert bp.objectives.calmar(bp.Stats(num_win=6, win_total=3, drawdown_max=0.1)) == 3
    assert bp.objectives.profit(bp.Stats(num_loss=6, loss_total=3)) == -3
    assert bp.objectives.sharpe(bp.Stats(num_win=6, return_mean=1)) == 0


def test_own_function():
    own = resolve_objective(lambda stats: stats.net / 2, min_trades=1000)
    assert own(RUN) == 20
    assert resolve_objective(lambda stats: True)(RUN) == 1.0
    with pytest.raises(ParamError, match=r"objective mine must return a number, got None"):
        resolve_objective(mine)(RUN)


def test_the_three_of_the_manual():
    """Written as functions of one's own they are the named ones."""

    def calmar(stats):
        return (stats.win_total - stats.loss_total) / max(1, stats.drawdown_max)

    def sharpe(stats):
        if not stats.num_win and not stats.num_loss:
            return 0.0
        return stats.return_mean / stats.return_std

    def binary(stats):
        wins = stats.num_win_long + stats.num_win_short
        return wins / max(1, stats.num_loss_long + stats.num_loss_short)

    data = bp.Data.sample("IBM")["2008":]

    @bp.strategy(lookback=60)
    def momentum(s):
        days = s.optimize(20, 10, 50, 10, name="days")
        s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
        s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))

    for own in (calmar, sharpe, binary):
        written = bp.train(momentum, data, objective=own)
        named = bp.train(momentum, data, objective=own.__name__)
        np.testing.assert_allclose(written.trials["objective"], named.trials["objective"])
        assert written.params == named.params
        assert own(bp.Stats()) == 0


def mine(stats):
    return None


def test_own_name_keeps_min_trades():
    assert resolve_objective(bp.objectives.profit, 11)(RUN) == 0


def test_named_objectives_travel():
    assert pickle.loads(pickle.dumps(resolve_objective("prr", 5)))(RUN) == bp.objectives.prr(RUN)


def test_bad_objectives():
    with pytest.raises(ParamError, match="objective must be one of 'prr'"):
        resolve_objective("pr2x")
    with pytest.raises(ParamError, match="objective must be one of"):
        resolve_objective(5)
    for bad in (-1, "many", math.nan, None):
        with pytest.raises(ParamError, match="min_trades must be a finite number"):
            resolve_objective("prr", bad)


def test_stats_are_frozen_and_know_their_sums():
    with pytest.raises(AttributeError, match="net"):
        RUN.net = 5
    assert (RUN.net, RUN.num_trades, RUN.win_rate, RUN.expectancy) == (40, 10, 0.5, 4)
    assert math.isnan(bp.Stats().win_rate)
    assert bp.Stats(net=3.0).net == 3
    assert list(RUN.as_dict())[:2] == ["num_win", "num_loss"]


def test_optimal_f():
    assert bp.optimal_f([10, -5, 8, -4, 12, -6, 7, -5, 9, -3]) == pytest.approx(0.313, abs=5e-4)
    assert bp.optimal_f([1, -2]) == bp.optimal_f([]) == bp.optimal_f([0, 0]) == 0
    assert bp.optimal_f([1, 2]) == 1
    assert bp.optimal_f([1, -1, 1e-9]) == 0.001
    assert bp.optimal_f([1e9, 1e9, -1]) == pytest.approx(2 / 3)
    for bad in ([1, math.nan], "trades", [[1, 2]]):
        with pytest.raises(ParamError, match="sequence of finite results"):
            bp.optimal_f(bad)
