# SPDX-License-Identifier: BSD-3-Clause
"""Laws of strategy runs on generated prices, orders and settings."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp

QUICK = settings(max_examples=25)
N, LOOKBACK = 120, 10


def make_data(seed, n=N, scale=1.0):
    rng = np.random.default_rng(seed)
    close = scale * 50 * np.exp(np.cumsum(rng.normal(0, 0.02, n)))
    open_ = close * np.exp(rng.normal(0, 0.01, n))
    return bp.Data.from_frames(
        {
            "X": pd.DataFrame(
                {
                    "open": open_,
                    "high": np.maximum(open_, close) * (1 + rng.random(n) * 0.02),
                    "low": np.minimum(open_, close) * (1 - rng.random(n) * 0.02),
                    "close": close,
                },
                index=pd.date_range("2020-01-01", periods=n, freq="D"),
            )
        }
    )


@st.composite
def plans(draw):
    """Random orders and settings, as a strategy; distances are shares of the price."""
    seed = draw(st.integers(0, 10_000))
    density = draw(st.sampled_from([0.02, 0.1, 0.5]))
    share = {
        name: draw(st.sampled_from([None, 0.01, 0.05])) for name in ("stop", "take_profit", "trail")
    }
    lifetime = draw(st.sampled_from([None, 1, 7]))
    fill = draw(st.sampled_from(["nextopen", "close"]))
    flips = np.random.default_rng(seed).random((4, 10 * N)) < density

    @bp.strategy(lookback=LOOKBACK, fill=fill)
    def random_orders(s):
        factor = s.optimize(1.0, 0.5, 1.5, 0.25, name="factor")
        n = len(s.close)
        # Placed by date: the same orders on any piece of the history.
        bars = (s.index - pd.Timestamp("2020-01-01")).days.to_numpy()
        enter_long, enter_short, exit_long, exit_short = flips[:, bars]
        for name, value in share.items():
            if value is not None:
                setattr(s, name, value * factor * s.close)
        s.lifetime = lifetime
        s.enter_long(enter_long)
        s.enter_short(enter_short)
        s.exit_long(exit_long)
        s.exit_short(exit_short)
        assert len(enter_long) == n

    return seed, random_orders


def quiet(func, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return func(*arguments, **options)


COSTS = bp.Costs(spread=0.05, commission=0.01, fees=0.001, roll_long=0.002, roll_short=-0.001)


@QUICK
@given(plans())
def test_trades_add_up_to_the_change_of_equity(plan):
    seed, strategy = plan
    sizing = ("money", "equity")[seed % 2]
    tested = bp.test(strategy, make_data(seed), costs=COSTS, sizing=sizing)
    change = tested.value.iloc[-1] - 10_000
    np.testing.assert_allclose(tested.trades["pnl"].sum(), change, atol=1e-9)


@QUICK
@given(plans())
def test_training_and_test_agree(plan):
    """A training closes at the last close what a test leaves open; otherwise they are one."""
    seed, strategy = plan
    data = make_data(seed)
    costs = bp.Costs(spread=0.05, commission=0.01, roll_long=0.002, roll_short=-0.001)
    training = quiet(bp.train, strategy, data, costs=costs, min_trades=0)
    tested = bp.test(strategy, data, training, costs=costs, sizing="unit")
    stats = training.components["X"].stats
    net = tested.value.iloc[-1] - data.close.iloc[LOOKBACK]
    # With close fills a training drops the last bar's order, which a test fills for nothing yet.
    late = tested.trades["entry_index"] == len(tested.value) - 1
    late &= strategy.fill == "close"
    paid = (costs.spread + costs.commission) * late.sum()
    np.testing.assert_allclose(stats.net, net + paid, atol=1e-9)
    assert stats.num_trades == len(tested.trades) - late.sum()


@QUICK
@given(plans(), st.integers(LOOKBACK + 20, N - 5))
def test_later_bars_change_nothing_before(plan, cut):
    seed, strategy = plan
    data = make_data(seed)
    whole = bp.test(strategy, data)
    part = bp.test(strategy, data[: data.index[cut]])
    pd.testing.assert_series_equal(
        whole.value.iloc[: len(part.value)], part.value, check_freq=False
    )


@QUICK
@given(plans(), st.sampled_from([0.01, 4.0, 1024.0]))
def test_price_unit_changes_no_choice(plan, scale):
    """Prices times a constant scale money, and leave a ratio without unit as it is."""
    seed, strategy = plan
    options = {"objective": "profit_factor", "select": "peak", "min_trades": 0}
    one = quiet(bp.train, strategy, make_data(seed), **options)
    other = quiet(bp.train, strategy, make_data(seed, scale=scale), **options)
    assert one.params == other.params
    np.testing.assert_allclose(one.trials["net"] * scale, other.trials["net"], atol=1e-9 * scale)


@QUICK
@given(plans(), st.integers(2, 4), st.booleans())
def test_walk_forward_adds_up(plan, cycles, close):
    seed, strategy = plan
    wf = quiet(
        bp.walk_forward,
        strategy,
        make_data(seed),
        cycles=cycles,
        split=0.6,
        border="close" if close else "carry",
        costs=COSTS,
        sizing=("money", "equity", "unit")[seed % 3],
    )
    trades, value = wf.portfolio.trades, wf.portfolio.value
    capital = wf.portfolio.facts["capital"]
    np.testing.assert_allclose(wf.cycles["net"].sum(), value.iloc[-1] - capital, atol=1e-9)
    np.testing.assert_allclose(trades["pnl"].sum(), value.iloc[-1] - capital, atol=1e-9)
    assert wf.cycles["trades"].sum() == (trades["status"] == "closed").sum()


@QUICK
@given(plans(), st.integers(LOOKBACK + 3, N - 2))
def test_signals_are_what_a_test_fills(plan, cut):
    """Each day's orders are the fills of the next open, or of the same close."""
    seed, strategy = plan
    data = make_data(seed)
    one_later = strategy.fill == "nextopen"
    for n in range(cut, min(cut + 12, N)):
        due = bp.signals(strategy, data[: data.index[n - 1]])
        trades = bp.test(strategy, data[: data.index[n if one_later else n - 1]]).trades
        bar = (n if one_later else n - 1) - LOOKBACK
        entered = trades.loc[trades["entry_index"] == bar, "direction"]
        left = trades[(trades["exit_index"] == bar) & (trades["status"] == "closed")]
        left = left.loc[left["exit_reason"].isin(["signal", "lifetime"]), "direction"]
        filled = [f"enter_{side}" for side in entered] or [f"exit_{side}" for side in left]
        assert due["next_order"].dropna().tolist() == filled
