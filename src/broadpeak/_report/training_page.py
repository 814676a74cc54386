# SPDX-License-Identifier: BSD-3-Clause
"""The page about a training: the choice first, then what it rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from broadpeak._report.charts.heatmap import heatmap_figure
from broadpeak._report.charts.lines import Span
from broadpeak._report.charts.parameter import describe, parameter_figure
from broadpeak._report.page import (
    BAD,
    DOUBT,
    OK,
    Card,
    Cards,
    Chart,
    Check,
    Fold,
    Paragraph,
    Part,
    Section,
    Table,
    write_page,
)
from broadpeak._report.sections import account_section, footer, how_it_was_made, trade_section
from broadpeak._report.wording import count, moment, number, percent
from broadpeak._search.searchspace import Dimension
from broadpeak._training.backtests import Backtests
from broadpeak._training.result import ComponentTraining, StepCurve, Training
from broadpeak.errors import ParamError

MAP_CELLS = 20_000  # a page holds several maps, and few people have 20,000 pixels to spare
MOST_MEMBERS = 25  # rows of an ensemble on a page
OPEN_COMPONENTS = 4  # more than this and their charts start folded

ENOUGH_TRADES = 20.0  # trades a parameter; below it a handful of them decides
FEW_TRADES = 10.0
BROAD = 0.8  # smoothed score as a share of the highest step; a lone spike has far less

RULES = (
    f"Good: at least {ENOUGH_TRADES:.0f} trades for each parameter, no value at the end of its "
    f"range, and a neighbourhood that scores at least {percent(BROAD, 0)} of the highest step."
)


def training_report(training: Training, *, path: str | Path) -> Path:
    """Write the page and return its path."""
    backtests = training.backtests
    pages = [
        _ComponentPage(found, _curves(training, found), training.default_objective(key))
        for key, found in training.components.items()
    ]
    first, last = training.period
    more = {
        "Chosen, unseen": backtests.chosen_unseen,
        "Defaults, unseen": backtests.defaults_unseen,
    }
    n_evaluations = sum(found.n_evaluations for found in training.components.values())
    sections = [
        _headline(pages, training.objective_name, backtests),
        Section(
            "Chosen parameters",
            [
                _parameter_table(pages, training.objective_name),
                *_ensembles(pages, training.objective_name),
            ],
        ),
        _charts(training, pages),
        account_section(
            {"Chosen": backtests.chosen, "Defaults": backtests.defaults},
            spans=[Span("training", first, last)],
            more={name: account for name, account in more.items() if account is not None},
        ),
        trade_section(backtests.chosen),
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
        f"{who}, {moment(first)} to {moment(last)}, maximised: {training.objective_name}",
        sections,
        footer(training.environment),
    )


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


def _headline(pages: Sequence[_ComponentPage], objective: str, backtests: Backtests) -> Section:
    checks = [_checks(page) for page in pages]
    cards = [_card(page, marks, objective) for page, marks in zip(pages, checks, strict=True)]
    good = sum(all(check.level == OK for check in marks) for marks in checks)
    lead = (
        f"{good} of {len(pages)} choices pass every check."
        if len(pages) > 1
        else ("The choice passes every check." if good else "The choice does not pass every check.")
    )
    if backtests.chosen_unseen is None or backtests.defaults_unseen is None:
        proof = (
            "Training and test use the same prices: the test below shows how well the parameters "
            "fit the past, not how they will perform. A walk-forward test answers that."
        )
    else:
        proof = (
            f"On prices that training did not see, the chosen parameters return "
            f"{percent(backtests.chosen_unseen.total_return)}, the defaults "
            f"{percent(backtests.defaults_unseen.total_return)}."
        )
    return Section("What was chosen", [Cards(cards), Paragraph(proof), Paragraph(RULES)], lead)


def _checks(page: _ComponentPage) -> list[Check]:
    """Return the marks for one choice."""
    found = page.found
    checks = []
    if not found.objective > 0:
        checks.append(Check(BAD, "No step reached an objective above 0; the defaults were kept."))
    checks.append(trade_check(_n_trades(found), sum(dim.max > dim.min for dim in found.dimensions)))
    checks.append(_edge_check([name for name, at_edge in found.at_edge.items() if at_edge]))
    curves = [passes[-1] for passes in page.curves.values() if passes]
    known = [(curve.breadth, curve.parameter) for curve in curves if not math.isnan(curve.breadth)]
    if known:
        share, parameter = min(known)
        words = f"the neighbourhood scores {percent(share, 0)} of the highest step"
        checks.append(
            Check(OK, f"Broad: even for {parameter} {words}.")
            if share >= BROAD
            else Check(DOUBT, f"Narrow: for {parameter} {words}.")
        )
    return checks


def _n_trades(found: ComponentTraining) -> float:
    return math.nan if found.stats is None else found.stats.num_trades


def trade_check(n_trades: float, n_parameters: int) -> Check:
    """Return whether there were trades enough to choose `n_parameters` values by."""
    if not n_parameters:
        return Check(OK, f"{count(n_trades)} trades and no parameter to choose.")
    each = n_trades / n_parameters
    level = OK if each >= ENOUGH_TRADES else DOUBT if each >= FEW_TRADES else BAD
    advice = "" if level == OK else f"; there should be at least {ENOUGH_TRADES:.0f}"
    return Check(level, f"{number(each, 3)} trades for each parameter{advice}.")


def _edge_check(at_edge: Sequence[str]) -> Check:
    """Return whether a value lies where its range ends."""
    if not at_edge:
        return Check(OK, "No value lies at the end of its range.")
    names = ", ".join(at_edge)
    return Check(DOUBT, f"At the end of the range: {names}. Widen it and train again.")


def _card(page: _ComponentPage, checks: Sequence[Check], objective: str) -> Card:
    found = page.found
    # A name and its value stay on one line.
    values = "  ·  ".join(f"{name}\u00a0{number(value)}" for name, value in found.params.items())
    known = math.isfinite(page.default_objective)
    beside = f", {number(page.default_objective, 3)} with the defaults" if known else ""
    return Card(
        found.key,
        values or "no parameter",
        [
            f"{objective} {number(found.objective, 3)} with these values{beside}",
            f"{count(_n_trades(found))} trades in training",
        ],
        checks,
    )


def _parameter_table(pages: Sequence[_ComponentPage], objective: str) -> Table:
    rows = []
    for page in pages:
        found = page.found
        for dim in found.dimensions:
            curve = page.curves[dim.name][-1] if page.curves[dim.name] else None
            rows.append(
                [
                    found.key,
                    dim.name,
                    number(found.params[dim.name], 5),
                    number(found.defaults[dim.name]),
                    f"{number(dim.min)} to {number(dim.max)}",
                    _step(dim),
                    number(curve.neighbourhood if curve else None, 3),
                    percent(curve.breadth if curve else None, 0),
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
            "Score",
            "Of highest",
            "Edge",
        ],
        rows,
        ["left", "left", *["right"] * 7],
        note=(
            f"Score: {objective} averaged over the steps around the chosen value, weighted to the "
            "middle. Of highest: that score as a share of the highest single step. Edge: whether "
            "the best lies at the end of the range."
        ),
    )


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
        "Look for a broad hill: steps whose neighbours do well too. A lone high step is luck. "
        "The red line is the objective, the bars count winning and losing trades."
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
