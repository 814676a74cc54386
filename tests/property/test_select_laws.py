# SPDX-License-Identifier: BSD-3-Clause
"""What `select` chooses depends on the scores and their labels, and on nothing else."""

from __future__ import annotations

import datetime as dt
import decimal
import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._core.labels import identity, multi_index
from broadpeak.errors import ParamError

POOLS: tuple[list[Any], ...] = (
    [None, 10, 20, 30, 5],
    [3, 1, 2, 11, 10],
    [0.5, -1.0, 2.0, math.nan],
    ["sma", "ema", "wma", "10", "9"],
    [True, False, 1, 0, 2],
    [None, "a", 3, 2.5, math.nan, pd.NaT],
    [2**70, 2**70 + 1, 2, -(2**65)],
    [dt.date(2020, 1, 3), dt.date(2020, 1, 1), dt.date(2020, 1, 2)],
    list(pd.to_datetime(["2020-01-03", "2020-01-01", "2020-01-02"])),
    [pd.Timestamp("2020-01-02", tz="UTC"), pd.NaT, pd.Timestamp("2020-01-01", tz="UTC")],
    [decimal.Decimal("0.3"), decimal.Decimal("0.1"), decimal.Decimal("0.2")],
    [("a", 1), ("b", 2), ("a", 2)],
    [pd.Timedelta(days=2), pd.Timedelta(days=1), pd.Timedelta(days=3)],
)
METHODS = ["hill", "plateau", "peak", bp.Hill(3), bp.Hill(3, "inner"), bp.Plateau(0.7)]


@st.composite
def sweeps(draw: st.DrawFn) -> tuple[list[list[Any]], list[tuple[Any, ...]], list[float]]:
    """Labels by level, rows of labels, and scores full of ties and holes."""
    levels = [
        draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4, unique_by=identity))
        for pool in draw(st.lists(st.sampled_from(POOLS), min_size=1, max_size=3))
    ]
    rows = list(itertools.product(*levels))
    rows = [row for row in rows if draw(st.integers(0, 4))] or rows
    scores = [draw(st.sampled_from([0.0, 1.0, 1.0, 2.0, -1.0, math.nan])) for _ in rows]
    scores[draw(st.integers(0, len(rows) - 1))] = 2.0
    return levels, rows, scores


def series(rows: list[tuple[Any, ...]], scores: list[float]) -> pd.Series:
    names = [f"p{level}" for level in range(len(rows[0]))]
    index = multi_index(list(zip(*rows, strict=True)), names)
    return pd.Series(scores, index=index if len(names) > 1 else index.get_level_values(0))


def facts(chosen: bp.Selection) -> tuple[Any, ...]:
    """All of a selection, in a form in which NaN equals NaN and True is not 1."""
    index = chosen.region.index
    columns = [map(identity, index.get_level_values(level)) for level in range(index.nlevels)]
    return (
        {name: identity(value) for name, value in chosen.params.items()},
        {name: identity(value) for name, value in chosen.peak_params.items()},
        repr((chosen.score, chosen.peak_score, chosen.robustness)),
        dict(chosen.at_edge),
        set(zip(*columns, strict=True)),
    )


@settings(max_examples=300)
@given(sweeps(), st.sampled_from(METHODS), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_names_does_not_count(
    sweep: tuple[Any, list[tuple[Any, ...]], list[float]], method: Any, random: Any
) -> None:
    _, rows, scores = sweep
    chosen = bp.select(series(rows, scores), method=method)
    pairs = list(zip(rows, scores, strict=True))
    random.shuffle(pairs)
    mixed = series([row for row, _ in pairs], [score for _, score in pairs])
    assert facts(bp.select(mixed, method=method)) == facts(chosen)


@settings(max_examples=200)
@given(sweeps(), st.sampled_from(METHODS))
def test_what_is_chosen_was_tried(sweep: Any, method: Any) -> None:
    _, rows, scores = sweep
    chosen = bp.select(series(rows, scores), method=method)
    usable = {tuple(map(identity, r)) for r, s in zip(rows, scores, strict=True) if s == s}
    peak = tuple(identity(value) for value in chosen.peak_params.values())
    assert peak in usable
    assert chosen.peak_score == np.nanmax(scores)
    if len(rows[0]) > 1:
        assert tuple(identity(value) for value in chosen.params.values()) in usable


@settings(max_examples=100)
@given(sweeps(), st.sampled_from(["hill", "peak", bp.Hill(3)]), st.data())
def test_names_are_smoothed_within_themselves(sweep: Any, method: Any, data: Any) -> None:
    # The choice from all names is the best of the choices within each: none has seen another.
    _, rows, scores = sweep
    scores = [0.0 if math.isnan(score) else score for score in scores]
    names = ["sma", "ema", "wma"]
    shift = {name: data.draw(st.sampled_from([0.0, 0.25, -3.0])) for name in names}
    wide = [(name, *row, 0) for name in names for row in rows]
    all_scores = [score + shift[name] for name in names for score in scores]
    every = series(wide, all_scores)
    chosen = bp.select(every, method=method)
    each = bp.select(every, method=method, by="p0")
    best = max(one.score for one in each.values())
    assert math.isclose(chosen.score, best, abs_tol=1e-12)
    own = each[chosen.params["p0"]]
    assert math.isclose(own.score, best, abs_tol=1e-12)


@settings(max_examples=100)
@given(st.sampled_from(POOLS), st.sampled_from(METHODS), st.data())
def test_what_a_sweep_returns_can_be_chosen_from(pool: list[Any], method: Any, data: Any) -> None:
    values = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=5, unique_by=identity))
    heights = {identity(value): float(place) for place, value in enumerate(values)}
    sweep = bp.parameterized(lambda p, n: heights[identity(p)] - abs(n - 2), merge_func="concat")
    scores = sweep(bp.Param(values, keys=[*map(shown, values)]), bp.Param([1, 2, 3]))
    chosen = bp.select(scores, method="peak")
    assert identity(chosen.params["p"]) == identity(shown(values[-1]))
    assert chosen.params["n"] == 2
    bp.select(scores, method=method)
    if len(set(values)) < len(values):  # True and 1 cannot both be keys
        with pytest.raises(ParamError, match="are equal: give them names"):
            bp.select(scores, method=method, by="p")
    else:
        assert len(bp.select(scores, method=method, by="p")) == len(values)


def shown(value: Any) -> Any:
    """The label of a value; keys of tuples would be several levels."""
    if isinstance(value, dt.timedelta):
        return pd.Timedelta(value)
    return str(value) if isinstance(value, tuple) else value
