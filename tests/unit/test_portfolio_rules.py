# SPDX-License-Identifier: BSD-3-Clause
"""Each sentence of the market rules, on prices small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from broadpeak import PF, Portfolio

T, F = True, False
# Round fees and slippage of a tenth, so that figures can be told at a glance.
pytestmark = pytest.mark.filterwarnings("ignore:.* is a share of the money:UserWarning")


def run(close, entries=None, exits=None, **options):
    return Portfolio.from_signals(np.array(close, float), entries, exits, **options)


def column(pf, name):
    return pf.trades[name].tolist()


class TestSignals:
    def test_all_cash_in_and_out(self):
        pf = run([10, 12, 9], [T, F, F], [F, T, F])
        assert pf.value.tolist() == [100, 120, 120]
        assert column(pf, "exit_reason") == ["signal"]

    def test_entry_and_exit_of_one_side_cancel(self):
        assert run([10, 12], [T, F], [T, F]).num_trades == 0

    def test_long_and_short_entry_cancel(self):
        assert run([10, 12], [T, F], short_entries=[T, F]).num_trades == 0

    def test_long_entry_with_short_exit_reverses(self):
        pf = run([10, 10, 10], [F, T, F], short_entries=[T, F, F], short_exits=[F, T, F])
        assert column(pf, "exit_reason") == ["reverse", "open"]

    def test_same_side_is_resolved_before_the_sides_meet(self):
        pf = run([10, 10], [T, F], [T, F], short_entries=[T, F])
        assert column(pf, "direction") == ["short"]

    def test_exits_are_short_entries_with_both(self):
        pf = run([10, 12, 9], [T, F, F], [F, T, F], direction="both")
        assert column(pf, "direction") == ["long", "short"]
        assert pf.value.tolist() == pytest.approx([100, 120, 150])

    def test_both_with_entry_and_exit_on_one_bar_does_nothing(self):
        assert run([10, 12], [T, F], [T, F], direction="both").num_trades == 0

    def test_shortonly(self):
        pf = run([10, 8, 8], [T, F, F], [F, T, F], direction="shortonly")
        assert pf.value.tolist() == [100, 120, 120]

    def test_missing_signals_are_false(self):
        entries = np.array([1.0, np.nan, 0.0])
        assert run([1, 2, 3], entries).num_trades == 1
        assert run([1, 2, 3]).num_trades == 0
        assert run([1, 2, 3], [None, True, pd.NA]).trades["entry_index"].tolist() == [1]

    def test_repeated_entry_is_ignored(self):
        assert run([1, 2, 3], [T, T, T]).num_trades == 1

    def test_one_bool_stands_for_every_bar(self):
        assert run([1, 2, 3], True).total_return == 2.0

    def test_close_fill_on_the_last_bar(self):
        pf = run([10, 11], [F, T])
        assert column(pf, "status") == ["open"]
        assert pf.total_return == 0


class TestNextOpen:
    def test_fills_at_the_next_open(self):
        pf = run([10, 20, 30], [T, F, F], open=np.array([9.0, 12.0, 25.0]), price="nextopen")
        assert column(pf, "entry_price") == [12]
        assert pf.value.tolist() == pytest.approx([100, 100 / 12 * 20, 100 / 12 * 30])

    def test_signal_of_the_last_bar_is_dropped(self):
        assert run([10, 20], [F, T], price="nextopen").num_trades == 0

    def test_position_is_judged_at_the_fill(self):
        # The stop of bar 1 ends the trade; the entry seen on bar 1 opens a new one on bar 2.
        pf = run([10, 8, 8, 8], [T, T, F, F], price="nextopen", sl_stop=0.1,
                 open=np.array([10.0, 10.0, 8.0, 8.0]))  # fmt: skip
        assert column(pf, "entry_index") == [1, 2]
        assert column(pf, "exit_reason") == ["stop", "open"]

    def test_order_at_the_open_comes_before_the_stop_of_the_bar(self):
        pf = run([10, 10, 5], [T, F, F], [F, T, F], price="nextopen", sl_stop=0.1,
                 open=np.array([10.0, 10.0, 10.0]))  # fmt: skip
        assert column(pf, "exit_reason") == ["signal"]
        assert column(pf, "exit_price") == [10]

    def test_stop_is_active_from_the_fill_bar(self):
        pf = run([10, 9], [T, F], price="nextopen", open=np.array([10.0, 10.0]),
                 low=np.array([10.0, 8.0]), sl_stop=0.1)  # fmt: skip
        assert column(pf, "exit_price") == [9]
        assert column(pf, "bars") == [0]


class TestSizesAndCash:
    def test_finite_size_is_cut_to_free_cash(self):
        assert run([10, 11], [T, F], size=50).positions.tolist() == [10, 10]
        assert run([10, 11], [T, F], size=3).positions.tolist() == [3, 3]

    def test_shorts_are_cut_alike(self):
        assert run([10, 11], [T, F], direction="shortonly").positions.tolist() == [-10, -10]
        pf = run([10, 11], [T, F], direction="shortonly", size=50)
        assert pf.positions.tolist() == [-10, -10]

    def test_fees_are_inside_the_budget(self):
        pf = run([10, 10], [T, F], fees=0.25, fixed_fees=20)
        assert pf.positions.tolist() == [6.4, 6.4]
        assert pf.value.tolist() == pytest.approx([64, 64])

    def test_value_and_percent(self):
        assert run([10, 11], [T, F], size=30, size_type="value").positions.iloc[0] == 3
        pf = run([10, 11], [T, F], size=0.5, size_type="percent")
        assert pf.positions.iloc[0] == 5

    def test_value_is_of_the_raw_price(self):
        pf = run([10, 11], [T, F], size=30, size_type="value", slippage=0.1)
        assert pf.positions.iloc[0] == 3
        assert column(pf, "entry_price") == [11]

    def test_reversal_is_one_order_with_one_fixed_fee(self):
        pf = run([10, 10], [T, F], [F, T], direction="both", size=2, fixed_fees=1)
        assert pf.value.tolist() == [99, 98]
        assert pf.trades["exit_fees"].iloc[0] == pf.trades["entry_fees"].iloc[1] == 0.5

    def test_reversal_opens_with_what_is_left(self):
        pf = run([10, 20, 20], [T, F, F], [F, T, F], direction="both")
        assert pf.positions.tolist() == [10, -10, -10]

    def test_ruin_ends_trading(self):
        pf = run([10, 25, 5, 5], [F, F, F, T], short_entries=[T, F, F, F],
                 short_exits=[F, F, T, F])  # fmt: skip
        assert pf.value.iloc[1] == -50
        assert pf.num_trades == 1

    def test_closing_always_fills(self):
        pf = run([10, 30], [F, F], [F, F], short_entries=[T, F], short_exits=[F, T])
        assert pf.value.tolist() == [100, -100]

    def test_tiny_orders_are_not_sent(self):
        assert run([10, 10], [T, F], size=1e-9).num_trades == 0

    def test_size_of_the_signal_bar_fees_of_the_fill_bar(self):
        pf = run([10, 10, 10], [T, F, F], price="nextopen", size=np.array([1.0, 2.0, 3.0]),
                 fees=np.array([0.0, 0.1, 0.2]))  # fmt: skip
        assert column(pf, "size") == [1]
        assert column(pf, "entry_fees") == [1]


class TestAccumulate:
    def test_entries_add_and_exits_take(self):
        pf = run([10, 10, 10, 10], [T, T, F, F], [F, F, T, T], size=2, accumulate=True)
        assert pf.positions.tolist() == [2, 4, 2, 0]
        assert column(pf, "size") == [2, 2]

    def test_exit_never_crosses_zero(self):
        size = np.array([2.0, 5.0, 5.0])
        pf = run([10, 10, 10], [T, F, F], [F, T, F], size=size, accumulate=True)
        assert pf.positions.tolist() == [2, 0, 0]

    def test_opposite_entry_may_cross(self):
        size = np.array([2.0, 5.0])
        pf = run([10, 10], [T, F], [F, T], size=size, accumulate=True, direction="both")
        assert pf.positions.tolist() == [2, -3]

    def test_percent_exits_are_of_the_position(self):
        size = np.array([1.0, 0.25])
        pf = run([10, 10], [T, F], [F, T], size=size, size_type="percent", accumulate=True)
        assert pf.positions.tolist() == [10, 7.5]

    def test_average_cost(self):
        pf = run([10, 20, 30], [T, T, F], [F, F, T], size=1, accumulate=True)
        assert column(pf, "entry_price") == [15, 15]

    def test_stop_closes_everything_from_the_last_fill(self):
        pf = run([10, 20, 17], [T, T, F], size=1, accumulate=True, sl_stop=0.1)
        assert column(pf, "exit_reason") == ["stop"]
        assert column(pf, "exit_price") == [17]
        assert column(pf, "size") == [2]

    def test_a_fixed_fee_keeps_no_closing_half_back(self):
        # 10 units for 100 and a fee of 40, which is more than a tenth of all that there is.
        pf = run(
            [10, 10], [T, F], [F, T], size=np.array([1.0, 0.1]), size_type="percent",
            accumulate=True, direction="both", init_cash=140, fixed_fees=40,
        )  # fmt: skip
        assert pf.positions.tolist() == [10, 9]
        assert column(pf, "exit_reason") == ["signal", "open"]

    @pytest.mark.parametrize("price", ["close", "nextopen"])
    @pytest.mark.parametrize("direction", ["longonly", "shortonly"])
    def test_what_rounding_left_of_the_cash_adds_nothing_and_moves_no_stop(self, price, direction):
        down = direction == "longonly"
        close = np.array([1.0, 1.0, 1.0, 1.2, 1.2, 1.07, 1.07]) * 0.00103
        close = close if down else 0.00103**2 / close
        pf = run(
            close, [T, F, T, T, T, F, F], accumulate=True, direction=direction, fees=0.05,
            init_cash=1e6, price=price, tsl_stop=0.1 if down else 0.11,
        )  # fmt: skip
        assert pf.num_trades == 1
        units = np.abs(pf.positions)
        assert set(units.tolist()) == {0.0, units.max()}

    def test_a_small_part_of_a_large_position_is_recorded_as_it_was_sent(self):
        # 1e9 - 0.001 is rounded to 6e-8: neither its size nor its fee may be.
        pf = run(
            [1e-3, 1e-3, 1e-3], [T, F, F], [F, T, F], size=np.array([1e9, 0.001, 1]),
            accumulate=True, init_cash=1e7, fixed_fees=40,
        )  # fmt: skip
        first = pf.trades.iloc[0]
        assert first["size"] == 0.001
        assert first["exit_fees"] == 40.0
        assert pf.trades["entry_fees"].sum() == pytest.approx(40.0, rel=1e-14)


class TestStops:
    def test_stop_fills_at_its_level_or_the_worse_open(self):
        low = np.array([10.0, 8.0])
        assert column(run([10, 9], [T, F], low=low, open=np.array([10.0, 9.5]), sl_stop=0.1),
                      "exit_price") == [9]  # fmt: skip
        assert column(run([10, 9], [T, F], low=low, open=np.array([10.0, 8.5]), sl_stop=0.1),
                      "exit_price") == [8.5]  # fmt: skip

    def test_target_fills_at_its_level_or_the_better_open(self):
        high = np.array([10.0, 13.0])
        assert column(run([10, 12], [T, F], high=high, open=np.array([10.0, 10.0]), tp_stop=0.1),
                      "exit_price") == [11]  # fmt: skip
        assert column(run([10, 12], [T, F], high=high, open=np.array([10.0, 12.5]), tp_stop=0.1),
                      "exit_price") == [12.5]  # fmt: skip

    def test_stop_comes_before_target(self):
        pf = run([10, 10], [T, F], high=np.array([10.0, 15.0]), low=np.array([10.0, 5.0]),
                 open=np.array([10.0, 10.0]), sl_stop=0.1, tp_stop=0.1)  # fmt: skip
        assert column(pf, "exit_reason") == ["stop"]

    def test_gap_comes_before_both(self):
        pf = run([10, 10], [T, F], high=np.array([10.0, 15.0]), low=np.array([10.0, 5.0]),
                 open=np.array([10.0, 12.0]), sl_stop=0.1, tp_stop=0.1)  # fmt: skip
        assert column(pf, "exit_reason") == ["target"]
        assert column(pf, "exit_price") == [12]

    def test_trail_follows_the_peak_from_the_next_bar(self):
        close, high = [10, 11, 13, 13], np.array([10.0, 20.0, 13.0, 13.0])
        pf = run(close, [T, F, F, F], high=high, low=np.array([10.0, 10.0, 12.0, 13.0]),
                 open=np.array([10.0, 10.0, 13.0, 13.0]), tsl_stop=0.5)  # fmt: skip
        assert column(pf, "exit_reason") == ["open"]  # peak 20, level 10, never reached
        pf = run(close, [T, F, F, F], high=high, low=np.array([10.0, 10.0, 12.0, 13.0]),
                 open=np.array([10.0, 10.0, 13.0, 13.0]), tsl_stop=0.35)  # fmt: skip
        assert column(pf, "exit_reason") == ["trail"]
        assert column(pf, "exit_index") == [2]
        assert column(pf, "exit_price") == [13]

    def test_trailing_distance_in_price(self):
        pf = run([10, 15, 11], [T, F, F], tsl_stop=3, stop_unit="price")
        assert column(pf, "exit_price") == [11]
        pf = run([10, 15, 11], [T, F, F], open=np.array([10.0, 15.0, 15.0]), tsl_stop=3,
                 stop_unit="price")  # fmt: skip
        assert column(pf, "exit_price") == [12]

    def test_the_nearer_counts_and_a_tie_is_the_stop(self):
        pf = run([10, 10, 9], [T, F, F], sl_stop=0.1, tsl_stop=0.1)
        assert column(pf, "exit_reason") == ["stop"]
        pf = run([10, 11, 9], [T, F, F], sl_stop=0.1, tsl_stop=0.1)
        assert column(pf, "exit_reason") == ["trail"]

    def test_shorts_are_mirrored(self):
        pf = run([10, 12], [T, F], direction="shortonly", sl_stop=0.1,
                 open=np.array([10.0, 10.0]))  # fmt: skip
        assert column(pf, "exit_price") == [11]
        pf = run([10, 8], [T, F], direction="shortonly", tp_stop=0.1, open=np.array([10.0, 10.0]))
        assert column(pf, "exit_price") == [9]

    def test_slippage_spares_targets(self):
        pf = run([10, 12], [T, F], tp_stop=0.1, slippage=np.array([0.0, 0.5]),
                 open=np.array([10.0, 10.0]))  # fmt: skip
        assert column(pf, "exit_price") == [11]
        pf = run([10, 8], [T, F], sl_stop=0.1, slippage=np.array([0.0, 0.5]),
                 open=np.array([10.0, 10.0]))  # fmt: skip
        assert column(pf, "exit_price") == [4.5]

    def test_not_active_on_the_bar_of_a_close_fill(self):
        assert column(run([10, 10], [T, F], low=np.array([1.0, 10.0]), sl_stop=0.1), "status") == [
            "open"
        ]

    def test_a_bar_with_a_stop_loses_its_signal(self):
        pf = run([10, 9, 9], [T, T, F], sl_stop=0.1)
        assert pf.num_trades == 1

    def test_nan_is_no_stop(self):
        assert column(run([10, 1], [T, F], sl_stop=np.array([np.nan, 0.1])), "status") == ["open"]

    def test_missing_open_is_the_close(self):
        assert column(run([10, 8], [T, F], sl_stop=0.1), "exit_price") == [8]


class TestMissingPrices:
    def test_a_bar_without_price_does_not_exist(self):
        pf = run([10, np.nan, 12], [F, T, F])
        assert pf.num_trades == 0
        pf = run([10, np.nan, 12, 13], [T, F, F, F], [F, T, F, F])
        assert column(pf, "status") == ["open"]
        assert pf.value.tolist() == pytest.approx([100, 100, 120, 130])

    def test_an_order_waits_for_the_next_price(self):
        pf = run([10, np.nan, 12, 13], [T, F, F, F], price="nextopen")
        assert column(pf, "entry_index") == [2]

    def test_leading_gap(self):
        pf = run([np.nan, 10, 12], [F, T, F])
        assert pf.value.tolist() == [100, 100, 120]
        assert run([np.nan, np.nan], True).total_return == 0


class TestGroups:
    close = pd.DataFrame({"a": [10.0, 10, 20], "b": [10.0, 10, 5], "c": [10.0, 10, 10]})

    def test_shared_cash_goes_in_column_order(self):
        pf = PF.from_signals(self.close, [T, F, F], cash_sharing=True, size=6)
        assert pf.positions.iloc[0].tolist() == [6, 4, 0]
        assert pf.value.tolist() == pytest.approx([100, 100, 6 * 20 + 4 * 5])

    def test_orders_that_free_cash_come_first(self):
        entries = pd.DataFrame({"a": [F, T, F], "b": [T, F, F], "c": [F, F, F]})
        exits = pd.DataFrame({"a": [F, F, F], "b": [F, T, F], "c": [F, F, F]})
        pf = PF.from_signals(self.close, entries, exits, cash_sharing=True)
        assert pf.positions.iloc[1].tolist() == [10, 0, 0]

    def test_groups_by_label(self):
        pf = PF.from_signals(self.close, [T, F, F], group_by=["x", "y", "x"], cash_sharing=True)
        assert pf.total_return.to_dict() == {"x": 1.0, "y": -0.5}
        assert pf.value.columns.tolist() == ["x", "y"]
        assert pf.trades["column"].tolist() == ["a", "b"]

    def test_groups_without_shared_cash_are_sums(self):
        pf = PF.from_signals(self.close, [T, F, F], group_by=True)
        assert pf.value.tolist() == [300, 300, 350]
        assert pf.total_return == pytest.approx(50 / 300)

    def test_shorts_of_a_group_do_not_pay_for_more(self):
        entries = pd.DataFrame({"a": [T, F, F], "b": [F, T, F], "c": [F, F, F]})
        pf = PF.from_signals(self.close, entries, direction="shortonly", cash_sharing=True)
        assert pf.positions.iloc[1].tolist() == [-10, 0, 0]

    def test_group_cash(self):
        pf = PF.from_signals(
            self.close, [T, F, F], group_by=[0, 0, 1], cash_sharing=True, init_cash=[50, 10]
        )
        assert pf.value.iloc[0].tolist() == [50, 10]
