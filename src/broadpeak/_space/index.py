# SPDX-License-Identifier: BSD-3-Clause
"""Labels and codes → pandas index, without ever building tuples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from operator import lt
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core.labels import as_index, factorize, from_codes
from broadpeak.types import AnyArray, IntArray


def build_index(
    names: Sequence[str],
    labels: Sequence[Sequence[Any] | pd.Index[Any]],
    codes: Sequence[IntArray],
    n_rows: int,
) -> pd.Index[Any]:
    """Return the index whose level k shows ``labels[k][codes[k]]``.

    One level gives a named Index, none a `RangeIndex` named ``param``. Labels keep their value and
    their type, also where they are repeated, mixed or missing.
    """
    if not names:
        return pd.RangeIndex(n_rows, name="param")
    used = [_used(level, code) for level, code in zip(labels, codes, strict=True)]
    if len(names) == 1:
        values, code = used[0]
        index: pd.Index[Any] = as_index(values).take(code).rename(names[0])
        return index
    factors = [_factorize(values) for values, _ in used]
    return from_codes(
        [levels for levels, _ in factors],
        [
            code if recode is None else recode[code]
            for (_, recode), (_, code) in zip(factors, used, strict=True)
        ],
        list(names),
    )


def _used(
    labels: Sequence[Any] | pd.Index[Any], codes: IntArray
) -> tuple[Sequence[Any] | pd.Index[Any], IntArray]:
    """Return the labels that occur, and codes into them: a long level must not cost a short run."""
    if len(labels) <= max(len(codes), 1000):
        return labels, codes
    kept, codes = np.unique(codes, return_inverse=True)
    if isinstance(labels, pd.Index):
        return labels.take(kept), codes
    return [labels[int(code)] for code in kept], codes


def _factorize(labels: Sequence[Any] | pd.Index[Any]) -> tuple[Any, AnyArray | None]:
    """Return unique labels, sorted if they can be, and the code of each label (-1: missing).

    No codes stand for labels that are unique and in order already.
    """
    if _is_sorted(labels):
        return as_index(labels), None
    return factorize(as_index(labels))


def _is_sorted(labels: Sequence[Any] | pd.Index[Any]) -> bool:
    """Whether labels are numbers or texts of one kind, each larger than the one before."""
    if isinstance(labels, range):
        return labels.step > 0
    if isinstance(labels, pd.Index) or len(set(map(type, labels))) != 1:
        return False
    first = labels[0]
    if type(first) not in {int, float, str} or pd.isna(first):
        return False
    return all(map(lt, labels, islice(labels, 1, None)))
