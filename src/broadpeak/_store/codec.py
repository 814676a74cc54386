# SPDX-License-Identifier: BSD-3-Clause
"""Results ↔ bytes: a closed list of kinds, each written and built by functions of this package.

A value comes back as it was, down to type, dtype and memory order. What would not is no kind of
the list: it can only be pickled, which needs trust, both to write and to read.
"""

from __future__ import annotations

import pickle
from typing import Any

import cloudpickle

from broadpeak._store import frames, kinds
from broadpeak.errors import StoreError, described, shown

_PLAIN, _PICKLE = b"V", b"P"
_TRUST = "Open the store with bp.Store(path, trust=True) if you trust who wrote it."

for _kind in frames.KINDS:
    kinds.add_kind(*_kind)


def encode(value: Any, *, trust: bool) -> bytes:
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
    writer = kinds.ValueWriter()
    try:
        writer.value(value)
    except Exception as unfit:  # noqa: BLE001  # whatever NumPy and pandas say of a value at their edges
        if trust:
            return _PICKLE + _pickled(value)
        msg = (
            "Results in a store must be numbers, text, dates, arrays, pandas objects, or lists and "
            f"dicts of these, got {shown(value)} ({type(value).__name__}): {unfit}. "
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
        value = kinds.read_whole(memoryview(raw), _PLAIN)
    except Exception as error:  # whatever NumPy and pandas say of a crafted value
        msg = (
            "A stored result must be one that this library wrote, got bytes that make no value "
            f"({type(error).__name__}). Restore the file from a copy, or choose a new file name."
        )
        raise StoreError(msg) from error
    return value


def _pickled(value: Any) -> bytes:
    try:
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001  # pickle raises whatever objects raise
        pass
    try:  # closures and classes made in functions
        return bytes(cloudpickle.dumps(value))
    except Exception as error:
        msg = (
            "Results in a store must be such that pickle can hold them, got "
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
