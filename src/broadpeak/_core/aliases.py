# SPDX-License-Identifier: BSD-3-Clause
"""Types of arguments and results that need pandas; `broadpeak.types` has those that do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

import pandas as pd

from broadpeak.types import AnyArray, FloatArray

Index: TypeAlias = "pd.Index[Any]"
"""Labels of any type."""

Series: TypeAlias = "pd.Series[Any]"
"""One column with labels."""

Table: TypeAlias = "Series | pd.DataFrame"
"""One column with labels, or several."""

Values: TypeAlias = "AnyArray | Series | pd.DataFrame"
"""Bars, or bars × columns, with labels or without."""

ArrayLike: TypeAlias = "AnyArray | Series | pd.DataFrame | Sequence[float]"
"""Bars, or bars × columns."""

Plain: TypeAlias = "AnyArray | Sequence[float]"
"""Bars, or bars × columns, without labels."""

Metric: TypeAlias = "float | Series"
"""A number for one column; a Series with one entry a column for several."""

Alike = TypeVar("Alike", FloatArray, "pd.Series[Any]", pd.DataFrame)
"""Results come as what was passed: an array, a Series or a frame."""

Many: TypeAlias = "Sequence[float] | Index"
"""Several settings, a column each."""
