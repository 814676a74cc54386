# SPDX-License-Identifier: BSD-3-Clause
"""What the program prints: rich tables for people, one JSON object for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    text_columns: int = 1,
    wrap: bool = False,
) -> None:
    """Print a table; the first `text_columns` are text, which may `wrap`, the others numbers."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for position, name in enumerate(columns):
        is_text = position < text_columns
        # On a narrow terminal headings give way before the values do.
        table.add_column(
            name,
            justify="left" if is_text else "right",
            no_wrap=is_text and not wrap,
            min_width=max((len(word) for word in name.split()), default=1),
            overflow="fold" if is_text else "ellipsis",
        )
    for row in rows:
        table.add_row(*row)
    # Not the title of the table: that would be folded to the width of its columns.
    if title:
        show_title(title)
    _console().print(table)


def show_title(title: str) -> None:
    """Print a line that stands out."""
    _console().print(title, style="bold", markup=False, highlight=False)


def show_text(paragraphs: Iterable[str]) -> None:
    """Print paragraphs, broken between words."""
    console = _console()
    for paragraph in paragraphs:
        console.print(paragraph, markup=False, highlight=False)


def show_frame(title: str, frame: Any) -> None:
    """Print the rows of a frame, without its index."""
    rows = [[cell(value) for value in row] for row in frame.itertuples(index=False)]
    show_table(title, [str(column) for column in frame.columns], rows)


def show_lines(lines: Iterable[str]) -> None:
    """Print lines as they are."""
    console = _console()
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def show_warnings(texts: Sequence[str]) -> None:
    """Print warnings on stderr."""
    show_notes([f"warning: {text}" for text in texts])


def show_notes(texts: Sequence[str]) -> None:
    """Print lines on stderr, where they are in no program's way."""
    console = Console(stderr=True)
    for text in texts:
        # In a terminal lines break between words; a file gets one line for each message.
        console.print(text, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def show_progress(text: str) -> None:
    """Print a line on stderr for somebody who waits there; not into a file."""
    if Console(stderr=True).is_terminal:
        show_notes([text])


def show_json(value: object) -> None:
    """Print one JSON object; NaN and infinity, which JSON does not know, become null."""
    print(json.dumps(json_value(value), indent=2, allow_nan=False))  # noqa: T201  # stdout is the interface


def json_value(value: Any) -> object:
    """Return `value` as what JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "isoformat"):
        return value.isoformat() if str(value) != "NaT" else None
    return json_value(value.item()) if hasattr(value, "item") else str(value)


def number(value: object, digits: int = 4) -> str:
    """Return a number in few digits, or a dash; anything else unchanged."""
    if isinstance(value, bool):
        return str(value)
    try:
        size = float(value)  # type: ignore[arg-type]  # what is no number is the question
    except (TypeError, ValueError):
        return str(value)
    if not math.isfinite(size):
        return "–" if math.isnan(size) else f"{size:.0f}".replace("inf", "∞")
    return f"{size:.{digits}g}" if abs(size) < 1e4 else f"{size:,.0f}"


def signed(value: float) -> str:
    """Return an amount of money with its sign."""
    size = float(value)
    return f"{size:+,.2f}" if math.isfinite(size) else "–"


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=140)


def cell(value: object) -> str:
    """Return a cell of a result frame: a number in few digits, a moment without its midnight."""
    if isinstance(value, (bool, str)):
        return str(value)
    if value is None or str(value) == "NaT":
        return "–"
    if hasattr(value, "strftime"):
        return str(value).removesuffix(" 00:00:00")
    return number(value)
