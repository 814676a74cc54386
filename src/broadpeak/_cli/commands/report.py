# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak report`: the page about a test of the parameters in a file."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import broadpeak as bp
from broadpeak._cli import console, flags, inputs, summary
from broadpeak._cli.price_files import PriceSource
from broadpeak._core import drawing

_UNASKED = "Whether this result is more than luck was left open: --no-verdict."
_UNKNOWN = (
    "The values come from a file, and with them the luck of whatever search found them. How many "
    "others were tried is not known here, so figures of bars that the search saw prove nothing. "
    "'broadpeak train' and 'broadpeak walk-forward' judge the search and the values together."
)


@inputs.takes_prices
@inputs.takes_sizing
def report(
    strategy: flags.StrategyFile,
    data: PriceSource,
    *,
    params: flags.ParFile = None,
    start: flags.Start = None,
    end: flags.End = None,
    cost: flags.CostList = None,
    size: dict[str, Any],
    check: flags.Check = True,
    out: Annotated[str, typer.Option("--out", help="The HTML file.")] = "report.html",
    verdict: flags.Judge = True,
) -> None:
    """Write an HTML page: a strategy with the parameters of a .par file beside its defaults."""
    plan = inputs.strategy(strategy)
    prices, reading_notes = inputs.with_warnings(data.read)
    chosen = inputs.parameters(params)
    settings: dict[str, Any] = {"start": start, "end": end, "costs": inputs.costs(cost or [])}
    settings |= size

    def both() -> tuple[bp.Portfolio, bp.Portfolio | None]:
        tested = bp.test(plan, prices, chosen, **settings, check=check)
        if chosen is None:
            return tested, None
        # Terms may be those in the file, and bars those after the first training of a run.
        same = {
            **settings,
            **inputs.terms_as(tested),
            "start": tested.index[0],
            "end": tested.index[-1],
        }
        return tested, bp.test(plan, prices, None, **same, check=False)

    (tested, defaults), notes = inputs.with_warnings(both)
    notes = [*reading_notes, *notes, *summary.changed_prices(tested.facts.get("same_prices"))]
    # Whoever chose the values of a file tried others; their number is not in it.
    judged = bp.validate(returns=tested) if verdict and chosen is None else None
    path = drawing.draw(
        "backtest-report",
        tested,
        path=out,
        strategy=plan if inputs.is_strategy(plan) else bp.strategy(plan),
        defaults=defaults,
        settings={"params": params, **settings},
        environment=inputs.environment(prices),
        notes=notes,
        verdict=judged,
        why_not=_UNKNOWN if verdict else _UNASKED,
    )
    console.show_warnings(notes)
    summary.show_verdict(judged)
    summary.show_files({"report": str(path)})
