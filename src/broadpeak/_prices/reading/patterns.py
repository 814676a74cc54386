# SPDX-License-Identifier: BSD-3-Clause
"""Which files a path, a pattern or a list of them names; loads nothing that reads them."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from broadpeak.errors import DataError, MissingDataError, broken_rule


def expanded(path: object) -> list[Any]:
    """Return the files that a path, a pattern such as ``prices/*.csv``, or a list of them names.

    Raises
    ------
    MissingDataError
        If a pattern matches nothing.
    DataError
        If there is a list in the list.
    """
    if not isinstance(path, (list, tuple)):
        return _matching(path)
    files = []
    for each in path:
        if isinstance(each, (list, tuple, Mapping)):
            rule = "be a list of files, none of them a list"
            raise DataError(broken_rule("path", rule, path))
        files += _matching(each)
    return files


def _matching(path: object) -> list[Any]:
    """Return the files that match a pattern, by name; what is no pattern as it is."""
    if not isinstance(path, (str, os.PathLike)):
        return [path]
    text = os.fspath(path)
    # A text passed by mistake is refused later, in words.
    if not isinstance(text, str) or not glob.has_magic(text) or "\n" in text or "\0" in text:
        return [path]
    try:
        if Path(text).exists():  # a name with brackets in it
            return [path]
        # On every machine in the same order; folders and what is hidden are no prices.
        found = glob.glob(text, recursive=True)  # noqa: PTH207  # may begin at the root
        files = sorted(each for each in found if Path(each).is_file())
    except OSError:  # a name too long: said later, in words
        return [path]
    if not files:
        rule, remedy = "match files", "Check the folder; relative ones begin at the working one."
        raise MissingDataError(broken_rule("path", rule, text, remedy))
    return list(files)
