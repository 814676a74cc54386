# SPDX-License-Identifier: BSD-3-Clause
"""Which column holds what, as the prices themselves show."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import permutations

import numpy as np
import pandas as pd

from broadpeak._prices.reading.cell_numbers import read_numbers
from broadpeak._prices.reading.dates import (
    DateOptions,
    dates_of,
    looks_like_dates,
    looks_like_times,
)
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import AnyArray, FloatArray

PRICES = ("open", "high", "low", "close")
# Orders in which vendors write bars: nearly all; Coinbase; Bitfinex and KuCoin; IQFeed.
ORDERS = (
    PRICES,
    ("low", "high", "open", "close"),
    ("open", "close", "high", "low"),
    ("high", "low", "open", "close"),
)
# Prices adjusted or converted column by column differ in the last digits, so that a high may lie
# below the close by some 1e-16 of it. This is far below any tick and far above rounding.
TOLERANCE = 1e-8


def is_high_low_valid(prices: Mapping[str, FloatArray]) -> AnyArray:
    """Return for each bar whether its high is the highest and its low the lowest price."""
    with np.errstate(invalid="ignore"):
        top = np.fmax.reduce([prices[name] for name in PRICES])
        bottom = np.fmin.reduce([prices[name] for name in PRICES])
        slack = TOLERANCE * np.abs(top)
        fine = (prices["high"] >= top - slack) & (prices["low"] <= bottom + slack)
    missing = np.isnan(np.array([prices[name] for name in PRICES])).any(axis=0)
    return np.asarray(fine | missing)


def meant_by(prices: Mapping[str, FloatArray]) -> dict[str, str] | None:
    """Return which field each column of prices holds if they are swapped, or None.

    The first order in which every bar is consistent is taken: one of a vendor, else the one
    that moves the fewest columns.
    """
    columns = list(prices)
    moved = sorted(
        permutations(PRICES), key=lambda p: sum(a != b for a, b in zip(p, columns, strict=True))
    )
    for order in [*ORDERS[1:], *moved]:
        meaning = dict(zip(columns, order, strict=True))
        if is_high_low_valid({meaning[name]: values for name, values in prices.items()}).all():
            return {name: field for name, field in meaning.items() if name != field}
    return None


def named_by_content(
    table: pd.DataFrame,
    owner: str,
    options: DateOptions,
    decimal: str | None,
    thousands: str | None,
) -> pd.DataFrame:
    """Return a table without header with labels for what its columns hold.

    Raises
    ------
    DataError
        If they do not show it, or show it in more than one way.
    """
    labels: list[Hashable] = list(table.columns)
    head = {label: [str(cell).strip() for cell in table[label].iloc[:200]] for label in labels}
    found: dict[Hashable, str] = {}
    rest = labels
    if len(rest) > 2 and all(cell[:1].isalpha() for cell in head[rest[0]]):
        found[rest[0]] = "symbol"
        rest = rest[1:]
    if not rest or not looks_like_dates(head[rest[0]]):
        raise _unknown(owner, table)
    found[rest[0]] = "date"
    rest = rest[1:]
    if rest and looks_like_times(head[rest[0]], colons=True):
        found[rest[0]] = "time"
        rest = rest[1:]
    numbers, _ = read_numbers(
        {x: table[x].to_numpy(object) for x in rest}, owner, decimal, thousands
    )
    named = _prices(rest, numbers)
    if named is None and rest and looks_like_times(head[rest[0]], colons=False):
        named = _prices(rest[1:], numbers)
        found[rest[0]] = "time"
    if named is None:
        raise _unknown(owner, table)
    found |= named
    out = table[list(found)].rename(columns=found)
    prices = {field: numbers[label] for label, field in named.items()}
    if "open" in prices and _begins_at_the_end(out, prices, owner, options):
        raise _unknown(owner, table)
    return out


def _unknown(owner: str, table: pd.DataFrame) -> DataError:
    rule = "have a header, or columns in the one order in which every bar is consistent"
    got = [str(cell) for cell in table.iloc[0].tolist()[:8]]
    remedy = "Name all columns: columns=['date', 'open', 'high', 'low', 'close', 'volume', …]."
    return DataError(broken_rule(owner, rule, got, remedy))


def _prices(
    labels: Sequence[Hashable], numbers: Mapping[Hashable, FloatArray]
) -> dict[Hashable, str] | None:
    """Return the fields of columns that follow the date, or None if not exactly one order fits."""
    if len(labels) == 1 and labels[0] in numbers:
        return {labels[0]: "close"}
    four = labels[:4]
    if len(four) < 4 or any(label not in numbers for label in four):
        return None
    values = [numbers[label] for label in four]
    fitting = [
        order for order in ORDERS if is_high_low_valid(dict(zip(order, values, strict=True))).all()
    ]
    if len(fitting) != 1 or not all((value > 0).any() for value in values):
        return None
    named = dict(zip(four, fitting[0], strict=True))
    prices = {field: numbers[label] for label, field in named.items()}
    volume = _volume(labels[4:], numbers, prices)
    return named if volume is None else {**named, volume: "volume"}


def _volume(
    labels: Sequence[Hashable],
    numbers: Mapping[Hashable, FloatArray],
    prices: Mapping[str, FloatArray],
) -> Hashable | None:
    """Return the column of volume: the first after the prices, or the second after a mean price."""
    for label in labels[:2]:
        if label not in numbers:
            return None
        values = numbers[label]
        traded = values > 0
        inside = (values >= prices["low"] * (1 - 1e-6)) & (values <= prices["high"] * (1 + 1e-6))
        if len(labels) > 1 and traded.any() and inside[traded].all():
            continue  # Kraken's volume-weighted price
        return label if (values >= 0).all() else None
    return None


def _begins_at_the_end(
    table: pd.DataFrame, prices: Mapping[str, FloatArray], owner: str, options: DateOptions
) -> bool:
    """Return whether open and close look exchanged, which high and low do not show.

    A bar begins near the end of the one before it, much nearer than it ends to where that began.
    """
    if len(table) < 10 or "symbol" in table.columns:
        return False
    dates = dates_of(table[[x for x in table.columns if x in {"date", "time"}]], owner, options)
    if dates is None or not (dates.is_monotonic_increasing or dates.is_monotonic_decreasing):
        return False
    step = 1 if dates[0] <= dates[-1] else -1
    opens, closes = prices["open"][::step], prices["close"][::step]
    usual = np.nanmean(np.abs(opens[1:] - closes[:-1]))
    exchanged = np.nanmean(np.abs(closes[1:] - opens[:-1]))
    return bool(exchanged < usual / 2)
