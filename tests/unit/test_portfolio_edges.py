# SPDX-License-Identifier: BSD-3-Clause
"""Rules where numbers meet an edge: what anchors a stop, ruin at zero, dust, ratios of rounding."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import PF
from broadpeak._metrics import formulas

T, F = True, False
BOTH_KERNELS = pytest.mark.parametrize("shared", [False, True], ids=["columns", "groups"])
BOTH_SIDES = pytest.mark.parametrize("side", [1, -1], ids=["long", "short"])
N = 9


def signals(*bars, n=N):
    found = np.zeros(n, dtype=bool)
    found[list(bars)] = True
    return found


def pair(prices, entries, exits, *, side=1, shared=False, **options):
    """Run one account; a short on the mirrored price is what the long is on the price."""
    prices = np.array(prices, float)
    if side < 0:
        prices = 200.0 - prices
        options["direction"] = "shortonly"
    frame = pd.DataFrame({"a": prices})
    n = len(prices)
    return PF.from_signals(
        frame, signals(*entries, n=n), signals(*exits, n=n), accumulate=True, init_cash=1e4,
        cash_sharing=shared, stop_unit="price", **options,
    )  # fmt: skip


def out(pf):
    """Return what happened: (units, exit bar, reason) of each record."""
    trades = pf.trades
    return list(zip(trades["size"], trades["exit_index"], trades["exit_reason"], strict=True))


@BOTH_KERNELS
@BOTH_SIDES
class TestOnlyAFillThatOpensOrAddsAnchorsAStop:
    # Bar 0 buys at 100, bar 1 adds at 100, bar 3 sells a half at 116 on the way.
    prices = (100, 100, 120, 116, 111, 109, 96, 94, 94)

    def run(self, side, shared, exits=(3,), **options):
        return out(pair(self.prices, [0, 1], exits, side=side, shared=shared, size=1.0, **options))

    def test_trail_stays_with_its_peak(self, side, shared):
        assert self.run(side, shared, tsl_stop=6.0) == [(1, 3, "signal"), (1, 4, "trail")]

    def test_stop_stays_with_its_entry(self, side, shared):
        assert self.run(side, shared, sl_stop=5.0) == [(1, 3, "signal"), (1, 7, "stop")]

    def test_target_stays_with_its_entry(self, side, shared):
        # From the reduction at 116 it would be 146, which is never reached.
        prices = (100, 100, 112, 116, 131, 120)
        found = out(pair(prices, [0, 1], [3], side=side, shared=shared, size=1.0, tp_stop=30.0))
        assert found == [(1, 3, "signal"), (1, 4, "target")]

    def test_a_reduction_deletes_no_stop_where_the_setting_is_nan(self, side, shared):
        stops = np.array([6.0, 6.0, *[np.nan] * 7])
        assert self.run(side, shared, tsl_stop=stops)[-1] == (1, 4, "trail")
        assert self.run(side, shared, sl_stop=np.where(np.isnan(stops), np.nan, 5.0))[-1] == (
            1, 7, "stop",
        )  # fmt: skip

    def test_a_reduction_loosens_and_tightens_nothing(self, side, shared):
        for distance in (0.5, 50.0):
            stops = np.array([6.0, 6.0, 6.0, *[distance] * 6])
            assert self.run(side, shared, tsl_stop=stops)[-1] == (1, 4, "trail")

    def test_an_addition_anchors_again(self, side, shared):
        prices = (100, 110, 104, 104, 98, 94)
        found = out(pair(prices, [0, 1], [], side=side, shared=shared, size=1.0, sl_stop=5.0))
        assert found == [(2, 2, "stop")]
        assert out(pair(prices, [0], [], side=side, shared=shared, size=1.0, sl_stop=5.0)) == [
            (1, 5, "stop")
        ]

    def test_nan_at_an_addition_keeps_the_stop_that_stands(self, side, shared):
        prices = (100, 110, 104, 104, 98, 94)
        for name, last in (("sl_stop", 5), ("tsl_stop", 2)):
            given = {name: np.array([5.0, np.nan, np.nan, np.nan, np.nan, np.nan])}
            found = out(pair(prices, [0, 1], [], side=side, shared=shared, size=1.0, **given))
            assert found == [(2, last, "stop" if name == "sl_stop" else "trail")]
        # The peak is kept with the trail: 130 − 15 is above what 120 − 15 would be.
        given = {"tsl_stop": np.array([15.0, np.nan, np.nan, np.nan])}
        found = out(pair((100, 130, 120, 114), [0, 2], [], side=side, shared=shared, size=1.0,
                         **given))  # fmt: skip
        assert found == [(2, 3, "trail")]

    def test_one_kind_is_anchored_without_the_other(self, side, shared):
        # The addition at 130 brings a stop of its own and no trail: both hold from there on.
        given = {
            "sl_stop": np.array([50.0, 2.0, np.nan, np.nan]),
            "tsl_stop": np.array([40.0, np.nan, np.nan, np.nan]),
        }
        found = out(pair((100, 130, 129, 127), [0, 1], [], side=side, shared=shared, size=1.0,
                         **given))  # fmt: skip
        assert found == [(2, 3, "stop")]
        given["sl_stop"][1] = np.nan
        found = out(pair((100, 130, 129, 89), [0, 1], [], side=side, shared=shared, size=1.0,
                         **given))  # fmt: skip
        assert found == [(2, 3, "trail")]

    def test_at_the_next_open(self, side, shared):
        found = self.run(side, shared, tsl_stop=6.0, price="nextopen", exits=(2,))
        assert found == [(1, 3, "signal"), (1, 4, "trail")]

    def test_a_new_position_begins_without_the_stops_of_the_old(self, side, shared):
        prices = (100, 104, 104, 80, 60)
        stops = np.array([5.0, np.nan, np.nan, np.nan, np.nan])
        found = out(pair(prices, [0, 2], [1], side=side, shared=shared, size=1.0, sl_stop=stops))
        assert found == [(1, 1, "signal"), (1, 4, "open")]


def test_fractions_are_anchored_alike():
    close = np.array([100.0, 100, 120, 116, 111, 111])
    pf = PF.from_signals(
        close, [T, T, F, F, F, F], [F, F, F, T, F, F], size=1, init_cash=1000, tsl_stop=0.05,
        accumulate=True,
    )  # fmt: skip
    assert out(pf) == [(1, 3, "signal"), (1, 4, "trail")]
    assert pf.trades["exit_price"].tolist() == [116, 111]


@BOTH_KERNELS
class TestRuin:
    def test_a_long_in_debt(self, shared):
        # A fixed fee leaves −20 of cash; at a price of 2 the nine units left are worth 18.
        pf = PF.from_signals(
            pd.DataFrame({"a": [10.0, 10, 2, 20, 20, 20]}), signals(0, 4, n=6), signals(1, 3, n=6),
            accumulate=True, size=np.array([10.0, 1, 1, 9, 3, 1]), fixed_fees=40.0,
            init_cash=150.0, cash_sharing=shared,
        )  # fmt: skip
        assert np.ravel(pf.value).tolist() == [110, 70, -2, 120, 120, 120]

    @pytest.mark.parametrize(("price", "opens"), [(20.0, False), (19.999, True)])
    def test_a_short_at_exactly_zero(self, shared, price, opens):
        # Ten units sold at 10 with 100: at 20 nothing is left, and nothing is opened any more.
        close = pd.DataFrame({"a": [10.0, price, 5.0, 5.0]})
        pf = PF.from_signals(
            close, short_entries=[T, F, F, F], short_exits=[F, F, T, F], entries=[F, F, F, T],
            cash_sharing=shared,
        )  # fmt: skip
        assert (pf.num_trades if isinstance(pf.num_trades, int) else pf.num_trades.iloc[0]) == (
            2 if opens else 1
        )

    def test_a_long_at_exactly_zero(self, shared):
        # Cash −20 after the fee of the reduction; nine units at 20/9 … and 10 · 2 = 20 exactly.
        pf = PF.from_signals(
            pd.DataFrame({"a": [10.0, 10, 2, 20, 20]}), signals(0, 4, n=5), signals(1, 3, n=5),
            accumulate=True, size=np.array([11.0, 1, 1, 10, 3]), fixed_fees=40.0,
            init_cash=160.0, cash_sharing=shared,
        )  # fmt: skip
        assert np.ravel(pf.value).tolist()[2:] == [0, 140, 140]


@BOTH_KERNELS
class TestOrdersTooSmallToBeSent:
    def run(self, shared, size, **options):
        return PF.from_signals(
            pd.DataFrame({"a": [10.0, 10, 10]}), [T, F, F], [F, T, F], accumulate=True,
            size=np.array(size), cash_sharing=shared, **options,
        )  # fmt: skip

    @pytest.mark.parametrize(("part", "left"), [(9e-9, 1.0), (1.1e-8, 1.0 - 1.1e-8)])
    def test_reductions(self, shared, part, left):
        pf = self.run(shared, [1.0, part, 0.0], fixed_fees=1.0)
        assert float(np.ravel(pf.positions)[-1]) == left
        assert float(np.ravel(pf.value)[-1]) == pytest.approx(99 if left == 1.0 else 98)

    def test_percent_reductions(self, shared):
        pf = self.run(shared, [1.0, 1e-10, 0.5], size_type="percent")
        assert float(np.ravel(pf.positions)[-1]) == 10.0

    def test_what_leaves_less_than_dust_closes(self, shared):
        pf = self.run(shared, [1.0, 1.0 - 5e-10, 0.0])
        assert pf.trades["status"].tolist() == ["closed"]
        assert float(np.ravel(pf.positions)[-1]) == 0.0


def test_a_reversal_of_exactly_what_is_held_frees_cash_first():
    # b turns 5 units around to 0 and so only frees cash, which a, though first, may then spend.
    close = pd.DataFrame({"a": [10.0, 10, 10], "b": [10.0, 10, 10]})
    entries = pd.DataFrame({"a": [F, T, F], "b": [T, F, F]})
    shorts = pd.DataFrame({"a": [F, F, F], "b": [F, T, F]})
    for size, bought in ((10.0, 10.0), (9.999, 0.0)):
        sizes = pd.DataFrame({"a": [10.0, 10.0, 10.0], "b": [size, 10.0, 10.0]})
        pf = PF.from_signals(
            close, entries, short_entries=shorts, size=sizes, accumulate=True, cash_sharing=True
        )
        # Of 9.999 held, an order of 10 would open a short: it waits with the others.
        assert pf.positions["a"].iloc[1] == pytest.approx(bought, abs=0.01)


class TestMae:
    def test_an_open_record_ends_at_the_last_close(self):
        for price, entry in (("close", 2), ("nextopen", 1)):
            pf = PF.from_signals(
                np.array([10.0, 10, 10]), signals(entry, n=3), slippage=0.01, price=price
            )
            record = pf.trades.iloc[0]
            assert record["mae"] == pytest.approx(10 / 10.1 - 1)
            assert record["mae"] == pytest.approx(record["return"])
            assert record["mfe"] == 0

    def test_a_short(self):
        pf = PF.from_signals(np.array([10.0, 10]), [F, T], slippage=0.01, direction="shortonly")
        assert pf.trades["mae"].tolist() == pytest.approx([-(10 / 9.9 - 1)])


class TestRatiosOfRounding:
    """The same account in other units has the same ratios; equal things have none."""

    @pytest.mark.parametrize("size", [1e-6, 1.0, 1e6, 1e12])
    @pytest.mark.parametrize("level", [1.0, 100.0, 10_000.0])
    def test_equal_trades_have_no_sqn(self, size, level):
        close = np.array([level, level + 0.1] * 7)  # 0.1 as prices of that height can hold it
        pf = PF.from_signals(
            close, [T, F] * 7, [F, T] * 7, size=size, init_cash=1e3 * level * size,
            bars_per_year=252,
        )  # fmt: skip
        assert pf.num_trades == 7
        assert math.isnan(pf.sqn)
        assert pf.profit_factor == math.inf
        drifting = close * np.repeat([1, 1.5, 1.2, 1.7, 1.1, 1.3, 1.9], 2)
        drifting[1::2] = drifting[::2] + 0.1
        pf = PF.from_signals(
            drifting, [T, F] * 7, [F, T] * 7, size=size, init_cash=1e3 * level * size,
            bars_per_year=252,
        )  # fmt: skip
        assert math.isnan(pf.sqn)

    @pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6, 1e12])
    def test_a_loss_by_rounding_is_none(self, scale):
        # Bought in three parts and sold for their mean: the last digits make a loss.
        close = np.array([0.1, 0.2, 0.3, 0.2, 1.0, 2.0]) * scale
        sizes = np.array([3.0, 3.0, 3.0, 9.0, 1.0, 1.0])
        pf = PF.from_signals(
            close, [T, T, T, F, T, F], [F, F, F, T, F, T], size=sizes, accumulate=True,
            init_cash=100 * scale, bars_per_year=252,
        )  # fmt: skip
        assert pf.num_trades == 2
        assert pf.profit_factor == math.inf

    @pytest.mark.parametrize("growth", [1e-9, 1e-6, 0.01])
    def test_constant_returns_have_no_sharpe_ratio(self, growth):
        close = (1 + growth) ** np.arange(300)
        pf = PF.from_signals(np.concatenate([[1.0], close]), [F, T] + [F] * 299, bars_per_year=252)
        assert pf.sharpe_ratio > 0  # the bars before it earn nothing: there is a deviation
        steady = np.full(300, growth)
        term = formulas.sharpe_ratio(
            np.array([steady.mean()]), np.array([np.std(pf.returns[3:])]), 252.0
        )
        assert math.isnan(term[0])

    def test_the_bound(self):
        assert formulas.is_zero(0.99e-12, 1.0)
        assert not formulas.is_zero(1.01e-12, 1.0)
        assert formulas.is_zero(0.99e-6, -1e6)
        assert not formulas.is_zero(1.01e-6, 1e6)

    @pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
    def test_every_ratio_has_no_unit(self, scale):
        gains, losses, n = (np.array([x]) for x in (3.0 * scale, 1e-13 * scale, 5.0))
        assert formulas.profit_factor(gains, losses, n) == math.inf
        assert formulas.profit_factor(gains, losses * 1e3, n) == pytest.approx(3e10)
        assert math.isnan(formulas.system_quality(gains, losses, n)[0])
        assert formulas.system_quality(gains, losses * 1e3, n) == pytest.approx(3e10 * 5**0.5)
        assert math.isnan(formulas.profit_factor(losses * 0, losses * 0, n)[0])

    def test_a_trade_of_exactly_nothing_is_no_win(self):
        pf = PF.from_signals(np.array([10.0, 10, 10, 12]), [T, F, T, F], [F, T, F, T])
        assert pf.trades["pnl"].iloc[0] == 0
        assert pf.win_rate == 0.5


class TestStatsOfRounding:
    def stats(self, pnl, scale=1.0, **options):
        pnl = np.array(pnl) * scale
        n = len(pnl)
        equity = np.concatenate([[0.0], np.cumsum(pnl)])
        return bp.Stats.from_trades(
            pnl, np.ones(n), np.arange(n), np.arange(1, n + 1), equity, capital=scale, **options
        )

    @pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
    def test_seven_equal_trades(self, scale):
        stats = self.stats([0.1, 0.3 - 0.2, 0.1, 0.7 - 0.6, 0.1, 0.1, 0.1], scale)
        assert 0.3 - 0.2 != 0.1
        assert stats.trade_std == 0
        assert bp.objectives.sqn(stats) == 0
        assert math.isnan(stats.system_quality)
        assert stats.profit_factor == 10

    def test_results_of_large_amounts(self):
        # 0.1 won on 10,000 has four digits fewer than 0.1.
        pnl = [10_000.1 - 10_000, 17_000.1 - 17_000, 12_000.1 - 12_000, 0.1, 0.1]
        assert self.stats(pnl).trade_std > 0
        assert self.stats(pnl, worth=np.full(5, 17_000.0)).trade_std == 0

    def test_ratios_of_a_record_made_by_hand(self):
        equal = bp.Stats(num_win=7, trade_mean=0.1, trade_std=1.4e-17, return_mean=1.0,
                         return_std=1e-14, win_total=0.7, win_max=0.1, loss_total=1e-16,
                         drawdown_max=1e-17, years=1.0, bars_in_market=9)  # fmt: skip
        assert bp.objectives.sqn(equal) == bp.objectives.sharpe(equal) == 0
        assert equal.profit_factor == 10

    def test_equal_bar_returns(self):
        n = 40
        equity = np.cumsum(np.full(n, 0.1))
        one = bp.Stats.from_trades([equity[-1]], [1], [0], [n - 1], equity, capital=100.0)
        assert np.diff(equity).std() > 0
        assert one.return_std == 0
        assert one.return_r2 == pytest.approx(1)

    @pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
    def test_an_equity_that_stands_still_has_no_direction(self, scale):
        equity = np.full(50, 0.3) + np.arange(50) % 7 * 5e-17 + np.arange(50) * 1e-17
        assert np.ptp(equity) > 0
        stats = bp.Stats.from_trades([], [], [], [], equity * scale, capital=scale)
        assert stats.return_r2 == 0

    def test_optimal_f(self):
        assert bp.optimal_f([5.0, 3.0, -1e-16]) == 1.0
        assert bp.optimal_f([0.1, 0.2, -0.3]) == 0.0


class TestStatsDrawdown:
    def test_from_the_highest_balance_to_a_later_equity(self):
        # A profit that was never booked is no balance: from 9 down to 2 nothing was lost of it.
        equity = np.array([4.0, 9.0, 2.0, 3.0, 1.0, 6.0])
        stats = bp.Stats.from_trades([3.0, 3.0], [1, 1], [0, 4], [3, 5], equity)
        assert stats.drawdown_max == 2  # balance 3, equity 1
        assert stats.drawdown_equity == 8
        assert bp.objectives.calmar(stats, min_trades=2) == 3.0

    def test_from_zero(self):
        stats = bp.Stats.from_trades([-1.0], [1], [0], [2], np.array([-2.0, -3.0, -1.0]))
        assert stats.drawdown_max == 3

    def test_a_trade_counts_from_the_close_of_its_exit_bar(self):
        # Closed with +5 at the open of bar 1, and another trade is 4 down at that bar's close.
        equity = np.array([2.0, 1.0, 6.0])
        stats = bp.Stats.from_trades([5.0, 1.0], [1, 1], [0, 1], [1, 2], equity)
        assert stats.drawdown_max == 4

    def test_a_segment_of_a_longer_run(self):
        # A trade that came into the segment 10 up and leaves it 10 up has not lost anything.
        equity = np.zeros(3)
        stats = bp.Stats.from_trades([10.0], [1], [0], [2], equity, balance=-10.0)
        assert stats.drawdown_max == 0
