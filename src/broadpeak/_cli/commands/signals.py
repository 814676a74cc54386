# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak signals`: what is held, what protects it, and the orders due on the next bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import broadpeak as bp
from broadpeak._cli import console, flags, inputs, summary
from broadpeak._cli.price_files import PriceSource

_SHOWN = {
    "component": "component",
    "member": "member",
    "last_bar": "last bar",
    "close": "close",
    "position": "position",
    "since": "since",
    "entry_price": "entry",
    "stop": "stop",
    "trail": "trail",
    "target": "target",
    "bars_left": "bars left",
    "next_order": "next order",
    "lots": "lots",
}
_ALWAYS = {"component", "last_bar", "close", "position", "next_order"}
_LEVELS = {"order_stop": "stop", "order_trail": "trail", "order_target": "target"}


@inputs.takes_prices
@inputs.takes_sizing
def signals(
    strategy: flags.StrategyFile,
    data: PriceSource,
    *,
    params: flags.ParFile = None,
    end: flags.End = None,
    cost: flags.CostList = None,
    size: dict[str, Any],
    as_json: flags.AsJson = False,
) -> None:
    """Show what is held after the last bar, and the orders that are due on the next one."""
    plan = inputs.strategy(strategy)
    prices, reading_notes = inputs.with_warnings(data.read)
    chosen = inputs.parameters(params)
    settings: dict[str, Any] = {"end": end, "costs": inputs.costs(cost or []), **size}
    found, notes = inputs.with_warnings(lambda: bp.signals(plan, prices, chosen, **settings))
    notes = [*reading_notes, *notes, *summary.changed_prices(found.attrs.get("same_prices"))]
    name = inputs.name_of(plan)
    rows: list[dict[Any, Any]] = found.to_dict(orient="records")
    for row in rows:  # pandas may write NaN for no order beside one
        row["next_order"], row["reason"] = _text(row["next_order"]), _text(row["reason"])
    due = [row for row in rows if row["next_order"] is not None]
    if as_json:
        console.show_json({"strategy": name, "signals": rows, "orders": due, "warnings": notes})
        return
    console.show_warnings(notes)
    _show_rows(rows, f"{name}: what is held, and what is next")
    fill = "close" if getattr(plan, "fill", "") == "close" else "next open"
    lines = [f"due at the {fill}: {_order(row)}" for row in due]
    console.show_lines(lines or [f"{name}: no order is due on the next bar."])
    trained = sorted({row["trained"] for row in rows if row["trained"]})
    console.show_lines([f"values trained on {period}" for period in trained])


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _show_rows(rows: Sequence[Mapping[Any, Any]], title: str) -> None:
    """Print a row a component; columns that say nothing of any are left out."""
    has_members = any(row["weight"] != 1 for row in rows)

    def is_shown(name: str) -> bool:
        if name == "member":
            return has_members
        return name in _ALWAYS or any(console.cell(row[name]) != "–" for row in rows)

    names = [name for name in _SHOWN if is_shown(name)]
    cells = [[console.cell(row[name]) for name in names] for row in rows]
    console.show_table(title, [_SHOWN[name] for name in names], cells)


def _order(row: Mapping[Any, Any]) -> str:
    """Return an order in words: what to do, how much of what, and what protects it."""
    kind, _, side = str(row["next_order"]).partition("_")
    # Who leaves a long position sells, as who enters a short one does.
    verb = "buy" if (kind == "enter") == (side == "long") else "sell"
    member = f" (member {row['member']})" if row["weight"] != 1 else ""
    words = f"{verb} {row['asset']}{member} to {kind} {side}, {console.cell(row['lots'])} lots"
    levels = [
        f"{name} {console.cell(row[key])} from the fill"
        for key, name in _LEVELS.items()
        if console.cell(row[key]) != "–"
    ]
    life = console.cell(row["order_lifetime"])
    levels += [f"at most {life} bars"] if life != "–" else []
    return ", ".join([words, *levels])
