# SPDX-License-Identifier: BSD-3-Clause
"""The searchers by name; `Searcher` says how to write another one."""

from __future__ import annotations

from broadpeak._search.ascent import Ascent
from broadpeak._search.brute import Brute
from broadpeak._search.genetic import Genetic
from broadpeak._search.optuna import Optuna
from broadpeak._search.protocol import Searcher, maximise
from broadpeak._search.random import Random
from broadpeak._search.searchspace import Dimension, SearchSpace

__all__ = [
    "Ascent",
    "Brute",
    "Dimension",
    "Genetic",
    "Optuna",
    "Random",
    "SearchSpace",
    "Searcher",
    "maximise",
]
