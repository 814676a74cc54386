# SPDX-License-Identifier: BSD-3-Clause
"""Calls: a function of one combination, called for many of them."""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cases import Case, Result, gap, market, to_come
from benchmarks.measuring import best, in_turn, once, peak_mb


def plain_body(data: Any, fast: int, slow: int) -> Any:
    """The function of the README for one combination, unchanged."""
    import broadpeak as bp

    quick = data.run("bp:ma", fast, hide_params=True)
    calm = data.run("bp:ma", slow, hide_params=True)
    up, down = quick.ma_crossed_above(calm), quick.ma_crossed_below(calm)
    return bp.PF.from_signals(data, up, down, fees=0.001).sharpe_ratio


def single_body(data: Any, fast: int, slow: int) -> Any:
    """The same with a line that no list survives."""
    return plain_body(data, fast, slow) if slow / fast >= 1 else math.nan


def sweep(body: Callable[..., Any], quick: bool) -> Result:
    import broadpeak as bp

    windows = range(2, 42 if quick else 302)
    data = market()
    function = bp.parameterized(merge_func="concat")(body)
    results = []

    def job(values: range = windows) -> None:
        results[:] = [function(data, bp.Param(values, condition="x < slow"), bp.Param(values))]

    job(range(2, 12))
    times = once(job)
    peak, found = peak_mb(), results[0]
    if times.wall < 3:
        times = best(job, 3.0, 10)
    fast, slow = (found.index.get_level_values(k).tolist() for k in (0, 1))
    at = range(0, len(fast), max(1, len(fast) // 50))
    twins = [body(data, fast[k], slow[k]) for k in at]
    check = gap(found.to_numpy()[list(at)], np.array(twins, dtype=float))
    return {**times._asdict(), "peak": peak, "n": len(found), "check": check}


def plain(quick: bool) -> Result:
    """The plain function under `parameterized`."""
    return sweep(plain_body, quick)


def single(quick: bool) -> Result:
    """The plain function with a body that can't take lists."""
    return sweep(single_body, quick)


def scatter(a: int, b: int) -> float:
    """Return a number that looks random: what a compiled function of two parameters may cost."""
    return float((a * 2654435761 + b * 40503 + a * b) % 1000003)


def compiled(quick: bool) -> Result:
    """Ten million combinations of a compiled function, the best thousand kept."""
    import numba

    import broadpeak as bp

    rows, columns = (1000, 200) if quick else (10_000, 1000)
    with to_come():
        function = bp.parameterized(keep=bp.top(1000))(numba.njit(nogil=True)(scatter))
        function(bp.Param(range(50)), bp.Param(range(50)))
    results = []
    times = once(lambda: results.append(function(bp.Param(range(rows)), bp.Param(range(columns)))))
    peak, found = peak_mb(), np.asarray(results[0], dtype=float).reshape(-1)
    a, b = np.arange(rows)[:, None], np.arange(columns)
    every = ((a * 2654435761 + b * 40503 + a * b) % 1000003).ravel().astype(float)
    check = gap(np.sort(found)[::-1], np.sort(every)[::-1][:1000])
    own = 1  # the function itself is the user's to compile
    return {**times._asdict(), "peak": peak, "n": rows * columns, "check": check, "own": own}


def kept(quick: bool) -> Result:
    """The same in turn without a store and with a new one, which holds what is kept."""
    import numba

    import broadpeak as bp

    rows, columns = (1000, 200) if quick else (10_000, 1000)
    body = numba.njit(nogil=True)(scatter)
    grid = bp.Param(range(rows)), bp.Param(range(columns))
    found: list[Any] = []
    with tempfile.TemporaryDirectory() as folder:
        paths = (f"{folder}/{number}.db" for number in itertools.count())
        bare = bp.parameterized(keep=bp.top(1000))(body)
        jobs = [
            lambda: found.append(bare(*grid)),
            lambda: found.append(
                bp.parameterized(keep=bp.top(1000), store=next(paths))(body)(*grid)
            ),
        ]
        for job in jobs:  # compiles
            job()
        without, stored = in_turn(jobs, 1.0 if quick else 10.0, 20)
    every = [np.asarray(one, dtype=float) for one in found]
    check = max(gap(one, every[0]) for one in every)
    return {
        **without._asdict(), "n": rows * columns, "with_store": stored.wall, "in_all": peak_mb(),
        "check": check, "own": 2,
    }  # fmt: skip


def no_op(fast: int, slow: int) -> float:
    return 1.0


def empty(quick: bool) -> Result:
    """Calls that do nothing, to a Series with its index; beside joblib, which returns a list."""
    import joblib

    import broadpeak as bp

    rows, columns = 100, 100 if quick else 1000
    sweep = bp.parameterized(no_op, merge_func="concat", show_progress=False)
    pairs = list(itertools.product(range(rows), range(columns)))
    jobs = joblib.Parallel(n_jobs=1)
    ours = lambda: sweep(bp.Param(range(rows)), bp.Param(range(columns)))  # noqa: E731
    found = ours()
    assert len(found) == len(pairs)
    peak = peak_mb()
    mine, theirs = in_turn(
        [ours, lambda: jobs(joblib.delayed(no_op)(a, b) for a, b in pairs)], 1.0 if quick else 4.0
    )
    return {
        **mine._asdict(), "peak": peak, "n": len(pairs), "beside": {"joblib": theirs._asdict()}
    }  # fmt: skip


def pool(quick: bool) -> Result:
    """Calls that do nothing in two processes; beside joblib with two."""
    import joblib

    import broadpeak as bp
    from broadpeak._run.calls import Calls

    n, few = (10_000, 2_000) if quick else (100_000, 20_000)
    codes = np.arange(n)
    listed = Calls(no_op, varying={0: (range(1000), codes % 1000), 1: (range(n), codes // 1000)})
    options: dict[str, Any] = {"engine": "processpool", "n_workers": 2, "distribute": "chunks"}
    two = joblib.Parallel(n_jobs=2)
    two(joblib.delayed(no_op)(k, 2) for k in range(100))
    bp.execute(listed, **options)
    mine, theirs = in_turn(
        [
            lambda: bp.execute(listed, **options),
            lambda: two(joblib.delayed(no_op)(k, 2) for k in range(few)),
        ],
        4.0,
        10,
    )
    # The CPU time of processes that live on can't be read here.
    other = {"wall": theirs.wall * n / few, "cpu": math.nan}
    return {"wall": mine.wall, "cpu": math.nan, "n": n, "beside": {"joblib": other}}


def cells(quick: bool) -> Result:
    """A million cells of which three conditions leave 91,125; beside a list comprehension."""
    import broadpeak as bp
    from benchmarks.grids import three_pairs

    ten = range(10)
    ours = lambda: bp.combine_params(three_pairs(), build_index=False)  # noqa: E731
    plain = lambda: [  # noqa: E731
        (a, b, c, d, e, f)
        for a in ten for b in ten for c in ten for d in ten for e in ten for f in ten
        if a < b and c < d and e < f
    ]  # fmt: skip
    assert list(zip(*ours().values(), strict=True)) == plain()
    mine, theirs = in_turn([ours, plain], 0.5 if quick else 2.0)
    return {
        **mine._asdict(), "n": 10**6, "beside": {"list comprehension": theirs._asdict()}
    }  # fmt: skip


def searches(quick: bool) -> Result:
    """Random search of a free function; beside a study of Optuna that draws at random."""
    import optuna

    from benchmarks.searchers import EXAMPLE, cone
    from broadpeak._search.protocol import maximise
    from broadpeak.searchers import Random

    n = 50 if quick else 500
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: Any) -> float:
        cycle = trial.suggest_float("cycle", 10, 100, step=5)
        factor = trial.suggest_float("factor", 1, 5)
        stop = trial.suggest_float("stop", 1, 10, step=0.5)
        return 20 - abs(cycle - 50) / 10 - abs(factor - 2) - abs(stop - 4)

    def study() -> None:
        sampler = optuna.samplers.RandomSampler(seed=1)
        optuna.create_study(sampler=sampler, direction="maximize").optimize(objective, n_trials=n)

    ours = lambda: maximise(Random(n), EXAMPLE, cone)  # noqa: E731
    ours()
    mine, theirs = in_turn([ours, study], 1.0 if quick else 3.0)
    return {**mine._asdict(), "n": n, "beside": {"Optuna": theirs._asdict()}}


CASES: dict[str, Case] = {
    "plain": plain, "single": single, "compiled": compiled, "kept": kept, "empty": empty,
    "pool": pool, "cells": cells, "searches": searches,
}  # fmt: skip
