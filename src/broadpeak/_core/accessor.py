# SPDX-License-Identifier: BSD-3-Clause
"""Registration of the pandas accessor `.bp`, cheap enough for import time."""

from __future__ import annotations

import importlib
from typing import Any

import pandas as pd


def _accessor(obj: pd.Series[Any] | pd.DataFrame) -> Any:
    # Late on purpose: registering must not load the kernels behind the accessor.
    return importlib.import_module("broadpeak.triggers.accessor").SignalAccessor(obj)


def register() -> None:
    """Register `.bp` on Series and DataFrames, once."""
    for owner, add in (
        (pd.Series, pd.api.extensions.register_series_accessor),
        (pd.DataFrame, pd.api.extensions.register_dataframe_accessor),
    ):
        if not hasattr(owner, "bp"):
            add("bp")(_accessor)  # type: ignore[type-var]  # pandas takes any callable, not only classes
