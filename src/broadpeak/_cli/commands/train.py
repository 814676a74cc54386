# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak train`: find the parameters of a strategy and write them down."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import broadpeak as bp
from broadpeak._cli import console, flags, inputs, summary
from broadpeak._cli.price_files import PriceSource


@inputs.takes_prices
@inputs.takes_search
@inputs.takes_sizing
def train(
    strategy: flags.StrategyFile,
    data: PriceSource,
    *,
    search: dict[str, Any],
    size: dict[str, Any],
    out: flags.OutFolder = None,
    report: Annotated[bool, typer.Option(help="Write report.html.")] = True,
    verdict: flags.Judge = True,
    as_json: flags.AsJson = False,
) -> None:
    """Train the parameters of a strategy; with --out, write parameter file, trials and report."""
    # One lot, as the manual has it, unless somebody says otherwise.
    size = {**size, "sizing": size["sizing"] or "unit"}
    plan = inputs.strategy(strategy)
    prices, reading_notes = inputs.with_warnings(data.read)
    training, notes = inputs.with_warnings(lambda: bp.train(plan, prices, **search, **size))
    notes = [*reading_notes, *notes]
    name = inputs.name_of(plan)
    how = {name: search[name] for name in ("engine", "engine_options", "n_workers")}
    judged = summary.judge(training, wanted=verdict, **how)
    files = summary.write_training(training, out, name, page=report, verdict=verdict) if out else {}
    if as_json:
        components = summary.components(training)
        console.show_json(
            {
                "strategy": name,
                "components": components,
                "files": files,
                "verdict": judged and judged.to_dict(),
                "warnings": notes,
            }
        )
        return
    console.show_warnings(notes)
    title = f"{name}: parameters chosen by {search['method']}, {search['objective']}"
    summary.show_training(training, title)
    summary.show_verdict(judged)
    summary.show_files(files)
