# SPDX-License-Identifier: BSD-3-Clause
"""`concat`: scalars, 1-D arrays and Series become one Series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._merge.keys import all_same, as_keys, continued, joined, prepend, prepend_same
from broadpeak._merge.result_kinds import Kind, sort_out
from broadpeak._merge.scalars import join_arrays, join_bare, join_series, scalar_series
from broadpeak.errors import ParamTypeError


def concat(results: Sequence[Any], *, keys: Any = None, wrap: bool | None = None) -> Any:
    """Put scalars, 1-D arrays or Series one after another.

    Parameters
    ----------
    results : sequence
        All scalars, all 1-D arrays (or lists), or all Series.
    keys : Index or sequence, optional
        One label a result; they become the outer levels.
    wrap : bool, optional
        False: NumPy without labels. True: pandas. None: pandas where there are keys or Series.

    Returns
    -------
    Series or array
        Scalars: one entry each. Arrays: one more unnamed level with the position. Series: their
        own levels after those of `keys`.

    Raises
    ------
    TypeError
        For DataFrames and 2-D arrays, and for results of different kinds.

    Examples
    --------
    >>> concat([1.5, 2.5], keys=pd.Index([10, 20], name="fast"))
    fast
    10    1.5
    20    2.5
    dtype: float64
    """
    kind, values = sort_out(results, "concat")
    labels = as_keys(keys, len(values), "concat")
    if kind in {Kind.FRAME, Kind.TABLE}:
        raise ParamTypeError(
            f"concat must get scalars, 1-D arrays or Series, got {kind.value}s. "
            f"Use merge_func='column_stack' to put them side by side, "
            f"or merge_func='row_stack' to put them one below another."
        )
    if kind is Kind.SCALAR:
        return _scalars(values, labels, wrap)
    if kind is Kind.ARRAY:
        return _arrays(values, labels, wrap)
    return concat_series(values, labels, wrap)


def _scalars(values: list[Any], labels: pd.Index[Any] | None, wrap: bool | None) -> Any:
    if wrap is False or (labels is None and wrap is None):
        return scalar_series(values).to_numpy()
    return scalar_series(values, labels)


def _arrays(values: list[Any], labels: pd.Index[Any] | None, wrap: bool | None) -> Any:
    if wrap is False or (labels is None and wrap is None):
        return join_bare(values)
    whole = join_arrays(values)
    if labels is not None:
        lengths = np.array([len(value) for value in values], dtype=np.int64)
        whole.index = prepend(labels, lengths, positions(lengths))
    return whole


def positions(lengths: Any) -> Any:
    """Return 0, 1, … for every piece, pieces one after another."""
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return pd.Index(np.arange(len(starts)) - starts)


def concat_series(
    values: list[pd.Series[Any]], labels: pd.Index[Any] | None, wrap: bool | None
) -> Any:
    """Put Series one after another, as `concat` and `row_stack` both do."""
    whole = join_series(values)
    if wrap is False:
        return whole.to_numpy()
    indexes = [value.index for value in values]
    if labels is None:
        whole.index = continued(indexes, "concat")
    elif all_same(indexes):
        whole.index = prepend_same(labels, indexes[0])
    else:
        lengths = np.array([len(value) for value in values], dtype=np.int64)
        whole.index = prepend(labels, lengths, joined(indexes, "concat"))
    return whole
