# SPDX-License-Identifier: BSD-3-Clause
"""Generated prices, signals and rules: gaps, coarse ticks, missing bars, every mode."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from portfolio_twin import Twin

from broadpeak._simulation._kernels.layout import Groups
from broadpeak._simulation.costs import Costs
from broadpeak._simulation.fills import Fills
from broadpeak._simulation.rules import Prices, Rules, SharedRows
from broadpeak._simulation.simulation import Simulation
from broadpeak._simulation.stops import EXIT_REASONS, STOPS

SETTINGS = ("size", *(kind.name for kind in STOPS), "fees", "fixed_fees", "slippage")
IN_TWIN = {"take_profit": "target", "lifetime": "life", "fixed_fees": "fixed", "slippage": "slip"}


@dataclass
class Case:
    """One generated account: prices and signals as columns × bars, and rules."""

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    signals: list[np.ndarray]
    rules: Rules
    days: np.ndarray

    def fills(self) -> Fills:
        n = len(self.close)
        one = np.zeros(n, int)
        groups = Groups.single(1) if n == 1 else Groups.of_codes(one, 1, shared=True)
        return Simulation(
            Prices(self.open, self.high, self.low, self.close, self.days),
            np.arange(n),
            [SharedRows(np.ascontiguousarray(array).view(np.uint8)) for array in self.signals],
            self.rules,
            groups,
        ).fills()

    def twin(self) -> Twin:
        settings = dict(zip(SETTINGS, self.rules.settings(), strict=True))
        costs = self.rules.costs
        rules = self.rules
        lot = costs.lot_amount
        looked_up = {}
        for name, value in settings.items():
            looked_up[IN_TWIN.get(name, name)] = _lookup(value, lot if name == "size" else 1.0)
        return Twin(
            [
                {key: getattr(self, key)[j].tolist() for key in ("open", "high", "low", "close")}
                for j in range(len(self.close))
            ],
            [[lane[j] for lane in self.signals] for j in range(len(self.close))],
            looked_up,
            price=rules.price, size_type=rules.size_type, unit=rules.stop_unit,
            accumulate=rules.accumulate, limited=rules.limited, cash=float(rules.init_cash),
            unit_cost=costs.spread + costs.commission, roll=(costs.roll_long, costs.roll_short),
            days=self.days.tolist(),
        ).run()  # fmt: skip


def _lookup(value, scale):
    if value is None:
        return None
    if isinstance(value, (int, float)):
        return lambda _j, _t: float(value) * scale
    rows = value.values if isinstance(value, SharedRows) else np.atleast_2d(value)
    wide, deep = rows.shape[1] > 1, rows.shape[0] > 1
    return lambda j, t: float(rows[j if deep else 0, t if wide else 0]) * scale


def make_case(seed: int, *, columns: int = 1) -> Case:
    """Return the case of a seed."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([1, 2, 3, 5, 20, 40, 70]))
    shape = (columns, n)
    step = rng.choice([0.005, 0.02, 0.08])
    close = 50.0 * np.exp(np.cumsum(rng.normal(0, step, shape), axis=1))
    open_ = close * np.exp(rng.normal(0, step * rng.choice([0.0, 0.3, 1.5]), shape))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, step * 0.5, shape)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, step * 0.5, shape)))
    if rng.random() < 0.4:  # coarse ticks: prices that meet levels exactly
        open_, high, low, close = (np.maximum(np.round(x), 1.0) for x in (open_, high, low, close))
    if rng.random() < 0.2:  # missing values: inside bars, and whole bars without trading
        for lane in (open_, high, low):
            lane[rng.random(shape) < 0.2] = np.nan
        close[rng.random(shape) < 0.15] = np.nan
    dense = rng.choice([0.02, 0.1, 0.4])
    signals = [rng.random(shape) < dense for _ in range(4)]
    for k in range(4):
        if rng.random() < 0.3:
            signals[k][:] = False
    signals[0][:, 0] |= rng.random() < 0.5
    signals[2][:, -1] |= rng.random() < 0.5
    flat = (rng.random(shape) < 0.05) & (rng.random() < 0.15)
    rules = make_rules(rng, shape, close)
    return Case(open_, high, low, close, [*signals, flat], rules, np.cumsum(rng.integers(1, 4, n)))


def make_rules(rng: np.random.Generator, shape: tuple[int, int], close: np.ndarray) -> Rules:
    """Return random rules: plain numbers, arrays, or nothing for each setting."""
    columns, n = shape

    def maybe(p, low, high, *, nan=0.0):
        if rng.random() >= p:
            return None
        if rng.random() < 0.5:
            return float(rng.uniform(low, high))
        values = rng.uniform(low, high, (columns, n if rng.random() < 0.6 else 1))
        values[rng.random(values.shape) < nan] = np.nan
        return SharedRows(values)

    limited = rng.random() < 0.75
    size_type = rng.choice(
        ["amount", "amount", "value", "percent"] if limited else ["amount", "value"]
    )
    tops = {"amount": 3.0, "value": 150.0, "percent": 1.0}
    size = maybe(0.7, 1e-3, tops[size_type], nan=0.05)
    if size is None:
        size = (math.inf if size_type != "percent" else 1.0) if limited else 1.0
    if rng.random() < 0.05:
        size = 0.0 if size_type != "percent" else 0.5
    by_price = rng.random() < 0.3
    reach = 0.15 * (50.0 if by_price else 1.0)
    names = [kind.name for kind in STOPS if kind.unit == "distance"]
    stops = {name: maybe(0.4, reach * 0.02, reach, nan=0.1) for name in names}
    if rng.random() < 0.3:  # round figures meet coarse ticks exactly
        exact = 2.0 if by_price else 0.05
        stops = {name: None if stop is None else exact for name, stop in stops.items()}
    if rng.random() < 0.3:
        stops["lifetime"] = float(rng.integers(0, 6))
    costs = Costs()
    if not limited:
        costs = Costs(
            spread=0.02, commission=0.01, roll_long=0.003, roll_short=-0.001, lot_amount=2.0
        )
        costs = costs if rng.random() < 0.7 else replace(costs, roll_long=0, roll_short=0)
    return Rules(
        price=str(rng.choice(["close", "nextopen"])),
        size=size, size_type=str(size_type),
        stops=stops, stop_unit="price" if by_price else "fraction",
        fees=maybe(0.5, 0.0, 0.01),
        fixed_fees=maybe(0.3, 0.0, float(rng.choice([1.0, 1.0, 30.0]))) or 0.0,
        slippage=maybe(0.4, 0.0, 0.01), accumulate=bool(rng.random() < 0.25), limited=limited,
        init_cash=100.0, costs=costs,
    )  # fmt: skip


def trades_of(fills: Fills) -> list[dict]:
    """Return trade records as dicts, exit reasons as words."""
    rows = []
    for record in fills.trades:
        row = {name: record[name].item() for name in fills.trades.dtype.names}
        row["exit_reason"] = EXIT_REASONS[row["exit_reason"]]
        rows.append(row)
    return rows
