# SPDX-License-Identifier: BSD-3-Clause
"""Portfolio as users meet it: columns, labels, metrics, records, errors."""

from __future__ import annotations

import math
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import PF
from broadpeak._core import compile as compiling
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._simulation.fills import join_fills
from broadpeak._simulation.rules import Orders, Prices, Rules
from broadpeak._simulation.simulation import simulate
from broadpeak.errors import DataError, ParamError

INDEX = pd.date_range("2024-01-01", periods=6, freq="D", name="Date")
CLOSE = pd.Series([10.0, 12, 9, 11, 15, 14], index=INDEX, name="X")
ENTRIES = pd.Series([True, False, False, True, False, False], index=INDEX)
EXITS = pd.Series([False, True, False, False, False, True], index=INDEX)
SYMBOLS = pd.DataFrame({"A": CLOSE, "B": CLOSE * 2}, columns=pd.Index(["A", "B"], name="symbol"))


@pytest.fixture
def one():
    return PF.from_signals(CLOSE, ENTRIES, EXITS)


@pytest.fixture
def grid():
    columns = pd.MultiIndex.from_product([[1, 2, 3], ["A", "B"]], names=["fast", "symbol"])
    rng = np.random.default_rng(0)
    return tuple(
        pd.DataFrame(rng.random((6, 6)) < 0.4, index=INDEX, columns=columns) for _ in range(2)
    )


class TestOneColumn:
    def test_scalars_and_series(self, one):
        assert isinstance(one.total_return, float)
        assert isinstance(one.num_trades, int)
        assert one.value.index.equals(INDEX)
        assert one.value.name == one.returns.name == one.positions.name == "X"
        assert one.total_return == pytest.approx(12 / 10 * 14 / 11 - 1)

    def test_metrics_from_returns(self, one):
        r = one.returns.to_numpy()
        year = one.bars_per_year
        assert year == pytest.approx(365.25)
        assert one.sharpe_ratio == pytest.approx(r.mean() / r.std(ddof=1) * year**0.5)
        assert one.annual_volatility == pytest.approx(r.std(ddof=1) * year**0.5)
        down = np.sqrt(np.mean(np.minimum(r, 0) ** 2))
        assert one.sortino_ratio == pytest.approx(r.mean() / down * year**0.5)
        assert one.annual_return == pytest.approx((1 + one.total_return) ** (year / 6) - 1)
        assert one.calmar_ratio == pytest.approx(one.annual_return / abs(one.max_drawdown))
        assert one.max_drawdown == pytest.approx(14 / 15 - 1)

    def test_metrics_from_trades(self, one):
        pnl = one.trades["pnl"]
        assert one.win_rate == 1.0
        assert one.profit_factor == math.inf
        assert one.expectancy == pytest.approx(pnl.mean())
        assert one.sqn == pytest.approx(pnl.mean() / pnl.std() * 2**0.5)
        assert one.num_trades == 2
        assert one.exposure == pytest.approx(3 / 6)

    def test_trade_records(self, one):
        expected = (
            "column direction size entry_index exit_index entry_time exit_time entry_price "
            "exit_price entry_fees exit_fees pnl return status exit_reason bars mae mfe"
        )
        assert list(one.trades) == expected.split()
        second = one.trades.iloc[1]
        assert second["column"] == "X"
        assert second["entry_time"] == INDEX[3]
        assert second["bars"] == 2
        assert second["mfe"] == pytest.approx(15 / 11 - 1)
        assert second["mae"] == 0

    def test_drawdown_records(self, one):
        frame = one.drawdowns
        assert list(frame) == [
            "column", "peak_time", "valley_time", "recovery_time", "depth", "bars", "status",
        ]  # fmt: skip
        assert frame["status"].tolist() == ["active"]
        assert frame["depth"].iloc[0] == pytest.approx(one.max_drawdown)
        assert pd.isna(frame["recovery_time"].iloc[0])

    def test_recovered_drawdown(self):
        frame = PF.from_signals(CLOSE, [True] + [False] * 5).drawdowns
        assert frame["status"].tolist() == ["recovered", "active"]
        assert frame["bars"].tolist() == [3, 1]
        assert frame["recovery_time"].iloc[0] == INDEX[4]

    def test_stats(self, one):
        stats = one.stats()
        assert stats["end_value"] == pytest.approx(one.value.iloc[-1])
        assert stats["sharpe_ratio"] == one.sharpe_ratio
        assert stats["start"] == INDEX[0]

    def test_a_frame_with_one_column_stays_a_frame(self, one):
        pf = PF.from_signals(CLOSE.to_frame("Q"), ENTRIES, EXITS)
        assert pf.sharpe_ratio.to_dict() == {"Q": one.sharpe_ratio}
        assert list(pf.value.columns) == ["Q"]
        assert list(pf.stats().index) == ["Q"]

    def test_survives_pickling(self, one):
        again = pickle.loads(pickle.dumps(one))
        assert again.sharpe_ratio == one.sharpe_ratio
        pd.testing.assert_frame_equal(again.trades, one.trades)


class TestUndefined:
    def test_no_trades(self):
        pf = PF.from_signals(CLOSE)
        for name in ("win_rate", "profit_factor", "expectancy", "sqn", "sharpe_ratio",
                     "sortino_ratio", "calmar_ratio"):  # fmt: skip
            assert math.isnan(getattr(pf, name)), name
        assert pf.num_trades == pf.exposure == pf.total_return == pf.max_drawdown == 0
        assert pf.trades.empty
        assert pf.drawdowns.empty

    def test_one_bar(self):
        pf = PF.from_signals(CLOSE[:1], [True])
        assert math.isnan(pf.sharpe_ratio)
        assert pf.value.tolist() == [100]
        pf.stats()

    def test_open_trade_counts_only_in_their_number(self):
        pf = PF.from_signals(CLOSE, [True] + [False] * 5)
        assert pf.num_trades == 1
        assert math.isnan(pf.win_rate)

    def test_gains_without_losses(self):
        pf = PF.from_signals(pd.Series([1.0, 2, 3], index=INDEX[:3]), [True, False, False])
        assert pf.sortino_ratio == math.inf
        assert math.isnan(pf.calmar_ratio)

    def test_constant_returns_have_no_sharpe(self):
        close = pd.Series(1.01 ** np.arange(300), index=pd.date_range("2020", periods=300))
        pf = PF.from_signals(close, True, init_cash=1.0)
        steady = pf.returns.iloc[1:]
        assert steady.std() < 1e-12
        assert pf.sharpe_ratio > 0  # the first bar earns nothing: there is a deviation

    def test_without_dates_one_warning(self):
        pf = PF.from_signals(CLOSE.to_numpy(), ENTRIES.to_numpy(), EXITS.to_numpy())
        with pytest.warns(UserWarning, match=r"bars_per_year=252") as caught:
            metrics = pf.metrics(["sharpe_ratio", "annual_return"])
        assert metrics.isna().all(axis=None)
        assert len(caught) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            given = PF.from_signals(CLOSE.to_numpy(), ENTRIES, EXITS, bars_per_year=252)
            assert given.sharpe_ratio > 0


class TestColumns:
    def test_signals_frame_on_one_close(self, grid):
        entries, exits = grid
        pf = PF.from_signals(CLOSE, entries, exits)
        assert pf.sharpe_ratio.index.equals(entries.columns)
        assert pf.value.columns.equals(entries.columns)

    def test_parameters_by_symbol_against_close_by_symbol(self, grid):
        entries, exits = grid
        pf = PF.from_signals(SYMBOLS, entries, exits, fees=0.001)
        for k, (fast, symbol) in enumerate(entries.columns):
            alone = PF.from_signals(
                SYMBOLS[symbol], entries[fast, symbol], exits[fast, symbol], fees=0.001
            )
            assert pf.total_return.iloc[k] == alone.total_return
            assert pf.sharpe_ratio.iloc[k] == pytest.approx(alone.sharpe_ratio, nan_ok=True)
            pd.testing.assert_series_equal(pf.value.iloc[:, k], alone.value, check_names=False)

    def test_signals_by_symbol_with_parameters_of_the_exits(self, grid):
        entries, _ = grid
        pf = PF.from_signals(SYMBOLS, SYMBOLS > 10, entries)
        assert pf.total_return.index.equals(entries.columns)

    def test_list_makes_columns(self):
        pf = PF.from_signals(CLOSE, ENTRIES, EXITS, sl_stop=[0.01, 0.3], tp_stop=[0.1, 0.2])
        assert pf.total_return.index.names == ["sl_stop", "tp_stop"]
        for k, (sl, tp) in enumerate(pf.total_return.index):
            alone = PF.from_signals(CLOSE, ENTRIES, EXITS, sl_stop=sl, tp_stop=tp)
            assert alone.total_return == pf.total_return.iloc[k]

    def test_list_matches_parameter_columns(self, grid):
        entries, exits = grid
        pf = PF.from_signals(SYMBOLS, entries, exits, sl_stop=[0.01, 0.1, 0.3])
        alone = PF.from_signals(SYMBOLS["B"], entries[2, "B"], exits[2, "B"], sl_stop=0.1)
        assert pf.total_return[2, "B"] == alone.total_return
        assert pf.total_return.index.equals(entries.columns)

    def test_list_times_symbols(self):
        pf = PF.from_signals(SYMBOLS, ENTRIES, EXITS, sl_stop=[0.05, 0.3])
        assert pf.total_return.index.names == ["sl_stop", "symbol"]
        assert len(pf.total_return) == 4

    def test_a_list_of_one_value_makes_a_column(self):
        alone = PF.from_signals(CLOSE, ENTRIES, EXITS, sl_stop=0.1)
        for stop in ([0.1], (0.1,), pd.Index([0.1]), np.array([0.1])):
            pf = PF.from_signals(CLOSE, ENTRIES, EXITS, sl_stop=stop)
            assert pf.total_return.index.names == ["sl_stop"]
            assert pf.total_return.to_dict() == {0.1: alone.total_return}
            assert pf.value.columns.tolist() == pf.positions.columns.tolist() == [0.1]
            assert set(pf.trades["column"]) == {0.1}
            assert pf.stats().index.equals(pf.metrics("sqn").index)
        both = PF.from_signals(SYMBOLS, ENTRIES, EXITS, sl_stop=[0.1], tp_stop=[0.2, 0.3])
        assert both.total_return.index.names == ["sl_stop", "tp_stop", "symbol"]
        assert PF.from_signals(CLOSE, ENTRIES, init_cash=[50]).value.shape == (6, 1)

    def test_two_dimensional_input_of_one_column_gives_frames(self):
        for close in (CLOSE.to_frame(), CLOSE.to_numpy()[:, None]):
            pf = PF.from_signals(close, ENTRIES.to_numpy(), bars_per_year=252)
            assert isinstance(pf.total_return, pd.Series)
            assert isinstance(pf.stats(), pd.DataFrame)
            assert pf.returns.shape == pf.positions.shape == (6, 1)
        flags = pd.DataFrame({"only": ENTRIES})
        assert PF.from_signals(CLOSE, flags).total_return.index.tolist() == ["only"]
        whole = PF.from_signals(CLOSE.to_frame(), ENTRIES, group_by=True)
        assert isinstance(whole.total_return, float)  # one account
        items, _ = PF.from_signals(CLOSE.to_frame("Q"), ENTRIES).split_params()
        assert isinstance(items[0].total_return, float)

    def test_columns_of_different_parameters_meet_by_position(self, grid):
        entries, exits = grid
        other = exits.columns.set_levels([7, 8, 9], level="fast").set_names(["slow", "symbol"])
        pf = PF.from_signals(SYMBOLS, entries, exits.set_axis(other, axis=1))
        plain = PF.from_signals(SYMBOLS, entries, exits)
        assert pf.total_return.index.names == ["fast", "slow", "symbol"]
        assert pf.total_return.index[0] == (1, 7, "A")
        np.testing.assert_array_equal(pf.total_return, plain.total_return)
        wrong = other.set_levels(["A", "C"], level="symbol")
        with pytest.raises(DataError, match="exits must have the columns of entries"):
            PF.from_signals(SYMBOLS, entries, exits.set_axis(wrong, axis=1))
        with pytest.raises(DataError, match="exits must have the columns of entries"):
            PF.from_signals(CLOSE, entries[1], pd.DataFrame({"x": ENTRIES, "y": EXITS}))

    def test_array_across_columns(self):
        pf = PF.from_signals(SYMBOLS, ENTRIES, EXITS, fees=np.array([0.0, 0.1]))
        assert pf.total_return["A"] > pf.total_return["B"]

    def test_series_by_label(self):
        fees = pd.Series([0.1, 0.0], index=["A", "B"])
        pf = PF.from_signals(SYMBOLS, ENTRIES, EXITS, fees=fees)
        assert pf.total_return["A"] < pf.total_return["B"]

    def test_cash_by_column(self):
        pf = PF.from_signals(SYMBOLS, ENTRIES, init_cash=np.array([10.0, 20.0]))
        assert pf.value.iloc[0].tolist() == [10, 20]

    def test_cash_by_column_compiles_nothing_again(self):
        PF.from_signals(CLOSE, ENTRIES, EXITS).stats()
        kinds = [list(one.signatures) for one in compiling._kernels]
        for cash in ([50.0], np.array([10.0])):
            metrics = PF.from_signals(CLOSE, ENTRIES, EXITS, init_cash=cash).stats()
            assert np.isfinite(metrics["total_return"]).all()
        assert [list(one.signatures) for one in compiling._kernels] == kinds

    def test_numpy_columns(self):
        entries = np.random.default_rng(1).random((6, 3)) < 0.5
        pf = PF.from_signals(CLOSE, entries)
        assert pf.total_return.index.tolist() == [0, 1, 2]

    def test_data(self):
        data = bp.Data.sample(["AAPL", "IBM"])
        entries = data.close > data.close.shift()
        whole = PF.from_signals(data, entries, ~entries, sl_stop=0.02)
        parts = PF.from_signals(
            data.close, entries, ~entries, open=data.open, high=data.high, low=data.low,
            sl_stop=0.02,
        )  # fmt: skip
        assert whole.total_return.to_dict() == parts.total_return.to_dict()
        assert whole.total_return.index.tolist() == ["AAPL", "IBM"]

    def test_metrics_frame(self, grid):
        entries, exits = grid
        pf = PF.from_signals(CLOSE, entries, exits)
        frame = pf.metrics(["sharpe_ratio", "win_rate"])
        assert list(frame) == ["sharpe_ratio", "win_rate"]
        pd.testing.assert_series_equal(frame["sharpe_ratio"], pf.sharpe_ratio)
        assert list(pf.stats().index) == list(entries.columns)

    def test_split_params(self, grid):
        entries, exits = grid
        pf = PF.from_signals(SYMBOLS, entries, exits)
        items, labels = pf.split_params()
        assert labels.equals(entries.columns)
        for item, label in zip(items, labels, strict=True):
            assert item.total_return == pf.total_return[label]
            assert item.value.name == label

    def test_memory_order_does_not_matter(self, grid, monkeypatch):
        entries, exits = grid
        plain = PF.from_signals(SYMBOLS, entries, exits, sl_stop=0.1)
        monkeypatch.setattr("broadpeak._simulation.simulation.CHUNK", 7)
        turned = [pd.DataFrame(np.asfortranarray(x), x.index, x.columns) for x in grid]
        for pair in (turned, [x.copy() for x in grid]):
            again = PF.from_signals(SYMBOLS, *pair, sl_stop=0.1)
            pd.testing.assert_frame_equal(again.stats(), plain.stats())

    def test_scalar_metrics_agree_with_kept_fills(self, grid):
        entries, exits = grid
        lazy = PF.from_signals(SYMBOLS, entries, exits, fees=0.01)
        kept = PF.from_signals(SYMBOLS, entries, exits, fees=0.01)
        assert len(kept.trades)
        pd.testing.assert_frame_equal(lazy.stats(), kept.stats())


class TestStrategyRuns:
    def test_returns_are_over_capital(self):
        orders = Orders(long_entries=np.array([True, False, False]))
        fills = simulate(
            Prices(None, None, None, np.array([10.0, 20.0, 30.0])), orders,
            Rules(size=1.0, limited=False),
        )  # fmt: skip
        pf = Portfolio.from_fills(fills, INDEX[:3], capital=10.0)
        assert pf.value.tolist() == [10, 20, 30]
        assert pf.returns.tolist() == [0, 1, 1]
        assert pf.total_return == 2
        assert pf.components == {}
        assert pf.sharpe_ratio == pytest.approx(2 / 3 / np.std([0, 1, 1], ddof=1) * 365.25**0.5)

    def test_components_on_different_calendars(self):
        fills = [
            simulate(
                Prices(None, None, None, np.array(close)),
                Orders(long_entries=np.array([True] + [False] * (len(close) - 1))),
                Rules(size=1.0, limited=False),
            )
            for close in ([10.0, 11.0, 12.0], [5.0, 7.0])
        ]
        joined = join_fills(fills, [np.arange(3), np.array([0, 2])], 3)
        pf = Portfolio.from_fills(joined, INDEX[:3], capital=100.0, columns=pd.Index(["A", "B"]))
        assert pf.value.tolist() == [100, 101, 104]
        assert pf.trades["column"].tolist() == ["A", "B"]
        assert pf.trades["exit_index"].tolist() == [2, 2]


ERRORS = [
    ({"close": []}, DataError, "close must be one- or two-dimensional with at least one bar"),
    ({"close": [[[1.0]]]}, DataError, "close must be one- or two-dimensional"),
    ({"close": ["a"]}, DataError, "close must hold numbers"),
    ({"close": [1.0, -1.0]}, DataError, r"close must be positive and finite.*column 0, bar 1"),
    ({"close": [1.0, np.inf]}, DataError, "close must be positive and finite"),
    ({"entries": [True]}, DataError, "entries must have 2 bars, as close has, got 1"),
    ({"entries": [0.5, 1.0]}, DataError, "entries must hold true and false values, got"),
    ({"entries": ["a", "b"]}, DataError, "entries must hold true and false"),
    ({"high": [1.0, 2.0, 3.0]}, DataError, "high must have 2 bars"),
    ({"direction": "up"}, ParamError, "direction must be one of 'longonly'"),
    ({"direction": "both", "short_entries": [True, False]}, ParamError, "direction must be left"),
    ({"price": "open"}, ParamError, "price must be one of 'close', 'nextopen'"),
    ({"size_type": "lots"}, ParamError, "size_type must be one of"),
    ({"stop_unit": "pct"}, ParamError, "stop_unit must be one of"),
    ({"size": -1}, ParamError, "size must be 0 or more, got -1"),
    ({"size": "all"}, ParamError, "size must be a number"),
    ({"size_type": "percent"}, ParamError, "size must be a share above 0 and up to 1"),
    ({"size": 2, "size_type": "percent"}, ParamError, "size must be a share"),
    ({"fees": -0.1}, ParamError, "fees must be 0 or more"),
    ({"slippage": 1.0}, ParamError, "slippage must be at least 0 and below 1"),
    ({"sl_stop": 0}, ParamError, "sl_stop must be above 0"),
    ({"tp_stop": [0.1, -0.1]}, ParamError, "tp_stop must be above 0"),
    ({"tsl_stop": np.array([0.1, 0.0])}, ParamError, "tsl_stop must be above 0"),
    ({"init_cash": 0}, ParamError, "init_cash must be positive"),
    ({"bars_per_year": -1}, ParamError, "bars_per_year must be a positive number"),
    ({"sl_stop": []}, ParamError, "sl_stop must be a list of at least one number"),
    ({"sl_stop": [0.1, 0.2], "tp_stop": [0.1, 0.2, 0.3]}, DataError, "of one length"),
    ({"group_by": "sector"}, ParamError, "group_by must name a column level"),
    ({"group_by": ["x", "y"]}, ParamError, "one label for each of the 1 columns"),
]


@pytest.mark.parametrize(("options", "error", "text"), ERRORS)
def test_errors(options, error, text):
    given = dict({"close": [1.0, 2.0], "entries": [True, False]}, **options)
    if "close" in options:
        given["entries"] = None
    close = np.array(given.pop("close"))
    entries = given.pop("entries")
    with pytest.raises(error, match=text):
        PF.from_signals(close, entries, **given)


def test_other_index_shows_both():
    with pytest.raises(DataError, match=r"entries must have the index of close, got 6 labels"):
        PF.from_signals(CLOSE, ENTRIES.set_axis(INDEX + pd.Timedelta(days=1)))
    with pytest.raises(DataError, match=r"2024-01-01.*against.*2024-01-01"):
        PF.from_signals(CLOSE, ENTRIES[:3])


def test_other_columns_show_both():
    other = pd.DataFrame({"Y": ENTRIES, "Z": EXITS})
    with pytest.raises(DataError, match=r"entries must have the columns of close.*'Y'.*'A'"):
        PF.from_signals(SYMBOLS, other)
    with pytest.raises(DataError, match="entries must have 1 or 2 columns"):
        PF.from_signals(SYMBOLS, np.zeros((6, 3), bool))


def test_misaligned_series_setting():
    with pytest.raises(DataError, match="size must have the index of close, or its columns"):
        PF.from_signals(CLOSE, ENTRIES, size=pd.Series([1.0, 2.0], index=["a", "b"]))


def test_unknown_metric():
    with pytest.raises(ParamError, match="Did you mean 'sharpe_ratio'"):
        PF.from_signals(CLOSE).metrics(["sharp_ratio"])


def test_strategy_portfolio_stays_whole():
    fills = simulate(
        Prices(None, None, None, np.array([1.0])), Orders(), Rules(size=1.0, limited=False)
    )
    with pytest.raises(ParamError, match="stay whole"):
        Portfolio.from_fills(fills, None, capital=1.0).split_params()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"spread": -1}, "spread must be 0 or more"),
        ({"fees": "x"}, "fees must be a finite number"),
        ({"slippage": 1}, "slippage must be below 1"),
        ({"lot_amount": 0}, "lot_amount must be above 0"),
        ({"roll_long": math.nan}, "roll_long must be a finite number"),
    ],
)
def test_costs(options, text):
    with pytest.raises(ParamError, match=text):
        bp.Costs(**options)


def test_rules():
    with pytest.raises(ParamError, match="limited must be False with rollover"):
        Rules(costs=bp.Costs(roll_long=1))
    with pytest.raises(ParamError, match="size must be finite when cash does not limit it"):
        Rules(limited=False)
    with pytest.raises(ParamError, match="size_type must be an amount or value"):
        Rules(limited=False, size_type="percent", size=0.5)
    with pytest.raises(ParamError, match="prices and orders must have 3 bars"):
        simulate(
            Prices(None, None, None, np.ones(3)), Orders(np.zeros(2, bool)),
            Rules(size=1.0, limited=False),
        )  # fmt: skip


def test_metrics_of_pages_are_those_of_the_trade_records(grid):
    entries, exits = grid
    pf = PF.from_signals(CLOSE, entries, exits, fees=0.01)
    frame = pf.metrics(["net", "largest_win", "largest_loss", "mean_bars", "fees_paid"])
    for label, row in frame.iterrows():
        trades = pf.trades[pf.trades["column"] == label]
        closed = trades[trades["status"] == "closed"]
        assert row["net"] == pytest.approx(trades["pnl"].sum())
        assert row["fees_paid"] == pytest.approx(trades[["entry_fees", "exit_fees"]].sum().sum())
        assert row["mean_bars"] == pytest.approx(closed["bars"].mean(), nan_ok=True)
        assert row["largest_win"] == pytest.approx(closed["pnl"].clip(lower=0).max(), nan_ok=True)
        assert row["largest_loss"] == pytest.approx(closed["pnl"].clip(upper=0).min(), nan_ok=True)
    nothing = PF.from_signals(CLOSE, CLOSE < 0)
    assert nothing.metrics("largest_win").isna().all().all()
    assert nothing.metrics("net")["net"].tolist() == [0.0] * len(nothing.columns)


def test_prices_known_to_be_complete_are_taken_as_they_are():
    rng = np.random.default_rng(3)
    close = 100 + rng.normal(size=50).cumsum()
    open_ = close + rng.normal(size=50)
    high, low = np.maximum(open_, close) + 1, np.minimum(open_, close) - 1
    prices = Prices(open_, high, low, close, has_nan=False, complete=True)
    for found, given in zip(prices.filled, (open_, high, low), strict=True):
        assert np.shares_memory(found, given)
        assert not found.flags.writeable
    again = pickle.loads(pickle.dumps(prices))
    for found, other in zip(again.filled, Prices(open_, high, low, close).filled, strict=True):
        np.testing.assert_array_equal(found, other)
    # What is not there is made up all the same.
    np.testing.assert_array_equal(
        Prices(None, high, low, close, has_nan=False, complete=True).filled[0][0], close
    )


def test_signals_have_prices_and_no_plots():
    data = bp.Data.sample(["AAPL", "IBM"])["2004":"2005"]
    portfolio = PF.from_signals(data, data.close > 80)
    pd.testing.assert_frame_equal(portfolio.close, data.close, check_names=False)
    one = data.select("IBM").close
    alone = PF.from_signals(one, one > 80)
    pd.testing.assert_series_equal(alone.close, one)
    assert alone.plots.empty
    assert list(alone.plots.columns.names) == ["panel", "name"]
