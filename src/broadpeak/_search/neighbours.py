# SPDX-License-Identifier: BSD-3-Clause
"""The labels of one index level: which of them are neighbours, and in which order they stand."""

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

from broadpeak._core.labels import factorize, plain
from broadpeak.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class LabelLevel:
    """One level of the index of some scores.

    Attributes
    ----------
    labels : tuple
        Each label once: numbers and dates ascending, then names. The order does not depend on the
        order of the rows.
    runs : array of int, shape (n_labels,)
        Labels of one run are neighbours in their order: the numbers are one, dates another. A name
        (a text, a truth value, None, NaN, anything else) is a run of its own.
    codes : array of int, shape (n_rows,)
        The label of each row.
    """

    labels: tuple[Any, ...]
    runs: IntArray
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


def read_level(index: pd.Index[Any], position: int) -> LabelLevel:
    """Return the level of `index` at `position`."""
    if isinstance(index, pd.MultiIndex):
        level, own = index.levels[position], np.asarray(index.codes[position], dtype=np.int64)
    else:
        level, own = index, np.arange(len(index))
    unique, recode = factorize(level)
    used, codes = np.unique(np.append(recode, -1)[own], return_inverse=True)
    # The last code stands for what pandas calls missing.
    labels = [*map(plain, unique), pd.NaT if level.dtype.kind in "mM" else math.nan]
    if isinstance(level.dtype, pd.CategoricalDtype) and level.dtype.ordered:
        kinds: list[Hashable] = [*["given"] * len(unique), None]
        ranked = [*(code for code in used if code >= 0), *(code for code in used if code < 0)]
    else:
        kinds = list(map(_kind, labels))
        ranked = sorted(used, key=lambda code: _sort_key(kinds[code], labels[code]))
    place_of = {code: place for place, code in enumerate(ranked)}
    places = np.array([place_of[code] for code in used], dtype=np.int64)
    runs = _runs([kinds[code] for code in ranked])
    return LabelLevel(tuple(labels[code] for code in ranked), runs, places[codes])


def _runs(kinds: list[Hashable]) -> IntArray:
    """Return the run of each label, from their kinds in order: a name is one of its own."""
    runs = np.zeros(len(kinds), dtype=np.int64)
    for place in range(1, len(kinds)):
        begins = kinds[place] is None or kinds[place] != kinds[place - 1]
        runs[place] = runs[place - 1] + begins
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
    for kind, spoken in ((dt.date, "c date"), (dt.time, "e hour")):
        if isinstance(label, kind):
            return spoken
    return ("f period", label.freqstr) if isinstance(label, pd.Period) else None


def _sort_key(kind: Hashable, label: Any) -> tuple[Any, ...]:
    """Return a key under which labels of one kind lie side by side, and names come last."""
    own = type(label).__name__
    if kind is None:
        return "z", own, repr(label)
    spoken, more = kind if isinstance(kind, tuple) else (kind, "")
    if spoken == "a number" and type(label) is not int and math.isfinite(label):
        return spoken, more, fractions.Fraction(label), own
    return spoken, more, label, own
