# SPDX-License-Identifier: BSD-3-Clause
"""Several parameters at once: from scores of combinations to the one to take.

Notation: n combinations over d axes; codes int64 (n, d), the step of each combination on each
axis; shape (d,), numbers of steps; y scores; S smoothed scores. Combinations may be missing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from broadpeak._search.protocol import finite_scores
from broadpeak._search.selectors import Hill, Plateau, Selector, lowest_best, tie_width
from broadpeak.types import BoolArray, FloatArray, IntArray

# A dense grid is used while it is not much larger than what is in it; measured at 50 MB of floats.
_DENSE_CELLS = 2_000_000
_PAIR_BLOCK = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Scored combinations of a grid."""

    # Step of each combination on each axis, from 0; shape (n, d).
    codes: IntArray
    shape: tuple[int, ...]  # steps of each axis
    # Finite scores; shape (n,).
    y: FloatArray
    # Whether the score was finite to begin with; others are never chosen.
    usable: BoolArray
    # For each axis, the run of each of its steps: only steps of one run are neighbours.
    runs: tuple[IntArray, ...]


@dataclass(frozen=True, slots=True)
class CellChoice:
    """What was chosen: positions among the combinations, and the smoothed score."""

    cell: int  # the chosen combination
    peak: int  # the one with the best score
    score: float  # smoothed score of the chosen one
    region: tuple[int, ...]  # combinations that carried the choice


def make_cells(
    codes: IntArray,
    shape: Iterable[int],
    scores: FloatArray,
    runs: Iterable[IntArray] | None = None,
) -> Cells:
    """Return the cells of `scores`, sorted as the grid is (C order is up to the caller).

    Without `runs` all steps of an axis are neighbours in their order.
    """
    y = np.array(finite_scores(scores.tolist()))
    shape = tuple(shape)
    whole = (np.zeros(steps, dtype=np.int64) for steps in shape)
    return Cells(codes, shape, y, np.isfinite(scores), tuple(whole if runs is None else runs))


def choose_cell(cells: Cells, selector: Selector) -> CellChoice:
    """Return what `selector` picks; at least one cell must be usable."""
    peak = _best(cells.y, cells.usable)
    if isinstance(selector, Hill):
        smooth = smoothed(cells, selector.weights)
        allowed = cells.usable & _inner_cells(cells, selector)
        if not allowed.any():
            allowed = cells.usable
        cell = _best(smooth, allowed)
        region = within(cells, cell, selector.width // 2)
        return CellChoice(cell, peak, float(smooth[cell]), tuple(region.tolist()))
    if isinstance(selector, Plateau):
        return _plateau(cells, peak, selector)
    return CellChoice(peak, peak, float(cells.y[peak]), (peak,))


def smoothed(cells: Cells, weights: tuple[int, ...], *, own: bool = True) -> FloatArray:
    """Return the mean of each cell's surroundings, weighted with `weights` along every axis.

    Weights of cells that do not exist are left out. `own` False leaves out the cell itself as
    well; a cell without any neighbour is then NaN.
    """
    size = math.prod(cells.shape)
    if size <= max(_DENSE_CELLS, 4 * len(cells.y)):
        top, bottom = _dense_sums(cells, weights)
    else:
        top, bottom = _sparse_sums(cells, weights)
    if not own:
        middle = float(max(weights)) ** len(cells.shape)
        top, bottom = top - middle * cells.y, bottom - middle
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(bottom > 0, top / bottom, np.nan)


def within(cells: Cells, cell: int, reach: int) -> IntArray:
    """Return the cells at most `reach` steps away from `cell` on every axis."""
    near = np.flatnonzero((np.abs(cells.codes - cells.codes[cell]) <= reach).all(axis=1))
    return near[_linked(cells, np.full(len(near), cell), near)]


def edges(cells: Cells, chosen: Iterable[int]) -> tuple[bool, ...]:
    """Return for each axis whether a `chosen` cell is at an end of a run of more than one step."""
    codes = cells.codes[list(chosen)]
    flags = []
    for axis in range(len(cells.shape)):
        before, after = _room(cells, axis)
        at_end = ((before == 0) | (after == 0)) & (before + after > 0)
        flags.append(bool(at_end[codes[:, axis]].any()))
    return tuple(flags)


def _room(cells: Cells, axis: int) -> tuple[IntArray, IntArray]:
    """Return how many steps of its run lie before and after each step of an axis."""
    runs = cells.runs[axis]
    steps = np.arange(len(runs))
    return (
        steps - np.searchsorted(runs, runs, side="left"),
        np.searchsorted(runs, runs, side="right") - 1 - steps,
    )


def _linked(cells: Cells, cell: IntArray, other: IntArray) -> BoolArray:
    """Return which pairs of cells lie in the same run on every axis."""
    linked = np.ones(len(cell), dtype=np.bool_)
    for axis, runs in enumerate(cells.runs):
        if len(runs) and runs[-1] > 0:
            linked &= runs[cells.codes[cell, axis]] == runs[cells.codes[other, axis]]
    return linked


def _best(values: FloatArray, allowed: BoolArray) -> int:
    candidates = np.flatnonzero(allowed)
    return int(candidates[lowest_best(values[candidates])])


def _inner_cells(cells: Cells, hill: Hill) -> BoolArray:
    allowed = np.ones(len(cells.y), dtype=np.bool_)
    half = hill.width // 2
    if hill.edges == "inner":
        for axis in range(len(cells.shape)):
            before, after = _room(cells, axis)
            full = (np.minimum(before, after) >= half) | (before + after + 1 < hill.width)
            allowed &= full[cells.codes[:, axis]]
    return allowed


def _dense_sums(cells: Cells, weights: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    flat = np.ravel_multi_index(tuple(cells.codes.T), cells.shape)
    sums = []
    for values in (cells.y, np.ones(len(cells.y))):
        grid = np.zeros(math.prod(cells.shape))
        grid[flat] = values
        grid = grid.reshape(cells.shape)
        for axis, runs in enumerate(cells.runs):
            grid = _smooth_axis(grid, axis, weights, runs)
        sums.append(grid.reshape(-1)[flat])
    return sums[0], sums[1]


def _smooth_axis(
    grid: FloatArray, axis: int, weights: tuple[int, ...], runs: IntArray
) -> FloatArray:
    half, n = len(weights) // 2, grid.shape[axis]
    result = np.zeros_like(grid)
    for offset, weight in zip(range(-half, half + 1), weights, strict=True):
        if abs(offset) < n:
            to, source = [slice(None)] * grid.ndim, [slice(None)] * grid.ndim
            to[axis] = slice(max(-offset, 0), n - max(offset, 0))
            source[axis] = slice(max(offset, 0), n - max(-offset, 0))
            linked = np.equal(runs[to[axis]], runs[source[axis]])
            if linked.all():
                result[tuple(to)] += weight * grid[tuple(source)]
            elif linked.any():
                spread = linked.reshape([-1 if k == axis else 1 for k in range(grid.ndim)])
                result[tuple(to)] += weight * np.where(spread, grid[tuple(source)], 0.0)
    return result


def _sparse_sums(cells: Cells, weights: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    half = len(weights) // 2
    top, bottom = np.zeros(len(cells.y)), np.zeros(len(cells.y))
    for near, around in _pairs(cells, half):
        linked = _linked(cells, near, around)
        cell, other = near[linked], around[linked]
        offsets = cells.codes[other] - cells.codes[cell] + half
        factor = np.array(weights, dtype=np.float64)[offsets].prod(axis=1)
        np.add.at(top, cell, factor * cells.y[other])
        np.add.at(bottom, cell, factor)
    return top, bottom


def _pairs(cells: Cells, reach: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield blocks of (cell, other cell at most `reach` steps away), each cell with itself too."""
    n, d = cells.codes.shape
    padded = [steps + 2 * reach for steps in cells.shape]
    if (2 * reach + 1) ** d <= n and math.prod(padded) < 2**62:
        yield from _looked_up_pairs(cells, reach, padded)
        return
    block = max(1, _PAIR_BLOCK // (n * d))
    for first in range(0, n, block):
        gaps = np.abs(cells.codes[first : first + block, np.newaxis] - cells.codes)
        cell, other = np.nonzero((gaps <= reach).all(axis=2))
        yield cell + first, other


def _looked_up_pairs(
    cells: Cells, reach: int, padded: list[int]
) -> Iterator[tuple[IntArray, IntArray]]:
    # One integer a cell, with room on every side, so that a neighbour is an addition away.
    factors = np.array(
        [math.prod(padded[axis + 1 :]) for axis in range(len(padded))], dtype=np.int64
    )
    keys = (cells.codes + reach) @ factors
    order = np.argsort(keys)
    ordered = keys[order]
    for offset in itertools.product(range(-reach, reach + 1), repeat=len(padded)):
        wanted = keys + int(np.array(offset) @ factors)
        at = np.minimum(np.searchsorted(ordered, wanted), len(keys) - 1)
        cell = np.flatnonzero(ordered[at] == wanted)
        yield cell, order[at[cell]]


def _plateau(cells: Cells, peak: int, plateau: Plateau) -> CellChoice:
    """Pick the largest connected stretch of high cells, and in it the cell nearest its centre."""
    neighbours = _axis_neighbours(cells)
    beside = np.full(len(cells.y), -np.inf)
    for here, there in neighbours:
        np.maximum.at(beside, here, cells.y[there])
    # Without any neighbour there is nothing to compare a cell with, so it keeps its score.
    c = np.where(np.isfinite(beside), np.minimum(cells.y, beside), cells.y)
    best = float(c[cells.usable].max())
    reached = cells.usable & (c >= best - (1 - plateau.level) * abs(best) - tie_width(c))
    groups = _groups(reached, neighbours)
    broad = [group for group in groups if len(group) > 1] or groups
    sums = np.array([c[group].sum() for group in broad])
    means = np.array([c[group].mean() for group in broad])
    ties = np.flatnonzero(sums >= sums.max() - tie_width(sums))
    chosen = broad[int(ties[lowest_best(means[ties])])]
    cell = _central(cells, chosen, c[chosen])
    return CellChoice(cell, peak, float(c[chosen].mean()), tuple(chosen.tolist()))


def _central(cells: Cells, group: IntArray, c: FloatArray) -> int:
    """Return the cell of `group` nearest to its centroid; of several, the best."""
    heights = c if c.min() > 0 else c - c.min()
    weights = heights if heights.sum() > 0 else np.ones(len(group))
    centre = weights @ cells.codes[group] / weights.sum()
    gaps = ((cells.codes[group] - centre) ** 2).sum(axis=1)
    near = np.flatnonzero(gaps <= gaps.min() + 1e-9)
    return int(group[near[lowest_best(c[near])]])


def _axis_neighbours(cells: Cells) -> list[tuple[IntArray, IntArray]]:
    """Return pairs (cell, next cell on one axis), both ways, axis after axis."""
    pairs = []
    for axis in range(len(cells.shape)):
        others = [k for k in range(len(cells.shape)) if k != axis]
        order = np.lexsort((cells.codes[:, axis], *(cells.codes[:, k] for k in others)))
        ordered = cells.codes[order]
        gap = np.diff(ordered, axis=0)
        beside = (gap[:, axis] == 1) & (gap[:, others] == 0).all(axis=1)
        low, high = order[:-1][beside], order[1:][beside]
        linked = _linked(cells, low, high)
        low, high = low[linked], high[linked]
        pairs += [(low, high), (high, low)]
    return pairs


def _groups(inside: BoolArray, neighbours: list[tuple[IntArray, IntArray]]) -> list[IntArray]:
    """Return the connected groups of the cells `inside`, each in order, by their first cell."""
    root = np.where(inside, np.arange(len(inside)), len(inside))
    links = [
        (low[inside[low] & inside[high]], high[inside[low] & inside[high]])
        for low, high in neighbours
    ]
    changed = True
    while changed:
        before = root.copy()
        for low, high in links:
            np.minimum.at(root, low, root[high])
        # Jump to the root of the root: long groups then need few rounds.
        root[inside] = root[root[inside]]
        changed = not np.array_equal(before, root)
    members = np.flatnonzero(inside)
    order = members[np.argsort(root[members], kind="stable")]
    cuts = np.flatnonzero(np.diff(root[order])) + 1
    return list(np.split(order, cuts))
