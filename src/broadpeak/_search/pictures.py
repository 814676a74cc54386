# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of any scores: what is shown is worked out here, the report draws it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from broadpeak._core import check, drawing
from broadpeak._core.aliases import Series
from broadpeak._core.labels import plain
from broadpeak._search.labelled import level_names, read_level, score_values
from broadpeak._search.scoregrid import (
    HELD,
    MOST_CELLS,
    RULES,
    LevelScores,
    ScoreGrid,
    axes_of,
    score_grid,
)
from broadpeak._search.scorelines import score_cuts, score_lines
from broadpeak._search.select import SLIDER_STEPS, Selection, by_level
from broadpeak.errors import ParamError, broken_rule

MOST_LINES = 1_000
SURFACE_CELLS = 20_000


def heatmap(
    scores: Series | pd.DataFrame | Selection,
    x: str | None = None,
    y: str | None = None,
    *,
    others: str | None = None,
    at: Mapping[Any, Any] | None = None,
) -> Any:
    """Draw scores as colour over two parameters, with the highest and the choice marked.

    Parameters
    ----------
    scores : Series, DataFrame of one column, or Selection
        Index levels are parameters, of numbers, dates or names, one row a combination, in any
        order: what `parameterized` returns, a metric of a `Portfolio`, or a Series made elsewhere.
        Combinations that are missing, NaN or infinite stay empty. Of what `select` returned the
        choice is marked, too.
    x, y : str, optional
        Index levels; if left out, the first two of more than one label, of numbers where there are
        such. Scores of one parameter are drawn as a line.
    others : "mean", "median", "max", "min" or "chosen", optional
        What is shown of the parameters that are no axis: one number of all their scores, or those
        of the combination that `select` chose. Default: "chosen" for a `Selection`, else "mean".
    at : dict of str to label, optional
        Parameters held at one of their labels: ``at={"symbol": "IBM"}``. `others` then speaks of
        the rest.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    ParamError
        If `scores` holds no numbers, there is no such level or label, a parameter is used twice,
        or `others` is unknown.

    Notes
    -----
    Above 60,000 cells neighbours are joined by the same rule, so that a picture of a million
    scores stays below 2 MB; so are those of numbers drawn at random, of which a table would hold
    few. The title says so. Numbers stand where they are on the axis; names, dates, and up to 40
    numbers whose distances differ more than fourfold, stand at equal distances.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product(
    ...     [[5, 10], [20, 40, 80], ["IBM", "MSFT"]], names=["fast", "slow", "symbol"]
    ... )
    >>> scores = pd.Series(range(12), index=index, name="sharpe_ratio")
    >>> figure = heatmap(scores, "fast", "slow", at={"symbol": "IBM"})
    >>> figure.data[0].z.tolist()
    [[0.0, 6.0], [2.0, 8.0], [4.0, 10.0]]
    """
    return drawing.draw("score-grid", _grid(scores, (x, y), "xy", others, at, MOST_CELLS))


def surface(
    scores: Series | pd.DataFrame | Selection,
    x: str | None = None,
    y: str | None = None,
    *,
    others: str | None = None,
    at: Mapping[Any, Any] | None = None,
) -> Any:
    """Draw scores as height over two parameters, a picture to turn by hand.

    Parameters
    ----------
    scores, x, y, others, at
        As those of `heatmap`.

    Returns
    -------
    plotly.graph_objects.Figure
        A line where one of the parameters has one label.

    Raises
    ------
    ParamError
        As `heatmap` does.

    Notes
    -----
    Above 20,000 cells neighbours are joined. It needs a browser with WebGL.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([[5, 10], [20, 40]], names=["fast", "slow"])
    >>> surface(pd.Series([1.0, 2.0, 3.0, 2.5], index=index)).data[0].type
    'surface'
    """
    return drawing.draw("score-surface", _grid(scores, (x, y), "xy", others, at, SURFACE_CELLS))


def volume(
    scores: Series | pd.DataFrame | Selection,
    x: str | None = None,
    y: str | None = None,
    z: str | None = None,
    *,
    others: str | None = None,
    at: Mapping[Any, Any] | None = None,
) -> Any:
    """Draw scores over three parameters: a heat map of two, and a slider for the third.

    Parameters
    ----------
    scores, x, y, others, at
        As those of `heatmap`.
    z : str, optional
        Index level of the slider. Colours mean the same at each of its steps; it begins at the
        step of the choice, or of the highest score.

    Returns
    -------
    plotly.graph_objects.Figure
        With fewer than three parameters what `heatmap` draws.

    Raises
    ------
    ParamError
        As `heatmap` does.

    Notes
    -----
    The slider has 40 steps at most, all maps together 60,000 cells; beyond that neighbours are
    joined.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product(
    ...     [[5, 10], [20, 40], [0.1, 0.2, 0.3]], names=["fast", "slow", "stop"]
    ... )
    >>> figure = volume(pd.Series(range(12), index=index), z="stop")
    >>> [step.label for step in figure.layout.sliders[0].steps]
    ['0.1', '0.2', '0.3']
    """
    grid = _grid(scores, (x, y, z), "xyz", others, at, MOST_CELLS)
    return drawing.draw("score-volume" if len(grid.axes) > 2 else "score-grid", grid)


def parallel(
    scores: Series | pd.DataFrame | Selection,
    *,
    at: Mapping[Any, Any] | None = None,
    most: int = MOST_LINES,
) -> Any:
    """Draw each combination as a line over parallel axes, one a parameter and one the score.

    Drag along an axis to see only the lines that pass there.

    Parameters
    ----------
    scores, at
        As those of `heatmap`; any number of levels.
    most : int
        Lines to draw; of more combinations every n-th by rank, the best and the worst among them.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    ParamError
        If `scores` holds no numbers, or there is no such level or label.

    Notes
    -----
    It needs a browser with WebGL.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([[5, 10], ["sma", "ema"]], names=["n", "kind"])
    >>> figure = parallel(pd.Series([1.0, 2.0, 3.0, 2.5], index=index, name="score"))
    >>> [axis.label for axis in figure.data[0].dimensions]
    ['n', 'kind', 'score']
    """
    lines = score_lines(_read(scores), at=_at(at), most=check.integer("most", most, 2))
    return drawing.draw("score-lines", lines)


def slices(
    scores: Series | pd.DataFrame | Selection,
    *,
    at: Mapping[Any, Any] | None = None,
    through: Mapping[Any, Any] | None = None,
) -> Any:
    """Draw the scores along each parameter, with the others held, and how all scores spread.

    A parameter that matters has a line that moves; a lone spike stands above the band of all.

    Parameters
    ----------
    scores, at
        As those of `heatmap`; any number of levels.
    through : dict of str to label, optional
        The combination that the lines go through; what is left out is taken from the highest of
        the scores that have the rest. Default: the choice of a `Selection`, else the highest score.

    Returns
    -------
    plotly.graph_objects.Figure
        One panel a parameter, of 24 at most: a line through the combination, the median of all
        scores, and a band from the first to the third quartile.

    Raises
    ------
    ParamError
        If `scores` holds no numbers, there is no such level or label, or no usable score at it.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([[5, 10], [20, 40, 80]], names=["fast", "slow"])
    >>> figure = slices(pd.Series([1.0, 4.0, 2.0, 3.0, 5.0, 0.0], index=index))
    >>> [trace.y.tolist() for trace in figure.data if trace.name == "through the highest"]
    [[4.0, 5.0], [3.0, 5.0, 0.0]]
    """
    if through is not None:
        check.mapping("through", through, 'Type: through={"fast": 10}.')
    cuts = score_cuts(_read(scores), at=_at(at), through=through)
    return drawing.draw("score-cuts", cuts)


def dark(figure: Any) -> Any:
    """Return a copy of one of our figures for a dark screen: dark ground, bright lines and scale.

    Pages that `report` writes do so by themselves, as the reader's system is set.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Of this module, or of a result (`chart`, `heatmap`, `surface`).

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    ParamTypeError
        If it is no Plotly figure.

    Examples
    --------
    >>> import pandas as pd
    >>> dark(heatmap(pd.Series([1.0, 3.0, 2.0]))).layout.paper_bgcolor
    '#161c22'
    """
    return drawing.draw("dark", figure)


def _grid(
    scores: object,
    given: tuple[str | None, ...],
    roles: str,
    others: str | None,
    at: Mapping[Any, Any] | None,
    most_cells: int,
) -> ScoreGrid:
    """Return the grid of a picture with these axes, arguments checked."""
    read = _read(scores)
    if others is None:
        others = "mean" if read.chosen is None else HELD
    elif read.chosen is None and type(others) is str and others == HELD:
        remedy = 'Choose first: bp.plot.heatmap(bp.select(scores)), or pass others="mean".'
        raise ParamError(broken_rule("others", f"be one of {', '.join(RULES)}", others, remedy))
    rule = check.one_of("others", others, RULES if read.chosen is None else (*RULES, HELD))
    held = _at(at)
    names = axes_of(read, given, list(roles), held)
    limits = [most_cells, most_cells, SLIDER_STEPS][: len(names)]
    return score_grid(read, names, at=held, others=rule, most=limits, most_cells=most_cells)


def _at(at: object) -> Mapping[Any, Any]:
    return {} if at is None else check.mapping("at", at, 'Type: at={"symbol": "IBM"}.')


def _read(scores: object) -> LevelScores:
    """Return scores by their levels, whatever they came as."""
    if isinstance(scores, Selection):
        return by_level(scores)
    if isinstance(scores, dict) and any(isinstance(one, Selection) for one in scores.values()):
        remedy = f"Draw one of them: scores[{next(iter(scores))!r}]."
        raise ParamError(broken_rule("scores", "be those of one choice", scores, remedy))
    if isinstance(scores, pd.DataFrame):
        if scores.shape[1] != 1:
            rule = "be one column of scores"
            remedy = (
                f"Choose one, as in scores[{plain(scores.columns[0])!r}]; a table of two "
                "parameters becomes one column by scores.stack()."
                if scores.shape[1]
                else "It has no column."
            )
            raise ParamError(broken_rule("scores", rule, scores, remedy))
        scores = scores.iloc[:, 0]
    elif not isinstance(scores, pd.Series):
        remedy = (
            "Pass a Series with one index level a parameter: the result of a sweep, "
            "pf.sharpe_ratio, or what bp.select returned. A training draws itself: "
            "training.heatmap(x, y)."
        )
        raise ParamError(broken_rule("scores", "be a pandas Series", scores, remedy))
    values = score_values(scores)
    levels = [
        read_level(scores.index, position, name)
        for position, name in enumerate(level_names(scores.index))
    ]
    return LevelScores(levels, values, "score" if scores.name is None else str(scores.name))
