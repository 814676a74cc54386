# SPDX-License-Identifier: BSD-3-Clause
"""Checks of what was typed, and messages in the words in which it was typed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from contextlib import suppress
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


def option_of(name: str) -> str:
    """Return the option that passes an argument."""
    return f"--{name.replace('_', '-')}"


READING = (
    *("symbol_column", "date_column", "date_format", "dayfirst", "tz", "columns", "adjust"),
    *("missing", "calendar", "sep", "decimal", "thousands", "symbol"),
)
"""Arguments of `Data.from_csv` that are options by the same names."""

_OTHERS = (
    *("method", "objective", "select", "passes", "min_trades", "start", "end", "seed", "engine"),
    *("sizing", "train_sizing", "capital", "whole", "cycles", "period", "split", "anchored"),
)
_NAMES = (*READING, *_OTHERS)
_ARGUMENT = re.compile(
    rf"\b({'|'.join(_NAMES)})="
    r"('[^']*'|\"[^\"]*\"|True|False|\{[^{}]*\}|\[[^\[\]]*\])?"
)
_PER_FILE = re.compile(r"Data\.from_\w+\(\{'SPX': path, …\}\)")
_ALL_FILES = re.compile(r"Data\.from_\w+\(('[^']*')\)")
_FROM_PYTHON = re.compile(r"Data\.from_parquet\(path\)")


def in_options(text: str) -> str:
    """Return a message about arguments of functions, with the options that pass them.

    Examples
    --------
    >>> in_options("Pass its name: date_column='Tag', or dayfirst=True.")
    'Pass its name: --date-column Tag, or --dayfirst.'
    """
    text = _PER_FILE.sub("--symbol with one name for each file", text)
    text = _ALL_FILES.sub(r"--data \1", text)
    text = _FROM_PYTHON.sub("--data with a name that ends in .parquet", text)
    text = re.sub(r"\bcheck=False\b", "--no-check", text)
    return _ARGUMENT.sub(_option, text)


def _option(match: re.Match[str]) -> str:
    name, value = match.group(1), match.group(2)
    if name == "dayfirst" and value in {"True", "False"}:
        return "--dayfirst" if value == "True" else "--monthfirst"
    if value is None or value in {"True", "False"}:
        return option_of(name)
    with suppress(ValueError, SyntaxError):
        said = ast.literal_eval(value)
        if isinstance(said, dict):
            return " ".join(f"{option_of(name)} '{key}={role}'" for key, role in said.items())
        if isinstance(said, list):
            return f"{option_of(name)} '{','.join(map(str, said))}'"
    plain = value[1:-1] if re.fullmatch(r"['\"]\w+['\"]", value) else value
    return f"{option_of(name)} {plain}"
