# SPDX-License-Identifier: BSD-3-Clause
"""One self-contained HTML page: text, tables and charts, with the plot library inlined once."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from broadpeak._core.files import writing
from broadpeak._report import theme
from broadpeak._report.encoding import figure_json
from broadpeak._report.tables import Table, table_html

OK, DOUBT, BAD = "ok", "doubt", "bad"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the headline: how it stands ("ok", "doubt", "bad"), and why."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Card:
    """A box of the headline: title, one big line, small lines, and checks."""

    title: str
    big: str
    lines: Sequence[str] = ()
    checks: Sequence[Check] = ()


@dataclass(frozen=True, slots=True)
class Cards:
    """Boxes side by side."""

    cards: Sequence[Card]


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure and what it shows, in words."""

    figure: go.Figure
    words: str


@dataclass(frozen=True, slots=True)
class Fold:
    """Parts that can be folded away; charts in a closed fold are drawn when it opens."""

    title: str
    parts: Sequence[Any]
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Section:
    """A headed part of the page."""

    title: str
    parts: Sequence[Any]
    lead: str = ""


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
    script = f"<script>{_plotly()}</script>" if content.figures else ""
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
    """Turns parts into HTML and numbers the figures."""

    def __init__(self) -> None:
        self.figures = 0

    def section(self, section: Section) -> str:
        anchor = _anchor(section.title)
        lead = f'<p class="lead">{html.escape(section.lead)}</p>' if section.lead else ""
        parts = "".join(self.part(part) for part in section.parts)
        return (
            f'<section id="{anchor}" aria-labelledby="{anchor}-h">'
            f'<h2 id="{anchor}-h">{html.escape(section.title)}</h2>{lead}{parts}</section>'
        )

    def part(self, part: Any) -> str:
        match part:
            case Paragraph(text):
                return f"<p>{html.escape(text)}</p>"
            case Check():
                return f'<ul class="checks">{_check(part)}</ul>'
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
        self.figures += 1
        height = figure.layout.height or 340
        return (
            f'<figure><div class="chart" role="img" aria-label="{html.escape(words)}" '
            f'style="min-height:{height}px">'
            f'<script type="application/json">{figure_json(figure)}</script></div>'
            f"<figcaption>{html.escape(words)}</figcaption></figure>"
        )


def _card(card: Card) -> str:
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in card.lines)
    checks = "".join(_check(check) for check in card.checks)
    marks = f'<ul class="checks">{checks}</ul>' if checks else ""
    return (
        f'<article class="card"><h3>{html.escape(card.title)}</h3>'
        f'<p class="big">{html.escape(card.big)}</p>{lines}{marks}</article>'
    )


def _check(check: Check) -> str:
    word = {OK: "good", DOUBT: "doubtful", BAD: "bad"}[check.level]
    return (
        f'<li class="{check.level}"><span class="word">{word}</span> {html.escape(check.text)}</li>'
    )


def _anchor(title: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in title.lower())


def _plotly() -> str:
    return str(get_plotlyjs()).replace("</script", "<\\/script")


def _asset(name: str) -> str:
    return resources.files("broadpeak._report").joinpath("assets", name).read_text("utf-8")
