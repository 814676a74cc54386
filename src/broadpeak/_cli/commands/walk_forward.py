# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak walk-forward`: train on the past, test on what follows, again and again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import broadpeak as bp
from broadpeak._cli import console, flags, inputs, summary
from broadpeak._cli.price_files import PriceSource
from broadpeak._cli.usage import one_of
from broadpeak._core.files import make_folder


@inputs.takes_prices
@inputs.takes_search
@inputs.takes_sizing
def walk_forward(
    strategy: flags.StrategyFile,
    data: PriceSource,
    *,
    cycles: Annotated[
        int | None, typer.Option("--cycles", min=2, help="Number of cycles. Default: 10.")
    ] = None,
    period: Annotated[
        int | None,
        typer.Option("--period", min=2, help="Bars of training and test, instead of --cycles."),
    ] = None,
    split: Annotated[
        float, typer.Option("--split", help="Share of a cycle that is training.")
    ] = 0.85,
    anchored: Annotated[
        bool, typer.Option("--anchored", help="Every training starts at the first bar.")
    ] = False,
    search: dict[str, Any],
    size: dict[str, Any],
    train_sizing: flags.TrainSizing = "unit",
    out: flags.OutFolder = None,
    verdict: flags.Judge = True,
    as_json: flags.AsJson = False,
) -> None:
    """Run a walk-forward test; with --out, write one .par file a cycle, cycles and report."""
    if cycles is not None and period is not None:
        raise typer.BadParameter("give --cycles or --period, not both.")
    one_of("--train-sizing", train_sizing, flags.SIZINGS)
    plan = inputs.strategy(strategy)
    prices, reading_notes = inputs.with_warnings(data.read)
    settings = {"cycles": cycles, "period": period, "split": split, "anchored": anchored, **search}
    settings |= {**size, "train_sizing": train_sizing}
    result, notes = inputs.with_warnings(lambda: bp.walk_forward(plan, prices, **settings))
    notes = [*reading_notes, *notes]
    name = inputs.name_of(plan)
    how = {name: search[name] for name in ("engine", "engine_options", "n_workers")}
    judged = summary.judge(result, wanted=verdict, **how)
    files = _write(result, out, verdict=verdict) if out else {}
    stats, held = summary.statistics(result.portfolio), summary.holding(result.portfolio)
    components = summary.component_rows(result.portfolio)
    if as_json:
        rows = result.cycles.reset_index().to_dict(orient="records")
        console.show_json(
            {
                "strategy": name,
                "cycles": rows,
                "stats": stats,
                "hold": held,
                "components": components,
                "files": files,
                "verdict": judged and judged.to_dict(),
                "warnings": notes,
            }
        )
        return
    console.show_warnings(notes)
    console.show_frame(f"{name}: cycles", result.cycles.reset_index())
    summary.show_statistics(stats, f"{name}: out of sample, all cycles", held)
    summary.show_components(components, f"{name}: components, out of sample")
    console.show_lines(summary.terms(result.portfolio))
    summary.show_verdict(judged)
    summary.show_files(files)


def _write(result: bp.WalkForward, folder: str, *, verdict: bool) -> dict[str, str]:
    out = make_folder(folder)
    files = {"cycles": out / "cycles.csv", "report": out / "report.html"}
    result.to_par(out)
    result.cycles.to_csv(files["cycles"])
    result.report(files["report"], verdict=verdict)
    return {"parameters": str(out), **{name: str(path) for name, path in files.items()}}
