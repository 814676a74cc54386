# SPDX-License-Identifier: BSD-3-Clause
"""Which columns a portfolio has, and which row of each argument a column reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._signals.pairing import join_levels, same_level, sorted_levels
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import COMBINATION, AnyArray, IntArray


@dataclass(slots=True)
class MarketArgument:
    """An array argument.

    Attributes
    ----------
    name : str
    array : array, shape (rows, bars) or (rows, 1)
    columns : pd.Index or None
        Labels of the rows, where the user gave any.
    kind : str
        "table" lies over bars; "list" holds values of a parameter, which make or match columns;
        "across" is an array over columns, or a list where it does not fit them; "labelled" is a
        Series over columns.
    wide : bool
        Whether the user gave columns, be it one.
    """

    name: str
    array: AnyArray
    columns: pd.Index | None = None
    kind: str = "table"
    wide: bool = False


@dataclass(slots=True)
class Columns:
    """The columns of one portfolio.

    Attributes
    ----------
    count : int
    labels : pd.Index or None
        None for one column without labels.
    rows : dict of int64 arrays or None
        For each argument the row of every column; None where rows and columns are the same.
    """

    count: int
    labels: pd.Index | None
    rows: dict[str, IntArray | None]


def span(index: pd.Index) -> str:
    """Return an index in a few words.

    Examples
    --------
    >>> span(pd.RangeIndex(3))
    '3 labels from 0 to 2'
    """
    if len(index) == 0:
        return "no labels"
    first, last = (
        label.isoformat() if isinstance(label, pd.Timestamp) else repr(label)
        for label in (index[0], index[-1])
    )
    return f"{len(index)} labels from {first} to {last}"


def resolve(givens: Sequence[MarketArgument], n_prices: int) -> Columns:
    """Return the columns that all arguments share.

    Parameters
    ----------
    givens : sequence of Given
        Close first.
    n_prices : int
        Number of price columns.

    Raises
    ------
    DataError
        If columns are neither the same nor related by shared level names, or an array or list of
        parameters has another number of columns.
    """
    if all(map(_is_flat, givens)):
        return Columns(1, None, {given.name: None for given in givens})
    widest, owner = _widest(givens)
    tables = [given for given in givens if given.kind == "table"]
    wide = any(given.wide for given in tables)
    count = len(widest) if widest is not None else max(len(given.array) for given in tables)
    rows: dict[str, IntArray | None] = {}
    labels = widest
    for given in tables:
        beside = _levels_beside(given, widest)
        if beside is None:
            rows[given.name] = _rows(given, widest, owner, count)
        else:
            rows[given.name] = None
            labels = _with_levels(labels, beside)
    lists = [given for given in givens if _is_list(given, count, wide=wide)]
    for given in givens:
        if given.kind != "table" and not any(given is one for one in lists):
            rows[given.name] = _rows(given, labels, owner, count)
    close = givens[0]
    one_each = close.columns is not None and COMBINATION in close.columns.names
    only_prices = labels is close.columns and (labels is not None or close.wide or not wide)
    if labels is None and wide:
        labels = pd.RangeIndex(count)
    if (
        count == n_prices
        and not one_each
        and _makes_columns(lists, only_prices=only_prices, wide=wide)
    ):
        singles = {given.name for given in givens if len(given.array) == 1}
        return _multiplied(lists, labels, count, rows, singles)
    for given in lists:
        rows[given.name] = _list_rows(given, count, 1 if one_each else n_prices)
    return Columns(count, labels, rows)


def _is_list(given: MarketArgument, count: int, *, wide: bool) -> bool:
    """Whether an argument holds values of a parameter: an array may hold one value a column."""
    if given.kind != "across":
        return given.kind == "list"
    return len(given.array) != count or not wide


def _makes_columns(lists: Sequence[MarketArgument], *, only_prices: bool, wide: bool) -> bool:
    """Whether lists of parameters make columns, where there is one combination so far.

    A list of one value does where columns are those of prices: signals of one combination of
    parameters are the columns already, as those of several are.
    """
    if _common_length(lists) > 1:
        return True
    return only_prices and any(given.kind == "list" or not wide for given in lists)


def _is_flat(given: MarketArgument) -> bool:
    """Whether an argument has no columns; a list of one value makes one."""
    return not given.wide and given.kind == "table"


def _levels_beside(given: MarketArgument, labels: pd.Index | None) -> list[pd.Index] | None:
    """Return the levels that a table adds to `labels` if its columns meet them by position.

    Two tables of as many combinations of different parameters do, as a mono-chunk makes them. None
    where columns are the same, related by name, or of other assets.
    """
    own = given.columns
    if own is None or labels is None or len(own) != len(labels):
        return None
    if own.equals(labels) or _block_rows(own, labels) is not None:
        return None
    (params, assets), (its_params, its_assets) = sorted_levels(own), sorted_levels(labels)
    names = [level.name for level in (*params, *its_params)]
    is_zipped = COMBINATION in names
    if None in names or not (params or its_params):
        return None
    if not is_zipped and not _same_levels(assets, its_assets):
        return None
    if is_zipped and assets and its_assets and not _same_levels(assets, its_assets):
        return None
    return [level for level in params if not any(same_level(level, one) for one in its_params)]


def _same_levels(left: list[pd.Index], right: list[pd.Index]) -> bool:
    return len(left) == len(right) and all(map(same_level, left, right))


def _with_levels(labels: pd.Index | None, extra: list[pd.Index]) -> pd.Index | None:
    """Return `labels` with more levels, those of assets last."""
    if labels is None or not extra:
        return labels
    params, assets = sorted_levels(labels)
    return join_levels([*params, *extra, *assets])


def _widest(givens: Sequence[MarketArgument]) -> tuple[pd.Index | None, str]:
    """Return the labels with the most levels: all others must be found in them."""
    labels, owner = None, ""
    for given in givens:
        found = given.columns
        if given.kind == "labelled":
            continue
        if found is None:
            continue
        if labels is None or found.nlevels > labels.nlevels or _is_repeated(labels, found):
            labels, owner = found, given.name
    return labels, owner


def _is_repeated(own: pd.Index, labels: pd.Index) -> bool:
    return len(labels) > len(own) and _block_rows(own, labels) is not None


def _block_rows(own: pd.Index, labels: pd.Index) -> IntArray | None:
    """Return the row of every label where `labels` are `own` once or more, block after block.

    Labels repeat so where parameter levels are hidden; position then says what belongs together.
    """
    names = list(own.names)
    if own.nlevels < labels.nlevels:
        if any(name is None or list(labels.names).count(name) != 1 for name in names):
            return None
        extra: Any = [place for place, name in enumerate(labels.names) if name not in names]
        labels = labels.droplevel(extra)
    if own.nlevels != labels.nlevels or not len(own) or len(labels) % len(own):
        return None
    rows = np.tile(np.arange(len(own), dtype=np.int64), len(labels) // len(own))
    return rows if own.take(rows).equals(labels) else None


def _rows(
    given: MarketArgument, labels: pd.Index | None, owner: str, count: int
) -> IntArray | None:
    if given.columns is not None and labels is None:
        rule = "have the index of close, or its columns"
        raise DataError(broken_rule(given.name, rule, span(given.columns)))
    if given.columns is not None and labels is not None:
        return _project(given, labels, owner)
    if len(given.array) in {1, count}:
        return None
    against = "" if labels is None else f", the columns of {owner}"
    rule = f"have 1 or {count} columns{against}"
    raise DataError(broken_rule(given.name, rule, len(given.array)))


def _project(given: MarketArgument, labels: pd.Index, owner: str) -> IntArray | None:
    """Return the row of every label: by position if the same, else by the shared levels."""
    own = given.columns
    if own is None or own is labels or own.equals(labels):
        return None
    blocks = _block_rows(own, labels)
    if blocks is not None:
        return blocks
    if given.kind == "labelled" and own.nlevels == 1 and own.is_unique:
        by_label = _values_by_label(own, labels)
        if by_label is not None:
            return by_label
    shared = own.nlevels < labels.nlevels and all(
        name is not None and list(labels.names).count(name) == 1 for name in own.names
    )
    if shared and own.is_unique:
        names: list[Any] = list(own.names)
        wanted: pd.Index = labels.get_level_values(names[0])
        if len(names) > 1:
            wanted = pd.MultiIndex.from_arrays([labels.get_level_values(name) for name in names])
        rows = own.get_indexer(wanted)
        if (rows >= 0).all():
            return rows.astype(np.int64)
    msg = (
        f"{given.name} must have the columns of {owner}, or levels of them by name, got "
        f"{_named(own)} against {_named(labels)}. Pass a Series or one-dimensional array to use "
        f"it for every column."
    )
    raise DataError(msg)


def _values_by_label(own: pd.Index, labels: pd.Index) -> IntArray | None:
    """Return the row of every label for a Series over columns, in any order of its own.

    Without a name it may be over any level, if its labels fit one level only.
    """
    found = []
    for place, name in enumerate(labels.names):
        if own.name is None or name == own.name:
            rows = own.get_indexer(labels.get_level_values(place))
            if (rows >= 0).all():
                found.append(rows.astype(np.int64))
    return found[0] if len(found) == 1 else None


def _named(labels: pd.Index) -> str:
    names = ", ".join(str(name) for name in labels.names)
    shown = ", ".join(repr(label) for label in labels[:3])
    more = ", …" if len(labels) > 3 else ""
    return f"{len(labels)} columns [{shown}{more}] (levels: {names})"


def _common_length(lists: Sequence[MarketArgument]) -> int:
    lengths = {given.name: len(given.array) for given in lists if len(given.array) > 1}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        msg = f"Lists of parameters must be of one length, got {shown}. Pass zipped lists."
        raise DataError(msg)
    return next(iter(lengths.values()), 1)


def _list_rows(given: MarketArgument, count: int, n_prices: int) -> IntArray | None:
    """Match a list with the columns: one value each, or one for each block of price columns."""
    length = len(given.array)
    if length in {1, count}:
        return None
    if length * n_prices == count:
        return np.arange(count, dtype=np.int64) // n_prices
    rule = f"have 1 value, {count} (columns) or {count // n_prices} (parameters)"
    raise DataError(broken_rule(given.name, rule, length))


def _multiplied(
    lists: Sequence[MarketArgument],
    labels: pd.Index | None,
    count: int,
    rows: dict[str, IntArray | None],
    singles: set[str],
) -> Columns:
    """Return one block of columns for each value of the lists, the values as new levels."""
    length = _common_length(lists)
    block = np.repeat(np.arange(length, dtype=np.int64), count)
    inner = np.tile(np.arange(count, dtype=np.int64), length)
    tiled: dict[str, IntArray | None] = {}
    for name, old in rows.items():
        tiled[name] = inner if old is None else old[inner]
        if name in singles:
            tiled[name] = np.zeros_like(inner)
    for given in lists:
        tiled[given.name] = block if len(given.array) > 1 else np.zeros_like(block)
    levels = [
        pd.Index(given.array[block if len(given.array) > 1 else block * 0, 0], name=given.name)
        for given in lists
    ]
    if labels is not None:
        levels += [labels.get_level_values(k)[inner] for k in range(labels.nlevels)]
    if len(levels) == 1:
        return Columns(length * count, levels[0], tiled)
    return Columns(length * count, pd.MultiIndex.from_arrays(levels), tiled)
