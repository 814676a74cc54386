# SPDX-License-Identifier: BSD-3-Clause
"""What a picture of scores shows: one to three parameters as axes, and one number a cell.

Everything is computed here, so that the report only draws it. Whatever a cell stands for more than
one combination (levels that are no axis, neighbours joined where there are too many cells), one
rule makes one number of them.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from broadpeak._core import check
from broadpeak._search.labelled import LabelLevel
from broadpeak.errors import ParamError, broken_rule, shown
from broadpeak.types import BoolArray, FloatArray, IntArray

RULES = ("mean", "median", "max", "min")
HELD = "chosen"
MOST_CELLS = 60_000
SPARSE = 0.05  # of all cells; random draws fill fewer, and are seen only when neighbours are joined
LEAST_STEPS = 8
MOST_NAMED = 40  # steps that stand at equal distances although they are uneven numbers
UNEVEN = 4.0  # largest over smallest distance of steps that stand where their numbers are
MOST_TEXT = 24

Place: TypeAlias = "float | str"
"""Where something stands on an axis: at a number, or at the step of that name."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreAxis:
    """One parameter as an axis.

    Attributes
    ----------
    name : str
        The parameter.
    places : tuple of float or of str
        Where its steps stand, ascending: numbers, or names that stand at equal distances.
    is_joined : bool
        Whether steps hold more than one label each, so that their places are only about right.
    """

    name: str
    places: tuple[Place, ...]
    is_joined: bool = False

    @property
    def is_named(self) -> bool:
        """Whether steps are names at equal distances."""
        return isinstance(self.places[0], str)


@dataclass(frozen=True, slots=True, eq=False)
class ScoreMark:
    """A combination to point at: what it is, its place on each axis, in words, and its score."""

    kind: str  # "chosen" or "highest"
    at: tuple[Place, ...]
    words: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class ScoreGrid:
    """Scores over one to three parameters.

    Attributes
    ----------
    axes : tuple of ScoreAxis
        x, y, z.
    values : float64 array, shape (x,), (y, x) or (z, y, x)
        NaN where nothing was tried or usable.
    score : str
        What the scores are.
    note : str
        What is shown of everything that is no axis; empty where that is all there is.
    marks : tuple of ScoreMark
    """

    axes: tuple[ScoreAxis, ...]
    values: FloatArray
    score: str
    note: str
    marks: tuple[ScoreMark, ...]

    @property
    def title(self) -> str:
        """What is drawn, in words."""
        return f"{self.score} over {listed([axis.name for axis in self.axes])}"


@dataclass(frozen=True, slots=True, eq=False)
class LevelScores:
    """Scores by the labels of their levels, and which rows of them are to be pointed at."""

    levels: Sequence[LabelLevel]
    values: FloatArray
    score: str
    chosen: int | None = None
    chosen_score: float = math.nan
    between: float | None = None  # what was chosen of a single parameter, between two steps or not
    highest: int | None = None

    @property
    def names(self) -> list[str]:
        """The levels by name."""
        return [level.name for level in self.levels]

    def level(self, name: str) -> LabelLevel:
        """Return the level of that name."""
        return next(level for level in self.levels if level.name == name)


def axes_of(
    scores: LevelScores,
    given: Sequence[str | None],
    roles: Sequence[str],
    held: Iterable[Any] = (),
) -> list[str]:
    """Return the levels that become axes: those given, else levels of several labels, none held.

    Numbers before names: a hill can be seen over them. There may be fewer than roles.
    """
    for role, name in zip(roles, given, strict=True):
        if name is not None:
            check.one_of(role, name, scores.names)
    named = [name for name in given if name is not None]
    if len(set(named)) < len(named):
        rule = f"be {('one parameter', 'two parameters', 'three parameters')[len(roles) - 1]}"
        raise ParamError(broken_rule(listed(list(roles)), rule, tuple(given)))
    several = [level for level in scores.levels if len(level.labels) > 1]
    wide = [level.name for level in sorted(several, key=lambda level: level.numbers is None)]
    taken = {*named, *map(str, held)}
    others = [name for name in dict.fromkeys([*wide, *scores.names]) if name not in taken]
    # What is given keeps its role, as long as there is something for the roles before it.
    filled = [name if name is not None else (others.pop(0) if others else None) for name in given]
    found = [name for name in filled if name is not None]
    if not found:
        rule, remedy = "leave a parameter to draw over", "Hold fewer parameters."
        raise ParamError(broken_rule("at", rule, list(held), remedy))
    return found


def score_grid(
    scores: LevelScores,
    names: Sequence[str],
    *,
    at: Mapping[Any, Any] | None = None,
    others: str = "mean",
    most: Sequence[int] = (),
    most_cells: int = MOST_CELLS,
) -> ScoreGrid:
    """Return the scores over the parameters `names`.

    `at` holds other levels at a label; what then remains is held at the choice ("chosen"), or
    becomes one number by the rule `others`. `most` is how many steps each axis may have at most.
    """
    seen, held = held_rows(scores, names, at or {})
    rest = [level for level in scores.levels if level.name not in {*names, *held}]
    if others == HELD and scores.chosen is not None:
        for level in rest:
            code = level.codes[scores.chosen]
            seen = seen & (level.codes == code)
            if len(level.labels) > 1:
                held[level.name] = level.labels[code]
        rest = []
    rows = np.flatnonzero(seen & np.isfinite(scores.values))
    tried = np.flatnonzero(seen)
    levels = [scores.level(name) for name in names]
    codes = [np.unique(level.codes[tried]) for level in levels]
    limits = _limits([len(used) for used in codes], levels, len(rows), most, most_cells)
    steps = [
        steps_of(level, used, limit, alone=len(names) == 1)
        for level, used, limit in zip(levels, codes, limits, strict=True)
    ]
    shape = tuple(len(step.axis.places) for step in steps)[::-1]
    cell = np.ravel_multi_index(
        tuple(step.step_of[level.codes[rows]] for step, level in zip(steps, levels, strict=True))[
            ::-1
        ],
        shape,
    )
    rule = others if others in RULES else "mean"
    flat, shared = _reduced(cell, scores.values[rows], math.prod(shape), rule)
    varied = [level.name for level in rest if len(np.unique(level.codes[tried])) > 1]
    is_joined = any(step.axis.is_joined for step in steps)
    note = _note(held, varied, rule, shape, len(rows), is_joined=is_joined, shared=shared)
    values = flat.reshape(shape)
    marks = _marks(scores, levels, steps, seen, values, follows=others == HELD)
    return ScoreGrid(tuple(step.axis for step in steps), values, scores.score, note, marks)


def held_rows(
    scores: LevelScores, names: Sequence[str], at: Mapping[Any, Any]
) -> tuple[BoolArray, dict[str, Any]]:
    """Return which rows have the labels asked for, and these labels by level."""
    seen = np.ones(len(scores.values), dtype=np.bool_)
    held: dict[str, Any] = {}
    for name, label in at.items():
        level = scores.level(check.one_of("at", name, scores.names))
        if name in names:
            rule = "hold a parameter that is no axis of the picture"
            remedy = f"Leave {name!r} out of `at`, or draw over others: {_more(scores, names)}."
            raise ParamError(broken_rule("at", rule, dict(at), remedy))
        code = code_of(level, label)
        if code is None:
            rule = f"hold a label that {name!r} has"
            remedy = f"Its labels are {few(level.labels)}."
            raise ParamError(broken_rule("at", rule, label, remedy))
        seen &= level.codes == code
        held[level.name] = level.labels[code]
    if at and not seen.any():
        remedy = "No score has all these labels together: hold fewer parameters."
        raise ParamError(broken_rule("at", "leave scores to draw", dict(at), remedy))
    return seen, held


def _more(scores: LevelScores, names: Sequence[str]) -> str:
    return ", ".join(name for name in scores.names if name not in names) or "there are none"


def code_of(level: LabelLevel, label: object) -> int | None:
    """Return the position of a label among those of a level; of numbers the nearest to rounding."""
    for code, own in enumerate(level.labels):
        if (type(own) is bool) == (type(label) is bool) and _equal(own, label):
            return code
    value, numbers = check.as_float(label), level.numbers
    if numbers is not None and math.isfinite(value):
        nearest = int(np.argmin(np.abs(numbers - value)))
        if math.isclose(float(numbers[nearest]), value, rel_tol=1e-9, abs_tol=1e-12):
            return nearest
    for code, own in enumerate(level.labels):
        if isinstance(label, str) and own is not None and step_text(own) == label:
            return code
    return None


def _equal(own: object, label: object) -> bool:
    try:
        # NaN is the label of what is missing, and equal to nothing.
        return own is label or bool(own == label) or bool(own != own and label != label)  # noqa: PLR0124
    except (TypeError, ValueError):
        return False


def _limits(
    sizes: Sequence[int],
    levels: Sequence[LabelLevel],
    n_rows: int,
    most: Sequence[int],
    most_cells: int,
) -> list[int]:
    """Return how many steps each axis gets, so that cells are few enough, and filled enough."""
    limits = [min(size, limit) for size, limit in zip(sizes, most or sizes, strict=True)]
    if len(sizes) > 1 and 0 < n_rows < SPARSE * math.prod(limits):
        # As many cells as rows halved: most of them then hold some, as long as draws are even.
        fair = max(LEAST_STEPS, math.ceil((n_rows / 2) ** (1 / len(sizes))))
        limits = [
            min(limit, fair) if level.numbers is not None else limit
            for limit, level in zip(limits, levels, strict=True)
        ]
    low, high = 1, max(limits)
    while low < high:  # the largest bound under which cells are few enough
        middle = (low + high + 1) // 2
        fits = math.prod(min(limit, middle) for limit in limits) <= most_cells
        low, high = (middle, high) if fits else (low, middle - 1)
    if len(limits) > 1:
        return [min(limit, low) for limit in limits]
    return [min(limits[0], most_cells)]


@dataclass(frozen=True, slots=True, eq=False)
class AxisSteps:
    """The steps of an axis, and which of them each code of a level belongs to; -1 is none."""

    axis: ScoreAxis
    step_of: IntArray
    words: tuple[str, ...]  # a name of each step


def steps_of(level: LabelLevel, used: IntArray, limit: int, *, alone: bool) -> AxisSteps:
    numbers = None if level.numbers is None else level.numbers[used]
    n = len(used)
    step_of = np.full(len(level.labels), -1, dtype=np.int64)
    if n <= limit:
        step_of[used] = np.arange(n)
        words = _distinct([step_text(level.labels[code]) for code in used])
        if numbers is not None and (alone or n > MOST_NAMED or _is_even(numbers)):
            places: tuple[Place, ...] = tuple(numbers.tolist())
        else:
            places = words
        return AxisSteps(ScoreAxis(level.name, places), step_of, words)
    if numbers is not None and not _is_even(numbers, 1.5):
        low, width = float(numbers[0]), float(numbers[-1] - numbers[0]) / limit
        step_of[used] = np.minimum(((numbers - low) / width).astype(np.int64), limit - 1)
        centres = low + width * (np.arange(limit) + 0.5)
    else:
        each = math.ceil(n / limit)  # as many labels in every step but the last
        step_of[used] = np.arange(n) // each
        firsts = np.arange(0, n, each)
        lasts = np.minimum(firsts + each, n) - 1
        if numbers is None:
            ends = [
                f"{step_text(level.labels[used[first]])} … {step_text(level.labels[used[last]])}"
                if first < last
                else step_text(level.labels[used[first]])
                for first, last in zip(firsts, lasts, strict=True)
            ]
            words = _distinct(ends)
            return AxisSteps(ScoreAxis(level.name, words, is_joined=True), step_of, words)
        centres = (numbers[firsts] + numbers[lasts]) / 2
        if len(centres) > 2:  # the last step may hold fewer, and would look narrower
            centres = centres[0] + (centres[1] - centres[0]) * np.arange(len(centres))
    places = tuple(centres.tolist())
    words = tuple(f"about {centre:.4g}" for centre in centres)
    return AxisSteps(ScoreAxis(level.name, places, is_joined=True), step_of, words)


def _is_even(numbers: FloatArray, most: float = UNEVEN) -> bool:
    gaps = np.diff(numbers)
    return len(gaps) < 2 or bool(gaps.max() <= most * gaps.min())


def step_text(label: Any) -> str:
    """Return a label in few letters."""
    if isinstance(label, float):
        return "NaN" if math.isnan(label) else f"{label:.6g}"
    if isinstance(label, dt.datetime) and label.time() == dt.time(0):
        text = label.strftime("%Y-%m-%d")
    else:
        text = str(label)
    text = " ".join(text.split()) or "(empty)"
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"


def _distinct(texts: Sequence[str]) -> tuple[str, ...]:
    """Return names of which no two are the same: `True` and "True" are two labels."""
    seen: dict[str, int] = {}
    found = []
    for text in texts:
        seen[text] = seen.get(text, 0) + 1
        found.append(text if seen[text] == 1 else f"{text} ({seen[text]})")
    return (
        tuple(found)
        if len({*found}) == len(found)
        else tuple(f"{text} #{number}" for number, text in enumerate(texts, 1))
    )


def _reduced(
    cell: IntArray, values: FloatArray, n_cells: int, rule: str
) -> tuple[FloatArray, bool]:
    """Return one number a cell by the rule, NaN for empty cells, and whether any cell had more."""
    found = np.full(n_cells, np.nan)
    if not len(cell):
        return found, False
    order = np.lexsort((values, cell))
    cell, values = cell[order], values[order]
    first = np.flatnonzero(np.append(True, cell[1:] != cell[:-1]))
    counts = np.diff(np.append(first, len(cell)))
    last = first + counts - 1
    match rule:
        case "max":
            numbers = values[last]
        case "min":
            numbers = values[first]
        case "median":
            numbers = values[first + (counts - 1) // 2] / 2 + values[first + counts // 2] / 2
        case _:
            numbers = np.add.reduceat(values, first) / counts
    found[cell[first]] = numbers
    return found, bool((counts > 1).any())


def _note(
    held: Mapping[str, Any],
    varied: Sequence[str],
    rule: str,
    shape: Sequence[int],
    n_rows: int,
    *,
    is_joined: bool,
    shared: bool,
) -> str:
    parts = [f"{name}={step_text(label)}" for name, label in held.items()]
    if varied:
        parts.append(f"{rule} over {listed(varied)}")
    if is_joined:
        size = " × ".join(f"{n:,}" for n in reversed(shape))
        what = "" if varied else f", each the {rule} of its scores"
        parts.append(f"{n_rows:,} scores joined to {size} cells{what}")
    elif shared and not varied:
        parts.append(f"{rule} where a combination is there more than once")
    return "; ".join(parts)


def _marks(
    scores: LevelScores,
    levels: Sequence[LabelLevel],
    steps: Sequence[AxisSteps],
    seen: BoolArray,
    values: FloatArray,
    *,
    follows: bool,
) -> tuple[ScoreMark, ...]:
    """Return the choice, and what is highest: of all scores, or of what is drawn."""
    marks = []
    if scores.chosen is not None and seen[scores.chosen]:
        marks.append(_row_mark("chosen", scores, levels, steps, scores.chosen))
    if follows:
        if scores.highest is not None and seen[scores.highest]:
            marks.append(_row_mark("highest", scores, levels, steps, scores.highest))
    elif np.isfinite(values).any():
        cell = np.unravel_index(int(np.nanargmax(values)), values.shape)[::-1]
        at = tuple(step.axis.places[code] for step, code in zip(steps, cell, strict=True))
        words = tuple(step.words[code] for step, code in zip(steps, cell, strict=True))
        marks.append(ScoreMark("highest", at, words, float(np.nanmax(values))))
    return tuple(marks)


def _row_mark(
    kind: str,
    scores: LevelScores,
    levels: Sequence[LabelLevel],
    steps: Sequence[AxisSteps],
    row: int,
) -> ScoreMark:
    """Return the mark of one combination."""
    # Of a value between two steps the score is the mean that it was chosen by.
    is_between = kind == "chosen" and scores.between is not None
    at: list[Place] = []
    words = []
    for level, step in zip(levels, steps, strict=True):
        code = level.codes[row]
        place = step.axis.places[step.step_of[code]]
        word = step_text(level.labels[code])
        if not step.axis.is_named and level.numbers is not None:
            place = float(level.numbers[code])
            if is_between and scores.between is not None:
                place, word = scores.between, step_text(scores.between)
        at.append(place)
        words.append(word)
    score = scores.chosen_score if is_between else float(scores.values[row])
    return ScoreMark(kind, tuple(at), tuple(words), score)


def listed(names: Sequence[str], most: int = 4) -> str:
    """Return names as one would say them.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def few(labels: Sequence[Any], most: int = 8) -> str:
    """Return some labels, as they are typed."""
    texts = [shown(label, 40) for label in labels[:most]]
    return ", ".join(texts) + (f", … ({len(labels):,} in all)" if len(labels) > most else "")
