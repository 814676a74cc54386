# SPDX-License-Identifier: BSD-3-Clause
"""Results ↔ bytes without pickle: plain values as JSON, arrays and pandas as named arrays.

Encoded bytes are a JSON tree, followed by the arrays it refers to in NumPy's own format. What is
neither plain, an array, pandas nor a record of this library is pickled, and read only on trust.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib
import io
import json
import math
import pickle
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np
import pandas as pd

from broadpeak.errors import StoreError, broken_rule
from broadpeak.types import MISSING, NoResult

_TAG = "$"
_Form = tuple[str, Callable[[Any], Any], Callable[[Any], Any]]
_SIMPLE: Final[dict[type, _Form]] = {  # type -> tag, to what JSON has, and back
    complex: ("complex", repr, complex),
    bytes: ("bytes", bytes.hex, bytes.fromhex),
    range: ("numbers", lambda one: [one.start, one.stop, one.step], lambda v: range(*v)),
    Decimal: ("Decimal", str, Decimal),
    Fraction: ("Fraction", str, Fraction),
    dt.date: ("date", dt.date.isoformat, dt.date.fromisoformat),
    dt.datetime: ("datetime", dt.datetime.isoformat, dt.datetime.fromisoformat),
    dt.timedelta: (
        "delta",
        lambda one: [one.days, one.seconds, one.microseconds],
        lambda v: dt.timedelta(*v),
    ),
    pd.Period: (
        "Period",
        lambda one: [one.ordinal, one.freqstr],
        lambda v: pd.Period(ordinal=v[0], freq=v[1]),
    ),
    type(pd.NaT): ("NaT", lambda _: None, lambda _: pd.NaT),
    type(pd.NA): ("NA", lambda _: None, lambda _: pd.NA),
    type(NoResult): ("NoResult", lambda _: None, lambda _: NoResult),
}
_NESTED: Final[dict[type, _Form]] = {  # type -> tag, to a list of other values, and back
    tuple: ("tuple", list, tuple),
    dict: ("dict", lambda one: [list(pair) for pair in one.items()], dict),
    set: ("set", list, set),
    frozenset: ("frozenset", list, frozenset),
    pd.Interval: (
        "Interval",
        lambda one: [one.left, one.right, one.closed],
        lambda v: pd.Interval(*v),
    ),
    np.ma.MaskedArray: (
        "masked",
        lambda one: [np.asarray(one.data), np.ma.getmaskarray(one)],
        lambda v: np.ma.MaskedArray(*v),
    ),
}
_NULLABLE: Final = {"boolean", "Float32", "Float64"} | {
    f"{sign}nt{bits}" for sign in ("I", "UI") for bits in (8, 16, 32, 64)
}
_READERS: Final = {tag: read for tag, _, read in (*_SIMPLE.values(), *_NESTED.values())}
_TRUST = "Open the store with bp.Store(path, trust=True) if you trust who wrote it."


def encode(value: Any, *, trust: bool) -> bytes:
    """Return `value` as bytes.

    Raises
    ------
    StoreError
        If it could only be pickled and `trust` is False.
    """
    packer = _Packer(trust)
    tree = json.dumps(packer.pack(value), separators=(",", ":")).encode()
    return len(tree).to_bytes(8, "little") + tree + packer.arrays.getvalue()


def decode(raw: bytes, *, trust: bool) -> Any:
    """Return the value of `raw`, which `encode` made.

    Raises
    ------
    StoreError
        If it holds a pickle and `trust` is False, or is damaged.
    """
    end = 8 + int.from_bytes(raw[:8], "little")
    try:
        tree = json.loads(raw[8:end])
        return _Unpacker(io.BytesIO(raw[end:]), trust).unpack(tree)
    except (ValueError, TypeError, KeyError, EOFError, AttributeError) as error:
        rule = "be readable; the row is damaged"
        raise StoreError(broken_rule("A stored result", rule, raw[:20])) from error


class _Packer:
    """Turns values into a JSON tree and writes arrays one behind another."""

    def __init__(self, trust: bool) -> None:
        self.arrays = io.BytesIO()
        self._trust = trust

    def pack(self, value: Any) -> Any:
        """Return the JSON form of `value`."""
        kind = type(value)
        if value is None or kind in {bool, int, str}:
            return value
        if kind is float:
            return value if math.isfinite(value) else {_TAG: "float", "v": repr(value)}
        if kind is list:
            return [self.pack(item) for item in value]
        if kind in _SIMPLE and value is not MISSING and getattr(value, "tzinfo", None) is None:
            tag, write, _ = _SIMPLE[kind]
            return {_TAG: tag, "v": write(value)}
        if kind in _NESTED:
            tag, write, _ = _NESTED[kind]
            return {_TAG: tag, "v": self.pack(write(value))}
        return self._pack_object(value)

    def _pack_object(self, value: Any) -> Any:
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(value)
        if isinstance(value, pd.Index):
            return self._index(value)
        if isinstance(value, (pd.Series, pd.DataFrame)):
            return self._pandas(value)
        if isinstance(value, (pd.Timestamp, pd.Timedelta)):
            zone = str(value.tz) if isinstance(value, pd.Timestamp) and value.tz else None
            return {_TAG: type(value).__name__, "v": value.value, "unit": value.unit, "tz": zone}
        names = _record_fields(value)
        if names is not None and type(value).__module__.startswith("broadpeak."):
            return self._record(value, names)
        return self._pickled(value)

    def _pandas(self, value: Any) -> Any:
        if isinstance(value, pd.Series):
            labels = {"name": self.pack(value.name), "index": self._index(value.index)}
            return {_TAG: "series", "v": self._values(value), **labels}
        columns = [self._values(value.iloc[:, place]) for place in range(value.shape[1])]
        labels = {"index": self._index(value.index), "columns": self._index(value.columns)}
        return {_TAG: "frame", "v": columns, **labels}

    def _record(self, value: Any, names: Sequence[str]) -> Any:
        home = f"{type(value).__module__}:{type(value).__qualname__}"
        content = {name: self.pack(getattr(value, name)) for name in names}
        return {_TAG: "record", "home": home, "v": content}

    def _array(self, value: Any) -> Any:
        array = np.asarray(value)
        if array.dtype.hasobject:
            items = [self.pack(item) for item in array.ravel().tolist()]
            return {_TAG: "objects", "shape": list(array.shape), "v": items}
        return {
            _TAG: "array" if isinstance(value, np.ndarray) else "scalar",
            "at": self._write(array),
        }

    def _write(self, array: Any) -> int:
        """Append `array` and return where it starts."""
        start = self.arrays.tell()
        np.lib.format.write_array(self.arrays, array, allow_pickle=False)
        return start

    def _values(self, value: Any) -> Any:
        """Return the content of a Series or flat index and the pandas type to restore."""
        dtype = value.dtype
        if isinstance(dtype, np.dtype):
            return {"dtype": None, "v": self._array(value.to_numpy())}
        if isinstance(dtype, pd.DatetimeTZDtype):
            plain = value.to_numpy(dtype=f"datetime64[{dtype.unit}]")
            return {"dtype": str(dtype), "v": self._array(plain)}
        if isinstance(dtype, pd.StringDtype):
            items = value.to_numpy(dtype=object, na_value=None)
            return {"dtype": str(dtype), "v": self._array(items)}
        return self._extended(value, dtype)

    def _extended(self, value: Any, dtype: Any) -> Any:
        """Return values of the types that pandas adds to those of NumPy."""
        if isinstance(dtype, pd.CategoricalDtype):
            codes = self._array(pd.Categorical(value).codes)
            kinds = {"of": self._index(dtype.categories), "ordered": bool(dtype.ordered)}
            return {"dtype": "category", "v": codes, **kinds}
        if isinstance(dtype, pd.PeriodDtype):
            whole = pd.PeriodIndex(value)
            return {"dtype": "period", "v": self._array(whole.asi8), "freq": whole.freqstr}
        if isinstance(dtype, pd.IntervalDtype):
            ends = pd.IntervalIndex(value)
            sides = {"right": self._index(ends.right), "closed": ends.closed}
            return {"dtype": "interval", "v": self._index(ends.left), **sides}
        if str(dtype) in _NULLABLE:
            missing = self._array(np.asarray(value.isna()))
            plain = value.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
            return {"dtype": str(dtype), "v": self._array(plain), "missing": missing}
        return {"dtype": "pickle", "v": self._pickled(value.array)}

    def _index(self, index: pd.Index[Any]) -> Any:
        names = [self.pack(name) for name in index.names]
        if isinstance(index, pd.MultiIndex):
            levels = [self._index(level) for level in index.levels]
            codes = [self._array(np.asarray(codes)) for codes in index.codes]
            return {_TAG: "multi", "levels": levels, "codes": codes, "names": names}
        if isinstance(index, pd.RangeIndex):
            ends = [index.start, index.stop, index.step]
            return {_TAG: "range", "v": ends, "names": names}
        freq = getattr(index, "freqstr", None) if isinstance(index, pd.DatetimeIndex) else None
        return {_TAG: "index", "v": self._values(index), "names": names, "freq": freq}

    def _pickled(self, value: Any) -> Any:
        if not self._trust:
            rule = "be numbers, text, arrays, pandas objects, or lists and dicts of these"
            remedy = f"Anything else must be pickled. {_TRUST}"
            raise StoreError(broken_rule("Results in a store", rule, value, remedy))
        raw = np.frombuffer(pickle.dumps(value), dtype=np.uint8)
        return {_TAG: "pickle", "at": self._write(raw)}


class _Unpacker:
    """Turns a JSON tree back into values, reading arrays from where they were written."""

    def __init__(self, arrays: io.BytesIO, trust: bool) -> None:
        self._arrays = arrays
        self._trust = trust

    def unpack(self, tree: Any) -> Any:
        """Return the value of `tree`."""
        if isinstance(tree, list):
            return [self.unpack(item) for item in tree]
        if not isinstance(tree, dict):
            return tree
        readers: dict[str, Callable[[Any], Any]] = {
            "float": lambda node: float(node["v"]),
            "array": self._read,
            "scalar": lambda node: self._read(node)[()],
            "objects": self._objects,
            "series": self._series,
            "frame": self._frame,
            "index": self._index,
            "multi": self._index,
            "range": self._index,
            "Timestamp": self._moment,
            "Timedelta": self._moment,
            "record": self._record,
            "pickle": self._pickle,
        }
        tag = tree[_TAG]
        if tag in _READERS:
            return _READERS[tag](self.unpack(tree.get("v")))
        return readers[tag](tree)

    def _read(self, node: Any) -> Any:
        self._arrays.seek(node["at"])
        return np.lib.format.read_array(self._arrays, allow_pickle=False)

    def _objects(self, node: Any) -> Any:
        array = np.empty(len(node["v"]), dtype=object)
        for place, item in enumerate(node["v"]):
            array[place] = self.unpack(item)
        return array.reshape(node["shape"])

    def _values(self, node: Any) -> Any:
        values = self.unpack(node["v"])
        if node["dtype"] in {None, "pickle"}:
            return values
        if node["dtype"] in {"str", "string"}:
            return pd.array(values, dtype=node["dtype"])
        if node["dtype"] in {"category", "period", "interval"} or "missing" in node:
            return self._extended(node, values)
        return pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(_zone(node["dtype"])).array

    def _extended(self, node: Any, values: Any) -> Any:
        if node["dtype"] == "category":
            kinds = self._index(node["of"])
            return pd.Categorical.from_codes(values, kinds, ordered=node["ordered"])
        if node["dtype"] == "period":
            return pd.PeriodIndex.from_ordinals(values, freq=node["freq"]).array  # type: ignore[attr-defined]  # the stubs lack it
        if node["dtype"] == "interval":
            right = self._index(node["right"])
            return pd.IntervalIndex.from_arrays(values, right, closed=node["closed"]).array
        whole = pd.array(values, dtype=node["dtype"])
        whole[self.unpack(node["missing"])] = pd.NA
        return whole

    def _index(self, node: Any) -> Any:
        if node[_TAG] == "multi":
            levels = [self._index(level) for level in node["levels"]]
            codes = [self.unpack(part) for part in node["codes"]]
            names = [self.unpack(name) for name in node["names"]]
            return pd.MultiIndex(levels, codes, names=names)
        if node[_TAG] == "range":
            start, stop, step = node["v"]
            return pd.RangeIndex(start, stop, step, name=self.unpack(node["names"][0]))
        index = pd.Index(self._values(node["v"]), name=self.unpack(node["names"][0]))
        return pd.DatetimeIndex(index, freq=node["freq"]) if node["freq"] else index

    def _series(self, node: Any) -> Any:
        values = self._values(node["v"])
        name, index = self.unpack(node["name"]), self._index(node["index"])
        return pd.Series(values, index=index, name=name)

    def _frame(self, node: Any) -> Any:
        columns = [self._values(column) for column in node["v"]]
        index, labels = self._index(node["index"]), self._index(node["columns"])
        frame = pd.DataFrame(dict(enumerate(columns)), index=index)
        frame.columns = labels
        return frame

    def _moment(self, node: Any) -> Any:
        if node[_TAG] == "Timedelta":
            return pd.Timedelta(node["v"], unit="ns").as_unit(node["unit"])
        stamp = pd.Timestamp(node["v"], unit="ns", tz="UTC" if node["tz"] else None)
        return (stamp.tz_convert(node["tz"]) if node["tz"] else stamp).as_unit(node["unit"])

    def _record(self, node: Any) -> Any:
        module, _, name = node["home"].partition(":")
        if not module.startswith("broadpeak."):
            raise StoreError(broken_rule("A stored record", "be of this library", module))
        kind = getattr(importlib.import_module(module), name)
        return kind(**{key: self.unpack(item) for key, item in node["v"].items()})

    def _pickle(self, node: Any) -> Any:
        raw = self._read(node)
        if not self._trust:
            rule = "be read only on trust, since it is a pickle"
            raise StoreError(broken_rule("A stored result", rule, f"{len(raw)} bytes", _TRUST))
        return pickle.loads(raw.tobytes())


def _record_fields(value: Any) -> Sequence[str] | None:
    """Return the names of the fields of a dataclass instance or named tuple."""
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    return getattr(value, "_fields", None) if isinstance(value, tuple) else None


def _zone(dtype: str) -> str:
    return dtype.rpartition(",")[2].strip(" ]")
