# SPDX-License-Identifier: BSD-3-Clause
"""Laws of the simulation that hold for any prices and signals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadpeak import PF

LAWS = settings(max_examples=40)
SEEDS = st.integers(0, 2**31)


def market(seed: int, *, columns: int = 1, n: int = 60):
    """Return OHLC, four signal arrays and options of one random market."""
    rng = np.random.default_rng(seed)
    shape = (n, columns)
    close = 20 * np.exp(np.cumsum(rng.normal(0, 0.03, shape), axis=0))
    open_ = close * np.exp(rng.normal(0, 0.02, shape))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.01, shape)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.01, shape)))
    signals = [rng.random(shape) < rng.choice([0.03, 0.2]) for _ in range(4)]
    options = {
        "price": str(rng.choice(["close", "nextopen"])),
        "fees": float(rng.choice([0, 0.002])),
        "slippage": float(rng.choice([0, 0.001])),
        "accumulate": bool(rng.random() < 0.2),
        "size": float(rng.choice([np.inf, 2.0])),
        "bars_per_year": 252,
    }
    for name in ("sl_stop", "tp_stop", "tsl_stop"):
        if rng.random() < 0.4:
            options[name] = float(rng.uniform(0.01, 0.1))
    return (open_, high, low, close), signals, options


def run(prices, signals, options, cut=None):
    open_, high, low, close, le, lx, se, sx = (
        # One column is one-dimensional: numbers and Series come back.
        lane[:cut, 0] if lane.shape[1:] == (1,) else lane[:cut]
        for lane in (*prices, *signals)
    )
    return PF.from_signals(
        close, le, lx, short_entries=se, short_exits=sx, open=open_, high=high, low=low, **options
    )


@LAWS
@given(SEEDS)
def test_the_future_changes_nothing(seed):
    prices, signals, options = market(seed)
    whole = run(prices, signals, options)
    for cut in (1, 20, 41):
        part = run(prices, signals, options, cut)
        np.testing.assert_array_equal(part.value, whole.value[:cut])
        np.testing.assert_array_equal(part.positions, whole.positions[:cut])
        done = whole.trades[whole.trades["exit_index"] < cut]
        closed = part.trades[part.trades["status"] == "closed"].head(len(done))
        for name in ("entry_index", "exit_index", "exit_reason", "pnl"):
            assert done[name].tolist()[: len(closed)] == closed[name].tolist()


@LAWS
@given(SEEDS)
def test_value_is_what_trades_made(seed):
    prices, signals, options = market(seed)
    pf = run(prices, signals, options)
    change = pf.value.iloc[-1] - 100
    assert pf.trades["pnl"].sum() == pytest.approx(change, rel=1e-9, abs=1e-9)
    trades = pf.trades
    gross = trades["pnl"] + trades["entry_fees"] + trades["exit_fees"]
    share = gross / (trades["entry_price"] * trades["size"])
    assert (trades["mae"] <= share + 1e-9).all()
    assert (trades["mfe"] >= share - 1e-9).all()
    assert ((trades["mae"] <= 0) & (trades["mfe"] >= 0)).all()


@LAWS
@given(SEEDS, st.sampled_from([0.25, 8.0, 1024.0]))
def test_prices_and_cash_scale(seed, k):
    prices, signals, options = market(seed)
    one = run(prices, signals, options)
    other = run([lane * k for lane in prices], signals, {**options, "init_cash": 100.0 * k})
    np.testing.assert_allclose(other.value, one.value * k, rtol=1e-9)
    np.testing.assert_allclose(other.positions, one.positions, rtol=1e-9, atol=1e-12)
    assert other.max_drawdown == pytest.approx(one.max_drawdown, rel=1e-9, abs=1e-12)


@LAWS
@given(SEEDS)
def test_mirrored_prices_swap_long_and_short(seed):
    prices, signals, options = market(seed)
    options = {**options, "size": 1.0, "fees": 0.0, "slippage": 0.0, "init_cash": 1e9}
    for name in ("sl_stop", "tp_stop", "tsl_stop"):
        if name in options:
            options[name] *= 20.0
    options["stop_unit"] = "price"
    le, lx, se, sx = signals
    open_, high, low, close = prices
    mirror = 1000.0
    one = run(prices, signals, options)
    other = run(
        (mirror - open_, mirror - low, mirror - high, mirror - close), (se, sx, le, lx), options
    )
    np.testing.assert_allclose(other.value, one.value, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(other.positions, -one.positions)


@LAWS
@given(SEEDS)
def test_always_in_is_buy_and_hold(seed):
    (_, _, _, close), _, _ = market(seed)
    pf = PF.from_signals(close[:, 0], True, bars_per_year=252)
    np.testing.assert_allclose(pf.value, 100 * close[:, 0] / close[0, 0], rtol=1e-12)
    r = close[1:, 0] / close[:-1, 0] - 1
    np.testing.assert_allclose(pf.returns[1:], r, atol=1e-12)


@LAWS
@given(SEEDS)
def test_a_column_does_not_know_the_others(seed):
    prices, signals, options = market(seed, columns=3)
    together = run(prices, signals, options)
    for k in range(3):
        alone = run([lane[:, k] for lane in prices], [lane[:, k] for lane in signals], options)
        np.testing.assert_array_equal(together.value.iloc[:, k], alone.value)
        for name in ("sharpe_ratio", "max_drawdown", "win_rate", "sqn", "sortino_ratio"):
            np.testing.assert_equal(getattr(together, name).iloc[k], getattr(alone, name))


@LAWS
@given(SEEDS)
def test_bars_without_prices_do_not_exist(seed):
    prices, signals, options = market(seed)
    gone = np.random.default_rng(seed).random(60) < 0.2
    holed = [np.where(gone[:, None], np.nan, lane) for lane in prices]
    one = run(holed, signals, options)
    other = run([lane[~gone] for lane in prices], [lane[~gone] for lane in signals], options)
    kept = np.flatnonzero(~gone)
    np.testing.assert_allclose(one.value[kept], other.value)
    assert one.trades["entry_index"].tolist() == kept[other.trades["entry_index"]].tolist()
    assert one.trades["exit_reason"].tolist() == other.trades["exit_reason"].tolist()


@pytest.mark.parametrize("kind", ["spike", "crash", "drift", "tiny", "huge", "flat"])
def test_metrics_on_hostile_prices_equal_the_textbook(kind):
    rng = np.random.default_rng(3)
    n = 2000
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    if kind == "spike":
        close[50] *= 1e6
    elif kind == "crash":
        close[50:] *= 1e-6
    elif kind == "drift":
        close = 1.02 ** np.arange(n) * np.exp(rng.normal(0, 1e-6, n))
    elif kind == "tiny":
        close *= 1e-9
    elif kind == "huge":
        close *= 1e12
    else:
        close[:] = 7.0
    entries, exits = rng.random((n, 20)) < 0.05, rng.random((n, 20)) < 0.05
    pf = PF.from_signals(close, entries, exits, fees=0.001, init_cash=close[0], bars_per_year=252)
    value = np.vstack([np.full(20, close[0]), pf.value.to_numpy()])
    r = value[1:] / value[:-1] - 1
    sharpe = r.mean(axis=0) / r.std(axis=0, ddof=1) * 252**0.5
    deep = (value / np.maximum.accumulate(value, axis=0)).min(axis=0) - 1
    down = np.sqrt((np.minimum(r, 0) ** 2).mean(axis=0))
    np.testing.assert_allclose(pf.sharpe_ratio, sharpe, rtol=1e-9)
    np.testing.assert_allclose(pf.max_drawdown, deep, rtol=1e-9)
    np.testing.assert_allclose(pf.sortino_ratio, r.mean(axis=0) / down * 252**0.5, rtol=1e-9)
