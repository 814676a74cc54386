# SPDX-License-Identifier: BSD-3-Clause
"""What searching itself costs, without any strategy: run `python -m benchmarks.searchers`."""

from __future__ import annotations

import timeit

import numpy as np
import pandas as pd

import broadpeak as bp
from broadpeak._search.protocol import maximise
from broadpeak._search.searchspace import Dimension, SearchSpace
from broadpeak.searchers import Ascent, Brute, Genetic, Optuna, Random

EXAMPLE = SearchSpace(
    [
        Dimension("cycle", 30, 10, 100, 5),
        Dimension("factor", 3, 1, 5),
        Dimension("stop", 3, 1, 10, 0.5, -3),
    ]
)


def cone(steps):
    return [20 - abs(p[0] - 50) / 10 - abs(p[1] - 2) - abs(p[2] - 4) for p, *_ in steps]


def best(func, number):
    return min(timeit.repeat(func, number=number, repeat=5)) / number


def stats_case():
    rng = np.random.default_rng(0)
    n_bars, n_trades = 3270, 120
    marks = np.sort(rng.choice(n_bars, n_trades + 1, replace=False))
    side = np.where(rng.random(n_trades) < 0.5, 1, -1)
    trades = (rng.normal(size=n_trades), side, marks[:-1], marks[1:])
    equity = np.cumsum(rng.normal(size=n_bars))
    return lambda: bp.Stats.from_trades(*trades, equity)


def main():
    for searcher in (Ascent(), Brute(), Genetic(), Random(200), Optuna("tpe", 100)):
        found = maximise(searcher, EXAMPLE, cone)
        seconds = best(lambda searcher=searcher: maximise(searcher, EXAMPLE, cone), 2)
        each = seconds / found.n_evaluations * 1e6
        name = type(searcher).__name__
        print(
            f"{name:8} {found.n_evaluations:5} evaluations {seconds * 1e3:8.2f} ms {each:8.1f} µs"
        )
    stats = stats_case()
    stats()
    print(f"Stats of 3,270 bars, 120 trades  {best(stats, 500) * 1e6:8.1f} µs")
    index = pd.MultiIndex.from_product([range(100), range(100)], names=["a", "b"])
    scores = pd.Series(np.random.default_rng(1).normal(size=10_000), index=index)
    print(f"select over 100 x 100            {best(lambda: bp.select(scores), 5) * 1e3:8.1f} ms")


if __name__ == "__main__":
    main()
