# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak walk-forward`: train on the past, test on what follows, again and again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import broadpeak as bp
from broadpeak._cli import console, inputs, summary
from broadpeak._cli import flags as options
from broadpeak._core.files import made_folder


def walk_forward(
    strategy: options.StrategyFile,
    data: options.PriceFiles,
    *,
    cycles: Annotated[
        int | None, typer.Option("--cycles", min=2, help="Number of cycles. Default: 10.")
    ] = None,
    period: Annotated[
        int | None, typer.Option("--period", min=2, help="Bars of train and test, not --cycles.")
    ] = None,
    split: Annotated[float, typer.Option("--split", help="Share of a cycle that trains.")] = 0.85,
    anchored: Annotated[
        bool, typer.Option("--anchored", help="Every training starts at the first bar.")
    ] = False,
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
    engine: options.Engine = "serial",
    workers: options.Workers = None,
    out: options.OutFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """Run a walk-forward test; with --out, write one .par file a cycle, cycles and report."""
    if cycles is not None and period is not None:
        raise typer.BadParameter("give --cycles or --period, not both.")
    inputs.check_search(method, objective, select, engine)
    plan = inputs.strategy(strategy)
    prices = inputs.prices(data, symbol or [])
    settings: dict[str, Any] = {
        "cycles": cycles if period is not None else cycles or 10,
        "period": period,
        "split": split,
        "anchored": anchored,
        "method": method,
        "objective": objective,
        "select": select,
        "passes": passes,
        "min_trades": min_trades,
        "start": start,
        "end": end,
        "costs": inputs.costs(cost or []),
        "seed": seed,
        "engine": engine,
        "n_workers": workers,
    }
    result, notes = inputs.recorded(lambda: bp.walk_forward(plan, prices, **settings))
    name = inputs.name_of(plan)
    files = _write(result, out) if out else {}
    stats = summary.statistics(result.portfolio)
    if as_json:
        rows = result.cycles.reset_index().to_dict(orient="records")
        console.show_json(
            {
                "strategy": name,
                "cycles": rows,
                "stats": stats,
                "files": files,
                "warnings": notes,
            }
        )
        return
    console.show_warnings(notes)
    _show_cycles(result.cycles.reset_index(), name)
    summary.show_statistics(stats, f"{name}: out of sample, all cycles")
    summary.show_files(files)


def _show_cycles(cycles: Any, name: str) -> None:
    rows = [[console.cell(value) for value in row] for row in cycles.itertuples(index=False)]
    console.show_table(f"{name}: cycles", [str(column) for column in cycles.columns], rows)


def _write(result: Any, folder: str) -> dict[str, str]:
    out = made_folder(folder)
    files = {"cycles": out / "cycles.csv", "report": out / "report.html"}
    result.to_par(out)
    result.cycles.to_csv(files["cycles"])
    result.report(files["report"])
    return {"parameters": str(out), **{name: str(path) for name, path in files.items()}}
