# SPDX-License-Identifier: BSD-3-Clause
"""What functions, classes, modules and objects count by in the key of a run.

Those of the user count by what they hold and reach, those of packages by name and version. An
object counts by its own `fingerprint()`, or by what a copy of it would be made of.
"""

from __future__ import annotations

import copyreg
import dis
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

from broadpeak._store import following
from broadpeak._store.following import UnfollowedError
from broadpeak._store.origin import OWN, is_compiled, is_exported, is_own, origin, origin_of_module
from broadpeak._store.reach import instruction_numbers, instructions, reached, split_joined
from broadpeak._store.writing import KeyWriter

_JUMPS = {*dis.hasjrel, *dis.hasjabs}
_UNSEEN_FLAGS = 0x1000000 | 0x4000000  # annotations as text; there is a docstring
_UNSEEN_NAMES = {"__doc__", "__firstlineno__", "__static_attributes__"}
_ABOUT_CLASSES = {
    *("__dict__", "__weakref__", "__module__", "__qualname__", "__doc__"),
    *("__firstlineno__", "__static_attributes__", "__classdictcell__"),
    *("__annotations_cache__", "_abc_impl", "__slotnames__"),  # the last is left by a copy
}
_OF_ENUMERATIONS = {
    *("_member_names_", "_member_map_", "_value2member_map_", "_member_type_", "_use_args_"),
    *("_hashable_values_", "_unhashable_values_", "_unhashable_values_map_", "_value_repr_"),
    *("_singles_mask_", "_flag_mask_", "_all_bits_", "_inverted_", "_boundary_"),
}
ABOUT = {"__doc__", "__module__", "__annotations__", "__annotate__"}
"""Attributes that describe an object and do not act in it."""
_BUILTIN = (
    *(types.BuiltinFunctionType, types.MethodWrapperType),
    *(types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType),
)
_SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)
_GENERIC = (types.GenericAlias, types.UnionType)


def definition(writer: KeyWriter, value: object) -> bool:
    """Write a function, class or module; whether `value` is one."""
    if isinstance(value, types.FunctionType):
        (function if is_own(value) else _package_function)(writer, value)
    elif isinstance(value, type):
        (_class if is_own(value) else known_by_name)(writer, value)
    elif isinstance(value, types.ModuleType):
        _module(writer, value)
    else:
        return False
    return True


def function(writer: KeyWriter, value: types.FunctionType) -> None:
    """Write a function: code, defaults, what it closes over, and all that it reaches."""
    writer.mark("function", value.__qualname__)
    writer.feed(value.__code__)
    _values(writer, value)
    scope = following.scope_of(value)
    for name, content in scope.free.items():
        if not isinstance(content, types.ModuleType):
            writer.named(name, content)
    following.follow(writer, reached(value.__code__), scope)


def _values(writer: KeyWriter, value: types.FunctionType) -> None:
    writer.named("a default", value.__defaults__)
    writer.named("a default", value.__kwdefaults__)
    writer.feed({name: item for name, item in vars(value).items() if name not in ABOUT})


def _package_function(writer: KeyWriter, value: types.FunctionType) -> None:
    """Write a function of a package; a wrapper that it made counts by what it wraps, too."""
    if is_exported(value) is not None:
        known_by_name(writer, value)
        return
    writer.mark("made by", f"{origin(value.__globals__)} {value.__module__} {value.__qualname__}")
    if hasattr(value, "registry") and hasattr(value, "dispatch"):  # functools.singledispatch
        writer.feed(value.registry)
        return
    writer.inspected.add("annotations")  # it may go by those of what it wraps
    writer.feed(value.__code__)
    _values(writer, value)
    for name, content in following.scope_of(value).free.items():
        writer.named(name, content)


def code(writer: KeyWriter, value: types.CodeType) -> None:
    """Write compiled code without file, lines, docstrings and the positions of its constants."""
    writer.mark("code", value.co_name)
    writer.feed((value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount))
    writer.feed((value.co_flags & ~_UNSEEN_FLAGS,))
    writer.feed((value.co_varnames, value.co_freevars, value.co_cellvars))
    position = instruction_numbers(value)
    table: Any = dis.Bytecode(value)
    for entry in table.exception_entries:
        where = (entry.start, entry.end, entry.target)
        writer.feed((*(position(offset) for offset in where), entry.depth, entry.lasti))
    steps = instructions(value)
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        if step.opcode in dis.hasconst:
            stored = after is not None and after.opname == "STORE_NAME"
            if not (stored and after is not None and after.argval in _UNSEEN_NAMES):
                writer.mark("constant", step.opname)
                writer.feed(step.argval)
        elif step.opcode in dis.hasname:
            writer.mark(step.opname, step.argrepr)
        elif step.opcode in _JUMPS:
            writer.mark(step.opname, str(position(step.argval)))
        elif len(split_joined(step.opname)) > 1:  # two that stood on one line
            for name, local in zip(split_joined(step.opname), step.argval, strict=True):
                writer.mark(name, local)
        elif step.opcode in dis.haslocal:
            writer.mark(step.opname, step.argval)
        else:
            writer.mark(step.opname, str(step.arg))


def _class(writer: KeyWriter, value: type) -> None:
    """Write a class: bases, metaclass, body."""
    if is_compiled(_namespace_of(value)):
        raise UnfollowedError(value, "It is machine code of your own, which has no version.")
    writer.mark("class", value.__qualname__)
    writer.named("a base", value.__bases__)
    writer.named("its metaclass", type(value))
    body = {name: item for name, item in vars(value).items() if name not in _ABOUT_CLASSES}
    if not body.get("__annotations__", True):  # made on first access
        del body["__annotations__"]
    if issubclass(value, Enum):
        body = _without_members(writer, value, body)
    for name in sorted(body):
        if not name.startswith("__pydantic_"):  # made of the fields, partly in machine code
            writer.named(name, body[name])


def _without_members(writer: KeyWriter, kind: Any, body: dict[str, Any]) -> dict[str, Any]:
    """Write the members of an enumeration, and return the rest of its body."""
    for name, member in kind.__members__.items():
        hidden = {"_value_", "_name_", "__objclass__", "_sort_order_"}
        extra = {key: item for key, item in vars(member).items() if key not in hidden}
        writer.named(name, (member._value_, extra))  # the documented name
    return {
        name: item
        for name, item in body.items()
        if name not in kind.__members__ and name not in _OF_ENUMERATIONS
    }


def _namespace_of(kind: type) -> dict[str, Any]:
    module = sys.modules.get(kind.__module__)
    return {} if module is None else vars(module)


def _module(writer: KeyWriter, value: types.ModuleType) -> None:
    package = origin(vars(value))
    writer.mark("module", package)
    if package != OWN:
        writer.mark("named", value.__name__)
    elif is_compiled(vars(value)):
        raise UnfollowedError(value, "It is machine code of your own, which has no version.")
    else:
        following.namespace(writer, vars(value))


def known_by_name(writer: KeyWriter, value: object) -> None:
    """Write what counts by its name and the version of its package."""
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    package = is_exported(value) or origin_of_module(module)
    writer.mark("known", f"{package} {module} {name}")


def whole(writer: KeyWriter, value: object) -> None:
    """Write any object that is neither a plain value nor a function, class or module."""
    if callable(value) and is_exported(value) is not None:
        known_by_name(writer, value)
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


def _compiled(writer: KeyWriter, value: object) -> bool:
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


def _by_state(writer: KeyWriter, value: object) -> None:
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


def _reduced(value: object) -> Any:
    # A strategy is pickled by its name, but is what its function does.
    by_value = getattr(type(value), "reduce_by_value", None)
    reducer: Callable[[object], object] | None = by_value or copyreg.dispatch_table.get(type(value))
    try:
        return value.__reduce_ex__(4) if reducer is None else reducer(value)
    except Exception as error:
        raise UnfollowedError(value, "") from error


def _without_derived(owner: type, state: object) -> object:
    """Leave out what is computed on first use, and what only describes an object."""
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):
        return _without_derived(owner, {**(state[0] or {}), **state[1]})
    if not isinstance(state, dict):
        return state
    is_derived = not is_own(owner)  # a class of the user's may have been given another value
    return {
        name: item
        for name, item in state.items()
        if name not in ABOUT
        and not (is_derived and isinstance(getattr(owner, str(name), None), cached_property))
    }


def _builtin(writer: KeyWriter, value: Any) -> None:
    owner = getattr(value, "__self__", None)
    if isinstance(owner, types.ModuleType):
        if is_compiled(vars(owner)) and is_own(owner):
            raise UnfollowedError(value, "It is machine code of your own, which has no version.")
        known_by_name(writer, value)
        return
    writer.mark("builtin", value.__qualname__)
    home = getattr(owner, "__class__", object).__module__
    offered = getattr(sys.modules.get(home), value.__name__, None)
    if owner is not None and offered is not value:  # such as random.random
        writer.feed(owner)
    if owner is None:
        objclass = getattr(value, "__objclass__", None)
        writer.feed(objclass) if objclass is not None else known_by_name(writer, value)


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


def _parts(*names: str) -> Callable[[KeyWriter, object], None]:
    def feeder(writer: KeyWriter, value: object) -> None:
        for name in names:
            writer.named(name, getattr(value, name))

    return feeder


_FEEDERS: tuple[tuple[Any, Callable[[KeyWriter, Any], None]], ...] = (
    (types.CodeType, code),
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
