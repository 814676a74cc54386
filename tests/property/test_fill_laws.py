# SPDX-License-Identifier: BSD-3-Clause
"""Figures in closed form are those of the path of values, on prices that nobody would trade."""

from __future__ import annotations

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
from broadpeak._simulation.rules import Prices, Rules, SharedRows, no_signal
from broadpeak._simulation.simulation import Simulation

LAWS = settings(max_examples=60)
EVERYTHING = MOMENTS | DOWNSIDE | DRAWDOWN | TRADES
KINDS = (
    "usual", "minutes", "tiny prices", "huge prices", "flat", "flat stretches", "one jump",
    "many jumps", "constant growth", "tiny returns", "collapse", "coarse", "short",
)  # fmt: skip


def hostile_prices(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return open, high, low and close."""
    n = int(rng.choice([1, 2, 3, 17])) if kind == "short" else int(rng.choice([30, 64, 400, 1500]))
    step = rng.normal(0, 0.02, n)
    if kind == "minutes":
        step *= 1e-2
    elif kind == "flat":
        step[:] = 0.0
    elif kind == "flat stretches":
        step[np.arange(n) % 90 < 60] = 0.0
    elif kind == "one jump":
        step[n // 2] = rng.choice([-13.0, 13.0])
    elif kind == "many jumps":
        step[rng.random(n) < 0.05] *= 200
        step -= step.mean()
    elif kind == "constant growth":
        step[:] = rng.choice([0.01, 1e-4, -0.01])
    elif kind == "tiny returns":
        step *= 1e-7
    elif kind == "collapse":
        step -= 0.05
    scale = {"tiny prices": 1e-8, "huge prices": 1e11}.get(kind, 100.0)
    close = scale * np.exp(np.cumsum(step))
    noise = 0.0 if kind in {"flat", "constant growth"} else 0.5 * np.abs(step).mean()
    open_ = close * np.exp(rng.normal(0, noise, n))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, noise, n)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, noise, n)))
    if kind == "coarse":
        return tuple(np.maximum(np.round(lane), 1.0) for lane in (open_, high, low, close))
    return open_, high, low, close


def random_rules(rng: np.random.Generator, *, stops: bool) -> Rules:
    found = {}
    for name in ("stop", "take_profit", "trail"):
        if stops and rng.random() < 0.4:
            found[name] = float(rng.choice([0.01, 0.05, 0.3]))
    if stops and rng.random() < 0.2:
        found["lifetime"] = float(rng.integers(1, 9))
    return Rules(
        price=str(rng.choice(["close", "nextopen"])),
        stops=found,
        fees=float(rng.choice([0.0, 0.0, 0.001, 0.3])),
        slippage=float(rng.choice([0.0, 0.0, 0.002])),
        init_cash=float(rng.choice([100.0, 1e-7, 1e12])),
    )


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


def same(got: np.ndarray, want: np.ndarray) -> None:
    """Compare to the last bit."""
    for name in SUMMARY.names:
        np.testing.assert_array_equal(got[name], want[name], err_msg=name)


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
    moments = simulation.summary(MOMENTS, start)
    for name in ("end", "mean", "std"):
        np.testing.assert_array_equal(moments[name], want[name])
