# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak test`: run a strategy with trained or default parameters."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import broadpeak as bp
from broadpeak._cli import console, flags, inputs, summary
from broadpeak._cli.price_files import PriceSource
from broadpeak._core.files import make_folder


@inputs.takes_prices
def run_test(
    strategy: flags.StrategyFile,
    data: PriceSource,
    *,
    params: flags.ParFile = None,
    start: flags.Start = None,
    end: flags.End = None,
    cost: flags.CostList = None,
    capital: Annotated[
        float | None,
        typer.Option("--capital", help="Initial capital. Default: the price of one position."),
    ] = None,
    check: flags.Check = True,
    out: flags.OutFolder = None,
    as_json: flags.AsJson = False,
) -> None:
    """Test a strategy with parameters from a .par file; with --out, write trades and equity."""
    plan = inputs.strategy(strategy)
    prices = data.read()
    chosen = inputs.parameters(params)
    settings: dict[str, Any] = {
        "start": start,
        "end": end,
        "costs": inputs.costs(cost or []),
        "capital": capital,
        "check": check,
    }
    portfolio, notes = inputs.with_warnings(lambda: bp.test(plan, prices, chosen, **settings))
    name = inputs.name_of(plan)
    files = _write(portfolio, out) if out else {}
    stats = summary.statistics(portfolio)
    if as_json:
        console.show_json({"strategy": name, "stats": stats, "files": files, "warnings": notes})
        return
    console.show_warnings(notes)
    summary.show_statistics(stats, f"{name}: test with {params or 'the defaults'}")
    summary.show_files(files)


def _write(portfolio: bp.Portfolio, folder: str) -> dict[str, str]:
    out = make_folder(folder)
    files = {"trades": out / "trades.csv", "equity": out / "equity.csv"}
    portfolio.trades.to_csv(files["trades"], index=False)
    portfolio.value.to_csv(files["equity"])
    return {name: str(path) for name, path in files.items()}
