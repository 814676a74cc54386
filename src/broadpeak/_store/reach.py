# SPDX-License-Identifier: BSD-3-Clause
"""What compiled code reaches: the names it reads, their attributes, what it imports.

It reads instructions, not source: instructions are what runs, they hold no comments and no layout,
and code typed into a notebook has them too. Bytecode differs between versions of Python,
but the names of the instructions that read a name have been stable, and the version is part of a
key.
"""

from __future__ import annotations

import dis
import re
import types
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["global", "free", "import"]

_SILENT = {"CACHE", "EXTENDED_ARG", "PUSH_NULL", "NOP", "PRECALL", "RESUME", "NOT_TAKEN"}
_GLOBALS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}
_CHANGED_ATTRIBUTES = {"STORE_ATTR", "DELETE_ATTR"}
_SIMPLE = ("LOAD_CONST", "LOAD_FAST", "LOAD_SMALL_INT")
_WORD = re.compile(r"[^\W\d]\w*")

INSPECTIONS = {
    "doc": {"__doc__", "getdoc"},
    "annotations": {"__annotations__", "get_type_hints", "get_annotations", "signature"},
    "subclasses": {"__subclasses__"},
}
"""What a function may inspect in others that does not count otherwise, and the names of that."""
_NAMESPACES = {"__globals__", "f_globals"}
_READS_TEXT = {"eval", "query"}


@dataclass(frozen=True, slots=True)
class Read:
    """A name that code reads, and what it reads of it."""

    kind: Kind  # a "global", a "free" name of an enclosing function, or an "import"
    name: str  # the name; of an import the module
    # The attributes that follow: ``("sub", "CONST")`` of ``pkg.sub.CONST``.
    attrs: tuple[str, ...] = ()
    level: int = 0  # dots before the module of an import
    # The string that it is called or searched with, as in ``os.getenv("HOME")`` or ``"HOME" in
    # os.environ``.
    text: str | None = None


@dataclass(slots=True)
class Reached:
    """All that a code object and the code inside it read."""

    reads: list[Read] = field(default_factory=list)  # in the order of the instructions, each once
    inspected: set[str] = field(default_factory=set)  # keys of `INSPECTIONS`
    namespace: bool = False  # it takes the globals of a module as a whole
    # Names and strings in it, among which are the attributes that it reads of any value.
    words: set[str] = field(default_factory=set)


_Imports: TypeAlias = dict[str, "tuple[str, int, tuple[str, ...]]"]


@lru_cache(maxsize=4096)
def reached(code: types.CodeType) -> Reached:
    """Return what `code` reads, and the functions, classes and comprehensions inside it."""
    found = Reached()
    _scan(code, {}, found)
    found.reads = list(dict.fromkeys(found.reads))
    return found


def instructions(code: types.CodeType) -> list[dis.Instruction]:
    """Return the instructions that do something."""
    return [step for step in dis.get_instructions(code) if step.opname not in _SILENT]


def split_joined(name: str) -> tuple[str, ...]:
    """Return the instructions that a joined one stands for; which are joined depends on the layout.

    Examples
    --------
    >>> split_joined("STORE_FAST_LOAD_FAST"), split_joined("LOAD_FAST")
    (('STORE_FAST', 'LOAD_FAST'), ('LOAD_FAST',))
    """
    parts = name.split("_")
    half = len(parts) // 2
    is_pair = parts[0] in {"LOAD", "STORE"} and parts[half] in {"LOAD", "STORE"}
    return ("_".join(parts[:half]), "_".join(parts[half:])) if is_pair else (name,)


def instruction_numbers(code: types.CodeType) -> Callable[[int], int]:
    """Return the function that turns an offset into the number of the next instruction."""
    offsets: list[int] = []
    for step in instructions(code):
        offsets += [step.offset] * len(split_joined(step.opname))
    return partial(bisect_left, offsets)


def inner_code(code: types.CodeType) -> list[types.CodeType]:
    """Return the code of functions, classes and comprehensions inside `code`."""
    return [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]


def _scan(code: types.CodeType, outer: _Imports, found: Reached) -> None:
    steps = instructions(code)
    bound = {name: outer[name] for name in code.co_freevars if name in outer}
    bound |= _imports(code, steps)
    local_names = {*code.co_varnames, *code.co_cellvars}
    strings = {constant for constant in code.co_consts if isinstance(constant, str)}
    _note_names(code, strings, found)
    used: set[str] = set()
    for at, step in enumerate(steps):
        for kind, name in _loads(step, local_names):
            if kind != "global" and name in bound:
                used.add(name)
                module, level, path = bound[name]
                read = _read_with_attributes(steps, at, "import", module)
                attrs = path + (read.attrs if name == _last_load(step) else ())
                found.reads.append(Read("import", module, attrs, level))
            elif kind != "local":
                found.reads.append(_read_with_attributes(steps, at, kind, name))
    handed_on = {name for inner in inner_code(code) for name in inner.co_freevars}
    idle = set(bound) - used - handed_on - set(code.co_freevars)
    found.reads.extend(_unfollowed_imports(steps, set(bound) - idle))
    if _READS_TEXT & set(code.co_names):  # expressions in strings read the caller's names
        words = {word for text in strings for word in _WORD.findall(text)}
        found.reads.extend(Read("global", word) for word in sorted(words))
    for inner in inner_code(code):
        _scan(inner, bound, found)


def _note_names(code: types.CodeType, strings: set[str], found: Reached) -> None:
    words = {*code.co_names, *strings}
    found.inspected |= {what for what, names in INSPECTIONS.items() if names & words}
    found.namespace |= bool(_NAMESPACES & words)
    found.words |= words


def _loads(step: dis.Instruction, local_names: set[str]) -> Iterator[tuple[Any, str]]:
    """Yield the names that an instruction reads; two of local ones may be joined in one."""
    if step.opname in _GLOBALS:
        if step.opname == "LOAD_NAME" and step.argval == "__name__":
            return  # how the body of a class begins
        yield "global", step.argval
    elif step.opname.startswith("LOAD_") and "DEREF" in step.opname:
        yield ("local" if step.argval in local_names else "free"), step.argval
    elif "LOAD_FAST" in step.opname:
        names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        for name in names[1:] if step.opname.startswith("STORE") else names:
            yield "local", name


def _last_load(step: dis.Instruction) -> str:
    name: str = step.argval[-1] if isinstance(step.argval, tuple) else step.argval
    return name


def _read_with_attributes(steps: list[dis.Instruction], at: int, kind: Kind, name: str) -> Read:
    """Return the read of `name` with the attributes that are taken of it right away."""
    attrs = []
    position = at + 1
    while position < len(steps) and steps[position].opname in _ATTRIBUTES:
        attrs.append(str(steps[position].argval))
        position += 1
    if position < len(steps) and steps[position].opname in _CHANGED_ATTRIBUTES:
        attrs.append(str(steps[position].argval))
    text = _searched_with(steps, position)
    if text is None and position < len(steps) and steps[position].opname == "CONTAINS_OP":
        text = _text(steps, at - 1)
    return Read(kind, name, tuple(attrs), 0, text)


def _searched_with(steps: list[dis.Instruction], at: int) -> str | None:
    """Return the string at `at` if it is a whole first argument, or a whole key."""
    text = _text(steps, at)
    end = at + 1
    while text is not None and end < len(steps) and steps[end].opname.startswith(_SIMPLE):
        end += 1
    if text is None or end >= len(steps):
        return None
    step, n_loads = steps[end], end - at
    is_call = step.opname.startswith("CALL") and step.arg == n_loads
    is_key = "SUBSCR" in step.opname or (step.opname == "BINARY_OP" and step.argrepr == "[]")
    return text if is_call or (is_key and n_loads == 1) else None


def _text(steps: list[dis.Instruction], at: int) -> str | None:
    if not 0 <= at < len(steps) or not steps[at].opname.startswith("LOAD_CONST"):
        return None
    value = steps[at].argval
    return value if isinstance(value, str) else None


def _imports(code: types.CodeType, steps: list[dis.Instruction]) -> _Imports:
    """Return what local names stand for that are bound by an import and by nothing else."""
    bound: _Imports = {}
    spoiled = set(code.co_varnames[: _n_arguments(code)])
    for at, step in enumerate(steps):
        for position, name in enumerate(_stores(step)):
            target = None if position else _imported(steps, at - 1)
            if target is None or bound.setdefault(name, target) != target:
                spoiled.add(name)
    return {name: target for name, target in bound.items() if name not in spoiled}


def _n_arguments(code: types.CodeType) -> int:
    stars = bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)
    return code.co_argcount + code.co_kwonlyargcount + stars


def _stores(step: dis.Instruction) -> tuple[str, ...]:
    """Return the local names that an instruction binds; two of them may be joined in one."""
    if step.opname.startswith("STORE_FAST"):
        names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        return tuple(names[:1] if "LOAD" in step.opname else names)
    return (step.argval,) if step.opname == "STORE_DEREF" else ()


def _imported(steps: list[dis.Instruction], at: int) -> tuple[str, int, tuple[str, ...]] | None:
    """Return module, level and attributes of what an import left for the instruction after `at`."""
    if at < 0:
        return None
    path: list[str] = []
    while at >= 0 and steps[at].opname != "IMPORT_NAME":
        if steps[at].opname == "IMPORT_FROM":
            path.insert(0, str(steps[at].argval))
            if not _is_dotted(steps, at):  # one of several names after `from`
                at = _start_of_import(steps, at)
                break
        elif steps[at].opname not in {"SWAP", "ROT_TWO", "POP_TOP"}:
            return None
        at -= 1
    if at < 2:
        return None
    module, fromlist, level = str(steps[at].argval), steps[at - 1].argval, steps[at - 2].argval
    if fromlist:
        return module, int(level), tuple(path)
    return (module, int(level), ()) if path else (module.partition(".")[0], int(level), ())


def _is_dotted(steps: list[dis.Instruction], at: int) -> bool:
    """Return whether an IMPORT_FROM belongs to ``import a.b as c``."""
    start = _start_of_import(steps, at)
    return start >= 1 and not steps[start - 1].argval


def _start_of_import(steps: list[dis.Instruction], at: int) -> int:
    while at >= 0 and steps[at].opname != "IMPORT_NAME":
        at -= 1
    return at


def _unfollowed_imports(steps: list[dis.Instruction], followed: set[str]) -> Iterator[Read]:
    """Yield the imports that do not end in a local name whose reads are followed."""
    for at, step in enumerate(steps):
        if step.opname.startswith("STORE_") and not followed.intersection(_stores(step)[:1]):
            target = _imported(steps, at - 1)
            if target is not None:
                module, level, path = target
                yield Read("import", module, path, level)
