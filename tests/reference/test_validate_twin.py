# SPDX-License-Identifier: BSD-3-Clause
"""The gate of a verdict against a slow, obvious loop: permute, search, trade bar by bar, count."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._core import rng
from broadpeak._validation.curves import (
    chosen_curve,
    t_statistic,
    trial_curves,
)
from broadpeak._validation.permutation import _shuffled

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fewer than 20 trades per parameter"),
    pytest.mark.filterwarnings("ignore:.*no step with a usable objective"),
    pytest.mark.filterwarnings("ignore:.*stands alone"),
]
COSTS = bp.Costs(spread=0.02, commission=0.01, fees=0.0005, roll_long=0.001, slippage=0.0002)
SEED = 7


@bp.strategy(lookback=40)
def swing(s: Any) -> None:
    for _ in s.loop():
        days = s.optimize(10, 5, 25, 5, name="days")
        s.stop = bp.atr(s.high, s.low, s.close, 10) * s.optimize(2, 1, 4, 1, name="stop")
        s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
        s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))


@pytest.fixture(scope="module")
def data() -> bp.Data:
    return bp.Data.sample(["IBM", "MSFT"])["2003":"2005"]


def twin_returns(account: Any, data: bp.Data, first: Any) -> list[float]:
    """Return the mean return of the components, bar by bar, from nothing but trades and prices."""
    total = [0.0] * len(data.index)
    for key, component in account.components.items():
        prices = data.select(key)
        close = prices.close.to_numpy()
        trades = component.trades
        size = trades["size"].abs().mean() if len(trades) else 1.0
        pnl = component.value.reindex(data.index).ffill().to_numpy()
        start = int(data.index.get_loc(first))
        for bar in range(start + 1, len(close)):
            if not math.isnan(pnl[bar]):
                total[bar] += (pnl[bar] - pnl[bar - 1]) / (close[bar - 1] * size)
    return [one / len(account.components) for one in total[int(data.index.get_loc(first)) :]]


def twin_t(values: list[float]) -> float:
    spread = statistics.stdev(values)
    return statistics.mean(values) / spread * math.sqrt(len(values)) if spread else 0.0


def twin_permuted(data: bp.Data, number: int, border: int) -> bp.Data:
    """Return permutation `number`: moves and gaps in another order, on each side of the border."""
    stream = int(rng.generator(SEED, number).integers(2**63))
    generator = rng.generator(stream)
    n_bars = len(data.index)
    orders = []
    for _ in ("moves", "gaps"):
        order = list(range(n_bars))
        order[1:border] = generator.permutation(np.arange(1, border)).tolist()
        order[border:] = generator.permutation(np.arange(border, n_bars)).tolist()
        orders.append(order)
    moves, gaps = orders
    frames = {}
    for symbol in data.symbols:
        own = {
            name: getattr(data.select(symbol), name).to_numpy()
            for name in ("open", "high", "low", "close", "volume")
        }
        made = {name: [values[0]] for name, values in own.items()}
        for bar in range(1, n_bars):
            gap, move = gaps[bar], moves[bar]
            opened = made["close"][-1] * own["open"][gap] / own["close"][gap - 1]
            made["open"].append(opened)
            for name in ("high", "low", "close"):
                made[name].append(opened * own[name][move] / own["open"][move])
            made["volume"].append(own["volume"][move])
        frame = pd.DataFrame(made, index=data.index)
        frame["high"] = frame[["open", "high", "low", "close"]].max(axis=1)
        frame["low"] = frame[["open", "high", "low", "close"]].min(axis=1)
        frames[symbol] = frame
    return bp.Data.from_frames(frames)


def test_bars_of_both_sides_are_permuted_apart(data: bp.Data) -> None:
    border = 40
    for number in range(3):
        stream = int(rng.generator(SEED, number).integers(2**63))
        found = _shuffled(data, rng.generator(stream), border)
        known = twin_permuted(data, number, border)
        for name in ("open", "high", "low", "close"):
            assert np.allclose(getattr(found, name), getattr(known, name), rtol=1e-9, atol=0)
        assert found.volume.equals(known.volume)
        # So the drift of the evaluated bars is what it was.
        for bar in (0, border - 1, -1):
            assert np.allclose(found.close.iloc[bar], data.close.iloc[bar], rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "brute", "select": "peak", "objective": "sharpe", "costs": COSTS},
        {"method": "random", "n_evaluations": 5, "seed": 3, "recency": 1.5, "min_trades": 2},
        {"start": "2004-01-05", "end": "2005-06-30", "costs": COSTS, "passes": 2},
    ],
    ids=["plain", "brute", "random", "window"],
)
def test_the_p_value_of_a_training(data: bp.Data, options: dict[str, Any]) -> None:
    n = 14
    training = bp.train(swing, data, **options)
    verdict = bp.validate(training, n_permutations=n, seed=SEED, alpha=0.3)
    known = data[: options["end"]] if "end" in options else data
    first = min(found.first for found in training.components.values())
    border = int(known.index.get_loc(first))

    def result(prices: bp.Data) -> float:
        found = bp.train(swing, prices, **options)
        window = {name: options[name] for name in ("start", "end") if name in options}
        account = bp.test(
            swing, prices, found.params, costs=options.get("costs"), sizing="unit", **window
        )
        return twin_t(twin_returns(account, prices, first))

    observed = result(known)
    assert verdict.statistic == pytest.approx(observed, rel=1e-9)
    null, better = [], 0
    for number in range(n):
        null.append(result(twin_permuted(known, number, border)))
        better += null[-1] >= observed
        if better == 9:  # twice alpha of fifteen
            break
    assert verdict.null == pytest.approx(null, rel=1e-6, abs=1e-9)
    p_value = better / len(null) if better == 9 else (1 + better) / (1 + n)
    assert verdict.p_value == p_value
    assert verdict.n_bars == len(known.index) - border
    scale = math.sqrt((len(known.index) - border - 1) / years(known.index[border:]))
    assert verdict.sharpe == pytest.approx(observed / math.sqrt(verdict.n_bars) * scale)


def years(index: pd.DatetimeIndex) -> float:
    return (index[-1] - index[0]) / pd.Timedelta(days=365.25)


def test_the_p_value_of_a_walk(data: bp.Data) -> None:
    n = 9
    options = {"cycles": 4, "split": 0.7, "horizon": 2, "border": "close", "costs": COSTS}
    options |= {"sizing": "unit"}
    walked = bp.walk_forward(swing, data, **options)
    verdict = bp.validate(walked, n_permutations=n, seed=SEED, alpha=0.45)

    def result(prices: bp.Data) -> float:
        found = bp.walk_forward(swing, prices, **options)
        first = found.portfolio.value.index[0]
        values = twin_returns(found.portfolio, prices, first)
        return twin_t(values[: len(found.portfolio.value)])

    observed = result(data)
    assert verdict.statistic == pytest.approx(observed, rel=1e-9)
    null = [result(twin_permuted(data, number, 40)) for number in range(n)]
    assert verdict.null == pytest.approx(null, rel=1e-6, abs=1e-9)
    assert verdict.p_value == (1 + sum(one >= observed for one in null)) / (1 + n)


def test_every_trial_is_traded_again(data: bp.Data) -> None:
    """Curves of trials are those of single tests with their values."""
    training = bp.train(swing, data, costs=COSTS)
    for frame, (key, found) in zip(
        trial_curves(training, data), training.components.items(), strict=True
    ):
        rows = training.trials[training.trials["component"] == key]
        points = rows[list(found.params)].drop_duplicates()
        assert frame.shape == (found.n_bars, len(points))
        for column in (0, len(points) // 2, len(points) - 1):
            values = points.iloc[column].to_dict()
            account = bp.test(
                swing, data, {**training.params, key: values}, costs=COSTS, sizing="unit"
            )
            part = account.components[key]
            alone = part.value.diff().fillna(0.0).to_numpy()
            trades = part.trades
            size = trades["size"].abs().mean() if len(trades) else 1.0
            close = data.select(key).close.to_numpy()
            before = close[len(close) - found.n_bars - 1 : -1]
            assert frame[column].to_numpy() == pytest.approx(alone / before / size, abs=1e-12)
    thin = trial_curves(training, data, most=4)
    assert [frame.shape[1] for frame in thin] == [4, 4]


def test_every_year_counts_alike(data: bp.Data) -> None:
    """The same moves at a hundred times the price give the same figure."""
    training = bp.train(swing, data, objective="sharpe")
    plain = t_statistic(chosen_curve(training, data).returns)
    frames = {
        symbol: pd.DataFrame(
            {
                name: getattr(data.select(symbol), name) * 100
                for name in ("open", "high", "low", "close")
            }
        )
        for symbol in data.symbols
    }
    dear = bp.Data.from_frames(frames)
    assert t_statistic(
        chosen_curve(bp.train(swing, dear, objective="sharpe"), dear).returns
    ) == pytest.approx(plain)
