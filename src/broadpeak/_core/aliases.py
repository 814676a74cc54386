# SPDX-License-Identifier: BSD-3-Clause
"""Types of arguments and results that need pandas; `broadpeak.types` has those that do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import pandas as pd

from broadpeak.types import AnyArray

AnyIndex: TypeAlias = "pd.Index[Any]"
AnySeries: TypeAlias = "pd.Series[Any]"

Table: TypeAlias = "pd.Series[Any] | pd.DataFrame"
"""One column with labels, or several."""

ArrayLike: TypeAlias = "AnyArray | pd.Series[Any] | pd.DataFrame | Sequence[float]"
"""Bars, or bars × columns."""

Metric: TypeAlias = "float | pd.Series[Any]"
"""A number for one column; a Series with one entry a column for several."""
