# SPDX-License-Identifier: BSD-3-Clause
"""Checks of what was typed; what fails them is bad usage."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import typer

from broadpeak._core.check import did_you_mean


def one_of(option: str, value: str, allowed: Iterable[str]) -> str:
    """Return `value` if it is allowed; otherwise it is bad usage."""
    names = sorted(allowed)
    if value in names:
        return value
    hint = did_you_mean(value, names)
    raise typer.BadParameter(
        f"must be one of {', '.join(names)}, got {value!r}. {hint}".rstrip(), param_hint=option
    )


def is_file(path: str | Path) -> bool:
    """Return whether the path is that of a file; False for a string that cannot be a path."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False
