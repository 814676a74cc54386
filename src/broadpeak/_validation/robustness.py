# SPDX-License-Identifier: BSD-3-Clause
"""What is left of a choice when something about it is a little different.

Every figure is a net annual Sharpe ratio: of a training on the bars it was trained on, of a
walk-forward on its tests, each cycle with its own values. Trades are as large, and returns are
shares of the same, as in the account that the verdict judges: see `curves`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import rng
from broadpeak._search.searchspace import DEFAULT_PERCENT, N_EVEN_STEPS, Dimension
from broadpeak._simulation.costs import Costs, is_free, scaled
from broadpeak._simulation.rules import NO_COSTS
from broadpeak._training.accounts import n_components, planned_test, simulated_tests
from broadpeak._training.components import (
    COLUMNS,
    Bars,
    BarWindow,
    MarketBars,
    bars_of,
    per_asset,
    windows_of,
)
from broadpeak._training.evaluation import OWN_MISTAKES
from broadpeak._training.fits import FittedModels
from broadpeak._training.ordering import strategy_orders
from broadpeak._training.result import Training
from broadpeak._training.sizing import Sizing
from broadpeak._training.stitching import PlaceOrders, Turn, stitched_orders
from broadpeak._training.strategy import Strategy
from broadpeak._training.values import TrainedValues, WeightedValues
from broadpeak._validation.curves import curve_of_tests, per_year, sizing_of, t_statistic
from broadpeak._validation.verdict import DOUBTFUL, FAIL, PASS, UNTESTED
from broadpeak._validation.walked import WalkForward
from broadpeak.errors import ParamError, TaskError
from broadpeak.types import FloatArray

NOISE = 0.1  # of a bar's typical range: a data vendor away, not another market
N_NOISES = 10

Values: TypeAlias = Mapping[str, Sequence[WeightedValues]]
"""What is traded: {component: members}, of which there is one without an ensemble."""


class RobustnessTest(NamedTuple):
    """One line of the verdict about how much of a choice is left.

    Attributes
    ----------
    test : str
        What was changed.
    figure : float
        Net annual Sharpe ratio that is left; NaN where nothing was measured.
    threshold : float
        What `figure` must reach to pass.
    status : "pass", "doubtful", "fail" or "-" (not tested)
    meaning : str
        One sentence for a trader.
    """

    test: str
    figure: float
    threshold: float
    status: str
    meaning: str


def robustness_tests(result: Training | WalkForward, *, seed: int = 0) -> list[RobustnessTest]:
    """Return five tests of what was chosen: noise, delay, costs, neighbours, halves.

    At or below break-even a test fails. It passes if more is left than zero skill reaches in this
    many years by chance alone in one case of six, a standard error of an annual Sharpe ratio,
    1/√years; between the two it is doubtful. The figure before the change is no yardstick: it is
    the best of many, so a share of it can be luck too.

    Parameters
    ----------
    result : Training or WalkForward
    seed : int, default 0
        Of the noise.
    """
    again = _Rerun.of(result)
    orders = again.orders()
    plain = again.trade(orders)
    base = plain.sharpe
    if not plain.n_trades:
        meaning = "There is no trade to test."
        return [RobustnessTest(name, math.nan, 0.0, UNTESTED, meaning) for name in TESTS]
    least = 1 / math.sqrt(plain.years)
    found = [
        _noise(again, least, base, seed),
        _delay(again, orders, least, base),
        _costs(again, orders, plain, least),
        _neighbours(again, result, least),
        _halves(plain),
    ]
    return [RobustnessTest(name, *row) for name, row in zip(TESTS, found, strict=True)]


TESTS = (
    "prices with noise",
    "one bar later",
    "twice the costs",
    "parameters a step away",
    "each half of the history",
)
"""Names of the tests, in order."""

_Row: TypeAlias = tuple[float, float, str, str]
"""Figure, threshold, status and meaning."""


def _status(figures: Sequence[float], least: float) -> str:
    """Return how trials of one change stand: none may lose, and their median decides."""
    middle = float(np.median(figures))
    if middle <= 0:
        return FAIL
    return PASS if middle >= least and min(figures) > 0 else DOUBTFUL


def _noise(again: _Rerun, least: float, base: float, seed: int) -> _Row:
    def shaken(number: int) -> float:
        views = {
            symbol: _shaken(bars, rng.generator(seed, number, place))
            for place, (symbol, bars) in enumerate(again.views.items())
        }
        market = again.market.changed(lambda whole: whole.followed_by(views[whole.asset]))
        views = {symbol: bars.within(market) for symbol, bars in views.items()}
        return again.trade(again.orders(views=views)).sharpe

    try:
        figures = [shaken(number) for number in range(N_NOISES)]
    except _FAULTS as error:
        return math.nan, least, FAIL, f"The strategy does not run on such prices: {_short(error)}"
    middle = float(np.median(figures))
    meaning = (
        f"Deciding on prices with noise of a tenth of a bar's range gives a Sharpe ratio from "
        f"{min(figures):.2f} to {max(figures):.2f} in {N_NOISES} versions; without it {base:.2f}."
    )
    return middle, least, _status(figures, least), meaning


def _delay(again: _Rerun, orders: _Orders, least: float, base: float) -> _Row:
    figure = again.trade(orders, is_late=True).sharpe
    meaning = (
        f"With every order one bar later the Sharpe ratio is {figure:.2f}; in time {base:.2f}."
    )
    if figure <= 0 < base:
        meaning += " All profit is made within one bar of the signal, if it can be had at all."
    return figure, least, _status([figure], least), meaning


def _costs(again: _Rerun, orders: _Orders, plain: _Traded, least: float) -> _Row:
    free = [asset for asset, costs in again.costs.items() if is_free(costs)]
    if len(free) == len(again.costs):
        fee = float(plain.returns.sum()) / plain.turnover
        meaning = "No costs were given, so what they leave is not known."
        if fee > 0:
            meaning += f" Fees of {100 * fee:.2f} % a fill would take all of the profit."
        return math.nan, least, DOUBTFUL, meaning
    twice = {asset: scaled(costs, 2.0) for asset, costs in again.costs.items()}
    figure = again.trade(orders, costs=twice).sharpe
    status = _status([figure], least)
    meaning = f"With twice the costs the Sharpe ratio is {figure:.2f}; as given {plain.sharpe:.2f}."
    if free:
        names = ", ".join(free[:3]) + (", …" if len(free) > 3 else "")
        meaning += f" No costs were given for {names}."
        status = DOUBTFUL if status == PASS else status
    return figure, least, status, meaning


def _neighbours(again: _Rerun, result: Training | WalkForward, least: float) -> _Row:
    trainings = [result] if isinstance(result, Training) else list(result.trainings)
    trainings = trainings[: len(again.values)]  # the last cycle has no test
    try:
        figures = [
            again.trade(again.orders(values=values)).sharpe
            for values in _a_step_away(trainings, again.values)
        ]
    except _FAULTS as error:
        if any(map(len, again.models)):  # of a walk: fitted for the values of its cycles alone
            meaning = "Not tested: the models of s.fit were fitted with the chosen values."
            return math.nan, least, UNTESTED, meaning
        return math.nan, least, FAIL, f"The strategy does not run there: {_short(error)}"
    if not figures:
        return math.nan, least, UNTESTED, "There is no parameter with a step next to its value."
    above = sum(figure > 0 for figure in figures)
    middle = float(np.median(figures))
    meaning = (
        f"{above} of {len(figures)} direct neighbours of the chosen values stay above break-even; "
        f"their median Sharpe ratio is {middle:.2f}."
    )
    return middle, least, _status(figures, least), meaning


def _halves(plain: _Traded) -> _Row:
    middle = len(plain.returns) // 2
    parts = [plain.part(slice(middle)), plain.part(slice(middle, None))]
    figures = [part.sharpe for part in parts]
    worse = min(figures)
    # A true edge has a bad half now and then; one beyond a standard error is no longer that.
    error = 1 / math.sqrt(parts[int(figures[1] < figures[0])].years)
    status = PASS if worse > 0 else DOUBTFUL if worse > -error else FAIL
    meaning = f"Sharpe ratio of the first half {figures[0]:.2f}, of the second {figures[1]:.2f}."
    return worse, 0.0, status, meaning


# ------------------------------------------------------------------ a result, traded again


class _Traded(NamedTuple):
    """What one rerun made: its returns over all components, and sums of its trades."""

    returns: FloatArray
    n_trades: int
    turnover: float
    per_year: float

    @property
    def sharpe(self) -> float:
        """Annual Sharpe ratio; 0 where returns do not differ."""
        return t_statistic(self.returns) / math.sqrt(self.years)

    @property
    def years(self) -> float:
        """Length of the evaluated period."""
        return max(len(self.returns), 1) / self.per_year

    def part(self, bars: slice) -> _Traded:
        """Return some of the bars."""
        return self._replace(returns=self.returns[bars])


_Orders: TypeAlias = list[PlaceOrders]


class _Rerun(NamedTuple):
    """A training or the tests of a walk-forward, ready to be traded in another way.

    Attributes
    ----------
    strategy : Strategy
    views : dict of str to Bars
        Prices that the strategy sees, look-back included.
    costs : dict of str to Costs
    values : tuple of dict
        Parameters of each segment.
    segments : tuple of dict of str to BarWindow
        Bars on which each of them rules, by asset.
    models : tuple of FittedModels
        What `s.fit` returns in each segment.
    sizing : Sizing
        How large trades are.
    horizon, border
        Bars without entries at the start of a segment; what becomes of positions at its end.
    """

    strategy: Strategy
    views: dict[str, Bars]
    costs: dict[str, Costs]
    values: tuple[Values, ...]
    segments: tuple[dict[str, BarWindow], ...]
    models: tuple[FittedModels, ...]
    sizing: Sizing
    horizon: int = 0
    border: str = "carry"

    @classmethod
    def of(cls, result: Training | WalkForward) -> _Rerun:
        """Return what `result` traded."""
        strategy = result.strategy
        bars = bars_of(result.data)
        costs = per_asset("costs", result.settings.get("costs"), bars, NO_COSTS, Costs)
        if isinstance(result, Training):
            spans = {asset: _between(own, *result.period) for asset, own in bars.items()}
            segment = {}
            for found in result.components.values():
                own = bars[found.asset]
                first, end = _position(own, found.first), _position(own, found.last) + 1
                spans[found.asset] = BarWindow(first - strategy.lookback, end)
                segment[found.asset] = BarWindow(strategy.lookback, end - first + strategy.lookback)
            # What is seen is what was trained on, so that models can be fitted here as there.
            models = (FittedModels(),)
            views = windows_of(bars, spans)
            sizing = sizing_of(result.settings)
            return cls(strategy, views, costs, (_members(result),), (segment,), models, sizing)
        rows = result.table[result.table["test_start"].notna()]
        values, segments, fitted = [], [], []
        for number, training in enumerate(result.trainings, 1):
            if number not in rows.index.get_level_values(0):
                continue  # the last cycle only trains
            cycle = rows.loc[[number]]
            segment = {}
            for key, first, last in zip(
                training.components, cycle["test_start"], cycle["test_end"], strict=True
            ):
                asset = training.components[key].asset
                own = bars[asset]
                segment[asset] = BarWindow(_position(own, first), _position(own, last) + 1)
            values.append(_members(training))
            fitted.append(training.models)
            segments.append(segment)
        last = rows["test_end"].iloc[-1]
        spans = {asset: _between(own, own.index[0], last) for asset, own in bars.items()}
        spans |= {asset: BarWindow(0, one.last) for asset, one in segments[-1].items()}
        views = windows_of(bars, spans)
        return cls(
            strategy,
            views,
            costs,
            tuple(values),
            tuple(segments),
            tuple(fitted),
            sizing_of(result.portfolio.facts),
            result.settings["horizon"],
            result.settings["border"],
        )

    @property
    def market(self) -> MarketBars:
        """The bars of all symbols that the strategy can ask for."""
        return next(iter(self.views.values())).market  # type: ignore[return-value]  # all have it

    def orders(
        self, *, views: Mapping[str, Bars] | None = None, values: Sequence[Values] | None = None
    ) -> _Orders:
        """Return what the strategy orders if it sees `views`, or has other `values`."""
        seen = self.views if views is None else views
        values = self.values if values is None else values
        turns = []
        for sets, own, models, segments in zip(
            values, self.values, self.models, self.segments, strict=True
        ):
            ordered = strategy_orders(self.strategy, seen, _source(sets, models), mode="test")
            # Whoever has a place keeps it, whatever the change.
            points = {key: [tuple(one.values()) for one, _ in sets] for key, sets in own.items()}
            turns.append(Turn(ordered, points, segments))
        stitched = stitched_orders(
            turns, self.horizon, self.border, unit_lots=self.sizing.unit_lots
        )
        # What was seen decides; real prices are traded.
        return [
            place._replace(ordered=place.ordered._replace(bars=self.views[component.asset]))
            for component, places in stitched.items()
            for place in places
        ]

    def trade(
        self, orders: _Orders, *, is_late: bool = False, costs: Mapping[str, Costs] | None = None
    ) -> _Traded:
        """Trade the orders, one bar later or at other costs."""
        table = self.costs if costs is None else costs
        budget = self.sizing.budget(n_components(place.ordered for place in orders))
        plans = []
        for place in orders:
            asset = place.ordered.component.asset
            plans.append(
                planned_test(
                    place.ordered,
                    place.orders.delayed(place.flatten) if is_late else place.orders,
                    self.segments[0][asset].first,
                    self.strategy.fill,
                    table[asset],
                    flatten=place.flatten,
                    weights=_late(place.weights) if is_late else place.weights,
                    budget=budget,
                )
            )
        curve, turnover = curve_of_tests(simulated_tests(plans))
        n_trades = 0 if curve.n_trades is None else curve.n_trades
        return _Traded(curve.returns, n_trades, turnover, per_year(curve.index))


def _members(training: Training) -> Values:
    """Return what a training trades."""
    return {
        key: [(member.params, member.weight) for member in found.members] or [(found.params, 1.0)]
        for key, found in training.components.items()
    }


def _source(sets: Values, models: FittedModels) -> TrainedValues:
    """Return where the strategy gets these values from."""
    return TrainedValues(
        {key: members[0][0] for key, members in sets.items()},
        named=True,
        source="The training",
        error=ParamError,
        sets=sets if max(map(len, sets.values())) > 1 else None,
        models=models,
    )


def _late(weights: float | FloatArray) -> float | FloatArray:
    """Return the weights that orders were given with, where they come to stand one bar later."""
    if not isinstance(weights, np.ndarray):
        return weights
    return np.concatenate([weights[:1], weights[:-1]])


def _between(bars: Bars, first: object, last: object) -> BarWindow:
    """Return the bars from label `first` to label `last`, for symbols that no component trades."""
    cut = bars.index.slice_indexer(first, last)
    return BarWindow(cut.start, cut.stop)


def _position(bars: Bars, label: object) -> int:
    return int(bars.index.get_indexer(pd.Index([label], dtype=bars.index.dtype))[0])


# ------------------------------------------------------------------ what is different


def _shaken(bars: Bars, generator: np.random.Generator) -> Bars:
    """Return bars whose prices are each a little off, and still in order within their bar."""
    before = np.concatenate([bars.open[:1], bars.close[:-1]])
    ranges = np.log(np.maximum(bars.high, before) / np.minimum(bars.low, before))
    deviation = NOISE * float(np.median(ranges))
    factors = np.exp(deviation * generator.standard_normal((4, len(bars))))
    prices = dict(zip(COLUMNS[:4], factors, strict=True))
    moved = {name: getattr(bars, name) * factor for name, factor in prices.items()}
    if np.array_equal(bars.open, bars.close):  # prices that are closes only
        moved = dict.fromkeys(moved, moved["close"])
    four = tuple(moved.values())
    moved["high"], moved["low"] = np.maximum.reduce(four), np.minimum.reduce(four)
    return bars.with_prices(moved)


def _a_step_away(trainings: Sequence[Training], values: Sequence[Values]) -> list[list[Values]]:
    """Return the values of all segments with one parameter a step lower, or a step higher."""
    names = dict.fromkeys(
        dim.name
        for training in trainings
        for found in training.components.values()
        for dim in found.dimensions
    )
    found = []
    for name in names:
        for direction in (-1, 1):
            moved = [
                _moved(training, params, name, direction)
                for training, params in zip(trainings, values, strict=True)
            ]
            if moved != [*values]:
                found.append(moved)
    return found


def _moved(training: Training, values: Values, name: str, direction: int) -> Values:
    """Return `values` with parameter `name` of every component a step away, where there is one.

    Of an ensemble that of every member.
    """
    moved = {key: [(dict(one), weight) for one, weight in sets] for key, sets in values.items()}
    for key, found in training.components.items():
        for dim in found.dimensions:
            if dim.name == name and dim.searched:
                is_ascent = bool(found.curves)
                for one, _ in moved[key]:
                    one[name] = _neighbour(dim, one[name], direction, is_ascent=is_ascent)
    return moved


def _neighbour(dim: Dimension, value: float, direction: int, *, is_ascent: bool) -> float:
    """Return the value a step below or above, or `value` itself where the range ends."""
    if dim.step > 0:
        away = value + direction * dim.step
    elif is_ascent:
        percent = -dim.step or DEFAULT_PERCENT
        away = value * (1 + percent / 100) ** direction
    else:
        away = value + direction * (dim.max - dim.min) / (N_EVEN_STEPS - 1)
    cut = min(max(away, dim.min), dim.max)
    # What is left of a step at the end of the range is a neighbour if it is half a step at least.
    if abs(cut - value) < 0.5 * abs(away - value):
        return value
    return dim.rounded(cut)


_FAULTS = (*OWN_MISTAKES, TaskError)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:199]}…"
