# SPDX-License-Identifier: BSD-3-Clause
"""Results of calls that follow one another: cut, put together again, and read one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._run.keeping import OneFigure
from broadpeak._run.looped import ResultColumns
from broadpeak.types import IntArray, NoResult

Positions: TypeAlias = "Sequence[int] | IntArray"
Piece: TypeAlias = tuple[int, Any]  # the first position, and the results from there


def stretches(positions: Positions, values: Any) -> Iterator[Piece]:
    """Yield the first position and the results of calls that follow one another."""
    n = length(values)
    if isinstance(positions, range) and positions.step == 1:
        if n:
            yield positions.start, values
        return
    numbers = np.asarray(positions[:n], dtype=np.int64)
    edges = [0, *(np.flatnonzero(np.diff(numbers) != 1) + 1).tolist(), n] if n else []
    for start, stop in pairwise(edges):
        yield int(numbers[start]), between(values, start, stop)


def length(values: Any) -> int:
    """Return how many results there are."""
    if isinstance(values, dict):
        return len(next(iter(values.values())))
    return len(values.figures) if isinstance(values, OneFigure) else len(values)


def between(values: Any, start: int, stop: int) -> Any:
    """Return some of many results."""
    if start == 0 and stop == length(values):
        return values
    if isinstance(values, dict):
        return {name: column[start:stop] for name, column in values.items()}
    if isinstance(values, OneFigure):
        return OneFigure(values.figures[start:stop], values.labels)
    return values.iloc[start:stop] if isinstance(values, pd.DataFrame) else values[start:stop]


def together(pieces: list[Piece]) -> tuple[IntArray, Any]:
    """Return the positions and results of pieces, in order, and no `NoResult` among them."""
    pieces.sort(key=lambda piece: piece[0])
    positions = np.concatenate(
        [np.arange(first, first + length(values)) for first, values in pieces]
    )
    values = _joined([values for _, values in pieces])
    if isinstance(values, list) and id(NoResult) in map(id, values):
        is_there = [value is not NoResult for value in values]
        return positions[is_there], [value for value in values if value is not NoResult]
    return positions, values


def _joined(pieces: list[Any]) -> Any:
    first = pieces[0]
    if len(pieces) == 1:
        return first
    kinds = set(map(type, pieces))
    if kinds == {np.ndarray} and len({piece.dtype for piece in pieces}) == 1:
        return np.concatenate(pieces)
    if kinds == {dict} and len({tuple(piece) for piece in pieces}) == 1:
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in first}
    if kinds == {OneFigure}:
        return OneFigure(np.concatenate([piece.figures for piece in pieces]), first.labels)
    if kinds == {ResultColumns}:
        return first.joined(pieces)
    return [row for piece in pieces for row in rows_of(piece)]


def rows_of(values: Any) -> Sequence[Any]:
    """Return many results one by one, as single calls return them."""
    if isinstance(values, OneFigure):
        values = values.figures
    if isinstance(values, (dict, pd.DataFrame)):
        names = list(values)
        columns = (np.asarray(values[name]).tolist() for name in names)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return values if isinstance(values, list) else values.tolist()
