# SPDX-License-Identifier: BSD-3-Clause
"""Results ↔ bytes: a closed list of kinds, each written and built by functions of this module.

A value comes back as it was, down to type, dtype and memory order. What would not is no kind of
the list: it can only be pickled, which needs trust, both to write and to read.

The list is closed, at the end of this module: whoever wrote the bytes can choose among these kinds,
and nothing else. No name in them is looked up, imported or called. pandas objects are read back at
once when they are written, and compared: pandas has more corners than a list of kinds can name.
"""

from __future__ import annotations

import functools
import math
import pickle
import re
import struct
from collections.abc import Callable, Collection, Sized
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

import cloudpickle
import numpy as np
import pandas as pd

from broadpeak._core.aliases import Index, Series, Table
from broadpeak.errors import StoreError, described, shown
from broadpeak.types import AnyArray, NoResult

_PLAIN, _PICKLE = b"V", b"P"
_TRUST = "Open the store with bp.Store(path, trust=True) if you trust who wrote it."

_DEEPEST = 100  # values inside values: far more than results have, far less than the stack
_DTYPE = re.compile(
    r"\|b1|[|<>][iu]1|[<>][iu][248]|[<>]f[248]|[<>]c(8|16)|<U\d{1,6}|>U\d{1,6}|\|S\d{1,6}"
    r"|[<>][mM]8\[(ns|us|ms|s|m|h|D|W|M|Y)\]"
)
_MOMENT: Final = struct.Struct("<HBBBBBIB")
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

Order: TypeAlias = Literal["C", "F"]
Write: TypeAlias = "Callable[[ValueWriter, Any], None]"
Read: TypeAlias = "Callable[[ValueReader], object]"


def encode(value: object, *, trust: bool) -> bytes:
    """Return `value` as bytes.

    Raises
    ------
    StoreError
        If it could only be pickled and `trust` is False, or cannot even be pickled.

    Examples
    --------
    >>> decode(encode([1, 2.5, "a"], trust=False), trust=False)
    [1, 2.5, 'a']
    """
    writer = ValueWriter()
    try:
        writer.value(value)
    except Exception as unfit:  # noqa: BLE001  # whatever NumPy and pandas say of a value at their edges
        if trust:
            return _PICKLE + _pickled(value)
        msg = (
            "Results in a store must be numbers, strings, dates, arrays, pandas objects, or lists "
            f"and dicts of these, got {shown(value)} ({type(value).__name__}): {unfit}. "
            f"Anything else must be pickled. {_TRUST}"
        )
        raise StoreError(msg) from None
    return _PLAIN + bytes(writer.out)


def decode(raw: bytes, *, trust: bool) -> Any:
    """Return the value of `raw`, which `encode` made.

    Raises
    ------
    StoreError
        If it holds a pickle and `trust` is False, or is damaged.
    """
    if raw[:1] == _PICKLE:
        return _unpickled(raw[1:], trust=trust)
    try:
        value = _read_whole(memoryview(raw), _PLAIN)
    except Exception as error:  # whatever NumPy and pandas say of a crafted value
        msg = (
            "A stored result must be one that this library wrote, got bytes that make no value "
            f"({type(error).__name__}). Restore the file from a copy, or choose a new file name."
        )
        raise StoreError(msg) from error
    return value


def _pickled(value: object) -> bytes:
    try:
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001  # pickle raises whatever objects raise
        pass
    try:  # closures and classes made in functions
        return bytes(cloudpickle.dumps(value))
    except Exception as error:
        msg = (
            "Results in a store must be picklable, got "
            f"{shown(value)} ({type(value).__name__}): {described(error)}. "
            "Return numbers, arrays or pandas objects."
        )
        raise StoreError(msg) from error


def _unpickled(raw: bytes, *, trust: bool) -> Any:
    if not trust:
        msg = (
            "A stored result must be read only on trust, since it is a pickle, and reading a "
            f"pickle runs what it says; got {len(raw):,} bytes. {_TRUST}"
        )
        raise StoreError(msg)
    try:
        return pickle.loads(raw)
    except Exception as error:
        msg = (
            "A stored pickle must be of classes and functions that can still be imported, got "
            f"{described(error)}. Import what the run imported, or choose a new "
            "file name."
        )
        raise StoreError(msg) from error


class UnfitError(Exception):
    """A value is of no kind that comes back as it was; the message says why."""


class ValueWriter:
    """Bytes of a value: one byte that names the kind, then what the kind needs.

    Attributes
    ----------
    out : bytearray
        What was written so far.
    """

    def __init__(self, depth: int = 0) -> None:
        self.out = bytearray()
        self.depth = depth

    def value(self, value: object) -> None:
        """Write a value of any kind of the list."""
        form = _FORMS.get(type(value))
        if form is None:
            form = _form_of_scalar(value)
        self.out += form[0]
        form[1](self, value)

    def pack(self, form: str, *values: object) -> None:
        """Write numbers in a layout of `struct`."""
        self.out += struct.pack(form, *values)

    def raw(self, raw: bytes) -> None:
        """Write bytes, their number first."""
        self.out += struct.pack("<Q", len(raw))
        self.out += raw

    def string(self, text: str) -> None:
        """Write a string, also one that UTF-8 has no bytes for."""
        self.raw(text.encode("utf-8", "surrogatepass"))

    def values(self, values: Collection[object]) -> None:
        """Write as many values as there are, their number first."""
        self.depth += 1
        if self.depth > _DEEPEST:
            msg = f"it is nested more than {_DEEPEST} deep, or holds itself"
            raise UnfitError(msg)
        self.pack("<Q", len(values))
        for value in values:
            self.value(value)
        self.depth -= 1

    def zone(self, zone: tzinfo | None) -> None:
        """Write a time zone of the standard library, or one that pandas knows by name."""
        if zone is None:
            self.out += b"-"
        elif type(zone) is timezone:
            offset = zone.utcoffset(None)
            if repr(timezone(offset)) != repr(zone):
                msg = "a time zone of a fixed offset must have no name of its own"
                raise UnfitError(msg)
            self.pack("<cq", b"+", offset // timedelta(microseconds=1))
        else:
            name = str(zone)
            kind = b"z" if type(zone) is ZoneInfo else b"p"
            if not _is_zone(zone, kind, name):
                msg = f"{zone!r} is no time zone of a name that this system knows"
                raise UnfitError(msg)
            self.out += kind
            self.string(name)


class ValueReader:
    """Values out of bytes; it never takes more than there are.

    Parameters
    ----------
    raw : memoryview
        What a `ValueWriter` wrote.
    """

    def __init__(self, raw: memoryview) -> None:
        self._raw = raw
        self._at = 0
        self._depth = 0

    def value(self) -> Any:
        """Read one value."""
        return _READERS[bytes(self.take(1))](self)

    def end(self) -> None:
        """Raise unless everything was read."""
        if self._at != len(self._raw):
            raise ValueError("bytes are left over")

    def take(self, n: int) -> memoryview:
        """Return the next `n` bytes."""
        end = self._at + n
        if n < 0 or end > len(self._raw):
            raise ValueError("bytes are missing")
        part = self._raw[self._at : end]
        self._at = end
        return part

    def unpack(self, form: str) -> tuple[Any, ...]:
        """Read numbers in a layout of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def raw(self) -> memoryview:
        """Read bytes whose number stands before them."""
        return self.take(self.unpack("<Q")[0])

    def string(self) -> str:
        """Read a string."""
        return bytes(self.raw()).decode("utf-8", "surrogatepass")

    def count(self) -> int:
        """Read a number of values, each of which takes a byte at least."""
        n: int = self.unpack("<Q")[0]
        if n > len(self._raw) - self._at:
            raise ValueError("values are missing")
        return n

    def values(self) -> list[Any]:
        """Read as many values as are said to be there."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("nested too deep")
        found = [self.value() for _ in range(self.count())]
        self._depth -= 1
        return found

    def zone(self) -> tzinfo | None:
        """Read a time zone; a name is looked for among time zones only."""
        kind = bytes(self.take(1))
        if kind == b"-":
            return None
        if kind == b"+":
            return timezone(timedelta(microseconds=self.unpack("<q")[0]))
        name = self.string()
        if kind not in {b"z", b"p"}:
            raise ValueError("no time zone")
        zone: tzinfo = _named_zone(kind, name)
        return zone


def _read_whole(raw: memoryview, mark: bytes) -> Any:
    """Return the value that `raw` is all of, behind `mark`."""
    reader = ValueReader(raw)
    if reader.take(len(mark)) != mark:
        raise ValueError("unknown form")
    value = reader.value()
    reader.end()
    return value


@functools.cache
def _zone_names() -> frozenset[str]:
    """Return the zones of this system: a name that is none of them must not be searched for."""
    return frozenset(available_timezones())


def _named_zone(kind: bytes, name: str) -> tzinfo:
    if name not in _zone_names():
        raise ValueError("no time zone")
    return ZoneInfo(name) if kind == b"z" else pd.DatetimeTZDtype("ns", name).tz


def _is_zone(zone: tzinfo, kind: bytes, name: str) -> bool:
    """Return whether `zone` is what its name stands for, and not one read from a file."""
    try:
        known = _named_zone(kind, name)
    except Exception:  # noqa: BLE001  # no such zone, in the words of whichever library
        return False
    if type(known) is not type(zone):
        return False
    # Before pandas 3 a moment holds the offset that its zone had then; the zone is known by name.
    return bool(known == zone) or getattr(zone, "zone", None) == name


def _write_int(to: ValueWriter, value: int) -> None:
    to.raw(value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def _read_int(of: ValueReader) -> int:
    return int.from_bytes(of.raw(), "little", signed=True)


def _write_range(to: ValueWriter, value: range) -> None:
    for number in (value.start, value.stop, value.step):
        _write_int(to, number)


def _read_range(of: ValueReader) -> range:
    return range(_read_int(of), _read_int(of), _read_int(of))


def _write_dict(to: ValueWriter, value: dict[Any, Any]) -> None:
    to.values(list(value))
    to.values(list(value.values()))


def _read_dict(of: ValueReader) -> dict[Any, Any]:
    keys, values = of.values(), of.values()
    made = dict(zip(keys, values, strict=True))
    _check_all_there(made, keys)
    return made


def _check_all_there(made: Sized, items: list[object]) -> None:
    if len(made) != len(items):
        raise ValueError("a key or member is there twice")


def _read_set(of: ValueReader) -> set[Any]:
    items = of.values()
    made = set(items)
    _check_all_there(made, items)
    return made


def _write_datetime(to: ValueWriter, value: datetime) -> None:
    parts = (value.year, value.month, value.day, value.hour, value.minute, value.second)
    to.out += _MOMENT.pack(*parts, value.microsecond, value.fold)
    to.zone(value.tzinfo)


def _read_datetime(of: ValueReader) -> datetime:
    *parts, fold = _MOMENT.unpack(of.take(_MOMENT.size))
    return datetime(*parts).replace(tzinfo=of.zone(), fold=fold)


def _write_complex(to: ValueWriter, value: complex) -> None:
    to.pack("<dd", value.real, value.imag)


def _write_date(to: ValueWriter, value: date) -> None:
    to.pack("<I", value.toordinal())


def _write_delta(to: ValueWriter, value: timedelta) -> None:
    to.pack("<iii", value.days, value.seconds, value.microseconds)


def _write_stamp(to: ValueWriter, value: pd.Timestamp) -> None:
    number = int(value.asm8.view("i8"))
    to.string(value.unit)
    to.pack("<q", number)
    to.zone(value.tzinfo)
    back = _stamp(value.unit, number, value.tzinfo)
    if back.fold != value.fold:
        msg = "its fold is not that of its time"
        raise UnfitError(msg)


def _stamp(unit: str, number: int, zone: tzinfo | None) -> pd.Timestamp:
    stamp = pd.Timestamp(np.datetime64(number, _unit(unit)))
    made = stamp if zone is None else stamp.tz_localize(UTC).tz_convert(zone)
    if not isinstance(made, pd.Timestamp):
        raise TypeError("no time")
    return made


def _unit(unit: str) -> Any:
    if unit not in {"s", "ms", "us", "ns"}:
        raise ValueError("no unit of pandas")
    return unit


def _read_stamp(of: ValueReader) -> pd.Timestamp:
    return _stamp(of.string(), of.unpack("<q")[0], of.zone())


def _write_pandas_delta(to: ValueWriter, value: pd.Timedelta) -> None:
    to.string(value.unit)
    to.pack("<q", value.asm8.view("i8"))


def _read_pandas_delta(of: ValueReader) -> pd.Timedelta:
    unit = _unit(of.string())
    return pd.Timedelta(np.timedelta64(of.unpack("<q")[0], unit))


def _nothing(to: ValueWriter, value: object) -> None:
    """Write nothing: the kind says it all."""


def _form_of_scalar(value: object) -> tuple[bytes, Write]:
    """Return the form of a NumPy scalar; what is none is unfit."""
    kind = type(value)
    if isinstance(value, np.generic) and kind.__module__ == "numpy":
        return _FORMS[np.generic]
    module = kind.__module__
    name = kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
    raise UnfitError(f"values of type {name} are none of them")


def _dtype_name(dtype: np.dtype[Any]) -> str:
    """Return what names a plain dtype."""
    text = dtype.str
    if (
        _DTYPE.fullmatch(text) is None
        or dtype.metadata is not None
        or dtype.fields is not None
        or dtype.itemsize == 0
        or np.dtype(text).char != dtype.char
    ):
        raise UnfitError(f"arrays of dtype {dtype} are none of them")
    return text


def _dtype_of(text: str) -> np.dtype[Any]:
    """Return the dtype of a name out of a closed list."""
    if _DTYPE.fullmatch(text) is None:
        raise ValueError("no plain dtype")
    dtype = np.dtype(text)
    if dtype.itemsize == 0:
        raise ValueError("no plain dtype")
    return dtype


def _write_array(to: ValueWriter, value: AnyArray) -> None:
    """Write an array of a plain dtype, or of objects of the list, in its order in memory."""
    first_axis_runs = value.ndim > 1 and abs(value.strides[0]) < abs(value.strides[-1])
    is_fortran = value.flags.fnc or (not value.flags.c_contiguous and first_axis_runs)
    order: Order = "F" if is_fortran else "C"
    is_object = value.dtype == object
    to.string("O" if is_object else _dtype_name(value.dtype))
    to.pack("<B?B", ord(order), value.flags.writeable, value.ndim)
    to.pack(f"<{value.ndim}Q", *value.shape)
    if is_object:
        to.values(value.ravel(order).tolist())
    else:
        to.raw(value.tobytes(order))


def _read_array(of: ValueReader) -> AnyArray:
    """Read an array; it owns its memory."""
    text = of.string()
    sign, is_writable, ndim = of.unpack("<B?B")
    shape = of.unpack(f"<{ndim}Q")
    if sign not in b"CF" or ndim > 32 or any(n >= 1 << 48 for n in shape):
        raise ValueError("no array")
    order: Order = "F" if sign == ord("F") else "C"
    array = _objects(of, shape, order) if text == "O" else _plain(of, text, shape, order)
    array.flags.writeable = is_writable
    return array


def _objects(of: ValueReader, shape: tuple[int, ...], order: Order) -> AnyArray:
    items = of.values()
    if math.prod(shape) != len(items):
        raise ValueError("another number of items")
    flat = np.empty(len(items), dtype=object)
    for position, item in enumerate(items):
        flat[position] = item
    return flat.reshape(shape, order=order).copy(order)


def _plain(of: ValueReader, text: str, shape: tuple[int, ...], order: Order) -> AnyArray:
    dtype, raw = _dtype_of(text), of.raw()
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise ValueError("another number of bytes")
    flat = np.frombuffer(raw, dtype=dtype) if len(raw) else np.empty(0, dtype)
    is_bad_bool = dtype.kind == "b" and flat.size and flat.view("u1").max() > 1
    points = flat.astype(dtype.newbyteorder("=")).view("u4") if dtype.kind == "U" else flat
    if is_bad_bool or (dtype.kind == "U" and points.size and points.max() > 0x10FFFF):
        raise ValueError("no value of its dtype")
    return flat.reshape(shape, order=order).copy(order)


def _write_scalar(to: ValueWriter, value: np.generic) -> None:
    """Write a NumPy scalar."""
    dtype = value.dtype
    text = _dtype_name(dtype)
    if type(value) is not np.dtype(text).type:
        raise UnfitError(f"values of type {type(value).__name__} are none of them")
    to.string(text)
    if isinstance(value, np.str_):
        to.string(str.__str__(value))  # as an array it would lose zeros at its end
    else:
        to.raw(bytes(value) if isinstance(value, np.bytes_) else value.tobytes())


def _read_scalar(of: ValueReader) -> object:
    """Read a NumPy scalar."""
    dtype = _dtype_of(of.string())
    if dtype.kind == "U":
        return np.str_(of.string())
    raw = of.raw()
    if dtype.kind == "S":
        return np.bytes_(raw)
    if len(raw) != dtype.itemsize or (dtype.kind == "b" and raw[0] > 1):
        raise ValueError("no value of its dtype")
    return np.frombuffer(raw, dtype=dtype)[0]


def _write_checked(to: ValueWriter, value: Any, write: Write, read: Read) -> None:
    """Write `value` if it comes back the same."""
    part = ValueWriter(to.depth)
    try:
        write(part, value)
        back = read(ValueReader(memoryview(part.out)))
    except UnfitError:
        raise
    except Exception as error:  # whatever pandas has against it
        raise UnfitError(f"pandas does not build it again ({error})") from error
    if describe(back) != describe(value):
        name = type(value).__name__
        raise UnfitError(f"the {name} would not come back the same from plain arrays")
    to.out += part.out


def describe(value: Any) -> tuple[object, ...]:
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


def _names(index: Index) -> list[bytes]:
    return [_exactly(name) for name in index.names]


def _flags(value: Table) -> bool:
    return bool(value.flags.allows_duplicate_labels)


def _exactly(value: object) -> bytes:
    """Return the bytes of a label: two that are equal and of other types have others."""
    to = ValueWriter()
    to.value(value)
    return bytes(to.out)


def _dtype(dtype: object) -> tuple[object, ...]:
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
        _write_array(to, np.asarray(value).copy())
    elif type(dtype) is pd.DatetimeTZDtype:
        to.out += b"z"
        to.zone(dtype.tz)
        _write_array(to, value.to_numpy(dtype=f"datetime64[{dtype.unit}]").copy())
    elif type(dtype) is pd.StringDtype:
        to.out += b"s"
        to.pack("??", dtype.storage == "pyarrow", getattr(dtype, "na_value", pd.NA) is pd.NA)
        to.values(value.to_numpy(dtype=object, na_value=None).tolist())
    elif type(dtype) is pd.CategoricalDtype:
        to.out += b"c"
        to.pack("?", bool(dtype.ordered))
        _write_index(to, dtype.categories)
        _write_array(to, pd.Categorical(value).codes.copy())
    elif str(dtype) in _MASKED:
        whole = value.array
        to.out += b"m"
        to.string(str(dtype))
        # Under a mask there may be anything; and a NaN that is not masked is no NA.
        _write_array(to, whole._data.copy())  # noqa: SLF001
        _write_array(to, whole._mask.copy())  # noqa: SLF001
    else:
        raise UnfitError(f"values of dtype {dtype} are none of them")


def _read_values(of: ValueReader) -> Any:
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
        return _read_strings(of)
    if kind == b"c":
        (ordered,) = of.unpack("?")
        categories = _read_index(of)
        return pd.Categorical.from_codes(_flat(of), categories, ordered=ordered)
    if kind != b"m":
        raise ValueError("no values")
    make = _MASKED[of.string()]
    return make(_flat(of), _flat(of))


def _flat(of: ValueReader) -> AnyArray:
    array = _read_array(of)
    if array.ndim != 1:
        raise ValueError("not one dimension")
    return array


def _read_strings(of: ValueReader) -> Any:
    in_arrow, has_na = of.unpack("??")
    storage: Any = "pyarrow" if in_arrow else "python"
    make: Any = pd.StringDtype
    dtype = make(storage) if has_na else make(storage, na_value=np.nan)
    items = of.values()
    if any(item is not None and type(item) is not str for item in items):
        raise ValueError("no string")
    return pd.array(items, dtype=dtype)


def _write_index(to: ValueWriter, index: Index) -> None:
    if type(index) is pd.RangeIndex:
        to.out += b"r"
        for end in (index.start, index.stop, index.step):
            to.value(int(end))
    elif type(index) is pd.MultiIndex:
        to.out += b"m"
        to.pack("<B", index.nlevels)
        for level, codes in zip(index.levels, index.codes, strict=True):
            _write_index(to, level)
            _write_array(to, np.asarray(codes).copy())
    elif type(index) in _INDEXES:
        to.out += b"i"
        freq = getattr(index, "freqstr", None)
        to.value(freq)
        _write_values(to, index)
    else:
        raise UnfitError(f"an index of type {type(index).__name__} is none of them")
    to.values(list(index.names))


def _read_index(of: ValueReader) -> Index:
    kind = bytes(of.take(1))
    if kind == b"r":
        start, stop, step = (_exact_int(of.value()) for _ in range(3))
        index: Index = pd.RangeIndex(start, stop, step)
    elif kind == b"m":
        (n,) = of.unpack("<B")
        parts: list[tuple[Any, Any]] = [(_read_index(of), _flat(of)) for _ in range(n)]
        index = pd.MultiIndex([level for level, _ in parts], [codes for _, codes in parts])
    elif kind == b"i":
        freq = of.value()
        values = _read_values(of)
        plain = isinstance(values, np.ndarray) and values.dtype == object
        index = pd.Index(values, dtype=object) if plain else pd.Index(values)
        if freq is not None:
            index = _with_freq(index, freq)
    else:
        raise ValueError("no index")
    index.names = of.values()
    return index


def _exact_int(value: object) -> int:
    if type(value) is not int:
        raise TypeError("no integer")
    return value


def _with_freq(index: Any, freq: object) -> Index:
    if type(freq) is not str or _FREQ.fullmatch(freq) is None:
        raise ValueError("no frequency")
    made: Index = type(index)(index, freq=freq)
    return made


def _write_series(to: ValueWriter, value: Series) -> None:
    _write_index(to, value.index)
    to.value(value.name)
    to.value(dict(value.attrs))
    to.pack("?", _flags(value))
    _write_values(to, value)


def _read_series(of: ValueReader) -> Series:
    index, name, attrs = _read_index(of), of.value(), of.value()
    (duplicates,) = of.unpack("?")
    made = _column(_read_values(of), index)
    made.name = name
    made.attrs = attrs
    return made if duplicates else made.set_flags(allows_duplicate_labels=False)


def _column(values: Any, index: Index) -> Series:
    if len(values) != len(index):  # a single value would be repeated
        raise ValueError("another number of values")
    made: Series = pd.Series(values, index=index, dtype=values.dtype, copy=False)
    return made


def _write_frame(to: ValueWriter, value: pd.DataFrame) -> None:
    _write_index(to, value.index)
    _write_index(to, value.columns)
    to.value(dict(value.attrs))
    to.pack("?", _flags(value))
    dtypes = set(value.dtypes)
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    if isinstance(dtype, np.dtype) and not dtype.hasobject:
        # Its order in memory decides how pandas adds up, hence the last digit of a mean.
        _dtype_name(dtype)
        to.out += b"t"
        _write_array(to, value.to_numpy())
        return
    to.out += b"c"
    to.pack("<Q", value.shape[1])
    for position in range(value.shape[1]):
        _write_values(to, value.iloc[:, position])


def _read_frame(of: ValueReader) -> pd.DataFrame:
    index, columns, attrs = _read_index(of), _read_index(of), of.value()
    (duplicates,) = of.unpack("?")
    kind = bytes(of.take(1))
    if kind == b"t":
        made = _table(_read_array(of), index, columns)
    elif kind == b"c":
        parts = [_column(_read_values(of), index) for _ in range(of.count())]
        made = pd.DataFrame(dict(enumerate(parts)), index=index)
        made.columns = columns
    else:
        raise ValueError("no frame")
    made.attrs = attrs
    return made if duplicates else made.set_flags(allows_duplicate_labels=False)


def _table(array: AnyArray, index: Index, columns: Index) -> pd.DataFrame:
    if array.shape != (len(index), len(columns)):
        raise ValueError("another shape")
    array.flags.writeable = True
    return pd.DataFrame(array, index=index, columns=columns, copy=False)


def _write_marker(to: ValueWriter, value: object) -> None:
    if value is not NoResult:
        raise UnfitError(f"{value!r} is none of them")


def _checked(write: Write, read: Read) -> tuple[Write, Read]:
    return lambda to, value: _write_checked(to, value, write, read), read


_INDEX = _checked(_write_index, _read_index)
KINDS: Final[tuple[tuple[type, bytes, Write, Read], ...]] = (
    (type(None), b"N", _nothing, lambda of: None),
    (type(NoResult), b"0", _write_marker, lambda of: NoResult),
    (float, b"f", lambda to, value: to.pack("<d", value), lambda of: of.unpack("<d")[0]),
    (int, b"i", _write_int, _read_int),
    (str, b"s", lambda to, value: to.string(value), lambda of: of.string()),
    (complex, b"c", _write_complex, lambda of: complex(*of.unpack("<dd"))),
    (bytes, b"b", lambda to, value: to.raw(value), lambda of: bytes(of.raw())),
    (bool, b"?", lambda to, value: to.pack("?", value), lambda of: of.unpack("?")[0]),
    (range, b"r", _write_range, _read_range),
    (list, b"l", lambda to, value: to.values(value), lambda of: of.values()),
    (tuple, b"t", lambda to, value: to.values(value), lambda of: tuple(of.values())),
    (dict, b"d", _write_dict, _read_dict),
    (set, b"e", lambda to, value: to.values(value), _read_set),
    (frozenset, b"z", lambda to, value: to.values(value), lambda of: frozenset(_read_set(of))),
    (date, b"D", _write_date, lambda of: date.fromordinal(of.unpack("<I")[0])),
    (datetime, b"T", _write_datetime, _read_datetime),
    (timedelta, b"L", _write_delta, lambda of: timedelta(*of.unpack("<iii"))),
    (pd.Timestamp, b"S", _write_stamp, _read_stamp),
    (pd.Timedelta, b"P", _write_pandas_delta, _read_pandas_delta),
    (type(pd.NaT), b"X", _nothing, lambda of: pd.NaT),
    (type(pd.NA), b"A", _nothing, lambda of: pd.NA),
    (np.ndarray, b"a", _write_array, _read_array),
    (np.generic, b"g", _write_scalar, _read_scalar),
    (pd.Index, b"I", *_INDEX),
    (pd.RangeIndex, b"R", *_INDEX),
    (pd.MultiIndex, b"U", *_INDEX),
    (pd.DatetimeIndex, b"J", *_INDEX),
    (pd.TimedeltaIndex, b"K", *_INDEX),
    (pd.CategoricalIndex, b"C", *_INDEX),
    (pd.Series, b"Y", *_checked(_write_series, _read_series)),
    (pd.DataFrame, b"W", *_checked(_write_frame, _read_frame)),
)
"""The closed list: a type, its tag in the bytes, how it is written, how it is read."""

_FORMS: Final = {kind: (tag, write) for kind, tag, write, _ in KINDS}
_READERS: Final = {tag: read for _, tag, _, read in KINDS}
