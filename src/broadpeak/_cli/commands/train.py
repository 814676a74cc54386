# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak train`: find the parameters of a strategy and write them down."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import broadpeak as bp
from broadpeak._cli import console, inputs, summary
from broadpeak._cli import flags as options


def train(
    strategy: options.StrategyFile,
    data: options.PriceFiles,
    *,
    symbol: options.Symbols = None,
    method: options.Method = "ascent",
    objective: options.Objective = "prr",
    select: options.Select = None,
    passes: options.Passes = 1,
    min_trades: options.MinTrades = 5,
    start: options.Start = None,
    end: options.End = None,
    cost: options.CostList = None,
    seed: options.Seed = 0,
    evaluations: options.Evaluations = None,
    engine: options.Engine = "serial",
    workers: options.Workers = None,
    out: options.OutFolder = None,
    report: Annotated[bool, typer.Option(help="Write report.html.")] = True,
    as_json: options.AsJson = False,
) -> None:
    """Train the parameters of a strategy; with --out, write parameter file, trials and report."""
    inputs.check_search(method, objective, select, engine)
    plan = inputs.strategy(strategy)
    prices = inputs.prices(data, symbol or [])
    settings: dict[str, Any] = {
        "method": method,
        "objective": objective,
        "select": select,
        "passes": passes,
        "min_trades": min_trades,
        "start": start,
        "end": end,
        "costs": inputs.costs(cost or []),
        "seed": seed,
        "n_evaluations": evaluations,
        "engine": engine,
        "n_workers": workers,
    }
    training, notes = inputs.recorded(lambda: bp.train(plan, prices, **settings))
    name = inputs.name_of(plan)
    files = summary.write_training(training, out, name, page=report) if out else {}
    if as_json:
        components = summary.components(training)
        console.show_json(
            {
                "strategy": name,
                "components": components,
                "files": files,
                "warnings": notes,
            }
        )
        return
    console.show_warnings(notes)
    summary.show_training(training, f"{name}: parameters chosen by {method}, {objective}")
    summary.show_files(files)
