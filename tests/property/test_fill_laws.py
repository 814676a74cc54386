# SPDX-License-Identifier: BSD-3-Clause
"""Figures in closed form are those of the path of values, on prices that nobody would trade."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from broadpeak._metrics._kernels.summary import (
    DOWNSIDE,
    DRAWDOWN,
    MOMENTS,
    SUMMARY,
    TRADES,
)
from broadpeak._simulation._kernels.layout import L_BAR, L_PRICE, Groups
from broadpeak._simulation.rules import Prices, SharedRows, no_signal
from broadpeak._simulation.simulation import Simulation

sys.path.insert(0, str(Path(__file__).parent))
from hostile import KINDS, hostile_prices, random_rules, same

LAWS = settings(max_examples=60)
PARTS = {
    MOMENTS: ("end", "mean", "std", "return_term"),
    DOWNSIDE: ("mean", "downside", "return_term"),
    DRAWDOWN: ("end", "drawdown"),
    TRADES: ("trades", "pnl_mean", "pnl_std", "exposed"),
}
EVERYTHING = MOMENTS | DOWNSIDE | DRAWDOWN | TRADES


def random_simulation(kind: str, rng: np.random.Generator, *, stops: bool) -> Simulation:
    open_, high, low, close = hostile_prices(kind, rng)
    n, columns = len(close), int(rng.integers(1, 6))
    dense = rng.choice([0.0, 0.01, 0.1, 0.5], (2, columns, 1))
    signals = [rng.random((columns, n)) < share for share in dense]
    signals[0][:, 0] |= rng.random(columns) < 0.5
    signals[0][:, -1] |= rng.random(columns) < 0.5
    nothing = no_signal(n)
    return Simulation(
        Prices(open_, high, low, close),
        np.zeros(columns, np.int64),
        [*(SharedRows(one.view(np.uint8)) for one in signals), nothing, nothing, nothing],
        random_rules(rng, stops=stops),
        Groups.single(columns),
    )


def by_paths(simulation: Simulation) -> np.ndarray:
    """Return the summary from the values of all bars, and from trades one by one."""
    fills, start = simulation.fills(), simulation.start()
    close, fees = simulation.prices.close[0], simulation.rules.fees
    want = np.zeros(len(start), SUMMARY)
    for column, row in enumerate(want):
        orders = fills.log.orders[fills.log.starts[column] : fills.log.ends[column]]
        value, trades = np.empty(len(close)), []
        cash, units, k, entry = start[column], 0.0, 0, 0.0
        for t, price in enumerate(close):
            while k < len(orders) and orders[k, L_BAR] == t:
                paid = orders[k, L_PRICE]
                if units == 0.0:
                    units, cash, entry = cash / (paid * (1 + fees)), 0.0, (t, paid)
                else:
                    trades.append((*entry, t, paid, units, fees))
                    units, cash = 0.0, units * paid * (1 - fees)
                k += 1
            value[t] = cash + units * price
        held = sum(x - e for e, _, x, *_ in trades) + (len(close) - entry[0] if units else 0)
        if units:
            trades.append((*entry, len(close) - 1, close[-1], units, 0.0))
        path = np.concatenate([start[column : column + 1], value])
        returns = path[1:] / path[:-1] - 1.0
        row["start"], row["end"], row["return_term"] = start[column], value[-1], 1.0
        row["bars"], row["last"], row["mean"] = len(close), len(close) - 1, returns.mean()
        row["std"] = returns.std(ddof=1) if len(returns) > 1 else np.nan
        row["downside"] = np.sqrt((np.minimum(returns, 0.0) ** 2).mean())
        row["drawdown"] = (path / np.maximum.accumulate(path) - 1.0).min()
        paid = np.array([u * (p * fees + q * f) for _, p, _, q, u, f in trades])
        pnl = np.array([u * (q - p) for _, p, _, q, u, _ in trades]) - paid
        row["trades"], row["net"], row["fees"] = len(trades), pnl.sum(), paid.sum()
        row["exposed"] = held
        n = row["closed"] = len(trades) - (units > 0.0)
        done, pnl = trades[:n], pnl[:n]
        row["wins"] = (pnl > 0.0).sum()
        row["gains"], row["losses"] = pnl[pnl > 0].sum(), -pnl[pnl <= 0].sum()
        row["largest_win"], row["largest_loss"] = max([0, *pnl]), min([0, *pnl])
        row["bars_held"] = sum(x - e for e, _, x, *_ in done)
        row["pnl_mean"] = pnl.mean() if n else np.nan
        row["pnl_std"] = pnl.std(ddof=1) if n > 1 else np.nan
        terms = [max(u * p, u * q) for _, p, _, q, u, _ in done]
        row["trade_term"] = max([0, *terms, *abs(pnl)])
    return want


def are_close(got: np.ndarray, want: np.ndarray) -> None:
    most = want["trade_term"] + want["start"]
    for name in SUMMARY.names:
        money = name in {"net", "fees", "pnl_mean", "pnl_std", "gains", "losses"}
        money |= name in {"largest_win", "largest_loss", "trade_term"}
        scale = most if money else 1.0
        np.testing.assert_allclose(
            got[name] / scale, want[name] / scale, rtol=1e-9, atol=1e-13, err_msg=name
        )


@LAWS
@given(st.sampled_from(KINDS), st.integers(0, 2**31), st.booleans())
def test_closed_form_is_the_path(kind, seed, stops):
    simulation = random_simulation(kind, np.random.default_rng(seed), stops=stops)
    got = simulation.summary(EVERYTHING, simulation.start())
    are_close(got, by_paths(simulation))


@LAWS
@given(st.sampled_from(KINDS), st.integers(0, 2**31), st.booleans())
def test_every_way_to_find_the_fills_gives_the_same_bits(kind, seed, stops):
    simulation = random_simulation(kind, np.random.default_rng(seed), stops=stops)
    start = simulation.start()
    want = simulation.summary(EVERYTHING, start)
    fills = simulation.fills()
    from_log = fills.summary(EVERYTHING, simulation.groups, start, 0.0)
    same(from_log, want)
    for column in range(len(start)):
        one = np.array([column])
        alone = simulation.take(one).summary(EVERYTHING, start[one])
        same(alone, want[column : column + 1])
    # Whatever else is asked for, a figure is the same.
    for needs, names in PARTS.items():
        some = simulation.summary(needs, start)
        log = fills.summary(needs, simulation.groups, start, 0.0)
        for name in names:
            np.testing.assert_array_equal(some[name], want[name], err_msg=name)
            np.testing.assert_array_equal(log[name], want[name], err_msg=name)
