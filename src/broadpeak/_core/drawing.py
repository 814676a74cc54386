# SPDX-License-Identifier: BSD-3-Clause
"""The seam through which results draw themselves without importing the report.

A result states *what* it is (its `kind`) and passes itself on; `broadpeak._report` registers how
each kind is drawn. So nothing below the report imports a plotting library, plotly loads with the
first chart, and a worker of a sweep never loads it. The price is the one import that goes upwards:
`draw` loads the report by name, and `tests/architecture/test_cycles.py` lets only this one pass.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

_drawers: dict[str, Callable[..., Any]] = {}


def register(kind: str, drawer: Callable[..., Any]) -> None:
    """Have `draw(kind, …)` call `drawer`."""
    _drawers[kind] = drawer


def draw(kind: str, subject: object, **options: Any) -> Any:
    """Draw `subject` with the function that the report registered for `kind`."""
    if kind not in _drawers:
        importlib.import_module("broadpeak._report.drawers")
    return _drawers[kind](subject, **options)
