# SPDX-License-Identifier: BSD-3-Clause
"""The plain kinds of values a store holds: how each is written, and how it is built again.

The list is closed: whoever wrote the bytes can choose among these kinds, and nothing else. No name
in them is looked up, imported or called.
"""

from __future__ import annotations

import functools
import math
import re
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pandas as pd

from broadpeak.types import NoResult

_DEEPEST = 100  # values inside of values: far more than results have, far less than the stack
_DTYPE = re.compile(
    r"\|b1|[|<>][iu]1|[<>][iu][248]|[<>]f[248]|[<>]c(8|16)|<U\d{1,6}|>U\d{1,6}|\|S\d{1,6}"
    r"|[<>][mM]8\[(ns|us|ms|s|m|h|D|W|M|Y)\]"
)
_MOMENT: Final = struct.Struct("<HBBBBBIB")

Write: TypeAlias = "Callable[[ValueWriter, Any], None]"
Read: TypeAlias = "Callable[[Reader], Any]"


class UnfitError(Exception):
    """A value is of no kind that comes back as it was; the text says why."""


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

    def value(self, value: Any) -> None:
        """Write a value of any kind of the list."""
        form = _FORMS.get(type(value))
        if form is None:
            form = _form_of_array(value)
        self.out += form[0]
        form[1](self, value)

    def pack(self, form: str, *values: Any) -> None:
        """Write numbers in a layout of `struct`."""
        self.out += struct.pack(form, *values)

    def raw(self, raw: bytes) -> None:
        """Write bytes, their number first."""
        self.out += struct.pack("<Q", len(raw))
        self.out += raw

    def text(self, text: str) -> None:
        """Write a text, also one that UTF-8 has no bytes for."""
        self.raw(text.encode("utf-8", "surrogatepass"))

    def values(self, values: Any) -> None:
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
            self.text(name)


class Reader:
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

    def text(self) -> str:
        """Read a text."""
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
        name = self.text()
        if kind not in {b"z", b"p"}:
            raise ValueError("no time zone")
        zone: tzinfo = _named_zone(kind, name)
        return zone


def read_whole(raw: memoryview, mark: bytes) -> Any:
    """Return the value that `raw` is all of, behind `mark`."""
    reader = Reader(raw)
    if reader.take(len(mark)) != mark:
        raise ValueError("unknown form")
    value = reader.value()
    reader.end()
    return value


@functools.cache
def _zone_names() -> frozenset[str]:
    """Return the zones of this system: a name that is none of them must not be searched for."""
    return frozenset(available_timezones())


def _named_zone(kind: bytes, name: str) -> Any:
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


def _read_int(of: Reader) -> int:
    return int.from_bytes(of.raw(), "little", signed=True)


def _write_range(to: ValueWriter, value: range) -> None:
    for number in (value.start, value.stop, value.step):
        _write_int(to, number)


def _read_range(of: Reader) -> range:
    return range(_read_int(of), _read_int(of), _read_int(of))


def _write_dict(to: ValueWriter, value: dict[Any, Any]) -> None:
    to.values(list(value))
    to.values(list(value.values()))


def _read_dict(of: Reader) -> dict[Any, Any]:
    keys, values = of.values(), of.values()
    made = dict(zip(keys, values, strict=True))
    _check_all_there(made, keys)
    return made


def _check_all_there(made: Any, items: list[Any]) -> None:
    if len(made) != len(items):
        raise ValueError("a key or member is there twice")


def _read_set(of: Reader) -> set[Any]:
    items = of.values()
    made = set(items)
    _check_all_there(made, items)
    return made


def _write_datetime(to: ValueWriter, value: datetime) -> None:
    parts = (value.year, value.month, value.day, value.hour, value.minute, value.second)
    to.out += _MOMENT.pack(*parts, value.microsecond, value.fold)
    to.zone(value.tzinfo)


def _read_datetime(of: Reader) -> datetime:
    *parts, fold = _MOMENT.unpack(of.take(_MOMENT.size))
    return datetime(*parts).replace(tzinfo=of.zone(), fold=fold)


def _write_delta(to: ValueWriter, value: timedelta) -> None:
    to.pack("<iii", value.days, value.seconds, value.microseconds)


def _write_stamp(to: ValueWriter, value: pd.Timestamp) -> None:
    number = int(value.asm8.view("i8"))
    to.text(value.unit)
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


def _read_stamp(of: Reader) -> pd.Timestamp:
    return _stamp(of.text(), of.unpack("<q")[0], of.zone())


def _write_pandas_delta(to: ValueWriter, value: pd.Timedelta) -> None:
    to.text(value.unit)
    to.pack("<q", value.asm8.view("i8"))


def _read_pandas_delta(of: Reader) -> Any:
    unit = _unit(of.text())
    return pd.Timedelta(np.timedelta64(of.unpack("<q")[0], unit))


def _nothing(to: ValueWriter, value: Any) -> None:
    """Write nothing: the kind says it all."""


def _form_of_array(value: Any) -> tuple[bytes, Write]:
    """Return the form of a NumPy scalar; what has none is unfit."""
    kind = type(value)
    if isinstance(value, np.generic) and kind.__module__ == "numpy":
        return b"g", write_scalar
    module = kind.__module__
    name = kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
    raise UnfitError(f"values of type {name} are none of them")


def dtype_text(dtype: np.dtype[Any]) -> str:
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


def dtype_of(text: str) -> np.dtype[Any]:
    """Return the dtype of a name out of a closed list."""
    if _DTYPE.fullmatch(text) is None:
        raise ValueError("no plain dtype")
    dtype = np.dtype(text)
    if dtype.itemsize == 0:
        raise ValueError("no plain dtype")
    return dtype


def write_array(to: ValueWriter, value: np.ndarray[Any, Any]) -> None:
    """Write an array of a plain dtype, or of objects of the list, in its order in memory."""
    first_axis_runs = value.ndim > 1 and abs(value.strides[0]) < abs(value.strides[-1])
    is_fortran = value.flags.fnc or (not value.flags.c_contiguous and first_axis_runs)
    order: Any = "F" if is_fortran else "C"
    is_object = value.dtype == object
    to.text("O" if is_object else dtype_text(value.dtype))
    to.pack("<B?B", ord(order), value.flags.writeable, value.ndim)
    to.pack(f"<{value.ndim}Q", *value.shape)
    if is_object:
        to.values(value.ravel(order).tolist())
    else:
        to.raw(value.tobytes(order))


def read_array(of: Reader) -> Any:
    """Read an array; it owns its memory."""
    text = of.text()
    order, is_writable, ndim = of.unpack("<B?B")
    shape = of.unpack(f"<{ndim}Q")
    if order not in b"CF" or ndim > 32 or any(n >= 1 << 48 for n in shape):
        raise ValueError("no array")
    array = _objects(of, shape, chr(order)) if text == "O" else _plain(of, text, shape, chr(order))
    array.flags.writeable = is_writable
    return array


def _objects(of: Reader, shape: tuple[int, ...], order: Any) -> Any:
    items = of.values()
    if math.prod(shape) != len(items):
        raise ValueError("another number of items")
    flat = np.empty(len(items), dtype=object)
    for place, item in enumerate(items):
        flat[place] = item
    return flat.reshape(shape, order=order).copy(order)


def _plain(of: Reader, text: str, shape: tuple[int, ...], order: Any) -> Any:
    dtype, raw = dtype_of(text), of.raw()
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise ValueError("another number of bytes")
    flat = np.frombuffer(raw, dtype=dtype) if len(raw) else np.empty(0, dtype)
    is_bad_bool = dtype.kind == "b" and flat.size and flat.view("u1").max() > 1
    points = flat.astype(dtype.newbyteorder("=")).view("u4") if dtype.kind == "U" else flat
    if is_bad_bool or (dtype.kind == "U" and points.size and points.max() > 0x10FFFF):
        raise ValueError("no value of its dtype")
    return flat.reshape(shape, order=order).copy(order)


def write_scalar(to: ValueWriter, value: np.generic) -> None:
    """Write a NumPy scalar."""
    dtype = value.dtype
    text = dtype_text(dtype)
    if type(value) is not np.dtype(text).type:
        raise UnfitError(f"values of type {type(value).__name__} are none of them")
    to.text(text)
    if isinstance(value, np.str_):
        to.text(str.__str__(value))  # as an array it would lose zeros at its end
    else:
        to.raw(bytes(value) if isinstance(value, np.bytes_) else value.tobytes())


def read_scalar(of: Reader) -> Any:
    """Read a NumPy scalar."""
    dtype = dtype_of(of.text())
    if dtype.kind == "U":
        return np.str_(of.text())
    raw = of.raw()
    if dtype.kind == "S":
        return np.bytes_(raw)
    if len(raw) != dtype.itemsize or (dtype.kind == "b" and raw[0] > 1):
        raise ValueError("no value of its dtype")
    return np.frombuffer(raw, dtype=dtype)[0]


_FORMS: Final[dict[type, tuple[bytes, Write]]] = {
    type(None): (b"N", _nothing),
    float: (b"f", lambda to, value: to.pack("<d", value)),
    int: (b"i", _write_int),
    str: (b"s", lambda to, value: to.text(value)),
    complex: (b"c", lambda to, value: to.pack("<dd", value.real, value.imag)),
    bytes: (b"b", lambda to, value: to.raw(value)),
    bool: (b"?", lambda to, value: to.pack("?", value)),
    range: (b"r", _write_range),
    list: (b"l", lambda to, value: to.values(value)),
    tuple: (b"t", lambda to, value: to.values(value)),
    dict: (b"d", _write_dict),
    set: (b"e", lambda to, value: to.values(value)),
    frozenset: (b"z", lambda to, value: to.values(value)),
    date: (b"D", lambda to, value: to.pack("<I", value.toordinal())),
    datetime: (b"T", _write_datetime),
    timedelta: (b"L", _write_delta),
    pd.Timestamp: (b"S", _write_stamp),
    pd.Timedelta: (b"P", _write_pandas_delta),
    type(pd.NaT): (b"X", _nothing),
    type(pd.NA): (b"A", _nothing),
    np.ndarray: (b"a", write_array),
}
_READERS: Final[dict[bytes, Read]] = {
    b"N": lambda of: None,
    b"f": lambda of: of.unpack("<d")[0],
    b"i": _read_int,
    b"s": lambda of: of.text(),
    b"c": lambda of: complex(*of.unpack("<dd")),
    b"b": lambda of: bytes(of.raw()),
    b"?": lambda of: of.unpack("?")[0],
    b"r": _read_range,
    b"l": lambda of: of.values(),
    b"t": lambda of: tuple(of.values()),
    b"d": _read_dict,
    b"e": _read_set,
    b"z": lambda of: frozenset(_read_set(of)),
    b"D": lambda of: date.fromordinal(of.unpack("<I")[0]),
    b"T": _read_datetime,
    b"L": lambda of: timedelta(*of.unpack("<iii")),
    b"S": _read_stamp,
    b"P": _read_pandas_delta,
    b"X": lambda of: pd.NaT,
    b"A": lambda of: pd.NA,
    b"a": read_array,
    b"g": read_scalar,
}


def add_kind(kind: type, tag: bytes, write: Write, read: Read) -> None:
    """Add a kind to the list; for the other files of this package, never for those it reads."""
    if kind in _FORMS or tag in _READERS:
        raise ValueError(f"{tag!r} is there twice")
    _FORMS[kind] = (tag, write)
    _READERS[tag] = read


def _write_marker(to: ValueWriter, value: Any) -> None:
    if value is not NoResult:
        raise UnfitError(f"{value!r} is none of them")


add_kind(type(NoResult), b"0", _write_marker, lambda of: NoResult)
