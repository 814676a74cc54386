# SPDX-License-Identifier: BSD-3-Clause
"""One self-contained HTML page: its parts, and how they become HTML.

The plot library is packed into the page once, the small build of it wherever that draws all there
is. Names and other strings are escaped here and nowhere else.
"""

from __future__ import annotations

import base64
import html
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TypeAlias

import numpy as np
import plotly.graph_objects as go
from plotly.io.json import to_json_plotly
from plotly.offline import get_plotlyjs

from broadpeak._core.files import writing
from broadpeak._report import theme
from broadpeak.types import AnyArray

OK, DOUBT, BAD, OPEN = "ok", "doubt", "bad", "open"
LEFT, RIGHT = "left", "right"
GAIN, LOSS, PLAIN = "gain", "loss", "size"
LONG = 400  # points; below it the plain form is small enough


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Caution:
    """Something to know before the figures are believed; `word` says what kind it is."""

    text: str
    word: str = "warning"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a page in one word, its colour ("ok", "doubt", "bad", "open"), and why."""

    word: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure with its name above and an explanation below it."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Figures side by side."""

    facts: Sequence[Fact]


@dataclass(frozen=True, slots=True)
class Finding:
    """A test: its name, figure and threshold, the word for how it stands, and a sentence."""

    test: str
    figure: str
    threshold: str
    word: str
    level: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Findings:
    """Tests in a table, one below the other on narrow screens."""

    rows: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Card:
    """A box: title, one big line, small lines, and cautions."""

    title: str
    big: str
    lines: Sequence[str] = ()
    cautions: Sequence[Caution] = ()


@dataclass(frozen=True, slots=True)
class Cards:
    """Boxes side by side."""

    cards: Sequence[Card]


@dataclass(frozen=True, slots=True)
class Chart:
    """A Plotly figure, and a description for readers who do not see it."""

    figure: go.Figure
    words: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure of a table as it is read, and as it is sorted and copied.

    Attributes
    ----------
    text : str
        Plain text, rounded for reading.
    value : float, str or None
        The whole figure; None where the text is all there is.
    shade : float
        From -1 (a loss) over 0 (no colour) to 1 (a gain): the colour behind the figure.
    is_neutral : bool
        The colour says how large a figure is, neither gain nor loss.
    """

    text: str
    value: float | str | None = None
    shade: float = 0.0
    is_neutral: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a heading, which a reader can sort and copy as CSV.

    Attributes
    ----------
    columns : sequence of str
        Heading of each column.
    rows : sequence of sequences of str or Cell
        Cells; a plain string is its own figure.
    align : sequence of "left" or "right"
        One a column; the first column is left and the others right when it is empty.
    note : str
        A line below the table.
    title : str
        A line above it.
    minor : sequence of str
        Columns that give way on a narrow screen, where a button brings them back.
    shown : int
        Rows that are seen before a button shows the others; 0: all.
    dense : bool
        Whether columns stand close to each other, as in a calendar.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    align: Sequence[str] = ()
    note: str = ""
    title: str = ""
    minor: Sequence[str] = ()
    shown: int = 0
    dense: bool = False


@dataclass(frozen=True, slots=True)
class Columns:
    """Parts side by side where there is room, one below the other where there is not."""

    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Fold:
    """Parts that can be folded away; charts in a closed fold are drawn when it opens."""

    title: str
    parts: Sequence[Part]
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Section:
    """A headed part of the page."""

    title: str
    parts: Sequence[Part]
    lead: str = ""


Part: TypeAlias = (
    Paragraph | Caution | Answer | Facts | Findings | Cards | Table | Chart | Fold | Columns
)


def write_page(
    path: str | Path, title: str, subtitle: str, sections: Sequence[Section], footer: str
) -> Path:
    """Write the page to `path`, making its folder, and return the path."""
    with writing(path) as target:
        target.write_text(page(title, subtitle, sections, footer), encoding="utf-8")
    return target


def page(title: str, subtitle: str, sections: Sequence[Section], footer: str) -> str:
    """Return the page as text."""
    content = _Content()
    body = "".join(content.section(section) for section in sections)
    links = "".join(
        f'<a href="#{_anchor(section.title)}">{html.escape(section.title)}</a>'
        for section in sections
    )
    constants = {"DARK": theme.DARK, "SHARED": content.shared}
    if content.n_figures:
        constants["PLOTLY"] = _library(whole=not content.kinds <= SMALL_BUILD)
    script = "".join(f"const {name}={json.dumps(value)};" for name, value in constants.items())
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{html.escape(title)}</title><style>{_asset('page.css')}</style></head>"
        f'<body><header><button type="button" id="theme" hidden></button>'
        f"<h1>{html.escape(title)}</h1><p>{html.escape(subtitle)}</p>"
        f'<nav aria-label="Sections">{links}</nav></header><main>{body}</main>'
        f"<footer>{html.escape(footer)}</footer>"
        f"<script>{script}{_asset('page.js')}</script></body></html>\n"
    )


class _Content:
    """Turns parts into HTML, and notes what the figures need: their kinds, what they share."""

    def __init__(self) -> None:
        self.n_figures = 0
        self.kinds: set[str] = set()
        self.shared: list[Mapping[str, str]] = []

    def section(self, section: Section) -> str:
        anchor = _anchor(section.title)
        lead = f'<p class="lead">{html.escape(section.lead)}</p>' if section.lead else ""
        parts = "".join(self.part(part) for part in section.parts)
        return (
            f'<section id="{anchor}" aria-labelledby="{anchor}-h">'
            f'<h2 id="{anchor}-h">{html.escape(section.title)}</h2>{lead}{parts}</section>'
        )

    def part(self, part: object) -> str:
        match part:
            case Paragraph(text):
                return f"<p>{html.escape(text)}</p>"
            case Caution() | Answer() | Facts() | Findings():
                return _judgement(part)
            case Cards(cards):
                return f'<div class="cards">{"".join(_card(card) for card in cards)}</div>'
            case Table():
                return table_html(part)
            case Chart(figure, words):
                return self.chart(figure, words)
            case Columns(parts):
                each = "".join(f"<div>{self.part(one)}</div>" for one in parts)
                return f'<div class="columns">{each}</div>'
            case Fold(title, parts, is_open):
                inner = "".join(self.part(each) for each in parts)
                state = " open" if is_open else ""
                return f"<details{state}><summary>{html.escape(title)}</summary>{inner}</details>"
        msg = f"unreachable: {type(part).__name__} is no part of a page"
        raise AssertionError(msg)

    def chart(self, figure: go.Figure, words: str) -> str:
        self.n_figures += 1
        self.kinds |= {str(trace.type) for trace in figure.data}
        height = figure.layout.height or 340
        return (
            f'<figure><div class="chart" role="img" aria-label="{html.escape(words)}" '
            f'style="min-height:{height}px">'
            f'<script type="application/json">{figure_json(figure, self.shared)}</script></div>'
            f"<figcaption>{html.escape(words)}</figcaption></figure>"
        )


def _card(card: Card) -> str:
    lines = "".join(f"<p>{_prose(line)}</p>" for line in card.lines)
    cautions = "".join(_caution(caution) for caution in card.cautions)
    marks = f'<ul class="cautions">{cautions}</ul>' if cautions else ""
    return (
        f'<article class="card"><h3>{html.escape(card.title)}</h3>'
        f'<p class="big">{html.escape(card.big)}</p>{lines}{marks}</article>'
    )


def _judgement(part: Caution | Answer | Facts | Findings) -> str:
    match part:
        case Caution():
            return f'<ul class="cautions">{_caution(part)}</ul>'
        case Answer(word, level, text):
            return (
                f'<p class="answer {level}"><span class="word">{html.escape(word)}</span></p>'
                f'<p class="why">{_prose(text)}</p>'
            )
        case Facts(facts):
            return f'<dl class="facts">{"".join(_fact(fact) for fact in facts)}</dl>'
        case Findings(rows):
            return _findings(rows)


def _prose(text: str) -> str:
    """Return escaped text in which a number and its percent sign stay on one line."""
    return html.escape(text).replace(" %", "\u00a0%")


def _caution(caution: Caution) -> str:
    word = html.escape(caution.word)
    return f'<li class="doubt"><span class="word">{word}</span> {html.escape(caution.text)}</li>'


def _fact(fact: Fact) -> str:
    note = f'<dd class="note">{_prose(fact.note)}</dd>' if fact.note else ""
    return f"<div><dt>{html.escape(fact.name)}</dt><dd>{html.escape(fact.value)}</dd>{note}</div>"


_FINDING_COLUMNS = ("Test", "Figure", "Threshold", "Status", "What it means")


def _findings(rows: Sequence[Finding]) -> str:
    head = "".join(f'<th scope="col">{_sorter(name)}</th>' for name in _FINDING_COLUMNS)
    body = "".join(
        f'<tr class="{row.level}"><th scope="row">{html.escape(row.test)}</th>'
        f'<td class="right" data-name="Figure">{html.escape(row.figure)}</td>'
        f'<td class="right" data-name="Threshold">{html.escape(row.threshold)}</td>'
        f'<td><span class="word">{html.escape(row.word)}</span></td>'
        f'<td class="meaning">{_prose(row.meaning)}</td></tr>'
        for row in rows
    )
    return (
        f'<div class="box"><table class="findings"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
        f'<div class="under"><div class="tools">{_COPY}</div></div></div>'
    )


def _anchor(title: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in title.lower())


SMALL_BUILD = frozenset(
    {"bar", "box", "contour", "heatmap", "histogram", "pie", "scatter", "violin"}
)
"""Kinds of traces that the small build of the plot library draws."""


@lru_cache(maxsize=2)
def _library(*, whole: bool) -> dict[str, object]:
    """Return the plot library, deflated: a page of a megabyte less can be sent by mail."""
    text = str(get_plotlyjs()) if whole else _asset("plotly-cartesian.min.js")
    raw = text.encode("utf-8")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(raw) + packer.flush()
    return {"size": len(raw), "data": base64.b64encode(packed).decode("ascii")}


def _asset(name: str) -> str:
    return resources.files("broadpeak._report").joinpath("assets", name).read_text("utf-8")


_COPY = '<button type="button" class="copy" hidden>Copy as CSV</button>'


def _sorter(name: str) -> str:
    return f'<button type="button" class="sort">{html.escape(name)}</button>' if name else ""


def table_html(table: Table) -> str:
    """Return the table as HTML, in a box that scrolls sideways on narrow screens."""
    align = list(table.align) or [LEFT, *[RIGHT] * (len(table.columns) - 1)]
    kinds = [
        f"{side} minor" if name in table.minor else side
        for name, side in zip(table.columns, align, strict=True)
    ]
    head = "".join(
        f'<th scope="col" class="{kind}">{_sorter(name)}</th>'
        for name, kind in zip(table.columns, kinds, strict=True)
    )
    body = "".join(
        _row(row, kinds, later=0 < table.shown <= position)
        for position, row in enumerate(table.rows)
    )
    if not table.rows:
        body = f'<tr><td class="none" colspan="{len(table.columns)}">none</td></tr>'
    note = f'<p class="note">{html.escape(table.note)}</p>' if table.note else ""
    title = f"<h3>{html.escape(table.title)}</h3>" if table.title else ""
    buttons = ""
    if 0 < table.shown < len(table.rows):
        buttons += f'<button type="button" class="all" hidden>All {len(table.rows):,} rows</button>'
    if any(kind.endswith("minor") for kind in kinds):
        buttons += '<button type="button" class="wide" hidden>All columns</button>'
    copy = _COPY if table.rows else ""
    dense = " dense" if table.dense else ""
    return (
        f'<div class="box{dense}">{title}<div class="scroll" tabindex="0"><table><thead>'
        f"<tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f'<div class="under">{note}<div class="tools">{buttons}{copy}</div></div></div>'
    )


def _row(row: Sequence[str | Cell], kinds: Sequence[str], *, later: bool) -> str:
    first, *rest = zip(row, kinds, strict=True)
    cells = _cell('th scope="row"', *first) + "".join(_cell("td", *each) for each in rest)
    return f'<tr class="later">{cells}</tr>' if later else f"<tr>{cells}</tr>"


def _cell(tag: str, cell: str | Cell, kind: str) -> str:
    closed = tag.partition(" ")[0]
    if isinstance(cell, str):
        return f'<{tag} class="{kind}">{html.escape(cell)}</{closed}>'
    value = style = ""
    if cell.value is not None:
        whole = f"{cell.value:.10g}" if isinstance(cell.value, float) else str(cell.value)
        value = f' data-v="{html.escape(whole)}"' if whole != cell.text else ""
    if cell.shade:
        kind += f" {PLAIN if cell.is_neutral else GAIN if cell.shade > 0 else LOSS}"
        style = f' style="--s:{min(1.0, abs(cell.shade)):.2f}"'
    return f'<{tag} class="{kind}"{value}{style}>{html.escape(cell.text)}</{closed}>'


def figure_json(figure: go.Figure, shared: list[Mapping[str, str]] | None = None) -> str:
    """Return the figure as JSON that may stand inside a script element.

    Single precision is finer than any screen. The page turns ``{"days": …}`` and ``{"ms": …}``
    back into dates. Where `shared` is given, dates go there once, however many lines are drawn over
    them, and the trace holds ``{"shared": position}``.
    """
    content = figure.to_dict()
    for trace, drawn in zip(content["data"], figure.data, strict=True):
        for name in ("x", "y"):
            values = getattr(drawn, name, None)
            if isinstance(values, np.ndarray) and len(values) >= LONG:
                trace[name] = _smaller(values, trace[name])
                if shared is not None and {"days", "ms"} & set(trace[name]):
                    if trace[name] not in shared:
                        shared.append(trace[name])
                    trace[name] = {"shared": shared.index(trace[name])}
        cells = getattr(drawn, "z", None)
        if isinstance(cells, np.ndarray) and cells.ndim == 2 and cells.size >= LONG:
            shape = f"{cells.shape[0]},{cells.shape[1]}"
            trace["z"] = {**_single(cells.astype(np.float64)), "shape": shape}
    # A "<" inside a JSON string could close the script element; its escape cannot.
    return str(to_json_plotly(content)).replace("<", "\\u003c")


def _smaller(values: AnyArray, plain: object) -> object:
    if values.dtype == np.float64:
        return _single(values)
    if values.dtype.kind in "OU" and all(isinstance(text, str) for text in values):
        return _dates(values, plain)
    return plain


def _single(values: AnyArray) -> dict[str, str]:
    return {"dtype": "f4", "bdata": _packed(values.astype("<f4"))}


def _dates(strings: AnyArray, plain: object) -> object:
    """Return ISO dates as days, or as milliseconds, since 1970; other strings unchanged."""
    try:
        stamps = strings.astype("datetime64[ms]")
    except ValueError:
        return plain
    days = stamps.astype("datetime64[D]")
    if (days == stamps).all():
        return {"days": _packed(days.astype("<i4"))}
    return {"ms": _packed(stamps.astype(np.int64).astype("<f8"))}


def _packed(values: AnyArray) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
