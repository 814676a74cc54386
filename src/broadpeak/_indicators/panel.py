# SPDX-License-Identifier: BSD-3-Clause
"""One output over combinations × symbols, each distinct combination stored once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from broadpeak._core.aliases import Index, Table, Values
from broadpeak._core.arrays import Wrapping, check_labels, read_only, unwrap
from broadpeak._core.columns import pair_counts
from broadpeak._core.lazyframe import LazyIndex, is_frozen, lazy_frame, lazy_series
from broadpeak._indicators.family import unchangeable
from broadpeak._prices.table import PriceTable
from broadpeak._signals._kernels.cross import crossed_level
from broadpeak._signals.cross import cross_pairs, pair_tables
from broadpeak._signals.crossing import Crossing
from broadpeak._signals.levels import level_numbers
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import AnyArray, BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class PanelLevel:
    """Name and labels of one column level, one label a combination.

    Attributes
    ----------
    name
        Name of the level.
    labels
        Labels: one a combination, or each distinct one once.
    codes
        Which of the labels each combination has; None where there is one a combination.
    """

    name: str
    labels: Any  # a sequence or an array
    codes: IntArray | None = None

    @property
    def count(self) -> int:
        """Number of combinations."""
        return len(self.labels) if self.codes is None else len(self.codes)

    def values(self) -> Any:
        """Return one label a combination."""
        if self.codes is None:
            return self.labels
        if isinstance(self.labels, np.ndarray):
            return self.labels[self.codes]
        return [self.labels[code] for code in self.codes.tolist()]

    def index(self) -> Index:
        """Return the labels of the combinations."""
        found: Index = pd.Index(self.values(), name=self.name)
        return found

    def renamed(self, name: str) -> PanelLevel:
        """Return the level with another name."""
        return PanelLevel(name, self.labels, self.codes)

    def repeated(self, n: int) -> PanelLevel:
        """Return the level of a single combination `n` times."""
        if self.codes is None:
            return PanelLevel(self.name, list(self.labels) * n)
        return PanelLevel(self.name, self.labels, self.codes.repeat(n))

    def equals(self, other: PanelLevel) -> bool:
        """Return whether name and labels are the same."""
        if self.name != other.name or self.count != other.count:
            return False
        if self.labels is other.labels and self.codes is other.codes:
            return True
        here, there = self.values(), other.values()
        if isinstance(here, np.ndarray) and isinstance(there, np.ndarray):
            return np.array_equal(here, there)
        return list(here) == list(there)


def _multi_index(levels: Sequence[PanelLevel]) -> Index:
    """Return what `pd.MultiIndex.from_arrays` makes of the labels, without looking at each."""
    names = [level.name for level in levels]
    coded = [(level.labels, level.codes) for level in levels]
    sides: list[Index] = []
    codes: list[IntArray] = []
    for labels, numbers in coded:
        if numbers is None or not isinstance(labels, np.ndarray):
            return pd.MultiIndex.from_arrays([level.values() for level in levels], names=names)
        order = np.argsort(labels, kind="stable")
        rank = np.empty(len(labels), np.int64)
        rank[order] = np.arange(len(labels))
        sides.append(pd.Index(labels[order]))
        codes.append(rank[numbers])
    return pd.MultiIndex(sides, codes, names=names, verify_integrity=False)  # type: ignore[arg-type]  # stubs want sequences


@dataclass(slots=True, eq=False)
class Shape:
    """Which combinations there are, and how they are labelled; not to be changed.

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
    _labels: LazyIndex | None = None

    @property
    def count(self) -> int:
        """Number of combinations."""
        return 1 if self.take is None else len(self.take)

    @property
    def width(self) -> int:
        """Columns of a combination: one a symbol, or that of its own symbol."""
        return 1 if self.table.codes is not None else len(self.table.symbols)

    @property
    def labels(self) -> LazyIndex:
        """Labels of the columns, made at the first look: the same object each time."""
        if self._labels is None:
            # Of a twin: what waits for a look must not hold itself in memory.
            twin = Shape(self.table, self.take, self.levels, self.hidden)
            self._labels = LazyIndex(twin._columns)
        return self._labels

    def stored_columns(self) -> IntArray:
        """Return the stored column of every column: symbol by symbol within each combination."""
        n = self.width
        if self.take is None:
            return np.arange(n)
        if n == 1:
            return self.take
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
            return levels[0].index()
        return _multi_index(levels)

    def columns(self) -> Index:
        """Return the labels of the columns: levels of parameters, then `symbol` for several."""
        return self.labels.index().view()

    def _columns(self) -> Index:
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

    def lazy(self, crossing: Crossing) -> Table:
        """Return a crossing as a Series or frame whose values are made when looked at."""
        table = self.table
        if self.take is None and table.single:
            return lazy_series(crossing, table.index, table.symbols[0])
        return lazy_frame(crossing, table.index, self.labels)

    def wrapping(self) -> Wrapping:
        """Return what `wrap` makes, as array functions know it."""
        table = self.table
        if self.take is None and table.single:
            return Wrapping("series", table.index, None, table.symbols[0])
        return Wrapping("frame", table.index, self.columns())

    def pair(self, other: Shape) -> Pairing:
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
        levels = [
            *left.levels,
            *(
                level
                for level in right.levels
                if not any(level.equals(known) for known in left.levels)
            ),
        ]
        larger = right if self.take is None or self.count < n else left
        pairs = Shape(self.table, larger.take, levels, self.hidden)
        return Pairing(pairs, left.stored_columns(), right.stored_columns())

    def _repeated(self, n: int) -> Shape:
        """Return a single combination `n` times; with `n` already, return it unchanged."""
        if self.count == n:
            return self
        take = np.zeros(n, np.int64) if self.take is None else self.take.repeat(n)
        levels = [level.repeated(n) for level in self.levels]
        return Shape(self.table, take, levels, self.hidden)

    def __reduce__(self) -> tuple[object, ...]:
        return Shape, (self.table, self.take, list(self.levels), self.hidden)


class Pairing(NamedTuple):
    """The pairs of a crossing: their shape, and the stored column of each side for every column."""

    shape: Shape
    left: IntArray
    right: IntArray


_FIRST: IntArray = np.zeros(1, np.int64)
_COPIED = 2**24
"""Bytes of values that a crossing copies rather than being computed at once."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Stored columns, shape (n_stored × width, n_bars), and their shape.

    `owner` is of what arrays they are a part: those of two panels with one owner have the same
    columns, of which one may have more.
    """

    array: AnyArray
    shape: Shape
    owner: object = None

    @property
    def numbers(self) -> FloatArray:
        """The array as float64: TA-Lib gives some as integers."""
        array = self.array
        return array if array.dtype == np.float64 else read_only(array.astype(np.float64))

    def wrap(self) -> Table:
        """Return the values as a Series or frame that cannot be written to."""
        shape = self.shape
        if shape.take is None:
            return shape.wrap(self.array)
        return shape.wrap(unchangeable(self.array[shape.stored_columns()]))

    def pair(self, other: Panel) -> Pairing:
        """Return which columns meet where this crosses `other`.

        Raises
        ------
        DataError
            If the sides stand on different bars or symbols, or their combinations do not pair.
        """
        left, right = self.shape, other.shape
        if right.table is not left.table:
            _check_same_bars(left.table, right.table)
        if left.take is None and right.take is None and left.width == 1:
            # One column against one: what a sweep needs once a combination.
            return Pairing(left, _FIRST, _FIRST)
        return left.pair(right)

    def crossed(self, other: Panel, pairing: Pairing | None = None, *, above: bool) -> Table:
        """Return where this has crossed `other`, pair by pair, as a bool Series or frame.

        `pairing` is what `pair` returns for both.
        """
        pairs, take, other_take = pairing or self.pair(other)
        if self.shape.table.without_gaps:
            left, right = self.numbers, other.numbers
            if (
                self.owner is not None
                and self.owner is other.owner
                and self.array.dtype == other.array.dtype
            ):
                left = right = left if len(left) > len(right) else right
            return pairs.lazy(Crossing(left, take, right, other_take, above))
        codes = pairs.symbol_codes()
        return pairs.wrap(self._cross(take, other.numbers, other_take, codes, above=above))

    def pair_levels(self, level: PanelLevel | float) -> tuple[FloatArray, Pairing]:
        """Return levels, each once, and which column meets which: a number, or one a combination.

        Raises
        ------
        DataError
            If there are several levels, and another number of combinations.
        """
        shape = self.shape
        if not isinstance(level, PanelLevel):
            take = shape.stored_columns()
            return np.array([level], np.float64), Pairing(
                shape, take, _FIRST if len(take) == 1 else np.zeros(len(take), np.int64)
            )
        heights = level_numbers(level.labels)
        levels = () if shape.hidden else (level,)
        level_shape = Shape(shape.table, np.arange(len(heights)), levels)
        pairs, take, other_take = shape.pair(level_shape)
        return heights, Pairing(pairs, take, other_take // shape.width)

    def crossed_levels(self, heights: FloatArray, pairing: Pairing, *, above: bool) -> Table:
        """Return where this has crossed levels, as `pair_levels` gives them."""
        pairs, take, number = pairing
        values, table = self.numbers, self.shape.table
        if table.without_gaps:
            right = read_only(heights[:, np.newaxis])
            return pairs.lazy(Crossing(values, take, right, number, above))
        out = np.zeros((len(take), values.shape[1]), np.bool_)
        codes, own_bars = pairs.symbol_codes(), table.own_bars
        for column, stored in enumerate(take):
            bars, height = own_bars[codes[column]], heights[number[column]]
            if bars is None:
                crossed_level(values[stored], height, above, out[column])
            else:
                hits = np.empty(len(bars), np.bool_)
                crossed_level(read_only(values[stored][bars]), height, above, hits)
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
        if self.shape.table.without_gaps and (is_frozen(array) or array.nbytes <= _COPIED):
            # What the user may write to later is copied.
            right = array if is_frozen(array) else read_only(array.copy())
            crossing = Crossing(self.numbers, stored[take], right, other_take, above)
            return wrapping.lazy(crossing)
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
        if self.shape.table.without_gaps:
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
