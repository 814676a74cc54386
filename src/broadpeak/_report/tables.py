# SPDX-License-Identifier: BSD-3-Clause
"""Tables as HTML; every cell is escaped here and nowhere else."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field

LEFT, RIGHT = "left", "right"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a heading.

    Attributes
    ----------
    columns : sequence of str
        Heading of each column.
    rows : sequence of sequences of str
        Cells, plain text.
    align : sequence of "left" or "right"
        One a column; the first column is left and the others right when it is empty.
    note : str
        A line below the table.
    strong : sequence of int
        Rows that stand out.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    align: Sequence[str] = ()
    note: str = ""
    strong: Sequence[int] = field(default_factory=tuple)


def table_html(table: Table, *, caption: str = "") -> str:
    """Return the table as HTML, in a box that scrolls sideways on narrow screens."""
    align = list(table.align) or [LEFT, *[RIGHT] * (len(table.columns) - 1)]
    head = "".join(
        f'<th scope="col" class="{side}">{html.escape(name)}</th>'
        for name, side in zip(table.columns, align, strict=True)
    )
    body = "".join(
        _row(row, align, strong=number in table.strong) for number, row in enumerate(table.rows)
    )
    if not table.rows:
        body = f'<tr><td class="none" colspan="{len(table.columns)}">none</td></tr>'
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    note = f'<p class="note">{html.escape(table.note)}</p>' if table.note else ""
    return (
        f'<div class="scroll" tabindex="0"><table>{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{note}"
    )


def _row(row: Sequence[str], align: Sequence[str], *, strong: bool) -> str:
    first, *rest = zip(row, align, strict=True)
    cells = f'<th scope="row" class="{first[1]}">{html.escape(first[0])}</th>'
    cells += "".join(f'<td class="{side}">{html.escape(text)}</td>' for text, side in rest)
    return f'<tr class="strong">{cells}</tr>' if strong else f"<tr>{cells}</tr>"
