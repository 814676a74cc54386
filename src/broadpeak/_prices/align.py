# SPDX-License-Identifier: BSD-3-Clause
"""One calendar for several symbols."""

from __future__ import annotations

from collections.abc import Hashable
from functools import reduce

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Index
from broadpeak._prices.reading.column_order import PRICES
from broadpeak._prices.schema import FIELDS
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import FloatArray

Bars = tuple["Index", dict[str, FloatArray]]


def align(bars: dict[Hashable, Bars], calendar: str) -> Bars:
    """Return one index and arrays by field and other column, symbols × bars.

    "union": every bar any symbol has, NaN where a symbol has none. "intersection": the bars all
    symbols have.
    """
    check.one_of("calendar", calendar, ["union", "intersection"])
    indexes = [index for index, _ in bars.values()]
    _check_zones(list(bars), indexes)
    index = indexes[0]
    if any(not index.equals(other) for other in indexes[1:]):
        if calendar == "union":
            index = reduce(lambda a, b: a.union(b), indexes)
        else:
            index = reduce(lambda a, b: a.intersection(b), indexes).sort_values()
    shape = (len(bars), len(index))
    arrays = {field: np.full(shape, np.nan) for field in _common_fields(bars)}
    for row, (own, fields) in enumerate(bars.values()):
        whole = own is index or own.equals(index)
        positions = np.arange(len(index)) if whole else index.get_indexer(own)
        kept = slice(None) if whole else positions >= 0
        for field, values in fields.items():
            arrays[field][row, positions[kept]] = values[kept]
    return index, arrays


def _check_zones(symbols: list[Hashable], indexes: list[Index]) -> None:
    first = indexes[0]
    for symbol, other in zip(symbols[1:], indexes[1:], strict=True):
        kinds = [isinstance(index, pd.DatetimeIndex) for index in (first, other)]
        if kinds[0] != kinds[1]:
            shown = ["dates" if kind else "numbers of bars" for kind in kinds]
            got = f"{shown[1]} for {symbol} beside {shown[0]} for {symbols[0]}"
            remedy = "Type: frame.index = pd.to_datetime(…) for each."
            raise DataError(broken_rule("the symbols", "all have dates, or none", got, remedy))
        zones = [str(getattr(index, "tz", None)) for index in (first, other)]
        if zones[0] != zones[1]:
            got = f"{zones[1]} for {symbol} beside {zones[0]} for {symbols[0]}"
            remedy = "Type: frame.index = frame.index.tz_convert('UTC') (or tz_localize) for each."
            raise DataError(broken_rule("the symbols", "share one time zone", got, remedy))
        if _only_counts(first) and _only_counts(other) and len(first) != len(other):
            # Row 5 of one may be years before row 5 of the other.
            got = (
                f"{len(other)} bars of {symbol} beside {len(first)} of {symbols[0]}, without dates"
            )
            remedy = "Name the column of dates: columns={'…': 'date'}, or set the index of each."
            raise DataError(broken_rule("the symbols", "have dates to meet by", got, remedy))


def _only_counts(index: Index) -> bool:
    """Return whether an index is the default one of pandas."""
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1


def _common_fields(bars: dict[Hashable, Bars]) -> list[str]:
    present = [field for field in FIELDS if any(field in fields for _, fields in bars.values())]
    for field in present:
        lacking = [symbol for symbol, (_, fields) in bars.items() if field not in fields]
        if lacking and field in PRICES:
            rule = f"all have a column {field!r}, or none"
            raise DataError(broken_rule("the symbols", rule, f"none for {lacking}"))
    others = dict.fromkeys(name for _, fields in bars.values() for name in fields)
    return [*present, *(name for name in others if name not in FIELDS)]
