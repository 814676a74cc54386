# SPDX-License-Identifier: BSD-3-Clause
"""`select`: the broad peak of any scores, from this library or from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import pandas as pd

from broadpeak._core import check, drawing
from broadpeak._core.aliases import Index, Series
from broadpeak._search.cells import Cells, choose_cell, edges, make_cells, robustness
from broadpeak._search.labelled import LabelLevel, level_names, read_level, score_values
from broadpeak._search.scoregrid import HELD, LevelScores, ScoreGrid, axes_of, score_grid
from broadpeak._search.scorelines import ScoreCuts, ScoreLines, score_cuts, score_lines
from broadpeak._search.selectors import (
    HILL,
    HILL_OF_SEVERAL,
    Ensemble,
    Hill,
    Peak,
    Plateau,
    Selector,
    choose_step,
    is_narrow,
    resolve_selector,
)
from broadpeak._search.stepgrid import used_axes
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import FloatArray, IntArray

__all__ = ["EdgeFlags", "Ensemble", "Hill", "Peak", "Plateau", "Selection", "select"]


MAP_CELLS = 30_000  # of all maps of a slider on a page
SLIDER_STEPS = 40
PAGE_LINES = 300


class EdgeFlags(dict[str, bool]):
    """A flag for each parameter; true as a whole if any of them is.

    Examples
    --------
    >>> bool(EdgeFlags(fast=False, slow=True))
    True
    """

    def __bool__(self) -> bool:
        return any(self.values())


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Selection:
    """What `select` chose.

    Attributes
    ----------
    params : dict
        Chosen value of each parameter. A single parameter of numbers alone may lie between two
        tried values (hill and plateau); all else is a combination that was tried.
    score : float
        Score the choice was made by: the weighted mean of the window (hill), the mean of the
        plateau, or the peak itself.
    peak_params : dict
        Combination with the highest score.
    peak_score : float
        That score.
    robustness : float
        Share of its lead over the median score that the direct neighbours of the choice keep on
        average: 1 on a plateau, 0 (the least) for a lone spike. The lead is that of the choice, or
        of the best score with a neighbour as high, if that is larger. NaN where the choice has no
        neighbour. It does not change when scores are scaled or shifted.
    region : Series
        The part of the scores that carried the choice: window, plateau, or the peak alone.
    at_edge : EdgeFlags
        For each parameter, whether the best or the chosen value is the first or the last number or
        date tried: a wider range may hold a better one. True as a whole if any is.
    unused : tuple of str
        Parameters that make no difference to any score. The lowest value is taken, and it is not
        flagged as an edge.
    scores : Series
        What was chosen from, sorted.
    method : Hill, Plateau, Peak or Ensemble
        What chose.
    cell, peak : int
        Positions in `scores` of the choice (of a value between two steps, the nearest one) and of
        the highest score.

    Notes
    -----
    Its text says when robustness is low (below 0.2, of at least eight scores). Simulated on
    independent noise, that finds three of four peaks; of what "hill" picks from real hills of 13
    steps or more it accuses at most one in fifty.
    It says how alone a choice stands, not whether there is anything to find.

    Examples
    --------
    >>> import pandas as pd
    >>> selection = select(pd.Series([1.0, 3.0, 2.0, 1.0]), method="peak")
    >>> selection.params, selection.score, bool(selection.at_edge)
    ({'level_0': 1}, 3.0, False)
    >>> print(selection)
    level_0=1: score 3, robustness 0
    """

    params: dict[str, Any]
    score: float
    peak_params: dict[str, Any]
    peak_score: float
    robustness: float
    region: Series
    at_edge: EdgeFlags
    unused: tuple[str, ...]
    scores: Series
    method: Selector
    cell: int
    peak: int

    @property
    def plain_score(self) -> float:
        """Score of the chosen combination itself; of a value between two steps, of the nearest one.

        `score`, which decided, is smoothed over its neighbours by every selector but the peak.
        """
        return float(self.scores.iloc[self.cell])

    @property
    def smoothing(self) -> str:
        """What `score` is: "smoothed", "mean of the plateau", or "" where it is `plain_score`."""
        if isinstance(self.method, Peak) or self.score == self.plain_score:
            return ""
        return "mean of the plateau" if isinstance(self.method, Plateau) else "smoothed"

    def ensemble(self, share: float | None = None) -> Series:
        """Return the best share of the combinations as a set with weights.

        Parameters
        ----------
        share : float in (0, 1], optional
            Share of the usable combinations, rounded half up; at least one is taken. Default: that
            of the `Ensemble` which chose, else 0.1.

        Returns
        -------
        Series
            Weights of the members alone, the best first, labelled as the scores are; they sum to 1.
            Members weigh the same; those that tie for the last places share them.

        Raises
        ------
        ParamError
            If `share` is outside (0, 1].

        Notes
        -----
        Combinations are ranked by their scores as the hill that chose smooths them; after "plateau"
        and "peak" as "hill" does.

        Examples
        --------
        >>> import pandas as pd
        >>> scores = pd.Series([1.0, 4.0, 5.0, 4.5, 1.0], index=pd.Index([1, 2, 3, 4, 5], name="n"))
        >>> select(scores).ensemble(0.4).to_dict()
        {3: 0.5, 4: 0.5}
        """
        chosen = self.method if isinstance(self.method, Ensemble) else Ensemble()
        hill = self.method if isinstance(self.method, Hill) else chosen.hill
        read = _read(self.scores)
        ensemble = Ensemble(
            chosen.share if share is None else share,
            hill or (HILL_OF_SEVERAL if len(read.levels) > 1 else HILL),
        )
        x = read.x
        members = (
            choose_cell(read.cells, ensemble).members
            if x is None
            else choose_step(x, read.values, ensemble).members
        )
        rows = self.scores.iloc[read.order[[at for at, _ in members]]]
        return pd.Series([weight for _, weight in members], index=rows.index, name="weight")

    def heatmap(self, x: str | None = None, y: str | None = None) -> Any:
        """Draw the scores over two parameters, with the choice and the peak marked.

        One parameter alone is drawn as a line.

        Parameters
        ----------
        x, y : str, optional
            Index levels; if left out, the first two of more than one label, of numbers where there
            are such. All others are held at the choice; the peak, where it lies elsewhere, is not
            marked then.

        Returns
        -------
        plotly.graph_objects.Figure

        Raises
        ------
        ParamError
            If there is no such level, or both are the same.

        Examples
        --------
        >>> import pandas as pd
        >>> figure = select(pd.Series([1.0, 3.0, 4.0, 3.0, 1.0])).heatmap()
        >>> [trace.name for trace in figure.data]
        ['score', 'chosen 2', 'highest 2']
        """
        read = by_level(self)
        names = axes_of(read, (x, y), ("x", "y"))
        return drawing.draw("score-grid", score_grid(read, names, others=HELD))

    def report(self, path: str | Path) -> Path:
        """Write a page about the choice: what was chosen and why, maps, cuts and the best scores.

        Parameters
        ----------
        path : str or Path
            Where to write the HTML file, which opens offline; its folder is made.

        Returns
        -------
        Path

        Raises
        ------
        ParamError
            If `path` is none, or cannot be written.

        Examples
        --------
        >>> import pandas as pd, tempfile
        >>> chosen = select(pd.Series([1.0, 3.0, 4.0, 3.0, 1.0]))
        >>> chosen.report(f"{tempfile.mkdtemp()}/choice.html").name
        'choice.html'
        """
        target = check.path("path", path, 'Type: selection.report("choice.html").')
        read = by_level(self)
        names = axes_of(read, (None, None), ("x", "y"))
        several = [level.name for level in read.levels if len(level.labels) > 1]
        many = axes_of(read, (None, None, None), ("x", "y", "z")) if len(several) > 2 else []
        limits = (MAP_CELLS, MAP_CELLS, SLIDER_STEPS)
        pictures = SelectionPictures(
            choice=score_grid(read, names, others=HELD),
            average=score_grid(read, names, others="mean") if len(several) > 2 else None,
            volume=score_grid(read, many, others=HELD, most=limits, most_cells=MAP_CELLS)
            if many
            else None,
            lines=score_lines(read, at=None, most=PAGE_LINES),
            cuts=score_cuts(read, at=None, through=None),
        )
        return Path(drawing.draw("selection-report", self, path=target, pictures=pictures))

    def cautions(self) -> list[str]:
        """Return what to know before the choice is believed, a sentence each; often none.

        Examples
        --------
        >>> import pandas as pd
        >>> select(pd.Series([1.0, 2.0, 3.0])).cautions()
        ['At the edge of level_0: a wider range may hold a better one.']
        """
        lines = []
        if is_narrow(self.robustness, len(self.scores)):
            lines.append("Low robustness: the scores beside this choice do not carry it.")
        edges_at = [name for name, flag in self.at_edge.items() if flag]
        if edges_at:
            lines.append(
                f"At the edge of {_listed(edges_at)}: a wider range may hold a better one."
            )
        if self.unused:
            lines.append(f"No difference to any score: {_listed(self.unused)}.")
        return lines

    def __str__(self) -> str:
        text = f"{_shown(self.params)}: score {self.plain_score:.4g}"
        if self.smoothing:
            text += f", {self.smoothing} {self.score:.4g}"
        if not math.isnan(self.robustness):
            text += f", robustness {self.robustness:.2g}"
        if self.peak_params != self.params:
            text += f" (highest score {self.peak_score:.4g} at {_shown(self.peak_params)})"
        return "\n".join([text, *self.cautions()])

    def __repr__(self) -> str:
        return f"<Selection {self}>"


@dataclass(frozen=True, slots=True, eq=False)
class SelectionPictures:
    """What the page of a choice draws; None where there are too few parameters for it."""

    choice: ScoreGrid
    average: ScoreGrid | None
    volume: ScoreGrid | None
    lines: ScoreLines
    cuts: ScoreCuts


def by_level(selection: Selection) -> LevelScores:
    """Return what was chosen from by the labels of its levels, with the choice and the peak."""
    scores = selection.scores
    read = _read(scores)
    return LevelScores(
        read.levels,
        _checked_scores(scores),
        "score" if scores.name is None else str(scores.name),
        chosen=selection.cell,
        chosen_score=selection.score,
        between=None if read.x is None else float(next(iter(selection.params.values()))),
        highest=selection.peak,
    )


def _shown(params: dict[str, Any]) -> str:
    """Return a combination in a few words."""
    return ", ".join(
        f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in params.items()
    )


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


@overload
def select(scores: Series, *, method: str | Selector = "hill", by: None = None) -> Selection: ...


@overload
def select(
    scores: Series, *, method: str | Selector = "hill", by: str
) -> dict[Hashable, Selection]: ...


def select(
    scores: Series, *, method: str | Selector = "hill", by: str | None = None
) -> Selection | dict[Hashable, Selection]:
    """Return the robust choice from `scores`: the broad peak rather than the lucky spike.

    Parameters
    ----------
    scores : Series
        Higher is better; index levels are parameters, one row a combination, in any order. Missing
        combinations are left out of every mean.
    method : "hill", "plateau", "peak", "ensemble" or Hill, Plateau, Peak, Ensemble
        "hill" is five steps wide for one parameter, three for several. Of an ensemble `params` is
        what "hill" picks; its members are in `Selection.ensemble`.
    by : str, optional
        Name of an index level, such as "symbol": one choice for each of its labels.

    Returns
    -------
    Selection
        With `by` a dict of them, one for each label of that level.

    Raises
    ------
    ParamError
        If `scores` is no Series, is empty, has a label twice, holds no numbers, or no finite one,
        or if there is no level `by`, or no other one.

    Notes
    -----
    A score that is not finite, or beyond 1e300 in size, counts as ``min(0, worst finite)`` and is
    never the choice of several parameters. Scores that are never positive are chosen from like any
    others (`train` keeps the defaults there).

    "hill", "plateau" and "ensemble" count a score no more than the best one beside it, diagonal
    neighbours included, so that a lone spike is never chosen, however high. A combination none of
    whose neighbours is there is left out too, unless those with neighbours are few and poor.
    ``Hill(clip=False)`` smooths scores as they are.

    Numbers of a level are neighbours in their order, and so are dates. Every other label is a name
    that has no neighbours: a string, a boolean, None or NaN, also beside numbers. Scores are
    smoothed within each name. Equal scores: the lowest number wins, then names in the order of
    their alphabet; the order of the rows never counts. An ordered categorical keeps its order.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.Index([10, 20, 30, 40, 50, 60, 70, 80], name="window")
    >>> scores = pd.Series([1.0, 7.0, 1.0, 1.0, 4.0, 5.0, 4.0, 1.0], index=index)
    >>> selection = select(scores)
    >>> selection.params, selection.peak_params
    ({'window': 60.0}, {'window': 20})
    >>> other = pd.Series(scores.to_numpy()[::-1], index=index)
    >>> both = pd.concat({"IBM": scores, "SPX": other}, names=["symbol"])
    >>> {symbol: chosen.params for symbol, chosen in select(both, by="symbol").items()}
    {'IBM': {'window': 60.0}, 'SPX': {'window': 30.0}}
    """
    if by is not None:
        _checked_scores(scores)
        return _each(scores, level_names(scores.index), method, by)
    read = _read(scores)
    cells, codes, order = read.cells, read.cells.codes, read.order
    names = [level.name for level in read.levels]
    selector = resolve_selector(method, several=len(names) > 1)
    used = used_axes(codes, cells.shape, read.values, np.isfinite(read.values))
    x = read.x
    region: Sequence[int]
    touched: Sequence[int] = ()
    if x is None:
        choice = choose_cell(cells, selector)
        cell, peak, score, region = choice.cell, choice.peak, choice.score, choice.region
        params = _labels_at(read.levels, codes[cell])
        touched = region
    elif len(x) > 1 and not used[0] and not isinstance(selector, Plateau):
        # Nothing speaks for any value: of equal ones the lowest.
        cell, peak, score, region = 0, 0, float(cells.y[0]), range(len(x))
        params = _labels_at(read.levels, codes[cell])
    else:
        step = choose_step(x, read.values, selector)
        cell, peak, score = step.step, step.peak, step.score
        region = range(step.window[0], step.window[1] + 1)
        params = _labels_at(read.levels, codes[cell])
        if len(x) > 1 and not isinstance(selector, Peak):
            params = {names[0]: step.value}  # perhaps between two labels
        touched = step.window
    at_edge = edges(cells, (cell, peak, *(touched if isinstance(selector, Plateau) else ())))
    return Selection(
        params=params,
        score=score,
        peak_params=_labels_at(read.levels, codes[peak]),
        peak_score=float(cells.y[peak]),
        robustness=robustness(cells, cell),
        region=scores.iloc[order[list(region)]],
        at_edge=EdgeFlags(
            (name, flag and bool(is_used))
            for name, flag, is_used in zip(names, at_edge, used, strict=True)
        ),
        unused=tuple(name for name, is_used in zip(names, used, strict=True) if not is_used),
        scores=scores.iloc[order],
        method=selector,
        cell=cell,
        peak=peak,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _ReadScores:
    """Scores by combination, sorted by their labels."""

    levels: list[LabelLevel]
    order: IntArray  # the row of each sorted one
    values: FloatArray  # sorted; not finite where unusable
    cells: Cells

    @property
    def x(self) -> FloatArray | None:
        """The values of a single parameter of numbers, between which may be chosen."""
        return self.levels[0].numbers if len(self.levels) == 1 else None


def _read(scores: Series) -> _ReadScores:
    """Return `scores` as cells of a grid, checked."""
    values = _checked_scores(scores)
    names = level_names(scores.index)
    levels = [read_level(scores.index, position, name) for position, name in enumerate(names)]
    codes = np.column_stack([level.codes for level in levels])
    order = np.lexsort(codes.T[::-1])
    codes, values = codes[order], values[order]
    _check_duplicates(scores.index, codes, order)
    shape = [len(level.labels) for level in levels]
    cells = make_cells(codes, shape, values, [level.runs for level in levels])
    return _ReadScores(levels, order, values, cells)


def _labels_at(levels: list[LabelLevel], codes: IntArray) -> dict[str, Any]:
    """Return a combination by name, from its codes on every level."""
    return {level.name: level.labels[code] for level, code in zip(levels, codes, strict=True)}


def _each(
    scores: Series, names: list[str], method: str | Selector, by: str
) -> dict[Hashable, Selection]:
    """Return one choice for each label of level `by`."""
    level_number = names.index(check.one_of("by", by, names))
    if len(names) == 1:
        rule = "leave a level to choose from"
        remedy = f"The scores have no level but {by!r}: leave `by` out to choose one of its labels."
        raise ParamError(broken_rule("by", rule, by, remedy))
    level = read_level(scores.index, level_number, by)
    named = scores.set_axis(scores.index.set_names(names))
    chosen: dict[Hashable, Selection] = {}
    for code, label in enumerate(level.labels):
        if label in chosen:
            rule = "name a level whose labels can be keys of one dict"
            other = next(one for one in chosen if one == label)
            remedy = f"{label!r} and {other!r} are equal: give them names with Param(keys=[…])."
            raise ParamError(broken_rule("by", rule, by, remedy))
        part = named[level.codes == code]
        part.index = part.index.droplevel(level_number)
        try:
            chosen[label] = select(part, method=method)
        except ParamError as error:
            raise ParamError(f"{by}={label!r}: {error}") from error
    return chosen


def _checked_scores(scores: object) -> FloatArray:
    values = score_values(scores)
    if not np.isfinite(values).any():
        rule = "hold at least one finite score"
        remedy = "No combination was usable: look at the trades of one of them."
        raise ParamError(broken_rule("scores", rule, values[0], remedy))
    return values


def _check_duplicates(index: Index, codes: IntArray, order: IntArray) -> None:
    """Raise for two rows of one combination; True and 1 are two labels, unlike to pandas."""
    same = (codes[1:] == codes[:-1]).all(axis=1)
    if same.any():
        twice = index[int(order[1:][same][0])]
        remedy = "Average or drop the others first, as in scores.groupby(level=[...]).mean()."
        raise ParamError(broken_rule("scores", "have one row a combination", twice, remedy))
