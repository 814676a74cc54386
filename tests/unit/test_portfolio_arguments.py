# SPDX-License-Identifier: BSD-3-Clause
"""Answers to arguments at the edge: flags, Series over columns, no dates, no trades."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp

INDEX = pd.date_range("2024-01-01", periods=4)
CLOSE = pd.DataFrame(
    [[10.0, 20.0], [11.0, 19.0], [12.0, 22.0], [13.0, 21.0]],
    index=INDEX,
    columns=pd.Index(["A", "B"], name="symbol"),
)
ENTRIES = pd.Series([True, False, False, False], index=INDEX)


@pytest.mark.parametrize("flag", ["accumulate", "cash_sharing"])
@pytest.mark.parametrize("value", ["both", None, 2])
def test_flags_are_true_or_false(flag, value):
    with pytest.raises(bp.ParamError, match=f"{flag} must be True or False"):
        bp.PF.from_signals(CLOSE, ENTRIES, **{flag: value})


@pytest.mark.parametrize("name", [None, "symbol"])
def test_a_series_of_settings_meets_columns_by_label_in_any_order(name):
    fees = pd.Series({"B": 0.02, "A": 0.0}).rename_axis(name)
    got = bp.PF.from_signals(CLOSE, ENTRIES, fees=fees).total_return
    want = bp.PF.from_signals(CLOSE, ENTRIES, fees=np.array([0.0, 0.02])).total_return
    pd.testing.assert_series_equal(got, want)


@pytest.mark.parametrize("name", [None, "symbol"])
def test_a_series_of_settings_meets_one_level_of_several(name):
    levels = pd.MultiIndex.from_product([[5, 9], ["A", "B"]], names=["fast", "symbol"])
    entries = pd.DataFrame(np.tile(ENTRIES.to_numpy()[:, None], 4), index=INDEX, columns=levels)
    fees = pd.Series({"B": 0.02, "A": 0.0}).rename_axis(name)
    got = bp.PF.from_signals(CLOSE, entries, fees=fees).total_return
    want = bp.PF.from_signals(CLOSE, entries, fees=[0.0, 0.02] * 2).total_return
    pd.testing.assert_series_equal(got, want)


def test_a_series_of_settings_without_a_value_for_a_column_is_refused():
    with pytest.raises(bp.DataError, match="fees must have the columns of close"):
        bp.PF.from_signals(CLOSE, ENTRIES, fees=pd.Series({"A": 0.0}, name="x"))


def test_annual_return_is_nan_without_dates_even_if_nothing_was_earned():
    pf = bp.PF.from_signals(CLOSE["A"].to_numpy())
    with pytest.warns(UserWarning, match="the index has no dates"):
        metric = pf.annual_return
    assert np.isnan(metric)
    assert pf.total_return == 0.0


def test_records_have_the_same_dtypes_with_and_without_trades():
    some, none = bp.PF.from_signals(CLOSE, ENTRIES), bp.PF.from_signals(CLOSE)
    assert len(none.trades) == 0
    pd.testing.assert_series_equal(some.trades.dtypes, none.trades.dtypes)
    pd.testing.assert_series_equal(some.drawdowns.dtypes, none.drawdowns.dtypes)


def test_what_is_no_array_is_shown():
    result = bp.Data.sample("IBM").run("bp:ma", window=3)
    with pytest.raises(bp.DataError, match=r"right must be one-dimensional.*got IndicatorResult"):
        bp.crossed_above(result.ma, result)
    with pytest.raises(bp.DataError, match=r"right must be one-dimensional.*got None"):
        bp.crossed_above(result.ma, None)
