# SPDX-License-Identifier: BSD-3-Clause
"""The page about a training: the choice first, then what it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from broadpeak._report import belief
from broadpeak._report.charts.heatmap import heatmap_figure
from broadpeak._report.charts.lines import Span
from broadpeak._report.charts.parameter import describe, parameter_figure
from broadpeak._report.html import (
    BAD,
    OK,
    Card,
    Cards,
    Chart,
    Check,
    Fold,
    Paragraph,
    Section,
    write_page,
)
from broadpeak._report.sections import account_section, footer, how_it_was_made, trade_section
from broadpeak._report.tables import Table
from broadpeak._report.views import AccountView, ComponentView, PriceView, RunView
from broadpeak._report.wording import count, moment, number, percent
from broadpeak._training.result import StepCurve

MAP_CELLS = 20_000  # a page holds several maps, and few people have 20,000 pixels to spare
OPEN_COMPONENTS = 4  # more than this and their charts start folded
PRICE_CHARTS = 6


def write_training_page(
    path: str | Path,
    run: RunView,
    components: Sequence[ComponentView],
    maps: Mapping[str, Sequence[pd.DataFrame]],
    chosen: AccountView,
    defaults: AccountView,
    *,
    trained: Span,
    unseen: tuple[AccountView, AccountView] | None,
    prices: Sequence[PriceView],
    objective: str,
) -> Path:
    """Write the page and return its path.

    `maps` holds the objective over pairs of parameters, for each component; `unseen` the chosen and
    the default account over the bars that training did not see, where there are any.
    """
    sections = [
        _headline(components, objective, unseen),
        Section("Chosen parameters", [_parameter_table(components, objective)]),
        _charts(components, maps, objective),
        account_section([chosen, defaults], spans=[trained], more=unseen or ()),
        trade_section(chosen, prices),
        how_it_was_made(run),
    ]
    who = components[0].key if len(components) == 1 else f"{count(len(components))} components"
    subtitle = f"{who}, {moment(trained.first)} to {moment(trained.last)}"
    return write_page(
        path,
        f"{run.strategy}: trained parameters",
        f"{subtitle}, maximised: {objective}",
        sections,
        footer(run),
    )


def _headline(
    components: Sequence[ComponentView],
    objective: str,
    unseen: tuple[AccountView, AccountView] | None,
) -> Section:
    cards, levels = [], []
    for component in components:
        checks = _checks(component)
        levels.append(belief.worst(checks))
        cards.append(_card(component, checks, objective))
    good = levels.count(OK)
    lead = (
        f"{good} of {len(levels)} choices pass every check."
        if len(levels) > 1
        else ("The choice passes every check." if good else "The choice does not pass every check.")
    )
    if unseen is None:
        proof = (
            "Training and test use the same prices: the test below shows how well the parameters "
            "fit the past, not how they will do. A walk-forward test answers that."
        )
    else:
        proof = (
            f"On prices that training did not see the chosen parameters return "
            f"{percent(unseen[0].figures.get('total_return'))}, the defaults "
            f"{percent(unseen[1].figures.get('total_return'))}."
        )
    return Section(
        "What was chosen", [Cards(cards), Paragraph(proof), Paragraph(belief.RULES)], lead
    )


def _checks(component: ComponentView) -> list[Check]:
    checks = []
    if not component.objective > 0:
        checks.append(Check(BAD, "No step reached an objective above 0; the defaults were kept."))
    n_searched = sum(1 for parameter in component.parameters if parameter.high > parameter.low)
    checks.append(belief.trade_check(component.n_trades, n_searched))
    checks.append(belief.edge_check([p.name for p in component.parameters if p.at_edge]))
    broad = belief.breadth_check(component.last_charts())
    return [*checks, broad] if broad else checks


def _card(component: ComponentView, checks: Sequence[Check], objective: str) -> Card:
    # A name and its value stay on one line.
    values = "  ·  ".join(f"{p.name}\u00a0{number(p.chosen)}" for p in component.parameters)
    trained = number(component.objective, 3)
    known = math.isfinite(component.default_objective)
    beside = f", {number(component.default_objective, 3)} with the defaults" if known else ""
    return Card(
        component.key,
        values or "no parameter",
        [
            f"{objective} {trained} with these values{beside}",
            f"{count(component.n_trades)} trades in training",
        ],
        checks,
    )


def _parameter_table(components: Sequence[ComponentView], objective: str) -> Table:
    rows = []
    for component in components:
        for parameter in component.parameters:
            chart = parameter.charts[-1] if parameter.charts else None
            share = belief.breadth(chart) if chart else float("nan")
            rows.append(
                [
                    component.key,
                    parameter.name,
                    number(parameter.chosen, 5),
                    number(parameter.default),
                    f"{number(parameter.low)} to {number(parameter.high)}",
                    parameter.step,
                    number(belief.neighbourhood(chart), 3) if chart else number(None),
                    percent(share, 0),
                    "yes" if parameter.at_edge else "no",
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


def _charts(
    components: Sequence[ComponentView],
    maps: Mapping[str, Sequence[pd.DataFrame]],
    objective: str,
) -> Section:
    folds = []
    for component in components:
        parts: list[object] = [
            _chart(each.charts[-1]) for each in component.parameters if each.charts
        ]
        earlier = [_chart(chart) for each in component.parameters for chart in each.charts[:-1]]
        if earlier:
            parts.append(Fold("Earlier passes", earlier, is_open=False))
        parts += [_map(cells, component, objective) for cells in maps.get(component.key, ())]
        is_open = len(components) <= OPEN_COMPONENTS
        folds.append(Fold(component.key, parts, is_open))
    lead = (
        "Look for a broad hill: steps whose neighbours do well too. A lone high step is luck. "
        "The red line is the objective, the bars count winning and losing trades."
    )
    return Section("Parameter charts", folds, lead)


def _chart(chart: StepCurve) -> Chart:
    return Chart(parameter_figure(chart), describe(chart))


def _map(cells: pd.DataFrame, component: ComponentView, objective: str) -> Chart:
    chosen = {parameter.name: parameter.chosen for parameter in component.parameters}
    x, y = str(cells.columns.name), str(cells.index.name)
    title = f"{component.key}: {objective} over {x} and {y}"
    figure = heatmap_figure(
        cells, objective=objective, chosen=chosen, title=title, most_cells=MAP_CELLS
    )
    return Chart(figure, f"{title}; chosen {number(chosen[x])} and {number(chosen[y])}.")
