# SPDX-License-Identifier: BSD-3-Clause
"""What a result returns may be changed by the user; the result itself does not change."""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import PF

DATA = bp.Data.sample(["AAPL", "IBM"])["2004":"2006"]
ONE = DATA.select("IBM")


@bp.strategy(lookback=60)
def momentum(s):
    days = s.optimize(20, 10, 40, 10, name="days")
    s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))


def portfolio(data, **options):
    moves = data.close.pct_change()
    return PF.from_signals(data, moves > 0.01, moves < -0.01, fees=0.001, **options)


def results():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        training = bp.train(momentum, ONE, min_trades=1, curves=True)
        walk = bp.walk_forward(momentum, ONE, cycles=3, min_trades=1)
    records = ("value", "returns", "positions", "close", "trades", "drawdowns")
    return {
        "one column": (portfolio(ONE), records),
        "two columns": (portfolio(DATA), records),
        "a group": (portfolio(DATA, group_by=True, cash_sharing=True), records),
        "a strategy": (bp.test(momentum, ONE, training), records),
        "a component": (bp.test(momentum, ONE, training).components["IBM"], records),
        "a training": (training, ("trials", "curves")),
        "a walk-forward": (walk, ("cycles", "stats")),
        "prices": (DATA, ("open", "high", "low", "close", "volume", "hlc3", "returns")),
        "prices of one": (ONE, ("open", "close", "returns")),
        "an indicator": (DATA.run("bp:ma", window=[5, 10]), ("ma",)),
    }


RESULTS = results()
CASES = [(key, name) for key, (_, names) in RESULTS.items() for name in names]


def spoil(found):
    """Change everything that can be changed in place."""
    if isinstance(found, pd.Series):
        found.iloc[:] = found.iloc[::-1].to_numpy()
        found.iloc[0] = 0 if found.dtype != object else "spoilt"
        return
    for place in (0, found.shape[1] // 2, -1):
        found.iloc[:, place] = found.iloc[::-1, place].to_numpy()
    number = found.select_dtypes("number").columns[:3]
    found[number] = found[number] * 3 + 1
    del found[found.columns[0]]


@pytest.mark.parametrize(("key", "name"), CASES)
def test_a_change_in_place_changes_no_later_result(key, name):
    owner = RESULTS[key][0]
    kept = getattr(owner, name).copy(deep=True)
    metrics = owner.stats() if isinstance(owner, PF) else None
    spoil(getattr(owner, name))
    again = getattr(owner, name)
    assert type(again) is type(kept)
    same = pd.testing.assert_series_equal if isinstance(kept, pd.Series) else (
        pd.testing.assert_frame_equal
    )  # fmt: skip
    same(again, kept)
    array = getattr(owner, name).to_numpy()
    if array.dtype == np.float64:
        with contextlib.suppress(ValueError):  # read-only is fine too
            array[...] = 7.0
        same(getattr(owner, name), kept)
    if metrics is not None:
        pd.testing.assert_series_equal(
            *(
                s.astype(object) if isinstance(s, pd.Series) else s.stack()
                for s in (owner.stats(), metrics)
            )
        )


@pytest.mark.parametrize("key", ["one column", "two columns", "a strategy"])
def test_later_metrics_do_not_see_the_change(key):
    """Value is changed before returns, drawdowns and ratios are asked for the first time."""
    make = {"one column": lambda: portfolio(ONE), "two columns": lambda: portfolio(DATA),
            "a strategy": lambda: bp.test(momentum, ONE)}[key]  # fmt: skip
    right, touched = make(), make()
    for name in ("value", "positions", "trades"):
        spoil(getattr(touched, name))
    np.testing.assert_array_equal(touched.returns, right.returns)
    pd.testing.assert_frame_equal(touched.drawdowns, right.drawdowns)
    np.testing.assert_array_equal(touched.sharpe_ratio, right.sharpe_ratio)
    np.testing.assert_array_equal(touched.max_drawdown, right.max_drawdown)
