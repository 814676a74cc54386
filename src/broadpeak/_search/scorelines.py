# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of any number of parameters: one line a combination, or one cut a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from broadpeak._search.scoregrid import (
    AxisSteps,
    LevelScores,
    ScoreAxis,
    ScoreMark,
    code_of,
    few,
    held_rows,
    listed,
    step_text,
    steps_of,
)
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import FloatArray, IntArray

MOST_STEPS = 200  # of one cut
MOST_CUTS = 24


@dataclass(frozen=True, slots=True, eq=False)
class ScoreLines:
    """Combinations as lines over parallel axes.

    Attributes
    ----------
    axes : tuple of ScoreAxis
        Parameters of more than one label.
    places : float64 array, shape (lines, axes)
        Numbers, or the position of a named step.
    values : float64 array, shape (lines,)
        Scores, ascending.
    score, note : str
        As those of `ScoreGrid`.
    """

    axes: tuple[ScoreAxis, ...]
    places: FloatArray
    values: FloatArray
    score: str
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class ScoreCut:
    """Scores along one parameter.

    Attributes
    ----------
    axis : ScoreAxis
        The parameter.
    through : float64 array, shape (steps,)
        Scores with all other parameters held; NaN where there is none.
    low, middle, high : float64 array, shape (steps,)
        Quartiles of all scores at each step.
    mark : ScoreMark
        The combination that the cut goes through.
    """

    axis: ScoreAxis
    through: FloatArray
    low: FloatArray
    middle: FloatArray
    high: FloatArray
    mark: ScoreMark


@dataclass(frozen=True, slots=True, eq=False)
class ScoreCuts:
    """One cut for each parameter, all through one combination; `through` names it."""

    cuts: tuple[ScoreCut, ...]
    score: str
    through: str
    note: str


def score_lines(scores: LevelScores, *, at: Mapping[Any, Any] | None, most: int) -> ScoreLines:
    """Return at most so many combinations, evenly by rank of their scores, best and worst among."""
    seen, held = held_rows(scores, (), at or {})
    rows = np.flatnonzero(seen & np.isfinite(scores.values))
    rows = rows[np.argsort(scores.values[rows], kind="stable")]
    total = len(rows)
    if total > most:
        rows = rows[np.unique(np.linspace(0, total - 1, most).round().astype(np.int64))]
    axes, places = [], []
    for level in scores.levels:
        used = np.unique(level.codes[seen])
        if len(used) > 1 and level.name not in held:
            steps = steps_of(level, used, len(used), alone=False)
            step = steps.step_of[level.codes[rows]]
            axes.append(steps.axis)
            places.append(
                step.astype(np.float64)
                if steps.axis.is_named
                else np.array(steps.axis.places, dtype=np.float64)[step]
            )
    parts = [f"{name}={step_text(label)}" for name, label in held.items()]
    if total > len(rows):
        parts.append(f"{len(rows):,} of {total:,} combinations, evenly by rank")
    stacked = np.column_stack(places) if places else np.empty((len(rows), 0))
    return ScoreLines(tuple(axes), stacked, scores.values[rows], scores.score, "; ".join(parts))


def score_cuts(
    scores: LevelScores, *, at: Mapping[Any, Any] | None, through: Mapping[Any, Any] | None
) -> ScoreCuts:
    """Return a cut for each parameter of several labels, through the choice or the highest."""
    seen, held = held_rows(scores, (), at or {})
    centre = _centre(scores, np.flatnonzero(seen), through or {})
    wide = [
        level
        for level in scores.levels
        if level.name not in held and len(np.unique(level.codes[seen])) > 1
    ]
    shown = wide[:MOST_CUTS] or list(scores.levels[:1])
    cuts = (
        tuple(
            _cut(scores, seen, steps, level.codes, centre)
            for level in shown
            for steps in [steps_of(level, np.unique(level.codes[seen]), MOST_STEPS, alone=True)]
        )
        if centre is not None
        else ()
    )
    parts = [f"{name}={step_text(label)}" for name, label in held.items()]
    if len(wide) > len(shown):
        parts.append(f"the first {len(shown)} of {len(wide)} parameters")
    words = (
        []
        if centre is None
        else [f"{one.name}={step_text(one.labels[one.codes[centre]])}" for one in wide]
    )
    return ScoreCuts(cuts, scores.score, ", ".join(words), "; ".join(parts))


def _centre(scores: LevelScores, rows: IntArray, through: Mapping[Any, Any]) -> int | None:
    """Return the row that the cuts go through; None where no score is usable."""
    for name, label in through.items():
        names = scores.names
        if name not in names:
            rule = "name parameters of the scores"
            remedy = f"They are {listed(names, 12)}."
            raise ParamError(broken_rule("through", rule, name, remedy))
        level = scores.level(name)
        code = code_of(level, label)
        if code is None:
            remedy = f"Its labels are {few(level.labels)}."
            raise ParamError(
                broken_rule("through", f"hold a label that {name!r} has", label, remedy)
            )
        rows = rows[level.codes[rows] == code]
    usable = rows[np.isfinite(scores.values[rows])]
    if not len(usable):
        if through:
            rule = "name a combination that has a usable score"
            remedy = "Name fewer parameters: the rest is taken from the highest score."
            raise ParamError(broken_rule("through", rule, dict(through), remedy))
        return None
    if scores.chosen is not None and scores.chosen in usable:
        return scores.chosen
    return int(usable[np.argmax(scores.values[usable])])


def _cut(
    scores: LevelScores, seen: Any, steps: AxisSteps, codes: IntArray, centre: int
) -> ScoreCut:
    n = len(steps.axis.places)
    same = seen.copy()
    for level in scores.levels:
        if level.name != steps.axis.name:
            same &= level.codes == level.codes[centre]
    usable = np.isfinite(scores.values)
    through = np.full(n, np.nan)
    rows = np.flatnonzero(same & usable)
    # Of steps that were joined the highest, so that the line meets its own highest score.
    np.fmax.at(through, steps.step_of[codes[rows]], scores.values[rows])
    rows = np.flatnonzero(seen & usable)
    step, values = steps.step_of[codes[rows]], scores.values[rows]
    order = np.argsort(step, kind="stable")
    bounds = np.searchsorted(step[order], np.arange(n + 1))
    quartiles = np.full((3, n), np.nan)
    for number in range(n):
        part = values[order[bounds[number] : bounds[number + 1]]]
        if len(part):
            quartiles[:, number] = np.quantile(part, [0.25, 0.5, 0.75])
    level = scores.level(steps.axis.name)
    code = level.codes[centre]
    place = steps.axis.places[steps.step_of[code]]
    if not steps.axis.is_named and level.numbers is not None:
        place = float(level.numbers[code])
    kind = "chosen" if centre == scores.chosen else "highest"
    mark = ScoreMark(kind, (place,), (step_text(level.labels[code]),), float(scores.values[centre]))
    low, middle, high = quartiles
    return ScoreCut(steps.axis, through, low, middle, high, mark)
