# SPDX-License-Identifier: BSD-3-Clause
"""What pages show of an account, against loops that say what is meant."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp

DAYS = pd.bdate_range("2003-11-03", periods=700)


@bp.strategy(lookback=60)
def momentum(s: Any) -> None:
    for _ in s.loop():
        change = bp.roc(s.close, s.optimize(20, 10, 50, 10, name="days"))
        s.enter_long(bp.crossed_above(change, 0.0))
        s.enter_short(bp.crossed_below(change, 0.0))


@pytest.fixture(scope="module")
def tested() -> bp.Portfolio:
    return bp.test(momentum, bp.Data.sample(["IBM", "MSFT"])["2004":"2008"])


@pytest.fixture(scope="module")
def signals() -> bp.Portfolio:
    rng = np.random.default_rng(3)
    steps = rng.normal(0.0005, 0.02, (len(DAYS), 2))
    close = pd.DataFrame(100 * np.exp(np.cumsum(steps, axis=0)), DAYS, ["a", "b"])
    close.iloc[:65, 1] = np.nan  # the second is listed in its fourth month
    entries = pd.DataFrame(rng.random((len(DAYS), 2)) < 0.1, DAYS, ["a", "b"])
    exits = pd.DataFrame(rng.random((len(DAYS), 2)) < 0.1, DAYS, ["a", "b"])
    return bp.Portfolio.from_signals(close, entries, exits, fees=0.001)


def slow_months(returns: pd.Series, *, compounds: bool) -> dict[tuple[int, int], float]:
    """Return the change of each month that has a bar, return after return."""
    found: dict[tuple[int, int], float] = {}
    for when, change in returns.dropna().items():
        key = (when.year, when.month)
        before = found.get(key, 0.0)
        found[key] = (1 + before) * (1 + change) - 1 if compounds else before + change
    return found


def test_months_of_a_strategy_add_up_to_its_return(tested: bp.Portfolio) -> None:
    table = tested.monthly_returns()
    for (year, month), change in slow_months(tested.returns, compounds=False).items():
        assert table.loc[year, month] == pytest.approx(change, abs=1e-12)
    assert np.nansum(table) == pytest.approx(tested.total_return)
    assert tested.yearly_returns().sum() == pytest.approx(tested.total_return)
    pd.testing.assert_series_equal(table.sum(axis=1), tested.yearly_returns(), check_names=False)


def test_months_of_signals_compound_and_are_missing_where_no_bar_is(signals: bp.Portfolio) -> None:
    table = signals.monthly_returns()
    for column in ("a", "b"):
        expected = slow_months(signals.returns[column], compounds=True)
        rows = table.loc[column]
        for year in rows.index:
            for month in range(1, 13):
                want = expected.get((year, month), math.nan)
                assert rows.loc[year, month] == pytest.approx(want, abs=1e-12, nan_ok=True)
        assert (1 + signals.yearly_returns()[column]).prod() - 1 == pytest.approx(
            signals.total_return[column]
        )
    assert table.loc[("b", 2003)].isna().all()


def test_the_moving_sharpe_ratio_is_that_of_each_window(signals: bp.Portfolio) -> None:
    moving = signals.rolling_sharpe(40)
    for column in ("a", "b"):
        returns = signals.returns[column].dropna()
        for end in (39, 40, 200, len(returns) - 1):
            window = returns.iloc[end - 39 : end + 1]
            expected = window.mean() / window.std() * math.sqrt(signals.bars_per_year[column])
            assert moving[column].loc[window.index[-1]] == pytest.approx(expected)
        assert moving[column].loc[: returns.index[38]].isna().all()
    a_year = round(float(np.median(signals.bars_per_year)))
    pd.testing.assert_frame_equal(signals.rolling_sharpe(), signals.rolling_sharpe(a_year))


def test_a_still_account_has_no_moving_sharpe_ratio() -> None:
    close = pd.Series(np.linspace(10, 20, 60), DAYS[:60])
    never = bp.Portfolio.from_signals(close, np.zeros(60, bool))
    assert never.rolling_sharpe(10).isna().all()


def test_worst_drawdowns_are_the_deepest_of_each_account(signals: bp.Portfolio) -> None:
    worst, every = signals.worst_drawdowns(3), signals.drawdowns
    for column in ("a", "b"):
        depths = worst.loc[worst["column"] == column, "depth"]
        own = every.loc[every["column"] == column, "depth"].sort_values()
        assert depths.tolist() == own.iloc[:3].tolist()
    row = worst[worst["status"] == "recovered"].iloc[0]
    assert row["days"] == (row["recovery_time"] - row["peak_time"]).days
    assert list(worst.columns) == [*every.columns, "days"]


def test_sides_are_trades_counted_one_by_one(tested: bp.Portfolio) -> None:
    table, trades = tested.trade_stats(), tested.trades
    assert table.index.tolist() == ["all", "long", "short"]
    for side in ("long", "short"):
        own = [row for row in trades.to_dict("records") if row["direction"] == side]
        closed = [row for row in own if row["status"] == "closed"]
        gains = sum(row["pnl"] for row in closed if row["pnl"] > 0)
        losses = -sum(row["pnl"] for row in closed if row["pnl"] <= 0)
        assert table.loc[side, "num_trades"] == len(own)
        assert table.loc[side, "net"] == pytest.approx(sum(row["pnl"] for row in own))
        assert table.loc[side, "profit_factor"] == pytest.approx(gains / losses)
        assert table.loc[side, "worst_return"] == min(row["return"] for row in closed)
        assert table.loc[side, "mean_mae"] == pytest.approx(
            sum(row["mae"] for row in closed) / len(closed)
        )
    assert table.loc["all", "net"] == pytest.approx(table.loc[["long", "short"], "net"].sum())
    for name in ("win_rate", "profit_factor", "expectancy"):
        assert table.loc["all", name] == pytest.approx(getattr(tested, name))


def test_no_trade_is_no_number_and_no_warning() -> None:
    table = bp.Portfolio.from_signals(np.array([1.0, 2.0]), [False, False]).trade_stats()
    assert table["num_trades"].tolist() == [0, 0, 0]
    assert table.drop(columns=["num_trades", "closed", "net"]).isna().all(axis=None)


def test_profits_are_those_of_the_components_and_add_up(tested: bp.Portfolio) -> None:
    paths = tested.profits()
    assert paths.columns.tolist() == ["IBM", "MSFT"]
    total = tested.value - tested.stats()["start_value"]
    np.testing.assert_allclose(paths.sum(axis=1), total, atol=1e-8)


def test_correlation_is_that_of_returns(tested: bp.Portfolio, signals: bp.Portfolio) -> None:
    one, two = (tested.components[key].returns for key in ("IBM", "MSFT"))
    table = tested.correlation()
    assert table.loc["IBM", "MSFT"] == pytest.approx(np.corrcoef(one, two)[0, 1])
    both = signals.returns.dropna()
    assert signals.correlation().loc["a", "b"] == pytest.approx(both["a"].corr(both["b"]))


def test_what_does_not_move_has_no_correlation() -> None:
    close = pd.DataFrame({"a": [1.0, 2.0, 3.0, 2.0], "b": [1.0, 2.0, 3.0, 2.0]})
    entries = np.array([[True, False], *[[False, False]] * 3])
    table = bp.Portfolio.from_signals(close, entries).correlation()
    assert np.isnan(table.loc["a", "b"])
    assert np.isnan(table.loc["b", "b"])
    assert table.loc["a", "a"] == 1.0


@pytest.mark.parametrize("what", ["monthly_returns", "yearly_returns"])
def test_without_dates_the_message_says_what_to_pass(what: str) -> None:
    pf = bp.Portfolio.from_signals(np.array([1.0, 2.0]), [True, False])
    with pytest.raises(bp.DataError, match=rf"have dates for {what}.*to_datetime"):
        getattr(pf, what)()
    with (
        pytest.warns(UserWarning, match="no dates"),
        pytest.raises(bp.ParamError, match=r"rolling_sharpe\(252\)"),
    ):
        pf.rolling_sharpe()
    with pytest.raises(bp.ParamError, match="at least 2"):
        pf.rolling_sharpe(1)
    with pytest.raises(bp.ParamError, match="at least 1"):
        pf.worst_drawdowns(0)
    assert pf.worst_drawdowns()["days"].isna().all()


def test_results_are_the_users_own_and_survive_a_pickle(tested: bp.Portfolio) -> None:
    for what in ("monthly_returns", "yearly_returns", "profits", "correlation", "trade_stats"):
        first = getattr(tested, what)()
        again = getattr(pickle.loads(pickle.dumps(tested)), what)()
        assert first.equals(again)
        first.iloc[0] = 99.0
        assert not getattr(tested, what)().equals(first)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=120),
    st.integers(0, 400),
    st.booleans(),
)
def test_periods_multiply_to_the_whole(steps: list[float], first: int, held: bool) -> None:
    dates = pd.bdate_range("2003-01-01", periods=600)[first : first + len(steps)]
    close = pd.Series(100 * np.cumprod(1 + np.array(steps)), dates)
    entries = np.zeros(len(steps), bool)
    entries[0] = held
    pf = bp.Portfolio.from_signals(close, entries)
    assert (1 + pf.yearly_returns()).prod() - 1 == pytest.approx(pf.total_return, abs=1e-9)
    months = pf.monthly_returns()
    assert np.nanprod(1 + months.to_numpy()) - 1 == pytest.approx(pf.total_return, abs=1e-9)
    assert set(months.index) == set(dates.year)


COSTS = bp.Costs(spread=0.02, commission=0.01, fees=0.0005, slippage=0.0002, roll_short=-0.001)
TWICE = bp.Costs(spread=0.04, commission=0.02, fees=0.001, slippage=0.0004, roll_short=-0.001)


@pytest.mark.parametrize("sizing", ["unit", "money", "equity"])
def test_a_test_at_twice_the_costs_is_a_test_with_twice_the_costs(sizing: str) -> None:
    data = bp.Data.sample(["IBM", "MSFT"])["2004":"2006"]
    options: dict[str, Any] = {"sizing": sizing, "capital": 50_000}
    found = bp.test(momentum, data, costs=COSTS, **options)
    expected = bp.test(momentum, data, costs=TWICE, **options)
    pd.testing.assert_frame_equal(found.at_costs(2).trades, expected.trades)
    pd.testing.assert_series_equal(found.at_costs(2).value, expected.value)
    pd.testing.assert_series_equal(found.at_costs(1).value, found.value)
    known = {"strategy": "momentum", "sizing": sizing, "costs": {"IBM": TWICE, "MSFT": TWICE}}
    assert found.at_costs(2).facts.items() >= known.items()
    assert found.facts["costs"] == {"IBM": COSTS, "MSFT": COSTS}
    free = bp.test(momentum, data, costs=bp.Costs(roll_short=-0.001), **options)
    pd.testing.assert_series_equal(found.at_costs(0).value, free.value)
    for key, component in found.components.items():
        value = component.at_costs(2).value
        pd.testing.assert_series_equal(value, expected.components[key].value)
    travelled = pickle.loads(pickle.dumps(found))
    assert travelled.at_costs(2).total_return == expected.total_return


def test_a_walk_forward_and_an_ensemble_are_traded_again_as_they_were() -> None:
    data = bp.Data.sample(["IBM"])["2003":"2008"]
    walked = bp.walk_forward(momentum, data, cycles=3, costs=COSTS)
    again = walked.portfolio.at_costs(1)
    pd.testing.assert_series_equal(again.value, walked.portfolio.value)
    members = bp.train(momentum, data, costs=COSTS, select=bp.Ensemble(0.4)).portfolio
    pd.testing.assert_series_equal(members.at_costs(1).value, members.value)
    assert members.at_costs(2).total_return < members.total_return


@pytest.mark.parametrize("fees", [0.001, np.linspace(0, 0.002, len(DAYS)), np.array([0.0, 0.01])])
def test_signals_at_twice_the_costs(fees: Any) -> None:
    rng = np.random.default_rng(5)
    close = pd.DataFrame(np.exp(rng.normal(0, 0.02, (len(DAYS), 2)).cumsum(axis=0)), DAYS)
    entries, exits = rng.random((2, *close.shape)) < 0.1
    paid: dict[str, Any] = {"fixed_fees": 0.01, "slippage": 0.002}
    twice: dict[str, Any] = {"fixed_fees": 0.02, "slippage": 0.004}
    found = bp.Portfolio.from_signals(close, entries, exits, fees=fees, **paid).at_costs(2)
    expected = bp.Portfolio.from_signals(close, entries, exits, fees=fees * 2, **twice)
    pd.testing.assert_frame_equal(found.value, expected.value)
    with pytest.raises(bp.ParamError, match="factor must be"):
        found.at_costs(-1)


def test_returns_compound_where_they_are_over_the_value_before(tested: bp.Portfolio) -> None:
    assert not tested.compounds
    data = bp.Data.sample(["IBM"])["2004":"2006"]
    compounding = bp.test(momentum, data, sizing="equity")
    assert compounding.compounds
    total = (1 + compounding.yearly_returns()).prod() - 1
    assert total == pytest.approx(compounding.total_return)
