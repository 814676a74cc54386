# SPDX-License-Identifier: BSD-3-Clause
"""What a frame of prices must be: its columns, its index, and the rules between its prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak.data.dates import DateOptions, dated, find_column, word
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import BoolArray, FloatArray

PRICES = ("open", "high", "low", "close")
FIELDS = (*PRICES, "volume")

# Prices adjusted or converted column by column differ in the last digits, so that a high may lie
# below the close by some 1e-16 of it. This is far below any tick and far above rounding.
TOLERANCE = 1e-8

_SPELLINGS = {
    "open": "open o openprice priceopen",
    "high": "high h highprice pricehigh",
    "low": "low l lowprice pricelow",
    "close": "close c closeprice priceclose closelast last price",
    "volume": "volume v vol",
    "adjclose": "adjclose adjustedclose adjclosed closeadj adjcloseprice",
}
_FIELD_OF = {word: field for field, words in _SPELLINGS.items() for word in words.split()}


def field_of(label: object) -> str | None:
    """Return the field a column holds by its label, without regard to case and punctuation.

    Examples
    --------
    >>> field_of("Adj Close"), field_of("<HIGH>"), field_of("Dividends")
    ('adjclose', 'high', None)
    """
    return _FIELD_OF.get(word(label))


def fields_of(symbol: str, frame: pd.DataFrame, *, adjust: bool) -> dict[str, FloatArray]:
    """Return the price fields of `frame` as float64 arrays.

    Raises
    ------
    DataError
        If there is no close, a field appears twice, is not of numbers, or `adjust` finds no
        adjusted close.
    """
    places: dict[str, int] = {}
    for place, label in enumerate(frame.columns):
        field = field_of(label)
        if field in places:
            # Among several spellings the plain name wins: "Close" beside "Last".
            plain = [str(frame.columns[i]).lower() == field for i in (places[field], place)]
            if plain[0] != plain[1]:
                places[field] = places[field] if plain[0] else place
                continue
            rule = f"have one column for {field!r}"
            labels = [frame.columns[places[field]], label]
            raise DataError(broken_rule(f"the prices of {symbol}", rule, labels, "Drop one."))
        if field is not None:
            places[field] = place
    if "close" not in places:
        near = check.did_you_mean("close", [str(label) for label in frame.columns])
        remedy = near or "Rename the column of closing prices to 'close'."
        labels = list(map(str, frame.columns))
        raise DataError(
            broken_rule(f"the prices of {symbol}", "have a column 'close'", labels, remedy)
        )
    fields = {
        field: _numbers(symbol, str(frame.columns[place]), frame.iloc[:, place])
        for field, place in places.items()
    }
    return _adjusted(symbol, fields, adjust=adjust)


def _numbers(symbol: str, label: str, column: pd.Series[Any]) -> FloatArray:
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        bad = pd.to_numeric(column, errors="coerce").isna() & column.notna()
        place = int(bad.to_numpy().argmax())
        wrong = column.iloc[place] if bad.any() else column.dtype
        at = f" at {column.index[place]} (bar {place})" if bad.any() else ""
        remedy = "Drop or correct what is no number: pd.to_numeric(column, errors='coerce')"
        raise DataError(
            broken_rule(f"column {label!r} of {symbol}{at}", "hold numbers", wrong, remedy)
        ) from error


def _adjusted(symbol: str, fields: dict[str, FloatArray], *, adjust: bool) -> dict[str, FloatArray]:
    adjusted = fields.pop("adjclose", None)
    if not adjust:
        return fields
    if adjusted is None:
        rule = "have a column 'Adj Close' for adjust=True"
        raise DataError(broken_rule(f"the prices of {symbol}", rule, sorted(fields)))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = adjusted / fields["close"]  # what is not a price is refused afterwards
    for field in PRICES:
        if field in fields:
            # The adjusted close itself is taken as it is, free of the rounding of the ratio.
            fields[field] = adjusted.copy() if field == "close" else fields[field] * ratio
    return fields


def check_index(symbol: str, index: pd.Index[Any]) -> None:
    """Refuse an index that is not sorted, not unique, or not of dates or numbers."""
    owner = f"the index of {symbol}"
    if isinstance(index, pd.MultiIndex) or not (
        isinstance(index, pd.DatetimeIndex) or pd.api.types.is_numeric_dtype(index.dtype)
    ):
        remedy = "Type: frame.index = pd.to_datetime(frame.index)"
        raise DataError(broken_rule(owner, "hold dates or numbers", index[:1].tolist(), remedy))
    if index.hasnans:
        raise DataError(broken_rule(owner, "have no missing labels", "NaT", "Drop these rows."))
    if index.is_monotonic_increasing and index.is_unique:
        return
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        remedy = "Type: frame = frame[~frame.index.duplicated()]"
        raise DataError(broken_rule(owner, "have every bar once", f"{twice} twice", remedy))
    values = index.to_numpy()
    place = int(np.flatnonzero(values[1:] < values[:-1])[0]) + 1
    remedy = "Type: frame = frame.sort_index()"
    got = f"{index[place]} after {index[place - 1]}"
    raise DataError(broken_rule(owner, "be sorted", got, remedy))


def check_prices(symbol: str, index: pd.Index[Any], fields: dict[str, FloatArray]) -> None:
    """Refuse prices that cannot be: not finite, not positive, or outside high and low."""
    for field in PRICES:
        if field in fields:
            values = fields[field]
            _refuse(symbol, index, field, values, ~np.isfinite(values), "be a finite number")
            _refuse(symbol, index, field, values, values <= 0.0, "be positive")
    if "volume" in fields:
        volume = fields["volume"]
        _refuse(symbol, index, "volume", volume, (volume < 0.0) | np.isinf(volume), "be at least 0")
    for field, rule, bound, broken in inconsistent(fields):
        _refuse(symbol, index, field, fields[field], broken, f"be {rule}", bound)


def inconsistent(
    fields: Mapping[str, FloatArray],
) -> Iterator[tuple[str, str, FloatArray, BoolArray]]:
    """Yield for high and low the rule between prices, its limit, and where it is broken.

    NaN is missing and breaks no rule.
    """
    inner = [fields[field] for field in ("open", "close") if field in fields]
    for field, sign, edge in (("high", 1.0, np.fmax), ("low", -1.0, np.fmin)):
        if field not in fields:
            continue
        others = [*inner, fields["low"]] if field == "high" and "low" in fields else inner
        bound = edge.reduce(others)
        broken = sign * (bound - fields[field]) > TOLERANCE * bound
        rule = "at least open, close and low" if field == "high" else "at most open and close"
        yield field, rule, bound, broken


def _refuse(
    symbol: str,
    index: pd.Index[Any],
    field: str,
    values: FloatArray,
    broken: BoolArray,
    rule: str,
    bound: FloatArray | None = None,
) -> None:
    if not broken.any():
        return
    place = int(np.argmax(broken))
    count = int(broken.sum())
    limit = f" ({bound[place]:g})" if bound is not None else ""
    remedy = _REMEDIES[
        "missing" if np.isnan(values[place]) else field if bound is not None else "drop"
    ]
    more = f"{count - 1} more bars break this rule. " if count > 1 else ""
    owner = f"{field} of {symbol} at {index[place]} (bar {place})"
    raise DataError(broken_rule(owner, rule + limit, float(values[place]), more + remedy))


_REMEDIES = {
    "missing": "Drop missing bars with frame.dropna(); calendars are aligned afterwards.",
    "drop": "Drop or correct these bars.",
    "high": "Type: frame['high'] = frame[['open', 'high', 'low', 'close']].max(axis=1)",
    "low": "Type: frame['low'] = frame[['open', 'high', 'low', 'close']].min(axis=1)",
}


def bars_of(symbol: Any, frame: Any, *, adjust: bool, drop: bool) -> tuple[Any, dict[str, Any]]:
    """Return the checked index and fields of one symbol's frame."""
    if isinstance(frame, pd.Series):
        frame = frame.to_frame("close")
    if not isinstance(frame, pd.DataFrame) or frame.columns.nlevels > 1:
        rule = "be a frame with one column a field"
        remedy = "Type: Data.from_frames({'SPX': frame})"
        raise DataError(broken_rule(f"the prices of {symbol}", rule, type(frame).__name__, remedy))
    frame = _with_dates(symbol, frame)
    if drop:
        present = [label for label in frame.columns if field_of(label) in PRICES]
        frame = frame.dropna(subset=present, how="all")
    if len(frame) == 0:
        raise DataError(broken_rule(f"the prices of {symbol}", "have at least one bar", 0))
    check_index(symbol, frame.index)
    fields = fields_of(symbol, frame, adjust=adjust)
    check_prices(symbol, frame.index, fields)
    return frame.index, fields


def _with_dates(symbol: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """Make the dates of a column the index where the index only counts rows."""
    if not isinstance(frame.index, pd.RangeIndex):
        return frame
    for label in frame.columns:
        column = frame[label]
        if column.ndim == 1 and pd.api.types.is_datetime64_any_dtype(column.dtype):
            return frame.set_index(label)
    if find_column(frame, ["date", "datetime", "timestamp"]) is None:
        return frame
    return dated(frame, f"the prices of {symbol}", DateOptions())
