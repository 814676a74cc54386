# SPDX-License-Identifier: BSD-3-Clause
"""From results to pages: run what a page compares, turn it into views, write the page."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._report.account_page import write_account_page
from broadpeak._report.charts.lines import Span
from broadpeak._report.charts.trade_chart import Plotted
from broadpeak._report.from_portfolio import account_view
from broadpeak._report.from_training import component_views, maps, run_settings, run_view, versions
from broadpeak._report.from_walkforward import cycle_views, walked_run_view
from broadpeak._report.training_page import write_training_page
from broadpeak._report.views import AccountView, PriceView, RunView
from broadpeak._report.walkforward_page import write_walk_forward_page
from broadpeak._training.components import bars_of
from broadpeak._training.result import Training, environment
from broadpeak._training.strategy import Strategy, as_strategy
from broadpeak._training.test import strategy_orders, test, values_for
from broadpeak._validation.walked import WalkForward


def training_report(training: Training, *, path: str | Path) -> Path:
    """Test the chosen and the default values on all bars, and write the page."""
    run = run_view(training)
    spans = [(found.first, found.last) for found in training.components.values()]
    trained = Span("training", min(first for first, _ in spans), max(last for _, last in spans))
    (chosen, defaults), notes = _recorded(lambda: _both(training, {}))
    unseen, more = _recorded(lambda: _unseen(training, trained.last))
    run = replace(run, notes=list(dict.fromkeys([*run.notes, *notes, *more])))
    return write_training_page(
        path,
        run,
        component_views(training),
        {key: maps(training, key) for key in training.components},
        account_view(chosen, "Chosen"),
        account_view(defaults, "Defaults"),
        trained=trained,
        unseen=unseen,
        prices=_prices(training.strategy, training.data, training, chosen),
        objective=training.objective_name,
    )


def test_report(
    tested: Portfolio,
    *,
    path: str | Path,
    strategy: Any,
    data: Any,
    params: Any,
    defaults: Portfolio | None,
    settings: Mapping[str, Any],
    notes: Sequence[str],
) -> Path:
    """Write the page about a test, beside that of the defaults where there is one."""
    plan = as_strategy(strategy)
    run = RunView(plan.name, run_settings(plan, settings), versions(environment(data)), list(notes))
    name = "Defaults" if defaults is None else "Parameters"
    beside = None if defaults is None else account_view(defaults, "Defaults")
    prices = _prices(plan, data, params, tested)
    return write_account_page(path, run, account_view(tested, name), beside, prices)


def walk_forward_report(walked: WalkForward, *, path: str | Path) -> Path:
    """Write the page about a walk-forward run."""
    return write_walk_forward_page(
        path,
        walked_run_view(walked),
        account_view(walked.portfolio, "Out of sample"),
        cycle_views(walked),
        walked.cycles,
        objective=walked.objective_name,
    )


def _both(training: Training, bounds: Mapping[str, Any]) -> tuple[Portfolio, Portfolio]:
    settings = {"costs": training.settings.get("costs"), **bounds}
    return (
        test(training.strategy, training.data, training, **settings),
        test(training.strategy, training.data, None, **settings),
    )


def _unseen(training: Training, last: Any) -> tuple[AccountView, AccountView] | None:
    """Return both accounts over the bars after the training, or None without two such bars."""
    after = training.data.index[training.data.index > last]
    if len(after) < 2:
        return None
    chosen, defaults = _both(training, {"start": after[0]})
    return account_view(chosen, "Chosen, unseen"), account_view(defaults, "Defaults, unseen")


def _prices(strategy: Strategy, data: Any, params: Any, tested: Portfolio) -> list[PriceView]:
    """Return the closes of every component over the tested bars, and what is plotted on them.

    Portfolios know no plots, so the strategy is called once more, over all bars.
    """
    views = []
    for played in strategy_orders(
        strategy, bars_of(data), values_for(strategy, params), mode="test"
    ):
        key, index = played.component.key, played.bars.index
        own = tested.components[key].index
        shown = slice(*index.slice_locs(own[0], own[-1]))
        plotted = [
            Plotted(curve.name, pd.Series(curve.values[shown], index=index[shown]), curve.panel)
            for curve in played.lines.values()
        ]
        close = pd.Series(played.bars.close[shown], index=index[shown])
        views.append(PriceView(key, close, plotted))
    return views


def _recorded(call: Callable[[], Any]) -> tuple[Any, list[str]]:
    """Return what `call` returns, and the warnings it raised, which the page shows."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    return result, [str(item.message) for item in caught]
