# SPDX-License-Identifier: BSD-3-Clause
"""How far to believe a choice: plain checks on what training saw, each with its figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from broadpeak._report.html import BAD, DOUBT, OK, Check
from broadpeak._report.wording import count, number, percent
from broadpeak._training.result import StepCurve

ENOUGH_TRADES = 20.0  # trades a parameter; below it a handful of them decides
FEW_TRADES = 10.0
BROAD = 0.8  # smoothed score as a share of the highest step; a lone spike gives far less

RULES = (
    f"Good: at least {ENOUGH_TRADES:.0f} trades for each parameter, no value at the end of its "
    f"range, and a neighbourhood that scores at least {percent(BROAD, 0)} of the highest step."
)


def trade_check(n_trades: float, n_parameters: int) -> Check:
    """Return whether there were trades enough to choose `n_parameters` values by."""
    each = n_trades / n_parameters if n_parameters else math.inf
    level = OK if each >= ENOUGH_TRADES else DOUBT if each >= FEW_TRADES else BAD
    if not n_parameters:
        return Check(OK, f"{count(n_trades)} trades and no parameter to choose.")
    advice = "" if level == OK else f"; {ENOUGH_TRADES:.0f} are asked for"
    return Check(level, f"{number(each, 3)} trades for each parameter{advice}.")


def edge_check(at_edge: Sequence[str]) -> Check:
    """Return whether a value lies where its range ends."""
    if not at_edge:
        return Check(OK, "No value lies at the end of its range.")
    names = ", ".join(at_edge)
    return Check(DOUBT, f"At the end of the range: {names}. Widen it and train again.")


def neighbourhood(chart: StepCurve) -> float:
    """Return the smoothed objective around the chosen value; NaN where nothing is known.

    A selector that smooths says it itself. For others it is the mean over five steps, weighted
    (1, 2, 3, 2, 1), with what the ends of the range leave of them.
    """
    if chart.window is not None:
        return float(chart.score)
    usable = np.isfinite(chart.objective)
    if not usable.any() or not math.isfinite(chart.chosen):
        return math.nan
    steps = np.arange(len(chart.values)) - np.abs(chart.values - chart.chosen).argmin()
    weights = np.where(usable, np.maximum(3.0 - np.abs(steps), 0.0), 0.0)
    if not weights.any():
        return math.nan
    return float(np.average(np.where(usable, chart.objective, 0.0), weights=weights))


def breadth(chart: StepCurve) -> float:
    """Return smoothed objective over highest step; NaN where either is not above zero."""
    known = chart.objective[np.isfinite(chart.objective)]
    score = neighbourhood(chart)
    if len(known) == 0 or not known.max() > 0 or not score > 0:
        return math.nan
    return float(score / known.max())


def breadth_check(charts: Sequence[StepCurve]) -> Check | None:
    """Return whether the hills are broad, by the narrowest of them."""
    known = [(breadth(chart), chart) for chart in charts]
    known = [(share, chart) for share, chart in known if math.isfinite(share)]
    if not known:
        return None
    share, chart = min(known, key=lambda item: item[0])
    text = f"the neighbourhood scores {percent(share, 0)} of the highest step"
    if share >= BROAD:
        return Check(OK, f"Broad: even for {chart.parameter} {text}.")
    return Check(DOUBT, f"Narrow: for {chart.parameter} {text}.")


def worst(checks: Sequence[Check]) -> str:
    """Return the level of the worst check."""
    order = (OK, DOUBT, BAD)
    return max((check.level for check in checks), key=order.index, default=OK)
