# SPDX-License-Identifier: BSD-3-Clause
"""What `from_signals` and the array functions take and what they refuse, in words."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import PF
from broadpeak._signals.clean import first, rank
from broadpeak.errors import BroadpeakError, DataError, ParamError

INDEX = pd.date_range("2024-01-01", periods=4, name="Date")
CLOSE = pd.Series([10.0, 12, 9, 11], index=INDEX, name="X")
T, F = True, False
ENTRIES = [T, F, T, F]
DATA = bp.Data.sample("IBM")["2005":"2006"]


class TestBarePricesObeyTheRulesOfData:
    @pytest.mark.parametrize(
        ("index", "text"),
        [
            (INDEX[::-1], "the index of close must be sorted, got '2024-01-03.* after 2024-01-04"),
            (INDEX[[0, 1, 1, 2]], "the index of close must have every bar once, got '2024-01-02"),
            (INDEX[[0, 2, 1, 3]], "the index of close must be sorted"),
            (pd.Index([3, 2, 1, 0]), "the index of close must be sorted"),
            (pd.Index([0.5, 0.5, 1, 2]), "every bar once"),
            (pd.PeriodIndex(["2024-02", "2024-01", "2024-03", "2024-04"], freq="M"), "be sorted"),
            (pd.Index(["a", "b", "c", "d"]), "hold dates or numbers"),
            (pd.DatetimeIndex([*INDEX[:3], pd.NaT]), "have no missing labels"),
        ],
    )
    @pytest.mark.parametrize("kind", ["series", "frame", "entries"])
    def test_index(self, index, text, kind):
        close, entries = CLOSE.set_axis(index), pd.Series(ENTRIES, index=index)
        if kind == "frame":
            close, entries = close.to_frame(), entries.to_frame("X")
        if kind == "entries":
            close, text = CLOSE.to_numpy(), text.replace("index of close", "index of entries")
        with pytest.raises(DataError, match=text):
            PF.from_signals(close, entries)

    @pytest.mark.parametrize("index", [pd.RangeIndex(4), pd.period_range("2024-01", periods=4)])
    def test_other_sorted_indexes(self, index):
        assert PF.from_signals(CLOSE.set_axis(index), ENTRIES).num_trades == 1

    @pytest.mark.parametrize(
        ("field", "bar", "value", "text"),
        [
            (
                "high",
                2,
                8.5,
                r"high of column X at 2024-01-03 .*\(bar 2\) must be at least .* \(9\)",
            ),
            ("low", 1, 12.5, r"low of column X .*\(bar 1\) must be at most open and close \(12\)"),
            ("high", 0, 9.99, "high of column X"),
            ("open", 3, 99.0, r"high of column X .*\(bar 3\) must be at least .* \(99\), got 11"),
        ],
    )
    def test_bars_that_cannot_be(self, field, bar, value, text):
        ohl = {name: CLOSE.copy() for name in ("open", "high", "low")}
        ohl[field].iloc[bar] = value
        if field == "low":
            del ohl["high"]  # or it would be the first to be wrong
        with pytest.raises(DataError, match=text) as caught:
            PF.from_signals(CLOSE, ENTRIES, **ohl)
        assert "Drop or correct these bars" in str(caught.value)
        arrays = {name: column.to_numpy() for name, column in ohl.items()}
        with pytest.raises(DataError, match=text.split(" at ")[0].replace("X", "0")):
            PF.from_signals(CLOSE.to_numpy(), ENTRIES, **arrays)

    def test_an_adjusted_close_beside_raw_prices(self):
        factor = np.where(np.arange(len(DATA)) < 200, 0.5, 1.0)
        ohl = {"open": DATA.open, "high": DATA.high, "low": DATA.low}
        with pytest.raises(DataError, match="low of column IBM at 2005-01-03") as caught:
            PF.from_signals(DATA.close * factor, True, **ohl)
        # Widening high and low would make bars that never were.
        assert "adjusted in different ways" in str(caught.value)
        assert "adjust=True" in str(caught.value)
        assert "max(axis=1)" not in str(caught.value)
        adjusted = {name: column * factor for name, column in ohl.items()}
        PF.from_signals(DATA.close * factor, True, **adjusted)

    def test_rounding_is_no_contradiction(self):
        high = CLOSE * (1 - 1e-12)
        PF.from_signals(CLOSE, ENTRIES, high=high)

    def test_missing_prices_contradict_nothing(self):
        close = CLOSE.where([True, False, True, True])
        high = CLOSE.where([True, True, False, True])
        assert PF.from_signals(close, ENTRIES, open=CLOSE, high=high, low=CLOSE).num_trades == 1

    def test_the_column_is_named(self):
        close = pd.DataFrame({"A": CLOSE, "B": CLOSE})
        low = close.copy()
        low.loc[INDEX[1], "B"] = 13.0
        with pytest.raises(DataError, match=r"low of column B at 2024-01-02 .*\(bar 1\)"):
            PF.from_signals(close, ENTRIES, low=low)
        close.loc[INDEX[2], "B"] = -1.0
        with pytest.raises(DataError, match=r"column B, bar 2 at 2024-01-03.*got -1\.0"):
            PF.from_signals(close, ENTRIES)

    def test_prices_of_other_columns_than_the_close(self):
        """One close for several highs: each pair is looked at."""
        high = pd.DataFrame({"A": CLOSE + 1, "B": CLOSE + 1})
        entries = pd.DataFrame({"A": ENTRIES, "B": ENTRIES}, index=INDEX)
        PF.from_signals(CLOSE, entries, high=high)
        high.loc[INDEX[3], "B"] = 1.0
        with pytest.raises(DataError, match=r"high of column X at 2024-01-04"):
            PF.from_signals(CLOSE, entries, high=high)


class TestDataWithClosesOnly:
    @pytest.mark.parametrize(
        "options",
        [{}, {"sl_stop": 0.02, "tsl_stop": 0.03}, {"price": "nextopen"}, {"tp_stop": [0.1, 0.2]}],
    )
    @pytest.mark.parametrize("fields", [["close"], ["close", "open"], ["close", "high", "low"]])
    def test_does_what_its_prices_do(self, options, fields):
        frame = pd.DataFrame({name: getattr(DATA, name) for name in fields})
        data = bp.Data.from_frames({"IBM": frame})
        moves = DATA.close.pct_change()
        own = {name: frame[name] for name in fields if name != "close"}
        right = PF.from_signals(frame["close"], moves > 0.01, moves < -0.01, **own, **options)
        got = PF.from_signals(data, moves > 0.01, moves < -0.01, **options)
        np.testing.assert_array_equal(got.value, right.value)
        assert len(got.trades) > 5

    def test_several_symbols(self):
        frame = DATA.close.to_frame("close")
        data = bp.Data.from_frames({"A": frame, "B": frame[100:]})
        assert PF.from_signals(data, True, sl_stop=0.1).total_return.index.tolist() == ["A", "B"]


OPTIONS = ("price", "size_type", "direction", "stop_unit")
WRONG = {
    "series": DATA.open,
    "array": DATA.open.to_numpy(),
    "frame": DATA.open.to_frame(),
    "texts": np.array(["close"]),
    "list": ["close"],
    "tuple": ("close",),
    "none": None,
    "integer": 3,
    "float": 0.1,
    "bytes": b"close",
    "dict": {"close": 1},
    "set": {"close"},
    "text series": pd.Series(["close"]),
    "object": object(),
    "nan": float("nan"),
}


class TestArraysWhereAnOptionBelongs:
    @pytest.mark.parametrize("option", OPTIONS)
    @pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
    def test_names(self, option, value):
        with pytest.raises(ParamError, match=f"{option} must be one of"):
            PF.from_signals(DATA, True, **{option: value})

    @pytest.mark.parametrize("option", ["accumulate", "cash_sharing"])
    @pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
    def test_flags(self, option, value):
        with pytest.raises(ParamError, match=f"{option} must be True or False"):
            PF.from_signals(DATA, True, **{option: value})

    def test_bars_per_year(self):
        wrong = [value for name, value in WRONG.items() if name not in {"none", "integer", "float"}]
        for value in [*wrong, True, "252", 1j, 0, -1, float("inf")]:
            with pytest.raises(ParamError, match="bars_per_year must be a positive number"):
                PF.from_signals(DATA, True, bars_per_year=value)

    @pytest.mark.parametrize("value", [3.5, object(), np.array(2), [[1, 2]], "symbols", -2, [1, 2]])
    def test_group_by(self, value):
        with pytest.raises(BroadpeakError, match="group_by must"):
            PF.from_signals(DATA, True, group_by=value)


REFUSED = [
    np.array([1 + 1j, 2, 3, 4]),
    np.array(INDEX),
    np.array(INDEX) - np.array(INDEX)[0],
    np.array([(1.0,), (2.0,), (3.0,), (4.0,)], dtype=[("close", float)]),
    np.array(["1", "2", "3", "4"]),
    np.array([b"1", b"2", b"3", b"4"]),
    np.array(["1", 2, 3, 4], dtype=object),
    np.array([1, 2, 3, 1j], dtype=object),
    np.array([1, 2, 3, INDEX[0]], dtype=object),
    np.array([1, 2, 3, dt.timedelta(1)], dtype=object),
    np.array([1, 2, 3, [4]], dtype=object),
    np.array([1.0, 2, 3, 10**400], dtype=object),
    pd.Series(INDEX, index=INDEX),
    pd.Series(INDEX.tz_localize("UTC"), index=INDEX),
    pd.Series(["1", "2", "3", "4"], index=INDEX),
    pd.Series([1 + 0j, 2, 3, 4], index=INDEX),
    pd.Series(["a", "b", "a", "b"], index=INDEX, dtype="category"),
    pd.DataFrame({"x": [1.0, 2, 3, 4], "y": list("abcd")}, index=INDEX),
    [[1.0], [2.0, 3.0], [4.0], [5.0]],
]  # fmt: skip
IDS = [f"{type(x).__name__}-{getattr(x, 'dtype', '')}-{k}" for k, x in enumerate(REFUSED)]
FUNCTIONS = {
    "sma": lambda x: bp.sma(x, 2),
    "rsi": lambda x: bp.rsi(x, 2),
    "zscore": lambda x: bp.zscore(x, 2),
    "atr": lambda x: bp.atr(x, x, x, 2),
    "crossed_above": lambda x: bp.crossed_above(x, 2.0),
    "crossed_below": lambda x: bp.crossed_below(np.ones(4), x),
}


class TestWhatIsNoNumber:
    @pytest.mark.parametrize("name", ["close", "open", "fees", "sl_stop", "size", "init_cash"])
    @pytest.mark.parametrize("value", REFUSED, ids=IDS)
    def test_is_refused_by_the_simulation(self, name, value):
        with pytest.raises(BroadpeakError, match=f"{name} must"):
            PF.from_signals(**{"close": CLOSE, "entries": ENTRIES, name: value})

    @pytest.mark.parametrize("name", ["entries", "short_exits"])
    @pytest.mark.parametrize("value", REFUSED, ids=IDS)
    def test_is_no_signal(self, name, value):
        with pytest.raises(DataError, match=f"{name} must"):
            PF.from_signals(CLOSE, **{name: value})
        for func in (first, rank):
            with pytest.raises(DataError, match="signals must hold true and false values"):
                func(value)

    @pytest.mark.parametrize("name", FUNCTIONS)
    @pytest.mark.parametrize("value", REFUSED, ids=IDS)
    def test_is_refused_by_array_functions(self, name, value):
        with pytest.raises(DataError, match=r"must hold numbers|a list of at least one number"):
            FUNCTIONS[name](value)

    @pytest.mark.parametrize(
        "value",
        [
            [10, 12, 9, 11],
            (10, 12, 9, 11),
            np.array([10, 12, 9, 11], dtype=np.uint8),
            np.array([10, 12, 9, 11], dtype=np.float16),
            np.array([10, 12, 9, 11], dtype=np.longdouble),
            np.array([10, Decimal(12), Fraction(9), 11.0], dtype=object),
            pd.Series([10, 12, 9, 11], dtype="Int64"),
            pd.Series([10, 12, 9, 11], dtype="Float32"),
            pd.Series([10, 12, 9, 11], dtype="category"),
            pd.array([10, 12, 9, 11], dtype="Int32"),
        ],
        ids=lambda value: f"{type(value).__name__}-{getattr(value, 'dtype', '')}",
    )
    def test_every_kind_of_number_is_taken(self, value):
        right = PF.from_signals(CLOSE.to_numpy(), ENTRIES)
        assert PF.from_signals(value, ENTRIES).total_return == right.total_return
        np.testing.assert_array_equal(bp.sma(value, 2), bp.sma(CLOSE.to_numpy(), 2))


class TestMasks:
    masked = np.ma.masked_array([10.0, 12.0, 9.0, 11.0], mask=[F, T, F, F])

    def test_a_masked_price_is_missing(self):
        plain = np.array([10.0, np.nan, 9.0, 11.0])
        for given in (self.masked, np.ma.masked_array([10, 12, 9, 11], mask=[F, T, F, F])):
            mine = PF.from_signals(given, [T, F, F, F], bars_per_year=252)
            own = PF.from_signals(plain, [T, F, F, F], bars_per_year=252)
            np.testing.assert_array_equal(mine.value, own.value)
            assert mine.sharpe_ratio == own.sharpe_ratio

    def test_a_masked_signal_is_none(self):
        entries = np.ma.masked_array([F, T, F, F], mask=[F, T, F, F])
        assert PF.from_signals(CLOSE, entries).num_trades == 0
        assert PF.from_signals(CLOSE, np.ma.masked_array([F, T, F, F])).num_trades == 1
        assert not np.any(first(entries))

    def test_array_functions(self):
        plain = np.array([10.0, np.nan, 9.0, 11.0])
        for func in FUNCTIONS.values():
            np.testing.assert_array_equal(func(self.masked), func(plain))
            assert not isinstance(func(self.masked), np.ma.MaskedArray)

    def test_a_masked_stop_is_none_and_a_masked_cost_is_not_known(self):
        stops = np.ma.masked_array([0.01] * 4, mask=[T, F, F, F])
        assert PF.from_signals(CLOSE, [T, F, F, F], sl_stop=stops).trades["status"].tolist() == [
            "open"
        ]
        fees = np.ma.masked_array([0.01] * 4, mask=[T, F, F, F])
        with pytest.raises(
            ParamError, match=r"fees must be known on every bar with a price \(bar 0\)"
        ):
            PF.from_signals(CLOSE, [T, F, F, F], fees=fees)


class TestCostsMustBeKnown:
    names = pytest.mark.parametrize("name", ["fees", "fixed_fees", "slippage"])

    @names
    @pytest.mark.parametrize(
        "value", [np.nan, [0.1, np.nan], np.inf, -np.inf, -0.1, np.array([0.1, np.nan]),
                  pd.Series([np.nan, 0.0], index=["A", "B"]), np.array([[0.1, np.nan]])]
    )  # fmt: skip
    def test_one_value_a_column(self, name, value):
        close = pd.DataFrame({"A": CLOSE, "B": CLOSE})
        with pytest.raises(ParamError, match=f"{name} must be"):
            PF.from_signals(close, ENTRIES, **{name: value})

    @names
    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0])
    @pytest.mark.parametrize("bar", [0, 1, 3])
    def test_one_value_a_bar(self, name, wrong, bar):
        costs = pd.Series(0.1, index=INDEX)
        costs.iloc[bar] = wrong
        with pytest.raises(ParamError, match=f"{name} must be"):
            PF.from_signals(CLOSE, ENTRIES, **{name: costs})

    @names
    def test_where_a_column_has_no_bar_it_has_no_costs(self, name):
        close = pd.DataFrame({"A": CLOSE, "B": CLOSE.where([F, F, T, T])})
        costs = pd.DataFrame({"A": 0.01, "B": [np.nan, np.nan, 0.01, 0.01]}, index=INDEX)
        pf = PF.from_signals(close, ENTRIES, **{name: costs})
        assert pf.num_trades.tolist() == [1, 1]
        costs.iloc[2, 1] = np.nan
        with pytest.raises(ParamError, match=r"\(bar 2\)"):
            PF.from_signals(close, ENTRIES, **{name: costs})
        # One column for both: it must be known where either has a price.
        with pytest.raises(ParamError, match=r"\(bar 0\)"):
            PF.from_signals(close, ENTRIES, **{name: costs["B"].ffill()})

    @pytest.mark.parametrize(
        "value", [np.nan, np.inf, -np.inf, 0, -5.0, [np.nan], np.array([np.nan])]
    )
    def test_cash(self, value):
        with pytest.raises(ParamError, match="init_cash must be positive and finite"):
            PF.from_signals(CLOSE, ENTRIES, init_cash=value)
        with pytest.raises(ParamError, match="init_cash must be positive and finite"):
            PF.from_signals(CLOSE.to_frame(), ENTRIES, init_cash=value, cash_sharing=True)

    @pytest.mark.parametrize("value", [np.nan, -np.inf, -1.0, [np.nan, 1.0]])
    def test_size(self, value):
        with pytest.raises(ParamError, match="size must be 0 or more"):
            PF.from_signals(CLOSE, ENTRIES, size=value)

    def test_a_size_that_is_not_known_yet_trades_nothing(self):
        size = pd.Series([np.nan, np.nan, 2.0, 2.0], index=INDEX)
        pf = PF.from_signals(CLOSE, ENTRIES, size=size)
        assert pf.trades["entry_index"].tolist() == [2]


class TestNumbersOfOtherKinds:
    @pytest.mark.parametrize("value", [Decimal("0.01"), Fraction(1, 100), np.float32(0.01), 0.01])
    def test_are_taken(self, value):
        assert float(bp.Costs(fees=value).fees) == pytest.approx(0.01)
        right = PF.from_signals(CLOSE, ENTRIES, fees=0.01).value.iloc[-2]
        found = PF.from_signals(CLOSE, ENTRIES, fees=value).value.iloc[-2]
        assert found == pytest.approx(right, rel=1e-6)

    @pytest.mark.parametrize(
        "value",
        [10**400, 1j, np.complex64(1), "1", b"1", True, None, np.array([1.0]), INDEX[0]],
        ids=lambda value: type(value).__name__,
    )
    def test_are_refused(self, value):
        with pytest.raises(ParamError, match="fees must be a finite number"):
            bp.Costs(fees=value)
        with pytest.raises(ParamError, match="bars_per_year must be a positive number"):
            PF.from_signals(CLOSE, bars_per_year=10**400 if value is None else value)

    def test_results_of_trades(self):
        for value in (["1.0", "2.0"], np.ma.masked_array([1.0, -1.0], mask=[F, T]), [1j], 5.0):
            with pytest.raises(ParamError, match="trades must be a sequence of finite results"):
                bp.optimal_f(value)

    @pytest.mark.parametrize("value", [10**400, -(10**400)], ids=["above", "below"])
    def test_beyond_all_floats(self, value):
        for name in ("fees", "init_cash", "slippage"):
            with pytest.raises(ParamError, match=f"{name} must be"):
                PF.from_signals(CLOSE, ENTRIES, **{name: value})
