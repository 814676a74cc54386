# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak test`: run a strategy with trained or default parameters."""

from __future__ import annotations

from typing import Any

import broadpeak as bp
from broadpeak._cli import console, flags, inputs, summary
from broadpeak._cli.price_files import PriceSource
from broadpeak._core.files import make_folder


@inputs.takes_prices
@inputs.takes_sizing
def run_test(
    strategy: flags.StrategyFile,
    data: PriceSource,
    *,
    params: flags.ParFile = None,
    start: flags.Start = None,
    end: flags.End = None,
    cost: flags.CostList = None,
    size: dict[str, Any],
    check: flags.Check = True,
    out: flags.OutFolder = None,
    as_json: flags.AsJson = False,
) -> None:
    """Test a strategy with parameters from a .par file; with --out, write trades and equity."""
    plan = inputs.strategy(strategy)
    prices, reading_notes = inputs.with_warnings(data.read)
    chosen = inputs.parameters(params)
    settings: dict[str, Any] = {
        "start": start,
        "end": end,
        "costs": inputs.costs(cost or []),
        "check": check,
        **size,
    }
    portfolio, notes = inputs.with_warnings(lambda: bp.test(plan, prices, chosen, **settings))
    notes = [*reading_notes, *notes, *summary.changed_prices(portfolio.facts.get("same_prices"))]
    name = inputs.name_of(plan)
    files = _write(portfolio, out) if out else {}
    stats, held = summary.statistics(portfolio), summary.holding(portfolio)
    components = summary.component_rows(portfolio)
    if as_json:
        console.show_json(
            {
                "strategy": name,
                "stats": stats,
                "hold": held,
                "components": components,
                "files": files,
                "warnings": notes,
            }
        )
        return
    console.show_warnings(notes)
    sample = portfolio.facts.get("sample") or ""
    title = f"{name}: test with {params or 'the defaults'}{sample and f', {sample}'}"
    summary.show_statistics(stats, title, held)
    summary.show_components(components, f"{name}: components")
    console.show_lines(summary.terms(portfolio))
    summary.show_files(files)


def _write(portfolio: bp.Portfolio, folder: str) -> dict[str, str]:
    out = make_folder(folder)
    files = {"trades": out / "trades.csv", "equity": out / "equity.csv"}
    portfolio.trades.to_csv(files["trades"], index=False)
    portfolio.value.to_csv(files["equity"])
    return {name: str(path) for name, path in files.items()}
