# SPDX-License-Identifier: BSD-3-Clause
"""pandas at the edge, lanes inside.

A *lane* is one column laid out contiguously: kernels see float64 or bool arrays of shape
(n_lanes, n_bars) in C order. pandas keeps a homogeneous frame just so, hence no copy either way.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from decimal import Decimal
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


def unwrap(name: str, value: Any, dtype: type = np.float64) -> tuple[AnyArray, Wrapping]:
    """Return `value` as lanes of `dtype` and the wrapping that turns results back.

    Raises
    ------
    DataError
        If `value` is not a 1-D or 2-D array, Series or frame, or not of numbers.
    """
    wrapping = _wrapping(value)
    raw = plain_array(name, value)
    if wrapping is None:
        wrapping = Wrapping("array1d" if raw.ndim == 1 else "array2d")
    if raw.ndim not in {1, 2}:
        raise DataError(broken_rule(name, _SHAPES, raw.shape if raw.ndim else value))
    lanes = raw[np.newaxis, :] if raw.ndim == 1 else raw.T
    return kernel_view(np.ascontiguousarray(lanes, dtype=dtype)), wrapping


def plain_array(name: str, value: Any, rule: str = "hold numbers") -> AnyArray:
    """Return what a user passed as an array of real numbers or of bools.

    What is missing, masked or None becomes NaN. Text, dates, spans of time, complex numbers,
    records and other objects are refused, also where NumPy would turn them into numbers.

    Raises
    ------
    DataError
        If a value is not of such a kind; the message shows the first one.

    Examples
    --------
    >>> plain_array("x", np.ma.masked_array([1, 2], mask=[True, False]))
    array([nan,  2.])
    """
    if type(value) is np.ndarray and value.dtype in {np.float64, np.bool_}:
        return value
    try:
        raw: AnyArray = value.to_numpy() if _is_pandas(value) else np.asanyarray(value)
    except (TypeError, ValueError) as error:  # rows of different lengths
        raise DataError(broken_rule(name, rule, value)) from error
    if raw.dtype.kind not in "biufO":
        got = raw.flat[0].item() if raw.size and raw.dtype.kind in "SU" else raw.dtype
        raise DataError(broken_rule(name, rule, got, _REMEDIES.get(raw.dtype.kind, "")))
    if isinstance(raw, np.ma.MaskedArray):
        mask, raw = np.ma.getmaskarray(raw), np.ma.getdata(raw)
        if mask.any():
            raw = np.where(mask, np.nan, raw if raw.dtype == object else raw.astype(np.float64))
    return _from_objects(name, raw, rule) if raw.dtype == object else np.asarray(raw)


_SHAPES = "be one-dimensional (bars) or two-dimensional (bars × columns)"
_REMEDIES = {
    "c": "Pass the part that is meant: values.real or values.imag.",
    "V": "Pass one field of the records.",
}


def _from_objects(name: str, raw: AnyArray, rule: str) -> AnyArray:
    missing = np.asarray(pd.isna(raw))
    for item in raw[~missing].flat:
        if not isinstance(item, (numbers.Real, np.bool_, Decimal)):
            raise DataError(broken_rule(name, rule if raw.ndim else _SHAPES, item))
    try:
        return np.where(missing, np.nan, raw).astype(np.float64)
    except OverflowError as error:
        raise DataError(broken_rule(name, f"{rule} below 1e308", raw.flat[0])) from error


def _is_pandas(value: Any) -> bool:
    return isinstance(value, (pd.Series, pd.DataFrame))


def kernel_view(array: AnyArray) -> AnyArray:
    """Return `array` as the kernels know it: the same memory, not marked read-only.

    Numba compiles every kernel once more for read-only arrays, which is what pandas hands out.
    Kernels never write to their inputs, so the mark can go; memory that is really read-only is
    copied.
    """
    if array.flags.writeable:
        return array
    view = array.view()
    try:
        view.flags.writeable = True
    except ValueError:
        return array.copy()
    return view


COPY_ON_WRITE = int(pd.__version__.partition(".")[0]) >= 3


def lent(kept: Any) -> Any:
    """Return a Series or frame that the user may change without changing `kept`.

    Since pandas 3 nothing is copied before something is written.
    """
    return kept.copy(deep=not COPY_ON_WRITE)


def lane(value: Any) -> AnyArray | None:
    """Return `value` if it is one contiguous float64 lane, else None: the way past pandas."""
    if (
        type(value) is np.ndarray
        and value.ndim == 1
        and value.dtype == np.float64
        and value.flags.c_contiguous
    ):
        return kernel_view(value)
    return None


def unwrap_all(values: dict[str, Any]) -> tuple[list[AnyArray], Wrapping]:
    """Return arguments that belong together bar by bar as lanes, and the wrapping of the first.

    pandas wins over arrays: the result is labelled if any argument is.

    Raises
    ------
    DataError
        If shapes, indexes or columns differ; the message shows both.
    """
    parts = [(name, *unwrap(name, value)) for name, value in values.items()]
    first, lanes, wrapping = parts[0]
    for name, other, labels in parts[1:]:
        if other.shape != lanes.shape:
            rule = f"have the shape of {first}, {_shape(lanes)} (bars, columns)"
            raise DataError(broken_rule(name, rule, _shape(other)))
        if wrapping.index is None:
            wrapping = labels if labels.index is not None else wrapping
        elif labels.index is not None:
            check_labels(name, labels, first, wrapping)
    return [part[1] for part in parts], wrapping


def check_labels(name: str, labels: Wrapping, first: str, wanted: Wrapping) -> None:
    """Refuse `name` unless its index and columns are those of `first`."""
    for what, got, want in (
        ("index", labels.index, wanted.index),
        ("columns", labels.columns, wanted.columns),
    ):
        if got is None or want is None or got is want or got.equals(want):
            continue
        rule = f"have the {what} of {first}, {_ends(want)}"
        remedy = f"Type: {name} = {name}.reindex_like({first}), if missing values are meant."
        raise DataError(broken_rule(name, rule, _ends(got), remedy))


def check_index(name: str, labels: Wrapping, first: str, wanted: Wrapping) -> None:
    """Refuse `name` unless its index is that of `first`."""
    index, other = (Wrapping("series", one.index) for one in (labels, wanted))
    check_labels(name, index, first, other)


def _shape(lanes: AnyArray) -> tuple[int, int]:
    return lanes.shape[1], lanes.shape[0]


def _ends(labels: pd.Index[Any]) -> str:
    ends = f" from {labels[0]} to {labels[-1]}" if len(labels) else ""
    return f"{len(labels)} labels{ends}"


def _wrapping(value: Any) -> Wrapping | None:
    if isinstance(value, pd.Series):
        return Wrapping("series", index=value.index, name=value.name)
    if isinstance(value, pd.DataFrame):
        return Wrapping("frame", index=value.index, columns=value.columns)
    return None
