# SPDX-License-Identifier: BSD-3-Clause
"""Lanes of one output over combinations × symbols, each distinct combination stored once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core.arrays import Wrapping, check_index, unwrap
from broadpeak._prices.table import PriceTable, read_only
from broadpeak._signals.cross import cross_lanes, cross_level, cross_pair, pair_lanes
from broadpeak._signals.levels import level_numbers
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray


class PanelLevel(NamedTuple):
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
    hidden
        Whether parameters give no levels, those of crossings included.
    """

    source: PriceTable
    take: IntArray | None = None
    levels: Sequence[PanelLevel] = ()
    hidden: bool = False

    @property
    def count(self) -> int:
        """Number of combinations."""
        return 1 if self.take is None else len(self.take)

    @property
    def width(self) -> int:
        """Lanes of a combination: one a symbol, or that of its own symbol."""
        return 1 if self.source.codes is not None else len(self.source.symbols)

    @property
    def plain(self) -> bool:
        """Whether there is one single column, with all its bars."""
        source = self.source
        return self.take is None and len(source.symbols) == 1 and source.own_bars[0] is None

    def lane_take(self) -> IntArray:
        """Return the stored lane of every column: symbol by symbol within each combination."""
        n = self.width
        if self.take is None:
            return np.arange(n)
        return (self.take[:, np.newaxis] * n + np.arange(n)).ravel()

    def symbol_take(self) -> IntArray:
        """Return the position of the symbol of every column."""
        codes = self.source.codes
        return np.tile(np.arange(self.width), self.count) if codes is None else codes

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
        if self.take is None or (source.codes is not None and not self.levels):
            return source.columns
        n = len(source.columns)
        own = source.columns.take(np.tile(np.arange(n), self.count // (n // self.width)))
        if not self.levels:
            return own
        params = self.index().repeat(self.width)
        levels = [params.get_level_values(i) for i in range(params.nlevels)]
        outer = [own.get_level_values(i) for i in range(own.nlevels)]
        return pd.MultiIndex.from_arrays([*outer[:-1], *levels, outer[-1]])

    def wrap(self, lanes: AnyArray) -> Any:
        """Return lanes, one a column, as a Series or frame over them."""
        if self.take is None:
            return self.source.wrap(lanes)
        return pd.DataFrame(lanes.T, index=self.source.index, columns=self.columns(), copy=False)

    def wrapping(self) -> Wrapping:
        """Return what `wrap` makes, as array functions know it."""
        index = self.source.index
        if self.take is None and self.source.single:
            return Wrapping("series", index=index, name=self.source.symbols[0])
        return Wrapping("frame", index=index, columns=self.columns())


@dataclass(frozen=True, slots=True)
class Panel:
    """Stored lanes, shape (n_stored × width, n_bars), and their shape."""

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
        _check_same_bars(self.shape.source, other.shape.source)
        if self.shape.plain and other.shape.plain:
            # One series against one: what a sweep asks once a combination.
            lane = cross_pair(self.numbers[0], other.numbers[0], above=above)
            return self.shape.wrap(lane[np.newaxis, :])
        pairs, take, other_take = _pair(self.shape, other.shape)
        right = (other.numbers, other_take)
        return pairs.wrap(self._cross(take, right, pairs.symbol_take(), above=above))

    def crossed_levels(self, level: PanelLevel | float, *, above: bool) -> Any:
        """Return where this has crossed a number, or a list of them: one a combination.

        Raises
        ------
        DataError
            If there are several levels, and another number of combinations.
        """
        mine, values = self.shape, self.numbers
        if isinstance(level, PanelLevel):
            level = _spread(level, mine.count) if len(level.labels) == 1 else level
            heights = level_numbers(level.labels)
            levels = () if mine.hidden else (level,)
            its = Shape(mine.source, np.arange(len(heights)), levels)
            pairs, take, other_take = _pair(mine, its)
            heights = heights[other_take // mine.width]
        else:
            pairs, take = mine, mine.lane_take()
            heights = np.full(len(take), level)
        out = np.zeros((len(take), values.shape[1]), np.bool_)
        symbols, own_bars = pairs.symbol_take(), mine.source.own_bars
        for column, lane in enumerate(take):
            own = own_bars[symbols[column]]
            if own is None:
                cross_level(values[lane], heights[column], out[column], above=above)
            else:
                hits = np.empty(len(own), np.bool_)
                cross_level(values[lane][own], heights[column], hits, above=above)
                out[column, own] = hits
        return pairs.wrap(out)

    def crossed_values(self, other: Any, *, above: bool) -> Any:
        """Return where this has crossed values bar by bar: a Series, a frame or an array.

        Raises
        ------
        DataError
            If index or columns do not fit.
        """
        lanes, labels = unwrap("other", other)
        mine, columns = self.shape.lane_take(), self.shape.wrapping()
        if lanes.shape[1] != self.lanes.shape[1]:
            rule = f"have as many bars as the data, {self.lanes.shape[1]}"
            remedy = "Pass a list for several levels."
            raise DataError(broken_rule("other", rule, lanes.shape[1], remedy))
        check_index("other", labels, "data.close", columns)
        take, other_take, wrapping = pair_lanes((len(mine), columns), (len(lanes), labels))
        symbols = self.shape.symbol_take()[take]
        return wrapping.wrap(self._cross(mine[take], (lanes, other_take), symbols, above=above))

    def _cross(self, take: IntArray, right: _Taken, symbols: IntArray, *, above: bool) -> BoolArray:
        """Cross on the bars of each symbol: where it has none, nothing happens and nothing resets.

        Parameters
        ----------
        take : lane of every pair on this side.
        right : lanes of the other side, and the one of every pair.
        symbols : the symbol of every pair.
        """
        left, (lanes, other_take) = self.numbers, right
        own_bars = self.shape.source.own_bars
        if all(own is None for own in own_bars):
            return cross_lanes(left, take, lanes, other_take, above=above)
        out = np.zeros((len(take), left.shape[1]), np.bool_)
        for place, own in enumerate(own_bars):
            pairs = np.flatnonzero(symbols == place)
            bars = np.arange(left.shape[1]) if own is None else own
            mine, my_take = _cut(left, take[pairs], bars)
            its, its_take = _cut(lanes, other_take[pairs], bars)
            out[np.ix_(pairs, bars)] = cross_lanes(mine, my_take, its, its_take, above=above)
        return out


_Taken: TypeAlias = tuple[AnyArray, IntArray]


def _cut(lanes: AnyArray, take: IntArray, bars: IntArray) -> _Taken:
    """Return the lanes that are taken, each once and on some bars only, and which is which."""
    used, codes = np.unique(take, return_inverse=True)
    return np.ascontiguousarray(lanes[used][:, bars]), codes.astype(np.int64)


def _check_same_bars(mine: PriceTable, its: PriceTable) -> None:
    if mine is its:
        return
    codes, its_codes = (-1 if one.codes is None else one.codes for one in (mine, its))
    same = mine.symbols == its.symbols and mine.index.equals(its.index)
    if same and np.array_equal(codes, its_codes):
        return
    rule = f"stand on the same bars and symbols, {list(mine.symbols)} over {len(mine.index)} bars"
    raise DataError(broken_rule("other", rule, f"{list(its.symbols)} over {len(its.index)} bars"))


def _spread(level: PanelLevel, count: int) -> PanelLevel:
    return PanelLevel(level.name, list(level.labels) * count)


def _pair(mine: Shape, its: Shape) -> tuple[Shape, IntArray, IntArray]:
    """Return the shape of the pairs and the stored lane of each side for every column."""
    left, right = mine.lane_take(), its.lane_take()
    levels, other_levels = list(mine.levels), list(its.levels)
    if mine.count == its.count:
        larger = mine if mine.take is not None else its
    elif its.count == 1:
        larger, right = mine, np.tile(right, mine.count)
        other_levels = [_spread(level, mine.count) for level in other_levels]
    elif mine.count == 1:
        larger, left = its, np.tile(left, its.count)
        levels = [_spread(level, its.count) for level in levels]
    else:
        rule = f"have one combination or as many as the left side, {mine.count}"
        remedy = "Zip the lists, or take every pair with combine_params."
        raise DataError(broken_rule("other", rule, its.count, remedy))
    # A level that is the same on both sides is there once.
    levels += [level for level in other_levels if level not in levels]
    return Shape(mine.source, larger.take, levels, mine.hidden), left, right
