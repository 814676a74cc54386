# SPDX-License-Identifier: BSD-3-Clause
"""What components may learn from one another: blended scores, and how large a share to blend in.

Notation: k components, n steps that all of them tried; y[i, s] the score of component i at step s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from broadpeak._search.protocol import finite_scores
from broadpeak.types import FloatArray

AUTO = "auto"
_ROUNDING = 1e-24
"""Squares below this share of the scores' own are rounding."""


def blended_scores(
    curves: Sequence[Sequence[float]], share: float, units: Sequence[float]
) -> list[list[float]]:
    """Return ``(1 - share) * own + share * mean of the others`` for each step of each component.

    Parameters
    ----------
    curves : sequence of sequence of float
        Scores of each component. One that was stopped early is shorter, and is left out of the
        mean at the steps it lacks. A score that is not finite counts as `finite_scores` says among
        the others, and stays unusable for its own component.
    share : float in [0, 1]
        Weight of the others.
    units : sequence of float
        What a component's scores are multiples of: capitals where scores are money, else ones. The
        others' are converted to those of the component.
    """
    n_steps = max(map(len, curves))
    table = np.zeros((len(curves), n_steps))
    known = np.zeros((len(curves), n_steps), dtype=np.bool_)
    for row, (curve, unit) in enumerate(zip(curves, units, strict=True)):
        table[row, : len(curve)] = np.array(finite_scores(curve)) / unit
        known[row, : len(curve)] = True
    found = []
    for row, (curve, unit) in enumerate(zip(curves, units, strict=True)):
        own = np.array(list(map(float, curve)))
        others = known.copy()
        others[row] = False
        count = others.sum(axis=0)[: len(own)]
        mean = np.where(others, table, 0.0).sum(axis=0)[: len(own)] / np.maximum(count, 1)
        mixed = (1 - share) * own + share * unit * mean
        # Where no other component got this far, what is known is its own.
        scores = np.where(np.isfinite(own) & (count > 0), mixed, own)
        found.append(scores.tolist())
    return found


def estimated_share(
    curves: Sequence[Sequence[float]],
    halves: Sequence[Sequence[tuple[float, float]]],
    units: Sequence[float],
) -> float:
    """Return the share to borrow, estimated from how alike components and halves of history are.

    Parameters
    ----------
    curves : sequence of sequence of float
        Scores of each component.
    halves : sequence of sequence of (float, float)
        Scores of the first and of the second half of the history, at the same steps.
    units : sequence of float
        As for `blended_scores`.

    Returns
    -------
    float in [0, (k - 1) / k]
        0: components differ by more than luck explains. (k - 1) / k: the mean of all components.

    Notes
    -----
    Empirical Bayes. Let d[i, s] be y[i, s] less the level of its component and less the mean of all
    components at s: where component i differs from the others. Its mean square V is the variance of
    true differences and of luck. What differs between two halves of the history is luck: with e the
    same as d of half the difference between the halves, the mean square S of e estimates the luck
    in V. Between an own score, whose error is luck, and the mean of k - 1 others, whose error is
    the true difference and what remains of the luck, the weight of least squared error for the
    others is ``(k - 1) / k * S / V``, at most (k - 1) / k. After C. N. Morris, "Parametric
    empirical Bayes inference", Journal of the American Statistical Association 78 (1983).
    """
    k, n_steps = len(curves), min(map(len, curves))
    if n_steps < 2:
        return 0.0
    scale = np.array(units)[:, None]
    scores = _finite([curve[:n_steps] for curve in curves]) / scale
    first = _finite([[half[0] for half in row[:n_steps]] for row in halves]) / scale
    second = _finite([[half[1] for half in row[:n_steps]] for row in halves]) / scale
    differs = float(np.square(_deviations(scores)).sum())
    luck = float(np.square(_deviations((first - second) / 2)).sum())
    if differs <= _ROUNDING * float(np.square(scores).sum()):
        return (k - 1) / k
    return (k - 1) / k * min(1.0, luck / differs)


def _finite(rows: Sequence[Sequence[float]]) -> FloatArray:
    return np.array([finite_scores(row) for row in rows])


def _deviations(table: FloatArray) -> FloatArray:
    """Return where rows differ from the mean row, levels left aside."""
    shapes = table - table.mean(axis=1, keepdims=True)
    deviations: FloatArray = shapes - shapes.mean(axis=0)
    return deviations
