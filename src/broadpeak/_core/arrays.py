# SPDX-License-Identifier: BSD-3-Clause
"""The one edge to pandas: what users pass is unwrapped here, and results are wrapped again.

Inside the library an array is columns × bars: shape (n_columns, n_bars), float64 or bool, in C
order, so that a column lies in one piece of memory. That is what kernels loop over. pandas stores
a homogeneous frame in the same way, so nothing is copied either way.

What comes in is read-only from here on. Numba compiles a kernel once for read-only arrays and once
more for others, so all inputs of kernels must be of one kind; and pandas 3 returns read-only
arrays, as do strategies, which a writable view would have to copy.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar, cast, overload

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Index, Table, Values
from broadpeak._core.labels import span
from broadpeak._core.lazyframe import LazyIndex, Recipe, lazy_frame, lazy_series
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import AnyArray, BoolArray, FloatArray

Kept = TypeVar("Kept", pd.Series, pd.DataFrame, Table)
Any_ = TypeVar("Any_", bound=AnyArray)

_FLOAT64 = np.dtype(np.float64)
_PLAIN = frozenset({_FLOAT64, np.dtype(np.bool_)})
_SHAPES = "be one-dimensional (bars) or two-dimensional (bars × columns)"
_TRUTH = "hold true and false values"
_REMEDIES = {
    "c": "Pass the part that is meant: values.real or values.imag.",
    "V": "Pass one field of the records.",
}


@dataclass(slots=True, eq=False)
class Wrapping:
    """What the user passed, so that results come back in the same shape.

    `kind` is "array1d", "array2d", "series" or "frame"; arrays have no labels.
    """

    kind: str
    index: Index | None = None
    columns: Index | None = None
    name: object = None

    def wrap(self, columns: AnyArray) -> Values:
        """Return an array columns × bars as what the user passed."""
        if self.kind == "series":
            return pd.Series(columns[0], index=self.index, name=self.name, copy=False)
        if self.kind == "frame":
            return pd.DataFrame(columns.T, index=self.index, columns=self.columns, copy=False)
        return columns[0] if self.kind == "array1d" else columns.T

    def lazy(self, recipe: Recipe) -> Values:
        """Return what `wrap` makes of the values of `recipe`, once somebody looks at them."""
        if self.index is None:
            return self.wrap(recipe.bools())
        if self.kind == "series":
            return lazy_series(recipe, self.index, self.name)
        columns = self.columns
        if columns is None:
            columns = pd.RangeIndex(recipe.shape[0])
        return lazy_frame(recipe, self.index, LazyIndex(lambda: columns))


@overload
def unwrap(
    name: str, value: object, dtype: type[np.float64] = ...
) -> tuple[FloatArray, Wrapping]: ...
@overload
def unwrap(name: str, value: object, dtype: type[np.bool_]) -> tuple[BoolArray, Wrapping]: ...
def unwrap(
    name: str, value: object, dtype: type[np.float64 | np.bool_] = np.float64
) -> tuple[AnyArray, Wrapping]:
    """Return `value` as a read-only array columns × bars, and the wrapping that turns results back.

    Raises
    ------
    DataError
        If `value` is not a 1-D or 2-D array, Series or frame of numbers; for `np.bool_`, if it
        holds anything but true, false and missing values.
    """
    raw = as_bools(name, value) if dtype is np.bool_ else plain_array(name, value)
    if raw.ndim not in {1, 2}:
        raise DataError(broken_rule(name, _SHAPES, raw.shape if raw.ndim else value))
    if isinstance(value, pd.Series):
        wrapping = Wrapping("series", value.index, None, value.name)
    elif isinstance(value, pd.DataFrame):
        wrapping = Wrapping("frame", value.index, value.columns)
    else:
        wrapping = Wrapping("array1d" if raw.ndim == 1 else "array2d")
    columns = raw[np.newaxis, :] if raw.ndim == 1 else raw.T
    return read_only(columns.astype(dtype, order="C", copy=False)), wrapping


def unwrap_all(values: Mapping[str, object]) -> tuple[list[FloatArray], Wrapping]:
    """Return arguments that belong together bar by bar as arrays, and the wrapping of the first.

    pandas wins over arrays: the result is labelled if any argument is.

    Raises
    ------
    DataError
        If shapes, indexes or columns differ; the message shows both.
    """
    arrays: list[FloatArray] = []
    first, wrapping = "", Wrapping("")
    for name, value in values.items():
        array, labels = unwrap(name, value)
        if not arrays:
            first, wrapping = name, labels
        elif array.shape != arrays[0].shape:
            rule = f"have the shape of {first}, {arrays[0].shape[::-1]} (bars, columns)"
            raise DataError(broken_rule(name, rule, array.shape[::-1]))
        elif wrapping.index is None:
            wrapping = labels if labels.index is not None else wrapping
        else:
            check_labels(name, labels, first, wrapping)
        arrays.append(array)
    return arrays, wrapping


def check_labels(
    name: str, labels: Wrapping, first: str, wanted: Wrapping, *, columns: bool = True
) -> None:
    """Refuse `name` unless its index, and its columns if they count, are those of `first`."""
    pairs = [("index", labels.index, wanted.index)]
    if columns:
        pairs.append(("columns", labels.columns, wanted.columns))
    for what, got, want in pairs:
        if got is None or want is None or got is want or got.equals(want):
            continue
        rule = f"have the {what} of {first}, {span(want)}"
        remedy = f"Type: {name} = {name}.reindex_like({first}), if missing values are meant."
        raise DataError(broken_rule(name, rule, span(got), remedy))


def plain_array(name: str, value: object, rule: str = "hold numbers") -> AnyArray:
    """Return what a user passed as an array of real numbers or of bools.

    What is missing, masked or None becomes NaN. Strings, dates, spans of time, complex numbers,
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
    try:
        raw: AnyArray = (
            value.to_numpy()
            if isinstance(value, (pd.Series, pd.DataFrame))
            else np.asanyarray(value)
        )
    except (TypeError, ValueError) as error:  # rows of different lengths
        raise DataError(broken_rule(name, rule, value)) from error
    if raw.dtype in _PLAIN and type(raw) is np.ndarray:
        return raw
    if raw.dtype.kind not in "biufO":
        got = raw.flat[0].item() if raw.size and raw.dtype.kind in "SU" else raw.dtype
        raise DataError(broken_rule(name, rule, got, _REMEDIES.get(raw.dtype.kind, "")))
    if isinstance(raw, np.ma.MaskedArray):
        mask, raw = np.ma.getmaskarray(raw), np.ma.getdata(raw)
        if mask.any():
            raw = np.where(mask, np.nan, raw if raw.dtype == object else raw.astype(np.float64))
    return _from_objects(name, raw, rule) if raw.dtype == object else np.asarray(raw)


def _from_objects(name: str, raw: AnyArray, rule: str) -> FloatArray:
    missing = np.asarray(pd.isna(raw))
    for item in raw[~missing].flat:
        if not isinstance(item, (numbers.Real, np.bool_, Decimal)):
            raise DataError(broken_rule(name, rule if raw.ndim else _SHAPES, item))
    try:
        return np.where(missing, np.nan, raw).astype(np.float64)
    except OverflowError as error:
        raise DataError(broken_rule(name, f"{rule} below 1e308", raw.flat[0])) from error


def as_floats(name: str, value: object) -> FloatArray:
    """Return numbers of any shape as float64; bools are refused.

    Raises
    ------
    DataError
        If they are not numbers.
    """
    array = plain_array(name, value)
    if array.dtype.kind == "b":
        raise DataError(broken_rule(name, "hold numbers", array.dtype))
    return np.asarray(array, dtype=np.float64)


def as_bools(name: str, value: object) -> BoolArray:
    """Return signals of any shape as bools: missing ones are false, 0 and 1 count.

    Raises
    ------
    DataError
        If a value is neither true nor false nor missing.
    """
    array = plain_array(name, value, _TRUTH)
    if array.dtype == np.bool_:
        return array
    result = np.asarray(array == 1)
    good = result | (array == 0) | np.isnan(array)
    if not good.all():
        wrong = array[~good].ravel()[0].item()
        remedy = "Pass a comparison, such as fast > slow."
        raise DataError(broken_rule(name, _TRUTH, wrong, remedy))
    return result


def read_only(array: Any_) -> Any_:
    """Return a view in C order that cannot be written to."""
    view: Any_ = array if array.flags.c_contiguous else cast(Any_, np.ascontiguousarray(array))
    if view.flags.writeable:
        view = view.view()
        view.setflags(write=False)
    return view


def frozen(values: AnyArray) -> FloatArray:
    """Return `values` as a contiguous float64 array that cannot be changed, also by no view."""
    array = np.ascontiguousarray(values, dtype=np.float64)
    try:
        array.view().setflags(write=True)
    except ValueError:  # the owner of the memory is read-only already
        return array.view()
    array = array.copy()
    array.setflags(write=False)
    # The flag of a view cannot be set back while its owner is read-only.
    return array.view()


def single_column(value: object) -> FloatArray | None:
    """Return `value` if it is one contiguous float64 column, else None: the way past pandas."""
    if type(value) is not np.ndarray or value.ndim != 1 or value.dtype != _FLOAT64:
        return None
    flags = value.flags
    if not flags.c_contiguous:
        return None
    if flags.writeable:  # as in `read_only`: a call more would cost a tenth of a crossing
        value = value.view()
        value.setflags(write=False)
    return value


COPY_ON_WRITE = int(pd.__version__.partition(".")[0]) >= 3


def user_copy(kept: Kept) -> Kept:
    """Return a Series or frame that the user may change without changing `kept`.

    Since pandas 3 nothing is copied before something is written.
    """
    return kept.copy(deep=not COPY_ON_WRITE)
