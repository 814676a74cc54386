# SPDX-License-Identifier: BSD-3-Clause
"""`test`: a strategy with parameters that are already known."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from broadpeak._core.check import flag
from broadpeak._data.data import Data
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._simulation.costs import Costs
from broadpeak._simulation.rules import NO_COSTS
from broadpeak._training.accounts import (
    PlannedTest,
    decided_sizing,
    n_components,
    planned_test,
    simulated_tests,
    state_facts,
    strategy_portfolio,
    traded_assets,
)
from broadpeak._training.components import (
    Bars,
    BarWindow,
    bars_of,
    per_asset,
    windows_in,
    windows_of,
)
from broadpeak._training.insample import bar_after, same_prices_as, sample_of, span_of
from broadpeak._training.mistakes import unprotected_note
from broadpeak._training.ordering import strategy_orders
from broadpeak._training.sizing import Sizing
from broadpeak._training.stitching import PlaceOrders, Turn, stitched_orders
from broadpeak._training.strategy import Strategy, StrategyFunction, as_strategy
from broadpeak._training.terms import Replay, RunTerms, terms_of
from broadpeak._training.trained import ParamsLike
from broadpeak.errors import DataError, broken_rule


def test(
    strategy: Strategy | StrategyFunction,
    data: Data,
    params: ParamsLike = None,
    *,
    start: Hashable = None,
    end: Hashable = None,
    costs: Costs | Mapping[str, Costs] | None = None,
    capital: float | None = None,
    sizing: str | None = None,
    whole: bool = False,
    check: bool = True,
) -> Portfolio:
    """Simulate a strategy with trained parameters, or with its defaults.

    Unlike in training, slippage counts, trades cost money instead of being one lot unless the
    strategy sets lots, and a position that is open at the end stays an open record.

    Parameters
    ----------
    strategy : Strategy or function
        What to run; it is called once, over all its components, and a few more times for `check`.
    data : Data
        Prices.
    params : Training, Parameters, path or dict, optional
        Trained values: a training, what `read_par` returns, the path of a parameter file, or
        ``{component: {name: value}}``. None: the defaults of the strategy. An ensemble of a
        training or a file is traded as a whole: each member with its weight. A walk-forward run, or
        the folder with all of its numbered files, is traded as in its tests: each bar with the
        values of the last training that ended before it, those after the last training with
        that one's.
    start, end : labels of the index, optional
        First and last tested bar, both included. Bars before `start` serve as look-back.
    costs : Costs or dict of asset to Costs, optional
        Default: those of `params`, where a training, a walk-forward run or a file with provenance
        knows them; else none.
    capital : float, optional
        Start of the equity, shared by the components. Default: 10,000; with "unit" and "script"
        price · lots · lot amount at the first tested bar, summed over components.
    sizing : "money", "equity", "script" or "unit", optional
        "money": each trade costs its component's share of `capital`, fees and spread inside.
        "equity": it costs all that the component is worth by then, so that profits compound.
        "script": the lots that the strategy sets. "unit": one lot. Default: that of `params`, with
        its `capital` and `whole`, where the tests of a walk-forward run had one or a training was
        not made at one lot; else "script" if the strategy sets lots, and "money" if not.
    whole : bool, default False
        With "money" and "equity": round lots down to whole ones.
    check : bool, default True
        Call the strategy on a few copies of the prices as well, to see that no order depends on
        later bars, nor on more bars before it than `lookback`.

    Returns
    -------
    Portfolio
        Equity of all components together: capital + profit and loss; returns are shares of
        `capital`, with sizing "equity" of the value before. ``.held`` is what holding the same
        symbols would have given, ``.facts`` says what was decided, and ``.components`` holds one
        portfolio a component, by key. Where a component trades an ensemble, columns are
        (component, member), and trades have a column ``member``.

    Raises
    ------
    ParamError, ParFileError, StrategyError, DataError
        If an argument, parameters, strategy or prices break a rule.
    TaskError
        If the strategy raises anything else.

    Notes
    -----
    A trade buys amount / (price of the fill · (1 + fees) + spread + commission) units. Cash never
    limits it: a component that has lost its money goes on with "money", as it does with lots, and
    ends with "equity".

    The members of an ensemble are separate positions on one account: the strategy runs once for
    each, for one component at a time as in training. A member trades its weight: that share of the
    lots, of the component's money, or of the component's equity when it enters. Profits, costs and
    equity are the sums. Nothing is netted: where one member is long and another short, both
    positions are held and both pay their costs.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=60)
    ... def momentum(s):
    ...     days = s.optimize(20, 10, 50, 5, name="days")
    ...     s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    ...     s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))
    >>> portfolio = bp.test(momentum, bp.Data.sample("IBM"), {"IBM": {"days": 30}})
    >>> list(portfolio.components)
    ['IBM']
    """
    plan = as_strategy(strategy)
    terms = terms_of(plan, params, costs=costs, sizing=sizing, capital=capital, whole=whole)
    notes: list[str] | None = [] if flag("check", check) else None
    run = planned_run(plan, data, terms, (start, end), mode="test", notes=notes)
    for note in (*(notes or ()), *run.notes()):
        warnings.warn(note, stacklevel=2)
    return run.portfolio(data)


# A test runner that imports this name must not take it for a test of its own.
test.__test__ = False  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, eq=False)
class PlannedRun:
    """One run of a strategy, before its orders are simulated.

    Attributes
    ----------
    strategy : Strategy
    terms : RunTerms
    sizing : Sizing
        What was decided on.
    plans : list of PlannedTest
    bars, costs : mapping of str
        By asset: all bars of the data, and what is charged.
    trained : str
        The period of the training that rules the next bar, as text.
    """

    strategy: Strategy
    terms: RunTerms
    sizing: Sizing
    plans: list[PlannedTest]
    bars: Mapping[str, Bars]
    costs: Mapping[str, Costs]
    trained: str

    def notes(self) -> list[str]:
        """Return what to warn about."""
        n_unprotected = max(one.orders.n_unprotected for one in self.plans)
        return [unprotected_note(self.strategy, n_unprotected)] if n_unprotected else []

    def same_prices(self, data: Data) -> bool | None:
        """Return whether `data` has the prices that were trained on; None: not known."""
        return _same_prices(self.terms, self.bars, is_own=self.terms.data is data)

    def portfolio(self, data: Data) -> Portfolio:
        """Return what becomes of the orders, and what is known of the run on `data`."""
        tests, terms = simulated_tests(self.plans), self.terms
        made = strategy_portfolio(tests, self.sizing)
        indexes = [one.bars.index for one in tests]
        state_facts(
            made,
            partial(_origin_facts, terms, self.bars, indexes, is_own=terms.data is data),
            strategy=self.strategy.name,
            costs={asset: self.costs[asset] for asset in traded_assets(tests)},
            costs_from=terms.costs_from,
            sizing_from=terms.sizing_from,
            params=terms.values.table(made.components),
        )
        return made


def _origin_facts(
    terms: RunTerms, bars: Mapping[str, Bars], indexes: Iterable[pd.Index], *, is_own: bool
) -> dict[str, Any]:
    """Return what is known of the bars that the values come from; `is_own`: these very prices."""
    same_prices = _same_prices(terms, bars, is_own=is_own)
    sample = "out of sample"  # each bar of a replay is ruled by a training that ended before it
    if terms.replay is None:
        sample = sample_of(indexes, terms.provenance, same_prices=same_prices)
    return {"sample": sample, "same_prices": same_prices, "provenance": terms.provenance}


def _same_prices(terms: RunTerms, bars: Mapping[str, Bars], *, is_own: bool) -> bool | None:
    origin = terms.provenance
    return None if origin is None else same_prices_as(origin, bars, is_same_data=is_own)


def planned_run(
    strategy: Strategy,
    data: Data,
    terms: RunTerms,
    period: tuple[Hashable, Hashable],
    *,
    mode: str,
    notes: list[str] | None = None,
    one_more: bool = False,
) -> PlannedRun:
    """Run the strategy on all components; its orders count from the first evaluated bar on.

    Where there are `notes`, it is checked, and warnings are added to them. With `one_more` its
    orders meet one bar that it did not see, on which every price is the last close.
    """
    lookback = strategy.lookback
    bars = bars_of(data)
    costs = per_asset("costs", terms.costs_of(bars), bars, NO_COSTS, Costs)
    windows = windows_in(bars, lookback, *period)
    found: list[tuple[PlaceOrders, int]]
    if terms.replay is not None:
        found, sizing, trained = _replayed(strategy, bars, windows, terms, mode=mode, notes=notes)
    else:
        trained = "" if terms.provenance is None else terms.provenance.trained
        spans = {s: BarWindow(first - lookback, last) for s, (first, last) in windows.items()}
        views = windows_of(bars, spans)
        ordered_all = strategy_orders(strategy, views, terms.values, mode=mode, notes=notes)
        sizing = decided_sizing(terms.sizing, ordered_all)
        found = []
        for one in ordered_all:
            orders = one.book.merged(lookback, len(one.bars), unit_lots=sizing.unit_lots)
            found.append((PlaceOrders(one, orders, None, one.weight, []), lookback))
    budget = sizing.budget(n_components(place.ordered for place, _ in found))
    plans = []
    for place, first in found:
        ordered, orders, flatten, weights, _ = place.longer() if one_more else place
        cost = costs[ordered.component.asset]
        plans.append(
            planned_test(
                ordered,
                orders,
                first,
                strategy.fill,
                cost,
                flatten=flatten,
                weights=weights,
                budget=budget,
            )
        )
    return PlannedRun(strategy, terms, sizing, plans, bars, costs, trained)


def _replayed(
    strategy: Strategy,
    bars: Mapping[str, Bars],
    windows: Mapping[str, BarWindow],
    terms: RunTerms,
    *,
    mode: str,
    notes: list[str] | None,
) -> tuple[list[tuple[PlaceOrders, int]], Sizing, str]:
    """Return the orders of a walk-forward run, the bars from which they count, and who rules last.

    Each bar obeys the last training that ended before it, and those after the last training obey
    that one. As in the run itself the strategy sees the whole history with each training's values.
    """
    replay = terms.replay or Replay((), "carry", 0)
    views = windows_of(bars, {s: BarWindow(0, one.last) for s, one in windows.items()})
    ends = {symbol: len(one) for symbol, one in views.items()}
    begins = [
        {symbol: bar_after(one.index, stretch.after) for symbol, one in views.items()}
        for stretch in replay.stretches
    ]
    begins.append(ends)
    turns: list[Turn] = []
    trained = ""
    for stretch, first, last in zip(replay.stretches, begins, begins[1:], strict=False):
        is_empty = first == last
        # Who trades knows after the last bar of a cycle what the border does with the position,
        # before there is any bar of the next one.
        if is_empty and not (mode == "trade" and turns and _is_over(views, stretch.after)):
            continue
        ordered = strategy_orders(strategy, views, stretch.values, mode=mode, notes=notes)
        segments = {symbol: BarWindow(first[symbol], last[symbol]) for symbol in views}
        turns.append(Turn(ordered, stretch.points, segments))
        trained = stretch.trained
        if is_empty:
            break
    if not turns:
        rule = "go on after the first training of the walk-forward run"
        got = max((one.index[-1] for one in views.values()), default=None)
        raise DataError(broken_rule("data", rule, got, "Pass more prices, or a later end."))
    sizing = decided_sizing(terms.sizing, [one for turn in turns for one in turn.orders])
    stitched = stitched_orders(turns, replay.horizon, replay.border, unit_lots=sizing.unit_lots)
    found = []
    for component, places in stitched.items():
        asset = component.asset
        first_bar = max(turns[0].segments[asset].first, windows[asset].first)
        if ends[asset] - first_bar < 2:
            msg = (
                f"{asset} must have at least two bars after the first training of the walk-forward "
                f"run, got {max(ends[asset] - first_bar, 0)}. Pass more prices, or a later end."
            )
            raise DataError(msg)
        found += [(place, first_bar) for place in places]
    return found, sizing, trained


def _is_over(views: Mapping[str, Bars], after: object) -> bool:
    """Return whether the bars end with the last one of a training."""
    return any(
        span_of(one.index, (after, after)) == slice(len(one) - 1, len(one))
        for one in views.values()
    )
