# SPDX-License-Identifier: BSD-3-Clause
"""The page about a choice among scores: what was chosen, how its neighbours did, the best rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from broadpeak._report.charts.heatmap import grid_figure
from broadpeak._report.charts.scores import cuts_figure, plain_lines_figure, volume_figure
from broadpeak._report.page import (
    LEFT,
    RIGHT,
    Caution,
    Cell,
    Chart,
    Fact,
    Facts,
    Fold,
    Paragraph,
    Part,
    Section,
    Table,
    write_page,
)
from broadpeak._report.sections import footer
from broadpeak._report.wording import count, number, percent
from broadpeak._search.select import Selection, SelectionPictures

MOST_ROWS = 100
SHOWN_ROWS = 15


def sweep_report(selection: Selection, *, path: Path, pictures: SelectionPictures) -> Path:
    """Write the page and return its path."""
    score = pictures.choice.score
    sections = [
        _choice_section(selection, score),
        _picture_section(pictures),
        _best_section(selection, score),
    ]
    n_usable = int(np.isfinite(selection.scores.to_numpy(dtype=np.float64)).sum())
    subtitle = f"{count(n_usable)} usable of {count(len(selection.scores))} combinations"
    return write_page(path, f"{score}: sweep", subtitle, sections, footer({}))


def _choice_section(selection: Selection, score: str) -> Section:
    chosen = [Fact(name, _label(value)) for name, value in selection.params.items()]
    peak = ", ".join(f"{name} {_label(value)}" for name, value in selection.peak_params.items())
    how = type(selection.method).__name__.lower()
    facts = [
        *chosen,
        Fact(score, number(selection.plain_score), "of the choice, in sample"),
        *(
            [Fact(selection.smoothing, number(selection.score), f"what decided, by {how}")]
            if selection.smoothing
            else []
        ),
        Fact("highest", number(selection.peak_score), peak),
        Fact(
            "robustness",
            percent(selection.robustness, 0),
            "share of its lead that its neighbours keep",
        ),
    ]
    parts: list[Part] = [Facts(facts)]
    parts += [Caution(text) for text in selection.cautions()]
    lead = (
        "The middle of a broad peak, not the highest score: that one is luckier than its "
        "neighbours. The scores that it was chosen by are in sample; they say nothing of what is "
        "to come."
    )
    return Section("Choice", parts, lead)


def _picture_section(pictures: SelectionPictures) -> Section:
    choice, average, volume = pictures.choice, pictures.average, pictures.volume
    parts: list[Part] = []
    if volume is None:
        parts.append(_chart(grid_figure(choice), choice.title))
    else:  # whose slider begins at the choice
        words = f"{volume.title}, with a slider for {volume.axes[2].name}"
        parts.append(_chart(volume_figure(volume), words))
    if average is not None:
        parts.append(_chart(grid_figure(average), f"{average.title}; {average.note}"))
    words = f"{pictures.cuts.score} along each parameter, the others held"
    parts.append(_chart(cuts_figure(pictures.cuts), words))
    words = f"{count(len(pictures.lines.values))} combinations as lines"
    parts.append(
        Fold("Each combination as a line", [_chart(plain_lines_figure(pictures.lines), words)])
    )
    return Section("Pictures", parts)


def _chart(figure: object, words: str) -> Chart:
    return Chart(figure, f"{words}.")


def _best_section(selection: Selection, score: str) -> Section:
    usable = selection.scores[np.isfinite(selection.scores.to_numpy(dtype=np.float64))]
    best = usable.sort_values(ascending=False, kind="stable").head(MOST_ROWS)
    rows: list[list[str | Cell]] = [
        [
            count(rank),
            *(_label(value) for value in (labels if isinstance(labels, tuple) else (labels,))),
            Cell(number(value), float(value)),
        ]
        for rank, (labels, value) in enumerate(best.items(), 1)
    ]
    names = list(selection.params)
    table = Table(
        ["Rank", *names, score], rows, [LEFT, *[RIGHT] * (len(names) + 1)], shown=SHOWN_ROWS
    )
    text = f"The {count(len(best))} highest of {count(len(usable))}."
    return Section("Highest scores", [Paragraph(text), table])


def _label(value: object) -> str:
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(
        value, (bool, np.bool_)
    )
    return number(value, 6) if is_number else str(value)
