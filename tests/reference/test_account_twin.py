# SPDX-License-Identifier: BSD-3-Clause
"""`test` against a slow account of its own: hostile prices, every size, stops, costs, members."""

from __future__ import annotations

import math
from typing import Any

import account_twin as twin
import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._store.par import ComponentParameters, Member, Parameters

NAMES = {"stop": "stop", "target": "take_profit", "trail": "trail", "life": "lifetime"}


def hostile_prices(rng: np.random.Generator, n: int) -> dict[str, np.ndarray[Any, Any]]:
    """Return prices with ties, none that move, with gaps or with jumps; tiny, usual or huge."""
    kind = rng.integers(0, 4)
    if kind == 0:
        close = np.maximum(1, 8 + np.cumsum(rng.integers(-1, 2, n))).astype(float)
        open_ = np.maximum(1, close + rng.integers(-1, 2, n)).astype(float)
        up, down = rng.integers(0, 2, n), rng.integers(0, 2, n) / 2
        high, low = np.maximum(open_, close) + up, np.minimum(open_, close) - down
    elif kind == 1:
        open_ = high = low = close = np.full(n, 10.0)
    else:
        wide = 1.5 if kind == 2 else 0.03
        close = 50 * np.exp(np.cumsum(rng.normal(0, wide / 4, n)))
        open_ = close * np.exp(rng.normal(0, wide, n))
        reach = np.exp(np.abs(rng.normal(0, wide / 2, (2, n))))
        high, low = np.maximum(open_, close) * reach[0], np.minimum(open_, close) / reach[1]
    scale = float(rng.choice([1.0, 100.0, 1e-6, 1e7]))
    return {
        name: values * scale
        for name, values in zip(
            ("open", "high", "low", "close"), (open_, high, low, close), strict=True
        )
    }


def hostile_costs(rng: np.random.Generator, price: float) -> bp.Costs:
    def one_of(*values: float) -> float:
        return float(rng.choice(values))

    return bp.Costs(
        spread=one_of(0, 0.002, 0.05) * price,
        commission=one_of(0, 0.001) * price,
        fees=one_of(0, 0.001, 0.3),
        roll_long=one_of(0, 0.001, -0.001, 0.05) * price,
        roll_short=one_of(0, -0.002, 0.1) * price,
        slippage=one_of(0, 0.001, 0.2),
        lot_amount=one_of(1, 10, 0.1),
    )


def hostile_orders(
    rng: np.random.Generator, prices: dict[str, np.ndarray[Any, Any]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return masks, and settings of which some are NaN or the same at every bar."""
    close = prices["close"]
    n = len(close)
    often, rarely = rng.choice([0.1, 0.4, 0.8]), rng.choice([0, 0.2])
    masks = {
        name: rng.random(n) < (rarely if name.startswith("out") else often)
        for name in ("long", "short", "out_long", "out_short")
    }
    settings: dict[str, Any] = {"lots": rng.choice([0.0, 1.0, 2.5], n, p=[0.1, 0.5, 0.4])}
    for name in ("stop", "target", "trail"):
        away = rng.choice([0.005, 0.05, 0.125, 1.5], n) * close
        away[rng.random(n) < 0.3] = math.nan
        settings[name] = away if rng.random() < 0.7 else np.full(n, math.nan)
    settings["life"] = np.where(rng.random(n) < 0.5, math.nan, rng.integers(1, 8, n))
    return masks, settings


def strategy_of(sets: dict[tuple[str, int], Any], fill: str) -> bp.Strategy:
    """Return a strategy whose parameter chooses one of several sets of orders."""

    @bp.strategy(name="hostile", lookback=2, fill=fill)
    def hostile(s: bp.StrategyRun) -> None:
        for asset, _ in s.loop():
            masks, settings = sets[asset, int(s.optimize(1, 0, 2, 1, name="which"))]
            given = {NAMES[name]: settings[name] for name in NAMES}
            s.enter_long(masks["long"], lots=settings["lots"], **given)
            s.enter_short(masks["short"], lots=settings["lots"], **given)
            s.exit_long(masks["out_long"])
            s.exit_short(masks["out_short"])

    return hostile


def known_account(frame: pd.DataFrame, members: list[Any], *rest: Any, whole: bool) -> twin.Account:
    """Return what becomes of the orders from bar 2 on."""
    bars = [frame[name].tolist()[2:] for name in ("open", "high", "low", "close")]
    days = [label.toordinal() for label in frame.index[2:]]
    positions = [
        twin.Member(
            {name: mask.tolist()[2:] for name, mask in masks.items()},
            {name: values.tolist()[2:] for name, values in settings.items()},
            weight,
        )
        for (masks, settings), weight in members
    ]
    return twin.Account(bars, days, positions, *rest, whole=whole).run()


def check_component(found: bp.Portfolio, known: twin.Account) -> None:
    fees = [one["size"] * max(one["price"], one["left"]) for m in known.members for one in m.trades]
    profit = np.sum([one.profit for one in known.members], axis=0)
    money = max([1e-12, *fees, *np.abs(profit)])
    np.testing.assert_allclose(
        found.value - found.facts["capital"], profit, rtol=0, atol=1e-9 * max(money, known.amount)
    )
    trades = found.trades
    for number, one in enumerate(known.members, 1):
        own = trades[trades["member"] == number] if len(known.members) > 1 else trades
        closed = own[own["status"] == "closed"]
        assert len(own) - len(closed) == bool(one.held)
        table = {
            name: [trade[name] for trade in one.trades]
            for name in ("exit", "reason", "size", "left", "pnl")
        }
        assert closed["exit_index"].tolist() == table["exit"]
        assert closed["exit_reason"].tolist() == table["reason"]
        np.testing.assert_allclose(closed["size"], table["size"], rtol=1e-9)
        np.testing.assert_allclose(closed["exit_price"], table["left"], rtol=1e-9)
        np.testing.assert_allclose(closed["pnl"], table["pnl"], rtol=1e-9, atol=1e-9 * money)


@pytest.mark.filterwarnings("ignore:'hostile' entered up to")
@pytest.mark.parametrize("sizing", ["unit", "script", "money", "equity"])
@pytest.mark.parametrize("fill", ["nextopen", "close"])
def test_hostile_cases(fill: str, sizing: str) -> None:
    n_compared = 0
    for seed in range(25):
        rng = np.random.default_rng([seed, len(fill), len(sizing)])
        calendar = pd.date_range("2024-01-01", periods=40, freq=rng.choice(["D", "B", "6h"]))
        frames, sets, costs, members = {}, {}, {}, {}
        for asset in ("A", "B"):
            index = calendar[np.sort(rng.permutation(40)[: rng.integers(25, 41)])]
            prices = hostile_prices(rng, len(index))
            frames[asset] = pd.DataFrame(prices, index=index)
            costs[asset] = hostile_costs(rng, float(np.median(prices["close"])))
            for which in range(3):
                sets[asset, which] = hostile_orders(rng, prices)
            shares = rng.random(rng.integers(1, 4)) + 0.05
            members[asset] = [*enumerate((shares / shares.sum()).tolist())]
        whole = sizing in {"money", "equity"} and bool(rng.random() < 0.3)
        values = Parameters(
            {
                asset: ComponentParameters(
                    {"which": 1.0}, members=tuple(Member({"which": w}, x) for w, x in of_asset)
                )
                for asset, of_asset in members.items()
            },
            "hostile",
        )
        found = bp.test(
            strategy_of(sets, fill),
            bp.Data.from_frames(frames),
            values,
            costs=costs,
            sizing=sizing,
            whole=whole,
            check=False,
        )
        known = {
            asset: known_account(
                frame,
                [(sets[asset, which], share) for which, share in members[asset]],
                costs[asset],
                fill,
                sizing,
                5_000.0,
                whole=whole,
            )
            for asset, frame in frames.items()
        }
        if any(one.is_near for one in known.values()):
            continue
        n_compared += 1
        for asset, one in known.items():
            check_component(found.components[asset], one)
    assert n_compared >= 10
