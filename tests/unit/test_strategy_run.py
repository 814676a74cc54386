# SPDX-License-Identifier: BSD-3-Clause
"""The run `s`: prices, parameters, orders, components, and what it refuses."""

from __future__ import annotations

import cloudpickle
import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._training.components import Component, bars_of
from broadpeak._training.strategy import RunState, StrategyRun
from broadpeak._training.values import Defaults


def make_data(n=40, symbols=("X",), seed=1):
    frames = {}
    for number, symbol in enumerate(symbols):
        rng = np.random.default_rng(seed + number)
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
        open_ = close * np.exp(rng.normal(0, 0.003, n))
        frames[symbol] = pd.DataFrame(
            {
                "open": open_,
                "high": np.maximum(open_, close) * 1.005,
                "low": np.minimum(open_, close) * 0.995,
                "close": close,
                "volume": 1000.0,
            },
            index=pd.date_range("2020-01-01", periods=n, freq="D"),
        )
    return bp.Data.from_frames(frames)


def make_run(data=None, mode="test", **options):
    bars = bars_of(data or make_data())
    return StrategyRun(RunState(bars, tuple(bars), Defaults(), mode, **options))


def merged(s, first=0, last=None, *, unit_lots=False, key=None):
    book = s._state.books[key or Component(next(iter(s._state.bars)))]
    return book.merged(first, last, unit_lots=unit_lots)


class TestStrategy:
    def test_bare_and_with_options(self):
        @bp.strategy
        def plain(s):
            """Do nothing."""

        @bp.strategy(name="other", lookback=10, unstable_period=0, fill="close")
        def named(s):
            pass

        assert (plain.name, plain.lookback, plain.unstable_period, plain.fill) == (
            "plain",
            80,
            40,
            "nextopen",
        )
        assert plain.__doc__ == "Do nothing."
        assert (named.name, named.lookback, named.unstable_period, named.fill) == (
            "other",
            10,
            0,
            "close",
        )
        assert plain.__name__ == "plain"

    def test_call_calls_the_function(self):
        assert bp.strategy(lambda s: s + 1)(1) == 2

    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"lookback": -1}, "lookback must be an integer"),
            ({"lookback": 1.5}, "lookback must be an integer"),
            ({"lookback": float("nan")}, "lookback must be an integer"),
            ({"lookback": True}, "lookback must be an integer"),
            ({"unstable_period": "40"}, "unstable_period must be an integer"),
            ({"fill": "open"}, "fill must be one of"),
            ({"name": ""}, "name must be a string"),
        ],
    )
    def test_bad_options(self, options, match):
        with pytest.raises(bp.ParamError, match=match):
            bp.strategy(**options)(lambda s: None)

    def test_not_a_function(self):
        with pytest.raises(bp.ParamError, match="func must be a function of one argument"):
            bp.strategy(3)

    def test_travels_by_value(self):
        @bp.strategy(lookback=7)
        def travelling(s):
            return s * 2

        back = cloudpickle.loads(cloudpickle.dumps(travelling))
        assert back(4) == 8
        assert (back.name, back.lookback) == ("travelling", 7)


class TestPrices:
    def test_arrays(self):
        data = make_data()
        s = make_run(data)
        for name in ("open", "high", "low", "close", "volume"):
            values = getattr(s, name)
            assert values.dtype == np.float64
            assert values.shape == (40,)
            np.testing.assert_array_equal(values, getattr(data, name).to_numpy())
        np.testing.assert_array_equal(s.price, (s.open + s.high + s.low + s.close) / 4)
        assert s.index.equals(data.index)
        assert (s.mode, s.asset, s.algo) == ("test", "X", None)

    def test_read_only(self):
        s = make_run()
        with pytest.raises(ValueError, match="read-only"):
            s.close[0] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            s.price[0] = 1.0

    def test_several_symbols_outside_of_a_loop(self):
        s = make_run(make_data(symbols=("X", "Y")))
        assert s.asset is None
        with pytest.raises(bp.StrategyError, match=r"several symbols .*for asset, algo in s\.loop"):
            _ = s.close
        with pytest.raises(bp.StrategyError, match="outside of a loop"):
            s.enter_long(np.zeros(40, dtype=bool))

    def test_each_symbol_on_its_own_calendar(self):
        one, two = make_data(40), make_data(40, seed=5)
        frames = {
            "X": pd.DataFrame({c: getattr(one, c) for c in ("open", "high", "low", "close")}),
            "Y": pd.DataFrame({c: getattr(two, c) for c in ("open", "high", "low", "close")})[::2],
        }
        bars = bars_of(bp.Data.from_frames(frames))
        assert {symbol: len(own) for symbol, own in bars.items()} == {"X": 40, "Y": 20}
        assert not np.isnan(bars["Y"].close).any()


class TestMembers:
    def test_typo_is_named(self):
        s = make_run()
        with pytest.raises(bp.StrategyError, match=r"s\.stopp cannot be set.*'stop'"):
            s.stopp = 3
        with pytest.raises(bp.StrategyError, match=r"s\.closee cannot be used.*'close'"):
            _ = s.closee
        with pytest.raises(AttributeError, match="no such member"):
            s.enter_lng(1)

    def test_prices_cannot_be_assigned(self):
        with pytest.raises(bp.StrategyError, match=r"s\.close cannot be assigned"):
            make_run().close = 3

    def test_defaults(self):
        s = make_run()
        assert (s.stop, s.take_profit, s.trail, s.lifetime, s.lots) == (None,) * 4 + (1.0,)
        s.stop = 2
        assert s.stop == 2.0
        s.stop = np.arange(40)
        np.testing.assert_array_equal(s.stop, np.arange(40.0))
        s.stop *= 2
        np.testing.assert_array_equal(s.stop, np.arange(40.0) * 2)
        s.stop = None
        assert s.stop is None

    @pytest.mark.parametrize("value", ["3", True, np.zeros(3), np.zeros((40, 1)), [None] * 39])
    def test_defaults_that_do_not_fit(self, value):
        with pytest.raises(bp.StrategyError, match="stop must"):
            make_run().stop = value

    def test_lots_cannot_be_none(self):
        with pytest.raises(bp.DataError, match="lots must be a number"):
            make_run().lots = None

    def test_repr_and_dir(self):
        s = make_run()
        assert repr(s) == "<run of X, mode='test'>"
        assert "enter_long" in dir(s)
        assert "_state" not in dir(s)


class TestSignals:
    @pytest.mark.parametrize(
        "when",
        [
            np.arange(40) % 7 == 0,
            (np.arange(40) % 7 == 0).astype(float),
            (np.arange(40) % 7 == 0).astype(int),
            list(np.arange(40) % 7 == 0),
            np.where(np.arange(40) % 7 == 0, 1.0, np.nan),
        ],
    )
    def test_forms(self, when):
        s = make_run()
        s.enter_long(when)
        np.testing.assert_array_equal(merged(s).enter_long, np.arange(40) % 7 == 0)

    def test_series(self):
        s = make_run()
        s.enter_long(pd.Series(np.arange(40) == 3, index=s.index))
        s.exit_long(pd.Series(np.arange(40) == 5, index=s.index, dtype="boolean"))
        orders = merged(s)
        assert orders.enter_long.nonzero()[0].tolist() == [3]
        assert orders.exit_long.nonzero()[0].tolist() == [5]

    def test_series_with_another_index(self):
        with pytest.raises(bp.StrategyError, match=r"must have the index s\.index"):
            make_run().enter_long(pd.Series(np.zeros(40, dtype=bool)))

    @pytest.mark.parametrize(
        ("when", "match"),
        [
            (True, r"enter_long\(when\) must be an array with one value a bar, shape \(40,\)"),
            (np.zeros(39, dtype=bool), r"shape \(40,\).*got \(39,\)"),
            (np.zeros((40, 1), dtype=bool), r"got \(40, 1\)"),
            (np.full(40, 0.5), "must hold true and false values"),
            (np.full(40, "x"), "must hold true and false values"),
        ],
    )
    def test_bad_signals(self, when, match):
        with pytest.raises(bp.StrategyError, match=match):
            make_run().enter_long(when)
        with pytest.raises(bp.DataError, match=match):
            make_run().enter_long(when)

    def test_later_changes_of_the_array_do_not_matter(self):
        s = make_run()
        when = np.arange(40) == 3
        s.enter_long(when)
        when[:] = False
        assert merged(s).enter_long.sum() == 1


class TestOrders:
    def at(self, *bars):
        return np.isin(np.arange(40), bars)

    def test_calls_are_joined_and_the_first_stop_counts(self):
        s = make_run()
        s.enter_long(self.at(3, 5), stop=1.0)
        s.enter_long(self.at(5, 7), stop=2.0)
        orders = merged(s)
        assert orders.enter_long.nonzero()[0].tolist() == [3, 5, 7]
        assert orders.settings["stop"][[3, 5, 7]].tolist() == [1.0, 1.0, 2.0]

    def test_defaults_are_read_at_the_call(self):
        s = make_run()
        s.stop = np.full(40, 4.0)
        s.enter_long(self.at(3))
        s.stop = 9.0
        s.enter_short(self.at(6))
        orders = merged(s)
        assert orders.settings["stop"][[3, 6]].tolist() == [4.0, 9.0]

    def test_settings_of_a_call_win(self):
        s = make_run()
        s.stop, s.take_profit, s.trail, s.lifetime, s.lots = 1, 2, 3, 4, 5
        s.enter_long(self.at(3), stop=10, take_profit=20, trail=30, lifetime=40, lots=50)
        orders = merged(s)
        expected = {
            "stop": 10.0,
            "take_profit": 20.0,
            "trail": 30.0,
            "lifetime": 40.0,
            "lots": 50.0,
        }
        assert orders.settings == expected

    def test_unit_lots(self):
        s = make_run()
        s.enter_long(self.at(3), lots=7)
        assert merged(s, unit_lots=True).settings["lots"] == 1.0

    def test_zero_lots_close_the_opposite_position_only(self):
        s = make_run()
        s.enter_long(self.at(3), lots=0)
        s.enter_short(self.at(5, 8), lots=np.where(np.arange(40) == 5, 0.0, 2.0))
        for unit_lots in (False, True):
            orders = merged(s, unit_lots=unit_lots)
            assert not orders.enter_long.any()
            assert orders.exit_short.nonzero()[0].tolist() == [3]
            assert orders.enter_short.nonzero()[0].tolist() == [8]
            assert orders.exit_long.nonzero()[0].tolist() == [5]

    def test_only_bars_of_the_window_count(self):
        s = make_run()
        s.enter_long(self.at(3, 10, 30))
        s.exit_long(self.at(4, 11, 31))
        orders = merged(s, first=10, last=30)
        assert orders.enter_long.nonzero()[0].tolist() == [10]
        assert orders.exit_long.nonzero()[0].tolist() == [11]

    @pytest.mark.parametrize("name", ["stop", "take_profit", "trail"])
    @pytest.mark.parametrize("value", [0.0, -1.0, np.where(np.arange(40) == 7, 0.0, 1.0)])
    def test_distance_must_be_positive_where_it_enters(self, name, value):
        s = make_run()
        s.enter_long(self.at(7), **{name: value})
        match = rf"{name} must be positive where a position is entered \(bar 7\)"
        with pytest.raises(bp.StrategyError, match=match):
            merged(s)

    def test_distance_elsewhere_does_not_matter(self):
        s = make_run()
        s.enter_long(self.at(7), stop=np.where(np.arange(40) == 7, 1.0, -1.0))
        assert merged(s).settings["stop"][7] == 1.0

    @pytest.mark.parametrize(("value", "match"), [(0, "lifetime must"), (0.4, "lifetime must")])
    def test_lifetime_must_be_a_bar(self, value, match):
        s = make_run()
        s.enter_long(self.at(7), lifetime=value)
        with pytest.raises(bp.StrategyError, match=match):
            merged(s)

    def test_lifetime_is_rounded_half_up(self):
        s = make_run()
        s.enter_long(self.at(7), lifetime=2.5)
        assert merged(s).settings["lifetime"] == 3.0

    @pytest.mark.parametrize("lots", [-1.0, np.nan, np.inf])
    def test_bad_lots(self, lots):
        s = make_run()
        s.enter_long(self.at(7), lots=lots)
        with pytest.raises(bp.StrategyError, match="lots must be 0 or more and finite"):
            merged(s)

    def test_cold_stops_are_counted(self):
        s = make_run()
        s.stop = np.where(np.arange(40) < 10, np.nan, 1.0)
        s.enter_long(self.at(3, 9, 12))
        assert merged(s).n_unprotected == 2
        assert merged(s, first=10).n_unprotected == 0

    def test_an_order_without_a_stop_is_not_cold(self):
        s = make_run()
        stop = np.where(np.arange(40) < 10, np.nan, 1.0)
        s.enter_long(self.at(3))  # none was asked for
        s.enter_short(self.at(12), stop=stop)
        s.enter_long(self.at(20), stop=2.0)
        assert merged(s).n_unprotected == 0
        s.enter_long(self.at(4), stop=stop)
        s.enter_short(self.at(5), stop=stop, lots=0)  # trades nothing
        s.enter_long(self.at(6), stop=stop)
        s.exit_long(self.at(6))  # cancels it
        assert merged(s).n_unprotected == 1


class TestConflicts:
    """What cancels is decided before sizes and settings are looked at, as in the simulation."""

    def at(self, *bars):
        found = np.zeros(40, dtype=bool)
        found[list(bars)] = True
        return found

    def trades(self, order, fill):
        data = make_data()

        @bp.strategy(lookback=2, fill=fill)
        def run(s):
            order(s)

        pf = bp.test(run, data)
        columns = ("direction", "entry_index", "exit_index", "exit_reason")
        return list(zip(*(pf.trades[name] for name in columns), strict=True))

    @pytest.mark.parametrize(("fill", "later"), [("nextopen", 1), ("close", 0)])
    def test_no_lots_and_an_exit_of_the_same_side(self, fill, later):
        def alone(s):
            s.enter_long(self.at(5))
            s.enter_short(self.at(9), lots=0)

        def cancelled(s):
            alone(s)
            s.exit_short(self.at(9))

        def other_exit(s):
            alone(s)
            s.exit_long(self.at(9))

        start, end = 3 + later, 7 + later
        assert self.trades(alone, fill) == [("long", start, end, "signal")]
        assert self.trades(cancelled, fill) == [("long", start, 37, "open")]
        assert self.trades(other_exit, fill) == [("long", start, end, "signal")]

    @pytest.mark.parametrize("fill", ["nextopen", "close"])
    @pytest.mark.parametrize("lots", [0.0, 1.0])
    @pytest.mark.filterwarnings("ignore:'run' enters X with stop = 0.001")
    def test_an_entry_that_cancels_leaves_the_field_to_the_other_side(self, fill, lots):
        def run(s):
            s.enter_short(self.at(4))
            s.enter_long(self.at(9), stop=500.0)
            s.enter_short(self.at(9), lots=lots, stop=0.001)
            s.exit_short(self.at(9))

        found = self.trades(run, fill)
        # The long entry reverses, with its own stop and lots.
        assert [trade[0] for trade in found] == ["short", "long"]
        assert [trade[3] for trade in found] == ["reverse", "open"]


class TestLoop:
    def test_order_and_switching(self):
        data = make_data(symbols=("X", "Y"))
        s = make_run(data)
        seen = []
        for asset, algo in s.loop(algos=["a", "b"]):
            seen.append((asset, algo, s.asset, s.algo, float(s.close[0])))
            s.enter_long(np.zeros(40, dtype=bool))
        first = data.close.iloc[0]
        assert seen == [
            (asset, algo, asset, algo, first[asset]) for asset in ("X", "Y") for algo in ("a", "b")
        ]
        assert [c.key for c in s._state.books] == ["X:a", "X:b", "Y:a", "Y:b"]
        assert s.asset is None

    def test_selected_assets(self):
        s = make_run(make_data(symbols=("X", "Y", "Z")))
        assert [asset for asset, _ in s.loop(["Z", "X"])] == ["Z", "X"]
        s = make_run(make_data(symbols=("X", "Y", "Z")))
        assert list(s.loop("Y")) == [("Y", None)]

    def test_settings_do_not_leak_to_the_next_component(self):
        s = make_run(make_data(symbols=("X", "Y")))
        s.lots = 2
        seen = []
        for _ in s.loop():
            seen.append((s.lots, s.stop))
            s.stop, s.lots = np.ones(40), 3
        assert seen == [(2.0, None), (2.0, None)]
        assert s.lots == 2.0

    def test_training_yields_one_component(self):
        data = make_data(symbols=("X", "Y"))
        assert list(make_run(data, mode="train").loop()) == [("X", None)]
        chosen = make_run(data, mode="train", chosen=Component("Y"))
        assert list(chosen.loop()) == [("Y", None)]

    @pytest.mark.parametrize(
        ("arguments", "match"),
        [
            ((["Q"],), r"assets of s\.loop\(\) must hold symbols of the data \(X, Y\), got 'Q'"),
            (([],), "at least one"),
            ((["X", "X"],), "name each one once"),
            ((None, ["a", ""]), r"algos of s\.loop\(\) must be names"),
        ],
    )
    def test_bad_lists(self, arguments, match):
        with pytest.raises(bp.StrategyError, match=match):
            list(make_run(make_data(symbols=("X", "Y"))).loop(*arguments))

    def test_nested_loops(self):
        s = make_run(make_data(symbols=("X", "Y")))
        outer = iter(s.loop())
        next(outer)
        with pytest.raises(bp.StrategyError, match="must not be nested"):
            list(s.loop())

    def test_orders_outside(self):
        nothing = np.zeros(40, dtype=bool)
        s = make_run()
        s.enter_long(nothing)
        with pytest.raises(bp.StrategyError, match="got some before it"):
            list(s.loop(algos=["a"]))
        s = make_run()
        list(s.loop(algos=["a"]))
        with pytest.raises(bp.StrategyError, match="got some after it"):
            s.enter_long(nothing)


class TestPlot:
    def test_kept_in_tests_only(self):
        s = make_run()
        s.plot("line", s.close, panel=1)
        curve = s._state.lines[Component("X")]["line"]
        assert curve.panel == 1
        np.testing.assert_array_equal(curve.values, s.close)
        s = make_run(mode="train")
        s.plot("line", "ignored")
        assert s._state.lines == {}

    def test_shape(self):
        with pytest.raises(bp.StrategyError, match="plot 'line' must be an array"):
            make_run().plot("line", np.zeros(3))
