# SPDX-License-Identifier: BSD-3-Clause
"""Prices as indicators see them: lanes, one a symbol, on one calendar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core.arrays import lent
from broadpeak._core.memo import Memo
from broadpeak.errors import DataError, broken_rule, shown
from broadpeak.types import COMBINATION, AnyArray, FloatArray, IntArray


def read_only(array: AnyArray) -> AnyArray:
    """Return a view that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False)
class PriceTable:
    """Prices of symbols on one index.

    Attributes
    ----------
    index
        Labels of the bars.
    symbols
        Labels of the lanes.
    fields
        Lanes by name, shape (n_symbols, n_bars); NaN where a symbol has no bar.
    single
        True where the user has one symbol and expects Series.
    codes
        In a mono-chunk, the lane of the symbol of every combination: columns are combinations
        then, not symbols. None everywhere else.
    """

    index: pd.Index[Any]
    symbols: tuple[Any, ...]
    fields: Mapping[str, FloatArray]
    single: bool
    codes: IntArray | None = None
    memo: Memo = field(default_factory=Memo, repr=False)
    _kept: dict[Any, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def columns(self) -> pd.Index[Any]:
        """Labels of the columns: the level `symbol`, in a mono-chunk after the combination."""
        labels: pd.Index[Any] = pd.Index(list(self.symbols), name="symbol")
        if self.codes is None:
            return labels
        numbers = np.arange(len(self.codes))
        names = [COMBINATION, "symbol"]
        return pd.MultiIndex.from_arrays([numbers, labels.take(self.codes)], names=names)

    def part(self, place: int) -> PriceTable:
        """Return one symbol alone: always the same object, so that its results are found again."""
        if self.single:
            return self
        key = ("part", place)
        if key not in self._kept:
            self._kept[key] = self.take([place], single=True)
        part: PriceTable = self._kept[key]
        return part

    def zipped(self, places: Sequence[int]) -> PriceTable:
        """Return one column a combination, each of its own symbol; every lane is held once."""
        distinct = list(dict.fromkeys(places))
        codes = np.array([distinct.index(place) for place in places], np.int64)
        lanes = self.take(distinct, single=False)
        source = PriceTable(lanes.index, lanes.symbols, lanes.fields, single=False, codes=codes)
        source._kept.update(
            {("part", code): self.part(place) for code, place in enumerate(distinct)}
        )
        return source

    @cached_property
    def own_bars(self) -> list[IntArray | None]:
        """For each symbol the positions of its bars, or None where it has them all."""
        present = np.isfinite(self.fields["close"])
        return [None if row.all() else np.flatnonzero(row) for row in present]

    def array(self, name: str) -> FloatArray:
        """Return the lanes of a field or of `hlc3` or `ohlc4`."""
        if not isinstance(name, str):
            raise DataError(broken_rule("the name of prices", "be a text such as 'close'", name))
        if name in self.fields:
            return self.fields[name]
        if name in {"hlc3", "ohlc4"}:
            parts = ("high", "low", "close") if name == "hlc3" else ("open", "high", "low", "close")
            key = ("field", name)
            found = self.memo.get(key)
            if found is None:
                found = (sum((self.array(part) for part in parts[1:]), self.array(parts[0])),)
                found = (found[0] / len(parts),)
                self.memo.put(key, found)
            return found[0]
        known = ", ".join(self.fields)
        raise DataError(broken_rule("the prices", f"have a column {shown(name)}", known))

    def take(self, places: list[int], *, single: bool) -> PriceTable:
        """Return some symbols, without the bars at which none of them has a price."""
        fields = {name: lanes[places] for name, lanes in self.fields.items()}
        index = self.index
        present = np.isfinite(fields["close"]).any(axis=0)
        if not present.all():
            bars = np.flatnonzero(present)
            index = index[bars]
            fields = {name: lanes[:, bars] for name, lanes in fields.items()}
        return PriceTable(index, tuple(self.symbols[place] for place in places), fields, single)

    def __reduce__(self) -> tuple[Any, ...]:
        return PriceTable, (self.index, self.symbols, dict(self.fields), self.single, self.codes)

    def prices(self, name: str) -> Any:
        """Return a field as a Series or frame that the user may change without changing this."""
        if name not in self._kept:
            self._kept[name] = self.wrap(read_only(self.array(name)))
        return lent(self._kept[name])

    def wrap(self, lanes: AnyArray) -> Any:
        """Return lanes, one a symbol, as a Series for one symbol and as a frame for several."""
        if self.codes is not None:
            lanes = lanes[self.codes]
        if self.single:
            return pd.Series(lanes[0], index=self.index, name=self.symbols[0], copy=False)
        return pd.DataFrame(lanes.T, index=self.index, columns=self.columns, copy=False)
