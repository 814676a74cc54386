# SPDX-License-Identifier: BSD-3-Clause
"""The short way for one column says what the long way says: results, labels and errors."""

from __future__ import annotations

import gc
import itertools
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak import PF
from broadpeak._core.identity import ByIdentity
from broadpeak._metrics._kernels.summary import SUMMARY
from broadpeak._metrics.formulas import METRICS
from broadpeak._portfolio import known, portfolio
from broadpeak._portfolio.argument import DEFAULTS

RNG = np.random.default_rng(3)
DATA = bp.Data.sample("IBM")["2004-01-01":"2004-03-29"]
N = len(DATA)
WALK = 20 * np.exp(np.cumsum(RNG.normal(0, 0.05, N)))
DAYS = pd.bdate_range("2021-03-01", periods=N)
GAPPED = np.where(RNG.random(N) < 0.2, np.nan, WALK)
ODD = pd.Index(np.arange(N)[::-1])
UP, DOWN = RNG.random((2, N)) < 0.15
HELD = np.arange(N) == 0
SEALED = WALK.copy()
SEALED.setflags(write=False)

CLOSES = {
    "data": DATA,
    "two symbols": bp.Data.sample(["IBM", "AAPL"])["2004-01-01":"2004-03-29"],
    "closes only": bp.Data.from_frames({"X": pd.Series(WALK, DAYS)}),
    "data close": DATA.close,
    "series": pd.Series(WALK, DAYS, name="x"),
    "gapped": pd.Series(GAPPED, DAYS),
    "numbered": pd.Series(WALK),
    "unsorted": pd.Series(WALK, ODD),
    "array": WALK,
    "sealed": SEALED,
    "reversed": SEALED[::-1],
    "short": SEALED[:20],
    "empty": WALK[:0],
    "negative": np.where(np.arange(N) == 7, -1.0, WALK),
    "whole": np.arange(1, N + 1),
    "frame": pd.DataFrame({"x": WALK}, DAYS),
    "list": WALK.tolist(),
    "none": None,
}
SIGNALS = {
    "none": None,
    "array": UP,
    "data index": pd.Series(UP, DATA.index),
    "days": pd.Series(DOWN, DAYS),
    "numbers": pd.Series(DOWN),
    "whole": DOWN.astype(int),
    "two": pd.DataFrame({"a": UP, "b": DOWN}, DAYS),
    "list": UP.tolist(),
    "true": True,
    "short": UP[:20],
    "words": "up",
}
NUMBERS = [0.0, 0.001, 0, 1, -0.1, True, math.nan, math.inf, 10**400, None, "x", [0.1, 0.2],
           np.float64(0.01), np.array([0.01, 0.02]), pd.Series([0.01] * N), (0.1, 0.2)]  # fmt: skip


def outcome(**arguments: object) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pf = PF.from_signals(**arguments)
            stats = pf.stats()
            facts = [stats, pf.trades, pf.value, pf.index, pf.columns, pf.close, repr(pf)]
            return [*facts, *(getattr(pf, name) for name in stats if name in METRICS)]
        except Exception as error:  # any error must be the same
            return type(error), str(error)


def same(left: object, right: object) -> bool:
    if isinstance(left, (pd.Series, pd.DataFrame, pd.Index)):
        return type(left) is type(right) and left.equals(right)
    if isinstance(left, float) and math.isnan(left):
        return isinstance(right, float) and math.isnan(right)
    return type(left) is type(right) and left == right


def check_both_ways(arguments: dict[str, object]) -> None:
    short = outcome(**arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portfolio, "one_column", lambda *_: None)
        long = outcome(**arguments)
    assert type(short) is type(long)
    assert len(short) == len(long)
    assert all(map(same, short, long)), (short, long)


@settings(max_examples=100)
@given(st.data())
def test_both_ways_say_the_same(data):
    arguments: dict[str, object] = {"close": CLOSES[data.draw(st.sampled_from(list(CLOSES)))]}
    for name in ("entries", "exits"):
        arguments[name] = SIGNALS[data.draw(st.sampled_from(list(SIGNALS)))]
    often = st.one_of(st.sampled_from(NUMBERS[:2]), st.sampled_from(NUMBERS))
    for name in ("size", "fees", "fixed_fees", "slippage", "sl_stop", "tp_stop", "init_cash"):
        if data.draw(st.integers(0, 4)) == 0:
            arguments[name] = data.draw(often)
    for name, values in {
        "price": ["nextopen", "open", 1], "size_type": ["value", "percent", None],
        "stop_unit": ["price", "x"], "direction": ["shortonly", "up"], "accumulate": [True, 0],
        "group_by": [False, True, "x"], "cash_sharing": [True, None],
        "bars_per_year": [252, 1e-3, "x"],
    }.items():  # fmt: skip
        if data.draw(st.integers(0, 9)) == 0:
            arguments[name] = data.draw(st.sampled_from(values))
    check_both_ways(arguments)


@pytest.mark.parametrize("name", [*DEFAULTS])
def test_both_ways_say_the_same_of_every_number(name):
    for size_type in ("amount", "value", "percent"):
        for value in NUMBERS:
            arguments = {"close": DATA, "entries": UP, "exits": DOWN, name: value}
            check_both_ways({**arguments, "size_type": size_type})


def test_the_short_way_is_taken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(portfolio, "simulation_of", None)
    for close in (DATA, DATA.close, pd.Series(WALK, DATA.index), WALK):
        up = UP if close is WALK else pd.Series(UP, DATA.index)
        assert PF.from_signals(close, up, fees=0.001, sl_stop=0.1, bars_per_year=252).sharpe_ratio


@pytest.mark.parametrize("name", [name for name in METRICS if METRICS[name].single is not None])
def test_numbers_have_the_bits_of_arrays(name):
    metric = METRICS[name]
    values = [0.0, 1.0, -1.0, 3e-4, 1e-17, 1e300, math.inf, -math.inf, math.nan]
    rows = np.array(list(itertools.product(values, values, values)))
    for fields in (("mean", "std", "return_term"), ("end", "drawdown", "start")):
        summary = np.zeros(len(rows), SUMMARY)
        summary["start"] = 100.0
        for field, column in zip(fields, rows.T, strict=True):
            summary[field] = np.abs(column) if field in {"std", "return_term"} else column
        summary = summary[summary["start"] > 0.0]
        with np.errstate(all="ignore"):
            want = metric.formula(summary, np.full(len(summary), 252.0))
        got = [metric.single(row.item(), 252.0) for row in summary]
        np.testing.assert_array_equal(got, want)


def test_an_array_that_changed_is_looked_at_again():
    prices = WALK.copy()  # bought on the first bar
    first = PF.from_signals(prices, HELD).total_return
    prices[10:] *= 2
    second = PF.from_signals(prices, HELD).total_return
    assert second == PF.from_signals(prices.tolist(), HELD).total_return
    assert first != second
    series = pd.Series(WALK.copy(), DAYS)
    before = PF.from_signals(series, HELD).total_return
    series.iloc[10:] *= 2
    assert PF.from_signals(series, HELD).total_return == second
    assert before == first
    view = WALK.copy()
    sealed = view.view()
    sealed.setflags(write=False)  # its owner can still be written to
    assert PF.from_signals(sealed, HELD).total_return == first
    assert PF.from_signals(sealed, UP, DOWN, bars_per_year=252).sharpe_ratio
    view[10:] *= 2
    assert PF.from_signals(sealed, HELD).total_return == second
    got = PF.from_signals(sealed, UP, DOWN, bars_per_year=252).sharpe_ratio
    assert got == PF.from_signals(prices, UP, DOWN, bars_per_year=252).sharpe_ratio
    view[5] = -1.0
    with pytest.raises(bp.DataError, match="close must be positive"):
        PF.from_signals(sealed, UP, DOWN)


def test_what_a_portfolio_was_made_of_stays():
    prices = WALK.copy()
    pf = PF.from_signals(prices, HELD)
    prices[:] = 1.0
    assert pf.total_return == WALK[-1] / WALK[0] - 1.0


def test_the_same_ends_are_not_the_same_prices():
    other = WALK.copy()
    other[1:-1] = other[1:-1][::-1]
    want = [PF.from_signals(one.tolist(), UP, DOWN).total_return for one in (WALK, other)]
    assert [PF.from_signals(one, UP, DOWN).total_return for one in (WALK, other)] == want
    assert [PF.from_signals(one, UP, DOWN).total_return for one in (WALK, other)] == want
    assert want[0] != want[1]


def test_a_part_of_what_is_remembered_is_not_the_whole():
    whole = PF.from_signals(SEALED, HELD).total_return
    assert whole == SEALED[-1] / SEALED[0] - 1.0
    for part in (SEALED[:20], SEALED[5:], SEALED[::-1], SEALED[::2]):
        assert len(PF.from_signals(part).value) == len(part)
        held = HELD[: len(part)]
        got = PF.from_signals(part, held).total_return
        assert got == PF.from_signals(part.copy(), held).total_return


def test_prices_of_a_data_are_checked_once(monkeypatch: pytest.MonkeyPatch):
    data = bp.Data.sample("IBM")
    up = data.close.gt(data.open)
    want = [PF.from_signals(close, up).total_return for close in (data, data.close)]
    looks = []
    monkeypatch.setattr(known, "check_prices", looks.append)
    assert [PF.from_signals(close, up).total_return for close in (data, data.close)] == want
    assert looks == []


def test_what_is_remembered_is_bounded_and_forgotten(monkeypatch: pytest.MonkeyPatch):
    bp.flush()
    monkeypatch.setattr(known, "LIMIT", 4 * WALK.nbytes)
    for k in range(6):
        PF.from_signals(WALK + k, UP)
    assert len(known._of_closes) == 4
    kept = len(known._of_tables._facts)
    data = DATA[:]
    PF.from_signals(data, UP)
    assert len(known._of_tables._facts) == kept + 1
    del data
    gc.collect()
    assert len(known._of_tables._facts) == kept
    bp.flush()
    assert not known._of_closes
    assert not known._of_tables._facts


def test_an_index_of_a_result_is_a_users_own():
    pf = PF.from_signals(DATA, UP)
    pf.index.name = "mine"
    pf.value.index.name = "mine"
    assert DATA.index.name != "mine"
    assert pf.index.name != "mine"


def test_a_fact_is_that_of_the_very_object():
    facts: ByIdentity[str] = ByIdentity()
    one, other = pd.RangeIndex(3), pd.RangeIndex(3)
    facts.put(one, "one")
    assert facts.get(one) == "one"
    assert facts.get(other) is None
    facts._facts[id(other)] = facts._facts[id(one)]  # as if the number had been used before
    assert facts.get(other) is None
    del one
    gc.collect()
    assert list(facts._facts) == [id(other)]
