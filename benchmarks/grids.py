# SPDX-License-Identifier: BSD-3-Clause
"""Grids against list comprehensions and itertools, in one run: ``python -m benchmarks.grids``."""

from __future__ import annotations

import itertools
import resource
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import broadpeak as bp


def best_of(function: Callable[[], Any], repeats: int) -> float:
    """Return the shortest of some runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def line(name: str, seconds: float, note: str = "") -> None:
    print(f"{name:<58} {seconds * 1e3:>10.2f} ms  {note}")


def peak_mb(function: Callable[[], Any]) -> float:
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def three_pairs() -> dict[str, Any]:
    ten = range(10)
    return {
        "a": bp.Param(ten, condition="a < b"), "b": ten, "c": bp.Param(ten, condition="c < d"),
        "d": ten, "e": bp.Param(ten, condition="e < f"), "f": ten,
    }  # fmt: skip


def million_cells() -> None:
    ten = range(10)

    def comprehension() -> list[tuple[int, ...]]:
        return [
            (a, b, c, d, e, f)
            for a in ten for b in ten for c in ten for d in ten for e in ten for f in ten
            if a < b and c < d and e < f
        ]  # fmt: skip

    def product() -> list[tuple[int, ...]]:
        cells = itertools.product(ten, repeat=6)
        return [t for t in cells if t[0] < t[1] and t[2] < t[3] and t[4] < t[5]]

    values = bp.combine_params(three_pairs(), build_index=False)
    assert list(zip(*values.values(), strict=True)) == comprehension()
    plain = best_of(comprehension, 5)
    line("10**6 cells, 3 conditions: list comprehension", plain)
    line("  … over itertools.product", best_of(product, 3))
    ours = best_of(lambda: bp.combine_params(three_pairs(), build_index=False), 9)
    line("  … combine_params, dict of lists", ours, f"{plain / ours:.1f} times faster")
    indexed = best_of(lambda: bp.combine_params(three_pairs()), 9)
    line("  … combine_params with its MultiIndex", indexed, f"{plain / indexed:.1f} times faster")
    counted = best_of(lambda: bp.ParamGrid(three_pairs()).count(), 9)
    line("  … ParamGrid.count()", counted, f"{plain / counted:.1f} times faster")


def chain() -> dict[str, Any]:
    sixty = range(60)
    first = {"a": bp.Param(sixty, condition="a < b < c < d < e")}
    return {**first, **dict.fromkeys("bcde", sixty)}


def long_chain() -> None:
    count = bp.ParamGrid(chain()).count()
    assert count == 5_461_512
    line("a<b<c<d<e over range(60): count", best_of(lambda: bp.ParamGrid(chain()).count(), 2))
    start = time.perf_counter()
    values, index = bp.combine_params(chain())
    line("  … values and MultiIndex", time.perf_counter() - start, f"{count} combinations")
    assert len(values["e"]) == len(index) == count
    start = time.perf_counter()
    known = list(itertools.combinations(range(60), 5))  # what only this condition allows
    line("  … itertools.combinations, tuples only", time.perf_counter() - start)
    assert len(known) == count


def draws() -> None:
    large = {f"p{i}": range(100) for i in range(10)}
    ordered = {**large, "p3": bp.Param(range(100), condition="p3 < p7")}
    rare = {f"a{i}": bp.Param(range(10), condition=f"a{i} == b{i} + 9") for i in range(5)}
    rare |= {f"b{i}": range(10) for i in range(5)} | {"c": range(1000)}
    summed = dict.fromkeys("abcdefghij", range(10))
    summed["a"] = bp.Param(range(10), condition="a + b + c + d + e + f + g + h + i + j == 89")
    for name, params in (
        ("10 of 10**20", large),
        ("10 of 10**20 with p3 < p7", ordered),
        ("10 where one in 10**10 passes, five conditions", rare),
        ("10 where one in 10**9 passes, one condition on all ten", summed),
    ):

        def draw(params: dict[str, Any] = params) -> None:
            drawn = bp.ParamGrid(params).sample(10, seed=1)
            assert len(drawn) == 10

        seconds = best_of(draw, 3)
        line(name, seconds, f"peak {peak_mb(draw):.2f} MB")


def main() -> None:
    million_cells()
    draws()
    long_chain()
    full = {name: range(10) for name in "abcdef"}
    line("10**6 combinations without conditions", best_of(lambda: bp.combine_params(full), 3))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"peak memory of the process: {peak:.0f} MB")


if __name__ == "__main__":
    main()
