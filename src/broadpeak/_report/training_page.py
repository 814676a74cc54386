# SPDX-License-Identifier: BSD-3-Clause
"""The page about a training: the choice first, then what it rests on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from broadpeak._report.charts.heatmap import heatmap_figure
from broadpeak._report.charts.parameter import describe, parameter_figure
from broadpeak._report.page import (
    Card,
    Cards,
    Caution,
    Cell,
    Chart,
    Fold,
    Paragraph,
    Part,
    Section,
    Table,
    write_page,
)
from broadpeak._report.performance_sections import (
    components_section,
    costs_section,
    falls_section,
    months_section,
    sample_spans,
)
from broadpeak._report.sections import (
    account_section,
    footer,
    how_it_was_made,
    meaning,
    provenance_table,
    result_card,
    trade_section,
)
from broadpeak._report.verdict_section import judged, verdict_section
from broadpeak._report.wording import count, number, percent, period
from broadpeak._search.searchspace import Dimension
from broadpeak._training.backtests import Backtests
from broadpeak._training.result import ComponentTraining, StepCurve, Training
from broadpeak.errors import ParamError

MAP_CELLS = 20_000  # a page holds several maps, and few people have 20,000 pixels to spare
MOST_MEMBERS = 25  # rows of an ensemble on a page
OPEN_COMPONENTS = 4  # more than this and their charts start folded


def training_report(training: Training, *, path: str | Path, verdict: bool) -> Path:
    """Write the page and return its path; with `verdict` the result is judged unless it is."""
    backtests = training.backtests
    pages = [
        _ComponentPage(found, _curves(training, found), training.default_objective(key))
        for key, found in training.components.items()
    ]
    first, last = training.period
    is_seen = backtests.chosen_unseen is None and backtests.chosen.index[0] >= first
    where = "in sample" if is_seen else "all bars"
    accounts = {
        "Chosen": backtests.chosen,
        "Buy and hold": backtests.held,
        "Defaults": backtests.defaults,
    }
    unseen = (backtests.chosen_unseen, backtests.held_unseen, backtests.defaults_unseen)
    more = {
        f"{name}, unseen": account
        for name, account in zip(accounts, unseen, strict=True)
        if account is not None
    }
    spans = sample_spans(training.period, backtests.chosen.index)
    trained = next((span for span in spans if span.colour), None)
    n_evaluations = sum(found.n_evaluations for found in training.components.values())
    sections = [
        verdict_section(*judged(training, wanted=verdict), "in sample"),
        _result(backtests, where),
        _headline(pages, training),
        account_section(
            {f"{name}, {where}": account for name, account in accounts.items()},
            spans=spans,
            more=more,
            title="Test, in sample" if is_seen else "Test",
            lead=_IN_SAMPLE if is_seen else _SHADED + (_UNSEEN if more else ""),
        ),
        *months_section("Chosen", backtests.chosen, backtests.held, trained=trained),
        falls_section({"Chosen": backtests.chosen, "Buy and hold": backtests.held}),
        Section(
            "Chosen parameters",
            [
                _parameter_table(pages, training),
                *_ensembles(pages, training.objective_name),
                provenance_table(training.provenance.rows()),
            ],
        ),
        _charts(training, pages),
        trade_section(backtests.chosen),
        *components_section(backtests.chosen, backtests.defaults),
        costs_section(backtests.chosen),
        how_it_was_made(
            training.strategy,
            {**training.settings, "evaluations": n_evaluations},
            training.environment,
            [*training.notes, *backtests.notes],
            seconds=training.seconds,
        ),
    ]
    who = pages[0].found.key if len(pages) == 1 else f"{count(len(pages))} components"
    return write_page(
        path,
        f"{training.name}: trained parameters",
        f"{who}, {period(first, last)}, maximised: {training.objective_name}",
        sections,
        footer(training.environment),
    )


_IN_SAMPLE = (
    "These are the prices that the values were chosen on, so the curve shows how well they fit the "
    "past; the defaults and buying and holding did not have that advantage."
)
_SHADED = "The shaded bars are in sample: the values were chosen on them. The others were not seen."
_UNSEEN = " Only the columns marked unseen are out of sample."


class _ComponentPage(NamedTuple):
    """One component, the charts of each of its parameters, and what the defaults score."""

    found: ComponentTraining
    curves: dict[str, list[StepCurve]]
    default_objective: float


def _curves(training: Training, found: ComponentTraining) -> dict[str, list[StepCurve]]:
    """Return every pass of each parameter, or the cut through what was evaluated, if any."""
    curves: dict[str, list[StepCurve]] = {}
    for dim in found.dimensions:
        curves[dim.name] = [one for one in found.curves if one.parameter == dim.name]
        if not curves[dim.name]:
            try:
                curves[dim.name] = [training.step_curve(dim.name, found.key)]
            except ParamError:  # too few values were tried for a chart
                continue
    return curves


def _result(backtests: Backtests, where: str) -> Section:
    """Return what came out where training has not looked, or that there is no such bar."""
    chosen, held = backtests.chosen_unseen, backtests.held_unseen
    same = "the same symbols, equal amounts, the same costs"
    sample = str(backtests.chosen.facts.get("sample", ""))
    inside = result_card(
        f"Chosen, {where}", backtests.chosen, [sample] if sample and sample != where else []
    )
    if chosen is None or held is None or backtests.defaults_unseen is None:
        cards = [inside, result_card(f"Buy and hold, {where}", backtests.held, [same])]
        proof = "No bar is left that training has not seen; a walk-forward test makes some."
    else:
        cards = [
            result_card("Chosen, unseen", chosen, ["out of sample"]),
            result_card("Buy and hold, unseen", held, [same]),
            inside,
        ]
        proof = (
            f"On prices that training did not see, the chosen parameters return "
            f"{percent(chosen.total_return)}, the defaults "
            f"{percent(backtests.defaults_unseen.total_return)}, buying and holding "
            f"{percent(held.total_return)}."
        )
    return Section("Result", [Cards(cards), Paragraph(proof)])


def _headline(pages: Sequence[_ComponentPage], training: Training) -> Section:
    parts: list[Part] = [Cards([_card(page, training.objective_name) for page in pages])]
    parts += meaning(training.objective_name, training.objective_meaning)
    return Section("What was chosen", parts)


def _n_trades(found: ComponentTraining) -> float:
    return math.nan if found.stats is None else found.stats.num_trades


def _card(page: _ComponentPage, objective: str) -> Card:
    found = page.found
    # A name and its value stay on one line.
    values = "  ·  ".join(f"{name}\u00a0{number(value)}" for name, value in found.params.items())
    known = math.isfinite(page.default_objective)
    beside = f", {number(page.default_objective, 3)} with the defaults" if known else ""
    n_trades, n_searched = _n_trades(found), sum(dim.max > dim.min for dim in found.dimensions)
    each = f", {number(n_trades / n_searched, 3)} for each parameter" if n_searched else ""
    cautions = []
    if not found.objective > 0:
        text = "No step reached an objective above 0; the defaults were kept."
        cautions.append(Caution(text, "nothing found"))
    edges = ", ".join(name for name, at_edge in found.at_edge.items() if at_edge)
    if edges:
        text = f"{edges}: the best lies at the end of the range. Widen it and train again."
        cautions.append(Caution(text, "end of range"))
    return Card(
        found.key,
        values or "no parameter",
        [
            f"{objective} {number(found.objective, 3)} in sample, not smoothed{beside}",
            f"{count(n_trades)} trades in sample{each}",
        ],
        cautions,
    )


def _parameter_table(pages: Sequence[_ComponentPage], training: Training) -> Table:
    objective = training.objective_name
    rows: list[list[str | Cell]] = []
    for page in pages:
        found = page.found
        for dim in found.dimensions:
            curve = page.curves[dim.name][-1] if page.curves[dim.name] else None
            rows.append(
                [
                    found.key,
                    dim.name,
                    Cell(number(found.params[dim.name], 5), float(found.params[dim.name])),
                    number(found.defaults[dim.name]),
                    f"{number(dim.min)} to {number(dim.max)}",
                    _step(dim),
                    _figure(curve.neighbourhood if curve else None, number),
                    _figure(curve.breadth if curve else None, percent),
                    "yes" if found.at_edge.get(dim.name, False) else "no",
                ]
            )
    return Table(
        [
            "Component",
            "Parameter",
            "Chosen",
            "Default",
            "Range",
            "Step",
            "Smoothed score",
            "Of highest",
            "Edge",
        ],
        rows,
        ["left", "left", *["right"] * 7],
        note=(
            f"Smoothed score: {objective} in sample, averaged over the steps around the chosen "
            "value and weighted to the middle; the figure above is the plain one, at the chosen "
            "values alone. Of highest: the smoothed score as a share of the highest single step. "
            "Edge: whether the best lies at the end of the range."
        ),
        minor=["Component", "Step", "Of highest", "Edge"] if len(pages) == 1 else ["Step", "Edge"],
    )


def _figure(value: float | None, write: Callable[..., str]) -> Cell:
    places = 3 if write is number else 0
    return Cell(write(value, places), None if value is None else float(value))


def _ensembles(pages: Sequence[_ComponentPage], objective: str) -> list[Part]:
    """Return the members of each component that trades an ensemble, folded if they are many."""
    folds: list[Part] = []
    for page in pages:
        found = page.found
        if not found.members:
            continue
        rows = [
            [
                str(position),
                *(number(member.params[name], 5) for name in found.params),
                percent(member.weight),
                number(member.objective, 3),
            ]
            for position, member in enumerate(found.members[:MOST_MEMBERS], 1)
        ]
        note = (
            "Traded together, each as a position of its own with its share of the lots. What is "
            "chosen above is their centre."
        )
        more = len(found.members) - len(rows)
        if more > 0:
            note += f" {count(more)} more members are in the parameter file."
        table = Table(["Member", *found.params, "Weight", objective], rows, note=note)
        title = f"{found.key}: ensemble of {count(len(found.members))}"
        folds.append(Fold(title, [table], len(pages) <= OPEN_COMPONENTS))
    return folds


def _step(dim: Dimension) -> str:
    if not dim.searched:
        return "not searched"
    if dim.step > 0:
        return number(dim.step)
    return f"+{number(-dim.step or 10.0)} %"


def _charts(training: Training, pages: Sequence[_ComponentPage]) -> Section:
    folds = []
    for page in pages:
        curves = [passes for passes in page.curves.values() if passes]
        parts: list[Part] = [_chart(passes[-1]) for passes in curves]
        earlier = [_chart(one) for passes in curves for one in passes[:-1]]
        if earlier:
            parts.append(Fold("Earlier passes", earlier, is_open=False))
        tables = training.tables(page.found.key)
        parts += [_map(cells, page.found, training.objective_name) for cells in tables]
        folds.append(Fold(page.found.key, parts, len(pages) <= OPEN_COMPONENTS))
    lead = (
        "A broad hill says that a small error in the value costs little, not that there is an "
        "edge: luck makes hills too. The red line is the plain objective of each step, in sample; "
        "the figure beside the chosen value is the average over the shaded steps. The bars count "
        "winning and losing trades."
    )
    return Section("Parameter charts", folds, lead)


def _chart(curve: StepCurve) -> Chart:
    return Chart(parameter_figure(curve), describe(curve))


def _map(cells: pd.DataFrame, found: ComponentTraining, objective: str) -> Chart:
    x, y = str(cells.columns.name), str(cells.index.name)
    title = f"{found.key}: {objective} over {x} and {y}"
    figure = heatmap_figure(
        cells, objective=objective, chosen=found.params, title=title, most_cells=MAP_CELLS
    )
    chosen = f"{number(found.params[x])} and {number(found.params[y])}"
    return Chart(figure, f"{title}; chosen {chosen}.")
