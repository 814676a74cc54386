# SPDX-License-Identifier: BSD-3-Clause
"""`Stats.from_trades` against a slow and obvious version."""

from __future__ import annotations

import math

import numpy as np
import pytest

from broadpeak._simulation._kernels.layout import TRADE
from broadpeak._training._kernels.stats import STATS
from broadpeak._training.performance import FIELDS, Stats
from broadpeak.errors import ParamError


def slow(pnl, side, enter, leave, equity, capital=1.0, recency=1.0):
    """Return the statistics as their definitions say, with plain lists."""
    n = len(equity)
    span = max(n - 1, 1)
    weighted = [
        p * 2 / (1 + recency) * (1 + (recency - 1) * min(max(x / span, 0), 1))
        for p, x in zip(pnl, leave, strict=True)
    ]
    wins = [w for w, p in zip(weighted, pnl, strict=True) if p > 0]
    losses = [-w for w, p in zip(weighted, pnl, strict=True) if p <= 0]
    result = {
        "num_win": len(wins),
        "num_loss": len(losses),
        "win_total": sum(wins),
        "loss_total": sum(losses),
        "win_max": max(wins, default=0),
        "loss_max": max(losses, default=0),
        "bars": n,
        "bars_in_trades": sum(x - e for e, x in zip(enter, leave, strict=True)),
        "bars_longest_trade": max((x - e for e, x in zip(enter, leave, strict=True)), default=0),
        "trade_mean": np.mean(pnl) if len(pnl) else 0,
        "trade_std": np.std(pnl, ddof=1) if len(pnl) > 1 else 0,
        "net": sum(weighted),
    }
    for name, sign in (("long", 1), ("short", -1)):
        own = [(w, p) for w, p, s in zip(weighted, pnl, side, strict=True) if (s > 0) == (sign > 0)]
        won, lost = [w for w, p in own if p > 0], [-w for w, p in own if p <= 0]
        result[f"num_win_{name}"], result[f"num_loss_{name}"] = len(won), len(lost)
        result[f"win_total_{name}"], result[f"loss_total_{name}"] = sum(won), sum(lost)
        result[f"win_max_{name}"] = max(won, default=0)
        result[f"loss_max_{name}"] = max(lost, default=0)
    runs = {True: [], False: []}
    previous = None
    for w, p in zip(weighted, pnl, strict=True):
        if (p > 0) is previous:
            runs[p > 0][-1].append(abs(w))
        else:
            runs[p > 0].append([abs(w)])
        previous = p > 0
    for name, won in (("win", True), ("loss", False)):
        result[f"{name}_streak"] = max(map(len, runs[won]), default=0)
        result[f"{name}_streak_total"] = max(map(sum, runs[won]), default=0)
    peaks = [max([0, *equity[: t + 1]]) for t in range(n)]
    falls = [peak - value for peak, value in zip(peaks, equity, strict=True)]
    shares = [fall / (capital + peak) for fall, peak in zip(falls, peaks, strict=True)]
    result["drawdown_equity"] = max(falls, default=0)
    result["drawdown_share"] = max(shares, default=0)
    result["return_ulcer"] = math.sqrt(np.mean(np.square(shares))) if n else 0
    result["drawdown_bars"] = sum(fall > 0 for fall in falls)
    stretch, longest = 0, 0
    for fall in falls:
        stretch = stretch + 1 if fall > 0 else 0
        longest = max(longest, stretch)
    result["drawdown_bars_max"] = longest
    balances = [sum(p for p, x in zip(pnl, leave, strict=True) if x <= t) for t in range(n)]
    tops = [max([0, *balances[: t + 1]]) for t in range(n)]
    result["drawdown_max"] = max(
        (max(top - value, 0) for top, value in zip(tops, equity, strict=True)), default=0
    )
    inside = [t for t in range(n) if any(e <= t <= x for e, x in zip(enter, leave, strict=True))]
    changes = np.diff(np.concatenate(([0.0], equity)))[inside] / capital if n else np.empty(0)
    result["bars_in_market"] = len(inside)
    result["return_mean"] = changes.mean() if len(changes) else 0
    result["return_std"] = changes.std(ddof=1) if len(changes) > 1 else 0
    if n > 1:
        slope = np.polyfit(np.arange(n), equity, 1)[0]
        result["return_lr"] = slope * (n - 1)
        moves = np.std(equity) > 0
        corr = np.corrcoef(np.arange(n), equity)[0, 1] if moves else 0
        result["return_r2"] = corr**2 if corr > 0 else 0
    return result


def made(rng, n_bars, n_trades):
    marks = np.sort(rng.choice(n_bars, min(2 * n_trades, n_bars // 2 * 2), replace=False))
    enter, leave = marks[::2].copy(), marks[1::2].copy()
    reversed_ = rng.random(len(enter) - 1) < 0.3 if len(enter) > 1 else np.empty(0, dtype=bool)
    enter[1:][reversed_] = leave[:-1][reversed_]
    pnl = np.round(rng.normal(0.2, 3, len(enter)), 1)
    side = np.where(rng.random(len(enter)) < 0.5, 1, -1)
    change = np.zeros(n_bars)
    for p, e, x in zip(pnl, enter, leave, strict=True):
        change[e : x + 1] += rng.normal(0, 1, x - e + 1)
        change[x] += p
    return pnl, side, enter, leave, np.cumsum(change)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("recency", [1.0, 3.0])
def test_equals_the_definitions(seed, recency):
    rng = np.random.default_rng(seed)
    trades = made(rng, int(rng.integers(1, 200)), int(rng.integers(0, 30)))
    stats = Stats.from_trades(*trades, capital=50.0, recency=recency, years=2.0)
    for name, expected in slow(*trades, capital=50.0, recency=recency).items():
        assert getattr(stats, name) == pytest.approx(expected, rel=1e-9, abs=1e-9), name


def test_first_bar_shifts_the_trades():
    pnl, side, enter, leave, equity = made(np.random.default_rng(1), 100, 10)
    shifted = Stats.from_trades(pnl, side, enter + 40, leave + 40, equity, first=40)
    assert shifted == Stats.from_trades(pnl, side, enter, leave, equity)


def test_without_trades_and_bars():
    none = np.empty(0)
    assert Stats.from_trades(none, none, none, none, none) == Stats()
    flat = Stats.from_trades(none, none, none, none, np.zeros(5), years=1.5)
    assert flat == Stats(bars=5, years=1.5)


def test_zero_is_a_loss():
    stats = Stats.from_trades([0.0], [1], [0], [1], np.zeros(2))
    assert (stats.num_win, stats.num_loss, stats.loss_total) == (0, 1, 0)


def test_totals_of_costs():
    stats = Stats.from_trades(
        [1.0, 2.0],
        [1, 1],
        [0, 1],
        [1, 2],
        np.zeros(3),
        costs=[0.5, 0.5],
        rolls=[1, 2],
        points=[3, 4],
    )
    assert (stats.cost_total, stats.roll_total, stats.points_total) == (1, 3, 7)


def test_large_offsets_keep_their_digits():
    equity = 1e9 + np.linspace(0, 1, 500)
    stats = Stats.from_trades([1.0], [1], [0], [499], equity)
    assert stats.return_r2 == pytest.approx(1, abs=1e-6)


def test_bad_arguments():
    with pytest.raises(ParamError, match="columns of the trades must be of one length"):
        Stats.from_trades([1.0], [1, 1], [0], [1], np.zeros(2))
    for name in ("recency", "capital"):
        with pytest.raises(ParamError, match=f"{name} must be a positive number"):
            Stats.from_trades([1.0], [1], [0], [1], np.zeros(2), **{name: 0})


def test_the_loops_write_the_fields_in_their_order():
    assert FIELDS[: len(STATS.names)] == STATS.names


@pytest.mark.parametrize("seed", range(5))
def test_records_of_trades_are_read_as_their_columns(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 40))
    trades = np.zeros(n, TRADE)
    trades["direction"] = np.where(rng.random(n) < 0.5, 1, -1)
    trades["entry_index"] = np.sort(rng.integers(30, 200, n))
    trades["exit_index"] = trades["entry_index"] + rng.integers(0, 9, n)
    for name in ("size", "entry_price", "exit_price", "entry_fees", "exit_fees", "roll", "pnl"):
        trades[name] = rng.uniform(0.1, 9.0, n) - (4.0 if name == "pnl" else 0.0)
    trades["bars"] = trades["exit_index"] - trades["entry_index"]
    settings = {"first": 30, "capital": 50.0, "years": 2.0, "recency": 1.5, "balance": 7.0}
    equity, slope = np.cumsum(rng.normal(0, 1, 180)), 0.01
    direction = trades["direction"].astype(np.int64)
    expected = Stats.from_trades(
        trades["pnl"] - slope * direction * trades["bars"] * trades["size"],
        direction,
        trades["entry_index"],
        trades["exit_index"],
        equity,
        worth=trades["size"] * np.maximum(trades["entry_price"], trades["exit_price"]),
        costs=trades["entry_fees"] + trades["exit_fees"],
        rolls=trades["roll"],
        points=direction * (trades["exit_price"] - trades["entry_price"]),
        **settings,
    )
    assert Stats.of_records(trades, equity, slope=slope, **settings) == expected
