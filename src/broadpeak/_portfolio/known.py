# SPDX-License-Identifier: BSD-3-Clause
"""Prices that were checked before: those of a `Data`, and arrays that nobody can write to."""

from __future__ import annotations

import threading
from typing import Any

import pandas as pd

from broadpeak._core import caches
from broadpeak._core.identity import ByIdentity, owner_of
from broadpeak._prices.schema import check_index
from broadpeak._prices.table import PriceTable
from broadpeak._simulation._kernels.prices import check_prices
from broadpeak._simulation.rules import Prices
from broadpeak.types import AnyArray, FloatArray

LIMIT = 32 * 2**20  # bytes of closes that are kept with what is known of them
_of_tables: ByIdentity[Prices] = ByIdentity()
_good_indexes: ByIdentity[bool] = ByIdentity()
_of_owners: dict[int, tuple[AnyArray, Prices]] = {}  # the oldest first
_lock = threading.Lock()
caches.register(_of_owners.clear)


def prices_of_table(table: PriceTable) -> Prices:
    """Return the prices of all symbols of a table: always one object, with what it knows."""
    found = _of_tables.get(table)
    if found is None:
        fields = table.fields
        found = Prices(fields.get("open"), fields.get("high"), fields.get("low"), fields["close"])
        _of_tables.put(table, found)
    return found


def prices_of_close(close: FloatArray) -> Prices | None:
    """Return the prices of one column of closes, shape (bars,); None if they cannot be prices.

    What lies in memory that nobody can write to is looked at once.
    """
    owner = owner_of(close)
    whole = owner is not None and owner.nbytes == close.nbytes and owner.dtype == close.dtype
    if whole:
        known = _of_owners.get(id(owner))
        if known is not None:
            return known[1]
    rows = close.reshape(1, -1)
    if rows.flags.writeable:
        rows = rows.view()
        rows.setflags(write=False)
    row, _, missing = check_prices(rows)
    if row >= 0:
        return None
    made = Prices(None, None, None, rows, has_nan=missing)
    if owner is not None and whole and owner.nbytes <= LIMIT:
        with _lock:
            _of_owners[id(owner)] = (owner, made)
            held = sum(kept.nbytes for kept, _ in _of_owners.values())
            while held > LIMIT:
                held -= _of_owners.pop(next(iter(_of_owners)))[0].nbytes
    return made


def check_bars(name: str, index: pd.Index[Any]) -> None:
    """Refuse labels of bars that are not sorted dates or numbers, each index once.

    Raises
    ------
    DataError
        As `check_index` does.
    """
    if _good_indexes.get(index) is None:
        stamps = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
        check_index(name, stamps)
        _good_indexes.put(index, fact=True)
