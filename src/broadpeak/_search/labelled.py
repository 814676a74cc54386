# SPDX-License-Identifier: BSD-3-Clause
"""Scores as a search knows them: a Series whose index levels are parameters, read and checked."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import fractions
import math
import numbers
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Index
from broadpeak._core.labels import factorize, plain
from broadpeak._search.protocol import LARGEST
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import FloatArray, IntArray


def score_values(scores: object) -> FloatArray:
    """Return the scores as floats, infinite where they are too large to search with."""
    remedy = "Pass a Series with one index level a parameter, such as the result of a sweep."
    if not isinstance(scores, pd.Series):
        raise ParamError(broken_rule("scores", "be a pandas Series", scores, remedy))
    if scores.empty:
        raise ParamError(broken_rule("scores", "hold at least one score", len(scores), remedy))
    rule = "hold numbers that a float can hold"
    if scores.dtype.kind in "cmM":  # numpy would count nanoseconds, and leave out imaginary parts
        raise ParamError(broken_rule("scores", rule, str(scores.dtype)))
    try:
        values = scores.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError, OverflowError) as error:
        raise ParamError(broken_rule("scores", rule, scores.dtype)) from error
    return np.where(np.abs(values) > LARGEST, np.inf, values)


def level_names(index: Index) -> list[str]:
    names = [
        f"level_{position}" if name is None else str(name)
        for position, name in enumerate(index.names)
    ]
    if len(set(names)) < len(names):
        remedy = "Rename them with scores.rename_axis([...])."
        raise ParamError(broken_rule("the index levels", "have distinct names", names, remedy))
    return names


@dataclass(frozen=True, slots=True, eq=False)
class LabelLevel:
    """One level of the index of some scores."""

    name: str
    # Each label once: numbers and dates ascending, then names. The order does not depend on the
    # order of the rows.
    labels: tuple[Any, ...]
    # The run of each label. Labels of one run are neighbours in their order: the numbers are one
    # run, dates another; a name (a string, a boolean, None, NaN, anything else) is alone.
    runs: IntArray
    # The label of each row.
    codes: IntArray

    @property
    def numbers(self) -> FloatArray | None:
        """The labels as numbers; None where one of them is no finite number."""
        if self.runs[-1] or not isinstance(self.labels[0], numbers.Number):
            return None
        if isinstance(self.labels[0], (bool, enum.Enum)):
            return None
        try:
            values = np.array([float(label) for label in self.labels])
        except (OverflowError, TypeError):
            return None
        return values if np.isfinite(values).all() else None


def read_level(index: Index, position: int, name: str) -> LabelLevel:
    """Return the level of `index` at `position`."""
    if isinstance(index, pd.MultiIndex):
        level, codes_of_rows = (
            index.levels[position],
            np.asarray(index.codes[position], dtype=np.int64),
        )
    else:
        level, codes_of_rows = index, np.arange(len(index))
    unique, recode = factorize(level)
    used, codes = np.unique(np.append(recode, -1)[codes_of_rows], return_inverse=True)
    # The last code stands for what pandas calls missing.
    labels = [*map(plain, unique), pd.NaT if level.dtype.kind in "mM" else math.nan]
    if isinstance(level.dtype, pd.CategoricalDtype) and level.dtype.ordered:
        kinds: list[Hashable] = [*["given"] * len(unique), None]
        ranked = [*(code for code in used if code >= 0), *(code for code in used if code < 0)]
    else:
        kinds = list(map(_kind, labels))
        ranked = sorted(used, key=lambda code: _sort_key(kinds[code], labels[code]))
    code_of = {code: rank for rank, code in enumerate(ranked)}
    positions = np.array([code_of[code] for code in used], dtype=np.int64)
    runs = _runs([kinds[code] for code in ranked])
    return LabelLevel(name, tuple(labels[code] for code in ranked), runs, positions[codes])


def _runs(kinds: list[Hashable]) -> IntArray:
    """Return the run of each label, from their kinds in order: a name is one of its own."""
    runs = np.zeros(len(kinds), dtype=np.int64)
    for i in range(1, len(kinds)):
        begins = kinds[i] is None or kinds[i] != kinds[i - 1]
        runs[i] = runs[i - 1] + begins
    return runs


def _kind(label: Any) -> Hashable:
    """Return what a label can be ordered with; None for a name."""
    if isinstance(label, (bool, enum.Enum)) or (pd.api.types.is_scalar(label) and pd.isna(label)):
        return None
    if isinstance(label, (int, float, decimal.Decimal, fractions.Fraction)):
        return "a number"
    if isinstance(label, dt.datetime):
        return "b time", label.tzinfo is not None
    if isinstance(label, dt.timedelta):
        return "d span"
    for kind, name in ((dt.date, "c date"), (dt.time, "e hour")):
        if isinstance(label, kind):
            return name
    return ("f period", label.freqstr) if isinstance(label, pd.Period) else None


def _sort_key(kind: Hashable, label: Any) -> tuple[Any, ...]:
    """Return a key under which labels of one kind lie side by side, and names come last."""
    type_name = type(label).__name__
    if kind is None:
        return "z", type_name, repr(label)
    name, more = kind if isinstance(kind, tuple) else (kind, "")
    if name == "a number" and type(label) is not int and math.isfinite(label):
        return name, more, fractions.Fraction(label), type_name
    return name, more, label, type_name
