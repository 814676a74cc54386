# SPDX-License-Identifier: BSD-3-Clause
"""Whether the body of a function gives for lists of parameters what it gives singly.

The bytecode is walked as the interpreter would, with *kinds* in place of values: something known,
something that all combinations share, the list of a parameter, something with a column for each
combination. What may be done with them `listable` says, and only that: a branch on a parameter,
arithmetic with it, a name that is written to, an instruction that is not known here, all mean no.
So the answer depends on the shape of the body, never on values, and holds for every combination.
"""

from __future__ import annotations

import builtins
import dis
import inspect
import sys
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, TypeAlias

from broadpeak._sweep.listable import (
    Each,
    Items,
    Kind,
    Known,
    Listed,
    ListRules,
    NamedItems,
    NotListable,
    alike,
)

_MOST_STEPS = 3000
_MOST_DEPTH = 10
_REFUSED_FLAGS = (
    inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
    | inspect.CO_ITERABLE_COROUTINE
)
_SILENT = frozenset(
    (
        *("RESUME", "NOP", "CACHE", "EXTENDED_ARG", "PRECALL", "COPY_FREE_VARS", "NOT_TAKEN"),
        "TO_BOOL",
    )
)
_VERSION: tuple[int, ...] = tuple(sys.version_info[:2])
# Another interpreter may mean something else by a name that is known here.
_IS_KNOWN = sys.implementation.name == "cpython" and (3, 11) <= _VERSION <= (3, 14)
_JOINED = _VERSION >= (3, 12)  # one instruction reads attributes and methods
_ALWAYS_NAMED = _VERSION >= (3, 14)  # every call that spreads passes keywords, be it none
_ON_NONE = {"NONE": True, "NOT_NONE": False}
_NULL = Known(None)  # marks an empty place below a call; compared by identity


class Frame:
    """One walk through one body: what is on the stack, what local names stand for."""

    __slots__ = ("at", "code", "consts", "free", "keywords", "names", "scope", "stack")

    def __init__(self, func: types.FunctionType, names: dict[str, Kind]) -> None:
        self.code = _steps(func.__code__)
        self.consts = func.__code__.co_consts
        self.scope = func.__globals__
        cells = func.__closure__ or ()
        self.free = dict(zip(func.__code__.co_freevars, cells, strict=True))
        self.names = names
        self.stack: list[Kind] = []
        self.keywords: tuple[str, ...] = ()
        self.at = 0

    def fork(self, at: int) -> Frame:
        """Return a copy that goes on elsewhere."""
        twin = Frame.__new__(Frame)
        twin.code, twin.consts = self.code, self.consts
        twin.scope, twin.free = self.scope, self.free
        twin.names, twin.stack = dict(self.names), list(self.stack)
        twin.keywords, twin.at = (), at
        return twin

    def pop(self, count: int) -> list[Kind]:
        """Take `count` values off the stack, in the order in which they were put there."""
        if not count:
            return []
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken


_Step: TypeAlias = dis.Instruction
_Steps: TypeAlias = "tuple[tuple[_Step, ...], dict[int, int]]"


@lru_cache(maxsize=1024)
def _steps(code: types.CodeType) -> _Steps:
    steps = tuple(dis.get_instructions(code))
    return steps, {step.offset: number for number, step in enumerate(steps)}


class Reader:
    """Reads bodies, one after another as they call each other."""

    def __init__(self) -> None:
        self.rules = ListRules()
        self._left = _MOST_STEPS
        self._depth = 0

    def returned(self, func: Any, args: Sequence[Kind], named: Mapping[str, Kind]) -> Kind:
        """Return what `func` returns for such arguments.

        Raises
        ------
        NotListable
            If it does what is not known to be the same for a list.
        """
        if isinstance(func, types.MethodType):
            func, args = func.__func__, [Known(func.__self__), *args]
        if not isinstance(func, types.FunctionType):
            raise NotListable("it is no Python function")
        if func.__code__.co_flags & _REFUSED_FLAGS:
            raise NotListable(f"{func.__name__} is a generator or a coroutine")
        if self._depth >= _MOST_DEPTH:
            raise NotListable(f"{func.__name__} calls too deep")
        self._depth += 1
        found: Kind | None = None
        waiting = [Frame(func, _bound(func, args, named))]
        while waiting:
            value = self._walk(waiting.pop(), waiting)
            if found is not None and not alike(found, value):
                raise NotListable(f"{func.__name__} returns now this, now that")
            found = value
        self._depth -= 1
        assert found is not None  # noqa: S101  # there is one walk at least
        return found

    def _walk(self, frame: Frame, waiting: list[Frame]) -> Kind:
        """Follow one way through a body to its end; other ways are put to those `waiting`."""
        steps, numbers = frame.code
        while True:
            self._left -= 1
            if self._left < 0:
                raise NotListable("it is too long")
            step = steps[frame.at]
            frame.at += 1
            name = step.opname
            if name in _SILENT:
                continue
            if name == "RETURN_VALUE":
                return frame.stack.pop()
            if name == "RETURN_CONST":
                return Known(step.argval)
            if "JUMP" in name:
                self._jump(step, frame, numbers, waiting)
                continue
            act = self._acts.get(name)
            if act is None:
                raise _unknown(name)
            act(self, frame, step)

    # --- ways ---------------------------------------------------------------------------------

    def _jump(
        self, step: _Step, frame: Frame, numbers: Mapping[int, int], waiting: list[Frame]
    ) -> None:
        name, target = step.opname, numbers[step.argval]
        if "BACKWARD" in name or target < frame.at:
            raise NotListable("it has a loop")
        if name == "JUMP_FORWARD":
            frame.at = target
            return
        kept = name.endswith("_OR_POP")
        name = name.removesuffix("_OR_POP")
        wanted = name.partition("_IF_")[2]
        value = frame.stack[-1] if kept else frame.stack.pop()
        if wanted in _ON_NONE:
            is_taken = self.rules.is_none(value)
            if is_taken is not None:
                is_taken = is_taken is _ON_NONE[wanted]
        elif wanted in {"TRUE", "FALSE"}:
            is_taken = self.rules.truth(value)
            if is_taken is not None:
                is_taken = is_taken is (wanted == "TRUE")
        else:
            raise _unknown(step.opname)
        if is_taken is None:  # the same for all combinations: either way, but one for all
            waiting.append(frame.fork(target))
        if is_taken:
            frame.at = target
        elif kept:
            frame.stack.pop()

    # --- calls --------------------------------------------------------------------------------

    def _call(self, func: Kind, args: Sequence[Kind], named: Mapping[str, Kind]) -> Kind:
        if isinstance(func, Known):
            inner = getattr(func.value, "__func__", func.value)
            if isinstance(inner, types.FunctionType) and not self.rules.is_ours(inner):
                return self.returned(func.value, args, named)
        return self.rules.call(func, args, named)

    def _act_call(self, frame: Frame, step: _Step) -> None:
        names = frame.keywords
        if step.opname == "CALL_KW":
            names = self.rules.strings(frame.stack.pop())
        frame.keywords = ()
        passed = frame.pop(step.arg or 0)
        n_positional = len(passed) - len(names)
        named = dict(zip(names, passed[n_positional:], strict=True))
        frame.stack.append(self._call(_called(frame), passed[:n_positional], named))

    def _act_call_spread(self, frame: Frame, step: _Step) -> None:
        named: Kind = NamedItems({})
        if step.opname == "CALL_FUNCTION_EX" and (_ALWAYS_NAMED or (step.arg or 0) & 1):
            named = frame.stack.pop()
        args = frame.stack.pop()
        func = _called(frame)
        if named is _NULL:
            named = NamedItems({})
        if not isinstance(args, Items) or not isinstance(named, NamedItems):
            raise NotListable("it passes arguments on that are not known")
        frame.stack.append(self._call(func, args.items, named.items))

    # --- names --------------------------------------------------------------------------------

    def _load_global(self, frame: Frame, step: _Step) -> None:
        name = step.argval
        if name in frame.scope:
            value = frame.scope[name]
        else:
            known: Any = frame.scope.get("__builtins__", {})
            known = known if isinstance(known, dict) else vars(known)
            if name not in known:
                raise NotListable(f"{name} is not defined")
            value = known[name]
        if step.opname == "LOAD_GLOBAL" and (step.arg or 0) & 1:
            frame.stack.append(_NULL)
        frame.stack.append(Known(value))

    def _load_free(self, frame: Frame, step: _Step) -> None:
        name = step.argval
        if name in frame.names:
            frame.stack.append(frame.names[name])
            return
        try:
            frame.stack.append(Known(frame.free[name].cell_contents))
        except (KeyError, ValueError):
            raise NotListable(f"{name} is not bound") from None

    def _load_fast(self, frame: Frame, step: _Step) -> None:
        names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        for name in names:
            if name not in frame.names:
                raise NotListable(f"{name} is not bound")
            frame.stack.append(frame.names[name])

    def _store_fast(self, frame: Frame, step: _Step) -> None:
        names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        for name in names:
            frame.names[name] = frame.stack.pop()

    def _store_load(self, frame: Frame, step: _Step) -> None:
        stored, loaded = step.argval
        frame.names[stored] = frame.stack.pop()
        if loaded not in frame.names:
            raise NotListable(f"{loaded} is not bound")
        frame.stack.append(frame.names[loaded])

    def _load_attribute(self, frame: Frame, step: _Step) -> None:
        owner = frame.stack.pop()
        is_method = step.opname == "LOAD_METHOD" or (_JOINED and bool((step.arg or 0) & 1))
        if is_method:
            frame.stack.append(_NULL)
        frame.stack.append(self.rules.attribute(owner, step.argval))

    # --- values -------------------------------------------------------------------------------

    def _load_const(self, frame: Frame, step: _Step) -> None:
        frame.stack.append(Known(step.argval))

    def _import(self, frame: Frame, step: _Step) -> None:
        """Read an import of what is there already, which runs nothing."""
        level, wanted = frame.pop(2)
        name: str = step.argval
        known: Any = frame.scope.get("__builtins__", {})
        known = known if isinstance(known, dict) else vars(known)
        is_plain = known.get("__import__") is builtins.__import__
        if not is_plain or not isinstance(level, Known) or level.value != 0:
            raise NotListable(f"it imports {name}")
        is_whole = (
            isinstance(wanted, Known) and wanted.value is None
        )  # then the first part is bound
        module = sys.modules.get(name.partition(".")[0] if is_whole else name)
        if name not in sys.modules or not isinstance(module, types.ModuleType):
            raise NotListable(f"it imports {name}")
        frame.stack.append(Known(module))

    def _import_from(self, frame: Frame, step: _Step) -> None:
        frame.stack.append(self.rules.attribute(frame.stack[-1], step.argval))

    def _push_null(self, frame: Frame, _: _Step) -> None:
        frame.stack.append(_NULL)

    def _name_keywords(self, frame: Frame, step: _Step) -> None:
        frame.keywords = frame.consts[step.arg or 0]

    def _operate(self, frame: Frame, step: _Step) -> None:
        left, right = frame.pop(2)
        symbol = step.argrepr
        if step.opname == "BINARY_SUBSCR" or symbol == "[]":
            frame.stack.append(self.rules.item(left, right))
        else:
            frame.stack.append(self.rules.operate(symbol, left, right))

    def _compare(self, frame: Frame, step: _Step) -> None:
        left, right = frame.pop(2)
        symbol = {"IS_OP": "is", "CONTAINS_OP": "in"}.get(step.opname, str(step.argval))
        if step.opname in {"IS_OP", "CONTAINS_OP"} and step.arg:
            symbol = f"not {symbol}"
        frame.stack.append(self.rules.operate(symbol, left, right))

    def _unary(self, frame: Frame, step: _Step) -> None:
        frame.stack.append(self.rules.unary(step.opname, frame.stack.pop()))

    def _build(self, frame: Frame, step: _Step) -> None:
        frame.stack.append(Items(tuple(frame.pop(step.arg or 0))))

    def _build_slice(self, frame: Frame, step: _Step) -> None:
        frame.stack.append(self.rules.slice(frame.pop(step.arg or 0)))

    def _build_map(self, frame: Frame, step: _Step) -> None:
        pairs = frame.pop(2 * (step.arg or 0))
        keys = [self.rules.string(key) for key in pairs[::2]]
        frame.stack.append(NamedItems(dict(zip(keys, pairs[1::2], strict=True))))

    def _build_const_map(self, frame: Frame, step: _Step) -> None:
        keys = self.rules.strings(frame.stack.pop())
        frame.stack.append(NamedItems(dict(zip(keys, frame.pop(step.arg or 0), strict=True))))

    def _merge_map(self, frame: Frame, step: _Step) -> None:
        more = self.rules.named(frame.stack.pop())
        into = frame.stack[-(step.arg or 1)]
        if not isinstance(into, NamedItems) or not into.items.keys().isdisjoint(more):
            raise NotListable("it joins dicts that are not known")
        frame.stack[-(step.arg or 1)] = NamedItems({**into.items, **more})

    def _extend(self, frame: Frame, step: _Step) -> None:
        more = self.rules.items(frame.stack.pop())
        into = frame.stack[-(step.arg or 1)]
        if not isinstance(into, Items):
            raise NotListable("it joins lists that are not known")
        frame.stack[-(step.arg or 1)] = Items((*into.items, *more))

    def _append(self, frame: Frame, step: _Step) -> None:
        more = frame.stack.pop()
        into = frame.stack[-(step.arg or 1)]
        if not isinstance(into, Items):
            raise NotListable("it joins lists that are not known")
        frame.stack[-(step.arg or 1)] = Items((*into.items, more))

    def _to_tuple(self, frame: Frame, step: _Step) -> None:
        if step.opname == "CALL_INTRINSIC_1" and step.argrepr != "INTRINSIC_LIST_TO_TUPLE":
            raise _unknown(step.argrepr)
        if not isinstance(frame.stack[-1], Items):
            raise NotListable("it joins lists that are not known")

    def _unpack(self, frame: Frame, step: _Step) -> None:
        items = self.rules.unpack(frame.stack.pop(), step.arg or 0)
        frame.stack.extend(reversed(items))

    def _pop_top(self, frame: Frame, _: _Step) -> None:
        frame.stack.pop()

    def _copy(self, frame: Frame, step: _Step) -> None:
        frame.stack.append(frame.stack[-(step.arg or 1)])

    def _swap(self, frame: Frame, step: _Step) -> None:
        at = -(step.arg or 1)
        frame.stack[at], frame.stack[-1] = frame.stack[-1], frame.stack[at]

    _acts: ClassVar[dict[str, Callable[[Any, Frame, _Step], None]]] = {
        "BINARY_OP": _operate,
        "BINARY_SUBSCR": _operate,
        "BUILD_CONST_KEY_MAP": _build_const_map,
        "BUILD_LIST": _build,
        "BUILD_MAP": _build_map,
        "BUILD_SLICE": _build_slice,
        "BUILD_TUPLE": _build,
        "CALL": _act_call,
        "CALL_FUNCTION_EX": _act_call_spread,
        "CALL_INTRINSIC_1": _to_tuple,
        "CALL_KW": _act_call,
        "COMPARE_OP": _compare,
        "CONTAINS_OP": _compare,
        "COPY": _copy,
        "DICT_MERGE": _merge_map,
        "DICT_UPDATE": _merge_map,
        "IMPORT_FROM": _import_from,
        "IMPORT_NAME": _import,
        "IS_OP": _compare,
        "KW_NAMES": _name_keywords,
        "LIST_APPEND": _append,
        "LIST_EXTEND": _extend,
        "LIST_TO_TUPLE": _to_tuple,
        "LOAD_ATTR": _load_attribute,
        "LOAD_CONST": _load_const,
        "LOAD_DEREF": _load_free,
        "LOAD_FAST": _load_fast,
        "LOAD_FAST_BORROW": _load_fast,
        "LOAD_FAST_BORROW_LOAD_FAST_BORROW": _load_fast,
        "LOAD_FAST_CHECK": _load_fast,
        "LOAD_FAST_LOAD_FAST": _load_fast,
        "LOAD_GLOBAL": _load_global,
        "LOAD_METHOD": _load_attribute,
        "LOAD_SMALL_INT": _load_const,
        "POP_TOP": _pop_top,
        "PUSH_NULL": _push_null,
        "STORE_FAST": _store_fast,
        "STORE_FAST_LOAD_FAST": _store_load,
        "STORE_FAST_STORE_FAST": _store_fast,
        "SWAP": _swap,
        "UNARY_INVERT": _unary,
        "UNARY_NEGATIVE": _unary,
        "UNARY_NOT": _unary,
        "UNPACK_SEQUENCE": _unpack,
    }


def _called(frame: Frame) -> Kind:
    """Take what is called off the stack, and the empty place before or behind it.

    Methods are read as attributes, so nothing else can stand there.
    """
    first, second = frame.pop(2)
    if (first is _NULL) is (second is _NULL):
        raise NotListable("of a call that is not known")
    return second if first is _NULL else first


def _bound(
    func: types.FunctionType, args: Sequence[Kind], named: Mapping[str, Kind]
) -> dict[str, Kind]:
    """Return what the names of arguments stand for in the body."""
    code = func.__code__
    if code.co_cellvars:
        raise NotListable(f"{func.__name__} has functions inside")
    if any(step.opname == "PUSH_EXC_INFO" for step in _steps(code)[0]):
        raise NotListable(f"{func.__name__} catches errors")
    n = code.co_argcount
    declared = code.co_varnames[: n + code.co_kwonlyargcount]
    names: dict[str, Kind] = dict(zip(declared[:n], args, strict=False))
    rest = tuple(args[n:])
    more: dict[str, Kind] = {}
    for name, value in named.items():
        if name in declared[code.co_posonlyargcount :] and name not in names:
            names[name] = value
        else:
            more[name] = value
    defaults = func.__defaults__ or ()
    filled = dict(zip(declared[n - len(defaults) : n], defaults, strict=True))
    filled |= func.__kwdefaults__ or {}
    for name, default in filled.items():
        names.setdefault(name, Known(default))
    at = len(declared)
    if code.co_flags & inspect.CO_VARARGS:
        names[code.co_varnames[at]] = Items(rest)
        rest, at = (), at + 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        names[code.co_varnames[at]] = NamedItems(more)
        more = {}
    if rest or more or not names.keys() >= set(declared):
        raise NotListable(f"{func.__name__} is not called with its arguments")
    return names


def read_body(
    func: Any,
    args: Sequence[Any],
    named: Mapping[str, Any],
    varying: Collection[int | str],
    by: str | None = None,
) -> ListRules:
    """See to it that `func` returns, for lists, a column or an entry a combination, or several.

    Parameters
    ----------
    func : callable
        The function of a sweep.
    args, named
        What it is called with.
    varying : collection
        Position or keyword of every parameter.
    by : str, optional
        The metric that is all that is wanted of a portfolio.

    Returns
    -------
    ListRules
        What was seen on the way.

    Raises
    ------
    NotListable
        If it is not certain that a list gives what single calls give; it says why.
    """
    if not _IS_KNOWN:
        raise NotListable("this Python is not known")
    declared = list(inspect.signature(func).parameters)
    names = dict(enumerate(declared))
    passed: list[Kind] = [
        Listed(names.get(at, f"{at}")) if at in varying else Known(value)
        for at, value in enumerate(args)
    ]
    by_name: dict[str, Kind] = {
        **{name: Known(value) for name, value in named.items()},
        **{name: Listed(name) for name in varying if isinstance(name, str)},
    }
    lists = [one.name for one in (*passed, *by_name.values()) if isinstance(one, Listed)]
    if len(set(lists)) < len(lists):  # a signature that is not the function's own
        raise NotListable("two parameters have one name")
    reader = Reader()
    try:
        found = reader.returned(func, passed, by_name)
    except NotListable:
        raise
    except Exception as error:  # an attribute of the user's that raises, a stack that is not ours
        raise NotListable(f"{type(error).__name__}: {error}") from error
    if by is not None and isinstance(found, Each) and found.kind == "portfolio":
        found = reader.rules.attribute(found, by)
    reader.rules.check_result(found)
    return reader.rules


_IN_WORDS = {
    "STORE_SUBSCR": "it writes to an item",
    "STORE_SLICE": "it writes to an item",
    "STORE_ATTR": "it writes to an attribute",
    "STORE_GLOBAL": "it writes to a global name",
    "STORE_DEREF": "it has functions inside",
    "MAKE_FUNCTION": "it has functions inside",
    "GET_ITER": "it has a loop",
    "FORMAT_VALUE": "it makes text",
    "FORMAT_SIMPLE": "it makes text",
    "RAISE_VARARGS": "it raises an error itself",
}


def _unknown(instruction: str) -> NotListable:
    """Return the answer for an instruction that is not followed."""
    return NotListable(_IN_WORDS.get(instruction, f"it has the instruction {instruction}"))
