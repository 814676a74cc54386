# SPDX-License-Identifier: BSD-3-Clause
"""What a reducer knows of a run, as the plain values that a store holds.

Only what this library wrote is taken back: a file may be crafted, so every piece is looked at
before it is joined with others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core.spans import PositionSpans
from broadpeak._run.keeping import Best, Bins, Kept, OneFigure, Part, Tallies, figures_of
from broadpeak._run.looped import ResultColumns
from broadpeak._run.reducing import leaf_size
from broadpeak._store.keptstate import pack, unpack
from broadpeak.types import Reducer


def to_plain(reducer: Reducer, parts: Sequence[Part]) -> dict[str, Any]:
    """Return the parts of a reduction as plain values."""
    if isinstance(reducer, (Best, Bins)):
        part = parts[0] if parts else Part(reducer.start(), 0, None)
        state = part.state
        common = {"n": part.n, "entries": part.labels}
        if isinstance(reducer, Bins):
            counts = dict(zip(Tallies._fields, state, strict=True))
            return {"kind": "bins", **common, "edges": np.array(reducer.edges), **counts}
        return {
            "kind": "best",
            **common,
            "most": reducer.n,
            "largest": reducer.largest,
            "positions": state.positions,
            "figures": state.figures,
            "results": pack(state.results),
            "labels": None,
        }
    pieces = [
        (part.n, 0 if part.span is None else part.span.start, *_content(part))
        for part in sorted(parts, key=_start)
    ]
    return {"kind": "own", "pieces": pieces}


def from_plain(reducer: Reducer, state: Any, tasks: PositionSpans, size: int | None) -> list[Part]:
    """Return the parts that `to_plain` was given.

    Parameters
    ----------
    reducer : Reducer
        What it is a state of.
    state : object
        What was read.
    tasks : PositionSpans
        Whose results it is made of.
    size : int, optional
        How many combinations there are where a task stands for several; None where it is one.

    Raises
    ------
    Exception
        Of any kind, if it is not that.
    """
    if isinstance(reducer, Best):
        parts = [_best(reducer, state)]
    elif isinstance(reducer, Bins):
        parts = [_bins(reducer, state)]
    else:
        _check(state["kind"] == "own")
        parts = [_piece(reducer, *piece) for piece in state["pieces"]]
        covered = PositionSpans()
        for part in parts:
            _check(part.span is not None and not covered.common(PositionSpans([part.span])))
            covered.add(part.span or range(0))
        _check(
            covered == tasks if size is None else not covered.minus(PositionSpans([range(size)]))
        )
    most = len(tasks) if size is None else size
    _check(sum(part.n for part in parts) <= most)
    for part in parts:
        if isinstance(part.state, Kept):
            n_inner = 1 if part.labels is None else max(len(part.labels), 1)
            calls = part.state.positions // n_inner
            inside = tasks if size is None else PositionSpans([range(size)])
            _check(inside.covers(calls))
    return [part for part in parts if part.n or part.span is not None]


def _check(is_so: object) -> None:
    if not is_so:
        msg = "no state of this reducer"
        raise ValueError(msg)


def _common(state: Any) -> tuple[int, pd.Index[Any] | None]:
    n, labels = state["n"], state["entries"]
    _check(type(n) is int and n >= 0 and (labels is None or isinstance(labels, pd.Index)))
    return n, labels


def _is_column(array: object, dtype: type[np.generic]) -> bool:
    return isinstance(array, np.ndarray) and array.ndim == 1 and array.dtype == dtype


def _best(reducer: Best, state: Any) -> Part:
    n, labels = _common(state)
    positions, figures = state["positions"], state["figures"]
    results = unpack(state["results"])
    _check(state["kind"] == "best")
    _check(_is_column(positions, np.int64) and _is_column(figures, np.float64))
    _check(len(positions) == len(figures) == len(results) <= reducer.n)
    _check(np.isfinite(figures).all() and len(np.unique(positions)) == len(positions))
    _check(not len(positions) or (positions.min() >= 0 and (labels is None or len(labels))))
    again = np.lexsort([positions, -figures if reducer.largest else figures])
    _check(np.array_equal(again, np.arange(len(positions))))
    has_many = all(isinstance(result, dict) for result in results)
    by = reducer.by if has_many else None
    _check(np.array_equal(figures_of(results, by, reducer), figures))
    return Part(Kept(positions, figures, results), n, labels)


def _bins(reducer: Bins, state: Any) -> Part:
    n, labels = _common(state)
    counts = state["counts"]
    outside = [state[name] for name in ("below", "above", "missing")]
    _check(state["kind"] == "bins")
    _check(_is_column(counts, np.int64) and len(counts) == len(reducer.edges) - 1)
    _check(not len(counts) or counts.min() >= 0)
    _check(all(type(number) is int and number >= 0 for number in outside))
    n_each = 1 if labels is None else len(labels)
    _check(int(counts.sum()) + sum(outside) == n * n_each)
    return Part(Tallies(counts, *outside), n, labels)


def _start(part: Part) -> int:
    return 0 if part.span is None else part.span.start


def _content(part: Part) -> tuple[int, str, Any]:
    """Return the length of a piece, how its content is written, and that."""
    assert part.span is not None  # noqa: S101  # as of all reducers of users
    length, state = len(part.span), part.state
    if not part.is_raw:
        return length, "state", state
    if isinstance(state, OneFigure):
        return length, "figures", tuple(state)
    if isinstance(state, ResultColumns):
        return length, "results", state.tolist()
    return length, "results", list(state) if type(state) is list else state


def _piece(reducer: Reducer, n: Any, start: Any, length: Any, kind: Any, state: Any) -> Part:
    _check(all(type(number) is int and 0 <= number < 1 << 62 for number in (n, start, length)))
    _check(n <= length)
    span = range(start, start + length)
    if kind == "state":
        leaves, rest = divmod(length, leaf_size(reducer))
        _check(leaves and not leaves & (leaves - 1) and not rest and not start % length)
        return Part(state, n, None, span)
    _check(leaf_size(reducer) > 1 and kind in {"figures", "results"})
    if kind == "figures":
        state = OneFigure(*state)
        _check(isinstance(state.figures, np.ndarray))
        _check(state.labels is None or isinstance(state.labels, pd.Index))
    _check(n == 0 and _length_of(state) == length)
    return Part(state, 0, None, span, is_raw=True)


def _length_of(state: Any) -> int:
    if isinstance(state, OneFigure):
        return len(state.figures)
    if isinstance(state, dict):
        lengths = {len(column) for column in state.values()}
        _check(len(lengths) == 1)
        return lengths.pop()
    _check(isinstance(state, (list, np.ndarray, pd.DataFrame)))
    return len(state)
