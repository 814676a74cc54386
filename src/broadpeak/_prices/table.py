# SPDX-License-Identifier: BSD-3-Clause
"""Prices of symbols on one calendar, as arrays: what is behind a `Data`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Index, Table
from broadpeak._core.arrays import read_only, user_copy
from broadpeak._core.memo import Memo
from broadpeak.errors import DataError, broken_rule, shown
from broadpeak.types import COMBINATION, AnyArray, FloatArray, IntArray

_MEANS = {"hlc3": ("high", "low", "close"), "ohlc4": ("open", "high", "low", "close")}


@dataclass(frozen=True, eq=False)
class PriceTable:
    """Prices of symbols on one index.

    Attributes
    ----------
    index
        Labels of the bars.
    symbols
        Names of the symbols.
    fields
        Prices by name, arrays symbols × bars, read-only; NaN where a symbol has no bar.
    single
        True where the user has one symbol and expects Series.
    codes
        In a mono-chunk, the position of the symbol of every combination: columns are combinations
        then, not symbols. None everywhere else.
    extra
        Other columns of numbers by name, arrays as `fields` has them; NaN where there is none.
    memo
        What was computed of these prices.
    """

    index: Index
    symbols: tuple[object, ...]
    fields: Mapping[str, FloatArray]
    single: bool
    codes: IntArray | None = None
    extra: Mapping[str, FloatArray] = field(default_factory=dict)
    memo: Memo = field(default_factory=Memo, repr=False)
    _parts: dict[int, PriceTable] = field(default_factory=dict, repr=False)
    _wrapped: dict[str, Table] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for array in (*self.fields.values(), *self.extra.values()):
            array.setflags(write=False)

    @cached_property
    def columns(self) -> Index:
        """Labels of the columns: the level `symbol`, in a mono-chunk after the combination."""
        labels: Index = pd.Index(list(self.symbols), name="symbol")
        if self.codes is None:
            return labels
        numbers = np.arange(len(self.codes))
        names = [COMBINATION, "symbol"]
        return pd.MultiIndex.from_arrays([numbers, labels.take(self.codes)], names=names)

    @cached_property
    def own_bars(self) -> list[IntArray | None]:
        """For each symbol the positions of its bars, or None where it has them all."""
        present = np.isfinite(self.fields["close"])
        return [None if row.all() else np.flatnonzero(row) for row in present]

    @cached_property
    def without_gaps(self) -> bool:
        """Whether every symbol has a bar wherever one of them has."""
        return all(bars is None for bars in self.own_bars)

    def part(self, position: int) -> PriceTable:
        """Return one symbol alone: always the same object, so that its results are found again."""
        if self.single:
            return self
        if position not in self._parts:
            self._parts[position] = self.take([position], single=True)
        return self._parts[position]

    def take(self, positions: list[int], *, single: bool) -> PriceTable:
        """Return some symbols, without the bars at which none of them has a price."""
        fields, extra = (
            {name: array[positions] for name, array in arrays.items()}
            for arrays in (self.fields, self.extra)
        )
        index = self.index
        present = np.isfinite(fields["close"]).any(axis=0)
        if not present.all():
            bars = np.flatnonzero(present)
            index = index[bars]
            fields, extra = (
                {name: array.take(bars, axis=1) for name, array in arrays.items()}
                for arrays in (fields, extra)
            )
        symbols = tuple(self.symbols[position] for position in positions)
        return PriceTable(index, symbols, fields, single, extra=extra)

    def rows(self, rows: slice | AnyArray) -> PriceTable:
        """Return some of the bars."""
        fields, extra = (
            {name: np.ascontiguousarray(array[:, rows]) for name, array in arrays.items()}
            for arrays in (self.fields, self.extra)
        )
        return PriceTable(self.index[rows], self.symbols, fields, self.single, self.codes, extra)

    def zipped(self, positions: Sequence[int]) -> PriceTable:
        """Return one column a combination, each of its own symbol, which is held once."""
        distinct = list(dict.fromkeys(positions))
        codes = np.array([distinct.index(position) for position in positions], np.int64)
        few = self.take(distinct, single=False)
        table = PriceTable(few.index, few.symbols, few.fields, False, codes, few.extra)
        table._parts.update({code: self.part(position) for code, position in enumerate(distinct)})
        return table

    def array(self, name: object) -> FloatArray:
        """Return a field, or the mean `hlc3` or `ohlc4`, symbols × bars, read-only."""
        if not isinstance(name, str):
            rule = "be a string such as 'close'"
            raise DataError(broken_rule("the name of prices", rule, name))
        if name in self.fields:
            return self.fields[name]
        if name not in _MEANS:
            known = ", ".join(self.fields)
            raise DataError(broken_rule("the prices", f"have a column {shown(name)}", known))
        key = ("field", name)
        found = self.memo.get(key)
        if found is None:
            first, *others = map(self.array, _MEANS[name])
            found = (read_only(sum(others, first) / len(_MEANS[name])),)
            self.memo.put(key, found)
        return found[0]

    def own(self, position: int) -> tuple[Index, dict[str, FloatArray]]:
        """Return the bars of one symbol; its prices and other columns on them."""
        bars, arrays = self.own_bars[position], {**self.fields, **self.extra}
        if bars is None:
            return self.index, {name: array[position] for name, array in arrays.items()}
        return self.index[bars], {name: array[position, bars] for name, array in arrays.items()}

    def prices(self, name: str) -> Table:
        """Return a field as a Series or frame that the user may change without changing this."""
        if name not in self._wrapped:
            self._wrapped[name] = self.wrap(self.array(name))
        return user_copy(self._wrapped[name])

    def column(self, name: object) -> Table:
        """Return one of the other columns, or of the prices, as `prices` does."""
        passed = check.identifier("the name of a column", name)
        if passed in self.extra:
            return user_copy(self.wrap(self.extra[str(passed)]))
        if passed in self.fields:
            return self.prices(str(passed))
        raise unknown_column(passed, [*self.fields, *self.extra])

    def wrap(self, array: AnyArray) -> Table:
        """Return an array symbols × bars as a Series for one symbol and as a frame for several."""
        if self.codes is not None:
            array = array[self.codes]
        if self.single:
            return pd.Series(array[0], index=self.index, name=self.symbols[0], copy=False)
        return pd.DataFrame(array.T, index=self.index, columns=self.columns, copy=False)

    def __reduce__(self) -> tuple[object, ...]:
        fields, extra = dict(self.fields), dict(self.extra)
        return PriceTable, (self.index, self.symbols, fields, self.single, self.codes, extra)


def unknown_column(name: object, known: Sequence[str]) -> DataError:
    """Return the error about a column that the data does not have."""
    remedy = check.did_you_mean(name, known) or (
        "Columns of numbers are kept when data is read; those of words and dates are not."
    )
    rule = f"be one of {', '.join(map(repr, known))}"
    return DataError(broken_rule("the column", rule, name, remedy))
