# SPDX-License-Identifier: BSD-3-Clause
"""One self-contained HTML page: its parts, and how they become HTML.

The plot library is inlined once. Names and other strings are escaped here and nowhere else.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
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
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    align: Sequence[str] = ()
    note: str = ""


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


Part: TypeAlias = Paragraph | Caution | Answer | Facts | Findings | Cards | Table | Chart | Fold


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
    script = f"<script>{_plotly()}</script>" if content.n_figures else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{html.escape(title)}</title><style>{_asset('page.css')}</style>{script}</head>"
        f"<body><header><h1>{html.escape(title)}</h1><p>{html.escape(subtitle)}</p>"
        f'<nav aria-label="Sections">{links}</nav></header><main>{body}</main>'
        f"<footer>{html.escape(footer)}</footer>"
        f"<script>const DARK={json.dumps(theme.DARK)};{_asset('page.js')}</script></body></html>\n"
    )


class _Content:
    """Turns parts into HTML and counts the figures."""

    def __init__(self) -> None:
        self.n_figures = 0

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
            case Fold(title, parts, is_open):
                inner = "".join(self.part(each) for each in parts)
                state = " open" if is_open else ""
                return f"<details{state}><summary>{html.escape(title)}</summary>{inner}</details>"
        msg = f"unreachable: {type(part).__name__} is no part of a page"
        raise AssertionError(msg)

    def chart(self, figure: go.Figure, words: str) -> str:
        self.n_figures += 1
        height = figure.layout.height or 340
        return (
            f'<figure><div class="chart" role="img" aria-label="{html.escape(words)}" '
            f'style="min-height:{height}px">'
            f'<script type="application/json">{figure_json(figure)}</script></div>'
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
    head = "".join(f'<th scope="col">{name}</th>' for name in _FINDING_COLUMNS)
    body = "".join(
        f'<tr class="{row.level}"><th scope="row">{html.escape(row.test)}</th>'
        f'<td class="right" data-name="Figure">{html.escape(row.figure)}</td>'
        f'<td class="right" data-name="Threshold">{html.escape(row.threshold)}</td>'
        f'<td><span class="word">{html.escape(row.word)}</span></td>'
        f'<td class="meaning">{_prose(row.meaning)}</td></tr>'
        for row in rows
    )
    return f'<table class="findings"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _anchor(title: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in title.lower())


def _plotly() -> str:
    return str(get_plotlyjs()).replace("</script", "<\\/script")


def _asset(name: str) -> str:
    return resources.files("broadpeak._report").joinpath("assets", name).read_text("utf-8")


def table_html(table: Table) -> str:
    """Return the table as HTML, in a box that scrolls sideways on narrow screens."""
    align = list(table.align) or [LEFT, *[RIGHT] * (len(table.columns) - 1)]
    head = "".join(
        f'<th scope="col" class="{side}">{html.escape(name)}</th>'
        for name, side in zip(table.columns, align, strict=True)
    )
    body = "".join(_row(row, align) for row in table.rows)
    if not table.rows:
        body = f'<tr><td class="none" colspan="{len(table.columns)}">none</td></tr>'
    note = f'<p class="note">{html.escape(table.note)}</p>' if table.note else ""
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{note}"
    )


def _row(row: Sequence[str], align: Sequence[str]) -> str:
    first, *rest = zip(row, align, strict=True)
    cells = f'<th scope="row" class="{first[1]}">{html.escape(first[0])}</th>'
    cells += "".join(f'<td class="{side}">{html.escape(text)}</td>' for text, side in rest)
    return f"<tr>{cells}</tr>"


def figure_json(figure: go.Figure) -> str:
    """Return the figure as JSON that may stand inside a script element.

    Single precision is finer than any screen. The page turns ``{"days": …}`` and ``{"ms": …}``
    back into dates.
    """
    content = figure.to_dict()
    for trace, drawn in zip(content["data"], figure.data, strict=True):
        for name in ("x", "y"):
            values = getattr(drawn, name, None)
            if isinstance(values, np.ndarray) and len(values) >= LONG:
                trace[name] = _smaller(values, trace[name])
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
