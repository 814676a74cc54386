# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak signals`: the orders due on the next bar."""

from __future__ import annotations

import broadpeak as bp
from broadpeak._cli import console, flags, inputs
from broadpeak._cli.price_files import PriceSource


@inputs.takes_prices
def signals(
    strategy: flags.StrategyFile,
    data: PriceSource,
    *,
    params: flags.ParFile = None,
    as_json: flags.AsJson = False,
) -> None:
    """Show the orders that are due on the bar after the last one."""
    plan = inputs.strategy(strategy)
    prices = data.read()
    chosen = inputs.parameters(params)
    orders, notes = inputs.with_warnings(lambda: bp.signals(plan, prices, chosen))
    name = inputs.name_of(plan)
    if as_json:
        console.show_json(
            {
                "strategy": name,
                "orders": orders.to_dict(orient="records"),
                "warnings": notes,
            }
        )
        return
    console.show_warnings(notes)
    if orders.empty:
        console.show_lines([f"{name}: no order is due on the next bar."])
        return
    console.show_frame(f"{name}: orders due", orders)
