# SPDX-License-Identifier: BSD-3-Clause
"""Labels of merged results: parameter levels put before the levels that results bring."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Index
from broadpeak._core.labels import (
    as_keys_index,
    factorize,
    from_codes,
    identity,
    index_of_objects,
    multi_index,
)
from broadpeak.errors import ParamError
from broadpeak.types import IntArray


def as_keys(keys: object, n_results: int, how: str) -> Index | None:
    """Return `keys` as an Index of `n_results` labels (None stays None).

    Raises
    ------
    ParamError
        If there is not one key a result.
    """
    if keys is None:
        return None
    if isinstance(keys, pd.Index):
        index = keys
    else:
        index = as_keys_index(check.labels("keys", keys, "be a list of labels, one a result"))
    if len(index) != n_results:
        raise ParamError(
            f"{how} must have one key a result, got {len(index)} keys for {n_results} results."
        )
    return index


def prepend(keys: Index, counts: IntArray | Sequence[int], inner: Index) -> pd.MultiIndex:
    """Return label i of `keys` repeated ``counts[i]`` times, before the levels of `inner`.

    Examples
    --------
    >>> prepend(pd.Index([10, 20], name="fast"), [1, 2], pd.RangeIndex(3)).to_list()
    [(10, 0), (20, 1), (20, 2)]
    """
    repeats = np.asarray(counts, dtype=np.int64)
    key_levels, key_codes = split_levels(keys)
    levels, codes = split_levels(inner)
    repeated = [np.repeat(code, repeats) for code in key_codes]
    return from_codes([*key_levels, *levels], [*repeated, *codes], [*keys.names, *inner.names])


def prepend_same(keys: Index, inner: Index) -> pd.MultiIndex:
    """Return `prepend` for results that all bring the labels `inner`."""
    key_levels, key_codes = split_levels(keys)
    levels, codes = split_levels(inner)
    repeated = [np.repeat(code, len(inner)) for code in key_codes]
    tiled = [np.tile(code, len(keys)) for code in codes]
    return from_codes([*key_levels, *levels], [*repeated, *tiled], [*keys.names, *inner.names])


def split_levels(index: Index) -> tuple[list[Index], list[Any]]:
    """Return the levels of `index` and the code of every label in them (-1: missing)."""
    if isinstance(index, pd.MultiIndex):
        return list(index.levels), list(index.codes)
    if index.dtype != object and index.is_unique and not index.hasnans:
        return [index.rename(None)], [np.arange(len(index))]
    level, codes = factorize(index)
    return [level.rename(None)], [codes]


def all_same(indexes: Sequence[Index]) -> bool:
    """Return whether all `indexes` hold the same labels of the same type, in the same order."""
    first = indexes[0]
    return all(
        other is first
        or (
            other.nlevels == first.nlevels
            and _types(other) == _types(first)
            and other.equals(first)
            and _same_objects(other, first)
        )
        for other in indexes[1:]
    )


def _same_objects(left: Index, right: Index) -> bool:
    """Whether labels that are equal are of one type as well: True equals 1."""
    return all(
        not pd.api.types.is_object_dtype(dtype)
        or all(
            map(
                operator.eq,
                map(identity, left.get_level_values(level)),
                map(identity, right.get_level_values(level)),
            )
        )
        for level, dtype in enumerate(_types(left))
    )


def _types(index: Index) -> list[Any]:
    return list(index.dtypes) if isinstance(index, pd.MultiIndex) else [index.dtype]


def joined(indexes: Sequence[Index], how: str) -> Index:
    """Return `indexes` one after another; a level keeps its name if all agree on it.

    Raises
    ------
    ParamError
        If their numbers of levels differ.
    """
    depths = sorted({index.nlevels for index in indexes})
    if len(depths) > 1:
        raise ParamError(
            f"Labels of results must have the same number of levels under {how}, got {depths}. "
            f"Drop the additional levels, or pass merge_kwargs=dict(wrap=False)."
        )
    first, rest = indexes[0], list(indexes[1:])
    names = shared_names(indexes)
    if rest and isinstance(first, pd.MultiIndex) and any(map(_holds_objects, indexes)):
        columns = [
            _appended([each.get_level_values(level) for each in indexes])
            for level in range(first.nlevels)
        ]
        return multi_index(columns, names)
    whole = _appended(indexes) if rest else first
    return whole.set_names(names)


def _holds_objects(index: Any) -> bool:
    return any(map(pd.api.types.is_object_dtype, _types(index)))


def _appended(indexes: Sequence[Index]) -> Index:
    """Return `indexes` one after another; pandas would make NaN of a None beside numbers."""
    first, rest = indexes[0], list(indexes[1:])
    if any(map(_holds_objects, indexes)) and not isinstance(first, pd.MultiIndex):
        return index_of_objects([label for each in indexes for label in each.tolist()])
    return first.append(rest)


def shared_names(indexes: Sequence[Index]) -> list[Any]:
    """Return the name of every level, None where `indexes` disagree."""
    first = list(indexes[0].names)
    return [
        name if all(index.names[level] == name for index in indexes) else None
        for level, name in enumerate(first)
    ]


def continued(indexes: Sequence[Index], how: str) -> Index:
    """Return `joined`; where every piece merely counts from 0, the whole counts on."""
    if all(is_default(index) for index in indexes):
        return pd.RangeIndex(sum(map(len, indexes)))
    whole = joined(indexes, how)
    if isinstance(whole, (pd.DatetimeIndex, pd.TimedeltaIndex)) and whole.freq is None:
        whole = _with_freq(whole, indexes)
    return whole


def _with_freq(whole: Any, indexes: Sequence[Any]) -> Any:
    """Return `whole` with the frequency that all pieces have, if they follow one another."""
    freqs = {index.freq for index in indexes}
    if len(freqs) != 1 or None in freqs:
        return whole
    try:
        return type(whole)(whole, freq=freqs.pop())
    except ValueError:  # there is a gap between pieces
        return whole


def is_default(index: Index) -> bool:
    """Whether an index merely counts from 0, as pandas does where it is given no labels."""
    return (
        isinstance(index, pd.RangeIndex)
        and index.name is None
        and index.start == 0
        and index.step == 1
    )
