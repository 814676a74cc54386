# SPDX-License-Identifier: BSD-3-Clause
"""What reducers keep, as plain values: packed for a store, and shown from it without the reducer.

A state is a dict with its ``kind``: the best of a run ("best"), a histogram ("bins"), or what a
reducer of the user holds of each stretch of tasks ("own").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from broadpeak._store.spanrows import Growth

_INT64 = 1 << 63


def pack(items: Sequence[Any]) -> Any:
    """Return a list as one array where that loses nothing; dicts of the same keys as columns."""
    kinds = set(map(type, items))
    if kinds == {float}:
        return np.array(items, dtype=np.float64)
    if kinds == {int} and all(-_INT64 <= item < _INT64 for item in items):
        return np.array(items, dtype=np.int64)
    if kinds == {dict}:
        names = list(items[0])
        if names and all(list(item) == names for item in items):
            return {name: pack([item[name] for item in items]) for name in names}
    return list(items)


def unpack(packed: Any) -> list[Any]:
    """Return the list that `pack` was given.

    Raises
    ------
    TypeError, ValueError
        If this is no such list.
    """
    if isinstance(packed, np.ndarray):
        made = packed.tolist()
        return made if isinstance(made, list) else [made]
    if isinstance(packed, list):
        return packed
    columns = [unpack(column) for column in packed.values()]
    return [dict(zip(packed, row, strict=True)) for row in zip(*columns, strict=True)]


def rows_of(growths: Sequence[tuple[Growth, object]]) -> list[tuple[dict[str, Any], Any, object]]:
    """Return what is kept so far as rows of a table: label, value, and when it was written.

    Raises
    ------
    Exception
        Whatever a crafted state leads to.
    """
    kinds = {growth.state["kind"] for growth, _ in growths}
    if kinds == {"best"}:
        return _best_rows(growths)
    if kinds == {"bins"}:
        return _bin_rows(growths)
    return [
        ({"first": start, "last": start + length - 1}, value, created)
        for growth, created in growths
        for _, start, length, _, value in growth.state["pieces"]
    ]


def _best_rows(
    growths: Sequence[tuple[Growth, object]],
) -> list[tuple[dict[str, Any], Any, object]]:
    rows: list[tuple[float, int, dict[str, Any], Any, object]] = []
    first = growths[0][0].state
    sign = -1.0 if first["largest"] else 1.0
    for growth, created in growths:
        state = growth.state
        positions, figures = state["positions"].tolist(), state["figures"].tolist()
        labels = _labels(state, positions)
        results = unpack(state["results"])
        for row in zip(positions, figures, labels, results, strict=True):
            position, figure, label, value = row
            rows.append((sign * figure, position, label, value, created))
    rows.sort(key=lambda row: row[:2])
    return [(label, value, created) for _, _, label, value, created in rows[: first["most"]]]


def _labels(state: Mapping[str, Any], positions: list[int]) -> list[dict[str, Any]]:
    """Return what names each of `positions`: labels, or its number while there are none."""
    if state["labels"] is not None:
        labels = unpack(state["labels"])
        if len(labels) == len(positions):
            return labels
    if state["entries"] is None:
        return [{"call": position} for position in positions]
    n = max(len(state["entries"]), 1)
    return [{"call": position // n, "entry": position % n} for position in positions]


def _bin_rows(
    growths: Sequence[tuple[Growth, object]],
) -> list[tuple[dict[str, Any], Any, object]]:
    states = [growth.state for growth, _ in growths]
    created = growths[-1][1]
    edges = states[0]["edges"].tolist()
    counts = sum(state["counts"] for state in states).tolist()
    ends = [(-math.inf, edges[0]), *pairwise(edges)]
    ends += [(edges[-1], math.inf), (math.nan, math.nan)]
    outside = [sum(state[name] for state in states) for name in ("below", "above", "missing")]
    numbers = [outside[0], *counts, *outside[1:]]
    pairs = zip(ends, numbers, strict=True)
    return [({"left": left, "right": right}, number, created) for (left, right), number in pairs]
