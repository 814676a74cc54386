# SPDX-License-Identifier: BSD-3-Clause
"""From the names that code reads to the values behind them, through modules and imports."""

from __future__ import annotations

import builtins
import importlib
import importlib.machinery
import importlib.util
import inspect
import linecache
import os
import runpy
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from broadpeak._store.origin import OWN, is_own, origin, origin_of_module
from broadpeak._store.reach import Reached, Read, reached
from broadpeak._store.writing import PLAIN, KeyWriter

_MISSING = object()
_LOADERS = (
    *(runpy.run_path, runpy.run_module, importlib.reload, compile),
    *(importlib.util.spec_from_file_location, importlib.machinery.SourceFileLoader),
)
_SOURCES = (inspect.getsource, inspect.getsourcelines, linecache.getline, linecache.getlines)
_ENVIRONMENTS = [
    getattr(home, name)
    for home, name in (
        *((os, "environ"), (os, "getenv"), (os, "environb"), (os, "getenvb")),
        (os.path, "expandvars"),
    )
    if hasattr(home, name)  # bytes are not on every system
]
_EXTENDED = ("Data", "Portfolio", "PF")
_SURROUNDINGS = ("argv", "path", "stdin", "stdout", "stderr")


class UnfollowedError(Exception):
    """Something has no content to go by.

    Attributes
    ----------
    value : object
        What it is.
    why : str
        What is wrong with it.
    path : list of str
        Names on the way to it.
    """

    def __init__(self, value: object, why: str) -> None:
        super().__init__(why)
        self.value = value
        self.why = why
        self.path: list[str] = []


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a function finds its names."""

    names: dict[str, object]  # its globals
    builtins: Mapping[str, object]  # what is known everywhere
    free: Mapping[str, object]  # what it closes over


def scope_of(func: types.FunctionType) -> Scope:
    """Return where `func` finds its names."""
    cells = zip(func.__code__.co_freevars, func.__closure__ or (), strict=True)
    free = {name: cell.cell_contents for name, cell in cells if not _is_empty(cell)}
    known = getattr(func, "__builtins__", vars(builtins))
    return Scope(func.__globals__, known, free)


def _is_empty(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # of a function that closes over what is not bound yet
        return True
    return False


def follow(writer: KeyWriter, found: Reached, scope: Scope) -> None:
    """Write what stands behind all that code reads."""
    writer.inspected |= found.inspected
    if found.namespace:
        _whole(writer, scope)
    for host in _hosts():
        _patches(writer, host, found.words)
    for read in found.reads:
        if read.kind == "import":
            _import(writer, read, scope, found.words)
        elif read.kind == "free":
            if read.name in scope.free:
                _chain(writer, scope.free[read.name], read, scope, found.words)
        elif read.name in scope.names:
            _chain(writer, scope.names[read.name], read, scope, found.words)
        elif read.name in scope.builtins:
            _chain(writer, scope.builtins[read.name], read, scope, found.words)
        else:
            writer.mark("unbound", read.name)


def _chain(writer: KeyWriter, value: object, read: Read, scope: Scope, words: set[str]) -> None:
    """Write what is at the end of ``name.attr.attr``, not all of the modules on the way."""
    attrs = list(read.attrs)
    package = ""
    path = read.name
    writer.mark("name", ".".join((path, *attrs)))
    while attrs and isinstance(value, types.ModuleType) and attrs[0] != "__dict__":
        package = origin(vars(value))
        path = f"{path}.{attrs[0]}"
        value = _attribute(writer, value, attrs.pop(0))
    if value is _MISSING:
        writer.mark("unbound")
    elif _is_special(writer, value, read, scope, words):
        return
    elif package == OWN or type(value) in PLAIN or _was_put_there(value):
        writer.named(path, value)
    else:  # how a package is set up counts by its version
        writer.mark("package", package)
    if isinstance(value, type) and value not in _hosts():
        _patches(writer, value, words)


def _hosts() -> Iterator[type]:
    """Yield the classes whose objects code mostly meets without their names."""
    yield from (pd.Series, pd.DataFrame, pd.DatetimeIndex)
    library = sys.modules["broadpeak"]
    for name in _EXTENDED:
        host = vars(library).get(name)  # not loaded, not extended
        if isinstance(host, type):
            yield host


def _patches(writer: KeyWriter, host: type, words: set[str]) -> None:
    """Write what the user added to a class of a package: accessors, replaced methods.

    Only what the code names: an accessor that is not used does not count.
    """
    if is_own(host):
        return
    bodies = [vars(kind) for kind in host.__mro__]
    for word in sorted(words):
        value = next((body[word] for body in bodies if word in body), None)
        # The class of what hides an accessor; that of others may call anything its module.
        if str(type(value).__module__).startswith("pandas."):
            value = getattr(host, word)
        inner = getattr(value, "fget", getattr(value, "__func__", value))
        if isinstance(inner, (types.FunctionType, type)) and is_own(inner):
            writer.mark("put on", f"{host.__module__} {host.__qualname__}")
            writer.named(word, value)


def _was_put_there(value: object) -> bool:
    """Return whether a value that a package holds is the user's."""
    is_definition = isinstance(value, (types.ModuleType, types.FunctionType, type))
    return is_own(value if is_definition else type(value))


def _attribute(writer: KeyWriter, module: types.ModuleType, name: str) -> object:
    """Return an attribute of a module, which may be a module that is not imported yet."""
    known = vars(module)
    if name in known:
        return known[name]
    if origin(known) == OWN and "__getattr__" in known:
        writer.named("__getattr__", known["__getattr__"])
    try:
        return getattr(module, name)
    except Exception:  # noqa: BLE001  # whatever it is, the code will meet it, too
        return _MISSING


def _import(writer: KeyWriter, read: Read, scope: Scope, words: set[str]) -> None:
    """Write what an import inside a function brings, and what is read of it."""
    name = _absolute(read, scope)
    package = _package_of(name)
    writer.mark("import", f"{name} {package}")
    if package != OWN:
        writer.mark("of", ".".join(read.attrs))
        return
    module = _loaded(writer, name)
    attrs = list(read.attrs)
    while attrs and isinstance(module, types.ModuleType) and attrs[0] not in vars(module):
        # A module of the package, which an import elsewhere in the function makes known.
        below = _loaded(None, f"{module.__name__}.{attrs[0]}")
        if below is _MISSING:
            break
        module, attrs = below, attrs[1:]
    _chain(writer, module, Read("import", name, tuple(attrs)), scope, words)


def _absolute(read: Read, scope: Scope) -> str:
    if not read.level:
        return read.name
    name = str(scope.names.get("__name__", ""))
    package = str(scope.names.get("__package__") or name.rpartition(".")[0])
    try:
        return importlib.util.resolve_name("." * read.level + read.name, package)
    except ImportError:
        return "." * read.level + read.name


def _package_of(name: str) -> str:
    """Return the origin of a module that may not be imported yet."""
    top = name.partition(".")[0]
    if top in sys.modules:
        return origin_of_module(top)
    try:
        spec = importlib.util.find_spec(top) if top else None
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return OWN
    folders = spec.submodule_search_locations
    return origin(
        {
            "__file__": spec.origin if spec.has_location else None,
            "__path__": folders,
            "__spec__": spec,
        }
    )


def _loaded(writer: KeyWriter | None, name: str) -> object:
    """Return the user's module `name`; an error of its import is one that the code will meet."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # noqa: BLE001  # the import is the user's code
        if writer is not None:
            writer.mark("fails", f"{type(error).__name__} {error}")
        return _MISSING


def _is_special(writer: KeyWriter, value: Any, read: Read, scope: Scope, words: set[str]) -> bool:
    """Write what counts by the string it is called with; whether `value` is of that kind."""
    if any(value is one for one in _ENVIRONMENTS):
        if read.text is None or value not in (os.environ, os.getenv):
            raise UnfollowedError(
                "os.environ", "Variables of the environment are read by names not written out."
            )
        writer.mark("environment", read.text)
        writer.feed(os.environ.get(read.text))
    elif value is importlib.import_module or value is __import__ or value is sys.modules:
        if read.text is None or read.text.startswith("."):
            raise UnfollowedError(value, "A module is found by a name not written out.")
        _import(writer, Read("import", read.text), scope, words)
    elif value is eval or value is exec:
        _expression(writer, value, read, scope)
    elif value is globals:
        _whole(writer, scope)
    elif any(value is loader for loader in _LOADERS):
        raise UnfollowedError(value, "Code is made while it runs.")
    elif any(value is reader for reader in _SOURCES):
        raise UnfollowedError(value, "It reads source text, where comments and lines count.")
    else:
        return any(value is getattr(sys, name) for name in _SURROUNDINGS)
    return True


def _expression(writer: KeyWriter, value: Callable[..., Any], read: Read, scope: Scope) -> None:
    if read.text is None:
        raise UnfollowedError(value, "It runs a string that is not written out.")
    try:
        code = compile(read.text, "<text>", "eval" if value is eval else "exec")
    except SyntaxError:
        writer.mark("no code")
        return
    follow(writer, reached(code), scope)


def _whole(writer: KeyWriter, scope: Scope) -> None:
    """Write all of the module that a function belongs to."""
    module = sys.modules.get(str(scope.names.get("__name__")))
    if module is not None and vars(module) is scope.names:
        writer.feed(module)
    else:
        namespace(writer, scope.names)


_OF_THE_SYSTEM = {
    *("__annotations__", "__builtins__", "__cached__", "__doc__", "__file__", "__loader__"),
    *(
        "__name__",
        "__package__",
        "__path__",
        "__spec__",
        "__annotate__",
        "__conditional_annotations__",
    ),
}


def namespace(writer: KeyWriter, names: Mapping[str, object]) -> None:
    """Write all names of a module, and what they stand for."""
    for name in sorted(set(names) - _OF_THE_SYSTEM):
        writer.named(name, names[name])
