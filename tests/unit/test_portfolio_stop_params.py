# SPDX-License-Identifier: BSD-3-Clause
"""Stops as parameters: an axis that multiplies the columns, its levels last and fastest."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import PF, Param
from broadpeak._metrics.formulas import METRICS

N = 160
INDEX = pd.date_range("2020-01-01", periods=N)
RNG = np.random.default_rng(4)
STEPS = 30 * np.exp(np.cumsum(RNG.normal(0, 0.02, (N, 2)), axis=0))
CLOSE = pd.DataFrame(STEPS, INDEX, pd.Index(["A", "B"], name="symbol"))
SIGNALS = RNG.random((2, N, 4)) < 0.1
COLUMNS = pd.MultiIndex.from_product([[5, 9], ["A", "B"]], names=["fast", "symbol"])
UP, DOWN = (pd.DataFrame(one, INDEX, COLUMNS) for one in SIGNALS)
STOPS = {"sl_stop": [0.02, None, 0.05], "tp_stop": [0.03, 0.1], "tsl_stop": [0.04, np.nan]}


def alone(row: dict[str, float | None], close=CLOSE, up=UP, down=DOWN, **options) -> PF:
    return PF.from_signals(close, up, down, **row, **options)


def check_twin(pf: PF, rows: list[dict[str, float | None]], **options) -> None:
    """Every column is, bit by bit, what it is in a portfolio of its stops alone."""
    singles = [alone(row, **options) for row in rows]
    names = list(METRICS)
    got = pf.metrics(names)
    for k, single in enumerate(singles):
        want = single.metrics(names)
        np.testing.assert_array_equal(got.iloc[k :: len(rows)], want)
        np.testing.assert_array_equal(pf.value.iloc[:, k :: len(rows)], np.atleast_2d(single.value))
        np.testing.assert_array_equal(pf.returns.iloc[:, k :: len(rows)], single.returns)
        np.testing.assert_array_equal(pf.positions.iloc[:, k :: len(rows)], single.positions)
        np.testing.assert_array_equal(pf.close.iloc[:, k :: len(rows)], single.close)
        # By number: a label with NaN equals no other.
        for number, column in enumerate(range(k, len(pf.columns), len(rows))):
            mine = pf.trades[pf._fills.trades["column"] == column]
            own = single.trades[single._fills.trades["column"] == number]
            pd.testing.assert_frame_equal(
                mine.drop(columns="column").reset_index(drop=True),
                own.drop(columns="column").reset_index(drop=True),
                check_exact=True,
            )
    assert len(pf.columns) == len(rows) * len(singles[0].columns)


@pytest.mark.parametrize("names", [["sl_stop"], ["tp_stop"], ["tsl_stop"], list(STOPS)])
@pytest.mark.parametrize("price", ["close", "nextopen"])
def test_every_column_meets_every_value(names, price):
    given = {name: Param(STOPS[name]) for name in names}
    rows = [
        dict(zip(names, row, strict=True))
        for row in itertools.product(*(STOPS[name] for name in names))
    ]
    pf = PF.from_signals(CLOSE, UP, DOWN, price=price, fees=0.001, **given)
    assert list(pf.columns.names) == ["fast", "symbol", *names]
    check_twin(pf, rows, price=price, fees=0.001)


def test_order_is_that_of_the_signature_not_that_of_typing():
    pf = PF.from_signals(CLOSE["A"], UP[5, "A"], tp_stop=Param([0.1, 0.2]), sl_stop=Param([0.3]))
    assert pf.columns.names == ["sl_stop", "tp_stop"]
    assert pf.columns.to_list() == [(0.3, 0.1), (0.3, 0.2)]


def test_one_series_gives_a_series_over_the_level():
    up, down = UP[5, "A"], DOWN[5, "A"]
    pf = PF.from_signals(CLOSE["A"], up, down, sl_stop=Param([0.02, 0.05]))
    assert pf.sharpe_ratio.index.equals(pd.Index([0.02, 0.05], name="sl_stop"))
    assert pf.value.shape == (N, 2)
    one = PF.from_signals(CLOSE["A"], up, down, sl_stop=Param([0.02]))
    assert isinstance(one.sharpe_ratio, pd.Series)
    assert repr(one) == f"Portfolio(1 column, {N} bars)"


def test_zipped_levels_names_keys_and_hidden_levels():
    up, down = UP[5, "A"], DOWN[5, "A"]
    zipped = PF.from_signals(
        CLOSE["A"], up, down,
        sl_stop=Param([0.02, 0.05], level=0, name="loss"),
        tp_stop=Param([0.04, 0.1], level=0, keys=["near", "far"]),
        tsl_stop=Param(pd.Index([0.1, 0.2], name="trail"), level=1, hide=True),
    )  # fmt: skip
    assert zipped.columns.names == ["loss", "tp_stop"]
    assert zipped.columns.to_list() == [(0.02, "near")] * 2 + [(0.05, "far")] * 2
    rows = [
        {"sl_stop": a, "tp_stop": b, "tsl_stop": c}
        for a, b in ((0.02, 0.04), (0.05, 0.1))
        for c in (0.1, 0.2)
    ]
    want = [PF.from_signals(CLOSE["A"], up, down, **row).total_return for row in rows]
    assert zipped.total_return.tolist() == want
    named = PF.from_signals(CLOSE["A"], up, down, tsl_stop=Param(pd.Index([0.1, 0.2], name="t")))
    assert named.columns.equals(pd.Index([0.1, 0.2], name="t"))
    hidden = PF.from_signals(CLOSE["A"], up, down, sl_stop=Param([0.1, 0.2], hide=True))
    assert hidden.columns.equals(pd.RangeIndex(2, name="param"))
    many = PF.from_signals(CLOSE, UP, DOWN, sl_stop=Param([0.1, 0.2], hide=True))
    assert many.columns.to_list() == [label for label in COLUMNS for _ in range(2)]


def test_conditions_between_stops():
    pf = PF.from_signals(
        CLOSE["A"], UP[5, "A"], sl_stop=Param([0.1, 0.2, 0.3], condition="sl_stop < tp_stop"),
        tp_stop=Param([0.15, 0.25]),
    )  # fmt: skip
    assert pf.columns.to_list() == [(0.1, 0.15), (0.1, 0.25), (0.2, 0.25)]
    with pytest.raises(bp.ParamError, match="at least one combination must be left"):
        PF.from_signals(CLOSE["A"], sl_stop=Param([0.1], condition="x > 1"))


def test_a_list_makes_columns_that_a_param_multiplies():
    pf = PF.from_signals(CLOSE["A"], UP[5, "A"], tp_stop=[0.1, 0.2], sl_stop=Param([0.3, 0.4]))
    assert pf.columns.names == ["tp_stop", "sl_stop"]
    assert pf.columns.to_list() == [(0.1, 0.3), (0.1, 0.4), (0.2, 0.3), (0.2, 0.4)]


def test_labels_without_names_stay():
    pf = PF.from_signals(STEPS, SIGNALS[0][:, :2], sl_stop=Param([0.1, "0.2"][:1]))
    assert pf.columns.to_list() == [(0, 0.1), (1, 0.1)]
    assert list(pf.columns.names) == [None, "sl_stop"]


@pytest.mark.parametrize("shared", [False, True])
def test_groups_of_multiplied_columns(shared):
    given = {"sl_stop": Param([0.02, None, 0.05])}
    pf = PF.from_signals(
        CLOSE, UP, DOWN, group_by=["fast", "sl_stop"], cash_sharing=shared, fees=0.001, **given
    )
    assert pf.total_return.index.names == ["fast", "sl_stop"]
    assert len(pf.total_return) == 6
    for fast in (5, 9):
        for stop in (0.02, 0.05):
            own = PF.from_signals(
                CLOSE, UP[[fast]], DOWN[[fast]], sl_stop=stop, fees=0.001, group_by=True,
                cash_sharing=shared,
            )  # fmt: skip
            assert pf.total_return[fast, stop] == own.total_return
    whole = PF.from_signals(CLOSE, UP, DOWN, cash_sharing=shared, group_by=True, **given)
    assert isinstance(whole.total_return, float)
    cash = [100.0, 200.0] if shared else [1.0, 2.0, 3.0, 4.0]
    rich = PF.from_signals(
        CLOSE, UP, DOWN, group_by="fast", cash_sharing=shared, init_cash=np.array(cash), **given
    )
    assert rich.stats()["start_value"].tolist() == ([100.0, 200.0] if shared else [9.0, 21.0])


def test_other_settings_are_repeated_for_every_value():
    options = {"fees": np.array([0.0, 0.001, 0.002, 0.003]), "init_cash": [50.0, 60.0, 70.0, 80.0]}
    pf = PF.from_signals(CLOSE, UP, DOWN, sl_stop=Param([0.02, 0.05]), **options)
    check_twin(pf, [{"sl_stop": 0.02}, {"sl_stop": 0.05}], **options)
    assert pf.stats()["start_value"].tolist() == [50.0, 50, 60, 60, 70, 70, 80, 80]


def test_parts_and_stats():
    pf = PF.from_signals(CLOSE, UP, DOWN, sl_stop=Param([0.02, 0.05]))
    parts, labels = pf.split_params()
    assert labels.equals(pf.columns)
    assert [part.total_return for part in parts] == pf.total_return.tolist()
    stats = pf.stats()
    assert stats.index.equals(pf.columns)
    np.testing.assert_allclose(stats["end_value"], pf.value.iloc[-1], rtol=1e-12)
    assert pf.drawdowns["column"].isin(pf.columns).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.1, -0.2], r"sl_stop must be above 0; None is no stop, got -0\.2"),
        ([0.0], r"sl_stop must be above 0; None is no stop, got 0\.0"),
        (["wide"], r"sl_stop must be a list of numbers, got \['wide'\]"),
        ([np.array([0.1, 0.2])], r"sl_stop must be a list of at least one number"),
    ],
)
def test_values_out_of_range(values, message):
    with pytest.raises(bp.ParamError, match=message):
        PF.from_signals(CLOSE, UP, sl_stop=Param(values))


@pytest.mark.parametrize("name", ["size", "fees", "fixed_fees", "slippage", "init_cash"])
def test_only_stops_are_an_axis(name):
    with pytest.raises(bp.ParamError, match=f"{name} must be a number.*Type {name}=\\[…\\]"):
        PF.from_signals(CLOSE, UP, **{name: Param([0.1, 0.2])})


def test_labels_are_made_only_when_looked_at(monkeypatch: pytest.MonkeyPatch):
    from broadpeak._portfolio.labelling import StopColumns

    made = []
    monkeypatch.setattr(StopColumns, "index", made.append)
    pf = PF.from_signals(CLOSE, UP, DOWN, sl_stop=Param([0.02, 0.05]))
    repr(pf)
    assert made == []
