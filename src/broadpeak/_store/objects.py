# SPDX-License-Identifier: BSD-3-Clause
"""What objects are: by their own `fingerprint()`, or by what a copy of them would be made of."""

from __future__ import annotations

import copyreg
import functools
import logging
import sys
import types
import typing
from collections.abc import Callable
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np

from broadpeak._store import definitions
from broadpeak._store.following import UnfollowedError
from broadpeak._store.origin import OWN, is_compiled, is_exported, is_own, origin_of_module
from broadpeak._store.writing import KeyWriter

_BUILTIN = (
    *(types.BuiltinFunctionType, types.MethodWrapperType),
    *(types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType),
)
_SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)
_GENERIC = (types.GenericAlias, types.UnionType)


def whole(writer: KeyWriter, value: Any) -> None:
    """Write any object that is neither a plain value nor a function, class or module."""
    if callable(value) and is_exported(value) is not None:
        definitions.known_by_name(writer, value)
        return
    kind(writer, type(value))
    for kinds, feeder in _FEEDERS:
        if isinstance(value, kinds):
            feeder(writer, value)
            return
    if typing.get_origin(value) is not None:
        writer.feed((typing.get_origin(value), typing.get_args(value)))
    elif not (_by_its_word(writer, value) or _compiled(writer, value)):
        _by_state(writer, value)


def kind(writer: KeyWriter, value: type) -> None:
    """Write a class: the user's by what it holds."""
    if is_own(value):
        writer.ref(value)
    else:
        writer.mark("kind", f"{value.__module__} {value.__qualname__}")
        module = sys.modules.get(value.__module__)
        if origin_of_module(value.__module__) != OWN:
            writer.mark("of", origin_of_module(value.__module__))
        elif module is not None and is_compiled(vars(module)):
            raise UnfollowedError(value, "It is machine code of your own, which has no version.")


def _by_its_word(writer: KeyWriter, value: Any) -> bool:
    """Write what the ``fingerprint()`` of the user's class or of this library says."""
    said = getattr(type(value), "fingerprint", None)
    if not callable(said):
        return False
    home = origin_of_module(type(value).__module__)
    if not (home == OWN or home.startswith("broadpeak ")):
        return False  # what others call so may be anything
    writer.mark("fingerprint")
    writer.feed(value.fingerprint())
    return True


def _compiled(writer: KeyWriter, value: Any) -> bool:
    """Write a function that Numba compiled: its Python source is what counts, and its options."""
    if not type(value).__module__.startswith("numba."):
        return False
    inner = getattr(value, "_dispatcher", getattr(value, "gufunc_builder", value))
    func = getattr(inner, "py_func", getattr(value, "_pyfunc", None))
    if func is None:
        return False
    writer.feed(func)
    writer.feed(dict(getattr(inner, "targetoptions", {})))
    writer.mark("types", str(getattr(inner, "identity", "")) + str(getattr(value, "signature", "")))
    return True


def _by_state(writer: KeyWriter, value: Any) -> None:
    """Write what an object is rebuilt from when it is copied or sent to another process."""
    parts = _reduced(value)
    if isinstance(parts, str):
        writer.mark("global", parts)
        return
    maker, args, state, entries, pairs = (*parts, None, None, None)[:5]
    writer.named("its constructor", maker)
    writer.feed(args)
    state = _without_derived(type(value), state)
    if isinstance(state, dict):
        for name, item in state.items():
            writer.named(str(name), item)
    else:
        writer.feed(state)
    writer.feed(None if entries is None else list(entries))
    writer.feed(None if pairs is None else list(pairs))


def _reduced(value: Any) -> Any:
    # A strategy is pickled by its name, but is what its function does.
    by_value = getattr(type(value), "reduce_by_value", None)
    reducer: Callable[[Any], Any] | None = by_value or copyreg.dispatch_table.get(type(value))
    try:
        return value.__reduce_ex__(4) if reducer is None else reducer(value)
    except Exception as error:
        raise UnfollowedError(value, "") from error


def _without_derived(owner: type, state: Any) -> Any:
    """Leave out what is computed on first use, and what tells about an object only."""
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):
        return _without_derived(owner, {**(state[0] or {}), **state[1]})
    if not isinstance(state, dict):
        return state
    is_derived = not is_own(owner)  # a class of the user's may have been given another value
    return {
        name: item
        for name, item in state.items()
        if name not in definitions.ABOUT
        and not (is_derived and isinstance(getattr(owner, str(name), None), cached_property))
    }


def _builtin(writer: KeyWriter, value: Any) -> None:
    owner = getattr(value, "__self__", None)
    if isinstance(owner, types.ModuleType):
        if is_compiled(vars(owner)) and is_own(owner):
            raise UnfollowedError(value, "It is machine code of your own, which has no version.")
        definitions.known_by_name(writer, value)
        return
    writer.mark("builtin", value.__qualname__)
    home = getattr(owner, "__class__", object).__module__
    offered = getattr(sys.modules.get(home), value.__name__, None)
    if owner is not None and offered is not value:  # such as random.random
        writer.feed(owner)
    if owner is None:
        objclass = getattr(value, "__objclass__", None)
        writer.feed(objclass) if objclass is not None else definitions.known_by_name(writer, value)


def _ufunc(writer: KeyWriter, value: np.ufunc) -> None:
    modules = [name for name in sys.modules if name.partition(".")[0] in {"numpy", "scipy"}]
    homes = [name for name in modules if getattr(sys.modules[name], value.__name__, None) is value]
    if not homes:
        raise UnfollowedError(value, "It hides the function that it was made of.")
    writer.mark("ufunc", value.__name__)


def _vectorized(writer: KeyWriter, value: Any) -> None:
    writer.feed((value.pyfunc, value.otypes, value.signature))
    writer.feed(set(value.excluded))


def _lru(writer: KeyWriter, value: Any) -> None:
    writer.feed((value.__wrapped__, value.cache_parameters()))


def _member(writer: KeyWriter, value: Enum) -> None:
    writer.feed((value._name_, value._value_))  # the documented names


def _parts(*names: str) -> Callable[[KeyWriter, Any], None]:
    def feeder(writer: KeyWriter, value: Any) -> None:
        for name in names:
            writer.named(name, getattr(value, name))

    return feeder


_FEEDERS: tuple[tuple[Any, Callable[[KeyWriter, Any], None]], ...] = (
    (types.CodeType, definitions.code),
    (types.MethodType, _parts("__func__", "__self__")),
    (functools.partial, _parts("func", "args", "keywords", "__dict__")),
    (property, _parts("fget", "fset", "fdel")),
    ((staticmethod, classmethod), _parts("__func__")),
    (cached_property, _parts("func")),
    (functools.singledispatchmethod, _parts("dispatcher", "func")),
    (functools._lru_cache_wrapper, _lru),  # noqa: SLF001  # it has no public name
    (np.vectorize, _vectorized),
    (np.ufunc, _ufunc),
    (Enum, _member),
    (types.CellType, _parts("cell_contents")),
    (_BUILTIN, _builtin),
    (_SLOTS, _parts("__name__")),
    (_GENERIC, _parts("__args__")),
    (logging.Logger, _parts("name")),
    (typing.TypeVar, _parts("__name__")),
)

WITHOUT_IDENTITY = (
    *(types.CodeType, types.MethodType, functools.partial, property, staticmethod, classmethod),
    *(cached_property, functools._lru_cache_wrapper, types.CellType, Enum, typing.TypeVar),  # noqa: SLF001  # as above
    *(*_BUILTIN, *_SLOTS, *_GENERIC),
)
"""Kinds that only hand on to something else, or of which there is one of each."""
