# SPDX-License-Identifier: BSD-3-Clause
"""A symbol that is only looked at needs no history of its own; one that is traded does."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp

N, LOOKBACK = 400, 60
DAYS = pd.bdate_range("2019-01-01", periods=N)
MONTHS = pd.date_range("2018-12-01", periods=20, freq="MS")  # far fewer than lookback + 2


def prices(index: pd.DatetimeIndex, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, len(index))))
    return pd.DataFrame(
        {"open": close, "high": close * 1.01, "low": close / 1.01, "close": close}, index=index
    )


X = prices(DAYS, 1)
MONTHLY = prices(MONTHS, 2)
BOTH = bp.Data.from_frames({"M": MONTHLY, "X": X})
# The same as a column of X: of each month what was known when the next had begun.
KNOWN = MONTHLY["close"].shift(1).reindex(DAYS, method="ffill")
ONE = bp.Data.from_frames({"X": X.assign(known=KNOWN)})


def orders(s: bp.StrategyRun, level: Any) -> None:
    days = s.optimize(10, 5, 20, 5, name="days")
    s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)) & (level > 95))
    s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, days)))


@bp.strategy(name="seen", lookback=LOOKBACK)
def seen(s: bp.StrategyRun) -> None:
    for _ in s.loop(["X"]):
        orders(s, s.other("M").close)


@bp.strategy(name="seen", lookback=LOOKBACK)
def as_column(s: bp.StrategyRun) -> None:
    orders(s, s.column("known"))


@bp.strategy(name="every", lookback=LOOKBACK)
def every(s: bp.StrategyRun) -> None:
    for _ in s.loop():
        orders(s, s.close)


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def test_it_is_as_good_as_a_column() -> None:
    found, known = bp.train(seen, BOTH, end="2020-01"), bp.train(as_column, ONE, end="2020-01")
    pd.testing.assert_frame_equal(found.trials, known.trials)
    assert found.period == known.period
    for span in ({}, {"start": "2020-03"}, {"start": "2020-05-05", "end": "2020-05-29"}):
        one, other = bp.test(seen, BOTH, found, **span), bp.test(as_column, ONE, known, **span)
        pd.testing.assert_frame_equal(one.trades, other.trades)
        np.testing.assert_array_equal(one.held.value, other.held.value)
        assert [*one.components] == ["X"]
    assert not bp.test(seen, BOTH, found).trades.empty
    pd.testing.assert_frame_equal(bp.signals(seen, BOTH, found), bp.signals(as_column, ONE, known))


@pytest.mark.parametrize("detrend", [None, "prices"])
def test_a_walk_forward(tmp_path: Path, detrend: str | None) -> None:
    options: dict[str, Any] = {"cycles": 5, "min_trades": 1, "detrend": detrend}
    found = bp.walk_forward(seen, BOTH, **options)
    known = bp.walk_forward(as_column, ONE, **options)
    if detrend is None:
        # Bars of months that begin on no weekday are bars of the common calendar, too.
        assert len(found.trainings) == len(known.trainings)
    assert not found.portfolio.trades.empty
    for replayed in (found, found.to_par(tmp_path)):
        again = bp.test(seen, BOTH, replayed if replayed is found else tmp_path)
        pd.testing.assert_frame_equal(again.trades, found.portfolio.trades)


def test_what_is_traded_needs_its_history() -> None:
    rule = "M must have at least lookback [+] 2 = 62 bars"
    for run in (bp.test, bp.train, bp.signals, bp.walk_forward):
        with pytest.raises(bp.DataError, match=rule):
            run(every, BOTH)
    with pytest.raises(bp.DataError, match=r"M must have .*got 0 .*20 bars in all from 2018"):
        bp.test(every, BOTH, start="2020-07-02")
    with pytest.raises(bp.DataError, match="start and end must leave bars of M"):
        bp.test(seen, BOTH, start="2031")
    with pytest.raises(bp.DataError, match="must have at least lookback"):
        bp.test(seen, BOTH[:"2019-02-01"])


def test_what_is_traded_needs_bars_in_every_test() -> None:
    short = bp.strategy(every.func, name="every", lookback=0)
    with pytest.raises(bp.DataError, match="M must have bars in every test"):
        bp.walk_forward(short, BOTH, cycles=30)
