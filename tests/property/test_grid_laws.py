# SPDX-License-Identifier: BSD-3-Clause
"""The lazy grid equals itertools.product filtered by Python; sampling is exact and uniform."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from broadpeak import Param, ParamGrid, combine_params
from broadpeak._space import conditions as on_rows
from broadpeak._space import subset
from broadpeak._space.axes import lay_out
from broadpeak._space.combine import select_combos
from broadpeak._space.conditions import bind_conditions, check_rows, split_conditions
from broadpeak._space.solve import Solver
from broadpeak.errors import ConditionError, ParamError

NAMES = ("a", "b", "c", "d", "e")
FUNCTIONS = {
    "abs": abs,
    "min": min,
    "max": max,
    "round": round,
    "len": len,
    "int": int,
    "float": float,
}

TEMPLATES = (
    "{0} < {1}",
    "{0} <= {1} < {2}",
    "{0} + {1} == {2}",
    "{0} * {1} % 3 != 0",
    "{0} != {1}",
    "{0} in (1, 2, {1})",
    "x > 1",
    "x < {0} or {1} == {2}",
    "not ({0} < {1} and {1} < {2})",
    "{0} != 0 and {1} / {0} > 0.5",
    "{1} / {0} > 0.5",
    "{0} // {1} >= x",
    "{0} < {1} and {0} % {2} == 0",
    "round({0} / 2) == {1}",
    "abs({0} - {1}) <= 1",
    "min({0}, {1}, 2) == 1",
    "__{0}__ < 3",
    "1 < 2",
    "2 < 1 and {0} / 0 > 1",
    "{0} < k",
    "max({0}, {1}) < k and {2} > 0",
)

numbers = st.one_of(
    st.lists(st.integers(-1, 5), min_size=1, max_size=5),
    st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.5, 0.0]), min_size=1, max_size=4),
    st.lists(st.one_of(st.integers(0, 4), st.sampled_from([0.5, 2.5])), min_size=1, max_size=4),
    st.builds(range, st.integers(-1, 1), st.integers(2, 6)),
)


@st.composite
def grids(draw: st.DrawFn) -> dict[str, Param]:
    names = NAMES[: draw(st.integers(1, 5))]
    leveled = draw(st.booleans())
    lengths: dict[int, int] = {}
    params = {}
    for name in names:
        settings_: dict[str, Any] = {}
        values: Any = draw(numbers)
        if leveled:
            level = draw(st.integers(0, 2))
            length = lengths.setdefault(level, len(values))
            values = draw(
                st.one_of(
                    st.lists(st.integers(0, 4), min_size=length, max_size=length),
                    st.lists(st.integers(0, 4), min_size=1, max_size=1),
                )
            )
            settings_["level"] = level
            lengths[level] = length
        if draw(st.booleans()):
            chosen = [draw(st.sampled_from(names)) for _ in range(3)]
            text = draw(st.sampled_from(TEMPLATES)).format(*chosen)
            settings_["condition"] = text
            settings_["context"] = {"k": 3}
        params[name] = Param(values, **settings_)
    return params


def everything(params: dict[str, Param]) -> list[dict[str, Any]]:
    """All combinations in order, by itertools."""
    levels = {name: p.level for name, p in params.items()}
    keys = (
        list(dict.fromkeys(levels.values()))
        if None in levels.values()
        else sorted(set(levels.values()))
    )
    axes: list[list[dict[str, Any]]] = []
    if keys == [None]:
        axes = [[{name: v} for v in p.values] for name, p in params.items()]
    else:
        for key in sorted(set(levels.values())):
            members = {n: list(p.values) for n, p in params.items() if levels[n] == key}
            longest = max(map(len, members.values()))
            axes.append(
                [{n: v[i if len(v) > 1 else 0] for n, v in members.items()} for i in range(longest)]
            )
    combos = []
    for rows in itertools.product(*axes):
        merged = {k: v for row in rows for k, v in row.items()}
        combos.append({name: merged[name] for name in params})
    return combos


def verdicts(params: dict[str, Param], combo: dict[str, Any]) -> list[bool | None]:
    """What each condition says of a combination; None where it raises."""
    found: list[bool | None] = []
    for name, param in params.items():
        if param.condition is None:
            continue
        row = {**{f"__{k}__": v for k, v in combo.items()}, **combo, "x": combo[name], "k": 3}
        try:
            found.append(bool(eval(param.condition, {"__builtins__": FUNCTIONS}, row)))
        except Exception:
            found.append(None)
    return found


def expected_of(params: dict[str, Param]) -> list[dict[str, Any]] | None:
    """The combinations that pass, or None if a condition raises where no other one excludes."""
    passed = []
    for combo in everything(params):
        said = verdicts(params, combo)
        if False in said:
            continue
        if None in said:
            return None
        passed.append(combo)
    return passed


@contextmanager
def solvers_only() -> Iterator[None]:
    """Keep small grids from being looked at as a whole, and few rows from being left to Python."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subset, "_LOOKED_AT_WHOLE", 0)
        patch.setattr(on_rows, "_FEW", 0)
        yield


@settings(max_examples=300)
@given(grids())
def test_lazy_grid_is_the_filtered_product(params: dict[str, Param]) -> None:
    grid = ParamGrid(params)
    combos = everything(params)
    assert grid.size == len(combos)
    assert [grid[i] for i in range(grid.size)] == combos
    expected = expected_of(params)
    if expected is None:
        with pytest.raises(ConditionError, match="raised"):
            list(ParamGrid(params))
        with pytest.raises(ConditionError, match="raised"):
            combine_params(params)
        with solvers_only(), pytest.raises(ConditionError, match="raised"):
            combine_params(params)
        return
    assert list(grid) == expected
    assert grid.count() == len(expected)
    product, index = combine_params(params, raise_empty=False)
    assert product == {name: [combo[name] for combo in expected] for name in params}
    with solvers_only():
        solved, solved_index = combine_params(params, raise_empty=False)
    assert solved == product
    assert solved_index.equals(index)
    tuples = [tuple(combo.values()) for combo in expected]
    if len(params) > 1 and tuples:
        assert index.equals(pd.MultiIndex.from_tuples(tuples, names=list(params)))
    assert list(index.names) == list(params)
    streamed = Solver(
        grid.axes,
        range(len(grid.axes.lengths)),
        split_conditions(grid.axes, bind_conditions(grid.axes)),
        in_grid_order=True,
    )
    rows = list(streamed.stream(block=7))
    assert sum(len(piece[0]) for piece in rows) == len(expected)


@settings(max_examples=150)
@given(grids(), st.data())
def test_positions_conditions_and_samples_agree(
    params: dict[str, Param], data: st.DataObject
) -> None:
    grid = ParamGrid(params)
    expected = expected_of(params)
    if expected is None:
        return
    combos = everything(params)
    start, stop = sorted(data.draw(st.tuples(*[st.integers(-3, grid.size + 3)] * 2)))
    step = data.draw(st.sampled_from([1, 2, -1]))
    piece = slice(start, stop, step) if step > 0 else slice(stop, start, step)
    found = select_combos(params, grid_indices=piece, raise_empty=False)
    assert list(found) == [combo for combo in combos[piece] if all(verdicts(params, combo))]
    if expected:
        n = data.draw(st.integers(1, len(expected)))
        drawn = grid.sample(n, seed=data.draw(st.integers(0, 99)))
        assert len(drawn) == n
        assert all(combo in expected for combo in drawn)
        if all(len(set(p.values)) == len(p) for p in params.values()):
            places = [combos.index(combo) for combo in drawn]
            assert places == sorted(set(places))
        with pytest.raises(ParamError, match=f"of {len(expected)}"):
            grid.sample(len(expected) + 1, seed=1)
        assert (
            len(grid.sample(2 * len(expected) + 1, seed=1, replace=True)) == 2 * len(expected) + 1
        )


@settings(max_examples=200)
@given(
    st.lists(st.lists(st.integers(), min_size=1, max_size=6, unique=True), min_size=1, max_size=5)
)
def test_index_of_is_the_inverse_of_getitem(columns: list[list[int]]) -> None:
    grid = ParamGrid({f"p{i}": column for i, column in enumerate(columns)})
    for i in range(0, grid.size, max(1, grid.size // 7)):
        assert grid.index_of(grid[i]) == i
        assert grid[i - grid.size] == grid[i]


def test_index_of_is_the_inverse_beyond_64_bits() -> None:
    grid = ParamGrid({f"p{i}": range(10**5) for i in range(6)})
    assert grid.size == 10**30
    for i in (0, 1, 10**29 + 12345, 10**30 - 1):
        assert grid.index_of(grid[i]) == i


@settings(max_examples=200)
@given(grids())
def test_row_check_equals_pruned_building(params: dict[str, Param]) -> None:
    axes = lay_out(params)
    conditions = bind_conditions(axes)
    codes = axes.decode_many(np.arange(axes.size))
    expected = expected_of(params)
    if expected is None:
        with pytest.raises(ConditionError, match="raised"):
            check_rows(axes, conditions, codes)
        return
    kept = check_rows(axes, conditions, codes)
    with solvers_only():
        assert np.array_equal(check_rows(axes, conditions, codes), kept)
    combos = everything(params)
    assert [combos[i] for i in np.flatnonzero(kept)] == expected


SAMPLED = {
    "small": {"a": Param(range(6), condition="a < b"), "b": range(6), "c": [1, 2]},
    "rejected": {"a": Param(range(2000), condition="a + b < 12"), "b": range(2000)},
    "far": {
        "a": Param(range(10**12), condition="a % 250000000000 == 1 and a < b + 7"),
        "b": [10**13, 1],
    },
}


@pytest.mark.parametrize("case", ["small", "rejected"])
@pytest.mark.parametrize("replace", [False, True])
def test_samples_are_uniform(case: str, replace: bool) -> None:
    # Null: every passing combination is as likely; p < 1e-4 happens once in 10,000 seeds.
    grid = ParamGrid(SAMPLED[case])
    passing = [tuple(combo.values()) for combo in grid]
    counts = dict.fromkeys(passing, 0)
    for seed in range(400):
        for combo in grid.sample(15, seed=seed, replace=replace):
            counts[tuple(combo.values())] += 1
    assert sum(counts.values()) == 400 * 15
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4


def test_unsolved_groups_are_sampled_uniformly_without_duplicates() -> None:
    params = {"a": Param(range(400), condition="a * 7 % 11 < b % 5"), "b": range(400)}
    passing = ParamGrid(params).count()
    drawn = ParamGrid(params).sample(passing // 2, seed=3)  # drawn by rejection, then by number
    keys = {tuple(combo.values()) for combo in drawn}
    assert len(keys) == passing // 2
    column = np.array([combo["a"] for combo in drawn])
    # Halves of the grid get their share: z beyond 4 happens once in 15,000.
    share = sum(1 for combo in ParamGrid(params) if combo["a"] < 200) / passing
    z = (np.mean(column < 200) - share) / np.sqrt(share * (1 - share) / len(column))
    assert abs(z) < 4
    assert len({tuple(c.values()) for c in ParamGrid(params).sample(passing, seed=1)}) == passing
    with pytest.raises(ParamError, match=str(passing)):
        ParamGrid(params).sample(passing + 1, seed=1)


def test_order_of_draws_is_random_and_repeatable() -> None:
    grid = ParamGrid(SAMPLED["small"])
    first = grid.sample(20, seed=5, sort=False)
    assert first == grid.sample(20, seed=5, sort=False)
    assert first != grid.sample(20, seed=5)
    assert sorted(map(str, first)) == sorted(map(str, grid.sample(20, seed=5)))


def test_column_of_the_first_axis_is_uniform_when_order_is_kept() -> None:
    # The first drawn must be as likely to be any: else a prefix of the draws is biased.
    grid = ParamGrid(SAMPLED["small"])
    passing = [tuple(combo.values()) for combo in grid]
    counts = dict.fromkeys(passing, 0)
    for seed in range(1500):
        counts[tuple(grid.sample(5, seed=seed, sort=False)[0].values())] += 1
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4
