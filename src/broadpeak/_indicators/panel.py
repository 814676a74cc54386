# SPDX-License-Identifier: BSD-3-Clause
"""One output over combinations × symbols, each distinct combination stored once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Index, Table, Values
from broadpeak._core.arrays import Wrapping, check_labels, read_only, unwrap
from broadpeak._core.columns import pair_counts
from broadpeak._prices.table import PriceTable
from broadpeak._signals._kernels.cross import crossed_level
from broadpeak._signals.cross import cross_pair, cross_pairs, pair_tables
from broadpeak._signals.levels import level_numbers
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray


class PanelLevel(NamedTuple):
    """Name and labels of one column level, one label a combination."""

    name: str
    labels: list[object]


@dataclass(frozen=True, slots=True)
class Shape:
    """Which combinations there are, and how they are labelled.

    Attributes
    ----------
    table
        Bars and symbols.
    take
        For each combination the stored one that holds its values; None where no parameter was
        listed, so that columns are the symbols alone.
    levels
        Visible levels of listed parameters.
    hidden
        Whether parameters give no levels, those of crossings included.
    """

    table: PriceTable
    take: IntArray | None = None
    levels: Sequence[PanelLevel] = ()
    hidden: bool = False

    @property
    def count(self) -> int:
        """Number of combinations."""
        return 1 if self.take is None else len(self.take)

    @property
    def width(self) -> int:
        """Columns of a combination: one a symbol, or that of its own symbol."""
        return 1 if self.table.codes is not None else len(self.table.symbols)

    def stored_columns(self) -> IntArray:
        """Return the stored column of every column: symbol by symbol within each combination."""
        n = self.width
        if self.take is None:
            return np.arange(n)
        return (self.take[:, np.newaxis] * n + np.arange(n)).ravel()

    def symbol_codes(self) -> IntArray:
        """Return the position of the symbol of every column."""
        codes = self.table.codes
        return np.tile(np.arange(self.width), self.count) if codes is None else codes

    def index(self) -> Index:
        """Return the labels of the combinations."""
        levels = self.levels
        if not levels:
            return pd.RangeIndex(self.count)
        if len(levels) == 1:
            return pd.Index(levels[0].labels, name=levels[0].name)
        arrays = [level.labels for level in levels]
        return pd.MultiIndex.from_arrays(arrays, names=[level.name for level in levels])

    def columns(self) -> Index:
        """Return the labels of the columns: levels of parameters, then `symbol` for several."""
        table = self.table
        if table.single:
            return self.index()
        if self.take is None or (table.codes is not None and not self.levels):
            return table.columns
        n = len(table.columns)
        symbol_labels = table.columns.take(np.tile(np.arange(n), self.count // (n // self.width)))
        if not self.levels:
            return symbol_labels
        params = self.index().repeat(self.width)
        levels = [params.get_level_values(i) for i in range(params.nlevels)]
        outer = [symbol_labels.get_level_values(i) for i in range(symbol_labels.nlevels)]
        return pd.MultiIndex.from_arrays([*outer[:-1], *levels, outer[-1]])

    def wrap(self, array: AnyArray) -> Table:
        """Return an array columns × bars as a Series or frame."""
        if self.take is None:
            return self.table.wrap(array)
        return pd.DataFrame(array.T, index=self.table.index, columns=self.columns(), copy=False)

    def wrapping(self) -> Wrapping:
        """Return what `wrap` makes, as array functions know it."""
        table = self.table
        if self.take is None and table.single:
            return Wrapping("series", table.index, None, table.symbols[0])
        return Wrapping("frame", table.index, self.columns())

    def pair(self, other: Shape) -> tuple[Shape, IntArray, IntArray]:
        """Return the shape of the pairs, and the stored column of each side for every column.

        As many combinations meet one to one, a single one meets all.

        Raises
        ------
        DataError
            If there are neither as many combinations on both sides, nor one on a side.
        """
        remedy = "Zip the lists, or take every pair with combine_params."
        n = len(pair_counts(self.count, other.count, "other", "combination", remedy)[0])
        left, right = self._repeated(n), other._repeated(n)
        # A level that is the same on both sides is there once.
        levels = [*left.levels, *(level for level in right.levels if level not in left.levels)]
        larger = right if self.take is None or self.count < n else left
        pairs = Shape(self.table, larger.take, levels, self.hidden)
        return pairs, left.stored_columns(), right.stored_columns()

    def _repeated(self, n: int) -> Shape:
        """Return a single combination `n` times; with `n` already, return it unchanged."""
        if self.count == n:
            return self
        take = np.zeros(n, np.int64) if self.take is None else self.take.repeat(n)
        levels = [PanelLevel(name, list(labels) * n) for name, labels in self.levels]
        return Shape(self.table, take, levels, self.hidden)


@dataclass(frozen=True, slots=True)
class Panel:
    """Stored columns, shape (n_stored × width, n_bars), and their shape."""

    array: AnyArray
    shape: Shape

    @property
    def numbers(self) -> FloatArray:
        """The array as float64: TA-Lib gives some as integers."""
        array = self.array
        return array if array.dtype == np.float64 else read_only(array.astype(np.float64))

    def wrap(self) -> Table:
        """Return the values as a Series or frame that cannot be written to."""
        shape = self.shape
        return shape.wrap(
            self.array if shape.take is None else read_only(self.array[shape.stored_columns()])
        )

    def crossed(self, other: Panel, *, above: bool) -> Table:
        """Return where this has crossed `other`, pair by pair, as a bool Series or frame.

        Raises
        ------
        DataError
            If the sides stand on different bars or symbols, or their combinations do not pair.
        """
        left, right = self.shape, other.shape
        table = left.table
        if right.table is not table:
            _check_same_bars(table, right.table)
        if (
            left.take is right.take is None
            and len(table.symbols) == 1
            and table.own_bars[0] is None
        ):
            # One column against one: what a sweep needs once a combination.
            column = cross_pair(self.numbers[0], other.numbers[0], above=above)
            return table.wrap(column[np.newaxis, :])
        pairs, take, other_take = left.pair(right)
        codes = pairs.symbol_codes()
        return pairs.wrap(self._cross(take, other.numbers, other_take, codes, above=above))

    def crossed_levels(self, level: PanelLevel | float, *, above: bool) -> Table:
        """Return where this has crossed a number, or a list of them: one a combination.

        Raises
        ------
        DataError
            If there are several levels, and another number of combinations.
        """
        shape, values = self.shape, self.numbers
        if isinstance(level, PanelLevel):
            heights = level_numbers(level.labels)
            levels = () if shape.hidden else (level,)
            level_shape = Shape(shape.table, np.arange(len(heights)), levels)
            pairs, take, other_take = shape.pair(level_shape)
            heights = heights[other_take // shape.width]
        else:
            pairs, take = shape, shape.stored_columns()
            heights = np.full(len(take), level)
        out = np.zeros((len(take), values.shape[1]), np.bool_)
        codes, own_bars = pairs.symbol_codes(), shape.table.own_bars
        for column, stored in enumerate(take):
            bars = own_bars[codes[column]]
            if bars is None:
                crossed_level(values[stored], heights[column], above, out[column])
            else:
                hits = np.empty(len(bars), np.bool_)
                crossed_level(read_only(values[stored][bars]), heights[column], above, hits)
                out[column, bars] = hits
        return pairs.wrap(out)

    def crossed_values(self, other: object, *, above: bool) -> Values:
        """Return where this has crossed values bar by bar: a Series, a frame or an array.

        Raises
        ------
        DataError
            If index or columns do not fit.
        """
        array, labels = unwrap("other", other)
        stored, columns = self.shape.stored_columns(), self.shape.wrapping()
        if array.shape[1] != self.array.shape[1]:
            rule = f"have as many bars as the data, {self.array.shape[1]}"
            remedy = "Pass a list for several levels."
            raise DataError(broken_rule("other", rule, array.shape[1], remedy))
        check_labels("other", labels, "data.close", columns, columns=False)
        take, other_take, wrapping = pair_tables((len(stored), columns), (len(array), labels))
        codes = self.shape.symbol_codes()[take]
        return wrapping.wrap(self._cross(stored[take], array, other_take, codes, above=above))

    def _cross(
        self,
        take: IntArray,
        other: FloatArray,
        other_take: IntArray,
        codes: IntArray,
        *,
        above: bool,
    ) -> BoolArray:
        """Cross on the bars of each symbol: where it has none, nothing happens and nothing resets.

        For every pair, `take` and `other_take` are the columns of the sides, `codes` its symbol.
        """
        values, own_bars = self.numbers, self.shape.table.own_bars
        if all(symbol_bars is None for symbol_bars in own_bars):
            return cross_pairs(values, take, other, other_take, above=above)
        out = np.zeros((len(take), values.shape[1]), np.bool_)
        for code, symbol_bars in enumerate(own_bars):
            pairs = np.flatnonzero(codes == code)
            bars = np.arange(values.shape[1]) if symbol_bars is None else symbol_bars
            left, left_take = _taken_bars(values, take[pairs], bars)
            right, right_take = _taken_bars(other, other_take[pairs], bars)
            hits = cross_pairs(left, left_take, right, right_take, above=above)
            out[np.ix_(pairs, bars)] = hits
        return out


def _taken_bars(array: FloatArray, take: IntArray, bars: IntArray) -> tuple[FloatArray, IntArray]:
    """Return the columns that are taken, each once and on some bars only, and which is which."""
    used, codes = np.unique(take, return_inverse=True)
    return read_only(array[used][:, bars]), codes.astype(np.int64)


def _check_same_bars(left: PriceTable, right: PriceTable) -> None:
    left_codes = -1 if left.codes is None else left.codes
    right_codes = -1 if right.codes is None else right.codes
    same = left.symbols == right.symbols and left.index.equals(right.index)
    if same and np.array_equal(left_codes, right_codes):
        return
    rule = f"stand on the same bars and symbols, {list(left.symbols)} over {len(left.index)} bars"
    raise DataError(
        broken_rule("other", rule, f"{list(right.symbols)} over {len(right.index)} bars")
    )
