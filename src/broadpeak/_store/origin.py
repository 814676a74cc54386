# SPDX-License-Identifier: BSD-3-Clause
"""Where code comes from: an installed package, known by its version, or the user's own files."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
import types
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import machinery, metadata
from pathlib import Path

import broadpeak
from broadpeak._core.qualnames import lookup

OWN = ""
"""Origin of the user's own code, which counts by what it holds."""

_HEAP = 1 << 9  # of type.__flags__: made while the program ran, not part of the interpreter
_MAKERS = {"abc", "dataclasses", "types"}  # modules that lend their name to what they make
_SITES = {"site-packages", "dist-packages"}
_LINKED_CACHE = "archive-v"  # where an installer keeps what it links into site-packages
_HERE = str(Path(broadpeak.__file__).resolve().parent)
_PYTHON = f"Python {platform.python_version()}"
_LIBRARY = f"broadpeak {broadpeak.__version__}"


def origin(namespace: Mapping[str, object]) -> str:
    """Return the package and version behind the names of a module, or `OWN`.

    Parameters
    ----------
    namespace : mapping
        ``vars(module)`` or the globals of a function.
    """
    file = namespace.get("__file__")
    if not isinstance(file, str):
        path = namespace.get("__path__")  # of a package without __init__.py
        file = next((str(one) for one in path), None) if isinstance(path, Iterable) else None
    if file is not None:
        return _origin_of_file(file)
    spec = namespace.get("__spec__")
    return _PYTHON if getattr(spec, "origin", None) in {"built-in", "frozen"} else OWN


def origin_of_module(name: object) -> str:
    """Return the package and version of a module that is loaded; an unknown one is `OWN`."""
    module = sys.modules.get(name) if isinstance(name, str) else None
    return OWN if module is None else origin(vars(module))


def is_compiled(namespace: Mapping[str, object]) -> bool:
    """Return whether a module is machine code, which nobody can look into."""
    file = namespace.get("__file__")
    return isinstance(file, str) and file.endswith(tuple(machinery.EXTENSION_SUFFIXES))


def is_exported(value: object) -> str | None:
    """Return the origin of what an installed module offers under the name that it bears.

    None for everything else: the user's own, and what a package made up for the occasion.
    """
    module = getattr(value, "__module__", None)
    if not isinstance(module, str) or module not in sys.modules:
        return None
    home = sys.modules[module]
    package = origin(vars(home))
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if package == OWN or not isinstance(name, str):
        return None
    return package if lookup(home, name) is value else None


def is_own(value: object) -> bool:
    """Return whether `value` is a function, class or module of the user's."""
    if isinstance(value, types.FunctionType):
        return origin(value.__globals__) == OWN
    if isinstance(value, types.ModuleType):
        return origin(vars(value)) == OWN
    if not isinstance(value, type) or not value.__flags__ & _HEAP:
        return False
    if is_exported(value) is not None:
        return False
    if "<locals>" in value.__qualname__ or value.__module__ in _MAKERS:
        return True
    return origin_of_module(value.__module__) == OWN


@cache
def _origin_of_file(file: str) -> str:
    raw, real = os.path.abspath(file), os.path.realpath(file)  # noqa: PTH100  # links stay as they are
    if real.startswith(_HERE + os.sep):
        return _LIBRARY
    if _site_part(raw) and (_site_part(real) or _LINKED_CACHE in real):
        return _installed(_site_part(raw))
    if any(
        path.startswith(folder + os.sep) for path in (raw, real) for folder in _python_folders()
    ):
        return OWN if _site_part(raw) else _PYTHON
    return OWN


def _site_part(path: str) -> str:
    """Return the name below the folder of installed packages; empty if it is not there."""
    parts = Path(path).parts
    places = [at for at, part in enumerate(parts[:-1]) if part in _SITES]
    return parts[places[-1] + 1].partition(".")[0] if places else ""


@cache
def _python_folders() -> tuple[str, ...]:
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    paths.add(str(Path(os.__file__).parent))
    paths.add(
        str(
            Path(sysconfig.get_path("stdlib")).parent
            / f"python{sys.version_info[0]}{sys.version_info[1]}.zip"
        )
    )
    return tuple({form for path in paths if path for form in (path, os.path.realpath(path))})


@cache
def _installed(package: str) -> str:
    """Return name and version of an installed package; `OWN` if nobody knows its version."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        names = sorted(set(_distributions().get(package, ())))
    return " ".join(f"{name} {metadata.version(name)}" for name in names) or OWN


@cache
def _distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()
