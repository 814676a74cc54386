# SPDX-License-Identifier: BSD-3-Clause
"""Ascent: one parameter after the other, each over its whole range, then the middle of its hill."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from broadpeak._core import check
from broadpeak._search.protocol import Choice, Point, SearchCurve, SearchPosition, finite_scores
from broadpeak._search.searchspace import SearchSpace, check_space
from broadpeak._search.selectors import (
    Ensemble,
    Plateau,
    Selector,
    choose_step,
    curve_robustness,
    resolve_selector,
    tie_width,
)
from broadpeak.errors import ParamError, broken_rule

MAX_MEMBERS = 10_000
"""More members than this could not be traded one by one, nor read in a file."""


@dataclass(frozen=True, slots=True)
class AscentState:
    """The state of an ascent."""

    # The space: one item a dimension; one with an empty grid is not searched.
    names: tuple[str, ...]
    defaults: Point
    grids: tuple[tuple[float, ...], ...]
    biases: tuple[float, ...]
    values: Point  # results of the parameters searched so far, and what the others are held at
    # The pass from 1, and the dimension that is searched now; past the last one: finished.
    pass_: int
    moving: int
    scores: tuple[float, ...] = ()  # scores of the first steps of the current grid
    curves: tuple[SearchCurve, ...] = ()  # what was decided so far


@dataclass(frozen=True, slots=True)
class Ascent:
    """Search one parameter at a time, in order, and choose robust values.

    The whole range of a parameter is tried while earlier parameters are held at their results and
    later ones at their defaults; then the selector chooses its value, which need not be a step.

    Parameters
    ----------
    select : "hill", "plateau", "peak", "ensemble" or a selector
        How a value is chosen from the scores of the steps.
    passes : int
        Rounds over all parameters. From the second on, all others are held at the latest results.

    Raises
    ------
    ParamError
        If `select` is unknown or `passes` is less than 1.

    Notes
    -----
    A parameter without any score above 0 gets its default, in every pass, and so does one whose
    steps all have the same score: the function does not use it. The number of evaluations is the
    sum of the numbers of steps, times the passes, plus a final one.

    An `Ensemble` is the cross product of the best share of the steps of each parameter, weights
    multiplied; while the others are searched, a parameter is held at what "hill" picks.

    Examples
    --------
    >>> Ascent(passes=2).select
    Hill(width=5, edges='include', clip=True)
    """

    select: str | Selector = "hill"
    passes: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "select", resolve_selector(self.select))
        object.__setattr__(self, "passes", check.integer("passes", self.passes))

    def start(self, space: SearchSpace, seed: int | None = 0) -> AscentState:
        """Return the state before the first step; `seed` is not needed."""
        check_space(space)
        grids, biases = [], []
        for dim in space.dimensions:
            grids.append(tuple(dim.steps().tolist()))
            biases.append(dim.bias)
        state = AscentState(
            names=space.names,
            defaults=space.defaults,
            grids=tuple(grids),
            biases=tuple(biases),
            values=space.defaults,
            pass_=1,
            moving=-1,
        )
        return self._next(state)

    def ask(self, state: AscentState) -> list[Point]:
        """Return the steps of the current parameter that have no score yet."""
        if state.moving >= len(state.grids):
            return []
        before, after = state.values[: state.moving], state.values[state.moving + 1 :]
        steps = state.grids[state.moving][len(state.scores) :]
        return [(*before, value, *after) for value in steps]

    def tell(
        self,
        state: AscentState,
        points: Sequence[Point],
        scores: Sequence[float],
    ) -> AscentState:
        """Return the state with the next `scores`; a full curve decides its parameter."""
        state = replace(state, scores=(*state.scores, *map(float, scores)))
        full = len(state.scores) >= len(state.grids[state.moving])
        return self._decide(state) if full else state

    def stop(
        self, state: AscentState, points: Sequence[Point], scores: Sequence[float]
    ) -> AscentState:
        """Return the state after the current parameter was ended with `points`."""
        moved = (state.pass_, state.moving)
        state = self.tell(state, points, scores)
        return self._decide(state) if (state.pass_, state.moving) == moved else state

    def position(self, state: AscentState) -> SearchPosition:
        """Return pass, parameter and step that come next."""
        return SearchPosition(
            state.pass_, state.moving + 1, len(state.scores) + 1, state.names[state.moving]
        )

    def choice(self, state: AscentState) -> Choice:
        """Return the values found."""
        last = {curve.parameter: curve for curve in state.curves}
        at_edge, usable = [], not state.curves
        for name in state.names:
            curve = last.get(name)
            at_edge.append(curve is not None and curve.at_edge)
            usable |= curve is not None and curve.window is not None
        score = state.curves[-1].score if state.curves else 0.0
        members: tuple[tuple[Point, float], ...] = ()
        if usable and state.curves and isinstance(self.select, Ensemble):
            members = _crossed(state, last)
        return Choice(state.values, score, tuple(at_edge), usable, state.curves, members)

    def _decide(self, state: AscentState) -> AscentState:
        """Return the state with a value for the parameter that moved, and the next one moving."""
        at, grid = state.moving, state.grids[state.moving]
        x = np.array(grid[: len(state.scores)])
        y = np.array(state.scores)
        named = (state.pass_, state.names[at], tuple(x.tolist()), state.scores)
        if len(y) > 1 and y[0] > 0 and np.ptp(y) <= tie_width(y):
            # Nothing depends on it, so nothing speaks against its default, nor for a wider range.
            window = (0, len(x) - 1)
            curve = SearchCurve(*named, state.defaults[at], float(y[0]), window, at_edge=False)
        elif np.any(y > 0):
            chosen = choose_step(x, y, resolve_selector(self.select), state.biases[at])
            # A curve that was stopped ends before the range does, so ends are those of the grid.
            ends = {0, len(grid) - 1} if len(grid) > 1 else set()
            # The ends of a plateau count as chosen; the window of a hill does not.
            touched = chosen.window if isinstance(self.select, Plateau) else ()
            at_edge = bool(ends & {chosen.step, chosen.peak, *touched})
            curve = SearchCurve(
                *named,
                chosen.value,
                chosen.score,
                chosen.window,
                at_edge,
                tuple((float(x[step]), weight) for step, weight in chosen.members),
                curve_robustness(np.array(finite_scores(state.scores)), chosen.step),
            )
        else:
            curve = SearchCurve(*named, state.defaults[at], 0.0, None, at_edge=False)
        values = (*state.values[:at], curve.value, *state.values[at + 1 :])
        curves = (*state.curves, curve)
        return self._next(replace(state, values=values, scores=(), curves=curves))

    def _next(self, state: AscentState) -> AscentState:
        """Move on to the next dimension that is searched, in this pass or the next."""
        moving, pass_ = state.moving + 1, state.pass_
        while pass_ <= self.passes:
            while moving < len(state.grids) and not state.grids[moving]:
                moving += 1
            if moving < len(state.grids):
                return replace(state, moving=moving, pass_=pass_)
            moving, pass_ = 0, pass_ + 1
        return replace(state, moving=len(state.grids), pass_=self.passes)


def _crossed(state: AscentState, curves: dict[str, SearchCurve]) -> tuple[tuple[Point, float], ...]:
    """Return the cross product of the members of all parameters, weights multiplied."""
    of_each = []
    for name, value in zip(state.names, state.values, strict=True):
        curve = curves.get(name)
        of_each.append((curve.members if curve is not None else ()) or ((value, 1.0),))
    n = math.prod(map(len, of_each))
    if n > MAX_MEMBERS:
        rule = f"make at most {MAX_MEMBERS:,} members of all parameters together"
        raise ParamError(broken_rule("share", rule, n, "Type Ensemble(share=0.05), say."))
    crossed = [
        (tuple(value for value, _ in parts), math.prod(weight for _, weight in parts))
        for parts in itertools.product(*of_each)
    ]
    return tuple(crossed)
