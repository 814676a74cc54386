# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak report`: the page about a test of the parameters in a file."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import broadpeak as bp
from broadpeak._cli import console, flags, inputs, summary
from broadpeak._core import drawing


def report(
    strategy: flags.StrategyFile,
    data: flags.PriceFiles,
    *,
    params: flags.ParFile = None,
    symbol: flags.Symbols = None,
    start: flags.Start = None,
    end: flags.End = None,
    cost: flags.CostList = None,
    check: flags.Check = True,
    out: Annotated[str, typer.Option("--out", help="The HTML file.")] = "report.html",
) -> None:
    """Write an HTML page: a strategy with the parameters of a .par file beside its defaults."""
    plan = inputs.strategy(strategy)
    prices = inputs.prices(data, symbol or [])
    chosen = inputs.parameters(params)
    settings: dict[str, Any] = {"start": start, "end": end, "costs": inputs.costs(cost or [])}

    def both() -> tuple[bp.Portfolio, bp.Portfolio | None]:
        tested = bp.test(plan, prices, chosen, **settings, check=check)
        if chosen is None:
            return tested, None
        return tested, bp.test(plan, prices, None, **settings, check=False)

    (tested, defaults), notes = inputs.with_warnings(both)
    path = drawing.draw(
        "backtest-report",
        tested,
        path=out,
        strategy=plan if inputs.is_strategy(plan) else bp.strategy(plan),
        defaults=defaults,
        settings={"params": params, **settings},
        environment=inputs.environment(prices),
        notes=notes,
    )
    console.show_warnings(notes)
    summary.show_files({"report": str(path)})
