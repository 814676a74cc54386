# SPDX-License-Identifier: BSD-3-Clause
"""What an editor knows about a sweep. Nothing here runs: mypy reads it."""

# mypy: allow-untyped-decorators

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, assert_type

import pandas as pd

import broadpeak as bp


@bp.parameterized(merge_func="concat", engine="threadpool", store="runs.db")
def score(data: bp.Data, fast: int, slow: int) -> float:
    return float(fast + slow)


@bp.parameterized
def bare(fast: int) -> int:
    return fast


# A Param may stand for every argument. With options, a decorator returns Any.
assert_type(bare, Callable[..., Any])
assert_type(bp.parameterized(len), Callable[..., Any])
scores = score(
    bp.Data.sample("IBM"), bp.Param(range(2, 62, 2), condition="x < slow"), bp.Param([20])
)

choice = bp.select(pd.Series([1.0, 2.0], pd.Index([1, 2], name="fast")))
assert_type(choice, bp.Selection)
assert_type(choice.score, float)
assert_type(choice.params, dict[str, Any])
assert_type(bp.select(scores, by="symbol"), dict[Hashable, bp.Selection])

grid = bp.ParamGrid({"fast": bp.Param(range(10)), "slow": bp.Param(range(10))})
assert_type(grid.size, int)
assert_type(grid.count(), int)
assert_type(grid[3], dict[str, Any])
assert_type(grid.sample(3, seed=1), list[dict[str, Any]])

params: dict[str, Any] = {"fast": [1, 2], "slow": bp.Param([3, 4])}
product, index = bp.combine_params(params)
assert_type(product, dict[str, list[Any]])
assert_type(index, "pd.Index[Any]")
assert_type(bp.combine_params(params, build_index=False), dict[str, list[Any]])

results = bp.execute([bp.Task(pow, 2, 10)], engine="processpool", n_workers=2)
store = bp.Store("runs.db")
assert_type(store.runs(), pd.DataFrame)
assert_type(store.trials(1), pd.DataFrame)


@bp.chunked(arg_take_spec={"values": bp.ChunkSlicer()}, n_chunks=2, merge_func="concat")
def doubled(values: list[int]) -> list[int]:
    return [2 * value for value in values]


@bp.iterated(over_arg="window", merge_func="column_stack")
def mean(close: pd.Series[float], window: int) -> pd.Series[Any]:
    return bp.sma(close, window)
