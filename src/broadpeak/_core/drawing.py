# SPDX-License-Identifier: BSD-3-Clause
"""The seam through which results are drawn and judged without importing what stands above them.

A result states *what* it is (its `kind`) and passes itself on; `broadpeak._report` registers how
each kind is drawn. So nothing below the report imports a plotting library, plotly loads with the
first chart, and a worker of a sweep never loads it. A training is judged by what stands on
trainings in the same way. The price is the one place where imports go upwards: `_drawer` loads the
report, or `validate`, by name, and `tests/architecture/test_cycles.py` lets only this one pass.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

_drawers: dict[str, Callable[..., Any]] = {}


MOST_LINES = 12
"""Lines of one picture that can be told apart."""


def register(kind: str, drawer: Callable[..., Any]) -> None:
    """Have `draw(kind, …)` call `drawer`."""
    _drawers[kind] = drawer


def draw(kind: str, subject: object, **options: Any) -> Any:
    """Draw `subject` with the function that the report registered for `kind`."""
    return _drawer(kind)(subject, **options)


def judge(result: object, /, **options: Any) -> Any:
    """Return the verdict on a training or a walk-forward; that with default options is kept.

    Where and how it is computed changes nothing in it, so that it is kept then, too.
    """
    kept = vars(result)
    if not _HOW_ALONE.issuperset(options):
        return _drawer("verdict")(result, **options)
    if "_verdict" not in kept:
        kept["_verdict"] = _drawer("verdict")(result, **options)
    return kept["_verdict"]


_HOW_ALONE = frozenset({"engine", "n_workers", "engine_options", "show_progress"})


def _drawer(kind: str) -> Callable[..., Any]:
    if kind not in _drawers:
        importlib.import_module(
            "broadpeak._validation.validate"
            if kind.startswith("verdict")
            else "broadpeak._report.drawers"
        )
    return _drawers[kind]
