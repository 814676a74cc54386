# SPDX-License-Identifier: BSD-3-Clause
"""Where in the user's own files an error came from."""

from __future__ import annotations

import linecache
import os
import re
import site
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import TracebackType

import broadpeak as bp

_FRAME = re.compile(r'^ *File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)


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
        if is_users(match["file"]):
            yield match["file"], int(match["line"])
    # A file with a slip in it never ran.
    file, line = (error.filename, error.lineno) if isinstance(error, SyntaxError) else ("", 0)
    if file and line and is_users(file):
        yield file, line


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
