# SPDX-License-Identifier: BSD-3-Clause
"""Returns that count every year alike: of what was chosen, of what was tried, of holding on.

Of strategies that trade lots, the years with high prices decide in money. Here the profit of a bar
is a share of what one position cost at the close before; components weigh the same. Those that
trade with money have such returns already.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from broadpeak._data.data import Data
from broadpeak._metrics.calendar import bars_per_year
from broadpeak._metrics.formulas import is_zero
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._simulation.costs import Costs
from broadpeak._simulation.rules import NO_COSTS
from broadpeak._training.accounts import ComponentTest, n_components, planned_test, simulated_tests
from broadpeak._training.components import (
    Bars,
    BarWindow,
    Component,
    bars_of,
    per_asset,
    windows_in,
    windows_of,
)
from broadpeak._training.fits import FittedModels
from broadpeak._training.ordering import strategy_orders
from broadpeak._training.result import Training
from broadpeak._training.sizing import OF_MONEY, OF_TRADES, Sizing
from broadpeak._training.strategy import Strategy
from broadpeak._training.test import test
from broadpeak._training.train import offset_cuts
from broadpeak._training.trained import values_for
from broadpeak._validation.walked import WalkForward
from broadpeak.types import FloatArray

DAYS = 252.0  # bars a year of prices without dates
MOST_TRIALS = 500
"""Trials whose curves are drawn up again; of more, every second, third, … is left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Returns of one account, bar by bar.

    Attributes
    ----------
    index : Index
    returns : float64 array, shape (bars,)
    n_trades : int or None
        None where trades are not known.
    """

    index: pd.Index[Any]
    returns: FloatArray
    n_trades: int | None

    def frame(self) -> pd.DataFrame:
        """Return it as one column."""
        return pd.DataFrame({"chosen": self.returns}, index=self.index)


def t_statistic(returns: FloatArray) -> float:
    """Return the mean in units of its error; 0 where returns do not vary.

    Examples
    --------
    >>> round(t_statistic(np.array([0.01, 0.03, 0.02])), 6), t_statistic(np.zeros(3))
    (3.464102, 0.0)
    """
    n_bars = len(returns)
    if n_bars < 2:
        return 0.0
    mean, spread = float(returns.mean()), float(returns.std(ddof=1))
    return 0.0 if is_zero(spread, mean) else mean / spread * math.sqrt(n_bars)


def per_year(index: pd.Index[Any] | None) -> float:
    """Return the bars a year; 252 without dates."""
    known = bars_per_year(index)
    return DAYS if math.isnan(known) else known


def account_curve(account: Portfolio, bars: Mapping[str, Bars], assets: Mapping[str, str]) -> Curve:
    """Return the mean of the components' returns, each on its own bars.

    `bars` are all bars of every asset, `assets` the asset of every component.
    """
    parts, n_trades = [], 0
    for key, component in account.components.items():
        value, trades = component.value, component.trades
        if component.facts["sizing"] in OF_MONEY:
            # What is worth nothing has no return.
            changes = component.returns.to_numpy(dtype=np.float64, na_value=0.0).reshape(-1)
            parts.append((value.index, changes))
            n_trades += _at_full_size(_by_member(trades, trades["size"] * trades["entry_price"]))
            continue
        own = bars[assets[key]]
        places = own.index.get_indexer(value.index)
        before = own.close[np.maximum(places - 1, 0)]
        equity = value.to_numpy(dtype=np.float64).reshape(len(value), -1)
        first = component.returns.to_numpy(dtype=np.float64).reshape(len(value), -1)[0]
        # A return is a share of the capital, also the first one.
        change = np.diff(equity, axis=0, prepend=(equity[0] / (1.0 + first))[np.newaxis])
        sizes = _by_member(trades, trades["size"])
        n_trades += _at_full_size(sizes)
        parts.append((value.index, change.sum(axis=1) / (before * _usual_size(sizes))))
    return Curve(*_mean(parts), n_trades)


def usual_sizes(trades: pd.DataFrame) -> pd.Series[float]:
    """Return the mean size of the trades; of an ensemble that of each member, by its number."""
    sizes = trades["size"].abs()
    if "member" in trades:
        means: pd.Series[float] = sizes.groupby(trades["member"]).mean()
        return means
    return pd.Series([sizes.mean()])


def _by_member(trades: pd.DataFrame, values: pd.Series[float]) -> list[FloatArray]:
    """Return the sizes of `values` of trades, those of each member of an ensemble alone."""
    if "member" not in trades:
        return [np.array(values.abs(), dtype=np.float64)]
    return [np.array(part, dtype=np.float64) for _, part in values.abs().groupby(trades["member"])]


def _usual_size(sizes: Sequence[FloatArray]) -> float:
    """Return the size of a usual position; of an ensemble that of all of its members together."""
    return sum(float(one.mean()) for one in sizes if len(one)) or 1.0


def _at_full_size(sizes: Sequence[FloatArray]) -> int:
    """Return the number of trades; of an ensemble at full size, of which each is a share."""
    if len(sizes) < 2:
        return sum(map(len, sizes))
    return round(sum(float(one.sum()) for one in sizes) / _usual_size(sizes))


# ------------------------------------------------------------------ the same of tests


class EarnedCurve(NamedTuple):
    """What tests earned that nobody made a portfolio of.

    Attributes
    ----------
    curve : Curve
        As `account_curve` has it.
    turnover : float
        What all fills were worth, in the unit of returns: the mean over components.
    """

    curve: Curve
    turnover: float


def curve_of_tests(tests: Sequence[ComponentTest]) -> EarnedCurve:
    """Return what `account_curve` says of the portfolio of these tests, without making it."""
    sets: dict[Component, list[ComponentTest]] = {}
    for one in tests:
        sets.setdefault(one.component, []).append(one)
    parts, turnover, n_trades = [], 0.0, 0
    for members in sets.values():
        records = [one.simulated.trades for one in members]
        sizes = [np.abs(trades["size"]) for trades in records]
        equity = np.sum([one.simulated.equity for one in members], axis=0)
        stakes = _stakes(members[0], equity, sizes)
        parts.append((members[0].bars.index, np.diff(equity, prepend=0.0) / stakes))
        entered = [
            size * trades["entry_price"] for trades, size in zip(records, sizes, strict=True)
        ]
        n_trades += _at_full_size(sizes if members[0].account.budget is None else entered)
        for trades, size, money in zip(records, sizes, entered, strict=True):
            left = (size * trades["exit_price"] / stakes[trades["exit_index"]])[
                trades["status"] == 1
            ]
            earlier = money / stakes[trades["entry_index"]]
            turnover += float(earlier.sum() + left.sum()) / len(sets)
    return EarnedCurve(Curve(*_mean(parts), n_trades), turnover)


def _stakes(first: ComponentTest, equity: FloatArray, sizes: Sequence[FloatArray]) -> FloatArray:
    """Return what the returns of a component are shares of, bar by bar."""
    account = first.account
    if account.budget is None:
        close = first.bars.close
        return np.concatenate([close[:1], close[:-1]]) * _usual_size(sizes)
    before = account.capital + np.concatenate([[0.0], equity[:-1]])
    stakes = before if account.compounds else np.full(len(before), account.capital)
    return np.where(before > 0.0, stakes, np.inf)  # what is worth nothing has no return


def _mean(parts: Sequence[tuple[pd.Index[Any], FloatArray]]) -> tuple[pd.Index[Any], FloatArray]:
    """Return the mean of several curves on the union of their bars, 0 where one has none."""
    index = parts[0][0]
    for other, _ in parts[1:]:
        if not other.equals(index):
            index = index.union(other)
    total = np.zeros(len(index))
    for own, values in parts:
        total[slice(None) if own.equals(index) else index.get_indexer(own)] += values / len(parts)
    return index, total


def chosen_curve(training: Training, data: Data) -> Curve:
    """Return what the chosen values earn on the bars that they were trained on."""
    data = traded_data(training, data)
    settings = training.settings
    account = _tested(training, data, settings["start"], settings["end"])
    return account_curve(account, bars_of(data), assets_of(training))


def unseen_curve(training: Training, data: Data) -> tuple[Portfolio, Curve] | None:
    """Return what the chosen values earn after the training; None with fewer than two bars."""
    data = traded_data(training, data)
    after = data.index[data.index > training.period[1]]
    if len(after) < 2:
        return None
    account = _tested(training, data, after[0], None)
    return account, account_curve(account, bars_of(data), assets_of(training))


def traded_data(result: Training | WalkForward, data: Data) -> Data:
    """Return the bars that are traded, where `data` is the finer one of `samples`."""
    samples = result.settings.get("samples")
    return data if samples is None else offset_cuts(data, samples)[0]


def _tested(training: Training, data: Data, start: Any, end: Any) -> Portfolio:
    settings = training.settings
    return test(
        training.strategy,
        data,
        training,
        start=start,
        end=end,
        costs=settings["costs"],
        **{name: settings[name] for name in OF_TRADES},
        check=False,
    )


def walked_curve(walked: WalkForward, data: Data) -> Curve:
    """Return what the tests of a walk-forward earn, one after the other."""
    bars = bars_of(traded_data(walked, data))
    return account_curve(walked.portfolio, bars, assets_of(walked.trainings[0]))


def assets_of(training: Training) -> dict[str, str]:
    """Return the asset of every component."""
    return {key: found.asset for key, found in training.components.items()}


def holding_curve(data: Data, assets: Sequence[str], first: object, last: object) -> Curve:
    """Return the mean return of holding `assets` from label `first` to label `last`."""
    parts = []
    bars = bars_of(data)
    for asset in dict.fromkeys(assets):
        own = bars[asset]
        cut = own.index.slice_indexer(first, last)
        close = own.close[cut]
        change = np.zeros(len(close))
        change[1:] = close[1:] / close[:-1] - 1.0
        parts.append((own.index[cut], change))
    return Curve(*_mean(parts), 0)


# ------------------------------------------------------------------ everything that was tried


class _Tried(NamedTuple):
    """Values that a training tried, with models for them: passed on like a training."""

    params: Mapping[str, Mapping[str, float]]
    models: FittedModels
    components: Mapping[str, object] = MappingProxyType({})


class _Shop(NamedTuple):
    """What all reruns of a training have in common."""

    strategy: Strategy
    views: dict[str, Bars]
    costs: dict[str, Costs]
    sizing: Sizing
    models: FittedModels

    def curves(self, values: Mapping[str, Mapping[str, float]]) -> dict[str, Curve]:
        """Return the curve of every component at these values."""
        source = values_for(self.strategy, _Tried(values, self.models))
        lookback = self.strategy.lookback
        found = {}
        runs = strategy_orders(self.strategy, self.views, source, mode="test")
        budget, unit_lots = self.sizing.budget(n_components(runs)), self.sizing.unit_lots
        for ordered in runs:
            orders = ordered.book.merged(lookback, len(ordered.bars), unit_lots=unit_lots)
            costs = self.costs[ordered.component.asset]
            plan = planned_test(ordered, orders, lookback, self.strategy.fill, costs, budget=budget)
            found[ordered.component.key] = curve_of_tests(simulated_tests([plan])).curve
        return found


def trial_curves(training: Training, data: Data, most: int = MOST_TRIALS) -> list[pd.DataFrame]:
    """Return the returns of every distinct combination that was tried: a frame a component.

    Bars × combinations, the bars that were trained on. Of more than `most` an even selection is
    taken, in the order in which they were tried, so that scores have no say in it. The chosen
    values are not among them unless they were tried.
    """
    strategy, settings = training.strategy, training.settings
    bars = bars_of(traded_data(training, data))
    costs = per_asset("costs", settings["costs"], bars, NO_COSTS, Costs)
    lookback = strategy.lookback
    spans = {
        symbol: BarWindow(where.first - lookback, where.last)
        for symbol, where in windows_in(bars, lookback, settings["start"], settings["end"]).items()
    }
    views = windows_of(bars, spans)
    # The bars are those of the training, so that models are fitted as they were in the search.
    shop = _Shop(strategy, views, costs, sizing_of(settings), FittedModels())
    common = {name for found in training.components.values() for name in found.common}
    tried = {key: _tried(training, key, most) for key in training.components}
    curves: dict[str, list[FloatArray]] = {key: [] for key in tried}
    index: dict[str, pd.Index[Any]] = {}
    if common:
        # A value outside of the loop is one for all: a component is tried beside the chosen rest.
        for key, combos in tried.items():
            for values in combos:
                shared = {name: value for name, value in values.items() if name in common}
                whole = {other: {**one, **shared} for other, one in training.params.items()}
                found = shop.curves({**whole, key: values})[key]
                curves[key].append(found.returns)
                index[key] = found.index
    else:
        # Components do not meet, so that one call tries a combination of each.
        for number in range(max(map(len, tried.values()))):
            values_of = {
                key: combos[min(number, len(combos) - 1)] if combos else training.params[key]
                for key, combos in tried.items()
            }
            for key, found in shop.curves(values_of).items():
                index[key] = found.index
                if number < len(tried[key]):
                    curves[key].append(found.returns)
    return [
        pd.DataFrame(np.column_stack(columns), index=index[key])
        for key, columns in curves.items()
        if columns
    ]


def sizing_of(settings: Mapping[str, Any]) -> Sizing:
    """Return how large the trades of a training are."""
    return Sizing.of(settings["sizing"], capital=settings["capital"], whole=settings["whole"])


def _tried(training: Training, key: str, most: int) -> list[dict[str, float]]:
    """Return the distinct combinations of a component, in the order in which they were tried."""
    names = list(training.components[key].params)
    trials = training.trials
    points = trials.loc[trials["component"] == key, names].drop_duplicates()
    points = points[points.notna().all(axis=1)]
    if len(points) > most:
        places = np.unique(np.linspace(0, len(points) - 1, most).round().astype(np.int64))
        points = points.iloc[places]
    return [dict(zip(names, map(float, row), strict=True)) for row in points.to_numpy()]
