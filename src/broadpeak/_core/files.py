# SPDX-License-Identifier: BSD-3-Clause
"""Files that are written: where to, and what is said when they cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from broadpeak._core import check
from broadpeak.errors import FileError, shown


@contextmanager
def writing(path: Any, name: str = "path") -> Iterator[Path]:
    """Yield `path` as a `Path` in a folder that exists, and tell in words what prevents writing.

    Raises
    ------
    ParamError
        If `path` is no path.
    FileError
        If the folder cannot be made or the file cannot be written; it is an `OSError`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with writing(pathlib.Path(folder) / "new" / "a.txt") as target:
    ...         target.write_text("text")
    4
    """
    target = check.path(name, path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield target
    except OSError as error:
        raise _cannot(name, "a file", target, error) from error


def made_folder(path: Any, name: str = "folder") -> Path:
    """Return `path` as a folder that exists, made where it is missing.

    Raises
    ------
    ParamError
        If `path` is no path.
    FileError
        If it cannot be made.
    """
    target = check.path(name, path)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot(name, "a folder", target, error) from error
    return target


def _cannot(name: str, what: str, target: Path, error: OSError) -> FileError:
    return FileError(
        f"{name} must be {what} that can be written, got {shown(str(target))}: "
        f"{error.strerror or error}. Free some space, or pass another path."
    )
