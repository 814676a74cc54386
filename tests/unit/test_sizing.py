# SPDX-License-Identifier: BSD-3-Clause
"""How large trades are: what is decided, what is refused, and what is told."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._training.sizing import Budget, Sizing

INDEX = pd.date_range("2020-01-01", periods=60, freq="D")
UP_AND_DOWN = np.concatenate(
    [np.full(20, 100.0), np.linspace(100, 400, 10), np.linspace(400, 50, 20), np.full(10, 60.0)]
)


def data_of(close: Any) -> bp.Data:
    index = INDEX if len(close) == 60 else pd.date_range("2020-01-01", periods=len(close))
    return bp.Data.from_frames({"X": pd.DataFrame({"close": close}, index)})


DATA = data_of(UP_AND_DOWN)


def at(bars: dict[str, list[int]], **settings: Any) -> bp.Strategy:
    """Return a strategy that orders at these bars."""

    @bp.strategy(lookback=2)
    def run(s: bp.StrategyRun) -> None:
        for name, when in bars.items():
            order = getattr(s, name)
            given = settings if name.startswith("enter") else {}
            order(np.isin(np.arange(len(s.close)), when), **given)

    return run


ONE_LONG = {"enter_long": [5], "exit_long": [45]}


def test_what_is_decided() -> None:
    plain, sized = at(ONE_LONG), at(ONE_LONG, lots=3)

    @bp.strategy(lookback=2)
    def assigned(s: bp.StrategyRun) -> None:
        s.lots = 1000 / s.close
        s.enter_long(np.arange(len(s.close)) == 5)

    def facts(strategy: bp.Strategy, **options: Any) -> dict[str, Any]:
        found = bp.test(strategy, DATA, check=False, **options)
        assert found.components["X"].facts["sizing"] == found.facts["sizing"]
        return {name: found.facts[name] for name in ("sizing", "capital", "whole")}

    assert facts(plain) == {"sizing": "money", "capital": 10_000, "whole": False}
    assert facts(plain, whole=True, capital=500)["whole"] is True
    assert facts(sized)["sizing"] == facts(assigned)["sizing"] == "script"
    assert facts(sized)["capital"] == 300
    assert facts(assigned)["capital"] == 1000
    assert facts(sized, sizing="unit") == {"sizing": "unit", "capital": 100, "whole": False}
    assert facts(assigned, sizing="equity")["capital"] == 10_000
    trades = bp.test(assigned, DATA, check=False, sizing="money").trades
    assert trades["size"].item() == 100


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sizing": "equty"}, "Did you mean 'equity'"),
        ({"sizing": 3}, "sizing must be one of 'unit', 'script', 'money', 'equity'"),
        ({"sizing": "unit", "whole": True}, 'Pass sizing="money" or sizing="equity" with it'),
        ({"whole": True}, "whole must be left out where sizing is 'script'"),
        ({"whole": "yes"}, "whole must be True or False"),
        ({"capital": 0}, "capital must be a positive number of money"),
    ],
)
def test_what_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(bp.errors.BroadpeakError, match=words):
        bp.test(at(ONE_LONG, lots=2), DATA, check=False, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sizing": None}, "sizing must be one of"),
        ({"capital": 5.0}, "capital must be left out where sizing is 'unit'"),
        ({"whole": True}, "whole must be left out where sizing is 'unit'"),
        ({"sizing": "money", "capital": "much"}, "capital must be a positive number"),
    ],
)
def test_what_a_training_refuses(options: dict[str, Any], words: str) -> None:
    with pytest.raises(bp.ParamError, match=words):
        bp.train(at(ONE_LONG), DATA, **options)


def test_what_a_walk_forward_refuses() -> None:
    with pytest.raises(bp.ParamError, match="train_sizing must be one of"):
        bp.walk_forward(at(ONE_LONG), DATA, train_sizing="all")  # type: ignore[arg-type]
    with pytest.raises(bp.ParamError, match="sizing must be one of"):
        bp.walk_forward(at(ONE_LONG), DATA, sizing="all")


def test_a_ruined_account_opens_nothing() -> None:
    bars = {"enter_short": [5], "exit_short": [45], "enter_long": [48]}
    found = bp.test(at(bars), DATA, sizing="equity", check=False)
    masks = {name: np.isin(np.arange(2, 60), when) for name, when in bars.items()}
    known = bp.Portfolio.from_signals(
        pd.Series(UP_AND_DOWN[2:], INDEX[2:]), masks["enter_long"], np.zeros(58, dtype=bool),
        short_entries=masks["enter_short"], short_exits=masks["exit_short"], price="nextopen",
        init_cash=10_000.0,
    )  # fmt: skip
    assert found.value.min() < 0 < found.value.iloc[-1]
    assert found.num_trades == known.num_trades == 1
    np.testing.assert_allclose(found.value, known.value, rtol=1e-12)
    np.testing.assert_allclose(found.returns, known.returns, rtol=1e-12)
    assert math.isnan(found.sharpe_ratio)
    # With the same money each time it goes on, as with lots.
    assert bp.test(at(bars), DATA, sizing="money", check=False).num_trades == 2


def test_rollover_is_paid_before_equity_buys_again() -> None:
    costs = bp.Costs(roll_short=0.5)
    found = bp.test(
        at({"enter_short": [3], "enter_long": [9]}), DATA, sizing="equity", costs=costs, check=False
    ).trades
    # Six nights of 100 units, and then what is left buys at 100.
    assert found["size"].tolist() == pytest.approx([100.0, (10_000 - 6 * 0.5 * 100) / 100])


@pytest.mark.parametrize("kind", ["money", "equity"])
def test_too_little_money_for_one_share(kind: str) -> None:
    found = bp.test(at(ONE_LONG), DATA, sizing=kind, whole=True, capital=99.9, check=False)
    assert found.num_trades == 0
    assert (found.value == 99.9).all()
    assert found.held is not None
    assert found.held.num_trades == 0
    assert found.held.total_return == 0
    exact = bp.test(at(ONE_LONG), DATA, sizing=kind, whole=True, capital=300, check=False)
    assert exact.trades["size"].item() == 3


def test_rounding_does_not_cost_a_share() -> None:
    for price, fees, n in ((0.1, 0.002, 7), (0.1, 0.003, 70), (0.7, 0.0, 29)):
        money = n * price * (1 + fees)
        assert money / (price * (1 + fees)) < n  # by rounding alone
        found = bp.test(
            at(ONE_LONG), data_of(np.full(60, price)), sizing="money", whole=True, capital=money,
            costs=bp.Costs(fees=fees), check=False,
        )  # fmt: skip
        assert found.trades["size"].tolist() == [n], (price, fees)


def test_a_target_zero_lots_and_lifetimes_are_as_with_lots() -> None:
    bars = {"enter_long": [5, 30], "enter_short": [15]}
    for settings in ({"lifetime": 4}, {"take_profit": 5.0}, {"lots": 0.0}):
        lots, money = (
            bp.test(at(bars, **settings), DATA, sizing=kind, check=False).trades
            for kind in ("unit", "money")
        )
        times = ["entry_time", "exit_time", "exit_reason", "direction"]
        pd.testing.assert_frame_equal(lots[times], money[times])


def test_holding_is_bought_at_the_first_tested_close() -> None:
    found = bp.test(at(ONE_LONG), DATA, start="2020-01-20", check=False)
    held = found.held
    assert held is not None
    close = DATA.close["2020-01-20":]
    np.testing.assert_allclose(held.value, 10_000 * close / close.iloc[0], rtol=1e-12)
    assert held.total_return == pytest.approx(close.iloc[-1] / close.iloc[0] - 1)
    assert found.held is held
    assert held.held is None
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.held.value, held.value)
    assert bp.Portfolio.from_signals(close, [True] + [False] * (len(close) - 1)).held is None
    assert bp.Portfolio.from_signals(close, [True] + [False] * (len(close) - 1)).facts == {}


def trained(close: np.ndarray, **options: Any) -> bp.Training:
    @bp.strategy(lookback=20)
    def waves(s: bp.StrategyRun) -> None:
        days = s.optimize(5, 3, 9, 2, name="days")
        change = bp.roc(s.close, days)
        s.enter_long(bp.crossed_above(change, 0.0))
        s.enter_short(bp.crossed_below(change, 0.0))

    return bp.train(waves, data_of(close), **options)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_prices_that_change_too_much_for_one_lot_are_told() -> None:
    bars = np.arange(600)
    waves = 1 + 0.05 * np.sin(bars / 3)

    def told(close: np.ndarray, **options: Any) -> list[str]:
        return [note for note in trained(close, **options).notes if "at one lot" in note]

    growing = 100 * 3.5 ** (bars / 599) * waves
    (note,) = told(growing)
    assert "(X " in note
    assert 'sizing="money"' in note
    assert told(growing[::-1].copy()) != []
    for quiet in ({"sizing": "money"}, {"sizing": "equity"}, {"sizing": "script"}):
        assert told(growing, **quiet) == []
    assert told(100 * 2.5 ** (bars / 599) * waves) == []
    crash = 100 * waves
    crash[300:303] = 20.0  # a short extreme is none
    assert told(crash) == []


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_level_of_prices_does_not_count_in_money() -> None:
    """Ten times the price is a tenth of the units: results in money do not change."""
    bars = np.arange(600)
    base = 100 * (1 + 0.05 * np.sin(bars / 3) + 0.02 * np.sin(bars / 7))
    plain = trained(base, sizing="money", objective="profit", select="peak")
    twice = trained(base * 10, sizing="money", objective="profit", select="peak")
    np.testing.assert_allclose(plain.trials["net"], twice.trials["net"], rtol=1e-9, atol=1e-9)
    assert plain.params == twice.params


@pytest.mark.engine
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["money", "equity"])
def test_engines_agree(kind: str) -> None:
    close = 100 * (1 + 0.05 * np.sin(np.arange(300) / 3))
    options: dict[str, Any] = {"sizing": kind, "whole": True, "method": "brute"}
    one, two = trained(close, **options), trained(close, engine="threadpool", **options)
    pd.testing.assert_frame_equal(one.trials, two.trials, check_exact=True)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_two_sharpe_ratios_have_two_names() -> None:
    close = 100 * (1 + 0.05 * np.sin(np.arange(300) / 3))
    for objective in ("sharpe", bp.objectives.sharpe):
        training = trained(close, objective=objective)
        assert training.objective_name == "sharpe per bar"
        assert "sharpe per bar" in repr(training)
        assert training.step_curve("days").objective_name == "sharpe per bar"
    assert trained(close).objective_name == "prr"


def test_budgets() -> None:
    assert Sizing.of("unit").budget(2) is None
    assert Sizing.of("script", capital=5.0) == Sizing("script", capital=5.0)
    assert Sizing.of(None).decided(sets_lots=True) == Sizing("script")
    assert Sizing.of("money", capital=90.0).budget(3) == Budget(30.0)
    assert Sizing.of("equity", whole=True).budget(1) == Budget(10_000.0, True, True)
