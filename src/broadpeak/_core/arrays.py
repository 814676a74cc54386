# SPDX-License-Identifier: BSD-3-Clause
"""pandas at the edge, lanes inside.

A *lane* is one column laid out contiguously: kernels see float64 or bool arrays of shape
(n_lanes, n_bars) in C order. pandas keeps a homogeneous frame just so, hence no copy either way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import accessor
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import AnyArray

accessor.register()


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What the user passed, so that results come back in the same shape.

    Attributes
    ----------
    kind : "array1d", "array2d", "series" or "frame"
    index, columns, name
        Labels of a Series or frame; None for arrays.
    """

    kind: str
    index: pd.Index[Any] | None = None
    columns: pd.Index[Any] | None = None
    name: Any = None

    def wrap(self, lanes: AnyArray) -> Any:
        """Return `lanes`, shape (n_lanes, n_bars), as what the user passed."""
        if self.kind == "array1d":
            return lanes[0]
        if self.kind == "array2d":
            return lanes.T
        if self.kind == "series":
            return pd.Series(lanes[0], index=self.index, name=self.name, copy=False)
        return pd.DataFrame(lanes.T, index=self.index, columns=self.columns, copy=False)


def to_lanes(name: str, value: Any, dtype: type = np.float64) -> tuple[AnyArray, Wrapping]:
    """Return `value` as lanes of `dtype` and the wrapping that turns results back.

    Raises
    ------
    DataError
        If `value` is not a 1-D or 2-D array, Series or frame, or not of numbers.
    """
    wrapping = _wrapping(value)
    raw = value.to_numpy() if isinstance(value, (pd.Series, pd.DataFrame)) else np.asarray(value)
    if wrapping is None:
        wrapping = Wrapping("array1d" if raw.ndim == 1 else "array2d")
    if raw.ndim not in {1, 2}:
        rule = "be one-dimensional (bars) or two-dimensional (bars × columns)"
        raise DataError(broken_rule(name, rule, raw.shape))
    lanes = raw[np.newaxis, :] if raw.ndim == 1 else raw.T
    try:
        return np.ascontiguousarray(lanes, dtype=dtype), wrapping
    except (TypeError, ValueError) as error:
        raise DataError(broken_rule(name, "hold numbers", raw.dtype)) from error


def _wrapping(value: Any) -> Wrapping | None:
    if isinstance(value, pd.Series):
        return Wrapping("series", index=value.index, name=value.name)
    if isinstance(value, pd.DataFrame):
        return Wrapping("frame", index=value.index, columns=value.columns)
    return None
