# SPDX-License-Identifier: BSD-3-Clause
"""Pandas objects as a store holds them: an index, a Series, a frame, down to the last label.

What is written is read back at once and compared, since pandas has more corners than a list of
kinds can name; what comes back another way is refused.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import pandas as pd

from broadpeak._store.kinds import (
    Read,
    Reader,
    UnfitError,
    ValueWriter,
    Write,
    dtype_text,
    read_array,
    write_array,
)

_FREQ = re.compile(r"-?\d{0,9}[A-Za-z]{1,4}(-[A-Z]{3})?")
_MASKED: Final = {
    "boolean": pd.arrays.BooleanArray,
    "Float32": pd.arrays.FloatingArray,
    "Float64": pd.arrays.FloatingArray,
    **{
        f"{sign}nt{bits}": pd.arrays.IntegerArray
        for sign in ("I", "UI")
        for bits in (8, 16, 32, 64)
    },
}
_INDEXES = (pd.Index, pd.DatetimeIndex, pd.TimedeltaIndex, pd.CategoricalIndex)


def _write_checked(to: ValueWriter, value: Any, write: Write, read: Read) -> None:
    """Write `value` if it comes back the same."""
    part = ValueWriter(to.depth)
    try:
        write(part, value)
        back = read(Reader(memoryview(part.out)))
    except UnfitError:
        raise
    except Exception as error:  # whatever pandas has against it
        raise UnfitError(f"pandas does not build it again ({error})") from error
    if describe(back) != describe(value):
        name = type(value).__name__
        raise UnfitError(f"the {name} would not come back the same from plain arrays")
    to.out += part.out


def describe(value: Any) -> Any:
    """Return all that makes a pandas object what it is, but the numbers of its plain arrays."""
    if isinstance(value, pd.MultiIndex):
        codes = [(np.asarray(part).dtype, np.asarray(part).tolist()) for part in value.codes]
        levels = [describe(level) for level in value.levels]
        return type(value), codes, levels, _names(value)
    if isinstance(value, pd.Index):
        freq = getattr(value, "freq", None)
        content = (value.start, value.stop, value.step) if isinstance(value, pd.RangeIndex) else ()
        dtype = _dtype(value.dtype)
        return type(value), dtype, len(value), content, freq, type(freq), _names(value)
    around = (type(value), describe(value.index), _exactly(value.attrs), _flags(value))
    if isinstance(value, pd.Series):
        return *around, _dtype(value.dtype), _exactly(value.name)
    kinds = [_dtype(dtype) for dtype in value.dtypes]
    return *around, kinds, describe(value.columns)


def _names(index: pd.Index[Any]) -> list[Any]:
    return [_exactly(name) for name in index.names]


def _flags(value: Any) -> bool:
    return bool(value.flags.allows_duplicate_labels)


def _exactly(value: Any) -> bytes:
    """Return the bytes of a label: two that are equal and of other types have others."""
    to = ValueWriter()
    to.value(value)
    return bytes(to.out)


def _dtype(dtype: Any) -> Any:
    if isinstance(dtype, pd.CategoricalDtype):
        return type(dtype), describe(dtype.categories), dtype.ordered
    if isinstance(dtype, pd.StringDtype):
        return type(dtype), dtype.storage, repr(getattr(dtype, "na_value", pd.NA))
    if isinstance(dtype, pd.DatetimeTZDtype):
        return type(dtype), dtype.unit, type(dtype.tz), str(dtype.tz)
    return type(dtype), str(dtype), getattr(dtype, "char", "")


def _write_values(to: ValueWriter, value: Any) -> None:
    """Write the values of a Series or a flat index."""
    dtype = value.dtype
    if isinstance(dtype, np.dtype):
        to.out += b"n"
        write_array(to, np.asarray(value).copy())
    elif type(dtype) is pd.DatetimeTZDtype:
        to.out += b"z"
        to.zone(dtype.tz)
        write_array(to, value.to_numpy(dtype=f"datetime64[{dtype.unit}]").copy())
    elif type(dtype) is pd.StringDtype:
        to.out += b"s"
        to.pack("??", dtype.storage == "pyarrow", getattr(dtype, "na_value", pd.NA) is pd.NA)
        to.values(value.to_numpy(dtype=object, na_value=None).tolist())
    elif type(dtype) is pd.CategoricalDtype:
        to.out += b"c"
        to.pack("?", bool(dtype.ordered))
        _write_index(to, dtype.categories)
        write_array(to, pd.Categorical(value).codes.copy())
    elif str(dtype) in _MASKED:
        whole = value.array
        to.out += b"m"
        to.text(str(dtype))
        # Under a mask there may be anything; and a NaN that is not masked is no NA.
        write_array(to, whole._data.copy())  # noqa: SLF001
        write_array(to, whole._mask.copy())  # noqa: SLF001
    else:
        raise UnfitError(f"values of dtype {dtype} are none of them")


def _read_values(of: Reader) -> Any:
    """Return an array, of NumPy or of pandas."""
    kind = bytes(of.take(1))
    if kind == b"n":
        return _flat(of)
    if kind == b"z":
        zone = of.zone()
        values = _flat(of)
        if values.dtype.kind != "M" or zone is None:
            raise ValueError("no times")
        return pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(zone).array
    if kind == b"s":
        return _read_texts(of)
    if kind == b"c":
        (ordered,) = of.unpack("?")
        categories = _read_index(of)
        return pd.Categorical.from_codes(_flat(of), categories, ordered=ordered)
    if kind != b"m":
        raise ValueError("no values")
    make = _MASKED[of.text()]
    return make(_flat(of), _flat(of))


def _flat(of: Reader) -> Any:
    array = read_array(of)
    if array.ndim != 1:
        raise ValueError("not one dimension")
    return array


def _read_texts(of: Reader) -> Any:
    in_arrow, has_na = of.unpack("??")
    storage: Any = "pyarrow" if in_arrow else "python"
    make: Any = pd.StringDtype
    dtype = make(storage) if has_na else make(storage, na_value=np.nan)
    items = of.values()
    if any(item is not None and type(item) is not str for item in items):
        raise ValueError("no text")
    return pd.array(items, dtype=dtype)


def _write_index(to: ValueWriter, index: pd.Index[Any]) -> None:
    if type(index) is pd.RangeIndex:
        to.out += b"r"
        for end in (index.start, index.stop, index.step):
            to.value(int(end))
    elif type(index) is pd.MultiIndex:
        to.out += b"m"
        to.pack("<B", index.nlevels)
        for level, codes in zip(index.levels, index.codes, strict=True):
            _write_index(to, level)
            write_array(to, np.asarray(codes).copy())
    elif type(index) in _INDEXES:
        to.out += b"i"
        freq = getattr(index, "freqstr", None)
        to.value(freq)
        _write_values(to, index)
    else:
        raise UnfitError(f"an index of type {type(index).__name__} is none of them")
    to.values(list(index.names))


def _read_index(of: Reader) -> Any:
    kind = bytes(of.take(1))
    if kind == b"r":
        start, stop, step = (_whole(of.value()) for _ in range(3))
        index: Any = pd.RangeIndex(start, stop, step)
    elif kind == b"m":
        (n,) = of.unpack("<B")
        parts = [(_read_index(of), _flat(of)) for _ in range(n)]
        index = pd.MultiIndex([level for level, _ in parts], [codes for _, codes in parts])
    elif kind == b"i":
        freq = of.value()
        values = _read_values(of)
        plain = isinstance(values, np.ndarray) and values.dtype == object
        index = pd.Index(values, dtype=object) if plain else pd.Index(values)
        index = index if freq is None else _with_freq(index, freq)
    else:
        raise ValueError("no index")
    index.names = of.values()
    return index


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("no whole number")
    return value


def _with_freq(index: Any, freq: Any) -> Any:
    if type(freq) is not str or _FREQ.fullmatch(freq) is None:
        raise ValueError("no frequency")
    return type(index)(index, freq=freq)


def _write_series(to: ValueWriter, value: pd.Series[Any]) -> None:
    _write_index(to, value.index)
    to.value(value.name)
    to.value(dict(value.attrs))
    to.pack("?", _flags(value))
    _write_values(to, value)


def _read_series(of: Reader) -> Any:
    index, name, attrs = _read_index(of), of.value(), of.value()
    (duplicates,) = of.unpack("?")
    made = _column(_read_values(of), index)
    made.name = name
    made.attrs = attrs
    return made if duplicates else made.set_flags(allows_duplicate_labels=False)


def _column(values: Any, index: Any) -> Any:
    if len(values) != len(index):  # a single value would be repeated
        raise ValueError("another number of values")
    return pd.Series(values, index=index, dtype=values.dtype, copy=False)


def _write_frame(to: ValueWriter, value: pd.DataFrame) -> None:
    _write_index(to, value.index)
    _write_index(to, value.columns)
    to.value(dict(value.attrs))
    to.pack("?", _flags(value))
    kinds = set(value.dtypes)
    one = kinds.pop() if len(kinds) == 1 else None
    if isinstance(one, np.dtype) and not one.hasobject:
        # Its order in memory decides how pandas adds up, hence the last digit of a mean.
        dtype_text(one)
        to.out += b"t"
        write_array(to, value.to_numpy())
        return
    to.out += b"c"
    to.pack("<Q", value.shape[1])
    for place in range(value.shape[1]):
        _write_values(to, value.iloc[:, place])


def _read_frame(of: Reader) -> Any:
    index, columns, attrs = _read_index(of), _read_index(of), of.value()
    (duplicates,) = of.unpack("?")
    kind = bytes(of.take(1))
    if kind == b"t":
        made = _table(read_array(of), index, columns)
    elif kind == b"c":
        parts = [_column(_read_values(of), index) for _ in range(of.count())]
        made = pd.DataFrame(dict(enumerate(parts)), index=index)
        made.columns = columns
    else:
        raise ValueError("no frame")
    made.attrs = attrs
    return made if duplicates else made.set_flags(allows_duplicate_labels=False)


def _table(array: Any, index: Any, columns: Any) -> pd.DataFrame:
    if array.shape != (len(index), len(columns)):
        raise ValueError("another shape")
    array.flags.writeable = True
    return pd.DataFrame(array, index=index, columns=columns, copy=False)


def _checked(write: Write, read: Read) -> Write:
    return lambda to, value: _write_checked(to, value, write, read)


_INDEX = _checked(_write_index, _read_index), _read_index
KINDS: Final[tuple[tuple[type, bytes, Write, Read], ...]] = (
    (pd.Index, b"I", *_INDEX),
    (pd.RangeIndex, b"R", *_INDEX),
    (pd.MultiIndex, b"U", *_INDEX),
    (pd.DatetimeIndex, b"J", *_INDEX),
    (pd.TimedeltaIndex, b"K", *_INDEX),
    (pd.CategoricalIndex, b"C", *_INDEX),
    (pd.Series, b"Y", _checked(_write_series, _read_series), _read_series),
    (pd.DataFrame, b"W", _checked(_write_frame, _read_frame), _read_frame),
)
