# SPDX-License-Identifier: BSD-3-Clause
"""Accounts of tests at their edges: ruin by rollover, numbered bars, capital of lots."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._store.par import ComponentParameters, Member, Parameters


def flat_prices(index: pd.Index, price: float = 100.0) -> pd.DataFrame:
    return pd.DataFrame({"close": np.full(len(index), price)}, index=index)


def once(bars: list[int]) -> bp.Strategy:
    """Return a strategy that enters long at the first of these bars, leaves at the next, …"""

    @bp.strategy(lookback=0)
    def run(s: bp.StrategyRun) -> None:
        for _ in s.loop():
            at = np.arange(len(s.close))
            s.enter_long(np.isin(at, bars[::2]))
            s.exit_long(np.isin(at, bars[1::2]))

    return run


DAYS = pd.date_range("2024-01-01", periods=12)


RISE = np.repeat([[1.0], [10.0]], [5, 7], axis=0)


class TestRuin:
    """With "equity" what was worth nothing at some close opens nothing any more."""

    # Held from bar 1 to bar 5: three nights cost nearly all that the position is worth, or all of
    # it, before the price rises and brings everything back.
    data = bp.Data.from_frames({"X": flat_prices(DAYS) * RISE})

    @pytest.mark.parametrize(("paid", "n_trades"), [(40.0, 1), (30.0, 2)])
    def test_rollover_that_is_due_counts(self, paid: float, n_trades: int) -> None:
        costs = bp.Costs(roll_long=paid)
        options: dict[str, Any] = {"costs": costs, "sizing": "equity", "check": False}
        tested = bp.test(once([0, 4, 7, 9]), self.data, **options)
        worth = tested.value.to_numpy()
        assert (worth.min() <= 0) == (n_trades == 1)
        assert worth[-1] > 0
        assert tested.num_trades == n_trades

    @pytest.mark.parametrize(("paid", "n_trades"), [(40.0, 1), (30.0, 2)])
    def test_on_the_one_account_of_an_ensemble(self, paid: float, n_trades: int) -> None:
        @bp.strategy(lookback=0, name="of_two")
        def of_two(s: bp.StrategyRun) -> None:
            s.optimize(1, 0, 2, 1, name="which")
            at = np.arange(len(s.close))
            s.enter_long(np.isin(at, [0, 7]))
            s.exit_long(np.isin(at, [4, 9]))

        members = (Member({"which": 0.0}, 0.5), Member({"which": 2.0}, 0.5))
        params = Parameters({"X": ComponentParameters({"which": 1.0}, members=members)}, "of_two")
        tested = bp.test(
            of_two, self.data, params, costs=bp.Costs(roll_long=paid), sizing="equity", check=False
        )
        assert (tested.value.min() <= 0) == (n_trades == 1)
        assert tested.num_trades == 2 * n_trades


def test_components_on_numbered_bars_add_up() -> None:
    """A number is a day, for a component and for all of them together."""
    many, few = pd.RangeIndex(12), pd.Index([0, 1, 2, 6, 7, 8])
    data = bp.Data.from_frames({"A": flat_prices(many), "B": flat_prices(few)})
    costs = bp.Costs(roll_long=1.0)
    tested = bp.test(once([0]), data, costs=costs, sizing="unit", check=False)
    # Bought at number 1: eleven less one nights to the last bar, and eight less one.
    assert tested.components["A"].trades["roll"].item() == 10
    assert tested.components["B"].trades["roll"].item() == 7
    total = sum(
        one.value.reindex(tested.index).ffill() - one.facts["capital"]
        for one in tested.components.values()
    )
    np.testing.assert_allclose(tested.value - tested.facts["capital"], total, rtol=0, atol=1e-9)
    assert tested.trades["pnl"].sum() == pytest.approx(total.iloc[-1])
    alone = bp.test(once([0]), data.select("B"), costs=costs, sizing="unit", check=False)
    assert alone.trades["roll"].item() == 7


@pytest.mark.parametrize("short", [None, [9], []])
def test_capital_of_lots_is_that_of_the_first_bar(short: list[int] | None) -> None:
    """Also where several entry calls are given an array, and none of them enters at that bar."""
    lots = np.linspace(2.0, 13.0, len(DAYS))

    @bp.strategy(lookback=0)
    def run(s: bp.StrategyRun) -> None:
        own = lots[: len(s.close)]
        at = np.arange(len(s.close))
        s.enter_long(at == 6, lots=own)
        if short is not None:
            s.enter_short(np.isin(at, short), lots=own)

    tested = bp.test(run, bp.Data.from_frames({"X": flat_prices(DAYS)}), check=False)
    assert tested.trades["size"].iloc[0] == lots[6]
    assert tested.facts["capital"] == 200
