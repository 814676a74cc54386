# SPDX-License-Identifier: BSD-3-Clause
"""Trainings as views: what their pages and charts show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import pandas as pd

from broadpeak._report.views import ComponentView, ParameterView, RunView
from broadpeak._report.wording import count, moment, number
from broadpeak._search.searchspace import Dimension
from broadpeak._training.result import ComponentTraining, StepCurve, Training
from broadpeak._training.strategy import Strategy
from broadpeak.errors import ParamError

MOST_MAPS = 3


def component_views(training: Training) -> list[ComponentView]:
    """Return what the page shows of each component."""
    return [_component(training, found) for found in training.components.values()]


def run_view(training: Training) -> RunView:
    """Return strategy, settings, versions and warnings of a training."""
    settings = run_settings(training.strategy, training.settings, training.seconds)
    n_evaluations = sum(found.n_evaluations for found in training.components.values())
    settings["evaluations"] = count(n_evaluations)
    return RunView(training.name, settings, versions(training.environment), list(training.notes))


def run_settings(
    strategy: Strategy, settings: Mapping[str, Any], seconds: float | None = None
) -> dict[str, str]:
    """Return every setting of a strategy and of its run as text."""
    texts = {
        "strategy": strategy.name,
        "lookback": f"{strategy.lookback} bars",
        "unstable_period": f"{strategy.unstable_period} bars",
        "fill": strategy.fill,
        **{name: setting_text(value) for name, value in settings.items()},
    }
    return texts if seconds is None else {**texts, "time": f"{seconds:.2f} s"}


def versions(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the build of the system, which may tell whose it is."""
    shown = dict(environment)
    if "platform" in shown:
        shown["platform"] = shown["platform"].partition("-")[0]
    return shown


def maps(training: Training, key: str) -> list[pd.DataFrame]:
    """Return the objective over pairs of searched parameters; none after an ascent.

    An ascent only walks along lines, so that a map of it would be nearly empty.
    """
    found = training.components[key]
    if found.curves:
        return []
    names = [dim.name for dim in found.dimensions if dim.searched][:MOST_MAPS]
    pairs = [(x, y) for at, x in enumerate(names) for y in names[at + 1 :]]
    return [training.table(x, y, key) for x, y in pairs]


def setting_text(value: Any) -> str:
    """Return a setting as people write it; of a file only its name, of a function only its name."""
    if value is None or isinstance(value, bool):
        return {None: "not set", True: "yes", False: "no"}[value]
    if isinstance(value, (int, float)):
        return number(value, 9)
    if isinstance(value, PurePath) or (isinstance(value, str) and set(value) & {"/", "\\"}):
        return PurePath(str(value).replace("\\", "/")).name
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {setting_text(item)}" for key, item in value.items()) or "none"
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    return moment(value) if hasattr(value, "strftime") else str(value)


def _component(training: Training, found: ComponentTraining) -> ComponentView:
    parameters = [
        ParameterView(
            name=dim.name,
            chosen=found.params[dim.name],
            default=dim.rounded(dim.default),
            low=dim.min,
            high=dim.max,
            step=_step(dim),
            at_edge=found.at_edge.get(dim.name, False),
            charts=_curves(training, found, dim.name),
        )
        for dim in found.dimensions
    ]
    stats = found.stats
    return ComponentView(
        found.key,
        parameters,
        found.objective,
        _default_objective(training, found),
        stats.num_trades if stats is not None else math.nan,
    )


def _curves(training: Training, found: ComponentTraining, name: str) -> list[StepCurve]:
    """Return the passes of an ascent, or the cut through what another search evaluated."""
    passes = [curve for curve in found.curves if curve.parameter == name]
    if passes:
        return passes
    try:
        return [training.step_curve(name, found.key)]
    except ParamError:
        return []


def _step(dim: Dimension) -> str:
    if not dim.searched:
        return "not searched"
    if dim.step > 0:
        return number(dim.step)
    return f"+{number(-dim.step or 10.0)} %"


def _default_objective(training: Training, found: ComponentTraining) -> float:
    """Return the objective of the default values; NaN unless the search evaluated them."""
    rows = training.trials
    rows = rows[rows["component"] == found.key]
    for dim in found.dimensions:
        rows = rows[(rows[dim.name] - dim.default).abs() <= 1e-9 * max(1.0, abs(dim.default))]
    return float(rows["objective"].iloc[0]) if len(rows) else math.nan
