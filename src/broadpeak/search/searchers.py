# SPDX-License-Identifier: BSD-3-Clause
"""The searchers by name; `broadpeak.search.base` says how to write another one."""

from __future__ import annotations

from broadpeak.search.ascent import Ascent
from broadpeak.search.base import Searcher, maximise
from broadpeak.search.brute import Brute
from broadpeak.search.genetic import Genetic
from broadpeak.search.optuna import Optuna
from broadpeak.search.random import Random
from broadpeak.search.space import Dimension, SearchSpace

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
