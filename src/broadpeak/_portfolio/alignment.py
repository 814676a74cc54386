# SPDX-License-Identifier: BSD-3-Clause
"""Which columns a portfolio has, and which column of each argument every one of them reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Index
from broadpeak._core.columns import (
    describe,
    find_blocks,
    find_labels,
    missing_levels,
    split_levels,
    with_levels,
)
from broadpeak._core.labels import span
from broadpeak._signals.crossing import Crossing
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import COMBINATION, AnyArray, IntArray


@dataclass(slots=True)
class Operand:
    """An array that is broadcast with the others: prices, signals, or a setting.

    Attributes
    ----------
    name : str
        The argument of `Portfolio.from_signals` that it was.
    array : array, shape (rows, bars) or (rows, 1), or Crossing
        A crossing stands for the signals that nobody has looked at.
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
    array: AnyArray | Crossing
    columns: Index | None = None
    kind: str = "table"
    wide: bool = False

    @property
    def n_rows(self) -> int:
        """Number of columns that the user gave."""
        return int(self.array.shape[0])

    @property
    def rows(self) -> AnyArray:
        """The array; the values of a crossing are not asked for here."""
        if isinstance(self.array, Crossing):
            msg = f"{self.name} is a crossing, whose values are made by who needs them"
            raise TypeError(msg)
        return self.array


@dataclass(slots=True)
class Columns:
    """The columns of one portfolio.

    Attributes
    ----------
    count : int
    labels : pd.Index or None
        None for one column without labels.
    rows : dict of int64 arrays or None
        For each argument its column that every column reads; None where they are the same.
    """

    count: int
    labels: Index | None
    rows: dict[str, IntArray | None]


def resolve(arguments: Sequence[Operand], n_prices: int) -> Columns:
    """Return the columns that all arguments share.

    Parameters
    ----------
    arguments : sequence of Operand
        Close first.
    n_prices : int
        Number of price columns.

    Raises
    ------
    DataError
        If columns are neither the same nor related by shared level names, or an array or list of
        parameters has another number of columns.
    """
    if all(map(_is_flat, arguments)):
        return Columns(1, None, {argument.name: None for argument in arguments})
    widest, owner = _widest(arguments)
    tables = [argument for argument in arguments if argument.kind == "table"]
    wide = any(argument.wide for argument in tables)
    count = len(widest) if widest is not None else max(argument.n_rows for argument in tables)
    rows: dict[str, IntArray | None] = {}
    labels = widest
    for argument in tables:
        beside = _levels_beside(argument, widest)
        if beside is None:
            rows[argument.name] = _rows(argument, widest, owner, count)
        else:
            rows[argument.name] = None
            labels = with_levels(labels, beside) if labels is not None and beside else labels
    lists = [argument for argument in arguments if _is_list(argument, count, wide=wide)]
    for argument in arguments:
        if argument.kind != "table" and not any(argument is one for one in lists):
            rows[argument.name] = _rows(argument, labels, owner, count)
    close = arguments[0]
    one_each = close.columns is not None and COMBINATION in close.columns.names
    only_prices = labels is close.columns and (labels is not None or close.wide or not wide)
    if labels is None and wide:
        labels = pd.RangeIndex(count)
    if (
        count == n_prices
        and not one_each
        and _makes_columns(lists, only_prices=only_prices, wide=wide)
    ):
        singles = {argument.name for argument in arguments if argument.n_rows == 1}
        return _multiplied(lists, labels, count, rows, singles)
    for argument in lists:
        rows[argument.name] = _list_rows(argument, count, 1 if one_each else n_prices)
    return Columns(count, labels, rows)


def _is_list(argument: Operand, count: int, *, wide: bool) -> bool:
    """Whether an argument holds values of a parameter: an array may hold one value a column."""
    if argument.kind != "across":
        return argument.kind == "list"
    return argument.n_rows != count or not wide


def _makes_columns(lists: Sequence[Operand], *, only_prices: bool, wide: bool) -> bool:
    """Whether lists of parameters make columns, where there is one combination so far.

    A list of one value does where columns are those of prices: signals of one combination of
    parameters are the columns already, as those of several are.
    """
    if _common_length(lists) > 1:
        return True
    return only_prices and any(argument.kind == "list" or not wide for argument in lists)


def _is_flat(argument: Operand) -> bool:
    """Whether an argument has no columns; a list of one value makes one."""
    return not argument.wide and argument.kind == "table"


def _levels_beside(argument: Operand, labels: Index | None) -> list[Index] | None:
    """Return the levels that a table adds to `labels` if its columns meet them by position.

    Two tables of as many combinations of different parameters do, as a mono-chunk makes them. None
    where columns are the same, related by name, or of other assets.
    """
    its_columns = argument.columns
    if its_columns is None or labels is None or len(its_columns) != len(labels):
        return None
    if its_columns.equals(labels) or find_blocks(its_columns, labels) is not None:
        return None
    (params, assets), (its_params, its_assets) = split_levels(its_columns), split_levels(labels)
    names = [level.name for level in (*params, *its_params)]
    is_zipped = COMBINATION in names
    if None in names or not (params or its_params):
        return None
    same = len(assets) == len(its_assets) and not missing_levels(assets, its_assets)
    if not same and not (is_zipped and not (assets and its_assets)):
        return None
    return missing_levels(params, its_params)


def _widest(arguments: Sequence[Operand]) -> tuple[Index | None, str]:
    """Return the labels with the most levels: all others must be found in them."""
    labels, owner = None, ""
    for argument in arguments:
        found = argument.columns
        if argument.kind == "labelled":
            continue
        if found is None:
            continue
        if (
            labels is None
            or found.nlevels > labels.nlevels
            or (len(found) > len(labels) and find_blocks(labels, found) is not None)
        ):
            labels, owner = found, argument.name
    return labels, owner


def _rows(argument: Operand, labels: Index | None, owner: str, count: int) -> IntArray | None:
    if argument.columns is not None and labels is None:
        rule = "have the index of close, or its columns"
        raise DataError(broken_rule(argument.name, rule, span(argument.columns)))
    if argument.columns is not None and labels is not None:
        return _project(argument, labels, owner)
    if argument.n_rows in {1, count}:
        return None
    against = "" if labels is None else f", the columns of {owner}"
    rule = f"have 1 or {count} columns{against}"
    raise DataError(broken_rule(argument.name, rule, argument.n_rows))


def _project(argument: Operand, labels: Index, owner: str) -> IntArray | None:
    """Return the own column of every label: by position if the same, else by the shared levels."""
    its_columns = argument.columns
    if its_columns is None or its_columns is labels or its_columns.equals(labels):
        return None
    blocks = find_blocks(its_columns, labels)
    if blocks is not None:
        return blocks
    if argument.kind == "labelled" and its_columns.nlevels == 1 and its_columns.is_unique:
        by_label = _values_by_label(its_columns, labels)
        if by_label is not None:
            return by_label
    by_name = find_labels(its_columns, labels) if its_columns.nlevels < labels.nlevels else None
    if by_name is not None:
        return by_name
    msg = (
        f"{argument.name} must have the columns of {owner}, or levels of them by name, got "
        f"{describe(its_columns)} against {describe(labels)}. Pass a Series or one-dimensional "
        "array to use it for every column."
    )
    raise DataError(msg)


def _values_by_label(its_columns: Index, labels: Index) -> IntArray | None:
    """Return the own column of every label for a Series over columns, in any order of its own.

    Without a name it may be over any level, if its labels fit one level only.
    """
    found = []
    for position, name in enumerate(labels.names):
        if its_columns.name is None or name == its_columns.name:
            rows = its_columns.get_indexer(labels.get_level_values(position))
            if (rows >= 0).all():
                found.append(rows.astype(np.int64))
    return found[0] if len(found) == 1 else None


def _common_length(lists: Sequence[Operand]) -> int:
    lengths = {argument.name: argument.n_rows for argument in lists if argument.n_rows > 1}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        msg = f"Lists of parameters must be of one length, got {shown}. Pass zipped lists."
        raise DataError(msg)
    return next(iter(lengths.values()), 1)


def _list_rows(argument: Operand, count: int, n_prices: int) -> IntArray | None:
    """Match a list with the columns: one value each, or one for each block of price columns."""
    length = argument.n_rows
    if length in {1, count}:
        return None
    if length * n_prices == count:
        return np.arange(count, dtype=np.int64) // n_prices
    rule = f"have 1 value, {count} (columns) or {count // n_prices} (parameters)"
    raise DataError(broken_rule(argument.name, rule, length))


def _multiplied(
    lists: Sequence[Operand],
    labels: Index | None,
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
    for argument in lists:
        tiled[argument.name] = block if argument.n_rows > 1 else np.zeros_like(block)
    levels = [
        pd.Index(argument.rows[block if argument.n_rows > 1 else block * 0, 0], name=argument.name)
        for argument in lists
    ]
    if labels is not None:
        levels += [labels.get_level_values(k)[inner] for k in range(labels.nlevels)]
    if len(levels) == 1:
        return Columns(length * count, levels[0], tiled)
    return Columns(length * count, pd.MultiIndex.from_arrays(levels), tiled)
