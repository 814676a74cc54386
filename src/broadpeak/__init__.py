# SPDX-License-Identifier: BSD-3-Clause
"""Sweep strategy parameters fast, pick the broad peak, and learn whether it is luck.

The public names stand in `__init__.pyi`. They load on first use: a bare import loads neither pandas
nor numba or plotly.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import lazy_loader

__version__ = "0.1.0"

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        hint = importlib.import_module(f"{__name__}._core.check").did_you_mean(name, __all__)
        msg = f"module 'broadpeak' has no attribute {name!r}. {hint}".rstrip()
        raise AttributeError(msg)
    value = _load(name)
    globals()[name] = value  # older lazy_loaders would look it up at every use
    _register_accessor()
    return value


def _register_accessor() -> None:
    """Register `.bp` if pandas is there: then it costs nothing, and `series.bp` works at once."""
    if "pandas" in sys.modules:
        importlib.import_module(f"{__name__}._signals.accessor")


_register_accessor()
