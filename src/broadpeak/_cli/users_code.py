# SPDX-License-Identifier: BSD-3-Clause
"""Where in the user's own files an error came from."""

from __future__ import annotations

import ast
import linecache
import os
import re
import site
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import TracebackType

import broadpeak as bp

_FRAME = re.compile(
    r'^ *File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<name>\w+))?', re.MULTILINE
)
_CARRIED = "<dynamic-code>"


def place_of(error: BaseException) -> str:
    """Return file, line and source of the user's code that `error` came from; empty if none did.

    The innermost line of the first error of a chain: what others made of it is not the cause.

    Examples
    --------
    >>> place_of(ValueError("raised nowhere"))
    ''
    """
    for each in reversed(list(_chain(error))):
        found = list(_places(each))
        if found:
            file, line = found[-1]
            source = linecache.getline(file, line).strip()
            return f"{_short(file)}, line {line}" + (f": {source}" if source else "")
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it was made of, each once."""
    seen: set[int] = set()
    now: BaseException | None = error
    while now is not None and id(now) not in seen:
        seen.add(id(now))
        yield now
        now = now.__cause__ or (None if now.__suppress_context__ else now.__context__)


def _places(error: BaseException) -> Iterator[tuple[str, int]]:
    """Yield files and lines of the user that an error passed, the innermost last."""
    step: TracebackType | None = error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if is_users(file):
            yield file, step.tb_lineno
        step = step.tb_next
    # From a worker comes the text of its traceback, in the error or as its cause.
    text = getattr(error, "worker_traceback", "") or ""
    if type(error).__name__.lstrip("_") == "RemoteTraceback":
        text = str(error)
    for match in _FRAME.finditer(text):
        file, line = match["file"], int(match["line"])
        if file == _CARRIED:
            # Code that crossed by value has lost its file, but not its lines.
            file = _file_of(match["name"], line)
        if is_users(file):
            yield file, line
    # A file with a slip in it never ran.
    if isinstance(error, SyntaxError) and is_users(error.filename or "<none>"):
        yield str(error.filename), error.lineno or 1


def _file_of(name: str | None, line: int) -> str:
    """Return the one file of the user that has a function of this name at this line."""
    modules = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    files = {file for file in modules if isinstance(file, str) and is_users(file)}
    found = [file for file in files if any(_functions(file, str(name), line))]
    return found[0] if len(found) == 1 else _CARRIED


def _functions(file: str, name: str, line: int) -> Iterator[bool]:
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            called = getattr(node, "name", "<lambda>")
            if called == name and node.lineno <= line <= (node.end_lineno or line):
                yield True


def is_users(file: str) -> bool:
    """Return whether a file is neither of Python nor of an installed package."""
    if file.startswith("<"):
        return False
    path = os.path.realpath(file)
    return path.endswith(".py") and not path.startswith(_others())


@cache
def _others() -> tuple[str, ...]:
    own = [str(Path(bp.__file__).resolve().parent)]
    paths = sysconfig.get_paths()
    python = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    user = [site.getusersitepackages()]
    program = [paths["scripts"]]
    return tuple(os.path.realpath(path) + os.sep for path in [*own, *python, *user, *program])


def _short(file: str) -> str:
    """Return a path as it may be typed here."""
    try:
        short = os.path.relpath(file)
    except ValueError:  # another drive
        return file
    return file if short.startswith("..") else short
