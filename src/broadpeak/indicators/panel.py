# SPDX-License-Identifier: BSD-3-Clause
"""Lanes of one output over combinations × symbols, each distinct combination stored once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from broadpeak.errors import DataError, broken_rule
from broadpeak.indicators.source import Source, read_only
from broadpeak.triggers.cross import cross_lanes, cross_pair
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray


class Level(NamedTuple):
    """Name and labels of one column level, one label a combination."""

    name: str
    labels: list[Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """Which combinations there are, and how they are labelled.

    Attributes
    ----------
    source
        Bars and symbols.
    take
        For each combination the stored one that holds its values; None where no parameter was
        listed, so that columns are the symbols alone.
    levels
        Visible levels of listed parameters.
    """

    source: Source
    take: IntArray | None = None
    levels: Sequence[Level] = ()

    @property
    def count(self) -> int:
        """Number of combinations."""
        return 1 if self.take is None else len(self.take)

    @property
    def plain(self) -> bool:
        """Whether there is one single column, with all its bars."""
        source = self.source
        return self.take is None and len(source.symbols) == 1 and source.own_bars[0] is None

    def lane_take(self) -> IntArray:
        """Return the stored lane of every column: symbol by symbol within each combination."""
        n = len(self.source.symbols)
        if self.take is None:
            return np.arange(n)
        return (self.take[:, np.newaxis] * n + np.arange(n)).ravel()

    def index(self) -> pd.Index[Any]:
        """Return the labels of the combinations."""
        levels = self.levels
        if not levels:
            return pd.RangeIndex(self.count)
        if len(levels) == 1:
            labels: pd.Index[Any] = pd.Index(levels[0].labels, name=levels[0].name)
            return labels
        arrays = [level.labels for level in levels]
        return pd.MultiIndex.from_arrays(arrays, names=[level.name for level in levels])

    def columns(self) -> pd.Index[Any]:
        """Return the labels of the columns: levels of parameters, then `symbol` for several."""
        source = self.source
        if source.single:
            return self.index()
        if self.take is None:
            return source.columns
        n = len(source.symbols)
        symbols = source.columns.take(np.tile(np.arange(n), self.count))
        if not self.levels:
            return symbols
        params = self.index().repeat(n)
        arrays = [params.get_level_values(i) for i in range(params.nlevels)]
        names = [*params.names, source.columns.name]
        return pd.MultiIndex.from_arrays([*arrays, symbols], names=names)

    def wrap(self, lanes: AnyArray) -> Any:
        """Return lanes, one a column, as a Series or frame over them."""
        if self.take is None:
            return self.source.wrap(lanes)
        return pd.DataFrame(lanes.T, index=self.source.index, columns=self.columns(), copy=False)


@dataclass(frozen=True, slots=True)
class Panel:
    """Stored lanes, shape (n_stored × n_symbols, n_bars), and their shape."""

    lanes: AnyArray
    shape: Shape

    @property
    def numbers(self) -> FloatArray:
        """The lanes as float64: TA-Lib gives some as integers."""
        return self.lanes if self.lanes.dtype == np.float64 else self.lanes.astype(np.float64)

    def wrap(self) -> Any:
        """Return the values as a Series or frame that cannot be written to."""
        lanes = self.lanes if self.shape.take is None else self.lanes[self.shape.lane_take()]
        return self.shape.wrap(read_only(lanes))

    def crossed(self, other: Panel, *, above: bool) -> Any:
        """Return where this has crossed `other`, pair by pair, as a bool Series or frame.

        Raises
        ------
        DataError
            If the sides stand on different bars or symbols, or their combinations do not pair.
        """
        source = self.shape.source
        _check_same_bars(source, other.shape.source)
        if self.shape.plain and other.shape.plain:
            # One series against one: what a sweep asks once a combination.
            lane = cross_pair(self.numbers[0], other.numbers[0], above=above)
            return self.shape.wrap(lane[np.newaxis, :])
        pairs, take, other_take = _pair(self.shape, other.shape)
        gaps = any(own is not None for own in source.own_bars)
        cross = _cross_own_bars if gaps else _cross_all_bars
        return pairs.wrap(cross(source, (self.numbers, take), (other.numbers, other_take), above))


def _check_same_bars(mine: Source, its: Source) -> None:
    if mine is its or (mine.symbols == its.symbols and mine.index.equals(its.index)):
        return
    rule = f"stand on the same bars and symbols, {list(mine.symbols)} over {len(mine.index)} bars"
    raise DataError(broken_rule("other", rule, f"{list(its.symbols)} over {len(its.index)} bars"))


def _pair(mine: Shape, its: Shape) -> tuple[Shape, IntArray, IntArray]:
    """Return the shape of the pairs and the stored lane of each side for every column."""
    left, right = mine.lane_take(), its.lane_take()
    levels, other_levels = list(mine.levels), list(its.levels)
    if mine.count == its.count:
        larger = mine if mine.take is not None else its
    elif its.count == 1:
        larger, right = mine, np.tile(right, mine.count)
        other_levels = [Level(name, labels * mine.count) for name, labels in other_levels]
    elif mine.count == 1:
        larger, left = its, np.tile(left, its.count)
        levels = [Level(name, labels * its.count) for name, labels in levels]
    else:
        rule = f"have one combination or as many as the left side, {mine.count}"
        remedy = "Zip the lists, or take every pair with combine_params."
        raise DataError(broken_rule("other", rule, its.count, remedy))
    # A level that is the same on both sides is there once.
    levels += [level for level in other_levels if level not in levels]
    return Shape(mine.source, larger.take, levels), left, right


_Taken = tuple[AnyArray, IntArray]


def _cross_all_bars(source: Source, left: _Taken, right: _Taken, above: bool) -> BoolArray:
    return cross_lanes(*left, *right, above=above)


def _cross_own_bars(source: Source, left: _Taken, right: _Taken, above: bool) -> BoolArray:
    """Cross on the bars of each symbol: where it has none, nothing happens and nothing resets."""
    out = np.zeros((len(left[1]), left[0].shape[1]), np.bool_)
    n = len(source.symbols)
    for place, own in enumerate(source.own_bars):
        bars = np.arange(out.shape[1]) if own is None else own
        (mine, take), (its, its_take) = (
            (np.ascontiguousarray(lanes[place::n][:, bars]), chosen[place::n] // n)
            for lanes, chosen in (left, right)
        )
        out[place::n, bars] = cross_lanes(mine, take, its, its_take, above=above)
    return out
