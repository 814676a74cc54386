# SPDX-License-Identifier: BSD-3-Clause
"""The public table: one valid call of every public function, method and option."""

from __future__ import annotations

import inspect
import re
from typing import Any

import fuzz_table_choice
import fuzz_table_data
import fuzz_table_sweeps
import fuzz_table_training

import broadpeak as bp
from broadpeak._indicators.output import IndicatorResult
from broadpeak._signals.methods import SignalAccessor
from broadpeak._training.strategy import StrategyRun
from broadpeak._validation.walked import WalkForward

ROWS = [
    *fuzz_table_data.TABLE,
    *fuzz_table_sweeps.TABLE,
    *fuzz_table_choice.TABLE,
    *fuzz_table_training.TABLE,
]
WORLD = fuzz_table_training.WORLD
"""Where rows whose call runs inside a strategy or a store find what they need."""

CLASSES: dict[str, type] = {
    "Data": bp.Data,
    "IndicatorResult": IndicatorResult,
    "Param": bp.Param,
    "ParamGrid": bp.ParamGrid,
    "Parameters": bp.Parameters,
    "Portfolio": bp.Portfolio,
    "Stats": bp.Stats,
    "Store": bp.Store,
    "Training": bp.Training,
    "WalkForward": WalkForward,
    "bp": SignalAccessor,
    "s": StrategyRun,
}
"""Classes of objects that users hold, by the name that their methods have in the table."""

INSIDE = {
    *(
        "Portfolio.from_fills",
        "Portfolio.tell",
        "Stats.of_records",
        "Stats.of_pool",
        "Store.begin",
        "Store.begin_kept",
        "Store.kept_run",
        "Store.find",
        "Store.add",
        "Store.claim",
        "Store.count",
        "Store.release",
    ),
    *("NoResult", "testing", "Selection", "Training", "Verdict", "PF", "StrategyRun"),
}
"""Public by spelling, but made and called by the library alone; PF is Portfolio."""


def uncovered() -> list[str]:
    """Return the public names, and methods that take something, which no row calls."""
    called = {re.split(r"[\[(= ]", one.name)[0] for one in ROWS}
    called |= {name.partition(".")[0] for name in called}
    wanted = [
        name
        for name in bp.__all__
        if not _is_error(getattr(bp, name)) and name not in {"errors", "types"}
    ]
    for owner, kind in CLASSES.items():
        for name, member in inspect.getmembers(kind, callable):
            if not name.startswith("_") and len(inspect.signature(member).parameters) > 1:
                wanted.append(f"{owner}.{name}")
    return [name for name in wanted if name not in called | INSIDE]


def _is_error(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)
