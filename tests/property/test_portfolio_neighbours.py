# SPDX-License-Identifier: BSD-3-Clause
"""A column does not know what stands beside it: its metrics are those it has alone, to the bit.

Columns were listed later, delisted, or pause; on a bar without a price a column does not exist.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak import PF
from broadpeak._metrics.formulas import IN_STATS

LAWS = settings(max_examples=25)
SEEDS = st.integers(0, 2**31)
N = 90


def market(seed: int, columns: int):
    """Return prices, signals and options; every column has a history of its own."""
    rng = np.random.default_rng(seed)
    shape = (N, columns)
    close = 30 * np.exp(np.cumsum(rng.normal(0, 0.03, shape), axis=0))
    open_ = close * np.exp(rng.normal(0, 0.01, shape))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.01, shape)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.01, shape)))
    for k in range(1, columns):  # the first column has all bars
        first, last = np.sort(rng.choice(N, 2, replace=False))
        kind = rng.integers(0, 5)
        gone = np.zeros(N, dtype=bool)
        gone[:first] |= kind in {0, 2}
        gone[last + 1 :] |= kind in {1, 2}
        gone |= (kind in {2, 3}) & (rng.random(N) < 0.2)
        for lane in (open_, high, low, close):
            lane[gone, k] = np.nan
    index = pd.date_range("2020-01-03", periods=N, freq=str(rng.choice(["B", "W", "h"])))
    names = [f"c{k}" for k in range(columns)]
    bars = {
        name: pd.DataFrame(lane, index=index, columns=names)
        for name, lane in (("open", open_), ("high", high), ("low", low), ("close", close))
    }
    density = rng.choice([0.0, 0.03, 0.2], (4, columns))
    signals = {
        name: pd.DataFrame(rng.random(shape) < density[k], index=index, columns=names)
        for k, name in enumerate(("entries", "exits", "short_entries", "short_exits"))
    }
    options = {
        "price": str(rng.choice(["close", "nextopen"])),
        "fees": float(rng.choice([0, 0.002])),
        "fixed_fees": float(rng.choice([0, 1.0])),
        "slippage": float(rng.choice([0, 0.001])),
        "accumulate": bool(rng.random() < 0.3),
        "size": float(rng.choice([np.inf, 2.0])),
    }
    for name in ("sl_stop", "tp_stop", "tsl_stop"):
        if rng.random() < 0.4:
            options[name] = float(rng.uniform(0.01, 0.1))
    return bars, signals, options


def run(bars, signals, options, names, *, own=False, **more):
    kept = bars["close"][names].notna().any(axis=1) if own else slice(None)
    prices = {name: frame.loc[kept, names] for name, frame in bars.items()}
    asked = {name: frame.loc[kept, names] for name, frame in signals.items()}
    close = prices.pop("close")
    return PF.from_signals(close, **prices, **asked, **options, **more)


def row(pf, unit) -> list[object]:
    stats = pf.stats()
    return list(stats.loc[unit] if isinstance(stats, pd.DataFrame) else stats)


def same_records(together, alone, key, unit) -> None:
    for name, place in (("trades", key), ("drawdowns", unit)):
        mine, own = getattr(together, name), getattr(alone, name)
        mine = mine[mine["column"].isin(place)].reset_index(drop=True)
        skipped = ["column", "entry_index", "exit_index"]  # bars are counted in another index
        pd.testing.assert_frame_equal(
            mine.drop(columns=skipped, errors="ignore"),
            own.drop(columns=skipped, errors="ignore"),
            check_exact=True, check_dtype=False,
        )  # fmt: skip


@LAWS
@given(SEEDS, st.integers(2, 6))
def test_a_column_is_what_it_is_alone(seed, columns):
    bars, signals, options = market(seed, columns)
    together = run(bars, signals, options, list(bars["close"]))
    for name in bars["close"].columns[bars["close"].notna().sum() > 1]:
        alone = run(bars, signals, options, [name], own=True)
        np.testing.assert_equal(row(together, name), row(alone, name))
        for path in ("value", "returns", "positions"):
            mine = getattr(together, path)[name].loc[alone.index]
            np.testing.assert_array_equal(mine, np.ravel(getattr(alone, path)))
        same_records(together, alone, [name], [name])
        outside = together.index.difference(alone.index)
        assert together.returns.loc[outside, name].isna().all()


@LAWS
@given(SEEDS, st.booleans())
def test_a_group_is_what_it_is_alone(seed, shared):
    bars, signals, options = market(seed, 5)
    groups = pd.Series(["x", "y", "x", "y", "z"], index=bars["close"].columns)
    together = run(bars, signals, options, list(groups.index), group_by=groups, cash_sharing=shared)
    for unit in "xyz":
        names = list(groups.index[groups == unit])
        if bars["close"][names].notna().any(axis=1).sum() < 2:
            continue
        alone = run(
            bars, signals, options, names, own=True, group_by=[unit] * len(names),
            cash_sharing=shared,
        )  # fmt: skip
        np.testing.assert_equal(row(together, unit), row(alone, unit))
        mine = together.value[unit].loc[alone.index]
        np.testing.assert_array_equal(mine, np.ravel(alone.value))
        same_records(together, alone, names, [unit])


@LAWS
@given(SEEDS, st.data())
def test_any_split_of_the_columns_gives_the_same_bits(seed, data):
    """Many columns on one price, as in a sweep: chunks of any length, and each column alone."""
    rng = np.random.default_rng(seed)
    columns = 40
    close = pd.Series(
        20 * np.exp(np.cumsum(rng.normal(0, 0.02, N))), index=pd.date_range("2021", periods=N)
    )
    if rng.random() < 0.5:
        close.iloc[rng.choice(N, 9, replace=False)] = np.nan
    entries, exits = (
        pd.DataFrame(rng.random((N, columns)) < rng.choice([0.02, 0.2]), index=close.index)
        for _ in range(2)
    )
    size = float(rng.choice([np.inf, 3.0]))
    together = PF.from_signals(close, entries, exits, size=size)
    whole = together.stats()
    for place, item in enumerate(together.split_params()[0]):
        np.testing.assert_equal(list(np.ravel(item.stats())), list(whole.iloc[place]))
    cuts = sorted(data.draw(st.sets(st.integers(1, columns - 1), max_size=6)))
    for first, last in zip([0, *cuts], [*cuts, columns], strict=True):
        own = PF.from_signals(
            close, entries.iloc[:, first:last], exits.iloc[:, first:last], size=size
        )
        stats = own.stats()
        stats = stats.to_numpy() if isinstance(stats, pd.DataFrame) else stats.to_numpy()[None]
        np.testing.assert_equal(stats.tolist(), whole.iloc[first:last].to_numpy().tolist())
    single = PF.from_signals(close, entries.iloc[:, 0], exits.iloc[:, 0], size=size)
    np.testing.assert_equal(list(single.stats()), list(whole.iloc[0]))
    for name in IN_STATS:  # asked one by one, and before or after others
        np.testing.assert_equal(getattr(single, name), whole[name].iloc[0])
        fresh = PF.from_signals(close, entries, exits, size=size)
        np.testing.assert_array_equal(getattr(fresh, name), whole[name])


@bp.strategy(lookback=30)
def momentum(s):
    for _ in s.loop():
        days = s.optimize(10, 5, 25, 5, name="days")
        s.stop = bp.atr(s.high, s.low, s.close, 10) * 2
        s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0), lifetime=12)
        s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))


def test_components_of_a_strategy_are_what_they_are_alone():
    sample = bp.Data.sample(["AAPL", "IBM"])["2004":"2006"]
    frames = {}
    for symbol, span in (("IBM", slice(None)), ("AAPL", slice("2005-03", "2006-06"))):
        one = sample.select(symbol)[span]
        frames[symbol] = pd.DataFrame(
            {k: getattr(one, k) for k in ("open", "high", "low", "close")}
        )
    frames["AAPL"] = frames["AAPL"].drop(frames["AAPL"].index[[50, 51, 90]])
    costs = bp.Costs(spread=0.01, fees=0.0002, roll_long=0.001, roll_short=-0.0005)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        both = bp.train(momentum, bp.Data.from_frames(frames), costs=costs, min_trades=1)
        for symbol, frame in frames.items():
            data = bp.Data.from_frames({symbol: frame})
            alone = bp.train(momentum, data, costs=costs, min_trades=1)
            trials = both.trials[both.trials["component"] == symbol].reset_index(drop=True)
            pd.testing.assert_frame_equal(trials, alone.trials, check_exact=True)
            money = {"costs": costs, "sizing": "money"}
            own = bp.test(momentum, data, alone, **money, capital=5_000.0)
            tested = bp.test(momentum, bp.Data.from_frames(frames), both, **money)  # half of 10,000
            np.testing.assert_equal(
                list(tested.components[symbol].stats()), list(own.components[symbol].stats())
            )
            # On the union of bars too: times, counts, rollover.
            mine = tested.trades[tested.trades["column"] == symbol].reset_index(drop=True)
            numbers = ["entry_index", "exit_index"]
            pd.testing.assert_frame_equal(
                mine.drop(columns=numbers), own.trades.drop(columns=numbers), check_exact=True
            )
    assert tested.trades["pnl"].sum() == pytest.approx(tested.value.iloc[-1] - tested.value.iloc[0])


@pytest.mark.parametrize("shared", [False, True])
def test_a_delisted_column_ends_with_its_last_bar(shared):
    index = pd.date_range("2020-01-01", periods=6)
    delisted = [10.0, 12, 9, np.nan, np.nan, np.nan]
    close = pd.DataFrame({"a": [10.0, 11, 12, 13, 14, 15], "b": delisted}, index=index)
    entries = [True, False, False, False, False, False]
    pf = PF.from_signals(
        close, entries, size=2, group_by=["a", "b"] if shared else None, cash_sharing=shared
    )
    stats = pf.stats().loc["b"]
    assert (stats["start"], stats["end"], stats["bars"]) == (index[0], index[2], 3)
    assert stats["exposure"] == 1.0
    trade = pf.trades[pf.trades["column"] == "b"].iloc[0]
    assert (trade["exit_time"], trade["exit_index"], trade["bars"]) == (index[2], 2, 2)
    assert pf.drawdowns.set_index("column").loc["b", "bars"] == 1
    assert pf.value["b"].tolist() == [100, 104, 98, 98, 98, 98]
    assert pf.returns["b"].isna().tolist() == [False, False, False, True, True, True]
