# SPDX-License-Identifier: BSD-3-Clause
"""Functions, classes and modules: the user's by what they hold, others by their version."""

from __future__ import annotations

import dis
import sys
import types
from enum import Enum
from typing import Any

from broadpeak._store import following
from broadpeak._store.following import UnfollowedError
from broadpeak._store.origin import OWN, is_compiled, is_exported, is_own, origin, origin_of_module
from broadpeak._store.reach import instructions, joined, places, reached
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
"""Attributes that tell about an object and do not work in it."""


def definition(writer: KeyWriter, value: Any) -> bool:
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
    writer.asks.add("annotations")  # it may go by those of what it wraps
    writer.feed(value.__code__)
    _values(writer, value)
    for name, content in following.scope_of(value).free.items():
        writer.named(name, content)


def code(writer: KeyWriter, value: types.CodeType) -> None:
    """Write compiled code without file, lines, docstrings and the places of its constants."""
    writer.mark("code", value.co_name)
    writer.feed((value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount))
    writer.feed((value.co_flags & ~_UNSEEN_FLAGS,))
    writer.feed((value.co_varnames, value.co_freevars, value.co_cellvars))
    place = places(value)
    table: Any = dis.Bytecode(value)
    for entry in table.exception_entries:
        where = (entry.start, entry.end, entry.target)
        writer.feed((*(place(offset) for offset in where), entry.depth, entry.lasti))
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
            writer.mark(step.opname, str(place(step.argval)))
        elif len(joined(step.opname)) > 1:  # two that stood on one line
            for name, local in zip(joined(step.opname), step.argval, strict=True):
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
    if not body.get("__annotations__", True):  # made when somebody asked for them
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


def known_by_name(writer: KeyWriter, value: Any) -> None:
    """Write what counts by its name and the version of its package."""
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    package = is_exported(value) or origin_of_module(module)
    writer.mark("known", f"{package} {module} {name}")
