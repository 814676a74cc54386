# SPDX-License-Identifier: BSD-3-Clause
"""Files to write: the folder is made, and what prevents writing becomes a `FileError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broadpeak._core import check
from broadpeak.errors import FileError, shown


@contextmanager
def writing(path: object, name: str = "path") -> Iterator[Path]:
    """Yield `path` as a `Path` in a folder that exists; failing to write is a `FileError`.

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
        raise _cannot_write(name, "a file", target, error) from error


def make_folder(path: object, name: str = "folder") -> Path:
    """Return `path` as a folder, which is made if it does not exist."""
    target = check.path(name, path)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(name, "a folder", target, error) from error
    return target


def _cannot_write(name: str, what: str, target: Path, error: OSError) -> FileError:
    return FileError(
        f"{name} must be {what} that can be written, got {shown(str(target))}: "
        f"{error.strerror or error}. Free some space, or pass another path."
    )
