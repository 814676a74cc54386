# SPDX-License-Identifier: BSD-3-Clause
"""Several parameters at once: from scores of combinations to the one to take.

Notation: n combinations over d axes; codes int64 (n, d), the step of each combination on each
axis; shape (d,), numbers of steps; y scores; S smoothed scores. Combinations may be missing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from broadpeak._search.protocol import finite_scores
from broadpeak._search.selectors import (
    HILL_OF_SEVERAL,
    Ensemble,
    Hill,
    Members,
    Peak,
    Plateau,
    Selector,
    best_share,
    kept_lead,
    lowest_best,
    tie_width,
)
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
    members: Members = ()  # combinations and weights of an `Ensemble`; empty for any other selector


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


def choose_cell(cells: Cells, selector: Selector, floor: float = -math.inf) -> CellChoice:
    """Return what `selector` picks; at least one cell must be usable.

    A score at or below `floor` is worth nothing: where there is no other one beside another, what
    is alone counts.
    """
    peak = _best(cells.y, cells.usable)
    if isinstance(selector, Peak):
        return CellChoice(peak, peak, float(cells.y[peak]), (peak,))
    kept, c = np.arange(len(cells.y)), cells.y
    ranking = selector.hill if isinstance(selector, Ensemble) else selector
    if not isinstance(ranking, Hill) or ranking.clip:
        # On a diagonal ridge neighbours are diagonal ones. A plateau is joined along the axes.
        kept, c = _carried(cells, floor, diagonal=not isinstance(selector, Plateau))
        if len(kept) < len(cells.y):
            codes, y, usable = cells.codes[kept], cells.y[kept], cells.usable[kept]
            cells = replace(cells, codes=codes, y=y, usable=usable)
    if isinstance(selector, Plateau):
        cell, score, region = _plateau(cells, c, selector)
        members: Members = ()
    else:
        cell, score, region, members = _hill(cells, c, selector)
    return CellChoice(
        int(kept[cell]),
        peak,
        score,
        tuple(kept[region].tolist()),
        tuple((int(kept[at]), weight) for at, weight in members),
    )


def _hill(
    cells: Cells, c: FloatArray, selector: Hill | Ensemble
) -> tuple[int, float, IntArray, Members]:
    """Pick the best smoothed cell; of an ensemble, the best share of them too."""
    share = selector.share if isinstance(selector, Ensemble) else 0.0
    hill = selector if isinstance(selector, Hill) else selector.hill or HILL_OF_SEVERAL
    allowed = cells.usable & _inner_cells(cells, hill)
    if not allowed.any():
        allowed = cells.usable
    smooth = smoothed(replace(cells, y=c), hill.weights)
    candidates = np.flatnonzero(allowed)
    top = smooth[candidates]
    band = candidates[top >= top.max() - tie_width(top)]
    uncut = smooth
    if hill.clip and (len(band) > 1 or share):
        # Of two neighbours both count as the lower one: what was cut off decides between equals.
        uncut = smoothed(cells, hill.weights)
    cell = int(band[lowest_best(uncut[band])])
    region = within(cells, cell, hill.width // 2)
    members = best_share(smooth, uncut, cells.usable, share) if share else ()
    return cell, float(smooth[cell]), region, members


def _carried(cells: Cells, floor: float, *, diagonal: bool) -> tuple[IntArray, FloatArray]:
    """Return the cells that count, and their scores, cut to the best one beside each.

    A cell around which nothing was tried carries nothing: it is left out, unless those with
    neighbours are worth nothing, or few and poor (the best of them is below the middle of all), as
    in thin draws.
    """
    beside = best_beside(cells, diagonal=diagonal)
    every = np.arange(len(cells.y))
    lone = np.isneginf(beside)
    c = np.where(lone, cells.y, np.minimum(cells.y, beside))
    if not lone.any():
        return every, c
    # Names are alone by nature; there is no more to know about them than their score.
    named = np.ones(len(lone), dtype=np.bool_)
    for axis in range(len(cells.shape)):
        before, after = _room(cells, axis)
        named &= (before + after == 0)[cells.codes[:, axis]]
    candidates = cells.usable & ~lone
    lone &= ~named
    if not (lone.any() and candidates.any()):
        return every, c
    top = c[candidates].max()
    if top <= floor or top < np.median(cells.y[cells.usable]):
        return every, c
    kept = np.flatnonzero(~lone)
    return kept, c[kept]


def best_beside(cells: Cells, *, diagonal: bool) -> FloatArray:
    """Return the best score among the direct neighbours of each cell; -inf where it has none.

    `diagonal` counts those that are one step away on several axes at once too.
    """
    beside = np.full(len(cells.y), -np.inf)
    if _is_dense(cells):
        flat = np.ravel_multi_index(tuple(cells.codes.T), cells.shape)
        grid = np.full(math.prod(cells.shape), -np.inf)
        grid[flat] = cells.y
        own = around = grid.reshape(cells.shape)  # around: the best on the axes so far, and itself
        others = np.full(cells.shape, -np.inf)  # the same without itself
        for axis, runs in enumerate(cells.runs):
            nearest = _best_of_two(around if diagonal else own, axis, runs)
            np.maximum(others, nearest, out=others)
            around = np.maximum(around, nearest)
        beside[:] = others.reshape(-1)[flat]
    elif diagonal:
        for cell, other in _pairs(cells, 1):
            apart = (cell != other) & _linked(cells, cell, other)
            np.maximum.at(beside, cell[apart], cells.y[other[apart]])
    else:
        for cell, other in _axis_neighbours(cells):
            np.maximum.at(beside, cell, cells.y[other])
    return beside


def _best_of_two(grid: FloatArray, axis: int, runs: IntArray) -> FloatArray:
    """Return the better of the next and the previous step of the same run on an axis."""
    result = np.full_like(grid, -np.inf)
    if grid.shape[axis] < 2:
        return result
    apart = np.where(np.diff(runs) == 0, 0.0, -np.inf)
    apart = apart.reshape([-1 if k == axis else 1 for k in range(grid.ndim)])
    low, high = [slice(None)] * grid.ndim, [slice(None)] * grid.ndim
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    result[tuple(low)] = grid[tuple(high)] + apart
    result[tuple(high)] = np.maximum(result[tuple(high)], grid[tuple(low)] + apart)
    return result


def robustness(cells: Cells, cell: int) -> float:
    """Return `kept_lead` for a cell: 0 for a lone spike, 1 on a plateau, NaN without neighbours."""
    beside = best_beside(cells, diagonal=True)
    met = ~np.isneginf(beside)
    if not met[cell]:
        return math.nan
    c = np.where(met, np.minimum(cells.y, beside), cells.y)
    near = within(cells, cell, 1)
    near = near[near != cell]
    w = 0.5 ** np.abs(cells.codes[near] - cells.codes[cell]).sum(axis=1)
    around = float(np.average(c[near], weights=w))
    return kept_lead(around, cells.y, float(cells.y[cell]), float(c[met].max()))


def smoothed(cells: Cells, weights: tuple[int, ...]) -> FloatArray:
    """Return the mean of each cell's surroundings, weighted with `weights` along every axis.

    Weights of cells that do not exist are left out.
    """
    top, bottom = (_dense_sums if _is_dense(cells) else _sparse_sums)(cells, weights)
    return top / bottom


def _is_dense(cells: Cells) -> bool:
    """Return whether the whole grid is small enough, or full enough, to be laid out."""
    return math.prod(cells.shape) <= max(_DENSE_CELLS, 4 * len(cells.y))


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


def _plateau(cells: Cells, c: FloatArray, plateau: Plateau) -> tuple[int, float, IntArray]:
    """Pick the largest connected stretch of high cells, and in it the cell nearest its centre."""
    best = float(c[cells.usable].max())
    reached = cells.usable & (c >= best - (1 - plateau.level) * abs(best) - tie_width(c))
    groups = _groups(reached, _axis_neighbours(cells))
    broad = [group for group in groups if len(group) > 1] or groups
    sums = np.array([c[group].sum() for group in broad])
    means = np.array([c[group].mean() for group in broad])
    ties = np.flatnonzero(sums >= sums.max() - tie_width(sums))
    chosen = broad[int(ties[lowest_best(means[ties])])]
    return _central(cells, chosen, c[chosen]), float(c[chosen].mean()), chosen


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
