# SPDX-License-Identifier: BSD-3-Clause
"""Counting without building, and drawing by number: each combination that passes exactly once."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from broadpeak import Param, ParamGrid, combine_params
from broadpeak._space import sample, tally
from broadpeak._space import subset as select
from broadpeak._space.axes import lay_out
from broadpeak._space.conditions import bind_conditions, split_conditions
from broadpeak._space.solve import Solver
from broadpeak.errors import ConditionError, ParamError

NAMES = "abcde"
LINKS = (
    "{0} < {1}", "{0} <= {1} + 1", "{0} != {1}", "{0} * {1} % 3 == 1", "{0} + {1} < {2}",
    "{0} < {1} < {2}", "{0} == 1 or {1} == 2", "({0} + {1}) * {2} == 4", "x > {1} - k",
    "__{0}__ <= {1}", "{0} != 0 and {1} // {0} < 2", "{1} // {0} > 0", "{0} in ok", "True", "1 > 2",
)  # fmt: skip
CONTEXT = {"k": 2, "ok": [0, 1, 3]}


def opaque(one: str, other: str) -> Any:
    scope: dict[str, Any] = {}
    exec(f"def rule({one}, {other}): return abs({one} - {other}) != 1", scope)
    return scope["rule"]


@st.composite
def linked(draw: st.DrawFn) -> dict[str, Param]:
    """Parameters that conditions link to chains, trees, rings and stars, or not at all."""
    names = NAMES[: draw(st.integers(2, 5))]
    params = {}
    for name in names:
        values = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
        condition: Any = None
        if draw(st.integers(0, 3)):
            chosen = [name, *(draw(st.sampled_from(names)) for _ in range(2))]
            condition = draw(st.sampled_from(LINKS)).format(*chosen)
            if chosen[0] != chosen[1] and not draw(st.integers(0, 5)):
                condition = opaque(*chosen[:2])
        params[name] = Param(values, condition=condition, context=CONTEXT)
    return params


def says(param: Param, name: str, combo: dict[str, Any]) -> bool | None:
    """What one condition says of a combination, by Python itself; None where it raises."""
    rule = param.condition
    if rule is None:
        return True
    if callable(rule):
        taken = rule.__code__.co_varnames[:2]
        return bool(rule(*(combo[other] for other in taken)))
    row = {**CONTEXT, **{f"__{key}__": v for key, v in combo.items()}, **combo, "x": combo[name]}
    try:
        return bool(eval(rule, {"__builtins__": {"abs": abs}}, row))
    except ZeroDivisionError:
        return None


def passing(params: dict[str, Param]) -> list[tuple[int, ...]] | None:
    """The codes of what passes, one combination after another; None if a condition must raise."""
    found = []
    for codes in itertools.product(*(range(len(param)) for param in params.values())):
        pairs = zip(params.items(), codes, strict=True)
        combo = {name: param.values[code] for (name, param), code in pairs}
        said = [says(param, name, combo) for name, param in params.items()]
        if False in said:
            continue
        if None in said:
            return None
        found.append(codes)
    return found


def tallied(params: dict[str, Param]) -> Solver | None:
    """One solver over all axes that has counted; None if a constant condition is not true."""
    axes = lay_out(params)
    conditions = split_conditions(axes, bind_conditions(axes))
    solver = Solver(axes, range(len(axes.lengths)), conditions)
    return solver if solver.tallied(2**30) else None


def count_twice(params: dict[str, Param]) -> None:
    """Count by a tally, and where that does not look at constants that raise, in general."""
    assert tallied(params) is None
    ParamGrid(params).count()


def check_numbers(params: dict[str, Param]) -> None:
    expected = passing(params)
    if expected is None:
        with pytest.raises(ConditionError, match="must be computable"):
            count_twice(params)
        return
    solver = tallied(params)
    if solver is None:
        assert not any(param.condition for param in params.values()) or not expected
        return
    assert solver.count() == len(expected)
    numbers = np.arange(len(expected))
    rows = zip(*solver.rows_at(numbers), strict=True)
    assert sorted(tuple(map(int, row)) for row in rows) == expected
    assert ParamGrid(params).count() == len(expected)


@settings(max_examples=300)
@given(linked())
def test_every_number_below_the_count_is_one_combination(params: dict[str, Param]) -> None:
    check_numbers(params)


@settings(max_examples=80)
@given(linked())
def test_so_it_is_with_integers_beyond_64_bits(params: dict[str, Param]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally, "INT64_MAX", 2)
        patch.setattr(tally, "CELLS", 3)
        patch.setattr(tally, "_MOST_MASKED", 4)
        check_numbers(params)


def chain(n_parameters: int, n_values: int, link: str = "p{} < p{}") -> dict[str, Param]:
    return {
        f"p{i}": Param(
            range(n_values), condition=link.format(i, i + 1) if i + 1 < n_parameters else None
        )
        for i in range(n_parameters)
    }


def star(n: int) -> dict[str, Param]:
    arms = {f"p{i}": Param(range(n), condition=f"p{i} + hub < {n}") for i in range(5)}
    return {"hub": Param(range(n)), **arms}


@pytest.mark.parametrize(("k", "n"), [(8, 50), (10, 50), (25, 50), (50, 50), (3, 2000)])
def test_chains_are_counted_and_drawn_from_at_once(k: int, n: int) -> None:
    grid = ParamGrid(chain(k, n))
    assert grid.count() == math.comb(n, k)
    n_drawn = min(1000, math.comb(n, k))
    drawn = [tuple(combo.values()) for combo in ParamGrid(chain(k, n)).sample(n_drawn, seed=1)]
    assert len(set(drawn)) == n_drawn
    assert drawn == sorted(drawn)
    assert all(list(row) == sorted(set(row)) for row in drawn)


@pytest.mark.parametrize(
    ("params", "count"),
    [
        (chain(40, 50, "p{} <= p{}"), math.comb(89, 40)),
        (chain(20, 7, "p{} != p{}"), 7 * 6**19),
        (star(30), sum((30 - hub) ** 5 for hub in range(30))),
        ({**chain(12, 50), "free": Param(range(10**9))}, math.comb(50, 12) * 10**9),
    ],
    ids=["beyond 64 bits", "colours", "star", "free"],
)
def test_counts_of_any_size_are_exact(params: dict[str, Param], count: int) -> None:
    assert ParamGrid(params).count() == count
    drawn = ParamGrid(params).sample(500, seed=3)
    assert len({tuple(combo.values()) for combo in drawn}) == 500
    assert all(says(p, name, combo) for combo in drawn for name, p in params.items())


def ring(k: int, n: int) -> dict[str, Param]:
    links = (f"p{i} + p{(i + 1) % k} in (4, 7)" for i in range(k))
    return {f"p{i}": Param(range(n), condition=link) for i, link in enumerate(links)}


UNIFORM = {
    "chain": chain(7, 9),  # 36 combinations of 4.8 million
    "tree": star(9) | {"p4": Param(range(9), condition="p4 + hub > 14")},
    "ring": ring(6, 5),
    "two": {**chain(6, 8), "u": Param(range(300), condition="u * 150 == v"), "v": range(300)},
    "opaque": {**chain(6, 9), "p1": Param(range(9), condition=lambda p1, p2: p2 - p1 == 2)},
}  # fmt: skip


@pytest.mark.parametrize("case", UNIFORM)
@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("how", ["as it comes", "tallied", "beyond 64 bits"])
def test_draws_are_uniform(
    case: str, replace: bool, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Null: every passing combination is as likely; p < 1e-4 happens once in 10,000 seeds.
    if how != "as it comes":  # the table of what passes would be small enough
        monkeypatch.setattr(sample, "_SMALL", 1)
    if how == "beyond 64 bits":
        monkeypatch.setattr(tally, "INT64_MAX", 2)
        monkeypatch.setattr(sample, "INT64_MAX", 2)
    params = UNIFORM[case]
    everything = combine_params(params, build_index=False)
    counts = dict.fromkeys(zip(*everything.values(), strict=True), 0)
    n = min(5, len(counts))
    for seed in range(2 * len(counts)):
        drawn = ParamGrid(params).sample(n, seed=seed, replace=replace)
        assert replace or len({tuple(combo.values()) for combo in drawn}) == n
        for combo in drawn:
            counts[tuple(combo.values())] += 1
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4


def test_the_same_seed_draws_the_same() -> None:
    first = ParamGrid(chain(10, 50)).sample(3, seed=11, sort=False)
    assert first == ParamGrid(chain(10, 50)).sample(3, seed=11, sort=False)
    assert first != ParamGrid(chain(10, 50)).sample(3, seed=12, sort=False)
    # As it was on the day this was written: a seed in a paper must stay good.
    assert list(first[0].values()) == [1, 10, 13, 23, 24, 32, 34, 36, 38, 41]


def test_shares_and_numbers_are_exact() -> None:
    product = combine_params(chain(8, 50), random_subset=1e-5, seed=1, build_index=False)
    assert len(product["p0"]) == 5369  # of 536,878,650
    assert len(set(zip(*product.values(), strict=True))) == 5369
    drawn = combine_params(chain(8, 8), random_subset=3, random_replace=True, build_index=False)
    assert [column[0] for column in drawn.values()] == list(range(8))
    with pytest.raises(ParamError, match="got 9 of 8"):
        combine_params(chain(7, 8), random_subset=9)
    with pytest.raises(ParamError, match="got 536878650"):
        combine_params(chain(8, 50))
    for params in (chain(9, 8), {f"p{i}": p for i, p in enumerate(chain(3, 60).values())}):
        params["p0"] = Param(range(60), condition="p0 > p1 + p2 + 60")
        with pytest.raises(ParamError, match="at least one combination must be left, got none"):
            combine_params(params, random_subset=3)
        assert ParamGrid(params).count() == 0


def test_positions_of_chains_are_sampled_too() -> None:
    piece = slice(5_000_000, 0, -3)
    expected = combine_params(chain(4, 50), grid_indices=piece, build_index=False)
    found = combine_params(
        chain(4, 50), grid_indices=piece, random_subset=50, seed=1, build_index=False
    )
    rows = list(zip(*expected.values(), strict=True))
    chosen = list(zip(*found.values(), strict=True))
    assert len(set(chosen)) == 50
    assert [row for row in rows if row in set(chosen)] == chosen
    # The grid is far too large to be solved for a slice of it.
    first = sum(code * 50 ** (7 - code) for code in range(8))
    product = combine_params(
        chain(8, 50), grid_indices=slice(first, (first // 50**4 + 1) * 50**4), build_index=False
    )
    rows = list(zip(*product.values(), strict=True))
    assert rows[0] == tuple(range(8))
    # The last four run through all from (4, 5, 6, 7) while the first four stand still.
    assert len(rows) == math.comb(46, 4)
    assert all(list(row) == sorted(set(row)) for row in rows)


def test_what_raises_is_reported_and_what_is_excluded_is_not() -> None:
    link = "p0 < p1 < p2 < p3 < p4 < p5 < p6 < p7"
    raising = chain(8, 50, "True")
    raising["p0"] = Param(range(50), condition=f"{link} and p7 // p0 > 1")
    with pytest.raises(ConditionError, match=r"raised ZeroDivisionError.*p0=0"):
        ParamGrid(raising).sample(10, seed=1)
    with pytest.raises(ConditionError, match=r"raised ZeroDivisionError.*p0=0"):
        ParamGrid(raising).count()
    excluded = {**raising, "p1": Param(range(50), condition="p0 > 0")}
    assert ParamGrid(excluded).count() == ParamGrid(guarded := {
        **raising, "p0": Param(range(50), condition=f"{link} and p0 > 0 and p7 // p0 > 1")
    }).count()  # fmt: skip
    assert len(ParamGrid(guarded).sample(10, seed=1)) == 10
    empty = {**raising, "u": Param([1, 2], condition="u > v"), "v": [2]}
    assert ParamGrid(empty).count() == 0


def test_one_in_ten_to_the_tenth_is_met() -> None:
    params = chain(12, 14)  # 91 of 14**12
    params["p3"] = Param(range(14), condition="p3 < p4 and p3 == 5")
    drawn = ParamGrid(params).sample(3, seed=1)
    assert all(combo["p3"] == 5 for combo in drawn)
    assert ParamGrid(params).count() == math.comb(5, 3) * math.comb(8, 8)


def test_many_of_very_many_numbers_are_drawn_without_shuffling_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sample, "_MOST_SHUFFLED", 10)
    counts = np.zeros(40)
    firsts = np.zeros(40)
    for seed in range(600):
        drawn = sample.draw_rows(40, 19, False, np.random.default_rng(seed))
        assert len(set(drawn.tolist())) == 19
        counts[drawn] += 1
        firsts[drawn[0]] += 1
    assert stats.chisquare(firsts).pvalue > 1e-4
    # Distinct numbers of one draw exclude one another: the variance is smaller by 21/39.
    assert ((counts - 285) ** 2).sum() / 285 / (21 / 39) < stats.chi2(39).ppf(1 - 1e-4) * 1.0


@settings(max_examples=150)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=12), st.data())
def test_one_miss_more_than_max_misses_in_a_row_ends_drawing(
    runs: list[int], data: st.DataObject
) -> None:
    # `runs` are the misses before each hit; batches of 256, 512, … end anywhere in them.
    most = max(0, data.draw(st.sampled_from(runs)) + data.draw(st.sampled_from([-1, 0, 0, 1])))
    hits = np.cumsum(np.array(runs) + 1) - 1
    stream = np.zeros(int(hits[-1]) + 1 + 10_000, dtype=bool)
    stream[hits] = True
    at = 0

    def check(codes: list[Any]) -> Any:
        nonlocal at
        at += len(codes[0])
        return stream[at - len(codes[0]) : at]

    grid = ParamGrid({"a": Param(range(10**6), condition="a * b == 7"), "b": range(10**6)})
    (solver,) = grid._problem.solvers
    sampler = sample.GroupSampler(grid.axes, solver, np.random.default_rng(0), most)
    sampler._check = check  # type: ignore[method-assign]
    found = sampler.draw(100)
    expected = next((i for i, run in enumerate(runs) if run > most), len(runs))
    assert [len(column) for column in found] == [expected] * 2
    assert sampler.gave_up


@settings(max_examples=150)
@given(linked(), st.data())
def test_slices_cut_from_what_passes_are_those_looked_at_one_by_one(
    params: dict[str, Param], data: st.DataObject
) -> None:
    expected = passing(params)
    size = ParamGrid(params).size
    bound = st.one_of(st.none(), st.integers(-size - 2, size + 2))
    piece = slice(
        data.draw(bound), data.draw(bound), data.draw(st.sampled_from([1, 2, 3, 7, -1, -2, -5]))
    )
    if expected is None:
        return
    lengths = [len(param) for param in params.values()]
    codes = list(itertools.product(*map(range, lengths)))[piece]
    wanted = [code for code in codes if code in set(expected)]
    for checked, per_position in ((1, 10**9), (1, 0), (10**6, 0)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(select, "_CHECKED_ONE_BY_ONE", checked)
            patch.setattr(select, "_CELLS_PER_POSITION", per_position)
            found = ParamGrid(params).select(grid_indices=piece, raise_empty=False)
        assert list(zip(*(column.tolist() for column in found), strict=True)) == wanted


@pytest.mark.parametrize("length", [2**20, 2**40])
@pytest.mark.parametrize("step", [1, 2, 3, 1000, -1, -2, -7])
def test_rows_within_a_slice_with_a_stride(length: int, step: int) -> None:
    # Positions beyond 64 bits too.
    axes = lay_out({"a": range(length), "b": range(length)})
    rng = np.random.default_rng(1)
    rows = sorted({(int(a), int(b)) for a, b in rng.integers([5, 100], [8, 103], (40, 2))})
    first = 5 * length + 100
    for start, stop in (
        (first, first + 10),
        (first + 1, 7 * length + 101),
        (first - 1, first + length),
    ):
        places = range(start, stop, step) if step > 0 else range(stop, start, step)
        columns = [np.array(column) for column in zip(*rows, strict=True)]
        found = select._within(columns, axes, places)
        wanted = [(a, b) for a, b in rows if a * length + b in places]
        wanted = wanted if step > 0 else wanted[::-1]
        assert list(zip(*(column.tolist() for column in found), strict=True)) == wanted
