# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak signals`: the orders due on the next bar."""

from __future__ import annotations

import broadpeak as bp
from broadpeak._cli import console, inputs
from broadpeak._cli import flags as options


def signals(
    strategy: options.StrategyFile,
    data: options.PriceFiles,
    *,
    params: options.ParFile = None,
    symbol: options.Symbols = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the orders that a strategy asks for on the bar after the last one."""
    plan = inputs.strategy(strategy)
    prices = inputs.prices(data, symbol or [])
    chosen = inputs.parameters(params)
    orders, notes = inputs.recorded(lambda: bp.signals(plan, prices, chosen))
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
    rows = [[console.cell(value) for value in row] for row in orders.itertuples(index=False)]
    console.show_table(f"{name}: orders due", [str(column) for column in orders.columns], rows)
