# SPDX-License-Identifier: BSD-3-Clause
"""Signals that nobody has looked at give what the same signals give once they were looked at."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak import PF, Param
from broadpeak._core.lazyframe import recipe_of
from broadpeak._metrics.formulas import METRICS
from broadpeak._signals.crossing import Crossing

N = 120
DAYS = pd.bdate_range("2020-01-01", periods=N)
RNG = np.random.default_rng(8)


def prices(step: float) -> pd.DataFrame:
    close = np.round(30 * np.exp(np.cumsum(RNG.normal(0, 0.02, N))) / step) * step
    open_ = np.round(close * np.exp(RNG.normal(0, 0.005, N)) / step) * step
    return pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) + step,
            "low": np.minimum(open_, close) - step,
            "close": close,
        },
        DAYS,
    )


ONE = bp.Data.from_frames({"A": prices(0.01)})
COARSE = bp.Data.from_frames({"A": prices(1.0)})  # averages meet, and are equal for a while
TWO = bp.Data.from_frames({"A": prices(0.01), "B": prices(0.5)})
SHORTER = ONE[:60]
CALLS = {
    "one pair": (5, 12),
    "lists": ([3, 5, 8], [9, 12, 20]),
    "one of many": ([3, 5, 8], 9),
    "one value": ([5], [12]),
    "equal": ([5, 5], [5, 9]),
}
STOPS = [None, 0.03, [0.02, 0.05], [0.02, 0.05, None], Param([0.02, None, 0.05]),
         Param([0.03]), Param([0.05, -1.0])]  # fmt: skip


def signals(data: bp.Data, call: str, kind: str) -> tuple[object, object]:
    """Return entries and exits that nobody has looked at."""
    fast, slow = CALLS[call]
    if kind == "level":
        strength = data.run("bp:rsi", window=fast)
        return strength.rsi_crossed_above(50), strength.rsi_crossed_below(50)
    left, right = data.run("bp:ma", window=fast), data.run("bp:ma", window=slow)
    if kind == "named":
        left = left.rename_levels({"ma_window": "fast"})
        right = right.rename_levels({"ma_window": "slow"})
    up, down = left.ma_crossed_above(right), left.ma_crossed_below(right)
    return up, (None if kind == "entries" else down)


def looked_at(value: object) -> object:
    if value is not None:
        assert isinstance(recipe_of(value), Crossing)
        repr(value.sum())
        assert recipe_of(value) is None
    return value


def outcome(entries: object, exits: object, **arguments: object) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pf = PF.from_signals(entries=entries, exits=exits, **arguments)
            facts = [getattr(pf, name) for name in ("sharpe_ratio", "total_return", "exposure")]
            # A label with NaN in it equals no other.
            trades = pf.trades.astype({"column": str})
            facts += [pf.metrics(list(METRICS)), pf.value, trades, pf.positions, pf.columns]
            facts += [pf.metrics(["sqn", "net"], keep=bp.top(3, by="sharpe_ratio")), repr(pf)]
            facts += [[part.total_return for part in pf.split_params()[0]]]
        except bp.BroadpeakError as error:
            return type(error), str(error)
    return facts


def same(left: object, right: object) -> None:
    assert type(left) is type(right)
    if isinstance(left, pd.DataFrame):
        pd.testing.assert_frame_equal(left, right, check_exact=True)
    elif isinstance(left, pd.Series):
        pd.testing.assert_series_equal(left, right, check_exact=True)
    elif isinstance(left, pd.Index):
        pd.testing.assert_index_equal(left, right, exact=True)
    else:
        np.testing.assert_equal(left, right)


@settings(max_examples=40)
@given(st.data())
def test_lazy_signals_and_those_that_were_looked_at_give_the_same(data):
    def draw(*values: object) -> object:
        return data.draw(st.sampled_from(values))

    source, call = draw(ONE, COARSE, TWO), draw(*CALLS)
    kind = draw("plain", "named", "entries", "level")
    close = draw(source, source, source.close, SHORTER, TWO, TWO.close["B"].to_numpy())
    arguments = {
        "close": close, "price": draw("close", "nextopen"), "fees": draw(0.0, 0.002),
        "sl_stop": draw(None, *STOPS), "tsl_stop": draw(None, None, *STOPS),
        "size": draw(np.inf, np.inf, 2.0), "bars_per_year": 252,
        "direction": draw("longonly", "longonly", "shortonly", "both"),
        "accumulate": draw(False, False, True),
        "group_by": draw(None, None, None, "symbol", True),
        "cash_sharing": draw(False, False, False, True),
    }  # fmt: skip
    lazy = outcome(*signals(source, call, kind), **arguments)
    entries, exits = map(looked_at, signals(source, call, kind))
    eager = outcome(entries, exits, **arguments)
    if isinstance(eager, tuple):
        assert lazy == eager
        return
    for mine, its in zip(lazy, eager, strict=True):
        same(mine, its)


def test_nobody_looks_at_signals_for_a_figure():
    up, down = signals(ONE, "lists", "named")
    single_up, single_down = signals(ONE, "one pair", "plain")
    for entries, exits in ((up, down), (single_up, single_down)):
        for close in (ONE, ONE.close):
            pf = PF.from_signals(close, entries, exits, fees=0.001, sl_stop=Param([0.1, 0.2]))
            assert len(pf.sharpe_ratio) in {2, 6}
            entry = PF.from_signals(close, entries, exits)._simulation.signals[0]
            assert isinstance(entry, Crossing)
        assert recipe_of(entries) is not None
        assert recipe_of(exits) is not None


def test_what_was_changed_is_not_what_it_was():
    up, down = signals(ONE, "one pair", "plain")
    up.iloc[:] = False
    assert PF.from_signals(ONE, up, down).num_trades == 0


@pytest.mark.parametrize("bars", [60, N])
def test_another_index_is_refused_in_the_same_words(bars):
    data = ONE[:bars] if bars < N else bp.Data.from_frames({"A": prices(0.01).shift(freq="D")})
    up, down = signals(data, "lists", "plain")
    with pytest.raises(bp.DataError, match="entries must have the index of close") as lazy:
        PF.from_signals(ONE, up, down)
    with pytest.raises(bp.DataError, match="entries") as eager:
        PF.from_signals(ONE, *map(looked_at, (up, down)))
    assert str(lazy.value) == str(eager.value)


@settings(max_examples=30)
@given(st.data())
def test_a_parameter_is_the_loop_over_its_values(data):
    def draw(*values: object) -> object:
        return data.draw(st.sampled_from(values))

    source, call = draw(ONE, COARSE, TWO), draw(*CALLS)
    values = [None, float("nan"), 0.004, 0.02, 0.05, 0.3]
    stops = data.draw(st.lists(st.sampled_from(["sl_stop", "tp_stop", "tsl_stop"]), unique=True,
                               min_size=1, max_size=2))  # fmt: skip
    stops = sorted(stops, key=["sl_stop", "tp_stop", "tsl_stop"].index)
    grid = {
        name: data.draw(st.lists(st.sampled_from(values), min_size=1, max_size=3)) for name in stops
    }
    options = {
        "price": draw("close", "nextopen"), "fees": draw(0.0, 0.002),
        "slippage": draw(0.0, 0.001), "init_cash": draw(100.0, [50.0]),
        "direction": draw("longonly", "longonly", "both"), "fixed_fees": draw(0.0, 0.0, 0.5),
    }  # fmt: skip
    if draw(True, False):
        options["slippage"], options["tsl_stop"] = 0.0, grid.get("tsl_stop", [0.1])[0]
        grid = {name: grid[name] for name in grid if name != "tsl_stop"} or {"sl_stop": [0.02]}
    up, down = signals(source, call, "named")
    params = {name: Param(given) for name, given in grid.items()}
    many = PF.from_signals(source, up, down, **options, **params)
    rows = list(itertools.product(*grid.values()))
    names = list(METRICS)
    got = many.metrics(names).to_numpy()
    kept = many.metrics(names, keep=bp.top(5, by="sharpe_ratio"))
    for k, row in enumerate(rows):
        up, down = signals(source, call, "named")
        one = PF.from_signals(source, up, down, **options, **dict(zip(grid, row, strict=True)))
        np.testing.assert_array_equal(got[k :: len(rows)], one.metrics(names))
    best = many.metrics(names)
    best = best[np.isfinite(best["sharpe_ratio"])]
    best = best.sort_values("sharpe_ratio", ascending=False, kind="stable").head(5)
    np.testing.assert_array_equal(kept, best)
