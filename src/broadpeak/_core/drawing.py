# SPDX-License-Identifier: BSD-3-Clause
"""The seam through which results below the report draw themselves.

A result says *what* it is (`kind`) and hands itself over; `broadpeak._report` registers how each
kind is drawn. So nothing below the report imports a plot library, and plotly loads on the first
drawing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

_drawers: dict[str, Callable[..., Any]] = {}


def register(kind: str, drawer: Callable[..., Any]) -> None:
    """Let `draw(kind, …)` call `drawer`."""
    _drawers[kind] = drawer


def draw(kind: str, subject: object, **options: Any) -> Any:
    """Draw `subject` as `kind` with what the report registered."""
    if kind not in _drawers:
        importlib.import_module("broadpeak._report.drawers")
    return _drawers[kind](subject, **options)
